//! What `fmt` prints.

use crate::{Folder, text};

/// As by Terraform, which prints each text with one line break more if it lacks one.
#[test]
fn standard_input_is_formatted_as_it_is_and_ends_with_a_line_break() {
    let folder = Folder::new("");
    let printed = |input: &str| text(&folder.run_with_input(&["fmt", "-"], input));
    assert_eq!(printed("a=1\n"), "a = 1\n");
    assert_eq!(printed("a=1"), "a = 1\n");
    assert_eq!(printed("a=1\n\t "), "a = 1\n  \n");
    assert_eq!(printed(""), "\n");
    let checked = |input: &str| folder.run_with_input(&["fmt", "-check", "-"], input).status.code();
    assert_eq!(checked("a = 1"), Some(0));
    assert_eq!(checked("a=1"), Some(3));
}

#[test]
fn files_that_are_printed_end_with_a_line_break_each() {
    let folder = Folder::new("");
    folder.write("other.tf", "a=1");
    let output = folder.run(&["fmt", "-list=false", "-write=false", "other.tf", "main.tf"]);
    assert_eq!(text(&output), "a = 1\n\n");
}

/// As by Terraform: the list and the differences are only there if all could be read and a list is wanted.
#[test]
fn a_check_that_fails_lists_nothing() {
    let folder = Folder::new("a=1\n");
    let stdout = |arguments: &[&str]| String::from_utf8(folder.run(arguments).stdout).unwrap();
    assert_eq!(stdout(&["fmt", "-check"]), "main.tf\n");
    assert_eq!(stdout(&["fmt", "-check", "-list=false", "-diff"]), "");
    folder.write("z.tf", "b={\n");
    assert_eq!(stdout(&["fmt", "-check"]), "");
    assert_eq!(folder.run(&["fmt", "-check"]).status.code(), Some(2));
}
