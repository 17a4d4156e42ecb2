//! Plugins as WebAssembly modules: the same call and the same bytes as for a process, in memory.
//!
//! A module exports `memory` and `call(length) -> status`, where `length` is that of the call's
//! line, and imports from `farcast` what it uses of `read`, `write`, `fault`, `progress` and
//! `note`. There is no clock, no file of the machine and no network, so it needs no trust; fuel
//! and memory are limited. Floating point is that of the standard: equal bytes everywhere.

use std::collections::BTreeMap;

use wasmi::{
    Caller, Config, Engine, Error, Extern, Linker, Memory, Module, Store, StoreLimits,
    StoreLimitsBuilder, TypedResumableCall,
};

use super::wire::Told;
use crate::error::Fault;
use crate::plugin::Context;
use crate::reasons::reason;

/// The name under which a module reads the line of its call.
pub const CALL: &str = "call.json";

/// How much runs before the run is asked whether it goes on.
const SLICE: u64 = 100_000_000;

/// The most notes of a call, and the most letters of each.
const NOTES: usize = 200;
const NOTE_LETTERS: usize = 4000;

/// What a module may use.
pub struct Limits {
    /// Instructions, about.
    pub fuel: u64,
    /// Bytes of memory.
    pub memory: usize,
    /// Bytes of a result.
    pub result: usize,
}

/// A module, ready to be called.
pub struct Wasm {
    engine: Engine,
    module: Module,
}

/// What is shared with the running module.
struct ModuleState {
    files: BTreeMap<String, Vec<u8>>,
    written: BTreeMap<String, Vec<u8>>,
    room: usize,
    fault: Option<String>,
    notes: Vec<String>,
    progress: Option<(u64, u64, Option<f64>)>,
    limits: StoreLimits,
}

/// How a call ended.
pub enum Ended {
    /// The files it wrote.
    Written(BTreeMap<String, Vec<u8>>),
    /// A fault that it told.
    Told(Told),
    /// It did not keep to the protocol, or its limits.
    Wrong(String),
}

impl Wasm {
    /// The module in these bytes.
    ///
    /// # Errors
    /// Why it is none, in one line.
    pub fn new(bytes: &[u8]) -> Result<Self, String> {
        let mut config = Config::default();
        config.consume_fuel(true);
        let engine = Engine::new(&config);
        let module = Module::new(&engine, bytes).map_err(|error| one_line(&error))?;
        Ok(Self { engine, module })
    }

    /// Calls it with files; a new instance each time, so no call knows of another.
    ///
    /// # Errors
    /// [`Fault::Cancelled`].
    pub fn call(
        &self,
        files: BTreeMap<String, Vec<u8>>,
        limits: &Limits,
        context: &Context<'_>,
    ) -> Result<Ended, Fault> {
        let length = files.get(CALL).map_or(0, Vec::len);
        let state = ModuleState {
            files,
            written: BTreeMap::new(),
            room: limits.result,
            fault: None,
            notes: Vec::new(),
            progress: None,
            limits: StoreLimitsBuilder::new()
                .memory_size(limits.memory)
                .instances(1)
                .build(),
        };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limits);
        let mut left = limits.fuel;
        let mut refuel = |store: &mut Store<ModuleState>| {
            let slice = left.min(SLICE);
            left -= slice;
            // It is configured to consume fuel.
            let _ = store.set_fuel(store.get_fuel().unwrap_or(0).saturating_add(slice));
            slice > 0
        };
        refuel(&mut store);
        let linker = match linker(&self.engine) {
            Ok(linker) => linker,
            Err(error) => return Err(Fault::Bug(one_line(&error))),
        };
        let instance = match linker.instantiate_and_start(&mut store, &self.module) {
            Ok(instance) => instance,
            Err(error) => {
                return Ok(Ended::Wrong(format!(
                    "cannot be started: {}",
                    one_line(&error)
                )));
            }
        };
        let function = match instance.get_typed_func::<i32, i32>(&store, "call") {
            Ok(function) => function,
            Err(_) => {
                let why = "exports no function `call` that takes and returns an i32";
                return Ok(Ended::Wrong(why.to_owned()));
            }
        };
        let mut running = function.call_resumable(&mut store, length as i32);
        let status = loop {
            context.check_stop()?;
            let state = store.data_mut();
            state.notes.drain(..).for_each(|note| context.note(note));
            if let Some((done, total, loss)) = state.progress.take() {
                context.progress(done, total, loss);
            }
            running = match running {
                Ok(TypedResumableCall::Finished(status)) => break status,
                Ok(TypedResumableCall::OutOfFuel(call)) => {
                    let needs = call.required_fuel();
                    let has_more = refuel(&mut store);
                    let is_enough = store.get_fuel().is_ok_and(|fuel| fuel >= needs);
                    if !has_more || !is_enough {
                        let why = format!("took more than {} instructions (`fuel`)", limits.fuel);
                        return Ok(Ended::Wrong(why));
                    }
                    call.resume(&mut store)
                }
                Ok(TypedResumableCall::HostTrap(_)) => {
                    return Ok(Ended::Wrong("failed in a call of farcast".to_owned()));
                }
                Err(error) => {
                    if let Some(told) = told(&mut store) {
                        return Ok(told);
                    }
                    return Ok(Ended::Wrong(format!("failed: {}", one_line(&error))));
                }
            };
        };
        let ended = told(&mut store);
        let state = store.into_data();
        Ok(match ended {
            Some(told) => told,
            None if status == 0 => Ended::Written(state.written),
            None => Ended::Wrong(format!("returned {status} and told no fault")),
        })
    }
}

/// The fault that the module told, if any.
fn told(store: &mut Store<ModuleState>) -> Option<Ended> {
    let text = store.data_mut().fault.take()?;
    Some(match serde_json::from_str(&text) {
        Ok(told) => Ended::Told(told),
        Err(error) => Ended::Wrong(format!("told a fault that is none: {}", reason(&error))),
    })
}

fn one_line(error: &Error) -> String {
    error.to_string().replace('\n', ", ")
}

/// Text or bytes in the memory of a module.
fn bytes(caller: &Caller<'_, ModuleState>, at: i32, length: i32) -> Result<Vec<u8>, Error> {
    let memory = memory(caller)?;
    let start = at as u32 as usize;
    let end = start.checked_add(length as u32 as usize);
    let found = end.and_then(|end| memory.data(caller).get(start..end));
    let found = found.ok_or_else(|| Error::new("an address beyond the memory"))?;
    Ok(found.to_vec())
}

fn text(caller: &Caller<'_, ModuleState>, at: i32, length: i32) -> Result<String, Error> {
    String::from_utf8(bytes(caller, at, length)?).map_err(|_| Error::new("text that is not UTF-8"))
}

fn memory(caller: &Caller<'_, ModuleState>) -> Result<Memory, Error> {
    match caller.get_export("memory") {
        Some(Extern::Memory(memory)) => Ok(memory),
        _ => Err(Error::new("the module exports no `memory`")),
    }
}

fn linker(engine: &Engine) -> Result<Linker<ModuleState>, Error> {
    let mut linker = Linker::new(engine);
    // Copies up to `length` bytes of a file from `offset`; returns its size, -1 without it.
    linker.func_wrap(
        "farcast",
        "read",
        |mut caller: Caller<'_, ModuleState>,
         name: i32,
         name_length: i32,
         offset: i64,
         to: i32,
         length: i32|
         -> Result<i64, Error> {
            let name = text(&caller, name, name_length)?;
            let memory = memory(&caller)?;
            let (memory, state) = memory.data_and_store_mut(&mut caller);
            let Some(file) = state.files.get(&name) else {
                return Ok(-1);
            };
            let start = usize::try_from(offset)
                .unwrap_or(usize::MAX)
                .min(file.len());
            let count = (length as u32 as usize).min(file.len() - start);
            let to = to as u32 as usize;
            let target = to
                .checked_add(count)
                .and_then(|end| memory.get_mut(to..end));
            let target = target.ok_or_else(|| Error::new("an address beyond the memory"))?;
            target.copy_from_slice(&file[start..start + count]);
            Ok(file.len() as i64)
        },
    )?;
    // Appends to a file of the result.
    linker.func_wrap(
        "farcast",
        "write",
        |mut caller: Caller<'_, ModuleState>,
         name: i32,
         name_length: i32,
         from: i32,
         length: i32|
         -> Result<(), Error> {
            let name = text(&caller, name, name_length)?;
            if !matches!(name.as_str(), "result.json" | "result.safetensors") {
                return Err(Error::new(format!("a result has no file `{name}`")));
            }
            let data = bytes(&caller, from, length)?;
            let state = caller.data_mut();
            let room = state.room.checked_sub(data.len());
            state.room = room.ok_or_else(|| Error::new("the result is too large (`largest`)"))?;
            state.written.entry(name).or_default().extend(data);
            Ok(())
        },
    )?;
    linker.func_wrap(
        "farcast",
        "fault",
        |mut caller: Caller<'_, ModuleState>, at: i32, length: i32| -> Result<(), Error> {
            let told = text(&caller, at, length)?;
            caller.data_mut().fault = Some(told);
            Ok(())
        },
    )?;
    linker.func_wrap(
        "farcast",
        "progress",
        |mut caller: Caller<'_, ModuleState>, done: i64, total: i64, loss: f64| {
            let loss = loss.is_finite().then_some(loss);
            caller.data_mut().progress = Some((done.unsigned_abs(), total.unsigned_abs(), loss));
        },
    )?;
    linker.func_wrap(
        "farcast",
        "note",
        |mut caller: Caller<'_, ModuleState>, at: i32, length: i32| -> Result<(), Error> {
            let note = text(&caller, at, length)?;
            let notes = &mut caller.data_mut().notes;
            if notes.len() >= NOTES || note.len() > NOTE_LETTERS {
                return Err(Error::new("too many notes, or one that is too long"));
            }
            notes.push(note);
            Ok(())
        },
    )?;
    Ok(linker)
}
