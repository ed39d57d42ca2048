//! Terraform and windlass on one state: what one applied, the other has nothing to add to. Skipped where Terraform or the
//! mirror of its AWS provider is missing.

use localstack_tests::Tool;

use crate::{example, setup};

const APPLY: &[&str] = &["apply", "-no-color", "-input=false", "-auto-approve"];
const PLAN: &[&str] = &["plan", "-no-color", "-input=false", "-detailed-exitcode"];
const INIT: &[&str] = &["init", "-no-color", "-input=false"];

fn first_then_second(first: &Tool, second: &Tool) {
    let (_, account) = setup();
    let workspace = example(first, &account);
    let empty = account.inventory().unwrap();
    workspace.run(first, APPLY).unwrap().expect(0);
    workspace.run(second, INIT).unwrap().expect(0);
    workspace.run(second, PLAN).unwrap().expect(0).shows("No changes.");
    workspace.run(second, &["destroy", "-no-color", "-input=false", "-auto-approve"]).unwrap().expect(0);
    assert_eq!(account.inventory().unwrap(), empty);
}

fn both() -> Option<(Tool, Tool)> {
    let terraform = Tool::terraform();
    if terraform.is_none() {
        eprintln!("skipped: no terraform with a provider mirror (TF_CLI_CONFIG_FILE)");
    }
    Some((setup().0, terraform?))
}

#[test]
fn terraform_has_nothing_to_add_to_what_windlass_applied() {
    if let Some((windlass, terraform)) = both() {
        first_then_second(&windlass, &terraform);
    }
}

#[test]
fn windlass_has_nothing_to_add_to_what_terraform_applied() {
    if let Some((windlass, terraform)) = both() {
        first_then_second(&terraform, &windlass);
    }
}
