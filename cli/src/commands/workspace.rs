//! `workspace list`, `show`, `new`, `select` and `delete`

use clap::ArgAction;
use lang::{Diagnostic, Diagnostics};
use state::backend::local::{DEFAULT_WORKSPACE, LocalPaths, LocalStore};
use state::{Backend, StateStore, WriteCondition};

use super::Exit;
use crate::session::{Session, chain, is_workspace_name};

/// New, list, show, select and delete Terraform workspaces.
#[derive(Debug, clap::Parser)]
pub struct WorkspaceArgs {
    /// Create the Terraform workspace if it doesn't exist.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub or_create: bool,
    /// Remove a workspace even if it is managing resources.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub force: bool,
    /// Copy an existing state file into the new workspace.
    #[arg(long, value_name = "path")]
    pub state: Option<String>,
    /// Don't hold a state lock during the operation.
    #[arg(long, action = ArgAction::Set, default_value_t = true, value_name = "false")]
    pub lock: bool,
    /// Duration to retry a state lock.
    #[arg(long, default_value = "0s", value_name = "0s")]
    pub lock_timeout: String,
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// The workspace.
    pub name: Vec<String>,
}

/// The help of the group.
pub const USAGE: &str = include_str!("usage/workspace.txt");
const SELECT_USAGE: &str = include_str!("usage/workspace_select.txt");

/// What a subcommand of the group ends with, besides success.
enum Problem {
    /// A plain message.
    Message(String),
    /// Diagnostics.
    Diagnostics(Diagnostics),
}

impl From<Diagnostics> for Problem {
    fn from(diagnostics: Diagnostics) -> Problem {
        Problem::Diagnostics(diagnostics)
    }
}

fn failed(error: &dyn std::error::Error) -> Problem {
    Problem::Message(chain(error))
}

/// Runs a subcommand of the group.
pub async fn run(session: &Session, subcommand: &str, args: &WorkspaceArgs) -> Exit {
    let result = match (subcommand, args.name.as_slice()) {
        ("list", []) => list(session).await,
        ("show", _) => {
            session.ui.print(&format!("{}\n", session.workspace_name()));
            return Exit::Success;
        }
        ("new", [name]) => create(session, args, name).await,
        ("select", [name]) => select(session, args, name).await,
        ("delete", [name]) => delete(session, args, name).await,
        ("list", _) => {
            session.ui.eprint("Too many command line arguments. Did you mean to use -chdir?\n");
            return Exit::Failure;
        }
        ("select", _) => {
            session.ui.eprint("Expected a single argument: NAME.\n\n");
            session.ui.print(SELECT_USAGE);
            return Exit::Failure;
        }
        (subcommand, _) => {
            let message = "Expected a single argument: NAME.\n";
            let usage = format!("workspace {subcommand} [OPTIONS] NAME");
            return super::misused::<WorkspaceArgs>(session, &usage, message, super::HelpGoes::ToStdout);
        }
    };
    match result {
        Ok(()) => Exit::Success,
        Err(Problem::Message(message)) => {
            session.ui.eprint(&format!("{message}\n"));
            Exit::Failure
        }
        Err(Problem::Diagnostics(diagnostics)) => {
            session.show(&diagnostics);
            Exit::Failure
        }
    }
}

/// Coloured even where no terminal is: these commands of Terraform do so, and scripts compare their output.
fn green(session: &Session, bold: &str, rest: &str) {
    let text = match (session.ui.settings.no_color, bold) {
        (true, bold) => format!("{bold}{rest}\n"),
        (false, "") => format!("\u{1b}[0m\u{1b}[32m{rest}\u{1b}[0m\n"),
        (false, bold) => format!("\u{1b}[0m\u{1b}[32m\u{1b}[1m{bold}\u{1b}[0m\u{1b}[32m{rest}\u{1b}[0m\n"),
    };
    session.ui.print(&text);
}

const OVERRIDDEN: &str = "\n\nThe active workspace is being overridden using the TF_WORKSPACE environment\nvariable.\n";

fn is_overridden(session: &Session) -> bool {
    session.environment.get("TF_WORKSPACE").is_some()
}

async fn list(session: &Session) -> Result<(), Problem> {
    let current = session.workspace_name();
    let names = session.backend()?.backend().workspaces().await.map_err(|error| failed(&error))?;
    let lines: String =
        names.iter().map(|name| format!("{} {name}\n", if *name == current { "*" } else { " " })).collect();
    session.ui.print(&format!("{lines}\n"));
    if is_overridden(session) {
        session.ui.print(&format!("{OVERRIDDEN}\n"));
    }
    Ok(())
}

async fn exists(backend: &dyn Backend, name: &str) -> Result<bool, Problem> {
    Ok(backend.workspaces().await.map_err(|error| failed(&error))?.iter().any(|known| known == name))
}

fn check_name(name: &str) -> Result<(), Problem> {
    if is_workspace_name(name) {
        return Ok(());
    }
    let names = "The name must contain only URL safe\ncharacters, and no path separators.";
    Err(Problem::Message(format!("\nThe workspace name {name:?} is not allowed. {names}\n")))
}

/// Makes a workspace the current one.
fn switch(session: &Session, name: &str) -> Result<(), Problem> {
    let folder = session.environment.data_dir();
    let write = || {
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("environment"), name)
    };
    write().map_err(|error: std::io::Error| failed(&error))
}

async fn make(session: &Session, backend: &dyn Backend, name: &str) -> Result<(), Problem> {
    backend.create_workspace(name).await.map_err(|error| failed(&error))?;
    switch(session, name)?;
    green(
        session,
        &format!("Created and switched to workspace \"{name}\"!"),
        "\n\nYou're now on a new, empty workspace. Workspaces isolate their state,\nso if you run \"terraform plan\" \
         Terraform will not see any existing state\nfor this configuration.",
    );
    Ok(())
}

async fn create(session: &Session, args: &WorkspaceArgs, name: &str) -> Result<(), Problem> {
    check_name(name)?;
    if is_overridden(session) && session.workspace_name() != name {
        return Err(Problem::Message(
            "\nThe workspace is currently overridden using the TF_WORKSPACE environment\nvariable. You cannot create a new \
             workspace when using this setting.\n\nTo create a new workspace, either unset this environment variable or \
             update it\nto match the workspace name you are trying to create, and then run this command\nagain.\n"
                .to_owned(),
        ));
    }
    let place = session.backend()?;
    let backend = place.backend();
    if exists(backend, name).await? {
        return Err(Problem::Message(format!("Workspace \"{name}\" already exists")));
    }
    let given = match &args.state {
        Some(path) => {
            std::fs::metadata(path)
                .map_err(|error| Problem::Message(format!("open {path}: {}", crate::io::reason(&error))))?;
            let store = LocalStore::with_codec(LocalPaths::new(path), session.encryption()?.state());
            store.read().await.map_err(|error| failed(&error))?
        }
        None => None,
    };
    make(session, backend, name).await?;
    if let Some(state) = given {
        let store = backend.store(name).map_err(|error| failed(&error))?;
        let there = store.read().await.map_err(|error| failed(&error))?;
        let condition = WriteCondition::replacing(there.as_ref());
        store.write(&state, &condition).await.map_err(|error| failed(&error))?;
    }
    Ok(())
}

async fn select(session: &Session, args: &WorkspaceArgs, name: &str) -> Result<(), Problem> {
    let place = session.backend()?;
    let backend = place.backend();
    if is_overridden(session) {
        return Err(Problem::Message(
            "\nThe selected workspace is currently overridden using the TF_WORKSPACE\nenvironment variable.\n\nTo select a \
             new workspace, either update this environment variable or unset\nit and then run this command again.\n"
                .to_owned(),
        ));
    }
    check_name(name)?;
    if session.workspace_name() == name {
        return Ok(());
    }
    if exists(backend, name).await? {
        switch(session, name)?;
        green(session, "", &format!("Switched to workspace \"{name}\"."));
        return Ok(());
    }
    if args.or_create {
        return make(session, backend, name).await;
    }
    Err(Problem::Message(missing(name)))
}

fn missing(name: &str) -> String {
    format!(
        "\nWorkspace \"{name}\" doesn't exist.\n\nYou can create this workspace with the \"new\" subcommand \nor include the \
         \"-or-create\" flag with the \"select\" subcommand."
    )
}

async fn delete(session: &Session, args: &WorkspaceArgs, name: &str) -> Result<(), Problem> {
    let place = session.backend()?;
    let backend = place.backend();
    if !exists(backend, name).await? {
        return Err(Problem::Message(missing(name)));
    }
    if session.workspace_name() == name {
        return Err(Problem::Message(format!(
            "\nWorkspace \"{name}\" is your active workspace.\n\nYou cannot delete the currently active workspace. Please \
             switch\nto another workspace and try again.\n"
        )));
    }
    let store = backend.store(name).map_err(|error| failed(&error))?;
    let state = store.read().await.map_err(|error| failed(&error))?;
    let instances: Vec<String> = state
        .as_ref()
        .map(|state| state.instances().map(|(address, ..)| format!("\n  - {address}")).collect())
        .unwrap_or_default();
    if !instances.is_empty() && !args.force {
        let detail = format!(
            "Workspace \"{name}\" is currently tracking the following resource instances:{}\n\nDeleting this workspace would \
             cause Terraform to lose track of any associated remote objects, which would then require you to delete them \
             manually outside of Terraform. You should destroy these objects with Terraform before deleting the \
             workspace.\n\nIf you want to delete this workspace anyway, and have Terraform forget about these managed \
             objects, use the -force option to disable this safety check.",
            instances.concat()
        );
        return Err(Diagnostics::from(Diagnostic::error("Workspace is not empty", detail)).into());
    }
    if name == DEFAULT_WORKSPACE {
        return Err(Problem::Message("cannot delete default state".to_owned()));
    }
    if !args.force {
        super::operation::ensure_nothing_in_flight(store.as_ref()).await?;
    }
    backend.delete_workspace(name).await.map_err(|error| failed(&error))?;
    green(session, "", &format!("Deleted workspace \"{name}\"!"));
    if !instances.is_empty() {
        let text = format!(
            "WARNING: \"{name}\" was non-empty.\nThe resources managed by the deleted workspace may still exist,\nbut are no \
             longer manageable by Terraform since the state has\nbeen deleted.\n"
        );
        let plain = session.ui.settings.no_color;
        session.ui.print(&if plain { format!("{text}\n") } else { format!("\u{1b}[0m\u{1b}[33m{text}\u{1b}[0m\n") });
    }
    Ok(())
}
