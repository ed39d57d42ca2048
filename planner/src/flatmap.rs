//! The flat attributes of Terraform before 0.12: `tags.%`, `tags.Name`, `ports.#`, `ports.0.from`. Only the schema tells what
//! they are.

use std::collections::{BTreeMap, BTreeSet};

use lang::Type;
use serde_json::{Map, Value};

/// Stands for a value that was unknown.
const UNKNOWN: &str = "74D93920-ED26-11E3-AC10-0800200C9A66";

/// The attributes as a type has them; what can't be had of them is null.
pub(crate) fn expand(flat: &BTreeMap<String, String>, ty: &Type) -> Value {
    match ty {
        Type::Object(_) => object(flat, "", ty),
        _ => Value::Null,
    }
}

fn value(flat: &BTreeMap<String, String>, key: &str, ty: &Type) -> Value {
    match ty {
        Type::String | Type::Dynamic => text(flat, key).map_or(Value::Null, Value::from),
        Type::Bool => match text(flat, key) {
            Some("true" | "1") => Value::Bool(true),
            Some("false" | "0") => Value::Bool(false),
            _ => Value::Null,
        },
        Type::Number => text(flat, key)
            .and_then(|text| serde_json::from_str(text).ok())
            .filter(Value::is_number)
            .unwrap_or_default(),
        Type::Object(_) => object(flat, &format!("{key}."), ty),
        Type::Map(element) => map(flat, &format!("{key}."), element),
        Type::List(element) => list(flat, &format!("{key}."), element, Order::Counted),
        Type::Set(element) => list(flat, &format!("{key}."), element, Order::Hashed),
        Type::Tuple(elements) => Value::Array(
            elements.iter().enumerate().map(|(index, ty)| value(flat, &format!("{key}.{index}"), ty)).collect(),
        ),
    }
}

fn text<'f>(flat: &'f BTreeMap<String, String>, key: &str) -> Option<&'f str> {
    flat.get(key).map(String::as_str).filter(|text| *text != UNKNOWN)
}

fn object(flat: &BTreeMap<String, String>, prefix: &str, ty: &Type) -> Value {
    let Type::Object(object) = ty else { return Value::Null };
    let attributes =
        object.attributes.iter().map(|(name, ty)| (name.to_string(), value(flat, &format!("{prefix}{name}"), ty)));
    Value::Object(attributes.collect())
}

/// The first steps of the keys below a prefix.
fn steps<'f>(flat: &'f BTreeMap<String, String>, prefix: &str, whole: bool) -> BTreeSet<&'f str> {
    let below = flat.range(prefix.to_owned()..).map_while(|(key, _)| key.strip_prefix(prefix));
    let first = |key: &'f str| if whole { key } else { key.split_once('.').map_or(key, |(first, _)| first) };
    below.filter(|key| !matches!(*key, "#" | "%")).map(first).collect()
}

fn map(flat: &BTreeMap<String, String>, prefix: &str, element: &Type) -> Value {
    if text(flat, &format!("{prefix}%")).is_none() {
        return Value::Null;
    }
    // Keys of a map may have dots, if nothing is below them.
    let steps = steps(flat, prefix, element.is_primitive());
    let entries = steps.into_iter().map(|key| (key.to_owned(), value(flat, &format!("{prefix}{key}"), element)));
    Value::Object(entries.collect::<Map<_, _>>())
}

/// How the elements are named.
#[derive(PartialEq)]
enum Order {
    /// `0`, `1`, …
    Counted,
    /// By a hash of what they are.
    Hashed,
}

fn list(flat: &BTreeMap<String, String>, prefix: &str, element: &Type, order: Order) -> Value {
    let Some(count) = text(flat, &format!("{prefix}#")) else { return Value::Null };
    let steps = steps(flat, prefix, false);
    let mut keys: Vec<&str> = steps.into_iter().collect();
    if order == Order::Counted {
        keys.sort_by_key(|key| key.parse::<u64>().unwrap_or(u64::MAX));
        keys.truncate(count.parse().unwrap_or(usize::MAX));
    }
    Value::Array(keys.into_iter().map(|key| value(flat, &format!("{prefix}{key}"), element)).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn flat_attributes_are_expanded_by_their_type() {
        let flat = [
            ("id", "i-1"),
            ("size", "8"),
            ("fast", "true"),
            ("tags.%", "2"),
            ("tags.Name", "x"),
            ("tags.a.b", "y"),
            ("ports.#", "11"),
            ("ports.10", "90"),
            ("ports.2", "80"),
            ("rules.#", "1"),
            ("rules.1234.from", "1"),
            ("rules.1234.to.#", "1"),
            ("rules.1234.to.0", "z"),
            ("later", UNKNOWN),
        ];
        let flat = flat.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let rule = Type::from_json(&json!(["object", {"from": "number", "to": ["list", "string"]}])).unwrap();
        let ty = json!(["object", {
            "id": "string", "size": "number", "fast": "bool", "tags": ["map", "string"], "ports": ["list", "number"],
            "none": ["list", "string"], "later": "string", "empty": ["map", "string"],
        }]);
        let Type::Object(object) = Type::from_json(&ty).unwrap() else { panic!() };
        let mut attributes = object.attributes.clone();
        attributes.insert("rules".into(), Type::set(rule));
        let ty =
            Type::Object(std::sync::Arc::new(lang::types::ObjectType { attributes, optional: Default::default() }));
        assert_eq!(
            expand(&flat, &ty),
            json!({
                "id": "i-1", "size": 8, "fast": true, "tags": {"Name": "x", "a.b": "y"}, "ports": [80, 90], "none": null,
                "later": null, "empty": null, "rules": [{"from": 1, "to": ["z"]}],
            })
        );
    }
}
