//! `cargo xtask bench`: measures, prints ratios to Terraform where that is installed, asserts nothing.

mod example;
mod locks;
pub mod planner;
mod states;

use std::path::Path;

use localstack_tests::{HarnessError, Outcome, Tool};

use crate::error::TaskError;
use crate::process;
use crate::stage::stage;

/// Measure time and memory, against Terraform where it is installed
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    subject: Option<Subject>,
    /// Runs of each plan; the median counts
    #[arg(long, default_value_t = 5, global = true)]
    runs: usize,
    /// Measure a release build (a build of its own, about 20 minutes on two cores); `planner` always does, for what it shows is our code alone
    #[arg(long, global = true)]
    release: bool,
}

/// What is measured; `example` if nothing is named.
#[derive(Debug, clap::Subcommand)]
enum Subject {
    /// Plan, apply and plan again examples/eks on the local emulator
    Example,
    Planner(planner::Arguments),
    States(states::Arguments),
    /// Applies of disjoint parts of one state in PostgreSQL, one after the other and side by side
    Locks,
    /// Parsing, formatting and evaluation, in a release build of the language alone; compares with hcl-edit, too
    Lang,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), TaskError> {
    let chosen = || binary(arguments.release);
    match &arguments.subject {
        None | Some(Subject::Example) => example::run(&chosen()?, arguments.runs),
        Some(Subject::Planner(planner)) => planner::run(&binary(true)?, arguments.runs, planner),
        Some(Subject::States(states)) => states::run(&chosen()?, states),
        Some(Subject::Locks) => locks::run(&chosen()?),
        Some(Subject::Lang) => {
            process::succeed(&mut process::cargo(&["bench", "--quiet", "--package", "lang", "--bench", "speed"]))
        }
    }
}

/// The binary to measure: the one that `WINDLASS_BIN` names, or a build.
fn binary(release: bool) -> Result<Tool, TaskError> {
    if std::env::var_os("WINDLASS_BIN").is_some_and(|named| !named.is_empty()) {
        return Ok(Tool::windlass()?);
    }
    if !release {
        stage("build", process::build)?;
        return Ok(Tool::windlass()?);
    }
    stage("build", || process::succeed(&mut process::cargo(&["build", "--workspace", "--release"])))?;
    release_build()
}

/// The release build, beside the build that this runs in.
pub fn release_build() -> Result<Tool, TaskError> {
    let running = std::env::current_exe().map_err(HarnessError::file("/proc/self/exe"))?;
    let target = running.parent().and_then(|folder| folder.parent());
    Ok(Tool::at(target.unwrap_or(Path::new(".")).join("release/windlass"))?)
}

fn time(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1000.0) } else { format!("{seconds:.2} s") }
}

fn size(kibibytes: f64) -> String {
    format!("{:.0} MiB", kibibytes / 1024.0)
}

/// An error for a run that has failed, which is shown.
fn succeeded(outcome: Outcome) -> Result<(), TaskError> {
    if outcome.code == Some(0) {
        return Ok(());
    }
    eprint!("{}", outcome.text());
    let status = outcome.code.map_or_else(|| "a signal".to_owned(), |code| format!("exit status {code}"));
    Err(TaskError::from(HarnessError::Run { program: outcome.command, source: std::io::Error::other(status) }))
}
