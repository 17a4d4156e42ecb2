//! What the data plugins share.

pub(crate) mod cells;
pub(crate) mod cf;
pub(crate) mod counted;
pub(crate) mod csv;
pub(crate) mod damage;
pub(crate) mod dates;
pub(crate) mod distinct;
pub(crate) mod formulas;
pub(crate) mod grid;
pub(crate) mod gridded;
pub(crate) mod groups;
pub(crate) mod in_order;
pub(crate) mod keys;
pub(crate) mod matching;
pub(crate) mod meeting;
pub(crate) mod pages;
pub(crate) mod pixels;
pub(crate) mod row_choice;
pub(crate) mod several;
pub(crate) mod source;
pub(crate) mod stacking;
pub(crate) mod tallies;
#[cfg(test)]
pub(crate) mod testing;
