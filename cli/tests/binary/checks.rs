//! What `check` blocks tell.

use crate::{Folder, text};

const DATA: &str = "check \"d\" {\n  data \"terraform_remote_state\" \"s\" {\n    backend = \"local\"\n    config  = { path = \
                    \"nowhere.tfstate\" }\n  }\n  assert {\n    condition     = data.terraform_remote_state.s.outputs.v == \
                    1\n    error_message = \"not one\"\n  }\n}\n";

#[test]
fn every_failed_assertion_is_shown() {
    let assertion = |message: &str| {
        format!(
            "  assert {{\n    condition     = terraform_data.a.input == 2\n    error_message = \"{message}\"\n  }}\n"
        )
    };
    let folder = Folder::new(&format!(
        "resource \"terraform_data\" \"a\" {{\n  input = 1\n}}\ncheck \"c\" {{\n{}{}}}\n",
        assertion("first"),
        assertion("second")
    ));
    for arguments in [&["plan", "-no-color"][..], &["apply", "-auto-approve", "-no-color"]] {
        let told = text(&folder.run(arguments));
        assert!(told.contains("first\n") && told.contains("second\n"), "{told}");
        assert!(!told.contains("more similar"), "{told}");
    }
}

#[test]
fn a_check_whose_data_source_cannot_be_read_only_warns() {
    let folder = Folder::new(&format!("{DATA}resource \"terraform_data\" \"a\" {{}}\n"));
    let planned = folder.run(&["plan", "-no-color", "-detailed-exitcode"]);
    assert_eq!(planned.status.code(), Some(2), "{}", text(&planned));
    let told = text(&planned);
    assert!(told.contains("# (config will be reloaded to verify a check block)"), "{told}");
    assert!(told.contains("+ outputs = (known after apply)"), "{told}");
    assert_eq!(told.matches("Warning: Unable to find remote state").count(), 1, "{told}");
    let applied = folder.run(&["apply", "-auto-approve", "-no-color"]);
    assert!(applied.status.success(), "{}", text(&applied));
    assert_eq!(text(&applied).matches("Warning: Unable to find remote state").count(), 1, "{}", text(&applied));
    assert_eq!(text(&folder.run(&["state", "list"])), "data.terraform_remote_state.s\nterraform_data.a\n");
}

#[test]
fn what_waits_for_a_module_with_a_check_does_not_keep_the_check_waiting() {
    let folder = Folder::new(
        "module \"m\" {\n  source = \"./m\"\n}\nresource \"terraform_data\" \"after\" {\n  depends_on = [module.m]\n}\nresource \
         \"terraform_data\" \"aside\" {}\n",
    );
    std::fs::create_dir(folder.path("m")).unwrap();
    folder.write("m/main.tf", &format!("{DATA}resource \"terraform_data\" \"inner\" {{}}\n"));
    assert!(folder.run(&["init"]).status.success());
    let applied = folder.run(&["apply", "-auto-approve", "-no-color"]);
    assert!(applied.status.success(), "{}", text(&applied));
    let replaced = ["-replace=module.m.terraform_data.inner", "-replace=terraform_data.after"];
    let applied = folder.run(&[&["apply", "-auto-approve", "-no-color"], &replaced[..]].concat());
    assert!(applied.status.success(), "{}", text(&applied));
    assert!(text(&applied).contains("2 added, 0 changed, 2 destroyed"), "{}", text(&applied));
}
