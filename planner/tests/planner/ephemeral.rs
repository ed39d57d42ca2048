//! Ephemeral resources and write-only arguments: opened when needed, closed at the end, stored nowhere.

use crate::run::Stack;

const SECRET: &str = "ephemeral \"sim_secret\" \"s\" {\n  name = \"s\"\n}\n";

fn calls(stack: &Stack) -> Vec<String> {
    stack.cloud.take_log().into_iter().filter(|line| !line.starts_with("read ")).collect()
}

fn vault(name: &str, body: &str) -> String {
    format!("resource \"sim_vault\" \"{name}\" {{\n  name = \"{name}\"\n  {body}\n}}\n")
}

#[test]
fn a_write_only_argument_gets_an_ephemeral_value_that_is_never_stored() {
    let stack = Stack::new();
    let text = SECRET.to_owned() + &vault("v", "pin_wo = ephemeral.sim_secret.s.value\n pin_wo_version = 1");
    let ran = stack.apply(&text);
    assert_eq!((ran.problems.as_slice(), ran.planned.as_slice()), (&[][..], &["sim_vault.v Create".to_owned()][..]));
    assert_eq!(calls(&stack), ["open s", "close s", "open s", "pin hush-s", "create v", "close s"]);
    assert!(!stack.files().contains("hush"), "{}", stack.files());
    assert!(stack.plan(&text).planned.is_empty());
    let rotated = text.replace("pin_wo_version = 1", "pin_wo_version = 2");
    stack.cloud.take_log();
    assert_eq!(stack.apply(&rotated).planned, ["sim_vault.v Update"]);
    assert!(calls(&stack).contains(&"pin hush-s".to_owned()));
    assert!(!stack.files().contains("hush"));
}

#[test]
fn a_write_only_argument_hides_plain_values_as_well() {
    let stack = Stack::new();
    let text = vault("v", "pin_wo = \"plain-hush\"");
    assert!(stack.apply(&text).problems.is_empty());
    assert!(calls(&stack).contains(&"pin plain-hush".to_owned()));
    assert!(!stack.files().contains("hush"), "{}", stack.files());
}

#[test]
fn an_ephemeral_value_is_refused_where_it_would_be_stored() {
    let stack = Stack::new();
    let thing = "resource \"sim_thing\" \"a\" {\n name = \"a\"\n value = ephemeral.sim_secret.s.value\n}\n";
    let ran = stack.apply(&format!("{SECRET}{thing}"));
    assert_eq!(ran.problems, ["Invalid use of ephemeral value"]);
    assert_eq!(calls(&stack), ["open s", "close s"]);
    let output = "output \"o\" {\n value = ephemeral.sim_secret.s.value\n}\n";
    assert_eq!(stack.plan(&format!("{SECRET}{output}")).problems, ["Ephemeral value not allowed"]);
}

#[test]
fn what_depends_on_changes_to_come_is_opened_while_applying_only() {
    let stack = Stack::new();
    let thing = "resource \"sim_thing\" \"a\" {\n name = \"a\"\n}\n";
    let secret = SECRET.replace("name = \"s\"", "name = sim_thing.a.id");
    let text = format!("{thing}{secret}{}", vault("v", "pin_wo = ephemeral.sim_secret.s.value"));
    stack.plan(&text);
    assert_eq!(calls(&stack), Vec::<String>::new());
    stack.apply(&text);
    let log = calls(&stack);
    let at = |what: &str| log.iter().position(|line| line.starts_with(what));
    assert!(at("create a") < at("open") && at("open") < at("create v") && at("create v") < at("close"), "{log:?}");
}

#[test]
fn a_provider_is_configured_with_an_ephemeral_value() {
    let stack = Stack::new();
    let provider = "provider \"sim\" {\n region = ephemeral.sim_secret.s.value\n}\n\
                    provider \"sim\" {\n alias = \"plain\"\n}\n";
    let secret = SECRET.replace("name = \"s\"", "name = \"s\"\n provider = sim.plain");
    assert!(stack.apply(&format!("{provider}{secret}{}", vault("v", ""))).problems.is_empty());
    assert!(calls(&stack).contains(&"configure hush-s".to_owned()));
    assert!(!stack.files().contains("hush"));
}

#[test]
fn what_runs_long_is_renewed() {
    let stack = Stack::new();
    let provisioner = "provisioner \"local-exec\" {\n command = \"await renewal\"\n }";
    let secret = SECRET.replace("\"s\"\n", "\"short\"\n");
    let text = secret + &vault("v", &format!("pin_wo = ephemeral.sim_secret.s.value\n{provisioner}"));
    assert!(stack.apply(&text).problems.is_empty());
    assert!(calls(&stack).contains(&"renew short".to_owned()));
}
