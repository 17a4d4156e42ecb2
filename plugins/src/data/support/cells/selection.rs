//! What a condition rules out by coordinates alone, before cells are read.

use std::borrow::Cow;
use std::ops::Range;

use dsl::ast::BinaryOp;
use dsl::column::ColumnExpr;
use engine::artifact::Dataset;
use engine::error::Fault;
use engine::plugin::Context;

use super::super::formulas::by_row;
use super::super::grid::{Dimension, Values, Variable, cells, whole};
use super::super::meeting::none_meets;
use super::super::source::grouped;
use super::{Cells, Lane, Walk, same};

/// Coordinates of more cells together decide nothing beforehand.
const MOST_DECIDING: u64 = 1 << 20;

impl Cells<'_> {
    /// Leaves out the parts of the grid in which no row can meet the condition. The rows that are
    /// left have still to be asked.
    ///
    /// # Errors
    /// When no row can meet it, or a coordinate is damaged.
    pub fn select(&mut self, condition: &ColumnExpr, context: &Context) -> Result<(), Fault> {
        let mut parts = Vec::new();
        conjuncts(condition, &mut parts);
        for part in parts {
            if let Some(along) = self.deciding(part) {
                self.rule_out(part, &along)?;
            }
        }
        let all = self.cells;
        for (range, (wanted, step)) in
            (self.ranges.iter_mut()).zip(self.wanted.iter().zip(&self.steps))
        {
            if let Some(wanted) = wanted {
                let first = wanted.iter().position(|it| *it).unwrap_or_default() as u64;
                let last = wanted.iter().rposition(|it| *it).unwrap_or_default() as u64;
                *range = first / step * step..last + 1;
            }
        }
        self.count();
        if self.cells < all {
            let [read, all] = [self.cells, all].map(|count| grouped(count as usize));
            context.note(format!(
                "read {read} of {all} cells: no row of the others meets `where`"
            ));
        }
        Ok(())
    }

    /// Counts the cells that are taken.
    pub(super) fn count(&mut self) {
        self.cells = self.slabs().cells(&self.steps);
    }

    /// The dimensions along which the columns of a condition lie, where these are few numbers
    /// that many cells share.
    fn deciding(&self, condition: &ColumnExpr) -> Option<Vec<usize>> {
        let used = self.used(condition);
        let has = |dimension: &Dimension| {
            let mut own = used.iter().flat_map(|(_, variable)| &variable.dimensions);
            own.any(|own| same(own, dimension))
        };
        let along: Vec<usize> = (0..self.dimensions.len())
            .filter(|at| has(&self.dimensions[*at]))
            .collect();
        let sizes = along.iter().map(|at| self.dimensions[*at].size);
        let cells = sizes.fold(1, u64::saturating_mul);
        let are_shared = along.len() < self.dimensions.len() || along.len() == 1;
        (!along.is_empty() && are_shared && cells <= MOST_DECIDING).then_some(along)
    }

    /// The columns that a condition reads.
    fn used(&self, condition: &ColumnExpr) -> Vec<(&str, &Variable)> {
        let names = condition.columns();
        self.columns()
            .filter(|(name, _)| names.contains(name))
            .collect()
    }

    /// Asks a condition about the coordinates along some dimensions.
    fn rule_out(&mut self, condition: &ColumnExpr, along: &[usize]) -> Result<(), Fault> {
        let dimensions: Vec<Dimension> = (along.iter())
            .map(|at| self.dimensions[*at].clone())
            .collect();
        let grid: Vec<Range<u64>> = dimensions.iter().map(|it| 0..it.size).collect();
        let steps = vec![1; along.len()];
        let column = |(name, variable): (&str, &Variable)| {
            let part = whole(variable);
            let values: Values = self.source.read(variable, &part)?;
            if values.len() as u64 != cells(&part) {
                let message = format!("`{}` has fewer values than it declares", variable.name);
                return Err(Fault::at("file", message));
            }
            let walk = Walk::of(&dimensions, &steps, &grid, variable, &part);
            let values = Lane::Own(walk.spread(Cow::Owned(values)));
            values.whole(None).column(name, variable)
        };
        let columns = self.used(condition).into_iter().map(column);
        let data = Dataset::new(columns.collect::<Result<_, Fault>>()?)?;
        let met = by_row(condition, &data, std::slice::from_ref(&(0..data.rows())));
        let met = met.map_err(|message| Fault::at("where", message))?;
        let mut found: Vec<Vec<bool>> = (dimensions.iter())
            .map(|dimension| vec![false; dimension.size as usize])
            .collect();
        for (cell, met) in met.iter().enumerate() {
            if *met == 1.0 {
                let mut rest = cell;
                for wanted in found.iter_mut().rev() {
                    let size = wanted.len();
                    wanted[rest % size] = true;
                    rest /= size;
                }
            }
        }
        for (at, found) in along.iter().zip(found) {
            let known = self.wanted[*at].get_or_insert_with(|| vec![true; found.len()]);
            known
                .iter_mut()
                .zip(found)
                .for_each(|(known, it)| *known &= it);
            if !known.contains(&true) {
                return Err(none_meets(condition, &data, "where"));
            }
        }
        Ok(())
    }
}

/// The conditions that a row must meet, each of them.
fn conjuncts<'c>(condition: &'c ColumnExpr, found: &mut Vec<&'c ColumnExpr>) {
    match condition {
        ColumnExpr::Binary(BinaryOp::And, left, right) => {
            conjuncts(left, found);
            conjuncts(right, found);
        }
        _ => found.push(condition),
    }
}

#[cfg(test)]
mod tests;
