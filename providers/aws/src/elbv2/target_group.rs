//! `aws_lb_target_group`

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::{
    Matcher, ProtocolEnum, TargetGroup as ElbTargetGroup, TargetGroupAttribute, TargetGroupIpAddressTypeEnum,
    TargetTypeEnum,
};
use futures::{StreamExt, TryStreamExt, stream};
use sdk::{
    Change, Check, Class, Created, Cx, Error, Found, Model, Plan, Resource, Result, ResultExt, Tags, Type, Value,
    async_trait,
};

use super::{
    ARNS_PER_CALL, Attributes, CONCURRENT, VISIBLE_WITHIN, flag, made_durable, made_with, new_tags, number, tags,
    update_tags,
};
use crate::client::Aws;
use crate::errors::api;
use crate::names;

/// What a load balancer sends to. Source: Elastic Load Balancing `CreateTargetGroup`, `DescribeTargetGroups`,
/// `DescribeTargetGroupAttributes`, `DescribeTags`.
#[derive(Clone, Debug, Default, Model)]
#[model(conflicts("name", "name_prefix"))]
pub struct TargetGroup {
    #[attr(computed)]
    arn: Option<String>,
    #[attr(computed)]
    arn_suffix: Option<String>,
    #[attr(optional, computed)]
    connection_termination: Option<bool>,
    #[attr(optional, default = "300", valid = Check::Text(delay))]
    deregistration_delay: Option<String>,
    #[attr(optional, computed)]
    id: String,
    #[attr(optional, computed, force_new, valid = Check::Enum(&["ipv4", "ipv6"]))]
    ip_address_type: Option<String>,
    #[attr(optional, default = false)]
    lambda_multi_value_headers_enabled: Option<bool>,
    #[attr(computed)]
    load_balancer_arns: Option<BTreeSet<String>>,
    #[attr(optional, computed, valid = Check::OneOf(&["round_robin", "least_outstanding_requests", "weighted_random"]))]
    load_balancing_algorithm_type: Option<String>,
    #[attr(optional, computed, valid = Check::OneOf(&["on", "off"]))]
    load_balancing_anomaly_mitigation: Option<String>,
    #[attr(optional, computed, valid = Check::OneOf(&["true", "false", "use_load_balancer_configuration"]))]
    load_balancing_cross_zone_enabled: Option<String>,
    #[attr(optional, computed, force_new, valid = Check::Text(|key, text| group_name(key, text, 32)))]
    name: Option<String>,
    #[attr(optional, computed, force_new, valid = Check::Text(|key, text| group_name(key, text, 6)))]
    name_prefix: Option<String>,
    #[attr(optional, force_new, valid = Check::Between(1, 65535))]
    port: Option<i64>,
    #[attr(optional, computed, valid = Check::Text(boolean))]
    preserve_client_ip: Option<String>,
    #[attr(optional, force_new, valid = Check::Enum(&super::PROTOCOLS))]
    protocol: Option<String>,
    #[attr(optional, computed, force_new, valid = Check::Text(protocol_version))]
    protocol_version: Option<String>,
    #[attr(optional, default = false)]
    proxy_protocol_v2: Option<bool>,
    #[attr(optional, default = 0, valid = Check::Number(slow_start))]
    slow_start: Option<i64>,
    #[attr(optional)]
    tags: Option<Tags>,
    #[attr(optional, computed)]
    tags_all: Tags,
    #[attr(optional, force_new, default = "instance", valid = Check::Enum(&["instance", "ip", "lambda", "alb"]))]
    target_type: Option<String>,
    #[attr(optional, force_new)]
    vpc_id: Option<String>,
    #[block(list, max = 1, computed)]
    health_check: Option<HealthCheck>,
    #[block(list, max = 1, computed)]
    stickiness: Option<Stickiness>,
    #[block(list, computed)]
    target_failover: Vec<TargetFailover>,
    #[block(list, max = 1, computed)]
    target_group_health: Option<TargetGroupHealth>,
    #[block(list, computed)]
    target_health_state: Vec<TargetHealthState>,
}

/// `health_check { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct HealthCheck {
    #[attr(optional, default = true)]
    enabled: Option<bool>,
    #[attr(optional, default = 3, valid = Check::Between(2, 10))]
    healthy_threshold: Option<i64>,
    #[attr(optional, default = 30, valid = Check::Between(5, 300))]
    interval: Option<i64>,
    #[attr(optional, computed)]
    matcher: Option<String>,
    #[attr(optional, computed, valid = Check::Text(path))]
    path: Option<String>,
    #[attr(optional, default = "traffic-port", valid = Check::Text(health_check_port))]
    port: Option<String>,
    #[attr(optional, default = "HTTP", valid = Check::Text(health_check_protocol))]
    protocol: Option<String>,
    #[attr(optional, computed, valid = Check::Between(2, 120))]
    timeout: Option<i64>,
    #[attr(optional, default = 3, valid = Check::Between(2, 10))]
    unhealthy_threshold: Option<i64>,
}

/// `stickiness { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct Stickiness {
    #[attr(optional, default = 86400, valid = Check::Between(0, 604800))]
    cookie_duration: Option<i64>,
    #[attr(optional)]
    cookie_name: Option<String>,
    #[attr(optional, default = true)]
    enabled: Option<bool>,
    #[attr(required, valid = Check::OneOf(&["lb_cookie", "app_cookie", "source_ip", "source_ip_dest_ip", "source_ip_dest_ip_proto"]))]
    r#type: Option<String>,
}

/// `target_failover { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct TargetFailover {
    #[attr(required, valid = Check::OneOf(&["rebalance", "no_rebalance"]))]
    on_deregistration: Option<String>,
    #[attr(required, valid = Check::OneOf(&["rebalance", "no_rebalance"]))]
    on_unhealthy: Option<String>,
}

/// `target_group_health { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct TargetGroupHealth {
    #[block(list, max = 1)]
    dns_failover: Option<DnsFailover>,
    #[block(list, max = 1)]
    unhealthy_state_routing: Option<UnhealthyStateRouting>,
}

/// `dns_failover { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct DnsFailover {
    #[attr(optional, default = "off", valid = Check::Text(count_or_off))]
    minimum_healthy_targets_count: Option<String>,
    #[attr(optional, default = "off", valid = Check::Text(percentage_or_off))]
    minimum_healthy_targets_percentage: Option<String>,
}

/// `unhealthy_state_routing { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct UnhealthyStateRouting {
    #[attr(optional, default = 1)]
    minimum_healthy_targets_count: Option<i64>,
    #[attr(optional, default = "off", valid = Check::Text(percentage_or_off))]
    minimum_healthy_targets_percentage: Option<String>,
}

/// `target_health_state { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct TargetHealthState {
    #[attr(required)]
    enable_unhealthy_connection_termination: Option<bool>,
    #[attr(optional, default = 0, valid = Check::Between(0, 360000))]
    unhealthy_draining_interval: Option<i64>,
}

const SERVICE: &str = "Elastic Load Balancing v2";
/// Attributes that need not be set to be off.
const OFF_BY_DEFAULT: [&str; 4] = [
    "deregistration_delay.connection_termination.enabled",
    "lambda.multi_value_headers.enabled",
    "proxy_protocol_v2.enabled",
    "slow_start.duration_seconds",
];

const DELETED_WITHIN: Duration = Duration::from_secs(120);

fn group_name(key: &str, text: &str, longest: usize) -> Vec<String> {
    super::hyphenated(key, text, longest)
}

fn delay(key: &str, text: &str) -> Vec<String> {
    match text.parse::<i64>() {
        Ok(seconds) if (0..=3600).contains(&seconds) => Vec::new(),
        Ok(seconds) => vec![format!("expected {key} to be in the range (0 - 3600), got {seconds}")],
        Err(_) if text.is_empty() => Vec::new(),
        Err(_) => {
            vec![format!("{key}: cannot parse '{text}' as int: strconv.ParseInt: parsing {text:?}: invalid syntax")]
        }
    }
}

fn boolean(key: &str, text: &str) -> Vec<String> {
    const WORDS: [&str; 13] = ["", "1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"];
    if WORDS.contains(&text) {
        return Vec::new();
    }
    vec![format!("{key}: cannot parse '{text}' as boolean: strconv.ParseBool: parsing {text:?}: invalid syntax")]
}

/// In upper case, as it is stored.
fn upper_case_of(words: &[&str], key: &str, text: &str) -> Vec<String> {
    if words.contains(&text.to_uppercase().as_str()) {
        return Vec::new();
    }
    let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    vec![format!("expected {key} to be one of [{}], got {text}", words.join(" "))]
}

fn protocol_version(key: &str, text: &str) -> Vec<String> {
    upper_case_of(&["GRPC", "HTTP1", "HTTP2"], key, text)
}

fn health_check_protocol(key: &str, text: &str) -> Vec<String> {
    upper_case_of(&["HTTP", "HTTPS", "TCP"], key, text)
}

fn path(key: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if !(1..=1024).contains(&text.len()) {
        wrong.push(format!("expected length of {key} to be in the range (1 - 1024), got {text}"));
    }
    if !text.starts_with('/') {
        wrong.push(format!("expected {key} to have prefix /, got {text}"));
    }
    wrong
}

fn health_check_port(key: &str, text: &str) -> Vec<String> {
    if text == "traffic-port" || text.parse::<u32>().is_ok_and(|port| (1..=65_536).contains(&port)) {
        return Vec::new();
    }
    vec![format!("{key:?} must be a valid port number (1-65536) or \"traffic-port\"")]
}

fn slow_start(key: &str, seconds: i64) -> Vec<String> {
    if seconds == 0 || (30..=900).contains(&seconds) {
        return Vec::new();
    }
    ["0 - 0", "30 - 900"].map(|range| format!("expected {key} to be in the range ({range}), got {seconds}")).to_vec()
}

fn count_or_off(key: &str, text: &str) -> Vec<String> {
    if text == "off" || text.parse::<i64>().is_ok() {
        return Vec::new();
    }
    vec![format!("{key:?} must be an integer or 'off'")]
}

fn percentage_or_off(key: &str, text: &str) -> Vec<String> {
    if text == "off" || text.parse::<i64>().is_ok_and(|percentage| (0..=100).contains(&percentage)) {
        return Vec::new();
    }
    vec![format!("{key:?} must be an integer between 0 and 100 or 'off'")]
}

#[async_trait]
impl Resource for TargetGroup {
    const NAME: &'static str = "aws_lb_target_group";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: TargetGroup, created: &Created<'_>) -> Result<TargetGroup> {
        let name = planned.unique_name(cx.client_token());
        // The API answers with what is there if the settings are the same.
        if let Some(there) = by_name(cx, &name).await?
            && made_with(cx, &[there], cx.client_token()).await?.is_none()
        {
            return Err(Error::new(format!("ELBv2 Target Group ({name}) already exists")));
        }
        let lambda = planned.is_lambda();
        let mut request = cx
            .elbv2()
            .create_target_group()
            .name(&name)
            .set_target_type(planned.target_type.as_deref().map(TargetTypeEnum::from))
            .set_tags(new_tags(cx, &planned.tags_all));
        if !lambda {
            let http = matches!(planned.protocol.as_deref(), Some("HTTP" | "HTTPS"));
            let kind = planned.ip_address_type.as_deref().filter(|kind| !kind.is_empty());
            request = request
                .set_port(planned.port.and_then(|port| i32::try_from(port).ok()))
                .set_protocol(planned.protocol.as_deref().map(ProtocolEnum::from))
                .set_protocol_version(planned.protocol_version.clone().filter(|v| http && !v.is_empty()))
                .set_vpc_id(planned.vpc_id.clone())
                .set_ip_address_type(kind.map(TargetGroupIpAddressTypeEnum::from));
        }
        if let Some(check) = &planned.health_check {
            let http = check.protocol.as_deref() != Some("TCP");
            let text = |text: &Option<String>| text.clone().filter(|text| http && !text.is_empty());
            request = request
                .set_health_check_enabled(check.enabled)
                .set_health_check_interval_seconds(small(check.interval))
                .set_healthy_threshold_count(small(check.healthy_threshold))
                .set_unhealthy_threshold_count(small(check.unhealthy_threshold))
                .set_health_check_timeout_seconds(small(check.timeout).filter(|seconds| *seconds != 0))
                .set_health_check_path(text(&check.path))
                .set_matcher(text(&check.matcher).map(|codes| planned.matcher(codes)));
            if !lambda {
                request = request
                    .set_health_check_port(check.port.clone())
                    .set_health_check_protocol(check.protocol.as_deref().map(ProtocolEnum::from));
            }
        }
        let answer = request.send().await.map_err(api(SERVICE, "CreateTargetGroup"));
        let answer = answer.doing(format!("creating ELBv2 Target Group ({name})"))?;
        let made = answer.target_groups.unwrap_or_default().into_iter().next();
        planned.id = made.and_then(|group| group.target_group_arn).unwrap_or_default();
        planned.name = Some(name);
        created.hand_over(&planned).await;
        made_durable(cx, &planned.id).await;
        // Switches that are off by default aren't known to all kinds of target group.
        let mut attributes = planned.attributes();
        attributes
            .retain(|key, value| !(OFF_BY_DEFAULT.contains(&key.as_str()) && ["false", "0"].contains(&value.as_str())));
        modify_attributes(cx, &planned.id, attributes).await?;
        Ok(planned)
    }

    async fn settle(cx: &Cx<Aws>, object: &Self) -> Result<()> {
        made_durable(cx, &object.id).await;
        Ok(())
    }

    async fn read(cx: &Cx<Aws>, prior: TargetGroup) -> Result<Option<TargetGroup>> {
        sdk::read_one(cx, prior).await
    }

    async fn read_many(cx: &Cx<Aws>, priors: Vec<TargetGroup>) -> Vec<Result<Option<TargetGroup>>> {
        sdk::in_batches(priors, ARNS_PER_CALL, |chunk| read_chunk(cx, chunk)).await
    }

    async fn update(cx: &Cx<Aws>, change: Change<TargetGroup>) -> Result<TargetGroup> {
        let Change { prior, planned, .. } = &change;
        let arn = &planned.id;
        if let (true, Some(check)) = (change.of(|group| &group.health_check), &planned.health_check) {
            let http = check.protocol.as_deref() != Some("TCP");
            let text = |text: &Option<String>| text.clone().filter(|text| http && !text.is_empty());
            let mut request = cx
                .elbv2()
                .modify_target_group()
                .target_group_arn(arn)
                .set_health_check_enabled(check.enabled)
                .set_health_check_interval_seconds(small(check.interval))
                .set_healthy_threshold_count(small(check.healthy_threshold))
                .set_unhealthy_threshold_count(small(check.unhealthy_threshold))
                .set_health_check_timeout_seconds(small(check.timeout).filter(|seconds| *seconds != 0))
                .set_health_check_path(text(&check.path))
                .set_matcher(text(&check.matcher).map(|codes| planned.matcher(codes)));
            if !planned.is_lambda() {
                request = request
                    .set_health_check_port(check.port.clone())
                    .set_health_check_protocol(check.protocol.as_deref().map(ProtocolEnum::from));
            }
            let answer = request.send().await.map_err(api(SERVICE, "ModifyTargetGroup"));
            answer.doing(format!("modifying ELBv2 Target Group ({arn})"))?;
        }
        let before = prior.attributes();
        let mut attributes = planned.clone().with_health_defaults().attributes();
        attributes.retain(|key, value| before.get(key) != Some(value));
        modify_attributes(cx, arn, attributes).await?;
        update_tags(cx, arn, &prior.tags_all, &planned.tags_all)
            .await
            .doing(format!("updating tags for ELBv2 Target Group ({arn})"))?;
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: TargetGroup) -> Result<()> {
        let arn = prior.id.as_str();
        let delete = || async {
            let request = cx.elbv2().delete_target_group().target_group_arn(arn);
            request.send().await.map_err(api(SERVICE, "DeleteTargetGroup")).map(|_| ())
        };
        // A listener or a rule that is just gone may still use it.
        let in_use = |error: &Error| error.class() == Class::DependencyViolation;
        let deleted = cx.retry(DELETED_WITHIN, in_use, delete).await;
        deleted.or_gone().doing(format!("deleting ELBv2 Target Group ({arn})"))
    }

    async fn plan(_cx: &Cx<Aws>, plan: &mut Plan<'_>) -> Result<()> {
        let text = |value: Value| value.as_str().map(ToString::to_string).unwrap_or_default();
        let kind = text(plan.planned("target_type"));
        if kind != "lambda" {
            for name in ["port", "protocol", "vpc_id"] {
                let configured = plan.config(name);
                if configured.is_known() && configured.is_null() {
                    let detail = format!("Attribute \"{name}\" must be specified when \"target_type\" is \"{kind}\".");
                    return Err(super::combination(detail, "target_type"));
                }
            }
        } else if !plan.is_create() {
            for name in ["port", "protocol", "protocol_version", "vpc_id"] {
                plan.keep(name);
            }
        }
        let protocol = text(plan.planned("protocol"));
        let http = matches!(protocol.as_str(), "HTTP" | "HTTPS");
        check_health(plan, &kind, &protocol)?;
        if plan.planned("protocol").is_known() && !http && kind != "lambda" {
            forget_cookie(plan);
        }
        if !plan.is_create() && !http {
            plan.keep("protocol_version");
        }
        Ok(())
    }

    async fn find(cx: &Cx<Aws>, planned: &TargetGroup, client_token: &str) -> Result<Found<TargetGroup>> {
        let Some(arn) = by_name(cx, &planned.unique_name(client_token)).await? else { return Ok(Found::Nothing) };
        Ok(match made_with(cx, &[arn], client_token).await? {
            Some(id) => Found::Object(Box::new(TargetGroup { id, ..planned.clone() })),
            None => Found::Nothing,
        })
    }
}

/// Checks that the health check fits what it looks at.
fn check_health(plan: &Plan<'_>, kind: &str, protocol: &str) -> Result<()> {
    let check = plan.config("health_check").elements().and_then(|checks| checks.first().cloned());
    let Some(check) = check.filter(|check| {
        check.get("protocol").and_then(Value::as_str).is_some_and(|protocol| protocol.eq_ignore_ascii_case("TCP"))
    }) else {
        return Ok(());
    };
    let instead = match (kind, protocol) {
        ("lambda", _) => Some(("target_type", kind)),
        (_, "HTTP" | "HTTPS") => Some(("protocol", protocol)),
        _ => None,
    };
    if let Some((name, value)) = instead {
        return Err(Error::new(format!(
            "Attribute \"health_check[0].protocol\" cannot have value \"TCP\" when \"{name}\" is \"{value}\"."
        )));
    }
    for name in ["matcher", "path"] {
        if check.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty()) {
            let path = format!("health_check[0].{name}");
            let detail =
                format!("Attribute {path:?} cannot be specified when \"health_check[0].protocol\" is \"TCP\".");
            return Err(super::combination(detail, path));
        }
    }
    Ok(())
}

/// Only HTTP has cookies: elsewhere their duration stays as it is, whatever is configured.
fn forget_cookie(plan: &mut Plan<'_>) {
    let planned = plan.planned("stickiness");
    let prior = plan.prior("stickiness").elements().and_then(|blocks| blocks.first()?.get("cookie_duration").cloned());
    let Some([block]) = planned.elements() else { return };
    let Some(entries) = block.entries() else { return };
    let duration = prior.unwrap_or_else(|| Value::null(Type::Number));
    let block = Value::object(entries.with([("cookie_duration".into(), duration)]));
    plan.set("stickiness", Value::list(block.ty(), [block]));
}

fn small(number: Option<i64>) -> Option<i32> {
    number.and_then(|number| i32::try_from(number).ok())
}

impl TargetGroup {
    /// With what the service takes for health where nothing is known of it; an update says so, as Terraform's does.
    fn with_health_defaults(mut self) -> TargetGroup {
        let off = || Some("off".to_owned());
        let health = self.target_group_health.as_mut();
        if let Some(TargetGroupHealth { dns_failover, unhealthy_state_routing }) = health {
            if let Some(dns) = dns_failover {
                dns.minimum_healthy_targets_count = dns.minimum_healthy_targets_count.take().or_else(off);
                dns.minimum_healthy_targets_percentage = dns.minimum_healthy_targets_percentage.take().or_else(off);
            }
            if let Some(routing) = unhealthy_state_routing {
                routing.minimum_healthy_targets_count = routing.minimum_healthy_targets_count.or(Some(1));
                routing.minimum_healthy_targets_percentage =
                    routing.minimum_healthy_targets_percentage.take().or_else(off);
            }
        }
        self
    }

    fn unique_name(&self, client_token: &str) -> String {
        let prefix = self.name_prefix.as_deref().filter(|prefix| !prefix.is_empty());
        names::unique(self.name.as_deref(), prefix.or(Some("tf-")), client_token)
    }

    fn is_lambda(&self) -> bool {
        self.target_type.as_deref() == Some("lambda")
    }

    fn matcher(&self, codes: String) -> Matcher {
        let grpc = self.protocol_version.as_deref() == Some("GRPC");
        if grpc { Matcher::builder().grpc_code(codes).build() } else { Matcher::builder().http_code(codes).build() }
    }

    /// What is set with `ModifyTargetGroupAttributes`.
    fn attributes(&self) -> Attributes {
        let mut all = Attributes::new();
        let mut set = |key: &str, value: Option<String>| {
            all.extend(value.filter(|value| !value.is_empty()).map(|value| (key.to_owned(), value)));
        };
        if self.is_lambda() {
            set("lambda.multi_value_headers.enabled", self.lambda_multi_value_headers_enabled.map(|on| on.to_string()));
            return all;
        }
        let protocol = self.protocol.as_deref().unwrap_or_default();
        set(
            "deregistration_delay.connection_termination.enabled",
            self.connection_termination.map(|on| on.to_string()),
        );
        set("deregistration_delay.timeout_seconds", self.deregistration_delay.clone());
        set("load_balancing.algorithm.type", self.load_balancing_algorithm_type.clone());
        set("load_balancing.algorithm.anomaly_mitigation", self.load_balancing_anomaly_mitigation.clone());
        set("load_balancing.cross_zone.enabled", self.load_balancing_cross_zone_enabled.clone());
        set("preserve_client_ip.enabled", self.preserve_client_ip.clone());
        set("proxy_protocol_v2.enabled", self.proxy_protocol_v2.map(|on| on.to_string()));
        set("slow_start.duration_seconds", self.slow_start.map(|seconds| seconds.to_string()));
        if let Some(stickiness) = &self.stickiness {
            set("stickiness.enabled", stickiness.enabled.map(|on| on.to_string()));
            set("stickiness.type", stickiness.r#type.clone());
            let duration = stickiness.cookie_duration.map(|seconds| seconds.to_string());
            match (protocol, stickiness.r#type.as_deref()) {
                ("HTTP" | "HTTPS", Some("lb_cookie")) => set("stickiness.lb_cookie.duration_seconds", duration),
                ("HTTP" | "HTTPS", Some("app_cookie")) => {
                    set("stickiness.app_cookie.cookie_name", stickiness.cookie_name.clone());
                    set("stickiness.app_cookie.duration_seconds", duration);
                }
                _ => {}
            }
        }
        if let (Some(failover), "GENEVE") = (self.target_failover.first(), protocol) {
            set("target_failover.on_deregistration", failover.on_deregistration.clone());
            set("target_failover.on_unhealthy", failover.on_unhealthy.clone());
        }
        if let (Some(state), "TCP" | "TLS") = (self.target_health_state.first(), protocol) {
            let on = state.enable_unhealthy_connection_termination;
            set("target_health_state.unhealthy.connection_termination.enabled", on.map(|on| on.to_string()));
            let interval = state.unhealthy_draining_interval;
            set("target_health_state.unhealthy.draining_interval_seconds", interval.map(|n| n.to_string()));
        }
        if let (Some(health), true) = (&self.target_group_health, protocol != "GENEVE") {
            if let Some(dns) = &health.dns_failover {
                let (count, percentage) = (&dns.minimum_healthy_targets_count, &dns.minimum_healthy_targets_percentage);
                set("target_group_health.dns_failover.minimum_healthy_targets.count", count.clone());
                set("target_group_health.dns_failover.minimum_healthy_targets.percentage", percentage.clone());
            }
            if let Some(routing) = &health.unhealthy_state_routing {
                let count = routing.minimum_healthy_targets_count.map(|count| count.to_string());
                set("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", count);
                set(
                    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
                    routing.minimum_healthy_targets_percentage.clone(),
                );
            }
        }
        all
    }
}

async fn modify_attributes(cx: &Cx<Aws>, arn: &str, attributes: Attributes) -> Result<()> {
    if attributes.is_empty() {
        return Ok(());
    }
    let attributes = attributes.into_iter().map(|(k, v)| TargetGroupAttribute::builder().key(k).value(v).build());
    let request = cx.elbv2().modify_target_group_attributes().target_group_arn(arn);
    let request = request.set_attributes(Some(attributes.collect()));
    let modify = || async {
        let answer = request.clone().send().await.map_err(api(SERVICE, "ModifyTargetGroupAttributes"));
        answer.map(|_| ())
    };
    let modified = cx.retry(VISIBLE_WITHIN, Error::is_not_found, modify).await;
    modified.doing(format!("modifying ELBv2 Target Group ({arn}) attributes"))
}

/// The ARN of the target group of this name.
async fn by_name(cx: &Cx<Aws>, name: &str) -> Result<Option<String>> {
    let answer = cx.elbv2().describe_target_groups().names(name).send().await;
    let answer = answer.map_err(api(SERVICE, "DescribeTargetGroups")).if_found();
    let answer = answer.doing(format!("reading ELBv2 Target Group ({name})"))?;
    let groups = answer.and_then(|answer| answer.target_groups).unwrap_or_default();
    Ok(groups.into_iter().next().and_then(|group| group.target_group_arn))
}

async fn describe(cx: &Cx<Aws>, arns: Vec<String>) -> Result<Vec<ElbTargetGroup>> {
    let answer = cx.elbv2().describe_target_groups().set_target_group_arns(Some(arns.clone())).send().await;
    match answer.map_err(api(SERVICE, "DescribeTargetGroups")) {
        Ok(answer) => Ok(answer.target_groups.unwrap_or_default()),
        // One that is gone fails the whole call.
        Err(error) if error.is_not_found() && arns.len() > 1 => {
            let single = arns.into_iter().map(|arn| Box::pin(describe(cx, vec![arn])));
            let groups: Vec<Vec<ElbTargetGroup>> = stream::iter(single).buffered(CONCURRENT).try_collect().await?;
            Ok(groups.into_iter().flatten().collect())
        }
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error.context("reading ELBv2 Target Group")),
    }
}

async fn attributes(cx: &Cx<Aws>, arn: String) -> Result<(String, Attributes)> {
    let answer = cx.elbv2().describe_target_group_attributes().target_group_arn(&arn).send().await;
    let answer = answer.map_err(api(SERVICE, "DescribeTargetGroupAttributes"));
    let answer = answer.doing(format!("reading ELBv2 Target Group ({arn}) attributes"))?;
    let attributes = answer.attributes.unwrap_or_default().into_iter();
    Ok((arn, attributes.filter_map(|a| Some((a.key?, a.value.unwrap_or_default()))).collect()))
}

async fn read_chunk(cx: &Cx<Aws>, priors: Vec<TargetGroup>) -> Result<Vec<Option<TargetGroup>>> {
    let groups = describe(cx, priors.iter().map(|group| group.id.clone()).collect()).await?;
    let mut by_arn: HashMap<String, ElbTargetGroup> =
        groups.into_iter().filter_map(|group| Some((group.target_group_arn.clone()?, group))).collect();
    let arns: Vec<String> = by_arn.keys().cloned().collect();
    let all = stream::iter(arns.clone()).map(|arn| attributes(cx, arn)).buffer_unordered(CONCURRENT).try_collect();
    let (mut attributes, mut tags): (HashMap<String, Attributes>, _) = futures::try_join!(all, tags(cx, &arns))?;
    let read = |prior: TargetGroup| {
        let group = by_arn.remove(&prior.id)?;
        let attributes = attributes.remove(&prior.id).unwrap_or_default();
        let tags_all = tags.remove(&prior.id).unwrap_or_default();
        Some(merged(TargetGroup { tags_all, ..prior }, group, &attributes))
    };
    Ok(priors.into_iter().map(read).collect())
}

fn merged(mut known: TargetGroup, read: ElbTargetGroup, attributes: &Attributes) -> TargetGroup {
    let arn = known.id.clone();
    known.arn_suffix = arn.split_once(":targetgroup/").map(|(_, suffix)| format!("targetgroup/{suffix}"));
    known.arn = Some(arn);
    let matcher = read.matcher.and_then(|matcher| matcher.http_code.or(matcher.grpc_code));
    known.health_check = Some(HealthCheck {
        enabled: Some(read.health_check_enabled.unwrap_or_default()),
        healthy_threshold: Some(read.healthy_threshold_count.map(i64::from).unwrap_or_default()),
        interval: Some(read.health_check_interval_seconds.map(i64::from).unwrap_or_default()),
        matcher: Some(matcher.unwrap_or_default()),
        path: Some(read.health_check_path.unwrap_or_default()),
        port: Some(read.health_check_port.unwrap_or_default()),
        protocol: Some(read.health_check_protocol.map(|p| p.as_str().to_owned()).unwrap_or_default()),
        timeout: Some(read.health_check_timeout_seconds.map(i64::from).unwrap_or_default()),
        unhealthy_threshold: Some(read.unhealthy_threshold_count.map(i64::from).unwrap_or_default()),
    });
    known.ip_address_type = Some(read.ip_address_type.map(|kind| kind.as_str().to_owned()).unwrap_or_default());
    known.load_balancer_arns = Some(read.load_balancer_arns.unwrap_or_default().into_iter().collect());
    let name = read.target_group_name.unwrap_or_default();
    known.name_prefix = Some(names::prefix_of(&name).to_owned());
    known.name = Some(name);
    known.target_type = read.target_type.map(|kind| kind.as_str().to_owned());
    known.port = read.port.map(i64::from).or(known.port.filter(|port| *port != 0).map(|_| 0));
    let or_emptied = |read: Option<String>, known: Option<String>| match known {
        Some(known) if !known.is_empty() => Some(read.unwrap_or_default()),
        known => read.or(known),
    };
    known.protocol = or_emptied(read.protocol.map(|protocol| protocol.as_str().to_owned()), known.protocol);
    known.protocol_version = or_emptied(read.protocol_version, known.protocol_version);
    known.vpc_id = or_emptied(read.vpc_id, known.vpc_id);
    let protocol = known.protocol.as_deref().unwrap_or_default();
    let http = matches!(protocol, "HTTP" | "HTTPS");
    let kind = attributes.get("stickiness.type").cloned().unwrap_or_default();
    let cookie = |key: &str| if http { attributes.get(&format!("stickiness.{kind}.{key}")) } else { None };
    known.stickiness = Some(Stickiness {
        cookie_duration: Some(cookie("duration_seconds").and_then(|text| text.parse().ok()).unwrap_or_default()),
        cookie_name: Some(cookie("cookie_name").cloned().unwrap_or_default()),
        enabled: Some(flag(attributes, "stickiness.enabled").unwrap_or_default()),
        r#type: Some(kind.clone()),
    });
    let text = |key: &str| attributes.get(key).cloned();
    let geneve = protocol == "GENEVE";
    known.target_failover = vec![TargetFailover {
        on_deregistration: text("target_failover.on_deregistration").filter(|_| geneve),
        on_unhealthy: text("target_failover.on_unhealthy").filter(|_| geneve),
    }];
    let tcp = matches!(protocol, "TCP" | "TLS");
    let draining = "target_health_state.unhealthy.draining_interval_seconds";
    let termination = "target_health_state.unhealthy.connection_termination.enabled";
    known.target_health_state = vec![TargetHealthState {
        enable_unhealthy_connection_termination: flag(attributes, termination).filter(|_| tcp),
        unhealthy_draining_interval: number(attributes, draining).filter(|_| tcp),
    }];
    let dns = "target_group_health.dns_failover.minimum_healthy_targets";
    let routing = "target_group_health.unhealthy_state_routing.minimum_healthy_targets";
    let health = |key: String| attributes.get(&key).cloned().filter(|_| !geneve);
    known.target_group_health = Some(TargetGroupHealth {
        dns_failover: Some(DnsFailover {
            minimum_healthy_targets_count: health(format!("{dns}.count")),
            minimum_healthy_targets_percentage: health(format!("{dns}.percentage")),
        }),
        unhealthy_state_routing: Some(UnhealthyStateRouting {
            minimum_healthy_targets_count: health(format!("{routing}.count")).and_then(|text| text.parse().ok()),
            minimum_healthy_targets_percentage: health(format!("{routing}.percentage")),
        }),
    });
    if known.is_lambda() {
        let on = flag(attributes, "lambda.multi_value_headers.enabled");
        known.lambda_multi_value_headers_enabled = on.or(known.lambda_multi_value_headers_enabled);
        return known;
    }
    let termination = flag(attributes, "deregistration_delay.connection_termination.enabled");
    known.connection_termination = termination.or(known.connection_termination);
    known.deregistration_delay = text("deregistration_delay.timeout_seconds").or(known.deregistration_delay);
    known.load_balancing_algorithm_type = text("load_balancing.algorithm.type").or(known.load_balancing_algorithm_type);
    known.load_balancing_anomaly_mitigation =
        text("load_balancing.algorithm.anomaly_mitigation").or(known.load_balancing_anomaly_mitigation);
    known.load_balancing_cross_zone_enabled =
        text("load_balancing.cross_zone.enabled").or(known.load_balancing_cross_zone_enabled);
    known.preserve_client_ip = text("preserve_client_ip.enabled").or(known.preserve_client_ip);
    known.proxy_protocol_v2 = flag(attributes, "proxy_protocol_v2.enabled").or(known.proxy_protocol_v2);
    known.slow_start = number(attributes, "slow_start.duration_seconds").or(known.slow_start);
    known
}
