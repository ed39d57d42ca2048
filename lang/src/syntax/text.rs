//! Literal text: escapes, normalisation and the indentation of heredocs.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc_quick};
use unicode_segmentation::UnicodeSegmentation;

use crate::source::Range;
use crate::{Diagnostic, Diagnostics, Str};

/// `text` in NFC, as every string of the language is.
pub(crate) fn normalise(text: &str) -> Str {
    let composed = text.is_ascii() || is_nfc_quick(text.chars()) == unicode_normalization::IsNormalized::Yes;
    if composed { Str::new(text) } else { text.nfc().collect::<String>().into() }
}

/// The text of the token `bytes` at `range` with escapes resolved: `$${` and `%%{`, and with `quoted` backslashes too.
/// Bytes that are not UTF-8 become replacement characters; the lexer's tokens hold none that matter.
pub(crate) fn unescape<'a>(bytes: &'a [u8], quoted: bool, range: Range, diagnostics: &mut Diagnostics) -> Cow<'a, str> {
    let text = String::from_utf8_lossy(bytes);
    let special = |b: &u8| matches!(b, b'$' | b'%') || (quoted && *b == b'\\');
    if !text.as_bytes().iter().any(special) {
        return text;
    }
    let mut result = String::with_capacity(text.len());
    let mut rest: &str = &text;
    while let Some(start) = rest.as_bytes().iter().position(special) {
        result.push_str(&rest[..start]);
        let offset = text.len() - rest.len() + start;
        rest = &rest[start..];
        let length = if rest.starts_with('\\') {
            backslash(rest, &mut result, |length, detail: String| {
                let place = |offset: usize| range.start + original_offset(bytes, offset) as u32;
                let place = Range { file: range.file, start: place(offset), end: place(offset + length) };
                diagnostics.push(Diagnostic::error("Invalid escape sequence", detail).at(place).within(range));
            })
        } else if rest.starts_with("$${") || rest.starts_with("%%{") {
            result.push_str(&rest[1..3]);
            3
        } else {
            result.push_str(&rest[..1]);
            1
        };
        rest = &rest[length..];
    }
    result.push_str(rest);
    result.into()
}

/// Where in `bytes` a byte of their lossy text comes from: what is not UTF-8 became longer.
fn original_offset(bytes: &[u8], offset: usize) -> usize {
    let (mut original, mut lossy) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid().len();
        if lossy + valid >= offset {
            return original + (offset - lossy);
        }
        original += valid + chunk.invalid().len();
        lossy += valid + char::REPLACEMENT_CHARACTER.len_utf8();
        if lossy >= offset {
            return original;
        }
    }
    original
}

/// Resolves the escape at the start of `rest` into `result` and returns its length.
fn backslash(rest: &str, result: &mut String, mut invalid: impl FnMut(usize, String)) -> usize {
    let Some(selector) = rest[1..].chars().next() else {
        invalid(1, "A backslash must be followed by the character that selects the escape sequence.".into());
        result.push('\\');
        return 1;
    };
    let digits = match selector {
        'n' => return one(result, '\n'),
        'r' => return one(result, '\r'),
        't' => return one(result, '\t'),
        '"' => return one(result, '"'),
        '\\' => return one(result, '\\'),
        'u' => 4,
        'U' => 8,
        other => {
            let length = 1 + other.len_utf8();
            invalid(length, format!("The symbol \"{other}\" does not select an escape sequence."));
            result.push(other);
            return length;
        }
    };
    let found = rest.as_bytes()[2..].iter().take(digits).take_while(|b| b.is_ascii_hexdigit()).count();
    let length = 2 + found;
    if found < digits {
        let count = if digits == 4 { "four" } else { "eight" };
        invalid(length, format!("The escape sequence \\{selector} needs {count} hexadecimal digits."));
        result.push_str(&rest[..length]);
        return length;
    }
    let code = u32::from_str_radix(&rest[2..length], 16).unwrap_or(u32::MAX);
    match char::from_u32(code) {
        Some(c) => result.push(c),
        None => {
            invalid(length, format!("The character U+{code:04x} does not exist in UTF-8."));
            result.push_str(&rest[..length]);
        }
    }
    length
}

fn one(result: &mut String, c: char) -> usize {
    result.push(c);
    2
}

/// A piece of a template, as far as indentation is concerned.
pub(crate) trait Line<'a> {
    /// The piece's literal text and where it stands; `None` for anything else.
    fn literal(&mut self) -> Option<(&mut Cow<'a, str>, &mut Range)>;
}

/// Takes the common indentation off the lines of a `<<-` heredoc. `pieces` holds one piece for each line at least.
///
/// Blank lines don't count, and keep what they have. White space counts in grapheme clusters.
pub(crate) fn strip_indentation<'a>(pieces: &mut [impl Line<'a>]) {
    let mut least = usize::MAX;
    let mut at_line_start = true;
    let mut indented = Vec::new();
    for (index, piece) in pieces.iter_mut().enumerate() {
        let literal = piece.literal();
        if at_line_start {
            let spaces = literal.as_ref().map_or(Some(0), |(text, _)| {
                let content = text.trim_start();
                let blank = content.is_empty() && text.ends_with('\n');
                (!blank).then(|| text[..text.len() - content.len()].graphemes(true).count())
            });
            if let Some(spaces) = spaces {
                least = least.min(spaces);
                indented.push(index);
            }
        }
        at_line_start = literal.is_some_and(|(text, _)| text.ends_with('\n'));
    }
    for index in indented {
        let Some((text, range)) = pieces.get_mut(index).and_then(Line::literal) else { continue };
        let bytes: usize = text.graphemes(true).take(least).map(str::len).sum();
        match text {
            Cow::Borrowed(text) => *text = text.get(bytes..).unwrap_or_default(),
            Cow::Owned(text) => drop(text.drain(..bytes)),
        }
        range.start += bytes as u32;
    }
}
