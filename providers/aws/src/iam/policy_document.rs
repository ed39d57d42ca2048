//! `data "aws_iam_policy_document"`

use std::collections::BTreeSet;

use sdk::{Cx, DataSource, Model, ProviderDiagnostic, Result, Value, async_trait};

use super::document::{self, Conditions, Document, Principals, Scalar};
use crate::client::Aws;
use crate::policy::json_text;

/// Builds a JSON policy. No API: the text follows from the configuration alone, to the byte as in Terraform's provider.
#[derive(Clone, Debug, Default, Model)]
pub struct PolicyDocument {
    #[attr(optional, computed)]
    id: String,
    #[attr(computed)]
    json: String,
    #[attr(computed)]
    minified_json: String,
    #[attr(
        optional,
        deprecated = "override_json is deprecated. This argument is retained only for backward compatibility with previous versions of this data source."
    )]
    override_json: Option<String>,
    #[attr(optional)]
    override_policy_documents: Option<Vec<Option<String>>>,
    #[attr(optional)]
    policy_id: Option<String>,
    #[attr(
        optional,
        deprecated = "source_json is deprecated. This argument is retained only for backward compatibility with previous versions of this data source."
    )]
    source_json: Option<String>,
    #[attr(optional)]
    source_policy_documents: Option<Vec<Option<String>>>,
    #[attr(optional)]
    version: Option<String>,
    #[block(list)]
    statement: Vec<Statement>,
}

/// `statement { … }`
#[derive(Clone, Debug, Default, Model)]
pub struct Statement {
    #[attr(optional)]
    actions: BTreeSet<String>,
    #[attr(optional)]
    effect: Option<String>,
    #[attr(optional)]
    not_actions: BTreeSet<String>,
    #[attr(optional)]
    not_resources: BTreeSet<String>,
    #[attr(optional)]
    resources: BTreeSet<String>,
    #[attr(optional)]
    sid: Option<String>,
    #[block(set)]
    condition: Vec<Condition>,
    #[block(set)]
    not_principals: Vec<Principal>,
    #[block(set)]
    principals: Vec<Principal>,
}

/// `condition { … }`
#[derive(Clone, Debug, Default, Model)]
pub struct Condition {
    #[attr(required)]
    test: String,
    #[attr(required)]
    values: Vec<String>,
    #[attr(required)]
    variable: String,
}

/// `principals { … }`, `not_principals { … }`
#[derive(Clone, Debug, Default, Model)]
pub struct Principal {
    #[attr(required)]
    identifiers: BTreeSet<String>,
    #[attr(required, name = "type")]
    kind: String,
}

const VERSIONS: [&str; 2] = ["2008-10-17", "2012-10-17"];

#[async_trait]
impl DataSource for PolicyDocument {
    const NAME: &'static str = "aws_iam_policy_document";
    const PURE: bool = true;
    type Context = Aws;

    async fn read(_cx: &Cx<Aws>, config: PolicyDocument) -> Result<PolicyDocument> {
        built(config).map_err(sdk::Error::new)
    }

    fn validate(config: &Value) -> Vec<ProviderDiagnostic> {
        invalid(config)
    }
}

fn built(mut config: PolicyDocument) -> Result<PolicyDocument, String> {
    let version = config.version.get_or_insert_with(|| "2012-10-17".to_owned()).clone();
    for statement in &mut config.statement {
        statement.effect.get_or_insert_with(|| "Allow".to_owned());
        statement.sid.get_or_insert_default();
    }
    let mut merged = Document::default();
    let mut sids = BTreeSet::new();
    for (index, text) in sources(&config.source_policy_documents) {
        let failed = |why: String| format!("writing IAM Policy Document: merging source document {index}: {why}");
        let source = document::parse(text).map_err(failed)?;
        for (statement, sid) in source.statements.iter().map(|s| s.sid.as_str()).enumerate() {
            if !sid.is_empty() && !sids.insert(sid.to_owned()) {
                return Err(failed(format!(
                    "duplicate Sid ({sid}) in source_policy_documents (statement {statement}). Remove the Sid or ensure \
                     Sids are unique."
                )));
            }
        }
        merged.merge(source);
    }

    let id = config.policy_id.clone().unwrap_or_default();
    let mut own = Document { version: version.clone(), id, statements: Vec::new() };
    let mut sids = BTreeSet::new();
    for statement in &config.statement {
        let sid = statement.sid.clone().unwrap_or_default();
        if !sid.is_empty() && !sids.insert(sid.clone()) {
            return Err(format!(
                "writing IAM Policy Document: duplicate Sid ({sid}). Remove the Sid or ensure the Sid is unique."
            ));
        }
        own.statements.push(expanded(statement, sid, &version)?);
    }
    merged.merge(own);

    for (index, text) in sources(&config.override_policy_documents) {
        let failed = |why: String| format!("writing IAM Policy Document: merging override document {index}: {why}");
        merged.merge(document::parse(text).map_err(failed)?);
    }
    config.json = merged.indented();
    config.minified_json = merged.minified();
    config.id = crc32(config.json.as_bytes()).to_string();
    Ok(config)
}

fn sources(documents: &Option<Vec<Option<String>>>) -> impl Iterator<Item = (usize, &str)> {
    let documents = documents.iter().flatten().enumerate();
    documents.filter_map(|(index, text)| Some((index, text.as_deref()?)))
}

fn expanded(statement: &Statement, sid: String, version: &str) -> Result<document::Statement, String> {
    let strings = |what: &str, set: &BTreeSet<String>| -> Result<Option<serde_json::Value>, String> {
        if set.is_empty() {
            return Ok(None);
        }
        one_or_sorted(set, version).map(|scalar| Some(scalar.to_json())).map_err(|why| format!("reading {what}: {why}"))
    };
    let plain = |set: &BTreeSet<String>| (!set.is_empty()).then(|| Scalar::of_sorted(set.iter().cloned()).to_json());
    Ok(document::Statement {
        sid,
        effect: statement.effect.clone().unwrap_or_default(),
        actions: plain(&statement.actions),
        not_actions: plain(&statement.not_actions),
        resources: strings("resources", &statement.resources)?,
        not_resources: strings("not_resources", &statement.not_resources)?,
        principals: principals(&statement.principals, version).map_err(|why| format!("reading principals: {why}"))?,
        not_principals: principals(&statement.not_principals, version)
            .map_err(|why| format!("reading not_principals: {why}"))?,
        conditions: conditions(&statement.condition, version)
            .map_err(|why| format!("reading condition: reading values: {why}"))?,
    })
}

fn principals(blocks: &[Principal], version: &str) -> Result<Principals, String> {
    let blocks = in_hash_order(blocks, |block| {
        let ids = in_hash_order(&block.identifiers.iter().collect::<Vec<_>>(), |id| format!("{id};"));
        let ids: String = ids.iter().map(|id| format!("{id};")).collect();
        format!("identifiers:{{{ids}}};type:{};", block.kind)
    });
    let blocks = blocks.into_iter().map(|block| {
        let ids = one_or_sorted(&block.identifiers, version).map_err(|why| format!("reading identifiers: {why}"))?;
        Ok((block.kind.clone(), ids))
    });
    Ok(Principals(blocks.collect::<Result<_, String>>()?))
}

fn conditions(blocks: &[Condition], version: &str) -> Result<Conditions, String> {
    let blocks = in_hash_order(blocks, |block| {
        let values: String = block.values.iter().map(|value| format!("{value};")).collect();
        format!("test:{};values:({values});variable:{};", block.test, block.variable)
    });
    let blocks = blocks.into_iter().map(|block| {
        let values = block.values.iter().map(|value| with_variables(value, version));
        Ok((block.test.clone(), block.variable.clone(), values.collect::<Result<_, String>>()?))
    });
    Ok(Conditions(blocks.collect::<Result<_, String>>()?))
}

fn one_or_sorted(set: &BTreeSet<String>, version: &str) -> Result<Scalar, String> {
    // Sorted first, replaced then: `&{` and `${` sort differently.
    match Scalar::of_sorted(set.iter().cloned()) {
        Scalar::One(text) => with_variables(&text, version).map(Scalar::One),
        Scalar::Many(texts) => {
            texts.iter().map(|text| with_variables(text, version)).collect::<Result<_, _>>().map(Scalar::Many)
        }
    }
}

/// `&{…}` stands for `${…}`, which would be a template.
fn with_variables(text: &str, version: &str) -> Result<String, String> {
    if version == "2008-10-17" && text.contains("&{") {
        return Err(format!("found &{{ sequence in ({text}), which is not supported in document version 2008-10-17"));
    }
    Ok(text.replace("&{", "${"))
}

/// The order that terraform-plugin-sdk keeps sets in: by the decimal text of the checksum of an element's serialization.
fn in_hash_order<T: Clone>(elements: &[T], serialized: impl Fn(&T) -> String) -> Vec<T> {
    let mut keyed: Vec<(String, T)> =
        elements.iter().map(|e| (crc32(serialized(e).as_bytes()).to_string(), e.clone())).collect();
    keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
    keyed.into_iter().map(|(_, element)| element).collect()
}

/// CRC-32 as in IEEE 802.3.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

fn invalid(config: &Value) -> Vec<ProviderDiagnostic> {
    let mut found = Vec::new();
    let text = |object: &Value, name: &str| object.get(name).and_then(Value::as_str).map(ToString::to_string);
    let mut one_of = |what: String, allowed: &[&str], given: Option<String>| {
        if let Some(given) = given.filter(|given| !allowed.contains(&given.as_str())) {
            let allowed: Vec<String> = allowed.iter().map(|text| format!("{text:?}")).collect();
            let message = format!("expected {what} to be one of [{}], got {given}", allowed.join(" "));
            found.push(ProviderDiagnostic::error(message, ""));
        }
    };
    one_of("version".to_owned(), &VERSIONS, text(config, "version"));
    let statements = config.get("statement").and_then(Value::elements).unwrap_or_default();
    for (index, statement) in statements.iter().enumerate() {
        one_of(format!("statement.{index}.effect"), &["Allow", "Deny"], text(statement, "effect"));
    }
    for (index, statement) in statements.iter().enumerate() {
        if text(statement, "sid").is_some_and(|sid| !sid.bytes().all(|b| b.is_ascii_alphanumeric())) {
            found.push(ProviderDiagnostic::error(
                format!("invalid value for statement.{index}.sid (must only include alphanumeric characters)"),
                "",
            ));
        }
    }
    for name in ["override_json", "source_json"] {
        if let Some(given) = text(config, name).filter(|given| !given.is_empty()) {
            let message = format!("expected {name:?} to be an empty string: got {given}");
            found.push(ProviderDiagnostic::error(message, ""));
        }
    }
    for name in ["override_policy_documents", "source_policy_documents"] {
        let documents = config.get(name).and_then(Value::elements).unwrap_or_default();
        for (index, document) in documents.iter().enumerate() {
            if let Some(Err(error)) = document.as_str().map(|text| json_text(text)) {
                let message = format!("\"{name}.{index}\" contains an invalid JSON: {error}");
                found.push(ProviderDiagnostic::error(message, ""));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &[&str]) -> BTreeSet<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn json_and_id_are_terraforms_to_the_byte() {
        let statement = Statement {
            sid: Some("A".to_owned()),
            actions: set(&["s3:Get*", "s3:Put*"]),
            resources: set(&["arn:aws:s3:::b/&{aws:username}/<x>"]),
            principals: vec![
                Principal { kind: "AWS".to_owned(), identifiers: set(&["*"]) },
                Principal { kind: "AWS".to_owned(), identifiers: set(&["1", "2"]) },
            ],
            condition: vec![
                Condition { test: "StringLike".into(), variable: "v".into(), values: vec!["b".into(), "a".into()] },
                Condition { test: "StringLike".into(), variable: "v".into(), values: vec!["c".into()] },
            ],
            ..Statement::default()
        };
        let document = built(PolicyDocument { statement: vec![statement], ..PolicyDocument::default() });
        let document = document.expect("a document");
        assert_eq!(document.minified_json, EXPECTED);
        assert_eq!(document.id, EXPECTED_ID);
    }

    const EXPECTED: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Action":["s3:Put*","s3:Get*"],"Resource":"arn:aws:s3:::b/${aws:username}/\u003cx\u003e","Principal":{"AWS":["2","1","*"]},"Condition":{"StringLike":{"v":["b","a","c"]}}}]}"#;
    const EXPECTED_ID: &str = "2811941785";

    #[test]
    fn documents_merge_by_sid() {
        let base = r#"{"Version":"2008-10-17","Statement":[{"Sid":"a","Effect":"Allow","Action":"x:Y","Principal":"*",
            "Condition":{"Bool":{"k":true}}},{"Effect":"Deny","Action":["z"]}]}"#;
        let over = r#"{"statement":[{"sid":"a","Effect":"Deny","NotAction":"q"},{"Sid":"b","Effect":"Allow"}]}"#;
        let document = built(PolicyDocument {
            source_policy_documents: Some(vec![Some(base.to_owned()), None]),
            override_policy_documents: Some(vec![Some(over.to_owned())]),
            ..PolicyDocument::default()
        });
        let json = document.expect("a document").minified_json;
        assert_eq!(
            json,
            r#"{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Deny","NotAction":"q"},{"Effect":"Deny","Action":["z"]},{"Sid":"b","Effect":"Allow"}]}"#
        );
    }

    #[test]
    fn a_sid_used_twice_is_refused() {
        let statement = Statement { sid: Some("a".to_owned()), ..Statement::default() };
        let config = PolicyDocument { statement: vec![statement.clone(), statement], ..PolicyDocument::default() };
        let error = built(config).expect_err("a duplicate");
        assert!(error.contains("duplicate Sid (a)"), "{error}");
    }

    #[test]
    fn wrong_versions_effects_and_sids_are_named() {
        let statement = Value::object([("effect", Value::string("Perhaps")), ("sid", Value::string("a b"))]);
        let config = Value::object([
            ("version", Value::string("2020-01-01")),
            ("statement", Value::list(statement.ty(), [statement])),
        ]);
        let summaries: Vec<String> = invalid(&config).into_iter().map(|diagnostic| diagnostic.summary).collect();
        assert_eq!(
            summaries,
            [
                "expected version to be one of [\"2008-10-17\" \"2012-10-17\"], got 2020-01-01",
                "expected statement.0.effect to be one of [\"Allow\" \"Deny\"], got Perhaps",
                "invalid value for statement.0.sid (must only include alphanumeric characters)",
            ]
        );
    }
}
