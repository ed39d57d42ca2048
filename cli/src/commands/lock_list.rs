//! `lock list`

use std::time::Duration;

use clap::ArgAction;
use lang::{Diagnostic, Diagnostics};
use serde_json::{Value, json};
use state::{HeldLock, StoreError};

use super::Exit;
use crate::session::{Session, chain};

/// List the locks on the states of all workspaces: who holds them, since when, and for what.
#[derive(Debug, clap::Parser)]
pub struct LockListArgs {
    /// Produce output in a machine-readable JSON format.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub json: bool,
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
}

/// Runs the command.
pub async fn run(session: &Session, args: &LockListArgs) -> Exit {
    let locks = match all(session).await {
        Ok(locks) => locks,
        Err(diagnostics) => {
            session.show(&diagnostics);
            return Exit::Failure;
        }
    };
    if args.json {
        let list: Vec<Value> = locks.iter().map(|(workspace, lock)| document(workspace, lock)).collect();
        session.ui.print(&format!("{}\n", json!({"format_version": "1.0", "locks": list})));
    } else if locks.is_empty() {
        session.ui.print("No locks.\n");
    } else {
        let texts: Vec<String> =
            locks.iter().map(|(workspace, lock)| format!("Workspace {workspace:?}:\n{}", described(lock))).collect();
        session.ui.print(&texts.join("\n"));
    }
    Exit::Success
}

/// The locks of all workspaces.
async fn all(session: &Session) -> Result<Vec<(String, HeldLock)>, Diagnostics> {
    let place = session.backend()?;
    let failed = |error: &dyn std::error::Error| Diagnostic::error("Failed to list the locks", chain(error));
    let workspaces = match place.backend().workspaces().await {
        Err(StoreError::NoWorkspaces) => vec![session.workspace_name()],
        other => other.map_err(|error| failed(&error))?,
    };
    let mut locks = Vec::new();
    for workspace in workspaces {
        let store = place.backend().store(&workspace).map_err(|error| failed(&error))?;
        let held = store.locks().await.map_err(|error| failed(&error))?;
        locks.extend(held.into_iter().map(|lock| (workspace.clone(), lock)));
    }
    Ok(locks)
}

/// What is known of a lock, a line each.
pub fn described(lock: &HeldLock) -> String {
    let info = &lock.info;
    let lease = info.lease.as_ref().map(|lease| lease_text(lease.length(), lock.age));
    let resources = lock.resources.join(", ");
    let info_text = if info.job.is_some() || info.reason.is_some() { "" } else { &info.info };
    let lines = [
        ("ID", info.id.0.as_str()),
        ("Operation", operation(&info.operation)),
        ("Who", &info.who),
        ("Job", info.job.as_deref().unwrap_or_default()),
        ("Reason", info.reason.as_deref().unwrap_or_default()),
        ("Info", info_text),
        ("Created", &info.created),
        ("Lease", lease.as_deref().unwrap_or("none: it holds until it is given back, or its process ends")),
        ("Resources", &resources),
    ];
    let known = lines.iter().filter(|(_, value)| !value.is_empty());
    known.map(|(name, value)| format!("  {:<11}{value}\n", format!("{name}:"))).collect()
}

fn lease_text(length: Duration, age: Option<Duration>) -> String {
    let length_text = format!("{}s", length.as_secs());
    match age {
        None => length_text,
        Some(age) if age > length => {
            format!(
                "{length_text}, renewed {}s ago: its holder is dead, and whoever comes next takes over",
                age.as_secs()
            )
        }
        Some(age) => format!("{length_text}, renewed {}s ago", age.as_secs()),
    }
}

/// `OperationTypeApply` as `apply`; what has no such name is an edit of the state.
fn operation(name: &str) -> &str {
    match name.strip_prefix("OperationType") {
        Some("Apply") => "apply",
        Some("Plan") => "plan",
        Some("Refresh") => "refresh",
        Some("Invalid") => "edit",
        _ => name,
    }
}

fn document(workspace: &str, lock: &HeldLock) -> Value {
    let info = &lock.info;
    let (owner, host) = info.who.split_once('@').unwrap_or((&info.who, ""));
    let lease = info.lease.as_ref();
    json!({
        "workspace": workspace,
        "id": info.id,
        "operation": operation(&info.operation),
        "owner": owner,
        "host": host,
        "job": info.job,
        "reason": info.reason,
        "info": info.info,
        "created": info.created,
        "path": info.path,
        "version": info.version,
        "lease_seconds": lease.map(|lease| lease.seconds),
        "renewed_seconds_ago": lease.and(lock.age).map(|age| age.as_secs()),
        "resources": lock.resources,
    })
}
