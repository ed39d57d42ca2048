//! Ctrl-C while an apply runs.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Folder, text};

const SLOW: &str = r#"
resource "terraform_data" "slow" {
  provisioner "local-exec" {
    command = "echo begun; sleep 1000"
  }
}

resource "terraform_data" "after" {
  input = terraform_data.slow.id
}
"#;

/// Applies, and interrupts as often as told when the command has begun.
fn interrupted(folder: &Folder, times: usize) -> Output {
    let arguments = ["apply", "-auto-approve", "-no-color"];
    let mut child = folder.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut printed = String::new();
    while !printed.ends_with("(local-exec): begun\n") {
        assert!(stdout.read_line(&mut printed).unwrap() > 0, "{printed}");
    }
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    for _ in 0..times {
        // The run may have come to its end after the first.
        let _ = kill_process(pid, Signal::INT);
    }
    stdout.read_to_string(&mut printed).unwrap();
    let output = child.wait_with_output().unwrap();
    Output { stdout: printed.into_bytes(), ..output }
}

#[test]
fn an_interrupt_ends_what_runs_saves_the_state_and_starts_nothing_new() {
    let folder = Folder::new(SLOW);
    let output = interrupted(&folder, 1);
    let printed = text(&output);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    for part in ["Interrupt received.", "Gracefully shutting down...", "Stopping operation...", "execution halted"] {
        assert!(printed.contains(part), "{part} is not in:\n{printed}");
    }
    assert!(!printed.contains("terraform_data.after: Creating"), "{printed}");
    assert!(folder.read("terraform.tfstate").contains("\"status\": \"tainted\""));
}

#[test]
fn after_two_interrupts_the_next_run_goes_on_where_they_struck() {
    let folder = Folder::new(SLOW);
    let output = interrupted(&folder, 2);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    folder.write("main.tf", &SLOW.replace("echo begun; sleep 1000", "true"));
    let again = folder.run(&["apply", "-auto-approve", "-no-color"]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again));
    let plan = folder.run(&["plan", "-detailed-exitcode"]);
    assert_eq!(plan.status.code(), Some(0), "{}", text(&plan));
}
