//! `aws_route_table`

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_ec2::types::{ResourceType, Route as Ec2Route, RouteOrigin, RouteTable as Ec2RouteTable};
use sdk::{
    Change, Class, Created, Cx, Error, Found, Model, Resource, Result, ResultExt, Tags, Timeouts, Wait, async_trait,
};

use super::routes::{self, Destination, Target};
use super::{VISIBLE_WITHIN, found, from_tags, made_durable, made_with, owned_arn, tag_specifications, update_tags};
use crate::checks::{CIDR_V4, CIDR_V6};
use crate::client::Aws;
use crate::errors::api;

/// A route table. Source: EC2 `CreateRouteTable` (which takes a token), `DescribeRouteTables`; its routes one by one.
#[derive(Clone, Debug, Default, Model)]
pub struct RouteTable {
    #[attr(computed)]
    arn: Option<String>,
    #[attr(optional, computed)]
    id: String,
    #[attr(computed)]
    owner_id: Option<String>,
    #[attr(optional, computed)]
    propagating_vgws: Option<BTreeSet<String>>,
    #[attr(optional, computed, set)]
    route: Option<Vec<InlineRoute>>,
    #[attr(optional)]
    tags: Option<Tags>,
    #[attr(optional, computed)]
    tags_all: Tags,
    #[attr(required, force_new)]
    vpc_id: String,
    #[timeouts(create, update, delete)]
    timeouts: Timeouts,
}

/// `route { … }`. What isn't set is `""`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Model)]
pub struct InlineRoute {
    #[attr(optional)]
    carrier_gateway_id: String,
    #[attr(optional, valid = CIDR_V4)]
    cidr_block: String,
    #[attr(optional)]
    core_network_arn: String,
    #[attr(optional)]
    destination_prefix_list_id: String,
    #[attr(optional)]
    egress_only_gateway_id: String,
    #[attr(optional)]
    gateway_id: String,
    #[attr(optional, valid = CIDR_V6)]
    ipv6_cidr_block: String,
    #[attr(optional)]
    local_gateway_id: String,
    #[attr(optional)]
    nat_gateway_id: String,
    #[attr(optional)]
    network_interface_id: String,
    #[attr(optional)]
    transit_gateway_id: String,
    #[attr(optional)]
    vpc_endpoint_id: String,
    #[attr(optional)]
    vpc_peering_connection_id: String,
}

const CREATED_WITHIN: Duration = Duration::from_secs(300);
const UPDATED_WITHIN: Duration = Duration::from_secs(120);
const DELETED_WITHIN: Duration = Duration::from_secs(300);

/// A tag that a service sets on tables that it uses, without the prefix of system tags.
const SERVICE_TAG: &str = "AmazonFSx";

#[async_trait]
impl Resource for RouteTable {
    const NAME: &'static str = "aws_route_table";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: RouteTable, created: &Created<'_>) -> Result<RouteTable> {
        let request = cx
            .ec2()
            .create_route_table()
            .client_token(cx.client_token())
            .vpc_id(&planned.vpc_id)
            .set_tag_specifications(tag_specifications(cx, ResourceType::RouteTable, &planned.tags_all));
        let answer = request.send().await.map_err(api("EC2", "CreateRouteTable")).doing("creating Route Table")?;
        planned.id = answer.route_table.and_then(|table| table.route_table_id).unwrap_or_default();
        created.hand_over(&planned).await;
        let id = &planned.id;
        let budget = planned.timeouts.create(CREATED_WITHIN);
        let poll = || async { Ok(routes::describe(cx, id).await?.map(|_| ((), "ready".to_owned()))) };
        let wait = cx.wait_for(Wait::until(&["ready"], budget), poll);
        let ((), waited) = futures::join!(made_durable(cx, id), wait);
        waited.doing(format!("waiting for Route Table ({id}) create"))?;
        for gateway in planned.propagating_vgws.iter().flatten() {
            propagate(cx, id, gateway, budget).await?;
        }
        for route in planned.route.iter().flatten() {
            routes::create(cx, id, &route.destination()?, &route.target(), budget).await?;
        }
        Ok(planned)
    }

    async fn settle(cx: &Cx<Aws>, object: &Self) -> Result<()> {
        made_durable(cx, &object.id).await;
        Ok(())
    }

    async fn read(cx: &Cx<Aws>, prior: RouteTable) -> Result<Option<RouteTable>> {
        sdk::read_one(cx, prior).await
    }

    async fn read_many(cx: &Cx<Aws>, priors: Vec<RouteTable>) -> Vec<Result<Option<RouteTable>>> {
        let tables = routes::tables(cx, priors.iter().map(|table| table.id.clone()).collect()).await;
        match tables.doing("reading Route Table") {
            Ok(tables) => {
                let read = |prior: RouteTable| tables.get(&prior.id).map(|table| read(cx, prior, table));
                priors.into_iter().map(|prior| Ok(read(prior))).collect()
            }
            Err(error) => priors.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    async fn update(cx: &Cx<Aws>, change: Change<RouteTable>) -> Result<RouteTable> {
        let Change { prior, planned, .. } = &change;
        let id = planned.id.as_str();
        let budget = planned.timeouts.update(UPDATED_WITHIN);
        if change.of(|table| &table.propagating_vgws) {
            let gateways = |table: &RouteTable| table.propagating_vgws.clone().unwrap_or_default();
            for gateway in gateways(prior).difference(&gateways(planned)) {
                let request = cx.ec2().disable_vgw_route_propagation().route_table_id(id).gateway_id(gateway);
                let answer = request.send().await.map_err(api("EC2", "DisableVgwRoutePropagation"));
                answer.doing(format!("disabling Route Table ({id}) VPN Gateway ({gateway}) route propagation"))?;
            }
            for gateway in gateways(planned).difference(&gateways(prior)) {
                propagate(cx, id, gateway, budget).await?;
            }
        }
        if change.of(|table| &table.route) {
            update_routes(cx, id, prior, planned, budget).await?;
        }
        update_tags(cx, id, &prior.tags_all, &planned.tags_all)
            .await
            .doing(format!("updating tags for Route Table ({id})"))?;
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: RouteTable) -> Result<()> {
        let id = prior.id.as_str();
        let budget = prior.timeouts.delete(DELETED_WITHIN);
        let doing = format!("deleting Route Table ({id})");
        let Some(table) = routes::describe(cx, id).await.if_found().doing(&doing)?.flatten() else { return Ok(()) };
        for association in table.associations.into_iter().flatten().filter_map(|a| a.route_table_association_id) {
            let answer = cx.ec2().disassociate_route_table().association_id(&association).send().await;
            let answer = answer.map_err(api("EC2", "DisassociateRouteTable"));
            answer.or_gone().doing(format!("{doing}: deleting Route Table Association ({association})"))?;
        }
        let delete = || async {
            let request = cx.ec2().delete_route_table().route_table_id(id);
            request.send().await.map_err(api("EC2", "DeleteRouteTable")).map(|_| ())
        };
        let dependents = |error: &Error| error.class() == Class::DependencyViolation;
        cx.retry(budget, dependents, delete).await.or_gone().doing(&doing)?;
        let poll = || async { Ok(routes::describe(cx, id).await?.map(|_| ((), "ready".to_owned()))) };
        cx.wait_for(Wait::until_gone(budget), poll).await.doing(format!("waiting for Route Table ({id}) delete"))?;
        Ok(())
    }

    async fn find(cx: &Cx<Aws>, planned: &RouteTable, client_token: &str) -> Result<Found<RouteTable>> {
        let answer = cx.ec2().describe_route_tables().filters(made_with(client_token)).send().await;
        let tables = answer.map_err(api("EC2", "DescribeRouteTables"))?.route_tables.unwrap_or_default().into_iter();
        let made = tables.map(|made| RouteTable { id: made.route_table_id.unwrap_or_default(), ..planned.clone() });
        Ok(found(made.collect()))
    }
}

impl InlineRoute {
    fn destination(&self) -> Result<Destination> {
        Destination::of(Some(&self.cidr_block), Some(&self.ipv6_cidr_block), Some(&self.destination_prefix_list_id))
            .ok_or_else(|| {
                Error::new(
                    "creating route: one of `cidr_block,ipv6_cidr_block,destination_prefix_list_id` must be specified",
                )
            })
    }

    fn target(&self) -> Target {
        let set = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Target {
            carrier_gateway_id: set(&self.carrier_gateway_id),
            core_network_arn: set(&self.core_network_arn),
            egress_only_gateway_id: set(&self.egress_only_gateway_id),
            gateway_id: set(&self.gateway_id),
            local_gateway_id: set(&self.local_gateway_id),
            nat_gateway_id: set(&self.nat_gateway_id),
            network_interface_id: set(&self.network_interface_id),
            transit_gateway_id: set(&self.transit_gateway_id),
            vpc_endpoint_id: set(&self.vpc_endpoint_id),
            vpc_peering_connection_id: set(&self.vpc_peering_connection_id),
        }
    }

    fn of(route: &Ec2Route) -> InlineRoute {
        let target = Target::of(route);
        InlineRoute {
            carrier_gateway_id: target.carrier_gateway_id.unwrap_or_default(),
            cidr_block: route.destination_cidr_block.clone().unwrap_or_default(),
            core_network_arn: target.core_network_arn.unwrap_or_default(),
            destination_prefix_list_id: route.destination_prefix_list_id.clone().unwrap_or_default(),
            egress_only_gateway_id: target.egress_only_gateway_id.unwrap_or_default(),
            gateway_id: target.gateway_id.unwrap_or_default(),
            ipv6_cidr_block: route.destination_ipv6_cidr_block.clone().unwrap_or_default(),
            local_gateway_id: target.local_gateway_id.unwrap_or_default(),
            nat_gateway_id: target.nat_gateway_id.unwrap_or_default(),
            network_interface_id: target.network_interface_id.unwrap_or_default(),
            transit_gateway_id: target.transit_gateway_id.unwrap_or_default(),
            vpc_endpoint_id: target.vpc_endpoint_id.unwrap_or_default(),
            vpc_peering_connection_id: target.vpc_peering_connection_id.unwrap_or_default(),
        }
    }
}

/// Whether a route of the API is one of the table's `route`s: not those that exist by themselves.
fn is_configurable(route: &Ec2Route, known: &[InlineRoute]) -> bool {
    let gateway = route.gateway_id.as_deref().unwrap_or_default();
    if gateway == "local" {
        // The network's own routes can be taken over.
        let block = route.destination_cidr_block.as_ref().or(route.destination_ipv6_cidr_block.as_ref());
        return known.iter().any(|known| {
            known.gateway_id == "local" && block.is_some_and(|b| *b == known.cidr_block || *b == known.ipv6_cidr_block)
        });
    }
    gateway != "VpcLattice"
        && route.origin != Some(RouteOrigin::EnableVgwRoutePropagation)
        // Gateway endpoints manage their routes themselves.
        && !(gateway.starts_with("vpce-") && route.destination_prefix_list_id.is_some())
}

fn read(cx: &Cx<Aws>, mut known: RouteTable, read: &Ec2RouteTable) -> RouteTable {
    let owner = read.owner_id.clone().unwrap_or_default();
    known.arn = Some(owned_arn(cx, &owner, &format!("route-table/{}", known.id)));
    known.owner_id = Some(owner);
    known.propagating_vgws =
        Some(read.propagating_vgws.iter().flatten().filter_map(|gateway| gateway.gateway_id.clone()).collect());
    let before = known.route.take().unwrap_or_default();
    let routes = read.routes.iter().flatten().filter(|route| is_configurable(route, &before));
    known.route = Some(routes.map(InlineRoute::of).map(|route| as_known(route, &before)).collect());
    known.vpc_id = read.vpc_id.clone().unwrap_or_default();
    known.tags_all = from_tags(read.tags.clone());
    known.tags_all.remove(SERVICE_TAG);
    known
}

/// The known route if it is the same: a NAT gateway's route may name its interface too, a block can be written in ways.
fn as_known(route: InlineRoute, known: &[InlineRoute]) -> InlineRoute {
    let same = |other: &&InlineRoute| {
        let blocks = routes::same(&other.ipv6_cidr_block, &route.ipv6_cidr_block)
            && other.cidr_block == route.cidr_block
            && other.destination_prefix_list_id == route.destination_prefix_list_id;
        let mut target = route.target();
        if target.nat_gateway_id.is_some() {
            target.network_interface_id = other.target().network_interface_id;
        }
        blocks && other.target() == target
    };
    known.iter().find(same).cloned().unwrap_or(route)
}

async fn update_routes(
    cx: &Cx<Aws>,
    id: &str,
    prior: &RouteTable,
    planned: &RouteTable,
    budget: Duration,
) -> Result<()> {
    let by_destination = |table: &RouteTable| -> Result<BTreeMap<Destination, Target>> {
        table.route.iter().flatten().map(|route| Ok((route.destination()?, route.target()))).collect()
    };
    let (before, after) = (by_destination(prior)?, by_destination(planned)?);
    for (destination, target) in &after {
        match before.get(destination) {
            None => routes::create(cx, id, destination, target, budget).await?,
            Some(old) if old != target => routes::replace(cx, id, destination, target, budget).await?,
            Some(_) => {}
        }
    }
    for destination in before.keys().filter(|destination| !after.contains_key(*destination)) {
        routes::delete(cx, id, destination, budget).await?;
    }
    Ok(())
}

async fn propagate(cx: &Cx<Aws>, id: &str, gateway: &str, budget: Duration) -> Result<()> {
    let enable = || async {
        let request = cx.ec2().enable_vgw_route_propagation().route_table_id(id).gateway_id(gateway);
        request.send().await.map_err(api("EC2", "EnableVgwRoutePropagation")).map(|_| ())
    };
    let unattached = |error: &Error| error.is_code("Gateway.NotAttached");
    cx.retry(budget.min(VISIBLE_WITHIN), unattached, enable)
        .await
        .doing(format!("enabling Route Table ({id}) VPN Gateway ({gateway}) route propagation"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_that_exist_by_themselves_are_left_out() {
        let local = Ec2Route::builder().destination_cidr_block("10.0.0.0/16").gateway_id("local").build();
        let known = InlineRoute { cidr_block: "10.0.0.0/16".into(), gateway_id: "local".into(), ..Default::default() };
        assert!(!is_configurable(&local, &[]));
        assert!(is_configurable(&local, &[known]));
        let endpoint = Ec2Route::builder().destination_prefix_list_id("pl-1").gateway_id("vpce-1").build();
        assert!(!is_configurable(&endpoint, &[]));
        let internet = Ec2Route::builder().destination_cidr_block("0.0.0.0/0").gateway_id("igw-1").build();
        assert!(is_configurable(&internet, &[]));
    }
}
