//! `only(tuned - net, tensors: "layers.0.*")`: some tensors, the others zero.

use engine::error::Fault;
use engine::params::{Input, Origins};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::Weights;
use super::support::facts::{is, made, misnamed, unnamed};
use super::support::rows::Rows;
use super::support::scope::within;
use super::support::stream::{lone, write};
use crate::parents::Parent;
use crate::patterns::chosen;

plugin! {
    /// Differences in some tensors alone; the others are zero.
    ///
    /// Added to a network it patches these tensors: `net + only(tuned - net, tensors:
    /// "layers.0.*")`. A `*` matches any text in a name. Of a network it would leave zeros for
    /// weights, and is refused.
    ///
    /// ```farcast
    /// weights first = only(walk - net, tensors: "layers.0.*")
    /// ```
    "only" version 2
    pub struct Only {
        /// The differences.
        weights: Input<Weights>;
        /// The names of the tensors.
        tensors: Vec<String>;
        /// The names of those that are zero all the same.
        except: Vec<String> = "[]";
        /// The networks that the weights belong to.
        networks: Origins<Parent>, origins("weights");
    }
}

impl Plugin for Only {
    type Output = Weights;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let input = call.input("weights");
        let point = input.filter(|input| !is(input.degree(), 0.0));
        let point = point.map(|input| {
            let name = input.name;
            let message = format!("`{name}` is a network: the other tensors would be zero");
            let hint = format!("patch another: `base + only({name} - base, tensors: …)`");
            Complaint::at("weights", message).with_hint(hint)
        });
        let empty = call.get::<Vec<String>>("tensors");
        let empty = empty
            .is_some_and(|names| names.is_empty())
            .then(|| unnamed("tensors"));
        let wrong = empty.or_else(|| misnamed(call, "tensors"));
        let wrong = wrong.or_else(|| misnamed(call, "except"));
        point.into_iter().chain(wrong).collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let inputs = call.inputs("weights");
        made(call, &inputs, 0.0)
    }

    fn run(self, context: &Context) -> Result<Weights, Fault> {
        let rows = Rows::of(&self.weights, context.member())?;
        let (source, target) = lone(rows, &self.networks, "weights", context)?;
        let layout = &target.layout;
        let wanted = chosen(layout, &self.tensors, "tensors")?;
        let without = chosen(layout, &self.except, "except")?;
        let parts: Vec<_> = layout.ranges().map(|(_, range)| range).collect();
        write(target, &[source], context, |columns, blocks, made| {
            let rows = blocks[0].rows().zip(made.chunks_exact_mut(columns.len()));
            for (weights, made) in rows {
                for (part, here) in within(&parts, &columns) {
                    if wanted[part] && !without[part] {
                        for at in here {
                            made[at] = f64::from(weights[at]);
                        }
                    }
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{call, given};
    use crate::weights::support::testing::{close, flat, merge, moved, weights_of};

    #[test]
    fn the_first_layer_is_that_of_the_golden_file() {
        let golden = merge();
        let inputs = [("d", given(moved(&golden.base, &golden.a)))];
        let only: Only = call("d, tensors: \"layers.0.*\"", &inputs);
        let found = only.run(&Context::alone("only")).expect("runs");
        let expected = golden.only_layer0.iter().zip(flat(&golden.base));
        let expected: Vec<f64> = expected.map(|(all, base)| all - base).collect();
        close(&weights_of(&found), &expected, 1e-6);
    }
}
