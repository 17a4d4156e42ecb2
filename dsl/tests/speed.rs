//! Checking is fast enough to run at every key stroke.

mod catalog;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;

use dsl::check::check;

fn seconds(text: &str) -> (f64, usize) {
    let (catalog, outside) = (catalog::catalog(), catalog::Table(BTreeMap::new()));
    let run = || {
        let start = Instant::now();
        let checked = check("main.farcast", text, &[], &catalog, &outside);
        let seconds = start.elapsed().as_secs_f64();
        assert!(
            checked.experiment.is_some(),
            "{:?}",
            checked.diagnostics.first()
        );
        (
            seconds,
            checked
                .experiment
                .map_or(0, |experiment| experiment.nodes.len()),
        )
    };
    // The fastest of several, as other work on the machine only slows it down.
    let runs: Vec<(f64, usize)> = (0..7).map(|_| run()).collect();
    runs.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)).unwrap()
}

#[test]
#[cfg_attr(debug_assertions, ignore = "only optimised builds are fast")]
fn a_thousand_statements_take_little_time() {
    let mut text = "data sea = netcdf(\"a.nc\")\n".to_owned();
    for at in 0..250 {
        writeln!(
            text,
            "data d{at} = where(sea, depth < {at} km and temp > 2 * {at})\n\
             parent n{at} = mlp(d{at}, [temp, salt], density, hidden: [8, {}], epochs: 20)\n\
             subset w{at} = window(d{at}, by: depth, count: 16)\n\
             anomaly a{at} = finetune(n{at}, w{at}, optimizer: sgd(rate: 1e-2), mix: 20 %)",
            at + 1
        )
        .unwrap();
    }
    let (seconds, nodes) = seconds(&text);
    assert_eq!(nodes, 1001);
    assert!(seconds < 0.02, "{seconds} s");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "only optimised builds are fast")]
fn statements_in_any_order_do_not_overflow() {
    let mut text = String::new();
    for at in (1..3000).rev() {
        writeln!(text, "data d{at} = where(d{}, depth < {at})", at - 1).unwrap();
    }
    text += "data d0 = netcdf(\"a.nc\")\nscore s = compare(mlp(d2999, temp, density), on: d0)\n";
    assert_eq!(seconds(&text).1, 3002);
}

#[test]
#[cfg_attr(debug_assertions, ignore = "only optimised builds are fast")]
fn large_sweeps_share_what_they_can() {
    let text = "param width: Int = 1\nparam degree: Int = 1\n\
        data sea = netcdf(\"a.nc\")\n\
        parent net = mlp(sea, temp, density, hidden: width)\n\
        subset near = window(sea, depth)\n\
        anomaly shift = finetune(net, near)\n\
        regression r = polynomial(shift, columns(depth), degree: degree)\n\
        score s = compare(net, apply(r, sea), on: sea)\n\
        sweep t = grid(width: 1..=100, seed: 1..=20, degree: 1..=5)\n\
        report page = page(s)\n";
    let (seconds, nodes) = seconds(text);
    // Data, windows, predictor, report; 2000 networks and anomalies; 10 000 of the rest.
    assert_eq!(nodes, 4 + 2 * 2000 + 3 * 10_000);
    assert!(seconds < 1.0, "{seconds} s");
}
