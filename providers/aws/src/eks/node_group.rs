//! `aws_eks_node_group`

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_eks::types::{
    AmiTypes, CapacityTypes, LaunchTemplateSpecification, NodeRepairConfig as ApiRepairConfig, Nodegroup,
    NodegroupScalingConfig, NodegroupStatus, NodegroupUpdateConfig, RemoteAccessConfig, Taint as ApiTaint, TaintEffect,
    UpdateLabelsPayload, UpdateTaintsPayload,
};
use sdk::{
    Change, Check, Created, Cx, Error, Found, Model, Resource, Result, ResultExt, TagChanges, Tags, Timeouts, Wait,
    async_trait,
};

use super::{failed, from_tags, list, number, set, text, to_tags, update_tags, wait_updated};
use crate::checks::{CLUSTER_NAME, NOT_EMPTY};
use crate::client::Aws;
use crate::errors::api;
use crate::names;

/// Nodes that EKS manages. Source: EKS `CreateNodegroup`, `DescribeNodegroup`: one call per group, there is none for many.
#[derive(Clone, Debug, Default, Model)]
#[model(conflicts("node_group_name", "node_group_name_prefix"))]
pub struct NodeGroup {
    #[attr(optional, computed, force_new, valid = Check::Enum(&AMI_TYPES))]
    ami_type: Option<String>,
    #[attr(computed)]
    arn: Option<String>,
    #[attr(optional, computed, force_new, valid = Check::Enum(&["ON_DEMAND", "SPOT", "CAPACITY_BLOCK"]))]
    capacity_type: Option<String>,
    #[attr(required, force_new, valid = CLUSTER_NAME)]
    cluster_name: String,
    #[attr(optional, computed, force_new)]
    disk_size: Option<i64>,
    #[attr(optional)]
    force_update_version: Option<bool>,
    #[attr(optional, computed)]
    id: String,
    #[attr(optional, computed, force_new)]
    instance_types: Option<Vec<String>>,
    #[attr(optional)]
    labels: Option<BTreeMap<String, String>>,
    #[attr(optional, computed, force_new, valid = Check::Length(0, 63))]
    node_group_name: Option<String>,
    #[attr(optional, computed, force_new, valid = Check::Length(0, 37))]
    node_group_name_prefix: Option<String>,
    #[attr(required, force_new, valid = NOT_EMPTY)]
    node_role_arn: String,
    #[attr(optional, computed)]
    release_version: Option<String>,
    #[attr(computed)]
    resources: Vec<Resources>,
    #[attr(computed)]
    status: Option<String>,
    #[attr(required, force_new)]
    subnet_ids: BTreeSet<String>,
    #[attr(optional)]
    tags: Option<Tags>,
    #[attr(optional, computed)]
    tags_all: Tags,
    #[attr(optional, computed)]
    version: Option<String>,
    #[block(list, max = 1)]
    launch_template: Vec<LaunchTemplate>,
    #[block(list, max = 1, computed)]
    node_repair_config: Vec<NodeRepairConfig>,
    #[block(list, max = 1, force_new)]
    remote_access: Vec<RemoteAccess>,
    #[block(list, required, max = 1)]
    scaling_config: Vec<ScalingConfig>,
    #[block(set, max = 50)]
    taint: Vec<Taint>,
    #[timeouts(create, delete, update)]
    timeouts: Timeouts,
    #[block(list, max = 1, computed)]
    update_config: Vec<UpdateConfig>,
}

/// An element of `resources`.
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct Resources {
    #[attr(computed)]
    autoscaling_groups: Vec<AutoscalingGroup>,
    #[attr(computed)]
    remote_access_security_group_id: String,
}

/// An element of `resources.autoscaling_groups`.
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct AutoscalingGroup {
    #[attr(computed)]
    name: String,
}

/// `launch_template { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
#[model(conflicts("id", "name"))]
pub struct LaunchTemplate {
    #[attr(optional, computed, force_new, valid = Check::Text(launch_template_id))]
    id: Option<String>,
    #[attr(optional, computed, force_new, valid = Check::Text(launch_template_name))]
    name: Option<String>,
    #[attr(required, valid = Check::Length(1, 255))]
    version: String,
}

/// `node_repair_config { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct NodeRepairConfig {
    #[attr(optional, default = false)]
    enabled: Option<bool>,
}

/// `remote_access { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct RemoteAccess {
    #[attr(optional, force_new)]
    ec2_ssh_key: Option<String>,
    #[attr(optional, force_new)]
    source_security_group_ids: Option<BTreeSet<String>>,
}

/// `scaling_config { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct ScalingConfig {
    #[attr(required, valid = Check::AtLeast(0))]
    desired_size: i64,
    #[attr(required, valid = Check::AtLeast(1))]
    max_size: i64,
    #[attr(required, valid = Check::AtLeast(0))]
    min_size: i64,
}

/// `taint { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct Taint {
    #[attr(required, valid = Check::Enum(&["NO_SCHEDULE", "NO_EXECUTE", "PREFER_NO_SCHEDULE"]))]
    effect: String,
    #[attr(required, valid = Check::Length(1, 63))]
    key: String,
    #[attr(optional, valid = Check::Length(0, 63))]
    value: Option<String>,
}

/// `update_config { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
#[model(exactly_one_of("max_unavailable", "max_unavailable_percentage"))]
pub struct UpdateConfig {
    #[attr(optional, valid = Check::Between(1, 100))]
    max_unavailable: Option<i64>,
    #[attr(optional, valid = Check::Between(1, 100))]
    max_unavailable_percentage: Option<i64>,
}

const DONE_WITHIN: Duration = Duration::from_secs(60 * 60);

/// The kinds of image that nodes start from.
#[rustfmt::skip]
const AMI_TYPES: [&str; 19] = [
    "AL2_x86_64", "AL2_x86_64_GPU", "AL2_ARM_64", "CUSTOM", "BOTTLEROCKET_ARM_64", "BOTTLEROCKET_x86_64",
    "BOTTLEROCKET_ARM_64_FIPS", "BOTTLEROCKET_x86_64_FIPS", "BOTTLEROCKET_ARM_64_NVIDIA", "BOTTLEROCKET_x86_64_NVIDIA",
    "WINDOWS_CORE_2019_x86_64", "WINDOWS_FULL_2019_x86_64", "WINDOWS_CORE_2022_x86_64", "WINDOWS_FULL_2022_x86_64",
    "AL2023_x86_64_STANDARD", "AL2023_ARM_64_STANDARD", "AL2023_x86_64_NEURON", "AL2023_x86_64_NVIDIA",
    "AL2023_ARM_64_NVIDIA",
];

fn launch_template_id(key: &str, text: &str) -> Vec<String> {
    let id = text.strip_prefix("lt-").is_some_and(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric()));
    match text.len() {
        0 => vec![format!("{key:?} cannot be shorter than 1 character")],
        256.. => vec![format!("{key:?} cannot be longer than 255 characters")],
        _ if id => Vec::new(),
        _ => vec![format!("{key:?} must begin with 'lt-' and be comprised of only alphanumeric characters: {text}")],
    }
}

fn launch_template_name(key: &str, text: &str) -> Vec<String> {
    match text.len() {
        0..3 => vec![format!("{key:?} cannot be less than 3 characters")],
        126.. => vec![format!("{key:?} cannot be longer than 125 characters")],
        _ if text.chars().all(|c| c.is_ascii_alphanumeric() || "()./_-".contains(c)) => Vec::new(),
        _ => vec![format!("{key:?} can only alphanumeric characters and ()./_- symbols")],
    }
}

#[async_trait]
impl Resource for NodeGroup {
    const NAME: &'static str = "aws_eks_node_group";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: NodeGroup, created: &Created<'_>) -> Result<NodeGroup> {
        let name = name_of(&planned, cx.client_token());
        let id = format!("{}:{name}", planned.cluster_name);
        let taints: Vec<ApiTaint> = planned.taint.iter().map(Taint::request).collect();
        let labels = planned.labels.clone().filter(|labels| !labels.is_empty());
        let request = cx
            .eks()
            .create_nodegroup()
            .client_request_token(cx.client_token())
            .cluster_name(&planned.cluster_name)
            .nodegroup_name(&name)
            .node_role(&planned.node_role_arn)
            .set_subnets(Some(planned.subnet_ids.iter().cloned().collect()))
            .set_ami_type(text(&planned.ami_type).as_deref().map(AmiTypes::from))
            .set_capacity_type(text(&planned.capacity_type).as_deref().map(CapacityTypes::from))
            .set_disk_size(number(planned.disk_size))
            .set_instance_types(planned.instance_types.clone().filter(|types| !types.is_empty()))
            .set_labels(labels.map(|labels| labels.into_iter().collect()))
            .set_launch_template(planned.launch_template.first().map(LaunchTemplate::request))
            .set_node_repair_config(planned.node_repair_config.first().map(NodeRepairConfig::request))
            .set_release_version(text(&planned.release_version))
            .set_remote_access(planned.remote_access.first().map(RemoteAccess::request))
            .set_scaling_config(planned.scaling_config.first().map(ScalingConfig::request))
            .set_taints((!taints.is_empty()).then_some(taints))
            .set_update_config(planned.update_config.first().map(UpdateConfig::request))
            .set_version(text(&planned.version))
            .set_tags(to_tags(&planned.tags_all));
        let answer = request.send().await.map_err(api("EKS", "CreateNodegroup"));
        answer.doing(format!("creating EKS Node Group ({id})"))?;
        planned.id.clone_from(&id);
        planned.node_group_name = Some(name.clone());
        created.hand_over(&planned).await;

        Self::settle(cx, &planned).await?;
        Ok(planned)
    }

    async fn settle(cx: &Cx<Aws>, group: &NodeGroup) -> Result<()> {
        let (cluster, name) = parts(&group.id)?;
        let wait = Wait::until(&["ACTIVE"], group.timeouts.create(DONE_WITHIN)).pending(&["CREATING"]);
        let waited = cx.wait_for(wait, || status(cx, cluster, name, "ACTIVE")).await;
        waited.doing(format!("waiting for EKS Node Group ({}) create", group.id)).map(|_| ())
    }

    async fn read(cx: &Cx<Aws>, prior: NodeGroup) -> Result<Option<NodeGroup>> {
        let (cluster, name) = parts(&prior.id)?;
        let group = describe(cx, cluster, name).await.doing(format!("reading EKS Node Group ({})", prior.id))?;
        Ok(group.map(|group| merged(prior, group)))
    }

    async fn update(cx: &Cx<Aws>, change: Change<NodeGroup>) -> Result<NodeGroup> {
        let Change { prior, planned, .. } = &change;
        let id = &planned.id;
        let (cluster, name) = parts(id)?;
        let timeout = planned.timeouts.update(DONE_WITHIN);
        // The version first.
        let released = change.of(|group| &group.release_version);
        let versioned = change.of(|group| &group.version);
        if released || versioned || change.of(|group| &group.launch_template) {
            let before = prior.launch_template.first();
            let template = planned.launch_template.first().map(|template| template.update(before));
            let request = cx
                .eks()
                .update_nodegroup_version()
                .client_request_token(cx.part_token("version"))
                .cluster_name(cluster)
                .nodegroup_name(name)
                .force(planned.force_update_version.unwrap_or_default())
                .set_launch_template(template)
                .set_release_version(text(&planned.release_version).filter(|_| released))
                .set_version(text(&planned.version).filter(|_| versioned));
            let answer = request.send().await.map_err(api("EKS", "UpdateNodegroupVersion"));
            let answer = answer.doing(format!("updating EKS Node Group ({id}) version"))?;
            wait_updated(cx, cluster, Some(name), answer.update, timeout)
                .await
                .doing(format!("waiting for EKS Node Group ({id}) version update"))?;
        }
        let labels = labels_payload(prior, planned);
        let taints = taints_payload(&prior.taint, &planned.taint);
        let scaling = planned.scaling_config.first().filter(|_| change.of(|group| &group.scaling_config));
        let updating = planned.update_config.first().filter(|_| change.of(|group| &group.update_config));
        let repair = planned.node_repair_config.first().filter(|_| change.of(|group| &group.node_repair_config));
        if labels.is_some() || taints.is_some() || scaling.is_some() || updating.is_some() || repair.is_some() {
            let request = cx
                .eks()
                .update_nodegroup_config()
                .client_request_token(cx.part_token("config"))
                .cluster_name(cluster)
                .nodegroup_name(name)
                .set_labels(labels)
                .set_taints(taints)
                .set_node_repair_config(repair.map(NodeRepairConfig::request))
                .set_scaling_config(scaling.map(ScalingConfig::request))
                .set_update_config(updating.map(UpdateConfig::request));
            let answer = request.send().await.map_err(api("EKS", "UpdateNodegroupConfig"));
            let answer = answer.doing(format!("updating EKS Node Group ({id}) config"))?;
            wait_updated(cx, cluster, Some(name), answer.update, timeout)
                .await
                .doing(format!("waiting for EKS Node Group ({id}) config update"))?;
        }
        let arn = planned.arn.as_deref().or(prior.arn.as_deref()).unwrap_or_default();
        update_tags(cx, arn, &prior.tags_all, &planned.tags_all)
            .await
            .doing(format!("updating tags for EKS Node Group ({id})"))?;
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: NodeGroup) -> Result<()> {
        let id = &prior.id;
        let (cluster, name) = parts(id)?;
        let request = cx.eks().delete_nodegroup().cluster_name(cluster).nodegroup_name(name);
        let answer = request.send().await.map_err(api("EKS", "DeleteNodegroup"));
        answer.or_gone().doing(format!("deleting EKS Node Group ({id})"))?;
        let wait = Wait::until_gone(prior.timeouts.delete(DONE_WITHIN)).pending(&["ACTIVE", "DELETING"]);
        let waited = cx.wait_for(wait, || status(cx, cluster, name, "")).await;
        waited.doing(format!("waiting for EKS Node Group ({id}) delete")).map(|_| ())
    }

    async fn find(cx: &Cx<Aws>, planned: &NodeGroup, client_token: &str) -> Result<Found<NodeGroup>> {
        let name = name_of(planned, client_token);
        let made_up = planned.node_group_name.as_deref().unwrap_or_default().is_empty();
        let id = format!("{}:{name}", planned.cluster_name);
        Ok(match describe(cx, &planned.cluster_name, &name).await? {
            None => Found::Nothing,
            Some(_) if made_up => Found::Object(Box::new(NodeGroup { id, ..planned.clone() })),
            Some(_) => Found::Named(Box::new(NodeGroup { id, ..planned.clone() })),
        })
    }

    fn estimate_seconds(operation: sdk::Operation) -> u32 {
        match operation {
            sdk::Operation::Create => 120,
            sdk::Operation::Update => 300,
            sdk::Operation::Delete => 240,
        }
    }
}

fn name_of(group: &NodeGroup, client_token: &str) -> String {
    names::unique(group.node_group_name.as_deref(), group.node_group_name_prefix.as_deref(), client_token)
}

/// Cluster and group from an id.
fn parts(id: &str) -> Result<(&str, &str)> {
    id.split_once(':')
        .filter(|(cluster, name)| !cluster.is_empty() && !name.is_empty())
        .ok_or_else(|| Error::new(format!("unexpected format for ID ({id}), expected cluster-name:node-group-name")))
}

/// The group; `None` if there is none.
pub(crate) async fn describe(cx: &Cx<Aws>, cluster: &str, name: &str) -> Result<Option<Nodegroup>> {
    let request = cx.eks().describe_nodegroup().cluster_name(cluster).nodegroup_name(name);
    let answer = request.send().await.map_err(api("EKS", "DescribeNodegroup")).if_found()?;
    Ok(answer.and_then(|answer| answer.nodegroup))
}

async fn status(cx: &Cx<Aws>, cluster: &str, name: &str, wanted: &str) -> Result<Option<((), String)>> {
    let Some(group) = describe(cx, cluster, name).await? else { return Ok(None) };
    let status = group.status.unwrap_or(NodegroupStatus::Creating);
    if matches!(status, NodegroupStatus::CreateFailed | NodegroupStatus::DeleteFailed) {
        let issues = group.health.and_then(|health| health.issues).unwrap_or_default().into_iter();
        let issues = issues.map(|issue| {
            let ids = issue.resource_ids.unwrap_or_default().join(", ");
            let code = issue.code.map(|code| code.as_str().to_owned()).unwrap_or_default();
            format!("{ids}: {code}: {}", issue.message.unwrap_or_default())
        });
        return Err(failed(status.as_str(), wanted, issues.collect()));
    }
    Ok(Some(((), status.as_str().to_owned())))
}

fn merged(mut known: NodeGroup, read: Nodegroup) -> NodeGroup {
    known.ami_type = Some(read.ami_type.map(|kind| kind.as_str().to_owned()).unwrap_or_default());
    known.arn = Some(read.nodegroup_arn.unwrap_or_default());
    known.capacity_type = Some(read.capacity_type.map(|kind| kind.as_str().to_owned()).unwrap_or_default());
    known.cluster_name = read.cluster_name.unwrap_or_default();
    known.disk_size = Some(read.disk_size.map(i64::from).unwrap_or_default());
    known.instance_types = Some(read.instance_types.unwrap_or_default());
    known.labels = Some(read.labels.unwrap_or_default().into_iter().collect());
    known.launch_template = read.launch_template.map(LaunchTemplate::read).into_iter().collect();
    let name = read.nodegroup_name.unwrap_or_default();
    known.node_group_name_prefix = Some(names::prefix_of(&name).to_owned());
    known.node_group_name = Some(name);
    let repair = read.node_repair_config.map(|config| NodeRepairConfig { enabled: config.enabled });
    known.node_repair_config = repair.into_iter().collect();
    known.node_role_arn = read.node_role.unwrap_or_default();
    known.release_version = Some(read.release_version.unwrap_or_default());
    known.remote_access = read.remote_access.map(RemoteAccess::read).into_iter().collect();
    known.resources = read.resources.map(Resources::read).into_iter().collect();
    known.scaling_config = read.scaling_config.map(ScalingConfig::read).into_iter().collect();
    known.status = Some(read.status.map(|status| status.as_str().to_owned()).unwrap_or_default());
    known.subnet_ids = read.subnets.unwrap_or_default().into_iter().collect();
    known.taint = read.taints.unwrap_or_default().into_iter().map(Taint::read).collect();
    let updating = read.update_config.map(|config| UpdateConfig {
        max_unavailable: config.max_unavailable.map(i64::from),
        max_unavailable_percentage: config.max_unavailable_percentage.map(i64::from),
    });
    known.update_config = updating.into_iter().collect();
    known.version = Some(read.version.unwrap_or_default());
    known.tags_all = from_tags(read.tags);
    known
}

impl Resources {
    pub(crate) fn read(read: aws_sdk_eks::types::NodegroupResources) -> Resources {
        let groups = read.auto_scaling_groups.unwrap_or_default().into_iter();
        Resources {
            autoscaling_groups: groups.map(|g| AutoscalingGroup { name: g.name.unwrap_or_default() }).collect(),
            remote_access_security_group_id: read.remote_access_security_group.unwrap_or_default(),
        }
    }
}

impl LaunchTemplate {
    fn request(&self) -> LaunchTemplateSpecification {
        LaunchTemplateSpecification::builder()
            .set_id(text(&self.id))
            .set_name(text(&self.name))
            .version(&self.version)
            .build()
    }

    /// The API reports id and name, but takes only one: the one that was changed, or else the id.
    fn update(&self, before: Option<&LaunchTemplate>) -> LaunchTemplateSpecification {
        let mut template = self.request();
        let same_name = before.is_some_and(|before| before.name == self.name);
        let same_id = before.is_some_and(|before| before.id == self.id);
        if template.id.is_some() && template.name.is_some() && same_name {
            template.name = None;
        }
        if template.id.is_some() && template.name.is_some() && same_id {
            template.id = None;
        }
        template
    }

    pub(crate) fn read(read: LaunchTemplateSpecification) -> LaunchTemplate {
        LaunchTemplate { id: read.id, name: read.name, version: read.version.unwrap_or_default() }
    }
}

impl NodeRepairConfig {
    fn request(&self) -> ApiRepairConfig {
        ApiRepairConfig::builder().enabled(self.enabled.unwrap_or_default()).build()
    }
}

impl RemoteAccess {
    fn request(&self) -> RemoteAccessConfig {
        RemoteAccessConfig::builder()
            .set_ec2_ssh_key(text(&self.ec2_ssh_key))
            .set_source_security_groups(list(&self.source_security_group_ids))
            .build()
    }

    pub(crate) fn read(read: RemoteAccessConfig) -> RemoteAccess {
        RemoteAccess {
            ec2_ssh_key: Some(read.ec2_ssh_key.unwrap_or_default()),
            source_security_group_ids: set(read.source_security_groups),
        }
    }
}

impl ScalingConfig {
    fn request(&self) -> NodegroupScalingConfig {
        NodegroupScalingConfig::builder()
            .set_desired_size(i32::try_from(self.desired_size).ok())
            .set_max_size(number(Some(self.max_size)))
            .set_min_size(i32::try_from(self.min_size).ok())
            .build()
    }

    pub(crate) fn read(read: NodegroupScalingConfig) -> ScalingConfig {
        let size = |size: Option<i32>| size.map(i64::from).unwrap_or_default();
        ScalingConfig {
            desired_size: size(read.desired_size),
            max_size: size(read.max_size),
            min_size: size(read.min_size),
        }
    }
}

impl Taint {
    fn request(&self) -> ApiTaint {
        ApiTaint::builder()
            .key(&self.key)
            .value(self.value.as_deref().unwrap_or_default())
            .effect(TaintEffect::from(self.effect.as_str()))
            .build()
    }

    pub(crate) fn read(read: ApiTaint) -> Taint {
        Taint {
            effect: read.effect.map(|effect| effect.as_str().to_owned()).unwrap_or_default(),
            key: read.key.unwrap_or_default(),
            value: Some(read.value.unwrap_or_default()),
        }
    }
}

impl UpdateConfig {
    fn request(&self) -> NodegroupUpdateConfig {
        NodegroupUpdateConfig::builder()
            .set_max_unavailable(number(self.max_unavailable))
            .set_max_unavailable_percentage(number(self.max_unavailable_percentage))
            .build()
    }
}

fn labels_payload(before: &NodeGroup, after: &NodeGroup) -> Option<UpdateLabelsPayload> {
    let labels = |group: &NodeGroup| group.labels.clone().unwrap_or_default();
    let changes = TagChanges::between(&labels(before), &labels(after));
    let TagChanges { set, removed } = &changes;
    (!changes.is_empty()).then(|| {
        UpdateLabelsPayload::builder()
            .set_add_or_update_labels((!set.is_empty()).then(|| set.clone().into_iter().collect()))
            .set_remove_labels((!removed.is_empty()).then(|| removed.clone()))
            .build()
    })
}

/// A taint is known by key and effect: one whose value changes is updated, not removed.
fn taints_payload(before: &[Taint], after: &[Taint]) -> Option<UpdateTaintsPayload> {
    let requests = |taints: &[Taint]| taints.iter().map(Taint::request).collect::<Vec<_>>();
    let (before, after) = (requests(before), requests(after));
    let same = |a: &ApiTaint, b: &ApiTaint| a.key == b.key && a.effect == b.effect;
    let kept = |old: &ApiTaint| after.iter().any(|new| same(old, new));
    let removed: Vec<ApiTaint> = before.iter().filter(|old| !kept(old)).cloned().collect();
    let updated: Vec<ApiTaint> = after.iter().filter(|new| !before.contains(new)).cloned().collect();
    if removed.is_empty() && updated.is_empty() {
        return None;
    }
    let payload = UpdateTaintsPayload::builder()
        .set_remove_taints((!removed.is_empty()).then_some(removed))
        .set_add_or_update_taints((!updated.is_empty()).then_some(updated));
    Some(payload.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taint(key: &str, value: &str) -> Taint {
        Taint { effect: "NO_SCHEDULE".to_owned(), key: key.to_owned(), value: Some(value.to_owned()) }
    }

    #[test]
    fn a_taint_with_another_value_is_updated() {
        let (before, after) = ([taint("a", "1"), taint("b", "1")], [taint("a", "2"), taint("c", "1")]);
        let payload = taints_payload(&before, &after).expect("changes");
        assert_eq!(payload.remove_taints(), [taint("b", "1").request()]);
        assert_eq!(payload.add_or_update_taints(), [taint("a", "2").request(), taint("c", "1").request()]);
        assert!(taints_payload(&before, &before).is_none());
    }

    #[test]
    fn a_launch_template_is_named_by_what_changed() {
        let known = LaunchTemplate { id: Some("lt-1".into()), name: Some("n".into()), version: "1".into() };
        let other = LaunchTemplate { version: "2".into(), ..known.clone() };
        let sent = other.update(Some(&known));
        assert_eq!((sent.id(), sent.name(), sent.version()), (Some("lt-1"), None, Some("2")));
        let renamed = LaunchTemplate { name: Some("m".into()), ..known.clone() };
        let sent = renamed.update(Some(&known));
        assert_eq!((sent.id(), sent.name()), (None, Some("m")));
    }
}
