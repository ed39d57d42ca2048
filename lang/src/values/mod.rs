//! Values: immutable, cheap to clone; known, null or unknown of a type, with marks.

use std::collections::BTreeMap;
use std::sync::Arc;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::Str;
use crate::types::Type;

mod convert;
mod decimal;
mod entries;
mod equality;
mod json;
mod marks;
mod number;
mod path;
mod refine;
mod set;

pub use convert::{ConvertError, mismatch};
pub use decimal::Decimal;
pub use entries::Entries;
pub use json::JsonError;
pub use number::Number;
pub use path::{Path, PathStep};

bitflags::bitflags! {
    /// What a value carries along through every operation.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Marks: u8 {
        /// Never shown.
        const SENSITIVE = 1;
        /// Never stored in state or plan.
        const EPHEMERAL = 2;
    }
}

/// A value. Marks sit on the node itself; nested values carry their own.
#[derive(Clone, Debug)]
pub struct Value {
    /// What it is.
    pub kind: Kind,
    /// Its own marks, not those of nested values.
    pub marks: Marks,
}

/// The kinds of values. Collections know their element type, also when empty.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Null of a type.
    Null(Type),
    /// Not known yet.
    Unknown(Type, Option<Arc<Refinement>>),
    /// A bool.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string, in NFC.
    String(Str),
    /// A list: element type and elements.
    List(Type, Arc<[Value]>),
    /// A set: element type and elements, without duplicates, in cty's order. Marks of elements stand on the set.
    Set(Type, Arc<[Value]>),
    /// A map: element type and elements.
    Map(Type, Arc<Entries>),
    /// A tuple.
    Tuple(Arc<[Value]>),
    /// An object.
    Object(Arc<Entries>),
}

/// What is known about an unknown value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Refinement {
    /// It will not be null.
    pub not_null: bool,
    /// It will begin with this.
    pub prefix: Option<Str>,
    /// Least number and whether it is inclusive.
    pub lower: Option<(Number, bool)>,
    /// Greatest number and whether it is inclusive.
    pub upper: Option<(Number, bool)>,
    /// Least number of elements.
    pub min_length: Option<u64>,
    /// Greatest number of elements.
    pub max_length: Option<u64>,
}

impl Value {
    /// Null of the dynamic type: what `null` evaluates to.
    pub const NULL_DYNAMIC: Value = Value { kind: Kind::Null(Type::Dynamic), marks: Marks::empty() };
    /// True.
    pub const TRUE: Value = Value { kind: Kind::Bool(true), marks: Marks::empty() };
    /// False.
    pub const FALSE: Value = Value { kind: Kind::Bool(false), marks: Marks::empty() };

    const fn unmarked(kind: Kind) -> Value {
        Value { kind, marks: Marks::empty() }
    }

    /// Null of a type.
    pub fn null(ty: Type) -> Value {
        Value::unmarked(Kind::Null(ty))
    }

    /// Unknown of a type.
    pub fn unknown(ty: Type) -> Value {
        Value::unmarked(Kind::Unknown(ty, None))
    }

    /// Unknown of a type that will not be null.
    pub fn unknown_not_null(ty: Type) -> Value {
        Value::unknown(ty).refine_not_null()
    }

    /// Unknown of a type not known yet: what stands for the result after an error.
    pub const fn dynamic() -> Value {
        Value::unmarked(Kind::Unknown(Type::Dynamic, None))
    }

    /// A bool.
    pub const fn bool(value: bool) -> Value {
        Value::unmarked(Kind::Bool(value))
    }

    /// A string, brought to NFC.
    pub fn string(text: impl Into<Str>) -> Value {
        Value::unmarked(Kind::String(normalize(text.into())))
    }

    /// A number.
    pub fn number(number: impl Into<Number>) -> Value {
        Value::unmarked(Kind::Number(number.into()))
    }

    /// A list. The elements must be of the element type.
    pub fn list(element: Type, elements: impl IntoIterator<Item = Value>) -> Value {
        Value::unmarked(Kind::List(element, elements.into_iter().collect()))
    }

    /// A set: drops duplicates, puts the elements in order, moves the marks of elements to the set.
    pub fn set(element: Type, elements: impl IntoIterator<Item = Value>) -> Value {
        set::build(element, elements.into_iter().collect())
    }

    /// A map. The elements must be of the element type; the keys are brought to NFC.
    pub fn map(element: Type, entries: impl IntoIterator<Item = (Str, Value)>) -> Value {
        let entries = entries.into_iter().map(|(key, value)| (normalize(key), value)).collect();
        Value::unmarked(Kind::Map(element, Arc::new(entries)))
    }

    /// A tuple.
    pub fn tuple(elements: impl IntoIterator<Item = Value>) -> Value {
        Value::unmarked(Kind::Tuple(elements.into_iter().collect()))
    }

    /// An object. The names are brought to NFC.
    pub fn object<N: Into<Str>>(attributes: impl IntoIterator<Item = (N, Value)>) -> Value {
        let attributes = attributes.into_iter().map(|(name, value)| (normalize(name.into()), value)).collect();
        Value::unmarked(Kind::Object(Arc::new(attributes)))
    }

    /// An object from its map, whose names are NFC already.
    pub fn from_attributes(attributes: BTreeMap<Str, Value>) -> Value {
        Value::unmarked(Kind::Object(Arc::new(attributes.into())))
    }

    /// Its type. Allocates for tuples and objects; [`Value::has_type`] only compares.
    pub fn ty(&self) -> Type {
        match &self.kind {
            Kind::Null(ty) | Kind::Unknown(ty, _) => ty.clone(),
            Kind::Bool(_) => Type::Bool,
            Kind::Number(_) => Type::Number,
            Kind::String(_) => Type::String,
            Kind::List(element, _) => Type::list(element.clone()),
            Kind::Set(element, _) => Type::set(element.clone()),
            Kind::Map(element, _) => Type::map(element.clone()),
            Kind::Tuple(elements) => Type::tuple(elements.iter().map(Value::ty)),
            Kind::Object(attributes) => Type::object(attributes.iter().map(|(name, value)| (name.clone(), value.ty()))),
        }
    }

    /// Whether its type is exactly `ty`. An object type with optional attributes is no value's type.
    pub fn has_type(&self, ty: &Type) -> bool {
        match (&self.kind, ty) {
            (Kind::Null(own) | Kind::Unknown(own, _), ty) => own == ty,
            (Kind::Bool(_), Type::Bool) | (Kind::Number(_), Type::Number) | (Kind::String(_), Type::String) => true,
            (Kind::List(own, _), Type::List(ty))
            | (Kind::Set(own, _), Type::Set(ty))
            | (Kind::Map(own, _), Type::Map(ty)) => own == &**ty,
            (Kind::Tuple(elements), Type::Tuple(types)) => {
                elements.len() == types.len() && elements.iter().zip(types.iter()).all(|(v, t)| v.has_type(t))
            }
            (Kind::Object(attributes), Type::Object(object)) => {
                object.optional.is_empty()
                    && attributes.len() == object.attributes.len()
                    && attributes
                        .iter()
                        .zip(&object.attributes)
                        .all(|((name, value), (wanted, ty))| name == wanted && value.has_type(ty))
            }
            _ => false,
        }
    }

    /// Whether it is null. False for unknown.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null(_))
    }

    /// Whether this node is known; what is inside may be unknown.
    pub fn is_known(&self) -> bool {
        !matches!(self.kind, Kind::Unknown(..))
    }

    /// Whether it is unknown and of unknown type.
    pub fn is_dynamic(&self) -> bool {
        matches!(self.kind, Kind::Unknown(Type::Dynamic, _))
    }

    /// Whether nothing in it is unknown.
    pub fn is_wholly_known(&self) -> bool {
        match &self.kind {
            Kind::Unknown(..) => false,
            _ => self.children().all(Value::is_wholly_known),
        }
    }

    /// Whether no type in it is open: no dynamic unknown and no untyped null.
    pub fn has_wholly_known_type(&self) -> bool {
        match &self.kind {
            Kind::Unknown(ty, _) => !ty.has_dynamic(),
            Kind::Null(_) => true,
            _ => self.children().all(Value::has_wholly_known_type),
        }
    }

    /// Elements or attribute values.
    pub fn children(&self) -> impl Iterator<Item = &Value> {
        let elements = self.elements().unwrap_or_default();
        elements.iter().chain(self.entries().into_iter().flat_map(Entries::values))
    }

    /// The text of a known string.
    pub fn as_str(&self) -> Option<&Str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// A known bool.
    pub fn as_bool(&self) -> Option<bool> {
        match &self.kind {
            Kind::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A known number.
    pub fn as_number(&self) -> Option<&Number> {
        match &self.kind {
            Kind::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The elements of a known list, set or tuple.
    pub fn elements(&self) -> Option<&[Value]> {
        match &self.kind {
            Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => Some(elements),
            _ => None,
        }
    }

    /// The entries of a known map or object.
    pub fn entries(&self) -> Option<&Entries> {
        match &self.kind {
            Kind::Map(_, entries) | Kind::Object(entries) => Some(entries),
            _ => None,
        }
    }

    /// The attribute of a known object or the element of a known map. The marks of `self` are not added.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.entries()?.get(name)
    }

    /// How many elements, entries or attributes it has as it stands; unknown elements of a set count one each.
    pub fn length(&self) -> Option<usize> {
        match &self.kind {
            Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => Some(elements.len()),
            Kind::Map(_, entries) | Kind::Object(entries) => Some(entries.len()),
            _ => None,
        }
    }
}

/// Brings a string to NFC, as every string of the language is.
pub fn normalize(text: Str) -> Str {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes { text } else { text.nfc().collect() }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::string(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::string(value)
    }
}

impl From<Str> for Value {
    fn from(value: Str) -> Value {
        Value::string(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::number(value)
    }
}

impl From<Number> for Value {
    fn from(value: Number) -> Value {
        Value::number(value)
    }
}
