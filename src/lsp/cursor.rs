//! Where the cursor is, by the text alone: it also works while a statement is half written.

use dsl::ast::File;

/// The call that the cursor is an argument of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What is called: `where`, `ocean.deep`.
    pub callee: String,
    /// The arguments before this one without a name.
    pub positional: usize,
    /// The names of arguments written before.
    pub named: Vec<String>,
    /// The name of this argument, where it has one.
    pub label: Option<String>,
    /// Whether nothing is written of this argument yet, apart from a word.
    pub fresh: bool,
}

/// The place of the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The first byte of the item.
    pub item: usize,
    /// The first byte of the word at the cursor; the cursor itself where there is none.
    pub word: usize,
    /// The item up to the word.
    pub head: String,
    /// The innermost call around the cursor.
    pub frame: Option<Frame>,
    /// What is written of a text in quotes, where the cursor is inside of one.
    pub quoted: Option<String>,
    /// The brackets that are open at the cursor, the innermost last.
    pub open: Vec<char>,
}

impl Cursor {
    pub fn at(text: &str, tree: &File, byte: usize) -> Self {
        let item = tree.items.iter().map(|item| item.span.start as usize);
        let item = item.filter(|start| *start <= byte).max().unwrap_or(0);
        // Text after an item that ended is another item.
        let mut cursor = Self::from(text, item, byte);
        let line = text[..byte].rfind('\n').map_or(0, |at| at + 1);
        if cursor.open.is_empty() && cursor.quoted.is_none() && line > item {
            cursor = Self::from(text, line, byte);
        }
        cursor
    }

    fn from(text: &str, item: usize, byte: usize) -> Self {
        let word = text[item..byte].trim_end_matches(is_word).len() + item;
        let mut cursor = Self {
            item,
            word,
            head: text[item..word].to_owned(),
            frame: None,
            quoted: None,
            open: Vec::new(),
        };
        cursor.scan();
        cursor
    }

    /// Reads the head from left to right.
    fn scan(&mut self) {
        let head = self.head.clone();
        let mut frames: Vec<(char, Frame)> = Vec::new();
        let mut last = String::new();
        let mut chars = head.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '#' => while chars.next_if(|(_, c)| *c != '\n').is_some() {},
                '"' => {
                    let start = at + 1;
                    let mut closed = false;
                    while let Some((_, c)) = chars.next() {
                        match c {
                            '\\' => drop(chars.next()),
                            '"' => {
                                closed = true;
                                break;
                            }
                            _ => {}
                        }
                    }
                    if !closed {
                        self.quoted = Some(head[start..].to_owned());
                    }
                    used(&mut frames);
                    last.clear();
                }
                '(' | '[' => {
                    used(&mut frames);
                    let frame = Frame {
                        callee: if c == '(' {
                            last.clone()
                        } else {
                            String::new()
                        },
                        positional: 0,
                        named: Vec::new(),
                        label: None,
                        fresh: true,
                    };
                    frames.push((c, frame));
                    last.clear();
                }
                ')' | ']' => {
                    frames.pop();
                    last.clear();
                }
                ',' => {
                    if let Some((_, frame)) = frames.last_mut() {
                        match frame.label.take() {
                            Some(label) => frame.named.push(label),
                            None => frame.positional += 1,
                        }
                        frame.fresh = true;
                    }
                    last.clear();
                }
                ':' => {
                    if let Some((_, frame)) = frames.last_mut() {
                        frame.label = Some(std::mem::take(&mut last));
                        frame.fresh = true;
                    }
                }
                c if is_word(c) || c == '.' => {
                    let follows = at > 0 && head[..at].ends_with(char::is_whitespace);
                    if follows && c != '.' {
                        if !last.is_empty() {
                            used(&mut frames);
                        }
                        last.clear();
                    }
                    last.push(c);
                }
                c if c.is_whitespace() => {}
                _ => {
                    used(&mut frames);
                    last.clear();
                }
            }
        }
        self.open = frames.iter().map(|(bracket, _)| *bracket).collect();
        let inside_list =
            |(bracket, frame): &(char, Frame)| (*bracket == '(').then(|| frame.clone());
        self.frame = frames.iter().rev().find_map(inside_list);
        if let (Some(frame), false) = (&mut self.frame, last.is_empty()) {
            // `name.` is the start of a word; another word before this one is an operand.
            frame.fresh &= last.ends_with('.');
        }
    }

    /// The module that a dotted word starts with: `ocean` in `ocean.de`.
    pub fn module(&self) -> Option<&str> {
        let path = self.head.strip_suffix('.')?;
        let start = path
            .char_indices()
            .rev()
            .take_while(|(_, c)| is_word(*c) || *c == '.')
            .last()?
            .0;
        Some(&path[start..])
    }

    /// The item with the word replaced by a placeholder and its brackets closed: what can be
    /// checked to find out what is known around the cursor.
    pub fn completed(&self, placeholder: &str) -> String {
        let mut text = self.head.clone();
        match self.quoted {
            Some(_) => text.push('"'),
            None => text.push_str(placeholder),
        }
        let close = |c: &char| if *c == '(' { ')' } else { ']' };
        text.extend(self.open.iter().rev().map(close));
        text
    }
}

/// Whether a character can be in a name.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn used(frames: &mut [(char, Frame)]) {
    if let Some((_, frame)) = frames.last_mut() {
        frame.fresh = false;
    }
}

#[cfg(test)]
mod tests {
    use dsl::parse::parse;
    use dsl::source::FileId;

    use super::*;

    /// The cursor at `|`.
    fn at(text: &str) -> Cursor {
        let byte = text.find('|').unwrap();
        let text = text.replace('|', "");
        Cursor::at(&text, &parse(FileId(0), &text).0, byte)
    }

    #[test]
    fn the_call_around_the_cursor_is_found_in_broken_text() {
        let cursor =
            at("data a = csv(\"x)\")\nsubset near = window(where(a, z > 1), by: z|\ndata b");
        let frame = cursor.frame.clone().unwrap();
        assert_eq!(frame.callee, "window");
        assert_eq!((frame.positional, frame.label.as_deref()), (1, Some("by")));
        assert!(frame.fresh);
        assert_eq!(
            cursor.completed("x"),
            "subset near = window(where(a, z > 1), by: x)"
        );
        let inner = at("data b = where(a, z > |");
        assert_eq!(inner.frame.map(|frame| frame.fresh), Some(false));
        let list = at("parent n = mlp(a, inputs: [x, |");
        assert_eq!(list.frame.clone().unwrap().label.as_deref(), Some("inputs"));
        assert_eq!(list.completed("q"), "parent n = mlp(a, inputs: [x, q])");
        assert_eq!(at("use \"b/a.far|").quoted.as_deref(), Some("b/a."));
        assert_eq!(at("data a = csv(\"x\")\npar|").head, "");
        assert_eq!(at("data a = ocean.de|").module(), Some("ocean"));
    }
}
