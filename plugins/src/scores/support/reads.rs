//! Which columns scores read, so that others need not be read from files.

use engine::params::Column;
use engine::plugin::ReadColumns;

use super::scoring::{Runs, Scoring};

impl Scoring<'_> {
    /// The columns that it reads.
    pub(super) fn reads(&self) -> ReadColumns {
        let own = self.network.inputs().iter().chain(self.targets);
        let names = own.map(|scaled| scaled.name.as_str());
        let names = names.chain(self.by.iter().map(|Column(name)| name.as_str()));
        let names = names.chain(self.weights.iter().flat_map(|formula| formula.columns()));
        let names = names.chain(self.climatology);
        let others = self.entrants.iter().map(|entrant| entrant.runs.reads());
        let children = self.children.iter().map(|child| child.reads());
        others
            .chain(children)
            .fold(ReadColumns::none().and(names), ReadColumns::or)
    }
}

impl Runs<'_> {
    /// The columns that are read of each row.
    fn reads(&self) -> ReadColumns {
        let none = ReadColumns::none();
        match self {
            Runs::Parents(parents) => {
                let parents = parents.members.iter().flatten();
                let parents = parents.map(|parent| parent.reads());
                parents.fold(none, ReadColumns::or)
            }
            Runs::Children(children) => {
                let children = children.members.iter().flatten();
                let children = children.map(|child| child.reads());
                children.fold(none, ReadColumns::or)
            }
            Runs::Column(name) => none.and([*name]),
        }
    }
}
