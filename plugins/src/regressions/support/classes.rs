//! Sets of rows in parts, and the steps in which the sums over all sets of a part are made of those over classes.
//!
//! Rows are partitioned into classes by the sets of the part that contain them, and the classes are leaves of a tree: a node has
//! the rows of one class and of all classes with one more set, `M_node = Σ_own y f + Σ_child M_child`, and the sum of a set
//! is `M_s = Σ M_node` over the nodes that `s` is the last set of. Each row is read once for each part: as many sets go
//! together as are cheaper than apart.

use std::ops::Range;

/// What sums over classes cost.
#[derive(Clone, Copy)]
pub(crate) struct ClassCost {
    /// What a node costs, in rows.
    pub node: usize,
    /// The rows of a class are as many as a multiple of this.
    pub together: usize,
}

/// The most rows whose products are summed one after the other.
const RUN: usize = 64;

/// The sets in parts, each of which is cheaper than its sets by themselves; and what they take, in rows.
pub(crate) fn parts(rows: usize, sets: &[Vec<usize>], by: ClassCost) -> (Vec<Range<usize>>, usize) {
    let none = ClassedSets {
        classes: vec![0; rows],
        sets: vec![Vec::new()],
    };
    let mut parts: Vec<(Range<usize>, ClassedSets, usize)> = Vec::new();
    for (set, members) in sets.iter().enumerate() {
        let alone = none.with(set, members);
        let cost = alone.cost(by);
        if let Some((range, classed, before)) = parts.last_mut() {
            let both = classed.with(set, members);
            let together = both.cost(by);
            if together <= *before + cost {
                (range.end, *classed, *before) = (set + 1, both, together);
                continue;
            }
        }
        parts.push((set..set + 1, alone, cost));
    }
    let cost = parts.iter().map(|(.., cost)| cost).sum();
    (parts.into_iter().map(|(range, ..)| range).collect(), cost)
}

/// The rows of each class that is in any of some sets, with these sets, and in their order.
pub(crate) fn classes(rows: usize, sets: &[Vec<usize>]) -> Vec<(Vec<usize>, Vec<u32>)> {
    let mut classed = ClassedSets {
        classes: vec![0; rows],
        sets: vec![Vec::new()],
    };
    for (set, members) in sets.iter().enumerate() {
        classed = classed.with(set, members);
    }
    classed.classes()
}

/// Some sets, and the class of each row: which of these it is in.
struct ClassedSets {
    classes: Vec<usize>,
    /// Of each class.
    sets: Vec<Vec<usize>>,
}

impl ClassedSets {
    fn with(&self, set: usize, members: &[usize]) -> Self {
        let (mut classes, mut sets) = (self.classes.clone(), self.sets.clone());
        let mut joint = vec![None; sets.len()];
        for member in members {
            let class = &mut classes[*member];
            *class = *joint[*class].get_or_insert_with(|| {
                sets.push([&sets[*class][..], &[set]].concat());
                sets.len() - 1
            });
        }
        Self { classes, sets }
    }

    /// The rows of each class that is in any set, with these sets, and in their order.
    fn classes(&self) -> Vec<(Vec<usize>, Vec<u32>)> {
        let none = |sets: &Vec<usize>| (sets.clone(), Vec::new());
        let mut classes: Vec<_> = self.sets.iter().map(none).collect();
        for (row, class) in self.classes.iter().enumerate() {
            classes[*class].1.push(row as u32);
        }
        classes.retain(|(sets, rows)| !sets.is_empty() && !rows.is_empty());
        classes.sort();
        classes
    }

    /// What its sums take, in rows.
    fn cost(&self, by: ClassCost) -> usize {
        let mut cost = 0;
        let mut before: Vec<usize> = Vec::new();
        for (sets, rows) in self.classes() {
            let pairs = before.iter().zip(&sets);
            let shared = pairs.take_while(|(a, b)| a == b).count();
            cost += rows.len().next_multiple_of(by.together);
            cost += by.node * (sets.len() - shared);
            before = sets;
        }
        cost
    }
}

/// How the sums over some sets are made.
pub(crate) struct ClassSteps {
    /// The rows, class after class.
    pub order: Vec<u32>,
    pub steps: Vec<ClassStep>,
    /// How many sums of nodes are unfinished at once.
    pub depth: usize,
}

/// One step: rows are summed, and added somewhere.
pub(crate) struct ClassStep {
    pub then: Then,
    /// A part of the order.
    pub rows: Range<usize>,
    /// How many nodes are above.
    pub depth: usize,
    /// The last set of the node, among those of the part.
    pub set: usize,
}

/// Where the sum over the rows of a step goes.
pub(crate) enum Then {
    /// It begins the sum of a node.
    Begin,
    /// It is added to it.
    Add,
    /// It is all of a node, and is added to the set and the node above.
    Leaf,
    /// There are no rows; the sum of the node is added to the set and the node above.
    End,
}

impl ClassSteps {
    /// For some sets of rows.
    pub fn new(rows: usize, sets: &[Vec<usize>]) -> Self {
        let mut steps = Self {
            order: Vec::new(),
            steps: Vec::new(),
            depth: 0,
        };
        steps.add(&classes(rows, sets), 0);
        steps
    }

    /// Adds classes that begin with the same sets, `depth` of them.
    fn add(&mut self, classes: &[(Vec<usize>, Vec<u32>)], depth: usize) {
        self.depth = self.depth.max(depth);
        for classes in classes.chunk_by(|a, b| a.0[depth] == b.0[depth]) {
            let set = classes[0].0[depth];
            let (own, more) = match classes {
                [(sets, rows), more @ ..] if sets.len() == depth + 1 => (&rows[..], more),
                more => (&[][..], more),
            };
            let start = self.order.len();
            self.order.extend(own);
            let rows = start..self.order.len();
            let mut step = |then, rows| {
                self.steps.push(ClassStep {
                    then,
                    rows,
                    depth,
                    set,
                });
            };
            if more.is_empty() && own.len() <= RUN {
                step(Then::Leaf, rows);
                continue;
            }
            step(Then::Begin, start..rows.end.min(start + RUN));
            for start in rows.clone().step_by(RUN).skip(1) {
                step(Then::Add, start..rows.end.min(start + RUN));
            }
            self.add(more, depth + 1);
            self.steps.push(ClassStep {
                then: Then::End,
                rows: rows.end..rows.end,
                depth,
                set,
            });
        }
    }
}
