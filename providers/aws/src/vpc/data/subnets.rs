//! `data "aws_subnets"`

use aws_sdk_ec2::types::Subnet as Ec2Subnet;
use sdk::{Cx, DataSource, Model, Result, ResultExt, Tags, Timeouts, async_trait};

use super::{Criteria, FilterBlock};
use crate::client::Aws;
use crate::errors::api;

/// The ids of subnets. Source: EC2 `DescribeSubnets`.
#[derive(Clone, Debug, Default, Model)]
pub struct Subnets {
    #[attr(optional, computed)]
    id: String,
    #[attr(computed)]
    ids: Vec<String>,
    #[attr(optional, computed)]
    tags: Option<Tags>,
    #[block(set)]
    filter: Vec<FilterBlock>,
    #[timeouts(read)]
    timeouts: Timeouts,
}

#[async_trait]
impl DataSource for Subnets {
    const NAME: &'static str = "aws_subnets";
    type Context = Aws;

    async fn read(cx: &Cx<Aws>, mut config: Subnets) -> Result<Subnets> {
        let criteria = Criteria::default().tags(&config.tags).blocks(&config.filter);
        let pages = cx.ec2().describe_subnets().set_filters(criteria.filters()).into_paginator().items().send();
        let subnets: Vec<Ec2Subnet> =
            pages.try_collect().await.map_err(api("EC2", "DescribeSubnets")).doing("reading EC2 Subnets")?;
        config.ids = subnets.into_iter().filter_map(|subnet| subnet.subnet_id).collect();
        config.id = cx.region().to_owned();
        Ok(config)
    }
}
