//! The plugins that files declare, as the signatures that calls of them are checked by.

use super::checker::Checker;
use super::declaration::declaration_faults;
use super::env::Env;
use super::lookup::Lookup;
use super::scope::PluginDecl;
use crate::ast::{Expr, Name, PluginOption, PluginParam, TypeExpr};
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::Declared;
use crate::nearest::a;
use crate::signature::{ColumnRule, Makes, Need, Param, Signature};
use crate::source::Span;
use crate::types::{ColumnInfo, Kind, Over, Type};

/// What a plugin of one's own can make.
const MADE: [Kind; 10] = [
    Kind::Data,
    Kind::Parent,
    Kind::Subset,
    Kind::Anomaly,
    Kind::Trajectory,
    Kind::Predictor,
    Kind::Regression,
    Kind::Child,
    Kind::Farcast,
    Kind::Score,
];

/// What it can take: what a statement made, for the member at hand.
const TAKEN: [Kind; 9] = [
    Kind::Data,
    Kind::Parent,
    Kind::Subset,
    Kind::Anomaly,
    Kind::Trajectory,
    Kind::Predictor,
    Kind::Regression,
    Kind::Farcast,
    Kind::Score,
];

/// Why it makes none of these.
fn never_made(kind: Kind) -> &'static str {
    match kind {
        Kind::Weights => "say which weights they are: an `anomaly`, a `trajectory` or a `child`",
        Kind::Sweep => "a plugin computes one result; a `sweep` runs the file at several values",
        _ => "farcast writes the pages: make a `score`, which they show",
    }
}

/// Why it takes none of these.
fn never_taken(kind: Kind) -> &'static str {
    match kind {
        Kind::Child => {
            "a child is another network in each row: take its `regression`, or the scores of `compare`"
        }
        Kind::Weights => "say which weights they are: a `parent`, an `anomaly` or a `trajectory`",
        Kind::Sweep => "a sweep has no result: take what its points make",
        _ => "a page is written last: take the `score` that it shows",
    }
}

/// The types a parameter may have beside kinds.
const TYPES: [&str; 14] = [
    "Int",
    "Float",
    "Bool",
    "String",
    "Path",
    "Duration",
    "Column",
    "Formula",
    "Condition",
    "List",
    "Range",
    "Quantity",
    "Word",
    "All",
];

/// What may follow the program.
const OPTIONS: [&str; 5] = ["random", "members", "columns", "adds", "version"];

/// The signatures of all plugins that are declared, and what is wrong with the declarations.
pub fn declare(names: Lookup) -> (Vec<Declared>, Vec<Diagnostic>) {
    let mut checker = Checker::new(names, Vec::new());
    // What is wrong with params is found later, once.
    let mut found = Vec::new();
    let mut declared = Vec::new();
    for plugin in &names.program.plugins {
        let (one, diagnostics) = checker.quietly(|checker| checker.declare(plugin));
        found.extend(diagnostics);
        declared.extend(one);
    }
    (declared, found)
}

impl Checker<'_> {
    fn declare(&mut self, plugin: &PluginDecl) -> Option<Declared> {
        let item = &plugin.item;
        let env = Env::file(plugin.module);
        let makes = self.made_kind(&item.makes, env);
        let mut params = Vec::new();
        let mut is_sound = makes.is_some();
        for (at, param) in item.params.iter().enumerate() {
            let before = item.params[..at].iter().find(|it| it.name == param.name);
            if let Some(before) = before {
                let message = format!("`{}` is named twice", param.name.text);
                let twice = Diagnostic::error(Code::DuplicateName, param.name.span, message);
                self.report(env, twice.and(before.name.span, "first here"));
                is_sound = false;
                continue;
            }
            match self.declared_param(param, env) {
                Some(param) => params.push(param),
                None => is_sound = false,
            }
        }
        let mut signature = Signature {
            name: plugin.full.clone(),
            makes: Makes::Kinds(makes.into_iter().collect()),
            version: 1,
            doc: plugin.doc.clone(),
            params,
            random: false,
            columns: ColumnRule::None,
            members: None,
        };
        for (at, option) in item.options.iter().enumerate() {
            let before = item.options[..at].iter().find(|it| it.name == option.name);
            let told = match before {
                Some(before) => {
                    let message = format!("`{}` is said twice", option.name.text);
                    let twice = Diagnostic::error(Code::DuplicateName, option.name.span, message);
                    Err(twice.and(before.name.span, "first here"))
                }
                None => self.option(&mut signature, option, env),
            };
            if let Err(diagnostic) = told {
                self.report(env, diagnostic);
                is_sound = false;
            }
        }
        let makes = makes.filter(|_| is_sound)?;
        if let Err(diagnostic) = complete(&mut signature, makes, &item.makes) {
            self.report(env, *diagnostic);
            return None;
        }
        self.refuse_faults(&signature, plugin, env)?;
        if item.from.value.is_empty() {
            let message = "the name of the program is empty";
            let empty = Diagnostic::error(Code::BadPlugin, item.from.span, message);
            self.report(
                env,
                empty.hint("`[plugin.NAME]` in `farcast.toml` says how it is run"),
            );
            return None;
        }
        let module = &self.names.program.modules[plugin.module];
        Some(Declared {
            signature,
            name: item.name.text.clone(),
            from: item.from.value.clone(),
            folder: module.folder.clone(),
            place: item.from.span,
            span: item.name.span,
        })
    }

    fn made_kind(&mut self, word: &Name, env: Env) -> Option<Kind> {
        let keywords = MADE.map(Kind::keyword);
        let diagnostic = match Kind::from_keyword(&word.text) {
            Some(kind) if MADE.contains(&kind) => return Some(kind),
            Some(kind) => {
                let message = format!("a plugin of one's own cannot make {}", a(kind.keyword()));
                Diagnostic::error(Code::WrongKind, word.span, message).hint(never_made(kind))
            }
            None => {
                let message = format!("unknown kind `{}`", word.text);
                Diagnostic::error(Code::UnknownKind, word.span, message).meant(&word.text, keywords)
            }
        };
        self.report(env, diagnostic.choices("kinds", keywords));
        None
    }

    fn declared_param(&mut self, param: &PluginParam, env: Env) -> Option<Param> {
        let (ty, gather) = self.declared_type(&param.types, env)?;
        let is_kind = !kinds_of(&ty).is_empty();
        if is_kind && let Some(given) = param.default.as_ref().or(param.bounds.as_ref()) {
            let message = format!(
                "`{}` is made by a statement: it has no default and no bounds",
                param.name.text
            );
            let hint = format!("what may be left out is written `{}?: …`", param.name.text);
            let refused = Diagnostic::error(Code::BadParam, given.span, message).hint(hint);
            self.report(env, refused);
            return None;
        }
        if param.optional
            && let Some(default) = &param.default
        {
            let message = "expected a default or a `?`, found both";
            let both = Diagnostic::error(Code::BadParam, default.span, message);
            self.report(env, both.hint("with a default it may always be left out"));
            return None;
        }
        let written = |expr: &Option<Expr>| expr.as_ref().map(|expr| self.written(expr.span));
        Some(Param {
            name: param.name.text.clone(),
            doc: String::new(),
            was: None,
            default: written(&param.default),
            range: written(&param.bounds),
            optional: param.optional,
            divides: None,
            variadic: false,
            definitions: false,
            texts: true,
            need: Need::Here,
            truth: false,
            gather,
            every_point: false,
            one_for_all: false,
            ty,
        })
    }

    /// The text of a place.
    fn written(&self, span: Span) -> String {
        let mut sources = self.names.program.sources.iter();
        let source = sources.find(|(file, _)| *file == span.file);
        let text = source.and_then(|(_, it)| it.text.get(span.start as usize..span.end as usize));
        text.unwrap_or_default().to_owned()
    }

    /// The type, and whether all members are read together.
    fn declared_type(&mut self, types: &[TypeExpr], env: Env) -> Option<(Type, bool)> {
        match types {
            [one] if one.name.text == "All" => {
                let [inner] = one.args.as_slice() else {
                    let message = format!("`All` takes one kind, found {}", one.args.len());
                    let error = Diagnostic::error(Code::BadParam, one.span, message);
                    self.report(env, error.hint("write what it holds: `All(parent)`"));
                    return None;
                };
                match self.one_type(inner, env)? {
                    kind @ Type::Kind(_) => Some((kind, true)),
                    _ => self.unknown_type(&inner.name, env),
                }
            }
            [one] => Some((self.one_type(one, env)?, false)),
            words if words.iter().all(is_word) => Some((words_of(words), false)),
            several => {
                let types = several.iter().map(|one| self.one_type(one, env));
                let types: Vec<Option<Type>> = types.collect();
                let types: Option<Vec<Type>> = types.into_iter().collect();
                Some((Type::OneOf(types?), false))
            }
        }
    }

    fn one_type(&mut self, ty: &TypeExpr, env: Env) -> Option<Type> {
        let name = ty.name.text.as_str();
        let bare = ty.args.is_empty();
        match (name, ty.args.as_slice()) {
            ("Formula", []) => return Some(Type::Formula(Over::Columns)),
            ("Condition", []) => return Some(Type::Condition(Over::Columns)),
            ("List", [one]) if !is_scalar_type(&one.name.text) => {
                let inner = self.one_type(one, env)?;
                return Some(Type::List(Box::new(inner)));
            }
            ("List", words) if words.len() > 1 && words.iter().all(is_word) => {
                return Some(Type::List(Box::new(words_of(words))));
            }
            ("Word", []) => {
                let message = "expected the words that may be written";
                let error = Diagnostic::error(Code::BadParam, ty.span, message);
                self.report(env, error.hint("write them: `relu | tanh`"));
                return None;
            }
            _ => {}
        }
        match Kind::from_keyword(name).filter(|_| bare) {
            Some(kind) if TAKEN.contains(&kind) => Some(Type::Kind(kind)),
            Some(kind) => {
                let message = format!("a plugin of one's own cannot take {}", a(kind.keyword()));
                let error = Diagnostic::error(Code::WrongKind, ty.span, message);
                let error = error.hint(never_taken(kind));
                self.report(env, error.choices("kinds", TAKEN.map(Kind::keyword)));
                None
            }
            None if is_scalar_type(name) => self.param_type(ty, env),
            None => self.unknown_type(&ty.name, env),
        }
    }

    fn unknown_type<T>(&mut self, name: &Name, env: Env) -> Option<T> {
        let known = || TAKEN.map(Kind::keyword).into_iter().chain(TYPES);
        let message = format!("unknown type `{}`", name.text);
        let error = Diagnostic::error(Code::UnknownType, name.span, message);
        let error = match crate::foreign::data_type(&name.text) {
            Some(ours) => error.hint(format!("did you mean `{ours}`?")),
            None => error.meant(&name.text, known()),
        };
        self.report(env, error.choices("kinds and types", known()));
        None
    }

    fn option(
        &mut self,
        signature: &mut Signature,
        option: &PluginOption,
        env: Env,
    ) -> Result<(), Diagnostic> {
        let name = &option.name;
        let words: Vec<&str> = option.value.iter().map(|word| word.text.as_str()).collect();
        let place = option.value.iter().map(|word| word.span).reduce(Span::to);
        let place = place.unwrap_or(name.span);
        let wrong = |hint: &str| {
            let found = match words.is_empty() {
                true => "nothing".to_owned(),
                false => format!("`{}`", words.join(" ")),
            };
            let message = format!("`{}` cannot be {found}", name.text);
            Err(Diagnostic::error(Code::BadPlugin, place, message).hint(hint))
        };
        match (name.text.as_str(), words.as_slice()) {
            ("random", []) => signature.random = true,
            ("random", _) => return wrong("write `random` alone: the result depends on the seed"),
            ("members", [param]) => match signature.param(param) {
                Some(it) if it.ty == Type::Int => signature.members = Some((*param).to_owned()),
                Some(_) => {
                    return wrong("write a parameter of type `Int`: it counts members");
                }
                None => return Err(no_param(param, place, signature)),
            },
            ("members", _) => {
                return wrong("write the parameter that counts members: `members: count`");
            }
            ("columns", ["like", param]) => match signature.param(param) {
                Some(it) if it.ty == Type::Kind(Kind::Data) => {
                    let like = Some((*param).to_owned());
                    match &mut signature.columns {
                        ColumnRule::Declared { like: at, .. } => *at = like,
                        _ => {
                            let columns = Vec::new();
                            signature.columns = ColumnRule::Declared { like, columns };
                        }
                    }
                }
                Some(_) => return wrong("write a parameter of type `data`"),
                None => return Err(no_param(param, place, signature)),
            },
            ("columns" | "adds", [text]) => {
                let listed = listed(text);
                let units = listed.iter().filter_map(|column| column.unit.as_deref());
                for unit in units {
                    let unit = Name {
                        text: unit.to_owned(),
                        span: place,
                    };
                    // What it reports is enough.
                    if self.unit(&unit, env).is_none() {
                        return wrong("write columns and units: `\"time [days], temp [K]\"`");
                    }
                }
                if listed.is_empty() || listed.iter().any(|column| column.name.is_empty()) {
                    return wrong("write `like data`, or the columns: `\"time, depth [m]\"`");
                }
                match &mut signature.columns {
                    ColumnRule::Declared { columns, .. } => columns.extend(listed),
                    _ => {
                        let (like, columns) = (None, listed);
                        signature.columns = ColumnRule::Declared { like, columns };
                    }
                }
            }
            ("columns" | "adds", _) => {
                return wrong(
                    "write `columns: like data`, or the columns: `columns: \"time, depth [m]\"`",
                );
            }
            ("version", [number]) => match number.parse() {
                Ok(number) if number > 0 => signature.version = number,
                _ => return wrong("write a whole number from 1: `version: 2`"),
            },
            ("version", _) => return wrong("write a whole number from 1: `version: 2`"),
            (other, _) => {
                let message = format!("unknown option `{other}`");
                return Err(Diagnostic::error(Code::UnknownArgument, name.span, message)
                    .meant(other, OPTIONS)
                    .choices("options", OPTIONS));
            }
        }
        Ok(())
    }

    /// Defaults and ranges that do not fit their types.
    fn refuse_faults(
        &mut self,
        signature: &Signature,
        plugin: &PluginDecl,
        env: Env,
    ) -> Option<()> {
        let faults = declaration_faults(signature, &self.names.catalog.constructors());
        for (name, message) in &faults {
            let param = plugin.item.params.iter().find(|it| it.name.text == *name);
            let span = param.map_or(plugin.item.name.span, |param| {
                let is_range = message.starts_with("the range");
                let place = match is_range {
                    true => param.bounds.as_ref(),
                    false => param.default.as_ref(),
                };
                place.map_or(param.name.span, |place| place.span)
            });
            self.report(
                env,
                Diagnostic::error(Code::BadParam, span, message.clone()),
            );
        }
        faults.is_empty().then_some(())
    }
}

/// What follows from the kind a plugin makes, and what it needs for that.
fn complete(signature: &mut Signature, makes: Kind, place: &Name) -> Result<(), Box<Diagnostic>> {
    let of_kind = |kind: Kind| {
        let params = signature.params.iter();
        params
            .filter(move |param| kinds_of(&param.ty) == [kind])
            .count()
    };
    let refuse = |message: &str, hint: &str| {
        let error = Diagnostic::error(Code::BadPlugin, place.span, message);
        Err(Box::new(error.hint(hint)))
    };
    match makes {
        Kind::Parent => {
            let is = |name: &str, ty: &Type| signature.param(name).is_some_and(|it| it.ty == *ty);
            let columns = Type::List(Box::new(Type::Column));
            let named = [
                ("data", Type::Kind(Kind::Data)),
                ("inputs", columns),
                ("target", Type::Column),
            ];
            if !named.iter().all(|(name, ty)| is(name, ty)) {
                return refuse(
                    "a plugin that makes a `parent` needs the parameters `data`, `inputs` and `target`",
                    "write `data: data, inputs: List(Column), target: Column`",
                );
            }
        }
        Kind::Regression if of_kind(Kind::Anomaly) != 1 || of_kind(Kind::Predictor) == 0 => {
            return refuse(
                "a plugin that makes a `regression` needs one `anomaly` and a `predictor`",
                "write `shift: anomaly, regime: predictor`, or `regimes: List(predictor)`",
            );
        }
        Kind::Data if signature.columns == ColumnRule::None => {
            return refuse(
                "the columns of the data that it makes are not known",
                "write `columns: like data`, or the columns: `columns: \"time, depth [m]\"`",
            );
        }
        Kind::Subset if of_kind(Kind::Data) != 1 || signature.param("data").is_none() => {
            return refuse(
                "a plugin that makes a `subset` needs the parameter `data`",
                "write `data: data`: the rows that the subsets are of",
            );
        }
        Kind::Anomaly
            if signature
                .param("parent")
                .is_none_or(|it| it.ty != Type::Kind(Kind::Parent))
                || signature
                    .param("subsets")
                    .is_none_or(|it| it.ty != Type::Kind(Kind::Subset)) =>
        {
            return refuse(
                "a plugin that makes an `anomaly` needs the parameters `parent` and `subsets`",
                "write `parent: parent, subsets: subset`",
            );
        }
        Kind::Child
            if signature
                .param("parent")
                .is_none_or(|it| it.gather || it.ty != Type::Kind(Kind::Parent)) =>
        {
            return refuse(
                "a plugin that makes a `child` needs the parameter `parent`",
                "write `parent: parent`: whose network runs the weights that it computes",
            );
        }
        Kind::Farcast => {
            let steps = Type::List(Box::new(Type::Int));
            let is_runs =
                |it: &Param| it.gather && !it.optional && it.ty == Type::Kind(Kind::Trajectory);
            let is_steps = |it: &Param| !it.optional && it.ty == steps;
            if !signature.param("trajectory").is_some_and(is_runs)
                || !signature.param("horizon").is_some_and(is_steps)
            {
                return refuse(
                    "a plugin that makes a `farcast` needs the parameters `trajectory` and `horizon`",
                    "write `trajectory: All(trajectory), horizon: List(Int)`: the runs, and the steps to predict",
                );
            }
        }
        _ => {}
    }
    if makes == Kind::Farcast {
        // One action predicts all members.
        let params = signature.params.iter_mut();
        params
            .filter(|param| param.name == "trajectory")
            .for_each(|param| param.one_for_all = true);
    }
    if makes == Kind::Predictor {
        if let Some(param) = signature
            .params
            .iter()
            .find(|it| !kinds_of(&it.ty).is_empty())
        {
            let message = format!(
                "a plugin that makes a `predictor` takes no results of statements, found `{}`",
                param.name
            );
            let error = Diagnostic::error(Code::BadPlugin, place.span, message);
            return Err(Box::new(
                error.hint("it is asked for whatever data it is used with"),
            ));
        }
        for param in &mut signature.params {
            let is_column = match &param.ty {
                Type::List(inner) => **inner == Type::Column,
                ty => *ty == Type::Column,
            };
            if is_column {
                param.need = Need::Always;
            }
        }
    }
    if makes == Kind::Parent {
        for param in &mut signature.params {
            match param.name.as_str() {
                "data" => param.truth = true,
                "inputs" => param.need = Need::Always,
                "target" => param.need = Need::Truth,
                _ => {}
            }
        }
    }
    Ok(())
}

fn no_param(name: &str, place: Span, signature: &Signature) -> Diagnostic {
    let params = || signature.params.iter().map(|param| param.name.as_str());
    let message = format!("`{}` has no parameter `{name}`", signature.name);
    Diagnostic::error(Code::BadPlugin, place, message)
        .meant(name, params())
        .choices("parameters", params())
}

/// `time [days], depth`: columns and their units.
fn listed(text: &str) -> Vec<ColumnInfo> {
    let columns = text.split(',').map(str::trim).filter(|it| !it.is_empty());
    let column = |text: &str| match text.split_once('[') {
        Some((name, unit)) => {
            let unit = unit.trim().trim_end_matches(']').trim();
            ColumnInfo::numbers(name.trim(), Some(unit.to_owned()))
        }
        None => ColumnInfo::numbers(text, None),
    };
    columns.map(column).collect()
}

fn words_of(words: &[TypeExpr]) -> Type {
    Type::Word(words.iter().map(|word| word.name.text.clone()).collect())
}

/// A word that is a choice, no kind and no type.
fn is_word(ty: &TypeExpr) -> bool {
    let name = &ty.name.text;
    ty.args.is_empty()
        && name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && Kind::from_keyword(name).is_none()
}

fn is_scalar_type(name: &str) -> bool {
    TYPES.contains(&name) && !matches!(name, "Formula" | "Condition" | "All")
}

/// The kinds of statements a parameter can refer to.
fn kinds_of(ty: &Type) -> Vec<Kind> {
    match ty {
        Type::Kind(kind) => vec![*kind],
        Type::List(inner) => kinds_of(inner),
        Type::OneOf(types) => types.iter().flat_map(kinds_of).collect(),
        _ => Vec::new(),
    }
}
