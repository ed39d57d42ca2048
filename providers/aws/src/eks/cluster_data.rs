//! `data "aws_eks_cluster"`

use std::collections::BTreeSet;

use sdk::{Cx, DataSource, Error, Model, Result, ResultExt, Tags, async_trait};

use super::cluster::describe;
use super::cluster_parts::{
    AccessConfig, CertificateAuthority, ComputeConfig, Identity, KubernetesNetworkConfig, OutpostConfig,
    RemoteNetworkConfig, StorageConfig, Switch, UpgradePolicy, VpcConfig, enabled_logs,
};
use super::{from_tags, seconds};
use crate::checks::CLUSTER_NAME;
use crate::client::Aws;

/// A cluster by name. Source: EKS `DescribeCluster`.
#[derive(Clone, Debug, Default, Model)]
pub struct ClusterData {
    #[attr(computed)]
    access_config: Vec<AccessConfig>,
    #[attr(computed)]
    arn: String,
    #[attr(computed)]
    certificate_authority: Vec<CertificateAuthority>,
    #[attr(computed)]
    cluster_id: Option<String>,
    #[attr(computed)]
    compute_config: Vec<ComputeConfig>,
    #[attr(computed)]
    created_at: Option<String>,
    #[attr(computed)]
    enabled_cluster_log_types: BTreeSet<String>,
    #[attr(computed)]
    endpoint: String,
    #[attr(optional, computed)]
    id: String,
    #[attr(computed)]
    identity: Vec<Identity>,
    #[attr(computed)]
    kubernetes_network_config: Vec<KubernetesNetworkConfig>,
    #[attr(required, valid = CLUSTER_NAME)]
    name: String,
    #[attr(computed)]
    outpost_config: Vec<OutpostConfig>,
    #[attr(computed)]
    platform_version: String,
    #[attr(computed)]
    remote_network_config: Vec<RemoteNetworkConfig>,
    #[attr(computed)]
    role_arn: String,
    #[attr(computed)]
    status: String,
    #[attr(computed)]
    storage_config: Vec<StorageConfig>,
    #[attr(optional, computed)]
    tags: Tags,
    #[attr(computed)]
    upgrade_policy: Vec<UpgradePolicy>,
    #[attr(computed)]
    version: String,
    #[attr(computed)]
    vpc_config: Vec<VpcConfig>,
    #[attr(computed)]
    zonal_shift_config: Vec<Switch>,
}

#[async_trait]
impl DataSource for ClusterData {
    const NAME: &'static str = "aws_eks_cluster";
    type Context = Aws;

    async fn read(cx: &Cx<Aws>, config: ClusterData) -> Result<ClusterData> {
        let name = config.name;
        let doing = format!("reading EKS Cluster ({name})");
        let read = describe(cx, &name).await.doing(&doing)?;
        let read = read.ok_or_else(|| Error::not_found(format!("{doing}: couldn't find resource")))?;
        let policy = read.upgrade_policy.map(|policy| UpgradePolicy {
            support_type: Some(policy.support_type.map(|kind| kind.as_str().to_owned()).unwrap_or_default()),
        });
        let authority = read.certificate_authority.map(|ca| CertificateAuthority { data: ca.data.unwrap_or_default() });
        Ok(ClusterData {
            access_config: read.access_config.map(|access| AccessConfig::read(access, None)).into_iter().collect(),
            arn: read.arn.unwrap_or_default(),
            certificate_authority: authority.into_iter().collect(),
            cluster_id: read.outpost_config.as_ref().map(|_| read.id.unwrap_or_default()),
            compute_config: read.compute_config.map(ComputeConfig::read).into_iter().collect(),
            created_at: seconds(read.created_at),
            enabled_cluster_log_types: enabled_logs(read.logging),
            endpoint: read.endpoint.unwrap_or_default(),
            id: name.clone(),
            identity: read.identity.map(Identity::read).into_iter().collect(),
            kubernetes_network_config: read
                .kubernetes_network_config
                .map(KubernetesNetworkConfig::read)
                .into_iter()
                .collect(),
            name,
            outpost_config: read.outpost_config.map(OutpostConfig::read).into_iter().collect(),
            platform_version: read.platform_version.unwrap_or_default(),
            remote_network_config: read.remote_network_config.map(RemoteNetworkConfig::read).into_iter().collect(),
            role_arn: read.role_arn.unwrap_or_default(),
            status: read.status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
            storage_config: read.storage_config.map(StorageConfig::read).into_iter().collect(),
            tags: cx.visible_tags(from_tags(read.tags)),
            upgrade_policy: policy.into_iter().collect(),
            version: read.version.unwrap_or_default(),
            vpc_config: read.resources_vpc_config.map(VpcConfig::read).into_iter().collect(),
            zonal_shift_config: read.zonal_shift_config.map(|s| Switch::read(s.enabled)).into_iter().collect(),
        })
    }
}
