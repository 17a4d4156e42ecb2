//! A [`Figure`] as SVG; equal figures produce equal bytes.
//!
//! It uses the writer in `crate::svg`, which says why not plotters.

use crate::artifact::{Figure, Series, Style};
use crate::svg::{Svg, UNBROKEN, color, dashes, number, shorten};

use super::axis::{Axis, Extent, Scale, drawable};
use super::cells;
use super::frame::{CHARACTER, Frame, NAME, PLOT_HEIGHT, RIGHT, TOP, WIDTH, turned};

/// A line with more points than this has no marks.
const MOST_MARKS: usize = 60;

/// The figure as SVG; it scales to the available width.
pub fn svg(figure: &Figure) -> String {
    let mut svg = Svg::default();
    let height = match frame(figure) {
        Some(frame) => {
            frame.draw_axes(&mut svg, figure);
            match &figure.cells {
                Some(cells) => cells::draw(&mut svg, cells, &frame),
                None => {
                    draw_diagonal(&mut svg, figure, &frame);
                    draw_series(&mut svg, figure, &frame);
                    draw_legend(&mut svg, figure, frame.below)
                }
            }
        }
        None => draw_nothing(&mut svg),
    };
    svg.finish(&describe(figure), (WIDTH, height), 1.35)
}

fn describe(figure: &Figure) -> String {
    match (figure.title.as_str(), figure.y.as_str(), figure.x.as_str()) {
        ("", y, x) => format!("{y} against {x}"),
        (title, y, x) => format!("{title}: {y} against {x}"),
    }
}

fn draw_nothing(svg: &mut Svg) -> f64 {
    let size = (WIDTH - 2.0, 118.0);
    let frame = [
        ("fill", "none"),
        ("stroke", "currentColor"),
        ("stroke-opacity", "0.3"),
    ];
    svg.rect((1.0, 1.0), size, &frame);
    let style = [
        ("text-anchor", "middle"),
        ("font-size", "14"),
        ("opacity", "0.7"),
    ];
    svg.text((WIDTH / 2.0, 65.0), &style, "no finite values");
    120.0
}

/// Where a figure is drawn; none when there is nothing to draw.
fn frame(figure: &Figure) -> Option<Frame> {
    if let Some(cells) = &figure.cells {
        return cells::frame(figure, cells);
    }
    let (scale_x, scale_y) = (Scale::of(figure.log_x), Scale::of(figure.log_y));
    let points = || {
        figure
            .series
            .iter()
            .flat_map(|series| drawn(figure, series))
    };
    let bars = figure
        .series
        .iter()
        .any(|series| series.style == Style::Bars);
    let mut x = Extent::of(scale_x, points().map(|(x, _)| x))?;
    if figure.days.is_none() {
        x = x.near_zero();
    }
    let mut y = Extent::of(scale_y, points().map(|(_, y)| y))?.near_zero();
    if bars {
        y = y.with_zero();
    }
    if figure.diagonal && scale_x == scale_y {
        (x, y) = (x.and(y), y.and(x));
    }
    let (mut x, y) = (x.padded(), y.padded());
    if !figure.x_names.is_empty() {
        x = Extent::exactly(-0.5, figure.x_names.len() as f64 - 0.5);
    } else if bars {
        x = Extent::exactly(-0.6, 0.6).around(x);
    }
    let bottom = TOP + PLOT_HEIGHT;
    let (low, high) = if figure.down {
        (TOP, bottom)
    } else {
        (bottom, TOP)
    };
    let y = Axis::new(y, low, high);
    let widest = y
        .ticks(44.0)
        .iter()
        .map(|(_, text)| text.chars().count())
        .max();
    let left = 34.0 + CHARACTER * widest.unwrap_or(1).max(3) as f64;
    Some(Frame {
        x: Axis::new(x, left, RIGHT),
        y,
        left,
        right: RIGHT,
        bottom,
        below: bottom + 46.0 + name_room(figure),
    })
}

fn draw_diagonal(svg: &mut Svg, figure: &Figure, frame: &Frame) {
    if figure.diagonal {
        let style = [
            ("stroke", "currentColor"),
            ("stroke-opacity", "0.6"),
            ("stroke-dasharray", "5 4"),
        ];
        // With one extent for both axes the corners are on the line.
        svg.line((frame.left, TOP + PLOT_HEIGHT), (RIGHT, TOP), &style);
    }
}

fn name_room(figure: &Figure) -> f64 {
    let longest = figure
        .x_names
        .iter()
        .map(|name| name.chars().count().min(NAME));
    match longest.max() {
        Some(longest) if turned(&figure.x_names) => longest as f64 * 4.2,
        _ => 0.0,
    }
}

/// The points that have a place on the axes.
fn drawn<'a>(figure: &'a Figure, series: &'a Series) -> impl Iterator<Item = (f64, f64)> + 'a {
    let (x, y) = (Scale::of(figure.log_x), Scale::of(figure.log_y));
    let points = series.points.iter().copied();
    points.filter(move |point| drawable(point.0, x) && drawable(point.1, y))
}

fn draw_series(svg: &mut Svg, figure: &Figure, frame: &Frame) {
    let bars = figure
        .series
        .iter()
        .filter(|series| series.style == Style::Bars);
    let (bars, mut bar) = (bars.count(), 0);
    for series in &figure.series {
        let color = color(series.color);
        match series.style {
            Style::Line => {
                draw_line(svg, figure, series, frame, &bold(series));
                if series.points.len() <= MOST_MARKS {
                    draw_dots(svg, figure, series, frame, &[("stroke-width", "6.5")]);
                }
            }
            Style::Faint => {
                let faint = [("stroke-width", "1"), ("stroke-opacity", "0.32")];
                draw_line(svg, figure, series, frame, &faint);
            }
            Style::Dots => {
                let many = [("stroke-width", "3.2"), ("stroke-opacity", "0.5")];
                let few = [("stroke-width", "7"), ("stroke-opacity", "0.75")];
                let is_many = series.points.len() > MOST_MARKS;
                let style = if is_many { &many } else { &few };
                draw_dots(svg, figure, series, frame, style);
            }
            Style::Bars => {
                draw_bars(svg, figure, series, frame, (bar, bars), color);
                bar += 1;
            }
        }
    }
}

/// A line through the points; broken where one is missing, so that no value is invented.
fn draw_line(svg: &mut Svg, figure: &Figure, series: &Series, frame: &Frame, style: &Attributes) {
    let (scale_x, scale_y) = (Scale::of(figure.log_x), Scale::of(figure.log_y));
    let mut path = String::new();
    let mut pen = 'M';
    for &(x, y) in &series.points {
        if !drawable(x, scale_x) || !drawable(y, scale_y) {
            pen = 'M';
            continue;
        }
        let (x, y) = frame.at((x, y));
        path.push_str(&format!("{pen}{} {}", number(x), number(y)));
        pen = 'L';
    }
    draw_stroke(svg, &path, series, style);
}

/// One path for all dots: strokes of no length with round ends.
fn draw_dots(svg: &mut Svg, figure: &Figure, series: &Series, frame: &Frame, style: &Attributes) {
    let path: String = drawn(figure, series)
        .map(|point| frame.at(point))
        .map(|(x, y)| format!("M{} {}h0", number(x), number(y)))
        .collect();
    draw_stroke(svg, &path, series, style);
}

type Attributes = [(&'static str, &'static str)];

fn bold(series: &Series) -> [(&'static str, &'static str); 2] {
    let dashes = dashes(series.color);
    [("stroke-width", "2.4"), ("stroke-dasharray", dashes)]
}

fn draw_stroke(svg: &mut Svg, path: &str, series: &Series, style: &Attributes) {
    if path.is_empty() {
        return;
    }
    let fixed = [
        ("d", path),
        ("fill", "none"),
        ("stroke", color(series.color)),
        ("stroke-linecap", "round"),
        ("stroke-linejoin", "round"),
    ];
    svg.shape("path", &[&fixed, style].concat());
}

/// Bars of several series are side by side.
fn draw_bars(
    svg: &mut Svg,
    figure: &Figure,
    series: &Series,
    frame: &Frame,
    (bar, bars): (usize, usize),
    color: &str,
) {
    let places = figure
        .series
        .iter()
        .flat_map(|series| drawn(figure, series));
    let mut places: Vec<f64> = places.map(|(x, _)| frame.x.at(x)).collect();
    places.sort_by(f64::total_cmp);
    let gaps = places.windows(2).map(|pair| pair[1] - pair[0]);
    let slot = gaps.filter(|gap| *gap > 0.5).fold(80.0, f64::min) * 0.76;
    let width = slot / bars as f64;
    let base = frame.y.base();
    for point in drawn(figure, series) {
        let (x, y) = frame.at(point);
        let corner = (x - slot / 2.0 + width * bar as f64, y.min(base));
        let size = ((width - 1.0).max(0.6), (y - base).abs());
        svg.rect(corner, size, &[("fill", color), ("fill-opacity", "0.85")]);
    }
}

/// Below the axes, in as many rows as needed; returns the height of the picture.
fn draw_legend(svg: &mut Svg, figure: &Figure, top: f64) -> f64 {
    let mut entries: Vec<&Series> = Vec::new();
    for series in figure
        .series
        .iter()
        .filter(|series| !series.name.is_empty())
    {
        if !entries.iter().any(|entry| entry.name == series.name) {
            entries.push(series);
        }
    }
    let (mut x, mut y) = (16.0, top + 16.0);
    for series in &entries {
        let name = shorten(&series.name, 58);
        let width = 46.0 + CHARACTER * 1.1 * name.chars().count() as f64;
        if x > 16.0 && x + width > WIDTH {
            (x, y) = (16.0, y + 21.0);
        }
        draw_swatch(svg, series, (x, y - 4.5));
        svg.text((x + 26.0, y), &[("font-size", "13")], &name);
        x += width;
    }
    if entries.is_empty() {
        top + 2.0
    } else {
        y + 8.0
    }
}

fn draw_swatch(svg: &mut Svg, series: &Series, (x, y): (f64, f64)) {
    let color = color(series.color);
    let line = |svg: &mut Svg, style: &Attributes| {
        svg.line(
            (x, y),
            (x + 20.0, y),
            &[&[("stroke", color)], style].concat(),
        );
    };
    let dot = |svg: &mut Svg| {
        let path = format!("M{} {}h0", number(x + 10.0), number(y));
        draw_stroke(svg, &path, series, &[("stroke-width", "7")]);
    };
    match series.style {
        Style::Line => {
            line(svg, &bold(series));
            // On so short a line it would hide the dashes.
            if dashes(series.color) == UNBROKEN {
                dot(svg);
            }
        }
        Style::Faint => line(svg, &[("stroke-width", "1.2"), ("stroke-opacity", "0.5")]),
        Style::Dots => dot(svg),
        Style::Bars => {
            let style = [("fill", color), ("fill-opacity", "0.85")];
            svg.rect((x + 4.0, y - 6.0), (12.0, 12.0), &style);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(points: &[(f64, f64)], style: Style) -> Figure {
        Figure {
            title: "Error <by> depth".to_owned(),
            x: "depth (m)".to_owned(),
            y: "rmse (kg m⁻³)".to_owned(),
            series: vec![Series {
                name: "net & \"child\"</text><script>".to_owned(),
                style,
                color: 1,
                points: points.to_vec(),
            }],
            ..Figure::default()
        }
    }

    /// Every coordinate of the drawing is a number inside the picture.
    fn assert_sound(svg: &str) {
        for bad in ["NaN", "inf", "<script", "<by>"] {
            assert!(!svg.contains(bad), "{bad} in {svg}");
        }
        assert!(svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn nothing_to_draw_is_said() {
        let nan = [(f64::NAN, 1.0), (1.0, f64::INFINITY)];
        for points in [&[][..], &nan[..]] {
            for style in [Style::Line, Style::Bars] {
                assert!(svg(&figure(points, style)).contains("no finite values"));
            }
        }
        assert!(svg(&Figure::default()).contains("no finite values"));
    }

    #[test]
    fn odd_series_have_a_picture() {
        let cases: [&[(f64, f64)]; 6] = [
            &[(3.0, 4.0)],
            &[(0.0, 0.0)],
            &[(1.0, 5.0), (2.0, 5.0), (3.0, 5.0)],
            &[(1.0, f64::NAN), (2.0, 5.0), (3.0, f64::NEG_INFINITY)],
            &[(-1e300, 1e300), (1.0, -1e-300), (2.0, 1e140)],
            &[(1e15, 1.0), (1e15 + 1.0, 1.0 + 1e-16)],
        ];
        for points in cases {
            for style in [Style::Line, Style::Faint, Style::Dots, Style::Bars] {
                for (log_x, log_y) in [(false, false), (true, true), (false, true)] {
                    let figure = Figure {
                        log_x,
                        log_y,
                        diagonal: log_x == log_y,
                        down: log_x,
                        ..figure(points, style)
                    };
                    assert_sound(&svg(&figure));
                }
            }
        }
    }

    #[test]
    fn values_without_logarithm_are_left_out() {
        let mut figure = figure(&[(0.0, -1.0), (1.0, 10.0), (2.0, 0.0)], Style::Dots);
        figure.log_y = true;
        assert_eq!(
            svg(&figure).matches("h0").count(),
            2,
            "a dot and its legend"
        );
    }

    #[test]
    fn a_line_has_a_gap_where_a_value_is_missing() {
        let points = [
            (0.0, 1.0),
            (1.0, 2.0),
            (2.0, f64::NAN),
            (3.0, 1.0),
            (4.0, 2.0),
        ];
        let line = svg(&figure(&points, Style::Faint));
        let path = line.lines().find(|line| line.contains("<path")).unwrap();
        assert_eq!(path.matches('M').count(), 2);
    }

    #[test]
    fn depth_grows_downwards() {
        let mut figure = figure(&[(1.0, 0.0), (2.0, 1000.0)], Style::Line);
        let height = |figure: &Figure, depth: f64| frame(figure).unwrap().y.at(depth);
        assert!(height(&figure, 0.0) > height(&figure, 1000.0));
        figure.down = true;
        assert!(height(&figure, 0.0) < height(&figure, 1000.0));
    }

    #[test]
    fn equal_figures_give_equal_bytes() {
        let one = figure(&[(1.0, 2.0), (2.0, 3.5)], Style::Line);
        assert_eq!(svg(&one), svg(&one.clone()));
    }

    #[test]
    fn names_stand_on_the_axis() {
        let mut figure = figure(&[(0.0, 1.0), (1.0, 2.0)], Style::Bars);
        figure.x_names = vec!["layers.0.weight".to_owned(), "<b>".to_owned()];
        let picture = svg(&figure);
        assert!(picture.contains("layers.0.weight"));
        assert!(picture.contains("&lt;b&gt;"));
    }

    #[test]
    fn of_names_that_would_cover_each_other_some_are_left_out() {
        let points: Vec<(f64, f64)> = (0..60).map(|at| (f64::from(at), 1.0)).collect();
        let mut figure = figure(&points, Style::Line);
        figure.x_names = (0..60).map(|at| format!("group {at}")).collect();
        let picture = svg(&figure);
        assert!(picture.contains(">group 0<") && !picture.contains(">group 1<"));
        let shown = picture.matches(">group ").count();
        assert!((15..=25).contains(&shown), "{shown}");
    }
}
