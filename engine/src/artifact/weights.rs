//! Weights as flat numbers, their layout, and tables with one row of weights per coordinate.

use dsl::types::Kind;
use polars::prelude::*;
use serde::{Deserialize, Serialize};

use super::dataset::{from_parquet, to_parquet};
use super::precision::write_singles;
use super::tensor_header::header;
use super::{Artifact, Parts, Precision};
use crate::error::Fault;
use crate::parcel::Parcel;

/// The tensors a flat vector of weights is made of, in order.
///
/// Names and shapes follow `torch.nn`: `layers.0.weight` is `[out, in]`, `layers.0.bias` `[out]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// The tensors in parameter order.
    pub tensors: Vec<Tensor>,
}

/// One tensor's name and shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tensor {
    /// Its name, such as `layers.0.weight`.
    pub name: String,
    /// Its shape, outermost first.
    pub shape: Vec<usize>,
}

impl Layout {
    /// The layout of an MLP with these widths, input and output included.
    pub fn mlp(widths: &[usize]) -> Self {
        Self::layers(widths.windows(2).map(|pair| vec![pair[1], pair[0]]))
    }

    /// The layout of layers with weights of these shapes, outputs first, and a bias for each
    /// output.
    pub fn layers(shapes: impl IntoIterator<Item = Vec<usize>>) -> Self {
        let tensors = shapes.into_iter().enumerate().flat_map(|(layer, shape)| {
            let outputs = shape.iter().take(1).copied().collect();
            let tensor = |part: &str, shape| Tensor {
                name: format!("layers.{layer}.{part}"),
                shape,
            };
            [tensor("weight", shape), tensor("bias", outputs)]
        });
        Self {
            tensors: tensors.collect(),
        }
    }

    /// How many weights in all.
    pub fn len(&self) -> usize {
        self.tensors.iter().map(Tensor::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each tensor with the range of its weights in the flat vector.
    pub fn ranges(&self) -> impl Iterator<Item = (&Tensor, std::ops::Range<usize>)> {
        let mut start = 0;
        self.tensors.iter().map(move |tensor| {
            let range = start..start + tensor.len();
            start = range.end;
            (tensor, range)
        })
    }

    /// How another layout differs from this one, in words.
    pub fn difference(&self, other: &Self) -> Option<String> {
        if self == other {
            return None;
        }
        let mut pairs = self.tensors.iter().zip(&other.tensors);
        Some(match pairs.find(|(a, b)| a != b) {
            Some((a, b)) => format!(
                "`{}` {:?} against `{}` {:?}",
                a.name, a.shape, b.name, b.shape
            ),
            None => format!(
                "{} tensors against {}",
                self.tensors.len(),
                other.tensors.len()
            ),
        })
    }

    /// Fills `bytes` with some of the weights, `read` for the part of each tensor that is among
    /// them.
    ///
    /// # Errors
    /// Those of `read`.
    pub(super) fn read_parts(
        &self,
        columns: &std::ops::Range<usize>,
        precision: Precision,
        mut bytes: &mut [u8],
        mut read: impl FnMut(&Tensor, std::ops::Range<usize>, &mut [u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        for (tensor, range) in self.ranges() {
            let start = columns.start.max(range.start);
            let end = columns.end.min(range.end);
            if start >= end {
                continue;
            }
            let part = start - range.start..end - range.start;
            let too_few = || Fault::Bug(format!("too few bytes for columns {columns:?}"));
            let to = bytes.split_off_mut(..part.len() * precision.bytes());
            read(tensor, part, to.ok_or_else(too_few)?)?;
        }
        Ok(())
    }

    /// A safetensors file of these weights.
    ///
    /// # Errors
    /// When `weights` has another length than the layout.
    pub fn to_safetensors(
        &self,
        weights: &[f32],
        metadata: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Vec<u8>, Fault> {
        if weights.len() != self.len() {
            return Err(Fault::Bug(format!(
                "{} weights for a layout of {}",
                weights.len(),
                self.len()
            )));
        }
        let tensors = self.tensors.iter();
        let tensors = tensors.map(|it| (&it.name[..], "F32", &it.shape[..], 4 * it.len()));
        let mut bytes = header(tensors, &metadata.into_iter().collect());
        let head = bytes.len();
        bytes.resize(head + 4 * weights.len(), 0);
        write_singles(weights, &mut bytes[head..]);
        Ok(bytes)
    }

    /// The weights in a safetensors file, checked against this layout.
    ///
    /// # Errors
    /// When the file is not safetensors, or a tensor is missing, of another shape or not `f32`.
    pub fn from_safetensors(&self, bytes: &[u8]) -> Result<Vec<f32>, Fault> {
        let file = safetensors::SafeTensors::deserialize(bytes)
            .map_err(|error| Fault::user(format!("not a safetensors file: {error}")))?;
        let mut weights = Vec::with_capacity(self.len());
        for tensor in &self.tensors {
            let view = file
                .tensor(&tensor.name)
                .map_err(|_| Fault::user(format!("tensor `{}` is missing", tensor.name)))?;
            if view.shape() != tensor.shape {
                return Err(Fault::user(format!(
                    "tensor `{}`: expected shape {:?}, found {:?}",
                    tensor.name,
                    tensor.shape,
                    view.shape()
                )));
            }
            if view.dtype() != safetensors::Dtype::F32 {
                return Err(Fault::user(format!(
                    "tensor `{}`: expected F32, found {:?}",
                    tensor.name,
                    view.dtype()
                )));
            }
            weights.extend(
                view.data()
                    .chunks_exact(4)
                    .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])),
            );
        }
        Ok(weights)
    }
}

impl Tensor {
    /// How many numbers it holds.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A weight table: rows are coordinates (subset, step, …), columns are weights.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightTable {
    /// What the weights of a row are.
    pub layout: Layout,
    /// What is known of each row: one column per coordinate.
    pub coordinates: DataFrame,
    /// Row after row, `layout.len()` weights each.
    pub weights: Vec<f32>,
}

/// The name of the column that holds the weights.
const WEIGHTS: &str = "weights";

impl WeightTable {
    /// How many rows.
    pub fn rows(&self) -> usize {
        self.coordinates.height()
    }

    /// The weights of a row.
    pub fn row(&self, row: usize) -> &[f32] {
        let width = self.layout.len();
        &self.weights[row * width..(row + 1) * width]
    }

    /// The coordinates and one `Array(Float32, P)` column of weights.
    ///
    /// # Errors
    /// When polars cannot make it.
    pub fn frame(&self) -> Result<DataFrame, Fault> {
        let width = self.layout.len();
        let values = Series::new(WEIGHTS.into(), &self.weights[..]);
        let array = values.reshape_array(&[
            ReshapeDimension::new(self.rows() as i64),
            ReshapeDimension::new(width as i64),
        ])?;
        let mut frame = self.coordinates.clone();
        frame.with_column(array.into_column())?;
        Ok(frame)
    }
}

impl Artifact for WeightTable {
    const KIND: Kind = Kind::Anomaly;
    const PARTS: &'static [&'static str] = &["table.parquet", "layout.json"];

    fn to_parts(&self) -> Result<Parts, Fault> {
        Parts::default()
            .with("table.parquet", to_parquet(&mut self.frame()?)?)
            .with_json("layout.json", &self.layout)
    }

    fn to_parcel(&self) -> Result<Parcel, Fault> {
        self.as_parcel()
    }

    fn from_parts(parts: &Parts) -> Result<Self, Fault> {
        let layout: Layout = parts.json("layout.json")?;
        let mut coordinates = from_parquet(parts.get("table.parquet")?)?;
        let column = coordinates.drop_in_place(WEIGHTS)?;
        let values = column.array()?.get_inner();
        let weights = values
            .f32()?
            .iter()
            .map(|value| value.unwrap_or(f32::NAN))
            .collect();
        Ok(Self {
            layout,
            coordinates,
            weights,
        })
    }

    fn table(&self) -> Result<Option<DataFrame>, Fault> {
        self.frame().map(Some)
    }
}
