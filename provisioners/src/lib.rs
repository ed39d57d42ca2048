//! What provisioners do: `local-exec` here, `remote-exec` and `file` on another machine.
//!
//! **Invariant**: the planner knows none of this. It evaluates the blocks and calls [`planner::provisioning::Provisioners`].

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod arguments;
mod local_exec;

use async_trait::async_trait;
use planner::provisioning::{Provision, ProvisionProblem, Provisioners};

/// The provisioners that Terraform has built in.
pub struct Builtin;

#[async_trait]
impl Provisioners for Builtin {
    async fn run(&self, provision: Provision<'_>) -> Result<(), ProvisionProblem> {
        match provision.kind {
            "local-exec" => local_exec::run(&provision).await,
            kind => Err(ProvisionProblem::new("Unknown provisioner", format!("There is no provisioner {kind:?}."))),
        }
    }
}
