//! What the commands that change a state without touching the infrastructure have in common.

use clap::Args;
use lang::{Diagnostic, Diagnostics};
use state::{Snapshots, State};

use crate::args::groups::{StateArgs, StateOutArgs};
use crate::session::{Session, chain};

/// What is said when there is no state.
pub const NO_STATE: &str = "No state file was found!\n\nState management commands require a state file. Run this \
                            command\nin a directory where Terraform has been run or use the -state flag\nto point the \
                            command to a specific state location.";

/// Flags of the commands that change a state.
#[derive(Clone, Debug, Args)]
pub struct EditArgs {
    /// The state and its lock.
    #[command(flatten)]
    pub state: StateArgs,
    /// Path where Terraform should write the backup state.
    #[arg(long, value_name = "PATH")]
    pub backup: Option<String>,
    /// Accepted and ignored: of remote backends only.
    #[arg(long, action = clap::ArgAction::Set, default_value_t = false)]
    pub ignore_remote_version: bool,
}

/// Whether a backup is kept by the time of the change or in the usual place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backup {
    /// `terraform.tfstate.1700000000.backup`: a new file each time.
    Timestamped,
    /// `terraform.tfstate.backup`
    Usual,
}

/// Reads the state under its lock, changes it and stores it if it differs. What `change` returns is handed on.
///
/// # Errors
/// No state, a failing `change`, and what locks and files say.
pub async fn edit<T>(
    session: &Session,
    args: &EditArgs,
    backup: Backup,
    change: impl FnOnce(&mut State) -> Result<T, Diagnostics>,
) -> Result<T, Diagnostics> {
    let failure =
        |summary: &str, error: &dyn std::error::Error| Diagnostics::from(Diagnostic::error(summary, chain(error)));
    let mut out = StateOutArgs { state_out: None, backup: args.backup.clone() };
    if out.backup.is_none()
        && backup == Backup::Timestamped
        && let Some(path) = session.state_path(args.state.state.as_deref())?
    {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        out.backup = Some(format!("{}.{}.backup", path.display(), now.as_secs()));
    }
    let opened = session.open(&args.state, Some(&out), "OperationTypeInvalid").await?;
    let result = async {
        let mut snapshots =
            Snapshots::open(opened.store.clone()).await.map_err(|e| failure("Failed to load state", &e))?;
        let Some(mut state) = snapshots.stored().cloned() else {
            return Err(Diagnostics::from(Diagnostic::error(NO_STATE, "")));
        };
        super::operation::ensure_nothing_in_flight(opened.store.as_ref()).await?;
        let result = change(&mut state)?;
        snapshots.save(&state).await.map_err(|e| failure("Error saving the state", &e))?;
        Ok(result)
    }
    .await;
    let released = opened.close().await;
    session.show(&released);
    result
}
