//! How much an experiment makes of its text: a bound for memory and time.
//!
//! What is written is bounded by the parser, but definitions repeat their arguments, params
//! their values and sweeps whole statements.

use crate::ast::{Expr, ExprKind};
use crate::experiment::Value;
use crate::source::Span;

/// How many values one call of a definition may expand to.
pub const MAX_EXPANSION: usize = 100_000;
/// How many values there may be in all statements at all points.
pub const MAX_VALUES: usize = 16_000_000;
/// How long a name or a text is that counts as one more value.
const TEXT_OF_A_VALUE: usize = 64;
/// What a diagnostic counts.
const DIAGNOSTIC: usize = 50;

/// What was made so far.
#[derive(Default)]
pub struct Extent {
    values: usize,
    expansion: Expansion,
}

/// The call of a definition that is being expanded, with all calls inside it.
#[derive(Clone, Copy, Default)]
pub struct Expansion {
    depth: usize,
    values: usize,
    /// Where it is.
    pub call: Span,
    /// What is called.
    pub define: usize,
}

/// What became too large.
pub enum TooLarge {
    /// The experiment.
    Experiment,
    /// The call of a definition.
    Expansion(Expansion),
    /// What was too large already.
    Still,
}

impl Extent {
    /// Counts values about to be made.
    pub fn count(&mut self, values: usize) -> Result<(), TooLarge> {
        let was_full = self.values > MAX_VALUES;
        self.values = self.values.saturating_add(values);
        if self.values > MAX_VALUES {
            return Err(match was_full {
                true => TooLarge::Still,
                false => TooLarge::Experiment,
            });
        }
        let expansion = &mut self.expansion;
        if expansion.depth == 0 {
            return Ok(());
        }
        let was_full = expansion.values > MAX_EXPANSION;
        expansion.values = expansion.values.saturating_add(values);
        match expansion.values > MAX_EXPANSION {
            true if was_full => Err(TooLarge::Still),
            true => Err(TooLarge::Expansion(*expansion)),
            false => Ok(()),
        }
    }

    /// How many values were counted.
    pub fn values(&self) -> usize {
        self.values
    }

    /// Counts a diagnostic that is kept.
    pub fn note_diagnostic(&mut self) {
        self.values = self.values.saturating_add(DIAGNOSTIC);
    }

    /// Makes nothing more of the call that is being expanded.
    pub fn give_up(&mut self) {
        self.expansion.values = MAX_EXPANSION + 1;
    }

    /// Begins a call of a definition, inside the one at hand if there is one.
    pub fn open(&mut self, define: usize, call: Span) {
        if self.expansion.depth == 0 {
            self.expansion = Expansion {
                call,
                define,
                ..Expansion::default()
            };
        }
        self.expansion.depth += 1;
    }

    /// Ends the call begun last.
    pub fn close(&mut self) {
        self.expansion.depth -= 1;
    }

    /// Sets the call at hand aside, for what is kept and used again.
    pub fn pause(&mut self) -> Expansion {
        std::mem::take(&mut self.expansion)
    }

    /// Takes up a call that was set aside.
    pub fn resume(&mut self, expansion: Expansion) {
        self.expansion = expansion;
    }
}

/// How many values an expression makes, those in it aside.
pub fn own_size(expr: &Expr) -> usize {
    let text = match &expr.kind {
        ExprKind::Text(text) => text.len(),
        ExprKind::Name(path) => path.last().map_or(0, |name| name.text.len()),
        _ => 0,
    };
    1 + text / TEXT_OF_A_VALUE
}

/// How many values a value holds, itself included.
pub fn size(value: &Value) -> usize {
    match value {
        Value::List(values) => 1 + values.iter().map(size).sum::<usize>(),
        Value::Constructed(made) => {
            let args = made.args.values();
            1 + args.map(|argument| size(&argument.value)).sum::<usize>()
        }
        Value::Text(text) | Value::Path(text) => 1 + text.len() / TEXT_OF_A_VALUE,
        _ => 1,
    }
}
