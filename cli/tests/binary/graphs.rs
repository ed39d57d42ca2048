//! `graph -type=…` and `-plan=…`, compared with what Terraform draws.

use std::collections::BTreeSet;
use std::process::Command;

use crate::{Folder, text};

const MAIN: &str = r#"
variable "v" {
  default = "x"
  validation {
    condition     = var.v != local.l
    error_message = "it is ${local.l}"
  }
}

locals { l = "y" }

resource "terraform_data" "a" { input = var.v }

resource "terraform_data" "b" {
  count = 2
  input = terraform_data.a.id
}

data "terraform_remote_state" "r" {
  backend    = "local"
  config     = { path = "elsewhere.tfstate" }
  depends_on = [terraform_data.b]
}

module "m" {
  source = "./m"
  in     = terraform_data.b[*].id
}

output "o" { value = module.m.out }

check "c" {
  assert {
    condition     = terraform_data.a.id != ""
    error_message = "it has no id"
  }
}
"#;

const MODULE: &str = r#"
variable "in" {
  validation {
    condition     = length(var.in) > 0
    error_message = "nothing is in it"
  }
}

resource "terraform_data" "x" { input = var.in }

output "out" { value = terraform_data.x.id }
"#;

fn stack() -> Folder {
    let folder = Folder::new(MAIN);
    std::fs::create_dir(folder.path("m")).unwrap();
    folder.write("m/main.tf", MODULE);
    folder.write(
        "elsewhere.tfstate",
        "{\"version\": 4, \"terraform_version\": \"1.11.4\", \"serial\": 1, \"lineage\": \"l\"}",
    );
    assert!(folder.run(&["init"]).status.success());
    folder
}

/// The lines of a graph; what differs between two runs of one tool is their order alone.
fn lines(text: &str) -> BTreeSet<String> {
    text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// A graph as Terraform draws it; none where it is not installed.
fn terraform(folder: &Folder, arguments: &[&str]) -> Option<BTreeSet<String>> {
    let mut command = Command::new("terraform");
    command.args(arguments).current_dir(folder.path("")).env("CHECKPOINT_DISABLE", "1");
    match command.output() {
        Ok(output) => {
            assert!(output.status.success(), "{arguments:?}: {}", text(&output));
            Some(lines(&text(&output)))
        }
        Err(_) => {
            eprintln!("not compared with Terraform, which is not installed");
            None
        }
    }
}

fn windlass(folder: &Folder, arguments: &[&str]) -> BTreeSet<String> {
    let output = folder.run(arguments);
    assert!(output.status.success(), "{}", text(&output));
    lines(&String::from_utf8_lossy(&output.stdout))
}

#[track_caller]
fn assert_same(folder: &Folder, arguments: &[&str]) {
    let drawn = windlass(folder, arguments);
    assert!(drawn.contains("digraph {"), "{drawn:?}");
    let Some(expected) = terraform(folder, arguments) else { return };
    let (more, less): (Vec<_>, Vec<_>) = (drawn.difference(&expected).collect(), expected.difference(&drawn).collect());
    assert!(more.is_empty() && less.is_empty(), "{arguments:?}: only here {more:#?}, only there {less:#?}");
}

#[test]
fn graphs_of_plans_are_those_of_terraform() {
    let folder = stack();
    for kind in ["plan", "plan-refresh-only", "apply"] {
        assert_same(&folder, &["graph", &format!("-type={kind}"), "-draw-cycles"]);
    }
}

#[test]
fn the_graph_of_a_destroy_follows_the_state() {
    let folder = stack();
    assert_same(&folder, &["graph", "-type=plan-destroy"]);
    assert!(folder.run(&["apply", "-auto-approve"]).status.success());
    assert_same(&folder, &["graph", "-type=plan-destroy"]);
}

#[test]
fn the_graph_of_a_saved_plan_has_its_changes() {
    let folder = stack();
    assert!(folder.run(&["plan", "-out=first"]).status.success());
    let drawn = windlass(&folder, &["graph", "-plan=first"]);
    // Terraform reads only its own plan files, so it makes the same plan.
    let make = |name: &str, arguments: &[&str]| {
        let out = format!("-out={name}");
        terraform(&folder, &[&["plan", &out], arguments].concat())?;
        terraform(&folder, &["graph", &format!("-plan={name}")])
    };
    let Some(expected) = make("theirs", &[]) else { return };
    assert_eq!(drawn, expected);
    assert!(folder.run(&["apply", "first"]).status.success());
    assert!(folder.run(&["plan", "-destroy", "-out=gone"]).status.success());
    assert_eq!(Some(windlass(&folder, &["graph", "-plan=gone"])), make("theirs", &["-destroy"]));
    folder.write("main.tf", &MAIN.replace("{ input = var.v }", "{ input = \"z\" }"));
    assert!(folder.run(&["plan", "-out=second"]).status.success());
    assert_eq!(Some(windlass(&folder, &["graph", "-plan=second"])), make("theirs", &[]));
}

#[test]
fn an_unknown_type_and_a_missing_plan_are_errors() {
    let folder = stack();
    for (argument, message) in [("-type=foo", "Unsupported graph type"), ("-plan=none", "no such file or directory")] {
        let output = folder.run(&["graph", argument]);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output).contains(message), "{}", text(&output));
    }
}

/// A state of `stack` and of more: of other resources in its modules, in a module that is gone, deposed objects, data.
fn leftovers(folder: &Folder) {
    assert!(folder.run(&["apply", "-auto-approve"]).status.success());
    let mut state: serde_json::Value = serde_json::from_str(&folder.read("terraform.tfstate")).unwrap();
    state["outputs"]["gone"] = serde_json::json!({"value": "x", "type": "string"});
    let resources = state["resources"].as_array_mut().unwrap();
    let like = |name: &str| resources.iter().find(|resource| resource["name"] == name).unwrap().clone();
    let (single, data) = (like("x"), like("r"));
    let mut add = |like: &serde_json::Value, module: &str, name: &str, key: Option<u32>, deposed: Option<&str>| {
        let mut resource = like.clone();
        resource["name"] = name.into();
        resource.as_object_mut().unwrap().remove("module");
        if !module.is_empty() {
            resource["module"] = module.into();
        }
        let instance = resource["instances"][0].as_object_mut().unwrap();
        key.map(|key| instance.insert("index_key".to_owned(), key.into()));
        deposed.map(|deposed| instance.insert("deposed".to_owned(), deposed.into()));
        resources.push(resource);
    };
    add(&single, "", "gone", Some(1), None);
    add(&single, "", "half", None, Some("12345678"));
    add(&single, "module.m", "gone", None, None);
    add(&single, "module.far[0].module.away", "gone", None, None);
    add(&single, "module.m", "half", None, Some("87654321"));
    add(&data, "", "gone", None, None);
    folder.write("terraform.tfstate", &state.to_string());
}

#[test]
fn what_only_the_state_has_is_drawn_as_by_terraform() {
    let folder = stack();
    leftovers(&folder);
    let drawn = windlass(&folder, &["graph"]);
    for line in [
        r#"subgraph "cluster_module.far.module.away" {"#,
        r#""data.terraform_remote_state.gone" [label="data.terraform_remote_state.gone"];"#,
        r#""module.m.terraform_data.half" [label="terraform_data.half"];"#,
    ] {
        assert!(drawn.contains(line), "{drawn:#?}");
    }
    if let Some(expected) = terraform(&folder, &["graph"]) {
        assert_eq!(drawn, expected);
    }
    for kind in ["plan", "plan-destroy", "apply"] {
        assert_same(&folder, &["graph", &format!("-type={kind}")]);
    }
}

#[test]
fn what_only_the_state_has_is_drawn() {
    let folder = Folder::new("resource \"terraform_data\" \"a\" {}\noutput \"o\" {\n value = 1\n}\n");
    assert!(folder.run(&["apply", "-auto-approve"]).status.success());
    folder.write("main.tf", "");
    let drawn = text(&folder.run(&["graph", "-type=plan"]));
    for line in [
        r#""[root] terraform_data.a (orphan)" [label = "terraform_data.a", shape = "box"]"#,
        r#""[root] terraform_data.a (orphan)" -> "[root] provider[\"terraform.io/builtin/terraform\"]""#,
        r#""[root] output.o (destroy)" [label = "output.o (destroy)", shape = "note"]"#,
    ] {
        assert!(drawn.contains(line), "{drawn}");
    }
}
