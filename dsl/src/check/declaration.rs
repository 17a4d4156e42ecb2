//! What is wrong with the defaults and ranges that a plugin declares.

use super::Nothing;
use super::checker::Checker;
use super::env::Env;
use super::lookup::Lookup;
use super::notes::Notes;
use super::scope::{NOWHERE, Program};
use super::value::Expected;
use crate::diagnostic::Diagnostic;
use crate::signature::{Catalog, Param, Signature};
use crate::sweep::Choices;

/// The parameters whose default or range cannot be used, each with the reason: it does not
/// parse, has another type, or the default is out of the range.
pub fn declaration_faults(signature: &Signature, catalog: &Catalog) -> Vec<(String, String)> {
    let program = Program::load("", "", catalog, &Nothing);
    let choices = Choices::default();
    let names = Lookup {
        program: &program,
        catalog,
        outside: &Nothing,
        choices: &choices,
        trace: None,
    };
    let mut faults = Vec::new();
    for param in &signature.params {
        let mut checker = Checker::new(names, Vec::new());
        if let Err(message) = checker.declared(param) {
            faults.push((param.name.clone(), message));
        }
    }
    faults
}

impl Checker<'_> {
    fn declared(&mut self, param: &Param) -> Result<(), String> {
        let env = Env::file(NOWHERE);
        let bounds = match &param.range {
            None => None,
            Some(range) => {
                let snippet = self.snippet(&format!("0 in {range}"));
                let expr = snippet.as_ref().and_then(|snippet| snippet.1.as_ref());
                let expr = expr.ok_or_else(|| format!("the range `{range}` does not parse"))?;
                let bounds = self.quietly(|checker| checker.bounds(expr, &param.ty, env));
                Some((range, sound(bounds, "range", range)?))
            }
        };
        let Some(default) = &param.default else {
            return Ok(());
        };
        let snippet = self.snippet(default);
        let snippet = snippet.ok_or_else(|| format!("the default `{default}` does not parse"))?;
        let want = Expected::plain(&param.ty);
        let value =
            self.quietly(|checker| checker.value(&snippet.0, env, want, &mut Notes::default()));
        let value = sound(value, "default", default)?;
        match bounds {
            Some((range, bounds)) if bounds.refused(&value).is_some() => Err(format!(
                "the default `{default}` is out of the range `{range}`"
            )),
            _ => Ok(()),
        }
    }
}

/// What a text was evaluated to, or why it cannot be.
fn sound<T>(
    (result, found): (Option<T>, Vec<Diagnostic>),
    what: &str,
    text: &str,
) -> Result<T, String> {
    result.ok_or_else(|| {
        let first = found.iter().find(|it| it.is_error());
        let reason = first.map_or("it cannot be evaluated", |it| &it.message);
        format!("the {what} `{text}`: {reason}")
    })
}
