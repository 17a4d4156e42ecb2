//! `safetensors("hub/*")`: models from anywhere as rows of weights.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dsl::types::{Content, Kind};
use engine::artifact::{DataColumn, Dataset, Naming, SavedModel, Selection, shown};
use engine::error::Fault;
use engine::params::{Column, DataPath, Input};
use engine::plugin;
use engine::plugin::{
    Complaint, Context, Coordinate, Examined, Facts, NetworkFacts, Plugin, Sketch, Training,
};
use polars::prelude::{DataFrame, NamedFrom, Series};

use super::Weights;
use super::support::facts::network;
use super::support::rows::DIVERGED;
use crate::children::support::fitted::fitted;
use crate::parents::{Parent, not_runnable};
use crate::saved::{ModelsSeen, Run, Ties, at_files, look_at_models, selection};

plugin! {
    /// Models from anywhere: safetensors files of weights, one row per model.
    ///
    /// `files` is a pattern (`"hub/*"`), a folder, or one file. A model is one file, or shards
    /// with or without their index (`model.safetensors.index.json`). All must hold the same weights
    /// by name and shape, `F64`, `F32`, `F16` or `BF16` and finite; what counts as weights, and
    /// which names match, is as in `checkpoints`. One model can be a `parent`. Weights are kept as
    /// they are stored and computed with in single precision; `--weights` writes what is computed
    /// of them with the names, types and shards they came with.
    ///
    /// Rows have the coordinate `file`, the name of the model below what all share, and `step`
    /// where all names or metadata say one. `coordinates` adds the columns of a table, whose column `by`
    /// holds the name of a model, of its folder, or its step; models that the table does not
    /// name are left out, so `where` over the table chooses models.
    ///
    /// Without `like` nothing says how to run the weights: arithmetic, merges and `diagnose` work,
    /// and `check` refuses scores that run networks. With it they are run by the network of a
    /// parent, when the shapes of its tensors are theirs, by name or module after module.
    ///
    /// Files of less than 32 MiB in all are copied to the store. Larger ones stay where they are and
    /// are read once for the key and then when their weights are needed, verified each time, as in
    /// `checkpoints`.
    ///
    /// ```farcast
    /// weights hub = safetensors("checkpoints/step-*.safetensors")
    /// parent mean = average(hub)
    /// ```
    "safetensors" version 2
    pub struct Safetensors {
        /// The files: a pattern, in which `*` matches any text, a folder, or a file.
        files: DataPath;
        /// A parent whose network runs the weights.
        like: Option<Input<Parent>>;
        /// What is known of each model.
        coordinates: Option<Input<Dataset>>;
        /// The column of `coordinates` that names the models.
        by: Option<Column>, texts();
        /// Only tensors whose names match one of these patterns are weights: `["encoder.*"]`.
        only: Option<Vec<String>>;
        /// Tensors whose names match one of these patterns are not weights: `["*.lora_*"]`.
        without: Option<Vec<String>>;
    }
}

impl Plugin for Safetensors {
    type Output = Weights;

    fn kinds() -> Vec<Kind> {
        vec![Kind::Weights, Kind::Parent, Kind::Child]
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        Self::examine(call).complaints
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        Self::examine(call).facts
    }

    fn examine(call: &Sketch<'_>) -> Examined {
        let lacks = match (call.has("coordinates"), call.has("by")) {
            (true, false) => Some(
                Complaint::at("coordinates", "which of its columns names the models?")
                    .with_hint("say `by:` with a column"),
            ),
            (false, true) => Some(
                Complaint::at("by", "there is no table: expected `coordinates`")
                    .with_hint("give data with a row for each model as `coordinates:`"),
            ),
            _ => None,
        };
        let (seen, unlike) = match models(call) {
            Ok(seen) => (seen, None),
            Err(complaint) => (None, Some(complaint)),
        };
        // Another complaint reports files that cannot be found.
        let is_network = matches!(call.kind(), Kind::Parent | Kind::Child);
        let single = seen.as_ref().map_or(is_network, |seen| seen.count == 1);
        let found = [lacks, not_runnable(call, "like"), unlike];
        let found = found.into_iter().flatten().take(1);
        Examined {
            complaints: found.chain(network(call, 1.0, single)).collect(),
            facts: Self::known(call, single, seen.as_ref()),
        }
    }

    fn run(self, context: &Context) -> Result<Weights, Fault> {
        let selection = Selection {
            only: self.only.unwrap_or_default(),
            without: self.without.unwrap_or_default(),
        };
        let models = SavedModel::open_all(&self.files.0, context.files()).map_err(at_files)?;
        let (models, steps) = ordered(models);
        let table = match (&self.coordinates, &self.by) {
            (Some(data), Some(Column(by))) => {
                Some(RowsOfModels::of(data, by, &models, &steps, context)?)
            }
            _ => None,
        };
        let kept: Vec<usize> = match &table {
            Some(table) => table.rows.keys().copied().collect(),
            None => (0..models.len()).collect(),
        };
        let coordinates = coordinates(&models, &steps, table.as_ref(), &kept)?;
        let mut models: Vec<Option<SavedModel>> = models.into_iter().map(Some).collect();
        let models = kept.iter().filter_map(|at| models[*at].take()).collect();
        let mut run = Run::of_models(models, selection, Ties::Exact).map_err(at_files)?;
        if let Some(like) = &self.like {
            let places = fitted(run.layout(), &like.layout);
            let places = places.map_err(|what| Fault::at("like", what))?;
            run = run.fitted(&like.layout, &places);
        }
        Ok(Weights {
            table: run.table(coordinates, context).map_err(at_files)?,
            network: self.like.as_ref().and_then(|like| like.network.clone()),
        })
    }
}

impl Safetensors {
    fn known(call: &Sketch, single: bool, seen: Option<&ModelsSeen>) -> Facts {
        let like = call.input("like");
        let network = like.and_then(|like| like.facts.network.as_ref());
        let network = network.map(|network| NetworkFacts {
            training: Training::Unknown,
            ..NetworkFacts::clone(network)
        });
        Facts {
            no_network: like.is_none_or(|like| like.facts.no_network),
            // With `like` they have its names.
            tensors: match like {
                Some(like) => like.facts.tensors.clone(),
                None => seen.and_then(|seen| seen.tensors.clone()),
            },
            network: network.map(Arc::new),
            degree: Some(1.0),
            single,
            coordinates: coordinates_of(call, seen),
            ..Facts::default()
        }
    }
}

/// What is known of the models, and that they are of one network. Of those that a table chooses,
/// only the run knows that.
fn models(call: &Sketch) -> Result<Option<ModelsSeen>, Complaint> {
    let selection = selection(call)?;
    let Some(DataPath(path)) = call.get::<DataPath>("files") else {
        return Ok(None);
    };
    let is_chosen = call.has("coordinates");
    look_at_models(&path, (!is_chosen).then_some(&selection))
}

/// The coordinates of the models; none where headers that were not read may say steps.
fn coordinates_of(call: &Sketch, seen: Option<&ModelsSeen>) -> Option<Vec<Coordinate>> {
    let mut all = vec![Coordinate::text("file")];
    if call.has("coordinates") {
        let by = call.get::<Column>("by");
        let others = call.schema("coordinates")?.columns.iter();
        let others = others.filter(|column| by.as_ref().is_none_or(|by| column.name != by.0));
        all.extend(others.map(|column| Coordinate {
            is_text: column.content == Content::Text,
            ..Coordinate::number(&column.name)
        }));
    }
    if !all.iter().any(|it| it.name == "step") && seen?.stepped? {
        all.push(Coordinate::number("step"));
    }
    Some(all)
}

/// The models in the order of their steps, where all say one, or else of their names.
fn ordered(models: Vec<SavedModel>) -> (Vec<SavedModel>, Option<Vec<u64>>) {
    let naming = Naming::default();
    let steps: Option<Vec<u64>> = models.iter().map(|it| naming.step(it).ok()).collect();
    let Some(steps) = steps else {
        return (models, None);
    };
    let mut pairs: Vec<(u64, SavedModel)> = steps.into_iter().zip(models).collect();
    pairs.sort_by(|(one, a), (other, b)| (one, &a.name).cmp(&(other, &b.name)));
    let (steps, models) = pairs.into_iter().unzip();
    (models, Some(steps))
}

/// Which row of a table is of which model.
struct RowsOfModels<'a> {
    data: &'a Dataset,
    by: &'a str,
    /// For each model of the table its row.
    rows: BTreeMap<usize, usize>,
}

impl<'a> RowsOfModels<'a> {
    fn of(
        data: &'a Input<Dataset>,
        by: &'a str,
        models: &[SavedModel],
        steps: &Option<Vec<u64>>,
        context: &Context,
    ) -> Result<Self, Fault> {
        let column = data.column(by)?;
        let names = Names::of(models, steps.as_deref());
        let mut rows = BTreeMap::new();
        let mut absent = Vec::new();
        for row in 0..data.rows() {
            let text = cell(column, row);
            let model = match &names.find(&text)[..] {
                [] => {
                    absent.push(text);
                    continue;
                }
                [model] => *model,
                [one, other, ..] => {
                    let [one, other] = [one, other].map(|at| shown(&models[*at].name));
                    let message = format!("`{text}` may be `{one}` or `{other}`");
                    return Err(Fault::at("by", message).with_hint("write the whole name"));
                }
            };
            if rows.insert(model, row).is_some() {
                let name = shown(&models[model].name);
                return Err(Fault::at(
                    "by",
                    format!("two rows are of the model `{name}`"),
                ));
            }
        }
        if rows.is_empty() {
            let some = |names: Vec<String>| {
                let names = names.iter().take(3).map(|name| format!("`{name}`"));
                names.collect::<Vec<_>>().join(", ")
            };
            let known = models.iter().map(|model| shown(&model.name).to_string());
            let known = some(known.collect());
            let hint = format!("`{by}` has {}; the models are {known}", some(absent));
            let message = format!("no row of `{}` names a model", data.label);
            return Err(Fault::at("by", message).with_hint(hint));
        }
        let lost = models.len() - rows.len();
        if lost > 0 {
            let all = models.len();
            context.note(format!(
                "{lost} of {all} models are not in the table: left out"
            ));
        }
        if let Some(first) = absent.first() {
            let count = absent.len();
            context.note(format!(
                "{count} rows of the table have no model, such as `{first}`"
            ));
        }
        Ok(Self { data, by, rows })
    }
}

/// What a table says of a model: a text, or a number.
fn cell(column: &DataColumn, row: usize) -> String {
    let text = match column.text(row) {
        Some(text) => text.trim().to_owned(),
        None => column.show(column.values[row]),
    };
    let text = text.strip_suffix(".safetensors").unwrap_or(&text);
    text.trim_end_matches('/').to_owned()
}

/// What models may be called: by the whole name, or by less where that is one model's alone.
struct Names(Vec<BTreeMap<String, BTreeSet<usize>>>);

impl Names {
    fn of(models: &[SavedModel], steps: Option<&[u64]>) -> Self {
        let mut names = vec![BTreeMap::<String, BTreeSet<usize>>::new(); 4];
        for (at, model) in models.iter().enumerate() {
            let name = &model.name[..];
            let (folder, last) = name.rsplit_once('/').unwrap_or(("", name));
            let step = steps.map(|steps| steps[at].to_string());
            let called = [name, folder, last, step.as_deref().unwrap_or("")];
            for (names, called) in names.iter_mut().zip(called) {
                if !called.is_empty() {
                    names.entry(called.to_owned()).or_default().insert(at);
                }
            }
        }
        Self(names)
    }

    /// The models of a name.
    fn find(&self, name: &str) -> Vec<usize> {
        let mut found = self.0.iter().filter_map(|names| names.get(name));
        let found = found.next().into_iter().flatten();
        found.copied().collect()
    }
}

/// What is known of each model that is kept.
fn coordinates(
    models: &[SavedModel],
    steps: &Option<Vec<u64>>,
    table: Option<&RowsOfModels>,
    kept: &[usize],
) -> Result<DataFrame, Fault> {
    let files: Vec<&str> = kept.iter().map(|at| &models[*at].name[..]).collect();
    let mut columns = vec![Series::new("file".into(), files).into()];
    let mut known = vec!["file", "member", DIVERGED];
    if let Some(RowsOfModels { data, by, rows }) = table {
        let rows: Vec<u32> = kept.iter().map(|at| rows[at] as u32).collect();
        for column in data.columns() {
            let name = &column.name[..];
            if known.contains(&name) && name != *by {
                let message =
                    format!("the table has a column `{name}`, which means something else");
                let hint =
                    format!("give it another name: `derive(data, {name}_of_table = {name})`");
                return Err(Fault::at("coordinates", message).with_hint(hint));
            }
            if name == *by {
                continue;
            }
            let taken = column.take(&rows);
            let series = match column.content {
                Content::Text => {
                    let texts = (0..rows.len()).map(|row| taken.text(row));
                    Series::new(name.into(), texts.collect::<Vec<_>>())
                }
                _ => Series::new(name.into(), &taken.values[..]),
            };
            columns.push(series.into());
            known.push(name);
        }
    }
    if let Some(steps) = steps.as_ref().filter(|_| !known.contains(&"step")) {
        let steps: Vec<u64> = kept.iter().map(|at| steps[*at]).collect();
        columns.push(Series::new("step".into(), steps).into());
    }
    Ok(DataFrame::new(kept.len(), columns)?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use engine::artifact::{Layout, Tensor};

    use super::*;
    use crate::data::support::testing::table;
    use crate::testing::{call, given};
    use crate::weights::Diagnose;
    use crate::weights::support::testing::weights_of;

    /// A model of two tensors.
    fn write(path: &Path, first: f32) {
        let tensor = |name: &str, shape: &[usize]| Tensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
        };
        let layout = Layout {
            tensors: vec![tensor("net.0.weight", &[1, 2]), tensor("net.0.bias", &[1])],
        };
        let weights = [first, first + 1.0, first + 2.0];
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, layout.to_safetensors(&weights, []).expect("bytes")).expect("a file");
    }

    #[test]
    fn a_table_chooses_models_and_says_what_is_known_of_them() {
        let place = tempfile::tempdir().expect("a folder");
        for (name, first) in [("run-10", 0.0), ("run-2", 10.0), ("run-7", 20.0)] {
            write(&place.path().join(name).join("model.safetensors"), first);
        }
        let files = place.path().join("run-*").display().to_string();
        let runs =
            |by: &[f64], width: &[f64]| vec![("d", given(table(&[("run", by), ("width", width)])))];
        let load = |more: &str, inputs: &[_]| {
            let load: Safetensors = call(&format!("{files:?}{more}"), inputs);
            load.run(&Context::alone("safetensors"))
        };
        let all = load("", &[]).expect("all");
        assert_eq!(weights_of(&all)[..3], [10.0, 11.0, 12.0]);
        let steps = all.table.coordinates.column("step").expect("steps");
        assert_eq!(
            steps.u64().expect("numbers").to_vec(),
            [Some(2), Some(7), Some(10)]
        );
        let inputs = runs(&[10.0, 7.0, 99.0], &[64.0, 128.0, 1.0]);
        let some = load(", coordinates: d, by: run", &inputs).expect("some");
        assert_eq!(weights_of(&some), [20.0, 21.0, 22.0, 0.0, 1.0, 2.0]);
        let width = some.table.coordinates.column("width").expect("widths");
        assert_eq!(
            width.f64().expect("numbers").to_vec(),
            [Some(128.0), Some(64.0)]
        );
        // A score line for each model.
        let inputs = [("w", given(some))];
        let norms: Diagnose = call("w", &inputs);
        let scores = norms.run(&Context::alone("norms")).expect("scores");
        let own = scores.rows.iter().filter(|row| row.member == "0");
        let steps: Vec<_> = own.map(|row| row.horizon).collect();
        assert_eq!(steps, [Some(7.0), Some(10.0)]);
        let said = |by: &[f64]| {
            let inputs = runs(by, &vec![1.0; by.len()]);
            let fault = load(", coordinates: d, by: run", &inputs).expect_err("refused");
            fault.to_string()
        };
        assert_eq!(said(&[7.0, 7.0]), "two rows are of the model `run-7/model`");
        assert_eq!(said(&[5.0]), "no row of `d` names a model");
    }
}
