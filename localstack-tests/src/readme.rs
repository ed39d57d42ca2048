//! The README's table of resource types, as the binary itself lists them.

use serde_json::Value;

use crate::{Account, HarnessError, Tool, Workspace};

const BEGIN: &str = "<!-- begin: resource types, as `windlass providers schema -json` lists them -->\n";
const END: &str = "<!-- end: resource types -->";

/// A configuration that needs every provider.
const CONFIGURATION: &str = r#"
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

resource "terraform_data" "built_in" {}
"#;

/// The README's text with the table that the binary's registry makes.
pub fn with_table(tool: &Tool, readme: &str) -> Result<String, HarnessError> {
    let unclear = |reason: &str| HarnessError::Readme { reason: reason.to_owned() };
    let (before, rest) = readme.split_once(BEGIN).ok_or_else(|| unclear("the comment before the table is gone"))?;
    let (_, after) = rest.split_once(END).ok_or_else(|| unclear("the comment after the table is gone"))?;
    // nothing is called: the schemas are in the binary
    let workspace = Workspace::of(&Account::fresh("http://127.0.0.1:9"), CONFIGURATION)?;
    let outcome = workspace.run(tool, &["providers", "schema", "-json"])?;
    let document: Value = serde_json::from_str(&outcome.stdout).map_err(|_| unclear(&outcome.text()))?;
    let providers = document["provider_schemas"].as_object().ok_or_else(|| unclear(&outcome.text()))?;
    let mut table = "| provider | resources | data sources |\n|---|---|---|\n".to_owned();
    for (source, schema) in providers {
        let name = match source.strip_prefix("registry.terraform.io/") {
            Some(name) => format!("`{name}`"),
            None => "built in".to_owned(),
        };
        let types = |kind: &str| {
            let names = schema[kind].as_object().into_iter().flat_map(|types| types.keys());
            names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        };
        table += &format!("| {name} | {} | {} |\n", types("resource_schemas"), types("data_source_schemas"));
    }
    Ok(format!("{before}{BEGIN}{table}{END}{after}"))
}
