//! What provisioners do: `local-exec` here, `remote-exec` and `file` on another machine.
//!
//! **Invariant**: the planner knows none of this. It evaluates the blocks and calls [`planner::provisioning::Provisioners`].

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod arguments;
#[cfg(feature = "ssh")]
mod connection;
#[cfg(feature = "ssh")]
mod file;
mod local_exec;
#[cfg(feature = "ssh")]
mod remote_exec;
#[cfg(feature = "ssh")]
mod ssh;
mod words;

use std::path::PathBuf;

use async_trait::async_trait;
use planner::provisioning::{Provision, ProvisionProblem, Provisioners};

/// The provisioners that Terraform has built in.
#[derive(Clone, Debug, Default)]
pub struct Builtin {
    /// The socket of an ssh agent (`SSH_AUTH_SOCK`).
    pub agent: Option<PathBuf>,
    /// The user's home folder.
    pub home: Option<PathBuf>,
}

#[async_trait]
impl Provisioners for Builtin {
    async fn run(&self, provision: Provision<'_>) -> Result<(), ProvisionProblem> {
        match provision.kind {
            "local-exec" => local_exec::run(&provision).await,
            #[cfg(feature = "ssh")]
            "remote-exec" => remote_exec::run(&provision, self.agent.clone()).await,
            #[cfg(feature = "ssh")]
            "file" => file::run(&provision, self.agent.clone(), self.home.as_deref()).await,
            #[cfg(not(feature = "ssh"))]
            "remote-exec" | "file" => Err(ProvisionProblem::new(
                format!("{} provisioner error", provision.kind),
                "This windlass was built without the feature \"ssh\", which connections to other machines need.",
            )),
            kind => Err(ProvisionProblem::new("Unknown provisioner", format!("There is no provisioner {kind:?}."))),
        }
    }
}
