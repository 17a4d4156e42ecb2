//! The valid choice a mistyped name was meant to be.

use crate::diagnostic::Diagnostic;
use crate::foreign;
use crate::name::is_bare;

/// The choice that differs by the fewest typing slips, when they are few: one, or one for every
/// three letters, and never as many as there are letters. One that differs only in the case of its
/// letters is the nearest.
pub fn nearest<'a>(name: &str, choices: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = name.chars().count();
    let most = (letters / 3).max(1);
    choices
        .into_iter()
        .filter(|choice| *choice != name)
        // Of as few slips, a word that one of the two begins with is nearer.
        .map(|choice| {
            let begins = name.starts_with(choice) || choice.starts_with(name);
            let slips = match name.eq_ignore_ascii_case(choice) {
                true => 0,
                false => strsim::osa_distance(name, choice),
            };
            (slips, !begins, choice)
        })
        .filter(|(slips, _, choice)| *slips <= most && *slips < letters.min(choice.chars().count()))
        .min()
        .map(|(_, _, choice)| choice)
}

/// `a`, `b`, `c` in backticks.
pub fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// `1 argument`, `2 arguments`.
pub fn count(arguments: usize) -> String {
    match arguments {
        1 => "1 argument".to_owned(),
        _ => format!("{arguments} arguments"),
    }
}

/// `a parent`, `an anomaly`, with the word in backticks; `data` and `weights` are many already.
pub fn a(word: &str) -> String {
    if matches!(word, "data" | "weights") {
        return format!("`{word}`");
    }
    let article = if word.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O', 'U']) {
        "an"
    } else {
        "a"
    };
    format!("{article} `{word}`")
}

/// `a`, `a or b`, `a, b or c`.
pub fn either(choices: &[String]) -> String {
    match choices {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// Whether a text can be written as a name, or as names with points between them.
fn is_name(text: &str) -> bool {
    text.split('.').all(is_bare)
}

impl Diagnostic {
    /// The same with the nearest choice as a hint and a fix, if any is near. The name is what
    /// the first place of the diagnostic holds.
    pub(crate) fn meant<'a>(
        self,
        name: &str,
        choices: impl IntoIterator<Item = &'a str>,
    ) -> Diagnostic {
        let told = match nearest(name, choices) {
            Some(choice) => {
                let place = self.labels.first().map(|label| label.span);
                let diagnostic = self.hint(format!("did you mean `{choice}`?"));
                match place.filter(|_| is_name(choice)) {
                    Some(place) => diagnostic.fix(place, choice),
                    None => diagnostic,
                }
            }
            None => self,
        };
        match foreign::word(name) {
            Some(hint) => told.hint(hint),
            None => told,
        }
    }

    /// The same with all choices as a hint; none when there are none.
    pub(crate) fn choices<'a>(
        self,
        what: &str,
        choices: impl IntoIterator<Item = &'a str>,
    ) -> Diagnostic {
        let list = quoted(choices);
        if list.is_empty() {
            self
        } else {
            self.hint(format!("{what}: {list}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn only_few_slips_are_forgiven() {
        assert_eq!(nearest("dept", ["depth", "lat"]), Some("depth"));
        assert_eq!(nearest("finetun", ["window", "finetune"]), Some("finetune"));
        assert_eq!(nearest("x", ["depth", "lat"]), None);
        assert_eq!(nearest("x", ["y", "ab", "xy"]), None);
        assert_eq!(nearest("la", ["lat", "lon"]), Some("lat"));
        assert_eq!(nearest("sinn", ["sign", "sin"]), Some("sin"));
        assert_eq!(nearest("mea", ["med", "mean"]), Some("mean"));
    }
}
