//! `cargo xtask bench planner`: how time and memory grow with the number of resources.
//!
//! `terraform_data` needs no cloud, so that what is measured is the planner alone: reading the configuration, the graph,
//! the plan, the walk of an apply and the state file.

use std::fmt::Write;
use std::time::{Duration, Instant};

use localstack_tests::{HarnessError, Tool, Workspace};

use super::{size, time};
use crate::error::TaskError;
use crate::memory;
use crate::stage::stage;

/// Measure configurations of N `terraform_data` resources of three shapes
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Numbers of resources, ascending
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000])]
    sizes: Vec<usize>,
    /// The largest number that Terraform is measured with
    #[arg(long, default_value_t = 10_000)]
    terraform_up_to: usize,
    /// After so many minutes an apply of Terraform is ended: one of 10,000 takes half an hour and more
    #[arg(long, default_value_t = 5)]
    terraform_minutes: u64,
}

/// How the resources hang together.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Each stands alone.
    Independent,
    /// Chains of a hundred, each resource reading the one before it.
    Chains,
    /// A module with ten resources, instantiated by `for_each`.
    Modules,
}

/// The shapes with their names.
pub const SHAPES: [(&str, Shape); 3] =
    [("independent", Shape::Independent), ("chains of 100", Shape::Chains), ("modules", Shape::Modules)];

const PLAN: &[&str] = &["plan", "-no-color", "-input=false"];
const APPLY: &[&str] = &["apply", "-no-color", "-input=false", "-auto-approve"];
const STATE: &str = "terraform.tfstate";
const STEPS: [&str; 3] = ["plan from empty", "apply", "plan again"];

/// Time in seconds and peak memory in KiB.
#[derive(Clone, Copy, Debug)]
struct Figure {
    seconds: f64,
    memory: f64,
    /// If not, both would have been more.
    ended: bool,
}

/// Another tool to compare with.
struct Rival<'a> {
    /// What an apply may take.
    limit: Duration,
    /// The state to go on with after an apply that has not ended.
    state: &'a str,
}

/// Runs the command.
pub fn run(windlass: &Tool, runs: usize, arguments: &Arguments) -> Result<(), TaskError> {
    let terraform = Tool::terraform();
    if terraform.is_none() {
        eprintln!("\nno terraform with a provider mirror (TF_CLI_CONFIG_FILE): windlass alone");
    }
    let mut table = String::new();
    for (name, shape) in SHAPES {
        let mut ours = Vec::new();
        for &count in &arguments.sizes {
            let (our, state) =
                stage(&format!("windlass, {count} {name}"), || measure(windlass, shape, count, runs, None))?;
            let their = match terraform.as_ref().filter(|_| count <= arguments.terraform_up_to) {
                // its plans vary little and take long
                Some(tool) => {
                    let limit = Duration::from_secs(60 * arguments.terraform_minutes);
                    let rival = Rival { limit, state: &state };
                    let measured = || measure(tool, shape, count, 1, Some(&rival));
                    Some(stage(&format!("terraform, {count} {name}"), measured)?.0)
                }
                None => None,
            };
            for (step, our) in STEPS.iter().zip(&our) {
                let index = STEPS.iter().position(|s| s == step).unwrap_or_default();
                row(&mut table, &format!("{name}, {count}: {step}"), *our, their.as_ref().and_then(|t| t.get(index)));
            }
            ours.push((count, our));
        }
        for (index, step) in STEPS.iter().enumerate() {
            let points = |pick: fn(&Figure) -> f64| -> Vec<(f64, f64)> {
                ours.iter().filter_map(|(count, f)| Some((*count as f64, pick(f.get(index)?)))).collect()
            };
            if let (Some(time), Some(memory)) = (exponent(&points(|f| f.seconds)), exponent(&points(|f| f.memory))) {
                let _ = writeln!(
                    table,
                    "{:<42}n^{time:.2} in time, n^{memory:.2} in memory",
                    format!("{name}: {step} grows with")
                );
            }
        }
    }
    println!(
        "\n{:<42}{:>10}{:>11}{:>8}{:>10}{:>10}{:>8}",
        "", "windlass", "terraform", "ratio", "windlass", "terraform", "ratio"
    );
    print!("{table}");
    Ok(())
}

/// The three steps in a folder of its own, and the state after them: plan from empty and plan again `runs` times each (the median
/// counts), apply once.
fn measure(
    tool: &Tool,
    shape: Shape,
    count: usize,
    runs: usize,
    rival: Option<&Rival<'_>>,
) -> Result<(Vec<Figure>, String), TaskError> {
    let workspace = Workspace::offline()?;
    configure(&workspace, shape, count)?;
    let outcome = workspace.run(tool, &["init", "-no-color", "-input=false"])?;
    if outcome.code != Some(0) {
        return Err(TaskError::Failed { command: "init".to_owned(), status: outcome.text() });
    }
    let once = |arguments: &[&str], limit: Option<Duration>| -> Result<Figure, TaskError> {
        let start = Instant::now();
        let (status, peak) = memory::watch(workspace.spawn(tool, arguments)?, limit)?;
        let (time, ended) = (start.elapsed(), status.success());
        if !ended && limit.is_none_or(|limit| time < limit) {
            return Err(TaskError::Failed { command: arguments.join(" "), status: status.to_string() });
        }
        Ok(Figure { seconds: time.as_secs_f64(), memory: peak as f64, ended })
    };
    let median = |arguments: &[&str]| -> Result<Figure, TaskError> {
        let mut figures = (0..runs.max(1)).map(|_| once(arguments, None)).collect::<Result<Vec<_>, _>>()?;
        figures.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        figures.get(figures.len() / 2).copied().map_or_else(|| once(arguments, None), Ok)
    };
    let plan = median(PLAN)?;
    let apply = once(APPLY, rival.map(|rival| rival.limit))?;
    if let Some(rival) = rival.filter(|_| !apply.ended) {
        workspace.write(STATE, rival.state)?;
    }
    let again = median(PLAN)?;
    Ok((vec![plan, apply, again], workspace.read(STATE)?))
}

/// Writes a configuration of so many resources.
pub fn configure(workspace: &Workspace, shape: Shape, count: usize) -> Result<(), HarnessError> {
    let mut main = String::new();
    match shape {
        Shape::Independent => {
            for index in 0..count {
                let _ =
                    writeln!(main, "resource \"terraform_data\" \"r{index}\" {{\n  input = \"value-{index}\"\n}}\n");
            }
        }
        Shape::Chains => {
            for index in 0..count {
                let input = match index % 100 {
                    0 => format!("\"value-{index}\""),
                    _ => format!("terraform_data.r{}.output", index - 1),
                };
                let _ = writeln!(main, "resource \"terraform_data\" \"r{index}\" {{\n  input = {input}\n}}\n");
            }
        }
        Shape::Modules => {
            let instances = count.div_ceil(10);
            // `range` makes at most 1,024 numbers
            let (outer, inner) = (instances.div_ceil(100), instances.min(100));
            let _ = writeln!(
                main,
                "module \"m\" {{\n  source   = \"./m\"\n  for_each = toset([for p in setproduct(range({outer}), range({inner})) : \
                 \"${{p[0]}}-${{p[1]}}\"])\n  name     = each.key\n}}"
            );
            let mut module = "variable \"name\" {\n  type = string\n}\n".to_owned();
            for index in 0..10 {
                let _ = writeln!(
                    module,
                    "\nresource \"terraform_data\" \"r{index}\" {{\n  input = \"${{var.name}}-{index}\"\n}}"
                );
            }
            workspace.write("m/main.tf", &module)?;
        }
    }
    workspace.write("main.tf", &main)
}

fn row(table: &mut String, name: &str, our: Figure, their: Option<&Figure>) {
    let more = if their.is_some_and(|their| !their.ended) { ">" } else { "" };
    let ratio = |our: f64, their: Option<f64>| {
        their.map_or("–".to_owned(), |their| format!("{more}{:.1}x", their / our.max(1e-9)))
    };
    let text = |value: Option<f64>, show: fn(f64) -> String| value.map_or("–".to_owned(), show);
    let (seconds, memory) = (their.map(|t| t.seconds), their.map(|t| t.memory));
    let _ = writeln!(
        table,
        "{name:<42}{:>10}{:>11}{:>8}{:>10}{:>10}{:>8}",
        time(our.seconds),
        text(seconds, time),
        ratio(our.seconds, seconds),
        size(our.memory),
        text(memory, size),
        ratio(our.memory, memory),
    );
}

/// The slope of the line through the logarithms, by least squares; `None` for less than two points.
fn exponent(points: &[(f64, f64)]) -> Option<f64> {
    if points.len() < 2 {
        return None;
    }
    let count = points.len() as f64;
    let logs = points.iter().map(|(x, y)| (x.ln(), y.ln()));
    let (sum_x, sum_y) = logs.clone().fold((0.0, 0.0), |(sx, sy), (x, y)| (sx + x, sy + y));
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let (over, under) = logs.fold((0.0, 0.0), |(over, under), (x, y)| {
        (over + (x - mean_x) * (y - mean_y), under + (x - mean_x) * (x - mean_x))
    });
    (under > 0.0).then(|| over / under)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_growth_has_the_exponent_one() {
        let exponent = exponent(&[(1e3, 0.5), (1e4, 5.0), (1e5, 50.0)]);
        assert!(exponent.is_some_and(|e| (e - 1.0).abs() < 1e-9), "{exponent:?}");
        assert_eq!(super::exponent(&[(1.0, 1.0)]), None);
    }
}
