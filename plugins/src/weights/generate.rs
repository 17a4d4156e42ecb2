//! `generate(net, blend(of: 4), count: 20)`: new networks that look like those of a population.

use engine::artifact::Trajectory;
use engine::error::Fault;
use engine::params::{Gather, Numbers, Origins};
use engine::plugin::{Complaint, Context, Coordinate, Facts, Plugin, Sketch};
use engine::{constructor, made, plugin};
use polars::prelude::{DataFrame, NamedFrom, Series};

use super::Weights;
use super::support::facts::{is, one};
use super::support::flow::{Lessons, Velocity, normal};
use super::support::population::{Components, Population, blend, jitter, lone};
use crate::parents::Parent;

constructor! {
    /// A network of the population with normal numbers added to each weight.
    ///
    /// ```farcast
    /// weights drawn = generate(net, jitter(sd: 0.1), count: 2)
    /// ```
    "jitter"
    pub struct Jitter {
        /// Their standard deviation.
        sd: f64 = "0.02", range("0..");
    }
}

constructor! {
    /// The mean of some networks of the population.
    ///
    /// ```farcast
    /// weights drawn = generate(net, blend(of: 2), count: 2)
    /// ```
    "blend"
    pub struct Blend {
        /// How many.
        of: usize = "16", range("2..=1000");
    }
}

constructor! {
    /// The mean of the population and normal scores of its leading principal components.
    ///
    /// ```farcast
    /// weights drawn = generate(net, gaussian(components: 2), count: 2)
    /// ```
    "gaussian"
    pub struct Gaussian {
        /// How many components.
        components: usize = "8", range("1..=10000");
    }
}

constructor! {
    /// What a learned flow makes of normal numbers: scores of the leading principal components.
    ///
    /// The network of the flow has learned, by Adam, to carry normal numbers to the scores of the
    /// population, each in its standard deviations (flow matching, Lipman et al. 2023; of weights:
    /// DeepWeightFlow). Judge it beside the others by `novelty`.
    ///
    /// ```farcast
    /// weights drawn = generate(net, flow(hidden: [16], steps: 50, components: 1), count: 2)
    /// ```
    "flow"
    pub struct Flow {
        /// Widths of the hidden layers of its network.
        hidden: Vec<usize> = "[256, 256]", range("1..=4096");
        /// Steps of its training.
        steps: u64 = "10000", range("1..=1000000");
        /// How many examples each step takes.
        batch: usize = "64", range("1..=100000");
        /// The learning rate.
        rate: f64 = "1e-3", range("0..");
        /// How many components; as many as the population spans when there are fewer.
        components: usize = "64", range("1..=10000");
        /// Steps from the normal numbers to the scores.
        euler: usize = "100", range("1..=10000");
    }
}

impl Flow {
    fn lessons(&self) -> Lessons<'_> {
        Lessons {
            hidden: &self.hidden,
            steps: self.steps,
            batch: self.batch,
            rate: self.rate,
        }
    }
}

made! {
    /// How networks are drawn.
    pub enum Model { Jitter, Blend, Gaussian, Flow }
}

plugin! {
    /// New networks drawn from what a population of networks is like.
    ///
    /// `jitter`, `blend` and `gaussian` are what `flow`, which learns, must be compared with (Zeng
    /// et al. 2025): do it with `novelty`. A population of different starts must be aligned
    /// first. All rows of all members are the population; it is held in memory.
    ///
    /// ```farcast
    /// weights drawn = generate(align(net, to: member(net, 0)), blend(of: 2), count: 4)
    /// score new = novelty(drawn, of: net, on: unseen)
    /// ```
    "generate" version 5
    pub struct Generate {
        /// The population.
        weights: Gather<Weights>;
        /// How networks are drawn.
        model: Model;
        /// How many.
        count: usize, range("1..=100000");
        /// The rows that are known to the model, counted from 0; all when left out.
        train_on: Option<Numbers>;
        /// The networks that the weights belong to.
        networks: Origins<Parent>, origins("weights");
    }
}

impl Plugin for Generate {
    type Output = Weights;
    const RANDOM: bool = true;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let input = call.input("weights");
        let point = input.filter(|input| !is(input.degree(), 1.0)).map(|input| {
            let message = format!("`{}` is a difference: expected networks", input.name);
            Complaint::at("weights", message)
        });
        point.into_iter().chain(lone(call, "weights")).collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let count = call.get::<u64>("count");
        Facts {
            rows: count,
            single: count == Some(1),
            coordinates: Coordinate::numbers(["row"]),
            ..one(call, &call.inputs("weights"), 1.0)
        }
    }

    fn run(self, context: &Context) -> Result<Weights, Fault> {
        let population = Population::of(&self.weights, &self.networks, "weights", context)?;
        let (train, _) = population.split(self.train_on.as_ref())?;
        let rows: Vec<&[f32]> = train.iter().map(|row| &population.rows[*row][..]).collect();
        let components = match &self.model {
            Model::Gaussian(Gaussian { components }) | Model::Flow(Flow { components, .. }) => {
                Some(Components::of(&rows, *components)?)
            }
            _ => None,
        };
        let velocity = match (&self.model, &components) {
            (Model::Flow(flow), Some(components)) => {
                let population: Vec<_> = rows.iter().map(|row| components.scores(row)).collect();
                Some(Velocity::learn(&population, &flow.lessons(), context)?)
            }
            _ => None,
        };
        let mut drawn = Vec::with_capacity(self.count * population.layout.len());
        for number in 0..self.count {
            context.check_stop()?;
            let mut rng = context.rng(&format!("row {number}"));
            drawn.extend(match (&self.model, &components, &velocity) {
                (Model::Jitter(Jitter { sd }), ..) => jitter(&rows, *sd, &mut rng),
                (Model::Blend(Blend { of }), ..) => blend(&rows, *of, &mut rng),
                (Model::Gaussian(_), Some(components), _) => components.draw(&mut rng),
                (Model::Flow(flow), Some(components), Some(velocity)) => {
                    let start = normal(components.count(), &mut rng);
                    components.at(&velocity.carry(&start, flow.euler))
                }
                (Model::Gaussian(_) | Model::Flow(_), ..) => {
                    return Err(Fault::Bug("no components".to_owned()));
                }
            });
        }
        let numbers: Vec<u32> = (0..self.count as u32).collect();
        let row = Series::new("row".into(), numbers);
        let coordinates = DataFrame::new(self.count, vec![row.into()])?;
        Ok(Weights {
            table: Trajectory::from_rows(population.layout, coordinates, &drawn)?,
            network: population.network,
        })
    }
}
