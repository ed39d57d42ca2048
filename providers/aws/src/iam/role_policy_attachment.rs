//! `aws_iam_role_policy_attachment`

use sdk::{Class, Created, Cx, Error, Found, Model, Resource, Result, ResultExt, async_trait};

use super::{LIST_FROM, PROPAGATED_WITHIN, role_details};
use crate::checks::ARN;
use crate::client::Aws;
use crate::errors::api;
use crate::names;

/// A managed policy that a role has. Source: IAM `AttachRolePolicy`; read one by one with `ListAttachedRolePolicies`, or
/// all at once with `GetAccountAuthorizationDetails`.
#[derive(Clone, Debug, Default, Model)]
pub struct RolePolicyAttachment {
    #[attr(optional, computed)]
    id: String,
    #[attr(required, force_new, valid = ARN)]
    policy_arn: String,
    #[attr(required, force_new)]
    role: String,
}

#[async_trait]
impl Resource for RolePolicyAttachment {
    const NAME: &'static str = "aws_iam_role_policy_attachment";
    type Context = Aws;

    async fn create(
        cx: &Cx<Aws>,
        mut planned: RolePolicyAttachment,
        created: &Created<'_>,
    ) -> Result<RolePolicyAttachment> {
        let RolePolicyAttachment { policy_arn, role, .. } = &planned;
        let attach = || async {
            let request = cx.iam().attach_role_policy().role_name(role).policy_arn(policy_arn);
            request.send().await.map_err(api("IAM", "AttachRolePolicy")).map(|_| ())
        };
        cx.retry(PROPAGATED_WITHIN, changing, attach)
            .await
            .doing(format!("attaching IAM Policy ({policy_arn}) to IAM Role ({role})"))?;
        planned.id = names::unique(None, Some(&format!("{role}-")), cx.client_token());
        created.hand_over(&planned).await;
        Ok(planned)
    }

    async fn read(cx: &Cx<Aws>, prior: RolePolicyAttachment) -> Result<Option<RolePolicyAttachment>> {
        let attached = is_attached(cx, &prior).await?;
        Ok(attached.then_some(prior))
    }

    async fn read_many(cx: &Cx<Aws>, priors: Vec<RolePolicyAttachment>) -> Vec<Result<Option<RolePolicyAttachment>>> {
        if priors.len() < LIST_FROM {
            return sdk::one_by_one(cx, priors).await;
        }
        let details = match role_details(cx).await {
            Ok(details) => details,
            Err(error) if error.class() == Class::Denied => return sdk::one_by_one(cx, priors).await,
            Err(error) => return priors.iter().map(|_| Err(error.clone())).collect(),
        };
        let read = |prior: RolePolicyAttachment| {
            let role = details.get(&prior.role).into_iter();
            let mut attached = role.flat_map(|role| role.attached_managed_policies.iter().flatten());
            let found = attached.any(|policy| policy.policy_arn.as_deref() == Some(prior.policy_arn.as_str()));
            Ok(found.then_some(prior))
        };
        priors.into_iter().map(read).collect()
    }

    async fn delete(cx: &Cx<Aws>, prior: RolePolicyAttachment) -> Result<()> {
        let RolePolicyAttachment { policy_arn, role, .. } = &prior;
        let detach = || async {
            let request = cx.iam().detach_role_policy().role_name(role).policy_arn(policy_arn);
            request.send().await.map_err(api("IAM", "DetachRolePolicy")).map(|_| ())
        };
        cx.retry(PROPAGATED_WITHIN, changing, detach)
            .await
            .or_gone()
            .doing(format!("detaching IAM Policy ({policy_arn}) from IAM Role ({role})"))
    }

    async fn import(_cx: &Cx<Aws>, id: &str) -> Result<Vec<RolePolicyAttachment>> {
        match id.split_once('/') {
            Some((role, arn)) if !role.is_empty() && !arn.is_empty() => {
                let (id, role, policy_arn) = (format!("{role}-{arn}"), role.to_owned(), arn.to_owned());
                Ok(vec![RolePolicyAttachment { id, policy_arn, role }])
            }
            _ => Err(Error::new(format!("unexpected format of ID (\"{id}\"), expected <role-name>/<policy_arn>"))),
        }
    }

    async fn find(
        cx: &Cx<Aws>,
        planned: &RolePolicyAttachment,
        client_token: &str,
    ) -> Result<Found<RolePolicyAttachment>> {
        let id = names::unique(None, Some(&format!("{}-", planned.role)), client_token);
        Ok(if is_attached(cx, planned).await? {
            Found::Same(Box::new(RolePolicyAttachment { id, ..planned.clone() }))
        } else {
            Found::Nothing
        })
    }
}

fn changing(error: &Error) -> bool {
    error.is_code("ConcurrentModification") || error.is_code("ConcurrentModificationException")
}

async fn is_attached(cx: &Cx<Aws>, attachment: &RolePolicyAttachment) -> Result<bool> {
    let RolePolicyAttachment { policy_arn, role, .. } = attachment;
    let attached = cx.iam().list_attached_role_policies().role_name(role).into_paginator().items().send();
    let attached = attached.collect::<Result<Vec<_>, _>>().await.map_err(api("IAM", "ListAttachedRolePolicies"));
    let attached = attached
        .if_found()
        .doing(format!("reading IAM Policy ({policy_arn}) attached to IAM Role ({role})"))?
        .unwrap_or_default();
    Ok(attached.iter().any(|policy| policy.policy_arn.as_ref() == Some(policy_arn)))
}
