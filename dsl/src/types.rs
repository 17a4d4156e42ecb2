//! The kinds of things a file names and the types of the values it writes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::calendar::{Calendar, TimeUnit};

/// What a statement makes; its keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Rows of a data set.
    Data,
    /// Trained networks.
    Parent,
    /// Groups of rows to fine-tune on.
    Subset,
    /// Weights after fine-tuning, one row per subset.
    Anomaly,
    /// Rows of weights of whatever origin: sums, averages, edits of the other tables.
    Weights,
    /// Weights along training, one row per step.
    Trajectory,
    /// What is known about a row.
    Predictor,
    /// A map from predictors to weights.
    Regression,
    /// Networks for rows no network was trained on.
    Child,
    /// Weights of future steps.
    Farcast,
    /// Numbers that say how good something is.
    Score,
    /// Values to run the file at.
    Sweep,
    /// A page to read.
    Report,
}

impl Kind {
    /// Every kind, in the order an experiment uses them.
    pub const ALL: [Kind; 13] = [
        Kind::Data,
        Kind::Parent,
        Kind::Subset,
        Kind::Anomaly,
        Kind::Weights,
        Kind::Trajectory,
        Kind::Predictor,
        Kind::Regression,
        Kind::Child,
        Kind::Farcast,
        Kind::Score,
        Kind::Sweep,
        Kind::Report,
    ];

    /// The keyword that introduces a statement of this kind.
    pub fn keyword(self) -> &'static str {
        match self {
            Kind::Data => "data",
            Kind::Parent => "parent",
            Kind::Subset => "subset",
            Kind::Anomaly => "anomaly",
            Kind::Weights => "weights",
            Kind::Trajectory => "trajectory",
            Kind::Predictor => "predictor",
            Kind::Regression => "regression",
            Kind::Child => "child",
            Kind::Farcast => "farcast",
            Kind::Score => "score",
            Kind::Sweep => "sweep",
            Kind::Report => "report",
        }
    }

    /// Whether results of this kind are rows of weights and so can be used as `weights`.
    pub fn holds_weights(self) -> bool {
        matches!(
            self,
            Kind::Parent
                | Kind::Anomaly
                | Kind::Weights
                | Kind::Trajectory
                | Kind::Farcast
                | Kind::Child
        )
    }

    /// Whether a result of this kind fits where another kind is expected.
    pub fn fits(self, wanted: Kind) -> bool {
        self == wanted || (wanted == Kind::Weights && self.holds_weights())
    }

    /// The kind with this keyword.
    pub fn from_keyword(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.keyword() == word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword())
    }
}

/// The type of a parameter or a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// A whole number.
    Int,
    /// A real number; whole numbers and `20 %` are taken too.
    Float,
    /// `true` or `false`.
    Bool,
    /// Text in quotes.
    String,
    /// A file, as text in quotes, relative to the file it is written in.
    Path,
    /// A length of time, kept in seconds.
    Duration,
    /// A number in this unit; one with another unit of the same dimension is converted.
    Quantity(String),
    /// One of these words, written bare.
    Word(Vec<String>),
    /// `[a, b]`; a single value is taken as a list of one.
    List(Box<Type>),
    /// `a..b` or `a..=b`.
    Range(Box<Type>),
    /// The name of a column of the data set at hand.
    Column,
    /// A number computed from columns: `sin(2 * pi * month / 12)`.
    Formula(Over),
    /// Yes or no computed from columns: `depth <= 1 km`.
    Condition(Over),
    /// A value made by a constructor of this group: `Optimizer` by `adam(rate: 1e-3)`.
    Constructed(String),
    /// What a statement of this kind makes.
    Kind(Kind),
    /// Any of these.
    OneOf(Vec<Type>),
}

/// The names a [`Type::Formula`] or [`Type::Condition`] may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// Columns of the data set at hand.
    Columns,
    /// Coordinates of the rows of weights at hand.
    Coordinates,
    /// These names only, such as `snr`.
    Names(Vec<String>),
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Int => f.write_str("Int"),
            Type::Float => f.write_str("Float"),
            Type::Bool => f.write_str("Bool"),
            Type::String => f.write_str("String"),
            Type::Path => f.write_str("Path"),
            Type::Duration => f.write_str("Duration"),
            Type::Quantity(unit) => write!(f, "Quantity({unit})"),
            Type::Word(words) => f.write_str(&words.join(" | ")),
            Type::List(inner) => write!(f, "List({inner})"),
            Type::Range(inner) => write!(f, "Range({inner})"),
            Type::Column => f.write_str("Column"),
            Type::Formula(Over::Columns) => f.write_str("Formula"),
            Type::Condition(Over::Columns) => f.write_str("Condition"),
            Type::Formula(Over::Coordinates) => f.write_str("Formula(coordinates)"),
            Type::Condition(Over::Coordinates) => f.write_str("Condition(coordinates)"),
            Type::Formula(Over::Names(names)) => write!(f, "Formula({})", names.join(", ")),
            Type::Condition(Over::Names(names)) => write!(f, "Condition({})", names.join(", ")),
            Type::Constructed(group) => f.write_str(group),
            Type::Kind(kind) => f.write_str(kind.keyword()),
            Type::OneOf(types) => {
                let names: Vec<String> = types.iter().map(Type::to_string).collect();
                f.write_str(&names.join(" | "))
            }
        }
    }
}

/// The columns of a data set, known without reading its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// The columns in order.
    pub columns: Vec<ColumnInfo>,
}

/// A column's name and what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// Its unit as the data say it (`m`, `degrees_north`), when they do.
    pub unit: Option<String>,
    /// What its values are.
    #[serde(default, skip_serializing_if = "Content::is_number")]
    pub content: Content,
    /// Whether its file keeps the numbers in 32 bits: numbers that they are compared with are
    /// rounded alike.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub single: bool,
}

/// What the values of a column are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Numbers.
    #[default]
    Number,
    /// Times: numbers of a unit since a date of a calendar.
    Time(TimeUnit),
    /// Texts, each one of a few categories.
    Text,
}

impl Content {
    /// What numbers in a unit are: times, where it is one such as `days since 1970-01-01`.
    pub fn of_unit(unit: Option<&str>, calendar: Calendar) -> Self {
        let time = unit.and_then(|unit| TimeUnit::parse(unit, calendar).ok());
        time.map_or(Self::Number, Self::Time)
    }

    /// The unit of times.
    pub fn time(self) -> Option<TimeUnit> {
        match self {
            Self::Time(unit) => Some(unit),
            Self::Number | Self::Text => None,
        }
    }

    /// Whether it is plain numbers.
    pub fn is_number(&self) -> bool {
        *self == Self::Number
    }
}

impl ColumnInfo {
    /// A column of numbers, or of times where the unit says so (of the standard calendar).
    pub fn numbers(name: impl Into<String>, unit: Option<String>) -> Self {
        Self {
            name: name.into(),
            content: Content::of_unit(unit.as_deref(), Calendar::Standard),
            unit,
            single: false,
        }
    }

    /// A column of texts.
    pub fn texts(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            unit: None,
            content: Content::Text,
            single: false,
        }
    }
}

impl Schema {
    /// The column with this name.
    pub fn find(&self, name: &str) -> Option<&ColumnInfo> {
        self.columns.iter().find(|column| column.name == name)
    }
}
