//! Templates: literal text, interpolations and directives.

use std::borrow::Cow;

use super::parser::{Parser, with_stack};
use super::text::{self, Line, normalise, unescape};
use super::token::{Kind, Token};
use crate::ast::{Expr, ExprKind, TemplateFor, TemplateIf, TemplatePart};
use crate::source::Range;
use crate::{Diagnostic, Str};

const INVALID_FOR: &str = "Invalid 'for' directive";

/// A piece of a template before directives are matched with their ends.
enum Piece<'a> {
    Literal(Cow<'a, str>, Range),
    Interpolation(Expr),
    If(Expr, Range),
    For { key: Option<Str>, value: Str, collection: Expr, range: Range },
    End(EndKind, Range),
}

/// What ends the text before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EndKind {
    Else,
    EndIf,
    EndFor,
    /// The template's end.
    Template,
}

impl EndKind {
    fn name(self) -> &'static str {
        match self {
            EndKind::Else => "else",
            EndKind::EndIf => "endif",
            EndKind::EndFor => "endfor",
            EndKind::Template => "end",
        }
    }
}

impl<'a> Line<'a> for Piece<'a> {
    fn literal(&mut self) -> Option<(&mut Cow<'a, str>, &mut Range)> {
        match self {
            Piece::Literal(text, range) => Some((text, range)),
            _ => None,
        }
    }
}

impl<'a> Parser<'a> {
    /// The rest of a template whose opening marker at `open` was read, up to `closer`.
    pub(super) fn template_expression(&mut self, open: Range, closer: Kind, strip: bool) -> Expr {
        let (kind, _) = self.template(closer, strip);
        Expr::new(open.to(self.previous_range()), kind)
    }

    /// A template up to `closer`, and its range without the opening marker. `strip` takes common indentation off.
    pub(super) fn template(&mut self, closer: Kind, strip: bool) -> (ExprKind, Range) {
        let start = self.next_range();
        let (mut pieces, end) = self.pieces(start, closer);
        if strip {
            text::strip_indentation(&mut pieces);
        }
        let mut pieces = meld(pieces).into_iter();
        let single = pieces.len() == 1;
        let mut parts = Vec::with_capacity(pieces.len());
        while let Some(piece) = pieces.next() {
            parts.push(match piece {
                Piece::Interpolation(inner) if single => {
                    return (ExprKind::TemplateWrap(Box::new(inner)), start.to(end));
                }
                // A heredoc keeps the place of its text, which is not just behind a quote.
                Piece::Literal(text, _) if single && closer != Kind::CloseHeredoc => {
                    return (ExprKind::String(normalise(&text)), start.to(end));
                }
                piece => self.part(piece, &mut pieces, end),
            });
        }
        let kind = if parts.is_empty() { ExprKind::String(Str::default()) } else { ExprKind::Template(parts.into()) };
        (kind, start.to(end))
    }

    /// The part that begins with `piece`; takes what belongs to it from `rest`.
    fn part(&mut self, piece: Piece<'a>, rest: &mut Rest<'a>, end: Range) -> TemplatePart {
        match piece {
            Piece::Literal(text, range) => TemplatePart::Literal(normalise(&text), range),
            Piece::Interpolation(inner) => TemplatePart::Interpolation(inner),
            Piece::If(condition, range) => with_stack(|| self.if_directive(condition, range, rest, end)),
            Piece::For { key, value, collection, range } => with_stack(|| {
                let (body, closing, at) = self.parts_to_end(rest, end);
                if closing != EndKind::EndFor {
                    let place = self.describe(range);
                    match closing {
                        EndKind::Template => {
                            let detail = format!("The for directive at {place} has no endfor directive.");
                            self.error(at, "Unexpected end of template", detail);
                        }
                        EndKind::Else => {
                            self.error(at, "Unexpected else directive", "A for directive has no else clause.");
                        }
                        other => {
                            let detail = format!("The for directive at {place} must be closed by an endfor directive.");
                            self.error(at, format!("Unexpected {} directive", other.name()), detail);
                        }
                    }
                    return TemplatePart::Interpolation(self.invalid(at));
                }
                let body = body.into();
                TemplatePart::For(Box::new(TemplateFor {
                    directive: range,
                    range: range.to(at),
                    key,
                    value,
                    collection,
                    body,
                }))
            }),
            Piece::End(kind, range) => {
                let detail = "The directives of this template are not balanced.";
                self.error(range, format!("Unexpected {} directive", kind.name()), detail);
                TemplatePart::Interpolation(self.invalid(range))
            }
        }
    }

    fn if_directive(&mut self, condition: Expr, range: Range, rest: &mut Rest<'a>, end: Range) -> TemplatePart {
        let (then, mut closing, mut at) = self.parts_to_end(rest, end);
        let mut otherwise = Vec::new();
        let has_else = closing == EndKind::Else;
        if has_else {
            (otherwise, closing, at) = self.parts_to_end(rest, end);
        }
        if closing != EndKind::EndIf {
            let place = self.describe(range);
            match closing {
                EndKind::Template => {
                    let detail = format!("The if directive at {place} has no endif directive.");
                    self.error(at, "Unexpected end of template", detail);
                }
                EndKind::Else => {
                    let detail = format!("The if directive at {place} has an else clause already.");
                    self.error(at, "Unexpected else directive", detail);
                }
                other => {
                    let detail = format!("The if directive at {place} must be closed by an endif directive.");
                    self.error(at, format!("Unexpected {} directive", other.name()), detail);
                }
            }
            return TemplatePart::Interpolation(self.invalid(at));
        }
        let (then, otherwise) = (then.into(), otherwise.into());
        TemplatePart::If(Box::new(TemplateIf { range: range.to(at), condition, then, otherwise }))
    }

    /// Parts up to the next directive that ends something, which is taken too; its kind and place.
    fn parts_to_end(&mut self, rest: &mut Rest<'a>, end: Range) -> (Vec<TemplatePart>, EndKind, Range) {
        let mut parts = Vec::new();
        loop {
            match rest.next() {
                Some(Piece::End(kind, range)) => return (parts, kind, range),
                Some(piece) => parts.push(self.part(piece, rest, end)),
                None => return (parts, EndKind::Template, end),
            }
        }
    }

    /// The pieces of a template up to `closer`, and the closer's place.
    fn pieces(&mut self, start: Range, closer: Kind) -> (Vec<Piece<'a>>, Range) {
        let mut pieces: Vec<Piece<'a>> = Vec::new();
        // Whether `~}` came just before, and whether a literal did.
        let (mut trim_next, mut after_literal) = (false, false);
        loop {
            let token = self.read();
            let range = self.range(token);
            if token.kind == closer {
                return (pieces, range);
            }
            let trim = std::mem::take(&mut trim_next);
            let can_trim = std::mem::take(&mut after_literal);
            match token.kind {
                Kind::QuotedText | Kind::PlainText => {
                    let quoted = token.kind == Kind::QuotedText;
                    let mut text = unescape(self.bytes(token), quoted, range, &mut self.diagnostics);
                    if trim {
                        text = match text {
                            Cow::Borrowed(text) => text.trim_start().into(),
                            Cow::Owned(text) => text.trim_start().to_owned().into(),
                        };
                    }
                    pieces.push(Piece::Literal(text, range));
                    after_literal = true;
                }
                Kind::Interpolation | Kind::Directive => {
                    if can_trim
                        && self.bytes(token).ends_with(b"~")
                        && let Some(Piece::Literal(text, _)) = pieces.last_mut()
                    {
                        match text {
                            Cow::Borrowed(text) => *text = text.trim_end(),
                            Cow::Owned(text) => text.truncate(text.trim_end().len()),
                        }
                    }
                    trim_next = self.with_newlines(false, |parser| {
                        if token.kind == Kind::Interpolation {
                            let (inner, trim) = parser.interpolation(start, closer);
                            pieces.push(Piece::Interpolation(inner));
                            trim
                        } else {
                            parser.directive(start, range, &mut pieces)
                        }
                    });
                }
                _ => {
                    if !self.recovery {
                        let detail = "The marker that ends the string was not found.";
                        self.error_since(start, range, "Unterminated template string", detail);
                    }
                    let end = self.recover(closer);
                    return (pieces, self.range(end));
                }
            }
        }
    }

    /// The rest of an interpolation: the expression, and whether it ends in `~}`.
    fn interpolation(&mut self, start: Range, closer: Kind) -> (Expr, bool) {
        const UNCLOSED: &str = "Unclosed template interpolation sequence";
        const EXTRA: &str = "Extra characters after interpolation expression";
        let inner = self.expression();
        let close = self.peek();
        if close.kind == Kind::SequenceEnd {
            return (inner, self.read_sequence_end(close));
        }
        if !self.recovery {
            let place = self.range(close);
            match close.kind {
                Kind::Eof => {
                    let detail = "The file ends before the brace that closes this interpolation. Perhaps brackets in the \
                                  expression are unbalanced.";
                    self.error(start, UNCLOSED, detail);
                }
                Kind::Colon => {
                    let detail = "An interpolation can't go on with a colon here. If the text belongs to another language, \
                                  write \"$${\" instead of \"${\" to have it literally.";
                    self.error_since(start, place, EXTRA, detail);
                }
                Kind::OpenQuote | Kind::CloseQuote if closer == Kind::CloseQuote => {
                    let detail = "The string ends before the brace that closes this interpolation. Perhaps brackets in the \
                                  expression are unbalanced.";
                    self.error(start, UNCLOSED, detail);
                }
                _ => {
                    let detail = "A closing brace should end the interpolation here, but something else follows. If the text \
                                  belongs to another language, such as a shell's, write \"$${\" instead of \"${\" to have it \
                                  literally.";
                    self.error_since(start, place, EXTRA, detail);
                }
            }
        }
        self.recover(Kind::SequenceEnd);
        (inner, false)
    }

    fn read_sequence_end(&mut self, close: Token) -> bool {
        self.read();
        self.bytes(close).starts_with(b"~")
    }

    /// The rest of a directive that begins at `open`; adds it to `pieces` and says whether it ends in `~}`.
    fn directive(&mut self, start: Range, open: Range, pieces: &mut Vec<Piece<'a>>) -> bool {
        let word = self.peek();
        if word.kind != Kind::Ident {
            if !self.recovery {
                let detail = "A sequence that begins with %{ must go on with the keyword of a directive, like \"if\" or \"for\".";
                self.error_since(open, self.range(word), "Invalid template directive", detail);
            }
            self.recover(Kind::SequenceEnd);
            return false;
        }
        self.read();
        let keyword = String::from_utf8_lossy(self.bytes(word)).into_owned();
        let piece = match keyword.as_str() {
            "if" => {
                let condition = self.expression();
                Some(Piece::If(condition, open.to(self.next_range())))
            }
            "else" => Some(Piece::End(EndKind::Else, open.to(self.next_range()))),
            "endif" => Some(Piece::End(EndKind::EndIf, open.to(self.next_range()))),
            "endfor" => Some(Piece::End(EndKind::EndFor, open.to(self.next_range()))),
            "for" => self.for_directive(open),
            _ => {
                if !self.recovery {
                    let hint = super::suggest(&keyword, ["if", "for", "else", "endif", "endfor"]);
                    let detail = format!("There is no template directive \"{keyword}\".{hint}");
                    let place = self.range(word);
                    let message = Diagnostic::error("Invalid template control keyword", detail).at(place);
                    self.report(message.within(open.to(place)));
                }
                None
            }
        };
        let Some(piece) = piece else {
            self.recover(Kind::SequenceEnd);
            return false;
        };
        pieces.push(piece);
        let close = self.peek();
        if close.kind == Kind::SequenceEnd {
            return self.read_sequence_end(close);
        }
        if !self.recovery {
            let summary = format!("Extra characters in {keyword} marker");
            let detail = "A closing brace should end the sequence here, but something else follows.";
            self.error_since(start, self.range(close), &summary, detail);
        }
        self.recover(Kind::SequenceEnd);
        false
    }

    /// The rest of a `for` directive up to its closing brace; `None`, with a message, if it is malformed.
    fn for_directive(&mut self, open: Range) -> Option<Piece<'a>> {
        let Some(first) = self.read_if(Kind::Ident) else {
            return self.invalid_for_directive("The name of a variable must follow 'for'.");
        };
        let (mut key, mut value) = (None, self.word(first));
        if self.read_if(Kind::Comma).is_some() {
            let Some(second) = self.read_if(Kind::Ident) else {
                return self.invalid_for_directive("The name of the value's variable must follow the comma.");
            };
            key = Some(std::mem::replace(&mut value, self.word(second)));
        }
        if !self.at_word("in") {
            return self.invalid_for_directive("The word 'in' must follow the names of the variables.");
        }
        self.read();
        let collection = self.expression();
        Some(Piece::For { key, value, collection, range: open.to(self.next_range()) })
    }

    fn invalid_for_directive(&mut self, detail: &str) -> Option<Piece<'a>> {
        if !self.recovery {
            self.error(self.next_range(), INVALID_FOR, detail);
        }
        None
    }
}

/// What is left of a template's pieces.
type Rest<'a> = std::vec::IntoIter<Piece<'a>>;

/// Joins literals that follow each other.
fn meld(pieces: Vec<Piece<'_>>) -> Vec<Piece<'_>> {
    let literal = |piece: &Piece<'_>| matches!(piece, Piece::Literal(..));
    if !pieces.array_windows::<2>().any(|[first, second]| literal(first) && literal(second)) {
        return pieces;
    }
    let mut result: Vec<Piece<'_>> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match (result.last_mut(), piece) {
            (Some(Piece::Literal(before, range)), Piece::Literal(text, end)) => {
                before.to_mut().push_str(&text);
                range.end = end.end;
            }
            (_, piece) => result.push(piece),
        }
    }
    result
}
