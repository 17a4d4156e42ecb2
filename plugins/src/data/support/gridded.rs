//! What the readers of gridded data share: their parameters, and rows from a source.

use dsl::types::{ColumnInfo, Schema};
use engine::artifact::Dataset;
use engine::error::Fault;
use engine::group;
use engine::params::{Column, Condition};
use engine::plugin::{Context, Each};

use super::cells::Cells;
use super::cf;
use super::grid::Source;
use super::meeting::{Meeting, meeting};

group! {
    /// The variables of a grid that become columns.
    pub struct Gridded {
        /// The variables that every row must have.
        inputs: Vec<Column>;
        /// Coordinates and other variables on the same grid to go with them. When left out, the
        /// coordinate of every dimension, and those of two dimensions that the attribute
        /// `coordinates` of an input names, as curvilinear grids have them.
        coords: Option<Vec<Column>>;
        /// A thinner grid: of each dimension but time the first value and every `every`-th after
        /// it; of time, too, when there is no other dimension.
        every: u64 = "1", range("1..=1000000");
        /// What a row must meet, such as `lat > 60 and time >= 1990-01-01`. Parts of the grid that
        /// coordinates alone rule out are not read.
        r#where: Option<Condition>;
    }
}

/// The variables there are.
pub fn names(source: &dyn Source) -> Vec<String> {
    let variables = source.variables().iter();
    variables.map(|variable| variable.name.clone()).collect()
}

/// The columns of the rows.
///
/// # Errors
/// When a variable is not there, not on the grid, or not read.
pub fn schema(source: &dyn Source, grid: &Gridded) -> Result<Schema, Fault> {
    let cells = choose(source, grid)?;
    let columns = cells.columns();
    let columns = columns.map(|(name, variable)| {
        Ok(ColumnInfo {
            single: source.is_single(variable),
            ..cf::column(name, variable)?
        })
    });
    Ok(Schema {
        columns: columns.collect::<Result<_, Fault>>()?,
    })
}

/// The rows.
///
/// # Errors
/// As [`schema`], and when the file is damaged.
pub fn rows(source: &dyn Source, grid: &Gridded, context: &Context) -> Result<Dataset, Fault> {
    let mut cells = choose(source, grid)?;
    let condition = grid.r#where.as_ref().map(|Condition(condition)| condition);
    if let Some(condition) = condition {
        cells.select(condition, context)?;
    }
    let values = cells.read(context)?;
    let columns = cells.columns().zip(values);
    let columns = columns.map(|((name, variable), values)| values.column(name, variable));
    let data = Dataset::new(columns.collect::<Result<_, Fault>>()?)?;
    match condition {
        Some(condition) => meeting(condition, &data, "where", context),
        None => Ok(data),
    }
}

/// The same rows part by part.
///
/// # Errors
/// As [`rows`], and those of `each`.
pub fn row_parts(
    source: &dyn Source,
    grid: &Gridded,
    context: &Context,
    each: Each<'_>,
) -> Result<(), Fault> {
    let mut cells = choose(source, grid)?;
    let mut meeting = match &grid.r#where {
        Some(Condition(condition)) => {
            cells.select(condition, context)?;
            Some(Meeting::new(condition.clone(), "where"))
        }
        None => None,
    };
    cells.read_parts(context, &mut |values| {
        context.check_stop()?;
        let columns = cells.columns().zip(values);
        let columns = columns.map(|((name, variable), values)| values.column(name, variable));
        let rows = Dataset::new(columns.collect::<Result<_, Fault>>()?)?;
        let rows = match &mut meeting {
            None => Some(rows),
            Some(meeting) => meeting.of(&rows)?,
        };
        rows.map_or(Ok(()), |rows| each(rows).map(|_| ()))
    })?;
    match meeting {
        Some(meeting) => meeting.end(context),
        None => Ok(()),
    }
}

fn choose<'s>(source: &'s dyn Source, grid: &Gridded) -> Result<Cells<'s>, Fault> {
    Cells::choose(source, &grid.inputs, grid.coords.as_deref(), grid.every)
}
