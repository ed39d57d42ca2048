//! Values in plan and state documents: plain JSON, with trees of booleans beside it for what is unknown or sensitive.

use lang::values::Kind;
use lang::{Marks, Type, Value};
use sdk::schema::{Block, Nesting};
use serde_json::{Map, Value as Json};

/// A value as plain JSON. What is unknown is left out of objects and maps, and null in lists, tuples and sets; `None` if the
/// value itself is unknown.
pub fn plain(value: &Value) -> Option<Json> {
    Some(match &value.kind {
        Kind::Unknown(..) => return None,
        Kind::Null(_) => Json::Null,
        Kind::Bool(b) => Json::Bool(*b),
        Kind::Number(n) => serde_json::from_str(&n.to_string()).unwrap_or(Json::Null),
        Kind::String(s) => Json::String(s.to_string()),
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
            Json::Array(elements.iter().map(|e| plain(e).unwrap_or(Json::Null)).collect())
        }
        Kind::Map(_, entries) | Kind::Object(entries) => {
            Json::Object(entries.iter().filter_map(|(k, v)| Some((k.to_string(), plain(v)?))).collect())
        }
    })
}

/// Which parts of a value are unknown.
pub fn unknown(value: &Value) -> Json {
    tree(value, &|v| match &v.kind {
        Kind::Unknown(..) => Some(Json::Bool(true)),
        _ => None,
    })
}

/// Which parts of a value are sensitive.
pub fn sensitive(value: &Value) -> Json {
    tree(value, &|v| match &v.kind {
        _ if v.marks.contains(Marks::SENSITIVE) => Some(Json::Bool(true)),
        // Nothing can be said about the parts of an unknown value: the tree has its shape without them.
        Kind::Unknown(Type::List(_) | Type::Set(_) | Type::Tuple(_), _) => Some(Json::Array(Vec::new())),
        Kind::Unknown(Type::Map(_) | Type::Object(_), _) => Some(Json::Object(Map::new())),
        Kind::Unknown(..) => Some(Json::Bool(false)),
        _ => None,
    })
}

fn tree(value: &Value, decide: &dyn Fn(&Value) -> Option<Json>) -> Json {
    if let Some(decided) = decide(value) {
        return decided;
    }
    match &value.kind {
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
            Json::Array(elements.iter().map(|e| tree(e, decide)).collect())
        }
        Kind::Map(_, entries) | Kind::Object(entries) => {
            // Terraform leaves out what is plainly false.
            let parts = entries.iter().map(|(k, v)| (k.to_string(), tree(v, decide)));
            Json::Object(parts.filter(|(_, part)| *part != Json::Bool(false)).collect::<Map<_, _>>())
        }
        _ => Json::Bool(false),
    }
}

/// Marks what the schema calls sensitive.
pub fn mark_sensitive(value: Value, schema: &Block) -> Value {
    let Kind::Object(entries) = &value.kind else { return value };
    let marked = entries.iter().map(|(name, part)| {
        let part = part.clone();
        let part = match (schema.attributes.get(name), schema.blocks.get(name)) {
            (Some(attribute), _) if attribute.sensitive => part.with_marks(Marks::SENSITIVE),
            (_, Some(nested)) if matches!(nested.nesting, Nesting::Single | Nesting::Group) => {
                mark_sensitive(part, &nested.block)
            }
            (_, Some(nested)) => mark_elements(part, &nested.block),
            _ => part,
        };
        (name.clone(), part)
    });
    let kind = Kind::Object(std::sync::Arc::new(marked.collect()));
    Value { kind, marks: value.marks }
}

fn mark_elements(value: Value, schema: &Block) -> Value {
    let each = |e: &Value| mark_sensitive(e.clone(), schema);
    let kind = match &value.kind {
        Kind::List(ty, elements) => Kind::List(ty.clone(), elements.iter().map(each).collect()),
        Kind::Tuple(elements) => Kind::Tuple(elements.iter().map(each).collect()),
        // Marks of a set's elements stand on the set.
        Kind::Set(..) if has_sensitive(schema) => return value.with_marks(Marks::SENSITIVE),
        Kind::Map(ty, entries) => {
            let entries = entries.iter().map(|(k, v)| (k.clone(), each(v)));
            Kind::Map(ty.clone(), std::sync::Arc::new(entries.collect()))
        }
        _ => return value,
    };
    Value { kind, marks: value.marks }
}

fn has_sensitive(schema: &Block) -> bool {
    schema.attributes.values().any(|a| a.sensitive) || schema.blocks.values().any(|b| has_sensitive(&b.block))
}

/// A path as the array of names and indexes that plan documents hold.
pub fn path(path: &lang::values::Path) -> Vec<Json> {
    use lang::values::PathStep;
    path.0
        .iter()
        .filter_map(|step| match step {
            PathStep::Attribute(name) => Some(Json::String(name.to_string())),
            PathStep::Index(key) => plain(key),
        })
        .collect()
}
