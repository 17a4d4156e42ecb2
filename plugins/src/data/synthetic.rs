//! `synthetic`: small data whose law is known.

use dsl::signature::ColumnRule;
use dsl::types::{ColumnInfo, Schema};
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::files::Files;
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use engine::words;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

words! {
    /// How `y` follows from the other columns.
    pub enum Law {
        /// `y = 2 x + 1`.
        Linear = "linear",
        /// `y = sin(x) (1 + slope z)`.
        Regime = "regime",
        /// `y = sin(x) + sin(3 x) / 2`.
        Waves = "waves",
    }
}

plugin! {
    /// Data whose law is known, to try things on.
    ///
    /// Each row draws `x` evenly from `from` to `to` and, for `regime`, `z` evenly from 0 to 1;
    /// `y` follows the law with normal noise `e` of standard deviation `noise`:
    ///
    /// - `linear`: y = 2 x + 1 + e
    /// - `regime`: y = sin(x) (1 + slope z) + e, so that the best network of x alone changes
    ///   steadily with z
    /// - `waves`: y = sin(x) + sin(3 x) / 2 + e
    ///
    /// ```farcast
    /// data ripples = synthetic(waves, rows: 500, noise: 0.1)
    /// ```
    "synthetic" version 1
    pub struct Synthetic {
        /// The law.
        law: Law;
        /// How many rows.
        rows: usize = "1000", range("1..=10000000");
        /// The standard deviation of the noise.
        noise: f64 = "0", range("0..");
        /// The smallest `x`.
        from: f64 = "-3";
        /// The largest `x`.
        to: f64 = "3";
        /// How much stronger the signal is at `z = 1` than at `z = 0`, for `regime`.
        slope: f64 = "1";
    }
}

impl Plugin for Synthetic {
    type Output = Dataset;

    const RANDOM: bool = true;

    fn columns() -> ColumnRule {
        ColumnRule::Source
    }

    fn schema(&self, _: &Files) -> Result<Schema, Fault> {
        let columns = self
            .names()
            .iter()
            .map(|name| ColumnInfo::numbers(*name, None))
            .collect();
        Ok(Schema { columns })
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let range = call.get::<f64>("from").zip(call.get::<f64>("to"));
        let empty = range.filter(|(from, to)| from >= to);
        let message = |(from, to)| format!("expected more than {from}, found {to}");
        Vec::from_iter(empty.map(|range| Complaint::at("to", message(range))))
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        Facts {
            rows: call.get("rows"),
            ..Facts::default()
        }
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        let even = |name: &str, low: f64, high: f64| -> Vec<f64> {
            let mut rng = context.rng(name);
            (0..self.rows)
                .map(|_| low + (high - low) * rng.random::<f64>())
                .collect()
        };
        let x = even("x", self.from, self.to);
        let z = even("z", 0.0, 1.0);
        let mut rng = context.rng("noise");
        let y: Vec<f64> = x
            .iter()
            .zip(&z)
            .map(|(x, z)| {
                let noise: f64 = StandardNormal.sample(&mut rng);
                self.truth(*x, *z) + self.noise * noise
            })
            .collect();
        let columns = self
            .names()
            .iter()
            .map(|name| {
                DataColumn::numbers(
                    *name,
                    None,
                    match *name {
                        "x" => x.as_slice(),
                        "z" => z.as_slice(),
                        _ => y.as_slice(),
                    },
                )
            })
            .collect();
        Dataset::new(columns)
    }
}

impl Synthetic {
    fn names(&self) -> &'static [&'static str] {
        match self.law {
            Law::Regime => &["x", "z", "y"],
            Law::Linear | Law::Waves => &["x", "y"],
        }
    }

    fn truth(&self, x: f64, z: f64) -> f64 {
        match self.law {
            Law::Linear => 2.0 * x + 1.0,
            Law::Regime => x.sin() * (1.0 + self.slope * z),
            Law::Waves => x.sin() + (3.0 * x).sin() / 2.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn synthetic(law: Law) -> Synthetic {
        Synthetic {
            law,
            rows: 4000,
            noise: 0.0,
            from: -1.0,
            to: 2.0,
            slope: 3.0,
        }
    }

    fn column(data: &Dataset, name: &str) -> Vec<f64> {
        data.values(name).expect(name).to_vec()
    }

    #[test]
    fn every_law_holds_exactly_without_noise() {
        type Truth = fn(f64, f64) -> f64;
        let laws: [(Law, Truth); 3] = [
            (Law::Linear, |x, _| 2.0 * x + 1.0),
            (Law::Regime, |x, z| x.sin() * (1.0 + 3.0 * z)),
            (Law::Waves, |x, _| x.sin() + 0.5 * (3.0 * x).sin()),
        ];
        for (law, truth) in laws {
            let schema = synthetic(law)
                .schema(&Files::unchecked())
                .expect("a schema");
            let data = synthetic(law).run(&Context::alone("s")).expect("data");
            assert_eq!(data.schema(), schema);
            let x = column(&data, "x");
            let z = match law {
                Law::Regime => column(&data, "z"),
                _ => vec![0.0; x.len()],
            };
            assert!(x.iter().all(|x| (-1.0..=2.0).contains(x)));
            for ((x, z), y) in x.iter().zip(z).zip(column(&data, "y")) {
                assert!((y - truth(*x, z)).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn noise_has_the_standard_deviation_asked_for() {
        let noisy = Synthetic {
            noise: 0.3,
            ..synthetic(Law::Linear)
        };
        let data = noisy.run(&Context::alone("s")).expect("data");
        let (x, y) = (column(&data, "x"), column(&data, "y"));
        let squares: f64 = x
            .iter()
            .zip(&y)
            .map(|(x, y)| (y - 2.0 * x - 1.0).powi(2))
            .sum();
        // The standard error of a standard deviation is σ / √(2 n) = 0.0034; four of them.
        assert!(((squares / 4000.0).sqrt() - 0.3).abs() < 0.0136);
    }

    #[test]
    fn equal_streams_give_equal_data() {
        let run = |name: &str| {
            synthetic(Law::Regime)
                .run(&Context::alone(name))
                .expect("data")
        };
        assert_eq!(run("a"), run("a"));
        assert_ne!(run("a"), run("b"));
    }
}
