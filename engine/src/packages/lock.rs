//! `farcast.lock`: what every source was when it was fetched.
//!
//! One block for each source, sorted; no times, and nothing of this machine. Which package uses
//! which is not repeated: that is in the `farcast.toml` of each, whose digest is in the tree.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::manifest::{is_commit, name_fault};
use crate::digest::Digest;

/// The file beside `farcast.toml`.
pub const LOCK: &str = "farcast.lock";

const HEAD: &str = "# What each dependency was when `farcast fetch` found it. Keep this file.\n";

/// All sources, by their text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// What each is.
    pub packages: BTreeMap<String, Locked>,
}

/// What a source was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// What it is called by whoever uses it; for people.
    pub name: String,
    /// The commit; empty for what is not a repository.
    pub commit: String,
    /// The digest of its files.
    pub tree: Digest,
}

impl Lock {
    /// Reads the text of a lock.
    ///
    /// # Errors
    /// What is wrong, with the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let line = |at: usize| 1 + text[..at.min(text.len())].matches('\n').count();
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            format!("line {}: {}", line(at), error.message().replace('\n', ", "))
        })?;
        let mut lock = Self::default();
        for (key, value) in table.get_ref() {
            let DeValue::Array(blocks) = value.get_ref() else {
                return Err(format!(
                    "line {}: expected `[[package]]`",
                    line(key.span().start)
                ));
            };
            for block in blocks.iter() {
                let at = line(block.span().start);
                let DeValue::Table(block) = block.get_ref() else {
                    return Err(format!("line {at}: expected `[[package]]`"));
                };
                let text = |name: &str| match block.get(name).map(|it| it.get_ref()) {
                    Some(DeValue::String(text)) => Ok(text.to_string()),
                    _ => Err(format!("line {at}: the package has no `{name}`")),
                };
                let (source, tree) = (text("source")?, text("tree")?);
                let digest = tree.strip_prefix("blake3:").and_then(|it| it.parse().ok());
                let locked = Locked {
                    name: text("name")?,
                    commit: text("commit").unwrap_or_default(),
                    tree: digest.ok_or_else(|| format!("line {at}: `{tree}` is not a digest"))?,
                };
                // Both become parts of paths and commands.
                if name_fault(&locked.name).is_some() {
                    return Err(format!(
                        "line {at}: `{}` is not the name of a package",
                        locked.name
                    ));
                }
                if !locked.commit.is_empty() && !is_commit(&locked.commit) {
                    return Err(format!("line {at}: `{}` is not a commit", locked.commit));
                }
                let before = lock.packages.insert(source.clone(), locked.clone());
                if before.is_some_and(|before| before.tree != locked.tree) {
                    return Err(format!(
                        "line {at}: `{source}` is there twice, with different trees: \
                         run `farcast fetch` on one side of the merge"
                    ));
                }
            }
        }
        Ok(lock)
    }

    /// Its text.
    pub fn text(&self) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut text = HEAD.to_owned();
        let mut blocks: Vec<(&String, &Locked)> = self.packages.iter().collect();
        blocks.sort_by_key(|(source, locked)| (&locked.name, *source));
        for (source, locked) in blocks {
            text += "\n[[package]]\n";
            text += &format!("name = {}\n", quoted(&locked.name));
            text += &format!("source = {}\n", quoted(source));
            if !locked.commit.is_empty() {
                text += &format!("commit = {}\n", quoted(&locked.commit));
            }
            text += &format!("tree = \"blake3:{}\"\n", locked.tree);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_comes_back_and_a_bad_merge_is_told() {
        let locked = |name: &str, content: &[u8]| Locked {
            name: name.to_owned(),
            commit: "01".repeat(20),
            tree: Digest::of(content),
        };
        let mut lock = Lock::default();
        lock.packages
            .insert("git b tag v1".to_owned(), locked("b", b"1"));
        lock.packages
            .insert("git a tag v1".to_owned(), locked("z", b"2"));
        let text = lock.text();
        assert_eq!(Lock::parse(&text).unwrap(), lock);
        assert!(text.find("name = \"b\"") < text.find("name = \"z\""));
        let mut other = lock.clone();
        other
            .packages
            .insert("git b tag v1".to_owned(), locked("b", b"3"));
        let merged = text.clone() + &other.text();
        assert!(Lock::parse(&merged).unwrap_err().contains("is there twice"));
        assert_eq!(Lock::parse(&(text.clone() + &text)).unwrap(), lock);
        for (from, to) in [
            ("name = \"b\"", "name = \"../b\""),
            (&*"01".repeat(20), "--exec=x"),
        ] {
            assert!(
                Lock::parse(&text.replace(from, to))
                    .unwrap_err()
                    .contains("is not"),
                "{to}"
            );
        }
        assert!(
            Lock::parse("[[package]]\nname = 3\n")
                .unwrap_err()
                .starts_with("line 1")
        );
    }
}
