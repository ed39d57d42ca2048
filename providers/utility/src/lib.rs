//! Providers without a cloud: `terraform.io/builtin/terraform` with `terraform_data`.

mod builtin;
mod terraform_data;

pub use builtin::Builtin;
