//! A plugin of one's own as an operation: what it is called with goes out, what comes back is
//! judged and becomes a result.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;

use dsl::experiment::{Arguments, Constructed, Declared, NodeId, Value};
use dsl::signature::Signature;
use dsl::types::{Kind, Type};
use serde_json::{Map, json};

use super::code::Code;
use super::manifest::Program;
use super::provided::Provided;
use super::workers::{Given, Request, Workers};
use crate::artifact::{AnyArtifact, Artifact, Stored};
use crate::error::Fault;
use crate::params::{Bindings, Loaded};
use crate::parcel::Parcel;
use crate::path_text::{path_text, text_path};
use crate::plugin::{Context, Declaration, Examined, Facts, ImplicitInput, Operation, Sketch};

/// A plugin whose work a program does.
pub struct Foreign {
    /// The plugin as data.
    pub provided: Provided,
    maker: Arc<dyn Maker>,
}

impl Foreign {
    /// The plugin that a file declares.
    ///
    /// # Errors
    /// When nothing makes results of its kind from answers.
    pub fn new(
        plugin: &Declared,
        program: Program,
        code: Code,
        makers: &Makers,
    ) -> Result<Self, Fault> {
        let mut declaration = Declaration::new(plugin.signature.clone());
        let maker = maker(&declaration, makers)?;
        declaration.implicit = maker.implicit(&declaration.signature);
        declaration.code = Some((plugin.name.clone(), code.key_lines()));
        let provided = Provided {
            declaration,
            program,
            code,
        };
        Ok(Self { provided, maker })
    }

    /// The plugin that came with an order.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of(provided: &Provided, makers: &Makers) -> Result<Self, Fault> {
        Ok(Self {
            maker: maker(&provided.declaration, makers)?,
            provided: provided.clone(),
        })
    }

    /// What the program answers to a call of one of its functions.
    ///
    /// # Errors
    /// As [`Workers::call`].
    pub fn ask(
        &self,
        function: &str,
        inputs: &[(String, Given)],
        args: &Map<String, serde_json::Value>,
        context: &Context<'_>,
    ) -> Result<Parcel, Fault> {
        let Provided {
            declaration,
            program,
            code,
        } = &self.provided;
        let asked = Request {
            program,
            code,
            function,
            version: declaration.signature.version,
            inputs,
            args,
        };
        let own = Workers::default();
        context.shared().unwrap_or(&own).call(&asked, context)
    }

    /// The arguments that are not results of statements, as JSON.
    pub fn arguments(&self, bindings: &Bindings) -> Map<String, serde_json::Value> {
        written(&bindings.args)
    }

    /// What users write, but for what is given already.
    fn inputs(
        &self,
        bindings: &Bindings,
        before: &[(String, Given)],
    ) -> Result<Vec<(String, Given)>, Fault> {
        let mut inputs = Vec::new();
        for param in &self.provided.declaration.signature.params {
            if before.iter().any(|(name, _)| *name == param.name) {
                continue;
            }
            let Some(argument) = bindings.args.get(&param.name) else {
                continue;
            };
            let name = &param.name;
            let one = |node: &NodeId| -> Result<Given, Fault> {
                let loaded = bindings.loaded(name, *node)?;
                match param.gather {
                    true => members(loaded, &param.ty),
                    false => {
                        let member = loaded.members.first().and_then(Option::as_ref);
                        let missing = || Fault::Bug(format!("input `{name}` is missing"));
                        given(member.ok_or_else(missing)?, loaded, &param.ty)
                    }
                }
            };
            match &argument.value {
                Value::Node(node) => inputs.push((name.clone(), one(node)?)),
                Value::List(_) if argument.value.is_reference() => {
                    let items = argument.value.nodes();
                    let items: Result<Vec<Given>, Fault> = items.iter().map(one).collect();
                    inputs.push((name.clone(), Given::List(items?)));
                }
                _ => {}
            }
        }
        Ok(inputs)
    }

    fn judged(&self, result: Result<AnyArtifact, Unfit>) -> Result<AnyArtifact, Fault> {
        let name = &self.provided.program.name;
        result.map_err(|unfit| match unfit {
            Unfit::Fault(fault) => fault,
            Unfit::Wrong(why) => Fault::Environment(format!(
                "plugin `{name}` returned something that is not of kind `{}`: {why}",
                kind(&self.provided.declaration).map_or("result", Kind::keyword)
            )),
        })
    }
}

fn kind(declaration: &Declaration) -> Option<Kind> {
    declaration.default_kind()
}

fn maker(declaration: &Declaration, makers: &Makers) -> Result<Arc<dyn Maker>, Fault> {
    let found = kind(declaration).and_then(|kind| makers.get(&kind).map(Arc::clone));
    found.ok_or_else(|| {
        let name = &declaration.signature.name;
        Fault::Bug(format!("nothing makes the results of plugin `{name}`"))
    })
}

fn members(loaded: &Loaded, ty: &Type) -> Result<Given, Fault> {
    let members = loaded.members.iter();
    let members = members.map(|member| match member {
        Some(member) => given(member, loaded, ty).map(Some),
        None => Ok(None),
    });
    Ok(Given::Members(members.collect::<Result<_, _>>()?))
}

fn given(member: &Arc<dyn Stored>, loaded: &Loaded, ty: &Type) -> Result<Given, Fault> {
    let kind = kind_in(ty).or(loaded.kind).map_or("", Kind::keyword);
    Ok(Given::One(kind.to_owned(), member.to_parcel()?))
}

fn kind_in(ty: &Type) -> Option<Kind> {
    match ty {
        Type::Kind(kind) => Some(*kind),
        Type::List(inner) => kind_in(inner),
        _ => None,
    }
}

fn written(args: &Arguments) -> Map<String, serde_json::Value> {
    let args = args
        .iter()
        .filter(|(_, argument)| argument.value.nodes().is_empty());
    args.map(|(name, argument)| (name.clone(), value_json(&argument.value)))
        .collect()
}

fn value_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Int(value) => json!(value),
        Value::Float(value) if value.is_finite() => json!(value),
        Value::Float(value) => json!(value.to_string()),
        Value::Bool(value) => json!(value),
        Value::Text(text) => json!(text),
        Value::Path(path) => {
            let path = text_path(path);
            json!(path_text(&std::path::absolute(&path).unwrap_or(path)))
        }
        Value::List(values) => values.iter().map(value_json).collect(),
        Value::Range(first, last, step) => {
            json!({ "first": value_json(first), "last": value_json(last), "step": value_json(step) })
        }
        Value::Constructed(made) => {
            let Constructed { name, args } = &**made;
            json!({ name: written(args) })
        }
        other => json!(other.to_string()),
    }
}

impl Operation for Foreign {
    fn declaration(&self) -> &Declaration {
        &self.provided.declaration
    }

    fn run(&self, bindings: &Bindings, context: &Context<'_>) -> Result<AnyArtifact, Fault> {
        let made = Made {
            plugin: self,
            bindings,
            context,
        };
        if self.maker.is_recipe() {
            return self.judged(self.maker.make(Parcel::default(), &made));
        }
        let mut inputs = self.maker.further(self, bindings, context)?;
        let own = self.inputs(bindings, &inputs)?;
        inputs.extend(own);
        // The program opens data files by itself: here they are compared with their digests.
        for argument in bindings.args.values() {
            for path in argument.value.paths() {
                context.files().open_all(Path::new(&text_path(path)))?;
            }
        }
        let parcel = self.ask("run", &inputs, &self.arguments(bindings), context)?;
        if !self.provided.program.runner.deterministic {
            let name = &self.provided.program.name;
            context.note(format!(
                "plugin `{name}` is not deterministic: another run may give other numbers"
            ));
        }
        self.judged(self.maker.make(parcel, &made))
    }

    fn examine(&self, call: &Sketch<'_>) -> Examined {
        Examined {
            complaints: Vec::new(),
            facts: self.maker.facts(call),
        }
    }
}

/// How results are made from what programs answer, by kind.
pub type Makers = BTreeMap<Kind, Arc<dyn Maker>>;

/// Makes results of one kind.
pub trait Maker: Send + Sync {
    /// The inputs that users do not write.
    fn implicit(&self, signature: &Signature) -> Vec<(String, ImplicitInput)> {
        let _ = signature;
        Vec::new()
    }

    /// Whether the result follows from the arguments: the program is asked later.
    fn is_recipe(&self) -> bool {
        false
    }

    /// What the program is given beside what users write.
    ///
    /// # Errors
    /// When the inputs do not fit together.
    fn further(
        &self,
        plugin: &Foreign,
        bindings: &Bindings,
        context: &Context<'_>,
    ) -> Result<Vec<(String, Given)>, Fault> {
        let _ = (plugin, bindings, context);
        Ok(Vec::new())
    }

    /// The result, judged like a file from a stranger.
    ///
    /// # Errors
    /// What is wrong with it.
    fn make(&self, parcel: Parcel, made: &Made<'_>) -> Result<AnyArtifact, Unfit>;

    /// What is known of the result before it exists.
    fn facts(&self, call: &Sketch<'_>) -> Facts {
        call.inherited()
    }
}

/// Why an answer is not a result.
#[derive(Debug)]
pub enum Unfit {
    /// It is not what the declaration promises, in one line.
    Wrong(String),
    /// Anything else.
    Fault(Fault),
}

impl From<String> for Unfit {
    fn from(why: String) -> Self {
        Self::Wrong(why)
    }
}

impl From<Fault> for Unfit {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What a result is made of, beside the answer.
pub struct Made<'a> {
    /// The plugin.
    pub plugin: &'a Foreign,
    /// What it was called with.
    pub bindings: &'a Bindings,
    /// What the action may use.
    pub context: &'a Context<'a>,
}

/// An artifact that is all in the answer.
pub trait FromParcel: Artifact {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it.
    fn from_parcel(parcel: Parcel, made: &Made<'_>) -> Result<Self, Unfit>;
}

/// The maker of such artifacts.
pub struct Simple<A>(PhantomData<fn() -> A>);

impl<A> Default for Simple<A> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<A: FromParcel> Maker for Simple<A> {
    fn make(&self, parcel: Parcel, made: &Made<'_>) -> Result<AnyArtifact, Unfit> {
        Ok(Arc::new(A::from_parcel(parcel, made)?))
    }
}
