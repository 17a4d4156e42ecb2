//! Links the program at a fixed address.
//!
//! Loaded anywhere, as is the default, it has 180 000 addresses to mend before it starts, which
//! takes longer than all else in a short command. What the system still places at random:
//! heap, stacks and libraries.

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |what: &str, wanted: &str| var(what).is_ok_and(|found| found == wanted);
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
