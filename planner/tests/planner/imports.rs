//! Objects that exist already come under management.

use planner::PlanOptions;

use crate::run::Stack;

fn thing(name: &str, body: &str) -> String {
    format!("resource \"sim_thing\" \"{name}\" {{\n  name = \"{name}\"\n  {body}\n}}\n")
}

fn import(to: &str, id: &str) -> String {
    format!("import {{\n  to = {to}\n  id = {id}\n}}\n")
}

/// A stack whose cloud has the things `a` and `b`, which no state knows; and their ids.
fn unmanaged() -> (Stack, Vec<String>) {
    let stack = Stack::new();
    stack.apply(&thing("a", "value = \"x\""));
    let mut ids = stack.cloud.ids();
    stack.apply(&(thing("a", "value = \"x\"") + &thing("b", "")));
    ids.extend(stack.cloud.ids().into_iter().filter(|id| *id != ids[0]).collect::<Vec<_>>());
    let forget = |name| format!("removed {{\n from = sim_thing.{name}\n lifecycle {{\n destroy = false\n }}\n}}\n");
    stack.apply(&(forget("a") + &forget("b")));
    assert!(stack.state().is_empty());
    (stack, ids)
}

#[test]
fn an_imported_object_is_in_the_state_and_imported_once() {
    let (stack, ids) = unmanaged();
    let text = thing("a", "value = \"x\"")
        + &thing("b", "value = \"new\"")
        + &import("sim_thing.a", &format!("{:?}", ids[0]))
        + &import("sim_thing.b", &format!("{:?}", ids[1]));
    let ran = stack.apply(&text);
    assert_eq!(ran.imported, [format!("sim_thing.a {}", ids[0]), format!("sim_thing.b {}", ids[1])]);
    assert_eq!(ran.planned, ["sim_thing.b Update"]);
    stack.assert_settled(&["a", "b"]);
    let again = stack.plan(&text);
    assert!(again.imported.is_empty() && again.planned.is_empty() && again.problems.is_empty());
}

#[test]
fn for_each_imports_into_instances_and_may_depend_on_other_resources() {
    let (stack, ids) = unmanaged();
    let text = format!(
        "resource \"sim_thing\" \"all\" {{\n for_each = toset([\"a\", \"b\"])\n name = each.key\n value = each.key == \"a\" ? \
         \"x\" : null\n}}\nresource \"sim_thing\" \"ids\" {{\n name = \"ids\"\n tags = {{ a = {:?}, b = {:?} }}\n}}\nimport {{\n \
         for_each = sim_thing.ids.tags\n to = sim_thing.all[each.key]\n id = each.value\n}}\n",
        ids[0], ids[1]
    );
    let ran = stack.apply(&text);
    let expected = [format!("sim_thing.all[\"a\"] {}", ids[0]), format!("sim_thing.all[\"b\"] {}", ids[1])];
    assert_eq!(ran.imported, expected);
    assert_eq!(ran.planned, ["sim_thing.ids Create"]);
    stack.assert_settled(&["a", "b", "ids"]);
}

#[test]
fn what_cannot_be_imported_is_an_error() {
    let (stack, ids) = unmanaged();
    let id = format!("{:?}", ids[0]);
    let counted = "resource \"sim_thing\" \"a\" {\n count = 1\n name = \"a\"\n}\n".to_owned();
    let cases = [
        (thing("a", "") + &import("sim_thing.a", "\"nope\""), "Cannot import non-existent remote object"),
        (import("sim_thing.a", &id), "Configuration for import target does not exist"),
        (counted + &import("sim_thing.a[1]", &id), "Configuration for import target does not exist"),
        (thing("u", "") + &thing("a", "") + &import("sim_thing.a", "sim_thing.u.id"), "Invalid import id argument"),
    ];
    for (text, summary) in cases {
        let ran = stack.plan(&text);
        assert_eq!(ran.problems, [summary], "{text}");
    }
}

#[test]
fn configuration_is_generated_for_what_has_none() {
    let (stack, ids) = unmanaged();
    let options = PlanOptions { generate_config: Some("generated.tf".into()), ..PlanOptions::default() };
    let ran = stack.run(&import("sim_thing.a", &format!("{:?}", ids[0])), &options, false);
    let expected = "resource \"sim_thing\" \"a\" {\n  name   = \"a\"\n  secret = null # sensitive\n  tags   = null\n  value  = \
                    \"x\"\n}";
    assert_eq!(ran.generated, [expected]);
    assert!(ran.planned.is_empty() && ran.problems.is_empty(), "{:?} {:?}", ran.planned, ran.problems);
}

#[test]
fn an_imported_object_that_is_replaced_is_removed_from_the_cloud() {
    let (stack, ids) = unmanaged();
    let text = thing("c", "") + &import("sim_thing.c", &format!("{:?}", ids[0]));
    let ran = stack.apply(&text);
    assert_eq!(ran.planned, ["sim_thing.c DeleteThenCreate replace_because_cannot_update"]);
    assert_eq!(stack.cloud.names(), ["b", "c"]);
}
