//! Rows of weights that stay in the safetensors files they came in.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::pieces::Pieces;
use super::tensor_file::shown;
use super::{Blob, Layout, Precision, SavedModel};
use crate::digest::BlockDigests;
use crate::error::Fault;
use crate::files::DataFile;

/// Where the weights of some rows are in files.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RowsInFiles {
    /// For each row, where each tensor of the layout is.
    pub(super) tensors: Vec<Vec<TensorPlace>>,
    /// The files.
    pub(super) files: Vec<Pieces>,
}

/// Where the numbers of a tensor are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TensorPlace {
    /// Which of the files.
    file: usize,
    /// At which of its bytes they begin.
    start: u64,
    /// How they are stored.
    precision: Precision,
}

impl RowsInFiles {
    /// Of each model a row, by the names that the tensors of the layout have there.
    ///
    /// # Errors
    /// Those of `lend`, and a bug when a tensor is not there.
    pub(super) fn of<'m>(
        models: impl IntoIterator<Item = (&'m SavedModel, &'m [String])>,
        lend: impl Fn(&DataFile) -> Result<(Blob, Arc<BlockDigests>), Fault>,
    ) -> Result<Self, Fault> {
        let (mut tensors, mut files) = (Vec::new(), Vec::new());
        for (model, names) in models {
            let first = files.len();
            for file in model.files() {
                let (blob, blocks) = lend(file.data_file())?;
                files.push(Pieces::lent(blob, &blocks));
            }
            let row = names.iter().map(|name| {
                let (file, stored) = model.place(name)?;
                Some(TensorPlace {
                    file: first + file,
                    start: stored.start(),
                    precision: stored.precision()?,
                })
            });
            let row = row.collect::<Option<Vec<_>>>();
            let missing = || Fault::Bug(format!("`{}` lacks a tensor", shown(&model.name)));
            tensors.push(row.ok_or_else(missing)?);
        }
        Ok(Self { tensors, files })
    }

    /// Whether a table of this layout and as many rows is in these files.
    pub(super) fn fit(&self, layout: &Layout, rows: usize) -> bool {
        let fits = |place: &TensorPlace, numbers: usize| {
            let bytes = (numbers as u64).checked_mul(place.precision.bytes() as u64);
            let end = bytes.and_then(|bytes| place.start.checked_add(bytes));
            let file = self.files.get(place.file);
            end.is_some_and(|end| file.is_some_and(|file| end <= file.kept().size))
        };
        self.tensors.len() == rows
            && self.tensors.iter().all(|row| {
                let mut tensors = row.iter().zip(&layout.tensors);
                row.len() == layout.tensors.len()
                    && tensors.all(|(place, it)| fits(place, it.len()))
            })
    }

    /// Reads the weights of some columns in some rows, one row after another; `name` says what a
    /// message calls a row.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when a file is not what it was, the user's fault when a weight is not
    /// finite.
    pub(super) fn read(
        &self,
        layout: &Layout,
        rows: &[usize],
        columns: &Range<usize>,
        values: &mut [f32],
        name: impl Fn(usize) -> String,
    ) -> Result<(), Fault> {
        if columns.is_empty() {
            return Ok(());
        }
        let beyond = |row: usize| Fault::Bug(format!("no files of row {row}"));
        for (row, values) in rows.iter().zip(values.chunks_exact_mut(columns.len())) {
            let places = self.tensors.get(*row).ok_or_else(|| beyond(*row))?;
            // Tensors that are neighbours in a file are read together.
            let mut start = 0;
            let parts: Vec<TensorPart> = { layout.ranges().zip(places) }
                .filter_map(|((tensor, range), place)| {
                    let here = columns.start.max(range.start)..columns.end.min(range.end);
                    (!here.is_empty()).then(|| {
                        let size = place.precision.bytes();
                        let first = place.start as usize + (here.start - range.start) * size;
                        start += here.len();
                        TensorPart {
                            name: &tensor.name,
                            place,
                            bytes: first..first + here.len() * size,
                            to: start - here.len()..start,
                        }
                    })
                })
                .collect();
            for parts in parts.chunk_by(|one, other| one.place.file == other.place.file) {
                let file = parts
                    .first()
                    .and_then(|part| self.files.get(part.place.file));
                let ranges: Vec<Range<usize>> = parts.iter().map(|it| it.bytes.clone()).collect();
                let mut bad = None;
                file.ok_or_else(|| beyond(*row))?
                    .read(&ranges, |at, bytes| {
                        let part = &parts[at];
                        let precision = part.place.precision;
                        if !precision.are_finite(bytes) {
                            bad.get_or_insert(part);
                        }
                        precision.decode_to(bytes, &mut values[part.to.clone()]);
                    })?;
                if let Some(part) = bad {
                    return Err(not_finite(&name(*row), part));
                }
            }
        }
        Ok(())
    }
}

/// Some numbers of a tensor.
struct TensorPart<'a> {
    name: &'a str,
    place: &'a TensorPlace,
    bytes: Range<usize>,
    to: Range<usize>,
}

fn not_finite(row: &str, part: &TensorPart) -> Fault {
    let single = match part.place.precision {
        Precision::F64 => " in single precision",
        _ => "",
    };
    let name = shown(part.name);
    Fault::user(format!(
        "the weights of {row}: tensor `{name}` holds a number that is not finite{single}"
    ))
    .with_hint("a training that diverged: leave out this file, and those after it")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use polars::prelude::*;

    use super::super::{Artifact, Tensor, Trajectory};
    use super::*;
    use crate::files::Files;
    use crate::store::{MemStore, Store};

    /// Two tensors, both over more than one block of the file.
    fn layout() -> Layout {
        let tensor = |name: &str, shape: &[usize]| Tensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
        };
        Layout {
            tensors: vec![tensor("a", &[300, 100]), tensor("b", &[20_000])],
        }
    }

    fn weight(row: usize, at: usize) -> f32 {
        (at * (row + 1) % 1009) as f32 / 8.0
    }

    /// A row for each file, which has a tensor more, before those of the layout.
    fn rows_of(folder: &Path, store: &MemStore, weights: &[Vec<f32>]) -> Trajectory {
        let mut written = layout();
        written.tensors.insert(
            0,
            Tensor {
                name: "0".to_owned(),
                shape: vec![7],
            },
        );
        for (row, weights) in weights.iter().enumerate() {
            let all = [&[0.5; 7][..], weights].concat();
            let bytes = written.to_safetensors(&all, []).unwrap();
            std::fs::write(folder.join(format!("{row}.safetensors")), bytes).unwrap();
        }
        let models = SavedModel::open_all(folder, &Files::unchecked()).unwrap();
        let names = ["a".to_owned(), "b".to_owned()];
        let steps = Series::new("step".into(), (0..models.len() as u64).collect::<Vec<_>>());
        let coordinates = DataFrame::new(models.len(), vec![steps.into_column()]).unwrap();
        let lend = |file: &DataFile| {
            let blocks = file.blocks()?;
            let blob = store.lend(blocks.digest(), file.size(), file.path())?;
            Ok((blob, blocks))
        };
        let models = models.iter().map(|model| (model, &names[..]));
        Trajectory::of_files(Precision::F32, layout(), coordinates, models, lend).unwrap()
    }

    #[test]
    fn rows_are_read_from_where_they_are_and_verified() {
        let (folder, store) = (tempfile::tempdir().unwrap(), MemStore::default());
        let all = layout().len();
        let row = |row: usize| (0..all).map(|at| weight(row, at)).collect::<Vec<f32>>();
        let table = rows_of(folder.path(), &store, &[row(0), row(1), row(2)]);
        let parts = table.to_parts().unwrap();
        assert_eq!(Trajectory::from_parts(&parts).unwrap(), table);
        for columns in [0..all, 0..1, 29_990..30_010, 16_380..49_999, 7..7] {
            let block = table.read(&[2, 0], columns.clone()).unwrap();
            let expected = [2, 0].map(|at| row(at)[columns.clone()].to_vec());
            assert_eq!(block.values, expected.concat(), "{columns:?}");
        }
        assert_eq!(table.networks(&[1]).unwrap(), [row(1)]);

        // A byte of the second tensor of the first row.
        let file = parts.kept().next().unwrap().1.digest;
        store.damage_byte(&file, 4 * 40_000);
        assert!(table.read(&[0], 0..100).is_ok());
        assert!(matches!(
            table.read(&[0], 40_000..all),
            Err(Fault::Damaged(_))
        ));

        let mut places: Vec<Vec<serde_json::Value>> = parts.json("files.json").unwrap();
        places[1][1]["start"] = serde_json::json!(u64::MAX);
        let hostile = parts.with_json("files.json", &places).unwrap();
        assert!(matches!(
            Trajectory::from_parts(&hostile),
            Err(Fault::Damaged(_))
        ));
    }

    #[test]
    fn a_weight_that_is_not_finite_is_found_where_it_is_read() {
        let (folder, store) = (tempfile::tempdir().unwrap(), MemStore::default());
        let mut weights = vec![vec![1.0; layout().len()]; 2];
        weights[1][35_000] = f32::NAN;
        let table = rows_of(folder.path(), &store, &weights);
        assert!(table.read(&[0, 1], 0..35_000).is_ok());
        let fault = table.read(&[0, 1], 0..layout().len()).unwrap_err();
        let expected = "the weights of step 1: tensor `b` holds a number that is not finite";
        assert_eq!(fault.to_string(), expected);
    }
}
