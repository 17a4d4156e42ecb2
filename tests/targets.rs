//! Networks that predict several columns, from training to the report.

use crate::farcast::Folder;

const EXPERIMENT: &str = "data all = csv(\"winds.csv\")
data seen = where(all, z <= 0.6)
data unseen = where(all, z > 0.6)

parent net = mlp(seen, inputs: [x], target: [u, v], hidden: [8], epochs: 20, members: 2)
subset near = window(seen, by: z, count: 12, size: 40)
anomaly shift = finetune(net, near, optimizer: sgd(rate: 1e-2), steps: 20)
predictor regime = columns(z)
regression drift = polynomial(shift, regime)
child adapted = apply(drift, unseen)

score inside = inner(adapted, by: z)
score errors = compare(net, adapted, on: unseen, metrics: [rmse, skill, crps], inner: inside)
report summary = page(errors)
report along = timeline(net, adapted, on: unseen, by: z, target: v)
data predictions = predict(adapted, on: unseen)
data plain = predict(net, on: unseen)
";

fn winds(folder: &Folder) {
    let mut text = "x,z,u [m s-1],v\n".to_owned();
    for row in 0..300 {
        let (x, z) = (f64::from(row % 25) / 5.0 - 2.5, f64::from(row) / 300.0);
        let u = x.sin() * (1.0 + 2.0 * z);
        text += &format!("{x},{z},{u},{}\n", 40.0 * x * z - 7.0);
    }
    folder.write("winds.csv", text);
}

/// The numbers of a column of a table of text.
fn column(table: &str, name: &str) -> Vec<f64> {
    let at = |line: &str| line.split(',').position(|cell| cell == name).unwrap();
    let at = at(table.lines().next().unwrap());
    let rows = table.lines().skip(1);
    rows.map(|row| row.split(',').nth(at).unwrap().parse().unwrap())
        .collect()
}

#[test]
fn each_target_is_scored_and_all_of_them_together() {
    let folder = Folder::with(EXPERIMENT);
    winds(&folder);
    let said = folder.farcast(&["run", "it.farcast", "--quiet", "--weights=net"]);
    assert_eq!(said.code, 0, "{said:?}");
    for data in ["predictions", "plain"] {
        let said = folder.farcast(&["export", "it.farcast", data, "--format", "csv", "--quiet"]);
        assert_eq!(said.code, 0, "{said:?}");
    }
    let scores = folder.read("out/it/scores.csv");
    let score = |statement: &str, model: &str, metric: &str| -> f64 {
        let lines: Vec<&str> = scores.lines().collect();
        let names: Vec<&str> = lines[0].split(',').collect();
        let of = |line: &str, name: &str| {
            let at = names.iter().position(|own| *own == name).unwrap();
            line.split(',').nth(at).unwrap().to_owned()
        };
        let mut found = lines[1..].iter().filter(|line| {
            let wanted = [
                ("statement", statement),
                ("model", model),
                ("metric", metric),
            ];
            let is_wanted = wanted.iter().all(|(name, value)| of(line, name) == *value);
            is_wanted && of(line, "member") == "mean" && of(line, "group").is_empty()
        });
        let value = of(found.next().unwrap(), "value").parse().unwrap();
        assert!(found.next().is_none());
        value
    };
    let tables = [("adapted", "predictions"), ("net", "plain")];
    let mut mean_squares = Vec::new();
    for (model, data) in tables {
        let table = folder.read(&format!("out/it/{data}.csv"));
        let mut together = 0.0;
        for target in ["u", "v"] {
            let (truth, found) = (
                column(&table, target),
                column(&table, &format!("predicted_{target}")),
            );
            let squares = truth.iter().zip(&found).map(|(t, f)| (t - f).powi(2));
            let mse = squares.sum::<f64>() / truth.len() as f64;
            let told = score("errors", model, &format!("rmse of {target}"));
            assert!((told - mse.sqrt()).abs() < 1e-9 * told, "{told} {mse}");
            let all = folder.read("winds.csv").replace("u [m s-1]", "u");
            let z = column(&all, "z");
            let seen: Vec<f64> = column(&all, target)
                .into_iter()
                .zip(z)
                .filter_map(|(value, z)| (z <= 0.6).then_some(value))
                .collect();
            let mean = seen.iter().sum::<f64>() / seen.len() as f64;
            let variance = seen.iter().map(|value| (value - mean).powi(2));
            together += mse / (variance.sum::<f64>() / seen.len() as f64) / 2.0;
        }
        let told = score("errors", model, "rmse");
        assert!(
            (told - together.sqrt()).abs() < 1e-9 * told,
            "{told} {together}"
        );
        mean_squares.push(together);
    }
    let skill = score("errors", "adapted", "skill");
    assert!((skill - (1.0 - mean_squares[0] / mean_squares[1])).abs() < 1e-9);
    assert!(score("inside", "adapted", "rmse of v") > 0.0);
    assert!(folder.read("out/it/report.html").contains("rmse of v"));
    assert!(folder.bytes("out/it/net.0.safetensors").len() > 100);
}

#[test]
fn each_kind_of_parent_takes_several_targets() {
    let parents = [
        (
            "line",
            "least_squares(seen, inputs: [x, a], target: [u, v], degree: 2)",
        ),
        ("curves", "additive(seen, inputs: [x, a], target: [u, v])"),
        (
            "slope",
            "linear_regression(seen, inputs: [x], target: [u, v], steps: 9, members: 2)",
        ),
        (
            "words",
            "transformer(seen, inputs: [x, a], target: [u, v], width: 4, layers: 1, steps: 9, \
             members: 2)",
        ),
        (
            "eye",
            "conv(images, target: [u, v], channels: [2], kernel: 2, pool: 1, dense: [4], \
             loss: mse, steps: 9, members: 2)",
        ),
    ];
    let mut text = "data all = derive(csv(\"winds.csv\"), a = sin(7 * x) + z)
data pictures = derive(all, pixel_0_0 = x, pixel_0_1 = a, pixel_1_0 = x * a, pixel_1_1 = z)
data seen = where(all, z <= 0.6)
data images = where(pictures, z <= 0.6)
data unseen = where(pictures, z > 0.6)
predictor regime = columns(z)
"
    .to_owned();
    for (name, parent) in parents {
        let rows = if name == "eye" { "images" } else { "seen" };
        text += &format!(
            "parent {name} = {parent}
subset near_{name} = window({rows}, by: z, count: 6, size: 20)
anomaly shift_{name} = finetune({name}, near_{name}, steps: 3)
child moved_{name} = apply(ols(shift_{name}, regime), unseen)
score inside_{name} = inner(moved_{name}, by: z, side: upper)
score errors_{name} = compare({name}, moved_{name}, on: unseen, inner: inside_{name})
data found_{name} = predict(moved_{name}, on: unseen)
"
        );
    }
    let folder = Folder::with(&text);
    winds(&folder);
    let said = folder.farcast(&["run", "it.farcast", "--quiet", "--weights"]);
    assert_eq!(said.code, 0, "{said:?}");
    let scores = folder.read("out/it/scores.csv");
    for (name, _) in parents {
        let said = folder.farcast(&["export", "it.farcast", &format!("found_{name}"), "--quiet"]);
        assert_eq!(said.code, 0, "{said:?}");
        for target in ["u", "v"] {
            for score in ["errors", "inside"] {
                let (statement, model) = (format!("{score}_{name}"), format!("moved_{name}"));
                let metric = format!("rmse of {target}");
                let is_it = |line: &str| {
                    let fields: Vec<&str> = line.split(',').collect();
                    (fields[0], fields[3], fields[5]) == (&statement, &model, &metric)
                };
                assert!(scores.lines().any(is_it), "{statement} {metric}: {scores}");
            }
        }
    }
}

#[test]
fn what_is_of_one_target_is_refused_for_several() {
    let folder = Folder::with(
        "data all = csv(\"winds.csv\")
parent net = mlp(all, inputs: [x], target: [u, v], epochs: 1, members: 1)
parent twice = mlp(all, inputs: [x], target: [u, u], epochs: 1, members: 1)
parent none = mlp(all, inputs: [x], target: [], epochs: 1, members: 1)
parent sorts = mlp(all, inputs: [x], target: [u, v], epochs: 1, members: 1, loss: cross_entropy)
parent fit = least_squares(all, inputs: [x], target: [v, v])
parent words = transformer(all, inputs: [x], target: [], width: 4)
parent copy = additive(all, inputs: [x, u], target: [u, v])
parent one = mlp(all, inputs: [x], target: v, epochs: 1, members: 1)
score a = compare(net, on: all, baselines: [z])
score b = compare(net, one, on: all)
report r = timeline(net, on: all, by: z)
report s = timeline(net, on: all, by: z, target: z)
",
    );
    winds(&folder);
    let said = folder.farcast(&["check", "it.farcast"]);
    assert_eq!(said.code, 1, "{said:?}");
    for told in [
        "column `u` is named twice",
        "column `v` is named twice",
        "the target `u` is among the inputs: its prediction is a copy",
        "expected one column or more, found none",
        "expected one column of classes, found several",
        "`baselines` is of one target, the network predicts `u`, `v`",
        "`one` predicts `v`, `net` predicts `u`, `v`",
        "the network predicts several columns: say which with `target`",
        "expected one of the columns that the network predicts",
        "it predicts `u`, `v`",
    ] {
        assert!(said.err.contains(told), "{told}: {}", said.err);
    }
}
