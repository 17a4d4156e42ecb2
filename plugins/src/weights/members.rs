//! `members(drawn, count: 20)`: the rows of a table as members of an ensemble.

use dsl::types::Kind;
use engine::error::Fault;
use engine::params::{Input, Origins};
use engine::plugin;
use engine::plugin::{Complaint, Context, Coordinate, Facts, Plugin, Sketch};

use super::Weights;
use super::support::facts::{most_rows, network, one};
use super::support::rows::Rows;
use super::support::stream::{lone, weighted};
use crate::parents::Parent;

plugin! {
    /// The rows of a table as the members of an ensemble, each a network of its own.
    ///
    /// Member `i` has row `i` of the table, both counted from 0; rows after the first `count` are
    /// left out. The number is written because members are known before anything runs: each is
    /// an action of its own, and so are its dependents. Plugins that read the members of a parent, such
    /// as `soup`, `finetune` or `similarity`, then read the rows of `generate`, `across`, `record`
    /// or `safetensors`. A table that has members already is refused: `average` or `pick` makes one
    /// row of each member's rows. A row that diverged is a member that diverged. `adopt` makes
    /// networks of a farcast, and runs weights that came without a network.
    ///
    /// Time and memory are those of copying one row for each member.
    ///
    /// ```farcast
    /// parent many = members(generate(net, blend(of: 2), count: 3), count: 3)
    /// parent mixed = soup(many)
    /// score alike = similarity(many, on: unseen, metrics: [distance])
    /// ```
    "members" version 1
    pub struct Members {
        /// The networks, one in each row.
        weights: Input<Weights>;
        /// How many rows become members, from the first on.
        count: u64, range("1..=100000");
        /// The networks that the weights belong to.
        networks: Origins<Parent>, origins("weights");
    }
}

impl Plugin for Members {
    type Output = Weights;
    const MEMBERS: Option<&'static str> = Some("count");

    fn kinds() -> Vec<Kind> {
        vec![Kind::Parent, Kind::Weights, Kind::Child]
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let Some(input) = call.input("weights") else {
            return Vec::new();
        };
        let own = input.members.filter(|members| *members > 1);
        let own = own.map(|members| {
            let message = format!("`{}` has {members} members already", input.name);
            let hint = match (input.kind, input.is_single()) {
                (Kind::Weights, true) => "write `parent` as its keyword: each member is a network",
                (_, true) => "it is an ensemble without `members`",
                (Kind::Farcast, false) => "`adopt` makes networks of its members at one horizon",
                (_, false) => "`average` or `pick` makes one row of each member's rows",
            };
            Complaint::at("weights", message).with_hint(hint)
        });
        let degree = network(call, input.degree(), true);
        let most = most_rows(&input).zip(call.get::<u64>("count"));
        let most = most.filter(|(most, count)| count > most);
        let most = most.map(|(most, count)| Complaint::at("count", too_many(count, most)));
        Vec::from_iter(own.or(degree).or(most))
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        Facts {
            coordinates: Coordinate::numbers(["row"]),
            ..one(call, &call.inputs("weights"), 1.0)
        }
    }

    fn run(self, context: &Context) -> Result<Weights, Fault> {
        let mut rows = Rows::of(&self.weights, None)?;
        let all = rows.rows.len();
        if self.count > all as u64 {
            return Err(Fault::at("count", too_many(self.count, all as u64)));
        }
        let number = context.member().unwrap_or(0) as usize;
        rows.rows = vec![rows.rows[number]];
        let (source, target) = lone(rows, &self.networks, "weights", context)?;
        weighted(source, target, &[1.0], context)
    }
}

fn too_many(count: u64, rows: u64) -> String {
    let rows = match rows {
        1 => "1 row".to_owned(),
        rows => format!("{rows} rows"),
    };
    format!("expected a row for each of {count} members, found {rows}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::testing::{call, given};
    use crate::weights::support::testing::{table, weights_of};

    fn member(count: u64, number: u32) -> Result<Weights, Fault> {
        let rows = table(
            &[vec![1.0, 2.0], vec![3.0, -0.0], vec![f64::NAN, 6.0]],
            None,
        );
        let members: Members = call(&format!("w, count: {count}"), &[("w", given(rows))]);
        let streams = Context::alone("members").streams();
        let context = Context::new(streams, Some(number), Arc::default(), &|_| ());
        members.run(&context)
    }

    #[test]
    fn a_member_is_the_row_of_its_number() {
        let rows = [[1.0_f32, 2.0], [3.0, -0.0]];
        for (number, row) in rows.iter().enumerate() {
            let found = weights_of(&member(3, number as u32).expect("a row"));
            let bits = |row: &[f32]| row.iter().map(|it| it.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&found), bits(row));
        }
        let fault = member(3, 2).expect_err("not finite");
        assert!(matches!(fault, Fault::Diverged(_)), "{fault}");
        let fault = member(4, 0).expect_err("too few rows");
        let message = "expected a row for each of 4 members, found 3 rows";
        assert_eq!(fault.to_string(), message);
    }
}
