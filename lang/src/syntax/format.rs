//! The canonical layout of configurations, byte by byte that of `terraform fmt`: only white space between tokens changes,
//! except for a few spellings of earlier versions of the language.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;

use super::lexer::Start;
use super::parser::Parser;
use super::token::{Kind, Token};
use crate::ast::{Block, Body, Label, NativeBody};
use crate::source::FileId;

/// Formats a file in native syntax. A file with syntax errors comes back as it is.
pub fn format(source: &[u8]) -> Vec<u8> {
    if source.len() >= super::MOST_BYTES {
        return source.to_vec();
    }
    let mut parser = Parser::new(source, Start::Normal, None, FileId::NONE, 0);
    let body = parser.body(Kind::Eof);
    if parser.diagnostics.has_errors() {
        return source.to_vec();
    }
    let mut rewriter = Rewriter { source, tokens: parser.into_tokens(), edits: Vec::new() };
    rewriter.body(&body, 0, false);
    drop(body);
    let mut pieces = rewriter.finish();
    let lines = lines(&pieces);
    indent(&mut pieces, &lines);
    spaces(&mut pieces, &lines);
    align(&mut pieces, &lines);
    let mut result = Vec::with_capacity(source.len() + source.len() / 8);
    for piece in &pieces {
        result.resize(result.len() + piece.spaces, b' ');
        result.extend_from_slice(&piece.bytes);
    }
    // White space at the end of the file stays, as spaces, unless it belongs to a comment.
    let trailing = source.iter().rev().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let in_comment =
        |piece: &Piece<'_>| piece.kind == Kind::Comment && !piece.bytes.ends_with(b"*/") && !piece.ends_line();
    if !pieces.last().is_some_and(in_comment) {
        result.resize(result.len() + trailing, b' ');
    }
    result
}

/// A token with the spaces before it.
struct Piece<'a> {
    kind: Kind,
    bytes: Cow<'a, [u8]>,
    spaces: usize,
}

impl<'a> Piece<'a> {
    fn new(kind: Kind, bytes: impl Into<Cow<'a, [u8]>>) -> Piece<'a> {
        Piece { kind, bytes: bytes.into(), spaces: 0 }
    }

    fn word(word: &'static str) -> Piece<'a> {
        Piece::new(Kind::Ident, word.as_bytes())
    }

    /// Whether a line ends with it.
    fn ends_line(&self) -> bool {
        self.kind == Kind::Newline || (self.kind == Kind::Comment && self.bytes.ends_with(b"\n"))
    }

    fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Ident && *self.bytes == *word.as_bytes()
    }

    fn columns(&self) -> usize {
        let text = if self.bytes.is_ascii() && !self.bytes.contains(&b'\r') {
            self.bytes.len()
        } else {
            String::from_utf8_lossy(&self.bytes).graphemes(true).count()
        };
        self.spaces + text
    }

    /// How many brackets it opens; negative for closing ones.
    fn brackets(&self) -> isize {
        brackets(self.kind)
    }
}

fn brackets(kind: Kind) -> isize {
    match kind {
        Kind::OpenBrace | Kind::OpenBracket | Kind::OpenParen | Kind::Directive | Kind::Interpolation => 1,
        Kind::CloseBrace | Kind::CloseBracket | Kind::CloseParen | Kind::SequenceEnd => -1,
        _ => 0,
    }
}

/// What is put in the place of some tokens.
struct Edit<'a> {
    /// The first token that goes.
    start: usize,
    /// One past the last.
    end: usize,
    with: Vec<Piece<'a>>,
}

/// Replaces outdated spellings.
struct Rewriter<'a> {
    source: &'a [u8],
    tokens: Vec<Token>,
    edits: Vec<Edit<'a>>,
}

impl<'a> Rewriter<'a> {
    fn bytes(&self, token: Token) -> &'a [u8] {
        self.source.get(token.start as usize..token.end as usize).unwrap_or_default()
    }

    fn piece(&self, token: Token) -> Piece<'a> {
        Piece::new(token.kind, self.bytes(token))
    }

    /// A body inside `depth` blocks; `variable` says whether the innermost one is a variable at the top.
    fn body(&mut self, body: &NativeBody, depth: usize, variable: bool) {
        for attribute in &body.attributes {
            let (start, end) = self.token_range(attribute.expr.range.start, attribute.expr.range.end);
            let with = if variable && attribute.name == "type" {
                self.type_of(start, end)
            } else {
                self.unwrapped(start, end)
            };
            if let Some(with) = with {
                self.edits.push(Edit { start, end, with });
            }
        }
        for block in &body.blocks {
            self.labels(block);
            if let Body::Native(inner) = &block.body {
                let variable = depth == 0 && block.kind == "variable";
                super::with_stack(|| self.body(inner, depth + 1, variable));
            }
        }
    }

    /// Indexes of the tokens between two places.
    fn token_range(&self, start: u32, end: u32) -> (usize, usize) {
        let first = self.tokens.partition_point(|token| token.start < start);
        (first, self.tokens.partition_point(|token| token.start < end).max(first))
    }

    /// Labels are quoted, without comments between them.
    fn labels(&mut self, block: &Block) {
        let Some(last) = block.labels.last() else { return };
        let (start, end) = self.token_range(block.kind_range.end, last.range.end);
        if self.are_in_order(block, start, end) {
            return;
        }
        let mut with = Vec::new();
        for label in &block.labels {
            with.push(Piece::new(Kind::OpenQuote, &b"\""[..]));
            if !label.text.is_empty() {
                with.push(Piece::new(Kind::QuotedText, escape(&label.text).into_owned().into_bytes()));
            }
            with.push(Piece::new(Kind::CloseQuote, &b"\""[..]));
        }
        self.edits.push(Edit { start, end, with });
    }

    /// Whether the labels stand there as they should.
    fn are_in_order(&self, block: &Block, start: usize, end: usize) -> bool {
        let tokens = self.tokens.get(start..end).unwrap_or_default();
        let (labels, rest) = tokens.as_chunks::<3>();
        let in_order = |label: &Label, tokens: &[Token; 3]| {
            let [open, text, close] = tokens.map(|token| token.kind);
            let plain = (open, text, close) == (Kind::OpenQuote, Kind::QuotedText, Kind::CloseQuote);
            plain && self.bytes(tokens[1]) == escape(&label.text).as_bytes()
        };
        rest.is_empty()
            && labels.len() == block.labels.len()
            && block.labels.iter().zip(labels).all(|(label, tokens)| in_order(label, tokens))
    }

    /// `list` becomes `list(any)`, `"string"` becomes `string`.
    fn type_of(&self, start: usize, end: usize) -> Option<Vec<Piece<'a>>> {
        let tokens: Vec<Piece<'a>> = self.tokens.get(start..end)?.iter().map(|token| self.piece(*token)).collect();
        let of = |collection: &'static str, element: &'static str| {
            let open = Piece::new(Kind::OpenParen, &b"("[..]);
            Some(vec![Piece::word(collection), open, Piece::word(element), Piece::new(Kind::CloseParen, &b")"[..])])
        };
        match tokens.as_slice() {
            [word] if word.is_word("list") => of("list", "any"),
            [word] if word.is_word("map") => of("map", "any"),
            [word] if word.is_word("set") => of("set", "any"),
            [open, text, _] if open.kind == Kind::OpenQuote && text.kind == Kind::QuotedText => match &*text.bytes {
                b"string" => Some(vec![Piece::word("string")]),
                b"list" => of("list", "string"),
                b"map" => of("map", "string"),
                _ => None,
            },
            _ => None,
        }
    }

    /// What is inside `"${…}"`, if there is nothing else.
    fn unwrapped(&self, start: usize, end: usize) -> Option<Vec<Piece<'a>>> {
        let [open, interpolation, inside @ .., close, quote] = self.tokens.get(start..end)? else { return None };
        let kinds = [open.kind, interpolation.kind, close.kind, quote.kind];
        if inside.is_empty() || kinds != [Kind::OpenQuote, Kind::Interpolation, Kind::SequenceEnd, Kind::CloseQuote] {
            return None;
        }
        let mut quotes = 0_isize;
        for token in inside {
            match token.kind {
                Kind::OpenQuote => quotes += 1,
                Kind::CloseQuote => quotes -= 1,
                Kind::Interpolation | Kind::SequenceEnd | Kind::QuotedText if quotes <= 0 => return None,
                _ => {}
            }
        }
        let first = inside.iter().position(|token| token.kind != Kind::Newline).unwrap_or(inside.len());
        let last = inside.iter().rposition(|token| token.kind != Kind::Newline).map_or(first, |last| last + 1);
        let inside = inside.get(first..last)?;
        let mut pieces: Vec<Piece<'a>> = inside.iter().map(|token| self.piece(*token)).collect();
        let several_lines = inside.iter().any(|token| token.kind == Kind::Newline);
        let in_parens = inside.first().map(|token| token.kind) == Some(Kind::OpenParen)
            && inside.last().map(|token| token.kind) == Some(Kind::CloseParen);
        if several_lines && !in_parens {
            pieces.insert(0, Piece::new(Kind::OpenParen, &b"("[..]));
            pieces.push(Piece::new(Kind::CloseParen, &b")"[..]));
        }
        Some(pieces)
    }

    /// All tokens with the replacements in place, without the end of the file.
    fn finish(mut self) -> Vec<Piece<'a>> {
        let mut edits = std::mem::take(&mut self.edits);
        edits.sort_by_key(|edit| edit.start);
        let mut pieces = Vec::with_capacity(self.tokens.len());
        let mut next = 0;
        for edit in edits {
            pieces.extend(self.tokens.get(next..edit.start).unwrap_or_default().iter().map(|token| self.piece(*token)));
            pieces.extend(edit.with);
            next = edit.end;
        }
        let rest = self.tokens.get(next..).unwrap_or_default().iter().filter(|token| token.kind != Kind::Eof);
        pieces.extend(rest.map(|token| self.piece(*token)));
        pieces
    }
}

/// `text` as it is written between quotes.
fn escape(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'\n' | b'\r' | b'\t' | b'"' | b'\\' | b'$' | b'%')) {
        return text.into();
    }
    let mut result = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\n' => result.push_str("\\n"),
            '\r' => result.push_str("\\r"),
            '\t' => result.push_str("\\t"),
            '"' => result.push_str("\\\""),
            '\\' => result.push_str("\\\\"),
            '$' | '%' => {
                result.push(c);
                if characters.peek() == Some(&'{') {
                    result.push(c);
                }
            }
            c => result.push(c),
        }
    }
    result.into()
}

/// A line: indexes of its pieces, cut into what leads, an assignment from its equals sign on, and a comment.
struct Line {
    start: usize,
    assign: usize,
    comment: usize,
    end: usize,
}

fn lines(pieces: &[Piece<'_>]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut start = 0;
    for (index, piece) in pieces.iter().enumerate() {
        if piece.ends_line() {
            lines.push(line(pieces, start, index + 1));
            start = index + 1;
        }
    }
    lines.push(line(pieces, start, pieces.len()));
    lines
}

fn line(pieces: &[Piece<'_>], start: usize, end: usize) -> Line {
    let all = pieces.get(start..end).unwrap_or_default();
    let has_comment = all.len() > 1 && all.last().is_some_and(|piece| piece.kind == Kind::Comment);
    let comment = if has_comment { end - 1 } else { end };
    let lead = pieces.get(start..comment).unwrap_or_default();
    let assign = lead.iter().skip(1).position(|piece| piece.kind == Kind::Assign).map(|index| start + index + 1);
    // What goes on in the next line is no cell to be aligned.
    let whole = |assign: &usize| {
        pieces.get(*assign..comment).unwrap_or_default().iter().map(Piece::brackets).sum::<isize>() == 0
    };
    Line { start, assign: assign.filter(whole).unwrap_or(comment), comment, end }
}

fn indent(pieces: &mut [Piece<'_>], lines: &[Line]) {
    // How many brackets each line that is still open has opened.
    let mut open: Vec<isize> = Vec::new();
    for line in lines {
        let lead = pieces.get(line.start..line.assign).unwrap_or_default();
        let Some(first) = lead.first() else { continue };
        if first.kind == Kind::Newline {
            if let Some(first) = pieces.get_mut(line.start) {
                first.spaces = 0;
            }
            continue;
        }
        let heredoc = lead.iter().position(|piece| piece.kind == Kind::OpenHeredoc).unwrap_or(lead.len());
        let assign = pieces.get(line.assign..line.comment).unwrap_or_default();
        let mut net: isize = lead.iter().take(heredoc).chain(assign).map(Piece::brackets).sum();
        while net < 0
            && let Some(last) = open.last_mut()
        {
            if -net < *last {
                *last += net;
                break;
            }
            net += *last;
            open.pop();
        }
        if let Some(first) = pieces.get_mut(line.start) {
            first.spaces = 2 * open.len();
        }
        if net > 0 {
            open.push(net);
        }
    }
}

fn spaces(pieces: &mut [Piece<'_>], lines: &[Line]) {
    for line in lines {
        for cell in [line.start..line.assign, line.assign..line.comment] {
            let Some(cell) = pieces.get_mut(cell) else { continue };
            let mut before = None;
            for index in 1..cell.len() {
                let Some([subject, after]) = cell.get_mut(index - 1..=index) else { break };
                after.spaces = usize::from(space_between(before, subject, after));
                before = Some(subject.kind);
            }
        }
    }
}

/// Whether a space goes between `subject` and `after`; `before` stands before `subject` in the same cell.
fn space_between(before: Option<Kind>, subject: &Piece<'_>, after: &Piece<'_>) -> bool {
    use Kind::*;
    match (subject.kind, after.kind) {
        (_, Newline)
        | (Ident, OpenParen | DoubleColon)
        | (DoubleColon, Ident)
        | (Dot, _)
        | (_, Dot | Comma | Ellipsis) => false,
        (Comma, _) => true,
        (QuotedText | PlainText | OpenQuote | OpenHeredoc, _)
        | (_, QuotedText | PlainText | CloseQuote | CloseHeredoc) => false,
        // `[for x in [a]: x]`, where `in` is no collection.
        (Ident, _) if subject.is_word("in") && before == Some(Ident) => true,
        (kind, OpenBracket) if matches!(kind, Ident | Number) || brackets(kind) < 0 => false,
        (Bang, _) => false,
        (Minus, _) => !matches!(
            before,
            // A minus behind these, or at the start, is a sign.
            None | Some(
                OpenParen
                    | OpenBrace
                    | OpenBracket
                    | Assign
                    | Colon
                    | Comma
                    | Question
                    | Plus
                    | Star
                    | Slash
                    | Percent
                    | Minus
                    | Equal
                    | NotEqual
                    | Greater
                    | GreaterOrEqual
                    | Less
                    | LessOrEqual
                    | And
                    | Or
                    | Bang
            )
        ),
        (OpenBrace, CloseBrace) => false,
        (OpenBrace, _) | (_, CloseBrace) => true,
        (Interpolation | Directive, OpenBrace) | (CloseBrace, SequenceEnd) => true,
        (SequenceEnd, Interpolation | Directive) => false,
        (subject, after) => brackets(subject) <= 0 && brackets(after) >= 0,
    }
}

/// Aligns equals signs and comments of lines that follow each other.
fn align(pieces: &mut [Piece<'_>], lines: &[Line]) {
    for line in lines.iter() {
        if line.assign < line.comment
            && let Some(equals) = pieces.get_mut(line.assign)
        {
            equals.spaces = 1;
        }
    }
    for assignments in [true, false] {
        let cell = |line: &Line| if assignments { (line.assign, line.comment) } else { (line.comment, line.end) };
        for chain in lines.chunk_by(|a, b| (cell(a).0 < cell(a).1) == (cell(b).0 < cell(b).1)) {
            if chain.first().is_none_or(|line| cell(line).0 >= cell(line).1) {
                continue;
            }
            let columns = |line: &Line| {
                pieces.get(line.start..cell(line).0).unwrap_or_default().iter().map(Piece::columns).sum::<usize>()
            };
            let columns: Vec<usize> = chain.iter().map(columns).collect();
            let most = columns.iter().copied().max().unwrap_or(0);
            for (line, columns) in chain.iter().zip(columns) {
                if let Some(first) = pieces.get_mut(cell(line).0) {
                    first.spaces = most - columns + 1;
                }
            }
        }
    }
}
