//! Encryption of states, plans and journals on the client: OpenTofu's file format, and its configuration language.
//!
//! ```hcl
//! encryption {
//!   key_provider "pbkdf2" "main" { passphrase = var.passphrase }
//!   method "aes_gcm" "main"      { keys = key_provider.pbkdf2.main }
//!   state {
//!     method   = method.aes_gcm.main
//!     enforced = true
//!   }
//! }
//! ```
//!
//! [`Config`] is what such a block and the variable `TF_ENCRYPTION` say; [`Encryption`] is what it comes to. A target (`state`,
//! `plan`, a remote state) has a method and fallbacks: it writes with the first and reads with all of them. Keys come from
//! [`KeyProvider`]s, whose [`Kind`]s besides `pbkdf2` the caller adds. A key that encrypts is made when it is first needed and
//! serves the whole run; keys that decrypt follow from what stands beside the encrypted data.

#![forbid(unsafe_code)]

mod build;
mod cipher;
mod config;
mod envelope;
mod keys;
mod passphrase;
mod target;

pub use build::{Encryption, Surroundings};
pub use config::Config;
pub use keys::{Chained, Key, KeyError, KeyProvider, Kind, Kinds, Open};
