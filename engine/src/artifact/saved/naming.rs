//! Which step of which run a model is, as its name says it.

use super::super::tensor_file::shown;
use super::model::SavedModel;

/// A pattern for the name of a model, such as `epoch={}-step={step}`: `{step}` matches a whole
/// number, `{member}` and `{}` for any text without `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<TemplatePart>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum TemplatePart {
    Text(String),
    Step,
    Member,
    Any,
}

/// What the names of models say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naming {
    /// Where the step is in a name; without it, what the name leaves no doubt of.
    pub step: Option<Template>,
    /// Where the run is in a name; without it, the first text that the path leaves open.
    pub member: Option<Template>,
}

impl Template {
    /// Of a text.
    ///
    /// # Errors
    /// What is wrong with it: another word in braces, or none of those that are needed.
    pub fn of(text: &str, needed: &str) -> Result<Self, String> {
        let text = text.strip_suffix(".safetensors").unwrap_or(text);
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (word, after) =
                (after.split_once('}')).ok_or_else(|| "expected `}` after `{`".to_owned())?;
            if !before.is_empty() {
                pieces.push(TemplatePart::Text(before.to_owned()));
            }
            pieces.push(match word {
                "step" => TemplatePart::Step,
                "member" => TemplatePart::Member,
                "" => TemplatePart::Any,
                other => {
                    let message = format!("expected `{{{needed}}}` or `{{}}`, found `{{{other}}}`");
                    return Err(message);
                }
            });
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(TemplatePart::Text(rest.to_owned()));
        }
        let wanted = match needed {
            "step" => TemplatePart::Step,
            _ => TemplatePart::Member,
        };
        match pieces.iter().filter(|piece| **piece == wanted).count() {
            1 => Ok(Self { pieces }),
            0 => Err(format!(
                "expected `{{{needed}}}` in it, as in `run-{{{needed}}}`"
            )),
            _ => Err(format!("expected one `{{{needed}}}`")),
        }
    }

    /// What a piece matches in the first place of a name where the template fits.
    fn find(&self, name: &str, wanted: &TemplatePart) -> Option<String> {
        let chars: Vec<char> = name.chars().collect();
        (0..=chars.len()).find_map(|start| {
            // A number begins where its digits do.
            let inside = start > 0 && chars[start - 1].is_ascii_digit();
            match self.pieces.first() {
                Some(TemplatePart::Step) if inside => None,
                _ => fit(&self.pieces, &chars[start..], wanted)?,
            }
        })
    }
}

/// How pieces fit the beginning of a name: what the wanted one matches.
fn fit(pieces: &[TemplatePart], name: &[char], wanted: &TemplatePart) -> Option<Option<String>> {
    let Some((piece, rest)) = pieces.split_first() else {
        return Some(None);
    };
    let found = |length: usize| -> Option<String> {
        (piece == wanted).then(|| name[..length].iter().collect())
    };
    let with = |length: usize| {
        let after = fit(rest, &name[length..], wanted)?;
        Some(after.or_else(|| found(length)))
    };
    match piece {
        TemplatePart::Text(text) => {
            let length = text.chars().count();
            let is_here = name.len() >= length && text.chars().eq(name[..length].iter().copied());
            is_here.then(|| with(length))?
        }
        TemplatePart::Step => {
            let digits = name.iter().take_while(|c| c.is_ascii_digit()).count();
            // What follows in the pattern may be what follows the digits.
            let is_last = rest.is_empty() && goes_on(&name[digits..]);
            (digits > 0 && !is_last).then(|| with(digits))?
        }
        TemplatePart::Member | TemplatePart::Any => {
            let most = name.iter().take_while(|c| **c != '/').count();
            match rest.is_empty() {
                true => with(most),
                false => (0..=most).find_map(with),
            }
        }
    }
}

/// A number in a name.
struct Number {
    text: String,
    start: usize,
    end: usize,
}

impl Naming {
    /// The step of a model: what its metadata say, or else its name.
    ///
    /// # Errors
    /// Why there is none, or which of several it could be; with what to do.
    pub fn step(&self, model: &SavedModel) -> Result<u64, (String, String)> {
        let metadata = model.metadata("step").filter(|_| self.step.is_none());
        let Some(text) = metadata else {
            return self.step_of_name(&model.name, &model.open);
        };
        let hint = || "write `step:` with a pattern for the name".to_owned();
        let Ok(step) = text.trim().parse() else {
            let message = format!("expected a step in its metadata, found `{}`", shown(text));
            return Err((message, hint()));
        };
        match called_step(&model.name, &model.open) {
            Some(other) if other != step => {
                let message = format!("its metadata say step {step}, its name step {other}");
                Err((message, hint()))
            }
            _ => Ok(step),
        }
    }

    /// The step that a name says.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn step_of_name(&self, name: &str, open: &[bool]) -> Result<u64, (String, String)> {
        let hint = || {
            let name = name.rsplit('/').next().unwrap_or(name);
            format!("say where it is, as in `step: \"{}\"`", example(name))
        };
        if let Some(template) = &self.step {
            let step = template.find(name, &TemplatePart::Step);
            let step = step.and_then(|step| step.parse().ok());
            let message = "its name does not fit the pattern `step`".to_owned();
            return step.ok_or_else(|| (message, format!("its name is `{name}`")));
        }
        let all = open_numbers(name, open);
        let open: Vec<&Number> = all.iter().collect();
        let labelled = open.iter().filter(|number| is_labelled(name, number));
        let labelled: Vec<&Number> = labelled.copied().collect();
        let chars: Vec<char> = name.chars().collect();
        // `step_10_000` may be one number.
        let has_thousands = |number: &Number| goes_on(&chars[number.end..]);
        let step = match (&open[..], &labelled[..]) {
            ([only], _) => *only,
            (_, [only]) if !has_thousands(only) => *only,
            ([], _) => {
                let message = "expected a step in its name, found none".to_owned();
                return Err((
                    message,
                    "put it there, or in the metadata as `step`".to_owned(),
                ));
            }
            (several, _) => {
                let several: Vec<String> = several
                    .iter()
                    .map(|number| format!("`{}`", number.text))
                    .collect();
                let message = format!(
                    "its name has several numbers, {}: which is the step?",
                    several.join(" and ")
                );
                return Err((message, hint()));
            }
        };
        step.text.parse().map_err(|_| {
            let message = format!("expected a step in its name, found `{}`", step.text);
            let hint = "write steps as whole numbers of digits alone, in the names or in the \
                        metadata as `step`";
            (message, hint.to_owned())
        })
    }

    /// The name of the run that a model belongs to.
    pub fn member(&self, name: &str, open: &[bool]) -> Option<String> {
        if let Some(template) = &self.member {
            return template.find(name, &TemplatePart::Member);
        }
        let open = name.chars().zip(open).skip_while(|(_, is_open)| !**is_open);
        let first: String = open
            .take_while(|(c, is_open)| **is_open && *c != '/')
            .map(|(c, _)| c)
            .collect();
        (!first.is_empty()).then_some(first)
    }
}

/// A name with `{}` for its numbers and `{step}` for the last whole one.
fn example(name: &str) -> String {
    let (mut text, mut end) = (String::new(), 0);
    let chars: Vec<char> = name.chars().collect();
    let numbers = numbers(name);
    let is_whole = |number: &Number| number.text.bytes().all(|byte| byte.is_ascii_digit());
    let step = numbers.iter().rposition(is_whole).unwrap_or(0);
    for (at, number) in numbers.iter().enumerate() {
        text.extend(&chars[end..number.start]);
        text.push_str(if at == step { "{step}" } else { "{}" });
        end = number.end;
    }
    text.extend(&chars[end..]);
    text
}

/// The numbers in what a path leaves open of a name.
fn open_numbers(name: &str, open: &[bool]) -> Vec<Number> {
    let mut found = numbers(name);
    found.retain(|number| {
        let mut places = number.start..number.end;
        places.any(|at| open.get(at).copied().unwrap_or(true))
    });
    found
}

/// The step of a name that calls one number so.
fn called_step(name: &str, open: &[bool]) -> Option<u64> {
    let numbers = open_numbers(name, open);
    let mut called = numbers.iter().filter(|number| is_labelled(name, number));
    let step = called.next()?.text.parse().ok()?;
    called.next().is_none().then_some(step)
}

/// The numbers in a name, those with a fraction or a sign whole.
fn numbers(name: &str) -> Vec<Number> {
    let chars: Vec<char> = name.chars().collect();
    let is_digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        if !is_digit(at) {
            at += 1;
            continue;
        }
        let start = at - usize::from(is_minus(&chars, at));
        while is_digit(at) || (matches!(chars.get(at), Some('.' | ',')) && is_digit(at + 1)) {
            at += 1;
        }
        at += attached(&chars[at..]);
        found.push(Number {
            text: chars[start..at].iter().collect(),
            start,
            end: at,
        });
    }
    found
}

/// Whether the character before is a minus: a `-` after another sign that parts words.
fn is_minus(chars: &[char], at: usize) -> bool {
    let parts = |c: &char| matches!(c, '-' | '_' | '=' | ' ' | ':');
    at > 1 && chars[at - 1] == '-' && parts(&chars[at - 2])
}

/// How many characters after digits make another number of them: those of `e3` in `10e3`, of `k` in
/// `10k` and of `x1f` in `0x1f`.
fn attached(rest: &[char]) -> usize {
    let ends = |at: usize| !rest.get(at).is_some_and(char::is_ascii_alphanumeric);
    match rest {
        [letter, digit, ..] if letter.is_ascii_alphabetic() && digit.is_ascii_digit() => rest
            .iter()
            .take_while(|c| c.is_ascii_alphanumeric())
            .count(),
        [unit, ..] if "kKmMgGbB".contains(*unit) && ends(1) => 1,
        _ => 0,
    }
}

/// Whether digits are the first of a number that goes on after them, as in `1,000`, `1_000`, `10e3`.
fn goes_on(rest: &[char]) -> bool {
    let is_digit = |at: usize| rest.get(at).is_some_and(char::is_ascii_digit);
    let has_fraction = matches!(rest.first(), Some('.' | ',')) && is_digit(1);
    let has_thousands = rest.first() == Some(&'_') && (1..4).all(is_digit) && !is_digit(4);
    has_fraction || has_thousands || attached(rest) > 0
}

/// Whether the word before a number says that it is a step.
fn is_labelled(name: &str, number: &Number) -> bool {
    let before: String = name.chars().take(number.start).collect();
    let before = before
        .trim_end_matches(['-', '_', '=', ' ', '.'])
        .to_lowercase();
    before.ends_with("step") || before.ends_with("steps") || before.ends_with("checkpoint")
}

#[cfg(test)]
mod tests {
    use super::super::open::open_parts;
    use super::*;

    fn step(pattern: &str, name: &str, template: Option<&str>) -> Result<u64, String> {
        let parts = |text: &str| -> Vec<String> { text.split('/').map(str::to_owned).collect() };
        let naming = Naming {
            step: template.map(|text| Template::of(text, "step").unwrap()),
            member: None,
        };
        let open = open_parts(&parts(pattern), &parts(name));
        naming
            .step_of_name(name, &open)
            .map_err(|(message, _)| message)
    }

    #[test]
    fn the_step_is_the_number_that_leaves_no_doubt() {
        for (pattern, name, expected) in [
            ("step-*", "step-40", 40),
            ("*", "40", 40),
            // What the pattern names itself is not a step.
            ("seed3-*", "seed3-40", 40),
            ("run7/checkpoint-*/model", "run7/checkpoint-500/model", 500),
            ("v2-step-1*", "v2-step-1000", 1000),
            // Of several numbers, the one that is called a step.
            ("step=*", "step=40-val_loss=0.10", 40),
            ("*", "epoch=3-step=1200", 1200),
            ("*", "llama-7b-global_step1000", 1000),
            ("*/*", "checkpoint-10/model2", 10),
        ] {
            assert_eq!(step(pattern, name, None), Ok(expected), "{name}");
        }
        for (pattern, name, expected) in [
            ("*", "last", "expected a step in its name, found none"),
            (
                "*",
                "epoch=3-loss=0.25",
                "its name has several numbers, `3` and `0.25`: which is the step?",
            ),
            (
                "*",
                "step-1-step-2",
                "its name has several numbers, `1` and `2`: which is the step?",
            ),
            ("*", "step-0.5", "expected a step in its name, found `0.5`"),
            ("*", "step=-1", "expected a step in its name, found `-1`"),
            ("*", "step--5", "expected a step in its name, found `-5`"),
            (
                "*",
                "step-99999999999999999999",
                "expected a step in its name, found `99999999999999999999`",
            ),
        ] {
            assert_eq!(
                step(pattern, name, None),
                Err(expected.to_owned()),
                "{name}"
            );
        }
    }

    #[test]
    fn an_example_has_the_step_where_the_last_whole_number_is() {
        for (name, expected) in [
            ("resnet18_40", "resnet{}_{step}"),
            ("2024-01-31", "{}-{}-{step}"),
            ("epoch=3-loss=0.25", "epoch={step}-loss={}"),
            ("loss=0.25", "loss={step}"),
        ] {
            assert_eq!(example(name), expected);
        }
    }

    #[test]
    fn a_template_says_where_step_and_member_are() {
        for (template, name, expected) in [
            ("epoch={}-step={step}", "epoch=3-step=1200", Some(1200)),
            ("epoch={step}", "epoch=3-step=1200", Some(3)),
            ("{step}.safetensors", "run/12", Some(12)),
            ("{}-{step}-{}", "a-b-7-c", Some(7)),
            ("at{step}", "at", None),
            ("x{step}", "run/12", None),
        ] {
            assert_eq!(
                step("*", name, Some(template)).ok(),
                expected,
                "{template} {name}"
            );
        }
        let said = |text: &str| Template::of(text, "step").unwrap_err();
        assert_eq!(
            said("epoch={}"),
            "expected `{step}` in it, as in `run-{step}`"
        );
        assert_eq!(
            said("{epoch}-{step}"),
            "expected `{step}` or `{}`, found `{epoch}`"
        );
        assert_eq!(said("{step}{step}"), "expected one `{step}`");
        assert_eq!(said("{step"), "expected `}` after `{`");
        let member = |template: Option<&str>, name: &str| {
            let naming = Naming {
                step: None,
                member: template.map(|text| Template::of(text, "member").unwrap()),
            };
            let parts: Vec<String> = name.split('/').map(str::to_owned).collect();
            let open = open_parts(&["*".to_owned(), "step-*".to_owned()], &parts);
            naming.member(name, &open)
        };
        assert_eq!(member(None, "a1/step-3").as_deref(), Some("a1"));
        assert_eq!(
            member(Some("a{member}/"), "a1/step-3").as_deref(),
            Some("1")
        );
        assert_eq!(member(Some("b{member}/"), "a1/step-3"), None);
    }
}
