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

#[test]
fn targets_that_are_no_addresses_show_the_way_to_the_help() {
    let folder = Folder::new("");
    for command in ["plan", "apply", "destroy", "refresh"] {
        let told = text(&folder.run(&[command, "-target=x"]));
        assert!(told.contains("Resource specification must include a resource type and name."), "{told}");
        assert!(told.contains(&format!("terraform {command} -help")), "{told}");
    }
    let streamed = text(&folder.run(&["plan", "-json", "-nope"]));
    let kinds: Vec<_> = streamed
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .map(|event| event["type"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(kinds, ["version", "diagnostic"], "{streamed}");
    // what answers with one document has none for this
    assert!(folder.run(&["validate", "-json", "-nope"]).stdout.is_empty());
}

#[test]
fn commands_that_edit_a_state_say_that_there_is_none() {
    let folder = Folder::new("");
    for arguments in [
        &["state", "rm", "a.b"][..],
        &["state", "mv", "a.b", "a.c"],
        &["state", "replace-provider", "-auto-approve", "a", "b"],
        &["state", "list"],
    ] {
        let told = text(&folder.run(arguments));
        assert!(told.starts_with("No state file was found!\n\nState management"), "{arguments:?}: {told}");
    }
    let tainted = text(&folder.run(&["taint", "a.b"]));
    assert!(tainted.contains("The state currently contains no resource instances whatsoever."), "{tainted}");
    assert!(folder.run(&["taint", "-allow-missing", "a.b"]).status.success());
    assert!(!folder.path("terraform.tfstate").exists());
}

#[test]
fn what_is_not_in_a_state_is_listed_whole() {
    let folder = Folder::new("resource \"terraform_data\" \"a\" {}\n");
    assert!(folder.run(&["apply", "-auto-approve"]).status.success());
    let listed = text(&folder.run(&["state", "list", "terraform_data.b", "module.m", "terraform_data.a[0]"]));
    for what in ["Unknown resource\n", "Unknown module\n", "Unknown resource instance\n"] {
        assert!(listed.contains(what), "{listed}");
    }
    let removed = folder.run(&["state", "rm", "-dry-run", "terraform_data.b"]);
    assert_eq!((removed.status.code(), text(&removed).as_str()), (Some(0), "Would have removed nothing.\n"));
    assert_eq!(folder.run(&["state", "rm", "terraform_data.b"]).status.code(), Some(1));
    assert!(folder.run(&["state", "pull", "anything"]).status.success());
}

#[test]
fn workspaces_have_an_earlier_name_and_come_with_their_variable() {
    let folder = Folder::new("");
    let listed = text(&folder.run(&["env", "list"]));
    assert!(
        listed.starts_with("Warning: the \"terraform env\" family") && listed.ends_with("* default\n\n"),
        "{listed}"
    );
    let planned = folder.command(&["plan"]).env("TF_WORKSPACE", "other").output().unwrap();
    assert!(planned.status.success(), "{}", text(&planned));
    assert!(text(&folder.run(&["workspace", "list"])).contains("\n  other\n"));
    let copied = folder.run(&["workspace", "new", "-state=gone", "third"]);
    assert_eq!((copied.status.code(), text(&copied).as_str()), (Some(1), "open gone: no such file or directory\n"));
    assert!(text(&folder.run(&["workspace", "delete", "default"])).contains("is your active workspace"));
    assert!(
        text(&folder.run(&["workspace", "new", "a/b"])).contains("URL safe\ncharacters, and no path separators.\n")
    );
}

#[test]
fn init_tells_its_warnings_at_the_end() {
    let folder = Folder::new("resource \"terraform_data\" \"a\" {}\n");
    let told = text(&folder.run(&["init", "-backend-config=x=y"]));
    let at = |what: &str| told.find(what).unwrap_or_else(|| panic!("{told}"));
    assert!(at("Initializing provider plugins") < at("Missing backend configuration"), "{told}");
    assert!(at("Missing backend configuration") < at("successfully initialized"), "{told}");
}

#[test]
fn a_refresh_of_targets_applies_nothing() {
    let folder = Folder::new("resource \"terraform_data\" \"a\" {}\n");
    assert!(folder.run(&["apply", "-auto-approve"]).status.success());
    let refreshed = text(&folder.run(&["refresh", "-target=terraform_data.a"]));
    assert!(refreshed.contains("Resource targeting is in effect"), "{refreshed}");
    assert!(!refreshed.contains("Applied changes may be incomplete"), "{refreshed}");
}

#[test]
fn flags_that_exclude_each_other_are_told_where_terraform_tells_them() {
    let folder = Folder::new("variable \"v\" {}\nresource \"terraform_data\" \"a\" {}\n");
    let errors = |arguments: &[&str]| {
        let output = folder.run(&[&["plan", "-no-color", "-input=false", "-refresh-only"], arguments].concat());
        let told = text(&output);
        told.lines().filter_map(|line| Some(line.split_once("Error: ")?.1.to_owned())).collect::<Vec<_>>()
    };
    let replace = "-replace=terraform_data.a";
    assert_eq!(errors(&[replace]), ["No value for required variable"]);
    assert_eq!(errors(&[replace, "-var=v=1"]), ["Unsupported plan mode"]);
    let expected = ["Invalid target \"x\"", "Invalid force-replace address \"x\"", "Incompatible plan mode options"];
    assert_eq!(errors(&["-destroy", "-replace=x", "-target=x"]), expected);
    assert_eq!(errors(&["-refresh=false", replace]), ["Incompatible refresh options"]);
}

#[test]
fn what_is_tainted_is_written_where_state_out_says() {
    let folder = Folder::new("resource \"terraform_data\" \"a\" {}\n");
    assert!(folder.run(&["apply", "-auto-approve"]).status.success());
    let before = folder.read("terraform.tfstate");
    assert!(folder.run(&["taint", "-state-out=other", "terraform_data.a"]).status.success());
    assert_eq!(folder.read("terraform.tfstate"), before);
    assert!(folder.read("other").contains("\"tainted\""));
    assert!(folder.run(&["untaint", "-state=other", "-state-out=third", "terraform_data.a"]).status.success());
    assert!(folder.read("other").contains("\"tainted\""));
    assert!(!folder.read("third").contains("\"tainted\""));
    // A plan takes the flags of an apply, and writes nothing.
    let planned = folder.run(&["plan", "-state-out=fourth", "-backup=fifth", "-detailed-exitcode"]);
    assert_eq!(planned.status.code(), Some(0), "{}", text(&planned));
    assert!(!folder.path("fourth").exists() && !folder.path("fifth").exists());
}

#[test]
fn a_module_stands_for_all_instances_of_its_call() {
    let folder =
        Folder::new("module \"m\" {\n  source = \"./m\"\n  count = 2\n}\nmodule \"a\" {\n  source = \"./m\"\n}\n");
    std::fs::create_dir_all(folder.path("m/n")).unwrap();
    folder.write("m/main.tf", "resource \"terraform_data\" \"c\" {}\nmodule \"n\" {\n  source = \"./n\"\n}\n");
    folder.write("m/n/main.tf", "resource \"terraform_data\" \"d\" {}\n");
    assert!(folder.run(&["init"]).status.success());
    assert!(folder.run(&["apply", "-auto-approve"]).status.success());
    let lines = |arguments: &[&str]| text(&folder.run(arguments)).lines().map(str::to_owned).collect::<Vec<_>>();
    let of_m = [
        "module.m[0].terraform_data.c",
        "module.m[1].terraform_data.c",
        "module.m[0].module.n.terraform_data.d",
        "module.m[1].module.n.terraform_data.d",
    ];
    assert_eq!(lines(&["state", "list", "module.m"]), of_m);
    assert_eq!(lines(&["state", "list", "module.m[0]"]), [of_m[0], of_m[2]]);
    // What lies less deep comes first.
    let all = lines(&["state", "list"]);
    assert_eq!(all[..2], ["module.a.terraform_data.c", of_m[0]]);
    assert_eq!(
        lines(&["state", "mv", "module.a", "module.b"]),
        [
            "Move \"module.a\" to \"module.b\"",
            "Move \"module.a.module.n\" to \"module.b.module.n\"",
            "Successfully moved 2 object(s)."
        ]
    );
    assert_eq!(lines(&["state", "rm", "module.m"]).last().unwrap(), "Successfully removed 4 resource instance(s).");
    assert_eq!(lines(&["state", "list"]), ["module.b.terraform_data.c", "module.b.module.n.terraform_data.d"]);
}
