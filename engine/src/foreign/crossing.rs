//! How results of one kind are made from what a program answers.

use std::marker::PhantomData;

use dsl::signature::Signature;

use super::operation::Foreign;
use super::parcel::Parcel;
use super::workers::Given;
use crate::artifact::{AnyArtifact, Artifact};
use crate::error::Fault;
use crate::params::Bindings;
use crate::plugin::{Context, Facts, ImplicitInput, Sketch};

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

/// Why an answer is no result.
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
        Ok(std::sync::Arc::new(A::from_parcel(parcel, made)?))
    }
}
