//! Regressions against numpy, and against laws planted in the anomalies.
//!
//! The golden numbers are printed by this script (numpy 2.4, float64; `B` and `SE` term by
//! term, the shares by tensor):
//!
//! ```python
//! import numpy as np
//! a = np.array([1,3, 2,2, 5,3, 4,8, 7,5, 9,7, 6,8, 10,12], float).reshape(8, 2).mean(1)
//! b = np.array([2,0, 5,7, 1,3, 4,4, 9,7, 0,2, 8,6, 5,5], float).reshape(8, 2).mean(1)
//! Y = np.array([[.5,-1,2], [.25,-.5,2.5], [1,-1.5,1.75], [2.25,0,3],
//!               [1.5,1,3.5], [3,-2,1.5], [2,.5,4], [3.75,-1,2.25]])
//! z = lambda x: (x - x.mean()) / x.std()
//! n, one, za, zb, Yc = 8, np.ones(8), z(a), z(b), Y - Y.mean(0)
//! share = lambda R: [1 - (R[:, :2]**2).sum() / (Yc[:, :2]**2).sum(),
//!                    1 - (R[:, 2]**2).sum() / (Yc[:, 2]**2).sum()]
//! for X in (np.c_[one, za, zb], np.c_[one, za, zb, za * za, za * zb, zb * zb]):
//!     B = np.linalg.lstsq(X, Y, rcond=None)[0]
//!     var = ((Y - X @ B)**2).sum(0) / (n - X.shape[1])
//!     SE = np.sqrt(np.diag(np.linalg.inv(X.T @ X))[:, None] * var)
//!     print(B, SE, share(Y - X @ B))
//!     keep = abs(B) / SE > 2; keep[0] = True
//!     print(share(Y - X @ np.where(keep, B, 0)))
//! X = np.c_[za, zb]
//! shrink = lambda l: np.linalg.solve(X.T @ X + n * l * np.eye(2), X.T)
//! def gcv(l):
//!     A = X @ shrink(l) + np.ones((n, n)) / n
//!     return ((Y - A @ Y)**2).sum() / n / (np.trace(np.eye(n) - A) / n)**2
//! grid = 10.0**(np.arange(-60, 31) / 10)
//! for l in (0.3, grid[np.argmin([gcv(l) for l in grid])]):
//!     print(l, shrink(l) @ Yc, share(Yc - X @ shrink(l) @ Yc))
//! # principal components: the anomalies without all but the leading one
//! v = np.linalg.svd(Yc, full_matrices=False)[2][:1]
//! X = np.c_[one, za, zb]
//! print(np.linalg.lstsq(X, Y.mean(0) + Yc @ v.T @ v, rcond=None)[0])
//! # the edge: rows `err` and `dev` are predictors, columns weights
//! err, dev = np.zeros((2, 3)), np.zeros((2, 3))
//! for j, x in enumerate((za, zb)):
//!     for held in (x <= np.sort(x)[1], x >= np.sort(x)[-2]):
//!         B = np.linalg.lstsq(X[~held], Y[~held], rcond=None)[0]
//!         err[j] += ((Y[held] - X[held] @ B)**2).sum(0)
//!         dev[j] += ((Y[held] - Y[~held].mean(0))**2).sum(0)
//! e, d = err.sum(0), dev.sum(0)
//! print(1 - e[:2].sum() / d[:2].sum(), 1 - e[2] / d[2], 1 - err.sum(1) / dev.sum(1))
//! print(np.sqrt((Yc**2).sum() / n / (np.array([1, -2, .5])**2).sum()))
//! ```
//!
//! Splines in another basis, that of the values at the knots, with scipy 1.17:
//!
//! ```python
//! from scipy.interpolate import CubicSpline
//! class Spl:
//!     def __init__(s, x, K):
//!         s.k = np.unique(np.quantile(x, np.linspace(0, 1, K)))
//!         s.c = CubicSpline(s.k, np.eye(len(s.k)), bc_type='natural')
//!     def __call__(s, x):
//!         c = np.clip(x, s.k[0], s.k[-1])
//!         return s.c(c) + s.c(c, 1) * (x - c)[:, None]
//!     def S(s):  # the integral of products of second derivatives
//!         h, m = np.diff(s.k) / 2, (s.k[1:] + s.k[:-1]) / 2
//!         D = s.c(np.r_[m - h / 3**.5, m + h / 3**.5], 2)
//!         return D.T @ (np.r_[h, h][:, None] * D)
//! sa, sb, O = Spl(za, 4), Spl(zb, 4), np.zeros((4, 4))
//! X = np.c_[sa(za), sb(zb)]
//! at = np.c_[sa(np.array([-3, .3, 4])), sb(np.array([2, -.5, -2]))]
//! print(at @ np.linalg.lstsq(X, Y, rcond=None)[0])
//! hat = lambda p, q: np.linalg.pinv(X.T @ X + n * np.block([[p * sa.S(), O], [O, q * sb.S()]]),
//!                                   rcond=1e-13) @ X.T
//! def gcv(p, q):
//!     A = X @ hat(p, q)
//!     return ((Y - A @ Y)**2).sum() / n / (np.trace(np.eye(n) - A) / n)**2
//! grid = 10.0**(np.arange(-60, 61) / 10)
//! p = q = grid[np.argmin([gcv(l, l) for l in grid])]
//! print(at @ hat(.1, .1) @ Y, p, at @ hat(p, p) @ Y)
//! for _ in range(20):
//!     p = grid[np.argmin([gcv(l, q) for l in grid])]
//!     q = grid[np.argmin([gcv(p, l) for l in grid])]
//! print(p, q, at @ hat(p, q) @ Y)
//! ```

use dsl::ast::BinaryOp;
use dsl::column::ColumnExpr;
use engine::artifact::{Artifact, Dataset, Layout, WeightTable};
use engine::error::Fault;
use engine::params::{Condition, Input, MaybeVia, Via};
use engine::plugin::{Context, Plugin};
use polars::prelude::{Column, DataFrame};
use proptest::prelude::*;

use super::*;
use crate::networks::testing::network;
use crate::networks::{Loss, Scaled};
use crate::parents::Parent;
use crate::predictors::Predictors;
use crate::predictors::tests::dataset;
use crate::subsets::Subsets;
use crate::training::{Adam, Optimizer};

const A: [f64; 16] = [
    1.0, 3.0, 2.0, 2.0, 5.0, 3.0, 4.0, 8.0, 7.0, 5.0, 9.0, 7.0, 6.0, 8.0, 10.0, 12.0,
];
const B: [f64; 16] = [
    2.0, 0.0, 5.0, 7.0, 1.0, 3.0, 4.0, 4.0, 9.0, 7.0, 0.0, 2.0, 8.0, 6.0, 5.0, 5.0,
];
const Y: [[f32; 3]; 8] = [
    [0.5, -1.0, 2.0],
    [0.25, -0.5, 2.5],
    [1.0, -1.5, 1.75],
    [2.25, 0.0, 3.0],
    [1.5, 1.0, 3.5],
    [3.0, -2.0, 1.5],
    [2.0, 0.5, 4.0],
    [3.75, -1.0, 2.25],
];

/// Subsets of two rows each, in the order given, and what is asked of them.
#[derive(Clone)]
struct Case {
    columns: Vec<(&'static str, Vec<f64>)>,
    /// The subset of each anomaly, and its weights.
    anomalies: Vec<(u32, Vec<f32>)>,
    keep: Option<f64>,
    pca: Option<usize>,
    against: Against,
}

/// A call of a regression on a case.
macro_rules! call {
    ($case:expr, $Regression:ident { $($own:tt)* }) => {
        $Regression {
            variables: $case.variables(),
            options: $case.options(),
            $($own)*
        }
    };
}

/// The network the anomalies are of.
fn parent() -> Parent {
    let input = |name: &str| Scaled {
        name: name.to_owned(),
        mean: 0.0,
        std: 1.0,
    };
    let network = network([vec![input("x"), input("y")], vec![]], &[2, 1], Loss::Mse);
    Parent::new(network, vec![1.0, -2.0, 0.5])
}

impl Case {
    fn new() -> Self {
        Self {
            columns: vec![("a", A.to_vec()), ("b", B.to_vec())],
            anomalies: (0..8).map(|row| (row, Y[row as usize].to_vec())).collect(),
            keep: None,
            pca: None,
            against: Against::Anomalies,
        }
    }

    fn with(mut self, name: &'static str, values: [f64; 16]) -> Self {
        self.columns.push((name, values.to_vec()));
        self
    }

    fn data(&self) -> Dataset {
        let columns: Vec<(&str, &[f64])> = self.columns.iter().map(|(n, v)| (*n, &v[..])).collect();
        dataset(&columns)
    }

    fn table(&self) -> WeightTable {
        let subset: Vec<u32> = self.anomalies.iter().map(|(subset, _)| *subset).collect();
        let subset = Column::new("subset".into(), &subset[..]);
        WeightTable {
            layout: Layout::mlp(&[2, 1]),
            coordinates: DataFrame::new(self.anomalies.len(), vec![subset]).unwrap(),
            weights: self.anomalies.iter().flat_map(|(_, w)| w.clone()).collect(),
        }
    }

    fn variables(&self) -> Variables {
        Variables {
            anomalies: Input::new(self.table()),
            predictors: self.predictors(),
        }
    }

    fn options(&self) -> FitOptions {
        FitOptions {
            keep: self.keep.map(snr_above),
            pca: self.pca,
            against: self.against,
            subsets: Via(Input::new(self.subsets())),
            data: Via(Input::new(self.data())),
            training: MaybeVia(Some(Input::new(self.data()))),
            parent: Via(Input::new(parent())),
        }
    }

    fn predictors(&self) -> Vec<Input<Predictors>> {
        let names = self.columns.iter().map(|(name, _)| (*name).to_owned());
        names
            .map(|name| Input::new(Predictors::Columns(vec![name])))
            .collect()
    }

    fn subsets(&self) -> Subsets {
        let count = self.columns[0].1.len() as u32 / 2;
        Subsets {
            rows: (0..count).map(|row| vec![2 * row, 2 * row + 1]).collect(),
        }
    }

    fn polynomial(
        &self,
        degree: usize,
        keep: Option<f64>,
    ) -> (Result<Regression, Fault>, Vec<String>) {
        let case = Self {
            keep,
            ..self.clone()
        };
        let context = Context::alone("polynomial");
        let found = call!(case, Polynomial { degree }).run(&context);
        (found, without_evidence(&context))
    }

    fn ridge(&self, penalty: Option<f64>) -> (Regression, Vec<String>) {
        let context = Context::alone("ridge");
        let found = call!(self, Ridge { penalty }).run(&context).unwrap();
        (found, without_evidence(&context))
    }

    fn spline(&self, knots: usize) -> Regression {
        let call = call!(self, Spline { knots });
        call.run(&Context::alone("spline")).unwrap()
    }

    fn gam(&self, penalty: Option<f64>, smoothing: Smoothing) -> (Regression, Vec<String>) {
        let context = Context::alone("gam");
        let call = call!(
            self,
            Gam {
                knots: 4,
                penalty,
                smoothing
            }
        );
        let found = call.run(&context).unwrap();
        (found, without_evidence(&context))
    }

    fn network(&self) -> Regression {
        let call = call!(
            self,
            Hidden {
                units: 3,
                optimizer: Optimizer::Adam(Adam {
                    rate: 1e-2,
                    beta1: 0.9,
                    beta2: 0.999,
                    epsilon: 1e-8,
                }),
                steps: 300,
                penalty: 1e-6,
            }
        );
        call.run(&Context::alone("network")).unwrap()
    }
}

/// The notes but those that every regression or every curved polynomial has.
fn without_evidence(context: &Context) -> Vec<String> {
    let mut notes = context.take_notes();
    notes.retain(|note| {
        let every = [
            "the predictors explain",
            "slopes set to zero",
            "polynomials of degree",
        ];
        !every.iter().any(|start| note.starts_with(start)) && !note.contains("explains nothing")
    });
    notes
}

/// The anomalies where the standardised predictors are these.
fn at(regression: &Regression, standardised: &[f64]) -> Vec<f64> {
    let terms = regression.form.terms();
    (0..regression.layout.len())
        .map(|weight| {
            let products = terms.iter().enumerate().map(|(index, term)| {
                term.value(standardised) * f64::from(regression.coefficients_of(index)[weight])
            });
            products.sum()
        })
        .collect()
}

/// The points of the script: outside, inside, and outside on the other side.
fn at_script(regression: &Regression) -> Vec<f64> {
    let points = [[-3.0, 2.0], [0.3, -0.5], [4.0, -2.0]];
    points
        .iter()
        .flat_map(|point| at(regression, point))
        .collect()
}

mod curves;
mod evidence;
mod golden;
mod law;

fn snr_above(least: f64) -> Condition {
    Condition(ColumnExpr::Binary(
        BinaryOp::Greater,
        Box::new(ColumnExpr::Column("snr".to_owned())),
        Box::new(ColumnExpr::Number(least)),
    ))
}

fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < tolerance, "{found} {expected}");
    }
}

/// Coefficients are kept as `f32`.
fn close_f32(found: &[f32], expected: &[f64]) {
    let found: Vec<f64> = found.iter().map(|value| f64::from(*value)).collect();
    close(&found, expected, 3e-7);
}

const LINE: [f64; 9] = [
    1.781250000000,
    -0.562500000000,
    2.562500000000,
    1.141417335278,
    -0.181302628690,
    -0.045380464497,
    -0.197114925816,
    0.851831957521,
    0.704092959868,
];

#[test]
fn straight_lines_agree_with_numpy() {
    let (regression, notes) = Case::new().polynomial(1, None);
    let regression = regression.unwrap();
    close_f32(&regression.coefficients, &LINE);
    let form = &regression.form;
    close(&form.explained, &[0.896164305363, 0.727958162850], 1e-7);
    assert_eq!(form.pruned, [0.0, 0.0]);
    assert_eq!(form.names, ["a", "b"]);
    // The means over two rows each; their standard deviation is that of numpy's `std`.
    assert_eq!(form.seen, [(2.0, 11.0), (1.0, 8.0)]);
    close(
        &[form.scaling[0].0, form.scaling[1].0],
        &[5.75, 4.25],
        1e-12,
    );
    assert_eq!(form.rows, 8);
    assert!(notes.is_empty(), "{notes:?}");

    let ols = call!(Case::new(), Ols {});
    let ols = ols.run(&Context::alone("ols"));
    assert_eq!(ols.unwrap(), regression);
}

#[test]
fn quadratics_agree_with_numpy() {
    let (regression, _) = Case::new().polynomial(2, None);
    let regression = regression.unwrap();
    close_f32(
        &regression.coefficients,
        &[
            1.927440661383,
            -0.322785382389,
            2.915446655915,
            1.130024700609,
            -0.070942713816,
            0.055453797079,
            -0.209231755882,
            0.848589964555,
            0.693783118828,
            -0.033272451072,
            -0.282193151253,
            -0.304197493616,
            -0.070936424487,
            0.360411688628,
            0.318488295361,
            -0.100093890825,
            -0.022678889713,
            -0.106327418912,
        ],
    );
    close(
        &regression.form.explained,
        &[0.959905213634, 0.903590312242],
        1e-7,
    );
}

#[test]
fn slopes_of_little_signal_are_pruned() {
    // snr of `a`: 15.07, 0.89, 0.23; of `b`: 2.60, 4.19, 3.63 (numpy, |B| / SE).
    let (regression, _) = Case::new().polynomial(1, Some(2.0));
    let regression = regression.unwrap();
    let mut expected = LINE;
    (expected[4], expected[5]) = (0.0, 0.0);
    close_f32(&regression.coefficients, &expected);
    assert_eq!(regression.form.pruned, [0.25, 0.5]);
    close(
        &regression.form.explained,
        &[0.881157823595, 0.724875104611],
        1e-7,
    );
}

#[test]
fn ridge_agrees_with_numpy_for_a_given_penalty() {
    let (regression, notes) = Case::new().ridge(Some(0.3));
    close_f32(
        &regression.coefficients,
        &[
            1.781250000000,
            -0.562500000000,
            2.562500000000,
            0.866368191914,
            -0.110762181958,
            -0.011660018866,
            -0.113376818502,
            0.645445557929,
            0.536920593871,
        ],
    );
    close(
        &regression.form.explained,
        &[0.842912809997, 0.687469082907],
        1e-7,
    );
    assert!(notes.is_empty(), "{notes:?}");
    let (unpenalised, _) = Case::new().ridge(Some(0.0));
    close_f32(&unpenalised.coefficients, &LINE);
}

#[test]
fn ridge_takes_the_penalty_numpy_finds_by_cross_validation() {
    let (regression, notes) = Case::new().ridge(None);
    close_f32(
        &regression.coefficients,
        &[
            1.781250000000,
            -0.562500000000,
            2.562500000000,
            1.069606965080,
            -0.161368117703,
            -0.035288839647,
            -0.173204165088,
            0.797884938817,
            0.660588234548,
        ],
    );
    assert_eq!(notes, ["penalty 6.310e-2 by generalised cross-validation"]);
}

#[test]
fn what_cannot_be_told_apart_is_dropped_and_named() {
    let twice = A.map(|value| 2.0 * value + 1.0);
    let case = Case::new().with("flat", [0.1; 16]).with("twice", twice);
    let (regression, notes) = case.polynomial(1, None);
    let regression = regression.unwrap();
    assert_eq!(
        notes,
        [
            "predictor `flat` is the same for every subset and was dropped",
            "`twice` is a linear combination of the terms before it over the subsets and was dropped",
        ]
    );
    close_f32(regression.coefficients_of(1), &LINE[3..6]);
    close_f32(regression.coefficients_of(2), &LINE[6..9]);
    assert_eq!(regression.coefficients[9..], [0.0; 6]);

    let (ridge, notes) = Case::new().with("flat", [0.1; 16]).ridge(Some(0.3));
    assert_eq!(
        notes,
        ["predictor `flat` is the same for every subset and was dropped"]
    );
    let (without, _) = Case::new().ridge(Some(0.3));
    close_f32(
        &ridge.coefficients[..9],
        &without
            .coefficients
            .iter()
            .map(|c| f64::from(*c))
            .collect::<Vec<_>>(),
    );
    assert_eq!(ridge.coefficients[9..], [0.0; 3]);
}

#[test]
fn anomalies_that_diverged_or_lack_a_predictor_are_left_out() {
    let mut case = Case::new();
    case.anomalies[3].1[1] = f32::NAN;
    case.columns[0].1[11] = f64::NAN;
    let (regression, notes) = case.polynomial(1, None);
    assert_eq!(
        notes,
        [
            "1 of 8 anomalies diverged and were left out",
            "1 of 8 subsets have a missing predictor and were left out",
        ]
    );
    let mut fewer = Case::new();
    fewer.anomalies.remove(5);
    fewer.anomalies.remove(3);
    assert_eq!(regression.unwrap(), fewer.polynomial(1, None).0.unwrap());
}

#[test]
fn too_few_subsets_are_refused() {
    let mut case = Case::new();
    case.anomalies.truncate(5);
    let fault = case.polynomial(2, None).0.unwrap_err();
    assert!(matches!(
        &fault,
        Fault::User {
            param: Some(param),
            hint: Some(_),
            ..
        } if param == "anomalies"
    ));
    assert_eq!(
        fault.to_string(),
        "expected at least 6 usable subsets for 6 terms, found 5"
    );
    case.anomalies.truncate(3);
    let fault = case.polynomial(1, Some(2.0)).0.unwrap_err();
    assert!(matches!(
        &fault,
        Fault::User {
            param: Some(param),
            ..
        } if param == "keep"
    ));
    assert_eq!(
        fault.to_string(),
        "3 usable subsets for as many terms: their standard errors do not exist"
    );
    let (regression, notes) = case.polynomial(1, None);
    assert!(regression.is_ok());
    assert_eq!(
        notes,
        ["3 usable subsets for as many terms: the fit is exact and says nothing"]
    );
}

#[test]
fn predictors_are_fitted_on_the_training_data_not_on_the_subsets_data() {
    let eof = Predictors::Eof(crate::predictors::Analysis {
        columns: vec!["a".to_owned(), "b".to_owned()],
        modes: 1,
        standardise: false,
        over: Vec::new(),
        at: Vec::new(),
        area: None,
    });
    let case = Case::new();
    let wider = dataset(&[("a", &[0.0, 100.0]), ("b", &[0.0, 1.0])]);
    // A parent that was adopted has no training data.
    for (training, expected) in [(Some(wider.clone()), wider), (None, case.data())] {
        let mut call = call!(case, Ols {});
        call.variables.predictors = vec![Input::new(eof.clone())];
        call.options.training = MaybeVia(training.map(Input::new));
        let regression = call.run(&Context::alone("ols")).unwrap();
        assert_eq!(regression.form.predictors, [eof.fit(&expected).unwrap()]);
    }
}

#[test]
fn tensors_that_do_not_vary_are_told() {
    let mut case = Case::new();
    case.anomalies.iter_mut().for_each(|(_, w)| w[2] = 0.75);
    let (regression, notes) = case.polynomial(1, None);
    assert_eq!(notes, ["the anomalies of `layers.0.bias` do not vary"]);
    assert_eq!(regression.unwrap().form.explained[1], 0.0);
}

#[test]
fn a_regression_comes_back_from_its_parts() {
    let regression = Case::new().polynomial(2, None).0.unwrap();
    let mut parts = regression.to_parts().unwrap();
    assert_eq!(Regression::from_parts(&parts).unwrap(), regression);
    parts = parts.with("coefficients.f32", vec![0; 8]);
    assert_eq!(
        Regression::from_parts(&parts).unwrap_err().to_string(),
        "part `coefficients.f32`: expected 18 numbers, found 2"
    );
}

#[test]
fn components_stand_for_the_weights() {
    let mut case = Case::new();
    case.pca = Some(1);
    let (regression, _) = case.polynomial(1, None);
    let expected = [
        1.78125,
        -0.5625,
        2.5625,
        0.273923750429,
        -0.450962153751,
        -0.364063492292,
        -0.462916993032,
        0.762102752532,
        0.61524850204,
    ];
    close_f32(&regression.unwrap().coefficients, &expected);
    // snr of the slopes of the component: 2.72 and 4.60.
    let (pruned, _) = case.polynomial(1, Some(3.0));
    let pruned = pruned.unwrap();
    assert_eq!(pruned.coefficients[3..6], [0.0; 3]);
    close_f32(&pruned.coefficients[6..], &expected[6..]);
    assert_eq!(pruned.form.pruned, [0.5, 0.5]);
    // All components are all there is.
    case.pca = Some(10);
    close_f32(&case.polynomial(1, None).0.unwrap().coefficients, &LINE);
    let (held, notes) = case.ridge(None);
    let (same, same_notes) = Case::new().ridge(None);
    let same: Vec<f64> = same.coefficients.iter().map(|c| f64::from(*c)).collect();
    close_f32(&held.coefficients, &same);
    assert_eq!(notes, same_notes);
}

#[test]
fn whole_weights_give_the_same_map() {
    let mut case = Case::new();
    case.against = Against::Weights;
    close_f32(&case.polynomial(1, None).0.unwrap().coefficients, &LINE);
    case.pca = Some(10);
    close_f32(&case.polynomial(1, None).0.unwrap().coefficients, &LINE);
}

proptest! {
    #[test]
    fn the_order_of_the_anomalies_does_not_matter(
        order in Just((0..8).collect::<Vec<usize>>()).prop_shuffle(),
        degree in 1..=2usize,
    ) {
        let case = Case::new();
        let mut shuffled = case.clone();
        shuffled.anomalies = order.iter().map(|row| case.anomalies[*row].clone()).collect();
        let expected = case.polynomial(degree, None).0.unwrap();
        let found = shuffled.polynomial(degree, None).0.unwrap();
        for (found, expected) in found.coefficients.iter().zip(&expected.coefficients) {
            prop_assert!((found - expected).abs() < 1e-6);
        }
        prop_assert_eq!(found.form.seen, expected.form.seen);
    }

    #[test]
    fn a_planted_law_is_recovered(law in prop::array::uniform9(-2.0..2.0f64)) {
        let mut case = Case::new();
        let form = case.polynomial(1, None).0.unwrap().form;
        for (subset, weights) in &mut case.anomalies {
            let row = 2 * *subset as usize;
            let z = form.standardised(&[(A[row] + A[row + 1]) / 2.0, (B[row] + B[row + 1]) / 2.0]);
            for (weight, value) in weights.iter_mut().enumerate() {
                *value = (law[weight] + law[3 + weight] * z[0] + law[6 + weight] * z[1]) as f32;
            }
        }
        let regression = case.polynomial(1, None).0.unwrap();
        for (found, planted) in regression.coefficients.iter().zip(law) {
            prop_assert!((f64::from(*found) - planted).abs() < 1e-6);
        }
        let (quadratic, _) = case.polynomial(2, None);
        for found in &quadratic.unwrap().coefficients[9..] {
            prop_assert!(found.abs() < 1e-5);
        }
    }
}
