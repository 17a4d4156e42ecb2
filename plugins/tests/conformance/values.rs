//! Values to try a parameter with, in the language: good ones and bad ones.

use dsl::signature::{Param, Signature};
use dsl::types::Type;

/// Two different values that the parameter allows where the others have their defaults; none
/// for types whose values are names.
pub fn two_values(param: &Param, signature: &Signature) -> Option<[String; 2]> {
    // A pattern that reads dates has a code for the year.
    if param.name == "dates" {
        return Some(["\"%Y\"", "\"%y\""].map(str::to_owned));
    }
    let mut others = signature.params.iter();
    let part = others.find(|other| other.divides.as_ref() == Some(&param.name));
    match part.and_then(|part| part.default.as_ref()?.parse::<i64>().ok()) {
        Some(part) => Some([part, 2 * part].map(|value| value.to_string())),
        None => two_of(&param.ty, bounds(param)),
    }
}

fn two_of(ty: &Type, (least, most): (Option<f64>, Option<f64>)) -> Option<[String; 2]> {
    let start = least.or(most.map(|most| most - 2.0)).unwrap_or(1.0);
    let pair = match ty {
        Type::Int => [start, start + 1.0].map(|value| value.to_string()),
        Type::Float | Type::Quantity(_) => {
            let width = most.map_or(1.0, |most| most - start);
            [0.25, 0.5].map(|share| (start + share * width).to_string())
        }
        Type::Duration => [1.0, 2.0].map(|more| format!("{} s", start + more)),
        Type::Bool => ["true", "false"].map(str::to_owned),
        Type::Word(words) => [words.first()?.clone(), words.get(1)?.clone()],
        Type::String => ["\"one\"", "\"two\""].map(str::to_owned),
        Type::List(inner) => two_of(inner, (least, most))?.map(|value| format!("[{value}]")),
        Type::OneOf(types) => types.iter().find_map(|ty| two_of(ty, (least, most)))?,
        _ => return None,
    };
    Some(pair)
}

/// A value of a type that the parameter does not take; none where formulas are defined.
pub fn wrong_type(param: &Param) -> Option<String> {
    (!param.definitions).then(|| wrong(&param.ty).to_owned())
}

fn wrong(ty: &Type) -> &'static str {
    match ty {
        Type::Word(_) | Type::String | Type::Path => "1",
        Type::List(inner) => wrong(inner),
        Type::OneOf(types) if types.contains(&Type::String) => "true",
        _ => "\"text\"",
    }
}

/// Numbers just outside the range of the parameter.
pub fn out_of_range(param: &Param) -> Vec<String> {
    let (least, most) = bounds(param);
    let outside = [least.map(|least| least - 1.0), most.map(|most| most + 1.0)];
    let numbers = outside.into_iter().flatten();
    match param.ty {
        Type::List(_) => numbers.map(|number| format!("[{number}]")).collect(),
        _ => numbers.map(|number| number.to_string()).collect(),
    }
}

/// The ends of the declared range, in the unit of the parameter.
fn bounds(param: &Param) -> (Option<f64>, Option<f64>) {
    let Some(range) = &param.range else {
        return (None, None);
    };
    let (least, most) = range
        .split_once("..")
        .unwrap_or_else(|| panic!("`{}`: `{range}` is not a range of numbers", param.name));
    let end = |text: &str| match text.trim_start_matches('=').trim() {
        "" => None,
        text => Some(text.parse().unwrap_or_else(|_| {
            panic!(
                "`{}`: `{range}` has an end that is not a number",
                param.name
            )
        })),
    };
    (end(least), end(most))
}
