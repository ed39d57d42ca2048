//! Graph, expansion, refresh, diff, plan and apply. Knows no cloud: it sees providers through [`sdk::Provider`].

pub mod apply;
pub mod checks;
mod data;
pub mod decode;
mod deferral;
mod ephemerals;
pub mod expansion;
mod flatmap;
mod functions;
pub mod graph;
pub mod hooks;
mod imports;
mod interrupt;
mod leftovers;
mod locate;
mod managed;
mod moves;
pub mod objects;
pub mod outlook;
mod outputs;
pub mod plan;
pub mod planfile;
mod planning;
pub mod proposed;
mod provisioners;
pub mod provisioning;
pub mod recover;
mod reference_check;
mod refresh;
mod relevance;
mod removed;
mod requirements;
mod schema_path;
pub mod scope;
mod selection;
mod self_references;
pub mod staleness;
mod static_scope;
mod stored_providers;
mod sync;
mod triggers;
mod validation;
pub mod value_codec;
mod variables;
mod waiting;
mod walk;
mod workspace;
mod write_only;

pub use apply::{ApplyOptions, ApplyOutcome, apply, check_order};
pub use imports::import;
pub use interrupt::Interrupt;
pub use planning::{plan, planning_functions, validate};
pub use selection::partial_apply_warning;
pub use static_scope::with_static_scope;
pub use variables::{fitted as fitted_value, given as given_value};
pub use workspace::{
    GivenVariable, InstanceStandIn, PlanOptions, ProviderRegistry, StandIns, Target, VariableValue, Workspace,
    module_at,
};
