//! Values: immutable, cheap to clone; known, null or unknown of a type, with marks.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Str;
use crate::types::Type;

mod number;

pub use number::Number;

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
    Map(Type, Arc<BTreeMap<Str, Value>>),
    /// A tuple.
    Tuple(Arc<[Value]>),
    /// An object.
    Object(Arc<BTreeMap<Str, Value>>),
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
