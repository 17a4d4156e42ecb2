//! Tree to experiment: names, kinds, types, ranges, units and columns, at every sweep point.
//!
//! `scope` lists what every name means; the `checker::Checker` then evaluates each
//! statement at every point of the sweeps, each part in a file of its own: `value` brings an
//! expression to the type that is wanted, `columns` reads formulas, `call` makes nodes of
//! the `argument`s of plugins.

mod about;
mod allowed;
mod argument;
mod binding;
mod bounds;
mod call;
mod checker;
mod columns;
mod conversion;
mod declaration;
mod declared;
mod describe;
mod env;
mod examine;
mod expand;
mod extent;
mod inferred;
mod known;
mod lookup;
mod memo;
mod notes;
mod number;
mod operator;
mod order;
mod params;
mod plugin;
mod progress;
mod quotes;
mod reads;
mod scope;
mod sink;
mod sweep;
mod times;
mod trace;
mod usage;
mod value;
mod weights;

pub use declaration::declaration_faults;
pub use scope::{folder, join};
pub use trace::{Meaning, Trace};

use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::{Arguments, Declared, Experiment, NodeId};
use crate::facts::{About, Complaint, Examined};
use crate::name::is_bare;
use crate::signature::Catalog;
use crate::source::Sources;
use crate::sweep::Choices;
use crate::sweep::search::{Finding, Proposal, Search};
use crate::sweep::space::Setting;
use crate::types::{Kind, Schema};

/// The parts of the world outside the text that checking needs.
///
/// A world may wrap another and forward to it whatever it does not do itself.
pub trait Outside {
    /// The world behind this one.
    fn behind(&self) -> &dyn Outside {
        &Nothing
    }

    /// The text of a used file.
    ///
    /// # Errors
    /// Why it cannot be read, in one line.
    fn read(&self, path: &str) -> Result<String, String> {
        self.behind().read(path)
    }

    /// The folder on disk of a path in a package, such as `@ocean/sub/sea.farcast`: empty or with
    /// a `/` at its end. Data files and programs that the text names are looked for there.
    ///
    /// # Errors
    /// Why the package is not there, and what to do.
    fn package(&self, path: &str) -> Result<String, Missing> {
        self.behind().package(path)
    }

    /// The file of a package that defines a name, as `use` writes it.
    fn offers(&self, name: &str) -> Option<String> {
        self.behind().offers(name)
    }

    /// Whether a data file is there; for a pattern, whether any file matches.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn find(&self, path: &str) -> Result<(), Missing> {
        self.behind().find(path)
    }

    /// Whether the program of a plugin that a file declares is described, and fits.
    ///
    /// # Errors
    /// What is wrong with the description of the program.
    fn program(&self, plugin: &Declared) -> Result<(), ProgramFault> {
        self.behind().program(plugin)
    }

    /// The columns a source plugin will give, from a file's header.
    ///
    /// # Errors
    /// Why they cannot be known, with the argument to blame.
    fn schema(&self, plugin: &str, args: &Arguments) -> Result<Schema, Complaint> {
        self.behind().schema(plugin, args)
    }

    /// What a file holds that a source plugin may be asked for; nothing when that is not known.
    fn names(&self, plugin: &str, path: &str) -> Vec<String> {
        self.behind().names(plugin, path)
    }

    /// What a plugin finds in a call whose arguments have the right types, and what is known of
    /// its result.
    fn examine<'a>(
        &self,
        plugin: &str,
        kind: Kind,
        args: &'a Arguments,
        about: &'a dyn Fn(NodeId) -> About<'a>,
    ) -> Examined {
        self.behind().examine(plugin, kind, args, about)
    }

    /// The points of a search; `score` returns what is known of one.
    ///
    /// It asks for the scores of each batch of points before it proposes the next, and ends
    /// where one is not known yet. Equal scores give equal points.
    fn propose(&self, search: &Search, score: &mut dyn FnMut(&[Setting]) -> Finding) -> Proposal {
        self.behind().propose(search, score)
    }
}

/// A world without files, packages and searches: the last one behind every other.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl Outside for Nothing {
    fn read(&self, path: &str) -> Result<String, String> {
        Err(format!("`{path}` does not exist"))
    }

    fn package(&self, path: &str) -> Result<String, Missing> {
        let end = path.rfind('/').map_or(0, |at| at + 1);
        Ok(path[..end].to_owned())
    }

    fn offers(&self, _: &str) -> Option<String> {
        None
    }

    fn find(&self, _: &str) -> Result<(), Missing> {
        Ok(())
    }

    fn program(&self, _: &Declared) -> Result<(), ProgramFault> {
        Ok(())
    }

    fn schema(&self, _: &str, _: &Arguments) -> Result<Schema, Complaint> {
        Ok(Schema::default())
    }

    fn names(&self, _: &str, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn examine<'a>(
        &self,
        _: &str,
        _: Kind,
        _: &'a Arguments,
        _: &'a dyn Fn(NodeId) -> About<'a>,
    ) -> Examined {
        Examined::default()
    }

    fn propose(&self, _: &Search, _: &mut dyn FnMut(&[Setting]) -> Finding) -> Proposal {
        Proposal::default()
    }
}

/// Why a package or a file is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it.
    pub hints: Vec<String>,
}

impl From<String> for Missing {
    fn from(message: String) -> Self {
        let hints = Vec::new();
        Self { message, hints }
    }
}

/// Why the program of a declared plugin cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramFault {
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl ProgramFault {
    fn diagnostic(self, plugin: &Declared) -> Diagnostic {
        let error = Diagnostic::error(Code::BadPlugin, plugin.place, self.message);
        match self.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// What checking returns: always the texts read and the diagnostics, the experiment if no errors.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// Every text read.
    pub sources: Sources,
    /// The experiment; `None` when there are errors.
    pub experiment: Option<Experiment>,
    /// When there are errors, what could be checked in spite of them.
    pub partial: Option<Experiment>,
    /// Everything found, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Checks the file at `path` with this text, with `param`s set as `name`, `value` says, when
/// nothing is known of its sweeps.
pub fn check(
    path: &str,
    text: &str,
    settings: &[(String, String)],
    catalog: &Catalog,
    outside: &dyn Outside,
) -> Checked {
    check_with(path, text, settings, &Choices::default(), catalog, outside)
}

/// The same with what is known of its sweeps: the scores of their points follow which points
/// come next and what `best(sweep)` is.
pub fn check_with(
    path: &str,
    text: &str,
    settings: &[(String, String)],
    choices: &Choices,
    catalog: &Catalog,
    outside: &dyn Outside,
) -> Checked {
    check_traced(path, text, (settings, choices), catalog, outside, None)
}

/// The same, and `trace` hears what everything was found to be. The settings come with what is
/// known of sweeps.
pub fn check_traced(
    path: &str,
    text: &str,
    (settings, choices): (&[(String, String)], &Choices),
    catalog: &Catalog,
    outside: &dyn Outside,
    trace: Option<&dyn Trace>,
) -> Checked {
    let mut program = scope::Program::load(path, text, catalog, outside);
    let mut found = std::mem::take(&mut program.diagnostics);
    let names = lookup::Lookup {
        program: &program,
        catalog,
        outside,
        choices,
        trace,
    };
    let mut with_declared = Catalog::default();
    let mut declared = Vec::new();
    let mut names = names;
    if !program.plugins.is_empty() {
        let (plugins, diagnostics) = declared::declare(names);
        found.extend(diagnostics);
        found.extend(plugins.iter().filter_map(|plugin| {
            let problem = outside.program(plugin).err()?;
            Some(problem.diagnostic(plugin))
        }));
        with_declared = catalog.clone();
        for plugin in &plugins {
            with_declared.add(plugin.signature.clone());
        }
        declared = plugins;
    }
    if !declared.is_empty() {
        names.catalog = &with_declared;
    }
    let mut checker = checker::Checker::new(names, found);
    checker.set(settings);
    checker.run();
    let (mut experiment, mut diagnostics) = checker.finish();
    for diagnostic in &mut diagnostics {
        offer(diagnostic, &program.sources, outside);
    }
    experiment.plugins = declared;
    let sound = !diagnostics.iter().any(Diagnostic::is_error);
    let (experiment, partial) = match sound {
        true => (Some(experiment), None),
        false => (None, Some(experiment)),
    };
    Checked {
        experiment,
        partial,
        diagnostics,
        sources: program.sources,
    }
}

/// Says which package has a name that means nothing here.
fn offer(diagnostic: &mut Diagnostic, sources: &Sources, outside: &dyn Outside) {
    let codes = [
        Code::UnknownName,
        Code::UnknownPlugin,
        Code::UnknownFunction,
    ];
    let Some(label) = diagnostic.labels.first() else {
        return;
    };
    if !codes.contains(&diagnostic.code) || label.span.file == scope::NO_FILE {
        return;
    }
    let place = label.span.start as usize..label.span.end as usize;
    let name = sources.get(label.span.file).text.get(place);
    let name = name.unwrap_or_default();
    if !is_bare(name) {
        return;
    }
    if let Some(path) = outside.offers(name) {
        let package = path.trim_start_matches('@').split('/').next();
        let package = package.unwrap_or_default().replace('-', "_");
        diagnostic.hints.push(format!(
            "a package has it: `use \"{path}\" as {package}`, then `{package}.{name}`"
        ));
    }
}
