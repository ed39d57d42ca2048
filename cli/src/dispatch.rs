//! From a command line to its command.

use std::sync::Arc;

use planner::ProviderRegistry;
use state::model::ObjectStatus;

use crate::args::words;
use crate::commands::{self, Exit, LIST, prepare};
use crate::io::{Environment, Io};
use crate::session::Session;
use crate::ui::{Settings, Ui};

/// Runs a command line (without the program's name) and returns the exit code.
pub async fn run(arguments: Vec<String>, environment: Environment, io: Io, providers: ProviderRegistry) -> u8 {
    tracing::info!("Terraform version: {}", state::model::TERRAFORM_VERSION);
    tracing::info!("windlass version: {}", env!("CARGO_PKG_VERSION"));
    tracing::info!("CLI args: {:?}", crate::logging::public_arguments(&arguments));
    let ui = Ui::new(io, &environment, Settings::default());
    if let Some(line) = environment.variables.get("COMP_LINE") {
        // A shell asks what may follow.
        let found: String = crate::command_line::candidates(line).iter().map(|word| format!("{word}\n")).collect();
        ui.print(&found);
        return Exit::Success.code();
    }
    let problems = crate::cli_config::problems::check(&environment);
    if !problems.is_empty() {
        ui.setup_problems(&problems);
    }
    command(arguments, environment, ui, providers).await.code()
}

async fn command(arguments: Vec<String>, environment: Environment, mut ui: Ui, providers: ProviderRegistry) -> Exit {
    // Asked for the version anywhere, Terraform tells nothing else.
    let before_rest = arguments.iter().take_while(|argument| *argument != "--");
    if before_rest.clone().any(|argument| matches!(argument.as_str(), "-v" | "-version" | "--version")) {
        return commands::version::run(&ui, &commands::version::VersionArgs { json: false, rest: Vec::new() });
    }
    let mut moved = false;
    let mut rest = arguments.as_slice();
    while let Some((option, tail)) = rest.split_first().filter(|(first, _)| first.starts_with('-')) {
        let name = option.trim_start_matches('-');
        match name.split_once('=').unwrap_or((name, "")) {
            ("chdir", directory) if option.contains('=') && !directory.is_empty() && !moved => {
                if let Err(error) = std::env::set_current_dir(directory) {
                    let error = crate::io::reason(&error);
                    ui.eprint(&format!("Error handling -chdir option: chdir {directory}: {error}\n"));
                    return Exit::Failure;
                }
                rest = tail;
                moved = true;
            }
            ("chdir", _) if !moved => {
                ui.eprint(
                    "Invalid -chdir option: must include an equals sign followed by a directory path, like -chdir=example\n",
                );
                return Exit::Failure;
            }
            ("help" | "h", _) => match tail.iter().position(|word| !word.starts_with('-')) {
                Some(command) => return help(&tail[command..], ui, environment, providers).await,
                None => {
                    ui.print(&usage());
                    return Exit::Success;
                }
            },
            ("install-autocomplete", _) => return commands::autocomplete::install(&ui, &environment),
            ("uninstall-autocomplete", _) => return commands::autocomplete::uninstall(&ui, &environment),
            _ if tail.iter().any(|word| !word.starts_with('-')) => {
                ui.print(&format!(
                    "Invalid flags before the subcommand. If these flags are for\nthe subcommand, please put them after the \
                     subcommand.\n\n{}",
                    usage()
                ));
                return Exit::Failure;
            }
            _ => {
                ui.print(&usage());
                return Exit::Usage;
            }
        }
    }
    let Some((name, tail)) = rest.split_first().filter(|(name, _)| !name.is_empty()) else {
        ui.print(&usage());
        return Exit::Usage;
    };
    if name == "help" {
        return help(tail, ui, environment, providers).await;
    }
    let name = if name == "env" {
        // Its name until Terraform 0.10.
        ui.print(DEPRECATED_ENV);
        &"workspace".to_owned()
    } else {
        name
    };
    let (name, tail) = match tail.split_first() {
        Some((sub, tail)) if GROUPS.contains(&name.as_str()) && !sub.starts_with('-') => {
            (format!("{name} {sub}"), tail)
        }
        _ => (name.clone(), tail),
    };
    let mut arguments = Vec::new();
    let specific = format!("TF_CLI_ARGS_{}", name.replace([' ', '-'], "_"));
    for variable in [specific.as_str(), "TF_CLI_ARGS"] {
        match words::split(environment.get(variable).unwrap_or_default()) {
            Ok(words) => arguments.extend(words),
            Err(error) => {
                ui.eprint(&format!("Error parsing extra CLI args from {variable}: {error}\n"));
                return Exit::Failure;
            }
        }
    }
    arguments.extend(tail.iter().cloned());
    tracing::info!("CLI command args: {name} {:?}", crate::logging::public_arguments(&arguments));
    dispatch(&name, &arguments, &mut ui, environment, providers).await.unwrap_or_else(|exit| exit)
}

/// Shows the help of a command, or of all.
async fn help(command: &[String], mut ui: Ui, environment: Environment, providers: ProviderRegistry) -> Exit {
    let name = match command {
        [] => {
            ui.print(&usage());
            return Exit::Success;
        }
        [group, sub, ..] if GROUPS.contains(&group.as_str()) && !sub.starts_with('-') => format!("{group} {sub}"),
        [name, ..] => name.clone(),
    };
    let asked = ["-help".to_owned()];
    dispatch(&name, &asked, &mut ui, environment, providers).await.unwrap_or_else(|exit| exit)
}

/// Commands that have subcommands.
const GROUPS: [&str; 5] = ["lock", "metadata", "providers", "state", "workspace"];

async fn dispatch(
    name: &str,
    arguments: &[String],
    ui: &mut Ui,
    environment: Environment,
    providers: ProviderRegistry,
) -> Result<Exit, Exit> {
    use commands::{
        apply, completions, console, fmt, force_unlock, get, graph, import, init, lock_break, lock_list, login, logout,
        manual, metadata, modules, output, plan, providers as needs, providers_lock, providers_mirror, refresh, show,
        state_journal, state_list, state_mv, state_recover, state_replace_provider, state_rm, state_show,
        state_transfer, taint, test, validate, version, workspace,
    };
    let session = |ui: &mut Ui| {
        let ui = std::mem::replace(ui, Ui::silent());
        Session::new(Arc::new(ui), environment, providers)
    };
    let text = |no_color| Settings { no_color, ..Settings::default() };
    Ok(match name {
        "plan" => {
            let args = prepare(ui, "plan [options]", arguments, |a: &plan::PlanArgs| Settings {
                no_color: a.view.no_color,
                compact_warnings: a.view.compact_warnings,
                json: a.json,
            })?;
            plan::run(&session(ui), &args).await
        }
        "apply" | "destroy" => {
            let usage = if name == "apply" { "apply [options] [PLAN]" } else { "destroy [options]" };
            let mut args = prepare(ui, usage, arguments, |a: &apply::ApplyArgs| Settings {
                no_color: a.view.no_color,
                compact_warnings: a.view.compact_warnings,
                json: a.json,
            })?;
            if name == "destroy" && commands::misuse::has_other_mode(ui, &args.planning) {
                return Err(Exit::Failure);
            }
            args.planning.destroy |= name == "destroy";
            let verb = if name == "destroy" { apply::Verb::Destroy } else { apply::Verb::Apply };
            apply::run(&session(ui), &args, verb).await
        }
        "init" => {
            let args = prepare(ui, "init [options]", arguments, |a: &init::InitArgs| Settings {
                no_color: a.no_color,
                json: a.json,
                ..Settings::default()
            })?;
            init::run(&session(ui), &args).await
        }
        "get" => {
            let args = prepare(ui, "get [options]", arguments, |a: &get::GetArgs| text(a.no_color))?;
            get::run(&session(ui), &args).await
        }
        "modules" => {
            let args = prepare(ui, "modules [options]", arguments, |a: &modules::ModulesArgs| text(a.no_color))?;
            modules::run(&session(ui), &args)
        }
        "validate" => {
            let args = prepare(ui, "validate [options]", arguments, |a: &validate::ValidateArgs| text(a.no_color))?;
            validate::run(&session(ui), &args).await
        }
        "output" => {
            let args = prepare(ui, "output [options] [NAME]", arguments, |a: &output::OutputArgs| text(a.no_color))?;
            output::run(&session(ui), &args).await
        }
        "show" => {
            let args = prepare(ui, "show [options] [path]", arguments, |a: &show::ShowArgs| text(a.no_color))?;
            show::run(&session(ui), &args).await
        }
        "state list" => {
            let usage = "state list [options] [address...]";
            let args = prepare(ui, usage, arguments, |_: &state_list::StateListArgs| text(false))?;
            state_list::run(&session(ui), &args).await
        }
        "state journal" => {
            let usage = "state journal [options]";
            let args = prepare(ui, usage, arguments, |a: &state_journal::StateJournalArgs| text(a.no_color))?;
            state_journal::run(&session(ui), &args).await
        }
        "state recover" => {
            let usage = "state recover [options]";
            let args = prepare(ui, usage, arguments, |a: &state_recover::StateRecoverArgs| Settings {
                no_color: a.no_color,
                json: a.json,
                ..Settings::default()
            })?;
            state_recover::run(&session(ui), args).await
        }
        "state show" => {
            let usage = "state show [options] ADDRESS";
            let args = prepare(ui, usage, arguments, |a: &state_show::StateShowArgs| text(a.no_color))?;
            state_show::run(&session(ui), &args).await
        }
        "version" => {
            let args = prepare(ui, "version [options]", arguments, |_: &version::VersionArgs| text(false))?;
            version::run(ui, &args)
        }
        "completions" => {
            let args = prepare(ui, "completions SHELL", arguments, |_: &completions::CompletionsArgs| text(false))?;
            completions::run(ui, &args)
        }
        "manual" => {
            let args = prepare(ui, "manual DIR", arguments, |_: &manual::ManualArgs| text(false))?;
            manual::run(ui, &args)
        }
        "login" => {
            let args = prepare(ui, "login [hostname]", arguments, |a: &login::LoginArgs| text(a.no_color))?;
            login::run(&session(ui), &args).await
        }
        "logout" => {
            let args = prepare(ui, "logout [hostname]", arguments, |a: &logout::LogoutArgs| text(a.no_color))?;
            logout::run(&session(ui), &args)
        }
        "state mv" => {
            let usage = "state mv [options] SOURCE DESTINATION";
            let args = prepare(ui, usage, arguments, |_: &state_mv::StateMvArgs| text(false))?;
            state_mv::run(&session(ui), &args).await
        }
        "state rm" => {
            let args =
                prepare(ui, "state rm [options] ADDRESS...", arguments, |_: &state_rm::StateRmArgs| text(false))?;
            state_rm::run(&session(ui), &args).await
        }
        "state pull" => {
            prepare(ui, "state pull [options]", arguments, |_: &state_transfer::StatePullArgs| text(false))?;
            state_transfer::pull(&session(ui)).await
        }
        "state push" => {
            let usage = "state push [options] PATH";
            let args = prepare(ui, usage, arguments, |_: &state_transfer::StatePushArgs| text(false))?;
            state_transfer::push(&session(ui), &args).await
        }
        "state replace-provider" => {
            let usage = "state replace-provider [options] FROM_PROVIDER_FQN TO_PROVIDER_FQN";
            let args =
                prepare(ui, usage, arguments, |_: &state_replace_provider::StateReplaceProviderArgs| text(false))?;
            state_replace_provider::run(&session(ui), &args).await
        }
        "taint" | "untaint" => {
            let usage = format!("{name} [options] <address>");
            let args = prepare(ui, &usage, arguments, |a: &taint::TaintArgs| text(a.no_color))?;
            let status = if name == "taint" { ObjectStatus::Tainted } else { ObjectStatus::Ready };
            taint::run(&session(ui), &args, status).await
        }
        "test" => {
            let args = prepare(ui, "test [options]", arguments, |a: &test::TestArgs| Settings {
                no_color: a.no_color,
                json: a.json,
                ..Settings::default()
            })?;
            test::run(&session(ui), &args).await
        }
        "fmt" => {
            let args = prepare(ui, "fmt [options] [target...]", arguments, |a: &fmt::FmtArgs| text(a.no_color))?;
            fmt::run(&session(ui), &args)
        }
        "console" => {
            let args = prepare(ui, "console [options]", arguments, |a: &console::ConsoleArgs| text(a.no_color))?;
            console::run(&session(ui), &args).await
        }
        "graph" => {
            let args = prepare(ui, "graph [options]", arguments, |_: &graph::GraphArgs| text(false))?;
            graph::run(&session(ui), &args).await
        }
        "import" => {
            let args = prepare(ui, import::USAGE, arguments, |a: &import::ImportArgs| text(a.no_color))?;
            import::run(&session(ui), &args).await
        }
        "force-unlock" => {
            let args =
                prepare(ui, "force-unlock LOCK_ID", arguments, |a: &force_unlock::ForceUnlockArgs| text(a.no_color))?;
            force_unlock::run(&session(ui), &args).await
        }
        "lock list" => {
            let args = prepare(ui, "lock list [options]", arguments, |a: &lock_list::LockListArgs| text(a.no_color))?;
            lock_list::run(&session(ui), &args).await
        }
        "lock break" => {
            let usage = "lock break [options] [LOCK_ID]";
            let args = prepare(ui, usage, arguments, |a: &lock_break::LockBreakArgs| text(a.no_color))?;
            lock_break::run(&session(ui), &args).await
        }
        "refresh" => {
            let args = prepare(ui, "refresh [options]", arguments, |a: &refresh::RefreshArgs| Settings {
                no_color: a.view.no_color,
                compact_warnings: a.view.compact_warnings,
                json: a.json,
            })?;
            refresh::run(&session(ui), args).await
        }
        "providers schema" => {
            let usage = "providers schema -json";
            let args = prepare(ui, usage, arguments, |_: &needs::ProvidersSchemaArgs| text(false))?;
            needs::schema(&session(ui), &args).await
        }
        "providers lock" => {
            let usage = "providers lock [options] [providers...]";
            let args = prepare(ui, usage, arguments, |a: &providers_lock::ProvidersLockArgs| text(a.no_color))?;
            providers_lock::run(&session(ui), &args).await
        }
        "providers mirror" => {
            let usage = "providers mirror [options] <target-dir>";
            let args = prepare(ui, usage, arguments, |a: &providers_mirror::ProvidersMirrorArgs| text(a.no_color))?;
            providers_mirror::run(&session(ui), &args)
        }
        "providers" => {
            let args = prepare(ui, "providers [options]", arguments, |a: &needs::ProvidersArgs| text(a.no_color))?;
            needs::run(&session(ui), &args).await
        }
        "metadata functions" => {
            let usage = "metadata functions -json";
            let args = prepare(ui, usage, arguments, |_: &metadata::MetadataFunctionsArgs| text(false))?;
            metadata::run(&session(ui), &args)
        }
        "workspace list" | "workspace show" | "workspace new" | "workspace select" | "workspace delete" => {
            let usage = format!("{name} [options] [NAME]");
            let args = prepare(ui, &usage, arguments, |a: &workspace::WorkspaceArgs| text(a.no_color))?;
            let subcommand = name.rsplit(' ').next().unwrap_or_default();
            workspace::run(&session(ui), subcommand, &args).await
        }
        group if group.starts_with("providers ") => {
            ui.eprint("Too many command line arguments. Did you mean to use -chdir?\n");
            Exit::Failure
        }
        "push" => {
            let detail = "This command was for Terraform Enterprise v1, which is no longer there. Send configurations to later \
                          versions by their API.";
            ui.error("Command \"terraform push\" is no longer supported", detail);
            Exit::Failure
        }
        group if GROUPS.iter().any(|g| group.split(' ').next() == Some(g)) => {
            ui.print(match group.split(' ').next() {
                Some("state") => include_str!("commands/usage/state.txt"),
                Some("workspace") => workspace::USAGE,
                Some("metadata") => METADATA_USAGE,
                Some("lock") => LOCK_USAGE,
                _ => PROVIDERS_USAGE,
            });
            let asked = arguments.iter().any(|a| matches!(a.as_str(), "-help" | "--help" | "-h"));
            if asked { Exit::Success } else { Exit::Failure }
        }
        unknown => {
            let hint = LIST.iter().map(|c| c.name).find(|c| close(c, unknown));
            let hint = hint.map_or(String::new(), |c| format!(" Did you mean \"{c}\"?"));
            ui.eprint(&format!(
                "Terraform has no command named \"{unknown}\".{hint}\n\nTo see all of Terraform's top-level commands, \
                 run:\n  terraform -help\n\n"
            ));
            Exit::Failure
        }
    })
}

const DEPRECATED_ENV: &str = "Warning: the \"terraform env\" family of commands is deprecated.

\"Workspace\" is now the preferred term for what earlier Terraform versions
called \"environment\", to reduce ambiguity caused by the latter term colliding
with other concepts.

The \"terraform workspace\" commands should be used instead. \"terraform env\"
will be removed in a future Terraform version.

";

const METADATA_USAGE: &str = "Usage: terraform [global options] metadata <subcommand> [options] [args]

  This command has subcommands for metadata related purposes.

Subcommands:
    functions    Show signatures and descriptions for the available functions
";

const LOCK_USAGE: &str = "Usage: terraform [global options] lock <subcommand> [options] [args]

  This command has subcommands for the locks on states.

Subcommands:
    break    Break the lock of another run
    list     List the locks of all workspaces
";

const PROVIDERS_USAGE: &str = "Usage: terraform [global options] providers [options]

  Prints out a tree of modules in the referenced configuration annotated with
  their provider requirements.

Subcommands:
    lock      Write out dependency locks for the configured providers
    mirror    Save local copies of all required provider plugins
    schema    Show schemas for the providers used in the configuration
";

/// Whether two names differ by at most two letters inserted, dropped or changed.
fn close(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&row, j) + usize::from(x != y);
            next.push(replaced.min(at(&row, j + 1) + 1).min(at(&next, j) + 1));
        }
        row = next;
    }
    row.last().is_some_and(|distance| *distance < 3)
}

fn usage() -> String {
    let width = LIST.iter().map(|c| c.name.len()).max().unwrap_or(0) + 2;
    let section = |main: bool| -> String {
        let commands = LIST.iter().filter(|c| c.main == main);
        commands.map(|c| format!("  {:width$}{}\n", c.name, c.synopsis)).collect()
    };
    format!(
        "Usage: terraform [global options] <subcommand> [args]\n\nMain commands:\n{}\nAll other commands:\n{}\nGlobal \
         options (use these before the subcommand, if any):\n  -chdir=DIR    Switch to a different working directory \
         before executing the\n                given subcommand.\n  -help         Show this help output, or the help for \
         a specified subcommand.\n  -version      An alias for the \"version\" subcommand.\n",
        section(true),
        section(false)
    )
}
