//! `state mv` from one state file into another.

use super::{Folder, text};

#[test]
fn an_object_moves_into_another_state() {
    let folder =
        Folder::new("resource \"terraform_data\" \"a\" {\n count = 2\n}\nresource \"terraform_data\" \"b\" {}\n");
    assert!(folder.run(&["apply", "-auto-approve"]).status.success());
    let moves = |arguments: &[&str]| folder.run(&[&["state", "mv", "-state-out=other.tfstate"], arguments].concat());
    let listed = |state: &str| {
        let state = format!("-state={state}");
        String::from_utf8(folder.run(&["state", "list", &state]).stdout).unwrap()
    };

    let tried = moves(&["-dry-run", "terraform_data.b", "terraform_data.z"]);
    assert_eq!(text(&tried), "Would move \"terraform_data.b\" to \"terraform_data.z\"\n");
    assert!(!folder.path("other.tfstate").exists());

    let moved = moves(&["terraform_data.b", "terraform_data.z"]);
    assert_eq!(text(&moved), "Move \"terraform_data.b\" to \"terraform_data.z\"\nSuccessfully moved 1 object(s).\n");
    assert!(moves(&["terraform_data.a[1]", "module.x.terraform_data.a"]).status.success());
    assert_eq!(listed("terraform.tfstate"), "terraform_data.a[0]\n");
    assert_eq!(listed("other.tfstate"), "terraform_data.z\nmodule.x.terraform_data.a\n");

    let before = (folder.read("terraform.tfstate"), folder.read("other.tfstate"));
    let refused = moves(&["terraform_data.a[0]", "terraform_data.z"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused).contains("there is already a resource instance"), "{}", text(&refused));
    assert_eq!(before, (folder.read("terraform.tfstate"), folder.read("other.tfstate")));
}
