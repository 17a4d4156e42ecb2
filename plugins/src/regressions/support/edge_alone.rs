//! What tests compare edges with: each predicted by a fit to the rest alone, in double precision.

use faer::Mat;

use super::design::Design;
use super::held_out::HeldOut;
use super::moments::Moments;

/// Rows of the whole.
pub const ROWS: usize = 60;
/// Terms of the fit.
pub const TERMS: usize = 17;

/// A term in a row; the first is constant.
pub fn term(row: usize, term: usize) -> f64 {
    match term {
        0 => 1.0,
        term => ((row * (term + 2) * 7) as f64).sin() + 0.2 * (row as f64 / 9.0).cos(),
    }
}

/// The weights of each row.
pub fn table(weights: usize) -> Vec<Vec<f32>> {
    let value = |row: usize, weight: usize| ((row * 31 + weight * 17) as f32).sin() + 3.0;
    let row = |row| (0..weights).map(|weight| value(row, weight)).collect();
    (0..ROWS).map(row).collect()
}

/// The rows that are not at an edge, and their design.
fn of_rest(edge: &[usize], below: &Mat<f64>) -> (Vec<usize>, Design) {
    let rest: Vec<usize> = (0..ROWS).filter(|row| !edge.contains(row)).collect();
    let matrix = Mat::from_fn(rest.len(), TERMS, |at, column| term(rest[at], column));
    let (design, kept) = Design::independent(&matrix, below);
    assert_eq!(kept.len(), TERMS);
    (rest, design)
}

/// The squared errors at an edge, and the squared deviations there, by a fit to the rest alone.
pub fn expected(y: &[f64], edge: &[usize], below: &Mat<f64>) -> (f64, f64) {
    let (rest, design) = of_rest(edge, below);
    let known = Mat::from_fn(1, rest.len(), |_, at| y[rest[at]]);
    let found = design.solve(&Moments::of(&known, design.factors()));
    let fitted = |row: usize| {
        (0..TERMS)
            .map(|at| found[(0, at)] * term(row, at))
            .sum::<f64>()
    };
    let mean = rest.iter().map(|row| y[*row]).sum::<f64>() / rest.len() as f64;
    let sum = |of: &dyn Fn(usize) -> f64| edge.iter().map(|row| (y[*row] - of(*row)).powi(2)).sum();
    (sum(&fitted), sum(&|_| mean))
}

/// A design with one more column, which marks the rows of an edge, and these.
pub fn with_a_mark() -> (Design, Vec<usize>) {
    let edge: Vec<usize> = (4..13).collect();
    let entry = |row: usize, column: usize| match column {
        TERMS => f64::from(u8::from(edge.contains(&row))),
        column => term(row, column),
    };
    let columns = TERMS + 1;
    let matrix = Mat::from_fn(ROWS, columns, entry);
    let (design, kept) = Design::independent(&matrix, &Mat::zeros(0, columns));
    assert_eq!(kept.len(), columns);
    (design, edge)
}

/// What predicts its edge: the fit to the rest, where the mark is the same in all rows.
pub fn without_a_mark(whole: &Design, edge: &[usize]) -> HeldOut {
    let (_, design) = of_rest(edge, &Mat::zeros(0, TERMS));
    let columns: Vec<usize> = (0..TERMS).collect();
    let held_out = HeldOut::between(whole, edge, (&design, &columns), false);
    held_out.expect("enough rows")
}
