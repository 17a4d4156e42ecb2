//! What the headers of checkpoint files say before a run: as much of it as takes no time.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dsl::facts::Tensors;
use engine::artifact::{Layout, Naming, SavedModel, Selection, Tensor, model_names, shown};
use engine::error::Fault;
use engine::files::{self, Files};
use engine::plugin::{Complaint, Coordinate, Facts, Sketch, Steps};

use super::alike::Ties;
use super::run::{Run, members};
use super::wrong_count;

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

/// The weights that the patterns of a call choose.
pub fn selection(call: &Sketch) -> Result<Selection, Complaint> {
    let patterns = |field: &str| call.get::<Vec<String>>(field);
    if patterns("only").is_some_and(|it| it.is_empty()) {
        let complaint = Complaint::at("only", "expected a pattern or more, found none");
        return Err(complaint.with_hint("leave `only` out for all weights"));
    }
    Ok(Selection {
        only: patterns("only").unwrap_or_default(),
        without: patterns("without").unwrap_or_default(),
    })
}

/// Models as names and headers show them.
struct ModelHeaders {
    names: Vec<(String, Vec<bool>)>,
    /// The first of them; none where there are very many.
    opened: Vec<SavedModel>,
}

impl ModelHeaders {
    /// None where the checker reports that nothing can be listed.
    fn at(path: &Path) -> Result<Option<Self>, Complaint> {
        let names = match model_names(path) {
            Ok(names) => names,
            Err(fault) => {
                return match files::entries(path) {
                    Ok(entries) if entries.iter().all(|entry| entry.exists()) => {
                        Err(Complaint::at("files", fault.to_string()))
                    }
                    _ => Ok(None),
                };
            }
        };
        let opened = match names.len() > MOST_MODELS {
            true => Ok(Vec::new()),
            false => SavedModel::open_until(path, &Files::unchecked(), MOST_BYTES),
        };
        let opened = opened.map_err(at_files)?;
        Ok(Some(Self { names, opened }))
    }

    fn is_whole(&self) -> bool {
        self.opened.len() == self.names.len()
    }
}

/// What names and headers say of models.
pub struct ModelsSeen {
    /// How many there are.
    pub count: usize,
    /// The tensors of their weights, where all headers were read.
    pub tensors: Option<Tensors>,
    /// Whether all say the step they are of, where all headers were read.
    pub stepped: Option<bool>,
}

/// The models behind a path, whose headers are of one network where `selection` says what its
/// weights are.
pub fn look_at_models(
    path: &Path,
    selection: Option<&Selection>,
) -> Result<Option<ModelsSeen>, Complaint> {
    let Some(seen) = ModelHeaders::at(path)? else {
        return Ok(None);
    };
    let (count, is_whole) = (seen.names.len(), seen.is_whole());
    let naming = Naming::default();
    let mut models = seen.opened.iter();
    let stepped = is_whole.then(|| models.all(|model| naming.step(model).is_ok()));
    let mut tensors = None;
    if let Some(selection) = selection.filter(|_| !seen.opened.is_empty()) {
        let run = Run::of_models(seen.opened, selection.clone(), Ties::Likely).map_err(at_files)?;
        tensors = Some(tensors_of(run.layout())).filter(|_| is_whole);
    }
    Ok(Some(ModelsSeen {
        count,
        tensors,
        stepped,
    }))
}

/// Names and shapes.
fn tensors_of(layout: &Layout) -> Tensors {
    let tensors = layout.tensors.iter();
    Arc::new(
        tensors
            .map(|it| (it.name.clone(), it.shape.clone()))
            .collect(),
    )
}

/// Looks at the files behind a path: what is wrong with them, or else what they hold.
pub fn look(path: &Path, asked: &Asked) -> Result<Facts, Complaint> {
    let facts = Facts {
        coordinates: Coordinate::numbers(["step"]),
        ..Facts::default()
    };
    let Some(seen) = ModelHeaders::at(path)? else {
        return Ok(facts);
    };
    let (names, is_whole) = (&seen.names, seen.is_whole());
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
            None => expect_one_run(names, asked.naming).map(|()| facts),
            Some(_) => Ok(facts),
        };
    }
    let mut runs: Vec<(String, Vec<SavedModel>)> = Vec::new();
    for model in seen.opened {
        let run = asked
            .count
            .and_then(|_| asked.naming.member(&model.name, model.open()));
        let run = run.unwrap_or_default();
        match runs.iter_mut().find(|(name, _)| *name == run) {
            Some((_, models)) => models.push(model),
            None => runs.push((run, vec![model])),
        }
    }
    let (mut steps, mut layouts): (Vec<Vec<u64>>, Vec<(String, Layout)>) = Default::default();
    for (name, models) in runs {
        let selection = asked.selection.clone();
        let run = Run::of(models, asked.naming, selection, Ties::Likely).map_err(at_files)?;
        if is_whole {
            (asked.steps)(&run.steps).map_err(at_files)?;
        }
        layouts.push((name, run.layout().clone()));
        steps.push(run.steps);
    }
    expect_one_network(&layouts)?;
    // Where runs differ in it, nothing is known of all.
    let alike = is_whole && steps.windows(2).all(|pair| pair[0] == pair[1]);
    let steps = steps.pop().filter(|_| alike);
    Ok(Facts {
        steps: steps.map(|steps| Steps::Listed(steps.into())),
        tensors: layouts.pop().map(|(_, layout)| tensors_of(&layout)),
        ..facts
    })
}

/// That runs are of one network.
fn expect_one_network(layouts: &[(String, Layout)]) -> Result<(), Complaint> {
    let Some(((first, layout), others)) = layouts.split_first() else {
        return Ok(());
    };
    let Some((other, found)) = others.iter().find(|(_, other)| other != layout) else {
        return Ok(());
    };
    let tensors = layout.tensors.iter().map(Some).chain([None]);
    let pairs = tensors.zip(found.tensors.iter().map(Some).chain([None]));
    let mut differing = pairs.filter(|(one, other)| one != other);
    let say = |tensor: Option<&Tensor>| match tensor {
        Some(tensor) => format!("`{}` {:?}", shown(&tensor.name), tensor.shape),
        None => "no more tensors".to_owned(),
    };
    let what = differing.next().map(|(one, other)| {
        let (one, other) = (say(one), say(other));
        format!(": {one} against {other}")
    });
    let message = format!(
        "runs `{}` and `{}` are of different networks{}",
        shown(first),
        shown(other),
        what.unwrap_or_default()
    );
    let complaint = Complaint::at("files", message);
    Err(complaint.with_hint("leave runs out, or tensors by `without:`"))
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
    super::at_files(fault).into()
}
