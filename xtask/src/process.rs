//! Runs programs on the user's terminal.

use std::ffi::OsStr;
use std::process::{Command, ExitStatus};

use localstack_tests::{HarnessError, workspace::repository};

use crate::error::TaskError;

/// cargo, in the repository.
pub fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(repository());
    command
}

/// Builds everything, once for demo, tests and benchmark: the whole workspace in one profile. Building one package alone
/// would choose other features of shared dependencies, and compile the cloud SDKs a second time.
pub fn build() -> Result<(), TaskError> {
    succeed(&mut cargo(&["build", "--workspace"]))
}

/// Runs a command to its end; anything but success is an error.
pub fn succeed(command: &mut Command) -> Result<(), TaskError> {
    let status = status(command)?;
    if status.success() { Ok(()) } else { Err(failed(command, status)) }
}

/// Runs a command to its end, whatever that is.
pub fn status(command: &mut Command) -> Result<ExitStatus, TaskError> {
    command.status().map_err(|error| HarnessError::run(line(command))(error).into())
}

/// The error for a command that ended otherwise than it should have.
pub fn failed(command: &Command, status: ExitStatus) -> TaskError {
    TaskError::Failed { command: line(command), status: status.to_string() }
}

/// The command line, with the program's name instead of its path.
pub fn line(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
