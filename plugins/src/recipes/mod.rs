//! Recipes: how a member is trained from its start to its end, so that it can be done again to
//! the same bytes, with the jumps in between.

mod jump;
mod options;
mod recipe;
mod run;
mod so_far;
mod starting_point;

pub use jump::{Counts, Guard, Jump, Jumps, Method, Nowcast, OptimizerMemory};
pub use options::{TrainOptions, rows_left};
pub use recipe::{Length, Recipe, Trained, Training, Watch, trainer_words};
pub use starting_point::{FIRST, Freedom, StartingPoint};

use engine::plugin::Registry;

/// Adds the jumps to the registry.
pub fn register(registry: &mut Registry) {
    registry.constructors(Jump::CONSTRUCTORS);
}
