//! The functions of the predictors that a regression sums.

use serde::{Deserialize, Serialize};

/// The functions of the standardised predictors that are summed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Basis {
    /// All monomials of total degree up to this one, with the intercept.
    Polynomial(usize),
}

/// A product of standardised predictors, by index; the empty product is the intercept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term(Vec<usize>);

impl Basis {
    /// The functions of this many predictors: the intercept, then by degree.
    pub fn terms(&self, predictors: usize) -> Vec<Term> {
        let Basis::Polynomial(degree) = self;
        let mut terms = vec![Term(Vec::new())];
        let mut last = terms.clone();
        for _ in 0..*degree {
            last = last
                .iter()
                .flat_map(|term| {
                    // Indices never fall, so that `a * b` does not come again as `b * a`.
                    let first = term.0.last().copied().unwrap_or(0);
                    (first..predictors).map(|next| Term([&term.0[..], &[next]].concat()))
                })
                .collect();
            terms.extend_from_slice(&last);
        }
        terms
    }
}

impl Term {
    /// Its value where the standardised predictors are these.
    pub fn value(&self, standardised: &[f64]) -> f64 {
        self.0.iter().map(|index| standardised[*index]).product()
    }

    /// Whether each of its predictors is among those marked.
    pub fn only_of(&self, marked: &[bool]) -> bool {
        self.0.iter().all(|index| marked[*index])
    }

    /// How it is written: `1`, `depth`, `depth * lat`, `depth^2`.
    pub fn name(&self, predictors: &[String]) -> String {
        if self.0.is_empty() {
            return "1".to_owned();
        }
        let factors: Vec<String> = self
            .0
            .chunk_by(|a, b| a == b)
            .map(|same| match same.len() {
                1 => predictors[same[0]].clone(),
                power => format!("{}^{power}", predictors[same[0]]),
            })
            .collect();
        factors.join(" * ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_monomial_comes_once_by_degree() {
        let names = ["a".to_owned(), "b".to_owned()];
        let written: Vec<String> = Basis::Polynomial(3)
            .terms(2)
            .iter()
            .map(|term| term.name(&names))
            .collect();
        let expected = [
            "1", "a", "b", "a^2", "a * b", "b^2", "a^3", "a^2 * b", "a * b^2", "b^3",
        ];
        assert_eq!(written, expected);
        // C(predictors + degree, degree)
        assert_eq!(Basis::Polynomial(2).terms(5).len(), 21);
        assert_eq!(Basis::Polynomial(1).terms(0).len(), 1);
    }

    #[test]
    fn a_term_is_the_product_of_its_predictors() {
        let terms = Basis::Polynomial(2).terms(2);
        let values: Vec<f64> = terms.iter().map(|term| term.value(&[3.0, -2.0])).collect();
        assert_eq!(values, [1.0, 3.0, -2.0, 9.0, -6.0, 4.0]);
    }
}
