//! `aws_security_group_rule`

use std::fmt::Write;
use std::time::Duration;

use sdk::{
    Change, Check, Created, Cx, Error, Found, Model, Plan, Resource, Result, ResultExt, Timeouts, Wait, async_trait,
};

use super::given;
use super::permissions::{self, Direction, Grant, Peer, Traffic};
use crate::checks::{CIDR_V4, CIDR_V6};
use crate::client::Aws;
use crate::errors::api;

/// What a security group allows, as one of possibly several rules. Source: EC2 `AuthorizeSecurityGroupIngress` and its
/// like; read with the group (`DescribeSecurityGroups`).
#[derive(Clone, Debug, Default, Model)]
#[model(
    at_least_one_of("cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids", "self", "source_security_group_id"),
    conflicts("cidr_blocks", "source_security_group_id"),
    conflicts("ipv6_cidr_blocks", "source_security_group_id"),
    conflicts("self", "cidr_blocks"),
    conflicts("self", "ipv6_cidr_blocks"),
    conflicts("self", "source_security_group_id")
)]
#[model(version = 2)]
pub struct SecurityGroupRule {
    #[attr(optional, force_new, valid = CIDR_V4)]
    cidr_blocks: Option<Vec<String>>,
    #[attr(optional)]
    description: Option<String>,
    #[attr(required, force_new)]
    from_port: i64,
    #[attr(optional, computed)]
    id: String,
    #[attr(optional, force_new, valid = CIDR_V6)]
    ipv6_cidr_blocks: Option<Vec<String>>,
    #[attr(optional, force_new)]
    prefix_list_ids: Option<Vec<String>>,
    #[attr(required, force_new, normalize = "permissions::normalize_protocol")]
    protocol: String,
    #[attr(required, force_new)]
    security_group_id: String,
    #[attr(computed)]
    security_group_rule_id: Option<String>,
    #[attr(optional, force_new, default = false, name = "self")]
    itself: Option<bool>,
    #[attr(optional, computed, force_new)]
    source_security_group_id: Option<String>,
    #[attr(required, force_new)]
    to_port: i64,
    #[attr(required, force_new, valid = Check::Enum(&["egress", "ingress"]))]
    r#type: String,
    #[timeouts(create)]
    timeouts: Timeouts,
}

const CREATED_WITHIN: Duration = Duration::from_secs(300);

#[async_trait]
impl Resource for SecurityGroupRule {
    const NAME: &'static str = "aws_security_group_rule";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: SecurityGroupRule, created: &Created<'_>) -> Result<SecurityGroupRule> {
        let group = planned.security_group_id.clone();
        let (direction, grants) = (planned.direction()?, planned.grants());
        planned.id = planned.made_up_id();
        let id = &planned.id;
        let permissions = permissions::permissions(&grants);
        let authorized = permissions::authorize(cx, direction, &group, permissions).await;
        let rule = match authorized {
            Err(error) if error.is_code("InvalidPermission.Duplicate") => {
                return Err(Error::new(format!(
                    "a duplicate Security Group rule was found on ({group}): {}",
                    error.message()
                )));
            }
            answer => answer.doing(format!("authorizing Security Group ({group}) Rule ({id})"))?,
        };
        planned.security_group_rule_id = Some(rule.unwrap_or_default());
        created.hand_over(&planned).await;
        let poll = || async {
            let group = permissions::describe(cx, &group).await?;
            let there = group.is_some_and(|group| planned.description_in(direction, &group).is_some());
            Ok(there.then(|| ((), "created".to_owned())))
        };
        let wait =
            Wait { not_found_checks: 1000, ..Wait::until(&["created"], planned.timeouts.create(CREATED_WITHIN)) };
        let waited = cx.wait_for(wait, poll).await;
        waited.doing(format!("waiting for Security Group ({group}) Rule ({}) create", planned.id))?;
        Ok(planned)
    }

    async fn read(cx: &Cx<Aws>, prior: SecurityGroupRule) -> Result<Option<SecurityGroupRule>> {
        sdk::read_one(cx, prior).await
    }

    async fn read_many(cx: &Cx<Aws>, priors: Vec<SecurityGroupRule>) -> Vec<Result<Option<SecurityGroupRule>>> {
        let groups = permissions::groups(cx, priors.iter().map(|rule| rule.security_group_id.clone()).collect()).await;
        let groups = match groups.doing("reading Security Group Rule") {
            Ok(groups) => groups,
            Err(error) => return priors.iter().map(|_| Err(error.clone())).collect(),
        };
        let read = |mut known: SecurityGroupRule| {
            let Some(group) = groups.get(&known.security_group_id) else { return Ok(None) };
            let Some(description) = known.description_in(known.direction()?, group) else { return Ok(None) };
            // None and an empty one are the same to the API.
            known.description = Some(description).filter(|text| !text.is_empty() || known.description.is_some());
            known.protocol = permissions::protocol(&known.protocol);
            Ok(Some(known))
        };
        priors.into_iter().map(read).collect()
    }

    async fn update(cx: &Cx<Aws>, change: Change<SecurityGroupRule>) -> Result<SecurityGroupRule> {
        let planned = &change.planned;
        let (group, id) = (&planned.security_group_id, &planned.id);
        if change.of(|rule| &rule.description) {
            let permissions = Some(permissions::permissions(&planned.grants()));
            let answer = match planned.direction()? {
                Direction::Ingress => {
                    let request = cx.ec2().update_security_group_rule_descriptions_ingress().group_id(group);
                    let answer = request.set_ip_permissions(permissions).send().await;
                    answer.map_err(api("EC2", "UpdateSecurityGroupRuleDescriptionsIngress")).map(|_| ())
                }
                Direction::Egress => {
                    let request = cx.ec2().update_security_group_rule_descriptions_egress().group_id(group);
                    let answer = request.set_ip_permissions(permissions).send().await;
                    answer.map_err(api("EC2", "UpdateSecurityGroupRuleDescriptionsEgress")).map(|_| ())
                }
            };
            answer.doing(format!("updating Security Group ({group}) Rule ({id}) description"))?;
        }
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: SecurityGroupRule) -> Result<()> {
        let permissions = permissions::permissions(&prior.grants());
        let group = &prior.security_group_id;
        let revoked = permissions::revoke(cx, prior.direction()?, group, permissions).await;
        revoked.or_gone().doing(format!("revoking Security Group ({group}) Rule ({})", prior.id))
    }

    async fn import(_cx: &Cx<Aws>, id: &str) -> Result<Vec<SecurityGroupRule>> {
        imported(id).map(|rule| vec![rule]).map_err(|message| {
            Error::new(format!(
                "unexpected format for ID ({id:?}), expected \
                 SECURITYGROUPID_TYPE_PROTOCOL_FROMPORT_TOPORT_SOURCE[_SOURCE]*: {message}"
            ))
        })
    }

    async fn plan(_cx: &Cx<Aws>, plan: &mut Plan<'_>) -> Result<()> {
        // The API keeps no ports for a rule for all protocols.
        if plan.planned("protocol").as_str().is_some_and(|protocol| permissions::protocol(protocol) == "-1") {
            for name in ["from_port", "to_port"] {
                if plan.prior(name).as_number().is_some_and(|port| port.to_i64() == Some(0)) {
                    plan.keep(name);
                }
            }
        }
        Ok(())
    }

    /// A rule is nothing but its content: one that allows the same is the one that was to be made.
    async fn find(cx: &Cx<Aws>, planned: &SecurityGroupRule, _client_token: &str) -> Result<Found<SecurityGroupRule>> {
        let group = permissions::describe(cx, &planned.security_group_id).await.if_found()?.flatten();
        let direction = planned.direction()?;
        Ok(match group.and_then(|group| planned.description_in(direction, &group)) {
            Some(_) => Found::Same(Box::new(SecurityGroupRule { id: planned.made_up_id(), ..planned.clone() })),
            None => Found::Nothing,
        })
    }
}

impl SecurityGroupRule {
    fn direction(&self) -> Result<Direction> {
        match self.r#type.as_str() {
            "ingress" => Ok(Direction::Ingress),
            "egress" => Ok(Direction::Egress),
            other => Err(Error::new(format!("expected type to be one of [\"ingress\" \"egress\"], got {other}"))),
        }
    }

    fn grants(&self) -> Vec<Grant> {
        let protocol = permissions::protocol(&self.protocol);
        // For all protocols there are no ports.
        let (from, to) = if protocol == "-1" { (0, 0) } else { (self.from_port, self.to_port) };
        let traffic = Traffic { protocol, from, to };
        let mut peers: Vec<Peer> = self.cidr_blocks.iter().flatten().cloned().map(Peer::Ipv4).collect();
        peers.extend(self.ipv6_cidr_blocks.iter().flatten().cloned().map(Peer::Ipv6));
        peers.extend(self.prefix_list_ids.iter().flatten().cloned().map(Peer::PrefixList));
        if let Some(group) = given(&self.source_security_group_id) {
            peers.push(Peer::Group(group));
        }
        if self.itself == Some(true) {
            peers.push(Peer::Group(self.security_group_id.clone()));
        }
        let description = self.description.clone().unwrap_or_default();
        peers
            .into_iter()
            .map(|peer| Grant { traffic: traffic.clone(), peer, description: description.clone() })
            .collect()
    }

    /// The description of what the rule allows, if the group does allow all of it.
    fn description_in(&self, direction: Direction, group: &aws_sdk_ec2::types::SecurityGroup) -> Option<String> {
        let owner = group.owner_id.as_deref().unwrap_or_default();
        let remote = permissions::grants(direction.of(group), owner);
        // The own account may be written before a group's id.
        let own = format!("{owner}/");
        let same = |a: &Peer, b: &Peer| match (a, b) {
            (Peer::Group(a), Peer::Group(b)) => a.strip_prefix(&own).unwrap_or(a) == b,
            _ => a == b,
        };
        let mut description = None;
        for grant in self.grants() {
            let there = remote.iter().find(|there| there.traffic == grant.traffic && same(&grant.peer, &there.peer))?;
            description.get_or_insert_with(|| there.description.clone());
        }
        description
    }

    /// The API's ids are not used, since a rule may stand for several of them.
    fn made_up_id(&self) -> String {
        let mut text = format!("{}-", self.security_group_id);
        let protocol = permissions::protocol(&self.protocol);
        // Writing to a string can't fail.
        for port in [self.from_port, self.to_port].into_iter().filter(|port| *port > 0 && protocol != "-1") {
            let _ = write!(text, "{port}-");
        }
        let _ = write!(text, "{protocol}-{}-", self.r#type);
        for blocks in [&self.cidr_blocks, &self.ipv6_cidr_blocks, &self.prefix_list_ids] {
            let mut blocks: Vec<&String> = blocks.iter().flatten().collect();
            blocks.sort_unstable();
            for block in blocks {
                let _ = write!(text, "{block}-");
            }
        }
        let source = given(&self.source_security_group_id);
        let source = source.map(|id| id.split_once('/').map_or(id.clone(), |(_, id)| id.to_owned()));
        let mut groups: Vec<String> = source.into_iter().collect();
        groups.extend(self.itself.filter(|itself| *itself).map(|_| self.security_group_id.clone()));
        groups.sort_unstable();
        for group in groups {
            let _ = write!(text, "{group}--");
        }
        format!("sgrule-{}", crc32fast::hash(text.as_bytes()))
    }
}

fn imported(id: &str) -> Result<SecurityGroupRule, &'static str> {
    let mut parts = id.split('_');
    let mut next = || parts.next().ok_or("too few parts");
    let (group, kind, protocol) = (next()?, next()?, next()?);
    let (from, to) = (next()?, next()?);
    if !group.starts_with("sg-") {
        return Err("invalid Security Group ID");
    }
    if !["ingress", "egress"].contains(&kind) {
        return Err("expecting 'ingress' or 'egress'");
    }
    let mut rule = SecurityGroupRule {
        security_group_id: group.to_owned(),
        r#type: kind.to_owned(),
        protocol: permissions::protocol(protocol),
        from_port: from.parse().map_err(|_| "invalid from_port")?,
        to_port: to.parse().map_err(|_| "invalid to_port")?,
        itself: Some(false),
        ..SecurityGroupRule::default()
    };
    let mut sources = 0;
    for source in parts {
        sources += 1;
        let source = source.to_owned();
        match source.as_str() {
            "self" => rule.itself = Some(true),
            text if text.contains("sg-") => rule.source_security_group_id = Some(source),
            text if text.contains(':') => rule.ipv6_cidr_blocks.get_or_insert_default().push(source),
            text if text.contains("pl-") => rule.prefix_list_ids.get_or_insert_default().push(source),
            text if text.contains('.') => rule.cidr_blocks.get_or_insert_default().push(source),
            _ => return Err("source must be cidr, ipv6cidr, prefix list, 'self', or a Security Group ID"),
        }
    }
    if sources == 0 {
        return Err("too few parts");
    }
    rule.id = rule.made_up_id();
    Ok(rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_name_the_rule_by_its_content() {
        let rule = imported("sg-1_ingress_6_8000_8001_10.0.3.0/24_2001:db8::/48_pl-1").unwrap();
        assert_eq!((rule.protocol.as_str(), rule.from_port, rule.to_port), ("tcp", 8000, 8001));
        assert_eq!(rule.cidr_blocks.as_deref(), Some(&["10.0.3.0/24".to_owned()][..]));
        assert_eq!(rule.grants().len(), 3);
        assert!(imported("sg-1_ingress_tcp_1_2").is_err());
        assert!(imported("sg-1_sideways_tcp_1_2_self").is_err());
    }
}
