//! Expressions: operators, terms and the steps that follow them.

use smol_str::format_smolstr;

use super::parser::Parser;
use super::text::{normalise, unescape};
use super::token::{Kind, Token};
use crate::Diagnostic;
use crate::ast::{
    BinaryExpr, BinaryOperator, CallExpr, ConditionalExpr, Expr, ExprKind, IndexExpr, RelativeTraversal, SplatExpr,
    Step, StepKind, Traversal, UnaryExpr, UnaryOperator,
};
use crate::source::Range;
use crate::values::Number;

/// The binary operator that `kind` is, and how strongly it binds.
fn operator(kind: Kind) -> Option<(BinaryOperator, u8)> {
    Some(match kind {
        Kind::Or => (BinaryOperator::Or, 1),
        Kind::And => (BinaryOperator::And, 2),
        Kind::Equal => (BinaryOperator::Equal, 3),
        Kind::NotEqual => (BinaryOperator::NotEqual, 3),
        Kind::Greater => (BinaryOperator::Greater, 4),
        Kind::GreaterOrEqual => (BinaryOperator::GreaterOrEqual, 4),
        Kind::Less => (BinaryOperator::Less, 4),
        Kind::LessOrEqual => (BinaryOperator::LessOrEqual, 4),
        Kind::Plus => (BinaryOperator::Add, 5),
        Kind::Minus => (BinaryOperator::Subtract, 5),
        Kind::Star => (BinaryOperator::Multiply, 6),
        Kind::Slash => (BinaryOperator::Divide, 6),
        Kind::Percent => (BinaryOperator::Modulo, 6),
        _ => return None,
    })
}

impl Parser<'_> {
    /// An expression. Leaves the parser in recovery, with a message, where there is none.
    pub(super) fn expression(&mut self) -> Expr {
        let start = self.next_range();
        self.deeper(Parser::conditional).unwrap_or_else(|| self.invalid(start))
    }

    fn conditional(&mut self) -> Expr {
        let start = self.next_range();
        let before = self.diagnostics.len();
        let condition = self.binary(0);
        if self.failed_since(before) || self.read_if(Kind::Question).is_none() {
            return condition;
        }
        let before = self.diagnostics.len();
        let then = self.expression();
        if self.failed_since(before) {
            return condition;
        }
        if self.read_if(Kind::Colon).is_none() {
            let detail = "After the result for a true condition, a colon and the result for a false one must follow.";
            self.error_since(start, self.next_range(), "Missing false expression in conditional", detail);
            return condition;
        }
        let before = self.diagnostics.len();
        let otherwise = self.expression();
        if self.failed_since(before) {
            return condition;
        }
        let range = start.to(otherwise.range);
        Expr::new(range, ExprKind::Conditional(Box::new(ConditionalExpr { condition, then, otherwise })))
    }

    /// Operands and operators that bind at least as strongly as `least`.
    fn binary(&mut self, least: u8) -> Expr {
        let before = self.diagnostics.len();
        let mut left = self.term_with_steps();
        if self.failed_since(before) {
            return left;
        }
        while let Some((operator, strength)) = operator(self.peek().kind).filter(|(_, strength)| *strength >= least) {
            self.read();
            let before = self.diagnostics.len();
            let right = self.binary(strength + 1);
            if self.failed_since(before) {
                return left;
            }
            let range = left.range.to(right.range);
            left = Expr::new(range, ExprKind::Binary(Box::new(BinaryExpr { operator, left, right })));
        }
        left
    }

    fn term_with_steps(&mut self) -> Expr {
        let term = self.term();
        self.steps(term)
    }

    fn term(&mut self) -> Expr {
        let start = self.peek();
        let range = self.range(start);
        match start.kind {
            Kind::Ident => {
                self.read();
                if matches!(self.peek().kind, Kind::OpenParen | Kind::DoubleColon) {
                    return self.call(start);
                }
                let kind = match self.bytes(start) {
                    b"true" => ExprKind::Bool(true),
                    b"false" => ExprKind::Bool(false),
                    b"null" => ExprKind::Null,
                    _ => ExprKind::Traversal(Box::new(Traversal {
                        range,
                        root: self.word(start),
                        root_range: range,
                        steps: Box::default(),
                    })),
                };
                Expr::new(range, kind)
            }
            Kind::Number => {
                self.read();
                match self.number(start) {
                    Some(number) => Expr::new(range, ExprKind::Number(number)),
                    None => self.invalid(range),
                }
            }
            Kind::OpenQuote => {
                self.read();
                if let Some((text, close)) = self.read_plain_string() {
                    let text = unescape(self.bytes(text), true, self.range(text), &mut self.diagnostics);
                    return Expr::new(range.to(self.range(close)), ExprKind::String(normalise(&text)));
                }
                self.template_expression(range, Kind::CloseQuote, false)
            }
            Kind::OpenHeredoc => {
                self.read();
                let strip = self.bytes(start).starts_with(b"<<-");
                self.template_expression(range, Kind::CloseHeredoc, strip)
            }
            Kind::OpenParen => self.parentheses(),
            Kind::OpenBracket => self.tuple(),
            Kind::OpenBrace => self.object(),
            Kind::Minus => self.unary(UnaryOperator::Negate),
            Kind::Bang => self.unary(UnaryOperator::Not),
            kind => {
                if !self.recovery {
                    if kind == Kind::Eof {
                        let detail = "An expression should begin here, but the file ends.";
                        self.error(range, "Missing expression", detail);
                    } else {
                        self.error(
                            range,
                            "Invalid expression",
                            "An expression should begin here, but this can't begin one.",
                        );
                    }
                }
                self.recovery = true;
                self.invalid(range)
            }
        }
    }

    /// The value of a number token; `None`, with a message, if it is none.
    pub(super) fn number(&mut self, token: Token) -> Option<Number> {
        let number = std::str::from_utf8(self.bytes(token)).ok().and_then(Number::parse);
        if number.is_none() {
            self.error(self.range(token), "Invalid number literal", "The value of this number could not be made out.");
        }
        number
    }

    fn unary(&mut self, operator: UnaryOperator) -> Expr {
        let operator_range = self.next_range();
        self.read();
        let operand = self.deeper(Parser::term_with_steps).unwrap_or_else(|| self.invalid(operator_range));
        let range = operator_range.to(operand.range);
        Expr::new(range, ExprKind::Unary(Box::new(UnaryExpr { operator, operator_range, operand })))
    }

    fn parentheses(&mut self) -> Expr {
        let open = self.next_range();
        self.read();
        self.with_newlines(false, |parser| {
            let before = parser.diagnostics.len();
            let inner = parser.expression();
            if parser.diagnostics.len() > before {
                parser.recover(Kind::CloseParen);
                return inner;
            }
            if parser.peek().kind != Kind::CloseParen {
                let detail = "The expression should end with a closing parenthesis here.";
                parser.error_since(open, parser.next_range(), "Unbalanced parentheses", detail);
                parser.recovery = true;
            }
            let close = parser.read();
            Expr::new(open.to(parser.range(close)), ExprKind::Parens(Box::new(inner)))
        })
    }

    /// The rest of a function call, whose first name was read.
    fn call(&mut self, first: Token) -> Expr {
        let start = self.range(first);
        let mut name = self.word(first);
        let mut name_range = start;
        let mut open = self.read();
        while open.kind == Kind::DoubleColon {
            let next = self.read();
            let range = self.range(next);
            if next.kind != Kind::Ident {
                let detail = "The name of a function, or of a namespace within, must follow the symbol \"::\".";
                let error = Diagnostic::error("Missing function name", detail).at(range).within(start.to(range));
                let broken = self.broken(start.to(range), error);
                self.recover_over_parens();
                return broken;
            }
            name = format_smolstr!("{name}::{}", self.word(next));
            name_range = start.to(range);
            open = self.read();
        }
        if open.kind != Kind::OpenParen {
            let range = self.range(open);
            let detail = "The name of a function must be followed by an opening parenthesis and the arguments.";
            let error = Diagnostic::error("Missing open parenthesis", detail).at(range).within(start.to(range));
            let broken = self.broken(start.to(range), error);
            self.recover_over_parens();
            return broken;
        }
        let open = self.range(open);
        let (arguments, expand_last, close) = self.with_newlines(false, |parser| {
            let first = parser.piles.exprs.len();
            let (expand_last, close) = parser.arguments(start, open);
            (parser.piles.exprs.drain(first..).collect(), expand_last, close)
        });
        let close = self.range(close);
        let call = CallExpr { name, name_range, arguments, expand_last, close };
        Expr::new(name_range.to(close), ExprKind::Call(Box::new(call)))
    }

    /// Puts arguments up to the closing parenthesis on the pile: whether the last one is expanded, and the parenthesis.
    fn arguments(&mut self, start: Range, open: Range) -> (bool, Token) {
        loop {
            if let Some(close) = self.read_if(Kind::CloseParen) {
                return (false, close);
            }
            let before = self.diagnostics.len();
            let argument = self.expression();
            self.piles.exprs.push(argument);
            if self.failed_since(before) {
                return (false, self.recover(Kind::CloseParen));
            }
            let separator = self.read();
            let range = self.range(separator);
            match separator.kind {
                Kind::CloseParen => return (false, separator),
                Kind::Comma => continue,
                Kind::Ellipsis => {
                    if let Some(close) = self.read_if(Kind::CloseParen) {
                        return (true, close);
                    }
                    if !self.recovery {
                        let detail =
                            "Behind an expanded argument (with ...) the arguments must end with a parenthesis.";
                        self.error_since(start, range, "Missing closing parenthesis", detail);
                    }
                    return (true, self.recover(Kind::CloseParen));
                }
                Kind::Eof => {
                    let detail = "The file ends before the closing parenthesis of this function call. Perhaps brackets are \
                                  unbalanced elsewhere in the file.";
                    self.error(start.to(open), "Unterminated function call", detail);
                }
                _ => {
                    let detail = "The arguments of a function must be separated by commas.";
                    self.error_since(start, range, "Missing argument separator", detail);
                }
            }
            return (false, self.recover(Kind::CloseParen));
        }
    }

    /// The steps that follow `from`: attributes, indexes and splats.
    fn steps(&mut self, from: Expr) -> Expr {
        let start = from.range;
        let mut target = from;
        let first = self.piles.steps.len();
        loop {
            match self.peek().kind {
                Kind::Dot => {
                    let dot = self.next_range();
                    self.read();
                    match self.peek().kind {
                        Kind::Ident => {
                            let name = self.read();
                            let kind = StepKind::Attribute(self.word(name));
                            self.piles.steps.push(Step { range: dot.to(self.range(name)), kind });
                        }
                        Kind::Number => {
                            let number = self.read();
                            let range = dot.to(self.range(number));
                            match self.legacy_index(number, self.range(number), "") {
                                Some(index) => self.piles.steps.push(Step { range, kind: StepKind::Index(index) }),
                                None => {
                                    let key = self.invalid(range);
                                    target = indexed(self.attach(target, first), key, range);
                                }
                            }
                        }
                        Kind::Star => {
                            target = self.attach(target, first);
                            target = self.attribute_splat(target, dot);
                        }
                        _ => {
                            let detail = "The name of an attribute must follow a dot.";
                            let error = Diagnostic::error("Invalid attribute name", detail).at(self.next_range());
                            target = self.broken(start.to(dot), error);
                            self.piles.steps.truncate(first);
                            self.recovery = true;
                        }
                    }
                }
                Kind::OpenBracket => {
                    let open = self.next_range();
                    self.read();
                    if self.read_if(Kind::Star).is_some() {
                        target = self.attach(target, first);
                        target = self.full_splat(target, open);
                        continue;
                    }
                    let (mut key, close) = self.with_newlines(false, Parser::index_key);
                    let range = open.to(self.range(close));
                    let literal = match &mut key.kind {
                        ExprKind::Number(number) => Some(StepKind::Index(number.clone())),
                        ExprKind::String(name) => Some(StepKind::Key(name.clone())),
                        _ => None,
                    };
                    match literal {
                        Some(kind) => self.piles.steps.push(Step { range, kind }),
                        None => target = indexed(self.attach(target, first), key, range),
                    }
                }
                _ => return self.attach(target, first),
            }
        }
    }

    /// The key between brackets, and the closing bracket.
    fn index_key(&mut self) -> (Expr, Token) {
        let before = self.diagnostics.len();
        let key = self.expression();
        if self.failed_since(before) {
            return (key, self.recover(Kind::CloseBracket));
        }
        let close = self.read();
        if close.kind != Kind::CloseBracket && !self.recovery {
            // HCL says it where the next closing bracket is.
            return (
                key,
                self.recover_to_bracket("Missing close bracket on index", "An index must end with a closing bracket."),
            );
        }
        (key, close)
    }

    /// Skips to the closing bracket and reports there that one is missing before.
    fn recover_to_bracket(&mut self, summary: &str, detail: &str) -> Token {
        let close = self.recover(Kind::CloseBracket);
        self.error(self.range(close), summary, detail);
        close
    }

    /// The number of a legacy index (`.0`). Two of them in a row look like a fraction and are refused at `place`.
    fn legacy_index(&mut self, token: Token, place: Range, hint: &str) -> Option<Number> {
        let text = String::from_utf8_lossy(self.bytes(token));
        if let Some((first, second)) = text.split_once('.') {
            let detail = format!(
                "Two legacy indexes can't follow each other. Write them in brackets{hint}, like [{first}][{second}]."
            );
            self.error(place, "Invalid legacy index syntax", detail);
            return None;
        }
        self.number(token)
    }

    /// `.*` and the attributes behind it, which belong to each element.
    fn attribute_splat(&mut self, source: Expr, dot: Range) -> Expr {
        let start = source.range;
        let star = self.next_range();
        self.read();
        let marker = dot.to(star);
        let mut each = Expr::new(marker, ExprKind::SplatItem);
        let first = self.piles.steps.len();
        let mut last = star;
        while self.peek().kind == Kind::Dot {
            let dot = self.next_range();
            self.read();
            let token = self.peek();
            let range = dot.to(self.range(token));
            match token.kind {
                Kind::Ident => {
                    self.read();
                    let kind = StepKind::Attribute(self.word(token));
                    self.piles.steps.push(Step { range, kind });
                }
                Kind::Number => {
                    self.read();
                    match self.legacy_index(token, star, " behind a full splat, [*]") {
                        Some(index) => self.piles.steps.push(Step { range, kind: StepKind::Index(index) }),
                        None => {
                            let key = self.invalid(range);
                            each = indexed(self.attach(each, first), key, range);
                        }
                    }
                }
                kind => {
                    if !self.recovery && kind == Kind::Star {
                        let detail = "A splat (*) can't stand inside another attribute-only splat.";
                        self.error(self.range(token), "Nested splat expression not allowed", detail);
                    } else if !self.recovery {
                        self.error(star, "Invalid attribute name", "The name of an attribute must follow a dot.");
                    }
                    self.recovery = true;
                    self.piles.steps.truncate(first);
                    return source;
                }
            }
            last = self.range(token);
        }
        let each = self.attach(each, first);
        Expr::new(start.to(last), ExprKind::Splat(Box::new(SplatExpr { source, each, marker })))
    }

    /// The rest of `[*]` and all the steps behind it, which belong to each element.
    fn full_splat(&mut self, source: Expr, open: Range) -> Expr {
        let mut close = self.read();
        if close.kind != Kind::CloseBracket && !self.recovery {
            let detail = "The star of a splat must be followed by a closing bracket.";
            close = self.recover_to_bracket("Missing close bracket on splat index", detail);
        }
        let marker = open.to(self.range(close));
        let item = Expr::new(marker, ExprKind::SplatItem);
        let each = self.deeper(|parser| parser.steps(item)).unwrap_or_else(|| self.invalid(marker));
        let range = source.range.to(each.range);
        Expr::new(range, ExprKind::Splat(Box::new(SplatExpr { source, each, marker })))
    }

    /// `target` with the static steps behind it that are on the pile from `first` on.
    fn attach(&mut self, mut target: Expr, first: usize) -> Expr {
        let Some(last) = self.piles.steps.get(first..).and_then(<[Step]>::last) else { return target };
        let range = target.range.to(last.range);
        let steps = self.piles.steps.drain(first..).collect();
        match &mut target.kind {
            ExprKind::Traversal(traversal) if traversal.steps.is_empty() => {
                traversal.steps = steps;
                traversal.range = range;
                target.range = range;
                target
            }
            _ => {
                let relative = RelativeTraversal { source: target, steps };
                Expr::new(range, ExprKind::RelativeTraversal(Box::new(relative)))
            }
        }
    }
}

/// `collection[key]`, with `brackets` around the key.
fn indexed(collection: Expr, key: Expr, brackets: Range) -> Expr {
    let range = collection.range.to(brackets);
    Expr::new(range, ExprKind::Index(Box::new(IndexExpr { collection, key, brackets })))
}
