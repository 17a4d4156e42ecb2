//! Where names are declared and used: definition, references, rename, the outline.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::rc::Rc;

use dsl::ast::{Arg, Expr, ExprKind, File, Item, ItemKind, Name, PluginItem};
use dsl::check::{Meaning, folder, join};
use dsl::parse::parse;
use dsl::source::{FileId, Span};
use engine::outside::read_text;
use engine::path_text::path_text;
use serde_json::{Value, json};

use super::analysis::{Analysis, contains};
use super::documents::{Documents, uri_of};
use super::position::Lines;

/// How many experiments beside one are searched for its users.
const MOST_FILES: usize = 1000;

/// A name that a file declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The file.
    pub path: String,
    /// The name.
    pub name: String,
    /// The bytes of the name where it is declared.
    pub place: (usize, usize),
}

/// The experiments that names may be written in, each read once.
pub struct Names<'a> {
    analysis: &'a Analysis,
    documents: &'a Documents,
    read: BTreeMap<String, Option<Rc<Parsed<'a>>>>,
}

/// A file, with the place among its items of each name that it declares.
pub struct Parsed<'a> {
    pub text: Cow<'a, str>,
    pub tree: Cow<'a, File>,
    pub declared: BTreeMap<String, usize>,
}

impl<'a> Names<'a> {
    pub fn new(analysis: &'a Analysis, documents: &'a Documents) -> Self {
        Self {
            analysis,
            documents,
            read: BTreeMap::new(),
        }
    }

    /// The declared name at a byte of the main file; none at columns, arguments of definitions
    /// and words of plugins.
    pub fn at(&mut self, byte: usize) -> Option<Declared> {
        let main = self.analysis.main().path.clone();
        let parsed = self.file(&main)?;
        let here = |name: &Name| contains(name.span, byte);
        for item in &parsed.tree.items {
            if let Some(name) = declared(item).filter(|name| here(name)) {
                return Some(declaration(&main, name));
            }
        }
        let mut found = None;
        for item in parsed
            .tree
            .items
            .iter()
            .filter(|item| contains(item.span, byte))
        {
            in_item(item, &mut |names| {
                if let Some(at) = names.iter().position(here) {
                    found = Some(names[..=at].to_vec());
                }
            });
        }
        let names = found?;
        let last = names.last()?;
        if names.len() == 1 && self.is_column(&main, last.span) {
            return None;
        }
        let (declared, used) = self.resolve(&main, &names)?;
        (used == last.span).then_some(declared)
    }

    /// Every place a declared name is written at, by path.
    pub fn places(&mut self, target: &Declared) -> BTreeMap<String, BTreeSet<(usize, usize)>> {
        let sources = self.analysis.checked.sources.iter();
        let mut paths: BTreeSet<String> = sources.map(|(_, source)| source.path.clone()).collect();
        paths.extend(self.documents.paths().map(str::to_owned));
        paths.extend(beside(&target.path));
        let mut found: BTreeMap<String, BTreeSet<(usize, usize)>> = BTreeMap::new();
        for path in paths {
            let Some(parsed) = self.file(&path) else {
                continue;
            };
            let mut places = BTreeSet::new();
            if path == target.path {
                places.insert(target.place);
            }
            let mut paths_of_names = Vec::new();
            for item in &parsed.tree.items {
                in_item(item, &mut |names| paths_of_names.push(names.to_vec()));
            }
            for names in paths_of_names {
                let bare = names.len() == 1;
                if bare && self.is_column(&path, names[0].span) {
                    continue;
                }
                for end in 1..=names.len() {
                    if let Some((declared, used)) = self.resolve(&path, &names[..end])
                        && declared == *target
                    {
                        places.insert(bytes(used));
                    }
                }
            }
            if !places.is_empty() {
                found.insert(path, places);
            }
        }
        found
    }

    /// Places as the protocol has them, by address.
    pub fn ranges(
        &mut self,
        places: &BTreeMap<String, BTreeSet<(usize, usize)>>,
    ) -> Vec<(String, Vec<Value>)> {
        let mut ranges = Vec::new();
        for (path, places) in places {
            if let Some(parsed) = self.file(path) {
                let lines = Lines::new(&parsed.text);
                let places = places
                    .iter()
                    .map(|(start, end)| json!(lines.range(*start, *end)));
                ranges.push((uri_of(path), places.collect()));
            }
        }
        ranges
    }

    /// The declaration that a dotted name reaches from a file, and the word that names it.
    fn resolve(&mut self, path: &str, names: &[Name]) -> Option<(Declared, Span)> {
        let mut path = path.to_owned();
        for (at, name) in names.iter().enumerate() {
            let parsed = self.file(&path)?;
            let item = &parsed.tree.items[*parsed.declared.get(&name.text)?];
            match &item.kind {
                ItemKind::Use { path: used, .. } if at + 1 < names.len() => {
                    path = join(folder(&path), &used.value);
                }
                _ => return Some((declaration(&path, declared(item)?), name.span)),
            }
        }
        None
    }

    /// Whether the checker found a word to be a column, or an argument of a definition.
    fn is_column(&self, path: &str, span: Span) -> bool {
        let mut sources = self.analysis.checked.sources.iter();
        let file = sources.find(|(_, source)| source.path == path);
        let meaning = file.and_then(|(file, _)| self.analysis.meaning(Span { file, ..span }));
        matches!(meaning, Some(Meaning::Column | Meaning::Argument))
    }

    /// A file that is open, was checked or is on disk.
    pub fn file(&mut self, path: &str) -> Option<Rc<Parsed<'a>>> {
        if let Some(read) = self.read.get(path) {
            return read.clone();
        }
        let (analysis, documents) = (self.analysis, self.documents);
        let mut sources = analysis.checked.sources.iter();
        let checked = sources.find(|(_, source)| source.path == path);
        let checked = checked.map(|(_, source)| source.text.as_str());
        let text: Option<Cow<'a, str>> = match (documents.get(path), checked) {
            (Some(text), _) | (None, Some(text)) => Some(text.into()),
            (None, None) => path
                .ends_with(".farcast")
                .then(|| read_text(path).ok())
                .flatten()
                .map(Cow::Owned),
        };
        let parsed = text.map(|text| {
            // What was checked was parsed for that.
            let known = analysis.tree(path).filter(|_| checked == Some(&*text));
            let tree = match known {
                Some(tree) => Cow::Borrowed(tree),
                None => Cow::Owned(parse(FileId(0), &text).0),
            };
            let mut names = BTreeMap::new();
            for (at, item) in tree.items.iter().enumerate() {
                if let Some(name) = declared(item) {
                    names.entry(name.text.clone()).or_insert(at);
                }
            }
            Rc::new(Parsed {
                text,
                tree,
                declared: names,
            })
        });
        self.read.insert(path.to_owned(), parsed.clone());
        parsed
    }
}

/// The items of a file, for the outline.
pub fn outline(tree: &File, text: &str) -> Vec<Value> {
    let lines = Lines::new(text);
    let range = |span: Span| lines.range(span.start as usize, span.end as usize);
    let symbols = tree.items.iter().filter_map(|item| {
        let name = declared(item)?;
        // The numbers of the protocol: module, function, constant, variable.
        let (icon, detail) = match &item.kind {
            ItemKind::Use { path, .. } => (2, path.value.as_str()),
            ItemKind::Define { .. } => (12, "define"),
            ItemKind::Plugin(_) => (12, "plugin"),
            ItemKind::Param { .. } => (14, "param"),
            ItemKind::Statement { keyword, .. } => (13, keyword.text.as_str()),
            _ => (13, ""),
        };
        Some(json!({
            "name": name.text, "detail": detail, "kind": icon,
            "range": range(item.span), "selectionRange": range(name.span),
        }))
    });
    symbols.collect()
}

fn declaration(path: &str, name: &Name) -> Declared {
    Declared {
        path: path.to_owned(),
        name: name.text.clone(),
        place: bytes(name.span),
    }
}

fn bytes(span: Span) -> (usize, usize) {
    (span.start as usize, span.end as usize)
}

/// The name an item declares.
pub fn declared(item: &Item) -> Option<&Name> {
    match &item.kind {
        ItemKind::Use { name, .. }
        | ItemKind::Param { name, .. }
        | ItemKind::Define { name, .. }
        | ItemKind::Plugin(PluginItem { name, .. })
        | ItemKind::Statement { name, .. }
        | ItemKind::Broken {
            name: Some(name), ..
        } => Some(name),
        _ => None,
    }
}

/// Calls `each` with every dotted name of an item that may reach a declaration.
fn in_item(item: &Item, each: &mut dyn FnMut(&[Name])) {
    match &item.kind {
        ItemKind::Param {
            default, bounds, ..
        } => {
            in_expr(default, false, each);
            bounds
                .iter()
                .for_each(|bounds| in_expr(bounds, false, each));
        }
        ItemKind::Define { params, body, .. } => {
            let mut outside = |names: &[Name]| {
                let own = |name: &Name| params.iter().any(|param| param.name.text == name.text);
                if !names.first().is_some_and(own) {
                    each(names);
                }
            };
            in_expr(body, false, &mut outside);
            for default in params.iter().filter_map(|param| param.default.as_ref()) {
                in_expr(default, false, each);
            }
        }
        ItemKind::Statement { keyword, value, .. } => {
            in_expr(value, keyword.text == "sweep", each);
        }
        _ => {}
    }
}

/// In a sweep the names of arguments are params.
fn in_expr(expr: &Expr, sweep: bool, each: &mut dyn FnMut(&[Name])) {
    match &expr.kind {
        ExprKind::Name(names) => each(names),
        ExprKind::Call { callee, args } => {
            each(callee);
            for arg in args {
                if let (Arg::Named { name, .. }, true) = (arg, sweep) {
                    each(std::slice::from_ref(name));
                }
                in_expr(arg.value(), sweep, each);
            }
        }
        ExprKind::Part { whole, path } => {
            in_expr(whole, sweep, each);
            each(path);
        }
        ExprKind::List(items) => items.iter().for_each(|item| in_expr(item, sweep, each)),
        ExprKind::Range {
            start, end, step, ..
        } => {
            let parts = [start, end, step].into_iter().flatten();
            parts.for_each(|part| in_expr(part, sweep, each));
        }
        ExprKind::Unary { operand, .. } => in_expr(operand, sweep, each),
        ExprKind::Binary { left, right, .. } => {
            in_expr(left, sweep, each);
            in_expr(right, sweep, each);
        }
        _ => {}
    }
}

/// The experiments in the folder of a file, below it, and in the folder above.
fn beside(path: &str) -> Vec<String> {
    let Some(folder) = Path::new(path).parent().filter(|_| path.starts_with('/')) else {
        return Vec::new();
    };
    let mut folders = vec![(folder.to_owned(), 4)];
    folders.extend(folder.parent().map(|above| (above.to_owned(), 1)));
    let mut found = Vec::new();
    while let Some((folder, depth)) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() && !hidden && depth > 1 {
                folders.push((path, depth - 1));
            } else if kind.is_file() && path.extension().is_some_and(|end| end == "farcast") {
                found.push(path_text(&path));
            }
            if found.len() + folders.len() > MOST_FILES {
                return found;
            }
        }
    }
    found
}
