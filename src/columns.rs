//! Text in aligned columns.

/// The rows with every cell as wide as its column, two spaces between; one line each.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(&widths);
            let line: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            format!("{}\n", line.join("  ").trim_end())
        })
        .collect()
}

/// The same for a terminal of this width: what does not fit goes on below, under the last column
/// where that leaves room for words.
pub fn aligned_within(rows: &[Vec<String>], width: Option<u16>) -> String {
    let text = aligned(rows);
    let Some(width) = width.map(usize::from) else {
        return text;
    };
    let last = rows
        .iter()
        .map(Vec::len)
        .max()
        .unwrap_or(0)
        .saturating_sub(1);
    let before = rows.iter().map(|row| {
        let cells = row.iter().take(last);
        cells.map(|cell| cell.chars().count()).collect::<Vec<_>>()
    });
    let mut start = 2 * last;
    let widths: Vec<Vec<usize>> = before.collect();
    for column in 0..last {
        let cells = widths.iter().filter_map(|row| row.get(column));
        start += cells.copied().max().unwrap_or(0);
    }
    let indent = if start + ROOM <= width { start } else { 4 };
    text.lines()
        .map(|line| broken(line, width, indent))
        .collect()
}

/// The columns that the last cell must have to be broken below its own start.
const ROOM: usize = 24;

/// A line broken at spaces, each with its end.
fn broken(line: &str, width: usize, indent: usize) -> String {
    let mut text = String::new();
    let mut rest = line;
    let mut margin = 0;
    while margin + rest.chars().count() > width {
        let fits = rest.char_indices().nth(width - margin.min(width));
        // The space after words that fit just so is a place to break, too.
        let end = fits.map_or(rest.len(), |(at, next)| at + usize::from(next == ' '));
        let blank = if margin == 0 { indent } else { 0 };
        // At a space, but not in the blanks before the last cell.
        let Some(at) = rest[..end].rfind(' ').filter(|at| *at > blank.min(end)) else {
            break;
        };
        text.push_str(&" ".repeat(margin));
        text.push_str(rest[..at].trim_end());
        text.push('\n');
        rest = rest[at..].trim_start();
        margin = indent;
    }
    text + &" ".repeat(margin) + rest + "\n"
}

#[cfg(test)]
mod tests {
    use super::{aligned, aligned_within};

    #[test]
    fn what_does_not_fit_goes_on_below() {
        let rows = [
            vec![
                "one".into(),
                "several words that are longer than the rest of the line".into(),
            ],
            vec!["other".into(), "short".into()],
        ];
        let expected = "\
one    several words that are longer
       than the rest of the line
other  short
";
        assert_eq!(aligned_within(&rows, Some(36)), expected);
        assert_eq!(aligned_within(&rows, None), aligned(&rows));
        let wide = [vec!["a".repeat(30), "95 % interval".into()]];
        let expected = format!("{}  95 %\n    interval\n", "a".repeat(30));
        assert_eq!(aligned_within(&wide, Some(36)), expected);
        let endless = [vec!["a".repeat(50)]];
        assert_eq!(aligned_within(&endless, Some(36)), aligned(&endless));
    }

    #[test]
    fn cells_stand_below_each_other() {
        let rows = [vec!["é".into(), "b".into()], vec!["long".into()]];
        assert_eq!(aligned(&rows), "é     b\nlong\n");
    }
}
