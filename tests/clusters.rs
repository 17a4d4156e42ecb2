//! Runs on a queue of jobs, with a command that carries chunks out here: the same bytes as a plain
//! run, whatever happens to the chunks.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use crate::executors::{Left, RECORDED, SWEEP};
use crate::farcast::{Folder, Said, shipped};

/// Carries all chunks of an array out at the same time, and ends when they have ended.
const SUBMIT: &str = "\
#!/bin/sh
echo \"$2-$3\" >> calls
chunk=$2
while [ $chunk -le $3 ]; do
    \"$FARCAST\" work \"$1\" $chunk --jobs 1 >> log 2>&1 &
    chunk=$((chunk + 1))
done
wait
";

/// Leaves out one chunk, as if it were killed, while there is a `victim`.
const KILLS: &str = "\
#!/bin/sh
echo \"$2-$3\" >> calls
for chunk in $(seq $2 $3); do
    if [ -e victim ] && [ $chunk = 32 ]; then rm victim; else \"$FARCAST\" work \"$1\" $chunk --jobs 1 >> log 2>&1; fi
done
true
";

fn on_command(text: &str, script: &str) -> Folder {
    let folder = Folder::with(text);
    folder.write("submit.sh", script);
    let settings =
        "[on.command]\nrun = [\"sh\", \"submit.sh\", \"{order}\", \"{first}\", \"{last}\"]\n";
    folder.write("farcast.toml", settings);
    folder
}

fn run(folder: &Folder, args: &[&str]) -> Said {
    let mut all = vec![
        "run",
        "it.farcast",
        "--on",
        "command",
        "--quiet",
        "--tables",
        "--weights",
    ];
    all.extend(args);
    folder.farcast_in(&all, &[("FARCAST", env!("CARGO_BIN_EXE_farcast"))])
}

fn plain(text: &str) -> Left {
    let folder = Folder::with(text);
    let said = folder.farcast(&["run", "it.farcast", "--quiet", "--tables", "--weights"]);
    assert_eq!(said.code, 0, "{said:?}");
    Left::by(&folder)
}

#[test]
fn chunks_give_the_bytes_of_a_plain_run() {
    let path = shipped("experiments/smoke/starter.farcast");
    let text = fs::read_to_string(path).unwrap();
    let folder = on_command(&text, SUBMIT);
    let said = run(&folder, &[]);
    assert_eq!(said.code, 0, "{said:?}\n{}", folder.read("log"));
    assert!(Left::by(&folder) == plain(&text));
    // The second time, nothing is left to submit.
    let calls = folder.read("calls");
    assert!(calls.lines().count() > 1, "{calls}");
    let again = run(&folder, &[]);
    assert_eq!((again.code, folder.read("calls")), (0, calls));
}

#[test]
fn a_sweep_that_chooses_goes_on_in_rounds() {
    let folder = on_command(SWEEP, SUBMIT);
    let said = run(&folder, &[]);
    assert_eq!(said.code, 0, "{said:?}\n{}", folder.read("log"));
    assert!(Left::by(&folder) == plain(SWEEP));
    let shown = folder.farcast(&["show", "last"]);
    assert!(shown.out.contains("/.farcast/work/it-"), "{shown:?}");
}

#[test]
fn a_parent_is_recorded_while_a_chunk_trains_it() {
    let folder = on_command(RECORDED, SUBMIT);
    let said = run(&folder, &[]);
    assert_eq!(said.code, 0, "{said:?}\n{}", folder.read("log"));
    assert!(Left::by(&folder) == plain(RECORDED));
}

#[test]
fn a_chunk_that_is_killed_is_submitted_again_and_a_second_time_fails() {
    let folder = on_command(SWEEP, KILLS);
    folder.write("victim", "");
    let said = run(&folder, &[]);
    assert_eq!(said.code, 0, "{said:?}\n{}", folder.read("log"));
    assert!(Left::by(&folder) == plain(SWEEP));

    let folder = on_command(SWEEP, "true\n");
    let said = run(&folder, &[]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.err.contains("its job ended without a result, twice"),
        "{said:?}"
    );
    let listed = folder.farcast(&["status", "--json"]);
    assert!(listed.out.contains("\"state\":\"failed\""), "{listed:?}");
}

#[test]
fn a_cancelled_run_says_so_and_the_same_command_goes_on() {
    let waits = "[ -e go ] || { touch began; exec sleep 60; }\n";
    let folder = on_command(
        SWEEP,
        &SUBMIT.replace("chunk=$2\n", &format!("{waits}chunk=$2\n")),
    );
    let mut command = folder.command(&["run", "it.farcast", "--on", "command", "--quiet"]);
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    while !folder.path("began").exists() {
        sleep(Duration::from_millis(20));
    }
    let said = folder.farcast(&["cancel", "last"]);
    assert_eq!(said.code, 0, "{said:?}");
    let waited = child.wait_with_output().unwrap();
    let words = "error: the run was cancelled\n  = help: the same `farcast run` goes on with it\n";
    assert_eq!(waited.status.code(), Some(1), "{waited:?}");
    assert_eq!(String::from_utf8_lossy(&waited.stderr), words);
    let attached = folder.farcast(&["attach"]);
    assert_eq!((attached.code, attached.err.as_str()), (1, words));
    let listed = folder.farcast(&["status", "--json"]);
    assert!(listed.out.contains("\"state\":\"cancelled\""), "{listed:?}");
    assert!(!folder.path("out/it/scores.csv").exists());

    folder.write("go", "");
    let said = run(&folder, &[]);
    assert_eq!(said.code, 0, "{said:?}\n{}", folder.read("log"));
    assert!(Left::by(&folder) == plain(SWEEP));
    let said = folder.farcast(&["cancel", "last"]);
    assert!(
        said.err
            .contains("it has ended already, nothing is left to cancel"),
        "{said:?}"
    );
}

#[test]
fn a_failure_in_a_chunk_points_at_the_text() {
    let text = "\
data all = synthetic(regime, rows: 300)
data none = where(all, z > 100)
parent net = mlp(none, inputs: [x], target: y, steps: 10, members: 2)
score skill = compare(net, on: all, metrics: [rmse])
";
    let folder = on_command(text, SUBMIT);
    let there = run(&folder, &[]);
    let plain = Folder::with(text).farcast(&["run", "it.farcast", "--quiet"]);
    assert_eq!((there.code, &there.err), (plain.code, &plain.err));
}

#[test]
fn mistakes_in_the_settings_of_queues_are_pointed_at() {
    let folder = Folder::with("data all = synthetic(regime)\n");
    let said = folder.farcast(&["run", "it.farcast", "--on", "command"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("has no command"), "{said:?}");
    folder.write(
        "farcast.toml",
        "[on.slurm]\nchunk = 20\nmax_aray = 3\ntime = \"2 h\"\nmem = \"8 G\"\n\n\
         [on.slurm.resources.mlp]\ncpu = 2\n\n[on.pbs]\n",
    );
    let said = folder.farcast(&["check", "it.farcast"]);
    let messages = said.err.lines().filter(|line| line.starts_with("error"));
    let messages: Vec<&str> = messages.collect();
    let expected = [
        "error[wrong-type]: expected a time such as `\"90 s\"`, `\"20 min\"` or `\"2 h\"`",
        "error[unknown-name]: unknown setting `max_aray`",
        "error[wrong-type]: expected a time as Slurm writes it: minutes, `\"2:00:00\"` or `\"1-12:00:00\"`",
        "error[wrong-type]: expected a size as Slurm writes it, such as `\"800M\"` or `\"8G\"`",
        "error[unknown-name]: unknown setting `cpu`",
        "error[unknown-name]: unknown queue `pbs`",
    ];
    assert_eq!(messages, expected);
    for near in ["`max_array`", "`cpus`"] {
        assert!(
            said.err.contains(&format!("did you mean {near}?")),
            "{said:?}"
        );
    }
}

#[test]
fn the_script_of_the_page_carries_chunks_out_in_parallel() {
    let page = fs::read_to_string(shipped("docs/clusters.md")).unwrap();
    let block = |after: &str, language: &str| {
        let rest = page.split_once(after).unwrap().1;
        let rest = rest.split_once(&format!("```{language}\n")).unwrap().1;
        rest.split_once("```").unwrap().0.to_owned()
    };
    let script = block("**Here, in parallel**", "sh").replace("farcast work", "$FARCAST work");
    let folder = on_command(SWEEP, &script);
    folder.write("farcast.toml", block("## Any other queue", "toml"));
    let path = folder.path("submit.sh");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let said = run(&folder, &[]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(Left::by(&folder) == plain(SWEEP));
}

#[test]
fn the_folder_of_a_run_stays_for_a_while_after_its_end() {
    let folder = on_command(SWEEP, SUBMIT);
    assert_eq!(run(&folder, &[]).code, 0);
    let runs = || fs::read_dir(folder.path(".farcast/work")).unwrap().count();
    let said = folder.farcast(&["cache", "gc"]);
    assert!(!said.out.contains("on a queue") && runs() == 1, "{said:?}");
    let said = folder.farcast(&["cache", "gc", "--older-than", "0", "--dry-run"]);
    let words = "would remove the orders and logs of 1 run on a queue";
    assert!(said.out.contains(words) && runs() == 1, "{said:?}");
    let said = folder.farcast(&["cache", "gc", "--older-than", "0"]);
    assert!(
        said.out
            .contains("removed the orders and logs of 1 run on a queue"),
        "{said:?}"
    );
    assert_eq!(runs(), 0);
}

#[test]
fn needs_of_a_plugin_that_does_not_exist_are_refused() {
    let folder = on_command(SWEEP, SUBMIT);
    let mut settings = folder.read("farcast.toml");
    settings.push_str("[on.command.resources.finetun]\ncpus = 2\n");
    folder.write("farcast.toml", settings);
    let said = run(&folder, &[]);
    let expected = "error: `resources.finetun` in `farcast.toml`: there is no plugin `finetun`\n  \
                    = help: did you mean `finetune`?\n";
    assert_eq!((said.code, said.err.as_str()), (2, expected));
}

#[test]
fn work_refuses_what_is_no_order_and_no_chunk() {
    let folder = on_command(SWEEP, SUBMIT);
    assert_eq!(run(&folder, &[]).code, 0);
    let said = folder.farcast(&["work", "it.farcast", "1"]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (1, "error: `it.farcast` is not the order of a run\n")
    );
    let name = fs::read_dir(folder.path(".farcast/work"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let order = format!(".farcast/work/{}/1/order.json", name.file_name().display());
    for chunk in ["0", "99", "x"] {
        let said = folder.farcast(&["work", &order, chunk]);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(
            said.err
                .starts_with(&format!("error: there is no chunk `{chunk}`")),
            "{said:?}"
        );
    }
    let said = folder.farcast(&["attach", "nothing"]);
    assert_eq!(said.code, 1, "{said:?}");
}
