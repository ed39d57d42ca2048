//! Limits of one evaluation: a short expression must not fill the memory.

use std::cell::Cell;
use std::ops::ControlFlow;

use super::Env;
use crate::diag::{Diagnostic, Diagnostics};
use crate::source::Range;
use crate::values::{Kind, Value};

/// How many elements `for` and splat expressions may produce.
const MAX_ELEMENTS: u64 = 2_000_000;
/// How much memory the results may take, whatever becomes of them. What is shared counts wherever it is: written down, as in a
/// plan, it is there as often.
const MAX_BYTES: u64 = 512 << 20;
/// How deep a value may be nested, however it came to be: what walks or drops it needs stack for it.
const MAX_DEPTH: usize = 1000;
/// How many mistakes are told before loops end.
const MAX_MISTAKES: usize = 1000;

/// What one evaluation may still produce.
pub(super) struct Budget {
    elements: Cell<u64>,
    bytes: Cell<u64>,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { elements: Cell::new(MAX_ELEMENTS), bytes: Cell::new(MAX_BYTES) }
    }
}

/// What a value has too much of.
enum Excess {
    Bytes,
    Depth,
}

impl Env<'_> {
    /// Reports that an evaluation would produce too much, unless `count` more elements are all right.
    pub(super) fn spend(&self, count: u64, range: Range, diagnostics: &mut Diagnostics) -> bool {
        if diagnostics.len() >= MAX_MISTAKES {
            // The same mistake in each round of a loop: enough has been said.
            return false;
        }
        if take(&self.budget.elements, count) {
            return true;
        }
        let detail = format!(
            "This expression would produce more than {MAX_ELEMENTS} elements. Loop over fewer elements, or split the expression \
             into several local values."
        );
        diagnostics.push(Diagnostic::error("Result too large", detail).at(range));
        false
    }

    /// `value`, a new one; or an unknown one, with a message, if it is nested too deep or takes, with those before it, too
    /// much memory.
    pub(super) fn bounded(&self, value: Value, range: Range, diagnostics: &mut Diagnostics) -> Value {
        let diagnostic = match self.weigh(&value, 0) {
            ControlFlow::Continue(()) => return value,
            ControlFlow::Break(Excess::Bytes) => {
                let detail = format!(
                    "This expression would take more than {} MiB of memory. Loop over fewer or smaller elements, or split the \
                     expression into several local values.",
                    MAX_BYTES >> 20
                );
                Diagnostic::error("Result too large", detail)
            }
            ControlFlow::Break(Excess::Depth) => {
                let detail = format!(
                    "This value would be nested more than {MAX_DEPTH} deep. Flatten it, or refer to its parts one by one."
                );
                Diagnostic::error("Expression too deep", detail)
            }
        };
        diagnostics.push(diagnostic.at(range));
        Value::dynamic()
    }

    /// Takes a value that is `depth` deep in another from the budget. Text inside collections doesn't count: it is shared in
    /// earnest, and the file of a few megabytes that is passed to a hundred resources is no mistake.
    fn weigh(&self, value: &Value, depth: usize) -> ControlFlow<Excess> {
        let bytes = match &value.kind {
            Kind::String(text) if depth == 0 => text.len(),
            Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
                size_of_val::<[Value]>(elements)
            }
            Kind::Map(_, entries) | Kind::Object(entries) => entries.len() * size_of::<(crate::Str, Value)>(),
            _ => return ControlFlow::Continue(()),
        };
        if !take(&self.budget.bytes, bytes as u64) {
            return ControlFlow::Break(Excess::Bytes);
        }
        if depth >= MAX_DEPTH {
            return ControlFlow::Break(Excess::Depth);
        }
        match &value.kind {
            Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
                elements.iter().try_for_each(|element| self.weigh(element, depth + 1))
            }
            Kind::Map(_, entries) | Kind::Object(entries) => {
                entries.values().try_for_each(|element| self.weigh(element, depth + 1))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Takes `count` from what is left; whether there was that much.
fn take(left: &Cell<u64>, count: u64) -> bool {
    let before = left.get();
    left.set(before.saturating_sub(count));
    before >= count
}
