//! `cargo xtask test`: everything.

use crate::error::TaskError;
use crate::stage::stage;
use crate::{conformance, crash, fuzz, process};

/// Run everything: unit and end-to-end tests, a few crashes, a short fuzzing, then the recorded cases where the corpora are at hand
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Leave out the recorded cases
    #[arg(long)]
    no_conformance: bool,
    /// Leave out the short fuzzing of the language, which takes a build of its own
    #[arg(long)]
    no_fuzz: bool,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), TaskError> {
    stage("build", process::build)?;
    stage("tests", || process::succeed(&mut process::cargo(&["test", "--workspace"])))?;
    stage("crash", crash::briefly)?;
    if !arguments.no_fuzz {
        stage("fuzz", fuzz::briefly)?;
    }
    if arguments.no_conformance {
        return Ok(());
    }
    stage("conformance", || conformance::run(&conformance::Arguments::check()))
}
