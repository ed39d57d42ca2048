//! What the command line talks to: arguments' surroundings, streams, terminals.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use crate::args::groups::GivenVariable;

/// The streams of a run.
pub struct Io {
    /// Where results go.
    pub stdout: Box<dyn Write + Send>,
    /// Where errors go.
    pub stderr: Box<dyn Write + Send>,
    /// Where answers come from.
    pub stdin: Box<dyn BufRead + Send>,
    /// Whether `stdin` is a terminal.
    pub stdin_is_terminal: bool,
    /// Whether `stdout` is a terminal.
    pub stdout_is_terminal: bool,
    /// Columns of the terminal, or 78.
    pub columns: usize,
}

/// Environment variables and the working directory.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// The variables.
    pub variables: BTreeMap<String, String>,
    /// The working directory when the run began.
    pub working_directory: PathBuf,
    /// The `-var` and `-var-file` flags of the command, once it is known.
    pub flags: Arc<OnceLock<Vec<GivenVariable>>>,
}

/// The system's message without its number, in Go's lower case.
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

impl Environment {
    /// Takes the `-var` and `-var-file` flags of the command, which the `encryption` block may refer to.
    pub fn give(&self, flags: &[GivenVariable]) {
        self.flags.get_or_init(|| flags.to_vec());
    }

    /// These flags.
    pub fn given(&self) -> &[GivenVariable] {
        self.flags.get().map(Vec::as_slice).unwrap_or_default()
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// The folder of what a working directory keeps between runs (`.terraform`, `TF_DATA_DIR`).
    pub fn data_dir(&self) -> PathBuf {
        PathBuf::from(self.get("TF_DATA_DIR").unwrap_or(".terraform"))
    }

    /// What runs provisioners, with what they take from the environment.
    pub fn provisioners(&self) -> provisioners::Builtin {
        let path = |name: &str| self.get(name).map(PathBuf::from);
        provisioners::Builtin { agent: path("SSH_AUTH_SOCK"), home: path("HOME") }
    }

    /// Whether hints about commands to run are unwanted.
    pub fn in_automation(&self) -> bool {
        self.get("TF_IN_AUTOMATION").is_some()
    }

    /// Whether nobody is there to answer (`TF_INPUT=0`).
    pub fn input_disabled(&self) -> bool {
        matches!(self.get("TF_INPUT"), Some("0" | "f" | "F" | "false" | "FALSE" | "False"))
    }
}
