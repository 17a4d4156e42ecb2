//! `net + 0.5 * (tuned - net)`: sums of weights, each times a number.

use dsl::types::Kind;
use engine::error::Fault;
use engine::params::{Input, Origins};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::Weights;
use super::support::facts::{MANY, is, made, mixed, short};
use super::support::rows::{all, common, join};
use super::support::stream::{NOTHING, Target, sources, write};
use crate::parents::Parent;

plugin! {
    /// Sums of weights: what `net + 0.5 * (tuned - net)` is.
    ///
    /// Users write the operators: `+`, `-`, a number times weights, weights divided by a number.
    /// An expression comes to one call with a factor for each table, in the order in which they
    /// appear, so that `net + 0.5 * (tuned - net)` and `(net + tuned) / 2` are one action. Factors
    /// are numbers, `param`s and arithmetic of them; at another value of a swept `param` nothing
    /// but the sum is computed again.
    ///
    /// Factors that sum to 1 make a network, a `parent` or a `child`; those that sum to 0 make
    /// a difference (Ilharco et al. 2023, task vectors), which is `weights`. Many rows meet those
    /// with the same coordinates in other tables (step, subset, horizon), and a single row meets
    /// each of many. Member meets member. Sums are taken in double precision and rounded once
    /// to the precision of the first table, `F64` to single. Time and memory are those of
    /// reading the weights once, a few MiB at a time.
    ///
    /// ```farcast
    /// parent other = mlp(seen, inputs: [x], target: y, hidden: [4], epochs: 3, members: 2)
    /// parent between = net + 0.25 * (other - net)
    /// weights moved = walk - net
    /// weights same = combine(terms: [walk, net], factors: [1, -1])
    /// ```
    "combine" version 3
    pub struct Combine {
        /// The tables.
        terms: Vec<Input<Weights>>;
        /// What each is multiplied by.
        factors: Vec<f64>;
        /// The networks that the weights belong to.
        networks: Origins<Parent>, origins("terms");
    }
}

impl Combine {
    fn factors(call: &Sketch) -> Vec<f64> {
        call.get("factors").unwrap_or_default()
    }

    fn degree(call: &Sketch) -> f64 {
        let terms = call.inputs("terms");
        let products = terms.iter().zip(Self::factors(call));
        let mut products: Vec<f64> = products
            .map(|(term, factor)| term.degree() * factor)
            .collect();
        // Large ones that cancel first: what is left of them would swallow the small ones.
        products.sort_by(|a, b| b.abs().total_cmp(&a.abs()));
        products.into_iter().sum()
    }

    /// Refuses factors that make no network where one is asked for.
    fn wrong_degree(call: &Sketch) -> Option<Complaint> {
        let degree = Self::degree(call);
        let found = format!("the factors sum to {}", short(degree));
        let terms = call.inputs("terms");
        let names: Vec<&str> = terms.iter().map(|term| term.name).collect();
        let is_network = matches!(call.kind(), Kind::Parent | Kind::Child);
        let ones = Self::factors(call).iter().all(|factor| *factor == 1.0);
        let points = terms.iter().all(|term| is(term.degree(), 1.0));
        let hint = match (ones && points, &names[..]) {
            (true, [_, _, ..]) => {
                format!("their mean is `({}) / {}`", names.join(" + "), names.len())
            }
            _ if is(degree, 0.0) => {
                "a difference is `weights`; added to a network it makes another".to_owned()
            }
            _ => "scale differences: `net + 0.5 * (tuned - net)`".to_owned(),
        };
        let message = format!("{found}; a network needs 1, a difference 0");
        match is_network {
            true if is(degree, 1.0) => None,
            true => Some(Complaint::at("terms", message).with_hint(hint)),
            false if is(degree, 0.0) || is(degree, 1.0) => None,
            false => Some(Complaint::at("terms", message).with_hint(hint).as_warning()),
        }
    }

    /// Refuses many rows where one network is asked for.
    fn many(call: &Sketch) -> Option<Complaint> {
        let is_network = matches!(call.kind(), Kind::Parent | Kind::Child);
        let terms = call.inputs("terms");
        let many = terms
            .iter()
            .find(|term| !term.is_single())
            .filter(|_| is_network)?;
        let message = format!("expected one row of weights, `{}` has many", many.name);
        Some(Complaint::at("terms", message).with_hint(MANY))
    }

    /// Refuses a call that is written as one.
    fn unequal(call: &Sketch) -> Option<Complaint> {
        let (terms, factors) = (call.inputs("terms").len(), Self::factors(call).len());
        let message = format!("expected a factor for each of {terms} terms, found {factors}");
        (terms != factors || terms == 0).then(|| Complaint::at("factors", message))
    }
}

impl Plugin for Combine {
    type Output = Weights;
    // Version 3 keeps negative zeros.
    const STREAMS: u32 = 2;

    fn kinds() -> Vec<Kind> {
        vec![Kind::Weights, Kind::Parent, Kind::Child]
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let found = [
            Self::unequal(call),
            mixed(&call.inputs("terms"), "terms"),
            Self::wrong_degree(call),
            Self::many(call),
        ];
        // What is wrong with it first explains the rest.
        found.into_iter().flatten().take(1).collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let terms = call.inputs("terms");
        made(call, &terms, Self::degree(call))
    }

    fn run(self, context: &Context) -> Result<Weights, Fault> {
        let tables = all(&self.terms, context)?;
        let (layout, network) = common(&tables, &self.networks, "terms", context)?;
        let joined = join(&tables, "terms", context)?;
        let sources = sources(&tables, joined.rows);
        let target = Target {
            layout,
            coordinates: joined.coordinates,
            network,
        };
        write(target, &sources, context, |_, blocks, sums| {
            sums.fill(NOTHING);
            for (block, factor) in blocks.iter().zip(&self.factors) {
                for (sum, weight) in sums.iter_mut().zip(&block.values) {
                    *sum += factor * f64::from(*weight);
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{call, given};
    use crate::weights::support::testing::{close, merge, parent, table, weights_of};

    #[test]
    fn sums_are_those_of_the_golden_file() {
        let golden = merge();
        let nets = [
            ("n", &golden.base),
            ("a", &golden.a),
            ("b", &golden.b),
            ("c", &golden.c),
        ];
        let inputs = nets.map(|(name, net)| (name, given(parent(net))));
        let run = |arguments: &str| {
            let combine: Combine = call(arguments, &inputs);
            weights_of(&combine.run(&Context::alone("sum")).expect("runs"))
        };
        close(
            &run("terms: [n, a], factors: [0.5, 0.5]"),
            &golden.half,
            1e-6,
        );
        close(
            &run("terms: [n, a, b], factors: [0.2, 0.4, 0.4]"),
            &golden.add,
            1e-6,
        );
        close(
            &run("terms: [n, a], factors: [2, -1]"),
            &golden.negate,
            1e-6,
        );
        close(
            &run("terms: [c, b, a], factors: [1, 1, -1]"),
            &golden.analogy,
            1e-6,
        );
        assert_eq!(run("terms: [a], factors: [1]"), parent(&golden.a).weights);
    }

    #[test]
    fn rows_meet_those_of_their_step_and_one_row_meets_all() {
        let one = table(
            &[vec![10.0, 20.0], vec![30.0, 40.0], vec![50.0, 60.0]],
            Some(&[0, 5, 10]),
        );
        let other = table(&[vec![1.0, 2.0], vec![3.0, 4.0]], Some(&[10, 0]));
        let end = table(&[vec![50.0, 60.0]], Some(&[10]));
        let run = |arguments: &str, inputs: [Weights; 2]| {
            let [a, b] = inputs;
            let inputs = [("a", given(a)), ("b", given(b))];
            let combine: Combine = call(arguments, &inputs);
            let context = Context::alone("sum");
            let found = combine.run(&context).expect("runs");
            let steps = found.table.steps().expect("steps");
            (steps, weights_of(&found), context.take_notes())
        };
        let terms = "terms: [a, b], factors: [1, -1]";
        let (steps, weights, notes) = run(terms, [one.clone(), other]);
        assert_eq!((steps, weights), (vec![0, 10], vec![7.0, 16.0, 49.0, 58.0]));
        let note = "2 of 3 rows have a partner with the same `step`: the others are left out";
        assert_eq!(notes, [note]);
        let (steps, weights, notes) = run(terms, [one, end]);
        assert_eq!(steps, [0, 5, 10]);
        assert_eq!(weights, [-40.0, -40.0, -20.0, -20.0, 0.0, 0.0]);
        assert_eq!(notes, [""; 0]);
    }

    #[test]
    fn rows_that_diverged_are_marked() {
        let one = table(&[vec![1.0, f64::NAN], vec![3.0, 4.0]], Some(&[0, 5]));
        let combine: Combine = call("terms: [a], factors: [2]", &[("a", given(one))]);
        let found = combine.run(&Context::alone("sum")).expect("runs");
        let marks = found
            .table
            .coordinates
            .column("diverged")
            .expect("marks")
            .bool()
            .expect("marks");
        assert_eq!(marks.iter().collect::<Vec<_>>(), [Some(true), Some(false)]);
    }
    #[test]
    fn tables_without_a_row_in_common_are_refused() {
        let steps = |steps: &[u64; 2]| table(&[vec![1.0], vec![2.0]], Some(steps));
        let said = |one: Weights, other: Weights| {
            let inputs = [("a", given(one)), ("b", given(other))];
            let combine: Combine = call("terms: [a, b], factors: [1, -1]", &inputs);
            let fault = combine.run(&Context::alone("sum")).expect_err("refused");
            fault.to_string()
        };
        assert_eq!(
            said(steps(&[0, 5]), steps(&[1, 6])),
            "the tables have no row in common: `step` differ"
        );
        assert_eq!(
            said(steps(&[0, 5]), table(&[vec![1.0], vec![2.0]], None)),
            "the tables have no coordinate in common: `step`; `row`"
        );
        assert_eq!(
            said(steps(&[5, 5]), steps(&[5, 6])),
            "two rows have the same `step`: 5"
        );
        let wide = table(&[vec![1.0, 2.0]], None);
        assert_eq!(
            said(steps(&[0, 5]), wide),
            "these are weights of different networks: `w` [1] against `w` [2]"
        );
    }
}
