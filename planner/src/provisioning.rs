//! What runs provisioners, as the planner sees it. How a command or a connection is made is the business of whoever
//! implements [`Provisioners`].

use async_trait::async_trait;
use lang::Value;

use crate::interrupt::Interrupt;

/// Runs provisioners of every type.
#[async_trait]
pub trait Provisioners: Send + Sync {
    /// Runs one to its end. Stops early when the run is interrupted, and says so in the problem.
    async fn run(&self, provision: Provision<'_>) -> Result<(), ProvisionProblem>;
}

/// One run of a provisioner.
pub struct Provision<'a> {
    /// `local-exec`, `file`, `remote-exec`
    pub kind: &'a str,
    /// Its arguments, wholly known and without marks.
    pub config: &'a Value,
    /// Its `connection`, merged with that of the resource.
    pub connection: Option<&'a Value>,
    /// Whether arguments or connection hold something secret: then problems must not repeat them.
    pub secret: bool,
    /// Takes what it prints, line by line.
    pub output: &'a (dyn Fn(&str) + Send + Sync),
    /// Stops it early.
    pub interrupt: &'a Interrupt,
}

/// Why a provisioner failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvisionProblem {
    /// The headline.
    pub summary: String,
    /// The explanation, with the way out.
    pub detail: String,
}

impl ProvisionProblem {
    /// A problem.
    pub fn new(summary: impl Into<String>, detail: impl Into<String>) -> ProvisionProblem {
        ProvisionProblem { summary: summary.into(), detail: detail.into() }
    }
}
