//! KMS.

pub mod alias;
pub mod key;

use std::time::Duration;

use sdk::Registry;

use crate::client::Aws;

/// How long a change may take to be seen everywhere.
pub(crate) const PROPAGATED_WITHIN: Duration = Duration::from_secs(120);

pub(crate) fn register(registry: &mut Registry<Aws>) {
    registry.resource::<alias::KmsAlias>();
    registry.resource::<key::KmsKey>();
}
