//! Standardised inputs and targets, row after row: all training data, or one batch of them.

/// Rows of standardised inputs and targets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// Standardised inputs, `[rows, inputs]`.
    pub inputs: Vec<f32>,
    /// Standardised targets or class indices, `[rows, targets]`.
    pub targets: Vec<f32>,
    /// How much each row counts, 1 on average over all training data; empty where all count the
    /// same.
    pub weights: Vec<f32>,
    /// How many rows.
    pub rows: usize,
}

impl Samples {
    /// Takes all rows out, to be filled again without allocation.
    pub fn clear(&mut self) {
        self.inputs.clear();
        self.targets.clear();
        self.weights.clear();
        self.rows = 0;
    }

    /// Adds the rows of other samples with these indices, in this order.
    pub fn extend(&mut self, from: &Samples, rows: &[u32]) {
        let width = |values: &[f32]| values.len() / from.rows.max(1);
        add_rows(&mut self.inputs, &from.inputs, width(&from.inputs), rows);
        add_rows(&mut self.targets, &from.targets, width(&from.targets), rows);
        if !from.weights.is_empty() {
            add_rows(&mut self.weights, &from.weights, 1, rows);
        }
        self.rows += rows.len();
    }

    /// The same rows, each counting in proportion to its weight, and 1 on average.
    pub fn weighted(mut self, weights: Option<&[f64]>) -> Self {
        if let Some(weights) = weights {
            let mean = weights.iter().sum::<f64>() / weights.len() as f64;
            let shares = weights.iter().map(|weight| (weight / mean) as f32);
            self.weights = shares.collect();
        }
        self
    }

    /// The rows with these indices, in this order.
    pub fn take(&self, rows: &[u32]) -> Self {
        let mut taken = Self::default();
        taken.extend(self, rows);
        taken
    }
}

/// Adds rows of `width` numbers; short ones number by number, as to call `memcpy` would take
/// longer.
fn add_rows(to: &mut Vec<f32>, from: &[f32], width: usize, rows: &[u32]) {
    match width {
        1 => add_short_rows::<1>(to, from, rows),
        2 => add_short_rows::<2>(to, from, rows),
        3 => add_short_rows::<3>(to, from, rows),
        _ => {
            for row in rows {
                to.extend_from_slice(&from[*row as usize * width..][..width]);
            }
        }
    }
}

fn add_short_rows<const WIDTH: usize>(to: &mut Vec<f32>, from: &[f32], rows: &[u32]) {
    let (from, start) = (from.as_chunks::<WIDTH>().0, to.len());
    to.resize(start + WIDTH * rows.len(), 0.0);
    let to = to[start..].as_chunks_mut::<WIDTH>().0;
    for (to, row) in to.iter_mut().zip(rows) {
        *to = from[*row as usize];
    }
}
