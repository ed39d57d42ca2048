//! What has changed outside: the section of the plan that tells of it, compared with Terraform's where that is installed.

use localstack_tests::{Outcome, Tool, Workspace};
use serde_json::Value as Json;

use crate::setup;

const APPLY: &[&str] = &["apply", "-no-color", "-input=false", "-auto-approve"];
const INIT: &[&str] = &["init", "-no-color", "-input=false"];

const STACK: &str = r#"
resource "aws_cloudwatch_log_group" "read" {
  name              = "read"
  retention_in_days = 7
  lifecycle {
    ignore_changes = [retention_in_days]
  }
}
resource "aws_cloudwatch_log_group" "unread" {
  name              = "unread"
  retention_in_days = 7
}
resource "aws_cloudwatch_log_group" "gone" {
  name = "gone"
}
resource "aws_ssm_parameter" "secret" {
  name             = "secret"
  type             = "SecureString"
  value_wo         = "one"
  value_wo_version = 1
}
resource "terraform_data" "reader" {
  input = aws_cloudwatch_log_group.read.retention_in_days
}
"#;

/// Takes the log groups over, changes two and removes one.
const INTRUDER: &str = r#"
import {
  to = aws_cloudwatch_log_group.of["read"]
  id = "read"
}
import {
  to = aws_cloudwatch_log_group.of["unread"]
  id = "unread"
}
resource "aws_cloudwatch_log_group" "of" {
  for_each          = toset(["read", "unread"])
  name              = each.key
  retention_in_days = 14
}
import {
  to = aws_cloudwatch_log_group.gone
  id = "gone"
}
resource "aws_cloudwatch_log_group" "gone" {
  name = "gone"
}
"#;

/// What a plan says, without its progress.
fn said(outcome: &Outcome) -> String {
    let lines = outcome.stdout.lines().filter(|line| !line.contains(": Refreshing state..."));
    lines.map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn drift_is_told_where_the_plan_comes_from_it() {
    let (tool, account) = setup();
    let workspace = Workspace::of(&account, STACK).unwrap();
    let intruder = Workspace::of(&account, INTRUDER).unwrap();
    for (workspace, tool) in [(&workspace, &tool), (&intruder, &tool)] {
        workspace.run(tool, INIT).unwrap().expect(0);
        workspace.run(tool, APPLY).unwrap().expect(0);
    }
    let remove = ["destroy", "-no-color", "-input=false", "-auto-approve", "-target=aws_cloudwatch_log_group.gone"];
    intruder.run(&tool, &remove).unwrap().expect(0);

    let plan = |tool: &Tool, flags: &[&str]| {
        let planned = workspace.run(tool, &[&["plan", "-no-color", "-input=false", "-out=p"], flags].concat());
        let shown = workspace.run(tool, &["show", "-json", "p"]).unwrap().expect(0);
        let json: Json = serde_json::from_str(&shown.stdout).unwrap();
        let parts = ["resource_drift", "relevant_attributes", "resource_changes"].map(|part| json[part].clone());
        (said(&planned.unwrap().expect(0)), parts)
    };
    let flags: [&[&str]; 3] = [&[], &["-refresh-only"], &["-destroy"]];
    let ours = flags.map(|flags| plan(&tool, flags));
    let texts = ours.each_ref().map(|(text, _)| text.as_str());
    let told = |text: &str, what: &str| text.contains(&format!("# aws_cloudwatch_log_group.{what}"));
    assert!(told(texts[0], "read has changed") && !told(texts[0], "unread has changed"), "{}", texts[0]);
    assert!(!told(texts[0], "gone has been deleted") && told(texts[0], "gone will be created"), "{}", texts[0]);
    for what in ["read has changed", "unread has changed", "gone has been deleted"] {
        assert!(told(texts[1], what), "{}", texts[1]);
    }
    assert!(!texts[2].contains("outside of Terraform"), "{}", texts[2]);
    assert!(texts[2].contains("- value_wo         = (write-only attribute) -> null"), "{}", texts[2]);

    let Some(terraform) = Tool::terraform() else { return };
    workspace.run(&terraform, INIT).unwrap().expect(0);
    for (flags, ours) in flags.into_iter().zip(ours) {
        let theirs = plan(&terraform, flags);
        assert_eq!(theirs.0, ours.0, "{flags:?}");
        assert_eq!(theirs.1, ours.1, "{flags:?}");
    }
}
