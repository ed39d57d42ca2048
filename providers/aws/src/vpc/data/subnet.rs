//! `data "aws_subnet"`

use aws_sdk_ec2::types::SubnetCidrBlockStateCode;
use sdk::{Cx, DataSource, Model, Result, ResultExt, Tags, Timeouts, async_trait};

use super::{Criteria, FilterBlock, shown, single};
use crate::client::Aws;
use crate::errors::api;
use crate::vpc::subnet::associations;
use crate::vpc::{from_tags, text};

/// A subnet. Source: EC2 `DescribeSubnets`.
#[derive(Clone, Debug, Default, Model)]
pub struct Subnet {
    #[attr(computed)]
    arn: Option<String>,
    #[attr(computed)]
    assign_ipv6_address_on_creation: Option<bool>,
    #[attr(optional, computed)]
    availability_zone: Option<String>,
    #[attr(optional, computed)]
    availability_zone_id: Option<String>,
    #[attr(computed)]
    available_ip_address_count: Option<i64>,
    #[attr(optional, computed)]
    cidr_block: Option<String>,
    #[attr(computed)]
    customer_owned_ipv4_pool: Option<String>,
    #[attr(optional, computed)]
    default_for_az: Option<bool>,
    #[attr(computed)]
    enable_dns64: Option<bool>,
    #[attr(computed)]
    enable_lni_at_device_index: Option<i64>,
    #[attr(computed)]
    enable_resource_name_dns_a_record_on_launch: Option<bool>,
    #[attr(computed)]
    enable_resource_name_dns_aaaa_record_on_launch: Option<bool>,
    #[attr(optional, computed)]
    id: Option<String>,
    #[attr(optional, computed)]
    ipv6_cidr_block: Option<String>,
    #[attr(computed)]
    ipv6_cidr_block_association_id: Option<String>,
    #[attr(computed)]
    ipv6_native: Option<bool>,
    #[attr(computed)]
    map_customer_owned_ip_on_launch: Option<bool>,
    #[attr(computed)]
    map_public_ip_on_launch: Option<bool>,
    #[attr(computed)]
    outpost_arn: Option<String>,
    #[attr(computed)]
    owner_id: Option<String>,
    #[attr(computed)]
    private_dns_hostname_type_on_launch: Option<String>,
    #[attr(optional, computed)]
    state: Option<String>,
    #[attr(optional, computed)]
    tags: Option<Tags>,
    #[attr(optional, computed)]
    vpc_id: Option<String>,
    #[block(set)]
    filter: Vec<FilterBlock>,
    #[timeouts(read)]
    timeouts: Timeouts,
}

#[async_trait]
impl DataSource for Subnet {
    const NAME: &'static str = "aws_subnet";
    type Context = Aws;

    async fn read(cx: &Cx<Aws>, mut config: Subnet) -> Result<Subnet> {
        let criteria = Criteria::default()
            .attribute("subnet-id", config.id.as_deref())
            .attribute("availabilityZone", config.availability_zone.as_deref())
            .attribute("availabilityZoneId", config.availability_zone_id.as_deref())
            .attribute("defaultForAz", config.default_for_az.filter(|default| *default).map(|_| "true"))
            .attribute("state", config.state.as_deref())
            .attribute("vpc-id", config.vpc_id.as_deref())
            .attribute("cidrBlock", config.cidr_block.as_deref())
            .attribute("ipv6-cidr-block-association.ipv6-cidr-block", config.ipv6_cidr_block.as_deref())
            .tags(&config.tags)
            .blocks(&config.filter);
        let pages = cx.ec2().describe_subnets().set_filters(criteria.filters()).into_paginator().items().send();
        let subnets: Vec<_> =
            pages.try_collect().await.map_err(api("EC2", "DescribeSubnets")).doing("reading EC2 Subnet")?;
        let subnet = single(subnets, "EC2 Subnet")?;
        let associated = associations(&subnet, &SubnetCidrBlockStateCode::Associated).next();
        let (association, block) = associated.unwrap_or_default();
        config.ipv6_cidr_block_association_id = Some(association.to_owned());
        config.ipv6_cidr_block = Some(block.to_owned());
        config.arn = text(subnet.subnet_arn);
        config.assign_ipv6_address_on_creation = Some(subnet.assign_ipv6_address_on_creation.unwrap_or_default());
        config.availability_zone = text(subnet.availability_zone);
        config.availability_zone_id = text(subnet.availability_zone_id);
        config.available_ip_address_count = subnet.available_ip_address_count.map(i64::from);
        config.cidr_block = text(subnet.cidr_block);
        config.customer_owned_ipv4_pool = text(subnet.customer_owned_ipv4_pool);
        config.default_for_az = Some(subnet.default_for_az.unwrap_or_default());
        config.enable_dns64 = Some(subnet.enable_dns64.unwrap_or_default());
        config.enable_lni_at_device_index = Some(subnet.enable_lni_at_device_index.map(i64::from).unwrap_or_default());
        let names = subnet.private_dns_name_options_on_launch.as_ref();
        config.enable_resource_name_dns_a_record_on_launch =
            Some(names.and_then(|names| names.enable_resource_name_dns_a_record).unwrap_or_default());
        config.enable_resource_name_dns_aaaa_record_on_launch =
            Some(names.and_then(|names| names.enable_resource_name_dns_aaaa_record).unwrap_or_default());
        let kind = names.and_then(|names| names.hostname_type.as_ref());
        config.private_dns_hostname_type_on_launch = text(kind.map(|kind| kind.as_str().to_owned()));
        config.id = text(subnet.subnet_id);
        config.ipv6_native = Some(subnet.ipv6_native.unwrap_or_default());
        config.map_customer_owned_ip_on_launch = Some(subnet.map_customer_owned_ip_on_launch.unwrap_or_default());
        config.map_public_ip_on_launch = Some(subnet.map_public_ip_on_launch.unwrap_or_default());
        config.outpost_arn = text(subnet.outpost_arn);
        config.owner_id = text(subnet.owner_id);
        config.state = text(subnet.state.map(|state| state.as_str().to_owned()));
        config.vpc_id = text(subnet.vpc_id);
        config.tags = shown(cx, from_tags(subnet.tags));
        Ok(config)
    }
}
