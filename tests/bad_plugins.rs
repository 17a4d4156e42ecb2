//! Programs that do not keep to the protocol, or that are killed: the run ends and says why, and nothing is lost.

use std::fs;
use std::ops::Not;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::farcast::{Folder, shipped};
use crate::kills::Chance;
use crate::plugins::{farcast, folder, run};

const BAD: &str = "\
plugin bad(
    data: data,
    mode: good | dies | dies_once | hangs | prints | floods | notes | endless | no_result | other | nan
        | huge | stays | bug | numberless | again | late | strange | wrong_row,
) = score from \"bad\"

data all = synthetic(regime, rows: 40)
param mode: Word = good
score it = bad(all, mode: mode)
";

/// Whether a process with this id is there and no zombie.
fn is_there(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    stat.is_ok_and(|stat| !stat.contains(") Z"))
}

fn bad(mode: &str, expected: &str) {
    let toml = "[plugin.bad]\nrun = [\"sh\", \"bad.sh\"]\nfiles = [\"bad.sh\"]\ntimeout = 1\nlargest = 2\nwrites = [\".\"]\n";
    let folder = folder(BAD, toml, &["bad.sh"]);
    let mode = format!("mode={mode}");
    let said = farcast(&folder, &["run", "it.farcast", "--trust", "--set", &mode]);
    assert_eq!(said.code == 0, expected.is_empty(), "{said:?}");
    assert!(
        said.err.contains(expected),
        "expected {expected:?} in {said:?}"
    );
    if let Ok(child) = fs::read_to_string(folder.path("child")) {
        assert!(!is_there(&child), "a child of the plugin is still there");
    }
}

#[test]
fn whatever_a_program_does_the_run_ends_and_says_why() {
    bad("good", "");
    bad("floods", "");
    bad("dies_once", "");
    bad("stays", "");
    bad(
        "dies",
        "plugin `bad` exited with 3, twice; its standard error ends with:",
    );
    bad(
        "hangs",
        "plugin `bad` gave no sign of life for 1 s (`timeout`)",
    );
    bad(
        "prints",
        "printed on standard output something that is not a message of the protocol: `hello there`",
    );
    bad("notes", "made more than 200 notes");
    bad("endless", "something that is not a message of the protocol");
    bad("no_result", "no result: there is no `result.json` in `dir`");
    bad(
        "other",
        "returned something that is not of kind `score`: `rows`: expected a list, found nothing",
    );
    bad(
        "wrong_row",
        "returned something that is not of kind `score`: `rows[1]`: expected text, found `2`",
    );
    bad(
        "numberless",
        "plugin `bad` answered `done` without the number of its call: write `\"call\": 1` beside it",
    );
    bad("late", "plugin `bad` said `done` of call 2 during call 1");
    bad(
        "strange",
        "printed `{\"progress\": {\"done\": \"half\"}}`, which is not a message of the protocol: \
         `progress`: expected a whole number from 0, found \"half\"",
    );
    bad("nan", "something that is not a message of the protocol");
    bad(
        "huge",
        "a result of 3 MB, more than `largest = 2` in `farcast.toml`",
    );
    bad(
        "bug",
        "plugin `bad` has a bug: division by zero; its standard error ends with:",
    );
}

#[test]
fn another_version_of_the_protocol_is_refused() {
    let toml = "[plugin.bad]\nrun = [\"sh\", \"old.sh\"]\nfiles = [\"old.sh\"]\n";
    let folder = folder(BAD, toml, &[]);
    folder.write("old.sh", fs::read(shipped("tests/plugins/bad.sh")).unwrap());
    let said = farcast(&folder, &["run", "it.farcast", "--trust"]);
    let speaks = "speaks version 9 of the protocol, this farcast speaks 1";
    assert!(said.err.contains(speaks), "{said:?}");
}

#[test]
fn a_run_that_is_stopped_ends_its_plugins() {
    let toml = "[plugin.bad]\nrun = [\"sh\", \"bad.sh\"]\nfiles = [\"bad.sh\"]\nwrites = [\".\"]\n";
    let folder = folder(BAD, toml, &["bad.sh"]);
    let args = [
        "run",
        "it.farcast",
        "--trust",
        "--set",
        "mode=hangs",
        "--quiet",
    ];
    let mut run = folder.start(&args);
    let started = Instant::now();
    while fs::read_to_string(folder.path("child"))
        .is_ok_and(|it| it.ends_with('\n'))
        .not()
    {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "the plugin was not started"
        );
        sleep(Duration::from_millis(10));
    }
    let pid = run.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert!(!run.wait().unwrap().success());
    let child = folder.read("child");
    let ended = Instant::now();
    while is_there(&child) {
        assert!(
            ended.elapsed() < Duration::from_secs(10),
            "the plugin is still there"
        );
        sleep(Duration::from_millis(10));
    }
}

/// Two calls of one worker, the first of which is answered twice.
#[test]
fn a_second_answer_is_never_taken_for_that_to_the_next_call() {
    let toml = "[plugin.bad]\nrun = [\"sh\", \"bad.sh\"]\nfiles = [\"bad.sh\"]\n";
    let two = format!(
        "{BAD}data more = synthetic(regime, rows: 41)\nscore other = bad(more, mode: mode)\n"
    );
    let folder = folder(&two, toml, &["bad.sh"]);
    let args = [
        "run",
        "it.farcast",
        "--trust",
        "--jobs",
        "1",
        "--set",
        "mode=again",
    ];
    let said = farcast(&folder, &args);
    // Before the next call is sent, or after.
    let heard = [
        "printed `done` after its answer to call 1",
        "said `done` of call 1 during call 2",
    ];
    assert!(heard.iter().any(|how| said.err.contains(how)), "{said:?}");
    assert_eq!(said.code, 1, "{said:?}");
}

const SLOW: &str = "\
plugin slow(data: data, count: Int) = score from \"slow\", members: count
data all = synthetic(regime, rows: 40)
score it = slow(all, count: 40)
";

fn slow() -> Folder {
    let toml = "[plugin.slow]\nrun = [\"sh\", \"slow.sh\"]\nfiles = [\"slow.sh\"]\n";
    folder(SLOW, toml, &["slow.sh"])
}

/// The processes that this one has started.
fn children(parent: u32) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let started = processes.filter(|process| {
        let stat = fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        after_name.split_whitespace().nth(1) == Some(&parent.to_string())
    });
    started
        .map(|process| process.file_name().into_string().unwrap())
        .collect()
}

/// An action is tried once more, so only a second kill of the same one fails it; the next run goes on.
#[test]
fn workers_killed_at_random_moments_lose_nothing() {
    let undisturbed = run(&slow(), &[]);
    let mut chance = Chance::new(7);
    let (mut kills, mut failed) = (0, 0);
    for _ in 0..6 {
        let folder = slow();
        let args = ["run", "it.farcast", "--trust", "--quiet", "--jobs", "2"];
        let mut command = folder.command(&args);
        let mut victim = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        while victim.try_wait().unwrap().is_none() {
            sleep(Duration::from_micros(chance.below(40_000)));
            let workers = children(victim.id());
            if let Some(worker) = workers.get(chance.below(2) as usize) {
                let killed = Command::new("kill").args(["-9", worker]).status().unwrap();
                kills += u32::from(killed.success());
            }
        }
        let ended = victim.wait_with_output().unwrap();
        if !ended.status.success() {
            let said = String::from_utf8(ended.stderr).unwrap();
            assert!(said.contains("was killed by signal 9, twice"), "{said}");
            failed += 1;
        }
        assert_eq!(run(&folder, &[])["scores"], undisturbed["scores"]);
    }
    assert!(kills > 6, "{kills} kills, {failed} failed runs");
}
