//! Arguments that mean, or don't mean, what they do to Terraform.

use super::{Folder, text};

#[test]
fn another_directory_can_be_validated() {
    let folder = Folder::new("");
    std::fs::create_dir(folder.path("sub")).unwrap();
    folder.write("sub/main.tf", "output \"x\" {\n  value = nope.y\n}\n");
    let validated = folder.run(&["validate", "sub"]);
    assert_eq!(validated.status.code(), Some(1));
    assert!(text(&validated).contains("A managed resource \"nope\" \"y\""), "{}", text(&validated));
    assert!(text(&folder.run(&["validate", "gone"])).contains("Module directory gone does not exist"));
}

#[test]
fn destroy_has_no_other_mode() {
    let folder = Folder::new("");
    for flag in ["-destroy", "-refresh-only"] {
        let refused = folder.run(&["destroy", "-auto-approve", flag]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(text(&refused).contains("Invalid mode option"), "{}", text(&refused));
    }
}

#[test]
fn an_empty_name_of_a_plan_file_is_none() {
    let folder = Folder::new("output \"x\" {\n  value = 1\n}\n");
    let planned = folder.run(&["plan", "-out="]);
    assert!(
        planned.status.success() && text(&planned).contains("You didn't use the -out option"),
        "{}",
        text(&planned)
    );
}
