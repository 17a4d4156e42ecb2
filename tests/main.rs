//! The program as its users meet it: one binary of tests over whole runs.

mod bundles;
mod commands;
mod config;
mod crashes;
mod damage;
mod editors;
mod elsewhere;
mod executors;
mod explain;
mod farcast;
mod imports;
mod interrupts;
mod kills;
mod lsp;
mod memory;
mod mistakes;
mod ocean;
mod paths;
mod readme;
mod records;
mod runs;
mod store;
mod sweeps;
mod terminal;
mod tidy;
mod tutorial;
