//! Strings and names as plans show them.

use lang::quoting::go_quote;

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
    // By hand: names may be longer than a width in a format of Rust.
    let missing = width.saturating_sub(text.chars().count());
    format!("{text}{}", " ".repeat(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_length_are_padded() {
        assert_eq!(pad("é", 3), "é  ");
        assert_eq!(pad("a", 70_000).len(), 70_000);
        assert_eq!(pad("abc", 2), "abc");
    }
}
