//! Typed models: structs as schemas, and to and from values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lang::{Number, Str, Type, Value};

use crate::schema::{Attribute, Block, Nesting, Schema, Semantics};

/// A struct that is the schema of a resource type, a data source, a provider configuration or a nested block.
///
/// `#[derive(Model)]` (together with `Clone`, `Debug` and `Default`) writes the implementation. Every field has one of:
///
/// - `#[attr(required | optional, computed, force_new, sensitive, write_only, default = LITERAL, deprecated = "…",
///   equivalent = "path::to::fn", normalize = "path::to::fn", valid = CHECK | [CHECK, …], keep_prior, set, name = "…")]`. The type of the field is the type of the attribute:
///   `String`, `bool`, `i64`, `f64`, `Vec<T>` (list), `BTreeSet<T>` (set), `BTreeMap<String, T>`, another model (object),
///   [`Value`] (any type) or an `Option` of these. With `set`, a `Vec<T>` is a set: for sets of objects.
/// - `#[block(list | set | single, required, min = N, max = N, computed, force_new)]` for nested blocks: `Vec<T>`, or
///   `Option<T>` or `T` where there is at most one.
/// - `#[timeouts(create, update, delete)]` for the `timeouts` block: [`crate::Timeouts`].
///
/// On the struct: `#[model(version = N, framework, deprecated = "…", conflicts("a", "b"), exactly_one_of("a", "b"),
/// at_least_one_of("a", "b"), required_with("a", "b"))]`: the last four as often as needed ([`crate::Rule`]); `valid` takes a [`crate::Check`]; `framework` for resource types that Terraform's provider
/// implements with terraform-plugin-framework ([`Semantics`]).
///
/// `Option` tells null from `""`, `0`, `false` and `[]`; without it, null reads as the type's default. Unknown values read
/// as null: what makes calls sees plain Rust types.
pub trait Model: Clone + Default + Send + Sync + Sized + 'static {
    /// The version of the schema.
    const VERSION: u64 = 0;

    /// Whose planning rules it follows.
    const SEMANTICS: Semantics = Semantics::Legacy;

    /// What it holds.
    fn block() -> Block;

    /// From an object that conforms to the schema.
    fn from_value(value: &Value) -> Result<Self, ModelError>;

    /// To an object that conforms to the schema.
    fn to_value(&self) -> Value;

    /// The schema.
    fn schema() -> Schema {
        Schema { version: Self::VERSION, block: Self::block(), semantics: Self::SEMANTICS }
    }
}

/// A value that doesn't fit a model: a broken state, or a bug.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct ModelError {
    /// Names, joined by dots.
    pub path: String,
    /// What was expected.
    pub message: String,
}

impl ModelError {
    fn expected(what: &str) -> ModelError {
        ModelError { path: String::new(), message: format!("{what} expected") }
    }

    fn under(mut self, name: &str) -> ModelError {
        self.path = if self.path.is_empty() { name.to_owned() } else { format!("{name}.{}", self.path) };
        self
    }
}

/// A Rust type that an attribute can have.
pub trait Field: Sized {
    /// The type of the attribute.
    fn ty() -> Type;

    /// For objects and collections of objects: what an object holds.
    fn nested() -> Option<Block> {
        None
    }

    /// From a value; null and unknown read as the default.
    fn from_field(value: &Value) -> Result<Self, ModelError>;

    /// To a value of [`Field::ty`].
    fn to_field(&self) -> Value;
}

/// A Rust type that stands for a set though it isn't one: a set of objects as `Vec`.
pub trait SetField: Sized {
    /// The type of the attribute.
    fn set_type() -> Type;

    /// From a set.
    fn from_set(value: &Value) -> Result<Self, ModelError>;

    /// To a set.
    fn to_set(&self) -> Value;
}

/// A Rust type that holds nested blocks.
pub trait BlockField: Sized {
    /// What a block holds.
    type Element: Model + Field;

    /// From the blocks.
    fn from_elements(elements: Vec<Self::Element>) -> Result<Self, ModelError>;

    /// The blocks.
    fn elements(&self) -> Vec<&Self::Element>;
}

fn absent(value: &Value) -> bool {
    value.is_null() || !value.is_known()
}

impl Field for String {
    fn ty() -> Type {
        Type::String
    }

    fn from_field(value: &Value) -> Result<String, ModelError> {
        match value.as_str() {
            Some(text) => Ok(text.to_string()),
            None if absent(value) => Ok(String::new()),
            None => Err(ModelError::expected("a string")),
        }
    }

    fn to_field(&self) -> Value {
        Value::string(self.as_str())
    }
}

impl Field for bool {
    fn ty() -> Type {
        Type::Bool
    }

    fn from_field(value: &Value) -> Result<bool, ModelError> {
        match value.as_bool() {
            Some(flag) => Ok(flag),
            None if absent(value) => Ok(false),
            None => Err(ModelError::expected("a bool")),
        }
    }

    fn to_field(&self) -> Value {
        Value::bool(*self)
    }
}

impl Field for i64 {
    fn ty() -> Type {
        Type::Number
    }

    fn from_field(value: &Value) -> Result<i64, ModelError> {
        match value.as_number() {
            Some(number) => number.to_i64().ok_or_else(|| ModelError::expected("a whole number")),
            None if absent(value) => Ok(0),
            None => Err(ModelError::expected("a number")),
        }
    }

    fn to_field(&self) -> Value {
        Value::number(*self)
    }
}

impl Field for f64 {
    fn ty() -> Type {
        Type::Number
    }

    fn from_field(value: &Value) -> Result<f64, ModelError> {
        match value.as_number() {
            Some(number) => Ok(number.to_f64()),
            None if absent(value) => Ok(0.0),
            None => Err(ModelError::expected("a number")),
        }
    }

    fn to_field(&self) -> Value {
        Value::number(Number::from(*self))
    }
}

impl Field for Value {
    fn ty() -> Type {
        Type::Dynamic
    }

    fn from_field(value: &Value) -> Result<Value, ModelError> {
        Ok(value.clone())
    }

    fn to_field(&self) -> Value {
        self.clone()
    }
}

impl<T: Field> Field for Option<T> {
    fn ty() -> Type {
        T::ty()
    }

    fn nested() -> Option<Block> {
        T::nested()
    }

    fn from_field(value: &Value) -> Result<Option<T>, ModelError> {
        if absent(value) { Ok(None) } else { T::from_field(value).map(Some) }
    }

    fn to_field(&self) -> Value {
        self.as_ref().map_or_else(|| Value::null(T::ty()), Field::to_field)
    }
}

fn elements<T: Field>(value: &Value) -> Result<Vec<T>, ModelError> {
    if absent(value) {
        return Ok(Vec::new());
    }
    let elements = value.elements().ok_or_else(|| ModelError::expected("a list"))?;
    elements.iter().enumerate().map(|(i, e)| T::from_field(e).map_err(|error| error.under(&i.to_string()))).collect()
}

impl<T: Field> Field for Vec<T> {
    fn ty() -> Type {
        Type::list(T::ty())
    }

    fn nested() -> Option<Block> {
        T::nested()
    }

    fn from_field(value: &Value) -> Result<Vec<T>, ModelError> {
        elements(value)
    }

    fn to_field(&self) -> Value {
        Value::list(T::ty(), self.iter().map(Field::to_field))
    }
}

impl<T: Field + Ord> Field for BTreeSet<T> {
    fn ty() -> Type {
        Type::set(T::ty())
    }

    fn from_field(value: &Value) -> Result<BTreeSet<T>, ModelError> {
        Ok(elements(value)?.into_iter().collect())
    }

    fn to_field(&self) -> Value {
        Value::set(T::ty(), self.iter().map(Field::to_field))
    }
}

impl<T: Field> Field for BTreeMap<String, T> {
    fn ty() -> Type {
        Type::map(T::ty())
    }

    fn nested() -> Option<Block> {
        T::nested()
    }

    fn from_field(value: &Value) -> Result<BTreeMap<String, T>, ModelError> {
        if absent(value) {
            return Ok(BTreeMap::new());
        }
        let entries = value.entries().ok_or_else(|| ModelError::expected("a map"))?;
        // What is null in a map isn't there.
        let set = entries.iter().filter(|(_, value)| !value.is_null());
        set.map(|(k, v)| Ok((k.to_string(), T::from_field(v).map_err(|error| error.under(k))?))).collect()
    }

    fn to_field(&self) -> Value {
        Value::map(T::ty(), self.iter().map(|(k, v)| (Str::from(k.as_str()), v.to_field())))
    }
}

impl<T: Field> SetField for Vec<T> {
    fn set_type() -> Type {
        Type::set(T::ty())
    }

    fn from_set(value: &Value) -> Result<Vec<T>, ModelError> {
        elements(value)
    }

    fn to_set(&self) -> Value {
        Value::set(T::ty(), self.iter().map(Field::to_field))
    }
}

impl<T: SetField> SetField for Option<T> {
    fn set_type() -> Type {
        T::set_type()
    }

    fn from_set(value: &Value) -> Result<Option<T>, ModelError> {
        if absent(value) { Ok(None) } else { T::from_set(value).map(Some) }
    }

    fn to_set(&self) -> Value {
        self.as_ref().map_or_else(|| Value::null(T::set_type()), SetField::to_set)
    }
}

impl<T: Model + Field> BlockField for Vec<T> {
    type Element = T;

    fn from_elements(elements: Vec<T>) -> Result<Vec<T>, ModelError> {
        Ok(elements)
    }

    fn elements(&self) -> Vec<&T> {
        self.iter().collect()
    }
}

impl<T: Model + Field> BlockField for Option<T> {
    type Element = T;

    fn from_elements(elements: Vec<T>) -> Result<Option<T>, ModelError> {
        Ok(elements.into_iter().next())
    }

    fn elements(&self) -> Vec<&T> {
        self.iter().collect()
    }
}

/// An attribute of the type of `T`, without flags.
pub fn attribute<T: Field>() -> Attribute {
    Attribute { nested: T::nested().map(Arc::new), ..Attribute::new(T::ty()) }
}

/// The same for a set in a `Vec`.
pub fn set_attribute<T: SetField + Field>() -> Attribute {
    Attribute { nested: T::nested().map(Arc::new), ..Attribute::new(T::set_type()) }
}

/// Reads an attribute of an object.
pub fn read<T: Field>(object: &Value, name: &str) -> Result<T, ModelError> {
    match object.get(name) {
        Some(value) => T::from_field(value),
        None => T::from_field(&Value::null(T::ty())),
    }
    .map_err(|error| error.under(name))
}

/// Reads a set of an object into a `Vec`.
pub fn read_set<T: SetField>(object: &Value, name: &str) -> Result<T, ModelError> {
    match object.get(name) {
        Some(value) => T::from_set(value),
        None => T::from_set(&Value::null(T::set_type())),
    }
    .map_err(|error| error.under(name))
}

/// Reads nested blocks of an object.
pub fn read_blocks<T: BlockField>(object: &Value, name: &str, nesting: Nesting) -> Result<T, ModelError> {
    let Some(value) = object.get(name).filter(|value| !absent(value)) else {
        return T::from_elements(Vec::new());
    };
    let elements = match nesting {
        Nesting::Single | Nesting::Group => T::Element::from_value(value).map(|element| vec![element]),
        Nesting::List | Nesting::Set | Nesting::Map => elements(value),
    };
    elements.and_then(T::from_elements).map_err(|error| error.under(name))
}

/// Nested blocks as a value.
pub fn write_blocks<T: BlockField>(blocks: &T, nesting: Nesting) -> Value {
    let mut values = blocks.elements().into_iter().map(Model::to_value);
    match nesting {
        Nesting::Single | Nesting::Group => values.next().unwrap_or_else(|| Value::null(T::Element::ty())),
        Nesting::List | Nesting::Map => Value::list(T::Element::ty(), values),
        Nesting::Set => Value::set(T::Element::ty(), values),
    }
}

/// The type of an attribute that holds nested blocks.
pub fn blocks_type<T: BlockField>(nesting: Nesting) -> Type {
    match nesting {
        Nesting::Single | Nesting::Group => T::Element::ty(),
        Nesting::List | Nesting::Map => Type::list(T::Element::ty()),
        Nesting::Set => Type::set(T::Element::ty()),
    }
}
