//! `import` blocks: objects that exist already come under management.

mod command;
mod generate;
mod read;
mod resolve;
mod validate;

pub use command::import;
pub(crate) use read::{Target, provider_of};
pub(crate) use resolve::Wanted;
pub(crate) use validate::{check_targets, validate, validate_unconfigured};
