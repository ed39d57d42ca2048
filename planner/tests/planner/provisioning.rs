//! When provisioners run, and what their failure does.

use async_trait::async_trait;
use planner::provisioning::{Provision, ProvisionProblem, Provisioners};
use std::sync::Arc;

use crate::cloud::Cloud;
use crate::run::Stack;

/// Writes every command into the cloud's log. `fail` fails, `hang` stays until the run is interrupted, and even then.
pub struct Logged(pub Arc<Cloud>);

#[async_trait]
impl Provisioners for Logged {
    async fn run(&self, provision: Provision<'_>) -> Result<(), ProvisionProblem> {
        let text = |block: &lang::Value, name| block.get(name).and_then(lang::Value::as_str).cloned();
        let command = text(provision.config, "command").unwrap_or_default();
        let host = provision.connection.and_then(|connection| text(connection, "host"));
        let host = host.map(|host| format!(" on {host}")).unwrap_or_default();
        self.0.log(format!("run {command}{host}"));
        (provision.output)(&format!("printed {command}\n"));
        match command.as_str() {
            "fail" => Err(ProvisionProblem::new("it failed", "as it should")),
            "hang" => std::future::pending().await,
            "await renewal" => {
                self.0.renewed.notified().await;
                Ok(())
            }
            "die" => {
                self.0.die().await;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn thing(body: &str) -> String {
    format!("resource \"sim_thing\" \"a\" {{\n  name = \"a\"\n  {body}\n}}\n")
}

fn exec(command: &str, more: &str) -> String {
    format!("provisioner \"local-exec\" {{\n command = \"{command}\"\n {more}\n }}\n")
}

fn calls(stack: &Stack) -> Vec<String> {
    stack.cloud.take_log().into_iter().filter(|line| !line.starts_with("read ")).collect()
}

#[test]
fn provisioners_run_after_the_creation_and_before_the_removal_alone() {
    let stack = Stack::new();
    let provisioners = exec("made ${self.id}", "") + &exec("gone ${self.name}", "when = destroy");
    stack.apply(&thing(&provisioners));
    let id = stack.cloud.ids().pop().unwrap_or_default();
    assert_eq!(calls(&stack), ["create a".to_owned(), format!("run made {id}")]);
    stack.apply(&thing(&format!("value = \"x\"\n{provisioners}")));
    assert_eq!(calls(&stack), ["update a"]);
    stack.destroy(&thing(&provisioners));
    assert_eq!(calls(&stack), ["run gone a", "delete a"]);
    stack.assert_settled(&[]);
}

#[test]
fn the_first_failure_taints_and_what_is_tainted_goes_without_ceremony() {
    let stack = Stack::new();
    let text = thing(&(exec("fail", "") + &exec("never", "") + &exec("gone", "when = destroy")));
    let ran = stack.apply(&text);
    assert_eq!(ran.problems, ["it failed"]);
    assert_eq!(calls(&stack), ["create a", "run fail"]);
    assert_eq!(stack.plan(&text).planned, ["sim_thing.a DeleteThenCreate replace_because_tainted"]);
    stack.cloud.take_log();
    stack.destroy(&text);
    assert_eq!(calls(&stack), ["delete a"]);
}

#[test]
fn a_failure_that_may_be_passed_over_is() {
    let stack = Stack::new();
    let text = thing(&(exec("fail", "on_failure = continue") + &exec("then", "")));
    assert!(stack.apply(&text).problems.is_empty());
    assert_eq!(calls(&stack), ["create a", "run fail", "run then"]);
    assert!(stack.plan(&text).planned.is_empty());
}

#[test]
fn a_failure_before_the_removal_keeps_the_object_as_it_is() {
    let stack = Stack::new();
    let text = thing(&exec("fail", "when = destroy"));
    stack.apply(&text);
    calls(&stack);
    assert_eq!(stack.destroy(&text).problems, ["it failed"]);
    assert_eq!(calls(&stack), ["run fail"]);
    stack.assert_settled(&["a"]);
    assert!(stack.plan(&text).planned.is_empty());
}

#[test]
fn a_removed_block_runs_the_provisioners_of_what_is_gone() {
    let stack = Stack::new();
    stack.apply(&thing(""));
    calls(&stack);
    let provisioner = exec("bye ${self.name}", "when = destroy");
    let removed = format!("removed {{\n from = sim_thing.a\n lifecycle {{\n destroy = true\n }}\n {provisioner} }}\n");
    assert!(stack.apply(&removed).problems.is_empty());
    assert_eq!(calls(&stack), ["run bye a", "delete a"]);
}

#[test]
fn destroy_time_provisioners_see_key_and_index_of_what_shrinks() {
    let stack = Stack::new();
    let text = |count: u32| {
        let provisioner = exec("gone ${count.index} ${self.name}", "when = destroy");
        format!("resource \"sim_thing\" \"a\" {{\n count = {count}\n name = \"a${{count.index}}\"\n {provisioner} }}\n")
    };
    stack.apply(&text(2));
    calls(&stack);
    stack.apply(&text(1));
    assert_eq!(calls(&stack), ["run gone 1 a1", "delete a1"]);
}

#[test]
fn a_connection_of_its_own_is_laid_over_that_of_the_resource() {
    let stack = Stack::new();
    let own = exec("two", "connection {\n host = \"${self.name}.example\"\n }");
    let shared = "connection {\n host = \"shared\"\n user = \"me\"\n }\n";
    stack.apply(&thing(&format!("{shared}{}{own}", exec("one", ""))));
    assert_eq!(calls(&stack), ["create a", "run one on shared", "run two on a.example"]);
}

#[test]
fn a_crash_while_provisioning_leaves_the_object_tainted() {
    let stack = Stack::new();
    let text = thing(&exec("die", ""));
    assert!(stack.apply(&text).died);
    let ran = stack.plan(&text);
    assert_eq!(ran.planned, ["sim_thing.a DeleteThenCreate replace_because_tainted"]);
    stack.assert_settled(&["a"]);
}

#[test]
fn two_interrupts_give_up_what_hangs_and_save_the_rest() {
    let mut stack = Stack::new();
    stack.interrupt_on_output = true;
    let text = thing(&exec("hang", ""));
    let ran = stack.apply(&text);
    assert_eq!((ran.died, ran.problems), (false, vec!["operation canceled".to_owned()]));
    stack.interrupt_on_output = false;
    assert_eq!(stack.plan(&text).planned, ["sim_thing.a DeleteThenCreate replace_because_tainted"]);
    stack.assert_settled(&["a"]);
}
