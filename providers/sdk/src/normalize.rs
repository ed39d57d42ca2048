//! Null and empty: terraform-plugin-sdk v2 can't tell them apart, so after planning, applying and reading it prefers
//! whichever of the two the value before had. States and plans stay equal to Terraform's only with the same preference.

use lang::values::Kind;
use lang::{Str, Type, Value};

use crate::schema::Block;

/// A planned value, compared with what the planner proposed.
pub(crate) fn after_plan(block: &Block, planned: Value, proposed: &Value) -> Value {
    with_timeouts(block, normalize(planned, proposed, false), proposed)
}

/// An applied value, compared with the planned one.
pub(crate) fn after_apply(block: &Block, applied: Value, planned: &Value) -> Value {
    with_timeouts(block, normalize(applied, planned, true), planned)
}

/// A value read again, compared with the stored one.
pub(crate) fn after_read(block: &Block, read: Value, prior: &Value) -> Value {
    with_timeouts(block, normalize(read, prior, false), prior)
}

/// The `timeouts` block is the configuration's alone: it is always the source's.
fn with_timeouts(block: &Block, value: Value, source: &Value) -> Value {
    if !block.blocks.contains_key("timeouts") {
        return value;
    }
    let (Some(entries), Some(timeouts)) = (value.entries(), source.get("timeouts")) else {
        return value;
    };
    Value::object(entries.with([(Str::new_static("timeouts"), timeouts.clone())]))
}

fn normalize(value: Value, source: &Value, apply: bool) -> Value {
    if !source.is_null() && !source.is_known() {
        // While planning, unknown values of the source must not get lost.
        return if value.is_null() && !apply { source.clone() } else { value };
    }
    let ty = value.ty();
    if apply && ty.is_collection() && (source.is_null() && is_empty(&value) || is_empty(source) && value.is_null()) {
        return source.clone();
    }
    if source.is_null() || !value.is_known() {
        return value;
    }
    match (&ty, &source.kind) {
        (Type::Object(_), Kind::Object(sources)) => {
            let Some(entries) = value.entries() else { return value };
            let entries = entries.iter().map(|(name, v)| {
                let v = match sources.get(name) {
                    Some(source) => normalize(v.clone(), source, apply),
                    None => v.clone(),
                };
                (name.clone(), v)
            });
            Value::object(entries)
        }
        (Type::Map(element), Kind::Map(_, sources)) => {
            let Some(entries) = value.entries() else {
                return if apply && sources.is_empty() { source.clone() } else { value };
            };
            let entries = entries.iter().map(|(name, v)| {
                let v = match sources.get(name) {
                    // A computed map gets unknown elements where known ones were given.
                    Some(source) if !v.is_known() && source.is_known() && !source.is_null() => source.clone(),
                    Some(source) => normalize(v.clone(), source, apply),
                    None => v.clone(),
                };
                (name.clone(), v)
            });
            Value::map((**element).clone(), entries)
        }
        // The sdk rebuilds sets from hashes and can't compare their elements: what was planned is what is there.
        (Type::Set(_), _) if apply && source.is_wholly_known() => source.clone(),
        (Type::List(element), Kind::List(_, sources)) => {
            if value.is_null() {
                return if !apply && sources.is_empty() { source.clone() } else { value };
            }
            match value.elements() {
                Some(elements) if elements.len() == sources.len() => {
                    let elements = elements.iter().zip(sources.iter()).map(|(v, s)| normalize(v.clone(), s, apply));
                    Value::list((**element).clone(), elements)
                }
                _ => value,
            }
        }
        // An empty string in the source is often equated with "not set" and gets lost on the way.
        (Type::String, Kind::String(text)) if value.is_null() && text.is_empty() => source.clone(),
        _ => value,
    }
}

fn is_empty(value: &Value) -> bool {
    matches!(value.length(), Some(0)) && value.is_known() && !value.is_null() && value.as_str().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(of: fn(Type, Vec<Value>) -> Value, elements: &[&str]) -> Value {
        of(Type::String, elements.iter().map(|e| Value::string(*e)).collect())
    }

    #[test]
    fn null_or_empty_is_what_the_source_has() {
        let list = |elements: &[&str]| strings(Value::list, elements);
        let null_list = Value::null(Type::list(Type::String));
        let null = Value::null(Type::String);
        let empty = Value::string("");
        let cases = [
            // value, source, after a plan or read, after an apply
            (list(&[]), null_list.clone(), list(&[]), null_list.clone()),
            (null_list.clone(), list(&[]), list(&[]), list(&[])),
            (null.clone(), empty.clone(), empty.clone(), empty.clone()),
            (empty.clone(), null.clone(), empty.clone(), empty.clone()),
            (list(&["a"]), null_list.clone(), list(&["a"]), list(&["a"])),
            (list(&["b"]), list(&["a"]), list(&["b"]), list(&["b"])),
            (null.clone(), Value::unknown(Type::String), Value::unknown(Type::String), null.clone()),
        ];
        for (value, source, planned, applied) in cases {
            assert!(normalize(value.clone(), &source, false).raw_equals(&planned), "plan {value:?} {source:?}");
            assert!(normalize(value.clone(), &source, true).raw_equals(&applied), "apply {value:?} {source:?}");
        }
    }

    #[test]
    fn an_applied_set_is_the_planned_one() {
        let set = |elements: &[&str]| strings(Value::set, elements);
        assert!(normalize(set(&["b"]), &set(&["a"]), true).raw_equals(&set(&["a"])));
        assert!(normalize(set(&["b"]), &set(&["a"]), false).raw_equals(&set(&["b"])));
    }
}
