//! The processes of a run that wait for calls: started when one is missing, ended with the run.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tempfile::TempDir;

use super::code::Code;
use super::manifest::Program;
use super::process::{Heard, PluginProcess};
use super::wasm::{self, Ended, Limits, Wasm};
use super::wire::{Call, Cancel, Line, Message, PROTOCOL, Told, Whose};
use crate::digest::Digest;
use crate::error::Fault;
use crate::files;
use crate::parcel::{Parcel, Sink};
use crate::path_text::path_text;
use crate::plugin::Context;

/// How long to wait for a line before looking whether the run is to stop.
const PATIENCE: Duration = Duration::from_millis(50);

/// How long a program may take to end a call that was cancelled.
const CANCEL_GRACE: Duration = Duration::from_millis(400);

/// The most notes of a call, and the most letters of each.
const NOTES: usize = 200;
const NOTE_LETTERS: usize = 4000;

/// The waiting processes, by the code they run.
#[derive(Default)]
pub struct Workers {
    /// Only looked up, never listed.
    idle: Mutex<HashMap<Digest, Vec<CallWorker>>>,
    /// The modules that were read, likewise.
    modules: Mutex<HashMap<Digest, Arc<Wasm>>>,
    folder: Mutex<Option<TempDir>>,
    serial: AtomicU64,
}

struct CallWorker {
    process: PluginProcess,
    home: PathBuf,
}

/// What a program is asked for.
pub struct Request<'a> {
    /// The program.
    pub program: &'a Program,
    /// Its identity.
    pub code: &'a Code,
    /// `run`, or a function of a network.
    pub function: &'a str,
    /// The version in its declaration.
    pub version: u32,
    /// The inputs by parameter, to be written into the folder of the call.
    pub inputs: &'a [(String, Given)],
    /// The other arguments by parameter.
    pub args: &'a Map<String, Value>,
}

/// An input of a call.
pub enum Given {
    /// One result.
    One(String, Parcel),
    /// Those of a list.
    List(Vec<Given>),
    /// Those of all members; none where one diverged.
    Members(Vec<Option<Given>>),
}

/// How a call went wrong.
enum Trouble {
    /// The process is gone: another may do better.
    Lost(String),
    /// The call failed, and so may the process have.
    Failed(Fault),
}

impl Workers {
    /// What the program answers to a call. A process that is lost is replaced once.
    ///
    /// # Errors
    /// What the program says is wrong, or that it does not keep to the protocol.
    pub fn call(&self, request: &Request<'_>, context: &Context<'_>) -> Result<Parcel, Fault> {
        if !request.program.is_process() {
            return self.module(request, context);
        }
        let name = &request.program.name;
        let mut lost = String::new();
        for _ in 0..2 {
            context.check_stop()?;
            let mut worker = self.take(request)?;
            let notes = context.take_notes();
            match worker.call(request, context) {
                Ok(parcel) => {
                    let mut later = context.take_notes();
                    notes.into_iter().for_each(|note| context.note(note));
                    later.drain(..).for_each(|note| context.note(note));
                    self.give_back(request.code.digest, worker);
                    return Ok(parcel);
                }
                Err(Trouble::Lost(how)) => {
                    drop(context.take_notes());
                    notes.into_iter().for_each(|note| context.note(note));
                    lost = how;
                }
                Err(Trouble::Failed(fault)) => return Err(fault),
            }
        }
        Err(Fault::Environment(format!("plugin `{name}` {lost}")))
    }

    /// What a module answers.
    fn module(&self, request: &Request<'_>, context: &Context<'_>) -> Result<Parcel, Fault> {
        let name = &request.program.name;
        let wrong = |why: String| Fault::Environment(format!("plugin `{name}` {why}"));
        let runner = &request.program.runner;
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        let module = match modules.get(&request.code.digest) {
            Some(module) => Arc::clone(module),
            None => {
                let path = request
                    .program
                    .folder()
                    .join(runner.wasm.as_deref().unwrap_or_default());
                let module = Wasm::new(&fs::read(path)?)
                    .map_err(|why| wrong(format!("is not a module: {why}")))?;
                let module = Arc::new(module);
                modules.insert(request.code.digest, Arc::clone(&module));
                module
            }
        };
        drop(modules);
        let mut files = BTreeMap::new();
        let mut inputs = Map::new();
        for (name, given) in request.inputs {
            let value = given.write(name, &mut |name, write| {
                let mut bytes = Vec::new();
                write(&mut bytes)?;
                files.insert(name.to_owned(), bytes);
                Ok(())
            })?;
            inputs.insert(name.clone(), value);
        }
        let call = request.call(1, String::new(), inputs, context);
        let line = serde_json::to_vec(&call).map_err(|error| Fault::Bug(error.to_string()))?;
        files.insert(wasm::CALL.to_owned(), line);
        let limits = Limits {
            fuel: runner.fuel,
            memory: megabytes(runner.memory),
            result: megabytes(runner.largest),
        };
        match module.call(files, &limits, context)? {
            Ended::Told(told) => Err(fault_of(told, name, "")),
            Ended::Wrong(why) => Err(wrong(why)),
            Ended::Written(mut files) => {
                let missing = || wrong("returned no result: it wrote no `result.json`".to_owned());
                let head = files.remove("result.json").ok_or_else(missing)?;
                let head = serde_json::from_slice(&head).map_err(|error| {
                    wrong(format!(
                        "returned a `result.json` that is not JSON: {error}"
                    ))
                })?;
                let arrays = files.remove("result.safetensors");
                Parcel::from_answer(head, arrays.as_deref())
                    .map_err(|why| wrong(format!("returned something that is not a result: {why}")))
            }
        }
    }

    /// A process that waits, or a new one.
    fn take(&self, request: &Request<'_>) -> Result<CallWorker, Fault> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(worker) = idle.get_mut(&request.code.digest).and_then(Vec::pop) {
            return Ok(worker);
        }
        drop(idle);
        let folder = self.folder()?;
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let home = folder.join(format!("worker-{serial}"));
        fs::create_dir(&home)?;
        let helper = match request.program.is_python() {
            true => Some(super::python::unpacked(&folder)?),
            false => None,
        };
        let process = PluginProcess::start(request.program, &home, helper.as_deref())?;
        Ok(CallWorker { process, home })
    }

    fn give_back(&self, code: Digest, worker: CallWorker) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.entry(code).or_default().push(worker);
    }

    /// The folder of this run's processes.
    fn folder(&self) -> Result<PathBuf, Fault> {
        let mut folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = &*folder {
            return Ok(folder.path().to_owned());
        }
        let made = tempfile::Builder::new().prefix("farcast-").tempdir()?;
        let path = made.path().to_owned();
        *folder = Some(made);
        Ok(path)
    }
}

impl Drop for Workers {
    /// All are asked at once, so that their time to end is the same.
    fn drop(&mut self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        let workers = idle.into_values().flatten();
        let ending: Vec<_> = workers
            .map(|mut worker| {
                std::thread::spawn(move || {
                    worker.process.ask_to_end();
                    worker.process.kill();
                })
            })
            .collect();
        for end in ending {
            let _ = end.join();
        }
    }
}

impl CallWorker {
    fn call(&mut self, request: &Request<'_>, context: &Context<'_>) -> Result<Parcel, Trouble> {
        // Before the first call the program may have said hello already, which is heard below.
        if self.process.calls > 0
            && let Some(said) = self.process.hear(Duration::ZERO).said()
        {
            let (name, calls) = (&request.program.name, self.process.calls);
            let message =
                format!("plugin `{name}` printed {said} after its answer to call {calls}");
            return Err(Trouble::Failed(Fault::Environment(message)));
        }
        self.process.calls += 1;
        let number = self.process.calls;
        let dir = self.home.join(format!("call-{number}"));
        let failed = |fault: Fault| Trouble::Failed(fault);
        fs::create_dir(&dir).map_err(|error| failed(error.into()))?;
        let mut inputs = Map::new();
        for (name, given) in request.inputs {
            let value = given.write(name, &mut |name, write| {
                Ok(write(&mut fs::File::create(dir.join(name))?)?)
            });
            let value = value.map_err(failed)?;
            inputs.insert(name.clone(), value);
        }
        let call = request.call(number, path_text(&dir), inputs, context);
        self.process.say(&call);
        let answer = self.answer(request, number, context)?;
        let parcel = self.parcel(request, &dir, answer).map_err(failed);
        let _ = fs::remove_dir_all(&dir);
        parcel
    }

    /// Hears the program until it has a result or a fault.
    fn answer(
        &mut self,
        request: &Request<'_>,
        number: u64,
        context: &Context<'_>,
    ) -> Result<Value, Trouble> {
        let name = &request.program.name;
        let wrong = |message: String| {
            Err(Trouble::Failed(Fault::Environment(format!(
                "plugin `{name}` {message}"
            ))))
        };
        let timeout = request.program.runner.timeout.map(Duration::from_secs);
        let mut alive = Instant::now();
        let mut cancelled: Option<Instant> = None;
        let mut notes = 0;
        loop {
            if cancelled.is_none() && context.check_stop().is_err() {
                self.process.say(&Cancel { cancel: number });
                cancelled = Some(Instant::now());
            }
            if cancelled.is_some_and(|since| since.elapsed() > CANCEL_GRACE) {
                return Err(Trouble::Failed(Fault::Cancelled));
            }
            let heard = self.process.hear(PATIENCE);
            if !matches!(heard, Heard::Nothing) {
                alive = Instant::now();
            }
            let said = heard.said().unwrap_or_default();
            let line = match heard {
                Heard::Message(line) => line,
                Heard::Nothing => {
                    let late = timeout.filter(|timeout| alive.elapsed() > *timeout);
                    if let Some(timeout) = late {
                        self.process.kill();
                        let seconds = timeout.as_secs();
                        let words = self.last_words();
                        return wrong(format!(
                            "gave no sign of life for {seconds} s (`timeout`){words}"
                        ));
                    }
                    continue;
                }
                Heard::Noise(_) => {
                    return wrong(format!(
                        "printed on standard output something that is not a message of the protocol: {said}; \
                         print on standard error"
                    ));
                }
                Heard::Wrong(_, why) => {
                    return wrong(format!(
                        "printed {said}, which is not a message of the protocol: {why}"
                    ));
                }
                Heard::TooLong => return wrong("printed a line without an end".to_owned()),
                Heard::Ended if cancelled.is_some() => {
                    return Err(Trouble::Failed(Fault::Cancelled));
                }
                Heard::Ended => {
                    let how = self.process.how_it_ended();
                    return Err(Trouble::Lost(format!("{how}, twice{}", self.last_words())));
                }
            };
            let Line { call, message } = line;
            if !self.process.greeted && !matches!(message, Message::Hello { .. }) {
                return wrong(format!(
                    "did not begin with `{{\"hello\": {{\"protocol\": {PROTOCOL}}}}}`"
                ));
            }
            let ends = matches!(message, Message::Done(_) | Message::Fault(_));
            if let Some(other) = call.filter(|call| *call != number) {
                return wrong(format!("said {said} of call {other} during call {number}"));
            }
            if ends && call.is_none() {
                return wrong(format!(
                    "answered {said} without the number of its call: write `\"call\": {number}` beside it"
                ));
            }
            match message {
                Message::Hello { protocol: PROTOCOL } => self.process.greeted = true,
                Message::Hello { protocol } => {
                    return wrong(format!(
                        "speaks version {protocol} of the protocol, this farcast speaks {PROTOCOL}"
                    ));
                }
                Message::Progress { done, total, loss } => context.progress(done, total, loss),
                Message::Note(text) if notes < NOTES && text.len() <= NOTE_LETTERS => {
                    notes += 1;
                    context.note(text);
                }
                Message::Note(_) => {
                    return wrong(format!(
                        "made more than {NOTES} notes, or one that is too long"
                    ));
                }
                // The process ended the call in order and can take the next.
                Message::Done(_) | Message::Fault(_) if cancelled.is_some() => {
                    return Err(Trouble::Failed(Fault::Cancelled));
                }
                Message::Done(value) => return Ok(value),
                Message::Fault(told) => {
                    let words = match told.whose {
                        Whose::Bug => self.last_words(),
                        _ => String::new(),
                    };
                    return Err(Trouble::Failed(fault_of(told, name, &words)));
                }
            }
        }
    }

    /// What it said last on standard error, to be put behind a message.
    fn last_words(&self) -> String {
        // What was written just before the end may still be on its way.
        std::thread::sleep(Duration::from_millis(20));
        match self.process.last_words() {
            words if words.is_empty() => String::new(),
            words => format!("; its standard error ends with:\n{words}"),
        }
    }

    /// The result, from the message or from the files of the call.
    fn parcel(&self, request: &Request<'_>, dir: &Path, answer: Value) -> Result<Parcel, Fault> {
        let name = &request.program.name;
        let wrong = |why: String| Fault::Environment(format!("plugin `{name}` returned {why}"));
        let most = request.program.runner.largest << 20;
        let read = |file: &str| -> Result<Option<Vec<u8>>, Fault> {
            let path = dir.join(file);
            let found = match files::look_at(&path) {
                Err(files::NotOpened::Missing) => return Ok(None),
                Err(error) => return Err(wrong(format!("no file: {}", error.message(&path)))),
                Ok(found) => found,
            };
            if found.len() > most {
                let (size, most) = (found.len() >> 20, most >> 20);
                return Err(wrong(format!(
                    "a result of {size} MB, more than `largest = {most}` in `farcast.toml`"
                )));
            }
            Ok(Some(fs::read(path)?))
        };
        let head = match answer {
            Value::Bool(true) => {
                let missing = || wrong("no result: there is no `result.json` in `dir`".to_owned());
                let bytes = read("result.json")?.ok_or_else(missing)?;
                serde_json::from_slice(&bytes)
                    .map_err(|error| wrong(format!("a `result.json` that is not JSON: {error}")))?
            }
            other => other,
        };
        let arrays = read("result.safetensors")?;
        Parcel::from_answer(head, arrays.as_deref())
            .map_err(|why| wrong(format!("something that is not a result: {why}")))
    }
}

impl Request<'_> {
    fn call(
        &self,
        number: u64,
        dir: String,
        inputs: Map<String, Value>,
        context: &Context<'_>,
    ) -> Call<'_> {
        Call {
            call: number,
            plugin: &self.program.name,
            function: self.function,
            version: self.version,
            dir,
            inputs,
            args: self.args.clone(),
            seed: context.streams().0.to_string(),
            member: context.member(),
            threads: self.program.runner.threads,
        }
    }
}

/// The most letters of a line that are shown.
const SHOWN: usize = 120;

impl Heard {
    /// The line that was printed, in backticks, when there was one.
    fn said(&self) -> Option<String> {
        let line = match self {
            Self::Noise(line) | Self::Wrong(line, _) => line,
            Self::Message(Line { message, .. }) => {
                return Some(format!("`{}`", message.name()));
            }
            Self::TooLong => return Some("a line without an end".to_owned()),
            Self::Nothing | Self::Ended => return None,
        };
        let shown: String = line.chars().take(SHOWN).collect();
        let more = if shown.len() < line.len() { "…" } else { "" };
        Some(format!("`{shown}{more}`"))
    }
}

fn megabytes(count: u64) -> usize {
    usize::try_from(count)
        .unwrap_or(usize::MAX)
        .saturating_mul(1 << 20)
}

fn fault_of(told: Told, name: &str, last_words: &str) -> Fault {
    let Told {
        whose,
        param,
        message,
        hint,
    } = told;
    match whose {
        Whose::User => Fault::User {
            param,
            message,
            hint,
        },
        Whose::Diverged => Fault::Diverged(message),
        Whose::Bug => {
            Fault::Environment(format!("plugin `{name}` has a bug: {message}{last_words}"))
        }
    }
}

impl Given {
    /// Writes what is given; returns what the call says of it.
    fn write(&self, name: &str, sink: &mut Sink<'_>) -> Result<Value, Fault> {
        match self {
            Given::One(kind, parcel) => {
                let mut said = parcel.write(name, sink)?;
                said["kind"] = kind.clone().into();
                Ok(said)
            }
            Given::List(items) => {
                let items = items.iter().enumerate();
                items
                    .map(|(at, item)| item.write(&format!("{name}.{at}"), sink))
                    .collect()
            }
            Given::Members(members) => {
                let members = members.iter().enumerate();
                let written = members.map(|(at, member)| match member {
                    Some(member) => member.write(&format!("{name}.{at}"), sink),
                    None => Ok(Value::Null),
                });
                let written: Result<Vec<Value>, Fault> = written.collect();
                Ok(serde_json::json!({ "members": written? }))
            }
        }
    }
}
