//! `farcast run --live`: a page beside the results that says how far the run is.
//!
//! It is written every two seconds and refreshes itself: it opens from a file system, over ssh or in a
//! remote editor, without a server.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use engine::artifact::{Figure, Series, Style};
use engine::estimate::Left;
use engine::graph::ActionId;
use engine::observer::{Ending, Observer};
use engine::output::write_file;
use engine::plugin::Progress;
use engine::record::now_text;
use engine::report::{LiveAction, LivePage, render_live};

use crate::host::hostname;
use crate::interrupt::is_asked_to_stop;
use crate::terminal::Terminal;

/// How often to look for a reason to stop.
const GLANCE: Duration = Duration::from_millis(200);
/// The page is written every N-th glance.
const EVERY: usize = 10;
/// How a run ended that a signal stopped.
const STOPPED: &str = "stopped: the next run goes on from here";
/// How many failures and endings are listed.
const LISTED: usize = 12;
/// How many pictures of losses there are, those of what ran last.
const CURVES: usize = 6;
/// A curve with more points loses every other one.
const POINTS: usize = 400;

/// Writes the page and passes everything on to another observer.
pub struct Live {
    inner: Box<dyn Observer>,
    shared: Arc<Shared>,
    stop: Option<Sender<()>>,
    writer: Option<JoinHandle<()>>,
}

struct Shared {
    path: PathBuf,
    terminal: Terminal,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    title: String,
    file: String,
    round: usize,
    ended: usize,
    total: usize,
    left: Option<Left>,
    running: HashMap<ActionId, Running>,
    failures: Vec<(String, String)>,
    recent: VecDeque<(String, String)>,
    /// The losses of each statement at a point, action by action; newest last.
    curves: Vec<(String, BTreeMap<String, Curve>)>,
    has_warned: bool,
}

struct Running {
    title: String,
    since: Instant,
    progress: Progress,
}

#[derive(Default)]
struct Curve {
    points: Vec<(f64, f64)>,
    /// One in this many losses is kept.
    every: usize,
    heard: usize,
}

impl Curve {
    fn add(&mut self, done: u64, loss: f64) {
        self.every = self.every.max(1);
        if self.heard.is_multiple_of(self.every) {
            self.points.push((done as f64, loss));
        }
        self.heard += 1;
        if self.points.len() > POINTS {
            let kept = self.points.iter().copied().step_by(2);
            self.points = kept.collect();
            self.every *= 2;
        }
    }
}

impl Live {
    /// Writes the page to `path`, at once and then until it is dropped.
    pub fn new(
        inner: Box<dyn Observer>,
        path: PathBuf,
        (title, file): (String, String),
        terminal: Terminal,
    ) -> Self {
        let shared = Arc::new(Shared {
            path,
            terminal,
            started: Instant::now(),
            state: Mutex::new(State {
                title,
                file,
                ..State::default()
            }),
        });
        shared.write(None);
        let (stop, stopped) = channel();
        let writing = Arc::clone(&shared);
        let writer = spawn(move || {
            let mut glances = 0;
            while stopped.recv_timeout(GLANCE) == Err(RecvTimeoutError::Timeout) {
                glances += 1;
                // The process may end before the run does.
                if is_asked_to_stop() {
                    return writing.write(Some(STOPPED));
                }
                if glances % EVERY == 0 {
                    writing.write(None);
                }
            }
        });
        Self {
            inner,
            shared,
            stop: Some(stop),
            writer: Some(writer),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
        let how = match is_asked_to_stop() {
            true => STOPPED,
            false => "ended",
        };
        self.shared.write(Some(how));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, over: Option<&'static str>) {
        let page = self
            .state()
            .page(self.started.elapsed().as_secs_f64(), over);
        let written = render_live(&page).and_then(|html| write_file(&self.path, html.as_bytes()));
        if let Err(fault) = written
            && !std::mem::replace(&mut self.state().has_warned, true)
        {
            self.terminal.note(fault.to_string());
        }
    }
}

impl State {
    fn page(&self, seconds: f64, over: Option<&'static str>) -> LivePage {
        let mut running: Vec<(&ActionId, &Running)> = self.running.iter().collect();
        running.sort_by_key(|(id, _)| id.0);
        let action = |(_, running): &(&ActionId, &Running)| LiveAction {
            title: running.title.clone(),
            done: running.progress.done,
            total: running.progress.total,
            loss: running.progress.loss,
            seconds: running.since.elapsed().as_secs_f64(),
        };
        let listed = self.failures.len().min(LISTED);
        LivePage {
            title: self.title.clone(),
            file: self.file.clone(),
            place: format!("{}, process {}", hostname(), std::process::id()),
            now: now_text(),
            seconds,
            round: self.round,
            ended: self.ended,
            total: self.total,
            // As many run at the same time as do now.
            left: self.left.map(|left| left.shared(running.len())),
            running: running.iter().map(action).collect(),
            failures: self.failures[..listed].to_vec(),
            more_failures: self.failures.len() - listed,
            recent: self.recent.iter().cloned().collect(),
            figures: self.curves.iter().rev().map(figure).collect(),
            over,
        }
    }

    fn add_loss(&mut self, title: &str, done: u64, loss: f64) {
        let statement = statement(title);
        let at = self.curves.iter().position(|(name, _)| *name == statement);
        let mut curves = match at {
            Some(at) => self.curves.remove(at).1,
            None => BTreeMap::new(),
        };
        curves.entry(title.to_owned()).or_default().add(done, loss);
        self.curves.push((statement, curves));
        if self.curves.len() > CURVES {
            self.curves.remove(0);
        }
    }
}

/// `net at width=4` of `net[3] at width=4`.
fn statement(title: &str) -> String {
    match (title.find('['), title.find(']')) {
        (Some(open), Some(close)) if open < close && !title[..open].contains(" at ") => {
            format!("{}{}", &title[..open], &title[close + 1..])
        }
        _ => title.to_owned(),
    }
}

fn figure((statement, curves): &(String, BTreeMap<String, Curve>)) -> Figure {
    let series = curves.values().map(|curve| Series {
        name: String::new(),
        style: Style::Faint,
        color: 1,
        points: curve.points.clone(),
    });
    Figure {
        title: format!("Loss of {statement}"),
        x: "step".to_owned(),
        y: "loss".to_owned(),
        log_y: true,
        series: series.collect(),
        ..Figure::default()
    }
}

fn how(ending: &Ending) -> String {
    match ending {
        Ending::Ran(seconds) => format!("{seconds:.1} s"),
        Ending::Diverged { why, .. } => format!("diverged: {why}"),
        Ending::Failed(failure) => format!("failed: {}", failure.message),
        Ending::Skipped => "stopped".to_owned(),
        Ending::Cached => "cached".to_owned(),
        Ending::NotNeeded => "not needed".to_owned(),
    }
}

impl Observer for Live {
    fn planned(&self, count: usize) {
        let mut state = self.shared.state();
        state.round += 1;
        state.total = state.ended + count;
        drop(state);
        self.inner.planned(count);
    }

    fn started(&self, action: ActionId, title: &str) {
        let running = Running {
            title: title.to_owned(),
            since: Instant::now(),
            progress: Progress {
                done: 0,
                total: 0,
                loss: None,
            },
        };
        self.shared.state().running.insert(action, running);
        self.inner.started(action, title);
    }

    fn progress(&self, action: ActionId, progress: Progress) {
        let mut state = self.shared.state();
        let heard = state.running.get_mut(&action).map(|running| {
            running.progress = progress;
            running.title.clone()
        });
        if let (Some(title), Some(loss)) = (heard, progress.loss) {
            state.add_loss(&title, progress.done, loss);
        }
        drop(state);
        self.inner.progress(action, progress);
    }

    fn ended(&self, action: ActionId, title: &str, ending: &Ending) {
        let mut state = self.shared.state();
        state.running.remove(&action);
        state.ended += 1;
        if matches!(ending, Ending::Failed(_) | Ending::Diverged { .. }) {
            state.failures.push((title.to_owned(), how(ending)));
        }
        state.recent.push_front((title.to_owned(), how(ending)));
        state.recent.truncate(LISTED);
        drop(state);
        self.inner.ended(action, title, ending);
    }

    fn remaining(&self, left: Left) {
        self.shared.state().left = Some(left);
        self.inner.remaining(left);
    }

    fn remark(&self, text: &str) {
        self.inner.remark(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_share_a_picture() {
        assert_eq!(statement("net[3]"), "net");
        assert_eq!(statement("net[3] at width=4"), "net at width=4");
        assert_eq!(statement("skill at hidden=[4]"), "skill at hidden=[4]");
        let mut state = State::default();
        for step in 0..10 {
            state.add_loss("a[0]", step, 1.0);
            state.add_loss("a[1]", step, 2.0);
            state.add_loss("b", step, 3.0);
        }
        let figures = state.page(0.0, None).figures;
        let counts: Vec<_> = figures
            .iter()
            .map(|it| (&*it.title, it.series.len()))
            .collect();
        assert_eq!(counts, [("Loss of b", 1), ("Loss of a", 2)]);
    }

    #[test]
    fn a_long_curve_is_thinned() {
        let mut curve = Curve::default();
        (0..5000).for_each(|step| curve.add(step, 1.0));
        assert!(curve.points.len() <= POINTS && curve.points.len() > POINTS / 3);
        assert!(curve.points.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
