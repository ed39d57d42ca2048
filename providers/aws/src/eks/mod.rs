//! EKS.

pub mod cluster;
pub mod cluster_auth;
pub mod cluster_auth_data;
pub mod cluster_data;
pub mod cluster_parts;
pub mod node_group;
pub mod node_group_data;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_eks::types::{Update, UpdateStatus};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use sdk::{Cx, Error, Registry, Result, ResultExt, TagChanges, Tags, Wait};

use crate::client::Aws;
use crate::errors::api;

/// How long a new principal may take to be known everywhere.
pub(crate) const PROPAGATED_WITHIN: Duration = Duration::from_secs(120);

pub(crate) fn register(registry: &mut Registry<Aws>) {
    registry.resource::<cluster::EksCluster>();
    registry.resource::<node_group::NodeGroup>();
    registry.data_source::<cluster_data::ClusterData>();
    registry.data_source::<cluster_auth_data::ClusterAuthData>();
    registry.ephemeral_resource::<cluster_auth::ClusterAuth>();
    registry.data_source::<node_group_data::NodeGroupData>();
    registry.data_source::<node_group_data::NodeGroupsData>();
}

/// A text, unless it is null or empty.
pub(crate) fn text(value: &Option<String>) -> Option<String> {
    value.clone().filter(|text| !text.is_empty())
}

/// A list for the API, unless it is null or empty.
pub(crate) fn list(set: &Option<BTreeSet<String>>) -> Option<Vec<String>> {
    set.as_ref().filter(|set| !set.is_empty()).map(|set| set.iter().cloned().collect())
}

/// A set from the API; empty where it reports none.
pub(crate) fn set(list: Option<Vec<String>>) -> Option<BTreeSet<String>> {
    Some(list.unwrap_or_default().into_iter().collect())
}

/// A number for the API, unless it is null or zero.
pub(crate) fn number(value: Option<i64>) -> Option<i32> {
    value.filter(|number| *number != 0).and_then(|number| i32::try_from(number).ok())
}

/// Whole seconds, as Terraform stores times.
pub(crate) fn seconds(time: Option<DateTime>) -> Option<String> {
    time.and_then(|time| DateTime::from_secs(time.secs()).fmt(Format::DateTime).ok())
}

/// Tags as the API takes them; `None` if there are none.
pub(crate) fn to_tags(tags: &Tags) -> Option<HashMap<String, String>> {
    (!tags.is_empty()).then(|| tags.clone().into_iter().collect())
}

/// Tags as the API reports them.
pub(crate) fn from_tags(tags: Option<HashMap<String, String>>) -> Tags {
    tags.unwrap_or_default().into_iter().collect()
}

/// Brings the tags of an object from one set to another.
pub(crate) async fn update_tags(cx: &Cx<Aws>, arn: &str, before: &Tags, after: &Tags) -> Result<()> {
    let changes = TagChanges::between(before, after);
    if !changes.removed.is_empty() {
        let request = cx.eks().untag_resource().resource_arn(arn).set_tag_keys(Some(changes.removed));
        request.send().await.map_err(api("EKS", "UntagResource"))?;
    }
    if !changes.set.is_empty() {
        let request = cx.eks().tag_resource().resource_arn(arn).set_tags(to_tags(&changes.set));
        request.send().await.map_err(api("EKS", "TagResource"))?;
    }
    Ok(())
}

/// Waits until an update of a cluster, or of one of its node groups, is done; answers with the update's id for messages.
pub(crate) async fn wait_updated(
    cx: &Cx<Aws>,
    cluster: &str,
    node_group: Option<&str>,
    update: Option<Update>,
    timeout: Duration,
) -> Result<()> {
    let id = update.and_then(|update| update.id).unwrap_or_default();
    let poll = || async {
        let request = cx.eks().describe_update().name(cluster).update_id(&id);
        let request = request.set_nodegroup_name(node_group.map(str::to_owned));
        let answer = request.send().await.map_err(api("EKS", "DescribeUpdate")).if_found()?;
        let Some(update) = answer.and_then(|answer| answer.update) else { return Ok(None) };
        let status = update.status.unwrap_or(UpdateStatus::InProgress);
        if matches!(status, UpdateStatus::Failed | UpdateStatus::Cancelled) {
            let causes = update.errors.unwrap_or_default().into_iter().map(|cause| {
                let ids = cause.resource_ids.unwrap_or_default().join(", ");
                let code = cause.error_code.map(|code| code.as_str().to_owned()).unwrap_or_default();
                format!("{ids}: {code}: {}", cause.error_message.unwrap_or_default())
            });
            return Err(failed(status.as_str(), "Successful", causes.collect()));
        }
        Ok(Some(((), status.as_str().to_owned())))
    };
    cx.wait_for(Wait::until(&["Successful"], timeout).pending(&["InProgress"]), poll)
        .await
        .map_err(|error| error.hint(format!("The id of the update is {id}.")))
        .map(|_| ())
}

/// An object is in a state from which it won't get where it is to be; with what the service says about it.
pub(crate) fn failed(state: &str, wanted: &str, causes: Vec<String>) -> Error {
    let last = if causes.is_empty() { String::new() } else { format!(". last error: {}", causes.join("\n")) };
    Error::new(format!("unexpected state '{state}', wanted target '{wanted}'{last}"))
}
