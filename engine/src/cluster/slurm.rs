//! Slurm: an order becomes job arrays in waves, each after any end of the one before, and a
//! coordinator job after the last.
//!
//! Jobs are looked up by their names, which are ours alone: a controller that crashes gives ids
//! again. Looking takes one `squeue`, whatever the number of jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::campaign::{Campaign, WorkOrder};
use super::queue::{Job, JobState, Part, Queue};
use super::site::{COORDINATOR, Needs};
use crate::error::Fault;
use crate::observer::Observer;

/// What the name of the coordinator ends in.
const NEXT: &str = "next";

/// How long an array may take to show up that was being submitted when its submitter was killed.
const UNDERWAY: Duration = Duration::from_secs(10);

/// The pauses between attempts to reach the controller, in seconds: it is away for a while when it
/// starts again.
const PAUSES: [u64; 5] = [1, 2, 4, 8, 15];

/// Slurm, through its commands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slurm;

/// Why a command of Slurm gave no answer.
enum SlurmError {
    /// The controller cannot be reached, or is too busy.
    Away(String),
    /// It takes no more jobs of this user now, or no array of this size.
    Full(String),
    /// It refuses what is asked for.
    Refused(String),
    /// Anything else.
    Wrong(String),
}

impl From<SlurmError> for Fault {
    fn from(refusal: SlurmError) -> Self {
        Self::Environment(refusal.words())
    }
}

impl SlurmError {
    fn words(self) -> String {
        match self {
            Self::Away(words) | Self::Full(words) | Self::Refused(words) | Self::Wrong(words) => {
                words
            }
        }
    }
}

/// What Slurm said of all jobs of this user at one time.
pub struct Seen(String);

impl Seen {
    /// The jobs of a run.
    pub fn jobs(&self, campaign: &Campaign) -> Vec<Job> {
        jobs_in(&self.0, campaign)
    }
}

impl Queue for Slurm {
    fn submit(
        &self,
        campaign: &Campaign,
        order: &WorkOrder,
        after: &[u64],
        observer: &dyn Observer,
    ) -> Result<(), Fault> {
        let number = order.number;
        let known = self.known(campaign, order, observer)?;
        let mut taken = Submitted {
            order: order.clone(),
            is_whole: true,
        };
        let mut before: Vec<u64> = after.to_vec();
        let (mut wave, mut of_wave) = (0, Vec::new());
        for (at, array) in order.arrays.iter().enumerate() {
            if array.wave != wave && !of_wave.is_empty() {
                before = std::mem::take(&mut of_wave);
            }
            wave = array.wave;
            let part = at.to_string();
            let id = match known.get(&part) {
                Some(id) => Some(*id),
                None => self.sbatch_array(campaign, &mut taken, at, &before, observer)?,
            };
            let Some(id) = id else { break };
            campaign.note_job(number, &part, id)?;
            of_wave.push(id);
            if !taken.is_whole {
                break;
            }
        }
        if of_wave.is_empty() {
            of_wave = before;
        }
        if campaign.about.site.coordinator && !known.contains_key(NEXT) {
            self.sbatch_coordinator(campaign, &mut taken, &of_wave, observer)?;
        }
        if !taken.is_whole {
            campaign.shorten(&taken.order)?;
        }
        campaign.note_submitted(number)
    }

    fn jobs(&self, campaign: &Campaign) -> Result<Vec<Job>, Fault> {
        Ok(self.seen()?.jobs(campaign))
    }

    fn release(&self, jobs: &[Job]) -> Result<usize, Fault> {
        let held = jobs.iter().filter(|job| job.is_held());
        let ids: BTreeSet<u64> = held.map(|job| job.id).collect();
        if !ids.is_empty() {
            let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
            let mut command = command("scontrol");
            command.args(["release", &ids.join(",")]);
            output(command, "")?;
        }
        Ok(ids.len())
    }

    fn cancel(&self, campaign: &Campaign) -> Result<usize, Fault> {
        let jobs = self.jobs(campaign)?;
        let mut ids: Vec<u64> = jobs
            .iter()
            .filter(|job| job.is_live())
            .map(|job| job.id)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        for ids in ids.chunks(200) {
            let mut command = command("scancel");
            command.args(ids.iter().map(u64::to_string));
            output(command, "")?;
        }
        Ok(ids.len())
    }
}

/// What Slurm has taken of an order.
struct Submitted {
    order: WorkOrder,
    is_whole: bool,
}

impl Submitted {
    /// How many chunks of this array and those behind it Slurm has.
    fn keep(&mut self, at: usize, chunks: usize) {
        if !self.is_whole {
            let arrays = &mut self.order.arrays;
            arrays.truncate(at + usize::from(chunks > 0));
            if let Some(array) = arrays.get_mut(at) {
                array.chunks.truncate(chunks);
            }
        }
    }

    /// Gives up the last chunk, unless it is the only one; returns its task in the last array.
    fn leave_one_out(&mut self) -> Option<usize> {
        let arrays = &mut self.order.arrays;
        let is_only = arrays.iter().map(|it| it.chunks.len()).sum::<usize>() <= 1;
        let last = arrays.last_mut().filter(|_| !is_only)?;
        last.chunks.pop();
        let task = last.chunks.len();
        if task == 0 {
            arrays.pop();
        }
        self.is_whole = false;
        Some(task)
    }
}

impl Slurm {
    /// All jobs of this user, by one question.
    ///
    /// # Errors
    /// When the controller cannot be reached.
    pub fn seen(&self) -> Result<Seen, Fault> {
        Ok(Seen(self.squeue()?))
    }

    /// The arrays of an order that Slurm has already, though perhaps nobody noted it: whoever
    /// submitted them was killed meanwhile.
    fn known(
        &self,
        campaign: &Campaign,
        order: &WorkOrder,
        observer: &dyn Observer,
    ) -> Result<BTreeMap<String, u64>, Fault> {
        let mut known = campaign.jobs(order.number);
        if known.is_empty() && campaign.doubtful(order.number).is_none() {
            return Ok(known);
        }
        let prefix = format!("{}{}-", campaign.job_prefix(), order.number);
        loop {
            let lines = patiently(observer, || self.squeue())?;
            known.extend(lines.lines().filter_map(|line| {
                let line = QueueLine::of(line)?;
                Some((line.name.strip_prefix(&prefix)?.to_owned(), line.id))
            }));
            match campaign.doubtful(order.number) {
                Some((part, age)) if age < UNDERWAY && !known.contains_key(&part) => {
                    sleep(Duration::from_millis(500));
                }
                _ => return Ok(known),
            }
        }
    }

    /// All jobs of this user, one line each, those that ended lately among them.
    fn squeue(&self) -> Result<String, SlurmError> {
        let mut command = command("squeue");
        command.args([
            "--me",
            "--noheader",
            "--states=all",
            "--format=%F|%K|%T|%r|%j",
        ]);
        command.env("SLURM_BITSTR_LEN", "0");
        output(command, "")
    }

    /// Submits an array, or as many of its first chunks as Slurm takes: where a limit on jobs is
    /// reached, what is left waits for the next order. None when it takes no chunk.
    fn sbatch_array(
        &self,
        campaign: &Campaign,
        taken: &mut Submitted,
        at: usize,
        after: &[u64],
        observer: &dyn Observer,
    ) -> Result<Option<u64>, Fault> {
        let array = &taken.order.arrays[at];
        let needs = campaign.about.site.needs_of(&array.class);
        let chunk = format!("\"$(({} + SLURM_ARRAY_TASK_ID))\"", array.first);
        let script = script(campaign, &taken.order, &chunk, &needs);
        let mut count = array.chunks.len();
        loop {
            let own = [format!("--array=0-{}", count - 1)];
            let submission = Submission {
                part: &at.to_string(),
                log: &format!("{at}-%a.log"),
                own: &own,
                needs: &needs,
                after,
            };
            let submitted = self.sbatch(campaign, &taken.order, &submission, &script, observer);
            let words = match submitted {
                Ok(id) => {
                    taken.keep(at, count);
                    return Ok(Some(id));
                }
                Err(SlurmError::Full(words)) => words,
                Err(SlurmError::Refused(words)) => {
                    return Err(refused(words, &arguments(campaign, &needs)));
                }
                Err(refusal) => return Err(refusal.into()),
            };
            if taken.is_whole {
                observer.remark(&format!(
                    "Slurm does not take all jobs at once, the rest is submitted later: {words}"
                ));
                taken.is_whole = false;
            }
            count /= 2;
            if count == 0 {
                taken.keep(at, 0);
                // Nothing at all is a fault, unless jobs that go on make room.
                return match (at, after.is_empty()) {
                    (0, true) => Err(Fault::Environment(words)),
                    _ => Ok(None),
                };
            }
        }
    }

    /// Submits the job after all others. Where a limit on jobs is reached, one chunk makes room
    /// for it: without it nobody goes on.
    fn sbatch_coordinator(
        &self,
        campaign: &Campaign,
        taken: &mut Submitted,
        after: &[u64],
        observer: &dyn Observer,
    ) -> Result<(), Fault> {
        let number = taken.order.number;
        let needs = campaign.about.site.needs_of(COORDINATOR);
        let script = script(campaign, &taken.order, "next", &needs);
        let submission = Submission {
            part: NEXT,
            log: "next.log",
            own: &[],
            needs: &needs,
            after,
        };
        let submit =
            |taken: &Submitted| self.sbatch(campaign, &taken.order, &submission, &script, observer);
        let mut submitted = submit(taken);
        if let (Err(SlurmError::Full(_)), Some(id)) = (&submitted, after.last())
            && let Some(task) = taken.leave_one_out()
        {
            let mut command = command("scancel");
            command.arg(format!("{id}_{task}"));
            output(command, "")?;
            for pause in PAUSES {
                submitted = submit(taken);
                match submitted {
                    Err(SlurmError::Full(_)) => sleep(Duration::from_secs(pause)),
                    _ => break,
                }
            }
        }
        match submitted {
            Ok(id) => campaign.note_job(number, NEXT, id),
            Err(refusal) => {
                observer.remark(&format!(
                    "no job continues the run, `farcast attach` does: {}",
                    refusal.words()
                ));
                Ok(())
            }
        }
    }

    /// Submits one job; asks again while the controller is away, unless it turns out to have it.
    fn sbatch(
        &self,
        campaign: &Campaign,
        order: &WorkOrder,
        submission: &Submission<'_>,
        script: &str,
        observer: &dyn Observer,
    ) -> Result<u64, SlurmError> {
        let name = format!(
            "{}{}-{}",
            campaign.job_prefix(),
            order.number,
            submission.part
        );
        let wrong = |fault: Fault| SlurmError::Wrong(fault.to_string());
        campaign
            .note_attempt(order.number, submission.part)
            .map_err(wrong)?;
        let mut is_first = true;
        let submitted = patiently(observer, || {
            if !std::mem::take(&mut is_first)
                && let Some(id) = self.squeue()?.lines().find_map(|line| {
                    let line = QueueLine::of(line)?;
                    (line.name == name).then_some(line.id)
                })
            {
                return Ok(id);
            }
            let logs = campaign.order_folder(order.number).join("log");
            let log = Path::new(&logs.display().to_string().replace('%', "%%"))
                .join(submission.log)
                .display()
                .to_string();
            let mut command = command("sbatch");
            command
                .args(["--parsable", "--requeue", "--open-mode=append"])
                .arg("--kill-on-invalid-dep=yes")
                .arg(format!("--job-name={name}"))
                .arg(format!("--chdir={}", campaign.about.folder))
                .arg(format!("--output={log}"))
                .args(submission.own)
                .args(arguments(campaign, submission.needs));
            if !submission.after.is_empty() {
                let ids: Vec<String> = submission.after.iter().map(u64::to_string).collect();
                command.arg(format!("--dependency=afterany:{}", ids.join(":")));
            }
            let answer = output(command, script)?;
            // `id` or `id;cluster`.
            let id = answer
                .trim()
                .split(';')
                .next()
                .and_then(|id| id.parse().ok());
            id.ok_or_else(|| SlurmError::Wrong(format!("sbatch answered `{}`", answer.trim())))
        });
        if submitted
            .as_ref()
            .is_err_and(|it| !matches!(it, SlurmError::Away(_)))
        {
            campaign
                .note_refused(order.number, submission.part)
                .map_err(wrong)?;
        }
        submitted
    }
}

/// What tells one submission from another.
struct Submission<'a> {
    part: &'a str,
    log: &'a str,
    own: &'a [String],
    needs: &'a Needs,
    after: &'a [u64],
}

/// The script of a job.
fn script(campaign: &Campaign, order: &WorkOrder, chunk: &str, needs: &Needs) -> String {
    let about = &campaign.about;
    let cpus = needs.cpus.unwrap_or(1);
    let path = campaign.order_folder(order.number).join("order.json");
    let setup: String = { about.site.setup.iter() }
        .map(|line| format!("{line}\n"))
        .collect();
    format!(
        "#!/bin/bash\n{setup}export RAYON_NUM_THREADS={cpus}\nexec {} work {} {chunk} --jobs {cpus}\n",
        quoted(&about.program),
        quoted(&path.display().to_string()),
    )
}

/// The text as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn arguments(campaign: &Campaign, needs: &Needs) -> Vec<String> {
    let site = &campaign.about.site;
    let pairs = [
        ("account", site.account.clone()),
        ("qos", site.qos.clone()),
        ("partition", needs.partition.clone()),
        ("cpus-per-task", needs.cpus.map(|cpus| cpus.to_string())),
        ("mem", needs.mem.clone()),
        ("gpus", needs.gpus.clone()),
        ("time", needs.time.clone()),
    ];
    let said = pairs
        .into_iter()
        .filter_map(|(name, value)| Some(format!("--{name}={}", value?)));
    said.chain(needs.args.iter().cloned()).collect()
}

/// A command of Slurm that knows nothing of the job that it may be started in.
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let is_of_job = name.to_str().is_some_and(|name| {
            name.starts_with("SLURM_") && !["SLURM_CONF", "SLURM_CLUSTERS"].contains(&name)
        });
        if is_of_job {
            command.env_remove(name);
        }
    }
    command.env("LC_ALL", "C");
    command
}

/// What a command says on standard output.
fn output(mut command: Command, input: &str) -> Result<String, SlurmError> {
    let program = command.get_program().to_string_lossy().into_owned();
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| {
        SlurmError::Wrong(format!(
            "cannot start `{program}`: {error}; is this a machine of the cluster?"
        ))
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read it says why.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child
        .wait_with_output()
        .map_err(|error| SlurmError::Wrong(format!("`{program}`: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let prefix = format!("{program}: error: ");
    let lines = said.trim().lines();
    let lines: Vec<&str> = lines
        .map(|line| line.strip_prefix(&prefix).unwrap_or(line))
        .collect();
    Err(refusal(&program, lines.join("; ")))
}

/// What the words of a command mean that failed.
fn refusal(program: &str, words: String) -> SlurmError {
    let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    let is_away = has(&[
        "contact slurm controller",
        "Connection refused",
        "timed out",
        "Zero Bytes",
    ]);
    match () {
        // `AssocMaxSubmitJobLimit`, `QOSMaxSubmitJobPerUserLimit`, `MaxJobCount`. Slurm's general
        // words for them name limits on time and size, too, which no later order keeps.
        () if has(&["SubmitJob", "temporarily unable to accept job"]) => SlurmError::Full(words),
        () if is_away => SlurmError::Away(words),
        () if has(&["Invalid job array specification"]) => SlurmError::Refused(format!(
            "`{program}` failed: {words}; `max_array` in `farcast.toml` must be smaller than \
             `MaxArraySize`, which `scontrol show config` prints"
        )),
        () => SlurmError::Refused(format!("`{program}` failed: {words}")),
    }
}

/// A refusal, with what was asked for.
fn refused(words: String, asked: &[String]) -> Fault {
    let fault = Fault::user(words);
    match asked {
        [] => fault,
        _ => fault.with_hint(format!("`farcast.toml` asks for `{}`", asked.join(" "))),
    }
}

/// Asks again while the controller is away.
fn patiently<T>(
    observer: &dyn Observer,
    mut ask: impl FnMut() -> Result<T, SlurmError>,
) -> Result<T, SlurmError> {
    for (turn, pause) in PAUSES.iter().enumerate() {
        match ask() {
            Err(SlurmError::Away(words)) => {
                if turn == 0 {
                    observer.remark(&format!(
                        "Slurm does not answer, it is asked again: {words}"
                    ));
                }
                sleep(Duration::from_secs(*pause));
            }
            other => return other,
        }
    }
    ask()
}

/// A line of `squeue`.
struct QueueLine<'a> {
    id: u64,
    tasks: &'a str,
    state: &'a str,
    reason: &'a str,
    name: &'a str,
}

impl<'a> QueueLine<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let mut fields = line.split('|');
        let id = fields.next()?.parse().ok()?;
        let (tasks, state) = (fields.next()?, fields.next()?);
        let (reason, name) = (fields.next()?, fields.next()?);
        Some(Self {
            id,
            tasks,
            state,
            reason,
            name,
        })
    }
}

/// The jobs of a run among the lines of `squeue`.
fn jobs_in(lines: &str, campaign: &Campaign) -> Vec<Job> {
    let prefix = campaign.job_prefix();
    let mut orders = BTreeMap::new();
    let jobs = lines.lines().filter_map(|line| {
        let line = QueueLine::of(line)?;
        let (number, part) = line.name.strip_prefix(&prefix)?.split_once('-')?;
        let number: u32 = number.parse().ok()?;
        let part = if part == NEXT {
            Part::Coordinator
        } else {
            let order = orders
                .entry(number)
                .or_insert_with(|| campaign.order(number).ok());
            let array = order.as_ref()?.arrays.get(part.parse::<usize>().ok()?)?;
            let tasks = tasks(line.tasks).into_iter();
            let tasks = tasks.filter(|task| *task < array.chunks.len());
            Part::Chunks(tasks.map(|task| array.first + task).collect())
        };
        let words = match line.reason {
            "None" | "" => line.state.to_owned(),
            reason => format!("{} ({reason})", line.state),
        };
        Some(Job {
            id: line.id,
            order: number,
            part,
            state: state(line.state),
            words,
        })
    });
    jobs.collect()
}

/// The numbers in `3`, `0-5`, `1,4-7%2`.
fn tasks(text: &str) -> Vec<usize> {
    let text = text.split('%').next().unwrap_or_default();
    let mut found = Vec::new();
    for range in text.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        if let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) {
            // No array is larger.
            found.extend((first..=last).take(4_000_000));
        }
    }
    found
}

fn state(word: &str) -> JobState {
    match word {
        "BOOT_FAIL" | "CANCELLED" | "COMPLETED" | "DEADLINE" | "FAILED" | "NODE_FAIL"
        | "OUT_OF_MEMORY" | "PREEMPTED" | "REVOKED" | "TIMEOUT" => JobState::Over,
        "RUNNING" | "COMPLETING" | "SUSPENDED" | "STOPPED" | "SIGNALING" | "STAGE_OUT" => {
            JobState::Running
        }
        _ => JobState::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_read_as_squeue_writes_them() {
        assert_eq!(tasks("7"), [7]);
        assert_eq!(tasks("0-2,5%4"), [0, 1, 2, 5]);
        assert!(tasks("N/A").is_empty());
    }

    #[test]
    fn a_line_with_a_name_that_has_bars_is_still_read_as_far_as_needed() {
        let line = QueueLine::of("12|0-3%2|PENDING|Dependency|fc-it-ab12-1-0").unwrap();
        assert_eq!(
            (line.id, line.tasks, line.name),
            (12, "0-3%2", "fc-it-ab12-1-0")
        );
        assert!(QueueLine::of("no id|0|RUNNING|None|x").is_none());
        assert!(QueueLine::of("").is_none());
    }

    #[test]
    fn a_state_that_nobody_knows_is_no_end() {
        assert_eq!(state("TIMEOUT"), JobState::Over);
        assert_eq!(state("REQUEUE_HOLD"), JobState::Pending);
        assert_eq!(state("NEW_STATE_OF_2030"), JobState::Pending);
    }

    #[test]
    fn only_limits_on_the_number_of_jobs_are_waited_for() {
        let of = |words: &str| match refusal("sbatch", words.to_owned()) {
            SlurmError::Away(_) => "away",
            SlurmError::Full(_) => "full",
            SlurmError::Refused(_) | SlurmError::Wrong(_) => "wrong",
        };
        let policy = "Batch job submission failed: Job violates accounting/QOS \
                      policy (job submit limit, user's size and/or time limits)";
        let said = |limit: &str| format!("{limit}; {policy}");
        assert_eq!(of(&said("AssocMaxSubmitJobLimit")), "full");
        assert_eq!(of(&said("QOSMaxSubmitJobPerUserLimit")), "full");
        assert_eq!(of(&said("QOSMaxWallDurationPerJobLimit")), "wrong");
        let away = "Batch job submission failed: Unable to contact slurm \
                    controller (connect failure)";
        assert_eq!(of(away), "away");
    }

    #[test]
    fn paths_are_words_of_a_shell() {
        assert_eq!(quoted("/a b/it's $x"), "'/a b/it'\\''s $x'");
    }
}
