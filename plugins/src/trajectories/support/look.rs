//! What the headers of checkpoint files say before a run: as much of it as takes no time.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dsl::facts::Tensors;
use engine::artifact::{Naming, SavedModel, Selection, model_names, shown};
use engine::error::Fault;
use engine::files::Files;
use engine::plugin::{Complaint, Facts, Steps};

use super::alike::Ties;
use super::run::{Run, members};

/// The headers of more files than these are not read.
const MOST_MODELS: usize = 1000;

/// Headers are read up to this many bytes in all.
const MOST_BYTES: u64 = 32 << 20;

/// What is asked of the files.
pub struct Asked<'a> {
    /// How names are read.
    pub naming: &'a Naming,
    /// Which tensors are weights.
    pub selection: &'a Selection,
    /// How many runs they are of.
    pub count: Option<u64>,
    /// What is asked of the steps of a run.
    pub steps: &'a dyn Fn(&[u64]) -> Result<(), Fault>,
}

/// Looks at the files behind a path: what is wrong with them, or else what they hold.
pub fn look(path: &Path, asked: &Asked) -> Result<Facts, Complaint> {
    let facts = Facts {
        coordinates: Some(vec!["step"]),
        ..Facts::default()
    };
    // What cannot be listed is the checker's to tell.
    let Ok(names) = model_names(path) else {
        return Ok(facts);
    };
    if let Some(count) = asked.count {
        let names = names.iter().map(|(name, open)| (&name[..], &open[..]));
        let runs = members(asked.naming, names);
        let runs = runs.map_err(|message| Complaint::at("files", message))?;
        if runs.len() as u64 != count {
            return Err(Complaint::at("members", wrong_count(&runs, count)));
        }
    }
    if names.len() > MOST_MODELS {
        return match asked.count {
            None => expect_one_run(&names, asked.naming).map(|()| facts),
            Some(_) => Ok(facts),
        };
    }
    let files = Files::unchecked();
    let opened = SavedModel::open_until(path, &files, MOST_BYTES).map_err(at_files)?;
    let is_all = opened.len() == names.len();
    let mut runs: Vec<(String, Vec<SavedModel>)> = Vec::new();
    for model in opened {
        let run = asked
            .count
            .and_then(|_| asked.naming.member(&model.name, model.open()));
        let run = run.unwrap_or_default();
        match runs.iter_mut().find(|(name, _)| *name == run) {
            Some((_, models)) => models.push(model),
            None => runs.push((run, vec![model])),
        }
    }
    let (mut steps, mut tensors) = (Vec::new(), Vec::new());
    for (_, models) in runs {
        let selection = asked.selection.clone();
        let run = Run::of(models, asked.naming, selection, Ties::Likely).map_err(at_files)?;
        if is_all {
            (asked.steps)(&run.steps).map_err(at_files)?;
        }
        tensors.push(run.layout().tensors.clone());
        steps.push(run.steps);
    }
    // Where runs differ in it, nothing is known of all.
    let alike = is_all && steps.windows(2).all(|pair| pair[0] == pair[1]);
    let steps = steps.pop().filter(|_| alike);
    Ok(Facts {
        steps: steps.map(|steps| Steps::Listed(steps.into())),
        tensors: tensors.pop().map(|tensors| -> Tensors {
            let tensors = tensors.into_iter();
            Arc::new(tensors.map(|it| (it.name, it.shape)).collect())
        }),
        ..facts
    })
}

/// That the names of no two of many models say the same step.
fn expect_one_run(names: &[(String, Vec<bool>)], naming: &Naming) -> Result<(), Complaint> {
    let mut seen: BTreeMap<u64, &str> = BTreeMap::new();
    for (name, open) in names {
        let Ok(step) = naming.step_of_name(name, open) else {
            continue;
        };
        if let Some(other) = seen.insert(step, name) {
            let (one, two) = (shown(other), shown(name));
            let message = format!("`{one}` and `{two}` are both of step {step}");
            let complaint = Complaint::at("files", message);
            return Err(complaint.with_hint(
                "name the step by `step: \"…{step}…\"`, or the number of runs by `members:`",
            ));
        }
    }
    Ok(())
}

fn at_files(fault: Fault) -> Complaint {
    let complaint = Complaint::from(fault);
    Complaint {
        param: complaint.param.or_else(|| Some("files".to_owned())),
        ..complaint
    }
}

/// That a number of runs was not found.
pub fn wrong_count(runs: &[String], expected: u64) -> String {
    let some: Vec<String> = runs.iter().take(5).map(|run| format!("`{run}`")).collect();
    let more = if runs.len() > 5 { ", …" } else { "" };
    let found = runs.len();
    format!(
        "expected {expected} runs, found {found}: {}{more}",
        some.join(", ")
    )
}
