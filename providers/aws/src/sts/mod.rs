//! STS: who the credentials belong to.

pub mod caller_identity;

use sdk::Registry;

use crate::client::Aws;

pub(crate) fn register(registry: &mut Registry<Aws>) {
    registry.data_source::<caller_identity::CallerIdentity>();
}
