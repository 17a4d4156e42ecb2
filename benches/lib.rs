//! The work that is measured: experiments as users write them, so that every argument that is
//! not named here has the declared default.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use dsl::experiment::{Experiment, NodeId};
use engine::artifact::{Artifact, Stored};
use engine::graph::{Action, Graph};
use engine::outside::Disk;
use engine::params::{Bindings, Loaded, ParamType};
use engine::plugin::{Context, Registry};
use engine::store::MemStore;
use engine::study::Study;
use plugins::networks::{Network, Samples};
use plugins::parents::Parent;
use plugins::training::Optimizer;

pub mod machine;

/// All plugins.
pub static REGISTRY: LazyLock<Arc<Registry>> = LazyLock::new(|| Arc::new(plugins::registry()));

/// The experiment of a text and its actions.
///
/// # Panics
/// When the text has errors.
pub fn lowered(text: &str) -> (Experiment, Graph) {
    let world = Disk {
        registry: &REGISTRY,
    };
    let registry = Arc::clone(&REGISTRY);
    let study = Study::of_text("bench.farcast", text, Vec::new(), registry, &world);
    let mut study = study.expect("no mistakes");
    let graph = study.actions(&MemStore::default());
    let graph = graph.expect("its files are there");
    (study.experiment, graph)
}

/// An experiment that was run, with the results of all its actions.
pub struct Made {
    experiment: Experiment,
    graph: Graph,
    results: Vec<Arc<dyn Stored>>,
}

impl Made {
    /// Runs every action of an experiment.
    pub fn by(text: &str) -> Self {
        let (experiment, graph) = lowered(text);
        let results = Vec::with_capacity(graph.actions.len());
        let mut made = Self {
            experiment,
            graph,
            results,
        };
        for at in 0..made.graph.actions.len() {
            made.results.push(made.run(&made.graph.actions[at]));
        }
        made
    }

    /// Runs the call of a statement once more, for its first member.
    pub fn again(&self, name: &str) -> Arc<dyn Stored> {
        self.run(&self.graph.actions[self.action(name)])
    }

    /// What a statement made, for its first member.
    pub fn result<A: Artifact>(&self, name: &str) -> Arc<A> {
        A::from_stored(&self.loaded(self.action(name))).expect("a result of this type")
    }

    /// An argument of a statement, given or by default.
    pub fn argument<T: ParamType>(&self, name: &str, field: &'static str) -> T {
        let argument = self.experiment.nodes[self.node(name)].args.get(field);
        let value = &argument.expect("an argument or its default").value;
        T::from_value(field, value, &Bindings::default()).expect("checked")
    }

    fn node(&self, name: &str) -> usize {
        let mut nodes = self.experiment.nodes.iter();
        nodes
            .position(|node| node.name == name)
            .expect("a statement of this name")
    }

    fn action(&self, name: &str) -> usize {
        self.graph.of_node[self.node(name)][0].0
    }

    fn loaded(&self, action: usize) -> Arc<dyn Stored> {
        Arc::clone(&self.results[action])
    }

    fn run(&self, action: &Action) -> Arc<dyn Stored> {
        let NodeId(node) = action.node;
        let node = &self.experiment.nodes[node];
        let inputs = action.inputs.iter().map(|input| {
            let members = input.actions.iter().map(|taken| Some(self.loaded(taken.0)));
            let loaded = Loaded {
                label: self.graph.label(input.node).unwrap_or_default(),
                kind: REGISTRY.default_kind(&self.experiment.nodes[input.node.0].plugin),
                members: members.collect(),
            };
            ((input.field.clone(), input.node), loaded)
        });
        let bindings = Bindings {
            args: node.args.clone(),
            inputs: inputs.collect::<BTreeMap<_, _>>(),
        };
        let operation = REGISTRY.get(&node.plugin).expect("registered");
        let context = Context::new(action.streams, action.member, Arc::default(), &|_| ());
        operation.run(&bindings, &context).expect("runs")
    }
}

/// A parent of tangents that was hardly trained, of this many rows with the columns `x0`, `x1`, …,
/// `y` and `z`; the widths go from the inputs to the one output.
pub fn parent(widths: &[usize], rows: usize, columns: usize) -> String {
    let [inputs, hidden @ .., 1] = widths else {
        panic!("expected networks with one output, found {widths:?}");
    };
    let columns = (0..columns.max(*inputs)).map(|at| format!("x{at} = sin({at} * z + x)"));
    format!(
        "data base = synthetic(regime, rows: {rows})\n\
         data all = derive(base, {})\n\
         parent net = mlp(all, inputs: [{}], target: y, hidden: {hidden:?}, steps: 1, members: 1)\n",
        columns.collect::<Vec<_>>().join(", "),
        names(*inputs),
    )
}

/// `x0, x1, …`
pub fn names(count: usize) -> String {
    let names = (0..count).map(|at| format!("x{at}"));
    names.collect::<Vec<_>>().join(", ")
}

/// A fine-tuning `shift` of a [`parent`] on this many subsets of 400 rows.
pub fn finetune(widths: &[usize], children: usize, batch: usize, steps: u64) -> String {
    let parent = parent(widths, 20_000, 0);
    format!(
        "{parent}\
         subset near = window(all, by: z, count: {children}, size: 400)\n\
         anomaly shift = finetune(net, near, optimizer: sgd(rate: 1e-3), steps: {steps}, \
         batch: {batch}, mix: 25 %)\n"
    )
}

/// A straight-line regression `drift` of N anomalies on P predictors.
pub fn regression(widths: &[usize], subsets: usize, predictors: usize) -> String {
    let parent = parent(widths, 20_000, predictors);
    format!(
        "{parent}\
         subset near = window(all, by: z, count: {subsets}, size: 2)\n\
         anomaly shift = finetune(net, near, steps: 1, batch: 2)\n\
         predictor known = columns({})\n\
         regression drift = ols(shift, known)\n",
        names(predictors)
    )
}

/// A regression on one predictor and the `child` it makes for each row.
pub fn child(widths: &[usize]) -> String {
    let regression = regression(widths, 64, 1);
    format!("{regression}child adapted = apply(drift, all)\n")
}

/// A trajectory `walk` of N snapshots and the farcast `ahead` of its end from its first half.
pub fn farcast(widths: &[usize], snapshots: usize) -> String {
    let parent = parent(widths, 20_000, 0);
    let half = snapshots / 2;
    format!(
        "{parent}\
         subset near = window(all, by: z, count: {snapshots}, size: 32)\n\
         trajectory walk = finetune(net, near, from: previous, steps: 1)\n\
         farcast ahead = lfd2(walk, observe: 1..={half}, horizon: [{snapshots}])\n"
    )
}

/// A parent `net` of the default convolutions over images of 28 by 28 pixels in ten classes.
pub fn conv() -> String {
    let places = (0..28).flat_map(|row| (0..28).map(move |column| (row, column)));
    let pixels =
        places.map(|(row, column)| format!("pixel_{row}_{column} = sin({row} * x + {column} * z)"));
    format!(
        "data base = synthetic(regime, rows: 200)\n\
         data all = derive(base, {}, label = floor(5 + 4.9 * sin(7 * x)))\n\
         parent net = conv(all, steps: 1, members: 1)\n",
        pixels.collect::<Vec<_>>().join(", "),
    )
}

/// A parent `net`: a transformer encoder of the default sizes over eight inputs.
pub fn transformer() -> String {
    let columns = (0..8).map(|at| format!("x{at} = sin({at} * z + x)"));
    format!(
        "data base = synthetic(regime, rows: 200)\n\
         data all = derive(base, {})\n\
         parent net = transformer(all, inputs: [{}], target: y, steps: 1, members: 1)\n",
        columns.collect::<Vec<_>>().join(", "),
        names(8),
    )
}

/// What trainers work on: a network, an optimiser, weights and a minibatch of N rows.
pub struct Training {
    /// The network.
    pub network: Network,
    /// How gradients move weights.
    pub optimizer: Optimizer,
    /// Weights to start from.
    pub weights: Vec<f32>,
    /// The minibatch.
    pub batch: Samples,
}

impl Training {
    /// Of a network with these widths.
    pub fn of(widths: &[usize], rows: usize) -> Self {
        Self::by(&finetune(widths, 1, rows, 1), "shift", rows)
    }

    /// Of the parent `net` of an experiment, with the optimiser of a statement.
    pub fn by(text: &str, statement: &str, rows: usize) -> Self {
        let made = Made::by(text);
        let parent: Arc<Parent> = made.result("net");
        let network = parent.network().expect("a network").clone();
        let all = network.samples(&made.result("all")).expect("all columns");
        Self {
            network,
            optimizer: made.argument(statement, "optimizer"),
            weights: parent.weights.clone(),
            batch: all.take(&(0..rows as u32).collect::<Vec<_>>()),
        }
    }
}
