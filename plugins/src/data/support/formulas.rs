//! Formulas over many rows: in parts that fit in the cache, on all cores.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use dsl::column::{ColumnExpr, Values};
use dsl::types::Content;
use engine::artifact::{DataColumn, Dataset, Numbers};
use engine::error::Fault;
use rayon::prelude::*;

use super::source::grouped;

/// How many rows are computed at a time.
const TOGETHER: usize = 1 << 15;

/// How many, where their columns and the results between operations are to stay in the cache.
const IN_CACHE: usize = 1 << 13;

/// The value of a formula for every row; functions of many rows see those of one group. Groups
/// lie one after the other in the data. A formula of one coordinate is computed once for each of
/// its values, not for each row.
///
/// # Errors
/// The reason why it cannot be computed.
pub fn by_row(
    formula: &ColumnExpr,
    data: &Dataset,
    groups: &[Range<usize>],
) -> Result<Numbers, String> {
    if formula.of_rows().is_some() {
        let computed = formula.evaluate_in(groups, &|name| data.look(name));
        return computed.map(Numbers::from);
    }
    let used = formula.columns();
    if let Some((count, codes)) = repeated(&used, data) {
        let column = |name: &str| {
            let column = data.column(name).ok()?;
            let (values, _) = column.values.codes()?;
            Some(look(values, column))
        };
        return Ok(Numbers::coded(formula.evaluate(count, &column)?, codes));
    }
    // Shared from the start: nothing is copied at the end.
    let mut values: Arc<[f64]> = std::iter::repeat_n(0.0, data.rows()).collect();
    let slots = Arc::get_mut(&mut values).unwrap_or_default();
    let parts = slots.par_chunks_mut(IN_CACHE).enumerate();
    parts
        .map(|(part, values)| {
            let start = part * IN_CACHE;
            let rows = start..start + values.len();
            let parts = used.iter().filter_map(|name| {
                let column = data.column(name).ok()?;
                Some((column, column.values.part(rows.clone())))
            });
            let parts: Vec<(&DataColumn, Cow<'_, [f64]>)> = parts.collect();
            let column = |name: &str| {
                let (column, values) = parts.iter().find(|(column, _)| column.name == name)?;
                Some(look(values, column))
            };
            formula.evaluate_into(values, &column)
        })
        .collect::<Result<(), String>>()?;
    Ok(values.into())
}

/// The number of values that some columns repeat, and which each row has, when it is the same
/// for all of them: coordinates and what was derived from them.
fn repeated(names: &[&str], data: &Dataset) -> Option<(usize, Arc<Vec<u16>>)> {
    let mut common: Option<(usize, &Arc<Vec<u16>>)> = None;
    for name in names {
        let (values, codes) = data.column(name).ok()?.values.codes()?;
        match common {
            Some((_, known)) if !Arc::ptr_eq(known, codes) => return None,
            _ => common = Some((values.len(), codes)),
        }
    }
    let (count, codes) = common?;
    Some((count, Arc::clone(codes)))
}

fn look<'a>(values: &'a [f64], column: &'a DataColumn) -> Values<'a> {
    let labels = (column.content == Content::Text).then_some(&*column.labels);
    Values { values, labels }
}

/// In how many rows a year, month and day are not a date in a formula.
pub fn no_dates(formula: &ColumnExpr, data: &Dataset) -> usize {
    let mut lost = 0;
    for args in formula.calls("date") {
        let columns = args.iter().map(|arg| match arg.of_rows() {
            None => by_row(arg, data, &[]).ok(),
            Some(_) => None,
        });
        let Some([years, months, days]) = columns
            .collect::<Option<Vec<_>>>()
            .and_then(|columns| <[Numbers; 3]>::try_from(columns).ok())
        else {
            continue;
        };
        let dates = years.iter().zip(months.iter()).zip(days.iter());
        let no_date = dates.filter(|((year, month), day)| {
            let is_known = !(year.is_nan() || month.is_nan() || day.is_nan());
            is_known && dsl::column::date(**year, **month, **day).is_nan()
        });
        lost += no_date.count();
    }
    lost
}

/// What to say of as many rows without a date; none of none.
pub fn told_no_dates(lost: usize) -> Option<String> {
    let rows = match lost {
        0 => return None,
        1 => "1 row has".to_owned(),
        lost => format!("{} rows have", grouped(lost)),
    };
    Some(format!(
        "{rows} a year, month and day that are not a date: it is missing there"
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
        if let Some(all) = data.column(name).ok().filter(|_| !is_known) {
            let labels = look(&[], all).labels;
            known.push(PartColumn {
                name,
                values: all.values.gather(rows),
                labels: labels.map(Cow::Borrowed),
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
