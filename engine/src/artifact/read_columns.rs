//! Which columns of rows anybody reads.

use std::collections::BTreeSet;

use super::Dataset;

/// The columns of rows that are read by what they pass on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadColumns {
    /// All of them.
    All,
    /// Those of these names, where there are such columns.
    Named(BTreeSet<String>),
}

impl ReadColumns {
    /// No column.
    pub fn none() -> Self {
        Self::Named(BTreeSet::new())
    }

    /// Whether a column is read.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.contains(name),
        }
    }

    /// These and others.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        match (self, others) {
            (Self::Named(mut names), Self::Named(others)) => {
                names.extend(others);
                Self::Named(names)
            }
            _ => Self::All,
        }
    }

    /// These and those of some names.
    #[must_use]
    pub fn and<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Self {
        match self {
            Self::All => Self::All,
            Self::Named(known) => {
                let names = names.into_iter().map(str::to_owned);
                Self::Named(known.iter().cloned().chain(names).collect())
            }
        }
    }

    /// These of the columns of some rows, one at least, which says how many rows there are.
    #[must_use]
    pub fn among(&self, rows: &Dataset) -> Self {
        let mut columns = rows.columns().iter();
        let first = columns.clone().next();
        match columns.any(|column| self.has(&column.name)) {
            true => self.clone(),
            false => self.and(first.map(|column| column.name.as_str())),
        }
    }
}
