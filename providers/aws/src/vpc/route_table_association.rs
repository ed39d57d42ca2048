//! `aws_route_table_association`

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_ec2::types::{RouteTableAssociation as Ec2Association, RouteTableAssociationStateCode};
use sdk::{Change, Created, Cx, Error, Found, Model, Resource, Result, ResultExt, Timeouts, Wait, async_trait};

use super::routes;
use super::{IDS_PER_CALL, VISIBLE_WITHIN, filter, given, text};
use crate::client::Aws;
use crate::errors::api;

/// Lets a subnet or a gateway use a route table. Source: EC2 `AssociateRouteTable`; read with the table.
#[derive(Clone, Debug, Default, Model)]
#[model(exactly_one_of("gateway_id", "subnet_id"))]
pub struct RouteTableAssociation {
    #[attr(optional, force_new)]
    gateway_id: Option<String>,
    #[attr(optional, computed)]
    id: String,
    #[attr(required)]
    route_table_id: String,
    #[attr(optional, force_new)]
    subnet_id: Option<String>,
    #[timeouts(create, update, delete)]
    timeouts: Timeouts,
}

const CREATED_WITHIN: Duration = Duration::from_secs(300);
const UPDATED_WITHIN: Duration = Duration::from_secs(120);
const DELETED_WITHIN: Duration = Duration::from_secs(300);

#[async_trait]
impl Resource for RouteTableAssociation {
    const NAME: &'static str = "aws_route_table_association";
    type Context = Aws;

    async fn create(
        cx: &Cx<Aws>,
        mut planned: RouteTableAssociation,
        created: &Created<'_>,
    ) -> Result<RouteTableAssociation> {
        planned.id = associate(cx, &planned).await?;
        created.hand_over(&planned).await;
        wait_associated(cx, &planned.id, planned.timeouts.create(CREATED_WITHIN)).await?;
        Ok(planned)
    }

    async fn read(cx: &Cx<Aws>, prior: RouteTableAssociation) -> Result<Option<RouteTableAssociation>> {
        sdk::read_one(cx, prior).await
    }

    async fn read_many(cx: &Cx<Aws>, priors: Vec<RouteTableAssociation>) -> Vec<Result<Option<RouteTableAssociation>>> {
        // The tables of the state are read for other types as well; an association that has moved is looked for by itself.
        let tables = routes::tables(cx, priors.iter().map(|a| a.route_table_id.clone()).collect()).await;
        let tables = match tables.doing("reading Route Table Association") {
            Ok(tables) => tables,
            Err(error) => return priors.iter().map(|_| Err(error.clone())).collect(),
        };
        let all = tables.values().flat_map(|table| table.associations.iter().flatten());
        let mut by_id: HashMap<String, Ec2Association> =
            all.filter_map(|a| Some((a.route_table_association_id.clone()?, a.clone()))).collect();
        let moved: Vec<String> =
            priors.iter().filter(|a| !by_id.contains_key(&a.id)).map(|association| association.id.clone()).collect();
        for ids in moved.chunks(IDS_PER_CALL) {
            match describe(cx, ids).await.doing("reading Route Table Association") {
                Ok(associations) => {
                    by_id.extend(
                        associations.into_iter().filter_map(|a| Some((a.route_table_association_id.clone()?, a))),
                    );
                }
                Err(error) => return priors.iter().map(|_| Err(error.clone())).collect(),
            }
        }
        let read = |mut known: RouteTableAssociation| {
            let read = by_id.remove(&known.id).filter(exists)?;
            known.gateway_id = text(read.gateway_id);
            known.route_table_id = read.route_table_id.unwrap_or_default();
            known.subnet_id = text(read.subnet_id);
            Some(known)
        };
        priors.into_iter().map(read).map(Ok).collect()
    }

    async fn update(cx: &Cx<Aws>, change: Change<RouteTableAssociation>) -> Result<RouteTableAssociation> {
        let Change { prior, mut planned, .. } = change;
        let request = cx.ec2().replace_route_table_association().association_id(&prior.id);
        let answer = request.route_table_id(&planned.route_table_id).send().await;
        let answer = answer.map_err(api("EC2", "ReplaceRouteTableAssociation"));
        planned.id = match answer {
            Ok(answer) => answer.new_association_id.unwrap_or_default(),
            // Somebody has removed it: make it anew.
            Err(error) if error.is_code("InvalidAssociationID.NotFound") => associate(cx, &planned).await?,
            Err(error) => return Err(error.context(format!("updating Route Table Association ({})", prior.id))),
        };
        wait_associated(cx, &planned.id, planned.timeouts.update(UPDATED_WITHIN)).await?;
        Ok(planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: RouteTableAssociation) -> Result<()> {
        let id = prior.id.as_str();
        let answer = cx.ec2().disassociate_route_table().association_id(id).send().await;
        let answer = answer.map_err(api("EC2", "DisassociateRouteTable"));
        answer.or_gone().doing(format!("deleting Route Table Association ({id})"))?;
        let poll = || async { Ok(state(cx, id).await?.map(|state| ((), state))) };
        cx.wait_for(Wait::until_gone(prior.timeouts.delete(DELETED_WITHIN)), poll)
            .await
            .doing(format!("waiting for Route Table Association ({id}) delete"))?;
        Ok(())
    }

    async fn import(cx: &Cx<Aws>, id: &str) -> Result<Vec<RouteTableAssociation>> {
        let Some((target, table)) = id.split_once('/').filter(|(_, table)| !table.contains('/')) else {
            return Err(Error::new(format!(
                "Unexpected format for import: {id}. Use 'subnet ID/route table ID' or 'gateway ID/route table ID"
            )));
        };
        let associations = routes::describe(cx, table).await?.and_then(|table| table.associations).unwrap_or_default();
        let of_target =
            |a: &Ec2Association| a.subnet_id.as_deref() == Some(target) || a.gateway_id.as_deref() == Some(target);
        match associations.into_iter().find(of_target).and_then(|a| a.route_table_association_id) {
            Some(id) => {
                let route_table_id = table.to_owned();
                Ok(vec![RouteTableAssociation { id, route_table_id, ..RouteTableAssociation::default() }])
            }
            None => {
                Err(Error::new(format!("No association found between route table ID {table} and target ID {target}")))
            }
        }
    }

    /// A subnet has one association of its own at most: one with this table is the one that was to be made.
    async fn find(
        cx: &Cx<Aws>,
        planned: &RouteTableAssociation,
        _client_token: &str,
    ) -> Result<Found<RouteTableAssociation>> {
        let table = routes::describe(cx, &planned.route_table_id).await.if_found()?.flatten();
        let associations = table.and_then(|table| table.associations).unwrap_or_default();
        let (subnet, gateway) = (given(&planned.subnet_id), given(&planned.gateway_id));
        let made = associations
            .into_iter()
            .filter(exists)
            .find(|a| subnet.is_some() && a.subnet_id == subnet || gateway.is_some() && a.gateway_id == gateway);
        Ok(match made.and_then(|a| a.route_table_association_id) {
            Some(id) => Found::Same(Box::new(RouteTableAssociation { id, ..planned.clone() })),
            None => Found::Nothing,
        })
    }
}

fn exists(association: &Ec2Association) -> bool {
    let state = association.association_state.as_ref().and_then(|state| state.state.as_ref());
    state != Some(&RouteTableAssociationStateCode::Disassociated)
}

async fn associate(cx: &Cx<Aws>, planned: &RouteTableAssociation) -> Result<String> {
    let associate = || async {
        let request = cx
            .ec2()
            .associate_route_table()
            .route_table_id(&planned.route_table_id)
            .set_subnet_id(given(&planned.subnet_id))
            .set_gateway_id(given(&planned.gateway_id));
        request.send().await.map_err(api("EC2", "AssociateRouteTable"))
    };
    let invisible = |error: &Error| error.is_code("InvalidRouteTableID.NotFound");
    let answer = cx.retry(VISIBLE_WITHIN, invisible, associate).await;
    Ok(answer.doing("creating Route Table Association")?.association_id.unwrap_or_default())
}

async fn describe(cx: &Cx<Aws>, ids: &[String]) -> Result<Vec<Ec2Association>> {
    let by_id = filter("association.route-table-association-id", ids);
    let pages = cx.ec2().describe_route_tables().filters(by_id).into_paginator().items().send();
    let tables: Vec<_> = pages.try_collect().await.map_err(api("EC2", "DescribeRouteTables"))?;
    Ok(tables.into_iter().flat_map(|table| table.associations.unwrap_or_default()).collect())
}

/// The state of an association; `None`: there is none. Emulators report no state.
async fn state(cx: &Cx<Aws>, id: &str) -> Result<Option<String>> {
    let associations = describe(cx, &[id.to_owned()]).await?.into_iter();
    let association = associations.filter(exists).find(|a| a.route_table_association_id.as_deref() == Some(id));
    Ok(association.map(|association| {
        let state = association.association_state.and_then(|state| state.state);
        state.map_or_else(|| "associated".to_owned(), |state| state.as_str().to_owned())
    }))
}

async fn wait_associated(cx: &Cx<Aws>, id: &str, budget: Duration) -> Result<()> {
    let poll = || async { Ok(state(cx, id).await?.map(|state| ((), state))) };
    let wait = Wait { not_found_checks: 1000, ..Wait::until(&["associated"], budget).pending(&["associating"]) };
    cx.wait_for(wait, poll).await.doing(format!("waiting for Route Table Association ({id}) create"))?;
    Ok(())
}
