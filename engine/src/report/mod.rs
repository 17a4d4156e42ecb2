//! From scores and pages to one self-contained `report.html`.

mod axis;
mod comparison;
pub mod figure;
mod highlight;
mod page;
mod scores;
mod sweep;

pub use comparison::render_comparison;
pub use page::{ReportInput, render};
