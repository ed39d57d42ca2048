//! Equality: of the structure, and of the language.

use super::{Kind, Value};
use crate::types::Type;

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        self.raw_equals(other)
    }
}

impl Value {
    /// Whether both are the same: type, content, marks, and what is unknown.
    pub fn raw_equals(&self, other: &Value) -> bool {
        if self.marks != other.marks {
            return false;
        }
        match (&self.kind, &other.kind) {
            (Kind::Null(a), Kind::Null(b)) => a == b,
            (Kind::Unknown(a, ar), Kind::Unknown(b, br)) => a == b && ar == br,
            (Kind::Bool(a), Kind::Bool(b)) => a == b,
            (Kind::Number(a), Kind::Number(b)) => a == b,
            (Kind::String(a), Kind::String(b)) => a == b,
            (Kind::List(at, a), Kind::List(bt, b)) | (Kind::Set(at, a), Kind::Set(bt, b)) => at == bt && a == b,
            (Kind::Map(at, a), Kind::Map(bt, b)) => at == bt && a == b,
            (Kind::Tuple(a), Kind::Tuple(b)) => a == b,
            (Kind::Object(a), Kind::Object(b)) => a == b,
            _ => false,
        }
    }

    /// The language's `==`: a bool, unknown where unknown parts decide, with all marks of both sides.
    ///
    /// Values of different types differ, save that all nulls are equal.
    pub fn equals(&self, other: &Value) -> Value {
        let marks = self.deep_marks() | other.deep_marks();
        let result = match compare(self, other) {
            Some(equal) => Value::bool(equal),
            None => Value::unknown_not_null(Type::Bool),
        };
        result.with_marks(marks)
    }
}

/// `None` when it is unknown.
fn compare(a: &Value, b: &Value) -> Option<bool> {
    if (a.is_null() && b.is_definitely_not_null()) || (b.is_null() && a.is_definitely_not_null()) {
        return Some(false);
    }
    if a.is_known() != b.is_known() {
        let (known, unknown) = if a.is_known() { (a, b) } else { (b, a) };
        return if excludes(unknown, known) { Some(false) } else { None };
    }
    match (&a.kind, &b.kind) {
        (Kind::Unknown(..), _) | (_, Kind::Unknown(..)) => return None,
        (Kind::Null(_), Kind::Null(_)) => return Some(true),
        (Kind::Null(_), _) | (_, Kind::Null(_)) => return Some(false),
        (Kind::Bool(a), Kind::Bool(b)) => return Some(a == b),
        (Kind::Number(a), Kind::Number(b)) => return Some(a == b),
        (Kind::String(a), Kind::String(b)) => return Some(a == b),
        _ => {}
    }
    if !a.has_wholly_known_type() || !b.has_wholly_known_type() {
        let (at, bt) = (a.ty(), b.ty());
        return if !conforms(&at, &bt) && !conforms(&bt, &at) { Some(false) } else { None };
    }
    if !b.has_type(&a.ty()) {
        return Some(false);
    }
    match (&a.kind, &b.kind) {
        (Kind::List(_, a), Kind::List(_, b)) | (Kind::Tuple(a), Kind::Tuple(b)) => {
            if a.len() != b.len() {
                return Some(false);
            }
            all(a.iter().zip(b.iter()))
        }
        (Kind::Object(a), Kind::Object(b)) | (Kind::Map(_, a), Kind::Map(_, b)) => {
            if a.len() != b.len() || !a.keys().eq(b.keys()) {
                return Some(false);
            }
            all(a.values().zip(b.values()))
        }
        (Kind::Set(_, a), Kind::Set(_, b)) => {
            if !a.iter().chain(b.iter()).all(Value::is_known) {
                return None;
            }
            let has = |set: &[Value], wanted: &Value| set.iter().any(|e| compare(e, wanted) == Some(true));
            if a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| compare(a, b) == Some(true)) {
                return Some(true);
            }
            Some(a.iter().all(|e| has(b, e)) && b.iter().all(|e| has(a, e)))
        }
        _ => Some(false),
    }
}

/// The first part that is not certainly equal decides.
fn all<'a>(pairs: impl Iterator<Item = (&'a Value, &'a Value)>) -> Option<bool> {
    for (a, b) in pairs {
        match compare(a, b) {
            Some(true) => {}
            other => return other,
        }
    }
    Some(true)
}

/// Whether what is known about `unknown` rules out that it becomes `known`.
fn excludes(unknown: &Value, known: &Value) -> bool {
    let Kind::Unknown(ty, refinement) = &unknown.kind else { return false };
    if known.is_null() {
        return refinement.as_ref().is_some_and(|r| r.not_null);
    }
    if !conforms(&known.ty(), ty) {
        return true;
    }
    let Some(refinement) = refinement else { return false };
    if let Some(text) = known.as_str() {
        return refinement.prefix.as_ref().is_some_and(|prefix| !text.starts_with(prefix.as_str()));
    }
    if let Some(number) = known.as_number() {
        let below = refinement.lower.as_ref().is_some_and(|(n, inclusive)| number < n || (!inclusive && number == n));
        let above = refinement.upper.as_ref().is_some_and(|(n, inclusive)| number > n || (!inclusive && number == n));
        return below || above;
    }
    if ty.is_collection() {
        let (least, greatest) = known.length_bounds();
        return refinement.min_length.is_some_and(|min| greatest.is_some_and(|g| g < min))
            || refinement.max_length.is_some_and(|max| least > max);
    }
    false
}

/// Whether `given` fits the constraint `wanted`, where dynamic parts of the constraint fit anything.
fn conforms(given: &Type, wanted: &Type) -> bool {
    match (given, wanted) {
        (_, Type::Dynamic) => true,
        (Type::List(a), Type::List(b)) | (Type::Set(a), Type::Set(b)) | (Type::Map(a), Type::Map(b)) => conforms(a, b),
        (Type::Tuple(a), Type::Tuple(b)) => a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| conforms(a, b)),
        (Type::Object(a), Type::Object(b)) => {
            a.attributes.len() == b.attributes.len()
                && a.attributes.iter().zip(&b.attributes).all(|((an, at), (bn, bt))| an == bn && conforms(at, bt))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::{Marks, Refinement};

    #[test]
    fn nulls_are_equal_and_types_differ() {
        assert_eq!(Value::null(Type::String).equals(&Value::null(Type::Bool)), Value::TRUE);
        assert_eq!(Value::from(1i64).equals(&"1".into()), Value::FALSE);
        assert_eq!(Value::tuple([]).equals(&Value::list(Type::String, [])), Value::FALSE);
    }

    #[test]
    fn unknown_values_answer_when_what_is_known_suffices() {
        let prefixed = Value::unknown(Type::String).refine(Refinement::with_safe_prefix("pre-"));
        assert_eq!(prefixed.equals(&"xre".into()), Value::FALSE);
        assert!(!prefixed.equals(&"pre-x".into()).is_known());
        assert_eq!(prefixed.equals(&Value::NULL_DYNAMIC), Value::FALSE);
        let list = Value::list(Type::String, []);
        assert_eq!(Value::unknown(Type::list(Type::Number)).equals(&list), Value::FALSE);
    }

    #[test]
    fn marks_of_the_inside_mark_the_answer() {
        let inner = Value::tuple([Value::from("a").with_marks(Marks::SENSITIVE)]);
        assert!(inner.equals(&Value::tuple([])).is_sensitive());
    }
}
