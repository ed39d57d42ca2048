//! Bodies: arguments and blocks.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::parser::Parser;
use super::text::unescape;
use super::token::{Kind, Token};
use crate::ast::{Attribute, Block, Body, Label, NativeBody};
use crate::source::Range;
use crate::{Diagnostic, Str};

const REQUIRED: &str = "Argument or block definition required";
const UNCLOSED: &str = "Unclosed configuration block";
const SINGLE_LINE: &str = "Invalid single-argument block definition";
const INVALID_BLOCK: &str = "Invalid block definition";

/// From how many attributes on names are looked up in a table.
const MANY: usize = 16;

/// An item of a body.
enum Item {
    Attribute(Attribute),
    Block(Block),
    /// A mistake; a message was given.
    Nothing,
}

/// The body that is being read: where its attributes and blocks begin in the parser's piles.
struct Items {
    attributes: usize,
    blocks: usize,
    /// Where each attribute stands, once there are many.
    names: FxHashMap<Str, Range>,
}

impl Items {
    /// The place of the attribute `name` among `attributes`, those of this body, if there is one already.
    fn place(&mut self, name: &str, attributes: &[Attribute]) -> Option<Range> {
        if attributes.len() < MANY {
            return attributes.iter().find(|a| a.name == name).map(|a| a.name_range);
        }
        // The table holds all attributes but those that came since the last question.
        let since = attributes.get(self.names.len()..).unwrap_or_default();
        self.names.extend(since.iter().map(|a| (a.name.clone(), a.name_range)));
        self.names.get(name).copied()
    }
}

impl Parser<'_> {
    /// A body up to and including `end`.
    pub(super) fn body(&mut self, end: Kind) -> NativeBody {
        let start = self.previous_range();
        let mut items = Items {
            attributes: self.piles.attributes.len(),
            blocks: self.piles.blocks.len(),
            names: FxHashMap::default(),
        };
        loop {
            let next = self.peek();
            let place = self.range(next);
            if next.kind == end {
                self.read();
                return self.finish(items, start.to(place));
            }
            match next.kind {
                Kind::Newline => {
                    self.read();
                }
                Kind::Ident => match self.item() {
                    Item::Block(block) => self.piles.blocks.push(block),
                    Item::Attribute(attribute) => {
                        let others = self.piles.attributes.get(items.attributes..).unwrap_or_default();
                        match items.place(&attribute.name, others) {
                            Some(existing) => {
                                let detail = format!(
                                    "The argument \"{}\" was set at {} already. Each argument can be set once only.",
                                    attribute.name,
                                    self.describe(existing)
                                );
                                self.error(attribute.name_range, "Attribute redefined", detail);
                            }
                            None => self.piles.attributes.push(attribute),
                        }
                    }
                    Item::Nothing => {}
                },
                kind => {
                    self.read();
                    if !self.recovery {
                        match kind {
                            Kind::OpenQuote => {
                                let detail = "The name of an argument must not be in quotes.";
                                self.error(place, "Invalid argument name", detail);
                            }
                            Kind::Eof => self.error(start, UNCLOSED, UNCLOSED_DETAIL),
                            _ => self.error(place, REQUIRED, "Only arguments and blocks can stand here."),
                        }
                    }
                    let range = start.to(self.previous_range());
                    self.recover(end);
                    return self.finish(items, range);
                }
            }
        }
    }

    fn finish(&mut self, items: Items, range: Range) -> NativeBody {
        NativeBody {
            range,
            attributes: self.piles.attributes.drain(items.attributes..).collect(),
            blocks: self.piles.blocks.drain(items.blocks..).collect(),
            merged: None,
        }
    }

    fn item(&mut self) -> Item {
        let name = self.read();
        match self.peek().kind {
            Kind::Assign => Item::Attribute(self.attribute(name, false)),
            Kind::OpenQuote | Kind::OpenBrace | Kind::Ident => {
                let place = self.range(name);
                match self.deeper(|parser| parser.block(name)) {
                    Some(block) => Item::Block(block),
                    None => {
                        self.recover_after_item();
                        Item::Block(empty_block(self.word(name), place, Vec::new()))
                    }
                }
            }
            _ => {
                self.recover_after_item();
                self.error(self.range(name), REQUIRED, NO_EQUALS);
                Item::Nothing
            }
        }
    }

    /// The rest of an argument, from the equals sign on.
    fn attribute(&mut self, name: Token, single_line: bool) -> Attribute {
        let name_range = self.range(name);
        self.read();
        let before = self.diagnostics.len();
        let expr = self.expression();
        let end = self.previous_range();
        if self.failed_since(before) {
            self.recover_after_item();
        } else if !single_line {
            let next = self.peek();
            if matches!(next.kind, Kind::Newline | Kind::Eof) {
                self.read();
            } else {
                if !self.recovery {
                    let place = self.range(next);
                    if next.kind == Kind::Comma {
                        let detail = "Arguments are separated by newlines, not by commas.";
                        self.error_since(name_range, place, "Unexpected comma after argument", detail);
                    } else {
                        let detail = "An argument must end with a newline.";
                        self.error_since(name_range, place, "Missing newline after argument", detail);
                    }
                }
                self.recover_after_item();
            }
        }
        Attribute { name: self.word(name), name_range, range: name_range.to(end), expr: Arc::new(expr) }
    }

    /// The rest of a block, from behind its type on.
    fn block(&mut self, kind: Token) -> Block {
        let kind_range = self.range(kind);
        let first_label = self.piles.labels.len();
        let open = loop {
            let token = self.peek();
            let place = self.range(token);
            match token.kind {
                Kind::OpenBrace => {
                    self.read();
                    break place;
                }
                Kind::OpenQuote => {
                    let (text, range) = self.quoted_literal();
                    self.piles.labels.push(Label { text, range });
                }
                Kind::Ident => {
                    self.read();
                    let text = self.word(token);
                    self.piles.labels.push(Label { text, range: place });
                }
                other => {
                    let detail = match other {
                        Kind::Assign => "The equals sign (\"=\") belongs to arguments; a block is defined without it.",
                        Kind::Newline => "The brace (\"{\") that opens the block must stand on the line of its header.",
                        _ => "A label in quotes or the brace (\"{\") that opens the block should follow here.",
                    };
                    if !self.recovery || matches!(other, Kind::Assign | Kind::Newline) {
                        self.error_since(kind_range, place, INVALID_BLOCK, detail);
                    }
                    self.recover_after_item();
                    let labels = self.piles.labels.drain(first_label..).collect();
                    return empty_block(self.word(kind), kind_range, labels);
                }
            }
        };
        let labels: Vec<Label> = self.piles.labels.drain(first_label..).collect();
        let body = match self.peek().kind {
            Kind::Newline | Kind::Eof | Kind::CloseBrace => self.body(Kind::CloseBrace),
            _ => self.single_line_body(kind_range, open),
        };
        let close = self.previous_range();
        let end = self.peek();
        if matches!(end.kind, Kind::Newline | Kind::Eof) {
            self.read();
        } else {
            if !self.recovery {
                let detail = "A block must end with a newline.";
                self.error_since(kind_range, self.range(end), "Missing newline after block definition", detail);
            }
            self.recover_after_item();
        }
        let header = labels.last().map_or(kind_range, |label| kind_range.to(label.range));
        let body = Body::Native(Arc::new(body));
        Block { kind: self.word(kind), kind_range, labels, header, range: kind_range.to(close), body }
    }

    /// The body of a block that is on one line, up to and including the closing brace.
    fn single_line_body(&mut self, kind_range: Range, open: Range) -> NativeBody {
        let before = self.diagnostics.len();
        let attribute = self.single_attribute();
        // What is said about the block's end goes before what was said about its content.
        let inner = self.diagnostics.split_off(before);
        let next = self.peek();
        let place = self.range(next);
        match next.kind {
            Kind::CloseBrace => {
                self.read();
            }
            Kind::Comma => {
                let detail =
                    "A block on a single line can hold one argument only. Write several on lines of their own.";
                self.error(place, SINGLE_LINE, detail);
                self.recover(Kind::CloseBrace);
            }
            Kind::Newline => {
                let detail =
                    "A block whose argument stands on the line of the opening brace must be closed on that line, too.";
                self.error(place, SINGLE_LINE, detail);
                self.recover(Kind::CloseBrace);
            }
            kind => {
                if !self.recovery {
                    if kind == Kind::Eof {
                        let message = Diagnostic::error(UNCLOSED, UNCLOSED_DETAIL).at(open).within(kind_range.to(open));
                        self.report(message);
                    } else {
                        let detail = "A block on a single line must be closed right behind its argument.";
                        self.error(place, SINGLE_LINE, detail);
                    }
                }
                self.recover(Kind::CloseBrace);
            }
        }
        self.diagnostics.append(inner);
        // What lacks in such a block is told at its argument.
        let range = attribute.as_ref().map_or(open.to(self.previous_range()), |attribute| attribute.range);
        NativeBody { range, attributes: attribute.into_iter().collect(), blocks: Vec::new(), merged: None }
    }

    fn single_attribute(&mut self) -> Option<Attribute> {
        let name = self.read();
        let place = self.range(name);
        if name.kind != Kind::Ident {
            self.recover_after_item();
            self.error(place, REQUIRED, "Only arguments and blocks can stand here.");
            return None;
        }
        let next = self.peek();
        match next.kind {
            Kind::Assign => Some(self.attribute(name, true)),
            Kind::OpenQuote | Kind::OpenBrace | Kind::Ident => {
                let range = place.to(self.range(next));
                self.recover_after_item();
                let detail = format!(
                    "A block on a single line can hold one argument only. To set the argument \"{}\", use an equals sign; to \
                     nest a block, put it on a line of its own.",
                    self.word(name)
                );
                self.error(range, "Argument definition required", detail);
                None
            }
            _ => {
                self.recover_after_item();
                self.error(place, REQUIRED, NO_EQUALS);
                None
            }
        }
    }

    /// A quoted string without template sequences, as labels are: its text and range.
    pub(super) fn quoted_literal(&mut self) -> (Str, Range) {
        let open = self.next_range();
        self.read();
        if let Some((text, close)) = self.read_plain_string() {
            let place = self.range(text);
            let text = unescape(self.bytes(text), true, place, &mut self.diagnostics);
            return (text.into(), open.to(self.range(close)));
        }
        let (text, range) = self.broken_literal(open);
        (text.into(), range)
    }

    /// The rest of a quoted string that is not plain text.
    fn broken_literal(&mut self, open: Range) -> (String, Range) {
        const INVALID: &str = "Invalid string literal";
        let mut text = String::new();
        loop {
            let token = self.read();
            let range = self.range(token);
            match token.kind {
                Kind::CloseQuote => return (text, open.to(range)),
                Kind::QuotedText => {
                    text.push_str(&unescape(self.bytes(token), true, range, &mut self.diagnostics));
                }
                Kind::Interpolation | Kind::Directive => {
                    let sign = if token.kind == Kind::Directive { '%' } else { '$' };
                    let detail = format!(
                        "This string can't hold template sequences. For a literal \"{sign}\" before a brace, write \
                         \"{sign}{sign}\"."
                    );
                    self.error_since(open, range, INVALID, &detail);
                    text.push(sign);
                    text.push_str("{ ... }");
                    self.recover(Kind::SequenceEnd);
                }
                Kind::Eof => {
                    let detail = "The file ends before the quote that closes the string.";
                    self.error_since(open, range, "Unterminated string literal", detail);
                    return (text, open.to(range));
                }
                _ => {
                    self.error_since(open, range, INVALID, "This can't be part of a string.");
                    self.recover(Kind::CloseQuote);
                    return (text, open.to(range));
                }
            }
        }
    }
}

const NO_EQUALS: &str = "Only arguments and blocks can stand here. To set an argument, use the equals sign (\"=\").";
const UNCLOSED_DETAIL: &str = "The file ends before the brace that closes this block. Perhaps braces are unbalanced elsewhere \
                               in the file.";

/// A block whose header could not be read to its end; like in HCL, it reaches no further than its type.
fn empty_block(kind: Str, kind_range: Range, labels: Vec<Label>) -> Block {
    let body = NativeBody { range: kind_range, attributes: Vec::new(), blocks: Vec::new(), merged: None };
    let header = labels.last().map_or(kind_range, |label| kind_range.to(label.range));
    Block { kind, kind_range, labels, header, range: kind_range, body: Body::Native(Arc::new(body)) }
}
