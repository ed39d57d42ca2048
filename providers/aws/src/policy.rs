//! JSON policies: when two of them mean the same, and how they are written.

use std::fmt::Write;

use sdk::Value;
use serde_json::{Map, Value as Json};

/// Whether two JSON policies mean the same: order of statements, actions, principals and values of conditions does not
/// matter, nor whether a single one stands in a list.
pub fn equivalent(prior: &Value, configured: &Value) -> bool {
    match (prior.as_str(), configured.as_str()) {
        (Some(prior), Some(configured)) => same(prior, configured),
        _ => false,
    }
}

/// [`equivalent`] for texts.
pub fn same(a: &str, b: &str) -> bool {
    if a.trim() == b.trim() {
        return true;
    }
    match (parse(a), parse(b)) {
        (Some(a), Some(b)) => canonical(&a, Place::Document) == canonical(&b, Place::Document),
        _ => false,
    }
}

/// Whether two JSON texts are the same value.
pub fn same_json(prior: &Value, configured: &Value) -> bool {
    match (prior.as_str(), configured.as_str()) {
        (Some(prior), Some(configured)) => match (parse(prior), parse(configured)) {
            (Some(a), Some(b)) => a == b,
            _ => prior == configured,
        },
        _ => false,
    }
}

/// JSON without white space and with sorted keys, as Terraform's provider stores it. Anything else stays as it is.
pub fn normalize(value: Value) -> Value {
    match value.as_str().and_then(|text| normalize_text(text)) {
        Some(text) => Value::string(text),
        None => value,
    }
}

/// [`normalize`] for texts; `None`: not JSON.
pub fn normalize_text(text: &str) -> Option<String> {
    parse(text).map(|json| {
        let mut out = String::with_capacity(text.len());
        write_json(&mut out, &json);
        out
    })
}

/// What is stored of a policy that was read: the known text if it means the same, else the normalised one.
pub fn stored(known: Option<&str>, read: &str) -> String {
    match known {
        Some(known) if !known.is_empty() && same(known, read) => known.to_owned(),
        _ => normalize_text(read).unwrap_or_else(|| read.to_owned()),
    }
}

/// [`normalize`] with the version first, as some types of Terraform's provider store it.
pub fn normalize_version_first(value: Value) -> Value {
    match value.as_str().and_then(|text| version_first(text)) {
        Some(text) => Value::string(text),
        None => value,
    }
}

/// [`normalize_version_first`] for texts; `None`: not JSON.
pub fn version_first(text: &str) -> Option<String> {
    const VERSION: &str = r#""Version":"2012-10-17""#;
    let plain = normalize_text(text)?;
    let moved = plain.strip_prefix('{').and_then(|inner| inner.split_once(VERSION)).map(|(before, after)| {
        let (before, comma) = before.strip_suffix(',').map_or((before, ""), |before| (before, ","));
        format!("{{{VERSION}{comma}{before}{after}")
    });
    // The text is also found in the depths of a document, where it can't be moved from.
    Some(moved.filter(|moved| parse(moved).is_some()).unwrap_or(plain))
}

/// Parses JSON, or says what is wrong with it.
pub(crate) fn json_text(text: &str) -> Result<Json, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn parse(text: &str) -> Option<Json> {
    serde_json::from_str(text).ok()
}

/// Writes JSON as Go does: sorted keys, `<`, `>` and `&` escaped.
pub(crate) fn write_json(out: &mut String, json: &Json) {
    match json {
        Json::Null => out.push_str("null"),
        Json::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        // Writing to a string can't fail.
        Json::Number(number) => drop(write!(out, "{number}")),
        Json::String(text) => write_string(out, text),
        Json::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json(out, element);
            }
            out.push(']');
        }
        Json::Object(entries) => {
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (index, (name, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(out, name);
                out.push(':');
                write_json(out, value);
            }
            out.push('}');
        }
    }
}

/// Writes a string as Go does.
pub(crate) fn write_string(out: &mut String, text: &str) {
    let quoted = Json::from(text).to_string();
    for c in quoted.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => drop(write!(out, "\\u{:04x}", u32::from(c))),
            _ => out.push(c),
        }
    }
}

/// Where in a policy a value stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Document,
    Statements,
    Statement,
    /// Principals by kind, or `*`.
    Principal,
    /// Operators, then keys, then values.
    Condition,
    Keys,
    /// A string or a list of strings: a set.
    Strings,
    Other,
}

/// The same value for all policies that mean the same.
fn canonical(json: &Json, place: Place) -> Json {
    match (place, json) {
        (Place::Document, Json::Object(entries)) => object(entries, |name| match name {
            "Statement" => Place::Statements,
            _ => Place::Other,
        }),
        (Place::Statements, Json::Array(statements)) => {
            set(statements.iter().map(|statement| canonical(statement, Place::Statement)).collect())
        }
        (Place::Statements, statement) => Json::Array(vec![canonical(statement, Place::Statement)]),
        (Place::Statement, Json::Object(entries)) => object(entries, |name| match name {
            "Action" | "NotAction" | "Resource" | "NotResource" => Place::Strings,
            "Principal" | "NotPrincipal" => Place::Principal,
            "Condition" => Place::Condition,
            _ => Place::Other,
        }),
        // Everybody can be written in two ways.
        (Place::Principal, Json::String(text)) if text == "*" => {
            Json::Object(Map::from_iter([("AWS".to_owned(), Json::Array(vec![Json::from("*")]))]))
        }
        (Place::Principal, Json::Object(entries)) => object(entries, |_| Place::Strings),
        (Place::Condition, Json::Object(entries)) => object(entries, |_| Place::Keys),
        (Place::Keys, Json::Object(entries)) => object(entries, |_| Place::Strings),
        (Place::Strings, Json::Array(elements)) => set(elements.iter().map(string).collect()),
        (Place::Strings, single) => Json::Array(vec![string(single)]),
        _ => json.clone(),
    }
}

fn object(entries: &Map<String, Json>, place: impl Fn(&str) -> Place) -> Json {
    let kept = entries.iter().filter(|(name, value)| {
        // Empty names and lists are as good as none.
        !(value.is_null() || name.as_str() == "Sid" && value.as_str() == Some(""))
    });
    Json::Object(kept.map(|(name, value)| (name.clone(), canonical(value, place(name)))).collect())
}

fn set(mut elements: Vec<Json>) -> Json {
    elements.sort_by_cached_key(Json::to_string);
    elements.dedup();
    Json::Array(elements)
}

/// Booleans and numbers in conditions are strings; an account stands for its root user.
fn string(json: &Json) -> Json {
    let text = match json {
        Json::String(text) => text.clone(),
        Json::Bool(_) | Json::Number(_) => json.to_string(),
        _ => return json.clone(),
    };
    let account = text.split(':').nth(4).filter(|_| text.starts_with("arn:") && text.ends_with(":root"));
    Json::String(account.map_or(text.clone(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_that_mean_the_same_are_equivalent() {
        let a = r#"{"Version":"2012-10-17","Statement":[{"Sid":"","Effect":"Allow","Action":["a:B","c:D"],"Resource":"*",
            "Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Condition":{"Bool":{"x":true}}},
            {"Effect":"Deny","Action":"e:F","Principal":"*"}]}"#;
        let b = r#"{"Statement":[{"Effect":"Deny","Action":["e:F"],"Principal":{"AWS":["*"]}},
            {"Effect":"Allow","Action":["c:D","a:B"],"Resource":["*"],"Principal":{"AWS":["123456789012"]},
            "Condition":{"Bool":{"x":["true"]}}}],"Version":"2012-10-17"}"#;
        assert!(same(a, b));
        assert!(!same(a, &b.replace("c:D", "c:E")));
        assert!(!same(a, "no json"));
    }

    #[test]
    fn policies_are_stored_without_white_space_and_sorted() {
        let text = "{\n \"b\": [1, true, null],\n \"a\": \"<x>\" }";
        assert_eq!(normalize_text(text).as_deref(), Some(r#"{"a":"\u003cx\u003e","b":[1,true,null]}"#));
        assert_eq!(stored(Some(text), r#"{"a":"<x>","b":[1,true,null]}"#), text);
    }
}
