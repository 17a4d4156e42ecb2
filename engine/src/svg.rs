//! A small SVG writer: escaped text, short numbers, colours that follow the page.
//!
//! Figures and graphs are written with this rather than with plotters, whose SVG has fixed
//! colours, whole pixels, one element per point and text it cannot measure without a font
//! library. Here the text colour is `currentColor`, so that one picture serves light, dark and paper.

use std::fmt::Write as _;

/// The colour-blind safe palette of Okabe and Ito (2008) without its yellow, which is invisible on
/// white; black is the text colour of the page.
pub const PALETTE: [&str; 7] = [
    "currentColor",
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
];

/// The colour with this number; they repeat.
pub fn color(index: usize) -> &'static str {
    PALETTE[index % PALETTE.len()]
}

/// The dashes of a line without gaps.
pub const UNBROKEN: &str = "none";

/// The dashes of a line with the colour of this number, so that lines of equal colour differ.
pub fn dashes(index: usize) -> &'static str {
    [UNBROKEN, "5 4", "2 4"][index / PALETTE.len() % 3]
}

/// A picture under construction; what is drawn first lies at the back.
#[derive(Default)]
pub struct Svg {
    body: String,
}

impl Svg {
    /// Adds an element without content; the values are escaped.
    pub fn shape(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.open(name, attributes);
        self.body.push_str("/>\n");
    }

    /// Adds a line of text; both the text and the values are escaped.
    pub fn text(&mut self, (x, y): (f64, f64), attributes: &[(&str, &str)], text: &str) {
        let place = [("x", &*number(x)), ("y", &*number(y))];
        self.open("text", &[&place, attributes].concat());
        // Writing to a string cannot fail.
        let _ = writeln!(self.body, ">{}</text>", escape(text));
    }

    /// Adds a straight line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), attributes: &[(&str, &str)]) {
        let ends = [
            ("x1", &*number(from.0)),
            ("y1", &*number(from.1)),
            ("x2", &*number(to.0)),
            ("y2", &*number(to.1)),
        ];
        self.shape("line", &[&ends, attributes].concat());
    }

    /// Adds a rectangle with this upper left corner and size.
    pub fn rect(&mut self, corner: (f64, f64), size: (f64, f64), attributes: &[(&str, &str)]) {
        let place = [
            ("x", &*number(corner.0)),
            ("y", &*number(corner.1)),
            ("width", &*number(size.0)),
            ("height", &*number(size.1)),
        ];
        self.shape("rect", &[&place, attributes].concat());
    }

    /// The complete picture: it scales to the available width, up to its natural size times `grow`.
    pub fn finish(self, title: &str, (width, height): (f64, f64), grow: f64) -> String {
        let title = escape(title);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"100%\" \
             style=\"max-width:{most}px\" role=\"img\" aria-label=\"{title}\" \
             font-family=\"system-ui,-apple-system,Segoe UI,Roboto,sans-serif\" \
             fill=\"currentColor\">\n<title>{title}</title>\n{body}</svg>\n",
            w = number(width),
            h = number(height),
            most = number(width * grow),
            body = self.body
        )
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        let _ = write!(self.body, "<{name}");
        for (name, value) in attributes {
            let _ = write!(self.body, " {name}=\"{}\"", escape(value));
        }
    }
}

/// A coordinate, to a tenth of a pixel.
pub fn number(value: f64) -> String {
    let tenths = (value * 10.0).round() / 10.0;
    if tenths == 0.0 {
        return "0".to_owned();
    }
    tenths.to_string()
}

/// Text escaped for any place in XML or HTML.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' => escaped.push('\n'),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

/// At most `most` characters, the last one `…` when some were cut.
pub fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars()
        .take(most.saturating_sub(1))
        .chain(['…'])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        let mut svg = Svg::default();
        svg.text(
            (0.0, 0.0),
            &[("fill", "\"><script>")],
            "</text><script>alert('x')</script>\0",
        );
        let picture = svg.finish("<img src=x onerror=\"x\">", (1.0, 1.0), 1.0);
        assert!(!picture.contains("<script"));
        assert!(!picture.contains("<img"));
        assert!(!picture.contains('\0'));
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!(number(12.04), "12");
        assert_eq!(number(-0.01), "0");
        assert_eq!(number(3.25), "3.3");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shorten("äöüß", 4), "äöüß");
        assert_eq!(shorten("äöüßx", 4), "äöü…");
    }
}
