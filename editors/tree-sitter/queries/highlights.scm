(comment) @comment
(string) @string
(number) @number
(date) @constant
(unit) @type
(quoted) @variable

[
  "experiment"
  "use"
  "as"
  "param"
  "seed"
  "define"
  "plugin"
  "from"
  "step"
] @keyword

[ "in" "and" "or" "not" ] @keyword.operator

(statement (kind) @keyword)
(plugin (kind) @type)
(type (identifier) @type)
(type (kind) @type)

(statement name: (identifier) @variable)
(use name: (identifier) @module)
(param name: (identifier) @variable.parameter)
(define name: (identifier) @function)
(plugin name: (identifier) @function)
(parameter name: (identifier) @variable.parameter)
(plugin_parameter name: (identifier) @variable.parameter)

(call function: (reference (identifier) @function .))
(argument name: (reference (identifier) @property))
(argument definition: (reference (identifier) @variable))

((reference (identifier) @constant.builtin)
 (#match? @constant.builtin "^(true|false)$"))

[ "=" "+" "-" "*" "/" "%" "^" "==" "!=" "<=" ">=" "<" ">" ".." "..=" ] @operator
[ "(" ")" "[" "]" ] @punctuation.bracket
[ "," ":" "." ] @punctuation.delimiter
