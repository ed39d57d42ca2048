//! `state replace-provider`

use clap::ArgAction;
use config::provider_source::parse_provider_source;
use lang::addr::ProviderSource;
use lang::{Diagnostic, Diagnostics};

use super::Exit;
use super::state_edit::{EditArgs, Writing, edit};
use crate::session::Session;

/// Replace provider for resources in the Terraform state.
#[derive(Debug, clap::Parser)]
pub struct StateReplaceProviderArgs {
    /// Skip interactive approval.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub auto_approve: bool,
    /// The state.
    #[command(flatten)]
    pub edit: EditArgs,
    /// The old and the new source.
    pub sources: Vec<String>,
}

/// Runs the command.
pub async fn run(session: &Session, args: &StateReplaceProviderArgs) -> Exit {
    let [from, to] = args.sources.as_slice() else {
        return super::misused::<StateReplaceProviderArgs>(
            session,
            "state replace-provider [options] FROM_PROVIDER_FQN TO_PROVIDER_FQN",
            "Exactly two arguments expected.\n",
            super::HelpGoes::ToStdout,
        );
    };
    let (from, to) = match (source("from", from), source("to", to)) {
        (Ok(from), Ok(to)) => (from, to),
        (from, to) => {
            let problems: Diagnostics = [from.err(), to.err()].into_iter().flatten().collect();
            session.show(&problems);
            return Exit::Failure;
        }
    };
    let result = edit(session, &args.edit, Writing::Timestamped, |state| {
        let matching: Vec<_> =
            state.resources.iter().filter(|(_, r)| r.provider.source == from).map(|(a, _)| a.clone()).collect();
        if matching.is_empty() {
            session.ui.print("No matching resources found.\n");
            return Ok(None);
        }
        let list: String = matching.iter().map(|address| format!("  {address}\n")).collect();
        session.ui.print(&format!(
            "Terraform will perform the following actions:\n\n  ~ Updating provider:\n    - {}\n    + {}\n\nChanging {} \
             resources:\n\n{list}",
            from,
            to,
            matching.len()
        ));
        if !args.auto_approve {
            session.ui.print(
                "\nDo you want to make these changes?\nOnly 'yes' will be accepted to continue.\n\nEnter a value: ",
            );
            if session.ui.read_line().as_deref() != Some("yes") {
                session.ui.print("Cancelled replacing providers.\n");
                return Ok(None);
            }
        }
        for address in &matching {
            if let Some(resource) = state.resource_mut(address) {
                resource.provider.source = to.clone();
            }
        }
        Ok(Some(matching.len()))
    })
    .await;
    match result {
        Ok(count) => {
            if let Some(count) = count {
                session.ui.print(&format!("\nSuccessfully replaced provider for {count} resources.\n"));
            }
            Exit::Success
        }
        Err(diagnostics) => {
            session.show(&diagnostics);
            Exit::Failure
        }
    }
}

fn source(which: &str, text: &str) -> Result<ProviderSource, Diagnostic> {
    parse_provider_source(text)
        .map_err(|(_, detail)| Diagnostic::error(format!("Invalid \"{which}\" provider {text:?}"), detail))
}
