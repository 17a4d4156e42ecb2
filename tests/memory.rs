//! The memory that runs take, watched from outside: what is larger is worked on in pieces.
#![cfg(target_os = "linux")]

use std::time::Duration;

use crate::farcast::Folder;

const MIB: u64 = 1 << 20;

/// Runs `it.farcast`, one action at a time; gives the most memory it had at once, in bytes.
fn peak_memory(folder: &Folder) -> u64 {
    let mut child = folder.start(&["run", "it.farcast", "--jobs", "1", "--quiet"]);
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let code = loop {
        // The peak only grows, so that looking now and then misses its last moments at most.
        let lines = std::fs::read_to_string(&status).unwrap_or_default();
        let line = lines.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        peak = kilobytes.map_or(peak, |kb| kb.parse::<u64>().unwrap() * 1024);
        if let Some(code) = child.try_wait().unwrap() {
            break code;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(code.success(), "{code}");
    assert!(peak > 0);
    peak
}

/// A checkpoint of one tensor of so many weights, as safetensors.
fn checkpoint(weights: usize, step: usize) -> Vec<u8> {
    let end = 4 * weights;
    let header =
        format!("{{\"w\":{{\"dtype\":\"F32\",\"shape\":[{weights}],\"data_offsets\":[0,{end}]}}}}");
    let decay = (-(step as f32) / 1000.0).exp();
    let values = (0..weights).flat_map(|at| ((at % 97) as f32 * decay).to_le_bytes());
    let head = (header.len() as u64).to_le_bytes();
    head.into_iter()
        .chain(header.into_bytes())
        .chain(values)
        .collect()
}

#[test]
fn a_trajectory_is_fitted_and_farcast_in_pieces() {
    let folder = Folder::with(
        "trajectory run = checkpoints(\"states/step-*.safetensors\")\n\
         farcast ahead = lfd2(run, observe: 0..=2000, horizon: [3000, 3900])\n\
         farcast last = persistence(run, observe: 0..=2000, horizon: [3000, 3900])\n\
         score missed = forecast_error(ahead, last, truth: run, metrics: [mse, skill])\n",
    );
    let (states, weights) = (40, 1_250_000);
    for step in (0..states).map(|state| 100 * state) {
        folder.write(
            &format!("states/step-{step:05}.safetensors"),
            checkpoint(weights, step),
        );
    }
    let (trajectory, peak) = ((states * weights * 4) as u64, peak_memory(&folder));
    assert!(peak < 150 * MIB && peak < trajectory, "{} MiB", peak / MIB);
}

#[test]
fn a_million_rows_have_networks_of_their_own_that_are_never_made() {
    let folder = Folder::with(
        "data all = synthetic(regime, rows: 1000, slope: 2)\n\
         data many = synthetic(regime, rows: 1000000, slope: 2)\n\
         parent net = mlp(all, inputs: [x], target: y, hidden: [16, 16], epochs: 2, members: 1)\n\
         subset near = window(all, by: z, count: 16, size: 40)\n\
         anomaly shift = finetune(net, near, steps: 4)\n\
         predictor regime = columns(z)\n\
         regression drift = polynomial(shift, regime, degree: 1)\n\
         child adapted = apply(drift, many)\n\
         score skill = compare(net, adapted, on: many, metrics: [rmse])\n",
    );
    // The weights of all those networks, 321 each, would be 1.2 GiB.
    let peak = peak_memory(&folder);
    assert!(peak < 256 * MIB, "{} MiB", peak / MIB);
}
