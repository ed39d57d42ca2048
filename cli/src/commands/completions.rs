//! `completions`

use clap::ArgAction;
use clap_complete::{Shell, generate};

use super::Exit;
use crate::command_line::tree;
use crate::ui::Ui;

/// Prints a script that completes commands and flags in a shell: bash, zsh or fish. To have it in every session, write it where
/// the shell looks for such scripts, or use -install-autocomplete.
#[derive(Debug, clap::Parser)]
pub struct CompletionsArgs {
    /// Accepted and ignored: nothing is coloured.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// The shell.
    pub shell: Vec<String>,
}

/// Runs the command.
pub fn run(ui: &Ui, args: &CompletionsArgs) -> Exit {
    let shell = match args.shell.as_slice() {
        [shell] => match shell.as_str() {
            "bash" => Shell::Bash,
            "zsh" => Shell::Zsh,
            "fish" => Shell::Fish,
            other => {
                ui.error(
                    "Unknown shell",
                    &format!("There are completions for bash, zsh and fish, but not for {other:?}."),
                );
                return Exit::Failure;
            }
        },
        _ => {
            ui.error("No shell specified", "Name one shell: bash, zsh or fish.");
            return Exit::Failure;
        }
    };
    ui.print(&script(shell));
    Exit::Success
}

fn script(shell: Shell) -> String {
    let mut bytes = Vec::new();
    generate(shell, &mut tree("windlass"), "windlass", &mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    match shell {
        Shell::Fish => text.replace(" -l ", " -o "),
        // Without it zsh takes a flag of one dash for several of one letter.
        Shell::Zsh => one_dash(&text).replace("_arguments_options=(-s -S -C)", "_arguments_options=(-S -C)"),
        _ => one_dash(&text),
    }
}

/// Flags as people write them here, with one dash: clap knows only those with two.
fn one_dash(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = '\n';
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let starts = matches!(before, ' ' | '\n' | '"' | '\'' | '(' | '*');
        let flag = rest.strip_prefix("--").filter(|flag| starts && flag.starts_with(|c: char| c.is_ascii_lowercase()));
        if let Some(flag) = flag {
            out.push('-');
            before = '-';
            rest = flag;
        } else {
            out.push(c);
            before = c;
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_one_dash_and_options_of_the_shell_stay() {
        assert_eq!(
            one_dash("opts=\"--out -- --var\" -- \"${cur}\"\n--x) a--b"),
            "opts=\"-out -- -var\" -- \"${cur}\"\n-x) a--b"
        );
    }
}
