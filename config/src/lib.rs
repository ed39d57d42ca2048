//! Directories of `.tf` and `.tf.json` files to a typed module tree; the module installer; version constraints; the lock
//! file.
//!
//! Expressions stay syntax trees here: nothing is evaluated but what Terraform wants constant.

pub mod addresses;
mod assembly;
mod checks;
pub mod generated;
pub mod install;
pub mod loader;
pub mod lock_file;
pub mod manifest;
pub mod module;
mod module_calls;
pub mod module_source;
mod outputs;
mod overrides;
pub mod packages;
pub mod provider_resolution;
pub mod provider_source;
mod provider_validation;
mod providers;
pub mod provisioners;
mod reader;
mod refactoring;
pub mod reference_checks;
pub mod references;
pub mod remote_source;
mod resources;
mod terraform_block;
pub mod test_file;
pub mod tfvars;
mod variables;
pub mod version;

pub use loader::{load_config, load_config_of, load_module};
pub use manifest::{ModuleManifest, ModuleRecord};

/// The version of Terraform whose language this is; `required_version` is checked against it.
pub const TERRAFORM_VERSION: &str = "1.11.4";
