//! The `s3` backend: states in a bucket, in Terraform's places and under Terraform's locks, so that both can take turns.
//!
//! | object or item | content |
//! |---|---|
//! | `KEY`, `env:/WORKSPACE/KEY` | the state |
//! | the same with `.journal` | the journal, while there is something in it |
//! | the same with `.tflock` (`use_lockfile`) | who holds the lock; made by a conditional write |
//! | item `BUCKET/KEY` of `dynamodb_table` | who holds the lock |
//! | item `BUCKET/KEY-md5` of `dynamodb_table` | the checksum of the state |
//!
//! A lock has a lease, which its holder renews by replacing exactly the version that it wrote last, and which others take over
//! the same way once it has run out.
//!
//! Beyond Terraform, a state is written on the condition that the object is the one that was read (`If-Match`): whoever lost the
//! lock without noticing overwrites nothing. And the object says in its metadata what it replaced, so that a run that is killed
//! before it has written the checksum leaves no state that nobody may read.

#![forbid(unsafe_code)]

mod arguments;
mod backend;
mod checks;
mod clock;
mod config;
mod journal;
mod lock;
mod objects;
mod service;
mod store;
mod table;

use std::sync::Arc;

use state::Backend;
use state::backend::remote::{ConfigError, Kind, Settings};

pub use arguments::{ASSUME_ROLE, ASSUME_ROLE_WITH_WEB_IDENTITY};
pub use config::session;

/// The kind of backend, for [`state::backend::remote::Kinds`].
pub const KIND: Kind = Kind { name: "s3", arguments: arguments::ARGUMENTS, check: checks::check, open };

fn open(settings: &Settings<'_>) -> Result<Arc<dyn Backend>, ConfigError> {
    Ok(Arc::new(backend::S3Backend::new(config::Config::new(settings)?)))
}
