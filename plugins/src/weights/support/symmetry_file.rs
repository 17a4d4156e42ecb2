//! A JSON file that says which axes of tensors may change places, for weights whose network is not known.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use dsl::nearest;
use engine::artifact::{Layout, shown};
use engine::error::Fault;
use engine::files::Files;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::symmetry::{Axis, Units};
use crate::patterns::listed;

/// The largest file that is read.
const LARGEST: u64 = 16 << 20;

/// An assignment takes the square of this many numbers.
const MOST_UNITS: usize = 1 << 14;

const FORM: &str = "expected permutations by name, each a list of axes: \
                    {\"P0\": [[\"layers.0.weight\", 0], [\"layers.1.weight\", 1]]}";

/// Permutations by name, each with the axes that follow it: `perm_to_axes` of git re-basin.
#[derive(Debug)]
pub(crate) struct SymmetryFile(Vec<(String, Vec<NamedAxis>)>);

/// An axis of a tensor.
#[derive(Debug)]
struct NamedAxis {
    tensor: String,
    axis: usize,
    /// How many entries in a row belong to a unit.
    block: usize,
    /// How often all units come one after another.
    repeats: usize,
}

impl SymmetryFile {
    /// Reads a file.
    ///
    /// # Errors
    /// The user's fault when it is something else, or names an axis twice.
    pub fn read(path: &Path, files: &Files) -> Result<Self, Fault> {
        let file = files.open(path).map_err(|fault| fault.inside("symmetry"))?;
        let wrong = |what: String| Fault::at("symmetry", format!("`{}`: {what}", path.display()));
        if file.size() > LARGEST {
            let most = LARGEST >> 20;
            return Err(wrong(format!("expected a file of at most {most} MiB")));
        }
        let text = file.read_all().map_err(|error| wrong(error.to_string()))?;
        let read = serde_json::from_slice(&text);
        let read: Self = read.map_err(|error| wrong(error.to_string()).with_hint(FORM))?;
        match read.repeated() {
            Some(what) => Err(wrong(what)),
            None => Ok(read),
        }
    }

    /// The axis that is there twice, in words.
    fn repeated(&self) -> Option<String> {
        let mut seen: BTreeMap<(&str, usize), &str> = BTreeMap::new();
        for (name, axes) in &self.0 {
            for axis in axes {
                if let Some(before) = seen.insert((&axis.tensor, axis.axis), name) {
                    let what = axis.words();
                    let (one, two) = (shown(before), shown(name));
                    return Some(match one == two {
                        true => format!("{what} is twice in `{one}`"),
                        false => format!("{what} is in `{one}` and in `{two}`"),
                    });
                }
            }
        }
        None
    }

    /// The free orders of weights of this layout.
    ///
    /// # Errors
    /// The user's fault when a tensor or an axis is not there, or lengths differ.
    pub fn units(&self, layout: &Layout) -> Result<Vec<Units>, Fault> {
        let tensors = layout.ranges();
        let tensors: BTreeMap<&str, (&[usize], usize)> = tensors
            .map(|(tensor, range)| (&tensor.name[..], (&tensor.shape[..], range.start)))
            .collect();
        let names: Vec<&str> = layout.tensors.iter().map(|it| &it.name[..]).collect();
        let units = self.0.iter().map(|(name, axes)| {
            let wrong = |what: String| Fault::at("symmetry", format!("`{}`: {what}", shown(name)));
            let mut found: Vec<Axis> = Vec::new();
            let mut first: Option<(usize, String)> = None;
            for named in axes {
                let Some((shape, start)) = tensors.get(&named.tensor[..]) else {
                    let fault = wrong(format!("no tensor is named `{}`", shown(&named.tensor)));
                    return Err(match nearest(&named.tensor, names.iter().copied()) {
                        Some(near) => fault.with_hint(format!("did you mean `{near}`?")),
                        None => fault.with_hint(listed(&names)),
                    });
                };
                let count = named.count(shape).map_err(wrong)?;
                match &first {
                    Some((units, of)) if *units != count => {
                        let (here, units) = (units_of(count), units_of(*units));
                        let what = format!("{of} has {units}, {} has {here}", named.words());
                        return Err(wrong(what));
                    }
                    _ => first = first.or_else(|| Some((count, named.words()))),
                }
                found.push(Axis {
                    start: *start,
                    outer: shape[..named.axis].iter().product::<usize>() * named.repeats,
                    inner: shape[named.axis + 1..].iter().product::<usize>() * named.block,
                });
            }
            match first {
                Some((count, _)) => Ok(Units::new(count, found)),
                None => Err(wrong("expected an axis or more, found none".to_owned())),
            }
        });
        units.collect()
    }
}

impl NamedAxis {
    /// `axis 1 of …`.
    fn words(&self) -> String {
        format!("axis {} of `{}`", self.axis, shown(&self.tensor))
    }

    /// How many units it has in a tensor of this shape.
    fn count(&self, shape: &[usize]) -> Result<usize, String> {
        let Some(length) = shape.get(self.axis) else {
            let (tensor, axes) = (shown(&self.tensor), shape.len());
            let message = format!("`{tensor}` has no axis {}: it has {axes}", self.axis);
            return Err(format!("{message}, counted from 0"));
        };
        let unit = self.block.checked_mul(self.repeats);
        let count = unit.and_then(|unit| length.checked_div(unit)).unwrap_or(0);
        if count == 0 || Some(*length) != unit.and_then(|unit| unit.checked_mul(count)) {
            let [what, block, repeats] = [
                self.words(),
                self.block.to_string(),
                self.repeats.to_string(),
            ];
            return Err(format!(
                "{what} has {length} entries, which are not {repeats} times blocks of {block}"
            ));
        }
        if count > MOST_UNITS {
            let what = self.words();
            return Err(format!(
                "{what} has {count} units: expected {MOST_UNITS} at most"
            ));
        }
        Ok(count)
    }
}

fn units_of(count: usize) -> String {
    match count {
        1 => "1 unit".to_owned(),
        _ => format!("{count} units"),
    }
}

impl<'de> Deserialize<'de> for SymmetryFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PermutationsByName;

        impl<'de> Visitor<'de> for PermutationsByName {
            type Value = SymmetryFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("permutations by name")
            }

            /// JSON would take the last of two with one name without a word.
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SymmetryFile, A::Error> {
                let mut names = BTreeSet::new();
                let mut all = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !names.insert(name.clone()) {
                        let shown = shown(&name);
                        return Err(A::Error::custom(format_args!("`{shown}` is there twice")));
                    }
                    all.push((name, map.next_value()?));
                }
                match all.is_empty() {
                    true => Err(A::Error::custom(
                        "expected a permutation or more, found none",
                    )),
                    false => Ok(SymmetryFile(all)),
                }
            }
        }

        deserializer.deserialize_map(PermutationsByName)
    }
}

impl<'de> Deserialize<'de> for NamedAxis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = NamedAxis;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a tensor and an axis, `[\"layers.0.weight\", 0]`")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<NamedAxis, A::Error> {
                let tensor = list.next_element()?;
                let tensor = tensor.ok_or_else(|| A::Error::invalid_length(0, &self))?;
                let axis = list.next_element()?;
                let axis = axis.ok_or_else(|| A::Error::invalid_length(1, &self))?;
                let [block, repeats] =
                    [list.next_element()?, list.next_element()?].map(|number| number.unwrap_or(1));
                if list.next_element::<de::IgnoredAny>()?.is_some() {
                    return Err(A::Error::custom(
                        "expected a tensor, an axis, the length of blocks and how often at most",
                    ));
                }
                if block == 0 || repeats == 0 {
                    return Err(A::Error::custom(
                        "expected blocks of 1 entry or more, found 0",
                    ));
                }
                Ok(NamedAxis {
                    tensor,
                    axis,
                    block,
                    repeats,
                })
            }
        }

        deserializer.deserialize_seq(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use engine::artifact::Tensor;
    use serde_json::json;

    use super::super::symmetry::of_network;
    use super::*;
    use crate::networks::Activation;
    use crate::networks::testing::{encoder, small_transformer};

    fn read(text: &str, layout: &Layout) -> Result<Vec<Units>, Fault> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("symmetry.json");
        fs::write(&path, text).expect("a file");
        SymmetryFile::read(&path, &Files::unchecked())?.units(layout)
    }

    #[test]
    fn a_file_can_say_what_is_known_of_a_transformer() {
        let layers = encoder().layers;
        let network = small_transformer(Activation::Gelu);
        let mut token = vec![
            json!(["tokens.weight", 1, 1, 1]),
            json!(["tokens.bias", 1]),
            json!(["head.weight", 1]),
        ];
        let mut inner = Vec::new();
        for layer in 0..layers {
            let name = |part: &str| format!("layers.{layer}.{part}");
            for (part, axis) in [
                ("self_attn.in_proj_weight", 1),
                ("self_attn.out_proj.weight", 0),
                ("self_attn.out_proj.bias", 0),
                ("linear1.weight", 1),
                ("linear2.weight", 0),
                ("linear2.bias", 0),
                ("norm1.weight", 0),
                ("norm1.bias", 0),
                ("norm2.weight", 0),
                ("norm2.bias", 0),
            ] {
                token.push(json!([name(part), axis]));
            }
            inner.push(json!([
                [name("self_attn.in_proj_weight"), 0, 2, 3],
                [name("self_attn.in_proj_bias"), 0, 2, 3],
                [name("self_attn.out_proj.weight"), 1, 2],
            ]));
            inner.push(json!([
                [name("linear1.weight"), 0],
                [name("linear1.bias"), 0],
                [name("linear2.weight"), 1],
            ]));
        }
        let all = [vec![json!(token)], inner].concat();
        let named = all.iter().enumerate();
        let named: Vec<String> = named
            .map(|(at, axes)| format!("\"P{at}\": {axes}"))
            .collect();
        let text = format!("{{{}}}", named.join(",\n"));
        let found = read(&text, &network.layout()).expect("orders");
        assert_eq!(Some(found), of_network(&network));
    }

    #[test]
    fn a_file_that_is_wrong_says_why() {
        let tensor = |name: &str, shape: &[usize]| Tensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
        };
        let layout = Layout {
            tensors: vec![
                tensor("in.weight", &[6, 2]),
                tensor("in.bias", &[6]),
                tensor("out.weight", &[4, 12]),
                tensor("table.weight", &[20_000, 0]),
            ],
        };
        for (text, expected) in [
            ("", "EOF while parsing a value at line 1 column 0"),
            (
                "{\"P\": [\n[\"in.weight\", 0],\n]}",
                "trailing comma at line 3 column 1",
            ),
            (
                "[]",
                "invalid type: sequence, expected permutations by name at line 1 column 0",
            ),
            (
                "{}",
                "expected a permutation or more, found none at line 1 column 2",
            ),
            (
                "{\"P\": [\"in.weight\"]}",
                "invalid type: string \"in.weight\", expected a tensor and an axis, \
                 `[\"layers.0.weight\", 0]` at line 1 column 18",
            ),
            (
                "{\"P\": [[\"in.weight\"]]}",
                "invalid length 1, expected a tensor and an axis, `[\"layers.0.weight\", 0]` at \
                 line 1 column 20",
            ),
            (
                "{\"P\": [[\"in.weight\", -1]]}",
                "invalid value: integer `-1`, expected usize at line 1 column 23",
            ),
            (
                "{\"P\": [[\"in.weight\", 0, 1, 1, 1]]}",
                "expected a tensor, an axis, the length of blocks and how often at most at line 1 \
                 column 32",
            ),
            (
                "{\"P\": [[\"in.weight\", 0, 0]]}",
                "expected blocks of 1 entry or more, found 0 at line 1 column 26",
            ),
            (
                "{\"P\": [[\"in.weight\", 0]],\n\"P\": [[\"in.bias\", 0]]}",
                "`P` is there twice at line 2 column 3",
            ),
            (
                "{\"P\": [[\"in.weight\", 0], [\"in.weight\", 0]]}",
                "axis 0 of `in.weight` is twice in `P`",
            ),
            (
                "{\"P\": [[\"in.weight\", 0]], \"Q\": [[\"in.weight\", 0]]}",
                "axis 0 of `in.weight` is in `P` and in `Q`",
            ),
            ("{\"P\": []}", "`P`: expected an axis or more, found none"),
            (
                "{\"P\": [[\"in.weigth\", 0]]}",
                "`P`: no tensor is named `in.weigth`",
            ),
            (
                "{\"P\": [[\"in.bias\", 1]]}",
                "`P`: `in.bias` has no axis 1: it has 1, counted from 0",
            ),
            (
                "{\"P\": [[\"in.bias\", 18446744073709551615]]}",
                "`P`: `in.bias` has no axis 18446744073709551615: it has 1, counted from 0",
            ),
            (
                "{\"P\": [[\"in.bias\", 0], [\"out.weight\", 1]]}",
                "`P`: axis 0 of `in.bias` has 6 units, axis 1 of `out.weight` has 12 units",
            ),
            (
                "{\"P\": [[\"in.bias\", 0], [\"out.weight\", 1, 5]]}",
                "`P`: axis 1 of `out.weight` has 12 entries, which are not 1 times blocks of 5",
            ),
            (
                "{\"P\": [[\"in.bias\", 0, 4294967296, 4294967296]]}",
                "`P`: axis 0 of `in.bias` has 6 entries, which are not 4294967296 times blocks of \
                 4294967296",
            ),
            (
                "{\"P\": [[\"table.weight\", 1]]}",
                "`P`: axis 1 of `table.weight` has 0 entries, which are not 1 times blocks of 1",
            ),
            (
                "{\"P\": [[\"table.weight\", 0]]}",
                "`P`: axis 0 of `table.weight` has 20000 units: expected 16384 at most",
            ),
        ] {
            let said = read(text, &layout).expect_err(text).to_string();
            let said = said
                .rsplit_once("symmetry.json`: ")
                .map_or(&said[..], |(_, it)| it);
            assert_eq!(said, expected);
        }
        let nested = "[".repeat(100_000);
        assert!(read(&format!("{{\"P\": {nested}"), &layout).is_err());
        let good = "{\"P\": [[\"in.bias\", 0], [\"in.weight\", 0], [\"out.weight\", 1, 2]]}";
        assert_eq!(read(good, &layout).expect("orders")[0].count, 6);
        let large = " ".repeat(LARGEST as usize + 1);
        let said = read(&large, &layout).expect_err("too large").to_string();
        assert!(
            said.ends_with("expected a file of at most 16 MiB"),
            "{said}"
        );
    }
}
