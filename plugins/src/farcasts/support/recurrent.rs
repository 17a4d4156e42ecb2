//! What `wnn` and `known` share: networks per role of tensor, applied again and again.

use std::collections::BTreeMap;

use super::examine;
use engine::artifact::{TensorFile, Trajectory};
use engine::error::Fault;
use engine::files::Files;
use engine::params::{DataPath, Gather};
use engine::plugin::{Complaint, Context, Sketch};
use rand::seq::index;

use super::adam::AdamOptions;
use super::nets::{INPUTS, KnownNet, Role, at_weights, tensors_in};
use super::runs::{FitRuns, choose};
use super::window::{History, Window, steps_of};

/// How the states of a weight are brought to a common scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// Not at all.
    None,
    /// By the range of the five states: `(w − w_0) / (range + 1e-8 + 1e-5) / 2`.
    Range,
}

/// Where networks come from that are not in a file.
pub struct Learning<'a> {
    /// The runs that are predicted.
    pub trajectory: &'a Gather<Trajectory>,
    /// Which of them, or others, are learned from.
    pub fit_runs: &'a FitRuns,
    /// How many weights of each run are drawn, and how the networks are trained.
    pub adam: AdamOptions,
}

/// A network for each role, and how it is used.
pub struct Nets {
    by_role: BTreeMap<Role, KnownNet>,
    scaling: Scaling,
    /// The members of the predicted trajectory they have learned from.
    pub fitted_on: Vec<u32>,
    /// Multiplications and additions of learning.
    pub operations: f64,
}

/// Six states of a weight at equal distances.
type SixStates = [f32; INPUTS + 1];

/// The roles that have a network, and what its names in a file start with.
const ROLES: [(Role, &str); 3] = [
    (Role::Dense, "dense."),
    (Role::Bias, "bias."),
    (Role::Convolution, "convolution."),
];

/// The scale of a normalisation is treated as a bias.
fn with_net(role: Role) -> Role {
    match role {
        Role::Norm => Role::Bias,
        other => other,
    }
}

impl Scaling {
    /// What is subtracted from the states of a weight, and what they are divided by.
    fn of(self, states: &[f32]) -> (f32, f32) {
        match self {
            Scaling::None => (0.0, 1.0),
            Scaling::Range => {
                let low = states.iter().copied().fold(f32::INFINITY, f32::min);
                let high = states.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                (states[0], 2.0 * (high - low + 1e-8 + 1e-5))
            }
        }
    }
}

impl Nets {
    /// Those of a file, or trained on runs when there is none.
    ///
    /// # Errors
    /// The user's fault when the file does not fit or there is nothing to learn from.
    pub fn new(
        file: Option<&DataPath>,
        learning: Learning,
        scaling: Scaling,
        window: &Window,
        context: &Context,
    ) -> Result<Self, Fault> {
        match file {
            Some(path) => Self::load(path, scaling, context.files()),
            None => Self::learn(learning, scaling, window, context),
        }
    }

    fn load(path: &DataPath, scaling: Scaling, files: &Files) -> Result<Self, Fault> {
        let file = TensorFile::open(&path.0, files).map_err(at_weights)?;
        let is_one = file.shape("head.kernel").is_some();
        let nets = ROLES.map(|(role, prefix)| {
            let prefix = if is_one { "" } else { prefix };
            Ok((role, KnownNet::load(&file, prefix)?))
        });
        Ok(Self {
            by_role: nets.into_iter().collect::<Result<_, Fault>>()?,
            scaling,
            fitted_on: Vec::new(),
            operations: 0.0,
        })
    }

    fn learn(
        learning: Learning,
        scaling: Scaling,
        window: &Window,
        context: &Context,
    ) -> Result<Self, Fault> {
        let (runs, fitted_on) = choose(learning.trajectory, learning.fit_runs)?;
        let mut examples: BTreeMap<Role, Vec<SixStates>> = BTreeMap::new();
        for (at, run) in runs.into_iter().enumerate() {
            let mut rng = context.rng(&format!("sample {at}"));
            let all = run.layout.len();
            let mut places = index::sample(&mut rng, all, learning.adam.sample.min(all)).into_vec();
            places.sort_unstable();
            collect(run, &places, window, scaling, &mut examples)?;
        }
        if examples.is_empty() {
            return Err(Fault::at("trajectory", FEW_STATES).with_hint(CLOSER));
        }
        let mut nets = Self {
            by_role: BTreeMap::new(),
            scaling,
            fitted_on,
            operations: 0.0,
        };
        for (role, examples) in examples {
            let name = format!("{role:?}");
            let mut net = KnownNet::random(context, &name);
            nets.operations += net.train(&examples, learning.adam, context, &name)?;
            nets.by_role.insert(role, net);
        }
        Ok(nets)
    }

    /// The next states of weights, `[times, weights]`; each is appended to the history of the
    /// one after it.
    ///
    /// # Errors
    /// The user's fault when no network was trained for a role.
    pub fn recur(
        &self,
        window: &Window,
        history: &History,
        times: usize,
    ) -> Result<Vec<f32>, Fault> {
        let mut predictions = vec![0.0; times * history.len()];
        for (_, role, part) in tensors_in(&window.layout, &history.columns) {
            let Some(net) = self.by_role.get(&with_net(role)) else {
                let message = format!("the runs to fit on have no tensors like {role:?}");
                return Err(Fault::at("train_on", message.to_lowercase()));
            };
            let mut states: Vec<f32> = part.clone().flat_map(|weight| history.of(weight)).collect();
            for time in 0..times {
                let next = self.next(net, &states);
                predictions[time * history.len()..][part.clone()].copy_from_slice(&next);
                for (states, next) in states.chunks_exact_mut(INPUTS).zip(next) {
                    states.rotate_left(1);
                    states[INPUTS - 1] = next;
                }
            }
        }
        Ok(predictions)
    }

    fn next(&self, net: &KnownNet, states: &[f32]) -> Vec<f32> {
        let scales: Vec<(f32, f32)> = states
            .chunks_exact(INPUTS)
            .map(|states| self.scaling.of(states))
            .collect();
        let scaled = states
            .chunks_exact(INPUTS)
            .zip(&scales)
            .flat_map(|(states, (from, by))| states.iter().map(move |state| (state - from) / by));
        let next = net.next(&scaled.collect::<Vec<_>>());
        next.iter()
            .zip(&scales)
            .map(|(next, (from, by))| from + next * by)
            .collect()
    }
}

/// The rows of all states in a row that are as far apart as those observed: the inputs of a
/// network and what it predicts.
fn sequences(recorded: &[u64], window: &Window) -> Vec<Vec<usize>> {
    let row = |step: i128| recorded.iter().position(|known| i128::from(*known) == step);
    let gap = i128::from(window.steps[1]) - i128::from(window.steps[0]);
    let sequence = |first: &u64| {
        let places = 0..=INPUTS as i128;
        places
            .map(|at| row(i128::from(*first) + at * gap))
            .collect()
    };
    recorded.iter().filter_map(sequence).collect()
}

/// What is wrong with a method that predicts the state after five equally far apart.
pub fn check(call: &Sketch, states: fn(Window) -> Window) -> Vec<Complaint> {
    let from_file = call.has("weights");
    let others = call.steps("runs").map(|steps| steps.possible(None));
    let learnable = |window: &Window| match &others {
        None if call.has("runs") => true,
        None => !sequences(window.recorded(), window).is_empty(),
        Some(None) => true,
        Some(Some(others)) => others
            .iter()
            .any(|steps| !sequences(steps, window).is_empty()),
    };
    let few = examine::unobserved(call, None, |window| {
        let window = states(window.equally_spaced(INPUTS)?);
        match from_file || learnable(&window) {
            true => Ok(window),
            false => Err(Fault::at("trajectory", FEW_STATES).with_hint(CLOSER)),
        }
    });
    let found = [examine::no_runs(call), unreadable(call), few];
    found.into_iter().flatten().collect()
}

/// Why the file of the networks does not hold them.
fn unreadable(call: &Sketch) -> Option<Complaint> {
    let path = call.get::<DataPath>("weights")?;
    // One that is not there is the checker's to tell.
    let file = path.0.is_file().then_some(path)?;
    let nets = Nets::load(&file, Scaling::None, &Files::unchecked());
    nets.err().map(Complaint::from)
}

/// What a call observes, when that is known before the run.
pub fn window(call: &Sketch) -> Option<Window> {
    let mut windows = examine::windows(call, None)?;
    let only = windows
        .next()?
        .and_then(|window| window.equally_spaced(INPUTS))
        .ok();
    only.filter(|_| windows.next().is_none())
}

const FEW_STATES: &str = "expected six recorded states as far apart as those observed, found fewer";
const CLOSER: &str = "observe states that are closer, or give networks with `weights`";

/// Adds all sequences of six states of the drawn weights that are as far apart as those observed.
fn collect(
    run: &Trajectory,
    places: &[usize],
    window: &Window,
    scaling: Scaling,
    examples: &mut BTreeMap<Role, Vec<SixStates>>,
) -> Result<(), Fault> {
    let sequences = sequences(&steps_of(run)?, window);
    let mut rows = sequences.concat();
    rows.sort_unstable();
    rows.dedup();
    for columns in run.spans(0..run.layout.len(), rows.len()) {
        let block = run.read(&rows, columns)?;
        for (_, role, part) in tensors_in(&run.layout, &block.columns) {
            let part = block.columns.start + part.start..block.columns.start + part.end;
            let here = places.partition_point(|place| *place < part.start)
                ..places.partition_point(|place| *place < part.end);
            for place in &places[here] {
                let at = place - block.columns.start;
                for sequence in &sequences {
                    let place = |k: usize| rows.partition_point(|row| *row < sequence[k]);
                    let states: SixStates = std::array::from_fn(|k| block.row(place(k))[at]);
                    if states.iter().any(|state| !state.is_finite()) {
                        let message = "a run to fit on has states that are not finite";
                        return Err(Fault::at("trajectory", message)
                            .with_hint("leave it out with `train_on`"));
                    }
                    let (from, by) = scaling.of(&states[..INPUTS]);
                    let example = states.map(|state| (state - from) / by);
                    examples.entry(with_net(role)).or_default().push(example);
                }
            }
        }
    }
    Ok(())
}
