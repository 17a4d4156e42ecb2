//! The graph as a picture, from top to bottom so that it fits a phone.

use dsl::experiment::Experiment;
use dsl::types::Kind;

use super::layout::{Placement, layered};
use super::picture::{Picture, Statement};
use crate::svg::{Svg, color, number, shorten};

/// A box's height and the way from one layer to the next.
const HEIGHT: f64 = 44.0;
const PITCH: f64 = 76.0;
/// Room for the frames of the outermost boxes.
const MARGIN: f64 = 2.0;
/// Longer texts are cut.
const LONGEST: usize = 32;

/// The graph as SVG; it scales to the available width.
pub fn svg(experiment: &Experiment) -> String {
    let picture = Picture::of(experiment);
    let widths: Vec<f64> = picture.statements.iter().map(width).collect();
    let layout = layered(&widths, &picture.arrows);
    let mut svg = Svg::default();
    for route in &layout.arrows {
        draw_arrow(&mut svg, route);
    }
    for ((statement, width), (middle, layer)) in
        picture.statements.iter().zip(widths).zip(&layout.boxes)
    {
        draw_box(&mut svg, statement, width, *middle, top(*layer));
    }
    svg.finish(&title(&picture), size(&layout), 1.0)
}

fn title(picture: &Picture) -> String {
    let count = picture.statements.len();
    format!("Graph of {count} statements: {}", picture.title)
}

fn size(layout: &Placement) -> (f64, f64) {
    let height = layout.layers as f64 * PITCH - (PITCH - HEIGHT);
    (
        layout.width.max(1.0) + 2.0 * MARGIN,
        height.max(1.0) + 2.0 * MARGIN,
    )
}

fn top(layer: usize) -> f64 {
    MARGIN + layer as f64 * PITCH
}

/// No font is available for measuring; these widths fit the usual sans-serif fonts.
fn width(statement: &Statement) -> f64 {
    let length = |text: String| text.chars().count().min(LONGEST) as f64;
    let heading = 8.2 * length(statement.heading());
    let detail = 6.3 * length(statement.detail());
    heading.max(detail) + 22.0
}

fn draw_box(svg: &mut Svg, statement: &Statement, width: f64, middle: f64, top: f64) {
    let middle = middle + MARGIN;
    let color = kind_color(statement.kind);
    svg.rect(
        (middle - width / 2.0, top),
        (width, HEIGHT),
        &[
            ("rx", "7"),
            ("fill", color),
            ("fill-opacity", "0.12"),
            ("stroke", color),
            ("stroke-width", "1.3"),
        ],
    );
    let style = [("text-anchor", "middle"), ("font-size", "14")];
    let bold = [&style[..], &[("font-weight", "600")]].concat();
    let small = [
        ("text-anchor", "middle"),
        ("font-size", "11.5"),
        ("opacity", "0.8"),
    ];
    let (heading, detail) = (statement.heading(), statement.detail());
    svg.text((middle, top + 18.5), &bold, &shorten(&heading, LONGEST));
    svg.text((middle, top + 34.5), &small, &shorten(&detail, LONGEST));
}

fn kind_color(kind: Kind) -> &'static str {
    match kind {
        Kind::Data => color(3),
        Kind::Parent | Kind::Sweep | Kind::Report => color(0),
        Kind::Subset => color(6),
        Kind::Anomaly | Kind::Trajectory | Kind::Weights => color(5),
        Kind::Predictor => color(4),
        Kind::Regression | Kind::Score => color(1),
        Kind::Child | Kind::Farcast => color(2),
    }
}

/// From the bottom of the source through the bends to the top of the target.
fn draw_arrow(svg: &mut Svg, route: &[(f64, usize)]) {
    let mut path = String::new();
    for pair in route.windows(2) {
        let [(from, layer), (to, next)] = [pair[0], pair[1]];
        let (start, end) = (top(layer) + HEIGHT, top(next));
        let half = (start + end) / 2.0;
        let [from, to] = [from + MARGIN, to + MARGIN].map(number);
        let begin = if path.is_empty() { "M" } else { "L" };
        path.push_str(&format!(
            "{begin}{from} {start} C{from} {half} {to} {half} {to} {end}",
            start = number(start),
            half = number(half),
            end = number(end)
        ));
    }
    let ink = [("stroke", "currentColor"), ("stroke-opacity", "0.45")];
    let line = [("d", &*path), ("fill", "none"), ("stroke-width", "1.3")];
    svg.shape("path", &[&line[..], &ink].concat());
    if let Some((tip, layer)) = route.last() {
        let (tip, end) = (number(tip + MARGIN), number(top(*layer) - 0.5));
        let head = format!("M{tip} {end}l-4.2 -8h8.4z");
        svg.shape("path", &[("d", &head), ("fill-opacity", "0.6")]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::node;
    use super::*;
    use expect_test::expect;

    #[test]
    fn two_boxes_and_an_arrow() {
        let experiment = Experiment {
            title: "Two".to_owned(),
            nodes: vec![
                node("a", Kind::Data, "csv", &[]),
                node("b", Kind::Parent, "mlp", &[0]),
            ],
            ..Experiment::default()
        };
        expect![[r##"
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 101.6 124" width="100%" style="max-width:101.6px" role="img" aria-label="Graph of 2 statements: Two" font-family="system-ui,-apple-system,Segoe UI,Roboto,sans-serif" fill="currentColor">
            <title>Graph of 2 statements: Two</title>
            <path d="M50.8 46 C50.8 62 50.8 62 50.8 78" fill="none" stroke-width="1.3" stroke="currentColor" stroke-opacity="0.45"/>
            <path d="M50.8 77.5l-4.2 -8h8.4z" fill-opacity="0.6"/>
            <rect x="8.3" y="2" width="85" height="44" rx="7" fill="#009e73" fill-opacity="0.12" stroke="#009e73" stroke-width="1.3"/>
            <text x="50.8" y="20.5" text-anchor="middle" font-size="14" font-weight="600">a</text>
            <text x="50.8" y="36.5" text-anchor="middle" font-size="11.5" opacity="0.8">data · csv</text>
            <rect x="2" y="78" width="97.6" height="44" rx="7" fill="currentColor" fill-opacity="0.12" stroke="currentColor" stroke-width="1.3"/>
            <text x="50.8" y="96.5" text-anchor="middle" font-size="14" font-weight="600">b</text>
            <text x="50.8" y="112.5" text-anchor="middle" font-size="11.5" opacity="0.8">parent · mlp</text>
            </svg>
        "##]].assert_eq(&svg(&experiment));
    }
}
