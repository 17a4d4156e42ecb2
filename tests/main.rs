//! The program as its users meet it: one binary of tests over whole runs.

mod commands;
mod crashes;
mod farcast;
mod mistakes;
mod ocean;
mod readme;
mod runs;
mod tidy;
