//! What must hold for every plugin and constructor, tried on the example of its documentation.

mod subject;
mod values;

use std::cell::RefCell;
use std::fs;
use std::path::Path;

use dsl::diagnostic::{Code, Diagnostic};
use dsl::format::format;
use dsl::signature::{Param, Signature};
use engine::digest::Digest;
use engine::observer::{Blame, Ending};
use engine::store::{MemStore, Store};

use self::subject::{CATALOG, Lowered, SUBJECTS, Subject, Written, example};
use self::values::{out_of_range, two_values, wrong_type};

/// Tells every complaint about every plugin and constructor at once.
fn every(property: impl Fn(&Subject) -> Vec<String>) {
    let complaints: Vec<String> = SUBJECTS
        .iter()
        .flat_map(|subject| {
            let name = &subject.signature.name;
            let told = property(subject).into_iter();
            told.map(move |complaint| format!("`{name}`: {complaint}"))
        })
        .collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// The same for every parameter.
fn every_parameter(property: impl Fn(&Subject, &Param) -> Vec<String>) {
    every(|subject| {
        let params = subject.signature.params.iter();
        params
            .flat_map(|param| {
                let told = property(subject, param).into_iter();
                told.map(move |complaint| format!("parameter `{}`: {complaint}", param.name))
            })
            .collect()
    });
}

#[test]
fn each_is_documented_with_an_example() {
    let complaints: Vec<String> = CATALOG
        .iter()
        .flat_map(|signature| {
            let told = undocumented(signature).into_iter();
            told.map(move |complaint| format!("`{}`: {complaint}", signature.name))
        })
        .collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

fn undocumented(signature: &Signature) -> Vec<String> {
    let mut complaints = Vec::new();
    let first = signature.doc.lines().next().unwrap_or_default();
    if !first.ends_with('.') {
        complaints.push(format!(
            "the first line is not a sentence of its own: {first:?}"
        ));
    }
    if !is_snake_case(&signature.name) {
        complaints.push("the name is not snake_case".to_owned());
    }
    if Subject::of(signature).is_none() {
        complaints.push("the documentation has no example that calls it".to_owned());
    }
    if example(signature).is_some_and(|text| format(text).as_deref() != Ok(text)) {
        complaints.push("the example is not in the layout of `farcast fmt`".to_owned());
    }
    for param in &signature.params {
        if !param.doc.ends_with('.') {
            complaints.push(format!(
                "parameter `{}` is not documented by a sentence",
                param.name
            ));
        }
        if !is_snake_case(&param.name) {
            complaints.push(format!("parameter `{}` is not snake_case", param.name));
        }
    }
    complaints
}

fn is_snake_case(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[test]
fn examples_run_to_the_same_bytes_whatever_the_threads_and_are_read_back() {
    every(|subject| {
        let runs = [1, 2].map(|jobs| subject.written.lower(&[])?.outcomes(jobs));
        match runs {
            [Ok(one), Ok(two)] if one == two => Vec::new(),
            [Ok(one), Ok(two)] => vec![format!(
                "two runs differ:\n  one job:  {one:?}\n  two jobs: {two:?}"
            )],
            [one, two] => [one, two].into_iter().filter_map(Result::err).collect(),
        }
    });
}

/// As if each file were replaced after its digest was taken and before it is read.
#[test]
fn a_file_that_is_not_the_one_in_the_key_leaves_no_result() {
    let readers = RefCell::new(Vec::new());
    every(|subject| {
        let other = |path: &str| Ok(Digest::of(path.as_bytes()));
        let lowered = match subject.written.lower_with(&[], &other) {
            Ok(lowered) => lowered,
            Err(why) => return vec![why],
        };
        let store = MemStore::default();
        let endings = lowered.endings_of_readers(&store);
        if !endings.is_empty() {
            readers.borrow_mut().push(subject.signature.name.clone());
        }
        let has_changed = |ending: &Ending| match ending {
            Ending::Failed(failure) => {
                failure.blame == Blame::Environment
                    && failure.message.ends_with("` changed while it was read")
            }
            Ending::NotNeeded | Ending::Skipped => true,
            _ => false,
        };
        let complaints = endings.into_iter().filter_map(|(action, ending)| {
            if store.find(&action.key.digest).is_some() {
                return Some(format!("a result is kept: {}", action.key.text));
            }
            (!has_changed(&ending)).then(|| format!("{ending:?}"))
        });
        complaints.collect()
    });
    let readers = readers.into_inner();
    for reader in [
        "checkpoints",
        "csv",
        "idx",
        "known",
        "netcdf",
        "nino",
        "parquet",
        "zarr",
    ] {
        assert!(readers.iter().any(|name| name == reader), "{reader}");
    }
}

#[test]
fn a_file_replaced_after_its_digest_was_taken_is_read_by_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.csv");
    let text = format!("data late = csv(\"{}\")", file.display());
    let call = 12..text.len();
    let written = Written { text, call };
    let digest = |path: &str| MemStore::default().file_digest(Path::new(path));
    let ended = |lowered: &Lowered, store: &MemStore| {
        let endings = lowered.endings_of_readers(store);
        endings.into_iter().map(|(_, ending)| ending).next()
    };
    let store = MemStore::default();
    fs::write(&file, "a\n1\n").unwrap();
    let replace = |path: &str| {
        let before = digest(path);
        fs::write(path, "a\n2\n")?;
        before
    };
    let late = written.lower_with(&[], &replace).unwrap();
    let Some(Ending::Failed(failure)) = ended(&late, &store) else {
        panic!("the file is not the one in the key");
    };
    let expected = format!("`{}` changed while it was read", file.display());
    assert_eq!(failure.message, expected);

    let next = written.lower(&[]).unwrap();
    assert!(matches!(ended(&next, &store), Some(Ending::Ran(_))));
    // What failed left nothing behind for the file as it was.
    fs::write(&file, "a\n1\n").unwrap();
    let first = written.lower(&[]).unwrap();
    assert_eq!(first.keys(), late.keys());
    assert!(matches!(ended(&first, &store), Some(Ending::Ran(_))));
    let clean = first.outcomes(1).unwrap();
    let record = store.find(&first.keys()[0]).unwrap();
    assert_eq!((record.outcome, record.notes), clean[0]);
}

#[test]
fn a_default_written_out_changes_no_key() {
    every_parameter(|subject, param| {
        let Some(default) = &param.default else {
            return Vec::new();
        };
        if subject.gives(param) {
            return Vec::new();
        }
        let same = keys(&subject.written).and_then(|before| {
            let after = keys(&subject.with(&param.name, default))?;
            Ok(before == after)
        });
        match same {
            Ok(true) => Vec::new(),
            Ok(false) => vec![format!("writing the default `{default}` changes the key")],
            Err(why) => vec![format!("the default `{default}` is not valid: {why}")],
        }
    });
}

#[test]
fn two_values_of_a_parameter_give_two_keys() {
    every_parameter(|subject, param| {
        let Some([one, other]) = two_values(param, &subject.signature) else {
            return Vec::new();
        };
        let differ = lowered_with(subject, param, &one).and_then(|before| {
            let after = lowered_with(subject, param, &other)?;
            Ok(if subject.signature.members.as_ref() == Some(&param.name) {
                before.keys().len() != after.keys().len()
            } else {
                before.keys().iter().all(|key| !after.keys().contains(key))
            })
        });
        match differ {
            Ok(true) => Vec::new(),
            Ok(false) => vec![format!("`{one}` and `{other}` share a key")],
            // Right for the type, but not beside the other arguments or for the file.
            Err(_)
                if [&one, &other]
                    .iter()
                    .any(|it| is_impossible(subject, param, it)) =>
            {
                Vec::new()
            }
            Err(why) => vec![format!("`{one}` or `{other}` is not valid: {why}")],
        }
    });
}

fn is_impossible(subject: &Subject, param: &Param, value: &str) -> bool {
    let checked = subject.with(&param.name, value).check(&[]);
    let mut errors = checked.diagnostics.iter().filter(|it| it.is_error());
    errors.all(|error| matches!(error.code, Code::ImpossibleCall | Code::DataFile))
}

#[test]
fn bad_values_are_errors_at_the_call() {
    every_parameter(|subject, param| {
        let values = wrong_type(param).into_iter().chain(out_of_range(param));
        values
            .filter_map(|value| refused(&subject.with(&param.name, &value)).err())
            .collect()
    });
}

#[test]
fn an_unknown_argument_is_an_error_at_the_call() {
    every(|subject| {
        let complaint = refused(&subject.with("zzz", "1")).err();
        complaint.into_iter().collect()
    });
}

#[test]
fn the_seed_is_in_the_keys_of_random_plugins_alone() {
    every(|subject| {
        let signature = CATALOG.get(&subject.plugin);
        let random = signature.is_some_and(|signature| signature.random);
        let own = |seed: &str| {
            let settings = [("seed".to_owned(), seed.to_owned())];
            let lowered = subject.written.lower(&settings)?;
            Ok::<_, String>(lowered.actions().map(|a| own_lines(&a.key.text)).collect())
        };
        match [own("0"), own("1")] {
            [Ok::<Vec<String>, _>(zero), Ok(one)] => {
                let has_line = |texts: &[String], seed| {
                    let line = format!("seed {seed}");
                    texts.iter().all(|text| text.lines().any(|l| l == line))
                };
                let right = match random {
                    true => has_line(&zero, 0) && has_line(&one, 1),
                    false => zero == one && !has_line(&zero, 0),
                };
                match right {
                    true => Vec::new(),
                    false => vec![format!("with random {random} the key says {zero:?}")],
                }
            }
            results => results.into_iter().filter_map(Result::err).collect(),
        }
    });
}

/// What a key says of the call itself, not of what it takes.
fn own_lines(key_text: &str) -> String {
    let lines = key_text.lines().filter(|line| !line.contains(" <- "));
    lines.collect::<Vec<_>>().join("\n")
}

fn keys(written: &Written) -> Result<Vec<Digest>, String> {
    Ok(written.lower(&[])?.keys())
}

fn lowered_with(subject: &Subject, param: &Param, value: &str) -> Result<Lowered, String> {
    subject.with(&param.name, value).lower(&[])
}

/// That there are errors and all of them point into the call.
fn refused(written: &Written) -> Result<(), String> {
    let call = &written.text[written.call.clone()];
    let checked = written.check(&[]);
    let errors: Vec<&Diagnostic> = checked
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.is_error())
        .collect();
    if errors.is_empty() {
        return Err(format!("`{call}` is taken for good"));
    }
    let astray = errors.iter().find(|error| {
        error.labels.first().is_none_or(|label| {
            let span = label.span;
            (span.start as usize) < written.call.start || span.end as usize > written.call.end
        })
    });
    match astray {
        None => Ok(()),
        Some(error) => Err(format!(
            "the error of `{call}` is elsewhere: {}",
            error.message
        )),
    }
}
