//! The weights of one network, in memory or in a table, and the files they are exported to.

use std::borrow::Cow;
use std::ops::Range;

use super::precision::write_singles;
use super::tensor_header::header;
use super::weights_file::{Take, TakeWeights, WeightsFile, WeightsFiles};
use super::{Layout, Metadata, Saved, Trajectory};
use crate::error::Fault;

/// The weights of one network.
#[derive(Clone, Copy)]
pub enum Row<'a> {
    /// In memory.
    Slice(&'a [f32]),
    /// In a row of a table.
    InTable(&'a Trajectory, usize),
}

impl<'a> Row<'a> {
    /// The files of these weights: in the form in which they are saved where they come from, or
    /// one in the names of their layout. `stem` is what their names begin with.
    ///
    /// # Errors
    /// A bug when the layout is of other weights.
    pub fn files(
        self,
        stem: &str,
        layout: &'a Layout,
        saved: Option<&'a Saved>,
        metadata: Metadata,
    ) -> Result<WeightsFiles<'a>, Fault> {
        if let Some(saved) = saved {
            let each = move |columns, take: &mut TakeWeights| self.each(columns, take);
            return saved.files(stem, layout, each, &metadata);
        }
        let format = ("format".to_owned(), "pt".to_owned());
        let metadata = std::iter::once(format).chain(metadata).collect();
        let make = move |take: &mut Take| {
            let tensors = layout.tensors.iter();
            let tensors = tensors.map(|it| (&it.name[..], "F32", &it.shape[..], 4 * it.len()));
            take(&header(tensors, &metadata))?;
            self.each(0..layout.len(), &mut |weights| {
                let mut bytes = vec![0; 4 * weights.len()];
                write_singles(weights, &mut bytes);
                take(&bytes)
            })
        };
        Ok(vec![WeightsFile::new(format!("{stem}.safetensors"), make)])
    }

    /// Gives some of the weights to `take`, a few MiB at a time.
    ///
    /// # Errors
    /// Those of `take`, and those of reading the table.
    fn each(self, columns: Range<usize>, take: &mut TakeWeights) -> Result<(), Fault> {
        const MOST: usize = 1 << 18;
        let mut start = columns.start;
        while start < columns.end {
            // Pieces that begin and end where the table is read without waste.
            let end = columns.end.min((start / MOST + 1) * MOST);
            let weights = match self {
                Self::Slice(weights) => Cow::Borrowed(&weights[start..end]),
                Self::InTable(table, row) => Cow::Owned(table.read(&[row], start..end)?.values),
            };
            take(&weights)?;
            start = end;
        }
        Ok(())
    }
}
