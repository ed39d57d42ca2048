//! Bad input: a diagnostic with its place and the way out, exit 1, and nothing changed on disk.

use std::time::Duration;

use localstack_tests::{Call, Fault, Outcome, Proxy, Rule, Tool, Workspace};

use crate::setup;

const PROVIDER: &str = r#"terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

provider "aws" {
  region      = "eu-west-1"
  max_retries = 1
}

"#;

const NETWORK: &str = r#"resource "aws_vpc" "one" {
  cidr_block = "10.0.0.0/16"
}
"#;

/// `main.tf` with a provider, initialised; then `text` is put into `case.tf`, so that line numbers are the case's own.
fn case(tool: &Tool, account: &localstack_tests::Account, text: &str) -> Workspace {
    let workspace = Workspace::of(account, PROVIDER).unwrap();
    workspace.run(tool, &["init", "-no-color", "-input=false"]).unwrap().expect(0);
    workspace.write("case.tf", text).unwrap();
    workspace
}

/// Runs a command that has to fail, and compares the folder before and after.
fn refused(workspace: &Workspace, tool: &Tool, arguments: &[&str]) -> Outcome {
    let before = workspace.contents().unwrap();
    let outcome = workspace.run(tool, arguments).unwrap().expect(1);
    assert_eq!(workspace.contents().unwrap(), before, "`{}` changed something on disk", outcome.command);
    assert!(outcome.stderr.contains("Error: "), "no diagnostic on stderr:\n{}", outcome.text());
    outcome
}

const PLAN: &[&str] = &["plan", "-no-color", "-input=false"];
const APPLY: &[&str] = &["apply", "-no-color", "-input=false", "-auto-approve"];

/// A configuration that `plan` and `apply` refuse, without a call to the cloud.
#[track_caller]
fn mistake(text: &str, parts: &[&str]) {
    let (tool, account) = setup();
    let workspace = case(&tool, &account, text);
    let proxy = Proxy::start(&account.endpoint).unwrap();
    for arguments in [PLAN, APPLY] {
        let outcome = refused(&workspace, &tool, arguments);
        for part in parts {
            outcome.shows(part);
        }
    }
    assert!(proxy.calls().iter().all(Call::is_read));
}

#[test]
fn syntax_error() {
    mistake("resource \"aws_vpc\" \"one\" {\n  cidr_block =\n}\n", &["Error: Invalid expression", "on case.tf line 2"]);
}

#[test]
fn unknown_attribute() {
    let text = "resource \"aws_vpc\" \"one\" {\n  cidr_block = \"10.0.0.0/16\"\n  colour     = \"red\"\n}\n";
    mistake(
        text,
        &["Error: Unsupported argument", "on case.tf line 3", "An argument named \"colour\" is not expected here."],
    );
}

#[test]
fn wrong_type() {
    let text = "resource \"aws_vpc\" \"one\" {\n  cidr_block           = \"10.0.0.0/16\"\n  enable_dns_hostnames = \"perhaps\"\n}\n";
    mistake(text, &["Error: Incorrect attribute value type", "on case.tf line 3", "a bool is required"]);
}

#[test]
fn a_value_that_the_service_would_refuse() {
    let text =
        "resource \"aws_vpc\" \"one\" {\n  cidr_block       = \"10.0.0.0/8\"\n  instance_tenancy = \"shared\"\n}\n";
    mistake(
        text,
        &[
            "on case.tf line 2",
            "to contain a network Value with between 16 and 28 significant bits, got: 8",
            "on case.tf line 3",
            "expected instance_tenancy to be one of",
        ],
    );
}

#[test]
fn missing_variable() {
    let text =
        "variable \"range\" {\n  type = string\n}\n\nresource \"aws_vpc\" \"one\" {\n  cidr_block = var.range\n}\n";
    mistake(text, &["Error: No value for required variable", "on case.tf line 1", "\"range\" is not set", "-var"]);
}

#[test]
fn reference_to_nothing() {
    let text = "output \"id\" {\n  value = aws_vpc.nowhere.id\n}\n";
    mistake(text, &["Error: Reference to undeclared resource", "on case.tf line 2", "\"aws_vpc\" \"nowhere\""]);
}

#[test]
fn cycle() {
    let text = "resource \"aws_vpc\" \"a\" {\n  cidr_block = aws_vpc.b.cidr_block\n}\n\nresource \"aws_vpc\" \"b\" {\n  cidr_block = aws_vpc.a.cidr_block\n}\n";
    mistake(text, &["Error: Cycle: ", "aws_vpc.a", "aws_vpc.b"]);
}

#[test]
fn unreachable_endpoint() {
    let (tool, account) = setup();
    let mut workspace = case(&tool, &account, NETWORK);
    // a port that was free a moment ago, and which nobody listens on
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = format!("http://127.0.0.1:{port}");
    workspace.set_endpoint(&endpoint).set("AWS_MAX_ATTEMPTS", "1");
    let outcome = refused(&workspace, &tool, PLAN);
    outcome.shows("on main.tf line 9");
    outcome.shows(&endpoint);
    if !tool.is_terraform() {
        outcome.shows("AWS_ENDPOINT_URL");
    }
}

#[test]
fn expired_credentials() {
    let (tool, account) = setup();
    let proxy = Proxy::start(&account.endpoint).unwrap();
    proxy.inject(Rule::every(|_| true, Fault::expired_credentials()));
    let mut workspace = case(&tool, &account, NETWORK);
    workspace.set_endpoint(proxy.endpoint());
    let outcome = refused(&workspace, &tool, PLAN);
    outcome.shows("on main.tf line 9").shows("expired");
    if !tool.is_terraform() {
        assert!(proxy.calls().len() <= 3, "expired credentials don't heal by trying again: {:?}", proxy.calls());
    }
}

#[test]
fn corrupt_state() {
    let (tool, account) = setup();
    let workspace = case(&tool, &account, NETWORK);
    for text in ["{\"version\": 4, \"serial\": 3, \"resour", "not a state at all\n", "{\"version\": 99}\n"] {
        workspace.write("terraform.tfstate", text).unwrap();
        for arguments in [PLAN, APPLY] {
            let outcome = refused(&workspace, &tool, arguments);
            if !tool.is_terraform() {
                outcome.shows("terraform.tfstate");
            }
        }
    }
    let inventory = account.inventory().unwrap();
    assert_eq!(inventory, crate::account().inventory().unwrap(), "the cloud is as empty as a fresh account");
}

#[test]
fn locked_state() {
    let (tool, account) = setup();
    let proxy = Proxy::start(&account.endpoint).unwrap();
    let mut workspace = case(&tool, &account, NETWORK);
    workspace.set_endpoint(proxy.endpoint());
    proxy.inject(Rule::nth(1, Call::is_mutation, Fault::Hold));
    let holder = workspace.spawn(&tool, APPLY).unwrap();
    proxy.wait_for(Call::is_mutation, Duration::from_secs(60)).unwrap();

    let outcome = refused(&workspace, &tool, APPLY);
    outcome.shows("Error: Error acquiring the state lock").shows("Lock Info:").shows("Who:");

    proxy.release();
    Outcome::wait("the holder's apply", holder).unwrap().expect(0);
    workspace.run(&tool, &["plan", "-no-color", "-input=false", "-detailed-exitcode"]).unwrap().expect(0);
}

#[test]
fn every_mistake_of_a_folder_is_reported_in_one_run() {
    let (tool, account) = setup();
    let text = "output \"a\" {\n  value = aws_vpc.nowhere.id\n}\n\noutput \"b\" {\n  value = var.missing\n}\n\noutput \"c\" {\n  value = local.missing\n}\n";
    let workspace = case(&tool, &account, text);
    let outcome = refused(&workspace, &tool, PLAN);
    for line in [2, 6, 10] {
        outcome.shows(&format!("on case.tf line {line}"));
    }
}

#[test]
fn a_region_that_there_is_not() {
    let region = |arguments: &str| format!("data \"aws_region\" \"r\" {{\n{arguments}}}\n");
    for (arguments, summary) in [
        ("  name = \"mars-1\"\n", "Error: finding Region by name (mars-1)"),
        ("  name = \"\"\n", "Error: finding Region by name ()"),
        (
            "  endpoint = \"ec2.cn-north-1.amazonaws.com\"\n",
            "Error: finding Region by endpoint (ec2.cn-north-1.amazonaws.com)",
        ),
        (
            "  endpoint = \"ec2.cn-north-1.amazonaws.com.cn\"\n  name     = \"eu-west-1\"\n",
            "Error: multiple Regions matched",
        ),
    ] {
        mistake(&region(arguments), &[summary, "on case.tf line 1, in data \"aws_region\" \"r\""]);
    }
}

/// A region that is only known after an apply is not the region of the environment.
#[test]
fn a_provider_that_is_not_known_yet_plans_without_a_call() {
    let (tool, account) = setup();
    if tool.is_terraform() {
        return; // it takes the region of the environment
    }
    let proxy = Proxy::start(&account.endpoint).unwrap();
    let text = "resource \"terraform_data\" \"region\" {\n  input = \"eu-west-1\"\n}\n\nprovider \"aws\" {\n  alias  = \"later\"\n  region = terraform_data.region.output\n}\n\nresource \"aws_vpc\" \"one\" {\n  provider   = aws.later\n  cidr_block = \"10.0.0.0/16\"\n}\n\ndata \"aws_region\" \"later\" {\n  provider = aws.later\n}\n";
    let mut workspace = case(&tool, &account, text);
    workspace.set_endpoint(proxy.endpoint()).set("AWS_REGION", "us-east-1");
    workspace.run(&tool, PLAN).unwrap().expect(0).shows("Plan: 2 to add");
    assert!(proxy.calls().is_empty(), "{:?}", proxy.calls());
    workspace.run(&tool, APPLY).unwrap().expect(0);
    workspace.run(&tool, &["plan", "-no-color", "-input=false", "-detailed-exitcode"]).unwrap().expect(0);
}
