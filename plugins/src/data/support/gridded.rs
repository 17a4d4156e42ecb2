//! What the readers of gridded data share: their parameters, and rows from a source.

use dsl::types::{ColumnInfo, Schema};
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::group;
use engine::params::Column;
use engine::plugin::Context;

use super::cells::{Cells, RowValues};
use super::cf;
use super::grid::Source;

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
    }
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
    let cells = choose(source, grid)?;
    let values = cells.read(context)?;
    let columns = cells.columns().zip(values);
    let columns = columns.map(|((name, variable), values)| {
        let info = cf::column(name, variable)?;
        Ok(match values {
            RowValues::Texts(texts) => {
                let texts = texts.into_iter();
                DataColumn::texts(name, texts.map(|text| (!text.is_empty()).then_some(text)))
            }
            RowValues::Numbers(numbers) => DataColumn::with(info, numbers),
        })
    });
    Dataset::new(columns.collect::<Result<_, Fault>>()?)
}

fn choose<'s>(source: &'s dyn Source, grid: &Gridded) -> Result<Cells<'s>, Fault> {
    Cells::choose(source, &grid.inputs, grid.coords.as_deref(), grid.every)
}
