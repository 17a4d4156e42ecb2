//! Squared errors at edges that a fit is made without, summed over weights, from the products of rows with each other: where
//! rows are few for their terms, these are less than the sums over each edge of each weight.
//!
//! `C = Σ y yᵀ` is `[rows, rows]`, over weights. Where no penalty changes with the rows, the fit without an edge leaves
//! `yₑ - Qₑ P (Qᵀ y - Qₑᵀ yₑ)` there, `P = S⁻¹` with `S = 1 - Qₑᵀ Qₑ` (see `held_out.rs`, also for fewer terms). With
//! `M = P Qₑᵀ Qₑ P` their squares sum to `⟨A, Cₑₑ⟩ + 2 ⟨B, (C Q)ₑ⟩ + ⟨M, Qᵀ C Q⟩`, `A = 1 + Qₑ (2 P + M) Qₑᵀ` and
//! `B = -Qₑ (P + M)`. Deviations from the mean of the rest are the same of the fit of a mean.
//!
//! Roofline: half as many multiply-adds for each number as there are rows: 256 with 512 rows and 64 predictors, 0.045 s for
//! 20 000 weights at 58 thousand million a second (faer takes 0.09), where sums over edges take 2700. The matrices `A` take
//! some hundred million in double precision, once. In single precision products of a thousand weights are summed before
//! doubles add up: a sum is off by 6e-5 of `Σ |y y'|` at most, and by about 1e-7 of it as roundings cancel.

use faer::linalg::matmul::triangular::{BlockStructure, matmul};
use faer::traits::ComplexField;
use faer::{Accum, Mat, MatRef, Par};

use super::classes::parts;
use super::held_out::HeldOut;
use super::packed::PACKED;
use super::sums::Precision;

/// The most rows: of more, their products are larger than caches.
const ROWS: usize = 2048;

/// How many weights are multiplied at a time: then doubles add up.
const PANEL: usize = 1024;

/// Products of rows with each other, and the edges that are predicted from them.
pub(crate) struct RowProducts {
    errors: EdgeProducts,
    deviations: EdgeProducts,
    /// Over the weights since some were taken, the lower triangle.
    here: Mat<f64>,
    /// Over those before.
    all: Mat<f64>,
}

impl RowProducts {
    /// Of the factors `[rows, terms]` of the fit to all rows, and edges; none where sums over these take less for this many
    /// weights, or where a penalty may change with the rows.
    pub fn of(
        factors: &Mat<f64>,
        edges: &[(&[usize], Option<&HeldOut>)],
        weights: usize,
    ) -> Option<Self> {
        let rows = factors.nrows();
        let inverses: Option<Vec<_>> = edges
            .iter()
            .map(|(_, edge)| edge.as_ref()?.inverse())
            .collect();
        let inverses = inverses?;
        if rows > ROWS || !is_less(factors, edges, weights) {
            return None;
        }
        let edge = |(rows, of): (&[usize], Mat<f64>)| ProductEdge {
            rows: rows.to_vec(),
            of,
        };
        let sets = || edges.iter().map(|(rows, _)| *rows);
        let errors = sets()
            .zip(inverses)
            .map(|(rows, inverse)| (rows, inverse.clone()));
        let mean = factors.get(.., ..1).to_owned();
        let of_mean = |edge: &[usize]| {
            let rest = (rows - edge.len()) as f64;
            Mat::full(1, 1, rows as f64 / rest)
        };
        let deviations = sets().map(|edge| (edge, of_mean(edge)));
        Some(Self {
            errors: EdgeProducts::new(factors.clone(), errors.map(edge).collect()),
            deviations: EdgeProducts::new(mean, deviations.map(edge).collect()),
            here: Mat::zeros(rows, rows),
            all: Mat::zeros(rows, rows),
        })
    }

    /// Adds the weights that each row has, less a `shift`.
    pub fn add(&mut self, rows: &[&[f32]], shift: &[f32], precision: Precision) {
        match precision {
            Precision::Single => add_products(&mut self.here, rows, shift, |y, shift| y - shift),
            Precision::Double => add_products(&mut self.here, rows, shift, |y, shift| {
                f64::from(y) - f64::from(shift)
            }),
        }
    }

    /// The squared errors and the squared deviations of the weights since some were taken, summed over all edges.
    pub fn take(&mut self) -> (f64, f64) {
        let rows = self.here.nrows();
        for column in 0..rows {
            for row in 0..column {
                self.here[(row, column)] = self.here[(column, row)];
            }
        }
        let found = [&self.errors, &self.deviations].map(|edges| dot(&edges.all, &self.here));
        self.all += &self.here;
        self.here.fill(0.0);
        (found[0].max(0.0), found[1].max(0.0))
    }

    /// Those of all weights that were taken, at each edge.
    pub fn of_edges(&self) -> impl Iterator<Item = (f64, f64)> {
        let of = |edges: &EdgeProducts| edges.each(&self.all);
        of(&self.errors).into_iter().zip(of(&self.deviations))
    }
}

/// Whether products of rows take less than sums over edges.
fn is_less(factors: &Mat<f64>, edges: &[(&[usize], Option<&HeldOut>)], weights: usize) -> bool {
    let (rows, terms) = (factors.nrows(), factors.ncols());
    let of_edge = |(edge, _): &(&[usize], _)| edge.len() * edge.len() * terms;
    // In double precision, twice, and not as fast.
    let once = 8 * (edges.iter().map(of_edge).sum::<usize>() + 4 * rows * rows * terms);
    let products = weights * rows * rows / 2 + once;
    let at_most: usize = edges.iter().map(|(edge, _)| edge.len()).sum();
    let by_sums = |rows| weights * (rows * (terms + 1) + edges.len() * terms * terms);
    let sets = || {
        edges
            .iter()
            .map(|(edge, _)| edge.to_vec())
            .collect::<Vec<_>>()
    };
    products < by_sums(at_most) && products < by_sums(parts(rows, &sets(), PACKED).1)
}

/// Adds the products of rows, less a shift, with each other to a lower triangle.
fn add_products<T: ComplexField + Copy + Into<f64>>(
    into: &mut Mat<f64>,
    rows: &[&[f32]],
    shift: &[f32],
    less: impl Fn(f32, f32) -> T,
) {
    let height = rows.len();
    let mut products = Mat::<T>::zeros(height, height);
    let mut values: Vec<T> = Vec::with_capacity(height * shift.len().min(PANEL));
    for start in (0..shift.len()).step_by(PANEL) {
        let range = start..shift.len().min(start + PANEL);
        values.clear();
        for row in rows {
            let pairs = row[range.clone()].iter().zip(&shift[range.clone()]);
            values.extend(pairs.map(|(y, shift)| less(*y, *shift)));
        }
        let values = MatRef::from_row_major_slice(&values, height, range.len());
        matmul(
            &mut products,
            BlockStructure::TriangularLower,
            Accum::Replace,
            values,
            BlockStructure::Rectangular,
            values.transpose(),
            BlockStructure::Rectangular,
            T::one_impl(),
            Par::Seq,
        );
        for column in 0..height {
            let from = products.col_as_slice(column)[column..].iter();
            for (into, product) in into.col_as_slice_mut(column)[column..].iter_mut().zip(from) {
                *into += (*product).into();
            }
        }
    }
}

/// What products of rows are multiplied with.
struct EdgeProducts {
    /// Orthonormal columns.
    q: Mat<f64>,
    edges: Vec<ProductEdge>,
    /// For all edges together: `ΣA + T Qᵀ + Q Tᵀ`, where `T` is `ΣB + Q ΣM / 2`.
    all: Mat<f64>,
}

struct ProductEdge {
    rows: Vec<usize>,
    /// `P`.
    of: Mat<f64>,
}

/// What the products of rows are multiplied with at an edge.
struct EdgeFactors {
    /// `A`.
    edge: Mat<f64>,
    /// `B`.
    across: Mat<f64>,
    /// `M`.
    whole: Mat<f64>,
}

impl EdgeProducts {
    fn new(q: Mat<f64>, edges: Vec<ProductEdge>) -> Self {
        let mut all = Mat::<f64>::zeros(q.nrows(), q.nrows());
        let mut across = Mat::<f64>::zeros(q.nrows(), q.ncols());
        let mut whole = Mat::<f64>::zeros(q.ncols(), q.ncols());
        for edge in &edges {
            let own = edge.factors(&q);
            for (at, row) in edge.rows.iter().enumerate() {
                let into = all.col_as_slice_mut(*row);
                for (row, value) in edge.rows.iter().zip(own.edge.col_as_slice(at)) {
                    into[*row] += value;
                }
                for (into, value) in across
                    .row_mut(*row)
                    .iter_mut()
                    .zip(own.across.row(at).iter())
                {
                    *into += value;
                }
            }
            whole += own.whole;
        }
        let across = (across + 0.5 * (&q * whole)) * q.transpose();
        let all = all + &across + across.transpose();
        Self { q, edges, all }
    }

    /// Of each edge.
    fn each(&self, products: &Mat<f64>) -> Vec<f64> {
        let turned = products * &self.q;
        let whole = self.q.transpose() * &turned;
        let of_edge = |edge: &ProductEdge| {
            let own = edge.factors(&self.q);
            let rows = &edge.rows;
            let squares = Mat::from_fn(rows.len(), rows.len(), |a, b| products[(rows[a], rows[b])]);
            let across = Mat::from_fn(rows.len(), whole.ncols(), |a, b| turned[(rows[a], b)]);
            let sum = dot(&own.edge, &squares) + 2.0 * dot(&own.across, &across);
            (sum + dot(&own.whole, &whole)).max(0.0)
        };
        self.edges.iter().map(of_edge).collect()
    }
}

impl ProductEdge {
    fn factors(&self, q: &Mat<f64>) -> EdgeFactors {
        let here = Mat::from_fn(self.rows.len(), q.ncols(), |row, term| {
            q[(self.rows[row], term)]
        });
        let known = &here * &self.of;
        let whole = known.transpose() * &known;
        let mut edge = &here * (2.0 * &self.of + &whole) * here.transpose();
        for at in 0..self.rows.len() {
            edge[(at, at)] += 1.0;
        }
        EdgeFactors {
            edge,
            across: -1.0 * (&known + &here * &whole),
            whole,
        }
    }
}

/// The sum of the products of their numbers.
fn dot(a: &Mat<f64>, b: &Mat<f64>) -> f64 {
    let column = |at| a.col_as_slice(at).iter().zip(b.col_as_slice(at));
    let products = (0..a.ncols()).flat_map(column).map(|(a, b)| a * b);
    products.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regressions::support::design::Design;
    use crate::regressions::support::edge_alone::{
        self, ROWS, TERMS, table, term, with_a_mark, without_a_mark,
    };

    fn design(rows: &[usize]) -> Design {
        let matrix = Mat::from_fn(rows.len(), TERMS, |at, column| term(rows[at], column));
        let (design, kept) = Design::independent(&matrix, &Mat::zeros(0, TERMS));
        assert_eq!(kept.len(), TERMS);
        design
    }

    /// The squared errors at an edge, and the squared deviations there, summed over weights, by a fit to the rest alone.
    fn expected(rows: &[&[f32]], edge: &[usize]) -> (f64, f64) {
        let of_weight = |weight: usize| {
            let y: Vec<f64> = rows.iter().map(|row| f64::from(row[weight])).collect();
            edge_alone::expected(&y, edge, &Mat::zeros(0, TERMS))
        };
        let add = |sums: (f64, f64), own: (f64, f64)| (sums.0 + own.0, sums.1 + own.1);
        (0..rows[0].len()).map(of_weight).fold((0.0, 0.0), add)
    }

    #[test]
    fn edges_are_predicted_as_by_fits_to_the_rest() {
        let all: Vec<usize> = (0..ROWS).collect();
        // Of fewer rows than there are terms, and of more.
        let some = |at: usize| all.iter().copied().filter(move |row| row % 13 == at);
        let mut edges: Vec<Vec<usize>> = (0..10).map(|at| some(at).collect()).collect();
        edges.extend((0..3).map(|at| (20 * at..20 * at + 20).collect::<Vec<_>>()));
        let whole = design(&all);
        let held_out = |edge: &Vec<usize>| HeldOut::down_dated(&whole, edge, None);
        let fits: Vec<_> = edges.iter().map(held_out).collect();
        let trials = edges.iter().zip(&fits);
        let trials: Vec<_> = trials
            .map(|(edge, fit)| (&edge[..], fit.as_ref()))
            .collect();
        let of = |weights| RowProducts::of(whole.factors(), &trials, weights);
        assert!(of(1).is_none());
        // Two tensors, the larger of several panels.
        let widths = [PANEL + 40, 7];
        let table = table(PANEL + 47);
        for (precision, tolerance) in [(Precision::Double, 1e-10), (Precision::Single, 2e-5)] {
            let mut products = of(1_000_000).expect("less than sums");
            let close = |found: (f64, f64), expected: (f64, f64)| {
                let off = (found.0 / expected.0 - 1.0).abs();
                let off = off.max((found.1 / expected.1 - 1.0).abs());
                assert!(off < tolerance, "{precision:?}: {off}");
            };
            let mut of_edges = vec![(0.0, 0.0); edges.len()];
            for (start, width) in [(0, widths[0]), (widths[0], widths[1])] {
                let rows = table.iter().map(|row| &row[start..start + width]);
                let rows: Vec<&[f32]> = rows.collect();
                products.add(&rows, rows[3], precision);
                let mut of_tensor = (0.0, 0.0);
                for (edge, of_edge) in edges.iter().zip(&mut of_edges) {
                    let (errors, deviations) = expected(&rows, edge);
                    for sums in [&mut of_tensor, of_edge] {
                        sums.0 += errors;
                        sums.1 += deviations;
                    }
                }
                close(products.take(), of_tensor);
            }
            for (found, expected) in products.of_edges().zip(of_edges) {
                close(found, expected);
            }
        }
    }

    #[test]
    fn an_edge_may_leave_fewer_terms() {
        let (whole, edge) = with_a_mark();
        let fit = without_a_mark(&whole, &edge);
        // Many, so that their products are less than their sums.
        let trials = vec![(&edge[..], Some(&fit)); 40];
        let products = RowProducts::of(whole.factors(), &trials, 1_000_000);
        let mut products = products.expect("less than sums");
        let table = table(9);
        let rows: Vec<&[f32]> = table.iter().map(Vec::as_slice).collect();
        products.add(&rows, rows[3], Precision::Double);
        let (errors, deviations) = expected(&rows, &edge);
        let (all_errors, all_deviations) = products.take();
        assert!((all_errors / (40.0 * errors) - 1.0).abs() < 1e-11);
        assert!((all_deviations / (40.0 * deviations) - 1.0).abs() < 1e-11);
        for found in products.of_edges() {
            assert!((found.0 / errors - 1.0).abs() < 1e-11);
            assert!((found.1 / deviations - 1.0).abs() < 1e-11);
        }
    }

    #[test]
    fn edges_with_a_penalty_are_left_to_sums() {
        let all: Vec<usize> = (0..ROWS).collect();
        let whole = design(&all);
        let none = Mat::zeros(TERMS, TERMS);
        let edge: Vec<usize> = (0..ROWS / 5).collect();
        let fit = HeldOut::down_dated(&whole, &edge, Some(&none));
        assert!(fit.is_some());
        let trials = vec![(&edge[..], fit.as_ref()); 20];
        assert!(RowProducts::of(whole.factors(), &trials, 1_000_000).is_none());
    }
}
