//! `trim(tuned - net, keep: 20 %)`: all but a share of the weights set to zero.

use std::ops::Range;

use dsl::types::Kind;
use engine::artifact::Layout;
use engine::error::Fault;
use engine::params::{Input, Origins};
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use engine::{plugin, words};
use rand::RngExt;

use super::Weights;
use super::support::facts::{is, made, network};
use super::support::rows::Rows;
use super::support::stream::{Source, lone, walk, write};
use crate::parents::Parent;

words! {
    /// How the weights that are kept are chosen.
    pub enum TrimBy {
        /// Those of largest magnitude.
        Magnitude = "magnitude",
        /// Each with the probability of the share.
        Chance = "chance",
        /// Those that are left when the largest and then the smallest are gone.
        Middle = "middle",
    }
}

words! {
    /// Where a share is counted.
    pub enum Scope {
        /// Over all weights.
        Network = "network",
        /// Over each tensor.
        Tensor = "tensor",
    }
}

words! {
    /// What makes up for the weights that are gone.
    pub enum Rescale {
        /// Nothing.
        None = "none",
        /// Division by the share that is kept.
        Share = "share",
        /// The sum of magnitudes stays.
        L1 = "l1",
        /// The root of the sum of squares stays.
        L2 = "l2",
    }
}

plugin! {
    /// Zero in place of all weights but a share.
    ///
    /// By `magnitude`, the round(keep · n) largest are kept, of equal ones those that come first:
    /// the first step of TIES (Yadav et al. 2023). By `chance` with `rescale: share` it is DARE
    /// (Yu et al. 2024): each is kept with the probability `keep` and divided by it. `middle` drops
    /// the share `drop_top` of the largest, then the smallest until `keep` are left (Davari and
    /// Belilovsky 2023, model breadcrumbs). Shares are counted over all weights, or within each
    /// tensor. What is trimmed is mostly a difference; a network is pruned to its largest weights.
    ///
    /// ```farcast
    /// weights large = trim(walk - net, keep: 20 %)
    /// weights some = trim(walk - net, keep: 10 %, by: chance, rescale: share)
    /// ```
    "trim" version 2
    pub struct Trim {
        /// The weights.
        weights: Input<Weights>;
        /// The share that is kept.
        keep: f64, range("0..=1");
        /// How these are chosen.
        by: TrimBy = "magnitude";
        /// Where shares are counted.
        scope: Scope = "network";
        /// What makes up for the rest.
        rescale: Rescale = "none";
        /// The share of the largest that `middle` drops.
        drop_top: f64 = "0", range("0..=1");
        /// The networks that the weights belong to.
        networks: Origins<Parent>, origins("weights");
    }
}

impl Plugin for Trim {
    type Output = Weights;
    const RANDOM: bool = true;
    // Version 2 keeps the form of files.
    const STREAMS: u32 = 1;

    fn kinds() -> Vec<Kind> {
        vec![Kind::Weights, Kind::Parent, Kind::Child]
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let (keep, top) = (call.get::<f64>("keep"), call.get::<f64>("drop_top"));
        let is_middle = call.get::<TrimBy>("by") == Some(TrimBy::Middle);
        let (keep, top) = (keep.unwrap_or(0.0), top.unwrap_or(0.0));
        let unused = top > 0.0 && !is_middle;
        let unused = unused
            .then(|| Complaint::at("drop_top", "`drop_top` is of `by: middle` alone").as_warning());
        let more = is_middle && keep + top > 1.0 + 1e-12;
        let more = more.then(|| {
            let message = format!("`keep` and `drop_top` are {} of the weights", keep + top);
            Complaint::at("drop_top", message)
        });
        let divided = keep == 0.0 && call.get::<Rescale>("rescale") == Some(Rescale::Share);
        let divided = divided.then(|| Complaint::at("keep", "a share of 0 cannot be divided by"));
        let input = call.input("weights");
        let role = input.and_then(|it| network(call, it.degree(), it.is_single()));
        let found = [unused, more, divided, role];
        found.into_iter().flatten().collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let inputs = call.inputs("weights");
        let degree = inputs.first().map_or(0.0, |input| input.degree());
        let degree = if is(degree, 0.0) { 0.0 } else { degree };
        made(call, &inputs, degree)
    }

    fn run(self, context: &Context) -> Result<Weights, Fault> {
        let rows = Rows::of(&self.weights, context.member())?;
        let (source, target) = lone(rows, &self.networks, "weights", context)?;
        let parts = parts(&target.layout, self.scope);
        let mut plan = Plan::new(source.rows.len(), &parts);
        if self.by != TrimBy::Chance {
            self.bounds(&source, &parts, &mut plan, context)?;
        }
        let mut kept = KeptWeights::new(&self, &parts, &plan, context);
        let scales = match self.rescale {
            Rescale::None => None,
            Rescale::Share => Some(vec![vec![1.0 / self.keep; parts.len()]; source.rows.len()]),
            Rescale::L1 | Rescale::L2 => Some(self.scales(&source, &parts, &mut kept, context)?),
        };
        let mut kept = KeptWeights::new(&self, &parts, &plan, context);
        write(target, &[source], context, |columns, blocks, made| {
            let rows = blocks[0].rows().zip(made.chunks_exact_mut(columns.len()));
            for (row, (weights, made)) in rows.enumerate() {
                for (part, here) in within(&parts, &columns) {
                    let scale = scales.as_ref().map_or(1.0, |scales| scales[row][part]);
                    for at in here {
                        let weight = weights[at];
                        if kept.is_kept(row, part, weight) {
                            made[at] = scale * f64::from(weight);
                        }
                    }
                }
            }
            Ok(())
        })
    }
}

/// The ranges of weights over which shares are counted.
pub(crate) fn parts(layout: &Layout, scope: Scope) -> Vec<Range<usize>> {
    match scope {
        Scope::Network => vec![0..layout.len()],
        Scope::Tensor => layout.ranges().map(|(_, range)| range).collect(),
    }
}

/// The parts that some columns are in, with their places among these columns.
pub(crate) fn within(
    parts: &[Range<usize>],
    columns: &Range<usize>,
) -> impl Iterator<Item = (usize, Range<usize>)> {
    parts.iter().enumerate().filter_map(|(part, range)| {
        let start = columns.start.max(range.start);
        let end = columns.end.min(range.end);
        (start < end).then(|| (part, start - columns.start..end - columns.start))
    })
}

/// Where the ranks of a part begin and end: magnitudes between two bounds are kept, and of those
/// equal to a bound some that come first, or after some that come first.
#[derive(Clone, Copy, Debug, Default)]
struct Bounds {
    /// The rank from which on weights are kept, largest first, and how many.
    first: u64,
    count: u64,
    /// The bits of the magnitude at the first rank, and how many equal ones go before it.
    high: u32,
    skip: u64,
    /// The bits at the last rank, and how many equal ones are kept, counted from the first equal.
    low: u32,
    equal: u64,
}

struct Plan {
    /// For each row and part.
    bounds: Vec<Vec<Bounds>>,
}

impl Plan {
    fn new(rows: usize, parts: &[Range<usize>]) -> Self {
        Self {
            bounds: vec![vec![Bounds::default(); parts.len()]; rows],
        }
    }
}

/// How many bits of a magnitude a pass tells apart.
const BINS: usize = 1 << 16;

/// The bits of a magnitude: they are in the order of magnitudes.
fn bits(weight: f32) -> u32 {
    weight.abs().to_bits()
}

impl Trim {
    /// Finds the magnitudes at the first and last rank that is kept: by the upper half of their
    /// bits in one pass, by the lower half in another.
    fn bounds(
        &self,
        source: &Source,
        parts: &[Range<usize>],
        plan: &mut Plan,
        context: &Context,
    ) -> Result<(), Fault> {
        let rows = source.rows.len();
        for bounds in &mut plan.bounds {
            for (bounds, part) in bounds.iter_mut().zip(parts) {
                let all = part.len() as u64;
                let share = |share: f64| (share * all as f64 + 0.5).floor() as u64;
                bounds.first = match self.by {
                    TrimBy::Middle => share(self.drop_top).min(all),
                    _ => 0,
                };
                bounds.count = share(self.keep).min(all - bounds.first);
            }
        }
        // One row at a time, and one part at a time within it where there are many: memory is
        // two histograms.
        for row in 0..rows {
            let alone = Source {
                table: source.table,
                rows: vec![source.rows[row]],
            };
            for (part, range) in parts.iter().enumerate() {
                let bounds = &mut plan.bounds[row][part];
                if bounds.count == 0 {
                    continue;
                }
                let ranks = [bounds.first, bounds.first + bounds.count - 1];
                let mut upper = vec![0_u64; BINS];
                alone.scan(range, context, |weight| {
                    upper[(bits(weight) >> 16) as usize] += 1
                })?;
                let found = ranks.map(|rank| rank_in(&upper, rank));
                let mut lower = [vec![0_u64; BINS], vec![0_u64; BINS]];
                alone.scan(range, context, |weight| {
                    let bits = bits(weight);
                    for (lower, (bin, _)) in lower.iter_mut().zip(&found) {
                        if bits >> 16 == *bin {
                            lower[(bits & 0xffff) as usize] += 1;
                        }
                    }
                })?;
                let exact = [0, 1].map(|end| {
                    let (bin, rest) = found[end];
                    let (low, before) = rank_in(&lower[end], rest);
                    (bin << 16 | low, before)
                });
                (bounds.high, bounds.skip) = exact[0];
                bounds.low = exact[1].0;
                bounds.equal = exact[1].1 + 1;
            }
        }
        Ok(())
    }

    /// What brings the norms of the parts back.
    fn scales(
        &self,
        source: &Source,
        parts: &[Range<usize>],
        kept: &mut KeptWeights,
        context: &Context,
    ) -> Result<Vec<Vec<f64>>, Fault> {
        let mut sums = vec![vec![[0.0_f64; 2]; parts.len()]; source.rows.len()];
        walk(std::slice::from_ref(source), context, |columns, blocks| {
            for (row, weights) in blocks[0].rows().enumerate() {
                for (part, here) in within(parts, &columns) {
                    for weight in &weights[here] {
                        let size = f64::from(weight.abs());
                        let size = match self.rescale {
                            Rescale::L2 => size * size,
                            _ => size,
                        };
                        sums[row][part][0] += size;
                        if kept.is_kept(row, part, *weight) {
                            sums[row][part][1] += size;
                        }
                    }
                }
            }
            Ok(())
        })?;
        let scale = |[all, kept]: [f64; 2]| match (kept > 0.0, self.rescale) {
            (false, _) => 1.0,
            (true, Rescale::L2) => (all / kept).sqrt(),
            (true, _) => all / kept,
        };
        let scales = sums
            .into_iter()
            .map(|row| row.into_iter().map(scale).collect());
        Ok(scales.collect())
    }
}

/// The bin of a rank, counted from the highest bin, and the rank within it.
fn rank_in(bins: &[u64], rank: u64) -> (u32, u64) {
    let mut before = 0;
    for (bin, count) in bins.iter().enumerate().rev() {
        if before + count > rank {
            return (bin as u32, rank - before);
        }
        before += count;
    }
    (0, 0)
}

impl Source<'_> {
    /// Calls `each` with the weights of a range, all rows of it.
    fn scan(
        &self,
        range: &Range<usize>,
        context: &Context,
        mut each: impl FnMut(f32),
    ) -> Result<(), Fault> {
        for columns in self.table.spans(range.clone(), self.rows.len()) {
            context.check_stop()?;
            let block = self.table.read(&self.rows, columns)?;
            block.values.iter().for_each(|weight| each(*weight));
        }
        Ok(())
    }
}

/// Numbers from 0 to 1 for one row.
fn stream(context: &Context, row: usize) -> Box<dyn FnMut() -> f64> {
    let mut rng = context.rng(&format!("row {row}"));
    Box::new(move || rng.random::<f64>())
}

/// Which weights are kept, asked for in the order of columns.
struct KeptWeights<'a> {
    by: TrimBy,
    keep: f64,
    plan: &'a Plan,
    /// For each row and part how many weights equal the high and the low bound so far.
    met: Vec<Vec<[u64; 2]>>,
    /// For each row a stream of numbers from 0 to 1.
    streams: Vec<Box<dyn FnMut() -> f64>>,
}

impl<'a> KeptWeights<'a> {
    fn new(trim: &Trim, parts: &[Range<usize>], plan: &'a Plan, context: &Context) -> Self {
        let rows = 0..plan.bounds.len();
        Self {
            by: trim.by,
            keep: trim.keep,
            plan,
            met: rows.clone().map(|_| vec![[0; 2]; parts.len()]).collect(),
            streams: match trim.by {
                TrimBy::Chance => rows.map(|row| stream(context, row)).collect(),
                _ => Vec::new(),
            },
        }
    }

    fn is_kept(&mut self, row: usize, part: usize, weight: f32) -> bool {
        if self.by == TrimBy::Chance {
            return (self.streams[row])() < self.keep;
        }
        let bounds = self.plan.bounds[row][part];
        let bits = bits(weight);
        if bounds.count == 0 || bits > bounds.high || bits < bounds.low {
            return false;
        }
        let met = &mut self.met[row][part];
        let mut kept = true;
        if bits == bounds.high {
            kept &= met[0] >= bounds.skip;
            met[0] += 1;
        }
        if bits == bounds.low {
            kept &= met[1] < bounds.equal;
            met[1] += 1;
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{call, given};
    use crate::weights::support::testing::{close, flat, merge, table, weights_of};

    fn trimmed(rows: &[Vec<f64>], arguments: &str) -> Vec<f32> {
        let trim: Trim = call(
            &format!("w, {arguments}"),
            &[("w", given(table(rows, None)))],
        );
        weights_of(&trim.run(&Context::alone("trim")).expect("runs"))
    }

    #[test]
    fn the_largest_are_those_of_the_golden_file() {
        let golden = merge();
        let moved = flat(&golden.a)
            .iter()
            .zip(flat(&golden.base))
            .map(|(a, b)| a - b)
            .collect();
        close(&trimmed(&[moved], "keep: 20 %"), &golden.trim_a, 1e-6);
    }

    #[test]
    fn of_equal_weights_the_first_are_kept_and_all_are_kept_unchanged() {
        let row = vec![1.0, -2.0, 2.0, 0.5, -2.0, 3.0];
        assert_eq!(
            trimmed(std::slice::from_ref(&row), "keep: 50 %"),
            [0.0, -2.0, 2.0, 0.0, 0.0, 3.0]
        );
        let middle = "keep: 50 %, by: middle, drop_top: 33.4 %";
        assert_eq!(
            trimmed(std::slice::from_ref(&row), middle),
            [1.0, 0.0, 2.0, 0.0, -2.0, 0.0]
        );
        assert_eq!(
            trimmed(std::slice::from_ref(&row), "keep: 1"),
            [1.0, -2.0, 2.0, 0.5, -2.0, 3.0]
        );
        assert_eq!(trimmed(&[row], "keep: 0"), [0.0; 6]);
    }

    #[test]
    fn norms_come_back_and_chance_keeps_its_share() {
        let row: Vec<f64> = (1..=1000).map(|n| f64::from(n) / 100.0).collect();
        let all: f64 = row.iter().sum();
        let kept = trimmed(std::slice::from_ref(&row), "keep: 30 %, rescale: l1");
        let sum: f64 = kept.iter().map(|weight| f64::from(*weight)).sum();
        assert!((sum / all - 1.0).abs() < 1e-6);
        let kept = trimmed(
            std::slice::from_ref(&row),
            "keep: 25 %, by: chance, rescale: share",
        );
        let count = kept.iter().filter(|weight| **weight != 0.0).count();
        assert!((200..=300).contains(&count), "{count}");
        let scaled = kept.iter().zip(&row).filter(|(kept, _)| **kept != 0.0);
        assert!(
            scaled
                .into_iter()
                .all(|(kept, row)| (f64::from(*kept) - 4.0 * row).abs() < 1e-5)
        );
    }
}
