//! Places for boxes in layers, after Sugiyama, Tagawa and Toda (1981).
//!
//! Longest-path layers, barycentre ordering, then for each layer the places nearest to where
//! the neighbours are that keep boxes apart. The crate `layout-rs` does the same job; its
//! pictures are hard to read and it is barely kept, and this is short.

/// The space between boxes of a layer.
const GAP: f64 = 22.0;
/// Rounds of ordering and of placing; more changes nothing visible.
const ROUNDS: usize = 12;

/// Where everything goes; lengths in pixels sideways, whole layers downwards.
pub struct Placement {
    /// For each box the middle and the layer.
    pub boxes: Vec<(f64, usize)>,
    /// For each arrow the middle at each layer it touches, source and target included.
    pub arrows: Vec<Vec<(f64, usize)>>,
    /// The whole width.
    pub width: f64,
    /// How many layers.
    pub layers: usize,
}

/// Lays out boxes of these widths and arrows that lead from lower to higher box numbers.
pub fn layered(widths: &[f64], arrows: &[(usize, usize)]) -> Placement {
    let layers = layers(widths.len(), arrows);
    let mut grid = Grid::new(widths, &layers, arrows);
    for round in 0..ROUNDS {
        grid.order(Direction::of(round));
    }
    for round in 0..ROUNDS {
        grid.place(Direction::of(round));
    }
    grid.finish(widths.len())
}

/// Each box below everything it needs; those that need nothing just above their first use.
fn layers(boxes: usize, arrows: &[(usize, usize)]) -> Vec<usize> {
    let mut sorted = arrows.to_vec();
    sorted.sort_unstable();
    let mut layers = vec![0_usize; boxes];
    let mut rooted = vec![true; boxes];
    for &(from, to) in &sorted {
        layers[to] = layers[to].max(layers[from] + 1);
        rooted[to] = false;
    }
    for root in (0..boxes).filter(|root| rooted[*root]) {
        let uses = sorted.iter().filter(|(from, _)| *from == root);
        if let Some(first) = uses.map(|(_, to)| layers[*to]).min() {
            layers[root] = first.saturating_sub(1);
        }
    }
    layers
}

#[derive(Clone, Copy)]
enum Direction {
    Down,
    Up,
}

impl Direction {
    fn of(round: usize) -> Self {
        if round.is_multiple_of(2) {
            Direction::Down
        } else {
            Direction::Up
        }
    }
}

/// Boxes, and bends where an arrow passes a layer, with their neighbours in the next layers.
struct Grid {
    widths: Vec<f64>,
    middles: Vec<f64>,
    layer: Vec<usize>,
    above: Vec<Vec<usize>>,
    below: Vec<Vec<usize>>,
    rows: Vec<Vec<usize>>,
    chains: Vec<Vec<usize>>,
}

impl Grid {
    fn new(widths: &[f64], layers: &[usize], arrows: &[(usize, usize)]) -> Self {
        let mut grid = Self {
            widths: Vec::new(),
            middles: Vec::new(),
            layer: Vec::new(),
            above: Vec::new(),
            below: Vec::new(),
            rows: vec![Vec::new(); layers.iter().max().map_or(0, |last| last + 1)],
            chains: Vec::new(),
        };
        for (width, layer) in widths.iter().zip(layers) {
            grid.add(*width, *layer);
        }
        for &(from, to) in arrows {
            let bends: Vec<usize> = (layers[from] + 1..layers[to])
                .map(|layer| grid.add(0.0, layer))
                .collect();
            let chain = [vec![from], bends, vec![to]].concat();
            for pair in chain.windows(2) {
                grid.below[pair[0]].push(pair[1]);
                grid.above[pair[1]].push(pair[0]);
            }
            grid.chains.push(chain);
        }
        (0..grid.rows.len()).for_each(|row| grid.pack(row));
        grid
    }

    fn add(&mut self, width: f64, layer: usize) -> usize {
        let item = self.widths.len();
        self.widths.push(width);
        self.middles.push(0.0);
        self.layer.push(layer);
        self.above.push(Vec::new());
        self.below.push(Vec::new());
        self.rows[layer].push(item);
        item
    }

    /// The items of a row side by side, around a middle that all rows share so that
    /// barycentres of different rows compare.
    fn pack(&mut self, row: usize) {
        let items = &self.rows[row];
        let widths: f64 = items.iter().map(|item| self.widths[*item] + GAP).sum();
        let mut left = -widths / 2.0;
        for &item in items {
            self.middles[item] = left + self.widths[item] / 2.0;
            left += self.widths[item] + GAP;
        }
    }

    /// The best place of an item according to its neighbours.
    fn barycentre(&self, item: usize, pass: Direction) -> f64 {
        let neighbours = match pass {
            Direction::Down => &self.above[item],
            Direction::Up => &self.below[item],
        };
        if neighbours.is_empty() {
            return self.middles[item];
        }
        let sum: f64 = neighbours.iter().map(|other| self.middles[*other]).sum();
        sum / neighbours.len() as f64
    }

    fn rows_in(&self, pass: Direction) -> Vec<usize> {
        match pass {
            Direction::Down => (0..self.rows.len()).collect(),
            Direction::Up => (0..self.rows.len()).rev().collect(),
        }
    }

    fn order(&mut self, pass: Direction) {
        for row in self.rows_in(pass) {
            let mut items = std::mem::take(&mut self.rows[row]);
            items.sort_by(|a, b| {
                self.barycentre(*a, pass)
                    .total_cmp(&self.barycentre(*b, pass))
            });
            self.rows[row] = items;
            self.pack(row);
        }
    }

    fn place(&mut self, pass: Direction) {
        for row in self.rows_in(pass) {
            let items = &self.rows[row];
            let wanted: Vec<f64> = items
                .iter()
                .map(|item| self.barycentre(*item, pass))
                .collect();
            let widths: Vec<f64> = items.iter().map(|item| self.widths[*item]).collect();
            for (item, middle) in items.iter().zip(apart(&wanted, &widths)) {
                self.middles[*item] = middle;
            }
        }
    }

    fn finish(self, boxes: usize) -> Placement {
        let edge = |sign: f64| {
            (0..self.widths.len())
                .map(|item| sign * self.middles[item] + self.widths[item] / 2.0)
                .fold(0.0_f64, f64::max)
        };
        let (left, right) = (edge(-1.0), edge(1.0));
        let place = |item: &usize| (self.middles[*item] + left, self.layer[*item]);
        Placement {
            boxes: (0..boxes).map(|item| place(&item)).collect(),
            arrows: self
                .chains
                .iter()
                .map(|chain| chain.iter().map(place).collect())
                .collect(),
            width: left + right,
            layers: self.rows.len(),
        }
    }
}

/// The places nearest to the wanted ones (least squares) that keep the order and the gaps:
/// isotonic regression by pooling neighbours that would overlap.
fn apart(wanted: &[f64], widths: &[f64]) -> Vec<f64> {
    let mut offset = 0.0;
    let mut offsets = Vec::with_capacity(wanted.len());
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (index, width) in widths.iter().enumerate() {
        if index > 0 {
            offset += (widths[index - 1] + width) / 2.0 + GAP;
        }
        offsets.push(offset);
        pools.push((wanted[index] - offset, 1));
        while let [.., (before, n), (last, m)] = pools[..] {
            if before <= last {
                break;
            }
            let mean = (before * n as f64 + last * m as f64) / (n + m) as f64;
            pools.truncate(pools.len() - 2);
            pools.push((mean, n + m));
        }
    }
    pools
        .iter()
        .flat_map(|(place, count)| std::iter::repeat_n(*place, *count))
        .zip(offsets)
        .map(|(place, offset)| place + offset)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_boxes_are_pushed_apart_evenly() {
        assert_eq!(apart(&[0.0, 0.0], &[10.0, 10.0]), [-16.0, 16.0]);
        assert_eq!(apart(&[0.0, 100.0], &[10.0, 10.0]), [0.0, 100.0]);
    }

    #[test]
    fn boxes_of_a_layer_never_overlap() {
        let arrows = [(0, 1), (0, 2), (0, 3), (1, 4), (0, 4), (3, 5), (4, 5)];
        let layout = layered(&[50.0; 6], &arrows);
        for (a, (x, layer)) in layout.boxes.iter().enumerate() {
            for (other, other_layer) in &layout.boxes[a + 1..] {
                assert!(layer != other_layer || (x - other).abs() >= 50.0 + GAP - 1e-9);
            }
            assert!(*x >= 25.0 - 1e-9 && *x <= layout.width - 25.0 + 1e-9);
        }
        assert_eq!(layout.layers, 4);
    }

    #[test]
    fn what_needs_nothing_stands_above_its_use() {
        assert_eq!(layers(4, &[(0, 1), (1, 3), (2, 3)]), [0, 1, 1, 2]);
    }
}
