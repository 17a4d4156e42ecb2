//! Linear assignment: which column is for which row, so that the sum is largest.

/// For each row of a square matrix, row after row, the column that it is assigned; the sum of
/// the values there is the largest that any assignment has.
///
/// Shortest augmenting paths (Jonker and Volgenant 1987) without their initial reductions; time
/// grows with the cube of the size.
pub(crate) fn assign(values: &[f64], size: usize) -> Vec<usize> {
    // Columns are counted from 1, 0 is where a path begins.
    let (mut row_price, mut column_price) = (vec![0.0; size], vec![0.0; size + 1]);
    let mut row_of = vec![usize::MAX; size + 1];
    let mut came_from = vec![0; size + 1];
    for row in 0..size {
        row_of[0] = row;
        let mut least = vec![f64::INFINITY; size + 1];
        let mut done = vec![false; size + 1];
        let mut at = 0;
        loop {
            done[at] = true;
            let here = row_of[at];
            let (mut step, mut next) = (f64::INFINITY, 0);
            for column in 1..=size {
                if done[column] {
                    continue;
                }
                let cost = -values[here * size + column - 1];
                let reduced = cost - row_price[here] - column_price[column];
                if reduced < least[column] {
                    least[column] = reduced;
                    came_from[column] = at;
                }
                if least[column] < step || next == 0 {
                    (step, next) = (least[column], column);
                }
            }
            for column in 0..=size {
                if done[column] {
                    row_price[row_of[column]] += step;
                    column_price[column] -= step;
                } else {
                    least[column] -= step;
                }
            }
            at = next;
            if row_of[at] == usize::MAX {
                break;
            }
        }
        while at != 0 {
            let before = came_from[at];
            row_of[at] = row_of[before];
            at = before;
        }
    }
    let mut assigned = vec![0; size];
    for column in 1..=size {
        assigned[row_of[column]] = column - 1;
    }
    assigned
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest sum, tried over all orders.
    fn best(values: &[f64], size: usize, row: usize, used: usize) -> f64 {
        if row == size {
            return 0.0;
        }
        let free = (0..size).filter(|column| used >> column & 1 == 0);
        free.map(|column| {
            values[row * size + column] + best(values, size, row + 1, used | 1 << column)
        })
        .fold(f64::NEG_INFINITY, f64::max)
    }

    #[test]
    fn no_other_assignment_has_a_larger_sum() {
        for size in 1..=7 {
            for salt in 0..20 {
                let values: Vec<f64> = (0..size * size)
                    .map(|at| ((at * 37 + salt * 101) as f64 * 0.618).sin() * 10.0)
                    .collect();
                let assigned = assign(&values, size);
                let mut columns = assigned.clone();
                columns.sort_unstable();
                assert_eq!(columns, (0..size).collect::<Vec<_>>());
                let sum: f64 = assigned
                    .iter()
                    .enumerate()
                    .map(|(row, column)| values[row * size + column])
                    .sum();
                assert!(
                    (sum - best(&values, size, 0, 0)).abs() < 1e-9,
                    "{size} {salt}"
                );
            }
        }
        assert_eq!(assign(&[], 0), [0; 0]);
    }

    #[test]
    fn what_is_no_number_still_ends() {
        let assigned = assign(&[f64::NAN; 9], 3);
        assert_eq!(assigned.len(), 3);
    }
}
