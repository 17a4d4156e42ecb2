//! From a sample to a regression: the same steps for every form.

use std::ops::Range;

use dsl::column::ColumnExpr;
use engine::error::Fault;
use engine::plugin::Context;
use faer::Mat;

use super::components::Components;
use super::design::{Design, columns_of};
use super::evidence::{self, Edges};
use super::held_out::HeldOut;
use super::moments::Moments;
use super::sample::{Sample, begins_finite, is_finite};
use super::shared::MORE_SUBSETS;
use super::shared::{SNR, Sources};
use super::sums::{Found, Pass, Precision, Sums};
use crate::regressions::{Basis, Form, Regression, Term};
use crate::splines::{Penalty, Seen, chosen_words};

/// A form of regression.
pub(crate) trait Method {
    /// The functions of the predictors, and what their coefficients cost.
    ///
    /// Asked again for each part of the sample that is fitted without the rest.
    fn model(&self, sample: &Sample, context: &Context) -> Result<Model, Fault>;
}

/// What a method makes of a sample before its coefficients are known.
pub(crate) struct Model {
    pub basis: Basis,
    pub penalty: Penalty,
}

/// Fits a form to all usable subsets and says what they tell of the predictors.
pub(crate) fn regress(
    sources: &Sources,
    method: &dyn Method,
    context: &Context,
) -> Result<Regression, Fault> {
    // Anomalies that diverged have no numbers at all as a rule: to look at every weight would
    // be to read the table once more.
    if sources.pca.is_none() {
        let sample = Sample::gather(sources, begins_finite, context)?;
        if let Some(regression) = fitted(sources, &sample, method, context)? {
            return Ok(regression);
        }
        context.take_notes();
    }
    let sample = Sample::gather(sources, is_finite, context)?;
    fitted(sources, &sample, method, context)?
        .ok_or_else(|| Fault::Bug("sums of finite anomalies are not finite".to_owned()))
}

/// The regression of a sample; none where a weight of it is not a number.
fn fitted(
    sources: &Sources,
    sample: &Sample,
    method: &dyn Method,
    context: &Context,
) -> Result<Option<Regression>, Fault> {
    evidence::note_predictors(sample, context)?;
    let solution = Solution::of(sample, method, context)?;
    solution.note(sample, context);
    let mut edges = Edges::of(sample, &solution, method, context)?;
    let mut fit = SolvedFit::new(&solution, sample.weights());
    let pass = Pass(edges.wanted(&solution));
    let rows: Vec<&[f32]> = sample.table_rows().collect();
    for range in sample.ranges(&pass) {
        context.check_stop()?;
        context.progress(range.start as u64, sample.weights() as u64, None);
        let mut precision = solution.precision();
        let mut found = sample.find(&rows, &range, &pass, precision);
        if precision == Precision::Single && !solution.is_rough(whole(&found)?) {
            precision = Precision::Double;
            found = sample.find(&rows, &range, &pass, precision);
        }
        let whole = whole(&found)?;
        if !whole.squares.iter().sum::<f64>().is_finite() {
            return Ok(None);
        }
        fit.add(&solution, &range, whole, sample.reference(&range))?;
        edges.add((sample, &rows), &solution, &range, (&found, precision))?;
    }
    let layout = sample.table.layout.clone();
    let ranges: Vec<Range<usize>> = layout.ranges().map(|(_, range)| range).collect();
    let evidence = edges.evidence(sample, fit.variance.iter().sum());
    let left = |range: &Range<usize>| share(&fit.residual, &fit.variance, range);
    for (tensor, range) in layout.ranges() {
        if left(&range).is_none() {
            context.note(format!("the anomalies of `{}` do not vary", tensor.name));
        }
    }
    let form = Form {
        predictors: sample.predictors.to_vec(),
        names: sample.names().to_vec(),
        scaling: sample.scaling.clone(),
        seen: sample.seen.clone(),
        basis: solution.basis,
        rows: sample.rows(),
        explained: ranges
            .iter()
            .map(|range| left(range).map_or(0.0, |left| 1.0 - left))
            .collect(),
        pruned: ranges
            .iter()
            .map(|range| share(&fit.pruned, &fit.slopes, range).unwrap_or(0.0))
            .collect(),
        evidence,
    };
    let whole = left(&(0..layout.len())).map(|left| 1.0 - left);
    evidence::note(&form, &layout, whole, sources.keep.is_some(), context);
    Ok(Some(Regression {
        form,
        layout,
        coefficients: fit.coefficients,
    }))
}

/// The sums over the first set of a pass: all rows.
fn whole(found: &[Vec<Found>]) -> Result<&Moments, Fault> {
    match found.first().and_then(|found| found.first()) {
        Some(Found::Moments(moments)) => Ok(moments),
        _ => Err(Fault::Bug("a pass without sums over all rows".to_owned())),
    }
}

/// Fewer rows than this are summed in double precision.
const LEAST_ROWS: usize = 128;

/// The least share of the squares that moments in single precision, which are some 2e-7 of them off, may leave.
const LEAST_LEFT: f64 = 3e-4;

/// Smaller squares than this, on average, lose digits in single precision.
const LEAST_SQUARE: f64 = 1e-30;

/// One sum over a range of weights as a share of another.
pub(crate) fn share(part: &[f64], whole: &[f64], range: &Range<usize>) -> Option<f64> {
    let whole: f64 = whole[range.clone()].iter().sum();
    (whole > 0.0).then(|| part[range.clone()].iter().sum::<f64>() / whole)
}

/// What a fit found, weight by weight.
struct SolvedFit {
    /// Term after term.
    coefficients: Vec<f32>,
    /// The squared residuals, summed over the subsets.
    residual: Vec<f64>,
    /// The squared deviations from the mean, summed over the subsets.
    variance: Vec<f64>,
    /// How many slopes were set to zero by `keep`.
    pruned: Vec<f64>,
    /// How many slopes there were before.
    slopes: Vec<f64>,
}

impl SolvedFit {
    fn new(solution: &Solution, weights: usize) -> Self {
        Self {
            coefficients: vec![0.0; solution.terms.len() * weights],
            residual: Vec::with_capacity(weights),
            variance: Vec::with_capacity(weights),
            pruned: Vec::with_capacity(weights),
            slopes: vec![(solution.kept.len() - 1) as f64; weights],
        }
    }

    /// Adds the next range of weights, from their moments less those of a `reference`.
    fn add(
        &mut self,
        solution: &Solution,
        range: &Range<usize>,
        moments: &Moments,
        reference: &[f32],
    ) -> Result<(), Fault> {
        let (mut found, pruned) = solution.coefficients(moments)?;
        self.residual.extend(solution.residual(moments, &found));
        self.variance.extend(solution.design.variances(moments));
        self.pruned.extend(pruned);
        let intercepts = found.col_as_slice_mut(0).iter_mut();
        for (intercept, reference) in intercepts.zip(reference) {
            *intercept += f64::from(*reference);
        }
        let weights = self.slopes.len();
        for (column, term) in solution.kept.iter().enumerate() {
            let into = &mut self.coefficients[term * weights..][range.clone()];
            for (coefficient, value) in into.iter_mut().zip(found.col_as_slice(column)) {
                *coefficient = *value as f32;
            }
        }
        Ok(())
    }
}

/// A method with all that its coefficients for any weight follow from.
pub(crate) struct Solution<'a> {
    /// Which slopes stay.
    keep: Option<&'a ColumnExpr>,
    pub basis: Basis,
    terms: Vec<Term>,
    /// The terms that are not a linear combination of those before them.
    kept: Vec<usize>,
    pub design: Design,
    /// The penalty below the design.
    below: Mat<f64>,
    reduced: Option<Reduced>,
    /// The strengths that cross-validation chose.
    chosen: Option<Vec<f64>>,
}

/// The regression of principal components.
struct Reduced {
    components: Components,
    /// `[components, terms]`.
    estimates: Mat<f64>,
    /// Share of slopes set to zero.
    pruned: f64,
}

impl<'a> Solution<'a> {
    /// Chooses basis and penalties, and decomposes the design.
    pub fn of(sample: &Sample<'a>, method: &dyn Method, context: &Context) -> Result<Self, Fault> {
        Self::by(sample, method.model(sample, context)?, None, context)
    }

    /// Chooses penalties, and decomposes the design: of the terms that the `other` kept, where it has the same functions.
    pub fn by(
        sample: &Sample<'a>,
        model: Model,
        other: Option<&Solution>,
        context: &Context,
    ) -> Result<Self, Fault> {
        let Model { basis, penalty } = model;
        let terms = basis.terms(sample.names().len());
        let columns = sample.columns(&terms);
        let components = match sample.pca {
            Some(count) => Some(Components::of(sample, count, context)?),
            None => None,
        };
        let (strengths, chosen) = match penalty.given() {
            Some(given) => (given, None),
            None => {
                let seen = see(sample, &columns, components.as_ref(), context)?;
                let chosen = penalty.chosen(&seen);
                (chosen.clone(), Some(chosen))
            }
        };
        let below = penalty.below(&strengths, sample.rows(), terms.len());
        if sample.rows() + below.nrows() < terms.len() {
            return Err(too_few(sample.rows(), terms.len()));
        }
        let (design, kept) = match other.filter(|other| other.basis == basis) {
            Some(other) => Design::independent_of(&other.kept, &columns, &below),
            None => Design::independent(&columns, &below),
        };
        if sample.keep.is_some() && design.freedom() == 0.0 {
            let message = format!(
                "{} usable subsets for as many terms: their standard errors do not exist",
                sample.rows()
            );
            return Err(Fault::at("keep", message));
        }
        let reduced = match components {
            Some(components) => {
                let moments = Moments::of(&components.scores, design.factors());
                let (estimates, pruned) = estimates(&design, &moments, sample.keep)?;
                let slopes = estimates.nrows() * (estimates.ncols() - 1);
                Some(Reduced {
                    components,
                    estimates,
                    pruned: pruned.iter().sum::<f64>() / slopes.max(1) as f64,
                })
            }
            None => None,
        };
        Ok(Self {
            keep: sample.keep,
            basis,
            terms,
            below: columns_of(&below, &kept),
            kept,
            design,
            reduced,
            chosen,
        })
    }

    /// The terms it kept.
    pub fn kept_terms(&self) -> Vec<Term> {
        self.kept.iter().map(|t| self.terms[*t].clone()).collect()
    }

    /// Where its terms are among those of another fit; none where there are others.
    pub fn terms_in(&self, other: &Solution) -> Option<Vec<usize>> {
        let all = other.kept_terms();
        let place = |term: &Term| all.iter().position(|other| other == term);
        self.kept_terms().iter().map(place).collect()
    }

    /// The values of these terms where the sample is this one, `[rows, terms]`.
    pub fn design_of(&self, sample: &Sample) -> Mat<f64> {
        sample.columns(&self.kept_terms())
    }

    /// The factors `[rows, any]` of the moments that the coefficients follow from: those of the
    /// design, then those of the components.
    pub fn factors(&self) -> Mat<f64> {
        let q = self.design.factors();
        let Some(Reduced { components, .. }) = &self.reduced else {
            return q.clone();
        };
        let onto = components.onto();
        Mat::from_fn(
            q.nrows(),
            q.ncols() + onto.ncols(),
            |row, factor| match factor.checked_sub(q.ncols()) {
                None => q[(row, factor)],
                Some(component) => onto[(row, component)],
            },
        )
    }

    /// The coefficients `[weights, kept terms]` of some weights less their reference, from
    /// their moments with its factors; and how many slopes of each were pruned.
    pub fn coefficients(&self, moments: &Moments) -> Result<(Mat<f64>, Vec<f64>), Fault> {
        let Some(reduced) = &self.reduced else {
            return estimates(&self.design, moments, self.keep);
        };
        let loadings = moments.products.get(.., self.kept.len()..);
        let mut coefficients = loadings * &reduced.estimates;
        let intercepts = coefficients.col_as_slice_mut(0).iter_mut();
        for (intercept, mean) in intercepts.zip(self.design.means(moments)) {
            *intercept += mean;
        }
        let slopes = (self.kept.len() - 1) as f64;
        Ok((
            coefficients,
            vec![reduced.pruned * slopes; moments.squares.len()],
        ))
    }

    /// What predicts an edge from the sums over all rows and over the edge, where that is enough: where the fit to the
    /// `rest` of the rows, of this model, has the same terms.
    pub fn held_out(&self, edge: &[usize], rest: usize, model: &Model) -> Option<HeldOut> {
        let strengths = model.penalty.given()?;
        if !self.is_straight() || model.basis != self.basis {
            return None;
        }
        let below = model.penalty.below(&strengths, rest, self.terms.len());
        if rest + below.nrows() < self.terms.len() {
            return None;
        }
        let more = (below.nrows() > 0 || self.has_penalty()).then(|| {
            let below = columns_of(&below, &self.kept);
            self.design.gram_of(&below) - self.design.gram_of(&self.below)
        });
        HeldOut::down_dated(&self.design, edge, more.as_ref())
    }

    /// Whether its coefficients are linear in the moments of its terms.
    pub fn is_straight(&self) -> bool {
        self.is_of_terms() && self.keep.is_none()
    }

    /// Whether the moments that its coefficients follow from are those of its terms alone.
    pub fn is_of_terms(&self) -> bool {
        self.reduced.is_none()
    }

    /// Whether there is a penalty below its design.
    pub fn has_penalty(&self) -> bool {
        self.below.nrows() > 0
    }

    /// The squared residuals of each weight, summed over the subsets.
    fn residual(&self, moments: &Moments, estimates: &Mat<f64>) -> Vec<f64> {
        match self.is_straight() && !self.has_penalty() {
            true => self.left(moments),
            false => self.design.residual(moments, estimates),
        }
    }

    /// The squares of each weight less those of its products.
    fn left(&self, moments: &Moments) -> Vec<f64> {
        let mut left = moments.squares.clone();
        for factor in 0..self.kept.len() {
            let products = moments.products.col_as_slice(factor);
            for (left, product) in left.iter_mut().zip(products) {
                *left -= product * product;
            }
        }
        left.iter_mut().for_each(|left| *left = left.max(0.0));
        left
    }

    /// The precision that sums over its sample take at first: few rows are cheap in double precision.
    fn precision(&self) -> Precision {
        match self.design.factors().nrows() {
            0..LEAST_ROWS => Precision::Double,
            _ => Precision::Single,
        }
    }

    /// Whether its fits leave enough of each weight that moments in single precision tell it: then
    /// they move a standard error by a thousandth, and a coefficient by less than that of it.
    fn is_rough(&self, moments: &Moments) -> bool {
        let left = self.left(moments);
        let tiny = LEAST_SQUARE * self.design.factors().nrows() as f64;
        let mut pairs = moments.squares.iter().zip(left);
        // Weights that do not vary leave nothing of nothing; those that are not numbers are looked at again.
        pairs.all(|(squares, left)| match *squares {
            0.0 => left == 0.0,
            _ => *squares >= tiny && (LEAST_LEFT * squares..f64::INFINITY).contains(&left),
        })
    }

    /// Tells what was dropped, what was chosen and what the fit cannot say.
    fn note(&self, sample: &Sample, context: &Context) {
        let varies = sample.varies();
        for (index, term) in self.terms.iter().enumerate() {
            if !self.kept.contains(&index) && term.only_of(&varies) {
                context.note(format!(
                    "`{}` is a linear combination of the terms before it over the subsets and was dropped",
                    term.name(sample.names())
                ));
            }
        }
        if let Some(chosen) = &self.chosen {
            context.note(chosen_words(chosen));
        }
        if self.design.freedom() == 0.0 {
            context.note(format!(
                "{} usable subsets for as many terms: the fit is exact and says nothing",
                sample.rows()
            ));
        }
    }
}

fn too_few(rows: usize, terms: usize) -> Fault {
    let message =
        format!("expected at least {terms} usable subsets for {terms} terms, found {rows}");
    Fault::at("anomalies", message).with_hint(MORE_SUBSETS)
}

/// What cross-validation needs of the anomalies, or of the components in their place.
fn see(
    sample: &Sample,
    columns: &Mat<f64>,
    components: Option<&Components>,
    context: &Context,
) -> Result<Seen, Fault> {
    let qr = columns.qr();
    let q = qr.compute_thin_Q();
    let mut seen = Seen::through(sample.rows(), qr.thin_R().to_owned());
    let add = |seen: &mut Seen, moments: &Moments| {
        let within = moments.products.squared_norm_l2();
        let beyond = moments.squares.iter().sum::<f64>() - within;
        seen.add(moments.products.clone(), beyond);
    };
    if let Some(components) = components {
        add(&mut seen, &Moments::of(&components.scores, &q));
        return Ok(seen);
    }
    let all: Vec<usize> = (0..sample.rows()).collect();
    let pass = Pass(vec![Sums::over(&all, &q)]);
    let rows: Vec<&[f32]> = sample.table_rows().collect();
    for range in sample.ranges(&pass) {
        context.check_stop()?;
        let found = sample.find(&rows, &range, &pass, Precision::Double);
        add(&mut seen, whole(&found)?);
    }
    Ok(seen)
}

/// The coefficients of each right-hand side after pruning, and how many were pruned.
fn estimates(
    design: &Design,
    moments: &Moments,
    keep: Option<&ColumnExpr>,
) -> Result<(Mat<f64>, Vec<f64>), Fault> {
    let mut estimates = design.solve(moments);
    let mut pruned = vec![0.0; estimates.nrows()];
    if let Some(keep) = keep {
        let errors = design.errors(&design.residual(moments, &estimates));
        for slope in 1..estimates.ncols() {
            let ratios = estimates.col(slope).iter().zip(errors.col(slope).iter());
            let snr: Vec<f64> = ratios.map(|(value, error)| value.abs() / error).collect();
            let kept = keep
                .evaluate(snr.len(), &|name| (name == SNR).then_some(snr[..].into()))
                .map_err(Fault::Bug)?;
            for (weight, kept) in kept.iter().enumerate() {
                if *kept != 1.0 {
                    estimates[(weight, slope)] = 0.0;
                    pruned[weight] += 1.0;
                }
            }
        }
    }
    Ok((estimates, pruned))
}
