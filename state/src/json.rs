//! JSON kept as text, in the very form in which Go's `encoding/json` prints it.
//!
//! A state must come out byte for byte as Terraform writes it, and a big one must stay cheap. Both follow from not
//! decoding: a part of the file is kept as compact text, compared as text, and indented again on the way out.

use std::fmt;
use std::sync::Arc;

use lang::go_json::{push_html_escaped, push_string};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A JSON value as compact text with Go's escapes (`<` is `\u003c`). Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Arc<str>);

impl Json {
    /// `{}`
    pub fn empty_object() -> Json {
        Json("{}".into())
    }

    /// Any JSON text; whitespace goes, the order of keys and the spelling of numbers stay.
    pub fn parse(text: &str) -> Result<Json, serde_json::Error> {
        let raw: &RawValue = serde_json::from_str(text)?;
        Ok(Json::from_raw(raw))
    }

    /// A value; the keys of objects are sorted, as cty's encoder does.
    pub fn from_value(value: &serde_json::Value) -> Json {
        let mut out = String::new();
        push_value(&mut out, value);
        Json(out.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        &*self.0 == "null"
    }

    /// Decodes it. The text is valid, so the only error is a nesting deeper than serde_json's 128 levels.
    pub fn to_value(&self) -> Result<serde_json::Value, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    /// Decodes it into a type.
    pub fn decode<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    pub(crate) fn from_raw(raw: &RawValue) -> Json {
        Json::from_valid(raw.get())
    }

    /// From text that is known to be valid JSON.
    pub(crate) fn from_valid(text: &str) -> Json {
        let mut out = String::with_capacity(text.len());
        compact(&mut out, text);
        Json(out.into())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Json::from_raw(&Box::<RawValue>::deserialize(deserializer)?))
    }
}

fn push_value(out: &mut String, value: &serde_json::Value) {
    match value {
        serde_json::Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (i, (key, value)) in entries.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                push_string(out, key);
                out.push(':');
                push_value(out, value);
            }
            out.push('}');
        }
        serde_json::Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                push_value(out, item);
            }
            out.push(']');
        }
        serde_json::Value::String(text) => push_string(out, text),
        scalar => out.push_str(&scalar.to_string()),
    }
}

/// The bytes up to the end of the string literal whose opening quote is before `text`, its closing quote included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (i, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return i + 1,
            _ => {}
        }
    }
    text.len()
}

/// Valid JSON without whitespace outside of strings and with Go's escapes.
fn compact(out: &mut String, text: &str) {
    let mut rest = text;
    // Whole runs are copied, not characters: this is where the time to read a big state goes.
    while let Some(end) = rest.find(['"', ' ', '\t', '\n', '\r']) {
        let (run, tail) = rest.split_at(end);
        out.push_str(run);
        if let Some(literal) = tail.strip_prefix('"') {
            out.push('"');
            let (literal, tail) = literal.split_at(string_length(literal));
            // It is valid: what JSON needs is escaped already.
            push_html_escaped(out, literal);
            rest = tail;
        } else {
            rest = tail.trim_start_matches([' ', '\t', '\n', '\r']);
        }
    }
    out.push_str(rest);
}

/// Compact JSON with line breaks and two spaces per level, as Go's `MarshalIndent` makes it; empty objects and arrays
/// stay on their line. The first line is not indented, the others are `depth` levels deep at least.
pub(crate) fn push_indented(out: &mut String, json: &Json, depth: usize) {
    let mut depth = depth;
    let mut rest = &*json.0;
    let mut opened = false;
    while let Some(c) = rest.chars().next() {
        if opened && !matches!(c, '}' | ']') {
            depth += 1;
            push_line(out, depth);
        }
        let length = match c {
            '"' => 1 + string_length(rest.get(1..).unwrap_or_default()),
            '{' | '[' | '}' | ']' | ',' | ':' => 1,
            _ => rest.find(['}', ']', ',']).unwrap_or(rest.len()),
        };
        let (token, tail) = rest.split_at(length);
        if matches!(c, '}' | ']') && !opened {
            depth = depth.saturating_sub(1);
            push_line(out, depth);
        }
        out.push_str(token);
        match c {
            ',' => push_line(out, depth),
            ':' => out.push(' '),
            _ => {}
        }
        opened = matches!(c, '{' | '[');
        rest = tail;
    }
}

/// A line break and the indentation of a level.
pub(crate) fn push_line(out: &mut String, depth: usize) {
    out.push('\n');
    (0..depth).for_each(|_| out.push_str("  "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compact_and_escaped_like_go() {
        let json = Json::parse("{ \"b\" : [ 1.50, \"a<b \\\" > \\u00e9\u{2028}\" ],\n\"a\": {} }").unwrap();
        assert_eq!(json.as_str(), r#"{"b":[1.50,"a\u003cb \" \u003e \u00e9\u2028"],"a":{}}"#);
        let value = serde_json::json!({ "z": "\u{8}\u{1b}&\u{7f}", "a": null });
        assert_eq!(Json::from_value(&value).as_str(), "{\"a\":null,\"z\":\"\\b\\u001b\\u0026\u{7f}\"}");
        let mixed = serde_json::json!("aé\"b\\c\n\t—<\u{2029}…end");
        assert_eq!(Json::from_value(&mixed).as_str(), r#""aé\"b\\c\n\t—\u003c\u2029…end""#);
        assert!(Json::parse("{} x").is_err());
    }

    #[test]
    fn indentation_is_two_spaces_and_empty_things_stay_on_their_line() {
        let json = Json::parse(r#"{"a":{},"b":[],"c":[{"d":"{,:[\""},[1,2]]}"#).unwrap();
        let mut out = String::new();
        push_indented(&mut out, &json, 1);
        let expected = "{\n    \"a\": {},\n    \"b\": [],\n    \"c\": [\n      {\n        \"d\": \"{,:[\\\"\"\n      },\n      [\n        1,\n        2\n      ]\n    ]\n  }";
        assert_eq!(out, expected);
    }
}
