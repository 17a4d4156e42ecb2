//! `farcast cache` in its own words, over a store that runs have filled.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::digest::Digest;
use engine::store::{Access, DirStore, Store};
use expect_test::expect;
use serde_json::Value;

use crate::farcast::{Folder, Said, shipped};

fn starter() -> String {
    fs::read_to_string(shipped("experiments/smoke/starter.farcast")).unwrap()
}

/// Two days.
const AGE: Duration = Duration::from_secs(48 * 3600);

/// Makes everything in a store two days old for `gc`.
pub fn age(store: &Path) {
    for segment in files_below(&store.join("journal")) {
        let name = segment.file_name().unwrap().to_str().unwrap().to_owned();
        let nanos: u64 = name[..20].parse().unwrap();
        let older = format!("{:020}{}", nanos - AGE.as_nanos() as u64, &name[20..]);
        fs::rename(&segment, segment.with_file_name(older)).unwrap();
    }
    for part in ["objects", "tmp", "runs"] {
        for file in files_below(&store.join(part)) {
            let opened = OpenOptions::new().append(true).open(file).unwrap();
            let now = opened.metadata().unwrap().modified().unwrap();
            opened.set_modified(now - AGE).unwrap();
        }
    }
}

/// Every file below a folder, in order.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(files_below(&path)),
            false => files.push(path),
        }
    }
    files.sort();
    files
}

/// What `farcast plan … --json` says with these arguments.
fn plan(folder: &Folder, args: &[&str]) -> Value {
    let said = folder.farcast(&[&["plan", "--json"], args].concat());
    assert_eq!(said.code, 0, "{said:?}");
    serde_json::from_str(&said.out).unwrap()
}

/// The keys of the actions whose results the store has, as a plan says.
pub fn cached(folder: &Folder, args: &[&str]) -> Vec<String> {
    let plan = plan(folder, args);
    let actions = plan["actions"].as_array().unwrap().iter();
    let cached = actions.filter(|action| action["state"] == "cached");
    let key = |action: &Value| action["key"].as_str().unwrap().to_owned();
    cached.map(key).collect()
}

/// An object of the score of an experiment that has run.
pub fn object_of_score(folder: &Folder, args: &[&str]) -> PathBuf {
    let plan = plan(folder, args);
    let mut actions = plan["actions"].as_array().unwrap().iter();
    let score = actions
        .find(|action| action["plugin"] == "compare")
        .unwrap();
    let key = score["key"].as_str().unwrap().parse().unwrap();
    let store = DirStore::open(&folder.path(".farcast"), Access::Read).unwrap();
    let record = store.find(&key).unwrap();
    let digest = record.objects().next().unwrap().1.to_string();
    let objects = folder.path(".farcast/objects");
    objects.join(&digest[..2]).join(digest)
}

/// Changes a byte of the score of an experiment that has run.
pub fn damage_one(folder: &Folder, args: &[&str]) {
    let path = object_of_score(folder, args);
    let mut bytes = fs::read(&path).unwrap();
    bytes[0] ^= 1;
    fs::write(&path, bytes).unwrap();
}

/// What a command prints, sizes and seconds as `#` whatever their unit, each blank as one.
fn printed(said: &Said) -> String {
    let is_unit = |word: &&str| ["B", "kB", "MB", "B,", "kB,", "MB,", "s"].contains(word);
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut shown: Vec<&str> = words.clone();
        for at in 0..words.len() {
            let is_size = words.get(at + 1).is_some_and(is_unit);
            let is_seconds = words[at].contains('.') && words[at].parse::<f64>().is_ok();
            if is_size || is_seconds {
                shown[at] = "#";
            }
            if is_size {
                shown[at + 1] = words[at + 1].trim_start_matches(['k', 'M']);
            }
        }
        shown.join(" ")
    };
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
    said.out.lines().map(|text| line(text) + "\n").collect()
}

#[test]
fn why_names_what_differs_and_where_it_stands() {
    let folder = Folder::with(&starter());
    let why = |args: &[&str]| {
        let said = folder.farcast(&[&["cache", "why", "it.farcast"], args].concat());
        printed(&said)
    };
    expect![[r#"
        drift[0] runs
        regime: no earlier `columns` in this store
        --> it.farcast:18:20
        all: no earlier `synthetic` in this store
        --> it.farcast:8:12
        seen: no earlier `where` in this store
        --> it.farcast:9:13
        net: no earlier `mlp` in this store
        --> it.farcast:12:14
        near: no earlier `window` in this store
        --> it.farcast:15:15
        shift: no earlier `finetune` in this store
        --> it.farcast:16:17
        drift: no earlier `polynomial` in this store
        --> it.farcast:19:20
        drift[1] runs
        drift[2] runs
        drift[3] runs
    "#]]
    .assert_eq(&why(&["drift"]));
    folder.run(&[]);
    expect![[r#"
        nothing runs: all results are in the store
    "#]]
    .assert_eq(&why(&[]));
    expect![[r#"
        skill is cached: computed in # s on HOST
    "#]]
    .assert_eq(&why(&["skill"]).replace(&hostname(), "HOST"));
    expect![[r#"
        drift[0] runs
        drift: `degree` was 1, is 2
        --> it.farcast:19:54
        drift[1] runs
        drift[2] runs
        drift[3] runs
    "#]]
    .assert_eq(&why(&["drift", "--set", "degree=2"]));
    let text = starter();
    folder.write("it.farcast", text.replace("steps: 100", "steps: 50"));
    expect![[r#"
        adapted[0] runs
        shift: `steps` was 100, is 50
        --> it.farcast:16:72
        adapted[1] runs
        adapted[2] runs
        adapted[3] runs
    "#]]
    .assert_eq(&why(&["adapted"]));
    folder.write("it.farcast", format!("seed = 9\n{text}"));
    expect![[r#"
        shift[0] runs
        all: `seed` was 0, is 9
        --> it.farcast:9:12
        net: `seed` was 0, is 9
        --> it.farcast:13:14
        near: `seed` was 0, is 9
        --> it.farcast:16:15
        shift: `seed` was 0, is 9
        --> it.farcast:17:17
        shift[1] runs
        shift[2] runs
        shift[3] runs
    "#]]
    .assert_eq(&why(&["shift"]));
    let said = folder.farcast(&["cache", "why", "it.farcast", "drifd"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    expect![[r#"
        error: no statement that is needed is called `drifd`
          = help: did you mean `drift`?
    "#]]
    .assert_eq(&said.err);
    fs::remove_dir_all(folder.path(".farcast/objects")).unwrap();
    folder.write("it.farcast", text);
    expect![[r#"
        summary runs
        regime: its stored result is gone
        --> it.farcast:18:20
        all: its stored result is gone
        --> it.farcast:8:12
        seen: its stored result is gone
        --> it.farcast:9:13
        unseen: its stored result is gone
        --> it.farcast:10:15
        net: its stored result is gone
        --> it.farcast:12:14
        near: its stored result is gone
        --> it.farcast:15:15
        shift: its stored result is gone
        --> it.farcast:16:17
        drift: its stored result is gone
        --> it.farcast:19:20
        adapted: its stored result is gone
        --> it.farcast:22:17
        skill: its stored result is gone
        --> it.farcast:24:15
        summary: its stored result is gone
        --> it.farcast:25:18
    "#]]
    .assert_eq(&why(&["summary"]));
}

fn hostname() -> String {
    let name = fs::read_to_string("/etc/hostname").unwrap_or_default();
    name.trim().to_owned()
}

#[test]
fn ls_and_du_tell_what_there_is() {
    let folder = Folder::with(&starter());
    folder.run(&[]);
    expect![[r#"
        plugin results size seconds
        apply 4 # B #
        columns 1 # B #
        compare 1 # B #
        finetune 4 # B #
        mlp 4 # B #
        page 1 # B #
        polynomial 4 # B #
        synthetic 1 # B #
        where 2 # B #
        window 1 # B #
        23 results in 35 objects, # B, in ./.farcast
    "#]]
    .assert_eq(&printed(&folder.farcast(&["cache", "ls"])));
    expect![[r#"
        # B compare
        # B page
        # B where
        # B synthetic
        # B finetune
        # B window
        # B apply
        # B mlp
        # B columns
        # B polynomial
        # B not needed by any result
        # B in total
    "#]]
    .assert_eq(&printed(&folder.farcast(&["cache", "du"])));
}

/// What a `farcast cache` command answers in JSON with this exit code; sizes and seconds are 0.
fn cache_json(folder: &Folder, args: &[&str], code: i32) -> Value {
    fn masked(value: Value) -> Value {
        let is_measured = |name: &str| name.contains("bytes") || name == "seconds";
        match value {
            Value::Object(fields) => { fields.into_iter() }
                .map(
                    |(name, value)| match is_measured(&name) && value.is_number() {
                        true => (name, 0.into()),
                        false => (name, masked(value)),
                    },
                )
                .collect(),
            Value::Array(items) => items.into_iter().map(masked).collect(),
            other => other,
        }
    }
    let said = folder.farcast(&[&["cache"], args, &["--json"]].concat());
    assert_eq!(said.code, code, "{said:?}");
    masked(serde_json::from_str(&said.out).unwrap())
}

#[test]
fn programs_read_what_the_store_has_as_json() {
    let folder = Folder::with(&starter());
    folder.run(&[]);
    let du = cache_json(&folder, &["du"], 0);
    assert_eq!(du["plugins"].as_array().unwrap().len(), 10);
    let pin = folder.farcast(&["cache", "pin", "last"]).err;
    let ls = cache_json(&folder, &["ls"], 0);
    let pin = ls["pins"][0]
        .as_str()
        .filter(|it| pin.contains(it))
        .unwrap();
    expect![[r#"{"store":"./.farcast","results":23,"objects":35,"bytes":0,"plugins":[{"plugin":"apply","results":4,"bytes":0,"seconds":0},{"plugin":"columns","results":1,"bytes":0,"seconds":0},{"plugin":"compare","results":1,"bytes":0,"seconds":0},{"plugin":"finetune","results":4,"bytes":0,"seconds":0},{"plugin":"mlp","results":4,"bytes":0,"seconds":0},{"plugin":"page","results":1,"bytes":0,"seconds":0},{"plugin":"polynomial","results":4,"bytes":0,"seconds":0},{"plugin":"synthetic","results":1,"bytes":0,"seconds":0},{"plugin":"where","results":2,"bytes":0,"seconds":0},{"plugin":"window","results":1,"bytes":0,"seconds":0}],"pins":["PIN"],"shared":[]}"#]].assert_eq(&ls.to_string().replace(pin, "PIN"));
    expect![[r#"{"ok":true,"objects":35,"damaged":[],"changed":[],"missing":[],"runs":1,"damaged_runs":[],"damaged_holds":[],"damaged_journal":[]}"#]].assert_eq(&cache_json(&folder, &["verify"], 0).to_string());
    expect![[r#"{"dry_run":true,"records":0,"files":0,"bytes":0,"queue_runs":0,"queue_bytes":0}"#]]
        .assert_eq(&cache_json(&folder, &["gc", "--dry-run"], 0).to_string());
    let why = |args: &[&str]| cache_json(&folder, &[&["why", "it.farcast"], args].concat(), 0);
    assert_eq!(why(&[]).to_string(), r#"{"actions":[]}"#);
    let cached = &why(&["skill"])["actions"][0];
    assert_eq!(
        (&cached["state"], &cached["host"]),
        (&"cached".into(), &hostname().into())
    );
    let runs = &why(&["skill", "--set", "degree=2"])["actions"][0];
    assert_eq!(
        (&runs["action"], &runs["state"]),
        (&"skill".into(), &"run".into())
    );
    expect![[r#"[{"statement":"drift","reason":"`degree` was 1, is 2","file":"it.farcast","line":19,"column":54}]"#]].assert_eq(&runs["reasons"].to_string());

    damage_one(&folder, &["it.farcast"]);
    let said = folder.farcast(&["cache", "verify", "--json"]);
    assert_eq!((said.code, said.err.as_str()), (1, ""));
    let found: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(found["ok"], false);
    assert_eq!(found["damaged"].as_array().unwrap().len(), 1);
    let mistake = cache_json(
        &Folder::with("data a = csv(1)\n"),
        &["why", "it.farcast"],
        1,
    );
    assert_eq!(mistake["diagnostics"][0]["code"], "wrong-type");
}

#[test]
fn a_pinned_run_stays_until_it_is_unpinned() {
    let folder = Folder::with(&starter());
    folder.run(&[]);
    let said = folder.farcast(&["cache", "pin", "last"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""));
    let pin = said.err.split('`').nth(1).unwrap().to_owned();
    assert_eq!(said.err, format!("pinned 23 results as `{pin}`\n"));
    folder.run(&["--set", "degree=2"]);
    let ls = folder.farcast(&["cache", "ls"]).out;
    assert!(ls.ends_with(&format!("\npinned: {pin}\n")), "{ls}");

    age(&folder.path(".farcast"));
    let gc = |args: &[&str]| printed(&folder.farcast(&[&["cache", "gc"], args].concat()));
    expect![[r#"
        would remove 10 records and 10 files, # B
    "#]]
    .assert_eq(&gc(&["--max-size", "1", "--dry-run"]));
    assert_eq!(folder.planned(&["--set", "degree=2"]), "");
    expect![[r#"
        removed 10 records and 10 files, # B
    "#]]
    .assert_eq(&gc(&["--max-size", "1"]));
    assert_eq!(folder.planned(&[]), "");
    assert_eq!(
        folder.planned(&["--set", "degree=2"]),
        "drift adapted skill summary"
    );

    let said = folder.farcast(&["cache", "unpin", "best"]);
    assert_eq!(said.code, 1);
    assert_eq!(
        said.err,
        format!("error: there is no pin `best`\n  = help: pins: `{pin}`\n")
    );
    assert_eq!(folder.farcast(&["cache", "unpin", &pin]).code, 0);
    age(&folder.path(".farcast"));
    expect![[r#"
        removed 23 records and 35 files, # B
    "#]]
    .assert_eq(&gc(&["--max-size", "1"]));
    expect![[r#"
        0 results in 0 objects, # B, in ./.farcast
    "#]]
    .assert_eq(&printed(&folder.farcast(&["cache", "ls"])).replace(&folder.real_path(), "HERE"));
    folder.run(&[]);
}

#[test]
fn gc_keeps_what_is_young_enough_or_named() {
    let folder = Folder::with(&starter());
    folder.run(&[]);
    folder.run(&["--set", "degree=2"]);
    let gc = |args: &[&str]| printed(&folder.farcast(&[&["cache", "gc"], args].concat()));
    expect![[r#"
        removed 0 records and 0 files, # B
    "#]]
    .assert_eq(&gc(&["--older-than", "1"]));
    folder.write(
        "two.farcast",
        starter().replace("degree: Int = 1", "degree: Int = 2"),
    );
    age(&folder.path(".farcast"));
    expect![[r#"
        removed 10 records and 10 files, # B
    "#]]
    .assert_eq(&gc(&["--only", "two.farcast"]));
    assert_eq!(folder.planned(&["--set", "degree=2"]), "");
    assert_eq!(folder.planned(&[]), "drift adapted skill summary");
    expect![[r#"
        removed 0 records and 0 files, # B
    "#]]
    .assert_eq(&gc(&[]));
    for (args, code) in [(["--max-size", "much"], 2), (["--only", "none.farcast"], 1)] {
        let said = folder.farcast(&[&["cache", "gc"], &args[..]].concat());
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{said:?}");
        assert!(said.err.starts_with("error: "), "{said:?}");
    }
}

#[test]
fn verify_repairs_whatever_is_damaged() {
    let folder = Folder::with(&starter());
    folder.run(&[]);
    folder.farcast(&["cache", "pin", "last"]);
    folder.run(&["--set", "degree=2"]);
    let verify = |args: &[&str]| folder.farcast(&[&["cache", "verify"], args].concat());
    expect![[r#"
        45 objects and 2 runs intact, 0 damaged, 0 missing
    "#]]
    .assert_eq(&printed(&verify(&[])));

    damage_one(&folder, &["it.farcast"]);
    let runs = files_below(&folder.path(".farcast/runs"));
    let hold = files_below(&folder.path(".farcast/holds")).remove(0);
    let journal = files_below(&folder.path(".farcast/journal")).remove(0);
    for (path, at) in [(&runs[0], 30), (&runs[3], 30), (&hold, 70), (&journal, 300)] {
        let mut bytes = fs::read(path).unwrap();
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    let names = [&runs[0], &runs[2], &hold, &journal];
    let masked = |said: Said| {
        let mut text = format!("{}---\n{}", said.out, said.err);
        for (path, name) in names.iter().zip(["RUN1", "RUN2", "HOLD", "SEGMENT"]) {
            text = text.replace(path.file_stem().unwrap().to_str().unwrap(), name);
        }
        let line = |line: &str| match line.split_at_checked(9) {
            Some((start, digest)) if digest.len() == 64 => format!("{start}DIGEST\n"),
            _ => format!("{line}\n"),
        };
        text.lines().map(line).collect::<String>()
    };
    let said = verify(&[]);
    assert_eq!(said.code, 1);
    expect![[r#"
        damaged  DIGEST
        damaged  run RUN1
        damaged  run RUN2
        damaged  `./.farcast/holds/HOLD`
        damaged  `./.farcast/journal/SEGMENT.log`, byte 0: wrong checksum
        43 objects and 0 runs intact, 5 damaged, 0 missing
        ---
        note: the journal of the store is damaged: `./.farcast/journal/SEGMENT.log`, byte 0: wrong checksum
        a run that needs a damaged result sets it aside and computes it again; `--repair` sets all aside now
    "#]].assert_eq(&masked(said));
    let said = folder.farcast(&["cache", "gc"]);
    assert_eq!(said.code, 1);
    expect![[r#"
        ---
        note: the journal of the store is damaged: `./.farcast/journal/SEGMENT.log`, byte 0: wrong checksum
        error: the hold `./.farcast/holds/HOLD` is damaged, so the results it protects are unknown: nothing was removed; `farcast cache verify --repair` sets the hold aside
    "#]].assert_eq(&masked(said));
    let said = verify(&["--repair"]);
    assert_eq!(said.code, 1);
    expect![[r#"
        damaged  DIGEST
        damaged  run RUN1
        damaged  run RUN2
        damaged  `./.farcast/holds/HOLD`
        damaged  `./.farcast/journal/SEGMENT.log`, byte 0: wrong checksum
        43 objects and 0 runs intact, 5 damaged, 0 missing
        ---
        note: the journal of the store is damaged: `./.farcast/journal/SEGMENT.log`, byte 0: wrong checksum
        set aside: the next run computes the results again; damaged runs and pins are lost
    "#]].assert_eq(&masked(said));
    expect![[r#"
        43 objects and 0 runs intact, 0 damaged, 0 missing
    "#]]
    .assert_eq(&printed(&verify(&[])));
    let again = folder.run(&[]);
    assert!(again["actions"]["ran"].as_u64().unwrap() > 0);
    assert_eq!(folder.farcast(&["cache", "gc"]).code, 0);
}

#[test]
fn after_a_clock_was_set_back_the_last_run_is_still_the_last() {
    let folder = Folder::with(&starter());
    folder.run(&[]);
    // The record of a run of next century.
    let record = files_below(&folder.path(".farcast/runs")).remove(0);
    let mut run: Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    run["when"] = 4_107_542_399_999_u64.into();
    let bytes = run.to_string().into_bytes();
    let digest = Digest::of(&bytes).to_string();
    let later = format!("21000228-235959999-{}", &digest[..6]);
    folder.write(&format!(".farcast/runs/{later}.json"), bytes);
    let scores = fs::read(record.with_extension("parquet")).unwrap();
    folder.write(&format!(".farcast/runs/{later}.parquet"), scores);
    for file in files_below(&folder.path(".farcast")) {
        let file = OpenOptions::new().append(true).open(file).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        file.set_modified(modified + AGE).unwrap();
    }

    folder.run(&["--set", "degree=2"]);
    let last = folder.farcast(&["show", "last"]).out;
    assert!(
        last.contains("degree=2") && last.contains("2100-03-01 00:00:00"),
        "{last}"
    );
    let before = folder.farcast(&["show", "last~1"]).out;
    assert!(before.contains(&later), "{before}");
    assert_eq!(folder.farcast(&["cache", "verify"]).code, 0);
    assert_eq!(
        folder.farcast(&["cache", "gc", "--older-than", "0"]).code,
        0
    );
    assert_eq!(folder.run(&["--set", "degree=2"])["ok"], true);
}
