//! Records and their fields.

use std::borrow::Cow;

use super::Problem;

/// What stands between two fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separator {
    /// This byte.
    Byte(u8),
    /// Blanks and tabs, as many as there are.
    Blanks,
}

/// What is wrong with quotes that are opened and not closed.
pub const OPEN: &str = "the field in quotes never ends";

/// Where a field lies in the text; without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
    /// Whether it is quoted; two quotes in it are one.
    pub is_quoted: bool,
}

impl Field {
    /// What it says, without blanks around it.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let inside = &text[self.start..self.end];
        match self.is_quoted && inside.contains("\"\"") {
            true => Cow::Owned(inside.replace("\"\"", "\"").trim().to_owned()),
            false => Cow::Borrowed(inside.trim()),
        }
    }
}

/// Goes through the records of a text; blank lines and comments are passed over.
#[derive(Clone, Debug)]
pub struct Scanner<'t> {
    text: &'t [u8],
    /// Where the next record begins.
    pub at: usize,
    separator: Separator,
    comment: Option<&'t [u8]>,
}

impl<'t> Scanner<'t> {
    /// From this byte of a text on.
    pub fn new(text: &'t str, at: usize, separator: Separator, comment: Option<&'t str>) -> Self {
        Self::of_bytes(text.as_bytes(), at, separator, comment)
    }

    /// The same of bytes that may not be text.
    pub fn of_bytes(
        text: &'t [u8],
        at: usize,
        separator: Separator,
        comment: Option<&'t str>,
    ) -> Self {
        Self {
            text,
            at,
            separator,
            comment: comment.map(str::as_bytes),
        }
    }

    /// The fields of the next record; whether there is one.
    pub fn next(&mut self, fields: &mut Vec<Field>) -> Result<bool, Problem> {
        fields.clear();
        while self.at < self.text.len() {
            if self.is_passed_over() {
                self.at = self.end_of_line(self.at) + 1;
                continue;
            }
            match self.separator {
                Separator::Byte(separator) => self.separated(separator, fields)?,
                Separator::Blanks => self.spaced(fields)?,
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Whether this line is blank or a comment.
    fn is_passed_over(&self) -> bool {
        let rest = &self.text[self.at..];
        // Tabs that separate are fields.
        let is_blank = |byte: &u8| match byte {
            b' ' | b'\r' => true,
            b'\t' => self.separator != Separator::Byte(b'\t'),
            _ => false,
        };
        match rest[0] {
            b' ' | b'\t' | b'\r' | b'\n' => {
                let first = rest.iter().position(|byte| !is_blank(byte));
                match first {
                    None => true,
                    Some(first) => rest[first] == b'\n' || self.is_comment(&rest[first..]),
                }
            }
            _ => self.is_comment(rest),
        }
    }

    fn is_comment(&self, rest: &[u8]) -> bool {
        self.comment
            .is_some_and(|comment| rest.starts_with(comment))
    }

    fn end_of_line(&self, from: usize) -> usize {
        let rest = &self.text[from..];
        rest.iter()
            .position(|byte| *byte == b'\n')
            .map_or(self.text.len(), |end| from + end)
    }

    fn separated(&mut self, separator: u8, fields: &mut Vec<Field>) -> Result<(), Problem> {
        let mut start = self.at;
        loop {
            let mut end = start;
            while end < self.text.len() && self.text[end] != separator && self.text[end] != b'\n' {
                if self.text[end] == b'"' && self.is_blank_between(start, end) {
                    break;
                }
                end += 1;
            }
            if self.text.get(end) == Some(&b'"') {
                let close = self.closing_quote(end)?;
                fields.push(Field {
                    start: end + 1,
                    end: close,
                    is_quoted: true,
                });
                end = close + 1;
                while matches!(self.text.get(end), Some(b' ' | b'\r')) {
                    end += 1;
                }
                if !matches!(self.text.get(end), None | Some(b'\n'))
                    && self.text.get(end) != Some(&separator)
                {
                    return Err(Problem::new(
                        end,
                        format!(
                            "expected `{}` or the end of the line after a field in quotes",
                            char::from(separator).escape_default()
                        ),
                    ));
                }
            } else {
                let is_last = end == self.text.len() || self.text[end] == b'\n';
                let cut = is_last && end > start && self.text[end - 1] == b'\r';
                fields.push(Field {
                    start,
                    end: end - usize::from(cut),
                    is_quoted: false,
                });
            }
            match self.text.get(end) {
                Some(byte) if *byte == separator => start = end + 1,
                _ => {
                    self.at = end + 1;
                    return Ok(());
                }
            }
        }
    }

    fn spaced(&mut self, fields: &mut Vec<Field>) -> Result<(), Problem> {
        let mut at = self.at;
        loop {
            while matches!(self.text.get(at), Some(b' ' | b'\t' | b'\r')) {
                at += 1;
            }
            match self.text.get(at) {
                None | Some(b'\n') => {
                    self.at = at + 1;
                    return Ok(());
                }
                Some(b'"') => {
                    let close = self.closing_quote(at)?;
                    fields.push(Field {
                        start: at + 1,
                        end: close,
                        is_quoted: true,
                    });
                    at = close + 1;
                }
                Some(_) => {
                    let start = at;
                    while !matches!(self.text.get(at), None | Some(b' ' | b'\t' | b'\r' | b'\n')) {
                        at += 1;
                    }
                    fields.push(Field {
                        start,
                        end: at,
                        is_quoted: false,
                    });
                }
            }
        }
    }

    fn is_blank_between(&self, start: usize, end: usize) -> bool {
        self.text[start..end].iter().all(|byte| *byte == b' ')
    }

    fn closing_quote(&self, open: usize) -> Result<usize, Problem> {
        let mut at = open + 1;
        loop {
            match self.text[at..].iter().position(|byte| *byte == b'"') {
                None => {
                    return Err(Problem::new(open, OPEN));
                }
                Some(found) if self.text.get(at + found + 1) == Some(&b'"') => at += found + 2,
                Some(found) => return Ok(at + found),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str, separator: Separator) -> Result<Vec<Vec<String>>, Problem> {
        let mut scanner = Scanner::new(text, 0, separator, Some("#"));
        let (mut records, mut fields) = (Vec::new(), Vec::new());
        while scanner.next(&mut fields)? {
            records.push(
                fields
                    .iter()
                    .map(|field| field.text(text).into_owned())
                    .collect(),
            );
        }
        Ok(records)
    }

    #[test]
    fn records_are_cut_into_fields() {
        let comma = Separator::Byte(b',');
        let cut = |text| records(text, comma).expect("records");
        assert_eq!(cut("a,b\r\n1,\r\n"), [["a", "b"], ["1", ""]]);
        assert_eq!(cut("a\n\n  \n#c\n1"), [["a"], ["1"]]);
        assert_eq!(cut("\"a, \"\"b\"\"\nc\" ,2\n"), [["a, \"b\"\nc", "2"]]);
        assert_eq!(cut(",,\n"), [["", "", ""]]);
        let tab = records("a\tb\n\t\n", Separator::Byte(b'\t')).expect("records");
        assert_eq!(tab, [["a", "b"], ["", ""]]);
        let blanks = records("  a  b \n 1\t2\r\n", Separator::Blanks).expect("records");
        assert_eq!(blanks, [["a", "b"], ["1", "2"]]);
    }

    #[test]
    fn what_is_wrong_with_quotes_is_told() {
        let comma = Separator::Byte(b',');
        assert_eq!(records("a,\"b", comma).expect_err("open").at, 2);
        assert_eq!(records("\"a\"b,c", comma).expect_err("more").at, 3);
    }
}
