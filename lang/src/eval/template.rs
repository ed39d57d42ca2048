//! Templates.

use super::conditional::Branch;
use super::{Env, Frame};
use crate::Str;
use crate::ast::{TemplateFor, TemplatePart};
use crate::diag::{Diagnostic, Diagnostics};
use crate::source::Range;
use crate::types::Type;
use crate::values::{Kind, Marks, Refinement, Value};

/// How much of an unknown string's beginning is kept.
const MAX_PREFIX: usize = 128;
/// How long a string may become.
const MAX_LENGTH: usize = 256 * 1024 * 1024;

const INVALID: &str = "Invalid template interpolation value";

impl Env<'_> {
    pub(super) fn template(&self, range: Range, parts: &[TemplatePart], diagnostics: &mut Diagnostics) -> Value {
        let mut text = String::new();
        let mut marks = Marks::empty();
        let mut known = true;
        let mut own = Diagnostics::new();
        for part in parts {
            let value = match part {
                TemplatePart::Literal(literal, _) => {
                    if known {
                        text.push_str(literal);
                    }
                    continue;
                }
                part => self.part(part, &mut own),
            };
            marks |= value.marks;
            if value.is_null() {
                let detail = "The expression result is null. Cannot include a null value in a string template.";
                own.push(self.invalid_part(detail.to_owned(), part, range));
            } else if !value.is_known() {
                known = false;
            } else if !known {
                // Only looked at for its messages.
                if let Err(diagnostic) = append(&value, &mut String::new()) {
                    own.push(self.invalid_part(diagnostic, part, range));
                }
            } else if let Err(detail) = append(&value, &mut text) {
                own.push(self.invalid_part(detail, part, range));
            } else if text.len() > MAX_LENGTH {
                let detail = format!("This template would produce more than {MAX_LENGTH} bytes.");
                own.push(Diagnostic::error("Result too large", detail).at(range));
                text = String::new();
                known = false;
            }
        }
        let failed = own.has_errors();
        diagnostics.append(own);
        let value = if known {
            self.bounded(Value::string(text), range, diagnostics)
        } else if failed || text.is_empty() {
            Value::unknown_not_null(Type::String)
        } else {
            let end = text.char_indices().map(|(i, c)| i + c.len_utf8()).take_while(|end| *end <= MAX_PREFIX).last();
            let prefix = text.get(..end.unwrap_or(0)).unwrap_or_default();
            Value::unknown(Type::String).refine(Refinement::with_safe_prefix(prefix))
        };
        value.with_marks(marks)
    }

    fn part(&self, part: &TemplatePart, diagnostics: &mut Diagnostics) -> Value {
        match part {
            TemplatePart::Literal(text, _) => Value::string(text.clone()),
            TemplatePart::Interpolation(expr) => self.eval(expr, diagnostics),
            TemplatePart::If(directive) => {
                let branch = |parts: &[TemplatePart]| {
                    let mut own = Diagnostics::new();
                    let value = self.template(directive.range, parts, &mut own);
                    Branch { value, diagnostics: own, range: directive.range }
                };
                let (then, otherwise) = (branch(&directive.then), branch(&directive.otherwise));
                self.choose(directive.range, &directive.condition, then, otherwise, diagnostics)
            }
            TemplatePart::For(directive) => self.directive_for(directive, diagnostics),
        }
    }

    fn directive_for(&self, directive: &TemplateFor, diagnostics: &mut Diagnostics) -> Value {
        let range = directive.range;
        let Some((collection, collection_marks)) = self.collection(&directive.collection, range, diagnostics) else {
            return Value::unknown(Type::String);
        };
        if !collection.is_known() {
            return Value::unknown(Type::String).with_marks(collection_marks);
        }
        let mut text = String::new();
        let mut marks = collection_marks;
        let mut known = true;
        for (key, value) in super::loops::rounds(&collection) {
            if !self.spend(1, range, diagnostics) {
                return Value::unknown(Type::String);
            }
            let frame = Frame {
                key: directive.key.as_ref().map(|name: &Str| (name.as_str(), key)),
                value: (directive.value.as_str(), value),
                parent: self.frame,
            };
            let inner = Env { frame: Some(&frame), ..*self };
            let round = inner.template(range, &directive.body, diagnostics);
            match &round.kind {
                Kind::String(piece) if known => text.push_str(piece),
                Kind::String(_) => {}
                _ => known = false,
            }
            if known {
                marks |= round.marks;
            }
            if text.len() > MAX_LENGTH {
                let detail = format!("This template would produce more than {MAX_LENGTH} bytes.");
                diagnostics.push(Diagnostic::error("Result too large", detail).at(range));
                return Value::unknown(Type::String);
            }
        }
        if known {
            Value::string(text).with_marks(marks)
        } else {
            Value::unknown(Type::String).with_marks(collection_marks)
        }
    }

    fn invalid_part(&self, detail: String, part: &TemplatePart, whole: Range) -> Diagnostic {
        let (range, values) = match part {
            TemplatePart::Literal(_, range) => (*range, Vec::new()),
            TemplatePart::Interpolation(expr) => (expr.range, self.reference_values(expr)),
            TemplatePart::If(directive) => (directive.range, Vec::new()),
            TemplatePart::For(directive) => (directive.range, Vec::new()),
        };
        Diagnostic::error(INVALID, detail).at(range).within(whole).with_values(values)
    }
}

/// Appends a known value as a string; the error is the detail of the message.
fn append(value: &Value, text: &mut String) -> Result<(), String> {
    if let Kind::String(piece) = &value.kind {
        text.push_str(piece);
        return Ok(());
    }
    match value.convert(&Type::String) {
        Ok(converted) => {
            text.push_str(converted.as_str().map_or("", Str::as_str));
            Ok(())
        }
        Err(error) => Err(format!("Cannot include the given value in a string template: {error}.")),
    }
}
