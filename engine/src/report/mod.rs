//! From scores and pages to one self-contained `report.html`.

mod axis;
mod cells;
mod comparison;
mod csv;
mod dates;
pub mod figure;
mod frame;
mod highlight;
mod live;
mod page;
mod runs;
mod scores;
mod script;
mod sweep;

pub use comparison::render_comparison;
pub use live::{LiveAction, LivePage, render_live};
pub use page::{ReportInput, render};
pub use runs::{RunRow, render_runs};
