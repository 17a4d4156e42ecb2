//! A report's body as data: sections of text, tables and figures, drawn after the cache.
//!
//! It holds labels instead of the names of statements, so that renaming one changes no artifact.

use dsl::types::Kind;
use serde::{Deserialize, Serialize};

use super::{Artifact, Parts};
use crate::error::Fault;

/// What a report statement made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// In reading order.
    pub sections: Vec<Section>,
}

/// A heading with what belongs under it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// The heading.
    pub heading: String,
    /// Paragraphs of plain text.
    pub text: Vec<String>,
    /// Paragraphs a reader must not miss.
    pub warnings: Vec<String>,
    /// A table: header and rows.
    pub table: Option<(Vec<String>, Vec<Vec<String>>)>,
    /// Figures, in order.
    pub figures: Vec<Figure>,
}

/// A plot of series over numeric axes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// One line above it.
    pub title: String,
    /// The horizontal axis, with unit.
    pub x: String,
    /// The vertical axis, with unit.
    pub y: String,
    /// The labels at 0, 1, 2… on the horizontal axis; empty for numbers.
    #[serde(default)]
    pub x_names: Vec<String>,
    /// Whether the horizontal axis is logarithmic.
    pub log_x: bool,
    /// Whether the vertical axis is logarithmic.
    pub log_y: bool,
    /// Whether the vertical axis grows downwards, as depth does.
    pub down: bool,
    /// Whether to draw the line `y = x`.
    pub diagonal: bool,
    /// What is drawn, first at the back.
    pub series: Vec<Series>,
    /// The calendar of a horizontal axis that counts days since 1970-01-01; its marks are dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<String>,
    /// Coloured cells of a plane, which take the place of the series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cells: Option<Cells>,
}

/// Numbers over two coordinates, as the colours of cells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cells {
    /// The borders of the cells from left to right, one more than there are columns; ascending.
    pub x: Vec<f64>,
    /// The borders of the cells along the vertical axis; ascending.
    pub y: Vec<f64>,
    /// A number for each cell, column by column within a row; none where there is none.
    pub values: Vec<Option<f64>>,
    /// Whether a cell is part of the domain, whose outline is drawn: on a map, the coast.
    pub inside: Vec<bool>,
    /// What the colours count, with unit.
    pub label: String,
    /// The lowest and the highest value with a colour of its own.
    pub range: (f64, f64),
    /// Whether the colours diverge from zero.
    pub signed: bool,
    /// Whether the axes are longitude and latitude, drawn to the same scale.
    pub map: bool,
}

/// One set of points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Its name in the legend; series with an empty name have no entry.
    pub name: String,
    /// How it is drawn.
    pub style: Style,
    /// Which colour of the palette, from 0; series that belong together share one.
    pub color: usize,
    /// The points; those with a value that is not finite are left out.
    pub points: Vec<(f64, f64)>,
}

/// How a [`Series`] is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Style {
    /// A line with a small mark at each point.
    Line,
    /// A thin faint line: one of many members.
    Faint,
    /// Dots.
    Dots,
    /// Bars from zero.
    Bars,
}

impl Artifact for Page {
    const KIND: Kind = Kind::Report;
    const PARTS: &'static [&'static str] = &["page.json"];

    fn to_parts(&self) -> Result<Parts, Fault> {
        Parts::default().with_json("page.json", self)
    }

    fn from_parts(parts: &Parts) -> Result<Self, Fault> {
        parts.json("page.json")
    }
}
