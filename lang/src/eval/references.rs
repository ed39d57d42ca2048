//! The references in a failing expression and what they stood for, for its diagnostic.

use super::{Env, index};
use crate::addr::quote;
use crate::ast::{Expr, StepKind, Traversal};
use crate::values::Value;

impl Env<'_> {
    /// Source text and value of each reference, as far as they can be evaluated; each once.
    pub(super) fn reference_values(&self, expr: &Expr) -> Vec<(String, Value)> {
        let mut found: Vec<(String, Value)> = Vec::new();
        for traversal in expr.traversals() {
            let text = reference_text(traversal);
            if found.iter().any(|(other, _)| *other == text) {
                continue;
            }
            if let Some(value) = self.reference_value(traversal) {
                found.push((text, value));
            }
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        found
    }

    fn reference_value(&self, traversal: &Traversal) -> Option<Value> {
        match self.frame.and_then(|frame| frame.get(&traversal.root)) {
            Some(value) => index::follow(value, &traversal.steps).ok(),
            None => {
                let (value, taken) = self.scope.resolve(traversal).ok()?;
                index::follow(&value, traversal.steps.get(taken..)?).ok()
            }
        }
    }
}

/// A reference as one writes it.
fn reference_text(traversal: &Traversal) -> String {
    let mut text = traversal.root.to_string();
    for step in &traversal.steps {
        match &step.kind {
            StepKind::Attribute(name) => {
                text.push('.');
                text.push_str(name);
            }
            StepKind::Key(key) => text.push_str(&format!("[{}]", quote(key))),
            StepKind::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}
