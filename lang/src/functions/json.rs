//! `jsonencode` and `jsondecode`.

use serde_json::Value as Json;

use super::arguments::{any, string};
use super::{CallError, Function, FunctionTable, Param, json_decode};
use crate::go_json::push_string;
use crate::quoting::go_quote;
use crate::types::Type;
use crate::values::{Kind, Refinement, Value, normalize};

pub(super) fn functions() -> Vec<Function> {
    vec![
        Function::new("jsonencode", "`jsonencode` writes a value as JSON.", Type::String, |a, ty, _| {
            let value = any(a, 0)?;
            if value.is_wholly_known() {
                return encode(value).map(Value::string);
            }
            let unknown = Value::unknown(ty.clone());
            // The first character follows from the type, unless the value may turn out to be null.
            let prefix = match value.ty() {
                _ if !value.is_definitely_not_null() => return Ok(unknown),
                Type::String => "\"",
                Type::Object(_) | Type::Map(_) => "{",
                Type::Tuple(_) | Type::List(_) | Type::Set(_) => "[",
                _ => return Ok(unknown),
            };
            Ok(unknown.refine(Refinement { prefix: Some(prefix.into()), ..Refinement::not_null() }))
        })
        .param(Param::new("val", Type::Dynamic).unknown().dynamic().null()),
        Function::new("jsondecode", "`jsondecode` reads JSON.", Type::Dynamic, |a, _, _| {
            let text = string(a, 0)?;
            let json = parse(text)?;
            Ok(Value::from_plain_json(&json))
        })
        .param(Param::new("str", Type::String))
        .returns_by(decoded_type)
        .nullable(),
    ]
}

fn parse(text: &str) -> Result<Json, CallError> {
    let json = json_decode::parse(text).map_err(CallError::new)?;
    match unusual_name(&json) {
        Some(name) => Err(CallError::new(format_args!("unsupported attribute {}", go_quote(name)))),
        None => Ok(json),
    }
}

/// The name of a property that is not in NFC: Terraform does not find it again in the object's type.
fn unusual_name(json: &Json) -> Option<&str> {
    match json {
        Json::Array(elements) => elements.iter().find_map(unusual_name),
        Json::Object(properties) => properties.iter().find_map(|(name, value)| {
            let usual = normalize(name.as_str().into()) == *name;
            if usual { unusual_name(value) } else { Some(name) }
        }),
        _ => None,
    }
}

fn decoded_type(arguments: &[Value], _: &dyn FunctionTable) -> Result<Type, CallError> {
    let argument = any(arguments, 0)?;
    if let Some(text) = argument.as_str() {
        return Ok(Value::from_plain_json(&parse(text)?).ty());
    }
    // The beginning of an unknown document may tell its type, or that it is none.
    let prefix = argument.refinement().and_then(|r| r.prefix.clone()).unwrap_or_default();
    match prefix.trim().chars().next() {
        None | Some('{' | '[' | 'n') => Ok(Type::Dynamic),
        Some('"') => Ok(Type::String),
        Some('t' | 'f') => Ok(Type::Bool),
        Some('-' | '.' | '0'..='9') => Ok(Type::Number),
        Some(c) => Err(CallError::argument(0, format_args!("a JSON document cannot begin with the character '{c}'"))),
    }
}

/// JSON as Go writes it: keys sorted, no white space, `<`, `>`, `&` and line separators escaped.
pub(super) fn encode(value: &Value) -> Result<String, CallError> {
    let mut out = String::new();
    write(value, &mut out)?;
    Ok(out)
}

fn write(value: &Value, out: &mut String) -> Result<(), CallError> {
    stacker::maybe_grow(64 << 10, 1 << 20, || match &value.kind {
        Kind::Null(_) => {
            out.push_str("null");
            Ok(())
        }
        Kind::Unknown(..) => Err(CallError::new("value is not known")),
        Kind::Bool(b) => {
            out.push_str(if *b { "true" } else { "false" });
            Ok(())
        }
        Kind::Number(number) if number.is_infinite() => Err(CallError::new("cannot serialize infinity as JSON")),
        Kind::Number(number) => {
            out.push_str(&number.to_string());
            Ok(())
        }
        Kind::String(text) => {
            push_string(out, text);
            Ok(())
        }
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(element, out)?;
            }
            out.push(']');
            Ok(())
        }
        Kind::Map(_, entries) | Kind::Object(entries) => {
            out.push('{');
            for (index, (key, element)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push_string(out, key);
                out.push(':');
                write(element, out)?;
            }
            out.push('}');
            Ok(())
        }
    })
}

/// `text` as a JSON string.
pub(super) fn encode_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_string(&mut out, text);
    out
}
