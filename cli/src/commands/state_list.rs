//! `state list`

use lang::Diagnostic;
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
        session.ui.eprint("No state file was found!\n\nState management commands require a state file. Run this command\nin a directory where Terraform has been run or use the -state flag\nto point the command to a specific state location.\n");
        return Exit::Failure;
    };
    let mut targets: Vec<Target> = Vec::new();
    for address in &args.address {
        match crate::targets::parse(address) {
            Ok(target) => targets.push(target),
            Err(diagnostics) => {
                session.show(&diagnostics);
                return Exit::Failure;
            }
        }
    }
    let instances: Vec<_> = state.instances().collect();
    for (target, address) in targets.iter().zip(&args.address) {
        if !instances.iter().any(|(instance, ..)| crate::targets::contains(target, instance)) {
            let (what, short) = match target {
                Target::Module(_) => ("module", "module"),
                Target::Resource(..) => ("resource", "resource"),
                Target::Instance(_) => ("resource instance", "resource"),
            };
            let at = if short == what { String::new() } else { " instance".to_owned() };
            let detail = format!(
                "The current state contains no {short}{at} {address}. If you've just added this {short} to the \
                 configuration or have changed the count or for_each arguments, you must run \"terraform apply\" first to \
                 create its entry in the state."
            );
            session.show(&Diagnostic::error(format!("Unknown {what}"), detail).into());
            return Exit::Failure;
        }
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
