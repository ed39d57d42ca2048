//! What must hold for any text that the language reads, and for any file that a run has left: no panic, no overflow, no endless loop, ranges that nest, a tree that
//! covers its text, a format that stays as it is. A fuzzer runs it (`engine/`, `cargo xtask fuzz`), and so do the tests on
//! all seeds.
//!
//! Apart from the engine, since that takes a C++ compiler and an instrumented build of its own.

#![forbid(unsafe_code)]
#![expect(clippy::panic, reason = "a property that does not hold ends the run: that is what a fuzzer looks for")]

mod evaluation;
mod ranges;
mod stored;
mod syntax;

/// A way to read a text.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its seeds' folder.
    pub name: &'static str,
    /// Reads a text and panics where a property does not hold.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "parse", run: syntax::parse },
    Target { name: "json", run: syntax::json },
    Target { name: "format", run: syntax::format },
    Target { name: "evaluate", run: evaluation::expression },
    Target { name: "template", run: evaluation::template },
    Target { name: "type", run: evaluation::type_expression },
    Target { name: "state", run: stored::state },
    Target { name: "plan", run: stored::plan },
    Target { name: "plan_file", run: stored::plan_file },
    Target { name: "journal", run: stored::journal },
];

/// The target of a name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().copied().find(|target| target.name == name)
}
