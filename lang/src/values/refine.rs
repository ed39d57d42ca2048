//! What is known about unknown values.

use std::sync::Arc;

use unicode_segmentation::UnicodeSegmentation;

use super::{Kind, Number, Refinement, Value, normalize};
use crate::Str;
use crate::types::Type;

/// Lists are not made out of unknown elements beyond this length.
const MAX_EXPANDED: u64 = 10_000;

impl Value {
    /// Narrows an unknown value; what it turns out to be may then be known (a list of length zero, a number within equal
    /// bounds). Known values, and those of unknown type, come back as they are.
    #[must_use]
    pub fn refine(self, refinement: Refinement) -> Value {
        let Value { kind, marks } = self;
        let Kind::Unknown(ty, old) = kind else { return Value { kind, marks } };
        if ty == Type::Dynamic {
            return Value { kind: Kind::Unknown(ty, old), marks };
        }
        let merged = merge(old.as_deref(), refinement);
        let value = collapse(&ty, &merged).unwrap_or_else(|| {
            let rest = (merged != Refinement::default()).then(|| Arc::new(merged));
            Value { kind: Kind::Unknown(ty, rest), marks }
        });
        value.with_marks(marks)
    }

    /// Says of an unknown value that it will not be null.
    #[must_use]
    pub fn refine_not_null(self) -> Value {
        match &self.kind {
            Kind::Unknown(ty, refinement) if *ty != Type::Dynamic => match refinement {
                Some(r) if r.not_null => self,
                _ => self.refine(Refinement { not_null: true, ..Refinement::default() }),
            },
            _ => self,
        }
    }

    /// What is known about it if it is unknown.
    pub fn refinement(&self) -> Option<&Refinement> {
        match &self.kind {
            Kind::Unknown(_, refinement) => refinement.as_deref(),
            _ => None,
        }
    }

    /// Whether it is known not to be null.
    pub fn is_definitely_not_null(&self) -> bool {
        match &self.kind {
            Kind::Null(_) => false,
            Kind::Unknown(_, refinement) => refinement.as_ref().is_some_and(|r| r.not_null),
            _ => true,
        }
    }

    /// Least and greatest number of elements that a collection, tuple or object can have; an unknown or null of another
    /// type has any.
    pub fn length_bounds(&self) -> (u64, Option<u64>) {
        match &self.kind {
            Kind::Unknown(Type::Tuple(elements), _) => (elements.len() as u64, Some(elements.len() as u64)),
            Kind::Unknown(Type::Object(o), _) => (o.attributes.len() as u64, Some(o.attributes.len() as u64)),
            Kind::Unknown(_, Some(r)) => (r.min_length.unwrap_or(0), r.max_length),
            Kind::Set(_, elements) if !self.is_wholly_known() => (1, Some(elements.len() as u64)),
            _ => self.length().map_or((0, None), |n| (n as u64, Some(n as u64))),
        }
    }

    /// Bounds of a number: its own value, or what is known about it.
    pub fn number_bounds(&self) -> (Option<Number>, Option<Number>) {
        match &self.kind {
            Kind::Number(n) => (Some(n.clone()), Some(n.clone())),
            Kind::Unknown(_, Some(r)) => (r.lower.clone().map(|(n, _)| n), r.upper.clone().map(|(n, _)| n)),
            _ => (None, None),
        }
    }
}

impl Refinement {
    /// Not null, nothing else.
    pub fn not_null() -> Refinement {
        Refinement { not_null: true, ..Refinement::default() }
    }

    /// Not null, beginning with as much of `prefix` as later characters cannot change.
    pub fn with_safe_prefix(prefix: &str) -> Refinement {
        let safe = safe_prefix(prefix);
        let prefix = (!safe.is_empty()).then(|| normalize(Str::new(safe)));
        Refinement { not_null: true, prefix, ..Refinement::default() }
    }

    /// Not null, between these numbers of elements.
    pub fn length(least: u64, greatest: Option<u64>) -> Refinement {
        let min_length = (least > 0).then_some(least);
        Refinement { not_null: true, min_length, max_length: greatest, ..Refinement::default() }
    }
}

/// The part of a string that stays as it is whatever follows: without the last grapheme cluster, which a following
/// character may join, unless it is one of the delimiters that nothing joins.
fn safe_prefix(text: &str) -> &str {
    let Some((start, last)) = text.grapheme_indices(true).next_back() else { return text };
    let safe_end = match last.as_bytes() {
        [b] => is_safe_delimiter(*b),
        _ => false,
    };
    if safe_end { text } else { text.get(..start).unwrap_or_default() }
}

/// The delimiters after which cty lets a known prefix end.
fn is_safe_delimiter(byte: u8) -> bool {
    matches!(
        byte,
        b'-' | b'_'
            | b':'
            | b';'
            | b'/'
            | b'\\'
            | b','
            | b'.'
            | b'('
            | b')'
            | b'{'
            | b'}'
            | b'['
            | b']'
            | b'|'
            | b'?'
            | b'!'
            | b'~'
            | b' '
            | b'\t'
            | b'@'
            | b'#'
            | b'$'
            | b'%'
            | b'^'
            | b'&'
            | b'*'
            | b'+'
            | b'"'
            | b'\''
    )
}

fn merge(old: Option<&Refinement>, new: Refinement) -> Refinement {
    let Some(old) = old else { return new };
    let prefix = match (&old.prefix, new.prefix) {
        (Some(a), Some(b)) => Some(if b.len() > a.len() { b } else { a.clone() }),
        (a, b) => b.or_else(|| a.clone()),
    };
    let bound = |a: &Option<(Number, bool)>, b: Option<(Number, bool)>, greater: bool| match (a, b) {
        (Some(a), Some(b)) if a.0 == b.0 => Some((b.0, a.1 && b.1)),
        (Some(a), Some(b)) => Some(if (b.0 > a.0) == greater { b } else { a.clone() }),
        (a, b) => b.or_else(|| a.clone()),
    };
    Refinement {
        not_null: old.not_null || new.not_null,
        prefix,
        lower: bound(&old.lower, new.lower, true),
        upper: bound(&old.upper, new.upper, false),
        min_length: old.min_length.max(new.min_length),
        max_length: match (old.max_length, new.max_length) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        },
    }
}

/// The value that a refinement leaves no choice about.
fn collapse(ty: &Type, refinement: &Refinement) -> Option<Value> {
    if !refinement.not_null {
        return None;
    }
    if let (Type::Number, Some((lower, true)), Some((upper, true))) = (ty, &refinement.lower, &refinement.upper) {
        return (lower == upper).then(|| Value::number(lower.clone()));
    }
    let length = refinement.max_length.filter(|max| *max == refinement.min_length.unwrap_or(0))?;
    match (ty, length) {
        (Type::List(element), 0) => Some(Value::list((**element).clone(), [])),
        (Type::Set(element), 0) => Some(Value::set((**element).clone(), [])),
        (Type::Map(element), 0) => Some(Value::map((**element).clone(), [])),
        (Type::List(element), n) if n <= MAX_EXPANDED => {
            let unknown = Value::unknown((**element).clone());
            Some(Value::list((**element).clone(), (0..n).map(|_| unknown.clone())))
        }
        (Type::Set(element), 1) => Some(Value::set((**element).clone(), [Value::unknown((**element).clone())])),
        _ => None,
    }
}
