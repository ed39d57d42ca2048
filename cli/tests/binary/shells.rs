//! Completions of shells and manual pages.

use std::process::Command;

use crate::{Folder, text};

#[test]
fn scripts_are_accepted_by_their_shells_and_complete_flags_of_one_dash() {
    let folder = Folder::new("");
    for (shell, flag) in [("bash", " -allow-deferral "), ("zsh", "'-allow-deferral["), ("fish", " -o allow-deferral ")]
    {
        let output = folder.run(&["completions", shell]);
        assert!(output.status.success(), "{}", text(&output));
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(script.contains(flag), "{flag:?} is not in the script for {shell}");
        folder.write("script", &script);
        let mut check = Command::new(shell);
        match check.arg("-n").arg(folder.path("script")).output() {
            Ok(checked) => assert!(checked.status.success(), "{shell}: {}", text(&checked)),
            Err(_) => eprintln!("the script for {shell} is not checked: the shell is not installed"),
        }
    }
    assert_eq!(folder.run(&["completions", "tcsh"]).status.code(), Some(1));
    assert_eq!(folder.run(&["completions"]).status.code(), Some(1));
}

#[test]
fn bash_completes_with_the_script() {
    let folder = Folder::new("");
    folder.write("script", &String::from_utf8(folder.run(&["completions", "bash"]).stdout).unwrap());
    let ask = "source ./script\nCOMP_WORDS=(windlass plan -allow)\nCOMP_CWORD=2\n_windlass windlass -allow plan\necho \
               \"${COMPREPLY[@]}\"";
    match Command::new("bash").args(["--norc", "-c", ask]).current_dir(folder.path("")).output() {
        Ok(output) => assert_eq!(text(&output).trim(), "-allow-deferral"),
        Err(_) => eprintln!("not tried: bash is not installed"),
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = Folder::new("");
    let output = folder.run(&["manual", "pages"]);
    assert!(output.status.success(), "{}", text(&output));
    for page in ["windlass.1", "windlass-plan.1", "windlass-state-mv.1", "windlass-providers-lock.1"] {
        assert!(folder.read(&format!("pages/{page}")).starts_with(".ie"), "{page}");
    }
    let plan = folder.read("pages/windlass-plan.1");
    assert!(plan.contains("\\-allow\\-deferral") && !plan.contains("\\-\\-"), "{plan}");
    assert_eq!(folder.run(&["manual"]).status.code(), Some(1));
}

#[test]
fn completion_is_installed_once_and_taken_out_again() {
    let folder = Folder::new("");
    let refused = folder.run(&["-install-autocomplete"]);
    assert!(text(&refused).contains("Did not find any shells to install"), "{}", text(&refused));
    folder.write(".bashrc", "alias x=y");
    folder.write(".zshrc", "");
    std::fs::create_dir_all(folder.path(".config/fish")).unwrap();
    let installed = folder.run(&["-install-autocomplete"]);
    assert!(installed.status.success(), "{}", text(&installed));
    let program = env!("CARGO_BIN_EXE_windlass");
    assert_eq!(folder.read(".bashrc"), format!("alias x=y\ncomplete -C {program} windlass\n"));
    assert!(folder.read(".zshrc").contains(&format!("complete -o nospace -C {program} windlass\n")));
    assert!(folder.path(".config/fish/completions/windlass.fish").is_file());
    let again = folder.run(&["-install-autocomplete"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again).contains("already installed in"), "{}", text(&again));
    assert!(folder.run(&["-uninstall-autocomplete"]).status.success());
    assert_eq!((folder.read(".bashrc"), folder.read(".zshrc")), ("alias x=y\n".to_owned(), String::new()));
    assert!(!folder.path(".config/fish/completions/windlass.fish").exists());
    assert_eq!(folder.run(&["-uninstall-autocomplete"]).status.code(), Some(1));
}

#[test]
fn the_program_completes_its_own_command_line() {
    let folder = Folder::new("");
    let ask = |line: &str| text(&folder.command(&[]).env("COMP_LINE", line).output().unwrap());
    assert_eq!(ask("windlass pl"), "plan\n");
    assert_eq!(ask("windlass state re"), "recover\nreplace-provider\n");
    assert!(ask("windlass -").lines().any(|line| line == "-help"));
}
