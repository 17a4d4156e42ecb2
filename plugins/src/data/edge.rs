//! `edge(seen, unseen, by: z)`: the rows nearest to where a method will be applied.

use std::borrow::Cow;

use dsl::signature::ColumnRule;
use engine::artifact::Dataset;
use engine::error::Fault;
use engine::metric::significant;
use engine::params::{Column, Cutter, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, InParts, Plugin, ReadColumns, Sketch};
use engine::words;

use super::support::counted::{AllRows, Counted};
use crate::calls::{complaints, with_rows};
use crate::complete::Gaps;

words! {
    /// Which end of the rows is their edge.
    pub enum Side {
        /// The one nearer to the other data: the upper if their median lies above.
        Auto = "auto",
        /// That of the largest values.
        Upper = "upper",
        /// That of the smallest values.
        Lower = "lower",
    }
}

words! {
    /// How far the edge reaches.
    pub enum EdgeReach {
        /// As far as `hold` of the rows.
        Share = "share",
        /// As far beyond the rest, in ranges of the rest, as the other data lie beyond all rows.
        Matched = "matched",
    }
}

words! {
    /// Which part of the rows.
    pub enum EdgePart {
        /// The layer at the edge.
        Edge = "edge",
        /// All rows further in.
        Rest = "rest",
    }
}

plugin! {
    /// The rows at the edge of data that is nearest to other data, or the rest of them.
    ///
    /// The rows are put in the order of a column and cut into layers of `hold` of them, from
    /// the edge inward: `edge` is the layer of number `fold`, `rest` all rows beyond it. Rows
    /// of equal value stay together; the cut is where the layer comes closest to `hold`. Of
    /// the other data only the median of that column is looked at, and only for `side: auto`.
    ///
    /// With `reach: matched` the cut follows from how far the other data lie away. If they end four
    /// ranges of `by` beyond these rows, as 5000 m beyond 0 to 1000 m, the layer ends four ranges
    /// beyond the rest, as 1000 m beyond 0 to 200 m: what is learned from the rest then extrapolates
    /// as far in the test as it will have to. `hold` has no part in it.
    ///
    /// ```farcast
    /// data border = edge(seen, unseen, by: z, hold: 25 %)
    /// data inland = edge(seen, unseen, by: z, hold: 25 %, part: rest)
    /// ```
    "edge" version 2
    pub struct Edge {
        /// The rows to cut.
        data: Input<Dataset>;
        /// The data whose side the edge is on.
        toward: Input<Dataset>;
        /// The column along which to cut.
        by: Column;
        /// The share of rows in a layer.
        hold: f64 = "20 %", range("0..=0.9");
        /// What says how far the edge reaches.
        reach: EdgeReach = "share";
        /// Which layer, from the edge inward.
        fold: usize = "1", range("1..=1000");
        /// Which part to take.
        part: EdgePart = "edge";
        /// Which end is the edge.
        side: Side = "auto";
    }
}

impl Plugin for Edge {
    type Output = Dataset;

    // Of the other data only a side is read.
    const BY_CONTENT: bool = true;

    fn columns() -> ColumnRule {
        ColumnRule::Like("data".to_owned())
    }

    fn cutter() -> Option<Cutter> {
        Some(Cutter {
            data: "data".to_owned(),
            toward: "toward".to_owned(),
            side: "side".to_owned(),
            auto: Side::Auto.word().to_owned(),
            reach: ("reach".to_owned(), EdgeReach::Share.word().to_owned()),
            fold: "fold".to_owned(),
            part: "part".to_owned(),
            rest: EdgePart::Rest.word().to_owned(),
            edge: EdgePart::Edge.word().to_owned(),
        })
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let side = call.get::<Side>("side");
        let nodes = (call.input("data"), call.input("toward"));
        let is_same = matches!(nodes, (Some(data), Some(toward)) if data.node == toward.node);
        let same = is_same && (side == Some(Side::Auto) || is_matched(call));
        let message = "the data to apply to are those to cut: they lie on neither side";
        let hint = match is_matched(call) {
            true => "name the data to apply to",
            false => "say `side: upper` or `side: lower`, or name the data to apply to",
        };
        complaints([
            same.then(|| Complaint::at("toward", message).with_hint(hint)),
            Self::unseen_column(call),
            room_for_layers(call, "fold"),
            one_matched(call, "fold"),
        ])
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        with_rows(call, call.rows("data"))
    }

    fn in_parts(_: &Sketch<'_>) -> Option<InParts> {
        Some(InParts::Rereads("data"))
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        self.layer(&|each| context.rows(&self.data, each), context)
    }
}

impl Edge {
    /// The part of the rows that `rows` passes on.
    fn layer(&self, rows: AllRows<'_>, context: &Context) -> Result<Dataset, Fault> {
        let by = &self.by.0;
        let (mut counted, mut count, mut gaps) = (Counted::default(), 0, Gaps::default());
        rows(&mut |part| {
            count += part.rows();
            let values = part.column(by)?.values.pieces();
            for value in values.flat_map(Cow::into_owned) {
                match value.is_finite() {
                    true => counted.add(value),
                    false => gaps.count(value),
                }
            }
            Ok(ReadColumns::none().and([&by[..]]))
        })?;
        gaps.expect_none(by, count, "by")?;
        let (values, counts) = counted.settled();
        let counts = values.into_iter().zip(counts);
        let mut ordered: Vec<(f64, u64)> = counts.collect();
        let sign = if self.is_upper(&ordered)? { -1.0 } else { 1.0 };
        if sign < 0.0 {
            ordered.reverse();
        }
        let keys = ordered
            .iter()
            .map(|(value, count)| (sign * value, *count as usize));
        let edge = EdgeOrder::of(keys);
        let end = |fold: usize| {
            let wanted = fold as f64 * self.hold * count as f64;
            let distance = |cut: &LayerEnd| (cut.before as f64 - wanted).abs();
            let nearest = edge.cuts.iter();
            nearest
                .min_by(|a, b| distance(a).total_cmp(&distance(b)))
                .copied()
                .ok_or_else(|| {
                    let message = format!("`{by}` is the same in all rows: there is no edge");
                    Fault::at("by", message)
                })
        };
        let start = match self.fold {
            1 => None,
            fold => Some(end(fold - 1)?),
        };
        let end = match self.reach {
            EdgeReach::Share => end(self.fold)?,
            EdgeReach::Matched => {
                let wanted = self.distance(&edge, sign)?;
                let (end, reach) = edge.matched(wanted).ok_or_else(|| self.too_few_values())?;
                if self.part == EdgePart::Edge {
                    context.note(format!(
                        "the layer held out ends {} ranges of `{by}` beyond the rest, the data to \
                         apply to {} beyond all rows",
                        significant(reach),
                        significant(wanted)
                    ));
                }
                end
            }
        };
        if start.is_some_and(|start| start.before == end.before) {
            let message = format!("no rows are left for layer {} along `{by}`", self.fold);
            let fault = Fault::at("hold", message);
            return Err(fault.with_hint("hold out less, or use fewer folds"));
        }
        let is_wanted = |key: f64| match self.part {
            EdgePart::Edge => start.is_none_or(|start| key >= start.key) && key < end.key,
            EdgePart::Rest => key >= end.key,
        };
        let mut parts = Vec::new();
        rows(&mut |part| {
            let values = part.column(by)?.values.pieces();
            let values = (0..).zip(values.flat_map(Cow::into_owned));
            let rows = values.filter(|(_, value)| is_wanted(sign * value));
            let rows: Vec<u32> = rows.map(|(row, _)| row).collect();
            parts.push(part.take(&rows));
            Ok(ReadColumns::All)
        })?;
        Dataset::of_parts(parts)
    }
}

/// Where a layer may end: wherever the value changes.
#[derive(Clone, Copy)]
struct LayerEnd {
    /// How many rows lie further out.
    before: usize,
    /// The value of the first row further in.
    key: f64,
}

/// The values of rows from the edge inward.
struct EdgeOrder {
    /// The first and the last value; none without rows.
    ends: Option<(f64, f64)>,
    cuts: Vec<LayerEnd>,
}

impl EdgeOrder {
    /// Those of values in order, with how many rows have each.
    fn of(keys: impl Iterator<Item = (f64, usize)>) -> Self {
        let mut layers = Self {
            ends: None,
            cuts: Vec::new(),
        };
        let mut before = 0;
        for (key, count) in keys {
            // The two zeros are one value.
            if layers.ends.is_some_and(|(_, last)| last != key) {
                layers.cuts.push(LayerEnd { before, key });
            }
            let (first, _) = layers.ends.unwrap_or((key, key));
            layers.ends = Some((first, key));
            before += count;
        }
        layers
    }

    /// Up to where the rows end as many ranges of the rest beyond it as wanted, and how many that
    /// is. None where no cut leaves a range.
    fn matched(&self, wanted: f64) -> Option<(LayerEnd, f64)> {
        let (edge, inmost) = self.ends?;
        let reaches = self.cuts.iter().map(|cut| {
            let reach = (cut.key - edge) / (inmost - cut.key);
            (*cut, reach)
        });
        let finite = reaches.filter(|(_, reach)| reach.is_finite());
        finite.min_by(|(_, a), (_, b)| (a - wanted).abs().total_cmp(&(b - wanted).abs()))
    }
}

fn is_matched(call: &Sketch) -> bool {
    call.get::<EdgeReach>("reach") == Some(EdgeReach::Matched)
}

/// Refuses several layers where the distance of other data says how deep the only one is; `field`
/// is the number of the last.
pub fn one_matched(call: &Sketch, field: &str) -> Option<Complaint> {
    let layers = call.get::<u32>(field)?;
    let message = format!("with `reach: matched` there is one layer, found {layers}");
    (is_matched(call) && layers > 1).then(|| Complaint::at(field, message))
}

/// Refuses a layer that begins where no rows are left; `field` is the number of the last one.
pub fn room_for_layers(call: &Sketch, field: &str) -> Option<Complaint> {
    let (hold, layers) = (call.get::<f64>("hold")?, call.get::<u32>(field)?);
    let before = f64::from(layers - 1) * hold;
    let is_empty = before >= 1.0 || (hold == 0.0 && layers > 1);
    let message = format!(
        "no rows are left for layer {layers}: each holds {} % of the rows",
        100.0 * hold
    );
    is_empty.then(|| Complaint::at("hold", message).with_hint("hold out less, or use fewer layers"))
}

impl Edge {
    /// Refuses data to apply to that lack the column, where it decides the side.
    fn unseen_column(call: &Sketch) -> Option<Complaint> {
        let (by, toward) = (call.get::<Column>("by")?.0, call.schema("toward")?);
        let is_read = call.get::<Side>("side") == Some(Side::Auto) || is_matched(call);
        let message = format!("the data to apply to have no column `{by}`");
        let complaint = Complaint::at("toward", message);
        let complaint = match is_matched(call) {
            true => complaint,
            false => complaint.with_hint("say `side: upper` or `side: lower`"),
        };
        (is_read && toward.find(&by).is_none()).then_some(complaint)
    }

    fn too_few_values(&self) -> Fault {
        let by = &self.by.0;
        Fault::at(
            "by",
            format!("`{by}` has too few values: no cut leaves a rest with a range"),
        )
    }

    /// How far the other data end beyond these rows, in ranges of these rows, whose values have this
    /// sign.
    fn distance(&self, own: &EdgeOrder, sign: f64) -> Result<f64, Fault> {
        let other = self.toward.column(&self.by.0)?.values.pieces();
        let known = other
            .flat_map(Cow::into_owned)
            .filter(|value| value.is_finite());
        let far = known
            .map(|value| sign * value)
            .fold(f64::INFINITY, f64::min);
        let Some((edge, inmost)) = own.ends else {
            return Err(self.too_few_values());
        };
        let distance = (edge - far) / (inmost - edge);
        if far < edge && distance.is_finite() {
            return Ok(distance);
        }
        let message = format!(
            "the data to apply to do not lie beyond the rows along `{}`",
            self.by.0
        );
        Err(Fault::at("by", message).with_hint("say how much with `hold`: `reach: share`"))
    }

    /// Whether the edge is that of the largest of these values, each with how many rows have it.
    fn is_upper(&self, values: &[(f64, u64)]) -> Result<bool, Fault> {
        Ok(match self.side {
            Side::Upper => true,
            Side::Lower => false,
            Side::Auto => {
                let mut other = Counted::default();
                let known = self.toward.column(&self.by.0)?.values.pieces();
                let known = known
                    .flat_map(Cow::into_owned)
                    .filter(|value| value.is_finite());
                known.for_each(|value| other.add(value));
                let (known, counts) = other.settled();
                let other: Vec<(f64, u64)> = known.into_iter().zip(counts).collect();
                let (own, other) = (median(values), median(&other));
                if own.total_cmp(&other).is_eq() || other.is_nan() {
                    let message = format!(
                        "`{}` does not tell on which side the data to apply to lie",
                        self.by.0
                    );
                    let hint =
                        "say `side: upper` or `side: lower`, or hold out along another column";
                    return Err(Fault::at("by", message).with_hint(hint));
                }
                other > own
            }
        })
    }
}

/// The middle of values in order, each with its count: the upper one of an even count; NaN of none.
fn median(values: &[(f64, u64)]) -> f64 {
    let middle = values.iter().map(|(_, count)| count).sum::<u64>() / 2;
    let mut before = 0;
    let found = values.iter().find(|(_, count)| {
        before += count;
        before > middle
    });
    found.map_or(f64::NAN, |(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::support::testing::{complaint, in_parts, table};

    fn edge(toward: &[f64], hold: f64, fold: usize) -> Edge {
        Edge {
            data: Input::new(table(&[("z", &[3.0, 1.0, 2.0, 5.0, 4.0, 5.0, 5.0, 0.0])])),
            toward: Input::new(table(&[("z", toward)])),
            by: Column("z".to_owned()),
            hold,
            reach: EdgeReach::Share,
            fold,
            part: EdgePart::Edge,
            side: Side::Auto,
        }
    }

    fn parts(call: Edge) -> [Vec<f64>; 2] {
        let rest = Edge {
            data: Input::new(Dataset::clone(&call.data)),
            toward: Input::new(Dataset::clone(&call.toward)),
            by: call.by.clone(),
            part: EdgePart::Rest,
            ..call
        };
        [call, rest].map(|call| {
            let rows = call.run(&Context::alone("edge")).expect("rows");
            rows.values("z").expect("z").to_vec()
        })
    }

    #[test]
    fn the_edge_is_on_the_side_of_the_other_data_and_ties_stay_together() {
        assert_eq!(
            parts(edge(&[9.0, 8.0], 0.25, 1)),
            [vec![5.0, 5.0, 5.0], vec![3.0, 1.0, 2.0, 4.0, 0.0]]
        );
        assert_eq!(
            parts(edge(&[-1.0, f64::NAN], 0.25, 1)),
            [vec![1.0, 0.0], vec![3.0, 2.0, 5.0, 4.0, 5.0, 5.0]]
        );
    }

    #[test]
    fn later_folds_lie_further_in_and_train_on_less() {
        assert_eq!(
            parts(edge(&[-1.0], 0.25, 2)),
            [vec![3.0, 2.0], vec![5.0, 4.0, 5.0, 5.0]]
        );
    }

    #[test]
    fn a_matched_edge_lies_as_many_ranges_away_as_the_other_data() {
        let found = |toward: &[f64]| {
            let call = Edge {
                reach: EdgeReach::Matched,
                ..edge(toward, 0.9, 1)
            };
            parts(call)
        };
        // 0 to 5 and on to 25: four ranges; 5 lies four ranges beyond 0 to 1.
        assert_eq!(
            found(&[12.0, 25.0, f64::NAN]),
            [vec![3.0, 2.0, 5.0, 4.0, 5.0, 5.0], vec![1.0, 0.0]]
        );
        // A quarter of the range, as 5 beyond 0 to 4.
        assert_eq!(
            found(&[6.25]),
            [vec![5.0, 5.0, 5.0], vec![3.0, 1.0, 2.0, 4.0, 0.0]]
        );
        // Below, to -7.5: one range and a half; 0 lies as far below 3 to 5.
        assert_eq!(
            found(&[-1.0, -7.5]),
            [vec![1.0, 2.0, 0.0], vec![3.0, 5.0, 4.0, 5.0, 5.0]]
        );
        let inside = Edge {
            reach: EdgeReach::Matched,
            ..edge(&[3.5, 4.5], 0.2, 1)
        };
        let (param, message) = complaint(inside.run(&Context::alone("edge")));
        assert_eq!(param, Some("by"));
        assert_eq!(
            message,
            "the data to apply to do not lie beyond the rows along `z`"
        );
    }

    #[test]
    fn what_has_no_edge_is_refused() {
        let flat = Edge {
            data: Input::new(table(&[("z", &[1.0, 1.0])])),
            ..edge(&[9.0], 0.25, 1)
        };
        let run = |call: Edge| complaint(call.run(&Context::alone("edge")));
        let told = |param, message: &str| (Some(param), message.to_owned());
        assert_eq!(
            run(flat),
            told("by", "`z` is the same in all rows: there is no edge")
        );
        assert_eq!(
            run(edge(&[4.0], 0.25, 1)),
            told(
                "by",
                "`z` does not tell on which side the data to apply to lie"
            )
        );
        assert_eq!(
            run(edge(&[9.0], 0.5, 4)),
            told("hold", "no rows are left for layer 4 along `z`")
        );
    }

    proptest! {
        #[test]
        fn rows_in_parts_have_the_edge_of_all_at_once(
            values in proptest::collection::vec(-4..5_i32, 1..200),
            size in 1..50_usize,
            (hold, fold) in (0.0..0.9_f64, 1..4_usize),
            (is_rest, is_matched) in any::<(bool, bool)>(),
            far in -9..9_i32,
        ) {
            let values: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
            let places: Vec<f64> = (0..values.len()).map(|at| at as f64).collect();
            let data = table(&[("place", &places), ("z", &values)]);
            let call = Edge {
                data: Input::new(data.clone()),
                reach: if is_matched { EdgeReach::Matched } else { EdgeReach::Share },
                part: if is_rest { EdgePart::Rest } else { EdgePart::Edge },
                ..edge(&[f64::from(far)], hold, fold)
            };
            let places = |data: Dataset| data.values("place").map(|it| it.to_vec());
            let context = Context::alone("edge");
            let found = call.layer(&in_parts(&data, size), &context).and_then(places);
            let notes = context.take_notes();
            let whole = call.run(&context).and_then(places);
            prop_assert_eq!(notes, context.take_notes());
            prop_assert_eq!(found.map_err(|it| it.to_string()), whole.map_err(|it| it.to_string()));
        }
    }
}
