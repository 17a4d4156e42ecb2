//! `expr(sin(2 * pi * month / 12))`: one number computed from columns.

use dsl::column::ColumnExpr;
use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::Formula;
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::{PredictorRows, Predictors};

plugin! {
    /// A number computed from columns.
    ///
    /// `expr(sin(2 * pi * month / 12))` is a seasonal cycle, `expr(abs(lat))` the distance
    /// from the equator. For a subset the mean of the result over its rows is taken, not the
    /// result of the mean.
    ///
    /// ```farcast
    /// predictor season = expr(sin(2 * pi * z))
    /// regression swing = ols(shift, season)
    /// ```
    "expr" version 1
    pub struct Expr {
        /// The formula.
        formula: Formula, needed();
    }
}

impl Plugin for Expr {
    type Output = Predictors;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let formula = call.get::<Formula>("formula");
        let is_constant = formula.is_some_and(|formula| formula.0.columns().is_empty());
        let message = "expected a formula of columns, found the same number for every row";
        Vec::from_iter(is_constant.then(|| Complaint::at("formula", message)))
    }

    fn facts(_: &Sketch<'_>) -> Facts {
        Facts {
            predictors: Some(1),
            ..Facts::default()
        }
    }

    fn run(self, _: &Context) -> Result<Predictors, Fault> {
        Ok(Predictors::Expr(self.formula.0))
    }
}

pub(super) fn rows(formula: &ColumnExpr, data: &Dataset) -> Result<PredictorRows, Fault> {
    for column in formula.columns() {
        data.values(column)?;
    }
    let values = formula
        .evaluate(data.rows(), &|name| data.look(name))
        .map_err(Fault::user)?;
    Ok(PredictorRows {
        names: vec![formula.to_string()],
        values,
    })
}

#[cfg(test)]
mod tests {
    use dsl::ast::BinaryOp;

    use super::*;
    use crate::predictors::Predictors;
    use crate::predictors::tests::dataset;
    use engine::artifact::Artifact;

    fn double() -> ColumnExpr {
        ColumnExpr::Binary(
            BinaryOp::Multiply,
            Box::new(ColumnExpr::Number(2.0)),
            Box::new(ColumnExpr::Column("a".to_owned())),
        )
    }

    #[test]
    fn the_formula_is_computed_for_every_row_after_a_trip_through_the_store() {
        let data = dataset(&[("a", &[1.0, 2.5])]);
        let call = Expr {
            formula: Formula(double()),
        };
        let recipe = call.run(&Context::alone("expr")).unwrap();
        let recipe = Predictors::from_parts(&recipe.to_parts().unwrap()).unwrap();
        let rows = recipe.fit(&data).unwrap().rows(&data).unwrap();
        assert_eq!(rows.values, [2.0, 5.0]);
        assert_eq!(rows.names, [double().to_string()]);
    }

    #[test]
    fn a_missing_column_is_named() {
        let fault = rows(&double(), &dataset(&[("b", &[1.0])])).unwrap_err();
        assert_eq!(fault.to_string(), "the data have no column `a`");
    }
}
