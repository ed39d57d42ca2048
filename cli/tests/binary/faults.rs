//! Full disks, folders that can't be written, damaged files, files of later versions: a message that says where and what to
//! do, and nothing lost.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::{Folder, text};

/// Who may write nothing here, if we are the superuser, whom no permission stops.
const NOBODY: u32 = 65534;

const MANY: &str = r#"
resource "terraform_data" "r" {
  count = 60
  input = "${count.index}:${join("", [for number in range(40) : "0123456789"])}"
}
"#;

/// What a run printed, on one line.
fn flat(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c == '│').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_full_disk_keeps_what_was_there_and_the_next_run_goes_on() {
    // Files may grow to this many blocks of a kibibyte: for the journal it is too little at first, for the state later.
    for limit in [1, 8, 40, 70] {
        let folder = Folder::new("resource \"terraform_data\" \"first\" {}\n");
        assert!(folder.run(&["apply", "-auto-approve"]).status.success());
        folder.write("main.tf", MANY);
        let before = folder.read("terraform.tfstate");
        let script = format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" apply -auto-approve -no-color");
        let mut command = Command::new("bash");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_windlass")]).current_dir(folder.path(""));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", folder.path(""));
        let full = command.output().unwrap();
        assert_eq!(full.status.code(), Some(1), "{limit}: {}", text(&full));
        let told = flat(&text(&full));
        assert!(told.contains("File too large") || told.contains("file too large"), "{limit}: {told}");
        let after = folder.read("terraform.tfstate");
        let is_state = serde_json::from_str::<serde_json::Value>(&after).is_ok();
        assert!(after == before || !after.is_empty() && (is_state || folder.path(".terraform.tfstate.redo").exists()));
        let next = folder.run(&["apply", "-auto-approve", "-no-color"]);
        assert!(next.status.success(), "{limit}: {}", text(&next));
        let listed = text(&folder.run(&["state", "list"]));
        assert_eq!(listed.lines().count(), 60, "{limit}: {listed}");
        assert!(!folder.path(".terraform.tfstate.journal").exists());
        let settled = folder.run(&["plan", "-detailed-exitcode", "-no-color"]);
        assert_eq!(settled.status.code(), Some(0), "{limit}: {}", text(&settled));
    }
}

#[test]
fn a_folder_that_can_not_be_written_is_told_before_anything_is_done() {
    let folder = Folder::new(
        "resource \"terraform_data\" \"a\" {\n  provisioner \"local-exec\" {\n    command = \"touch /tmp/x\"\n  }\n}\n",
    );
    let all = |mode: u32| std::fs::set_permissions(folder.path(""), std::fs::Permissions::from_mode(mode)).unwrap();
    let as_nobody = |arguments: &[&str]| {
        let mut command = folder.command(arguments);
        let is_superuser = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
        if is_superuser {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.output()
    };
    all(0o555);
    let Ok(applied) = as_nobody(&["apply", "-auto-approve", "-no-color"]) else {
        eprintln!("skipped: the binary is not for everybody");
        all(0o755);
        return;
    };
    let told = flat(&text(&applied));
    assert_eq!(applied.status.code(), Some(1), "{told}");
    assert!(told.contains("`terraform.tfstate`") && told.to_lowercase().contains("permission denied"), "{told}");
    assert!(!told.contains("Creating"), "{told}");
    let planned = as_nobody(&["plan", "-no-color", "-lock=false"]).unwrap();
    all(0o755);
    assert!(!folder.path("terraform.tfstate").exists());
    let told = flat(&text(&planned));
    assert!(planned.status.success() || told.contains("ermission denied"), "{told}");
}

#[test]
fn damaged_files_are_told_and_left_alone() {
    let folder = Folder::new("resource \"terraform_data\" \"a\" {}\n");
    assert!(folder.run(&["apply", "-auto-approve"]).status.success());
    assert!(folder.run(&["plan", "-out=p"]).status.success());
    let whole = folder.read("terraform.tfstate");
    let plan = std::fs::read(folder.path("p")).unwrap();
    let future = whole.replace("\"version\": 4", "\"version\": 5").replace("\"1.11.4\"", "\"2.0.0\"");
    let cases = [
        (whole[..whole.len() / 2].to_owned(), "could not be parsed"),
        (whole.replace("\"resources\"", "\u{0}resources"), "could not be parsed"),
        ("not a state".to_owned(), "could not be parsed"),
        ("{}".to_owned(), "does not have a \"version\" attribute"),
        (future, "format version 5, which is newer than this program supports (4) (written by Terraform 2.0.0)"),
    ];
    for (content, told) in cases {
        folder.write("terraform.tfstate", &content);
        for arguments in
            [&["apply", "-auto-approve", "-no-color"][..], &["state", "list"], &["taint", "terraform_data.a"]]
        {
            let refused = folder.run(arguments);
            let printed = flat(&text(&refused));
            assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {printed}");
            assert!(
                printed.contains(told) && printed.contains("`terraform.tfstate`"),
                "{arguments:?}: {told}: {printed}"
            );
            assert_eq!(folder.read("terraform.tfstate"), content);
        }
    }
    folder.write("terraform.tfstate", &whole);
    for (content, told) in [
        (plan[..plan.len() / 2].to_vec(), "it is not a plan that windlass saved"),
        ([&plan[..plan.len() / 3], b"damage", &plan[plan.len() / 3..]].concat(), "can't be used"),
        (b"PK".to_vec(), "it is not a plan that windlass saved"),
    ] {
        std::fs::write(folder.path("p"), content).unwrap();
        let refused = folder.run(&["apply", "-no-color", "p"]);
        let printed = flat(&text(&refused));
        assert!(refused.status.code() == Some(1) && printed.contains(told), "{told}: {printed}");
    }
}

#[test]
fn clocks_that_jump_change_nothing() {
    let folder = Folder::new("resource \"terraform_data\" \"a\" {}\n");
    assert!(folder.run(&["apply", "-auto-approve"]).status.success());
    // A lock of the future whose holder is gone, and a state file from long ago.
    let lock = r#"{"ID":"x","Operation":"OperationTypeApply","Info":"","Who":"me@there","Version":"1.11.4","Created":"2999-01-01T00:00:00Z","Path":"terraform.tfstate"}"#;
    folder.write(".terraform.tfstate.lock.info", lock);
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
    std::fs::File::open(folder.path("terraform.tfstate")).unwrap().set_modified(old).unwrap();
    let applied = folder.run(&["apply", "-auto-approve", "-replace=terraform_data.a"]);
    assert!(applied.status.success(), "{}", text(&applied));
}
