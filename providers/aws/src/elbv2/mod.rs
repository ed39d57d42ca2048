//! Load balancers.
//!
//! Creations take no client token. As with EC2's networks, a new object bears a tag with the token until its id is durable.

mod actions;
pub mod listener;
pub mod listener_rule;
pub mod load_balancer;
pub mod target_group;
pub mod target_group_attachment;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::Tag;
use sdk::{Cx, Error, Registry, Result, TagChanges, Tags};

use crate::client::Aws;
use crate::errors::api;

/// The tag of a new object whose id is not durable yet: the token of its creation.
const INTENT: &str = "windlass:intent";

/// How many objects a call may name.
const ARNS_PER_CALL: usize = 20;

/// How many calls run at once that can only name one object.
const CONCURRENT: usize = 8;

/// How long something just made may not be visible everywhere.
const VISIBLE_WITHIN: Duration = Duration::from_secs(300);

pub(crate) fn register(registry: &mut Registry<Aws>) {
    registry
        .resource::<listener::Listener>()
        .resource::<listener_rule::ListenerRule>()
        .resource::<load_balancer::LoadBalancer>()
        .resource::<target_group::TargetGroup>()
        .resource::<target_group_attachment::TargetGroupAttachment>();
}

/// The protocols of listeners and target groups.
const PROTOCOLS: [&str; 7] = ["HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE"];

/// Arguments that don't go together, in the words of Terraform's provider.
fn combination(detail: impl std::fmt::Display, path: impl std::fmt::Display) -> Error {
    Error::new(format!("Invalid Attribute Combination\n\n{detail}\n\nPath: {path}"))
}

/// What is wrong with a name of letters, digits and hyphens.
fn hyphenated(key: &str, text: &str, longest: usize) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.is_empty() || !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        wrong.push(format!("only alphanumeric characters and hyphens allowed in {key:?}"));
    }
    if text.len() > longest {
        wrong.push(format!("{key:?} cannot be longer than {longest} characters"));
    }
    if text.starts_with('-') {
        wrong.push(format!("{key:?} cannot begin with a hyphen"));
    }
    // A prefix may end with one.
    if text.ends_with('-') && !key.ends_with("_prefix") {
        wrong.push(format!("{key:?} cannot end with a hyphen"));
    }
    wrong
}

/// The tags of a new object, and the one that identifies it until [`made_durable`].
fn new_tags(cx: &Cx<Aws>, tags: &Tags) -> Option<Vec<Tag>> {
    let intent = Some((INTENT, cx.client_token())).filter(|(_, token)| !token.is_empty());
    let all = tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).chain(intent);
    Some(all.map(|(key, value)| Tag::builder().key(key).value(value).build()).collect::<Vec<_>>())
        .filter(|tags| !tags.is_empty())
}

/// Removes the identifying tag of an object whose id is durable. If that fails the tag stays, which does no harm.
async fn made_durable(cx: &Cx<Aws>, arn: &str) {
    if !cx.client_token().is_empty() {
        drop(cx.elbv2().remove_tags().resource_arns(arn).tag_keys(INTENT).send().await);
    }
}

/// The tags of objects that exist, without the identifying one.
async fn tags(cx: &Cx<Aws>, arns: &[String]) -> Result<HashMap<String, Tags>> {
    let mut all = all_tags(cx, arns).await?;
    for tags in all.values_mut() {
        tags.remove(INTENT);
    }
    Ok(all)
}

async fn all_tags(cx: &Cx<Aws>, arns: &[String]) -> Result<HashMap<String, Tags>> {
    let mut all = HashMap::with_capacity(arns.len());
    for arns in arns.chunks(ARNS_PER_CALL) {
        let answer = cx.elbv2().describe_tags().set_resource_arns(Some(arns.to_vec())).send().await;
        let answer = answer.map_err(api("Elastic Load Balancing v2", "DescribeTags"))?;
        for description in answer.tag_descriptions.unwrap_or_default() {
            let tags = description.tags.unwrap_or_default().into_iter();
            let tags = tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect();
            all.extend(description.resource_arn.map(|arn| (arn, tags)));
        }
    }
    Ok(all)
}

/// Of these, the one that a create with this token has made.
async fn made_with(cx: &Cx<Aws>, arns: &[String], client_token: &str) -> Result<Option<String>> {
    let tags = all_tags(cx, arns).await?;
    Ok(tags.into_iter().find(|(_, tags)| tags.get(INTENT).is_some_and(|t| t == client_token)).map(|(arn, _)| arn))
}

/// Brings the tags of an object from one set to another.
async fn update_tags(cx: &Cx<Aws>, arn: &str, before: &Tags, after: &Tags) -> Result<()> {
    let changes = TagChanges::between(before, after);
    if !changes.removed.is_empty() {
        let request = cx.elbv2().remove_tags().resource_arns(arn).set_tag_keys(Some(changes.removed));
        request.send().await.map_err(api("Elastic Load Balancing v2", "RemoveTags"))?;
    }
    if !changes.set.is_empty() {
        let tags = changes.set.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
        let request = cx.elbv2().add_tags().resource_arns(arn).set_tags(Some(tags));
        request.send().await.map_err(api("Elastic Load Balancing v2", "AddTags"))?;
    }
    Ok(())
}

/// Attributes by key, as the API reports them.
type Attributes = BTreeMap<String, String>;

/// A flag among attributes.
fn flag(attributes: &Attributes, key: &str) -> Option<bool> {
    attributes.get(key).map(|text| text == "true")
}

/// A number among attributes.
fn number(attributes: &Attributes, key: &str) -> Option<i64> {
    attributes.get(key).and_then(|text| text.parse().ok())
}
