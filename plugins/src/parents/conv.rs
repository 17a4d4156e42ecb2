//! `conv`: convolutional networks over images, one member per action.

use engine::artifact::{Dataset, Layout};
use engine::error::Fault;
use engine::params::Input;
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::Parent;
use super::support::examine;
use super::support::start::StartOptions;
use super::support::targets::Targets;
use crate::calls::too_large;
use crate::complete::check_complete;
use crate::data::support::pixels::{pixels, size};
use crate::networks::{
    Activation, CONVOLUTIONS, Columns, Convolution, Convolutional, Feedforward, Images, Layers,
    Loss, Network, Scaled, TrainerChoice, TrainingRows,
};
use crate::recipes::TrainOptions;

plugin! {
    /// Convolutional networks over images, one for each member.
    ///
    /// The inputs are all pixels, columns `pixel_ROW_COLUMN` as `idx` makes them or, of images
    /// with several channels, `pixel_CHANNEL_ROW_COLUMN`; each channel is standardised by one
    /// mean and standard deviation. Each entry of `channels` is a convolution of stride 1
    /// without padding, followed by the activation and by the maximum over windows of `pool` by
    /// `pool` (`torch.nn.Conv2d` and `MaxPool2d`); then come the dense layers. Without channels
    /// the network is a multilayer perceptron of the pixels. Weights start as in torch, uniform
    /// within ±1/√inputs.
    ///
    /// Of several largest numbers in a window the first has the gradient, as in torch. A step
    /// takes about 1 ms for 8 and 16 channels on 28 by 28 pixels and a batch of 64.
    ///
    /// ```farcast
    /// data shapes = idx("shapes-images-idx3-ubyte.gz", labels: "shapes-labels-idx1-ubyte.gz")
    /// parent cnn = conv(shapes, channels: [2], dense: [4], steps: 4, batch: 8, members: 2)
    /// ```
    "conv" version 9
    pub struct Conv {
        /// The images and what is to be predicted of them.
        data: Input<Dataset>, with_truth(), not_in_stream();
        /// The column to be predicted, or several, `[u, v]`; for `cross_entropy` class indices
        /// from 0.
        target: Targets = "label", target();
        /// Channels of each convolution.
        channels: Vec<usize> = "[8, 16]", range("1..=1024");
        /// Rows and columns of the kernels.
        kernel: usize = "3", range("1..=64");
        /// Rows and columns of the windows of which the maximum is kept; 1 for none.
        pool: usize = "2", range("1..=64");
        /// Widths of the hidden dense layers.
        dense: Vec<usize> = "[64]", range("1..=4096");
        /// What follows each convolution and hidden layer.
        activation: Activation = "relu";
        /// What training makes small.
        loss: Loss = "cross_entropy";
        /// How it is trained.
        training: TrainOptions, flatten(epochs = "5");
        /// Where training begins.
        start: StartOptions, flatten();
    }
}

impl Plugin for Conv {
    type Output = Parent;
    const RANDOM: bool = true;
    // Version 2 rounds the loss on rows held out otherwise.
    const STREAMS: u32 = 2;
    const MEMBERS: Option<&'static str> = Some("members");

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let found = [
            Targets::complaint(call),
            Self::no_images(call),
            Self::large(call),
        ];
        let start = StartOptions::check(call, Self::layout(call).as_ref());
        let options = TrainOptions::check(call).into_iter().chain(start);
        options.chain(found.into_iter().flatten()).collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let training = TrainOptions::training(call);
        let facts = examine::network(call, None, training, Self::beside_dense(call));
        examine::with_tensors(facts, Self::layout(call))
    }

    fn run(self, context: &Context) -> Result<Parent, Fault> {
        let recipe = self.training.recipe(TrainerChoice::Auto, context)?;
        let trained = recipe.member(&self.data, context, |train| {
            self.start.of(self.network(train)?, context)
        })?;
        Ok(trained.into())
    }
}

fn images(size: [usize; 3], channels: Vec<usize>, kernel: usize, pool: usize) -> Images {
    let [depth, height, width] = size;
    Images {
        depth,
        height,
        width,
        channels,
        kernel,
        pool,
    }
}

/// The widths of the dense layers behind the convolutions.
fn widths(images: &Images, dense: &[usize], outputs: usize) -> Vec<usize> {
    [&[features(images)], dense, &[outputs]].concat()
}

/// How many numbers the convolutions leave of an image.
fn features(images: &Images) -> usize {
    let pixels = [images.depth, images.height, images.width];
    let last = images.convolutions().pop().map_or(pixels, |last| last.to);
    last.iter().product()
}

impl Conv {
    /// The images of the known columns of a call's data, or why there are none, and the
    /// convolutions.
    fn images(call: &Sketch) -> Option<Result<Images, Fault>> {
        let columns = call.schema("data")?.columns.iter();
        let names: Vec<&String> = columns.map(|column| &column.name).collect();
        let size = match size(&names) {
            Ok((_, size)) => size,
            Err(fault) => return Some(Err(fault)),
        };
        let channels = call.get::<Vec<usize>>("channels")?;
        let (kernel, pool) = (call.get("kernel")?, call.get("pool")?);
        Some(Ok(images(size, channels, kernel, pool)))
    }

    /// The tensors of the network of a call on images of a known size.
    fn layout(call: &Sketch) -> Option<Layout> {
        let images = Self::images(call)?.ok()?;
        let dense = call.get::<Vec<usize>>("dense")?;
        let outputs = examine::targets(call).filter(|_| examine::predicts_quantity(call))?;
        Some(images.with_dense(&widths(&images, &dense, outputs)))
    }

    /// What there is beside dense layers: without channels no convolutions.
    fn beside_dense(call: &Sketch) -> Option<&'static str> {
        let channels = call.get::<Vec<usize>>("channels");
        let is_flat = channels.is_some_and(|channels| channels.is_empty());
        (!is_flat).then_some(CONVOLUTIONS)
    }

    fn network(&self, train: &TrainingRows) -> Result<Network, Fault> {
        let (names, size) = pixels(&self.data)?;
        let (targets, outputs) = self.target.scaled(self.loss, &self.data, train)?;
        let images = images(size, self.channels.clone(), self.kernel, self.pool);
        let widths = widths(&images, &self.dense, outputs);
        let columns = Columns {
            inputs: self.scaled(&names, size, train)?,
            targets,
        };
        let layers = Layers {
            widths,
            activation: self.activation,
        };
        let loss = self.loss;
        Ok(match images.channels.is_empty() {
            false => Network::from(Convolutional {
                columns,
                images,
                layers,
                loss,
            }),
            true => Network::from(Feedforward {
                columns,
                layers,
                loss,
            }),
        })
    }

    /// Why the known columns of the data are not images that fit the network.
    fn no_images(call: &Sketch) -> Option<Complaint> {
        let images = match Self::images(call)? {
            Ok(images) => images,
            Err(fault) => return Some(fault.into()),
        };
        let fit = images.convolutions().len();
        let wanted = images.channels.len();
        let Images {
            height,
            width,
            kernel,
            pool,
            ..
        } = images;
        let message = format!(
            "images of {height} by {width} have room for {fit} convolutions with kernel {kernel} \
             and pool {pool}, found {wanted}"
        );
        (fit < wanted).then(|| Complaint::at("channels", message))
    }

    /// Refuses what needs too much memory: the weights, and the planes of the images that a step
    /// takes at a time.
    fn large(call: &Sketch) -> Option<Complaint> {
        let channels = call.get::<Vec<usize>>("channels")?;
        let dense = call.get::<Vec<usize>>("dense")?;
        let kernel = call.get::<usize>("kernel")?;
        let product = |numbers: &[usize]| numbers.iter().map(|it| *it as u64).product::<u64>();
        let mut kernels: Vec<u64> = channels
            .windows(2)
            .map(|pair| product(&[pair[0], pair[1], kernel, kernel]))
            .collect();
        let mut widths = dense;
        let mut planes = 0;
        if let Some(Ok(images)) = Self::images(call) {
            let convolutions = images.convolutions();
            // What comes in, what goes out with its derivatives, and deltas before pooling.
            let kept = |it: &Convolution| {
                let [height, width] = it.covered();
                product(&it.from) + 2 * product(&it.to) + product(&[it.to[0], height, width])
            };
            planes = convolutions.iter().map(kept).sum();
            kernels.extend(
                convolutions
                    .first()
                    .map(|it| product(&[it.from[0], it.to[0], kernel, kernel])),
            );
            widths.insert(0, features(&images));
        }
        let weights = examine::dense(&widths)?.checked_add(kernels.iter().sum())?;
        let step = planes.saturating_mul((Images::AT_ONCE * size_of::<f32>()) as u64);
        examine::trainable("channels", Some(weights)).or_else(|| too_large("channels", step))
    }

    /// All pixels, those of a channel with one mean and standard deviation, of the images
    /// trained on.
    fn scaled(
        &self,
        names: &[String],
        [_, height, width]: [usize; 3],
        train: &TrainingRows,
    ) -> Result<Vec<Scaled>, Fault> {
        let channels = names.chunks(height * width);
        let channels = channels.map(|names| self.scaled_alike(names, train));
        Ok(channels.collect::<Result<Vec<_>, Fault>>()?.concat())
    }

    fn scaled_alike(&self, names: &[String], train: &TrainingRows) -> Result<Vec<Scaled>, Fault> {
        let mut parts = Vec::with_capacity(names.len());
        for name in names {
            check_complete(&self.data, name, "data")?;
            parts.push(train.scaled(name)?);
        }
        let count = parts.len() as f64;
        let mean = parts.iter().map(|pixel| pixel.mean).sum::<f64>() / count;
        // A constant pixel says 1 for the want of a deviation.
        let counts = train.weights.as_deref();
        let squares = names.iter().map(|name| {
            let (mut sum, mut count, mut row) = (0.0, 0.0, 0);
            for piece in train.pieces(name)? {
                for value in &piece[..] {
                    let counts = counts.map_or(1.0, |counts| counts[row]);
                    sum += counts * (value - mean).powi(2);
                    count += counts;
                    row += 1;
                }
            }
            Ok(sum / count)
        });
        let variance = squares.sum::<Result<f64, Fault>>()? / count;
        let std = if variance > 0.0 { variance.sqrt() } else { 1.0 };
        Ok(parts
            .into_iter()
            .map(|pixel| Scaled { mean, std, ..pixel })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use engine::artifact::{Artifact, DataColumn, Layout};
    use engine::params::DataPath;

    use super::*;
    use crate::data::Idx;
    use crate::testing::{call, given};

    /// 24 images of 6 by 7 in five classes; see the tests of `idx`.
    fn shapes() -> Dataset {
        let path = |name: &str| {
            DataPath(
                [env!("CARGO_MANIFEST_DIR"), "testdata", name]
                    .iter()
                    .collect(),
            )
        };
        let idx = Idx {
            file: path("shapes-images-idx3-ubyte.gz"),
            labels: Some(path("shapes-labels-idx1-ubyte.gz")),
            first: None,
        };
        idx.run(&Context::alone("idx")).expect("images")
    }

    fn conv(data: Dataset) -> Conv {
        call(
            "shapes, channels: [3], dense: [8], optimizer: adam(rate: 1e-2), batch: 8, epochs: 100",
            &[("shapes", given(data))],
        )
    }

    fn message(conv: Conv) -> String {
        let result = conv.run(&Context::alone("bad"));
        result.map(|_| ()).expect_err("a fault").to_string()
    }

    #[test]
    fn it_tells_images_apart_and_has_the_shapes_of_torch() {
        let parent = conv(shapes()).run(&Context::alone("c")).expect("trains");
        let network = parent.network().expect("a network");
        let shapes_of: Vec<Vec<usize>> = network
            .layout()
            .tensors
            .into_iter()
            .map(|tensor| tensor.shape)
            .collect();
        assert_eq!(
            shapes_of,
            [
                &[3, 1, 3, 3][..],
                &[3],
                &[8, 3 * 2 * 2],
                &[8],
                &[5, 8],
                &[5]
            ]
        );
        let (steps, last, _) = *parent.losses.last().expect("a curve");
        assert_eq!(steps, 300);
        let first = parent.losses[0].1;
        assert!(first > 1.0 && last < 0.01, "{first} {last}");
        let again = Parent::from_parts(&parent.to_parts().expect("parts")).expect("a parent");
        assert_eq!(again, parent);
    }

    #[test]
    fn the_same_action_gives_the_same_bytes() {
        let run = |name| {
            let mut conv = conv(shapes());
            conv.training.steps = Some(5);
            let parent = conv.run(&Context::alone(name)).expect("trains");
            parent.to_parts().expect("parts")
        };
        assert_eq!(run("a"), run("a"));
        assert_ne!(run("a"), run("b"));
    }

    #[test]
    fn without_channels_it_is_a_perceptron_of_the_pixels() {
        let mut conv = conv(shapes());
        conv.channels = Vec::new();
        conv.training.steps = Some(1);
        let parent = conv.run(&Context::alone("c")).expect("trains");
        assert_eq!(parent.layout, Layout::mlp(&[42, 8, 5]));
    }

    #[test]
    fn pixels_share_one_scale() {
        let data = shapes();
        let rows = TrainingRows::alike(data.clone());
        let network = conv(data.clone()).network(&rows).expect("a network");
        // The pixels are 0, 50, 100, 150 and 200 of 255 in nearly equal shares.
        let all: Vec<f64> = data.columns()[..42]
            .iter()
            .flat_map(|c| c.values.to_vec())
            .collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let squares: f64 = all.iter().map(|value| (value - mean).powi(2)).sum();
        for input in network.inputs() {
            assert!((input.mean - mean).abs() < 1e-12);
            assert!((input.std - (squares / all.len() as f64).sqrt()).abs() < 1e-12);
        }
    }

    #[test]
    fn images_may_have_channels_each_of_its_own_scale() {
        let mut columns = Vec::new();
        for column in shapes().columns() {
            let Some(place) = column.name.strip_prefix("pixel_") else {
                columns.push(column.clone());
                continue;
            };
            for (channel, scale) in [1.0, 10.0].into_iter().enumerate() {
                let values = column.values.iter().map(|value| value * scale);
                columns.push(DataColumn::numbers(
                    format!("pixel_{channel}_{place}"),
                    None,
                    values.collect::<Vec<_>>(),
                ));
            }
        }
        let data = Dataset::new(columns).expect("data");
        let conv = conv(data.clone());
        let network = conv.network(&TrainingRows::alike(data)).expect("a network");
        assert_eq!(network.layout().tensors[0].shape, [3, 2, 3, 3]);
        let (one, two) = (&network.inputs()[41], &network.inputs()[42]);
        assert_eq!(
            (&one.name[..], &two.name[..]),
            ("pixel_0_5_6", "pixel_1_0_0")
        );
        assert!((two.std / one.std - 10.0).abs() < 1e-9);
        let parent = conv.run(&Context::alone("c")).expect("trains");
        assert!(parent.losses.last().expect("a curve").1 < 0.1);
        let parts = parent.to_parts().expect("parts");
        assert_eq!(Parent::from_parts(&parts).expect("a parent"), parent);
    }

    #[test]
    fn missing_pixels_are_refused() {
        let columns: Vec<DataColumn> = shapes().columns()[1..].to_vec();
        let holed = Dataset::new(columns).expect("data");
        assert_eq!(
            message(conv(holed)),
            "expected all pixels of 6 by 7, found 41"
        );
        let label = shapes().columns()[42].clone();
        let none = Dataset::new(vec![label]).expect("data");
        assert_eq!(
            message(conv(none)),
            "expected images, found no column `pixel_0_0`"
        );
    }
}
