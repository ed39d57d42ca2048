//! Tuples, objects and `for` expressions.

use super::parser::Parser;
use super::text::normalise;
use super::token::{Kind, Token};
use crate::ast::{Expr, ExprKind, ForExpr, ObjectItem, ObjectKey};
use crate::source::Range;

/// The mistake of every malformed `for` expression.
const INVALID_FOR: &str = "Invalid 'for' expression";

impl Parser<'_> {
    /// `[…]`
    pub(super) fn tuple(&mut self) -> Expr {
        let open = self.next_range();
        self.read();
        self.with_newlines(false, |parser| {
            if parser.at_word("for") {
                return parser.for_expression(open, Kind::CloseBracket);
            }
            let first = parser.piles.exprs.len();
            let close = parser.elements(open);
            let elements = parser.piles.exprs.drain(first..).collect();
            Expr::new(open.to(parser.range(close)), ExprKind::Tuple(elements))
        })
    }

    /// Puts elements up to the closing bracket on the pile: the bracket.
    fn elements(&mut self, open: Range) -> Token {
        loop {
            if let Some(close) = self.read_if(Kind::CloseBracket) {
                return close;
            }
            let before = self.diagnostics.len();
            let element = self.expression();
            self.piles.exprs.push(element);
            if self.failed_since(before) {
                return self.recover(Kind::CloseBracket);
            }
            if let Some(close) = self.read_if(Kind::CloseBracket) {
                return close;
            }
            if self.read_if(Kind::Comma).is_some() {
                continue;
            }
            if !self.recovery {
                if self.peek().kind == Kind::Eof {
                    self.unterminated(open, "Unterminated tuple constructor expression", "bracket");
                } else {
                    let detail = "A comma must separate this item from the one before.";
                    self.error_since(open, self.next_range(), "Missing item separator", detail);
                }
            }
            return self.recover(Kind::CloseBracket);
        }
    }

    fn unterminated(&mut self, open: Range, summary: &str, bracket: &str) {
        let detail = format!(
            "The file ends before the closing {bracket} that belongs to this one. Perhaps brackets are unbalanced elsewhere in \
             the file."
        );
        self.error(open, summary, detail);
    }

    /// `{…}`
    pub(super) fn object(&mut self) -> Expr {
        let open = self.next_range();
        self.read();
        // `for` may stand on the next line, though line breaks matter in objects.
        if self.with_newlines(false, |parser| parser.at_word("for")) {
            return self.with_newlines(false, |parser| parser.for_expression(open, Kind::CloseBrace));
        }
        self.with_newlines(true, |parser| {
            let first = parser.piles.items.len();
            let close = parser.items(open);
            let items = parser.piles.items.drain(first..).collect();
            Expr::new(open.to(parser.range(close)), ExprKind::Object(items))
        })
    }

    /// Puts items up to the closing brace on the pile: the brace.
    fn items(&mut self, open: Range) -> Token {
        loop {
            if self.read_if(Kind::Newline).is_some() {
                continue;
            }
            if let Some(close) = self.read_if(Kind::CloseBrace) {
                return close;
            }
            let before = self.diagnostics.len();
            let key = self.object_key();
            if self.failed_since(before) {
                return self.recover(Kind::CloseBrace);
            }
            if !matches!(self.peek().kind, Kind::Assign | Kind::Colon) {
                if !self.recovery {
                    self.missing_value(open);
                }
                return self.recover(Kind::CloseBrace);
            }
            self.read();
            let before = self.diagnostics.len();
            let value = self.expression();
            if self.failed_since(before) {
                if matches!(value.kind, ExprKind::Broken(_)) {
                    self.piles.items.push(ObjectItem { key, value });
                }
                return self.recover(Kind::CloseBrace);
            }
            self.piles.items.push(ObjectItem { key, value });
            if let Some(close) = self.read_if(Kind::CloseBrace) {
                return close;
            }
            if matches!(self.peek().kind, Kind::Comma | Kind::Newline) {
                self.read();
                continue;
            }
            if !self.recovery {
                if self.peek().kind == Kind::Eof {
                    self.unterminated(open, "Unterminated object constructor expression", "brace");
                } else {
                    let detail = "A newline or a comma must separate this attribute from the one before.";
                    self.error_since(open, self.next_range(), "Missing attribute separator", detail);
                }
            }
            return self.recover(Kind::CloseBrace);
        }
    }

    /// The key of an item: a bare word is a name, as is one of the words for literals.
    fn object_key(&mut self) -> ObjectKey {
        let word = self.peek();
        if word.kind == Kind::Ident && matches!(self.peek_second().kind, Kind::Assign | Kind::Colon) {
            self.read();
            return ObjectKey::Name(self.word(word), self.range(word));
        }
        let key = self.expression();
        match key.as_keyword() {
            Some(name) if !matches!(key.kind, ExprKind::String(_)) => ObjectKey::Name(normalise(name), key.range),
            _ => ObjectKey::Expr(key),
        }
    }

    /// Says that no `=` follows a key.
    fn missing_value(&mut self, open: Range) {
        let (summary, detail) = match self.peek().kind {
            Kind::Eof => return self.unterminated(open, "Unterminated object constructor expression", "brace"),
            Kind::Newline | Kind::Comma => (
                "Missing attribute value",
                "An equals sign (\"=\") and the value of the attribute should follow its name.",
            ),
            Kind::Ident => (
                "Missing key/value separator",
                "An equals sign (\"=\") should introduce the value. A name with periods or spaces must stand in quotes.",
            ),
            _ => ("Missing key/value separator", "An equals sign (\"=\") should introduce the value."),
        };
        self.error_since(open, self.next_range(), summary, detail);
    }

    /// The rest of a `for` expression, from the word `for` on.
    fn for_expression(&mut self, open: Range, closer: Kind) -> Expr {
        self.read();
        let Some(first) = self.read_if(Kind::Ident) else {
            return self.invalid_for(open, closer, "The name of a variable must follow 'for'.");
        };
        let (mut key_name, mut value_name) = (None, self.word(first));
        if self.read_if(Kind::Comma).is_some() {
            let Some(second) = self.read_if(Kind::Ident) else {
                return self.invalid_for(open, closer, "The name of the value's variable must follow the comma.");
            };
            key_name = Some(std::mem::replace(&mut value_name, self.word(second)));
        }
        if !self.at_word("in") {
            return self.invalid_for(open, closer, "The word 'in' must follow the names of the variables.");
        }
        self.read();
        let before = self.diagnostics.len();
        let collection = self.expression();
        if self.failed_since(before) {
            return self.skip_for(open, closer);
        }
        if self.read_if(Kind::Colon).is_none() {
            return self.invalid_for(open, closer, "A colon must follow the collection.");
        }
        let before = self.diagnostics.len();
        let (mut key, mut value) = (None, self.expression());
        if self.read_if(Kind::Arrow).is_some() {
            let first = std::mem::replace(&mut value, self.expression());
            key = Some(first);
        }
        if self.failed_since(before) {
            return self.skip_for(open, closer);
        }
        let ellipsis = self.read_if(Kind::Ellipsis).map(|token| self.range(token));
        let mut condition = None;
        if self.at_word("if") {
            self.read();
            let before = self.diagnostics.len();
            condition = Some(self.expression());
            if self.failed_since(before) {
                return self.skip_for(open, closer);
            }
        }
        let close = match self.read_if(closer) {
            Some(close) => close,
            None => {
                if !self.recovery {
                    let detail = "The 'for' expression should end here, but something follows.";
                    self.error_since(open, self.next_range(), INVALID_FOR, detail);
                }
                self.recover(closer)
            }
        };
        let range = open.to(self.range(close));
        if closer == Kind::CloseBracket {
            if let Some(key) = &key {
                self.error(key.range, INVALID_FOR, "A 'for' expression that makes a tuple has no keys.");
            }
            if let Some(ellipsis) = ellipsis {
                self.error(ellipsis, INVALID_FOR, "A 'for' expression that makes a tuple can't group with '...'.");
            }
        } else if key.is_none() {
            let place = value.range;
            self.error(place, INVALID_FOR, "A 'for' expression that makes an object needs keys.");
            return self.invalid(range);
        }
        let group = ellipsis.is_some();
        Expr::new(
            range,
            ExprKind::For(Box::new(ForExpr { key_name, value_name, collection, key, value, condition, group })),
        )
    }

    fn invalid_for(&mut self, open: Range, closer: Kind, detail: &str) -> Expr {
        if !self.recovery {
            self.error_since(open, self.next_range(), INVALID_FOR, detail);
        }
        self.skip_for(open, closer)
    }

    fn skip_for(&mut self, open: Range, closer: Kind) -> Expr {
        let close = self.recover(closer);
        self.invalid(open.to(self.range(close)))
    }
}
