//! Plugins of one's own: programs in other languages behind the same statements.

use std::fs;
use std::process::Command;

use engine::digest::Digest;
use engine::store::{Access, DirStore, Store};

use crate::farcast::{Folder, Said, shipped};

const TALLY: &str = "\
# Counts rows.
plugin tally(data: data, weight: Float = 1 in 0..=10) = score from \"tally\"

data all = synthetic(regime, rows: 400)
score count = tally(all, weight: 2.5)
";

const TALLY_TOML: &str = "\
[plugin.tally]
run = [\"sh\", \"tally.sh\"]
files = [\"tally.sh\"]
";

/// A folder with an experiment, `farcast.toml` and programs of `tests/plugins`.
pub fn folder(text: &str, toml: &str, programs: &[&str]) -> Folder {
    let folder = Folder::with(text);
    folder.write("farcast.toml", toml);
    for program in programs {
        let content = fs::read(shipped(&format!("tests/plugins/{program}"))).unwrap();
        folder.write(program, content);
    }
    folder
}

/// Runs the program with a configuration of its own.
pub fn farcast(folder: &Folder, args: &[&str]) -> Said {
    let config = folder.path("config");
    folder.farcast_in(args, &[("XDG_CONFIG_HOME", config.to_str().unwrap())])
}

pub fn run(folder: &Folder, args: &[&str]) -> serde_json::Value {
    let all = [&["run", "it.farcast", "--json", "--quiet", "--trust"], args].concat();
    let said = farcast(folder, &all);
    assert_eq!(said.code, 0, "{said:?}");
    serde_json::from_str(&said.out).unwrap()
}

fn records(folder: &Folder) -> Vec<(String, Vec<String>, Digest)> {
    let store = DirStore::open(&folder.path(".farcast"), Access::Read).unwrap();
    let records = store.records().all().into_iter();
    let mut found: Vec<_> = records
        .map(|record| (record.plugin().to_owned(), record.notes.clone(), record.key))
        .collect();
    found.sort();
    found
}

#[test]
fn a_plugin_in_sh_is_declared_checked_run_and_cached() {
    let folder = folder(TALLY, TALLY_TOML, &["tally.sh"]);
    assert_eq!(farcast(&folder, &["check", "it.farcast"]).code, 0);
    let first = run(&folder, &[]);
    let score = &first["scores"][0];
    assert_eq!(score["metric"], "rows");
    assert_eq!(score["value"], 1000.0);
    assert_eq!(score["model"], "all");
    assert_eq!(first["actions"]["ran"], 2);
    let again = run(&folder, &[]);
    assert_eq!(again["actions"]["cached"], 2);
    assert_eq!(again["scores"], first["scores"]);
    let notes = records(&folder)
        .into_iter()
        .find(|it| it.0 == "tally")
        .unwrap()
        .1;
    assert_eq!(notes, ["counted by sh"]);
    let other = run(&folder, &["--executor", "processes", "--store", "other"]);
    assert_eq!(other["scores"], first["scores"]);
    // The program changes: so does the key, and `plan` names the file.
    let text = folder.read("tally.sh");
    folder.write("tally.sh", text.replace("rows * ", "rows + "));
    let plan = farcast(&folder, &["plan", "it.farcast"]);
    assert!(plan.out.contains("`tally.sh` changed"), "{plan:?}");
    assert_eq!(run(&folder, &[])["scores"][0]["value"], 402.5);
}

#[test]
fn a_bundle_has_the_programs_of_the_plugins_that_no_package_brings() {
    let here = folder(TALLY, TALLY_TOML, &["tally.sh"]);
    let first = run(&here, &[]);
    let pack = ["pack", "last", "-o", "it.zip"];
    assert_eq!(farcast(&here, &pack).code, 0);
    let opened = farcast(&here, &["open", "it.zip", "there"]);
    let wants = "  plugin tally, which runs `sh tally.sh` if you trust it\n";
    assert!(opened.err.contains(wants), "{opened:?}");
    assert_eq!(
        here.read("there/experiment/farcast.toml"),
        TALLY_TOML
            .replace("[plugin.tally]", "[plugin.\"tally\"]")
            .replace(
                "run = [\"sh\", \"tally.sh\"]\nfiles = [\"tally.sh\"]",
                "run = [\"sh\",\"tally.sh\"]\nfiles = [\"tally.sh\"]"
            )
    );
    let elsewhere = Folder::with("");
    let rerun = ["rerun", "--fresh", here.path("there").to_str().unwrap()].map(str::to_owned);
    let rerun: Vec<&str> = rerun.iter().map(String::as_str).collect();
    let refused = farcast(&elsewhere, &rerun);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("not trusted"), "{refused:?}");
    let trusted = [&rerun[..], &["--trust", "--json"]].concat();
    let again = farcast(&elsewhere, &trusted);
    assert_eq!(again.code, 0, "{again:?}");
    let again: serde_json::Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!((&again["same"], &again["ok"]), (&true.into(), &true.into()));
    assert_eq!(first["ok"], true);
    // The store of the bundle is that of its project, not of the folder with the program.
    let plan = ["plan", "there/experiment/it.farcast"];
    assert_eq!(farcast(&here, &plan).code, 0);
    assert!(!here.path("there/experiment/.farcast").exists());
    // A program that changed since the run is not its program.
    let text = here.read("tally.sh");
    here.write("tally.sh", format!("{text}# changed\n"));
    let refused = farcast(&here, &pack);
    let why = "plugin `tally` is not what the run ran: it changed since";
    assert!(
        refused.code == 1 && refused.err.contains(why),
        "{refused:?}"
    );
}

#[test]
fn nothing_runs_before_it_is_trusted() {
    let folder = folder(TALLY, TALLY_TOML, &["tally.sh"]);
    let refused = farcast(&folder, &["run", "it.farcast"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    let wants = "plugin `tally` wants to run a program that is not trusted: `sh tally.sh`";
    assert!(refused.err.contains(wants), "{refused:?}");
    assert!(refused.err.contains("farcast trust tally"), "{refused:?}");
    // Nothing has started: there is no result of any action.
    let store = DirStore::open(&folder.path(".farcast"), Access::Read).unwrap();
    assert!(store.records().all().is_empty());
    assert_eq!(farcast(&folder, &["trust", "tall"]).code, 1);
    assert_eq!(farcast(&folder, &["trust", "tally"]).code, 0);
    assert_eq!(farcast(&folder, &["run", "it.farcast"]).code, 0);
    // What is all there needs no trust; a program that changed needs it again.
    let text = folder.read("tally.sh");
    folder.write("tally.sh", format!("{text}# changed\n"));
    assert_eq!(farcast(&folder, &["run", "it.farcast"]).code, 1);
    folder.write("tally.sh", text);
    assert_eq!(farcast(&folder, &["trust", "tally", "--withdraw"]).code, 0);
    let cached = farcast(&folder, &["run", "it.farcast"]);
    assert_eq!(cached.code, 0, "{cached:?}");
}

#[test]
fn a_fault_of_the_user_points_at_the_argument() {
    let folder = folder(&TALLY.replace("2.5", "7"), TALLY_TOML, &["tally.sh"]);
    let said = farcast(&folder, &["run", "it.farcast", "--trust"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("seven is not a weight"), "{said:?}");
    assert!(said.err.contains("it.farcast:5:34"), "{said:?}");
    assert!(said.err.contains("take six"), "{said:?}");
}

/// The first diagnostic of `check`.
fn mistake(toml: Option<&str>, programs: &[&str]) -> String {
    let folder = Folder::with(TALLY);
    if let Some(toml) = toml {
        folder.write("farcast.toml", toml);
    }
    for program in programs {
        folder.write(program, "");
    }
    let said = farcast(&folder, &["check", "it.farcast", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(answer["diagnostics"][0]["line"], 2, "{said:?}");
    answer["diagnostics"][0]["message"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn check_finds_programs_that_cannot_be_run() {
    assert_eq!(
        mistake(None, &[]),
        "there is no `farcast.toml`, which says how it is run"
    );
    assert_eq!(
        mistake(Some("[plugin.taly]\nrun = [\"sh\"]\n"), &[]),
        "`farcast.toml` has no `[plugin.tally]`"
    );
    assert_eq!(
        mistake(Some("[plugin.tally]\nrn = [\"sh\"]\n"), &[]),
        "`farcast.toml`, line 2, `[plugin.tally]`: unknown key `rn`"
    );
    assert_eq!(
        mistake(Some("[plugin.tally]\nfiles = [\"a\"]\nrun = \"sh\"\n"), &[]),
        "`farcast.toml`, line 3, `[plugin.tally]`: `run`: expected a list, found \"sh\""
    );
    assert_eq!(
        mistake(Some("[plugin.tally]\ntimeout = -1\n"), &[]),
        "`farcast.toml`, line 2, `[plugin.tally]`: `timeout`: expected a whole number from 0, found `-1`"
    );
    assert_eq!(
        mistake(Some("[plugin.tally]\nidentity = \"file\"\n"), &[]),
        "`farcast.toml`, line 2, `[plugin.tally]`: `identity`: expected `files` or `version`, found `file`"
    );
    assert_eq!(
        mistake(Some("[plugin]\ntally = 3\n"), &[]),
        "`farcast.toml`, line 2, `[plugin.tally]`: expected a table"
    );
    let at = "`[plugin.tally]` in `farcast.toml`: ";
    let toml = |run: &str| format!("[plugin.tally]\nrun = [\"{run}\"]\nfiles = [\"*.sh\"]\n");
    assert_eq!(
        mistake(Some(&toml("no-such-program")), &["a.sh"]),
        format!("{at}there is no program `no-such-program`")
    );
    let plain = mistake(Some(&toml("./a.sh")), &["a.sh"]);
    assert!(plain.ends_with("is not executable"), "{plain}");
    assert_eq!(
        mistake(Some(&toml("sh")), &[]),
        format!("{at}`files`: no file matches `*.sh`")
    );
    assert_eq!(
        mistake(Some("[plugin.tally]\nrun = [\"sh\"]\n"), &[]),
        format!("{at}`files` is missing: what the program is made of")
    );
    let uv = "[plugin.tally]\nrun = [\"{python}\"]\npython = \"uv\"\nfiles = [\"a\"]\n";
    assert!(mistake(Some(uv), &["a"]).contains("`python`: there is no `"));
}

const PLAIN: &str = "\
plugin level(data: data, by: Column) = data from \"level\", columns: like data, adds: \"level [m]\"
plugin thirds(data: data) = subset from \"thirds\"
plugin drawn(data: data, count: Int = 2) = score from \"drawn\", random, members: count
plugin square(of: Column) = predictor from \"square\"

data all = synthetic(regime, rows: 300)
data marked = level(all, by: z)
data low = where(marked, level < 500 mm)
parent net = mlp(low, inputs: [x, level], target: y, epochs: 2, members: 2)
subset parts = thirds(marked)
anomaly shift = finetune(net, parts, steps: 5)
child moved = apply(ols(shift, square(z)), marked)
child expected = apply(ols(shift, expr(z * z)), marked)
score skill = compare(net, moved, expected, on: marked, metrics: [rmse])
score chance = drawn(all)
";

#[test]
fn plugins_in_python_without_numpy_make_data_subsets_and_scores_for_built_in_ones() {
    let python = Command::new("python3").arg("--version").output();
    if !python.is_ok_and(|it| it.status.success()) {
        return;
    }
    let entry = |name: &str| {
        format!("[plugin.{name}]\nrun = [\"python3\", \"plain.py\"]\nfiles = [\"plain.py\"]\n")
    };
    let toml = ["level", "thirds", "drawn", "square"].map(entry).concat();
    let folder = folder(PLAIN, &toml, &["plain.py"]);
    let first = run(&folder, &["--jobs", "1"]);
    let parallel = run(
        &folder,
        &["--jobs", "4", "--store", "b", "--executor", "processes"],
    );
    assert_eq!(first["scores"], parallel["scores"]);
    let rmse = |model: &str| {
        let scores = first["scores"].as_array().unwrap().iter();
        let mut scores = scores.filter(|it| it["model"] == model && it["member"] == "mean");
        scores.next().unwrap()["value"].as_f64().unwrap()
    };
    assert_eq!(rmse("moved"), rmse("expected"));
    let drawn = |answer: &serde_json::Value| -> Vec<f64> {
        let scores = answer["scores"].as_array().unwrap().iter();
        let scores = scores.filter(|score| score["metric"] == "drawn" && score["member"] != "mean");
        scores.filter_map(|score| score["value"].as_f64()).collect()
    };
    let values = drawn(&first);
    assert_eq!(values.len(), 2, "{first}");
    assert_ne!(values[0], values[1]);
    folder.write("it.farcast", format!("seed = 5\n{PLAIN}"));
    assert_ne!(drawn(&run(&folder, &[])), values);
}

/// A Python with numpy, when there is one.
fn numpy() -> Option<String> {
    let named = std::env::var("FARCAST_TEST_PYTHON").ok();
    let python = named.unwrap_or_else(|| "python3".to_owned());
    let has = Command::new(&python).args(["-c", "import numpy"]).output();
    has.is_ok_and(|it| it.status.success()).then_some(python)
}

const WEIGHTS: &str = "\
plugin halfway(parent: parent, other: parent) = child from \"halfway\"
plugin onward(
    trajectory: All(trajectory),
    horizon: List(Int),
    until: Int,
    wrong: nothing | horizon | layout = nothing,
) = farcast from \"onward\"

data all = synthetic(regime, rows: 300)
parent net = mlp(all, inputs: [x], target: y, epochs: 6, members: 2)
parent more = mlp(all, inputs: [x], target: y, epochs: 9, members: 2)
trajectory path = record(net, every: 4 steps)
child middle = halfway(net, other: more)
farcast ours = onward(path, horizon: [20, 24], until: 16)
farcast theirs = linear(path, observe: [12, 16], horizon: [20, 24])
child grown = adopt(ours, horizon: 24)
child expected = adopt(theirs, horizon: 24)
score skill = compare(net, more, middle, grown, expected, on: all, metrics: [rmse])
score ahead = forecast_error(ours, theirs, truth: path, on: [0, 1], metrics: [mse])
";

#[test]
fn children_and_farcasts_of_a_program_stand_beside_built_in_ones() {
    let python = Command::new("python3").arg("--version").output();
    if !python.is_ok_and(|it| it.status.success()) {
        return;
    }
    let entry = |name: &str| {
        format!("[plugin.{name}]\nrun = [\"python3\", \"plain.py\"]\nfiles = [\"plain.py\"]\n")
    };
    let toml = ["halfway", "onward"].map(entry).concat();
    let folder = folder(WEIGHTS, &toml, &["plain.py"]);
    let answer = run(&folder, &["--weights"]);
    let value = |model: &str, metric: &str| {
        let scores = answer["scores"].as_array().unwrap().iter();
        let mut scores = scores
            .filter(|it| it["model"] == model && it["metric"] == metric && it["group"].is_null());
        scores.next().unwrap()["value"].as_f64().unwrap()
    };
    let (grown, expected) = (value("grown", "rmse"), value("expected", "rmse"));
    assert!(
        (grown - expected).abs() < 1e-5 * expected,
        "{grown} {expected}"
    );
    let (ours, theirs) = (value("ours", "mse"), value("theirs", "mse"));
    assert!((ours - theirs).abs() < 1e-4 * theirs, "{ours} {theirs}");
    assert_ne!(value("middle", "rmse"), value("net", "rmse"));
    let other = run(
        &folder,
        &["--store", "b", "--executor", "processes", "--jobs", "2"],
    );
    assert_eq!(other["scores"], answer["scores"]);
    for (wrong, expected) in [
        (
            "horizon",
            "is not of kind `farcast`: no row of member 1 at horizon 24",
        ),
        (
            "layout",
            "is not of kind `farcast`: `layout` is not that of `trajectory`",
        ),
    ] {
        let text = WEIGHTS.replace("until: 16", &format!("until: 16, wrong: {wrong}"));
        folder.write("it.farcast", text);
        let said = farcast(&folder, &["run", "it.farcast", "--trust"]);
        assert!(said.err.contains(expected), "{said:?}");
    }
}

const HUBER: &str = "\
plugin huber(shift: anomaly, regime: predictor, delta: Float = 1.35 in 0..=100) = regression from \"huber\"
plugin drift(parent: parent, subsets: subset, size: Float = 0.1) = anomaly from \"drift\", random

data all = synthetic(regime, rows: 600, slope: 2)
data near = where(all, z < 0.6)
parent net = mlp(near, inputs: [x], target: y, epochs: 5, members: 2)
subset some = window(near, by: z, count: 12, size: 60)
anomaly shift = finetune(net, some, steps: 20)
predictor regime = columns(z)
child ours = apply(ols(shift, regime), all)
child theirs = apply(huber(shift, regime, delta: 100), all)
child robust = apply(huber(shift, regime), all)
child random = apply(ols(drift(net, some), regime), all)
score skill = compare(net, ours, theirs, robust, random, on: all, metrics: [rmse])
";

#[test]
fn a_regression_in_numpy_agrees_with_the_built_in_one() {
    let Some(python) = numpy() else {
        return;
    };
    let entry = |name: &str| {
        format!(
            "[plugin.{name}]\nrun = [\"{{python}}\", \"huber.py\"]\npython = \"{python}\"\nfiles = [\"huber.py\"]\n"
        )
    };
    let toml = ["huber", "drift"].map(entry).concat();
    let folder = folder(HUBER, &toml, &["huber.py"]);
    let answer = run(&folder, &[]);
    let value = |model: &str| {
        let scores = answer["scores"].as_array().unwrap().iter();
        let mut scores = scores
            .filter(|it| it["model"] == model && it["member"] == "mean" && it["group"].is_null());
        scores.next().unwrap()["value"].as_f64().unwrap()
    };
    let (ours, theirs) = (value("ours"), value("theirs"));
    assert!((ours - theirs).abs() < 1e-6 * ours, "{ours} {theirs}");
    assert!((ours - value("robust")).abs() > 1e-6 * ours);
    let other = run(
        &folder,
        &["--store", "b", "--executor", "processes", "--jobs", "2"],
    );
    assert_eq!(other["scores"], answer["scores"]);
    let wrong = HUBER.replace("delta: 100", "delta: 0.001");
    folder.write("it.farcast", wrong);
    let said = farcast(&folder, &["run", "it.farcast", "--trust"]);
    assert!(
        said.err.contains("expected at least 0.01, found 0.001"),
        "{said:?}"
    );
}

const NETWORK: &str = "\
# A multilayer perceptron in numpy.
plugin mine(
    data: data,
    inputs: List(Column),
    target: Column,
    hidden: List(Int) = [6],
    steps: Int = 300 in 1..,
    members: Int = 1 in 1..,
    twin?: parent,
) = parent from \"mine\", random, members: members

data all = synthetic(regime, rows: 400, slope: 2)
data near = where(all, z < 0.6)
parent net = mlp(near, inputs: [x], target: y, hidden: [6], epochs: 30, members: 2)
parent same = mine(near, inputs: [x], target: y, members: 2, twin: net)
parent own = mine(near, inputs: [x], target: y, members: 2)
subset some = window(near, by: z, count: 6, size: 40)
anomaly shift = finetune(own, some, steps: 3)
child moved = apply(ols(shift, columns(z)), all)
score skill = compare(net, on: all, metrics: [rmse])
score again = compare(same, on: all, metrics: [rmse])
trajectory path = record(own, every: 100 steps)
farcast ahead = linear(path, observe: [100, 200], horizon: [300])
child foretold = adopt(ahead, horizon: 300)
score ours = compare(own, moved, foretold, on: all, metrics: [rmse])
";

#[test]
fn a_network_of_ones_own_runs_everywhere_a_built_in_one_does() {
    let Some(python) = numpy() else {
        return;
    };
    let toml = format!(
        "[plugin.mine]\nrun = [\"{{python}}\", \"mlp.py\"]\npython = \"{python}\"\nfiles = [\"mlp.py\"]\n"
    );
    let folder = folder(NETWORK, &toml, &["mlp.py"]);
    let answer = run(&folder, &["--jobs", "2", "--weights"]);
    let value = |model: &str, member: &str| {
        let scores = answer["scores"].as_array().unwrap().iter();
        let mut scores = scores
            .filter(|it| it["model"] == model && it["member"] == member && it["group"].is_null());
        scores.next().unwrap()["value"].as_f64().unwrap()
    };
    // The same weights run by numpy and by the built-in network.
    for member in ["0", "1", "mean"] {
        let (ours, theirs) = (value("net", member), value("same", member));
        assert!((ours - theirs).abs() < 1e-5 * ours, "{ours} {theirs}");
    }
    for model in ["own", "moved", "foretold"] {
        assert!(value(model, "mean").is_finite(), "{model}");
    }
    let other = run(
        &folder,
        &["--store", "b", "--executor", "processes", "--jobs", "2"],
    );
    assert_eq!(other["scores"], answer["scores"]);
}

const WASM: &str = "\
plugin bytes(data: data) = score from \"bytes\"
plugin centre(shift: anomaly, regime: predictor) = regression from \"centre\"

data all = synthetic(regime, rows: 300, slope: 2)
data near = where(all, z < 0.6)
parent net = mlp(near, inputs: [x], target: y, epochs: 3, members: 2)
subset some = window(near, by: z, count: 8, size: 40)
anomaly shift = finetune(net, some, steps: 10)
predictor regime = columns(z)
child ours = apply(ols(shift, regime, keep: snr > 1e12), all)
child theirs = apply(centre(shift, regime), all)
score skill = compare(net, ours, theirs, on: all, metrics: [rmse])
score size = bytes(all)
";

fn wasm_toml(names: &[&str]) -> String {
    let entry = |name: &&str| {
        format!("[plugin.{name}]\nwasm = \"{name}.wasm\"\nmemory = 64\nfuel = 300_000_000\n")
    };
    names.iter().map(entry).collect()
}

#[test]
fn webassembly_needs_no_trust_and_gives_what_the_built_in_ones_give() {
    let folder = folder(
        WASM,
        &wasm_toml(&["bytes", "centre"]),
        &["bytes.wasm", "centre.wasm"],
    );
    let said = farcast(&folder, &["run", "it.farcast", "--json", "--quiet"]);
    assert_eq!(said.code, 0, "{said:?}");
    let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let value = |model: &str, metric: &str| {
        let scores = answer["scores"].as_array().unwrap().iter();
        let mut scores = scores
            .filter(|it| it["model"] == model && it["metric"] == metric && it["member"] != "0");
        scores.next_back().unwrap()["value"].as_f64().unwrap()
    };
    let (ours, theirs) = (value("ours", "rmse"), value("theirs", "rmse"));
    assert!((ours - theirs).abs() < 1e-5 * ours, "{ours} {theirs}");
    let notes: Vec<_> = records(&folder)
        .into_iter()
        .filter(|it| it.0 == "bytes")
        .collect();
    assert_eq!(notes[0].1, ["counted in wasm"]);
}

#[test]
fn a_module_that_spins_or_takes_too_much_memory_is_stopped() {
    for (name, expected) in [
        ("spins", "took more than 300000000 instructions (`fuel`)"),
        ("grows", "plugin `grows` failed: "),
        ("none", "is not a module: "),
    ] {
        let text = format!(
            "plugin {name}(data: data) = score from \"{name}\"\ndata all = synthetic(regime, rows: 4)\nscore it = {name}(all)\n"
        );
        let folder = folder(&text, &wasm_toml(&[name]), &[]);
        let module = match name {
            "none" => b"no module".to_vec(),
            _ => fs::read(shipped(&format!("tests/plugins/{name}.wasm"))).unwrap(),
        };
        folder.write(&format!("{name}.wasm"), module);
        let said = farcast(&folder, &["run", "it.farcast"]);
        assert_eq!(said.code, 1, "{said:?}");
        assert!(said.err.contains(expected), "{said:?}");
    }
}

#[test]
fn a_program_writes_nowhere_but_in_its_folder() {
    let landlock = fs::read_to_string("/proc/sys/kernel/osrelease");
    if !landlock.is_ok_and(|it| it.split('.').next().and_then(|it| it.parse().ok()) >= Some(6)) {
        return;
    }
    let text = "plugin writes(data: data) = score from \"writes\"\ndata all = synthetic(regime, rows: 4)\nscore it = writes(all)\n";
    let toml = |writes: &str| {
        format!("[plugin.writes]\nrun = [\"sh\", \"writes.sh\"]\nfiles = [\"writes.sh\"]\n{writes}")
    };
    let folder = folder(text, &toml(""), &[]);
    folder.write("made/here", "");
    let script = "\
echo '{\"hello\": {\"protocol\": 1}}'
read -r line
: > \"$TMPDIR/fine\" && value=1
if (: > made/there) 2>/dev/null; then value=2; fi
echo \"{\\\"call\\\": 1, \\\"done\\\": {\\\"rows\\\": [{\\\"metric\\\": \\\"m\\\", \\\"value\\\": $value}]}}\"
";
    folder.write("writes.sh", script);
    let value = |folder: &Folder| run(folder, &["--store", "s"])["scores"][0]["value"].as_f64();
    let first = value(&folder);
    folder.write("farcast.toml", toml("writes = [\"made\"]\n"));
    assert_eq!(value(&folder), Some(2.0));
    // Where the kernel was built without it, nothing is limited.
    assert!(
        first == Some(1.0)
            || !fs::read_to_string("/sys/kernel/security/lsm")
                .is_ok_and(|it| it.contains("landlock"))
    );
}

#[test]
fn a_new_plugin_runs_and_passes_the_tests_of_its_kind() {
    let folder = Folder::new();
    assert_eq!(
        farcast(&folder, &["plugin", "new", "tally", "--sh"]).code,
        0
    );
    let said = farcast(&folder, &["plugin", "test", "tally"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.err.contains("the same call gives the same bytes")
            || said.out.contains("the same call gives the same bytes"),
        "{said:?}"
    );
    assert_eq!(farcast(&folder, &["trust", "tally", "tally"]).code, 0);
    assert_eq!(farcast(&folder, &["run", "tally/example.farcast"]).code, 0);
    assert_eq!(farcast(&folder, &["plugin", "new", "mlp"]).code, 2);
    assert_eq!(farcast(&folder, &["plugin", "new", "tally"]).code, 1);
    assert_eq!(farcast(&folder, &["plugin", "new", "huber"]).code, 0);
    let listed = farcast(&folder, &["plugins", "huber/lib.farcast"]);
    assert!(listed.out.contains("Huber regression"), "{listed:?}");
}

#[test]
fn sweeps_and_reruns_know_plugins_of_ones_own() {
    let text = "\
plugin tally(data: data, weight: Float = 1 in 0..=10) = score from \"tally\"
param weight: Float = 1 in 0..=10
data all = synthetic(regime, rows: 40)
score count = tally(all, weight: weight)
sweep heavy = grid(weight: [3, 1, 2], maximise: count.rows)
score best = tally(all, weight: best(heavy).weight)
";
    let folder = folder(text, TALLY_TOML, &["tally.sh"]);
    let answer = run(&folder, &[]);
    let values: Vec<f64> = answer["scores"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|score| score["value"].as_f64())
        .collect();
    assert!(
        values.contains(&120.0) && values.contains(&40.0),
        "{answer}"
    );
    let shown = farcast(&folder, &["show", "last"]);
    assert!(shown.out.contains("tally 1 (code "), "{shown:?}");
    let again = farcast(&folder, &["rerun", "last", "--trust", "--fresh"]);
    assert_eq!(again.code, 0, "{again:?}");
    let program = folder.read("tally.sh");
    folder.write("tally.sh", program.replace("rows * ", "rows + "));
    let refused = farcast(&folder, &["rerun", "last"]);
    assert!(refused.err.contains("not trusted"), "{refused:?}");
    let other = farcast(&folder, &["rerun", "last", "--trust"]);
    assert!(
        other.err.contains("file `tally.sh` of plugin `tally` was "),
        "{other:?}"
    );
}
