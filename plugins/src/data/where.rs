//! `where`: the rows that meet a condition.

use dsl::signature::ColumnRule;
use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Condition, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Flow, InParts, Plugin, ReadColumns, Sketch};

use super::support::meeting::{Meeting, meeting};
use crate::calls::with_rows;

plugin! {
    /// The rows that meet a condition, in their order.
    ///
    /// A comparison with a missing value is false, `!=` too: such a row is left out. `not (x > 1)`
    /// has the rows without `x`, which `x <= 1` has not.
    ///
    /// ```farcast
    /// data middle = where(all, abs(x) <= 2 and z > 0.1)
    /// ```
    "where" version 1
    pub struct Where {
        /// The rows to choose from.
        data: Input<Dataset>;
        /// What a row must meet, such as `depth <= 1 km`.
        condition: Condition;
    }
}

impl Plugin for Where {
    type Output = Dataset;

    const REMADE: bool = true;

    fn columns() -> ColumnRule {
        ColumnRule::Like("data".to_owned())
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let condition = call.get::<Condition>("condition");
        let constant = condition.filter(|condition| condition.0.columns().is_empty());
        // Without columns it is the same for every row: one tells.
        let met = constant.and_then(|it| it.0.evaluate(1, &|_| None).ok());
        let is_false = met.is_some_and(|met| met != [1.0]);
        let message = "no row meets the condition: it is false whatever the data";
        Vec::from_iter(is_false.then(|| Complaint::at("condition", message)))
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        with_rows(call, call.rows("data"))
    }

    fn in_parts(call: &Sketch<'_>) -> Option<InParts> {
        let Condition(condition) = call.get("condition")?;
        condition
            .of_rows()
            .is_none()
            .then_some(InParts::Maps("data"))
    }

    fn flow(self) -> Result<Box<dyn Flow>, Fault> {
        let Condition(condition) = self.condition;
        let meeting = Some(Meeting::new(condition, "condition"));
        Ok(Box::new(MetRows { meeting }))
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        meeting(&self.condition.0, &self.data, "condition", context)
    }
}

/// The rows in parts.
struct MetRows {
    /// None after the last.
    meeting: Option<Meeting>,
}

impl Flow for MetRows {
    fn push(&mut self, rows: Dataset, _: &Context) -> Result<Option<Dataset>, Fault> {
        self.meeting.as_mut().map_or(Ok(None), |it| it.of(&rows))
    }

    fn reads(&self, after: &ReadColumns) -> ReadColumns {
        let meeting = self.meeting.iter();
        after.and(meeting.flat_map(Meeting::reads))
    }

    fn finish(&mut self, context: &Context) -> Result<Option<Dataset>, Fault> {
        self.meeting.take().map_or(Ok(()), |it| it.end(context))?;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use dsl::ast::BinaryOp;
    use dsl::column::ColumnExpr;

    use super::*;
    use crate::data::support::testing::{expect_reads, named, table};

    fn deeper_than(limit: f64) -> Where {
        Where {
            data: Input::new(table(&[
                ("depth", &[0.0, 500.0, f64::NAN, 1500.0]),
                ("temp", &[1.0, 2.0, 3.0, 4.0]),
            ])),
            condition: Condition(ColumnExpr::Binary(
                BinaryOp::Greater,
                Box::new(ColumnExpr::Column("depth".to_owned())),
                Box::new(ColumnExpr::Number(limit)),
            )),
        }
    }

    #[test]
    fn rows_that_meet_it_stay_in_order() {
        let kept = deeper_than(100.0)
            .run(&Context::alone("where"))
            .expect("rows");
        assert_eq!(
            kept,
            table(&[("depth", &[500.0, 1500.0]), ("temp", &[2.0, 4.0])])
        );
    }

    #[test]
    fn columns_that_nobody_reads_may_be_missing() {
        let data = Dataset::clone(&deeper_than(0.0).data);
        for limit in [100.0, 600.0, 2000.0] {
            let flow = |head| {
                let call = Where {
                    data: Input::new(head),
                    ..deeper_than(limit)
                };
                call.flow().expect("a flow")
            };
            for after in [&["temp"][..], &["depth"], &[]] {
                expect_reads(flow, &data, &named(after));
            }
        }
    }

    #[test]
    fn no_row_is_an_error_that_tells_the_extent() {
        let fault = deeper_than(2000.0)
            .run(&Context::alone("where"))
            .expect_err("no such row");
        let Fault::User { param, hint, .. } = fault else {
            panic!("expected the user's fault, found {fault:?}");
        };
        assert_eq!(param.as_deref(), Some("condition"));
        assert_eq!(hint.as_deref(), Some("`depth` is 0..1500"));
    }
}
