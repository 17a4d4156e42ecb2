//! What reaches a terminal, and what happens when nothing does.

use std::fs::OpenOptions;
use std::process::Stdio;

use crate::farcast::Folder;

/// A file of a stranger, with a name and a text that a terminal would obey.
#[test]
fn text_from_files_is_escaped() {
    let folder = Folder::new();
    let name = "a\u{1b}[2Jb.csv";
    folder.write(name, "x,y\n1,2\n2,3\n");
    folder.write(
        "it.farcast",
        "data a = csv(\"a\u{1b}[2Jb.csv\")\nparent n = least_squares(a, inputs: [z\u{202e}], target: y)\n",
    );
    for args in [
        &["check", "it.farcast"][..],
        &["run", "it.farcast"],
        &["plan", "it.farcast"],
        &["run", "none\u{1b}[2J.farcast"],
        &["show", "none\u{1b}[2J"],
        &["ru\u{202e}n"],
        &["run", "it.farcast", "--jbos\u{1b}[2J"],
    ] {
        let said = folder.farcast(args);
        let text = said.out.clone() + &said.err;
        let obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(obeyed), "{args:?}: {said:?}");
        assert!(!text.is_empty(), "{args:?}");
    }
}

/// Also where the name of a file, a hint and a label of a diagnostic hold them.
#[test]
fn diagnostics_about_strange_paths_are_escaped() {
    let folder = Folder::new();
    folder.write(
        "a\u{1b}[31m.farcast",
        "data a = csv(\"b\u{1b}[1mc\")\ndata b = nothing(a)\n",
    );
    let said = folder.farcast(&["check", "a\u{1b}[31m.farcast"]);
    assert_eq!(said.code, 1);
    assert!(!said.err.contains('\u{1b}'), "{said:?}");
    assert!(said.err.contains(r"--> a\u{1b}[31m.farcast:"), "{said:?}");
}

/// An experiment of a stranger shows nobody the lines of other files.
#[test]
fn only_experiments_are_used() {
    let folder = Folder::with("use \"secret.txt\" as s\n\ndata a = synthetic(waves)\n");
    folder.write("secret.txt", "password 1234\n");
    let said = folder.farcast(&["check", "it.farcast"]);
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains("`secret.txt` is not a `.farcast` file"),
        "{said:?}"
    );
    assert!(!said.err.contains("1234"), "{said:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_printed_is_an_error() {
    let folder = Folder::new();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = folder.command(&["plugins"]);
    let said = command.stdout(Stdio::from(full)).output().unwrap();
    assert_eq!(said.status.code(), Some(1));
    let err = String::from_utf8(said.stderr).unwrap();
    assert!(
        err.starts_with("error: cannot write to standard output: "),
        "{err}"
    );
    assert_eq!(err.lines().count(), 1);
}
