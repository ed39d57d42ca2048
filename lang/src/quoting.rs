//! Text in quotes as Go prints it, which is how Terraform shows it in plans, messages and addresses of files.

use std::sync::LazyLock;

use regex::Regex;

/// What Go calls printable beyond ASCII: letters, marks, numbers, punctuation and symbols, as of the Unicode version that
/// Terraform was built with. Characters that came later are escaped.
static PRINTABLE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^[[\p{L}\p{M}\p{N}\p{P}\p{S}]&&\p{age=15.0}]$").ok());

/// `text` in double quotes, escaped as Go's `%q` and `strconv.Quote` do.
pub fn go_quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{07}' => out.push_str("\\a"),
            '\u{08}' => out.push_str("\\b"),
            '\u{0b}' => out.push_str("\\v"),
            '\u{0c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            c if c.is_ascii() => out.push_str(&format!("\\x{:02x}", c as u32)),
            c if is_printable(c) => out.push(c),
            c if (c as u32) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push_str(&format!("\\U{:08x}", c as u32)),
        }
    }
    out.push('"');
    out
}

fn is_printable(c: char) -> bool {
    let class = PRINTABLE.as_ref();
    class.is_none_or(|class| class.is_match(c.encode_utf8(&mut [0; 4])))
}

#[cfg(test)]
mod tests {
    use super::go_quote;

    #[test]
    fn what_go_does_not_print_is_escaped() {
        for (text, expected) in [
            ("a \"b\" \\ \t\r\n", r#""a \"b\" \\ \t\r\n""#),
            ("\u{0}\u{7}\u{8}\u{b}\u{c}\u{1b}\u{7f}", r#""\x00\a\b\v\f\x1b\x7f""#),
            ("é\u{a0}\u{ad}\u{301}", "\"é\\u00a0\\u00ad\u{301}\""),
            // Separators, joiners, unassigned, private and later ones.
            ("\u{2003}\u{200d}\u{378}\u{e000}\u{1f600}", "\"\\u2003\\u200d\\u0378\\ue000\u{1f600}\""),
            ("\u{2ebf0}\u{e0001}\u{10ffff}\u{fffd}", "\"\\U0002ebf0\\U000e0001\\U0010ffff\u{fffd}\""),
        ] {
            assert_eq!(go_quote(text), expected);
        }
    }
}
