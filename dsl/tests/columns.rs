//! Formulas: evaluation against a scalar reference, and text that reads back as itself.

mod catalog;

use std::collections::BTreeMap;

use dsl::ast::{BinaryOp, UnaryOp};
use dsl::check::check;
use dsl::column::{ColumnExpr, FUNCTIONS, Sort};
use dsl::experiment::Value;
use proptest::prelude::*;

fn number() -> impl Strategy<Value = ColumnExpr> {
    prop_oneof![
        3 => prop_oneof![Just("temp"), Just("depth"), Just("month")]
            .prop_map(|name| ColumnExpr::Column(name.to_owned())),
        1 => prop_oneof![
            (-50i32..50).prop_map(f64::from),
            -1e3..1e3f64,
            Just(1e-7),
            Just(3e20)
        ]
        .prop_map(ColumnExpr::Number),
    ]
}

/// Expressions of a sort, as the checker makes them: constants folded.
fn expression(sort: Sort, depth: u32) -> BoxedStrategy<ColumnExpr> {
    if depth == 0 {
        return match sort {
            Sort::Number => number().boxed(),
            Sort::Truth => (number(), number())
                .prop_map(|(left, right)| binary(BinaryOp::Less, left, right))
                .boxed(),
            Sort::Time | Sort::Text => unreachable!("they have tests of their own"),
        };
    }
    let inner = move |sort| expression(sort, depth - 1);
    let pair = move |sort| (inner(sort), inner(sort));
    match sort {
        Sort::Number => {
            let operator = prop_oneof![
                Just(BinaryOp::Add),
                Just(BinaryOp::Subtract),
                Just(BinaryOp::Multiply),
                Just(BinaryOp::Divide),
                Just(BinaryOp::Remainder),
                Just(BinaryOp::Power),
            ];
            prop_oneof![
                4 => (operator, pair(Sort::Number)).prop_map(|(op, (l, r))| binary(op, l, r)),
                1 => inner(Sort::Number).prop_map(|x| unary(UnaryOp::Negate, x)),
                2 => call(Sort::Number, depth),
                1 => inner(Sort::Number),
            ]
            .boxed()
        }
        Sort::Truth => {
            let compare = prop_oneof![
                Just(BinaryOp::Equal),
                Just(BinaryOp::NotEqual),
                Just(BinaryOp::Less),
                Just(BinaryOp::LessEqual),
                Just(BinaryOp::Greater),
                Just(BinaryOp::GreaterEqual),
            ];
            let join = prop_oneof![Just(BinaryOp::And), Just(BinaryOp::Or)];
            prop_oneof![
                (compare, pair(Sort::Number)).prop_map(|(op, (l, r))| binary(op, l, r)),
                (join, pair(Sort::Truth)).prop_map(|(op, (l, r))| binary(op, l, r)),
                (
                    inner(Sort::Number),
                    proptest::collection::vec(-3i32..3, 1..4)
                )
                    .prop_map(|(value, items)| {
                        let items = items.into_iter().map(|x| ColumnExpr::Number(x.into()));
                        let items = ColumnExpr::List(items.collect());
                        binary(BinaryOp::In, value, items)
                    }),
                inner(Sort::Truth).prop_map(|x| unary(UnaryOp::Not, x)),
                call(Sort::Truth, depth),
            ]
            .boxed()
        }
        Sort::Time | Sort::Text => unreachable!("they have tests of their own"),
    }
}

fn call(returns: Sort, depth: u32) -> BoxedStrategy<ColumnExpr> {
    // Those of many rows and of times have tests of their own.
    let plain = |sort: &Sort| matches!(sort, Sort::Number | Sort::Truth);
    let of_one_row = FUNCTIONS.iter().filter(|f| !f.of_rows());
    let functions: Vec<_> = of_one_row
        .filter(|f| f.returns == returns && f.takes.iter().all(|(_, sort)| plain(sort)))
        .collect();
    proptest::sample::select(functions)
        .prop_flat_map(move |function| {
            let args: Vec<_> = function
                .takes
                .iter()
                .map(|(_, sort)| expression(*sort, depth - 1))
                .collect();
            args.prop_map(|args| ColumnExpr::Call(function.name.to_owned(), args).folded())
        })
        .boxed()
}

fn unary(op: UnaryOp, x: ColumnExpr) -> ColumnExpr {
    ColumnExpr::Unary(op, Box::new(x)).folded()
}

fn binary(op: BinaryOp, left: ColumnExpr, right: ColumnExpr) -> ColumnExpr {
    ColumnExpr::Binary(op, Box::new(left), Box::new(right)).folded()
}

const NAMES: [&str; 3] = ["temp", "depth", "month"];

/// The meaning of a formula for one row, written for reading, not for speed.
fn reference(expr: &ColumnExpr, row: [f64; 3]) -> f64 {
    let yes = |yes: bool| if yes { 1.0 } else { 0.0 };
    match expr {
        ColumnExpr::Number(value) => *value,
        ColumnExpr::Column(name) => row[NAMES.iter().position(|known| known == name).unwrap()],
        ColumnExpr::Unary(UnaryOp::Negate, x) => -reference(x, row),
        ColumnExpr::Unary(UnaryOp::Not, x) => 1.0 - reference(x, row),
        ColumnExpr::Binary(BinaryOp::In, value, items) => {
            let ColumnExpr::List(items) = &**items else {
                panic!("no list: {items:?}");
            };
            let x = reference(value, row);
            yes(items.iter().any(|item| x == reference(item, row)))
        }
        ColumnExpr::Binary(op, left, right) => {
            let (x, y) = (reference(left, row), reference(right, row));
            match op {
                BinaryOp::Or => x.max(y),
                BinaryOp::And => x.min(y),
                BinaryOp::Equal => yes(x == y),
                BinaryOp::NotEqual => yes(!x.is_nan() && !y.is_nan() && x != y),
                BinaryOp::Less => yes(x < y),
                BinaryOp::LessEqual => yes(x <= y),
                BinaryOp::Greater => yes(x > y),
                BinaryOp::GreaterEqual => yes(x >= y),
                BinaryOp::In => unreachable!("its right side is a list"),
                BinaryOp::Add => x + y,
                BinaryOp::Subtract => x - y,
                BinaryOp::Multiply => x * y,
                BinaryOp::Divide => x / y,
                // As Python's `%`: the sign of the divisor.
                BinaryOp::Remainder if y > 0.0 => match x % y {
                    rest if rest < 0.0 => rest + y,
                    rest => rest,
                },
                BinaryOp::Remainder => match x % y {
                    rest if rest > 0.0 => rest + y,
                    rest => rest,
                },
                BinaryOp::Power => x.powf(y),
            }
        }
        ColumnExpr::Call(name, args) => {
            let args: Vec<f64> = args.iter().map(|arg| reference(arg, row)).collect();
            let missing = args.iter().any(|arg| arg.is_nan());
            match (name.as_str(), args.as_slice()) {
                ("sin", [x]) => x.sin(),
                ("cos", [x]) => x.cos(),
                ("tan", [x]) => x.tan(),
                ("asin", [x]) => x.asin(),
                ("acos", [x]) => x.acos(),
                ("atan", [x]) => x.atan(),
                ("atan2", [y, x]) => y.atan2(*x),
                ("tanh", [x]) => x.tanh(),
                ("exp", [x]) => x.exp(),
                ("log", [x]) => x.ln(),
                ("log10", [x]) => x.log10(),
                ("sqrt", [x]) => x.sqrt(),
                ("abs", [x]) => x.abs(),
                ("sign", [x]) => {
                    if missing {
                        f64::NAN
                    } else {
                        yes(*x > 0.0) - yes(*x < 0.0)
                    }
                }
                ("floor", [x]) => x.floor(),
                ("ceil", [x]) => x.ceil(),
                ("round", [x]) => x.round_ties_even(),
                ("min" | "max" | "clamp", _) if missing => f64::NAN,
                ("min", [x, y]) => x.min(*y),
                ("max", [x, y]) => x.max(*y),
                ("clamp", [x, low, high]) => x.max(*low).min(*high),
                ("radians", [x]) => x.to_radians(),
                ("degrees", [x]) => x.to_degrees(),
                ("area", [x]) if x.abs() <= 90.0 => x.to_radians().cos().max(0.0),
                ("area", [_]) => f64::NAN,
                ("choose", [condition, a, b]) => {
                    if *condition == 1.0 {
                        *a
                    } else {
                        *b
                    }
                }
                ("is_missing", [x]) => yes(x.is_nan()),
                other => panic!("no reference for {other:?}"),
            }
        }
        other => panic!("no reference for {other:?}"),
    }
}

fn same(x: f64, y: f64) -> bool {
    x == y || (x.is_nan() && y.is_nan())
}

fn row() -> impl Strategy<Value = [f64; 3]> {
    let value = prop_oneof![
        5 => -100.0..100.0f64,
        2 => (-3i32..3).prop_map(f64::from),
        1 => Just(f64::NAN),
    ];
    [value.clone(), value.clone(), value]
}

/// What the checker makes of a formula written in a file.
fn read(formula: &str, sort: Sort) -> ColumnExpr {
    let text = match sort {
        Sort::Number => format!("data s = netcdf(\"a.csv\")\ndata d = derive(s, x = {formula})"),
        _ => format!("data s = netcdf(\"a.csv\")\ndata d = where(s, {formula})"),
    };
    let outside = catalog::Table(BTreeMap::new());
    let checked = check("main.farcast", &text, &[], &catalog::catalog(), &outside);
    let experiment = checked
        .experiment
        .unwrap_or_else(|| panic!("{formula}: {:?}", checked.diagnostics));
    let value = experiment.nodes[1]
        .args
        .values()
        .find_map(|argument| match &argument.value {
            Value::Formula(formula) => Some((**formula).clone()),
            Value::Definitions(definitions) => Some(definitions[0].1.clone()),
            _ => None,
        });
    value.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(500)
    })]

    #[test]
    fn columns_are_evaluated_row_by_row(
        expr in prop_oneof![expression(Sort::Number, 4), expression(Sort::Truth, 4)],
        rows in proptest::collection::vec(row(), 0..5),
    ) {
        let columns: Vec<Vec<f64>> =
            (0..3).map(|at| rows.iter().map(|row| row[at]).collect()).collect();
        let column = |name: &str| {
            let at = NAMES.iter().position(|known| *known == name)?;
            Some(columns[at].as_slice().into())
        };
        let values = expr.evaluate(rows.len(), &column).unwrap();
        prop_assert_eq!(values.len(), rows.len());
        for (value, row) in values.iter().zip(rows) {
            let expected = reference(&expr, row);
            prop_assert!(same(*value, expected), "{} at {:?}: {} {}", expr, row, value, expected);
        }
    }

    #[test]
    fn numbers_read_back(expr in expression(Sort::Number, 4)) {
        prop_assert_eq!(read(&expr.to_string(), Sort::Number), expr);
    }

    #[test]
    fn conditions_read_back(expr in expression(Sort::Truth, 4)) {
        prop_assert_eq!(read(&expr.to_string(), Sort::Truth), expr);
    }
}

#[test]
fn many_rows_have_the_values_of_few() {
    let temp: Vec<f64> = (0..20_000).map(|row| f64::from(row % 7) - 3.0).collect();
    let few = &temp[..7];
    for text in ["temp * 2.0 + abs(temp)", "max(temp, 0.5)", "1.5", "temp"] {
        let formula = read(text, Sort::Number);
        let of = |values: &[f64]| {
            let found = formula.evaluate(values.len(), &|_| Some(values.into()));
            found.unwrap_or_else(|error| panic!("{text}: {error}"))
        };
        let expected: Vec<f64> = of(few).into_iter().cycle().take(temp.len()).collect();
        assert_eq!(of(&temp), expected, "{text}");
    }
    let mean = read("temp - mean(temp)", Sort::Number);
    let found = mean
        .evaluate(temp.len(), &|_| Some(temp[..].into()))
        .unwrap();
    assert!(found.iter().sum::<f64>().abs() < 1e-6);
    let wrong = read("temp", Sort::Number).evaluate(20_000, &|_| Some(few.into()));
    assert_eq!(
        wrong,
        Err("column `temp` has another number of rows".to_owned())
    );
}

#[test]
fn parentheses_stand_only_where_needed() {
    for text in [
        "(temp + depth) * month",
        "temp - (depth - month)",
        "temp - depth - month",
        "-temp ^ 2.0",
        "(-temp) ^ 2.0",
        "temp ^ depth ^ month",
        "(temp ^ depth) ^ month",
        "temp ^ (-1.0)",
        "(-1.0) ^ temp",
    ] {
        assert_eq!(read(text, Sort::Number).to_string(), text);
    }
    for text in [
        "not temp > 1.0 and depth < 2.0",
        "not (temp > 1.0 and depth < 2.0)",
        "temp > 1.0 and (depth > 1.0 or month > 1.0)",
    ] {
        assert_eq!(read(text, Sort::Truth).to_string(), text);
    }
}

#[test]
fn what_cannot_be_evaluated_is_said() {
    let unknown = ColumnExpr::Column("x".to_owned());
    assert_eq!(
        unknown.evaluate(1, &|_| None),
        Err("the data have no column `x`".to_owned())
    );
    let deep = (0..1000).fold(unknown, |inner, _| {
        ColumnExpr::Unary(UnaryOp::Negate, Box::new(inner))
    });
    assert!(
        deep.evaluate(1, &|_| Some([1.0].as_slice().into()))
            .unwrap_err()
            .contains("deep")
    );
}
