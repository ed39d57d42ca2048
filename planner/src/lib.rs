//! Graph, expansion, refresh, diff, plan and apply. Knows no cloud: it sees providers through [`sdk::Provider`].

pub mod apply;
pub mod checks;
mod data;
pub mod decode;
pub mod expansion;
pub mod graph;
pub mod hooks;
mod leftovers;
mod locate;
mod managed;
pub mod objects;
mod outputs;
pub mod plan;
pub mod planfile;
mod planning;
pub mod proposed;
pub mod recover;
mod refresh;
mod relevance;
pub mod scope;
mod selection;
mod sync;
mod triggers;
mod unsupported;
mod validation;
pub mod value_codec;
mod variables;
mod walk;
mod workspace;

pub use apply::{ApplyOptions, ApplyOutcome, Interrupt, apply};
pub use planning::{plan, validate};
pub use workspace::{GivenVariable, PlanOptions, ProviderRegistry, Target, VariableValue, Workspace, module_at};
