//! `aws_iam_role`

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{AttachedPolicy, Role};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use futures::{StreamExt, TryStreamExt, stream};
use sdk::{
    Change, Check, Class, Created, Cx, Error, Found, Model, Resource, Result, ResultExt, TagChanges, Tags, async_trait,
};

use super::{LIST_FROM, PROPAGATED_WITHIN, decoded, from_tags, is_unknown_principal, role_details, roles, to_tags};
use crate::checks::{ARN, IAM_NAME, POLICY};
use crate::client::Aws;
use crate::errors::api;
use crate::{names, policy};

/// A role. Source: IAM `CreateRole`; read one by one with `GetRole`, or all at once with `ListRoles` and
/// `GetAccountAuthorizationDetails`.
#[derive(Clone, Debug, Default, Model)]
#[model(conflicts("name", "name_prefix"))]
pub struct IamRole {
    #[attr(computed)]
    arn: Option<String>,
    #[attr(required, equivalent = "policy::equivalent", normalize = "policy::normalize", valid = POLICY)]
    assume_role_policy: String,
    #[attr(computed)]
    create_date: Option<String>,
    #[attr(optional)]
    description: Option<String>,
    #[attr(optional, default = false)]
    force_detach_policies: Option<bool>,
    #[attr(optional, computed)]
    id: String,
    #[attr(optional, computed, deprecated = "managed_policy_arns is deprecated. Use the aws_iam_role_policy_attachment resource instead. If Terraform should exclusively manage all managed policy attachments (the current behavior of this argument), use the aws_iam_role_policy_attachments_exclusive resource as well.", valid = ARN)]
    managed_policy_arns: Option<BTreeSet<String>>,
    #[attr(optional, default = 3600, valid = Check::Between(3600, 43200))]
    max_session_duration: Option<i64>,
    #[attr(optional, computed, force_new, valid = [Check::Length(1, 64), IAM_NAME])]
    name: Option<String>,
    #[attr(optional, computed, force_new, valid = [Check::Length(1, 38), IAM_NAME])]
    name_prefix: Option<String>,
    #[attr(optional, force_new, default = "/")]
    path: Option<String>,
    #[attr(optional, valid = ARN)]
    permissions_boundary: Option<String>,
    #[attr(optional)]
    tags: Option<Tags>,
    #[attr(optional, computed)]
    tags_all: Tags,
    #[attr(computed)]
    unique_id: Option<String>,
    #[block(set, computed)]
    inline_policy: Vec<InlinePolicy>,
}

/// `inline_policy { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
#[model(
    deprecated = "inline_policy is deprecated. Use the aws_iam_role_policy resource instead. If Terraform should exclusively manage all inline policy associations (the current behavior of this argument), use the aws_iam_role_policies_exclusive resource as well."
)]
pub struct InlinePolicy {
    #[attr(optional, valid = [Check::Length(1, 128), IAM_NAME])]
    name: Option<String>,
    #[attr(optional, equivalent = "policy::equivalent", normalize = "policy::normalize_version_first", valid = POLICY)]
    policy: Option<String>,
}

#[async_trait]
impl Resource for IamRole {
    const NAME: &'static str = "aws_iam_role";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: IamRole, created: &Created<'_>) -> Result<IamRole> {
        let name = names::unique(planned.name.as_deref(), planned.name_prefix.as_deref(), cx.client_token());
        let create = || async {
            let request = cx
                .iam()
                .create_role()
                .role_name(&name)
                .assume_role_policy_document(&planned.assume_role_policy)
                .set_path(planned.path.clone())
                .set_description(planned.description.clone())
                .set_max_session_duration(planned.max_session_duration.and_then(|s| i32::try_from(s).ok()))
                .set_permissions_boundary(planned.permissions_boundary.clone())
                .set_tags(to_tags(&planned.tags_all));
            request.send().await.map_err(api("IAM", "CreateRole"))
        };
        cx.retry(PROPAGATED_WITHIN, is_unknown_principal, create).await.doing(format!("creating IAM Role ({name})"))?;
        planned.id.clone_from(&name);
        planned.name = Some(name.clone());
        created.hand_over(&planned).await;
        for inline in &planned.inline_policy {
            put_inline(cx, &name, inline).await?;
        }
        for arn in planned.managed_policy_arns.iter().flatten() {
            attach(cx, &name, arn).await?;
        }
        Ok(planned)
    }

    async fn read(cx: &Cx<Aws>, prior: IamRole) -> Result<Option<IamRole>> {
        let name = prior.id.clone();
        let answer = cx.iam().get_role().role_name(&name).send().await.map_err(api("IAM", "GetRole"));
        let answer = answer.if_found().doing(format!("reading IAM Role ({name})"))?;
        let Some(role) = answer.and_then(|answer| answer.role) else { return Ok(None) };
        let (inline, attached) = futures::try_join!(inline_policies(cx, &name), attached_policies(cx, &name))
            .map_err(|error| error.context(format!("reading IAM Role ({name})")))?;
        Ok(Some(merged(prior, role, inline, attached)))
    }

    async fn read_many(cx: &Cx<Aws>, priors: Vec<IamRole>) -> Vec<Result<Option<IamRole>>> {
        if priors.len() < LIST_FROM {
            return sdk::one_by_one(cx, priors).await;
        }
        match futures::try_join!(roles(cx), role_details(cx)) {
            Ok((roles, details)) => {
                let read = |prior: IamRole| {
                    let (Some(role), Some(detail)) = (roles.get(&prior.id), details.get(&prior.id)) else {
                        return None;
                    };
                    let mut role = role.clone();
                    role.tags.clone_from(&detail.tags);
                    role.permissions_boundary.clone_from(&detail.permissions_boundary);
                    let inline = detail.role_policy_list.iter().flatten().map(|inline| InlinePolicy {
                        name: inline.policy_name.clone(),
                        policy: inline.policy_document.as_deref().map(decoded),
                    });
                    let attached =
                        detail.attached_managed_policies.iter().flatten().filter_map(|p| p.policy_arn.clone());
                    Some(merged(prior, role, inline.collect(), attached.collect()))
                };
                priors.into_iter().map(|prior| Ok(read(prior))).collect()
            }
            // Listing the account needs permissions that reading one's own roles doesn't.
            Err(error) if error.class() == Class::Denied => sdk::one_by_one(cx, priors).await,
            Err(error) => priors.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    async fn update(cx: &Cx<Aws>, change: Change<IamRole>) -> Result<IamRole> {
        let Change { prior, planned, .. } = &change;
        let name = &planned.id;
        if change.of(|role| &role.assume_role_policy) {
            let update = || async {
                let request = cx.iam().update_assume_role_policy().role_name(name);
                let request = request.policy_document(&planned.assume_role_policy);
                request.send().await.map_err(api("IAM", "UpdateAssumeRolePolicy"))
            };
            cx.retry(PROPAGATED_WITHIN, is_unknown_principal, update)
                .await
                .doing(format!("updating IAM Role ({name}) assume role policy"))?;
        }
        if change.of(|role| &role.description) {
            let request = cx.iam().update_role_description().role_name(name);
            let request = request.description(planned.description.as_deref().unwrap_or_default());
            let answer = request.send().await.map_err(api("IAM", "UpdateRoleDescription"));
            answer.doing(format!("updating IAM Role ({name}) description"))?;
        }
        if change.of(|role| &role.max_session_duration) {
            let request = cx.iam().update_role().role_name(name);
            let request =
                request.set_max_session_duration(planned.max_session_duration.and_then(|s| i32::try_from(s).ok()));
            let answer = request.send().await.map_err(api("IAM", "UpdateRole"));
            answer.doing(format!("updating IAM Role ({name}) MaxSessionDuration"))?;
        }
        if change.of(|role| &role.permissions_boundary) {
            set_boundary(cx, name, planned.permissions_boundary.as_deref().unwrap_or_default()).await?;
        }
        update_inline(cx, name, &prior.inline_policy, &planned.inline_policy).await?;
        let arns = |role: &IamRole| role.managed_policy_arns.clone().unwrap_or_default();
        for arn in arns(prior).difference(&arns(planned)) {
            detach(cx, name, arn).await?;
        }
        for arn in arns(planned).difference(&arns(prior)) {
            attach(cx, name, arn).await?;
        }
        update_tags(cx, name, &prior.tags_all, &planned.tags_all)
            .await
            .doing(format!("updating tags for IAM Role ({name})"))?;
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: IamRole) -> Result<()> {
        let name = prior.id.as_str();
        let doing = format!("deleting IAM Role ({name})");
        let force = prior.force_detach_policies == Some(true);
        leave_instance_profiles(cx, name).await.or_gone().doing(&doing)?;
        if force || prior.managed_policy_arns.as_ref().is_some_and(|arns| !arns.is_empty()) {
            for arn in attached_policies(cx, name).await.if_found().doing(&doing)?.unwrap_or_default() {
                detach(cx, name, &arn).await?;
            }
        }
        if force || !prior.inline_policy.is_empty() {
            for inline in inline_names(cx, name).await.if_found().doing(&doing)?.unwrap_or_default() {
                delete_inline(cx, name, &inline).await?;
            }
        }
        let delete = || async {
            let request = cx.iam().delete_role().role_name(name);
            request.send().await.map_err(api("IAM", "DeleteRole")).map(|_| ())
        };
        let conflicts = |error: &Error| error.class() == Class::DependencyViolation;
        cx.retry(PROPAGATED_WITHIN, conflicts, delete).await.or_gone().doing(doing)
    }

    async fn find(cx: &Cx<Aws>, planned: &IamRole, client_token: &str) -> Result<Found<IamRole>> {
        let made_up = planned.name.as_deref().unwrap_or_default().is_empty();
        let name = names::unique(planned.name.as_deref(), planned.name_prefix.as_deref(), client_token);
        let answer = cx.iam().get_role().role_name(&name).send().await.map_err(api("IAM", "GetRole")).if_found()?;
        Ok(match answer {
            None => Found::Nothing,
            Some(_) if made_up => {
                Found::Object(Box::new(IamRole { id: name.clone(), name: Some(name), ..planned.clone() }))
            }
            // The name alone doesn't tell whether this run or somebody else made it.
            Some(_) => Found::Named(Box::new(IamRole { id: name.clone(), name: Some(name), ..planned.clone() })),
        })
    }

    fn estimate_seconds(_operation: sdk::Operation) -> u32 {
        2
    }
}

fn merged(mut known: IamRole, role: Role, inline: Vec<InlinePolicy>, attached: BTreeSet<String>) -> IamRole {
    let trust = decoded(role.assume_role_policy_document.as_deref().unwrap_or_default());
    known.assume_role_policy = policy::stored(Some(&known.assume_role_policy), &trust);
    known.arn = Some(role.arn);
    // Whole seconds, as Terraform stores it.
    known.create_date = DateTime::from_secs(role.create_date.secs()).fmt(Format::DateTime).ok();
    known.description = Some(role.description.unwrap_or_default());
    // An imported role has it unset.
    known.force_detach_policies = Some(known.force_detach_policies.unwrap_or_default());
    known.max_session_duration = role.max_session_duration.map(i64::from).or(Some(3600));
    known.name_prefix = Some(names::prefix_of(&role.role_name).to_owned());
    known.name = Some(role.role_name);
    known.path = Some(role.path);
    let boundary = role.permissions_boundary.and_then(|boundary| boundary.permissions_boundary_arn);
    known.permissions_boundary = Some(boundary.unwrap_or_default());
    known.unique_id = Some(role.role_id);
    known.tags_all = from_tags(role.tags);
    known.managed_policy_arns = Some(attached);
    // As they are reported, unless they mean what is known.
    if !same_policies(&known.inline_policy, &inline) {
        known.inline_policy = inline;
    }
    known
}

/// Whether inline policies are the same; an empty block stands for none.
fn same_policies(known: &[InlinePolicy], read: &[InlinePolicy]) -> bool {
    let named = |policies: &[InlinePolicy]| -> BTreeMap<String, String> {
        let named = policies.iter().filter_map(|inline| Some((inline.name.clone()?, inline.policy.clone()?)));
        named.filter(|(name, _)| !name.is_empty()).collect()
    };
    let (known, read) = (named(known), named(read));
    known.len() == read.len()
        && known.iter().all(|(name, text)| read.get(name).is_some_and(|other| policy::same(text, other)))
}

async fn inline_names(cx: &Cx<Aws>, role: &str) -> Result<Vec<String>> {
    let names = cx.iam().list_role_policies().role_name(role).into_paginator().items().send();
    names.collect::<Result<_, _>>().await.map_err(api("IAM", "ListRolePolicies"))
}

async fn inline_policies(cx: &Cx<Aws>, role: &str) -> Result<Vec<InlinePolicy>> {
    stream::iter(inline_names(cx, role).await?)
        .map(|name| async move {
            let request = cx.iam().get_role_policy().role_name(role).policy_name(&name);
            let answer = request.send().await.map_err(api("IAM", "GetRolePolicy"))?;
            Ok(InlinePolicy { name: Some(name), policy: Some(decoded(&answer.policy_document)) })
        })
        .buffered(8)
        .try_collect()
        .await
}

async fn attached_policies(cx: &Cx<Aws>, role: &str) -> Result<BTreeSet<String>> {
    let policies = cx.iam().list_attached_role_policies().role_name(role).into_paginator().items().send();
    let policies: Vec<AttachedPolicy> =
        policies.collect::<Result<_, _>>().await.map_err(api("IAM", "ListAttachedRolePolicies"))?;
    Ok(policies.into_iter().filter_map(|policy| policy.policy_arn).collect())
}

async fn update_inline(cx: &Cx<Aws>, role: &str, before: &[InlinePolicy], after: &[InlinePolicy]) -> Result<()> {
    let kept: BTreeSet<_> = after.iter().map(|inline| &inline.name).collect();
    for inline in before.iter().filter(|inline| !kept.contains(&inline.name)) {
        if let Some(name) = inline.name.as_deref().filter(|name| !name.is_empty()) {
            delete_inline(cx, role, name).await?;
        }
    }
    for inline in after.iter().filter(|inline| !before.contains(inline)) {
        put_inline(cx, role, inline).await?;
    }
    Ok(())
}

async fn put_inline(cx: &Cx<Aws>, role: &str, inline: &InlinePolicy) -> Result<()> {
    // An empty block says that there are to be no inline policies.
    let (Some(name), Some(document)) = (&inline.name, &inline.policy) else { return Ok(()) };
    if name.is_empty() || document.is_empty() {
        return Ok(());
    }
    let request = cx.iam().put_role_policy().role_name(role).policy_name(name).policy_document(document);
    let answer = request.send().await.map_err(api("IAM", "PutRolePolicy"));
    answer.doing(format!("creating IAM Role ({role}) inline policy ({name})")).map(|_| ())
}

async fn delete_inline(cx: &Cx<Aws>, role: &str, name: &str) -> Result<()> {
    let request = cx.iam().delete_role_policy().role_name(role).policy_name(name);
    let answer = request.send().await.map_err(api("IAM", "DeleteRolePolicy"));
    answer.or_gone().doing(format!("deleting IAM Role ({role}) inline policy ({name})"))
}

async fn attach(cx: &Cx<Aws>, role: &str, arn: &str) -> Result<()> {
    let request = cx.iam().attach_role_policy().role_name(role).policy_arn(arn);
    let answer = request.send().await.map_err(api("IAM", "AttachRolePolicy"));
    answer.doing(format!("attaching IAM Policy ({arn}) to IAM Role ({role})")).map(|_| ())
}

async fn detach(cx: &Cx<Aws>, role: &str, arn: &str) -> Result<()> {
    let request = cx.iam().detach_role_policy().role_name(role).policy_arn(arn);
    let answer = request.send().await.map_err(api("IAM", "DetachRolePolicy"));
    answer.or_gone().doing(format!("detaching IAM Policy ({arn}) from IAM Role ({role})"))
}

async fn set_boundary(cx: &Cx<Aws>, role: &str, arn: &str) -> Result<()> {
    let doing = format!("updating IAM Role ({role}) permissions boundary");
    if arn.is_empty() {
        let request = cx.iam().delete_role_permissions_boundary().role_name(role);
        request.send().await.map_err(api("IAM", "DeleteRolePermissionsBoundary")).doing(doing)?;
    } else {
        let request = cx.iam().put_role_permissions_boundary().role_name(role).permissions_boundary(arn);
        request.send().await.map_err(api("IAM", "PutRolePermissionsBoundary")).doing(doing)?;
    }
    Ok(())
}

async fn leave_instance_profiles(cx: &Cx<Aws>, role: &str) -> Result<()> {
    let profiles = cx.iam().list_instance_profiles_for_role().role_name(role).into_paginator().items().send();
    let profiles: Vec<_> =
        profiles.collect::<Result<_, _>>().await.map_err(api("IAM", "ListInstanceProfilesForRole"))?;
    for profile in profiles {
        let request = cx.iam().remove_role_from_instance_profile().role_name(role);
        let request = request.instance_profile_name(profile.instance_profile_name);
        request.send().await.map_err(api("IAM", "RemoveRoleFromInstanceProfile")).or_gone()?;
    }
    Ok(())
}

async fn update_tags(cx: &Cx<Aws>, role: &str, before: &Tags, after: &Tags) -> Result<()> {
    let changes = TagChanges::between(before, after);
    if !changes.removed.is_empty() {
        let request = cx.iam().untag_role().role_name(role).set_tag_keys(Some(changes.removed));
        request.send().await.map_err(api("IAM", "UntagRole"))?;
    }
    if let Some(tags) = to_tags(&changes.set) {
        let request = cx.iam().tag_role().role_name(role).set_tags(Some(tags));
        request.send().await.map_err(api("IAM", "TagRole"))?;
    }
    Ok(())
}
