//! `aws_vpc`

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_ec2::types::{
    AttributeBooleanValue, ResourceType, Tenancy, Vpc as Ec2Vpc, VpcAttributeName, VpcCidrBlockStateCode,
    VpcIpv6CidrBlockAssociation,
};
use futures::{StreamExt, TryStreamExt, stream};
use sdk::{
    Change, Check, Class, Created, Cx, Error, Found, Model, Plan, Resource, Result, ResultExt, Tags, Wait, async_trait,
};

use super::{
    DEPENDENTS_GONE_WITHIN, IDS_PER_CALL, filter, found, from_tags, made_durable, made_with, owned_arn,
    tag_specifications, update_tags,
};
use crate::checks::{self, CIDR_V6};
use crate::client::Aws;
use crate::errors::api;

/// A virtual network. Source: EC2 `CreateVpc`, `DescribeVpcs`; three of its attributes only come one at a time from
/// `DescribeVpcAttribute`.
#[derive(Clone, Debug, Default, Model)]
#[model(
    conflicts("cidr_block", "ipv4_netmask_length"),
    conflicts("ipv6_cidr_block", "ipv6_netmask_length"),
    conflicts("assign_generated_ipv6_cidr_block", "ipv6_ipam_pool_id")
)]
#[model(version = 1)]
pub struct Vpc {
    #[attr(computed)]
    arn: Option<String>,
    #[attr(optional)]
    assign_generated_ipv6_cidr_block: Option<bool>,
    #[attr(optional, computed, force_new, valid = Check::Text(|key, text| checks::network(key, text, 16, 28)))]
    cidr_block: Option<String>,
    #[attr(computed)]
    default_network_acl_id: Option<String>,
    #[attr(computed)]
    default_route_table_id: Option<String>,
    #[attr(computed)]
    default_security_group_id: Option<String>,
    #[attr(computed)]
    dhcp_options_id: Option<String>,
    #[attr(optional, computed)]
    enable_dns_hostnames: Option<bool>,
    #[attr(optional, default = true)]
    enable_dns_support: Option<bool>,
    #[attr(optional, computed)]
    enable_network_address_usage_metrics: Option<bool>,
    #[attr(optional, computed)]
    id: String,
    #[attr(optional, force_new, default = "default", valid = Check::Enum(&["default", "dedicated"]))]
    instance_tenancy: Option<String>,
    #[attr(optional, force_new)]
    ipv4_ipam_pool_id: Option<String>,
    #[attr(optional, force_new)]
    ipv4_netmask_length: Option<i64>,
    #[attr(computed)]
    ipv6_association_id: Option<String>,
    #[attr(optional, computed, valid = CIDR_V6)]
    ipv6_cidr_block: Option<String>,
    #[attr(optional, computed)]
    ipv6_cidr_block_network_border_group: Option<String>,
    #[attr(optional)]
    ipv6_ipam_pool_id: Option<String>,
    #[attr(optional)]
    ipv6_netmask_length: Option<i64>,
    #[attr(computed)]
    main_route_table_id: Option<String>,
    #[attr(computed)]
    owner_id: Option<String>,
    #[attr(optional)]
    tags: Option<Tags>,
    #[attr(optional, computed)]
    tags_all: Tags,
}

/// The attributes that `DescribeVpcs` doesn't report.
const ATTRIBUTES: [VpcAttributeName; 3] = [
    VpcAttributeName::EnableDnsHostnames,
    VpcAttributeName::EnableDnsSupport,
    VpcAttributeName::EnableNetworkAddressUsageMetrics,
];

const CREATED_WITHIN: Duration = Duration::from_secs(600);
const ASSOCIATED_WITHIN: Duration = Duration::from_secs(600);

#[async_trait]
impl Resource for Vpc {
    const NAME: &'static str = "aws_vpc";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: Vpc, created: &Created<'_>) -> Result<Vpc> {
        let request = cx
            .ec2()
            .create_vpc()
            .set_cidr_block(planned.cidr_block.clone())
            .set_amazon_provided_ipv6_cidr_block(planned.assign_generated_ipv6_cidr_block)
            .set_instance_tenancy(planned.instance_tenancy.as_deref().map(Tenancy::from))
            .set_ipv4_ipam_pool_id(planned.ipv4_ipam_pool_id.clone())
            .set_ipv4_netmask_length(planned.ipv4_netmask_length.and_then(|n| i32::try_from(n).ok()))
            .set_ipv6_cidr_block(planned.ipv6_cidr_block.clone())
            .set_ipv6_cidr_block_network_border_group(planned.ipv6_cidr_block_network_border_group.clone())
            .set_ipv6_ipam_pool_id(planned.ipv6_ipam_pool_id.clone())
            .set_ipv6_netmask_length(planned.ipv6_netmask_length.and_then(|n| i32::try_from(n).ok()))
            .set_tag_specifications(tag_specifications(cx, ResourceType::Vpc, &planned.tags_all));
        let answer = request.send().await.map_err(api("EC2", "CreateVpc")).doing("creating EC2 VPC")?;
        let vpc = answer.vpc.ok_or_else(|| Error::new("creating EC2 VPC: empty result"))?;
        planned.id = vpc.vpc_id.unwrap_or_default();
        created.hand_over(&planned).await;
        made_durable(cx, &planned.id).await;

        let poll = || async {
            let vpc = describe(cx, &planned.id).await?;
            Ok(vpc.map(|vpc| ((), vpc.state.map(|s| s.as_str().to_owned()).unwrap_or_default())))
        };
        cx.wait_for(Wait::until(&["available"], CREATED_WITHIN).pending(&["pending"]), poll)
            .await
            .doing(format!("waiting for EC2 VPC ({}) create", planned.id))?;
        if let Some(association) = vpc.ipv6_cidr_block_association_set.and_then(|set| set.into_iter().next()) {
            let association = association.association_id.unwrap_or_default();
            wait_associated(cx, &planned.id, &association).await?;
        }

        // A new network has DNS support and nothing else of these.
        if planned.enable_dns_hostnames == Some(true) {
            modify(cx, &planned.id, &VpcAttributeName::EnableDnsHostnames, true).await?;
        }
        if planned.enable_dns_support == Some(false) {
            modify(cx, &planned.id, &VpcAttributeName::EnableDnsSupport, false).await?;
        }
        if planned.enable_network_address_usage_metrics == Some(true) {
            modify(cx, &planned.id, &VpcAttributeName::EnableNetworkAddressUsageMetrics, true).await?;
        }
        Ok(planned)
    }

    async fn settle(cx: &Cx<Aws>, object: &Self) -> Result<()> {
        made_durable(cx, &object.id).await;
        Ok(())
    }

    async fn read(cx: &Cx<Aws>, prior: Vpc) -> Result<Option<Vpc>> {
        sdk::read_one(cx, prior).await
    }

    async fn read_many(cx: &Cx<Aws>, priors: Vec<Vpc>) -> Vec<Result<Option<Vpc>>> {
        sdk::in_batches(priors, IDS_PER_CALL, |chunk| read_chunk(cx, chunk)).await
    }

    async fn update(cx: &Cx<Aws>, change: Change<Vpc>) -> Result<Vpc> {
        let Change { prior, planned, .. } = &change;
        let id = &planned.id;
        // DNS host names need DNS support: switch support on first, and off last.
        let support = change.of(|vpc| &vpc.enable_dns_support).then_some(planned.enable_dns_support).flatten();
        if support == Some(true) {
            modify(cx, id, &VpcAttributeName::EnableDnsSupport, true).await?;
        }
        if let (true, Some(on)) = (change.of(|vpc| &vpc.enable_dns_hostnames), planned.enable_dns_hostnames) {
            modify(cx, id, &VpcAttributeName::EnableDnsHostnames, on).await?;
        }
        if support == Some(false) {
            modify(cx, id, &VpcAttributeName::EnableDnsSupport, false).await?;
        }
        let metrics = planned.enable_network_address_usage_metrics;
        if let (true, Some(on)) = (change.of(|vpc| &vpc.enable_network_address_usage_metrics), metrics) {
            modify(cx, id, &VpcAttributeName::EnableNetworkAddressUsageMetrics, on).await?;
        }
        if change.of(|vpc| &vpc.instance_tenancy) {
            let request = cx.ec2().modify_vpc_tenancy().vpc_id(id).instance_tenancy("default".into());
            let answer = request.send().await.map_err(api("EC2", "ModifyVpcTenancy"));
            answer.doing(format!("updating EC2 VPC ({id}) InstanceTenancy"))?;
        }
        if change.of(|vpc| &vpc.assign_generated_ipv6_cidr_block)
            || change.of(|vpc| &vpc.ipv6_cidr_block) && planned.ipv6_cidr_block.is_some()
            || change.of(|vpc| &vpc.ipv6_ipam_pool_id)
        {
            reassociate_ipv6(cx, prior, planned).await?;
        }
        update_tags(cx, id, &prior.tags_all, &planned.tags_all)
            .await
            .doing(format!("updating tags for EC2 VPC ({id})"))?;
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: Vpc) -> Result<()> {
        let delete = || async {
            let request = cx.ec2().delete_vpc().vpc_id(&prior.id);
            request.send().await.map_err(api("EC2", "DeleteVpc")).map(|_| ())
        };
        let dependents = |error: &Error| error.class() == Class::DependencyViolation;
        cx.retry(DEPENDENTS_GONE_WITHIN, dependents, delete)
            .await
            .or_gone()
            .doing(format!("deleting EC2 VPC ({})", prior.id))
    }

    async fn find(cx: &Cx<Aws>, planned: &Vpc, client_token: &str) -> Result<Found<Vpc>> {
        let answer = cx.ec2().describe_vpcs().filters(made_with(client_token)).send().await;
        let vpcs = answer.map_err(api("EC2", "DescribeVpcs"))?.vpcs.unwrap_or_default().into_iter();
        Ok(found(vpcs.map(|vpc| Vpc { id: vpc.vpc_id.unwrap_or_default(), ..planned.clone() }).collect()))
    }

    async fn plan(_cx: &Cx<Aws>, plan: &mut Plan<'_>) -> Result<()> {
        // A dedicated network may be made a shared one in place; the other way needs a new one.
        if plan.planned("instance_tenancy").as_str().is_some_and(|tenancy| tenancy == "default")
            && plan.prior("instance_tenancy").as_str().is_some_and(|tenancy| tenancy == "dedicated")
        {
            plan.in_place("instance_tenancy");
        }
        if !plan.is_create() && plan.changes("assign_generated_ipv6_cidr_block") {
            plan.set_unknown("ipv6_association_id");
            plan.set_unknown("ipv6_cidr_block");
        }
        Ok(())
    }

    fn estimate_seconds(_operation: sdk::Operation) -> u32 {
        3
    }
}

async fn describe(cx: &Cx<Aws>, id: &str) -> Result<Option<Ec2Vpc>> {
    let answer = cx.ec2().describe_vpcs().filters(filter("vpc-id", [id])).send().await;
    let answer = answer.map_err(api("EC2", "DescribeVpcs"))?;
    Ok(answer.vpcs.unwrap_or_default().into_iter().next())
}

async fn modify(cx: &Cx<Aws>, id: &str, name: &VpcAttributeName, on: bool) -> Result<()> {
    let value = Some(AttributeBooleanValue::builder().value(on).build());
    let request = cx.ec2().modify_vpc_attribute().vpc_id(id);
    let request = match name {
        VpcAttributeName::EnableDnsHostnames => request.set_enable_dns_hostnames(value),
        VpcAttributeName::EnableDnsSupport => request.set_enable_dns_support(value),
        _ => request.set_enable_network_address_usage_metrics(value),
    };
    let modified = request.send().await.map_err(api("EC2", "ModifyVpcAttribute"));
    modified.doing(format!("updating EC2 VPC ({id}) {name}"))?;
    let poll = || async { Ok(Some(((), attribute(cx, id, name).await?.unwrap_or_default().to_string()))) };
    cx.wait_for(Wait::until(&[if on { "true" } else { "false" }], CREATED_WITHIN), poll)
        .await
        .doing(format!("waiting for EC2 VPC ({id}) {name} update"))?;
    Ok(())
}

/// One of the attributes that `DescribeVpcs` doesn't report.
pub(crate) async fn attribute(cx: &Cx<Aws>, id: &str, name: &VpcAttributeName) -> Result<Option<bool>> {
    let request = cx.ec2().describe_vpc_attribute().vpc_id(id).attribute(name.clone());
    let answer = request.send().await.map_err(api("EC2", "DescribeVpcAttribute"))?;
    let value = match name {
        VpcAttributeName::EnableDnsHostnames => answer.enable_dns_hostnames,
        VpcAttributeName::EnableDnsSupport => answer.enable_dns_support,
        _ => answer.enable_network_address_usage_metrics,
    };
    Ok(value.and_then(|value| value.value))
}

async fn reassociate_ipv6(cx: &Cx<Aws>, prior: &Vpc, planned: &Vpc) -> Result<()> {
    let id = &planned.id;
    if let Some(association) = prior.ipv6_association_id.as_deref().filter(|id| !id.is_empty()) {
        let request = cx.ec2().disassociate_vpc_cidr_block().association_id(association);
        let answer = request.send().await.map_err(api("EC2", "DisassociateVpcCidrBlock"));
        answer.or_gone().doing(format!("deleting EC2 VPC ({id}) IPv6 CIDR block ({association}) association"))?;
        let poll = || async { Ok(association_state(cx, id, association).await?.map(|state| ((), state))) };
        cx.wait_for(
            Wait::until(&["disassociated"], ASSOCIATED_WITHIN).pending(&["associated", "disassociating"]),
            poll,
        )
        .await
        .if_found()
        .doing(format!("waiting for EC2 VPC ({id}) IPv6 CIDR block ({association}) to become disassociated"))?;
    }
    let generated = planned.assign_generated_ipv6_cidr_block == Some(true);
    let pool = planned.ipv6_ipam_pool_id.clone().filter(|pool| !pool.is_empty());
    if !generated && pool.is_none() {
        return Ok(());
    }
    let request = cx
        .ec2()
        .associate_vpc_cidr_block()
        .vpc_id(id)
        .amazon_provided_ipv6_cidr_block(generated)
        .set_ipv6_cidr_block(planned.ipv6_cidr_block.clone().filter(|block| !block.is_empty() && !generated))
        .set_ipv6_ipam_pool_id(pool)
        .set_ipv6_netmask_length(planned.ipv6_netmask_length.and_then(|n| i32::try_from(n).ok()).filter(|n| *n > 0))
        .set_ipv6_cidr_block_network_border_group(planned.ipv6_cidr_block_network_border_group.clone());
    let answer = request.send().await.map_err(api("EC2", "AssociateVpcCidrBlock"));
    let answer = answer.doing(format!("creating EC2 VPC ({id}) IPv6 CIDR block association"))?;
    let association = answer.ipv6_cidr_block_association.and_then(|a| a.association_id).unwrap_or_default();
    wait_associated(cx, id, &association).await
}

async fn wait_associated(cx: &Cx<Aws>, id: &str, association: &str) -> Result<()> {
    let poll = || async { Ok(association_state(cx, id, association).await?.map(|state| ((), state))) };
    cx.wait_for(Wait::until(&["associated"], ASSOCIATED_WITHIN).pending(&["associating", "disassociated"]), poll)
        .await
        .doing(format!("waiting for EC2 VPC ({id}) IPv6 CIDR block ({association}) to become associated"))?;
    Ok(())
}

async fn association_state(cx: &Cx<Aws>, id: &str, association: &str) -> Result<Option<String>> {
    let vpc = describe(cx, id).await?;
    let mut associations = vpc.and_then(|vpc| vpc.ipv6_cidr_block_association_set).unwrap_or_default().into_iter();
    Ok(associations
        .find(|a| a.association_id.as_deref() == Some(association))
        .and_then(|a| a.ipv6_cidr_block_state?.state)
        .map(|state| state.as_str().to_owned()))
}

/// What a network has by default, by the network's id.
#[derive(Debug, Default)]
struct Defaults {
    network_acl: HashMap<String, String>,
    route_table: HashMap<String, String>,
    security_group: HashMap<String, String>,
}

async fn read_chunk(cx: &Cx<Aws>, priors: Vec<Vpc>) -> Result<Vec<Option<Vpc>>> {
    let ids: Vec<String> = priors.iter().map(|vpc| vpc.id.clone()).collect();
    let (vpcs, defaults, attributes) =
        futures::try_join!(describe_all(cx, &ids), defaults(cx, &ids), attributes(cx, &ids))?;
    let mut read = Vec::with_capacity(priors.len());
    for prior in priors {
        read.push(match vpcs.get(&prior.id) {
            Some(vpc) => Some(merged(cx, prior, vpc.clone(), &defaults, &attributes).await?),
            None => None,
        });
    }
    Ok(read)
}

async fn describe_all(cx: &Cx<Aws>, ids: &[String]) -> Result<HashMap<String, Ec2Vpc>> {
    let pages = cx.ec2().describe_vpcs().filters(filter("vpc-id", ids)).into_paginator().items().send();
    let vpcs: Vec<Ec2Vpc> = pages.try_collect().await.map_err(api("EC2", "DescribeVpcs")).doing("reading EC2 VPC")?;
    Ok(vpcs.into_iter().filter_map(|vpc| Some((vpc.vpc_id.clone()?, vpc))).collect())
}

async fn defaults(cx: &Cx<Aws>, ids: &[String]) -> Result<Defaults> {
    let acls = async {
        let request = cx.ec2().describe_network_acls().filters(filter("default", ["true"]));
        let pages = request.filters(filter("vpc-id", ids)).into_paginator().items().send();
        let acls: Vec<_> = pages.try_collect().await.map_err(api("EC2", "DescribeNetworkAcls"))?;
        Ok::<_, Error>(acls.into_iter().filter_map(|acl| Some((acl.vpc_id?, acl.network_acl_id?))).collect())
    };
    let tables = async {
        let request = cx.ec2().describe_route_tables().filters(filter("association.main", ["true"]));
        let pages = request.filters(filter("vpc-id", ids)).into_paginator().items().send();
        let tables: Vec<_> = pages.try_collect().await.map_err(api("EC2", "DescribeRouteTables"))?;
        Ok::<_, Error>(tables.into_iter().filter_map(|table| Some((table.vpc_id?, table.route_table_id?))).collect())
    };
    let groups = async {
        let request = cx.ec2().describe_security_groups().filters(filter("group-name", ["default"]));
        let pages = request.filters(filter("vpc-id", ids)).into_paginator().items().send();
        let groups: Vec<_> = pages.try_collect().await.map_err(api("EC2", "DescribeSecurityGroups"))?;
        Ok::<_, Error>(groups.into_iter().filter_map(|group| Some((group.vpc_id?, group.group_id?))).collect())
    };
    let (network_acl, route_table, security_group) = futures::try_join!(acls, tables, groups)?;
    Ok(Defaults { network_acl, route_table, security_group })
}

type Attributes = HashMap<(String, VpcAttributeName), bool>;

/// There is no call that reports these for many networks; a gone network has none.
async fn attributes(cx: &Cx<Aws>, ids: &[String]) -> Result<Attributes> {
    let mut wanted = Vec::with_capacity(ids.len() * ATTRIBUTES.len());
    for id in ids {
        wanted.extend(ATTRIBUTES.map(|name| (id.clone(), name)));
    }
    stream::iter(wanted)
        .map(|(id, name)| async move {
            let value = attribute(cx, &id, &name).await.if_found()?.flatten();
            Ok(((id, name), value.unwrap_or_default()))
        })
        .buffer_unordered(12)
        .try_collect()
        .await
}

async fn merged(cx: &Cx<Aws>, mut vpc: Vpc, read: Ec2Vpc, defaults: &Defaults, attributes: &Attributes) -> Result<Vpc> {
    let id = vpc.id.clone();
    let owner = read.owner_id.unwrap_or_default();
    vpc.arn = Some(owned_arn(cx, &owner, &format!("vpc/{id}")));
    vpc.owner_id = Some(owner);
    vpc.cidr_block = read.cidr_block;
    vpc.dhcp_options_id = read.dhcp_options_id;
    vpc.instance_tenancy = read.instance_tenancy.map(|tenancy| tenancy.as_str().to_owned());
    let switch = |name: VpcAttributeName| attributes.get(&(id.clone(), name)).copied();
    vpc.enable_dns_hostnames = switch(VpcAttributeName::EnableDnsHostnames);
    vpc.enable_dns_support = switch(VpcAttributeName::EnableDnsSupport);
    vpc.enable_network_address_usage_metrics = switch(VpcAttributeName::EnableNetworkAddressUsageMetrics);
    vpc.default_network_acl_id = defaults.network_acl.get(&id).cloned();
    vpc.default_route_table_id = defaults.route_table.get(&id).cloned();
    vpc.main_route_table_id = vpc.default_route_table_id.clone();
    vpc.default_security_group_id = defaults.security_group.get(&id).cloned();
    let association = ipv6_association(read.ipv6_cidr_block_association_set, vpc.ipv6_association_id.as_deref());
    let generated = association.as_ref().and_then(|a| a.ipv6_pool.clone()).is_some_and(|pool| pool == "Amazon");
    vpc.assign_generated_ipv6_cidr_block = Some(generated);
    vpc.ipv6_association_id = Some(String::new());
    vpc.ipv6_cidr_block = Some(String::new());
    vpc.ipv6_cidr_block_network_border_group = Some(String::new());
    if let Some(association) = association {
        vpc.ipv6_association_id = association.association_id;
        vpc.ipv6_cidr_block = association.ipv6_cidr_block;
        vpc.ipv6_cidr_block_network_border_group = Some(association.network_border_group.unwrap_or_default());
        if generated {
            vpc.ipv6_ipam_pool_id = Some(String::new());
            vpc.ipv6_netmask_length = Some(0);
        } else {
            vpc.ipv6_ipam_pool_id = association.ipv6_pool;
        }
    } else {
        vpc.ipv6_ipam_pool_id = Some(String::new());
        vpc.ipv6_netmask_length = Some(0);
    }
    vpc.tags_all = from_tags(read.tags);
    Ok(vpc)
}

/// The association of the state, or else the first.
fn ipv6_association(
    associations: Option<Vec<VpcIpv6CidrBlockAssociation>>,
    known: Option<&str>,
) -> Option<VpcIpv6CidrBlockAssociation> {
    let associated = |a: &VpcIpv6CidrBlockAssociation| {
        let state = a.ipv6_cidr_block_state.as_ref().and_then(|state| state.state.as_ref());
        state == Some(&VpcCidrBlockStateCode::Associated)
    };
    let mut associations: Vec<_> = associations.unwrap_or_default().into_iter().filter(associated).collect();
    let position = associations.iter().position(|a| a.association_id.as_deref() == known).unwrap_or_default();
    (position < associations.len()).then(|| associations.swap_remove(position))
}
