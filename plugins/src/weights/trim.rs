//! `trim(tuned - net, keep: 20 %)`: all but a share of the weights set to zero.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use dsl::types::Kind;
use engine::error::Fault;
use engine::params::{Input, Origins};
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use engine::{plugin, words};
use rand::RngExt;

use super::Weights;
use super::support::facts::{is, made, most_rows, network, short};
use super::support::rows::Rows;
use super::support::scope::{Scope, parts, within};
use super::support::stream::{Source, lone, walk, write};
use crate::calls::too_large;
use crate::parents::Parent;

words! {
    /// How the weights that are kept are chosen.
    pub enum TrimBy {
        /// Those of largest magnitude.
        Magnitude = "magnitude",
        /// Each with the probability of the share.
        Chance = "chance",
        /// Each with a probability that grows with the rank of its magnitude.
        Rank = "rank",
        /// Those that are left when the largest and then the smallest are gone.
        Middle = "middle",
    }
}

words! {
    /// What makes up for the weights that are gone.
    pub enum Rescale {
        /// Nothing.
        None = "none",
        /// Division by the share that is kept; of `rank`, by the probability of each.
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
    /// (Yu et al. 2024): each is kept with the probability `keep` and divided by it. By `rank` it
    /// is DELLA (Deep et al. 2024): of n weights, the one of rank r, counted from 0 for the smallest
    /// magnitude, is kept with the probability keep - epsilon + 2 epsilon r / (n - 1); with
    /// `epsilon: 0` it is `chance`. `middle` drops
    /// the share `drop_top` of the largest, then the smallest until `keep` are left (Davari and
    /// Belilovsky 2023, model breadcrumbs). Shares and ranks are counted over all weights, within each
    /// tensor, or within each row of a matrix, as DELLA does. What is trimmed is mostly a difference; a
    /// network is pruned to its largest weights. A row that diverged stays one.
    ///
    /// Time is that of reading the weights a few times, memory a few MiB; `rank` has the
    /// magnitudes that it sorts in memory, 8 bytes for each weight of the scope.
    ///
    /// ```farcast
    /// weights large = trim(walk - net, keep: 20 %)
    /// weights some = trim(walk - net, keep: 10 %, by: chance, rescale: share)
    /// weights ranked = trim(walk - net, keep: 30 %, by: rank, epsilon: 0.2, scope: row, rescale: share)
    /// ```
    "trim" version 3
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
        /// How far the probabilities of `rank` go from `keep`, to either side.
        epsilon: Option<f64>, range("0..=0.5");
        /// The networks that the weights belong to.
        networks: Origins<Parent>, origins("weights");
    }
}

impl Plugin for Trim {
    type Output = Weights;
    const RANDOM: bool = true;
    // Version 2 keeps the form of files, version 3 marks of rows that diverged.
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
        let odds = Self::odds(call).or_else(|| Self::too_large(call));
        let input = call.input("weights");
        let role = input.and_then(|it| network(call, it.degree(), it.is_single()));
        let found = [unused, more, divided, odds, role];
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
        if self.odds_by_rank().is_none() {
            self.bounds(&source, &parts, &mut plan, context)?;
        }
        let mut kept = KeptWeights::new(&self, &source, &parts, &plan, context);
        let scales = match self.rescale {
            Rescale::None | Rescale::Share => None,
            Rescale::L1 | Rescale::L2 => Some(self.scales(&source, &parts, &mut kept, context)?),
        };
        let mut kept = KeptWeights::new(&self, &source, &parts, &plan, context);
        let sources = [source.clone()];
        write(target, &sources, context, |columns, blocks, made| {
            kept.reach(&columns, context)?;
            let rows = blocks[0].rows().zip(made.chunks_exact_mut(columns.len()));
            for (row, (weights, made)) in rows.enumerate() {
                for (part, here) in within(&parts, &columns) {
                    let scale = scales.as_ref().map_or(1.0, |scales| scales[row][part]);
                    for at in here {
                        let weight = weights[at];
                        made[at] = match kept.share(row, part, weight) {
                            Some(share) if self.rescale == Rescale::Share => {
                                1.0 / share * f64::from(weight)
                            }
                            Some(_) => scale * f64::from(weight),
                            // So that the row is known not to be of finite numbers.
                            None if !weight.is_finite() => f64::NAN,
                            None => 0.0,
                        };
                    }
                }
            }
            Ok(())
        })
    }
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

impl Bounds {
    /// The bits at its ranks, of all magnitudes in ascending order.
    fn between(&mut self, sorted: &[u32]) {
        let at = |rank: u64| sorted[sorted.len() - 1 - rank as usize];
        let before = |bits: u32| {
            let not_above = sorted.partition_point(|other| *other <= bits);
            (sorted.len() - not_above) as u64
        };
        let last = self.first + self.count - 1;
        (self.high, self.low) = (at(self.first), at(last));
        self.skip = self.first - before(self.high);
        self.equal = last - before(self.low) + 1;
    }
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

/// What rounding leaves of probabilities at their limits.
const SLACK: f64 = 1e-12;

/// How many bits of a magnitude a pass tells apart.
const BINS: usize = 1 << 16;

/// The bits of a magnitude: they are in the order of magnitudes.
fn bits(weight: f32) -> u32 {
    weight.abs().to_bits()
}

impl Trim {
    /// Refuses probabilities below 0 or above 1, and what is of `rank` elsewhere.
    fn odds(call: &Sketch) -> Option<Complaint> {
        let keep = call.get::<f64>("keep")?;
        let is_rank = call.get::<TrimBy>("by") == Some(TrimBy::Rank);
        let Some(epsilon) = call.get::<f64>("epsilon") else {
            let message = "expected `epsilon`: how far the probabilities go from `keep`";
            return is_rank.then(|| Complaint::at("by", message));
        };
        if !is_rank {
            return Some(Complaint::at("epsilon", "`epsilon` is of `by: rank` alone"));
        }
        let (least, most) = (keep - epsilon, keep + epsilon);
        let message = format!(
            "the probabilities go from {} to {}: expected 0 to 1",
            short(least),
            short(most)
        );
        let is_wrong = least < -SLACK || most > 1.0 + SLACK;
        is_wrong.then(|| Complaint::at("epsilon", message))
    }

    /// Refuses to sort more weights at once than fit in memory.
    fn too_large(call: &Sketch) -> Option<Complaint> {
        let input = call.input("weights")?;
        let is_rank = call.get::<TrimBy>("by") == Some(TrimBy::Rank);
        let is_whole = call.get::<Scope>("scope") == Some(Scope::Network);
        let weights = input.facts.network.as_ref()?.weights?;
        let rows = most_rows(&input)?;
        let bytes = weights.saturating_mul(rows).saturating_mul(8);
        too_large("by", bytes).filter(|_| is_rank && is_whole)
    }

    /// For `chance` and `rank`, how far the probabilities go from `keep`.
    fn odds_by_rank(&self) -> Option<f64> {
        match self.by {
            TrimBy::Chance => Some(0.0),
            TrimBy::Rank => Some(self.epsilon.unwrap_or(0.0)),
            TrimBy::Magnitude | TrimBy::Middle => None,
        }
    }

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
                if range.len() <= BINS {
                    let sorted = Ranks::of(&alone, range, context)?.sorted;
                    bounds.between(&sorted);
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
            kept.reach(&columns, context)?;
            for (row, weights) in blocks[0].rows().enumerate() {
                for (part, here) in within(parts, &columns) {
                    for weight in &weights[here] {
                        let size = f64::from(weight.abs());
                        let size = match self.rescale {
                            Rescale::L2 => size * size,
                            _ => size,
                        };
                        sums[row][part][0] += size;
                        if kept.share(row, part, *weight).is_some() {
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

/// The magnitudes of a part of a row in their order.
struct Ranks {
    /// Their bits, ascending.
    sorted: Vec<u32>,
    /// For the first of equal ones how many of these there were so far.
    met: Vec<u32>,
}

impl Ranks {
    /// Of the only row of a source.
    fn of(source: &Source, range: &Range<usize>, context: &Context) -> Result<Self, Fault> {
        let mut sorted = Vec::with_capacity(range.len());
        source.scan(range, context, |weight| sorted.push(bits(weight)))?;
        sorted.sort_unstable();
        Ok(Self {
            met: vec![0; sorted.len()],
            sorted,
        })
    }

    /// The rank of the next weight, from 0 for the smallest to 1 for the largest, asked for in the
    /// order of columns: of equal ones the first has the highest. One weight alone is in the middle.
    fn next(&mut self, weight: f32) -> f64 {
        let bits = bits(weight);
        let first = self.sorted.partition_point(|other| *other < bits);
        let after = first + self.sorted[first..].partition_point(|other| *other == bits);
        let Some(met) = self.met.get_mut(first) else {
            return 0.5;
        };
        let rank = after.saturating_sub(1 + *met as usize);
        *met += 1;
        match self.sorted.len() {
            1 => 0.5,
            all => rank as f64 / (all - 1) as f64,
        }
    }
}

/// Which weights are kept, asked for in the order of columns.
struct KeptWeights<'a> {
    keep: f64,
    /// How far probabilities go from `keep`, where weights are kept at random.
    odds: Option<f64>,
    source: &'a Source<'a>,
    parts: &'a [Range<usize>],
    plan: &'a Plan,
    /// For each row and part how many weights equal the high and the low bound so far.
    met: Vec<Vec<[u64; 2]>>,
    /// For each row a stream of numbers from 0 to 1.
    streams: Vec<Box<dyn FnMut() -> f64>>,
    /// For each row the ranks of the parts at hand.
    ranks: Vec<BTreeMap<usize, Ranks>>,
}

impl<'a> KeptWeights<'a> {
    fn new(
        trim: &Trim,
        source: &'a Source<'a>,
        parts: &'a [Range<usize>],
        plan: &'a Plan,
        context: &Context,
    ) -> Self {
        let rows = 0..plan.bounds.len();
        let odds = trim.odds_by_rank();
        Self {
            keep: trim.keep,
            odds,
            source,
            parts,
            plan,
            met: rows.clone().map(|_| vec![[0; 2]; parts.len()]).collect(),
            streams: match odds {
                Some(_) => rows.clone().map(|row| stream(context, row)).collect(),
                None => Vec::new(),
            },
            ranks: rows.map(|_| BTreeMap::new()).collect(),
        }
    }

    /// Goes on to these columns.
    fn reach(&mut self, columns: &Range<usize>, context: &Context) -> Result<(), Fault> {
        if self.odds.is_none_or(|odds| odds == 0.0) {
            return Ok(());
        }
        for (row, ranks) in self.ranks.iter_mut().enumerate() {
            ranks.retain(|part, _| self.parts[*part].end > columns.start);
            let alone = Source {
                table: self.source.table,
                rows: vec![self.source.rows[row]],
            };
            for (part, _) in within(self.parts, columns) {
                if let Entry::Vacant(place) = ranks.entry(part) {
                    place.insert(Ranks::of(&alone, &self.parts[part], context)?);
                }
            }
        }
        Ok(())
    }

    /// With which share of its kind the next weight is kept; none when it is not.
    fn share(&mut self, row: usize, part: usize, weight: f32) -> Option<f64> {
        let Some(odds) = self.odds else {
            return self.is_within(row, part, weight).then_some(self.keep);
        };
        let rank = self.ranks[row].get_mut(&part).map(|it| it.next(weight));
        let share = self.keep + odds * rank.map_or(0.0, |rank| 2.0 * rank - 1.0);
        ((self.streams[row])() < share).then_some(share)
    }

    fn is_within(&mut self, row: usize, part: usize, weight: f32) -> bool {
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

    /// Numbers of either sign, many of them equal in size.
    fn tied(length: usize) -> Vec<f64> {
        let number = |at: usize| ((at * 7919 + at / 3) % 1009) as f64 / 100.0 - 3.0;
        (0..length).map(number).collect()
    }

    /// The places of a row from the largest magnitude down, of equal ones the first before others.
    fn ranked(row: &[f64]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..row.len()).collect();
        order.sort_by(|a, b| (row[*b] as f32).abs().total_cmp(&(row[*a] as f32).abs()));
        order
    }

    #[test]
    fn histograms_find_what_sorting_finds() {
        for length in [1000, BINS + 5000] {
            let row = tied(length);
            let order = ranked(&row);
            let share = |share: f64| (share * length as f64 + 0.5).floor() as usize;
            for (arguments, first, count) in [
                ("keep: 12.3 %", 0, share(0.123)),
                (
                    "keep: 40 %, by: middle, drop_top: 7 %",
                    share(0.07),
                    share(0.4),
                ),
            ] {
                let mut expected = vec![0.0_f32; length];
                for at in &order[first..first + count] {
                    expected[*at] = row[*at] as f32;
                }
                assert!(trimmed(std::slice::from_ref(&row), arguments) == expected);
            }
        }
    }

    #[test]
    fn by_rank_each_is_kept_with_a_probability_of_its_own() {
        let rows = [tied(3000), tied(6000)[3000..].to_vec()];
        let (keep, epsilon) = (0.4, 0.3);
        let found = trimmed(&rows, "keep: 40 %, by: rank, epsilon: 0.3, rescale: share");
        let context = Context::alone("trim");
        let mut kept = [0; 2];
        for ((number, row), found) in rows.iter().enumerate().zip(found.chunks_exact(3000)) {
            let mut draw = stream(&context, number);
            let draws: Vec<f64> = row.iter().map(|_| draw()).collect();
            for (place, at) in ranked(row).into_iter().enumerate() {
                let share = keep + epsilon - 2.0 * epsilon * place as f64 / 2999.0;
                let is_kept = draws[at] < share && row[at] != 0.0;
                let expected = if is_kept { row[at] / share } else { 0.0 };
                assert!((f64::from(found[at]) - expected).abs() <= 1e-5, "{at}");
                kept[place / 1500] += usize::from(is_kept);
            }
        }
        // 55 and 25 % are expected, with a deviation of 0.9 %.
        let shares = kept.map(|kept| kept as f64 / 3000.0);
        assert!((shares[0] - 0.55).abs() < 0.03 && (shares[1] - 0.25).abs() < 0.03);
        for scale in ["none", "share", "l2"] {
            let run = |by: &str| trimmed(&rows, &format!("keep: 40 %, rescale: {scale}, by: {by}"));
            assert_eq!(run("rank, epsilon: 0"), run("chance"));
        }
    }

    #[test]
    fn shares_are_counted_in_rows_of_matrices_and_diverged_rows_stay_so() {
        let rows = [vec![1.0, -2.0, 3.0, 40.0, 50.0, -60.0], vec![f64::NAN; 6]];
        let mut matrix = table(&rows, None);
        matrix.table.layout.tensors[0].shape = vec![2, 3];
        let run = |arguments: &str| {
            let trim: Trim = call(&format!("w, {arguments}"), &[("w", given(matrix.clone()))]);
            trim.run(&Context::alone("trim")).expect("runs")
        };
        let found = run("keep: 34 %, scope: row");
        assert_eq!(weights_of(&found)[..6], [0.0, 0.0, 3.0, 0.0, 0.0, -60.0]);
        let found = run("keep: 34 %, scope: network");
        assert_eq!(weights_of(&found)[..6], [0.0, 0.0, 0.0, 0.0, 50.0, -60.0]);
        for arguments in ["keep: 0", "keep: 0, by: chance"] {
            let marks = run(arguments).table.coordinates;
            let marks = marks
                .column("diverged")
                .expect("marks")
                .bool()
                .expect("marks");
            assert_eq!(marks.iter().collect::<Vec<_>>(), [Some(false), Some(true)]);
        }
    }
}
