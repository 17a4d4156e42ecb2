//! Slurm: an order becomes job arrays in waves, each after any end of the one before, and a
//! coordinator job after the last.
//!
//! Jobs are looked up by their names, which are ours alone: a controller that crashes gives ids
//! again. Looking takes one `squeue`, whatever the number of jobs.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::campaign::{Campaign, WorkOrder};
use super::chunks::Array;
use super::queue::{Job, JobState, Part, Queue};
use super::site::Needs;
use crate::error::Fault;
use crate::observer::Observer;

/// The class of the coordinator in `[on.slurm.resources]`.
const COORDINATOR: &str = "coordinator";

/// What the name of the coordinator ends in.
const NEXT: &str = "next";

/// The pauses between attempts to reach the controller, in seconds: it is away for a while when it
/// starts again.
const PAUSES: [u64; 5] = [1, 2, 4, 8, 15];

/// Slurm, through its commands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slurm;

/// Why a command of Slurm gave no answer.
enum Refusal {
    /// The controller cannot be reached, or is too busy.
    Away(String),
    /// It takes no more jobs of this user now.
    Full(String),
    /// Anything else.
    Wrong(String),
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
        let mut known = campaign.jobs(number);
        if known.len() < order.arrays.len() {
            known.extend(self.taken(campaign, order, observer)?);
        }
        let mut before: Vec<u64> = after.to_vec();
        let (mut wave, mut of_wave) = (0, Vec::new());
        for (at, array) in order.arrays.iter().enumerate() {
            if array.wave != wave && !of_wave.is_empty() {
                before = std::mem::take(&mut of_wave);
            }
            wave = array.wave;
            let part = at.to_string();
            let id = match known.get(&part) {
                Some(id) => *id,
                None => match self.sbatch_array(campaign, order, (at, array), &before, observer) {
                    Ok(id) => id,
                    Err(Refusal::Full(words)) => {
                        let words = format!(
                            "Slurm takes no more jobs now, the rest is submitted later: {words}"
                        );
                        observer.remark(&words);
                        break;
                    }
                    Err(Refusal::Away(words) | Refusal::Wrong(words)) => {
                        return Err(Fault::Environment(words));
                    }
                },
            };
            campaign.note_job(number, &part, id)?;
            of_wave.push(id);
        }
        if of_wave.is_empty() {
            of_wave = before;
        }
        if campaign.about.site.coordinator && !known.contains_key(NEXT) {
            match self.sbatch_coordinator(campaign, order, &of_wave, observer) {
                Ok(id) => campaign.note_job(number, NEXT, id)?,
                Err(Refusal::Away(words) | Refusal::Full(words) | Refusal::Wrong(words)) => {
                    observer.remark(&format!(
                        "no job continues the run, `farcast attach` does: {words}"
                    ));
                }
            }
        }
        campaign.note_submitted(number)
    }

    fn jobs(&self, campaign: &Campaign) -> Result<Vec<Job>, Fault> {
        let lines = self.squeue().map_err(|refusal| match refusal {
            Refusal::Away(words) | Refusal::Full(words) | Refusal::Wrong(words) => {
                Fault::Environment(words)
            }
        })?;
        Ok(jobs_in(&lines, campaign))
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
            let ended = said(command, "").map(drop);
            ended.map_err(|refusal| match refusal {
                Refusal::Away(words) | Refusal::Full(words) | Refusal::Wrong(words) => {
                    Fault::Environment(words)
                }
            })?;
        }
        Ok(ids.len())
    }
}

impl Slurm {
    /// The arrays of an order that Slurm has already, though nobody noted it: whoever submitted
    /// them was killed meanwhile.
    fn taken(
        &self,
        campaign: &Campaign,
        order: &WorkOrder,
        observer: &dyn Observer,
    ) -> Result<BTreeMap<String, u64>, Fault> {
        let lines = patiently(observer, || self.squeue());
        let lines = lines.map_err(|refusal| match refusal {
            Refusal::Away(words) | Refusal::Full(words) | Refusal::Wrong(words) => {
                Fault::Environment(words)
            }
        })?;
        let prefix = format!("{}{}-", campaign.job_prefix(), order.number);
        let named = lines.lines().filter_map(|line| {
            let line = Line::of(line)?;
            Some((line.name.strip_prefix(&prefix)?.to_owned(), line.id))
        });
        Ok(named.collect())
    }

    /// All jobs of this user, one line each, those that ended lately among them.
    fn squeue(&self) -> Result<String, Refusal> {
        let mut command = command("squeue");
        command.args([
            "--me",
            "--noheader",
            "--states=all",
            "--format=%F|%K|%T|%r|%j",
        ]);
        command.env("SLURM_BITSTR_LEN", "0");
        said(command, "")
    }

    fn sbatch_array(
        &self,
        campaign: &Campaign,
        order: &WorkOrder,
        (at, array): (usize, &Array),
        after: &[u64],
        observer: &dyn Observer,
    ) -> Result<u64, Refusal> {
        let needs = campaign.about.site.needs_of(&array.class);
        let chunk = format!("\"$(({} + SLURM_ARRAY_TASK_ID))\"", array.first);
        let script = script(campaign, order, &chunk, &needs);
        let array = format!("--array=0-{}", array.chunks.len() - 1);
        let own = [array];
        let submission = Submission {
            part: &at.to_string(),
            log: &format!("{at}-%a.log"),
            own: &own,
            needs: &needs,
            after,
        };
        self.sbatch(campaign, order, &submission, &script, observer)
    }

    fn sbatch_coordinator(
        &self,
        campaign: &Campaign,
        order: &WorkOrder,
        after: &[u64],
        observer: &dyn Observer,
    ) -> Result<u64, Refusal> {
        let needs = campaign.about.site.needs_of(COORDINATOR);
        let script = script(campaign, order, "next", &needs);
        let submission = Submission {
            part: NEXT,
            log: "next.log",
            own: &[],
            needs: &needs,
            after,
        };
        self.sbatch(campaign, order, &submission, &script, observer)
    }

    /// Submits one job; asks again while the controller is away, unless it turns out to have it.
    fn sbatch(
        &self,
        campaign: &Campaign,
        order: &WorkOrder,
        submission: &Submission<'_>,
        script: &str,
        observer: &dyn Observer,
    ) -> Result<u64, Refusal> {
        let name = format!(
            "{}{}-{}",
            campaign.job_prefix(),
            order.number,
            submission.part
        );
        let mut is_first = true;
        patiently(observer, || {
            if !std::mem::take(&mut is_first)
                && let Some(id) = self.squeue()?.lines().find_map(|line| {
                    let line = Line::of(line)?;
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
            let answer = said(command, script)?;
            // `id` or `id;cluster`.
            let id = answer
                .trim()
                .split(';')
                .next()
                .and_then(|id| id.parse().ok());
            id.ok_or_else(|| Refusal::Wrong(format!("sbatch answered `{}`", answer.trim())))
        })
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
fn said(mut command: Command, input: &str) -> Result<String, Refusal> {
    let program = command.get_program().to_string_lossy().into_owned();
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| {
        Refusal::Wrong(format!(
            "cannot start `{program}`: {error}; is this a machine of the cluster?"
        ))
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read it says why.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child
        .wait_with_output()
        .map_err(|error| Refusal::Wrong(format!("`{program}`: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr)
        .trim()
        .replace('\n', "; ");
    let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    Err(match () {
        () if has(&[
            "SubmitJob",
            "submit limit",
            "temporarily unable to accept job",
        ]) =>
        {
            Refusal::Full(words)
        }
        () if has(&[
            "contact slurm controller",
            "Connection refused",
            "timed out",
            "Zero Bytes",
        ]) =>
        {
            Refusal::Away(words)
        }
        () => Refusal::Wrong(format!("`{program}` failed: {words}")),
    })
}

/// Asks again while the controller is away.
fn patiently<T>(
    observer: &dyn Observer,
    mut ask: impl FnMut() -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    for (turn, pause) in PAUSES.iter().enumerate() {
        match ask() {
            Err(Refusal::Away(words)) => {
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
struct Line<'a> {
    id: u64,
    tasks: &'a str,
    state: &'a str,
    reason: &'a str,
    name: &'a str,
}

impl<'a> Line<'a> {
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
        let line = Line::of(line)?;
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
        let line = Line::of("12|0-3%2|PENDING|Dependency|fc-it-ab12-1-0").unwrap();
        assert_eq!(
            (line.id, line.tasks, line.name),
            (12, "0-3%2", "fc-it-ab12-1-0")
        );
        assert!(Line::of("no id|0|RUNNING|None|x").is_none());
        assert!(Line::of("").is_none());
    }

    #[test]
    fn a_state_that_nobody_knows_is_no_end() {
        assert_eq!(state("TIMEOUT"), JobState::Over);
        assert_eq!(state("REQUEUE_HOLD"), JobState::Pending);
        assert_eq!(state("NEW_STATE_OF_2030"), JobState::Pending);
    }

    #[test]
    fn paths_are_words_of_a_shell() {
        assert_eq!(quoted("/a b/it's $x"), "'/a b/it'\\''s $x'");
    }
}
