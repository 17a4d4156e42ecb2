//! The states of one run, as files hold them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::artifact::{
    Layout, Naming, Precision, Saved, SavedModel, Selection, Trajectory, shown,
};
use engine::error::Fault;
use engine::files::DataFile;
use engine::plugin::Context;
use polars::prelude::{DataFrame, NamedFrom, Series};

use super::alike::{Alike, Ties};

/// The files of a table are copied when they have fewer bytes than this: what was read from them is
/// then there, whatever becomes of them.
const COPIED: u64 = 32 << 20;

/// The models of a run in the order of their steps.
pub struct Run {
    alike: Alike,
    models: Vec<SavedModel>,
    /// The step of each.
    pub steps: Vec<u64>,
    selection: Selection,
    /// What tensors are called instead where a network runs the weights.
    called: BTreeMap<String, String>,
}

/// The names of runs among models, in an order in which numbers count.
pub fn members<'a>(
    naming: &Naming,
    models: impl IntoIterator<Item = (&'a str, &'a [bool])>,
) -> Result<Vec<String>, String> {
    let mut found = BTreeSet::new();
    for (name, open) in models {
        let member = naming.member(name, open);
        let member = member.ok_or_else(|| {
            let name = shown(name);
            format!("`{name}`: its name does not say which run it is of")
        })?;
        found.insert((digits_padded(&member), member));
    }
    Ok(found.into_iter().map(|(_, member)| member).collect())
}

/// A text whose order among others is that of the numbers in it.
fn digits_padded(text: &str) -> String {
    let mut padded = String::new();
    for part in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let digits = part.trim_end_matches(|c: char| !c.is_ascii_digit());
        if !digits.is_empty() {
            padded.push_str(&format!("{digits:0>20}"));
        }
        padded.push_str(&part[digits.len()..]);
    }
    padded
}

impl Run {
    /// Of these models, in the order of their steps.
    ///
    /// # Errors
    /// The user's fault when a step is not known or twice there, or the models are of different
    /// networks.
    pub fn of(
        models: Vec<SavedModel>,
        naming: &Naming,
        selection: Selection,
        ties: Ties,
    ) -> Result<Self, Fault> {
        // One state alone need not say when it was.
        let is_lone = models.len() == 1;
        let stepped = models.into_iter().map(|model| {
            if is_lone && naming.step.is_none() && model.says_no_step() {
                return Ok((0, model));
            }
            let step = naming.step(&model).map_err(|(message, hint)| {
                Fault::user(format!("`{}`: {message}", model.path().display())).with_hint(hint)
            })?;
            Ok((step, model))
        });
        let mut stepped: Vec<(u64, SavedModel)> = stepped.collect::<Result<_, Fault>>()?;
        stepped.sort_by_key(|(step, _)| *step);
        for pair in stepped.windows(2) {
            if pair[0].0 == pair[1].0 {
                let [one, other] = [&pair[0].1, &pair[1].1].map(|model| model.path().display());
                let message = format!("`{one}` and `{other}` are both of step {}", pair[0].0);
                return Err(Fault::user(message).with_hint(
                    "name the step by `step: \"…{step}…\"`, or the number of runs by `members:`",
                ));
            }
        }
        let (steps, models): (Vec<u64>, Vec<SavedModel>) = stepped.into_iter().unzip();
        let run = Self::of_models(models, selection, ties)?;
        Ok(Self { steps, ..run })
    }

    /// Of models that need be no states of one training, in this order.
    ///
    /// # Errors
    /// The user's fault when they are of different networks.
    pub fn of_models(
        models: Vec<SavedModel>,
        selection: Selection,
        ties: Ties,
    ) -> Result<Self, Fault> {
        for model in &models {
            selection.expect(model)?;
        }
        let alike = Alike::of(&models.iter().collect::<Vec<_>>(), &selection, ties)?;
        Ok(Self {
            alike,
            models,
            steps: Vec::new(),
            selection,
            called: BTreeMap::new(),
        })
    }

    /// The tensors of their weights, in the order of the first model.
    pub fn layout(&self) -> &Layout {
        &self.alike.layout
    }

    /// The precision that all weights have, or one that holds every number of theirs.
    fn precision(&self) -> Precision {
        let weights = self.models.iter().zip(&self.alike.names);
        let weights = weights.flat_map(|(model, names)| {
            names
                .iter()
                .filter_map(|name| model.tensor(name)?.precision())
        });
        let weights: Vec<Precision> = weights.collect();
        match weights.first() {
            Some(first) if weights.iter().all(|it| it == first) => *first,
            _ if weights.contains(&Precision::F64) => Precision::F64,
            _ => Precision::F32,
        }
    }

    /// The weights, step after step, and what was saved beside the last.
    ///
    /// # Errors
    /// When a weight that is copied is not finite, a file changes, or the store cannot be written.
    pub fn trajectory(&self, context: &Context) -> Result<Trajectory, Fault> {
        let steps = Series::new("step".into(), &self.steps);
        let coordinates = DataFrame::new(self.steps.len(), vec![steps.into()])?;
        self.table(coordinates, context)
    }

    /// The weights, model after model, and what was saved beside the last. Those of small files
    /// are copied; large files stay where they are.
    ///
    /// # Errors
    /// As [`trajectory`](Self::trajectory).
    pub fn table(&self, coordinates: DataFrame, context: &Context) -> Result<Trajectory, Fault> {
        self.note(context);
        let precision = self.precision();
        let width = Trajectory::block_width(self.models.len(), precision);
        let keep = |bytes: &[u8]| context.keep(bytes);
        let layout: &Layout = &self.alike.layout;
        let total = layout.len() as u64;
        let fill = |columns: std::ops::Range<usize>, bytes: &mut [u8]| {
            context.check_stop()?;
            context.progress(columns.start as u64, total, None);
            let rows = bytes.chunks_exact_mut(columns.len() * precision.bytes());
            let models = self.models.iter().zip(&self.alike.names);
            for ((model, names), row) in models.zip(rows) {
                model.read(layout, names, &columns, precision, row)?;
            }
            Ok(())
        };
        let mut written = layout.clone();
        for tensor in &mut written.tensors {
            if let Some(name) = self.called.get(&tensor.name) {
                tensor.name.clone_from(name);
            }
        }
        let files = self.models.iter().flat_map(SavedModel::files);
        let bytes: u64 = files.map(|file| file.data_file().size()).sum();
        let trajectory = if bytes < COPIED {
            Trajectory::write_as(precision, written, coordinates, width, keep, fill)?
        } else {
            let models = self.models.iter().zip(&self.alike.names);
            let models = models.map(|(model, names)| (model, &names[..]));
            let lend = |file: &DataFile| {
                context.check_stop()?;
                context.lend(file)
            };
            Trajectory::of_files(precision, written, coordinates, models, lend)?
        };
        let saved = self.saved(keep)?;
        let saved = saved.map(|saved| Arc::new(saved.relabelled(&self.called)));
        Ok(trajectory.with_saved(saved))
    }

    /// The same tensors under the names of a network and in its order: `places` says which one of
    /// the models each tensor of the network is.
    #[must_use]
    pub fn fitted(mut self, network: &Layout, places: &[usize]) -> Self {
        let pairs = places.iter().zip(&network.tensors);
        self.called = pairs
            .map(|(place, tensor)| {
                let own = &self.alike.layout.tensors[*place];
                (own.name.clone(), tensor.name.clone())
            })
            .collect();
        for names in &mut self.alike.names {
            *names = places.iter().map(|place| names[*place].clone()).collect();
        }
        let tensors = places
            .iter()
            .map(|place| &self.alike.layout.tensors[*place]);
        self.alike.layout.tensors = tensors.cloned().collect();
        self
    }

    /// The form of the last state.
    fn saved(
        &self,
        keep: impl Fn(&[u8]) -> Result<engine::artifact::Blob, Fault>,
    ) -> Result<Option<Saved>, Fault> {
        let (Some(last), Some(names)) = (self.models.last(), self.alike.names.last()) else {
            return Ok(None);
        };
        let written = self.alike.layout.tensors.iter().map(|tensor| &tensor.name);
        let mut weights: BTreeMap<String, (String, String)> = { names.iter().zip(written) }
            .map(|(here, written)| (here.clone(), (written.clone(), written.clone())))
            .collect();
        let changes = self.changes_of_names();
        let renamed = |name: &str| {
            let fits = changes
                .iter()
                .rfind(|(from, _)| name.starts_with(&from[..]));
            match fits {
                Some((from, to)) => format!("{to}{}", &name[from.len()..]),
                None => name.to_owned(),
            }
        };
        for (copy, of) in &self.alike.ties {
            weights.insert(copy.clone(), (renamed(copy), of.clone()));
        }
        Saved::of(last, &weights, renamed, keep).map(Some)
    }

    /// What names of weights in the last state begin with, and what instead where they are
    /// written: the shortest first.
    fn changes_of_names(&self) -> Vec<(String, String)> {
        let last = self.alike.names.last().into_iter().flatten();
        let written = self.alike.layout.tensors.iter().map(|it| &it.name);
        let changes = last.zip(written).map(|(last, written)| {
            let same = last.bytes().rev().zip(written.bytes().rev());
            let same = same.take_while(|(one, other)| one == other).count();
            let cut = |name: &str| name.get(..name.len() - same).unwrap_or("").to_owned();
            (cut(last), cut(written))
        });
        let changes: BTreeSet<(String, String)> = changes.collect();
        let mut changes: Vec<_> = changes.into_iter().collect();
        changes.sort_by_key(|(from, _)| from.len());
        changes
    }

    fn note(&self, context: &Context) {
        let alike = &self.alike;
        if !alike.prefixes.is_empty() {
            let prefixes: Vec<String> = alike
                .prefixes
                .iter()
                .map(|it| format!("`{}`", shown(it)))
                .collect();
            context.note(format!(
                "names of tensors differ between files by {}: matched, and written as in `{}`",
                prefixes.join(" and "),
                self.models[alike.named_by].path().display()
            ));
        }
        for (copy, of) in &alike.ties {
            context.note(format!(
                "tensor `{}` is missing in some files and equal to `{}` in others: tied",
                shown(copy),
                shown(of)
            ));
        }
        if self.precision() == Precision::F64 {
            context.note("weights of `F64` are computed with, and written, in single precision");
        }
        let Some(last) = self.models.last() else {
            return;
        };
        let rest = last.tensors().filter(|it| !self.selection.has(it));
        let rest: Vec<&str> = rest.map(|it| &it.tensor.name[..]).collect();
        if let Some(first) = rest.first() {
            let others = match rest.len() {
                1 => "is not a weight: it is".to_owned(),
                2 => "and another one are not weights: they are".to_owned(),
                count => format!("and {} others are not weights: they are", count - 1),
            };
            context.note(format!(
                "tensor `{}` {others} written unchanged with weights of this run",
                shown(first)
            ));
        }
    }
}
