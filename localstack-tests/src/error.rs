//! What can go wrong in the harness itself.

use std::path::PathBuf;

/// A failure of the harness, never of the binary under test.
#[derive(Debug, thiserror::Error)]
pub enum HarnessError {
    /// A file or folder could not be read, written or locked.
    #[error("cannot use `{path}`")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A program could not be started or waited for.
    #[error("cannot run `{program}`")]
    Run {
        /// Its name or path.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// A step of the emulator's installation ended with an error.
    #[error(
        "`{step}` failed\n{output}\nhint: the emulator needs python3 (3.10 or newer) with its venv module, on Debian: apt install python3-venv"
    )]
    Install {
        /// The command.
        step: String,
        /// What it printed.
        output: String,
    },
    /// The emulator ended before it reported its port.
    #[error("the emulator did not start\n{output}")]
    NoEmulator {
        /// What it printed.
        output: String,
    },
    /// The binary under test is not there.
    #[error(
        "`{path}` does not exist\nhint: build it with `cargo build --workspace`, or name another with WINDLASS_BIN"
    )]
    NoBinary {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The README's table could not be made.
    #[error("cannot make the README's table of resource types: {reason}")]
    Readme {
        /// Why.
        reason: String,
    },
    /// A request to the emulator failed, or had an answer that makes no sense.
    #[error("request `{request}` failed: {reason}")]
    Request {
        /// Service and action.
        request: String,
        /// Why.
        reason: String,
    },
    /// The emulator that the whole test binary shares had failed to start before.
    #[error("{0}")]
    Shared(String),
}

impl HarnessError {
    /// Adds the path to an I/O error; for `map_err`.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> HarnessError {
        let path = path.into();
        move |source| HarnessError::File { path, source }
    }

    /// Adds the program's name to an I/O error; for `map_err`.
    pub fn run(program: impl Into<String>) -> impl FnOnce(std::io::Error) -> HarnessError {
        let program = program.into();
        move |source| HarnessError::Run { program, source }
    }

    /// The message with those of its sources, for people.
    pub fn full(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        text
    }
}
