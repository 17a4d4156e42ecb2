//! `path(net, on: unseen)`: the loss along straight lines between networks.

use dsl::experiment::Value;
use dsl::facts::About;
use engine::artifact::{Dataset, ScoreRow, Scores};
use engine::error::Fault;
use engine::params::{Gather, Input};
use engine::plugin::{Complaint, Context, Plugin, Sketch};
use engine::{plugin, words};

use super::support::facts::mixed;
use super::support::outputs::Judge;
use crate::complete::complete;
use crate::networks::{Difference, Network, TrainerChoice};
use crate::parents::{Parent, not_runnable};
use crate::scores::support::table::{mean, median};
use crate::training::{Adam, Optimizer, OptimizerState};

words! {
    /// What joins two networks.
    pub enum PathCurve {
        /// A straight line.
        Line = "line",
        /// A curve whose middle has learned a small loss.
        Bezier = "bezier",
    }
}

words! {
    /// Which members are joined.
    pub enum Pairs {
        /// The first with each other one.
        FromFirst = "from_first",
        /// Each with each other one.
        All = "all",
    }
}

plugin! {
    /// The loss along straight lines of weights between networks, and the barrier on the way.
    ///
    /// Between members of `a`, or between each member of `a` and the same of `b`. A line from θ₀ to
    /// θ₁ has the loss L(t) at `points` values of t from 0 to 1, in the column `horizon`. `barrier` is the
    /// largest L(t) - ((1 - t) L(0) + t L(1)) (Ainsworth et al. 2023), 0 for a straight valley.
    /// `connectivity` is (L(0) + L(1)) / 2 - L(t*), t* where this is farthest from zero: negative
    /// with a barrier (Yang et al. 2021). For classes `accuracy` is given too. The member of a line
    /// is that of its end; `group` names both. Barriers and connectivity have the `mean` and the
    /// `median` of all lines, too.
    ///
    /// `curve: bezier` says whether a valley joins them that is not straight: on (1 - t)² θ₀ +
    /// 2t (1 - t) θ + t² θ₁ the middle θ begins halfway and moves down the gradient of the loss
    /// on all rows of `train`, a step at each of `steps` points t (Garipov et al. 2018). These
    /// are multiples of the golden ratio less their whole parts, which fill 0 to 1 evenly: nothing is
    /// drawn. The column `horizon` has t.
    ///
    /// ```farcast
    /// score straight = path(net, on: unseen, points: 5)
    /// score curved = path(net, on: unseen, points: 5, curve: bezier, train: seen, steps: 20)
    /// ```
    "path" version 6
    pub struct Path {
        /// Where lines begin.
        a: Gather<Parent>;
        /// Where they end; other members of `a` without it.
        b: Option<Gather<Parent>>;
        /// Which members of `a` are joined.
        pairs: Pairs = "from_first";
        /// The rows, with the truth.
        on: Input<Dataset>, with_truth();
        /// How many points a line has.
        points: usize = "25", range("3..=1001");
        /// What joins two networks.
        curve: PathCurve = "line";
        /// The rows that the middle of a `bezier` learns on, with the truth.
        train: Option<Input<Dataset>>, with_truth();
        /// How many steps it learns; 300 when left out.
        steps: Option<u64>, range("1..=1000000");
        /// How gradients move it; `adam(rate: 1e-2)` when left out.
        optimizer: Option<Optimizer>;
    }
}

/// What is said of a whole line.
const SHAPES: [&str; 2] = ["barrier", "connectivity"];
const UNLIKE: &str = "the networks standardise their columns by different means or deviations: \
                      no network is at the end of a line between their weights";
const TOGETHER: &str = "train all on the same rows, without `hold_out`";

/// Whether each member is trained on other rows.
fn holds_out(parent: &About) -> bool {
    let share = parent.args.get("hold_out").map(|argument| &argument.value);
    matches!(share, Some(Value::Float(share)) if *share > 0.0)
}

/// A line from one network to another.
struct Line<'a> {
    member: usize,
    name: String,
    from: &'a Parent,
    to: &'a Parent,
}

impl Plugin for Path {
    type Output = Scores;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let alone = !call.has("b");
        let one = call
            .input("a")
            .filter(|input| alone && input.members.is_none_or(|it| it < 2));
        let one = one.map(|input| {
            let message = format!("`{}` is one network: there is no line", input.name);
            Complaint::at("a", message).with_hint("give another network as `b`")
        });
        let inputs = [call.inputs("a"), call.inputs("b")].concat();
        let members: Vec<u32> = inputs
            .iter()
            .map(|input| input.members.unwrap_or(1))
            .collect();
        let unlike = match members[..] {
            [a, b] if a != b && a != 1 && b != 1 => {
                let message = format!("expected {a} members, or one, found {b}");
                Some(Complaint::at("b", message))
            }
            _ => None,
        };
        let bare = ["a", "b"].map(|param| not_runnable(call, param));
        let held = call.input("a").filter(|input| alone && holds_out(input));
        let held = held.map(|_| Complaint::at("a", UNLIKE).with_hint(TOGETHER));
        let found =
            bare.into_iter()
                .chain([one, unlike, mixed(&inputs, "b"), held, uncurved(call)]);
        found.flatten().take(1).collect()
    }

    fn run(self, context: &Context) -> Result<Scores, Fault> {
        let lines = self.lines();
        let mut rows = Vec::new();
        let mut of_lines: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
        let total = (lines.len() * self.points) as u64;
        for (at, line) in lines.iter().enumerate() {
            let network = line.from.network().map_err(|fault| fault.inside("a"))?;
            if line.from.layout != line.to.layout {
                return Err(Fault::at("b", "these are weights of different networks"));
            }
            let end = line.to.network().map_err(|fault| fault.inside("b"))?;
            match network.differs(end) {
                None => {}
                Some(Difference::Network) => {
                    let message = "these are weights of networks that run them in different ways";
                    return Err(Fault::at("b", message));
                }
                Some(Difference::Scaling) => {
                    return Err(Fault::at("a", UNLIKE).with_hint(TOGETHER));
                }
            }
            let judge = Judge::new(network, &self.on, "on")?;
            let row = |metric: &str, horizon, value: Option<f64>| ScoreRow {
                member: line.member.to_string(),
                model: self.a.label.0.clone(),
                role: "parent".to_owned(),
                metric: metric.to_owned(),
                horizon,
                group: Some(line.name.clone()),
                value: value.filter(|value| value.is_finite()),
                unit: None,
            };
            let middle = match (self.curve, &self.train) {
                (PathCurve::Line, _) => None,
                (PathCurve::Bezier, Some(train)) => {
                    Some(self.middle(line, network, train, context)?)
                }
                (PathCurve::Bezier, None) => return Err(Fault::at("curve", NO_ROWS)),
            };
            let mut losses = Vec::new();
            for point in 0..self.points {
                context.check_stop()?;
                context.progress((at * self.points + point) as u64, total, None);
                let t = point as f64 / (self.points - 1) as f64;
                let weights = line.at(t, middle.as_deref());
                let judged = judge.of(&weights);
                rows.push(row("loss", Some(t), Some(judged.loss)));
                if let Some(accuracy) = judged.accuracy() {
                    rows.push(row("accuracy", Some(t), Some(accuracy)));
                }
                losses.push(judged.loss);
            }
            let found = [Some(barrier(&losses)), connectivity(&losses)];
            for ((metric, value), all) in SHAPES.into_iter().zip(found).zip(&mut of_lines) {
                rows.push(row(metric, None, value));
                all.extend(value.filter(|value| value.is_finite()));
            }
        }
        for (metric, mut all) in SHAPES.into_iter().zip(of_lines) {
            all.sort_by(f64::total_cmp);
            for (member, value) in [("mean", mean(&all)), ("median", median(&all))] {
                rows.push(ScoreRow {
                    member: member.to_owned(),
                    model: self.a.label.0.clone(),
                    role: "parent".to_owned(),
                    metric: metric.to_owned(),
                    horizon: None,
                    group: None,
                    value,
                    unit: None,
                });
            }
        }
        Ok(Scores {
            rows,
            ..Scores::default()
        })
    }
}

impl Line<'_> {
    /// The weights at a point; on a straight line where there is no middle.
    fn at(&self, t: f64, middle: Option<&[f32]>) -> Vec<f32> {
        let pairs = self.from.weights.iter().zip(&self.to.weights);
        let pairs = pairs.map(|(a, b)| (f64::from(*a), f64::from(*b)));
        let Some(middle) = middle else {
            return pairs.map(|(a, b)| ((1.0 - t) * a + t * b) as f32).collect();
        };
        let on_curve = |((a, b), middle): ((f64, f64), &f32)| {
            let ends = (1.0 - t).powi(2) * a + t.powi(2) * b;
            (ends + share_of_middle(t) * f64::from(*middle)) as f32
        };
        pairs.zip(middle).map(on_curve).collect()
    }
}

/// How much the middle counts at a point of a curve.
fn share_of_middle(t: f64) -> f64 {
    2.0 * t * (1.0 - t)
}

/// Multiples of it, less their whole parts, fill 0 to 1 evenly: the golden ratio less one.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

const NO_ROWS: &str = "`bezier` learns: expected `train`, rows to learn on";

/// Refuses a curve without rows to learn on, and what is of a curve elsewhere.
fn uncurved(call: &Sketch) -> Option<Complaint> {
    if call.get::<PathCurve>("curve") == Some(PathCurve::Bezier) {
        let complaint = || Complaint::at("curve", NO_ROWS);
        return (!call.has("train")).then(complaint);
    }
    let mut idle = ["train", "steps", "optimizer"].into_iter();
    let idle = idle.find(|param| call.has(param))?;
    let message = format!("`{idle}` is of `curve: bezier` alone");
    Some(Complaint::at(idle, message))
}

impl Path {
    /// The middle of a curve of small loss.
    fn middle(
        &self,
        line: &Line,
        network: &Network,
        train: &Dataset,
        context: &Context,
    ) -> Result<Vec<f32>, Fault> {
        for column in network.inputs().iter().chain(network.targets()) {
            complete(train, &column.name, "train")?;
        }
        let samples = network
            .samples(train)
            .map_err(|fault| fault.inside("train"))?;
        if samples.rows == 0 {
            return Err(Fault::at("train", "expected rows, found none"));
        }
        let usual = Optimizer::Adam(Adam {
            rate: 1e-2,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        });
        let optimizer = self.optimizer.as_ref().unwrap_or(&usual);
        let mut middle = line.at(0.5, None);
        let mut memory = OptimizerState::new(middle.len());
        let mut slopes = network.differentiate(TrainerChoice::Auto);
        slopes.use_cores(context.cores());
        for step in 0..self.steps.unwrap_or(300) {
            context.check_stop()?;
            let t = ((step + 1) as f64 * GOLDEN).fract();
            let (loss, slope) = slopes.gradient(&line.at(t, Some(&middle)), &samples);
            if !loss.is_finite() {
                let message = format!("the curve diverged at step {step}: take a smaller `rate`");
                return Err(Fault::Diverged(message));
            }
            let share = share_of_middle(t) as f32;
            let slope: Vec<f32> = slope.iter().map(|slope| share * slope).collect();
            optimizer.update(&mut memory, &mut middle, &slope, 1.0);
        }
        Ok(middle)
    }

    fn lines(&self) -> Vec<Line<'_>> {
        let a = &self.a.members;
        let numbered: Vec<(usize, String, (usize, usize))> = match &self.b {
            Some(b) => {
                let at = |all: usize, member: usize| if all == 1 { 0 } else { member };
                let ends = |member| (at(a.len(), member), at(b.members.len(), member));
                let members = 0..a.len().max(b.members.len());
                members
                    .map(|member| (member, member.to_string(), ends(member)))
                    .collect()
            }
            None => {
                let firsts = match self.pairs {
                    Pairs::FromFirst => 1.min(a.len()),
                    Pairs::All => a.len(),
                };
                let pairs =
                    (0..firsts).flat_map(|one| (one + 1..a.len()).map(move |two| (one, two)));
                pairs
                    .map(|(one, two)| (two, format!("{one} to {two}"), (one, two)))
                    .collect()
            }
        };
        let ends = self.b.as_ref().map_or(a, |b| &b.members);
        let made = numbered
            .into_iter()
            .filter_map(|(member, name, (from, to))| {
                Some(Line {
                    member,
                    name,
                    from: a.get(from)?.as_deref()?,
                    to: ends.get(to)?.as_deref()?,
                })
            });
        made.collect()
    }
}

/// The largest excess of losses over the straight line between the first and the last.
fn barrier(losses: &[f64]) -> f64 {
    let (first, last) = (losses[0], losses[losses.len() - 1]);
    let excess = losses.iter().enumerate().map(|(at, loss)| {
        let t = at as f64 / (losses.len() - 1) as f64;
        loss - ((1.0 - t) * first + t * last)
    });
    // The ends have none, but for rounding.
    excess.fold(0.0, f64::max)
}

/// The mean of the ends less the loss that is farthest from it.
fn connectivity(losses: &[f64]) -> Option<f64> {
    let middle = (losses.first()? + losses.last()?) / 2.0;
    let apart = losses.iter().map(|loss| middle - loss);
    apart.max_by(|a, b| a.abs().total_cmp(&b.abs()))
}

#[cfg(test)]
mod tests {
    use engine::artifact::DataColumn;

    use super::*;
    use crate::data::support::testing::table;
    use crate::testing::{Given, call, given};
    use crate::weights::Align;
    use crate::weights::support::testing::{alignment, parent};

    #[test]
    fn losses_and_barriers_are_those_of_the_golden_file() {
        let golden = alignment();
        let column = |name: &str, values: Vec<f64>| DataColumn::numbers(name, None, values);
        let mut columns = vec![column("y", golden.y.clone())];
        for at in 0..3 {
            columns.push(column(
                &format!("x{at}"),
                golden.x.iter().map(|row| row[at]).collect(),
            ));
        }
        let data = Dataset::new(columns).expect("data");
        for case in [golden.other, golden.far] {
            let mut inputs = vec![
                ("p", given(parent(&golden.reference))),
                ("q", given(parent(&case.network))),
                ("d", given(data.clone())),
            ];
            let context = Context::alone("path");
            let align: Align = call("q, to: p", &inputs);
            let aligned = align.run(&context).expect("aligned").parent();
            inputs.push(("s", given(aligned.expect("one row"))));
            let values = |to: &str, metric: &str| -> Vec<f64> {
                let path: Path = call(&format!("p, b: {to}, on: d, points: 11"), &inputs);
                let scores = path.run(&context).expect("scores");
                let rows = scores.rows.iter().filter(|row| row.metric == metric);
                rows.filter_map(|row| row.value).collect()
            };
            for (found, expected) in values("q", "loss").iter().zip(&case.losses_before) {
                assert!((found / expected - 1.0).abs() < 1e-6, "{found} {expected}");
            }
            // The line, and the mean and median of the only one.
            let barriers = values("q", "barrier");
            assert_eq!(barriers, vec![barriers[0]; 3]);
            assert!((barriers[0] - case.barrier_before).abs() < 1e-6);
            assert!((values("s", "barrier")[0] - case.barrier_after).abs() < 1e-6);
        }
    }

    /// The ends of the golden file and its rows.
    fn ends() -> [(&'static str, Given); 3] {
        let golden = alignment();
        let column = |at: usize| golden.x.iter().map(|row| row[at]).collect::<Vec<f64>>();
        let data = table(&[
            ("y", &golden.y[..]),
            ("x0", &column(0)),
            ("x1", &column(1)),
            ("x2", &column(2)),
        ]);
        [
            ("p", given(parent(&golden.reference))),
            ("q", given(parent(&golden.far.network))),
            ("d", given(data)),
        ]
    }

    #[test]
    fn a_curve_that_does_not_move_is_a_line_and_one_that_does_has_less_loss() {
        let losses = |arguments: &str| -> Vec<f64> {
            let path: Path = call(&format!("p, b: q, on: d{arguments}"), &ends());
            let scores = path.run(&Context::alone("path")).expect("scores");
            let rows = scores.rows.iter().filter(|row| row.metric == "loss");
            rows.filter_map(|row| row.value).collect()
        };
        let line = losses("");
        let still = losses(", curve: bezier, train: d, optimizer: sgd(rate: 0)");
        for (still, line) in still.iter().zip(&line) {
            assert!((still - line).abs() < 1e-6, "{still} {line}");
        }
        let curve = losses(", curve: bezier, train: d");
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
        assert!(mean(&curve) < 0.8 * mean(&line), "{curve:?} {line:?}");
        for end in [0, 24] {
            assert!((curve[end] - line[end]).abs() < 1e-6);
        }
    }

    #[test]
    fn a_step_goes_down_the_slope_of_the_loss_on_the_curve() {
        let rate = 0.5;
        let arguments =
            "p, b: q, on: d, curve: bezier, train: d, steps: 1, optimizer: sgd(rate: 0.5)";
        let path: Path = call(arguments, &ends());
        let line = &path.lines()[0];
        let network = line.from.network().expect("a network");
        let context = Context::alone("path");
        let moved = path
            .middle(line, network, &path.on, &context)
            .expect("a middle");
        let start = line.at(0.5, None);
        let judge = Judge::new(network, &path.on, "on").expect("rows");
        for at in 0..start.len() {
            let loss = |by: f32| {
                let mut middle = start.clone();
                middle[at] += by;
                judge.of(&line.at(GOLDEN, Some(&middle))).loss
            };
            let slope = (loss(0.02) - loss(-0.02)) / 0.04;
            let found = f64::from(start[at] - moved[at]) / rate;
            assert!((found - slope).abs() < 1e-4, "{at}: {found} {slope}");
        }
    }

    #[test]
    fn the_farthest_loss_decides_of_connectivity() {
        assert_eq!(connectivity(&[1.0, 3.0, 1.5, 2.0]), Some(-1.5));
        assert_eq!(connectivity(&[1.0, 0.25, 1.0]), Some(0.75));
        assert_eq!(barrier(&[1.0, 0.25, 1.0]), 0.0);
    }
}
