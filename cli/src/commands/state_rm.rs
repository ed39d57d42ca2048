//! `state rm`

use clap::ArgAction;
use lang::Diagnostic;

use super::Exit;
use super::state_edit::{EditArgs, Writing, edit};
use crate::session::Session;

/// Remove one or more items from the Terraform state, causing Terraform to "forget" those items without first destroying
/// them in the remote system.
#[derive(Debug, clap::Parser)]
pub struct StateRmArgs {
    /// If set, prints out what would've been removed but doesn't actually remove anything.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub dry_run: bool,
    /// The state.
    #[command(flatten)]
    pub edit: EditArgs,
    /// What to remove.
    pub address: Vec<String>,
}

const USAGE: &str = include_str!("usage/state_rm.txt");

/// Runs the command.
pub async fn run(session: &Session, args: &StateRmArgs) -> Exit {
    if args.address.is_empty() {
        session.ui.eprint("At least one address is required.\n\n");
        session.ui.print(USAGE);
        return Exit::Failure;
    }
    let result = edit(session, &args.edit, Writing::Timestamped, |state| {
        let mut targets = Vec::new();
        for text in &args.address {
            targets.push(crate::targets::parse(text)?);
        }
        let found: Vec<_> = state
            .instances()
            .map(|(address, ..)| address)
            .filter(|address| targets.iter().any(|target| crate::targets::contains(target, address)))
            .collect();
        if found.is_empty() && !args.dry_run {
            let detail = "No matching objects found. To view the available instances, use \"terraform state list\". Please \
                          modify the address to reference a specific instance.";
            return Err(Diagnostic::error("Invalid target address", detail).into());
        }
        for address in found.iter().filter(|_| !args.dry_run) {
            let resource = address.abs_resource();
            if let Some(entry) = state.resource_mut(&resource) {
                entry.instances.remove(&address.key);
                if entry.instances.is_empty() {
                    state.resources.remove(&resource);
                }
            }
        }
        Ok(found)
    })
    .await;
    match result {
        Ok(found) => {
            let verb = if args.dry_run { "Would remove" } else { "Removed" };
            for address in &found {
                session.ui.print(&format!("{verb} {address}\n"));
            }
            if found.is_empty() {
                session.ui.print("Would have removed nothing.\n");
            }
            if !args.dry_run {
                session.ui.print(&format!("Successfully removed {} resource instance(s).\n", found.len()));
            }
            Exit::Success
        }
        Err(diagnostics) => {
            session.show(&diagnostics);
            Exit::Failure
        }
    }
}
