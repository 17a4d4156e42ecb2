/**
 * The language as editors colour it: `dsl/src/grammar.pest`, but more lenient, and without the ends
 * of items, which no token marks. `tests/suite` is parsed by it in CI. To change it:
 * `npx tree-sitter generate`, which writes `src/parser.c`.
 */
const list = (rule) => optional(seq(rule, repeat(seq(",", rule)), optional(",")));

const LEVEL = { in: 1, range: 2, or: 3, and: 4, not: 5, compare: 6, sum: 7, product: 8, negate: 9, power: 10 };

module.exports = grammar({
  name: "farcast",

  extras: ($) => [/\s/, $.comment],
  word: ($) => $.identifier,
  conflicts: ($) => [[$.number], [$.range]],

  rules: {
    source_file: ($) => repeat($._item),
    _item: ($) =>
      choice($.experiment, $.use, $.param, $.seed, $.define, $.plugin, $.statement),

    experiment: ($) => seq("experiment", $.string, optional($.arguments)),
    use: ($) => seq("use", $.string, "as", field("name", $.identifier)),
    param: ($) =>
      seq("param", field("name", $.identifier), ":", field("type", $.type), "=", $._expression),
    seed: ($) => seq("seed", "=", $._expression),
    define: ($) => seq("define", field("name", $.identifier), $.parameters, "=", $._expression),
    parameters: ($) => seq("(", list($.parameter), ")"),
    parameter: ($) => seq(field("name", $._name), optional(seq("=", $._expression))),

    plugin: ($) =>
      seq("plugin", field("name", $.identifier), $.plugin_parameters, "=", $.kind, "from", $.string,
        repeat(seq(",", $.option))),
    plugin_parameters: ($) => seq("(", list($.plugin_parameter), ")"),
    plugin_parameter: ($) =>
      seq(field("name", $._name), optional("?"), ":", $.type, repeat(seq("|", $.type)),
        optional(seq("=", $._expression))),
    option: ($) =>
      prec.right(seq(choice($.identifier, $.kind), optional(seq(":", $._expression)))),

    type: ($) =>
      prec.right(seq(choice($.identifier, $.kind, alias($.compound, $.unit), "%"),
        optional(seq("(", list(seq($.type, repeat(seq("|", $.type)))), ")")))),

    statement: ($) =>
      seq($.kind, field("name", $.identifier), "=", field("value", $._expression)),
    kind: (_) =>
      choice("data", "parent", "subset", "anomaly", "weights", "trajectory", "predictor",
        "regression", "child", "farcast", "score", "sweep", "report"),

    _expression: ($) =>
      choice($.call, $.reference, $.date, $.number, $.string, $.list, $.group, $.unary, $.binary,
        $.range),

    // Also the bounds of a param.
    binary: ($) =>
      choice(
        ...[["in", LEVEL.in], ["or", LEVEL.or], ["and", LEVEL.and], ["==", LEVEL.compare],
          ["!=", LEVEL.compare], ["<=", LEVEL.compare], [">=", LEVEL.compare], ["<", LEVEL.compare],
          [">", LEVEL.compare], ["+", LEVEL.sum], ["-", LEVEL.sum], ["*", LEVEL.product],
          ["/", LEVEL.product], ["%", LEVEL.product]].map(([operator, level]) =>
          prec.left(level, seq($._expression, field("operator", operator), $._expression))),
        prec.right(LEVEL.power, seq($._expression, field("operator", "^"), $._expression))),
    unary: ($) =>
      choice(prec(LEVEL.negate, seq("-", $._expression)), prec(LEVEL.not, seq("not", $._expression))),
    range: ($) =>
      choice(
        prec.right(LEVEL.range, seq(
          choice(seq($._expression, choice("..=", ".."), $._expression),
            seq(choice("..=", ".."), $._expression)),
          optional(seq("step", $._expression)))),
        // What follows may begin the next item: `in 0..` before `param`, which is also a name.
        prec(LEVEL.range, prec.dynamic(-1, seq($._expression, choice("..=", ".."),
          optional(seq("step", $._expression)))))),

    reference: ($) => prec.right(seq($._name, repeat(seq(".", $._name)))),
    call: ($) => prec.right(seq(field("function", $.reference), $.arguments, optional($.part))),
    part: ($) => prec.right(repeat1(seq(".", $._name))),
    arguments: ($) => seq("(", list($.argument), ")"),
    argument: ($) =>
      choice($._expression, seq(field("name", $.reference), ":", $._expression),
        seq(field("definition", $.reference), "=", $._expression)),
    list: ($) => seq("[", list($._expression), "]"),
    group: ($) => seq("(", $._expression, ")"),

    _name: ($) => choice($.identifier, $.quoted, alias($._soft, $.identifier)),
    // Words that begin an item or follow something, and are names elsewhere.
    _soft: ($) =>
      choice($.kind, "from", "step", "use", "param", "define", "plugin", "experiment", "seed"),
    identifier: (_) => /[A-Za-z_][A-Za-z0-9_]*/,
    quoted: (_) => /`[^`\n]+`/,
    number: ($) =>
      choice($._digits, prec.dynamic(1, seq($._digits, alias(choice($.identifier, $.compound, "%"), $.unit)))),
    _digits: (_) => /[0-9](_?[0-9])*(\.[0-9](_?[0-9])*)?([eE][+-]?[0-9]+)?/,
    // What is no identifier: `kg/m^3`, `°C`.
    compound: (_) =>
      /[\p{L}°][\p{L}°0-9_]*(\^-?[0-9]+)?([\/*][\p{L}°][\p{L}°0-9_]*(\^-?[0-9]+)?)*/,
    date: (_) =>
      /[0-9]{4,6}-[0-9]{2}-[0-9]{2}(T[0-9:]*(\.[0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?/,
    string: (_) => /"(\\(.|\n)|[^"\\])*"/,
    comment: (_) => /#[^\n]*/,
  },
});
