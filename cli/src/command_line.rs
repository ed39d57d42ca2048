//! All commands with their flags as one tree: what completions and manual pages are made from.

use clap::{Arg, ArgAction, Command, CommandFactory};

use crate::commands::{self, LIST};

/// Commands below others, with what each does.
const SUBCOMMANDS: &[(&str, &str, &str)] = &[
    ("lock", "break", "Break the lock of another run"),
    ("lock", "list", "List the locks of all workspaces"),
    ("metadata", "functions", "Show signatures and descriptions for the available functions"),
    ("providers", "lock", "Write out dependency locks for the configured providers"),
    ("providers", "mirror", "Save local copies of all required provider plugins"),
    ("providers", "schema", "Show schemas for the providers used in the configuration"),
    ("state", "journal", "Show what an interrupted run left, or one under way does"),
    ("state", "list", "List resources in the state"),
    ("state", "mv", "Move an item in the state"),
    ("state", "pull", "Pull current state and output to stdout"),
    ("state", "push", "Update remote state from a local state file"),
    ("state", "recover", "Clear up what an interrupted run left"),
    ("state", "replace-provider", "Replace provider in the state"),
    ("state", "rm", "Remove instances from the state"),
    ("state", "show", "Show a resource in the state"),
    ("workspace", "delete", "Delete a workspace"),
    ("workspace", "list", "List Workspaces"),
    ("workspace", "new", "Create a new workspace"),
    ("workspace", "select", "Select a workspace"),
    ("workspace", "show", "Show the name of the current workspace"),
];

/// The whole command line of a program of this name. Flags that are switches take no value here: `-flag=false` is for scripts.
pub fn tree(program: &'static str) -> Command {
    let global =
        |name: &'static str, help: &'static str| Arg::new(name).long(name).help(help).action(ArgAction::SetTrue);
    let directory = Arg::new("chdir").long("chdir").value_name("DIR").require_equals(true);
    let directory = directory.help("Switch to a different working directory before executing the given subcommand.");
    let mut tree = quiet(Command::new(program))
        .about("Builds, changes and removes infrastructure as Terraform's configuration language describes it")
        .version(env!("CARGO_PKG_VERSION"))
        .arg(directory)
        .arg(global("help", "Show this help output, or the help for a specified subcommand."))
        .arg(global("version", "An alias for the \"version\" subcommand."));
    for listed in LIST {
        let mut command = described(listed.name, listed.synopsis);
        for (_, name, synopsis) in SUBCOMMANDS.iter().filter(|(group, ..)| *group == listed.name) {
            command = command.subcommand(described_as(&format!("{} {name}", listed.name), name, synopsis));
        }
        tree = tree.subcommand(command);
    }
    tree
}

/// A command without what clap adds by itself.
fn quiet(command: Command) -> Command {
    command.disable_help_flag(true).disable_version_flag(true).disable_help_subcommand(true)
}

fn described(name: &'static str, synopsis: &'static str) -> Command {
    described_as(name, name, synopsis)
}

fn described_as(path: &str, name: &'static str, synopsis: &'static str) -> Command {
    let mut command = quiet(Command::new(name)).about(synopsis);
    let Some(known) = arguments(path) else { return command };
    if let Some(about) = known.get_long_about().or(known.get_about()) {
        command = command.long_about(about.clone());
    }
    for argument in known.get_arguments() {
        let is_switch = argument.get_value_parser().type_id() == std::any::TypeId::of::<bool>();
        let Some(long) = argument.get_long() else { continue };
        let help = argument.get_help().cloned().unwrap_or_default();
        let plain = Arg::new(argument.get_id().clone()).long(long.to_owned()).help(help);
        let plain = match is_switch {
            true => plain.action(ArgAction::SetTrue),
            false => {
                let name = argument.get_value_names().and_then(|names| names.first());
                let name = name.map_or("value", |name| name.as_str().trim_matches('\''));
                plain.action(argument.get_action().clone()).value_name(name.to_owned())
            }
        };
        command = command.arg(plain);
    }
    command
}

/// The arguments of a command as it reads them; `None` for a mere group.
fn arguments(path: &str) -> Option<Command> {
    use commands::{
        apply, completions, console, fmt, force_unlock, get, graph, import, init, lock_break, lock_list, login, logout,
        manual, metadata, modules, output, plan, providers, providers_lock, providers_mirror, refresh, show,
        state_journal, state_list, state_mv, state_recover, state_replace_provider, state_rm, state_show,
        state_transfer, taint, test, validate, version, workspace,
    };
    Some(match path {
        "apply" | "destroy" => apply::ApplyArgs::command(),
        "completions" => completions::CompletionsArgs::command(),
        "console" => console::ConsoleArgs::command(),
        "fmt" => fmt::FmtArgs::command(),
        "force-unlock" => force_unlock::ForceUnlockArgs::command(),
        "get" => get::GetArgs::command(),
        "graph" => graph::GraphArgs::command(),
        "import" => import::ImportArgs::command(),
        "init" => init::InitArgs::command(),
        "lock break" => lock_break::LockBreakArgs::command(),
        "lock list" => lock_list::LockListArgs::command(),
        "login" => login::LoginArgs::command(),
        "logout" => logout::LogoutArgs::command(),
        "manual" => manual::ManualArgs::command(),
        "metadata functions" => metadata::MetadataFunctionsArgs::command(),
        "modules" => modules::ModulesArgs::command(),
        "output" => output::OutputArgs::command(),
        "plan" => plan::PlanArgs::command(),
        "providers" => providers::ProvidersArgs::command(),
        "providers lock" => providers_lock::ProvidersLockArgs::command(),
        "providers mirror" => providers_mirror::ProvidersMirrorArgs::command(),
        "providers schema" => providers::ProvidersSchemaArgs::command(),
        "refresh" => refresh::RefreshArgs::command(),
        "show" => show::ShowArgs::command(),
        "state journal" => state_journal::StateJournalArgs::command(),
        "state list" => state_list::StateListArgs::command(),
        "state mv" => state_mv::StateMvArgs::command(),
        "state pull" => state_transfer::StatePullArgs::command(),
        "state push" => state_transfer::StatePushArgs::command(),
        "state recover" => state_recover::StateRecoverArgs::command(),
        "state replace-provider" => state_replace_provider::StateReplaceProviderArgs::command(),
        "state rm" => state_rm::StateRmArgs::command(),
        "state show" => state_show::StateShowArgs::command(),
        "taint" | "untaint" => taint::TaintArgs::command(),
        "test" => test::TestArgs::command(),
        "validate" => validate::ValidateArgs::command(),
        "version" => version::VersionArgs::command(),
        path if path.starts_with("workspace ") => workspace::WorkspaceArgs::command(),
        _ => return None,
    })
}

/// What may follow in a line that is being typed: commands, or flags where the last word begins one.
pub fn candidates(line: &str) -> Vec<String> {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let last = if line.ends_with(char::is_whitespace) { "" } else { words.pop().unwrap_or_default() };
    let tree = tree("windlass");
    let mut command = &tree;
    for word in words.iter().skip(1).filter(|word| !word.starts_with('-')) {
        // What is no command is an argument of the one before.
        let Some(below) = command.find_subcommand(word) else { break };
        command = below;
    }
    let mut found: Vec<String> = match last.starts_with('-') {
        true => command.get_arguments().filter_map(Arg::get_long).map(|long| format!("-{long}")).collect(),
        false => command.get_subcommands().map(|command| command.get_name().to_owned()).collect(),
    };
    found.retain(|candidate| candidate.starts_with(last));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_that_is_no_group_has_its_flags_in_the_tree() {
        let tree = tree("windlass");
        for command in tree.get_subcommands() {
            let is_group = command.has_subcommands();
            assert!(is_group || arguments(command.get_name()).is_some(), "{}", command.get_name());
            for below in command.get_subcommands() {
                let path = format!("{} {}", command.get_name(), below.get_name());
                assert!(arguments(&path).is_some(), "{path}");
            }
        }
        tree.debug_assert();
    }

    #[test]
    fn a_line_is_completed_by_commands_and_flags() {
        assert_eq!(candidates("windlass pl"), ["plan"]);
        assert_eq!(candidates("windlass -chdir=x state s"), ["show"]);
        assert_eq!(candidates("windlass plan -allow"), ["-allow-deferral"]);
        assert!(candidates("windlass workspace ").contains(&"select".to_owned()));
        assert!(candidates("windlass plan x").is_empty());
    }
}
