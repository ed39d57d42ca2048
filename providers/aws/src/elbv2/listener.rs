//! `aws_lb_listener`

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::{
    AdvertiseTrustStoreCaNamesEnum, Certificate, Listener as ElbListener, ListenerAttribute,
    MutualAuthenticationAttributes, ProtocolEnum,
};
use futures::{StreamExt, TryStreamExt, stream};
use sdk::{
    Change, Check, Created, Cx, Error, Found, Model, Plan, Resource, Result, ResultExt, Tags, Timeouts, Value,
    async_trait,
};

use super::actions::{self, DefaultAction};
use super::{
    ARNS_PER_CALL, Attributes, CONCURRENT, VISIBLE_WITHIN, made_durable, made_with, new_tags, tags, update_tags,
};
use crate::checks::ARN;
use crate::client::Aws;
use crate::errors::api;

/// A port of a load balancer. Source: Elastic Load Balancing `CreateListener`, `DescribeListeners`,
/// `DescribeListenerAttributes`, `DescribeTags`.
#[derive(Clone, Debug, Default, Model)]
pub struct Listener {
    #[attr(optional, valid = Check::Enum(&["HTTP1Only", "HTTP2Only", "HTTP2Optional", "HTTP2Preferred", "None"]))]
    alpn_policy: Option<String>,
    #[attr(computed)]
    arn: Option<String>,
    #[attr(optional, valid = ARN)]
    certificate_arn: Option<String>,
    #[attr(optional, computed)]
    id: String,
    #[attr(required, force_new, valid = ARN)]
    load_balancer_arn: String,
    #[attr(optional, valid = Check::Number(port))]
    port: Option<i64>,
    #[attr(optional, computed, normalize = "upper_case", valid = Check::Text(protocol))]
    protocol: Option<String>,
    #[attr(optional, computed)]
    routing_http_request_x_amzn_mtls_clientcert_header_name: Option<String>,
    #[attr(optional, computed)]
    routing_http_request_x_amzn_mtls_clientcert_issuer_header_name: Option<String>,
    #[attr(optional, computed)]
    routing_http_request_x_amzn_mtls_clientcert_leaf_header_name: Option<String>,
    #[attr(optional, computed)]
    routing_http_request_x_amzn_mtls_clientcert_serial_number_header_name: Option<String>,
    #[attr(optional, computed)]
    routing_http_request_x_amzn_mtls_clientcert_subject_header_name: Option<String>,
    #[attr(optional, computed)]
    routing_http_request_x_amzn_mtls_clientcert_validity_header_name: Option<String>,
    #[attr(optional, computed)]
    routing_http_request_x_amzn_tls_cipher_suite_header_name: Option<String>,
    #[attr(optional, computed)]
    routing_http_request_x_amzn_tls_version_header_name: Option<String>,
    #[attr(optional, computed)]
    routing_http_response_access_control_allow_credentials_header_value: Option<String>,
    #[attr(optional, computed)]
    routing_http_response_access_control_allow_headers_header_value: Option<String>,
    #[attr(optional, computed)]
    routing_http_response_access_control_allow_methods_header_value: Option<String>,
    #[attr(optional, computed)]
    routing_http_response_access_control_allow_origin_header_value: Option<String>,
    #[attr(optional, computed)]
    routing_http_response_access_control_expose_headers_header_value: Option<String>,
    #[attr(optional, computed)]
    routing_http_response_access_control_max_age_header_value: Option<String>,
    #[attr(optional, computed)]
    routing_http_response_content_security_policy_header_value: Option<String>,
    #[attr(optional, computed)]
    routing_http_response_strict_transport_security_header_value: Option<String>,
    #[attr(optional, computed)]
    routing_http_response_x_content_type_options_header_value: Option<String>,
    #[attr(optional, computed)]
    routing_http_response_x_frame_options_header_value: Option<String>,
    #[attr(optional, computed)]
    routing_http_response_server_enabled: Option<bool>,
    #[attr(optional, computed)]
    ssl_policy: Option<String>,
    #[attr(optional)]
    tags: Option<Tags>,
    #[attr(optional, computed)]
    tags_all: Tags,
    #[attr(optional, computed, valid = Check::Between(60, 6000))]
    tcp_idle_timeout_seconds: Option<i64>,
    #[block(list, min = 1)]
    default_action: Vec<DefaultAction>,
    #[block(list, max = 1, computed)]
    mutual_authentication: Option<MutualAuthentication>,
    #[timeouts(create, update)]
    timeouts: Timeouts,
}

/// `mutual_authentication { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct MutualAuthentication {
    #[attr(optional, computed, valid = Check::Enum(&["on", "off"]))]
    advertise_trust_store_ca_names: Option<String>,
    #[attr(optional, default = false)]
    ignore_client_certificate_expiry: Option<bool>,
    #[attr(required, valid = Check::OneOf(&["off", "verify", "passthrough"]))]
    mode: String,
    #[attr(optional, valid = ARN)]
    trust_store_arn: Option<String>,
}

const SERVICE: &str = "Elastic Load Balancing v2";
const CHANGED_WITHIN: Duration = Duration::from_secs(300);

/// The attributes that aren't headers.
const SERVER: &str = "routing.http.response.server.enabled";
const IDLE_TIMEOUT: &str = "tcp.idle_timeout.seconds";

fn protocol(key: &str, text: &str) -> Vec<String> {
    if super::PROTOCOLS.contains(&text.to_uppercase().as_str()) {
        return Vec::new();
    }
    let words: Vec<String> = super::PROTOCOLS.iter().map(|word| format!("{word:?}")).collect();
    vec![format!("expected {key} to be one of [{}], got {text}", words.join(" "))]
}

fn port(key: &str, port: i64) -> Vec<String> {
    if (1..=65_535).contains(&port) {
        return Vec::new();
    }
    vec![format!("expected {key:?} to be a valid port number, got: {port}")]
}

#[async_trait]
impl Resource for Listener {
    const NAME: &'static str = "aws_lb_listener";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: Listener, created: &Created<'_>) -> Result<Listener> {
        let balancer = planned.load_balancer_arn.clone();
        let create = || async {
            let request = cx
                .elbv2()
                .create_listener()
                .load_balancer_arn(&balancer)
                .set_alpn_policy(given(&planned.alpn_policy).map(|policy| vec![policy]))
                .set_certificates(planned.certificates())
                .set_default_actions(Some(planned.actions()))
                .set_mutual_authentication(planned.mutual_authentication.as_ref().map(MutualAuthentication::to_api))
                .set_port(planned.port.and_then(|port| i32::try_from(port).ok()).filter(|port| *port != 0))
                .set_protocol(planned.protocol())
                .set_ssl_policy(given(&planned.ssl_policy))
                .set_tags(new_tags(cx, &planned.tags_all));
            request.send().await.map_err(api(SERVICE, "CreateListener"))
        };
        // A certificate or a target group that was just made.
        let early = |error: &Error| error.is_code("CertificateNotFound");
        let answer = cx.retry(planned.timeouts.create(CHANGED_WITHIN), early, create).await;
        let answer = answer.doing(format!("creating ELBv2 Listener ({balancer})"))?;
        let made = answer.listeners.unwrap_or_default().into_iter().next();
        planned.id = made.and_then(|listener| listener.listener_arn).unwrap_or_default();
        created.hand_over(&planned).await;
        made_durable(cx, &planned.id).await;
        let attributes = planned.attributes();
        modify_attributes(cx, &planned.id, attributes).await?;
        Ok(planned)
    }

    async fn settle(cx: &Cx<Aws>, object: &Self) -> Result<()> {
        made_durable(cx, &object.id).await;
        Ok(())
    }

    async fn read(cx: &Cx<Aws>, prior: Listener) -> Result<Option<Listener>> {
        sdk::read_one(cx, prior).await
    }

    async fn read_many(cx: &Cx<Aws>, priors: Vec<Listener>) -> Vec<Result<Option<Listener>>> {
        sdk::in_batches(priors, ARNS_PER_CALL, |chunk| read_chunk(cx, chunk)).await
    }

    async fn update(cx: &Cx<Aws>, change: Change<Listener>) -> Result<Listener> {
        let Change { prior, planned, .. } = &change;
        let arn = &planned.id;
        if change.of(|listener| &listener.alpn_policy)
            || change.of(|listener| &listener.certificate_arn)
            || change.of(|listener| &listener.default_action)
            || change.of(|listener| &listener.mutual_authentication)
            || change.of(|listener| &listener.port)
            || change.of(|listener| &listener.protocol)
            || change.of(|listener| &listener.ssl_policy)
        {
            let tls = matches!(planned.protocol.as_deref(), Some("HTTPS" | "TLS"));
            let modify = || async {
                let request = cx
                    .elbv2()
                    .modify_listener()
                    .listener_arn(arn)
                    .set_alpn_policy(given(&planned.alpn_policy).map(|policy| vec![policy]))
                    .set_certificates(planned.certificates())
                    .set_default_actions(Some(planned.actions()))
                    .set_mutual_authentication(planned.mutual_authentication.as_ref().map(MutualAuthentication::to_api))
                    .set_port(planned.port.and_then(|port| i32::try_from(port).ok()).filter(|port| *port != 0))
                    .set_protocol(planned.protocol())
                    .set_ssl_policy(given(&planned.ssl_policy).filter(|_| tls));
                request.send().await.map_err(api(SERVICE, "ModifyListener"))
            };
            let early = |error: &Error| error.is_code("CertificateNotFound");
            let modified = cx.retry(planned.timeouts.update(CHANGED_WITHIN), early, modify).await;
            modified.doing(format!("modifying ELBv2 Listener ({arn})"))?;
        }
        let before = prior.attributes();
        let mut attributes = planned.attributes();
        attributes.retain(|key, value| before.get(key) != Some(value));
        modify_attributes(cx, arn, attributes).await?;
        update_tags(cx, arn, &prior.tags_all, &planned.tags_all)
            .await
            .doing(format!("updating tags for ELBv2 Listener ({arn})"))?;
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: Listener) -> Result<()> {
        let arn = &prior.id;
        let answer = cx.elbv2().delete_listener().listener_arn(arn).send().await;
        answer.map_err(api(SERVICE, "DeleteListener")).or_gone().doing(format!("deleting ELBv2 Listener ({arn})"))
    }

    async fn plan(_cx: &Cx<Aws>, plan: &mut Plan<'_>) -> Result<()> {
        actions::check(plan, "default_action");
        actions::keep_what_is_not_meant(plan, "default_action");
        Ok(())
    }

    async fn find(cx: &Cx<Aws>, planned: &Listener, client_token: &str) -> Result<Found<Listener>> {
        let pages = cx.elbv2().describe_listeners().load_balancer_arn(&planned.load_balancer_arn).into_paginator();
        let listeners: std::result::Result<Vec<ElbListener>, _> = pages.items().send().try_collect().await;
        let listeners = listeners.map_err(api(SERVICE, "DescribeListeners")).if_found()?.unwrap_or_default();
        let arns: Vec<String> = listeners.into_iter().filter_map(|listener| listener.listener_arn).collect();
        Ok(match made_with(cx, &arns, client_token).await? {
            Some(id) => Found::Object(Box::new(Listener { id, ..planned.clone() })),
            None => Found::Nothing,
        })
    }
}

fn given(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| !text.is_empty())
}

fn upper_case(value: Value) -> Value {
    match value.as_str() {
        Some(text) => Value::string(text.to_uppercase()),
        None => value,
    }
}

impl MutualAuthentication {
    fn to_api(&self) -> MutualAuthenticationAttributes {
        let verifies = self.mode == "verify";
        let advertise = given(&self.advertise_trust_store_ca_names).filter(|_| verifies);
        MutualAuthenticationAttributes::builder()
            .mode(&self.mode)
            .set_ignore_client_certificate_expiry(self.ignore_client_certificate_expiry.filter(|_| verifies))
            .set_trust_store_arn(given(&self.trust_store_arn).filter(|_| verifies))
            .set_advertise_trust_store_ca_names(advertise.as_deref().map(AdvertiseTrustStoreCaNamesEnum::from))
            .build()
    }
}

impl Listener {
    fn actions(&self) -> Vec<aws_sdk_elasticloadbalancingv2::types::Action> {
        self.default_action.iter().enumerate().map(|(index, action)| action.to_api(index)).collect()
    }

    fn certificates(&self) -> Option<Vec<Certificate>> {
        given(&self.certificate_arn).map(|arn| vec![Certificate::builder().certificate_arn(arn).build()])
    }

    /// Application load balancers listen with HTTP if nothing is said; gateway load balancers have no protocol.
    fn protocol(&self) -> Option<ProtocolEnum> {
        let given = given(&self.protocol).as_deref().map(ProtocolEnum::from);
        given.or_else(|| self.load_balancer_arn.contains("loadbalancer/app/").then_some(ProtocolEnum::Http))
    }

    /// Headers by the key of their attribute.
    fn headers(&mut self) -> [(&'static str, &mut Option<String>); 18] {
        [
            (
                "routing.http.request.x_amzn_mtls_clientcert.header_name",
                &mut self.routing_http_request_x_amzn_mtls_clientcert_header_name,
            ),
            (
                "routing.http.request.x_amzn_mtls_clientcert_issuer.header_name",
                &mut self.routing_http_request_x_amzn_mtls_clientcert_issuer_header_name,
            ),
            (
                "routing.http.request.x_amzn_mtls_clientcert_leaf.header_name",
                &mut self.routing_http_request_x_amzn_mtls_clientcert_leaf_header_name,
            ),
            (
                "routing.http.request.x_amzn_mtls_clientcert_serial_number.header_name",
                &mut self.routing_http_request_x_amzn_mtls_clientcert_serial_number_header_name,
            ),
            (
                "routing.http.request.x_amzn_mtls_clientcert_subject.header_name",
                &mut self.routing_http_request_x_amzn_mtls_clientcert_subject_header_name,
            ),
            (
                "routing.http.request.x_amzn_mtls_clientcert_validity.header_name",
                &mut self.routing_http_request_x_amzn_mtls_clientcert_validity_header_name,
            ),
            (
                "routing.http.request.x_amzn_tls_cipher_suite.header_name",
                &mut self.routing_http_request_x_amzn_tls_cipher_suite_header_name,
            ),
            (
                "routing.http.request.x_amzn_tls_version.header_name",
                &mut self.routing_http_request_x_amzn_tls_version_header_name,
            ),
            (
                "routing.http.response.access_control_allow_credentials.header_value",
                &mut self.routing_http_response_access_control_allow_credentials_header_value,
            ),
            (
                "routing.http.response.access_control_allow_headers.header_value",
                &mut self.routing_http_response_access_control_allow_headers_header_value,
            ),
            (
                "routing.http.response.access_control_allow_methods.header_value",
                &mut self.routing_http_response_access_control_allow_methods_header_value,
            ),
            (
                "routing.http.response.access_control_allow_origin.header_value",
                &mut self.routing_http_response_access_control_allow_origin_header_value,
            ),
            (
                "routing.http.response.access_control_expose_headers.header_value",
                &mut self.routing_http_response_access_control_expose_headers_header_value,
            ),
            (
                "routing.http.response.access_control_max_age.header_value",
                &mut self.routing_http_response_access_control_max_age_header_value,
            ),
            (
                "routing.http.response.content_security_policy.header_value",
                &mut self.routing_http_response_content_security_policy_header_value,
            ),
            (
                "routing.http.response.strict_transport_security.header_value",
                &mut self.routing_http_response_strict_transport_security_header_value,
            ),
            (
                "routing.http.response.x_content_type_options.header_value",
                &mut self.routing_http_response_x_content_type_options_header_value,
            ),
            (
                "routing.http.response.x_frame_options.header_value",
                &mut self.routing_http_response_x_frame_options_header_value,
            ),
        ]
    }

    /// What is set with `ModifyListenerAttributes`.
    fn attributes(&self) -> Attributes {
        let mut listener = self.clone();
        let kind = ["HTTP", "HTTPS"].contains(&self.protocol.as_deref().unwrap_or("HTTP"));
        let mut all = Attributes::new();
        if kind {
            let headers = listener.headers().into_iter();
            all.extend(headers.filter_map(|(key, value)| Some((key.to_owned(), given(value)?))));
            all.extend(self.routing_http_response_server_enabled.map(|on| (SERVER.to_owned(), on.to_string())));
        }
        let timeout = self.tcp_idle_timeout_seconds.filter(|_| self.protocol.as_deref() == Some("TCP"));
        all.extend(timeout.map(|seconds| (IDLE_TIMEOUT.to_owned(), seconds.to_string())));
        all
    }
}

async fn modify_attributes(cx: &Cx<Aws>, arn: &str, attributes: Attributes) -> Result<()> {
    if attributes.is_empty() {
        return Ok(());
    }
    let attributes = attributes.into_iter().map(|(k, v)| ListenerAttribute::builder().key(k).value(v).build());
    let request = cx.elbv2().modify_listener_attributes().listener_arn(arn);
    let request = request.set_attributes(Some(attributes.collect()));
    let modify =
        || async { request.clone().send().await.map_err(api(SERVICE, "ModifyListenerAttributes")).map(|_| ()) };
    let modified = cx.retry(VISIBLE_WITHIN, Error::is_not_found, modify).await;
    modified.doing(format!("modifying ELBv2 Listener ({arn}) attributes"))
}

async fn describe(cx: &Cx<Aws>, arns: Vec<String>) -> Result<Vec<ElbListener>> {
    let answer = cx.elbv2().describe_listeners().set_listener_arns(Some(arns.clone())).send().await;
    match answer.map_err(api(SERVICE, "DescribeListeners")) {
        Ok(answer) => Ok(answer.listeners.unwrap_or_default()),
        // One that is gone fails the whole call.
        Err(error) if error.is_not_found() && arns.len() > 1 => {
            let single = arns.into_iter().map(|arn| Box::pin(describe(cx, vec![arn])));
            let found: Vec<Vec<ElbListener>> = stream::iter(single).buffered(CONCURRENT).try_collect().await?;
            Ok(found.into_iter().flatten().collect())
        }
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        Err(error) => Err(error.context("reading ELBv2 Listener")),
    }
}

/// The attributes; not every partition and emulator has this call.
async fn attributes(cx: &Cx<Aws>, arn: String) -> Result<(String, Attributes)> {
    let answer = cx.elbv2().describe_listener_attributes().listener_arn(&arn).send().await;
    match answer.map_err(api(SERVICE, "DescribeListenerAttributes")) {
        Ok(answer) => {
            let attributes = answer.attributes.unwrap_or_default().into_iter();
            Ok((arn, attributes.filter_map(|a| Some((a.key?, a.value.unwrap_or_default()))).collect()))
        }
        Err(error) if error.is_code("InvalidAction") => Ok((arn, Attributes::new())),
        Err(error) => Err(error.context(format!("reading ELBv2 Listener ({arn}) attributes"))),
    }
}

async fn read_chunk(cx: &Cx<Aws>, priors: Vec<Listener>) -> Result<Vec<Option<Listener>>> {
    let listeners = describe(cx, priors.iter().map(|listener| listener.id.clone()).collect()).await?;
    let mut by_arn: HashMap<String, ElbListener> =
        listeners.into_iter().filter_map(|listener| Some((listener.listener_arn.clone()?, listener))).collect();
    let arns: Vec<String> = by_arn.keys().cloned().collect();
    let all = stream::iter(arns.clone()).map(|arn| attributes(cx, arn)).buffer_unordered(CONCURRENT).try_collect();
    let (mut attributes, mut tags): (HashMap<String, Attributes>, _) = futures::try_join!(all, tags(cx, &arns))?;
    let read = |prior: Listener| {
        let listener = by_arn.remove(&prior.id)?;
        let attributes = attributes.remove(&prior.id).unwrap_or_default();
        let tags_all = tags.remove(&prior.id).unwrap_or_default();
        Some(merged(Listener { tags_all, ..prior }, listener, &attributes))
    };
    Ok(priors.into_iter().map(read).collect())
}

fn merged(mut known: Listener, read: ElbListener, attributes: &Attributes) -> Listener {
    known.arn = Some(known.id.clone());
    if let Some(policy) = read.alpn_policy.unwrap_or_default().into_iter().next() {
        known.alpn_policy = Some(policy);
    }
    let certificates = read.certificates.unwrap_or_default().into_iter();
    let default = certificates.filter(|c| c.is_default != Some(false)).find_map(|c| c.certificate_arn);
    known.certificate_arn = default.or(known.certificate_arn.filter(|arn| arn.is_empty()));
    known.default_action = DefaultAction::all_of(read.default_actions, &known.default_action);
    known.load_balancer_arn = read.load_balancer_arn.unwrap_or_default();
    known.mutual_authentication = read.mutual_authentication.map(|mutual| MutualAuthentication {
        advertise_trust_store_ca_names: mutual.advertise_trust_store_ca_names.map(|names| names.as_str().to_owned()),
        ignore_client_certificate_expiry: Some(mutual.ignore_client_certificate_expiry.unwrap_or_default()),
        mode: mutual.mode.unwrap_or_default(),
        trust_store_arn: Some(mutual.trust_store_arn.unwrap_or_default()),
    });
    known.port = Some(read.port.map(i64::from).unwrap_or_default());
    known.protocol = Some(read.protocol.map(|protocol| protocol.as_str().to_owned()).unwrap_or_default());
    known.ssl_policy = Some(read.ssl_policy.unwrap_or_default());
    for (key, value) in known.headers() {
        *value = attributes.get(key).cloned().or_else(|| value.take());
    }
    let server = super::flag(attributes, SERVER);
    known.routing_http_response_server_enabled = server.or(known.routing_http_response_server_enabled);
    let timeout = super::number(attributes, IDLE_TIMEOUT);
    known.tcp_idle_timeout_seconds = timeout.or(known.tcp_idle_timeout_seconds);
    known
}
