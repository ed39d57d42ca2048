//! Terraform's state file format, version 4: reading it, and writing it byte for byte as Terraform 1.11 does.
//!
//! Neither needs the text in memory as a whole: a file of a gigabyte takes what its model takes.
//!
//! What a later Terraform adds to an object (the identity) is kept; other unknown keys are dropped, as Terraform drops
//! them.

mod read;
mod scanner;
mod write;

use lang::addr_parse::AddressError;

pub use self::read::{HEAD, object_from_json, read, read_from, says_version_first};
pub use self::write::{instances_to_json, object_to_json, write, write_to};
use crate::codec::SealError;

/// The version of the format.
pub const FORMAT_VERSION: u64 = 4;

/// Why a file can't be read as a state. Such a file is never overwritten.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not JSON, or JSON of another shape than a state: a truncated or damaged file, or no state at all.
    #[error("the state file could not be parsed, line {line}, column {column}: {message}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1, in bytes; 0 at the end of a line.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// Not UTF-8.
    #[error("the state file is not valid UTF-8, at byte {offset}")]
    Encoding {
        /// Where the first invalid byte is.
        offset: usize,
    },
    /// No `version`: not a state file.
    #[error("the state file does not have a \"version\" attribute, which is required to identify the format version")]
    NoVersion,
    /// A format from the future.
    #[error("the state file uses format version {version}, which is newer than this program supports (4){}", by(.terraform_version))]
    FromTheFuture {
        /// The format's version.
        version: u64,
        /// What wrote it.
        terraform_version: String,
    },
    /// An address that isn't one.
    #[error("the state file has an invalid address in {place}")]
    Address {
        /// Where it stands.
        place: String,
        /// What is wrong with it.
        #[source]
        source: AddressError,
    },
    /// Encrypted, and it can't be decrypted.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// The file or connection failed in the midst of it.
    #[error("the state file could not be read to its end")]
    Source(#[source] std::io::Error),
    /// Contents that make no sense.
    #[error("{place} in the state file {problem}")]
    Invalid {
        /// Which resource or instance.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
}

fn by(terraform_version: &str) -> String {
    if terraform_version.is_empty() { String::new() } else { format!(" (written by Terraform {terraform_version})") }
}

impl From<serde_json::Error> for ReadError {
    fn from(error: serde_json::Error) -> Self {
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or_default().to_owned();
        ReadError::Syntax { line: error.line(), column: error.column(), message }
    }
}

#[cfg(test)]
mod tests;
