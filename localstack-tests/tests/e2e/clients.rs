//! Programs that teams run instead of the `terraform` command, or on what it writes. They come from PyPI, pinned, into the
//! cache; where they can't be installed the tests are skipped.

use localstack_tests::emulator::cache_dir;
use localstack_tests::python::PythonEnvironment;
use localstack_tests::{Account, Outcome, Tool, Workspace};
use serde_json::Value as Json;

use crate::setup;

const REQUIREMENTS: &str = include_str!("../../clients/requirements.txt");
const CHECKOV: &str = include_str!("../../clients/checkov.txt");

const MAIN: &str = r#"
variable "cidr" {
  default = "10.0.0.0/16"
}
resource "aws_vpc" "main" {
  cidr_block = var.cidr
  tags       = { Name = "main" }
}
resource "aws_security_group" "open" {
  name   = "open"
  vpc_id = aws_vpc.main.id
  ingress {
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
output "cidr" {
  value = aws_vpc.main.cidr_block
}
"#;

/// The clients, or a message why not.
fn environment(name: &str, requirements: &str) -> Option<PythonEnvironment> {
    let environment = PythonEnvironment::ensure(&cache_dir().join("clients"), name, requirements);
    environment.inspect_err(|error| eprintln!("skipped: {name} can't be installed: {}", error.full())).ok()
}

/// The binary under test, an account and a folder with a configuration.
fn stack() -> (Tool, Account, Workspace) {
    let (tool, account) = setup();
    let workspace = Workspace::of(&account, MAIN).unwrap();
    (tool, account, workspace)
}

/// Runs a Python program with arguments.
fn run(workspace: &Workspace, environment: &PythonEnvironment, arguments: &[&str]) -> Outcome {
    workspace.run(&Tool::at(environment.python()).unwrap(), arguments).unwrap()
}

/// Plans into a file and writes it as JSON to `plan.json`.
fn plan_json(workspace: &Workspace, tool: &Tool) {
    workspace.run(tool, &["init", "-no-color", "-input=false"]).unwrap().expect(0);
    workspace.run(tool, &["plan", "-no-color", "-input=false", "-out=saved"]).unwrap().expect(0);
    let shown = workspace.run(tool, &["show", "-json", "saved"]).unwrap().expect(0);
    workspace.write("plan.json", &shown.stdout).unwrap();
}

#[test]
fn tflocal_applies_and_destroys() {
    let Some(clients) = environment("clients", REQUIREMENTS) else { return };
    let (tool, account, mut workspace) = stack();
    let empty = account.inventory().unwrap();
    let program = tool.program().display().to_string();
    workspace.set("TF_CMD", &program).set("CUSTOMIZE_ACCESS_KEY", "1");
    let script = clients.script("tflocal").display().to_string();
    let tflocal =
        |arguments: &[&str]| run(&workspace, &clients, &[&[script.as_str()][..], arguments].concat()).expect(0);
    tflocal(&["init", "-no-color", "-input=false"]);
    tflocal(&["apply", "-no-color", "-input=false", "-auto-approve"]).shows("2 added");
    assert_ne!(account.inventory().unwrap(), empty);
    tflocal(&["plan", "-no-color", "-input=false"]).shows("No changes.");
    tflocal(&["destroy", "-no-color", "-input=false", "-auto-approve"]).shows("2 destroyed");
    assert_eq!(account.inventory().unwrap(), empty);
}

#[test]
fn tftest_reads_plans_outputs_and_states() {
    let Some(clients) = environment("clients", REQUIREMENTS) else { return };
    let (tool, account, workspace) = stack();
    let empty = account.inventory().unwrap();
    let script = r#"
import sys, tftest
given = {"cidr": "10.9.0.0/16"}
tf = tftest.TerraformTest(sys.argv[1], binary=sys.argv[2])
tf.setup(cleanup_on_exit=False)
plan = tf.plan(output=True, tf_vars=given)
assert plan.variables["cidr"] == "10.9.0.0/16", plan.variables
assert plan.outputs["cidr"] == "10.9.0.0/16", plan.outputs
assert plan.resources["aws_vpc.main"]["values"]["tags"] == {"Name": "main"}, plan.resources
assert plan.resource_changes["aws_vpc.main"]["change"]["actions"] == ["create"]
tf.apply(tf_vars=given)
assert tf.output()["cidr"] == "10.9.0.0/16"
state = tf.state_pull()
assert state.outputs["cidr"] == "10.9.0.0/16" and "None.aws_vpc.main" in state.resources, state.resources
tf.destroy(tf_vars=given)
"#;
    workspace.write("test.py", script).unwrap();
    let (folder, program) = (workspace.path().display().to_string(), tool.program().display().to_string());
    run(&workspace, &clients, &["test.py", &folder, &program]).expect(0);
    assert_eq!(account.inventory().unwrap(), empty);
}

#[test]
fn terraform_compliance_checks_plans() {
    let Some(clients) = environment("clients", REQUIREMENTS) else { return };
    let (tool, _, workspace) = stack();
    plan_json(&workspace, &tool);
    let feature = r"
Feature: networks
  Scenario: VPCs have names
    Given I have aws_vpc defined
    Then it must contain tags
    And it must contain Name
  Scenario: nobody reaches ssh
    Given I have aws_security_group defined
    When it has ingress
    Then it must have ingress
    Then it must not have tcp protocol and port 22 for 0.0.0.0/0
";
    workspace.write("features/networks.feature", feature).unwrap();
    let checked =
        run(&workspace, &clients, &["-m", "terraform_compliance", "-f", "features", "-p", "plan.json"]).expect(1);
    assert!(checked.stdout.contains("tcp/22 port is defined within 0.0.0.0/0 network"), "{}", checked.text());
    workspace.write("main.tf", &MAIN.replace("0.0.0.0/0", "10.0.0.0/8")).unwrap();
    plan_json(&workspace, &tool);
    run(&workspace, &clients, &["-m", "terraform_compliance", "-f", "features", "-p", "plan.json"]).expect(0);
}

#[test]
fn checkov_checks_plans_and_configurations() {
    let Some(checkov) = environment("checkov", CHECKOV) else { return };
    let (tool, _, workspace) = stack();
    plan_json(&workspace, &tool);
    for what in [["-f", "plan.json"], ["-d", "."]] {
        let arguments = [&["-m", "checkov.main", "-o", "json", "--quiet", "--skip-download"][..], &what[..]].concat();
        let framework = if what[0] == "-f" { "terraform_plan" } else { "terraform" };
        let checked = run(&workspace, &checkov, &[&arguments[..], &["--framework", framework][..]].concat()).expect(1);
        let report: Json = serde_json::from_str(&checked.stdout).unwrap();
        assert_eq!((&report["check_type"], &report["summary"]["parsing_errors"]), (&framework.into(), &0.into()));
        let failed = report["results"]["failed_checks"].as_array().unwrap();
        let open = |check: &&Json| check["check_id"] == "CKV_AWS_24" && check["resource"] == "aws_security_group.open";
        assert!(failed.iter().any(|check| open(&check)), "{report:#}");
    }
}

#[test]
fn terraform_shows_a_state_that_windlass_wrote() {
    let Some(terraform) = Tool::terraform() else {
        eprintln!("skipped: no terraform with a provider mirror (TF_CLI_CONFIG_FILE)");
        return;
    };
    let (tool, _, workspace) = stack();
    workspace.run(&tool, &["init", "-no-color", "-input=false"]).unwrap().expect(0);
    workspace.run(&tool, &["apply", "-no-color", "-input=false", "-auto-approve"]).unwrap().expect(0);
    workspace.run(&terraform, &["init", "-no-color", "-input=false"]).unwrap().expect(0);
    let show = |tool: &Tool| -> Json {
        let shown = workspace.run(tool, &["show", "-json"]).unwrap().expect(0);
        serde_json::from_str(&shown.stdout).unwrap()
    };
    assert_eq!(show(&terraform), show(&tool));
}
