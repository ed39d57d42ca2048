//! What a security group allows, as the API takes and reports it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use aws_sdk_ec2::types::{
    IpPermission, IpRange, Ipv6Range, PrefixListId, SecurityGroup as Ec2SecurityGroup, UserIdGroupPair,
};
use sdk::{Cx, Result, Value};

use super::{IDS_PER_CALL, filter};
use crate::client::Aws;
use crate::errors::api;

/// Into the group, or out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Into it.
    Ingress,
    /// Out of it.
    Egress,
}

impl Direction {
    /// `ingress` or `egress`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Direction::Ingress => "ingress",
            Direction::Egress => "egress",
        }
    }

    /// What a group allows in this direction.
    pub(crate) fn of(self, group: &Ec2SecurityGroup) -> &[IpPermission] {
        match self {
            Direction::Ingress => group.ip_permissions(),
            Direction::Egress => group.ip_permissions_egress(),
        }
    }
}

/// Protocols that the API knows by name.
const PROTOCOLS: [(&str, i64); 4] = [("icmpv6", 58), ("udp", 17), ("tcp", 6), ("icmp", 1)];

/// A protocol as it is stored: the name if it has one, `-1` for all of them.
pub(crate) fn protocol(text: &str) -> String {
    let text = text.to_lowercase();
    if text == "all" {
        return "-1".to_owned();
    }
    let number = text.parse::<i64>().ok();
    match PROTOCOLS.iter().find(|(_, other)| number == Some(*other)) {
        Some((name, _)) => (*name).to_owned(),
        None => text,
    }
}

/// [`protocol`] for values.
pub(crate) fn normalize_protocol(value: Value) -> Value {
    match value.as_str() {
        Some(text) => Value::string(protocol(text)),
        None => value,
    }
}

/// One of the things that a permission is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    /// An IPv4 block.
    Ipv4(String),
    /// An IPv6 block.
    Ipv6(String),
    /// A prefix list.
    PrefixList(String),
    /// A security group; with its account and a slash if that is another one.
    Group(String),
}

/// Protocol and ports of a permission.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Traffic {
    pub(crate) protocol: String,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// The smallest part of what is allowed: one peer, one kind of traffic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Grant {
    pub(crate) traffic: Traffic,
    pub(crate) peer: Peer,
    pub(crate) description: String,
}

/// Takes apart what a group of this account allows.
pub(crate) fn grants(permissions: &[IpPermission], owner: &str) -> Vec<Grant> {
    let mut grants = Vec::new();
    for permission in permissions {
        let traffic = Traffic {
            protocol: permission.ip_protocol.clone().unwrap_or_default(),
            from: permission.from_port.map(i64::from).unwrap_or_default(),
            to: permission.to_port.map(i64::from).unwrap_or_default(),
        };
        let mut grant = |peer: Option<Peer>, description: &Option<String>| {
            grants.extend(peer.map(|peer| Grant {
                traffic: traffic.clone(),
                peer,
                description: description.clone().unwrap_or_default(),
            }));
        };
        for range in permission.ip_ranges() {
            grant(range.cidr_ip.clone().map(Peer::Ipv4), &range.description);
        }
        for range in permission.ipv6_ranges() {
            grant(range.cidr_ipv6.clone().map(Peer::Ipv6), &range.description);
        }
        for list in permission.prefix_list_ids() {
            grant(list.prefix_list_id.clone().map(Peer::PrefixList), &list.description);
        }
        for pair in permission.user_id_group_pairs() {
            let id = pair.group_id.clone().unwrap_or_default();
            let other = pair.user_id.as_ref().filter(|user| !user.is_empty() && *user != owner);
            let id = other.map_or(id.clone(), |user| format!("{user}/{id}"));
            grant(Some(Peer::Group(id)), &pair.description);
        }
    }
    grants
}

/// Puts together again: one permission for each kind of traffic.
pub(crate) fn permissions<'a>(grants: impl IntoIterator<Item = &'a Grant>) -> Vec<IpPermission> {
    let mut by_traffic: BTreeMap<&Traffic, Vec<&Grant>> = BTreeMap::new();
    for grant in grants {
        by_traffic.entry(&grant.traffic).or_default().push(grant);
    }
    let permission = |(traffic, grants): (&Traffic, Vec<&Grant>)| {
        let mut permission = IpPermission::builder().ip_protocol(&traffic.protocol);
        if traffic.protocol != "-1" {
            let port = |port: i64| i32::try_from(port).ok();
            permission = permission.set_from_port(port(traffic.from)).set_to_port(port(traffic.to));
        }
        for grant in grants {
            let description = Some(grant.description.clone()).filter(|text| !text.is_empty());
            permission = match &grant.peer {
                Peer::Ipv4(block) => {
                    permission.ip_ranges(IpRange::builder().cidr_ip(block).set_description(description).build())
                }
                Peer::Ipv6(block) => {
                    permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(block).set_description(description).build())
                }
                Peer::PrefixList(id) => permission
                    .prefix_list_ids(PrefixListId::builder().prefix_list_id(id).set_description(description).build()),
                Peer::Group(id) => {
                    let (user, id) = id.split_once('/').map_or((None, id.as_str()), |(user, id)| (Some(user), id));
                    let pair = UserIdGroupPair::builder().group_id(id).set_user_id(user.map(str::to_owned));
                    permission.user_id_group_pairs(pair.set_description(description).build())
                }
            };
        }
        permission.build()
    };
    by_traffic.into_iter().map(permission).collect()
}

/// Allows.
pub(crate) async fn authorize(
    cx: &Cx<Aws>,
    direction: Direction,
    group: &str,
    permissions: Vec<IpPermission>,
) -> Result<Option<String>> {
    let rules = match direction {
        Direction::Ingress => {
            let request = cx.ec2().authorize_security_group_ingress().group_id(group);
            let answer = request.set_ip_permissions(Some(permissions)).send().await;
            answer.map_err(api("EC2", "AuthorizeSecurityGroupIngress"))?.security_group_rules
        }
        Direction::Egress => {
            let request = cx.ec2().authorize_security_group_egress().group_id(group);
            let answer = request.set_ip_permissions(Some(permissions)).send().await;
            answer.map_err(api("EC2", "AuthorizeSecurityGroupEgress"))?.security_group_rules
        }
    };
    Ok(match rules.unwrap_or_default().as_slice() {
        [rule] => rule.security_group_rule_id.clone(),
        _ => None,
    })
}

/// Forbids again.
pub(crate) async fn revoke(
    cx: &Cx<Aws>,
    direction: Direction,
    group: &str,
    permissions: Vec<IpPermission>,
) -> Result<()> {
    match direction {
        Direction::Ingress => {
            let request = cx.ec2().revoke_security_group_ingress().group_id(group);
            let answer = request.set_ip_permissions(Some(permissions)).send().await;
            answer.map_err(api("EC2", "RevokeSecurityGroupIngress")).map(|_| ())
        }
        Direction::Egress => {
            let request = cx.ec2().revoke_security_group_egress().group_id(group);
            let answer = request.set_ip_permissions(Some(permissions)).send().await;
            answer.map_err(api("EC2", "RevokeSecurityGroupEgress")).map(|_| ())
        }
    }
}

/// A group as it is now.
pub(crate) async fn describe(cx: &Cx<Aws>, id: &str) -> Result<Option<Ec2SecurityGroup>> {
    let answer = cx.ec2().describe_security_groups().filters(filter("group-id", [id])).send().await;
    let answer = answer.map_err(api("EC2", "DescribeSecurityGroups"))?;
    Ok(answer.security_groups.unwrap_or_default().into_iter().next())
}

/// Groups by id. Groups and their rules are read from the same answers.
pub(crate) async fn groups(cx: &Cx<Aws>, mut ids: Vec<String>) -> Result<Arc<HashMap<String, Ec2SecurityGroup>>> {
    ids.sort_unstable();
    ids.dedup();
    cx.shared(&format!("ec2 security groups {}", ids.join(" ")), || async {
        let mut groups = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(IDS_PER_CALL) {
            let request = cx.ec2().describe_security_groups().filters(filter("group-id", ids));
            let pages = request.into_paginator().items().send();
            let page: Vec<Ec2SecurityGroup> =
                pages.try_collect().await.map_err(api("EC2", "DescribeSecurityGroups"))?;
            groups.extend(page.into_iter().filter_map(|group| Some((group.group_id.clone()?, group))));
        }
        Ok(groups)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_stored_by_name() {
        for (text, stored) in
            [("TCP", "tcp"), ("6", "tcp"), ("all", "-1"), ("-1", "-1"), ("58", "icmpv6"), ("50", "50")]
        {
            assert_eq!(protocol(text), stored);
        }
    }

    #[test]
    fn grants_of_one_kind_of_traffic_go_into_one_permission() {
        let grant = |to: i64, peer: Peer| Grant {
            traffic: Traffic { protocol: "tcp".into(), from: 1, to },
            peer,
            description: "d".into(),
        };
        let all = [
            grant(2, Peer::Ipv4("10.0.0.0/8".into())),
            grant(2, Peer::Group("1/sg-2".into())),
            grant(3, Peer::Ipv6("::/0".into())),
        ];
        let permissions = permissions(&all);
        assert_eq!(permissions.len(), 2);
        assert_eq!(grants(&permissions, "2"), all);
    }
}
