//! Gradient boosting of regression trees on histograms of the inputs.
//!
//! The algorithm and its order of decisions are those of scikit-learn's
//! `HistGradientBoostingRegressor` for the squared error, which follows LightGBM (Ke et al. 2017).

use std::mem::take;
use std::ops::Range;

use engine::error::Fault;
use engine::plugin::Context;

use crate::networks::Node;

/// How trees are grown.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    /// How many trees.
    pub iterations: usize,
    /// The share of what a tree has learned that is added.
    pub learning_rate: f64,
    /// The most leaves of a tree.
    pub leaves: usize,
    /// The fewest rows of a leaf.
    pub min_leaf: usize,
    /// How much large values of leaves cost.
    pub l2: f64,
}

/// Trees, the values of all leaves in the order of their numbers, and the mean they start from.
pub struct Boosted {
    /// The nodes of each tree.
    pub trees: Vec<Vec<Node>>,
    /// The values of the leaves.
    pub leaves: Vec<f64>,
    /// What every row begins with.
    pub base: f64,
}

impl Growth {
    /// Trees fitted one after another, each to what those before left over of the targets.
    ///
    /// # Errors
    /// When the run is stopped.
    pub fn boost(
        self,
        binned: &Binned,
        targets: &[f32],
        context: &Context,
    ) -> Result<Boosted, Fault> {
        let counts = &binned.counts;
        let targets = targets.iter().copied().map(f64::from);
        let sum: f64 = targets
            .clone()
            .zip(counts)
            .map(|(y, count)| y * count)
            .sum();
        let base = sum / counts.iter().sum::<f64>();
        let mut left: Vec<f64> = targets.map(|target| target - base).collect();
        let (mut trees, mut leaves) = (Vec::new(), Vec::new());
        for _ in 0..self.iterations {
            context.check_stop()?;
            let pull = |(left, weight): (&f64, &f64)| Pull {
                sum: left * weight,
                weight: *weight,
            };
            let pulls: Vec<Pull> = left.iter().zip(counts).map(pull).collect();
            let mut tree = Tree::new(binned, &pulls, self);
            tree.grow();
            let mut nodes = Vec::new();
            tree.write(0, &mut nodes, &mut leaves);
            trees.push(nodes);
            let learned = tree.learned();
            for (left, learned) in left.iter_mut().zip(learned) {
                *left -= learned;
            }
        }
        Ok(Boosted {
            trees,
            leaves,
            base,
        })
    }

    /// What a leaf with these rows adds, before the learning rate.
    fn value(self, pull: Pull) -> f64 {
        pull.sum / (pull.weight + self.l2)
    }
}

/// The inputs as numbers of bins: a byte for each, whatever they are.
pub struct Binned {
    /// The bin of each row, for each input.
    columns: Vec<Vec<u8>>,
    /// The largest value of each bin but the last, for each input.
    bounds: Vec<Vec<f32>>,
    /// How much each row counts, 1 on average.
    counts: Vec<f64>,
}

impl Binned {
    /// No inputs of as many rows; `weights` say how much each counts, all the same when left out.
    pub fn new(rows: usize, weights: Option<&[f64]>) -> Self {
        let counts = match weights {
            Some(weights) => {
                let mean = weights.iter().sum::<f64>() / weights.len() as f64;
                weights.iter().map(|weight| weight / mean).collect()
            }
            None => vec![1.0; rows],
        };
        Self {
            columns: Vec::new(),
            bounds: Vec::new(),
            counts,
        }
    }

    /// Adds an input.
    pub fn add(&mut self, values: &[f32], bins: usize) {
        let counting = values.iter().copied().zip(self.counts.iter().copied());
        let counting = counting.filter(|(_, count)| *count > 0.0).collect();
        let bounds = bounds(counting, bins);
        let bin = |value: &f32| bounds.partition_point(|bound| bound < value) as u8;
        self.columns.push(values.iter().map(bin).collect());
        self.bounds.push(bounds);
    }
}

/// The middles between values where these are few, else quantiles of values that count this much.
fn bounds(mut values: Vec<(f32, f64)>, bins: usize) -> Vec<f32> {
    values.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut distinct: Vec<f32> = values.iter().map(|(value, _)| *value).collect();
    distinct.dedup();
    let mut bounds: Vec<f32> = match distinct.len() <= bins {
        true => { distinct.windows(2) }
            .map(|pair| f32::midpoint(pair[0], pair[1]))
            .collect(),
        false => {
            let summed = values.iter().scan(0.0, |sum, (_, count)| {
                *sum += count;
                Some(*sum)
            });
            let summed: Vec<f64> = summed.collect();
            let all = summed.last().copied().unwrap_or_default();
            let quantile = |bin: usize| {
                let share = all * bin as f64 / bins as f64;
                let at = summed.partition_point(|sum| *sum < share);
                let next = at + usize::from(summed[at] == share);
                f32::midpoint(values[at].0, values[next].0)
            };
            (1..bins).map(quantile).collect()
        }
    };
    bounds.dedup();
    bounds
}

/// What rows want to be added: the sum of what is left over and how much they count.
#[derive(Clone, Copy, Default)]
struct Pull {
    sum: f64,
    weight: f64,
}

impl Pull {
    fn add(&mut self, more: Self) {
        self.sum += more.sum;
        self.weight += more.weight;
    }

    fn less(self, part: Self) -> Self {
        Self {
            sum: self.sum - part.sum,
            weight: self.weight - part.weight,
        }
    }
}

/// What the rows of one bin amount to.
#[derive(Clone, Copy, Default)]
struct Bin {
    pull: Pull,
    /// How many rows.
    rows: usize,
}

/// Where a node is best divided.
#[derive(Clone, Copy)]
struct Division {
    gain: f64,
    input: usize,
    /// The last bin that goes below.
    bin: u8,
}

/// A node while the tree grows.
struct Growing {
    /// Its part of the order of the rows.
    rows: Range<usize>,
    /// What its rows add.
    value: f64,
    /// The bins of all inputs, one input after another; empty where it will not be divided.
    histogram: Vec<Bin>,
    /// The best cut, until it is taken.
    cut: Option<Division>,
    /// The cut that was taken, with the nodes below and beyond.
    split: Option<(Division, usize, usize)>,
}

/// A tree while it grows: always at the node that gains most.
struct Tree<'a> {
    binned: &'a Binned,
    /// Of each row.
    pulls: &'a [Pull],
    growth: Growth,
    /// All rows; those of a node lie together.
    order: Vec<u32>,
    nodes: Vec<Growing>,
}

impl<'a> Tree<'a> {
    fn new(binned: &'a Binned, pulls: &'a [Pull], growth: Growth) -> Self {
        let mut tree = Self {
            binned,
            pulls,
            growth,
            order: (0..).take(pulls.len()).collect(),
            nodes: Vec::new(),
        };
        let rows = 0..pulls.len();
        let histogram = tree.histogram(&rows);
        tree.add(rows, histogram);
        tree
    }

    fn grow(&mut self) {
        for _ in 1..self.growth.leaves {
            let mut best: Option<(usize, Division)> = None;
            for (at, node) in self.nodes.iter().enumerate() {
                if let Some(cut) = node.cut
                    && best.is_none_or(|(_, best)| cut.gain > best.gain)
                {
                    best = Some((at, cut));
                }
            }
            let Some((at, cut)) = best else { return };
            self.divide(at, cut);
        }
    }

    fn divide(&mut self, at: usize, cut: Division) {
        let rows = self.nodes[at].rows.clone();
        let bins = &self.binned.columns[cut.input];
        let is_below = |row: &u32| bins[*row as usize] <= cut.bin;
        let (below, beyond): (Vec<u32>, Vec<u32>) = self.order[rows.clone()]
            .iter()
            .partition(|row| is_below(row));
        let middle = rows.start + below.len();
        self.order[rows.start..middle].copy_from_slice(&below);
        self.order[middle..rows.end].copy_from_slice(&beyond);
        let (below, beyond) = (rows.start..middle, middle..rows.end);
        // The larger part is what the smaller one leaves of the whole.
        let mut larger = take(&mut self.nodes[at].histogram);
        let is_small = below.len() < beyond.len();
        let smaller = self.histogram(if is_small { &below } else { &beyond });
        for (all, part) in larger.iter_mut().zip(&smaller) {
            all.pull = all.pull.less(part.pull);
            all.rows -= part.rows;
        }
        let (first, second) = match is_small {
            true => (smaller, larger),
            false => (larger, smaller),
        };
        let next = self.nodes.len();
        self.add(below, first);
        self.add(beyond, second);
        self.nodes[at].cut = None;
        self.nodes[at].split = Some((cut, next, next + 1));
    }

    /// Adds a node with its best cut.
    fn add(&mut self, rows: Range<usize>, histogram: Vec<Bin>) {
        let mut pull = Pull::default();
        for row in &self.order[rows.clone()] {
            pull.add(self.pulls[*row as usize]);
        }
        let may_split = rows.len() >= 2 * self.growth.min_leaf;
        let cut = may_split.then(|| self.best_cut(&histogram, pull, rows.len()));
        let cut = cut.flatten();
        self.nodes.push(Growing {
            value: self.growth.value(pull),
            rows,
            histogram: if cut.is_some() { histogram } else { Vec::new() },
            cut,
            split: None,
        });
    }

    /// The bins of some rows, [`WIDTH`] for each input.
    fn histogram(&self, rows: &Range<usize>) -> Vec<Bin> {
        let mut bins = vec![Bin::default(); self.binned.columns.len() * WIDTH];
        let inputs = self.binned.columns.iter().zip(bins.chunks_exact_mut(WIDTH));
        for (column, bins) in inputs {
            for row in &self.order[rows.clone()] {
                let bin = &mut bins[usize::from(column[*row as usize])];
                bin.pull.add(self.pulls[*row as usize]);
                bin.rows += 1;
            }
        }
        bins
    }

    /// The first cut of the largest gain in squared error.
    fn best_cut(&self, histogram: &[Bin], pull: Pull, rows: usize) -> Option<Division> {
        let reduction = |pull: Pull| pull.sum * self.growth.value(pull);
        let whole = reduction(pull);
        let fewest = self.growth.min_leaf;
        let mut best: Option<Division> = None;
        for (input, bins) in histogram.chunks_exact(WIDTH).enumerate() {
            let mut below = Bin::default();
            let cuts = bins.iter().take(self.binned.bounds[input].len());
            for (at, bin) in cuts.enumerate() {
                below.pull.add(bin.pull);
                below.rows += bin.rows;
                let beyond = pull.less(below.pull);
                if below.rows < fewest || below.pull.weight < LIGHTEST {
                    continue;
                }
                if rows - below.rows < fewest || beyond.weight < LIGHTEST {
                    break;
                }
                let parts = reduction(below.pull) + reduction(beyond);
                let gain = parts - whole;
                if gain > best.map_or(0.0, |best| best.gain) {
                    let bin = at as u8;
                    best = Some(Division { gain, input, bin });
                }
            }
        }
        best
    }

    /// What the tree adds to each row.
    fn learned(&self) -> Vec<f64> {
        let mut learned = vec![0.0; self.order.len()];
        for leaf in self.nodes.iter().filter(|node| node.split.is_none()) {
            let value = self.growth.learning_rate * leaf.value;
            let rows = &self.order[leaf.rows.clone()];
            rows.iter().for_each(|row| learned[*row as usize] = value);
        }
        learned
    }

    /// Writes a node and what hangs on it, the nodes below first.
    fn write(&self, at: usize, nodes: &mut Vec<Node>, leaves: &mut Vec<f64>) {
        let node = &self.nodes[at];
        let Some((cut, below, beyond)) = node.split else {
            nodes.push(Node::Leaf(leaves.len()));
            leaves.push(self.growth.learning_rate * node.value);
            return;
        };
        let own = nodes.len();
        nodes.push(Node::Leaf(0));
        self.write(below, nodes, leaves);
        let bound = self.binned.bounds[cut.input][usize::from(cut.bin)];
        nodes[own] = Node::Split(cut.input, bound, nodes.len());
        self.write(beyond, nodes, leaves);
    }
}

/// The least that the rows of a leaf count together (`min_hessian_to_split`).
const LIGHTEST: f64 = 1e-3;

/// How many bins an input has room for.
const WIDTH: usize = 256;
