//! Values as JSON with everything that cty's JSON leaves out: unknowns with refinements, marks, types of nulls.
//!
//! For saved plans only; nothing else reads it.

use std::sync::Arc;

use lang::values::{Entries, Kind, Marks, Path, PathStep, Refinement};
use lang::{Number, Str, Type, Value};
use serde_json::{Map, Value as Json, json};

/// A text that is no encoded value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plan holds a value that can't be read")]
pub struct Malformed;

/// A value as JSON.
pub fn encode(value: &Value) -> Json {
    let plain = match &value.kind {
        Kind::Null(ty) => json!({ "null": ty.to_json() }),
        Kind::Unknown(ty, refinement) => match refinement {
            None => json!({ "unknown": ty.to_json() }),
            Some(refinement) => json!({ "unknown": ty.to_json(), "refined": encode_refinement(refinement) }),
        },
        Kind::Bool(value) => json!(value),
        Kind::Number(number) => json!({ "number": number.to_string() }),
        Kind::String(text) => json!(text.as_str()),
        Kind::List(ty, elements) => json!({ "list": encode_all(elements), "of": ty.to_json() }),
        Kind::Set(ty, elements) => json!({ "set": encode_all(elements), "of": ty.to_json() }),
        Kind::Map(ty, entries) => json!({ "map": encode_entries(entries), "of": ty.to_json() }),
        Kind::Tuple(elements) => json!({ "tuple": encode_all(elements) }),
        Kind::Object(entries) => json!({ "object": encode_entries(entries) }),
    };
    match value.marks.is_empty() {
        true => plain,
        false => json!({ "marks": value.marks.bits(), "value": plain }),
    }
}

fn encode_all(elements: &[Value]) -> Vec<Json> {
    elements.iter().map(encode).collect()
}

fn encode_entries(entries: &Entries) -> Map<String, Json> {
    entries.iter().map(|(name, value)| (name.to_string(), encode(value))).collect()
}

fn encode_refinement(refinement: &Refinement) -> Json {
    let bound = |bound: &Option<(Number, bool)>| {
        bound.as_ref().map(|(number, inclusive)| json!([number.to_string(), inclusive]))
    };
    json!({
        "not_null": refinement.not_null,
        "prefix": refinement.prefix.as_deref(),
        "lower": bound(&refinement.lower),
        "upper": bound(&refinement.upper),
        "min_length": refinement.min_length,
        "max_length": refinement.max_length,
    })
}

/// The value of an encoding.
pub fn decode(json: &Json) -> Result<Value, Malformed> {
    match json {
        Json::Bool(value) => return Ok(Value::bool(*value)),
        Json::String(text) => return Ok(Value::string(text.as_str())),
        _ => {}
    }
    let fields = json.as_object().ok_or(Malformed)?;
    let element = || Type::from_json(fields.get("of").ok_or(Malformed)?).map_err(|_| Malformed);
    if let Some(bits) = fields.get("marks") {
        let bits = bits.as_u64().and_then(|bits| u8::try_from(bits).ok()).ok_or(Malformed)?;
        let value = decode(fields.get("value").ok_or(Malformed)?)?;
        return Ok(value.with_marks(Marks::from_bits_truncate(bits)));
    }
    let (name, content) = ["null", "unknown", "number", "list", "set", "map", "tuple", "object"]
        .into_iter()
        .find_map(|name| Some((name, fields.get(name)?)))
        .ok_or(Malformed)?;
    Ok(match name {
        "null" => Value::null(Type::from_json(content).map_err(|_| Malformed)?),
        "unknown" => {
            let value = Value::unknown(Type::from_json(content).map_err(|_| Malformed)?);
            match fields.get("refined") {
                Some(refined) => value.refine(decode_refinement(refined)?),
                None => value,
            }
        }
        "number" => Value::number(content.as_str().and_then(Number::parse).ok_or(Malformed)?),
        "list" => Value::list(element()?, decode_all(content)?),
        "set" => Value::set(element()?, decode_all(content)?),
        "map" => Value::map(element()?, decode_entries(content)?),
        "tuple" => Value::tuple(decode_all(content)?),
        _ => Value::object(decode_entries(content)?),
    })
}

fn decode_all(json: &Json) -> Result<Vec<Value>, Malformed> {
    json.as_array().ok_or(Malformed)?.iter().map(decode).collect()
}

fn decode_entries(json: &Json) -> Result<Vec<(Str, Value)>, Malformed> {
    let entries = json.as_object().ok_or(Malformed)?.iter();
    entries.map(|(name, value)| Ok((Str::new(name), decode(value)?))).collect()
}

fn decode_refinement(json: &Json) -> Result<Refinement, Malformed> {
    let bound = |name: &str| match json.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(bound) => {
            let number = bound.get(0).and_then(Json::as_str).and_then(Number::parse).ok_or(Malformed)?;
            let inclusive = bound.get(1).and_then(Json::as_bool).ok_or(Malformed)?;
            Ok(Some((number, inclusive)))
        }
    };
    Ok(Refinement {
        not_null: json.get("not_null").and_then(Json::as_bool).unwrap_or_default(),
        prefix: json.get("prefix").and_then(Json::as_str).map(Str::new),
        lower: bound("lower")?,
        upper: bound("upper")?,
        min_length: json.get("min_length").and_then(Json::as_u64),
        max_length: json.get("max_length").and_then(Json::as_u64),
    })
}

/// A path as JSON: names are strings, keys and indexes encoded values in a list of one.
pub fn encode_path(path: &Path) -> Json {
    let step = |step: &PathStep| match step {
        PathStep::Attribute(name) => json!(name.as_str()),
        PathStep::Index(key) => json!([encode(key)]),
    };
    path.0.iter().map(step).collect()
}

/// The path of an encoding.
pub fn decode_path(json: &Json) -> Result<Path, Malformed> {
    let step = |step: &Json| match step {
        Json::String(name) => Ok(PathStep::Attribute(Str::new(name))),
        step => Ok(PathStep::Index(decode(step.get(0).ok_or(Malformed)?)?)),
    };
    json.as_array().ok_or(Malformed)?.iter().map(step).collect::<Result<Vec<_>, _>>().map(Path)
}

/// Bytes as JSON.
pub fn encode_bytes(bytes: Option<&Arc<[u8]>>) -> Json {
    use base64::Engine as _;
    bytes.map_or(Json::Null, |bytes| json!(base64::engine::general_purpose::STANDARD.encode(bytes)))
}

/// The bytes of an encoding.
pub fn decode_bytes(json: Option<&Json>) -> Result<Option<Arc<[u8]>>, Malformed> {
    use base64::Engine as _;
    match json {
        None | Some(Json::Null) => Ok(None),
        Some(json) => {
            let text = json.as_str().ok_or(Malformed)?;
            let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_err(|_| Malformed)?;
            Ok(Some(bytes.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_survives() {
        let unknown = Value::unknown(Type::String).refine(Refinement {
            not_null: true,
            prefix: Some("arn:".into()),
            ..Refinement::default()
        });
        let values = [
            Value::null(Type::list(Type::String)),
            unknown,
            Value::dynamic(),
            Value::bool(true),
            Value::number(Number::parse("12345678901234567890.5").unwrap()),
            Value::string("text").with_marks(Marks::SENSITIVE),
            Value::set(Type::Number, [Value::number(2), Value::number(1)]),
            Value::map(Type::Bool, [("a".into(), Value::bool(false))]),
            Value::tuple([Value::string("x"), Value::null(Type::Bool)]),
            Value::object([("inner", Value::list(Type::String, [Value::unknown(Type::String)]))]),
        ];
        for value in values {
            let decoded = decode(&encode(&value)).unwrap();
            assert!(decoded.raw_equals(&value), "{value:?} came back as {decoded:?}");
            assert_eq!(decoded.marks, value.marks);
        }
    }

    #[test]
    fn malformed_text_is_refused() {
        for text in ["{}", "[]", "null", r#"{"list":[true]}"#, r#"{"number":"x"}"#, r#"{"marks":1}"#] {
            assert_eq!(decode(&serde_json::from_str(text).unwrap()).unwrap_err(), Malformed, "{text}");
        }
    }
}
