//! Strings and names as plans show them.

/// A string in double quotes, escaped as Go's `strconv.Quote` does.
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
            '\u{0c}' => out.push_str("\\f"),
            '\u{0b}' => out.push_str("\\v"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => out.push_str(&format!("\\x{:02x}", c as u32)),
            c if !is_printable(c) && (c as u32) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c if !is_printable(c) => out.push_str(&format!("\\U{:08x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether Go calls a character printable: letters, marks, numbers, punctuation, symbols and the plain space. Of the
/// others only those that occur in texts are known here.
fn is_printable(c: char) -> bool {
    let invisible = matches!(c as u32,
        0x80..=0xa0 | 0xad | 0x1680 | 0x180e | 0x2000..=0x200f | 0x2028..=0x202f | 0x205f..=0x206f | 0x3000
        | 0xe000..=0xf8ff | 0xfeff | 0xfff0..=0xfffb | 0xe0001..=0xe007f | 0xf0000..=0x10ffff);
    !invisible
}

/// A name as it stands in HCL: bare if it is an identifier, else quoted.
pub fn attribute_name(name: &str) -> String {
    if is_identifier(name) { name.to_owned() } else { go_quote(name) }
}

/// Whether a text is an identifier of HCL.
pub fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    let starts = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_');
    starts && chars.all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

/// `text` followed by spaces up to `width` characters. The widths of names are measured in bytes all the same, as
/// Terraform does: beyond ASCII its columns lie further to the right than they must.
pub fn pad(text: &str, width: usize) -> String {
    format!("{text:width$}")
}
