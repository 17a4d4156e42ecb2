//! Formulas over many rows: in parts that fit in the cache, on all cores.

use std::borrow::Cow;
use std::ops::Range;

use dsl::column::{ColumnExpr, Values};
use engine::artifact::Dataset;
use engine::error::Fault;
use rayon::prelude::*;

use super::source::grouped;

/// How many rows are computed at a time.
const TOGETHER: usize = 1 << 15;

/// The value of a formula for every row; functions of many rows see those of one group. Groups
/// lie one after the other in the data.
///
/// # Errors
/// The user's fault, at the definitions.
pub fn by_row(
    formula: &ColumnExpr,
    data: &Dataset,
    groups: &[Range<usize>],
) -> Result<Vec<f64>, Fault> {
    let fault = |message: String| Fault::at("definitions", message);
    if formula.of_rows().is_some() {
        let computed = formula.evaluate_in(groups, &|name| data.look(name));
        return computed.map_err(fault);
    }
    let mut values = vec![0.0; data.rows()];
    let parts = values.par_chunks_mut(TOGETHER).enumerate();
    parts
        .map(|(part, values)| {
            let start = part * TOGETHER;
            let rows = start..start + values.len();
            let column = |name: &str| {
                let all = data.look(name)?;
                Some(Values {
                    values: &all.values[rows.clone()],
                    ..all
                })
            };
            let computed = formula.evaluate(values.len(), &column)?;
            values.copy_from_slice(&computed);
            Ok(())
        })
        .collect::<Result<(), String>>()
        .map_err(fault)?;
    Ok(values)
}

/// What to say of rows whose year, month and day are no date in a formula; none where all are.
pub fn no_dates(formula: &ColumnExpr, data: &Dataset) -> Option<String> {
    let mut lost = 0;
    for args in formula.calls("date") {
        let columns = args.iter().map(|arg| match arg.of_rows() {
            None => by_row(arg, data, &[]).ok(),
            Some(_) => None,
        });
        let Some([years, months, days]) = columns
            .collect::<Option<Vec<_>>>()
            .and_then(|columns| <[Vec<f64>; 3]>::try_from(columns).ok())
        else {
            continue;
        };
        let dates = years.iter().zip(&months).zip(&days);
        let no_date = dates.filter(|((year, month), day)| {
            let is_known = !(year.is_nan() || month.is_nan() || day.is_nan());
            is_known && dsl::column::date(**year, **month, **day).is_nan()
        });
        lost += no_date.count();
    }
    let rows = match lost {
        0 => return None,
        1 => "1 row has".to_owned(),
        lost => format!("{} rows have", grouped(lost)),
    };
    Some(format!(
        "{rows} a year, month and day that are no date: it is missing there"
    ))
}

/// The values of formulas that give one number for a group, for every group of `rows`; each may
/// use those before it.
///
/// # Errors
/// The user's fault, at the definitions.
pub fn by_group(
    formulas: &[(String, ColumnExpr)],
    data: &Dataset,
    rows: &[u32],
    groups: &[Range<usize>],
) -> Result<Vec<Vec<f64>>, Fault> {
    let parts: Vec<&[Range<usize>]> = together(groups);
    let computed = parts
        .par_iter()
        .map(|groups| part(formulas, data, rows, groups))
        .collect::<Result<Vec<_>, String>>();
    let computed = computed.map_err(|message| Fault::at("definitions", message))?;
    let mut values: Vec<Vec<f64>> = vec![Vec::with_capacity(groups.len()); formulas.len()];
    for part in computed {
        for (all, own) in values.iter_mut().zip(part) {
            all.extend(own);
        }
    }
    Ok(values)
}

/// Groups in parts of about as many rows each.
fn together(groups: &[Range<usize>]) -> Vec<&[Range<usize>]> {
    let mut parts = Vec::new();
    let mut first = 0;
    for at in 0..groups.len() {
        if at + 1 == groups.len() || groups[at].end - groups[first].start >= TOGETHER {
            parts.push(&groups[first..=at]);
            first = at + 1;
        }
    }
    parts
}

/// The values of the groups of a part, by formula.
fn part(
    formulas: &[(String, ColumnExpr)],
    data: &Dataset,
    rows: &[u32],
    groups: &[Range<usize>],
) -> Result<Vec<Vec<f64>>, String> {
    let start = groups.first().map_or(0, |first| first.start);
    let end = groups.last().map_or(0, |last| last.end);
    let moved: Vec<Range<usize>> = groups
        .iter()
        .map(|group| group.start - start..group.end - start)
        .collect();
    let rows = &rows[start..end];
    let mut known: Vec<PartColumn> = Vec::new();
    let used = formulas.iter().flat_map(|(_, formula)| formula.columns());
    for name in used {
        let is_known = known.iter().any(|own| own.name == name);
        if let Some(all) = data.look(name).filter(|_| !is_known) {
            known.push(PartColumn {
                name,
                values: rows.iter().map(|row| all.values[*row as usize]).collect(),
                labels: all.labels.map(Cow::Borrowed),
            });
        }
    }
    let mut heads = Vec::with_capacity(formulas.len());
    for (name, formula) in formulas {
        let column = |name: &str| known.iter().find(|own| own.name == name);
        let values = formula.evaluate_in(&moved, &|name| column(name).map(PartColumn::look))?;
        heads.push(moved.iter().map(|group| values[group.start]).collect());
        let labels = formula.labels(&|name| column(name)?.labels.as_deref());
        let labels = labels.map(|labels| Cow::Owned(labels.into_owned()));
        known.push(PartColumn {
            name,
            values,
            labels,
        });
    }
    Ok(heads)
}

/// A column of the rows of a part.
struct PartColumn<'d> {
    name: &'d str,
    values: Vec<f64>,
    labels: Option<Cow<'d, [String]>>,
}

impl PartColumn<'_> {
    fn look(&self) -> Values<'_> {
        Values {
            values: &self.values,
            labels: self.labels.as_deref(),
        }
    }
}
