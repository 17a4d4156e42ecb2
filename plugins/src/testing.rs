//! Calls of plugins for tests, written as in an experiment: they go through the parser, the
//! checker and the plugin's own declaration, so an argument left out has its real default.

use std::any::Any;
use std::sync::Arc;

use dsl::check::{Outside, check};
use dsl::experiment::{Arguments, NodeId};
use dsl::facts::Complaint;
use dsl::signature::{ColumnRule, Makes, Signature};
use dsl::sweep::search::{Finding, Proposal, Search};
use dsl::sweep::space::Setting;
use dsl::types::{Kind, Schema};
use engine::artifact::{Artifact, Dataset};
use engine::params::{Bindings, Label, Loaded};
use engine::plugin::{Context, Plugin, ReadColumns};

/// All rows that a plugin reads, in parts that are put together.
pub fn in_parts(plugin: impl Plugin, context: &Context) -> Dataset {
    let mut parts = Vec::new();
    let each = &mut |rows| {
        parts.push(rows);
        Ok(ReadColumns::All)
    };
    plugin.read_parts(context, each).expect("parts");
    Dataset::of_parts(parts).expect("rows")
}

/// An artifact, or one for each member, that a call refers to by a name.
#[derive(Clone)]
pub struct Given {
    kind: Kind,
    loaded: Loaded,
    schema: Schema,
}

/// One artifact.
pub fn given<T: Artifact>(artifact: T) -> Given {
    members([Some(artifact)])
}

/// Artifacts in member order; `None` where the member diverged.
pub fn members<T: Artifact>(members: impl IntoIterator<Item = Option<T>>) -> Given {
    let members: Vec<Option<T>> = members.into_iter().collect();
    let first = members.iter().flatten().next();
    let data = first.and_then(|first| (first as &dyn Any).downcast_ref::<Dataset>());
    let schema = data.map_or_else(Schema::default, Dataset::schema);
    let mut loaded = Loaded {
        label: Label::default(),
        kind: Some(T::KIND),
        members: Vec::new(),
    };
    for member in members {
        match member {
            Some(artifact) => loaded.members.push(Some(Arc::new(artifact))),
            None => loaded.members.push(None),
        }
    }
    Given {
        kind: T::KIND,
        loaded,
        schema,
    }
}

/// The plugin as called with these arguments. They refer to `inputs` by name; an input named
/// after a field that users do not write (`subsets` of a regression) is bound to that field.
///
/// # Panics
/// When the checker finds a mistake, with its diagnostics.
pub fn call<P: Plugin>(arguments: &str, inputs: &[(&str, Given)]) -> P {
    let (implicit, written): (Vec<_>, Vec<_>) = inputs
        .iter()
        .cloned()
        .partition(|(name, _)| is_implicit::<P>(name));
    let mut bindings = Bindings {
        args: checked::<P>(arguments, &written),
        ..Bindings::default()
    };
    let mut bind = |field: &str, node: usize, (name, given): &(&str, Given)| {
        let mut loaded = given.loaded.clone();
        loaded.label = Label((*name).to_owned());
        bindings
            .inputs
            .insert((field.to_owned(), NodeId(node)), loaded);
    };
    for (field, argument) in &bindings.args.clone() {
        for NodeId(node) in argument.value.nodes() {
            bind(field, node, &written[node]);
        }
    }
    for (at, input) in implicit.iter().enumerate() {
        bind(input.0, written.len() + at, input);
    }
    P::decode(&bindings).unwrap_or_else(|fault| panic!("`{}` does not decode: {fault}", P::NAME))
}

fn is_implicit<P: Plugin>(name: &str) -> bool {
    let named = |field: &engine::params::Field| field.param.name == name;
    let field = P::fields().into_iter().find(named);
    field.is_some_and(|field| field.implicit.is_some())
}

/// The arguments as the checker converts them, defaults included.
fn checked<P: Plugin>(arguments: &str, inputs: &[(&str, Given)]) -> Arguments {
    let mut catalog = crate::registry().catalog();
    let mut text = String::new();
    for (at, (name, given)) in inputs.iter().enumerate() {
        catalog.add(source(at, given.kind));
        text.push_str(&format!("{} {name} = given_{at}()\n", given.kind));
    }
    let call = format!("{}({arguments})", P::NAME);
    text.push_str(&format!("{} it = {call}\n", P::kinds()[0]));
    let headers = Headers(inputs);
    let checked = check("test.farcast", &text, &[], &catalog, &headers);
    let Some(experiment) = checked.experiment else {
        panic!("{call} is refused: {:#?}", checked.diagnostics);
    };
    assert_eq!(
        experiment.nodes.len(),
        inputs.len() + 1,
        "{call}: calls inside a call have no results in a test"
    );
    let it = experiment.nodes.into_iter().next_back();
    it.map(|it| it.args).unwrap_or_default()
}

/// A plugin that returns what a test brings.
fn source(at: usize, kind: Kind) -> Signature {
    Signature {
        name: format!("given_{at}"),
        makes: Makes::Kinds(vec![kind]),
        version: 1,
        doc: String::new(),
        params: Vec::new(),
        random: false,
        columns: match kind {
            Kind::Data => ColumnRule::Source,
            _ => ColumnRule::None,
        },
        members: None,
    }
}

/// The columns of the data that a test brings.
struct Headers<'a>(&'a [(&'a str, Given)]);

impl Outside for Headers<'_> {
    fn read(&self, path: &str) -> Result<String, String> {
        Err(format!("`{path}`: tests have no files"))
    }

    fn schema(&self, plugin: &str, _: &Arguments) -> Result<Schema, Complaint> {
        let at = plugin.strip_prefix("given_").and_then(|at| at.parse().ok());
        let given = at.and_then(|at: usize| self.0.get(at));
        Ok(given.map_or_else(Schema::default, |(_, given)| given.schema.clone()))
    }

    fn propose(&self, search: &Search, score: &mut dyn FnMut(&[Setting]) -> Finding) -> Proposal {
        engine::search::propose(search, score)
    }
}

mod tests {
    use super::*;
    use crate::data::support::testing::table;
    use crate::parents::Mlp;

    #[test]
    fn what_is_left_out_has_its_real_default() {
        let seen = given(table(&[("x", &[0.0, 1.0]), ("y", &[1.0, 2.0])]));
        let mlp: Mlp = call("seen, inputs: [x], target: y, epochs: 3", &[("seen", seen)]);
        assert_eq!((mlp.training.epochs, mlp.training.batch), (3, 64));
        assert_eq!(mlp.hidden, [16, 16]);
        assert_eq!(mlp.data.rows(), 2);
        assert_eq!(mlp.data.label, Label("seen".to_owned()));
    }

    #[test]
    #[should_panic(expected = "is refused")]
    fn the_checker_refuses_what_it_refuses_in_an_experiment() {
        let seen = given(table(&[("x", &[0.0, 1.0]), ("y", &[1.0, 2.0])]));
        let _: Mlp = call("seen, inputs: [depth], target: y", &[("seen", seen)]);
    }
}
