//! The documents that other tools read: `show -json` of plans and states, diagnostics, event streams.

pub mod checks;
pub mod config;
pub mod diagnostic;
pub mod document;
pub mod expression;
pub mod functions;
pub mod modules;
pub mod plan;
pub mod schema;
pub mod state;
pub mod stream;
pub mod values;
