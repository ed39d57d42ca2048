//! The built binary, run in a folder and an environment of its own, without any cloud.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arguments;
mod checks;
mod colors;
mod deferral;
mod destroying;
mod encryption;
mod faults;
mod formatting;
mod graphs;
mod initializing;
mod interrupts;
mod logins;
mod logs;
mod outputs;
mod planning;
mod providers;
mod refresh;
mod saved_plans;
mod shells;
mod state_moves;
mod validation;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder with a configuration.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(main: &str) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        folder.write("main.tf", main);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_BIN_EXE_windlass")));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.0.path());
        command.env("NO_COLOR", "1");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn run_with_input(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }
}

/// What a run printed, standard output first.
fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
