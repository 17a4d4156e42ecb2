//! Killed, damaged, shared: nothing is lost and nothing wrong is used.

use std::fs;
use std::time::Duration;

use crate::farcast::{Folder, shipped};
use crate::runs::{objects, same_results};

fn starter() -> String {
    fs::read_to_string(shipped("experiments/smoke/starter.farcast")).unwrap()
}

#[test]
fn killed_at_any_moment_the_next_run_continues() {
    let text = starter();
    let whole = Folder::with(&text);
    let started = std::time::Instant::now();
    whole.run(&["--tables"]);
    let duration = started.elapsed();
    let killed = Folder::with(&text);
    // Moments spread over the whole run, each in a run that goes on from the last.
    for moment in 0..24_u32 {
        let mut child = killed.start(&["run", "it.farcast", "--quiet", "--tables"]);
        std::thread::sleep(duration / 8 + Duration::from_millis(u64::from(moment * 7 % 40)));
        let _ = child.kill();
        child.wait().unwrap();
        let verified = killed.farcast(&["cache", "verify"]);
        assert_eq!(verified.code, 0, "after kill {moment}: {verified:?}");
    }
    killed.run(&["--tables"]);
    same_results(&whole, &killed);
}

#[test]
fn killed_early_in_a_fresh_store_the_next_run_continues() {
    let text = starter();
    let whole = Folder::with(&text);
    whole.run(&["--tables"]);
    for moment in 0..12_u64 {
        let killed = Folder::with(&text);
        let mut child = killed.start(&["run", "it.farcast", "--quiet", "--tables"]);
        std::thread::sleep(Duration::from_millis(5 + 17 * moment));
        let _ = child.kill();
        child.wait().unwrap();
        killed.run(&["--tables"]);
        same_results(&whole, &killed);
    }
}

/// A sweep of a few hundred quick actions, whose results are stored together.
const QUICK: &str = "\
experiment \"Quick\"
data cloud = synthetic(linear, rows: 16)
data half = where(cloud, x > -9)
data more = derive(half, z = x + y)
data last = derive(more, q = z * 2)
sweep seeds = grid(seed: 1..=150)
";

#[test]
fn killed_while_many_results_are_stored_together_the_next_run_continues() {
    let whole = Folder::with(QUICK);
    let started = std::time::Instant::now();
    whole.run(&[]);
    let duration = started.elapsed();
    // Where the machine is too slow for many of them in a tenth of a second, there are none.
    let at_once = 450 / (duration.as_millis() / 100).max(1);
    let packs = fs::read_dir(whole.path(".farcast/packs"));
    assert!(packs.is_ok_and(|packs| packs.count() > 0) || at_once < 128);
    let cached = |folder: &Folder| {
        let said = folder.farcast(&["plan", "it.farcast", "--json"]);
        let plan: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        plan["cached"].as_u64().unwrap()
    };
    let all = cached(&whole);
    let (killed, mut before) = (Folder::with(QUICK), 0);
    for moment in 0..12_u32 {
        let mut child = killed.start(&["run", "it.farcast", "--quiet"]);
        std::thread::sleep(duration / 8 + Duration::from_millis(u64::from(moment * 13 % 70)));
        let _ = child.kill();
        child.wait().unwrap();
        let verified = killed.farcast(&["cache", "verify"]);
        assert_eq!(verified.code, 0, "after kill {moment}: {verified:?}");
        let now = cached(&killed);
        assert!(
            now >= before,
            "after kill {moment}: {now} of {before} results are left"
        );
        before = now;
    }
    killed.run(&[]);
    assert_eq!(cached(&killed), all);
    assert_eq!(objects(&killed), objects(&whole));
}

#[test]
fn a_damaged_object_is_set_aside_and_made_again() {
    let text = starter();
    let folder = Folder::with(&text);
    let first = folder.run(&[]);
    for name in objects(&folder) {
        let path = folder.path(".farcast/objects").join(&name[..2]).join(&name);
        let mut bytes = fs::read(&path).unwrap();
        if let Some(byte) = bytes.first_mut() {
            *byte ^= 0x55;
        }
        fs::write(&path, bytes).unwrap();
    }
    let verified = folder.farcast(&["cache", "verify"]);
    assert_eq!(verified.code, 1, "{verified:?}");
    let said = folder.farcast(&["run", "it.farcast", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("set aside"), "{said:?}");
    let again: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(again["scores"], first["scores"]);
}

#[test]
fn two_runs_at_once_share_a_store() {
    let text = starter();
    let alone = Folder::with(&text);
    alone.run(&[]);
    let shared = Folder::with(&text);
    let mut other = shared.start(&["run", "it.farcast", "--quiet", "--out", "other"]);
    shared.run(&[]);
    assert!(other.wait().unwrap().success());
    assert_eq!(objects(&alone), objects(&shared));
    assert_eq!(
        shared.bytes("other/scores.csv"),
        shared.bytes("out/it/scores.csv")
    );
    let verified = shared.farcast(&["cache", "verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
}
