//! `-install-autocomplete` and `-uninstall-autocomplete`: lines in the start files of shells by which this program completes its
//! own command line.

use std::path::{Path, PathBuf};

use super::Exit;
use crate::io::{Environment, reason};
use crate::ui::Ui;

/// What a start file needs.
struct Installation {
    file: PathBuf,
    text: String,
    /// Whether the file is all ours.
    whole: bool,
}

/// Installs completion for every shell that the user has start files of.
pub fn install(ui: &Ui, environment: &Environment) -> Exit {
    let all = installations(environment);
    if all.is_empty() {
        return fail(ui, &["Did not find any shells to install".to_owned()]);
    }
    let problems = all.iter().filter_map(|one| add(one).err());
    finish(ui, problems.collect())
}

/// Takes it out again.
pub fn uninstall(ui: &Ui, environment: &Environment) -> Exit {
    let all = installations(environment);
    let problems = all.iter().filter_map(|one| remove(one).err());
    finish(ui, problems.collect())
}

fn finish(ui: &Ui, problems: Vec<String>) -> Exit {
    if problems.is_empty() { Exit::Success } else { fail(ui, &problems) }
}

fn fail(ui: &Ui, problems: &[String]) -> Exit {
    let s = if problems.len() == 1 { "error" } else { "errors" };
    let list: String = problems.iter().map(|problem| format!("\t* {problem}\n")).collect();
    ui.eprint(&format!("Error executing CLI: {} {s} occurred:\n{list}\n", problems.len()));
    Exit::Failure
}

fn installations(environment: &Environment) -> Vec<Installation> {
    let Some(home) = environment.get("HOME").map(PathBuf::from) else { return Vec::new() };
    let Ok(program) = std::env::current_exe() else { return Vec::new() };
    let name = program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let program = program.display();
    let mut all = Vec::new();
    let bash = [".bashrc", ".bash_profile", ".bash_login", ".profile"].into_iter().map(|name| home.join(name));
    if let Some(file) = bash.into_iter().find(|file| file.is_file()) {
        all.push(Installation { file, text: format!("complete -C {program} {name}\n"), whole: false });
    }
    let zsh = home.join(".zshrc");
    if zsh.is_file() {
        let text = format!("autoload -U +X bashcompinit && bashcompinit\ncomplete -o nospace -C {program} {name}\n");
        all.push(Installation { file: zsh, text, whole: false });
    }
    let config = environment.get("XDG_CONFIG_HOME").map_or_else(|| home.join(".config"), PathBuf::from);
    let fish = config.join("fish");
    if fish.is_dir() {
        let text = format!(
            "function __complete_{name}\n    set -lx COMP_LINE (commandline -cp)\n    test -z (commandline -ct)\n    and set \
             COMP_LINE \"$COMP_LINE \"\n    {program}\nend\ncomplete -f -c {name} -a \"(__complete_{name})\"\n"
        );
        all.push(Installation { file: fish.join("completions").join(format!("{name}.fish")), text, whole: true });
    }
    all
}

fn add(one: &Installation) -> Result<(), String> {
    let file = one.file.display();
    let failed = |error: std::io::Error| format!("cannot write {file}: {}", reason(&error));
    let before = read(&one.file)?;
    if before.contains(&one.text) {
        return Err(format!("already installed in {file}"));
    }
    if let (true, Some(folder)) = (one.whole, one.file.parent()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let gap = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    let after = if one.whole { one.text.clone() } else { format!("{before}{gap}{}", one.text) };
    std::fs::write(&one.file, after).map_err(failed)
}

fn remove(one: &Installation) -> Result<(), String> {
    let file = one.file.display();
    let failed = |error: std::io::Error| format!("cannot write {file}: {}", reason(&error));
    let before = read(&one.file)?;
    if !before.contains(&one.text) {
        return Err(format!("does not installed in {file}"));
    }
    match one.whole {
        true => std::fs::remove_file(&one.file).map_err(failed),
        false => std::fs::write(&one.file, before.replacen(&one.text, "", 1)).map_err(failed),
    }
}

fn read(file: &Path) -> Result<String, String> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(format!("cannot read {}: {}", file.display(), reason(&error))),
    }
}
