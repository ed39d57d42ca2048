//! The documents that other tools read: `show -json` of plans and states, and diagnostics.

pub mod diagnostic;
pub mod document;
