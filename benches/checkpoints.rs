//! Writes a made-up training run of DistilBERT's size: `checkpoints FOLDER STEPS [LAYERS]`.
//!
//! One safetensors file per step, 100 steps apart, with the tensors of `distilbert-base-uncased`
//! (66 362 880 weights; fewer with fewer than 6 LAYERS) in half precision. Every weight relaxes
//! at one of 64 rates: `w(t) = b + a exp(-r t)`, `a`, `b` and `r` from a hash of its number.
//! Then, in a file of its own:
//!
//! ```farcast
//! trajectory run = checkpoints("FOLDER/step-*.safetensors")
//! farcast ahead = lfd2(run, observe: 0..=5000, horizon: [8000, 10000])
//! farcast last = persistence(run, observe: 0..=5000, horizon: [8000, 10000])
//! score missed = forecast_error(ahead, last, truth: run, metrics: [mse, skill])
//! ```

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// The rates at which weights relax.
const RATES: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (folder, steps, layers) = match &arguments[..] {
        [folder, steps] => (folder, steps.parse()?, 6),
        [folder, steps, layers] => (folder, steps.parse()?, layers.parse()?),
        _ => return Err("usage: checkpoints FOLDER STEPS [LAYERS]".into()),
    };
    std::fs::create_dir_all(folder)?;
    let tensors = distilbert(layers);
    for step in 0..steps {
        let step = 100 * step;
        let name = format!("step-{step:06}.safetensors");
        write(&Path::new(folder).join(name), &tensors, step)?;
    }
    Ok(())
}

/// The names and shapes of DistilBERT with this many transformer layers.
fn distilbert(layers: usize) -> Vec<(String, Vec<usize>)> {
    let mut tensors = Vec::new();
    let mut add = |name: String, shape: &[usize]| tensors.push((name, shape.to_vec()));
    add(
        "embeddings.word_embeddings.weight".to_owned(),
        &[30_522, 768],
    );
    add(
        "embeddings.position_embeddings.weight".to_owned(),
        &[512, 768],
    );
    add("embeddings.LayerNorm.weight".to_owned(), &[768]);
    add("embeddings.LayerNorm.bias".to_owned(), &[768]);
    for layer in 0..layers {
        for (part, out, width) in [
            ("attention.q_lin", 768, 768),
            ("attention.k_lin", 768, 768),
            ("attention.v_lin", 768, 768),
            ("attention.out_lin", 768, 768),
            ("ffn.lin1", 3072, 768),
            ("ffn.lin2", 768, 3072),
        ] {
            add(
                format!("transformer.layer.{layer}.{part}.weight"),
                &[out, width],
            );
            add(format!("transformer.layer.{layer}.{part}.bias"), &[out]);
        }
        for norm in ["sa_layer_norm", "output_layer_norm"] {
            add(format!("transformer.layer.{layer}.{norm}.weight"), &[768]);
            add(format!("transformer.layer.{layer}.{norm}.bias"), &[768]);
        }
    }
    tensors
}

fn write(path: &Path, tensors: &[(String, Vec<usize>)], step: usize) -> Result<(), Box<dyn Error>> {
    let mut header = format!("{{\"__metadata__\":{{\"format\":\"pt\",\"step\":\"{step}\"}}");
    let mut end = 0;
    for (name, shape) in tensors {
        let start = end;
        end += 2 * shape.iter().product::<usize>();
        header.push_str(&format!(
            ",\"{name}\":{{\"dtype\":\"F16\",\"shape\":{shape:?},\"data_offsets\":[{start},{end}]}}"
        ));
    }
    header.push('}');
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    let decays: Vec<f32> = (1..=RATES)
        .map(|rate| (-(rate as f32) * 1e-5 * step as f32).exp())
        .collect();
    for weight in 0..end / 2 {
        file.write_all(&to_half(at(weight as u64, &decays)).to_le_bytes())?;
    }
    file.flush()?;
    Ok(())
}

/// A weight, where rates have decayed to this.
fn at(weight: u64, decays: &[f32]) -> f32 {
    // SplitMix64 (Steele et al. 2014).
    let mut hash = weight.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let unit = |bits: u64| (bits & 0xffff) as f32 / 65_536.0 - 0.5;
    let (a, b) = (unit(hash), unit(hash >> 16));
    0.1 * (b + a * decays[(hash >> 40) as usize % RATES])
}

/// IEEE 754 half precision of a number far from its ends, cut to 10 bits of fraction.
fn to_half(number: f32) -> u16 {
    let bits = number.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let exponent = (bits >> 23 & 0xff) as i32 - 112;
    match exponent {
        ..=0 => sign,
        _ => sign | (exponent as u16) << 10 | (bits >> 13) as u16 & 0x3ff,
    }
}
