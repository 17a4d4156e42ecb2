//! `distort(clean, noise(sd: 0.3))`: images as a worse camera would see them.

use dsl::signature::ColumnRule;
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::params::Input;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use engine::{constructor, made, plugin};
use rand::RngExt;
use rand_distr::StandardNormal;

use super::support::pixels::{pixels, size};
use crate::calls::with_rows;

constructor! {
    /// Normal numbers added to each pixel, which then stays within the range of all pixels.
    ///
    /// ```farcast
    /// data shapes = idx("shapes-images-idx3-ubyte.gz", labels: "shapes-labels-idx1-ubyte.gz")
    /// data worse = distort(shapes, noise(sd: 0.2))
    /// ```
    "noise"
    pub struct Noise {
        /// Their standard deviation, as a share of the range of all pixels.
        sd: f64 = "0.3", range("0..=10");
    }
}

constructor! {
    /// Less contrast: `factor` times each pixel plus `lift`, in shares of the range.
    ///
    /// ```farcast
    /// data shapes = idx("shapes-images-idx3-ubyte.gz", labels: "shapes-labels-idx1-ubyte.gz")
    /// data worse = distort(shapes, contrast(factor: 0.5))
    /// ```
    "contrast"
    pub struct Contrast {
        /// What pixels are multiplied by.
        factor: f64 = "0.25", range("0..=1");
        /// What is added.
        lift: f64 = "0.6", range("0..=1");
    }
}

constructor! {
    /// The image moved; what comes in has the least value of all pixels.
    ///
    /// ```farcast
    /// data shapes = idx("shapes-images-idx3-ubyte.gz", labels: "shapes-labels-idx1-ubyte.gz")
    /// data worse = distort(shapes, translate(x: 2, y: 1))
    /// ```
    "translate"
    pub struct Translate {
        /// Pixels to the right, or to the left when negative.
        x: i64 = "0", range("-1000..=1000");
        /// Pixels down, or up when negative.
        y: i64 = "0", range("-1000..=1000");
    }
}

constructor! {
    /// Images turned clockwise; a quarter and three of square ones alone.
    ///
    /// ```farcast
    /// data shapes = idx("shapes-images-idx3-ubyte.gz", labels: "shapes-labels-idx1-ubyte.gz")
    /// data worse = distort(shapes, rotate(quarters: 2))
    /// ```
    "rotate"
    pub struct Rotate {
        /// Quarters of a turn.
        quarters: u32 = "1", range("1..=3");
    }
}

constructor! {
    /// Light for dark.
    ///
    /// ```farcast
    /// data shapes = idx("shapes-images-idx3-ubyte.gz", labels: "shapes-labels-idx1-ubyte.gz")
    /// data worse = distort(shapes, negative)
    /// ```
    "negative"
    pub struct Negative {}
}

made! {
    /// What happens to images.
    pub enum Distortion { Noise, Contrast, Translate, Rotate, Negative }
}

plugin! {
    /// Images distorted: tasks and corruptions without new files.
    ///
    /// Pixels are the columns `pixel_ROW_COLUMN`, of several channels `pixel_CHANNEL_ROW_COLUMN`; all
    /// other columns stay. Distortions are applied in order; the range of pixels is that of the
    /// images as they come.
    ///
    /// ```farcast
    /// data shapes = idx("shapes-images-idx3-ubyte.gz", labels: "shapes-labels-idx1-ubyte.gz")
    /// data worse = distort(shapes, noise(sd: 0.2), translate(x: 1))
    /// ```
    "distort" version 1
    pub struct Distort {
        /// The images.
        data: Input<Dataset>;
        /// What happens to them, one after the other.
        by: Vec<Distortion>, variadic();
    }
}

impl Plugin for Distort {
    type Output = Dataset;
    const RANDOM: bool = true;

    fn columns() -> ColumnRule {
        ColumnRule::Like("data".to_owned())
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let none = call
            .get::<Vec<Distortion>>("by")
            .is_none_or(|by| by.is_empty());
        let complaint = Complaint::at("by", "expected a distortion or more, found none");
        let none = none.then_some(complaint);
        Vec::from_iter(none.or_else(|| not_images(call)))
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        with_rows(call, call.rows("data"))
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        let (names, [channels, height, width]) = pixels(&self.data)?;
        let mut images: Vec<Vec<f64>> = Vec::with_capacity(names.len());
        for name in &names {
            images.push(self.data.values(name)?.to_vec());
        }
        let all = images.iter().flatten().copied();
        let (least, most) = all.fold(
            (f64::INFINITY, f64::NEG_INFINITY),
            |(least, most), value| (least.min(value), most.max(value)),
        );
        // Images of nothing stay as they are.
        if least > most {
            return Ok(Dataset::clone(&self.data));
        }
        let range = most - least;
        for (at, distortion) in self.by.iter().enumerate() {
            context.check_stop()?;
            let place = |channel, row, column| (channel * height + row) * width + column;
            match distortion {
                Distortion::Noise(noise) => {
                    let mut rng = context.rng(&format!("distortion {at}"));
                    for value in images.iter_mut().flatten() {
                        let draw: f64 = rng.sample(StandardNormal);
                        *value = (*value + noise.sd * range * draw).clamp(least, most);
                    }
                }
                Distortion::Contrast(Contrast { factor, lift }) => {
                    for value in images.iter_mut().flatten() {
                        let share = factor * (*value - least) + lift * range;
                        *value = (least + share).min(most);
                    }
                }
                Distortion::Negative(_) => {
                    for value in images.iter_mut().flatten() {
                        *value = least + most - *value;
                    }
                }
                Distortion::Translate(Translate { x, y }) => {
                    let rows = images.first().map_or(0, Vec::len);
                    let mut moved = vec![vec![least; rows]; images.len()];
                    for channel in 0..channels {
                        for row in 0..height {
                            for column in 0..width {
                                let to = |from: usize, by: i64, size: usize| {
                                    let to = (from as i64).checked_add(by)?;
                                    usize::try_from(to).ok().filter(|to| *to < size)
                                };
                                let to = to(row, *y, height).zip(to(column, *x, width));
                                if let Some((to_row, to_column)) = to {
                                    let from = &images[place(channel, row, column)];
                                    moved[place(channel, to_row, to_column)].clone_from(from);
                                }
                            }
                        }
                    }
                    images = moved;
                }
                Distortion::Rotate(Rotate { quarters }) => {
                    if *quarters == 2 {
                        // The pixels of each channel in the opposite order.
                        images.chunks_mut(height * width).for_each(<[_]>::reverse);
                        continue;
                    }
                    if height != width {
                        let message = format!("expected square images, found {height} by {width}");
                        return Err(Fault::at("by", message));
                    }
                    for _ in 0..*quarters {
                        let mut turned = images.clone();
                        for channel in 0..channels {
                            for row in 0..height {
                                for column in 0..width {
                                    let to = place(channel, column, height - 1 - row);
                                    turned[to].clone_from(&images[place(channel, row, column)]);
                                }
                            }
                        }
                        images = turned;
                    }
                }
            }
        }
        let distorted = self.data.columns().iter().map(|column| {
            let pixel = names.iter().position(|name| *name == column.name);
            DataColumn {
                values: match pixel {
                    Some(pixel) => images[pixel].as_slice().into(),
                    None => column.values.clone(),
                },
                ..column.clone()
            }
        });
        Dataset::new(distorted.collect())
    }
}

/// Refuses data without images, and to rotate what is not square.
fn not_images(call: &Sketch) -> Option<Complaint> {
    let names: Vec<&String> = call
        .schema("data")?
        .columns
        .iter()
        .map(|it| &it.name)
        .collect();
    let [_, height, width] = match size(&names) {
        Ok((_, size)) => size,
        Err(fault) => return Some(fault.into()),
    };
    let by = call.get::<Vec<Distortion>>("by").unwrap_or_default();
    let is_odd = |it: &Distortion| matches!(it, Distortion::Rotate(it) if it.quarters != 2);
    let turns = by.iter().any(is_odd);
    (turns && height != width).then(|| {
        let message = format!("expected square images to rotate, found {height} by {width}");
        Complaint::at("by", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::support::testing::table;
    use crate::testing::{call, given};

    /// One image of two rows and two columns.
    fn distorted(by: &str) -> Vec<f64> {
        let names = ["pixel_0_0", "pixel_0_1", "pixel_1_0", "pixel_1_1"];
        let columns = [0.0, 1.0, 2.0, 4.0].map(|value| [value]);
        let columns: Vec<(&str, &[f64])> = names
            .iter()
            .copied()
            .zip(columns.iter().map(|it| &it[..]))
            .collect();
        let distort: Distort = call(&format!("d, {by}"), &[("d", given(table(&columns)))]);
        let data = distort.run(&Context::alone("distort")).expect("runs");
        names
            .iter()
            .map(|name| data.values(name).expect("a pixel")[0])
            .collect()
    }

    #[test]
    fn pixels_go_where_they_should() {
        assert_eq!(distorted("rotate()"), [2.0, 0.0, 4.0, 1.0]);
        assert_eq!(
            distorted("rotate(quarters: 3), rotate()"),
            [0.0, 1.0, 2.0, 4.0]
        );
        assert_eq!(distorted("translate(x: 1)"), [0.0, 0.0, 0.0, 2.0]);
        assert_eq!(distorted("translate(y: -1)"), [2.0, 4.0, 0.0, 0.0]);
        assert_eq!(distorted("negative()"), [4.0, 3.0, 2.0, 0.0]);
        assert_eq!(
            distorted("contrast(factor: 0.5, lift: 0.5)"),
            [2.0, 2.5, 3.0, 4.0]
        );
        assert_eq!(distorted("noise(sd: 0)"), [0.0, 1.0, 2.0, 4.0]);
        let noisy = distorted("noise(sd: 0.1)");
        assert!(noisy != [0.0, 1.0, 2.0, 4.0] && noisy.iter().all(|it| (0.0..=4.0).contains(it)));
    }
}
