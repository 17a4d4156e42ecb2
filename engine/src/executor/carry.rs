//! Carrying out one order: read its inputs, run its plugin, store its result.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::results::Results;
use super::{Answer, Conclusion, Place};
use crate::artifact::{AnyArtifact, Parts};
use crate::digest::Digest;
use crate::error::Fault;
use crate::files::Files;
use crate::observer::{Blame, Failure};
use crate::order::{Order, OrderInput, OrderMember};
use crate::params::{Bindings, Loaded};
use crate::path_text::text_path;
use crate::plugin::{Context, Operation, Progress};
use crate::store::{Cost, Record, RecordedOutcome};

/// Carries out an order. Whatever the plugin does, there is an answer: a panic is a bug of this
/// one action.
pub fn carry(
    order: &Order,
    place: &Place<'_>,
    results: &Results,
    progress: &(dyn Fn(Progress) + Sync),
) -> Answer {
    let mut carrier = Carrier {
        order,
        place,
        results,
        started: Instant::now(),
        notes: Vec::new(),
        cost: Cost::default(),
    };
    let produced = catch_unwind(AssertUnwindSafe(|| carrier.produce(progress)));
    let produced = produced.unwrap_or_else(|panic| Err(Fault::Bug(panic_text(&*panic))));
    let conclusion = match produced {
        Ok(()) => Conclusion::Produced {
            seconds: carrier.seconds(),
        },
        Err(fault) => carrier.conclude(fault),
    };
    Answer {
        conclusion,
        notes: carrier.notes,
        cost: carrier.cost,
    }
}

/// Carries one order out here and now, as any executor would.
pub fn carry_out(order: &Order, place: &Place<'_>) -> Answer {
    carry(order, place, &Results::default(), &|_| {})
}

/// An order that is being carried out.
struct Carrier<'a> {
    order: &'a Order,
    place: &'a Place<'a>,
    results: &'a Results,
    started: Instant,
    notes: Vec<String>,
    cost: Cost,
}

impl Carrier<'_> {
    fn produce(&mut self, progress: &(dyn Fn(Progress) + Sync)) -> Result<(), Fault> {
        let operation = self.operation()?;
        if let Some(why) = self.diverged_input() {
            return Err(Fault::Diverged(why));
        }
        let bindings = self.bindings()?;
        let Order {
            streams, member, ..
        } = *self.order;
        let Place { stop, store, .. } = *self.place;
        let digests = self.order.files.iter();
        let digests = digests.map(|(path, digest)| (text_path(path), *digest));
        let files = Files::expected(digests.collect(), Arc::clone(stop));
        let context = Context::new(streams, member, Arc::clone(stop), progress)
            .with_store(store)
            .with_files(files);
        let result = catch_unwind(AssertUnwindSafe(|| operation.run(&bindings, &context)));
        self.notes = context.take_notes();
        let result = result.unwrap_or_else(|panic| Err(Fault::Bug(panic_text(&*panic))));
        if let Err(Fault::Cancelled) = result {
            return Err(Fault::Cancelled);
        }
        // Its result and its complaints may come from bytes that are not those of its key.
        if let Err(fault) = context.files().verify() {
            if let Fault::Changed(path) = &fault {
                store.forget_file_digest(path);
            }
            return Err(fault);
        }
        let result = result?;
        let outcome = RecordedOutcome::Parts(BTreeMap::new());
        self.save(outcome, &result.to_parts()?)?;
        self.results.keep(&self.order.key.digest, result);
        Ok(())
    }

    fn conclude(&mut self, fault: Fault) -> Conclusion {
        match fault {
            Fault::Diverged(why) => {
                let outcome = RecordedOutcome::Diverged(why.clone());
                match self.save(outcome, &Parts::default()) {
                    Ok(()) => Conclusion::Diverged {
                        why,
                        seconds: self.seconds(),
                    },
                    Err(fault) => Conclusion::Failed(failure(fault)),
                }
            }
            Fault::Damaged(what) => Conclusion::Damaged(what),
            Fault::Cancelled => Conclusion::Cancelled,
            fault => Conclusion::Failed(failure(fault)),
        }
    }

    fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// The plugin, in the version that the key is for.
    fn operation(&self) -> Result<&dyn Operation, Fault> {
        let Order {
            plugin, version, ..
        } = self.order;
        let operation = self.place.registry.get(plugin);
        let operation =
            operation.ok_or_else(|| Fault::Bug(format!("plugin `{plugin}` is not registered")))?;
        match operation.declaration().signature.version {
            found if found == *version => Ok(operation),
            found => Err(Fault::Environment(format!(
                "expected version {version} of plugin `{plugin}`, found {found}: another farcast"
            ))),
        }
    }

    /// Why an input that is read for one member is not there: the member diverged.
    fn diverged_input(&self) -> Option<String> {
        let single = self.order.inputs.iter().filter(|input| !input.gather);
        let members = single.flat_map(|input| &input.members);
        let keys: Vec<Digest> = members
            .map(|member| member.key)
            .filter(|key| self.results.get(key).is_none())
            .collect();
        self.diverged(&keys).into_iter().flatten().next()
    }

    /// Why the members with these keys diverged, where they did.
    fn diverged(&self, keys: &[Digest]) -> Vec<Option<String>> {
        if keys.is_empty() {
            return Vec::new();
        }
        let records = self.place.store.records();
        let summaries = records.find_many(keys).into_iter();
        summaries.map(|summary| summary?.diverged).collect()
    }

    fn bindings(&self) -> Result<Bindings, Fault> {
        let mut inputs = BTreeMap::new();
        for input in &self.order.inputs {
            let loaded = Loaded {
                label: input.label.clone(),
                kind: input.kind,
                members: self.members(input)?,
            };
            inputs.insert((input.field.clone(), input.node), loaded);
        }
        Ok(Bindings {
            args: self.order.arguments.clone(),
            inputs,
        })
    }

    /// The results of an input; none where the member diverged.
    fn members(&self, input: &OrderInput) -> Result<Vec<Option<AnyArtifact>>, Fault> {
        let load = |member: &OrderMember| {
            let kept = self.results.get(&member.key);
            let is_diverged =
                kept.is_none() && self.diverged(&[member.key]).into_iter().flatten().count() > 0;
            match kept {
                _ if is_diverged => Ok(None),
                Some(result) => Ok(Some(result)),
                None => Ok(Some(self.read(member)?)),
            }
        };
        input.members.iter().map(load).collect()
    }

    fn read(&self, member: &OrderMember) -> Result<AnyArtifact, Fault> {
        let Place {
            registry, store, ..
        } = *self.place;
        let OrderMember { key, title } = member;
        self.results.get_or_read(key, || {
            let record = store.find(key).ok_or_else(|| {
                let message = format!("the stored result of `{title}` is gone: it is made again");
                Fault::Damaged(message)
            })?;
            registry.read(title, &record, store)
        })
    }

    fn save(&mut self, outcome: RecordedOutcome, parts: &Parts) -> Result<(), Fault> {
        let record = Record {
            key: self.order.key.digest,
            key_text: self.order.key.text.clone(),
            outcome,
            notes: self.notes.clone(),
            seconds: self.seconds(),
            host: self.place.host.to_owned(),
        };
        self.cost = self.place.store.save(record, parts)?.cost();
        Ok(())
    }
}

/// A fault as words that can be kept.
pub fn failure(fault: Fault) -> Failure {
    let message = fault.to_string();
    match fault {
        Fault::User {
            param,
            message,
            hint,
        } => Failure {
            blame: Blame::User,
            param,
            message,
            hint,
        },
        Fault::Changed(_) => Failure {
            blame: Blame::Environment,
            param: None,
            message,
            hint: Some("run again, to use the file as it is now".to_owned()),
        },
        Fault::Bug(_) => Failure {
            blame: Blame::Bug,
            param: None,
            message,
            hint: None,
        },
        _ => Failure {
            blame: Blame::Environment,
            param: None,
            message,
            hint: None,
        },
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    format!("panicked: {text}")
}
