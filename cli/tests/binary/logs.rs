//! `TF_LOG` and its like.

use crate::{Folder, text};

const CONFIGURATION: &str =
    "variable \"token\" {\n  sensitive = true\n}\nresource \"terraform_data\" \"a\" {\n  input = var.token\n}\n";

fn run(folder: &Folder, variables: &[(&str, &str)]) -> (String, String) {
    let output = folder.command(&["plan", "-var=token=hunter2"]).envs(variables.iter().copied()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}", text(&output));
    (String::from_utf8_lossy(&output.stdout).into_owned(), stderr)
}

#[test]
fn a_log_goes_to_standard_error_without_the_values_of_variables() {
    let folder = Folder::new(CONFIGURATION);
    let (quiet, silence) = run(&folder, &[]);
    assert_eq!(silence, "");
    let (stdout, log) = run(&folder, &[("TF_LOG", "trace")]);
    assert_eq!(stdout, quiet);
    assert!(log.contains("Z [INFO]  Terraform version: 1.11.4\n"), "{log}");
    assert!(log.contains("Z [TRACE] plan: visiting terraform_data.a\n"), "{log}");
    assert!(log.contains("-var=token=(hidden)") && !log.contains("hunter2"), "{log}");
    let (_, log) = run(&folder, &[("TF_LOG", "info")]);
    assert!(log.contains("[INFO]") && !log.contains("[TRACE]"), "{log}");
    assert_eq!(run(&folder, &[("TF_LOG", "info"), ("TF_LOG_CORE", "off")]).1, "");
}

#[test]
fn a_log_goes_to_the_end_of_a_file() {
    let folder = Folder::new(CONFIGURATION);
    folder.write("log", "before\n");
    let (_, stderr) = run(&folder, &[("TF_LOG", "json"), ("TF_LOG_PATH", "log")]);
    assert_eq!(stderr, "");
    let log = folder.read("log");
    let events: Vec<serde_json::Value> =
        log.strip_prefix("before\n").unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().any(|event| event["@message"] == "Terraform version: 1.11.4" && event["@level"] == "info"));

    let (_, stderr) = run(&folder, &[("TF_LOG", "info"), ("TF_LOG_PATH", "no/where")]);
    assert!(stderr.starts_with("Error opening log file: open no/where: no such file or directory\n"), "{stderr}");
    let (_, stderr) = run(&folder, &[("TF_LOG", "loud"), ("TF_LOG_PATH", "log")]);
    assert!(stderr.starts_with("[WARN] Invalid log level: \"LOUD\". Defaulting to level: TRACE."), "{stderr}");
}
