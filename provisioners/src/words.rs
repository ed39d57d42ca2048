//! Errors of the system in Go's words.

use std::io;

/// Without Rust's number, in lower case.
pub fn lowered(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// With what was tried on which path.
#[cfg(feature = "ssh")]
pub fn of_path(action: &str, path: &str, error: &io::Error) -> String {
    format!("{action} {path}: {}", lowered(error))
}
