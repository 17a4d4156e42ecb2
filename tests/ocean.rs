//! The equation of state that the density experiment is made of, against published values.

use std::collections::BTreeMap;

use dsl::check::check;
use dsl::column::ColumnExpr;
use dsl::experiment::Value;
use engine::outside::Disk;

use crate::farcast::{Folder, shipped};

/// The formula of a derived column, `value = ocean.…`, over the columns of a small file.
fn formula(text: &str, columns: &[&str]) -> ColumnExpr {
    let folder = Folder::new();
    let common = std::fs::read_to_string(shipped("experiments/common/ocean.farcast")).unwrap();
    folder.write("ocean.farcast", common);
    folder.write(
        "a.csv",
        format!(
            "{}\n{}\n",
            columns.join(","),
            vec!["1"; columns.len()].join(",")
        ),
    );
    let text = format!(
        "use \"ocean.farcast\" as ocean\ndata a = csv(\"a.csv\")\ndata b = derive(a, value = {text})\n"
    );
    let registry = plugins::registry();
    let outside = Disk {
        registry: &registry,
    };
    let path = folder.path("it.farcast");
    let checked = check(
        &path.to_string_lossy(),
        &text,
        &[],
        &registry.catalog(),
        &outside,
    );
    let experiment = checked
        .experiment
        .unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
    let derive = experiment
        .nodes
        .iter()
        .find(|node| node.plugin == "derive")
        .unwrap();
    match &derive.args.get("definitions").unwrap().value {
        Value::Definitions(definitions) => definitions[0].1.clone(),
        other => panic!("{other}"),
    }
}

fn value(formula: &ColumnExpr, row: &[(&str, f64)]) -> f64 {
    let columns: BTreeMap<&str, [f64; 1]> =
        row.iter().map(|(name, value)| (*name, [*value])).collect();
    formula
        .evaluate(1, &|name| columns.get(name).map(|values| values[..].into()))
        .unwrap()[0]
}

/// Check values of Fofonoff & Millard (1983), p. 19: density at S, t and p of 0, 10 000 dbar.
#[test]
fn density_is_that_of_eos_80() {
    let density = formula("ocean.eos80(s, t, p)", &["s", "t", "p"]);
    for (s, t, p, expected) in [
        (0.0, 5.0, 0.0, 999.96675),
        (0.0, 5.0, 10_000.0, 1044.12802),
        (0.0, 25.0, 0.0, 997.04796),
        (0.0, 25.0, 10_000.0, 1037.90204),
        (35.0, 5.0, 0.0, 1027.67547),
        (35.0, 5.0, 10_000.0, 1069.48914),
        (35.0, 25.0, 0.0, 1023.34306),
        (35.0, 25.0, 10_000.0, 1062.53817),
    ] {
        let found = value(&density, &[("s", s), ("t", t), ("p", p)]);
        assert!(
            (found - expected).abs() < 6e-6,
            "S {s} t {t} p {p}: {found}, not {expected}"
        );
    }
}

/// The check value that the CSIRO SEAWATER library gives with Saunders's formula: 7500.004 dbar
/// at 7321.45 m and 30 degrees north; the depth is given to the centimetre, which is worth
/// 0.005 dbar either way.
#[test]
fn pressure_is_that_of_its_depth() {
    let pressure = formula("ocean.pressure(depth, lat)", &["depth", "lat"]);
    let found = value(&pressure, &[("depth", 7321.45), ("lat", 30.0)]);
    assert!((found - 7500.004).abs() < 6e-3, "{found}");
    let surface = value(&pressure, &[("depth", 0.0), ("lat", 30.0)]);
    assert_eq!(surface, 0.0);
}
