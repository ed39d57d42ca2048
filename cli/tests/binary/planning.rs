//! What a plan holds where several rules meet, as Terraform plans it.

use serde_json::Value;

use crate::{Folder, text};

/// Applies one configuration, then plans the next and returns the plan's JSON, with what the plan said.
fn next(before: &str, after: &str, flags: &[&str]) -> (Folder, Value, String) {
    let folder = Folder::new(before);
    let applied = folder.run(&["apply", "-auto-approve"]);
    assert!(applied.status.success(), "{}", text(&applied));
    folder.write("main.tf", after);
    let planned = folder.run(&[&["plan", "-out=p"], flags].concat());
    let shown = folder.run(&["show", "-json", "p"]);
    let plan = serde_json::from_slice(&shown.stdout).unwrap_or_default();
    (folder, plan, text(&planned))
}

/// The actions of changes by address, with their reasons.
fn changes(plan: &Value) -> Vec<String> {
    let changes = plan["resource_changes"].as_array().cloned().unwrap_or_default();
    let text = |change: &Value| {
        let actions: Vec<_> =
            change["change"]["actions"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let reason = change["action_reason"].as_str().unwrap_or_default();
        format!("{} {} {reason}", change["address"].as_str().unwrap(), actions.join("-")).trim().to_owned()
    };
    changes.iter().map(text).filter(|line| !line.ends_with("no-op")).collect()
}

#[test]
fn a_replacement_that_was_asked_for_is_told_as_such() {
    let block = |trigger| format!("resource \"terraform_data\" \"a\" {{\n  triggers_replace = {trigger}\n}}\n");
    let (_, plan, _) = next(&block(1), &block(2), &["-replace=terraform_data.a"]);
    assert_eq!(changes(&plan), ["terraform_data.a delete-create replace_by_request"]);
}

#[test]
fn count_moves_nothing_that_a_block_has_moved() {
    let (_, plan, _) = next(
        "resource \"terraform_data\" \"a\" {\n  count = 1\n}\n",
        "resource \"terraform_data\" \"b\" {}\nmoved {\n  from = terraform_data.a\n  to   = terraform_data.b\n}\n",
        &[],
    );
    assert_eq!(
        changes(&plan),
        ["terraform_data.b create", "terraform_data.b[0] delete delete_because_wrong_repetition"]
    );
}

#[test]
fn what_goes_is_planned_beside_an_error() {
    let before = "resource \"terraform_data\" \"a\" {\n  count = 2\n  input = 1\n}\noutput \"o\" {\n  value = 1\n}\n";
    let after = "resource \"terraform_data\" \"a\" {\n  count = 1\n  input = 1\n  lifecycle {\n    postcondition {\n      \
                 condition     = self.output == 2\n      error_message = \"no\"\n    }\n  }\n}\n";
    let (_, plan, told) = next(before, after, &[]);
    assert!(told.contains("Resource postcondition failed"), "{told}");
    assert_eq!(changes(&plan), ["terraform_data.a[1] delete delete_because_count_index"]);
    assert_eq!(plan["output_changes"]["o"]["actions"][0], "delete");
}

#[test]
fn what_stands_on_an_object_that_may_not_go_is_left_out() {
    let resources = |a: u8, b: u8| {
        format!(
            "resource \"terraform_data\" \"a\" {{\n  count = {a}\n  lifecycle {{\n    prevent_destroy = true\n  }}\n}}\n\
             resource \"terraform_data\" \"b\" {{\n  count = {b}\n  input = length(terraform_data.a)\n}}\n"
        )
    };
    let (_, plan, told) = next(&resources(2, 2), &resources(1, 1), &[]);
    assert!(told.contains("Resource terraform_data.a[1] has lifecycle.prevent_destroy set"), "{told}");
    assert_eq!(changes(&plan), ["terraform_data.a[1] delete delete_because_count_index"]);
}

#[test]
fn an_order_that_is_not_possible_is_told_by_the_plan() {
    // b was made after a; now a is to be made after b, and what was there of both goes.
    let before = "resource \"terraform_data\" \"a\" {\n  triggers_replace = 1\n}\nresource \"terraform_data\" \"b\" {\n  \
                  triggers_replace = terraform_data.a.id\n}\n";
    let after = "resource \"terraform_data\" \"a\" {\n  triggers_replace = terraform_data.b.id\n}\nresource \
                 \"terraform_data\" \"b\" {\n  triggers_replace = 1\n}\n";
    let (_, plan, told) = next(before, after, &[]);
    assert!(told.contains("Error: Cycle: terraform_data.a (destroy), terraform_data.b (destroy)"), "{told}");
    assert_eq!(plan["resource_changes"].as_array().map(Vec::len), Some(2));
}

#[test]
fn triggers_name_resources_that_are_declared() {
    let block = "resource \"terraform_data\" \"a\" {\n  lifecycle {\n    replace_triggered_by = [terraform_data.gone]\n  }\n}\n";
    let (_, _, told) = next(&format!("resource \"terraform_data\" \"gone\" {{}}\n{block}"), block, &[]);
    assert!(told.contains("Reference to undeclared resource"), "{told}");
    assert!(told.contains("A resource terraform_data.gone has not been declared in the root module\n"), "{told}");
}

#[test]
fn a_target_that_is_configured_no_more_is_destroyed() {
    let (_, plan, _) = next(
        "resource \"terraform_data\" \"a\" {}\nresource \"terraform_data\" \"b\" {}\n",
        "resource \"terraform_data\" \"b\" {\n  input = 1\n}\n",
        &["-target=terraform_data.a"],
    );
    assert_eq!(changes(&plan), ["terraform_data.a delete delete_because_no_resource_config"]);
}

#[test]
fn an_update_that_turns_out_to_be_none_is_not_made() {
    let resources = |trigger| {
        format!(
            "resource \"terraform_data\" \"a\" {{\n  input = \"same\"\n  triggers_replace = {trigger}\n}}\nresource \
             \"terraform_data\" \"b\" {{\n  input = terraform_data.a.output\n}}\n"
        )
    };
    let (folder, plan, _) = next(&resources(1), &resources(2), &[]);
    assert_eq!(
        changes(&plan),
        ["terraform_data.a delete-create replace_because_cannot_update", "terraform_data.b update"]
    );
    let applied = text(&folder.run(&["apply", "p"]));
    assert!(applied.contains("Resources: 1 added, 0 changed, 1 destroyed."), "{applied}");
    assert!(!applied.contains("terraform_data.b: Modifying"), "{applied}");
    assert_eq!(folder.run(&["plan", "-detailed-exitcode"]).status.code(), Some(0));
}

#[test]
fn what_is_forgotten_is_not_read() {
    let (_, plan, told) = next(
        "resource \"terraform_data\" \"a\" {}\n",
        "removed {\n  from = terraform_data.a\n  lifecycle {\n    destroy = false\n  }\n}\n",
        &[],
    );
    assert_eq!(changes(&plan), ["terraform_data.a forget delete_because_no_resource_config"]);
    assert!(!told.contains("Refreshing"), "{told}");
}

#[test]
fn a_refresh_tells_what_has_moved() {
    let (_, plan, told) = next(
        "resource \"terraform_data\" \"a\" {}\n",
        "resource \"terraform_data\" \"b\" {}\nmoved {\n  from = terraform_data.a\n  to   = terraform_data.b\n}\n",
        &["-refresh-only"],
    );
    assert!(told.contains("terraform_data.a has moved to terraform_data.b"), "{told}");
    assert_eq!(plan["resource_drift"][0]["previous_address"], "terraform_data.a");
}
