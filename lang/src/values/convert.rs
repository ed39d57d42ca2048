//! Conversion of values to a type, by cty's rules: what is converted, what is refused and with which words.

use std::sync::Arc;

use super::path::{Path, PathStep};
use super::{Kind, Number, Refinement, Value};
use crate::Str;
use crate::types::{Type, convertible, unify};

/// Why a value cannot be converted. The display is the message alone, as Terraform's errors use it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ConvertError {
    /// Where in the value.
    pub path: Path,
    /// What is wrong: `a number is required`.
    pub message: String,
}

impl ConvertError {
    fn new(path: &Path, message: impl Into<String>) -> ConvertError {
        ConvertError { path: path.clone(), message: message.into() }
    }
}

impl Value {
    /// Converts to a type or constraint: dynamic parts of it take any type; optional attributes of objects that are missing
    /// become null, attributes that it does not have are dropped. Unknown and null values get the type; marks stay.
    pub fn convert(&self, ty: &Type) -> Result<Value, ConvertError> {
        if *ty == Type::Dynamic || self.has_type(ty) {
            return Ok(self.clone());
        }
        // Most conversions are of primitives, whose type costs nothing to look at.
        if !self.is_primitive_to_primitive(ty) {
            let own = self.ty();
            if own == ty.without_optional() {
                return Ok(self.clone());
            }
            if !convertible(&own, ty, true) {
                return Err(ConvertError::new(&Path::root(), mismatch(&own, ty)));
            }
        }
        convert(self, ty, &mut Path::root())
    }

    fn is_primitive_to_primitive(&self, ty: &Type) -> bool {
        matches!(
            (&self.kind, ty),
            (Kind::String(_), Type::Bool | Type::Number) | (Kind::Bool(_) | Kind::Number(_), Type::String)
        )
    }
}

fn convert(value: &Value, out: &Type, path: &mut Path) -> Result<Value, ConvertError> {
    if *out == Type::Dynamic || value.has_type(out) {
        return Ok(value.clone());
    }
    let converted = match (&value.kind, out) {
        (Kind::Unknown(own, refinement), _) => unknown(own, refinement.as_deref(), out),
        (Kind::Null(own), _) => Value::null(replace_dynamic(own, &out.without_optional())),
        (Kind::Number(number), Type::String) => Value::string(number.to_string()),
        (Kind::Bool(value), Type::String) => Value::string(if *value { "true" } else { "false" }),
        (Kind::String(text), Type::Number) => match Number::parse(text) {
            Some(number) => Value::number(number),
            None => return Err(ConvertError::new(path, "a number is required")),
        },
        (Kind::String(text), Type::Bool) => to_bool(text, path)?,
        (Kind::Set(element, elements), Type::List(_)) if elements.len() > 1 && !value.is_wholly_known() => {
            Value::unknown(Type::list(element.clone()))
        }
        (Kind::List(own, elements) | Kind::Set(own, elements), Type::List(element) | Type::Set(element)) => {
            let elements = convert_elements(elements, element, path)?;
            collection(out, own, elements, path)?
        }
        (Kind::Tuple(elements), Type::List(element) | Type::Set(element)) => {
            tuple_to_collection(elements, element, out, path)?
        }
        (Kind::Tuple(elements), Type::Tuple(types)) => {
            let elements = elements.iter().zip(types.iter()).enumerate();
            let elements = elements.map(|(i, (element, ty))| at(path, PathStep::index(i), |p| convert(element, ty, p)));
            Value::tuple(elements.collect::<Result<Vec<_>, _>>()?)
        }
        (Kind::Map(own, entries), Type::Map(element)) => {
            let entries = entries.iter().map(|(key, value)| {
                let value = at(path, PathStep::key(key.clone()), |p| convert(value, element, p))?;
                Ok((key.clone(), value))
            });
            map(out, own, entries.collect::<Result<_, _>>()?, path)?
        }
        (Kind::Object(entries), Type::Map(element)) => {
            let element = match &**element {
                Type::Dynamic if entries.is_empty() => Type::Dynamic,
                Type::Dynamic => {
                    let types: Vec<Type> = entries.values().map(Value::ty).collect();
                    let Some(unified) = unify(&types) else {
                        return Err(ConvertError::new(path, mismatch(&value.ty(), out)));
                    };
                    unified
                }
                element => element.clone(),
            };
            let converted = entries.iter().map(|(key, value)| {
                let value = at(path, PathStep::key(key.clone()), |p| convert(value, &element, p))?;
                Ok((key.clone(), value))
            });
            let converted = converted.collect::<Result<_, _>>()?;
            map(out, &element, converted, path)?
        }
        (Kind::Object(entries), Type::Object(object)) => {
            let attributes = object.attributes.iter().map(|(name, ty)| {
                let value = match entries.get(name) {
                    Some(value) => at(path, PathStep::Attribute(name.clone()), |p| convert(value, ty, p))?,
                    None if object.optional.contains(name) => Value::null(ty.without_optional()),
                    None => return Err(ConvertError::new(path, format!("attribute {name:?} is required"))),
                };
                Ok((name.clone(), value))
            });
            Value::from_attributes(attributes.collect::<Result<_, _>>()?)
        }
        (Kind::Map(own, entries), Type::Object(object)) => {
            let attributes = object.attributes.iter().map(|(name, ty)| {
                let value = match entries.get(name) {
                    Some(_) if !convertible(own, ty, true) => {
                        let message =
                            format!("map element type is incompatible with attribute {name:?}: {}", mismatch(own, ty));
                        return Err(ConvertError::new(path, message));
                    }
                    Some(value) => at(path, PathStep::key(name.clone()), |p| convert(value, ty, p))?,
                    None if object.optional.contains(name) => Value::null(ty.without_optional()),
                    None => {
                        let message = format!("map has no element for required attribute {name:?}");
                        return Err(ConvertError::new(path, message));
                    }
                };
                Ok((name.clone(), value))
            });
            Value::from_attributes(attributes.collect::<Result<_, _>>()?)
        }
        _ => return Err(ConvertError::new(path, mismatch(&value.ty(), out))),
    };
    Ok(converted.with_marks(value.marks))
}

fn at<T>(path: &mut Path, step: PathStep, inside: impl FnOnce(&mut Path) -> T) -> T {
    path.0.push(step);
    let result = inside(path);
    path.0.pop();
    result
}

fn to_bool(text: &str, path: &Path) -> Result<Value, ConvertError> {
    match text {
        "true" | "1" => Ok(Value::TRUE),
        "false" | "0" => Ok(Value::FALSE),
        _ => Err(ConvertError::new(
            path,
            match text.to_lowercase().as_str() {
                "true" => "a bool is required; to convert from string, use lowercase \"true\"",
                "false" => "a bool is required; to convert from string, use lowercase \"false\"",
                _ => "a bool is required",
            },
        )),
    }
}

fn convert_elements(elements: &[Value], element: &Type, path: &mut Path) -> Result<Vec<Value>, ConvertError> {
    let convert = |(i, value)| at(path, PathStep::index(i), |p| convert(value, element, p));
    elements.iter().enumerate().map(convert).collect()
}

fn tuple_to_collection(elements: &[Value], element: &Type, out: &Type, path: &mut Path) -> Result<Value, ConvertError> {
    let unified;
    let element = if *element == Type::Dynamic && !elements.is_empty() {
        let types: Vec<Type> = elements.iter().map(Value::ty).collect();
        let Some(ty) = unify(&types) else {
            return Err(ConvertError::new(path, mismatch(&Type::Tuple(types.into()), out)));
        };
        unified = ty;
        &unified
    } else {
        element
    };
    let mut converted = convert_elements(elements, element, path)?;
    if matches!(out, Type::List(_)) && !same_types(converted.iter()) {
        let types: Vec<Type> = converted.iter().map(Value::ty).collect();
        let Some(common) = unify(&types) else {
            return Err(ConvertError::new(path, "cannot find a common base type for all elements"));
        };
        converted = convert_elements(&converted, &common, path)?;
    }
    collection(out, element, converted, path)
}

fn same_types<'a>(mut values: impl Iterator<Item = &'a Value>) -> bool {
    let Some(first) = values.next() else { return true };
    let ty = first.ty();
    values.all(|value| value.has_type(&ty))
}

/// The one type of the values, those of unknown type aside; `None` when they differ.
fn common_type<'a>(values: impl Iterator<Item = &'a Value> + Clone) -> Option<Type> {
    let typed = |value: &&Value| !matches!(value.kind, Kind::Unknown(Type::Dynamic, _) | Kind::Null(Type::Dynamic));
    let ty = values.clone().find(typed).map_or(Type::Dynamic, Value::ty);
    values.filter(typed).all(|value| value.has_type(&ty)).then_some(ty)
}

/// Gives a value of unknown type the type of its neighbours.
fn with_element_type(value: Value, ty: &Type) -> Value {
    let kind = match value.kind {
        Kind::Unknown(Type::Dynamic, _) => Kind::Unknown(ty.clone(), None),
        Kind::Null(Type::Dynamic) => Kind::Null(ty.clone()),
        kind => kind,
    };
    Value { kind, marks: value.marks }
}

/// A list or set, as `out` says, of converted elements; `own` is the element type before, for an empty list of any type.
fn collection(out: &Type, own: &Type, elements: Vec<Value>, path: &Path) -> Result<Value, ConvertError> {
    let is_list = matches!(out, Type::List(_));
    let ty = if elements.is_empty() {
        match out.element() {
            Some(Type::Dynamic) | None => own.clone(),
            Some(element) => element.without_optional(),
        }
    } else {
        match common_type(elements.iter()) {
            Some(ty) => ty,
            None => {
                let kind = if is_list { "list" } else { "set" };
                let message = format!("element types must all match for conversion to {kind}");
                return Err(ConvertError::new(path, message));
            }
        }
    };
    let elements = elements.into_iter().map(|element| with_element_type(element, &ty)).collect::<Vec<_>>();
    Ok(if is_list { Value::list(ty, elements) } else { Value::set(ty, elements) })
}

fn map(
    out: &Type,
    own: &Type,
    mut entries: std::collections::BTreeMap<Str, Value>,
    path: &mut Path,
) -> Result<Value, ConvertError> {
    if entries.is_empty() {
        let ty = match out.element() {
            Some(Type::Dynamic) | None => own.clone(),
            Some(element) => element.without_optional(),
        };
        return Ok(Value::map(ty, []));
    }
    if !same_types(entries.values()) && matches!(own, Type::List(_) | Type::Set(_) | Type::Map(_) | Type::Object(_))
        || !same_types(entries.values())
            && out.element().is_some_and(|e| e.is_collection() || matches!(e, Type::Object(_)))
    {
        let types: Vec<Type> = entries.values().map(Value::ty).collect();
        let Some(common) = unify(&types) else {
            return Err(ConvertError::new(path, "cannot find a common base type for all elements"));
        };
        for (key, value) in &mut entries {
            *value = at(path, PathStep::key(key.clone()), |p| convert(value, &common, p))?;
        }
    }
    let Some(ty) = common_type(entries.values()) else {
        return Err(ConvertError::new(path, "element types must all match for conversion to map"));
    };
    let entries = entries.into_iter().map(|(key, value)| (key, with_element_type(value, &ty))).collect();
    Ok(Value { kind: Kind::Map(ty, Arc::new(entries)), marks: super::Marks::empty() })
}

/// An unknown value of the converted type, with what is known about it carried over.
fn unknown(own: &Type, refinement: Option<&Refinement>, out: &Type) -> Value {
    let ty = replace_dynamic(own, &out.without_optional());
    let not_null = refinement.is_some_and(|r| r.not_null);
    let length = |least: usize, greatest: usize| Refinement {
        not_null,
        ..Refinement::length(least as u64, Some(greatest as u64))
    };
    let known = match (own, &ty) {
        (Type::Object(o), Type::Map(_)) => length(o.attributes.len(), o.attributes.len()),
        (Type::Tuple(es), Type::List(_)) => length(es.len(), es.len()),
        (Type::Tuple(es), Type::Set(_)) => length(1.min(es.len()), es.len()),
        (own, out) if own.is_collection() && out.is_collection() => {
            let least = refinement.and_then(|r| r.min_length);
            let min_length = if matches!(out, Type::Set(_)) { least.map(|n| n.min(1)) } else { least };
            let max_length = refinement.and_then(|r| r.max_length);
            Refinement { not_null, min_length, max_length, ..Refinement::default() }
        }
        _ => Refinement { not_null, ..Refinement::default() },
    };
    Value::unknown(ty).refine(known)
}

/// `out` with its dynamic parts replaced by what `own` has there.
fn replace_dynamic(own: &Type, out: &Type) -> Type {
    if *own == Type::Dynamic {
        return out.clone();
    }
    match (out, own) {
        (Type::Dynamic, own) => own.clone(),
        (Type::Map(element), Type::Map(own)) => Type::map(replace_dynamic(own, element)),
        (Type::Map(element), Type::Object(own)) => {
            let types: Vec<Type> = own.attributes.values().cloned().collect();
            Type::map(unify(&types).map_or_else(|| (**element).clone(), |ty| replace_dynamic(&ty, element)))
        }
        (Type::List(element), Type::List(own) | Type::Set(own)) => Type::list(replace_dynamic(own, element)),
        (Type::Set(element), Type::List(own) | Type::Set(own)) => Type::set(replace_dynamic(own, element)),
        (Type::List(element), Type::Tuple(own)) => {
            Type::list(unify(own).map_or_else(|| (**element).clone(), |ty| replace_dynamic(&ty, element)))
        }
        (Type::Set(element), Type::Tuple(own)) => {
            Type::set(unify(own).map_or_else(|| (**element).clone(), |ty| replace_dynamic(&ty, element)))
        }
        (Type::Object(object), Type::Map(own)) => {
            Type::object(object.attributes.iter().map(|(name, ty)| (name.clone(), replace_dynamic(own, ty))))
        }
        (Type::Object(object), Type::Object(own)) => Type::object(object.attributes.iter().map(|(name, ty)| {
            let ty = own.attributes.get(name).map_or_else(|| ty.clone(), |own| replace_dynamic(own, ty));
            (name.clone(), ty)
        })),
        (Type::Tuple(types), Type::Tuple(own)) => {
            Type::tuple(types.iter().zip(own.iter()).map(|(ty, own)| replace_dynamic(own, ty)))
        }
        (out, _) => out.clone(),
    }
}

/// Why a value of type `got` cannot become `want`, in Terraform's words.
pub fn mismatch(got: &Type, want: &Type) -> String {
    let required = || format!("{} required", want.constraint_name());
    match (got, want) {
        (Type::Object(got), Type::Object(want)) => {
            let missing: Vec<String> = want
                .attributes
                .keys()
                .filter(|name| !got.attributes.contains_key(*name) && !want.optional.contains(*name))
                .map(|name| format!("{name:?}"))
                .collect();
            match missing.as_slice() {
                [] => {}
                [one] => return format!("attribute {one} is required"),
                [first, second] => return format!("attributes {first} and {second} are required"),
                [most @ .., last] => return format!("attributes {}, and {last} are required", most.join(", ")),
            }
            let shared = || want.attributes.iter().filter_map(|(n, w)| Some((n, got.attributes.get(n)?, w)));
            let differing = |is_unsafe| shared().find(|(_, got, want)| !convertible(got, want, is_unsafe));
            match differing(true).or_else(|| differing(false)) {
                Some((name, got, want)) => format!("attribute {name:?}: {}", mismatch(got, want)),
                None => "incorrect object attributes".to_owned(),
            }
        }
        (Type::Tuple(_), Type::List(e)) if **e == Type::Dynamic => {
            "all list elements must have the same type".to_owned()
        }
        (Type::Tuple(_), Type::Set(e)) if **e == Type::Dynamic => "all set elements must have the same type".to_owned(),
        (Type::Object(_), Type::Map(e)) if **e == Type::Dynamic => {
            "all map elements must have the same type".to_owned()
        }
        (Type::Tuple(elements), Type::List(want) | Type::Set(want)) => {
            match elements.iter().enumerate().find(|(_, got)| !convertible(got, want, true)) {
                Some((i, got)) => format!("element {i}: {}", mismatch(got, want)),
                None => format!("all elements must be {}", want.constraint_name()),
            }
        }
        (Type::Object(object), Type::Map(want)) => {
            match object.attributes.iter().find(|(_, got)| !convertible(got, want, true)) {
                Some((name, got)) => format!("element {name:?}: {}", mismatch(got, want)),
                None => format!("all elements must be {}", want.constraint_name()),
            }
        }
        (Type::List(got) | Type::Set(got), Type::List(want)) => {
            format!("incorrect list element type: {}", mismatch(got, want))
        }
        (Type::List(got) | Type::Set(got), Type::Set(want)) => {
            format!("incorrect set element type: {}", mismatch(got, want))
        }
        (Type::Map(got), Type::Map(want)) => format!("incorrect map element type: {}", mismatch(got, want)),
        _ => required(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::ObjectType;
    use crate::values::Marks;

    #[test]
    fn primitives() {
        assert_eq!(Value::from("1.50").convert(&Type::Number).unwrap(), Value::number(Number::parse("1.5").unwrap()));
        assert_eq!(Value::from(true).convert(&Type::String).unwrap(), "true".into());
        let error = Value::from("True").convert(&Type::Bool).unwrap_err();
        assert_eq!(error.message, "a bool is required; to convert from string, use lowercase \"true\"");
        assert_eq!(Value::from(true).convert(&Type::Number).unwrap_err().message, "number required");
        assert_eq!(Value::tuple([]).convert(&Type::String).unwrap_err().message, "string required");
    }

    #[test]
    fn tuples_find_a_common_type() {
        let mixed = Value::tuple([Value::from(1i64), "a".into(), Value::NULL_DYNAMIC]);
        let list = mixed.convert(&Type::list(Type::Dynamic)).unwrap();
        assert_eq!(list, Value::list(Type::String, ["1".into(), "a".into(), Value::null(Type::String)]));
        let error = Value::tuple([Value::from(1i64), true.into()]).convert(&Type::list(Type::Dynamic)).unwrap_err();
        assert_eq!(error.message, "all list elements must have the same type");
    }

    #[test]
    fn objects_drop_and_fill() {
        let object = ObjectType {
            attributes: [("a".into(), Type::String), ("b".into(), Type::Number)].into(),
            optional: ["b".into()].into(),
        };
        let want = Type::Object(Arc::new(object));
        let given = Value::object([("a", Value::from(1i64)), ("c", true.into())]);
        assert_eq!(
            given.convert(&want).unwrap(),
            Value::object([("a", Value::from("1")), ("b", Value::null(Type::Number))])
        );
        assert_eq!(
            Value::object([("b", true)].map(|(n, v)| (n, v.into()))).convert(&want).unwrap_err().message,
            "attribute \"a\" is required"
        );
        let map = Value::map(Type::String, [("a".into(), Value::from("x"))]);
        assert_eq!(map.convert(&want).unwrap().get("a"), Some(&"x".into()));
    }

    #[test]
    fn the_path_of_an_error_leads_to_the_culprit() {
        let value = Value::object([("a", Value::tuple([Value::from("1"), "x".into()]))]);
        let error = value.convert(&Type::map(Type::list(Type::Number))).unwrap_err();
        assert_eq!(error.path.to_string(), "[\"a\"][1]");
    }

    #[test]
    fn marks_and_unknowns_survive() {
        let value = Value::tuple([Value::unknown(Type::Number).with_marks(Marks::SENSITIVE)]);
        let list = value.convert(&Type::list(Type::String)).unwrap();
        let element = &list.elements().unwrap()[0];
        assert!(element.is_sensitive() && element.ty() == Type::String);
        let pair = Value::unknown_not_null(Type::tuple([Type::Number, Type::Number]));
        assert_eq!(pair.convert(&Type::list(Type::Dynamic)).unwrap().length(), Some(2));
    }
}
