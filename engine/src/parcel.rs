//! Results on their way to other languages and back: a JSON object and arrays with names.
//!
//! On disk these are `NAME.json` and `NAME.safetensors`, with the arrays in the order of the
//! object's `arrays`. What a program may leave out of the second it may write in the object:
//! `"arrays": {"n": [1, 2, 3]}`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use safetensors::tensor::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};

use crate::error::Fault;
use crate::reasons::reason;

/// The name of the array that holds weights.
pub const WEIGHTS: &str = "weights";

/// A result as other languages see it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parcel {
    /// What is said of it.
    pub head: Map<String, Value>,
    /// Its numbers.
    pub arrays: Vec<Array>,
}

/// Numbers with a name and a shape, outermost dimension first.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Row after row.
    pub values: Values,
}

/// Numbers of one type.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Of tables.
    F64(Arc<[f64]>),
    /// Of weights.
    F32(Arc<[f32]>),
    /// Of rows and steps.
    I64(Arc<[i64]>),
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Values::F64(values) => values.len(),
            Values::F32(values) => values.len(),
            Values::I64(values) => values.len(),
        }
    }

    fn dtype(&self) -> &'static str {
        match self {
            Values::F64(_) => "F64",
            Values::F32(_) => "F32",
            Values::I64(_) => "I64",
        }
    }

    /// Little-endian, as files have them: without a copy where the machine has them so.
    fn bytes(&self) -> Cow<'_, [u8]> {
        fn swapped<const N: usize, T: Copy>(values: &[T], bytes: fn(T) -> [u8; N]) -> Vec<u8> {
            values.iter().flat_map(|it| bytes(*it)).collect()
        }
        if cfg!(target_endian = "little") {
            return Cow::Borrowed(match self {
                Values::F64(values) => bytemuck::cast_slice(values),
                Values::F32(values) => bytemuck::cast_slice(values),
                Values::I64(values) => bytemuck::cast_slice(values),
            });
        }
        Cow::Owned(match self {
            Values::F64(values) => swapped(values, f64::to_le_bytes),
            Values::F32(values) => swapped(values, f32::to_le_bytes),
            Values::I64(values) => swapped(values, i64::to_le_bytes),
        })
    }
}

/// Takes files by name, each as what writes it.
pub type Sink<'a> =
    dyn FnMut(&str, &dyn Fn(&mut dyn Write) -> io::Result<()>) -> Result<(), Fault> + 'a;

impl Parcel {
    /// The same with something more said.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.head.insert(name.to_owned(), value.into());
        self
    }

    /// The same with one more column of a table.
    pub fn with_column(self, name: &str, values: Arc<[f64]>) -> Self {
        let shape = vec![values.len()];
        self.with_array(name, shape, Values::F64(values))
    }

    /// The same with one more array.
    pub fn with_array(mut self, name: &str, shape: Vec<usize>, values: Values) -> Self {
        self.arrays.push(Array {
            name: name.to_owned(),
            shape,
            values,
        });
        self
    }

    /// The object, with the names of the arrays.
    fn object(&self) -> Result<Vec<u8>, Fault> {
        let mut head = self.head.clone();
        let names = self.arrays.iter().map(|array| array.name.as_str().into());
        head.insert("arrays".to_owned(), Value::Array(names.collect()));
        serde_json::to_vec(&head).map_err(|error| Fault::Bug(error.to_string()))
    }

    /// What stands before the numbers in the file of the arrays.
    fn header(&self) -> Result<Vec<u8>, Fault> {
        let mut header = Map::new();
        let mut start = 0;
        for array in &self.arrays {
            if array.shape.iter().product::<usize>() != array.values.len() {
                let found = array.values.len();
                return Err(Fault::Bug(format!(
                    "{found} numbers of `{}` for {:?}",
                    array.name, array.shape
                )));
            }
            let end = start + array.values.bytes().len();
            let said = json!({
                "dtype": array.values.dtype(), "shape": array.shape,
                "data_offsets": [start, end],
            });
            header.insert(array.name.clone(), said);
            start = end;
        }
        let mut text = Value::Object(header).to_string().into_bytes();
        text.resize(text.len().next_multiple_of(8), b' ');
        Ok([&(text.len() as u64).to_le_bytes()[..], &text].concat())
    }

    /// Hands both files to `sink`, the second when there are arrays; returns their names.
    ///
    /// # Errors
    /// When an array has not the numbers that its shape says, or the machine cannot write them.
    pub fn write(&self, name: &str, sink: &mut Sink<'_>) -> Result<Value, Fault> {
        let head = format!("{name}.json");
        let object = self.object()?;
        sink(&head, &|out| out.write_all(&object))?;
        if self.arrays.is_empty() {
            return Ok(json!({ "json": head }));
        }
        let data = format!("{name}.safetensors");
        let header = self.header()?;
        sink(&data, &|out| {
            out.write_all(&header)?;
            let mut arrays = self.arrays.iter();
            arrays.try_for_each(|array| out.write_all(&array.values.bytes()))
        })?;
        Ok(json!({ "json": head, "arrays": data }))
    }

    /// What a program answered: an object, and the bytes of its arrays.
    ///
    /// # Errors
    /// Why they are not that, in one line.
    pub fn from_answer(head: Value, arrays: Option<&[u8]>) -> Result<Self, String> {
        let Value::Object(mut head) = head else {
            return Err("expected a JSON object".to_owned());
        };
        let mut found: BTreeMap<String, Array> = BTreeMap::new();
        if let Some(bytes) = arrays {
            let file = SafeTensors::deserialize(bytes)
                .map_err(|error| format!("its arrays are not safetensors: {error}"))?;
            for (name, view) in file.iter() {
                let values = values(view.dtype(), view.data()).ok_or_else(|| {
                    format!(
                        "array `{name}`: expected F64, F32 or I64, found {:?}",
                        view.dtype()
                    )
                })?;
                let shape = view.shape().to_vec();
                let array = Array {
                    name: name.to_owned(),
                    shape,
                    values,
                };
                found.insert(name.to_owned(), array);
            }
        }
        let order: Vec<String> = match head.remove("arrays") {
            None => found.keys().cloned().collect(),
            Some(Value::Array(names)) => {
                let names = names.iter().map(|name| name.as_str().map(str::to_owned));
                let names: Option<Vec<String>> = names.collect();
                names.ok_or("`arrays` lists something that is not a name")?
            }
            Some(Value::Object(written)) => {
                let mut order: Vec<String> = Vec::new();
                for (name, value) in written {
                    let array = written_array(&name, &value)?;
                    if found.insert(name.clone(), array).is_some() {
                        return Err(format!("array `{name}` is in both files"));
                    }
                    order.push(name);
                }
                let others = found.keys().filter(|name| !order.contains(name));
                let others: Vec<String> = others.cloned().collect();
                order.extend(others);
                order
            }
            Some(_) => return Err("`arrays` is neither a list of names nor an object".to_owned()),
        };
        let mut arrays = Vec::new();
        for name in order {
            let array = found
                .remove(&name)
                .ok_or_else(|| format!("array `{name}` is missing"))?;
            arrays.push(array);
        }
        if let Some(name) = found.into_keys().next() {
            return Err(format!("array `{name}` is not listed in `arrays`"));
        }
        Ok(Self { head, arrays })
    }

    /// The array with this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn array(&self, name: &str) -> Result<&Array, String> {
        let mut arrays = self.arrays.iter();
        arrays.find(|array| array.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.arrays.iter().map(|it| it.name.as_str()).collect();
            match names.is_empty() {
                true => format!("expected an array `{name}`, found none"),
                false => format!("expected an array `{name}`, found `{}`", names.join("`, `")),
            }
        })
    }

    /// What is said under a name, as a type.
    ///
    /// # Errors
    /// When it is missing or another type.
    pub fn answered<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, String> {
        let value = self.head.get(name).cloned().unwrap_or(Value::Null);
        serde_json::from_value(value).map_err(|error| format!("`{name}`: {}", reason(&error)))
    }

    /// The same of each item of a list: the reason says which.
    ///
    /// # Errors
    /// When it is missing, no list, or an item is another type.
    pub fn answered_list<T: serde::de::DeserializeOwned>(
        &self,
        name: &str,
    ) -> Result<Vec<T>, String> {
        let items: Vec<Value> = self.answered(name)?;
        let item = |(at, value): (usize, Value)| {
            serde_json::from_value(value)
                .map_err(|error| format!("`{name}[{at}]`: {}", reason(&error)))
        };
        items.into_iter().enumerate().map(item).collect()
    }

    /// Reads `weights` of one row as a table with that row.
    pub fn weights_are_rows(&mut self) {
        let mut arrays = self.arrays.iter_mut();
        if let Some(array) = arrays.find(|it| it.name == WEIGHTS && it.shape.len() == 1) {
            array.shape.insert(0, 1);
        }
    }
}

impl Array {
    /// Its numbers in double precision.
    pub fn doubles(&self) -> Arc<[f64]> {
        match &self.values {
            Values::F64(values) => Arc::clone(values),
            Values::F32(values) => values.iter().map(|it| f64::from(*it)).collect(),
            Values::I64(values) => values.iter().map(|it| *it as f64).collect(),
        }
    }

    /// Its numbers in single precision.
    pub fn singles(&self) -> Arc<[f32]> {
        match &self.values {
            Values::F64(values) => values.iter().map(|it| *it as f32).collect(),
            Values::F32(values) => Arc::clone(values),
            Values::I64(values) => values.iter().map(|it| *it as f32).collect(),
        }
    }

    /// Refuses another shape.
    ///
    /// # Errors
    /// Says both.
    pub fn expect_shape(&self, shape: &[usize]) -> Result<&Self, String> {
        match self.shape == shape {
            true => Ok(self),
            false => Err(format!(
                "array `{}`: expected shape {shape:?}, found {:?}",
                self.name, self.shape
            )),
        }
    }
}

fn values(dtype: Dtype, bytes: &[u8]) -> Option<Values> {
    Some(match dtype {
        Dtype::F64 => Values::F64(
            bytes
                .as_chunks()
                .0
                .iter()
                .map(|it| f64::from_le_bytes(*it))
                .collect(),
        ),
        Dtype::F32 => Values::F32(
            bytes
                .as_chunks()
                .0
                .iter()
                .map(|it| f32::from_le_bytes(*it))
                .collect(),
        ),
        Dtype::I64 => Values::I64(
            bytes
                .as_chunks()
                .0
                .iter()
                .map(|it| i64::from_le_bytes(*it))
                .collect(),
        ),
        Dtype::I32 => {
            let values = bytes.as_chunks().0.iter();
            Values::I64(values.map(|it| i32::from_le_bytes(*it).into()).collect())
        }
        _ => return None,
    })
}

/// `[1, 2.5, null]` or `[[1, 2], [3, 4]]`; `null` is not a number.
fn written_array(name: &str, value: &Value) -> Result<Array, String> {
    let mut numbers = Vec::new();
    let mut shape = Vec::new();
    let mut at = value;
    while let Value::Array(values) = at {
        shape.push(values.len());
        match values.first() {
            Some(first) => at = first,
            None => break,
        }
    }
    if shape.is_empty() || shape.len() > 8 {
        return Err(format!("array `{name}` is not a list of numbers"));
    }
    flatten(value, &shape, &mut numbers).ok_or_else(|| {
        format!("array `{name}` is not a list of numbers, or its rows differ in length")
    })?;
    Ok(Array {
        name: name.to_owned(),
        shape,
        values: Values::F64(numbers.into()),
    })
}

fn flatten(value: &Value, shape: &[usize], numbers: &mut Vec<f64>) -> Option<()> {
    match (value, shape.split_first()) {
        (Value::Array(values), Some((length, rest))) if values.len() == *length => values
            .iter()
            .try_for_each(|value| flatten(value, rest, numbers)),
        (Value::Number(number), None) => {
            numbers.push(number.as_f64()?);
            Some(())
        }
        (Value::Null, None) => {
            numbers.push(f64::NAN);
            Some(())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let parcel = Parcel::default()
            .with("kind", "data")
            .with_column("b", [1.0, f64::INFINITY].into())
            .with_array("a", vec![2, 1], Values::F32([0.5, -1.0].into()))
            .with_array("i", vec![0], Values::I64([].into()));
        let mut files = BTreeMap::new();
        let mut keep = |name: &str, write: &dyn Fn(&mut dyn Write) -> io::Result<()>| {
            let mut bytes = Vec::new();
            write(&mut bytes)?;
            files.insert(name.to_owned(), bytes);
            Ok(())
        };
        let said = parcel.write("it", &mut keep).expect("bytes");
        assert_eq!(
            said,
            json!({ "json": "it.json", "arrays": "it.safetensors" })
        );
        let head: Value = serde_json::from_slice(&files["it.json"]).expect("json");
        let arrays = files.get("it.safetensors").map(Vec::as_slice);
        let read = Parcel::from_answer(head, arrays).expect("a parcel");
        assert_eq!(read, parcel);
    }

    #[test]
    fn arrays_may_be_written_in_the_object() {
        let head = json!({ "rows": 2, "arrays": { "n": [1, null], "m": [[1.5], [2]] } });
        let parcel = Parcel::from_answer(head, None).expect("a parcel");
        assert_eq!(parcel.answered::<usize>("rows"), Ok(2));
        let n = parcel.array("n").expect("n").doubles();
        assert!(n[0] == 1.0 && n[1].is_nan());
        assert_eq!(parcel.array("m").expect("m").shape, [2, 1]);
    }

    #[test]
    fn what_is_no_parcel_is_refused_with_the_reason() {
        let refused = |head: Value, arrays: Option<&[u8]>| {
            Parcel::from_answer(head, arrays).expect_err("a refusal")
        };
        assert_eq!(refused(json!([1]), None), "expected a JSON object");
        assert_eq!(
            refused(json!({ "arrays": { "n": [[1], [1, 2]] } }), None),
            "array `n` is not a list of numbers, or its rows differ in length"
        );
        assert_eq!(
            refused(json!({ "arrays": ["n"] }), None),
            "array `n` is missing"
        );
        let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert!(refused(json!({}), Some(&huge)).starts_with("its arrays are not safetensors"));
    }
}
