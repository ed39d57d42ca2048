//! The example from nothing to nothing.

use serde_json::Value;

use crate::{example, setup};

#[test]
fn the_example_is_planned_applied_shown_and_destroyed() {
    let (tool, account) = setup();
    let workspace = example(&tool, &account);
    let empty = account.inventory().unwrap();

    workspace.run(&tool, &["validate", "-no-color"]).unwrap().expect(0).shows("The configuration is valid.");
    let plan =
        workspace.run(&tool, &["plan", "-no-color", "-input=false", "-out=saved", "-detailed-exitcode"]).unwrap();
    plan.expect(2).shows("to add, 0 to change, 0 to destroy.");
    assert_eq!(account.inventory().unwrap(), empty, "a plan changes nothing");

    let document = workspace.run(&tool, &["show", "-json", "saved"]).unwrap().expect(0);
    let document: Value = serde_json::from_str(&document.stdout).unwrap();
    let creates = document["resource_changes"].as_array().unwrap();
    let creates = creates.iter().filter(|change| change["change"]["actions"] == serde_json::json!(["create"])).count();

    let applied = workspace.run(&tool, &["apply", "-no-color", "-input=false", "saved"]).unwrap().expect(0);
    applied.shows(&format!("Apply complete! Resources: {creates} added, 0 changed, 0 destroyed."));
    applied.shows("cluster_certificate_authority = <sensitive>");
    assert_eq!(account.clusters().unwrap(), ["harbour-dev"]);

    let listed = workspace.run(&tool, &["state", "list"]).unwrap().expect(0);
    for address in [
        "aws_eks_cluster.this",
        "aws_eks_node_group.this[\"general\"]",
        "module.vpc.aws_subnet.private[\"eu-west-1a\"]",
    ] {
        assert!(listed.stdout.lines().any(|line| line == address), "no {address} in\n{}", listed.stdout);
    }
    let shown = workspace.run(&tool, &["state", "show", "-no-color", "aws_eks_cluster.this"]).unwrap().expect(0);
    shown.shows("resource \"aws_eks_cluster\" \"this\" {");
    let authority = workspace.run(&tool, &["output", "-raw", "cluster_certificate_authority"]).unwrap().expect(0);
    assert!(!authority.stdout.is_empty() && !authority.stdout.contains("sensitive"));
    let outputs = workspace.run(&tool, &["output", "-json"]).unwrap().expect(0);
    let outputs: Value = serde_json::from_str(&outputs.stdout).unwrap();
    assert_eq!(outputs["cluster_name"]["value"], "harbour-dev");
    assert_eq!(outputs["cluster_certificate_authority"]["sensitive"], true);

    let again = workspace.run(&tool, &["plan", "-no-color", "-input=false", "-detailed-exitcode"]).unwrap();
    again.expect(0).shows("No changes. Your infrastructure matches the configuration.");

    let destroyed = workspace.run(&tool, &["destroy", "-no-color", "-input=false", "-auto-approve"]).unwrap().expect(0);
    destroyed.shows(&format!("Destroy complete! Resources: {creates} destroyed."));
    assert_eq!(account.inventory().unwrap(), empty, "destroy leaves nothing");
}

#[test]
fn a_changed_variable_changes_what_it_should_in_place() {
    let (tool, account) = setup();
    let workspace = example(&tool, &account);
    workspace.run(&tool, &["apply", "-no-color", "-input=false", "-auto-approve"]).unwrap().expect(0);
    let arguments = ["apply", "-no-color", "-input=false", "-auto-approve", "-var", "log_retention_days=7"];
    let changed = workspace.run(&tool, &arguments).unwrap().expect(0);
    changed.shows("~ retention_in_days = 30 -> 7");
    changed.shows("Resources: 0 added, 1 changed, 0 destroyed.");
}
