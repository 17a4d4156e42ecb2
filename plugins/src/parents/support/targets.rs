//! The columns that a network predicts.

use dsl::experiment::Value;
use dsl::types::Type;
use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Bindings, Column, ParamType};
use engine::plugin::{Complaint, Sketch};

use crate::networks::{Loss, Scaled, TrainingRows, scaled_target};

/// One column or several.
#[derive(Clone, Debug, PartialEq)]
pub struct Targets(pub Vec<Column>);

impl ParamType for Targets {
    fn ty() -> Type {
        Type::OneOf(vec![Type::Column, Type::List(Box::new(Type::Column))])
    }

    fn from_value(field: &str, value: &Value, bindings: &Bindings) -> Result<Self, Fault> {
        match value {
            Value::List(_) => Vec::from_value(field, value, bindings).map(Self),
            one => Column::from_value(field, one, bindings).map(|one| Self(vec![one])),
        }
    }
}

impl Targets {
    /// Each, and how many outputs a network needs for them.
    ///
    /// # Errors
    /// When there is none, one is missing or has gaps, or when classes are asked for and one of
    /// several has none.
    pub fn scaled(
        &self,
        loss: Loss,
        data: &Dataset,
        train: &TrainingRows,
    ) -> Result<(Vec<Scaled>, usize), Fault> {
        let scaled = self.0.iter();
        let scaled = scaled.map(|column| scaled_target(column, loss, data, train));
        match &scaled.collect::<Result<Vec<_>, Fault>>()?[..] {
            [] => Err(Fault::at("target", NONE)),
            [(one, outputs)] => Ok((vec![one.clone()], *outputs)),
            several if loss == Loss::Mse => {
                let columns = several.iter().map(|(column, _)| column.clone());
                Ok((columns.collect(), several.len()))
            }
            _ => Err(Fault::at("target", CLASSES)),
        }
    }

    /// What is wrong with those of a call.
    pub fn complaint(call: &Sketch) -> Option<Complaint> {
        let Targets(targets) = call.get("target")?;
        let twice = targets.iter().enumerate();
        let twice = { twice }.find_map(|(at, it)| targets[..at].contains(it).then_some(&it.0));
        let is_classes = call.get::<Loss>("loss") == Some(Loss::CrossEntropy);
        match (&targets[..], twice) {
            ([], _) => Some(Complaint::at("target", NONE)),
            (_, Some(twice)) => {
                let message = format!("column `{twice}` is named twice");
                Some(Complaint::at("target", message))
            }
            ([_, _, ..], None) if is_classes => Some(Complaint::at("target", CLASSES)),
            _ => None,
        }
    }
}

const NONE: &str = "expected one column or more, found none";
const CLASSES: &str = "expected one column of classes, found several";
