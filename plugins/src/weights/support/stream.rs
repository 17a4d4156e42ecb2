//! Tables walked in lock step, some columns after others, so that none is ever whole in memory.

use std::cell::RefCell;
use std::ops::Range;

use engine::artifact::{Block, Layout, Precision, Trajectory};
use engine::error::Fault;
use engine::params::Origins;
use engine::plugin::Context;
use polars::prelude::DataFrame;

use super::super::{Weights, single};
use super::rows::{Rows, common, mark};
use crate::networks::Network;
use crate::parents::Parent;

/// Some rows of a table.
#[derive(Clone)]
pub(crate) struct Source<'a> {
    /// All rows.
    pub table: &'a Trajectory,
    /// The places of those to be read, in order.
    pub rows: Vec<usize>,
}

/// These rows of each table, such as those that belong together.
pub(crate) fn sources<'a>(tables: &[Rows<'a>], rows: Vec<Vec<usize>>) -> Vec<Source<'a>> {
    let pairs = tables.iter().zip(rows);
    let source = |(table, rows): (&Rows<'a>, _)| Source {
        table: table.table,
        rows,
    };
    pairs.map(source).collect()
}

/// Calls `each` with the weights of some columns of all sources, columns in ascending order.
pub(crate) fn walk(
    sources: &[Source],
    context: &Context,
    mut each: impl FnMut(Range<usize>, &[Block]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let Some(first) = sources.first() else {
        return Ok(());
    };
    let rows = sources.iter().map(|source| source.rows.len()).sum();
    for columns in first.table.spans(0..first.table.layout.len(), rows) {
        context.check_stop()?;
        each(columns.clone(), &read(sources, &columns)?)?;
    }
    Ok(())
}

fn read(sources: &[Source], columns: &Range<usize>) -> Result<Vec<Block>, Fault> {
    let read = |source: &Source| source.table.read(&source.rows, columns.clone());
    sources.iter().map(read).collect()
}

/// What a stream writes.
pub(crate) struct Target {
    /// The tensors of a row.
    pub layout: Layout,
    /// What is known of each row.
    pub coordinates: DataFrame,
    /// How to run one.
    pub network: Option<Network>,
}

/// The only source of a stream, and rows of its form for each of its own.
///
/// # Errors
/// As [`common`].
pub(crate) fn lone<'a>(
    rows: Rows<'a>,
    networks: &Origins<Parent>,
    param: &str,
    context: &Context,
) -> Result<(Source<'a>, Target), Fault> {
    let (layout, network) = common(std::slice::from_ref(&rows), networks, param, context)?;
    let source = Source {
        table: rows.table,
        rows: rows.rows,
    };
    let target = Target {
        layout,
        coordinates: rows.coordinates,
        network,
    };
    Ok((source, target))
}

/// What sums begin with: added to it, a negative zero stays one.
pub(crate) const NOTHING: f64 = -0.0;

/// The sum of rows, each times its factor, as one row.
///
/// # Errors
/// As [`write`].
pub(crate) fn weighted(
    source: Source,
    target: Target,
    factors: &[f64],
    context: &Context,
) -> Result<Weights, Fault> {
    let target = Target {
        coordinates: single()?,
        ..target
    };
    write(target, &[source], context, |_, blocks, sums| {
        sums.fill(NOTHING);
        for (row, factor) in blocks[0].rows().zip(factors) {
            for (sum, weight) in sums.iter_mut().zip(row) {
                *sum += factor * f64::from(*weight);
            }
        }
        Ok(())
    })
}

/// The table whose rows `each` writes from the weights of all sources, some columns after others:
/// `[rows, columns]` in double precision, rounded once to the precision of the first source, whose
/// form it is saved in where that came from files.
///
/// # Errors
/// [`Fault::Diverged`] when the only row is not of finite numbers; of many rows those are marked.
pub(crate) fn write(
    target: Target,
    sources: &[Source],
    context: &Context,
    mut each: impl FnMut(Range<usize>, &[Block], &mut [f64]) -> Result<(), Fault>,
) -> Result<Weights, Fault> {
    let Target {
        layout,
        coordinates,
        network,
    } = target;
    let Some(first) = sources.first() else {
        return Err(Fault::Bug("a table of nothing".to_owned()));
    };
    let (rows, total) = (coordinates.height(), layout.len() as u64);
    let precision = first.table.precision();
    let width = Trajectory::block_width(rows, precision);
    let taken: usize = sources.iter().map(|source| source.rows.len()).sum();
    let finite = RefCell::new(vec![true; rows]);
    let keep = |bytes: &[u8]| context.keep(bytes);
    let fill = |columns: Range<usize>, bytes: &mut [u8]| {
        // A number of the result takes as much room as two that are read.
        for span in first.table.spans(columns.clone(), taken + 2 * rows) {
            context.check_stop()?;
            context.progress(span.start as u64, total, None);
            let mut made = vec![0.0; rows * span.len()];
            each(span.clone(), &read(sources, &span)?, &mut made)?;
            let here = span.start - columns.start..span.end - columns.start;
            let mut finite = finite.borrow_mut();
            let made = made.chunks_exact(span.len()).zip(finite.iter_mut());
            for (row, (numbers, finite)) in made.enumerate() {
                let start = row * columns.len();
                let place = start + here.start..start + here.end;
                let size = precision.bytes();
                let to = &mut bytes[place.start * size..place.end * size];
                *finite &= encode(precision, numbers, to);
            }
        }
        Ok(())
    };
    let mut table = Trajectory::write_as(precision, layout, coordinates, width, keep, fill)?;
    let finite = finite.into_inner();
    if finite.iter().all(|is_finite| !is_finite) {
        return Err(Fault::Diverged("the weights are not finite".to_owned()));
    }
    table.coordinates = mark(&table.coordinates, &finite)?;
    table.saved.clone_from(&first.table.saved);
    Ok(Weights { table, network })
}

/// Writes numbers in a precision, to nearest, ties to even; whether all are finite in it.
fn encode(precision: Precision, numbers: &[f64], bytes: &mut [u8]) -> bool {
    let mut finite = true;
    match precision {
        Precision::F64 => {
            for (number, to) in numbers.iter().zip(bytes.as_chunks_mut().0) {
                finite &= number.is_finite();
                *to = number.to_le_bytes();
            }
        }
        Precision::F32 => {
            for (number, to) in numbers.iter().zip(bytes.as_chunks_mut().0) {
                let rounded = *number as f32;
                finite &= rounded.is_finite();
                *to = rounded.to_le_bytes();
            }
        }
        Precision::BF16 => {
            for (number, to) in numbers.iter().zip(bytes.as_chunks_mut().0) {
                let bits = to_odd(*number).to_bits();
                let half = (bits >> 16) as u16;
                let (rest, odd) = (bits & 0xffff, half & 1 == 1);
                let up = rest > 0x8000 || (rest == 0x8000 && odd);
                let half = half.wrapping_add(u16::from(up && number.is_finite()));
                finite &= half & 0x7f80 != 0x7f80;
                *to = half.to_le_bytes();
            }
        }
        Precision::F16 => {
            for (number, to) in numbers.iter().zip(bytes.as_chunks_mut().0) {
                let half = half(*number);
                finite &= half & 0x7c00 != 0x7c00;
                *to = half.to_le_bytes();
            }
        }
    }
    finite
}

/// In single precision, the odd neighbour where it is not exact: what is rounded further from
/// there is rounded as if once.
fn to_odd(number: f64) -> f32 {
    let near = number as f32;
    let is_exact = f64::from(near) == number || !number.is_finite() || near.is_infinite();
    if is_exact || near.to_bits() & 1 == 1 {
        return near;
    }
    match f64::from(near).abs() < number.abs() {
        true => f32::from_bits(near.to_bits() + 1),
        false => f32::from_bits(near.to_bits() - 1),
    }
}

/// IEEE 754 half precision.
fn half(number: f64) -> u16 {
    let sign = u16::from(number.is_sign_negative()) << 15;
    let size = number.abs();
    if size.is_nan() {
        return sign | 0x7e00;
    }
    // 2^-24 is the least distance of two, from 2^-14 on it grows with the size.
    let exponent = size.log2().floor().clamp(-14.0, 15.0);
    let exponent = match size < 2f64.powf(exponent) && exponent > -14.0 {
        true => exponent - 1.0,
        false => exponent,
    };
    let units = (size / 2f64.powf(exponent - 10.0)).round_ties_even();
    if units >= 2048.0 && exponent >= 15.0 {
        return sign | 0x7c00;
    }
    let normal = exponent + 14.0;
    // Below 1024 units there is no leading one: the exponent field stays 0.
    sign | (normal as u16 * 1024 + units as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_once_to_the_nearest() {
        let encoded = |precision: Precision, number: f64| {
            let mut bytes = [0; 2];
            encode(precision, &[number], &mut bytes);
            u16::from_le_bytes(bytes)
        };
        // By numpy 2: `np.float16(x).view(np.uint16)`.
        for (number, bits) in [
            (0.0, 0x0000),
            (-0.0, 0x8000),
            (1.0, 0x3c00),
            (1.0 + 1.0 / 2048.0, 0x3c00),
            (1.0 + 1.0 / 2048.0 + 1e-12, 0x3c01),
            (1.0 + 3.0 / 2048.0, 0x3c02),
            (-2.5, 0xc100),
            (65504.0, 0x7bff),
            (65519.9, 0x7bff),
            (65520.0, 0x7c00),
            (6.103515625e-05, 0x0400),
            (6.1e-05, 0x03ff),
            (5.960464477539063e-08, 0x0001),
            (2.98e-08, 0x0000),
            (0.1, 0x2e66),
        ] {
            assert_eq!(encoded(Precision::F16, number), bits, "{number}");
        }
        for (number, bits) in [
            (1.0, 0x3f80),
            (1.0 + 1.0 / 256.0, 0x3f80),
            (1.0 + 1.0 / 256.0 + 1e-12, 0x3f81),
            (1.0 + 3.0 / 256.0, 0x3f82),
            (-0.1, 0xbdcd),
            (f64::INFINITY, 0x7f80),
        ] {
            assert_eq!(encoded(Precision::BF16, number), bits, "{number}");
        }
        assert!(encoded(Precision::BF16, f64::NAN) & 0x7f80 == 0x7f80);
    }
}
