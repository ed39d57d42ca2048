//! What is planned, and in which order it is done.

use planner::PlanOptions;
use planner::plan::PlanMode;
use sdk::provider::Operation;
use state::CheckStatus;

use crate::cloud::Fault;
use crate::run::Stack;

fn thing(name: &str, body: &str) -> String {
    format!("resource \"sim_thing\" \"{name}\" {{\n  name = \"{name}\"\n  {body}\n}}\n")
}

fn calls(stack: &Stack) -> Vec<String> {
    stack.cloud.take_log().into_iter().filter(|line| !line.starts_with("read ")).collect()
}

const MAKE_FIRST: &str = "lifecycle {\n create_before_destroy = true\n }";

#[test]
fn objects_are_made_after_their_dependencies_and_removed_before_them() {
    let stack = Stack::new();
    let text = thing("a", "") + &thing("b", "value = sim_thing.a.id") + &thing("c", "value = sim_thing.b.id");
    assert_eq!(stack.apply(&text).planned, ["sim_thing.a Create", "sim_thing.b Create", "sim_thing.c Create"]);
    assert_eq!(calls(&stack), ["create a", "create b", "create c"]);
    assert!(stack.destroy(&text).problems.is_empty());
    assert_eq!(calls(&stack), ["delete c", "delete b", "delete a"]);
    stack.assert_settled(&[]);
}

#[test]
fn an_object_is_stored_with_all_that_it_was_made_after_in_the_order_of_texts() {
    let stack = Stack::new();
    let text = thing("z2", "")
        + &thing("z10", "value = sim_thing.z2.id")
        + "locals {\n  id = sim_thing.z10.id\n}\n"
        + &thing("b", "value = local.id")
        + &thing("c", "value = local.id")
        + &thing("d", "value = \"${sim_thing.c.id}${sim_thing.b.id}${sim_thing.z2.id}\"");
    stack.apply(&text);
    let state = stack.state();
    let dependencies = |name: &str| -> Vec<String> {
        let object = state.current(&format!("sim_thing.{name}").parse().unwrap()).unwrap();
        object.dependencies.iter().map(|resource| resource.resource.name.to_string()).collect()
    };
    assert!(dependencies("z2").is_empty());
    assert_eq!(dependencies("z10"), ["z2"]);
    assert_eq!(dependencies("b"), ["z10", "z2"]);
    assert_eq!(dependencies("c"), ["z10", "z2"]);
    assert_eq!(dependencies("d"), ["b", "c", "z10", "z2"]);
}

#[test]
fn a_replacement_made_first_waits_with_the_removal_for_its_dependents() {
    let stack = Stack::new();
    let dependent = thing("b", "value = sim_thing.a.id");
    stack.apply(&(thing("a", MAKE_FIRST) + &dependent));
    calls(&stack);
    let after = thing("a", MAKE_FIRST).replace("name = \"a\"", "name = \"a2\"") + &dependent;
    let ran = stack.apply(&after);
    assert_eq!(ran.planned, ["sim_thing.a CreateThenDelete replace_because_cannot_update", "sim_thing.b Update"]);
    assert_eq!(calls(&stack), ["create a2", "update b", "delete a"]);
    stack.assert_settled(&["a2", "b"]);
}

#[test]
fn what_depends_on_a_make_first_resource_is_not_forced_but_what_it_depends_on_is() {
    let stack = Stack::new();
    let text = thing("a", "") + &thing("b", &format!("value = sim_thing.a.name\n{MAKE_FIRST}"));
    stack.apply(&text);
    let after = text.replace("name = \"a\"", "name = \"a2\"");
    assert_eq!(stack.plan(&after).planned[0], "sim_thing.a CreateThenDelete replace_because_cannot_update");
}

#[test]
fn an_object_is_changed_after_what_stood_on_it_is_gone() {
    let stack = Stack::new();
    let dependent = thing("b", "value = sim_thing.a.id");
    stack.apply(&(thing("a", "value = \"1\"") + &dependent));
    calls(&stack);
    stack.apply(&thing("a", "value = \"2\""));
    assert_eq!(calls(&stack), ["delete b", "update a"]);
    // Unless the dependent is one that goes last.
    let dependent = thing("b", &format!("value = sim_thing.a.name\n{MAKE_FIRST}"));
    stack.apply(&(thing("a", "value = \"2\"") + &dependent));
    calls(&stack);
    stack.apply(&thing("a", "value = \"3\""));
    assert_eq!(calls(&stack), ["update a", "delete b"]);
}

#[test]
fn data_sources_wait_for_a_resource_that_loses_an_instance() {
    let stack = Stack::new();
    let text = |count: u32| {
        format!("resource \"sim_thing\" \"n\" {{\n count = {count}\n name = \"n${{count.index}}\"\n}}\n")
            + "data \"sim_lookup\" \"d\" {\n name = \"x\"\n depends_on = [sim_thing.n]\n}\n"
    };
    stack.apply(&text(2));
    let ran = stack.plan(&text(1));
    let expected =
        ["data.sim_lookup.d Read read_because_dependency_pending", "sim_thing.n[1] Delete delete_because_count_index"];
    assert_eq!(ran.planned, expected);
    stack.apply(&text(1));
    assert_eq!(stack.plan(&text(1)).planned, Vec::<String>::new());
}

#[test]
fn a_deposed_object_whose_removal_fails_is_removed_by_the_next_apply() {
    let stack = Stack::new();
    stack.apply(&thing("a", MAKE_FIRST));
    let after = thing("a", MAKE_FIRST).replace("name = \"a\"", "name = \"a2\"");
    stack.cloud.order(Operation::Delete, "a", Fault::Refused);
    assert_eq!(stack.apply(&after).problems, ["refused a"]);
    stack.assert_settled(&["a", "a2"]);
    assert_eq!(stack.apply(&after).planned, ["sim_thing.a (deposed) Delete"]);
    stack.assert_settled(&["a2"]);
}

#[test]
fn a_deposed_object_goes_after_its_successor_has_changed() {
    let stack = Stack::new();
    let text = |name: &str, value: &str| {
        format!("resource \"sim_thing\" \"a\" {{\n  name = \"{name}\"\n  value = {value}\n  {MAKE_FIRST}\n}}\n")
    };
    let leave_deposed = |stack: &Stack, rest: &str, value: &str| {
        stack.apply(&(text("a", value) + rest));
        stack.cloud.order(Operation::Delete, "a", Fault::Refused);
        assert_eq!(stack.apply(&(text("a2", value) + rest)).problems, ["refused a"]);
        calls(stack);
    };
    leave_deposed(&stack, "", "\"1\"");
    assert!(stack.apply(&text("a2", "\"2\"")).problems.is_empty());
    assert_eq!(calls(&stack), ["update a2", "delete a"]);
    // Unless the successor waits for the end of something that the deposed object stands on.
    let stack = Stack::new();
    leave_deposed(&stack, &thing("x", ""), "\"1\"\n  depends_on = [sim_thing.x]");
    let file = stack.path("terraform.tfstate");
    let state = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, state.replace("\"create_before_destroy\": true", "\"create_before_destroy\": false"))
        .unwrap();
    assert_eq!(stack.apply(&text("a2", "\"2\"")).problems, Vec::<String>::new());
    assert_eq!(calls(&stack), ["delete a", "delete x", "update a2"]);
    stack.assert_settled(&["a2"]);
}

#[test]
fn what_an_object_stood_on_goes_after_it_even_if_its_successor_stands_alone() {
    let stack = Stack::new();
    let first = "lifecycle {\n create_before_destroy = true\n }";
    stack.apply(&(thing("a", first) + &thing("b", &format!("value = sim_thing.a.id\n {first}"))));
    stack.cloud.take_log();
    let alone = format!("resource \"sim_thing\" \"b\" {{\n name = \"b2\"\n {first}\n}}\n");
    assert!(stack.apply(&alone).problems.is_empty());
    assert_eq!(calls(&stack), ["create b2", "delete b", "delete a"]);
    stack.assert_settled(&["b2"]);
}

#[test]
fn a_failed_create_does_not_hold_up_the_rest_and_what_was_made_is_tainted() {
    let stack = Stack::new();
    let text = thing("a", "") + &thing("b", "value = sim_thing.a.id") + &thing("c", "");
    stack.cloud.order(Operation::Create, "a", Fault::Broken);
    assert_eq!(stack.apply(&text).problems, ["broken a"]);
    stack.assert_settled(&["a", "c"]);
    let ran = stack.apply(&text);
    assert_eq!(ran.planned, ["sim_thing.a DeleteThenCreate replace_because_tainted", "sim_thing.b Create"]);
    stack.assert_settled(&["a", "b", "c"]);
}

#[test]
fn what_names_an_instance_goes_on_where_another_fails() {
    let stack = Stack::new();
    let conditions = "lifecycle {\n  postcondition {\n   condition = self.name != \"bad\" || self.serial == 0\n   error_message = \"bad\"\n  }\n }";
    let text = |names: &str| {
        format!(
            "resource \"sim_thing\" \"n\" {{\n for_each = {{ {names} }}\n name = each.value\n {conditions}\n}}\n\
             locals {{\n first = sim_thing.n[\"a\"].id\n}}\n"
        ) + &thing("one", "value = sim_thing.n[\"a\"].id")
            + &thing("local", "value = local.first")
            + &thing("ordered", "depends_on = [sim_thing.n[\"a\"]]")
            + &thing("both", "value = \"${sim_thing.n[\"a\"].id}${sim_thing.n[\"b\"].id}\"")
            + &thing("all", "value = length(sim_thing.n)")
    };
    stack.cloud.order(Operation::Create, "y", Fault::Refused);
    assert_eq!(stack.apply(&text("a = \"x\", b = \"y\"")).problems, ["refused y"]);
    assert_eq!(stack.cloud.names(), ["local", "one", "ordered", "x"]);
    stack.apply(&text("a = \"x\", b = \"y\""));
    stack.assert_settled(&["all", "both", "local", "one", "ordered", "x", "y"]);

    // The condition of one instance is the business of those that stand on it; that of the others is looked at all the same.
    let more = text("a = \"x\", b = \"bad\"") + &thing("new", "value = sim_thing.n[\"a\"].id");
    let ran = stack.apply(&(more + &thing("not", "value = sim_thing.n[\"b\"].id")));
    assert_eq!(ran.problems, ["Resource postcondition failed"]);
    assert_eq!(stack.cloud.names(), ["all", "bad", "both", "local", "new", "one", "ordered", "x"]);
    let results = stack.state().check_results.unwrap();
    let told = results[0].objects.iter().flatten().map(|object| (object.object_addr.to_string(), object.status));
    let expected = [("sim_thing.n[\"a\"]", CheckStatus::Pass), ("sim_thing.n[\"b\"]", CheckStatus::Fail)];
    assert_eq!(told.collect::<Vec<_>>(), expected.map(|(address, status)| (address.to_owned(), status)));
}

#[test]
fn what_is_new_is_made_after_the_removals_of_the_resources_that_it_stands_on() {
    let stack = Stack::new();
    let text =
        |names: &str| format!("resource \"sim_thing\" \"n\" {{\n for_each = toset([{names}])\n name = each.key\n}}\n");
    stack.apply(&text("\"a\", \"b\""));
    stack.cloud.take_log();
    let new = thing("new", "value = sim_thing.n[\"a\"].id");
    stack.cloud.order(Operation::Delete, "b", Fault::Refused);
    assert_eq!(stack.apply(&(text("\"a\"") + &new)).problems, ["refused b"]);
    assert_eq!(stack.cloud.names(), ["a", "b"]);
    stack.cloud.take_log();
    stack.apply(&(text("\"a\"") + &new));
    assert_eq!(calls(&stack), ["delete b", "create new"]);
}

#[test]
fn instances_beyond_count_and_for_each_are_removed_for_that_reason() {
    let stack = Stack::new();
    let text = |count: &str, keys: &str| {
        format!(
            "resource \"sim_thing\" \"n\" {{\n count = {count}\n name = \"n${{count.index}}\"\n}}\n\
             resource \"sim_thing\" \"k\" {{\n for_each = toset({keys})\n name = each.key\n}}\n"
        )
    };
    stack.apply(&text("2", "[\"x\", \"y\"]"));
    let ran = stack.apply(&text("1", "[\"y\"]"));
    assert_eq!(
        ran.planned,
        ["sim_thing.k[\"x\"] Delete delete_because_each_key", "sim_thing.n[1] Delete delete_because_count_index"]
    );
    stack.assert_settled(&["n0", "y"]);
}

#[test]
fn all_objects_of_a_type_are_refreshed_in_one_call_and_drift_is_undone() {
    let stack = Stack::new();
    let text = thing("a", "value = \"1\"") + &thing("b", "value = \"1\"") + &thing("c", "");
    stack.apply(&text);
    stack.cloud.take_log();
    stack.cloud.tamper("a", Some("2"));
    stack.cloud.tamper("b", None);
    assert_eq!(stack.plan(&text).planned, ["sim_thing.a Update", "sim_thing.b Create"]);
    assert_eq!(stack.cloud.take_log(), ["read 3"]);
}

#[test]
fn data_sources_wait_for_what_they_depend_on_unless_they_are_pure() {
    let stack = Stack::new();
    let data = |kind: &str, body: &str| format!("data \"{kind}\" \"d\" {{\n {body}\n}}\n");
    let text = thing("a", "")
        + &data("sim_lookup", "name = \"x\"\n depends_on = [sim_thing.a]")
        + &data("sim_pure", "name = \"y\"\n depends_on = [sim_thing.a]");
    let ran = stack.plan(&text);
    assert_eq!(ran.planned, ["data.sim_lookup.d Read read_because_dependency_pending", "sim_thing.a Create"]);
    assert_eq!(calls(&stack), ["sim_pure y"]);
    stack.apply(&text);
    calls(&stack);
    assert_eq!(stack.plan(&text).planned, Vec::<String>::new());
}

#[test]
fn a_block_that_refers_to_itself_is_refused() {
    let stack = Stack::new();
    let refused = |text: &str| assert_eq!(stack.plan(text).problems, ["Self-referential block"], "{text}");
    refused(&thing("a", "value = sim_thing.a.id"));
    refused(&thing("a", "count = 2\n value = sim_thing.a[0].id"));
    refused(&thing("a", "count = 2\n value = sim_thing.a[count.index - 1].id"));
    refused("data \"sim_lookup\" \"d\" {\n name = data.sim_lookup.d.id\n}\n");
    // Without instances nothing refers to anything.
    assert_eq!(stack.plan(&thing("a", "count = 0\n value = sim_thing.a[0].id")).problems, Vec::<String>::new());
    assert_eq!(stack.plan("locals {\n a = [local.a, 1]\n}\n").problems, ["Self-referencing local value"]);
}

#[test]
fn an_instance_that_is_no_longer_wanted_is_protected_too() {
    let stack = Stack::new();
    let counted = |count: u32| {
        format!(
            "resource \"sim_thing\" \"a\" {{\n count = {count}\n name = \"a${{count.index}}\"\n lifecycle {{\n prevent_destroy = \
             true\n }}\n}}\n"
        )
    };
    stack.apply(&counted(2));
    let ran = stack.apply(&counted(1));
    assert_eq!(ran.problems, ["Instance cannot be destroyed"]);
    stack.assert_settled(&["a0", "a1"]);
}

#[test]
fn a_key_of_ignore_changes_selects_from_maps_alone() {
    let stack = Stack::new();
    let tagged = |a: u32, b: u32, ignored: &str| {
        thing("a", &format!("tags = {{ a = \"{a}\", b = \"{b}\" }}\n lifecycle {{\n ignore_changes = [{ignored}]\n }}"))
    };
    stack.apply(&tagged(1, 1, ""));
    assert!(stack.plan(&tagged(2, 1, "tags[\"a\"]")).planned.is_empty());
    assert_eq!(stack.plan(&tagged(2, 2, "tags[\"a\"]")).planned, ["sim_thing.a Update"]);
    assert_eq!(stack.plan(&tagged(2, 1, "tags.a")).planned, ["sim_thing.a Update"]);
}

#[test]
fn an_object_belongs_to_the_provider_that_its_configuration_names() {
    let stack = Stack::new();
    let providers = "provider \"sim\" {}\nprovider \"sim\" {\n alias = \"old\"\n}\n";
    stack.apply(&format!("{providers}{}", thing("a", "provider = sim.old")));
    let ran = stack.apply(&thing("a", ""));
    assert_eq!((ran.problems, ran.planned), (Vec::<String>::new(), Vec::<String>::new()));
    assert_eq!(stack.plan("").planned, ["sim_thing.a Delete delete_because_no_resource_config"]);
    stack.apply(&format!("{providers}{}", thing("a", "provider = sim.old")));
    assert_eq!(stack.plan("").problems, ["Provider configuration not present"]);
    assert_eq!(stack.destroy("").problems, ["Provider configuration not present"]);
    stack.assert_settled(&["a"]);
    assert_eq!(stack.destroy(providers).problems, Vec::<String>::new());
    stack.assert_settled(&[]);
}

#[test]
fn a_data_source_to_be_read_later_is_nothing_until_then() {
    let stack = Stack::new();
    let text = |name: &str| {
        let lookup = "data \"sim_lookup\" \"x\" {\n name = sim_thing.a.id\n}\n";
        format!("{}{lookup}", thing("a", "").replace("name = \"a\"", &format!("name = \"{name}\"")))
    };
    stack.apply(&text("a"));
    let in_state = || stack.state().resources.keys().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(in_state(), ["data.sim_lookup.x", "sim_thing.a"]);
    stack.cloud.order(Operation::Create, "b", Fault::Refused);
    stack.apply(&text("b"));
    assert_eq!(in_state(), [""; 0]);
}

#[test]
fn what_only_creates_could_tell_is_not_read_where_nothing_is_created() {
    let stack = Stack::new();
    stack.apply(&thing("a", ""));
    let text = thing("a", "")
        + &thing("b", "")
        + "data \"sim_lookup\" \"x\" {\n  name = sim_thing.b.id\n}\n"
        + "data \"sim_lookup\" \"y\" {\n  name = \"y\"\n  depends_on = [sim_thing.b]\n}\n";
    let refresh = PlanOptions { mode: PlanMode::RefreshOnly, ..PlanOptions::default() };
    assert_eq!(stack.run(&text, &refresh, false).planned, [""; 0]);
    calls(&stack);
    assert_eq!(stack.destroy(&text).planned, ["sim_thing.a Delete"]);
    assert_eq!(calls(&stack), ["delete a"]);
    stack.assert_settled(&[]);
}

#[test]
fn a_provider_is_configured_with_what_is_read_even_to_destroy() {
    let stack = Stack::new();
    let provider =
        "provider \"sim\" {\n  region = data.sim_lookup.x.id\n}\nprovider \"sim\" {\n  alias = \"plain\"\n}\n";
    let lookup = "data \"sim_lookup\" \"x\" {\n  provider = sim.plain\n  name = \"x\"\n}\n";
    let text = format!("{provider}{lookup}{}", thing("a", ""));
    stack.apply(&thing("a", ""));
    calls(&stack);
    let options = PlanOptions { mode: PlanMode::Destroy, refresh: false, ..PlanOptions::default() };
    let ran = stack.run(&text, &options, true);
    assert_eq!((ran.problems, ran.planned), (Vec::<String>::new(), vec!["sim_thing.a Delete".to_owned()]));
    assert_eq!(calls(&stack).last().map(String::as_str), Some("delete a"));
    stack.assert_settled(&[]);
}

#[test]
fn a_provider_whose_configuration_is_not_known_yet_is_planned_with_and_asked_later() {
    let stack = Stack::new();
    let providers = "provider \"sim\" {\n region = sim_thing.base.id\n}\nprovider \"sim\" {\n alias = \"plain\"\n}\n";
    let lookup = "data \"sim_lookup\" \"x\" {\n name = \"x\"\n}\n";
    let text = format!(
        "{providers}{}{lookup}{}",
        thing("base", "provider = sim.plain"),
        thing("on", "value = data.sim_lookup.x.id")
    );
    let ran = stack.apply(&text);
    assert_eq!(ran.problems, Vec::<String>::new());
    let planned =
        ["data.sim_lookup.x Read read_because_config_unknown", "sim_thing.base Create", "sim_thing.on Create"];
    assert_eq!(ran.planned, planned);
    assert_eq!(calls(&stack), ["create base", "configure t-1", "sim_lookup x", "create on"]);
    assert!(stack.plan(&text).planned.is_empty());
}
