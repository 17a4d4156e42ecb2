//! What was written: a spanned tree, one node per thing in the text.
//!
//! Nothing here is resolved or typed; names are strings, units are strings.
//! Spans take no part in equality, so that `parse(format(x)) == parse(x)` can be said.

use crate::calendar::DateTime;
use crate::source::Span;

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct File {
    /// The items in the order written; items that did not parse are left out.
    pub items: Vec<Item>,
    /// Every comment with its place, in order, text including the `#`.
    pub comments: Vec<Comment>,
}

/// A `# …` comment.
#[derive(Clone, Debug)]
pub struct Comment {
    /// From the `#` to the end of the line, without trailing blanks.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

impl PartialEq for Comment {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// One top-level item.
#[derive(Clone, Debug)]
pub struct Item {
    /// What it is.
    pub kind: ItemKind,
    /// The whole item.
    pub span: Span,
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// The forms an item can have.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemKind {
    /// `experiment "title" (authors: ["…"], license: "…")`
    Experiment {
        /// The title.
        title: Text,
        /// What is said about it.
        about: Vec<Arg>,
    },
    /// `use "path" as name`
    Use {
        /// The path as written.
        path: Text,
        /// The name its things are reached by.
        name: Name,
    },
    /// `param name: Type = default in bounds`, also `seed = 7` (name `seed`, no type).
    Param {
        /// Its name.
        name: Name,
        /// The declared type; `None` only for `seed = …`.
        ty: Option<TypeExpr>,
        /// The default.
        default: Expr,
        /// What follows `in`: a range or a list.
        bounds: Option<Expr>,
    },
    /// `define name(a, b = default) = body`
    Define {
        /// Its name.
        name: Name,
        /// Its parameters.
        params: Vec<DefineParam>,
        /// Its meaning.
        body: Expr,
    },
    /// `plugin name(shift: anomaly, delta: Float = 1.35 in 0..100) = regression from "program"`
    Plugin(PluginItem),
    /// `KIND name = expression`
    Statement {
        /// The keyword: `data`, `parent`, …, `sweep`, `report`.
        keyword: Name,
        /// The name it introduces.
        name: Name,
        /// What it is.
        value: Expr,
    },
    /// What did not parse.
    Broken {
        /// Its first word.
        keyword: Option<Name>,
        /// The name it introduces, where the text shows one.
        name: Option<Name>,
    },
}

/// A parameter of a `define`.
#[derive(Clone, Debug, PartialEq)]
pub struct DefineParam {
    /// Its name.
    pub name: Name,
    /// Its default, when it may be left out.
    pub default: Option<Expr>,
}

/// The declaration of a plugin that is a program of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginItem {
    /// Its name.
    pub name: Name,
    /// Its parameters.
    pub params: Vec<PluginParam>,
    /// The keyword of the kind it makes.
    pub makes: Name,
    /// What `farcast.toml` calls the program.
    pub from: Text,
    /// What follows: `random`, `members: count`.
    pub options: Vec<PluginOption>,
}

/// A parameter of a `plugin`.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginParam {
    /// Its name.
    pub name: Name,
    /// Whether it may be left out without a default: `name?: Int`.
    pub optional: bool,
    /// The types it may have, one as a rule; words that are none are its choices.
    pub types: Vec<TypeExpr>,
    /// The default.
    pub default: Option<Expr>,
    /// What follows `in`.
    pub bounds: Option<Expr>,
    /// The whole.
    pub span: ItemSpan,
}

/// A place that takes no part in equality.
#[derive(Clone, Copy, Debug, Default)]
pub struct ItemSpan(pub Span);

impl PartialEq for ItemSpan {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// What is said of a `plugin` after its program.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginOption {
    /// Which option.
    pub name: Name,
    /// Its words, a number or text; none for `random`.
    pub value: Vec<Name>,
}

/// An identifier.
#[derive(Clone, Debug, Default)]
pub struct Name {
    /// The identifier.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// A string literal.
#[derive(Clone, Debug, Default)]
pub struct Text {
    /// Its value, escapes resolved.
    pub value: String,
    /// Where it stands, quotes included.
    pub span: Span,
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// A type as written after a `param`: `Int`, `List(Float)`, `Quantity(km)`.
#[derive(Clone, Debug)]
pub struct TypeExpr {
    /// The head.
    pub name: Name,
    /// The expression in parentheses.
    pub args: Vec<TypeExpr>,
    /// The whole.
    pub span: Span,
}

impl PartialEq for TypeExpr {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.args == other.args
    }
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// The forms an expression can have.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `42`, with an optional unit: `10 steps`
    Int {
        /// The number.
        value: i64,
        /// The unit written after it.
        unit: Option<Name>,
    },
    /// `3e-3`, with an optional unit: `1.5 km`
    Float {
        /// The number.
        value: f64,
        /// The unit written after it.
        unit: Option<Name>,
    },
    /// `2012-01-01`, `2012-01-01T06:00`
    Date(DateTime),
    /// `true`, `false`
    Bool(bool),
    /// `"text"`
    Text(String),
    /// `[a, b]`
    List(Vec<Expr>),
    /// `a..b`, `a..=b`, `a..=b step c`; either end may be missing in bounds (`0..`).
    Range {
        /// First value.
        start: Option<Box<Expr>>,
        /// Last value or the one after it.
        end: Option<Box<Expr>>,
        /// Whether `end` belongs to the range.
        inclusive: bool,
        /// The distance between values.
        step: Option<Box<Expr>>,
    },
    /// `name` or `module.name` or `module.module.name`
    Name(Vec<Name>),
    /// `callee(args)`
    Call {
        /// What is called: `name` or `module.name`.
        callee: Vec<Name>,
        /// The arguments in the order written.
        args: Vec<Arg>,
    },
    /// `callee(args).name` or `callee(args).module.name`
    Part {
        /// The call.
        whole: Box<Expr>,
        /// Which part of what it gives.
        path: Vec<Name>,
    },
    /// `-x`, `not x`
    Unary {
        /// The operator.
        op: UnaryOp,
        /// What it applies to.
        operand: Box<Expr>,
    },
    /// `a + b`
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Where the operator stands.
        op_span: OpSpan,
        /// Left side.
        left: Box<Expr>,
        /// Right side.
        right: Box<Expr>,
    },
}

/// The place of an operator; equal to every other one.
#[derive(Clone, Copy, Debug)]
pub struct OpSpan(pub Span);

impl PartialEq for OpSpan {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// One argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Arg {
    /// `value`
    Positional(Expr),
    /// `name: value`
    Named {
        /// Which parameter.
        name: Name,
        /// Its value.
        value: Expr,
    },
    /// `name = value`: a new thing, such as a derived column.
    New {
        /// What it is called.
        name: Name,
        /// What it is.
        value: Expr,
    },
}

impl Arg {
    /// The value, however it was given.
    pub fn value(&self) -> &Expr {
        match self {
            Arg::Positional(value) | Arg::Named { value, .. } | Arg::New { value, .. } => value,
        }
    }
}

/// Operators with one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum UnaryOp {
    /// `-`
    Negate,
    /// `not`
    Not,
}

/// Operators with two sides, loosest binding first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum BinaryOp {
    /// `or`
    Or,
    /// `and`
    And,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `in`, with a list on its right
    In,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `^`, right-associative, binds tighter than unary minus
    Power,
}

impl BinaryOp {
    /// Whether it compares its sides.
    pub fn compares(self) -> bool {
        matches!(
            self,
            BinaryOp::Equal
                | BinaryOp::NotEqual
                | BinaryOp::Less
                | BinaryOp::LessEqual
                | BinaryOp::Greater
                | BinaryOp::GreaterEqual
        )
    }

    /// The comparison that means the same with its sides exchanged; other operators as they are.
    pub fn turned(self) -> Self {
        match self {
            BinaryOp::Less => BinaryOp::Greater,
            BinaryOp::LessEqual => BinaryOp::GreaterEqual,
            BinaryOp::Greater => BinaryOp::Less,
            BinaryOp::GreaterEqual => BinaryOp::LessEqual,
            other => other,
        }
    }

    /// The operator as written.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Or => "or",
            BinaryOp::And => "and",
            BinaryOp::Equal => "==",
            BinaryOp::NotEqual => "!=",
            BinaryOp::Less => "<",
            BinaryOp::LessEqual => "<=",
            BinaryOp::Greater => ">",
            BinaryOp::GreaterEqual => ">=",
            BinaryOp::In => "in",
            BinaryOp::Add => "+",
            BinaryOp::Subtract => "-",
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::Remainder => "%",
            BinaryOp::Power => "^",
        }
    }
}
