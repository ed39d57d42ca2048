//! Text in quotes as Go's `%q` prints it, which is what the lines of a `local-exec` show.

/// A string in quotes.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            c if (c as u32) < 0x80 && c.is_control() => out.push_str(&format!("\\x{:02x}", c as u32)),
            c if c.is_control() || (c.is_whitespace() && c != ' ') => {
                out.push_str(&format!("\\u{:04x}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A list of strings: `["a" "b"]`.
pub fn quoted_list<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let quoted: Vec<String> = texts.into_iter().map(quoted).collect();
    format!("[{}]", quoted.join(" "))
}

#[cfg(test)]
mod tests {
    use super::{quoted, quoted_list};

    #[test]
    fn texts_are_quoted_as_go_does() {
        assert_eq!(quoted("a \"b\" \\ \t\u{1}é\u{a0}"), r#""a \"b\" \\ \t\x01é\u00a0""#);
        assert_eq!(quoted_list(["/bin/sh", "-c", "x\ny"]), r#"["/bin/sh" "-c" "x\ny"]"#);
    }
}
