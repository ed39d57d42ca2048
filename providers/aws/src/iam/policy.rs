//! `aws_iam_policy`

use std::collections::HashMap;

use aws_sdk_iam::types::{EntityType, ManagedPolicyDetail, PolicyVersion, Tag};
use futures::{StreamExt, stream};
use sdk::{
    Change, Check, Class, Created, Cx, Error, Found, Model, Resource, Result, ResultExt, TagChanges, Tags, async_trait,
};

use super::{LIST_FROM, PROPAGATED_WITHIN, decoded, from_tags, to_tags};
use crate::checks::{IAM_NAME, POLICY};
use crate::client::Aws;
use crate::errors::api;
use crate::{names, policy};

/// A managed policy. Source: IAM `CreatePolicy`; read one by one with `GetPolicy` and `GetPolicyVersion`, or all at once
/// with `GetAccountAuthorizationDetails`, which leaves out the tags: IAM reports those only one policy at a time.
#[derive(Clone, Debug, Default, Model)]
#[model(conflicts("name", "name_prefix"))]
pub struct IamPolicy {
    #[attr(computed)]
    arn: Option<String>,
    #[attr(computed)]
    attachment_count: Option<i64>,
    #[attr(optional, force_new)]
    description: Option<String>,
    #[attr(optional, computed)]
    id: String,
    #[attr(optional, computed, force_new, valid = [Check::Length(1, 128), IAM_NAME])]
    name: Option<String>,
    #[attr(optional, computed, force_new, valid = [Check::Length(1, 102), IAM_NAME])]
    name_prefix: Option<String>,
    #[attr(optional, force_new, default = "/")]
    path: Option<String>,
    #[attr(required, equivalent = "policy::equivalent", normalize = "policy::normalize", valid = POLICY)]
    policy: String,
    #[attr(computed)]
    policy_id: Option<String>,
    #[attr(optional)]
    tags: Option<Tags>,
    #[attr(optional, computed)]
    tags_all: Tags,
}

/// IAM keeps this many versions of a policy.
const VERSIONS: usize = 5;

#[async_trait]
impl Resource for IamPolicy {
    const NAME: &'static str = "aws_iam_policy";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: IamPolicy, created: &Created<'_>) -> Result<IamPolicy> {
        let name = names::unique(planned.name.as_deref(), planned.name_prefix.as_deref(), cx.client_token());
        let request = cx
            .iam()
            .create_policy()
            .policy_name(&name)
            .policy_document(&planned.policy)
            .set_path(planned.path.clone())
            .set_description(planned.description.clone())
            .set_tags(to_tags(&planned.tags_all));
        let answer = request.send().await.map_err(api("IAM", "CreatePolicy"));
        let answer = answer.doing(format!("creating IAM Policy ({name})"))?;
        planned.id = answer.policy.and_then(|policy| policy.arn).unwrap_or_default();
        planned.name = Some(name);
        created.hand_over(&planned).await;
        Ok(planned)
    }

    async fn read(cx: &Cx<Aws>, prior: IamPolicy) -> Result<Option<IamPolicy>> {
        let arn = prior.id.clone();
        let read = async {
            let answer = cx.iam().get_policy().policy_arn(&arn).send().await.map_err(api("IAM", "GetPolicy"))?;
            let Some(policy) = answer.policy else { return Ok(None) };
            let request = cx.iam().get_policy_version().policy_arn(&arn);
            let request = request.set_version_id(policy.default_version_id.clone());
            let answer = request.send().await.map_err(api("IAM", "GetPolicyVersion"))?;
            let document = answer.policy_version.and_then(|version| version.document).unwrap_or_default();
            let detail = ManagedPolicyDetail::builder()
                .set_arn(policy.arn)
                .set_attachment_count(policy.attachment_count)
                .set_description(policy.description)
                .set_path(policy.path)
                .set_policy_id(policy.policy_id)
                .set_policy_name(policy.policy_name)
                .build();
            Ok(Some((detail, document, policy.tags)))
        };
        let read = read.await.if_found().doing(format!("reading IAM Policy ({arn})"))?.flatten();
        Ok(read.map(|(detail, document, tags)| merged(prior, detail, &document, tags)))
    }

    async fn read_many(cx: &Cx<Aws>, priors: Vec<IamPolicy>) -> Vec<Result<Option<IamPolicy>>> {
        // Policies of AWS itself, imported by somebody, are not among the account's.
        if priors.len() < LIST_FROM || priors.iter().any(|prior| prior.id.contains(":aws:policy/")) {
            return sdk::one_by_one(cx, priors).await;
        }
        let details = match details(cx).await {
            Ok(details) => details,
            Err(error) if error.class() == Class::Denied => return sdk::one_by_one(cx, priors).await,
            Err(error) => return priors.iter().map(|_| Err(error.clone())).collect(),
        };
        let read = |prior: IamPolicy| {
            let detail = details.get(&prior.id).cloned();
            async move {
                let Some(mut detail) = detail else { return Ok(None) };
                // Only `GetPolicy` is sure to report the description. It never changes, as long as it is the same policy.
                let same = prior.policy_id.is_some()
                    && detail.policy_id.as_ref().is_none_or(|id| prior.policy_id.as_ref() == Some(id));
                if !same {
                    return IamPolicy::read(cx, prior).await;
                }
                detail.description = detail.description.or_else(|| prior.description.clone());
                detail.policy_name = detail.policy_name.or_else(|| prior.name.clone());
                detail.policy_id = detail.policy_id.or_else(|| prior.policy_id.clone());
                let tags = tags(cx, &prior.id).await.if_found();
                let tags = tags.doing(format!("listing tags for IAM Policy ({})", prior.id))?;
                let default = |version: &&PolicyVersion| version.is_default_version;
                let version = detail.policy_version_list.iter().flatten().find(default);
                let document = version.and_then(|version| version.document.clone()).unwrap_or_default();
                Ok(tags.map(|tags| merged(prior, detail, &document, Some(tags))))
            }
        };
        stream::iter(priors.into_iter().map(read)).buffered(16).collect().await
    }

    async fn update(cx: &Cx<Aws>, change: Change<IamPolicy>) -> Result<IamPolicy> {
        let Change { prior, planned, .. } = &change;
        let arn = &planned.id;
        if change.of(|policy| &policy.policy) {
            prune_versions(cx, arn).await?;
            let request = cx.iam().create_policy_version().policy_arn(arn).policy_document(&planned.policy);
            let answer = request.set_as_default(true).send().await.map_err(api("IAM", "CreatePolicyVersion"));
            answer.doing(format!("creating IAM Policy ({arn})"))?;
        }
        let changes = TagChanges::between(&prior.tags_all, &planned.tags_all);
        let doing = format!("updating tags for IAM Policy ({arn})");
        if !changes.removed.is_empty() {
            let request = cx.iam().untag_policy().policy_arn(arn).set_tag_keys(Some(changes.removed));
            request.send().await.map_err(api("IAM", "UntagPolicy")).doing(&doing)?;
        }
        if let Some(tags) = to_tags(&changes.set) {
            let request = cx.iam().tag_policy().policy_arn(arn).set_tags(Some(tags));
            request.send().await.map_err(api("IAM", "TagPolicy")).doing(&doing)?;
        }
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: IamPolicy) -> Result<()> {
        let arn = &prior.id;
        let versions = versions(cx, arn).await.if_found().doing(format!("reading IAM Policy ({arn}) versions"))?;
        let Some(versions) = versions else { return Ok(()) };
        for version in versions.iter().filter(|version| !version.is_default_version) {
            delete_version(cx, arn, version.version_id.as_deref().unwrap_or_default()).await?;
        }
        let delete = || async {
            let request = cx.iam().delete_policy().policy_arn(arn);
            request.send().await.map_err(api("IAM", "DeletePolicy")).map(|_| ())
        };
        // An attachment that was just removed may still count.
        let conflicts = |error: &Error| error.class() == Class::DependencyViolation;
        cx.retry(PROPAGATED_WITHIN, conflicts, delete).await.or_gone().doing(format!("deleting IAM Policy ({arn})"))
    }

    async fn find(cx: &Cx<Aws>, planned: &IamPolicy, client_token: &str) -> Result<Found<IamPolicy>> {
        let made_up = planned.name.as_deref().unwrap_or_default().is_empty();
        let name = names::unique(planned.name.as_deref(), planned.name_prefix.as_deref(), client_token);
        let path = planned.path.as_deref().unwrap_or("/");
        let account = cx.account_id().await?;
        let id = format!("arn:{}:iam::{account}:policy{path}{name}", cx.partition());
        let answer = cx.iam().get_policy().policy_arn(&id).send().await.map_err(api("IAM", "GetPolicy")).if_found()?;
        Ok(match answer {
            None => Found::Nothing,
            Some(_) if made_up => Found::Object(Box::new(IamPolicy { id, name: Some(name), ..planned.clone() })),
            Some(_) => Found::Named(Box::new(IamPolicy { id, name: Some(name), ..planned.clone() })),
        })
    }

    fn estimate_seconds(_operation: sdk::Operation) -> u32 {
        2
    }
}

fn merged(mut known: IamPolicy, read: ManagedPolicyDetail, document: &str, tags: Option<Vec<Tag>>) -> IamPolicy {
    known.policy = policy::stored(Some(&known.policy), &decoded(document));
    known.arn = read.arn;
    known.attachment_count = Some(read.attachment_count.map(i64::from).unwrap_or_default());
    known.description = Some(read.description.unwrap_or_default());
    known.name_prefix = Some(names::prefix_of(read.policy_name.as_deref().unwrap_or_default()).to_owned());
    known.name = read.policy_name;
    known.path = read.path;
    known.policy_id = read.policy_id;
    known.tags_all = from_tags(tags);
    known
}

/// The account's own policies by ARN, without tags. One paged call per refresh.
async fn details(cx: &Cx<Aws>) -> Result<std::sync::Arc<HashMap<String, ManagedPolicyDetail>>> {
    let fetch = || async {
        let request = cx.iam().get_account_authorization_details().filter(EntityType::LocalManagedPolicy);
        let mut pages = request.max_items(1000).into_paginator().send();
        let mut details = HashMap::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(api("IAM", "GetAccountAuthorizationDetails"))?;
            for policy in page.policies.unwrap_or_default() {
                details.insert(policy.arn.clone().unwrap_or_default(), policy);
            }
        }
        Ok(details)
    };
    cx.shared("iam:GetAccountAuthorizationDetails:LocalManagedPolicy", fetch).await
}

async fn tags(cx: &Cx<Aws>, arn: &str) -> Result<Vec<Tag>> {
    let mut tags = Vec::new();
    let mut marker = None;
    loop {
        let request = cx.iam().list_policy_tags().policy_arn(arn).set_marker(marker);
        let page = request.send().await.map_err(api("IAM", "ListPolicyTags"))?;
        tags.extend(page.tags);
        match page.marker {
            Some(next) if page.is_truncated => marker = Some(next),
            _ => return Ok(tags),
        }
    }
}

async fn versions(cx: &Cx<Aws>, arn: &str) -> Result<Vec<PolicyVersion>> {
    let versions = cx.iam().list_policy_versions().policy_arn(arn).into_paginator().items().send();
    versions.collect::<Result<Vec<_>, _>>().await.map_err(api("IAM", "ListPolicyVersions"))
}

/// Makes room for one more version.
async fn prune_versions(cx: &Cx<Aws>, arn: &str) -> Result<()> {
    let versions = versions(cx, arn).await?;
    if versions.len() < VERSIONS {
        return Ok(());
    }
    let mut spare: Vec<&PolicyVersion> = versions.iter().filter(|version| !version.is_default_version).collect();
    spare.sort_by_key(|version| version.create_date.map(|date| (date.secs(), date.subsec_nanos())));
    match spare.first() {
        Some(oldest) => delete_version(cx, arn, oldest.version_id.as_deref().unwrap_or_default()).await,
        None => Ok(()),
    }
}

async fn delete_version(cx: &Cx<Aws>, arn: &str, version: &str) -> Result<()> {
    let request = cx.iam().delete_policy_version().policy_arn(arn).version_id(version);
    let answer = request.send().await.map_err(api("IAM", "DeletePolicyVersion"));
    answer.or_gone().doing(format!("deleting IAM Policy ({arn}) version ({version})"))
}
