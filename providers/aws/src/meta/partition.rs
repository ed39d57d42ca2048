//! `data "aws_partition"`

use sdk::{Cx, DataSource, Model, Result, async_trait};

use crate::client::Aws;

/// The partition of the provider's region. Makes no call.
#[derive(Clone, Debug, Default, Model)]
pub struct Partition {
    #[attr(computed)]
    dns_suffix: String,
    #[attr(optional, computed)]
    id: String,
    #[attr(computed)]
    partition: String,
    #[attr(computed)]
    reverse_dns_prefix: String,
}

#[async_trait]
impl DataSource for Partition {
    const NAME: &'static str = "aws_partition";
    const PURE: bool = true;
    type Context = Aws;

    async fn read(cx: &Cx<Aws>, _config: Partition) -> Result<Partition> {
        let suffix = cx.dns_suffix();
        Ok(Partition {
            dns_suffix: suffix.to_owned(),
            id: cx.partition().to_owned(),
            partition: cx.partition().to_owned(),
            reverse_dns_prefix: suffix.rsplit('.').collect::<Vec<_>>().join("."),
        })
    }
}
