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
    format!("{text:width$}")
}
