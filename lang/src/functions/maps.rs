//! Maps and objects, and what works on every collection: `coalesce`, `keys`, `length`, `lookup`, `matchkeys`, `merge`,
//! `transpose`, `values`, `zipmap`.

use std::collections::BTreeMap;

use super::arguments::{any, count, quoted, sequence, strings, unmarked};
use super::text::grapheme_count;
use super::{CallError, Function, FunctionTable, Param};
use crate::Str;
use crate::quoting::go_quote;
use crate::types::{self, Type};
use crate::values::{Kind, Marks, Number, Refinement, Value};

pub(super) fn functions() -> Vec<Function> {
    vec![
        Function::new(
            "coalesce",
            "`coalesce` returns the first of its arguments that is neither null nor an empty string.",
            Type::Dynamic,
            |a, ty, _| coalesce(a, ty),
        )
        .variadic(Param::new("vals", Type::Dynamic).unknown().dynamic().null())
        .returns_by(|a, _| {
            let given: Vec<Type> = a.iter().map(Value::ty).collect();
            types::unify(&given).ok_or_else(|| CallError::new("all arguments must have the same type"))
        }),
        Function::new("keys", "`keys` returns the keys of a map, sorted.", Type::Dynamic, |a, ty, _| keys(a, ty))
            .param(Param::new("inputMap", Type::Dynamic).unknown().marked().about("A map, or an object for its names."))
            .returns_by(|a, _| match any(a, 0)?.ty() {
                Type::Map(_) => Ok(Type::list(Type::String)),
                Type::Object(object) => Ok(Type::tuple(object.attributes.keys().map(|_| Type::String))),
                _ => Err(CallError::argument(0, "must have map or object type")),
            }),
        Function::new(
            "length",
            "`length` returns the number of elements of a list, map or set, or of characters of a string.",
            Type::Number,
            |a, _, _| length(a),
        )
        .param(Param::new("value", Type::Dynamic).unknown().dynamic().marked())
        .returns_by(|a, _| match any(a, 0)?.ty() {
            Type::Bool | Type::Number => {
                Err(CallError::new("argument must be a string, a collection type, or a structural type"))
            }
            _ => Ok(Type::Number),
        }),
        Function::new(
            "lookup",
            "`lookup` returns an element of a map, or a default if there is none with the key.",
            Type::Dynamic,
            |a, ty, _| lookup(a, ty),
        )
        .param(Param::new("inputMap", Type::Dynamic).unknown().marked())
        .param(Param::new("key", Type::String).unknown().marked())
        .variadic(Param::new("default", Type::Dynamic).unknown().dynamic().null().marked())
        .returns_by(lookup_type)
        .nullable(),
        Function::new(
            "matchkeys",
            "`matchkeys` returns the elements of a list at whose places another list has one of the wanted values.",
            Type::Dynamic,
            |a, ty, _| match_keys(a, ty),
        )
        .param(Param::new("values", Type::list(Type::Dynamic)))
        .param(Param::new("keys", Type::list(Type::Dynamic)))
        .param(Param::new("searchset", Type::list(Type::Dynamic)))
        .returns_by(|a, _| match_type(a).map(|_| any(a, 0).map(Value::ty))?),
        Function::new("merge", "`merge` joins maps or objects into one; later ones win.", Type::Dynamic, |a, ty, _| {
            merge(a, ty)
        })
        .variadic(Param::new("maps", Type::Dynamic).dynamic().null().marked())
        .returns_by(merge_type),
        Function::new(
            "transpose",
            "`transpose` swaps keys and values of a map of lists of strings.",
            Type::map(Type::list(Type::String)),
            |a, ty, _| transpose(a, ty),
        )
        .param(Param::new("values", Type::map(Type::list(Type::String)))),
        Function::new(
            "values",
            "`values` returns the values of a map in the order of its keys.",
            Type::Dynamic,
            |a, ty, _| {
                let (map, marks) = unmarked(a, 0)?;
                let values = map.entries().into_iter().flat_map(|e| e.values().cloned());
                Ok(super::sequences::build(ty, values).with_marks(marks))
            },
        )
        .param(Param::new("mapping", Type::Dynamic).marked())
        .returns_by(|a, _| match any(a, 0)?.ty() {
            Type::Map(element) => Ok(Type::List(element)),
            Type::Object(object) => Ok(Type::tuple(object.attributes.values().cloned())),
            _ => Err(CallError::new("values() requires a map as the first argument")),
        }),
        Function::new(
            "zipmap",
            "`zipmap` makes a map from a list of keys and a list of values.",
            Type::Dynamic,
            |a, ty, _| zipmap(a, ty),
        )
        .param(Param::new("keys", Type::list(Type::String)).marked())
        .param(Param::new("values", Type::Dynamic).marked())
        .returns_by(zipmap_type),
    ]
}

fn coalesce(arguments: &[Value], ty: &Type) -> Result<Value, CallError> {
    for (index, argument) in arguments.iter().enumerate() {
        let value = argument.convert(ty).map_err(|e| CallError::argument(index, e))?;
        if !value.is_known() {
            return Ok(Value::unknown(ty.clone()));
        }
        let empty = *ty == Type::String && value.as_str().is_some_and(|s| s.is_empty());
        if !value.is_null() && !empty {
            return Ok(value);
        }
    }
    Err(CallError::new("no non-null, non-empty-string arguments"))
}

fn keys(arguments: &[Value], ty: &Type) -> Result<Value, CallError> {
    // Keys carry no marks, so those of the values do not matter.
    let (map, marks) = unmarked(arguments, 0)?;
    let keys = match (map.ty(), map.entries()) {
        (Type::Object(object), _) => Value::tuple(object.attributes.keys().map(|k| Value::string(k.clone()))),
        (_, Some(entries)) => strings(entries.keys().cloned()),
        (_, None) => Value::unknown(ty.clone()),
    };
    Ok(keys.with_marks(marks))
}

fn length(arguments: &[Value]) -> Result<Value, CallError> {
    let (value, marks) = unmarked(arguments, 0)?;
    let length = match &value.kind {
        Kind::String(text) => count(grapheme_count(text)),
        Kind::Unknown(Type::String, refinement) => {
            let prefix = refinement.as_ref().and_then(|r| r.prefix.as_deref()).unwrap_or_default();
            bounded(grapheme_count(prefix) as u64, None)
        }
        Kind::Unknown(Type::Dynamic, _) => Value::unknown(Type::Number),
        _ => {
            let (least, greatest) = value.length_bounds();
            if greatest == Some(least) { Value::number(Number::from(least)) } else { bounded(least, greatest) }
        }
    };
    Ok(length.with_marks(marks))
}

fn bounded(least: u64, greatest: Option<u64>) -> Value {
    Value::unknown(Type::Number).refine(Refinement {
        lower: Some((Number::from(least), true)),
        upper: greatest.map(|n| (Number::from(n), true)),
        ..Refinement::not_null()
    })
}

fn lookup_type(arguments: &[Value], _: &dyn FunctionTable) -> Result<Type, CallError> {
    if arguments.len() > 3 {
        let given = arguments.len();
        return Err(CallError::new(format_args!("lookup() takes two or three arguments, got {given}")));
    }
    let default = arguments.get(2);
    match any(arguments, 0)?.ty() {
        Type::Object(object) => {
            let Some(key) = any(arguments, 1)?.as_str() else { return Ok(Type::Dynamic) };
            let found = object.attributes.get(key).cloned().or_else(|| default.map(Value::ty));
            let missing =
                || CallError::argument(0, format_args!("the given object has no attribute {}", go_quote(key)));
            found.ok_or_else(missing)
        }
        Type::Map(element) => {
            if default.is_some_and(|d| d.convert(&element).is_err()) {
                let message = "the default value must have the same type as the map elements";
                return Err(CallError::argument(2, message));
            }
            Ok((*element).clone())
        }
        _ => Err(CallError::argument(0, "lookup() requires a map as the first argument")),
    }
}

fn lookup(arguments: &[Value], ty: &Type) -> Result<Value, CallError> {
    let (map, map_marks) = unmarked(arguments, 0)?;
    let (key, key_marks) = unmarked(arguments, 1)?;
    let marks = map_marks | key_marks;
    let (Some(_), Some(key)) = (map.entries(), key.as_str()) else {
        return Ok(Value::unknown(ty.clone()).with_marks(marks));
    };
    if let Some(found) = map.get(key) {
        return Ok(found.clone().with_marks(marks));
    }
    let missing = || CallError::new(format_args!("lookup failed to find key {}", quoted(key, key_marks)));
    let default = arguments.get(2).ok_or_else(missing)?;
    Ok(default.convert(ty).map_err(CallError::new)?.with_marks(marks))
}

fn match_type(arguments: &[Value]) -> Result<Type, CallError> {
    let given = [any(arguments, 1)?.ty(), any(arguments, 2)?.ty()];
    types::unify(&given).ok_or_else(|| CallError::new("keys and searchset must be of the same type"))
}

fn match_keys(arguments: &[Value], ty: &Type) -> Result<Value, CallError> {
    let values = sequence(arguments, 0)?;
    if values.len() != sequence(arguments, 1)?.len() {
        return Err(CallError::new("length of keys and values should be equal"));
    }
    let common = match_type(arguments)?;
    let keys = any(arguments, 1)?.convert(&common).map_err(|e| CallError::argument(1, e))?;
    let wanted = any(arguments, 2)?.convert(&common).map_err(|e| CallError::argument(2, e))?;
    let (keys_known, wanted) = (keys.is_wholly_known(), wanted.elements().unwrap_or_default().to_vec());
    let empty = super::sequences::build(ty, []);
    if wanted.is_empty() {
        return Ok(empty);
    }
    if !any(arguments, 0)?.is_wholly_known() || !keys_known {
        return Ok(Value::unknown(ty.clone()));
    }
    let mut found = Vec::new();
    for (key, value) in keys.elements().unwrap_or_default().iter().zip(values) {
        for candidate in &wanted {
            match key.equals(candidate).as_bool() {
                Some(true) => {
                    found.push(value.clone());
                    break;
                }
                Some(false) => {}
                // As Terraform: with an unknown wanted value there is no match at all.
                None => return Ok(empty),
            }
        }
    }
    Ok(super::sequences::build(ty, found))
}

fn merge_type(arguments: &[Value], _: &dyn FunctionTable) -> Result<Type, CallError> {
    let mut attributes: BTreeMap<Str, Type> = BTreeMap::new();
    let (mut same, mut all_known) = (true, true);
    let Some(first) = arguments.first().map(Value::ty) else {
        return Ok(Type::object::<Str>([]));
    };
    for argument in arguments {
        let ty = argument.ty();
        match &ty {
            Type::Dynamic => return Ok(Type::Dynamic),
            Type::Object(object) if !argument.is_null() => {
                attributes.extend(object.attributes.iter().map(|(n, t)| (n.clone(), t.clone())));
            }
            Type::Object(_) => {}
            Type::Map(element) => match argument.entries() {
                Some(entries) => attributes.extend(entries.keys().map(|k| (k.clone(), (**element).clone()))),
                None => all_known &= argument.is_null(),
            },
            other => {
                let message = format!("arguments must be maps or objects, got {}", go_quote(&other.to_string()));
                return Err(CallError::new(message));
            }
        }
        same &= ty == first;
    }
    Ok(match (same, all_known) {
        (true, _) => first,
        (false, true) => Type::object(attributes),
        (false, false) => Type::Dynamic,
    })
}

fn merge(arguments: &[Value], ty: &Type) -> Result<Value, CallError> {
    let mut merged: BTreeMap<Str, Value> = BTreeMap::new();
    let mut marks = Marks::empty();
    for argument in arguments.iter().filter(|a| !a.is_null()) {
        marks |= argument.marks;
        let entries = argument.entries().into_iter().flatten();
        merged.extend(entries.map(|(k, v)| (k.clone(), v.clone())));
    }
    let merged = match ty {
        Type::Map(element) => Value::map((**element).clone(), merged),
        _ => Value::object(merged),
    };
    Ok(merged.with_marks(marks))
}

fn transpose(arguments: &[Value], ty: &Type) -> Result<Value, CallError> {
    let map = any(arguments, 0)?;
    if !map.is_wholly_known() {
        return Ok(Value::unknown(ty.clone()));
    }
    let mut swapped: BTreeMap<Str, Vec<Str>> = BTreeMap::new();
    for (key, list) in map.entries().into_iter().flatten() {
        let elements = list.elements().ok_or_else(|| CallError::new("input must not contain null list"))?;
        for element in elements {
            let text = element.as_str().ok_or_else(|| CallError::new("input list must not contain null string"))?;
            // Keys come in order, so the lists are sorted.
            swapped.entry(text.clone()).or_default().push(key.clone());
        }
    }
    Ok(Value::map(Type::list(Type::String), swapped.into_iter().map(|(k, v)| (k, strings(v)))))
}

fn zipmap_type(arguments: &[Value], _: &dyn FunctionTable) -> Result<Type, CallError> {
    let (keys, values) = (any(arguments, 0)?, any(arguments, 1)?);
    match values.ty() {
        Type::List(element) => Ok(Type::Map(element)),
        Type::Tuple(types) => {
            if !keys.is_wholly_known() {
                return Ok(Type::Dynamic);
            }
            let keys = sequence(arguments, 0)?;
            check_lengths(keys.len(), types.len())?;
            let named =
                keys.iter().zip(types.iter()).enumerate().map(|(i, (key, ty))| Ok((key_text(key, i)?, ty.clone())));
            Ok(Type::object(named.collect::<Result<BTreeMap<_, _>, CallError>>()?))
        }
        _ => Err(CallError::new("values argument must be a list or tuple value")),
    }
}

fn check_lengths(keys: usize, values: usize) -> Result<(), CallError> {
    if keys == values {
        return Ok(());
    }
    Err(CallError::new(format_args!("number of keys ({keys}) does not match number of values ({values})")))
}

fn key_text(key: &Value, index: usize) -> Result<Str, CallError> {
    let null = || CallError::new(format_args!("keys list has null value at index {index}"));
    key.as_str().cloned().ok_or_else(null)
}

fn zipmap(arguments: &[Value], ty: &Type) -> Result<Value, CallError> {
    let (keys, key_marks) = unmarked(arguments, 0)?;
    let (values, value_marks) = unmarked(arguments, 1)?;
    let mut marks = key_marks | value_marks;
    if !keys.is_wholly_known() {
        return Ok(Value::unknown(ty.clone()).with_marks(marks));
    }
    let keys = keys.elements().unwrap_or_default();
    let values = values.elements().unwrap_or_default();
    check_lengths(keys.len(), values.len())?;
    let mut zipped: BTreeMap<Str, Value> = BTreeMap::new();
    for (index, (key, value)) in keys.iter().zip(values).enumerate() {
        // Keys cannot carry marks; the map does.
        marks |= key.marks;
        zipped.insert(key_text(key, index)?, value.clone());
    }
    let zipped = match ty {
        Type::Map(element) => Value::map((**element).clone(), zipped),
        _ => Value::object(zipped),
    };
    Ok(zipped.with_marks(marks))
}
