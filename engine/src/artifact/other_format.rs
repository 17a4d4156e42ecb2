//! What a file is that should be safetensors, and how to convert it: told by its first bytes, or
//! else by its name.

use crate::files::DataFile;

const PYTORCH: &str = "in Python: `from safetensors.torch import save_file; \
    save_file(torch.load(\"x.pt\", weights_only=True), \"x.safetensors\")`; \
    a checkpoint of a trainer holds the weights under a name such as `[\"state_dict\"]`";
const NUMPY: &str = "in Python: `from safetensors.numpy import save_file; \
    save_file(dict(numpy.load(\"x.npz\")), \"x.safetensors\")`";
const KERAS: &str = "in Python: `from safetensors.numpy import save_file; \
    save_file({w.path: w.numpy() for w in model.weights}, \"x.safetensors\")`";
const ONNX: &str = "in Python: `from safetensors.numpy import save_file; \
    save_file({w.name: onnx.numpy_helper.to_array(w) for w in \
    onnx.load(\"x.onnx\").graph.initializer}, \"x.safetensors\")`";
const FLAX: &str = "in Python: `from safetensors.flax import save_file; \
    save_file(flax.traverse_util.flatten_dict(params, sep=\".\"), \"x.safetensors\")`";
const DISTRIBUTED: &str = "in Python: `torch.distributed.checkpoint.format_utils\
    .dcp_to_torch_save(folder, \"x.pt\")`, then `safetensors.torch.save_file` of what \
    `torch.load` reads";

/// How many bytes are looked at.
const LOOKED_AT: u64 = 256;

/// What a file is and what to do, where that is known.
pub(super) fn other_format(file: &DataFile) -> Option<(String, &'static str)> {
    let mut start = vec![0; file.size().min(LOOKED_AT) as usize];
    file.read_at(0, &mut start).ok()?;
    let extension = file.path().extension().unwrap_or_default();
    let extension = extension.to_string_lossy().to_lowercase();
    if extension == "distcp" {
        let what = "a distributed checkpoint of PyTorch (`.distcp`)";
        return Some((what.to_owned(), DISTRIBUTED));
    }
    if let [b'P', b'K', 3, 4, ..] = start[..] {
        return Some(archive(&start, &extension));
    }
    let json = "an index of shards must have a name that ends in `.safetensors.index.json`";
    let (what, hint) = match start[..] {
        [] => ("an empty file", "copy or download it again"),
        [0x80, 2..=5, ..] => ("a Python pickle, as older PyTorch files are", PYTORCH),
        [0x89, b'H', b'D', b'F', ..] => ("HDF5, as Keras writes it", KERAS),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => ("a NumPy array (`.npy`)", NUMPY),
        [b'G', b'G', b'U', b'F', ..] => (
            "GGUF, whose weights are quantised as a rule",
            "take the model that it was made from",
        ),
        [0x1f, 0x8b, ..] => ("a gzip archive", "unpack it first"),
        [b'{', ..] => ("JSON", json),
        _ if start.starts_with(b"version https://git-lfs") => (
            "a pointer of Git LFS, not the file it points to",
            "run `git lfs pull` in its repository",
        ),
        _ if start.starts_with(b"/annex/objects/") => (
            "a pointer of git-annex, not the file it points to",
            "run `git annex get` in its repository",
        ),
        _ if start.starts_with(b"<") => (
            "a web page",
            "download it again: the address may want a login, or be that of a page about the file",
        ),
        _ => return by_name(&extension).or_else(|| text(&start)),
    };
    Some((what.to_owned(), hint))
}

/// What a ZIP archive is, told by the name of the first file in it.
fn archive(start: &[u8], extension: &str) -> (String, &'static str) {
    let length = start
        .get(26..28)
        .map_or(0, |two| usize::from(two[0]) | usize::from(two[1]) << 8);
    let name = start.get(30..).unwrap_or_default();
    let name = String::from_utf8_lossy(&name[..length.min(name.len())]).into_owned();
    let (what, hint) = match extension {
        "npz" => ("NumPy arrays (`.npz`)", NUMPY),
        "keras" => ("a Keras model", KERAS),
        _ if name.ends_with(".npy") => ("NumPy arrays (`.npz`)", NUMPY),
        _ if name.ends_with("data.pkl") => {
            ("a PyTorch file (a ZIP archive with a pickle)", PYTORCH)
        }
        _ if ["metadata.json", "config.json", "model.weights.h5"].contains(&&*name) => {
            ("a Keras model", KERAS)
        }
        "pt" | "pth" | "ckpt" | "bin" => ("a PyTorch file (a ZIP archive)", PYTORCH),
        _ => ("a ZIP archive", "unpack it first"),
    };
    (what.to_owned(), hint)
}

fn by_name(extension: &str) -> Option<(String, &'static str)> {
    let (what, hint) = match extension {
        "onnx" => ("ONNX", ONNX),
        "msgpack" => ("msgpack, as Flax writes it", FLAX),
        "pt" | "pth" | "ckpt" | "bin" | "pkl" => ("PyTorch by its name", PYTORCH),
        _ => return None,
    };
    Some((format!("{what} (`.{extension}`)"), hint))
}

/// A text, by its first line.
fn text(start: &[u8]) -> Option<(String, &'static str)> {
    let text = std::str::from_utf8(start).ok()?;
    let is_text = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    if !text.chars().all(is_text) {
        return None;
    }
    let line = text.lines().find(|line| !line.trim().is_empty())?;
    let line: String = line.replace('\t', " ").chars().take(40).collect();
    let what = format!("a text that begins with `{line}`");
    Some((what, "copy or download it again"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Files;

    #[test]
    fn a_file_is_told_by_its_first_bytes_or_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let zip = |name: &str| {
            let mut bytes = b"PK\x03\x04".to_vec();
            bytes.resize(26, 0);
            bytes.extend((name.len() as u16).to_le_bytes());
            bytes.extend([0, 0]);
            [&bytes, name.as_bytes(), &[0; 20]].concat()
        };
        for (name, bytes, expected, hint) in [
            (
                "x.safetensors",
                zip("archive/data.pkl"),
                "a PyTorch file (a ZIP archive with a pickle)",
                PYTORCH,
            ),
            (
                "x.safetensors",
                zip("net.0.weight.npy"),
                "NumPy arrays (`.npz`)",
                NUMPY,
            ),
            ("x.npz", zip("a"), "NumPy arrays (`.npz`)", NUMPY),
            (
                "x.safetensors",
                zip("metadata.json"),
                "a Keras model",
                KERAS,
            ),
            (
                "x.safetensors",
                zip("a"),
                "a ZIP archive",
                "unpack it first",
            ),
            (
                "x.distcp",
                zip("a"),
                "a distributed checkpoint of PyTorch (`.distcp`)",
                DISTRIBUTED,
            ),
            ("x.onnx", b"\x08\x07".to_vec(), "ONNX (`.onnx`)", ONNX),
            (
                "x.msgpack",
                b"\x81".to_vec(),
                "msgpack, as Flax writes it (`.msgpack`)",
                FLAX,
            ),
            (
                "x.safetensors",
                b"/annex/objects/SHA256E-s1".to_vec(),
                "a pointer of git-annex, not the file it points to",
                "run `git annex get` in its repository",
            ),
            (
                "x.safetensors",
                b"\nhello\tworld\n".to_vec(),
                "a text that begins with `hello world`",
                "copy or download it again",
            ),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            let found = other_format(&Files::unchecked().open(&path).unwrap()).unwrap();
            assert_eq!(found, (expected.to_owned(), hint), "{name}");
        }
        let path = folder.path().join("x.safetensors");
        std::fs::write(&path, [0; 40]).unwrap();
        assert_eq!(other_format(&Files::unchecked().open(&path).unwrap()), None);
    }
}
