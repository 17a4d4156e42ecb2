//! The plugins farcast ships, registered in one list per kind.

pub mod anomalies;
mod calls;
pub mod children;
mod complete;
pub mod data;
pub mod farcasts;
#[cfg(test)]
mod golden;
mod moments;
pub mod networks;
mod outputs;
pub mod parents;
mod patterns;
pub mod predictors;
pub mod recipes;
pub mod reference;
pub mod regressions;
pub mod reports;
mod row_weights;
mod saved;
pub mod scores;
mod sphere;
pub mod splines;
pub mod subsets;
#[cfg(test)]
mod testing;
pub mod training;
pub mod trajectories;
mod triangle;
pub mod weights;

use engine::plugin::Registry;

/// Every plugin farcast ships.
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    data::register(&mut registry);
    parents::register(&mut registry);
    subsets::register(&mut registry);
    anomalies::register(&mut registry);
    trajectories::register(&mut registry);
    weights::register(&mut registry);
    predictors::register(&mut registry);
    regressions::register(&mut registry);
    farcasts::register(&mut registry);
    children::register(&mut registry);
    scores::register(&mut registry);
    reports::register(&mut registry);
    registry
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_declaration_is_valid() {
        assert_eq!(super::registry().validate(), Ok(()));
    }
}
