//! `data "aws_iam_policy"`

use sdk::{Cx, DataSource, Error, Model, Result, ResultExt, Tags, async_trait};

use super::{decoded, from_tags};
use crate::client::Aws;
use crate::errors::api;

/// A managed policy by ARN, or by name and path. Source: IAM `GetPolicy` and `GetPolicyVersion`, `ListPolicies`.
#[derive(Clone, Debug, Default, Model)]
#[model(conflicts("arn", "name"), conflicts("arn", "path_prefix"))]
pub struct PolicyData {
    #[attr(optional, computed)]
    arn: Option<String>,
    #[attr(computed)]
    attachment_count: i64,
    #[attr(computed)]
    description: String,
    #[attr(optional, computed)]
    id: String,
    #[attr(optional, computed)]
    name: Option<String>,
    #[attr(computed)]
    path: String,
    #[attr(optional)]
    path_prefix: Option<String>,
    #[attr(computed)]
    policy: String,
    #[attr(computed)]
    policy_id: String,
    #[attr(optional, computed)]
    tags: Tags,
}

#[async_trait]
impl DataSource for PolicyData {
    const NAME: &'static str = "aws_iam_policy";
    type Context = Aws;

    async fn read(cx: &Cx<Aws>, config: PolicyData) -> Result<PolicyData> {
        let arn = match config.arn.clone().filter(|arn| !arn.is_empty()) {
            Some(arn) => arn,
            None => by_name(cx, &config).await?,
        };
        let doing = format!("reading IAM Policy ({arn})");
        let answer = cx.iam().get_policy().policy_arn(&arn).send().await.map_err(api("IAM", "GetPolicy"));
        let policy = answer.if_found().doing(&doing)?.and_then(|answer| answer.policy);
        let policy = policy.ok_or_else(|| Error::not_found(format!("{doing}: couldn't find resource")))?;
        let request = cx.iam().get_policy_version().policy_arn(&arn).set_version_id(policy.default_version_id);
        let version = request.send().await.map_err(api("IAM", "GetPolicyVersion"));
        let version = version.doing(format!("reading IAM Policy ({arn}) version"))?.policy_version;
        let document = version.and_then(|version| version.document).unwrap_or_default();
        Ok(PolicyData {
            attachment_count: policy.attachment_count.map(i64::from).unwrap_or_default(),
            description: policy.description.unwrap_or_default(),
            id: arn.clone(),
            arn: Some(arn),
            name: policy.policy_name,
            path: policy.path.unwrap_or_default(),
            path_prefix: config.path_prefix,
            policy: decoded(&document),
            policy_id: policy.policy_id.unwrap_or_default(),
            tags: cx.visible_tags(from_tags(policy.tags)),
        })
    }
}

/// The only policy of that name and path.
async fn by_name(cx: &Cx<Aws>, config: &PolicyData) -> Result<String> {
    let given = |value: &Option<String>| value.clone().filter(|text| !text.is_empty());
    let policies = cx.iam().list_policies().set_path_prefix(given(&config.path_prefix)).max_items(1000);
    let policies = policies.into_paginator().items().send();
    let policies = policies.collect::<Result<Vec<_>, _>>().await.map_err(api("IAM", "ListPolicies"));
    let policies = policies.doing("reading IAM Policy")?;
    let name = given(&config.name);
    let mut matching = policies.into_iter().filter(|policy| name.is_none() || policy.policy_name == name);
    match (matching.next(), matching.next()) {
        (Some(policy), None) => Ok(policy.arn.unwrap_or_default()),
        (None, _) => Err(Error::not_found("no matching IAM Policy found")),
        (Some(_), Some(_)) => Err(Error::new(
            "multiple IAM Policies matched; use additional constraints to reduce matches to a single IAM Policy",
        )),
    }
}
