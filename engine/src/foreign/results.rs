//! The results of the engine as programs in other languages see them, and back.

use std::collections::BTreeSet;
use std::sync::Arc;

use dsl::signature::ColumnRule;
use dsl::types::Content;
use polars::prelude::{DataFrame, DataType, NamedFrom, Series};
use serde::Deserialize;
use serde_json::json;

use super::operation::{FromParcel, Made, Unfit};
use crate::artifact::{DataColumn, Dataset, Layout, ScoreRow, Scores, Trajectory, WeightTable};
use crate::error::Fault;
use crate::parcel::{Array, Parcel, Values, WEIGHTS};

/// The most columns, rows of scores and tensors that are taken.
const MANY: usize = 1_000_000;

impl Dataset {
    /// A column of doubles for each column, and their units.
    pub(crate) fn as_parcel(&self) -> Parcel {
        let units = self.columns().iter();
        let units = units.filter_map(|it| Some((it.name.clone(), it.unit.clone()?.into())));
        let units: serde_json::Map<_, _> = units.collect();
        let labelled = self
            .columns()
            .iter()
            .filter(|it| it.content == Content::Text);
        let labels = labelled.map(|it| (it.name.clone(), json!(*it.labels)));
        let labels: serde_json::Map<_, _> = labels.collect();
        let parcel = Parcel::default()
            .with("rows", self.rows())
            .with("units", units);
        let parcel = match labels.is_empty() {
            true => parcel,
            false => parcel.with("labels", labels),
        };
        self.columns().iter().fold(parcel, |parcel, column| {
            parcel.with_column(&column.name, Arc::clone(column.values.wide()))
        })
    }
}

impl FromParcel for Dataset {
    fn from_parcel(parcel: Parcel, made: &Made<'_>) -> Result<Self, Unfit> {
        let units: Option<std::collections::BTreeMap<String, String>> = parcel.answered("units")?;
        let units = units.unwrap_or_default();
        if let Some(name) = units.keys().find(|name| parcel.array(name).is_err()) {
            return Err(format!("`units` names `{name}`, which is not a column").into());
        }
        let inputs = like_columns(made);
        let column = |array: &Array| -> Result<DataColumn, Unfit> {
            array.expect_shape(&[array.shape.first().copied().unwrap_or_default()])?;
            let values = array.doubles();
            if values.iter().any(|value| value.is_infinite()) {
                return Err(format!("column `{}` has infinite values", array.name).into());
            }
            let unit = units.get(&array.name).cloned();
            let like = inputs
                .iter()
                .find(|it| it.name == array.name && it.unit == unit);
            let Some(like) = like else {
                return Ok(DataColumn::numbers(&*array.name, unit, values));
            };
            // Times keep their calendar, texts their labels.
            let is_label = |value: &f64| {
                value.is_nan()
                    || (value.fract() == 0.0 && (0.0..like.labels.len() as f64).contains(value))
            };
            if like.content == Content::Text && !values.iter().all(is_label) {
                return Err(
                    format!("column `{}` has numbers that are not texts", array.name).into(),
                );
            }
            Ok(DataColumn {
                values: values.into(),
                ..like.clone()
            })
        };
        let columns: Vec<DataColumn> =
            parcel.arrays.iter().map(column).collect::<Result<_, _>>()?;
        let rows = columns.first().map_or(0, |column| column.values.len());
        if let Some(column) = columns.iter().find(|column| column.values.len() != rows) {
            let found = column.values.len();
            return Err(format!("column `{}` has {found} rows, not {rows}", column.name).into());
        }
        let said: Option<u64> = parcel.answered("rows")?;
        if let Some(said) = said.filter(|said| *said != rows as u64) {
            return Err(format!("`rows` is {said}, the columns have {rows}").into());
        }
        let data = Dataset::new(columns)?;
        expect_columns(&data, made)?;
        Ok(data)
    }
}

/// The columns that the result has as an input has them.
fn like_columns(made: &Made<'_>) -> Vec<DataColumn> {
    let signature = &made.plugin.provided.declaration.signature;
    let ColumnRule::Declared {
        like: Some(like), ..
    } = &signature.columns
    else {
        return Vec::new();
    };
    let mut inputs = made.bindings.inputs.iter();
    let input = inputs.find(|((field, _), _)| field == like);
    let input = input.and_then(|(_, loaded)| loaded.members.first()?.as_ref());
    let input = input.and_then(crate::artifact::downcast::<Dataset>);
    input.map_or(Vec::new(), |input| input.columns().to_vec())
}

/// Refuses data whose columns are not those of the declaration; an order of columns and units
/// that were left out follow from it.
fn expect_columns(data: &Dataset, made: &Made<'_>) -> Result<(), Unfit> {
    let ColumnRule::Declared { columns, .. } = &made.plugin.provided.declaration.signature.columns
    else {
        return Ok(());
    };
    let mut wanted: Vec<(String, Option<String>)> = Vec::new();
    let like = like_columns(made).into_iter();
    wanted.extend(like.map(|column| (column.name, column.unit)));
    for column in columns {
        wanted.retain(|(name, _)| *name != column.name);
        wanted.push((column.name.clone(), column.unit.clone()));
    }
    let found = data.schema().columns;
    for (name, unit) in &wanted {
        let Some(column) = found.iter().find(|column| column.name == *name) else {
            return Err(format!("the declared column `{name}` is missing").into());
        };
        if column.unit != *unit {
            let said = |unit: &Option<String>| unit.clone().unwrap_or_else(|| "none".to_owned());
            let (declared, found) = (said(unit), said(&column.unit));
            return Err(
                format!("column `{name}`: the declared unit is {declared}, found {found}").into(),
            );
        }
    }
    match found
        .iter()
        .find(|it| wanted.iter().all(|(name, _)| *name != it.name))
    {
        Some(column) => Err(format!("column `{}` is not declared", column.name).into()),
        None => Ok(()),
    }
}

/// The coordinates as arrays of doubles; those that are not numbers are left out.
pub fn with_coordinates(parcel: Parcel, coordinates: &DataFrame) -> Result<Parcel, Fault> {
    let mut parcel = parcel;
    for column in coordinates.columns() {
        let Ok(numbers) = column.cast(&DataType::Float64) else {
            continue;
        };
        let values = numbers
            .f64()?
            .iter()
            .map(|it| it.unwrap_or(f64::NAN))
            .collect();
        parcel = parcel.with_column(column.name().as_str(), values);
    }
    Ok(parcel)
}

/// The coordinates among the arrays: all but the weights, whole numbers where they are that.
pub fn coordinates(parcel: &Parcel, rows: usize) -> Result<DataFrame, Unfit> {
    let mut columns = Vec::new();
    for array in parcel.arrays.iter().filter(|array| array.name != WEIGHTS) {
        let values = array.expect_shape(&[rows])?.doubles();
        let is_count = matches!(
            array.name.as_str(),
            "subset" | "repeat" | "step" | "rows" | "member" | "horizon"
        );
        let whole = |value: &f64| value.fract() == 0.0 && (0.0..9e15).contains(value);
        if let Some(value) = values.iter().find(|value| is_count && !whole(value)) {
            return Err(format!(
                "`{}`: expected whole numbers from 0, found {value}",
                array.name
            )
            .into());
        }
        let name = array.name.as_str().into();
        let series = match array.name.as_str() {
            "step" | "horizon" => {
                Series::new(name, values.iter().map(|it| *it as u64).collect::<Vec<_>>())
            }
            "diverged" => Series::new(name, values.iter().map(|it| *it != 0.0).collect::<Vec<_>>()),
            _ if is_count => {
                Series::new(name, values.iter().map(|it| *it as u32).collect::<Vec<_>>())
            }
            _ => Series::new(name, &values[..]),
        };
        columns.push(series.into());
    }
    let frame = DataFrame::new(rows, columns);
    Ok(frame.map_err(Fault::from)?)
}

/// The layout and the weights, `[rows, weights]`.
pub fn weights(parcel: &Parcel) -> Result<(Layout, usize, Arc<[f32]>), Unfit> {
    let layout: Layout = parcel.answered("layout")?;
    let width = layout.tensors.iter().try_fold(0_usize, |sum, tensor| {
        let length = tensor
            .shape
            .iter()
            .try_fold(1_usize, |all, side| all.checked_mul(*side));
        sum.checked_add(length?)
    });
    let width = width
        .filter(|width| *width > 0)
        .ok_or("`layout` has no weights".to_owned())?;
    let names: BTreeSet<&str> = layout
        .tensors
        .iter()
        .map(|tensor| tensor.name.as_str())
        .collect();
    if names.len() < layout.tensors.len() || names.len() > MANY {
        return Err("two tensors of `layout` have one name".to_owned().into());
    }
    let array = parcel.array(WEIGHTS)?;
    let rows = array.shape.first().copied().unwrap_or_default();
    array.expect_shape(&[rows, width])?;
    Ok((layout, rows, array.singles()))
}

impl WeightTable {
    /// The weights, `[rows, weights]`, their layout, and a column for each coordinate.
    pub(crate) fn as_parcel(&self) -> Result<Parcel, Fault> {
        let parcel = Parcel::default()
            .with("rows", self.rows())
            .with("layout", json!(self.layout));
        let shape = vec![self.rows(), self.layout.len()];
        let parcel = with_coordinates(parcel, &self.coordinates)?;
        Ok(parcel.with_array(WEIGHTS, shape, Values::F32(self.weights.as_slice().into())))
    }
}

impl FromParcel for WeightTable {
    fn from_parcel(parcel: Parcel, _: &Made<'_>) -> Result<Self, Unfit> {
        let (layout, rows, weights) = weights(&parcel)?;
        let mut coordinates = coordinates(&parcel, rows)?;
        let width = layout.len();
        let is_finite = |row: &[f32]| row.iter().all(|weight| weight.is_finite());
        let finite: Vec<bool> = weights.chunks_exact(width).map(is_finite).collect();
        if rows > 0 && finite.iter().all(|finite| !finite) {
            return Err(Fault::Diverged(format!("all {rows} rows diverged")).into());
        }
        let diverged: Vec<bool> = finite.iter().map(|finite| !finite).collect();
        if coordinates.column("subset").is_err() {
            let subsets: Vec<u32> = (0..rows as u32).collect();
            let column = Series::new("subset".into(), subsets).into();
            coordinates.with_column(column).map_err(Fault::from)?;
        }
        let column = Series::new("diverged".into(), diverged).into();
        coordinates.with_column(column).map_err(Fault::from)?;
        Ok(Self {
            layout,
            coordinates,
            weights: weights.to_vec(),
        })
    }
}

impl Trajectory {
    /// As a weight table, all of it in memory.
    pub(crate) fn as_parcel(&self) -> Result<Parcel, Fault> {
        let rows: Vec<usize> = (0..self.rows()).collect();
        let block = self.read(&rows, 0..self.layout.len())?;
        let parcel = Parcel::default()
            .with("rows", self.rows())
            .with("layout", json!(self.layout));
        let shape = vec![self.rows(), self.layout.len()];
        let parcel = with_coordinates(parcel, &self.coordinates)?;
        Ok(parcel.with_array(WEIGHTS, shape, Values::F32(block.values.into())))
    }
}

impl FromParcel for Trajectory {
    fn from_parcel(parcel: Parcel, _: &Made<'_>) -> Result<Self, Unfit> {
        let (layout, rows, weights) = weights(&parcel)?;
        let steps = parcel.array("step")?.expect_shape(&[rows])?.doubles();
        if let Some(pair) = steps.windows(2).find(|pair| pair[1] <= pair[0]) {
            return Err(format!("`step` does not rise: {} after {}", pair[1], pair[0]).into());
        }
        if weights.iter().any(|weight| !weight.is_finite()) {
            return Err(Fault::Diverged("weights that are not finite".to_owned()).into());
        }
        let coordinates = coordinates(&parcel, rows)?;
        Ok(Trajectory::from_rows(layout, coordinates, &weights)?)
    }
}

/// A number as a program writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scored {
    metric: String,
    value: Option<f64>,
    /// The parameter whose statement is scored; the first input when left out.
    #[serde(default)]
    of: Option<String>,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    member: Option<String>,
    #[serde(default)]
    horizon: Option<f64>,
    #[serde(default)]
    group: Option<String>,
    #[serde(default)]
    unit: Option<String>,
}

impl FromParcel for Scores {
    fn from_parcel(parcel: Parcel, made: &Made<'_>) -> Result<Self, Unfit> {
        let scored: Vec<Scored> = parcel.answered_list("rows")?;
        if scored.len() > MANY {
            return Err(format!("{} rows of scores are too many", scored.len()).into());
        }
        let own = made.context.member().unwrap_or_default().to_string();
        let params = &made.plugin.provided.declaration.signature.params;
        let rows = scored.into_iter().map(|row| {
            let inputs = made.bindings.inputs.iter();
            let is_written = |field: &str| params.iter().any(|param| param.name == *field);
            let mut inputs = inputs.filter(|((field, _), _)| is_written(field));
            let of = match &row.of {
                Some(of) => inputs.find(|((field, _), _)| field == of),
                None => params.iter().find_map(|param| {
                    let mut inputs = made.bindings.inputs.iter();
                    inputs.find(|((field, _), _)| *field == param.name)
                }),
            };
            let Some((_, loaded)) = of else {
                let of = row.of.unwrap_or_default();
                return Err(Unfit::Wrong(format!(
                    "`of`: `{of}` is not an input of the plugin"
                )));
            };
            let roles = ["parent", "child", "baseline", "farcast"];
            let role = row.role.unwrap_or_else(|| match loaded.kind {
                Some(dsl::types::Kind::Parent) => "parent".to_owned(),
                Some(dsl::types::Kind::Farcast) => "farcast".to_owned(),
                _ => "child".to_owned(),
            });
            if !roles.contains(&role.as_str()) {
                return Err(format!(
                    "`role`: expected one of {}, found `{role}`",
                    roles.join(", ")
                )
                .into());
            }
            let member = row.member.unwrap_or_else(|| own.clone());
            if !matches!(member.as_str(), "mean" | "median") && member.parse::<u32>().is_err() {
                return Err(format!(
                    "`member`: expected a number, `mean` or `median`, found `{member}`"
                )
                .into());
            }
            if row.metric.is_empty() {
                return Err("a score without the name of its metric".to_owned().into());
            }
            Ok(ScoreRow {
                member,
                model: loaded.label.0.clone(),
                role,
                metric: row.metric,
                unit: row.unit,
                horizon: row.horizon,
                group: row.group,
                value: row.value,
            })
        });
        let rows: Vec<ScoreRow> = rows.collect::<Result<_, Unfit>>()?;
        let mut known = BTreeSet::new();
        for row in &rows {
            let horizon = row.horizon.map(f64::to_bits);
            let place = (
                &row.member,
                &row.model,
                &row.role,
                &row.metric,
                horizon,
                &row.group,
            );
            if !known.insert(place) {
                let metric = &row.metric;
                return Err(
                    format!("two scores `{metric}` of the same member, horizon and group").into(),
                );
            }
        }
        Ok(Scores {
            rows,
            ..Scores::default()
        })
    }
}

impl Scores {
    /// Its rows as an object.
    pub(crate) fn as_parcel(&self) -> Result<Parcel, Fault> {
        let rows =
            serde_json::to_value(&self.rows).map_err(|error| Fault::Bug(error.to_string()))?;
        Ok(Parcel::default().with("rows", rows))
    }
}
