//! Large files and large sweeps: nothing overflows, and points share what they can.

mod catalog;

use std::collections::BTreeMap;
use std::fmt::Write;

use dsl::check::check;

fn nodes(text: &str) -> usize {
    let (catalog, outside) = (catalog::catalog(), catalog::Table(BTreeMap::new()));
    let checked = check("main.farcast", text, &[], &catalog, &outside);
    let experiment = checked.experiment;
    let experiment = experiment.unwrap_or_else(|| panic!("{:?}", checked.diagnostics.first()));
    experiment.nodes.len()
}

#[test]
fn statements_in_any_order_do_not_overflow() {
    let mut text = String::new();
    for at in (1..3000).rev() {
        writeln!(text, "data d{at} = where(d{}, depth < {at})", at - 1).unwrap();
    }
    text += "data d0 = netcdf(\"a.nc\")\nscore s = compare(mlp(d2999, temp, density), on: d0)\n";
    assert_eq!(nodes(&text), 3002);
}

#[test]
fn sweeps_share_what_does_not_change() {
    let text = "param width: Int = 1\nparam degree: Int = 1\n\
        data sea = netcdf(\"a.nc\")\n\
        parent net = mlp(sea, temp, density, hidden: width)\n\
        subset near = window(sea, depth)\n\
        anomaly shift = finetune(net, near)\n\
        regression r = polynomial(shift, columns(depth), degree: degree)\n\
        score s = compare(net, apply(r, sea), on: sea)\n\
        sweep t = grid(width: 1..=100, seed: 1..=20, degree: 1..=5)\n\
        report page = page(s)\n";
    // Data, windows, predictor, report; 2000 networks and anomalies; 10 000 of the rest.
    assert_eq!(nodes(text), 4 + 2 * 2000 + 3 * 10_000);
}

/// The message of the only error of a text.
fn refused(text: &str) -> String {
    let (catalog, outside) = (catalog::catalog(), catalog::Table(BTreeMap::new()));
    let checked = check("main.farcast", text, &[], &catalog, &outside);
    assert!(checked.experiment.is_none());
    let errors: Vec<_> = checked
        .diagnostics
        .iter()
        .filter(|it| it.is_error())
        .collect();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors[0].message.clone()
}

/// Each of `count` lines after a first one, written from its number.
fn lines(first: &str, count: usize, line: impl Fn(usize) -> String) -> String {
    let lines = (1..=count).map(|at| format!("{}\n", line(at)));
    format!(
        "data sea = netcdf(\"a.nc\")\n{first}\n{}",
        lines.collect::<String>()
    )
}

#[test]
fn what_few_lines_expand_to_is_bounded() {
    let sum = |args: &str| {
        let define = |at: usize| format!("define a{at}(y) = a{}({args})", at - 1);
        lines("define a0(x) = x", 29, define) + "data b = where(sea, a29(depth) > 0 m)\n"
    };
    let message = "`a29` expands to more than 100000 values";
    assert_eq!(refused(&sum("y + y")), message);
    assert_eq!(refused(&sum("max(y, y)")), message);
    let pair = |at: usize| format!("define a{at}(y) = a{}(y) + a{}(y)", at - 1, at - 1);
    let bodies = lines("define a0(x) = x", 29, pair) + "data b = where(sea, a29(depth) > 0 m)\n";
    assert_eq!(refused(&bodies), message);
    let rows = |at: usize| format!("define a{at}(y) = where(a{}(y), depth > {at} m)", at - 1);
    let rows = lines("define a0(x) = x", 50, rows) + "data b = a50(sea)\n";
    assert_eq!(nodes(&rows), 51);
}

#[test]
fn lists_of_lists_are_bounded() {
    let list = |at: usize| {
        let ty = format!("{}Int{}", "List(".repeat(at + 1), ")".repeat(at + 1));
        format!("param l{at}: {ty} = [l{}, l{}]", at - 1, at - 1)
    };
    let text = lines("param l0: List(Int) = [1, 2]", 29, list);
    assert_eq!(
        refused(&text),
        "the experiment has more than 16000000 values"
    );
    let define = |at: usize| format!("define a{at}(y) = [a{}(y), a{}(y)]", at - 1, at - 1);
    let text = lines("define a0(x) = [x, x]", 29, define)
        + "parent net = mlp(sea, temp, density, hidden: a29(3))\n";
    assert!(!refused(&text).is_empty());
}

#[test]
fn sweeps_are_bounded() {
    let params = "param a: Int = 1\nparam b: Int = 1";
    let of_sweeps = |form: &str| {
        let sweep = |at: usize| format!("sweep s{at} = {form}(s{})", at - 1);
        lines(
            &format!("{params}\nsweep s0 = grid(a: 1..=100000)"),
            180,
            sweep,
        )
    };
    let message = "the experiment has more than 16000000 values";
    assert_eq!(refused(&of_sweeps("zip")), message);
    assert_eq!(refused(&of_sweeps("product")), message);
    let axes = |at: usize| format!("param p{at}: Int = 1");
    let all: String = (1..=60).map(|at| format!(", p{at}: 1..=100000")).collect();
    let networks: String = (1..=25)
        .map(|at| format!("parent n{at} = mlp(sea, temp, density, epochs: p1)\n"))
        .collect();
    let sweep = format!("sweep s = random(100000{all})\n");
    let many = lines("", 60, axes) + &networks + &sweep;
    assert_eq!(refused(&many), message);
    let networks = |at: usize| format!("parent n{at} = mlp(sea, temp, density, epochs: a)");
    let many = lines(
        &format!("{params}\nsweep s = grid(a: 1..=100000)"),
        50,
        networks,
    );
    assert_eq!(refused(&many), message);
}

#[test]
fn long_names_and_texts_are_bounded() {
    let name = "x".repeat(1_000_000);
    let text = format!(
        "define twice(x) = x + x\ndefine four(x) = twice(twice(x))\npredictor p = expr(four(four(four({name}))))\n"
    );
    assert_eq!(refused(&text), "`four` expands to more than 100000 values");
}
