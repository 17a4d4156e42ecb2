//! `record(net, every: 10)`: the weights of a parent while it was trained.

use dsl::experiment::{Experiment, Node};
use engine::artifact::{Dataset, Trajectory};
use engine::error::Fault;
use engine::params::{Input, Steps, Via};
use engine::plugin;
use engine::plugin::{Context, Plugin};
use polars::prelude::{DataFrame, NamedFrom, Series};

use crate::parents::{Parent, parent_of, trainer_of};

plugin! {
    /// The weights of a parent before its training and after every so many steps.
    ///
    /// The parent is trained again, by the same trainer from the same start on the same
    /// minibatches, jumps included, and what comes out is compared with it to the bit; so this
    /// takes as long as its training did. Four bytes a weight and step are kept, in memory
    /// until the end. A member that had stopped early has the steps it took, up to the last.
    ///
    /// ```farcast
    /// trajectory w = record(net, every: 4 steps)
    /// ```
    "record" version 2
    pub struct Record {
        /// The networks whose training is recorded.
        parent: Input<Parent>;
        /// The steps between two states.
        every: Steps = "10 steps", range("1..");
        /// The rows the parent was trained on.
        data: Via<Dataset>, via("parent.data");
    }
}

/// The most bytes of weights a trajectory may have.
const MOST_BYTES: usize = 2 << 30;

impl Plugin for Record {
    type Output = Trajectory;
    // Version 2 lies in other blocks.
    const STREAMS: u32 = 1;

    fn trainer(call: &Node, experiment: &Experiment) -> Option<String> {
        parent_of(call, experiment).map(|parent| trainer_of(parent, parent))
    }

    fn run(self, context: &Context) -> Result<Trajectory, Fault> {
        let parent = &*self.parent;
        let Some(training) = &parent.training else {
            let message = "its training is not known: it was made elsewhere";
            return Err(Fault::at("parent", message)
                .with_hint("`checkpoints` reads the states that were saved there"));
        };
        let (mut steps, mut weights): (Vec<u64>, Vec<f32>) = Default::default();
        let network = parent.network.clone();
        let mut keep = |step: u64, state: &[f32]| {
            if step.is_multiple_of(self.every.0) {
                if size_of_val(&weights[..]) + size_of_val(state) > MOST_BYTES {
                    let message = format!("more than 2 GiB of weights by step {step}");
                    return Err(Fault::at("every", message).with_hint("record fewer states"));
                }
                steps.push(step);
                weights.extend_from_slice(state);
            }
            Ok(())
        };
        let again = training
            .recipe
            .clone()
            .train(network, &self.data, context, &mut keep)?;
        let same = again.weights.iter().zip(&parent.weights);
        if !same
            .clone()
            .all(|(again, weight)| again.to_bits() == weight.to_bits())
        {
            return Err(Fault::Environment(
                "training again gave other weights than the parent has: it was trained on a \
                 machine with other vector instructions, and must be recorded there"
                    .to_owned(),
            ));
        }
        let step = Series::new("step".into(), &steps);
        let coordinates = DataFrame::new(steps.len(), vec![step.into()])?;
        Trajectory::from_rows(parent.network.layout(), coordinates, &weights)
    }
}

#[cfg(test)]
mod tests {
    use engine::artifact::DataColumn;
    use engine::params::Column;

    use super::*;
    use crate::parents::LinearRegression;
    use crate::training::{Constant, Optimizer, Schedule, Sgd};

    fn data() -> Dataset {
        let column = |name: &str, values: [f64; 4]| DataColumn {
            name: name.to_owned(),
            unit: None,
            values: values.into(),
        };
        let (x, y) = ([0.0, 1.0, 2.0, 3.0], [1.0, 0.0, 4.0, 2.0]);
        Dataset::new(vec![column("x", x), column("y", y)]).expect("data")
    }

    fn trained(steps: u64) -> Parent {
        let line = LinearRegression {
            data: Input::new(data()),
            inputs: vec![Column("x".to_owned())],
            target: Column("y".to_owned()),
            optimizer: Optimizer::Sgd(Sgd {
                rate: 0.1,
                momentum: 0.5,
            }),
            schedule: Schedule::Constant(Constant {}),
            steps,
            members: 1,
            hold_out: 0.0,
        };
        line.run(&Context::alone("line")).expect("trains")
    }

    fn record(parent: Parent) -> Result<Trajectory, Fault> {
        let call = Record {
            parent: Input::new(parent),
            every: Steps(3),
            data: Via(Input::new(data())),
        };
        // Another action than that of the parent.
        call.run(&Context::alone("record"))
    }

    #[test]
    fn states_are_those_that_shorter_trainings_end_with() {
        let trajectory = record(trained(10)).expect("a trajectory");
        assert_eq!(trajectory.steps().expect("steps"), [0, 3, 6, 9]);
        let states = trajectory.networks(&[1, 2, 3]).expect("states");
        for (state, steps) in states.iter().zip([3, 6, 9]) {
            assert_eq!(*state, trained(steps).weights);
        }
    }

    #[test]
    fn parents_that_cannot_be_trained_again_are_refused() {
        let mut other = trained(10);
        other.weights[0] += 1e-6;
        let fault = record(other).map(|_| ()).expect_err("a fault").to_string();
        assert!(
            fault.starts_with("training again gave other weights"),
            "{fault}"
        );
        let mut foreign = trained(10);
        foreign.training = None;
        let fault = record(foreign)
            .map(|_| ())
            .expect_err("a fault")
            .to_string();
        assert_eq!(fault, "its training is not known: it was made elsewhere");
    }
}
