//! A backend that carries nothing out itself: it submits what is missing and waits until the store
//! has it, or leaves.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::campaign::{Campaign, Verdict, WorkOrder};
use super::chunks::{Limits, cut};
use super::outline::Outline;
use super::queue::{Job, JobState, Patience, Queue};
use crate::digest::Digest;
use crate::error::Fault;
use crate::executor::{Answer, Backend, Conclusion, Event, Executor, Place, Round};
use crate::graph::ActionId;
use crate::observer::{Blame, Ending, Failure};
use crate::order::Order;
use crate::store::Records;

/// How often the store is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// The pauses before a queue is asked again that does not answer, in seconds: a controller that
/// starts again is away for a while.
const PAUSES: [u64; 5] = [1, 2, 4, 8, 15];

/// The share of a job's time limit that its chunk is cut for: no estimate is sure.
const SAFE: f64 = 0.6;

/// How long the jobs of a cancelled run may take to end: Slurm kills them after `KillWait`, 30 s.
const DYING: Duration = Duration::from_secs(60);

/// How often whoever waits looks whether the run is to stop.
const GLANCE: Duration = Duration::from_millis(50);

/// Who wants work to be submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The user: whatever is missing and in no queue is submitted.
    ByUser,
    /// Whoever continues a run: nothing is submitted while there are jobs of it.
    ToContinue,
}

/// What to do when work was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// Leave: the run counts as stopped.
    Leave,
    /// Wait until it is done.
    Wait,
}

/// Jobs of a queue.
pub struct Elsewhere<'a> {
    /// The run.
    pub campaign: &'a Campaign,
    /// The queue.
    pub queue: &'a dyn Queue,
    /// Who wants work to be submitted.
    pub occasion: Occasion,
    /// What to do then.
    pub stay: Stay,
    /// What it did.
    pub did: Mutex<Did>,
}

/// What came of looking after a run.
#[derive(Debug, Default)]
pub struct Did {
    /// How many actions were submitted, in how many chunks of how many arrays.
    pub submitted: (usize, usize, usize),
    /// Whether jobs go on with the run, so that nothing is to be done here.
    pub left: bool,
    /// Why it cannot go on.
    pub fault: Option<Fault>,
    /// What was given up.
    pub lost: Vec<(Digest, Failure)>,
}

impl Elsewhere<'_> {
    /// What it did.
    pub fn did(&self) -> MutexGuard<'_, Did> {
        self.did.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for Elsewhere<'_> {
    fn open(&self, place: Place<'_>, body: &mut dyn FnMut(&mut dyn Executor)) {
        body(&mut Waiting {
            elsewhere: self,
            campaign: self.campaign,
            queue: self.queue,
            occasion: self.occasion,
            stay: self.stay,
            place,
            round: Outline::default(),
            awaited: HashMap::new(),
            ready: VecDeque::new(),
            heard: BTreeSet::new(),
            lost: BTreeMap::new(),
            looked: None,
            asked_queue: None,
            over_since: None,
            is_done: false,
        });
    }
}

struct Waiting<'a> {
    elsewhere: &'a Elsewhere<'a>,
    campaign: &'a Campaign,
    queue: &'a dyn Queue,
    occasion: Occasion,
    stay: Stay,
    place: Place<'a>,
    round: Outline,
    awaited: HashMap<Digest, ActionId>,
    ready: VecDeque<(ActionId, Answer)>,
    /// The reports that were read, as order and chunk.
    heard: BTreeSet<(u32, usize)>,
    /// What failed or was given up in this attempt.
    lost: BTreeMap<Digest, Failure>,
    looked: Option<Instant>,
    asked_queue: Option<Instant>,
    /// Since when the queue has no jobs of the run.
    over_since: Option<Instant>,
    /// Nothing more is waited for.
    is_done: bool,
}

impl Executor for Waiting<'_> {
    fn begin(&mut self, round: Round<'_>) -> BTreeMap<Digest, Ending> {
        self.round = Outline::of(round, self.place, self.campaign);
        self.hear();
        if let Err(fault) = self.begin_round() {
            self.leave(Some(fault));
        }
        self.endings()
    }

    fn has_room(&self) -> bool {
        true
    }

    fn start(&mut self, id: ActionId, order: Order) {
        let key = order.key.digest;
        match self.lost.get(&key) {
            Some(failure) => {
                let answer = Answer::without_result(Conclusion::Failed(failure.clone()));
                self.ready.push_back((id, answer));
            }
            None if self.stay == Stay::Leave => {
                let answer = Answer::without_result(Conclusion::Cancelled);
                self.ready.push_back((id, answer));
            }
            None => drop(self.awaited.insert(key, id)),
        }
    }

    fn wait(&mut self) -> Event {
        loop {
            if let Some((id, answer)) = self.ready.pop_front() {
                return Event::Ended(id, answer);
            }
            if self.awaited.is_empty() || self.is_done {
                return Event::Idle;
            }
            if self
                .looked
                .is_none_or(|looked| looked.elapsed() >= self.pause())
            {
                self.looked = Some(Instant::now());
                self.look();
                continue;
            }
            sleep(GLANCE);
            return Event::StillRunning;
        }
    }

    fn abort(&mut self) {
        self.is_done = true;
    }
}

impl Waiting<'_> {
    /// How long to wait before the store is looked at again: looking for many takes a while.
    fn pause(&self) -> Duration {
        match self.awaited.len() {
            ..2000 => LOOK,
            _ => 4 * LOOK,
        }
    }

    /// Submits what is to be submitted now.
    fn begin_round(&mut self) -> Result<(), Fault> {
        let mut jobs = self.jobs()?;
        match self.queue.release(&jobs) {
            Ok(0) => {}
            Ok(_) => self.place.observer.remark(
                "the queue held jobs whose start had failed: they are released, and start again",
            ),
            Err(fault) => self.place.observer.remark(&fault.to_string()),
        }
        if self.occasion == Occasion::ByUser {
            let is_cancelled = self.campaign.is_cancelled();
            if is_cancelled {
                jobs = self.let_go(jobs)?;
            }
            if self.recover(&jobs)? {
                if self.is_done {
                    return Ok(());
                }
                jobs = self.jobs()?;
            }
            self.occasion = Occasion::ToContinue;
            // A coordinator that has written how the run ended is of no further use.
            let is_over = is_cancelled || self.campaign.verdict().is_some();
            if is_over || !self.is_live(&jobs) {
                self.campaign.try_again()?;
                self.lost.clear();
            }
            let open = self.open();
            let missing = self.missing(&open, &jobs);
            return match (open.is_empty(), missing.is_empty()) {
                (true, _) => Ok(()),
                (false, true) => {
                    self.leave(None);
                    Ok(())
                }
                (false, false) => self.submit(&missing, &jobs),
            };
        }
        let open = self.open();
        match open.is_empty() {
            true => Ok(()),
            false if self.is_cancelled() => Err(cancelled()),
            false if self.is_live(&jobs) => {
                self.leave(None);
                Ok(())
            }
            false => match self.still_open(open)? {
                open if open.is_empty() => Ok(()),
                open => self.go_on(&open, &jobs),
            },
        }
    }

    /// Whether somebody has cancelled the run before its end.
    fn is_cancelled(&self) -> bool {
        self.campaign.is_cancelled() && self.campaign.verdict().is_none()
    }

    /// The jobs of a cancelled run once they have ended, so that none of them counts as going on.
    fn let_go(&self, mut jobs: Vec<Job>) -> Result<Vec<Job>, Fault> {
        let since = Instant::now();
        if self.is_live(&jobs) {
            let words = "the run was cancelled: waiting until its jobs have ended";
            self.place.observer.remark(words);
        }
        while self.is_live(&jobs) {
            if since.elapsed() > DYING || self.place.stop.load(Ordering::Relaxed) {
                return Err(Fault::Environment(
                    "the run was cancelled, and its jobs have not ended yet: cancel them again, \
                     or give the same command later"
                        .to_owned(),
                ));
            }
            sleep(4 * LOOK);
            jobs = self.jobs()?;
        }
        Ok(jobs)
    }

    /// What is open still when the jobs that have just ended had time to be seen here.
    fn still_open(&mut self, mut open: BTreeSet<usize>) -> Result<BTreeSet<usize>, Fault> {
        let since = Instant::now();
        let last = self.campaign.last();
        while last > 0
            && !open.is_empty()
            && since.elapsed() < self.queue.patience().delay
            && !self.place.stop.load(Ordering::Relaxed)
            && self.is_of(last, &open)?
        {
            sleep(LOOK);
            self.hear();
            open = self.open();
        }
        Ok(open)
    }

    /// What has changed since the run was submitted, so that its actions are others now.
    fn changed(&self) -> Option<String> {
        let order = self.campaign.order(self.campaign.last()).ok()?;
        let changed = order.files.iter().find(|(path, digest)| {
            let now = self.round.files.get(*path);
            now.is_some_and(|now| now != *digest)
        });
        changed.map(|(path, _)| {
            format!("the data file `{path}` has changed since the run was submitted")
        })
    }

    /// The jobs of the run; a queue that is away for a moment is asked again.
    fn jobs(&self) -> Result<Vec<Job>, Fault> {
        for pause in PAUSES {
            if let Ok(jobs) = self.queue.jobs(self.campaign) {
                return Ok(jobs);
            }
            let until = Instant::now() + Duration::from_secs(pause);
            while Instant::now() < until && !self.place.stop.load(Ordering::Relaxed) {
                sleep(GLANCE);
            }
        }
        self.queue.jobs(self.campaign)
    }

    /// Whether jobs go on with the run.
    fn is_live(&self, jobs: &[Job]) -> bool {
        let ended = |job: &Job| {
            let ended = self.campaign.ended(job.order);
            let is_chunk = !job.chunks().is_empty();
            // It has said its last word, though the queue still cleans up after it.
            let is_over = is_chunk && job.chunks().iter().all(|chunk| ended.contains(chunk));
            job.state == JobState::Running && is_over
        };
        let mut others = jobs.iter().filter(|job| self.is_of_others(job));
        others.any(|job| !ended(job))
    }

    /// Goes on when the queue has no jobs of the run any more, though something is missing.
    fn go_on(&mut self, open: &BTreeSet<usize>, jobs: &[Job]) -> Result<(), Fault> {
        if self.recover(jobs)? {
            return Ok(());
        }
        let (last, since) = (self.campaign.last(), self.campaign.since());
        let changed = self.changed();
        let is_over = changed.is_some() || self.campaign.verdict().is_some() || self.must_stop();
        let is_worth_it = last < since
            || !self.is_of(last, open)?
            || last == since
            || !self.is_of(last - 1, open)?
            || self.has_progress(last)?;
        if is_over || !is_worth_it {
            if !self.must_stop() {
                self.give_up(open, jobs, changed);
            }
            return Ok(());
        }
        self.submit(open, jobs)
    }

    /// Whether a failure ends the run.
    fn must_stop(&self) -> bool {
        let failed = |(place, key): (usize, &Digest)| {
            let Some(failure) = self.lost.get(key) else {
                return false;
            };
            let ending = Ending::Failed(failure.clone());
            !self.round.trials.forgive(ActionId(place), &ending)
        };
        !self.campaign.about.keep_going && self.round.keys.iter().enumerate().any(failed)
    }

    /// Finishes a submission whose process was killed; whether there was one.
    fn recover(&mut self, jobs: &[Job]) -> Result<bool, Fault> {
        let last = self.campaign.last();
        if last == 0 || self.campaign.is_submitted(last) || self.campaign.is_cancelled() {
            return Ok(false);
        }
        if !self.campaign.take_over(last) {
            self.note_wait();
            return Ok(true);
        }
        let order = self.campaign.order(last)?;
        let is_begun =
            !self.campaign.jobs(last).is_empty() || self.campaign.doubtful(last).is_some();
        // Of another round, or with nothing in the queue that refused it, it is of no use any more.
        if Some(order.graph) != self.round.graph || !is_begun {
            self.campaign.note_submitted(last)?;
            return Ok(false);
        }
        let ids: Vec<u64> = { jobs.iter() }
            .filter(|job| job.is_live() && job.order < last)
            .map(|job| job.id)
            .collect();
        self.queue
            .submit(self.campaign, &order, &ids, self.place.observer)?;
        self.place.observer.remark(&format!(
            "the submission of order {last} was interrupted, and is complete now"
        ));
        self.note_wait();
        Ok(true)
    }

    /// Writes an order for these actions and submits it.
    fn submit(&mut self, missing: &BTreeSet<usize>, jobs: &[Job]) -> Result<(), Fault> {
        let Some(graph) = self.round.graph else {
            return Ok(());
        };
        let site = &self.campaign.about.site;
        let limits = Limits {
            aim: site
                .shortest()
                .map_or(site.chunk, |limit| site.chunk.min(SAFE * limit)),
            max_array: site.max_array,
        };
        let last = self.campaign.last();
        let alone = self.interrupted(last);
        let mut order = WorkOrder {
            number: last + 1,
            graph,
            files: self.round.files.clone(),
            choices: self.round.choices.clone(),
            errors: self.round.errors.clone(),
            contents: self.round.contents.clone(),
            arrays: cut(&self.round.tasks, missing, &alone, limits),
        };
        let live = jobs.iter().filter(|job| job.is_live());
        let waiting: usize = live.map(|job| job.chunks().len().max(1)).sum();
        let others = waiting + usize::from(site.coordinator);
        order.truncate(site.max_jobs.saturating_sub(others));
        if !self.campaign.claim(&order, &self.round.keys)? {
            self.place.observer.remark(&format!(
                "another farcast submits order {} of this run",
                order.number
            ));
            self.leave(None);
            return Ok(());
        }
        let live = jobs
            .iter()
            .filter(|job| job.is_live() && self.is_of_others(job));
        let ids: BTreeSet<u64> = live
            .filter(|job| !job.chunks().is_empty())
            .map(|job| job.id)
            .collect();
        let ids: Vec<u64> = ids.into_iter().collect();
        self.queue
            .submit(self.campaign, &order, &ids, self.place.observer)?;
        // The queue may not have taken all of it.
        let order = self.campaign.order(order.number)?;
        let actions = order.actions().count();
        let chunks = order.chunks();
        self.elsewhere.did().submitted = (actions, chunks, order.arrays.len());
        if self.stay == Stay::Wait {
            let chunks = counted(chunks, "chunk");
            let words = format!("{} submitted in {chunks}", counted(actions, "action"));
            self.place.observer.remark(&words);
        }
        self.note_wait();
        Ok(())
    }

    /// From now on waits, or leaves.
    fn note_wait(&mut self) {
        (self.over_since, self.asked_queue) = (None, Some(Instant::now()));
        self.leave(None);
    }

    /// Ends the run here, unless it waits; with a fault in any case.
    fn leave(&mut self, fault: Option<Fault>) {
        if self.stay == Stay::Leave || fault.is_some() {
            self.is_done = true;
            let mut did = self.elsewhere.did();
            did.left = fault.is_none();
            did.fault = fault;
            self.place.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a job is live and not the coordinator that this process may be.
    fn is_of_others(&self, job: &Job) -> bool {
        let own = std::env::var("SLURM_JOB_ID").ok();
        job.is_live() && own.is_none_or(|own| own != job.id.to_string())
    }

    /// What is left to run, less what failed and what depends on that.
    fn open(&self) -> BTreeSet<usize> {
        let mut open = BTreeSet::new();
        for &id in &self.round.left {
            let key = &self.round.keys[id];
            let mut inputs = self.round.tasks[id].inputs.iter();
            let is_blocked = inputs.any(|it| self.round.left.contains(it) && !open.contains(it));
            if !is_blocked && !self.lost.contains_key(key) {
                open.insert(id);
            }
        }
        let stored = self.stored(&open);
        open.retain(|id| !stored.contains(id));
        open
    }

    /// Those of these actions whose results are there now.
    fn stored(&self, of: &BTreeSet<usize>) -> BTreeSet<usize> {
        let keys: Vec<Digest> = of.iter().map(|id| self.round.keys[*id]).collect();
        let found = self.place.store.records().find_many(&keys).into_iter();
        let found = of.iter().zip(found).filter(|(_, found)| found.is_some());
        found.map(|(id, _)| *id).collect()
    }

    /// Those of the open actions that no job will carry out.
    fn missing(&self, open: &BTreeSet<usize>, jobs: &[Job]) -> BTreeSet<usize> {
        let mut awaited = BTreeSet::new();
        let mut orders: BTreeMap<u32, Option<(WorkOrder, BTreeSet<usize>)>> = BTreeMap::new();
        for job in jobs.iter().filter(|job| job.is_live()) {
            let read = || {
                let order = self.campaign.order(job.order).ok()?;
                Some((order, self.campaign.ended(job.order)))
            };
            let Some((order, ended)) = orders.entry(job.order).or_insert_with(read) else {
                continue;
            };
            if Some(order.graph) != self.round.graph {
                continue;
            }
            let chunks = job.chunks().iter().filter(|chunk| !ended.contains(chunk));
            let actions = chunks.filter_map(|chunk| order.chunk(*chunk)).flatten();
            awaited.extend(actions.copied());
        }
        let mut missing = BTreeSet::new();
        for id in open {
            let mut inputs = self.round.tasks[*id].inputs.iter();
            if !awaited.contains(id) || inputs.any(|input| missing.contains(input)) {
                missing.insert(*id);
            }
        }
        missing
    }

    /// Whether an order was for some of these actions.
    fn is_of(&self, number: u32, open: &BTreeSet<usize>) -> Result<bool, Fault> {
        let order = self.campaign.order(number)?;
        let is_same = Some(order.graph) == self.round.graph;
        Ok(is_same && order.actions().any(|id| open.contains(&id)))
    }

    /// Whether an order has led to anything.
    fn has_progress(&self, number: u32) -> Result<bool, Fault> {
        let order = self.campaign.order(number)?;
        let actions: BTreeSet<usize> = order.actions().collect();
        let failed = |id: &usize| self.lost.contains_key(&self.round.keys[*id]);
        Ok(!self.stored(&actions).is_empty() || actions.iter().any(failed))
    }

    /// The actions of chunks of an order that were killed.
    fn interrupted(&self, number: u32) -> BTreeSet<usize> {
        let Ok(order) = self.campaign.order(number) else {
            return BTreeSet::new();
        };
        if Some(order.graph) != self.round.graph {
            return BTreeSet::new();
        }
        let ended = self.campaign.ended(number);
        let killed = (1..=order.chunks()).filter(|chunk| !ended.contains(chunk));
        let actions = killed.filter_map(|chunk| order.chunk(chunk)).flatten();
        actions.copied().collect()
    }

    /// Nothing more comes of these actions: those that could run failed.
    fn give_up(&mut self, open: &BTreeSet<usize>, jobs: &[Job], why: Option<String>) {
        let order = self.campaign.order(self.campaign.last()).ok();
        let arrays = order.iter().flat_map(|order| &order.arrays);
        let chunks = arrays.flat_map(|array| (array.first..).zip(&array.chunks));
        let chunk_of: HashMap<usize, usize> = chunks
            .flat_map(|(chunk, actions)| actions.iter().map(move |action| (*action, chunk)))
            .collect();
        let of_last =
            { jobs.iter() }.filter(|job| order.as_ref().is_some_and(|it| it.number == job.order));
        let words_of: HashMap<usize, &str> = of_last
            .flat_map(|job| {
                job.chunks()
                    .iter()
                    .map(|chunk| (*chunk, job.words.as_str()))
            })
            .collect();
        for id in open {
            let mut inputs = self.round.tasks[*id].inputs.iter();
            if inputs.any(|input| open.contains(input)) {
                continue;
            }
            let chunk = chunk_of.get(id).copied();
            let words = chunk.and_then(|chunk| words_of.get(&chunk));
            let how = match (&why, words) {
                (Some(why), _) => why.clone(),
                (None, Some(words)) => {
                    format!("its job ended without a result, twice: {words}")
                }
                (None, None) => "its job ended without a result, twice".to_owned(),
            };
            let log = { order.as_ref() }
                .zip(chunk)
                .and_then(|(order, chunk)| self.campaign.log(order, chunk))
                // Other queues than Slurm write theirs where they like.
                .filter(|log| log.exists());
            let hint = log.map(|log| {
                let shown = log.display();
                format!("the job said: {shown}; more `time` or `mem` may help, in `farcast.toml`")
            });
            let failure = Failure {
                blame: Blame::Environment,
                param: None,
                message: how,
                hint: hint.filter(|_| why.is_none()),
            };
            self.lost.insert(self.round.keys[*id], failure.clone());
            self.elsewhere
                .did()
                .lost
                .push((self.round.keys[*id], failure));
        }
        self.settle();
    }

    /// Reads the reports that are new, and how the run was ended.
    fn hear(&mut self) {
        if let Err(fault) = self.place.store.refresh() {
            self.place.observer.remark(&fault.to_string());
        }
        for number in self.campaign.since()..=self.campaign.last() {
            for chunk in self.campaign.failed(number) {
                if !self.heard.insert((number, chunk)) {
                    continue;
                }
                let report = self.campaign.failure(number, chunk);
                self.lost
                    .extend(report.into_iter().flat_map(|it| it.failed));
            }
        }
        if let Some(Verdict { lost, .. }) = self.campaign.verdict() {
            self.lost.extend(lost);
        }
        // One attempt may fail where another, at the same time, does not.
        let records: &dyn Records = self.place.store.records();
        let keys: Vec<Digest> = self.lost.keys().copied().collect();
        let found = records.find_many(&keys);
        for (key, found) in keys.iter().zip(found) {
            if found.is_some() {
                self.lost.remove(key);
            }
        }
    }

    /// Answers what is known of the awaited actions.
    fn settle(&mut self) {
        let mut keys: Vec<(ActionId, Digest)> =
            self.awaited.iter().map(|(key, id)| (*id, *key)).collect();
        keys.sort_unstable_by_key(|(id, _)| *id);
        let digests: Vec<Digest> = keys.iter().map(|(_, key)| *key).collect();
        let found = self.place.store.records().find_many(&digests);
        for ((id, key), found) in keys.into_iter().zip(found) {
            let answer = match (found, self.lost.get(&key)) {
                (Some(summary), _) => {
                    let seconds = summary.cost.seconds;
                    let conclusion = match summary.diverged {
                        Some(why) => Conclusion::Diverged { why, seconds },
                        None => Conclusion::Produced { seconds },
                    };
                    Answer {
                        conclusion,
                        notes: summary.notes,
                        cost: summary.cost,
                    }
                }
                (None, Some(failure)) => {
                    Answer::without_result(Conclusion::Failed(failure.clone()))
                }
                (None, None) => continue,
            };
            self.awaited.remove(&key);
            self.ready.push_back((id, answer));
        }
    }

    /// Looks at the store, and from time to time at the queue.
    fn look(&mut self) {
        self.hear();
        self.settle();
        if self.awaited.is_empty() || !self.ready.is_empty() {
            return;
        }
        if self.is_cancelled() {
            return self.leave(Some(cancelled()));
        }
        let Patience { ask, delay } = self.queue.patience();
        if self.asked_queue.is_some_and(|asked| asked.elapsed() < ask) && self.over_since.is_none()
        {
            return;
        }
        self.asked_queue = Some(Instant::now());
        let jobs = match self.queue.jobs(self.campaign) {
            Ok(jobs) => jobs,
            // It may be away for a while.
            Err(_) => return,
        };
        if self.is_live(&jobs) {
            self.over_since = None;
            return;
        }
        let since = *self.over_since.get_or_insert_with(Instant::now);
        if since.elapsed() < delay {
            return;
        }
        self.over_since = None;
        let open = self.open();
        if open.is_empty() || self.must_stop() {
            // What it waits for depends on what failed.
            for (key, id) in std::mem::take(&mut self.awaited) {
                let answer = match self.lost.get(&key) {
                    Some(failure) => Conclusion::Failed(failure.clone()),
                    None => Conclusion::Cancelled,
                };
                self.ready.push_back((id, Answer::without_result(answer)));
            }
            return;
        }
        if let Err(fault) = self.go_on(&open, &jobs) {
            self.leave(Some(fault));
        }
    }

    /// How actions have ended in this attempt, before it was joined.
    fn endings(&self) -> BTreeMap<Digest, Ending> {
        let mut endings: BTreeMap<Digest, Ending> = { self.lost.iter() }
            .map(|(key, failure)| (*key, Ending::Failed(failure.clone())))
            .collect();
        let mut made = BTreeSet::new();
        for number in self.campaign.since()..=self.campaign.last() {
            let order = self.campaign.order(number);
            let order = order.ok().filter(|it| Some(it.graph) == self.round.graph);
            made.extend(order.iter().flat_map(WorkOrder::actions));
        }
        let keys: Vec<Digest> = made.iter().map(|id| self.round.keys[*id]).collect();
        let found = self.place.store.records().find_many(&keys);
        for (key, found) in keys.into_iter().zip(found) {
            if let Some(summary) = found {
                let seconds = summary.cost.seconds;
                endings.insert(
                    key,
                    match summary.diverged {
                        Some(why) => Ending::Diverged {
                            why,
                            seconds: Some(seconds),
                        },
                        None => Ending::Ran(seconds),
                    },
                );
            }
        }
        endings
    }
}

fn cancelled() -> Fault {
    Fault::user("the run was cancelled").with_hint("the same `farcast run` goes on with it")
}

/// `1 chunk`, `3 chunks`.
fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
