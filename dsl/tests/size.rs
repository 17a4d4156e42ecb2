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
