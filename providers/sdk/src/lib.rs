//! What a provider implements, and what every resource type does alike.
//!
//! The planner sees a provider through the object-safe traits of [`provider`], as wide as Terraform's plugin protocol.

pub mod provider;
pub mod schema;

pub use provider::{
    ApplyRequest, ApplyResponse, Configured, DataRequest, ImportedObject, Observer, PlanRequest, PlanResponse, Provider,
    ProviderDiagnostic, ReadRequest, ReadResponse, RecoverRequest, RecoverResponse,
};
pub use schema::{Attribute, Block, NestedBlock, Nesting, ProviderSchema, Schema};
