//! Which orders of hidden units give the same function, and weights in another such order.

use std::borrow::Cow;

use engine::artifact::Layout;
use faer::Mat;

use crate::networks::Network;

/// Units whose order is free, and the axes of tensors that follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Units {
    /// How many.
    pub count: usize,
    axes: Vec<Axis>,
}

/// An axis of a tensor, or blocks of equal length along it, one for each unit: an entry is at
/// `(outer · count + unit) · inner + rest`, from `start` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    /// Where its tensor begins; no two of the same tensor are elsewhere.
    pub start: usize,
    pub outer: usize,
    pub inner: usize,
}

impl Axis {
    fn of(shape: &[usize], start: usize, axis: usize, count: usize) -> Option<Self> {
        let size = *shape.get(axis)?;
        let block = size.checked_div(count)?;
        let rest: usize = shape[axis + 1..].iter().product();
        (block * count == size).then(|| Self {
            start,
            outer: shape[..axis].iter().product(),
            inner: block * rest,
        })
    }

    fn permute(&self, weights: &mut [f32], order: &[usize]) {
        let width = order.len() * self.inner;
        let all = self.start..self.start + self.outer * width;
        let before = weights[all.clone()].to_vec();
        let rows = weights[all]
            .chunks_exact_mut(width)
            .zip(before.chunks_exact(width));
        for (to, from) in rows {
            for (to, unit) in to.chunks_exact_mut(self.inner).zip(order) {
                to.copy_from_slice(&from[unit * self.inner..][..self.inner]);
            }
        }
    }
}

/// The free orders of a network's units; none where they are not known.
pub(crate) fn of_network(network: &Network) -> Option<Vec<Units>> {
    let layout = network.layout();
    match network.heads() {
        Some(heads) => of_encoder(&layout, heads),
        None => of_layers(&layout),
    }
}

/// The units that can be left out one by one, layer after layer: those of dense layers, channels, and
/// what is between the two dense layers of a transformer's layers. None where they are not known.
pub(crate) fn hidden(network: &Network) -> Option<Vec<Units>> {
    let units = of_network(network)?;
    match network.heads() {
        // The numbers of a token go first, then the heads of each layer and what is within it.
        Some(_) => Some(units.into_iter().skip(2).step_by(2).collect()),
        None => Some(units),
    }
}

/// The free orders of a transformer: of the numbers of a token, the same in all layers, of the
/// heads of each layer, each as a whole, and of what is between its two dense layers.
fn of_encoder(layout: &Layout, heads: usize) -> Option<Vec<Units>> {
    let size = |name: &str, axis: usize| {
        let tensor = layout.tensors.iter().find(|tensor| tensor.name == name)?;
        tensor.shape.get(axis).copied()
    };
    let axis = |name: &str, axis: usize, count: usize| {
        let mut tensors = layout.ranges();
        let (tensor, range) = tensors.find(|(tensor, _)| tensor.name == name)?;
        Axis::of(&tensor.shape, range.start, axis, count)
    };
    let width = size("tokens.weight", 1)?;
    let mut token = vec![
        axis("tokens.weight", 1, width)?,
        axis("tokens.bias", 1, width)?,
        axis("head.weight", 1, width)?,
    ];
    let mut of_layers = Vec::new();
    for layer in 0.. {
        let Some(inner) = size(&format!("layers.{layer}.linear1.weight"), 0) else {
            break;
        };
        let axis = |part: &str, at: usize, count: usize| {
            axis(&format!("layers.{layer}.{part}"), at, count)
        };
        for (part, at) in [
            ("self_attn.in_proj_weight", 1),
            ("self_attn.out_proj.weight", 0),
            ("self_attn.out_proj.bias", 0),
            ("linear1.weight", 1),
            ("linear2.weight", 0),
            ("linear2.bias", 0),
            ("norm1.weight", 0),
            ("norm1.bias", 0),
            ("norm2.weight", 0),
            ("norm2.bias", 0),
        ] {
            token.push(axis(part, at, width)?);
        }
        // Questions, keys and answers follow each other, each with all heads.
        let thirds = |part: &str| {
            let all = axis(part, 0, 3 * heads)?;
            Some(Axis { outer: 3, ..all })
        };
        of_layers.push(Units {
            count: heads,
            axes: vec![
                thirds("self_attn.in_proj_weight")?,
                thirds("self_attn.in_proj_bias")?,
                axis("self_attn.out_proj.weight", 1, heads)?,
            ],
        });
        of_layers.push(Units {
            count: inner,
            axes: vec![
                axis("linear1.weight", 0, inner)?,
                axis("linear1.bias", 0, inner)?,
                axis("linear2.weight", 1, inner)?,
            ],
        });
    }
    let token = Units {
        count: width,
        axes: token,
    };
    Some([vec![token], of_layers].concat())
}

/// The free orders of layers one after the other, each a weight, outputs first, and a bias: those
/// of the outputs of all but the last. None when the layout is of something else.
pub(crate) fn of_layers(layout: &Layout) -> Option<Vec<Units>> {
    let tensors: Vec<_> = layout.ranges().collect();
    let layers: Vec<_> = tensors.chunks(2).collect();
    let mut units = Vec::new();
    for (at, layer) in layers.iter().enumerate() {
        let [(weight, weights), (bias, biases)] = layer else {
            return None;
        };
        let count = *weight.shape.first()?;
        let is_layer = weight.name == format!("layers.{at}.weight")
            && bias.name == format!("layers.{at}.bias")
            && weight.shape.len() >= 2
            && bias.shape == [count];
        if !is_layer {
            return None;
        }
        let Some([(next, nexts), _]) = layers.get(at + 1) else {
            break;
        };
        units.push(Units {
            count,
            axes: vec![
                Axis::of(&weight.shape, weights.start, 0, count)?,
                Axis::of(&bias.shape, biases.start, 0, count)?,
                // The features of a channel follow each other where dense layers begin.
                Axis::of(&next.shape, nexts.start, 1, count)?,
            ],
        });
    }
    Some(units)
}

impl Units {
    /// So many, with the axes that follow their order.
    pub fn new(count: usize, axes: Vec<Axis>) -> Self {
        // Axes of tensors without entries carry nothing.
        let axes = axes.into_iter().filter(|axis| axis.outer * axis.inner > 0);
        Self {
            count,
            axes: axes.collect(),
        }
    }

    /// Whether two axes of one tensor follow the order, as those of a recurrent weight do.
    pub fn is_squared(&self) -> bool {
        self.axes
            .iter()
            .any(|axis| self.beside(axis).next().is_some())
    }

    /// The other axes of the same tensor.
    fn beside(&self, axis: &Axis) -> impl Iterator<Item = &Axis> {
        let is_other = move |other: &&Axis| other.start == axis.start && *other != axis;
        self.axes.iter().filter(is_other)
    }

    /// Where the weights of a unit are: its own with its bias, and those that take it.
    pub fn places(&self, unit: usize) -> [Vec<usize>; 2] {
        let (takes, own) = self.axes.split_last().unzip();
        let of = |axis: &Axis| -> Vec<usize> {
            let outer = (0..axis.outer).map(|outer| outer * self.count + unit);
            let blocks = outer.map(|block| axis.start + block * axis.inner);
            blocks.flat_map(|start| start..start + axis.inner).collect()
        };
        let own: &[Axis] = own.unwrap_or_default();
        [
            own.iter().flat_map(of).collect(),
            takes.map(of).unwrap_or_default(),
        ]
    }

    /// Puts the units in another order: unit `i` becomes the one that was `order[i]`.
    pub fn permute(&self, weights: &mut [f32], order: &[usize]) {
        for axis in &self.axes {
            axis.permute(weights, order);
        }
    }

    /// How well each unit of one network agrees with each of another: the sum of products of
    /// their weights, `[count, count]`. Where a tensor has several axes of these units, all but the
    /// one at hand are in the order that the units of the other network have so far.
    pub fn agreement(&self, one: &[f32], other: &[f32], order: &[usize]) -> Vec<f64> {
        let own = self.matrix(&|_| Cow::Borrowed(one));
        let in_order = |axis: &Axis| {
            let mut weights = Cow::Borrowed(other);
            for beside in self.beside(axis) {
                beside.permute(weights.to_mut(), order);
            }
            weights
        };
        let products = own * self.matrix(&in_order).transpose();
        let places =
            (0..self.count).flat_map(|row| (0..self.count).map(move |column| (row, column)));
        places.map(|place| products[place]).collect()
    }

    /// A row for each unit with all its weights.
    fn matrix<'w>(&self, weights_at: &dyn Fn(&Axis) -> Cow<'w, [f32]>) -> Mat<f64> {
        let columns: usize = self.axes.iter().map(|axis| axis.outer * axis.inner).sum();
        let mut matrix = Mat::zeros(self.count, columns);
        let mut column = 0;
        for axis in &self.axes {
            let weights = weights_at(axis);
            for outer in 0..axis.outer {
                for inner in 0..axis.inner {
                    for unit in 0..self.count {
                        let place = (outer * self.count + unit) * axis.inner + inner;
                        matrix[(unit, column)] = f64::from(weights[axis.start + place]);
                    }
                    column += 1;
                }
            }
        }
        matrix
    }
}
