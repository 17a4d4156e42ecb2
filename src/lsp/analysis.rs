//! What the checker finds in a text: diagnostics, and what every place means.

use std::cell::RefCell;
use std::collections::BTreeMap;

use dsl::ast::File;
use dsl::check::{Checked, Meaning, Outside, Trace, check_traced};
use dsl::experiment::{Experiment, Node, Value};
use dsl::parse::parse;
use dsl::signature::{Catalog, Signature};
use dsl::source::{FileId, Source, Sources, Span};
use dsl::sweep::Choices;
use dsl::types::{Schema, Type};
use engine::outside::Disk;
use engine::packages::{Packages, WithPackages};
use engine::path_text::{path_text, text_path};

use super::documents::Documents;

/// A checked text, and what was heard while it was checked.
pub struct Analysis {
    pub checked: Checked,
    /// The tree of each file, in the order of `checked.sources`.
    pub trees: Vec<File>,
    heard: Heard,
}

/// What names, values and calls were found to be, by place.
#[derive(Default)]
struct Heard {
    names: BTreeMap<Span, (Meaning, Span)>,
    values: BTreeMap<Span, (String, Type)>,
    calls: BTreeMap<Span, Schema>,
    results: BTreeMap<Span, Schema>,
}

#[derive(Default)]
struct Listener(RefCell<Heard>);

impl Trace for Listener {
    fn name(&self, place: Span, meaning: Meaning, said: Span) {
        self.0.borrow_mut().names.insert(place, (meaning, said));
    }

    fn value(&self, place: Span, value: &Value, ty: &Type) {
        let mut heard = self.0.borrow_mut();
        let text = || (value.to_string(), ty.clone());
        heard.values.entry(place).or_insert_with(text);
    }

    fn call(&self, place: Span, _: &Signature, columns: Option<&Schema>) {
        if let Some(columns) = columns {
            let mut heard = self.0.borrow_mut();
            heard.calls.entry(place).or_insert_with(|| columns.clone());
        }
    }

    fn result(&self, node: &Node, columns: Option<&Schema>) {
        if let Some(columns) = columns {
            let mut heard = self.0.borrow_mut();
            let entry = heard.results.entry(node.span);
            entry.or_insert_with(|| columns.clone());
        }
    }
}

impl Analysis {
    /// Checks the text of a path; texts that are open are read before those on disk.
    pub fn of(
        path: &str,
        text: &str,
        documents: &Documents,
        catalog: &Catalog,
        disk: Disk<'_>,
    ) -> Self {
        let mut analysis = Self::meant(path, text, documents, catalog, disk);
        let sources = analysis.checked.sources.iter();
        let trees = sources.map(|(id, source)| parse(id, &source.text).0);
        analysis.trees = trees.collect();
        analysis
    }

    /// The same without the trees: for what is compared and forgotten.
    pub fn meant(
        path: &str,
        text: &str,
        documents: &Documents,
        catalog: &Catalog,
        disk: Disk<'_>,
    ) -> Self {
        let packages = Packages::near(&text_path(path));
        let world = WithPackages {
            world: &World { documents, disk },
            packages: &packages,
        };
        let listener = Listener::default();
        let given = ([].as_slice(), &Choices::default());
        let checked = check_traced(path, text, given, catalog, &world, Some(&listener));
        let checked = Checked {
            sources: on_disk(&checked.sources, &packages),
            ..checked
        };
        Self {
            trees: Vec::new(),
            heard: listener.0.into_inner(),
            checked,
        }
    }

    /// The text that was checked.
    pub fn main(&self) -> &Source {
        self.checked.sources.get(FileId(0))
    }

    /// The tree of a file that was read.
    pub fn tree(&self, path: &str) -> Option<&File> {
        let mut sources = self.checked.sources.iter();
        let (id, _) = sources.find(|(_, source)| source.path == path)?;
        self.trees.get(id.0 as usize)
    }

    /// What was meant; with errors, what could be checked in spite of them.
    pub fn experiment(&self) -> Option<&Experiment> {
        let checked = &self.checked;
        checked.experiment.as_ref().or(checked.partial.as_ref())
    }

    /// The name at a byte of the text, with what it means and where that is said. At a
    /// declaration, the name itself.
    pub fn name_at(&self, byte: usize) -> Option<(Span, Meaning, Span)> {
        let here = |span: Span| span.file == FileId(0) && contains(span, byte);
        let heard = self.heard.names.iter().find(|(place, _)| here(**place));
        if let Some((place, (meaning, said))) = heard {
            return Some((*place, *meaning, *said));
        }
        let said = self.heard.names.values().find(|(_, said)| here(*said));
        said.map(|(meaning, said)| (*said, *meaning, *said))
    }

    /// What a place was found to mean.
    pub fn meaning(&self, place: Span) -> Option<Meaning> {
        self.heard.names.get(&place).map(|(meaning, _)| *meaning)
    }

    /// What the names in all texts mean, in their order.
    pub fn meanings(&self) -> impl Iterator<Item = Meaning> {
        self.heard.names.values().map(|(meaning, _)| *meaning)
    }

    /// The smallest value around a byte, as text, with its type.
    pub fn value_at(&self, byte: usize) -> Option<&(String, Type)> {
        smallest(&self.heard.values, byte)
    }

    /// The columns that the arguments of the call around a byte may name.
    pub fn columns_at(&self, byte: usize) -> Option<&Schema> {
        smallest(&self.heard.calls, byte)
    }

    /// The columns of what a call returns.
    pub fn columns_of(&self, call: Span) -> Option<&Schema> {
        self.heard.results.get(&call)
    }

    /// The nodes of a statement: one for each point of a sweep it depends on.
    pub fn nodes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Node> {
        let nodes = self.experiment().into_iter().flat_map(|found| &found.nodes);
        nodes.filter(move |node| node.named && node.name == name)
    }
}

/// Whether a byte is in a span or at its end.
pub fn contains(span: Span, byte: usize) -> bool {
    (span.start as usize..=span.end as usize).contains(&byte)
}

/// What is noted of the smallest place around a byte of the text itself.
fn smallest<T>(noted: &BTreeMap<Span, T>, byte: usize) -> Option<&T> {
    let around = noted.iter();
    let around = around.filter(|(span, _)| span.file == FileId(0) && contains(**span, byte));
    let found = around.min_by_key(|(span, _)| span.end - span.start);
    found.map(|(_, value)| value)
}

/// The disk, with the texts of the editor in front of it.
#[derive(Clone, Copy)]
pub struct World<'a> {
    pub documents: &'a Documents,
    pub disk: Disk<'a>,
}

/// The same texts, those of packages under the paths where an editor finds them.
fn on_disk(sources: &Sources, packages: &Packages) -> Sources {
    let mut found = Sources::default();
    for (_, source) in sources.iter() {
        let place = match source.path.starts_with('@') {
            true => packages.place(&source.path).ok(),
            false => None,
        };
        let path = place.map_or_else(|| source.path.clone(), |place| path_text(&place));
        found.add(Source::new(&path, &source.text));
    }
    found
}

impl Outside for World<'_> {
    fn behind(&self) -> &dyn Outside {
        &self.disk
    }

    fn read(&self, path: &str) -> Result<String, String> {
        match self.documents.get(path) {
            Some(text) => Ok(text.to_owned()),
            None => self.disk.read(path),
        }
    }
}
