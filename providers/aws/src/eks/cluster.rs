//! `aws_eks_cluster`

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_eks::operation::update_cluster_config::builders::UpdateClusterConfigFluentBuilder;
use aws_sdk_eks::types::{
    AuthenticationMode, Cluster, ClusterStatus, SupportType, UpdateAccessConfigRequest, UpgradePolicyRequest,
    VpcConfigRequest, ZonalShiftConfigRequest,
};
use sdk::{
    Change, Check, Created, Cx, Error, Found, Model, Plan, Resource, Result, ResultExt, Tags, Timeouts, Value, Wait,
    async_trait,
};

use super::cluster_parts::{
    AccessConfig, CertificateAuthority, ComputeConfig, EncryptionConfig, Identity, KubernetesNetworkConfig,
    OutpostConfig, RemoteNetworkConfig, StorageConfig, Switch, UpgradePolicy, VpcConfig, enabled_logs, logging,
};
use super::{PROPAGATED_WITHIN, failed, from_tags, list, seconds, text, to_tags, update_tags, wait_updated};
use crate::checks::{ARN, CLUSTER_NAME};
use crate::client::Aws;
use crate::errors::api;

/// A cluster. Source: EKS `CreateCluster`, `DescribeCluster`: one call per cluster, there is none for many.
#[derive(Clone, Debug, Default, Model)]
#[model(
    conflicts("encryption_config", "outpost_config"),
    conflicts("kubernetes_network_config", "outpost_config"),
    conflicts("remote_network_config", "outpost_config")
)]
#[model(version = 1)]
pub struct EksCluster {
    #[attr(computed)]
    arn: Option<String>,
    #[attr(optional, force_new, default = true)]
    bootstrap_self_managed_addons: Option<bool>,
    #[attr(computed)]
    certificate_authority: Vec<CertificateAuthority>,
    #[attr(computed)]
    cluster_id: Option<String>,
    #[attr(computed)]
    created_at: Option<String>,
    #[attr(optional, valid = Check::Enum(&["api", "audit", "authenticator", "controllerManager", "scheduler"]))]
    enabled_cluster_log_types: Option<BTreeSet<String>>,
    #[attr(computed)]
    endpoint: Option<String>,
    #[attr(optional)]
    force_update_version: Option<bool>,
    #[attr(optional, computed)]
    id: String,
    #[attr(computed)]
    identity: Vec<Identity>,
    #[attr(required, force_new, valid = CLUSTER_NAME)]
    name: String,
    #[attr(computed)]
    platform_version: Option<String>,
    #[attr(required, force_new, valid = ARN)]
    role_arn: String,
    #[attr(computed)]
    status: Option<String>,
    #[attr(optional)]
    tags: Option<Tags>,
    #[attr(optional, computed)]
    tags_all: Tags,
    #[attr(optional, computed)]
    version: Option<String>,
    #[block(list, max = 1, computed)]
    access_config: Vec<AccessConfig>,
    #[block(list, max = 1)]
    compute_config: Vec<ComputeConfig>,
    #[block(list, max = 1)]
    encryption_config: Vec<EncryptionConfig>,
    #[block(list, max = 1, computed)]
    kubernetes_network_config: Vec<KubernetesNetworkConfig>,
    #[block(list, max = 1)]
    outpost_config: Vec<OutpostConfig>,
    #[block(list, max = 1, force_new)]
    remote_network_config: Vec<RemoteNetworkConfig>,
    #[block(list, max = 1)]
    storage_config: Vec<StorageConfig>,
    #[timeouts(create, delete, update)]
    timeouts: Timeouts,
    #[block(list, max = 1, computed)]
    upgrade_policy: Vec<UpgradePolicy>,
    #[block(list, required, max = 1)]
    vpc_config: Vec<VpcConfig>,
    #[block(list, max = 1)]
    zonal_shift_config: Vec<Switch>,
}

const CREATED_WITHIN: Duration = Duration::from_secs(30 * 60);
const UPDATED_WITHIN: Duration = Duration::from_secs(60 * 60);
const DELETED_WITHIN: Duration = Duration::from_secs(15 * 60);
/// Another change of the cluster may be going on for as long.
const FREE_WITHIN: Duration = Duration::from_secs(60 * 60);

#[async_trait]
impl Resource for EksCluster {
    const NAME: &'static str = "aws_eks_cluster";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: EksCluster, created: &Created<'_>) -> Result<EksCluster> {
        let name = planned.name.clone();
        let encryption: Vec<_> = planned.encryption_config.iter().map(EncryptionConfig::request).collect();
        let request = cx
            .eks()
            .create_cluster()
            .name(&name)
            .client_request_token(cx.client_token())
            .role_arn(&planned.role_arn)
            .set_version(text(&planned.version))
            .set_bootstrap_self_managed_addons(planned.bootstrap_self_managed_addons)
            .set_encryption_config((!encryption.is_empty()).then_some(encryption))
            .logging(logging(&planned.enabled_cluster_log_types))
            .set_resources_vpc_config(planned.vpc_config.first().map(VpcConfig::request))
            .set_access_config(planned.access_config.first().map(AccessConfig::request))
            .set_compute_config(planned.compute_config.first().map(ComputeConfig::request))
            .set_kubernetes_network_config(
                planned.kubernetes_network_config.first().map(KubernetesNetworkConfig::request),
            )
            .set_outpost_config(planned.outpost_config.first().map(OutpostConfig::request).transpose()?)
            .set_remote_network_config(planned.remote_network_config.first().map(RemoteNetworkConfig::request))
            .set_storage_config(planned.storage_config.first().map(StorageConfig::request))
            .set_upgrade_policy(planned.upgrade_policy.first().map(upgrade_policy))
            .set_zonal_shift_config(planned.zonal_shift_config.first().map(zonal_shift))
            .set_tags(to_tags(&planned.tags_all));
        let create = || async { request.clone().send().await.map_err(api("EKS", "CreateCluster")) };
        let answer = cx.retry(PROPAGATED_WITHIN, is_unknown_role, create).await;
        let cluster = answer.doing(format!("creating EKS Cluster ({name})"))?.cluster;
        planned.id = cluster.and_then(|cluster| cluster.name).unwrap_or(name);
        created.hand_over(&planned).await;

        Self::settle(cx, &planned).await?;
        Ok(planned)
    }

    async fn settle(cx: &Cx<Aws>, cluster: &EksCluster) -> Result<()> {
        let wait = Wait::until(&["ACTIVE"], cluster.timeouts.create(CREATED_WITHIN)).pending(&["PENDING", "CREATING"]);
        let waited = cx.wait_for(wait, || status(cx, &cluster.id, "ACTIVE")).await;
        waited.doing(format!("waiting for EKS Cluster ({}) create", cluster.id)).map(|_| ())
    }

    async fn read(cx: &Cx<Aws>, prior: EksCluster) -> Result<Option<EksCluster>> {
        let cluster = describe(cx, &prior.id).await.doing(format!("reading EKS Cluster ({})", prior.id))?;
        Ok(cluster.map(|cluster| merged(prior, cluster)))
    }

    async fn update(cx: &Cx<Aws>, change: Change<EksCluster>) -> Result<EksCluster> {
        let Change { prior, planned, .. } = &change;
        let id = &planned.id;
        let timeout = planned.timeouts.update(UPDATED_WITHIN);
        // The version first: what follows may need it.
        if change.of(|cluster| &cluster.version) {
            let request = cx
                .eks()
                .update_cluster_version()
                .name(id)
                .set_version(text(&planned.version))
                .set_force(planned.force_update_version)
                .client_request_token(cx.part_token("version"));
            let answer = request.send().await.map_err(api("EKS", "UpdateClusterVersion"));
            let answer = answer.doing(format!("updating EKS Cluster ({id}) version"))?;
            wait_updated(cx, id, None, answer.update, timeout)
                .await
                .doing(format!("waiting for EKS Cluster ({id}) version update"))?;
        }
        if let (true, Some(access)) = (change.of(|c| &c.access_config), planned.access_config.first()) {
            let mode = text(&access.authentication_mode).as_deref().map(AuthenticationMode::from);
            let access = UpdateAccessConfigRequest::builder().set_authentication_mode(mode).build();
            configure(cx, planned, "access configuration", |request| request.access_config(access)).await?;
        }
        if change.of(|c| &c.compute_config)
            || change.of(|c| &c.kubernetes_network_config)
            || change.of(|c| &c.storage_config)
        {
            let compute = planned.compute_config.first().map(ComputeConfig::request);
            let network = planned.kubernetes_network_config.first().map(KubernetesNetworkConfig::request);
            let storage = planned.storage_config.first().map(StorageConfig::request);
            configure(cx, planned, "compute config", |request| {
                request.set_compute_config(compute).set_kubernetes_network_config(network).set_storage_config(storage)
            })
            .await?;
        }
        if let (true, Some(config)) = (prior.encryption_config.is_empty(), planned.encryption_config.first()) {
            let request = cx
                .eks()
                .associate_encryption_config()
                .cluster_name(id)
                .encryption_config(config.request())
                .client_request_token(cx.part_token("encryption config"));
            let answer = request.send().await.map_err(api("EKS", "AssociateEncryptionConfig"));
            let answer = answer.doing(format!("associating EKS Cluster ({id}) encryption config"))?;
            wait_updated(cx, id, None, answer.update, timeout)
                .await
                .doing(format!("waiting for EKS Cluster ({id}) encryption config association"))?;
        }
        let logs = |cluster: &EksCluster| cluster.enabled_cluster_log_types.clone().unwrap_or_default();
        if logs(prior) != logs(planned) {
            let logging = logging(&planned.enabled_cluster_log_types);
            configure(cx, planned, "logging", |request| request.logging(logging)).await?;
        }
        if let (true, Some(policy)) = (change.of(|c| &c.upgrade_policy), planned.upgrade_policy.first()) {
            let policy = upgrade_policy(policy);
            configure(cx, planned, "upgrade policy", |request| request.upgrade_policy(policy)).await?;
        }
        if let (Some(before), Some(after)) = (prior.vpc_config.first(), planned.vpc_config.first()) {
            update_network(cx, planned, before, after).await?;
        }
        if change.of(|c| &c.zonal_shift_config) {
            let shift = planned.zonal_shift_config.first().map(zonal_shift);
            configure(cx, planned, "zonal shift config", |request| request.set_zonal_shift_config(shift)).await?;
        }
        let arn = planned.arn.as_deref().or(prior.arn.as_deref()).unwrap_or_default();
        update_tags(cx, arn, &prior.tags_all, &planned.tags_all)
            .await
            .doing(format!("updating tags for EKS Cluster ({id})"))?;
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: EksCluster) -> Result<()> {
        let id = &prior.id;
        let delete = || async {
            let answer = cx.eks().delete_cluster().name(id).send().await.map_err(api("EKS", "DeleteCluster"));
            answer.map_err(missing).map(|_| ())
        };
        let busy = |error: &Error| error.is_code_with("ResourceInUseException", "in progress");
        cx.retry(FREE_WITHIN, busy, delete).await.or_gone().doing(format!("deleting EKS Cluster ({id})"))?;
        let wait = Wait::until_gone(prior.timeouts.delete(DELETED_WITHIN)).pending(&["ACTIVE", "DELETING"]);
        let waited = cx.wait_for(wait, || status(cx, id, "")).await;
        waited.doing(format!("waiting for EKS Cluster ({id}) delete")).map(|_| ())
    }

    async fn plan(_cx: &Cx<Aws>, plan: &mut Plan<'_>) -> Result<()> {
        check_auto_mode(plan)?;
        // What is encrypted stays encrypted.
        let blocks = |value: &Value| value.length().unwrap_or_default();
        if blocks(&plan.prior("encryption_config")) == 1 && is_empty(&plan.planned("encryption_config")) {
            plan.replace_on("encryption_config");
        }
        let role = |value: &Value| first(value).and_then(|config| config.get("node_role_arn").cloned());
        let (before, after) = (role(&plan.prior("compute_config")), role(&plan.planned("compute_config")));
        if let (false, Some(before), Some(after)) = (plan.is_create(), before, after) {
            let had_one = before.as_str().is_some_and(|arn| !arn.is_empty());
            if had_one && !before.raw_equals(&after) {
                plan.requires_replace.push(node_role_path());
            }
        }
        Ok(())
    }

    async fn find(cx: &Cx<Aws>, planned: &EksCluster, client_token: &str) -> Result<Found<EksCluster>> {
        Ok(match describe(cx, &planned.name).await? {
            None => Found::Nothing,
            Some(cluster) if cluster.client_request_token.as_deref() == Some(client_token) => {
                Found::Object(Box::new(EksCluster { id: planned.name.clone(), ..planned.clone() }))
            }
            Some(_) => Found::Named(Box::new(EksCluster { id: planned.name.clone(), ..planned.clone() })),
        })
    }

    fn estimate_seconds(operation: sdk::Operation) -> u32 {
        match operation {
            sdk::Operation::Create => 600,
            sdk::Operation::Update => 300,
            sdk::Operation::Delete => 240,
        }
    }

    fn upgrade(_version: u64, mut attributes: serde_json::Value) -> Result<serde_json::Value> {
        // Version 0 didn't know the attribute; leaving it out would replace the cluster.
        if let Some(attributes) = attributes.as_object_mut() {
            attributes.insert("bootstrap_self_managed_addons".to_owned(), true.into());
        }
        Ok(attributes)
    }
}

fn merged(mut known: EksCluster, read: Cluster) -> EksCluster {
    let access = read.access_config.map(|access| AccessConfig::read(access, known.access_config.first()));
    known.access_config = access.into_iter().collect();
    known.arn = Some(read.arn.unwrap_or_default());
    // The API doesn't report it. An imported cluster is taken to have them: `false` would replace it.
    known.bootstrap_self_managed_addons = known.bootstrap_self_managed_addons.or(Some(true));
    let authority = read.certificate_authority.map(|ca| CertificateAuthority { data: ca.data.unwrap_or_default() });
    known.certificate_authority = authority.into_iter().collect();
    if read.outpost_config.is_some() {
        known.cluster_id = Some(read.id.unwrap_or_default());
    }
    known.compute_config = read.compute_config.map(ComputeConfig::read).into_iter().collect();
    known.created_at = seconds(read.created_at);
    known.enabled_cluster_log_types = Some(enabled_logs(read.logging));
    let encryption = read.encryption_config.unwrap_or_default().into_iter();
    known.encryption_config = encryption.map(EncryptionConfig::read).collect();
    known.endpoint = Some(read.endpoint.unwrap_or_default());
    known.identity = read.identity.map(Identity::read).into_iter().collect();
    let network = read.kubernetes_network_config.map(KubernetesNetworkConfig::read);
    known.kubernetes_network_config = network.into_iter().collect();
    known.name = read.name.unwrap_or_default();
    known.outpost_config = read.outpost_config.map(OutpostConfig::read).into_iter().collect();
    known.platform_version = Some(read.platform_version.unwrap_or_default());
    known.remote_network_config = read.remote_network_config.map(RemoteNetworkConfig::read).into_iter().collect();
    known.role_arn = read.role_arn.unwrap_or_default();
    known.status = Some(read.status.map(|status| status.as_str().to_owned()).unwrap_or_default());
    known.storage_config = read.storage_config.map(StorageConfig::read).into_iter().collect();
    let policy = read.upgrade_policy.map(|policy| policy.support_type.map(|s| s.as_str().to_owned()));
    known.upgrade_policy =
        policy.map(|kind| UpgradePolicy { support_type: Some(kind.unwrap_or_default()) }).into_iter().collect();
    known.version = Some(read.version.unwrap_or_default());
    known.vpc_config = read.resources_vpc_config.map(VpcConfig::read).into_iter().collect();
    known.zonal_shift_config = read.zonal_shift_config.map(|shift| Switch::read(shift.enabled)).into_iter().collect();
    known.tags_all = from_tags(read.tags);
    known
}

/// The API can also say so.
fn missing(error: Error) -> Error {
    if error.is_code_with("ClientException", "No cluster found for name:") {
        return error.with_class(sdk::Class::NotFound);
    }
    error
}

/// The cluster; `None` if there is none.
pub(crate) async fn describe(cx: &Cx<Aws>, name: &str) -> Result<Option<Cluster>> {
    let answer = cx.eks().describe_cluster().name(name).send().await.map_err(api("EKS", "DescribeCluster"));
    Ok(answer.map_err(missing).if_found()?.and_then(|answer| answer.cluster))
}

async fn status(cx: &Cx<Aws>, name: &str, wanted: &str) -> Result<Option<((), String)>> {
    let Some(cluster) = describe(cx, name).await? else { return Ok(None) };
    let status = cluster.status.unwrap_or(ClusterStatus::Pending);
    if status == ClusterStatus::Failed {
        let issues = cluster.health.and_then(|health| health.issues).unwrap_or_default().into_iter();
        let issues = issues.map(|issue| {
            let ids = issue.resource_ids.unwrap_or_default().join(", ");
            let code = issue.code.map(|code| code.as_str().to_owned()).unwrap_or_default();
            format!("{ids}: {code}: {}", issue.message.unwrap_or_default())
        });
        return Err(failed(status.as_str(), wanted, issues.collect()));
    }
    Ok(Some(((), status.as_str().to_owned())))
}

/// Whether a create failed because the role, or what it may do, isn't known everywhere yet.
fn is_unknown_role(error: &Error) -> bool {
    [
        "does not exist",
        "Error in role params",
        "Role could not be assumed because the trusted entity is not correct",
        "The provided role doesn't have the Amazon EKS Managed Policies associated with it",
        "IAM role's policy must include",
    ]
    .iter()
    .any(|text| error.is_code_with("InvalidParameterException", text))
}

fn upgrade_policy(policy: &UpgradePolicy) -> UpgradePolicyRequest {
    let kind = text(&policy.support_type).as_deref().map(SupportType::from);
    UpgradePolicyRequest::builder().set_support_type(kind).build()
}

fn zonal_shift(switch: &Switch) -> ZonalShiftConfigRequest {
    ZonalShiftConfigRequest::builder().enabled(switch.on()).build()
}

/// One change of the configuration, and its end: the API takes one kind at a time.
async fn configure(
    cx: &Cx<Aws>,
    cluster: &EksCluster,
    what: &str,
    set: impl FnOnce(UpdateClusterConfigFluentBuilder) -> UpdateClusterConfigFluentBuilder + Send,
) -> Result<()> {
    let id = &cluster.id;
    let request = cx.eks().update_cluster_config().name(id).client_request_token(cx.part_token(what));
    let answer = set(request).send().await.map_err(api("EKS", "UpdateClusterConfig"));
    let answer = answer.doing(format!("updating EKS Cluster ({id}) {what}"))?;
    wait_updated(cx, id, None, answer.update, cluster.timeouts.update(UPDATED_WITHIN))
        .await
        .doing(format!("waiting for EKS Cluster ({id}) {what} update"))
}

async fn update_network(cx: &Cx<Aws>, cluster: &EksCluster, before: &VpcConfig, after: &VpcConfig) -> Result<()> {
    let endpoints = |config: &VpcConfig| {
        let cidrs = config.public_access_cidrs.clone().unwrap_or_default();
        (config.endpoint_private_access, config.endpoint_public_access, cidrs)
    };
    if endpoints(before) != endpoints(after) {
        let config = VpcConfigRequest::builder()
            .set_endpoint_private_access(after.endpoint_private_access)
            .set_endpoint_public_access(after.endpoint_public_access)
            .set_public_access_cidrs(list(&after.public_access_cidrs))
            .build();
        configure(cx, cluster, "VPC configuration", |request| request.resources_vpc_config(config)).await?;
    }
    if before.subnet_ids != after.subnet_ids {
        let subnets = after.subnet_ids.iter().cloned().collect();
        let config = VpcConfigRequest::builder().set_subnet_ids(Some(subnets)).build();
        configure(cx, cluster, "VPC configuration (subnets)", |request| request.resources_vpc_config(config)).await?;
    }
    let groups = |config: &VpcConfig| config.security_group_ids.clone().unwrap_or_default();
    if groups(before) != groups(after) {
        let groups = groups(after).into_iter().collect();
        let config = VpcConfigRequest::builder().set_security_group_ids(Some(groups)).build();
        configure(cx, cluster, "VPC configuration (groups)", |request| request.resources_vpc_config(config)).await?;
    }
    Ok(())
}

/// Nodes, load balancing and storage are managed by EKS together, or not at all.
fn check_auto_mode(plan: &Plan<'_>) -> Result<()> {
    const PARTS: [&str; 3] = ["compute_config", "kubernetes_network_config", "storage_config"];
    if !PARTS.iter().any(|part| plan.changes(part)) {
        return Ok(());
    }
    let switch = |value: Option<&Value>| match value {
        Some(value) if !value.is_known() => None,
        value => Some(value.and_then(Value::as_bool).unwrap_or_default()),
    };
    let nested = |part: &str, block: &str| {
        let value = plan.planned(part);
        let inner = first(&value).and_then(|part| part.get(block)).and_then(first).cloned();
        switch(inner.as_ref().and_then(|inner| inner.get("enabled")))
    };
    let compute = plan.planned("compute_config");
    let all = [
        switch(first(&compute).and_then(|config| config.get("enabled"))),
        nested("kubernetes_network_config", "elastic_load_balancing"),
        nested("storage_config", "block_storage"),
    ];
    let mut known = all.iter().flatten();
    let same = known.next().is_none_or(|one| known.all(|other| other == one));
    if !same {
        return Err(Error::new(
            "compute_config.enabled, kubernetes_networking_config.elastic_load_balancing.enabled, and \
             storage_config.block_storage.enabled must all be set to either true or false",
        ));
    }
    Ok(())
}

fn first(blocks: &Value) -> Option<&Value> {
    blocks.elements().and_then(<[Value]>::first)
}

fn is_empty(blocks: &Value) -> bool {
    blocks.is_known() && blocks.length().unwrap_or_default() == 0
}

fn node_role_path() -> lang::values::Path {
    use lang::values::PathStep;
    let mut path = sdk::attribute_path("compute_config");
    path.0.push(PathStep::Index(Value::number(0)));
    path.0.push(PathStep::Attribute("node_role_arn".into()));
    path
}
