//! Paths of any bytes, and what a run leaves in its output folder.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use serde_json::Value;

use crate::farcast::Folder;

const TINY: &str = "\
data all = csv(\"data.csv\")
parent net = mlp(all, inputs: [x], target: y, hidden: [2], steps: 2, members: 3)
score skill = compare(net, on: all)
";

const DATA: &str = "x,y\n1,2\n2,3\n3,5\n4,6\n";

fn name(bytes: &[u8]) -> OsString {
    OsStr::from_bytes(bytes).to_owned()
}

#[test]
fn paths_need_not_be_utf8() {
    let folder = Folder::new();
    let here = folder.path("").join(name(b"caf\xe9"));
    fs::create_dir(&here).unwrap();
    let file = here.join(name(b"it\xff.farcast"));
    fs::write(&file, format!("use \"more.farcast\" as more\n{TINY}")).unwrap();
    fs::write(here.join("more.farcast"), "param width: Int = 2\n").unwrap();
    fs::write(here.join("data.csv"), DATA).unwrap();
    let run = |args: &[&OsStr]| {
        let output = folder
            .command(&[])
            .args(args)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {said}");
        output.stdout
    };
    let [store, out] = [name(b"st\xfe"), name(b"o\xfd")];
    let command = [OsStr::new("run"), file.as_os_str()];
    let rest = [
        "--store".as_ref(),
        store.as_os_str(),
        "--out".as_ref(),
        &out,
        "--json".as_ref(),
    ];
    let answer: Value = serde_json::from_slice(&run(&[command, [rest[0], rest[1]]]
        .concat()
        .iter()
        .chain(&rest[2..])
        .copied()
        .collect::<Vec<_>>()))
    .unwrap();
    assert_eq!(answer["ok"], true);
    assert!(folder.path("").join(&out).join("scores.csv").exists());
    run(&["check".as_ref(), file.as_os_str()]);
    run(&["fmt".as_ref(), file.as_os_str()]);
    run(&["rerun".as_ref(), "last".as_ref(), rest[0], rest[1]]);
    run(&command);
    assert!(here.join(".farcast").is_dir());
}

/// The names of the files in the output folder.
fn files(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(folder.path("out/it")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| {
            !["report.html", "run.json", "scores.csv", "scores.parquet"].contains(&&**name)
        })
        .collect();
    names.sort();
    names
}

#[test]
fn exports_of_an_earlier_run_go() {
    let folder = Folder::with(TINY);
    folder.write("data.csv", DATA);
    folder.run(&["--weights"]);
    folder.write("out/it/mine.safetensors", "mine");
    folder.write("out/it/net.1.safetensors", "changed");
    let names = |numbers: &[u32]| {
        let names = numbers
            .iter()
            .map(|number| format!("net.{number}.safetensors"));
        let mut names: Vec<String> = names.collect();
        names.insert(0, "mine.safetensors".to_owned());
        names
    };
    assert_eq!(files(&folder), names(&[0, 1, 2]));
    // The same results without `--weights`: they are still there.
    folder.run(&[]);
    assert_eq!(files(&folder), names(&[0, 1, 2]));
    folder.write("it.farcast", TINY.replace("members: 3", "members: 1"));
    folder.run(&[]);
    assert_eq!(files(&folder), names(&[0, 1]));
}

#[test]
fn weights_of_points_never_share_a_file() {
    let text = "\
param w: String = \"a\"
data all = csv(\"data.csv\", missing: [w])
parent net = mlp(all, inputs: [x], target: y, hidden: [2], steps: 2, members: 1)
score skill = compare(net, on: all)
sweep q = grid(w: [\"a/b\", \"a_b\", \"a b\", \"a?b\", \"A_B\", \"LONG0\", \"LONG1\"])
";
    let text = text.replace("LONG", &"long".repeat(60));
    let folder = Folder::with(&text);
    folder.write("data.csv", DATA);
    folder.run(&["--weights"]);
    let mut names: Vec<String> = files(&folder)
        .iter()
        .map(|name| name.to_lowercase())
        .collect();
    names.dedup();
    assert_eq!(names.len(), 7, "{names:?}");
    assert!(names.iter().all(|name| name.len() < 230), "{names:?}");
}

#[test]
fn an_output_folder_that_cannot_be_written_is_refused_first() {
    let folder = Folder::with(TINY);
    folder.write("data.csv", DATA);
    let said = folder.farcast(&["run", "it.farcast", "--out", "/proc/out"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(
        said.err.starts_with("error: cannot write to `/proc/out`: "),
        "{said:?}"
    );
    assert!(
        !folder
            .path(".farcast/runs")
            .read_dir()
            .unwrap()
            .any(|_| true)
    );
}
