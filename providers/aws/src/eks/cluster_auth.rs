//! `ephemeral "aws_eks_cluster_auth"`, and the token that it and the data source of this name are about.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sdk::{Cx, EphemeralResource, Model, Opened, Result, ResultExt, async_trait};

use crate::client::Aws;

/// For how long the request in a token may be sent. The cluster takes the token for a quarter of an hour all the same.
const EXPIRES_IN: Duration = Duration::from_secs(60);

/// A token for a cluster's API. Source: a presigned STS `GetCallerIdentity`, as `aws eks get-token` makes it; no call.
#[derive(Clone, Debug, Default, Model)]
#[model(framework)]
pub struct ClusterAuth {
    #[attr(required)]
    name: String,
    #[attr(computed, sensitive)]
    token: String,
}

#[async_trait]
impl EphemeralResource for ClusterAuth {
    const NAME: &'static str = "aws_eks_cluster_auth";
    type Context = Aws;

    async fn open(cx: &Cx<Aws>, config: ClusterAuth) -> Result<Opened<ClusterAuth>> {
        let token = token(cx, &config.name).await?;
        Ok(ClusterAuth { token, ..config }.into())
    }
}

/// A token for the cluster of this name.
pub(crate) async fn token(cx: &Cx<Aws>, cluster: &str) -> Result<String> {
    let url = cx.presigned_identity(("x-k8s-aws-id", cluster), EXPIRES_IN).await;
    let url = url.doing(format!("getting a token for EKS Cluster ({cluster})"))?;
    Ok(format!("k8s-aws-v1.{}", URL_SAFE_NO_PAD.encode(url)))
}
