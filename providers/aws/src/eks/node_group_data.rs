//! `data "aws_eks_node_group"` and `data "aws_eks_node_groups"`

use std::collections::{BTreeMap, BTreeSet};

use sdk::{Cx, DataSource, Error, Model, Result, ResultExt, Tags, async_trait};

use super::from_tags;
use super::node_group::{LaunchTemplate, RemoteAccess, Resources, ScalingConfig, Taint, describe};
use crate::client::Aws;
use crate::errors::api;

/// A node group by name. Source: EKS `DescribeNodegroup`.
#[derive(Clone, Debug, Default, Model)]
pub struct NodeGroupData {
    #[attr(computed)]
    ami_type: String,
    #[attr(computed)]
    arn: String,
    #[attr(computed)]
    capacity_type: String,
    #[attr(required)]
    cluster_name: String,
    #[attr(computed)]
    disk_size: i64,
    #[attr(optional, computed)]
    id: String,
    #[attr(computed)]
    instance_types: Vec<String>,
    #[attr(computed)]
    labels: BTreeMap<String, String>,
    #[attr(computed)]
    launch_template: Vec<LaunchTemplate>,
    #[attr(required)]
    node_group_name: String,
    #[attr(computed)]
    node_role_arn: String,
    #[attr(computed)]
    release_version: String,
    #[attr(computed)]
    remote_access: Vec<RemoteAccess>,
    #[attr(computed)]
    resources: Vec<Resources>,
    #[attr(computed)]
    scaling_config: Vec<ScalingConfig>,
    #[attr(computed)]
    status: String,
    #[attr(computed)]
    subnet_ids: BTreeSet<String>,
    #[attr(optional, computed)]
    tags: Tags,
    #[attr(computed)]
    taints: Vec<Taint>,
    #[attr(computed)]
    version: String,
}

#[async_trait]
impl DataSource for NodeGroupData {
    const NAME: &'static str = "aws_eks_node_group";
    type Context = Aws;

    async fn read(cx: &Cx<Aws>, config: NodeGroupData) -> Result<NodeGroupData> {
        let (cluster_name, node_group_name) = (config.cluster_name, config.node_group_name);
        let id = format!("{cluster_name}:{node_group_name}");
        let doing = format!("reading EKS Node Group ({id})");
        let read = describe(cx, &cluster_name, &node_group_name).await.doing(&doing)?;
        let read = read.ok_or_else(|| Error::not_found(format!("{doing}: couldn't find resource")))?;
        Ok(NodeGroupData {
            ami_type: read.ami_type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
            arn: read.nodegroup_arn.unwrap_or_default(),
            capacity_type: read.capacity_type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
            cluster_name,
            disk_size: read.disk_size.map(i64::from).unwrap_or_default(),
            id,
            instance_types: read.instance_types.unwrap_or_default(),
            labels: read.labels.unwrap_or_default().into_iter().collect(),
            launch_template: read.launch_template.map(LaunchTemplate::read).into_iter().collect(),
            node_group_name,
            node_role_arn: read.node_role.unwrap_or_default(),
            release_version: read.release_version.unwrap_or_default(),
            remote_access: read.remote_access.map(RemoteAccess::read).into_iter().collect(),
            resources: read.resources.map(Resources::read).into_iter().collect(),
            scaling_config: read.scaling_config.map(ScalingConfig::read).into_iter().collect(),
            status: read.status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
            subnet_ids: read.subnets.unwrap_or_default().into_iter().collect(),
            tags: cx.visible_tags(from_tags(read.tags)),
            taints: read.taints.unwrap_or_default().into_iter().map(Taint::read).collect(),
            version: read.version.unwrap_or_default(),
        })
    }
}

/// The names of a cluster's node groups. Source: EKS `ListNodegroups`.
#[derive(Clone, Debug, Default, Model)]
pub struct NodeGroupsData {
    #[attr(required)]
    cluster_name: String,
    #[attr(optional, computed)]
    id: String,
    #[attr(computed)]
    names: BTreeSet<String>,
}

#[async_trait]
impl DataSource for NodeGroupsData {
    const NAME: &'static str = "aws_eks_node_groups";
    type Context = Aws;

    async fn read(cx: &Cx<Aws>, mut config: NodeGroupsData) -> Result<NodeGroupsData> {
        let names = cx.eks().list_nodegroups().cluster_name(&config.cluster_name).into_paginator().items().send();
        let names = names.collect::<Result<Vec<String>, _>>().await.map_err(api("EKS", "ListNodegroups"));
        config.names = names.doing("listing EKS Node Groups")?.into_iter().collect();
        config.id.clone_from(&config.cluster_name);
        Ok(config)
    }
}
