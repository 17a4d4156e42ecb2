//! One canonical layout for every file, comments kept.

use crate::diagnostic::Diagnostic;

/// The text in canonical form.
///
/// # Errors
/// The syntax errors, when it has any: such a file is left as it is.
pub fn format(text: &str) -> Result<String, Vec<Diagnostic>> {
    let _ = text;
    Err(Vec::new())
}
