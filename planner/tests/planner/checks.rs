//! Check blocks with a data source of their own.

use planner::PlanOptions;
use planner::plan::PlanMode;
use state::CheckStatus;

use crate::run::Stack;

fn configuration(name: &str) -> String {
    format!(
        "resource \"sim_thing\" \"a\" {{\n name = \"a\"\n}}\nresource \"sim_thing\" \"b\" {{\n name = \"b\"\n depends_on = \
         [sim_thing.a]\n}}\ncheck \"c\" {{\n data \"sim_lookup\" \"d\" {{\n  name = \"{name}\"\n }}\n assert {{\n  condition = \
         data.sim_lookup.d.id == \"found-x\"\n  error_message = \"another one\"\n }}\n}}\n"
    )
}

#[test]
fn the_data_source_of_a_check_is_read_while_planning_and_after_all_else() {
    let stack = Stack::new();
    let ran = stack.apply(&configuration("x"));
    assert_eq!(
        ran.planned,
        ["data.sim_lookup.d Read read_because_check_nested", "sim_thing.a Create", "sim_thing.b Create"]
    );
    assert_eq!(ran.problems, Vec::<String>::new());
    assert_eq!(stack.cloud.take_log(), ["sim_lookup x", "create a", "create b", "sim_lookup x"]);
    // Each plan asks again.
    assert_eq!(stack.plan(&configuration("x")).planned, ["data.sim_lookup.d Read read_because_check_nested"]);
    let refresh = PlanOptions { mode: PlanMode::RefreshOnly, ..PlanOptions::default() };
    assert_eq!(stack.run(&configuration("x"), &refresh, false).planned, Vec::<String>::new());
}

#[test]
fn a_check_that_cannot_read_its_data_source_has_failed_and_all_else_goes_on() {
    let stack = Stack::new();
    let ran = stack.apply(&configuration("nowhere"));
    assert_eq!(ran.problems, ["Nothing has this name", "Nothing has this name"], "of the plan and of the apply");
    assert_eq!(stack.cloud.names(), ["a", "b"]);
    let results = stack.state().check_results.unwrap();
    let [result] = &results[..] else { panic!("{results:?}") };
    assert_eq!(result.status, CheckStatus::Fail);
    let objects = result.objects.as_ref().unwrap();
    assert_eq!(objects[0].failure_messages, ["Nothing has this name: As ordered."]);

    let ran = stack.apply(&configuration("y"));
    assert_eq!(ran.problems, ["Check block assertion failed", "Check block assertion failed"]);
}
