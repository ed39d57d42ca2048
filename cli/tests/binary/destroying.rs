//! What a plan to destroy says: it stands on a normal plan, of which it keeps what was found.

use crate::{Folder, text};

const ONE: &str = "resource \"terraform_data\" \"a\" {\n  input = \"x\"\n}\n";

/// Applies one resource, then plans the destruction of another configuration.
fn plan(after: &str) -> (Folder, String) {
    let folder = Folder::new(&format!("{ONE}output \"o\" {{\n  value = \"one\"\n}}\n"));
    let applied = folder.run(&["apply", "-auto-approve"]);
    assert!(applied.status.success(), "{}", text(&applied));
    folder.write("main.tf", after);
    let planned = folder.run(&["plan", "-destroy", "-out=p"]);
    let printed = text(&planned);
    (folder, printed)
}

#[test]
fn outputs_are_told_as_the_configuration_has_them_by_now() {
    let after = "output \"o\" {\n  value = terraform_data.b.id\n}\noutput \"n\" {\n  value = 2\n}\nresource \
                 \"terraform_data\" \"b\" {}\n";
    let (_, printed) = plan(&format!("{ONE}{after}"));
    assert!(printed.contains("  - n = 2 -> null\n  - o = \"one\" -> null\n"), "{printed}");
}

#[test]
fn mistakes_of_the_configuration_leave_no_plan() {
    let (folder, printed) = plan(&format!("{ONE}output \"o\" {{\n  value = tonumber(\"q\")\n}}\n"));
    assert!(printed.contains("Invalid function argument"), "{printed}");
    assert!(!printed.contains("Planning failed"), "{printed}");
    assert!(!folder.path("p").exists());
}

#[test]
fn what_does_not_hold_keeps_nobody_from_destroying() {
    let conditions = "  lifecycle {\n    postcondition {\n      condition     = self.input == \"y\"\n      error_message = \
                      \"no\"\n    }\n  }\n}\ncheck \"c\" {\n  assert {\n    condition     = terraform_data.a.id == \"\"\n    \
                      error_message = \"nor this\"\n  }\n}\n";
    let (folder, printed) = plan(&format!("{}{conditions}", ONE.trim_end_matches("}\n")));
    assert!(printed.contains("1 to destroy"), "{printed}");
    assert!(!printed.contains("Warning") && !printed.contains("Error"), "{printed}");
    assert!(folder.run(&["apply", "p"]).status.success());
}

#[test]
fn nothing_is_imported_to_go_at_once() {
    let import = "resource \"terraform_data\" \"b\" {}\nimport {\n  to = terraform_data.b\n  id = \"an-id\"\n}\n";
    let (_, printed) = plan(&format!("{ONE}{import}"));
    assert!(printed.contains("Plan: 0 to add, 0 to change, 1 to destroy."), "{printed}");
    assert!(!printed.contains("an-id"), "{printed}");
}

#[test]
fn what_has_moved_goes_from_its_new_address() {
    let moved = ONE.replace("\"a\"", "\"b\"") + "moved {\n  from = terraform_data.a\n  to   = terraform_data.b\n}\n";
    let (_, printed) = plan(&moved);
    assert!(printed.contains("# terraform_data.b will be destroyed"), "{printed}");
    assert!(!printed.contains("has moved to"), "{printed}");
}

#[test]
fn what_was_made_with_a_target_goes_with_it() {
    let dependent = "resource \"terraform_data\" \"b\" {\n  input = terraform_data.a.id\n}\n";
    let folder = Folder::new(&format!("{ONE}{dependent}"));
    assert!(folder.run(&["apply", "-auto-approve"]).status.success());
    folder.write("main.tf", ONE);
    let printed = text(&folder.run(&["plan", "-destroy", "-target=terraform_data.a"]));
    assert!(printed.contains("# terraform_data.b will be destroyed"), "{printed}");
    assert!(printed.contains("2 to destroy"), "{printed}");
}

#[test]
fn what_protected_objects_stand_on_stays() {
    let protected = "resource \"terraform_data\" \"b\" {\n  input = terraform_data.a.id\n  lifecycle {\n    prevent_destroy = \
                     true\n  }\n}\nresource \"terraform_data\" \"c\" {}\n";
    let folder = Folder::new(&format!("{ONE}{protected}"));
    assert!(folder.run(&["apply", "-auto-approve"]).status.success());
    let printed = text(&folder.run(&["plan", "-destroy"]));
    assert!(printed.contains("Instance cannot be destroyed"), "{printed}");
    assert!(printed.contains("# terraform_data.c will be destroyed"), "{printed}");
    assert!(!printed.contains("# terraform_data.a will be destroyed"), "{printed}");
}
