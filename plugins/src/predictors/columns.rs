//! `columns(depth, lat)`: the values of columns as they are.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::Column;
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::{PredictorRows, Predictors};
use crate::calls::{complaints, distinct, filled};

plugin! {
    /// The values of columns.
    ///
    /// The network should not see these columns among its inputs: what defines the regime
    /// belongs here, so that the fine-tuned weights have to vary with it.
    ///
    /// ```farcast
    /// predictor place = columns(z)
    /// regression line = ols(shift, place)
    /// ```
    "columns" version 1
    pub struct Columns {
        /// The columns, one predictor each.
        columns: Vec<Column>, variadic(), needed();
    }
}

impl Plugin for Columns {
    type Output = Predictors;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        complaints([
            filled(call, "columns", "column"),
            distinct(call, "columns").map(Complaint::as_warning),
        ])
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let columns = call.get::<Vec<Column>>("columns");
        Facts {
            predictors: columns.map(|columns| columns.len() as u64),
            ..Facts::default()
        }
    }

    fn run(self, _: &Context) -> Result<Predictors, Fault> {
        let names = self.columns.into_iter().map(|column| column.0).collect();
        Ok(Predictors::Columns(names))
    }
}

pub(super) fn rows(names: &[String], data: &Dataset) -> Result<PredictorRows, Fault> {
    let columns = names
        .iter()
        .map(|name| data.values(name))
        .collect::<Result<Vec<_>, _>>()?;
    let values = (0..data.rows())
        .flat_map(|row| columns.iter().map(move |column| column[row]))
        .collect();
    Ok(PredictorRows {
        names: names.to_vec(),
        values,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predictors::tests::dataset;

    #[test]
    fn a_missing_column_is_named() {
        let data = dataset(&[("a", &[1.0])]);
        let fault = rows(&["b".to_owned()], &data).unwrap_err();
        assert_eq!(fault.to_string(), "the data have no column `b`");
    }
}
