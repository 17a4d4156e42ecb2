//! Trees and messages of small texts.

use expect_test::{Expect, expect};

use super::*;
use crate::ast::{Arg, Expr, ExprKind, ItemKind, Name, PluginParam, TypeExpr, UnaryOp};
use crate::source::Source;

/// The tree of an expression with every bracket written.
fn sketch(expr: &Expr) -> String {
    let path = |path: &[Name]| {
        let names: Vec<&str> = path.iter().map(|name| name.text.as_str()).collect();
        names.join(".")
    };
    let unit = |unit: &Option<Name>| {
        unit.as_ref()
            .map_or(String::new(), |unit| format!("<{}>", unit.text))
    };
    let end = |end: &Option<Box<Expr>>| end.as_ref().map_or(String::new(), |end| sketch(end));
    match &expr.kind {
        ExprKind::Int { value, unit: of } => format!("{value}{}", unit(of)),
        ExprKind::Float { value, unit: of } => format!("{value:?}{}", unit(of)),
        ExprKind::Bool(value) => value.to_string(),
        ExprKind::Date(date) => date.to_string(),
        ExprKind::Text(value) => format!("{value:?}"),
        ExprKind::List(items) => {
            format!("{:?}", items.iter().map(sketch).collect::<Vec<_>>()).replace('"', "")
        }
        ExprKind::Range {
            start,
            end: last,
            inclusive,
            step,
        } => {
            let dots = if *inclusive { "..=" } else { ".." };
            let step = step
                .as_ref()
                .map_or(String::new(), |step| format!(" step {}", sketch(step)));
            format!("{{{}{dots}{}{step}}}", end(start), end(last))
        }
        ExprKind::Name(names) => path(names),
        ExprKind::Call { callee, args } => {
            let args: Vec<String> = args.iter().map(argument).collect();
            format!("{}({})", path(callee), args.join(", "))
        }
        ExprKind::Part { whole, path: of } => format!("{}.{}", sketch(whole), path(of)),
        ExprKind::Unary {
            op: UnaryOp::Negate,
            operand,
        } => format!("(-{})", sketch(operand)),
        ExprKind::Unary {
            op: UnaryOp::Not,
            operand,
        } => format!("(not {})", sketch(operand)),
        ExprKind::Binary {
            op, left, right, ..
        } => {
            format!("({} {} {})", sketch(left), op.symbol(), sketch(right))
        }
    }
}

fn argument(arg: &Arg) -> String {
    match arg {
        Arg::Positional(value) => sketch(value),
        Arg::Named { name, value } => format!("{}: {}", name.text, sketch(value)),
        Arg::New { name, value } => format!("{} = {}", name.text, sketch(value)),
    }
}

fn item(item: &Item) -> String {
    let word = |name: &Option<Name>| name.as_ref().map_or("?".to_owned(), |it| it.text.clone());
    match &item.kind {
        ItemKind::Broken { keyword, name } => format!("broken {} {}", word(keyword), word(name)),
        ItemKind::Experiment { title, about } => {
            let about: Vec<String> = about.iter().map(argument).collect();
            format!("experiment {:?} {}", title.value, about.join(", "))
                .trim_end()
                .to_owned()
        }
        ItemKind::Use { path, name } => format!("use {:?} as {}", path.value, name.text),
        ItemKind::Param {
            name,
            ty,
            default,
            bounds,
        } => {
            let ty = ty
                .as_ref()
                .map_or(String::new(), |ty| format!(": {}", type_sketch(ty)));
            let bounds = bounds
                .as_ref()
                .map_or(String::new(), |bounds| format!(" in {}", sketch(bounds)));
            format!("param {}{ty} = {}{bounds}", name.text, sketch(default))
        }
        ItemKind::Define { name, params, body } => {
            let params: Vec<String> = params
                .iter()
                .map(|param| match &param.default {
                    Some(default) => format!("{} = {}", param.name.text, sketch(default)),
                    None => param.name.text.clone(),
                })
                .collect();
            format!(
                "define {}({}) = {}",
                name.text,
                params.join(", "),
                sketch(body)
            )
        }
        ItemKind::Plugin(plugin) => {
            let param = |param: &PluginParam| {
                let types: Vec<String> = param.types.iter().map(type_sketch).collect();
                let optional = if param.optional { "?" } else { "" };
                let part = |joint: &str, part: &Option<Expr>| {
                    let part = part.as_ref().map(|part| format!("{joint}{}", sketch(part)));
                    part.unwrap_or_default()
                };
                format!(
                    "{}{optional}: {}{}{}",
                    param.name.text,
                    types.join(" | "),
                    part(" = ", &param.default),
                    part(" in ", &param.bounds)
                )
            };
            let params: Vec<String> = plugin.params.iter().map(param).collect();
            let options = plugin.options.iter().map(|option| {
                let words: Vec<&str> = option.value.iter().map(|word| &*word.text).collect();
                format!(", {} {}", option.name.text, words.join(" "))
            });
            format!(
                "plugin {}({}) = {} from {:?}{}",
                plugin.name.text,
                params.join("; "),
                plugin.makes.text,
                plugin.from.value,
                options.collect::<String>()
            )
        }
        ItemKind::Statement {
            keyword,
            name,
            value,
        } => {
            format!("{} {} = {}", keyword.text, name.text, sketch(value))
        }
    }
}

fn type_sketch(ty: &TypeExpr) -> String {
    let args: Vec<String> = ty.args.iter().map(type_sketch).collect();
    if args.is_empty() {
        ty.name.text.clone()
    } else {
        format!("{}({})", ty.name.text, args.join(", "))
    }
}

/// Items, then comments, then messages with their places.
fn check(text: &str, expect: Expect) {
    let (file, diagnostics) = parse(FileId(0), text);
    let source = Source::new("x", text);
    let mut shown: Vec<String> = file.items.iter().map(item).collect();
    shown.extend(file.comments.iter().map(|comment| comment.text.clone()));
    for diagnostic in diagnostics {
        shown.push(format!("! {:?}: {}", diagnostic.code, diagnostic.message));
        for label in &diagnostic.labels {
            let at = source.position(label.span.start);
            shown.push(format!(
                "    {at} `{}` {}",
                source.slice(label.span).replace('\0', "NUL"),
                label.text
            ));
        }
        shown.extend(
            diagnostic
                .hints
                .iter()
                .map(|hint| format!("    hint: {hint}")),
        );
    }
    expect.assert_eq(&(shown.join("\n") + "\n"));
}

/// The expression in `data x = …`.
fn check_expr(text: &str, expect: &str) {
    let (file, diagnostics) = parse(FileId(0), &format!("data x = {text}"));
    assert_eq!(diagnostics, [], "{text}");
    let ItemKind::Statement { value, .. } = &file.items[0].kind else {
        panic!("{file:?}")
    };
    assert_eq!(sketch(value), expect, "{text}");
}

#[test]
fn every_form_of_item() {
    check(
        r#"experiment "Density \"at\" depth"   # title
use "common/ocean.farcast" as ocean
param width:  Int = 16 in 4..=128
param names: List(Quantity(kg/m^3)) = [1 kg/m^3,]
seed = 7 in [1, 2]
define twice(x, by = 2) = x * by
data sea = derive(
casts, p = pressure(depth, lat),
    density = ocean.eos80(salt, temp, p),  # CF
)
"#,
        expect![[r#"
            experiment "Density \"at\" depth"
            use "common/ocean.farcast" as ocean
            param width: Int = 16 in {4..=128}
            param names: List(Quantity(kg/m^3)) = [1<kg/m^3>]
            param seed = 7 in [1, 2]
            define twice(x, by = 2) = (x * by)
            data sea = derive(casts, p = pressure(depth, lat), density = ocean.eos80(salt, temp, p))
            # title
            # CF
        "#]],
    );
}

#[test]
fn operators_bind_as_in_mathematics() {
    check_expr("-2 ^ 2 ^ -x", "(-(2 ^ (2 ^ (-x))))");
    check_expr("a + b * c - d / e % f", "((a + (b * c)) - ((d / e) % f))");
    check_expr("-a * b", "((-a) * b)");
    check_expr(
        "not a == b and c or d < -1",
        "(((not (a == b)) and c) or (d < (-1)))",
    );
    check_expr("(a + b) * c", "((a + b) * c)");
    check_expr("android or nota", "(android or nota)");
    check_expr("a +\n  b *\n\n c", "(a + (b * c))");
    check_expr("a\n  + b\n and c", "((a + b) and c)");
}

#[test]
fn numbers_and_units() {
    check_expr(
        "[1_000, 0.5, 3e-3, 2E+1, 7.25e1]",
        "[1000, 0.5, 0.003, 20.0, 72.5]",
    );
    check_expr(
        "1 km + 2.5 kg/m^3 * 3 m/s",
        "(1<km> + (2.5<kg/m^3> * 3<m/s>))",
    );
    check_expr("10 km / x", "(10<km> / x)");
    check_expr("4 °C - 20 % + 20%", "((4<°C> - 20<%>) + 20<%>)");
    check_expr(
        "[20 %, 20 % x, a % 2, 7 % (3), 20 % and 1]",
        "[20<%>, (20 % x), (a % 2), (7 % 3), (20<%> and 1)]",
    );
    check_expr("1 and 2 or 3", "((1 and 2) or 3)");
    check_expr("20 % # a comment\n", "20<%>");
}

#[test]
fn ranges() {
    check_expr(
        "[1..5, 1..=5 step 2, 0.., ..=5, ..b, 0.5..1.5, 0.. step 2]",
        "[{1..5}, {1..=5 step 2}, {0..}, {..=5}, {..b}, {0.5..1.5}, {0.. step 2}]",
    );
    check_expr("10 steps..=a + 1", "{10<steps>..=(a + 1)}");
    check_expr("f(step, step: 1..=step)", "f(step, step: {1..=step})");
}

#[test]
fn arguments() {
    check_expr(
        "f(a, b: 1, c = 2, d == 3, g(),)",
        "f(a, b: 1, c = 2, (d == 3), g())",
    );
    check_expr(
        "a.b.c(x.y, \"q\\n\\\"\\\\\\t\", true)",
        r#"a.b.c(x.y, "q\n\"\\\t", true)"#,
    );
}

#[test]
fn every_item_has_its_own_error() {
    check(
        "data a = f(1, b c)\nfoo\nfoo(1)\ndata b = f(,)\ndata b = f(in: 3)\ndata b = f(a.b =3, true: 4)\ndata b =\nparam x: 3 = 3\ndefine f(a b) = 2\ndata c = ]\nparam p = 3\nuse \"x\"\n+ 3\n@@\nseed 3\nexperiment title\ndata ok = a\n",
        expect![[r#"
            broken data a
            broken foo ?
            broken foo ?
            broken data b
            broken data b
            broken data b
            broken data b
            broken param x
            broken define f
            broken data c
            broken param p
            broken use ?
            broken ? ?
            broken seed ?
            broken experiment ?
            data ok = a
            ! SyntaxError: expected `,` or `)`, found `c`
                1:17 `c` 
                hint: a `,` is missing between `b` and `c`
            ! SyntaxError: expected a name, found the end of the line
                2:4 `` 
                hint: a statement is a kind, a name, `=` and what it is: `data sea = csv("sea.csv")`
            ! SyntaxError: expected a name, found `(`
                3:4 `(` 
                hint: a statement is a kind, a name, `=` and what it is: `data sea = csv("sea.csv")`
            ! SyntaxError: expected an expression or `)`, found `,`
                4:12 `,` 
            ! SyntaxError: expected an expression or `)`, found `in`
                5:12 `in` 
                hint: `in` is a word of the language, not a name
            ! SyntaxError: unexpected `=` in a formula
                6:16 `=` 
                hint: to compare, write `==`
            ! SyntaxError: expected the name of an argument before `:`
                6:20 `true` 
            ! SyntaxError: expected an expression, found the end of the line
                7:9 `` 
            ! SyntaxError: expected a type, found `3`
                8:10 `3` 
            ! SyntaxError: expected `,` or `)`, found `b`
                9:12 `b` 
                hint: a `,` is missing between `a` and `b`
            ! SyntaxError: unexpected `]`
                10:10 `]` no bracket is open here
            ! SyntaxError: expected the type of `p`, found `=`
                11:9 `=` 
                hint: write `param p: Int = 3`
            ! SyntaxError: expected `as`, found `+`
                13:1 `+` 
                hint: a number has no `+` before it
            ! SyntaxError: expected a statement, found `@`
                14:1 `@` 
                hint: a statement is a kind, a name, `=` and what it is: `data sea = csv("sea.csv")`
            ! SyntaxError: expected `=`, found `3`
                15:6 `3` 
            ! SyntaxError: expected text in quotes, found `title`
                16:12 `title` 
                hint: text is in quotes: `"title"`
        "#]],
    );
}

#[test]
fn an_open_bracket_ends_at_the_next_item() {
    check(
        "data a = f(1, [2\n\nparent b = g(a)\ndata c = \"open\ndata d = f(1]\ndata e = h(",
        expect![[r#"
            broken data a
            parent b = g(a)
            broken data c
            broken data d
            broken data e
            ! SyntaxError: unclosed `[`
                1:15 `[` opened here
                3:1 `parent` the next item begins here
            ! SyntaxError: expected `"`, found the end of the line
                4:10 `"open` the text begins here
            ! SyntaxError: expected `)`, found `]`
                5:13 `]` 
                5:11 `(` `(` is opened here
            ! SyntaxError: unclosed `(`
                6:11 `(` opened here
                6:12 `` the file ends here
        "#]],
    );
}

#[test]
fn long_texts_are_read_in_order() {
    let line = |at: usize| match at % 100 {
        7 => format!("data a{at} = f({at}\n"),
        9 => format!("data a{at} = ,\n"),
        _ => format!("data a{at} = f({at})\n"),
    };
    let lines: Vec<String> = (0..2000).map(line).collect();
    let (file, diagnostics) = parse(FileId(0), &lines.concat());
    assert_eq!((file.items.len(), diagnostics.len()), (2000, 40));
    let starts: Vec<u32> = file.items.iter().map(|item| item.span.start).collect();
    assert!(starts.is_sorted());
    let errors: Vec<u32> = diagnostics.iter().map(|d| d.labels[0].span.start).collect();
    assert!(errors.is_sorted());
    let (last, _) = parse(FileId(0), &lines[1999]);
    assert_eq!(item(&file.items[1999]), item(&last.items[0]));
}

#[test]
fn bad_values_are_found_all_at_once() {
    check(
        "data a = f(9223372036854775808, 1e999, \"a\\qb\", a < b <= c)\nparam in: Int = 3\ndata x = a \u{0} b\n",
        expect![[r#"
            broken data a
            broken param ?
            broken data x
            ! NumberOutOfRange: the number is too large
                1:12 `9223372036854775808` 
                hint: whole numbers end at 9223372036854775807
            ! NumberOutOfRange: the number is too large
                1:33 `1e999` 
                hint: numbers end at 1.7976931348623157e308
            ! BadEscape: unknown escape `\q`
                1:42 `\q` 
                hint: the escapes are `\"`, `\\`, `\n` and `\t`; a path is written with `/`
            ! SyntaxError: expected one comparison, found `<=` after `<`
                1:54 `<=` 
                1:50 `<` the first comparison
                hint: write `a < b and b <= c`
            ! SyntaxError: expected a name, found `in`
                2:7 `in` 
                hint: `in` is a word of the language, not a name
            ! SyntaxError: expected the end of the line, found `\u{0}`
                3:12 `NUL` 
        "#]],
    );
}

#[test]
fn line_ends_marks_and_letters_of_other_systems() {
    check(
        "\u{FEFF}data a = f(\r\n\t\"Tiefe – 深さ\",\r\n)  # größer\r\n",
        expect![[r#"
            data a = f("Tiefe – 深さ")
            # größer
        "#]],
    );
}
