//! Which name means what in which file: reads used files and lists what each one defines.

use std::collections::{BTreeMap, HashMap};

use super::Outside;
use super::about::metadata;
use super::order::order;
use crate::ast::{
    Arg, Comment, DefineParam, Expr, ExprKind, Item, ItemKind, Name, PluginItem, Text, TypeExpr,
};
use crate::column;
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::Metadata;
use crate::parse::parse;
use crate::signature::Catalog;
use crate::source::{FileId, Source, Sources, Span};
use crate::types::Kind;

/// Every file an experiment is made of, and everything they name.
pub struct Program {
    pub sources: Sources,
    pub title: String,
    pub metadata: Metadata,
    pub modules: Vec<Module>,
    pub params: Vec<ParamDecl>,
    pub defines: Vec<Define>,
    pub plugins: Vec<PluginDecl>,
    pub statements: Vec<Statement>,
    pub diagnostics: Vec<Diagnostic>,
}

/// The experiment's own file.
pub const MAIN: usize = 0;
/// A file with no names, for text that comes from no file: defaults and `--set`.
pub const NOWHERE: usize = 1;
/// The `seed`, always there.
pub const SEED: usize = 0;
/// Where text that comes from no file is said to stand.
pub const NO_FILE: FileId = FileId(u32::MAX);

/// The names of one file.
#[derive(Default)]
pub struct Module {
    /// Where its data files and programs are.
    pub folder: String,
    /// Where the files it uses are; another folder only in a package.
    pub texts: String,
    /// The package it belongs to, with a `/`; empty for files of no package.
    pub package: String,
    /// What its names start with, seen from the main file: `ocean.`
    pub prefix: String,
    /// Only looked up, and searched for the nearest: they have no order.
    pub names: HashMap<String, (Entity, Span)>,
    /// The path in the `use` that read it first.
    pub used: Span,
    /// Whether parts of it could not be read, so that names may be missing.
    pub torn: bool,
}

/// The meaning of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entity {
    Module(usize),
    Param(usize),
    Define(usize),
    Plugin(usize),
    Statement(usize),
    /// An item that did not parse, or a `use` that failed.
    Broken,
}

pub struct ParamDecl {
    pub module: usize,
    pub name: Name,
    pub ty: Option<TypeExpr>,
    pub default: Expr,
    pub bounds: Option<Expr>,
}

pub struct Define {
    pub module: usize,
    pub name: Name,
    pub params: Vec<DefineParam>,
    pub body: Expr,
    /// Whether it stands on itself.
    pub cyclic: bool,
}

/// A plugin that a file declares.
pub struct PluginDecl {
    pub module: usize,
    /// As the main file calls it.
    pub full: String,
    pub item: PluginItem,
    /// The comment directly above.
    pub doc: String,
}

pub struct Statement {
    pub module: usize,
    pub keyword: Name,
    pub name: Name,
    pub value: Expr,
}

impl Program {
    /// Reads the main file and all it uses.
    pub fn load(path: &str, text: &str, catalog: &Catalog, outside: &dyn Outside) -> Self {
        let program = Program {
            sources: Sources::default(),
            title: String::new(),
            metadata: Metadata::default(),
            modules: Vec::new(),
            params: Vec::new(),
            defines: Vec::new(),
            plugins: Vec::new(),
            statements: Vec::new(),
            diagnostics: Vec::new(),
        };
        let mut loader = Loader {
            program,
            catalog,
            outside,
            open: Vec::new(),
            known: BTreeMap::new(),
            length: 0,
        };
        loader.program.params.push(default_seed());
        loader.program.modules.push(Module::default());
        loader.program.modules.push(Module::default());
        loader.read(MAIN, Span::default(), normalise(path), (path, text));
        loader.program.refuse_cyclic_defines();
        loader.program
    }

    /// The name of a param or statement as the main file writes it.
    pub fn full_name(&self, module: usize, name: &Name) -> String {
        format!("{}{}", self.modules[module].prefix, name.text)
    }

    /// What a path of names means in a file; on failure, the first name that means nothing.
    pub fn resolve<'n>(
        &self,
        module: usize,
        path: &'n [Name],
    ) -> Result<Entity, (usize, &'n Name)> {
        let mut module = module;
        let mut found = None;
        for name in path {
            if let Some(entity) = found {
                let Entity::Module(inner) = entity else {
                    return if entity == Entity::Broken {
                        Ok(entity)
                    } else {
                        Err((module, name))
                    };
                };
                module = inner;
            }
            match self.modules[module].names.get(&name.text) {
                Some((entity, _)) => found = Some(*entity),
                None => return Err((module, name)),
            }
        }
        Ok(found.unwrap_or(Entity::Broken))
    }

    fn refuse_cyclic_defines(&mut self) {
        let edges: Vec<Vec<usize>> = self
            .defines
            .iter()
            .map(|define| {
                let mut targets = Vec::new();
                walk(&define.body, &mut |path| {
                    let arg =
                        path.len() == 1 && define.params.iter().any(|param| param.name == path[0]);
                    match self.resolve(define.module, path) {
                        Ok(Entity::Define(target)) if !arg => targets.push(target),
                        _ => {}
                    }
                });
                targets
            })
            .collect();
        for cycle in order(&edges).1 {
            let mut names = cycle.iter().map(|at| &self.defines[*at].name);
            let Some(first) = names.next() else { continue };
            let mut diagnostic = Diagnostic::error(
                Code::CyclicDefine,
                first.span,
                format!("`{}` is defined by itself", first.text),
            );
            for name in names {
                diagnostic = diagnostic.and(name.span, format!("through `{}`", name.text));
            }
            self.diagnostics.push(diagnostic);
            for at in cycle {
                self.defines[at].cyclic = true;
            }
        }
    }

    /// The statements of the main file, each after those it names; false friends such as
    /// columns named like statements only disturb the order, never the result.
    pub fn main_statements(&self) -> Vec<usize> {
        let edges: Vec<Vec<usize>> = self
            .statements
            .iter()
            .map(|statement| {
                let mut targets = Vec::new();
                walk(&statement.value, &mut |path| {
                    if let Ok(Entity::Statement(target)) = self.resolve(statement.module, path) {
                        targets.push(target);
                    }
                });
                targets
            })
            .collect();
        let (mut done, _) = order(&edges);
        done.retain(|at| self.statements[*at].module == MAIN);
        done
    }
}

/// Calls `see` with every name and callee of an expression.
fn walk<'e>(expr: &'e Expr, see: &mut impl FnMut(&'e [Name])) {
    match &expr.kind {
        ExprKind::Name(path) => see(path),
        ExprKind::Call { callee, args } => {
            see(callee);
            args.iter().map(Arg::value).for_each(|arg| walk(arg, see));
        }
        ExprKind::List(items) => items.iter().for_each(|item| walk(item, see)),
        ExprKind::Range {
            start, end, step, ..
        } => {
            let parts = [start, end, step];
            parts.into_iter().flatten().for_each(|part| walk(part, see));
        }
        ExprKind::Part { whole: part, .. } | ExprKind::Unary { operand: part, .. } => {
            walk(part, see);
        }
        ExprKind::Binary { left, right, .. } => {
            walk(left, see);
            walk(right, see);
        }
        ExprKind::Int { .. }
        | ExprKind::Float { .. }
        | ExprKind::Bool(_)
        | ExprKind::Date(_)
        | ExprKind::Text(_) => {}
    }
}

fn default_seed() -> ParamDecl {
    let span = Span::new(NO_FILE, 0, 0);
    ParamDecl {
        module: MAIN,
        name: Name {
            text: "seed".to_owned(),
            span,
        },
        ty: None,
        default: Expr {
            kind: ExprKind::Int {
                value: 0,
                unit: None,
            },
            span,
        },
        bounds: None,
    }
}

struct Loader<'a> {
    program: Program,
    catalog: &'a Catalog,
    outside: &'a dyn Outside,
    /// The files being read, outermost first, with the `use` that asked for them.
    open: Vec<(String, Span)>,
    known: BTreeMap<String, Entity>,
    /// Bytes of all used files so far.
    length: usize,
}

/// How deeply files may use files.
const MAX_USES: usize = 32;
/// How many bytes the files that are used may have together.
const MAX_USED_TEXT: usize = 8 << 20;

impl Loader<'_> {
    fn read(&mut self, module: usize, by: Span, key: String, (path, text): (&str, &str)) {
        let file = self.program.sources.add(Source::new(path, text));
        let (tree, mut diagnostics) = parse(file, text);
        self.program.modules[module].texts = folder(path).to_owned();
        if self.program.modules[module].package.is_empty() {
            self.program.modules[module].folder = folder(path).to_owned();
        }
        // Of a text that is too large nothing is read.
        let is_unread = tree.items.is_empty() && !diagnostics.is_empty();
        self.program.modules[module].torn = is_unread;
        self.program.diagnostics.append(&mut diagnostics);
        self.open.push((key, by));
        let mut titled = None;
        self.program.statements.reserve(tree.items.len());
        self.program.modules[module].names.reserve(tree.items.len());
        for item in tree.items {
            match item.kind {
                ItemKind::Experiment { title, about } => {
                    let metadata = metadata(&about, &mut self.program.diagnostics);
                    self.title(module, (title, metadata), &mut titled);
                }
                ItemKind::Plugin(plugin) => {
                    let doc = doc_above(text, &tree.comments, item.span.start);
                    self.plugin(module, plugin, doc);
                }
                _ => self.item(module, item),
            }
        }
        self.open.pop();
    }

    fn title(
        &mut self,
        module: usize,
        (title, metadata): (Text, Metadata),
        before: &mut Option<Span>,
    ) {
        if let Some(first) = before {
            let message = "the experiment has a title already";
            let diagnostic = Diagnostic::error(Code::DuplicateName, title.span, message);
            self.program
                .diagnostics
                .push(diagnostic.and(*first, "first here"));
            return;
        }
        *before = Some(title.span);
        if module == MAIN {
            self.program.title = title.value;
            self.program.metadata = metadata;
        }
    }

    fn item(&mut self, module: usize, item: Item) {
        match item.kind {
            ItemKind::Experiment { .. } | ItemKind::Plugin(_) => {}
            ItemKind::Broken {
                name: Some(name), ..
            } => self.name(module, &name, Entity::Broken),
            ItemKind::Broken { keyword, .. } => {
                let keyword = keyword.as_ref().map(|keyword| keyword.text.as_str());
                let is_nameless = matches!(keyword, Some("experiment" | "seed"));
                self.program.modules[module].torn |= !is_nameless;
            }
            ItemKind::Use { path, name } => {
                let entity = self.used(module, &path, &name);
                self.name(module, &name, entity);
            }
            ItemKind::Param {
                name,
                ty,
                default,
                bounds,
            } => {
                let declared = ParamDecl {
                    module,
                    name: name.clone(),
                    ty,
                    default,
                    bounds,
                };
                if name.text == "seed" {
                    self.seed(declared);
                } else if self.may_name(&name, column::constant(&name.text).is_some()) {
                    self.name(module, &name, Entity::Param(self.program.params.len()));
                    self.program.params.push(declared);
                }
            }
            ItemKind::Define { name, params, body } => {
                let taken = column::function(&name.text).is_some()
                    || column::constant(&name.text).is_some()
                    || self.catalog.has(&name.text);
                if self.may_name(&name, taken) {
                    self.twice(&params);
                    self.name(module, &name, Entity::Define(self.program.defines.len()));
                    self.program.defines.push(Define {
                        module,
                        name,
                        params,
                        body,
                        cyclic: false,
                    });
                }
            }
            ItemKind::Statement {
                keyword,
                name,
                value,
            } => {
                if self.may_name(&name, false) {
                    self.name(
                        module,
                        &name,
                        Entity::Statement(self.program.statements.len()),
                    );
                    self.program.statements.push(Statement {
                        module,
                        keyword,
                        name,
                        value,
                    });
                }
            }
        }
    }

    fn plugin(&mut self, module: usize, item: PluginItem, doc: String) {
        let name = item.name.clone();
        let taken = column::function(&name.text).is_some()
            || column::constant(&name.text).is_some()
            || self.catalog.has(&name.text);
        if !self.may_name(&name, taken) {
            return;
        }
        self.name(module, &name, Entity::Plugin(self.program.plugins.len()));
        self.program.plugins.push(PluginDecl {
            module,
            full: self.program.full_name(module, &name),
            item,
            doc,
        });
    }

    /// The seed of a used file is that file's own affair.
    fn seed(&mut self, declared: ParamDecl) {
        if declared.module != MAIN {
            return;
        }
        let before = self.program.params[SEED].name.span;
        if before.file != NO_FILE {
            let span = declared.name.span;
            let diagnostic = Diagnostic::error(Code::DuplicateName, span, "`seed` is set twice");
            self.program
                .diagnostics
                .push(diagnostic.and(before, "first here"));
            return;
        }
        self.program.params[SEED] = declared;
    }

    fn may_name(&mut self, name: &Name, taken: bool) -> bool {
        let text = name.text.as_str();
        let what = if Kind::from_keyword(text).is_some() {
            "keyword"
        } else if text == "seed" {
            "param"
        } else if !taken {
            return true;
        } else if column::function(text).is_some() {
            "function"
        } else if column::constant(text).is_some() {
            "constant"
        } else {
            "plugin"
        };
        let message = format!("`{text}` is a {what} already");
        let diagnostic =
            Diagnostic::error(Code::ShadowedName, name.span, message).hint("choose another name");
        self.program.diagnostics.push(diagnostic);
        false
    }

    fn name(&mut self, module: usize, name: &Name, entity: Entity) {
        let names = &mut self.program.modules[module].names;
        if let Some((_, before)) = names.get(&name.text) {
            let message = format!("`{}` is named twice", name.text);
            let diagnostic = Diagnostic::error(Code::DuplicateName, name.span, message)
                .and(*before, "first here");
            self.program.diagnostics.push(diagnostic);
            return;
        }
        names.insert(name.text.clone(), (entity, name.span));
    }

    fn twice(&mut self, params: &[DefineParam]) {
        for (index, param) in params.iter().enumerate() {
            let before = params[..index]
                .iter()
                .find(|other| other.name == param.name);
            if let Some(before) = before {
                let message = format!("`{}` is named twice", param.name.text);
                let diagnostic = Diagnostic::error(Code::DuplicateName, param.name.span, message)
                    .and(before.name.span, "first here");
                self.program.diagnostics.push(diagnostic);
            }
        }
    }

    fn used(&mut self, module: usize, path: &Text, name: &Name) -> Entity {
        if path.value.is_empty() {
            let error = Diagnostic::error(Code::UnreadableFile, path.span, "the path is empty");
            self.program.diagnostics.push(error);
            return Entity::Broken;
        }
        let target = target(&self.program.modules[module], &path.value);
        let (path_text, package) = match target {
            Ok(target) => target,
            Err(message) => {
                let error = Diagnostic::error(Code::UnreadableFile, path.span, message);
                self.program.diagnostics.push(error);
                return Entity::Broken;
            }
        };
        if let Some(at) = self.open.iter().position(|(open, _)| *open == path_text) {
            let mut diagnostic = Diagnostic::error(
                Code::CyclicUse,
                path.span,
                format!(
                    "`{}` is being read already: files use each other in a circle",
                    path.value
                ),
            );
            for (open, span) in &self.open[at + 1..] {
                diagnostic = diagnostic.and(*span, format!("`{open}` is used here"));
            }
            self.program.diagnostics.push(diagnostic);
            return Entity::Broken;
        }
        if let Some(entity) = self.known.get(&path_text) {
            return *entity;
        }
        if self.open.len() > MAX_USES {
            let message = format!("files use files more than {MAX_USES} deep");
            let diagnostic = Diagnostic::error(Code::TooDeep, path.span, message);
            self.program.diagnostics.push(diagnostic);
            return Entity::Broken;
        }
        let place = match package.is_empty() {
            true => Ok(String::new()),
            false => self.outside.package(&path_text),
        };
        let place = match place {
            Ok(place) => place,
            Err(missing) => {
                let error = Diagnostic::error(Code::UnreadableFile, path.span, missing.message);
                let error = missing.hints.into_iter().fold(error, Diagnostic::hint);
                self.program.diagnostics.push(error);
                return Entity::Broken;
            }
        };
        let entity = match self.outside.read(&path_text) {
            Err(why) => {
                let message = format!("cannot read `{path_text}`: {why}");
                let diagnostic = Diagnostic::error(Code::UnreadableFile, path.span, message);
                let hint = "the path starts at the folder of the file it is written in";
                self.program.diagnostics.push(match package.is_empty() {
                    true => diagnostic.hint(hint),
                    false => diagnostic,
                });
                Entity::Broken
            }
            Ok(text) if self.length + text.len() > MAX_USED_TEXT => {
                let message = format!("the files used have more than {MAX_USED_TEXT} bytes");
                let diagnostic = Diagnostic::error(Code::TooLarge, path.span, message);
                self.program.diagnostics.push(diagnostic);
                Entity::Broken
            }
            Ok(text) => {
                self.length += text.len();
                let inner = self.program.modules.len();
                let prefix = self.program.full_name(module, name) + ".";
                self.program.modules.push(Module {
                    prefix,
                    folder: place,
                    package,
                    used: path.span,
                    ..Module::default()
                });
                let key = path_text.clone();
                self.read(inner, path.span, key, (&path_text, &text));
                Entity::Module(inner)
            }
        };
        self.known.insert(path_text, entity);
        entity
    }
}

/// The file that a `use` in a module names, and the package it belongs to.
fn target(module: &Module, path: &str) -> Result<(String, String), String> {
    let leaves = |inside: &str| inside == ".." || inside.starts_with("../");
    if let Some(named) = path.strip_prefix('@') {
        let (name, file) = named.split_once('/').unwrap_or((named, ""));
        let file = match normalise(file) {
            lib if lib.is_empty() => "lib.farcast".to_owned(),
            file => file,
        };
        if leaves(&file) || file.starts_with('/') {
            return Err(format!("`{path}` leaves the package"));
        }
        if file.starts_with('@') {
            return Err(format!(
                "`{path}` is in a package of a package: it takes a dependency of its own"
            ));
        }
        let package = format!("{}@{name}/", module.package);
        return Ok((format!("{package}{file}"), package));
    }
    if module.package.is_empty() {
        return Ok((
            match join(&module.texts, path) {
                // The folder of that name, which is not a package.
                path if path.starts_with('@') => format!("./{path}"),
                path => path,
            },
            String::new(),
        ));
    }
    match in_package(module, path) {
        Some(inside) => Ok((
            format!("{}{inside}", module.package),
            module.package.clone(),
        )),
        None => Err(format!("`{path}` leaves the package that names it")),
    }
}

/// A path that a file of a package names, from the folder of the package; none when it leaves it.
pub fn in_package(module: &Module, path: &str) -> Option<String> {
    let folder = module.texts.strip_prefix(&module.package)?;
    let inside = normalise(&format!("{folder}{path}"));
    let leaves = path.starts_with('/') || inside == ".." || inside.starts_with("../");
    (!leaves).then_some(inside)
}

/// The comment lines directly above a place, without their `#`.
fn doc_above(text: &str, comments: &[Comment], start: u32) -> String {
    let mut lines: Vec<&str> = Vec::new();
    let mut start = start;
    let place = start;
    for comment in comments.iter().rev().filter(|it| it.span.start < place) {
        let slice = |from: u32, to: u32| text.get(from as usize..to as usize).unwrap_or_default();
        let between = slice(comment.span.end, start);
        let before = slice(0, comment.span.start).trim_end_matches([' ', '\t']);
        let is_own_line = before.is_empty() || before.ends_with('\n');
        let is_above = between.trim().is_empty() && between.matches('\n').count() == 1;
        if comment.span.end > start || !is_above || !is_own_line {
            break;
        }
        let line = comment.text.trim_start_matches('#');
        lines.push(line.strip_prefix(' ').unwrap_or(line));
        start = comment.span.start;
    }
    lines.reverse();
    lines.join("\n").trim().to_owned()
}

/// The folder a path lies in, with its `/`.
pub fn folder(path: &str) -> &str {
    path.rfind('/').map_or("", |at| &path[..=at])
}

/// A path as seen from a folder, without `.` and `..` where they can be resolved.
pub fn join(folder: &str, path: &str) -> String {
    if path.starts_with('/') {
        normalise(path)
    } else {
        match normalise(&format!("{folder}{path}")) {
            here if here.is_empty() => ".".to_owned(),
            path => path,
        }
    }
}

fn normalise(path: &str) -> String {
    let root = if path.starts_with('/') { "/" } else { "" };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        match (part, parts.last()) {
            ("..", Some(last)) if *last != ".." => {
                parts.pop();
            }
            ("..", None) if !root.is_empty() => {}
            _ => parts.push(part),
        }
    }
    format!("{root}{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn paths_start_at_the_folder_of_their_file() {
        assert_eq!(
            join("experiments/", "./common/ocean.farcast"),
            "experiments/common/ocean.farcast"
        );
        assert_eq!(join("a/b/", "../../../x"), "../x");
        assert_eq!(join("a/", "/tmp/../x"), "/x");
        assert_eq!(join("", "x"), "x");
        assert_eq!(join("", "."), ".");
        assert_eq!(join("a/", ".."), ".");
    }
}
