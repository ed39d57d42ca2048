//! `force-unlock`

use clap::ArgAction;
use state::{LockError, LockId};

use super::Exit;
use crate::args::groups::StateArgs;
use crate::session::{Session, chain};

/// Manually unlock the state for the defined configuration.
#[derive(Debug, clap::Parser)]
pub struct ForceUnlockArgs {
    /// Don't ask for input for unlock confirmation.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub force: bool,
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// The lock.
    pub id: Vec<String>,
}

const USAGE: &str = include_str!("usage/force_unlock.txt");

/// Runs the command.
pub async fn run(session: &Session, args: &ForceUnlockArgs) -> Exit {
    let [id] = args.id.as_slice() else {
        session.ui.eprint("Expected a single argument: LOCK_ID\n");
        session.ui.print(USAGE);
        return Exit::Failure;
    };
    let unlocked = StateArgs { lock: false, lock_timeout: std::time::Duration::ZERO, state: None };
    let opened = match session.open(&unlocked, None, "OperationTypeInvalid").await {
        Ok(opened) => opened,
        Err(diagnostics) => {
            session.show(&diagnostics);
            return Exit::Failure;
        }
    };
    let is_local = matches!(session.state_path(None), Ok(Some(_)));
    if !args.force {
        if is_local {
            session.ui.eprint("Local state cannot be unlocked by another process\n");
            return Exit::Failure;
        }
        session.ui.print(
            "Do you really want to force-unlock?\n  Terraform will remove the lock on the remote state.\n  This will allow \
             local Terraform commands to modify this state, even though it\n  may still be in use. Only 'yes' will be \
             accepted to confirm.\n\n  Enter a value: ",
        );
        if session.ui.read_line().as_deref() != Some("yes") {
            session.ui.print("force-unlock cancelled.\n");
            return Exit::Failure;
        }
    }
    match opened.store.force_unlock(&LockId(id.clone())).await {
        Ok(()) => {
            session.ui.print(
                "Terraform state has been successfully unlocked!\n\nThe state has been unlocked, and Terraform commands \
                 should now be able to\nobtain a new lock on the remote state.\n",
            );
            Exit::Success
        }
        // This process holds no lock, and no other's can be had.
        Err(LockError::NotBreakable) => {
            session.ui.eprint("Failed to unlock state: LocalState not locked\n");
            Exit::Failure
        }
        Err(error) => {
            let holder = match &error {
                LockError::NotReleased { info: Some(info), .. } => format!("\n{info}"),
                _ => String::new(),
            };
            session.ui.eprint(&format!("Failed to unlock state: {}{holder}\n", chain(&error)));
            Exit::Failure
        }
    }
}
