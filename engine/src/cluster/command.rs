//! Any queue, through a command that gets chunks and ends when they have ended, however they ended.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::campaign::{Campaign, WorkOrder};
use super::chunks::Array;
use super::queue::{Job, JobState, Part, Patience, Queue};
use crate::error::Fault;
use crate::observer::Observer;

/// A command of the site, called once for each array; the arrays of a wave at the same time.
#[derive(Debug, Default)]
pub struct CommandQueue {
    state: Arc<CommandState>,
}

#[derive(Debug, Default)]
struct CommandState {
    /// The order whose waves are being called, and what went wrong.
    going: Mutex<Option<u32>>,
    words: Mutex<BTreeMap<usize, String>>,
    is_cancelled: AtomicBool,
}

impl Queue for CommandQueue {
    fn submit(
        &self,
        campaign: &Campaign,
        order: &WorkOrder,
        _: &[u64],
        _: &dyn Observer,
    ) -> Result<(), Fault> {
        *lock(&self.state.going) = Some(order.number);
        lock(&self.state.words).clear();
        let state = Arc::clone(&self.state);
        let (campaign, order) = (campaign.clone(), order.clone());
        campaign.note_submitted(order.number)?;
        thread::spawn(move || {
            let mut arrays = order.arrays.as_slice();
            while let Some(first) = arrays.first() {
                let count = arrays.iter().take_while(|it| it.wave == first.wave).count();
                let (wave, rest) = arrays.split_at(count);
                state.call(&campaign, &order, wave);
                arrays = rest;
            }
            let mut going = lock(&state.going);
            if *going == Some(order.number) {
                *going = None;
            }
        });
        Ok(())
    }

    fn jobs(&self, campaign: &Campaign) -> Result<Vec<Job>, Fault> {
        let mut jobs = Vec::new();
        for (array, words) in lock(&self.state.words).iter() {
            let last = campaign.order(campaign.last())?;
            if let Some(array) = last.arrays.get(*array) {
                jobs.push(Job {
                    id: 0,
                    order: last.number,
                    part: Part::Chunks((array.first..=array.last()).collect()),
                    state: JobState::Over,
                    words: words.clone(),
                });
            }
        }
        let last = campaign.last();
        let here = *lock(&self.state.going);
        let Some(number) = here.or_else(|| campaign.is_submitted_elsewhere(last).then_some(last))
        else {
            return Ok(jobs);
        };
        let (begun, ended) = (campaign.begun(number), campaign.ended(number));
        for chunk in 1..=campaign.order(number)?.chunks() {
            if !ended.contains(&chunk) {
                let (state, words) = match begun.contains(&chunk) {
                    true => (JobState::Running, "running"),
                    false => (JobState::Pending, "pending"),
                };
                jobs.push(Job {
                    id: 0,
                    order: number,
                    part: Part::Chunks(vec![chunk]),
                    state,
                    words: words.to_owned(),
                });
            }
        }
        Ok(jobs)
    }

    fn patience(&self) -> Patience {
        Patience {
            ask: Duration::from_millis(200),
            delay: Duration::from_secs(1),
        }
    }

    fn cancel(&self, _: &Campaign) -> Result<usize, Fault> {
        self.state.is_cancelled.store(true, Ordering::Relaxed);
        Ok(lock(&self.state.going).iter().count())
    }
}

impl Drop for CommandQueue {
    fn drop(&mut self) {
        for turn in 0..100 {
            // Most often it ends by itself, a moment after its chunks.
            if turn == 50 {
                self.state.is_cancelled.store(true, Ordering::Relaxed);
            }
            if lock(&self.state.going).is_none() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl CommandState {
    /// Calls the command for the arrays of one wave, and waits until all have ended.
    fn call(&self, campaign: &Campaign, order: &WorkOrder, wave: &[Array]) {
        let at = |array: &Array| {
            let mut arrays = order.arrays.iter();
            arrays.position(|it| it.first == array.first).unwrap_or(0)
        };
        let mut children: Vec<(usize, Child)> = Vec::new();
        for array in wave {
            if self.is_cancelled.load(Ordering::Relaxed) || campaign.is_cancelled() {
                return;
            }
            match command(campaign, order, array).spawn() {
                Ok(child) => children.push((at(array), child)),
                Err(error) => self.note(at(array), &format!("the command does not start: {error}")),
            }
        }
        while !children.is_empty() {
            let is_over = self.is_cancelled.load(Ordering::Relaxed) || campaign.is_cancelled();
            children.retain_mut(|(at, child)| match child.try_wait() {
                Ok(None) if !is_over => true,
                Ok(Some(status)) if !status.success() => {
                    self.note(*at, &format!("the command ended with {status}"));
                    false
                }
                Ok(Some(_)) => false,
                _ => {
                    let _ = child.kill();
                    let _ = child.wait();
                    false
                }
            });
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn note(&self, array: usize, words: &str) {
        lock(&self.words).insert(array, words.to_owned());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The command for an array, with its placeholders filled in.
fn command(campaign: &Campaign, order: &WorkOrder, array: &Array) -> Command {
    let about = &campaign.about;
    let needs = about.site.needs_of(&array.class);
    let folder = campaign.order_folder(order.number);
    let name = format!("{}{}-{}", campaign.job_prefix(), order.number, array.first);
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let fillings = [
        ("{order}", folder.join("order.json").display().to_string()),
        ("{chunks}", format!("{}-{}", array.first, array.last())),
        ("{first}", array.first.to_string()),
        ("{last}", array.last().to_string()),
        ("{count}", array.chunks.len().to_string()),
        ("{name}", name),
        ("{log}", folder.join("log").display().to_string()),
        ("{farcast}", about.program.clone()),
        ("{class}", array.class.clone()),
        ("{cpus}", needs.cpus.unwrap_or(1).to_string()),
        ("{mem}", text(&needs.mem)),
        ("{gpus}", text(&needs.gpus)),
        ("{time}", text(&needs.time)),
        ("{partition}", text(&needs.partition)),
    ];
    let fill = |word: &String| {
        let fillings = fillings.iter();
        fillings.fold(word.clone(), |word, (name, value)| {
            word.replace(name, value)
        })
    };
    let words: Vec<String> = about.site.run.iter().map(fill).collect();
    let mut command = Command::new(words.first().map_or("", String::as_str));
    command.args(words.iter().skip(1));
    command
        .current_dir(&about.folder)
        .stdin(Stdio::null())
        // Standard output is for the answer of the run.
        .stdout(Stdio::from(std::io::stderr()));
    command
}
