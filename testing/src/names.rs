//! What names mean in a test file outside of assertions: variables and the outputs of earlier runs.

use std::collections::BTreeMap;

use lang::ast::{StepKind, Traversal};
use lang::eval::Scope;
use lang::functions::{FunctionTable, Functions};
use lang::{Diagnostic, Str, Value};

/// The names.
pub(crate) struct Names<'a> {
    /// `var.NAME`
    pub variables: &'a BTreeMap<Str, Value>,
    /// `run.NAME`
    pub runs: &'a BTreeMap<Str, Value>,
    /// What can be called.
    pub functions: &'a Functions,
}

impl Scope for Names<'_> {
    fn resolve(&self, traversal: &Traversal) -> Result<(Value, usize), Diagnostic> {
        let name = traversal.steps.first().and_then(|step| match &step.kind {
            StepKind::Attribute(name) => Some(name),
            _ => None,
        });
        let error = |summary: &str, detail: String| Err(Diagnostic::error(summary, detail).at(traversal.range));
        match (traversal.root.as_str(), name) {
            ("var", Some(name)) => match self.variables.get(name) {
                Some(value) => Ok((value.clone(), 1)),
                None => error(
                    "Reference to unavailable variable",
                    format!(
                        "The input variable \"{name}\" is not available to the current context: it has no value here."
                    ),
                ),
            },
            ("run", Some(name)) => match self.runs.get(name) {
                Some(outputs) => Ok((outputs.clone(), 1)),
                None => error(
                    "Reference to unavailable run block",
                    format!(
                        "The run block \"{name}\" is not available: only runs that come earlier in this file have outputs."
                    ),
                ),
            },
            _ => error(
                "Invalid reference",
                "You can only reference variables and the outputs of earlier run blocks here, as var.NAME and \
                 run.NAME.OUTPUT."
                    .to_owned(),
            ),
        }
    }

    fn functions(&self) -> &dyn FunctionTable {
        self.functions
    }
}
