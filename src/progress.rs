//! The progress of a run: bars on a terminal, otherwise one plain line for each action that ends.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dsl::render::printable;
use engine::estimate::Left;
use engine::graph::ActionId;
use engine::observer::{Ending, Observer};
use engine::plugin::Progress;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::terminal::Terminal;

/// An overall bar and one line for each running action with its loss.
pub struct Bars {
    all: MultiProgress,
    overall: ProgressBar,
    running: Mutex<HashMap<ActionId, ProgressBar>>,
    /// What was left, and when.
    left: Mutex<Option<(Left, Instant)>>,
    terminal: Terminal,
}

impl Bars {
    /// Nothing is drawn before actions are planned.
    pub fn new(terminal: Terminal) -> Self {
        let all = MultiProgress::new();
        let overall = all.add(ProgressBar::new(0));
        overall.set_style(style(
            "{bar:20.cyan/dim} {pos}/{len} actions  {elapsed_precise}{wide_msg}",
        ));
        Self {
            all,
            overall,
            running: Mutex::default(),
            left: Mutex::default(),
            terminal,
        }
    }

    /// Shows the time left, less what has passed since it was known.
    fn show_left(&self, running: usize) {
        let known = *self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((left, since)) = known {
            // As many run at the same time as do now.
            let left = left.shared(running).after(since.elapsed().as_secs_f64());
            self.overall.set_message(format!("  {}", left.text()));
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Observer for Bars {
    fn planned(&self, count: usize) {
        if count > 0 {
            // Actions that an earlier round did not finish are counted already.
            self.overall
                .set_length(self.overall.position() + count as u64);
            self.overall.enable_steady_tick(Duration::from_millis(250));
        }
    }

    fn started(&self, action: ActionId, title: &str) {
        let bar = self.all.add(ProgressBar::new(0));
        // The last part is cut off at the edge, so that no line wraps.
        let width = usize::from(self.terminal.progress_width().unwrap_or(80));
        let title_width = width.saturating_sub(45).clamp(8, 40);
        bar.set_style(style(&match width {
            ..48 => "{prefix:16!} {wide_msg}".to_owned(),
            _ => format!(
                "  {{prefix:{title_width}!}} {{bar:12.green/dim}} {{percent:>3}}% {{wide_msg}}"
            ),
        }));
        bar.set_prefix(printable(title));
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(action, bar);
    }

    fn progress(&self, action: ActionId, progress: Progress) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = running.get(&action) {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
            if let Some(loss) = progress.loss {
                bar.set_message(format!("loss {loss:.3e}"));
            }
        }
        self.show_left(running.len());
    }

    fn ended(&self, action: ActionId, title: &str, ending: &Ending) {
        let bar = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&action);
        if let Some(bar) = bar {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
        if let Some(line) = unusual(title, ending) {
            let _ = self.all.println(printable(&line));
        }
        self.overall.inc(1);
    }

    fn remaining(&self, left: Left) {
        let known = Some((left, Instant::now()));
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = known;
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        self.show_left(running.len());
    }

    fn remark(&self, text: &str) {
        let _ = self.all.println(format!("note: {}", printable(text)));
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.overall.finish_and_clear();
    }
}

/// One line for each action that ends.
pub struct Lines {
    terminal: Terminal,
    total: AtomicUsize,
    ended: AtomicUsize,
    running: AtomicUsize,
    left: Mutex<Option<Left>>,
}

impl Lines {
    /// Lines to this terminal.
    pub fn new(terminal: Terminal) -> Self {
        Self {
            terminal,
            total: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            left: Mutex::default(),
        }
    }
}

impl Observer for Lines {
    fn planned(&self, count: usize) {
        let ended = self.ended.load(Ordering::Relaxed);
        self.total.store(ended + count, Ordering::Relaxed);
    }

    fn started(&self, _: ActionId, _: &str) {
        self.running.fetch_add(1, Ordering::Relaxed);
    }

    fn remaining(&self, left: Left) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(left);
    }

    fn ended(&self, _: ActionId, title: &str, ending: &Ending) {
        let running = self.running.fetch_sub(1, Ordering::Relaxed);
        let count = self.ended.fetch_add(1, Ordering::Relaxed) + 1;
        let how = match ending {
            Ending::Ran(seconds) => format!("{title}  {seconds:.1} s"),
            other => unusual(title, other).unwrap_or_else(|| title.to_owned()),
        };
        let total = self.total.load(Ordering::Relaxed);
        let left = *self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let left = match left.map_or_else(String::new, |left| left.shared(running).text()) {
            text if text.is_empty() => text,
            text => format!(", {text}"),
        };
        self.terminal.say(format!("[{count}/{total}] {how}{left}"));
    }

    fn remark(&self, text: &str) {
        self.terminal.note(text);
    }
}

fn unusual(title: &str, ending: &Ending) -> Option<String> {
    match ending {
        Ending::Diverged { why, .. } => Some(format!("{title} diverged: {why}")),
        Ending::Failed(failure) => Some(format!("{title} failed: {}", failure.message)),
        Ending::Skipped => Some(format!("{title} stopped")),
        _ => None,
    }
}
