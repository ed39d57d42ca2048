//! States in Cloud Storage: by turns with Terraform, and under each other's locks.

use std::fmt::Write;

use localstack_tests::{CloudStorage, Tool, Workspace};

use crate::shared_states::{APPLY, INIT, SETTLED, record, state, take_turns};
use crate::tool;

/// A configuration whose state is in a bucket of its own, with this many resources.
fn configuration(resources: usize) -> Workspace {
    let storage = CloudStorage::shared().unwrap_or_else(|error| panic!("{}", error.full()));
    let bucket = storage.make_bucket().unwrap();
    let mut text =
        format!("terraform {{\n  backend \"gcs\" {{\n    bucket = {bucket:?}\n    prefix = \"a/b\"\n  }}\n}}\n");
    for number in 0..resources {
        writeln!(text, "resource \"terraform_data\" \"r{number}\" {{\n  input = {number}\n}}").unwrap();
    }
    let mut workspace = Workspace::offline().unwrap();
    workspace.write("main.tf", &text).unwrap();
    let (name, value) = storage.environment();
    workspace.set(name, value);
    workspace
}

#[test]
fn a_state_is_shared_with_terraform() {
    let tool = tool();
    let Some(terraform) = Tool::terraform() else {
        eprintln!("skipped: no Terraform");
        return;
    };
    let workspace = configuration(2);
    take_turns(&workspace, &tool, &terraform, "gcs");
}

#[test]
fn a_lock_of_somebody_else_keeps_out() {
    let tool = tool();
    let workspace = configuration(1);
    workspace.run(&tool, INIT).unwrap().expect(0);
    let lock = r#"{"ID":"5d4f","Operation":"OperationTypeApply","Info":"","Who":"you@there","Version":"1.11.4","Created":"2026-01-02T03:04:05.000000006Z","Path":"x"}"#;
    let storage = CloudStorage::shared().unwrap();
    let bucket = record(&workspace, &tool)["config"]["bucket"].as_str().unwrap().to_owned();
    storage.put_object(&bucket, "a/b/default.tflock", lock).unwrap();
    let refused = workspace.run(&tool, APPLY).unwrap().expect(1);
    refused.shows("Error acquiring the state lock").shows("Error 412").shows("Who:       you@there");
    let text = refused.text();
    let id = text.split("ID: ").nth(1).unwrap().split_whitespace().next().unwrap();
    assert!(id.parse::<i64>().is_ok(), "{text}");
    workspace.run(&tool, &["force-unlock", "-force", "5d4f"]).unwrap().expect(1).shows("should be numerical");
    workspace.run(&tool, &["force-unlock", "-force", id]).unwrap().expect(0);
    workspace.run(&tool, APPLY).unwrap().expect(0);
}

#[test]
fn an_encrypted_state_can_not_be_read_in_the_bucket() {
    let tool = tool();
    if tool.is_terraform() {
        return; // it encrypts nothing
    }
    let mut workspace = configuration(1);
    let encryption = r#"
        key_provider "pbkdf2" "k" {
          passphrase = "correct horse battery staple"
          iterations = 200000
        }
        method "aes_gcm" "m" { keys = key_provider.pbkdf2.k }
        state {
          method   = method.aes_gcm.m
          enforced = true
        }"#;
    workspace.set("TF_ENCRYPTION", encryption);
    workspace.run(&tool, INIT).unwrap().expect(0);
    workspace.run(&tool, APPLY).unwrap().expect(0);
    workspace.run(&tool, SETTLED).unwrap().expect(0);
    let bucket = record(&workspace, &tool)["config"]["bucket"].as_str().unwrap().to_owned();
    let stored = CloudStorage::shared().unwrap().object(&bucket, "a/b/default.tfstate").unwrap();
    assert!(stored["encrypted_data"].is_string() && stored.get("resources").is_none(), "{stored}");
    assert_eq!(state(&workspace, &tool)["resources"][0]["name"], "r0");
}
