//! What the README promises.

use localstack_tests::{Tool, readme, workspace::repository};

#[test]
fn the_readme_lists_the_resource_types_of_the_binary() {
    let tool = Tool::windlass().unwrap();
    if tool.is_terraform() {
        return; // it has a thousand more
    }
    let text = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let current = readme::with_table(&tool, &text).unwrap();
    assert!(current == text, "the README's table of resource types is out of date: run `cargo xtask readme`");
}
