//! `ema(averages, length: 0.15)`: an average along training of any width, after training.

use dsl::types::Kind;
use engine::error::Fault;
use engine::params::{Input, Origins};
use engine::plugin;
use engine::plugin::{Complaint, Context, Coordinate, Facts, Plugin, Sketch};
use polars::prelude::DataType;

use super::Weights;
use super::support::facts::{network, one};
use super::support::power::{factors, power_of};
use super::support::rows::Rows;
use super::support::stream::{lone, weighted};
use crate::parents::Parent;

plugin! {
    /// An average of weights along training, of a width chosen afterwards.
    ///
    /// Post-hoc exponential moving averages (Karras et al. 2024).
    /// From the averages that `track` kept, those factors are found whose sum is nearest the
    /// average of relative width `length` at the last step, in the inner product of their
    /// profiles. Without tracked averages, `average(walk, weight: step ^ 6.94)` is an average of
    /// the states themselves. A width far from those tracked takes factors of both signs, which
    /// magnify rounding: a note tells when their sizes sum to more than 100.
    ///
    /// ```farcast
    /// parent calm = ema(track(net, every: 4 steps), length: 0.15)
    /// ```
    "ema" version 2
    pub struct Ema {
        /// The averages that were tracked.
        averages: Input<Weights>;
        /// The relative width: the standard deviation of the profile, divided by the training
        /// time.
        length: f64 = "0.1", range("0.01..=0.28");
        /// The networks that the weights belong to.
        networks: Origins<Parent>, origins("averages");
    }
}

impl Plugin for Ema {
    type Output = Weights;
    // Version 2 keeps negative zeros.
    const STREAMS: u32 = 1;

    fn kinds() -> Vec<Kind> {
        vec![Kind::Weights, Kind::Parent, Kind::Child]
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let input = call.input("averages");
        let plain = input.filter(|input| input.is_single() || input.kind != Kind::Weights);
        let plain = plain.map(|input| {
            let message = format!(
                "`{}` has no averages: expected those of `track`",
                input.name
            );
            let hint = "`average(walk, weight: step ^ 6.94)` weighs states by their step";
            Complaint::at("averages", message).with_hint(hint)
        });
        let degree = input.map_or(1.0, |input| input.degree());
        plain
            .into_iter()
            .chain(network(call, degree, true))
            .collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let inputs = call.inputs("averages");
        let degree = inputs.first().map_or(1.0, |input| input.degree());
        Facts {
            coordinates: Coordinate::numbers(["row"]),
            ..one(call, &inputs, degree)
        }
    }

    fn run(self, context: &Context) -> Result<Weights, Fault> {
        let rows = Rows::of(&self.averages, context.member())?.finished(context)?;
        let column = |name: &str| -> Result<Vec<f64>, Fault> {
            let Ok(column) = rows.coordinates.column(name) else {
                let message = format!("these rows have no `{name}`: expected those of `track`");
                return Err(Fault::at("averages", message));
            };
            let column = column.cast(&DataType::Float64)?;
            Ok(column
                .f64()?
                .iter()
                .map(|number| number.unwrap_or(f64::NAN))
                .collect())
        };
        let (steps, widths) = (column("step")?, column("width")?);
        let known = widths
            .iter()
            .zip(&steps)
            .map(|(width, step)| Ok((power_of(*width)?, *step)));
        let known = known.collect::<Result<Vec<_>, Fault>>()?;
        let last = steps.iter().copied().fold(0.0, f64::max);
        let wanted = (power_of(self.length)?, last);
        let factors = factors(&known, wanted).map_err(|fault| fault.inside("averages"))?;
        let size: f64 = factors.iter().map(|factor| factor.abs()).sum();
        if size > 100.0 {
            context.note(format!(
                "the sizes of the factors sum to {size:.0}: track widths nearer to {}",
                self.length
            ));
        }
        let (source, target) = lone(rows, &self.networks, "averages", context)?;
        weighted(source, target, &factors, context)
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::{DataFrame, NamedFrom, Series};

    use super::*;
    use crate::testing::{call, given};
    use crate::weights::support::testing::{averages, close, table, weights_of};

    #[test]
    fn averages_of_other_widths_are_those_of_the_golden_file() {
        let golden = averages();
        let widths = [0.05, 0.1].repeat(golden.tracked.len() / 2);
        let steps: Vec<u64> = golden
            .snapshots
            .iter()
            .map(|[step, _]| *step as u64)
            .collect();
        let mut tracked = table(&golden.tracked, None);
        let columns = vec![
            Series::new("step".into(), &steps).into(),
            Series::new("width".into(), &widths).into(),
        ];
        tracked.table.coordinates = DataFrame::new(steps.len(), columns).expect("a frame");
        for (width, post) in &golden.posthoc {
            let inputs = [("w", given(tracked.clone()))];
            let ema: Ema = call(&format!("w, length: {width}"), &inputs);
            let found = weights_of(&ema.run(&Context::alone("ema")).expect("runs"));
            close(&found, &post.weights, 1e-6);
        }
    }
}
