//! What tests of states that several runs share have in common.

use localstack_tests::{Tool, Workspace};
use serde_json::Value;

pub const INIT: &[&str] = &["init", "-no-color", "-input=false"];
pub const APPLY: &[&str] = &["apply", "-no-color", "-input=false", "-auto-approve"];
pub const SETTLED: &[&str] = &["plan", "-no-color", "-input=false", "-detailed-exitcode"];

/// The state as it is stored.
pub fn state(workspace: &Workspace, tool: &Tool) -> Value {
    serde_json::from_str(&workspace.run(tool, &["state", "pull"]).unwrap().expect(0).stdout).unwrap()
}

/// What `init` wrote down of the backend.
pub fn record(workspace: &Workspace, tool: &Tool) -> Value {
    let name = tool.program().file_name().unwrap().to_string_lossy().into_owned();
    let file = workspace.path().parent().unwrap().join(format!("data-{name}")).join("terraform.tfstate");
    let document: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    document["backend"].clone()
}

/// Has both programs set up, change and look at the states of a configuration of two resources by turns.
pub fn take_turns(workspace: &Workspace, tool: &Tool, terraform: &Tool, backend: &str) {
    for program in [tool, terraform] {
        workspace
            .run(program, INIT)
            .unwrap()
            .expect(0)
            .shows(&format!("Successfully configured the backend \"{backend}\"!"));
    }
    let mut serial = 0;
    for program in [tool, terraform, tool, terraform] {
        workspace.run(program, APPLY).unwrap().expect(0);
        for reader in [tool, terraform] {
            workspace.run(reader, SETTLED).unwrap().expect(0);
        }
        let now = state(workspace, program)["serial"].as_u64().unwrap();
        assert!(now > serial, "{now} after {serial}");
        serial = now;
        workspace.run(program, &["taint", "-no-color", "terraform_data.r1"]).unwrap().expect(0);
    }
    workspace.run(tool, &["workspace", "new", "ours"]).unwrap().expect(0);
    workspace.run(tool, APPLY).unwrap().expect(0);
    workspace.run(terraform, &["workspace", "select", "ours"]).unwrap().expect(0);
    workspace.run(terraform, SETTLED).unwrap().expect(0);
    workspace.run(terraform, &["workspace", "new", "theirs"]).unwrap().expect(0);
    for program in [tool, terraform] {
        let list = workspace.run(program, &["workspace", "list"]).unwrap().expect(0);
        list.shows("default").shows("ours").shows("theirs");
    }
    workspace.run(tool, &["workspace", "delete", "theirs"]).unwrap().expect(0);
    workspace.run(terraform, &["workspace", "select", "default"]).unwrap().expect(0);
    workspace.run(terraform, &["workspace", "delete", "-force", "ours"]).unwrap().expect(0);
    // Neither of them takes the other's setting up for another backend.
    assert_eq!(record(workspace, tool), record(workspace, terraform));
}
