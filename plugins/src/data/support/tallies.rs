//! What is kept of the rows of each group while rows come in parts.
//!
//! Rows are added in their order, so the results do not depend on where parts begin.

use dsl::column::Gathered;
use dsl::groups;

use super::keys::NO_GROUP;

/// What is kept of each group for a function of its rows.
pub enum Tally {
    /// Sum and count, for their quotient.
    Mean(Vec<(f64, f64)>),
    /// Sum and count, as the sum of nothing is missing.
    Sum(Vec<(f64, f64)>),
    /// Count, mean and sum of squares about the mean (Welford 1962).
    Std(Vec<(f64, f64, f64)>),
    /// The smallest value.
    Lowest(Vec<f64>),
    /// The largest value.
    Highest(Vec<f64>),
    /// How many values.
    Count(Vec<f64>),
    /// All values, and the group of each: no less gives a median.
    Median {
        /// How many groups.
        count: usize,
        /// The group of each value.
        groups: Vec<u32>,
        /// The values.
        values: Vec<f64>,
    },
}

impl Tally {
    /// For a function of formulas.
    pub fn of(gathered: &Gathered) -> Option<Self> {
        Some(match &*gathered.function {
            "mean" | "share" => Self::Mean(Vec::new()),
            "sum" => Self::Sum(Vec::new()),
            "std" => Self::Std(Vec::new()),
            "lowest" => Self::Lowest(Vec::new()),
            "highest" => Self::Highest(Vec::new()),
            "count" => Self::Count(Vec::new()),
            "median" => Self::Median {
                count: 0,
                groups: Vec::new(),
                values: Vec::new(),
            },
            _ => return None,
        })
    }

    /// Has as many groups from now on.
    pub fn grow(&mut self, groups: usize) {
        match self {
            Self::Mean(all) | Self::Sum(all) => all.resize(groups, (-0.0, 0.0)),
            Self::Std(all) => all.resize(groups, (0.0, 0.0, 0.0)),
            Self::Lowest(all) | Self::Highest(all) => all.resize(groups, f64::NAN),
            Self::Count(all) => all.resize(groups, 0.0),
            Self::Median { count, .. } => *count = groups,
        }
    }

    /// Adds values, each to a group; missing ones to none.
    pub fn add(&mut self, groups: &[u32], values: &[f64]) {
        match self {
            Self::Mean(all) | Self::Sum(all) => each(groups, values, all, |(sum, count), value| {
                *sum += value;
                *count += 1.0;
            }),
            Self::Std(all) => each(groups, values, all, |(count, mean, squares), value| {
                *count += 1.0;
                let off = value - *mean;
                *mean += off / *count;
                *squares += off * (value - *mean);
            }),
            Self::Lowest(all) => each(groups, values, all, |least, value| {
                *least = least.min(value)
            }),
            Self::Highest(all) => each(groups, values, all, |most, value| *most = most.max(value)),
            Self::Count(all) => each(groups, values, all, |count, _| *count += 1.0),
            Self::Median {
                groups: known,
                values: kept,
                ..
            } => {
                let pairs = groups.iter().zip(values);
                let pairs = pairs.filter(|(group, value)| **group != NO_GROUP && !value.is_nan());
                for (group, value) in pairs {
                    known.push(*group);
                    kept.push(*value);
                }
            }
        }
    }

    /// The value of each group.
    pub fn values(self) -> Vec<f64> {
        match self {
            // Without values 0 / 0: missing.
            Self::Mean(all) => all.into_iter().map(|(sum, count)| sum / count).collect(),
            Self::Sum(all) => {
                let sum = |(sum, count)| if count == 0.0 { f64::NAN } else { sum };
                all.into_iter().map(sum).collect()
            }
            Self::Std(all) => {
                let std = |(count, _, squares): (f64, f64, f64)| match count < 2.0 {
                    true => f64::NAN,
                    false => (squares / (count - 1.0)).sqrt(),
                };
                all.into_iter().map(std).collect()
            }
            Self::Lowest(all) | Self::Highest(all) | Self::Count(all) => all,
            Self::Median {
                count,
                groups,
                values,
            } => medians(count, &groups, &values),
        }
    }
}

fn each<T>(groups: &[u32], values: &[f64], all: &mut [T], add: impl Fn(&mut T, f64)) {
    for (group, value) in groups.iter().zip(values) {
        if *group != NO_GROUP && !value.is_nan() {
            add(&mut all[*group as usize], *value);
        }
    }
}

fn medians(count: usize, of: &[u32], values: &[f64]) -> Vec<f64> {
    let mut ends = vec![0; count];
    of.iter().for_each(|group| ends[*group as usize] += 1);
    let mut start = 0;
    for end in &mut ends {
        let length = *end;
        *end = start;
        start += length;
    }
    let mut sorted = vec![0.0; values.len()];
    for (group, value) in of.iter().zip(values) {
        sorted[ends[*group as usize]] = *value;
        ends[*group as usize] += 1;
    }
    let mut start = 0;
    let median = |end: usize| {
        let own = start..end;
        start = end;
        groups::median(&sorted[own])
    };
    ends.into_iter().map(median).collect()
}
