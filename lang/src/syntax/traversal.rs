//! References that stand alone, as on a command line.

use super::parser::Parser;
use super::text::normalise;
use super::token::{Kind, Token};
use crate::ast::{Step, StepKind, Traversal};
use crate::source::Range;
use crate::{Diagnostic, Diagnostics};

impl Parser<'_> {
    /// The whole text as a reference.
    pub(super) fn traversal(mut self) -> Result<Traversal, Diagnostics> {
        let traversal = self.with_newlines(false, Parser::absolute_traversal);
        match traversal {
            Some(traversal) if self.diagnostics.is_empty() => Ok(traversal),
            _ => Err(self.diagnostics),
        }
    }

    fn absolute_traversal(&mut self) -> Option<Traversal> {
        let name = self.read();
        let root_range = self.range(name);
        if name.kind != Kind::Ident {
            self.error(root_range, "Variable name required", "The text must begin with the name of a variable.");
            return None;
        }
        let mut steps = Vec::new();
        loop {
            let next = self.peek();
            match next.kind {
                Kind::Eof => break,
                Kind::Dot => {
                    self.read();
                    let dot = self.range(next);
                    let attribute = self.read();
                    let range = self.range(attribute);
                    if attribute.kind != Kind::Ident {
                        let detail = match attribute.kind {
                            Kind::Star => "A splat (.*) can't be used here.",
                            _ => "The name of an attribute must follow a dot.",
                        };
                        return self.refuse(root_range, range, "Attribute name required", detail);
                    }
                    steps.push(super::attribute_step(dot.to(range), self.word(attribute)));
                }
                Kind::OpenBracket => {
                    self.read();
                    steps.push(self.literal_index(root_range, next)?);
                }
                _ => {
                    let detail = "The name of an attribute, with a dot, or an index should follow here.";
                    return self.refuse(root_range, self.range(next), "Invalid character", detail);
                }
            }
        }
        let range = root_range.to(steps.last().map_or(root_range, |step| step.range));
        Some(Traversal { range, root: self.word(name), root_range, steps: steps.into() })
    }

    /// The rest of an index behind its opening bracket.
    fn literal_index(&mut self, root: Range, open: Token) -> Option<Step> {
        let token = self.peek();
        let place = self.range(token);
        let kind = match token.kind {
            Kind::Number => {
                self.read();
                StepKind::Index(self.number(token)?)
            }
            Kind::OpenQuote => StepKind::Key(normalise(&self.quoted_literal().0)),
            Kind::Star => {
                return self.refuse(root, place, "Attribute name required", "A splat ([*]) can't be used here.");
            }
            _ => {
                let detail = "An index must be a literal number or a literal string.";
                return self.refuse(root, place, "Index value required", detail);
            }
        };
        let close = self.read();
        let (open, place) = (self.range(open), self.range(close));
        if close.kind != Kind::CloseBracket {
            let detail = "A closing bracket must follow the key of an index.";
            return self.refuse(open, place, "Unclosed index brackets", detail);
        }
        Some(Step { range: open.to(place), kind })
    }

    fn refuse<T>(&mut self, context: Range, place: Range, summary: &str, detail: &str) -> Option<T> {
        self.diagnostics.push(Diagnostic::error(summary, detail).at(place).within(context.to(place)));
        None
    }
}
