//! What a provider implements, and what every resource type does alike.
//!
//! The planner sees a provider through the object-safe traits of [`provider`], as wide as Terraform's plugin protocol. A
//! resource type implements [`Resource`] over a struct that derives [`Model`]; [`Registry`] and [`Running`] adapt the one to
//! the other, and do on the way what is the same for all: planning by the schema ([`Plan`]), tags, timeouts, null and
//! empty, taint, recovery.
//!
//! **Invariant**: nothing here knows a cloud, and nothing here knows the planner. Unknown values exist in planning only.

// So that the derive's paths (`::sdk::…`) work in this crate's own tests.
extern crate self as sdk;

mod checks;
mod context;
mod ephemeral;
mod erased;
mod error;
mod framework;
mod legacy;
pub mod model;
mod normalize;
mod plan;
pub mod provider;
mod registry;
mod resource;
pub mod schema;
mod shared;
mod tags;
pub mod timeouts;
mod wait;

pub use async_trait::async_trait;
pub use lang::{Str, Type, Value};
pub use sdk_derive::Model;

pub use checks::{Check, Rule};
pub use context::{Context, Cx, Pace};
pub use ephemeral::{EphemeralResource, Opened};
pub use error::{Class, Error, Result, ResultExt};
pub use model::Model;
pub use plan::Plan;
pub use provider::{
    ApplyRequest, ApplyResponse, Configured, DataRequest, ImportedObject, Lease, MoveRequest, Observer,
    OpenedEphemeral, Operation, PlanRequest, PlanResponse, Provider, ProviderDiagnostic, ReadRequest, ReadResponse,
    RecoverRequest, RecoverResponse,
};
pub use registry::{Registry, Running, no_tags};
pub use resource::{
    Change, Created, DataSource, Found, Resource, attribute_path, imported_by_id, in_batches, one_by_one, read_one,
};
pub use schema::{Attribute, Block, Equivalent, NestedBlock, Nesting, ProviderSchema, Schema, Semantics};
pub use shared::SharedReads;
pub use tags::{TagChanges, TagPolicy, Tags, tags_of, tags_value};
pub use timeouts::Timeouts;
pub use wait::Wait;
