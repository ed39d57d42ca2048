//! Why a task stopped.

use std::path::PathBuf;

use localstack_tests::HarnessError;

/// The failure of a task.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The harness failed.
    #[error(transparent)]
    Harness(#[from] HarnessError),
    /// A program ended otherwise than it should have.
    #[error("`{command}` ended with {status}")]
    Failed {
        /// The command line.
        command: String,
        /// Exit code or signal.
        status: String,
    },
    /// A program that a task takes isn't installed.
    #[error("`{0}` is not installed")]
    Missing(&'static str),
    /// A runner's report could not be read.
    #[error("cannot understand the report of `{command}`: {reason}")]
    Report {
        /// The command line.
        command: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Recorded cases that passed once fail now.
    #[error("{} of the cases recorded in `{list}` fail now:\n  {}", cases.len(), cases.join("\n  "))]
    Regression {
        /// The list.
        list: PathBuf,
        /// Names of the cases, with the reason where the runner gave one.
        cases: Vec<String>,
    },
    /// An apply after a crash did not converge.
    #[error("{} trials failed; `cargo xtask crash --seed {seed} --trials 1 --from N` repeats one:\n  {}", trials.len(), trials.join("\n  "))]
    Crashes {
        /// The seed.
        seed: u64,
        /// Their names.
        trials: Vec<String>,
    },
    /// Several lists have regressions.
    #[error("{}", .0.iter().map(TaskError::full).collect::<Vec<_>>().join("\n"))]
    Several(Vec<TaskError>),
}

impl TaskError {
    /// The message with those of its sources.
    pub fn full(&self) -> String {
        match self {
            TaskError::Harness(error) => error.full(),
            other => other.to_string(),
        }
    }
}
