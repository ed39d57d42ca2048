//! What names mean in a test file outside of assertions: variables and the outputs of earlier runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use lang::ast::{Body, Expr, ExprKind, NativeBody, ObjectItem, ObjectKey, StepKind, Traversal};
use lang::eval::{Scope, evaluate};
use lang::functions::{FunctionTable, Functions};
use lang::values::Kind;
use lang::{Diagnostic, Diagnostics, Range, Str, Value};

/// The names.
pub(crate) struct Names<'a> {
    /// `var.NAME`
    pub variables: &'a BTreeMap<Str, Value>,
    /// `run.NAME`
    pub runs: &'a BTreeMap<Str, Option<Value>>,
    /// Where they are used.
    pub standing: Standing,
    /// What can be called.
    pub functions: &'a Functions,
}

/// Where something that is evaluated stands: that decides what it can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// `variables` of the file.
    FileVariables,
    /// Anything else.
    Run,
}

impl Scope for Names<'_> {
    fn resolve(&self, traversal: &Traversal) -> Result<(Value, usize), Diagnostic> {
        let first = traversal.steps.first();
        let name = first.and_then(|step| match &step.kind {
            StepKind::Attribute(name) => Some(name),
            _ => None,
        });
        let named = Range { end: first.map_or(traversal.range, |step| step.range).end, ..traversal.range };
        let error = |summary: &str, detail: String| Err(Diagnostic::error(summary, detail).at(named));
        match (traversal.root.as_str(), name, self.standing) {
            ("var", Some(name), standing) => match (self.variables.get(name), standing) {
                (Some(value), _) => Ok((value.clone(), 1)),
                (None, Standing::Run) => error(
                    "Reference to unavailable variable",
                    format!(
                        "The input variable {name:?} is not available to the current run block. You can only reference \
                         variables defined at the file or global levels."
                    ),
                ),
                (None, Standing::FileVariables) => error(
                    "Reference to unavailable variable",
                    format!(
                        "The input variable {name:?} is not available to the current test file. You can only reference global \
                         variables."
                    ),
                ),
            },
            ("run", Some(name), Standing::Run) => match self.runs.get(name) {
                Some(Some(outputs)) => Ok((outputs.clone(), 1)),
                known => error(
                    if known.is_some() {
                        "Reference to unavailable run block"
                    } else {
                        "Reference to unknown run block"
                    },
                    format!(
                        "The run block {name:?} {}. You can only reference run blocks that are in the same test file and will \
                         execute before the current run block.",
                        if known.is_some() { "has not executed yet" } else { "does not exist within this test file" }
                    ),
                ),
            },
            (_, _, standing) => {
                let detail = match standing {
                    Standing::FileVariables => {
                        "You can only reference global variables within the test file variables block."
                    }
                    Standing::Run => {
                        "You can only reference earlier run blocks, file level, and global variables while defining variables \
                         from inside a run block."
                    }
                };
                Err(Diagnostic::error("Invalid reference", detail).at(traversal.range))
            }
        }
    }

    fn functions(&self) -> &dyn FunctionTable {
        self.functions
    }
}

/// A body whose arguments are what they are worth: for a place where these names mean nothing.
pub(crate) fn evaluated(body: &Body, names: &Names<'_>, diagnostics: &mut Diagnostics) -> Body {
    let Body::Native(native) = body else { return body.clone() };
    let mut native = NativeBody::clone(native);
    for attribute in &mut native.attributes {
        let value = evaluate(&attribute.expr, names, diagnostics);
        if let Some(expr) = literal(&value, attribute.expr.range) {
            attribute.expr = Arc::new(expr);
        }
    }
    for block in &mut native.blocks {
        block.body = evaluated(&block.body, names, diagnostics);
    }
    Body::Native(Arc::new(native))
}

/// An expression for a known value.
pub(crate) fn literal(value: &Value, range: Range) -> Option<Expr> {
    let kind = match &value.kind {
        Kind::Null(_) => ExprKind::Null,
        Kind::Unknown(..) => return None,
        Kind::Bool(value) => ExprKind::Bool(*value),
        Kind::Number(number) => ExprKind::Number(number.clone()),
        Kind::String(text) => ExprKind::String(text.clone()),
        _ => match (value.elements(), value.entries()) {
            (Some(elements), _) => {
                ExprKind::Tuple(elements.iter().map(|element| literal(element, range)).collect::<Option<_>>()?)
            }
            (None, entries) => {
                let item = |(name, value): (&Str, &Value)| {
                    let key = ObjectKey::Expr(Expr::new(range, ExprKind::String(name.clone())));
                    Some(ObjectItem { key, value: literal(value, range)? })
                };
                ExprKind::Object(entries.into_iter().flatten().map(item).collect::<Option<_>>()?)
            }
        },
    };
    Some(Expr::new(range, kind))
}
