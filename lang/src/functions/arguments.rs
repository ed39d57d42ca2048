//! Reading arguments: what implementations share. The evaluator has converted them already; a value that is not what it
//! should be is an error all the same, never a panic.

use dashu_int::IBig;

use super::CallError;
use crate::Str;
use crate::quoting::go_quote;
use crate::types::Type;
use crate::values::{Kind, Marks, Number, Value};

/// No result of a function may be longer than this: a configuration has no use for it, and a plan has to hold it.
pub(super) const MAX_STRING_BYTES: usize = 256 << 20;

/// No result of a function may have more elements than this.
pub(super) const MAX_ELEMENTS: usize = 4 << 20;

fn missing(index: usize, what: &str) -> CallError {
    CallError::argument(index, format_args!("{what} required"))
}

/// Argument `index`, whatever it is.
pub(super) fn any(arguments: &[Value], index: usize) -> Result<&Value, CallError> {
    arguments.get(index).ok_or_else(|| missing(index, "a value"))
}

/// A string.
pub(super) fn string(arguments: &[Value], index: usize) -> Result<&Str, CallError> {
    arguments.get(index).and_then(Value::as_str).ok_or_else(|| missing(index, "string"))
}

/// A number.
pub(super) fn number(arguments: &[Value], index: usize) -> Result<&Number, CallError> {
    arguments.get(index).and_then(Value::as_number).ok_or_else(|| missing(index, "number"))
}

/// A whole number in the range of `i64`.
pub(super) fn integer(arguments: &[Value], index: usize) -> Result<i64, CallError> {
    whole(number(arguments, index)?)
}

/// `number` as an `i64`.
pub(super) fn whole(number: &Number) -> Result<i64, CallError> {
    let range = || CallError::new(format_args!("value must be a whole number, between {} and {}", i64::MIN, i64::MAX));
    number.to_i64().ok_or_else(range)
}

/// A whole number of any size.
pub(super) fn big_integer(arguments: &[Value], index: usize) -> Result<IBig, CallError> {
    to_big(number(arguments, index)?).ok_or_else(|| CallError::new("value must be a whole number"))
}

/// `number` as an integer, if it is one.
pub(super) fn to_big(number: &Number) -> Option<IBig> {
    number.is_integer().then(|| number.to_string().parse().ok())?
}

/// An integer as a number.
pub(super) fn from_big(integer: &IBig) -> Option<Number> {
    let text = integer.to_string();
    let digits = text.strip_prefix('-');
    Number::from_digits(digits.is_some(), digits.unwrap_or(&text), 0)
}

/// The elements of a known list, set or tuple.
pub(super) fn sequence(arguments: &[Value], index: usize) -> Result<&[Value], CallError> {
    arguments.get(index).and_then(Value::elements).ok_or_else(|| missing(index, "list"))
}

/// The elements of a list, set or tuple, or the values of a map or object in the order of the keys.
pub(super) fn iterate(value: &Value) -> Option<Vec<Value>> {
    match &value.kind {
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => Some(elements.to_vec()),
        Kind::Map(_, entries) | Kind::Object(entries) => Some(entries.values().cloned().collect()),
        _ => None,
    }
}

/// The argument without its own marks, and those.
pub(super) fn unmarked(arguments: &[Value], index: usize) -> Result<(Value, Marks), CallError> {
    Ok(any(arguments, index)?.clone().unmark())
}

/// `text` in quotes with escapes, as messages quote what a user wrote; not shown where it is sensitive.
pub(super) fn quoted(text: &str, marks: Marks) -> String {
    if marks.contains(Marks::SENSITIVE) { "(sensitive value)".to_owned() } else { go_quote(text) }
}

/// A known or unknown whole number of elements as a value.
pub(super) fn count(n: usize) -> Value {
    Value::number(Number::from(n as u64))
}

/// A list of strings.
pub(super) fn strings<S: Into<Str>>(items: impl IntoIterator<Item = S>) -> Value {
    Value::list(Type::String, items.into_iter().map(|s| Value::string(s)))
}

/// Refuses results that would eat memory.
pub(super) fn check_bytes(bytes: Option<usize>) -> Result<usize, CallError> {
    bytes
        .filter(|n| *n <= MAX_STRING_BYTES)
        .ok_or_else(|| CallError::new(format_args!("the result would be longer than {} MiB", MAX_STRING_BYTES >> 20)))
}
