//! Types as cty writes them in JSON: `"string"`, `["list","string"]`, `["object",{…},[optional]]`.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::{ObjectType, Type};
use crate::Str;

impl Type {
    /// cty's JSON form.
    pub fn to_json(&self) -> Json {
        match self {
            Type::Dynamic | Type::Bool | Type::Number | Type::String => json!(self.to_string()),
            Type::List(element) => json!(["list", element.to_json()]),
            Type::Set(element) => json!(["set", element.to_json()]),
            Type::Map(element) => json!(["map", element.to_json()]),
            Type::Tuple(elements) => json!(["tuple", elements.iter().map(Type::to_json).collect::<Vec<_>>()]),
            Type::Object(object) => {
                let attributes: Map<String, Json> =
                    object.attributes.iter().map(|(name, ty)| (name.to_string(), ty.to_json())).collect();
                if object.optional.is_empty() {
                    json!(["object", attributes])
                } else {
                    let optional: Vec<&str> = object.optional.iter().map(Str::as_str).collect();
                    json!(["object", attributes, optional])
                }
            }
        }
    }

    /// Reads cty's JSON form; the error says what is wrong with it.
    pub fn from_json(json: &Json) -> Result<Type, String> {
        match json {
            Json::String(name) => match name.as_str() {
                "dynamic" => Ok(Type::Dynamic),
                "bool" => Ok(Type::Bool),
                "number" => Ok(Type::Number),
                "string" => Ok(Type::String),
                other => Err(format!("invalid primitive type name {other:?}")),
            },
            Json::Array(parts) => {
                let kind = parts.first().and_then(Json::as_str);
                match (kind, parts.get(1), parts.get(2)) {
                    (Some("list"), Some(element), None) => Ok(Type::list(Type::from_json(element)?)),
                    (Some("set"), Some(element), None) => Ok(Type::set(Type::from_json(element)?)),
                    (Some("map"), Some(element), None) => Ok(Type::map(Type::from_json(element)?)),
                    (Some("tuple"), Some(Json::Array(elements)), None) => {
                        Ok(Type::Tuple(elements.iter().map(Type::from_json).collect::<Result<_, _>>()?))
                    }
                    (Some("object"), Some(Json::Object(attributes)), optional) => {
                        let attributes = attributes
                            .iter()
                            .map(|(name, ty)| Ok((Str::new(name), Type::from_json(ty)?)))
                            .collect::<Result<_, String>>()?;
                        let optional = match optional {
                            None => Default::default(),
                            Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).map(Str::new).collect(),
                            Some(_) => return Err("invalid optional attributes of an object type".to_owned()),
                        };
                        Ok(Type::Object(Arc::new(ObjectType { attributes, optional })))
                    }
                    _ => Err("invalid complex type description".to_owned()),
                }
            }
            _ => Err("invalid type description".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let json = json!(["object", {"a": ["list", "dynamic"], "b": ["tuple", ["bool", "number"]]}, ["b"]]);
        let ty = Type::from_json(&json).unwrap();
        assert_eq!(ty.to_json(), json);
        assert_eq!(ty.constraint_string(), "object({a=list(any),b=optional(tuple([bool,number]))})");
        assert!(Type::from_json(&json!(["list"])).is_err());
    }
}
