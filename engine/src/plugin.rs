//! What a plugin is to the engine: a declaration as data, and what computes a result.
//!
//! A plugin written in Rust implements [`Plugin`], with its types; [`typed`] makes an
//! [`Operation`] of it. Whatever else can compute a result from arguments and stored inputs is
//! an [`Operation`] as well, with a [`Declaration`] made at run time.

use std::marker::PhantomData;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use dsl::experiment::Arguments;
use dsl::facts::About;
pub use dsl::facts::{Complaint, Coordinate, Examined, Facts, NetworkFacts, Steps, Training};
use dsl::signature::{ColumnRule, Makes, Signature};
use dsl::types::{Kind, Schema};

pub use crate::artifact::Each;
pub use crate::artifact::ReadColumns;
use crate::artifact::{Artifact, Stored};
pub use crate::context::{Context, Progress};
pub use crate::declaration::{AlongWith, Declaration, ImplicitInput};
use crate::error::Fault;
use crate::files::Files;
pub use crate::flow::{Flow, InParts, at_once};
pub use crate::helpers::{Cores, Helpers};
pub use crate::params::DEFINITIONS;
use crate::params::{Bindings, Cutter, Declared, Implicit, Replayed, as_written, join_doc};
pub use crate::registry::{Registry, RegistryError};
pub use crate::sketch::Sketch;

/// One thing an experiment can call; declared by [`plugin!`](crate::plugin!).
pub trait Plugin: Declared + 'static {
    /// What it returns.
    type Output: Artifact;

    /// Whether the result depends on the seed.
    const RANDOM: bool = false;

    /// The version whose random streams it draws from: a later version that gives other bytes
    /// from the same random numbers leaves it alone.
    const STREAMS: u32 = Self::VERSION;

    /// Whether a large result is made again wherever it is read, instead of being stored: for what
    /// costs about as much to make as to store. Small results are stored all the same.
    const REMADE: bool = false;

    /// Whether what reads the result is keyed by its bytes instead of by how they were made: for
    /// what reads little of its inputs and costs little. It runs before everything else.
    const BY_CONTENT: bool = false;

    /// The parameter that counts independent members, each an action of its own.
    const MEMBERS: Option<&'static str> = None;

    /// The input that it can be carried out along with, when that runs too, and the parameter
    /// that says after how many steps it wants the weights: see [`Context::states`].
    const ALONG: Option<(&'static str, &'static str)> = None;

    /// The kinds it can make, the usual one first.
    fn kinds() -> Vec<Kind> {
        vec![Self::Output::KIND]
    }

    /// Where the columns of the result come from.
    fn columns() -> ColumnRule {
        ColumnRule::None
    }

    /// How it cuts training data, when other plugins name it in `replay`.
    fn cutter() -> Option<Cutter> {
        None
    }

    /// The columns of the result, read from a header: for [`ColumnRule::Source`].
    ///
    /// # Errors
    /// When the file is missing or has another format.
    fn schema(&self, files: &Files) -> Result<Schema, Fault> {
        let _ = files;
        Err(Fault::Bug(format!("`{}` has no schema", Self::NAME)))
    }

    /// What a file holds that a call may ask for; a message about a call without a choice lists it.
    ///
    /// # Errors
    /// As [`schema`](Self::schema).
    fn names(file: &Path, files: &Files) -> Result<Vec<String>, Fault> {
        let _ = (file, files);
        Ok(Vec::new())
    }

    /// What its arguments and the facts of its inputs show to be wrong with a call.
    ///
    /// The checker asks at every point of a sweep. [`run`](Self::run) then refuses a call only
    /// for what the data or the machine decide.
    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let _ = call;
        Vec::new()
    }

    /// What is known of the result before it exists.
    fn facts(call: &Sketch<'_>) -> Facts {
        call.inherited()
    }

    /// Both at once: for what looks at files to answer.
    fn examine(call: &Sketch<'_>) -> Examined {
        Examined {
            complaints: Self::check(call),
            facts: Self::facts(call),
        }
    }

    /// Whether rows pass through the call in parts, instead of as whole tables.
    fn in_parts(call: &Sketch<'_>) -> Option<InParts> {
        let _ = call;
        None
    }

    /// Passes the rows of [`run`](Self::run) to `each`, in parts: for [`InParts::Reads`], and for
    /// [`InParts::Rereads`] where the result is rows.
    ///
    /// # Errors
    /// As [`run`](Self::run), and those of `each`.
    fn read_parts(self, context: &Context, each: Each<'_>) -> Result<(), Fault> {
        let _ = (context, each);
        Err(no_parts::<Self>())
    }

    /// Takes the rows of an input in parts, for [`InParts::Maps`] and [`InParts::Gathers`];
    /// the input itself has no rows here.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    fn flow(self) -> Result<Box<dyn Flow>, Fault> {
        Err(no_parts::<Self>())
    }

    /// Computes the result.
    ///
    /// # Errors
    /// See [`Fault`]: each says whose fault it is.
    fn run(self, context: &Context) -> Result<Self::Output, Fault>;
}

fn no_parts<P: Plugin>() -> Fault {
    Fault::Bug(format!("no rows pass through `{}` in parts", P::NAME))
}

/// A plugin as a value: what an experiment calls and the engine runs.
pub trait Operation: Send + Sync {
    /// What it is called, what it takes and what it returns.
    fn declaration(&self) -> &Declaration;

    /// Computes the result of a call.
    ///
    /// # Errors
    /// See [`Fault`]: each says whose fault it is.
    fn run(&self, bindings: &Bindings, context: &Context<'_>) -> Result<Arc<dyn Stored>, Fault>;

    /// Whether rows pass through a call with these arguments in parts.
    fn in_parts(&self, arguments: &Arguments) -> Option<InParts> {
        let _ = arguments;
        None
    }

    /// See [`Plugin::read_parts`].
    ///
    /// # Errors
    /// As there.
    fn read_parts(
        &self,
        bindings: &Bindings,
        context: &Context<'_>,
        each: Each<'_>,
    ) -> Result<(), Fault> {
        let _ = (bindings, context, each);
        let name = &self.declaration().signature.name;
        Err(Fault::Bug(format!("`{name}` reads no rows in parts")))
    }

    /// See [`Plugin::flow`].
    ///
    /// # Errors
    /// As there.
    fn flow(&self, bindings: &Bindings) -> Result<Box<dyn Flow>, Fault> {
        let _ = bindings;
        let name = &self.declaration().signature.name;
        Err(Fault::Bug(format!("`{name}` takes no rows in parts")))
    }

    /// The columns of the result, read from a header: for [`ColumnRule::Source`].
    ///
    /// # Errors
    /// When the file is missing or has another format.
    fn schema(&self, bindings: &Bindings, files: &Files) -> Result<Schema, Fault> {
        let _ = (bindings, files);
        let name = &self.declaration().signature.name;
        Err(Fault::Bug(format!("`{name}` has no schema")))
    }

    /// See [`Plugin::names`].
    ///
    /// # Errors
    /// As there.
    fn names(&self, file: &Path, files: &Files) -> Result<Vec<String>, Fault> {
        let _ = (file, files);
        Ok(Vec::new())
    }

    /// What is wrong with a call before it runs, and what is known of its result.
    fn examine(&self, call: &Sketch<'_>) -> Examined {
        let _ = call;
        Examined::default()
    }
}

impl Declaration {
    fn of<P: Plugin>() -> Self {
        let mut declaration = Self::new(signature::<P>());
        declaration.streams = P::STREAMS;
        declaration.remade = P::REMADE;
        declaration.by_content = P::BY_CONTENT;
        declaration.cutter = P::cutter();
        declaration.along = P::ALONG.map(|(input, every)| AlongWith {
            input: input.to_owned(),
            every: every.to_owned(),
        });
        for field in P::fields() {
            let name = &field.param.name;
            if field.not_in_stream {
                declaration.not_in_stream.push(name.clone());
            }
            if field.is_length {
                declaration.lengths.push(name.clone());
            }
            if let Some(cut) = field.replayed {
                let field = name.clone();
                declaration.replayed = Some(Replayed { field, cut });
            }
            match field.implicit {
                Some(Implicit::Points(of)) => {
                    let params = declaration.signature.params.iter_mut();
                    for param in params.filter(|param| param.name == of) {
                        param.every_point = true;
                    }
                }
                Some(how) => {
                    let gather = field.param.gather;
                    let input = ImplicitInput { how, gather };
                    declaration.implicit.push((field.param.name, input));
                }
                None => declaration.signature.params.push(as_written(field.param)),
            }
        }
        declaration
    }
}

/// A plugin written in Rust as an operation.
pub fn typed<P: Plugin>() -> Arc<dyn Operation> {
    Arc::new(Typed::<P> {
        declaration: OnceLock::new(),
        plugin: PhantomData,
    })
}

struct Typed<P> {
    /// Made when it is first asked for: an experiment names a few of all plugins.
    declaration: OnceLock<Declaration>,
    plugin: PhantomData<fn() -> P>,
}

impl<P: Plugin> Operation for Typed<P> {
    fn declaration(&self) -> &Declaration {
        self.declaration.get_or_init(Declaration::of::<P>)
    }

    fn run(&self, bindings: &Bindings, context: &Context<'_>) -> Result<Arc<dyn Stored>, Fault> {
        let output = P::decode(bindings)?.run(context)?;
        Ok(Arc::new(output))
    }

    fn in_parts(&self, arguments: &Arguments) -> Option<InParts> {
        let (facts, none) = (Facts::default(), Arguments::default());
        let kind = P::Output::KIND;
        // What the inputs are has no part in it.
        let about = |node| About {
            name: "",
            kind,
            node,
            args: &none,
            facts: &facts,
            schema: None,
            members: None,
        };
        P::in_parts(&Sketch::new(kind, arguments, &about))
    }

    fn read_parts(
        &self,
        bindings: &Bindings,
        context: &Context<'_>,
        each: Each<'_>,
    ) -> Result<(), Fault> {
        P::decode(bindings)?.read_parts(context, each)
    }

    fn flow(&self, bindings: &Bindings) -> Result<Box<dyn Flow>, Fault> {
        P::decode(bindings)?.flow()
    }

    fn schema(&self, bindings: &Bindings, files: &Files) -> Result<Schema, Fault> {
        P::decode(bindings)?.schema(files)
    }

    fn names(&self, file: &Path, files: &Files) -> Result<Vec<String>, Fault> {
        P::names(file, files)
    }

    fn examine(&self, call: &Sketch<'_>) -> Examined {
        // Numbers that the Rust types cannot hold first: what relates numbers needs them.
        let complaints = call.undecodable::<P>();
        match complaints.is_empty() {
            true => P::examine(call),
            false => Examined {
                complaints,
                facts: P::facts(call),
            },
        }
    }
}

fn signature<P: Plugin>() -> Signature {
    Signature {
        name: P::NAME.to_owned(),
        makes: Makes::Kinds(P::kinds()),
        version: P::VERSION,
        doc: join_doc(P::DOC),
        params: Vec::new(),
        random: P::RANDOM,
        columns: P::columns(),
        members: P::MEMBERS.map(str::to_owned),
    }
}
