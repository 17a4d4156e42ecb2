//! What the tests of data plugins share.

use dsl::types::Schema;
use engine::artifact::{DataColumn, Dataset, Each};
use engine::error::Fault;
use engine::params::DataPath;

/// A file of `plugins/testdata`.
pub fn testdata(name: &str) -> DataPath {
    DataPath(
        [env!("CARGO_MANIFEST_DIR"), "testdata", name]
            .iter()
            .collect(),
    )
}

/// The parameter and message of a user's fault.
pub fn complaint<T>(result: Result<T, Fault>) -> (Option<&'static str>, String) {
    match result {
        Err(Fault::User { param, message, .. }) => (param.map(|param| &*param.leak()), message),
        Err(other) => panic!("expected the user's fault, found {other:?}"),
        Ok(_) => panic!("expected a fault, found a result"),
    }
}

/// What gives the rows of a table in parts of so many.
pub fn in_parts(data: &Dataset, size: usize) -> impl Fn(Each<'_>) -> Result<(), Fault> {
    move |each| {
        let starts = (0..data.rows()).step_by(size);
        let mut parts = starts.map(|start| data.part(start..data.rows().min(start + size)));
        parts.try_for_each(each)
    }
}

/// A data set of these columns, without units.
pub fn table(columns: &[(&str, &[f64])]) -> Dataset {
    let columns = columns
        .iter()
        .map(|(name, values)| DataColumn::numbers(*name, None, *values))
        .collect();
    Dataset::new(columns).expect("columns of one length")
}

/// The columns without what their file says of the precision of numbers, which rows do not tell.
pub fn in_doubles(mut schema: Schema) -> Schema {
    schema
        .columns
        .iter_mut()
        .for_each(|column| column.single = false);
    schema
}
