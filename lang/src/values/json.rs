//! Values as JSON: cty's encoding, which a type guides, and the plain one of `jsonencode`.

use serde_json::{Map, Value as Json};

use super::path::{Path, PathStep};
use super::{Kind, Number, Value};
use crate::types::Type;

/// Why a value could not be read or written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}{message}", prefix(path))]
pub struct JsonError {
    /// Where in the value.
    pub path: Path,
    /// What is wrong.
    pub message: String,
}

fn prefix(path: &Path) -> String {
    if path.is_root() { String::new() } else { format!("{path}: ") }
}

impl JsonError {
    fn new(path: &Path, message: impl Into<String>) -> JsonError {
        JsonError { path: path.clone(), message: message.into() }
    }
}

impl Value {
    /// Reads cty's JSON for a type. Where the type is dynamic, JSON is `{"value": …, "type": …}`; missing attributes are
    /// null; other ones are an error.
    pub fn from_json(json: &Json, ty: &Type) -> Result<Value, JsonError> {
        read(json, ty, &mut Path::root())
    }

    /// Reads JSON as `jsondecode` does: objects and tuples, null of unknown type.
    pub fn from_plain_json(json: &Json) -> Value {
        match json {
            Json::Null => Value::NULL_DYNAMIC,
            Json::Bool(value) => Value::bool(*value),
            Json::Number(number) => Value::number(Number::from_json(number).unwrap_or(Number::ZERO)),
            Json::String(text) => Value::string(text.as_str()),
            Json::Array(elements) => Value::tuple(elements.iter().map(Value::from_plain_json)),
            Json::Object(entries) => {
                Value::object(entries.iter().map(|(name, value)| (name.as_str(), Value::from_plain_json(value))))
            }
        }
    }

    /// The value as JSON of its own type. Unknown values are an error; marks are left out.
    pub fn to_json(&self) -> Result<Json, JsonError> {
        write(self, None, &mut Path::root())
    }

    /// The same; `jsonencode`'s form is that of the value's own type.
    pub fn to_plain_json(&self) -> Result<Json, JsonError> {
        self.to_json()
    }

    /// The value as cty's JSON for a type: where that is dynamic, `{"value": …, "type": …}`.
    pub fn to_json_as(&self, ty: &Type) -> Result<Json, JsonError> {
        write(self, Some(ty), &mut Path::root())
    }
}

fn write(value: &Value, ty: Option<&Type>, path: &mut Path) -> Result<Json, JsonError> {
    let own = if ty == Some(&Type::Dynamic) { value.ty() } else { Type::Dynamic };
    // A null of no type needs none to be read back.
    if own != Type::Dynamic {
        let mut wrapped = Map::new();
        wrapped.insert("value".to_owned(), write(value, None, path)?);
        wrapped.insert("type".to_owned(), own.to_json());
        return Ok(Json::Object(wrapped));
    }
    let child = |path: &mut Path, step: PathStep, value: &Value, ty: Option<&Type>| {
        path.0.push(step);
        let json = write(value, ty, path);
        path.0.pop();
        json
    };
    Ok(match &value.kind {
        Kind::Unknown(..) => return Err(JsonError::new(path, "value is not known")),
        Kind::Null(_) => Json::Null,
        Kind::Bool(value) => Json::Bool(*value),
        Kind::Number(number) => match number.to_json() {
            Some(number) => Json::Number(number),
            None => return Err(JsonError::new(path, "cannot serialize infinity as JSON")),
        },
        Kind::String(text) => Json::String(text.to_string()),
        Kind::List(_, elements) | Kind::Set(_, elements) => {
            let ty = ty.and_then(Type::element);
            let elements = elements.iter().enumerate().map(|(i, element)| child(path, PathStep::index(i), element, ty));
            Json::Array(elements.collect::<Result<_, _>>()?)
        }
        Kind::Tuple(elements) => {
            let types = match ty {
                Some(Type::Tuple(types)) => &types[..],
                _ => &[],
            };
            let elements =
                elements.iter().enumerate().map(|(i, element)| child(path, PathStep::index(i), element, types.get(i)));
            Json::Array(elements.collect::<Result<_, _>>()?)
        }
        Kind::Map(_, entries) => {
            let ty = ty.and_then(Type::element);
            let entries = entries
                .iter()
                .map(|(key, value)| Ok((key.to_string(), child(path, PathStep::key(key.clone()), value, ty)?)));
            Json::Object(entries.collect::<Result<_, JsonError>>()?)
        }
        Kind::Object(entries) => {
            let object = match ty {
                Some(Type::Object(object)) => Some(object),
                _ => None,
            };
            let entries = entries.iter().map(|(name, value)| {
                let ty = object.and_then(|o| o.attributes.get(name));
                Ok((name.to_string(), child(path, PathStep::Attribute(name.clone()), value, ty)?))
            });
            Json::Object(entries.collect::<Result<_, JsonError>>()?)
        }
    })
}

fn read(json: &Json, ty: &Type, path: &mut Path) -> Result<Value, JsonError> {
    if *ty == Type::Dynamic {
        return read_dynamic(json, path);
    }
    if json.is_null() {
        return Ok(Value::null(ty.without_optional()));
    }
    let child = |path: &mut Path, step: PathStep, json: &Json, ty: &Type| {
        path.0.push(step);
        let value = read(json, ty, path);
        path.0.pop();
        value
    };
    match (ty, json) {
        (Type::Bool, Json::Bool(value)) => Ok(Value::bool(*value)),
        (Type::Bool, Json::String(text)) if text == "true" || text == "1" => Ok(Value::TRUE),
        (Type::Bool, Json::String(text)) if text == "false" || text == "0" => Ok(Value::FALSE),
        (Type::Bool, _) => Err(JsonError::new(path, "a bool is required")),
        (Type::Number, Json::Number(number)) => {
            Number::from_json(number).map(Value::number).ok_or_else(|| JsonError::new(path, "a number is required"))
        }
        (Type::Number, Json::String(text)) => {
            Number::parse(text).map(Value::number).ok_or_else(|| JsonError::new(path, "a number is required"))
        }
        (Type::Number, _) => Err(JsonError::new(path, "a number is required")),
        (Type::String, Json::String(text)) => Ok(Value::string(text.as_str())),
        (Type::String, Json::Number(number)) => {
            Ok(Value::string(Number::from_json(number).map_or_else(|| number.to_string(), |number| number.to_string())))
        }
        (Type::String, Json::Bool(value)) => Ok(Value::string(if *value { "true" } else { "false" })),
        (Type::String, _) => Err(JsonError::new(path, "a string is required")),
        (Type::List(element) | Type::Set(element), Json::Array(elements)) => {
            let read: Vec<Value> = elements
                .iter()
                .enumerate()
                .map(|(i, json)| child(path, PathStep::index(i), json, element))
                .collect::<Result<_, _>>()?;
            // With a dynamic element type the elements say what the type is.
            let element = read.first().map_or_else(|| element.without_optional(), Value::ty);
            Ok(if matches!(ty, Type::List(_)) { Value::list(element, read) } else { Value::set(element, read) })
        }
        (Type::List(_), _) => Err(JsonError::new(path, "a list is required")),
        (Type::Set(_), _) => Err(JsonError::new(path, "a set is required")),
        (Type::Map(element), Json::Object(entries)) => {
            let read: Vec<_> = entries
                .iter()
                .map(|(key, json)| Ok((key.as_str().into(), child(path, PathStep::key(key.as_str()), json, element)?)))
                .collect::<Result<_, JsonError>>()?;
            let element = read.first().map_or_else(|| element.without_optional(), |(_, value): &(_, Value)| value.ty());
            Ok(Value::map(element, read))
        }
        (Type::Map(_), _) => Err(JsonError::new(path, "a map is required")),
        (Type::Tuple(types), Json::Array(elements)) => {
            if types.len() != elements.len() {
                let message = format!("a tuple of {} elements is required", types.len());
                return Err(JsonError::new(path, message));
            }
            let elements = elements
                .iter()
                .zip(types.iter())
                .enumerate()
                .map(|(i, (json, ty))| child(path, PathStep::index(i), json, ty));
            Ok(Value::tuple(elements.collect::<Result<Vec<_>, _>>()?))
        }
        (Type::Tuple(_), _) => Err(JsonError::new(path, "a tuple is required")),
        (Type::Object(object), Json::Object(entries)) => {
            if let Some(name) = entries.keys().find(|name| !object.attributes.contains_key(name.as_str())) {
                return Err(JsonError::new(path, format!("unsupported attribute {name:?}")));
            }
            let attributes = object.attributes.iter().map(|(name, ty)| {
                let value = match entries.get(name.as_str()) {
                    Some(json) => child(path, PathStep::Attribute(name.clone()), json, ty)?,
                    None => Value::null(ty.without_optional()),
                };
                Ok((name.clone(), value))
            });
            Ok(Value::from_attributes(attributes.collect::<Result<_, JsonError>>()?))
        }
        (Type::Object(_), _) => Err(JsonError::new(path, "an object is required")),
        (Type::Dynamic, _) => read_dynamic(json, path),
    }
}

fn read_dynamic(json: &Json, path: &mut Path) -> Result<Value, JsonError> {
    match json {
        Json::Null => Ok(Value::NULL_DYNAMIC),
        Json::Object(wrapped) => {
            let (Some(ty), Some(value)) = (wrapped.get("type"), wrapped.get("value")) else {
                return Err(JsonError::new(path, "missing type or value in dynamically-typed value"));
            };
            let ty = Type::from_json(ty).map_err(|message| JsonError::new(path, message))?;
            read(value, &ty, path)
        }
        _ => Err(JsonError::new(path, "invalid dynamically-typed value")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dynamic_parts_carry_their_type() {
        let ty = Type::object([("a", Type::Dynamic), ("b", Type::String)]);
        let value = Value::object([("a", Value::from(1i64)), ("b", "x".into())]);
        let json = value.to_json_as(&ty).unwrap();
        assert_eq!(json, serde_json::json!({"a": {"value": 1, "type": "number"}, "b": "x"}));
        assert_eq!(Value::from_json(&json, &ty).unwrap(), value);
    }

    #[test]
    fn numbers_keep_their_digits() {
        let text = "[0.1,123456789012345678901234567890]";
        let value = Value::from_plain_json(&serde_json::from_str(text).unwrap());
        assert_eq!(value.to_json().unwrap().to_string(), text);
        assert!(Value::dynamic().to_json().is_err());
    }
}
