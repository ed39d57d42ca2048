//! What encrypts states and plans: the `encryption` block of the root module, and `TF_ENCRYPTION` laid over it.

use std::sync::Arc;

use config::module::Module;
use lang::Diagnostics;
use lang::ast::{Body, JsonKind, JsonNode};
use lang::syntax::{parse_file, parse_json_file};
use state_encryption::{Config, Encryption, Kinds, Surroundings};

use crate::session::Session;

const VARIABLE: &str = "TF_ENCRYPTION";

/// The kinds of key provider that are linked in.
const KINDS: Kinds = Kinds::with(&[
    #[cfg(feature = "s3")]
    state_aws_kms::KIND,
]);

/// What encrypts, as the root module and the environment say. No key is made or asked for yet.
///
/// # Errors
/// Mistakes in what they say.
pub fn configured(session: &Session, module: Option<&Module>) -> Result<Encryption, Diagnostics> {
    let blocks = module.map(|module| module.encryption.as_slice()).unwrap_or_default();
    let text = session.environment.get(VARIABLE).unwrap_or_default().trim();
    if blocks.is_empty() && text.is_empty() {
        return Ok(Encryption::default());
    }
    let mut config = Config::default();
    for block in blocks {
        config = config.overlaid(Config::read(&session.sources, &block.body)?);
    }
    if !text.is_empty() {
        config = config.overlaid(Config::parse(&session.sources, VARIABLE, text)?);
    }
    let services = crate::backend::surroundings(&session.environment, state::Codec::default());
    let build = |scope: &dyn lang::eval::Scope| {
        let surroundings = Surroundings { kinds: KINDS, services: &services, scope, sources: &session.sources };
        Encryption::build(&config, &surroundings)
    };
    let Some(module) = module else { return build(&lang::eval::NoScope) };
    let (given, problems) = crate::variables::collect(session, module, session.environment.given());
    if problems.has_errors() {
        return Err(problems);
    }
    let workspace = session.workspace(Arc::new(module.clone()));
    let (built, problems) = planner::with_static_scope(&workspace, given, build);
    if problems.has_errors() { Err(problems) } else { built }
}

/// A file of a configuration without what is in its `encryption` blocks, which may be keys. All else stays in its place.
pub fn without_keys(name: &str, bytes: &[u8]) -> Vec<u8> {
    let sources = lang::Sources::new();
    let parse = |json: bool| match json {
        true => parse_json_file(&sources, name.as_ref(), bytes).0,
        false => parse_file(&sources, name.as_ref(), bytes).0,
    };
    let mut clean = bytes.to_vec();
    let blank = |text: &mut [u8], range: lang::Range| {
        let inside = text.get_mut(range.start as usize..range.end as usize).unwrap_or_default();
        inside.iter_mut().filter(|byte| !byte.is_ascii_whitespace()).for_each(|byte| *byte = b' ');
    };
    match parse(name.ends_with(".json")) {
        Body::Native(file) => {
            for terraform in file.blocks.iter().filter(|block| block.kind == "terraform") {
                let Body::Native(body) = &terraform.body else { continue };
                for block in body.blocks.iter().filter(|block| block.kind == "encryption") {
                    blank(&mut clean, block.range);
                }
            }
        }
        Body::Json(file) => {
            let mut found = Vec::new();
            for terraform in properties(&file.value, "terraform") {
                found.extend(properties(terraform, "encryption").into_iter().map(|node| node.range));
            }
            for range in found {
                blank(&mut clean, range);
                for (at, byte) in [(range.start, b'{'), (range.end.saturating_sub(1), b'}')] {
                    if let Some(place) = clean.get_mut(at as usize) {
                        *place = byte;
                    }
                }
            }
        }
    }
    clean
}

/// The values of a property of an object, or of the objects of an array.
fn properties<'n>(node: &'n JsonNode, name: &str) -> Vec<&'n JsonNode> {
    match &node.kind {
        JsonKind::Object(properties) => {
            properties.iter().filter(|property| property.name == name).map(|property| &property.value).collect()
        }
        JsonKind::Array(elements) => elements.iter().flat_map(|element| properties(element, name)).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saved_configurations_hold_no_keys() {
        let text = "terraform {\n  encryption {\n    key_provider \"pbkdf2\" \"x\" {\n      passphrase = \"hush\"\n    }\n  }\n  \
                    required_version = \"> 1\"\n}\nlocals { a = 1 }\n";
        let clean = String::from_utf8(without_keys("a.tf", text.as_bytes())).unwrap();
        assert!(!clean.contains("hush") && !clean.contains("pbkdf2"), "{clean}");
        assert_eq!(clean.find("required_version"), text.find("required_version"));
        assert_eq!(clean.lines().count(), text.lines().count());
        let text = r#"{"terraform": [{"encryption": {"key_provider": {"pbkdf2": {"x": {"passphrase": "hush"}}}}}], "locals": {}}"#;
        let clean = String::from_utf8(without_keys("a.tf.json", text.as_bytes())).unwrap();
        assert!(!clean.contains("hush") && clean.len() == text.len(), "{clean}");
        let json: serde_json::Value = serde_json::from_str(&clean).unwrap();
        assert_eq!(json, serde_json::json!({"terraform": [{"encryption": {}}], "locals": {}}));
    }
}
