//! The dependency lock file, compared with what Terraform writes of the same mirror.

use std::process::Command;

use crate::{Folder, text};

const LOCK: &str = ".terraform.lock.hcl";

/// A configuration that requires a provider, beside a mirror that has it for two platforms.
fn mirrored() -> Folder {
    let folder = Folder::new(
        "terraform {\n  required_providers {\n    thing = { source = \"acme/thing\", version = \"~> 1.2\" }\n  }\n}\n",
    );
    for (version, platform) in [("1.1.0", "linux_amd64"), ("1.3.0", "linux_amd64"), ("1.3.0", "darwin_arm64")] {
        let package = format!("mirror/registry.terraform.io/acme/thing/{version}/{platform}");
        std::fs::create_dir_all(folder.path(&package)).unwrap();
        let program = format!("{package}/terraform-provider-thing_v{version}");
        folder.write(&program, &format!("program for {platform}"));
        folder.write(&format!("{package}/LICENSE"), "free");
    }
    folder
}

fn lock(folder: &Folder, arguments: &[&str]) -> String {
    let arguments = [&["providers", "lock"], arguments].concat();
    let output = folder.run(&arguments);
    assert!(output.status.success(), "{}", text(&output));
    text(&output)
}

/// What Terraform prints of the same command in the same folder; none where it is not installed.
fn terraform(folder: &Folder, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("terraform");
    command.args(["providers", "lock"]).args(arguments).current_dir(folder.path(""));
    match command.env("CHECKPOINT_DISABLE", "1").output() {
        Ok(output) => Some(text(&output)),
        Err(_) => {
            eprintln!("not compared with Terraform, which is not installed");
            None
        }
    }
}

#[test]
fn checksums_come_from_a_mirror_as_terraform_takes_them() {
    let folder = mirrored();
    let one = ["-no-color", "-fs-mirror=mirror", "-platform=linux_amd64"];
    let both = ["-no-color", "-fs-mirror=mirror", "-platform=linux_amd64", "-platform=darwin_arm64"];
    let printed = [lock(&folder, &one), lock(&folder, &both), lock(&folder, &both)];
    let written = folder.read(LOCK);
    assert!(written.contains("version     = \"1.3.0\"\n  constraints = \"~> 1.2\"\n  hashes = [\n"), "{written}");
    assert_eq!(written.matches("h1:").count(), 2);
    assert!(printed[2].contains("found no need for changes"), "{}", printed[2]);
    std::fs::remove_file(folder.path(LOCK)).unwrap();
    for (arguments, printed) in [(&one[..], &printed[0]), (&both, &printed[1]), (&both, &printed[2])] {
        let Some(expected) = terraform(&folder, arguments) else { return };
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        // Terraform fetches platform by platform before it tells of the first checksum.
        assert_eq!(sorted(printed), sorted(&expected));
    }
    assert_eq!(folder.read(LOCK), written);
}

#[test]
fn a_complete_lock_file_stays_as_it_is_and_unknown_checksums_are_not_made_up() {
    let folder = mirrored();
    lock(&folder, &["-fs-mirror=mirror", "-platform=linux_amd64"]);
    let with_remark = folder.read(LOCK) + "# mine\n";
    folder.write(LOCK, &with_remark);
    assert!(lock(&folder, &["-platform=darwin_arm64"]).contains("no need for changes"));
    assert_eq!(folder.read(LOCK), with_remark);
    folder.write(LOCK, "provider \"registry.terraform.io/acme/thing\" {\n  version = \"1.3.0\"\n}\n");
    let printed = lock(&folder, &[]);
    assert!(printed.contains("Incomplete lock file information for providers"), "{printed}");
    assert!(!folder.read(LOCK).contains("hashes"), "{}", folder.read(LOCK));
}

#[test]
fn mistakes_are_refused() {
    let folder = mirrored();
    let cases: [(&[&str], &str); 6] = [
        (&["-fs-mirror=mirror", "-net-mirror=https://example.com/"], "Invalid installation method options"),
        (&["-net-mirror=http://example.com/"], "Invalid network mirror URL"),
        (&["-platform=linux"], "Invalid target platform"),
        (&["-fs-mirror=mirror", "acme/other"], "Invalid provider argument"),
        (&["-fs-mirror=mirror", "-platform=plan9_amd64"], "Could not retrieve providers for locking"),
        (&["-fs-mirror=nowhere"], "Could not retrieve providers for locking"),
    ];
    for (arguments, message) in cases {
        let output = folder.run(&[&["providers", "lock"], arguments].concat());
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output).contains(message), "{}", text(&output));
        if let Some(expected) = terraform(&folder, arguments) {
            assert!(expected.contains(message), "{expected}");
        }
    }
    let output = folder.run(&["providers", "mirror"]);
    assert!(text(&output).contains("No output directory specified"), "{}", text(&output));
}

#[test]
fn a_mirror_needs_no_packages() {
    let folder = Folder::new("resource \"terraform_data\" \"a\" {}\n");
    let output = folder.run(&["providers", "mirror", "-platform=linux_amd64", "packages"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(folder.path("packages").is_dir());
}

#[test]
fn a_read_only_lock_file_has_to_name_what_is_required() {
    let folder = Folder::new("resource \"terraform_data\" \"a\" {}\n");
    assert!(folder.run(&["init", "-lockfile=readonly"]).status.success());
    let output = folder.run(&["init", "-lockfile=readonly", "-upgrade"]);
    assert!(text(&output).contains("The -upgrade flag conflicts with -lockfile=readonly."), "{}", text(&output));
    folder.write(LOCK, "provider \"registry.terraform.io/acme/thing\" {\n  version = \"1.3.0\"\n}\n");
    let output = folder.run(&["init", "-lockfile=readonly"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("Provider dependency changes detected"), "{}", text(&output));
    assert!(folder.run(&["init"]).status.success());
}

#[test]
fn schemas_tell_the_functions_of_providers() {
    let folder = Folder::new("resource \"terraform_data\" \"a\" {}\n");
    let functions = |document: &[u8]| {
        let document: serde_json::Value = serde_json::from_slice(document).unwrap();
        let functions = &document["provider_schemas"]["terraform.io/builtin/terraform"]["functions"];
        let fields = |(name, function): (&String, &serde_json::Value)| {
            let parameters = function["parameters"].as_array().unwrap().iter();
            let parameters: Vec<_> = parameters.map(|p| format!("{}: {}", p["name"], p["type"])).collect();
            format!("{name}({}) {}", parameters.join(", "), function["return_type"])
        };
        functions.as_object().unwrap().iter().map(fields).collect::<Vec<_>>()
    };
    assert!(folder.run(&["init"]).status.success());
    let ours = functions(&folder.run(&["providers", "schema", "-json"]).stdout);
    let expected = [
        r#"decode_tfvars("src": "string") "dynamic""#,
        r#"encode_expr("value": "dynamic") "string""#,
        r#"encode_tfvars("value": "dynamic") "string""#,
    ];
    assert_eq!(ours, expected);
    let mut command = Command::new("terraform");
    command.args(["providers", "schema", "-json"]).current_dir(folder.path(""));
    match command.env("CHECKPOINT_DISABLE", "1").output() {
        Ok(output) => assert_eq!(functions(&output.stdout), expected),
        Err(_) => eprintln!("not compared with Terraform, which is not installed"),
    }
}
