//! `member(net, 0)`: one of several members.

use dsl::types::Kind;
use engine::error::Fault;
use engine::params::Gather;
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::Weights;
use crate::parents::Parent;
use crate::weights::support::facts::one;

plugin! {
    /// One member of an ensemble, as a network alone: what the others are compared with.
    ///
    /// ```farcast
    /// parent first = member(net, 0)
    /// weights apart = net - first
    /// ```
    "member" version 2
    pub struct Member {
        /// The networks.
        parents: Gather<Parent>;
        /// Which of them, counted from 0.
        number: usize;
    }
}

impl Plugin for Member {
    type Output = Weights;

    fn kinds() -> Vec<Kind> {
        vec![Kind::Parent, Kind::Weights, Kind::Child]
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let count = call
            .input("parents")
            .map(|input| input.members.unwrap_or(1));
        let number = call.get::<u32>("number");
        let known = number.zip(count).filter(|(number, count)| number >= count);
        let complaint = known.map(|(number, count)| {
            let expected = match count {
                1 => "0 alone".to_owned(),
                count => format!("0 to {}", count - 1),
            };
            Complaint::at(
                "number",
                format!("there is no member {number}: expected {expected}"),
            )
        });
        Vec::from_iter(complaint)
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        one(call, &call.inputs("parents"), 1.0)
    }

    fn run(self, _: &Context) -> Result<Weights, Fault> {
        match self.parents.members.get(self.number) {
            Some(Some(parent)) => Weights::of(parent),
            Some(None) => Err(Fault::Diverged(format!("member {} diverged", self.number))),
            None => {
                let message = format!("there is no member {}", self.number);
                Err(Fault::at("number", message))
            }
        }
    }
}
