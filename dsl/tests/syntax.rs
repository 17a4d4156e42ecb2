//! Reading and formatting, for any tree and any bytes: nothing is lost, nothing panics.

mod tokens;

use dsl::ast::{
    Arg, BinaryOp, DefineParam, Expr, ExprKind, File, Item, ItemKind, Name, OpSpan, PluginItem,
    PluginOption, PluginParam, Text, TypeExpr, UnaryOp,
};
use dsl::calendar::DateTime;
use dsl::diagnostic::{Code, Diagnostic};
use dsl::format::format;
use dsl::name::written;
use dsl::parse::{MAX_ERRORS, MAX_HEIGHT, MAX_NESTING, MAX_TEXT, parse};
use dsl::source::{FileId, Span};
use proptest::prelude::*;

const VALID: &str = r#"# The parent knows only the upper kilometre.
experiment "Sea-water density below the training depth"

use "common/ocean.farcast" as ocean            # shared definitions

param width:  Int = 16 in 4..=128
param degree: Int = 2  in 1..=3
seed = 7

define scaled(x, by = 2 km) = (x - mean(x)) / by ^ 2

data casts = netcdf("data/levitus.nc", inputs: [temp, salt], coords: [depth, lat, lon])
data sea   = derive(casts, p = pressure(depth, lat), density = ocean.eos80(salt, temp, p))
data upper = where(sea, depth <= 1 km and not (lat > -3e1 or lon == 20 %))  # “near”

parent net = mlp(upper, inputs: [temp, salt], target: density, hidden: [width, width],
                 # what trains it
                 activation: tanh, optimizer: adam(rate: 3e-3), epochs: 60, members: 20)
sweep tuning = grid(degree: [1, 2], width: [8, 16, 32], seed: 1..=5 step 2)
"#;

use tokens::TOKENS;

fn read(text: &str) -> (File, Vec<Diagnostic>) {
    parse(FileId(0), text)
}

/// Everything that must hold of any text at all.
fn check_any(text: &str) {
    let (file, diagnostics) = read(text);
    for diagnostic in &diagnostics {
        assert!(
            !diagnostic.message.contains(['\n', '\r', '\0']),
            "{diagnostic:?}"
        );
        assert!(!diagnostic.labels.is_empty(), "{diagnostic:?}");
        for label in &diagnostic.labels {
            let range = label.span.start as usize..label.span.end as usize;
            assert!(text.get(range).is_some(), "{diagnostic:?}");
        }
    }
    match format(text) {
        Err(errors) => assert_eq!(errors, diagnostics),
        Ok(formatted) => {
            assert_eq!(diagnostics, []);
            let (again, errors) = read(&formatted);
            assert_eq!(errors, [], "{formatted}");
            assert_eq!(again.items, file.items, "{formatted}");
            assert_eq!(
                placed_comments(&again),
                placed_comments(&file),
                "{formatted}"
            );
            assert_eq!(format(&formatted).as_ref(), Ok(&formatted));
        }
    }
}

/// Every comment in order, with how many items end before it. One in an item may move before the
/// thing it is about, never past another comment, nor into another item.
fn placed_comments(file: &File) -> Vec<(&str, usize)> {
    let comments = file.comments.iter();
    let placed = comments.map(|comment| {
        let ended = |item: &&Item| item.span.end <= comment.span.start;
        let before = file.items.iter().filter(ended).count();
        (comment.text.as_str(), before)
    });
    placed.collect()
}

// ---------------------------------------------------------------- trees

fn name(text: impl Into<String>) -> Name {
    let text = text.into();
    Name {
        text,
        span: Span::default(),
    }
}

fn expr(kind: ExprKind) -> Expr {
    Expr {
        kind,
        span: Span::default(),
    }
}

fn a_name() -> impl Strategy<Value = Name> {
    let reserved = ["and", "or", "not", "in", "as", "true", "false"];
    prop_oneof![Just("step".to_owned()), "[a-zA-Z_][a-z0-9_]{0,5}"]
        .prop_filter("reserved", move |word| !reserved.contains(&word.as_str()))
        .prop_map(name)
}

/// The name of a column, which may be no identifier.
fn a_word() -> impl Strategy<Value = Name> {
    let quoted = prop_oneof!["[ -_a-~é]{1,6}", "in|true|2t|TEMP-SFC|group/name"];
    prop_oneof![3 => a_name(), 1 => quoted.prop_map(name)]
}

fn a_date() -> impl Strategy<Value = DateTime> {
    let times = prop_oneof![Just(0), 0..86_400_000_000_i64];
    (-9999..9999_i64, 1..=12_u8, 1..=31_u8, times).prop_map(|(year, month, day, micros)| DateTime {
        micros,
        ..DateTime::midnight(year, month, day)
    })
}

fn a_unit() -> impl Strategy<Value = Option<Name>> {
    prop::option::of(prop_oneof!["%", "km|steps|°C|µm|kg/m\\^3|m\\*s\\^-2|m/s2"].prop_map(name))
}

fn some_text() -> impl Strategy<Value = String> {
    "[ -~é深\n\t]{0,12}"
}

fn a_leaf() -> impl Strategy<Value = ExprKind> {
    prop_oneof![
        (0..=i64::MAX, a_unit()).prop_map(|(value, unit)| ExprKind::Int { value, unit }),
        (0.0..f64::MAX, a_unit()).prop_map(|(value, unit)| ExprKind::Float { value, unit }),
        (0.0..2.0, a_unit()).prop_map(|(value, unit)| ExprKind::Float { value, unit }),
        any::<bool>().prop_map(ExprKind::Bool),
        some_text().prop_map(ExprKind::Text),
        prop::collection::vec(a_word(), 1..3).prop_map(ExprKind::Name),
        a_date().prop_map(ExprKind::Date),
    ]
}

const OPERATORS: [BinaryOp; 15] = [
    BinaryOp::In,
    BinaryOp::Or,
    BinaryOp::And,
    BinaryOp::Equal,
    BinaryOp::NotEqual,
    BinaryOp::Less,
    BinaryOp::LessEqual,
    BinaryOp::Greater,
    BinaryOp::GreaterEqual,
    BinaryOp::Add,
    BinaryOp::Subtract,
    BinaryOp::Multiply,
    BinaryOp::Divide,
    BinaryOp::Remainder,
    BinaryOp::Power,
];

fn an_expr() -> impl Strategy<Value = Expr> {
    a_leaf().prop_map(expr).prop_recursive(6, 40, 5, |inner| {
        let operand = inner.clone().prop_map(Box::new);
        prop_oneof![
            2 => prop::collection::vec(inner.clone(), 0..5).prop_map(ExprKind::List),
            3 => (prop::collection::vec(a_name(), 1..3), prop::collection::vec(an_arg(inner.clone()), 0..5))
                .prop_map(|(callee, args)| ExprKind::Call { callee, args }),
            1 => (a_name(), prop::collection::vec(an_arg(inner.clone()), 0..3), prop::collection::vec(a_name(), 1..3))
                .prop_map(|(callee, args, path)| {
                    let callee = vec![callee];
                    ExprKind::Part { whole: Box::new(expr(ExprKind::Call { callee, args })), path }
                }),
            1 => (prop::option::of(operand.clone()), operand.clone(), any::<bool>(), prop::option::of(operand.clone()))
                .prop_map(|(start, end, inclusive, step)| ExprKind::Range { start, end: Some(end), inclusive, step }),
            1 => (operand.clone(), prop::option::of(operand.clone()))
                .prop_map(|(start, step)| ExprKind::Range { start: Some(start), end: None, inclusive: false, step }),
            2 => (any::<bool>(), operand.clone()).prop_map(|(negate, operand)| ExprKind::Unary {
                op: if negate { UnaryOp::Negate } else { UnaryOp::Not },
                operand,
            }),
            4 => (prop::sample::select(&OPERATORS), operand.clone(), operand).prop_map(|(op, left, right)| {
                let op_span = OpSpan(Span::default());
                ExprKind::Binary { op, op_span, left, right }
            }),
        ]
        .prop_map(expr)
    })
}

fn an_arg(value: impl Strategy<Value = Expr>) -> impl Strategy<Value = Arg> {
    (0..3, a_word(), value).prop_map(|(form, name, value)| match form {
        0 => Arg::Positional(value),
        1 => Arg::Named { name, value },
        _ => Arg::New { name, value },
    })
}

fn a_type() -> impl Strategy<Value = TypeExpr> {
    let of = |name: Name, args| TypeExpr {
        name,
        args,
        span: Span::default(),
    };
    let leaf = prop_oneof!["Int|Word|m/s", "%"].prop_map(move |text| of(name(text), Vec::new()));
    leaf.prop_recursive(3, 6, 2, move |inner| {
        let head = prop_oneof!["List|Range|Quantity"].prop_map(name);
        (head, inner).prop_map(move |(head, arg)| of(head, vec![arg]))
    })
}

fn a_plugin_param() -> impl Strategy<Value = PluginParam> {
    let types = prop::collection::vec(a_type(), 1..3);
    let default = prop::option::of(an_expr());
    let bounds = prop::option::of(an_expr());
    (a_name(), any::<bool>(), types, default, bounds).prop_map(
        |(name, optional, types, default, bounds)| PluginParam {
            name,
            optional,
            types,
            default,
            bounds,
            span: Default::default(),
        },
    )
}

fn an_option() -> impl Strategy<Value = Vec<PluginOption>> {
    let value = prop::collection::vec(a_name(), 0..3);
    let option = (a_name(), value).prop_map(|(name, value)| PluginOption { name, value });
    prop::collection::vec(option, 0..3)
}

fn an_item() -> impl Strategy<Value = Item> {
    let text = || {
        some_text().prop_map(|value| Text {
            value,
            span: Span::default(),
        })
    };
    let form = prop_oneof![
        1 => (text(), prop::collection::vec(an_arg(an_expr()), 0..3))
            .prop_map(|(title, about)| ItemKind::Experiment { title, about }),
        1 => (text(), a_name()).prop_map(|(path, name)| ItemKind::Use { path, name }),
        2 => (a_name(), a_type(), an_expr(), prop::option::of(an_expr())).prop_map(
            |(name, ty, default, bounds)| ItemKind::Param { name, ty: Some(ty), default, bounds }),
        1 => an_expr().prop_map(
            |default| ItemKind::Param { name: name("seed"), ty: None, default, bounds: None }),
        2 => (a_name(), prop::collection::vec((a_name(), prop::option::of(an_expr())), 0..3), an_expr())
            .prop_map(|(name, params, body)| {
                let params = params.into_iter();
                let params = params.map(|(name, default)| DefineParam { name, default }).collect();
                ItemKind::Define { name, params, body }
            }),
        2 => (a_name(), prop::collection::vec(a_plugin_param(), 0..3), a_name(), text(), an_option())
            .prop_map(|(name, params, makes, from, options)| {
                ItemKind::Plugin(PluginItem { name, params, makes, from, options })
            }),
        4 => (prop_oneof!["data|parent|sweep|seed|unheard_of"].prop_map(name), a_name(), an_expr())
            .prop_map(|(keyword, name, value)| ItemKind::Statement { keyword, name, value }),
    ];
    form.prop_map(|kind| Item {
        kind,
        span: Span::default(),
    })
}

// ---------------------------------------------------------------- trees as text

/// Writes a tree with every parenthesis there can be and any blanks, lines and comments.
struct Writer {
    out: String,
    depth: usize,
    /// Drawn from for what goes between tokens.
    dice: u64,
    comments: usize,
}

impl Writer {
    fn roll(&mut self) -> u64 {
        self.dice = self
            .dice
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        self.dice >> 59
    }

    fn comment(&mut self) -> String {
        self.comments += 1;
        format!("# nr {}", self.comments)
    }

    fn gap(&mut self) {
        let gap = match self.roll() {
            _ if self.depth == 0 => " ".to_owned(),
            0 => "\n\n \r\n".to_owned(),
            1 => format!("  {}\n   ", self.comment()),
            2 => format!("\n{}\n\n{}\n", self.comment(), self.comment()),
            3..6 => "\n".to_owned(),
            6..9 => "\t".to_owned(),
            _ => " ".to_owned(),
        };
        self.out.push_str(&gap);
    }

    /// A gap where the item goes on whatever follows: in brackets, or beside an operator.
    fn open_gap(&mut self) {
        self.depth += 1;
        self.gap();
        self.depth -= 1;
    }

    fn token(&mut self, token: &str) {
        if matches!(token, ")" | "]") {
            self.depth -= 1;
        }
        self.out.push_str(token);
        if matches!(token, "(" | "[") {
            self.depth += 1;
        }
        match token {
            // A `%` at the end of a line is a unit.
            "=" | ":" | "in" | "as" | "-" | "not" => self.open_gap(),
            operator if operator != "%" && OPERATORS.iter().any(|op| op.symbol() == operator) => {
                self.open_gap();
            }
            _ => self.gap(),
        }
    }

    fn text(&mut self, value: &str) {
        let escape = |character| match character {
            '"' => "\\\"".to_owned(),
            '\\' => "\\\\".to_owned(),
            '\n' => "\\n".to_owned(),
            other => String::from(other),
        };
        let inner: String = value.chars().map(escape).collect();
        self.token(&format!("\"{inner}\""));
    }

    fn path(&mut self, path: &[Name]) {
        let names: Vec<_> = path.iter().map(|name| written(&name.text)).collect();
        self.token(&names.join("."));
    }

    fn in_parens(&mut self, expr: &Expr) {
        self.token("(");
        self.expr(expr);
        self.token(")");
    }

    fn separated<T>(&mut self, things: &[T], mut write: impl FnMut(&mut Self, &T)) {
        for (index, thing) in things.iter().enumerate() {
            write(self, thing);
            if index + 1 < things.len() || self.roll() < 16 {
                self.token(",");
            }
        }
    }

    fn number(&mut self, number: String, unit: Option<&Name>) {
        let unit = unit.map_or(String::new(), |unit| format!(" {}", unit.text));
        self.token(&(number + &unit));
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Int { value, unit } => self.number(value.to_string(), unit.as_ref()),
            ExprKind::Float { value, unit } => self.number(format!("{value:?}"), unit.as_ref()),
            ExprKind::Bool(value) => self.token(&value.to_string()),
            ExprKind::Date(date) => self.token(&date.to_string()),
            ExprKind::Text(value) => self.text(value),
            ExprKind::Name(path) => self.path(path),
            ExprKind::List(elements) => {
                self.token("[");
                self.separated(elements, Self::expr);
                self.token("]");
            }
            ExprKind::Call { callee, args } => {
                self.path(callee);
                self.token("(");
                self.separated(args, Self::arg);
                self.token(")");
            }
            ExprKind::Part { whole, path } => {
                let ExprKind::Call { callee, args } = &whole.kind else {
                    return;
                };
                self.path(callee);
                self.token("(");
                self.separated(args, Self::arg);
                self.depth -= 1;
                // Nothing stands between the bracket and the point.
                self.out.push_str(").");
                self.path(path);
            }
            ExprKind::Range {
                start,
                end,
                inclusive,
                step,
            } => {
                if let Some(start) = start {
                    self.in_parens(start);
                }
                self.token(if *inclusive { "..=" } else { ".." });
                if let Some(end) = end {
                    self.in_parens(end);
                }
                if let Some(step) = step {
                    self.token("step");
                    self.in_parens(step);
                }
            }
            ExprKind::Unary { op, operand } => {
                self.token(if *op == UnaryOp::Negate { "-" } else { "not" });
                self.in_parens(operand);
            }
            ExprKind::Binary {
                op, left, right, ..
            } => {
                self.in_parens(left);
                self.open_gap();
                self.token(op.symbol());
                self.in_parens(right);
            }
        }
    }

    fn arg(&mut self, arg: &Arg) {
        if let Arg::Named { name, .. } | Arg::New { name, .. } = arg {
            self.token(&written(&name.text));
            self.token(if matches!(arg, Arg::Named { .. }) {
                ":"
            } else {
                "="
            });
        }
        self.expr(arg.value());
    }

    fn type_expr(&mut self, ty: &TypeExpr) {
        self.token(&ty.name.text);
        if !ty.args.is_empty() {
            self.token("(");
            self.separated(&ty.args, Self::type_expr);
            self.token(")");
        }
    }

    fn item(&mut self, item: &Item) {
        match &item.kind {
            ItemKind::Experiment { title, about } => {
                self.token("experiment");
                self.text(&title.value);
                if !about.is_empty() {
                    self.token("(");
                    self.separated(about, Self::arg);
                    self.token(")");
                }
            }
            ItemKind::Use { path, name } => {
                self.token("use");
                self.text(&path.value);
                self.token("as");
                self.token(&name.text);
            }
            ItemKind::Param {
                name,
                ty,
                default,
                bounds,
            } => {
                if let Some(ty) = ty {
                    self.token("param");
                    self.token(&name.text);
                    self.token(":");
                    self.type_expr(ty);
                } else {
                    self.token("seed");
                }
                self.token("=");
                // An `in` outside of brackets would begin the bounds.
                self.in_parens(default);
                if let Some(bounds) = bounds {
                    self.token("in");
                    self.expr(bounds);
                }
            }
            ItemKind::Define { name, params, body } => {
                self.token("define");
                self.token(&name.text);
                self.token("(");
                self.separated(params, |writer, param| {
                    writer.token(&param.name.text);
                    if let Some(default) = &param.default {
                        writer.token("=");
                        writer.expr(default);
                    }
                });
                self.token(")");
                self.token("=");
                self.expr(body);
            }
            ItemKind::Plugin(plugin) => {
                self.token("plugin");
                self.token(&plugin.name.text);
                self.token("(");
                self.separated(&plugin.params, |writer, param| {
                    writer.token(&param.name.text);
                    if param.optional {
                        // Without blanks before it.
                        writer.out.push('?');
                    }
                    writer.token(":");
                    for (at, ty) in param.types.iter().enumerate() {
                        if at > 0 {
                            writer.token("|");
                        }
                        writer.type_expr(ty);
                    }
                    if let Some(default) = &param.default {
                        writer.token("=");
                        writer.in_parens(default);
                    }
                    if let Some(bounds) = &param.bounds {
                        writer.token("in");
                        writer.expr(bounds);
                    }
                });
                self.token(")");
                self.token("=");
                self.token(&plugin.makes.text);
                self.token("from");
                self.text(&plugin.from.value);
                for option in &plugin.options {
                    self.out.push(',');
                    self.token(&option.name.text);
                    for (at, word) in option.value.iter().enumerate() {
                        if at == 0 {
                            self.token(":");
                        }
                        self.token(&word.text);
                    }
                }
            }
            ItemKind::Statement {
                keyword,
                name,
                value,
            } => {
                self.token(&keyword.text);
                self.token(&name.text);
                self.token("=");
                self.expr(value);
            }
            ItemKind::Broken { .. } => unreachable!("no broken items are written"),
        }
        let ending = match self.roll() {
            0..8 => "\n".to_owned(),
            8..16 => "\n\n\n".to_owned(),
            16..24 => format!(" {}\n", self.comment()),
            _ => format!("\n\n{}\n\n", self.comment()),
        };
        self.out.push_str(&ending);
    }
}

fn write(items: &[Item], dice: u64) -> String {
    let mut writer = Writer {
        out: String::new(),
        depth: 0,
        dice,
        comments: 0,
    };
    for item in items {
        writer.item(item);
    }
    writer.out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_survives_writing_reading_and_formatting(
        items in prop::collection::vec(an_item(), 0..4),
        dice in any::<u64>(),
    ) {
        let text = write(&items, dice);
        let (file, diagnostics) = read(&text);
        prop_assert_eq!(diagnostics, [], "{}", text);
        prop_assert_eq!(&file.items, &items, "{}", text);
        check_any(&text);
        let formatted = format(&text).unwrap();
        prop_assert!(items.is_empty() || formatted.ends_with('\n'));
        prop_assert!(!formatted.contains("\n\n\n") && !formatted.starts_with('\n') && !formatted.ends_with("\n\n"));
        prop_assert!(formatted.lines().all(|line| !line.ends_with(' ')));
    }

    #[test]
    fn any_text_is_read(text in "\\PC{0,200}") {
        check_any(&text);
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check_any(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_tokens_are_read(tokens in prop::collection::vec(prop::sample::select(TOKENS), 0..60)) {
        check_any(&tokens.concat());
        check_any(&tokens.join(" "));
    }

    #[test]
    fn edits_of_a_good_file_are_read(edits in prop::collection::vec((any::<prop::sample::Index>(), 0..30_usize, ".{0,4}|[()\\[\\]\"\\\\#\n=,%]{0,3}"), 1..6)) {
        let mut text: Vec<char> = VALID.chars().collect();
        for (at, removed, added) in edits {
            let at = at.index(text.len() + 1);
            let end = (at + removed).min(text.len());
            text.splice(at..end, added.chars());
        }
        check_any(&text.into_iter().collect::<String>());
    }
}

#[test]
fn the_good_file_is_good_and_every_cut_of_it_is_read() {
    assert_eq!(read(VALID).1, []);
    for (at, _) in VALID.char_indices() {
        check_any(&VALID[..at]);
        check_any(&VALID[at..]);
    }
}

fn is_broken(item: &Item) -> bool {
    matches!(item.kind, ItemKind::Broken { .. })
}

#[test]
fn one_mistake_costs_one_item() {
    let items = read(VALID).0.items.len();
    for mistake in [
        "data bad = f(\n",
        "data bad = \"x\n",
        "data bad = f(]\n",
        "data bad = +\n",
        "bad\n",
        "@\n",
    ] {
        let (file, diagnostics) =
            read(&VALID.replace("\ndata sea", &format!("\n{mistake}data sea")));
        let broken = file.items.iter().filter(|item| is_broken(item));
        assert_eq!(
            (file.items.len(), broken.count()),
            (items + 1, 1),
            "{mistake}"
        );
        assert_eq!(diagnostics.len(), 1, "{mistake}");
    }
}

// ---------------------------------------------------------------- hostile texts

fn codes(text: &str) -> Vec<Code> {
    check_any(text);
    codes_alone(text)
}

fn codes_alone(text: &str) -> Vec<Code> {
    let diagnostics = read(text).1;
    diagnostics
        .iter()
        .map(|diagnostic| diagnostic.code)
        .collect()
}

#[test]
fn nesting_is_bounded() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("f(", ")"),
        ("-", ""),
        ("not ", ""),
        ("a ^ ", ""),
        ("1 + ", ""),
        ("(1 + ", ")"),
    ] {
        let nested = |depth: usize| {
            format!(
                "data x = {}a{}\ndata y = b\n",
                open.repeat(depth),
                close.repeat(depth)
            )
        };
        assert_eq!(codes(&nested(100)), [], "{open}");
        assert_eq!(codes(&nested(10_000)), [Code::TooDeep], "{open}");
        let items = read(&nested(10_000)).0.items;
        assert!(is_broken(&items[0]) && !is_broken(&items[1]), "{open}");
    }
    let brackets = |depth: usize| format!("data x = {}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(codes(&brackets(MAX_NESTING)), []);
    assert_eq!(codes(&brackets(MAX_NESTING + 1)), [Code::TooDeep]);
    let sum = |terms: usize| format!("data x = {}a", "a + ".repeat(terms));
    assert_eq!(codes(&sum(MAX_HEIGHT)), []);
    assert_eq!(codes(&sum(MAX_HEIGHT + 1)), [Code::TooDeep]);
}

#[test]
fn height_adds_up_along_the_left_side_too() {
    let mut tree = "a".to_owned();
    for _ in 0..100 {
        tree = format!("({tree}{})", " + b".repeat(200));
    }
    assert_eq!(codes(&format!("data x = {tree}")), [Code::TooDeep]);
}

#[test]
fn brackets_never_closed_are_one_error_each() {
    assert_eq!(
        codes_alone(&format!("data x = {}", "(".repeat(1_000_000))),
        [Code::TooDeep]
    );
    assert_eq!(
        codes_alone(&format!("data x = {}", ")".repeat(1_000_000))),
        [Code::SyntaxError]
    );
    assert_eq!(
        codes_alone(&format!(
            "data x = {}{}",
            "(".repeat(100),
            "]".repeat(1_000_000)
        )),
        [Code::SyntaxError]
    );
    assert_eq!(
        codes_alone(&"data x = (\n".repeat(100_000)).len(),
        MAX_ERRORS
    );
}

#[test]
fn size_is_bounded() {
    assert_eq!(codes(&"data x = a\n".repeat(1_000_000)), [Code::TooLarge]);
    assert_eq!(codes(&" ".repeat(MAX_TEXT)), []);
    assert_eq!(codes(&" ".repeat(MAX_TEXT + 1)), [Code::TooLarge]);
}

#[test]
fn long_lines_are_read() {
    assert_eq!(
        codes_alone(&format!("data x = [{}]", "1 km, ".repeat(170_000))),
        []
    );
    assert_eq!(
        codes_alone(&format!("data x = f({})", "a: [1], ".repeat(120_000))),
        []
    );
    assert_eq!(
        codes_alone(&format!("data x = \"{}\"", "x".repeat(1_000_000))),
        []
    );
    assert_eq!(
        codes_alone(&format!("data x = {}", "a".repeat(1_000_000))),
        []
    );
    assert_eq!(
        codes_alone(&format!("data x = {}", "9".repeat(1_000_000))),
        [Code::NumberOutOfRange]
    );
    assert_eq!(
        codes_alone(&format!("data x = a{}", ".b".repeat(300_000))),
        []
    );
    assert_eq!(
        codes_alone(&format!("data x = a # {}", "#".repeat(1_000_000))),
        []
    );
    assert_eq!(
        codes_alone(&format!("data x = 1 {}", "m/".repeat(300_000))),
        [Code::TooDeep]
    );
    assert_eq!(
        codes_alone(&format!("data x = [{}", "# c\n".repeat(100_000) + "1]")),
        []
    );
}
