//! What is wrong with the CLI configuration: `~/.terraformrc`, `~/.terraform.d/*.tfrc`, or the file that `TF_CLI_CONFIG_FILE` names.
//!
//! Providers are part of the binary and nobody is asked for a newer version, so most settings change nothing. They are read all the
//! same: a file that Terraform complains of is complained of here, in its words, and any other is accepted in silence.

use std::path::{Path, PathBuf};

use lang::{Diagnostic, Diagnostics};
use serde::Deserialize;

use crate::io::Environment;

/// The settings. What is unknown is passed over, as Terraform does.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Settings {
    disable_checkpoint: bool,
    disable_checkpoint_signature: bool,
    plugin_cache_dir: Option<String>,
    plugin_cache_may_break_dependency_lock_file: bool,
    credentials: hcl::Map<String, hcl::Value>,
    credentials_helper: hcl::Map<String, hcl::Value>,
    host: hcl::Map<String, hcl::Value>,
    provider_installation: Option<hcl::Value>,
}

/// Ways to install providers that Terraform has.
const METHODS: [&str; 4] = ["direct", "filesystem_mirror", "network_mirror", "dev_overrides"];

/// What is wrong with the CLI configuration of an environment.
pub fn check(environment: &Environment) -> Diagnostics {
    let mut problems = Diagnostics::new();
    for file in files(environment, &mut problems) {
        match std::fs::read_to_string(&file) {
            Ok(text) => check_text(&file, &text, &mut problems),
            Err(error) => {
                let summary = format!("Error reading {}: {error}", file.display());
                problems.push(Diagnostic::error(summary, ""));
            }
        }
    }
    problems
}

fn files(environment: &Environment, problems: &mut Diagnostics) -> Vec<PathBuf> {
    let named = environment.get("TF_CLI_CONFIG_FILE").or_else(|| environment.get("TERRAFORM_CONFIG"));
    if let Some(name) = named {
        let path = PathBuf::from(name);
        if path.is_file() {
            return vec![path];
        }
        let detail = format!("The CLI configuration file at {name:?} does not exist.");
        problems.push(Diagnostic::warning("Unable to open CLI configuration file", detail));
        return Vec::new();
    }
    let Some(home) = environment.get("HOME").map(PathBuf::from) else { return Vec::new() };
    let mut found: Vec<PathBuf> = Some(home.join(".terraformrc")).into_iter().filter(|path| path.is_file()).collect();
    let entries = std::fs::read_dir(home.join(".terraform.d")).into_iter().flatten().flatten();
    let mut more: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| is_settings(path)).collect();
    more.sort();
    found.extend(more);
    found
}

fn is_settings(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.ends_with(".tfrc") || name.ends_with(".tfrc.json")
}

fn check_text(path: &Path, text: &str, problems: &mut Diagnostics) {
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    let read = match is_json {
        true => serde_json::from_str::<Settings>(text).map_err(|error| error.to_string()),
        false => hcl::from_str::<Settings>(&super::without_overrides(text)).map_err(|error| error.to_string()),
    };
    let settings = match read {
        Ok(settings) => settings,
        Err(error) => {
            problems.push(Diagnostic::error(format!("Error parsing {}: {error}", path.display()), ""));
            return;
        }
    };
    if let Some(directory) = settings.plugin_cache_dir.filter(|directory| !Path::new(directory).is_dir()) {
        let summary = format!(
            "The specified plugin cache dir {directory} cannot be opened: stat {directory}: no such file or directory"
        );
        problems.push(Diagnostic::error(summary, ""));
    }
    if settings.credentials_helper.len() > 1 {
        problems.push(Diagnostic::error("No more than one credentials_helper block may be specified", ""));
    }
    let installations = match &settings.provider_installation {
        Some(hcl::Value::Array(blocks)) => {
            let detail = "Only one provider_installation block is allowed.";
            problems.push(Diagnostic::error("Multiple provider_installation blocks", detail));
            blocks.iter().collect()
        }
        other => Vec::from_iter(other),
    };
    let methods = installations.into_iter().filter_map(|block| block.as_object()).flat_map(|block| block.keys());
    for method in methods.filter(|method| !METHODS.contains(&method.as_str())) {
        let detail = format!("Unknown provider installation method {method:?}.");
        problems.push(Diagnostic::error("Invalid provider_installation method block", detail));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summaries(text: &str) -> Vec<String> {
        let mut problems = Diagnostics::new();
        check_text(Path::new("cli.tfrc"), text, &mut problems);
        problems.iter().map(|problem| problem.summary().to_owned()).collect()
    }

    #[test]
    fn sound_settings_are_accepted_in_silence() {
        let text = r#"
            # a comment
            disable_checkpoint = true
            nosuch             = [1]
            credentials "app.terraform.io" {
              token = "x"
            }
            credentials_helper "vault" {
              args = ["a"]
            }
            host "registry.example" {
              services = { "modules.v1" = "https://registry.example/" }
            }
            provider_installation {
              filesystem_mirror {
                path    = "/plugins"
                include = ["example.com/*/*"]
              }
              dev_overrides {
                "example/x" = "/x"
              }
              direct {}
            }
        "#;
        assert_eq!(summaries(text), Vec::<String>::new());
    }

    #[test]
    fn mistakes_are_terraform_s() {
        assert!(summaries("disable_checkpoint = [").concat().starts_with("Error parsing cli.tfrc: "));
        assert!(summaries("disable_checkpoint = [1]").concat().starts_with("Error parsing cli.tfrc: "));
        assert_eq!(
            summaries("plugin_cache_dir = \"/no/such\""),
            ["The specified plugin cache dir /no/such cannot be opened: stat /no/such: no such file or directory"]
        );
        assert_eq!(
            summaries("provider_installation {\n  nosuch {}\n}"),
            ["Invalid provider_installation method block"]
        );
        assert_eq!(
            summaries("credentials_helper \"a\" {}\ncredentials_helper \"b\" {}"),
            ["No more than one credentials_helper block may be specified"]
        );
    }

    #[test]
    fn a_named_file_that_is_missing_is_warned_of() {
        let variables = [("TF_CLI_CONFIG_FILE".to_owned(), "/no/such".to_owned())].into();
        let problems = check(&Environment { variables, ..Environment::default() });
        let first = problems.iter().next().expect("a warning");
        assert_eq!(first.summary(), "Unable to open CLI configuration file");
        assert!(!problems.has_errors());
    }
}
