//! The state: its model, Terraform's file format v4, the backends that keep it, their locks, and the journal of operations
//! in flight.
//!
//! This crate knows neither configurations nor providers: attributes of objects are JSON here. It never prints.

pub mod backend;
pub mod body;
pub mod codec;
mod files;
pub mod journal;
pub mod json;
mod legacy;
pub mod merge;
pub mod model;
pub mod v4;

pub use backend::{
    Backend, Heart, HeldLock, LockError, LockId, LockInfo, LostLock, Renewal, Snapshots, StateStore, StoreError,
    WriteCondition,
};
pub use codec::{Codec, Seal, SealError};
pub use journal::{Intent, IntentId, Journal, JournalError, JournalRecord, Operation, Outcome};
pub use json::Json;
pub use merge::Parts;
pub use model::{
    AttributePath, AttributeStep, CheckObject, CheckResult, CheckStatus, Dependencies, DeposedKey, InstanceObject,
    InstanceState, Lineage, ObjectStatus, OutputValue, ResourceState, Serial, State,
};
