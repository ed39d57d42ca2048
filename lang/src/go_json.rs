//! JSON strings as Go's `encoding/json` writes them: it escapes more than JSON asks for (`<`, `>`, `&`, line separators), so
//! that JSON can stand in HTML and JavaScript.

/// A string literal.
pub fn push_string(out: &mut String, text: &str) {
    out.push('"');
    push_escaped(out, text, |byte| byte < b' ' || matches!(byte, b'"' | b'\\') || is_html(byte));
    out.push('"');
}

/// The inside of a literal that is JSON already, with what Go escapes beyond that.
pub fn push_html_escaped(out: &mut String, literal: &str) {
    push_escaped(out, literal, is_html);
}

/// Whether a character that begins with this byte may have to be escaped though JSON does not ask for it: 0xe2 is how line
/// separators begin.
fn is_html(byte: u8) -> bool {
    matches!(byte, b'<' | b'>' | b'&' | 0xe2)
}

/// Text with the characters escaped that begin with a byte that is `special`. Whole runs of others are copied.
fn push_escaped(out: &mut String, text: &str, special: impl Fn(u8) -> bool) {
    let mut rest = text;
    while let Some(end) = rest.bytes().position(&special) {
        let (run, tail) = rest.split_at(end);
        out.push_str(run);
        let mut chars = tail.chars();
        if let Some(c) = chars.next() {
            push_escape(out, c);
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
}

fn push_escape(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", c as u32)),
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_those_of_go() {
        let mut out = String::new();
        push_string(&mut out, "a<b>&\u{2028}\u{2013}\u{1}\"\\\n\u{8}é");
        assert_eq!(out, "\"a\\u003cb\\u003e\\u0026\\u2028\u{2013}\\u0001\\\"\\\\\\n\\bé\"");
    }

    #[test]
    fn what_json_has_escaped_stays() {
        let mut out = String::new();
        push_html_escaped(&mut out, r#""a\n<""#);
        assert_eq!(out, r#""a\n\u003c""#);
    }
}
