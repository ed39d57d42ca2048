//! Reading JSON as Go's decoder reads it, down to the words with which it refuses a document.
//!
//! serde_json would do for sound documents. It refuses what Go accepts, though (a lone surrogate, a bracket too many at the end),
//! and says other things of a mistake.

use serde_json::{Map, Number, Value as Json};

/// Deeper nesting is refused.
const DEEPEST: usize = 1000;

/// The first document in a text.
pub(super) fn parse(text: &str) -> Result<Json, String> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let document = reader.value(" looking for beginning of value")?;
    match reader.significant() {
        // As in Go, what looks like the end of something larger ends the document.
        None | Some(b']' | b'}') => Ok(document),
        Some(_) => Err("extraneous data after JSON object".to_owned()),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is not white space.
    fn significant(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.at += 1;
        }
        self.peek()
    }

    /// The next significant byte, which must be there.
    fn next_token(&mut self) -> Result<u8, String> {
        self.significant().ok_or_else(|| "EOF".to_owned())
    }

    /// The next byte of a token that has begun.
    fn inside(&self) -> Result<u8, String> {
        self.peek().ok_or_else(|| "unexpected EOF".to_owned())
    }

    fn value(&mut self, place: &str) -> Result<Json, String> {
        match self.next_token()? {
            b'{' => self.nested(Reader::object),
            b'[' => self.nested(Reader::array),
            b'"' => self.string().map(Json::String),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'n' => self.word("null", Json::Null),
            b'-' | b'0'..=b'9' => self.number(),
            other => Err(invalid(other, place)),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Json, String>) -> Result<Json, String> {
        self.at += 1;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("exceeded max depth".to_owned());
        }
        let value = stacker::maybe_grow(64 << 10, 1 << 20, || read(self))?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Json, String> {
        let mut elements = Vec::new();
        if self.next_token()? == b']' {
            self.at += 1;
            return Ok(Json::Array(elements));
        }
        loop {
            elements.push(self.value(" looking for beginning of value")?);
            let next = self.next_token()?;
            match next {
                b',' => self.at += 1,
                b']' => break,
                other => return Err(invalid(other, " after array element")),
            }
        }
        self.at += 1;
        Ok(Json::Array(elements))
    }

    fn object(&mut self) -> Result<Json, String> {
        let mut properties = Map::new();
        let mut place = "";
        if self.next_token()? == b'}' {
            self.at += 1;
            return Ok(Json::Object(properties));
        }
        loop {
            let quote = self.next_token()?;
            if quote != b'"' {
                return Err(invalid(quote, place));
            }
            let name = self.string()?;
            let colon = self.next_token()?;
            if colon != b':' {
                return Err(invalid(colon, " after object key"));
            }
            self.at += 1;
            properties.insert(name, self.value(" looking for beginning of value")?);
            let next = self.next_token()?;
            match next {
                b',' => self.at += 1,
                b'}' => break,
                other => return Err(invalid(other, " after object key:value pair")),
            }
            place = " looking for beginning of object key string";
        }
        self.at += 1;
        Ok(Json::Object(properties))
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, String> {
        for expected in word.bytes() {
            let found = self.inside()?;
            if found != expected {
                return Err(invalid(found, &format!(" in literal {word} (expecting '{}')", char::from(expected))));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<Json, String> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits(" in numeric literal")?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits(" after decimal point in numeric literal")?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits(" in exponent of numeric literal")?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        text.parse::<Number>().map(Json::Number).map_err(|error| error.to_string())
    }

    /// At least one digit.
    fn digits(&mut self, place: &str) -> Result<(), String> {
        let first = self.inside()?;
        if !first.is_ascii_digit() {
            return Err(invalid(first, place));
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<String, String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let start = self.at;
            while self.peek().is_some_and(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
                self.at += 1;
            }
            out.push_str(self.text.get(start..self.at).unwrap_or_default());
            let byte = self.inside()?;
            self.at += 1;
            match byte {
                b'"' => return Ok(out),
                b'\\' => out.push(self.escape()?),
                control => return Err(invalid(control, " in string literal")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let byte = self.inside()?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode()?,
            other => return Err(invalid(other, " in string escape code")),
        })
    }

    /// What follows `\u`; a surrogate without its other half is the replacement character.
    fn unicode(&mut self) -> Result<char, String> {
        let first = self.hexadecimal()?;
        if let Some(c) = char::from_u32(first) {
            return Ok(c);
        }
        let before = self.at;
        if first < 0xDC00 && self.text.get(self.at..).is_some_and(|rest| rest.starts_with("\\u")) {
            self.at += 2;
            let second = self.hexadecimal()?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
        self.at = before;
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hexadecimal(&mut self) -> Result<u32, String> {
        let mut code = 0;
        for _ in 0..4 {
            let byte = self.inside()?;
            let Some(digit) = char::from(byte).to_digit(16) else {
                return Err(invalid(byte, " in \\u hexadecimal character escape"));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }
}

/// Go shows a byte as the character of that number.
fn invalid(byte: u8, place: &str) -> String {
    let shown = match byte {
        b'\'' => "\\'".to_owned(),
        b'"' => "\"".to_owned(),
        _ => crate::quoting::go_quote(char::from(byte).encode_utf8(&mut [0; 4])).trim_matches('"').to_owned(),
    };
    format!("invalid character '{shown}'{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_documents() {
        for (text, expected) in [
            (r#" {"a": [1, -0.25, "x\n\u00e9", true, null]} "#, r#"{"a":[1,-0.25,"x\né",true,null]}"#),
            ("[] ]", "[]"),
            ("{}}x", "{}"),
            (r#""\ud83d\ude00 \ud800 \udc00\u0041""#, "\"\u{1f600} \u{fffd} \u{fffd}A\""),
            (r#"{"a": 1, "a": 2}"#, r#"{"a":2}"#),
        ] {
            assert_eq!(parse(text).map(|json| json.to_string()), Ok(expected.replace('\n', "\\n")), "{text}");
        }
    }

    #[test]
    fn mistakes_are_worded_as_in_go() {
        for (text, expected) in [
            (" ", "EOF"),
            ("[1,", "EOF"),
            ("{\"a\"", "EOF"),
            ("\"a", "unexpected EOF"),
            ("tru", "unexpected EOF"),
            ("1e", "unexpected EOF"),
            ("1 2", "extraneous data after JSON object"),
            ("01", "extraneous data after JSON object"),
            ("{a:1}", "invalid character 'a'"),
            ("{\"a\":1,}", "invalid character '}' looking for beginning of object key string"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 \"b\":2}", "invalid character '\"' after object key:value pair"),
            ("[1 2]", "invalid character '2' after array element"),
            ("[1,]", "invalid character ']' looking for beginning of value"),
            ("nan", "invalid character 'a' in literal null (expecting 'u')"),
            ("'a'", "invalid character '\\'' looking for beginning of value"),
            ("é", "invalid character 'Ã' looking for beginning of value"),
            ("\u{1}", "invalid character '\\x01' looking for beginning of value"),
            ("-a", "invalid character 'a' in numeric literal"),
            ("1.a", "invalid character 'a' after decimal point in numeric literal"),
            ("1ea", "invalid character 'a' in exponent of numeric literal"),
            ("\"a\nb\"", "invalid character '\\n' in string literal"),
            ("\"\\q\"", "invalid character 'q' in string escape code"),
            ("\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape"),
        ] {
            assert_eq!(parse(text), Err(expected.to_owned()), "{text}");
        }
        assert_eq!(parse(&"[".repeat(100_000)), Err("exceeded max depth".to_owned()));
    }
}
