//! What `init` and `get` say of configurations that are not in order, as Terraform does.

use crate::{Folder, text};

const PREAMBLE: &str = "problems during initialisation";
const CALL: &str = "module \"m\" {\n  source = \"./m\"\n}\n";
const UNEXPECTED: &str = "variable \"x\" {\n  surplus = 1\n}\n";

fn of(folder: &Folder, command: &str) -> String {
    let output = folder.run(&[command]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    text(&output)
}

/// The places of the messages, in their order.
fn places(told: &str) -> Vec<&str> {
    told.lines().filter_map(|line| line.split_once("on ")?.1.split_once(" line").map(|(place, _)| place)).collect()
}

#[test]
fn a_root_that_is_no_hcl_is_told_after_its_modules_are_there() {
    let folder = Folder::new(&format!("{CALL}locals {{\n  a =\n}}\n"));
    folder.write("m/main.tf", "");
    let told = of(&folder, "init");
    assert!(told.contains(PREAMBLE) && told.contains("- m in m"), "{told}");
    assert!(!of(&folder, "get").contains(PREAMBLE));
    folder.write("m/main.tf", UNEXPECTED);
    assert_eq!(places(&of(&folder, "init")), ["m/main.tf"]);
    assert_eq!(places(&of(&folder, "get")), ["main.tf", "m/main.tf"]);
}

#[test]
fn mistakes_in_the_root_are_told_with_those_of_its_modules() {
    let folder = Folder::new(&format!("{CALL}{UNEXPECTED}"));
    folder.write("m/main.tf", &format!("module \"n\" {{\n  source = \"./n\"\n}}\n{UNEXPECTED}"));
    folder.write("m/n/main.tf", UNEXPECTED);
    for command in ["init", "get"] {
        let told = of(&folder, command);
        assert_eq!(places(&told), ["main.tf", "m/main.tf", "m/n/main.tf"], "{told}");
        assert!(!told.contains(PREAMBLE), "{told}");
    }
}

#[test]
fn of_a_configuration_for_another_version_only_that_is_told() {
    let other = "terraform {\n  required_version = \"> 99\"\n}\n";
    let folder = Folder::new(&format!("{CALL}{other}{UNEXPECTED}"));
    folder.write("m/main.tf", &format!("{other}{UNEXPECTED}"));
    for command in ["init", "get"] {
        let told = of(&folder, command);
        assert_eq!(told.matches("Unsupported Terraform Core version").count(), 2, "{told}");
        assert!(told.contains("Module module.m (from ./m) does not") && !told.contains("surplus"), "{told}");
    }
}

#[test]
fn mistakes_in_the_root_and_in_its_backend_are_told_together() {
    let folder = Folder::new(&format!("{UNEXPECTED}terraform {{\n  backend \"nope\" {{}}\n}}\n"));
    let told = of(&folder, "init");
    for part in [PREAMBLE, "Unsupported argument", "Unsupported backend type"] {
        assert!(told.contains(part), "{told}");
    }
}
