//! What of an experiment is in the store, asked of `farcast plan` in the background.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::spawn;

use engine::outside::read_text;
use engine::path_text::text_path;
use serde_json::Value;

/// The plans of files as they were saved last.
#[derive(Clone, Default)]
pub struct Plans {
    /// None where nothing is asked.
    program: Option<PathBuf>,
    known: Arc<Mutex<BTreeMap<String, StatementPlan>>>,
}

/// What a plan says of each statement.
#[derive(Default)]
struct StatementPlan {
    /// The text it is of.
    text: String,
    /// Statement to what is cached, how many actions there are, and why the first of the others
    /// runs.
    statements: BTreeMap<String, (usize, usize, String)>,
    is_asked: bool,
}

impl Plans {
    /// Plans by this program.
    pub fn by(program: Option<PathBuf>) -> Self {
        Self {
            program,
            ..Self::default()
        }
    }

    /// Asks for the plan of a file, unless it is being asked for.
    pub fn ask(&self, path: &str) {
        let (Some(program), true) = (self.program.clone(), path.starts_with('/')) else {
            return;
        };
        {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let plan = known.entry(path.to_owned()).or_default();
            if std::mem::replace(&mut plan.is_asked, true) {
                return;
            }
        }
        let (known, path) = (Arc::clone(&self.known), path.to_owned());
        spawn(move || {
            let text = read_text(&path).unwrap_or_default();
            let statements = planned(&program, &path).unwrap_or_default();
            let plan = StatementPlan {
                text,
                statements,
                is_asked: false,
            };
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(path, plan);
        });
    }

    /// What is in the store of a statement of this text; none while that is not known.
    pub fn of(&self, path: &str, text: &str, statement: &str) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = known.get(path).filter(|plan| plan.text == text)?;
        let (cached, all, reason) = plan.statements.get(statement)?;
        Some(match all - cached {
            0 if *all == 1 => "cached".to_owned(),
            0 => format!("cached: all {all} actions"),
            left => format!("{left} of {all} to run: {reason}"),
        })
    }
}

fn planned(program: &Path, path: &str) -> Option<BTreeMap<String, (usize, usize, String)>> {
    let file = text_path(path);
    let output = Command::new(program)
        .args(["plan".as_ref(), file.as_os_str(), "--json".as_ref()])
        .current_dir(file.parent()?)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let answer: Value = serde_json::from_slice(&output.stdout).ok()?;
    let mut statements = BTreeMap::new();
    for action in answer["actions"].as_array()? {
        let name = action["statement"].as_str()?.to_owned();
        let (cached, all, reason): &mut (usize, usize, String) =
            statements.entry(name).or_default();
        *all += 1;
        match action["state"] == "cached" {
            true => *cached += 1,
            false if reason.is_empty() => {
                *reason = action["reason"].as_str().unwrap_or_default().to_owned();
            }
            false => {}
        }
    }
    Some(statements)
}
