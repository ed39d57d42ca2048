//! The parser's machinery: looking ahead, newline rules, recovery, nesting.

use super::lexer::{self, Start};
use super::token::{Kind, Token};
use crate::ast::{Attribute, Block, Expr, ExprKind, Label, ObjectItem, Step};
use crate::source::{FileId, Range, Sources};
use crate::{Diagnostic, Diagnostics, Str};

/// How deep expressions and blocks may nest. The stack grows on the heap with them, so this bounds memory only.
const DEEPEST: u32 = 100_000;
/// How much stack must be left for one level, and how much is added when it isn't.
const RED_ZONE: usize = 128 * 1024;
const STACK: usize = 4 * 1024 * 1024;

/// How many mistakes of one text are told. What follows is not read: a hostile file would fill the memory with messages.
const MOST_MISTAKES: usize = 1000;

/// Runs `f` with enough stack for one more level of a tree.
pub(crate) fn with_stack<R>(f: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(RED_ZONE, STACK, f)
}

/// Recursive descent over the tokens of one text.
pub(crate) struct Parser<'a> {
    pub(super) source: &'a [u8],
    pub(super) diagnostics: Diagnostics,
    sources: Option<&'a Sources>,
    file: FileId,
    /// What to add to offsets in `source` to get offsets in the file.
    base: u32,
    tokens: Vec<Token>,
    next: usize,
    /// The next token that counts, and the index behind it. It is looked at several times before it is read.
    ahead: (Token, usize),
    pub(super) piles: Piles,
    /// Whether line breaks are tokens here, or white space.
    newlines: bool,
    /// Whether a mistake has been recovered from: what looks wrong afterwards may be a consequence of it.
    pub(super) recovery: bool,
    depth: u32,
}

/// Parts of what is being read, innermost last. A node takes its own off the end, into memory of just the right size:
/// a vector for each would be allocated, grow, and be copied.
#[derive(Default)]
pub(super) struct Piles {
    pub(super) attributes: Vec<Attribute>,
    pub(super) blocks: Vec<Block>,
    pub(super) labels: Vec<Label>,
    pub(super) exprs: Vec<Expr>,
    pub(super) items: Vec<ObjectItem>,
    pub(super) steps: Vec<Step>,
}

impl<'a> Parser<'a> {
    /// A parser of `source`, which begins at byte `base` of `file`. `sources` is for messages that name other places.
    pub(super) fn new(
        source: &'a [u8],
        start: Start,
        sources: Option<&'a Sources>,
        file: FileId,
        base: u32,
    ) -> Parser<'a> {
        let (tokens, suspicious) = lexer::tokens(source, start);
        let mut parser = Parser {
            source,
            diagnostics: Diagnostics::new(),
            sources,
            file,
            base,
            tokens,
            next: 0,
            ahead: (Token { start: 0, end: 0, kind: Kind::Eof }, 0),
            piles: Piles::default(),
            newlines: true,
            recovery: false,
            depth: 0,
        };
        parser.ahead = parser.look(0);
        if suspicious {
            parser.report_invalid_tokens();
        }
        parser
    }

    fn token(&self, index: usize) -> Token {
        let end = self.source.len() as u32;
        self.tokens.get(index).copied().unwrap_or(Token { start: end, end, kind: Kind::Eof })
    }

    /// The first token from `index` on that counts, and the index behind it.
    fn look(&self, mut index: usize) -> (Token, usize) {
        loop {
            let token = self.token(index);
            index += 1;
            match token.kind {
                Kind::Newline if !self.newlines => {}
                Kind::Comment => {
                    // The comment holds the line break that ends it.
                    if self.newlines && self.bytes(token).ends_with(b"\n") {
                        return (Token { kind: Kind::Newline, ..token }, index);
                    }
                }
                Kind::Eof => return (token, index.min(self.tokens.len())),
                _ => return (token, index),
            }
        }
    }

    /// The next token; it stays there.
    pub(super) fn peek(&self) -> Token {
        self.ahead.0
    }

    /// The token behind the next one.
    pub(super) fn peek_second(&self) -> Token {
        self.look(self.ahead.1).0
    }

    /// Takes the next token.
    pub(super) fn read(&mut self) -> Token {
        let (token, next) = self.ahead;
        self.go_to(next);
        token
    }

    fn go_to(&mut self, next: usize) {
        self.next = next;
        self.ahead = self.look(next);
    }

    /// Takes the next token if it is a `kind`.
    pub(super) fn read_if(&mut self, kind: Kind) -> Option<Token> {
        (self.peek().kind == kind).then(|| self.read())
    }

    /// Whether the next token is the identifier `word`.
    pub(super) fn at_word(&self, word: &str) -> bool {
        let token = self.peek();
        token.kind == Kind::Ident && self.bytes(token) == word.as_bytes()
    }

    /// The text of a string that has neither escapes to resolve nor sequences, if that is what follows its quote; takes
    /// the text and the closing quote.
    pub(super) fn read_plain_string(&mut self) -> Option<(Token, Token)> {
        let (text, close) = (self.token(self.next), self.token(self.next + 1));
        if text.kind == Kind::CloseQuote {
            self.go_to(self.next + 1);
            return Some((Token { end: text.start, ..text }, text));
        }
        if text.kind == Kind::QuotedText && close.kind == Kind::CloseQuote {
            self.go_to(self.next + 2);
            return Some((text, close));
        }
        None
    }

    /// Where the last token that was read stands.
    pub(super) fn previous_range(&self) -> Range {
        match self.next.checked_sub(1) {
            Some(index) => self.range(self.token(index)),
            None => self.range(self.peek()),
        }
    }

    /// Where the next token stands.
    pub(super) fn next_range(&self) -> Range {
        self.range(self.peek())
    }

    /// Where `token` stands in the file.
    pub(super) fn range(&self, token: Token) -> Range {
        let range = token.range(self.file);
        Range { file: range.file, start: range.start + self.base, end: range.end + self.base }
    }

    /// The source text of `token`.
    pub(super) fn bytes(&self, token: Token) -> &'a [u8] {
        self.source.get(token.start as usize..token.end as usize).unwrap_or_default()
    }

    /// The source text of an identifier.
    pub(super) fn word(&self, token: Token) -> Str {
        super::text::normalise(&String::from_utf8_lossy(self.bytes(token)))
    }

    /// All tokens of the text.
    pub(super) fn into_tokens(self) -> Vec<Token> {
        self.tokens
    }

    /// Reports a mistake at `place`.
    pub(super) fn error(&mut self, place: Range, summary: impl Into<String>, detail: impl Into<String>) {
        self.report(Diagnostic::error(summary, detail).at(place));
    }

    /// Reports a mistake at `place`, to be shown with the lines from `context` on.
    pub(super) fn error_since(&mut self, context: Range, place: Range, summary: &str, detail: &str) {
        self.report(Diagnostic::error(summary, detail).at(place).within(context.to(place)));
    }

    /// Adds a message. After very many the parser gives up, as if the text ended.
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() > MOST_MISTAKES {
            return;
        }
        let place = diagnostic.subject().unwrap_or_else(|| self.next_range());
        self.diagnostics.push(diagnostic);
        if self.diagnostics.len() == MOST_MISTAKES {
            let detail = format!(
                "This text has more than {MOST_MISTAKES} mistakes; what follows is not looked at. Perhaps it is not a \
                 configuration at all. Otherwise mend the first ones and try again."
            );
            self.diagnostics.push(Diagnostic::error("Too many mistakes", detail).at(place));
            self.recovery = true;
            self.go_to(self.tokens.len().saturating_sub(1));
        }
    }

    /// Whether recovery is on and messages came since there were `before` of them.
    pub(super) fn failed_since(&self, before: usize) -> bool {
        self.recovery && self.diagnostics.len() > before
    }

    /// `file:line,column-column` of a range, for messages.
    pub(super) fn describe(&self, range: Range) -> String {
        // Nobody reads it any more after very many: finding columns takes time.
        let sources = self.sources.filter(|_| self.diagnostics.len() <= MOST_MISTAKES);
        let Some(source) = sources.and_then(|s| s.get(range.file)) else { return "an earlier place".to_owned() };
        source.place(range)
    }

    /// Runs `f` with line breaks as tokens, or as white space.
    pub(super) fn with_newlines<R>(&mut self, newlines: bool, f: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.newlines;
        self.set_newlines(newlines);
        let result = f(self);
        self.set_newlines(before);
        result
    }

    fn set_newlines(&mut self, newlines: bool) {
        if self.newlines != newlines {
            self.newlines = newlines;
            self.ahead = self.look(self.next);
        }
    }

    /// Runs `f` one level deeper, with enough stack; `None`, with a message, if that is too deep.
    pub(super) fn deeper<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> Option<R> {
        if self.depth >= DEEPEST {
            let place = self.next_range();
            let detail = format!("Expressions and blocks may nest at most {DEEPEST} levels deep.");
            self.error(place, "Nesting too deep", detail);
            self.recovery = true;
            return None;
        }
        self.depth += 1;
        let result = with_stack(|| f(self));
        self.depth -= 1;
        Some(result)
    }

    /// Reports a mistake that breaks the expression at `range` off, and returns what stands for that.
    pub(super) fn broken(&mut self, range: Range, diagnostic: Diagnostic) -> Expr {
        self.report(diagnostic.clone());
        Expr::new(range, ExprKind::Broken(Box::new(diagnostic)))
    }

    /// What stands for an expression that could not be read.
    pub(super) fn invalid(&self, range: Range) -> Expr {
        Expr::new(range, ExprKind::Invalid)
    }

    /// Skips to behind the `end` that closes the current bracket, stepping over nested pairs; returns `end`, or the end
    /// of the text.
    pub(super) fn recover(&mut self, end: Kind) -> Token {
        let start = end.opposite();
        self.recovery = true;
        let mut nested = 0_usize;
        loop {
            let token = self.read();
            let opens = Some(token.kind) == start || (end == Kind::SequenceEnd && token.kind == Kind::Directive);
            if opens {
                nested += 1;
            } else if token.kind == end {
                if nested == 0 {
                    return token;
                }
                nested -= 1;
            } else if token.kind == Kind::Eof {
                return token;
            }
        }
    }

    /// Skips to behind the next pair of parentheses.
    pub(super) fn recover_over_parens(&mut self) {
        while !matches!(self.read().kind, Kind::OpenParen | Kind::Eof) {}
        self.recover(Kind::CloseParen);
    }

    /// Skips to behind the line break that ends the current item of a body.
    pub(super) fn recover_after_item(&mut self) {
        self.recovery = true;
        let mut open: Vec<Kind> = Vec::new();
        loop {
            let token = self.read();
            match token.kind {
                Kind::Newline if open.is_empty() => return,
                Kind::Eof => return,
                Kind::OpenBrace
                | Kind::OpenBracket
                | Kind::OpenParen
                | Kind::OpenQuote
                | Kind::OpenHeredoc
                | Kind::Interpolation => open.push(token.kind),
                Kind::Directive => open.push(Kind::Interpolation),
                Kind::CloseBrace
                | Kind::CloseBracket
                | Kind::CloseParen
                | Kind::CloseQuote
                | Kind::CloseHeredoc
                | Kind::SequenceEnd => {
                    let opener = token.kind.opposite();
                    while let Some(last) = open.pop() {
                        if Some(last) == opener {
                            break;
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Reports tokens that are nowhere right, with limits on repetition.
    fn report_invalid_tokens(&mut self) {
        let mut told = Told::default();
        for index in 0..self.tokens.len() {
            let token = self.token(index);
            if !token.kind.is_suspicious() {
                continue;
            }
            if self.diagnostics.len() >= MOST_MISTAKES {
                return;
            }
            if let Some((summary, detail)) = told.message(token.kind, self.bytes(token)) {
                self.error(self.range(token), summary, detail);
            }
        }
    }
}

/// Which kinds of invalid tokens were reported, and how often.
#[derive(Default)]
struct Told {
    bitwise: u32,
    backticks: u32,
    apostrophes: u32,
    semicolon: bool,
    encoding: bool,
}

impl Told {
    fn message(&mut self, kind: Kind, bytes: &[u8]) -> Option<(&'static str, &'static str)> {
        Some(match kind {
            Kind::Bitwise if self.bitwise < 4 => {
                self.bitwise += 1;
                let detail = match bytes {
                    b"&" => "There are no bitwise operators. Did you mean the boolean AND, \"&&\"?",
                    b"|" => "There are no bitwise operators. Did you mean the boolean OR, \"||\"?",
                    b"~" => "There are no bitwise operators. Did you mean the boolean NOT, \"!\"?",
                    _ => "There are no bitwise operators.",
                };
                ("Unsupported operator", detail)
            }
            Kind::Backtick => {
                // One message for the pair around a string.
                let first = self.backticks.is_multiple_of(2);
                self.backticks = (self.backticks + 1).min(3);
                if !first {
                    return None;
                }
                (
                    "Invalid character",
                    "The character \"`\" is not valid. Use a heredoc, like <<EOT, for a multi-line string.",
                )
            }
            Kind::Apostrophe => {
                let first = self.apostrophes.is_multiple_of(2);
                self.apostrophes = (self.apostrophes + 1).min(3);
                if !first {
                    return None;
                }
                ("Invalid character", "Single quotes are not valid. Enclose strings in double quotes (\").")
            }
            Kind::Semicolon if !self.semicolon => {
                self.semicolon = true;
                let detail = "The character \";\" is not valid. Arguments and blocks are separated by newlines, items of \
                              collections by commas.";
                ("Invalid character", detail)
            }
            Kind::BadUtf8 if !self.encoding => {
                self.encoding = true;
                let detail = "The text must be encoded in UTF-8. Check which encoding your editor uses.";
                ("Invalid character encoding", detail)
            }
            Kind::QuotedNewline => {
                let detail = "A quoted string must end on the line where it begins. For a string of several lines write \
                              \\n for the line breaks, or use a heredoc.";
                ("Invalid multi-line string", detail)
            }
            Kind::Invalid => {
                let detail = match bytes {
                    b"\xe2\x80\x9c" | b"\xe2\x80\x9d" => {
                        "\"Curly quotes\" are not valid; they often come from text that was copied from a document or \
                         forum. Replace them with \"straight quotes\"."
                    }
                    _ => "This character has no meaning in the language.",
                };
                ("Invalid character", detail)
            }
            _ => return None,
        })
    }
}
