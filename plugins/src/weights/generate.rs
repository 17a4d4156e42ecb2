//! `generate(net, blend(of: 4), count: 20)`: new networks that look like those of a population.

use engine::artifact::Trajectory;
use engine::error::Fault;
use engine::params::{Gather, Numbers, Origins};
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use engine::{constructor, made, plugin};
use polars::prelude::{DataFrame, NamedFrom, Series};

use super::Weights;
use super::support::facts::{is, one};
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

made! {
    /// How networks are drawn.
    pub enum Model { Jitter, Blend, Gaussian }
}

plugin! {
    /// New networks drawn from what a population of networks is like.
    ///
    /// `jitter`, `blend` and `gaussian` are what any learned generator must be compared with (Zeng
    /// et al. 2025): do it with `novelty`. A population of different starts must be aligned
    /// first. All rows of all members are the population; it is held in memory.
    ///
    /// ```farcast
    /// weights drawn = generate(align(net, to: member(net, 0)), blend(of: 2), count: 4)
    /// score new = novelty(drawn, of: net, on: unseen)
    /// ```
    "generate" version 1
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
            coordinates: Some(vec!["row"]),
            ..one(call, &call.inputs("weights"), 1.0)
        }
    }

    fn run(self, context: &Context) -> Result<Weights, Fault> {
        let population = Population::of(&self.weights, &self.networks, "weights", context)?;
        let (train, _) = population.split(self.train_on.as_ref())?;
        let rows: Vec<&[f32]> = train.iter().map(|row| &population.rows[*row][..]).collect();
        let components = match &self.model {
            Model::Gaussian(Gaussian { components }) => Some(Components::of(&rows, *components)?),
            _ => None,
        };
        let mut drawn = Vec::with_capacity(self.count * population.layout.len());
        for number in 0..self.count {
            context.check_stop()?;
            let mut rng = context.rng(&format!("row {number}"));
            drawn.extend(match (&self.model, &components) {
                (Model::Jitter(Jitter { sd }), _) => jitter(&rows, *sd, &mut rng),
                (Model::Blend(Blend { of }), _) => blend(&rows, *of, &mut rng),
                (Model::Gaussian(_), Some(components)) => components.draw(&mut rng),
                (Model::Gaussian(_), None) => return Err(Fault::Bug("no components".to_owned())),
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
