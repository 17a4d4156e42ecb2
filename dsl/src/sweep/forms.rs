//! What may be written in a sweep, declared as plugins are: help, hints and the reference read it.

use crate::signature::{ColumnRule, Makes, Param, Signature};
use crate::types::{Kind, Type};

/// The group of forms that list the values of a swept param.
pub const VALUES: &str = "values of a sweep";

/// The group of references to what a sweep chose.
pub const CHOICES: &str = "choice of a sweep";

/// The forms of sweeps, then the values of their params, then `best`.
pub fn signatures() -> Vec<Signature> {
    let sweep = || Makes::Kinds(vec![Kind::Sweep]);
    let value = || Makes::Value(VALUES.to_owned());
    vec![
        form(
            "grid",
            "All combinations of listed values.\n\n\
             Every other argument is a param with its values: `degree: 1..=3`, `seed: [1, 2]`. \
             The last param changes fastest. Without `minimise` or `maximise` nothing is chosen.\n\n\
             ```farcast\nsweep tuning = grid(degree: 1..=3, width: [8, 16])\n```",
            sweep(),
            ordered_aims(),
        ),
        form(
            "random",
            "Points drawn at random, each alone (Bergstra and Bengio, 2012).\n\n\
             Every other argument is a param with a range, a list or a distribution. A `seed:` is \
             not drawn: every point runs with each.\n\n\
             ```farcast\nsweep tuning = random(8, rate: log(1e-3..=1e-1), minimise: inside.rmse)\n```",
            sweep(),
            [drawn(), aims()].concat(),
        ),
        form(
            "latin",
            "A Latin hypercube: each value of each param about as often as any other (McKay, \
             Beckman and Conover, 1979).\n\n\
             Spreads few points more evenly than `random`.\n\n\
             ```farcast\nsweep tuning = latin(8, rate: log(1e-3..=1e-1), width: 4..=16)\n```",
            sweep(),
            [drawn(), aims()].concat(),
        ),
        form(
            "tpe",
            "Points that follow from the scores of earlier ones: a tree-structured Parzen \
             estimator (Bergstra and others, 2011).\n\n\
             Starts with 10 points of a Latin hypercube, then proposes 4 at a time where good \
             points are dense and others rare. Points that diverge or fail rank last, and the \
             search goes on.\n\n\
             ```farcast\nsweep tuning = tpe(12, rate: log(1e-3..=1e-1), width: 4..=16, minimise: inside.rmse)\n```",
            sweep(),
            [drawn(), one_aim()].concat(),
        ),
        form(
            "halving",
            "Successive halving: many points on a small budget, the best of them on larger ones \
             (Jamieson and Talwalkar, 2016).\n\n\
             `over` names the param that is the budget; its values grow. Each budget costs about \
             the same in all: of `count` points, `count · first / budget` run on a budget. The \
             choice is the best point on the largest budget.\n\n\
             ```farcast\nsweep tuning = halving(8, rate: log(1e-3..=1e-1), over: epochs, epochs: [2, 8], minimise: inside.rmse)\n```",
            sweep(),
            [
                drawn(),
                vec![required("over", Type::Int, "The param that is the budget")],
                one_aim(),
            ]
            .concat(),
        ),
        form(
            "product",
            "All combinations of the points of several sweeps.\n\n\
             The last sweep changes fastest. Sweeps that it takes do not run on their own.\n\n\
             ```farcast\nsweep tuning = product(grid(degree: 1..=2), latin(4, width: 4..=16))\n```",
            sweep(),
            [joined(), ordered_aims()].concat(),
        ),
        form(
            "zip",
            "The points of several sweeps side by side: the first with the first, and so on.\n\n\
             The sweeps have equally many points.\n\n\
             ```farcast\nsweep tuning = zip(grid(width: [8, 16]), grid(rate: [1e-2, 3e-3]))\n```",
            sweep(),
            [joined(), ordered_aims()].concat(),
        ),
        form(
            "log",
            "A range in which equal ratios are equally likely.\n\n\
             ```farcast\nsweep tuning = random(8, rate: log(1e-4..=1e-1))\n```",
            value(),
            vec![required(
                "range",
                Type::Range(Box::new(Type::Float)),
                "A range that starts above 0",
            )],
        ),
        form(
            "normal",
            "A normal distribution, cut off at the bounds of the param.\n\n\
             A param of whole numbers takes the nearest ones.\n\n\
             ```farcast\nsweep tuning = random(8, width: normal(8, 2))\n```",
            value(),
            vec![
                required("mean", Type::Float, "The mean, before the ends are cut off"),
                required("deviation", Type::Float, "The standard deviation, above 0"),
            ],
        ),
        form(
            "choice",
            "Listed values, some of them more likely than others.\n\n\
             ```farcast\nsweep tuning = random(8, width: choice([4, 8, 16], weights: [1, 2, 1]))\n```",
            value(),
            vec![
                required(
                    "values",
                    Type::List(Box::new(Type::Float)),
                    "The values, of any type that the param has",
                ),
                Param {
                    optional: true,
                    ..required(
                        "weights",
                        Type::List(Box::new(Type::Float)),
                        "One for each value, not below 0; all equal when left out",
                    )
                },
            ],
        ),
        form(
            "when",
            "Values that a param only has where earlier params of the same sweep allow; elsewhere \
             it keeps its default and is not part of the point.\n\n\
             The condition compares earlier params with values (`==`, `!=`, `<`, …, \
             `in [a, b]`); `and` and `or` join several.\n\n\
             ```farcast\nsweep tuning = random(8, width: 4..=16, rate: when(width > 8, 1e-3..=1e-2))\n```",
            value(),
            vec![
                required("condition", Type::Bool, "What must hold of earlier params"),
                required(
                    "values",
                    Type::List(Box::new(Type::Float)),
                    "The values: a list, a range, `log`, `normal` or `choice`",
                ),
            ],
        ),
        form(
            "best",
            "What a sweep chose: `best(tuning).degree` stands wherever a value of that param may.\n\n\
             What is made from it runs once the sweep has chosen. Points that differ in the seed \
             only count by the mean of their scores.\n\n\
             ```farcast\nsweep tuning = grid(degree: 1..=3, minimise: inside.rmse)\nchild chosen = apply(polynomial(shift, regime, degree: best(tuning).degree), unseen)\n```",
            Makes::Value(CHOICES.to_owned()),
            vec![required(
                "sweep",
                Type::Kind(Kind::Sweep),
                "A sweep with `minimise` or `maximise`",
            )],
        ),
    ]
}

fn form(name: &str, doc: &str, makes: Makes, params: Vec<Param>) -> Signature {
    Signature {
        name: name.to_owned(),
        makes,
        version: 1,
        doc: doc.to_owned(),
        params,
        random: false,
        columns: ColumnRule::None,
        members: None,
    }
}

fn required(name: &str, ty: Type, doc: &str) -> Param {
    Param {
        name: name.to_owned(),
        doc: doc.to_owned(),
        ty,
        was: None,
        default: None,
        optional: false,
        range: None,
        divides: None,
        variadic: false,
        definitions: false,
        texts: false,
        need: Default::default(),
        truth: false,
        gather: false,
        one_for_all: false,
        every_point: false,
    }
}

fn optional(name: &str, ty: Type, doc: &str) -> Param {
    Param {
        optional: true,
        ..required(name, ty, doc)
    }
}

fn drawn() -> Vec<Param> {
    let count = Param {
        range: Some("1..=100000".to_owned()),
        ..required("count", Type::Int, "How many points, at most")
    };
    let seed = "What the points follow from; the experiment's seed when left out";
    vec![count, optional("seed", Type::Int, seed)]
}

fn joined() -> Vec<Param> {
    vec![Param {
        variadic: true,
        ..required("sweeps", Type::Kind(Kind::Sweep), "The sweeps to join")
    }]
}

fn one_aim() -> Vec<Param> {
    let minimise = "The score that points are ranked by, the least first: `inside.rmse`, with a \
                    member after it if not the mean over members: `inside.rmse.median`";
    let maximise = "The same, the greatest first";
    [("minimise", minimise), ("maximise", maximise)]
        .map(|(name, doc)| optional(name, Type::Kind(Kind::Score), doc))
        .to_vec()
}

/// Of forms whose points have an order.
fn ordered_aims() -> Vec<Param> {
    let within = Param {
        range: Some("0..".to_owned()),
        ..optional(
            "within",
            Type::Float,
            "Chooses the first point whose score is at most this many standard errors worse than the \
             best: with 1, and simple points listed first, the one-standard-error rule. The error is \
             that of the best point's mean over members, in each fold of `inner`",
        )
    };
    let mut aims = aims();
    aims.push(within);
    aims
}

fn aims() -> Vec<Param> {
    let mut aims = one_aim();
    aims[0].doc.push_str(
        ". A list, `[inside.rmse, cost.seconds]`, chooses nothing but shows the points that no \
         other is better than in all of them; `cost.seconds` is what a point took to compute",
    );
    aims
}
