//! `aws_security_group`

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_ec2::types::{ResourceType, SecurityGroup as Ec2SecurityGroup};
use sdk::{
    Change, Check, Class, Created, Cx, Error, Found, Model, Resource, Result, ResultExt, Tags, Timeouts, Value, Wait,
    async_trait,
};

use super::permissions::{self, Direction, Grant, Peer, Traffic};
use super::{
    VISIBLE_WITHIN, filter, found, from_tags, given, made_durable, made_with, owned_arn, tag_specifications, text,
    update_tags,
};
use crate::checks::{CIDR_V4, CIDR_V6};
use crate::client::Aws;
use crate::errors::api;
use crate::names;

/// A security group. Source: EC2 `CreateSecurityGroup`, `DescribeSecurityGroups`, `AuthorizeSecurityGroupIngress` and
/// its like.
#[derive(Clone, Debug, Default, Model)]
#[model(conflicts("name", "name_prefix"))]
#[model(version = 1)]
pub struct SecurityGroup {
    #[attr(computed)]
    arn: Option<String>,
    #[attr(optional, force_new, default = "Managed by Terraform")]
    description: Option<String>,
    #[attr(optional, computed, set)]
    egress: Option<Vec<InlineRule>>,
    #[attr(optional, computed)]
    id: String,
    #[attr(optional, computed, set)]
    ingress: Option<Vec<InlineRule>>,
    #[attr(optional, computed, force_new, valid = GROUP_NAME)]
    name: Option<String>,
    #[attr(optional, computed, force_new, valid = GROUP_NAME)]
    name_prefix: Option<String>,
    #[attr(computed)]
    owner_id: Option<String>,
    #[attr(optional, default = false)]
    revoke_rules_on_delete: Option<bool>,
    #[attr(optional)]
    tags: Option<Tags>,
    #[attr(optional, computed)]
    tags_all: Tags,
    #[attr(optional, computed, force_new)]
    vpc_id: Option<String>,
    #[timeouts(create, delete)]
    timeouts: Timeouts,
}

/// `ingress { … }` and `egress { … }`
#[derive(Clone, Debug, Default, PartialEq, Eq, Model)]
pub struct InlineRule {
    #[attr(optional, equivalent = "same_strings", valid = CIDR_V4)]
    cidr_blocks: Vec<String>,
    #[attr(optional)]
    description: String,
    #[attr(required)]
    from_port: i64,
    #[attr(optional, equivalent = "same_strings", valid = CIDR_V6)]
    ipv6_cidr_blocks: Vec<String>,
    #[attr(optional, equivalent = "same_strings")]
    prefix_list_ids: Vec<String>,
    #[attr(required, normalize = "permissions::normalize_protocol")]
    protocol: String,
    #[attr(optional)]
    security_groups: BTreeSet<String>,
    #[attr(optional, default = false, name = "self")]
    itself: bool,
    #[attr(required)]
    to_port: i64,
}

const CREATED_WITHIN: Duration = Duration::from_secs(600);
const DELETED_WITHIN: Duration = Duration::from_secs(900);

/// Closes a new group: the service lets everything out of it, and nobody has asked for that.
async fn close_egress(cx: &Cx<Aws>, id: &str) -> Result<()> {
    let group = permissions::describe(cx, id).await?;
    let open = group.map(|group| Direction::Egress.of(&group).to_vec()).unwrap_or_default();
    if open.is_empty() {
        return Ok(());
    }
    let revoked = permissions::revoke(cx, Direction::Egress, id, open).await;
    revoked.or_gone().doing(format!("revoking default IPv4 egress rule for Security Group ({id})")).map(|_| ())
}

/// The service takes such names for ids.
const GROUP_NAME: Check = Check::Text(|key, text| {
    if text.starts_with("sg-") { vec![format!("invalid value for {key} (cannot begin with sg-)")] } else { Vec::new() }
});

#[async_trait]
impl Resource for SecurityGroup {
    const NAME: &'static str = "aws_security_group";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: SecurityGroup, created: &Created<'_>) -> Result<SecurityGroup> {
        let name = names::unique(planned.name.as_deref(), planned.name_prefix.as_deref(), cx.client_token());
        let request = cx
            .ec2()
            .create_security_group()
            .group_name(&name)
            .set_description(planned.description.clone())
            .set_vpc_id(given(&planned.vpc_id))
            .set_tag_specifications(tag_specifications(cx, ResourceType::SecurityGroup, &planned.tags_all));
        let answer = request.send().await.map_err(api("EC2", "CreateSecurityGroup"));
        planned.id = answer.doing(format!("creating Security Group ({name})"))?.group_id.unwrap_or_default();
        planned.name = Some(name);
        created.hand_over(&planned).await;
        let id = &planned.id;

        let poll = || async { Ok(permissions::describe(cx, id).await?.map(|group| (group, "created".to_owned()))) };
        let wait =
            Wait { not_found_checks: 1000, ..Wait::until(&["created"], planned.timeouts.create(CREATED_WITHIN)) };
        let ((), waited) = futures::join!(made_durable(cx, id), cx.wait_for(wait, poll));
        waited.doing(format!("waiting for Security Group ({id}) create"))?;
        close_egress(cx, id).await?;
        for direction in [Direction::Ingress, Direction::Egress] {
            update_rules(cx, id, direction, &[], planned.rules(direction)).await?;
        }
        Ok(planned)
    }

    async fn settle(cx: &Cx<Aws>, object: &Self) -> Result<()> {
        made_durable(cx, &object.id).await;
        close_egress(cx, &object.id).await
    }

    async fn read(cx: &Cx<Aws>, prior: SecurityGroup) -> Result<Option<SecurityGroup>> {
        sdk::read_one(cx, prior).await
    }

    async fn read_many(cx: &Cx<Aws>, priors: Vec<SecurityGroup>) -> Vec<Result<Option<SecurityGroup>>> {
        let groups = permissions::groups(cx, priors.iter().map(|group| group.id.clone()).collect()).await;
        match groups.doing("reading Security Group") {
            Ok(groups) => {
                let read = |prior: SecurityGroup| groups.get(&prior.id).map(|group| read(cx, prior, group));
                priors.into_iter().map(|prior| Ok(read(prior))).collect()
            }
            Err(error) => priors.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    async fn update(cx: &Cx<Aws>, change: Change<SecurityGroup>) -> Result<SecurityGroup> {
        let Change { prior, planned, .. } = &change;
        let id = &planned.id;
        for direction in [Direction::Ingress, Direction::Egress] {
            update_rules(cx, id, direction, prior.rules(direction), planned.rules(direction)).await?;
        }
        update_tags(cx, id, &prior.tags_all, &planned.tags_all)
            .await
            .doing(format!("updating tags for Security Group ({id})"))?;
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: SecurityGroup) -> Result<()> {
        let id = prior.id.as_str();
        if prior.revoke_rules_on_delete == Some(true) {
            revoke_all(cx, id).await.doing(format!("revoking Security Group ({id}) rules"))?;
        }
        let delete = || async {
            let request = cx.ec2().delete_security_group().group_id(id);
            request.send().await.map_err(api("EC2", "DeleteSecurityGroup")).map(|_| ())
        };
        let in_use = |error: &Error| error.class() == Class::DependencyViolation || error.is_code("InvalidGroup.InUse");
        let budget = prior.timeouts.delete(DELETED_WITHIN);
        cx.retry(budget, in_use, delete).await.or_gone().doing(format!("deleting Security Group ({id})"))?;
        let poll = || async { Ok(permissions::describe(cx, id).await?.map(|_| ((), "created".to_owned()))) };
        cx.wait_for(Wait::until_gone(VISIBLE_WITHIN), poll)
            .await
            .doing(format!("waiting for Security Group ({id}) delete"))?;
        Ok(())
    }

    async fn find(cx: &Cx<Aws>, planned: &SecurityGroup, client_token: &str) -> Result<Found<SecurityGroup>> {
        let answer = cx.ec2().describe_security_groups().filters(made_with(client_token)).send().await;
        let groups = answer.map_err(api("EC2", "DescribeSecurityGroups"))?.security_groups.unwrap_or_default();
        let made =
            groups.into_iter().map(|made| SecurityGroup { id: made.group_id.unwrap_or_default(), ..planned.clone() });
        Ok(found(made.collect()))
    }

    fn estimate_seconds(_operation: sdk::Operation) -> u32 {
        2
    }
}

impl SecurityGroup {
    fn rules(&self, direction: Direction) -> &[InlineRule] {
        let rules = match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        };
        rules.as_deref().unwrap_or_default()
    }
}

impl InlineRule {
    fn traffic(&self) -> Traffic {
        Traffic { protocol: permissions::protocol(&self.protocol), from: self.from_port, to: self.to_port }
    }

    /// What the rule allows; `group` is the one that it belongs to.
    fn grants(&self, group: &str) -> impl Iterator<Item = Grant> {
        let peers = None
            .into_iter()
            .chain(self.cidr_blocks.iter().cloned().map(Peer::Ipv4))
            .chain(self.ipv6_cidr_blocks.iter().cloned().map(Peer::Ipv6))
            .chain(self.prefix_list_ids.iter().cloned().map(Peer::PrefixList))
            .chain(self.security_groups.iter().cloned().map(Peer::Group))
            .chain(self.itself.then(|| Peer::Group(group.to_owned())));
        let (traffic, description) = (self.traffic(), self.description.clone());
        peers
            .map(move |peer| Grant { traffic: traffic.clone(), peer, description: description.clone() })
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// Adds a peer; `group` is the one that the rule belongs to.
    fn add(&mut self, peer: Peer, group: &str) {
        match peer {
            Peer::Ipv4(block) => self.cidr_blocks.push(block),
            Peer::Ipv6(block) => self.ipv6_cidr_blocks.push(block),
            Peer::PrefixList(id) => self.prefix_list_ids.push(id),
            Peer::Group(id) if id == group => self.itself = true,
            Peer::Group(id) => self.security_groups.extend([id]),
        }
    }
}

/// Whether two lists hold the same: the order of blocks means nothing.
fn same_strings(prior: &Value, configured: &Value) -> bool {
    let sorted = |value: &Value| {
        let mut texts: Vec<_> = value.elements().unwrap_or_default().iter().map(Value::as_str).collect();
        texts.sort_unstable();
        texts.into_iter().map(|text| text.cloned()).collect::<Vec<_>>()
    };
    sorted(prior) == sorted(configured)
}

fn read(cx: &Cx<Aws>, mut known: SecurityGroup, read: &Ec2SecurityGroup) -> SecurityGroup {
    let owner = read.owner_id.clone().unwrap_or_default();
    for direction in [Direction::Ingress, Direction::Egress] {
        let remote = permissions::grants(direction.of(read), &owner);
        let rules = matched(&known.id, known.rules(direction), remote);
        match direction {
            Direction::Ingress => known.ingress = Some(rules),
            Direction::Egress => known.egress = Some(rules),
        }
    }
    known.arn = Some(owned_arn(cx, &owner, &format!("security-group/{}", known.id)));
    known.owner_id = Some(owner);
    known.description = text(read.description.clone());
    let name = read.group_name.clone().unwrap_or_default();
    known.name_prefix = Some(names::prefix_of(&name).to_owned());
    known.name = Some(name);
    known.vpc_id = text(read.vpc_id.clone());
    known.tags_all = from_tags(read.tags.clone());
    known
}

/// The API reports what is allowed, not in which rules that was written: known rules whose grants are all there stay as
/// they are written; what remains becomes rules by traffic and description.
fn matched(group: &str, known: &[InlineRule], mut remote: Vec<Grant>) -> Vec<InlineRule> {
    let mut rules = Vec::new();
    for rule in known {
        let grants: Vec<Grant> = rule.grants(group).collect();
        if !grants.is_empty() && grants.iter().all(|grant| remote.contains(grant)) {
            remote.retain(|grant| !grants.contains(grant));
            rules.push(InlineRule { protocol: rule.traffic().protocol, ..rule.clone() });
        }
    }
    let mut rest: Vec<((Traffic, String), InlineRule)> = Vec::new();
    for Grant { traffic, peer, description } in remote {
        let key = (traffic, description);
        if let Some((_, rule)) = rest.iter_mut().find(|(other, _)| *other == key) {
            rule.add(peer, group);
            continue;
        }
        let (traffic, description) = key.clone();
        let mut rule = InlineRule {
            description,
            from_port: traffic.from,
            protocol: traffic.protocol,
            to_port: traffic.to,
            ..InlineRule::default()
        };
        rule.add(peer, group);
        rest.push((key, rule));
    }
    rules.extend(rest.into_iter().map(|(_, rule)| rule));
    rules
}

/// Forbids what is no longer allowed, then allows what is new.
async fn update_rules(
    cx: &Cx<Aws>,
    id: &str,
    direction: Direction,
    before: &[InlineRule],
    after: &[InlineRule],
) -> Result<()> {
    let name = direction.as_str();
    let grants = |rules: &[InlineRule]| -> BTreeSet<Grant> { rules.iter().flat_map(|rule| rule.grants(id)).collect() };
    let has_needless_ports =
        |rule: &&InlineRule| rule.traffic().protocol == "-1" && (rule.from_port, rule.to_port) != (0, 0);
    if let Some(rule) = after.iter().find(has_needless_ports) {
        return Err(Error::new(format!(
            "updating Security Group ({id}) {name} rules: updating rules: from_port ({}) and to_port ({}) must both be 0 \
             to use the 'ALL' \"-1\" protocol!",
            rule.from_port, rule.to_port
        )));
    }
    let (before, after) = (grants(before), grants(after));
    let removed = permissions::permissions(before.difference(&after));
    if !removed.is_empty() {
        let revoked = permissions::revoke(cx, direction, id, removed).await;
        revoked
            .or_gone()
            .doing(format!("updating Security Group ({id}) {name} rules: revoking Security Group rules"))?;
    }
    let added = permissions::permissions(after.difference(&before));
    if !added.is_empty() {
        let authorized = permissions::authorize(cx, direction, id, added).await;
        authorized.doing(format!("updating Security Group ({id}) {name} rules: authorizing Security Group rules"))?;
    }
    Ok(())
}

/// Removes the group's rules, and the rules of other groups that name it.
async fn revoke_all(cx: &Cx<Aws>, id: &str) -> Result<()> {
    if let Some(group) = permissions::describe(cx, id).await? {
        for direction in [Direction::Ingress, Direction::Egress] {
            let all = direction.of(&group).to_vec();
            if !all.is_empty() {
                permissions::revoke(cx, direction, id, all).await.or_gone()?;
            }
        }
    }
    for (direction, name) in
        [(Direction::Ingress, "ip-permission.group-id"), (Direction::Egress, "egress.ip-permission.group-id")]
    {
        let pages = cx.ec2().describe_security_groups().filters(filter(name, [id])).into_paginator().items().send();
        let others: Vec<Ec2SecurityGroup> = pages.try_collect().await.map_err(api("EC2", "DescribeSecurityGroups"))?;
        for other in others {
            let (Some(other_id), owner) = (&other.group_id, other.owner_id.as_deref().unwrap_or_default()) else {
                continue;
            };
            let grants = permissions::grants(direction.of(&other), owner);
            let naming = grants.iter().filter(|grant| grant.peer == Peer::Group(id.to_owned()));
            let naming = permissions::permissions(naming);
            if !naming.is_empty() {
                permissions::revoke(cx, direction, other_id, naming).await.or_gone()?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(blocks: &[&str], description: &str) -> InlineRule {
        InlineRule {
            cidr_blocks: blocks.iter().map(|block| (*block).to_owned()).collect(),
            description: description.to_owned(),
            from_port: 443,
            protocol: "tcp".to_owned(),
            to_port: 443,
            ..InlineRule::default()
        }
    }

    #[test]
    fn rules_stay_as_they_are_written() {
        let known = [rule(&["10.0.0.0/8", "192.168.0.0/16"], ""), rule(&["172.16.0.0/12"], "")];
        let remote = known.iter().rev().flat_map(|rule| rule.grants("sg-1")).collect();
        assert_eq!(matched("sg-1", &known, remote), known);
    }

    #[test]
    fn what_is_not_known_becomes_rules_by_traffic_and_description() {
        let remote = [rule(&["10.0.0.0/8"], "a"), rule(&["10.1.0.0/16"], "b"), rule(&["10.2.0.0/16"], "a")];
        let remote: Vec<Grant> = remote.iter().flat_map(|rule| rule.grants("sg-1")).collect();
        let rules = matched("sg-1", &[rule(&["10.9.0.0/16"], "a")], remote);
        assert_eq!(rules, [rule(&["10.0.0.0/8", "10.2.0.0/16"], "a"), rule(&["10.1.0.0/16"], "b")]);
    }

    #[test]
    fn the_group_itself_is_a_flag() {
        let known = [InlineRule { itself: true, ..rule(&[], "") }];
        let remote = known.iter().flat_map(|rule| rule.grants("sg-1")).collect();
        assert_eq!(matched("sg-1", &[], remote), known);
    }
}
