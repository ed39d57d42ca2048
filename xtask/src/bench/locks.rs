//! `cargo xtask bench locks`: applies of disjoint parts of one state in PostgreSQL, one after the other and side by side.
//!
//! What they make waits without working, as a cloud lets one wait: so what is measured is who keeps whom waiting.

use std::fmt::Write;
use std::process::Child;
use std::time::Instant;

use localstack_tests::{Outcome, Postgres, Tool, Workspace};

use super::{succeeded, time};
use crate::error::TaskError;
use crate::stage::stage;

/// How many applies.
const APPLIES: usize = 8;
/// How many seconds each resource takes to be made.
const SECONDS: usize = 5;

const INIT: &[&str] = &["init", "-no-color", "-input=false"];
const APPLY: &[&str] = &["apply", "-no-color", "-input=false", "-auto-approve", "-lock-timeout=600s"];

/// Runs the command.
pub fn run(tool: &Tool) -> Result<(), TaskError> {
    let Some(server) = Postgres::start()? else { return Ok(()) };
    let alone = stage("one after the other", || {
        let runners = runners(tool, &server, "alone")?;
        let start = Instant::now();
        for (number, runner) in runners.iter().enumerate() {
            succeeded(Outcome::wait("apply", begin(tool, runner, number)?)?)?;
        }
        Ok(start.elapsed().as_secs_f64())
    })?;
    let together = stage("side by side", || {
        let runners = runners(tool, &server, "together")?;
        let start = Instant::now();
        let started = runners.iter().enumerate().map(|(number, runner)| begin(tool, runner, number));
        for apply in started.collect::<Result<Vec<_>, _>>()? {
            succeeded(Outcome::wait("apply", apply)?)?;
        }
        Ok(start.elapsed().as_secs_f64())
    })?;
    println!("\n{APPLIES} applies, each of a resource of its own that takes {SECONDS} s, of one state in PostgreSQL");
    println!("{:<28}{:>12}", "one after the other", time(alone));
    println!("{:<28}{:>12}{:>10}", "side by side", time(together), format!("{:.2}x", together / alone));
    Ok(())
}

/// Directories of one configuration, whose state is in a schema.
fn runners(tool: &Tool, server: &Postgres, schema: &str) -> Result<Vec<Workspace>, TaskError> {
    let address = server.address();
    let mut text = format!(
        "terraform {{\n  backend \"pg\" {{\n    conn_str = {address:?}\n    schema_name = {schema:?}\n  }}\n}}\n"
    );
    for number in 0..APPLIES {
        // writing to a string does not fail
        let _ = writeln!(
            text,
            "resource \"terraform_data\" \"r{number}\" {{\n  provisioner \"local-exec\" {{\n    command = \"sleep {SECONDS}\"\n  \
             }}\n}}"
        );
    }
    let runner = |_| {
        let workspace = Workspace::offline()?;
        workspace.write("main.tf", &text)?;
        succeeded(workspace.run(tool, INIT)?)?;
        Ok(workspace)
    };
    (0..APPLIES).map(runner).collect()
}

/// Begins to make one of the resources.
fn begin(tool: &Tool, runner: &Workspace, number: usize) -> Result<Child, TaskError> {
    let target = format!("-target=terraform_data.r{number}");
    Ok(runner.start(tool, &[APPLY, &[target.as_str()]].concat())?)
}
