//! A table of a page as a link to a file, which holds it in the link itself.

/// The table as CSV in a `data:` address, with the plain minus sign that programs read.
pub fn link(header: &[String], rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for row in [header].into_iter().chain(rows.iter().map(Vec::as_slice)) {
        let cells: Vec<String> = row.iter().map(|cell| quoted(cell)).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    let mut link = "data:text/csv;charset=utf-8,".to_owned();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b',' | b'-' | b'.' | b'_' => {
                link.push(byte.into());
            }
            other => link.push_str(&format!("%{other:02X}")),
        }
    }
    link
}

fn quoted(cell: &str) -> String {
    let cell = cell.replace('\u{2212}', "-");
    match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_holds_its_table() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let link = link(&row(["a", "b\"c"]), &[row(["\u{2212}1.5", "x, y"])]);
        assert_eq!(
            link,
            "data:text/csv;charset=utf-8,a,%22b%22%22c%22%0D%0A-1.5,%22x,%20y%22%0D%0A"
        );
    }
}
