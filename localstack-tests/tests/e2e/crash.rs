//! `kill -9` at any instant of an apply: the next one converges, with nothing doubled and nothing lost.

use localstack_tests::{Call, Fault, Outcome, Proxy, Rule, Workspace};

use crate::{example, setup};

const APPLY: &[&str] = &["apply", "-no-color", "-input=false", "-auto-approve"];
const POINTS: usize = 12;

#[test]
fn killed_in_an_apply_the_next_one_converges() {
    let (tool, account) = setup();
    if tool.is_terraform() {
        return; // it forgets what was in flight
    }

    // What an undisturbed apply makes, and with how many calls.
    let proxy = Proxy::start(&account.endpoint).unwrap();
    let empty = account.inventory().unwrap();
    let mut workspace = example(&tool, &account);
    workspace.set_endpoint(proxy.endpoint());
    workspace.run(&tool, APPLY).unwrap().expect(0);
    let whole = account.inventory().unwrap();
    let mutations = proxy.calls().iter().filter(|call| call.is_mutation()).count();
    assert!(mutations >= POINTS, "{mutations} calls are too few for {POINTS} kill points");

    for point in 0..POINTS {
        let nth = 1 + point * (mutations - 1) / (POINTS - 1);
        // by turns before the cloud saw the call, and after it acted but before anyone knows
        let fault = if point % 2 == 0 { Fault::KillAfter } else { Fault::KillBefore };
        let what = format!("{fault:?} at mutation {nth} of {mutations}");

        let (_, account) = setup();
        let proxy = Proxy::start(&account.endpoint).unwrap();
        proxy.inject(Rule::nth(nth, Call::is_mutation, fault));
        let mut workspace = example(&tool, &account);
        workspace.set_endpoint(proxy.endpoint());
        let child = workspace.spawn(&tool, APPLY).unwrap();
        proxy.set_victim(child.id());
        let killed = Outcome::wait("apply", child).unwrap();
        assert_eq!(killed.code, None, "{what}: not killed");

        proxy.reset();
        let again = workspace.run(&tool, APPLY).unwrap();
        assert_eq!(again.code, Some(0), "{what}: the next apply failed\n{}", again.text());
        assert_eq!(account.inventory().unwrap(), whole, "{what}");
        let plan = workspace.run(&tool, &["plan", "-no-color", "-input=false", "-detailed-exitcode"]).unwrap();
        assert_eq!(plan.code, Some(0), "{what}: not settled\n{}", plan.text());
        let destroyed = workspace.run(&tool, &["destroy", "-no-color", "-input=false", "-auto-approve"]).unwrap();
        assert_eq!(destroyed.code, Some(0), "{what}: destroy failed\n{}", destroyed.text());
        assert_eq!(account.inventory().unwrap(), empty, "{what}: something was lost track of");
    }
}

const ROLE: &str = r#"terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

provider "aws" {
  region = "eu-west-1"
}

resource "aws_iam_role" "node" {
  name               = "node"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [] })
}

resource "aws_iam_role_policy" "logs" {
  name   = "logs"
  role   = aws_iam_role.node.name
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "logs:*", Resource = "*" }] })
}
"#;

/// Whoever wrote a policy of the planned name in the meantime keeps it: the next run stops, and names it.
#[test]
fn a_policy_that_somebody_else_wrote_is_not_overwritten_in_recovery() {
    let (tool, account) = setup();
    if tool.is_terraform() {
        return; // it forgets what was in flight
    }
    let proxy = Proxy::start(&account.endpoint).unwrap();
    let mut workspace = Workspace::of(&account, ROLE).unwrap();
    workspace.run(&tool, &["init", "-no-color", "-input=false"]).unwrap().expect(0);
    workspace.set_endpoint(proxy.endpoint());
    proxy.inject(Rule::nth(1, |call| call.action == "PutRolePolicy", Fault::KillBefore));
    let child = workspace.spawn(&tool, APPLY).unwrap();
    proxy.set_victim(child.id());
    assert_eq!(Outcome::wait("apply", child).unwrap().code, None, "not killed");

    let other = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;
    let policy = [("RoleName", "node"), ("PolicyName", "logs")];
    let put = [&policy[..], &[("PolicyDocument", other)]].concat();
    account.query("iam", "PutRolePolicy", &put).unwrap();
    proxy.reset();
    let refused = workspace.run(&tool, APPLY).unwrap().expect(1);
    refused.shows("role = \"node\"").shows("differs from the plan in policy");
    assert!(account.query("iam", "GetRolePolicy", &policy).unwrap().contains("Deny"), "it was overwritten");

    account.query("iam", "DeleteRolePolicy", &policy).unwrap();
    workspace.run(&tool, APPLY).unwrap().expect(0);
}
