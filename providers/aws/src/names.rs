//! Names that are made up: `name_prefix`, or neither name nor prefix.

/// Digits after a prefix.
const SUFFIX: usize = 26;

/// The prefix where none is configured.
const DEFAULT_PREFIX: &str = "terraform-";

/// The configured name, or the prefix (`terraform-` if there is none) with 26 digits. They look like the ones that
/// Terraform makes of the time, but follow from the token, so that a create that is tried again makes the same name.
pub(crate) fn unique(name: Option<&str>, prefix: Option<&str>, client_token: &str) -> String {
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        return name.to_owned();
    }
    let prefix = prefix.filter(|prefix| !prefix.is_empty()).unwrap_or(DEFAULT_PREFIX);
    let number = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, client_token.as_bytes()).as_u128();
    format!("{prefix}20{:024}", number % 10u128.pow(24))
}

/// The prefix of a name that [`unique`] or Terraform made; empty if it isn't one.
pub(crate) fn prefix_of(name: &str) -> &str {
    let Some(at) = name.len().checked_sub(SUFFIX) else { return "" };
    match (name.get(..at), name.get(at..)) {
        (Some(prefix), Some(suffix)) if suffix.bytes().all(|b| b.is_ascii_hexdigit()) => prefix,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_names_follow_from_the_token_and_tell_their_prefix() {
        assert_eq!(unique(Some("a"), Some("b-"), "t"), "a");
        let name = unique(None, Some("b-"), "t");
        assert_eq!(name, unique(Some(""), Some("b-"), "t"));
        assert_ne!(name, unique(None, Some("b-"), "other"));
        assert_eq!(prefix_of(&name), "b-");
        assert_eq!(prefix_of("terraform-2024010112000012340000000a"), "terraform-");
        assert_eq!(prefix_of("plain"), "");
    }
}
