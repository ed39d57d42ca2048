//! The command line's own configuration: tokens and services of hosts.

pub mod problems;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use fetch::Services;
use hcl::{Body, Expression};
use serde_json::Value as Json;

use crate::io::Environment;

/// A program that keeps tokens: `terraform-credentials-KIND`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialsHelper {
    /// Its name.
    pub kind: String,
    /// What it is called with, before what it is asked.
    pub arguments: Vec<String>,
}

/// What the configuration files of the user say.
#[derive(Clone, Default)]
pub struct CliConfig {
    /// Tokens by host, of `credentials` blocks.
    pub tokens: BTreeMap<String, String>,
    /// The hosts whose tokens stand in a file that the user writes, not in the one that `login` writes.
    pub written_by_hand: BTreeSet<String>,
    /// The program that keeps tokens, of a `credentials_helper` block.
    pub helper: Option<CredentialsHelper>,
    /// Services by host, of `host` blocks.
    pub services: Services,
}

impl CliConfig {
    /// Reads the files: the one that `TF_CLI_CONFIG_FILE` names or `~/.terraformrc`, and what `login` has stored. Missing and
    /// unreadable files say nothing.
    pub fn load(environment: &Environment) -> CliConfig {
        let home = environment.get("HOME").map(PathBuf::from);
        let main = environment
            .get("TF_CLI_CONFIG_FILE")
            .or_else(|| environment.get("TERRAFORM_CONFIG"))
            .map(PathBuf::from)
            .or_else(|| home.as_ref().map(|home| home.join(".terraformrc")));
        let mut config = CliConfig::default();
        if let Some(stored) = home.map(|home| home.join(".terraform.d/credentials.tfrc.json"))
            && let Ok(text) = std::fs::read_to_string(stored)
        {
            config.stored_tokens(&text);
        }
        if let Some(text) = main.and_then(|file| std::fs::read_to_string(file).ok()) {
            config.blocks(&text);
        }
        config
    }

    fn blocks(&mut self, text: &str) {
        let Ok(body) = hcl::parse(&without_overrides(text)) else { return };
        let body: Body = body;
        for block in body.blocks() {
            if block.identifier() == "credentials_helper" {
                let kind = block.labels().first().map(|label| label.as_str().to_owned());
                self.helper = kind.map(|kind| CredentialsHelper { kind, arguments: arguments(block.body()) });
                continue;
            }
            let Some(host) = block.labels().first().map(|label| label.as_str().to_lowercase()) else { continue };
            match block.identifier() {
                "credentials" => {
                    let token = block.body().attributes().find(|attribute| attribute.key() == "token");
                    if let Some(Expression::String(token)) = token.map(|attribute| attribute.expr()) {
                        self.written_by_hand.insert(host.clone());
                        self.tokens.insert(host, token.clone());
                    }
                }
                "host" => {
                    let services = block.body().attributes().find(|attribute| attribute.key() == "services");
                    if let Some(Expression::Object(services)) = services.map(|attribute| attribute.expr()) {
                        let text = |expression: &Expression| match expression {
                            Expression::String(text) => Some(text.clone()),
                            _ => None,
                        };
                        let named = |(key, value): (&hcl::ObjectKey, &Expression)| {
                            let name = match key {
                                hcl::ObjectKey::Identifier(name) => Some(name.to_string()),
                                hcl::ObjectKey::Expression(expression) => text(expression),
                                _ => None,
                            };
                            Some((name?, text(value)?))
                        };
                        self.services.insert(host, services.iter().filter_map(named).collect());
                    }
                }
                _ => {}
            }
        }
    }

    /// `{"credentials": {"HOST": {"token": "…"}}}`
    fn stored_tokens(&mut self, text: &str) {
        let document: Json = serde_json::from_str(text).unwrap_or_default();
        for (host, entry) in document.get("credentials").and_then(Json::as_object).into_iter().flatten() {
            if let Some(token) = entry.get("token").and_then(Json::as_str) {
                self.tokens.insert(host.to_lowercase(), token.to_owned());
            }
        }
    }
}

/// `args = ["…"]`
fn arguments(body: &Body) -> Vec<String> {
    let given = body.attributes().find(|attribute| attribute.key() == "args");
    let Some(Expression::Array(items)) = given.map(|attribute| attribute.expr()) else { return Vec::new() };
    let text = |item: &Expression| match item {
        Expression::String(text) => Some(text.clone()),
        _ => None,
    };
    items.iter().filter_map(text).collect()
}

/// The text with `dev_overrides` blocks emptied, line by line as before. Terraform reads this file as HCL 1, where the names in
/// such a block are quoted; HCL 2 has no syntax for that, and what they say concerns plugins alone.
fn without_overrides(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::with_capacity(text.len());
    while let Some((before, after)) = rest.split_once("dev_overrides") {
        kept.push_str(before);
        kept.push_str("dev_overrides");
        let Some((head, body, tail)) = after
            .split_once('{')
            .and_then(|(head, block)| block.split_once('}').map(|(body, tail)| (head, body, tail)))
        else {
            rest = after;
            continue;
        };
        let empty = head.trim().is_empty();
        kept.push_str(head);
        kept.push('{');
        kept.extend(body.chars().filter(|c| !empty || *c == '\n'));
        kept.push('}');
        rest = tail;
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_services() {
        let mut config = CliConfig::default();
        config.stored_tokens(r#"{"credentials": {"a.com": {"token": "stored"}, "b.com": {"token": "kept"}}}"#);
        config.blocks(
            "plugin_cache_dir = \"x\"\ncredentials \"A.com\" {\n  token = \"t\"\n}\nhost \"c.com\" {\n  services = {\n    \
             \"modules.v1\" = \"http://x/\"\n  }\n}\n",
        );
        assert_eq!(config.tokens["a.com"], "t");
        assert_eq!(config.tokens["b.com"], "kept");
        assert_eq!(config.services["c.com"]["modules.v1"], "http://x/");
        config.blocks("credentials_helper \"vault\" {\n  args = [\"--x\", \"y\"]\n}\n");
        let helper = CredentialsHelper { kind: "vault".to_owned(), arguments: vec!["--x".to_owned(), "y".to_owned()] };
        assert_eq!(config.helper, Some(helper));
        assert!(config.written_by_hand.contains("a.com") && !config.written_by_hand.contains("b.com"));
        config.blocks("{{{");
        config.stored_tokens("nonsense");
    }
}
