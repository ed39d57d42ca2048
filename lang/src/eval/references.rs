//! The references in a failing expression and what they stood for, for its diagnostic.

use super::{Env, index};
use crate::addr::quote;
use crate::ast::{Expr, StepKind, Traversal};
use crate::values::Value;

impl Env<'_> {
    /// Source text and value of each reference, as far as it can be followed; each once.
    pub(super) fn reference_values(&self, expr: &Expr) -> Vec<(String, Value)> {
        let mut found: Vec<(String, Value)> = Vec::new();
        for traversal in expr.traversals() {
            let steps = (1..=traversal.steps.len()).rev().filter_map(|length| traversal.steps.get(..length));
            let mut parts = steps.map(|steps| Traversal { steps: steps.into(), ..traversal.clone() });
            let value = |part: Traversal| Some((reference_text(&part), self.reference_value(&part)?));
            if let Some((text, value)) = parts.find_map(value)
                && found.iter().all(|(other, _)| *other != text)
            {
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
