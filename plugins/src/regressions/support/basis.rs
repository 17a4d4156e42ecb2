//! The functions of the predictors that a regression sums.

use serde::{Deserialize, Serialize};

use crate::splines::Curve;

/// The functions of the standardised predictors that are summed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Basis {
    /// All monomials of total degree up to this one, with the intercept.
    Polynomial(usize),
    /// A natural cubic spline of each predictor, summed: the knots of each, rising.
    Spline(Vec<Vec<f64>>),
    /// The hidden layer of a network.
    Units(Vec<Unit>),
}

/// One function of the standardised predictors.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Term {
    /// A product of predictors, by index; the empty product is the intercept.
    Product(Vec<usize>),
    /// One of the curved functions of a natural spline.
    Curve(Curve),
    /// A unit of a hidden layer.
    Unit(Unit),
}

/// `tanh(bias + slopes · predictors)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// The value before the tangent where all predictors are at their mean.
    pub bias: f64,
    /// One per predictor.
    pub slopes: Vec<f64>,
}

impl Basis {
    /// The functions of this many predictors, the intercept first.
    pub fn terms(&self, predictors: usize) -> Vec<Term> {
        match self {
            Basis::Polynomial(degree) => monomials(predictors, *degree),
            Basis::Spline(knots) => {
                let curves = knots.iter().enumerate();
                let curves = curves.flat_map(|(predictor, knots)| Curve::all(predictor, knots));
                let mut terms = monomials(predictors, 1);
                terms.extend(curves.map(Term::Curve));
                terms
            }
            Basis::Units(units) => {
                let mut terms = monomials(predictors, 0);
                terms.extend(units.iter().cloned().map(Term::Unit));
                terms
            }
        }
    }

    /// The degree at which it grows where predictors leave the range of the subsets.
    pub fn degree(&self) -> usize {
        match self {
            Basis::Polynomial(degree) => *degree,
            Basis::Spline(_) => 1,
            Basis::Units(_) => 0,
        }
    }
}

/// All products of up to `degree` predictors: the intercept, then by degree.
fn monomials(predictors: usize, degree: usize) -> Vec<Term> {
    let mut products = vec![Vec::new()];
    let mut last: Vec<Vec<usize>> = products.clone();
    for _ in 0..degree {
        last = last
            .iter()
            .flat_map(|product| {
                // Indices never fall, so that `a * b` does not come again as `b * a`.
                let first = product.last().copied().unwrap_or(0);
                (first..predictors).map(|next| [&product[..], &[next]].concat())
            })
            .collect();
        products.extend_from_slice(&last);
    }
    products.into_iter().map(Term::Product).collect()
}

impl Term {
    /// Its value where the standardised predictors are these.
    pub fn value(&self, standardised: &[f64]) -> f64 {
        match self {
            Term::Product(factors) => factors.iter().map(|index| standardised[*index]).product(),
            Term::Curve(curve) => curve.value(standardised[curve.variable]),
            Term::Unit(unit) => {
                let sums = unit.slopes.iter().zip(standardised).map(|(s, z)| s * z);
                (unit.bias + sums.sum::<f64>()).tanh()
            }
        }
    }

    /// Whether each of its predictors is among those marked.
    pub fn only_of(&self, marked: &[bool]) -> bool {
        match self {
            Term::Product(factors) => factors.iter().all(|index| marked[*index]),
            Term::Curve(curve) => marked[curve.variable],
            Term::Unit(_) => true,
        }
    }

    /// How it is written: `1`, `depth`, `depth * lat`, `depth^2`, `curve(depth, -0.5)`.
    pub fn name(&self, predictors: &[String]) -> String {
        match self {
            Term::Product(factors) if factors.is_empty() => "1".to_owned(),
            Term::Product(factors) => {
                let powers = factors.chunk_by(|a, b| a == b).map(|same| {
                    let name = &predictors[same[0]];
                    match same.len() {
                        1 => name.clone(),
                        power => format!("{name}^{power}"),
                    }
                });
                powers.collect::<Vec<_>>().join(" * ")
            }
            Term::Curve(curve) => {
                format!("curve({}, {:.4})", predictors[curve.variable], curve.first)
            }
            Term::Unit(unit) => {
                let sums = unit.slopes.iter().zip(predictors);
                let sums: String = sums.map(|(s, name)| format!(" + {s:.4} {name}")).collect();
                format!("tanh({:.4}{sums})", unit.bias)
            }
        }
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

    #[test]
    fn a_unit_is_the_tangent_of_a_sum() {
        let unit = Unit {
            bias: 0.5,
            slopes: vec![1.0, -2.0],
        };
        let terms = Basis::Units(vec![unit]).terms(2);
        assert_eq!(terms[0].value(&[9.0, 9.0]), 1.0);
        assert_eq!(terms[1].value(&[0.25, 0.125]), f64::tanh(0.5));
        let names = ["a".to_owned(), "b".to_owned()];
        assert_eq!(terms[1].name(&names), "tanh(0.5000 + 1.0000 a + -2.0000 b)");
    }
}
