//! Weight tables that need not fit in memory: blocks of columns, each with all rows.
//!
//! A block is one object in the store, row after row, and every piece of it has a digest of its
//! own: a few rows of some columns are read and verified without the rest.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

use dsl::types::Kind;
use polars::prelude::*;

use super::dataset::{from_parquet, to_parquet};
use super::pieces::Pieces;
use super::rows_in_files::RowsInFiles;
use super::{
    AnyArtifact, Artifact, Blob, Digested, Layout, Parts, Precision, Saved, SavedModel,
    WeightTable, downcast,
};
use crate::digest::BlockDigests;
use crate::error::Fault;
use crate::files::DataFile;
use crate::parcel::Parcel;

/// The weights of one network at many steps: a row per step, a column per weight.
///
/// Whatever works weight by weight goes through spans of columns one after another, reads the
/// rows it needs, and never has the whole table in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// What the weights of a row are.
    pub layout: Layout,
    /// What is known of each row; the column `step` says where along training it is.
    pub coordinates: DataFrame,
    /// How many columns are read at once, at least: those of a block.
    width: usize,
    /// How its weights are stored; where they are in files, a precision that holds them all.
    precision: Precision,
    held: Held,
    /// How such weights are saved where they come from.
    pub saved: Option<Arc<Saved>>,
}

/// Where the weights are.
#[derive(Clone, Debug, PartialEq)]
enum Held {
    /// In blocks of `width` columns; the last may have fewer.
    Blocks(Vec<Pieces>),
    /// In files that stay where they are.
    Files(RowsInFiles),
}

/// Some rows and columns of a [`Trajectory`].
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Which weights these are, as indices into the flat vector.
    pub columns: Range<usize>,
    /// Row after row, `columns.len()` weights each.
    pub values: Vec<f32>,
}

impl Block {
    /// The weights of each row, in the order the rows were asked for.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.columns.len().max(1))
    }

    /// The weights of a row, by its place among those that were asked for.
    pub fn row(&self, place: usize) -> &[f32] {
        let width = self.columns.len();
        &self.values[place * width..(place + 1) * width]
    }
}

/// How many bytes a block has at most, unless one column has more.
const BLOCK_BYTES: usize = 16 << 20;

/// How many bytes of weights are worked on at once, where pieces are not larger.
const SPAN_BYTES: usize = 4 << 20;

/// How many bytes a table may have to be exported as one.
const LARGEST_TABLE: usize = 4 << 30;

impl Trajectory {
    /// How many columns a block with this number of rows has.
    pub fn block_width(rows: usize, precision: Precision) -> usize {
        columns_in(BLOCK_BYTES, rows, precision)
    }

    /// A trajectory that is made block by block.
    ///
    /// `fill` writes the weights of some columns, row after row, each as its four bytes with the
    /// lowest first; `keep` is [`Context::keep`](crate::plugin::Context::keep). `width` is how
    /// many columns a block has: [`block_width`](Self::block_width).
    ///
    /// # Errors
    /// Those of `fill` and `keep`.
    pub fn write(
        layout: Layout,
        coordinates: DataFrame,
        width: usize,
        keep: impl Fn(&[u8]) -> Result<Blob, Fault>,
        mut fill: impl FnMut(Range<usize>, &mut [[u8; 4]]) -> Result<(), Fault>,
    ) -> Result<Self, Fault> {
        let fill = |columns, bytes: &mut [u8]| fill(columns, bytes.as_chunks_mut().0);
        Self::write_as(Precision::F32, layout, coordinates, width, keep, fill)
    }

    /// The same of weights that `fill` writes as numbers of some precision.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_as(
        precision: Precision,
        layout: Layout,
        coordinates: DataFrame,
        width: usize,
        keep: impl Fn(&[u8]) -> Result<Blob, Fault>,
        mut fill: impl FnMut(Range<usize>, &mut [u8]) -> Result<(), Fault>,
    ) -> Result<Self, Fault> {
        let (rows, width) = (coordinates.height(), width.max(1));
        let mut bytes = Vec::new();
        let blocks = ranges(0..layout.len(), width)
            .map(|columns| {
                bytes.resize(rows * columns.len() * precision.bytes(), 0);
                fill(columns, &mut bytes)?;
                Pieces::keep(&bytes, &keep)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            layout,
            coordinates,
            width,
            precision,
            held: Held::Blocks(blocks),
            saved: None,
        })
    }

    /// A trajectory of weights that stay in the files they came in: of each model a row, by the
    /// names that the tensors of the layout have there. They are read and verified where they are
    /// needed; `lend` is [`Context::lend`](crate::plugin::Context::lend).
    ///
    /// # Errors
    /// Those of `lend`, and a bug when a tensor is not there.
    pub fn of_files<'m>(
        precision: Precision,
        layout: Layout,
        coordinates: DataFrame,
        models: impl IntoIterator<Item = (&'m SavedModel, &'m [String])>,
        lend: impl Fn(&DataFile) -> Result<(Blob, Arc<BlockDigests>), Fault>,
    ) -> Result<Self, Fault> {
        Ok(Self {
            width: layout.len().max(1),
            layout,
            coordinates,
            precision,
            held: Held::Files(RowsInFiles::of(models, lend)?),
            saved: None,
        })
    }

    /// The same of weights that are saved in this form where they come from.
    #[must_use]
    pub fn with_saved(self, saved: Option<Arc<Saved>>) -> Self {
        Self { saved, ..self }
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
        let keep = |bytes: &[u8]| Ok(Blob::in_memory(bytes));
        let width = Self::block_width(rows, Precision::F32);
        Self::write(layout, coordinates, width, keep, |columns, bytes| {
            let rows = weights.chunks_exact(all.max(1));
            let weights = rows.flat_map(|row| &row[columns.clone()]);
            for (to, weight) in bytes.iter_mut().zip(weights) {
                *to = weight.to_le_bytes();
            }
            Ok(())
        })
    }

    /// How its weights are stored.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.coordinates.height()
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

    /// The columns as spans to work on one after another, each so wide that this many
    /// rows of it take little memory and are read without waste.
    pub fn spans(
        &self,
        columns: Range<usize>,
        rows: usize,
    ) -> impl Iterator<Item = Range<usize>> + use<> {
        let wide = |bytes: usize| columns_in(bytes, rows, Precision::F32);
        let piece = self.width.min(Pieces::BYTES / self.precision.bytes());
        let least = match self.held {
            Held::Blocks(_) => piece,
            // Pieces of files begin and end anywhere: of neighbours, both read the one between.
            Held::Files(_) => wide(8 * SPAN_BYTES).min(4 * piece).max(piece),
        };
        ranges(columns, wide(SPAN_BYTES).max(least))
    }

    /// The weights of some columns in some rows, in the order of `rows`; the bytes they are in
    /// are read now and verified.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when these are not what was kept.
    pub fn read(&self, rows: &[usize], columns: Range<usize>) -> Result<Block, Fault> {
        let all = self.layout.len();
        if columns.end > all || rows.iter().any(|row| *row >= self.rows()) {
            let message = format!(
                "rows {rows:?}, columns {columns:?} of {} × {all}",
                self.rows()
            );
            return Err(Fault::Bug(message));
        }
        let mut values = vec![0.0; rows.len() * columns.len()];
        let blocks = match &self.held {
            Held::Blocks(blocks) => blocks,
            Held::Files(files) => {
                let place = |row: usize| self.name_of_row(row);
                files.read(&self.layout, rows, &columns, &mut values, place)?;
                return Ok(Block { columns, values });
            }
        };
        let first = columns.start / self.width;
        let held = ranges(first * self.width..all, self.width);
        for (block, held) in blocks.iter().skip(first).zip(held) {
            let here = columns.start.max(held.start)..columns.end.min(held.end);
            if here.is_empty() {
                break;
            }
            let part = |row: &usize| {
                let start = row * held.len() + here.start - held.start;
                let size = self.precision.bytes();
                start * size..(start + here.len()) * size
            };
            let parts: Vec<Range<usize>> = rows.iter().map(part).collect();
            block.read(&parts, |place, bytes| {
                let start = place * columns.len() + here.start - columns.start;
                let to = &mut values[start..start + here.len()];
                self.precision.decode_to(bytes, to);
            })?;
        }
        Ok(Block { columns, values })
    }

    /// What a message calls a row.
    fn name_of_row(&self, row: usize) -> String {
        let known = self.coordinates.columns().first();
        let value = known.and_then(|column| Some((column.name(), column.get(row).ok()?)));
        match value {
            Some((name, value)) => format!("{name} {}", value.str_value()),
            None => format!("row {row}"),
        }
    }

    /// The weights of the networks of some rows, each whole.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn networks(&self, rows: &[usize]) -> Result<Vec<Vec<f32>>, Fault> {
        let all = self.layout.len();
        let mut networks = vec![Vec::with_capacity(all); rows.len()];
        for columns in self.spans(0..all, rows.len()) {
            let block = self.read(rows, columns)?;
            for (network, row) in networks.iter_mut().zip(block.rows()) {
                network.extend_from_slice(row);
            }
        }
        Ok(networks)
    }
}

/// How many columns of this many rows fit into this many bytes. A power of two, so that the
/// columns of spans, blocks and pieces end together.
fn columns_in(bytes: usize, rows: usize, precision: Precision) -> usize {
    let most = bytes / precision.bytes() / rows.max(1);
    most.checked_ilog2().map_or(1, |power| 1 << power)
}

/// Neighbouring columns, `width` at once.
fn ranges(columns: Range<usize>, width: usize) -> impl Iterator<Item = Range<usize>> {
    let end = columns.end;
    columns
        .step_by(width)
        .map(move |start| start..start.saturating_add(width).min(end))
}

impl Artifact for Trajectory {
    const KIND: Kind = Kind::Trajectory;
    const PARTS: &'static [&'static str] = &[
        "coordinates.parquet",
        "layout.json",
        "width.json",
        "weights.digests",
    ];

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
        if let Some(saved) = &self.saved {
            parts = saved.add_to(parts)?;
        }
        let pieces = match &self.held {
            Held::Blocks(blocks) => blocks,
            Held::Files(rows) => {
                parts = parts.with_json("files.json", &rows.tensors)?;
                &rows.files
            }
        };
        let digests = pieces.iter().flat_map(Pieces::digests);
        let digests: Vec<u8> = digests.flat_map(|digest| *digest.bytes()).collect();
        parts = parts.with("weights.digests", digests);
        let pieces = pieces.iter().enumerate();
        Ok(pieces.fold(parts, |parts, (index, block)| {
            let name = format!("weights.{index:06}{}", Parts::LARGE);
            parts.with_kept(&name, block.kept().clone())
        }))
    }

    fn to_parcel(&self) -> Result<Parcel, Fault> {
        self.as_parcel()
    }

    fn from_parts(parts: &Parts) -> Result<Self, Fault> {
        let mut digests = &parts.get("weights.digests")?[..];
        let pieces = parts.kept().filter(|(name, _)| !Saved::is_part(name));
        let are_files = parts.has("files.json");
        let pieces = pieces.map(|(_, kept)| {
            // The digest of the only block of a file is that of the file.
            let by = match are_files && kept.size > Pieces::BYTES as u64 {
                true => Digested::InPlace,
                false => Digested::Alone,
            };
            Pieces::found(kept, &mut digests, by)
        });
        let pieces = pieces.collect::<Result<_, _>>()?;
        let trajectory = Self {
            layout: parts.json("layout.json")?,
            coordinates: from_parquet(parts.get("coordinates.parquet")?)?,
            width: parts.json::<NonZeroUsize>("width.json")?.get(),
            precision: match parts.has("precision.json") {
                true => parts.json("precision.json")?,
                false => Precision::F32,
            },
            held: match are_files {
                true => Held::Files(RowsInFiles {
                    tensors: parts.json("files.json")?,
                    files: pieces,
                }),
                false => Held::Blocks(pieces),
            },
            saved: Saved::from_parts(parts)?.map(Arc::new),
        };
        let is_whole = match &trajectory.held {
            Held::Blocks(blocks) => {
                let row = trajectory.rows() * trajectory.precision.bytes();
                let expected = ranges(0..trajectory.layout.len(), trajectory.width);
                let expected = expected.map(|columns| (row * columns.len()) as u64);
                expected.eq(blocks.iter().map(|block| block.kept().size))
            }
            Held::Files(files) => files.fit(&trajectory.layout, trajectory.rows()),
        };
        if !is_whole {
            let message = "the blocks of weights are not those of the layout";
            return Err(Fault::Damaged(message.to_owned()));
        }
        Ok(trajectory)
    }

    /// A table of fine-tuned weights that has steps is a trajectory too.
    fn from_stored(stored: &AnyArtifact) -> Option<Arc<Self>> {
        if let Some(trajectory) = downcast(stored) {
            return Some(trajectory);
        }
        let table = WeightTable::from_stored(stored)?;
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
            weights: self.read(&rows, 0..self.layout.len())?.values,
        };
        table.table()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::{Scores, Tensor};
    use crate::store::{MemStore, Store};

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

    /// Those weights in blocks of `width` columns.
    fn written(
        table: &WeightTable,
        width: usize,
        keep: impl Fn(&[u8]) -> Result<Blob, Fault>,
    ) -> Trajectory {
        let fill = |columns: Range<usize>, bytes: &mut [[u8; 4]]| {
            let weights = (0..3).flat_map(|row| &table.row(row)[columns.clone()]);
            let weights: Vec<_> = weights.map(|weight| weight.to_le_bytes()).collect();
            bytes.copy_from_slice(&weights);
            Ok(())
        };
        let (layout, coordinates) = (table.layout.clone(), table.coordinates.clone());
        Trajectory::write(layout, coordinates, width, keep, fill).unwrap()
    }

    /// The same in blocks of two columns.
    fn in_blocks() -> Trajectory {
        written(&table(), 2, |bytes| Ok(Blob::in_memory(bytes)))
    }

    #[test]
    fn any_rows_of_any_columns_are_read() {
        let trajectory = in_blocks();
        for (rows, columns) in [
            (&[0, 1, 2][..], 0..5),
            (&[2, 0, 2], 1..4),
            (&[1], 4..5),
            (&[1], 3..3),
            (&[], 0..5),
        ] {
            let block = trajectory.read(rows, columns.clone()).unwrap();
            let table = table();
            let expected = rows.iter().map(|row| &table.row(*row)[columns.clone()]);
            let expected: Vec<&[f32]> = expected.filter(|row| !row.is_empty()).collect();
            assert_eq!(block.rows().collect::<Vec<_>>(), expected);
            if let Some(last) = expected.last() {
                assert_eq!(block.row(expected.len() - 1), *last);
            }
        }
        assert!(matches!(trajectory.read(&[3], 0..1), Err(Fault::Bug(_))));
        assert!(matches!(trajectory.read(&[0], 4..6), Err(Fault::Bug(_))));
        assert_eq!(
            trajectory.networks(&[2, 0]).unwrap(),
            [table().row(2), table().row(0)]
        );
        assert_eq!(trajectory.steps().unwrap(), [0, 10, 20]);
    }

    #[test]
    fn a_damaged_piece_is_found_where_it_is_needed_and_set_right_by_keeping_it_again() {
        // Rows of two pieces each.
        let width = Pieces::BYTES / 2;
        let tensor = Tensor {
            name: "w".to_owned(),
            shape: vec![width],
        };
        let weights: Vec<f32> = (0..3 * width).map(|at| at as f32).collect();
        let table = WeightTable {
            layout: Layout {
                tensors: vec![tensor],
            },
            weights: weights.clone(),
            ..table()
        };
        let store = MemStore::default();
        let write = || written(&table, width, |bytes| store.keep(bytes));
        let trajectory = write();
        let bad_byte = 4 * (width + 7);
        let Held::Blocks(blocks) = &trajectory.held else {
            panic!("blocks");
        };
        store.damage_byte(&blocks[0].kept().digest, bad_byte);
        let read = |row, columns: Range<usize>| trajectory.read(&[row], columns);
        assert_eq!(read(2, 0..width).unwrap().values, weights[2 * width..]);
        assert_eq!(
            read(1, width / 2..width).unwrap().values,
            weights[width * 3 / 2..2 * width]
        );
        assert!(matches!(read(1, 0..1), Err(Fault::Damaged(_))));
        // Now it is gone as a whole, and comes back as a whole.
        assert!(matches!(read(2, 0..width), Err(Fault::Damaged(_))));
        assert_eq!(write(), trajectory);
        assert_eq!(read(1, 0..width).unwrap().values, weights[width..2 * width]);
    }

    #[test]
    fn spans_are_narrow_for_many_rows_but_no_narrower_than_a_piece() {
        let spans = |rows| in_blocks().spans(1..5, rows).collect::<Vec<_>>();
        assert_eq!((spans(3).len(), &spans(3)[0]), (1, &(1..5)));
        assert_eq!(spans(SPAN_BYTES / 8), [1..3, 3..5]);
        assert_eq!(spans(usize::MAX), [1..3, 3..5]);
    }

    #[test]
    fn it_comes_back_from_its_parts_and_as_a_table() {
        let parts = in_blocks().to_parts().unwrap();
        assert_eq!(Trajectory::from_parts(&parts).unwrap(), in_blocks());
        let frame = in_blocks().table().unwrap().unwrap();
        assert!(frame.equals(&table().frame().unwrap()));
        let fault = |parts: &Parts| Trajectory::from_parts(parts).unwrap_err().to_string();
        let heads =
            |parts: Parts, (name, bytes): (&str, &Arc<[u8]>)| parts.with(name, bytes.clone());
        let fewer = parts.in_memory().fold(Parts::default(), heads);
        assert_eq!(
            fault(&fewer),
            "the blocks of weights are not those of the layout"
        );
        let shorter = parts.clone().with("weights.digests", [0; 95]);
        assert_eq!(
            fault(&shorter),
            "the digests of blocks of weights are too few"
        );
        assert!(fault(&parts.with("width.json", *b"0")).starts_with("part `width.json`: "));
    }

    #[test]
    fn half_precision_is_kept_as_such() {
        let bytes: Vec<u8> = [0x3c00_u16, 0x8000, 0x3555]
            .iter()
            .flat_map(|b| b.to_le_bytes())
            .collect();
        let trajectory = {
            let keep = |bytes: &[u8]| Ok(Blob::in_memory(bytes));
            let tensor = Tensor {
                name: "w".to_owned(),
                shape: vec![1],
            };
            let layout = Layout {
                tensors: vec![tensor],
            };
            let fill = |_: Range<usize>, to: &mut [u8]| {
                to.copy_from_slice(&bytes);
                Ok(())
            };
            Trajectory::write_as(Precision::F16, layout, table().coordinates, 5, keep, fill)
                .unwrap()
        };
        let third = 1365.0 / 4096.0;
        assert_eq!(
            trajectory.networks(&[0, 1, 2]).unwrap().concat(),
            [1.0, 0.0, third]
        );
        let parts = trajectory.to_parts().unwrap();
        assert_eq!(Trajectory::from_parts(&parts).unwrap(), trajectory);
        assert_eq!(*parts.kept().next().unwrap().1.read().unwrap(), bytes);
    }

    #[test]
    fn fine_tuned_weights_are_taken_for_one() {
        let stored: AnyArtifact = Arc::new(table());
        let trajectory = Trajectory::from_stored(&stored).unwrap();
        assert_eq!(
            trajectory.networks(&[0, 1, 2]).unwrap().concat(),
            table().weights
        );
        let scores: AnyArtifact = Arc::new(Scores::default());
        assert!(Trajectory::from_stored(&scores).is_none());
    }

    #[test]
    fn a_block_is_all_rows_of_as_many_columns_as_fit() {
        for (rows, precision, expected) in [
            (150, Precision::F16, 32_768),
            (150, Precision::F32, 16_384),
            (2, Precision::F32, 1 << 21),
            (usize::MAX, Precision::F32, 1),
        ] {
            let width = Trajectory::block_width(rows, precision);
            assert_eq!(width, expected, "{rows} {precision:?}");
        }
        let fits = |width: usize| width * 150 * 2 <= BLOCK_BYTES;
        assert!(fits(32_768) && !fits(65_536));
    }
}
