//! `record(net, every: 10)`: the weights of a parent while it was trained.

use dsl::facts;
use engine::artifact::{Dataset, Trajectory};
use engine::error::Fault;
use engine::params::{Input, MaybeVia, Steps};
use engine::plugin;
use engine::plugin::{Complaint, Context, Coordinate, Facts, Plugin, Sketch, Training};
use engine::states::of_every;
use polars::prelude::{DataFrame, NamedFrom, Series};

use crate::networks::Network;
use crate::parents::support::again::{again, no_steps};
use crate::parents::{Parent, States};

plugin! {
    /// The weights of a parent before its training and after every N steps.
    ///
    /// The states are kept while the parent is trained. One that was trained before is trained
    /// again, by the same trainer from the same start on the same minibatches, jumps included,
    /// and what comes out is compared with it to the bit; that takes as long as its training
    /// did. Four bytes a weight and step are kept, in memory until the end. A member that had stopped early has the steps it took, up to the last.
    ///
    /// ```farcast
    /// trajectory w = record(net, every: 4 steps)
    /// ```
    "record" version 6
    pub struct Record {
        /// The networks whose training is recorded.
        parent: Input<Parent>;
        /// The steps between two states.
        every: Steps = "10 steps", range("1..");
        /// The rows the parent was trained on.
        data: MaybeVia<Dataset>, via("parent.data"), not_in_stream();
    }
}

const PROGRAM: &str = "it may answer with several rows of weights and their `step`, the last being \
                       the result";

/// The most bytes of weights a trajectory may have.
const MOST_BYTES: usize = 2 << 30;

impl Record {
    /// Those of the states a program kept that are asked for.
    fn kept(&self, parent: &Parent, states: &States) -> Result<Trajectory, Fault> {
        let (steps, weights) = of_every(&states.steps, &states.weights, self.every.0);
        if steps.len() < 2 {
            let [.., before, last] = states.steps[..] else {
                return Err(Fault::Bug("fewer than two states".to_owned()));
            };
            let message = format!(
                "the program kept {} states of its training, the last at steps {before} and \
                 {last}: fewer than two of them are multiples of {}",
                states.steps.len(),
                self.every.0
            );
            return Err(Fault::at("every", message));
        }
        trajectory(parent, &steps, &weights)
    }

    /// Refuses more states than a trajectory can hold, where training and network are known.
    fn too_many(call: &Sketch) -> Option<Complaint> {
        let network = call.network("parent")?;
        let every = call.get::<Steps>("every")?.0;
        let Training::Steps { most, exact, .. } = network.training else {
            return None;
        };
        let states = most? / every + 1;
        let weights = states.saturating_mul(network.weights?);
        let bytes = weights.saturating_mul(size_of::<f32>() as u64);
        let message = format!(
            "{}{states} states of {:.1} GB together, at most {:.1} GB are recorded",
            if exact { "" } else { "up to " },
            bytes as f64 / 1e9,
            MOST_BYTES as f64 / 1e9
        );
        let complaint = Complaint::at("every", message).with_hint("record fewer states");
        // Fewer rows, or an early stop, may leave fewer steps.
        let complaint = match exact {
            true => complaint,
            false => complaint.as_warning(),
        };
        (bytes > MOST_BYTES as u64).then_some(complaint)
    }
}

/// More steps than these are not listed before the run.
const MOST_LISTED: u64 = 1 << 16;

/// The steps recorded, one in `every` of a training.
fn recorded((every, training): (u64, Training)) -> Option<facts::Steps> {
    let Training::Steps { most, exact, .. } = training else {
        return None;
    };
    let listed = most.filter(|most| exact && most / every < MOST_LISTED);
    Some(match listed {
        Some(last) => facts::Steps::Listed((0..=last / every).map(|at| at * every).collect()),
        None => facts::Steps::Series {
            first: 0,
            every,
            most,
        },
    })
}

impl Plugin for Record {
    type Output = Trajectory;
    // Version 2 lies in other blocks.
    const STREAMS: u32 = 1;
    const ALONG: Option<(&'static str, &'static str)> = Some(("parent", "every"));

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let no_steps = no_steps(call);
        Vec::from_iter(no_steps.or_else(|| Self::too_many(call)))
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let every = call.get::<Steps>("every").map(|every| every.0);
        let parent = call.input("parent");
        let training = call.network("parent").map(|network| network.training);
        Facts {
            steps: every.zip(training).and_then(recorded),
            coordinates: Coordinate::numbers(["step"]),
            trainer: parent.and_then(|parent| parent.facts.trainer.clone()),
            ..call.inherited()
        }
    }

    fn run(self, context: &Context) -> Result<Trajectory, Fault> {
        let parent = &*self.parent;
        if let Some(states) = &parent.states {
            return self.kept(parent, states);
        }
        let program = parent.network.as_ref().and_then(Network::program);
        if let Some(program) = program {
            let message = format!("plugin `{program}` returned no states of its training");
            return Err(Fault::at("parent", message).with_hint(PROGRAM));
        }
        if let Some((steps, weights)) = context.states().and_then(|it| it.of_every(self.every.0)) {
            return trajectory(parent, &steps, &weights);
        }
        let (mut steps, mut weights): (Vec<u64>, Vec<f32>) = Default::default();
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
        again(parent, self.data.0.as_deref(), context, &mut keep)?;
        trajectory(parent, &steps, &weights)
    }
}

fn trajectory(parent: &Parent, steps: &[u64], weights: &[f32]) -> Result<Trajectory, Fault> {
    let step = Series::new("step".into(), steps);
    let coordinates = DataFrame::new(steps.len(), vec![step.into()])?;
    Trajectory::from_rows(parent.layout.clone(), coordinates, weights)
}

#[cfg(test)]
mod tests {
    use engine::artifact::DataColumn;
    use engine::params::Column;

    use super::*;
    use crate::parents::LinearRegression;
    use crate::parents::support::targets::Targets;
    use crate::training::{Constant, Optimizer, Schedule, Sgd};

    fn data() -> Dataset {
        let column =
            |name: &str, values: [f64; 4]| DataColumn::numbers(name.to_owned(), None, values);
        let (x, y) = ([0.0, 1.0, 2.0, 3.0], [1.0, 0.0, 4.0, 2.0]);
        Dataset::new(vec![column("x", x), column("y", y)]).expect("data")
    }

    fn trained(steps: u64) -> Parent {
        let line = LinearRegression {
            data: Input::new(data()),
            inputs: vec![Column("x".to_owned())],
            target: Targets(vec![Column("y".to_owned())]),
            optimizer: Optimizer::Sgd(Sgd {
                rate: 0.1,
                momentum: 0.5,
            }),
            schedule: Schedule::Constant(Constant {}),
            steps,
            members: 1,
            hold_out: 0.0,
            weights: None,
            start: Default::default(),
        };
        line.run(&Context::alone("line")).expect("trains")
    }

    fn record(parent: Parent) -> Result<Trajectory, Fault> {
        let call = Record {
            parent: Input::new(parent),
            every: Steps(3),
            data: MaybeVia(Some(Input::new(data()))),
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
