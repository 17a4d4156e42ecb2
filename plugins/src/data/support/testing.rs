//! What the tests of data plugins share.

use dsl::types::Schema;
use engine::artifact::{Artifact, DataColumn, Dataset, Each};
use engine::error::Fault;
use engine::params::DataPath;
use engine::plugin::{Context, Flow, ReadColumns};

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

/// What passes on the rows of a table in parts of this size, after the first without the columns that
/// are not read.
pub fn in_parts(data: &Dataset, size: usize) -> impl Fn(Each<'_>) -> Result<(), Fault> {
    move |each| {
        let starts = (0..data.rows()).step_by(size);
        let parts = starts.map(|start| data.part(start..data.rows().min(start + size)));
        let mut reads = ReadColumns::All;
        for part in parts {
            reads = each(part.only(&reads))?;
        }
        Ok(())
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

/// The columns of these names.
pub fn named(names: &[&str]) -> ReadColumns {
    ReadColumns::none().and(names.iter().copied())
}

/// Passes the rows through `flow` twice, cut in two: whole, and the second part with no more columns
/// than the flow says it reads. What is read of the results must be the same, and the notes.
pub fn expect_reads(flow: impl Fn(Dataset) -> Box<dyn Flow>, data: &Dataset, after: &ReadColumns) {
    let half = data.rows() / 2;
    let pass = |is_narrow: bool| {
        let context = Context::alone("flow");
        let mut flow = flow(data.take(&[]));
        let mut parts = vec![flow.push(data.part(0..half), &context)];
        let rest = data.part(half..data.rows());
        parts.push(match is_narrow {
            true => flow.push(rest.only(&flow.reads(after)), &context),
            false => flow.push(rest, &context),
        });
        parts.push(flow.finish(&context));
        let parts: Result<Vec<_>, Fault> = parts.into_iter().collect();
        let parts = parts.map(|parts| {
            let parts = parts.into_iter().flatten().map(|part| part.only(after));
            Dataset::of_parts(parts.collect())
                .expect("parts")
                .to_parts()
                .expect("bytes")
        });
        (
            parts.map_err(|fault| fault.to_string()),
            context.take_notes(),
        )
    };
    assert_eq!(pass(true), pass(false), "{after:?}");
}
