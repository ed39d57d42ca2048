//! What can't be planned yet is left to the next plan, where that is allowed.

use planner::PlanOptions;
use planner::plan::PlanMode;

use crate::run::{Ran, Stack};

fn thing(name: &str, body: &str) -> String {
    format!("resource \"sim_thing\" \"{name}\" {{\n  name = \"{name}\"\n  {body}\n}}\n")
}

fn counted(name: &str, count: &str, body: &str) -> String {
    format!(
        "resource \"sim_thing\" \"{name}\" {{\n  count = {count}\n  name = \"{name}${{count.index}}\"\n  {body}\n}}\n"
    )
}

fn options() -> PlanOptions {
    PlanOptions { allow_deferral: true, ..PlanOptions::default() }
}

fn apply(stack: &Stack, text: &str) -> Ran {
    stack.run(text, &options(), true)
}

/// An id is `t-1`: three characters.
const LENGTH: &str = "length(sim_thing.a.id)";

#[test]
fn an_unknown_count_is_an_error_unless_it_may_wait() {
    let stack = Stack::new();
    let text = thing("a", "") + &counted("b", LENGTH, "");
    assert_eq!(stack.plan(&text).problems, ["Invalid count argument"]);
    let ran = apply(&stack, &text);
    assert_eq!(ran.problems, Vec::<String>::new());
    assert_eq!(ran.planned, ["sim_thing.a Create"]);
    assert_eq!(ran.deferred, ["sim_thing.b[*] Create instance_count_unknown"]);
    stack.assert_settled(&["a"]);
    let ran = apply(&stack, &text);
    assert_eq!(ran.planned, ["sim_thing.b[0] Create", "sim_thing.b[1] Create", "sim_thing.b[2] Create"]);
    assert!(ran.deferred.is_empty());
    stack.assert_settled(&["a", "b0", "b1", "b2"]);
    assert!(apply(&stack, &text).planned.is_empty());
}

#[test]
fn unknown_keys_of_for_each_wait_in_sets_and_maps() {
    let stack = Stack::new();
    let repeated = |name: &str, each: &str| {
        format!("resource \"sim_thing\" \"{name}\" {{\n for_each = {each}\n name = \"{name}-${{each.key}}\"\n}}\n")
    };
    let text = thing("a", "")
        + &repeated("set", "toset([sim_thing.a.id])")
        + &repeated("map", "{ for id in [sim_thing.a.id] : id => 1 }");
    let ran = apply(&stack, &text);
    assert_eq!(ran.problems, Vec::<String>::new());
    let waiting = ["sim_thing.map[*] Create instance_count_unknown", "sim_thing.set[*] Create instance_count_unknown"];
    assert_eq!(ran.deferred, waiting);
    assert_eq!(apply(&stack, &text).planned.len(), 2);
    stack.assert_settled(&["a", "map-t-1", "set-t-1"]);
}

#[test]
fn what_depends_on_something_deferred_is_deferred_and_the_rest_is_applied() {
    let stack = Stack::new();
    let text = thing("a", "")
        + &counted("b", LENGTH, "")
        + &thing("c", "value = join(\"-\", sim_thing.b[*].id)")
        + &thing("d", "depends_on = [sim_thing.c]")
        + &thing("e", "value = sim_thing.a.id");
    let ran = apply(&stack, &text);
    assert_eq!(ran.problems, Vec::<String>::new());
    assert_eq!(ran.planned, ["sim_thing.a Create", "sim_thing.e Create"]);
    assert_eq!(
        ran.deferred,
        [
            "sim_thing.b[*] Create instance_count_unknown",
            "sim_thing.c Create deferred_prereq",
            "sim_thing.d Create deferred_prereq"
        ]
    );
    stack.assert_settled(&["a", "e"]);
    assert_eq!(apply(&stack, &text).problems, Vec::<String>::new());
    stack.assert_settled(&["a", "b0", "b1", "b2", "c", "d", "e"]);
    assert!(apply(&stack, &text).planned.is_empty());
}

#[test]
fn a_data_source_that_needs_something_deferred_is_deferred_too() {
    let stack = Stack::new();
    let data = |name: &str, body: &str| format!("data \"sim_lookup\" \"{name}\" {{\n {body}\n}}\n");
    let text = thing("a", "")
        + &counted("b", LENGTH, "")
        + &data("d", "name = sim_thing.b[0].name")
        + &data("e", "name = \"x\"\n depends_on = [sim_thing.b]")
        + &data("f", &format!("count = {LENGTH}\n name = \"f${{count.index}}\""));
    let ran = apply(&stack, &text);
    assert_eq!(ran.problems, Vec::<String>::new());
    let waiting = [
        "data.sim_lookup.d Read deferred_prereq",
        "data.sim_lookup.e Read deferred_prereq",
        "data.sim_lookup.f[*] Read instance_count_unknown",
        "sim_thing.b[*] Create instance_count_unknown",
    ];
    let mut deferred = ran.deferred;
    deferred.sort();
    assert_eq!(deferred, waiting);
    assert_eq!(apply(&stack, &text).problems, Vec::<String>::new());
    assert!(apply(&stack, &text).deferred.is_empty());
}

#[test]
fn instances_whose_number_is_unknown_again_stay_as_they_are() {
    let stack = Stack::new();
    let text = thing("a", "") + &counted("b", "3", "") + &thing("c", "value = sim_thing.b[0].id");
    apply(&stack, &text);
    // The replacement of `a` makes the number unknown.
    let after = thing("a", "").replace("name = \"a\"", "name = \"a2\"")
        + &counted("b", LENGTH, "")
        + &thing("c", "value = sim_thing.b[0].id");
    let ran = apply(&stack, &after);
    assert_eq!(ran.problems, Vec::<String>::new());
    assert_eq!(ran.planned, ["sim_thing.a DeleteThenCreate replace_because_cannot_update"]);
    let waiting = ["sim_thing.b[*] Create instance_count_unknown", "sim_thing.c Update deferred_prereq"];
    assert_eq!(ran.deferred, waiting);
    stack.assert_settled(&["a2", "b0", "b1", "b2", "c"]);
    assert!(apply(&stack, &after).planned.is_empty());
}

#[test]
fn what_a_deferred_instance_stands_on_is_not_removed_before_it() {
    let stack = Stack::new();
    apply(&stack, &(thing("old", "") + &counted("b", "1", "value = sim_thing.old.id")));
    let after = thing("a", "") + &counted("b", LENGTH, "value = sim_thing.a.id");
    let ran = apply(&stack, &after);
    assert_eq!(ran.planned, ["sim_thing.a Create"]);
    let waiting = ["sim_thing.b[*] Create instance_count_unknown", "sim_thing.old Delete deferred_prereq"];
    assert_eq!(ran.deferred, waiting);
    stack.assert_settled(&["a", "b0", "old"]);
    let next = stack.run(&after, &options(), false).planned;
    assert!(next.contains(&"sim_thing.old Delete delete_because_no_resource_config".to_owned()), "{next:?}");
}

#[test]
fn a_destroy_and_a_refresh_defer_nothing() {
    let stack = Stack::new();
    let text = thing("a", "") + &counted("b", LENGTH, "");
    apply(&stack, &text);
    apply(&stack, &text);
    for mode in [PlanMode::RefreshOnly, PlanMode::Destroy] {
        let ran = stack.run(&text, &PlanOptions { mode, ..options() }, true);
        assert_eq!(ran.problems, Vec::<String>::new());
        assert!(ran.deferred.is_empty());
    }
    stack.assert_settled(&[]);
}
