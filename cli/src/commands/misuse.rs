//! Answers to command lines that can't be read. Terraform's commands come from different times and answer differently; what
//! reads their output (pipelines, editors) knows each by its own answer.

use crate::args::FlagError;
use crate::args::groups::PlanningArgs;
use crate::commands::Exit;
use crate::session::Session;
use crate::ui::Ui;

/// How a command answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// A message, like any other error.
    Message,
    /// A message and the way to the help.
    MessageAndHint,
    /// Its help, then a line.
    Help,
    /// Its help on stdout, a line on stderr.
    HelpOnStdout,
    /// A line.
    Line,
}

fn habit(command: &str) -> Habit {
    match command {
        "init" => Habit::Message,
        "apply" | "destroy" | "modules" | "output" | "plan" | "refresh" | "show" | "test" | "validate" => {
            Habit::MessageAndHint
        }
        "state list" | "state replace-provider" => Habit::HelpOnStdout,
        command if command.starts_with("state ") => Habit::Line,
        _ => Habit::Help,
    }
}

/// The command that a usage line is about: its words before flags and arguments.
fn command(usage: &str) -> String {
    let is_name = |word: &&str| {
        word.starts_with(|c: char| c.is_ascii_lowercase()) && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
    };
    usage.split(' ').take_while(is_name).collect::<Vec<_>>().join(" ")
}

/// Whether a command with this usage answers in JSON when it is asked for that and its flags can't be read.
pub fn streams(usage: &str) -> bool {
    matches!(command(usage).as_str(), "apply" | "destroy" | "init" | "plan" | "refresh")
}

/// Answers a mistake in the flags or the number of arguments. `help` is the command's help.
pub fn answer(ui: &Ui, usage: &str, error: &FlagError, help: &str) {
    let command = command(usage);
    let habit = habit(&command);
    match (habit, error) {
        (Habit::Message, FlagError::UnexpectedArgument) => {
            ui.error("Too many command line arguments. Did you mean to use -chdir?", "");
        }
        (Habit::MessageAndHint, FlagError::UnexpectedArgument) => {
            let detail = match command.as_str() {
                "plan" => "To specify a working directory for the plan, use the global -chdir flag.",
                "modules" => "Expected no positional arguments",
                _ => "Expected at most one positional argument.",
            };
            ui.error("Too many command line arguments", detail);
        }
        (_, FlagError::UnexpectedArgument) => {
            ui.eprint("Too many command line arguments. Did you mean to use -chdir?\n");
        }
        (Habit::Message | Habit::MessageAndHint, error) => {
            ui.error("Failed to parse command-line flags", &error.to_string());
        }
        (Habit::Help | Habit::HelpOnStdout | Habit::Line, error) => {
            match habit {
                Habit::Help => ui.eprint(help),
                Habit::HelpOnStdout => ui.print(help),
                _ => {}
            }
            let flags = if command == "console" { "command line flags" } else { "command-line flags" };
            ui.eprint(&format!("Error parsing {flags}: {error}\n"));
        }
    }
    if habit == Habit::MessageAndHint {
        hint(ui, &command);
    }
}

/// Answers a mistake of a command that answers with messages.
pub fn refuse(session: &Session, command: &str, error: &FlagError) -> Exit {
    answer(&session.ui, command, error, "");
    Exit::Failure
}

/// Refuses the modes that `destroy` can't have. Whether there was one.
pub fn has_other_mode(ui: &Ui, args: &PlanningArgs) -> bool {
    let detail = match (args.destroy, args.refresh_only) {
        (true, _) => {
            "The -destroy option is not valid for \"terraform destroy\", because this command always runs in destroy mode."
        }
        (false, true) => "The -refresh-only option is not valid for \"terraform destroy\".",
        (false, false) => return false,
    };
    ui.error("Invalid mode option", detail);
    hint(ui, "destroy");
    true
}

/// Refuses flags that make no sense, or not together. Whether there were any.
pub fn has_bad_options(session: &Session, command: &str, args: &PlanningArgs) -> bool {
    let Err(problems) = super::operation::options(args) else { return false };
    session.show(&problems);
    hint(&session.ui, command);
    true
}

/// Shows the way to the help of a command.
pub fn hint(ui: &Ui, command: &str) {
    if !ui.settings.json {
        ui.eprint(&format!("\nFor more help on using this command, run:\n  terraform {command} -help\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::command;

    #[test]
    fn the_command_is_the_beginning_of_its_usage() {
        assert_eq!(command("plan [options]"), "plan");
        assert_eq!(command("state replace-provider [options] FROM TO"), "state replace-provider");
        assert_eq!(command("providers schema -json"), "providers schema");
        assert_eq!(command("untaint [options] <address>"), "untaint");
    }
}
