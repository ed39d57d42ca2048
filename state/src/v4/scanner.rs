//! Walks through JSON that comes from a file or a connection, and holds no more of it than one value at a time.

use std::io::Read;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::ReadError;

/// How much is asked of the source at once; little in tests, so that whatever can be cut in two is.
const CHUNK: usize = if cfg!(test) { 7 } else { 64 << 10 };

/// Reads a source value by value. The caller enters the objects and arrays that it wants to see inside of; everything else comes
/// out whole, as a [`Piece`].
pub(super) struct Scanner<R> {
    source: R,
    /// What was read and is not passed yet, behind `at` bytes that are.
    buffer: Vec<u8>,
    at: usize,
    /// Where the buffer begins in the text.
    offset: usize,
    /// The line of the next byte, from 1, and where it begins in the text.
    line: usize,
    line_start: usize,
    ended: bool,
}

/// The text of one value, and where it stands.
pub(super) struct Piece<'s> {
    /// The value, if it is valid at all.
    pub text: &'s str,
    line: usize,
    column: usize,
}

impl<'s> Piece<'s> {
    /// Decodes it.
    pub(super) fn decode<T: Deserialize<'s>>(&self) -> Result<T, ReadError> {
        serde_json::from_str(self.text).map_err(|error| match error.into() {
            ReadError::Syntax { line, column, message } => ReadError::Syntax {
                line: self.line + line.saturating_sub(1),
                column: if line > 1 { column } else { self.column + column.saturating_sub(1) },
                message,
            },
            other => other,
        })
    }
}

impl<R: Read> Scanner<R> {
    pub(super) fn new(source: R) -> Scanner<R> {
        Scanner { source, buffer: Vec::new(), at: 0, offset: 0, line: 1, line_start: 0, ended: false }
    }

    /// Reads more; `false` at the end of the text.
    fn fill(&mut self) -> Result<bool, ReadError> {
        if self.ended {
            return Ok(false);
        }
        self.buffer.drain(..self.at);
        self.offset += self.at;
        self.at = 0;
        let known = self.buffer.len();
        // A value of any length is copied a few times at most.
        let wanted = CHUNK.max(known) as u64;
        let read = self.source.by_ref().take(wanted).read_to_end(&mut self.buffer).map_err(ReadError::Source)?;
        self.ended = read == 0;
        Ok(!self.ended)
    }

    /// Whether there is no text at all.
    pub(super) fn is_empty(&mut self) -> Result<bool, ReadError> {
        Ok(self.at == self.buffer.len() && !self.fill()?)
    }

    /// The first bytes of what is not passed yet, that many if there are.
    pub(super) fn prefix(&mut self, length: usize) -> Result<&[u8], ReadError> {
        self.byte(length)?;
        let bytes = self.buffer.get(self.at..).unwrap_or_default();
        Ok(bytes.get(..length).unwrap_or(bytes))
    }

    /// All that is not passed yet.
    pub(super) fn rest(mut self) -> Result<Vec<u8>, ReadError> {
        self.buffer.drain(..self.at);
        self.source.read_to_end(&mut self.buffer).map_err(ReadError::Source)?;
        Ok(self.buffer)
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        loop {
            while let Some(&byte) = self.buffer.get(self.at) {
                match byte {
                    b'\n' => {
                        self.line += 1;
                        self.line_start = self.offset + self.at + 1;
                    }
                    b' ' | b'\t' | b'\r' => {}
                    byte => return Ok(Some(byte)),
                }
                self.at += 1;
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    fn column(&self) -> usize {
        (self.offset + self.at + 1).saturating_sub(self.line_start)
    }

    /// An error at the next byte.
    fn error(&self, message: &str) -> ReadError {
        ReadError::Syntax { line: self.line, column: self.column(), message: message.to_owned() }
    }

    /// The error that something else stands here than `message` says.
    fn unexpected(&mut self, found: Option<u8>, message: &str) -> ReadError {
        match found {
            None => self.error(&format!("EOF while parsing, {message}")),
            Some(byte) if !byte.is_ascii() => match self.text_at(self.at, (self.at + 4).min(self.buffer.len())) {
                Err(error @ ReadError::Encoding { offset }) if offset == self.offset + self.at => error,
                _ => self.error(message),
            },
            Some(_) => self.error(message),
        }
    }

    fn text_at(&self, from: usize, to: usize) -> Result<&str, ReadError> {
        std::str::from_utf8(self.buffer.get(from..to).unwrap_or_default())
            .map_err(|error| ReadError::Encoding { offset: self.offset + from + error.valid_up_to() })
    }

    /// Enters an object or array, which the bracket begins; `false`: it is `null`.
    pub(super) fn enter(&mut self, bracket: u8) -> Result<bool, ReadError> {
        match self.peek()? {
            Some(byte) if byte == bracket => {
                self.at += 1;
                Ok(true)
            }
            found => {
                let kind = if bracket == b'{' { "an object" } else { "an array" };
                let at = (self.line, self.column());
                if found.is_none() {
                    return Err(self.unexpected(None, &format!("expected {kind}")));
                }
                let value = self.value()?;
                if value.text == "null" {
                    return Ok(false);
                }
                value.decode::<IgnoredAny>()?;
                Err(ReadError::Syntax { line: at.0, column: at.1, message: format!("invalid type: expected {kind}") })
            }
        }
    }

    /// The name of the next member of the object that was entered; `None` behind the last one, which leaves it.
    pub(super) fn member(&mut self, first: &mut bool) -> Result<Option<String>, ReadError> {
        if !self.next(b'}', first)? {
            return Ok(None);
        }
        match self.peek()? {
            Some(b'"') => {}
            found => return Err(self.unexpected(found, "key must be a string")),
        }
        let name = self.value()?.decode::<String>()?;
        match self.peek()? {
            Some(b':') => self.at += 1,
            found => return Err(self.unexpected(found, "expected `:`")),
        }
        Ok(Some(name))
    }

    /// Whether the array that was entered has another element; behind the last one, it is left.
    pub(super) fn element(&mut self, first: &mut bool) -> Result<bool, ReadError> {
        self.next(b']', first)
    }

    fn next(&mut self, end: u8, first: &mut bool) -> Result<bool, ReadError> {
        let is_first = std::mem::replace(first, false);
        match self.peek()? {
            Some(byte) if byte == end => {
                self.at += 1;
                Ok(false)
            }
            Some(b',') if !is_first => {
                self.at += 1;
                match self.peek()? {
                    Some(byte) if byte == end => Err(self.error("trailing comma")),
                    _ => Ok(true),
                }
            }
            Some(_) if is_first => Ok(true),
            found => Err(self.unexpected(found, &format!("expected `,` or `{}`", char::from(end)))),
        }
    }

    /// The next value, whole. That its brackets are in order is all that is known of it.
    pub(super) fn value(&mut self) -> Result<Piece<'_>, ReadError> {
        let found = self.peek()?;
        let (line, column) = (self.line, self.column());
        let length = match found {
            Some(b'"') => self.string_length(0)?,
            Some(b'{' | b'[') => self.nested_length()?,
            _ => self.scalar_length()?,
        };
        if length == 0 {
            return Err(self.unexpected(found, "expected value"));
        }
        let (from, to) = (self.at, self.at + length);
        let bytes = self.buffer.get(from..to).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', bytes).count();
        if let Some(last) = memchr::memrchr(b'\n', bytes) {
            self.line_start = self.offset + from + last + 1;
        }
        self.at = to;
        Ok(Piece { text: self.text_at(from, to)?, line, column })
    }

    /// The byte at a distance from the next one.
    fn byte(&mut self, distance: usize) -> Result<Option<u8>, ReadError> {
        while self.at + distance >= self.buffer.len() {
            if !self.fill()? {
                return Ok(None);
            }
        }
        Ok(self.buffer.get(self.at + distance).copied())
    }

    fn scalar_length(&mut self) -> Result<usize, ReadError> {
        let mut length = 0;
        while let Some(byte) = self.byte(length)? {
            if matches!(byte, b',' | b':' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n') {
                break;
            }
            length += 1;
        }
        Ok(length)
    }

    /// Where the string ends whose opening quote is at a distance from the next byte, its closing quote included.
    fn string_length(&mut self, distance: usize) -> Result<usize, ReadError> {
        let mut length = distance + 1;
        loop {
            let rest = self.buffer.get(self.at + length..).unwrap_or_default();
            match memchr::memchr2(b'"', b'\\', rest) {
                Some(found) if rest.get(found) == Some(&b'"') => return Ok(length + found + 1),
                // Whatever is escaped is passed over, too; it may be what ends the buffer.
                Some(found) => length += found + 2,
                None => length += rest.len(),
            }
            if self.byte(length)?.is_none() {
                return Err(self.cut_off("a string"));
            }
        }
    }

    /// The length of an object or array.
    fn nested_length(&mut self) -> Result<usize, ReadError> {
        let mut depth = 0_usize;
        let mut length = 0;
        loop {
            let rest = self.buffer.get(self.at + length..).unwrap_or_default();
            let interesting = rest.iter().position(|byte| matches!(byte, b'"' | b'{' | b'[' | b'}' | b']'));
            let Some(found) = interesting else {
                length += rest.len();
                if self.byte(length)?.is_none() {
                    return Err(self.cut_off("a value"));
                }
                continue;
            };
            let byte = rest.get(found).copied();
            length += found;
            match byte {
                Some(b'"') => {
                    length = self.string_length(length)?;
                    continue;
                }
                Some(b'{' | b'[') => depth += 1,
                _ => depth = depth.saturating_sub(1),
            }
            length += 1;
            if depth == 0 {
                return Ok(length);
            }
        }
    }

    /// The error that the text ends within what begins at the next byte.
    fn cut_off(&mut self, what: &str) -> ReadError {
        let bytes = self.buffer.get(self.at..).unwrap_or_default();
        let line = self.line + memchr::memchr_iter(b'\n', bytes).count();
        let line_start = memchr::memrchr(b'\n', bytes).map_or(self.line_start, |last| self.offset + self.at + last + 1);
        let column = (self.offset + self.buffer.len()).saturating_sub(line_start);
        ReadError::Syntax { line, column, message: format!("EOF while parsing {what}") }
    }

    /// Makes sure that nothing else follows.
    pub(super) fn end(&mut self) -> Result<(), ReadError> {
        match self.peek()? {
            None => Ok(()),
            found => Err(self.unexpected(found, "trailing characters")),
        }
    }

    /// The error that an object which was just left lacks a member.
    pub(super) fn missing(&self, name: &str) -> ReadError {
        self.error(&format!("missing field `{name}`"))
    }

    /// The error that an object has a member twice.
    pub(super) fn duplicate(&self, name: &str) -> ReadError {
        self.error(&format!("duplicate field `{name}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Result<Vec<(String, String)>, ReadError> {
        let mut scanner = Scanner::new(text.as_bytes());
        let mut found = Vec::new();
        let mut first = true;
        assert!(scanner.enter(b'{')?);
        while let Some(name) = scanner.member(&mut first)? {
            let value = scanner.value()?;
            value.decode::<IgnoredAny>()?;
            found.push((name, value.text.to_owned()));
        }
        scanner.end()?;
        Ok(found)
    }

    #[test]
    fn values_come_out_as_they_stand() {
        let text = "{ \"a\" : 1.5e3 ,\n\"b\\\"\":[ {\"x\":\"]}\\\\\"}, [] ],\"c\":\"\\\"é\", \"d\":null}\n";
        let found = members(text).unwrap();
        let expected = [("a", "1.5e3"), ("b\"", "[ {\"x\":\"]}\\\\\"}, [] ]"), ("c", "\"\\\"é\""), ("d", "null")];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn no_more_than_a_value_is_held() {
        let text = format!("[{}0]", "{\"a\": \"0123456789\"},\n".repeat(1000));
        let mut scanner = Scanner::new(text.as_bytes());
        let mut first = true;
        assert!(scanner.enter(b'[').unwrap());
        while scanner.element(&mut first).unwrap() {
            scanner.value().unwrap();
            assert!(scanner.buffer.capacity() < 100, "{}", scanner.buffer.capacity());
        }
        scanner.end().unwrap();
        assert_eq!(scanner.line, 1001);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let place = |text: &str| match members(text) {
            Err(ReadError::Syntax { line, column, message }) => format!("{line}:{column} {message}"),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(place("{\n \"a\": 1\n \"b\": 2}"), "3:2 expected `,` or `}`");
        assert_eq!(place("{\"a\": 1,}"), "1:9 trailing comma");
        assert_eq!(place("{\"a\" 1}"), "1:6 expected `:`");
        assert_eq!(place("{a: 1}"), "1:2 key must be a string");
        assert_eq!(place("{\"a\": }"), "1:7 expected value");
        assert_eq!(place("{\"a\": {\n\"b\": [1 2]}}"), "2:9 expected `,` or `]`");
        assert_eq!(place("{\"a\": [}}"), "1:8 expected value");
        assert_eq!(place("{\"a\": \"x\n"), "2:0 EOF while parsing a string");
        assert_eq!(place("{\"a\": 1} x"), "1:10 trailing characters");
        assert_eq!(place("{\"a\": 1"), "1:8 EOF while parsing, expected `,` or `}`");
        let mut scanner = Scanner::new(&b"\n 3"[..]);
        assert!(matches!(scanner.enter(b'['), Err(ReadError::Syntax { line: 2, column: 2, .. })));
        assert!(!Scanner::new(&b" null"[..]).enter(b'[').unwrap());
    }
}
