//! The commands, one per file, and the table that finds them.

pub mod apply;
pub mod autocomplete;
pub mod completions;
pub mod console;
pub mod fmt;
pub mod force_unlock;
pub mod generated;
pub mod get;
pub mod graph;
pub mod import;
pub mod init;
pub mod init_from_module;
pub mod lock_break;
pub mod lock_list;
pub mod login;
pub mod logout;
pub mod manual;
pub mod metadata;
pub mod misuse;
pub mod modules;
pub mod operation;
pub mod output;
pub mod plan;
pub mod providers;
pub mod providers_lock;
pub mod providers_mirror;
pub mod refresh;
pub mod show;
pub mod state_edit;
pub mod state_journal;
pub mod state_list;
pub mod state_mv;
mod state_mv_between;
pub mod state_recover;
pub mod state_replace_provider;
pub mod state_rm;
pub mod state_show;
pub mod state_transfer;
pub mod taint;
pub mod test;
pub mod validate;
pub mod version;
pub mod workspace;

use crate::args::{FlagError, help, parse};
use crate::json_views::stream::Event;
use crate::session::Session;
use crate::ui::{Settings, Ui};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// As it should.
    Success,
    /// With an error.
    Failure,
    /// With changes, when these are asked for (`-detailed-exitcode`).
    Changes,
    /// With something to destroy, when that is asked for (`-exit-code-for=destroy`).
    Destroys,
    /// With something that has changed outside, when that is asked for (`-exit-code-for=drift`).
    Drift,
    /// With files that could not be formatted (`fmt`).
    Unreadable,
    /// With files that are not in the canonical form (`fmt -check`).
    Unformatted,
    /// Without a command.
    Usage,
}

impl Exit {
    /// The exit code of the process.
    pub fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Changes | Exit::Unreadable => 2,
            Exit::Unformatted | Exit::Destroys => 3,
            Exit::Drift => 4,
            Exit::Usage => 127,
        }
    }
}

/// A command of the main list.
pub struct Listed {
    /// Its name.
    pub name: &'static str,
    /// What it does, in a few words.
    pub synopsis: &'static str,
    /// Whether it belongs to the main workflow.
    pub main: bool,
}

/// The commands in the order of the help text.
pub const LIST: &[Listed] = &[
    Listed { name: "init", synopsis: "Prepare your working directory for other commands", main: true },
    Listed { name: "validate", synopsis: "Check whether the configuration is valid", main: true },
    Listed { name: "plan", synopsis: "Show changes required by the current configuration", main: true },
    Listed { name: "apply", synopsis: "Create or update infrastructure", main: true },
    Listed { name: "destroy", synopsis: "Destroy previously-created infrastructure", main: true },
    Listed { name: "completions", synopsis: "Print a script that completes commands in a shell", main: false },
    Listed { name: "console", synopsis: "Try Terraform expressions at an interactive command prompt", main: false },
    Listed { name: "fmt", synopsis: "Reformat your configuration in the standard style", main: false },
    Listed { name: "force-unlock", synopsis: "Release a stuck lock on the current workspace", main: false },
    Listed { name: "get", synopsis: "Install or upgrade remote Terraform modules", main: false },
    Listed { name: "graph", synopsis: "Generate a Graphviz graph of the steps in an operation", main: false },
    Listed { name: "import", synopsis: "Associate existing infrastructure with a Terraform resource", main: false },
    Listed { name: "lock", synopsis: "List and break the locks on states", main: false },
    Listed { name: "login", synopsis: "Obtain and save credentials for a remote host", main: false },
    Listed { name: "logout", synopsis: "Remove locally-stored credentials for a remote host", main: false },
    Listed { name: "manual", synopsis: "Write manual pages", main: false },
    Listed { name: "metadata", synopsis: "Metadata related commands", main: false },
    Listed { name: "modules", synopsis: "Show all declared modules in a working directory", main: false },
    Listed { name: "output", synopsis: "Show output values from your root module", main: false },
    Listed { name: "providers", synopsis: "Show the providers required for this configuration", main: false },
    Listed { name: "refresh", synopsis: "Update the state to match remote systems", main: false },
    Listed { name: "show", synopsis: "Show the current state or a saved plan", main: false },
    Listed { name: "state", synopsis: "Advanced state management", main: false },
    Listed { name: "taint", synopsis: "Mark a resource instance as not fully functional", main: false },
    Listed { name: "test", synopsis: "Execute integration tests for Terraform modules", main: false },
    Listed { name: "untaint", synopsis: "Remove the 'tainted' state from a resource instance", main: false },
    Listed { name: "version", synopsis: "Show the current Terraform version", main: false },
    Listed { name: "workspace", synopsis: "Workspace management", main: false },
];

/// Reads a command's arguments and sets up how it prints. After a mistake, or `-help`, the exit status.
pub fn prepare<T: clap::Parser>(
    ui: &mut Ui,
    usage: &str,
    arguments: &[String],
    settings: impl FnOnce(&T) -> Settings,
) -> Result<T, Exit> {
    // How to print a mistake in the arguments has to be known before they are read.
    let asked = |flag: &str| arguments.iter().any(|a| a == flag || *a == format!("-{flag}"));
    let json = asked("-json") && misuse::streams(usage);
    // Every command takes this flag, also behind its other arguments.
    let no_color = asked("-no-color");
    let arguments: Vec<String> =
        arguments.iter().filter(|a| !matches!(a.as_str(), "-no-color" | "--no-color")).cloned().collect();
    match parse::<T>(&arguments) {
        Ok(args) => {
            let settings = settings(&args);
            ui.configure(Settings { no_color: settings.no_color || no_color, ..settings });
            Ok(args)
        }
        Err(FlagError::Help) => {
            ui.print(&help::render(&T::command(), usage));
            Err(Exit::Success)
        }
        Err(error) => {
            ui.configure(Settings { no_color, json, ..Settings::default() });
            if json {
                ui.event(&Event::version());
            }
            misuse::answer(ui, usage, &error, &help::render(&T::command(), usage));
            Err(Exit::Failure)
        }
    }
}

/// Where a command prints its help after a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelpGoes {
    /// To stdout.
    ToStdout,
    /// To stderr.
    ToStderr,
}

/// Answers a usage mistake with a message and the help text.
pub fn misused<T: clap::Parser>(session: &Session, usage: &str, message: &str, help: HelpGoes) -> Exit {
    session.ui.eprint(&format!("{message}\n"));
    let text = help::render(&T::command(), usage);
    match help {
        HelpGoes::ToStdout => session.ui.print(&text),
        HelpGoes::ToStderr => session.ui.eprint(&text),
    }
    Exit::Failure
}
