//! Tokens of the native syntax.

use crate::source::{FileId, Range};

/// The kinds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Behind the last byte.
    Eof,
    /// `\n` or `\r\n`
    Newline,
    /// A comment; one that runs to the end of its line holds the line break.
    Comment,
    Ident,
    Number,
    /// The quote that opens a string.
    OpenQuote,
    /// The quote that closes a string.
    CloseQuote,
    /// `<<EOT` with its line break.
    OpenHeredoc,
    /// The line with the end marker, without its line break.
    CloseHeredoc,
    /// Text in quotes, escapes as written.
    QuotedText,
    /// Text of a heredoc (at most a line) or bare template.
    PlainText,
    /// A line break in a quoted string: always a mistake.
    QuotedNewline,
    /// `${` or `${~`
    Interpolation,
    /// `%{` or `%{~`
    Directive,
    /// `}` or `~}` at the end of a template sequence.
    SequenceEnd,
    OpenBrace,
    CloseBrace,
    OpenBracket,
    CloseBracket,
    OpenParen,
    CloseParen,
    Dot,
    Comma,
    Star,
    Slash,
    Percent,
    Plus,
    Minus,
    /// `=`
    Assign,
    /// `==`
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Bang,
    Question,
    Colon,
    DoubleColon,
    Ellipsis,
    /// `=>`
    Arrow,
    And,
    Or,
    /// `&`, `|`, `^`, `~`: not in the language, but people try them.
    Bitwise,
    Semicolon,
    Backtick,
    Apostrophe,
    /// A byte that is not UTF-8.
    BadUtf8,
    /// Anything else.
    Invalid,
}

impl Kind {
    /// The bracket that belongs to this one, if it is one.
    pub(crate) fn opposite(self) -> Option<Kind> {
        Some(match self {
            Kind::OpenBrace => Kind::CloseBrace,
            Kind::CloseBrace => Kind::OpenBrace,
            Kind::OpenBracket => Kind::CloseBracket,
            Kind::CloseBracket => Kind::OpenBracket,
            Kind::OpenParen => Kind::CloseParen,
            Kind::CloseParen => Kind::OpenParen,
            Kind::OpenQuote => Kind::CloseQuote,
            Kind::CloseQuote => Kind::OpenQuote,
            Kind::OpenHeredoc => Kind::CloseHeredoc,
            Kind::CloseHeredoc => Kind::OpenHeredoc,
            Kind::Interpolation | Kind::Directive => Kind::SequenceEnd,
            Kind::SequenceEnd => Kind::Interpolation,
            _ => return None,
        })
    }
}

impl Kind {
    /// Whether there may be something to say about such a token wherever it stands.
    pub(crate) fn is_suspicious(self) -> bool {
        matches!(
            self,
            Kind::Bitwise
                | Kind::Backtick
                | Kind::Apostrophe
                | Kind::Semicolon
                | Kind::BadUtf8
                | Kind::QuotedNewline
                | Kind::Invalid
        )
    }
}

/// A token: its kind and bytes `start..end`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) kind: Kind,
}

impl Token {
    /// Its place in a file.
    pub(crate) fn range(self, file: FileId) -> Range {
        Range { file, start: self.start, end: self.end }
    }
}
