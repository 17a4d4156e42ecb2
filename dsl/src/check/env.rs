//! Where an expression is evaluated: in a file, or in a definition with its arguments.

use super::checker::Checker;
use super::scope::{Entity, NO_FILE};
use crate::ast::{Arg, Expr, Name};
use crate::diagnostic::{Code, Diagnostic};
use crate::nearest::{count, quoted};
use crate::source::Span;

/// The file whose names are meant, and the definition being expanded, if any.
#[derive(Clone, Copy)]
pub struct Env<'e> {
    pub module: usize,
    pub frame: Option<&'e Frame<'e>>,
}

/// One expansion of a definition. Arguments stay expressions with the place they were
/// written in, so a name means what it means there, and its type is known where it is used.
pub struct Frame<'e> {
    pub name: &'e str,
    pub call: Span,
    pub caller: Env<'e>,
    args: Vec<(&'e str, &'e Expr, Env<'e>)>,
}

/// What a name was found to be.
pub enum Resolved<'e> {
    /// An argument of the definition at hand.
    Arg(&'e Expr, Env<'e>),
    /// A name of the file.
    Entity(Entity),
    /// No name of the file: perhaps a column, a word or a constructor.
    Nothing,
    /// An error that is reported already.
    Failed,
}

impl<'e> Env<'e> {
    /// At the top of a file.
    pub fn file(module: usize) -> Self {
        Self {
            module,
            frame: None,
        }
    }

    fn arg(self, name: &str) -> Option<(&'e Expr, Env<'e>)> {
        let args = &self.frame?.args;
        let (_, expr, env) = args.iter().find(|(arg, ..)| *arg == name)?;
        Some((expr, *env))
    }

    /// The call in the experiment that led here, when it is inside a definition.
    pub fn outermost_call(self) -> Option<Span> {
        let mut frame = self.frame?;
        while let Some(outer) = frame.caller.frame {
            frame = outer;
        }
        Some(frame.call)
    }
}

/// How many calls of definitions are shown around a mistake, beside the outermost one.
const MAX_CALLS: usize = 3;
/// How many expansions one experiment may take.
const MAX_EXPANSIONS: usize = 100_000;
/// How deeply expressions and definitions may be nested together.
const MAX_DEPTH: usize = 300;

impl<'p> Checker<'p> {
    /// Notes a diagnostic, with the calls of the definitions it happened in.
    pub fn report(&mut self, env: Env, mut diagnostic: Diagnostic) {
        let mut frame = env.frame;
        let mut shown = 0;
        while let Some(inner) = frame {
            frame = inner.caller.frame;
            shown += 1;
            // The innermost calls and the one the user wrote are what matters.
            if shown <= MAX_CALLS || frame.is_none() {
                let text = format!("in `{}`, called here", inner.name);
                diagnostic = diagnostic.and(inner.call, text);
            }
        }
        diagnostic.labels.retain(|label| label.span.file != NO_FILE);
        self.sink.report(diagnostic);
    }

    /// What a name means here.
    pub fn find<'e>(&mut self, path: &[Name], env: Env<'e>) -> Resolved<'e> {
        let single = path.len() == 1;
        if single
            && let Some(name) = path.first()
            && let Some((expr, env)) = env.arg(&name.text)
        {
            return Resolved::Arg(expr, env);
        }
        match self.program.resolve(env.module, path) {
            Ok(Entity::Broken) => Resolved::Failed,
            Ok(entity) => Resolved::Entity(entity),
            Err(_) if single => Resolved::Nothing,
            Err((module, name)) => {
                let program = self.program;
                let module = &program.modules[module];
                if !module.torn {
                    let message = format!("unknown name `{}`", name.text);
                    let names = module.names.keys().map(String::as_str);
                    let diagnostic = Diagnostic::error(Code::UnknownName, name.span, message)
                        .meant(&name.text, names);
                    self.report(env, diagnostic);
                }
                Resolved::Failed
            }
        }
    }

    /// An unknown single name; silent where it may have been lost to a syntax error.
    pub fn unknown(&mut self, env: Env, diagnostic: Diagnostic) {
        if !self.program.modules[env.module].torn {
            self.report(env, diagnostic);
        }
    }

    /// Runs `inside` one level deeper; nothing beyond the limit.
    pub fn deeper<R>(
        &mut self,
        span: Span,
        env: Env,
        inside: impl FnOnce(&mut Self) -> Option<R>,
    ) -> Option<R> {
        if self.depth >= MAX_DEPTH {
            let message = format!("nested more than {MAX_DEPTH} deep");
            self.report(env, Diagnostic::error(Code::TooDeep, span, message));
            // Once is enough: what got this deep gets there in many ways.
            self.expansions = self.expansions.max(MAX_EXPANSIONS + 1);
            return None;
        }
        self.depth += 1;
        let result = inside(self);
        self.depth -= 1;
        result
    }

    /// Runs `inside` on the body of a definition, its parameters bound to the arguments.
    pub fn expand<R>(
        &mut self,
        define: usize,
        args: &[Arg],
        span: Span,
        env: Env,
        inside: impl FnOnce(&mut Self, &Expr, Env) -> Option<R>,
    ) -> Option<R> {
        let define = &self.program.defines[define];
        if define.cyclic {
            return None;
        }
        self.expansions += 1;
        if self.expansions > MAX_EXPANSIONS {
            if self.expansions == MAX_EXPANSIONS + 1 {
                let message = format!("definitions expand to more than {MAX_EXPANSIONS} calls");
                self.report(env, Diagnostic::error(Code::TooLarge, span, message));
            }
            return None;
        }
        let names: Vec<&str> = define.params.iter().map(|p| p.name.text.as_str()).collect();
        let mut given: Vec<Option<&Expr>> = vec![None; names.len()];
        let mut sound = true;
        let mut positional = 0;
        for arg in args {
            let (at, place) = match arg {
                Arg::Positional(value) => {
                    positional += 1;
                    (
                        (positional <= names.len()).then(|| positional - 1),
                        value.span,
                    )
                }
                Arg::Named { name, .. } | Arg::New { name, .. } => (
                    names.iter().position(|known| *known == name.text),
                    name.span,
                ),
            };
            match at {
                None => {
                    self.refuse_arg(arg, &define.name, &names, place, env);
                    sound = false;
                }
                Some(at) => match given[at] {
                    None => given[at] = Some(arg.value()),
                    Some(first) => {
                        let message = format!("`{}` is given twice", names[at]);
                        let diagnostic = Diagnostic::error(Code::DuplicateArgument, place, message)
                            .and(first.span, "first here");
                        self.report(env, diagnostic);
                        sound = false;
                    }
                },
            }
        }
        let own = Env::file(define.module);
        let mut bound = Vec::with_capacity(names.len());
        let mut missing = Vec::new();
        for ((param, name), given) in define.params.iter().zip(&names).zip(given) {
            match (given, &param.default) {
                (Some(expr), _) => bound.push((*name, expr, env)),
                (None, Some(default)) => bound.push((*name, default, own)),
                (None, None) => missing.push(*name),
            }
        }
        if sound && !missing.is_empty() {
            let list = quoted(missing.iter().copied());
            let message = format!("`{}` is missing {list}", define.name.text);
            let diagnostic = Diagnostic::error(Code::MissingArgument, span, message)
                .and(define.name.span, "defined here");
            self.report(env, diagnostic);
        }
        if !sound || !missing.is_empty() {
            return None;
        }
        let frame = Frame {
            name: &define.name.text,
            call: span,
            caller: env,
            args: bound,
        };
        let inner = Env {
            module: define.module,
            frame: Some(&frame),
        };
        inside(self, &define.body, inner)
    }

    fn refuse_arg(&mut self, arg: &Arg, define: &Name, names: &[&str], place: Span, env: Env) {
        let diagnostic = match arg {
            Arg::Positional(_) => {
                let message = format!("`{}` takes {}", define.text, count(names.len()));
                Diagnostic::error(Code::TooManyArguments, place, message)
            }
            Arg::Named { name, .. } | Arg::New { name, .. } => {
                let message = format!("`{}` has no parameter `{}`", define.text, name.text);
                Diagnostic::error(Code::UnknownArgument, place, message)
                    .meant(&name.text, names.iter().copied())
                    .choices("parameters", names.iter().copied())
            }
        };
        self.report(env, diagnostic.and(define.span, "defined here"));
    }
}
