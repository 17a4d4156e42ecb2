//! Expressions over columns, checked: names resolved, units converted, types known.
//!
//! One list holds every function: its name, what it takes, what it says and how it is
//! computed; the checker, the documentation and the evaluation all read it.

mod gather;
mod operand;
mod precedence;
mod scalar;
mod text;

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;

use crate::ast::{BinaryOp, UnaryOp};
use crate::calendar::time::{Part, SEASONS};
use crate::calendar::{Calendar, TimeUnit};
use crate::groups;
use crate::name::{in_quotes, written};

pub use self::gather::Gathered;
pub use self::scalar::date;

use self::operand::{Operand, binary, recoded};
use self::precedence::{ADD, precedence};
use self::scalar::{area, each, max, min, rounded, sign, truth};

/// A number, a yes/no, a time or a text for every row. Yes is `1.0`, no is `0.0`, missing is
/// NaN; a time is a number of its unit, a text is its place among the labels of its column.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum ColumnExpr {
    /// The value of a column (or of a given name such as `snr`).
    Column(String),
    /// The same number for every row.
    Number(f64),
    /// An operator with one side.
    Unary(UnaryOp, Box<ColumnExpr>),
    /// An operator with two sides.
    Binary(BinaryOp, Box<ColumnExpr>, Box<ColumnExpr>),
    /// A function of the list in this file, by name.
    Call(String, Vec<ColumnExpr>),
    /// The same text for every row.
    Text(String),
    /// Constants that `in` looks among.
    List(Vec<ColumnExpr>),
    /// A part of the date of a time in a unit.
    Part(Part, Box<ColumnExpr>, Box<TimeUnit>),
    /// A time in the first unit as a number in the second.
    Convert(Box<ColumnExpr>, Box<TimeUnit>, Box<TimeUnit>),
    /// A time in a unit N calendar months later.
    Later(Box<ColumnExpr>, Box<TimeUnit>, i64),
}

/// What a place holds for every row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A number.
    Number,
    /// Yes or no.
    Truth,
    /// A time; where a number may stand, it is the number of its unit.
    Time,
    /// A text.
    Text,
}

/// How many rows a formula over single rows computes at a time.
const CHUNK: usize = 1 << 13;

/// What a formula sees of a column.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// A value for each row.
    pub values: &'a [f64],
    /// The texts that the values are places of, when it is a column of texts.
    pub labels: Option<&'a [String]>,
}

impl<'a> From<&'a [f64]> for Values<'a> {
    fn from(values: &'a [f64]) -> Self {
        let labels = None;
        Self { values, labels }
    }
}

/// The columns of a formula, by name.
pub type Look<'l, 'a> = &'l dyn Fn(&str) -> Option<Values<'a>>;

/// A function that formulas may call.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// Its arguments: names and sorts.
    pub takes: &'static [(&'static str, Sort)],
    /// What it returns.
    pub returns: Sort,
    /// One line.
    pub doc: &'static str,
    kernel: Kernel,
}

#[derive(Clone, Copy, Debug)]
enum Kernel {
    /// Of every number of a block, in its place.
    One(fn(&mut [f64])),
    Two(fn(f64, f64) -> f64),
    Three(fn(f64, f64, f64) -> f64),
    /// Of the date of a time; the checker adds the unit of the time.
    Calendar(Part),
    /// The number of a time in days since a date that is known before the run.
    DaysSince,
    /// One number of all rows of a group.
    Group(fn(&[f64]) -> f64),
    /// A number for each row of a group from the rows before it and a number.
    Along(fn(&[f64], f64) -> Vec<f64>),
}

const X: &[(&str, Sort)] = &[("x", Sort::Number)];
const XY: &[(&str, Sort)] = &[("x", Sort::Number), ("y", Sort::Number)];
const YX: &[(&str, Sort)] = &[("y", Sort::Number), ("x", Sort::Number)];
const TIME: &[(&str, Sort)] = &[("time", Sort::Time)];
const ROWS: &[(&str, Sort)] = &[("x", Sort::Number), ("rows", Sort::Number)];
const CLAMP: &[(&str, Sort)] = &[
    ("x", Sort::Number),
    ("low", Sort::Number),
    ("high", Sort::Number),
];
const CHOOSE: &[(&str, Sort)] = &[
    ("condition", Sort::Truth),
    ("yes", Sort::Number),
    ("no", Sort::Number),
];

const fn one(name: &'static str, kernel: fn(&mut [f64]), doc: &'static str) -> Function {
    Function {
        name,
        takes: X,
        returns: Sort::Number,
        doc,
        kernel: Kernel::One(kernel),
    }
}

const fn two(name: &'static str, kernel: fn(f64, f64) -> f64, doc: &'static str) -> Function {
    Function {
        name,
        takes: XY,
        returns: Sort::Number,
        doc,
        kernel: Kernel::Two(kernel),
    }
}

const fn three(
    name: &'static str,
    takes: &'static [(&'static str, Sort)],
    kernel: fn(f64, f64, f64) -> f64,
    doc: &'static str,
) -> Function {
    Function {
        name,
        takes,
        returns: Sort::Number,
        doc,
        kernel: Kernel::Three(kernel),
    }
}

const fn calendar(name: &'static str, part: Part, doc: &'static str) -> Function {
    Function {
        name,
        takes: TIME,
        returns: Sort::Number,
        doc,
        kernel: Kernel::Calendar(part),
    }
}

const fn group(name: &'static str, kernel: fn(&[f64]) -> f64, doc: &'static str) -> Function {
    Function {
        name,
        takes: X,
        returns: Sort::Number,
        doc,
        kernel: Kernel::Group(kernel),
    }
}

const fn along(
    name: &'static str,
    kernel: fn(&[f64], f64) -> Vec<f64>,
    doc: &'static str,
) -> Function {
    Function {
        name,
        takes: ROWS,
        returns: Sort::Number,
        doc,
        kernel: Kernel::Along(kernel),
    }
}

/// Every function that formulas may call.
pub const FUNCTIONS: &[Function] = &[
    one(
        "sin",
        |xs| each(xs, f64::sin),
        "sine of an angle in radians",
    ),
    one(
        "cos",
        |xs| each(xs, f64::cos),
        "cosine of an angle in radians",
    ),
    one(
        "tan",
        |xs| each(xs, f64::tan),
        "tangent of an angle in radians",
    ),
    one("asin", |xs| each(xs, f64::asin), "inverse sine, in radians"),
    one(
        "acos",
        |xs| each(xs, f64::acos),
        "inverse cosine, in radians",
    ),
    one(
        "atan",
        |xs| each(xs, f64::atan),
        "inverse tangent, in radians",
    ),
    Function {
        takes: YX,
        ..two(
            "atan2",
            f64::atan2,
            "angle of the point (x, y), in radians, over all four quadrants",
        )
    },
    one("tanh", |xs| each(xs, f64::tanh), "hyperbolic tangent"),
    one("exp", |xs| each(xs, f64::exp), "e to the power of x"),
    one("log", |xs| each(xs, f64::ln), "natural logarithm"),
    one("log10", |xs| each(xs, f64::log10), "logarithm to base 10"),
    one("sqrt", |xs| each(xs, f64::sqrt), "square root"),
    one("abs", |xs| each(xs, f64::abs), "absolute value"),
    one("sign", |xs| each(xs, sign), "-1, 0 or 1"),
    one(
        "floor",
        |xs| each(xs, f64::floor),
        "largest whole number not above x",
    ),
    one(
        "ceil",
        |xs| each(xs, f64::ceil),
        "smallest whole number not below x",
    ),
    one(
        "round",
        |xs| each(xs, rounded),
        "nearest whole number, halves to the even one",
    ),
    two("min", min, "the smaller one; missing when either is"),
    two("max", max, "the larger one; missing when either is"),
    one(
        "radians",
        |xs| each(xs, f64::to_radians),
        "radians from degrees",
    ),
    one(
        "degrees",
        |xs| each(xs, f64::to_degrees),
        "degrees from radians",
    ),
    one(
        "area",
        |xs| each(xs, area),
        "how much a cell of a grid counts: the cosine of its latitude in degrees",
    ),
    three(
        "clamp",
        CLAMP,
        |x, low, high| min(max(x, low), high),
        "x, but not below `low` nor above `high`",
    ),
    three(
        "choose",
        CHOOSE,
        |condition, yes, no| if condition != 0.0 { yes } else { no },
        "`yes` where the condition holds, `no` elsewhere",
    ),
    Function {
        returns: Sort::Truth,
        ..one(
            "is_missing",
            |xs| each(xs, |x| truth(x.is_nan())),
            "whether x is missing",
        )
    },
    calendar("year", Part::Year, "calendar year of a time"),
    calendar("month", Part::Month, "calendar month of a time, 1 to 12"),
    calendar("day", Part::Day, "day of the month of a time, from 1"),
    calendar("hour", Part::Hour, "hour of the day of a time, 0 to 23"),
    calendar(
        "day_of_year",
        Part::DayOfYear,
        "day of the year of a time, from 1",
    ),
    calendar(
        "year_day",
        Part::YearDay,
        "day of the year of a time, from 1, with its fraction",
    ),
    Function {
        returns: Sort::Text,
        ..calendar(
            "season",
            Part::Season,
            "meteorological season of a time: \"DJF\", \"MAM\", \"JJA\" or \"SON\"",
        )
    },
    Function {
        returns: Sort::Time,
        ..three(
            "date",
            &[
                ("year", Sort::Number),
                ("month", Sort::Number),
                ("day", Sort::Number),
            ],
            date,
            "midnight of a date of the standard calendar; missing when there is no such date",
        )
    },
    Function {
        name: "days_since",
        takes: &[("time", Sort::Time), ("date", Sort::Time)],
        returns: Sort::Number,
        doc: "days from a date such as `2000-01-01` to a time",
        kernel: Kernel::DaysSince,
    },
    group(
        "mean",
        groups::mean,
        "mean over all rows, or those of a group",
    ),
    group(
        "std",
        groups::std,
        "standard deviation over the rows, divided by their number less one",
    ),
    group("median", groups::median, "median over the rows"),
    group("sum", groups::sum, "sum over the rows"),
    group("lowest", groups::lowest, "smallest value among the rows"),
    group("highest", groups::highest, "largest value among the rows"),
    group("count", groups::count, "how many rows have a value"),
    Function {
        takes: &[("condition", Sort::Truth)],
        ..group(
            "share",
            groups::mean,
            "share of all rows that meet a condition; comparisons with missing values are not met",
        )
    },
    along(
        "lag",
        groups::lag,
        "value N rows before, in the order of the rows",
    ),
    along(
        "running_mean",
        groups::running_mean,
        "mean of N rows up to this one; missing for the first N - 1 rows",
    ),
];

/// The numbers that have a name in formulas.
pub const CONSTANTS: &[(&str, f64)] = &[("pi", std::f64::consts::PI), ("e", std::f64::consts::E)];

/// How deeply an expression may be nested; deeper ones are refused, not overflowed on.
pub const MAX_DEPTH: usize = 512;

/// The function with this name.
pub fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// The number with this name.
pub fn constant(name: &str) -> Option<f64> {
    CONSTANTS
        .iter()
        .find(|(constant, _)| *constant == name)
        .map(|(_, value)| *value)
}

impl Function {
    /// The part of the date that it gives of a time.
    pub fn part(&self) -> Option<Part> {
        match self.kernel {
            Kernel::Calendar(part) => Some(part),
            _ => None,
        }
    }

    /// Which of its arguments the result is one of, or lies between: given times, it is a time.
    pub fn keeps(&self) -> Range<usize> {
        match self.name {
            "min" | "max" => 0..2,
            "clamp" => 0..3,
            "choose" => 1..3,
            "mean" | "median" | "lowest" | "highest" | "lag" | "running_mean" => 0..1,
            _ => 0..0,
        }
    }

    /// Whether it takes texts too.
    pub fn takes_texts(&self) -> bool {
        matches!(self.name, "count" | "is_missing")
    }

    /// Whether it is of many rows and not of one.
    pub fn of_rows(&self) -> bool {
        matches!(self.kernel, Kernel::Group(_) | Kernel::Along(_))
    }

    /// Whether its last argument must be a number known before the run.
    pub fn takes_constant(&self) -> bool {
        matches!(self.kernel, Kernel::Along(_))
    }

    /// Whether it gives all rows of a group the same number.
    fn gathers(&self) -> bool {
        matches!(self.kernel, Kernel::Group(_))
    }
}

impl ColumnExpr {
    /// The columns it reads, each once, in order of first use.
    pub fn columns(&self) -> Vec<&str> {
        let mut names = Vec::new();
        self.collect(&mut names);
        names
    }

    fn collect<'a>(&'a self, names: &mut Vec<&'a str>) {
        match self {
            ColumnExpr::Column(name) if names.contains(&name.as_str()) => {}
            ColumnExpr::Column(name) => names.push(name),
            ColumnExpr::Number(_) | ColumnExpr::Text(_) | ColumnExpr::List(_) => {}
            ColumnExpr::Unary(_, inner)
            | ColumnExpr::Part(_, inner, _)
            | ColumnExpr::Convert(inner, ..)
            | ColumnExpr::Later(inner, ..) => inner.collect(names),
            ColumnExpr::Binary(_, left, right) => {
                left.collect(names);
                right.collect(names);
            }
            ColumnExpr::Call(_, args) => args.iter().for_each(|arg| arg.collect(names)),
        }
    }

    /// The arguments of every call of a function in it.
    pub fn calls(&self, name: &str) -> Vec<&[ColumnExpr]> {
        match self {
            ColumnExpr::Column(_)
            | ColumnExpr::Number(_)
            | ColumnExpr::Text(_)
            | ColumnExpr::List(_) => Vec::new(),
            ColumnExpr::Unary(_, inner)
            | ColumnExpr::Part(_, inner, _)
            | ColumnExpr::Convert(inner, ..)
            | ColumnExpr::Later(inner, ..) => inner.calls(name),
            ColumnExpr::Binary(_, left, right) => [left.calls(name), right.calls(name)].concat(),
            ColumnExpr::Call(own, args) => {
                let mut found: Vec<&[ColumnExpr]> = Vec::new();
                found.extend((own == name).then_some(&args[..]));
                found.extend(args.iter().flat_map(|arg| arg.calls(name)));
                found
            }
        }
    }

    /// The first function in it that is of many rows and not of one.
    pub fn of_rows(&self) -> Option<&str> {
        match self {
            ColumnExpr::Column(_)
            | ColumnExpr::Number(_)
            | ColumnExpr::Text(_)
            | ColumnExpr::List(_) => None,
            ColumnExpr::Unary(_, inner)
            | ColumnExpr::Part(_, inner, _)
            | ColumnExpr::Convert(inner, ..)
            | ColumnExpr::Later(inner, ..) => inner.of_rows(),
            ColumnExpr::Binary(_, left, right) => left.of_rows().or_else(|| right.of_rows()),
            ColumnExpr::Call(name, _) if function(name).is_some_and(Function::of_rows) => {
                Some(name)
            }
            ColumnExpr::Call(_, args) => args.iter().find_map(ColumnExpr::of_rows),
        }
    }

    /// A column that lets the value differ among rows that are alike in the columns `same`.
    pub fn varies_with(&self, same: &[&str]) -> Option<&str> {
        match self {
            ColumnExpr::Column(name) => (!same.contains(&name.as_str())).then_some(name),
            ColumnExpr::Number(_) | ColumnExpr::Text(_) | ColumnExpr::List(_) => None,
            ColumnExpr::Unary(_, inner)
            | ColumnExpr::Part(_, inner, _)
            | ColumnExpr::Convert(inner, ..)
            | ColumnExpr::Later(inner, ..) => inner.varies_with(same),
            ColumnExpr::Binary(_, left, right) => {
                left.varies_with(same).or_else(|| right.varies_with(same))
            }
            ColumnExpr::Call(name, _) if function(name).is_some_and(Function::gathers) => None,
            ColumnExpr::Call(_, args) => args.iter().find_map(|arg| arg.varies_with(same)),
        }
    }

    /// A number in place of this node when its operands are numbers and its value is one.
    ///
    /// Yes/no nodes are kept, as a number would not read as one.
    pub fn folded(self) -> Self {
        let foldable = match &self {
            ColumnExpr::Unary(UnaryOp::Negate, inner) => inner.is_number(),
            ColumnExpr::Binary(op, left, right) => {
                precedence(*op) >= ADD && left.is_number() && right.is_number()
            }
            ColumnExpr::Call(name, args) => {
                function(name)
                    .is_some_and(|function| function.returns == Sort::Number && !function.of_rows())
                    && args.iter().all(ColumnExpr::is_number)
            }
            ColumnExpr::Part(part, time, _) => *part != Part::Season && time.is_number(),
            ColumnExpr::Convert(time, ..) | ColumnExpr::Later(time, ..) => time.is_number(),
            _ => false,
        };
        if !foldable {
            return self;
        }
        match self.evaluate(1, &|_| None).as_deref() {
            Ok([value]) if value.is_finite() => ColumnExpr::Number(*value),
            _ => self,
        }
    }

    /// Whether it is a number already.
    pub fn is_number(&self) -> bool {
        matches!(self, ColumnExpr::Number(_))
    }

    /// The unit of its values, when they are times; `column` returns that of a column of times.
    pub fn time(&self, column: &dyn Fn(&str) -> Option<TimeUnit>) -> Option<TimeUnit> {
        match self {
            ColumnExpr::Column(name) => column(name),
            ColumnExpr::Call(name, _) if name == "date" => Some(TimeUnit::days(Calendar::Standard)),
            ColumnExpr::Call(name, args) => {
                let kept = args.get(function(name)?.keeps())?;
                kept.iter().find_map(|arg| arg.time(column))
            }
            ColumnExpr::Convert(_, _, unit) | ColumnExpr::Later(_, unit, _) => Some(**unit),
            // A length of time later; the difference of two times is a number.
            ColumnExpr::Binary(BinaryOp::Add | BinaryOp::Subtract, left, right) => {
                match (left.time(column), right.time(column)) {
                    (Some(unit), None) | (None, Some(unit)) => Some(unit),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The labels of its values, when they are texts; `column` returns those of a column of texts.
    pub fn labels<'a>(
        &self,
        column: &dyn Fn(&str) -> Option<&'a [String]>,
    ) -> Option<Cow<'a, [String]>> {
        match self {
            ColumnExpr::Column(name) => column(name).map(Cow::Borrowed),
            ColumnExpr::Text(text) => Some(Cow::Owned(vec![text.clone()])),
            ColumnExpr::Part(Part::Season, ..) => Some(SEASONS.map(str::to_owned).to_vec().into()),
            _ => None,
        }
    }

    /// The value for each of `rows` rows, given the values of every column it reads.
    ///
    /// # Errors
    /// The name of a column that `column` does not give, or of an unknown function.
    pub fn evaluate<'a>(&self, rows: usize, column: Look<'_, 'a>) -> Result<Vec<f64>, String> {
        self.evaluate_in(std::slice::from_ref(&(0..rows)), column)
    }

    /// The same for rows in groups that lie one after the other: functions of many rows see
    /// those of one group.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    pub fn evaluate_in<'a>(
        &self,
        groups: &[Range<usize>],
        column: Look<'_, 'a>,
    ) -> Result<Vec<f64>, String> {
        let rows = groups.last().map_or(0, |last| last.end);
        if rows > CHUNK && self.of_rows().is_none() {
            let mut all = vec![0.0; rows];
            self.evaluate_into(&mut all, column)?;
            return Ok(all);
        }
        match self.operand(groups, column, 0)? {
            Operand::Same(value) => Ok(vec![value; rows]),
            Operand::Borrowed(values) => Ok(values.to_vec()),
            Operand::Owned(values) => Ok(values),
        }
    }

    /// The same into `all`, where no row sees another.
    ///
    /// What lies between two operations stays in the cache.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    pub fn evaluate_into<'a>(&self, all: &mut [f64], column: Look<'_, 'a>) -> Result<(), String> {
        let rows = all.len();
        for (chunk, all) in all.chunks_mut(CHUNK).enumerate() {
            let start = chunk * CHUNK;
            let look = |name: &str| {
                let whole = column(name)?;
                let values = match whole.values.len() == rows {
                    true => &whole.values[start..start + all.len()],
                    false => &[],
                };
                Some(Values { values, ..whole })
            };
            match self.operand(std::slice::from_ref(&(0..all.len())), &look, 0)? {
                Operand::Same(value) => all.fill(value),
                values => all.copy_from_slice(values.slice()),
            }
        }
        Ok(())
    }

    /// The columns whose values are used as numbers; those compared with a text are not, nor those
    /// whose place among the labels of another column is asked for.
    pub fn read_as_numbers(&self) -> Vec<&str> {
        match self {
            ColumnExpr::Column(name) => vec![name],
            ColumnExpr::Number(_) | ColumnExpr::Text(_) => Vec::new(),
            ColumnExpr::Unary(_, inner)
            | ColumnExpr::Part(_, inner, _)
            | ColumnExpr::Convert(inner, ..)
            | ColumnExpr::Later(inner, ..) => inner.read_as_numbers(),
            ColumnExpr::Binary(
                BinaryOp::Equal | BinaryOp::NotEqual | BinaryOp::In,
                left,
                right,
            ) => match (&**left, &**right) {
                (ColumnExpr::Column(_), _) | (_, ColumnExpr::Column(_)) => Vec::new(),
                (left, right) => [left.read_as_numbers(), right.read_as_numbers()].concat(),
            },
            ColumnExpr::Binary(_, left, right) => {
                [left.read_as_numbers(), right.read_as_numbers()].concat()
            }
            ColumnExpr::List(items) | ColumnExpr::Call(_, items) => {
                items.iter().flat_map(Self::read_as_numbers).collect()
            }
        }
    }

    fn operand<'a>(
        &self,
        groups: &[Range<usize>],
        column: Look<'_, 'a>,
        depth: usize,
    ) -> Result<Operand<'a>, String> {
        if depth > MAX_DEPTH {
            return Err(format!("the formula is nested more than {MAX_DEPTH} deep"));
        }
        let inner = |expr: &ColumnExpr| expr.operand(groups, column, depth + 1);
        let rows = groups.last().map_or(0, |last| last.end);
        match self {
            ColumnExpr::Number(value) => Ok(Operand::Same(*value)),
            ColumnExpr::Column(name) => match column(name) {
                Some(look) if look.values.len() == rows => Ok(Operand::Borrowed(look.values)),
                Some(_) => Err(format!("column `{name}` has another number of rows")),
                None => Err(format!("the data have no column `{name}`")),
            },
            ColumnExpr::Unary(UnaryOp::Negate, x) => Ok(inner(x)?.map(|x| -x)),
            ColumnExpr::Unary(UnaryOp::Not, x) => Ok(inner(x)?.map(|x| truth(x == 0.0))),
            ColumnExpr::Binary(op @ (BinaryOp::Equal | BinaryOp::NotEqual), left, right) => {
                let labels = |expr: &ColumnExpr| expr.labels(&|name| column(name)?.labels);
                let (first, second) = (inner(left)?, inner(right)?);
                match (labels(left), labels(right)) {
                    (Some(left), Some(right)) => {
                        Ok(binary(*op, first, recoded(second, &right, &left)))
                    }
                    (None, None) => Ok(binary(*op, first, second)),
                    _ => Err("a text is compared with a number".to_owned()),
                }
            }
            ColumnExpr::Binary(BinaryOp::In, value, items) => {
                let labels = value.labels(&|name| column(name)?.labels);
                let items = places(items, labels.as_deref())?;
                Ok(inner(value)?.map(|x| truth(items.contains(&x))))
            }
            ColumnExpr::Binary(op, left, right) => Ok(binary(*op, inner(left)?, inner(right)?)),
            // The only label of a text is its own.
            ColumnExpr::Text(_) => Ok(Operand::Same(0.0)),
            ColumnExpr::List(_) => Err("a list stands on the right of `in`".to_owned()),
            ColumnExpr::Part(part, time, unit) => {
                // Rows of one time often follow each other.
                let last = Cell::new((f64::NAN, f64::NAN));
                let part = |time: f64| {
                    if last.get().0 != time {
                        last.set((time, part.of(time, **unit)));
                    }
                    last.get().1
                };
                Ok(inner(time)?.map(part))
            }
            ColumnExpr::Convert(time, from, to) => Ok(inner(time)?.map(|x| from.convert(x, **to))),
            ColumnExpr::Later(time, unit, months) => {
                Ok(inner(time)?.map(|x| unit.later(x, *months)))
            }
            ColumnExpr::Call(name, args) => {
                let function =
                    function(name).ok_or_else(|| format!("unknown function `{name}`"))?;
                let args = args.iter().map(inner).collect::<Result<Vec<_>, _>>()?;
                function
                    .kernel
                    .apply(args, groups)
                    .ok_or_else(|| format!("`{name}` takes {} arguments", function.takes.len()))
            }
        }
    }
}

impl Kernel {
    fn apply<'a>(self, args: Vec<Operand<'a>>, groups: &[Range<usize>]) -> Option<Operand<'a>> {
        let mut args = args.into_iter();
        let x = args.next()?;
        let result = match self {
            Kernel::One(kernel) => x.in_place(kernel),
            // The checker writes other nodes for these, which know the units.
            Kernel::Calendar(_) => return None,
            Kernel::DaysSince => x,
            Kernel::Two(kernel) => x.zip(args.next()?, kernel),
            Kernel::Three(kernel) => {
                let (y, z) = (args.next()?, args.next()?);
                x.zip3(&y, &z, kernel)
            }
            Kernel::Group(kernel) => x.by_group(groups, |values, all| {
                let value = kernel(values);
                all.resize(all.len() + values.len(), value);
            }),
            Kernel::Along(kernel) => {
                let by = args.next()?.at(0);
                x.by_group(groups, |values, all| all.extend(kernel(values, by)))
            }
        };
        args.next().is_none().then_some(result)
    }
}

/// The numbers of a list's items, those of texts being their places in `labels`.
fn places(items: &ColumnExpr, labels: Option<&[String]>) -> Result<Vec<f64>, String> {
    let ColumnExpr::List(items) = items else {
        return Err("a list stands on the right of `in`".to_owned());
    };
    let items = items.iter().map(|item| match (item, labels) {
        (ColumnExpr::Number(item), None) => Ok(*item),
        (ColumnExpr::Text(text), Some(labels)) => {
            let place = labels.iter().position(|label| label == text);
            Ok(place.map_or(f64::NAN, |place| place as f64))
        }
        _ => Err(format!("`{item}` cannot be looked for here")),
    });
    items.collect()
}
