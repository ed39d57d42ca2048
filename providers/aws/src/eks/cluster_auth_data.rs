//! `data "aws_eks_cluster_auth"`

use sdk::{Cx, DataSource, Model, Result, async_trait};

use super::cluster_auth::token;
use crate::checks::NOT_EMPTY;
use crate::client::Aws;

/// A token for a cluster's API.
#[derive(Clone, Debug, Default, Model)]
pub struct ClusterAuthData {
    #[attr(optional, computed)]
    id: String,
    #[attr(required, valid = NOT_EMPTY)]
    name: String,
    #[attr(computed, sensitive)]
    token: String,
}

#[async_trait]
impl DataSource for ClusterAuthData {
    const NAME: &'static str = "aws_eks_cluster_auth";
    type Context = Aws;

    async fn read(cx: &Cx<Aws>, config: ClusterAuthData) -> Result<ClusterAuthData> {
        let token = token(cx, &config.name).await?;
        Ok(ClusterAuthData { id: config.name.clone(), token, ..config })
    }
}
