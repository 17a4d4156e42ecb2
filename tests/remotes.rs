//! Stores shared by several people: what one has computed, another uses.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use expect_test::expect;

use crate::farcast::{Folder, Said};
use crate::store::files_below;

const TEXT: &str = "\
data all = synthetic(regime, rows: 400)
parent net = mlp(all, inputs: [x], target: y, hidden: [3], epochs: 2, members: 2)
score skill = compare(net, on: all)
";

/// Another score of the same parent.
const MORE: &str = "\
data all = synthetic(regime, rows: 400)
parent net = mlp(all, inputs: [x], target: y, hidden: [3], epochs: 2, members: 2)
score skill = compare(net, on: all, metrics: [mae])
";

/// Some people, each with a project and a configuration, and the folder that they share.
struct Team(Folder);

impl Team {
    fn new() -> Self {
        let folder = Folder::new();
        fs::create_dir(folder.path("shared")).unwrap();
        Self(folder)
    }

    /// A project of somebody who shares with everybody.
    fn project(&self, who: &str) {
        self.project_with(who, "mode = \"read-write\"\ntrust = \"writers\"\n");
        self.fine(who, &["trust", "team"]);
    }

    fn project_with(&self, who: &str, settings: &str) {
        let toml = format!("[remote.team]\nurl = \"../shared\"\n{settings}");
        self.0.write(&format!("{who}/farcast.toml"), toml);
        self.0.write(&format!("{who}/it.farcast"), TEXT);
        self.0.write(&format!("{who}/more.farcast"), MORE);
    }

    fn farcast(&self, who: &str, args: &[&str]) -> Said {
        let mut command = self.0.command(args);
        command
            .current_dir(self.0.path(who))
            .env("XDG_CONFIG_HOME", self.0.path(&format!("{who}/config")))
            .env("USER", who);
        let out = command.output().unwrap();
        let here = self.0.real_path();
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            masked(&text).replace(&here, "HERE")
        };
        Said {
            code: out.status.code().unwrap_or(-1),
            out: text(out.stdout),
            err: text(out.stderr),
        }
    }

    fn fine(&self, who: &str, args: &[&str]) -> Said {
        let said = self.farcast(who, args);
        assert_eq!(said.code, 0, "{who} {args:?}: {said:?}");
        said
    }

    /// All that some commands say.
    fn talk(&self, who: &str, commands: &[&str]) -> String {
        let mut talk = String::new();
        for line in commands {
            let args: Vec<&str> = line.split(' ').collect();
            let said = self.farcast(who, &args);
            talk += &format!("$ farcast {line}\n{}{}", said.out, said.err);
            if said.code != 0 {
                talk += &format!("[{}]\n", said.code);
            }
        }
        talk
    }

    /// How many actions a run runs, and how many it finds.
    fn run(&self, who: &str, file: &str) -> (u64, u64) {
        self.run_with(who, &["run", file, "--json", "--quiet"])
    }

    fn run_with(&self, who: &str, args: &[&str]) -> (u64, u64) {
        let said = self.fine(who, args);
        let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        let count = |what: &str| answer["actions"][what].as_u64().unwrap();
        (count("ran"), count("cached"))
    }

    fn shared(&self, folder: &str) -> Vec<PathBuf> {
        files_below(&self.0.path(&format!("shared/{folder}")))
    }

    fn scores(&self, who: &str) -> Vec<u8> {
        self.0.bytes(&format!("{who}/out/it/scores.parquet"))
    }
}

/// The text with `KEY` for every key or digest.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        let (before, from) = rest.split_at(at);
        let end = from.find(|c: char| !c.is_ascii_hexdigit());
        let (word, after) = from.split_at(end.unwrap_or(from.len()));
        masked += before;
        masked += if word.len() == 64 { "KEY" } else { word };
        rest = after;
    }
    masked + rest
}

#[test]
fn what_one_has_pushed_another_does_not_compute() {
    let team = Team::new();
    team.project("ada");
    team.project("bob");
    assert_eq!(team.run("ada", "it.farcast"), (4, 0));
    let talk = team.talk(
        "ada",
        &[
            "push it.farcast --dry-run",
            "push it.farcast",
            "push last",
            "push --key",
        ],
    );
    expect![[r#"
        $ farcast push it.farcast --dry-run
        would push 4 results to `team`, 10 files, 31.7 kB; 0 were there
        $ farcast push it.farcast
        pushed 4 results to `team`, 10 files, 31.7 kB; 0 were there
        $ farcast push last
        pushed 0 results to `team`, 0 files, 0 B; 4 were there
        $ farcast push --key
        ada:KEY
    "#]]
    .assert_eq(&talk);
    // Planning asks nobody, so it does not know yet what is there.
    assert!(
        team.fine("bob", &["plan", "it.farcast"])
            .out
            .ends_with("4 to run, 0 cached\n")
    );
    assert_eq!(team.run("bob", "it.farcast"), (0, 4));
    assert_eq!(team.scores("ada"), team.scores("bob"));
    // Of what nothing has read, only the record is known here.
    let talk = team.talk("bob", &["plan it.farcast", "plan more.farcast"]);
    expect![[r#"
        $ farcast plan it.farcast
        all     synthetic  cached  in `team`
        net[0]  mlp        cached  in `team`
        net[1]  mlp        cached  in `team`
        skill   compare    cached
        `net` is trained by fan_out
        0 to run, 4 cached, 3 of them in shared stores
        $ farcast plan more.farcast
        all     synthetic  cached  in `team`
        net[0]  mlp        cached  in `team`
        net[1]  mlp        cached  in `team`
        skill   compare    run     `metrics` was ["rmse", "mae", "bias"], is ["mae"]
        `net` is trained by fan_out
        1 to run, 3 cached, 3 of them in shared stores
    "#]]
    .assert_eq(&talk);
    let said = team.fine("bob", &["cache", "ls"]).out;
    assert_eq!(
        said.lines().last(),
        Some(
            "shared: `team` has 4 results in 1 segment, 3 of them not here, 13.4 kB; listed just now"
        )
    );
    assert_eq!(team.run("bob", "more.farcast"), (1, 3));
    // What was fetched is here now, whatever becomes of the place.
    fs::rename(team.0.path("shared"), team.0.path("gone")).unwrap();
    fs::remove_dir_all(team.0.path("bob/out")).unwrap();
    let said = team.fine("bob", &["run", "it.farcast", "--quiet"]);
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    assert_eq!(team.scores("ada"), team.scores("bob"));
}

#[test]
fn nobody_s_results_are_used_without_being_asked_for() {
    let team = Team::new();
    team.project("ada");
    team.run("ada", "it.farcast");
    team.fine("ada", &["push", "it.farcast"]);
    // Trusts nobody but herself.
    team.project_with("eve", "");
    let talk = team.talk("eve", &["trust", "trust team", "trust", "trust tem"]);
    expect![[r#"
        $ farcast trust
        team  HERE/eve/../shared  not used
        $ farcast trust team
        results may come from `team`: `HERE/eve/../shared`, until its address or its `trust` changes
        $ farcast trust
        team  HERE/eve/../shared  used
        $ farcast trust tem
        error: `./farcast.toml` describes no plugin or shared store `tem`; did you mean `team`?
        [1]
    "#]]
    .assert_eq(&talk);
    team.fine("eve", &["trust", "team", "--withdraw"]);
    let said = team.fine("eve", &["run", "it.farcast", "--quiet"]);
    expect![[r#"
        note: `team` is not used: `farcast trust team` lets results come from `HERE/eve/../shared`
    "#]]
    .assert_eq(&said.err);
    team.fine("eve", &["trust", "team"]);
    fs::remove_dir_all(team.0.path("eve/.farcast")).unwrap();
    let said = team.fine("eve", &["run", "it.farcast", "--quiet"]);
    expect![[r#"
        note: 1 segment is not used of `team`: the key KEY is not in its `trust`
    "#]]
    .assert_eq(&said.err);
    assert_eq!(team.run("eve", "it.farcast"), (0, 4));
    // Trusts Ada's key; what she agrees to has changed, so she is asked again.
    let mut key = team.0.command(&["push", "--key"]);
    key.env("XDG_CONFIG_HOME", team.0.path("ada/config"));
    let key = String::from_utf8(key.output().unwrap().stdout).unwrap();
    let key = key.trim().split(':').next_back().unwrap();
    team.project_with("eve", &format!("trust = [\"ada:{key}\"]\n"));
    fs::remove_dir_all(team.0.path("eve/.farcast")).unwrap();
    let said = team.fine("eve", &["run", "it.farcast", "--quiet"]);
    assert!(said.err.contains("`team` is not used"), "{}", said.err);
    fs::remove_dir_all(team.0.path("eve/.farcast")).unwrap();
    assert_eq!(
        team.run_with(
            "eve",
            &["run", "it.farcast", "--json", "--quiet", "--trust"]
        ),
        (0, 4)
    );
}

#[test]
fn what_is_away_damaged_or_missing_is_computed_here() {
    let team = Team::new();
    team.project("ada");
    team.run("ada", "it.farcast");
    team.fine("ada", &["push", "it.farcast"]);
    // Damaged, as a disk or somebody may do it.
    for file in team.shared("objects") {
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::remove_file(&file).unwrap();
        fs::write(&file, bytes).unwrap();
    }
    team.project("bob");
    assert_eq!(team.run("bob", "it.farcast"), (4, 0));
    assert_eq!(team.scores("ada"), team.scores("bob"));
    // Who found the damage mends it.
    expect![[r#"
        $ farcast push it.farcast
        note: 4 damaged files of `team` are mended
        pushed 0 results to `team`, 4 files, 29.6 kB; 4 were there
        $ farcast push it.farcast
        pushed 0 results to `team`, 0 files, 0 B; 4 were there
    "#]]
    .assert_eq(&team.talk("bob", &["push it.farcast", "push it.farcast"]));
    team.project("cid");
    assert_eq!(team.run("cid", "it.farcast"), (0, 4));
    for file in team.shared("objects") {
        fs::remove_file(file).unwrap();
    }
    team.project("dan");
    assert_eq!(team.run("dan", "it.farcast"), (4, 0));
    fs::rename(team.0.path("shared"), team.0.path("gone")).unwrap();
    team.project("eli");
    let said = team.fine("eli", &["run", "it.farcast", "--quiet"]);
    expect![[r#"
        note: `team` is away, and not looked at: `HERE/eli/../shared`: it does not exist; whoever shares it makes the folder
    "#]].assert_eq(&said.err);
    assert_eq!(team.scores("ada"), team.scores("eli"));
}

#[test]
fn killed_and_parallel_pushes_lose_nothing() {
    let team = Team::new();
    team.project("ada");
    team.project("bob");
    team.run("ada", "it.farcast");
    team.run("bob", "more.farcast");
    thread::scope(|scope| {
        scope.spawn(|| team.fine("ada", &["push", "--all"]));
        scope.spawn(|| team.fine("bob", &["push", "--all"]));
    });
    assert_eq!(team.shared("segments").len(), 2);
    assert!(team.shared("tmp").is_empty());
    team.project("cid");
    assert_eq!(team.run("cid", "it.farcast"), (0, 4));
    assert_eq!(team.run("cid", "more.farcast"), (0, 4));
    // Killed before the segment: the objects are found again.
    for file in team.shared("segments") {
        fs::remove_file(file).unwrap();
    }
    let said = team.fine("ada", &["push", "--all", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (&answer["records"], &answer["objects"]),
        (&4.into(), &0.into())
    );
    assert_eq!(team.run("cid", "it.farcast"), (0, 4));
}

#[test]
fn workers_read_what_the_run_has_fetched_for_them() {
    let team = Team::new();
    team.project("ada");
    team.run("ada", "it.farcast");
    team.fine("ada", &["push", "it.farcast"]);
    team.project("bob");
    let args = [
        "run",
        "more.farcast",
        "--json",
        "--quiet",
        "--executor",
        "processes",
    ];
    assert_eq!(team.run_with("bob", &args), (1, 3));
}

#[test]
fn what_no_segment_names_is_removed_after_a_week() {
    let team = Team::new();
    team.project("ada");
    team.run("ada", "it.farcast");
    team.fine("ada", &["push", "it.farcast"]);
    let name = "ab".repeat(32);
    for (file, days) in [
        (format!("objects/ab/{name}"), 8),
        (format!("objects/ac/{name}"), 6),
    ] {
        team.0.write(&format!("shared/{file}"), "forgotten");
        age(&team.0.path(&format!("shared/{file}")), days);
    }
    for file in team.shared("objects") {
        if !file.ends_with(&name) {
            age(&file, 30);
        }
    }
    let before = team.shared("objects").len();
    let talk = team.talk(
        "ada",
        &["cache gc --remote team --dry-run", "cache gc --remote team"],
    );
    expect![[r#"
        $ farcast cache gc --remote team --dry-run
        would remove 1 file, 9 B, from `team`
        $ farcast cache gc --remote team
        removed 1 file, 9 B, from `team`
    "#]]
    .assert_eq(&talk);
    assert_eq!(team.shared("objects").len(), before - 1);
    team.project("bob");
    assert_eq!(team.run("bob", "it.farcast"), (0, 4));
    // While nobody knows what a segment names, nothing is removed.
    let segment = team.shared("segments").pop().unwrap();
    fs::remove_file(&segment).unwrap();
    fs::write(&segment, "damaged").unwrap();
    age(&team.0.path(&format!("shared/objects/ac/{name}")), 8);
    let talk = team.talk("ada", &["cache gc --remote team"]);
    let file = segment.file_name().unwrap().to_str().unwrap();
    expect![[r#"
        $ farcast cache gc --remote team
        error: `segments/SEGMENT` of `team` is damaged, so what it names is unknown: nothing is removed; remove that file if nobody can mend it
        [1]
    "#]].assert_eq(&talk.replace(&masked(file), "SEGMENT"));
}

/// Makes a file as old as if nobody had touched it for days.
fn age(file: &std::path::Path, days: u64) {
    let sealed = fs::metadata(file).unwrap().permissions();
    let mut open = sealed.clone();
    #[expect(
        clippy::permissions_set_readonly_false,
        reason = "in a folder of the test"
    )]
    open.set_readonly(false);
    fs::set_permissions(file, open).unwrap();
    let opened = fs::File::options().append(true).open(file).unwrap();
    let now = opened.metadata().unwrap().modified().unwrap();
    opened
        .set_modified(now - Duration::from_secs(days * 24 * 3600))
        .unwrap();
    fs::set_permissions(file, sealed).unwrap();
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let team = Team::new();
    team.project_with("ada", "");
    team.run("ada", "it.farcast");
    let mut talk = team.talk(
        "ada",
        &["push", "push it.farcast", "push it.farcast --to temp"],
    );
    team.project("ada");
    team.0.write("shared/thesis.tex", "");
    talk += &team.talk("ada", &["push it.farcast"]);
    fs::remove_dir_all(team.0.path("shared")).unwrap();
    talk += &team.talk("ada", &["push it.farcast", "cache gc --remote team"]);
    fs::create_dir(team.0.path("shared")).unwrap();
    team.0.write("shared/farcast-remote", "2\n");
    talk += &team.talk("ada", &["push it.farcast"]);
    expect![[r#"
        $ farcast push
        error: the following required arguments were not provided:
          <WHAT>...

        Usage: farcast push <WHAT>...

        For more information, try '--help'.
        [2]
        $ farcast push it.farcast
        error: `team` is only read from here
          = help: `mode = "read-write"` in `[remote.team]` of farcast.toml changes that
        [1]
        $ farcast push it.farcast --to temp
        error: there is no shared store `temp` in farcast.toml
          = help: shared stores: `team`
        [2]
        $ farcast push it.farcast
        error: `HERE/ada/../shared`: it is not a shared store: `thesis.tex` is in it
        [1]
        $ farcast push it.farcast
        error: `HERE/ada/../shared`: it does not exist; whoever shares it makes the folder
        [1]
        $ farcast cache gc --remote team
        error: `HERE/ada/../shared`: it does not exist; whoever shares it makes the folder
        [1]
        $ farcast push it.farcast
        error: `HERE/ada/../shared`: it has the layout `2`, and this farcast knows `1`
        [1]
    "#]]
    .assert_eq(&talk);
}

/// `tests/remotes/s3.sh` has a server.
#[test]
fn a_bucket_that_cannot_be_used_is_a_note() {
    let team = Team::new();
    team.project("ada");
    let toml = "[remote.team]\nurl = \"s3://lab/farcast\"\nmode = \"read-write\"\n";
    team.0.write("ada/farcast.toml", toml);
    let say = |args: &[&str]| {
        let mut command = team.0.command(args);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        let home = team.0.path("ada/home");
        command
            .current_dir(team.0.path("ada"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("HOME", home);
        let out = command.output().unwrap();
        (out.status.success(), String::from_utf8(out.stderr).unwrap())
    };
    let why = match cfg!(feature = "remote") {
        true => {
            "no credentials: set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or `AWS_PROFILE` to a profile \
             with keys; `credentials = \"none\"` is for a public bucket"
        }
        false => {
            "this farcast is built without buckets; the published ones have them, and `--features remote` \
             builds one: docs/installing.md"
        }
    };
    let note = format!("note: `team` is away, and not looked at: `s3://lab/farcast`: {why}\n");
    let run = say(&["run", "it.farcast", "--quiet", "--trust"]);
    assert_eq!(run, (true, note));
    let refused = format!("error: `s3://lab/farcast`: {why}\n");
    assert_eq!(say(&["push", "it.farcast"]), (false, refused));
}

#[cfg(unix)]
#[test]
fn a_group_shares_folders_and_nobody_changes_files() {
    use std::os::unix::fs::PermissionsExt;
    let team = Team::new();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let shared = team.0.path("shared");
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o2775)).unwrap();
    team.project("ada");
    team.run("ada", "it.farcast");
    team.fine("ada", &["push", "it.farcast"]);
    assert_eq!(mode(shared.clone()), 0o2775);
    assert_eq!(mode(shared.join("segments")), 0o2775);
    let object = team.shared("objects").pop().unwrap();
    assert_eq!(mode(object.parent().unwrap().to_owned()), 0o2775);
    assert_eq!(mode(object), 0o444);
}
