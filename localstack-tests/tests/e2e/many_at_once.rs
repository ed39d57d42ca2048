//! Many runs on one state.

use localstack_tests::{Outcome, Postgres, StateServer, Tool, Workspace};
use serde_json::Value;

use crate::locks::{
    APPLY, INIT, Site, bucket, cloud_storage, configuration, http, in_account, postgres, release, shared_storage,
};
use crate::setup;

const WRITERS: usize = 20;
const RUNNERS: usize = 8;

fn state(workspace: &Workspace, tool: &Tool) -> Value {
    serde_json::from_str(&workspace.run(tool, &["state", "pull"]).unwrap().expect(0).stdout).unwrap()
}

/// A resource for each writer.
fn things() -> String {
    (0..WRITERS).map(|number| format!("resource \"terraform_data\" \"r{number}\" {{}}\n")).collect()
}

fn twenty_taints_are_kept(tool: &Tool, workspace: &Workspace) {
    workspace.run(tool, INIT).unwrap().expect(0);
    workspace.run(tool, APPLY).unwrap().expect(0);
    let before = state(workspace, tool)["serial"].as_u64().unwrap();
    let taint = |number: usize| {
        let address = format!("terraform_data.r{number}");
        workspace.start(tool, &["taint", "-no-color", "-lock-timeout=300s", &address]).unwrap()
    };
    let writers: Vec<_> = (0..WRITERS).map(taint).collect();
    for writer in writers {
        Outcome::wait("taint", writer).unwrap().expect(0);
    }
    let after = state(workspace, tool);
    assert_eq!(after["serial"].as_u64(), Some(before + WRITERS as u64));
    let resources = after["resources"].as_array().unwrap();
    let statuses: Vec<&Value> = resources.iter().map(|resource| &resource["instances"][0]["status"]).collect();
    assert_eq!(statuses, [&Value::from("tainted"); WRITERS]);
}

#[test]
fn twenty_taints_of_a_file_are_kept() {
    twenty_taints_are_kept(&setup().0, &configuration("", &things()));
}

#[test]
fn twenty_taints_over_http_are_kept() {
    let service = StateServer::start().unwrap();
    for renews in [false, true] {
        service.kept().renews = renews;
        service.kept().state = None;
        twenty_taints_are_kept(&setup().0, &configuration(&http(&service), &things()));
    }
}

#[test]
fn twenty_taints_in_a_database_are_kept() {
    let Some(server) = Postgres::start().unwrap() else { return };
    twenty_taints_are_kept(&setup().0, &configuration(&postgres(server.port), &things()));
}

#[test]
fn twenty_taints_in_s3_are_kept() {
    let (tool, _) = setup();
    if tool.is_terraform() {
        return; // it waits up to 16 seconds between two attempts, and all that would be measured is that
    }
    for locks in
        ["use_lockfile = true", "dynamodb_table = \"locks\"", "use_lockfile = true\n    dynamodb_table = \"locks\""]
    {
        let account = crate::account();
        twenty_taints_are_kept(&tool, &in_account(&account, &bucket(&account, locks), &things()));
    }
}

#[test]
fn twenty_taints_in_cloud_storage_are_kept() {
    let (tool, _) = setup();
    if tool.is_terraform() {
        return; // it refuses some
    }
    twenty_taints_are_kept(&tool, &cloud_storage(shared_storage(), &things()));
}

/// Every apply waits in the middle of its work until all of them are there.
#[test]
fn disjoint_applies_run_side_by_side() {
    let (tool, _) = setup();
    if tool.is_terraform() {
        return; // it locks the whole state
    }
    let Some(server) = Postgres::start().unwrap() else { return };
    let site = Site::open();
    let mut resources = "output \"first\" {\n  value = terraform_data.r0.id\n}\n".to_owned();
    for number in 0..RUNNERS {
        resources.push_str(&site.resource(&format!("r{number}")));
    }
    let runners: Vec<Workspace> = (0..RUNNERS).map(|_| configuration(&postgres(server.port), &resources)).collect();
    for runner in &runners {
        runner.run(&tool, INIT).unwrap().expect(0);
    }
    let apply = |number: usize, runner: &Workspace| {
        let target = format!("-target=terraform_data.r{number}");
        let arguments = [APPLY, &["-lock-timeout=300s", &target]].concat();
        runner.start(&tool, &arguments).unwrap()
    };
    let applies: Vec<_> = runners.iter().enumerate().map(|(number, runner)| apply(number, runner)).collect();
    let workers: Vec<_> = (0..RUNNERS).map(|_| site.arrival()).collect();
    // Nobody can have the whole state meanwhile, but anybody can plan.
    let runner = &runners[0];
    runner.run(&tool, &["state", "rm", "-lock-timeout=0s", "terraform_data.r1"]).unwrap().expect(1);
    runner.run(&tool, &["plan", "-no-color", "-input=false"]).unwrap().expect(0);
    if let Some(terraform) = Tool::terraform() {
        runner.run(&terraform, INIT).unwrap().expect(0);
        let refused = runner.run(&terraform, &["plan", "-no-color", "-input=false"]).unwrap().expect(1);
        refused.shows("Workspace is already locked: default");
    }
    // What one of them is at, no other gets.
    let second = runners[1].run(&tool, &[APPLY, &["-target=terraform_data.r0"]].concat()).unwrap().expect(1);
    second.shows("terraform_data.r0").shows("locked by another run");
    workers.into_iter().for_each(release);
    for apply in applies {
        Outcome::wait("apply", apply).unwrap().expect(0).shows("1 added, 0 changed, 0 destroyed");
    }
    let after = state(runner, &tool);
    assert_eq!(after["resources"].as_array().unwrap().len(), RUNNERS);
    assert_eq!(after["outputs"]["first"]["value"], after["resources"][0]["instances"][0]["attributes"]["id"]);
    for program in [Some(tool), Tool::terraform()].into_iter().flatten() {
        runner.run(&program, &["plan", "-no-color", "-input=false", "-detailed-exitcode"]).unwrap().expect(0);
    }
}

#[test]
fn a_saved_plan_is_applied_beside_others_unless_they_changed_what_it_is_about() {
    let (tool, _) = setup();
    if tool.is_terraform() {
        return; // any change makes its plans stale
    }
    let Some(server) = Postgres::start().unwrap() else { return };
    let resources = "resource \"terraform_data\" \"a\" {}\nresource \"terraform_data\" \"b\" {}\n";
    let workspace = configuration(&postgres(server.port), resources);
    workspace.run(&tool, INIT).unwrap().expect(0);
    let run = |arguments: &[&str], code| workspace.run(&tool, arguments).unwrap().expect(code);
    // Before there is a state, too.
    run(&["plan", "-no-color", "-out=first"], 0);
    run(&["apply", "-no-color", "first"], 0).shows("2 added");
    run(&["taint", "terraform_data.a"], 0);
    run(&["plan", "-no-color", "-out=of-a"], 0);
    run(&["taint", "terraform_data.b"], 0);
    run(&["apply", "-no-color", "of-a"], 0).shows("1 added, 0 changed, 1 destroyed");
    run(&["plan", "-no-color", "-out=of-b"], 0);
    run(&["untaint", "terraform_data.b"], 0);
    run(&["apply", "-no-color", "of-b"], 1).shows("Saved plan is stale").shows("- terraform_data.b");
    run(&["plan", "-no-color", "-detailed-exitcode"], 0);
}
