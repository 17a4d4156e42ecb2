//! `derive`: new columns computed from others.

use dsl::signature::ColumnRule;
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::params::{Definitions, Input};
use engine::plugin;
use engine::plugin::{Context, Plugin};

plugin! {
    /// The same rows with more columns, each `name = formula`.
    ///
    /// A formula may use the columns defined before it. New columns have no unit.
    ///
    /// ```farcast
    /// data richer = derive(all, square = x ^ 2, wave = sin(pi * x))
    /// ```
    "derive" version 1
    pub struct Derive {
        /// The rows.
        data: Input<Dataset>;
        /// The new columns, such as `p = 1.02 * depth`.
        definitions: Definitions;
    }
}

impl Plugin for Derive {
    type Output = Dataset;

    fn columns() -> ColumnRule {
        ColumnRule::Extend("data".to_owned())
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        let mut data = (*self.data).clone();
        for (name, formula) in self.definitions.0 {
            context.check_stop()?;
            if data.values(&name).is_ok() {
                return Err(
                    Fault::at("definitions", format!("column `{name}` exists already"))
                        .with_hint("give the new column another name"),
                );
            }
            let values = formula
                .evaluate(data.rows(), &|name| data.values(name).ok().map(|v| &v[..]))
                .map_err(|message| Fault::at("definitions", message))?;
            data = data.with(DataColumn {
                name,
                unit: None,
                values: values.into(),
            })?;
        }
        Ok(data)
    }
}

#[cfg(test)]
mod tests {
    use dsl::ast::BinaryOp;
    use dsl::column::ColumnExpr;

    use super::*;
    use crate::data::testing::{complaint, table};

    fn times(column: &str, factor: f64) -> ColumnExpr {
        ColumnExpr::Binary(
            BinaryOp::Multiply,
            Box::new(ColumnExpr::Column(column.to_owned())),
            Box::new(ColumnExpr::Number(factor)),
        )
    }

    fn derive(definitions: &[(&str, ColumnExpr)]) -> Result<Dataset, Fault> {
        Derive {
            data: Input::new(table(&[("a", &[1.0, 2.0])])),
            definitions: Definitions(
                definitions
                    .iter()
                    .map(|(name, formula)| ((*name).to_owned(), formula.clone()))
                    .collect(),
            ),
        }
        .run(&Context::alone("derive"))
    }

    #[test]
    fn later_columns_may_use_earlier_ones() {
        let data = derive(&[("b", times("a", 3.0)), ("c", times("b", 10.0))]).expect("columns");
        let expected = table(&[("a", &[1.0, 2.0]), ("b", &[3.0, 6.0]), ("c", &[30.0, 60.0])]);
        assert_eq!(data, expected);
    }

    #[test]
    fn a_taken_name_is_refused() {
        let (param, message) = complaint(derive(&[("a", times("a", 2.0))]));
        assert_eq!(param, Some("definitions"));
        assert_eq!(message, "column `a` exists already");
    }
}
