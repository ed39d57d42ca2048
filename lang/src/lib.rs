//! HCL for windlass: syntax, values and types, expressions, functions and diagnostics.
//!
//! This crate knows neither clouds nor plans. Parsing never fails: it returns a tree and diagnostics; evaluation never
//! panics: it returns a value (unknown of the dynamic type where there is none) and diagnostics.

pub mod addr;
pub mod addr_parse;
pub mod ast;
pub mod diag;
pub mod eval;
pub mod functions;
pub mod go_json;
pub mod quoting;
pub mod source;
pub mod syntax;
pub mod types;
pub mod values;

pub use diag::{Diagnostic, Diagnostics, Severity};
pub use source::{FileId, Range, Sources};
pub use types::Type;
pub use values::{Marks, Number, Value};

/// An immutable string that is cheap to clone; short ones live inline.
pub type Str = smol_str::SmolStr;
