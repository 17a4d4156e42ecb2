//! Which parts of a grid are asked for when a condition speaks of its coordinates.

use std::sync::Mutex;

use engine::params::Column;

use super::super::super::grid::{Element, Number, Source};
use super::*;

/// A grid that notes what is read of it: coordinates count from 0, `v` counts the cells.
struct Counted {
    variables: Vec<Variable>,
    together: u64,
    asked: Mutex<Vec<Vec<Range<u64>>>>,
}

impl Counted {
    fn new(sizes: &[(&str, u64)], together: u64) -> Self {
        let dimension = |(name, size): &(&str, u64)| Dimension {
            name: (*name).to_owned(),
            size: *size,
            is_record: false,
        };
        let variable = |name: &str, dimensions: Vec<Dimension>| Variable {
            name: name.to_owned(),
            place: 0,
            dimensions,
            element: Element::Number(Number::F64),
            attributes: Vec::new(),
            remarks: Vec::new(),
            unwritten: None,
        };
        let all: Vec<Dimension> = sizes.iter().map(dimension).collect();
        let axes = all.iter().map(|own| variable(&own.name, vec![own.clone()]));
        let mut variables: Vec<Variable> = axes.collect();
        variables.push(variable("v", all.clone()));
        Self {
            variables,
            together,
            asked: Mutex::default(),
        }
    }

    /// What a column holds of the rows that are read, and which parts of `v` were.
    fn read(&self, condition: &str, every: u64, column: &str) -> (Vec<f64>, Vec<Vec<Range<u64>>>) {
        let inputs = [Column("v".to_owned())];
        let mut cells = Cells::choose(self, &inputs, None, every).expect("a grid");
        let context = Context::alone("selection");
        cells.select(&parsed(condition), &context).expect("rows");
        let values = cells.read(&context).expect("values");
        let columns = cells.columns().zip(values);
        let columns = columns.map(|((name, variable), values)| values.column(name, variable));
        let data = Dataset::new(columns.collect::<Result<_, Fault>>().expect("columns"));
        let values = data
            .expect("data")
            .values(column)
            .expect("a column")
            .to_vec();
        let mut asked = std::mem::take(&mut *self.asked.lock().expect("asked"));
        asked.sort_by_key(|part| part[0].start);
        (values, asked)
    }
}

impl Source for Counted {
    fn variables(&self) -> &[Variable] {
        &self.variables
    }

    fn read(&self, variable: &Variable, part: &[Range<u64>]) -> Result<Values, Fault> {
        if variable.name == "v" {
            self.asked.lock().expect("asked").push(part.to_vec());
        }
        let mut values = vec![0.0];
        for (dimension, range) in variable.dimensions.iter().zip(part) {
            let size = dimension.size as f64;
            let along = |base: &f64| {
                let base = base * size;
                range.clone().map(move |at| base + at as f64)
            };
            values = values.iter().flat_map(along).collect();
        }
        Ok(Values::Double(values))
    }

    fn together(&self, _: &Variable, _: usize) -> u64 {
        self.together
    }
}

/// `a >= 2 and b < 3`: comparisons of columns with numbers, each met by a row or one of `or`.
fn parsed(text: &str) -> ColumnExpr {
    let join = |op: BinaryOp, parts: Vec<ColumnExpr>| {
        let mut parts = parts.into_iter();
        let first = parts.next().expect("a condition");
        parts.fold(first, |left, right| {
            ColumnExpr::Binary(op, Box::new(left), Box::new(right))
        })
    };
    let comparison = |text: &str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        let op = match words[1] {
            ">=" => BinaryOp::GreaterEqual,
            "<" => BinaryOp::Less,
            _ => BinaryOp::Equal,
        };
        let number = words[2].parse().expect("a number");
        let column = ColumnExpr::Column(words[0].to_owned());
        let number = ColumnExpr::Number(number);
        ColumnExpr::Binary(op, Box::new(column), Box::new(number))
    };
    let either = |text: &str| join(BinaryOp::Or, text.split(" or ").map(comparison).collect());
    join(BinaryOp::And, text.split(" and ").map(either).collect())
}

#[test]
fn only_the_part_that_coordinates_leave_is_read() {
    let grid = Counted::new(&[("a", 6), ("b", 4), ("c", 5)], 1);
    let (values, asked) = grid.read("a >= 4 and b < 2 and c >= 3", 1, "v");
    assert_eq!(asked, [vec![4..6, 0..2, 3..5]]);
    assert_eq!(values, [83.0, 84.0, 88.0, 89.0, 103.0, 104.0, 108.0, 109.0]);
    // A condition on the cells themselves rules nothing out beforehand.
    let (values, asked) = grid.read("v >= 118", 1, "v");
    assert_eq!((values.len(), asked), (120, vec![vec![0..6, 0..4, 0..5]]));
}

#[test]
fn conditions_on_two_coordinates_leave_the_box_around_what_they_allow() {
    let grid = Counted::new(&[("a", 6), ("b", 4), ("c", 5)], 1);
    let (_, asked) = grid.read("a == 2 or b == 9 and c == 1 or c == 3", 1, "v");
    assert_eq!(asked, [vec![2..3, 0..4, 1..4]]);
}

#[test]
fn slabs_between_the_wanted_ones_are_left_out() {
    let grid = Counted::new(&[("a", 6), ("b", 1 << 17)], 1);
    let (values, asked) = grid.read("a == 0 or a == 5 and b < 3", 1, "a");
    assert_eq!(asked, [vec![0..6, 0..3]]);
    assert_eq!(values.len(), 18);
    let (values, asked) = grid.read("a == 0 or a == 5", 1, "a");
    assert_eq!(asked, [vec![0..2, 0..1 << 17], vec![4..6, 0..1 << 17]]);
    assert_eq!(values.len(), 4 << 17);
}

#[test]
fn a_thinner_grid_keeps_its_places() {
    let grid = Counted::new(&[("a", 6), ("b", 4), ("c", 5)], 1);
    let (values, asked) = grid.read("b >= 3 and c >= 3", 2, "c");
    // Of `b` the places 0 and 2 are taken, of `c` 0, 2 and 4: those from 3 on are asked later.
    assert_eq!(asked, [vec![0..6, 2..4, 2..5]]);
    assert_eq!(values, [2.0, 4.0, 2.0, 4.0, 2.0, 4.0]);
}

#[test]
fn chunks_stay_whole_along_the_first_dimension() {
    let grid = Counted::new(&[("a", 12), ("b", 1 << 16)], 4);
    let (_, asked) = grid.read("a >= 5", 1, "a");
    let firsts: Vec<Range<u64>> = asked.into_iter().map(|part| part[0].clone()).collect();
    assert_eq!(firsts, [5..8, 8..12]);
}

#[test]
fn what_no_row_meets_is_said_with_what_there_is() {
    let grid = Counted::new(&[("a", 6), ("b", 4)], 1);
    let inputs = [Column("v".to_owned())];
    let mut cells = Cells::choose(&grid, &inputs, None, 1).expect("a grid");
    let fault = cells.select(&parsed("b >= 7"), &Context::alone("none"));
    let Err(Fault::User { message, hint, .. }) = fault else {
        panic!("expected the user's fault");
    };
    assert_eq!(message, "no row meets the condition");
    assert_eq!(hint.as_deref(), Some("`b` is 0..3"));
    assert!(grid.asked.lock().expect("asked").is_empty());
}

#[test]
fn long_parts_are_cut_along_the_dimension_after_the_short_ones() {
    let inputs = [Column("v".to_owned())];
    let parts = |sizes: &[(&str, u64)], together, every| {
        let grid = Counted::new(sizes, together);
        let cells = Cells::choose(&grid, &inputs, None, every).expect("a grid");
        let slabs = cells.slabs();
        let grids: Vec<_> = (0..slabs.len()).map(|at| slabs.grid(at)).collect();
        (grids, slabs.largest(), slabs.cells(&cells.steps))
    };
    let (grids, largest, all) = parts(&[("m", 2), ("a", 300), ("b", 1 << 17)], 1, 1);
    assert_eq!((grids.len(), largest, all), (300, 2 << 17, 600 << 17));
    assert_eq!(grids[0], [0..1, 0..2, 0..1 << 17]);
    assert_eq!(grids[150], [1..2, 0..2, 0..1 << 17]);
    // A chunk that is too long is read in pieces.
    let (grids, largest, _) = parts(&[("a", 300), ("b", 1 << 20)], 300, 1);
    assert_eq!((grids.len(), largest), (10, 32 << 20));
    assert_eq!(grids[9], [288..300, 0..1 << 20]);
    let (grids, _, all) = parts(&[("m", 5), ("a", 300), ("b", 1 << 17)], 1, 2);
    assert_eq!((grids.len(), all), (3 * 150, (3 * 150) << 16));
    assert_eq!(grids[150], [2..3, 0..2, 0..1 << 17]);
}

#[test]
fn more_cells_than_files_hold_are_refused() {
    let inputs = [Column("v".to_owned())];
    let grid = Counted::new(&[("a", 1 << 30), ("b", 1 << 30)], 1);
    let Err(Fault::User { message, .. }) = Cells::choose(&grid, &inputs, None, 1).map(|_| ())
    else {
        panic!("expected the user's fault");
    };
    assert_eq!(
        message,
        "`v` (a: 1073741824, b: 1073741824) has too many cells: expected at most 2^40"
    );
}
