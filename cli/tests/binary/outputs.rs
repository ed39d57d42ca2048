//! Outputs of called modules.

use crate::{Folder, text};

/// A root with one module `m`.
fn calling(root: &str, module: &str) -> Folder {
    let folder = Folder::new(&format!("module \"m\" {{\n  source = \"./m\"\n}}\n{root}"));
    std::fs::create_dir(folder.path("m")).unwrap();
    folder.write("m/main.tf", module);
    assert!(folder.run(&["init"]).status.success());
    folder
}

#[test]
fn a_sensitive_output_of_a_module_marks_nothing_in_its_caller() {
    let root = "resource \"terraform_data\" \"a\" {\n  input = module.m.s\n}\n";
    let folder = calling(root, "output \"s\" {\n  value     = 7\n  sensitive = true\n}\n");
    let applied = folder.run(&["apply", "-auto-approve", "-no-color"]);
    assert!(applied.status.success(), "{}", text(&applied));
    // Terraform would plan to take the mark away again.
    let state: serde_json::Value = serde_json::from_str(&folder.read("terraform.tfstate")).unwrap();
    let instance = &state["resources"][0]["instances"][0];
    assert_eq!(instance["sensitive_attributes"], serde_json::json!([]), "{instance}");
}

#[test]
fn a_sensitive_value_stays_so_on_its_way_out_of_a_module() {
    let variable = "variable \"v\" {\n  sensitive = true\n  default   = \"hush\"\n}\n";
    let folder = calling(
        "output \"o\" {\n  value = module.m.s\n}\n",
        &format!("{variable}output \"s\" {{\n  value = var.v\n}}\n"),
    );
    let told = text(&folder.run(&["plan", "-no-color"]));
    assert!(told.contains("Error: Output refers to sensitive values") && !told.contains("hush"), "{told}");
}

#[test]
fn an_ephemeral_output_has_an_ephemeral_value() {
    let variable = "variable \"v\" {\n  ephemeral = true\n  default   = 1\n}\n";
    let output = |value: &str| format!("{variable}output \"e\" {{\n  value     = {value}\n  ephemeral = true\n}}\n");
    for value in ["2", "[1, var.v]"] {
        let told = text(&calling("", &output(value)).run(&["validate", "-no-color"]));
        assert!(told.contains("Error: Value not allowed in ephemeral output"), "{value}: {told}");
    }
    let valid = calling("", &output("var.v")).run(&["validate", "-no-color"]);
    assert!(valid.status.success(), "{}", text(&valid));
}
