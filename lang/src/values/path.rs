//! Paths into values, and walks over them.

use std::fmt;
use std::sync::Arc;

use super::{Entries, Kind, Value};
use crate::Str;
use crate::addr::quote;

/// Steps from a value to one inside it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Path(pub Vec<PathStep>);

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub enum PathStep {
    /// Attribute of an object.
    Attribute(Str),
    /// Element of a list or tuple (a number), of a map (a string), or of a set (the element itself).
    Index(Value),
}

impl PathStep {
    /// An element by number.
    pub fn index(index: usize) -> PathStep {
        PathStep::Index(Value::number(index))
    }

    /// An element by key.
    pub fn key(key: impl Into<Str>) -> PathStep {
        PathStep::Index(Value::string(key))
    }

    /// The attribute's name or the string key.
    pub fn name(&self) -> Option<&Str> {
        match self {
            PathStep::Attribute(name) => Some(name),
            PathStep::Index(key) => key.as_str(),
        }
    }
}

impl Path {
    /// The value itself.
    pub fn root() -> Path {
        Path::default()
    }

    /// Whether it has no steps.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// This path and one more step.
    #[must_use]
    pub fn child(&self, step: PathStep) -> Path {
        let mut steps = Vec::with_capacity(self.0.len() + 1);
        steps.extend_from_slice(&self.0);
        steps.push(step);
        Path(steps)
    }

    /// This path and an attribute.
    #[must_use]
    pub fn attribute(&self, name: impl Into<Str>) -> Path {
        self.child(PathStep::Attribute(name.into()))
    }

    /// Whether this path begins with all steps of `prefix`.
    pub fn starts_with(&self, prefix: &Path) -> bool {
        self.0.starts_with(&prefix.0)
    }
}

impl fmt::Display for Path {
    /// As Terraform writes it after a name: `.a[0]["k"]`; a set's element is `[...]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.0 {
            match step {
                PathStep::Attribute(name) => write!(f, ".{name}")?,
                PathStep::Index(key) => match &key.kind {
                    Kind::Number(number) => write!(f, "[{number}]")?,
                    Kind::String(text) => write!(f, "[{}]", quote(text))?,
                    _ => f.write_str("[...]")?,
                },
            }
        }
        Ok(())
    }
}

impl Value {
    /// The value one step further in, if there is one. Marks are not carried over.
    pub fn step(&self, step: &PathStep) -> Option<&Value> {
        match (&self.kind, step) {
            (Kind::Object(entries) | Kind::Map(_, entries), step) => entries.get(step.name()?),
            (Kind::List(_, elements) | Kind::Tuple(elements), PathStep::Index(key)) => {
                elements.get(usize::try_from(key.as_number()?.to_u64()?).ok()?)
            }
            (Kind::Set(_, elements), PathStep::Index(key)) => elements.iter().find(|element| *element == key),
            _ => None,
        }
    }

    /// The value at a path, if all steps lead somewhere.
    pub fn at_path(&self, path: &Path) -> Option<&Value> {
        path.0.iter().try_fold(self, |value, step| value.step(step))
    }

    /// Visits the value and what is inside, outside first. `visit` says whether to go into the value.
    pub fn walk(&self, visit: &mut dyn FnMut(&Path, &Value) -> bool) {
        walk(self, &mut Path::root(), visit);
    }

    /// Replaces every value by what `change` makes of it, inside first. Sets are built anew; elements of collections must
    /// keep their type.
    #[must_use]
    pub fn transform(&self, change: &mut dyn FnMut(&Path, Value) -> Value) -> Value {
        transform(self, &mut Path::root(), change)
    }
}

fn walk(value: &Value, path: &mut Path, visit: &mut dyn FnMut(&Path, &Value) -> bool) {
    if !visit(path, value) {
        return;
    }
    match &value.kind {
        Kind::List(_, elements) | Kind::Tuple(elements) => {
            for (i, element) in elements.iter().enumerate() {
                path.0.push(PathStep::index(i));
                walk(element, path, visit);
                path.0.pop();
            }
        }
        Kind::Set(_, elements) => {
            for element in elements.iter() {
                path.0.push(PathStep::Index(element.clone()));
                walk(element, path, visit);
                path.0.pop();
            }
        }
        Kind::Map(_, entries) => {
            for (key, element) in entries.iter() {
                path.0.push(PathStep::key(key.clone()));
                walk(element, path, visit);
                path.0.pop();
            }
        }
        Kind::Object(entries) => {
            for (name, attribute) in entries.iter() {
                path.0.push(PathStep::Attribute(name.clone()));
                walk(attribute, path, visit);
                path.0.pop();
            }
        }
        Kind::Null(_) | Kind::Unknown(..) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => {}
    }
}

fn transform(value: &Value, path: &mut Path, change: &mut dyn FnMut(&Path, Value) -> Value) -> Value {
    let mut inside = |path: &mut Path, step: PathStep, child: &Value| {
        path.0.push(step);
        let child = transform(child, path, change);
        path.0.pop();
        child
    };
    let marks = value.marks;
    let rebuilt = match &value.kind {
        Kind::List(ty, elements) => {
            let elements: Arc<[Value]> =
                elements.iter().enumerate().map(|(i, element)| inside(path, PathStep::index(i), element)).collect();
            let ty = elements.first().map_or_else(|| ty.clone(), Value::ty);
            Value { kind: Kind::List(ty, elements), marks }
        }
        Kind::Tuple(elements) => {
            let elements = elements.iter().enumerate().map(|(i, element)| inside(path, PathStep::index(i), element));
            Value { kind: Kind::Tuple(elements.collect()), marks }
        }
        Kind::Set(ty, elements) => {
            let elements: Vec<Value> =
                elements.iter().map(|element| inside(path, PathStep::Index(element.clone()), element)).collect();
            let ty = elements.first().map_or_else(|| ty.clone(), Value::ty);
            Value::set(ty, elements).with_marks(marks)
        }
        Kind::Map(ty, entries) => {
            let entries: Entries = entries
                .iter()
                .map(|(key, element)| (key.clone(), inside(path, PathStep::key(key.clone()), element)))
                .collect();
            let ty = entries.values().next().map_or_else(|| ty.clone(), Value::ty);
            Value { kind: Kind::Map(ty, Arc::new(entries)), marks }
        }
        Kind::Object(entries) => {
            let entries = entries
                .iter()
                .map(|(name, value)| (name.clone(), inside(path, PathStep::Attribute(name.clone()), value)));
            Value { kind: Kind::Object(Arc::new(entries.collect())), marks }
        }
        Kind::Null(_) | Kind::Unknown(..) | Kind::Bool(_) | Kind::Number(_) | Kind::String(_) => value.clone(),
    };
    change(path, rebuilt)
}
