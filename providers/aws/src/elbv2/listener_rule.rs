//! `aws_lb_listener_rule`

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::{
    HostHeaderConditionConfig, HttpHeaderConditionConfig, HttpRequestMethodConditionConfig, PathPatternConditionConfig,
    QueryStringConditionConfig, QueryStringKeyValuePair, Rule as ElbRule, RuleCondition, RulePriorityPair,
    SourceIpConditionConfig,
};
use futures::{StreamExt, TryStreamExt, stream};
use sdk::{Change, Check, Created, Cx, Error, Found, Model, Plan, Resource, Result, ResultExt, Tags, async_trait};

use super::actions::{self, RuleAction};
use super::{ARNS_PER_CALL, CONCURRENT, made_durable, made_with, new_tags, tags, update_tags};
use crate::checks::ARN;
use crate::client::Aws;
use crate::errors::api;

/// A rule of a listener. Source: Elastic Load Balancing `CreateRule`, `DescribeRules`, `DescribeTags`.
#[derive(Clone, Debug, Default, Model)]
pub struct ListenerRule {
    #[attr(computed)]
    arn: Option<String>,
    #[attr(optional, computed)]
    id: String,
    #[attr(required, force_new, valid = ARN)]
    listener_arn: String,
    #[attr(optional, computed, valid = Check::Number(priority))]
    priority: Option<i64>,
    #[attr(optional)]
    tags: Option<Tags>,
    #[attr(optional, computed)]
    tags_all: Tags,
    #[block(list, min = 1)]
    action: Vec<RuleAction>,
    #[block(set, min = 1)]
    condition: Vec<Condition>,
}

/// `condition { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct Condition {
    #[block(list, max = 1)]
    host_header: Option<Values>,
    #[block(list, max = 1)]
    http_header: Option<HttpHeader>,
    #[block(list, max = 1)]
    http_request_method: Option<Values>,
    #[block(list, max = 1)]
    path_pattern: Option<Values>,
    #[block(set)]
    query_string: Vec<QueryString>,
    #[block(list, max = 1)]
    source_ip: Option<Values>,
}

/// Values of which one must match.
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct Values {
    #[attr(required)]
    values: BTreeSet<String>,
}

/// `http_header { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct HttpHeader {
    #[attr(required)]
    http_header_name: String,
    #[attr(required)]
    values: BTreeSet<String>,
}

/// `query_string { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct QueryString {
    #[attr(optional)]
    key: String,
    #[attr(required)]
    value: String,
}

const SERVICE: &str = "Elastic Load Balancing v2";
const CREATED_WITHIN: Duration = Duration::from_secs(300);

fn priority(key: &str, priority: i64) -> Vec<String> {
    if priority == 99_999 || (1..=50_000).contains(&priority) {
        return Vec::new();
    }
    vec![format!("{key:?} must be in the range 1-50000 for normal rule or 99999 for the default rule")]
}

#[async_trait]
impl Resource for ListenerRule {
    const NAME: &'static str = "aws_lb_listener_rule";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: ListenerRule, created: &Created<'_>) -> Result<ListenerRule> {
        let listener = planned.listener_arn.clone();
        let automatic = planned.priority.filter(|priority| *priority != 0).is_none();
        let create = || async {
            let priority = match planned.priority.filter(|priority| *priority != 0) {
                Some(priority) => priority,
                None => highest_priority(cx, &listener).await? + 1,
            };
            let request = cx
                .elbv2()
                .create_rule()
                .listener_arn(&listener)
                .set_priority(i32::try_from(priority).ok())
                .set_actions(Some(planned.actions()))
                .set_conditions(Some(planned.conditions()))
                .set_tags(new_tags(cx, &planned.tags_all));
            request.send().await.map_err(api(SERVICE, "CreateRule"))
        };
        // Somebody else may have taken the next free one.
        let taken = |error: &Error| automatic && error.is_code("PriorityInUse");
        let answer = cx.retry(CREATED_WITHIN, taken, create).await;
        let answer = answer.doing("creating ELBv2 Listener Rule")?;
        let made = answer.rules.unwrap_or_default().into_iter().next();
        planned.id = made.and_then(|rule| rule.rule_arn).unwrap_or_default();
        created.hand_over(&planned).await;
        made_durable(cx, &planned.id).await;
        Ok(planned)
    }

    async fn settle(cx: &Cx<Aws>, object: &Self) -> Result<()> {
        made_durable(cx, &object.id).await;
        Ok(())
    }

    async fn read(cx: &Cx<Aws>, prior: ListenerRule) -> Result<Option<ListenerRule>> {
        sdk::read_one(cx, prior).await
    }

    async fn read_many(cx: &Cx<Aws>, priors: Vec<ListenerRule>) -> Vec<Result<Option<ListenerRule>>> {
        sdk::in_batches(priors, ARNS_PER_CALL, |chunk| async move {
            let rules = describe(cx, chunk.iter().map(|rule| rule.id.clone()).collect()).await?;
            let mut by_arn: HashMap<String, ElbRule> =
                rules.into_iter().filter_map(|rule| Some((rule.rule_arn.clone()?, rule))).collect();
            let arns: Vec<String> = by_arn.keys().cloned().collect();
            let mut tags = tags(cx, &arns).await?;
            let read = |prior: ListenerRule| {
                let rule = by_arn.remove(&prior.id)?;
                let tags_all = tags.remove(&prior.id).unwrap_or_default();
                Some(merged(ListenerRule { tags_all, ..prior }, rule))
            };
            Ok(chunk.into_iter().map(read).collect())
        })
        .await
    }

    async fn update(cx: &Cx<Aws>, change: Change<ListenerRule>) -> Result<ListenerRule> {
        let Change { prior, planned, .. } = &change;
        let arn = &planned.id;
        let priority = planned.priority.and_then(|priority| i32::try_from(priority).ok());
        if let (true, Some(priority)) = (change.of(|rule| &rule.priority), priority) {
            let pair = RulePriorityPair::builder().rule_arn(arn).priority(priority).build();
            let answer = cx.elbv2().set_rule_priorities().rule_priorities(pair).send().await;
            let answer = answer.map_err(api(SERVICE, "SetRulePriorities"));
            answer.doing(format!("updating ELB v2 Listener Rule ({arn}): setting priority"))?;
        }
        let (actions, conditions) = (change.of(|rule| &rule.action), change.of(|rule| &rule.condition));
        if actions || conditions {
            let request = cx
                .elbv2()
                .modify_rule()
                .rule_arn(arn)
                .set_actions(actions.then(|| planned.actions()))
                .set_conditions(conditions.then(|| planned.conditions()));
            let answer = request.send().await.map_err(api(SERVICE, "ModifyRule"));
            answer.doing(format!("modifying ELBv2 Listener Rule ({arn})"))?;
        }
        update_tags(cx, arn, &prior.tags_all, &planned.tags_all)
            .await
            .doing(format!("updating tags for ELBv2 Listener Rule ({arn})"))?;
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: ListenerRule) -> Result<()> {
        let arn = &prior.id;
        let answer = cx.elbv2().delete_rule().rule_arn(arn).send().await;
        answer.map_err(api(SERVICE, "DeleteRule")).or_gone().doing(format!("deleting ELBv2 Listener Rule ({arn})"))
    }

    async fn plan(_cx: &Cx<Aws>, plan: &mut Plan<'_>) -> Result<()> {
        actions::check(plan, "action");
        actions::keep_what_is_not_meant(plan, "action");
        Ok(())
    }

    async fn find(cx: &Cx<Aws>, planned: &ListenerRule, client_token: &str) -> Result<Found<ListenerRule>> {
        let rules = rules(cx, &planned.listener_arn).await.if_found()?.unwrap_or_default();
        let arns: Vec<String> = rules.into_iter().filter_map(|rule| rule.rule_arn).collect();
        Ok(match made_with(cx, &arns, client_token).await? {
            Some(id) => Found::Object(Box::new(ListenerRule { id, ..planned.clone() })),
            None => Found::Nothing,
        })
    }
}

impl ListenerRule {
    fn actions(&self) -> Vec<aws_sdk_elasticloadbalancingv2::types::Action> {
        self.action.iter().enumerate().map(|(index, action)| action.to_api(index)).collect()
    }

    fn conditions(&self) -> Vec<RuleCondition> {
        self.condition.iter().map(Condition::to_api).collect()
    }
}

impl Condition {
    fn to_api(&self) -> RuleCondition {
        let list = |values: &BTreeSet<String>| Some(values.iter().cloned().collect::<Vec<_>>());
        let condition = RuleCondition::builder();
        if let Some(Values { values }) = &self.host_header {
            let config = HostHeaderConditionConfig::builder().set_values(list(values)).build();
            return condition.field("host-header").host_header_config(config).build();
        }
        if let Some(HttpHeader { http_header_name, values }) = &self.http_header {
            let config = HttpHeaderConditionConfig::builder().http_header_name(http_header_name);
            return condition.field("http-header").http_header_config(config.set_values(list(values)).build()).build();
        }
        if let Some(Values { values }) = &self.http_request_method {
            let config = HttpRequestMethodConditionConfig::builder().set_values(list(values)).build();
            return condition.field("http-request-method").http_request_method_config(config).build();
        }
        if let Some(Values { values }) = &self.path_pattern {
            let config = PathPatternConditionConfig::builder().set_values(list(values)).build();
            return condition.field("path-pattern").path_pattern_config(config).build();
        }
        if !self.query_string.is_empty() {
            let pair = |pair: &QueryString| {
                let key = Some(pair.key.clone()).filter(|key| !key.is_empty());
                QueryStringKeyValuePair::builder().set_key(key).value(&pair.value).build()
            };
            let pairs = self.query_string.iter().map(pair).collect();
            let config = QueryStringConditionConfig::builder().set_values(Some(pairs)).build();
            return condition.field("query-string").query_string_config(config).build();
        }
        let values = self.source_ip.as_ref().and_then(|source| list(&source.values));
        let config = SourceIpConditionConfig::builder().set_values(values).build();
        condition.field("source-ip").source_ip_config(config).build()
    }

    fn of(read: RuleCondition) -> Condition {
        let set = |values: Option<Vec<String>>| values.unwrap_or_default().into_iter().collect::<BTreeSet<String>>();
        let plain = read.values;
        let values = |config: Option<Vec<String>>| {
            // Older rules have their values beside the configuration.
            Some(Values { values: set(config.filter(|values| !values.is_empty()).or_else(|| plain.clone())) })
        };
        let mut condition = Condition::default();
        match read.field.as_deref().unwrap_or_default() {
            "host-header" => condition.host_header = values(read.host_header_config.and_then(|c| c.values)),
            "http-header" => {
                condition.http_header = read.http_header_config.map(|config| HttpHeader {
                    http_header_name: config.http_header_name.unwrap_or_default(),
                    values: set(config.values),
                });
            }
            "http-request-method" => {
                condition.http_request_method = values(read.http_request_method_config.and_then(|c| c.values));
            }
            "path-pattern" => condition.path_pattern = values(read.path_pattern_config.and_then(|c| c.values)),
            "query-string" => {
                let pairs = read.query_string_config.and_then(|config| config.values).unwrap_or_default().into_iter();
                condition.query_string = pairs
                    .map(|pair| QueryString {
                        key: pair.key.unwrap_or_default(),
                        value: pair.value.unwrap_or_default(),
                    })
                    .collect();
            }
            "source-ip" => condition.source_ip = values(read.source_ip_config.and_then(|c| c.values)),
            _ => {}
        }
        condition
    }
}

async fn rules(cx: &Cx<Aws>, listener: &str) -> Result<Vec<ElbRule>> {
    let mut rules = Vec::new();
    let mut marker = None;
    loop {
        let answer = cx.elbv2().describe_rules().listener_arn(listener).set_marker(marker).send().await;
        let answer = answer.map_err(api(SERVICE, "DescribeRules"))?;
        rules.extend(answer.rules.unwrap_or_default());
        marker = answer.next_marker.filter(|marker| !marker.is_empty());
        if marker.is_none() {
            return Ok(rules);
        }
    }
}

async fn highest_priority(cx: &Cx<Aws>, listener: &str) -> Result<i64> {
    let priorities = rules(cx, listener).await?.into_iter().filter_map(|rule| rule.priority?.parse().ok());
    Ok(priorities.max().unwrap_or_default())
}

async fn describe(cx: &Cx<Aws>, arns: Vec<String>) -> Result<Vec<ElbRule>> {
    let answer = cx.elbv2().describe_rules().set_rule_arns(Some(arns.clone())).send().await;
    match answer.map_err(api(SERVICE, "DescribeRules")) {
        Ok(answer) => Ok(answer.rules.unwrap_or_default()),
        // One that is gone fails the whole call.
        Err(error) if error.is_not_found() && arns.len() > 1 => {
            let single = arns.into_iter().map(|arn| Box::pin(describe(cx, vec![arn])));
            let found: Vec<Vec<ElbRule>> = stream::iter(single).buffered(CONCURRENT).try_collect().await?;
            Ok(found.into_iter().flatten().collect())
        }
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error.context("reading ELBv2 Listener Rule")),
    }
}

fn merged(mut known: ListenerRule, read: ElbRule) -> ListenerRule {
    // The rule's ARN holds the listener's.
    let arn = known.id.clone();
    if let Some((listener, _)) = arn.replacen(":listener-rule/", ":listener/", 1).rsplit_once('/') {
        known.listener_arn = listener.to_owned();
    }
    known.arn = Some(arn);
    known.priority = read.priority.and_then(|priority| priority.parse().ok()).or(Some(99999));
    known.action = RuleAction::all_of(read.actions, &known.action);
    known.condition = read.conditions.unwrap_or_default().into_iter().map(Condition::of).collect();
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_the_same_after_a_round_trip() {
        let values = |values: &[&str]| Some(Values { values: values.iter().map(|v| (*v).to_owned()).collect() });
        let conditions = [
            Condition { host_header: values(&["a.example"]), ..Condition::default() },
            Condition { path_pattern: values(&["/a/*", "/b"]), ..Condition::default() },
            Condition { source_ip: values(&["10.0.0.0/8"]), ..Condition::default() },
            Condition {
                query_string: vec![QueryString { key: String::new(), value: "x".to_owned() }],
                ..Condition::default()
            },
        ];
        for condition in conditions {
            assert_eq!(Condition::of(condition.to_api()), condition);
        }
    }
}
