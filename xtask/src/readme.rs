//! `cargo xtask readme`.

use localstack_tests::{HarnessError, Tool, readme, workspace::repository};

use crate::error::TaskError;
use crate::process;

/// Bring the README's table of resource types to what the binary has
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// Runs the command.
pub fn run(_: &Arguments) -> Result<(), TaskError> {
    process::build()?;
    let path = repository().join("README.md");
    let text = std::fs::read_to_string(&path).map_err(HarnessError::file(&path))?;
    let current = readme::with_table(&Tool::windlass()?, &text)?;
    if current != text {
        std::fs::write(&path, current).map_err(HarnessError::file(&path))?;
    }
    Ok(())
}
