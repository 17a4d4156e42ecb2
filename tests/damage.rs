//! Damage of any byte of any file, disks that are full or read-only, many processes at once:
//! no wrong result, and a message that says what is the matter.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use engine::artifact::Layout;
use expect_test::expect;
use serde_json::Value;

use crate::farcast::{Folder, Said, shipped};
use crate::runs::objects;
use crate::store::{files_below, object_of_score};

const PLAIN: &str = "\
param degree: Int = 1 in 1..=3
data all = csv(\"a.csv\")
parent net = mlp(all, inputs: [x], target: y, epochs: 2, members: 2)
subset some = window(all, by: z, count: 8, size: 30)
anomaly shift = finetune(net, some, steps: 10)
regression drift = polynomial(shift, columns(z), degree: degree)
child moved = apply(drift, all)
score skill = compare(net, moved, on: all, metrics: [rmse])
report page = page(skill)
";

/// A folder with an experiment that takes a moment.
fn folder() -> Folder {
    let folder = Folder::with(PLAIN);
    let rows = (0..300).map(|row| {
        let (x, z) = (f64::from(row % 20) / 10.0, f64::from(row) / 100.0);
        format!("{x},{z},{}\n", x.sin() * (1.0 + z))
    });
    folder.write("a.csv", format!("x,z,y\n{}", rows.collect::<String>()));
    // Old enough that its digest is remembered.
    let file = fs::OpenOptions::new()
        .append(true)
        .open(folder.path("a.csv"));
    file.unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    folder
}

/// Files that polars panics on, on one thread or another.
#[test]
fn a_damaged_table_is_refused_in_one_message() {
    let whole = fs::read(shipped("plugins/testdata/tiny.parquet")).unwrap();
    let damages: [&[(usize, u8)]; 3] = [
        &[(218, 0), (219, 0)],
        &[(318, 0), (319, 0), (321, 1)],
        &[(49, 16), (100, 0), (101, 0), (102, 1), (103, 0), (104, 0)],
    ];
    for damage in damages {
        let mut bytes = whole.clone();
        for (at, byte) in damage {
            bytes[*at] = *byte;
        }
        let folder = Folder::with("data a = parquet(\"a.parquet\")\n");
        folder.write("a.parquet", bytes);
        let said = folder.farcast(&["run", "it.farcast"]);
        assert!(matches!(said.code, 0 | 1), "{}", said.err);
        assert!(!said.err.contains("panicked"), "{}", said.err);
        let expected = "error[action-failed]: cannot read `a.parquet` as parquet: ";
        assert!(
            said.code == 0 || said.err.contains(expected),
            "{}",
            said.err
        );
    }
}

/// What is done to a file, in words and as code.
type Harm = (&'static str, fn(&mut Vec<u8>));

/// The ways a file is damaged.
const HARMS: [Harm; 5] = [
    ("a byte changed", |bytes| {
        // In JSON inside a text, so that it stays JSON.
        let text = b"\"key\": \"";
        let key = bytes.windows(text.len()).rposition(|part| part == text);
        let at = key.map_or(bytes.len() / 2, |key| key + text.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1;
        }
    }),
    ("its first byte changed", |bytes| {
        if let Some(byte) = bytes.first_mut() {
            *byte ^= 0x20;
        }
    }),
    ("cut in half", |bytes| bytes.truncate(bytes.len() / 2)),
    ("empty", Vec::clear),
    ("zeros", |bytes| bytes.fill(0)),
];

/// The kind of a file of a store or of results.
fn kind(path: &Path) -> String {
    let name = path.file_name().unwrap().to_str().unwrap();
    let folder = path
        .parent()
        .unwrap()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap();
    let extension = path.extension().map_or("", |kind| kind.to_str().unwrap());
    match folder {
        "journal" | "digests" | "holds" => folder.to_owned(),
        "runs" => format!("runs/*.{extension}"),
        two if two.len() == 2 && two != "it" => "objects".to_owned(),
        _ => name.to_owned(),
    }
}

/// What a command said of damage: its exit code and the line on standard error that tells of it,
/// without digests and names that change; nothing when there was nothing to tell.
fn told(said: &Said) -> Option<String> {
    assert!(said.code != 101 && said.code != -1, "{said:?}");
    let is_of_damage = |line: &&str| {
        let mut advised = ["net", "shift", "drift", "moved"].iter();
        let is_advice = advised.any(|name| line.starts_with(&format!("note: {name}: ")))
            || line.contains(" cached in ")
            || line.contains(" ran, ");
        !is_advice && !line.starts_with("a run that needs a damaged result")
    };
    let out = said.out.lines().filter(|line| line.starts_with("damaged "));
    let line = said.err.lines().filter(is_of_damage).chain(out).next();
    let line = match line {
        None if said.code == 0 => return None,
        line => line.unwrap_or_default(),
    };
    // How a text that is not JSON goes on depends on where it was cut.
    let line = line.split_inclusive("not the record of a run").next();
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let mut words = String::new();
    for word in line
        .unwrap_or_default()
        .split_inclusive(|c: char| !is_name(c))
    {
        let name = word.trim_end_matches(|c: char| !is_name(c));
        let rest = &word[name.len()..];
        let is_number = name.len() > 1 && name.bytes().all(|byte| byte.is_ascii_digit());
        let digits = name.bytes().filter(u8::is_ascii_digit).count();
        match is_number || digits > 3 {
            true => write!(words, "N{rest}").unwrap(),
            false => words.push_str(word),
        }
    }
    Some(format!("{} {words}", said.code))
}

#[test]
fn damage_of_any_file_gives_no_wrong_result() {
    let folder = folder();
    let first = folder.run(&[]);
    // The digest of the data is remembered by the first run that finds it settled.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    folder.run(&[]);
    assert_eq!(folder.farcast(&["cache", "pin", "last"]).code, 0);
    let whole: Vec<(PathBuf, Vec<u8>)> = [".farcast", "out"]
        .iter()
        .flat_map(|part| files_below(&folder.path(part)))
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    let score = object_of_score(&folder, &["it.farcast"]);
    let is_subject = |path: &&PathBuf| **path == score || kind(path) != "objects";
    let of_kind: BTreeMap<String, &PathBuf> = whole
        .iter()
        .map(|(path, _)| path)
        .filter(is_subject)
        .map(|path| (kind(path), path))
        .collect();
    let mut table = String::new();
    for (kind, path) in &of_kind {
        let mut by_words: Vec<(String, Vec<&str>)> = Vec::new();
        for (harm, change) in HARMS {
            let mut bytes = fs::read(path).unwrap();
            change(&mut bytes);
            fs::write(path, bytes).unwrap();
            let words = words_of(&folder, &first);
            match by_words.iter_mut().find(|(others, _)| *others == words) {
                Some((_, harms)) => harms.push(harm),
                None => by_words.push((words, vec![harm])),
            }
            restore(&folder, &whole);
        }
        for (words, harms) in by_words {
            write!(table, "{kind}: {}\n{words}", harms.join(", ")).unwrap();
        }
    }
    expect![[r#"
        .gitignore: a byte changed, its first byte changed, cut in half, empty, zeros
        CACHEDIR.TAG: a byte changed, its first byte changed, cut in half, empty, zeros
        digests: a byte changed, its first byte changed
          cache verify: 1 damaged  `./.farcast/digests/N.log`, byte 0: wrong checksum
        digests: cut in half, empty
        digests: zeros
          cache verify: 1 damaged  `./.farcast/digests/N.log`, byte 0: not a line
        holds: a byte changed, its first byte changed, cut in half, empty, zeros
          cache verify: 1 damaged  `./.farcast/holds/N`
          cache gc --dry-run: 1 error: the hold `./.farcast/holds/N` is damaged, so the results it protects are unknown: nothing was removed; `farcast cache verify --repair` sets the hold aside
        journal: a byte changed
          cache verify: 1 note: the journal of the store is damaged: `./.farcast/journal/N.log`, byte N: wrong checksum
          cache gc --dry-run: 0 note: the journal of the store is damaged: `./.farcast/journal/N.log`, byte N: wrong checksum
          show last: 0 note: the journal of the store is damaged: `./.farcast/journal/N.log`, byte N: wrong checksum
          rerun out/it --quiet --json: 0 note: the journal of the store is damaged: `./.farcast/journal/N.log`, byte N: wrong checksum
          run it.farcast --json: 0 note: the journal of the store is damaged: `.farcast/journal/N.log`, byte N: wrong checksum
        journal: its first byte changed
          cache verify: 1 note: the journal of the store is damaged: `./.farcast/journal/N.log`, byte 0: wrong checksum
          cache gc --dry-run: 0 note: the journal of the store is damaged: `./.farcast/journal/N.log`, byte 0: wrong checksum
          show last: 0 note: the journal of the store is damaged: `./.farcast/journal/N.log`, byte 0: wrong checksum
          rerun out/it --quiet --json: 0 note: the journal of the store is damaged: `./.farcast/journal/N.log`, byte 0: wrong checksum
          run it.farcast --json: 0 note: the journal of the store is damaged: `.farcast/journal/N.log`, byte 0: wrong checksum
        journal: cut in half, empty
        journal: zeros
          cache verify: 1 note: the journal of the store is damaged: `./.farcast/journal/N.log`, byte 0: not a line
          cache gc --dry-run: 0 note: the journal of the store is damaged: `./.farcast/journal/N.log`, byte 0: not a line
          show last: 0 note: the journal of the store is damaged: `./.farcast/journal/N.log`, byte 0: not a line
          rerun out/it --quiet --json: 0 note: the journal of the store is damaged: `./.farcast/journal/N.log`, byte 0: not a line
          run it.farcast --json: 0 note: the journal of the store is damaged: `.farcast/journal/N.log`, byte 0: not a line
        objects: a byte changed, its first byte changed, cut in half, empty, zeros
          cache verify: 1 damaged  N
        report.html: a byte changed, its first byte changed, cut in half, empty, zeros
        run.json: a byte changed
          show out/it: 0 note: `out/it/run.json` was changed after the run
          rerun out/it --quiet --json: 0 note: `out/it/run.json` was changed after the run
        run.json: its first byte changed, cut in half, empty, zeros
          show out/it: 1 error: `out/it/run.json`: not the record of a run
          rerun out/it --quiet --json: 1 error: `out/it/run.json`: not the record of a run
        runs/*.json: a byte changed, its first byte changed, cut in half, empty, zeros
          cache verify: 1 damaged  run N
          show last: 1 error: the record of run `N` is damaged
        runs/*.parquet: a byte changed, its first byte changed, cut in half, empty, zeros
          cache verify: 1 damaged  run N
          show last: 1 error: the scores beside `N` belong to another run
        scores.csv: a byte changed, its first byte changed, cut in half, empty, zeros
        scores.parquet: a byte changed, its first byte changed, cut in half, empty, zeros
          show out/it: 1 error: the scores beside `out/it/run.json` belong to another run
        version: a byte changed, cut in half
        version: its first byte changed
          cache verify: 1 error: the store `./.farcast` has no format number: expected 2 in `version`, found `\u{N}`; if only that file is damaged, write 2 into it
          cache gc --dry-run: 1 error: the store `./.farcast` has no format number: expected 2 in `version`, found `\u{N}`; if only that file is damaged, write 2 into it
          show last: 1 error: the store `./.farcast` has no format number: expected 2 in `version`, found `\u{N}`; if only that file is damaged, write 2 into it
          rerun out/it --quiet --json: 1 error: the store `./.farcast` has no format number: expected 2 in `version`, found `\u{N}`; if only that file is damaged, write 2 into it
          run it.farcast --json: 1 error: the store `.farcast` has no format number: expected 2 in `version`, found `\u{N}`; if only that file is damaged, write 2 into it
        version: empty
          cache verify: 1 error: the store `./.farcast` has no format number: expected 2 in `version`, found ``; if only that file is damaged, write 2 into it
          cache gc --dry-run: 1 error: the store `./.farcast` has no format number: expected 2 in `version`, found ``; if only that file is damaged, write 2 into it
          show last: 1 error: the store `./.farcast` has no format number: expected 2 in `version`, found ``; if only that file is damaged, write 2 into it
          rerun out/it --quiet --json: 1 error: the store `./.farcast` has no format number: expected 2 in `version`, found ``; if only that file is damaged, write 2 into it
          run it.farcast --json: 1 error: the store `.farcast` has no format number: expected 2 in `version`, found ``; if only that file is damaged, write 2 into it
        version: zeros
          cache verify: 1 error: the store `./.farcast` has no format number: expected 2 in `version`, found `\0\0`; if only that file is damaged, write 2 into it
          cache gc --dry-run: 1 error: the store `./.farcast` has no format number: expected 2 in `version`, found `\0\0`; if only that file is damaged, write 2 into it
          show last: 1 error: the store `./.farcast` has no format number: expected 2 in `version`, found `\0\0`; if only that file is damaged, write 2 into it
          rerun out/it --quiet --json: 1 error: the store `./.farcast` has no format number: expected 2 in `version`, found `\0\0`; if only that file is damaged, write 2 into it
          run it.farcast --json: 1 error: the store `.farcast` has no format number: expected 2 in `version`, found `\0\0`; if only that file is damaged, write 2 into it
    "#]].assert_eq(&table);
}

/// What the commands that read a store or results say.
fn words_of(folder: &Folder, first: &Value) -> String {
    let mut words = String::new();
    for args in [
        &["cache", "verify"][..],
        &["cache", "gc", "--dry-run"],
        &["show", "last"],
        &["show", "out/it"],
        &["rerun", "out/it", "--quiet", "--json"],
        &["run", "it.farcast", "--json"],
    ] {
        let said = folder.farcast(args);
        if let Some(told) = told(&said) {
            writeln!(words, "  {}: {told}", args.join(" ")).unwrap();
        }
        if args[0] == "run" && said.code == 0 {
            let answer: Value = serde_json::from_str(&said.out).unwrap();
            assert_eq!(answer["scores"], first["scores"], "{words}");
        }
    }
    words
}

/// The store and the results as they were.
fn restore(folder: &Folder, whole: &[(PathBuf, Vec<u8>)]) {
    for part in [".farcast", "out"] {
        for path in files_below(&folder.path(part)) {
            fs::remove_file(path).unwrap();
        }
    }
    for (path, bytes) in whole {
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn damage_of_any_object_is_mended_by_the_next_run() {
    let folder = folder();
    let first = folder.run(&["--tables"]);
    let names = objects(&folder);
    for (number, name) in names.iter().enumerate() {
        let path = folder.path(".farcast/objects").join(&name[..2]).join(name);
        let mut bytes = fs::read(&path).unwrap();
        HARMS[number % HARMS.len()].1(&mut bytes);
        fs::write(path, bytes).unwrap();
        let answer = folder.run(&["--tables"]);
        assert_eq!(answer["scores"], first["scores"]);
    }
    // Whatever nobody had to read is mended on request.
    folder.farcast(&["cache", "verify", "--repair"]);
    folder.run(&["--set", "degree=2"]);
    folder.run(&["--tables"]);
    let verified = folder.farcast(&["cache", "verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
}

#[test]
fn damage_of_a_row_of_a_trajectory_is_found_by_whoever_needs_the_row() {
    let folder = || {
        let folder = Folder::with(
            "param seen: Int = 200 in 0..=200\n\
             trajectory run = checkpoints(\"step-*.safetensors\")\n\
             farcast last = persistence(run, observe: [seen], horizon: 300)\n\
             score missed = forecast_error(last, truth: run)\n",
        );
        let layout = Layout::mlp(&[300, 200]);
        for step in [0_usize, 100, 200, 300] {
            let weights = (0..layout.len()).map(|at| (at % 97 + step) as f32);
            let file = layout.to_safetensors(&weights.collect::<Vec<_>>(), []);
            folder.write(&format!("step-{step}.safetensors"), file.unwrap());
        }
        folder
    };
    let (harmed, whole) = (folder(), folder());
    harmed.run(&[]);
    // Four rows make the largest object; the first of them is harmed.
    let files = files_below(&harmed.path(".farcast/objects"));
    let size = |path: &PathBuf| fs::metadata(path).unwrap().len();
    let block = files.into_iter().max_by_key(size).unwrap();
    let mut bytes = fs::read(&block).unwrap();
    assert_eq!(bytes.len(), 4 * 4 * 301 * 200);
    bytes[1000] ^= 1;
    fs::write(&block, bytes).unwrap();

    let run = |seen: &str| harmed.farcast(&["run", "it.farcast", "--json", "--set", seen]);
    let words = "is not what was stored: it was set aside";
    let scores = |said: &Said| {
        assert_eq!(said.code, 0, "{said:?}");
        serde_json::from_str::<Value>(&said.out).unwrap()["scores"].take()
    };
    let other = run("seen=100");
    assert_eq!(scores(&other), whole.run(&["--set", "seen=100"])["scores"]);
    assert!(!other.err.contains(words), "{other:?}");
    assert_eq!(harmed.farcast(&["cache", "verify"]).code, 1);
    let needed = run("seen=0");
    assert_eq!(scores(&needed), whole.run(&["--set", "seen=0"])["scores"]);
    assert!(needed.err.contains(words), "{needed:?}");
    let verified = harmed.farcast(&["cache", "verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
}

#[test]
fn eight_processes_share_a_store() {
    let alone = folder();
    let shared = folder();
    let degrees = ["1", "2", "3", "1", "2", "3", "1", "1"];
    let mut running = Vec::new();
    for (number, degree) in degrees.iter().enumerate() {
        let set = format!("degree={degree}");
        let out = format!("out/{number}");
        let args = ["run", "it.farcast", "--quiet", "--set", &set, "--out", &out];
        running.push((set.clone(), out.clone(), shared.start(&args)));
    }
    while running
        .iter_mut()
        .any(|(_, _, child)| child.try_wait().unwrap().is_none())
    {
        for args in [&["cache", "gc"][..], &["cache", "verify"], &["runs"]] {
            let said = shared.farcast(args);
            assert_eq!(said.code, 0, "{args:?}: {said:?}");
        }
    }
    for (set, out, mut child) in running {
        assert!(child.wait().unwrap().success());
        alone.run(&["--set", &set]);
        let same = alone.read("out/it/scores.csv") == shared.read(&format!("{out}/scores.csv"));
        assert!(same, "{out}");
    }
    assert_eq!(objects(&alone), objects(&shared));
    let runs = shared.farcast(&["runs"]);
    assert_eq!(runs.out.lines().count(), 1 + degrees.len(), "{runs:?}");
}

/// A file system of its own at a folder; gone when this is.
struct Mounted(PathBuf);

impl Mounted {
    /// None where this machine lets nobody mount.
    fn new(at: PathBuf, options: &str) -> Option<Self> {
        fs::create_dir_all(&at).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "none"])
            .arg(&at)
            .output();
        let is_mounted = mount.is_ok_and(|mount| mount.status.success());
        if !is_mounted {
            let words = b"skipped: mounting a small tmpfs is not permitted here\n";
            std::io::Write::write_all(&mut std::io::stderr(), words).unwrap();
        }
        is_mounted.then_some(Self(at))
    }

    fn change(&self, options: &str) {
        let options = format!("remount,{options}");
        let mut mount = Command::new("mount");
        assert!(
            mount
                .args(["-o", &options])
                .arg(&self.0)
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_stops_a_run_and_loses_nothing() {
    let alone = folder();
    let whole = alone.run(&[]);
    for part in [".farcast", "out"] {
        let folder = folder();
        let Some(disk) = Mounted::new(folder.path(part), "size=12k") else {
            return;
        };
        let mut full = 0;
        for kilobytes in (12..400).step_by(12) {
            disk.change(&format!("size={kilobytes}k"));
            let said = folder.farcast(&["run", "it.farcast", "--json", "--quiet"]);
            if said.code == 0 {
                let answer: Value = serde_json::from_str(&said.out).unwrap();
                assert_eq!(answer["scores"], whole["scores"]);
                break;
            }
            full += 1;
            assert_eq!(said.code, 1, "{kilobytes} kB: {said:?}");
            let says_so = ["no space left on", "No space left on device"];
            assert!(
                says_so.iter().any(|text| said.err.contains(text)),
                "{said:?}"
            );
            let verified = folder.farcast(&["cache", "verify"]);
            assert_eq!(verified.code, 0, "{kilobytes} kB: {verified:?}");
        }
        assert!(full > 0, "`{part}` was never full");
        disk.change("size=4m");
        assert_eq!(folder.run(&[])["scores"], whole["scores"]);
        assert_eq!(folder.run(&[])["actions"]["ran"], 0);
    }
}

#[test]
fn a_read_only_store_serves_what_it_has() {
    let folder = folder();
    let Some(disk) = Mounted::new(folder.path(".farcast"), "size=4m") else {
        return;
    };
    let first = folder.run(&[]);
    disk.change("ro");
    let again = folder.farcast(&["run", "it.farcast", "--json"]);
    let answer: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(answer["scores"], first["scores"]);
    let mut table = String::new();
    for args in [
        &["run", "it.farcast", "--json"][..],
        &["run", "it.farcast", "--set", "degree=2", "--quiet"],
        &["plan", "it.farcast", "--set", "degree=2", "--json"],
        &["cache", "verify"],
        &["cache", "verify", "--repair"],
        &["cache", "gc"],
        &["cache", "gc", "--dry-run"],
        &["cache", "pin", "last"],
        &["cache", "unpin", "it"],
        &["rerun", "last", "--quiet"],
        &["rerun", "last", "--fresh", "--quiet"],
        &["compare", "out/it", "last"],
        &["show", "last"],
        &["runs"],
    ] {
        let told = told(&folder.farcast(args)).unwrap_or("fine".to_owned());
        writeln!(table, "{}: {told}", args.join(" ")).unwrap();
    }
    expect![[r#"
        run it.farcast --json: 0 note: the run is not listed by `farcast runs`: the store `.farcast` is read-only: name another with `--store` or `FARCAST_STORE`
        run it.farcast --set degree=2 --quiet: 1 error[action-failed]: the store `.farcast` is read-only: name another with `--store` or `FARCAST_STORE`
        plan it.farcast --set degree=2 --json: fine
        cache verify: fine
        cache verify --repair: fine
        cache gc: fine
        cache gc --dry-run: fine
        cache pin last: 1 error: the store `./.farcast` is read-only: name another with `--store` or `FARCAST_STORE`
        cache unpin it: 1 error: there is no pin `it`
        rerun last --quiet: 0 the scores are byte-identical
        rerun last --fresh --quiet: 0 the scores are byte-identical
        compare out/it last: fine
        show last: fine
        runs: fine
    "#]].assert_eq(&table);
}

#[test]
fn a_large_file_stays_where_it_is_and_is_read_again_when_it_changes() {
    let text = "trajectory run = checkpoints(\"run/step-*.safetensors\")\n\
                farcast last = persistence(run, observe: [200], horizon: 300)\n\
                score missed = forecast_error(last, truth: run)\n";
    let layout = Layout::mlp(&[1500, 1500]);
    let state = |step: usize, first: f32| {
        let weights = (0..layout.len()).map(|at| (at % 97 + step) as f32);
        let weights: Vec<f32> = std::iter::once(first).chain(weights.skip(1)).collect();
        layout.to_safetensors(&weights, []).unwrap()
    };
    let folder = || {
        let folder = Folder::with(text);
        for step in [0_usize, 100, 200, 300] {
            folder.write(&format!("run/step-{step}.safetensors"), state(step, 0.0));
        }
        folder
    };
    let (changed, whole) = (folder(), folder());
    let first = changed.run(&[]);
    let stored = |folder: &Folder| {
        let objects = files_below(&folder.path(".farcast/objects"));
        let sizes = objects.iter().map(|file| fs::metadata(file).unwrap().len());
        sizes.sum::<u64>()
    };
    // Of four states of 9 MB nothing is kept but digests and the farcast, a state itself.
    assert!(stored(&changed) < 10_000_000, "{}", stored(&changed));

    // Elsewhere, nothing but their headers and digests is new.
    fs::rename(changed.path("run"), changed.path("moved")).unwrap();
    changed.write("it.farcast", text.replace("run/", "moved/"));
    let moved = changed.run(&[]);
    assert_eq!(moved["scores"], first["scores"]);
    fs::rename(changed.path("moved"), changed.path("run")).unwrap();
    changed.write("it.farcast", text);

    // Another number in a file, by somebody who keeps its time stamp.
    for folder in [&changed, &whole] {
        let file = folder.path("run/step-300.safetensors");
        let time = fs::metadata(&file).unwrap().modified().unwrap();
        fs::write(&file, state(300, 1e6)).unwrap();
        let file = fs::File::options().append(true).open(file).unwrap();
        file.set_modified(time).unwrap();
    }
    let again = changed.run(&[]);
    assert_ne!(again["scores"], first["scores"]);
    assert_eq!(again["scores"], whole.run(&[])["scores"]);
    // A file that is gone is missing, and so is what was read from it.
    fs::remove_file(changed.path("run/step-300.safetensors")).unwrap();
    assert_ne!(changed.farcast(&["run", "it.farcast"]).code, 0);
    changed.write("run/step-300.safetensors", state(300, 0.0));
    assert_eq!(changed.run(&[])["scores"], first["scores"]);
}
