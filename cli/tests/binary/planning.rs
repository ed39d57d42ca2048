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

#[test]
fn conditions_of_what_is_not_made_are_not_known() {
    let a = |count: u8| {
        format!(
            "resource \"terraform_data\" \"a\" {{\n  count = {count}\n  input = 1\n  lifecycle {{\n    postcondition {{\n      condition \
             = self.output == 1\n      error_message = \"no\"\n    }}\n  }}\n}}\n"
        )
    };
    let without_count = a(1).replace("  count = 1\n", "");
    let (_, plan, told) = next("", &without_count, &["-refresh-only"]);
    assert!(!told.contains("Error"), "{told}");
    assert_eq!(plan["checks"][0]["status"], "unknown", "{told}");
    for flag in ["-refresh-only", "-target=terraform_data.a[0]"] {
        let (folder, plan, told) = next(&a(1), &a(2), &[flag]);
        assert!(!told.contains("Error"), "{told}");
        assert_eq!(plan["checks"][0]["status"], "unknown", "{told}");
        let applied = folder.run(&["apply", "-auto-approve", flag]);
        assert!(applied.status.success(), "{}", text(&applied));
    }
}

#[test]
fn a_refresh_keeps_what_became_of_conditions() {
    let config = "resource \"terraform_data\" \"a\" {\n  input = 1\n  lifecycle {\n    precondition {\n      condition = terraform_data.b.id \
                  != \"\"\n      error_message = \"no\"\n    }\n  }\n}\nresource \"terraform_data\" \"b\" {}\n";
    let folder = Folder::new(config);
    assert!(folder.run(&["apply", "-auto-approve"]).status.success());
    let results = || serde_json::from_str::<Value>(&folder.read("terraform.tfstate")).unwrap()["check_results"].clone();
    let before = results();
    assert_eq!(before[0]["objects"][0]["status"], "pass");
    let applied = folder.run(&["apply", "-refresh-only", "-auto-approve"]);
    assert!(applied.status.success(), "{}", text(&applied));
    assert_eq!(results(), before);
}

#[test]
fn a_refresh_only_warns_of_conditions() {
    let config = |bad: u8| {
        format!(
            "resource \"terraform_data\" \"a\" {{\n  input = 1\n  lifecycle {{\n    postcondition {{\n      condition = self.output \
             != {bad}\n      error_message = \"no\"\n    }}\n  }}\n}}\n"
        )
    };
    let folder = Folder::new(&config(2));
    assert!(folder.run(&["apply", "-auto-approve"]).status.success());
    folder.write("main.tf", &config(1));
    let applied = folder.run(&["apply", "-refresh-only", "-auto-approve"]);
    assert!(
        applied.status.success() && text(&applied).contains("Warning: Resource postcondition failed"),
        "{}",
        text(&applied)
    );
    assert!(!folder.run(&["apply", "-auto-approve"]).status.success());
}

#[test]
fn a_destroy_does_not_tell_what_has_moved() {
    let before = "resource \"terraform_data\" \"a\" {}\n";
    let after =
        "resource \"terraform_data\" \"b\" {}\nmoved {\n  from = terraform_data.a\n  to   = terraform_data.b\n}\n";
    let (_, plan, told) = next(before, after, &["-destroy"]);
    assert_eq!(changes(&plan), ["terraform_data.b delete"]);
    assert!(!told.contains("moved from"), "{told}");
    let (_, _, told) = next(before, after, &["-destroy", "-refresh=false"]);
    assert!(told.contains("moved from terraform_data.a"), "{told}");
}

#[test]
fn modules_that_could_not_be_reached_are_not_gone() {
    let config = |condition: &str, m: u8| {
        format!(
            "resource \"terraform_data\" \"a\" {{\n  input = 2\n  lifecycle {{\n    postcondition {{\n      condition     = \
             {condition}\n      error_message = \"no\"\n    }}\n  }}\n}}\nmodule \"m\" {{\n  source = \"./child\"\n  count  = \
             {m}\n}}\nmodule \"n\" {{\n  source = \"./child\"\n  count  = terraform_data.a.input\n}}\n"
        )
    };
    let folder = Folder::new(&config("self.id != \"\"", 2));
    std::fs::create_dir(folder.path("child")).unwrap();
    folder.write("child/main.tf", "resource \"terraform_data\" \"x\" {}\n");
    assert!(folder.run(&["init"]).status.success());
    let applied = folder.run(&["apply", "-auto-approve"]);
    assert!(applied.status.success(), "{}", text(&applied));
    folder.write("main.tf", &config("self.id == \"\"", 1));
    let told = text(&folder.run(&["plan", "-out=p"]));
    assert!(told.contains("Resource postcondition failed"), "{told}");
    let plan = serde_json::from_slice(&folder.run(&["show", "-json", "p"]).stdout).unwrap_or_default();
    assert_eq!(changes(&plan), ["module.m[1].terraform_data.x delete delete_because_no_module"]);
}

#[test]
fn what_a_refresh_does_not_store_is_nothing_to_apply() {
    let data = "resource \"terraform_data\" \"a\" {}\n";
    let output = |name: &str, value: &str| format!("output \"{name}\" {{\n  value = {value}\n}}\n");
    let before = format!("{data}{}{}", output("o", "1"), output("p", "2"));
    let unknown = format!(
        "{data}{}{}resource \"terraform_data\" \"b\" {{}}\n",
        output("o", "1"),
        output("p", "terraform_data.b.id")
    );
    let cases = [
        (format!("{data}{}", output("o", "1")), false),
        (unknown, false),
        (format!("{data}{}{}", output("o", "1"), output("p", "null")), true),
        (format!("{data}{}{}", output("o", "1"), output("p", "3")), true),
    ];
    for (after, stores) in cases {
        let (folder, plan, told) = next(&before, &after, &["-refresh-only"]);
        assert_eq!(plan["applyable"], stores, "{after}\n{told}");
        assert_eq!(told.contains("Saved the plan to"), stores, "{after}\n{told}");
        let code = folder.run(&["plan", "-refresh-only", "-detailed-exitcode"]).status.code();
        assert_eq!(code, Some(if stores { 2 } else { 0 }), "{after}");
    }
}

#[test]
fn targets_are_to_cover_whole_resources_that_have_moved() {
    let block = |name| format!("resource \"terraform_data\" \"{name}\" {{\n  for_each = toset([\"a b\", \"c\"])\n}}\n");
    let moved =
        "moved {\n  from = terraform_data.a\n  to   = terraform_data.b\n}\nresource \"terraform_data\" \"c\" {}\n";
    let (_, _, told) = next(&block("a"), &(block("b") + moved), &["-target=terraform_data.c"]);
    let hints: Vec<&str> =
        told.lines().filter(|line| line.contains("-target=\"")).map(|line| line.trim_matches(['│', ' '])).collect();
    assert_eq!(hints, ["-target=\"terraform_data.a\"", "-target=\"terraform_data.b\""], "{told}");
}

#[test]
fn only_what_is_selected_forces_others_to_be_made_before_they_are_destroyed() {
    let below = "resource \"terraform_data\" \"below\" {}\n";
    let above = "resource \"terraform_data\" \"above\" {\n  input = terraform_data.below.id\n  lifecycle {\n    \
                 create_before_destroy = true\n  }\n}\n";
    let after = format!("{below}{above}");
    let (folder, _, _) = next(below, &after, &["-target=terraform_data.below", "-replace=terraform_data.below"]);
    assert!(folder.run(&["apply", "p"]).status.success());
    assert!(!folder.read("terraform.tfstate").contains("create_before_destroy"));
}

#[test]
fn conditions_are_looked_at_even_where_nothing_changes() {
    let checked = |input: &str| {
        format!(
            "resource \"terraform_data\" \"a\" {{\n  input = {input}\n}}\nresource \"terraform_data\" \"b\" {{\n  lifecycle {{\n    \
             precondition {{\n      condition     = terraform_data.a.output != \"bad\"\n      error_message = \"it is \
             bad\"\n    }}\n  }}\n}}\n"
        )
    };
    let (folder, plan, _) = next(&checked("\"good\""), &checked("\"bad\""), &[]);
    assert_eq!(changes(&plan), ["terraform_data.a update"]);
    let applied = folder.run(&["apply", "p"]);
    assert_eq!(applied.status.code(), Some(1), "{}", text(&applied));
    assert!(text(&applied).contains("it is bad"), "{}", text(&applied));
}

#[test]
fn checks_of_what_has_no_instances_are_fine_and_of_what_was_not_reached_unknown() {
    let rule = "  lifecycle {\n    precondition {\n      condition     = path.module != \"\"\n      error_message = \
                \"no\"\n    }\n  }\n";
    let after = format!(
        "resource \"terraform_data\" \"none\" {{\n  count = 0\n{rule}}}\nresource \"terraform_data\" \"left_out\" \
         {{\n{rule}}}\n"
    );
    let (_, plan, _) = next("", &after, &["-target=terraform_data.none"]);
    let checks = plan["checks"].as_array().unwrap();
    let told = |check: &Value| format!("{} {}", check["address"]["name"], check["status"]);
    let told: Vec<String> = checks.iter().map(told).collect();
    assert_eq!(told, ["\"left_out\" \"unknown\"", "\"none\" \"pass\""]);
}

#[test]
fn what_can_not_be_stored_is_not_planned() {
    let folder = Folder::new(
        "resource \"terraform_data\" \"a\" {\n  input = [1 / 0]\n}\noutput \"o\" {\n  value = { a = 1 / 0 }\n}\noutput \"p\" {\n  \
         value = 1 / 0 > 1\n}\n",
    );
    let planned = folder.run(&["plan", "-no-color"]);
    assert_eq!(planned.status.code(), Some(1));
    let told = text(&planned);
    assert_eq!(told.matches("Error: Infinite number").count(), 2, "{told}");
    assert!(told.contains("on main.tf line 2, in resource") && told.contains("on main.tf line 5, in output"), "{told}");
    let late =
        "resource \"terraform_data\" \"a\" {}\noutput \"o\" {\n  value = 1 / (length(terraform_data.a.id) - 36)\n}\n";
    folder.write("main.tf", late);
    let applied = folder.run(&["apply", "-auto-approve"]);
    assert_eq!(applied.status.code(), Some(1), "{}", text(&applied));
    assert_eq!(text(&folder.run(&["state", "list"])), "terraform_data.a\n");
}
