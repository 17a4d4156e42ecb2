//! Which tensor of one file is which of another: names that differ by what wrappers put before
//! them, and tied tensors that some files name once.

use std::collections::{BTreeMap, BTreeSet};

use engine::artifact::{Layout, SavedModel, Selection, StoredTensor, Tensor, shown};
use engine::error::Fault;

/// What wrappers of PyTorch put into names: `torch.compile`, sharding, checkpointing.
const WRAPPERS: [&str; 3] = [
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
];

/// What trainers put before all names of a model.
const PREFIXES: [&str; 2] = ["module.", "model."];

/// How tensors that some files lack are found to be copies of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ties {
    /// All their numbers are equal.
    Exact,
    /// As far as a few MiB tell; the rest is believed.
    Likely,
}

/// How many bytes are compared at most before the rest is believed.
const MOST_COMPARED: u64 = 32 << 20;

/// The tensors of weights that all models have.
pub struct Alike {
    /// The tensors, called as they are written.
    pub layout: Layout,
    /// The name of each tensor of the layout in each model.
    pub names: Vec<Vec<String>>,
    /// Tensors that are copies of one of the layout, by the name they are written with.
    pub ties: BTreeMap<String, String>,
    /// What names of some files begin with, or contain, and those of others do not.
    pub prefixes: Vec<String>,
    /// Which model the names are from that are written.
    pub named_by: usize,
}

/// The weights of one model by the names that all have in common.
struct NamedWeights<'a> {
    model: &'a SavedModel,
    weights: BTreeMap<String, &'a StoredTensor>,
}

impl Alike {
    /// Of models that should be states of one.
    ///
    /// # Errors
    /// The user's fault, with the first tensor that differs.
    pub fn of(models: &[&SavedModel], selection: &Selection, ties: Ties) -> Result<Self, Fault> {
        let named: Vec<NamedWeights> = models
            .iter()
            .map(|model| NamedWeights::of(model, selection))
            .collect();
        let Some(first) = named.first().filter(|first| !first.weights.is_empty()) else {
            return Err(no_weights(models, selection));
        };
        let length = |at: &usize| -> usize {
            let names = named[*at]
                .weights
                .values()
                .map(|stored| stored.tensor.name.len());
            names.sum()
        };
        let named_by = (0..named.len()).min_by_key(length).unwrap_or(0);
        let copies = copies(&named, ties)?;
        for other in &named[1..] {
            first.expect(other, &copies)?;
        }
        // The order of the tensors is that of the bytes of the first model.
        let keys: BTreeMap<&str, &str> = { first.weights.iter() }
            .map(|(key, stored)| (&stored.tensor.name[..], &key[..]))
            .collect();
        let order = first
            .model
            .tensors()
            .filter_map(|it| keys.get(&it.tensor.name[..]));
        let order: Vec<&str> = order
            .copied()
            .filter(|key| !copies.contains_key(*key))
            .collect();
        let name_in = |named: &NamedWeights, key: &str| named.weights[key].tensor.name.clone();
        let written = |key: &str| name_in(&named[named_by], key);
        let layout = order.iter().map(|key| Tensor {
            name: written(key),
            shape: first.weights[*key].tensor.shape.clone(),
        });
        let names = named
            .iter()
            .map(|named| order.iter().map(|key| name_in(named, key)).collect());
        let names: Vec<Vec<String>> = names.collect();
        let ties = copies.iter().map(|(copy, of)| {
            let holder = named.iter().find_map(|named| named.weights.get(copy));
            (
                holder.map_or_else(|| copy.clone(), |it| it.tensor.name.clone()),
                written(of),
            )
        });
        Ok(Self {
            layout: Layout {
                tensors: layout.collect(),
            },
            prefixes: prefixes(&names),
            names,
            ties: ties.collect(),
            named_by,
        })
    }
}

impl<'a> NamedWeights<'a> {
    fn of(model: &'a SavedModel, selection: &Selection) -> Self {
        let weights: Vec<&StoredTensor> = model.tensors().filter(|it| selection.has(it)).collect();
        let names = weights
            .iter()
            .map(|stored| without_wrappers(&stored.tensor.name));
        let mut names: Vec<String> = names.collect();
        while let Some(prefix) = common_prefix(&names) {
            for name in &mut names {
                name.drain(..prefix.len());
            }
        }
        let unique: BTreeSet<&String> = names.iter().collect();
        if unique.len() < names.len() {
            names = weights
                .iter()
                .map(|stored| stored.tensor.name.clone())
                .collect();
        }
        Self {
            model,
            weights: names.into_iter().zip(weights).collect(),
        }
    }

    /// That another one has the same tensors, copies aside.
    fn expect(&self, other: &Self, copies: &BTreeMap<String, String>) -> Result<(), Fault> {
        let (here, there) = (self.model.path().display(), other.model.path().display());
        let hint = || {
            format!("expected the tensors of `{here}`: leave files out, or tensors by `without:`")
        };
        for (key, stored) in &self.weights {
            let name = shown(&stored.tensor.name);
            match other.weights.get(key) {
                None if copies.contains_key(key) => {}
                None => {
                    let message = format!("`{there}`: tensor `{name}` is missing");
                    return Err(Fault::user(message).with_hint(hint()));
                }
                Some(found) if found.tensor.shape != stored.tensor.shape => {
                    let message = format!(
                        "`{there}`: tensor `{name}`: expected shape {:?}, found {:?}",
                        stored.tensor.shape, found.tensor.shape
                    );
                    return Err(Fault::user(message).with_hint(hint()));
                }
                Some(_) => {}
            }
        }
        let mut others = other.weights.iter();
        let is_more = |(key, _): &(&String, &&StoredTensor)| {
            !self.weights.contains_key(*key) && !copies.contains_key(*key)
        };
        match others.find(is_more) {
            Some((_, more)) => {
                let name = shown(&more.tensor.name);
                let message = format!("`{there}`: tensor `{name}` is not expected");
                Err(Fault::user(message).with_hint(hint()))
            }
            None => Ok(()),
        }
    }
}

fn without_wrappers(name: &str) -> String {
    let parts = name.split('.').filter(|part| !WRAPPERS.contains(part));
    parts.collect::<Vec<_>>().join(".")
}

fn common_prefix(names: &[String]) -> Option<&'static str> {
    let is_common =
        |prefix: &&str| !names.is_empty() && names.iter().all(|it| it.starts_with(*prefix));
    PREFIXES.into_iter().find(is_common)
}

/// Tensors that some models lack and that are, wherever they are, the same bytes as another one
/// that all have: tied weights that some files name once. With what they are copies of.
fn copies(named: &[NamedWeights], ties: Ties) -> Result<BTreeMap<String, String>, Fault> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for key in named.iter().flat_map(|named| named.weights.keys()) {
        *counts.entry(key).or_default() += 1;
    }
    let (common, partial): (Vec<_>, Vec<_>) = counts
        .into_iter()
        .partition(|(_, count)| *count == named.len());
    let mut copies = BTreeMap::new();
    let mut bytes_left = match ties {
        Ties::Exact => u64::MAX,
        Ties::Likely => MOST_COMPARED,
    };
    for (key, _) in partial {
        let holders: Vec<&NamedWeights> = named
            .iter()
            .filter(|it| it.weights.contains_key(key))
            .collect();
        for (candidate, _) in &common {
            let mut is_copy = true;
            for holder in &holders {
                is_copy = is_copy && holder.are_equal(key, candidate, &mut bytes_left)?;
            }
            if is_copy {
                copies.insert(key.to_owned(), (*candidate).to_owned());
                break;
            }
        }
    }
    Ok(copies)
}

impl NamedWeights<'_> {
    fn are_equal(&self, one: &str, other: &str, bytes_left: &mut u64) -> Result<bool, Fault> {
        const AT_ONCE: u64 = 1 << 20;
        let (one, other) = (self.weights[one], self.weights[other]);
        if one.tensor.shape != other.tensor.shape || one.dtype != other.dtype {
            return Ok(false);
        }
        let mut first = 0;
        while first < one.bytes {
            let count = AT_ONCE.min(one.bytes - first) as usize;
            if *bytes_left < count as u64 {
                return Ok(true);
            }
            *bytes_left = bytes_left.saturating_sub(count as u64);
            let (mut here, mut there) = (vec![0; count], vec![0; count]);
            self.model.read_bytes(&one.tensor.name, first, &mut here)?;
            self.model
                .read_bytes(&other.tensor.name, first, &mut there)?;
            if here != there {
                return Ok(false);
            }
            first += count as u64;
        }
        Ok(true)
    }
}

/// What the names of tensors have more in some models than in others.
fn prefixes(names: &[Vec<String>]) -> Vec<String> {
    let mut found = BTreeSet::new();
    let count = names.first().map_or(0, Vec::len);
    for at in 0..count {
        let called = names.iter().map(|names| &names[at][..]);
        let shortest = called.clone().min_by_key(|name| name.len()).unwrap_or("");
        for name in called.filter(|name| *name != shortest) {
            if let Some(prefix) = name.strip_suffix(shortest) {
                found.insert(prefix.to_owned());
                continue;
            }
            let wrappers = name.split('.').filter(|part| WRAPPERS.contains(part));
            found.extend(wrappers.map(|part| format!("{part}.")));
            let prefixes = PREFIXES.into_iter().filter(|it| name.starts_with(it));
            found.extend(prefixes.map(str::to_owned));
        }
    }
    found.into_iter().collect()
}

/// That none of the tensors is a weight.
fn no_weights(models: &[&SavedModel], selection: &Selection) -> Fault {
    let message = match (&selection.only[..], &selection.without[..]) {
        ([], []) => "the files hold no weights",
        ([], _) => "`without` leaves no weights",
        (_, []) => "`only` leaves no weights",
        _ => "`only` and `without` leave no weights",
    };
    let tensors = models.first().into_iter().flat_map(|model| model.tensors());
    let some = tensors.take(4);
    let some = some.map(|it| format!("`{}` ({})", shown(&it.tensor.name), it.dtype));
    let some: Vec<String> = some.collect();
    let fault = Fault::user(message);
    match some.is_empty() {
        true => fault,
        false => fault.with_hint(format!("there are {}", some.join(", "))),
    }
}
