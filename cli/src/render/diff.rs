//! A computed difference, ready to be laid out.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// What happens to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    NoOp,
    /// It appears.
    Create,
    /// It changes.
    Update,
    /// It disappears.
    Delete,
}

impl Action {
    /// The action of a collection so far, and that of its next element.
    #[must_use]
    pub fn and(self, next: Action) -> Action {
        if next == Action::NoOp || next == self { self } else { Action::Update }
    }
}

/// A difference.
#[derive(Clone, Debug)]
pub struct Diff {
    /// What happens.
    pub action: Action,
    /// Whether it forces a replacement.
    pub replace: bool,
    /// What it is made of.
    pub kind: Kind,
}

/// The kinds of differences.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A bool, number, string or null.
    Primitive(Option<Json>, Option<Json>),
    /// Not known until apply; with the removal of the value before, if there was one.
    Unknown(Option<Box<Diff>>),
    /// An argument that no state and no plan holds.
    WriteOnly,
    /// Not shown.
    Sensitive {
        /// What is not shown.
        inner: Box<Diff>,
        /// Whether it was sensitive.
        before: bool,
        /// Whether it will be.
        after: bool,
    },
    /// A block that is not shown.
    SensitiveBlock {
        /// What is not shown.
        inner: Box<Diff>,
        /// Whether it was sensitive.
        before: bool,
        /// Whether it will be.
        after: bool,
    },
    /// One type becomes another: a removal and an addition.
    TypeChange(Box<Diff>, Box<Diff>),
    /// An object.
    Object(BTreeMap<String, Diff>),
    /// A map.
    Map(BTreeMap<String, Diff>),
    /// A list or tuple.
    List(Vec<Diff>),
    /// A set.
    Set(Vec<Diff>),
    /// A block of a schema.
    Block {
        /// Its attributes.
        attributes: BTreeMap<String, Diff>,
        /// Its nested blocks by type.
        blocks: BTreeMap<String, NestedBlocks>,
    },
}

/// The nested blocks of one type.
#[derive(Clone, Debug)]
pub struct NestedBlocks {
    /// Label (for maps) and difference of each.
    pub items: Vec<(Option<String>, Diff)>,
    /// Whether which there will be is not known until apply; a single one says so itself.
    pub unknown: bool,
    /// Whether adding or removing one forces a replacement.
    pub replace: bool,
    /// Whether they were sensitive as a whole.
    pub before_sensitive: bool,
    /// Whether they will be.
    pub after_sensitive: bool,
}
