//! Samples by variables: what principal components are of, from columns or from a field.

use std::collections::BTreeMap;

use engine::artifact::Dataset;
use engine::error::Fault;

use crate::predictors::eof::Analysis;
use crate::predictors::table::key_of_rows;

/// The numbers that an analysis is of.
pub struct Matrix {
    /// Which variable each column is: a column's name, or the place in a field.
    pub variables: Vec<String>,
    /// One row of numbers per sample, NaN where one is missing.
    pub samples: Vec<Vec<f64>>,
    /// The sample that each row of the data belongs to.
    pub sample_of_row: Vec<usize>,
    /// How much each sample counts.
    pub sample_weights: Vec<f64>,
    /// What each variable is multiplied by.
    pub variable_factors: Vec<f64>,
}

impl Matrix {
    /// The matrix of these data; `variables` are those of an earlier one, to be met again.
    ///
    /// # Errors
    /// When a column is missing, or a field has several values at one place.
    pub fn of(
        analysis: &Analysis,
        data: &Dataset,
        variables: Option<&[String]>,
    ) -> Result<Self, Fault> {
        match analysis.over.is_empty() {
            true => Self::of_columns(analysis, data),
            false => Self::of_field(analysis, data, variables),
        }
    }

    fn of_columns(analysis: &Analysis, data: &Dataset) -> Result<Self, Fault> {
        let columns = analysis
            .columns
            .iter()
            .map(|name| data.values(name))
            .collect::<Result<Vec<_>, _>>()?;
        let rows = 0..data.rows();
        Ok(Self {
            variables: analysis.columns.clone(),
            samples: (rows.clone())
                .map(|row| columns.iter().map(|column| column[row]).collect())
                .collect(),
            sample_of_row: rows.collect(),
            sample_weights: match &analysis.area {
                Some(lat) => areas(data.values(lat)?)?,
                None => vec![1.0; data.rows()],
            },
            variable_factors: vec![1.0; columns.len()],
        })
    }

    fn of_field(
        analysis: &Analysis,
        data: &Dataset,
        variables: Option<&[String]>,
    ) -> Result<Self, Fault> {
        let values = data.values(&analysis.columns[0])?;
        let area = match &analysis.area {
            Some(lat) => areas(data.values(lat)?)?,
            None => vec![1.0; data.rows()],
        };
        let (sample_of_row, samples) = numbered(&key_of_rows(data, &analysis.over)?, None);
        let places = key_of_rows(data, &analysis.at)?;
        let (variable_of_row, variables) = numbered(&places, variables);
        let mut matrix = Self {
            samples: vec![vec![f64::NAN; variables.len()]; samples.len()],
            sample_weights: vec![1.0; samples.len()],
            variable_factors: vec![1.0; variables.len()],
            sample_of_row: sample_of_row.into_iter().flatten().collect(),
            variables,
        };
        let by_place = analysis
            .area
            .as_ref()
            .is_some_and(|lat| analysis.at.contains(lat));
        for (row, variable) in variable_of_row.into_iter().enumerate() {
            let Some(variable) = variable else {
                continue;
            };
            let sample = matrix.sample_of_row[row];
            let value = &mut matrix.samples[sample][variable];
            if !value.is_nan() {
                return Err(Fault::user(format!(
                    "row {} has the place of a row before it in the field of `{}`",
                    row + 1,
                    analysis.columns[0]
                ))
                .with_hint(
                    "name in `over` and `at` all that tells rows apart, or use `aggregate`",
                ));
            }
            *value = values[row];
            match by_place {
                true => matrix.variable_factors[variable] = area[row].sqrt(),
                false => matrix.sample_weights[sample] = area[row],
            }
        }
        Ok(matrix)
    }
}

/// The area of a cell relative to one at the equator: the cosine of its latitude.
fn areas(lats: &[f64]) -> Result<Vec<f64>, Fault> {
    match lats.iter().find(|lat| lat.is_nan() || lat.abs() > 90.0) {
        // At a pole the cosine of a rounded right angle may be a hair below zero.
        None => Ok(lats
            .iter()
            .map(|lat| lat.to_radians().cos().max(0.0))
            .collect()),
        Some(lat) => Err(Fault::user(format!(
            "expected latitudes from -90 to 90 for `area`, found {lat}"
        ))),
    }
}

/// The number of each text in the order of the texts, or in the order `known`; and all texts.
fn numbered(texts: &[String], known: Option<&[String]>) -> (Vec<Option<usize>>, Vec<String>) {
    let mut numbers: BTreeMap<&str, usize> = match known {
        Some(known) => known.iter().map(String::as_str).zip(0..).collect(),
        None => texts.iter().map(|text| (text.as_str(), 0)).collect(),
    };
    if known.is_none() {
        numbers
            .values_mut()
            .zip(0..)
            .for_each(|(number, at)| *number = at);
    }
    let all = match known {
        Some(known) => known.to_vec(),
        None => numbers.keys().map(|text| (*text).to_owned()).collect(),
    };
    let of_row = texts.iter().map(|text| numbers.get(text.as_str()).copied());
    (of_row.collect(), all)
}
