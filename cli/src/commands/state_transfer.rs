//! `state pull` and `state push`

use std::fs::File;
use std::io::BufReader;

use clap::ArgAction;
use lang::Diagnostics;
use serde::de::IgnoredAny;
use state::{State, WriteCondition};

use super::Exit;
use crate::args::groups::StateArgs;
use crate::session::{Session, chain};

/// Pull the state from its location, upgrade the local copy, and output it to stdout.
#[derive(Debug, clap::Parser)]
pub struct StatePullArgs {
    /// Accepted and ignored.
    #[arg(hide = true)]
    pub rest: Vec<String>,
}

/// Runs `state pull`.
pub async fn pull(session: &Session) -> Exit {
    match session.read_state(None).await {
        Ok(state) => {
            if let Some(state) = state {
                session.ui.print_with(|out| state::v4::write_to(&state, out));
            }
            Exit::Success
        }
        Err(diagnostics) => {
            session.show(&diagnostics);
            Exit::Failure
        }
    }
}

/// Update remote state from a local state file at PATH. This command "pushes" a local state and overwrites remote state
/// with a local state file. The command will protect you against writing an older serial or a different state file lineage
/// unless you specify the "-force" flag.
#[derive(Debug, clap::Parser)]
pub struct StatePushArgs {
    /// Write the state even if lineages don't match or the remote serial is higher.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub force: bool,
    /// Accepted and ignored: of remote backends only.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub ignore_remote_version: bool,
    /// The state's lock.
    #[command(flatten)]
    pub state: StateArgs,
    /// The file; `-` is the standard input.
    pub path: Vec<String>,
}

/// Runs `state push`.
pub async fn push(session: &Session, args: &StatePushArgs) -> Exit {
    let [path] = args.path.as_slice() else {
        return super::misused::<StatePushArgs>(
            session,
            "state push [options] PATH",
            "Exactly one argument expected.\n",
            super::HelpGoes::ToStdout,
        );
    };
    let pushed = match source(session, path) {
        Ok(state) => state,
        Err(message) => {
            session.ui.eprint(&format!("{message}\n"));
            return Exit::Failure;
        }
    };
    match store(session, args, &pushed).await {
        Ok(None) => Exit::Success,
        Ok(Some(message)) => {
            session.ui.eprint(&format!("Failed to write state: {message}\n"));
            Exit::Failure
        }
        Err(diagnostics) => {
            session.show(&diagnostics);
            Exit::Failure
        }
    }
}

fn source(session: &Session, path: &str) -> Result<State, String> {
    let open = || File::open(path).map_err(|error| format!("open {path}: {}", crate::io::reason(&error)));
    let input = if path == "-" { session.ui.read_all() } else { Vec::new() };
    let state = match path {
        "-" => state::v4::read(&input),
        _ => state::v4::read_from(open()?),
    };
    let is_json = || match path {
        "-" => serde_json::from_slice::<IgnoredAny>(&input).is_ok(),
        _ => open().is_ok_and(|file| serde_json::from_reader::<_, IgnoredAny>(BufReader::new(file)).is_ok()),
    };
    match state {
        Ok(Some(state)) => Ok(state),
        Ok(None) => Err(format!("Error reading source state {path:?}: no state")),
        Err(error) if is_json() => Err(format!("Error reading source state {path:?}: {}", chain(&error))),
        Err(_) => Err(format!(
            "Error reading source state {path:?}: 2 problems:\n\n- Unsupported state file format: The state file could not be \
             parsed as JSON.\n- Unsupported state file format: The state file does not have a \"version\" attribute, which \
             is required to identify the format version."
        )),
    }
}

/// Writes a state as it is. Returns why not, if it would undo something.
async fn store(session: &Session, args: &StatePushArgs, pushed: &State) -> Result<Option<String>, Diagnostics> {
    let opened = session.open(&args.state, None, "OperationTypeInvalid").await?;
    let result = async {
        let stored = opened.store.read().await?;
        let refusal = stored.as_ref().filter(|_| !args.force).and_then(|stored| refusal(stored, pushed));
        if refusal.is_none() {
            opened.store.write(pushed, &WriteCondition::replacing(stored.as_ref())).await?;
        }
        Ok(refusal)
    }
    .await;
    let released = opened.close().await;
    if released.has_errors() {
        return Err(released);
    }
    session.show(&released);
    result.map_err(|error: state::StoreError| lang::Diagnostic::error("Failed to write state", chain(&error)).into())
}

fn refusal(stored: &State, pushed: &State) -> Option<String> {
    let (old, new) = (&stored.lineage.0, &pushed.lineage.0);
    if old != new && !stored.is_empty() {
        return Some(format!("cannot import state with lineage \"{new}\" over unrelated state with lineage \"{old}\""));
    }
    let (old, new) = (stored.serial.0, pushed.serial.0);
    if new < old {
        return Some(format!("cannot import state with serial {new} over newer state with serial {old}"));
    }
    let differs = new == old && !stored.same_content(pushed);
    differs.then(|| {
        format!("cannot overwrite existing state with serial {old} with a different state that has the same serial")
    })
}
