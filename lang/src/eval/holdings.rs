//! What a walk keeps of many evaluations. Each has its own limit, but hundreds of short expressions, each just below it, would
//! fill the memory together.

use std::sync::Mutex;

use rustc_hash::FxHashSet;

use crate::diag::Diagnostic;
use crate::source::Range;
use crate::values::{Kind, Value};

/// How much memory the values that are kept may take. Shared parts count once.
const MAX_BYTES: usize = 1 << 30;
/// Pieces from this size on are remembered, so that they count once; smaller ones are counted wherever they are.
const LARGE: usize = 4 << 10;

/// The values that are kept, as far as their size goes.
pub struct Holdings {
    limit: usize,
    held: Mutex<Held>,
}

impl Default for Holdings {
    fn default() -> Holdings {
        Holdings { limit: MAX_BYTES, held: Mutex::default() }
    }
}

#[derive(Default)]
struct Held {
    bytes: usize,
    large: FxHashSet<usize>,
    refused: bool,
}

impl Holdings {
    /// Adds a value; the value that is to be kept in its place, an unknown one, and once a message, if all would take too much.
    pub fn keep(&self, value: Value, range: Range) -> (Value, Option<Diagnostic>) {
        let mut held = self.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        held.add(&value, self.limit);
        if held.bytes <= self.limit {
            return (value, None);
        }
        let detail = format!(
            "With this value, the values of this configuration would take more than {} MiB of memory. Build smaller values, or \
             refer to the parts of large ones where they are needed.",
            self.limit >> 20
        );
        let diagnostic = Diagnostic::error("Values too large", detail).at(range);
        let is_first = !std::mem::replace(&mut held.refused, true);
        (Value::dynamic(), is_first.then_some(diagnostic))
    }
}

impl Held {
    fn add(&mut self, value: &Value, limit: usize) {
        let (address, bytes) = match &value.kind {
            Kind::String(text) if text.is_heap_allocated() => (text.as_ptr().addr(), text.len()),
            Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
                (elements.as_ptr().addr(), size_of_val::<[Value]>(elements))
            }
            Kind::Map(_, entries) | Kind::Object(entries) => {
                (std::sync::Arc::as_ptr(entries).addr(), entries.len() * size_of::<(crate::Str, Value)>())
            }
            _ => return,
        };
        if bytes >= LARGE && !self.large.insert(address) {
            return;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        // Evaluation bounds how deep values are.
        if self.bytes <= limit {
            value.children().for_each(|child| self.add(child, limit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Holdings;
    use crate::source::Range;
    use crate::values::Value;

    fn holdings() -> Holdings {
        Holdings { limit: 1 << 20, ..Holdings::default() }
    }

    fn large() -> Value {
        Value::string("x".repeat(400 << 10))
    }

    #[test]
    fn what_is_shared_counts_once() {
        let (holdings, text) = (holdings(), large());
        for _ in 0..10 {
            let list = Value::tuple([text.clone(), text.clone()]);
            assert!(holdings.keep(list, Range::NONE).1.is_none());
        }
    }

    #[test]
    fn too_much_in_all_is_refused_and_told_once() {
        let holdings = holdings();
        let (first, _) = holdings.keep(large(), Range::NONE);
        let (second, _) = holdings.keep(large(), Range::NONE);
        assert!(first.is_known() && second.is_known());
        let (value, message) = holdings.keep(large(), Range::NONE);
        assert!(!value.is_known() && message.is_some());
        let (value, message) = holdings.keep("small".into(), Range::NONE);
        assert!(!value.is_known() && message.is_none());
    }
}
