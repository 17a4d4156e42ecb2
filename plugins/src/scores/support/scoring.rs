//! Models against the truth over rows that come in parts: sums in the order of the rows, of which
//! none is kept.

use std::borrow::Cow;
use std::sync::Arc;

use dsl::column::ColumnExpr;
use engine::artifact::{Dataset, ScoreRow};
use engine::error::Fault;
use engine::params::{Column, Gather};
use engine::plugin::Context;

use super::ensemble::{Ensemble, line};
use super::groups::{Groups, NO_GROUP, Values};
use super::measure::{self, AT_ONCE, LeftOut};
use super::metric::{ScoredRow, Sums, TruthSums, crps, variance_of};
use crate::children::Child;
use crate::data::support::counted::AllRows;
use crate::networks::{Network, Scaled};
use crate::parents::Parent;
use crate::row_weights::{WeightsSeen, weights_by};
use crate::scores::Metric;

/// Takes the next rows that are scored.
type TakeScored<'t> = &'t mut dyn FnMut(Dataset) -> Result<(), Fault>;

/// How many predictions are kept for a second look, rather than made twice.
const KEPT: usize = 1 << 22;

/// What is scored, and how.
pub(crate) struct Scoring<'a> {
    /// The rows, in parts, anew at every call.
    pub rows: AllRows<'a>,
    /// Where they were given.
    pub param: &'static str,
    /// What says which rows have all inputs.
    pub network: &'a Network,
    /// One finished member of each child.
    pub children: Vec<&'a Child>,
    /// What predicts, the parent first.
    pub entrants: Vec<Entrant<'a>>,
    /// What is predicted.
    pub targets: &'a [Scaled],
    /// What is measured.
    pub metrics: &'a [Metric],
    /// The columns whose values group the rows.
    pub by: &'a [Column],
    /// How many groups a column of many values makes.
    pub bins: usize,
    /// How much each row counts.
    pub weights: Option<&'a ColumnExpr>,
    /// The column of what is usual.
    pub climatology: Option<&'a str>,
    /// The unit of the target, where the data do not say it.
    pub unit: Option<&'a String>,
    /// How many points of truth and prediction are kept.
    pub parity: usize,
}

/// What predicts the rows.
pub(crate) struct Entrant<'a> {
    /// The label of the statement.
    pub label: String,
    /// Its role in the scores.
    pub role: &'static str,
    /// What runs.
    pub runs: Runs<'a>,
    /// Means of the members beside the plain one: their names with the weights.
    pub combinations: Vec<(&'static str, Vec<Option<f64>>)>,
}

/// What runs, member by member.
#[derive(Clone, Copy)]
pub(crate) enum Runs<'a> {
    /// Networks.
    Parents(&'a Gather<Parent>),
    /// Networks of each row.
    Children(&'a Gather<Child>),
    /// Nothing: a column has the predictions.
    Column(&'a str),
}

impl Runs<'_> {
    /// What all members predict for each row.
    ///
    /// # Errors
    /// When one cannot be run.
    pub fn predict(
        self,
        label: &str,
        role: &'static str,
        data: &Dataset,
        context: &Context,
    ) -> Result<Ensemble, Fault> {
        match self {
            Runs::Parents(parents) => {
                let predict = |parent: &Parent| measure::predictions(parent, data);
                Ensemble::of(label, parents, role, context, predict)
            }
            Runs::Children(children) => {
                Ensemble::of(label, children, role, context, |child| child.predict(data))
            }
            Runs::Column(name) => {
                let values = data.column(name)?.values.part(0..data.rows()).into_owned();
                Ok(Ensemble::single(label, role, values))
            }
        }
    }
}

impl<'a> Entrant<'a> {
    /// One whose members are combined to mean and median alone.
    pub fn new(label: &str, role: &'static str, runs: Runs<'a>) -> Self {
        Self {
            label: label.to_owned(),
            role,
            runs,
            combinations: Vec::new(),
        }
    }

    /// A number about a member, over all rows.
    pub fn row(&self, member: &str, metric: &str, value: Option<f64>) -> ScoreRow {
        line(&self.label, self.role, member, metric, value)
    }

    /// What all members predict for each row.
    ///
    /// # Errors
    /// When one cannot be run.
    pub fn predict(&self, data: &Dataset, context: &Context) -> Result<Ensemble, Fault> {
        let mut ensemble = { self.runs }.predict(&self.label, self.role, data, context)?;
        for (name, weights) in &self.combinations {
            ensemble.combine(name, weights);
        }
        Ok(ensemble)
    }
}

/// What a first pass over the rows finds.
pub(crate) struct Survey {
    /// How many rows are scored.
    rows: usize,
    /// Whether children trust their predictors in some rows and not in others.
    by_trust: bool,
    values: Values,
    /// The unit of each target.
    units: Vec<Option<String>>,
}

/// Some rows that are scored.
struct ScoredBlock {
    data: Dataset,
    /// How much each counts.
    weights: Option<Vec<f64>>,
    /// The numbers of the groups that each is in, beside that of all.
    numbers: Vec<Vec<u32>>,
}

impl Scoring<'_> {
    /// Looks at all rows before any is predicted.
    ///
    /// # Errors
    /// When no row can be scored, a column is missing or weights are none.
    pub fn survey(&self, context: &Context) -> Result<Survey, Fault> {
        let mut left_out = LeftOut::default();
        let mut survey = Survey {
            rows: 0,
            by_trust: false,
            values: Values::default(),
            units: vec![None; self.targets.len()],
        };
        let (mut trusted, mut seen) = ([false; 2], WeightsSeen::default());
        self.each(&mut left_out, context, &mut |data| {
            survey.rows += data.rows();
            survey.values.add(&data, self.by)?;
            for (unit, target) in survey.units.iter_mut().zip(self.targets) {
                *unit = measure::unit(&data, &target.name, self.unit);
            }
            for is_trusted in self.trusted(&data)? {
                trusted[usize::from(is_trusted)] = true;
            }
            if let Some(formula) = self.weights {
                seen.add(&weights_by(formula, &data)?);
            }
            Ok(())
        })?;
        left_out.tell(self.targets, self.param, context)?;
        if let Some(formula) = self.weights {
            seen.check(formula)?;
        }
        survey.by_trust = trusted == [true; 2];
        Ok(survey)
    }

    /// Predicts the rows and sums up.
    ///
    /// # Errors
    /// When a model cannot be run.
    pub fn tally(&self, survey: Survey, context: &Context) -> Result<Tally, Fault> {
        let by = self.by;
        let mut tally = Tally {
            targets: self.tallies(&survey.units),
            groups: vec![GroupSize::default(); if survey.by_trust { 3 } else { 1 }],
            by_trust: survey.by_trust,
            named: Vec::new(),
            rows: survey.rows,
            seen: 0,
            parity: vec![Vec::new(); self.entrants.len()],
            not_finite: vec![(0, 0); self.entrants.len()],
            missing: survey.values.missing(),
        };
        let mut groups = survey.values.groups(self.bins);
        let again = self.metrics.iter().any(|metric| metric.is_of_variation());
        let predicts_again = self.metrics.iter().any(|metric| metric.is_correlation());
        let mut kept = Some(Vec::new());
        let mut count = 0;
        let block = |data: Dataset, groups: &mut Groups, first: usize| {
            let mut numbers = Vec::new();
            if first > 1 {
                let trusted = self.trusted(&data)?.into_iter();
                numbers.push(
                    trusted
                        .map(|is_trusted| if is_trusted { 1 } else { 2 })
                        .collect(),
                );
            }
            if let Some(own) = groups.of(&data, by)? {
                let first = first as u32;
                let number = |own: u32| if own == NO_GROUP { own } else { own + first };
                numbers.push(own.into_iter().map(number).collect::<Vec<u32>>());
            }
            Ok::<ScoredBlock, Fault>(ScoredBlock {
                weights: match self.weights {
                    Some(formula) => Some(weights_by(formula, &data)?),
                    None => None,
                },
                numbers,
                data,
            })
        };
        let first = tally.groups.len();
        self.each(&mut LeftOut::default(), context, &mut |data| {
            let block = block(data, &mut groups, first)?;
            let ensembles = self.predict(&block.data, context)?;
            tally.add(self, &block, &ensembles)?;
            count += block.data.rows() * ensembles.iter().map(|it| it.series.len()).sum::<usize>();
            if !again || count > KEPT {
                kept = None;
            }
            if let Some(kept) = &mut kept {
                kept.push((block, ensembles));
            }
            Ok(())
        })?;
        if again {
            tally.center();
            match kept {
                Some(kept) => {
                    for (block, ensembles) in &kept {
                        tally.add_again(self, block, ensembles)?;
                    }
                }
                None => self.each(&mut LeftOut::default(), context, &mut |data| {
                    let block = block(data, &mut groups, first)?;
                    let ensembles = match predicts_again {
                        true => self.predict(&block.data, context)?,
                        false => Vec::new(),
                    };
                    tally.add_again(self, &block, &ensembles)
                })?,
            }
        }
        let named = groups.named().into_iter();
        let named = named.map(|(name, number)| (name, number as usize + first));
        tally.named = named.collect();
        Ok(tally)
    }

    /// Passes the rows that can be scored on, some at a time.
    fn each(
        &self,
        left_out: &mut LeftOut,
        context: &Context,
        take: TakeScored<'_>,
    ) -> Result<(), Fault> {
        let reads = self.reads();
        let mut filter = |rows: Dataset| {
            context.check_stop()?;
            let children = self.children.iter().copied();
            left_out.scored(rows, self.network, self.targets, children)
        };
        let by_row = self.children.iter().all(|child| child.is_by_row())
            && self
                .weights
                .is_none_or(|formula| formula.of_rows().is_none());
        if !by_row {
            let mut parts = Vec::new();
            (self.rows)(&mut |rows| {
                parts.push(rows.only(&reads));
                Ok(reads.clone())
            })?;
            return take(filter(Dataset::of_parts(parts)?)?);
        }
        // Blocks of as many scored rows whatever the parts are.
        let mut pending: Vec<Dataset> = Vec::new();
        (self.rows)(&mut |part| {
            let part = part.only(&reads);
            // Columns are looked for in a table without rows, too.
            for start in (0..part.rows().max(1)).step_by(AT_ONCE) {
                let rows = start..part.rows().min(start + AT_ONCE);
                pending.push(filter(part.part(rows))?);
                let count = pending.iter().map(Dataset::rows).sum();
                if count >= AT_ONCE {
                    let all = Dataset::of_parts(std::mem::take(&mut pending))?;
                    if count > AT_ONCE {
                        pending.push(all.part(AT_ONCE..count));
                    }
                    take(all.part(0..AT_ONCE))?;
                }
            }
            Ok(reads.clone())
        })?;
        let rest = Dataset::of_parts(pending)?;
        match rest.rows() {
            0 => Ok(()),
            _ => take(rest),
        }
    }

    /// The predictions of all, the parent first.
    fn predict(&self, data: &Dataset, context: &Context) -> Result<Vec<Ensemble>, Fault> {
        let predict = |entrant: &Entrant| {
            context.check_stop()?;
            entrant.predict(data, context)
        };
        self.entrants.iter().map(predict).collect()
    }

    /// Whether all children trust their predictors in a row; of no rows where there are none.
    fn trusted(&self, data: &Dataset) -> Result<Vec<bool>, Fault> {
        let mut trusted = vec![
            true;
            if self.children.is_empty() {
                0
            } else {
                data.rows()
            }
        ];
        for child in &self.children {
            for (trusted, outside) in trusted.iter_mut().zip(child.outside(data)?) {
                *trusted &= !outside;
            }
        }
        Ok(trusted)
    }

    /// The one target; of several first all of them together, each in its standard deviations, then
    /// each alone.
    fn tallies(&self, units: &[Option<String>]) -> Vec<TargetTally> {
        let of = |suffix: String, which: Which, unit: Option<String>| TargetTally {
            suffix,
            which,
            unit,
            truth: Vec::new(),
            models: self
                .entrants
                .iter()
                .map(|_| ModelTally::default())
                .collect(),
        };
        if let [_] = self.targets {
            return vec![of(String::new(), Which::One(0), units[0].clone())];
        }
        let each = self.targets.iter().zip(units).enumerate();
        let each = each.map(|(at, (target, unit))| {
            of(format!(" of {}", target.name), Which::One(at), unit.clone())
        });
        let together = of(String::new(), Which::All, None);
        [together].into_iter().chain(each).collect()
    }
}

/// Which targets are scored together.
#[derive(Clone, Copy)]
enum Which {
    One(usize),
    All,
}

/// What the rows sum up to.
pub(crate) struct Tally {
    /// The one target; of several first all together, then each.
    pub targets: Vec<TargetTally>,
    groups: Vec<GroupSize>,
    named: Vec<(String, usize)>,
    /// Whether the groups 1 and 2 are of the rows that children trust, and do not.
    by_trust: bool,
    rows: usize,
    /// How many rows were added.
    seen: usize,
    /// For each entrant truth and mean prediction at evenly spaced rows.
    pub parity: Vec<Vec<(f64, f64)>>,
    /// For each entrant how many predictions are not finite, and how many there are.
    pub not_finite: Vec<(usize, usize)>,
    /// How many rows lack a value of their groups, in words.
    pub missing: Vec<String>,
}

/// Rows that are measured together.
#[derive(Clone, Copy, Default)]
struct GroupSize {
    rows: usize,
    weight: f64,
}

/// A group of rows in a [`Tally`].
pub(crate) struct Group {
    /// The value of each column, or its mean; none for all rows.
    pub name: Option<String>,
    number: usize,
}

/// The sums for one target, or for several together.
pub(crate) struct TargetTally {
    /// What the names of its metrics end in: ` of u` where there are several targets.
    pub suffix: String,
    which: Which,
    /// The unit of the truth, when known.
    pub unit: Option<String>,
    /// Those of the truth, by the numbers of the groups.
    truth: Vec<TruthSums>,
    models: Vec<ModelTally>,
}

/// The sums of one model, by the numbers of the groups.
#[derive(Default)]
struct ModelTally {
    /// Those of each member and combination; none where it diverged.
    series: Vec<(String, Option<Vec<Sums>>)>,
    variance: Vec<f64>,
    crps: Vec<f64>,
}

impl Tally {
    fn add(
        &mut self,
        scoring: &Scoring,
        block: &ScoredBlock,
        ensembles: &[Ensemble],
    ) -> Result<(), Fault> {
        let highest = block
            .numbers
            .iter()
            .flatten()
            .filter(|it| **it != NO_GROUP)
            .max();
        let count = highest
            .map_or(0, |it| *it as usize + 1)
            .max(self.groups.len());
        self.groups.resize(count, GroupSize::default());
        for row in 0..block.data.rows() {
            let weight = block.weights.as_ref().map_or(1.0, |weights| weights[row]);
            for number in block.numbers_of(row) {
                self.groups[number].rows += 1;
                self.groups[number].weight += weight;
            }
        }
        for ((bad, all), ensemble) in self.not_finite.iter_mut().zip(ensembles) {
            let (more_bad, more) = ensemble.not_finite();
            *bad += more_bad;
            *all += more;
        }
        for target in &mut self.targets {
            let (rows, numbers) = target.rows(scoring, block)?;
            target.truth.resize(count, TruthSums::default());
            add_up(&mut target.truth, &numbers, rows.len(), |sums, at| {
                sums.add(&rows[at]);
            });
            for (model, ensemble) in target.models.iter_mut().zip(ensembles) {
                let ensemble = target.which.of(ensemble, scoring.targets);
                model.add(&ensemble, &rows, &numbers, count, scoring.metrics);
            }
        }
        let first = &self.targets[0];
        let (rows, _) = first.rows(scoring, block)?;
        let width = rows.len() / block.data.rows().max(1);
        let (before, all) = (self.seen * width, self.rows * width);
        let points = all.min(scoring.parity);
        let evenly = (0..points).map(|point| point * all / points);
        let own = evenly.filter_map(|at| at.checked_sub(before).filter(|at| *at < rows.len()));
        let own: Vec<usize> = own.collect();
        for (parity, ensemble) in self.parity.iter_mut().zip(ensembles) {
            let ensemble = first.which.of(ensemble, scoring.targets);
            let mean = ensemble.series("mean").unwrap_or_default();
            let points = own
                .iter()
                .filter_map(|at| Some((rows[*at].truth, *mean.get(*at)?)));
            parity.extend(points.filter(|(_, prediction)| prediction.is_finite()));
        }
        self.seen += block.data.rows();
        Ok(())
    }

    fn center(&mut self) {
        for target in &mut self.targets {
            target.truth.iter_mut().for_each(TruthSums::center);
            for (_, sums) in target.models.iter_mut().flat_map(|model| &mut model.series) {
                let sums = sums.iter_mut().flatten().zip(&target.truth);
                sums.for_each(|(sums, truth)| sums.center(truth));
            }
        }
    }

    fn add_again(
        &mut self,
        scoring: &Scoring,
        block: &ScoredBlock,
        ensembles: &[Ensemble],
    ) -> Result<(), Fault> {
        for target in &mut self.targets {
            let (rows, numbers) = target.rows(scoring, block)?;
            add_up(&mut target.truth, &numbers, rows.len(), |sums, at| {
                sums.add_again(&rows[at]);
            });
            for (model, ensemble) in target.models.iter_mut().zip(ensembles) {
                let ensemble = target.which.of(ensemble, scoring.targets);
                for ((_, sums), (_, values)) in model.series.iter_mut().zip(&ensemble.series) {
                    let Some((sums, values)) = sums.as_mut().zip(values.as_ref()) else {
                        continue;
                    };
                    let mut pairs: Vec<(&mut Sums, &TruthSums)> =
                        sums.iter_mut().zip(&target.truth).collect();
                    add_up(&mut pairs, &numbers, rows.len(), |(sums, truth), at| {
                        sums.add_again(values[at], &rows[at], truth);
                    });
                }
            }
        }
        Ok(())
    }

    /// All rows.
    pub fn all(&self) -> Group {
        Group {
            name: None,
            number: 0,
        }
    }

    /// All rows, then each group of values in their order, then the rows that children trust and
    /// those they do not.
    pub fn groups(&self, trusted: [&str; 2]) -> Vec<Group> {
        let named = self.named.iter().map(|(name, number)| Group {
            name: Some(name.clone()),
            number: *number,
        });
        let own = [self.all()].into_iter().chain(named);
        own.chain(self.by_trust(trusted)).collect()
    }

    /// The rows that children trust and those they do not, where there are both.
    pub fn by_trust(&self, trusted: [&str; 2]) -> Vec<Group> {
        let group = |(name, number): (&str, usize)| Group {
            name: Some(name.to_owned()),
            number,
        };
        let groups = trusted.into_iter().zip(1..).map(group);
        groups.filter(|_| self.by_trust).collect()
    }

    /// How many rows a group has.
    pub fn rows(&self, group: &Group) -> usize {
        self.groups[group.number].rows
    }

    /// The share of all rows, as weights count them, that each group of values has.
    pub fn shares(&self) -> impl Iterator<Item = (&str, f64)> {
        let all = self.groups[0].weight;
        let named = self.named.iter();
        named.map(move |(name, number)| (&name[..], self.groups[*number].weight / all))
    }
}

impl ScoredBlock {
    /// The numbers of the groups that a row is in.
    fn numbers_of(&self, row: usize) -> impl Iterator<Item = usize> {
        let own = self.numbers.iter().map(move |numbers| numbers[row]);
        let own = own.filter(|number| *number != NO_GROUP);
        [0].into_iter().chain(own.map(|number| number as usize))
    }
}

/// Adds every row to the sums of all and to those of its groups, in the order of the rows.
fn add_up<S>(
    sums: &mut [S],
    numbers: &[Vec<u32>],
    rows: usize,
    mut add: impl FnMut(&mut S, usize),
) {
    if let Some(all) = sums.first_mut() {
        (0..rows).for_each(|at| add(all, at));
    }
    for numbers in numbers {
        for (at, number) in numbers.iter().enumerate() {
            if let Some(own) = sums.get_mut(*number as usize) {
                add(own, at);
            }
        }
    }
}

impl Which {
    /// The predictions of these targets, `[rows, targets]`.
    fn of<'e>(self, ensemble: &'e Ensemble, targets: &[Scaled]) -> Cow<'e, Ensemble> {
        let count = targets.len();
        match self {
            Which::One(_) if count == 1 => Cow::Borrowed(ensemble),
            Which::One(which) => Cow::Owned(
                ensemble.each(|values| values.iter().skip(which).step_by(count).copied().collect()),
            ),
            Which::All => Cow::Owned(ensemble.each(|values| {
                let pairs = values.iter().zip(targets.iter().cycle());
                pairs
                    .map(|(value, target)| (value - target.mean) / target.std)
                    .collect()
            })),
        }
    }
}

impl TargetTally {
    /// What is known of every value of a block, and the numbers of the groups of each.
    fn rows(
        &self,
        scoring: &Scoring,
        block: &ScoredBlock,
    ) -> Result<(Vec<ScoredRow>, Vec<Vec<u32>>), Fault> {
        let targets = scoring.targets;
        let own = match self.which {
            Which::One(which) => which..which + 1,
            Which::All => 0..targets.len(),
        };
        let truths = targets[own.clone()]
            .iter()
            .map(|it| Ok(Arc::clone(block.data.values(&it.name)?)));
        let truths = truths.collect::<Result<Vec<Arc<[f64]>>, Fault>>()?;
        let usual = match scoring.climatology {
            Some(name) => Some(block.data.values(name)?),
            None => None,
        };
        let mut rows = Vec::with_capacity(block.data.rows() * own.len());
        for row in 0..block.data.rows() {
            for (truth, target) in truths.iter().zip(&targets[own.clone()]) {
                rows.push(ScoredRow {
                    truth: match self.which {
                        Which::One(_) => truth[row],
                        Which::All => (truth[row] - target.mean) / target.std,
                    },
                    usual: usual.map_or(f64::NAN, |usual| usual[row]),
                    weight: block.weights.as_ref().map_or(1.0, |weights| weights[row]),
                });
            }
        }
        let wide = |numbers: &Vec<u32>| {
            let each = numbers.iter();
            each.flat_map(|number| std::iter::repeat_n(*number, own.len()))
                .collect()
        };
        Ok((rows, block.numbers.iter().map(wide).collect()))
    }

    /// Every metric of every series of a model over a group of rows.
    pub fn scores(&self, scoring: &Scoring, which: usize, group: &Group) -> Vec<ScoreRow> {
        let (model, entrant) = (&self.models[which], &scoring.entrants[which]);
        let truth = &self.truth[group.number];
        let finite = |value: f64| value.is_finite().then_some(value);
        let mut rows = Vec::new();
        for (member, sums) in &model.series {
            let own = sums.as_ref().map(|sums| &sums[group.number]);
            let parent = self.sums(0, member, group);
            let of = |metric: Metric| metric.of_sums(own?, truth, parent);
            for metric in scoring.metrics {
                let spread = || finite((model.variance[group.number] / truth.total).sqrt());
                let value = match metric {
                    metric if metric.is_of_ensembles() && member != "mean" => continue,
                    Metric::Spread => spread(),
                    Metric::SpreadRatio => {
                        let ratio = spread().zip(of(Metric::Rmse)).map(|(s, e)| s / e);
                        ratio.and_then(finite)
                    }
                    Metric::Crps => finite(model.crps[group.number] / truth.total),
                    _ => of(*metric),
                };
                let unit = self.unit.as_ref().filter(|_| metric.has_unit());
                let name = format!("{}{}", metric.word(), self.suffix);
                rows.push(ScoreRow {
                    group: group.name.clone(),
                    unit: unit.cloned(),
                    ..entrant.row(member, &name, value)
                });
            }
        }
        rows
    }

    /// The skill of each member of a model against the same member of the parent, over all rows.
    pub fn skills(&self, which: usize, count: usize) -> Vec<Option<f64>> {
        let all = Group {
            name: None,
            number: 0,
        };
        let skill = |member: usize| {
            let member = member.to_string();
            let own = self.sums(which, &member, &all)?;
            Metric::Skill.of_sums(own, &self.truth[0], self.sums(0, &member, &all))
        };
        (0..count).map(skill).collect()
    }

    fn sums(&self, which: usize, member: &str, group: &Group) -> Option<&Sums> {
        let mut series = self.models[which].series.iter();
        let (_, sums) = series.find(|(name, _)| name == member)?;
        sums.as_ref().map(|sums| &sums[group.number])
    }
}

impl ModelTally {
    fn add(
        &mut self,
        ensemble: &Ensemble,
        rows: &[ScoredRow],
        numbers: &[Vec<u32>],
        count: usize,
        metrics: &[Metric],
    ) {
        for (at, (name, values)) in ensemble.series.iter().enumerate() {
            if at == self.series.len() {
                let sums = values.as_ref().map(|_| Vec::new());
                self.series.push((name.clone(), sums));
            }
            if let Some((sums, values)) = self.series[at].1.as_mut().zip(values.as_ref()) {
                sums.resize(count, Sums::default());
                add_up(sums, numbers, rows.len(), |sums, at| {
                    sums.add(values[at], &rows[at]);
                });
            }
        }
        let spread = |metric: &Metric| matches!(metric, Metric::Spread | Metric::SpreadRatio);
        let of_members = [
            (&mut self.variance, metrics.iter().any(spread)),
            (&mut self.crps, metrics.contains(&Metric::Crps)),
        ];
        let members: Vec<&[f64]> = ensemble.members().flatten().collect();
        let mut row = vec![0.0; members.len()];
        for (which, (sums, is_wanted)) in of_members.into_iter().enumerate() {
            sums.resize(count, 0.0);
            if !is_wanted {
                continue;
            }
            let mut value = |at: usize| {
                for (value, member) in row.iter_mut().zip(&members) {
                    *value = member[at];
                }
                match which {
                    0 => variance_of(&row),
                    _ => crps(&mut row, rows[at].truth),
                }
            };
            let values: Vec<f64> = (0..rows.len()).map(&mut value).collect();
            add_up(sums, numbers, rows.len(), |sum, at| {
                rows[at].count(sum, values[at]);
            });
        }
    }
}
