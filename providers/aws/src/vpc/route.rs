//! `aws_route`

use std::time::Duration;

use aws_sdk_ec2::types::Route as Ec2Route;
use sdk::{Change, Created, Cx, Error, Found, Model, Resource, Result, ResultExt, Timeouts, Value, async_trait};

use super::routes::{self, Destination, Target};
use super::{given, text};
use crate::checks::{CIDR_V4, CIDR_V6};
use crate::client::Aws;

/// One route of a route table. Source: EC2 `CreateRoute`, `ReplaceRoute`; read with its table (`DescribeRouteTables`).
#[derive(Clone, Debug, Default, Model)]
#[model(
    exactly_one_of("destination_cidr_block", "destination_ipv6_cidr_block", "destination_prefix_list_id"),
    exactly_one_of(
        "carrier_gateway_id",
        "core_network_arn",
        "egress_only_gateway_id",
        "gateway_id",
        "local_gateway_id",
        "nat_gateway_id",
        "network_interface_id",
        "transit_gateway_id",
        "vpc_endpoint_id",
        "vpc_peering_connection_id"
    )
)]
pub struct Route {
    #[attr(optional)]
    carrier_gateway_id: Option<String>,
    #[attr(optional)]
    core_network_arn: Option<String>,
    #[attr(optional, force_new, valid = CIDR_V4)]
    destination_cidr_block: Option<String>,
    #[attr(optional, force_new, equivalent = "same_block", valid = CIDR_V6)]
    destination_ipv6_cidr_block: Option<String>,
    #[attr(optional, force_new)]
    destination_prefix_list_id: Option<String>,
    #[attr(optional)]
    egress_only_gateway_id: Option<String>,
    #[attr(optional)]
    gateway_id: Option<String>,
    #[attr(optional, computed)]
    id: String,
    #[attr(computed)]
    instance_id: Option<String>,
    #[attr(computed)]
    instance_owner_id: Option<String>,
    #[attr(optional)]
    local_gateway_id: Option<String>,
    #[attr(optional)]
    nat_gateway_id: Option<String>,
    #[attr(optional, computed)]
    network_interface_id: Option<String>,
    #[attr(computed)]
    origin: Option<String>,
    #[attr(required, force_new)]
    route_table_id: String,
    #[attr(computed)]
    state: Option<String>,
    #[attr(optional)]
    transit_gateway_id: Option<String>,
    #[attr(optional)]
    vpc_endpoint_id: Option<String>,
    #[attr(optional)]
    vpc_peering_connection_id: Option<String>,
    #[timeouts(create, update, delete)]
    timeouts: Timeouts,
}

const CREATED_WITHIN: Duration = Duration::from_secs(300);
const UPDATED_WITHIN: Duration = Duration::from_secs(120);
const DELETED_WITHIN: Duration = Duration::from_secs(300);

#[async_trait]
impl Resource for Route {
    const NAME: &'static str = "aws_route";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: Route, created: &Created<'_>) -> Result<Route> {
        let destination = planned.destination()?;
        let budget = planned.timeouts.create(CREATED_WITHIN);
        routes::create(cx, &planned.route_table_id, &destination, &planned.target(), budget).await?;
        planned.id = id(&planned.route_table_id, destination.as_str());
        created.hand_over(&planned).await;
        Ok(planned)
    }

    async fn read(cx: &Cx<Aws>, prior: Route) -> Result<Option<Route>> {
        sdk::read_one(cx, prior).await
    }

    async fn read_many(cx: &Cx<Aws>, priors: Vec<Route>) -> Vec<Result<Option<Route>>> {
        let tables = routes::tables(cx, priors.iter().map(|route| route.route_table_id.clone()).collect()).await;
        let tables = match tables.doing("reading Route") {
            Ok(tables) => tables,
            Err(error) => return priors.iter().map(|_| Err(error.clone())).collect(),
        };
        let read = |prior: Route| {
            let destination = prior.destination()?;
            let mut routes =
                tables.get(&prior.route_table_id).into_iter().flat_map(|table| table.routes.iter().flatten());
            Ok(routes.find(|route| destination.is_of(route)).map(|route| read(prior, route)))
        };
        priors.into_iter().map(read).collect()
    }

    async fn update(cx: &Cx<Aws>, change: Change<Route>) -> Result<Route> {
        let planned = change.planned;
        let destination = planned.destination()?;
        let mut target = planned.target();
        // What isn't configured is what was read, and would contradict a new target.
        if given(&change.config.network_interface_id).is_none() {
            target.network_interface_id = None;
        }
        let budget = planned.timeouts.update(UPDATED_WITHIN);
        routes::replace(cx, &planned.route_table_id, &destination, &target, budget).await?;
        Ok(planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: Route) -> Result<()> {
        let budget = prior.timeouts.delete(DELETED_WITHIN);
        routes::delete(cx, &prior.route_table_id, &prior.destination()?, budget).await
    }

    async fn import(_cx: &Cx<Aws>, id_or_address: &str) -> Result<Vec<Route>> {
        let parts = id_or_address.split_once('_').filter(|(table, to)| !table.is_empty() && !to.is_empty());
        let Some((table, to)) = parts else {
            return Err(Error::new(format!(
                "unexpected format of ID ({id_or_address:?}), expected ROUTETABLEID_DESTINATION"
            )));
        };
        let mut route = Route { id: id(table, to), route_table_id: table.to_owned(), ..Route::default() };
        let to_set = match to {
            _ if to.contains(':') => &mut route.destination_ipv6_cidr_block,
            _ if to.contains('.') => &mut route.destination_cidr_block,
            _ => &mut route.destination_prefix_list_id,
        };
        *to_set = Some(to.to_owned());
        Ok(vec![route])
    }

    /// A route is nothing but its content: one that leads to the same through the same is the one that was to be made.
    async fn find(cx: &Cx<Aws>, planned: &Route, _client_token: &str) -> Result<Found<Route>> {
        let destination = planned.destination()?;
        let table = routes::describe(cx, &planned.route_table_id).await.if_found()?.flatten();
        let routes = table.and_then(|table| table.routes).unwrap_or_default();
        let made = |route: &Ec2Route| destination.is_of(route) && planned.target().is_within(&Target::of(route));
        if !routes.iter().any(made) {
            return Ok(Found::Nothing);
        }
        let id = id(&planned.route_table_id, destination.as_str());
        Ok(Found::Same(Box::new(Route { id, ..planned.clone() })))
    }
}

/// The id of a route: made up, since the API knows none.
fn id(table: &str, destination: &str) -> String {
    format!("r-{table}{}", crc32fast::hash(destination.as_bytes()))
}

fn same_block(prior: &Value, configured: &Value) -> bool {
    match (prior.as_str(), configured.as_str()) {
        (Some(prior), Some(configured)) => routes::same(prior, configured),
        _ => false,
    }
}

impl Route {
    fn destination(&self) -> Result<Destination> {
        let destination = Destination::of(
            self.destination_cidr_block.as_deref(),
            self.destination_ipv6_cidr_block.as_deref(),
            self.destination_prefix_list_id.as_deref(),
        );
        destination.ok_or_else(|| Error::new(format!("route destination attribute not specified: {}", self.id)))
    }

    fn target(&self) -> Target {
        Target {
            carrier_gateway_id: given(&self.carrier_gateway_id),
            core_network_arn: given(&self.core_network_arn),
            egress_only_gateway_id: given(&self.egress_only_gateway_id),
            gateway_id: given(&self.gateway_id),
            local_gateway_id: given(&self.local_gateway_id),
            nat_gateway_id: given(&self.nat_gateway_id),
            network_interface_id: given(&self.network_interface_id),
            transit_gateway_id: given(&self.transit_gateway_id),
            vpc_endpoint_id: given(&self.vpc_endpoint_id),
            vpc_peering_connection_id: given(&self.vpc_peering_connection_id),
        }
    }
}

fn read(mut known: Route, read: &Ec2Route) -> Route {
    let target = Target::of(read);
    known.carrier_gateway_id = text(target.carrier_gateway_id);
    known.core_network_arn = text(target.core_network_arn);
    known.destination_cidr_block = text(read.destination_cidr_block.clone());
    known.destination_ipv6_cidr_block = text(read.destination_ipv6_cidr_block.clone());
    known.destination_prefix_list_id = text(read.destination_prefix_list_id.clone());
    known.egress_only_gateway_id = text(target.egress_only_gateway_id);
    known.gateway_id = text(target.gateway_id);
    known.instance_id = text(read.instance_id.clone());
    known.instance_owner_id = text(read.instance_owner_id.clone());
    known.local_gateway_id = text(target.local_gateway_id);
    known.nat_gateway_id = text(target.nat_gateway_id);
    known.network_interface_id = text(target.network_interface_id);
    known.origin = text(read.origin.as_ref().map(|origin| origin.as_str().to_owned()));
    known.state = text(read.state.as_ref().map(|state| state.as_str().to_owned()));
    known.transit_gateway_id = text(target.transit_gateway_id);
    known.vpc_endpoint_id = text(target.vpc_endpoint_id);
    known.vpc_peering_connection_id = text(target.vpc_peering_connection_id);
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_terraforms() {
        // As Terraform's provider made it for this table and destination.
        assert_eq!(id("rtb-1", "0.0.0.0/0"), "r-rtb-11080289494");
    }
}
