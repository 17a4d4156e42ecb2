//! What several plugins check of a call before it runs.

use dsl::facts::About;
use dsl::types::Kind;
use engine::memory;
use engine::params::Column;
use engine::plugin::{Complaint, Facts, Sketch};

/// Refuses an empty list; `what` names one of its members.
pub fn filled(call: &Sketch, field: &str, what: &str) -> Option<Complaint> {
    let values = call.get::<Vec<Column>>(field)?;
    let message = || format!("expected one {what} or more, found none");
    values.is_empty().then(|| Complaint::at(field, message()))
}

/// Refuses a column that a list names twice.
pub fn distinct(call: &Sketch, field: &str) -> Option<Complaint> {
    let values = call.get::<Vec<Column>>(field)?;
    let mut rest = values.iter().enumerate();
    let (_, Column(twice)) = rest.find(|(at, value)| values[..*at].contains(value))?;
    Some(Complaint::at(
        field,
        format!("column `{twice}` is named twice"),
    ))
}

/// Refuses a call in which none or several of some arguments are written.
pub fn exactly_one(call: &Sketch, fields: &[&str]) -> Option<Complaint> {
    let written = fields.iter().filter(|field| call.has(field));
    let names: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
    let expected = format!("expected {}", names.join(" or "));
    match written.collect::<Vec<_>>()[..] {
        [] => Some(Complaint::new(format!("{expected}, found neither"))),
        [_] => None,
        [_, second, ..] => Some(Complaint::at(*second, format!("{expected}, found both"))),
    }
}

/// Refuses a number of rows that an input cannot have; `expected` says what the number is for.
pub fn at_most_rows(call: &Sketch, input: &str, field: &str, expected: &str) -> Option<Complaint> {
    let count = call.get::<u64>(field)?;
    let rows = call.rows(input).filter(|rows| count > *rows)?;
    let message = format!("expected {expected}, found {count} of at most {rows} rows");
    Some(Complaint::at(field, message))
}

/// Refuses what needs more memory than the machine has, and warns of more than half of it.
pub fn too_large(field: &str, bytes: u64) -> Option<Complaint> {
    let has = memory::of_machine()?;
    let gigabytes = |bytes: u64| format!("{:.1} GB", bytes as f64 / 1e9);
    let (needs, has_text) = (gigabytes(bytes), gigabytes(has));
    let message = format!("this needs about {needs} of memory, the machine has {has_text}");
    let complaint = Complaint::at(field, message);
    match bytes {
        _ if bytes > has => Some(complaint),
        _ if bytes > has / 2 => Some(complaint.as_warning()),
        _ => None,
    }
}

/// The same for `count` subsets of `size` rows each.
pub fn too_many_rows(call: &Sketch) -> Option<Complaint> {
    subsets_too_large(call, call.get("count")?)
}

/// The same for this many subsets of `size` rows each.
pub fn subsets_too_large(call: &Sketch, count: u64) -> Option<Complaint> {
    let size = call.get::<u64>("size")?;
    // Numbers of rows, and the JSON text that keeps them.
    let bytes = count.saturating_mul(size).saturating_mul(4 + 7);
    too_large("count", bytes)
}

/// What is known of a result with at most this many rows.
pub fn with_rows(call: &Sketch, rows: Option<u64>) -> Facts {
    Facts {
        rows,
        ..call.inherited()
    }
}

/// What is wrong, of several answers.
pub fn complaints<const N: usize>(found: [Option<Complaint>; N]) -> Vec<Complaint> {
    found.into_iter().flatten().collect()
}

/// Refuses a farcast of one run beside networks of many members.
pub(crate) fn lone_run(inputs: &[About], param: &str) -> Option<Complaint> {
    let members = |input: &&About| input.members.unwrap_or(1);
    let many = inputs.iter().find(|input| members(input) > 1)?;
    let is_lone = |input: &&About| input.kind == Kind::Farcast && members(input) == 1;
    let lone = inputs.iter().find(is_lone)?;
    let message = format!(
        "`{}` has {} members, `{}` is a farcast of one run",
        many.name,
        members(&many),
        lone.name
    );
    let hint = format!("one network is `member({}, 0)`", many.name);
    Some(Complaint::at(param, message).with_hint(hint))
}
