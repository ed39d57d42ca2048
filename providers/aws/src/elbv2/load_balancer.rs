//! `aws_lb`

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::{
    EnforceSecurityGroupInboundRulesOnPrivateLinkTrafficEnum, IpAddressType, IpamPools,
    LoadBalancer as ElbLoadBalancer, LoadBalancerAttribute, LoadBalancerSchemeEnum, LoadBalancerTypeEnum,
    MinimumLoadBalancerCapacity, SubnetMapping,
};
use futures::{StreamExt, TryStreamExt, stream};
use sdk::{
    Change, Check, Created, Cx, Error, Found, Model, Plan, Resource, Result, ResultExt, Str, Tags, Timeouts, Type,
    Value, Wait, async_trait,
};

use super::{
    ARNS_PER_CALL, Attributes, CONCURRENT, flag, made_durable, made_with, new_tags, number, tags, update_tags,
};
use crate::checks::{IPV4, IPV6};
use crate::client::Aws;
use crate::errors::api;
use crate::names;
use crate::vpc::filter;

/// A load balancer. Source: Elastic Load Balancing `CreateLoadBalancer`, `DescribeLoadBalancers`,
/// `DescribeLoadBalancerAttributes`, `DescribeTags`.
#[derive(Clone, Debug, Default, Model)]
#[model(conflicts("name", "name_prefix"), exactly_one_of("subnet_mapping", "subnets"))]
pub struct LoadBalancer {
    #[attr(computed)]
    arn: Option<String>,
    #[attr(computed)]
    arn_suffix: Option<String>,
    #[attr(optional, default = 3600)]
    client_keep_alive: Option<i64>,
    #[attr(optional, force_new)]
    customer_owned_ipv4_pool: Option<String>,
    #[attr(optional, default = "defensive", valid = Check::Enum(&["monitor", "defensive", "strictest"]))]
    desync_mitigation_mode: Option<String>,
    #[attr(computed)]
    dns_name: Option<String>,
    #[attr(optional, default = "any_availability_zone", valid = Check::Enum(&["availability_zone_affinity", "partial_availability_zone_affinity", "any_availability_zone"]))]
    dns_record_client_routing_policy: Option<String>,
    #[attr(optional, default = false)]
    drop_invalid_header_fields: Option<bool>,
    #[attr(optional, default = false)]
    enable_cross_zone_load_balancing: Option<bool>,
    #[attr(optional, default = false)]
    enable_deletion_protection: Option<bool>,
    #[attr(optional, default = true)]
    enable_http2: Option<bool>,
    #[attr(optional, default = false)]
    enable_tls_version_and_cipher_suite_headers: Option<bool>,
    #[attr(optional, default = false)]
    enable_waf_fail_open: Option<bool>,
    #[attr(optional, default = false)]
    enable_xff_client_port: Option<bool>,
    #[attr(optional, default = false)]
    enable_zonal_shift: Option<bool>,
    #[attr(optional, computed, valid = Check::Enum(&["on", "off"]))]
    enforce_security_group_inbound_rules_on_private_link_traffic: Option<String>,
    #[attr(optional, computed)]
    id: String,
    #[attr(optional, default = 60)]
    idle_timeout: Option<i64>,
    #[attr(optional, computed, force_new)]
    internal: Option<bool>,
    #[attr(optional, computed, valid = Check::Enum(&["ipv4", "dualstack", "dualstack-without-public-ipv4"]))]
    ip_address_type: Option<String>,
    #[attr(optional, force_new, default = "application", valid = Check::Enum(&["application", "network", "gateway"]))]
    load_balancer_type: Option<String>,
    #[attr(optional, computed, force_new, valid = Check::Text(|key, text| balancer_name(key, text, 32)))]
    name: Option<String>,
    #[attr(optional, computed, force_new, valid = Check::Text(|key, text| balancer_name(key, text, 6)))]
    name_prefix: Option<String>,
    #[attr(optional, default = false)]
    preserve_host_header: Option<bool>,
    #[attr(optional, computed)]
    security_groups: Option<BTreeSet<String>>,
    #[attr(optional, computed)]
    subnets: Option<BTreeSet<String>>,
    #[attr(optional)]
    tags: Option<Tags>,
    #[attr(optional, computed)]
    tags_all: Tags,
    #[attr(computed)]
    vpc_id: Option<String>,
    #[attr(optional, default = "append", valid = Check::Enum(&["append", "preserve", "remove"]))]
    xff_header_processing_mode: Option<String>,
    #[attr(computed)]
    zone_id: Option<String>,
    #[block(list, max = 1)]
    access_logs: Option<Logs>,
    #[block(list, max = 1)]
    connection_logs: Option<Logs>,
    #[block(list, max = 1)]
    ipam_pools: Option<Pools>,
    #[block(list, max = 1)]
    minimum_load_balancer_capacity: Option<Capacity>,
    #[block(set, computed)]
    subnet_mapping: Vec<Mapping>,
    #[timeouts(create, update, delete)]
    timeouts: Timeouts,
}

/// `access_logs { … }` and `connection_logs { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct Logs {
    #[attr(required)]
    bucket: String,
    #[attr(optional, default = false)]
    enabled: Option<bool>,
    #[attr(optional)]
    prefix: Option<String>,
}

/// `ipam_pools { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct Pools {
    #[attr(required)]
    ipv4_ipam_pool_id: String,
}

/// `minimum_load_balancer_capacity { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct Capacity {
    #[attr(required)]
    capacity_units: i64,
}

/// `subnet_mapping { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct Mapping {
    #[attr(optional)]
    allocation_id: String,
    #[attr(optional, valid = IPV6)]
    ipv6_address: String,
    #[attr(computed)]
    outpost_id: String,
    #[attr(optional, valid = IPV4)]
    private_ipv4_address: String,
    #[attr(required)]
    subnet_id: String,
}

const SERVICE: &str = "Elastic Load Balancing v2";
const CHANGED_WITHIN: Duration = Duration::from_secs(600);

const APPLICATION: &[&str] = &["application"];
const NETWORK: &[&str] = &["network"];
const BOTH: &[&str] = &["application", "network"];
const NOT_APPLICATION: &[&str] = &["network", "gateway"];

/// Arguments that only some types of load balancer have; others leave them alone.
const BY_TYPE: [(&str, &[&str]); 14] = [
    ("client_keep_alive", APPLICATION),
    ("desync_mitigation_mode", APPLICATION),
    ("dns_record_client_routing_policy", NETWORK),
    ("drop_invalid_header_fields", APPLICATION),
    ("enable_cross_zone_load_balancing", NOT_APPLICATION),
    ("enable_http2", APPLICATION),
    ("enable_tls_version_and_cipher_suite_headers", APPLICATION),
    ("enable_waf_fail_open", APPLICATION),
    ("enable_xff_client_port", APPLICATION),
    ("enable_zonal_shift", BOTH),
    ("idle_timeout", APPLICATION),
    ("preserve_host_header", APPLICATION),
    ("xff_header_processing_mode", APPLICATION),
    ("enforce_security_group_inbound_rules_on_private_link_traffic", NETWORK),
];

fn balancer_name(key: &str, text: &str, longest: usize) -> Vec<String> {
    // A name may be empty, and is made up then.
    if text.is_empty() && key == "name" {
        return Vec::new();
    }
    let mut wrong: Vec<String> =
        super::hyphenated(key, text, longest).into_iter().map(|wrong| format!("{wrong}: {text:?}")).collect();
    if text.starts_with("internal-") {
        wrong.push(format!("{key:?} cannot begin with \"internal-\": {text:?}"));
    }
    wrong
}

/// `subnets` and `subnet_mapping` say the same in two ways: a change of the one makes the other known after apply. What is
/// mapped can be added to and, for an application load balancer, taken away in place, but not be changed; subnets of a network
/// load balancer can be added only.
fn plan_zones(plan: &mut Plan<'_>, kind: &str) {
    let (network, application) = (kind == "network", kind == "application");
    if !network && !application {
        return;
    }
    let [subnets, mapping] = ["subnets", "subnet_mapping"].map(|name| plan.changes(name));
    if mapping {
        let (before, after) = (mappings(&plan.prior("subnet_mapping")), mappings(&plan.config("subnet_mapping")));
        let in_place = match before.len().cmp(&after.len()) {
            Ordering::Less => before.is_subset(&after),
            Ordering::Equal => false,
            Ordering::Greater => application && after.is_subset(&before),
        };
        if plan.config("subnet_mapping").is_wholly_known() && !in_place {
            plan.replace_on("subnet_mapping");
        }
        plan.set_unknown("subnets");
    }
    if subnets {
        let config = plan.config("subnets");
        if network && config.is_wholly_known() && plan.planned("subnets").length() <= plan.prior("subnets").length() {
            plan.replace_on("subnets");
        }
        plan.set_unknown("subnet_mapping");
    }
}

/// Subnet mappings as they are compared: nothing is empty.
fn mappings(value: &Value) -> BTreeSet<[String; 4]> {
    const PARTS: [&str; 4] = ["subnet_id", "allocation_id", "ipv6_address", "private_ipv4_address"];
    let text = |mapping: &Value, part| mapping.get(part).and_then(Value::as_str).map(|text| text.to_string());
    let of = |mapping: &Value| PARTS.map(|part| text(mapping, part).unwrap_or_default());
    value.elements().unwrap_or_default().iter().map(of).collect()
}

/// What is said of logs that are off is not looked at.
fn keep_logs_that_are_off(plan: &mut Plan<'_>, name: &str) {
    let (prior, planned) = (plan.prior(name), plan.planned(name));
    let (Some([before]), Some([after])) = (prior.elements(), planned.elements()) else { return };
    if after.get("enabled").and_then(Value::as_bool) != Some(false) {
        return;
    }
    let kept = ["bucket", "prefix"].into_iter().filter_map(|part| Some((Str::from(part), before.get(part)?.clone())));
    if let Some(entries) = after.entries() {
        let logs = Value::object(entries.with(kept));
        plan.set(name, Value::list(logs.ty(), [logs]));
    }
}

#[async_trait]
impl Resource for LoadBalancer {
    const NAME: &'static str = "aws_lb";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: LoadBalancer, created: &Created<'_>) -> Result<LoadBalancer> {
        let name = planned.unique_name(cx.client_token());
        // The API answers with what is there if the settings are the same.
        if let Some(there) = by_name(cx, &name).await?
            && made_with(cx, &[there], cx.client_token()).await?.is_none()
        {
            return Err(Error::new(format!("ELBv2 Load Balancer ({name}) already exists")));
        }
        let kind = planned.kind().to_owned();
        let list = |set: &Option<BTreeSet<String>>| {
            set.as_ref().filter(|set| !set.is_empty()).map(|set| set.iter().cloned().collect::<Vec<_>>())
        };
        let mappings: Vec<SubnetMapping> = planned.subnet_mapping.iter().map(Mapping::to_api).collect();
        let request = cx
            .elbv2()
            .create_load_balancer()
            .name(&name)
            .r#type(LoadBalancerTypeEnum::from(kind.as_str()))
            .set_customer_owned_ipv4_pool(planned.customer_owned_ipv4_pool.clone().filter(|pool| !pool.is_empty()))
            .set_scheme(planned.internal.filter(|internal| *internal).map(|_| LoadBalancerSchemeEnum::Internal))
            .set_ip_address_type(planned.ip_address_type.as_deref().map(IpAddressType::from))
            .set_ipam_pools(planned.ipam_pools.as_ref().map(Pools::to_api))
            .set_security_groups(list(&planned.security_groups))
            .set_subnet_mappings(Some(mappings).filter(|mappings| !mappings.is_empty()))
            .set_subnets(list(&planned.subnets))
            .set_tags(new_tags(cx, &planned.tags_all));
        let answer = request.send().await.map_err(api(SERVICE, "CreateLoadBalancer"));
        let answer = answer.doing(format!("creating ELBv2 {kind} Load Balancer ({name})"))?;
        let made = answer.load_balancers.unwrap_or_default().into_iter().next();
        planned.id = made.and_then(|balancer| balancer.load_balancer_arn).unwrap_or_default();
        planned.name = Some(name);
        created.hand_over(&planned).await;
        LoadBalancer::settle(cx, &planned).await?;
        modify_attributes(cx, &planned.id, planned.attributes()).await?;
        if let Some(capacity) = &planned.minimum_load_balancer_capacity {
            reserve(cx, &planned.id, Some(capacity)).await?;
        }
        let enforced = given(&planned.enforce_security_group_inbound_rules_on_private_link_traffic);
        if enforced.is_some() && planned.security_groups.as_ref().is_some_and(|groups| !groups.is_empty()) {
            set_security_groups(cx, &planned).await?;
        }
        Ok(planned)
    }

    async fn settle(cx: &Cx<Aws>, object: &Self) -> Result<()> {
        let budget = object.timeouts.create(CHANGED_WITHIN);
        let ((), waited) = futures::join!(made_durable(cx, &object.id), wait_active(cx, &object.id, budget));
        waited.doing(format!("waiting for ELBv2 Load Balancer ({}) create", object.id))
    }

    async fn read(cx: &Cx<Aws>, prior: LoadBalancer) -> Result<Option<LoadBalancer>> {
        sdk::read_one(cx, prior).await
    }

    async fn read_many(cx: &Cx<Aws>, priors: Vec<LoadBalancer>) -> Vec<Result<Option<LoadBalancer>>> {
        sdk::in_batches(priors, ARNS_PER_CALL, |chunk| read_chunk(cx, chunk)).await
    }

    async fn update(cx: &Cx<Aws>, change: Change<LoadBalancer>) -> Result<LoadBalancer> {
        let Change { prior, planned, .. } = &change;
        let arn = planned.id.as_str();
        let before = prior.attributes();
        let mut attributes = planned.attributes();
        attributes.retain(|key, value| before.get(key) != Some(value));
        modify_attributes(cx, arn, attributes).await?;
        if change.of(|balancer| &balancer.security_groups)
            || change.of(|balancer| &balancer.enforce_security_group_inbound_rules_on_private_link_traffic)
        {
            set_security_groups(cx, planned).await?;
        }
        if change.of(|balancer| &balancer.subnets) || change.of(|balancer| &balancer.subnet_mapping) {
            let mut request = cx.elbv2().set_subnets().load_balancer_arn(arn);
            request = if change.of(|balancer| &balancer.subnet_mapping) && !planned.subnet_mapping.is_empty() {
                request.set_subnet_mappings(Some(planned.subnet_mapping.iter().map(Mapping::to_api).collect()))
            } else {
                request.set_subnets(planned.subnets.as_ref().map(|subnets| subnets.iter().cloned().collect()))
            };
            let answer = request.send().await.map_err(api(SERVICE, "SetSubnets"));
            answer.doing(format!("setting ELBv2 Load Balancer ({arn}) subnets"))?;
        }
        if let (true, Some(kind)) = (change.of(|b| &b.ip_address_type), given(&planned.ip_address_type)) {
            let request = cx.elbv2().set_ip_address_type().load_balancer_arn(arn);
            let answer = request.ip_address_type(IpAddressType::from(kind.as_str())).send().await;
            let answer = answer.map_err(api(SERVICE, "SetIpAddressType"));
            answer.doing(format!("setting ELBv2 Load Balancer ({arn}) address type"))?;
        }
        if change.of(|balancer| &balancer.minimum_load_balancer_capacity) {
            reserve(cx, arn, planned.minimum_load_balancer_capacity.as_ref()).await?;
        }
        if change.of(|balancer| &balancer.ipam_pools) {
            let request = cx.elbv2().modify_ip_pools().load_balancer_arn(arn);
            let answer = request.set_ipam_pools(planned.ipam_pools.as_ref().map(Pools::to_api)).send().await;
            let answer = answer.map_err(api(SERVICE, "ModifyIpPools"));
            answer.doing(format!("modifying ELBv2 Load Balancer ({arn}) IPAM pools"))?;
        }
        update_tags(cx, arn, &prior.tags_all, &planned.tags_all)
            .await
            .doing(format!("updating tags for ELBv2 Load Balancer ({arn})"))?;
        wait_active(cx, arn, planned.timeouts.update(CHANGED_WITHIN))
            .await
            .doing(format!("waiting for ELBv2 Load Balancer ({arn}) update"))?;
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: LoadBalancer) -> Result<()> {
        let arn = prior.id.as_str();
        let answer = cx.elbv2().delete_load_balancer().load_balancer_arn(arn).send().await;
        let answer = answer.map_err(api(SERVICE, "DeleteLoadBalancer"));
        answer.or_gone().doing(format!("deleting ELBv2 Load Balancer ({arn})"))?;
        // Its interfaces hold subnets and security groups for a while.
        let Some((_, suffix)) = arn.split_once(":loadbalancer/") else { return Ok(()) };
        let description = format!("ELB {suffix}");
        let poll = || async {
            let request = cx.ec2().describe_network_interfaces().filters(filter("description", [description.as_str()]));
            let answer = request.send().await.map_err(api("EC2", "DescribeNetworkInterfaces"))?;
            let interfaces = answer.network_interfaces.unwrap_or_default();
            Ok(interfaces.into_iter().next().map(|_| ((), "in-use".to_owned())))
        };
        let waited = cx.wait_for(Wait::until_gone(prior.timeouts.delete(CHANGED_WITHIN)), poll).await;
        // The load balancer is gone; whoever may not look at interfaces finds out when removing what they are in.
        drop(waited);
        Ok(())
    }

    async fn plan(_cx: &Cx<Aws>, plan: &mut Plan<'_>) -> Result<()> {
        let kind = plan.planned("load_balancer_type").as_str().map(ToString::to_string).unwrap_or_default();
        for (name, kinds) in BY_TYPE {
            if kinds.contains(&kind.as_str()) {
                continue;
            }
            if !plan.is_create() {
                plan.keep(name);
            } else if !plan.planned(name).is_null() && plan.planned(name).is_known() {
                let null = match plan.planned(name).ty() {
                    Type::Bool => Type::Bool,
                    Type::Number => Type::Number,
                    _ => Type::String,
                };
                plan.set(name, Value::null(null));
            }
        }
        for name in ["access_logs", "connection_logs"] {
            let (configured, prior) = (plan.config(name), plan.prior(name));
            let first = prior.elements().and_then(<[Value]>::first);
            let off = first.and_then(|logs| logs.get("enabled")).and_then(Value::as_bool) == Some(false);
            if configured.length() == Some(0) && off {
                plan.keep(name);
            }
            keep_logs_that_are_off(plan, name);
        }
        if kind == "network" && !plan.is_create() {
            let groups = |value: &Value| value.length().unwrap_or_default();
            let (before, after) = (plan.prior("security_groups"), plan.planned("security_groups"));
            if after.is_known() && (groups(&before) == 0) != (groups(&after) == 0) {
                plan.replace_on("security_groups");
            }
        }
        if !plan.is_create() {
            plan_zones(plan, &kind);
        }
        Ok(())
    }

    async fn find(cx: &Cx<Aws>, planned: &LoadBalancer, client_token: &str) -> Result<Found<LoadBalancer>> {
        let Some(arn) = by_name(cx, &planned.unique_name(client_token)).await? else { return Ok(Found::Nothing) };
        Ok(match made_with(cx, &[arn], client_token).await? {
            Some(id) => Found::Object(Box::new(LoadBalancer { id, ..planned.clone() })),
            None => Found::Nothing,
        })
    }

    fn estimate_seconds(operation: sdk::Operation) -> u32 {
        if operation == sdk::Operation::Create { 150 } else { 20 }
    }
}

fn given(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| !text.is_empty())
}

impl Pools {
    fn to_api(&self) -> IpamPools {
        IpamPools::builder().ipv4_ipam_pool_id(&self.ipv4_ipam_pool_id).build()
    }
}

impl Mapping {
    fn to_api(&self) -> SubnetMapping {
        let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        SubnetMapping::builder()
            .subnet_id(&self.subnet_id)
            .set_allocation_id(given(&self.allocation_id))
            .set_ipv6_address(given(&self.ipv6_address))
            .set_private_ipv4_address(given(&self.private_ipv4_address))
            .build()
    }
}

impl LoadBalancer {
    fn unique_name(&self, client_token: &str) -> String {
        let prefix = self.name_prefix.as_deref().filter(|prefix| !prefix.is_empty());
        names::unique(self.name.as_deref(), prefix.or(Some("tf-lb-")), client_token)
    }

    fn kind(&self) -> &str {
        self.load_balancer_type.as_deref().unwrap_or("application")
    }

    /// What is set with `ModifyLoadBalancerAttributes`, as far as this type of load balancer has it.
    fn attributes(&self) -> Attributes {
        let mut all = Attributes::new();
        let kind = self.kind();
        let mut set = |kinds: &[&str], key: &str, value: Option<String>| {
            let value = value.filter(|value| !value.is_empty() && kinds.contains(&kind));
            all.extend(value.map(|value| (key.to_owned(), value)));
        };
        let switch = |on: Option<bool>| on.map(|on| on.to_string());
        let number = |number: Option<i64>| number.map(|number| number.to_string());
        let any = &["application", "network", "gateway"];
        set(APPLICATION, "client_keep_alive.seconds", number(self.client_keep_alive));
        set(APPLICATION, "routing.http.desync_mitigation_mode", self.desync_mitigation_mode.clone());
        set(NETWORK, "dns_record.client_routing_policy", self.dns_record_client_routing_policy.clone());
        set(APPLICATION, "routing.http.drop_invalid_header_fields.enabled", switch(self.drop_invalid_header_fields));
        set(NOT_APPLICATION, "load_balancing.cross_zone.enabled", switch(self.enable_cross_zone_load_balancing));
        set(any, "deletion_protection.enabled", switch(self.enable_deletion_protection));
        set(APPLICATION, "routing.http2.enabled", switch(self.enable_http2));
        set(
            APPLICATION,
            "routing.http.x_amzn_tls_version_and_cipher_suite.enabled",
            switch(self.enable_tls_version_and_cipher_suite_headers),
        );
        set(APPLICATION, "waf.fail_open.enabled", switch(self.enable_waf_fail_open));
        set(APPLICATION, "routing.http.xff_client_port.enabled", switch(self.enable_xff_client_port));
        set(BOTH, "zonal_shift.config.enabled", switch(self.enable_zonal_shift));
        set(APPLICATION, "idle_timeout.timeout_seconds", number(self.idle_timeout));
        set(APPLICATION, "routing.http.preserve_host_header.enabled", switch(self.preserve_host_header));
        set(APPLICATION, "routing.http.xff_header_processing.mode", self.xff_header_processing_mode.clone());
        for (kinds, name, logs) in
            [(BOTH, "access_logs", &self.access_logs), (APPLICATION, "connection_logs", &self.connection_logs)]
        {
            let on = logs.as_ref().is_some_and(|logs| logs.enabled == Some(true));
            set(kinds, &format!("{name}.s3.enabled"), Some(on.to_string()));
            if let (Some(logs), true) = (logs, on) {
                set(kinds, &format!("{name}.s3.bucket"), Some(logs.bucket.clone()));
                set(kinds, &format!("{name}.s3.prefix"), logs.prefix.clone());
            }
        }
        all
    }
}

async fn set_security_groups(cx: &Cx<Aws>, planned: &LoadBalancer) -> Result<()> {
    let arn = &planned.id;
    let enforced = given(&planned.enforce_security_group_inbound_rules_on_private_link_traffic);
    let enforced = enforced.as_deref().map(EnforceSecurityGroupInboundRulesOnPrivateLinkTrafficEnum::from);
    let groups = planned.security_groups.iter().flatten().cloned().collect();
    let request = cx.elbv2().set_security_groups().load_balancer_arn(arn).set_security_groups(Some(groups));
    let request = request.set_enforce_security_group_inbound_rules_on_private_link_traffic(enforced);
    let answer = request.send().await.map_err(api(SERVICE, "SetSecurityGroups"));
    answer.doing(format!("setting ELBv2 Load Balancer ({arn}) security groups")).map(|_| ())
}

async fn reserve(cx: &Cx<Aws>, arn: &str, capacity: Option<&Capacity>) -> Result<()> {
    let units = capacity.and_then(|capacity| i32::try_from(capacity.capacity_units).ok());
    let capacity = units.map(|units| MinimumLoadBalancerCapacity::builder().capacity_units(units).build());
    let request = cx.elbv2().modify_capacity_reservation().load_balancer_arn(arn);
    let request = request.reset_capacity_reservation(capacity.is_none()).set_minimum_load_balancer_capacity(capacity);
    let answer = request.send().await.map_err(api(SERVICE, "ModifyCapacityReservation"));
    answer.doing(format!("modifying ELBv2 Load Balancer ({arn}) capacity reservation")).map(|_| ())
}

/// Not all attributes are known everywhere: those that are refused by name are left out.
async fn modify_attributes(cx: &Cx<Aws>, arn: &str, mut attributes: Attributes) -> Result<()> {
    while !attributes.is_empty() {
        let list = attributes.iter().map(|(key, value)| LoadBalancerAttribute::builder().key(key).value(value).build());
        let request = cx.elbv2().modify_load_balancer_attributes().load_balancer_arn(arn);
        let answer = request.set_attributes(Some(list.collect())).send().await;
        let Err(error) = answer.map_err(api(SERVICE, "ModifyLoadBalancerAttributes")) else { return Ok(()) };
        let message = error.message();
        let refused = message.contains("is not recognized") || message.contains("is not supported");
        let refused = attributes.keys().find(|key| refused && message.contains(key.as_str())).cloned();
        match refused {
            Some(key) => drop(attributes.remove(&key)),
            None => return Err(error.context(format!("modifying ELBv2 Load Balancer ({arn}) attributes"))),
        }
    }
    Ok(())
}

async fn wait_active(cx: &Cx<Aws>, arn: &str, budget: Duration) -> Result<()> {
    let poll = || async {
        let balancer = describe(cx, vec![arn.to_owned()]).await?.into_iter().next();
        Ok(balancer.map(|balancer| {
            let code = balancer.state.and_then(|state| state.code);
            ((), code.map(|code| code.as_str().to_owned()).unwrap_or_default())
        }))
    };
    // Impaired ones work, if not at their best: an update leaves them as they are.
    let wait = Wait::until(&["active", "active_impaired"], budget).pending(&["provisioning", "failed"]);
    cx.wait_for(wait, poll).await.map(|_| ())
}

/// The ARN of the load balancer of this name.
async fn by_name(cx: &Cx<Aws>, name: &str) -> Result<Option<String>> {
    let answer = cx.elbv2().describe_load_balancers().names(name).send().await;
    let answer = answer.map_err(api(SERVICE, "DescribeLoadBalancers")).if_found();
    let answer = answer.doing(format!("reading ELBv2 Load Balancer ({name})"))?;
    let balancers = answer.and_then(|answer| answer.load_balancers).unwrap_or_default();
    Ok(balancers.into_iter().next().and_then(|balancer| balancer.load_balancer_arn))
}

async fn describe(cx: &Cx<Aws>, arns: Vec<String>) -> Result<Vec<ElbLoadBalancer>> {
    let answer = cx.elbv2().describe_load_balancers().set_load_balancer_arns(Some(arns.clone())).send().await;
    match answer.map_err(api(SERVICE, "DescribeLoadBalancers")) {
        Ok(answer) => Ok(answer.load_balancers.unwrap_or_default()),
        // One that is gone fails the whole call.
        Err(error) if error.is_not_found() && arns.len() > 1 => {
            let single = arns.into_iter().map(|arn| Box::pin(describe(cx, vec![arn])));
            let found: Vec<Vec<ElbLoadBalancer>> = stream::iter(single).buffered(CONCURRENT).try_collect().await?;
            Ok(found.into_iter().flatten().collect())
        }
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error.context("reading ELBv2 Load Balancer")),
    }
}

/// What only comes for one load balancer at a time: its attributes and the reserved capacity.
async fn details(cx: &Cx<Aws>, arn: String) -> Result<(String, (Attributes, Option<i64>))> {
    let attributes = cx.elbv2().describe_load_balancer_attributes().load_balancer_arn(&arn).send();
    let reservation = cx.elbv2().describe_capacity_reservation().load_balancer_arn(&arn).send();
    let (attributes, reservation) = futures::join!(attributes, reservation);
    let attributes = attributes.map_err(api(SERVICE, "DescribeLoadBalancerAttributes"));
    let attributes = attributes.doing(format!("reading ELBv2 Load Balancer ({arn}) attributes"))?;
    let attributes = attributes.attributes.unwrap_or_default().into_iter();
    let attributes = attributes.filter_map(|a| Some((a.key?, a.value.unwrap_or_default()))).collect();
    // Neither gateway load balancers nor all partitions and accounts have reservations.
    let reserved = reservation.ok().and_then(|answer| answer.minimum_load_balancer_capacity);
    let units = reserved.and_then(|capacity| capacity.capacity_units);
    Ok((arn, (attributes, units.map(i64::from))))
}

async fn read_chunk(cx: &Cx<Aws>, priors: Vec<LoadBalancer>) -> Result<Vec<Option<LoadBalancer>>> {
    let balancers = describe(cx, priors.iter().map(|balancer| balancer.id.clone()).collect()).await?;
    let mut by_arn: HashMap<String, ElbLoadBalancer> =
        balancers.into_iter().filter_map(|balancer| Some((balancer.load_balancer_arn.clone()?, balancer))).collect();
    let arns: Vec<String> = by_arn.keys().cloned().collect();
    let all = stream::iter(arns.clone()).map(|arn| details(cx, arn)).buffer_unordered(CONCURRENT).try_collect();
    let (mut all, mut tags): (HashMap<String, (Attributes, Option<i64>)>, _) =
        futures::try_join!(all, tags(cx, &arns))?;
    let read = |prior: LoadBalancer| {
        let balancer = by_arn.remove(&prior.id)?;
        let (attributes, units) = all.remove(&prior.id).unwrap_or_default();
        let tags_all = tags.remove(&prior.id).unwrap_or_default();
        let capacity = units.map(|capacity_units| Capacity { capacity_units });
        Some(merged(
            LoadBalancer { tags_all, minimum_load_balancer_capacity: capacity, ..prior },
            balancer,
            &attributes,
        ))
    };
    Ok(priors.into_iter().map(read).collect())
}

fn merged(mut known: LoadBalancer, read: ElbLoadBalancer, attributes: &Attributes) -> LoadBalancer {
    let arn = known.id.clone();
    known.arn_suffix = arn.split_once(":loadbalancer/").map(|(_, suffix)| suffix.to_owned());
    known.arn = Some(arn);
    known.customer_owned_ipv4_pool = Some(read.customer_owned_ipv4_pool.unwrap_or_default());
    known.dns_name = Some(read.dns_name.unwrap_or_default());
    known.enforce_security_group_inbound_rules_on_private_link_traffic =
        Some(read.enforce_security_group_inbound_rules_on_private_link_traffic.unwrap_or_default());
    known.internal = Some(read.scheme == Some(LoadBalancerSchemeEnum::Internal));
    known.ip_address_type = Some(read.ip_address_type.map(|kind| kind.as_str().to_owned()).unwrap_or_default());
    known.ipam_pools =
        read.ipam_pools.and_then(|pools| pools.ipv4_ipam_pool_id).map(|ipv4_ipam_pool_id| Pools { ipv4_ipam_pool_id });
    known.load_balancer_type = read.r#type.map(|kind| kind.as_str().to_owned());
    let name = read.load_balancer_name.unwrap_or_default();
    known.name_prefix = Some(names::prefix_of(&name).to_owned());
    known.name = Some(name);
    known.security_groups = Some(read.security_groups.unwrap_or_default().into_iter().collect());
    let zones = read.availability_zones.unwrap_or_default();
    known.subnets = Some(zones.iter().filter_map(|zone| zone.subnet_id.clone()).collect());
    let mapping = |zone: aws_sdk_elasticloadbalancingv2::types::AvailabilityZone| {
        let address = zone.load_balancer_addresses.unwrap_or_default().into_iter().next();
        let part = |part: fn(&aws_sdk_elasticloadbalancingv2::types::LoadBalancerAddress) -> &Option<String>| {
            address.as_ref().and_then(|address| part(address).clone()).unwrap_or_default()
        };
        Mapping {
            allocation_id: part(|address| &address.allocation_id),
            ipv6_address: part(|address| &address.ipv6_address),
            outpost_id: zone.outpost_id.unwrap_or_default(),
            private_ipv4_address: part(|address| &address.private_ipv4_address),
            subnet_id: zone.subnet_id.unwrap_or_default(),
        }
    };
    known.subnet_mapping = zones.into_iter().map(mapping).collect();
    known.vpc_id = Some(read.vpc_id.unwrap_or_default());
    known.zone_id = Some(read.canonical_hosted_zone_id.unwrap_or_default());

    let text = |key: &str| attributes.get(key).cloned();
    let logs = |name: &str| {
        Some(Logs {
            bucket: text(&format!("{name}.s3.bucket")).unwrap_or_default(),
            enabled: Some(flag(attributes, &format!("{name}.s3.enabled")).unwrap_or_default()),
            prefix: Some(text(&format!("{name}.s3.prefix")).unwrap_or_default()),
        })
    };
    known.access_logs = if known.kind() == "gateway" { None } else { logs("access_logs") };
    known.connection_logs = if known.kind() == "application" { logs("connection_logs") } else { None };
    let switch = |key: &str, known: Option<bool>| flag(attributes, key).or(known);
    known.client_keep_alive = number(attributes, "client_keep_alive.seconds").or(known.client_keep_alive);
    known.desync_mitigation_mode = text("routing.http.desync_mitigation_mode").or(known.desync_mitigation_mode);
    known.dns_record_client_routing_policy =
        text("dns_record.client_routing_policy").or(known.dns_record_client_routing_policy);
    known.drop_invalid_header_fields =
        switch("routing.http.drop_invalid_header_fields.enabled", known.drop_invalid_header_fields);
    known.enable_cross_zone_load_balancing =
        switch("load_balancing.cross_zone.enabled", known.enable_cross_zone_load_balancing);
    known.enable_deletion_protection = switch("deletion_protection.enabled", known.enable_deletion_protection);
    known.enable_http2 = switch("routing.http2.enabled", known.enable_http2);
    known.enable_tls_version_and_cipher_suite_headers = switch(
        "routing.http.x_amzn_tls_version_and_cipher_suite.enabled",
        known.enable_tls_version_and_cipher_suite_headers,
    );
    known.enable_waf_fail_open = switch("waf.fail_open.enabled", known.enable_waf_fail_open);
    known.enable_xff_client_port = switch("routing.http.xff_client_port.enabled", known.enable_xff_client_port);
    known.enable_zonal_shift = switch("zonal_shift.config.enabled", known.enable_zonal_shift);
    known.idle_timeout = number(attributes, "idle_timeout.timeout_seconds").or(known.idle_timeout);
    known.preserve_host_header = switch("routing.http.preserve_host_header.enabled", known.preserve_host_header);
    known.xff_header_processing_mode =
        text("routing.http.xff_header_processing.mode").or(known.xff_header_processing_mode);
    known
}
