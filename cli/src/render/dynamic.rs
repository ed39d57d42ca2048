//! Differences of values that have no schema: outputs, attributes of dynamic type, JSON in strings.

use serde_json::Value as Json;

use super::change::{Change, Marker};
use super::diff::{Action, Diff, Kind};
use super::sequence::pair;

#[derive(Clone, Copy, PartialEq, Eq)]
enum JsonType {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

fn type_of(value: Option<&Json>) -> JsonType {
    match value {
        None | Some(Json::Null) => JsonType::Null,
        Some(Json::Bool(_)) => JsonType::Bool,
        Some(Json::Number(_)) => JsonType::Number,
        Some(Json::String(_)) => JsonType::String,
        Some(Json::Array(_)) => JsonType::Array,
        Some(Json::Object(_)) => JsonType::Object,
    }
}

/// The difference by the types that the JSON itself has.
pub fn dynamic(change: Change<'_>) -> Diff {
    if let Some(diff) = sensitive(&change, dynamic) {
        return diff;
    }
    if let Some(diff) = unknown(&change, Marker::No, dynamic) {
        return diff;
    }
    let (before, after) = (type_of(change.before), type_of(change.after));
    let removed = after == JsonType::Null && !change.after_explicit;
    let added = before == JsonType::Null && !change.before_explicit;
    if before == after || removed || added {
        let kind = if before == JsonType::Null { after } else { before };
        return of_type(change, kind);
    }
    let replace = change.replace.matches();
    let old = of_type(change.as_removal(), before);
    let new = of_type(change.as_addition(), after);
    Diff { action: Action::Update, replace, kind: Kind::TypeChange(Box::new(old), Box::new(new)) }
}

fn of_type(change: Change<'_>, kind: JsonType) -> Diff {
    match kind {
        JsonType::Object => {
            let mut action = change.outer_action();
            let mut attributes = std::collections::BTreeMap::new();
            for key in change.keys() {
                let diff = dynamic(change.child(key));
                action = action.and(diff.action);
                attributes.insert(key.clone(), diff);
            }
            Diff { action, replace: change.replace.matches(), kind: Kind::Object(attributes) }
        }
        JsonType::Array => {
            let mut action = change.outer_action();
            let mut elements = Vec::new();
            for step in pair(change.elements_before(), change.elements_after(), Json::is_object) {
                let diff = dynamic(change.element(step.before, step.after));
                action = action.and(diff.action);
                elements.push(diff);
            }
            Diff { action, replace: change.replace.matches(), kind: Kind::List(elements) }
        }
        _ => primitive(&change),
    }
}

/// The difference of two primitive values.
pub fn primitive(change: &Change<'_>) -> Diff {
    let kind = Kind::Primitive(change.before.cloned(), change.after.cloned());
    Diff { action: change.action(), replace: change.replace.matches(), kind }
}

/// The difference of a value that is (or was) sensitive; `None` if it is neither.
pub fn sensitive<'a>(change: &Change<'a>, compute: impl FnOnce(Change<'a>) -> Diff) -> Option<Diff> {
    let (before, after) = (change.before_sensitive.is_set(), change.after_sensitive.is_set());
    if !before && !after {
        return None;
    }
    let bare = Change {
        before: if change.before_explicit { change.before } else { shown(change.before) },
        after: if change.after_explicit { change.after } else { shown(change.after) },
        before_sensitive: Marker::No,
        after_sensitive: Marker::No,
        ..change.clone()
    };
    let inner = compute(bare);
    let nothing = change.is_null() && !change.before_explicit && !change.after_explicit;
    // Only the sensitivity changes: that is worth showing.
    let action =
        if inner.action == Action::NoOp && before != after && !nothing { Action::Update } else { inner.action };
    let kind = Kind::Sensitive { inner: Box::new(inner), before, after };
    Some(Diff { action, replace: change.replace.matches(), kind })
}

/// The difference of a value that is unknown after; `None` if it is known. `children` says what is unknown below in the
/// rendering of the value before.
pub fn unknown<'a>(
    change: &Change<'a>,
    children: Marker<'a>,
    compute: impl FnOnce(Change<'a>) -> Diff,
) -> Option<Diff> {
    if !change.unknown.is_set() {
        return None;
    }
    let action = if change.before.is_some() { Action::Update } else { Action::Create };
    let replace = change.replace.matches();
    let inner = change.before.is_some().then(|| {
        let removal = Change {
            before: if change.before_explicit { change.before } else { shown(change.before) },
            after: None,
            after_explicit: false,
            unknown: children,
            after_sensitive: Marker::No,
            ..change.clone()
        };
        Box::new(compute(removal))
    });
    Some(Diff { action, replace, kind: Kind::Unknown(inner) })
}

/// A value that stands alone, as Terraform takes it below a sensitive or unknown one: an empty string counts as none.
fn shown(value: Option<&Json>) -> Option<&Json> {
    value.filter(|value| value.as_str() != Some(""))
}
