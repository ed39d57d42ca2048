//! `cargo xtask conformance`: the built binary against cases recorded from Terraform, and taking turns with Terraform itself.
//!
//! The corpora live in a folder `shared` beside the repository, or where `WINDLASS_SHARED` says. Which cases pass is recorded
//! in `conformance/passing/`, one list a suite.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use localstack_tests::emulator::{AWS, Installation, cache_dir};
use localstack_tests::{HarnessError, Tool, workspace::repository};
use serde_json::Value;

use crate::error::TaskError;
use crate::process;
use crate::ratchet::{Ratchet, Verdicts};
use crate::stage::stage;

/// Compare the built binary with cases recorded from Terraform; cases that passed once must pass
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Add the cases that pass now to the lists in conformance/passing
    #[arg(long)]
    update: bool,
    /// Only these suites
    #[arg(long, value_enum)]
    only: Vec<Suite>,
    /// Print the reasons of all failures, listed or not
    #[arg(long, short)]
    verbose: bool,
}

impl Arguments {
    /// All suites, compared and not updated.
    pub fn check() -> Arguments {
        Arguments { update: false, only: Vec::new(), verbose: false }
    }
}

/// A kind of recorded case, with a list of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Suite {
    /// Expressions and functions
    Expressions,
    /// Configurations with plan, state and diagnostics
    Plans,
    /// Verdicts on configurations
    Validate,
    /// The formatter
    Fmt,
    /// Command lines
    Cli,
    /// AWS stacks against recordings
    SwapCheck,
    /// AWS stacks, by turns with Terraform
    SwapSwap,
}

impl Suite {
    const ALL: [Suite; 7] =
        [Suite::Expressions, Suite::Plans, Suite::Validate, Suite::Fmt, Suite::Cli, Suite::SwapCheck, Suite::SwapSwap];

    fn name(self) -> &'static str {
        match self {
            Suite::Expressions => "expressions",
            Suite::Plans => "plans",
            Suite::Validate => "validate",
            Suite::Fmt => "fmt",
            Suite::Cli => "cli",
            Suite::SwapCheck => "swap-check",
            Suite::SwapSwap => "swap-swap",
        }
    }
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), TaskError> {
    let shared = std::env::var_os("WINDLASS_SHARED").filter(|value| !value.is_empty()).map(PathBuf::from);
    let shared = shared.or_else(|| repository().parent().map(|folder| folder.join("shared")));
    let Some(shared) = shared.filter(|folder| folder.is_dir()) else {
        eprintln!("skipped: no folder `shared` with the corpora beside the repository (WINDLASS_SHARED names another)");
        return Ok(());
    };
    let windlass = Tool::windlass()?;
    let runner = Runner { shared: &shared, windlass: windlass.program(), verbose: arguments.verbose };
    let mut errors = Vec::new();
    for suite in Suite::ALL {
        if !arguments.only.is_empty() && !arguments.only.contains(&suite) {
            continue;
        }
        if suite == Suite::SwapSwap && Tool::terraform().is_none() {
            eprintln!("\n==> swap-swap: skipped, no terraform with a provider mirror (TF_CLI_CONFIG_FILE)");
            continue;
        }
        if let Err(error) = stage(suite.name(), || runner.compare(suite, arguments.update)) {
            errors.push(error);
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(TaskError::Several(errors)) }
}

struct Runner<'a> {
    shared: &'a Path,
    windlass: &'a Path,
    verbose: bool,
}

impl Runner<'_> {
    fn compare(&self, suite: Suite, update: bool) -> Result<(), TaskError> {
        let list = repository().join("conformance/passing").join(suite.name()).with_extension("txt");
        let mut ratchet = Ratchet::read(list)?;
        let verdicts = match suite {
            Suite::SwapCheck => self.swap("check", None)?,
            // Slow, most of it Terraform's own time: what isn't listed runs only when it may get listed.
            Suite::SwapSwap if update => self.swap("swap", None)?,
            Suite::SwapSwap => self.swap_each(ratchet.listed())?,
            _ => self.corpus(suite)?,
        };
        let passed = verdicts.values().filter(|reason| reason.is_none()).count();
        let comparison = ratchet.compare(&verdicts);
        eprintln!(
            "{}: {passed} of {} pass, {} are listed, {} of those fail",
            suite.name(),
            verdicts.len(),
            ratchet.listed().len(),
            comparison.regressions.len()
        );
        if update {
            ratchet.add(comparison.gains.clone())?;
            eprintln!("{} added to the list", comparison.gains.len());
        } else if !comparison.gains.is_empty() {
            eprintln!(
                "{} pass and are not listed yet: `cargo xtask conformance --update` adds them",
                comparison.gains.len()
            );
        }
        if self.verbose {
            for (case, reason) in verdicts.iter().filter_map(|(case, reason)| Some((case, reason.as_ref()?))) {
                eprintln!("  {case}: {reason}");
            }
        }
        ratchet.judge(comparison)
    }

    fn corpus(&self, suite: Suite) -> Result<Verdicts, TaskError> {
        let folder = tempfile::tempdir().map_err(HarnessError::file(std::env::temp_dir()))?;
        let report = folder.path().join("report.json");
        let mut command = Command::new("python3");
        command.arg(self.shared.join("conformance/run.py")).arg("--bin").arg(self.windlass);
        command.arg("--suite").arg(self.shared.join("conformance")).args(["--area", suite.name()]);
        command.arg("--jobs").arg(processors().to_string());
        command.arg("--json").arg(&report).stdin(Stdio::null()).stdout(Stdio::null());
        // its exit code says whether everything passed; we ask whether what is listed does
        process::status(&mut command)?;
        let unreadable = |reason: String| TaskError::Report { command: process::line(&command), reason };
        let text = std::fs::read_to_string(&report).map_err(|error| unreadable(error.to_string()))?;
        let document: Value = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
        let results = document["results"].as_array().ok_or_else(|| unreadable("no results".to_owned()))?;
        let mut verdicts = Verdicts::new();
        for result in results {
            let Some(id) = result["id"].as_str() else { continue };
            let failure = (result["ok"] != true).then(|| result["reason"].as_str().unwrap_or_default().to_owned());
            // A case may be judged twice, in part and in full: it passes if both do.
            let verdict = verdicts.entry(id.to_owned()).or_default();
            *verdict = verdict.take().or(failure);
        }
        Ok(verdicts)
    }

    /// Lets Terraform and windlass take turns on stacks, each with an emulator of its own: on as many at once as there are
    /// processors, since a stack keeps one of them busy for minutes.
    fn swap_each(&self, stacks: &BTreeSet<String>) -> Result<Verdicts, TaskError> {
        let waiting = Mutex::new(stacks.iter());
        let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = || -> Result<Verdicts, TaskError> {
            let mut verdicts = Verdicts::new();
            while let Some(stack) = next() {
                let of_stack = self.swap("swap", Some(stack))?;
                verdicts.extend(of_stack.into_iter().filter(|(name, _)| name == stack));
            }
            Ok(verdicts)
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..processors()).map(|_| scope.spawn(work)).collect();
            let joined = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
            joined.collect::<Result<Vec<_>, _>>().map(|verdicts| verdicts.into_iter().flatten().collect())
        })
    }

    /// Runs the stacks, or the one whose name is given and those whose names contain it.
    fn swap(&self, mode: &str, stack: Option<&str>) -> Result<Verdicts, TaskError> {
        let emulator = Installation::ensure(&cache_dir(), &AWS)?;
        let launch = format!("'{}' '{}' --port {{port}}", emulator.python.display(), emulator.launcher.display());
        let mut command = Command::new("python3");
        command.arg(self.shared.join("swap/swap.py")).arg(mode).arg("--bin").arg(self.windlass);
        command.arg("--suite").arg(self.shared.join("swap/stacks")).args(["--emulator", &launch, "-v"]);
        command.args(stack.into_iter().flat_map(|stack| ["--filter", stack]));
        command.stdin(Stdio::null()).stderr(Stdio::inherit());
        let output = command.output().map_err(HarnessError::run(process::line(&command)))?;
        let verdicts = read_swap(&String::from_utf8_lossy(&output.stdout));
        if verdicts.is_empty() {
            let reason = format!("no stack in it, {}", output.status);
            return Err(TaskError::Report { command: process::line(&command), reason });
        }
        Ok(verdicts)
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Reads lines of the form `ok   NAME` and `FAIL NAME`, the latter followed by indented reasons.
fn read_swap(text: &str) -> Verdicts {
    let mut verdicts = Verdicts::new();
    let mut failing: Option<String> = None;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("ok ") {
            verdicts.insert(name.trim().to_owned(), None);
            failing = None;
        } else if let Some(name) = line.strip_prefix("FAIL ") {
            verdicts.insert(name.trim().to_owned(), Some(String::new()));
            failing = Some(name.trim().to_owned());
        } else if let (Some(reason), Some(name)) = (line.strip_prefix("     "), &failing)
            && let Some(Some(reasons)) = verdicts.get_mut(name)
        {
            reasons.push_str(if reasons.is_empty() { "" } else { "; " });
            reasons.push_str(reason);
        }
    }
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_of_stacks_are_read_with_their_reasons() {
        let text = "ok   default-tags\nFAIL eks\n     step1: one\n     step2: two\nok   iam\ncheck: 2/3 stacks\n";
        let verdicts = read_swap(text);
        assert_eq!(verdicts["default-tags"], None);
        assert_eq!(verdicts["eks"].as_deref(), Some("step1: one; step2: two"));
        assert_eq!(verdicts.len(), 3);
    }
}
