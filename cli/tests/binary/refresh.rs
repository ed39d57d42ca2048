//! `refresh`.

use super::{Folder, text};

#[test]
fn refresh_takes_what_is_left_out() {
    let folder = Folder::new("resource \"terraform_data\" \"a\" {}\n\nresource \"terraform_data\" \"b\" {}\n");
    assert!(folder.run(&["init"]).status.success());
    assert!(folder.run(&["apply", "-auto-approve"]).status.success());
    let output = folder.run(&["refresh", "-exclude=terraform_data.b", "-no-color"]);
    assert!(output.status.success(), "{}", text(&output));
    let shown = text(&output);
    assert!(shown.contains("terraform_data.a: Refreshing state..."), "{shown}");
    assert!(!shown.contains("terraform_data.b: Refreshing state..."), "{shown}");
}
