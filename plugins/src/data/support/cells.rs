//! The cells of gridded variables as rows.

mod selection;
mod slabs;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::mpsc::sync_channel;
use std::thread;

use engine::artifact::{DataColumn, Numbers};
use engine::error::Fault;
use engine::params::Column;
use engine::plugin::Context;
use rayon::prelude::*;

use super::cf;
use super::grid::{Dimension, Element, Source, Values, Variable, cells, whole};
use super::source::{self, grouped};

/// Rows are counted in 32 bits elsewhere.
const MOST_CELLS: u64 = 1 << 31;

/// Room is made at once for as many rows, though rows may be dropped.
const MOST_RESERVED: u64 = 1 << 25;

/// No file holds as many cells: more are a mistake in its header.
const MOST_DECLARED: u64 = 1 << 40;

/// How many cells are read at a time.
const CELLS_TOGETHER: u64 = 1 << 18;

/// Slabs of more cells wait for the ones before them to be taken.
const MANY_CELLS: u64 = 1 << 22;

/// As many rows at most are passed on as one part.
const ROWS_TOGETHER: usize = 1 << 20;

/// The variables meant, with the names their columns get, and the grid they are on.
pub struct Cells<'s> {
    source: &'s dyn Source,
    columns: Vec<(String, &'s Variable)>,
    inputs: usize,
    dimensions: &'s [Dimension],
    /// Of each dimension the first index is taken and every `every`-th after it.
    steps: Vec<u64>,
    /// The part of each dimension that is read.
    ranges: Vec<Range<u64>>,
    /// The indices of each dimension that are wanted; none where all are.
    wanted: Vec<Option<Vec<bool>>>,
    /// How many cells are taken.
    cells: u64,
}

impl<'s> Cells<'s> {
    /// Finds the variables of `inputs` and `coords`, or without those the coordinates of the
    /// grid.
    ///
    /// # Errors
    /// When one is not there, not on the grid, or not read.
    pub fn choose(
        source: &'s dyn Source,
        inputs: &[Column],
        coords: Option<&[Column]>,
        every: u64,
    ) -> Result<Self, Fault> {
        let all: Vec<&Variable> = source.variables().iter().collect();
        let inputs = named("inputs", inputs, &all)?;
        let dimensions = widest(&inputs)?;
        let fitting: Vec<&Variable> = all
            .iter()
            .copied()
            .filter(|variable| is_on(dimensions, variable))
            .collect();
        let coords = match coords {
            Some(wanted) => wanted
                .iter()
                .map(|Column(name)| {
                    let found = cf::find("coords", name, &fitting);
                    // One that is there but not on the grid explains more than the rest.
                    let variable = found.map_err(|fault| match cf::find("coords", name, &all) {
                        Ok(other) => not_on_grid(name, other, dimensions, &all),
                        Err(_) => fault,
                    })?;
                    Ok((name.clone(), readable("coords", name, variable)?))
                })
                .collect::<Result<_, Fault>>()?,
            None => usual(&inputs, dimensions, &fitting),
        };
        let count = inputs.len();
        let columns: Vec<(String, &Variable)> = inputs.into_iter().chain(coords).collect();
        source::distinct("coords", columns.iter().map(|(name, _)| name.as_str()))?;
        let steps = steps(dimensions, &fitting, every);
        let ranges = dimensions.iter().map(|dimension| 0..dimension.size);
        let mut chosen = Self {
            source,
            columns,
            inputs: count,
            dimensions,
            steps,
            ranges: ranges.collect(),
            wanted: vec![None; dimensions.len()],
            cells: 0,
        };
        chosen.count();
        Ok(chosen)
    }

    /// The variables with the names of their columns.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &Variable)> {
        self.columns.iter().map(|(name, it)| (name.as_str(), *it))
    }

    /// The rows where no input is missing.
    ///
    /// # Errors
    /// When there are none or too many, or the file is damaged.
    pub fn read(&self, context: &Context) -> Result<Vec<RowValues>, Fault> {
        if self.cells > MOST_CELLS {
            let message = format!(
                "`{}` has too many cells: expected at most 2^31, found {}",
                self.columns[0].0, self.cells
            );
            return Err(Fault::at("inputs", message));
        }
        let mut lanes: Vec<Lane> = Vec::new();
        let fixed = self.fixed()?;
        self.each_slab(&fixed, context, &mut |columns| {
            if lanes.is_empty() {
                lanes = columns;
                let rest = self.cells.min(MOST_RESERVED) as usize;
                lanes.iter_mut().for_each(|lane| lane.reserve(rest));
            } else {
                for (lane, more) in lanes.iter_mut().zip(columns) {
                    lane.extend(more);
                }
            }
            Ok(())
        })?;
        let lanes = lanes.into_iter().zip(&fixed);
        Ok(lanes
            .map(|(lane, fixed)| lane.whole(fixed.as_ref()))
            .collect())
    }

    /// The same part by part.
    ///
    /// # Errors
    /// As [`read`](Self::read), and those of `take`.
    pub fn read_parts(
        &self,
        context: &Context,
        take: &mut dyn FnMut(Vec<RowValues>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let fixed = self.fixed()?;
        self.each_slab(&fixed, context, &mut |lanes| {
            let rows = lanes.first().map_or(0, Lane::len);
            let mut give = |lanes: Vec<Lane>| {
                let lanes = lanes.into_iter().zip(&fixed);
                let values = lanes.map(|(lane, fixed)| lane.whole(fixed.as_ref()));
                take(values.collect())
            };
            match rows {
                0 => Ok(()),
                _ if rows <= ROWS_TOGETHER => give(lanes),
                _ => (0..rows).step_by(ROWS_TOGETHER).try_for_each(|start| {
                    let rows = start..rows.min(start + ROWS_TOGETHER);
                    give(lanes.iter().map(|lane| lane.part(rows.clone())).collect())
                }),
            }
        })
    }

    /// Gives the rows of each slab to `take`, in their order.
    fn each_slab(
        &self,
        fixed: &[Option<Values>],
        context: &Context,
        take: &mut dyn FnMut(Vec<Lane>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let slabs = self.slabs();
        let largest = slabs.largest();
        let most = 2 * rayon::current_num_threads().max(1);
        let together = CELLS_TOGETHER.saturating_mul(most as u64) / largest.max(1);
        let together = (together as usize).clamp(1, most);
        let read = |places: Range<usize>| {
            let places = places.into_par_iter();
            places
                .map(|at| self.slab(&slabs.grid(at), fixed))
                .collect::<Vec<_>>()
        };
        let mut rows = 0;
        // Of several faults that of the first slab, whichever thread was faster.
        let mut take_all = |read: Vec<Result<Vec<Lane>, Fault>>| -> Result<(), Fault> {
            context.check_stop()?;
            for lanes in read {
                let lanes = lanes?;
                rows += lanes.first().map_or(0, Lane::len) as u64;
                take(lanes)?;
            }
            Ok(())
        };
        if slabs.len() <= together {
            take_all(read(0..slabs.len()))?;
            return self.note_dropped(rows, context);
        }
        // The next slabs are read while the last are taken.
        thread::scope(|scope| {
            let (send, receive) = sync_channel(usize::from(largest <= MANY_CELLS));
            let (count, read) = (slabs.len(), &read);
            scope.spawn(move || {
                let mut batches = (0..count)
                    .step_by(together)
                    .map(|start| start..count.min(start + together));
                while batches.next().is_some_and(|it| send.send(read(it)).is_ok()) {}
            });
            receive.into_iter().try_for_each(take_all)
        })?;
        self.note_dropped(rows, context)
    }

    /// The values of the variables that are few, read once; none of the others.
    fn fixed(&self) -> Result<Vec<Option<Values>>, Fault> {
        let read = |(_, variable): &(String, &Variable)| {
            let is_small = variable.cells() <= CELLS_TOGETHER && variable.cells() < self.cells;
            match is_small || variable.element == Element::Text {
                true => self.source.read(variable, &whole(variable)).map(Some),
                false => Ok(None),
            }
        };
        self.columns.iter().map(read).collect()
    }

    /// The rows of a part of the grid.
    fn slab(&self, grid: &[Range<u64>], fixed: &[Option<Values>]) -> Result<Vec<Lane>, Fault> {
        let mut spread: Vec<Lane> = Vec::with_capacity(self.columns.len());
        let mut kept: Option<Vec<u32>> = None;
        for (at, (_, variable)) in self.columns.iter().enumerate() {
            let (values, part) = match &fixed[at] {
                Some(values) => (Cow::Borrowed(values), whole(variable)),
                None => {
                    let part = self.part(variable, grid);
                    (Cow::Owned(self.source.read(variable, &part)?), part)
                }
            };
            if values.len() as u64 != cells(&part) {
                let message = format!("`{}` has fewer values than it declares", variable.name);
                return Err(Fault::at("file", message));
            }
            let walk = Walk::of(self.dimensions, &self.steps, grid, variable, &part);
            let is_few = fixed[at].is_some() && values.len() <= 1 << u16::BITS;
            let is_number = !matches!(*values, Values::Texts(_));
            spread.push(match at >= self.inputs && is_few && is_number {
                true => {
                    let places: Vec<u16> = (0..=u16::MAX).take(values.len()).collect();
                    Lane::Codes(walk.repeat(&places))
                }
                false => Lane::Own(walk.spread(values)),
            });
            if at + 1 == self.inputs {
                kept = complete_rows(&spread);
                if kept.as_ref().is_some_and(Vec::is_empty) {
                    break;
                }
            }
        }
        Ok(match kept {
            None => spread,
            Some(rows) => {
                let mut taken: Vec<Lane> = spread.iter().map(|it| it.take(&rows)).collect();
                // Where no row is left the other columns need not be read.
                for (_, variable) in &self.columns[taken.len()..] {
                    taken.push(Lane::Own(match &variable.element {
                        Element::Text => Values::Texts(Vec::new()),
                        _ => Values::Single(Vec::new()),
                    }));
                }
                taken
            }
        })
    }

    /// The part of a variable that belongs to a part of the grid.
    fn part(&self, variable: &Variable, grid: &[Range<u64>]) -> Vec<Range<u64>> {
        let own = variable.dimensions.iter();
        own.map(|own| {
            let at = self.dimensions.iter().position(|d| same(d, own));
            at.map_or(0..own.size, |at| grid[at].clone())
        })
        .collect()
    }

    fn note_dropped(&self, rows: u64, context: &Context) -> Result<(), Fault> {
        for (name, variable) in self.columns() {
            for remark in &variable.remarks {
                context.note(format!("`{name}`: {remark}"));
            }
        }
        let inputs = self.columns[..self.inputs].iter();
        let names: Vec<String> = inputs.map(|(name, _)| format!("`{name}`")).collect();
        if rows == 0 {
            let names = names.join(" and ");
            return Err(Fault::at("inputs", format!("no cell has {names}")));
        }
        let dropped = self.cells - rows;
        if dropped > 0 {
            context.note(format!(
                "dropped {} of {} cells without {}",
                grouped(dropped as usize),
                grouped(self.cells as usize),
                names.join(" or ")
            ));
        }
        Ok(())
    }
}

/// The variables meant by `wanted`, all of which can be read.
fn named<'v>(
    param: &'static str,
    wanted: &[Column],
    variables: &[&'v Variable],
) -> Result<Vec<(String, &'v Variable)>, Fault> {
    wanted
        .iter()
        .map(|Column(name)| {
            let variable = cf::find(param, name, variables)?;
            Ok((name.clone(), readable(param, name, variable)?))
        })
        .collect()
}

fn readable<'v>(
    param: &'static str,
    name: &str,
    variable: &'v Variable,
) -> Result<&'v Variable, Fault> {
    match &variable.element {
        Element::Unread(what) => Err(Fault::at(
            param,
            format!("`{name}` is not read: it is {what}"),
        )),
        _ => Ok(variable),
    }
}

/// The coordinates that come along unasked: that of every dimension, and those that the
/// attribute `coordinates` of an input names, as curvilinear grids have them.
fn usual<'v>(
    inputs: &[(String, &'v Variable)],
    dimensions: &[Dimension],
    fitting: &[&'v Variable],
) -> Vec<(String, &'v Variable)> {
    let axes = dimensions
        .iter()
        .filter_map(|dimension| fitting.iter().find(|it| it.is_axis_of(dimension)).copied());
    let mut found: Vec<&Variable> = axes.collect();
    for (_, input) in inputs {
        let group = input.name.strip_suffix(input.leaf()).unwrap_or_default();
        for name in input
            .text("coordinates")
            .unwrap_or_default()
            .split_whitespace()
        {
            let beside = format!("{group}{name}");
            let of_name = |wanted: &str| fitting.iter().copied().find(|it| it.name == wanted);
            let named = of_name(&beside).or_else(|| of_name(name));
            found.extend(named.filter(|it| it.dimensions.len() > 1));
        }
    }
    let mut coords: Vec<(String, &Variable)> = Vec::new();
    for variable in found {
        let is_input = inputs.iter().any(|(_, input)| input.name == variable.name);
        let is_known = coords.iter().any(|(_, known)| known.name == variable.name);
        let is_read = !matches!(variable.element, Element::Unread(_));
        if !is_input && !is_known && is_read {
            coords.push((variable.leaf().to_owned(), variable));
        }
    }
    coords
}

/// The dimensions of the grid: those of the input that has most.
fn widest<'v>(inputs: &[(String, &'v Variable)]) -> Result<&'v [Dimension], Fault> {
    let (name, variable) = inputs
        .iter()
        .max_by_key(|(_, variable)| variable.dimensions.len())
        .ok_or_else(|| Fault::at("inputs", "expected at least one variable, found none"))?;
    if variable.cells() == 0 {
        return Err(Fault::at("inputs", format!("`{name}` has no cells")));
    }
    if variable.cells() > MOST_DECLARED {
        let sizes = variable.dimensions.iter();
        let sizes: Vec<String> = sizes
            .map(|it| format!("{}: {}", it.name, it.size))
            .collect();
        let message = format!(
            "`{name}` ({}) has too many cells: expected at most 2^40",
            sizes.join(", ")
        );
        return Err(Fault::at("inputs", message));
    }
    let dimensions = variable.dimensions.as_slice();
    match inputs.iter().find(|(_, input)| !is_on(dimensions, input)) {
        None => Ok(dimensions),
        Some((other, input)) => Err(Fault::at(
            "inputs",
            format!(
                "`{other}` ({}) is not on the grid of `{name}` ({})",
                listed(&input.dimensions),
                listed(dimensions)
            ),
        )),
    }
}

fn not_on_grid(
    name: &str,
    variable: &Variable,
    dimensions: &[Dimension],
    all: &[&Variable],
) -> Fault {
    let own: Vec<&Dimension> = variable
        .dimensions
        .iter()
        .filter(|own| !dimensions.iter().any(|d| same(d, own)))
        .collect();
    let fault = Fault::at(
        "coords",
        format!(
            "`{name}` ({}) is not on the grid ({}): it has `{}` beside it",
            listed(&variable.dimensions),
            listed(dimensions),
            own.first().map_or("", |own| own.name.as_str()),
        ),
    );
    let bounded = all
        .iter()
        .find(|it| it.text("bounds").or_else(|| it.text("climatology")) == Some(variable.leaf()));
    let by_name = variable.leaf().strip_suffix("_bnds");
    let by_name = by_name.or_else(|| variable.leaf().strip_suffix("_bounds"));
    match bounded.map(|it| it.name.as_str()).or(by_name) {
        Some(of) => fault.with_hint(format!(
            "it holds the bounds of `{of}`, several numbers for each of its values: take `{of}`"
        )),
        None => fault,
    }
}

/// The steps along the dimensions: `every` along those of space, or along all where there are
/// no others than time.
fn steps(dimensions: &[Dimension], fitting: &[&Variable], every: u64) -> Vec<u64> {
    let is_time = |dimension: &Dimension| {
        let axis = fitting.iter().find(|it| it.is_axis_of(dimension));
        axis.is_some_and(|axis| cf::is_axis(axis, "time"))
    };
    let times: Vec<bool> = dimensions.iter().map(is_time).collect();
    let has_space = times.contains(&false);
    let step = |is_time: &bool| if *is_time && has_space { 1 } else { every };
    times.iter().map(step).collect()
}

/// Whether every dimension of a variable is one of the grid's.
fn is_on(dimensions: &[Dimension], variable: &Variable) -> bool {
    let own = &variable.dimensions;
    own.iter()
        .all(|own| dimensions.iter().any(|d| same(d, own)))
}

fn same(left: &Dimension, right: &Dimension) -> bool {
    left.name == right.name && left.size == right.size
}

fn listed(dimensions: &[Dimension]) -> String {
    let names: Vec<&str> = dimensions.iter().map(|d| d.name.as_str()).collect();
    names.join(", ")
}

/// The rows in which no input is missing; none when that is all of them.
fn complete_rows(inputs: &[Lane]) -> Option<Vec<u32>> {
    let rows = inputs.first().map_or(0, Lane::len);
    // Coordinates alone have codes.
    let own = inputs.iter().filter_map(|lane| match lane {
        Lane::Own(values) => Some(values),
        Lane::Codes(_) => None,
    });
    let columns: Vec<&Values> = own.collect();
    let has_gap = columns.iter().any(|column| match column {
        Values::Single(values) => values.iter().any(|value| value.is_nan()),
        Values::Double(values) => values.iter().any(|value| value.is_nan()),
        Values::Texts(texts) => texts.iter().any(String::is_empty),
    });
    let is_complete = |row: usize| {
        columns.iter().all(|column| match column {
            Values::Single(values) => !values[row].is_nan(),
            Values::Double(values) => !values[row].is_nan(),
            Values::Texts(texts) => !texts[row].is_empty(),
        })
    };
    has_gap.then(|| {
        let rows = (0..rows).filter(|row| is_complete(*row));
        rows.map(|row| row as u32).collect()
    })
}

/// A column as it is read, slab after slab.
enum Lane {
    /// Its values.
    Own(Values),
    /// For each row the place of its value in a coordinate, which is read once.
    Codes(Vec<u16>),
}

impl Lane {
    fn len(&self) -> usize {
        match self {
            Self::Own(values) => values.len(),
            Self::Codes(codes) => codes.len(),
        }
    }

    fn reserve(&mut self, count: usize) {
        match self {
            Self::Own(values) => values.reserve(count),
            Self::Codes(codes) => codes.reserve_exact(count),
        }
    }

    fn extend(&mut self, more: Self) {
        match (self, more) {
            (Self::Own(values), Self::Own(more)) => values.extend(more),
            (Self::Codes(codes), Self::Codes(more)) => codes.extend(more),
            // A slab without rows has no codes.
            (lane, more) if lane.len() == 0 => *lane = more,
            (_, more) => assert_eq!(more.len(), 0, "a column is read in one way"),
        }
    }

    /// Some neighbouring rows.
    fn part(&self, rows: Range<usize>) -> Self {
        match self {
            Self::Own(Values::Single(values)) => Self::Own(Values::Single(values[rows].to_vec())),
            Self::Own(Values::Double(values)) => Self::Own(Values::Double(values[rows].to_vec())),
            Self::Own(Values::Texts(texts)) => Self::Own(Values::Texts(texts[rows].to_vec())),
            Self::Codes(codes) => Self::Codes(codes[rows].to_vec()),
        }
    }

    fn take(&self, rows: &[u32]) -> Self {
        match self {
            Self::Own(values) => Self::Own(take(values, rows)),
            Self::Codes(codes) => {
                Self::Codes(rows.iter().map(|row| codes[*row as usize]).collect())
            }
        }
    }

    /// The whole column, with the values that its rows are the places of.
    fn whole(self, fixed: Option<&Values>) -> RowValues {
        match self {
            Self::Own(Values::Texts(texts)) => RowValues::Texts(texts),
            Self::Own(values) => RowValues::Numbers(values.numbers()),
            Self::Codes(codes) => {
                let values = fixed.map_or_else(Vec::new, Values::doubles);
                RowValues::Numbers(Numbers::coded(values, codes))
            }
        }
    }
}

/// The values of a column, one for each row.
pub enum RowValues {
    /// Numbers, or times in their unit.
    Numbers(Numbers),
    /// Texts; empty where missing.
    Texts(Vec<String>),
}

impl RowValues {
    /// The column of a variable.
    ///
    /// # Errors
    /// When its unit is one of times that are not read.
    pub fn column(self, name: &str, variable: &Variable) -> Result<DataColumn, Fault> {
        let info = cf::column(name, variable)?;
        Ok(match self {
            Self::Texts(texts) => {
                let texts = texts.into_iter();
                DataColumn::texts(name, texts.map(|text| (!text.is_empty()).then_some(text)))
            }
            Self::Numbers(numbers) => DataColumn::with(info, numbers),
        })
    }
}

fn take(values: &Values, rows: &[u32]) -> Values {
    let rows = rows.iter().map(|row| *row as usize);
    match values {
        Values::Single(values) => Values::Single(rows.map(|row| values[row]).collect()),
        Values::Double(values) => Values::Double(rows.map(|row| values[row]).collect()),
        Values::Texts(texts) => Values::Texts(rows.map(|row| texts[row].clone()).collect()),
    }
}

/// How a part of the grid walks through the values of a variable.
struct Walk {
    /// The size of each dimension of the grid, and how far apart in the values two neighbours
    /// along it are: 0 where the variable does not have it.
    axes: Vec<(usize, usize)>,
    start: usize,
    is_whole: bool,
}

impl Walk {
    /// Through the values of `part`, for the cells of `grid`.
    fn of(
        dimensions: &[Dimension],
        steps: &[u64],
        grid: &[Range<u64>],
        variable: &Variable,
        part: &[Range<u64>],
    ) -> Self {
        let length = |range: &Range<u64>| (range.end - range.start) as usize;
        let mut start = 0;
        let axes = dimensions
            .iter()
            .zip(steps.iter().zip(grid))
            .map(|(dimension, (step, range))| {
                let own = variable.dimensions.iter();
                let own = own.into_iter().position(|own| same(own, dimension));
                let stride = own.map_or(0, |own| {
                    let stride = part[own + 1..].iter().map(length).product();
                    start += (range.start - part[own].start) as usize * stride;
                    stride
                });
                let step = *step as usize;
                (length(range).div_ceil(step), stride * step)
            })
            .collect();
        let names = |all: &[Dimension]| all.iter().map(|d| d.name.clone()).collect::<Vec<_>>();
        let is_whole = names(dimensions) == names(&variable.dimensions)
            && part == grid
            && steps.iter().all(|step| *step == 1);
        Self {
            axes,
            start,
            is_whole,
        }
    }

    /// The value of every cell of the grid, repeated along the dimensions the variable lacks.
    fn spread(&self, values: Cow<'_, Values>) -> Values {
        if self.is_whole {
            return values.into_owned();
        }
        match &*values {
            Values::Single(values) => Values::Single(self.repeat(values)),
            Values::Double(values) => Values::Double(self.repeat(values)),
            Values::Texts(texts) => Values::Texts(self.repeat(texts)),
        }
    }

    fn repeat<T: Clone>(&self, values: &[T]) -> Vec<T> {
        let cells = self.axes.iter().map(|(size, _)| size).product();
        let mut spread = Vec::with_capacity(cells);
        // The innermost dimension runs in a loop of its own.
        let (inner, outer) = match self.axes.split_last() {
            Some((inner, outer)) => (*inner, outer),
            None => ((1, 0), &[][..]),
        };
        let mut counter = vec![0; outer.len()];
        let mut at = self.start;
        while spread.len() < cells {
            match inner {
                (size, 0) => spread.extend(std::iter::repeat_n(values[at].clone(), size)),
                (size, 1) => spread.extend_from_slice(&values[at..at + size]),
                (size, stride) => {
                    let places = (0..size).map(|step| at + step * stride);
                    spread.extend(places.map(|at| values[at].clone()));
                }
            }
            for axis in (0..outer.len()).rev() {
                let (size, stride) = outer[axis];
                counter[axis] += 1;
                at += stride;
                if counter[axis] < size {
                    break;
                }
                at -= stride * size;
                counter[axis] = 0;
            }
        }
        spread
    }
}

#[cfg(test)]
mod tests {
    use super::super::grid::Number;
    use super::*;

    #[test]
    fn other_dimension_orders_are_turned() {
        let dimension = |name: &str, size| Dimension {
            name: name.to_owned(),
            size,
            is_record: false,
        };
        let (y, x) = (dimension("y", 2), dimension("x", 3));
        let relief = Variable {
            name: "relief".to_owned(),
            place: 0,
            dimensions: vec![y.clone(), x.clone()],
            element: Element::Number(Number::F32),
            attributes: Vec::new(),
            remarks: Vec::new(),
            unwritten: None,
        };
        let values = Cow::Owned(Values::Single(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
        let walk = Walk::of(&[x, y], &[1, 1], &[0..3, 0..2], &relief, &[0..2, 0..3]);
        let turned = Values::Single(vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(walk.spread(values), turned);
    }
}
