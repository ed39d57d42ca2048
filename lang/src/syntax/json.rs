//! JSON with ranges, and with the messages of HCL's JSON front end.

use super::parser::with_stack;
use super::suggest;
use crate::ast::{JsonKind, JsonNode, JsonProperty};
use crate::source::{FileId, Range};
use crate::values::Number;
use crate::{Diagnostic, Diagnostics};

/// How deep values may nest. The stack grows on the heap with them, so this bounds memory only.
const DEEPEST: u32 = 100_000;
const START: &str = "A value in JSON begins with a brace, a bracket, a quote, a digit or a keyword.";
/// The spelling is part of what people search for.
const NO_COMMA: &str = "Missing attribute seperator comma";

/// Reads the root value of a configuration: an object, or an array of objects.
pub(super) fn parse_root(source: &[u8], file: FileId) -> (JsonNode, Diagnostics) {
    let mut parser = JsonParser { source, file, position: 0, next: None, diagnostics: Diagnostics::new(), depth: 0 };
    let root = parser.value();
    let next = parser.peek();
    if parser.diagnostics.is_empty() && next.kind != Kind::Eof {
        parser.error(next.range, "Extraneous data after value", "Something follows behind the JSON value.");
    }
    if matches!(root.kind, JsonKind::Object(_) | JsonKind::Array(_)) {
        return (root, parser.diagnostics);
    }
    let detail = "The root of a configuration in JSON must be an object or an array of objects.";
    parser.error(root.range, "Root value must be object", detail);
    // An empty object, so that nobody says the same again.
    let kind = JsonKind::Object([].into());
    (JsonNode { range: Range::new(file, 0, 0), kind }, parser.diagnostics)
}

/// Where a value begins: its bracket, or all of it.
pub(super) fn start_range(node: &JsonNode) -> Range {
    match node.kind {
        JsonKind::Array(_) | JsonKind::Object(_) if node.range.start < node.range.end => {
            Range { end: node.range.start + 1, ..node.range }
        }
        _ => node.range,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    OpenBrace,
    CloseBrace,
    OpenBracket,
    CloseBracket,
    Comma,
    Colon,
    Equals,
    String,
    Number,
    Keyword,
    Invalid,
    Eof,
}

#[derive(Clone, Copy, Debug)]
struct Token {
    kind: Kind,
    range: Range,
}

struct JsonParser<'a> {
    source: &'a [u8],
    file: FileId,
    position: usize,
    next: Option<Token>,
    diagnostics: Diagnostics,
    depth: u32,
}

impl<'a> JsonParser<'a> {
    fn error(&mut self, place: Range, summary: &str, detail: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(summary, detail).at(place));
    }

    fn peek(&mut self) -> Token {
        if let Some(token) = self.next {
            return token;
        }
        let token = self.scan();
        self.next = Some(token);
        token
    }

    fn read(&mut self) -> Token {
        let token = self.peek();
        self.next = None;
        token
    }

    fn bytes(&self, range: Range) -> &'a [u8] {
        self.source.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    fn scan(&mut self) -> Token {
        let rest = self.source.get(self.position..).unwrap_or_default();
        let space = rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count();
        let rest = rest.get(space..).unwrap_or_default();
        let start = self.position + space;
        let (kind, length) = match rest.first() {
            None => (Kind::Eof, 0),
            Some(b'{') => (Kind::OpenBrace, 1),
            Some(b'}') => (Kind::CloseBrace, 1),
            Some(b'[') => (Kind::OpenBracket, 1),
            Some(b']') => (Kind::CloseBracket, 1),
            Some(b',') => (Kind::Comma, 1),
            Some(b':') => (Kind::Colon, 1),
            Some(b'=') => (Kind::Equals, 1),
            Some(b'"') => (Kind::String, string_length(rest)),
            Some(b'-' | b'+' | b'.' | b'0'..=b'9') => {
                let number = |b: &&u8| matches!(b, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
                (Kind::Number, rest.iter().take_while(number).count())
            }
            Some(b'a'..=b'z' | b'A'..=b'Z') => {
                let word = |b: &&u8| b.is_ascii_alphabetic() || **b == b'_';
                (Kind::Keyword, rest.iter().take_while(word).count())
            }
            Some(_) => {
                // Nothing behind it is looked at.
                self.source = self.source.get(..start + 1).unwrap_or_default();
                (Kind::Invalid, 1)
            }
        };
        self.position = start + length;
        Token { kind, range: Range::new(self.file, start, self.position) }
    }

    fn value(&mut self) -> JsonNode {
        let token = self.peek();
        let range = token.range;
        let node = match token.kind {
            Kind::OpenBrace | Kind::OpenBracket if self.depth >= DEEPEST => {
                self.error(range, "Nesting too deep", format!("Values may nest at most {DEEPEST} levels deep."));
                self.source = &[];
                None
            }
            Kind::OpenBrace | Kind::OpenBracket => {
                self.depth += 1;
                let node = with_stack(|| if token.kind == Kind::OpenBrace { self.object() } else { self.array() });
                self.depth -= 1;
                node
            }
            Kind::Number => self.number(),
            Kind::String => self.string(),
            Kind::Keyword => self.keyword(),
            Kind::CloseBrace => self.no_value(range, "Missing JSON value", START),
            Kind::CloseBracket => self.no_value(range, "Missing array element value", START),
            Kind::Eof => self.no_value(range, "Missing value", "The JSON text ends too early."),
            _ => self.no_value(range, "Invalid start of value", START),
        };
        node.unwrap_or(JsonNode { range, kind: JsonKind::Invalid })
    }

    fn no_value(&mut self, place: Range, summary: &str, detail: &str) -> Option<JsonNode> {
        self.error(place, summary, detail);
        None
    }

    /// Skips from `token` on to the end of the current object or array.
    fn recover(&mut self, mut token: Token, open: Kind, close: Kind) {
        let mut nested = 1_usize;
        loop {
            if token.kind == open {
                nested += 1;
            } else if token.kind == close {
                nested -= 1;
                if nested <= 1 {
                    return;
                }
            } else if token.kind == Kind::Eof {
                return;
            }
            token = self.read();
        }
    }

    fn object(&mut self) -> Option<JsonNode> {
        let open = self.read().range;
        let mut properties: Vec<JsonProperty> = Vec::new();
        while self.peek().kind != Kind::CloseBrace {
            let name = self.value();
            let JsonKind::String(text) = &name.kind else {
                let detail = "The name of a property in JSON must be a string.";
                return self.no_value(start_range(&name), "Invalid object property name", detail);
            };
            let colon = self.read();
            if colon.kind != Kind::Colon {
                self.recover(colon, Kind::OpenBrace, Kind::CloseBrace);
                let (summary, detail) = match colon.kind {
                    Kind::CloseBrace | Kind::Comma => {
                        ("Missing object value", "A colon and a value must follow the name of a property.")
                    }
                    Kind::Equals => {
                        ("Missing property value colon", "In JSON a colon introduces the value, not an equals sign.")
                    }
                    _ => (
                        "Missing property value colon",
                        "A colon must stand between the name of a property and its value.",
                    ),
                };
                return self.no_value(colon.range, summary, detail);
            }
            let value = self.value();
            properties.push(JsonProperty { name: text.clone(), name_range: name.range, value });
            let next = self.peek();
            match next.kind {
                Kind::Comma => {
                    self.read();
                    if self.peek().kind == Kind::CloseBrace {
                        let detail = "JSON allows no comma behind the last property of an object.";
                        return self.no_value(next.range, "Trailing comma in object", detail);
                    }
                }
                Kind::Eof => {
                    let detail = "The closing brace of this object was not found.";
                    return self.no_value(open, "Unclosed object", detail);
                }
                Kind::CloseBracket => {
                    self.read();
                    let place = self.peek().range;
                    return self.no_value(
                        place,
                        "Mismatched braces",
                        "An object must end with a brace, not with a bracket.",
                    );
                }
                Kind::CloseBrace => {}
                _ => {
                    let token = self.read();
                    self.recover(token, Kind::OpenBrace, Kind::CloseBrace);
                    let place = self.peek().range;
                    return self.no_value(place, NO_COMMA, "A comma must stand between the properties of an object.");
                }
            }
        }
        let close = self.read().range;
        Some(JsonNode { range: open.to(close), kind: JsonKind::Object(properties.into()) })
    }

    fn array(&mut self) -> Option<JsonNode> {
        let open = self.read().range;
        let mut values = Vec::new();
        while self.peek().kind != Kind::CloseBracket {
            values.push(self.value());
            let next = self.peek();
            if next.kind == Kind::Comma {
                self.read();
                if self.peek().kind == Kind::CloseBracket {
                    let detail = "JSON allows no comma behind the last value of an array.";
                    return self.no_value(next.range, "Trailing comma in array", detail);
                }
                continue;
            }
            if next.kind == Kind::CloseBracket {
                break;
            }
            self.read();
            self.recover(next, Kind::OpenBracket, Kind::CloseBracket);
            let place = self.peek().range;
            return match next.kind {
                Kind::Colon => self.no_value(place, "Invalid array value", "The values of an array have no colons."),
                Kind::Eof => self.no_value(open, "Unclosed object", "The closing bracket of this array was not found."),
                Kind::CloseBrace => {
                    self.no_value(place, "Mismatched brackets", "An array must end with a bracket, not with a brace.")
                }
                _ => self.no_value(place, NO_COMMA, "A comma must stand between the values of an array."),
            };
        }
        let close = self.read().range;
        Some(JsonNode { range: open.to(close), kind: JsonKind::Array(values.into()) })
    }

    fn number(&mut self) -> Option<JsonNode> {
        let range = self.read().range;
        let bytes = self.bytes(range);
        let text = std::str::from_utf8(bytes).ok().filter(|_| is_number(bytes));
        match text.and_then(Number::parse) {
            Some(number) => Some(JsonNode { range, kind: JsonKind::Number(number) }),
            None => self.no_value(range, "Invalid JSON number", "This is not how a number is written in JSON."),
        }
    }

    fn string(&mut self) -> Option<JsonNode> {
        let range = self.read().range;
        match unescape(self.bytes(range)) {
            Ok(text) => Some(JsonNode { range, kind: JsonKind::String(text.into()) }),
            Err(offset) => {
                let start = range.start + offset as u32;
                let visible = self.source.get(start as usize).is_some_and(|b| *b >= b' ');
                let place = Range { start, end: start + u32::from(visible), ..range };
                let detail = "This is not how a string is written in JSON.";
                self.diagnostics.push(Diagnostic::error("Invalid JSON string", detail).at(place).within(range));
                None
            }
        }
    }

    fn keyword(&mut self) -> Option<JsonNode> {
        let range = self.read().range;
        let word = String::from_utf8_lossy(self.bytes(range)).into_owned();
        let kind = match word.as_str() {
            "true" => JsonKind::Bool(true),
            "false" => JsonKind::Bool(false),
            "null" => JsonKind::Null,
            "undefined" | "NaN" | "Infinity" => {
                let detail = format!("JavaScript's \"{word}\" does not exist in JSON.");
                return self.no_value(range, "Invalid JSON keyword", &detail);
            }
            _ => {
                let hint = suggest(&word, ["true", "false", "null"]);
                return self.no_value(
                    range,
                    "Invalid JSON keyword",
                    &format!("There is no keyword \"{word}\" in JSON.{hint}"),
                );
            }
        };
        Some(JsonNode { range, kind })
    }
}

/// Length of a string with its quotes; without the closing one if a control character or the end of the text comes first.
fn string_length(bytes: &[u8]) -> usize {
    let mut escaped = false;
    for (index, byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            0..32 => return index,
            b'"' if !escaped => return index + 1,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    bytes.len()
}

/// The text of a string with its quotes; how many bytes were read when it went wrong.
fn unescape(bytes: &[u8]) -> Result<String, usize> {
    if let Some(inner) = bytes.get(1..bytes.len().saturating_sub(1))
        && bytes.ends_with(b"\"")
        && !inner.contains(&b'\\')
    {
        return Ok(String::from_utf8_lossy(inner).into_owned());
    }
    let mut result: Vec<u8> = Vec::with_capacity(bytes.len());
    let mut index = 1;
    loop {
        let byte = bytes.get(index).copied().ok_or(bytes.len())?;
        index += 1;
        if byte == b'"' {
            return Ok(String::from_utf8_lossy(&result).into_owned());
        }
        if byte != b'\\' {
            result.push(byte);
            continue;
        }
        let escape = bytes.get(index).copied().ok_or(bytes.len())?;
        index += 1;
        result.push(match escape {
            b'"' | b'\\' | b'/' => escape,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let first = hexadecimal(bytes, index)?;
                index += 4;
                let mut c = char::from_u32(first);
                if (0xd800..0xdc00).contains(&first)
                    && bytes.get(index..index + 2) == Some(b"\\u")
                    && let second @ 0xdc00..0xe000 = hexadecimal(bytes, index + 2)?
                {
                    index += 6;
                    c = char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00));
                }
                let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
                result.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            _ => return Err(index),
        });
    }
}

/// The four hexadecimal digits at `index`; how many bytes were read when it went wrong.
fn hexadecimal(bytes: &[u8], index: usize) -> Result<u32, usize> {
    let mut code = 0;
    for offset in index..index + 4 {
        let digit = bytes.get(offset).ok_or(bytes.len())?;
        code = code * 16 + char::from(*digit).to_digit(16).ok_or(offset + 1)?;
    }
    Ok(code)
}

/// Whether `bytes` are a number by JSON's grammar.
fn is_number(bytes: &[u8]) -> bool {
    fn digits(bytes: &[u8]) -> (usize, &[u8]) {
        let count = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
        (count, bytes.get(count..).unwrap_or_default())
    }
    let bytes = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let (count, mut rest) = digits(bytes);
    if count == 0 || (count > 1 && bytes.starts_with(b"0")) {
        return false;
    }
    if let Some(fraction) = rest.strip_prefix(b".") {
        let (count, behind) = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = behind;
    }
    if let Some(exponent) = rest.strip_prefix(b"e").or(rest.strip_prefix(b"E")) {
        let exponent = exponent.strip_prefix(b"+").or(exponent.strip_prefix(b"-")).unwrap_or(exponent);
        let (count, behind) = digits(exponent);
        return count > 0 && behind.is_empty();
    }
    rest.is_empty()
}
