//! What people read: plans, states, values and progress, in Terraform's layout.
//!
//! Plans and states are rendered from their JSON documents ([`crate::json_views`]), as Terraform does it: the human text
//! and `show -json` can't disagree.

pub mod change;
pub mod compute;
pub mod diagnostic;
pub mod diff;
pub mod dynamic;
pub mod hooks;
pub mod human;
pub mod plan;
pub mod resource;
pub mod sequence;
pub mod state;
pub mod strings;
pub mod value;
pub mod wrap;

/// Where the renderer finds the schemas of resource types and data sources.
pub trait Schemas {
    /// The schema of `type_name`; `data`: of the data source of this name. `provider` is the full source address.
    fn schema(&self, provider: &str, data: bool, type_name: &str) -> Option<&sdk::Schema>;
}
