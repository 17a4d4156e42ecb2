//! What a process may touch, where the kernel can limit it: Linux by Landlock.
//!
//! It may write below the folder of its worker and where its description says, and open no TCP
//! connection. It reads what the user can, and UDP stays open: this limits damage, no more.

use std::io;
use std::path::Path;
use std::process::{Child, Command};

use super::manifest::Program;

/// Starts a process that may write below `home` and where its description says.
#[cfg(target_os = "linux")]
pub fn spawn(mut command: Command, program: &Program, home: &Path) -> io::Result<Child> {
    // Limits hold for a thread and what it starts: so one is made for the start alone.
    let places = places(program, home);
    let start = move || {
        // A kernel without it limits nothing.
        let _ = limit(&places);
        command.spawn()
    };
    let started = std::thread::spawn(start).join();
    started.unwrap_or_else(|_| Err(io::Error::other("the thread that starts it panicked")))
}

/// Starts a process that may do what the user may.
#[cfg(not(target_os = "linux"))]
pub fn spawn(mut command: Command, _: &Program, _: &Path) -> io::Result<Child> {
    command.spawn()
}

/// Where it may write.
#[cfg(target_os = "linux")]
fn places(program: &Program, home: &Path) -> Vec<std::path::PathBuf> {
    let folder = program.folder();
    let own = program.runner.writes.iter().map(|place| folder.join(place));
    let devices = [
        "/dev/null",
        "/dev/zero",
        "/dev/full",
        "/dev/shm",
        "/dev/tty",
    ];
    let devices = devices.into_iter().map(std::path::PathBuf::from);
    own.chain(devices).chain([home.to_owned()]).collect()
}

#[cfg(target_os = "linux")]
fn limit(places: &[std::path::PathBuf]) -> Result<(), landlock::RulesetError> {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
        RulesetAttr, RulesetCreatedAttr,
    };
    let abi = ABI::V4;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_write(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .create()?;
    for place in places {
        // What does not exist cannot be written to.
        let Ok(opened) = PathFd::new(place) else {
            continue;
        };
        let access = match place.is_dir() {
            true => AccessFs::from_write(abi),
            false => AccessFs::from_file(abi) & AccessFs::from_write(abi),
        };
        rules = rules.add_rule(PathBeneath::new(opened, access))?;
    }
    rules.restrict_self().map(drop)
}
