//! `checkpoints("ckpt/step-*.safetensors")`: training runs of PyTorch and others.

use std::ops::Range;
use std::path::Path;

use engine::artifact::{Layout, Precision, TensorFile, Trajectory};
use engine::error::Fault;
use engine::files::Files;
use engine::params::DataPath;
use engine::plugin::{Context, Plugin};
use engine::{plugin, words};
use polars::prelude::{DataFrame, NamedFrom, Series};

words! {
    /// What is asked of the distances between steps.
    pub enum Spacing {
        /// All are the same.
        Equal = "equal",
        /// They may differ.
        Any = "any",
    }
}

plugin! {
    /// A training run from elsewhere: one safetensors file of weights per step.
    ///
    /// The files that the pattern matches must hold the same tensors, by name and shape, of
    /// `F32`, `F16` or `BF16` numbers, all finite. Tensors of whole numbers are no weights and
    /// are left out, with a note. The step of a file is what its metadata say under `step`, or
    /// else the last number in its name. In PyTorch:
    /// `save_file(model.state_dict(), f"step-{step}.safetensors")`.
    ///
    /// The weights are in the order of the first file and kept in blocks of columns, as they are
    /// stored there (four bytes a weight where precisions differ). The files are read twice, for
    /// the key and to copy them; memory is one block of 16 MiB and room in the store that of the
    /// files, whatever their size.
    ///
    /// ```farcast
    /// trajectory run = checkpoints("checkpoints/step-*.safetensors")
    /// ```
    "checkpoints" version 3
    pub struct Checkpoints {
        /// The files; a `*` in the name stands for any text.
        files: DataPath;
        /// Whether steps must be equally far apart.
        spacing: Spacing = "equal";
    }
}

impl Plugin for Checkpoints {
    type Output = Trajectory;
    // Version 3 lies in other blocks.
    const STREAMS: u32 = 2;

    fn run(self, context: &Context) -> Result<Trajectory, Fault> {
        let run = Run::open(&self.files.0, context.files())?;
        if self.spacing == Spacing::Equal {
            run.expect_equal_steps()?;
        }
        if let Some(other) = run.files.iter().find_map(|file| file.others.first()) {
            context.note(format!(
                "tensor `{other}` and others like it are no weights: left out"
            ));
        }
        let steps = Series::new("step".into(), run.steps.clone());
        let coordinates = DataFrame::new(run.steps.len(), vec![steps.into()])?;
        let precision = run.precision();
        let width = Trajectory::block_width(run.steps.len(), precision);
        let keep = |bytes: &[u8]| context.keep(bytes);
        let total = run.layout.len();
        let layout = run.layout.clone();
        let fill = |columns: Range<usize>, bytes: &mut [u8]| {
            context.check_stop()?;
            context.progress(columns.start as u64, total as u64, None);
            let rows = bytes.chunks_exact_mut(columns.len() * precision.bytes());
            for (file, row) in run.files.iter().zip(rows) {
                (file.read(&run.layout, &columns, precision, row)).map_err(at_files)?;
            }
            Ok(())
        };
        Trajectory::write_as(precision, layout, coordinates, width, keep, fill)
    }
}

/// The files of a run in the order of their steps.
struct Run {
    layout: Layout,
    files: Vec<TensorFile>,
    steps: Vec<u64>,
}

impl Run {
    fn open(pattern: &Path, opener: &Files) -> Result<Self, Fault> {
        let mut files = Vec::new();
        for file in opener.open_all(pattern).map_err(at_files)? {
            let file = TensorFile::read_header(file).map_err(at_files)?;
            files.push((step_of(&file)?, file));
        }
        files.sort_by_key(|(step, _)| *step);
        for pair in files.windows(2) {
            if pair[0].0 == pair[1].0 {
                let [one, other] = [&pair[0].1, &pair[1].1].map(|file| file.path().display());
                let message = format!("`{one}` and `{other}` are both of step {}", pair[0].0);
                return Err(Fault::at("files", message));
            }
        }
        let layout = files
            .first()
            .map(|(_, file)| file.layout())
            .unwrap_or_default();
        if layout.is_empty() {
            return Err(Fault::at("files", "the files hold no weights"));
        }
        for (_, file) in &files {
            file.expect(&layout).map_err(at_files)?;
        }
        let (steps, files) = files.into_iter().unzip();
        Ok(Self {
            layout,
            files,
            steps,
        })
    }

    /// That of all files, or one that holds every number of theirs.
    fn precision(&self) -> Precision {
        let mut precisions = self.files.iter().map(TensorFile::precision);
        match precisions.next().flatten() {
            Some(first) if precisions.all(|other| other == Some(first)) => first,
            _ => Precision::F32,
        }
    }

    fn expect_equal_steps(&self) -> Result<(), Fault> {
        let uneven = self.steps.windows(3).find(|steps| {
            let (before, after) = (steps[1] - steps[0], steps[2] - steps[1]);
            before != after
        });
        match uneven {
            None => Ok(()),
            Some(steps) => Err(Fault::at(
                "files",
                format!(
                    "the steps are not equally far apart: {}, {}, {}",
                    steps[0], steps[1], steps[2]
                ),
            )
            .with_hint("leave files out, or write `spacing: any`")),
        }
    }
}

/// The step that the metadata name, or the last number of the file's name.
fn step_of(file: &TensorFile) -> Result<u64, Fault> {
    let stem = file
        .path()
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy();
    let mut numbers = stem
        .split(|c: char| !c.is_ascii_digit())
        .filter(|text| !text.is_empty());
    let (text, place) = match (file.metadata.get("step"), numbers.next_back()) {
        (Some(text), _) => (Some(text.as_str()), "in its metadata"),
        (None, text) => (text, "in its name"),
    };
    let step = text.and_then(|text| text.trim().parse().ok());
    step.ok_or_else(|| {
        let found = text.map_or("none".to_owned(), |text| format!("`{text}`"));
        let shown = file.path().display();
        Fault::at(
            "files",
            format!("`{shown}`: expected a step {place}, found {found}"),
        )
    })
}

fn at_files(fault: Fault) -> Fault {
    match fault {
        Fault::User { message, .. } => Fault::at("files", message),
        other => other,
    }
}

#[cfg(test)]
mod tests;
