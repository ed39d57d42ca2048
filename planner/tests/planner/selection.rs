//! `-target` and `-exclude`.

use planner::plan::PlanMode;
use planner::{PlanOptions, Target};

use crate::run::{Ran, Stack};

const CHAIN: &str = r#"
resource "sim_thing" "a" {
  name = "a"
}
resource "sim_thing" "b" {
  name  = "b"
  value = sim_thing.a.id
}
resource "sim_thing" "c" {
  name  = "c"
  value = sim_thing.b.id
}
resource "sim_thing" "many" {
  count = 3
  name  = "m${count.index}"
}
resource "sim_thing" "last" {
  name  = "last"
  value = join(",", sim_thing.many[*].id)
}
output "first" {
  value = sim_thing.many[0].id
}
"#;

fn address(text: &str) -> Target {
    match text.parse::<lang::addr_parse::Target>().unwrap() {
        lang::addr_parse::Target::Module(module) => Target::Module(module),
        lang::addr_parse::Target::Resource(resource) => Target::Resource(resource.module, resource.resource),
        lang::addr_parse::Target::Instance(instance) => Target::Instance(instance),
    }
}

fn run(stack: &Stack, mode: PlanMode, targets: &[&str], excludes: &[&str], apply: bool) -> Ran {
    let of = |texts: &[&str]| texts.iter().map(|text| address(text)).collect();
    let options = PlanOptions { mode, targets: of(targets), excludes: of(excludes), ..PlanOptions::default() };
    stack.run(CHAIN, &options, apply)
}

#[test]
fn an_excluded_resource_is_left_out_with_all_that_depends_on_it() {
    let ran = run(&Stack::new(), PlanMode::Normal, &[], &["sim_thing.b"], false);
    let expected = ["a", "last", "many[0]", "many[1]", "many[2]"].map(|name| format!("sim_thing.{name} Create"));
    assert_eq!((ran.planned, ran.problems), (expected.to_vec(), Vec::new()));
}

#[test]
fn an_excluded_instance_leaves_its_siblings_in() {
    let stack = Stack::new();
    let ran = run(&stack, PlanMode::Normal, &[], &["sim_thing.many[1]"], true);
    let expected = ["a", "b", "c", "many[0]", "many[2]"].map(|name| format!("sim_thing.{name} Create"));
    assert_eq!((ran.planned, ran.problems), (expected.to_vec(), Vec::new()));
    stack.assert_settled(&["a", "b", "c", "m0", "m2"]);
    let rest = run(&stack, PlanMode::Normal, &[], &[], true);
    assert_eq!(rest.planned, ["sim_thing.last Create", "sim_thing.many[1] Create"]);
}

#[test]
fn what_an_excluded_object_stands_on_is_not_destroyed() {
    let stack = Stack::new();
    run(&stack, PlanMode::Normal, &[], &[], true);
    let ran = run(&stack, PlanMode::Destroy, &[], &["sim_thing.b"], true);
    assert!(ran.problems.is_empty(), "{:?}", ran.problems);
    stack.assert_settled(&["a", "b"]);
}

#[test]
fn instances_beside_a_target_keep_what_they_are() {
    let stack = Stack::new();
    let ran = run(&stack, PlanMode::Normal, &["sim_thing.many[1]"], &[], true);
    assert_eq!((ran.planned, ran.problems), (vec!["sim_thing.many[1] Create".to_owned()], Vec::new()));
    stack.assert_settled(&["m1"]);
    run(&stack, PlanMode::Normal, &[], &[], true);
    let ran = run(&stack, PlanMode::Destroy, &["sim_thing.c"], &[], true);
    assert_eq!((ran.planned, ran.problems), (vec!["sim_thing.c Delete".to_owned()], Vec::new()));
    stack.assert_settled(&["a", "b", "last", "m0", "m1", "m2"]);
}
