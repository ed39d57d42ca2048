//! Sets: which elements are the same, and in which order they stand.

use std::cmp::Ordering;

use super::{Kind, Marks, Value};
use crate::quoting::go_quote;
use crate::types::Type;

/// A set of the elements.
pub(super) fn build(element: Type, elements: Vec<Value>) -> Value {
    let mut marks = Marks::empty();
    let elements = elements.into_iter().map(|value| {
        let inner = value.deep_marks();
        marks |= inner;
        if inner.is_empty() { value } else { value.strip_marks(Marks::all()) }
    });
    let mut keyed: Vec<(Vec<u8>, Value)> = match element {
        // Primitives are ordered by themselves.
        Type::Bool | Type::Number | Type::String => elements.map(|value| (Vec::new(), value)).collect(),
        _ => elements.map(|value| (hash_bytes(&value), value)).collect(),
    };
    keyed.sort_by(|(a_key, a), (b_key, b)| order(a, b).then_with(|| a_key.cmp(b_key)));
    let mut kept: Vec<Value> = Vec::with_capacity(keyed.len());
    let mut run: Vec<u8> = Vec::new();
    let mut run_start = 0;
    for (key, value) in keyed {
        if key != run || !element_is_compound(&element) {
            run_start = if element_is_compound(&element) { kept.len() } else { kept.len().saturating_sub(1) };
            run = key;
        }
        let same = kept.get(run_start..).unwrap_or_default().iter().any(|other| same_element(other, &value));
        if !same {
            kept.push(value);
        }
    }
    Value { kind: Kind::Set(element, kept.into()), marks }
}

fn element_is_compound(element: &Type) -> bool {
    !element.is_primitive()
}

/// Whether two elements are certainly equal; unknown ones never are.
pub(crate) fn same_element(a: &Value, b: &Value) -> bool {
    a.equals(b).as_bool() == Some(true)
}

/// Known before unknown before null; primitives by value, the rest is left to the hash.
fn order(a: &Value, b: &Value) -> Ordering {
    let rank = |v: &Value| match v.kind {
        Kind::Null(_) => 2,
        Kind::Unknown(..) => 1,
        _ => 0,
    };
    match (&a.kind, &b.kind) {
        (Kind::String(a), Kind::String(b)) => a.cmp(b),
        (Kind::Number(a), Kind::Number(b)) => a.cmp(b),
        (Kind::Bool(a), Kind::Bool(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)),
    }
}

/// The bytes by which cty orders elements that have no natural order. Visible in plans, hence the same here.
fn hash_bytes(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    append_hash(value, &mut out);
    out
}

fn append_hash(value: &Value, out: &mut Vec<u8>) {
    match &value.kind {
        Kind::Unknown(..) => out.push(b'?'),
        Kind::Null(_) => out.push(b'~'),
        Kind::Bool(value) => out.push(if *value { b'T' } else { b'F' }),
        Kind::Number(number) => out.extend_from_slice(number.hash_text().as_bytes()),
        Kind::String(text) => out.extend_from_slice(go_quote(text).as_bytes()),
        Kind::Map(_, entries) => {
            out.push(b'{');
            for (key, value) in entries.iter() {
                out.extend_from_slice(go_quote(key).as_bytes());
                out.push(b':');
                append_hash(value, out);
                out.push(b';');
            }
            out.push(b'}');
        }
        Kind::List(_, elements) | Kind::Set(_, elements) => {
            out.push(b'[');
            elements.iter().for_each(|element| {
                append_hash(element, out);
                out.push(b';');
            });
            out.push(b']');
        }
        Kind::Tuple(elements) => {
            out.push(b'<');
            elements.iter().for_each(|element| {
                append_hash(element, out);
                out.push(b';');
            });
            out.push(b'>');
        }
        Kind::Object(entries) => {
            out.push(b'<');
            entries.values().for_each(|value| {
                append_hash(value, out);
                out.push(b';');
            });
            out.push(b'>');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_ordered_and_without_duplicates() {
        let set = Value::set(Type::Number, [10i64, 2, 2, 1].map(Value::from));
        assert_eq!(set.elements().unwrap(), [1i64, 2, 10].map(Value::from));
        let strings = Value::set(Type::String, [Value::unknown(Type::String), "b".into(), "a".into(), "b".into()]);
        assert_eq!(strings.length(), Some(3));
        let objects = ["b", "a", "b"].map(|name| Value::object([("n", name)].map(|(n, v)| (n, v.into()))));
        let ty = objects[0].ty();
        assert_eq!(Value::set(ty, objects).length(), Some(2));
    }

    #[test]
    fn marks_of_elements_move_to_the_set() {
        let set = Value::set(Type::String, [Value::from("a").with_marks(Marks::SENSITIVE)]);
        assert!(set.is_sensitive() && !set.elements().unwrap()[0].is_sensitive());
    }
}
