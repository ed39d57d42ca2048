//! `lock break`

use clap::ArgAction;
use lang::Diagnostic;
use state::{HeldLock, LockError};

use super::Exit;
use super::lock_list::described;
use crate::args::groups::StateArgs;
use crate::session::{Session, chain};

/// Break the lock of another run on the state of the current workspace. What that run still wants to write is refused; what it
/// has done is in its journal, from where the next run takes it up.
#[derive(Debug, clap::Parser)]
pub struct LockBreakArgs {
    /// Don't ask for confirmation.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub force: bool,
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// The lock, if there are several.
    pub id: Vec<String>,
}

/// Runs the command.
pub async fn run(session: &Session, args: &LockBreakArgs) -> Exit {
    let fail = |summary: &str, detail: String| {
        session.show(&Diagnostic::error(summary, detail).into());
        Exit::Failure
    };
    if args.id.len() > 1 {
        let message = "Expected a single argument: LOCK_ID\n";
        return super::misused::<LockBreakArgs>(
            session,
            "lock break [options] [LOCK_ID]",
            message,
            super::HelpGoes::ToStderr,
        );
    }
    let unlocked = StateArgs { lock: false, lock_timeout: std::time::Duration::ZERO, state: None };
    let opened = match session.open(&unlocked, None, "OperationTypeInvalid").await {
        Ok(opened) => opened,
        Err(diagnostics) => {
            session.show(&diagnostics);
            return Exit::Failure;
        }
    };
    let locks = match opened.store.locks().await {
        Ok(locks) => locks,
        Err(error) => return fail("Failed to list the locks", chain(&error)),
    };
    let lock = match chosen(&locks, args.id.first().map(String::as_str)) {
        Ok(lock) => lock,
        Err(reason) => return fail("No such lock", reason),
    };
    session.ui.print(&described(lock));
    if !args.force {
        session.ui.print(
            "\nDo you really want to break this lock?\n  Its holder may still be at work: what it starts meanwhile in the cloud, \
             nobody else\n  will know of before it has ended. Only 'yes' will be accepted to confirm.\n\n  Enter a value: ",
        );
        if session.ui.read_line().as_deref() != Some("yes") {
            session.ui.print("lock break cancelled.\n");
            return Exit::Failure;
        }
    }
    match opened.store.force_unlock(&lock.info.id).await {
        Ok(()) => {
            session.ui.print(&format!("\nThe lock of {} has been broken.\n", lock.info.who));
            Exit::Success
        }
        Err(LockError::NotBreakable) => {
            let detail =
                "The lock of a local state belongs to its process, and ends with it: end that process instead.";
            fail("The lock cannot be broken", detail.to_owned())
        }
        Err(error) => fail("Failed to break the lock", chain(&error)),
    }
}

/// The lock of this name, or the only one.
fn chosen<'a>(locks: &'a [HeldLock], id: Option<&str>) -> Result<&'a HeldLock, String> {
    let names: Vec<String> = locks.iter().map(|lock| format!("\n  - {} by {}", lock.info.id, lock.info.who)).collect();
    match (locks, id) {
        ([], _) => Err("The state of this workspace is not locked.".to_owned()),
        ([lock], None) => Ok(lock),
        (locks, Some(id)) => locks
            .iter()
            .find(|lock| lock.info.id.0 == id)
            .ok_or_else(|| format!("There is no lock {id:?} on the state of this workspace, but:{}", names.concat())),
        (_, None) => Err(format!("There are several locks; name the one to break:{}", names.concat())),
    }
}
