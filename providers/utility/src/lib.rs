//! Providers without a cloud: `terraform.io/builtin/terraform` with `terraform_data`.

mod builtin;
mod remote_state;
mod terraform_data;

pub use builtin::Builtin;
pub use remote_state::StateReader;
