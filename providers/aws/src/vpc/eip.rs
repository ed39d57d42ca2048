//! `aws_eip`

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_ec2::types::{Address, AddressAttributeName, DomainType, ResourceType};
use sdk::{
    Change, Check, Created, Cx, Error, Found, Model, Resource, Result, ResultExt, Tags, Timeouts, Wait, async_trait,
};

use super::{
    IDS_PER_CALL, VISIBLE_WITHIN, filter, found, from_tags, given, made_durable, made_with, tag_specifications, text,
    update_tags,
};
use crate::client::Aws;
use crate::errors::api;

/// A public address. Source: EC2 `AllocateAddress`, `AssociateAddress`, `DescribeAddresses`, `DescribeAddressesAttribute`.
#[derive(Clone, Debug, Default, Model)]
#[model(conflicts("domain", "vpc"))]
pub struct Eip {
    #[attr(optional, force_new)]
    address: Option<String>,
    #[attr(computed)]
    allocation_id: Option<String>,
    #[attr(computed)]
    arn: Option<String>,
    #[attr(optional)]
    associate_with_private_ip: Option<String>,
    #[attr(computed)]
    association_id: Option<String>,
    #[attr(computed)]
    carrier_ip: Option<String>,
    #[attr(computed)]
    customer_owned_ip: Option<String>,
    #[attr(optional)]
    customer_owned_ipv4_pool: Option<String>,
    #[attr(optional, computed, force_new, valid = Check::Enum(&["vpc", "standard"]))]
    domain: Option<String>,
    #[attr(optional, computed)]
    id: String,
    #[attr(optional, computed)]
    instance: Option<String>,
    #[attr(optional, computed, force_new)]
    ipam_pool_id: Option<String>,
    #[attr(optional, computed, force_new)]
    network_border_group: Option<String>,
    #[attr(optional, computed)]
    network_interface: Option<String>,
    #[attr(computed)]
    private_dns: Option<String>,
    #[attr(computed)]
    private_ip: Option<String>,
    #[attr(computed)]
    ptr_record: Option<String>,
    #[attr(computed)]
    public_dns: Option<String>,
    #[attr(computed)]
    public_ip: Option<String>,
    #[attr(optional, computed, force_new)]
    public_ipv4_pool: Option<String>,
    #[attr(optional)]
    tags: Option<Tags>,
    #[attr(optional, computed)]
    tags_all: Tags,
    #[attr(optional, computed, force_new, deprecated = "vpc is deprecated. Use domain instead.")]
    vpc: Option<bool>,
    #[timeouts(read, update, delete)]
    timeouts: Timeouts,
}

#[async_trait]
impl Resource for Eip {
    const NAME: &'static str = "aws_eip";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: Eip, created: &Created<'_>) -> Result<Eip> {
        let domain = given(&planned.domain).as_deref().map(DomainType::from);
        let domain = domain.or_else(|| planned.vpc.filter(|vpc| *vpc).map(|_| DomainType::Vpc));
        let request = cx
            .ec2()
            .allocate_address()
            .set_domain(domain)
            .set_address(given(&planned.address))
            .set_customer_owned_ipv4_pool(given(&planned.customer_owned_ipv4_pool))
            .set_ipam_pool_id(given(&planned.ipam_pool_id))
            .set_network_border_group(given(&planned.network_border_group))
            .set_public_ipv4_pool(given(&planned.public_ipv4_pool))
            .set_tag_specifications(tag_specifications(cx, ResourceType::ElasticIp, &planned.tags_all));
        let answer = request.send().await.map_err(api("EC2", "AllocateAddress")).doing("creating EC2 EIP")?;
        planned.id = answer.allocation_id.unwrap_or_default();
        created.hand_over(&planned).await;
        made_durable(cx, &planned.id).await;
        if given(&planned.instance).is_some() || given(&planned.network_interface).is_some() {
            associate(cx, &planned).await?;
        }
        Ok(planned)
    }

    async fn settle(cx: &Cx<Aws>, object: &Self) -> Result<()> {
        made_durable(cx, &object.id).await;
        Ok(())
    }

    async fn read(cx: &Cx<Aws>, prior: Eip) -> Result<Option<Eip>> {
        sdk::read_one(cx, prior).await
    }

    async fn read_many(cx: &Cx<Aws>, priors: Vec<Eip>) -> Vec<Result<Option<Eip>>> {
        sdk::in_batches(priors, IDS_PER_CALL, |chunk| read_chunk(cx, chunk)).await
    }

    async fn update(cx: &Cx<Aws>, change: Change<Eip>) -> Result<Eip> {
        let Change { prior, planned, .. } = &change;
        let id = &planned.id;
        if change.of(|eip| &eip.associate_with_private_ip)
            || change.of(|eip| &eip.instance)
            || change.of(|eip| &eip.network_interface)
        {
            if let Some(association) = given(&prior.association_id) {
                disassociate(cx, &association).await?;
            }
            if given(&planned.instance).is_some() || given(&planned.network_interface).is_some() {
                associate(cx, planned).await?;
            }
        }
        update_tags(cx, id, &prior.tags_all, &planned.tags_all)
            .await
            .doing(format!("updating tags for EC2 EIP ({id})"))?;
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: Eip) -> Result<()> {
        let id = prior.id.as_str();
        if let Some(association) = given(&prior.association_id) {
            disassociate(cx, &association).await?;
        }
        let release = || async {
            let request = cx.ec2().release_address().allocation_id(id);
            let request = request.set_network_border_group(given(&prior.network_border_group));
            request.send().await.map_err(api("EC2", "ReleaseAddress")).map(|_| ())
        };
        // A NAT gateway that is just gone may hold it for a moment.
        let held = |error: &Error| error.is_code("InvalidIPAddress.InUse") || error.is_code("AuthFailure");
        let budget = prior.timeouts.delete(Duration::from_secs(180));
        cx.retry(budget, held, release).await.or_gone().doing(format!("deleting EC2 EIP ({id})"))
    }

    async fn find(cx: &Cx<Aws>, planned: &Eip, client_token: &str) -> Result<Found<Eip>> {
        let answer = cx.ec2().describe_addresses().filters(made_with(client_token)).send().await;
        let addresses = answer.map_err(api("EC2", "DescribeAddresses"))?.addresses.unwrap_or_default().into_iter();
        let made = addresses.map(|made| Eip { id: made.allocation_id.unwrap_or_default(), ..planned.clone() });
        Ok(found(made.collect()))
    }
}

async fn read_chunk(cx: &Cx<Aws>, priors: Vec<Eip>) -> Result<Vec<Option<Eip>>> {
    // An import may name the address itself.
    let (addresses, ids): (Vec<&str>, Vec<&str>) =
        priors.iter().map(|eip| eip.id.as_str()).partition(|id| id.parse::<std::net::IpAddr>().is_ok());
    let mut by_id: HashMap<String, Address> = HashMap::new();
    for (name, values) in [("allocation-id", ids), ("public-ip", addresses)] {
        if values.is_empty() {
            continue;
        }
        let answer = cx.ec2().describe_addresses().filters(filter(name, values)).send().await;
        let answer = answer.map_err(api("EC2", "DescribeAddresses")).doing("reading EC2 EIP")?;
        for address in answer.addresses.unwrap_or_default() {
            let id = if name == "public-ip" { &address.public_ip } else { &address.allocation_id };
            by_id.extend(id.clone().map(|id| (id, address)));
        }
    }
    let allocations: Vec<String> = by_id.values().filter_map(|address| address.allocation_id.clone()).collect();
    let mut names = ptr_records(cx, allocations).await?;
    let mut read = Vec::with_capacity(priors.len());
    for prior in priors {
        read.push(match by_id.remove(&prior.id) {
            Some(address) => {
                let name = address.allocation_id.as_ref().and_then(|id| names.remove(id));
                Some(merged(cx, prior, address, name).await?)
            }
            None => None,
        });
    }
    Ok(read)
}

/// The reverse names by allocation. Not every partition and emulator has this call.
async fn ptr_records(cx: &Cx<Aws>, allocations: Vec<String>) -> Result<HashMap<String, String>> {
    if allocations.is_empty() {
        return Ok(HashMap::new());
    }
    let request = cx.ec2().describe_addresses_attribute().attribute(AddressAttributeName::DomainName);
    let answer = request.set_allocation_ids(Some(allocations)).send().await;
    match answer.map_err(api("EC2", "DescribeAddressesAttribute")) {
        Ok(answer) => {
            let records = answer.addresses.unwrap_or_default().into_iter();
            Ok(records.filter_map(|record| Some((record.allocation_id?, record.ptr_record?))).collect())
        }
        Err(error) if error.is_not_found() || error.is_code("InvalidAction") => Ok(HashMap::new()),
        Err(error) => Err(error.context("reading EC2 EIP domain name attribute")),
    }
}

async fn merged(cx: &Cx<Aws>, mut known: Eip, read: Address, name: Option<String>) -> Result<Eip> {
    let allocation = read.allocation_id.unwrap_or_default();
    known.arn = Some(cx.arn("ec2", &format!("elastic-ip/{allocation}")).await?);
    known.id.clone_from(&allocation);
    known.allocation_id = Some(allocation);
    known.association_id = text(read.association_id);
    known.carrier_ip = text(read.carrier_ip);
    known.customer_owned_ip = text(read.customer_owned_ip);
    known.customer_owned_ipv4_pool = text(read.customer_owned_ipv4_pool);
    known.vpc = Some(read.domain == Some(DomainType::Vpc));
    known.domain = text(read.domain.map(|domain| domain.as_str().to_owned()));
    known.instance = text(read.instance_id);
    if let Some(pool) = read.public_ipv4_pool.as_ref().filter(|pool| pool.starts_with("ipam-pool-")) {
        known.ipam_pool_id = Some(pool.clone());
    }
    known.network_border_group = text(read.network_border_group);
    known.network_interface = text(read.network_interface_id);
    known.public_ipv4_pool = text(read.public_ipv4_pool);
    if let Some(ip) = given(&read.private_ip_address) {
        known.private_dns = Some(private_dns(cx.region(), &ip));
    }
    known.private_ip = text(read.private_ip_address);
    if let Some(ip) = given(&read.public_ip) {
        known.public_dns = Some(public_dns(cx.region(), cx.dns_suffix(), &ip));
    }
    known.public_ip = text(read.public_ip);
    known.ptr_record = Some(name.unwrap_or_default().trim_end_matches('.').to_owned());
    known.tags_all = from_tags(read.tags);
    Ok(known)
}

/// The name of a private address: `ip-10-0-0-1.ec2.internal`.
pub(crate) fn private_dns(region: &str, ip: &str) -> String {
    let host = ip.replace('.', "-");
    match region {
        "us-east-1" => format!("ip-{host}.ec2.internal"),
        _ => format!("ip-{host}.{region}.compute.internal"),
    }
}

/// The name of a public address: `ec2-54-0-0-1.compute-1.amazonaws.com`.
pub(crate) fn public_dns(region: &str, suffix: &str, ip: &str) -> String {
    let host = ip.replace('.', "-");
    match region {
        "us-east-1" => format!("ec2-{host}.compute-1.{suffix}"),
        _ => format!("ec2-{host}.{region}.compute.{suffix}"),
    }
}

async fn associate(cx: &Cx<Aws>, eip: &Eip) -> Result<()> {
    let id = eip.id.as_str();
    let associate = || async {
        let request = cx
            .ec2()
            .associate_address()
            .allocation_id(id)
            .set_instance_id(given(&eip.instance))
            .set_network_interface_id(given(&eip.network_interface))
            .set_private_ip_address(given(&eip.associate_with_private_ip));
        request.send().await.map_err(api("EC2", "AssociateAddress"))
    };
    let early = |error: &Error| {
        error.is_code("InvalidAllocationID.NotFound") || error.is_code_with("InvalidInstanceID", "pending instance")
    };
    let answer = cx.retry(VISIBLE_WITHIN, early, associate).await.doing(format!("associating EC2 EIP ({id})"))?;
    let association = answer.association_id.unwrap_or_default();
    let poll = || async {
        let request = cx.ec2().describe_addresses().filters(filter("association-id", [association.as_str()]));
        let answer = request.send().await.map_err(api("EC2", "DescribeAddresses"))?;
        Ok(answer.addresses.unwrap_or_default().pop().map(|_| ((), "associated".to_owned())))
    };
    cx.wait_for(Wait::until(&["associated"], VISIBLE_WITHIN), poll)
        .await
        .doing(format!("waiting for EC2 EIP ({id}) association"))?;
    Ok(())
}

async fn disassociate(cx: &Cx<Aws>, association: &str) -> Result<()> {
    let answer = cx.ec2().disassociate_address().association_id(association).send().await;
    let answer = answer.map_err(api("EC2", "DisassociateAddress"));
    answer.or_gone().doing(format!("disassociating EC2 EIP ({association})"))
}
