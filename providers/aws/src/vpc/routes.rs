//! Routes of route tables: what `aws_route` and `aws_route_table` have in common.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ec2::types::{Route as Ec2Route, RouteTable as Ec2RouteTable};
use sdk::{Cx, Error, Result, ResultExt, Wait};

use super::filter;
use crate::client::Aws;
use crate::errors::api;

/// Where a route leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Destination {
    /// An IPv4 block.
    Ipv4(String),
    /// An IPv6 block.
    Ipv6(String),
    /// A prefix list.
    PrefixList(String),
}

impl Destination {
    /// The block or list.
    pub(crate) fn as_str(&self) -> &str {
        let (Destination::Ipv4(text) | Destination::Ipv6(text) | Destination::PrefixList(text)) = self;
        text
    }

    /// The first of these that is set.
    pub(crate) fn of(ipv4: Option<&str>, ipv6: Option<&str>, prefix_list: Option<&str>) -> Option<Destination> {
        let set = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        None.or_else(|| set(ipv4).map(Destination::Ipv4))
            .or_else(|| set(ipv6).map(Destination::Ipv6))
            .or_else(|| set(prefix_list).map(Destination::PrefixList))
    }

    /// Whether the route leads there.
    pub(crate) fn is_of(&self, route: &Ec2Route) -> bool {
        match self {
            Destination::Ipv4(block) => route.destination_cidr_block.as_ref().is_some_and(|other| same(block, other)),
            Destination::Ipv6(block) => {
                route.destination_ipv6_cidr_block.as_ref().is_some_and(|other| same(block, other))
            }
            Destination::PrefixList(id) => route.destination_prefix_list_id.as_ref() == Some(id),
        }
    }

    /// The IPv4 block, the IPv6 block, the prefix list: one of them.
    pub(crate) fn parts(&self) -> (Option<String>, Option<String>, Option<String>) {
        match self.clone() {
            Destination::Ipv4(block) => (Some(block), None, None),
            Destination::Ipv6(block) => (None, Some(block), None),
            Destination::PrefixList(id) => (None, None, Some(id)),
        }
    }
}

/// Whether two blocks are the same, however they are written.
pub(crate) fn same(a: &str, b: &str) -> bool {
    fn parts(block: &str) -> Option<(std::net::IpAddr, u8)> {
        let (address, length) = block.split_once('/')?;
        Some((address.parse().ok()?, length.parse().ok()?))
    }
    a == b || parts(a).is_some_and(|parts_of_a| parts(b) == Some(parts_of_a))
}

/// What a route sends through. All but one are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Target {
    pub(crate) carrier_gateway_id: Option<String>,
    pub(crate) core_network_arn: Option<String>,
    pub(crate) egress_only_gateway_id: Option<String>,
    pub(crate) gateway_id: Option<String>,
    pub(crate) local_gateway_id: Option<String>,
    pub(crate) nat_gateway_id: Option<String>,
    pub(crate) network_interface_id: Option<String>,
    pub(crate) transit_gateway_id: Option<String>,
    pub(crate) vpc_endpoint_id: Option<String>,
    pub(crate) vpc_peering_connection_id: Option<String>,
}

impl Target {
    /// The target of a route that was read. An endpoint stands in the place of a gateway.
    pub(crate) fn of(route: &Ec2Route) -> Target {
        let endpoint = route.gateway_id.as_ref().is_some_and(|id| id.starts_with("vpce-"));
        Target {
            carrier_gateway_id: route.carrier_gateway_id.clone(),
            core_network_arn: route.core_network_arn.clone(),
            egress_only_gateway_id: route.egress_only_internet_gateway_id.clone(),
            gateway_id: route.gateway_id.clone().filter(|_| !endpoint),
            local_gateway_id: route.local_gateway_id.clone(),
            nat_gateway_id: route.nat_gateway_id.clone(),
            network_interface_id: route.network_interface_id.clone(),
            transit_gateway_id: route.transit_gateway_id.clone(),
            vpc_endpoint_id: route.gateway_id.clone().filter(|_| endpoint),
            vpc_peering_connection_id: route.vpc_peering_connection_id.clone(),
        }
    }

    fn parts(&self) -> [&Option<String>; 10] {
        [
            &self.carrier_gateway_id,
            &self.core_network_arn,
            &self.egress_only_gateway_id,
            &self.gateway_id,
            &self.local_gateway_id,
            &self.nat_gateway_id,
            &self.network_interface_id,
            &self.transit_gateway_id,
            &self.vpc_endpoint_id,
            &self.vpc_peering_connection_id,
        ]
    }

    /// Whether what is set here is set there too.
    pub(crate) fn is_within(&self, other: &Target) -> bool {
        let set = |part: &Option<String>| part.as_ref().is_some_and(|id| !id.is_empty());
        self.parts().into_iter().zip(other.parts()).all(|(a, b)| !set(a) || a == b)
    }
}

/// Makes a route, and waits until it shows.
pub(crate) async fn create(
    cx: &Cx<Aws>,
    table: &str,
    destination: &Destination,
    target: &Target,
    budget: Duration,
) -> Result<()> {
    let to = destination.as_str();
    let create = || async {
        let (ipv4, ipv6, prefix_list) = destination.parts();
        let target = target.clone();
        let request = cx
            .ec2()
            .create_route()
            .route_table_id(table)
            .set_destination_cidr_block(ipv4)
            .set_destination_ipv6_cidr_block(ipv6)
            .set_destination_prefix_list_id(prefix_list)
            .set_carrier_gateway_id(target.carrier_gateway_id)
            .set_core_network_arn(target.core_network_arn)
            .set_egress_only_internet_gateway_id(target.egress_only_gateway_id)
            .set_gateway_id(target.gateway_id)
            .set_local_gateway_id(target.local_gateway_id)
            .set_nat_gateway_id(target.nat_gateway_id)
            .set_network_interface_id(target.network_interface_id)
            .set_transit_gateway_id(target.transit_gateway_id)
            .set_vpc_endpoint_id(target.vpc_endpoint_id)
            .set_vpc_peering_connection_id(target.vpc_peering_connection_id);
        request.send().await.map_err(api("EC2", "CreateRoute"))
    };
    let early = |error: &Error| {
        ["InvalidParameterException", "InvalidTransitGatewayID.NotFound", "InvalidRouteTableID.NotFound"]
            .iter()
            .any(|code| error.is_code(code))
    };
    if let Err(error) = cx.retry(budget, early, create).await {
        if error.is_code_with("InvalidGatewayID.NotFound", "The gateway ID 'local' does not exist") {
            return Err(Error::new(
                "cannot create local Route, use `terraform import` to manage existing local Routes",
            ));
        }
        return Err(error.context(format!("creating Route in Route Table ({table}) with destination ({to})")));
    }
    wait_ready(cx, table, destination, budget).await
}

/// Lets a route send through something else.
pub(crate) async fn replace(
    cx: &Cx<Aws>,
    table: &str,
    destination: &Destination,
    target: &Target,
    budget: Duration,
) -> Result<()> {
    let (ipv4, ipv6, prefix_list) = destination.parts();
    let mut target = target.clone();
    let local = target.gateway_id.as_deref() == Some("local");
    if local {
        target.gateway_id = None;
    }
    let request = cx
        .ec2()
        .replace_route()
        .route_table_id(table)
        .set_destination_cidr_block(ipv4)
        .set_destination_ipv6_cidr_block(ipv6)
        .set_destination_prefix_list_id(prefix_list)
        .set_local_target(local.then_some(true))
        .set_carrier_gateway_id(target.carrier_gateway_id)
        .set_core_network_arn(target.core_network_arn)
        .set_egress_only_internet_gateway_id(target.egress_only_gateway_id)
        .set_gateway_id(target.gateway_id)
        .set_local_gateway_id(target.local_gateway_id)
        .set_nat_gateway_id(target.nat_gateway_id)
        .set_network_interface_id(target.network_interface_id)
        .set_transit_gateway_id(target.transit_gateway_id)
        .set_vpc_endpoint_id(target.vpc_endpoint_id)
        .set_vpc_peering_connection_id(target.vpc_peering_connection_id);
    let answer = request.send().await.map_err(api("EC2", "ReplaceRoute"));
    let to = destination.as_str();
    answer.doing(format!("updating Route in Route Table ({table}) with destination ({to})"))?;
    wait_ready(cx, table, destination, budget).await
}

/// Removes a route, and waits until it is gone. Gone already, or not removable (a local one), is success.
pub(crate) async fn delete(cx: &Cx<Aws>, table: &str, destination: &Destination, budget: Duration) -> Result<()> {
    let delete = || async {
        let (ipv4, ipv6, prefix_list) = destination.parts();
        let request = cx.ec2().delete_route().route_table_id(table);
        let request = request.set_destination_cidr_block(ipv4).set_destination_ipv6_cidr_block(ipv6);
        let request = request.set_destination_prefix_list_id(prefix_list);
        request.send().await.map_err(api("EC2", "DeleteRoute")).map(|_| ())
    };
    let early = |error: &Error| error.is_code("InvalidParameterException");
    let to = destination.as_str();
    match cx.retry(budget, early, delete).await {
        Err(error) if error.is_code_with("InvalidParameterValue", "cannot remove local route") => return Ok(()),
        result => {
            result.or_gone().doing(format!("deleting Route in Route Table ({table}) with destination ({to})"))?;
        }
    }
    let poll = || async { Ok(find(cx, table, destination).await?.map(|_| ((), "ready".to_owned()))) };
    cx.wait_for(Wait::until_gone(budget), poll)
        .await
        .doing(format!("waiting for Route in Route Table ({table}) with destination ({to}) to delete"))?;
    Ok(())
}

async fn wait_ready(cx: &Cx<Aws>, table: &str, destination: &Destination, budget: Duration) -> Result<()> {
    let to = destination.as_str();
    let poll = || async { Ok(find(cx, table, destination).await?.map(|_| ((), "ready".to_owned()))) };
    // Propagation may take longer than that of other objects.
    let wait = Wait { not_found_checks: 1000, ..Wait::until(&["ready"], budget) };
    cx.wait_for(wait, poll)
        .await
        .doing(format!("waiting for Route in Route Table ({table}) with destination ({to}) to become available"))?;
    Ok(())
}

async fn find(cx: &Cx<Aws>, table: &str, destination: &Destination) -> Result<Option<Ec2Route>> {
    let table = describe(cx, table).await?;
    Ok(table.and_then(|table| table.routes).unwrap_or_default().into_iter().find(|route| destination.is_of(route)))
}

/// A route table as it is now.
pub(crate) async fn describe(cx: &Cx<Aws>, id: &str) -> Result<Option<Ec2RouteTable>> {
    let answer = cx.ec2().describe_route_tables().filters(filter("route-table-id", [id])).send().await;
    let answer = answer.map_err(api("EC2", "DescribeRouteTables"))?;
    Ok(answer.route_tables.unwrap_or_default().into_iter().next())
}

/// Route tables by id. Routes and associations are read from the same tables, so one call answers for all of them.
pub(crate) async fn tables(cx: &Cx<Aws>, mut ids: Vec<String>) -> Result<Arc<HashMap<String, Ec2RouteTable>>> {
    ids.sort_unstable();
    ids.dedup();
    cx.shared(&format!("ec2 route tables {}", ids.join(" ")), || async {
        let mut tables = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(super::IDS_PER_CALL) {
            let request = cx.ec2().describe_route_tables().filters(filter("route-table-id", ids));
            let pages = request.into_paginator().items().send();
            let page: Vec<Ec2RouteTable> = pages.try_collect().await.map_err(api("EC2", "DescribeRouteTables"))?;
            tables.extend(page.into_iter().filter_map(|table| Some((table.route_table_id.clone()?, table))));
        }
        Ok(tables)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_compared_by_value() {
        assert!(same("::/0", "0:0:0:0:0:0:0:0/0"));
        assert!(same("10.0.0.0/8", "10.0.0.0/8"));
        assert!(!same("10.0.0.0/8", "10.0.0.0/9"));
        assert!(!same("pl-1", "pl-2"));
    }

    #[test]
    fn an_endpoint_in_the_gateways_place_is_an_endpoint() {
        let target = Target::of(&Ec2Route::builder().gateway_id("vpce-1").build());
        assert_eq!((target.gateway_id, target.vpc_endpoint_id.as_deref()), (None, Some("vpce-1")));
    }
}
