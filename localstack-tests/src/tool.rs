//! The binary under test, or Terraform beside it, run in an environment that holds only what a test put there.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::HarnessError;

/// A program with Terraform's command line.
#[derive(Debug, Clone)]
pub struct Tool {
    program: PathBuf,
    /// Variables that this program needs beside a test's own.
    environment: Vec<(&'static str, OsString)>,
}

impl Tool {
    /// The binary under test: `WINDLASS_BIN`, or `windlass` in the target folder that the running executable is in.
    pub fn windlass() -> Result<Tool, HarnessError> {
        if let Some(named) = std::env::var_os("WINDLASS_BIN").filter(|value| !value.is_empty()) {
            let named = PathBuf::from(named);
            // a bare name is looked up, so that the harness can be tried with `WINDLASS_BIN=terraform`
            let program = if named.components().count() == 1 { find(&named).unwrap_or(named) } else { named };
            return Tool::at(program);
        }
        let running = std::env::current_exe().map_err(HarnessError::file("/proc/self/exe"))?;
        let folder = running.parent().filter(|folder| !folder.ends_with("deps")).or_else(|| running.parent()?.parent());
        Tool::at(folder.unwrap_or(Path::new(".")).join("windlass"))
    }

    /// Terraform, if it is installed together with a mirror of its AWS provider, which `TF_CLI_CONFIG_FILE` names: no test
    /// downloads one.
    pub fn terraform() -> Option<Tool> {
        std::env::var_os("TF_CLI_CONFIG_FILE").filter(|value| !value.is_empty())?;
        Tool::installed("terraform")
    }

    /// A program in one of the folders that `PATH` names.
    pub fn installed(name: &str) -> Option<Tool> {
        Tool::at(find(Path::new(name))?).ok()
    }

    /// The program at a path.
    pub fn at(program: PathBuf) -> Result<Tool, HarnessError> {
        if !program.is_file() {
            return Err(HarnessError::NoBinary { path: program });
        }
        let mut environment = Vec::new();
        if program.file_name().is_some_and(|name| name == "terraform") {
            environment.push(("CHECKPOINT_DISABLE", OsString::from("1")));
            if let Some(file) = std::env::var_os("TF_CLI_CONFIG_FILE") {
                environment.push(("TF_CLI_CONFIG_FILE", file));
            }
        }
        Ok(Tool { program, environment })
    }

    /// Where the program is.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Whether this is Terraform itself: some promises are ours alone.
    pub fn is_terraform(&self) -> bool {
        self.program.file_name().is_some_and(|name| name == "terraform")
    }

    /// The program with a cleared environment but for `HOME`, the width and what `environment` says; no input.
    pub fn command(&self, folder: &Path, home: &Path, environment: &[(String, String)], arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(folder).stdin(Stdio::null()).env_clear();
        // Terraform starts its provider by path, ours starts nothing; what a configuration starts is in the usual places.
        command
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", home)
            .env("COLUMNS", "120")
            .env("LC_ALL", "C.UTF-8");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

fn find(name: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The command line, for messages.
    pub command: String,
    /// Exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    pub(crate) fn new(command: String, output: Output) -> Outcome {
        Outcome {
            command,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Waits for a program that was started with its output piped.
    pub fn wait(command: &str, child: Child) -> Result<Outcome, HarnessError> {
        Ok(Outcome::new(command.to_owned(), child.wait_with_output().map_err(HarnessError::run(command))?))
    }

    /// Both streams, as a terminal would show them.
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Fails the test unless the exit code is `code`, and shows what was printed.
    #[track_caller]
    pub fn expect(self, code: i32) -> Outcome {
        assert!(
            self.code == Some(code),
            "`{}` ended with {:?}, not {code}\n--- stdout\n{}\n--- stderr\n{}",
            self.command,
            self.code,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Fails the test unless the output has `part`, however its lines are broken.
    #[track_caller]
    pub fn shows(&self, part: &str) -> &Outcome {
        let flat = flatten(&self.text());
        assert!(flat.contains(&flatten(part)), "`{}` does not show {part:?}:\n{}", self.command, self.text());
        self
    }
}

/// Without the frames around diagnostics, and with each run of white space as one space.
fn flatten(text: &str) -> String {
    let words = text.split(|character: char| character.is_whitespace() || "│╷╵".contains(character));
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
