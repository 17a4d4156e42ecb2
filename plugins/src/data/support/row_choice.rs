//! Which rows of tables are read.

use dsl::ast::BinaryOp;
use dsl::column::ColumnExpr;
use engine::artifact::Dataset;
use engine::error::Fault;
use engine::group;
use engine::params::Condition;
use engine::plugin::{Complaint, Context, ReadColumns, Sketch};

use super::meeting::Meeting;

group! {
    /// Which rows are read.
    pub struct RowOptions {
        /// Fewer rows: of all files together the first and every `every`-th after it.
        every: u64 = "1", range("1..=1000000");
        /// What a row must meet, such as `depth > 500 m and time >= 1990-01-01`. The others do not
        /// come into memory.
        r#where: Option<Condition>;
    }
}

impl Default for RowOptions {
    fn default() -> Self {
        Self {
            every: 1,
            r#where: None,
        }
    }
}

/// Refuses a condition that asks about other rows than its own: not all of them are read.
pub fn of_many_rows(call: &Sketch) -> Option<Complaint> {
    let Condition(condition) = call.get::<Option<Condition>>("where")??;
    let function = condition.of_rows()?;
    let message = format!("expected a condition on one row, found `{function}` of many");
    let complaint = Complaint::at("where", message);
    Some(complaint.with_hint("ask it of the rows afterwards: `where(rows, …)`"))
}

/// Chooses among rows that come in parts.
pub struct RowChoice {
    every: u64,
    /// How many rows came before.
    before: u64,
    meeting: Option<Meeting>,
}

impl RowChoice {
    /// By these options.
    pub fn of(options: &RowOptions) -> Self {
        let condition = options.r#where.as_ref().map(|Condition(it)| it.clone());
        Self {
            every: options.every,
            before: 0,
            meeting: condition.map(|condition| Meeting::new(condition, "where")),
        }
    }

    /// The columns that it reads of the next rows, where `after` are those that are read of what it
    /// chooses.
    pub fn reads(&self, after: &ReadColumns) -> ReadColumns {
        after.and(self.meeting.iter().flat_map(Meeting::reads))
    }

    /// Passes over rows that do not come.
    pub fn skip(&mut self, rows: u64) {
        self.before += rows;
    }

    /// Those of the next rows that are wanted; none where none is.
    ///
    /// # Errors
    /// When the condition cannot be computed.
    pub fn of_next(&mut self, rows: Dataset) -> Result<Option<Dataset>, Fault> {
        let count = rows.rows() as u64;
        let first = self.before.next_multiple_of(self.every) - self.before;
        self.before += count;
        let rows = match self.every {
            1 => rows,
            every => {
                let places = (first..count).step_by(every as usize);
                rows.take(&places.map(|row| row as u32).collect::<Vec<u32>>())
            }
        };
        match &mut self.meeting {
            _ if rows.rows() == 0 => Ok(None),
            Some(meeting) => meeting.of(&rows),
            None => Ok(Some(rows)),
        }
    }

    /// After the last rows.
    ///
    /// # Errors
    /// When none met the condition.
    pub fn end(self, context: &Context) -> Result<(), Fault> {
        match self.meeting {
            Some(meeting) => meeting.end(context),
            None => Ok(()),
        }
    }
}

/// What the values of a column lie between.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueBounds {
    /// Numbers, or times in the unit of the column.
    Numbers(f64, f64),
    /// Texts, by their bytes; bounds that were cut short need not be UTF-8.
    Texts(Vec<u8>, Vec<u8>),
}

impl ValueBounds {
    /// Whether a number or text of a formula lies between them.
    fn hold(&self, value: &ColumnExpr) -> bool {
        match (self, value) {
            (Self::Numbers(low, high), ColumnExpr::Number(value)) => low <= value && value <= high,
            (Self::Texts(low, high), ColumnExpr::Text(value)) => {
                low[..] <= *value.as_bytes() && *value.as_bytes() <= high[..]
            }
            _ => true,
        }
    }
}

/// Whether rows can meet a condition whose columns lie between bounds; `between` knows these.
pub fn can_meet(condition: &ColumnExpr, between: &dyn Fn(&str) -> Option<ValueBounds>) -> bool {
    use BinaryOp as Op;
    let ColumnExpr::Binary(op, left, right) = condition else {
        return true;
    };
    let (op, column, value) = match (op, &**left, &**right) {
        (Op::And, left, right) => return can_meet(left, between) && can_meet(right, between),
        (Op::Or, left, right) => return can_meet(left, between) || can_meet(right, between),
        (op, ColumnExpr::Column(column), value) => (*op, column, value),
        (op, value, ColumnExpr::Column(column)) => (turned(*op), column, value),
        _ => return true,
    };
    let Some(bounds) = between(column) else {
        return true;
    };
    match (op, value, &bounds) {
        (Op::Less, ColumnExpr::Number(value), ValueBounds::Numbers(low, _)) => low < value,
        (Op::LessEqual, ColumnExpr::Number(value), ValueBounds::Numbers(low, _)) => low <= value,
        (Op::Greater, ColumnExpr::Number(value), ValueBounds::Numbers(_, high)) => high > value,
        (Op::GreaterEqual, ColumnExpr::Number(value), ValueBounds::Numbers(_, high)) => {
            high >= value
        }
        (Op::Equal, value, bounds) => bounds.hold(value),
        (Op::In, ColumnExpr::List(values), bounds) => values.iter().any(|it| bounds.hold(it)),
        _ => true,
    }
}

/// The operator with its sides the other way round.
fn turned(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessEqual => BinaryOp::GreaterEqual,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterEqual => BinaryOp::LessEqual,
        BinaryOp::In => BinaryOp::NotEqual,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(op: BinaryOp, value: f64) -> ColumnExpr {
        let column = ColumnExpr::Column("depth".to_owned());
        ColumnExpr::Binary(op, column.into(), ColumnExpr::Number(value).into())
    }

    #[test]
    fn bounds_rule_out_what_lies_beyond_them() {
        let between = |name: &str| match name {
            "depth" => Some(ValueBounds::Numbers(10.0, 20.0)),
            "ship" => Some(ValueBounds::Texts(b"Bonn".to_vec(), b"Brest\xff".to_vec())),
            _ => None,
        };
        let can = |condition: &ColumnExpr| can_meet(condition, &between);
        assert!(can(&compare(BinaryOp::Less, 10.5)) && !can(&compare(BinaryOp::Less, 10.0)));
        assert!(can(&compare(BinaryOp::LessEqual, 10.0)));
        assert!(!can(&compare(BinaryOp::Greater, 20.0)));
        assert!(can(&compare(BinaryOp::GreaterEqual, 20.0)));
        assert!(!can(&compare(BinaryOp::Equal, 21.0)));
        assert!(can(&compare(BinaryOp::NotEqual, 21.0)));
        let both = |op| {
            let sides = [
                compare(BinaryOp::Less, 5.0),
                compare(BinaryOp::Greater, 15.0),
            ];
            let [left, right] = sides.map(Box::new);
            ColumnExpr::Binary(op, left, right)
        };
        assert!(can(&both(BinaryOp::Or)) && !can(&both(BinaryOp::And)));
        let turned = ColumnExpr::Binary(
            BinaryOp::Greater,
            ColumnExpr::Number(10.0).into(),
            ColumnExpr::Column("depth".to_owned()).into(),
        );
        assert!(!can(&turned));
        assert!(can_meet(&compare(BinaryOp::Less, 5.0), &|_| None));
        let ship = |op, value: ColumnExpr| {
            let column = ColumnExpr::Column("ship".to_owned());
            can(&ColumnExpr::Binary(op, column.into(), value.into()))
        };
        let text = |text: &str| ColumnExpr::Text(text.to_owned());
        for (name, is_between) in [
            ("Bonn", true),
            ("Bo", false),
            ("Boö", true),
            ("Brest and", true),
            ("Bz", false),
        ] {
            assert_eq!(ship(BinaryOp::Equal, text(name)), is_between, "{name}");
            assert!(ship(BinaryOp::NotEqual, text(name)));
            let list = ColumnExpr::List(vec![text("A"), text(name)]);
            assert_eq!(ship(BinaryOp::In, list), is_between, "{name}");
        }
    }
}
