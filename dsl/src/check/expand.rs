//! Names and calls of definitions where they are evaluated, and the mistakes made inside them.

use super::checker::Checker;
use super::env::{Env, Frame, Resolved};
use super::extent::{MAX_EXPANSION, MAX_VALUES, TooLarge};
use super::scope::{Entity, NO_FILE};
use crate::ast::{Arg, Expr, Name};
use crate::diagnostic::{Code, Diagnostic};
use crate::nearest::{count, quoted};
use crate::source::Span;

/// How many calls of definitions are shown around a mistake, beside the outermost one.
const MAX_CALLS: usize = 3;
/// How many names are compared with unknown ones.
const MAX_COMPARED: usize = 2_000_000;
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
        diagnostic.fixes.retain(|fix| fix.span.file != NO_FILE);
        self.limits.extent.note_diagnostic();
        self.sink.report(diagnostic);
    }

    /// What a name means here; an unknown part of a path is reported.
    pub fn find<'e>(&mut self, path: &[Name], env: Env<'e>) -> Resolved<'e> {
        let found = self.names.find(path, env);
        match found {
            Resolved::Failed => self.refuse_path(path, env),
            _ => self.names.trace_name(path, &found),
        }
        found
    }

    fn refuse_path(&mut self, path: &[Name], env: Env) {
        let program = self.names.program;
        let Err((module, name)) = program.resolve(env.module, path) else {
            return;
        };
        if !program.modules[module].torn {
            let message = format!("unknown name `{}`", name.text);
            let diagnostic = Diagnostic::error(Code::UnknownName, name.span, message)
                .meant(&name.text, self.names_of(module));
            let is_result = matches!(
                program.resolve(env.module, &path[..1]),
                Ok(Entity::Statement(_))
            );
            let is_plugin = self.names.catalog.has(&name.text);
            let diagnostic = match (is_result, path) {
                (true, [data, _]) if is_plugin => {
                    let (plugin, data) = (&name.text, &data.text);
                    diagnostic.hint(format!("write `{plugin}({data}, …)`"))
                }
                (true, _) => diagnostic.hint("a column is named alone, without its data"),
                (false, _) => diagnostic,
            };
            self.report(env, diagnostic);
        }
    }

    /// The names of a file, to offer the nearest: of many, only for the first mistakes, since each
    /// is compared with all.
    pub fn names_of(&self, module: usize) -> Vec<&'p str> {
        let names = &self.names.program.modules[module].names;
        match names.len().saturating_mul(self.sink.count()) {
            0..MAX_COMPARED => names.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// An unknown single name; silent where it may have been lost to a syntax error.
    pub fn unknown(&mut self, env: Env, diagnostic: Diagnostic) {
        if !self.names.program.modules[env.module].torn {
            self.report(env, diagnostic);
        }
    }

    /// Counts values about to be made at a place; none when there are too many already.
    pub fn count(&mut self, values: usize, span: Span, env: Env) -> Option<()> {
        let diagnostic = match self.limits.extent.count(values) {
            Ok(()) => return Some(()),
            Err(TooLarge::Still) => return None,
            Err(TooLarge::Experiment) => {
                let message = format!("the experiment has more than {MAX_VALUES} values");
                Diagnostic::error(Code::TooLarge, span, message)
                    .hint("definitions, lists and sweeps multiply: sweep fewer values at once")
            }
            Err(TooLarge::Expansion(expansion)) => {
                let define = &self.names.program.defines[expansion.define].name;
                let name = &define.text;
                let message = format!("`{name}` expands to more than {MAX_EXPANSION} values");
                Diagnostic::error(Code::TooLarge, expansion.call, message)
                    .and(define.span, "defined here")
                    .hint("a definition repeats its arguments: make a column of what is repeated")
            }
        };
        self.report(Env::file(env.module), diagnostic);
        None
    }

    /// Runs `inside` as no part of a definition's expansion: its result is kept and used again.
    pub fn apart<R>(&mut self, inside: impl FnOnce(&mut Self) -> R) -> R {
        let expansion = self.limits.extent.pause();
        let result = inside(self);
        self.limits.extent.resume(expansion);
        result
    }

    /// Runs `inside` one level deeper; nothing beyond the limit.
    pub fn deeper<R>(
        &mut self,
        span: Span,
        env: Env,
        inside: impl FnOnce(&mut Self) -> Option<R>,
    ) -> Option<R> {
        if self.limits.depth >= MAX_DEPTH {
            let message = format!("nested more than {MAX_DEPTH} deep");
            self.report(env, Diagnostic::error(Code::TooDeep, span, message));
            // Once is enough: what got this deep gets there in many ways.
            self.limits.extent.give_up();
            return None;
        }
        self.limits.depth += 1;
        let result = inside(self);
        self.limits.depth -= 1;
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
        let at = define;
        let define = &self.names.program.defines[at];
        if define.cyclic {
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
        self.limits.extent.open(at, span);
        let result = inside(self, &define.body, inner);
        self.limits.extent.close();
        result
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
