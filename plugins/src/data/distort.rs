//! `distort(clean, noise(sd: 0.3))`: images as a worse camera, or labels as a careless reader, would
//! have them.

use dsl::signature::ColumnRule;
use engine::artifact::{DataColumn, Dataset};
use engine::digest::Digest;
use engine::error::Fault;
use engine::params::{Column, Input};
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use engine::streams::Streams;
use engine::{constructor, made, plugin};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
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

constructor! {
    /// Images out of focus.
    ///
    /// Each pixel is the mean of those around it, by a normal curve of their distance; what is
    /// beyond the edge does not count.
    ///
    /// ```farcast
    /// data shapes = idx("shapes-images-idx3-ubyte.gz", labels: "shapes-labels-idx1-ubyte.gz")
    /// data worse = distort(shapes, blur(sd: 0.8))
    /// ```
    "blur"
    pub struct Blur {
        /// The standard deviation of the curve, in pixels.
        sd: f64 = "1", range("0..=1000");
    }
}

constructor! {
    /// Pixels in another order, the same for all images.
    ///
    /// A task as hard for dense layers, and new to them (Goodfellow et al. 2013). The order follows
    /// from `seed` and the size of the images alone, so that it is that of other data, too; channels
    /// go along.
    ///
    /// ```farcast
    /// data shapes = idx("shapes-images-idx3-ubyte.gz", labels: "shapes-labels-idx1-ubyte.gz")
    /// data other = distort(shapes, permute(seed: 1))
    /// ```
    "permute"
    pub struct PermutePixels {
        /// Which order.
        seed: u64 = "0";
    }
}

constructor! {
    /// Wrong labels: round(share · rows) rows, drawn at random, have another of the labels there are.
    ///
    /// Every other label is equally likely. Rows without a label stay without one.
    ///
    /// ```farcast
    /// data shapes = idx("shapes-images-idx3-ubyte.gz", labels: "shapes-labels-idx1-ubyte.gz")
    /// data worse = distort(shapes, relabel(share: 10 %))
    /// ```
    "relabel"
    pub struct Relabel {
        /// The share of rows whose label is wrong afterwards.
        share: f64, range("0..=1");
        /// The column of the labels.
        target: Column = "label";
    }
}

made! {
    /// What happens to images, or to their labels.
    pub enum Distortion {
        Noise, Contrast, Translate, Rotate, Negative, Blur, PermutePixels, Relabel
    }
}

plugin! {
    /// Images distorted: tasks and corruptions without new files.
    ///
    /// Pixels are the columns `pixel_ROW_COLUMN`, of several channels `pixel_CHANNEL_ROW_COLUMN`; all
    /// other columns stay. Distortions are applied in order; the range of pixels is that of the
    /// images as they come. `relabel` is about labels, and needs no images.
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
        let found = none.or_else(|| not_images(call));
        Vec::from_iter(found.or_else(|| no_labels(call)))
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        with_rows(call, call.rows("data"))
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        let data = &self.data;
        let mut labels: Vec<(&str, Vec<f64>)> = Vec::new();
        let (names, [channels, height, width]) = match self.by.iter().any(is_of_images) {
            true => pixels(data)?,
            false => (Vec::new(), [0; 3]),
        };
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
        if least > most && !names.is_empty() {
            return Ok(Dataset::clone(data));
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
                Distortion::Relabel(Relabel { share, target }) => {
                    let mut rng = context.rng(&format!("distortion {at}"));
                    let Column(name) = target;
                    let known = labels.iter().find(|(known, _)| known == name);
                    let now = match known {
                        Some((_, values)) => values.clone(),
                        None => data.values(name)?.to_vec(),
                    };
                    let wrong = relabelled(now, *share, &mut rng)?;
                    labels.retain(|(known, _)| known != name);
                    labels.push((name, wrong));
                }
                Distortion::Blur(Blur { sd }) => {
                    if *sd > 0.0 {
                        let across = shares(width, *sd);
                        let along = shares(height, *sd);
                        for channel in images.chunks_mut(height * width) {
                            mix(channel, &across, height, |row, column| row * width + column);
                            mix(channel, &along, width, |column, row| row * width + column);
                        }
                    }
                }
                Distortion::PermutePixels(PermutePixels { seed }) => {
                    let from = order(*seed, height * width);
                    for channel in images.chunks_mut(height * width) {
                        let mut old: Vec<Vec<f64>> =
                            channel.iter_mut().map(std::mem::take).collect();
                        for (pixel, from) in channel.iter_mut().zip(&from) {
                            *pixel = std::mem::take(&mut old[*from]);
                        }
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
            let label = labels.iter().find(|(name, _)| *name == column.name);
            let changed = pixel.map(|at| &images[at]).or(label.map(|(_, it)| it));
            DataColumn {
                values: match changed {
                    Some(values) => values.as_slice().into(),
                    None => column.values.clone(),
                },
                ..column.clone()
            }
        });
        Dataset::new(distorted.collect())
    }
}

fn is_of_images(distortion: &Distortion) -> bool {
    !matches!(distortion, Distortion::Relabel(_))
}

/// For each place of a line the share of every other one in its mean.
fn shares(length: usize, sd: f64) -> Vec<Vec<f64>> {
    let of = |place: usize| {
        let curve = |other: usize| (-0.5 * (place.abs_diff(other) as f64 / sd).powi(2)).exp();
        let all: f64 = (0..length).map(curve).sum();
        (0..length).map(|other| curve(other) / all).collect()
    };
    (0..length).map(of).collect()
}

/// Replaces each pixel of `lines` lines by the mean along its line.
fn mix(
    pixels: &mut [Vec<f64>],
    shares: &[Vec<f64>],
    lines: usize,
    place: impl Fn(usize, usize) -> usize,
) {
    for line in 0..lines {
        let mean = |shares: &Vec<f64>| {
            let mut sum = vec![0.0; pixels[place(line, 0)].len()];
            // Far from the place nothing counts, not even what is not a number.
            let near = shares.iter().enumerate().filter(|(_, share)| **share > 0.0);
            for (other, share) in near {
                let values = sum.iter_mut().zip(&pixels[place(line, other)]);
                values.for_each(|(sum, value)| *sum += share * value);
            }
            sum
        };
        let means: Vec<Vec<f64>> = shares.iter().map(mean).collect();
        for (at, mean) in means.into_iter().enumerate() {
            pixels[place(line, at)] = mean;
        }
    }
}

/// An order of `count` pixels that follows from a seed.
fn order(seed: u64, count: usize) -> Vec<usize> {
    let text = format!("order of pixels {seed}");
    let mut rng = Streams(Digest::of(text.as_bytes())).rng("permute");
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut rng);
    order
}

/// The labels with a share of them wrong.
fn relabelled(mut labels: Vec<f64>, share: f64, rng: &mut impl Rng) -> Result<Vec<f64>, Fault> {
    let mut classes: Vec<f64> = labels.iter().copied().filter(|it| !it.is_nan()).collect();
    classes.sort_by(f64::total_cmp);
    classes.dedup();
    let mut rows: Vec<usize> = (0..labels.len())
        .filter(|row| !labels[*row].is_nan())
        .collect();
    let count = (share * rows.len() as f64).round() as usize;
    if count > 0 && classes.len() < 2 {
        let message = format!("expected two labels or more, found {}", classes.len());
        return Err(Fault::at("by", message));
    }
    let (drawn, _) = rows.partial_shuffle(rng, count);
    for row in drawn {
        let own = classes.partition_point(|class| *class < labels[*row]);
        let other = rng.random_range(0..classes.len() - 1);
        labels[*row] = classes[other + usize::from(other >= own)];
    }
    Ok(labels)
}

/// Refuses data without images, and to rotate what is not square.
fn not_images(call: &Sketch) -> Option<Complaint> {
    let by = call.get::<Vec<Distortion>>("by").unwrap_or_default();
    if !by.iter().any(is_of_images) {
        return None;
    }
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
    let is_odd = |it: &Distortion| matches!(it, Distortion::Rotate(it) if it.quarters != 2);
    let turns = by.iter().any(is_odd);
    (turns && height != width).then(|| {
        let message = format!("expected square images to rotate, found {height} by {width}");
        Complaint::at("by", message)
    })
}

/// Refuses labels that the data do not have.
fn no_labels(call: &Sketch) -> Option<Complaint> {
    let columns = &call.schema("data")?.columns;
    let by = call.get::<Vec<Distortion>>("by").unwrap_or_default();
    let missing = by.iter().find_map(|distortion| match distortion {
        Distortion::Relabel(Relabel { target, .. }) => {
            (!columns.iter().any(|it| it.name == target.0)).then_some(&target.0)
        }
        _ => None,
    })?;
    let message = format!("the data have no column `{missing}` to relabel");
    Some(Complaint::at("by", message).with_hint("name the column of the labels: `target: …`"))
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

    #[test]
    fn blurred_pixels_are_means_of_those_around_them() {
        // exp(-1 / 2) to one of two, in both directions.
        let near = 1.0 / (1.0 + (-0.5_f64).exp());
        let far = 1.0 - near;
        let image = [[0.0, 1.0], [2.0, 4.0]];
        let found = distorted("blur(sd: 1)");
        for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let along = |row: usize| near * image[row][column] + far * image[row][1 - column];
            let expected = near * along(row) + far * along(1 - row);
            assert!((found[row * 2 + column] - expected).abs() < 1e-12);
        }
        assert_eq!(distorted("blur(sd: 0)"), [0.0, 1.0, 2.0, 4.0]);
        assert_eq!(distorted("blur(sd: 1e-3)"), [0.0, 1.0, 2.0, 4.0]);
        assert!(
            distorted("blur(sd: 1000)")
                .iter()
                .all(|it| (it - 1.75).abs() < 1e-5)
        );
    }

    #[test]
    fn permuted_pixels_have_one_order_for_each_seed() {
        let orders: Vec<_> = (0..20).map(|seed| order(seed, 100)).collect();
        for (seed, order) in orders.iter().enumerate() {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..100).collect::<Vec<_>>());
            assert!(orders[..seed].iter().all(|other| other != order));
        }
        let image = [0.0, 1.0, 2.0, 4.0];
        let from = order(3, 4);
        let expected: Vec<f64> = from.iter().map(|from| image[*from]).collect();
        assert_eq!(distorted("permute(seed: 3)"), expected);
        let context = Context::alone("another action");
        let columns = ["pixel_0_0", "pixel_0_1", "pixel_1_0", "pixel_1_1"];
        let values = image.map(|value| [value]);
        let columns = columns.into_iter().zip(values.iter().map(|it| &it[..]));
        let data = table(&columns.collect::<Vec<(&str, &[f64])>>());
        let distort: Distort = call("d, permute(seed: 3)", &[("d", given(data))]);
        let other = distort.run(&context).expect("runs");
        let first = other.values("pixel_0_0").expect("a pixel")[0];
        assert_eq!(first, expected[0]);
    }

    /// Labels of 40 rows after `by`, with the pixels unread.
    fn labels(by: &str) -> Vec<f64> {
        let label: Vec<f64> = (0..40).map(|row| f64::from(row % 4) * 2.0).collect();
        let other = vec![1.0; 40];
        let data = table(&[("label", &label), ("kind", &label), ("other", &other)]);
        let distort: Distort = call(&format!("d, {by}"), &[("d", given(data))]);
        let data = distort.run(&Context::alone("distort")).expect("runs");
        assert_eq!(data.values("other").expect("a column")[..], other);
        let wrong = if by.contains("kind") { "kind" } else { "label" };
        data.values(wrong).expect("labels").to_vec()
    }

    #[test]
    fn a_share_of_the_labels_is_wrong_and_no_label_is_new() {
        let right = labels("relabel(share: 0)");
        for (by, count) in [
            ("relabel(share: 10 %)", 4),
            ("relabel(share: 0.99)", 40),
            ("relabel(share: 1)", 40),
            ("relabel(share: 30 %, target: kind)", 12),
        ] {
            let found = labels(by);
            let wrong = found.iter().zip(&right).filter(|(a, b)| a != b).count();
            assert_eq!(wrong, count, "{by}");
            assert!(
                found.iter().all(|it| [0.0, 2.0, 4.0, 6.0].contains(it)),
                "{by}"
            );
            assert_eq!(found, labels(by), "the same draw");
        }
        // Every wrong label is drawn: 40 rows, three others each.
        let all = labels("relabel(share: 1)");
        for shift in [2.0, 4.0, 6.0] {
            let moved = all
                .iter()
                .zip(&right)
                .filter(|(a, b)| (*a - *b).rem_euclid(8.0) == shift);
            assert!(moved.count() > 3, "{shift}");
        }
        // One after the other: what was wrong may be right again.
        let twice = labels("relabel(share: 1), relabel(share: 1)");
        assert!(twice.iter().zip(&right).any(|(a, b)| a == b));
    }

    #[test]
    fn one_label_cannot_be_wrong() {
        let data = table(&[("label", &[1.0, 1.0, f64::NAN])]);
        let distort = |share| -> Distort {
            call(
                &format!("d, relabel(share: {share})"),
                &[("d", given(data.clone()))],
            )
        };
        let context = Context::alone("distort");
        let fault = distort(1).run(&context).expect_err("refused");
        assert_eq!(fault.to_string(), "expected two labels or more, found 1");
        distort(0).run(&context).expect("nothing to do");
    }
}
