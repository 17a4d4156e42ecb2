//! One process of a program: starts it, says lines to it, hears what it says, ends it.

use std::collections::{BTreeSet, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::manifest::{Executable, Program, executable};
use super::sandbox;
use super::wire::Line;
use crate::error::Fault;
use crate::path_text::path_text;

/// The longest line that is read.
const LONGEST_LINE: u64 = 64 << 20;

/// How many lines wait to be heard before the program has to.
const LINES: usize = 64;

/// How much of standard error is kept.
const LAST_WORDS: usize = 4096;

/// How long a process may take to end by itself.
const GRACE: Duration = Duration::from_millis(300);

/// The groups of all processes that may be there, for an end out of order.
static GROUPS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Ends all processes at once: for a program that is about to exit where it is.
pub fn end_all() {
    let groups = std::mem::take(&mut *GROUPS.lock().unwrap_or_else(PoisonError::into_inner));
    groups
        .into_iter()
        .for_each(|group| signal(group, Signal::Kill));
}

fn signal(group: u32, signal: Signal) {
    #[cfg(unix)]
    {
        use rustix::process;
        let signal = match signal {
            Signal::Terminate => process::Signal::TERM,
            Signal::Kill => process::Signal::KILL,
        };
        let group = i32::try_from(group).ok().and_then(process::Pid::from_raw);
        if let Some(group) = group {
            let _ = process::kill_process_group(group, signal);
        }
    }
    #[cfg(not(unix))]
    let _ = (group, signal);
}

/// A process that waits for calls, or carries one out.
pub struct PluginProcess {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<OutputLine>,
    errors: Arc<Mutex<VecDeque<u8>>>,
    /// How many calls it was given.
    pub calls: u64,
    /// Whether it said in which version of the protocol it speaks.
    pub greeted: bool,
    status: Option<ExitStatus>,
}

/// What came on standard output.
enum OutputLine {
    Text(String),
    TooLong,
}

/// What was heard.
pub enum Heard {
    /// A message.
    Message(Line),
    /// A line that is none.
    Noise(String),
    /// An object that is none, and why.
    Wrong(String, String),
    /// A line without an end.
    TooLong,
    /// Nothing for a while.
    Nothing,
    /// Nothing any more: the process has ended.
    Ended,
}

impl PluginProcess {
    /// Starts the program; `home` is where it may write.
    pub fn start(program: &Program, home: &Path, helper: Option<&Path>) -> Result<Self, Fault> {
        let words = program.command();
        let folder = program.folder();
        let cannot = |why: String| {
            Fault::Environment(format!(
                "plugin `{}` cannot be started: {why}",
                program.name
            ))
        };
        let first = words.first().map(String::as_str).unwrap_or_default();
        let Executable::Found(path) = executable(first, &folder) else {
            return Err(cannot(format!("there is no program `{first}`")));
        };
        let mut command = Command::new(path);
        command
            .args(&words[1..])
            .current_dir(&folder)
            .env_clear()
            .envs(environment(program, home, helper))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = sandbox::spawn(command, program, home);
        let mut child = child.map_err(|error| cannot(error.to_string()))?;
        let mut groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
        groups.insert(child.id());
        drop(groups);
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(error)) = pipes else {
            return Err(cannot("no pipes".to_owned()));
        };
        let (sender, lines) = sync_channel(LINES);
        thread::spawn(move || hear(output, &sender));
        let errors = Arc::new(Mutex::new(VecDeque::new()));
        let kept = Arc::clone(&errors);
        thread::spawn(move || keep_last(error, &kept));
        Ok(Self {
            child,
            input: Some(input),
            lines,
            errors,
            calls: 0,
            greeted: false,
            status: None,
        })
    }

    /// Says one line. A process that has ended is found when it is heard.
    pub fn say(&mut self, line: &impl serde::Serialize) {
        let Ok(mut text) = serde_json::to_vec(line) else {
            return;
        };
        text.push(b'\n');
        if let Some(input) = &mut self.input {
            let _ = input.write_all(&text).and_then(|()| input.flush());
        }
    }

    /// What it says within this time.
    pub fn hear(&mut self, patience: Duration) -> Heard {
        let line = match self.lines.recv_timeout(patience) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => return Heard::Ended,
            Err(RecvTimeoutError::Timeout) if !self.has_ended() => return Heard::Nothing,
            // A child of it may keep its standard output open.
            Err(RecvTimeoutError::Timeout) => match self.lines.recv_timeout(patience) {
                Ok(line) => line,
                Err(_) => return Heard::Ended,
            },
        };
        match line {
            OutputLine::TooLong => Heard::TooLong,
            OutputLine::Text(text) => match Line::parse(&text) {
                Some(Ok(line)) => Heard::Message(line),
                Some(Err(why)) => Heard::Wrong(text, why),
                None => Heard::Noise(text),
            },
        }
    }

    fn has_ended(&mut self) -> bool {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status.is_some()
    }

    /// The end of what it wrote on standard error.
    pub fn last_words(&self) -> String {
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = errors.iter().copied().collect();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }

    /// How it ended: `was killed by signal 9`.
    pub fn how_it_ended(&mut self) -> String {
        let deadline = Instant::now() + GRACE;
        while !self.has_ended() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        match self.status {
            None => "closed its standard output".to_owned(),
            Some(status) => ended_how(status),
        }
    }

    /// Ends it and what it started, at once.
    pub fn kill(&mut self) {
        self.input = None;
        self.signal(Signal::Kill);
        if self.status.is_none() {
            let _ = self.child.kill();
            self.status = self.child.wait().ok();
        }
        let mut groups = GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
        groups.remove(&self.child.id());
    }

    fn signal(&self, kind: Signal) {
        signal(self.child.id(), kind);
    }

    /// Asks an idle process to end: by the end of its input, then by a signal.
    pub fn ask_to_end(&mut self) {
        self.input = None;
        self.signal_later();
    }

    fn signal_later(&mut self) {
        let deadline = Instant::now() + GRACE;
        while !self.has_ended() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(2));
        }
        if !self.has_ended() {
            self.signal(Signal::Terminate);
            thread::sleep(Duration::from_millis(50));
        }
    }
}

#[derive(Clone, Copy)]
enum Signal {
    Terminate,
    Kill,
}

impl Drop for PluginProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

fn ended_how(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("was killed by signal {signal}");
    }
    match status.code() {
        Some(code) => format!("exited with {code}"),
        None => "ended".to_owned(),
    }
}

/// Sends every line on, until there are no more or nobody listens.
fn hear(output: impl Read, sender: &SyncSender<OutputLine>) {
    let mut output = BufReader::new(output);
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut output).take(LONGEST_LINE);
        match limited.read_until(b'\n', &mut line) {
            Ok(1..) if line.last() != Some(&b'\n') && line.len() as u64 == LONGEST_LINE => {
                let _ = sender.send(OutputLine::TooLong);
                return;
            }
            Ok(1..) => {
                let text = String::from_utf8_lossy(line.trim_ascii()).into_owned();
                if !text.is_empty() && sender.send(OutputLine::Text(text)).is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
}

/// Keeps the end of what is written.
fn keep_last(mut errors: impl Read, kept: &Mutex<VecDeque<u8>>) {
    let mut bytes = [0; LAST_WORDS];
    while let Ok(count @ 1..) = errors.read(&mut bytes) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(&bytes[..count]);
        let beyond = kept.len().saturating_sub(LAST_WORDS);
        kept.drain(..beyond);
    }
}

/// Names of variables that say how many threads libraries start.
const THREADS: [&str; 6] = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "JULIA_NUM_THREADS",
];

/// All that a program sees of the environment.
fn environment(program: &Program, home: &Path, helper: Option<&Path>) -> Vec<(String, String)> {
    let mut variables: Vec<(String, String)> = [
        ("LC_ALL", "C"),
        ("TZ", "UTC"),
        ("PYTHONHASHSEED", "0"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("PYTHONUTF8", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let mut set = |name: &str, value: String| variables.push((name.to_owned(), value));
    set("PATH", std::env::var("PATH").unwrap_or_default());
    set("HOME", path_text(home));
    set("TMPDIR", path_text(home));
    set("FARCAST_PROTOCOL", super::PROTOCOL.to_string());
    for name in THREADS {
        set(name, program.runner.threads.to_string());
    }
    if let Some(helper) = helper {
        set("PYTHONPATH", path_text(helper));
    }
    for name in &program.runner.env {
        if let Ok(value) = std::env::var(name) {
            set(name, value);
        }
    }
    variables
}
