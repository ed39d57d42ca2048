//! `moved` blocks: what they may not say.

use planner::{PlanOptions, Target};

use crate::run::Stack;

fn moved(from: &str, to: &str) -> String {
    format!("moved {{\n  from = {from}\n  to   = {to}\n}}\n")
}

fn thing(name: &str, body: &str) -> String {
    format!("resource \"sim_thing\" \"{name}\" {{\n  name = \"a\"\n  {body}\n}}\n")
}

#[test]
fn contradictory_statements_are_refused() {
    let stack = Stack::new();
    stack.apply(&thing("a", ""));
    let cases = [
        (thing("a", "") + &thing("b", "") + &moved("sim_thing.a", "sim_thing.b"), "Moved object still exists"),
        (thing("b", "count = 1") + &moved("sim_thing.b[0]", "sim_thing.b[1]"), "Moved object still exists"),
        (
            thing("b", "") + &moved("sim_thing.a", "sim_thing.b") + &moved("sim_thing.a", "sim_thing.c"),
            "Ambiguous move statements",
        ),
        (
            thing("b", "") + &moved("sim_thing.a[0]", "sim_thing.b") + &moved("sim_thing.a[1]", "sim_thing.b"),
            "Ambiguous move statements",
        ),
        (thing("b", "") + &moved("sim_thing.a", "sim_thing.a"), "Redundant move statement"),
        (
            thing("b", "") + &moved("sim_thing.x", "sim_thing.y") + &moved("sim_thing.y", "sim_thing.x"),
            "Cyclic dependency in move statements",
        ),
    ];
    for (text, summary) in cases {
        assert_eq!(stack.plan(&text).problems, [summary], "{text}");
    }
    stack.assert_settled(&["a"]);
}

#[test]
fn targets_cover_both_ends_of_a_move() {
    let stack = Stack::new();
    stack.apply(&thing("a", ""));
    let text = thing("b", "") + &moved("sim_thing.a", "sim_thing.b");
    let target = |name: &str| {
        let address: lang::addr::ResourceInstance = format!("sim_thing.{name}").parse().unwrap();
        Target::Resource(address.module, address.resource)
    };
    let plan = |names: &[&str]| {
        let targets = names.iter().map(|name| target(name)).collect();
        stack.run(&text, &PlanOptions { targets, ..PlanOptions::default() }, false).problems
    };
    assert_eq!(plan(&["b"]), ["Moved resource instances excluded by targeting"]);
    assert!(plan(&["a", "b"]).is_empty());
}

#[test]
fn an_object_moved_to_where_nothing_is_configured_is_removed() {
    let stack = Stack::new();
    stack.apply(&thing("a", ""));
    let ran = stack.plan(&moved("sim_thing.a", "sim_thing.gone"));
    assert_eq!(ran.planned, ["sim_thing.gone Delete delete_because_no_move_target"]);
}

#[test]
fn an_object_does_not_become_one_of_another_type() {
    let stack = Stack::new();
    stack.apply(&thing("a", ""));
    let text = "resource \"sim_vault\" \"b\" {\n  name = \"b\"\n}\n".to_owned() + &moved("sim_thing.a", "sim_vault.b");
    assert_eq!(stack.plan(&text).problems, ["Move Resource State Not Supported"]);
    stack.assert_settled(&["a"]);
}
