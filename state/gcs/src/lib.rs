//! The `gcs` backend: states in a bucket of Google Cloud Storage, in Terraform's places and under Terraform's locks, so that both
//! can take turns.
//!
//! | object | content |
//! |---|---|
//! | `PREFIX/WORKSPACE.tfstate` | the state |
//! | `PREFIX/WORKSPACE.tflock` | who holds the lock; made on the condition that it isn't there. Its generation is the lock's id |
//! | `PREFIX/WORKSPACE.tfstate.journal` | the journal, while something is in it |
//!
//! A lock has a lease, which its holder renews by replacing exactly the generation that it wrote last, and which others take over
//! the same way once it has run out. Terraform's have none, and hold until they are given back or broken.
//!
//! Beyond Terraform, a state is written on the condition that the object has the generation that was read: whoever lost the lock
//! without noticing overwrites nothing.
//!
//! The service is asked by its JSON API; Google's own client library would bring a second HTTP stack along.

#![forbid(unsafe_code)]

mod arguments;
mod backend;
mod config;
mod credentials;
mod journal;
mod lock;
mod objects;
mod store;

use std::sync::Arc;

use state::Backend;
use state::backend::remote::{ConfigError, Kind, Settings};

/// The kind of backend, for [`state::backend::remote::Kinds`].
pub const KIND: Kind = Kind { name: "gcs", arguments: arguments::ARGUMENTS, check: arguments::check, open };

fn open(settings: &Settings<'_>) -> Result<Arc<dyn Backend>, ConfigError> {
    Ok(Arc::new(backend::GcsBackend::new(config::Config::new(settings)?)))
}
