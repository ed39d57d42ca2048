//! States in S3: by turns with Terraform, and under each other's locks.

use std::fmt::Write;

use localstack_tests::{Account, Tool, Workspace};
use serde_json::Value;

use crate::setup;
use crate::shared_states::{APPLY, INIT, SETTLED, record, take_turns};

/// A configuration whose state is in a bucket of the account, with this many resources.
fn configuration(account: &Account, resources: usize, locks: &str) -> Workspace {
    let bucket = account.make_bucket().unwrap();
    account.make_lock_table("locks").unwrap();
    let mut text = format!(
        "terraform {{\n  backend \"s3\" {{\n    bucket = {bucket:?}\n    key = \"a/b.tfstate\"\n    use_path_style = \
         true\n{locks}  }}\n}}\n"
    );
    for number in 0..resources {
        writeln!(text, "resource \"terraform_data\" \"r{number}\" {{\n  input = {number}\n}}").unwrap();
    }
    Workspace::of(account, &text).unwrap()
}

const FILE: &str = "    use_lockfile = true\n";
const TABLE: &str = "    dynamodb_table = \"locks\"\n";

#[test]
fn a_state_is_shared_with_terraform() {
    let (tool, _) = setup();
    let Some(terraform) = Tool::terraform() else {
        eprintln!("skipped: no Terraform");
        return;
    };
    let both = format!("{FILE}{TABLE}");
    for locks in [FILE, TABLE, &both] {
        let account = crate::account();
        let workspace = configuration(&account, 2, locks);
        take_turns(&workspace, &tool, &terraform, "s3");
    }
}

/// A workspace that the environment names begins to exist when its state is first asked for, whatever for.
#[test]
fn a_workspace_is_made_by_whoever_opens_its_state() {
    let (tool, account) = setup();
    let mut workspace = configuration(&account, 1, FILE);
    let bucket = format!("bucket-{}", account.id);
    for (number, program) in std::iter::once(tool).chain(Tool::terraform()).enumerate() {
        workspace.run(&program, INIT).unwrap().expect(0);
        let mut made = Vec::new();
        for (command, code) in [("plan", 0), ("show", 0), ("providers", 0), ("validate", 0)] {
            let name = format!("{command}-{number}");
            workspace.set("TF_WORKSPACE", &name);
            workspace.run(&program, &[command, "-no-color"]).unwrap().expect(code);
            let key = format!("env:/{name}/a/b.tfstate");
            if account.objects(&bucket).unwrap().contains(&key) {
                let state = account.get("s3", &format!("/{bucket}/{key}")).unwrap();
                assert_eq!((&state["serial"], &state["resources"]), (&Value::from(1), &Value::from(Vec::<u8>::new())));
                made.push(command);
            }
        }
        assert_eq!(made, ["plan", "show", "providers"], "{}", program.program().display());
        workspace.set("TF_WORKSPACE", "");
    }
}

#[test]
fn arguments_of_the_command_line_are_terraforms() {
    let (tool, account) = setup();
    let bucket = account.make_bucket().unwrap();
    let main = "terraform {\n  backend \"s3\" {}\n}\nresource \"terraform_data\" \"r0\" {}\n";
    let workspace = Workspace::of(&account, main).unwrap();
    let endpoints = format!("endpoints = {{ s3 = \"{0}\", sts = \"{0}\" }}\nuse_path_style = true\n", account.endpoint);
    workspace.write("s3.tfbackend", &endpoints).unwrap();
    let arguments = [
        format!("-backend-config=bucket={bucket}"),
        "-backend-config=key=k".to_owned(),
        format!("-backend-config=allowed_account_ids=[{:?}]", account.id),
        "-backend-config=s3.tfbackend".to_owned(),
    ];
    let arguments: Vec<&str> = INIT.iter().copied().chain(arguments.iter().map(String::as_str)).collect();
    workspace.run(&tool, &arguments).unwrap().expect(0);
    workspace.run(&tool, APPLY).unwrap().expect(0);
    let ours = record(&workspace, &tool);
    assert_eq!(ours["config"]["endpoints"]["s3"], account.endpoint.as_str());
    if let Some(terraform) = Tool::terraform() {
        workspace.run(&terraform, &arguments).unwrap().expect(0);
        workspace.run(&terraform, SETTLED).unwrap().expect(0);
        assert_eq!(record(&workspace, &terraform), ours);
    }
    let refused = workspace.run(&tool, &["init", "-no-color", "-backend-config=role_arn=x"]).unwrap().expect(1);
    refused
        .shows("Invalid backend configuration argument")
        .shows("\"role_arn\" given on the command line is not expected");
    workspace
        .write("main.tf", "terraform {\n  backend \"s3\" {\n    bucket = \"b\"\n    key = \"/k\"\n  }\n}\n")
        .unwrap();
    let refused = workspace.run(&tool, &["init", "-no-color", "-reconfigure"]).unwrap().expect(1);
    refused.shows("Invalid Value").shows("on main.tf line 4").shows("The value must not start or end with \"/\"");
}

#[test]
fn a_lock_of_somebody_else_keeps_out() {
    let (tool, account) = setup();
    let workspace = configuration(&account, 1, FILE);
    workspace.run(&tool, INIT).unwrap().expect(0);
    let lock = r#"{"ID":"5d4f","Operation":"OperationTypeApply","Info":"","Who":"you@there","Version":"1.11.4","Created":"2026-01-02T03:04:05.000000006Z","Path":"x/a/b.tfstate"}"#;
    let bucket = format!("bucket-{}", account.id);
    account.put_object(&bucket, "a/b.tfstate.tflock", lock).unwrap();
    let refused = workspace.run(&tool, APPLY).unwrap().expect(1);
    refused.shows("Error acquiring the state lock").shows("StatusCode: 412").shows("PreconditionFailed");
    refused
        .shows("ID:        5d4f")
        .shows("Who:       you@there")
        .shows("Created: 2026-01-02 03:04:05.000000006 +0000 UTC");
    let other = workspace.run(&tool, &["force-unlock", "-force", "abc"]).unwrap().expect(1);
    other.shows("lock ID 'abc' does not match the existing lock ID '5d4f'").shows("Who:       you@there");
    workspace.run(&tool, &["force-unlock", "-force", "5d4f"]).unwrap().expect(0);
    workspace.run(&tool, APPLY).unwrap().expect(0);
}
