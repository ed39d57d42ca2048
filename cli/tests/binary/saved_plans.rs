//! Plans that are saved here and applied later, or elsewhere.

use crate::{Folder, text};

const PAIR: &str = r#"
variable "a" { default = 1 }
variable "b" { default = 1 }
resource "terraform_data" "a" { input = var.a }
resource "terraform_data" "b" { input = var.b }
resource "terraform_data" "on_a" { input = terraform_data.a.output }
"#;

const SECRET: &str = r#"
variable "pin" {
  default   = "hush-hush"
  sensitive = true
}
resource "terraform_data" "a" { input = var.pin }
"#;

fn pair() -> Folder {
    let folder = Folder::new(PAIR);
    assert!(folder.run(&["apply", "-auto-approve"]).status.success());
    folder
}

#[test]
fn a_plan_outlives_changes_to_what_it_neither_touches_nor_reads() {
    let folder = pair();
    assert!(folder.run(&["plan", "-var=a=2", "-out=p"]).status.success());
    let other = folder.run(&["apply", "-auto-approve", "-var=b=7", "-target=terraform_data.b"]);
    assert!(other.status.success(), "{}", text(&other));
    let applied = folder.run(&["apply", "-no-color", "p"]);
    assert!(applied.status.success(), "{}", text(&applied));
    let again = folder.run(&["plan", "-detailed-exitcode", "-var=a=2", "-var=b=7"]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again));
}

#[test]
fn a_plan_is_stale_when_what_it_reads_has_changed() {
    let folder = pair();
    assert!(folder.run(&["plan", "-replace=terraform_data.on_a", "-out=p"]).status.success());
    let other = folder.run(&["apply", "-auto-approve", "-var=a=5", "-target=terraform_data.a"]);
    assert!(other.status.success(), "{}", text(&other));
    let applied = folder.run(&["apply", "-no-color", "p"]);
    assert_eq!(applied.status.code(), Some(1));
    assert!(text(&applied).contains("Saved plan is stale"), "{}", text(&applied));
    assert!(text(&applied).contains("terraform_data.a"), "{}", text(&applied));
}

#[test]
fn a_plan_is_applied_once() {
    let folder = pair();
    assert!(folder.run(&["plan", "-var=a=2", "-out=p"]).status.success());
    assert!(folder.run(&["apply", "p"]).status.success());
    assert!(text(&folder.run(&["apply", "-no-color", "p"])).contains("Saved plan is stale"));
}

#[test]
fn a_sealed_plan_without_its_key_says_the_ways_out() {
    let folder = Folder::new(SECRET);
    assert!(folder.run(&["plan", "-out=p"]).status.success());
    assert!(!String::from_utf8_lossy(&std::fs::read(folder.path("p")).unwrap()).contains("hush-hush"));
    std::fs::remove_file(folder.path(".terraform/windlass-plan.key")).unwrap();
    let applied = folder.run(&["apply", "-no-color", "p"]);
    let printed = text(&applied).replace('\n', " ");
    assert_eq!(applied.status.code(), Some(1), "{printed}");
    for way in ["windlass-plan.key", "WINDLASS_PLAN_KEY", "-sensitive-in-clear"] {
        assert!(printed.contains(way), "{way} is not in:\n{printed}");
    }
}

#[test]
fn a_plan_in_clear_is_applied_without_a_key() {
    for arguments in [&["plan", "-no-color", "-sensitive-in-clear", "-out=p"][..], &["plan", "-no-color", "-out=p"]] {
        let folder = Folder::new(SECRET);
        let mut plan = folder.command(arguments);
        if arguments.len() == 3 {
            plan.env("WINDLASS_PLAN_CLEAR", "1");
        }
        let planned = plan.output().unwrap();
        assert!(text(&planned).contains("Sensitive values in clear"), "{}", text(&planned));
        assert!(!folder.path(".terraform/windlass-plan.key").exists());
        let applied = folder.run(&["apply", "p"]);
        assert!(applied.status.success(), "{}", text(&applied));
    }
}

#[test]
fn destruction_and_drift_have_exit_codes_of_their_own() {
    let folder = pair();
    let code = |arguments: &[&str]| folder.run(arguments).status.code();
    let asked = ["plan", "-detailed-exitcode", "-exit-code-for=destroy", "-exit-code-for=drift"];
    assert_eq!(code(&asked), Some(0));
    assert_eq!(code(&[&asked[..], &["-var=a=2"]].concat()), Some(2));
    assert_eq!(code(&[&asked[..], &["-replace=terraform_data.b"]].concat()), Some(3));
    assert_eq!(code(&["plan", "-exit-code-for=drift", "-replace=terraform_data.b"]), Some(0));
}

#[test]
fn ephemeral_variables_of_a_plan_are_given_again_and_no_others() {
    let variables =
        "variable \"e\" {\n ephemeral = true\n}\nvariable \"opt\" {\n ephemeral = true\n default = \"d\"\n}\n";
    let command = "command = \"test ${var.e}${var.opt} = 3d\"";
    let folder = Folder::new(&format!(
        "{variables}resource \"terraform_data\" \"r\" {{\n provisioner \"local-exec\" {{\n {command}\n }}\n}}\n"
    ));
    assert!(folder.run(&["plan", "-var=e=1", "-out=p"]).status.success());
    let fails = |arguments: &[&str], summary: &str| {
        let applied = folder.run(arguments);
        assert!(!applied.status.success() && text(&applied).contains(summary), "{}", text(&applied));
    };
    fails(&["apply", "-no-color", "p"], "No value for required variable");
    fails(&["apply", "-no-color", "-var=e=3", "-var=opt=x", "p"], "Ephemeral variable was not set during planning");
    let applied = folder.run(&["apply", "-no-color", "-var=e=3", "p"]);
    assert!(applied.status.success(), "{}", text(&applied));
}

#[test]
fn a_variable_given_again_has_to_be_what_the_plan_was_made_with() {
    let folder = Folder::new(
        "variable \"n\" {\n  type    = number\n  default = 1\n}\nvariable \"l\" {\n  type    = list(string)\n  default = []\n}\nresource \
         \"terraform_data\" \"a\" {}\n",
    );
    assert!(folder.run(&["plan", "-var=n=6", "-var=l=[\"x\"]", "-out=p"]).status.success());
    for changed in ["-var=n=7", "-var=n=x", "-var=l=[\"y\"]", "-var=l=nope"] {
        let applied = folder.run(&["apply", "-no-color", changed, "p"]);
        assert_eq!(applied.status.code(), Some(1), "{changed}: {}", text(&applied));
    }
    let told = text(&folder.run(&["apply", "-no-color", "-var=n=7", "p"]));
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        told.contains("The saved plan specifies \"6\" as the value whereas during apply the value \"7\""),
        "{told}"
    );
    let applied = folder.run(&["apply", "-no-color", "-var=n=6", "-var=l=[\"x\"]", "p"]);
    assert!(applied.status.success(), "{}", text(&applied));
}

#[test]
fn changes_are_listed_by_address_and_planned_values_by_its_text() {
    let folder = Folder::new(
        "resource \"terraform_data\" \"x\" {\n  count = 11\n}\ndata \"terraform_remote_state\" \"s\" {\n  backend    = \
         \"local\"\n  depends_on = [terraform_data.x]\n}\n",
    );
    assert!(folder.run(&["plan", "-out=p"]).status.success());
    let document: serde_json::Value = serde_json::from_str(&text(&folder.run(&["show", "-json", "p"]))).unwrap();
    let addresses = |resources: &serde_json::Value| -> Vec<String> {
        let resources = resources.as_array().unwrap().iter();
        resources.map(|resource| resource["address"].as_str().unwrap().replace("terraform_data.", "")).collect()
    };
    let data = "data.terraform_remote_state.s";
    let changes = addresses(&document["resource_changes"]);
    assert_eq!(changes[..4], [data, "x[0]", "x[1]", "x[2]"]);
    let values = addresses(&document["planned_values"]["root_module"]["resources"]);
    assert_eq!(values[..4], [data, "x[0]", "x[10]", "x[1]"]);
}

#[test]
fn a_plan_that_can_not_be_written_leaves_nothing() {
    let folder = pair();
    std::fs::create_dir(folder.path("taken")).unwrap();
    let names = |folder: &Folder| -> std::collections::BTreeSet<_> {
        std::fs::read_dir(folder.path(".")).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    let before = names(&folder);
    assert_eq!(folder.run(&["plan", "-out=taken"]).status.code(), Some(1));
    assert_eq!(names(&folder), before);
}

#[test]
fn a_plan_does_not_care_what_the_directory_holds_by_now() {
    let broken = "resource \"terraform_data\" \"a\" {\n  input = tonumber(\"1\" }\n";
    let elsewhere = "terraform {\n  backend \"local\" {\n    path = \"elsewhere.tfstate\"\n  }\n}\n";
    let unknown = "nothing {}\n";
    for later in [broken, elsewhere, unknown] {
        let folder = Folder::new("resource \"terraform_data\" \"planned\" {}\n");
        assert!(folder.run(&["plan", "-out=p"]).status.success());
        folder.write("main.tf", later);
        let shown = folder.run(&["show", "-json", "p"]);
        assert!(text(&shown).contains("terraform_data.planned"), "{}", text(&shown));
        let applied = folder.run(&["apply", "p"]);
        assert!(applied.status.success(), "{}", text(&applied));
        assert!(folder.read("terraform.tfstate").contains("planned"));
    }
}

#[test]
fn a_plan_whose_configuration_encrypts_needs_that_configuration() {
    let encryption = "terraform {\n  encryption {\n    key_provider \"pbkdf2\" \"k\" {\n      passphrase = \
                      \"correct horse battery\"\n    }\n    method \"aes_gcm\" \"m\" {\n      keys = key_provider.pbkdf2.k\n    }\n    \
                      state {\n      method = method.aes_gcm.m\n    }\n  }\n}\n";
    let folder = Folder::new(&format!("{encryption}resource \"terraform_data\" \"planned\" {{}}\n"));
    let planned = folder.run(&["plan", "-out=p"]);
    assert!(planned.status.success(), "{}", text(&planned));
    folder.write("main.tf", "nothing {}\n");
    let applied = folder.run(&["apply", "p"]);
    assert_eq!(applied.status.code(), Some(1), "{}", text(&applied));
    assert!(!folder.path("terraform.tfstate").exists(), "a state that should be encrypted lies in clear");
}

#[test]
fn what_is_shown_but_not_there_is_neither_state_nor_plan() {
    let output = pair().run(&["show", "-no-color", "nope"]);
    assert_eq!(output.status.code(), Some(1));
    let words: Vec<&str> = std::str::from_utf8(&output.stderr).unwrap().split_whitespace().collect();
    let reason = "open nope: no such file or directory";
    let expected = format!(
        "Error: Failed to read the given file as a state or plan file State read error: Error loading statefile: {reason} \
         Plan read error: couldn't load the provided path as either a local plan file ({reason}) or a saved cloud plan ({reason})"
    );
    assert_eq!(words.join(" "), expected);
}
