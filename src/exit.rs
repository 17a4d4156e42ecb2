//! How a command ends: its exit code, and the early end of one that has said why.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Fine,
    /// The experiment failed or has errors.
    Failed,
    /// Wrong usage.
    Usage,
    /// A bug.
    Bug,
    /// This signal ended it before its time.
    Signal(u8),
}

/// A command that cannot go on; the messages are already printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    /// The experiment, its data or the machine is at fault: exit code 1.
    Failed,
    /// The command line is wrong: exit code 2.
    Usage,
}

impl From<Abort> for Exit {
    fn from(abort: Abort) -> Self {
        match abort {
            Abort::Failed => Exit::Failed,
            Abort::Usage => Exit::Usage,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Fine => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Bug => 101,
            Exit::Signal(signal) => 128 + signal,
        })
    }
}
