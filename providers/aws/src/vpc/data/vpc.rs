//! `data "aws_vpc"`

use aws_sdk_ec2::types::{VpcAttributeName, VpcCidrBlockStateCode};
use sdk::{Cx, DataSource, Model, Result, ResultExt, Tags, Timeouts, async_trait};

use super::{Criteria, FilterBlock, shown, single};
use crate::client::Aws;
use crate::errors::api;
use crate::vpc::vpc::attribute;
use crate::vpc::{filter, from_tags, given, owned_arn, text};

/// A network. Source: EC2 `DescribeVpcs`, `DescribeVpcAttribute`, `DescribeRouteTables`.
#[derive(Clone, Debug, Default, Model)]
pub struct Vpc {
    #[attr(computed)]
    arn: Option<String>,
    #[attr(optional, computed)]
    cidr_block: Option<String>,
    #[attr(computed)]
    cidr_block_associations: Vec<Association>,
    #[attr(optional, computed)]
    default: Option<bool>,
    #[attr(optional, computed)]
    dhcp_options_id: Option<String>,
    #[attr(computed)]
    enable_dns_hostnames: Option<bool>,
    #[attr(computed)]
    enable_dns_support: Option<bool>,
    #[attr(computed)]
    enable_network_address_usage_metrics: Option<bool>,
    #[attr(optional, computed)]
    id: Option<String>,
    #[attr(computed)]
    instance_tenancy: Option<String>,
    #[attr(computed)]
    ipv6_association_id: Option<String>,
    #[attr(computed)]
    ipv6_cidr_block: Option<String>,
    #[attr(computed)]
    main_route_table_id: Option<String>,
    #[attr(computed)]
    owner_id: Option<String>,
    #[attr(optional, computed)]
    state: Option<String>,
    #[attr(optional, computed)]
    tags: Option<Tags>,
    #[block(set)]
    filter: Vec<FilterBlock>,
    #[timeouts(read)]
    timeouts: Timeouts,
}

/// A block of the network.
#[derive(Clone, Debug, Default, Model)]
pub struct Association {
    #[attr(computed)]
    association_id: Option<String>,
    #[attr(computed)]
    cidr_block: Option<String>,
    #[attr(computed)]
    state: Option<String>,
}

#[async_trait]
impl DataSource for Vpc {
    const NAME: &'static str = "aws_vpc";
    type Context = Aws;

    async fn read(cx: &Cx<Aws>, mut config: Vpc) -> Result<Vpc> {
        let criteria = Criteria::default()
            .attribute("vpc-id", config.id.as_deref())
            .attribute("cidr", config.cidr_block.as_deref())
            .attribute("dhcp-options-id", config.dhcp_options_id.as_deref())
            .attribute("isDefault", config.default.filter(|default| *default).map(|_| "true"))
            .attribute("state", config.state.as_deref())
            .tags(&config.tags)
            .blocks(&config.filter);
        let pages = cx.ec2().describe_vpcs().set_filters(criteria.filters()).into_paginator().items().send();
        let vpcs: Vec<_> = pages.try_collect().await.map_err(api("EC2", "DescribeVpcs")).doing("reading EC2 VPC")?;
        let vpc = single(vpcs, "EC2 VPC")?;
        let id = vpc.vpc_id.unwrap_or_default();
        let main = async {
            let request = cx.ec2().describe_route_tables().filters(filter("association.main", ["true"]));
            let answer = request.filters(filter("vpc-id", [id.as_str()])).send().await;
            let tables = answer.map_err(api("EC2", "DescribeRouteTables"))?.route_tables.unwrap_or_default();
            Ok(tables.into_iter().next().and_then(|table| table.route_table_id))
        };
        let (names, support, metrics, main) = futures::try_join!(
            attribute(cx, &id, &VpcAttributeName::EnableDnsHostnames),
            attribute(cx, &id, &VpcAttributeName::EnableDnsSupport),
            attribute(cx, &id, &VpcAttributeName::EnableNetworkAddressUsageMetrics),
            main
        )?;
        let owner = vpc.owner_id.unwrap_or_default();
        config.arn = Some(owned_arn(cx, &owner, &format!("vpc/{id}")));
        config.owner_id = Some(owner);
        config.id = Some(id);
        config.cidr_block = text(vpc.cidr_block);
        let associations = vpc.cidr_block_association_set.unwrap_or_default().into_iter();
        config.cidr_block_associations = associations
            .map(|association| Association {
                association_id: text(association.association_id),
                cidr_block: text(association.cidr_block),
                state: association
                    .cidr_block_state
                    .and_then(|state| state.state)
                    .map(|state| state.as_str().to_owned()),
            })
            .collect();
        config.default = Some(vpc.is_default.unwrap_or_default());
        config.dhcp_options_id = text(vpc.dhcp_options_id);
        config.enable_dns_hostnames = Some(names.unwrap_or_default());
        config.enable_dns_support = Some(support.unwrap_or_default());
        config.enable_network_address_usage_metrics = Some(metrics.unwrap_or_default());
        config.instance_tenancy = text(vpc.instance_tenancy.map(|tenancy| tenancy.as_str().to_owned()));
        config.main_route_table_id = text(main);
        let ipv6 = vpc.ipv6_cidr_block_association_set.unwrap_or_default().into_iter().find(|association| {
            let state = association.ipv6_cidr_block_state.as_ref().and_then(|state| state.state.as_ref());
            state == Some(&VpcCidrBlockStateCode::Associated)
        });
        config.ipv6_association_id = text(ipv6.as_ref().and_then(|association| given(&association.association_id)));
        config.ipv6_cidr_block = text(ipv6.and_then(|association| association.ipv6_cidr_block));
        config.tags = shown(cx, from_tags(vpc.tags));
        Ok(config)
    }
}
