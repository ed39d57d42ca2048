//! `data "aws_security_group"`

use sdk::{Cx, DataSource, Model, Result, ResultExt, Tags, Timeouts, async_trait};

use super::{Criteria, FilterBlock, shown, single};
use crate::client::Aws;
use crate::errors::api;
use crate::vpc::{from_tags, owned_arn, text};

/// A security group. Source: EC2 `DescribeSecurityGroups`.
#[derive(Clone, Debug, Default, Model)]
pub struct SecurityGroup {
    #[attr(computed)]
    arn: Option<String>,
    #[attr(computed)]
    description: Option<String>,
    #[attr(optional, computed)]
    id: Option<String>,
    #[attr(optional, computed)]
    name: Option<String>,
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
impl DataSource for SecurityGroup {
    const NAME: &'static str = "aws_security_group";
    type Context = Aws;

    async fn read(cx: &Cx<Aws>, mut config: SecurityGroup) -> Result<SecurityGroup> {
        let criteria = Criteria::default()
            .attribute("group-id", config.id.as_deref())
            .attribute("group-name", config.name.as_deref())
            .attribute("vpc-id", config.vpc_id.as_deref())
            .tags(&config.tags)
            .blocks(&config.filter);
        let request = cx.ec2().describe_security_groups().set_filters(criteria.filters());
        let groups: Vec<_> = request
            .into_paginator()
            .items()
            .send()
            .try_collect()
            .await
            .map_err(api("EC2", "DescribeSecurityGroups"))
            .doing("reading EC2 Security Group")?;
        let group = single(groups, "EC2 Security Group")?;
        let id = group.group_id.unwrap_or_default();
        let owner = group.owner_id.unwrap_or_default();
        config.arn = Some(owned_arn(cx, &owner, &format!("security-group/{id}")));
        config.id = Some(id);
        config.description = text(group.description);
        config.name = text(group.group_name);
        config.vpc_id = text(group.vpc_id);
        config.tags = shown(cx, from_tags(group.tags));
        Ok(config)
    }
}
