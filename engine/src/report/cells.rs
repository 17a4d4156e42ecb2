//! The cells of a plane: their colours, the outline of the domain, the bar that explains them.

use std::collections::BTreeMap;

use crate::artifact::{Cells, Figure};
use crate::svg::{Svg, number, shorten};

use super::axis::{Axis, Extent};
use super::frame::{Frame, RIGHT, TOP};

/// Viridis (van der Walt and Smith 2015): its lightness grows evenly, also in grey and for the
/// colour-blind.
const GROWING: [&str; 9] = [
    "#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30",
    "#fde725",
];
/// Red and blue of ColorBrewer, blue below zero.
const SIGNED: [&str; 9] = [
    "#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7", "#fddbc7", "#f4a582", "#d6604d",
    "#b2182b",
];
/// Not among the colours: a cell of the domain without a number.
const EMPTY: usize = GROWING.len();

/// The tallest plot of a map.
const TALLEST: f64 = 330.0;
/// The height of a plot that is not a map.
const HEIGHT: f64 = 262.0;
/// What the bar takes below the axes.
const BAR: f64 = 54.0;

/// The frame of a figure with cells; none when they are not a grid with a number.
pub fn frame(figure: &Figure, cells: &Cells) -> Option<Frame> {
    let (columns, rows) = (cells.x.len().checked_sub(1)?, cells.y.len().checked_sub(1)?);
    let is_whole = cells.values.len() == columns * rows && cells.inside.len() == columns * rows;
    let edges = |edges: &[f64]| {
        let is_ascending = edges.windows(2).all(|pair| pair[0] < pair[1]);
        let (low, high) = (*edges.first()?, *edges.last()?);
        (is_ascending && low.abs() < 1e150 && high.abs() < 1e150).then_some((low, high))
    };
    let (x, y) = (edges(&cells.x)?, edges(&cells.y)?);
    let has_numbers = cells.values.iter().flatten().any(|value| value.is_finite());
    if !is_whole || !has_numbers {
        return None;
    }
    let left = if cells.map { 54.0 } else { 76.0 };
    let (mut width, mut height) = (RIGHT - left, HEIGHT);
    if cells.map {
        height = width * (y.1 - y.0) / (x.1 - x.0);
        if height > TALLEST {
            width *= TALLEST / height;
            height = TALLEST;
        }
        height = height.max(40.0);
    }
    let (bottom, right) = (TOP + height, left + width);
    let ends = if figure.down {
        (TOP, bottom)
    } else {
        (bottom, TOP)
    };
    Some(Frame {
        x: Axis::new(Extent::exactly(x.0, x.1), left, right),
        y: Axis::new(Extent::exactly(y.0, y.1), ends.0, ends.1),
        left,
        right,
        bottom,
        below: bottom + if figure.x.is_empty() { 26.0 } else { 46.0 },
    })
}

/// Draws the cells; returns the height of the picture.
pub fn draw(svg: &mut Svg, cells: &Cells, frame: &Frame) -> f64 {
    draw_colors(svg, cells, frame);
    draw_outline(svg, cells, frame);
    draw_bar(svg, cells, frame);
    frame.below + BAR
}

fn colors(cells: &Cells) -> [&'static str; 9] {
    if cells.signed { SIGNED } else { GROWING }
}

/// Which colour a cell has; none where there is nothing.
fn class(cells: &Cells, index: usize) -> Option<usize> {
    let inside = cells.inside.get(index).copied().unwrap_or(false);
    let value = cells.values.get(index).copied().flatten();
    let (low, high) = cells.range;
    match value.filter(|value| value.is_finite()) {
        Some(value) => {
            let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
            let of = (share * GROWING.len() as f64) as usize;
            Some(of.min(GROWING.len() - 1))
        }
        None => inside.then_some(EMPTY),
    }
}

/// Cells of a colour that lie side by side are one line; all of a colour and height one path.
fn draw_colors(svg: &mut Svg, cells: &Cells, frame: &Frame) {
    let columns = cells.x.len() - 1;
    let mut paths: BTreeMap<(usize, String), String> = BTreeMap::new();
    for (row, ends) in cells.y.windows(2).enumerate() {
        let (one, other) = (frame.y.at(ends[0]), frame.y.at(ends[1]));
        // A hair more, so that no gap shows between two rows.
        let height = number((one - other).abs() + 0.3);
        let middle = number((one + other) / 2.0);
        let mut column = 0;
        while column < columns {
            let own = class(cells, row * columns + column);
            let alike = (column..columns).take_while(|c| class(cells, row * columns + c) == own);
            let end = column + alike.count();
            if let Some(own) = own {
                let path = paths.entry((own, height.clone())).or_default();
                let (from, to) = (frame.x.at(cells.x[column]), frame.x.at(cells.x[end]));
                path.push_str(&format!("M{} {middle}H{}", number(from), number(to)));
            }
            column = end;
        }
    }
    let palette = colors(cells);
    for ((class, height), path) in &paths {
        let (stroke, opacity) = match palette.get(*class) {
            Some(color) => (*color, "1"),
            None => ("currentColor", "0.1"),
        };
        let style = [
            ("d", path.as_str()),
            ("fill", "none"),
            ("stroke", stroke),
            ("stroke-opacity", opacity),
            ("stroke-width", height),
            ("shape-rendering", "crispEdges"),
        ];
        svg.shape("path", &style);
    }
}

/// The border between what is inside and what is not.
fn draw_outline(svg: &mut Svg, cells: &Cells, frame: &Frame) {
    let (columns, rows) = (cells.x.len() - 1, cells.y.len() - 1);
    let inside =
        |row: usize, column: usize| cells.inside.get(row * columns + column) == Some(&true);
    let mut path = String::new();
    for row in 1..rows {
        let differs = |column: usize| inside(row - 1, column) != inside(row, column);
        for (from, to) in runs(columns, differs) {
            let (from, to) = (frame.x.at(cells.x[from]), frame.x.at(cells.x[to]));
            let y = number(frame.y.at(cells.y[row]));
            path.push_str(&format!("M{} {y}H{}", number(from), number(to)));
        }
    }
    for column in 1..columns {
        let differs = |row: usize| inside(row, column - 1) != inside(row, column);
        for (from, to) in runs(rows, differs) {
            let (from, to) = (frame.y.at(cells.y[from]), frame.y.at(cells.y[to]));
            let x = number(frame.x.at(cells.x[column]));
            path.push_str(&format!("M{x} {}V{}", number(from), number(to)));
        }
    }
    if !path.is_empty() {
        let style = [
            ("d", path.as_str()),
            ("fill", "none"),
            ("stroke", "currentColor"),
            ("stroke-width", "0.9"),
            ("stroke-opacity", "0.75"),
            ("stroke-linecap", "square"),
        ];
        svg.shape("path", &style);
    }
}

/// The runs `from..to` of places that hold.
fn runs(count: usize, holds: impl Fn(usize) -> bool) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut start = None;
    for place in 0..=count {
        match (start, place < count && holds(place)) {
            (None, true) => start = Some(place),
            (Some(from), false) => {
                found.push((from, place));
                start = None;
            }
            _ => {}
        }
    }
    found
}

fn draw_bar(svg: &mut Svg, cells: &Cells, frame: &Frame) {
    let (low, high) = cells.range;
    let axis = Axis::new(Extent::exactly(low, high), frame.left, frame.right);
    let top = frame.below + 4.0;
    let palette = colors(cells);
    let width = (frame.right - frame.left) / palette.len() as f64;
    for (index, color) in palette.iter().enumerate() {
        let corner = (frame.left + index as f64 * width, top);
        let style = [("fill", *color), ("shape-rendering", "crispEdges")];
        svg.rect(corner, (width, 9.0), &style);
    }
    let small = [
        ("font-size", "13"),
        ("opacity", "0.85"),
        ("text-anchor", "middle"),
    ];
    for (x, text) in axis.ticks(80.0) {
        svg.text((x, top + 23.0), &small, &text);
    }
    let label = [("text-anchor", "middle"), ("font-size", "14")];
    let middle = (frame.left + frame.right) / 2.0;
    svg.text((middle, top + 42.0), &label, &shorten(&cells.label, 56));
}

#[cfg(test)]
mod tests {
    use super::super::figure::svg;
    use super::*;

    /// Two rows of three cells, the upper right one outside.
    fn figure() -> Figure {
        Figure {
            title: "rmse on a map".to_owned(),
            cells: Some(Cells {
                x: vec![0.0, 2.0, 4.0, 6.0],
                y: vec![-1.0, 1.0, 3.0],
                values: vec![Some(0.0), Some(0.0), Some(9.0), None, Some(f64::NAN), None],
                inside: vec![true, true, true, true, true, false],
                label: "rmse (K)".to_owned(),
                range: (0.0, 9.0),
                map: true,
                ..Cells::default()
            }),
            ..Figure::default()
        }
    }

    #[test]
    fn cells_have_the_colour_of_their_value_and_the_domain_an_outline() {
        let picture = svg(&figure());
        let paths: Vec<&str> = picture.lines().filter(|l| l.contains("<path")).collect();
        let [low, high, empty, outline] = paths[..] else {
            panic!("{picture}");
        };
        // A map: 6 degrees are 414 px wide, so 4 degrees are 276 px high.
        assert!(low.contains("M54 217H330\"") && low.contains(GROWING[0]));
        assert!(high.contains("M330 217H468\"") && high.contains(GROWING[8]));
        assert!(empty.contains("M54 79H330\"") && empty.contains("currentColor"));
        assert!(outline.contains("d=\"M330 148H468M330 148V10\""));
        assert!(picture.contains("rmse (K)"));
        assert!(picture.contains("2° E") && picture.contains("1° S"));
    }

    #[test]
    fn what_is_no_grid_has_no_picture() {
        let broken: [fn(&mut Cells); 6] = [
            |cells| cells.x.clear(),
            |cells| cells.values.truncate(5),
            |cells| cells.inside.truncate(5),
            |cells| cells.y[1] = f64::NAN,
            |cells| cells.x[0] = f64::NEG_INFINITY,
            |cells| cells.values.fill(None),
        ];
        for break_it in broken {
            let mut figure = figure();
            figure.cells.as_mut().map(break_it);
            assert!(svg(&figure).contains("no finite values"));
        }
        let mut flat = figure();
        if let Some(cells) = &mut flat.cells {
            cells.range = (1.0, 1.0);
        }
        assert!(!svg(&flat).contains("NaN"));
    }
}
