//! `state list`

use lang::{Diagnostic, Diagnostics};
use planner::Target;

use super::Exit;
use crate::session::Session;

/// List resources in the Terraform state. This command lists resource instances in the Terraform state. The address
/// argument can be used to filter the instances by resource or module. If no pattern is given, all resource instances are
/// listed.
#[derive(Debug, clap::Parser)]
pub struct StateListArgs {
    /// Path to a Terraform state file to use to look up Terraform-managed resources. By default, Terraform will consult the state of the currently-selected workspace.
    #[arg(long, value_name = "statefile")]
    pub state: Option<String>,
    /// Filters the results to include only instances whose resource types have an attribute named "id" whose value equals the given id string.
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// What to list.
    pub address: Vec<String>,
}

/// Runs the command.
pub async fn run(session: &Session, args: &StateListArgs) -> Exit {
    let state = match session.read_state(args.state.as_deref()).await {
        Ok(state) => state,
        Err(diagnostics) => {
            session.show(&diagnostics);
            return Exit::Failure;
        }
    };
    let Some(state) = state else {
        session.ui.eprint(&format!("{}\n", super::state_edit::NO_STATE));
        return Exit::Failure;
    };
    let mut targets: Vec<Target> = Vec::new();
    let mut problems = Diagnostics::new();
    let instances: Vec<_> = state.instances().collect();
    for address in &args.address {
        match crate::targets::parse(address) {
            Ok(target) => {
                if !instances.iter().any(|(instance, ..)| crate::targets::contains(&target, instance)) {
                    problems.push(unknown(&target, address));
                }
                targets.push(target);
            }
            Err(diagnostics) => problems.append(diagnostics),
        }
    }
    if problems.has_errors() {
        session.show(&problems);
        return Exit::Failure;
    }
    for (address, _, instance) in &instances {
        let wanted = targets.is_empty() || targets.iter().any(|t| crate::targets::contains(t, address));
        let has_id = args.id.as_ref().is_none_or(|id| {
            let attributes = instance.current.as_ref().and_then(|o| o.attributes.to_value().ok());
            attributes.is_some_and(|a| a.get("id").and_then(|v| v.as_str()) == Some(id))
        });
        if wanted && has_id {
            session.ui.print(&format!("{address}\n"));
        }
    }
    Exit::Success
}

/// That the state has nothing of that address.
fn unknown(target: &Target, address: &str) -> Diagnostic {
    let (what, contains, added, does) = match target {
        Target::Module(_) => ("module", "module at", "this module to the configuration", "create the module's"),
        Target::Resource(..) => ("resource", "resource", "this resource to the configuration", "create the resource's"),
        Target::Instance(_) => (
            "resource instance",
            "resource instance",
            "its resource to the configuration or have changed the count or for_each arguments",
            "update the resource's",
        ),
    };
    let detail = format!(
        "The current state contains no {contains} {address}. If you've just added {added}, you must run \"terraform apply\" \
         first to {does} entry in the state."
    );
    Diagnostic::error(format!("Unknown {what}"), detail)
}
