//! `checkpoints("ckpt/step-*.safetensors")`: training runs of PyTorch and others.

use engine::artifact::{Naming, SavedModel, Selection, Template, Trajectory};
use engine::error::Fault;
use engine::params::DataPath;
use engine::plugin::{Complaint, Context, Coordinate, Examined, Facts, Plugin, Sketch};
use engine::{plugin, words};

use crate::saved::{Asked, Run, Ties, at_files, look, members, selection, wrong_count};

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
    /// Training runs from elsewhere: safetensors files of weights, one model per step.
    ///
    /// `files` is a pattern (`"ck/step-*.safetensors"`, `"ck/checkpoint-*/model.safetensors"`), a
    /// folder, or one file. A model is one file, or shards (`model-00001-of-00002.safetensors`)
    /// with or without their index (`model.safetensors.index.json`). All must hold the same weights
    /// by name and shape, `F64`, `F32`, `F16` or `BF16` and finite. Names that differ by
    /// `_orig_mod.`, `module.` or `model.` are matched, tied tensors may be named once, and a
    /// note says so. In PyTorch: `save_file(model.state_dict(), f"step-{step}.safetensors")`.
    ///
    /// Running statistics (`running_mean`, `running_var`, `num_batches_tracked`), whole numbers
    /// and what is called `optimizer.…` are not weights, unless `only` names them. Those of the
    /// last state go along unchanged into the files of `adopt` and `farcast export`.
    ///
    /// The step of a model is what its metadata say under `step`, or else the number in what the
    /// pattern leaves open of its name; of several numbers, the one that is called a step, as in
    /// `epoch=3-step=40`. Where that leaves a doubt, `step` says where it is.
    ///
    /// With `members`, the files are of that many runs: member 0 is the first by name.
    ///
    /// The weights are in the order of the first file and computed with in single precision. Files
    /// of less than 32 MiB in all are copied to the store as they are (four bytes a weight where
    /// precisions differ, eight with `F64` among them). Larger ones stay where they are: they are
    /// read once, for the key; later reads go to the files and verify each 64 KiB, and a weight
    /// that is not finite is reported by the statement that reads it. A file that changes is never
    /// computed with: the run says so, and reads it again. Memory is that of the digests, a
    /// two-thousandth of the files, and a few MiB.
    ///
    /// ```farcast
    /// trajectory run = checkpoints("checkpoints/step-*.safetensors")
    /// ```
    "checkpoints" version 5
    pub struct Checkpoints {
        /// The files: a pattern, in which `*` matches any text, a folder, or a file.
        files: DataPath;
        /// Whether steps must be equally far apart.
        spacing: Spacing = "equal";
        /// Where the step is in the name of a model, `{}` standing for any text:
        /// `"epoch={}-step={step}"`.
        step: Option<String>;
        /// Only tensors whose names match one of these patterns are weights: `["encoder.*"]`.
        only: Option<Vec<String>>;
        /// Tensors whose names match one of these patterns are not weights: `["*.lora_*"]`.
        without: Option<Vec<String>>;
        /// How many runs the files are of; one when left out.
        members: Option<u64>, range("1..=100000");
        /// Where the run is in the name of a model, `"seed-{member}/"`; the first text that the
        /// pattern leaves open when left out.
        member: Option<String>;
    }
}

impl Checkpoints {
    fn naming(step: Option<&str>, member: Option<&str>) -> Result<Naming, (&'static str, String)> {
        let template = |text: Option<&str>, field: &'static str| {
            let template = text.map(|text| Template::of(text, field)).transpose();
            template.map_err(|message| (field, message))
        };
        Ok(Naming {
            step: template(step, "step")?,
            member: template(member, "member")?,
        })
    }

    /// The models of one member.
    fn models(&self, naming: &Naming, context: &Context) -> Result<Vec<SavedModel>, Fault> {
        let models = SavedModel::open_all(&self.files.0, context.files()).map_err(at_files)?;
        let Some(count) = self.members else {
            return Ok(models);
        };
        let names = models.iter().map(|model| (&model.name[..], model.open()));
        let runs = members(naming, names).map_err(|message| Fault::at("files", message))?;
        if runs.len() as u64 != count {
            return Err(Fault::at("members", wrong_count(&runs, count)));
        }
        let run = runs.get(context.member().unwrap_or(0) as usize).cloned();
        let models = models.into_iter();
        Ok(models
            .filter(|model| naming.member(&model.name, model.open()) == run)
            .collect())
    }

    /// What is wrong with a call as it is written, and else what its files say.
    fn look(call: &Sketch) -> Result<Facts, Complaint> {
        let text = |field: &str| call.get::<String>(field);
        let naming = Self::naming(text("step").as_deref(), text("member").as_deref());
        let naming = naming.map_err(|(field, message)| Complaint::at(field, message))?;
        if naming.member.is_some() && !call.has("members") {
            let message = "`member` says which run a file is of, and `members` is left out";
            let complaint = Complaint::at("member", message);
            return Err(complaint.with_hint("write `members:` with their number"));
        }
        let Some(DataPath(path)) = call.get::<DataPath>("files") else {
            return Ok(Facts::default());
        };
        let selection = selection(call)?;
        let is_equal = call.get::<Spacing>("spacing") != Some(Spacing::Any);
        look(
            &path,
            &Asked {
                naming: &naming,
                selection: &selection,
                count: call.get("members"),
                steps: &|steps| match is_equal {
                    true => expect_equal_steps(steps),
                    false => Ok(()),
                },
            },
        )
    }
}

impl Plugin for Checkpoints {
    type Output = Trajectory;
    // Version 3 lies in other blocks; version 4 keeps the form of the files; version 5 leaves
    // large files where they are.
    const STREAMS: u32 = 2;
    const MEMBERS: Option<&'static str> = Some("members");

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        Self::examine(call).complaints
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        Self::examine(call).facts
    }

    fn examine(call: &Sketch<'_>) -> Examined {
        match Self::look(call) {
            Ok(facts) => Examined {
                complaints: Vec::new(),
                facts,
            },
            Err(complaint) => Examined {
                complaints: vec![complaint],
                facts: Facts {
                    coordinates: Coordinate::numbers(["step"]),
                    ..Facts::default()
                },
            },
        }
    }

    fn run(self, context: &Context) -> Result<Trajectory, Fault> {
        let naming = Self::naming(self.step.as_deref(), self.member.as_deref())
            .map_err(|(field, message)| Fault::at(field, message))?;
        let models = self.models(&naming, context)?;
        let selection = Selection {
            only: self.only.unwrap_or_default(),
            without: self.without.unwrap_or_default(),
        };
        let run = Run::of(models, &naming, selection, Ties::Exact).map_err(at_files)?;
        if self.spacing == Spacing::Equal {
            expect_equal_steps(&run.steps)?;
        }
        run.trajectory(context).map_err(at_files)
    }
}

fn expect_equal_steps(steps: &[u64]) -> Result<(), Fault> {
    let uneven = steps.windows(3).find(|steps| {
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

#[cfg(test)]
mod tests;
