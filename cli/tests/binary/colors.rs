//! Colours, which go into pipes as well, as Terraform's do.

use super::{Folder, text};

#[test]
fn pipes_get_colours_unless_they_are_unwanted() {
    let folder = Folder::new("resource \"terraform_data\" \"a\" {}\n");
    let colored = |arguments: &[&str]| {
        let output = folder.command(arguments).env_remove("NO_COLOR").output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        text(&output).contains('\u{1b}')
    };
    assert!(colored(&["plan"]));
    assert!(!colored(&["plan", "-no-color"]));
    assert!(!text(&folder.run(&["plan"])).contains('\u{1b}'), "NO_COLOR");
    let misled =
        folder.command(&["version"]).env_remove("NO_COLOR").env("TF_CLI_CONFIG_FILE", "none").output().unwrap();
    let problems = String::from_utf8_lossy(&misled.stderr);
    assert!(problems.contains("Unable to open CLI configuration file") && !problems.contains('\u{1b}'), "{problems}");
}

#[test]
fn every_command_takes_no_color_anywhere() {
    let folder = Folder::new("resource \"terraform_data\" \"a\" {}\n");
    for line in [
        "apply -auto-approve -no-color",
        "state list -no-color",
        "state list terraform_data.a -no-color",
        "state pull -no-color",
        "state mv -no-color terraform_data.a terraform_data.b",
        "state show terraform_data.b -no-color",
        "taint terraform_data.b -no-color",
        "workspace new other -no-color",
        "workspace select default -no-color",
        "workspace delete other -no-color",
        "version -no-color",
        "graph -no-color",
        "metadata functions -json -no-color",
        "providers schema -json -no-color",
    ] {
        let output = folder.run(&line.split(' ').collect::<Vec<_>>());
        assert!(output.status.success(), "{line}: {}", text(&output));
    }
}
