//! The process dies at every point of every operation; the next run clears up, and nothing is lost or made twice.

use sdk::provider::Operation;
use state::Intent;

use crate::cloud::Fault;
use crate::run::{Ran, Stack};

const POINTS: [Fault; 4] = [Fault::DiesBefore, Fault::DiesUnanswered, Fault::DiesWaiting, Fault::DiesAfterOutcome];

/// `b` stands on `a`.
fn pair(a: &str, b: &str, value: &str, lifecycle: &str) -> String {
    format!(
        r#"
resource "sim_thing" "a" {{
  name = "{a}"
  {lifecycle}
}}
resource "sim_thing" "b" {{
  name  = "{b}"
  value = sim_thing.a.id
  tags  = {{ v = "{value}" }}
}}
"#
    )
}

/// Lets `before` stand, dies while `after` is applied, then applies `after` again. Returns what recovery told.
fn die_and_go_on(before: &str, after: &str, operation: Operation, name: &str, point: Fault, end: &[&str]) -> String {
    let what = format!("{operation:?} of {name}, {point:?}");
    let stack = Stack::new();
    let ran = stack.apply(before);
    assert!(ran.problems.is_empty(), "{what}: {:?}", ran.problems);
    stack.cloud.order(operation, name, point);
    let ran = stack.apply(after);
    assert!(ran.died, "{what}: did not die: {:?} {:?}", ran.planned, ran.problems);
    let ran = stack.apply(after);
    assert!(ran.problems.is_empty(), "{what}: {:?}", ran.problems);
    stack.assert_settled(end);
    assert_eq!(stack.plan(after).planned, Vec::<String>::new(), "{what}: a plan after it");
    found_out(ran).join("; ")
}

/// What recovery found out. Whether the state was stored after an outcome is a matter of chance, and so is being told of it.
fn found_out(ran: Ran) -> Vec<String> {
    ran.recovered.into_iter().filter(|line| !line.ends_with("which the state did not know yet")).collect()
}

fn told(before: &str, after: &str, operation: Operation, name: &str, end: &[&str]) -> Vec<String> {
    POINTS
        .into_iter()
        // Only a create hands over.
        .filter(|point| operation == Operation::Create || *point != Fault::DiesWaiting)
        .map(|point| format!("{point:?}: {}", die_and_go_on(before, after, operation, name, point, end)))
        .collect()
}

#[test]
fn death_during_a_create_leaves_no_orphan_and_no_duplicate() {
    let stack = pair("a", "b", "1", "");
    let created = |address: &str| {
        vec![
            format!("DiesBefore: {address}: was never made"),
            format!("DiesUnanswered: {address}: found and adopted"),
            format!("DiesWaiting: {address}: found and adopted"),
            "DiesAfterOutcome: ".to_owned(),
        ]
    };
    assert_eq!(told("", &stack, Operation::Create, "a", &["a", "b"]), created("sim_thing.a"));
    assert_eq!(told("", &stack, Operation::Create, "b", &["a", "b"]), created("sim_thing.b"));
}

#[test]
fn death_during_an_update_reads_the_object_again() {
    let (before, after) = (pair("a", "b", "1", ""), pair("a", "b", "2", ""));
    assert_eq!(
        told(&before, &after, Operation::Update, "b", &["a", "b"]),
        [
            "DiesBefore: sim_thing.b: read again after an interrupted change",
            "DiesUnanswered: sim_thing.b: read again after an interrupted change",
            "DiesAfterOutcome: ",
        ]
    );
}

#[test]
fn death_during_a_destroy_removes_the_rest() {
    let before = pair("a", "b", "1", "");
    for name in ["b", "a"] {
        assert_eq!(
            told(&before, "", Operation::Delete, name, &[]),
            [
                format!("DiesBefore: sim_thing.{name}: still there: it will be removed again"),
                format!("DiesUnanswered: sim_thing.{name}: is gone"),
                "DiesAfterOutcome: ".to_owned(),
            ]
        );
    }
}

#[test]
fn death_during_a_replacement_that_removes_first() {
    let before = "resource \"sim_thing\" \"a\" {\n name = \"a\"\n}\n";
    let after = "resource \"sim_thing\" \"a\" {\n name = \"a2\"\n}\n";
    for (operation, name) in [(Operation::Delete, "a"), (Operation::Create, "a2")] {
        told(before, after, operation, name, &["a2"]);
    }
}

#[test]
fn death_during_a_replacement_that_makes_first() {
    let first = "lifecycle {\n create_before_destroy = true\n }";
    let (before, after) = (pair("a", "b", "1", first), pair("a2", "b", "1", first));
    for (operation, name) in [(Operation::Create, "a2"), (Operation::Update, "b"), (Operation::Delete, "a")] {
        told(&before, &after, operation, name, &["a2", "b"]);
    }
}

#[test]
fn an_adopted_object_keeps_what_it_was_made_after() {
    for point in [Fault::DiesUnanswered, Fault::DiesWaiting] {
        let stack = Stack::new();
        stack.cloud.order(Operation::Create, "b", point);
        assert!(stack.apply(&pair("a", "b", "1", "")).died);
        // The configuration no longer tells: only the journal can.
        assert_eq!(found_out(stack.plan("")), ["sim_thing.b: found and adopted"]);
        let state = stack.state();
        let object = state.current(&"sim_thing.b".parse().unwrap()).unwrap();
        let dependencies: Vec<String> = object.dependencies.iter().map(ToString::to_string).collect();
        assert_eq!(dependencies, ["sim_thing.a"], "{point:?}");
        assert_eq!(stack.apply("").problems, Vec::<String>::new());
        stack.assert_settled(&[]);
    }
}

/// The state may be stored before the journal has the outcome.
#[test]
fn what_the_state_does_not_hold_any_more_was_removed() {
    let stack = Stack::new();
    let first = "resource \"sim_thing\" \"a\" {\n name = \"a\"\n}\n";
    assert_eq!(stack.apply(first).problems, Vec::<String>::new());
    let state = stack.state();
    let intent = |name: &str| Intent {
        address: format!("sim_thing.{name}").parse().unwrap(),
        deposed: None,
        provider: state.resources.values().next().unwrap().provider.clone(),
        operation: state::Operation::Delete,
        planned: state::Json::parse("null").unwrap(),
        client_token: None,
        dependencies: [].into(),
        create_before_destroy: false,
        lineage: state.lineage.clone(),
        serial: state.serial,
    };
    stack.record(intent("gone"), None);
    let ran = stack.apply(first);
    assert_eq!((ran.recovered, ran.problems), (vec!["sim_thing.gone: is gone".to_owned()], Vec::new()));
    stack.assert_settled(&["a"]);
    // The other way round: the journal has the outcome, and the state has not.
    stack.record(intent("gone"), Some(state::Outcome::Gone));
    stack.record(intent("a"), Some(state::Outcome::Failed));
    assert_eq!(stack.plan(first).recovered, Vec::<String>::new());
    stack.record(intent("a"), Some(state::Outcome::Gone));
    assert_eq!(stack.plan(first).recovered, ["sim_thing.a: was removed, which the state did not know yet"]);
}
