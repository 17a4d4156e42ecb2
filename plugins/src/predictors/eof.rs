//! `eof([jan, feb, …], modes: 2)`: leading principal components of columns.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::Column;
use engine::plugin;
use engine::plugin::{Context, Plugin};
use faer::Mat;
use serde::{Deserialize, Serialize};

use super::{PredictorRows, Predictors};

plugin! {
    /// Principal components (empirical orthogonal functions) of columns.
    ///
    /// The modes are those of the training data only: its rows, centred, are split by a
    /// singular value decomposition, and any other data are projected on the modes found.
    /// The sign of a mode is the one that makes its loading of largest magnitude positive.
    /// Rows with a missing value take no part in the fit.
    ///
    /// ```farcast
    /// predictor leading = eof(x, y, z, modes: 2)
    /// regression plane = ols(shift, leading)
    /// ```
    "eof" version 1
    pub struct Eof {
        /// The columns.
        columns: Vec<Column>, variadic(), needed();
        /// How many leading modes, one predictor each.
        modes: usize = "1", range("1..=1000");
        /// Whether columns are divided by their standard deviation first.
        standardise: bool = "true";
    }
}

impl Plugin for Eof {
    type Output = Predictors;

    fn run(self, _: &Context) -> Result<Predictors, Fault> {
        if self.modes > self.columns.len() {
            return Err(Fault::at(
                "modes",
                format!(
                    "expected at most one mode per column ({}), found {}",
                    self.columns.len(),
                    self.modes
                ),
            ));
        }
        Ok(Predictors::Eof(Analysis {
            columns: self.columns.into_iter().map(|column| column.0).collect(),
            modes: self.modes,
            standardise: self.standardise,
        }))
    }
}

/// Which principal components are asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// The columns.
    pub columns: Vec<String>,
    /// How many leading modes.
    pub modes: usize,
    /// Whether columns are divided by their standard deviation first.
    pub standardise: bool,
}

/// The modes of training data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Modes {
    /// The columns.
    pub columns: Vec<String>,
    /// What is subtracted from each column and what it is divided by.
    pub scaling: Vec<(f64, f64)>,
    /// One loading of unit length per mode, a number for each column.
    pub loadings: Vec<Vec<f64>>,
    /// The share of the variance each mode explains; its sum is at most 1.
    pub explained: Vec<f64>,
}

impl Analysis {
    /// The modes of the complete rows of these data.
    ///
    /// # Errors
    /// When a column is missing, or fewer than two rows are complete.
    pub fn fit(&self, data: &Dataset) -> Result<Modes, Fault> {
        let columns = self.complete_rows(data)?;
        let spread: Vec<(f64, f64)> = columns.iter().map(|column| spread(column)).collect();
        if spread.iter().all(|(_, std)| *std == 0.0) {
            return Err(Fault::user(format!(
                "the columns {} do not vary: they have no principal components",
                listed(&self.columns)
            )));
        }
        let scaling: Vec<(f64, f64)> = spread
            .into_iter()
            .map(|(mean, std)| match self.standardise && std > 0.0 {
                true => (mean, std),
                false => (mean, 1.0),
            })
            .collect();
        let rows = columns.first().map_or(0, Vec::len);
        let matrix = Mat::from_fn(rows, columns.len(), |row, column| {
            let (mean, std) = scaling[column];
            (columns[column][row] - mean) / std
        });
        let svd = matrix
            .thin_svd()
            .map_err(|_| Fault::user("the principal components did not converge"))?;
        let variances: Vec<f64> = svd.S().column_vector().iter().map(|s| s * s).collect();
        let total: f64 = variances.iter().sum();
        // Fewer rows than columns leave fewer modes; those beyond have no variance.
        let modes = self.modes.min(variances.len());
        Ok(Modes {
            columns: self.columns.clone(),
            scaling,
            loadings: (0..modes)
                .map(|mode| signed(svd.V().col(mode).iter().copied().collect()))
                .collect(),
            explained: variances[..modes].iter().map(|v| v / total).collect(),
        })
    }

    fn complete_rows(&self, data: &Dataset) -> Result<Vec<Vec<f64>>, Fault> {
        let columns = self
            .columns
            .iter()
            .map(|name| data.values(name))
            .collect::<Result<Vec<_>, _>>()?;
        let complete: Vec<usize> = (0..data.rows())
            .filter(|row| columns.iter().all(|column| column[*row].is_finite()))
            .collect();
        if complete.len() < 2 {
            return Err(Fault::user(format!(
                "principal components of {} need two complete rows, found {}",
                listed(&self.columns),
                complete.len()
            )));
        }
        Ok(columns
            .iter()
            .map(|column| complete.iter().map(|row| column[*row]).collect())
            .collect())
    }
}

/// The mean and standard deviation; rounding leaves a constant column with one of about its
/// last digit, which counts as none.
fn spread(column: &[f64]) -> (f64, f64) {
    let count = column.len() as f64;
    let mean = column.iter().sum::<f64>() / count;
    let variance = column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
    let std = variance.sqrt();
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
    /// The components of every row: its projection on each mode.
    ///
    /// # Errors
    /// When a column is missing.
    pub fn rows(&self, data: &Dataset) -> Result<PredictorRows, Fault> {
        let columns = self
            .columns
            .iter()
            .map(|name| data.values(name))
            .collect::<Result<Vec<_>, _>>()?;
        let component = |loading: &Vec<f64>, row: usize| -> f64 {
            let terms = columns.iter().zip(&self.scaling).zip(loading);
            terms
                .map(|((column, (mean, std)), loading)| (column[row] - mean) / std * loading)
                .sum()
        };
        let values = (0..data.rows())
            .flat_map(|row| self.loadings.iter().map(move |mode| (mode, row)))
            .map(|(mode, row)| component(mode, row))
            .collect();
        Ok(PredictorRows {
            names: (1..=self.loadings.len())
                .map(|mode| format!("eof{mode}"))
                .collect(),
            values,
        })
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
        }
    }

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
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
        let call = Eof {
            columns: vec![Column("a".to_owned())],
            modes: 2,
            standardise: true,
        };
        let fault = call.run(&Context::alone("eof")).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "expected at most one mode per column (1), found 2"
        );
    }
}
