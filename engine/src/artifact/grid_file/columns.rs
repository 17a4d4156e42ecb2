//! The columns of a table in the pieces that they come in: to put them together would take as much
//! memory again.

use std::borrow::Cow;
use std::ops::Range;

use dsl::types::Content;

use crate::artifact::numbers::Numbers;
use crate::artifact::{DataColumn, Dataset};
use crate::error::Fault;

/// A column of all parts of a table.
pub struct GridColumn {
    /// What it holds. Of texts it has the labels of all parts, and all rows.
    pub head: DataColumn,
    /// Its rows.
    pub values: Pieces,
}

/// The columns of a table that comes in parts.
///
/// # Errors
/// When parts have other columns.
pub fn columns(parts: Vec<Dataset>) -> Result<Vec<GridColumn>, Fault> {
    let width = parts.first().map_or(0, |first| first.columns().len());
    let columns = (0..width).map(|at| {
        let pieces = parts.iter().map(|part| part.columns().get(at));
        GridColumn::of(pieces.collect::<Option<_>>()?)
    });
    let columns = columns.collect::<Option<_>>();
    columns.ok_or_else(|| Fault::Bug("parts of a table have other columns".to_owned()))
}

/// How many rows columns have.
pub fn rows(columns: &[GridColumn]) -> usize {
    columns.first().map_or(0, |first| first.values.len())
}

impl GridColumn {
    fn of(pieces: Vec<&DataColumn>) -> Option<Self> {
        let first = *pieces.first()?;
        let is_alike =
            |piece: &&DataColumn| (&piece.name, piece.content) == (&first.name, first.content);
        if !pieces.iter().all(is_alike) {
            return None;
        }
        let (values, head) = match first.content {
            // A label has another place in each part.
            Content::Text => {
                let all = DataColumn::of_pieces(pieces.into_iter().cloned().collect())?;
                (all.values.clone().into(), all)
            }
            Content::Number | Content::Time(_) => {
                let values = pieces.iter().map(|piece| piece.values.narrow());
                let values = Pieces::of(values.collect());
                let none = Numbers::default();
                (
                    values,
                    DataColumn {
                        values: none,
                        ..first.clone()
                    },
                )
            }
        };
        Some(Self { head, values })
    }

    /// The different texts of its rows, in ascending order.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let labels = self.head.labels.iter().zip(self.head.used_labels());
        labels.filter_map(|(label, used)| used.then_some(label.as_str()))
    }
}

/// Numbers in pieces, with the row that each begins at.
#[derive(Clone)]
pub struct Pieces(pub Vec<(usize, Numbers)>);

impl Pieces {
    fn of(pieces: Vec<Numbers>) -> Self {
        let mut start = 0;
        let pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
        let pieces = pieces.map(|piece| {
            start += piece.len();
            (start - piece.len(), piece)
        });
        Self(pieces.collect())
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.0
            .last()
            .map_or(0, |(start, piece)| start + piece.len())
    }

    /// The numbers of neighbouring rows.
    ///
    /// # Panics
    /// When there are fewer rows.
    pub fn part(&self, rows: Range<usize>) -> Cow<'_, [f64]> {
        let first = self
            .0
            .partition_point(|(start, piece)| start + piece.len() <= rows.start);
        let own = |(start, piece): &(usize, Numbers)| {
            rows.start.max(*start) - start..rows.end.min(start + piece.len()) - start
        };
        let Some(piece) = self.0.get(first) else {
            return Cow::default();
        };
        if rows.end <= piece.0 + piece.1.len() {
            return piece.1.part(own(piece));
        }
        let mut all = Vec::with_capacity(rows.len());
        for piece in self.0[first..]
            .iter()
            .take_while(|(start, _)| *start < rows.end)
        {
            all.extend_from_slice(&piece.1.part(own(piece)));
        }
        all.into()
    }

    /// The different values in ascending order; NaN last where there is any, and no negative zero.
    pub fn different(&self) -> Vec<f64> {
        let mut all: Vec<f64> = Vec::new();
        let mut settled = 0;
        let settle = |all: &mut Vec<f64>| {
            all.sort_unstable_by(f64::total_cmp);
            all.dedup_by_key(|value| value.to_bits());
            all.len()
        };
        for piece in self.0.iter().flat_map(|(_, piece)| piece.pieces()) {
            let plain = piece.iter().map(|value| match value.is_nan() {
                true => f64::NAN,
                false => value + 0.0,
            });
            all.extend(plain);
            if all.len() > 2 * settled + (1 << 16) {
                settled = settle(&mut all);
            }
        }
        settle(&mut all);
        all
    }
}

impl<N: Into<Numbers>> From<N> for Pieces {
    fn from(numbers: N) -> Self {
        Self::of(vec![numbers.into()])
    }
}
