//! The numbers of a column, in as little memory as they come in.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::ops::{Deref, Range};
use std::sync::{Arc, OnceLock};

/// Numbers of a column: a slice of doubles for whoever reads all of them, kept narrower where
/// they came so. Coordinates of a grid repeat few values; fields of many files are of single
/// precision.
///
/// The slice of a narrow column is made once, at its first use, and lives as long as the column.
/// [`get`](Self::get), [`part`](Self::part), [`pieces`](Self::pieces), [`visit`](Self::visit),
/// [`gather`](Self::gather) and [`take`](Self::take) do without it.
#[derive(Clone)]
pub struct Numbers {
    form: Form,
    wide: Arc<OnceLock<Arc<[f64]>>>,
}

/// How many rows a piece has.
const PIECE: usize = 4096;

#[derive(Clone)]
enum Form {
    Double(Arc<[f64]>),
    Single(Arc<Vec<f32>>),
    /// For each row the place of its number in `values`.
    Coded {
        values: Arc<[f64]>,
        codes: Arc<Vec<u16>>,
    },
}

impl Numbers {
    /// For each row, one of these values by its place.
    ///
    /// # Panics
    /// At the first use of a place beyond `values`.
    pub fn coded(values: impl Into<Arc<[f64]>>, codes: impl Into<Arc<Vec<u16>>>) -> Self {
        let (values, codes) = (values.into(), codes.into());
        Form::Coded { values, codes }.into()
    }

    /// The values that rows repeat, and for each row the place of its own; none where they are
    /// not kept so.
    pub fn codes(&self) -> Option<(&[f64], &Arc<Vec<u16>>)> {
        match &self.form {
            Form::Coded { values, codes } => Some((values, codes)),
            Form::Double(_) | Form::Single(_) => None,
        }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Double(values) => values.len(),
            Form::Single(values) => values.len(),
            Form::Coded { codes, .. } => codes.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of a row; none beyond the last.
    pub fn get(&self, row: usize) -> Option<f64> {
        match &self.form {
            Form::Double(values) => values.get(row).copied(),
            Form::Single(values) => values.get(row).copied().map(f64::from),
            Form::Coded { values, codes } => codes.get(row).map(|code| values[usize::from(*code)]),
        }
    }

    /// The numbers of neighbouring rows.
    ///
    /// # Panics
    /// When there are fewer rows.
    pub fn part(&self, rows: Range<usize>) -> Cow<'_, [f64]> {
        match &self.form {
            Form::Double(values) => Cow::Borrowed(&values[rows]),
            Form::Single(values) => values[rows].iter().copied().map(f64::from).collect(),
            Form::Coded { values, codes } => {
                let codes = codes[rows].iter();
                codes.map(|code| values[usize::from(*code)]).collect()
            }
        }
    }

    /// All numbers, some neighbouring rows after the other.
    pub fn pieces(&self) -> impl Iterator<Item = Cow<'_, [f64]>> {
        let starts = (0..self.len()).step_by(PIECE);
        starts.map(|start| self.part(start..self.len().min(start + PIECE)))
    }

    /// Calls `each` with the number of each of these rows, in their order.
    ///
    /// # Panics
    /// When there are fewer rows.
    pub fn visit(&self, rows: impl Iterator<Item = usize>, mut each: impl FnMut(f64)) {
        match &self.form {
            Form::Double(values) => rows.for_each(|row| each(values[row])),
            Form::Single(values) => rows.for_each(|row| each(f64::from(values[row]))),
            Form::Coded { values, codes } => {
                rows.for_each(|row| each(values[usize::from(codes[row])]));
            }
        }
    }

    /// The numbers of some rows, in their order.
    ///
    /// # Panics
    /// When there are fewer rows.
    pub fn gather(&self, rows: &[u32]) -> Vec<f64> {
        let mut gathered = Vec::with_capacity(rows.len());
        let rows = rows.iter().map(|row| *row as usize);
        self.visit(rows, |value| gathered.push(value));
        gathered
    }

    /// The same rows as numbers of their own, as narrow as these.
    ///
    /// # Panics
    /// When there are fewer rows.
    pub fn take(&self, rows: &[u32]) -> Self {
        let places = rows.iter().map(|row| *row as usize);
        match &self.form {
            Form::Double(_) => self.gather(rows).into(),
            Form::Single(values) => places.map(|row| values[row]).collect::<Vec<f32>>().into(),
            Form::Coded { values, codes } => {
                let taken: Vec<u16> = places.map(|row| codes[row]).collect();
                Self::coded(Arc::clone(values), taken)
            }
        }
    }

    /// The rows of all parts, one part after the other, as narrow as they allow.
    pub fn concat(parts: &[&Self]) -> Self {
        let singles = parts.iter().map(|part| match &part.form {
            Form::Single(values) => Some(&values[..]),
            Form::Double(_) | Form::Coded { .. } => None,
        });
        if let Some(singles) = singles.collect::<Option<Vec<&[f32]>>>() {
            return singles.concat().into();
        }
        let coded = parts.iter().map(|part| part.codes());
        if let Some(coded) = coded.collect::<Option<Vec<_>>>().and_then(|it| in_one(&it)) {
            return coded;
        }
        let mut all = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            all.extend_from_slice(&part.part(0..part.len()));
        }
        all.into()
    }

    /// All numbers as doubles.
    pub fn wide(&self) -> &Arc<[f64]> {
        match &self.form {
            Form::Double(values) => values,
            Form::Single(_) | Form::Coded { .. } => {
                self.wide.get_or_init(|| self.part(0..self.len()).into())
            }
        }
    }

    /// The same numbers without the doubles that were made of them.
    pub(super) fn narrow(&self) -> Self {
        self.form.clone().into()
    }

    /// Whether single precision holds every one of the numbers, as those of many files.
    pub(super) fn are_single(&self) -> bool {
        match &self.form {
            Form::Single(_) => true,
            Form::Double(values) => values.iter().all(is_single),
            Form::Coded { values, codes } => {
                let singles: Vec<bool> = values.iter().map(is_single).collect();
                codes.iter().all(|code| singles[usize::from(*code)])
            }
        }
    }

    /// The numbers in single precision, when it holds every one of them.
    pub(super) fn to_singles(&self) -> Option<Vec<f32>> {
        let narrow = |value: f64| value as f32;
        self.are_single().then(|| match &self.form {
            Form::Single(values) => values.to_vec(),
            Form::Double(values) => values.iter().copied().map(narrow).collect(),
            Form::Coded { values, codes } => {
                let value = |code: &u16| narrow(values[usize::from(*code)]);
                codes.iter().map(value).collect()
            }
        })
    }
}

/// Coded parts one after the other, as long as places reach for the values of all.
fn in_one(parts: &[(&[f64], &Arc<Vec<u16>>)]) -> Option<Numbers> {
    let (first, _) = parts.first()?;
    let mut all = first.to_vec();
    let mut known: HashMap<u64, u16> = HashMap::new();
    let mut codes = Vec::with_capacity(parts.iter().map(|(_, codes)| codes.len()).sum());
    for (values, own) in parts {
        if bits(values).eq(bits(first)) {
            codes.extend_from_slice(own);
            continue;
        }
        if known.is_empty() {
            let places = bits(first).enumerate();
            known = places.map(|(at, bits)| (bits, at as u16)).collect();
        }
        let places = values.iter().map(|value| {
            let next = u16::try_from(all.len());
            match known.get(&value.to_bits()) {
                Some(at) => Some(*at),
                None => {
                    let next = next.ok()?;
                    known.insert(value.to_bits(), next);
                    all.push(*value);
                    Some(next)
                }
            }
        });
        let places: Vec<u16> = places.collect::<Option<_>>()?;
        codes.extend(own.iter().map(|code| places[usize::from(*code)]));
    }
    Some(Numbers::coded(all, codes))
}

pub(super) fn is_single(value: &f64) -> bool {
    f64::from(*value as f32).to_bits() == value.to_bits()
}

fn bits(values: &[f64]) -> impl Iterator<Item = u64> {
    values.iter().map(|value| value.to_bits())
}

impl Deref for Numbers {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        self.wide()
    }
}

impl PartialEq for Numbers {
    fn eq(&self, other: &Self) -> bool {
        self[..] == other[..]
    }
}

impl fmt::Debug for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self[..].fmt(f)
    }
}

impl Default for Numbers {
    fn default() -> Self {
        Vec::<f64>::new().into()
    }
}

impl From<Form> for Numbers {
    fn from(form: Form) -> Self {
        let wide = Arc::default();
        Self { form, wide }
    }
}

impl From<Arc<[f64]>> for Numbers {
    fn from(values: Arc<[f64]>) -> Self {
        Form::Double(values).into()
    }
}

impl From<Vec<f64>> for Numbers {
    fn from(values: Vec<f64>) -> Self {
        Form::Double(values.into()).into()
    }
}

impl From<&[f64]> for Numbers {
    fn from(values: &[f64]) -> Self {
        Form::Double(values.into()).into()
    }
}

impl<const N: usize> From<[f64; N]> for Numbers {
    fn from(values: [f64; N]) -> Self {
        values[..].into()
    }
}

impl From<Vec<f32>> for Numbers {
    fn from(mut values: Vec<f32>) -> Self {
        values.shrink_to_fit();
        Form::Single(values.into()).into()
    }
}

impl FromIterator<f64> for Numbers {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Form::Double(values.into_iter().collect()).into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the form, the same rows have the same numbers.
        #[test]
        fn narrow_and_wide_numbers_are_the_same(
            codes in proptest::collection::vec(0..5_u16, 1..40),
            picked in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let few = [0.5, -2.0, 1e9, -0.0, 3.25];
            let wide: Vec<f64> = codes.iter().map(|code| few[usize::from(*code)]).collect();
            let forms = [
                Numbers::from(wide.clone()),
                Numbers::from(wide.iter().map(|value| *value as f32).collect::<Vec<f32>>()),
                Numbers::coded(&few[..], codes),
            ];
            let rows: Vec<u32> = picked.iter().map(|it| it.index(wide.len()) as u32).collect();
            let taken: Vec<f64> = rows.iter().map(|row| wide[*row as usize]).collect();
            let same = |found: &[f64], expected: &[f64]| bits(found).eq(bits(expected));
            for (at, form) in forms.iter().enumerate() {
                let half = wide.len() / 2;
                prop_assert!(same(&form.part(half..wide.len()), &wide[half..]));
                prop_assert!(same(&form.gather(&rows), &taken));
                let pieces: Vec<f64> = form.pieces().flat_map(|it| it.to_vec()).collect();
                prop_assert!(same(&pieces, &wide));
                prop_assert!(same(&form.take(&rows), &taken));
                prop_assert_eq!(form.get(half).map(f64::to_bits), Some(wide[half].to_bits()));
                prop_assert_eq!(form.get(wide.len()), None);
                prop_assert_eq!(form.to_singles(), forms[0].to_singles());
                prop_assert!(form.wide.get().is_none(), "widened");
                let others: Vec<u16> = (0..wide.len() as u16).map(|at| at % 3).collect();
                let other = [7.5, -2.0, f64::NAN];
                let recoded = others.iter().map(|code| other[usize::from(*code)]);
                let recoded: Vec<f64> = wide.iter().copied().chain(recoded).collect();
                let joined = Numbers::concat(&[&forms[2], &Numbers::coded(&other[..], others)]);
                prop_assert!(same(&joined.part(0..joined.len()), &recoded));
                prop_assert_eq!(joined.codes().map(|(values, _)| values.len()), Some(7));
                let whole = [&wide[..], &wide[..]].concat();
                let (first, last) = (&forms[(at + 1) % 3], &forms[(at + 2) % 3]);
                prop_assert!(same(&Numbers::concat(&[form, form]), &whole));
                prop_assert!(same(&Numbers::concat(&[first, last]), &whole));
                prop_assert!(same(form, &wide));
            }
        }
    }
}
