//! Settings: their sources, which one wins, and the messages for mistakes.

use expect_test::{Expect, expect};

use crate::farcast::{Folder, Said, shipped};

fn config(folder: &Folder, args: &[&str], env: &[(&str, &str)]) -> Said {
    let mut all = vec!["config"];
    all.extend(args);
    folder.farcast_in(&all, env)
}

/// `farcast.toml` with this text is refused with these words.
fn refused(text: &str, expected: Expect) {
    let folder = Folder::new();
    folder.write("farcast.toml", text);
    let said = config(&folder, &[], &[]);
    assert_eq!((said.code, said.out.as_str()), (1, ""), "{said:?}");
    expected.assert_eq(&said.err.replace(&folder.real_path(), "HERE"));
}

const FILE: &str = "\
jobs = 3
out = \"results/{name}\"

[profile.quick]
jobs = 1
set = { degree = 2, words = \"[1, 2]\" }
";

#[test]
fn every_value_says_where_it_comes_from() {
    let folder = Folder::new();
    let said = config(&folder, &[], &[]);
    assert_eq!(said.err, "no farcast.toml\n");
    expect![[r#"
        store    .farcast beside farcast.toml, or beside the experiment  default
        out      out/{name}                                              default
        jobs     one per core                                            default
        color    auto                                                    default
        profile  none                                                    default
    "#]]
    .assert_eq(&said.out);
    folder.write("farcast.toml", FILE);
    let args = ["--profile", "quick", "--store", "there"];
    let said = config(&folder, &args, &[("FARCAST_COLOR", "never")]);
    expect![[r#"
        store    there                  --store
        out      HERE/results/{name}    farcast.toml:2
        jobs     1                      profile quick, farcast.toml:5
        color    never                  FARCAST_COLOR
        profile  quick                  --profile
        set      degree = 2             profile quick
        set      words = [1, 2]         profile quick
    "#]]
    .assert_eq(&shortened(&said.out, &folder));
}

/// The path of the folder as `HERE`, in columns as wide as before.
fn shortened(text: &str, folder: &Folder) -> String {
    let path = folder.real_path();
    let width = "/results/{name}  ".len() + path.len();
    text.lines()
        .map(|line| {
            let (name, rest) = line.split_at(9);
            let (value, from) = rest.split_at(width);
            let value = value.trim_end().replace(&path, "HERE");
            format!("{name}{value:21}  {from}\n")
        })
        .collect()
}

#[test]
fn the_flag_beats_the_variable_beats_the_profile_beats_the_file() {
    let folder = Folder::new();
    folder.write("farcast.toml", FILE);
    let jobs = |args: &[&str], env: &[(&str, &str)]| {
        let mut all = vec!["--json"];
        all.extend(args);
        let said = config(&folder, &all, env);
        let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        let settings = answer["settings"].as_array().unwrap();
        let jobs = settings.iter().find(|setting| setting["name"] == "jobs");
        jobs.unwrap()["value"].as_str().unwrap().to_owned()
    };
    let profile = ("FARCAST_PROFILE", "quick");
    assert_eq!(jobs(&[], &[]), "3");
    assert_eq!(jobs(&[], &[profile]), "1");
    assert_eq!(jobs(&[], &[profile, ("FARCAST_JOBS", "5")]), "5");
    assert_eq!(jobs(&["-j", "7"], &[profile, ("FARCAST_JOBS", "5")]), "7");
}

#[test]
fn a_run_obeys_the_file_above_its_experiment() {
    let folder = Folder::new();
    let starter = std::fs::read_to_string(shipped("experiments/smoke/starter.farcast")).unwrap();
    folder.write("deep/it.farcast", &starter);
    folder.write("farcast.toml", FILE.replace(", words = \"[1, 2]\"", ""));
    let run = |more: &[&str]| {
        let mut args = vec!["run", "deep/it.farcast", "--json", "--quiet"];
        args.extend(more);
        let said = folder.farcast(&args);
        assert_eq!(said.code, 0, "{said:?}");
    };
    let degree = || {
        let run: serde_json::Value =
            serde_json::from_str(&folder.read("results/it/run.json")).unwrap();
        run["params"]["degree"].as_str().unwrap().to_owned()
    };
    run(&[]);
    assert!(folder.path(".farcast/journal").exists());
    assert_eq!(degree(), "1");
    run(&["--profile", "quick"]);
    assert_eq!(degree(), "2");
    run(&["--profile", "quick", "--set", "degree=3"]);
    assert_eq!(degree(), "3");
}

#[test]
fn a_profile_of_another_experiment_is_told() {
    let folder = Folder::with("data all = synthetic(regime, rows: 4)\n");
    folder.write("farcast.toml", "[profile.quick]\nset = { degre = 2 }\n");
    let said = folder.farcast(&["plan", "it.farcast", "--profile", "quick"]);
    assert_eq!(said.code, 1);
    expect![[r#"
        error[unknown-param]: `--set`: the experiment has no param `degre`
         |
         = help: params: `seed`
        note: profile quick sets `degre=2`
    "#]]
    .assert_eq(&said.err);
}

#[test]
fn an_unknown_setting() {
    refused(
        "stor = \"x\"\n",
        expect![[r#"
            error[unknown-name]: unknown setting `stor`
             --> HERE/farcast.toml:1:1
              |
            1 | stor = "x"
              | ^^^^
              |
              = help: did you mean `store`?
              = help: settings: `store`, `out`, `jobs`, `color`, `profile`, `on`, `remote`, `plugin`, `package`, `dependencies`
        "#]],
    );
}

#[test]
fn a_shared_store_that_cannot_be() {
    refused(
        "[remote.team]\nmod = \"read\"\n[remote.\"a b\"]\nurl = \"x\"\n\
         [remote.c]\nurl = \"ftp://x\"\nmode = \"write\"\ntrust = [\"ada\", \"bob:12\", 3]\n\
         [remote.d]\nurl = \"s3://../x\"\ntrust = \"everybody\"\n",
        expect![[r#"
            error[wrong-type]: `[remote.team]` has no `url`
             --> HERE/farcast.toml:1:1
              |
            1 | [remote.team]
              | ^^^^^^^^^^^^^
              |
              = help: a folder that others reach, too, or `s3://BUCKET/PREFIX`
            error[unknown-name]: unknown setting `mod`
             --> HERE/farcast.toml:2:1
              |
            2 | mod = "read"
              | ^^^
              |
              = help: did you mean `mode`?
              = help: settings: `url`, `mode`, `trust`, `endpoint`, `region`, `credentials`
            error[wrong-type]: expected a name of letters, digits, `-` and `_`
             --> HERE/farcast.toml:3:9
              |
            3 | [remote."a b"]
              |         ^^^^^
            error[wrong-type]: expected a folder or `s3://BUCKET/PREFIX`
             --> HERE/farcast.toml:6:7
              |
            6 | url = "ftp://x"
              |       ^^^^^^^^^
            error[wrong-type]: expected `"read"` or `"read-write"`
             --> HERE/farcast.toml:7:8
              |
            7 | mode = "write"
              |        ^^^^^^^
            error[wrong-type]: expected `"NAME:KEY"`
             --> HERE/farcast.toml:8:10
              |
            8 | trust = ["ada", "bob:12", 3]
              |          ^^^^^
              |
              = help: `farcast push --key` prints the line of whoever runs it
            error[wrong-type]: expected a key of 64 hex digits, found `12`
             --> HERE/farcast.toml:8:17
              |
            8 | trust = ["ada", "bob:12", 3]
              |                 ^^^^^^^^
              |
              = help: `farcast push --key` prints the line of whoever runs it
            error[wrong-type]: expected `"NAME:KEY"`
             --> HERE/farcast.toml:8:27
              |
            8 | trust = ["ada", "bob:12", 3]
              |                           ^
              |
              = help: `farcast push --key` prints the line of whoever runs it
            error[wrong-type]: expected a bucket of 3 to 63 small letters, digits, `-` and `.` after `s3://`
              --> HERE/farcast.toml:10:7
               |
            10 | url = "s3://../x"
               |       ^^^^^^^^^^^
            error[wrong-type]: expected a list of keys, or `"writers"`
              --> HERE/farcast.toml:11:9
               |
            11 | trust = "everybody"
               |         ^^^^^^^^^^^
               |
               = help: `farcast push --key` prints the line of whoever runs it
        "#]],
    );
}

#[test]
fn a_bucket_that_cannot_be() {
    refused(
        "[remote.a]\nurl = \"s3://Lab\"\nendpoint = \"nowhere\"\n\
         [remote.b]\nurl = \"s3://lab/../x\"\n\
         [remote.c]\nurl = \"s3://lab\"\nendpoint = \"s3.example.org\"\nregion = \"e u\"\ncredentials = \"me:key\"\n\
         [remote.d]\nurl = \"shared\"\nregion = \"eu\"\n\
         [remote.e]\nurl = \"s3://lab\"\nregoin = \"eu\"\n",
        expect![[r#"
            error[wrong-type]: expected a bucket of 3 to 63 small letters, digits, `-` and `.` after `s3://`
             --> HERE/farcast.toml:2:7
              |
            2 | url = "s3://Lab"
              |       ^^^^^^^^^^
            error[wrong-type]: expected a prefix of letters, digits and `-_.=+@`, with `/` between
             --> HERE/farcast.toml:5:7
              |
            5 | url = "s3://lab/../x"
              |       ^^^^^^^^^^^^^^^
            error[wrong-type]: expected a server: `https://HOST` or `http://HOST:PORT`
             --> HERE/farcast.toml:8:12
              |
            8 | endpoint = "s3.example.org"
              |            ^^^^^^^^^^^^^^^^
            error[wrong-type]: expected a region, such as `eu-central-1`
             --> HERE/farcast.toml:9:10
              |
            9 | region = "e u"
              |          ^^^^^
            error[wrong-type]: expected `"none"` or `"instance"`
              --> HERE/farcast.toml:10:15
               |
            10 | credentials = "me:key"
               |               ^^^^^^^^
               |
               = help: without it, the environment (`AWS_ACCESS_KEY_ID` …) or the profile in `~/.aws` says them
            error[wrong-type]: `region` is for buckets: `s3://…`
              --> HERE/farcast.toml:13:1
               |
            13 | region = "eu"
               | ^^^^^^
            error[unknown-name]: unknown setting `regoin`
              --> HERE/farcast.toml:16:1
               |
            16 | regoin = "eu"
               | ^^^^^^
               |
               = help: did you mean `region`?
               = help: settings: `url`, `mode`, `trust`, `endpoint`, `region`, `credentials`
        "#]],
    );
}

#[test]
fn a_wrong_value_in_a_profile() {
    refused(
        "[profile.quick]\njobs = 0\ncolour = \"never\"\nset = { width = [8] }\n",
        expect![[r#"
            error[wrong-type]: expected a whole number from 1 to 65535, found `0`
             --> HERE/farcast.toml:2:8
              |
            2 | jobs = 0
              |        ^
            error[unknown-name]: unknown setting `colour`
             --> HERE/farcast.toml:3:1
              |
            3 | colour = "never"
              | ^^^^^^
              |
              = help: did you mean `color`?
              = help: settings: `store`, `out`, `jobs`, `color`, `set`, `on`
            error[wrong-type]: expected a number, `true`, `false` or a quoted text, found a list
             --> HERE/farcast.toml:4:17
              |
            4 | set = { width = [8] }
              |                 ^^^
              |
              = help: a text is read like the value of `--set`: `"[8, 16]"` is a list
        "#]],
    );
}

#[test]
fn a_table_that_is_none() {
    refused(
        "profile = \"quick\"\nout = 3\n",
        expect![[r#"
            error[wrong-type]: expected a table of profiles: `[profile.NAME]`, found a text
             --> HERE/farcast.toml:1:11
              |
            1 | profile = "quick"
              |           ^^^^^^^
            error[wrong-type]: expected a quoted text, found a number
             --> HERE/farcast.toml:2:7
              |
            2 | out = 3
              |       ^
        "#]],
    );
}

#[test]
fn text_that_is_not_toml() {
    refused(
        "jobs = 3\njobs = 4\nout = results\n",
        expect![[r#"
        error[syntax-error]: duplicate key
         --> HERE/farcast.toml:2:1
          |
        2 | jobs = 4
          | ^^^^
        error[syntax-error]: string values must be quoted, expected literal string
         --> HERE/farcast.toml:3:7
          |
        3 | out = results
          |       ^^^^^^^
    "#]],
    );
}

#[test]
fn a_profile_that_is_not_there() {
    let folder = Folder::new();
    let said = config(&folder, &["--profile", "quik"], &[]);
    assert_eq!(said.code, 2);
    expect![[r#"
        error: `--profile`: there is no `farcast.toml` with a profile `quik`
    "#]]
    .assert_eq(&said.err);
    folder.write("farcast.toml", FILE);
    let said = config(&folder, &[], &[("FARCAST_PROFILE", "quik")]);
    assert_eq!(said.code, 2);
    expect![[r#"
        error: `FARCAST_PROFILE`: there is no profile `quik` in `HERE/farcast.toml`
          = help: did you mean `quick`?
          = help: profiles: `quick`
    "#]]
    .assert_eq(&said.err.replace(&folder.real_path(), "HERE"));
}

#[test]
fn a_variable_that_makes_no_sense() {
    let folder = Folder::new();
    let said = config(&folder, &[], &[("FARCAST_JOBS", "many")]);
    assert_eq!(said.code, 2);
    expect![[r#"
        error: `FARCAST_JOBS`: expected a whole number from 1 to 65535, found `many`
    "#]]
    .assert_eq(&said.err);
}

#[test]
fn the_page_about_settings_names_them_all() {
    let page = std::fs::read_to_string(shipped("docs/running.md")).unwrap();
    let said = config(&Folder::new(), &["--json"], &[]);
    let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    for setting in answer["settings"].as_array().unwrap() {
        let text = |key: &str| setting[key].as_str().unwrap().to_owned();
        let row = format!("| `{}` | `--{0}` | `{}` |", text("name"), text("variable"));
        assert!(page.contains(&row), "docs/running.md lacks {row}");
    }
}
