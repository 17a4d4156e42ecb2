//! Weight tables that need not fit in memory: blocks of columns, each with all rows.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use dsl::types::Kind;
use polars::prelude::*;

use super::dataset::{from_parquet, to_parquet};
use super::{Artifact, Kept, Layout, Parts, Precision, WeightTable};
use crate::error::Fault;

/// The weights of one network at many steps: a row per step, a column per weight.
///
/// Whatever works weight by weight goes through the blocks one after another and never has
/// the whole table in memory: a block is all rows of neighbouring columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// What the weights of a row are.
    pub layout: Layout,
    /// What is known of each row; the column `step` says where along training it is.
    pub coordinates: DataFrame,
    width: usize,
    /// How the weights of its blocks are stored.
    precision: Precision,
    blocks: Vec<Kept>,
}

/// Some columns of a [`Trajectory`].
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Which weights these are, as indices into the flat vector.
    pub columns: Range<usize>,
    /// Row after row, `columns.len()` weights each.
    pub values: Vec<f32>,
}

impl Block {
    /// The weights of a row.
    pub fn row(&self, row: usize) -> &[f32] {
        let width = self.columns.len();
        &self.values[row * width..(row + 1) * width]
    }
}

/// How many bytes a block has at most, unless one column has more.
const BLOCK_BYTES: usize = 16 << 20;

/// How many bytes a table may have to be exported as one.
const LARGEST_TABLE: usize = 4 << 30;

impl Trajectory {
    /// How many columns a block of so many rows has.
    pub fn block_width(rows: usize) -> usize {
        (BLOCK_BYTES / size_of::<f32>() / rows.max(1)).max(1)
    }

    /// A trajectory that is made block by block.
    ///
    /// `fill` is asked for the values of some columns, row after row; `keep` is
    /// [`Context::keep`](crate::plugin::Context::keep). `width` is how many columns a block
    /// has: that of a trajectory it is made from, or [`block_width`](Self::block_width).
    ///
    /// # Errors
    /// Those of `fill` and `keep`.
    pub fn write(
        layout: Layout,
        coordinates: DataFrame,
        width: usize,
        keep: impl Fn(&[u8]) -> Result<Kept, Fault>,
        fill: impl FnMut(Range<usize>) -> Result<Vec<f32>, Fault>,
    ) -> Result<Self, Fault> {
        Self::write_as(Precision::F32, layout, coordinates, width, keep, fill)
    }

    /// The same of weights that are numbers of some precision, and kept as such.
    ///
    /// # Errors
    /// As [`write`](Self::write), and a bug when a weight is no such number.
    pub fn write_as(
        precision: Precision,
        layout: Layout,
        coordinates: DataFrame,
        width: usize,
        keep: impl Fn(&[u8]) -> Result<Kept, Fault>,
        mut fill: impl FnMut(Range<usize>) -> Result<Vec<f32>, Fault>,
    ) -> Result<Self, Fault> {
        let rows = coordinates.height();
        let blocks = ranges(layout.len(), width)
            .map(|columns| {
                let expected = rows * columns.len();
                let values = fill(columns)?;
                if values.len() != expected {
                    let found = values.len();
                    return Err(Fault::Bug(format!(
                        "{found} weights in a block of {expected}"
                    )));
                }
                let bytes = precision.encode(&values);
                keep(&bytes.ok_or_else(|| Fault::Bug(format!("a weight is not {precision:?}")))?)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            layout,
            coordinates,
            width,
            precision,
            blocks,
        })
    }

    /// A trajectory of weights that are in memory, row after row.
    ///
    /// # Errors
    /// When there are more or fewer weights than rows and layout say.
    pub fn from_rows(
        layout: Layout,
        coordinates: DataFrame,
        weights: &[f32],
    ) -> Result<Self, Fault> {
        let (rows, all) = (coordinates.height(), layout.len());
        if weights.len() != rows * all {
            let found = weights.len();
            return Err(Fault::Bug(format!(
                "{found} weights for {rows} rows of {all}"
            )));
        }
        let keep = |bytes: &[u8]| Ok(Kept::in_memory(bytes));
        let width = Self::block_width(rows);
        Self::write(layout, coordinates, width, keep, |columns| {
            let rows = weights.chunks_exact(all.max(1));
            Ok(rows
                .flat_map(|row| &row[columns.clone()])
                .copied()
                .collect())
        })
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.coordinates.height()
    }

    /// How many columns its blocks have; the last may have fewer.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The step of each row.
    ///
    /// # Errors
    /// When the coordinates have none.
    pub fn steps(&self) -> Result<Vec<u64>, Fault> {
        let steps = self.coordinates.column("step")?.cast(&DataType::UInt64)?;
        let steps = steps.u64()?.iter().map(|step| {
            step.ok_or_else(|| Fault::Damaged("a row of the trajectory has no step".to_owned()))
        });
        steps.collect()
    }

    /// How many blocks.
    pub fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// One block, read now and verified.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when it is not what was kept.
    pub fn block(&self, index: usize) -> Result<Block, Fault> {
        let missing = || Fault::Bug(format!("there is no block {index}"));
        let kept = self.blocks.get(index).ok_or_else(missing)?;
        let columns = ranges(self.layout.len(), self.width).nth(index);
        let columns = columns.ok_or_else(missing)?;
        let bytes = kept.read()?;
        let mut values = Vec::with_capacity(bytes.len() / self.precision.bytes());
        self.precision.decode(&bytes, &mut values);
        if values.len() != self.rows() * columns.len() {
            let message = format!("block {index} has {} weights", values.len());
            return Err(Fault::Damaged(message));
        }
        Ok(Block { columns, values })
    }

    /// The blocks in order, each read when its turn comes.
    pub fn blocks(&self) -> impl Iterator<Item = Result<Block, Fault>> {
        (0..self.blocks.len()).map(|index| self.block(index))
    }

    /// The weights of the networks of some rows, each whole.
    ///
    /// # Errors
    /// As [`block`](Self::block).
    pub fn networks(&self, rows: &[usize]) -> Result<Vec<Vec<f32>>, Fault> {
        let mut networks = vec![Vec::with_capacity(self.layout.len()); rows.len()];
        for block in self.blocks() {
            let block = block?;
            for (network, row) in networks.iter_mut().zip(rows) {
                network.extend_from_slice(block.row(*row));
            }
        }
        Ok(networks)
    }
}

fn ranges(all: usize, width: usize) -> impl Iterator<Item = Range<usize>> {
    (0..all)
        .step_by(width.max(1))
        .map(move |start| start..(start + width.max(1)).min(all))
}

impl Artifact for Trajectory {
    const KIND: Kind = Kind::Trajectory;

    fn to_parts(&self) -> Result<Parts, Fault> {
        let mut parts = Parts::default()
            .with_json("layout.json", &self.layout)?
            .with_json("width.json", &self.width)?
            .with(
                "coordinates.parquet",
                to_parquet(&mut self.coordinates.clone())?,
            );
        if self.precision != Precision::F32 {
            parts = parts.with_json("precision.json", &self.precision)?;
        }
        let blocks = self.blocks.iter().enumerate();
        Ok(blocks.fold(parts, |parts, (index, kept)| {
            let name = format!("weights.{index:06}{}", Parts::LARGE);
            parts.with_kept(&name, kept.clone())
        }))
    }

    fn from_parts(parts: &Parts) -> Result<Self, Fault> {
        let trajectory = Self {
            layout: parts.json("layout.json")?,
            coordinates: from_parquet(parts.get("coordinates.parquet")?)?,
            width: parts.json("width.json")?,
            precision: match parts.has("precision.json") {
                true => parts.json("precision.json")?,
                false => Precision::F32,
            },
            blocks: parts.kept().map(|(_, kept)| kept.clone()).collect(),
        };
        let expected = ranges(trajectory.layout.len(), trajectory.width).count();
        if trajectory.blocks.len() != expected {
            let found = trajectory.blocks.len();
            let message = format!("expected {expected} blocks of weights, found {found}");
            return Err(Fault::Damaged(message));
        }
        Ok(trajectory)
    }

    /// A table of fine-tuned weights that has steps is a trajectory too.
    fn from_made(made: Arc<dyn Any + Send + Sync>) -> Option<Arc<Self>> {
        let made = match made.downcast::<Self>() {
            Ok(trajectory) => return Some(trajectory),
            Err(made) => made,
        };
        let table = made.downcast::<WeightTable>().ok()?;
        let coordinates = table.coordinates.clone();
        Self::from_rows(table.layout.clone(), coordinates, &table.weights)
            .ok()
            .map(Arc::new)
    }

    fn table(&self) -> Result<Option<DataFrame>, Fault> {
        let bytes = size_of::<f32>() * self.rows() * self.layout.len();
        if bytes > LARGEST_TABLE {
            return Err(Fault::Environment(format!(
                "a table of {} GiB is too large to export: expected at most {} GiB",
                bytes >> 30,
                LARGEST_TABLE >> 30
            )));
        }
        let rows: Vec<usize> = (0..self.rows()).collect();
        let table = WeightTable {
            layout: self.layout.clone(),
            coordinates: self.coordinates.clone(),
            weights: self.networks(&rows)?.concat(),
        };
        table.table()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::Tensor;

    /// Five weights at three steps, the weight `k` of row `r` being `10 r + k`.
    fn table() -> WeightTable {
        let tensor = |name: &str, shape: &[usize]| Tensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
        };
        let steps = Series::new("step".into(), [0_u64, 10, 20]);
        WeightTable {
            layout: Layout {
                tensors: vec![
                    tensor("layers.0.weight", &[2, 2]),
                    tensor("layers.0.bias", &[1]),
                ],
            },
            coordinates: DataFrame::new(3, vec![steps.into_column()]).unwrap(),
            weights: (0..3)
                .flat_map(|r| (0..5).map(move |k| (10 * r + k) as f32))
                .collect(),
        }
    }

    /// The same in blocks of two columns.
    fn in_blocks() -> Trajectory {
        let table = table();
        let keep = |bytes: &[u8]| Ok(Kept::in_memory(bytes));
        let fill = |columns: Range<usize>| {
            Ok((0..3)
                .flat_map(|row| table.row(row)[columns.clone()].to_vec())
                .collect())
        };
        let (layout, coordinates) = (table.layout.clone(), table.coordinates.clone());
        Trajectory::write(layout, coordinates, 2, keep, fill).unwrap()
    }

    #[test]
    fn blocks_hold_all_rows_of_their_columns() {
        let blocks: Vec<Block> = in_blocks().blocks().map(Result::unwrap).collect();
        assert_eq!(blocks.len(), 3);
        assert_eq!(
            (blocks[1].columns.clone(), blocks[1].row(2)),
            (2..4, &[22.0, 23.0][..])
        );
        assert_eq!(
            (blocks[2].columns.clone(), blocks[2].row(1)),
            (4..5, &[14.0][..])
        );
        assert_eq!(
            in_blocks().networks(&[2, 0]).unwrap(),
            [table().row(2), table().row(0)]
        );
        assert_eq!(in_blocks().steps().unwrap(), [0, 10, 20]);
    }

    #[test]
    fn it_comes_back_from_its_parts_and_as_a_table() {
        let parts = in_blocks().to_parts().unwrap();
        assert_eq!(Trajectory::from_parts(&parts).unwrap(), in_blocks());
        let frame = in_blocks().table().unwrap().unwrap();
        assert!(frame.equals(&table().frame().unwrap()));
        let fewer = Parts::default()
            .with("layout.json", parts.get("layout.json").unwrap().clone())
            .with("width.json", parts.get("width.json").unwrap().clone())
            .with(
                "coordinates.parquet",
                parts.get("coordinates.parquet").unwrap().clone(),
            );
        let fault = Trajectory::from_parts(&fewer).unwrap_err();
        assert_eq!(fault.to_string(), "expected 3 blocks of weights, found 0");
    }

    #[test]
    fn half_precision_is_kept_as_such() {
        let table = table();
        let weights = || table.weights.clone();
        let write = |weights: Vec<f32>| {
            let keep = |bytes: &[u8]| {
                assert_eq!(bytes.len(), 15 * 2);
                Ok(Kept::in_memory(bytes))
            };
            let (layout, coordinates) = (table.layout.clone(), table.coordinates.clone());
            let fill = |_: Range<usize>| Ok(weights.clone());
            Trajectory::write_as(Precision::F16, layout, coordinates, 5, keep, fill)
        };
        let trajectory = write(weights()).unwrap();
        assert_eq!(trajectory.networks(&[0, 1, 2]).unwrap().concat(), weights());
        let parts = trajectory.to_parts().unwrap();
        assert_eq!(Trajectory::from_parts(&parts).unwrap(), trajectory);
        let mut other = weights();
        other[3] = 0.1;
        assert!(write(other).is_err());
    }

    #[test]
    fn fine_tuned_weights_are_taken_for_one() {
        let made: Arc<dyn Any + Send + Sync> = Arc::new(table());
        let trajectory = Trajectory::from_made(made).unwrap();
        assert_eq!(
            trajectory.networks(&[0, 1, 2]).unwrap().concat(),
            table().weights
        );
        assert!(Trajectory::from_made(Arc::new(1)).is_none());
    }

    #[test]
    fn a_block_is_all_rows_of_as_many_columns_as_fit() {
        assert_eq!(Trajectory::block_width(150) * 150 * 4 / BLOCK_BYTES, 0);
        assert_eq!(
            (Trajectory::block_width(150) + 1) * 150 * 4 / BLOCK_BYTES,
            1
        );
        assert_eq!(Trajectory::block_width(usize::MAX), 1);
    }
}
