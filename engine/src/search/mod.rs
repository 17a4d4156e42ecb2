//! Where sweeps look next: points of a space, from nothing or from the scores of earlier points.
//!
//! Pure and replayable: a search says from the start which points it proposes, asking for the
//! scores of each batch before the next, and ends where a score is not known yet. Equal scores
//! therefore give equal points, in one process or in many.

mod halving;
mod sampling;
pub(crate) mod stream;
mod tpe;

use dsl::sweep::search::{Finding, Method, Proposal, Search};
use dsl::sweep::space::Setting;

use stream::Stream;

/// The points of a search; `score` returns what is known of one.
pub fn propose(search: &Search, score: &mut dyn FnMut(&[Setting]) -> Finding) -> Proposal {
    let Search {
        method,
        space,
        count,
        seed,
    } = search;
    match method {
        Method::Random => sampling::random(space, *count, &mut Stream::new(*seed)).into(),
        Method::Latin => sampling::latin(space, *count, &mut Stream::new(*seed)).into(),
        Method::Tpe => tpe::tpe(space, *count, *seed, score),
        Method::Halving(budgets) => halving::halving(space, *count, budgets, *seed, score),
    }
}

#[cfg(test)]
mod tests {
    use dsl::sweep::space::{Axis, Scale, Space, Values};

    use super::*;

    /// Stored results are found again only while these stay.
    #[test]
    fn a_seed_gives_the_same_points_for_ever() {
        let points = |method, count, seed, axes: &[Values]| -> Vec<String> {
            let axes = axes.iter().cloned();
            let axes = axes.map(|values| Axis { values, when: None });
            let search = Search {
                method,
                space: Space {
                    axes: axes.collect(),
                },
                count,
                seed,
            };
            let proposal = propose(&search, &mut |_| Finding::Unknown);
            let texts = proposal.points.into_iter().map(|point| {
                let settings = point.into_iter().flatten();
                settings.map(|value| value.to_string()).collect::<Vec<_>>()
            });
            texts.map(|point| point.join(" ")).collect()
        };
        let both = [
            Values::Real(1e-4, 1e-1, Scale::Log),
            Values::Whole(4, 64, Scale::Log),
        ];
        let random = points(Method::Random, 2, 7, &both);
        assert_eq!(random, ["0.001477 4", "0.05038 19"]);
        let rate = [Values::Real(0.0, 1.0, Scale::Linear)];
        let latin = points(Method::Latin, 3, 0, &rate);
        assert_eq!(latin, ["0.3421", "0.3236", "0.7021"]);
    }
}
