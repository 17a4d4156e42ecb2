//! The shared stores that a command uses, and the key of whoever runs it.

use engine::digest::Digest;
use engine::error::Fault;
use engine::remote::{Look, Remote, SecretKey, Shared};
use engine::store::DirStore;

use crate::args::RunOptions;
use crate::exit::Abort;
use crate::settings::Settings;
use crate::stored_run::report_fault;
use crate::terminal::Terminal;
use crate::trusted::{Trusted, config_folder};

/// Whether the shared stores of `farcast.toml` are used without having been agreed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Only those that `farcast trust` has named.
    Asked,
    /// All, this time.
    Given,
}

/// The store of a run, with what the shared stores have now.
pub fn listed<'a>(
    store: &'a DirStore,
    settings: &Settings,
    options: &RunOptions,
    terminal: &Terminal,
) -> Shared<'a> {
    let consent = match options.trust {
        true => Consent::Given,
        false => Consent::Asked,
    };
    let shared = shared(store, settings, consent, Look::Listed, terminal);
    if options.retry_diverged {
        shared.forget_diverged();
    }
    shared
}

/// The store with the shared stores behind it; what there is to know of them is printed.
pub fn shared<'a>(
    store: &'a DirStore,
    settings: &Settings,
    consent: Consent,
    look: Look,
    terminal: &Terminal,
) -> Shared<'a> {
    let used = used(settings, consent, terminal);
    let own = match used.is_empty() {
        true => None,
        false => own_key().ok().flatten().map(|key| key.public()),
    };
    let (shared, notes) = Shared::open(store, &used, own.as_ref(), look);
    for note in notes {
        terminal.note(note);
    }
    shared
}

/// The shared stores that the user has agreed to; a `farcast.toml` may be a stranger's.
fn used(settings: &Settings, consent: Consent, terminal: &Terminal) -> Vec<Remote> {
    if settings.remotes.is_empty() {
        return Vec::new();
    }
    let trusted = Trusted::read();
    let is_used = |remote: &&Remote| {
        let is_used = consent == Consent::Given || trusted.has(&remote.identity());
        if !is_used {
            let Remote { name, address, .. } = remote;
            terminal.note(format!(
                "`{name}` is not used: `farcast trust {name}` lets results come from `{address}`"
            ));
        }
        is_used
    };
    settings.remotes.iter().filter(is_used).cloned().collect()
}

/// The shared store of this name; without a name, the only one.
pub fn named<'a>(
    name: Option<&str>,
    settings: &'a Settings,
    terminal: &Terminal,
) -> Result<&'a Remote, Abort> {
    let remotes = &settings.remotes;
    let names = || remotes.iter().map(|remote| remote.name.as_str());
    let found = match name {
        Some(name) => remotes.iter().find(|remote| remote.name == name),
        None if remotes.len() == 1 => remotes.first(),
        None => None,
    };
    found.ok_or_else(|| {
        let listed: Vec<String> = names().map(|name| format!("`{name}`")).collect();
        terminal.error(match name {
            Some(name) => format!("there is no shared store `{name}` in farcast.toml"),
            None if remotes.is_empty() => "farcast.toml names no shared store".to_owned(),
            None => "which shared store is meant?".to_owned(),
        });
        if let Some(near) = name.and_then(|name| dsl::nearest(name, names())) {
            terminal.say(format!("  = help: did you mean `{near}`?"));
        }
        terminal.say(match listed.is_empty() {
            true => "  = help: [remote.team]\n          url = \"/shared/farcast\"".to_owned(),
            false => format!("  = help: shared stores: {}", listed.join(", ")),
        });
        Abort::Usage
    })
}

/// Agrees to use a shared store, or no longer.
pub fn trust(remote: &Remote, withdraw: bool, terminal: &Terminal) -> Result<(), Abort> {
    let Remote { name, address, .. } = remote;
    let identity: Digest = remote.identity();
    let mut trusted = Trusted::read();
    let kept = match withdraw {
        true => trusted.remove(&identity),
        false => trusted.add(identity, &format!("remote {name} {address}")),
    };
    kept.map_err(|fault| report_fault(&fault, terminal))?;
    terminal.say(match withdraw {
        true => format!("`{name}` is used no longer: `{address}`"),
        false => format!(
            "results may come from `{name}`: `{address}`, until its address or its `trust` changes"
        ),
    });
    Ok(())
}

/// The key that signs what this user uploads, where there is one.
fn own_key() -> Result<Option<SecretKey>, Fault> {
    match config_folder() {
        Some(folder) => SecretKey::read(&folder.join("key")),
        None => Ok(None),
    }
}

/// The same, made where there is none.
pub fn signing_key() -> Result<SecretKey, Fault> {
    let folder = config_folder();
    let missing = || Fault::Environment("no folder for settings: set `HOME`".to_owned());
    SecretKey::read_or_make(&folder.ok_or_else(missing)?.join("key"))
}
