//! EC2's networks.

pub mod vpc;

use std::time::Duration;

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use sdk::{Cx, Registry, Result, TagChanges, Tags};

use crate::client::Aws;
use crate::errors::api;

/// How many ids a filter may hold.
pub(crate) const IDS_PER_CALL: usize = 200;

/// How long to wait for what depends on an object to be gone before the object itself can be removed.
pub(crate) const DEPENDENTS_GONE_WITHIN: Duration = Duration::from_secs(300);

pub(crate) fn register(registry: &mut Registry<Aws>) {
    registry.resource::<vpc::Vpc>();
}

/// A filter: the name and any of the values.
pub(crate) fn filter(name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().map(Into::into).collect())).build()
}

/// The tags of a new object; `None` if there are none.
pub(crate) fn tag_specifications(kind: ResourceType, tags: &Tags) -> Option<Vec<TagSpecification>> {
    if tags.is_empty() {
        return None;
    }
    Some(vec![TagSpecification::builder().resource_type(kind).set_tags(Some(to_tags(tags))).build()])
}

/// Tags as the API takes them.
pub(crate) fn to_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Tags as the API reports them.
pub(crate) fn from_tags(tags: Option<Vec<Tag>>) -> Tags {
    let tags = tags.unwrap_or_default().into_iter();
    tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect()
}

/// Brings the tags of an object from one set to another.
pub(crate) async fn update_tags(cx: &Cx<Aws>, id: &str, before: &Tags, after: &Tags) -> Result<()> {
    let changes = TagChanges::between(before, after);
    if !changes.removed.is_empty() {
        let keys = changes.removed.iter().map(|key| Tag::builder().key(key).build()).collect();
        let request = cx.ec2().delete_tags().resources(id).set_tags(Some(keys));
        request.send().await.map_err(api("EC2", "DeleteTags"))?;
    }
    if !changes.set.is_empty() {
        let request = cx.ec2().create_tags().resources(id).set_tags(Some(to_tags(&changes.set)));
        request.send().await.map_err(api("EC2", "CreateTags"))?;
    }
    Ok(())
}
