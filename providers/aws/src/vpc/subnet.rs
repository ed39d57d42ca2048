//! `aws_subnet`

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_ec2::operation::modify_subnet_attribute::builders::ModifySubnetAttributeFluentBuilder;
use aws_sdk_ec2::types::{
    AttributeBooleanValue, HostnameType, ResourceType, Subnet as Ec2Subnet, SubnetCidrBlockStateCode,
};
use sdk::{
    Change, Check, Class, Created, Cx, Error, Found, Model, Plan, Resource, Result, ResultExt, Tags, Timeouts, Wait,
    async_trait,
};

use super::{
    IDS_PER_CALL, filter, found, from_tags, given, made_durable, made_with, tag_specifications, text, update_tags,
};
use crate::checks::{ARN, CIDR_V4, CIDR_V6};
use crate::client::Aws;
use crate::errors::api;

/// A subnet of a network. Source: EC2 `CreateSubnet`, `ModifySubnetAttribute` (one attribute a call), `DescribeSubnets`.
#[derive(Clone, Debug, Default, Model)]
#[model(conflicts("availability_zone", "availability_zone_id"))]
#[model(version = 1)]
pub struct Subnet {
    #[attr(computed)]
    arn: Option<String>,
    #[attr(optional, default = false)]
    assign_ipv6_address_on_creation: Option<bool>,
    #[attr(optional, computed, force_new)]
    availability_zone: Option<String>,
    #[attr(optional, computed, force_new)]
    availability_zone_id: Option<String>,
    #[attr(optional, force_new, valid = CIDR_V4)]
    cidr_block: Option<String>,
    #[attr(optional)]
    customer_owned_ipv4_pool: Option<String>,
    #[attr(optional, default = false)]
    enable_dns64: Option<bool>,
    #[attr(optional)]
    enable_lni_at_device_index: Option<i64>,
    #[attr(optional, default = false)]
    enable_resource_name_dns_a_record_on_launch: Option<bool>,
    #[attr(optional, default = false)]
    enable_resource_name_dns_aaaa_record_on_launch: Option<bool>,
    #[attr(optional, computed)]
    id: String,
    #[attr(optional, valid = CIDR_V6)]
    ipv6_cidr_block: Option<String>,
    #[attr(computed)]
    ipv6_cidr_block_association_id: Option<String>,
    #[attr(optional, force_new, default = false)]
    ipv6_native: Option<bool>,
    #[attr(optional)]
    map_customer_owned_ip_on_launch: Option<bool>,
    #[attr(optional, default = false)]
    map_public_ip_on_launch: Option<bool>,
    #[attr(optional, force_new, valid = ARN)]
    outpost_arn: Option<String>,
    #[attr(computed)]
    owner_id: Option<String>,
    #[attr(optional, computed, valid = Check::Enum(&["ip-name", "resource-name"]))]
    private_dns_hostname_type_on_launch: Option<String>,
    #[attr(optional)]
    tags: Option<Tags>,
    #[attr(optional, computed)]
    tags_all: Tags,
    #[attr(required, force_new)]
    vpc_id: String,
    #[timeouts(create, delete)]
    timeouts: Timeouts,
}

const CREATED_WITHIN: Duration = Duration::from_secs(600);
const DELETED_WITHIN: Duration = Duration::from_secs(1200);
const MODIFIED_WITHIN: Duration = Duration::from_secs(300);

#[async_trait]
impl Resource for Subnet {
    const NAME: &'static str = "aws_subnet";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: Subnet, created: &Created<'_>) -> Result<Subnet> {
        let request = cx
            .ec2()
            .create_subnet()
            .vpc_id(&planned.vpc_id)
            .set_availability_zone(given(&planned.availability_zone))
            .set_availability_zone_id(given(&planned.availability_zone_id))
            .set_cidr_block(given(&planned.cidr_block))
            .set_ipv6_cidr_block(given(&planned.ipv6_cidr_block))
            .set_ipv6_native(planned.ipv6_native.filter(|native| *native))
            .set_outpost_arn(given(&planned.outpost_arn))
            .set_tag_specifications(tag_specifications(cx, ResourceType::Subnet, &planned.tags_all));
        let answer = request.send().await.map_err(api("EC2", "CreateSubnet")).doing("creating EC2 Subnet")?;
        planned.id = answer.subnet.and_then(|subnet| subnet.subnet_id).unwrap_or_default();
        created.hand_over(&planned).await;
        let id = planned.id.clone();

        let poll = || async {
            let state = |subnet: &Ec2Subnet| subnet.state.as_ref().map(|s| s.as_str().to_owned()).unwrap_or_default();
            Ok(describe(cx, &id).await?.map(|subnet| (subnet.clone(), state(&subnet))))
        };
        let wait = Wait::until(&["available"], planned.timeouts.create(CREATED_WITHIN)).pending(&["pending"]);
        let ((), waited) = futures::join!(made_durable(cx, &id), cx.wait_for(wait, poll));
        let waited = waited.doing(format!("waiting for EC2 Subnet ({id}) create"))?;
        let Some(subnet) = waited else { return Ok(planned) };
        if associations(&subnet, &SubnetCidrBlockStateCode::Associating).next().is_some() {
            wait_associated(cx, &id, true).await?;
        }
        let made = read(Subnet { id: id.clone(), ..planned.clone() }, subnet);
        modify_differences(cx, &made, &planned).await?;
        Ok(planned)
    }

    async fn settle(cx: &Cx<Aws>, object: &Self) -> Result<()> {
        made_durable(cx, &object.id).await;
        Ok(())
    }

    async fn read(cx: &Cx<Aws>, prior: Subnet) -> Result<Option<Subnet>> {
        sdk::read_one(cx, prior).await
    }

    async fn read_many(cx: &Cx<Aws>, priors: Vec<Subnet>) -> Vec<Result<Option<Subnet>>> {
        sdk::in_batches(priors, IDS_PER_CALL, |chunk| async move {
            let ids: Vec<String> = chunk.iter().map(|subnet| subnet.id.clone()).collect();
            let pages = cx.ec2().describe_subnets().filters(filter("subnet-id", ids)).into_paginator().items().send();
            let subnets: Vec<Ec2Subnet> =
                pages.try_collect().await.map_err(api("EC2", "DescribeSubnets")).doing("reading EC2 Subnet")?;
            let mut by_id: HashMap<String, Ec2Subnet> =
                subnets.into_iter().filter_map(|subnet| Some((subnet.subnet_id.clone()?, subnet))).collect();
            Ok(chunk.into_iter().map(|prior| by_id.remove(&prior.id).map(|subnet| read(prior, subnet))).collect())
        })
        .await
    }

    async fn update(cx: &Cx<Aws>, change: Change<Subnet>) -> Result<Subnet> {
        let Change { prior, planned, .. } = &change;
        let id = &planned.id;
        modify_differences(cx, prior, planned).await?;
        update_tags(cx, id, &prior.tags_all, &planned.tags_all)
            .await
            .doing(format!("updating tags for EC2 Subnet ({id})"))?;
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: Subnet) -> Result<()> {
        let id = prior.id.as_str();
        let delete = || async {
            let request = cx.ec2().delete_subnet().subnet_id(id);
            request.send().await.map_err(api("EC2", "DeleteSubnet")).map(|_| ())
        };
        let budget = prior.timeouts.delete(DELETED_WITHIN);
        let dependents = |error: &Error| error.class() == Class::DependencyViolation;
        cx.retry(budget, dependents, delete).await.or_gone().doing(format!("deleting EC2 Subnet ({id})"))?;
        let poll = || async { Ok(describe(cx, id).await?.map(|_| ((), "available".to_owned()))) };
        cx.wait_for(Wait::until_gone(budget), poll).await.doing(format!("waiting for EC2 Subnet ({id}) delete"))?;
        Ok(())
    }

    async fn plan(_cx: &Cx<Aws>, plan: &mut Plan<'_>) -> Result<()> {
        // Interfaces keep addresses that were assigned on creation, so the block can't be taken away.
        if plan.prior("assign_ipv6_address_on_creation").as_bool() == Some(true) {
            plan.replace_on("ipv6_cidr_block");
        }
        Ok(())
    }

    async fn find(cx: &Cx<Aws>, planned: &Subnet, client_token: &str) -> Result<Found<Subnet>> {
        let answer = cx.ec2().describe_subnets().filters(made_with(client_token)).send().await;
        let subnets = answer.map_err(api("EC2", "DescribeSubnets"))?.subnets.unwrap_or_default().into_iter();
        let made = subnets.map(|made| Subnet { id: made.subnet_id.unwrap_or_default(), ..planned.clone() });
        Ok(found(made.collect()))
    }

    fn estimate_seconds(_operation: sdk::Operation) -> u32 {
        2
    }
}

async fn describe(cx: &Cx<Aws>, id: &str) -> Result<Option<Ec2Subnet>> {
    let answer = cx.ec2().describe_subnets().filters(filter("subnet-id", [id])).send().await;
    let answer = answer.map_err(api("EC2", "DescribeSubnets"))?;
    Ok(answer.subnets.unwrap_or_default().into_iter().next())
}

/// The ids and blocks of IPv6 associations in this state.
pub(crate) fn associations<'a>(
    subnet: &'a Ec2Subnet,
    in_state: &'a SubnetCidrBlockStateCode,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let associations = subnet.ipv6_cidr_block_association_set.iter().flatten();
    associations
        .filter(move |a| a.ipv6_cidr_block_state.as_ref().and_then(|state| state.state.as_ref()) == Some(in_state))
        .filter_map(|a| Some((a.association_id.as_deref()?, a.ipv6_cidr_block.as_deref()?)))
}

/// What the API says of the subnet, laid over what is known.
fn read(mut known: Subnet, read: Ec2Subnet) -> Subnet {
    let associated = associations(&read, &SubnetCidrBlockStateCode::Associated).next();
    let (association, block) = associated.unwrap_or_default();
    known.ipv6_cidr_block_association_id = Some(association.to_owned());
    known.ipv6_cidr_block = Some(block.to_owned());
    known.arn = text(read.subnet_arn);
    known.assign_ipv6_address_on_creation = Some(read.assign_ipv6_address_on_creation.unwrap_or_default());
    known.availability_zone = text(read.availability_zone);
    known.availability_zone_id = text(read.availability_zone_id);
    known.cidr_block = text(read.cidr_block);
    known.customer_owned_ipv4_pool = text(read.customer_owned_ipv4_pool);
    known.enable_dns64 = Some(read.enable_dns64.unwrap_or_default());
    known.enable_lni_at_device_index = Some(read.enable_lni_at_device_index.map(i64::from).unwrap_or_default());
    known.ipv6_native = Some(read.ipv6_native.unwrap_or_default());
    known.map_customer_owned_ip_on_launch = Some(read.map_customer_owned_ip_on_launch.unwrap_or_default());
    known.map_public_ip_on_launch = Some(read.map_public_ip_on_launch.unwrap_or_default());
    known.outpost_arn = text(read.outpost_arn);
    known.owner_id = text(read.owner_id);
    known.vpc_id = read.vpc_id.unwrap_or_default();
    let names = read.private_dns_name_options_on_launch.as_ref();
    known.enable_resource_name_dns_a_record_on_launch =
        Some(names.and_then(|names| names.enable_resource_name_dns_a_record).unwrap_or_default());
    known.enable_resource_name_dns_aaaa_record_on_launch =
        Some(names.and_then(|names| names.enable_resource_name_dns_aaaa_record).unwrap_or_default());
    let kind = names.and_then(|names| names.hostname_type.as_ref());
    known.private_dns_hostname_type_on_launch = text(kind.map(|kind| kind.as_str().to_owned()));
    known.tags_all = from_tags(read.tags);
    known
}

/// Makes the calls that bring the subnet from what it is to what it is to be. What isn't planned stays.
async fn modify_differences(cx: &Cx<Aws>, is: &Subnet, planned: &Subnet) -> Result<()> {
    let id = planned.id.as_str();
    let on = |flag: bool| AttributeBooleanValue::builder().value(flag).build();
    let request = || cx.ec2().modify_subnet_attribute().subnet_id(id);
    let differs = |part: fn(&Subnet) -> Option<bool>| {
        let wanted = part(planned).unwrap_or_default();
        (wanted != part(is).unwrap_or_default()).then_some(wanted)
    };

    let (pool, map) = (&planned.customer_owned_ipv4_pool, planned.map_customer_owned_ip_on_launch.unwrap_or_default());
    if map != is.map_customer_owned_ip_on_launch.unwrap_or_default()
        || given(pool) != given(&is.customer_owned_ipv4_pool)
    {
        let request = request().map_customer_owned_ip_on_launch(on(map)).set_customer_owned_ipv4_pool(given(pool));
        modify(cx, id, "CustomerOwnedIpv4Pool/MapCustomerOwnedIpOnLaunch", request, |now| {
            now.map_customer_owned_ip_on_launch.unwrap_or_default() == map
        })
        .await?;
    }

    // Addresses are assigned from the IPv6 block: stop before it changes, start after it.
    let assign = differs(|subnet| subnet.assign_ipv6_address_on_creation);
    if assign == Some(false) {
        assign_ipv6(cx, id, request().assign_ipv6_address_on_creation(on(false)), false).await?;
    }
    if given(&planned.ipv6_cidr_block) != given(&is.ipv6_cidr_block) {
        reassociate_ipv6(cx, is, planned).await?;
    }
    if assign == Some(true) {
        assign_ipv6(cx, id, request().assign_ipv6_address_on_creation(on(true)), true).await?;
    }

    if let Some(flag) = differs(|subnet| subnet.enable_dns64) {
        let request = request().enable_dns64(on(flag));
        modify(cx, id, "EnableDns64", request, |now| now.enable_dns64.unwrap_or_default() == flag).await?;
    }
    let index = planned.enable_lni_at_device_index.and_then(|index| i32::try_from(index).ok());
    if let Some(index) = index.filter(|i| *i != 0 && Some(i64::from(*i)) != is.enable_lni_at_device_index) {
        let request = request().enable_lni_at_device_index(index);
        modify(cx, id, "EnableLniAtDeviceIndex", request, |now| now.enable_lni_at_device_index == Some(index)).await?;
    }
    if let Some(flag) = differs(|subnet| subnet.enable_resource_name_dns_aaaa_record_on_launch) {
        let request = request().enable_resource_name_dns_aaaa_record_on_launch(on(flag));
        modify(cx, id, "EnableResourceNameDnsAAAARecordOnLaunch", request, |now| {
            now.private_dns_name_options_on_launch
                .as_ref()
                .is_none_or(|o| o.enable_resource_name_dns_aaaa_record.unwrap_or_default() == flag)
        })
        .await?;
    }
    if let Some(flag) = differs(|subnet| subnet.enable_resource_name_dns_a_record_on_launch) {
        let request = request().enable_resource_name_dns_a_record_on_launch(on(flag));
        modify(cx, id, "EnableResourceNameDnsARecordOnLaunch", request, |now| {
            now.private_dns_name_options_on_launch
                .as_ref()
                .is_none_or(|o| o.enable_resource_name_dns_a_record.unwrap_or_default() == flag)
        })
        .await?;
    }
    if let Some(flag) = differs(|subnet| subnet.map_public_ip_on_launch) {
        let request = request().map_public_ip_on_launch(on(flag));
        modify(cx, id, "MapPublicIpOnLaunch", request, |now| now.map_public_ip_on_launch.unwrap_or_default() == flag)
            .await?;
    }
    let kind = given(&planned.private_dns_hostname_type_on_launch);
    if let Some(kind) = kind.filter(|kind| is.private_dns_hostname_type_on_launch.as_ref() != Some(kind)) {
        let kind = HostnameType::from(kind.as_str());
        let request = request().private_dns_hostname_type_on_launch(kind.clone());
        modify(cx, id, "PrivateDnsHostnameTypeOnLaunch", request, |now| {
            now.private_dns_name_options_on_launch.as_ref().is_none_or(|o| o.hostname_type.as_ref() == Some(&kind))
        })
        .await?;
    }
    Ok(())
}

async fn assign_ipv6(cx: &Cx<Aws>, id: &str, request: ModifySubnetAttributeFluentBuilder, flag: bool) -> Result<()> {
    modify(cx, id, "AssignIpv6AddressOnCreation", request, |now| {
        now.assign_ipv6_address_on_creation.unwrap_or_default() == flag
    })
    .await
}

/// Changes an attribute and waits until that shows.
async fn modify(
    cx: &Cx<Aws>,
    id: &str,
    name: &str,
    request: ModifySubnetAttributeFluentBuilder,
    shows: impl Fn(&Ec2Subnet) -> bool + Send + Sync,
) -> Result<()> {
    let answer = request.send().await.map_err(api("EC2", "ModifySubnetAttribute"));
    answer.doing(format!("modifying EC2 Subnet ({id}) {name}"))?;
    let poll = || async {
        let subnet = describe(cx, id).await?;
        Ok(subnet.map(|subnet| ((), if shows(&subnet) { "modified" } else { "modifying" }.to_owned())))
    };
    cx.wait_for(Wait::until(&["modified"], MODIFIED_WITHIN), poll)
        .await
        .doing(format!("waiting for EC2 Subnet ({id}) {name} update"))?;
    Ok(())
}

async fn reassociate_ipv6(cx: &Cx<Aws>, is: &Subnet, planned: &Subnet) -> Result<()> {
    let id = planned.id.as_str();
    if let Some(association) = given(&is.ipv6_cidr_block_association_id) {
        let request = cx.ec2().disassociate_subnet_cidr_block().association_id(&association);
        let answer = request.send().await.map_err(api("EC2", "DisassociateSubnetCidrBlock"));
        answer.or_gone().doing(format!("disassociating EC2 Subnet ({id}) IPv6 CIDR block ({association})"))?;
        wait_associated(cx, id, false).await?;
    }
    if let Some(block) = given(&planned.ipv6_cidr_block) {
        let request = cx.ec2().associate_subnet_cidr_block().subnet_id(id).ipv6_cidr_block(&block);
        let answer = request.send().await.map_err(api("EC2", "AssociateSubnetCidrBlock"));
        answer.doing(format!("associating EC2 Subnet ({id}) IPv6 CIDR block ({block})"))?;
        wait_associated(cx, id, true).await?;
    }
    Ok(())
}

/// A subnet has one IPv6 block at most, so waits until it has one, or none.
async fn wait_associated(cx: &Cx<Aws>, id: &str, associated: bool) -> Result<()> {
    let poll = || async {
        let state = |subnet: &Ec2Subnet| {
            let moving = [SubnetCidrBlockStateCode::Associating, SubnetCidrBlockStateCode::Disassociating];
            if moving.iter().any(|state| associations(subnet, state).next().is_some()) {
                return "moving";
            }
            match associations(subnet, &SubnetCidrBlockStateCode::Associated).next() {
                Some(_) => "associated",
                None => "disassociated",
            }
        };
        Ok(describe(cx, id).await?.map(|subnet| ((), state(&subnet).to_owned())))
    };
    let target: &[&str] = if associated { &["associated"] } else { &["disassociated"] };
    let wanted = target.first().copied().unwrap_or_default();
    cx.wait_for(Wait::until(target, MODIFIED_WITHIN), poll)
        .await
        .doing(format!("waiting for EC2 Subnet ({id}) IPv6 CIDR block to become {wanted}"))?;
    Ok(())
}
