//! Running both tools on the same files.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};

/// A binary under comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    Terraform,
    Windlass,
}

/// Both, the one that is right first.
pub const BOTH: [Tool; 2] = [Tool::Terraform, Tool::Windlass];

impl Tool {
    /// What it prints on standard output, run in `folder`.
    pub fn run(self, folder: &Path, arguments: &[&str]) -> String {
        self.run_with_errors(folder, arguments).0
    }

    /// What it prints on standard output and as errors, run in `folder`.
    pub fn run_with_errors(self, folder: &Path, arguments: &[&str]) -> (String, String) {
        let binary = match self {
            Tool::Terraform => "terraform",
            Tool::Windlass => env!("CARGO_BIN_EXE_windlass"),
        };
        let mut command = Command::new(binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TF_") {
                command.env_remove(name);
            }
        }
        let settings = folder.join(".cli-settings");
        std::fs::write(&settings, "disable_checkpoint = true\n").unwrap();
        let output = command
            .args(arguments)
            .current_dir(folder)
            .env("TF_CLI_CONFIG_FILE", settings)
            .env("CHECKPOINT_DISABLE", "1")
            .env("HOME", "/home/nobody")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.code().is_some(), "{self:?} was killed in {}", folder.display());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!errors.contains("panicked"), "{errors}");
        (String::from_utf8(output.stdout).unwrap(), errors.into_owned())
    }

    /// The diagnostics of `validate`.
    pub fn validate(self, folder: &Path) -> Vec<Json> {
        let text = self.run(folder, &["validate", "-json"]);
        let document: Json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{self:?}: {error}: {text}"));
        let mut diagnostics = document["diagnostics"].as_array().unwrap().clone();
        diagnostics.sort_by_cached_key(key);
        diagnostics
    }

    /// The diagnostics of a plan by the file that they are about.
    pub fn plan(self, folder: &Path) -> BTreeMap<String, Vec<Json>> {
        let text = self.run(folder, &["plan", "-json", "-out=plan"]);
        let mut found: BTreeMap<String, Vec<Json>> = BTreeMap::new();
        for line in text.lines() {
            let Ok(message) = serde_json::from_str::<Json>(line) else { continue };
            if let Some(diagnostic) = message.get("diagnostic") {
                let file = diagnostic["range"]["filename"].as_str().unwrap_or_default();
                found.entry(file.to_owned()).or_default().push(diagnostic.clone());
            }
        }
        for diagnostics in found.values_mut() {
            diagnostics.sort_by_cached_key(key);
        }
        found
    }

    /// The plan that `plan` saved.
    pub fn show(self, folder: &Path) -> Json {
        let text = self.run(folder, &["show", "-json", "plan"]);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{self:?}: {error}: {text}"))
    }
}

/// An order that does not depend on the tool.
fn key(diagnostic: &Json) -> String {
    let start = &diagnostic["range"]["start"];
    format!(
        "{:>9}{}{}",
        start["byte"].as_u64().unwrap_or_default(),
        diagnostic["range"]["filename"],
        diagnostic["summary"],
    )
}

/// Where two documents first differ, with both sides.
pub fn first_difference(path: &str, want: &Json, got: &Json) -> Option<String> {
    match (want, got) {
        (Json::Object(a), Json::Object(b)) => {
            let names = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)));
            names.into_iter().find_map(|name| {
                first_difference(
                    &format!("{path}.{name}"),
                    a.get(name).unwrap_or(&Json::Null),
                    b.get(name).unwrap_or(&Json::Null),
                )
            })
        }
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(i, (a, b))| first_difference(&format!("{path}[{i}]"), a, b))
        }
        _ if want == got => None,
        (Json::Number(a), Json::Number(b)) if lang::Number::from_json(a) == lang::Number::from_json(b) => None,
        _ => Some(format!("{path}: want {want}, got {got}")),
    }
}

/// The part of a diagnostic that must agree. Explanations are our own words, but where a function tells what is wrong.
fn essence(diagnostic: &Json) -> Json {
    let summary = &diagnostic["summary"];
    let of_function = summary == "Invalid function argument" || summary == "Error in function call";
    let detail = if of_function { diagnostic["detail"].clone() } else { Json::Null };
    json!({"severity": diagnostic["severity"], "summary": summary, "detail": detail, "range": diagnostic["range"]})
}

/// The first difference between two lists of diagnostics, or that one has more.
pub fn compare_diagnostics(want: &[Json], got: &[Json]) -> Option<String> {
    let brief = |list: &[Json]| {
        let lines = list.iter().map(|d| {
            let (start, end) = (&d["range"]["start"], &d["range"]["end"]);
            let place = format!("{} {}-{}", d["range"]["filename"], start["byte"], end["byte"]);
            format!("\n    {place} {} | {}", d["summary"], d["detail"])
        });
        lines.collect::<String>()
    };
    let (essential_want, essential_got): (Json, Json) =
        (want.iter().map(essence).collect(), got.iter().map(essence).collect());
    let difference = first_difference("", &essential_want, &essential_got)?;
    let difference = if want.len() == got.len() { difference } else { "not as many".to_owned() };
    Some(format!("{difference}\n  want:{}\n  got:{}", brief(want), brief(got)))
}
