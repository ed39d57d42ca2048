//! Encrypted states and plans: nothing that is stored can be read without the key, and everything with it.

use std::process::Output;

use crate::{Folder, text};

const STACK: &str = r#"
variable "pin" { default = "hush-hush" }
resource "terraform_data" "a" { input = var.pin }
output "pin" { value = terraform_data.a.output }
"#;

/// An `encryption` block with these targets; keys are quick to derive.
fn block(targets: &str) -> String {
    let provider = |name: &str, passphrase: &str| {
        format!(
            "key_provider \"pbkdf2\" \"{name}\" {{\npassphrase = \"{passphrase}\"\niterations = 200000\nhash_function = \
             \"sha256\"\n}}\nmethod \"aes_gcm\" \"{name}\" {{\nkeys = key_provider.pbkdf2.{name}\n}}\n"
        )
    };
    let (main, other) =
        (provider("main", "correct horse battery staple"), provider("other", "another horse, same stable"));
    format!("terraform {{\nencryption {{\n{main}{other}method \"unencrypted\" \"clear\" {{}}\n{targets}\n}}\n}}\n")
}

const SEALED: &str =
    "state {\nmethod = method.aes_gcm.main\nenforced = true\n}\nplan {\nmethod = method.aes_gcm.main\n}";

fn fine(output: Output) -> String {
    assert!(output.status.success(), "{}", text(&output));
    text(&output)
}

/// What a failed run printed, on one line.
fn refused(output: Output) -> String {
    assert!(!output.status.success(), "{}", text(&output));
    text(&output)
        .split(|c: char| c.is_whitespace() || c == '│')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The names of the files that hold a text.
fn holding(folder: &Folder, needle: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.path("")];
    while let Some(path) = folders.pop() {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|extension| extension != "tf") {
                let bytes = std::fs::read(&path).unwrap();
                if bytes.windows(needle.len()).any(|window| window == needle.as_bytes()) {
                    found.push(path.file_name().unwrap().to_string_lossy().into_owned());
                }
            }
        }
    }
    found
}

#[test]
fn nothing_that_is_stored_is_in_clear() {
    let folder = Folder::new(&(block(SEALED) + STACK));
    fine(folder.run(&["plan", "-out=p"]));
    assert!(!folder.path(".terraform/windlass-plan.key").exists(), "the plan is encrypted as a whole");
    fine(folder.run(&["apply", "p"]));
    fine(folder.run(&["apply", "-auto-approve", "-var=pin=hush-again"]));
    assert!(folder.path("terraform.tfstate.backup").exists());
    for secret in ["hush", "correct horse", "terraform_data"] {
        assert_eq!(holding(&folder, secret), Vec::<String>::new(), "{secret}");
    }
    assert!(fine(folder.run(&["show", "-no-color", "p"])).contains("hush-hush"));
    assert!(fine(folder.run(&["show", "-no-color", "terraform.tfstate.backup"])).contains("hush-hush"));
    let pulled = fine(folder.run(&["state", "pull"]));
    assert!(pulled.contains("\"version\": 4") && pulled.contains("hush-again"));
    folder.write("pushed", &pulled);
    fine(folder.run(&["state", "push", "pushed"]));
    assert_eq!(holding(&folder, "hush"), ["pushed"]);
}

#[test]
fn a_plan_holds_no_keys_even_if_it_is_in_clear() {
    let state = "state {\nmethod = method.aes_gcm.main\n}";
    let folder = Folder::new(&(block(state) + "resource \"terraform_data\" \"a\" {}\n"));
    fine(folder.run(&["plan", "-out=p"]));
    assert_eq!(&std::fs::read(folder.path("p")).unwrap()[..2], b"PK");
    let json = fine(folder.run(&["show", "-json", "p"]));
    assert!(!json.contains("correct horse"));
    let listing = std::process::Command::new("python3")
        .args(["-c", "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); print([z.read(n) for n in z.namelist()])"])
        .arg(folder.path("p"))
        .output();
    if let Ok(listing) = listing.map(|output| text(&output)) {
        assert!(listing.contains("terraform_data") && !listing.contains("correct horse"), "{listing}");
    }
    fine(folder.run(&["apply", "p"]));
}

#[test]
fn states_move_in_between_keys_and_out() {
    let folder = Folder::new(STACK);
    fine(folder.run(&["apply", "-auto-approve"]));
    let steps = [
        ("state {\nmethod = method.aes_gcm.main\nfallback {\nmethod = method.unencrypted.clear\n}\n}", true),
        ("state {\nmethod = method.aes_gcm.main\nenforced = true\n}", true),
        ("state {\nmethod = method.aes_gcm.other\nfallback {\nmethod = method.aes_gcm.main\n}\n}", true),
        ("state {\nmethod = method.aes_gcm.other\n}", true),
        ("state {\nmethod = method.unencrypted.clear\nfallback {\nmethod = method.aes_gcm.other\n}\n}", false),
    ];
    let mut serial = 0;
    for (state, is_sealed) in steps {
        folder.write("main.tf", &(block(state) + STACK));
        let applied = fine(folder.run(&["apply", "-auto-approve", "-no-color"]));
        assert!(applied.contains("0 added, 0 changed, 0 destroyed"), "{applied}");
        assert_eq!(holding(&folder, "hush").is_empty(), is_sealed, "{state}: {:?}", holding(&folder, "hush"));
        let pulled: serde_json::Value = serde_json::from_str(&fine(folder.run(&["state", "pull"]))).unwrap();
        assert!(pulled["serial"].as_u64().unwrap() >= serial);
        serial = pulled["serial"].as_u64().unwrap();
    }
    folder.write("main.tf", STACK);
    fine(folder.run(&["plan", "-detailed-exitcode"]));
}

#[test]
fn what_can_not_be_read_says_where_and_what_to_do() {
    let folder = Folder::new(STACK);
    fine(folder.run(&["apply", "-auto-approve"]));
    folder.write("main.tf", &(block(SEALED) + STACK));
    let told = refused(folder.run(&["plan", "-no-color"]));
    assert!(
        told.contains("`terraform.tfstate`: it is not encrypted") && told.contains("method.unencrypted.NAME"),
        "{told}"
    );
    std::fs::remove_file(folder.path("terraform.tfstate")).unwrap();
    fine(folder.run(&["plan", "-out=p"]));
    fine(folder.run(&["apply", "p"]));

    folder.write("main.tf", STACK);
    for arguments in [&["plan", "-no-color"][..], &["state", "list"], &["show", "-no-color", "terraform.tfstate"]] {
        let told = refused(folder.run(arguments));
        assert!(
            told.contains("it is encrypted, and no encryption is configured") && told.contains("TF_ENCRYPTION"),
            "{told}"
        );
    }
    let told = refused(folder.run(&["apply", "-no-color", "p"]));
    assert!(told.contains("The plan file p can't be used: it is encrypted"), "{told}");

    let wrong = (block(SEALED) + STACK).replace("correct horse", "incorrect horse");
    folder.write("main.tf", &wrong);
    let told = refused(folder.run(&["plan", "-no-color"]));
    assert!(told.contains("method.aes_gcm.main: the key is another one, or the data are damaged"), "{told}");
    assert!(!told.contains("incorrect"), "{told}");

    folder.write("main.tf", &(block(SEALED) + STACK));
    let whole = folder.read("terraform.tfstate");
    folder.write("terraform.tfstate", &whole[..whole.len() / 2]);
    assert!(refused(folder.run(&["plan", "-no-color"])).contains("could not be parsed"));
    folder.write("terraform.tfstate", &whole.replacen("\"encrypted_data\":\"", "\"encrypted_data\":\"AAAA", 1));
    assert!(refused(folder.run(&["plan", "-no-color"])).contains("damaged"));
    folder.write("terraform.tfstate", &whole);
    fine(folder.run(&["plan"]));

    let short = (block(SEALED) + STACK).replace("correct horse battery staple", "tiny-secret");
    folder.write("main.tf", &short);
    let told = refused(folder.run(&["plan", "-no-color"]));
    assert!(told.contains("the passphrase is too short") && told.contains("main.tf:"), "{told}");
    assert!(!told.contains("tiny-secret"), "{told}");
}

#[test]
fn the_environment_and_variables_configure_it_as_well() {
    let main = "variable \"passphrase\" {\n  ephemeral = true\n}\nterraform {\n  encryption {\n    state {\n      enforced = \
                true\n    }\n  }\n}\n";
    let folder = Folder::new(&format!("{main}{STACK}"));
    let over = "key_provider \"pbkdf2\" \"x\" {\n passphrase = \"${var.passphrase} and more\"\n iterations = 200000\n}\nmethod \
                \"aes_gcm\" \"x\" {\n keys = key_provider.pbkdf2.x\n}\nstate {\n method = method.aes_gcm.x\n}\n";
    let told = refused(folder.run(&["plan", "-no-color", "-var=passphrase=a long passphrase"]));
    assert!(told.contains("Missing required argument"), "{told}");
    let run = |arguments: &[&str]| folder.command(arguments).env("TF_ENCRYPTION", over).output().unwrap();
    fine(run(&["apply", "-auto-approve", "-var=passphrase=a long passphrase"]));
    assert_eq!(holding(&folder, "hush"), Vec::<String>::new());
    let listed = |value: &str| {
        let mut command = folder.command(&["state", "list"]);
        command.env("TF_ENCRYPTION", over).env("TF_VAR_passphrase", value).output().unwrap()
    };
    assert_eq!(fine(listed("a long passphrase")), "terraform_data.a\n");
    refused(listed("another long passphrase"));
}

#[test]
fn remote_states_are_read_with_the_keys_configured_for_them() {
    let producer = Folder::new(&(block(SEALED) + STACK));
    fine(producer.run(&["apply", "-auto-approve"]));
    let path = producer.path("terraform.tfstate");
    let data = format!(
        "data \"terraform_remote_state\" \"x\" {{\nbackend = \"local\"\nconfig = {{\npath = {:?}\n}}\n}}\noutput \"o\" {{\nvalue = \
         data.terraform_remote_state.x.outputs.pin\n}}\n",
        path.display().to_string()
    );
    let consumer = Folder::new(&data);
    let told = refused(consumer.run(&["plan", "-no-color"]));
    assert!(told.contains("it is encrypted, and no encryption is configured"), "{told}");
    let remote = "remote_state_data_sources {\nremote_state_data_source \"x\" {\nmethod = method.aes_gcm.main\n}\n}";
    consumer.write("main.tf", &(block(remote) + &data));
    assert!(fine(consumer.run(&["plan", "-no-color"])).contains("hush-hush"));
}

#[test]
fn what_a_crash_leaves_is_in_no_clear_either() {
    let stuck = "resource \"terraform_data\" \"b\" {\n  input = var.pin\n  provisioner \"local-exec\" {\n    command = \"kill -9 \
                 $PPID\"\n  }\n}\n";
    let folder = Folder::new(&(block(SEALED) + STACK + stuck));
    let killed = folder.run(&["apply", "-auto-approve"]);
    assert!(!killed.status.success());
    assert!(folder.path(".terraform.tfstate.journal").exists());
    assert_eq!(holding(&folder, "hush"), Vec::<String>::new());
    folder.write("main.tf", &(block(SEALED) + STACK));
    fine(folder.run(&["apply", "-auto-approve"]));
    assert!(!folder.path(".terraform.tfstate.journal").exists());
    let listed = fine(folder.run(&["state", "list"]));
    assert_eq!(listed, "terraform_data.a\n");
}
