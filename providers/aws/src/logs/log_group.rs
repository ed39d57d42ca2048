//! `aws_cloudwatch_log_group`

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_cloudwatchlogs::types::{LogGroup as CloudWatchLogGroup, LogGroupClass};
use futures::{StreamExt, stream};
use sdk::{
    Change, Check, Created, Cx, Error, Found, Model, Plan, Resource, Result, ResultExt, TagChanges, Tags, async_trait,
};

use crate::client::Aws;
use crate::errors::api;
use crate::names;

/// A log group. Source: CloudWatch Logs `CreateLogGroup`; `DescribeLogGroups` reports all with a common prefix at once,
/// `ListTagsForResource` the tags of one.
#[derive(Clone, Debug, Default, Model)]
#[model(conflicts("name", "name_prefix"))]
pub struct LogGroup {
    #[attr(computed)]
    arn: Option<String>,
    #[attr(optional, computed)]
    id: String,
    #[attr(optional)]
    kms_key_id: Option<String>,
    #[attr(optional, computed, force_new, valid = Check::Enum(&["STANDARD", "INFREQUENT_ACCESS", "DELIVERY"]))]
    log_group_class: Option<String>,
    #[attr(optional, computed, force_new, valid = Check::Text(|key, text| log_group_name(key, text, 512)))]
    name: Option<String>,
    #[attr(optional, computed, force_new, valid = Check::Text(|key, text| log_group_name(key, text, 483)))]
    name_prefix: Option<String>,
    #[attr(optional, default = 0, valid = Check::Numbers(&RETENTIONS))]
    retention_in_days: Option<i64>,
    #[attr(optional, default = false)]
    skip_destroy: Option<bool>,
    #[attr(optional)]
    tags: Option<Tags>,
    #[attr(optional, computed)]
    tags_all: Tags,
}

/// How long new permissions may take to be known.
const PERMITTED_WITHIN: Duration = Duration::from_secs(120);
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

/// The days that the service can keep events; 0: for ever.
const RETENTIONS: [i64; 23] =
    [0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

fn log_group_name(key: &str, text: &str, longest: usize) -> Vec<String> {
    if text.len() > longest {
        return vec![format!("{key:?} cannot be longer than {longest} characters: {text:?}")];
    }
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "._/#-".contains(c)) {
        return Vec::new();
    }
    vec![format!(
        "{key:?} isn't a valid log group name (alphanumeric characters, underscores, hyphens, slashes, hash signs and dots are \
         allowed): {text:?}"
    )]
}

#[async_trait]
impl Resource for LogGroup {
    const NAME: &'static str = "aws_cloudwatch_log_group";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: LogGroup, created: &Created<'_>) -> Result<LogGroup> {
        let name = names::unique(planned.name.as_deref(), planned.name_prefix.as_deref(), cx.client_token());
        let class = text(&planned.log_group_class).map(LogGroupClass::from);
        let tags = (!planned.tags_all.is_empty()).then(|| planned.tags_all.clone().into_iter().collect());
        let request = cx
            .cloudwatch_logs()
            .create_log_group()
            .log_group_name(&name)
            .set_log_group_class(class)
            .set_kms_key_id(text(&planned.kms_key_id).map(str::to_owned))
            .set_tags(tags);
        let answer = request.send().await.map_err(api("CloudWatch Logs", "CreateLogGroup"));
        answer.doing(format!("creating CloudWatch Logs Log Group ({name})"))?;
        planned.id.clone_from(&name);
        planned.name = Some(name.clone());
        created.hand_over(&planned).await;
        if let Some(days) = planned.retention_in_days.filter(|days| *days > 0 && !keeps_for_itself(&planned)) {
            put_retention(cx, &name, days).await?;
        }
        Ok(planned)
    }

    async fn read(cx: &Cx<Aws>, prior: LogGroup) -> Result<Option<LogGroup>> {
        sdk::read_one(cx, prior).await
    }

    async fn read_many(cx: &Cx<Aws>, priors: Vec<LogGroup>) -> Vec<Result<Option<LogGroup>>> {
        let names: Vec<&str> = priors.iter().map(|prior| prior.id.as_str()).collect();
        let prefix = common_prefix(&names);
        let groups = match describe(cx, &prefix).await {
            Ok(groups) => groups,
            Err(error) => {
                let error = error.context(format!("reading CloudWatch Logs Log Group ({prefix})"));
                return priors.iter().map(|_| Err(error.clone())).collect();
            }
        };
        let read = |prior: LogGroup| {
            let group = groups.get(&prior.id).cloned();
            async move {
                let Some(group) = group else { return Ok(None) };
                let arn = without_wildcard(group.arn.as_deref().unwrap_or_default()).to_owned();
                let request = cx.cloudwatch_logs().list_tags_for_resource().resource_arn(&arn);
                let answer = request.send().await.map_err(api("CloudWatch Logs", "ListTagsForResource"));
                let answer = answer.if_found().doing(format!("listing tags for CloudWatch Logs Log Group ({arn})"))?;
                let tags = answer.map(|answer| answer.tags.unwrap_or_default().into_iter().collect());
                Ok(tags.map(|tags| merged(prior, group, arn, tags)))
            }
        };
        stream::iter(priors.into_iter().map(read)).buffered(8).collect().await
    }

    async fn update(cx: &Cx<Aws>, change: Change<LogGroup>) -> Result<LogGroup> {
        let Change { prior, planned, .. } = &change;
        let name = &planned.id;
        if change.of(|group| &group.retention_in_days) {
            match planned.retention_in_days.filter(|days| *days > 0) {
                Some(days) => put_retention(cx, name, days).await?,
                None => {
                    let request = cx.cloudwatch_logs().delete_retention_policy().log_group_name(name);
                    let answer = request.send().await.map_err(api("CloudWatch Logs", "DeleteRetentionPolicy"));
                    answer.doing(format!("deleting CloudWatch Logs Log Group ({name}) retention policy"))?;
                }
            }
        }
        if text(&prior.kms_key_id) != text(&planned.kms_key_id) {
            if let Some(key) = text(&planned.kms_key_id) {
                let request = cx.cloudwatch_logs().associate_kms_key().log_group_name(name).kms_key_id(key);
                let answer = request.send().await.map_err(api("CloudWatch Logs", "AssociateKmsKey"));
                answer.doing(format!("associating CloudWatch Logs Log Group ({name}) KMS key"))?;
            } else {
                let request = cx.cloudwatch_logs().disassociate_kms_key().log_group_name(name);
                let answer = request.send().await.map_err(api("CloudWatch Logs", "DisassociateKmsKey"));
                answer.doing(format!("disassociating CloudWatch Logs Log Group ({name}) KMS key"))?;
            }
        }
        let arn = planned.arn.as_deref().or(prior.arn.as_deref()).unwrap_or_default();
        let changes = TagChanges::between(&prior.tags_all, &planned.tags_all);
        let doing = format!("updating tags for CloudWatch Logs Log Group ({arn})");
        if !changes.removed.is_empty() {
            let request = cx.cloudwatch_logs().untag_resource().resource_arn(arn).set_tag_keys(Some(changes.removed));
            request.send().await.map_err(api("CloudWatch Logs", "UntagResource")).doing(&doing)?;
        }
        if !changes.set.is_empty() {
            let request = cx.cloudwatch_logs().tag_resource().resource_arn(arn);
            let request = request.set_tags(Some(changes.set.into_iter().collect()));
            request.send().await.map_err(api("CloudWatch Logs", "TagResource")).doing(&doing)?;
        }
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: LogGroup) -> Result<()> {
        if prior.skip_destroy == Some(true) {
            return Ok(());
        }
        let delete = || async {
            let request = cx.cloudwatch_logs().delete_log_group().log_group_name(&prior.id);
            request.send().await.map_err(api("CloudWatch Logs", "DeleteLogGroup")).map(|_| ())
        };
        let busy = |error: &Error| error.is_code_with("OperationAbortedException", "try again");
        cx.retry(SETTLED_WITHIN, busy, delete)
            .await
            .or_gone()
            .doing(format!("deleting CloudWatch Logs Log Group ({})", prior.id))
    }

    async fn plan(_cx: &Cx<Aws>, plan: &mut Plan<'_>) -> Result<()> {
        // A group of the class DELIVERY has a retention of its own.
        let delivery = plan.planned("log_group_class").as_str().is_some_and(|class| class == "DELIVERY");
        if delivery && !plan.is_create() && !plan.changes("log_group_class") {
            plan.keep("retention_in_days");
        }
        Ok(())
    }

    async fn find(cx: &Cx<Aws>, planned: &LogGroup, client_token: &str) -> Result<Found<LogGroup>> {
        let made_up = planned.name.as_deref().unwrap_or_default().is_empty();
        let id = names::unique(planned.name.as_deref(), planned.name_prefix.as_deref(), client_token);
        Ok(match describe(cx, &id).await?.get(&id) {
            None => Found::Nothing,
            Some(_) if made_up => Found::Object(Box::new(LogGroup { id, ..planned.clone() })),
            Some(_) => Found::Named(Box::new(LogGroup { id, ..planned.clone() })),
        })
    }
}

fn text(value: &Option<String>) -> Option<&str> {
    value.as_deref().filter(|text| !text.is_empty())
}

fn keeps_for_itself(group: &LogGroup) -> bool {
    group.log_group_class.as_deref() == Some("DELIVERY")
}

async fn put_retention(cx: &Cx<Aws>, name: &str, days: i64) -> Result<()> {
    let put = || async {
        let request = cx.cloudwatch_logs().put_retention_policy().log_group_name(name);
        let request = request.set_retention_in_days(i32::try_from(days).ok());
        request.send().await.map_err(api("CloudWatch Logs", "PutRetentionPolicy")).map(|_| ())
    };
    let early = |error: &Error| {
        let refused = "no identity-based policy allows the logs:PutRetentionPolicy action";
        error.is_code_with("AccessDeniedException", refused)
    };
    let answer = cx.retry(PERMITTED_WITHIN, early, put).await;
    answer.doing(format!("setting CloudWatch Logs Log Group ({name}) retention policy"))
}

/// All groups whose names begin like this, by name.
async fn describe(cx: &Cx<Aws>, prefix: &str) -> Result<HashMap<String, CloudWatchLogGroup>> {
    let prefix = (!prefix.is_empty()).then(|| prefix.to_owned());
    let request = cx.cloudwatch_logs().describe_log_groups().set_log_group_name_prefix(prefix).limit(50);
    let groups = request.into_paginator().items().send();
    let groups = groups.collect::<Result<Vec<_>, _>>().await.map_err(api("CloudWatch Logs", "DescribeLogGroups"))?;
    Ok(groups.into_iter().filter_map(|group| Some((group.log_group_name.clone()?, group))).collect())
}

fn common_prefix(names: &[&str]) -> String {
    let Some((first, rest)) = names.split_first() else { return String::new() };
    let common = |a: &str, b: &str| a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    rest.iter().fold((*first).to_owned(), |prefix: String, name| common(&prefix, name))
}

fn without_wildcard(arn: &str) -> &str {
    arn.strip_suffix(":*").unwrap_or(arn)
}

fn merged(mut known: LogGroup, read: CloudWatchLogGroup, arn: String, tags: Tags) -> LogGroup {
    known.arn = Some(arn);
    known.kms_key_id = Some(read.kms_key_id.unwrap_or_default());
    known.log_group_class = Some(read.log_group_class.map(|class| class.as_str().to_owned()).unwrap_or_default());
    let name = read.log_group_name.unwrap_or_default();
    known.name_prefix = Some(names::prefix_of(&name).to_owned());
    known.name = Some(name);
    known.retention_in_days = Some(read.retention_in_days.map(i64::from).unwrap_or_default());
    known.skip_destroy = Some(known.skip_destroy.unwrap_or_default());
    known.tags_all = tags;
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_listed_by_what_their_names_have_in_common() {
        assert_eq!(common_prefix(&["/aws/eks/a", "/aws/eks/b", "/aws/eks/a/b"]), "/aws/eks/");
        assert_eq!(common_prefix(&["/aws/eks/a"]), "/aws/eks/a");
        assert_eq!(common_prefix(&["a", "b"]), "");
    }
}
