//! Attributes and elements: `.name`, `[key]`.

use crate::Str;
use crate::ast::{Step, StepKind};
use crate::diag::Diagnostic;
use crate::source::Range;
use crate::types::Type;
use crate::values::{Kind, Marks, Number, Value};

/// The value that steps lead to.
pub(super) fn follow(start: &Value, steps: &[Step]) -> Result<Value, Diagnostic> {
    let mut owned;
    let mut here = start;
    let mut marks = Marks::empty();
    for step in steps {
        marks |= here.marks;
        match known_child(here, &step.kind) {
            Some(child) => here = child,
            None => {
                let next = match &step.kind {
                    StepKind::Attribute(name) => get_attribute(here, name, step.range)?,
                    StepKind::Key(key) => get_index(here, &Value::string(key.clone()), step.range)?,
                    StepKind::Index(index) => get_index(here, &Value::number(index.clone()), step.range)?,
                };
                owned = next;
                here = &owned;
            }
        }
    }
    Ok(here.clone().with_marks(marks))
}

/// The common case, without a copy: the step leads somewhere in a known value.
fn known_child<'v>(value: &'v Value, step: &StepKind) -> Option<&'v Value> {
    match (&value.kind, step) {
        (Kind::Object(entries) | Kind::Map(_, entries), StepKind::Attribute(name) | StepKind::Key(name)) => {
            entries.get(name)
        }
        (Kind::List(_, elements) | Kind::Tuple(elements), StepKind::Index(index)) => {
            elements.get(usize::try_from(index.to_u64()?).ok()?)
        }
        _ => None,
    }
}

/// `value.name`, as HCL does it for values of any type.
///
/// # Errors
/// When there is no such attribute, at `range`.
pub fn get_attribute(value: &Value, name: &str, range: Range) -> Result<Value, Diagnostic> {
    if value.is_null() {
        return Err(Diagnostic::error(
            "Attempt to get attribute from null value",
            "This value is null, so it does not have any attributes.",
        )
        .at(range));
    }
    let unsupported = |detail: String| Err(Diagnostic::error("Unsupported attribute", detail).at(range));
    match &value.kind {
        Kind::Object(attributes) => match attributes.get(name) {
            Some(attribute) => Ok(attribute.clone().with_marks(value.marks)),
            None => unsupported(format!("This object does not have an attribute named {name:?}.")),
        },
        Kind::Unknown(Type::Object(object), _) => match object.attributes.get(name) {
            Some(ty) => Ok(Value::unknown(ty.clone()).with_marks(value.marks)),
            None => unsupported(format!("This object does not have an attribute named {name:?}.")),
        },
        Kind::Unknown(Type::Map(element), _) => Ok(Value::unknown((**element).clone()).with_marks(value.marks)),
        Kind::Map(_, entries) => match entries.get(name) {
            Some(element) => Ok(element.clone().with_marks(value.marks)),
            None => {
                let detail = format!("This map does not have an element with the key {name:?}.");
                Err(Diagnostic::error("Missing map element", detail).at(range))
            }
        },
        Kind::Unknown(Type::Dynamic, _) => Ok(Value::dynamic().with_marks(value.marks)),
        _ => unsupported(match value.ty() {
            Type::List(element) if element.attributes().is_some_and(|a| a.contains_key(name)) => format!(
                "Can't access attributes on a list of objects. Did you mean to access attribute {name:?} for a specific element of the list, or across all elements of the list?"
            ),
            Type::List(element) if element.attributes().is_some() => "Can't access attributes on a list of objects. Did you mean to access an attribute for a specific element of the list, or across all elements of the list?".to_owned(),
            Type::Set(element) if element.attributes().is_some() => "Can't access attributes on a set of objects. Did you mean to access an attribute across all elements of the set?".to_owned(),
            ty if ty.is_primitive() => format!("Can't access attributes on a primitive-typed value ({ty})."),
            _ => "This value does not have any attributes.".to_owned(),
        }),
    }
}

const NO_ELEMENT: &str = "The given key does not identify an element in this collection value";

/// `value[key]`, as HCL does it for values of any type.
///
/// # Errors
/// When there is no such element, at `range`.
pub fn get_index(value: &Value, key: &Value, range: Range) -> Result<Value, Diagnostic> {
    let invalid = |detail: String| Err(Diagnostic::error("Invalid index", detail).at(range));
    if value.is_null() {
        let detail = "This value is null, so it does not have any indices.";
        return Err(Diagnostic::error("Attempt to index null value", detail).at(range));
    }
    if key.is_null() {
        return invalid("Can't use a null value as an indexing key.".to_owned());
    }
    if value.is_dynamic() || key.is_dynamic() {
        return Ok(Value::dynamic().with_marks(value.marks));
    }
    match &value.kind {
        Kind::List(..) | Kind::Tuple(_) | Kind::Unknown(Type::List(_) | Type::Tuple(_), _) => {
            let key = match key.convert(&Type::Number) {
                Ok(key) => key,
                Err(error) => return invalid(format!("{NO_ELEMENT}: {error}.")),
            };
            get_element(value, &key).or_else(invalid)
        }
        Kind::Map(..) | Kind::Unknown(Type::Map(_), _) => {
            let key = match key.convert(&Type::String) {
                Ok(key) => key,
                Err(error) => return invalid(format!("{NO_ELEMENT}: {error}.")),
            };
            match (&value.kind, key.as_str()) {
                (Kind::Unknown(Type::Map(element), _), _) => {
                    Ok(Value::unknown((**element).clone()).with_marks(value.marks))
                }
                (Kind::Map(element, _), None) => Ok(Value::unknown(element.clone()).with_marks(value.marks)),
                (_, Some(name)) => match value.get(name) {
                    Some(element) => Ok(element.clone().with_marks(value.marks | key.marks)),
                    None => invalid(format!("{NO_ELEMENT}.")),
                },
                _ => Ok(Value::dynamic()),
            }
        }
        Kind::Object(_) | Kind::Unknown(Type::Object(_), _) => get_by_name(value, key).or_else(invalid),
        Kind::Set(..) | Kind::Unknown(Type::Set(_), _) => invalid("Elements of a set are identified only by their value and don't have any separate index or key to select with, so it's only possible to perform operations across all elements of the set.".to_owned()),
        _ => invalid("This value does not have any indices.".to_owned()),
    }
}

/// An element of a list or tuple; the error is the detail of the message.
fn get_element(value: &Value, key: &Value) -> Result<Value, String> {
    let Some(number) = key.as_number() else {
        let unknown = match &value.kind {
            Kind::List(element, _) => Value::unknown(element.clone()),
            Kind::Unknown(Type::List(element), _) => Value::unknown((**element).clone()),
            _ => Value::dynamic(),
        };
        return Ok(unknown.with_marks(value.marks));
    };
    let index = number.to_u64().and_then(|i| usize::try_from(i).ok());
    let marks = value.marks | key.marks;
    let length = match &value.kind {
        Kind::Unknown(Type::List(element), _) => return Ok(Value::unknown((**element).clone()).with_marks(value.marks)),
        Kind::Unknown(Type::Tuple(types), _) => match index.and_then(|i| types.get(i)) {
            Some(ty) => return Ok(Value::unknown(ty.clone()).with_marks(marks)),
            None => types.len(),
        },
        _ => match index.and_then(|i| value.elements()?.get(i)) {
            Some(element) => return Ok(element.clone().with_marks(marks)),
            None => value.length().unwrap_or(0),
        },
    };
    let reason = if !number.is_integer() {
        ": indexing a sequence requires a whole number, but the given index has a fractional part"
    } else if number.is_negative() && !number.is_zero() {
        ": a negative number is not a valid index for a sequence"
    } else if !value.marks.is_empty() || *number > Number::from(length) {
        ""
    } else if length == 0 {
        ": the collection has no elements"
    } else {
        ": the given index is greater than or equal to the length of the collection"
    };
    Err(format!("{NO_ELEMENT}{reason}."))
}

fn get_by_name(value: &Value, key: &Value) -> Result<Value, String> {
    let by_number = matches!(key.kind, Kind::Number(_) | Kind::Unknown(Type::Number, _));
    let key = key.convert(&Type::String).map_err(|error| format!("{NO_ELEMENT}: {error}."))?;
    let Some(name): Option<&Str> = key.as_str() else { return Ok(Value::dynamic().with_marks(value.marks)) };
    if !value.is_known() {
        // Even where the type tells: so it is in the HCL of Terraform 1.11.
        return Ok(Value::dynamic().with_marks(value.marks));
    }
    let found = value.get(name).cloned();
    let hint =
        if by_number { " An object only supports looking up attributes by name, not by numeric index." } else { "" };
    found.map(|found| found.with_marks(value.marks)).ok_or_else(|| format!("{NO_ELEMENT}.{hint}"))
}
