//! EC2's networks.
//!
//! Most of EC2's creations take no client token. A new object gets a tag with the token instead (`INTENT`), by which a
//! create whose answer was lost finds it; the tag is removed as soon as the id is durable, and never shows.

pub mod data;
pub mod eip;
pub mod internet_gateway;
pub mod nat_gateway;
mod permissions;
pub mod route;
pub mod route_table;
pub mod route_table_association;
mod routes;
pub mod security_group;
pub mod security_group_rule;
pub mod security_group_rules;
pub mod subnet;
#[expect(clippy::module_inception, reason = "the type that gave the family its name, in a file named as all types are")]
pub mod vpc;

use std::time::Duration;

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use sdk::{Cx, Found, Registry, Result, TagChanges, Tags};

use crate::client::Aws;
use crate::errors::api;

/// How many ids a filter may hold.
pub(crate) const IDS_PER_CALL: usize = 200;

/// How long to wait for what depends on an object to be gone before the object itself can be removed.
pub(crate) const DEPENDENTS_GONE_WITHIN: Duration = Duration::from_secs(300);

/// The tag of a new object whose id is not durable yet: the token of its creation.
const INTENT: &str = "windlass:intent";

/// How long something just made may not be visible everywhere.
pub(crate) const VISIBLE_WITHIN: Duration = Duration::from_secs(120);

pub(crate) fn register(registry: &mut Registry<Aws>) {
    data::register(registry);
    registry
        .resource::<eip::Eip>()
        .resource::<internet_gateway::InternetGateway>()
        .resource::<nat_gateway::NatGateway>()
        .resource::<route::Route>()
        .resource::<route_table::RouteTable>()
        .resource::<route_table_association::RouteTableAssociation>()
        .resource::<security_group::SecurityGroup>()
        .resource::<security_group_rule::SecurityGroupRule>()
        .resource::<security_group_rules::EgressRule>()
        .resource::<security_group_rules::IngressRule>()
        .resource::<subnet::Subnet>()
        .resource::<vpc::Vpc>();
}

/// A filter: the name and any of the values.
pub(crate) fn filter(name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().map(Into::into).collect())).build()
}

/// The tags of a new object, and the one that identifies it until [`made_durable`].
pub(crate) fn tag_specifications(cx: &Cx<Aws>, kind: ResourceType, tags: &Tags) -> Option<Vec<TagSpecification>> {
    let mut all = to_tags(tags);
    if !cx.client_token().is_empty() {
        all.push(Tag::builder().key(INTENT).value(cx.client_token()).build());
    }
    if all.is_empty() {
        return None;
    }
    Some(vec![TagSpecification::builder().resource_type(kind).set_tags(Some(all)).build()])
}

/// Removes the identifying tag of an object whose id is durable. If that fails the tag stays, which does no harm.
pub(crate) async fn made_durable(cx: &Cx<Aws>, id: &str) {
    if cx.client_token().is_empty() {
        return;
    }
    let tag = Tag::builder().key(INTENT).value(cx.client_token()).build();
    drop(cx.ec2().delete_tags().resources(id).tags(tag).send().await);
}

/// Finds the object that a create with this token has made.
pub(crate) fn made_with(client_token: &str) -> Filter {
    filter(&format!("tag:{INTENT}"), [client_token])
}

/// What a create with this token has made, if there is exactly one such object, or none.
pub(crate) fn found<T: sdk::Model>(mut made: Vec<T>) -> Found<T> {
    if made.len() > 1 {
        let id = |object: &T| object.to_value().get("id").and_then(sdk::Value::as_str).map(ToString::to_string);
        let ids: Vec<String> = made.iter().filter_map(id).collect();
        return Found::Unclear(format!("several objects bear the tag of its creation: {}", ids.join(", ")));
    }
    made.pop().map_or(Found::Nothing, |object| Found::Object(Box::new(object)))
}

/// A text that Terraform stores as `""` where the API reports none.
pub(crate) fn text(reported: Option<String>) -> Option<String> {
    Some(reported.unwrap_or_default())
}

/// A configured text; an empty one is as good as none.
pub(crate) fn given(configured: &Option<String>) -> Option<String> {
    configured.clone().filter(|text| !text.is_empty())
}

/// An ARN of EC2 in this region and an account.
pub(crate) fn owned_arn(cx: &Cx<Aws>, owner: &str, resource: &str) -> String {
    format!("arn:{}:ec2:{}:{owner}:{resource}", cx.partition(), cx.region())
}

/// Tags as the API takes them.
pub(crate) fn to_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Tags as the API reports them, without the identifying one.
pub(crate) fn from_tags(tags: Option<Vec<Tag>>) -> Tags {
    let tags = tags.unwrap_or_default().into_iter();
    let tags = tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())));
    tags.filter(|(key, _)| key != INTENT).collect()
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
