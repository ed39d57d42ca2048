//! `cargo xtask bench example`: windlass and Terraform on the same stack and emulator, in the same run. Prints, asserts nothing.

use std::process::Child;
use std::time::Instant;

use localstack_tests::emulator::cache_dir;
use localstack_tests::{Emulator, Tool, Workspace};

use super::{size, succeeded, time};
use crate::error::TaskError;
use crate::memory;
use crate::stage::stage;

const INIT: &[&str] = &["init", "-no-color", "-input=false"];
const PLAN: &[&str] = &["plan", "-no-color", "-input=false"];
const APPLY: &[&str] = &["apply", "-no-color", "-input=false", "-auto-approve"];

/// A line of the table: what was measured, how it is shown, and what came out for each tool.
type Row = (&'static str, fn(f64) -> String, Vec<f64>);

/// Measures plan, apply and memory on `examples/eks`.
pub fn run(windlass: &Tool, runs: usize) -> Result<(), TaskError> {
    let terraform = Tool::terraform();
    if terraform.is_none() {
        eprintln!("\nno terraform with a provider mirror (TF_CLI_CONFIG_FILE): windlass alone");
    }
    let emulator = Emulator::start(&cache_dir(), None)?;
    let tools = std::iter::once(windlass.clone()).chain(terraform);
    let contenders = tools.map(|tool| Contender::new(tool, &emulator)).collect::<Result<Vec<_>, _>>()?;
    print(&measure(&contenders, runs.max(1))?);
    Ok(())
}

/// A tool with an account and a copy of the stack of its own.
struct Contender {
    tool: Tool,
    workspace: Workspace,
}

impl Contender {
    fn new(tool: Tool, emulator: &Emulator) -> Result<Contender, TaskError> {
        let workspace = Workspace::example(&emulator.account(), "eks")?;
        Ok(Contender { tool, workspace })
    }

    /// Seconds.
    fn time(&self, arguments: &[&str]) -> Result<f64, TaskError> {
        let start = Instant::now();
        let outcome = self.workspace.run(&self.tool, arguments)?;
        let time = start.elapsed();
        succeeded(outcome).map(|()| time.as_secs_f64())
    }

    /// KiB, in a run of its own: looking at memory takes time.
    fn memory(&self, arguments: &[&str]) -> Result<f64, TaskError> {
        let child: Child = self.workspace.spawn(&self.tool, arguments)?;
        let (status, peak) = memory::watch(child, None)?;
        if status.success() {
            Ok(peak as f64)
        } else {
            Err(TaskError::Failed { command: arguments.join(" "), status: status.to_string() })
        }
    }
}

fn measure(contenders: &[Contender], runs: usize) -> Result<Vec<Row>, TaskError> {
    let once = |arguments: &[&str]| {
        contenders.iter().map(|contender| contender.time(arguments)).collect::<Result<Vec<_>, _>>()
    };
    let peaks = || contenders.iter().map(|contender| contender.memory(PLAN)).collect::<Result<Vec<_>, _>>();
    Ok(vec![
        ("init", time, stage("init", || once(INIT))?),
        ("plan from empty", time, stage("plan from empty", || medians(contenders, runs))?),
        ("  peak memory", size, peaks()?),
        ("apply", time, stage("apply", || once(APPLY))?),
        ("plan of the applied stack", time, stage("plan of the applied stack", || medians(contenders, runs))?),
        ("  peak memory", size, peaks()?),
    ])
}

/// The median of each contender's plans. They take turns: what else the machine does meets them alike.
fn medians(contenders: &[Contender], runs: usize) -> Result<Vec<f64>, TaskError> {
    let mut times = vec![Vec::with_capacity(runs); contenders.len()];
    for _ in 0..runs {
        for (contender, times) in contenders.iter().zip(&mut times) {
            times.push(contender.time(PLAN)?);
        }
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied().unwrap_or_default()
    };
    Ok(times.into_iter().map(median).collect())
}

fn print(rows: &[Row]) {
    println!("\n{:<28}{:>12}{:>12}{:>10}", "examples/eks", "windlass", "terraform", "ratio");
    for (name, show, figures) in rows {
        let Some(our) = figures.first() else { continue };
        let (their, ratio) = match figures.get(1) {
            Some(their) => (show(*their), format!("{:.1}x", their / our.max(f64::MIN_POSITIVE))),
            None => ("–".to_owned(), "–".to_owned()),
        };
        println!("{name:<28}{:>12}{their:>12}{ratio:>10}", show(*our));
    }
}
