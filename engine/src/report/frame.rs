//! The plotting area of a figure: its place, its axes and their marks.

use dsl::calendar::Calendar;

use super::axis::Axis;
use crate::artifact::Figure;
use crate::svg::{Svg, number, shorten};

/// Small, so that the text stays readable when a phone scales the picture down.
pub const WIDTH: f64 = 480.0;
pub const PLOT_HEIGHT: f64 = 262.0;
pub const TOP: f64 = 10.0;
pub const RIGHT: f64 = WIDTH - 12.0;
/// The assumed width of a character of the 13 px text; no font is available for measuring.
pub const CHARACTER: f64 = 6.8;
/// The longest name on an axis.
pub const NAME: usize = 22;
/// From one slanted name to the next, so that neither covers the other.
const SLANTED: f64 = 19.0;

/// The plotting area and its axes.
pub struct Frame {
    pub x: Axis,
    pub y: Axis,
    pub left: f64,
    pub right: f64,
    pub bottom: f64,
    /// The upper end of what is below the axes.
    pub below: f64,
}

impl Frame {
    pub fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x.at(x), self.y.at(y))
    }

    pub fn draw_axes(&self, svg: &mut Svg, figure: &Figure) {
        let (right, bottom) = (self.right, self.bottom);
        let grid = [("stroke", "currentColor"), ("stroke-opacity", "0.13")];
        let axis = [("stroke", "currentColor"), ("stroke-opacity", "0.55")];
        let small = [("font-size", "13"), ("opacity", "0.85")];
        let middle = [&small[..], &[("text-anchor", "middle")]].concat();
        let end = [&small[..], &[("text-anchor", "end")]].concat();
        for (y, text) in self.y_marks(figure) {
            svg.line((self.left, y), (right, y), &grid);
            svg.text((self.left - 7.0, y + 4.5), &end, &text);
        }
        if figure.x_names.is_empty() {
            for (x, text) in self.x_marks(figure) {
                svg.line((x, TOP), (x, bottom), &grid);
                svg.text((x, bottom + 18.0), &middle, &text);
            }
        } else {
            self.draw_names(svg, &figure.x_names);
        }
        svg.line((self.left, bottom), (right, bottom), &axis);
        svg.line((self.left, TOP), (self.left, bottom), &axis);
        let label = [("text-anchor", "middle"), ("font-size", "14")];
        let centre = (self.left + right) / 2.0;
        svg.text((centre, self.below - 8.0), &label, &shorten(&figure.x, 56));
        let half = (TOP + bottom) / 2.0;
        let turn = format!("rotate(-90 14 {})", number(half));
        let label = [&label[..], &[("transform", turn.as_str())]].concat();
        svg.text((14.0, half), &label, &shorten(&figure.y, 36));
    }

    fn x_marks(&self, figure: &Figure) -> Vec<(f64, String)> {
        let is_map = figure.cells.as_ref().is_some_and(|cells| cells.map);
        let calendar = figure.days.as_deref().map(Calendar::named);
        match calendar {
            Some(calendar) => self.x.dates(88.0, calendar.unwrap_or(Calendar::Standard)),
            None if is_map => self.x.degrees(70.0, ["E", "W"]),
            None => self.x.ticks(70.0),
        }
    }

    fn y_marks(&self, figure: &Figure) -> Vec<(f64, String)> {
        match figure.cells.as_ref().is_some_and(|cells| cells.map) {
            true => self.y.degrees(44.0, ["N", "S"]),
            false => self.y.ticks(44.0),
        }
    }

    fn draw_names(&self, svg: &mut Svg, names: &[String]) {
        let y = TOP + PLOT_HEIGHT + 16.0;
        // Of names that would cover each other, every second, third and so on.
        let room = (self.right - self.left) / names.len().max(1) as f64;
        let step = if turned(names) {
            (SLANTED / room).ceil().max(1.0) as usize
        } else {
            1
        };
        for (index, name) in names.iter().enumerate().step_by(step) {
            let x = self.x.at(index as f64);
            let small = [("font-size", "12"), ("opacity", "0.85")];
            let name = shorten(name, NAME);
            if turned(names) {
                let turn = format!("rotate(-38 {} {})", number(x), number(y));
                let style = [("text-anchor", "end"), ("transform", turn.as_str())];
                svg.text((x + 4.0, y), &[&small[..], &style].concat(), &name);
            } else {
                let style = [&small[..], &[("text-anchor", "middle")]].concat();
                svg.text((x, y + 2.0), &style, &name);
            }
        }
    }
}

/// Whether names are too long for one row.
pub fn turned(names: &[String]) -> bool {
    let room = (RIGHT - 70.0) / names.len().max(1) as f64;
    names
        .iter()
        .any(|name| name.chars().count() as f64 * CHARACTER > room)
}
