//! CloudWatch Logs.

pub mod log_group;

use sdk::Registry;

use crate::client::Aws;

pub(crate) fn register(registry: &mut Registry<Aws>) {
    registry.resource::<log_group::LogGroup>();
}
