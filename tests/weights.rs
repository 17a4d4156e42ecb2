//! What is refused of weights, and with which words: tables that do not fit, files that lie.

use std::fmt::Write;

use expect_test::expect;
use serde_json::json;

use crate::farcast::Folder;

/// Networks of two members and of five, of another width, along training, and from files.
const NETS: &str = "\
data all = synthetic(regime, rows: 200, slope: 2)
parent net = mlp(all, inputs: [x], target: y, hidden: [4], steps: 6, members: 2)
parent tuned = mlp(all, inputs: [x], target: y, hidden: [4], steps: 6, start: net, members: 2)
parent wide = mlp(all, inputs: [x], target: y, hidden: [5], steps: 6, members: 2)
parent five = mlp(all, inputs: [x], target: y, hidden: [4], steps: 6, members: 5)
trajectory walk = record(net, every: 3 steps)
trajectory other = record(tuned, every: 2 steps)
parent saved = safetensors(\"saved.safetensors\")
";

/// A file of two numbers.
fn tensor_file(header: &str) -> Vec<u8> {
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header.as_bytes(), &[0; 8]].concat()
}

/// The header of a file with one tensor of two numbers.
const HEADER: &str = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;

/// The first error with its help, where `command` refuses this statement.
fn refused(command: &str, statement: &str) -> String {
    let folder = Folder::with(&format!("{NETS}{statement}\n"));
    folder.write("saved.safetensors", tensor_file(HEADER));
    let said = folder.farcast(&[command, "it.farcast"]);
    assert_eq!(said.code, 1, "{statement}: {said:?}");
    let mut lines = said
        .err
        .lines()
        .skip_while(|line| !line.starts_with("error"));
    let error = lines.next().unwrap_or_default();
    let rest = lines.take_while(|line| !line.starts_with("error") && !line.starts_with("warning"));
    let help = rest.filter_map(|line| line.trim().strip_prefix("= "));
    let all = [statement, &format!("  {error}")]
        .map(str::to_owned)
        .into_iter();
    let all = all.chain(help.map(|help| format!("  {help}")));
    all.collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn what_does_not_fit_is_found_before_anything_runs() {
    let said: String = [
        "parent x = net + 0.5 * (wide - net)",
        "score x = diagnose(net, against: wide, metrics: [distance])",
        "parent x = net + tuned",
        "parent x = net - tuned",
        "score x = evaluate(net - tuned, on: all)",
        "parent x = align(tuned - net, to: member(net, 0))",
        "parent x = mlp(all, inputs: [x], target: y, hidden: [4], start: net - tuned)",
        "parent x = net * tuned",
        "parent x = net / 0",
        "parent x = net + 0.5 * (five - net)",
        "parent x = soup(net) + walk - pick(walk, step == 3)",
        "weights x = pick(walk, step > 100)",
        "weights x = pick(walk, horizon > 100)",
        "weights x = only(tuned - net, tensors: [])",
        "weights x = only(tuned - net, tensors: \"\")",
        "weights x = only(tuned - net, tensors: \"layer.*\")",
        "weights x = only(tuned, tensors: \"layers.0.*\")",
        "parent x = net + elect(tuned - net)",
        "parent x = spectral(net, edit: truncate, rank: 9)",
        "parent x = members(walk, count: 2)",
        "parent x = members(net, count: 2)",
        "weights same = 1 * net\nparent x = members(same, count: 2)",
        "parent x = members(member(tuned, 0) - member(net, 0), count: 1)",
        "parent x = members(generate(net, blend(of: 2), count: 5), count: 6)",
        "parent x = generate(net, blend(of: 2), count: 5)",
        "parent x = soup(generate(net, blend(of: 2), count: 5))",
        "child x = adopt(generate(net, blend(of: 2), count: 5), horizon: 2)",
        "weights drawn = generate(net, blend(of: 2), count: 5)\nparent x = soup(drawn)",
        "parent x = average(walk, choose: best)",
        "parent x = average(walk, on: all, share: 20 %)",
        "parent x = average(walk, on: all, metric: accuracy)",
        "weights x = average(walk - net, on: all)",
        "parent x = soup(saved, on: all)",
        "weights x = trim(tuned - net, keep: 20 %, by: rank)",
        "weights x = trim(tuned - net, keep: 20 %, by: rank, epsilon: 0.3)",
        "weights x = trim(tuned - net, keep: 20 %, epsilon: 0.1)",
        "parent x = quantise(net, bits: 4, on: all, method: greedy_path, scope: row)",
        "parent x = spectral(net, edit: equilibrate, value: 2)",
        "parent x = spectral(net, edit: cap, rank: 2)",
        "parent x = spectral(net, edit: match_norm)",
        "parent x = spectral(net, edit: match_norm, rows: [0], like: tuned)",
        "parent x = spectral(net, edit: match_norm, rows: [1])",
        "parent x = spectral(net, edit: match_norm, rows: 0..=0)",
        "parent x = spectral(net, edit: match_norm, like: wide)",
        "parent x = spectral(net, edit: match_norm, like: walk)",
        "parent x = spectral(net, edit: unit_rows, tensors: \"head\")",
        "parent x = spectral(saved, edit: unit_rows)",
        "parent x = mlp(all, inputs: [x], target: y, hidden: [4], start: net, init: xavier(), members: 2)",
        "parent x = mlp(all, inputs: [x], target: y, hidden: [4], init: low_rank(rank: 2))",
        "score x = path(net, on: all, curve: bezier)",
        "score x = path(net, on: all, steps: 5)",
        "score x = evaluate(saved, on: all)",
        "score x = compare(saved, on: all)",
        "score x = landscape(saved, on: all)",
        "score x = path(saved, net, on: all)",
        "parent x = project(saved, on: all, share: 99 %)",
        "parent x = prune(saved, on: all, keep: 50 %, by: contribution)",
    ]
    .map(|statement| refused("check", statement))
    .concat();
    expect![[r#"
        parent x = net + 0.5 * (wide - net)
          error[impossible-call]: `net` and `wide` are different networks
          help: `net` has 1 input, hidden [4], activation "tanh"; `wide` has 1 input, hidden [5], activation "tanh"
        score x = diagnose(net, against: wide, metrics: [distance])
          error[impossible-call]: `wide` and `net` are different networks
          help: `wide` has 1 input, hidden [5], activation "tanh"; `net` has 1 input, hidden [4], activation "tanh"
        parent x = net + tuned
          error[impossible-call]: the factors sum to 2; a network needs 1, a difference 0
          help: their mean is `(net + tuned) / 2`
        parent x = net - tuned
          error[impossible-call]: the factors sum to 0; a network needs 1, a difference 0
          help: a difference is `weights`; added to a network it makes another
        score x = evaluate(net - tuned, on: all)
          error[impossible-call]: `net - tuned` is a difference: expected networks
          help: add it to a network
        parent x = align(tuned - net, to: member(net, 0))
          error[impossible-call]: `tuned - net` is a difference: expected a network
          help: align the networks, then subtract
        parent x = mlp(all, inputs: [x], target: y, hidden: [4], start: net - tuned)
          error[impossible-call]: the factors sum to 0; a network needs 1, a difference 0
          help: a difference is `weights`; added to a network it makes another
        parent x = net * tuned
          error[wrong-type]: weights cannot be multiplied with each other
          help: weights are added, subtracted and scaled by numbers
        parent x = net / 0
          error[out-of-range]: weights are divided by 0
        parent x = net + 0.5 * (five - net)
          error[members-differ]: expected 2 members, found 5
        parent x = soup(net) + walk - pick(walk, step == 3)
          error[impossible-call]: expected one row of weights, `walk` has many
          help: `pick` chooses rows, `average` makes one of many, `members` a member of each
        weights x = pick(walk, step > 100)
          error[impossible-call]: none of 3 rows meets the condition
          help: steps: 0, 3, 6
        weights x = pick(walk, horizon > 100)
          error[unknown-name]: the rows have no coordinate `horizon`
          help: coordinates: `step`
        weights x = only(tuned - net, tensors: [])
          error[impossible-call]: expected names of tensors, found an empty one
          help: `"layers.0.*"` is the first layer
        weights x = only(tuned - net, tensors: "")
          error[impossible-call]: expected names of tensors, found an empty one
          help: `"layers.0.*"` is the first layer
        weights x = only(tuned - net, tensors: "layer.*")
          error[impossible-call]: no tensor is named `layer.*`
          help: tensors: `layers.0.weight`, `layers.0.bias`, `layers.1.weight`, `layers.1.bias`
        weights x = only(tuned, tensors: "layers.0.*")
          error[impossible-call]: `tuned` is a network: the other tensors would be zero
          help: patch another: `base + only(tuned - base, tensors: …)`
        parent x = net + elect(tuned - net)
          error[impossible-call]: expected two differences or more, found 1
          help: `trim` keeps the largest weights of a single one
        parent x = spectral(net, edit: truncate, rank: 9)
          error[impossible-call]: expected a rank of at most 1, found 9
        parent x = members(walk, count: 2)
          error[impossible-call]: `walk` has 2 members already
          help: `average` or `pick` makes one row of each member's rows
        parent x = members(net, count: 2)
          error[impossible-call]: `net` has 2 members already
          help: it is an ensemble without `members`
        weights same = 1 * net
        parent x = members(same, count: 2)
          error[impossible-call]: `same` has 2 members already
          help: write `parent` as its keyword: each member is a network
        parent x = members(member(tuned, 0) - member(net, 0), count: 1)
          error[impossible-call]: these are differences of networks, not a network
          help: add them to a network, or write `weights` as the keyword
        parent x = members(generate(net, blend(of: 2), count: 5), count: 6)
          error[impossible-call]: expected a row for each of 6 members, found 5 rows
        parent x = generate(net, blend(of: 2), count: 5)
          error[wrong-kind]: expected a plugin that makes a `parent`, found `generate`, which makes `weights`
          help: plugins that make a `parent`: `additive`, `adopt`, `align`, `average`, `boost`, `combine`, `conv`, `ema`, `least_squares`, `linear_regression`, `member`, `members`, `mlp`, `pick`, `project`, `prune`, `quantise`, `resize`, `safetensors`, `slerp`, `soup`, `spectral`, `stock`, `transformer`, `trim`
          help: `members(generate(net, blend(of: 2), count: 5), count: …)` is a parent with a member for each row
        parent x = soup(generate(net, blend(of: 2), count: 5))
          error[wrong-kind]: expected a plugin that makes a `parent`, found `generate`, which makes `weights`
          help: plugins that make a `parent`: `additive`, `adopt`, `align`, `average`, `boost`, `combine`, `conv`, `ema`, `least_squares`, `linear_regression`, `member`, `members`, `mlp`, `pick`, `project`, `prune`, `quantise`, `resize`, `safetensors`, `slerp`, `soup`, `spectral`, `stock`, `transformer`, `trim`
          help: `members(generate(net, blend(of: 2), count: 5), count: …)` is a parent with a member for each row
        child x = adopt(generate(net, blend(of: 2), count: 5), horizon: 2)
          error[wrong-kind]: expected a plugin that makes a `farcast`, found `generate`, which makes `weights`
          help: plugins that make a `farcast`: `dlinear`, `exponential`, `introspection`, `known`, `lfd`, `lfd2`, `linear`, `nino`, `nlinear`, `persistence`, `shrink`, `wnn`
          help: `members(generate(net, blend(of: 2), count: 5), count: …)` is a parent with a member for each row
        weights drawn = generate(net, blend(of: 2), count: 5)
        parent x = soup(drawn)
          error[wrong-kind]: expected a `parent`, found `drawn`, which is `weights`
          help: `members(drawn, count: …)` is a parent with a member for each row
        parent x = average(walk, choose: best)
          error[impossible-call]: `choose` needs rows to judge networks by
          help: give `on`, not the rows of the test
        parent x = average(walk, on: all, share: 20 %)
          error[impossible-call]: `share` is of `choose: best` alone
        parent x = average(walk, on: all, metric: accuracy)
          error[impossible-call]: `accuracy` is of classes, found a network of quantities
        weights x = average(walk - net, on: all)
          error[impossible-call]: `walk - net` is a difference: expected networks
          help: add it to a network
        parent x = soup(saved, on: all)
          error[impossible-call]: these weights cannot be run: they come from files, which hold no network
          help: export them with `--weights` and run them elsewhere
        weights x = trim(tuned - net, keep: 20 %, by: rank)
          error[impossible-call]: expected `epsilon`: how far the probabilities go from `keep`
        weights x = trim(tuned - net, keep: 20 %, by: rank, epsilon: 0.3)
          error[impossible-call]: the probabilities go from -0.1 to 0.5: expected 0 to 1
        weights x = trim(tuned - net, keep: 20 %, epsilon: 0.1)
          error[impossible-call]: `epsilon` is of `by: rank` alone
        parent x = quantise(net, bits: 4, on: all, method: greedy_path, scope: row)
          error[impossible-call]: `greedy_path` has one step for all rows of a matrix
          help: expected `tensor` or `network`
        parent x = spectral(net, edit: equilibrate, value: 2)
          error[impossible-call]: `equilibrate` takes no `value`
        parent x = spectral(net, edit: cap, rank: 2)
          error[impossible-call]: `cap` takes `value`, not `rank`
        parent x = spectral(net, edit: match_norm)
          error[impossible-call]: expected `rows` or `like`, found neither
        parent x = spectral(net, edit: match_norm, rows: [0], like: tuned)
          error[impossible-call]: expected `rows` or `like`, found both
        parent x = spectral(net, edit: match_norm, rows: [1])
          error[impossible-call]: there is no row 1 among 1
        parent x = spectral(net, edit: match_norm, rows: 0..=0)
          error[impossible-call]: these are all rows: no others are left
        parent x = spectral(net, edit: match_norm, like: wide)
          error[impossible-call]: `net` and `wide` are different networks
          help: `net` has 1 input, hidden [4], activation "tanh"; `wide` has 1 input, hidden [5], activation "tanh"
        parent x = spectral(net, edit: match_norm, like: walk)
          error[impossible-call]: expected one row of weights, `walk` has many
          help: `pick` chooses rows
        parent x = spectral(net, edit: unit_rows, tensors: "head")
          error[impossible-call]: no tensor is named `head`
          help: tensors: `layers.0.weight`, `layers.0.bias`, `layers.1.weight`, `layers.1.bias`
        parent x = spectral(saved, edit: unit_rows)
          error[impossible-call]: `unit_rows` is of the matrix that makes the outputs: without a network it is not known
          help: name it: `tensors: "head.weight"`
        parent x = mlp(all, inputs: [x], target: y, hidden: [4], start: net, init: xavier(), members: 2)
          error[impossible-call]: `start` has the first weights
          help: leave `init` or `start` out
        parent x = mlp(all, inputs: [x], target: y, hidden: [4], init: low_rank(rank: 2))
          error[impossible-call]: expected a rank of at most 1, found 2
        score x = path(net, on: all, curve: bezier)
          error[impossible-call]: `bezier` learns: expected `train`, rows to learn on
        score x = path(net, on: all, steps: 5)
          error[impossible-call]: `steps` is of `curve: bezier` alone
        score x = evaluate(saved, on: all)
          error[impossible-call]: these weights cannot be run: they come from files, which hold no network
          help: export them with `--weights` and run them elsewhere
        score x = compare(saved, on: all)
          error[impossible-call]: these weights cannot be run: they come from files, which hold no network
          help: export them with `--weights` and run them elsewhere
        score x = landscape(saved, on: all)
          error[impossible-call]: these weights cannot be run: they come from files, which hold no network
          help: export them with `--weights` and run them elsewhere
        score x = path(saved, net, on: all)
          error[impossible-call]: these weights cannot be run: they come from files, which hold no network
          help: export them with `--weights` and run them elsewhere
        parent x = project(saved, on: all, share: 99 %)
          error[impossible-call]: these weights cannot be run: they come from files, which hold no network
          help: export them with `--weights` and run them elsewhere
        parent x = prune(saved, on: all, keep: 50 %, by: contribution)
          error[impossible-call]: these weights cannot be run: they come from files, which hold no network
          help: export them with `--weights` and run them elsewhere
    "#]]
    .assert_eq(&said);
}

#[test]
fn what_only_the_numbers_show_is_refused_as_they_come() {
    let said: String = [
        "weights x = pick(walk, step >= 3) - pick(other, step == 2 or step == 4)",
        "parent x = spectral(saved, edit: cap, value: 1)",
        "parent x = mlp(all, inputs: [x], target: y, hidden: [4], start: saved)",
    ]
    .map(|statement| refused("run", statement))
    .concat();
    expect![[r#"
        weights x = pick(walk, step >= 3) - pick(other, step == 2 or step == 4)
          error[action-failed]: the tables have no row in common: `step` differ
        parent x = spectral(saved, edit: cap, value: 1)
          error[impossible-call]: there is no matrix among these weights
        parent x = mlp(all, inputs: [x], target: y, hidden: [4], start: saved)
          error[impossible-call]: `saved` is a network of other tensors
          help: it has no `layers.0.bias`; `resize(…, like: …)` makes a network of another size
    "#]]
    .assert_eq(&said);
}

#[test]
fn diverged_rows_are_marked_and_no_mean_has_them() {
    let folder = Folder::with(&format!(
        "{NETS}\
         parent hot = mlp(all, inputs: [x], target: y, hidden: [4], steps: 30, optimizer: sgd(rate: 1e30))\n\
         parent half = 0.5 * member(hot, 0) + 0.5 * net\n\
         parent none = soup(hot)\n\
         score s = evaluate(net, half, none, on: all)\n"
    ));
    folder.write("saved.safetensors", tensor_file(HEADER));
    let said = folder.farcast(&["run", "it.farcast", "--quiet"]);
    assert_eq!(said.code, 0, "{said:?}");
    let scores = folder.read("out/it/scores.csv");
    let of = |model: &str| {
        let lines = scores
            .lines()
            .map(|line| line.split(',').collect::<Vec<_>>());
        let lines = lines.filter(|line| line[3] == model);
        lines.map(|line| line[8].to_owned()).collect::<Vec<_>>()
    };
    assert!(
        of("net")
            .iter()
            .all(|value| value.parse::<f64>().is_ok_and(f64::is_finite)),
        "{scores}"
    );
    for model in ["half", "none"] {
        let values = of(model);
        assert!(
            !values.is_empty() && values.iter().all(String::is_empty),
            "{model}: {scores}"
        );
    }
}

#[test]
fn rows_become_members() {
    let folder = Folder::with(&format!(
        "{NETS}\
         weights drawn = generate(net, jitter(sd: 0.1), count: 4)\n\
         parent many = members(drawn, count: 3)\n\
         score rows = evaluate(drawn, on: all)\n\
         score each = evaluate(many, on: all)\n\
         score alike = similarity(many, on: all, metrics: [distance])\n\
         score mixed = compare(many, soup(many, on: all), on: all)\n\
         score begun = evaluate(mlp(all, inputs: [x], target: y, hidden: [4], steps: 3, start: many, members: 3), on: all)\n"
    ));
    folder.write("saved.safetensors", tensor_file(HEADER));
    let said = folder.farcast(&["run", "it.farcast", "--quiet"]);
    assert_eq!(said.code, 0, "{said:?}");
    let scores = folder.read("out/it/scores.csv");
    let lines = scores.lines();
    let lines: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    // Those of members, not their mean and median.
    let of = |statement: &str| {
        let is_own = |line: &&Vec<&str>| line[0] == statement && line[2].parse::<u32>().is_ok();
        let numbers = lines.iter().filter(is_own).map(|line| line[8].to_owned());
        numbers.collect::<Vec<_>>()
    };
    let (rows, each) = (of("rows"), of("each"));
    assert_eq!((rows.len(), each.len()), (4, 3), "{scores}");
    assert_eq!(each, rows[..3], "{scores}");
    for statement in ["alike", "mixed", "begun"] {
        let values = of(statement);
        assert!(
            values.len() >= 3 && values.iter().all(|it| !it.is_empty()),
            "{scores}"
        );
    }
}

#[test]
fn an_index_that_lies_is_refused() {
    const INDEX: &str = "hub/model.safetensors.index.json";
    let index = |map: &str| format!(r#"{{"metadata": {{}}, "weight_map": {map}}}"#);
    let mut said = String::new();
    for (what, text) in [
        ("outside", index(r#"{"a": "../one.safetensors"}"#)),
        ("absolute", index(r#"{"a": "/etc/passwd"}"#)),
        ("itself", index(r#"{"a": "model.safetensors.index.json"}"#)),
        (
            "another index",
            index(r#"{"a": "other.safetensors.index.json"}"#),
        ),
        (
            "missing shard",
            index(r#"{"a": "one.safetensors", "b": "three.safetensors"}"#),
        ),
        (
            "not in the shard",
            index(r#"{"a": "one.safetensors", "b": "one.safetensors"}"#),
        ),
        (
            "in two shards",
            index(r#"{"a": "one.safetensors", "b": "two.safetensors"}"#),
        ),
        (
            "named twice",
            index(r#"{"a": "one.safetensors", "a": "two.safetensors"}"#),
        ),
        ("nothing", index("{}")),
        ("no map", index("[]")),
        ("no text", index(r#"{"a": ["one.safetensors"]}"#)),
        ("colours", index(r#"{"a": "\u001b[31m\n"}"#)),
        ("deep", "[".repeat(200_000)),
        (
            "large",
            format!(
                "{}{}",
                index(r#"{"a": "one.safetensors"}"#),
                " ".repeat(64 << 20)
            ),
        ),
    ] {
        let folder = Folder::with("score x = diagnose(safetensors(\"hub\"), metrics: [norm])\n");
        folder.write(INDEX, text);
        folder.write("one.safetensors", tensor_file(HEADER));
        folder.write("hub/one.safetensors", tensor_file(HEADER));
        let two = json!({
            "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
            "b": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
        });
        folder.write("hub/two.safetensors", tensor_file(&two.to_string()));
        let other = index(r#"{"a": "model.safetensors.index.json"}"#);
        if what == "another index" {
            folder.write("hub/other.safetensors.index.json", other);
        }
        let found = folder.farcast(&["check", "it.farcast"]);
        assert_eq!(found.code, 1, "{what}: {found:?}");
        let error = found.err.lines().next().unwrap_or_default();
        writeln!(said, "{what}\n  {error}").expect("text");
    }
    expect![[r#"
        outside
          error[impossible-call]: `hub/model.safetensors.index.json`: names the shard `../one.safetensors`: expected a file beside it
        absolute
          error[impossible-call]: `hub/model.safetensors.index.json`: names the shard `/etc/passwd`: expected a file beside it
        itself
          error[impossible-call]: the index of `model` wants tensor `a` in `model.safetensors.index.json`, where it is not
        another index
          error[impossible-call]: the index of `model` wants tensor `a` in `other.safetensors.index.json`, where it is not
        missing shard
          error[impossible-call]: the index of `model` wants tensor `b` in `three.safetensors`, where it is not
        not in the shard
          error[impossible-call]: the index of `model` wants tensor `b` in `one.safetensors`, where it is not
        in two shards
          error[impossible-call]: tensor `a` is in two shards: `hub/one.safetensors` and `hub/two.safetensors`
        named twice
          error[impossible-call]: `hub/model.safetensors.index.json`: names the file of a tensor twice: `a`
        nothing
          error[impossible-call]: `hub/model.safetensors.index.json`: names no shards: its `weight_map` is empty
        no map
          error[impossible-call]: `hub/model.safetensors.index.json`: expected an index, a JSON object with `weight_map`
        no text
          error[impossible-call]: `hub/model.safetensors.index.json`: expected an index, a JSON object with `weight_map`
        colours
          error[impossible-call]: the index of `model` wants tensor `a` in `\u{1b}[31m\n`, where it is not
        deep
          error[impossible-call]: `hub/model.safetensors.index.json`: expected an index, a JSON object with `weight_map`
        large
          error[impossible-call]: `hub/model.safetensors.index.json`: expected an index of at most 64 MiB
    "#]].assert_eq(&said);
}

/// Files of an MLP, and a file that says which of its units change places, give what its network gives.
#[test]
fn a_file_of_symmetries_is_compared_with_tensors_and_aligns_them() {
    let nets = "\
data all = synthetic(regime, rows: 200, slope: 2)
parent pair = mlp(all, inputs: [x], target: y, hidden: [6, 5], epochs: 2, members: 2)
parent one = member(pair, 0)
parent other = member(pair, 1)
parent known = align(other, to: one)
";
    let folder = Folder::with(nets);
    for name in ["one", "other", "known"] {
        folder.run(&["--weights", name]);
    }
    let place = |name: &str| format!("out/it/{name}.safetensors");
    let files = format!(
        "weights one = safetensors(\"{}\")\nweights other = safetensors(\"{}\")\n",
        place("one"),
        place("other"),
    );
    let good = r#"{"P0": [["layers.0.weight", 0], ["layers.0.bias", 0], ["layers.1.weight", 1]],
 "P1": [["layers.1.weight", 0], ["layers.1.bias", 0], ["layers.2.weight", 1]]}"#;
    let mut said = String::new();
    for (what, text) in [
        ("a comma too many", good.replace("1]]}", "1]],}")),
        (
            "another tensor",
            good.replace("layers.2.weight", "layers.2.wieght"),
        ),
        (
            "another axis",
            good.replace("\"layers.1.bias\", 0", "\"layers.1.bias\", 1"),
        ),
        (
            "other lengths",
            good.replace("[\"layers.1.bias\", 0]", "[\"layers.2.bias\", 0]"),
        ),
        ("twice", good.replace("layers.1.bias", "layers.0.bias")),
        ("no list", "{\"P0\": \"layers.0.weight\"}".to_owned()),
    ] {
        folder.write("axes.json", text);
        let folder_text =
            format!("{files}weights x = align(other, to: one, symmetry: \"axes.json\")\n");
        folder.write("bad.farcast", folder_text);
        let found = folder.farcast(&["check", "bad.farcast"]);
        assert_eq!(found.code, 1, "{what}: {found:?}");
        let lines = found.err.lines().map(str::trim);
        let lines = lines.filter(|line| line.starts_with("error") || line.starts_with("= "));
        writeln!(said, "{what}\n  {}", lines.collect::<Vec<_>>().join("\n  ")).expect("text");
    }
    expect![[r#"
        a comma too many
          error[impossible-call]: `axes.json`: trailing comma at line 2 column 79
          = help: expected permutations by name, each a list of axes: {"P0": [["layers.0.weight", 0], ["layers.1.weight", 1]]}
        another tensor
          error[impossible-call]: `P1`: no tensor is named `layers.2.wieght`
          = help: did you mean `layers.2.weight`?
        another axis
          error[impossible-call]: `P1`: `layers.1.bias` has no axis 1: it has 1, counted from 0
        other lengths
          error[impossible-call]: `P1`: axis 0 of `layers.1.weight` has 5 units, axis 0 of `layers.2.bias` has 1 unit
        twice
          error[impossible-call]: `axes.json`: axis 0 of `layers.0.bias` is in `P0` and in `P1`
        no list
          error[impossible-call]: `axes.json`: invalid type: string "layers.0.weight", expected a sequence at line 1 column 24
          = help: expected permutations by name, each a list of axes: {"P0": [["layers.0.weight", 0], ["layers.1.weight", 1]]}
    "#]].assert_eq(&said);
    folder.write("axes.json", good);
    let text = format!("{files}parent same = align(other, to: one, symmetry: \"axes.json\")\n");
    folder.write("good.farcast", text);
    let run = folder.farcast(&["run", "good.farcast", "--weights", "same"]);
    assert_eq!(run.code, 0, "{run:?}");
    let numbers = |path: &str| {
        let bytes = folder.bytes(path);
        let header = u64::from_le_bytes(bytes[..8].try_into().expect("a length")) as usize;
        bytes[8 + header..].to_vec()
    };
    assert_eq!(
        numbers("out/good/same.safetensors"),
        numbers(&place("known"))
    );
    assert_ne!(numbers(&place("known")), numbers(&place("other")));
}

#[test]
fn a_header_that_lies_is_refused() {
    let tensor = |rest: &str| format!(r#"{{"a":{{"dtype":"F32",{rest}}}}}"#);
    let mut said = String::new();
    for (what, header) in [
        (
            "beyond the end",
            tensor(r#""shape":[20],"data_offsets":[0,80]"#),
        ),
        ("backwards", tensor(r#""shape":[2],"data_offsets":[8,0]"#)),
        (
            "below the start",
            tensor(r#""shape":[2],"data_offsets":[-8,0]"#),
        ),
        (
            "overflow",
            tensor(r#""shape":[1099511627776,1099511627776],"data_offsets":[0,8]"#),
        ),
        (
            "another size",
            tensor(r#""shape":[3],"data_offsets":[0,8]"#),
        ),
        ("a gap", tensor(r#""shape":[1],"data_offsets":[4,8]"#)),
        (
            "overlap",
            format!("{},\"b\":{}", &HEADER[..HEADER.len() - 1], &HEADER[5..]),
        ),
        ("another type", HEADER.replace("F32", "Q4")),
        ("integers", HEADER.replace("F32", "I32")),
        ("no shape", tensor(r#""data_offsets":[0,8]"#)),
        ("deep", format!("{{\"a\":{}", "[".repeat(200_000))),
        ("no header", String::new()),
    ] {
        let folder = Folder::with("score x = diagnose(safetensors(\"hub\"), metrics: [norm])\n");
        folder.write("hub/model.safetensors", tensor_file(&header));
        let found = folder.farcast(&["check", "it.farcast"]);
        assert_eq!(found.code, 1, "{what}: {found:?}");
        let error = found.err.lines().next().unwrap_or_default();
        writeln!(said, "{what}\n  {error}").expect("text");
    }
    expect![[r#"
        beyond the end
          error[impossible-call]: `hub/model.safetensors`: cut short: it has 72 bytes, its header wants 144
        backwards
          error[impossible-call]: `hub/model.safetensors`: tensor `a`: shape [2] does not fit its offsets 8 and 0
        below the start
          error[impossible-call]: `hub/model.safetensors`: not a safetensors file: tensor `a` lacks dtype, shape or offsets
        overflow
          error[impossible-call]: `hub/model.safetensors`: tensor `a`: shape [1099511627776, 1099511627776] does not fit its offsets 0 and 8
        another size
          error[impossible-call]: `hub/model.safetensors`: tensor `a`: shape [3] does not fit its offsets 0 and 8
        a gap
          error[impossible-call]: `hub/model.safetensors`: not a safetensors file: the tensors do not fill it without gaps
        overlap
          error[impossible-call]: `hub/model.safetensors`: not a safetensors file: the tensors do not fill it without gaps
        another type
          error[impossible-call]: `hub/model.safetensors`: tensor `a`: numbers of the type `Q4` are not known
        integers
          error[impossible-call]: the files hold no weights
        no shape
          error[impossible-call]: `hub/model.safetensors`: not a safetensors file: tensor `a` lacks dtype, shape or offsets
        deep
          error[impossible-call]: `hub/model.safetensors`: not a safetensors file: its header is not a JSON object
        no header
          error[impossible-call]: `hub/model.safetensors`: not a safetensors file: its header is not a JSON object
    "#]].assert_eq(&said);
}
