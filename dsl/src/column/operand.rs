//! Values for every row while a formula is evaluated.

use std::collections::HashMap;
use std::ops::Range;

use super::scalar::{power, remainder, squares, truth};
use crate::ast::BinaryOp;

/// Values for every row, without copying columns or repeating numbers.
pub(super) enum Operand<'a> {
    Same(f64),
    Borrowed(&'a [f64]),
    Owned(Vec<f64>),
}

impl<'a> Operand<'a> {
    pub(super) fn map(self, f: impl Fn(f64) -> f64) -> Operand<'a> {
        match self {
            Operand::Same(x) => Operand::Same(f(x)),
            Operand::Borrowed(xs) => Operand::Owned(xs.iter().map(|x| f(*x)).collect()),
            Operand::Owned(mut xs) => {
                xs.iter_mut().for_each(|x| *x = f(*x));
                Operand::Owned(xs)
            }
        }
    }

    /// The same by a function of all values of a block.
    pub(super) fn in_place(self, f: fn(&mut [f64])) -> Operand<'a> {
        match self {
            Operand::Same(mut x) => {
                f(std::slice::from_mut(&mut x));
                Operand::Same(x)
            }
            Operand::Borrowed(xs) => {
                let mut xs = xs.to_vec();
                f(&mut xs);
                Operand::Owned(xs)
            }
            Operand::Owned(mut xs) => {
                f(&mut xs);
                Operand::Owned(xs)
            }
        }
    }

    pub(super) fn zip(self, other: Operand<'a>, f: impl Fn(f64, f64) -> f64) -> Operand<'a> {
        match (self, other) {
            (xs, Operand::Same(y)) => xs.map(|x| f(x, y)),
            (Operand::Same(x), ys) => ys.map(|y| f(x, y)),
            (Operand::Owned(mut xs), ys) => {
                let pairs = xs.iter_mut().zip(ys.slice());
                pairs.for_each(|(x, y)| *x = f(*x, *y));
                Operand::Owned(xs)
            }
            (Operand::Borrowed(xs), Operand::Owned(mut ys)) => {
                let pairs = xs.iter().zip(&mut ys);
                pairs.for_each(|(x, y)| *y = f(*x, *y));
                Operand::Owned(ys)
            }
            (Operand::Borrowed(xs), Operand::Borrowed(ys)) => {
                Operand::Owned(xs.iter().zip(ys).map(|(x, y)| f(*x, *y)).collect())
            }
        }
    }

    pub(super) fn zip3(self, y: &Operand, z: &Operand, f: fn(f64, f64, f64) -> f64) -> Operand<'a> {
        let rows = [&self, y, z].iter().filter_map(|xs| xs.rows()).min();
        match rows {
            None => Operand::Same(f(self.at(0), y.at(0), z.at(0))),
            Some(rows) => {
                Operand::Owned((0..rows).map(|i| f(self.at(i), y.at(i), z.at(i))).collect())
            }
        }
    }

    /// What `add` appends for the values of each group.
    pub(super) fn by_group(
        self,
        groups: &[Range<usize>],
        add: impl Fn(&[f64], &mut Vec<f64>),
    ) -> Operand<'a> {
        let rows = groups.iter().map(Range::len).sum();
        let mut all = Vec::with_capacity(rows);
        for group in groups {
            match &self {
                Operand::Same(value) => add(&vec![*value; group.len()], &mut all),
                xs => add(xs.slice().get(group.clone()).unwrap_or_default(), &mut all),
            }
        }
        Operand::Owned(all)
    }

    pub(super) fn slice(&self) -> &[f64] {
        match self {
            Operand::Same(x) => std::slice::from_ref(x),
            Operand::Borrowed(xs) => xs,
            Operand::Owned(xs) => xs,
        }
    }

    pub(super) fn rows(&self) -> Option<usize> {
        match self {
            Operand::Same(_) => None,
            _ => Some(self.slice().len()),
        }
    }

    pub(super) fn at(&self, row: usize) -> f64 {
        match self {
            Operand::Same(x) => *x,
            _ => self.slice().get(row).copied().unwrap_or(f64::NAN),
        }
    }
}

/// What an operator makes of its two sides.
pub(super) fn binary<'a>(op: BinaryOp, left: Operand<'a>, right: Operand<'a>) -> Operand<'a> {
    match op {
        BinaryOp::Or => left.zip(right, |x, y| truth(x != 0.0 || y != 0.0)),
        BinaryOp::And => left.zip(right, |x, y| truth(x != 0.0 && y != 0.0)),
        BinaryOp::Equal => left.zip(right, |x, y| truth(x == y)),
        BinaryOp::NotEqual => left.zip(right, |x, y| truth(x != y && !x.is_nan() && !y.is_nan())),
        BinaryOp::Less => left.zip(right, |x, y| truth(x < y)),
        BinaryOp::LessEqual => left.zip(right, |x, y| truth(x <= y)),
        BinaryOp::Greater => left.zip(right, |x, y| truth(x > y)),
        BinaryOp::GreaterEqual => left.zip(right, |x, y| truth(x >= y)),
        // One item, for lists are taken apart before.
        BinaryOp::In => left.zip(right, |x, y| truth(x == y)),
        BinaryOp::Add => left.zip(right, |x, y| x + y),
        BinaryOp::Subtract => left.zip(right, |x, y| x - y),
        BinaryOp::Multiply => left.zip(right, |x, y| x * y),
        BinaryOp::Divide => left.zip(right, |x, y| x / y),
        BinaryOp::Remainder => left.zip(right, remainder),
        BinaryOp::Power if matches!(right, Operand::Same(2.0)) => left.in_place(squares),
        BinaryOp::Power => left.zip(right, power),
    }
}

/// Places in some labels as places in others; -1 where those do not have the label.
pub(super) fn recoded<'a>(places: Operand<'a>, from: &[String], to: &[String]) -> Operand<'a> {
    if from == to {
        return places;
    }
    let known: HashMap<&str, f64> = (0_u32..)
        .map(f64::from)
        .zip(to)
        .map(|(at, label)| (label.as_str(), at))
        .collect();
    let map: Vec<f64> = from
        .iter()
        .map(|label| known.get(label.as_str()).copied().unwrap_or(-1.0))
        .collect();
    places.map(|place| match place.is_nan() {
        true => f64::NAN,
        false => map.get(place as usize).copied().unwrap_or(-1.0),
    })
}
