//! A message about a file, as data: code, severity, one line, labelled places, hints.

use crate::source::Span;

/// What is wrong, with a name that never changes once released.
///
/// `kebab-case` of the variant is what users see and what `--json` carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    missing_docs,
    reason = "each code is documented by its case in tests/suite"
)]
pub enum Code {
    // text
    SyntaxError,
    TooLarge,
    TooDeep,
    NumberOutOfRange,
    BadEscape,
    // names
    UnknownName,
    UnknownPlugin,
    UnknownKind,
    UnknownColumn,
    UnknownFunction,
    UnknownType,
    UnknownUnit,
    DuplicateName,
    AmbiguousName,
    ShadowedName,
    // calls
    MissingArgument,
    UnknownArgument,
    DuplicateArgument,
    TooManyArguments,
    PositionalAfterNamed,
    // meaning
    WrongKind,
    WrongType,
    OutOfRange,
    IncompatibleUnits,
    UnknownChoice,
    MembersDiffer,
    NotConstant,
    ImpossibleCall,
    // structure
    CyclicStatements,
    CyclicUse,
    CyclicDefine,
    UnreadableFile,
    SweepNotParam,
    SweepTooLarge,
    SweepJoin,
    SweepObjective,
    BadParam,
    /// A plugin of one's own whose declaration or program does not fit.
    BadPlugin,
    /// A program that may not run yet.
    Untrusted,
    UnknownParam,
    // data files
    DataFile,
    // while running; its cases are in tests/mistakes.rs
    ActionFailed,
    // warnings
    UnusedStatement,
    SameStatement,
    OuterObjective,
    DoubtfulCall,
    RenamedArgument,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The experiment cannot run.
    Error,
    /// It can, but probably not as meant.
    Warning,
}

/// A place with a word about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What to know about it; may be empty.
    pub text: String,
}

/// A change of the text that does away with a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What is replaced.
    pub span: Span,
    /// What comes in its place.
    pub text: String,
}

/// A message about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The stable code.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// One line: lower case, names in backticks, no final period.
    pub message: String,
    /// The place it is about first, then others that matter; empty only when no text is involved.
    pub labels: Vec<Label>,
    /// What to do: valid choices, the nearest name.
    pub hints: Vec<String>,
    /// Changes that are likely what was meant; each does away with the mistake by itself.
    pub fixes: Vec<Fix>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            labels: vec![Label {
                span,
                text: String::new(),
            }],
            hints: Vec::new(),
            fixes: Vec::new(),
        }
    }

    /// A warning at a place.
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, span, message)
        }
    }

    /// An error about no text at all, such as a bad `--set`.
    pub fn without_place(code: Code, message: impl Into<String>) -> Self {
        Self {
            labels: Vec::new(),
            ..Self::error(code, Span::default(), message)
        }
    }

    /// The same with words on its first place.
    pub fn says(mut self, text: impl Into<String>) -> Self {
        if let Some(first) = self.labels.first_mut() {
            first.text = text.into();
        }
        self
    }

    /// The same with another place.
    pub fn and(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// The same with a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same with a fix.
    pub fn fix(mut self, span: Span, text: impl Into<String>) -> Self {
        let text = text.into();
        self.fixes.push(Fix { span, text });
        self
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
