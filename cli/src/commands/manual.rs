//! `manual`

use std::path::Path;

use clap::{ArgAction, Command};
use clap_mangen::Man;

use super::Exit;
use crate::command_line::tree;
use crate::ui::Ui;

/// Writes manual pages, one for each command, into a directory: windlass.1, windlass-plan.1 and so on.
#[derive(Debug, clap::Parser)]
pub struct ManualArgs {
    /// Accepted and ignored: nothing is coloured.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// The directory.
    pub directory: Vec<String>,
}

/// Runs the command.
pub fn run(ui: &Ui, args: &ManualArgs) -> Exit {
    let [directory] = args.directory.as_slice() else {
        ui.error("No output directory specified", "The manual command requires a directory to write the pages to.");
        return Exit::Failure;
    };
    let directory = Path::new(directory);
    let written = std::fs::create_dir_all(directory).and_then(|()| write(&tree("windlass"), "windlass", directory));
    match written {
        Ok(count) => {
            ui.print(&format!("{count} manual pages written to {}\n", directory.display()));
            Exit::Success
        }
        Err(error) => {
            let detail = format!("{}: {}.", directory.display(), crate::io::reason(&error));
            ui.error("Failed to write the manual pages", &detail);
            Exit::Failure
        }
    }
}

/// Writes the page of a command and those of its subcommands; how many.
fn write(command: &Command, name: &str, directory: &Path) -> std::io::Result<usize> {
    let page = Man::new(command.clone().name(name.to_owned()));
    let mut bytes = Vec::new();
    page.render(&mut bytes)?;
    // Flags have one dash here, which clap doesn't know.
    let text = String::from_utf8_lossy(&bytes).replace("\\-\\-", "\\-");
    std::fs::write(directory.join(format!("{name}.1")), text)?;
    let mut count = 1;
    for below in command.get_subcommands() {
        count += write(below, &format!("{name}-{}", below.get_name()), directory)?;
    }
    Ok(count)
}
