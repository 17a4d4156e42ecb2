//! `eof([jan, feb, …], modes: 2)`: leading principal components of columns.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::Column;
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use faer::Mat;
use serde::{Deserialize, Serialize};

use super::support::matrix::Matrix;
use super::{PredictorRows, Predictors};
use crate::calls::{complaints, distinct, filled};
use crate::moments::{mean_and_deviation, power_of_two};

plugin! {
    /// Principal components (empirical orthogonal functions) of columns or of a field.
    ///
    /// The modes are those of the training data only: its samples, centred, are split by a
    /// singular value decomposition, and any other data are projected on the modes found. A
    /// note tells the share of the variance each explains. The sign of a mode is the one that
    /// makes its loading of largest magnitude positive.
    ///
    /// Of several columns each row is a sample. With `over`, one column is a field:
    /// `eof(sst, over: time, at: [lat, lon])` has a sample for each time, whose variables are
    /// the places, and every row gets the components of its time; `eof(speed, over: [lat,
    /// lon], at: month)` describes each place by its seasonal cycle. With `area: lat` cells
    /// count by the cosine of their latitude.
    ///
    /// Samples with a missing value take no part in the fit and have no components.
    ///
    /// ```farcast
    /// predictor leading = eof(x, y, z, modes: 2)
    /// regression plane = ols(shift, leading)
    /// ```
    "eof" version 3
    pub struct Eof {
        /// The columns; one that is a field when there is `over`.
        columns: Vec<Column>, variadic(), needed();
        /// How many leading modes, one predictor each.
        modes: usize = "1", range("1..=1000");
        /// Whether variables are divided by their standard deviation first.
        standardise: bool = "true";
        /// The columns that tell samples of a field apart.
        over: Vec<Column> = "[]", needed();
        /// The columns that tell the variables of a sample apart.
        at: Vec<Column> = "[]", needed();
        /// The column of latitudes by which cells are weighted by their area.
        area: Option<Column>, needed();
    }
}

impl Plugin for Eof {
    type Output = Predictors;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let count = |field| call.get::<Vec<Column>>(field).unwrap_or_default().len();
        let (columns, modes) = (count("columns"), call.get::<usize>("modes").unwrap_or(1));
        let lone = match (count("over"), count("at")) {
            (0, 0) if modes > columns => {
                let expected = format!("expected at most one mode per column ({columns})");
                Some(Complaint::at("modes", format!("{expected}, found {modes}")))
            }
            (0, 0) => None,
            (0, _) => Some(Complaint::at("at", "expected `over` beside `at`")),
            (_, 0) => Some(Complaint::at("over", "expected `at` beside `over`")),
            (_, _) if columns != 1 => {
                let message = format!("expected one column for a field, found {columns}");
                Some(Complaint::at("columns", message))
            }
            _ => None,
        };
        let both = call.get::<Vec<Column>>("over").unwrap_or_default();
        let at = call.get::<Vec<Column>>("at").unwrap_or_default();
        let twice = both.iter().find(|column| at.contains(column));
        let message = |Column(name): &Column| format!("`{name}` is in `over` as well");
        complaints([
            filled(call, "columns", "column"),
            distinct(call, "columns").map(Complaint::as_warning),
            lone,
            twice.map(|column| Complaint::at("at", message(column))),
        ])
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        Facts {
            predictors: call.get("modes"),
            ..Facts::default()
        }
    }

    fn run(self, _: &Context) -> Result<Predictors, Fault> {
        let names = |columns: Vec<Column>| columns.into_iter().map(|column| column.0).collect();
        let analysis = Analysis {
            columns: names(self.columns),
            modes: self.modes,
            standardise: self.standardise,
            over: names(self.over),
            at: names(self.at),
            area: self.area.map(|column| column.0),
        };
        Ok(Predictors::Eof(analysis))
    }
}

/// Which principal components are asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// The columns.
    pub columns: Vec<String>,
    /// How many leading modes.
    pub modes: usize,
    /// Whether variables are divided by their standard deviation first.
    pub standardise: bool,
    /// The columns that tell samples of a field apart; none when each row is a sample.
    pub over: Vec<String>,
    /// The columns that tell the variables of a field apart.
    pub at: Vec<String>,
    /// The column of latitudes, to weight by area.
    pub area: Option<String>,
}

impl Analysis {
    /// The columns of a row that is a sample of its own; none where rows make up a field.
    pub fn of_row(&self) -> Option<Vec<&str>> {
        let columns = self.columns.iter().chain(&self.area);
        { self.over.is_empty() }.then(|| columns.map(String::as_str).collect())
    }
}

/// The modes of training data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Modes {
    /// What they are of.
    pub analysis: Analysis,
    /// The variables: columns, or places of a field.
    pub variables: Vec<String>,
    /// What is subtracted from each variable and what it is divided by.
    pub scaling: Vec<(f64, f64)>,
    /// One loading of unit length per mode, a number for each variable.
    pub loadings: Vec<Vec<f64>>,
    /// The share of the variance each mode explains; its sum is at most 1.
    pub explained: Vec<f64>,
}

impl Analysis {
    /// The modes of the complete samples of these data.
    ///
    /// # Errors
    /// When a column is missing, or fewer than two samples are complete.
    pub fn fit(&self, data: &Dataset) -> Result<Modes, Fault> {
        let matrix = Matrix::of(self, data, None)?;
        let (samples, weights) = self.complete(&matrix)?;
        let variables = 0..matrix.variables.len();
        let spread: Vec<(f64, f64)> = variables
            .map(|variable| {
                let column: Vec<f64> = samples.iter().map(|sample| sample[variable]).collect();
                spread(&column, &weights)
            })
            .collect();
        if spread.iter().all(|(_, std)| *std == 0.0) {
            return Err(Fault::user(format!(
                "the columns {} do not vary: they have no principal components",
                listed(&self.columns)
            )));
        }
        let scaling: Vec<(f64, f64)> = spread
            .into_iter()
            .zip(&matrix.variable_factors)
            .map(
                |((mean, std), factor)| match self.standardise && std > 0.0 {
                    true => (mean, std / factor),
                    false => (mean, 1.0 / factor),
                },
            )
            .collect();
        let mut scaled = Mat::from_fn(samples.len(), scaling.len(), |row, column| {
            let (mean, std) = scaling[column];
            (samples[row][column] - mean) / std * weights[row].sqrt()
        });
        // Squares of numbers such as 1e200 and 1e-200 are beyond double precision; modes have no unit.
        let largest = scaled.norm_max();
        if !(1e-100..1e100).contains(&largest) {
            scaled *= faer::Scale(1.0 / power_of_two(largest));
        }
        let svd = scaled
            .thin_svd()
            .map_err(|_| Fault::user("the principal components did not converge"))?;
        let variances: Vec<f64> = svd.S().column_vector().iter().map(|s| s * s).collect();
        let total: f64 = variances.iter().sum();
        // Fewer samples than variables leave fewer modes; those beyond have no variance.
        let modes = self.modes.min(variances.len());
        Ok(Modes {
            analysis: self.clone(),
            variables: matrix.variables,
            scaling,
            loadings: (0..modes)
                .map(|mode| signed(svd.V().col(mode).iter().copied().collect()))
                .collect(),
            explained: variances[..modes].iter().map(|v| v / total).collect(),
        })
    }

    /// The samples without a gap, and how much each counts.
    fn complete<'m>(&self, matrix: &'m Matrix) -> Result<(Vec<&'m [f64]>, Vec<f64>), Fault> {
        let (samples, weights): (Vec<&[f64]>, Vec<f64>) = matrix
            .samples
            .iter()
            .zip(&matrix.sample_weights)
            .filter(|(sample, weight)| sample.iter().all(|x| x.is_finite()) && **weight > 0.0)
            .map(|(sample, weight)| (&sample[..], *weight))
            .unzip();
        if samples.len() < 2 {
            let what = if self.over.is_empty() {
                "rows"
            } else {
                "samples"
            };
            return Err(Fault::user(format!(
                "principal components of {} need two complete {what}, found {} of {}",
                listed(&self.columns),
                samples.len(),
                matrix.samples.len()
            )));
        }
        Ok((samples, weights))
    }
}

/// The mean and standard deviation; rounding leaves a constant column with one of about its
/// last digit, which counts as none.
fn spread(column: &[f64], weights: &[f64]) -> (f64, f64) {
    let total: f64 = weights.iter().sum();
    let weighted = |value: &dyn Fn(f64) -> f64| {
        let terms = column
            .iter()
            .zip(weights)
            .map(|(x, weight)| weight * value(*x));
        terms.sum::<f64>() / total
    };
    let moments = |unit: f64| {
        let mean = weighted(&|x| x / unit);
        (mean, weighted(&|x| (x / unit - mean).powi(2)))
    };
    let largest = || column.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    let leaves = |_, variance: f64| !variance.is_normal();
    let (mean, std) = mean_and_deviation(moments, leaves, largest);
    (mean, if std > mean.abs() * 1e-12 { std } else { 0.0 })
}

/// Loadings whose magnitudes differ by no more than this share count as equally large.
const SAME_MAGNITUDE: f64 = 1e-9;

/// The mode with its loading of largest magnitude positive, the first of equals.
fn signed(mode: Vec<f64>) -> Vec<f64> {
    let largest = mode.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let leading = mode
        .iter()
        .find(|x| x.abs() >= largest * (1.0 - SAME_MAGNITUDE));
    match leading {
        Some(leading) if *leading < 0.0 => mode.iter().map(|x| -x).collect(),
        _ => mode,
    }
}

fn listed(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

impl Modes {
    /// The components of every row: the projection of its sample on each mode.
    ///
    /// # Errors
    /// When a column is missing.
    pub fn rows(&self, data: &Dataset) -> Result<PredictorRows, Fault> {
        let matrix = Matrix::of(&self.analysis, data, Some(&self.variables))?;
        let component = |sample: &[f64], loading: &[f64]| -> f64 {
            let terms = sample.iter().zip(&self.scaling).zip(loading);
            terms
                .map(|((value, (mean, std)), loading)| (value - mean) / std * loading)
                .sum()
        };
        let components: Vec<Vec<f64>> = matrix
            .samples
            .iter()
            .map(|sample| {
                self.loadings
                    .iter()
                    .map(|mode| component(sample, mode))
                    .collect()
            })
            .collect();
        let values = matrix.sample_of_row.iter();
        Ok(PredictorRows {
            names: (1..=self.loadings.len())
                .map(|mode| format!("eof{mode}"))
                .collect(),
            values: values
                .flat_map(|sample| components[*sample].clone())
                .collect(),
        })
    }

    /// How much of the variance the modes explain, in a line.
    pub fn note(&self) -> String {
        let shares = (1..)
            .zip(&self.explained)
            .map(|(mode, share)| format!("{mode}: {:.1} %", 100.0 * share));
        let shares: Vec<String> = shares.collect();
        format!(
            "principal components of {} explain {} of the variance",
            listed(&self.analysis.columns),
            shares.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predictors::tests::dataset;

    const A: [f64; 6] = [1.0, 2.0, 4.0, 3.0, 6.0, 5.0];
    const B: [f64; 6] = [2.0, 1.0, 3.0, 5.0, 4.0, 7.0];
    const C: [f64; 6] = [9.0, 7.0, 8.0, 3.0, 2.0, 4.0];

    fn analysis(modes: usize, standardise: bool) -> Analysis {
        Analysis {
            columns: ["a", "b", "c"].map(str::to_owned).to_vec(),
            modes,
            standardise,
            ..Analysis::default()
        }
    }

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }

    #[test]
    fn modes_are_the_same_in_any_unit() {
        for standardise in [true, false] {
            let of = |unit: f64| {
                let [a, b, c] = [A, B, C].map(|column| column.map(|value| value * unit));
                let data = dataset(&[("a", &a), ("b", &b), ("c", &c)]);
                analysis(3, standardise).fit(&data).unwrap()
            };
            let expected = of(1.0);
            for unit in [1e-200, 1e200] {
                let found = of(unit);
                close(&found.explained, &expected.explained);
                for (found, expected) in found.loadings.iter().zip(&expected.loadings) {
                    close(found, expected);
                }
            }
        }
    }

    // import numpy as np
    // X = np.array([[1,2,4,3,6,5],[2,1,3,5,4,7],[9,7,8,3,2,4]], float).T
    // def eof(X, standardise):
    //     Z = X - X.mean(0)
    //     if standardise: Z = Z / X.std(0)
    //     U, s, Vt = np.linalg.svd(Z, full_matrices=False)
    //     V = np.array([v * np.sign(v[np.argmax(abs(v))]) for v in Vt])
    //     return V, Z @ V.T, s**2 / (s**2).sum()
    // for standardise in (False, True):
    //     V, pc, share = eof(X, standardise)
    //     print(V[:2].tolist(), pc[:, :2].tolist(), share[:2].tolist(), sep="\n")
    #[test]
    fn centred_modes_agree_with_numpy() {
        let data = dataset(&[("a", &A), ("b", &B), ("c", &C)]);
        let modes = analysis(2, false).fit(&data).unwrap();
        close(
            &modes.loadings[0],
            &[-0.43143652112475, -0.496357442477906, 0.753320527754664],
        );
        close(
            &modes.loadings[1],
            &[0.038908763370394, 0.824019397573042, 0.565223973798306],
        );
        close(&modes.explained, &[0.807748822824669, 0.115901173040083]);
        let rows = modes.rows(&data).unwrap();
        close(
            &rows.values,
            &[
                4.542475554083042,
                0.50764633724635,
                3.10075541992687,
                -1.40791224455291,
                1.998488020476223,
                0.883168051132268,
                -2.32939298212816,
                -0.333821786083573,
                -3.880665630779168,
                -1.606338867343738,
                -3.431660381578807,
                1.957258509601605,
            ],
        );
    }

    #[test]
    fn modes_agree_with_scikit_learn() {
        let golden = crate::golden::methods();
        let column = |j: usize| golden.y.iter().map(|y| y[j]).collect::<Vec<f64>>();
        let data = dataset(&[("a", &column(0)), ("b", &column(1)), ("c", &column(2))]);
        let modes = analysis(3, false).fit(&data).unwrap();
        close(&modes.explained, &golden.modes.shares);
        for (found, expected) in modes.loadings.iter().zip(&golden.modes.components) {
            close(found, expected);
        }
    }

    #[test]
    fn standardised_modes_agree_with_numpy() {
        let data = dataset(&[("a", &A), ("b", &B), ("c", &C)]);
        let modes = analysis(2, true).fit(&data).unwrap();
        close(
            &modes.loadings[0],
            &[-0.579189770890327, -0.564903258437096, 0.587727418029108],
        );
        close(
            &modes.loadings[1],
            &[-0.534445281214432, 0.807539142601997, 0.249497043175381],
        );
        close(&modes.explained, &[0.787239647676542, 0.121909404290628]);
        let rows = modes.rows(&data).unwrap();
        close(
            &rows.values,
            &[
                2.10743734862917,
                0.431888527214572,
                1.607808239254471,
                -0.480282463511134,
                0.580088431307146,
                -0.19229912352762,
                -0.771060588258392,
                0.465297180419578,
                -1.725493034726678,
                -0.977884640998489,
                -1.798780396205717,
                0.753280520403092,
            ],
        );
    }

    #[test]
    fn components_are_those_of_the_training_data_whatever_is_projected() {
        let modes = analysis(1, true).fit(&dataset(&[("a", &A), ("b", &B), ("c", &C)]));
        let modes = modes.unwrap();
        let one = dataset(&[("a", &A[2..3]), ("b", &B[2..3]), ("c", &C[2..3])]);
        let all = dataset(&[("a", &A), ("b", &B), ("c", &C)]);
        let (one, all) = (modes.rows(&one).unwrap(), modes.rows(&all).unwrap());
        assert_eq!(one.names, ["eof1"]);
        assert_eq!(one.values[..], all.values[2..3]);
    }

    #[test]
    fn equally_large_loadings_leave_the_first_positive() {
        assert_eq!(signed(vec![-0.5, 0.5]), [0.5, -0.5]);
        assert_eq!(signed(vec![0.1, -0.9]), [-0.1, 0.9]);
    }

    #[test]
    fn rows_with_a_missing_value_take_no_part_in_the_fit() {
        let with_gap = |values: &[f64]| [values, &[f64::NAN]].concat();
        let data = dataset(&[
            ("a", &with_gap(&A)),
            ("b", &with_gap(&B)),
            ("c", &with_gap(&C)),
        ]);
        let whole = dataset(&[("a", &A), ("b", &B), ("c", &C)]);
        let modes = analysis(2, true).fit(&data).unwrap();
        assert_eq!(modes, analysis(2, true).fit(&whole).unwrap());
        assert!(modes.rows(&data).unwrap().row(6)[0].is_nan());
    }

    #[test]
    fn what_has_no_modes_is_refused() {
        let flat = dataset(&[("a", &[0.1; 3]), ("b", &[2.0; 3]), ("c", &[0.0; 3])]);
        let fault = analysis(1, true).fit(&flat).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "the columns `a`, `b`, `c` do not vary: they have no principal components"
        );
    }

    // F = np.array([[1,4,2],[3,1,5],[2,6,7],[6,2,1]], float); w = np.cos(np.radians([-60, 0, 45]))
    // def eof(Z):
    //     U, s, Vt = np.linalg.svd(Z, full_matrices=False)
    //     first = lambda v: np.argmax(abs(v) >= abs(v).max() * (1 - 1e-9))
    //     return np.array([v * np.sign(v[first(v)]) for v in Vt]), s**2 / (s**2).sum()
    // Z = (F - F.mean(0)) * np.sqrt(w)                                      # over time
    // V, share = eof(Z); print((Z @ V.T)[:, :2].ravel(), share[:2])
    // m = (w[:, None] * F.T).sum(0) / w.sum()                               # over space
    // Z = (F.T - m) / np.sqrt((w[:, None] * (F.T - m)**2).sum(0) / w.sum())
    // V, share = eof(Z * np.sqrt(w)[:, None]); print((Z @ V.T)[:, 0], share[0])
    const FIELD: [[f64; 3]; 4] = [
        [1.0, 4.0, 2.0],
        [3.0, 1.0, 5.0],
        [2.0, 6.0, 7.0],
        [6.0, 2.0, 1.0],
    ];

    /// The field row by row, times as rows of `FIELD` and places as its columns.
    fn field() -> Dataset {
        let cells = || (0..12).map(|row| (row / 3, row % 3));
        let column = |of: &dyn Fn((usize, usize)) -> f64| -> Vec<f64> { cells().map(of).collect() };
        dataset(&[
            ("time", &column(&|(time, _)| time as f64)),
            ("lat", &column(&|(_, place)| [-60.0, 0.0, 45.0][place])),
            ("t", &column(&|(time, place)| FIELD[time][place])),
        ])
    }

    fn of_field(over: &str, at: &str, modes: usize, standardise: bool) -> Analysis {
        Analysis {
            columns: vec!["t".to_owned()],
            modes,
            standardise,
            over: vec![over.to_owned()],
            at: vec![at.to_owned()],
            area: Some("lat".to_owned()),
        }
    }

    #[test]
    fn a_field_over_time_weighted_by_area_agrees_with_numpy() {
        let modes = of_field("time", "lat", 2, false).fit(&field()).unwrap();
        close(&modes.explained, &[0.6693191854122852, 0.22797818644358775]);
        let rows = modes.rows(&field()).unwrap();
        let of_times: Vec<f64> = [0, 3, 6, 9]
            .iter()
            .flat_map(|row| rows.row(*row).to_vec())
            .collect();
        close(
            &of_times,
            &[
                0.017000899084028107,
                -1.8165665071896802,
                -0.7335040123912759,
                2.2562838311361637,
                3.8603801826883424,
                0.04332497856863552,
                -3.143877069381095,
                -0.48304230251511937,
            ],
        );
        assert_eq!(rows.row(0), rows.row(2));
        assert_eq!(
            modes.note(),
            "principal components of `t` explain 1: 66.9 %, 2: 22.8 % of the variance"
        );
    }

    #[test]
    fn a_field_over_space_weighted_by_area_agrees_with_numpy() {
        let modes = of_field("lat", "time", 1, true).fit(&field()).unwrap();
        close(&modes.explained, &[0.6120325656431793]);
        let rows = modes.rows(&field()).unwrap();
        close(
            &rows.values[..3],
            &[-2.856137217943385, 1.068490772861769, 0.508519852555424],
        );
    }

    #[test]
    fn the_order_of_rows_does_not_matter_and_a_gap_costs_its_sample_only() {
        let modes = of_field("time", "lat", 2, false).fit(&field()).unwrap();
        let order = [7, 2, 11, 0, 5, 9, 1, 10, 3, 8, 6, 4];
        let turned = field().take(&order);
        assert_eq!(
            modes,
            of_field("time", "lat", 2, false).fit(&turned).unwrap()
        );
        let without_one = field().take(&[0, 1, 2, 3, 4, 6, 7, 8]);
        let rows = modes.rows(&without_one).unwrap();
        assert_eq!(rows.row(0), modes.rows(&field()).unwrap().row(0));
        assert!(rows.row(3)[0].is_nan() && rows.row(4)[0].is_nan());
        let twice = field().take(&[0, 1, 2, 0]);
        assert!(modes.rows(&twice).is_err());
    }
}
