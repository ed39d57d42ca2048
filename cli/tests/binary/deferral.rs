//! `-allow-deferral`: what can't be planned yet is shown, left out, and completed by the next run.

use serde_json::Value as Json;

use crate::{Folder, text};

const STACK: &str = r#"
resource "terraform_data" "a" {
  input = "x"
}

resource "terraform_data" "b" {
  for_each = toset([terraform_data.a.id])
  input    = "fixed"
}

resource "terraform_data" "c" {
  input = [for b in terraform_data.b : b.id]
}

module "m" {
  source = "./m"
  count  = length(terraform_data.a.id) > 4 ? 1 : 2
}

output "c" {
  value = terraform_data.c.output
}

output "m" {
  value = module.m[*].out
}
"#;

const MODULE: &str = r#"
resource "terraform_data" "x" {
  input = "in module"
}

output "out" {
  value = terraform_data.x.output
}
"#;

fn stack() -> Folder {
    let folder = Folder::new(STACK);
    std::fs::create_dir(folder.path("m")).unwrap();
    folder.write("m/main.tf", MODULE);
    assert!(folder.run(&["init"]).status.success());
    folder
}

#[test]
fn a_plan_shows_what_waits_and_why() {
    let folder = stack();
    assert!(text(&folder.run(&["plan", "-no-color"])).contains("Error: Invalid for_each argument"));
    let planned = folder.run(&["plan", "-no-color", "-allow-deferral"]);
    let shown = text(&planned);
    assert!(planned.status.success(), "{shown}");
    for part in [
        "\nNote: This is a partial plan, parts can only be known in the next plan / apply cycle.\n",
        "\n  # terraform_data.b[*] was deferred\n  # (because the number of resource instances is unknown)\n  + resource",
        "\n  # module.m[*].terraform_data.x[*] was deferred\n",
        "\n  # terraform_data.c was deferred\n  # (because a prerequisite for this resource is deferred)\n",
        "\nPlan: 1 to add, 0 to change, 0 to destroy.\n",
    ] {
        assert!(shown.contains(part), "{part:?} is not in {shown}");
    }
}

#[test]
fn the_documents_of_a_plan_hold_what_is_deferred() {
    let folder = stack();
    assert!(folder.run(&["plan", "-allow-deferral", "-out=p"]).status.success());
    let document: Json = serde_json::from_slice(&folder.run(&["show", "-json", "p"]).stdout).unwrap();
    let deferred = document["deferred_changes"].as_array().unwrap();
    let told: Vec<String> = deferred
        .iter()
        .map(|d| {
            let change = &d["resource_change"];
            format!("{} {} {} {}", d["reason"], change["address"], change["index_unknown"], change["change"]["actions"])
        })
        .collect();
    assert_eq!(
        told,
        [
            r#""instance_count_unknown" "terraform_data.b[*]" true ["create"]"#,
            r#""deferred_prereq" "terraform_data.c" null ["create"]"#,
            r#""instance_count_unknown" "module.m[*].terraform_data.x[*]" true ["create"]"#,
        ]
    );
    assert_eq!((&document["complete"], &document["applyable"]), (&false.into(), &true.into()));
    assert_eq!(document["resource_changes"].as_array().unwrap().len(), 1);
    let stream = text(&folder.run(&["plan", "-json", "-allow-deferral"]));
    let events = stream.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    let events: Vec<Json> = events.filter(|event| event["type"] == "deferred_change").collect();
    assert_eq!(events.len(), 3);
    assert_eq!(events[0]["change"]["reason"], "instance_count_unknown");
    assert_eq!(events[0]["change"]["resource"]["addr"], "terraform_data.b[*]");
}

#[test]
fn a_saved_plan_applies_what_is_known_and_the_next_run_completes() {
    let folder = stack();
    assert!(folder.run(&["plan", "-allow-deferral", "-out=p"]).status.success());
    let first = folder.run(&["apply", "-no-color", "p"]);
    assert!(text(&first).contains("Resources: 1 added, 0 changed, 0 destroyed."), "{}", text(&first));
    let second = folder.run(&["apply", "-no-color", "-auto-approve", "-allow-deferral"]);
    assert!(text(&second).contains("Resources: 3 added, 0 changed, 0 destroyed."), "{}", text(&second));
    assert!(text(&second).contains("m = [\n  \"in module\",\n]"), "{}", text(&second));
    let third = folder.run(&["plan", "-detailed-exitcode"]);
    assert_eq!(third.status.code(), Some(0), "{}", text(&third));
}
