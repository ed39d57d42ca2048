//! `aws_vpc_security_group_ingress_rule` and `aws_vpc_security_group_egress_rule`: alike but for the direction.

use std::collections::HashMap;

use aws_sdk_ec2::types::{
    IpPermission, IpRange, Ipv6Range, PrefixListId, ReferencedSecurityGroup, ResourceType,
    SecurityGroupRule as Ec2Rule, SecurityGroupRuleRequest, SecurityGroupRuleUpdate, UserIdGroupPair,
};
use sdk::model::Field;
use sdk::{
    Block, Change, Created, Cx, Found, Model, Plan, ProviderDiagnostic, Resource, Result, ResultExt, Semantics, Tags,
    Type, Value, async_trait, attribute_path,
};

use super::permissions::{self, Direction};
use super::{IDS_PER_CALL, filter, found, from_tags, made_durable, made_with, tag_specifications, update_tags};
use crate::client::Aws;
use crate::errors::api;

/// One thing that a security group allows. Source: EC2 `AuthorizeSecurityGroupIngress` and its like,
/// `DescribeSecurityGroupRules`.
#[derive(Clone, Debug, Default, Model)]
#[model(framework)]
pub struct Rule {
    #[attr(computed, keep_prior)]
    arn: Option<String>,
    #[attr(optional)]
    cidr_ipv4: Option<String>,
    #[attr(optional)]
    cidr_ipv6: Option<String>,
    #[attr(optional)]
    description: Option<String>,
    #[attr(optional)]
    from_port: Option<i64>,
    #[attr(computed, keep_prior)]
    id: String,
    #[attr(required)]
    ip_protocol: String,
    #[attr(optional)]
    prefix_list_id: Option<String>,
    #[attr(optional)]
    referenced_security_group_id: Option<String>,
    #[attr(required, force_new)]
    security_group_id: String,
    #[attr(computed, keep_prior)]
    security_group_rule_id: Option<String>,
    #[attr(optional)]
    tags: Option<Tags>,
    #[attr(computed)]
    tags_all: Tags,
    #[attr(optional)]
    to_port: Option<i64>,
}

/// The attributes that say who a rule is for: one of them must be set.
const SOURCES: [&str; 4] = ["cidr_ipv4", "cidr_ipv6", "prefix_list_id", "referenced_security_group_id"];

/// A type of resource that is a [`Rule`] in one direction.
macro_rules! rule_type {
    ($(#[$doc:meta])* $type:ident, $name:literal, $direction:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default)]
        pub struct $type(Rule);

        impl Model for $type {
            const SEMANTICS: Semantics = Rule::SEMANTICS;

            fn block() -> Block {
                Rule::block()
            }

            fn from_value(value: &Value) -> Result<$type, sdk::model::ModelError> {
                Rule::from_value(value).map($type)
            }

            fn to_value(&self) -> Value {
                self.0.to_value()
            }
        }

        impl Field for $type {
            fn ty() -> Type {
                Rule::ty()
            }

            fn nested() -> Option<Block> {
                Rule::nested()
            }

            fn from_field(value: &Value) -> Result<$type, sdk::model::ModelError> {
                Rule::from_value(value).map($type)
            }

            fn to_field(&self) -> Value {
                self.0.to_value()
            }
        }

        #[async_trait]
        impl Resource for $type {
            const NAME: &'static str = $name;
            type Context = Aws;

            async fn create(cx: &Cx<Aws>, planned: $type, created: &Created<'_>) -> Result<$type> {
                let made = $type(authorize(cx, Direction::$direction, planned.0).await?);
                created.hand_over(&made).await;
                made_durable(cx, &made.0.id).await;
                Ok(made)
            }

            async fn read(cx: &Cx<Aws>, prior: $type) -> Result<Option<$type>> {
                sdk::read_one(cx, prior).await
            }

            async fn read_many(cx: &Cx<Aws>, priors: Vec<$type>) -> Vec<Result<Option<$type>>> {
                sdk::in_batches(priors, IDS_PER_CALL, |chunk| async move {
                    let rules = chunk.into_iter().map(|rule| rule.0).collect();
                    let rules = read_chunk(cx, Direction::$direction, rules).await?;
                    Ok(rules.into_iter().map(|rule| rule.map($type)).collect())
                })
                .await
            }

            async fn update(cx: &Cx<Aws>, change: Change<$type>) -> Result<$type> {
                modify(cx, Direction::$direction, &change.prior.0, change.planned.0).await.map($type)
            }

            async fn delete(cx: &Cx<Aws>, prior: $type) -> Result<()> {
                revoke(cx, Direction::$direction, &prior.0).await
            }

            fn validate(config: &Value) -> Vec<ProviderDiagnostic> {
                validate(config)
            }

            async fn plan(_cx: &Cx<Aws>, plan: &mut Plan<'_>) -> Result<()> {
                replace_other_source(plan);
                Ok(())
            }

            async fn find(cx: &Cx<Aws>, planned: &$type, client_token: &str) -> Result<Found<$type>> {
                let made = made(cx, &planned.0, client_token).await?.into_iter().map($type).collect();
                Ok(found(made))
            }
        }
    };
}

rule_type!(
    /// Into the group.
    IngressRule,
    "aws_vpc_security_group_ingress_rule",
    Ingress
);
rule_type!(
    /// Out of the group.
    EgressRule,
    "aws_vpc_security_group_egress_rule",
    Egress
);

/// The rule's name in messages.
fn title(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "VPC Security Group Ingress Rule",
        Direction::Egress => "VPC Security Group Egress Rule",
    }
}

fn port(port: Option<i64>) -> Option<i32> {
    port.and_then(|port| i32::try_from(port).ok())
}

impl Rule {
    fn permission(&self) -> IpPermission {
        let description = || self.description.clone();
        let ipv4 = |block: &String| IpRange::builder().cidr_ip(block).set_description(description()).build();
        let ipv6 = |block: &String| Ipv6Range::builder().cidr_ipv6(block).set_description(description()).build();
        let list = |id: &String| PrefixListId::builder().prefix_list_id(id).set_description(description()).build();
        let group = |id: &String| {
            let (user, id) = id.split_once('/').map_or((None, id.as_str()), |(user, id)| (Some(user.to_owned()), id));
            UserIdGroupPair::builder().group_id(id).set_user_id(user).set_description(description()).build()
        };
        IpPermission::builder()
            .ip_protocol(permissions::protocol(&self.ip_protocol))
            .set_from_port(port(self.from_port))
            .set_to_port(port(self.to_port))
            .set_ip_ranges(self.cidr_ipv4.as_ref().map(|block| vec![ipv4(block)]))
            .set_ipv6_ranges(self.cidr_ipv6.as_ref().map(|block| vec![ipv6(block)]))
            .set_prefix_list_ids(self.prefix_list_id.as_ref().map(|id| vec![list(id)]))
            .set_user_id_group_pairs(self.referenced_security_group_id.as_ref().map(|id| vec![group(id)]))
            .build()
    }

    fn request(&self) -> SecurityGroupRuleRequest {
        let group = self.referenced_security_group_id.as_deref();
        SecurityGroupRuleRequest::builder()
            .ip_protocol(permissions::protocol(&self.ip_protocol))
            .set_from_port(port(self.from_port))
            .set_to_port(port(self.to_port))
            .set_cidr_ipv4(self.cidr_ipv4.clone())
            .set_cidr_ipv6(self.cidr_ipv6.clone())
            .set_description(self.description.clone())
            .set_prefix_list_id(self.prefix_list_id.clone())
            .set_referenced_group_id(group.map(|id| id.split_once('/').map_or(id, |(_, id)| id).to_owned()))
            .build()
    }
}

async fn authorize(cx: &Cx<Aws>, direction: Direction, mut planned: Rule) -> Result<Rule> {
    let group = &planned.security_group_id;
    let tags = tag_specifications(cx, ResourceType::SecurityGroupRule, &planned.tags_all);
    let rules = match direction {
        Direction::Ingress => {
            let request = cx.ec2().authorize_security_group_ingress().group_id(group).set_tag_specifications(tags);
            let answer = request.ip_permissions(planned.permission()).send().await;
            answer.map_err(api("EC2", "AuthorizeSecurityGroupIngress")).map(|answer| answer.security_group_rules)
        }
        Direction::Egress => {
            let request = cx.ec2().authorize_security_group_egress().group_id(group).set_tag_specifications(tags);
            let answer = request.ip_permissions(planned.permission()).send().await;
            answer.map_err(api("EC2", "AuthorizeSecurityGroupEgress")).map(|answer| answer.security_group_rules)
        }
    };
    let rules = rules.doing(format!("creating {}", title(direction)))?.unwrap_or_default();
    planned.id = rules.into_iter().next().and_then(|rule| rule.security_group_rule_id).unwrap_or_default();
    planned.security_group_rule_id = Some(planned.id.clone());
    planned.arn = Some(cx.arn("ec2", &format!("security-group-rule/{}", planned.id)).await?);
    Ok(planned)
}

async fn read_chunk(cx: &Cx<Aws>, direction: Direction, priors: Vec<Rule>) -> Result<Vec<Option<Rule>>> {
    let ids = priors.iter().map(|rule| rule.id.as_str());
    let request = cx.ec2().describe_security_group_rules().filters(filter("security-group-rule-id", ids));
    let rules: Vec<Ec2Rule> = request
        .into_paginator()
        .items()
        .send()
        .try_collect()
        .await
        .map_err(api("EC2", "DescribeSecurityGroupRules"))
        .doing(format!("reading {}", title(direction)))?;
    let in_direction = rules.into_iter().filter(|rule| rule.is_egress == Some(direction == Direction::Egress));
    let mut by_id: HashMap<String, Ec2Rule> =
        in_direction.filter_map(|rule| Some((rule.security_group_rule_id.clone()?, rule))).collect();
    let mut read = Vec::with_capacity(priors.len());
    for prior in priors {
        read.push(match by_id.remove(&prior.id) {
            Some(rule) => Some(merged(cx, prior, rule).await?),
            None => None,
        });
    }
    Ok(read)
}

async fn merged(cx: &Cx<Aws>, mut known: Rule, read: Ec2Rule) -> Result<Rule> {
    known.arn = Some(cx.arn("ec2", &format!("security-group-rule/{}", known.id)).await?);
    known.cidr_ipv4 = read.cidr_ipv4;
    known.cidr_ipv6 = read.cidr_ipv6;
    known.description = read.description.filter(|text| !text.is_empty() || known.description.is_some());
    let protocol = read.ip_protocol.unwrap_or_default();
    // However it is written.
    if permissions::protocol(&known.ip_protocol) != permissions::protocol(&protocol) {
        known.ip_protocol = protocol;
    }
    known.prefix_list_id = read.prefix_list_id;
    known.referenced_security_group_id = match read.referenced_group_info {
        Some(group) => referenced(cx, group).await?,
        None => None,
    };
    known.security_group_id = read.group_id.unwrap_or_default();
    known.security_group_rule_id = read.security_group_rule_id;
    // -1 stands for no port, too.
    let port = |read: Option<i32>, known: Option<i64>| match read {
        Some(-1) if known.is_none() => None,
        read => read.map(i64::from),
    };
    known.from_port = port(read.from_port, known.from_port);
    known.to_port = port(read.to_port, known.to_port);
    known.tags_all = from_tags(read.tags);
    Ok(known)
}

/// The group, with its account if that is another one.
async fn referenced(cx: &Cx<Aws>, group: ReferencedSecurityGroup) -> Result<Option<String>> {
    let Some(id) = group.group_id else { return Ok(None) };
    Ok(Some(match group.user_id {
        Some(user) if !user.is_empty() && user != cx.account_id().await? => format!("{user}/{id}"),
        _ => id,
    }))
}

async fn modify(cx: &Cx<Aws>, direction: Direction, prior: &Rule, planned: Rule) -> Result<Rule> {
    let id = &planned.id;
    let (before, after) = (prior.request(), planned.request());
    if before != after {
        let update = SecurityGroupRuleUpdate::builder().security_group_rule_id(id).security_group_rule(after).build();
        let request = cx.ec2().modify_security_group_rules().group_id(&planned.security_group_id);
        let answer = request.security_group_rules(update).send().await;
        let answer = answer.map_err(api("EC2", "ModifySecurityGroupRules"));
        answer.doing(format!("updating {} ({id})", title(direction)))?;
    }
    update_tags(cx, id, &prior.tags_all, &planned.tags_all)
        .await
        .doing(format!("updating tags for {} ({id})", title(direction)))?;
    Ok(planned)
}

async fn revoke(cx: &Cx<Aws>, direction: Direction, prior: &Rule) -> Result<()> {
    let (group, id) = (&prior.security_group_id, &prior.id);
    let revoked = match direction {
        Direction::Ingress => {
            let request = cx.ec2().revoke_security_group_ingress().group_id(group).security_group_rule_ids(id);
            request.send().await.map_err(api("EC2", "RevokeSecurityGroupIngress")).map(|_| ())
        }
        Direction::Egress => {
            let request = cx.ec2().revoke_security_group_egress().group_id(group).security_group_rule_ids(id);
            request.send().await.map_err(api("EC2", "RevokeSecurityGroupEgress")).map(|_| ())
        }
    };
    revoked.or_gone().doing(format!("deleting {} ({id})", title(direction)))
}

async fn made(cx: &Cx<Aws>, planned: &Rule, client_token: &str) -> Result<Vec<Rule>> {
    let answer = cx.ec2().describe_security_group_rules().filters(made_with(client_token)).send().await;
    let rules = answer.map_err(api("EC2", "DescribeSecurityGroupRules"))?.security_group_rules.unwrap_or_default();
    let ids = rules.into_iter().filter_map(|rule| rule.security_group_rule_id);
    Ok(ids.map(|id| Rule { id, ..planned.clone() }).collect())
}

fn validate(config: &Value) -> Vec<ProviderDiagnostic> {
    let value = |name: &&str| config.get(name);
    let set = SOURCES.iter().filter_map(value).filter(|value| !value.is_null());
    let unknown = SOURCES.iter().filter_map(value).any(|value| !value.is_known());
    let names = SOURCES.join(",");
    match set.count() {
        1 => Vec::new(),
        0 => vec![ProviderDiagnostic::error(
            "Missing Attribute Configuration",
            format!("Exactly one of these attributes must be configured: [{names}]"),
        )],
        _ if unknown => Vec::new(),
        _ => vec![ProviderDiagnostic::error(
            "Invalid Attribute Combination",
            format!("Exactly one of these attributes must be configured: [{names}]"),
        )],
    }
}

/// A rule can be changed in place, but not to be for another kind of source.
fn replace_other_source(plan: &mut Plan<'_>) {
    if plan.is_create() {
        return;
    }
    let before = SOURCES.iter().find(|name| !plan.prior(name).is_null());
    let after = SOURCES.iter().find(|name| !plan.planned(name).is_null());
    if before != after {
        let names = before.into_iter().chain(after);
        plan.requires_replace.extend(names.map(|name| attribute_path(name)));
    }
}
