//! How far fine-tuning moved the weights: the variance that regressions have to explain.

use engine::artifact::{Figure, Layout, Section, Series, Style, WeightTable};
use engine::params::Gather;

use crate::parents::Parent;
use crate::regressions::{FLAT, Form, Regression, percent};

/// The size of the anomalies of each tensor, relative to the weights of the parent.
pub fn section(
    anomalies: &[Gather<WeightTable>],
    parents: &[Gather<Parent>],
    regressions: &[Gather<Regression>],
) -> Section {
    let mut section = Section {
        heading: "Weight anomalies".to_owned(),
        ..Section::default()
    };
    for (index, tables) in anomalies.iter().enumerate() {
        let Some(layout) = tables
            .members
            .iter()
            .flatten()
            .next()
            .map(|table| &table.layout)
        else {
            section
                .text
                .push(format!("no member of `{}` has anomalies", tables.label));
            continue;
        };
        let Some(parents) = parent_of(index, layout, parents, anomalies.len()) else {
            section
                .text
                .push(format!("no parent of `{}` was found", tables.label));
            continue;
        };
        let sizes = sizes(tables, parents, layout);
        if is_flat(&sizes) {
            section.warnings.push(flat_warning(tables, parents));
        }
        section.figures.push(figure(tables, layout, &sizes));
        let explained: Vec<_> = regressions
            .iter()
            .filter(|regression| layout_of(regression) == Some(layout))
            .filter(|regression| explains(regression))
            .collect();
        for told in edges(&explained) {
            if !section.text.contains(&told) {
                section.text.push(told);
            }
        }
        add_rows(
            &mut section,
            anomalies.len() > 1,
            tables,
            layout,
            &sizes,
            &explained,
        );
    }
    if anomalies.is_empty() {
        section
            .text
            .push("no anomalies stand behind these scores".to_owned());
    } else {
        section.text.insert(0, EXPLANATION.to_owned());
    }
    section
}

const EXPLANATION: &str = "How much the weights differ between fine-tuned networks (standard \
    deviation over subsets, root mean square over a tensor), as a share of the size of the \
    parent's weights (root mean square). The table has medians over members, and how much of \
    the variance the regression explains: over the subsets it was fitted on, and at the edge, \
    where the fifth of the subsets with the lowest and the fifth with the highest values of a \
    predictor are predicted from the others (zero: no better than their mean).";

/// The parent with this layout; by place when there is one for each table.
fn parent_of<'a>(
    index: usize,
    layout: &Layout,
    parents: &'a [Gather<Parent>],
    tables: usize,
) -> Option<&'a Gather<Parent>> {
    let fits = |parents: &&Gather<Parent>| {
        let mut members = parents.members.iter().flatten();
        members
            .next()
            .is_some_and(|parent| parent.layout == *layout)
    };
    let same_place = parents.get(index).filter(|_| parents.len() == tables);
    same_place
        .filter(fits)
        .or_else(|| parents.iter().find(fits))
}

fn layout_of(regressions: &Gather<Regression>) -> Option<&Layout> {
    let first = regressions.members.iter().flatten().next();
    first.map(|regression| &regression.layout)
}

/// Whether anomalies are what it explains.
fn explains(regressions: &Gather<Regression>) -> bool {
    let mut members = regressions.members.iter().flatten();
    members.any(|regression| !regression.form.explained.is_empty())
}

/// For one member the size of anomalies and of weights, tensor by tensor.
struct Size {
    anomaly: Vec<f64>,
    weight: Vec<f64>,
}

impl Size {
    /// Anomalies as a share of weights; NaN where a tensor's weights are all zero.
    fn shares(&self) -> impl Iterator<Item = f64> {
        self.anomaly
            .iter()
            .zip(&self.weight)
            .map(|(anomaly, weight)| anomaly / weight)
    }
}

fn sizes(
    tables: &Gather<WeightTable>,
    parents: &Gather<Parent>,
    layout: &Layout,
) -> Vec<(usize, Size)> {
    let members = tables.members.iter().zip(&parents.members).enumerate();
    members
        .filter_map(|(member, (table, parent))| Some((member, table.as_ref()?, parent.as_ref()?)))
        .filter(|(_, table, parent)| {
            table.layout == *layout && parent.weights.len() == layout.len() && table.rows() > 0
        })
        .map(|(member, table, parent)| {
            let variance = variance(table);
            let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
            let squares: Vec<f64> = parent
                .weights
                .iter()
                .map(|w| f64::from(*w).powi(2))
                .collect();
            let of = |values: &[f64]| {
                let ranges = layout.ranges();
                ranges
                    .map(|(_, range)| mean(&values[range]).sqrt())
                    .collect()
            };
            let (anomaly, weight) = (of(&variance), of(&squares));
            (member, Size { anomaly, weight })
        })
        .collect()
}

/// The variance of each weight over the rows of a table, `[weights]`.
///
/// The same for weights and for their differences from the parent. Over deviations from the
/// first row, so that anomalies far smaller than the weights keep their digits.
fn variance(table: &WeightTable) -> Vec<f64> {
    let width = table.layout.len();
    let (mut sum, mut squares) = (vec![0.0; width], vec![0.0; width]);
    let first = table.row(0);
    for row in 0..table.rows() {
        for (weight, (value, origin)) in table.row(row).iter().zip(first).enumerate() {
            let deviation = f64::from(*value) - f64::from(*origin);
            sum[weight] += deviation;
            squares[weight] += deviation * deviation;
        }
    }
    let rows = table.rows() as f64;
    let variances = sum.iter().zip(&squares);
    variances
        .map(|(sum, squares)| (squares / rows - (sum / rows).powi(2)).max(0.0))
        .collect()
}

/// Whether no tensor of any member moved.
fn is_flat(sizes: &[(usize, Size)]) -> bool {
    let mut shares = sizes.iter().flat_map(|(_, size)| size.shares()).peekable();
    shares.peek().is_some() && shares.all(|share| share.is_nan() || share < FLAT)
}

fn flat_warning(tables: &Gather<WeightTable>, parents: &Gather<Parent>) -> String {
    format!(
        "the anomalies `{}` are nearly zero: every tensor moved by less than {FLAT} of its \
         weights, so `{}` sits in a flat minimum and there is little for a regression to \
         learn; leave what defines the regime out of the inputs, or fine-tune longer",
        tables.label, parents.label
    )
}

fn figure(tables: &Gather<WeightTable>, layout: &Layout, sizes: &[(usize, Size)]) -> Figure {
    let dots = sizes
        .iter()
        .flat_map(|(_, size)| size.shares().enumerate())
        .map(|(tensor, share)| (tensor as f64, share));
    let mut series = vec![
        Series {
            name: "members".to_owned(),
            style: Style::Dots,
            color: 5,
            points: dots.collect(),
        },
        Series {
            name: "ensemble median".to_owned(),
            style: Style::Dots,
            color: 2,
            points: (0..layout.tensors.len())
                .map(|tensor| (tensor as f64, median(shares_of(sizes, tensor))))
                .collect(),
        },
    ];
    let lowest = series.iter().flat_map(|series| &series.points);
    let lowest = lowest.map(|(_, share)| *share).filter(|share| *share > 0.0);
    if lowest.fold(f64::INFINITY, f64::min) < 10.0 * FLAT {
        let last = layout.tensors.len() as f64 - 0.5;
        series.push(Series {
            name: "flat below this".to_owned(),
            style: Style::Faint,
            color: 0,
            points: vec![(-0.5, FLAT), (last, FLAT)],
        });
    }
    Figure {
        title: format!("Size of `{}`", tables.label),
        y: "share of weights".to_owned(),
        x: "tensor".to_owned(),
        x_names: layout
            .tensors
            .iter()
            .map(|tensor| short(&tensor.name))
            .collect(),
        log_y: true,
        series,
        ..Figure::default()
    }
}

/// `layers.0.weight` as `0.weight`: all names begin alike.
fn short(name: &str) -> String {
    name.strip_prefix("layers.").unwrap_or(name).to_owned()
}

fn shares_of(sizes: &[(usize, Size)], tensor: usize) -> Vec<f64> {
    let shares = sizes
        .iter()
        .filter_map(|(_, size)| size.shares().nth(tensor));
    shares.collect()
}

/// The median of the finite values; NaN when there are none.
fn median(mut values: Vec<f64>) -> f64 {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2).copied().unwrap_or(f64::NAN);
    match values.len() % 2 {
        0 if !values.is_empty() => (values[values.len() / 2 - 1] + upper) / 2.0,
        _ => upper,
    }
}

/// A row for each tensor.
fn add_rows(
    section: &mut Section,
    named: bool,
    tables: &Gather<WeightTable>,
    layout: &Layout,
    sizes: &[(usize, Size)],
    regressions: &[&Gather<Regression>],
) {
    let head = [
        "tensor",
        "shape",
        "weights",
        "anomalies",
        "share",
        "explained",
        "edge",
        "pruned",
    ];
    let (_, rows) = section
        .table
        .get_or_insert_with(|| (head.map(str::to_owned).to_vec(), Vec::new()));
    for (index, tensor) in layout.tensors.iter().enumerate() {
        let middle = |of: &dyn Fn(&Size) -> &Vec<f64>| {
            let values = sizes
                .iter()
                .filter_map(|(_, size)| of(size).get(index).copied());
            median(values.collect())
        };
        let name = match named {
            true => format!("{} {}", tables.label, short(&tensor.name)),
            false => short(&tensor.name),
        };
        let shape: Vec<String> = tensor.shape.iter().map(usize::to_string).collect();
        rows.push(vec![
            name,
            shape.join(" × "),
            number(middle(&|size| &size.weight)),
            number(middle(&|size| &size.anomaly)),
            number(median(shares_of(sizes, index))),
            shares(regressions, |form| form.explained.get(index).copied()),
            shares(regressions, |form| *form.evidence.edge.get(index)?),
            shares(regressions, |form| form.pruned.get(index).copied()),
        ]);
    }
}

/// A share in each regression, the median over members.
fn shares(regressions: &[&Gather<Regression>], of: impl Fn(&Form) -> Option<f64>) -> String {
    let shares = regressions.iter().map(|regressions| {
        let members = regressions.members.iter().flatten();
        median(members.filter_map(|member| of(&member.form)).collect())
    });
    let shares = shares.filter(|share| share.is_finite());
    shares
        .map(|share| percent(Some(share)))
        .collect::<Vec<_>>()
        .join(", ")
}

/// How well each regression predicts the edges of its predictors, in words.
fn edges(regressions: &[&Gather<Regression>]) -> Vec<String> {
    let told = regressions.iter().filter_map(|regression| {
        let names = &regression.members.iter().flatten().next()?.form.names;
        let along = names.iter().enumerate().map(|(index, name)| {
            let share = shares(&[regression], |form| *form.evidence.along.get(index)?);
            let share = if share.is_empty() { "unknown" } else { &share };
            format!("{share} along {name}")
        });
        let along: Vec<String> = along.collect();
        Some(format!(
            "Predicted by `{}` at the edge: {}.",
            regression.label,
            along.join(", ")
        ))
    });
    told.collect()
}

fn number(value: f64) -> String {
    match value {
        value if !value.is_finite() => "none".to_owned(),
        0.0 => "0".to_owned(),
        value if !(1e-3..1e5).contains(&value.abs()) => format!("{value:.2e}").replace('-', "−"),
        value => format!("{value:.4}"),
    }
}
