//! Regressions that a program fits: it sees the predictors and the anomalies of the usable
//! subsets, and answers with coefficients of polynomials.

use std::sync::Arc;

use dsl::experiment::Value;
use dsl::signature::Signature;
use dsl::types::{Kind, Type};
use engine::artifact::{AnyArtifact, Dataset, WeightTable};
use engine::error::Fault;
use engine::foreign::{Foreign, Given, Made, Maker, Parcel, Unfit, Values, WEIGHTS};
use engine::params::{Bindings, Implicit, Input, MaybeVia, ParamType, Via};
use engine::plugin::{Context, ImplicitInput};
use serde_json::json;

use super::evidence::Evidence;
use super::sample::{Sample, is_finite};
use super::shared::{Against, Sources};
use crate::parents::Parent;
use crate::predictors::{Fitted, PredictorRows, Predictors};
use crate::regressions::{Basis, Form, Regression};
use crate::subsets::Subsets;

/// Makes regressions of coefficients.
pub struct Fit;

/// What a regression is fitted on, as its program is called with it.
struct FitInput {
    anomalies: Input<WeightTable>,
    /// The recipes with the parameter that each came by.
    predictors: Vec<(String, Input<Predictors>)>,
    subsets: Via<Subsets>,
    data: Via<Dataset>,
    training: MaybeVia<Dataset>,
    parent: Via<Parent>,
}

/// The parameter that holds the anomalies, and those that hold predictors.
fn params(signature: &Signature) -> (String, Vec<String>) {
    let of = |kind: Kind| {
        let is = move |ty: &Type| match ty {
            Type::List(inner) => **inner == Type::Kind(kind),
            ty => *ty == Type::Kind(kind),
        };
        let params = signature.params.iter().filter(move |param| is(&param.ty));
        params.map(|param| param.name.clone())
    };
    let anomalies = of(Kind::Anomaly).next().unwrap_or_default();
    (anomalies, of(Kind::Predictor).collect())
}

impl FitInput {
    fn of(signature: &Signature, bindings: &Bindings) -> Result<Self, Fault> {
        let (anomalies, names) = params(signature);
        let via = |path: &str| format!("{anomalies}.{path}");
        let mut predictors = Vec::new();
        for name in names {
            let Some(argument) = bindings.args.get(&name) else {
                continue;
            };
            let one = std::slice::from_ref(&argument.value);
            let values = match &argument.value {
                Value::List(values) => values.as_slice(),
                _ => one,
            };
            for value in values {
                predictors.push((name.clone(), Input::from_value(&name, value, bindings)?));
            }
        }
        Ok(Self {
            predictors,
            subsets: Via::decode(&via("subsets"), bindings)?,
            data: Via::decode(&via("subsets.data"), bindings)?,
            training: MaybeVia::decode(&via("parent.data"), bindings)?,
            parent: Via::decode(&via("parent"), bindings)?,
            anomalies: Input::decode(&anomalies, bindings)?,
        })
    }

    /// The usable subsets, and how many predictors each recipe has.
    fn sample<R>(
        &self,
        context: &Context,
        take: impl FnOnce(&Sample, &[usize]) -> R,
    ) -> Result<R, Fault> {
        let training = self.training.0.as_deref().unwrap_or(&self.data);
        // An input cannot be copied, its recipe can.
        let recipes = self.predictors.iter();
        let recipes: Vec<Input<Predictors>> = recipes
            .map(|(_, recipe)| Input::new(Predictors::clone(recipe)))
            .collect();
        let sources = Sources {
            anomalies: &self.anomalies,
            predictors: &recipes,
            keep: None,
            pca: None,
            against: Against::Anomalies,
            subsets: &self.subsets,
            data: &self.data,
            training,
            parent: &self.parent,
        };
        let sample = Sample::gather(&sources, is_finite, context)?;
        let width = |fitted: &Fitted| {
            let rows = PredictorRows::of(std::slice::from_ref(fitted), &self.data);
            rows.map(|rows| rows.names.len())
        };
        let widths = sample
            .predictors
            .iter()
            .map(width)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(take(&sample, &widths))
    }
}

impl Maker for Fit {
    fn implicit(&self, signature: &Signature) -> Vec<(String, ImplicitInput)> {
        let (anomalies, _) = params(signature);
        let via = |path: &str| {
            let path = format!("{anomalies}.{path}");
            let how = Implicit::Via(path.clone());
            (path, ImplicitInput { how, gather: false })
        };
        ["subsets", "subsets.data", "parent.data", "parent"]
            .map(via)
            .into()
    }

    fn further(
        &self,
        plugin: &Foreign,
        bindings: &Bindings,
        context: &Context<'_>,
    ) -> Result<Vec<(String, Given)>, Fault> {
        let signature = &plugin.provided.declaration.signature;
        let found = FitInput::of(signature, bindings)?;
        let (anomalies, _) = params(signature);
        found.sample(context, |sample, widths| {
            let layout = &found.anomalies.layout;
            let rows: Vec<f32> = sample.table_rows().flatten().copied().collect();
            let table = Parcel::default()
                .with("rows", sample.rows())
                .with("layout", json!(layout))
                .with_array(
                    WEIGHTS,
                    vec![sample.rows(), layout.len()],
                    Values::F32(rows.into()),
                );
            let mut given = vec![(anomalies, Given::One("anomaly".to_owned(), table))];
            let mut start = 0;
            for ((name, _), width) in found.predictors.iter().zip(widths) {
                let columns = start..start + width;
                start = columns.end;
                let points = sample.points().iter();
                let values: Vec<f64> = points
                    .flat_map(|point| point[columns.clone()].to_vec())
                    .collect();
                let scaling = &sample.scaling[columns.clone()];
                let (mean, std): (Vec<f64>, Vec<f64>) = scaling.iter().copied().unzip();
                let parcel = Parcel::default()
                    .with("rows", sample.rows())
                    .with("names", json!(sample.names()[columns]))
                    .with("mean", json!(mean))
                    .with("std", json!(std))
                    .with_array(
                        "values",
                        vec![sample.rows(), *width],
                        Values::F64(values.into()),
                    );
                let one = Given::One("predictor".to_owned(), parcel);
                let is_list = signature
                    .param(name)
                    .is_some_and(|it| matches!(it.ty, Type::List(_)));
                match given.iter_mut().find(|(other, _)| other == name) {
                    Some((_, Given::List(items))) => items.push(one),
                    _ if is_list => given.push((name.clone(), Given::List(vec![one]))),
                    _ => given.push((name.clone(), one)),
                }
            }
            given
        })
    }

    fn make(&self, parcel: Parcel, made: &Made<'_>) -> Result<AnyArtifact, Unfit> {
        let signature = &made.plugin.provided.declaration.signature;
        let found = FitInput::of(signature, made.bindings)?;
        // What is noted of the sample was noted when it was given out.
        let quiet = Context::alone("a sample again");
        let regression = found.sample(&quiet, |sample, _| fitted(&parcel, sample, &found))?;
        Ok(Arc::new(regression?))
    }
}

/// The largest degree of the polynomials of an answer.
const MOST: usize = 8;

fn fitted(parcel: &Parcel, sample: &Sample, found: &FitInput) -> Result<Regression, Unfit> {
    let degree = parcel.answered::<Option<usize>>("degree")?.unwrap_or(1);
    if degree > MOST {
        return Err(format!("`degree`: expected at most {MOST}, found {degree}").into());
    }
    let basis = Basis::Polynomial(degree);
    let terms = basis.terms(sample.names().len());
    let layout = found.anomalies.layout.clone();
    let array = parcel.array("coefficients")?;
    let coefficients = array.expect_shape(&[terms.len(), layout.len()])?.singles();
    if let Some(at) = coefficients.iter().position(|it| !it.is_finite()) {
        let (term, weight) = (at / layout.len(), at % layout.len());
        return Err(format!(
            "`coefficients` has {} in row {term}, column {weight}",
            coefficients[at]
        )
        .into());
    }
    let values = sample.columns(&terms);
    let rows: Vec<&[f32]> = sample.table_rows().collect();
    let (mut residual, mut variance) = (vec![0.0; layout.len()], vec![0.0; layout.len()]);
    for weight in 0..layout.len() {
        let of = |row: usize| f64::from(rows[row][weight]);
        let mean = (0..rows.len()).map(of).sum::<f64>() / rows.len() as f64;
        for row in 0..rows.len() {
            let predicted: f64 = (0..terms.len())
                .map(|term| {
                    values[(row, term)] * f64::from(coefficients[term * layout.len() + weight])
                })
                .sum();
            residual[weight] += (of(row) - predicted).powi(2);
            variance[weight] += (of(row) - mean).powi(2);
        }
    }
    let share = |range: std::ops::Range<usize>| {
        let whole: f64 = variance[range.clone()].iter().sum();
        let left: f64 = residual[range].iter().sum();
        if whole > 0.0 { 1.0 - left / whole } else { 0.0 }
    };
    let tensors = layout.tensors.len();
    let squares = |values: &[f32]| values.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>();
    let origin = squares(&found.parent.weights);
    let spread: f64 = variance.iter().sum::<f64>() / rows.len().max(1) as f64;
    let form = Form {
        predictors: sample.predictors.to_vec(),
        names: sample.names().to_vec(),
        scaling: sample.scaling.clone(),
        seen: sample.seen.clone(),
        basis,
        rows: sample.rows(),
        explained: layout.ranges().map(|(_, range)| share(range)).collect(),
        pruned: vec![0.0; tensors],
        evidence: Evidence {
            edge: vec![None; tensors],
            along: vec![None; sample.names().len()],
            whole: None,
            size: if origin > 0.0 {
                (spread / origin).sqrt()
            } else {
                0.0
            },
        },
    };
    Ok(Regression {
        form,
        layout,
        coefficients: coefficients.to_vec(),
    })
}
