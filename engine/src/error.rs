//! What can go wrong while an action runs, and whose fault it is.

use std::path::PathBuf;

use dsl::facts::Complaint;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why an action gave no result.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The experiment or its data ask for something that cannot be done.
    #[error("{message}")]
    User {
        /// The parameter to point at, when one is to blame.
        param: Option<String>,
        /// One line: lower case, names in backticks, no final period.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Training left the finite numbers; the member is marked and the others go on.
    #[error("{0}")]
    Diverged(String),
    /// The machine said no: a disk that is full, a file that is gone.
    #[error("{0}")]
    Environment(String),
    /// A data file, or what a pattern matches, is not what the action's key holds.
    #[error("`{}` changed while it was read", .0.display())]
    Changed(PathBuf),
    /// Stored bytes are not what was stored; they are made again.
    #[error("{0}")]
    Damaged(String),
    /// The run was asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// A mistake in farcast itself.
    #[error("{0} (a bug in farcast: please report it)")]
    Bug(String),
}

impl Fault {
    /// The user's fault, nowhere in particular.
    pub fn user(message: impl Into<String>) -> Self {
        Fault::User {
            param: None,
            message: message.into(),
            hint: None,
        }
    }

    /// The user's fault, at the argument of this parameter.
    pub fn at(param: impl Into<String>, message: impl Into<String>) -> Self {
        Fault::User {
            param: Some(param.into()),
            message: message.into(),
            hint: None,
        }
    }

    /// The same at an argument inside that of `field`: `every` is `jump.every` there.
    pub fn inside(self, field: &str) -> Self {
        match self {
            Fault::User {
                param,
                message,
                hint,
            } => Fault::User {
                param: Some(match param {
                    Some(param) => format!("{field}.{param}"),
                    None => field.to_owned(),
                }),
                message,
                hint,
            },
            other => other,
        }
    }

    /// The same with what to do about it; other faults are returned as they are.
    pub fn with_hint(self, text: impl Into<String>) -> Self {
        match self {
            Fault::User { param, message, .. } => Fault::User {
                param,
                message,
                hint: Some(text.into()),
            },
            other => other,
        }
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Fault::Environment(error.to_string())
    }
}

impl From<polars::error::PolarsError> for Fault {
    fn from(error: polars::error::PolarsError) -> Self {
        Fault::Environment(format!("table: {error}"))
    }
}

impl From<Fault> for Complaint {
    fn from(fault: Fault) -> Self {
        let complaint = Self::new(fault.to_string());
        match fault {
            Fault::User { param, hint, .. } => Self {
                param,
                hint,
                ..complaint
            },
            _ => complaint,
        }
    }
}
