//! Signatures like those of the real plugins, and data files that exist only here.

use std::collections::BTreeMap;

use dsl::calendar::{Calendar, TimeUnit};
use dsl::check::Outside;
use dsl::experiment::{Arguments, NodeId, Value};
use dsl::facts::{About, Complaint, Examined, Facts};
use dsl::signature::{Catalog, ColumnRule, Makes, Need, Param, Signature};
use dsl::sweep::search::{Finding, Method, Proposal, Search};
use dsl::sweep::space::Setting;
use dsl::types::{ColumnInfo, Content, Kind, Over, Schema, Type};

/// A parameter without default.
fn param(name: &str, ty: Type) -> Param {
    Param {
        name: name.to_owned(),
        was: None,
        doc: String::new(),
        ty,
        default: None,
        optional: false,
        range: None,
        divides: None,
        variadic: false,
        definitions: false,
        texts: false,
        need: Need::Here,
        truth: false,
        gather: false,
        one_for_all: false,
        every_point: false,
    }
}

fn with_default(name: &str, ty: Type, default: &str) -> Param {
    Param {
        default: Some(default.to_owned()),
        ..param(name, ty)
    }
}

fn ranged(name: &str, ty: Type, default: &str, range: &str) -> Param {
    Param {
        range: Some(range.to_owned()),
        ..with_default(name, ty, default)
    }
}

fn optional(name: &str, ty: Type) -> Param {
    Param {
        optional: true,
        ..param(name, ty)
    }
}

fn list(ty: Type) -> Type {
    Type::List(Box::new(ty))
}

fn words(words: &[&str]) -> Type {
    Type::Word(words.iter().map(|word| (*word).to_owned()).collect())
}

fn made(group: &str) -> Type {
    Type::Constructed(group.to_owned())
}

fn plugin(name: &str, kind: Kind, params: Vec<Param>) -> Signature {
    Signature {
        name: name.to_owned(),
        makes: Makes::Kinds(vec![kind]),
        version: 1,
        doc: String::new(),
        params,
        random: false,
        columns: ColumnRule::None,
        members: None,
    }
}

fn constructor(name: &str, group: &str, params: Vec<Param>) -> Signature {
    Signature {
        makes: Makes::Value(group.to_owned()),
        ..plugin(name, Kind::Data, params)
    }
}

fn source(name: &str, params: Vec<Param>) -> Signature {
    Signature {
        columns: ColumnRule::Source,
        ..plugin(name, Kind::Data, params)
    }
}

/// The plugins of the language cases.
pub fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    let data = || param("data", Type::Kind(Kind::Data));
    let truth = |param: Param| Param {
        truth: true,
        ..param
    };
    let need = |need, param| Param { need, ..param };
    let all = [
        source("csv", vec![param("path", Type::Path)]),
        source(
            "netcdf",
            vec![
                param("path", Type::Path),
                with_default("inputs", list(Type::Column), "[]"),
                with_default("coords", list(Type::Column), "[]"),
            ],
        ),
        Signature {
            random: true,
            ..source(
                "synthetic",
                vec![with_default(
                    "noise",
                    Type::Quantity("m".to_owned()),
                    "1 cm",
                )],
            )
        },
        Signature {
            columns: ColumnRule::Like("data".to_owned()),
            ..plugin(
                "where",
                Kind::Data,
                vec![data(), param("condition", Type::Condition(Over::Columns))],
            )
        },
        Signature {
            columns: ColumnRule::Extend("data".to_owned()),
            ..plugin(
                "derive",
                Kind::Data,
                vec![
                    data(),
                    Param {
                        definitions: true,
                        ..param("definitions", list(Type::Formula(Over::Columns)))
                    },
                    with_default("by", list(Type::Column), "[]"),
                ],
            )
        },
        Signature {
            columns: ColumnRule::Groups("by".to_owned()),
            ..plugin(
                "aggregate",
                Kind::Data,
                vec![
                    data(),
                    param("by", list(Type::Column)),
                    Param {
                        definitions: true,
                        ..param("definitions", list(Type::Formula(Over::Columns)))
                    },
                ],
            )
        },
        Signature {
            random: true,
            members: Some("members".to_owned()),
            ..plugin(
                "mlp",
                Kind::Parent,
                vec![
                    truth(data()),
                    need(Need::Always, param("inputs", list(Type::Column))),
                    need(Need::Truth, param("target", Type::Column)),
                    ranged("hidden", list(Type::Int), "[16]", "1..=4096"),
                    with_default("activation", words(&["tanh", "relu"]), "tanh"),
                    with_default("optimizer", made("Optimizer"), "adam()"),
                    ranged("epochs", Type::Int, "20", "1..=100000"),
                    ranged("members", Type::Int, "1", "1..=1000"),
                    optional("limit", Type::Duration),
                ],
            )
        },
        plugin(
            "transformer",
            Kind::Parent,
            vec![
                truth(data()),
                need(Need::Always, param("inputs", list(Type::Column))),
                need(Need::Truth, param("target", Type::Column)),
                with_default("width", Type::Int, "16"),
                Param {
                    divides: Some("width".to_owned()),
                    ..with_default("heads", Type::Int, "2")
                },
                Param {
                    was: Some("wide".to_owned()),
                    ..with_default("feedforward", Type::Int, "32")
                },
            ],
        ),
        plugin(
            "window",
            Kind::Subset,
            vec![
                data(),
                param("by", Type::Column),
                ranged("count", Type::Int, "256", "1.."),
                ranged("size", Type::Int, "400", "1.."),
            ],
        ),
        Signature {
            random: true,
            makes: Makes::Kinds(vec![Kind::Anomaly, Kind::Trajectory]),
            ..plugin(
                "finetune",
                Kind::Anomaly,
                vec![
                    param("parent", Type::Kind(Kind::Parent)),
                    truth(param("subsets", Type::Kind(Kind::Subset))),
                    with_default("optimizer", made("Optimizer"), "sgd()"),
                    ranged("steps", Type::Int, "200", "1..=1000000"),
                    ranged("mix", Type::Float, "0.5", "0..=1"),
                ],
            )
        },
        Signature {
            makes: Makes::Kinds(vec![Kind::Weights, Kind::Parent, Kind::Child]),
            ..plugin(
                "combine",
                Kind::Weights,
                vec![
                    param("terms", list(Type::Kind(Kind::Weights))),
                    param("factors", list(Type::Float)),
                ],
            )
        },
        plugin(
            "average",
            Kind::Weights,
            vec![param("weights", Type::Kind(Kind::Weights))],
        ),
        Signature {
            makes: Makes::Kinds(vec![Kind::Parent, Kind::Weights]),
            members: Some("count".to_owned()),
            ..plugin(
                "members",
                Kind::Parent,
                vec![
                    param("weights", Type::Kind(Kind::Weights)),
                    ranged("count", Type::Int, "2", "1.."),
                ],
            )
        },
        plugin(
            "record",
            Kind::Trajectory,
            vec![
                param("parent", Type::Kind(Kind::Parent)),
                ranged(
                    "every",
                    Type::Quantity("steps".to_owned()),
                    "10 steps",
                    "1..",
                ),
            ],
        ),
        plugin(
            "persistence",
            Kind::Farcast,
            vec![
                param("trajectory", Type::Kind(Kind::Trajectory)),
                with_default("observe", Type::Range(Box::new(Type::Int)), "0..=50"),
            ],
        ),
        plugin(
            "columns",
            Kind::Predictor,
            vec![Param {
                variadic: true,
                ..need(Need::Always, param("columns", list(Type::Column)))
            }],
        ),
        plugin(
            "expr",
            Kind::Predictor,
            vec![Param {
                variadic: true,
                ..need(
                    Need::Always,
                    param("formulas", list(Type::Formula(Over::Columns))),
                )
            }],
        ),
        plugin(
            "polynomial",
            Kind::Regression,
            vec![
                param("anomalies", Type::Kind(Kind::Anomaly)),
                param("predictors", Type::Kind(Kind::Predictor)),
                ranged("degree", Type::Int, "2", "1..=9"),
                optional("keep", Type::Condition(Over::Names(vec!["snr".to_owned()]))),
            ],
        ),
        plugin(
            "apply",
            Kind::Child,
            vec![
                param("regression", Type::Kind(Kind::Regression)),
                param("data", Type::Kind(Kind::Data)),
            ],
        ),
        plugin(
            "blend",
            Kind::Child,
            vec![
                param("first", Type::Kind(Kind::Child)),
                param("second", Type::Kind(Kind::Child)),
            ],
        ),
        plugin(
            "compare",
            Kind::Score,
            vec![
                Param {
                    variadic: true,
                    gather: true,
                    ..param(
                        "models",
                        list(Type::OneOf(vec![
                            Type::Kind(Kind::Parent),
                            Type::Kind(Kind::Child),
                        ])),
                    )
                },
                truth(param("on", Type::Kind(Kind::Data))),
                with_default("metrics", list(words(&["rmse", "mae", "bias"])), "[rmse]"),
            ],
        ),
        plugin(
            "page",
            Kind::Report,
            vec![
                Param {
                    variadic: true,
                    gather: true,
                    ..param("scores", list(Type::Kind(Kind::Score)))
                },
                with_default("plots", list(made("Plot")), "[]"),
                with_default("title", Type::String, "\"\""),
            ],
        ),
        constructor("parity", "Plot", vec![]),
        constructor("error", "Plot", vec![param("by", Type::Column)]),
        constructor(
            "adam",
            "Optimizer",
            vec![ranged("rate", Type::Float, "1e-3", "0..")],
        ),
        constructor(
            "sgd",
            "Optimizer",
            vec![ranged("rate", Type::Float, "1e-2", "0..")],
        ),
    ];
    all.into_iter().for_each(|signature| catalog.add(signature));
    catalog
}

/// Files by path; any `*.nc` and `*.csv` but `missing.*` holds ocean data, `times.*` with times.
pub struct Table(pub BTreeMap<String, String>);

impl Outside for Table {
    fn read(&self, path: &str) -> Result<String, String> {
        self.0
            .get(path)
            .cloned()
            .ok_or_else(|| "no such file".to_owned())
    }

    fn examine<'a>(
        &self,
        plugin: &str,
        _: Kind,
        args: &Arguments,
        _: &'a dyn Fn(NodeId) -> About<'a>,
    ) -> Examined {
        let value = |name: &str| args.get(name).map(|argument| &argument.value);
        let complaints = match (plugin, value("size"), value("optimizer")) {
            ("window", Some(Value::Int(1)), _) => {
                vec![Complaint::at("size", "expected two rows or more, found 1").with_hint("say 2")]
            }
            ("finetune", _, Some(Value::Constructed(made))) => {
                let rate = made.args.get("rate").map(|rate| &rate.value);
                let is_high = matches!(rate, Some(Value::Float(rate)) if *rate > 1.0);
                let warning = Complaint::at("optimizer.rate", "the rate is high").as_warning();
                Vec::from_iter(is_high.then_some(warning))
            }
            _ => Vec::new(),
        };
        let facts = Facts::default();
        Examined { complaints, facts }
    }

    fn schema(&self, _: &str, args: &Arguments) -> Result<Schema, Complaint> {
        let path = match args.get("path").map(|argument| &argument.value) {
            Some(Value::Path(path)) => path.as_str(),
            _ => "",
        };
        if path.contains("missing") {
            let message = format!("cannot read `{path}`");
            return Err(Complaint::at("path", message).with_hint("look for the file"));
        }
        let unit = |unit: &str| (!path.ends_with(".csv")).then(|| unit.to_owned());
        let column = |(name, text): &(&str, &str)| ColumnInfo::numbers(*name, unit(text));
        let columns = [
            ("temp", "degC"),
            ("salt", "psu"),
            ("density", "kg m-3"),
            ("depth", "m"),
            ("pressure", "dbar"),
            ("lat", "degrees_north"),
            ("lon", "degrees_east"),
            ("month", "months"),
            ("e", "1"),
        ];
        let times = [("time", "hours since 1980-01-14 14:00:00")];
        let times = times.iter().filter(|_| path.contains("times"));
        let mut columns: Vec<ColumnInfo> = columns.iter().chain(times).map(column).collect();
        if path.contains("stations") {
            let day = |name: &str, calendar| ColumnInfo {
                name: name.to_owned(),
                unit: Some(TimeUnit::days(calendar).text()),
                content: Content::Time(TimeUnit::days(calendar)),
                single: false,
            };
            columns.push(day("time", Calendar::Standard));
            columns.push(day("model_time", Calendar::NoLeap));
            columns.push(ColumnInfo::texts("station"));
            columns.push(ColumnInfo::numbers("2t", Some("K".to_owned())));
            columns.push(ColumnInfo::numbers("TEMP-SFC", None));
            columns.push(ColumnInfo {
                single: true,
                ..ColumnInfo::numbers("lat32", Some("degrees_north".to_owned()))
            });
        }
        Ok(Schema { columns })
    }

    /// Points at even distances, on each budget the better half of those before.
    fn propose(&self, search: &Search, score: &mut dyn FnMut(&[Setting]) -> Finding) -> Proposal {
        let share = |at: usize| (at as f64 + 0.5) / search.count as f64;
        let evenly = (0..search.count).map(|at| search.space.point(|_| share(at)));
        let mut points: Vec<Vec<Setting>> = evenly.collect();
        let Method::Halving(budgets) = &search.method else {
            return points.into();
        };
        let mut proposal = Proposal::default();
        for (rung, budget) in budgets.iter().enumerate() {
            let budget = Some(Value::Int(*budget));
            let on_budget = points
                .iter()
                .map(|point| [point, [budget.clone()].as_slice()].concat());
            let on_budget: Vec<_> = on_budget.collect();
            let costs: Vec<Finding> = on_budget.iter().map(|point| score(point)).collect();
            proposal.points.extend(on_budget);
            if costs.contains(&Finding::Unknown) {
                proposal.to_come = budgets.len() - rung - 1;
                break;
            }
            let mut ranked: Vec<_> = costs.iter().zip(points).collect();
            ranked.sort_by(|(one, _), (other, _)| one.cost().total_cmp(&other.cost()));
            ranked.truncate(ranked.len().div_ceil(2));
            points = ranked.into_iter().map(|(_, point)| point).collect();
        }
        proposal
    }
}
