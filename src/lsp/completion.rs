//! What can be written at the cursor.

use std::collections::BTreeSet;
use std::fs;

use dsl::ast::{File, ItemKind};
use dsl::check::{folder, join};
use dsl::column::{CONSTANTS, FUNCTIONS};
use dsl::signature::{Catalog, Makes, Param, Signature};
use dsl::sweep::forms::signatures;
use dsl::types::{Kind, Schema, Type};
use engine::path_text::{path_text, text_path};
use serde_json::{Value, json};

use super::analysis::Analysis;
use super::cursor::{Cursor, Frame};

/// A word that no one writes.
pub const PLACEHOLDER: &str = "zz_completed";

/// Keywords of items that are not statements, with what they say.
const KEYWORDS: [(&str, &str); 5] = [
    ("experiment", "The title, authors and terms."),
    ("use", "Reads definitions and statements of another file."),
    ("param", "A value that can be set from outside."),
    ("define", "A name for an expression."),
    ("seed", "The seed of everything random."),
];

const TYPES: [&str; 9] = [
    "Int", "Float", "Bool", "String", "Word", "Column", "Duration", "Quantity", "List",
];

/// The numbers by which the protocol names kinds of completions.
#[derive(Clone, Copy)]
enum Icon {
    Function = 3,
    Field = 5,
    Variable = 6,
    Module = 9,
    Property = 10,
    Unit = 11,
    Value = 12,
    Keyword = 14,
    File = 17,
    Constant = 21,
    Type = 25,
}

/// The completions, the nearest things first.
pub struct Completions<'a> {
    pub catalog: &'a Catalog,
    /// The text with a placeholder at the cursor, checked.
    pub analysis: &'a Analysis,
    /// The text as it is.
    pub tree: &'a File,
    pub cursor: &'a Cursor,
    found: Vec<Value>,
    names: BTreeSet<String>,
}

impl<'a> Completions<'a> {
    pub fn of(
        catalog: &'a Catalog,
        analysis: &'a Analysis,
        tree: &'a File,
        cursor: &'a Cursor,
    ) -> Vec<Value> {
        let mut all = Self {
            catalog,
            analysis,
            tree,
            cursor,
            found: Vec::new(),
            names: BTreeSet::new(),
        };
        all.collect();
        all.found
    }

    fn collect(&mut self) {
        if let Some(written) = &self.cursor.quoted {
            self.files(written);
        } else if let Some(module) = self.cursor.module() {
            self.of_module(module);
        } else if let Some(frame) = &self.cursor.frame {
            self.in_call(frame);
        } else {
            self.in_item();
        }
    }

    fn add(&mut self, rank: u8, icon: Icon, name: &str, detail: &str, doc: &str, insert: &str) {
        if self.names.insert(name.to_owned()) {
            self.found.push(json!({
                "label": name, "kind": icon as u8, "detail": detail,
                "documentation": { "kind": "markdown", "value": doc },
                "insertText": insert, "sortText": format!("{rank}{name}"),
            }));
        }
    }

    /// Outside of all brackets.
    fn in_item(&mut self) {
        let head = self.cursor.head.trim_start().to_owned();
        let words: Vec<&str> = head.split_whitespace().collect();
        match words[..] {
            [] => {
                for kind in Kind::ALL {
                    let keyword = kind.keyword();
                    self.add(
                        0,
                        Icon::Keyword,
                        keyword,
                        "statement",
                        "",
                        &format!("{keyword} "),
                    );
                }
                for (word, doc) in KEYWORDS {
                    self.add(1, Icon::Keyword, word, "", doc, &format!("{word} "));
                }
            }
            [keyword, _, "=", ..] => match Kind::from_keyword(keyword) {
                Some(Kind::Sweep) => {
                    self.callables(|_| false);
                    self.sweep_forms();
                }
                Some(kind) => self.callables(|makes| makes_kind(makes, kind)),
                None => {
                    self.params();
                    self.formula_words();
                }
            },
            ["param", name] if name.ends_with(':') => {
                for name in TYPES {
                    self.add(0, Icon::Type, name, "type", "", name);
                }
            }
            _ => {}
        }
    }

    fn in_call(&mut self, frame: &Frame) {
        let Some(signature) = self.catalog.get(&frame.callee) else {
            self.in_other_call();
            return;
        };
        let params: Vec<&Param> = signature.params.iter().collect();
        if let Some(label) = &frame.label {
            if let Some(param) = signature.param(label) {
                self.values(&param.ty);
            }
            return;
        }
        let plain: Vec<&Param> = params.iter().copied().filter(|p| !p.definitions).collect();
        let next = plain
            .get(frame.positional)
            .or(plain.last().filter(|last| last.variadic));
        if frame.named.is_empty()
            && let Some(param) = next
        {
            self.values(&param.ty);
        }
        if frame.fresh && self.cursor.open.last() == Some(&'(') {
            for (at, param) in plain.iter().enumerate() {
                let written = frame.named.contains(&param.name) || at < frame.positional;
                if !written {
                    let insert = format!("{}: ", param.name);
                    let detail = detail(param);
                    self.add(2, Icon::Property, &param.name, &detail, &param.doc, &insert);
                }
            }
        }
        if params.iter().any(|param| param.definitions) {
            self.columns();
            self.params();
            self.formula_words();
        }
    }

    /// A call of a definition, a function, a form of a sweep.
    fn in_other_call(&mut self) {
        self.params();
        self.statements(None);
        self.columns();
        self.formula_words();
    }

    /// What has this type.
    fn values(&mut self, ty: &Type) {
        match ty {
            Type::Kind(kind) => {
                self.statements(Some(*kind));
                self.callables(|makes| makes_kind(makes, *kind));
            }
            Type::Word(words) => {
                for word in words {
                    self.add(0, Icon::Value, word, "word", "", word);
                }
                self.params();
            }
            Type::Bool => {
                for word in ["true", "false"] {
                    self.add(0, Icon::Value, word, "Bool", "", word);
                }
                self.params();
            }
            Type::Column => {
                self.columns();
                self.params();
            }
            Type::Formula(_) | Type::Condition(_) => {
                self.columns();
                self.params();
                self.formula_words();
            }
            Type::Constructed(group) => {
                self.callables(|makes| matches!(makes, Makes::Value(name) if name == group));
            }
            Type::List(inner) | Type::Range(inner) => self.values(inner),
            Type::OneOf(types) => types.iter().for_each(|ty| self.values(ty)),
            Type::Quantity(unit) => {
                self.params();
                self.units(&[unit.as_str(), "m", "km", "K", "degC", "m s-1"]);
            }
            Type::Duration => {
                self.params();
                self.units(&["s", "min", "h", "days", "months", "years"]);
            }
            Type::Int | Type::Float | Type::String | Type::Path => self.params(),
        }
    }

    fn units(&mut self, units: &[&str]) {
        let digit = |c: char| c.is_ascii_digit();
        if self.cursor.head.trim_end().ends_with(digit) {
            for unit in units {
                self.add(0, Icon::Unit, unit, "unit", "", unit);
            }
        }
    }

    fn columns(&mut self) {
        let schema: Option<Schema> = self.analysis.columns_at(self.cursor.word).cloned();
        for column in schema.unwrap_or_default().columns {
            let detail = match &column.unit {
                Some(unit) => format!("column in {unit}"),
                None => "column".to_owned(),
            };
            self.add(0, Icon::Field, &column.name, &detail, "", &column.name);
        }
    }

    fn formula_words(&mut self) {
        for function in FUNCTIONS {
            let takes: Vec<&str> = function.takes.iter().map(|(name, _)| *name).collect();
            let detail = format!("{}({})", function.name, takes.join(", "));
            let insert = format!("{}(", function.name);
            self.add(
                3,
                Icon::Function,
                function.name,
                &detail,
                function.doc,
                &insert,
            );
        }
        for (name, value) in CONSTANTS {
            self.add(3, Icon::Constant, name, &value.to_string(), "", name);
        }
    }

    fn params(&mut self) {
        let tree = self.tree;
        for item in &tree.items {
            if let ItemKind::Param { name, ty, .. } = &item.kind {
                let ty = ty.as_ref().map_or("Int", |ty| &ty.name.text);
                self.add(1, Icon::Variable, &name.text, ty, "param", &name.text);
            }
        }
    }

    /// The statements of a kind; all of them without one. Modules lead to more.
    fn statements(&mut self, kind: Option<Kind>) {
        let (tree, item) = (self.tree, self.cursor.item as u32);
        for one in tree.items.iter().filter(|one| one.span.start != item) {
            match &one.kind {
                ItemKind::Use { name, path } => {
                    self.add(2, Icon::Module, &name.text, &path.value, "", &name.text);
                }
                kind_of => {
                    if let Some((keyword, name)) = statement(kind_of)
                        && kind.is_none_or(|kind| kind.keyword() == keyword)
                    {
                        self.add(0, Icon::Variable, name, keyword, "", name);
                    }
                }
            }
        }
    }

    /// The plugins and constructors that make this, and definitions.
    fn callables(&mut self, makes: impl Fn(&Makes) -> bool) {
        let (catalog, tree) = (self.catalog, self.tree);
        for signature in catalog.iter().filter(|signature| makes(&signature.makes)) {
            let first = signature.doc.lines().next().unwrap_or_default();
            let insert = match signature.params.is_empty() {
                true => signature.name.clone(),
                false => format!("{}(", signature.name),
            };
            self.add(
                1,
                Icon::Function,
                &signature.name,
                first,
                &signature.doc,
                &insert,
            );
        }
        for item in &tree.items {
            let (name, what) = match &item.kind {
                ItemKind::Define { name, .. } => (name, "define"),
                ItemKind::Plugin(plugin) => (&plugin.name, "plugin"),
                _ => continue,
            };
            let insert = format!("{}(", name.text);
            self.add(2, Icon::Function, &name.text, what, "", &insert);
        }
    }

    fn sweep_forms(&mut self) {
        let is_form = |form: &Signature| makes_kind(&form.makes, Kind::Sweep);
        for form in signatures().into_iter().filter(is_form) {
            let first = form.doc.lines().next().unwrap_or_default();
            let insert = format!("{}(", form.name);
            self.add(1, Icon::Function, &form.name, first, &form.doc, &insert);
        }
    }

    /// What the file behind a module's name has.
    fn of_module(&mut self, module: &str) {
        let analysis = self.analysis;
        let mut path = analysis.main().path.clone();
        let mut tree = self.tree;
        for name in module.split('.') {
            let used = tree.items.iter().find_map(|item| match &item.kind {
                ItemKind::Use { path, name: own } if own.text == name => Some(&path.value),
                _ => None,
            });
            let Some(used) = used else { return };
            path = join(folder(&path), used);
            let Some(found) = analysis.tree(&path) else {
                return;
            };
            tree = found;
        }
        for item in &tree.items {
            let (icon, name, detail) = match &item.kind {
                ItemKind::Param { name, .. } => (Icon::Variable, &name.text, "param"),
                ItemKind::Define { name, .. } => (Icon::Function, &name.text, "define"),
                ItemKind::Plugin(plugin) => (Icon::Function, &plugin.name.text, "plugin"),
                ItemKind::Use { name, .. } => (Icon::Module, &name.text, "module"),
                ItemKind::Statement { keyword, name, .. } => {
                    (Icon::Variable, &name.text, keyword.text.as_str())
                }
                _ => continue,
            };
            self.add(0, icon, name, detail, "", name);
        }
    }

    /// Files and folders beside the experiment.
    fn files(&mut self, written: &str) {
        let main = &self.analysis.main().path;
        let inside = join(folder(main), folder(written));
        let Ok(entries) = fs::read_dir(text_path(&inside)) else {
            return;
        };
        for entry in entries.flatten().take(1000) {
            let name = path_text(entry.file_name().as_ref());
            if !name.starts_with('.') {
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let insert = if is_folder {
                    format!("{name}/")
                } else {
                    name.clone()
                };
                self.add(u8::from(is_folder), Icon::File, &name, "", "", &insert);
            }
        }
    }
}

/// The keyword and name of a statement, also of one that does not parse.
fn statement(item: &ItemKind) -> Option<(&str, &str)> {
    match item {
        ItemKind::Statement { keyword, name, .. } => Some((&keyword.text, &name.text)),
        ItemKind::Broken {
            keyword: Some(keyword),
            name: Some(name),
        } => Some((&keyword.text, &name.text)),
        _ => None,
    }
}

fn makes_kind(makes: &Makes, kind: Kind) -> bool {
    matches!(makes, Makes::Kinds(kinds) if kinds.contains(&kind))
}

/// The type, range and default of a parameter.
pub fn detail(param: &Param) -> String {
    let mut text = param.ty.to_string();
    if let Some(range) = &param.range {
        text += &format!(" in {range}");
    }
    match &param.default {
        Some(default) => text += &format!(" = {default}"),
        None if !param.optional => text += ", required",
        None => {}
    }
    text
}

/// The call around the cursor, for the help that editors show while arguments are written.
pub fn signature_help(signature: &Signature, frame: &Frame) -> Value {
    let label = plugins::reference::usage(signature);
    let params: Vec<&Param> = signature.params.iter().filter(|p| !p.definitions).collect();
    let active = match &frame.label {
        Some(label) => params.iter().position(|param| param.name == *label),
        None => Some(frame.positional.min(params.len().saturating_sub(1))),
    };
    let parameters = params.iter().map(|param| {
        let doc = format!("{}\n\n{}", detail(param), param.doc);
        json!({ "label": param.name, "documentation": { "kind": "markdown", "value": doc } })
    });
    json!({
        "signatures": [{
            "label": label,
            "documentation": { "kind": "markdown", "value": signature.doc },
            "parameters": parameters.collect::<Vec<_>>(),
        }],
        "activeSignature": 0, "activeParameter": active,
    })
}
