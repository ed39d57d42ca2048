//! What the commands that change a state without touching the infrastructure have in common.

use clap::Args;
use lang::{Diagnostic, Diagnostics};
use state::{Snapshots, State};

use crate::args::groups::{StateArgs, StateOutArgs};
use crate::session::{Opened, Session, chain};

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

/// How a changed state is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing<'a> {
    /// In its place, with a new backup each time: `terraform.tfstate.1700000000.backup`.
    Timestamped,
    /// As an apply does: to another place if one is named, with the backup `terraform.tfstate.backup`.
    AsApplied {
        /// The other place.
        state_out: Option<&'a str>,
    },
}

/// Reads the state under its lock, changes it and stores it if it differs. What `change` returns is handed on.
///
/// # Errors
/// No state, a failing `change`, and what locks and files say.
pub async fn edit<T>(
    session: &Session,
    args: &EditArgs,
    writing: Writing<'_>,
    change: impl FnOnce(&mut State) -> Result<T, Diagnostics>,
) -> Result<T, Diagnostics> {
    let opened = open(session, &args.state, args.backup.clone(), writing).await?;
    let result = async {
        let mut snapshots =
            Snapshots::open(opened.store.clone()).await.map_err(|e| failure("Failed to load state", &e))?;
        let stored = snapshots.stored().cloned();
        // What marks objects takes no state for one without objects, as in Terraform.
        if stored.is_none() && writing == Writing::Timestamped {
            return Err(no_state(session));
        }
        let is_new = stored.is_none();
        let mut state = stored.unwrap_or_default();
        super::operation::ensure_nothing_in_flight(opened.store.as_ref()).await?;
        let result = change(&mut state)?;
        if !(is_new && state.is_empty()) {
            snapshots.save(&state).await.map_err(|e| failure("Error saving the state", &e))?;
        }
        Ok(result)
    }
    .await;
    close(session, opened).await;
    result
}

/// The state file that something is moved to.
#[derive(Clone, Copy, Debug)]
pub struct Other<'a> {
    /// Where it is, or will be.
    pub path: &'a str,
    /// Where its backup goes; none: by the time of the change.
    pub backup: Option<&'a str>,
}

/// Changes two states under the locks of both. The other one, which may not be there yet, is stored first: what is moved is
/// then in both for a moment, and never in none.
///
/// # Errors
/// No state, a failing `change`, and what locks and files say.
pub async fn edit_both<T>(
    session: &Session,
    args: &EditArgs,
    other: Other<'_>,
    change: impl FnOnce(&mut State, &mut State) -> Result<T, Diagnostics>,
) -> Result<T, Diagnostics> {
    let opened = open(session, &args.state, args.backup.clone(), Writing::Timestamped).await?;
    let there = StateArgs { state: Some(other.path.to_owned()), ..args.state.clone() };
    let result = match open(session, &there, other.backup.map(str::to_owned), Writing::Timestamped).await {
        Err(diagnostics) => Err(diagnostics),
        Ok(other) => {
            let result = change_both(session, &opened, &other, change).await;
            close(session, other).await;
            result
        }
    };
    close(session, opened).await;
    result
}

async fn change_both<T>(
    session: &Session,
    opened: &Opened,
    other: &Opened,
    change: impl FnOnce(&mut State, &mut State) -> Result<T, Diagnostics>,
) -> Result<T, Diagnostics> {
    let mut from = Snapshots::open(opened.store.clone()).await.map_err(|e| failure("Failed to load state", &e))?;
    let mut to = Snapshots::open(other.store.clone()).await.map_err(|e| failure("Failed to load state", &e))?;
    let Some(mut state) = from.stored().cloned() else {
        return Err(no_state(session));
    };
    let mut there = to.stored().cloned().unwrap_or_default();
    super::operation::ensure_nothing_in_flight(opened.store.as_ref()).await?;
    super::operation::ensure_nothing_in_flight(other.store.as_ref()).await?;
    let result = change(&mut state, &mut there)?;
    if to.stored().is_some() || !there.is_empty() {
        to.save(&there).await.map_err(|e| failure("Error saving the state", &e))?;
    }
    from.save(&state).await.map_err(|e| failure("Error saving the state", &e))?;
    Ok(result)
}

/// Says so in the bare words of these commands; nothing is left to show.
fn no_state(session: &Session) -> Diagnostics {
    session.ui.eprint(&format!("{NO_STATE}\n"));
    Diagnostics::new()
}

fn failure(summary: &str, error: &dyn std::error::Error) -> Diagnostics {
    Diagnostic::error(summary, chain(error)).into()
}

async fn open(
    session: &Session,
    args: &StateArgs,
    backup: Option<String>,
    writing: Writing<'_>,
) -> Result<Opened, Diagnostics> {
    let state_out = match writing {
        Writing::Timestamped => None,
        Writing::AsApplied { state_out } => state_out.map(str::to_owned),
    };
    let mut out = StateOutArgs { state_out, backup };
    if out.backup.is_none()
        && writing == Writing::Timestamped
        && let Some(path) = session.state_path(args.state.as_deref())?
    {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        out.backup = Some(format!("{}.{}.backup", path.display(), now.as_secs()));
    }
    session.open(args, Some(&out), "OperationTypeInvalid").await
}

async fn close(session: &Session, opened: Opened) {
    let released = opened.close().await;
    session.show(&released);
}
