//! Marks: what a value carries along, on itself and inside.

use std::sync::Arc;

use super::path::{Path, PathStep};
use super::{Entries, Kind, Marks, Value};

impl Value {
    /// The value with more marks on this node.
    #[must_use]
    pub fn with_marks(mut self, marks: Marks) -> Value {
        self.marks |= marks;
        self
    }

    /// The value without the marks of this node, and these.
    pub fn unmark(mut self) -> (Value, Marks) {
        let marks = std::mem::take(&mut self.marks);
        (self, marks)
    }

    /// All marks of this node and of what is inside.
    pub fn deep_marks(&self) -> Marks {
        self.children().fold(self.marks, |marks, child| marks | child.deep_marks())
    }

    /// Whether there is a mark on this node or inside.
    pub fn has_deep_marks(&self) -> bool {
        !self.marks.is_empty() || self.children().any(Value::has_deep_marks)
    }

    /// Whether this node is sensitive.
    pub fn is_sensitive(&self) -> bool {
        self.marks.contains(Marks::SENSITIVE)
    }

    /// Whether this node is ephemeral.
    pub fn is_ephemeral(&self) -> bool {
        self.marks.contains(Marks::EPHEMERAL)
    }

    /// The value without any marks, and the marks by path, outer ones first.
    pub fn unmark_deep(self) -> (Value, Vec<(Path, Marks)>) {
        if !self.has_deep_marks() {
            return (self, Vec::new());
        }
        let mut found = Vec::new();
        self.walk(&mut |path, value| {
            if !value.marks.is_empty() {
                found.push((path.clone(), value.marks));
            }
            value.has_deep_marks()
        });
        (self.strip_marks(Marks::all()), found)
    }

    /// The value without the given marks, here and inside.
    #[must_use]
    pub fn strip_marks(self, marks: Marks) -> Value {
        if !self.deep_marks().intersects(marks) {
            return self;
        }
        let mut value = self.map_children(|child| child.strip_marks(marks));
        value.marks -= marks;
        value
    }

    /// The value with marks at paths. A path that leads nowhere, or into a set or an unknown value, marks the last value
    /// on the way.
    #[must_use]
    pub fn mark_paths(self, paths: &[(Path, Marks)]) -> Value {
        paths.iter().fold(self, |value, (path, marks)| mark_at(value, &path.0, *marks))
    }

    /// The value with each child replaced. The caller keeps the types of collection elements.
    pub(crate) fn map_children(self, mut change: impl FnMut(Value) -> Value) -> Value {
        let Value { kind, marks } = self;
        let kind = match kind {
            Kind::List(ty, elements) => Kind::List(ty, elements.iter().cloned().map(change).collect()),
            Kind::Set(ty, elements) => Kind::Set(ty, elements.iter().cloned().map(change).collect()),
            Kind::Tuple(elements) => Kind::Tuple(elements.iter().cloned().map(change).collect()),
            Kind::Map(ty, mut entries) => {
                Arc::make_mut(&mut entries).values_mut().for_each(|value| {
                    let old = std::mem::replace(value, Value::NULL_DYNAMIC);
                    *value = change(old);
                });
                Kind::Map(ty, entries)
            }
            Kind::Object(mut entries) => {
                Arc::make_mut(&mut entries).values_mut().for_each(|value| {
                    let old = std::mem::replace(value, Value::NULL_DYNAMIC);
                    *value = change(old);
                });
                Kind::Object(entries)
            }
            kind @ (Kind::Null(_) | Kind::Unknown(..) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_)) => kind,
        };
        Value { kind, marks }
    }
}

fn mark_at(value: Value, steps: &[PathStep], marks: Marks) -> Value {
    let Some((step, rest)) = steps.split_first() else { return value.with_marks(marks) };
    if matches!(value.kind, Kind::Set(..)) || value.step(step).is_none() {
        return value.with_marks(marks);
    }
    let Value { kind, marks: own } = value;
    let kind = match (kind, step) {
        (Kind::List(ty, mut elements), PathStep::Index(key)) => {
            mark_element(&mut elements, key, rest, marks);
            Kind::List(ty, elements)
        }
        (Kind::Tuple(mut elements), PathStep::Index(key)) => {
            mark_element(&mut elements, key, rest, marks);
            Kind::Tuple(elements)
        }
        (Kind::Map(ty, mut entries), step) => {
            mark_entry(&mut entries, step, rest, marks);
            Kind::Map(ty, entries)
        }
        (Kind::Object(mut entries), step) => {
            mark_entry(&mut entries, step, rest, marks);
            Kind::Object(entries)
        }
        (kind, _) => kind,
    };
    Value { kind, marks: own }
}

fn mark_element(elements: &mut Arc<[Value]>, key: &Value, rest: &[PathStep], marks: Marks) {
    let index = key.as_number().and_then(|n| n.to_u64()).and_then(|i| usize::try_from(i).ok());
    if let Some(element) = index.and_then(|i| Arc::make_mut(elements).get_mut(i)) {
        *element = mark_at(element.clone(), rest, marks);
    }
}

fn mark_entry(entries: &mut Arc<Entries>, step: &PathStep, rest: &[PathStep], marks: Marks) {
    if let Some(entry) = step.name().and_then(|name| Arc::make_mut(entries).get_mut(name)) {
        *entry = mark_at(entry.clone(), rest, marks);
    }
}
