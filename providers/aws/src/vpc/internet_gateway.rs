//! `aws_internet_gateway`

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_ec2::types::{InternetGateway as Ec2InternetGateway, ResourceType};
use sdk::{
    Change, Class, Created, Cx, Error, Found, Model, Resource, Result, ResultExt, Tags, Timeouts, Wait, async_trait,
};

use super::{
    IDS_PER_CALL, VISIBLE_WITHIN, filter, found, from_tags, given, made_durable, made_with, owned_arn,
    tag_specifications, text, update_tags,
};
use crate::client::Aws;
use crate::errors::api;

/// A network's way to the internet. Source: EC2 `CreateInternetGateway`, `AttachInternetGateway`,
/// `DescribeInternetGateways`.
#[derive(Clone, Debug, Default, Model)]
pub struct InternetGateway {
    #[attr(computed)]
    arn: Option<String>,
    #[attr(optional, computed)]
    id: String,
    #[attr(computed)]
    owner_id: Option<String>,
    #[attr(optional)]
    tags: Option<Tags>,
    #[attr(optional, computed)]
    tags_all: Tags,
    #[attr(optional, computed)]
    vpc_id: Option<String>,
    #[timeouts(create, update, delete)]
    timeouts: Timeouts,
}

const CHANGED_WITHIN: Duration = Duration::from_secs(1200);

#[async_trait]
impl Resource for InternetGateway {
    const NAME: &'static str = "aws_internet_gateway";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: InternetGateway, created: &Created<'_>) -> Result<InternetGateway> {
        let tags = tag_specifications(cx, ResourceType::InternetGateway, &planned.tags_all);
        let answer = cx.ec2().create_internet_gateway().set_tag_specifications(tags).send().await;
        let answer = answer.map_err(api("EC2", "CreateInternetGateway")).doing("creating EC2 Internet Gateway")?;
        planned.id = answer.internet_gateway.and_then(|gateway| gateway.internet_gateway_id).unwrap_or_default();
        created.hand_over(&planned).await;
        made_durable(cx, &planned.id).await;
        if let Some(vpc) = given(&planned.vpc_id) {
            attach(cx, &planned.id, &vpc, planned.timeouts.create(CHANGED_WITHIN)).await?;
        }
        Ok(planned)
    }

    async fn settle(cx: &Cx<Aws>, object: &Self) -> Result<()> {
        made_durable(cx, &object.id).await;
        Ok(())
    }

    async fn read(cx: &Cx<Aws>, prior: InternetGateway) -> Result<Option<InternetGateway>> {
        sdk::read_one(cx, prior).await
    }

    async fn read_many(cx: &Cx<Aws>, priors: Vec<InternetGateway>) -> Vec<Result<Option<InternetGateway>>> {
        sdk::in_batches(priors, IDS_PER_CALL, |chunk| async move {
            let ids = chunk.iter().map(|gateway| gateway.id.as_str());
            let request = cx.ec2().describe_internet_gateways().filters(filter("internet-gateway-id", ids));
            let gateways: Vec<Ec2InternetGateway> = request
                .into_paginator()
                .items()
                .send()
                .try_collect()
                .await
                .map_err(api("EC2", "DescribeInternetGateways"))
                .doing("reading EC2 Internet Gateway")?;
            let mut by_id: HashMap<String, Ec2InternetGateway> = gateways
                .into_iter()
                .filter_map(|gateway| Some((gateway.internet_gateway_id.clone()?, gateway)))
                .collect();
            Ok(chunk.into_iter().map(|prior| by_id.remove(&prior.id).map(|gateway| read(cx, prior, gateway))).collect())
        })
        .await
    }

    async fn update(cx: &Cx<Aws>, change: Change<InternetGateway>) -> Result<InternetGateway> {
        let Change { prior, planned, .. } = &change;
        let id = &planned.id;
        let budget = planned.timeouts.update(CHANGED_WITHIN);
        let (before, after) = (given(&prior.vpc_id), given(&planned.vpc_id));
        if before != after {
            if let Some(vpc) = before {
                detach(cx, id, &vpc, budget).await?;
            }
            if let Some(vpc) = after {
                attach(cx, id, &vpc, budget).await?;
            }
        }
        update_tags(cx, id, &prior.tags_all, &planned.tags_all)
            .await
            .doing(format!("updating tags for EC2 Internet Gateway ({id})"))?;
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: InternetGateway) -> Result<()> {
        let id = prior.id.as_str();
        let budget = prior.timeouts.delete(CHANGED_WITHIN);
        if let Some(vpc) = given(&prior.vpc_id) {
            detach(cx, id, &vpc, budget).await?;
        }
        let delete = || async {
            let request = cx.ec2().delete_internet_gateway().internet_gateway_id(id);
            request.send().await.map_err(api("EC2", "DeleteInternetGateway")).map(|_| ())
        };
        let dependents = |error: &Error| error.class() == Class::DependencyViolation;
        cx.retry(budget, dependents, delete).await.or_gone().doing(format!("deleting EC2 Internet Gateway ({id})"))
    }

    async fn find(cx: &Cx<Aws>, planned: &InternetGateway, client_token: &str) -> Result<Found<InternetGateway>> {
        let answer = cx.ec2().describe_internet_gateways().filters(made_with(client_token)).send().await;
        let gateways = answer.map_err(api("EC2", "DescribeInternetGateways"))?.internet_gateways.unwrap_or_default();
        let made = gateways
            .into_iter()
            .map(|made| InternetGateway { id: made.internet_gateway_id.unwrap_or_default(), ..planned.clone() });
        Ok(found(made.collect()))
    }

    fn estimate_seconds(_operation: sdk::Operation) -> u32 {
        2
    }
}

fn read(cx: &Cx<Aws>, mut known: InternetGateway, read: Ec2InternetGateway) -> InternetGateway {
    let owner = read.owner_id.unwrap_or_default();
    known.arn = Some(owned_arn(cx, &owner, &format!("internet-gateway/{}", known.id)));
    known.owner_id = Some(owner);
    known.vpc_id = text(read.attachments.unwrap_or_default().into_iter().next().and_then(|attached| attached.vpc_id));
    known.tags_all = from_tags(read.tags);
    known
}

/// The state of the attachment to the network; `None`: it isn't attached there.
async fn attachment(cx: &Cx<Aws>, id: &str, vpc: &str) -> Result<Option<String>> {
    let answer = cx.ec2().describe_internet_gateways().filters(filter("internet-gateway-id", [id])).send().await;
    let gateways = answer.map_err(api("EC2", "DescribeInternetGateways"))?.internet_gateways.unwrap_or_default();
    let mut attachments =
        gateways.into_iter().next().and_then(|gateway| gateway.attachments).unwrap_or_default().into_iter();
    let attachment = attachments.find(|attachment| attachment.vpc_id.as_deref() == Some(vpc));
    Ok(attachment.map(|attachment| attachment.state.map(|state| state.as_str().to_owned()).unwrap_or_default()))
}

async fn attach(cx: &Cx<Aws>, id: &str, vpc: &str, budget: Duration) -> Result<()> {
    let doing = format!("attaching EC2 Internet Gateway ({id}) to VPC ({vpc})");
    let attach = || async {
        let request = cx.ec2().attach_internet_gateway().internet_gateway_id(id).vpc_id(vpc);
        request.send().await.map_err(api("EC2", "AttachInternetGateway")).map(|_| ())
    };
    let invisible = |error: &Error| error.is_code("InvalidInternetGatewayID.NotFound");
    cx.retry(VISIBLE_WITHIN, invisible, attach).await.doing(&doing)?;
    let poll = || async { Ok(attachment(cx, id, vpc).await?.map(|state| ((), state))) };
    // An internet gateway's attachment is reported as available, others as attached.
    let wait = Wait::until(&["available", "attached"], budget).pending(&["attaching"]);
    cx.wait_for(wait, poll).await.doing(format!("waiting for EC2 Internet Gateway ({id}) to attach to VPC ({vpc})"))?;
    Ok(())
}

async fn detach(cx: &Cx<Aws>, id: &str, vpc: &str, budget: Duration) -> Result<()> {
    let detach = || async {
        let request = cx.ec2().detach_internet_gateway().internet_gateway_id(id).vpc_id(vpc);
        request.send().await.map_err(api("EC2", "DetachInternetGateway")).map(|_| ())
    };
    // Public addresses of the network must be given back first.
    let dependents = |error: &Error| error.class() == Class::DependencyViolation;
    match cx.retry(budget, dependents, detach).await {
        Err(error) if error.is_code("Gateway.NotAttached") => return Ok(()),
        result => result.or_gone().doing(format!("detaching EC2 Internet Gateway ({id}) from VPC ({vpc})"))?,
    }
    let poll = || async { Ok(attachment(cx, id, vpc).await?.map(|state| ((), state))) };
    cx.wait_for(Wait::until_gone(budget), poll)
        .await
        .doing(format!("waiting for EC2 Internet Gateway ({id}) to detach from VPC ({vpc})"))?;
    Ok(())
}
