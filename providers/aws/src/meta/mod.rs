//! What is known without asking: regions and partitions.

pub mod partition;
pub mod region;

use sdk::Registry;

use crate::client::Aws;

pub(crate) fn register(registry: &mut Registry<Aws>) {
    registry.data_source::<partition::Partition>().data_source::<region::Region>();
}
