//! `taint` and `untaint`

use std::sync::Arc;

use clap::ArgAction;
use lang::addr::Mode;
use lang::{Diagnostic, Diagnostics};
use state::model::ObjectStatus;

use super::Exit;
use super::state_edit::{EditArgs, Writing, edit};
use crate::session::Session;

/// Terraform uses the term "tainted" to describe a resource instance which may not be fully functional, either because its
/// creation partially failed or because you've manually marked it as such using this command. Tainted instances are
/// replaced by the next apply.
#[derive(Debug, clap::Parser)]
pub struct TaintArgs {
    /// If specified, the command will succeed (exit code 0) even if the resource is missing.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub allow_missing: bool,
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// The state.
    #[command(flatten)]
    pub edit: EditArgs,
    /// Path to write state to that is different than "-state".
    #[arg(long, value_name = "PATH")]
    pub state_out: Option<String>,
    /// The instance.
    pub address: Vec<String>,
}

/// Runs `taint` (to [`ObjectStatus::Tainted`]) or `untaint`.
pub async fn run(session: &Session, args: &TaintArgs, to: ObjectStatus) -> Exit {
    let (command, participle) = match to {
        ObjectStatus::Tainted => ("taint", "tainted"),
        ObjectStatus::Ready => ("untaint", "untainted"),
    };
    let [text] = args.address.as_slice() else {
        let message = format!("The {command} command expects exactly one argument.");
        let usage = format!("{command} [options] <address>");
        return super::misused::<TaintArgs>(session, &usage, &message, super::HelpGoes::ToStderr);
    };
    let address = match crate::targets::parse_instance(text) {
        Ok(address) => address,
        Err(diagnostics) => {
            session.show(&diagnostics);
            return Exit::Failure;
        }
    };
    if to == ObjectStatus::Tainted && address.resource.mode != Mode::Managed {
        session.ui.eprint(&format!("Resource instance {address} cannot be {participle}\n"));
        return Exit::Failure;
    }
    let writing = Writing::AsApplied { state_out: args.state_out.as_deref() };
    let result = edit(session, &args.edit, writing, |state| {
        let resource = state.resource_mut(&address.abs_resource());
        let object = resource.and_then(|r| r.instances.get_mut(&address.key)).and_then(|i| i.current.as_mut()).map(Arc::make_mut);
        let Some(object) = object else {
            if args.allow_missing {
                let detail = format!(
                    "Resource instance {address} was not found, but this is not an error because -allow-missing was set."
                );
                return Ok(Some(Diagnostic::warning("No such resource instance", detail)));
            }
            if state.resources.is_empty() {
                let detail = "The state currently contains no resource instances whatsoever. This may occur if the configuration has \
                              never been applied or if it has recently been destroyed.";
                return Err(Diagnostic::error("No such resource instance", detail).into());
            }
            let detail = format!(
                "There is no resource instance in the state with the address {address}. If the resource configuration has \
                 just been added, you must run \"terraform apply\" once to create the corresponding instance(s) before they \
                 can be tainted."
            );
            return Err(Diagnostic::error("No such resource instance", detail).into());
        };
        if to == ObjectStatus::Ready && object.status == ObjectStatus::Ready {
            let detail = format!("Resource instance {address} is not currently tainted, and so it cannot be untainted.");
            return Err(Diagnostic::error("Resource instance is not tainted", detail).into());
        }
        object.status = to;
        Ok(None)
    })
    .await;
    match result {
        Ok(Some(warning)) => session.show(&Diagnostics::from(warning)),
        Ok(None) if to == ObjectStatus::Tainted => {
            session.ui.print(&format!("Resource instance {address} has been marked as tainted.\n"));
        }
        Ok(None) => session.ui.print(&format!("Resource instance {address} has been successfully untainted.\n")),
        Err(diagnostics) => {
            session.show(&diagnostics);
            return Exit::Failure;
        }
    }
    Exit::Success
}
