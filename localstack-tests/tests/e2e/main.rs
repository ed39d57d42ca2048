//! The built binary against an emulator. One test binary, so that linking is paid once and one emulator serves all tests;
//! each has an account and a folder of its own.
//!
//! `WINDLASS_BIN=terraform` runs the same tests with Terraform, which shows that it is the binary that they test and not
//! the harness; what only windlass promises is left out then.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod agreement;
mod bad_input;
mod calls;
mod clients;
mod crash;
mod drift;
mod gcs_states;
mod harness;
mod left_values;
mod lifecycle;
mod locks;
mod logs;
mod many_at_once;
mod readme;
mod recovery;
mod s3_states;
mod shared_states;

use localstack_tests::{Account, Emulator, Tool, Workspace};

/// The binary under test, and a fresh account on the shared emulator.
fn setup() -> (Tool, Account) {
    (tool(), account())
}

fn tool() -> Tool {
    Tool::windlass().unwrap_or_else(|error| panic!("{}", error.full()))
}

fn account() -> Account {
    Emulator::shared().unwrap_or_else(|error| panic!("{}", error.full())).account()
}

/// The example in a folder of its own, initialised.
fn example(tool: &Tool, account: &Account) -> Workspace {
    let workspace = Workspace::example(account, "eks").unwrap();
    workspace.run(tool, &["init", "-input=false", "-no-color"]).unwrap().expect(0);
    workspace
}
