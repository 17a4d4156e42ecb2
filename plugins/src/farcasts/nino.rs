//! `nino`: the MLP variant of NiNo, with published weights.

use engine::artifact::Trajectory;
use engine::error::Fault;
use engine::files::Files;
use engine::params::{DataPath, Gather, Numbers};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::support::examine;
use super::support::nets::{NinoNet, Role, tensors_in};
use super::support::window::{History, Observed, Window, finished};
use super::{Farcast, HorizonUnit, Origin, forecast};

/// How many states are observed.
const STATES: usize = 5;

plugin! {
    /// NiNo, MLP variant: a network for all weights that knows what kind of tensor each is in.
    ///
    /// Five of the states observed, equally far apart (200 steps where the published networks were
    /// trained), standardised by mean and standard deviation of all states of its tensor, go
    /// through a dense layer; an embedding of the tensor's role (dense, bias, convolution, norm) is
    /// added; three dense layers with SiLU and one more give the moves from the newest state to
    /// forty states ahead at once (Knyazev et al., ICLR 2025, arXiv 2409.04434). Horizons are
    /// therefore whole multiples of the distance, at most forty. The graph variant, which sees the
    /// neurons around a weight, is not here.
    ///
    /// The published networks (MIT licence, <https://github.com/SamsungSAILMontreal/nino>) are
    /// PyTorch files; in Python, `save_file(torch.load(path)["model"], "nino_mlp.safetensors")`
    /// converts one. Some 110 000 operations a weight; the runs are read twice, memory is some
    /// blocks.
    ///
    /// ```farcast
    /// farcast far = nino(
    ///     walk,
    ///     observe: 4..=20,
    ///     horizon: 24,
    ///     weights: "networks/nino_mlp_random.safetensors",
    /// )
    /// ```
    "nino" version 4
    pub struct Nino {
        /// What is observed and predicted.
        observed: Observed, flatten();
        /// The file with the network.
        weights: DataPath;
    }
}

impl Plugin for Nino {
    type Output = Farcast;
    // Version 2 lies in other blocks.
    const STREAMS: u32 = 1;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let file = call.get::<DataPath>("weights").filter(|it| it.0.is_file());
        let net = file.map(|path| NinoNet::load(&path.0, &Files::unchecked()));
        let unreadable = net.and_then(Result::err).map(Complaint::from);
        let found = examine::observing(call, |window| window.equally_spaced(STATES));
        found.into_iter().chain(unreadable).collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        examine::at_horizons(call)
    }

    fn run(self, context: &Context) -> Result<Farcast, Fault> {
        let net = NinoNet::load(&self.weights.0, context.files())?;
        let observe = self.observed.observe.as_ref();
        farcast(
            &net,
            &self.observed.trajectory,
            observe,
            &self.observed.horizon,
            context,
        )
    }
}

/// What a network makes of the runs at the horizons.
///
/// # Errors
/// The user's fault when too few states are observed, or a horizon is out of reach.
pub fn farcast(
    net: &NinoNet,
    trajectory: &Gather<Trajectory>,
    observe: Option<&Numbers>,
    horizon: &[u64],
    context: &Context,
) -> Result<Farcast, Fault> {
    let window = Window::new(trajectory, observe, horizon)?.equally_spaced(STATES)?;
    let ahead = multiples(&window, net.ahead)?;
    let mut scales = vec![Vec::new(); trajectory.members.len()];
    for (member, run) in finished(trajectory) {
        scales[member] = Scale::of_tensors(run, &window)?;
    }
    let predicted = forecast(
        trajectory,
        &window,
        HorizonUnit::Steps,
        context,
        |member, history| Ok(predict(net, &window, history, &scales[member], &ahead)),
    )?;
    let weights = window.layout.len() as f64;
    Ok(Farcast {
        predicted,
        origin: Origin {
            observed: window.steps,
            fitted_on: Vec::new(),
            fit_operations: Some(0.0),
            predict_operations: Some(net.operations() * weights),
        },
    })
}

/// How many states ahead each horizon is.
fn multiples(window: &Window, most: usize) -> Result<Vec<usize>, Fault> {
    let gap = window.steps[1] - window.steps[0];
    let states = |horizon: &u64| {
        let way = horizon - window.last();
        match usize::try_from(way / gap) {
            Ok(states) if way.is_multiple_of(gap) && states <= most => Ok(states),
            _ => {
                let (first, last) = (window.last() + gap, window.last() + gap * most as u64);
                let message = format!("step {horizon} is not among {first}..={last} step {gap}");
                Err(Fault::at("horizon", message))
            }
        }
    };
    window.horizons.iter().map(states).collect()
}

/// Mean and unbiased standard deviation of all observed states of a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Scale {
    mean: f64,
    std: f64,
}

impl Scale {
    fn of_tensors(run: &Trajectory, window: &Window) -> Result<Vec<Self>, Fault> {
        let mut sums = vec![[0.0; 3]; window.layout.tensors.len()];
        for columns in run.spans(0..run.layout.len(), window.steps.len()) {
            let block = window.read(run, columns)?;
            let history = window.history(&block);
            for (tensor, _, part) in tensors_in(&window.layout, &block.columns) {
                for value in history.states.iter().flat_map(|state| &state[part.clone()]) {
                    let value = f64::from(*value);
                    let [count, sum, squares] = &mut sums[tensor];
                    *count += 1.0;
                    *sum += value;
                    *squares += value * value;
                }
            }
        }
        let scale = |[count, sum, squares]: [f64; 3]| {
            let mean = sum / count;
            let variance = (squares - sum * mean) / (count - 1.0);
            Self {
                mean,
                std: variance.max(0.0).sqrt(),
            }
        };
        Ok(sums.into_iter().map(scale).collect())
    }
}

/// How many weights go through the network at once.
const ROWS: usize = 1024;

fn predict(
    net: &NinoNet,
    window: &Window,
    history: &History,
    scales: &[Scale],
    ahead: &[usize],
) -> Vec<f32> {
    let mut predictions = vec![0.0; ahead.len() * history.len()];
    for (tensor, role, part) in tensors_in(&window.layout, &history.columns) {
        for start in part.clone().step_by(ROWS) {
            let rows = start..(start + ROWS).min(part.end);
            for (at, row) in rows
                .clone()
                .zip(next(net, history, rows, role, scales[tensor]))
            {
                for (horizon, states) in ahead.iter().enumerate() {
                    predictions[horizon * history.len() + at] = row[states - 1];
                }
            }
        }
    }
    predictions
}

/// The predictions of some weights of one tensor at all states ahead.
fn next(
    net: &NinoNet,
    history: &History,
    rows: std::ops::Range<usize>,
    role: Role,
    scale: Scale,
) -> Vec<Vec<f32>> {
    let standard = |value: f32| ((f64::from(value) - scale.mean) / (scale.std + 1e-6)) as f32;
    let states: Vec<f32> = rows.flat_map(|row| history.of(row)).map(standard).collect();
    let moves = net.moves(&states, role);
    let newest = states.iter().skip(STATES - 1).step_by(STATES);
    let restored = |value: f32| (f64::from(value) * scale.std + scale.mean) as f32;
    let newest = newest.zip(moves.chunks_exact(net.ahead));
    newest
        .map(|(newest, moves)| moves.iter().map(|by| restored(newest + by)).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use engine::artifact::{Layout, Tensor};
    use polars::prelude::{DataFrame, NamedFrom, Series};

    use super::super::support::testing::run;
    use super::*;
    use crate::testing::{call, given};

    /// All five states of a tensor as a run, `[weights, 5]` turned to rows.
    fn tensor(states: &[Vec<f64>], edge_type: u64) -> Trajectory {
        let count = states.len();
        let (name, shape) = match edge_type {
            1 => ("weight", vec![1, count]),
            2 => ("bias", vec![count]),
            3 => ("weight", vec![count, 1, 1, 1]),
            _ => ("norm.weight", vec![count]),
        };
        let name = name.to_owned();
        let tensors = vec![Tensor { name, shape }];
        let steps = Series::new("step".into(), [0_u64, 10, 20, 30, 40]);
        let rows = (0..5).flat_map(|at| states.iter().map(move |state| state[at] as f32));
        let coordinates = DataFrame::new(5, vec![steps.into()]).unwrap();
        Trajectory::from_rows(Layout { tensors }, coordinates, &rows.collect::<Vec<_>>()).unwrap()
    }

    /// Compares with the predictions of a golden file, all of one network.
    fn assert_golden(folder: &Path, golden: &str, network: &dyn Fn(&serde_json::Value) -> PathBuf) {
        let text = std::fs::read_to_string(folder.join(golden)).unwrap();
        let golden: serde_json::Value = serde_json::from_str(&text).unwrap();
        let entries = golden["tensors"].as_array().unwrap();
        assert!(entries.len() >= 4);
        for entry in entries {
            let states: Vec<Vec<f64>> = serde_json::from_value(entry["states"].clone()).unwrap();
            let run = tensor(&states, entry["edge_type"].as_u64().unwrap());
            for (ahead, expected) in entry["pred"].as_object().unwrap() {
                let step = 40 + 10 * ahead.parse::<u64>().unwrap();
                let call: Nino = call(
                    &format!("w, horizon: [{step}], weights: {:?}", network(entry)),
                    &[("w", given(run.clone()))],
                );
                let farcast = call.run(&Context::alone("nino")).unwrap();
                let found = farcast.predicted.networks(&[0]).unwrap().concat();
                let expected: Vec<f64> = serde_json::from_value(expected.clone()).unwrap();
                assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(expected) {
                    let error = (f64::from(*found) - expected).abs();
                    assert!(error < 2e-6, "{found} {expected}");
                }
            }
        }
    }

    #[test]
    fn predictions_are_those_of_the_golden_file() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/networks");
        let network = folder.join("nino_mlp_random.safetensors");
        assert_golden(&folder, "nino_mlp_random.json", &|_| network.clone());
    }

    /// The published networks are not shipped; `FARCAST_GOLDEN` names the folder they are in.
    #[test]
    fn published_networks_predict_as_they_do_elsewhere() {
        let Some(folder) = std::env::var_os("FARCAST_GOLDEN").map(PathBuf::from) else {
            return;
        };
        assert_golden(&folder, "nino_mlp_golden.json", &|entry| {
            folder.join(format!("{}.safetensors", entry["model"].as_str().unwrap()))
        });
    }

    #[test]
    fn horizons_are_multiples_of_the_distance() {
        let path = "testdata/networks/nino_mlp_random.safetensors";
        let farcast = |horizon: u64| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
            let call: Nino = call(
                &format!("w, observe: 0..=40 step 10, horizon: [{horizon}], weights: {path:?}"),
                &[("w", given(run(0.3)))],
            );
            call.run(&Context::alone("nino"))
                .map_err(|fault| fault.to_string())
        };
        assert!(farcast(440).is_ok());
        assert_eq!(
            farcast(450).unwrap_err(),
            "step 450 is not among 50..=440 step 10"
        );
        assert_eq!(
            farcast(55).unwrap_err(),
            "step 55 is not among 50..=440 step 10"
        );
    }
}
