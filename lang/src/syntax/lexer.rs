//! The lexer of the native syntax: bytes to tokens. It never fails; what is wrong becomes a token of its own kind.

use super::token::{Kind, Token};

/// What the text as a whole is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// Configuration or an expression.
    Normal,
    /// A template.
    Template,
}

/// The tokens of `source`, the last one [`Kind::Eof`], and whether any is suspicious. A byte order mark is skipped.
pub(crate) fn tokens(source: &[u8], start: Start) -> (Vec<Token>, bool) {
    let mode = if start == Start::Template { Mode::Bare } else { Mode::Main };
    let mut lexer = Lexer {
        source,
        position: if source.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 },
        // About one token for five bytes in usual configurations; too small a guess costs one copy.
        tokens: Vec::with_capacity(source.len() / 5 + 8),
        modes: vec![mode],
        braces: 0,
        sequences: Vec::new(),
        heredocs: Vec::new(),
        unclosed_comment: false,
        suspicious: false,
    };
    lexer.run();
    (lexer.tokens, lexer.suspicious)
}

/// What an ASCII byte may be part of, a bit each. Most bytes of a file are skipped in runs of one class.
mod class {
    /// The first byte of an identifier.
    pub(super) const START: u8 = 1;
    /// Any other byte of an identifier.
    pub(super) const CONTINUE: u8 = 2;
    /// Text in quotes that stands for itself.
    pub(super) const QUOTED: u8 = 4;
    /// Text of a heredoc or bare template that stands for itself, within a line.
    pub(super) const PLAIN: u8 = 8;
    /// White space that is no line break.
    pub(super) const BLANK: u8 = 16;

    const TABLE: [u8; 256] = table();

    const fn table() -> [u8; 256] {
        let mut table = [0; 256];
        let mut index = 0;
        while index < 0x80 {
            let byte = index as u8;
            if byte.is_ascii_alphabetic() || byte == b'_' {
                table[index] |= START | CONTINUE;
            }
            if byte.is_ascii_digit() || byte == b'-' {
                table[index] |= CONTINUE;
            }
            if !matches!(byte, b'\n' | b'\r' | b'$' | b'%') {
                table[index] |= PLAIN;
                if !matches!(byte, b'"' | b'\\') {
                    table[index] |= QUOTED;
                }
            }
            if matches!(byte, b' ' | b'\t') {
                table[index] |= BLANK;
            }
            index += 1;
        }
        table
    }

    /// How many bytes at the start of `bytes` belong to `class`.
    pub(super) fn run(bytes: &[u8], class: u8) -> usize {
        bytes.iter().position(|byte| TABLE[usize::from(*byte)] & class == 0).unwrap_or(bytes.len())
    }
}

/// Length of the identifier at the start of `bytes`; 0 if there is none.
pub(crate) fn identifier_length(bytes: &[u8]) -> usize {
    let mut length = class::run(bytes.get(..1).unwrap_or_default(), class::START);
    loop {
        if length > 0 {
            length += class::run(bytes.get(length..).unwrap_or_default(), class::CONTINUE);
        }
        // Beyond ASCII, Unicode says what fits.
        let rest = bytes.get(length..).unwrap_or_default();
        let Some(c) = rest.first().filter(|byte| **byte >= 0x80).and_then(|_| character(rest)) else { return length };
        let fits = if length == 0 { unicode_ident::is_xid_start(c) } else { unicode_ident::is_xid_continue(c) };
        if !fits {
            return length;
        }
        length += c.len_utf8();
    }
}

/// The first character of `bytes`, if they begin with valid UTF-8.
fn character(bytes: &[u8]) -> Option<char> {
    let head = bytes.get(..character_length(bytes)?)?;
    std::str::from_utf8(head).ok()?.chars().next()
}

/// Length of the UTF-8 sequence at the start of `bytes`. As lenient as HCL: it looks at the lengths only.
fn character_length(bytes: &[u8]) -> Option<usize> {
    let length = match bytes.first()? {
        0x00..=0x7f => return Some(1),
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => return None,
    };
    let rest = bytes.get(1..length)?;
    rest.iter().all(|b| (0x80..=0xbf).contains(b)).then_some(length)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Main,
    Quoted,
    Heredoc,
    Bare,
}

#[derive(Debug)]
struct Heredoc {
    /// The end marker's place in the source.
    marker: (usize, usize),
    /// Whether only whole lines were read so far, so that the next one may be the end marker.
    at_line_start: bool,
}

struct Lexer<'a> {
    source: &'a [u8],
    position: usize,
    tokens: Vec<Token>,
    modes: Vec<Mode>,
    /// How many braces are open; negative after surplus closing ones.
    braces: i64,
    /// Values of `braces` inside each open template sequence.
    sequences: Vec<i64>,
    heredocs: Vec<Heredoc>,
    /// Whether no `*/` follows any more: looked for once only.
    unclosed_comment: bool,
    suspicious: bool,
}

impl Lexer<'_> {
    fn run(&mut self) {
        while self.position < self.source.len() {
            match self.modes.last() {
                Some(Mode::Quoted) => self.quoted(),
                Some(Mode::Heredoc) => self.heredoc(),
                Some(Mode::Bare) => self.bare(),
                Some(Mode::Main) | None => self.main(),
            }
        }
        self.push(Kind::Eof, 0);
    }

    fn byte(&self, offset: usize) -> Option<u8> {
        self.source.get(self.position + offset).copied()
    }

    fn rest(&self) -> &[u8] {
        self.source.get(self.position..).unwrap_or_default()
    }

    /// Emits a token of the next `length` bytes.
    fn push(&mut self, kind: Kind, length: usize) {
        let start = self.position;
        self.position += length;
        self.suspicious |= kind.is_suspicious();
        self.tokens.push(Token { start: start as u32, end: self.position as u32, kind });
    }

    fn main(&mut self) {
        let Some(byte) = self.byte(0) else { return };
        match byte {
            b' ' | b'\t' => self.position += class::run(self.rest(), class::BLANK),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                let length = identifier_length(self.rest());
                self.push(Kind::Ident, length);
            }
            b'0'..=b'9' => {
                let length = number_length(self.rest());
                self.push(Kind::Number, length);
            }
            b'\n' => self.push(Kind::Newline, 1),
            b'\r' if self.byte(1) == Some(b'\n') => self.push(Kind::Newline, 2),
            b'#' => self.line_comment(),
            b'"' => {
                self.push(Kind::OpenQuote, 1);
                self.modes.push(Mode::Quoted);
            }
            b'{' => {
                self.push(Kind::OpenBrace, 1);
                self.braces += 1;
            }
            b'}' => self.close_brace(1),
            0x80.. => self.beyond_ascii(),
            _ => self.symbol(byte),
        }
    }

    fn symbol(&mut self, byte: u8) {
        let next = self.byte(1);
        let (kind, length) = match (byte, next) {
            (b'/', Some(b'/')) => return self.line_comment(),
            (b'/', Some(b'*')) if !self.unclosed_comment => match find(self.source, self.position + 2, b"*/") {
                Some(end) => (Kind::Comment, end + 2 - self.position),
                None => {
                    self.unclosed_comment = true;
                    (Kind::Slash, 1)
                }
            },
            (b'<', Some(b'<')) => {
                if self.open_heredoc() {
                    return;
                }
                (Kind::Less, 1)
            }
            (b'~', Some(b'}')) => return self.close_brace(2),
            (b'=', Some(b'=')) => (Kind::Equal, 2),
            (b'=', Some(b'>')) => (Kind::Arrow, 2),
            (b'!', Some(b'=')) => (Kind::NotEqual, 2),
            (b'<', Some(b'=')) => (Kind::LessOrEqual, 2),
            (b'>', Some(b'=')) => (Kind::GreaterOrEqual, 2),
            (b'&', Some(b'&')) => (Kind::And, 2),
            (b'|', Some(b'|')) => (Kind::Or, 2),
            (b':', Some(b':')) => (Kind::DoubleColon, 2),
            (b'.', Some(b'.')) if self.byte(2) == Some(b'.') => (Kind::Ellipsis, 3),
            (b'[', _) => (Kind::OpenBracket, 1),
            (b']', _) => (Kind::CloseBracket, 1),
            (b'(', _) => (Kind::OpenParen, 1),
            (b')', _) => (Kind::CloseParen, 1),
            (b'.', _) => (Kind::Dot, 1),
            (b',', _) => (Kind::Comma, 1),
            (b'*', _) => (Kind::Star, 1),
            (b'/', _) => (Kind::Slash, 1),
            (b'%', _) => (Kind::Percent, 1),
            (b'+', _) => (Kind::Plus, 1),
            (b'-', _) => (Kind::Minus, 1),
            (b'=', _) => (Kind::Assign, 1),
            (b'<', _) => (Kind::Less, 1),
            (b'>', _) => (Kind::Greater, 1),
            (b'!', _) => (Kind::Bang, 1),
            (b'?', _) => (Kind::Question, 1),
            (b':', _) => (Kind::Colon, 1),
            (b'&' | b'|' | b'^' | b'~', _) => (Kind::Bitwise, 1),
            (b';', _) => (Kind::Semicolon, 1),
            (b'`', _) => (Kind::Backtick, 1),
            (b'\'', _) => (Kind::Apostrophe, 1),
            _ => (Kind::Invalid, 1),
        };
        self.push(kind, length);
    }

    fn beyond_ascii(&mut self) {
        let length = identifier_length(self.rest());
        if length > 0 {
            self.push(Kind::Ident, length);
        } else if let Some(length) = character_length(self.rest()) {
            self.push(Kind::Invalid, length);
        } else {
            self.push(Kind::BadUtf8, 1);
        }
    }

    fn line_comment(&mut self) {
        let rest = self.rest();
        let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |i| i + 1);
        self.push(Kind::Comment, length);
    }

    fn close_brace(&mut self, length: usize) {
        if self.sequences.last() == Some(&self.braces) {
            self.push(Kind::SequenceEnd, length);
            self.sequences.pop();
            self.modes.pop();
        } else if length == 2 {
            // `~}` that closes an ordinary brace: the parser will complain.
            self.push(Kind::SequenceEnd, length);
        } else {
            self.push(Kind::CloseBrace, length);
        }
        self.braces -= 1;
    }

    /// Reads `<<EOT` or `<<-EOT` with its line break, if that is what comes.
    fn open_heredoc(&mut self) -> bool {
        let mut start = self.position + 2;
        if self.source.get(start) == Some(&b'-') {
            start += 1;
        }
        let length = identifier_length(self.source.get(start..).unwrap_or_default());
        let end = start + length;
        let line_break = line_break_length(self.source.get(end..).unwrap_or_default());
        if length == 0 || line_break == 0 {
            return false;
        }
        self.push(Kind::OpenHeredoc, end + line_break - self.position);
        self.heredocs.push(Heredoc { marker: (start, end), at_line_start: true });
        self.modes.push(Mode::Heredoc);
        true
    }

    /// Reads `${` or `%{`, if that is what comes.
    fn open_sequence(&mut self) -> bool {
        let kind = match (self.byte(0), self.byte(1)) {
            (Some(b'$'), Some(b'{')) => Kind::Interpolation,
            (Some(b'%'), Some(b'{')) => Kind::Directive,
            _ => return false,
        };
        self.push(kind, if self.byte(2) == Some(b'~') { 3 } else { 2 });
        self.braces += 1;
        self.sequences.push(self.braces);
        if let Some(heredoc) = self.heredocs.last_mut() {
            heredoc.at_line_start = false;
        }
        self.modes.push(Mode::Main);
        true
    }

    /// Length of the literal text at `offset` that is one `$` or `%`: an escape (`$${`) or a lone character. `None` where
    /// a sequence begins, and at the end of the text, where only a bare template may have one.
    fn marker_length(&self, offset: usize) -> Option<usize> {
        let marker = self.byte(offset);
        match (self.byte(offset + 1), self.byte(offset + 2)) {
            (Some(b'{'), _) => None,
            (None, _) => (self.modes.last() == Some(&Mode::Bare)).then_some(1),
            (next, Some(b'{')) if next == marker => Some(3),
            _ => Some(1),
        }
    }

    fn quoted(&mut self) {
        if self.open_sequence() {
            return;
        }
        let mut length = 0;
        loop {
            length += class::run(self.rest().get(length..).unwrap_or_default(), class::QUOTED);
            let Some(byte) = self.byte(length) else { break };
            match byte {
                b'"' | b'\n' | b'\r' => break,
                b'$' | b'%' => match self.marker_length(length) {
                    Some(marker) => length += marker,
                    None => break,
                },
                b'\\' => match character_length(self.rest().get(length + 1..).unwrap_or_default()) {
                    Some(_) if matches!(self.byte(length + 1), Some(b'\n' | b'\r')) => break,
                    Some(escaped) => length += 1 + escaped,
                    None => break,
                },
                // The runs end at no other ASCII byte.
                0x00..0x80 => length += 1,
                _ => match character_length(self.rest().get(length..).unwrap_or_default()) {
                    Some(character) => length += character,
                    None => break,
                },
            }
        }
        if length > 0 {
            return self.push(Kind::QuotedText, length);
        }
        match self.byte(0) {
            Some(b'"') => {
                self.push(Kind::CloseQuote, 1);
                self.modes.pop();
            }
            Some(b'\n' | b'\r') => {
                let rest = self.rest();
                let length = rest.iter().position(|b| !matches!(b, b'\n' | b'\r')).unwrap_or(rest.len());
                self.push(Kind::QuotedNewline, length);
            }
            Some(b'\\' | b'$' | b'%') => self.push(Kind::Invalid, 1),
            _ => self.push(Kind::BadUtf8, 1),
        }
    }

    /// Length of the text up to a sequence, a line break or a broken byte.
    fn text_length(&self) -> usize {
        let mut length = 0;
        loop {
            length += class::run(self.rest().get(length..).unwrap_or_default(), class::PLAIN);
            let Some(byte) = self.byte(length) else { break };
            match byte {
                b'\n' | b'\r' => break,
                b'$' | b'%' => match self.marker_length(length) {
                    Some(marker) => length += marker,
                    None => break,
                },
                0x00..0x80 => length += 1,
                _ => match character_length(self.rest().get(length..).unwrap_or_default()) {
                    Some(character) => length += character,
                    None => break,
                },
            }
        }
        length
    }

    fn heredoc(&mut self) {
        if self.open_sequence() {
            return;
        }
        let length = self.text_length();
        let line_break = line_break_length(self.rest().get(length..).unwrap_or_default());
        if line_break == 0 {
            if let Some(heredoc) = self.heredocs.last_mut() {
                heredoc.at_line_start = false;
            }
            return self.text_or_broken(length);
        }
        let Some(heredoc) = self.heredocs.last_mut() else { return self.push(Kind::PlainText, length + line_break) };
        let line = self.source.get(self.position..self.position + length).unwrap_or_default();
        let marker = self.source.get(heredoc.marker.0..heredoc.marker.1).unwrap_or_default();
        if heredoc.at_line_start && trim(line) == marker {
            self.heredocs.pop();
            self.modes.pop();
            self.push(Kind::CloseHeredoc, length);
            self.push(Kind::Newline, line_break);
        } else {
            heredoc.at_line_start = true;
            self.push(Kind::PlainText, length + line_break);
        }
    }

    fn bare(&mut self) {
        if self.open_sequence() {
            return;
        }
        let length = self.text_length();
        let line_break = line_break_length(self.rest().get(length..).unwrap_or_default());
        if length == 0 && line_break == 0 && self.byte(0) == Some(b'\r') {
            // HCL's scanner gives up at a carriage return that is not part of a line break: the rest is literal.
            return self.push(Kind::PlainText, self.source.len() - self.position);
        }
        if line_break == 0 {
            return self.text_or_broken(length);
        }
        self.push(Kind::PlainText, length + line_break);
    }

    /// Emits text of `length` bytes; without text what keeps it from going on.
    fn text_or_broken(&mut self, length: usize) {
        if length > 0 {
            self.push(Kind::PlainText, length);
        } else if matches!(self.byte(0), Some(b'$' | b'%')) {
            self.push(Kind::Invalid, 1);
        } else if self.byte(0) == Some(b'\r') {
            // HCL's scanner gives up at a carriage return that is not part of a line break.
            self.push(Kind::Invalid, self.source.len() - self.position);
        } else {
            self.push(Kind::BadUtf8, 1);
        }
    }
}

/// Length of the number at the start of `bytes`, which begin with a digit: digits, points and exponents in any order,
/// but not a point at the end. Whether it makes sense is for the parser to find out.
fn number_length(bytes: &[u8]) -> usize {
    let (mut length, mut end) = (0, 1);
    while let Some(byte) = bytes.get(length) {
        match byte {
            b'0'..=b'9' => length += 1,
            b'.' => {
                length += 1;
                continue;
            }
            b'e' | b'E' => match (bytes.get(length + 1), bytes.get(length + 2)) {
                (Some(b'0'..=b'9'), _) => length += 2,
                (Some(b'+' | b'-'), Some(b'0'..=b'9')) => length += 3,
                _ => break,
            },
            _ => break,
        }
        end = length;
    }
    end
}

fn line_break_length(bytes: &[u8]) -> usize {
    match bytes {
        [b'\n', ..] => 1,
        [b'\r', b'\n', ..] => 2,
        _ => 0,
    }
}

fn find(bytes: &[u8], from: usize, what: &[u8; 2]) -> Option<usize> {
    let rest = bytes.get(from..)?;
    memchr::memmem::find(rest, what).map(|i| from + i)
}

/// `line` without white space around it.
fn trim(line: &[u8]) -> &[u8] {
    match std::str::from_utf8(line) {
        Ok(text) => text.trim().as_bytes(),
        Err(_) => line.trim_ascii(),
    }
}
