//! The experiment of a command.

use std::path::PathBuf;

use clap::Args;

use super::values::setting;

// An experiment and the params set in it.
#[derive(Debug, Args)]
pub struct ExperimentArgs {
    /// The experiment file.
    pub file: PathBuf,
    /// Set a `param`; may be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    pub settings: Vec<(String, String)>,
}
