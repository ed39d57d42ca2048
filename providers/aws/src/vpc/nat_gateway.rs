//! `aws_nat_gateway`

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_ec2::types::{
    ConnectivityType, NatGateway as Ec2NatGateway, NatGatewayAddress, NatGatewayAddressStatus, NatGatewayState,
    ResourceType,
};
use sdk::{
    Change, Check, Created, Cx, Error, Found, Model, Plan, Resource, Result, ResultExt, Tags, Timeouts, Value, Wait,
    async_trait,
};

use super::{
    IDS_PER_CALL, VISIBLE_WITHIN, filter, found, from_tags, given, made_durable, made_with, tag_specifications, text,
    update_tags,
};
use crate::checks::IPV4;
use crate::client::Aws;
use crate::errors::api;

/// Lets a private subnet out. Source: EC2 `CreateNatGateway` (which takes a token), `DescribeNatGateways`.
#[derive(Clone, Debug, Default, Model)]
#[model(conflicts("secondary_private_ip_address_count", "secondary_private_ip_addresses"))]
pub struct NatGateway {
    #[attr(optional, force_new)]
    allocation_id: Option<String>,
    #[attr(computed)]
    association_id: Option<String>,
    #[attr(optional, force_new, default = "public", valid = Check::Enum(&["private", "public"]))]
    connectivity_type: Option<String>,
    #[attr(optional, computed)]
    id: String,
    #[attr(computed)]
    network_interface_id: Option<String>,
    #[attr(optional, computed, force_new, valid = IPV4)]
    private_ip: Option<String>,
    #[attr(computed)]
    public_ip: Option<String>,
    #[attr(optional)]
    secondary_allocation_ids: Option<BTreeSet<String>>,
    #[attr(optional, computed, force_new)]
    secondary_private_ip_address_count: Option<i64>,
    #[attr(optional, computed)]
    secondary_private_ip_addresses: Option<BTreeSet<String>>,
    #[attr(required, force_new)]
    subnet_id: String,
    #[attr(optional)]
    tags: Option<Tags>,
    #[attr(optional, computed)]
    tags_all: Tags,
    #[timeouts(create, update, delete)]
    timeouts: Timeouts,
}

const CHANGED_WITHIN: Duration = Duration::from_secs(600);
const DELETED_WITHIN: Duration = Duration::from_secs(1800);

#[async_trait]
impl Resource for NatGateway {
    const NAME: &'static str = "aws_nat_gateway";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: NatGateway, created: &Created<'_>) -> Result<NatGateway> {
        let create = || async {
            let request = cx
                .ec2()
                .create_nat_gateway()
                .client_token(cx.client_token())
                .subnet_id(&planned.subnet_id)
                .set_allocation_id(given(&planned.allocation_id))
                .set_connectivity_type(planned.connectivity_type.as_deref().map(ConnectivityType::from))
                .set_private_ip_address(given(&planned.private_ip))
                .set_secondary_allocation_ids(list(&planned.secondary_allocation_ids))
                .set_secondary_private_ip_address_count(
                    planned.secondary_private_ip_address_count.and_then(|n| i32::try_from(n).ok()).filter(|n| *n > 0),
                )
                .set_secondary_private_ip_addresses(list(&planned.secondary_private_ip_addresses))
                .set_tag_specifications(tag_specifications(cx, ResourceType::Natgateway, &planned.tags_all));
            request.send().await.map_err(api("EC2", "CreateNatGateway"))
        };
        let invisible =
            |error: &Error| error.is_code("InvalidSubnetID.NotFound") || error.is_code("InvalidAllocationID.NotFound");
        let answer = cx.retry(VISIBLE_WITHIN, invisible, create).await.doing("creating EC2 NAT Gateway")?;
        planned.id = answer.nat_gateway.and_then(|gateway| gateway.nat_gateway_id).unwrap_or_default();
        created.hand_over(&planned).await;
        NatGateway::settle(cx, &planned).await?;
        Ok(planned)
    }

    async fn settle(cx: &Cx<Aws>, object: &Self) -> Result<()> {
        let id = &object.id;
        let wait = Wait::until(&["available"], object.timeouts.create(CHANGED_WITHIN)).pending(&["pending"]);
        let poll = || async {
            let Some(gateway) = describe(cx, id).await? else { return Ok(None) };
            if gateway.state == Some(NatGatewayState::Failed) {
                let (code, message) = (gateway.failure_code, gateway.failure_message);
                return Err(Error::new(format!("{}: {}", code.unwrap_or_default(), message.unwrap_or_default())));
            }
            Ok(Some(((), gateway.state.map(|state| state.as_str().to_owned()).unwrap_or_default())))
        };
        let ((), waited) = futures::join!(made_durable(cx, id), cx.wait_for(wait, poll));
        waited.doing(format!("waiting for EC2 NAT Gateway ({id}) create")).map(|_| ())
    }

    async fn read(cx: &Cx<Aws>, prior: NatGateway) -> Result<Option<NatGateway>> {
        sdk::read_one(cx, prior).await
    }

    async fn read_many(cx: &Cx<Aws>, priors: Vec<NatGateway>) -> Vec<Result<Option<NatGateway>>> {
        sdk::in_batches(priors, IDS_PER_CALL, |chunk| async move {
            let ids = chunk.iter().map(|gateway| gateway.id.as_str());
            let request = cx.ec2().describe_nat_gateways().filter(filter("nat-gateway-id", ids));
            let gateways: Vec<Ec2NatGateway> = request
                .into_paginator()
                .items()
                .send()
                .try_collect()
                .await
                .map_err(api("EC2", "DescribeNatGateways"))
                .doing("reading EC2 NAT Gateway")?;
            let existing = gateways.into_iter().filter(exists);
            let mut by_id: HashMap<String, Ec2NatGateway> =
                existing.filter_map(|gateway| Some((gateway.nat_gateway_id.clone()?, gateway))).collect();
            Ok(chunk.into_iter().map(|prior| by_id.remove(&prior.id).map(|gateway| read(prior, gateway))).collect())
        })
        .await
    }

    async fn update(cx: &Cx<Aws>, change: Change<NatGateway>) -> Result<NatGateway> {
        let Change { prior, planned, .. } = &change;
        let id = &planned.id;
        if planned.connectivity_type.as_deref() == Some("private") {
            if change.of(|gateway| &gateway.secondary_private_ip_addresses) {
                change_private_addresses(cx, prior, planned).await?;
            }
        } else if change.of(|gateway| &gateway.secondary_allocation_ids) {
            change_allocations(cx, prior, planned).await?;
        }
        update_tags(cx, id, &prior.tags_all, &planned.tags_all)
            .await
            .doing(format!("updating tags for EC2 NAT Gateway ({id})"))?;
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: NatGateway) -> Result<()> {
        let id = prior.id.as_str();
        let answer = cx.ec2().delete_nat_gateway().nat_gateway_id(id).send().await;
        let answer = answer.map_err(api("EC2", "DeleteNatGateway"));
        match answer {
            Err(error) if error.is_code("NatGatewayNotFound") => return Ok(()),
            answer => answer.or_gone().doing(format!("deleting EC2 NAT Gateway ({id})"))?,
        }
        let poll = || async {
            let gateway = describe(cx, id).await?;
            Ok(gateway.map(|gateway| ((), gateway.state.map(|state| state.as_str().to_owned()).unwrap_or_default())))
        };
        let wait = Wait::until_gone(prior.timeouts.delete(DELETED_WITHIN)).delay(Duration::from_secs(10));
        cx.wait_for(wait, poll).await.doing(format!("waiting for EC2 NAT Gateway ({id}) delete"))?;
        Ok(())
    }

    async fn plan(_cx: &Cx<Aws>, plan: &mut Plan<'_>) -> Result<()> {
        let kind = plan.planned("connectivity_type").as_str().map(ToString::to_string).unwrap_or_default();
        let refuse =
            |name: &str| Err(Error::new(format!("{name} is not supported with connectivity_type = \"{kind}\"")));
        let set = |value: &Value| value.is_known() && value.as_str().is_some_and(|text| !text.is_empty());
        if kind == "private" {
            if set(&plan.planned("allocation_id")) {
                return refuse("allocation_id");
            }
            if plan.planned("secondary_allocation_ids").length().is_some_and(|length| length > 0) {
                return refuse("secondary_allocation_ids");
            }
        } else if kind == "public" {
            let count = plan.config("secondary_private_ip_address_count");
            if count.is_known() && !count.is_null() {
                return refuse("secondary_private_ip_address_count");
            }
            if !plan.is_create() && plan.changes("secondary_allocation_ids") {
                plan.set_unknown("secondary_private_ip_address_count");
                if !plan.config("secondary_private_ip_addresses").is_known() {
                    plan.set_unknown("secondary_private_ip_addresses");
                }
            }
        }
        Ok(())
    }

    async fn find(cx: &Cx<Aws>, planned: &NatGateway, client_token: &str) -> Result<Found<NatGateway>> {
        let answer = cx.ec2().describe_nat_gateways().filter(made_with(client_token)).send().await;
        let gateways = answer.map_err(api("EC2", "DescribeNatGateways"))?.nat_gateways.unwrap_or_default();
        let made = gateways
            .into_iter()
            .filter(exists)
            .map(|made| NatGateway { id: made.nat_gateway_id.unwrap_or_default(), ..planned.clone() });
        Ok(found(made.collect()))
    }

    fn estimate_seconds(operation: sdk::Operation) -> u32 {
        if operation == sdk::Operation::Update { 5 } else { 100 }
    }
}

/// Gateways stay visible for an hour after they are gone.
fn exists(gateway: &Ec2NatGateway) -> bool {
    gateway.state != Some(NatGatewayState::Deleted)
}

async fn describe(cx: &Cx<Aws>, id: &str) -> Result<Option<Ec2NatGateway>> {
    let answer = cx.ec2().describe_nat_gateways().filter(filter("nat-gateway-id", [id])).send().await;
    let answer = answer.map_err(api("EC2", "DescribeNatGateways"))?;
    Ok(answer.nat_gateways.unwrap_or_default().into_iter().find(exists))
}

fn read(mut known: NatGateway, read: Ec2NatGateway) -> NatGateway {
    let addresses = read.nat_gateway_addresses.unwrap_or_default();
    let alone = addresses.len() == 1;
    let (mut allocations, mut private) = (BTreeSet::new(), BTreeSet::new());
    for address in addresses {
        if alone || address.is_primary == Some(true) {
            known.allocation_id = text(address.allocation_id);
            known.association_id = text(address.association_id);
            known.network_interface_id = text(address.network_interface_id);
            known.private_ip = text(address.private_ip);
            known.public_ip = text(address.public_ip);
        } else {
            allocations.extend(address.allocation_id.filter(|id| !id.is_empty()));
            private.extend(address.private_ip.filter(|ip| !ip.is_empty()));
        }
    }
    known.connectivity_type = text(read.connectivity_type.map(|kind| kind.as_str().to_owned()));
    known.secondary_private_ip_address_count = i64::try_from(private.len()).ok();
    known.secondary_private_ip_addresses = Some(private);
    known.secondary_allocation_ids = Some(allocations);
    known.subnet_id = read.subnet_id.unwrap_or_default();
    known.tags_all = from_tags(read.tags);
    known
}

fn list(ids: &Option<BTreeSet<String>>) -> Option<Vec<String>> {
    ids.as_ref().filter(|ids| !ids.is_empty()).map(|ids| ids.iter().cloned().collect())
}

/// What is in the second set and not in the first.
fn added(before: &Option<BTreeSet<String>>, after: &Option<BTreeSet<String>>) -> Vec<String> {
    let before = before.as_ref();
    let after = after.iter().flatten();
    after.filter(|id| !before.is_some_and(|before| before.contains(*id))).cloned().collect()
}

async fn change_private_addresses(cx: &Cx<Aws>, prior: &NatGateway, planned: &NatGateway) -> Result<()> {
    let id = &planned.id;
    let (before, after) = (&prior.secondary_private_ip_addresses, &planned.secondary_private_ip_addresses);
    let add = added(before, after);
    if !add.is_empty() {
        let request = cx.ec2().assign_private_nat_gateway_address().nat_gateway_id(id);
        let answer = request.set_private_ip_addresses(Some(add.clone())).send().await;
        let answer = answer.map_err(api("EC2", "AssignPrivateNatGatewayAddress"));
        answer.doing(format!("assigning EC2 NAT Gateway ({id}) private IP addresses"))?;
        let is = |address: &NatGatewayAddress| address.private_ip.as_ref().is_some_and(|ip| add.contains(ip));
        wait_addresses(cx, planned, is, add.len(), "assign").await?;
    }
    let remove = added(after, before);
    if !remove.is_empty() {
        let request = cx.ec2().unassign_private_nat_gateway_address().nat_gateway_id(id);
        let answer = request.set_private_ip_addresses(Some(remove.clone())).send().await;
        let answer = answer.map_err(api("EC2", "UnassignPrivateNatGatewayAddress"));
        answer.doing(format!("unassigning EC2 NAT Gateway ({id}) private IP addresses"))?;
        let is = |address: &NatGatewayAddress| address.private_ip.as_ref().is_some_and(|ip| remove.contains(ip));
        wait_addresses(cx, planned, is, 0, "unassign").await?;
    }
    Ok(())
}

async fn change_allocations(cx: &Cx<Aws>, prior: &NatGateway, planned: &NatGateway) -> Result<()> {
    let id = &planned.id;
    let (before, after) = (&prior.secondary_allocation_ids, &planned.secondary_allocation_ids);
    let add = added(before, after);
    if !add.is_empty() {
        let private = added(&prior.secondary_private_ip_addresses, &planned.secondary_private_ip_addresses);
        let request = cx.ec2().associate_nat_gateway_address().nat_gateway_id(id);
        let request = request.set_private_ip_addresses((!private.is_empty()).then_some(private));
        let answer = request.set_allocation_ids(Some(add.clone())).send().await;
        let answer = answer.map_err(api("EC2", "AssociateNatGatewayAddress"));
        answer.doing(format!("associating EC2 NAT Gateway ({id}) allocation IDs"))?;
        let is = |address: &NatGatewayAddress| address.allocation_id.as_ref().is_some_and(|ip| add.contains(ip));
        wait_addresses(cx, planned, is, add.len(), "associate").await?;
    }
    let remove = added(after, before);
    if !remove.is_empty() {
        let addresses = describe(cx, id).await?.and_then(|gateway| gateway.nat_gateway_addresses).unwrap_or_default();
        let is = |address: &NatGatewayAddress| address.allocation_id.as_ref().is_some_and(|ip| remove.contains(ip));
        let associations = addresses.into_iter().filter(is).filter_map(|address| address.association_id).collect();
        let request = cx.ec2().disassociate_nat_gateway_address().nat_gateway_id(id);
        let answer = request.set_association_ids(Some(associations)).send().await;
        let answer = answer.map_err(api("EC2", "DisassociateNatGatewayAddress"));
        answer.doing(format!("disassociating EC2 NAT Gateway ({id}) allocation IDs"))?;
        wait_addresses(cx, planned, is, 0, "disassociate").await?;
    }
    Ok(())
}

/// Waits until so many of these addresses are there and in use.
async fn wait_addresses(
    cx: &Cx<Aws>,
    gateway: &NatGateway,
    is: impl Fn(&NatGatewayAddress) -> bool + Send + Sync,
    count: usize,
    what: &str,
) -> Result<()> {
    let id = gateway.id.as_str();
    let poll = || async {
        let addresses = describe(cx, id).await?.and_then(|gateway| gateway.nat_gateway_addresses).unwrap_or_default();
        let mut present = 0;
        let mut ready = true;
        for address in addresses.iter().filter(|address| is(address)) {
            if address.status == Some(NatGatewayAddressStatus::Failed) {
                return Err(Error::new(address.failure_message.clone().unwrap_or_default()));
            }
            present += 1;
            ready &= address.status.as_ref().is_none_or(|status| *status == NatGatewayAddressStatus::Succeeded);
        }
        Ok(Some(((), if ready && present == count { "done" } else { "under way" }.to_owned())))
    };
    cx.wait_for(Wait::until(&["done"], gateway.timeouts.update(CHANGED_WITHIN)), poll)
        .await
        .doing(format!("waiting for EC2 NAT Gateway ({id}) to {what} addresses"))?;
    Ok(())
}
