//! Carrying out one order: read its inputs, run its plugin, store its result.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::results::Results;
use super::{Answer, Conclusion, Place};
use dsl::experiment::Value;

use crate::along::left_by;
use crate::artifact::{AnyArtifact, Parts};
use crate::context::{Found, RowSource};
use crate::digest::Digest;
use crate::error::Fault;
use crate::files::Files;
use crate::foreign::{Foreign, know};
use crate::observer::{Blame, Failure};
use crate::order::{Order, OrderInput, OrderMember};
use crate::params::{Bindings, Loaded};
use crate::path_text::text_path;
use crate::plugin::{Context, Operation, Progress};
use crate::states::States;
use crate::store::{Cost, Record, RecordedOutcome};

/// What a result of a plugin that makes it again takes in memory before it is not stored.
pub(super) const LARGE: u64 = 16 << 20;

/// The part that holds what an action left for longer ones.
const LEFT: &str = "state.bin";

/// Carries out an order. Whatever the plugin does, there is an answer: a panic is a bug of this
/// one action.
pub fn carry(
    order: &Order,
    place: &Place<'_>,
    results: &Results,
    progress: &(dyn Fn(Progress) + Sync),
) -> Answer {
    let mut carrier = Carrier::new(order, &order.remakes, place, results);
    if let Some(answer) = carrier.made_along() {
        return answer;
    }
    let produced = catch_unwind(AssertUnwindSafe(|| match carrier.way() {
        Some(way) => carrier.pass(way, progress),
        None => carrier.produce(progress),
    }));
    let produced = produced.unwrap_or_else(|panic| Err(fault_of(panic)));
    let conclusion = match produced {
        Ok(()) => {
            let seconds = carrier.seconds();
            carrier.carry_along();
            Conclusion::Produced { seconds }
        }
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

/// Whether what is read stays in memory for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reads {
    /// Until the scheduler frees it.
    Kept,
    /// No: only what is made again from it is read by others.
    Once,
}

/// An order that is being carried out.
pub(super) struct Carrier<'a> {
    pub(super) order: &'a Order,
    /// How to make again what is not stored.
    pub(super) remakes: &'a [Order],
    reads: Reads,
    pub(super) place: &'a Place<'a>,
    pub(super) results: &'a Results,
    /// The states of what it is carried out along with.
    given: Option<&'a States>,
    /// The states it goes through, for what is carried out along with it.
    kept: Option<States>,
    pub(super) started: Instant,
    /// The seconds of shorter ones that it went on from.
    spared: f64,
    /// What longer ones need to go on.
    left: Option<Vec<u8>>,
    pub(super) notes: Vec<String>,
    pub(super) cost: Cost,
}

impl<'a> Carrier<'a> {
    pub(super) fn new(
        order: &'a Order,
        remakes: &'a [Order],
        place: &'a Place<'a>,
        results: &'a Results,
    ) -> Self {
        Self {
            order,
            remakes,
            reads: Reads::Kept,
            place,
            results,
            given: None,
            kept: None,
            started: Instant::now(),
            spared: 0.0,
            left: None,
            notes: Vec::new(),
            cost: Cost::default(),
        }
    }
}

impl<'a> Carrier<'a> {
    fn produce(&mut self, progress: &(dyn Fn(Progress) + Sync)) -> Result<(), Fault> {
        let result = self.compute(progress)?;
        self.save_result(result)?;
        if let Some(left) = self.left.take() {
            self.save_left(left);
        }
        Ok(())
    }

    /// Stores a result, or how large it is where it is made again, and keeps it for others.
    pub(super) fn save_result(&mut self, result: AnyArtifact) -> Result<(), Fault> {
        let is_remade = self.operation()?.declaration().remade;
        match is_remade && result.size() >= LARGE {
            true => self.save_size(result.size())?,
            false => self.save(RecordedOutcome::Parts(BTreeMap::new()), &result.to_parts()?)?,
        }
        self.results.keep(&self.order.key.digest, result);
        Ok(())
    }

    /// Stores that there was a result of this size, which is made again.
    pub(super) fn save_size(&mut self, size: u64) -> Result<(), Fault> {
        let parts = Parts::default().with_json(Parts::REMADE, &size)?;
        self.save(RecordedOutcome::Parts(BTreeMap::new()), &parts)
    }

    /// The result, from the bytes of its key.
    pub(super) fn compute(
        &mut self,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<AnyArtifact, Fault> {
        self.order.provided.iter().for_each(know);
        let operation = self.operation()?;
        if let Some(why) = self.diverged_input() {
            return Err(Fault::Diverged(why));
        }
        let (rows, found) = (self.rows_again(), Found::default());
        let bindings = self.bindings_from(rows.as_ref())?;
        let (shorter, spared): (Vec<_>, Vec<f64>) = self.shorter().into_iter().unzip();
        let mut context = self
            .context(progress)
            .with_rows(rows.as_ref().map(|rows| rows as &dyn RowSource), &found)
            .with_states(self.given)
            .keeping(self.wanted_states())
            .with_shorter(shorter, self.order.leaves);
        let result = catch_unwind(AssertUnwindSafe(|| operation.run(&bindings, &context)));
        self.notes = context.take_notes();
        self.left = context.take_left();
        self.kept = context.take_states();
        let went_on = context.went_on_from().and_then(|at| spared.get(at));
        self.spared = went_on.copied().unwrap_or_default();
        let result = result.unwrap_or_else(|panic| Err(fault_of(panic)));
        if let Err(Fault::Cancelled) = result {
            return Err(Fault::Cancelled);
        }
        self.verify(&context)?;
        result
    }

    /// What its plugin may use.
    pub(super) fn context<'c>(&self, progress: &'c (dyn Fn(Progress) + Sync)) -> Context<'c>
    where
        'a: 'c,
    {
        let Order {
            streams, member, ..
        } = *self.order;
        let Place { stop, store, .. } = *self.place;
        let digests = self.order.files.iter();
        let digests = digests.map(|(path, digest)| (text_path(path), *digest));
        let files = Files::expected(digests.collect(), Arc::clone(stop));
        let files = files.knowing(store.known_blocks());
        Context::new(streams, member, Arc::clone(stop), progress)
            .with_store(store)
            .with_shared(&*self.results.workers)
            .with_spare(&self.results.spare)
            .with_files(files)
    }

    /// Makes sure that what was read are the bytes of its key: its result and its complaints may
    /// come from others.
    pub(super) fn verify(&self, context: &Context<'_>) -> Result<(), Fault> {
        let verified = context.files().verify();
        if let Err(Fault::Changed(path)) = &verified {
            self.place.store.forget_file_digest(path);
        }
        verified
    }

    /// What an action made that ran before, made again.
    fn remake(&self, key: &Digest, title: &str) -> Result<AnyArtifact, Fault> {
        let order = self.remakes.iter().find(|order| order.key.digest == *key);
        let order = order.ok_or_else(|| {
            Fault::Bug(format!(
                "`{title}` is not stored, and no order makes it again"
            ))
        })?;
        let mut carrier = Carrier {
            reads: Reads::Once,
            ..Carrier::new(order, self.remakes, self.place, self.results)
        };
        carrier.compute(&|_| ())
    }

    /// The answer for what was carried out along with what it reads.
    fn made_along(&mut self) -> Option<Answer> {
        let key = self.order.is_along.then_some(&self.order.key.digest)?;
        let record = self.place.store.find(key)?;
        let cost = record.cost();
        (!record.is_diverged()).then_some(Answer {
            conclusion: Conclusion::Produced {
                seconds: record.seconds,
            },
            notes: record.notes,
            cost,
        })
    }

    /// After how many steps each of those that are carried out along with it wants the weights.
    fn wanted_states(&self) -> Option<States> {
        let every = self.order.along.iter().filter_map(|order| {
            let along = self.place.registry.get(&order.plugin)?;
            let along = along.declaration().along.as_ref()?;
            let every = match order.arguments.get(&along.every)?.value {
                Value::Int(every) => every as f64,
                Value::Float(every) => every,
                _ => return None,
            };
            (every >= 1.0).then_some(every as u64)
        });
        let every: Vec<u64> = every.collect();
        (!every.is_empty()).then(|| States::kept_every(every))
    }

    /// Carries out what reads the states that it went through. What fails here is carried out, and
    /// fails, in its own turn.
    fn carry_along(&mut self) {
        let Some(states) = self.kept.take() else {
            return;
        };
        for order in &self.order.along {
            if self.place.store.find(&order.key.digest).is_some() {
                continue;
            }
            let mut carrier = Carrier {
                given: Some(&states),
                ..Carrier::new(order, &[], self.place, self.results)
            };
            let _ = catch_unwind(AssertUnwindSafe(|| carrier.produce(&|_| ())));
        }
    }

    /// What shorter ones left, and how long each took.
    fn shorter(&self) -> Vec<(Arc<[u8]>, f64)> {
        let store = self.place.store;
        // What is carried out along with it needs all states.
        let keys = self.order.shorter.iter();
        let keys = keys.filter(|_| self.order.along.is_empty());
        let left = keys.filter_map(|key| {
            let record = store.find(key)?;
            let parts = store.load(&record).ok()?;
            Some((Arc::clone(parts.get(LEFT).ok()?), record.seconds))
        });
        left.collect()
    }

    /// Keeps what it left. Without it longer ones begin anew, so that nothing depends on it.
    fn save_left(&self, bytes: Vec<u8>) {
        let key = left_by(&self.order.key);
        let record = Record {
            key: key.digest,
            key_text: key.text,
            outcome: RecordedOutcome::Parts(BTreeMap::new()),
            notes: Vec::new(),
            seconds: self.seconds() + self.spared,
            host: self.place.host.to_owned(),
        };
        let parts = Parts::default().with(LEFT, bytes);
        let _ = self.place.store.save_soon(record, &parts);
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
    pub(super) fn operation(&self) -> Result<Arc<dyn Operation>, Fault> {
        let Order {
            plugin, version, ..
        } = self.order;
        let registry = self.place.registry;
        let provided = { self.order.provided.iter() }
            .find(|provided| provided.declaration.signature.name == *plugin);
        let operation = match (registry.shared(plugin), provided) {
            (Some(operation), _) => operation,
            (None, Some(provided)) => Arc::new(Foreign::of(provided, registry.makers())?),
            (None, None) => {
                return Err(Fault::Bug(format!("plugin `{plugin}` is not registered")));
            }
        };
        match operation.declaration().signature.version {
            found if found == *version => Ok(operation),
            found => Err(Fault::Environment(format!(
                "expected version {version} of plugin `{plugin}`, found {found}: another farcast"
            ))),
        }
    }

    /// Why an input that is read for one member is not there: the member diverged.
    pub(super) fn diverged_input(&self) -> Option<String> {
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

    /// What its fields are bound to; with the result of one that is given instead of read.
    pub(super) fn bindings_with(
        &self,
        given: Option<(&str, &AnyArtifact)>,
    ) -> Result<Bindings, Fault> {
        let mut inputs = BTreeMap::new();
        for input in &self.order.inputs {
            let given = given.filter(|(field, _)| *field == input.field);
            let members = match given {
                Some((_, given)) => vec![Some(Arc::clone(given))],
                None => self.members(input)?,
            };
            let loaded = Loaded {
                label: input.label.clone(),
                kind: input.kind,
                members,
            };
            inputs.insert((input.field.clone(), input.node), loaded);
        }
        Ok(Bindings {
            args: self.order.arguments.clone(),
            inputs,
        })
    }

    /// The results of an input; none where the member diverged.
    pub(super) fn members(&self, input: &OrderInput) -> Result<Vec<Option<AnyArtifact>>, Fault> {
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
        let OrderMember { key, title } = member;
        match self.reads {
            Reads::Kept => self.results.get_or_read(key, || self.stored(key, title)),
            Reads::Once => self.stored(key, title),
        }
    }

    /// The result of an action that ran before: read from the store, or made again.
    pub(super) fn stored(&self, key: &Digest, title: &str) -> Result<AnyArtifact, Fault> {
        let Place {
            registry, store, ..
        } = *self.place;
        let record = store.find(key).ok_or_else(|| {
            let message = format!("the stored result of `{title}` is gone: it is made again");
            Fault::Damaged(message)
        })?;
        match record.is_remade() {
            true => self.remake(key, title),
            false => registry.read(title, &record, store),
        }
    }

    fn save(&mut self, outcome: RecordedOutcome, parts: &Parts) -> Result<(), Fault> {
        let record = Record {
            key: self.order.key.digest,
            key_text: self.order.key.text.clone(),
            outcome,
            notes: self.notes.clone(),
            seconds: self.seconds() + self.spared,
            host: self.place.host.to_owned(),
        };
        self.cost = self.place.store.save_soon(record, parts)?.cost();
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

/// The fault that a network unwound with; anything else is a bug.
pub(super) fn fault_of(panic: Box<dyn Any + Send>) -> Fault {
    match panic.downcast::<Fault>() {
        Ok(fault) => *fault,
        Err(panic) => Fault::Bug(panic_text(&*panic)),
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
