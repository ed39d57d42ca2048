//! `cargo xtask bench example`: windlass and Terraform on the same stack and emulator, in the same run. Prints, asserts nothing.

use std::process::Child;
use std::time::{Duration, Instant};

use localstack_tests::emulator::cache_dir;
use localstack_tests::{Emulator, HarnessError, Outcome, Tool, Workspace};

use super::{size, time};
use crate::error::TaskError;
use crate::memory;
use crate::stage::stage;

const PLAN: &[&str] = &["plan", "-no-color", "-input=false"];
const APPLY: &[&str] = &["apply", "-no-color", "-input=false", "-auto-approve"];

/// What was measured for one tool.
#[derive(Debug)]
struct Figures {
    init: Duration,
    plan_from_empty: Duration,
    memory_from_empty: u64,
    apply: Duration,
    plan_again: Duration,
    memory_again: u64,
}

/// Measures plan, apply and memory on `examples/eks`.
pub fn run(windlass: &Tool, runs: usize) -> Result<(), TaskError> {
    let emulator = Emulator::start(&cache_dir(), None)?;
    let ours = stage("windlass", || measure(windlass, &emulator, runs))?;
    let theirs = match Tool::terraform() {
        Some(terraform) => Some(stage("terraform", || measure(&terraform, &emulator, runs))?),
        None => {
            eprintln!("\nno terraform with a provider mirror (TF_CLI_CONFIG_FILE): windlass alone");
            None
        }
    };
    print(&ours, theirs.as_ref());
    Ok(())
}

fn measure(tool: &Tool, emulator: &Emulator, runs: usize) -> Result<Figures, TaskError> {
    let account = emulator.account();
    let workspace = Workspace::example(&account, "eks")?;
    let timed = |arguments: &[&str]| -> Result<Duration, TaskError> {
        let start = Instant::now();
        let outcome = workspace.run(tool, arguments)?;
        let time = start.elapsed();
        succeeded(outcome).map(|()| time)
    };
    let median = |arguments: &[&str]| -> Result<Duration, TaskError> {
        let mut times = (0..runs.max(1)).map(|_| timed(arguments)).collect::<Result<Vec<_>, _>>()?;
        times.sort();
        Ok(times.get(times.len() / 2).copied().unwrap_or_default())
    };
    // in a run of its own: looking at memory takes time
    let memory = |arguments: &[&str]| -> Result<u64, TaskError> {
        let child: Child = workspace.spawn(tool, arguments)?;
        let (status, peak) = memory::watch(child)?;
        if status.success() {
            Ok(peak)
        } else {
            Err(TaskError::Failed { command: arguments.join(" "), status: status.to_string() })
        }
    };
    Ok(Figures {
        init: timed(&["init", "-no-color", "-input=false"])?,
        plan_from_empty: median(PLAN)?,
        memory_from_empty: memory(PLAN)?,
        apply: timed(APPLY)?,
        plan_again: median(PLAN)?,
        memory_again: memory(PLAN)?,
    })
}

fn succeeded(outcome: Outcome) -> Result<(), TaskError> {
    if outcome.code == Some(0) {
        return Ok(());
    }
    eprint!("{}", outcome.text());
    let status = outcome.code.map_or_else(|| "a signal".to_owned(), |code| format!("exit status {code}"));
    Err(TaskError::from(HarnessError::Run { program: outcome.command, source: std::io::Error::other(status) }))
}

fn print(ours: &Figures, theirs: Option<&Figures>) {
    type Row = (&'static str, fn(&Figures) -> f64, fn(f64) -> String);
    let rows: [Row; 6] = [
        ("init", |figures| figures.init.as_secs_f64(), time),
        ("plan from empty", |figures| figures.plan_from_empty.as_secs_f64(), time),
        ("  peak memory", |figures| figures.memory_from_empty as f64, size),
        ("apply", |figures| figures.apply.as_secs_f64(), time),
        ("plan of the applied stack", |figures| figures.plan_again.as_secs_f64(), time),
        ("  peak memory", |figures| figures.memory_again as f64, size),
    ];
    println!("\n{:<28}{:>12}{:>12}{:>10}", "examples/eks", "windlass", "terraform", "ratio");
    for (name, figure, show) in rows {
        let our = figure(ours);
        let (their, ratio) = match theirs.map(figure) {
            Some(their) => (show(their), format!("{:.1}x", their / our.max(f64::MIN_POSITIVE))),
            None => ("–".to_owned(), "–".to_owned()),
        };
        println!("{name:<28}{:>12}{their:>12}{ratio:>10}", show(our));
    }
}
