//! The runs of a store as a page: a line each, sortable, with a link to the report.

use askama::Template;

use super::script;
use crate::error::Fault;

/// A line of the index.
#[derive(Debug, Default)]
pub struct RunRow {
    /// The name of the run.
    pub name: String,
    /// The address of its report, if that is still its own.
    pub report: Option<String>,
    /// When it ended.
    pub when: String,
    /// The title of the experiment.
    pub title: String,
    /// Its file.
    pub file: String,
    /// The params that were set.
    pub set: String,
    /// How it ended: `ok`, `failed`, `running` and so on.
    pub ended: String,
    /// How long it took.
    pub seconds: String,
    /// Its headlines.
    pub scores: String,
    /// The class of how it ended.
    pub mark: &'static str,
}

#[derive(Template)]
#[template(path = "runs.html")]
struct RunsPage<'a> {
    store: &'a str,
    left_out: usize,
    rows: &'a [RunRow],
    policy: &'static str,
    script: &'static str,
}

/// The index of these runs of a store, the first line first; `left_out` older ones are not in it.
///
/// # Errors
/// When the template fails, which is a bug.
pub fn render_runs(store: &str, rows: &[RunRow], left_out: usize) -> Result<String, Fault> {
    let page = RunsPage {
        store,
        left_out,
        rows,
        policy: script::POLICY,
        script: script::SORT_TABLES,
    };
    page.render().map_err(|error| Fault::Bug(error.to_string()))
}
