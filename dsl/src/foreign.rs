//! What other languages, mathematics and word processors write, and the form it has here.

/// A symbol that is not a symbol of the language, with what to write.
pub(crate) struct Foreign {
    /// How many bytes it has.
    pub length: usize,
    /// What was found: `operator `**``, `curly quote `“` (U+201C)`.
    pub found: String,
    /// What to write.
    pub hint: String,
}

/// The foreign symbol that a text begins with.
pub(crate) fn symbol(text: &str) -> Option<Foreign> {
    let first = text.chars().next()?;
    if text.starts_with("!=") && !text.starts_with("!==") {
        return None;
    }
    let known = SYMBOLS
        .iter()
        .find(|(symbol, _)| text.starts_with(symbol))
        // `a == 20 %==b` and its like.
        .filter(|(symbol, _)| !symbol.ends_with('=') || !text[symbol.len()..].starts_with('='));
    if let Some((symbol, hint)) = known {
        return Some(Foreign {
            length: symbol.len(),
            found: format!("`{symbol}`"),
            hint: (*hint).to_owned(),
        });
    }
    let (name, hint) = character(first)?;
    let code = u32::from(first);
    let is_visible = !first.is_whitespace() && !hint.starts_with("delete");
    let found = match is_visible {
        true => format!("{name} `{first}` (U+{code:04X})"),
        false => format!("{name} (U+{code:04X})"),
    };
    Some(Foreign {
        length: first.len_utf8(),
        found,
        hint,
    })
}

/// The longest first.
const SYMBOLS: &[(&str, &str)] = &[
    ("===", "to compare, write `==`"),
    ("!==", "\"is not equal\" is written `!=`"),
    (
        "<=>",
        "compare with one of `==`, `!=`, `<`, `<=`, `>`, `>=`",
    ),
    ("...", "a range is written `first..=last`"),
    ("..<", "a range without its end is written `first..end`"),
    ("**", "a power is written `^`"),
    ("<>", "\"is not equal\" is written `!=`"),
    ("~=", "\"is not equal\" is written `!=`"),
    ("/=", "\"is not equal\" is written `!=`"),
    ("=<", "\"at most\" is written `<=`"),
    ("=>", "\"at least\" is written `>=`"),
    ("=!", "\"is not equal\" is written `!=`"),
    ("><", "\"is not equal\" is written `!=`"),
    ("=~", "to compare, write `==`"),
    ("%%", "the remainder is written `a % b`"),
    (".*", "operators work row by row: write `*`"),
    ("./", "operators work row by row: write `/`"),
    (".^", "operators work row by row: write `^`"),
    ("+=", NOTHING_CHANGES),
    ("-=", NOTHING_CHANGES),
    ("*=", NOTHING_CHANGES),
    ("%=", NOTHING_CHANGES),
    ("^=", NOTHING_CHANGES),
    ("++", NOTHING_CHANGES),
    (":=", "a new name is given with `=`, an argument with `:`"),
    ("::", "a name of a used file is written `file.name`"),
    ("->", "a definition is written `define name(a) = …`"),
    ("&&", "write `and`"),
    ("||", "write `or`"),
    (
        "//",
        "a comment begins with `#`; a whole quotient is `floor(a / b)`",
    ),
    ("/*", "a comment begins with `#`, on each line"),
    ("&", "write `and`"),
    ("|", "write `or`"),
    ("!", "write `not`"),
    ("~", "write `not`"),
    (
        ";",
        "a statement ends with its line; arguments are separated by `,`",
    ),
    ("{", "arguments go in `(…)`, lists in `[…]`"),
    ("}", "arguments go in `(…)`, lists in `[…]`"),
    ("?", CHOICE),
    ("$", "a column is named alone, without its data"),
];

const CHOICE: &str = "a choice is written `choose(condition, yes, no)`";
pub(crate) const A_PARAM: &str = "a value of your own is a param: `param width: Int = 16`";
const NO_LOOPS: &str = "nothing loops: list the values, write a range or sweep a param";
const NOTHING_CHANGES: &str = "nothing changes its value: give the result a name of its own";

/// A character that looks like one of the language, or like nothing: its name and what to write.
fn character(character: char) -> Option<(&'static str, String)> {
    let write = |ours: &str| format!("write `{ours}`");
    let known = match character {
        '\u{a0}' => ("no-break space", SPACE.to_owned()),
        '\u{202f}' => ("narrow no-break space", SPACE.to_owned()),
        '\u{3000}' => ("ideographic space", SPACE.to_owned()),
        '\u{2028}' | '\u{2029}' | '\u{85}' | '\u{b}' | '\u{c}' => {
            ("line separator", "write an ordinary line end".to_owned())
        }
        '\u{200b}' => ("zero-width space", DELETE.to_owned()),
        '\u{feff}' => ("byte order mark", DELETE.to_owned()),
        '\u{ad}' => ("soft hyphen", DELETE.to_owned()),
        '\u{200c}' | '\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{180e}' => {
            ("invisible character", DELETE.to_owned())
        }
        '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            ("invisible mark of writing direction", DELETE.to_owned())
        }
        space if space.is_whitespace() && !space.is_ascii() => ("space", SPACE.to_owned()),
        '“' | '”' | '„' | '‟' => ("curly quote", write("\"")),
        '‘' | '’' | '‚' | '‛' => ("curly single quote", write("\"")),
        '«' | '»' | '‹' | '›' => ("angle quote", write("\"")),
        '″' | '〝' | '〞' => ("double prime", write("\"")),
        '\'' => ("single quote", write("\"")),
        '´' | '′' => ("accent", write("\"")),
        '−' => ("minus sign", write("-")),
        '‐' | '‑' => ("hyphen", write("-")),
        '‒' | '–' => ("en dash", write("-")),
        '—' | '―' => ("em dash", write("-")),
        '×' | '✕' | '✖' => ("multiplication sign", write("*")),
        '·' | '⋅' | '•' => ("dot", write("*")),
        '∗' | '⁎' => ("asterisk", write("*")),
        '÷' => ("division sign", write("/")),
        '∕' | '⁄' => ("slash", write("/")),
        '≤' | '⩽' | '≦' => ("sign", write("<=")),
        '≥' | '⩾' | '≧' => ("sign", write(">=")),
        '≠' => ("sign", write("!=")),
        '≡' | '⩵' => ("sign", write("==")),
        '∧' => ("sign", write("and")),
        '∨' => ("sign", write("or")),
        '¬' => ("sign", write("not")),
        '∈' => ("sign", write("in")),
        '…' => ("ellipsis", "a range is written `first..=last`".to_owned()),
        '‥' => ("two-dot leader", write("..")),
        '¹' | '²' | '³' | '⁰' | '⁴'..='⁹' => {
            ("superscript", "a power is written `^`: `x ^ 2`".to_owned())
        }
        '√' => ("root sign", write("sqrt(…)")),
        '∞' => (
            "sign",
            "an end of a range may be left out: `0..`".to_owned(),
        ),
        '±' => ("sign", "write both values".to_owned()),
        '‰' => ("sign", "write a `Float` or a number in `%`".to_owned()),
        '、' | '،' => ("comma", write(",")),
        '。' => ("full stop", write(".")),
        '【' | '「' | '『' | '〔' => ("bracket", write("[")),
        '】' | '」' | '』' | '〕' => ("bracket", write("]")),
        '\u{ff01}'..='\u{ff5e}' => {
            let ours = char::from_u32(u32::from(character) - 0xfee0)?;
            ("full-width character", write(&String::from(ours)))
        }
        _ => return None,
    };
    Some(known)
}

/// How much of a text is repeated in a message, in bytes.
const LONGEST: usize = 100;

const SPACE: &str = "write an ordinary space";
const DELETE: &str = "delete it";

/// Text in quotes that are not `"`, from its start to the end of its line: how long it is with
/// both quotes, and the text between them.
pub(crate) fn quoted(text: &str) -> Option<(usize, &str)> {
    let open = text.chars().next()?;
    let close: &[char] = match open {
        '\'' | '‘' | '’' | '‚' | '‛' => &['\'', '’', '‘', '‛'],
        '´' | '′' => &['´', '′', '\''],
        '“' | '”' | '„' | '‟' | '″' | '〝' | '〞' | '＂' => {
            &['”', '“', '‟', '″', '〞', '＂', '"']
        }
        '«' | '»' => &['»', '«'],
        '‹' | '›' => &['›', '‹'],
        '＇' => &['＇', '\''],
        _ => return None,
    };
    let inner = text.lines().next()?.get(open.len_utf8()..)?;
    let (end, last) = inner.char_indices().find(|(_, it)| close.contains(it))?;
    let inner = &inner[..end];
    if inner.len() > LONGEST || inner.contains(char::is_control) {
        return None;
    }
    let length = open.len_utf8() + end + last.len_utf8();
    (!inner.contains(['"', '\\'])).then_some((length, inner))
}

/// Whether a line that begins with this is a comment in another language.
pub(crate) fn begins_comment(text: &str) -> bool {
    text.starts_with("//") || text.starts_with("/*")
}

/// What to write instead of a word of another language; none for other words.
pub(crate) fn word(word: &str) -> Option<&'static str> {
    Some(match word {
        "True" | "TRUE" => "write `true`",
        "False" | "FALSE" => "write `false`",
        "None" | "none" | "null" | "NULL" | "nil" | "NA" | "NaN" | "nan" | "undefined" => {
            "no literal means a missing value: leave the argument out, or ask `is_missing(x)`"
        }
        "inf" | "Inf" | "INF" | "Infinity" => {
            "numbers are finite; an end of a range may be left out: `0..`"
        }
        "And" | "AND" => "write `and`",
        "Or" | "OR" => "write `or`",
        "Not" | "NOT" => "write `not`",
        "In" | "IN" => "write `in`",
        "if" | "then" | "else" | "elif" | "elseif" | "elsif" | "endif" | "unless" | "ifelse"
        | "iif" | "switch" | "case" => CHOICE,
        "for" | "foreach" | "while" | "loop" | "do" => NO_LOOPS,
        "let" | "var" | "const" | "val" | "auto" => A_PARAM,
        "def" | "fn" | "func" | "fun" | "function" | "lambda" | "macro" => {
            "a definition is written `define name(a, b) = …`"
        }
        "import" | "include" | "from" | "require" | "load" | "source" => {
            "a file is used by `use \"file.farcast\" as name`"
        }
        "return" | "print" | "println" | "echo" | "begin" | "end" => {
            "a file lists statements: each is `KIND name = plugin(…)`"
        }
        "pow" | "power" => "a power is written `a ^ b`",
        "isnan" | "is_nan" | "isna" | "isnull" | "ismissing" => "write `is_missing(x)`",
        "ln" => "write `log(x)`",
        "log2" => "write `log(x) / log(2)`",
        "average" | "avg" => "write `mean(x)`",
        "trunc" => "write `floor(x)`, `ceil(x)` or `round(x)`",
        _ => return None,
    })
}

/// What other tools call a parameter, and the word for it here.
pub(crate) fn parameter(name: &str) -> Option<&'static str> {
    Some(match name {
        "lr" | "learning_rate" | "learningrate" | "alpha" | "eta" => "rate",
        "weight_decay" => "decay",
        "batch_size" | "minibatch" => "batch",
        "n_epochs" | "num_epochs" | "max_epochs" => "epochs",
        "n_steps" | "num_steps" | "max_steps" | "iterations" | "n_iter" | "iters" | "max_iter" => {
            "steps"
        }
        "hidden_sizes" | "hidden_layer_sizes" | "units" | "layers" => "hidden",
        "features" | "predictors" | "variables" | "vars" | "variable" => "inputs",
        "label" | "labels" | "output" | "outputs" | "targets" => "target",
        "validation_split" | "test_size" | "val_fraction" => "hold_out",
        "early_stopping" => "patience",
        "loss_fn" | "criterion" => "loss",
        "scheduler" | "lr_schedule" => "schedule",
        "data" | "test" | "test_data" | "eval_on" => "on",
        "groupby" | "group_by" => "by",
        "sep" | "delimiter" | "delim" => "separator",
        "na_values" | "null_values" | "na" => "missing",
        "skiprows" | "skip_rows" => "skip",
        "usecols" => "columns",
        "n_members" | "n_estimators" | "ensemble_size" | "ensemble" | "n_ensemble" => "members",
        _ => return None,
    })
}

/// What is no argument here, and where it is said instead.
pub(crate) fn no_parameter(name: &str) -> Option<&'static str> {
    Some(match name {
        "seed" | "random_state" | "random_seed" | "rng" => {
            "one line sets all random numbers: `seed = 7`"
        }
        "name" => "a result is named before the `=`: `data name = …`",
        "device" | "cuda" | "n_jobs" | "num_workers" => {
            "what it runs on is no part of an experiment: `farcast run --jobs 4`"
        }
        _ => return None,
    })
}

/// The plugins that do what this name means elsewhere, the likeliest first.
pub(crate) fn plugin(name: &str) -> &'static [&'static str] {
    match name.to_ascii_lowercase().as_str() {
        "xarray" | "open_dataset" | "open_mfdataset" | "read_netcdf" | "load_netcdf" | "nc"
        | "nc4" => &["netcdf"],
        "read_csv" | "load_csv" | "tsv" | "txt" | "table" | "read_table" | "dataframe"
        | "pandas" | "read" | "file" => &["csv"],
        "read_parquet" => &["parquet"],
        "open_zarr" => &["zarr"],
        "filter" | "query" | "select" | "sel" | "mask" | "slice" => &["where"],
        "mutate" | "assign" | "with_columns" | "transform" => &["derive"],
        "groupby" | "group_by" | "summarise" | "summarize" | "pivot" | "resample" => &["aggregate"],
        "merge" => &["join", "soup", "average"],
        "append" | "stack" | "rbind" | "vstack" => &["concat"],
        "train_test_split" => &["split"],
        "one_hot" | "dummies" | "get_dummies" => &["onehot"],
        "mnist" | "fashion_mnist" => &["idx"],
        "nn" | "ann" | "net" | "network" | "neural_network" | "dense" | "feedforward"
        | "mlpregressor" | "sequential" | "perceptron" => &["mlp"],
        "cnn" | "convnet" | "conv2d" => &["conv"],
        "random_forest" | "forest" | "xgboost" | "lightgbm" | "gbm" | "trees" => &["boost"],
        "linear" | "lm" | "linreg" | "linear_model" | "regression" => &["ols", "least_squares"],
        "pca" | "pcs" | "principal_components" => &["eof"],
        "predict" | "forecast" | "evaluate" => &["apply", "compare"],
        "accuracy" => &["evaluate"],
        "rmse" | "mse" | "mae" | "skill" | "metrics" | "error" | "validate" | "test" => {
            &["compare"]
        }
        "mean" | "avg" => &["average", "soup"],
        "scatter" => &["parity"],
        "history" | "loss_curve" | "training" => &["loss"],
        "optuna" | "bayesian" | "bayes" => &["tpe"],
        "grid_search" => &["grid"],
        "random_search" => &["random"],
        _ => &[],
    }
}

/// The number that a leading zero and this text are in other languages: `0x1f`, `0b101`, `0o17`.
pub(crate) fn number_after_zero(text: &str) -> Option<u64> {
    let (base, digits) = text.split_at_checked(1)?;
    let radix = match base {
        "x" | "X" => 16,
        "o" | "O" => 8,
        "b" | "B" => 2,
        _ => return None,
    };
    u64::from_str_radix(digits, radix).ok()
}

/// What to write instead of a word that begins a statement in other languages.
pub(crate) fn head(name: &str) -> Option<&'static str> {
    match data_type(name) {
        Some(_) => Some(A_PARAM),
        None => word(name),
    }
}

/// The kind of statement that has this name elsewhere.
pub(crate) fn kind(name: &str) -> Option<&'static str> {
    Some(match name {
        "model" | "network" | "net" | "nn" => "a network is a `parent`",
        "dataset" | "table" | "frame" | "dataframe" => "a table of rows is `data`",
        "metric" | "loss" | "evaluation" => "numbers that judge are a `score`",
        "plot" | "figure" => "figures are in a `report`",
        _ => return None,
    })
}

/// The type that has this name in other languages.
pub(crate) fn data_type(name: &str) -> Option<&'static str> {
    Some(match name {
        "int" | "integer" | "Integer" | "i32" | "i64" | "long" => "Int",
        "float" | "double" | "Double" | "real" | "number" | "Number" | "f32" | "f64" => "Float",
        "bool" | "boolean" | "Boolean" => "Bool",
        "str" | "string" | "text" | "Str" | "Text" => "String",
        _ => return None,
    })
}

/// What to write instead of a word that begins or divides an expression in other languages.
pub(crate) fn control_word(name: &str) -> Option<&'static str> {
    let hint = word(name)?;
    let is_logic = matches!(
        hint,
        "write `and`" | "write `or`" | "write `not`" | "write `in`"
    );
    (is_logic || hint == CHOICE || hint == NO_LOOPS).then_some(hint)
}

/// What to write instead of a word between two values.
pub(crate) fn infix_word(name: &str) -> Option<&'static str> {
    Some(match name {
        "mod" | "rem" => "the remainder is written `a % b`",
        "div" => "a whole quotient is written `floor(a / b)`",
        "xor" => "write `(a or b) and not (a and b)`",
        "is" | "eq" | "equals" => "to compare, write `==`",
        "ne" | "isnt" => "\"is not equal\" is written `!=`",
        "lt" => "write `<`",
        "le" => "write `<=`",
        "gt" => "write `>`",
        "ge" => "write `>=`",
        "to" | "until" | "upto" | "through" => "a range is written `first..=last`",
        "by" => "a range with a step is written `first..=last step 2`",
        "between" => "write `a <= x and x <= b`",
        _ => return word(name),
    })
}

/// The letter of the language that a letter of another script looks like.
pub(crate) fn homoglyph(letter: char) -> Option<(char, &'static str)> {
    const CYRILLIC: (&str, &str) = ("аеорсухіјѕһԁАВЕКМНОРСТУХІЈЅ", "aeopcyxijshdABEKMHOPCTYXIJS");
    const GREEK: (&str, &str) = ("οναιΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ovaiABEZHIKMNOPTYX");
    let scripts = [(CYRILLIC, "Cyrillic"), (GREEK, "Greek")];
    scripts.into_iter().find_map(|((theirs, ours), script)| {
        let at = theirs.chars().position(|it| it == letter)?;
        Some((ours.chars().nth(at)?, script))
    })
}

/// Whether files of data end so.
fn is_of_file(extension: &str) -> bool {
    matches!(
        extension,
        "csv"
            | "tsv"
            | "txt"
            | "dat"
            | "parquet"
            | "pq"
            | "nc"
            | "nc4"
            | "zarr"
            | "h5"
            | "gz"
            | "safetensors"
            | "farcast"
            | "json"
            | "xlsx"
            | "npy"
            | "npz"
    )
}

/// The path without quotes around a place in a text: a run without blanks that ends like a file
/// or begins like a folder.
pub(crate) fn path(text: &str, at: usize) -> Option<std::ops::Range<usize>> {
    let ends = |it: char| it.is_whitespace() || "()[]\"',;=#<>".contains(it);
    let line_start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let start = text[line_start..at].rfind(ends);
    let start = start.map_or(line_start, |it| {
        let at = line_start + it;
        at + text[at..].chars().next().map_or(0, char::len_utf8)
    });
    let end = text[at..].find(ends).map_or(text.len(), |it| at + it);
    let start = match text[start..end].split_once(':') {
        // `path:data/a.csv`, but not `C:\data` nor `https://`.
        Some((name, rest)) if name.len() > 1 && !rest.starts_with("//") => start + name.len() + 1,
        _ => start,
    };
    let run = &text[start..end];
    let rooted = ["/", "./", "../", "~/", "~\\", ".\\", "..\\"]
        .iter()
        .any(|it| run.starts_with(it));
    let is_file = run.rsplit_once('.').is_some_and(|(stem, extension)| {
        let mut letters = extension.chars();
        (stem.contains(['/', '\\']) || is_of_file(extension))
            && letters.next().is_some_and(|it| it.is_ascii_alphabetic())
            && letters.all(|it| it.is_ascii_alphanumeric())
    });
    let has_name = run.chars().any(|it| it.is_ascii_alphanumeric())
        && run.len() <= LONGEST
        && !run.contains(char::is_control);
    ((rooted || is_file) && has_name && !run.starts_with("//") && !run.starts_with("/*"))
        .then_some(start..end)
}
