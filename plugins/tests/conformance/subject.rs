//! A plugin or constructor with the call in its example, which can be edited, checked and run.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use dsl::ast::{Arg, Expr, ExprKind, ItemKind};
use dsl::check::Checked;
use dsl::diagnostic::Diagnostic;
use dsl::experiment::{Experiment, NodeId};
use dsl::parse::parse;
use dsl::signature::{Catalog, Makes, Param, Signature};
use dsl::source::{FileId, Span};
use dsl::sweep::Choices;
use engine::digest::Digest;
use engine::error::Fault;
use engine::executor::{Backend, Place, Threads};
use engine::graph::{Action, Graph};
use engine::lower::{self, lower};
use engine::observer::{Ending, Silent};
use engine::outside::Disk;
use engine::plugin::{DEFINITIONS, Registry};
use engine::run::{Endings, Work, run_after};
use engine::scheduler::OnFailure;
use engine::store::{MemStore, RecordedOutcome, Store};
use engine::study;
use plugins::reference::PRELUDE;

/// The file of the examples: beside the data files of the tests.
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/example.farcast");

static REGISTRY: LazyLock<Registry> = LazyLock::new(plugins::registry);

/// The signatures of all plugins and constructors.
pub static CATALOG: LazyLock<Catalog> = LazyLock::new(|| REGISTRY.catalog());

/// Everything that has an example.
pub static SUBJECTS: LazyLock<Vec<Subject>> =
    LazyLock::new(|| CATALOG.iter().filter_map(Subject::of).collect());

/// A plugin or constructor and the last call of it in its example.
pub struct Subject {
    pub signature: Signature,
    /// The plugin whose key the call goes into: a constructor's is the one around it.
    pub plugin: String,
    /// The example after the statements it goes on from.
    pub written: Written,
    given: BTreeMap<String, Range<usize>>,
}

/// An experiment and the place of the call in question.
#[derive(Clone)]
pub struct Written {
    pub text: String,
    pub call: Range<usize>,
}

impl Subject {
    /// None when there is no example or it does not call what it is an example of.
    pub fn of(signature: &Signature) -> Option<Self> {
        let example = example(signature)?;
        // Where there are scores, nothing else is a goal and the example would not be run.
        let needed = |line: &&str| example.contains("skill") || !line.starts_with("score");
        let prelude: Vec<&str> = PRELUDE.lines().filter(needed).collect();
        let text = format!("{}\n{example}", prelude.join("\n"));
        let (file, _) = parse(FileId::default(), &text);
        let written = file.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Statement { value, .. } => Some(value),
            _ => None,
        });
        let mut found = None;
        for statement in
            written.filter(|value| value.span.end as usize > text.len() - example.len())
        {
            let mut inside = Vec::new();
            expressions(statement, &mut inside);
            let call = inside.into_iter().rfind(|expr| calls(expr, signature));
            found = call.map(|call| (statement, call)).or(found);
        }
        let (statement, call) = found?;
        let (args, plugin) = match (&call.kind, &statement.kind) {
            (ExprKind::Call { args, .. }, ExprKind::Call { callee, .. }) => (&args[..], callee),
            (_, ExprKind::Call { callee, .. }) => (&[][..], callee),
            _ => return None,
        };
        Some(Self {
            given: given(args, &signature.params),
            plugin: plugin.last()?.text.clone(),
            written: Written {
                call: range(call.span),
                text: text.clone(),
            },
            signature: signature.clone(),
        })
    }

    /// Whether the call has an argument for the parameter.
    pub fn gives(&self, param: &Param) -> bool {
        self.given.contains_key(&param.name)
    }

    /// The same with another value for an argument, or with one more argument.
    pub fn with(&self, name: &str, value: &str) -> Written {
        let Written { text, call } = &self.written;
        let edited = match self.given.get(name) {
            Some(at) => format!("{}{value}{}", &text[..at.start], &text[at.end..]),
            None => {
                let (before, after) = text.split_at(call.end);
                let open = match before.strip_suffix(')') {
                    Some(open) => open.trim_end().to_owned(),
                    None => format!("{before}("),
                };
                let comma = if open.ends_with(['(', ',']) { "" } else { "," };
                format!("{open}{comma} {name}: {value}){after}")
            }
        };
        Written {
            call: call.start..call.end + edited.len() - text.len(),
            text: edited,
        }
    }
}

/// The statements that the documentation shows.
pub fn example(signature: &Signature) -> Option<&str> {
    let (_, rest) = signature.doc.split_once("```farcast\n")?;
    let (example, _) = rest.split_once("```")?;
    Some(example)
}

/// The expression and all inside it, in the order of the text.
fn expressions<'a>(expr: &'a Expr, found: &mut Vec<&'a Expr>) {
    found.push(expr);
    match &expr.kind {
        ExprKind::Call { args, .. } => args.iter().for_each(|arg| expressions(arg.value(), found)),
        ExprKind::List(items) => items.iter().for_each(|item| expressions(item, found)),
        _ => {}
    }
}

/// Whether the expression calls this; a constructor may be called without parentheses.
fn calls(expr: &Expr, signature: &Signature) -> bool {
    let path = match (&expr.kind, &signature.makes) {
        (ExprKind::Call { callee, .. }, _) => callee,
        (ExprKind::Name(path), Makes::Value(_)) => path,
        _ => return false,
    };
    path.len() == 1 && path[0].text == signature.name
}

/// Where the arguments of the parameters stand.
fn given(args: &[Arg], params: &[Param]) -> BTreeMap<String, Range<usize>> {
    let variadic = params.iter().position(|param| param.variadic);
    let mut given: BTreeMap<String, Range<usize>> = BTreeMap::new();
    for (index, arg) in args.iter().enumerate() {
        let name = match arg {
            Arg::Named { name, .. } => &name.text,
            Arg::New { .. } => DEFINITIONS,
            Arg::Positional(_) => &params[variadic.map_or(index, |last| index.min(last))].name,
        };
        let at = range(arg.value().span);
        given
            .entry(name.to_owned())
            .and_modify(|all| all.end = at.end)
            .or_insert(at);
    }
    given
}

fn range(span: Span) -> Range<usize> {
    span.start as usize..span.end as usize
}

/// The actions of an experiment and the node the call in question belongs to.
pub struct Lowered {
    experiment: Experiment,
    graph: Graph,
    node: NodeId,
}

impl Written {
    /// What the checker says, with params set.
    pub fn check(&self, settings: &[(String, String)]) -> Checked {
        let outside = Disk {
            registry: &REGISTRY,
        };
        let choices = Choices::default();
        study::check(PATH, &self.text, settings, &choices, &REGISTRY, &outside)
    }

    /// The actions; the messages of the errors when there are any.
    pub fn lower(&self, settings: &[(String, String)]) -> Result<Lowered, String> {
        self.lower_with(settings, &|path| {
            MemStore::default().file_digest(Path::new(path))
        })
    }

    /// The same where data files have these digests.
    pub fn lower_with(
        &self,
        settings: &[(String, String)],
        digest: &dyn Fn(&str) -> Result<Digest, Fault>,
    ) -> Result<Lowered, String> {
        let checked = self.check(settings);
        let Some(experiment) = checked.experiment else {
            return Err(messages(&checked.diagnostics));
        };
        let lowered = lower(experiment, &REGISTRY, digest).map_err(|error| error.message)?;
        let lower::Lowered { experiment, graph } = lowered;
        let around = experiment.nodes.iter().enumerate().filter(|(_, node)| {
            let span = range(node.span);
            span.start <= self.call.start && self.call.end <= span.end
        });
        // The last of equals: what a call adds stands before it.
        let node = around
            .min_by_key(|(index, node)| (range(node.span).len(), Reverse(*index)))
            .map(|(index, _)| NodeId(index))
            .ok_or("the call became no action")?;
        Ok(Lowered {
            experiment,
            graph,
            node,
        })
    }
}

fn messages(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|d| d.is_error());
    let messages: Vec<&str> = errors.map(|d| d.message.as_str()).collect();
    messages.join("; ")
}

impl Lowered {
    /// The actions of the call.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        let ids = &self.graph.of_node[self.node.0];
        ids.iter().map(|id| &self.graph.actions[id.0])
    }

    /// Their keys.
    pub fn keys(&self) -> Vec<Digest> {
        self.actions().map(|action| action.key.digest).collect()
    }

    /// What a run over an empty store keeps of the actions of the call, after a second run
    /// that has to find and read all of it.
    pub fn outcomes(&self, jobs: usize) -> Result<Vec<(RecordedOutcome, Vec<String>)>, String> {
        let store = MemStore::default();
        self.run(&store, jobs, |ending| {
            matches!(ending, Ending::Ran(_) | Ending::NotNeeded)
        })?;
        self.run(&store, jobs, |ending| {
            matches!(ending, Ending::Cached | Ending::NotNeeded)
        })?;
        self.keys()
            .iter()
            .map(|key| {
                let record = store.find(key).ok_or("an action left no record")?;
                Ok((record.outcome, record.notes))
            })
            .collect()
    }

    /// How the actions that read data files end in a run over a store.
    pub fn endings_of_readers(&self, store: &MemStore) -> Vec<(&Action, Ending)> {
        let actions = self.graph.actions.iter().zip(self.endings(store, 1));
        let readers = actions.filter(|(action, _)| !action.files.is_empty());
        readers.collect()
    }

    fn run(&self, store: &MemStore, jobs: usize, well: fn(&Ending) -> bool) -> Result<(), String> {
        let endings = self.endings(store, jobs);
        let bad = self.graph.actions.iter().zip(endings);
        let bad: Vec<String> = bad
            .filter(|(_, ending)| !well(ending))
            .map(|(action, ending)| format!("{}: {ending:?}", action.title(&self.experiment)))
            .collect();
        match bad.is_empty() {
            true => Ok(()),
            false => Err(bad.join("; ")),
        }
    }

    fn endings(&self, store: &MemStore, jobs: usize) -> Vec<Ending> {
        let stop = Arc::default();
        let place = Place {
            registry: &REGISTRY,
            store,
            observer: &Silent,
            stop: &stop,
            host: "test",
        };
        let work = Work {
            graph: &self.graph,
            experiment: &self.experiment,
            place,
        };
        let mut endings = Vec::new();
        Threads { jobs }.open(place, &mut |executor| {
            let outcome = run_after(work, OnFailure::KeepGoing, executor, &Endings::new());
            endings = outcome.endings;
        });
        endings
    }
}
