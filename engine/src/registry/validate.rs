//! What is wrong with a declaration, found when it is registered and not in a run.

use dsl::check::declaration_faults;
use dsl::signature::{ColumnRule, Makes, Signature};
use dsl::types::{Kind, Type};

use super::{Registry, RegistryError};
use crate::params::Implicit;
use crate::plugin::{DEFINITIONS, Declaration};

impl Registry {
    /// Checks every declaration: names, defaults, ranges, and the inputs found along arguments.
    ///
    /// # Errors
    /// The first fault, with its plugin and field.
    pub fn validate(&self) -> Result<(), RegistryError> {
        let mut constructors: Vec<&str> = self.constructors.iter().map(|it| it.name).collect();
        constructors.sort_unstable();
        let twice = constructors.windows(2).find(|pair| pair[0] == pair[1]);
        // A plugin may share its word with a constructor, whose group finds it.
        if let Some([name, _]) = twice {
            return Err(fault(name, None, "the name exists already"));
        }
        for constructor in &self.constructors {
            self.validate_signature(&(constructor.signature)())?;
        }
        self.operations
            .names()
            .try_for_each(|name| self.validate_plugin(name))
    }

    pub(super) fn validate_plugin(&self, name: &str) -> Result<(), RegistryError> {
        let Some(operation) = self.get(name) else {
            return Ok(());
        };
        let declaration = operation.declaration();
        self.validate_signature(&declaration.signature)?;
        if declaration.by_content && declaration.remade {
            let message = "its dependents are keyed by its bytes, which are not stored";
            return Err(fault(name, None, message));
        }
        for (field, input) in &declaration.implicit {
            match &input.how {
                Implicit::Via(path) => self.validate_path(declaration, field, path)?,
                Implicit::Ancestors { of, .. } | Implicit::Origins(of) | Implicit::Points(of) => {
                    if declaration.signature.param(of).is_none() {
                        let message = format!("`{of}` is not a parameter");
                        return Err(fault(name, Some(field), message));
                    }
                }
            }
        }
        for field in &declaration.not_in_stream {
            let implicit = declaration.implicit.iter().any(|(name, _)| name == field);
            if declaration.signature.param(field).is_none() && !implicit {
                return Err(fault(name, Some(field), "expected a parameter or an input"));
            }
        }
        match &declaration.replayed {
            Some(replayed) => self.validate_cut(name, &replayed.field, &replayed.cut),
            None => Ok(()),
        }
    }

    fn validate_signature(&self, signature: &Signature) -> Result<(), RegistryError> {
        let name = &signature.name;
        let params = &signature.params;
        for (at, param) in params.iter().enumerate() {
            let field = Some(param.name.as_str());
            if params[..at].iter().any(|other| other.name == param.name) {
                return Err(fault(name, field, "the parameter exists already"));
            }
            if param.variadic && !matches!(param.ty, Type::List(_)) {
                return Err(fault(name, field, "expected a list: it is variadic"));
            }
            if param.one_for_all && !param.gather {
                return Err(fault(
                    name,
                    field,
                    "expected an input with all members: one result serves all",
                ));
            }
            if let Some(whole) = &param.divides {
                let is_whole = signature.param(whole).is_some_and(|it| it.ty == Type::Int);
                if !is_whole || param.ty != Type::Int {
                    let message = format!("`divides` expects whole numbers here and in `{whole}`");
                    return Err(fault(name, field, message));
                }
            }
        }
        let expect = |field: &String, holds: bool, what: &str| match holds {
            true => Ok(()),
            false => Err(fault(name, Some(field), format!("expected {what}"))),
        };
        if let Some(members) = &signature.members {
            let is_int = signature
                .param(members)
                .is_some_and(|it| it.ty == Type::Int);
            expect(members, is_int, "a whole number: it counts members")?;
        }
        if let ColumnRule::Like(from) | ColumnRule::Extend(from) = &signature.columns {
            let has_rows = signature
                .param(from)
                .is_some_and(|param| has_kind(&param.ty));
            expect(
                from,
                has_rows,
                "a statement: the columns are those of its result",
            )?;
        }
        if let ColumnRule::Extend(_) | ColumnRule::Groups(_) = &signature.columns {
            let extends = signature.param(DEFINITIONS).is_some();
            expect(
                &DEFINITIONS.to_owned(),
                extends,
                "a parameter for new columns",
            )?;
        }
        match declaration_faults(signature, &self.catalog())
            .into_iter()
            .next()
        {
            Some((param, message)) => Err(fault(name, Some(&param), message)),
            None => Ok(()),
        }
    }

    /// Every plugin that can be reached along a path must have the next segment, or the path
    /// must be allowed to end there; one at least must have it.
    fn validate_path(
        &self,
        declaration: &Declaration,
        field: &str,
        path: &str,
    ) -> Result<(), RegistryError> {
        let mut reached = vec![&declaration.signature];
        for segment in path.split('.') {
            let params = reached
                .iter()
                .filter_map(|signature| signature.param(segment));
            let kinds: Vec<Kind> = params.flat_map(|param| kinds_of(&param.ty)).collect();
            if kinds.is_empty() {
                let message = format!(
                    "the path `{path}` leads nowhere: no plugin has a statement as `{segment}` there"
                );
                return Err(fault(&declaration.signature.name, Some(field), message));
            }
            let produces = |signature: &&Signature| match &signature.makes {
                Makes::Kinds(made) => made.iter().any(|kind| kinds.contains(kind)),
                Makes::Value(_) => false,
            };
            let signatures = self
                .iter()
                .map(|operation| &operation.declaration().signature);
            reached = signatures.filter(produces).collect();
        }
        Ok(())
    }

    fn validate_cut(&self, name: &str, field: &str, cut: &str) -> Result<(), RegistryError> {
        let message = match self.get(cut).map(|operation| operation.declaration()) {
            None => format!("`replay` names `{cut}`, which is not a plugin"),
            Some(declaration) => match &declaration.cutter {
                None => format!("`replay` names `{cut}`, which does not cut training data"),
                Some(cutter) => match cutter.unknown(&declaration.signature) {
                    None => return Ok(()),
                    Some(role) => return Err(fault(cut, Some(role), "expected a parameter")),
                },
            },
        };
        Err(fault(name, Some(field), message))
    }
}

fn fault(plugin: &str, field: Option<&str>, message: impl Into<String>) -> RegistryError {
    RegistryError {
        plugin: plugin.to_owned(),
        field: field.map(str::to_owned),
        message: message.into(),
    }
}

fn has_kind(ty: &Type) -> bool {
    !kinds_of(ty).is_empty()
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
