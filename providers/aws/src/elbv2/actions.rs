//! What listeners and their rules do with a request.
//!
//! `default_action` of a listener and `action` of a rule differ in one thing: of a rule's authentication only little is
//! computed.

use aws_sdk_elasticloadbalancingv2::types::{
    Action as ElbAction, ActionTypeEnum, AuthenticateCognitoActionConditionalBehaviorEnum,
    AuthenticateCognitoActionConfig, AuthenticateOidcActionConditionalBehaviorEnum, AuthenticateOidcActionConfig,
    FixedResponseActionConfig, ForwardActionConfig, RedirectActionConfig, RedirectActionStatusCodeEnum,
    TargetGroupStickinessConfig, TargetGroupTuple,
};
use sdk::{Check, Model, Plan, Str, Tags, Value};

use crate::checks::ARN;

const ACTION_TYPES: [&str; 5] = ["forward", "authenticate-oidc", "authenticate-cognito", "redirect", "fixed-response"];

/// Checks that every action has the block of its type. `name` is what the actions are called.
pub(crate) fn check(plan: &mut Plan<'_>, name: &str) {
    let actions = plan.config(name);
    for (index, action) in actions.elements().unwrap_or_default().iter().enumerate() {
        let Some(kind) = action.get("type").and_then(Value::as_str).map(|kind| kind.as_str()) else { continue };
        // What is unknown may be there.
        let given = |part: &str| {
            action.get(part).is_some_and(|value| !value.is_known() || !(value.is_null() || value.length() == Some(0)))
        };
        let (missing, what) = match kind {
            "forward" => {
                let parts = [format!("{name}[{index}].target_group_arn"), format!("{name}[{index}].forward")];
                let what = format!("Either {:?} or {:?} must be specified", parts[0], parts[1]);
                (!given("target_group_arn") && !given("forward"), what)
            }
            "authenticate-cognito" | "authenticate-oidc" | "fixed-response" | "redirect" => {
                let block = kind.replace('-', "_");
                let what = format!("Attribute {:?} must be specified", format!("{name}[{index}].{block}"));
                (!given(&block), what)
            }
            _ => continue,
        };
        if missing {
            let path = format!("{name}[{index}].type");
            let wrong = super::combination(format!("{what} when {path:?} is {kind:?}."), &path);
            plan.diagnostics.push(wrong.into_diagnostic());
        }
    }
}

/// Parts of an action that belong to one type, and the type.
const PARTS: [(&str, &str); 5] = [
    ("authenticate_cognito", "authenticate-cognito"),
    ("authenticate_oidc", "authenticate-oidc"),
    ("fixed_response", "fixed-response"),
    ("redirect", "redirect"),
    ("target_group_arn", "forward"),
];

/// What belongs to a type that an action doesn't have is not looked at: it stays as it is, whatever is configured. So does the
/// stickiness of a `forward` block that says nothing of it. `name` is what the actions are called.
pub(crate) fn keep_what_is_not_meant(plan: &mut Plan<'_>, name: &str) {
    let of_rule = name == "action";
    let (prior, planned) = (plan.prior(name), plan.planned(name));
    let (Some(before), Some(after)) = (prior.elements(), planned.elements()) else { return };
    let kept = |(index, action): (usize, &Value)| {
        let kind = action.get("type").and_then(Value::as_str);
        let (Some(kind), Some(before), Some(entries)) = (kind, before.get(index), action.entries()) else {
            return action.clone();
        };
        let others = PARTS.iter().filter(|(_, of)| *of != kind.as_str());
        let kept = others.filter_map(|(part, _)| Some((Str::from(*part), before.get(part)?.clone())));
        let forward = if of_rule {
            with_stickiness(before, action).or_else(|| left_of_forward(before, action))
        } else if kind.as_str() == "forward" {
            with_stickiness(before, action)
        } else {
            before.get("forward").cloned()
        };
        Value::object(entries.with(kept.chain(forward.map(|forward| (Str::new_static("forward"), forward)))))
    };
    let actions: Vec<Value> = after.iter().enumerate().map(kept).collect();
    if let Some(element) = actions.first().map(Value::ty) {
        plan.set(name, Value::list(element, actions));
    }
}

/// What Terraform leaves of a rule's `forward` block that is not configured any more: all of one with one target group, of others
/// all but the groups.
fn left_of_forward(before: &Value, action: &Value) -> Option<Value> {
    let forward = before.get("forward")?;
    let block = forward.elements()?.first()?;
    if action.get("forward")?.length() != Some(0) {
        return None;
    }
    let groups = block.get("target_group")?;
    if groups.length() == Some(1) {
        return Some(forward.clone());
    }
    let none = Value::set(groups.elements()?.first()?.ty(), []);
    let left = Value::object(block.entries()?.with([(Str::new_static("target_group"), none)]));
    Some(Value::list(left.ty(), [left]))
}

/// The `forward` block of an action with the stickiness that it had, if it says nothing of it.
fn with_stickiness(before: &Value, action: &Value) -> Option<Value> {
    let forward = |action: &Value| action.get("forward")?.elements()?.first().cloned();
    let (before, after) = (forward(before)?, forward(action)?);
    let kept = before.get("stickiness").filter(|_| after.get("stickiness").and_then(Value::length) == Some(0))?;
    let forward = Value::object(after.entries()?.with([(Str::new_static("stickiness"), kept.clone())]));
    Some(Value::list(forward.ty(), [forward]))
}

fn status_code(key: &str, text: &str) -> Vec<String> {
    let code = text.len() == 3 && text.starts_with(['2', '4', '5']) && text.bytes().all(|b| b.is_ascii_digit());
    if code {
        return Vec::new();
    }
    vec![format!(r#"expected value of {key} to match regular expression "^[245]\\d\\d$", got {text}"#)]
}

/// `fixed_response { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct FixedResponse {
    #[attr(required, valid = Check::OneOf(&["text/plain", "text/css", "text/html", "application/javascript", "application/json"]))]
    content_type: String,
    #[attr(optional, valid = Check::Length(0, 1024))]
    message_body: Option<String>,
    #[attr(optional, computed, valid = Check::Text(status_code))]
    status_code: Option<String>,
}

/// `redirect { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct Redirect {
    #[attr(optional, default = "#{host}", valid = Check::Length(1, 128))]
    host: Option<String>,
    #[attr(optional, default = "/#{path}", valid = Check::Length(1, 128))]
    path: Option<String>,
    #[attr(optional, default = "#{port}")]
    port: Option<String>,
    #[attr(optional, default = "#{protocol}", valid = Check::OneOf(&["#{protocol}", "HTTP", "HTTPS"]))]
    protocol: Option<String>,
    #[attr(optional, default = "#{query}", valid = Check::Length(0, 128))]
    query: Option<String>,
    #[attr(required, valid = Check::Enum(&["HTTP_301", "HTTP_302"]))]
    status_code: String,
}

/// `forward { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct Forward {
    #[block(list, max = 1)]
    stickiness: Option<ForwardStickiness>,
    #[block(set, min = 1, max = 5)]
    target_group: Vec<ForwardTargetGroup>,
}

/// `stickiness { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct ForwardStickiness {
    #[attr(required, valid = Check::Between(1, 604800))]
    duration: i64,
    #[attr(optional, default = false)]
    enabled: Option<bool>,
}

/// `target_group { … }`
#[derive(Clone, Debug, Default, PartialEq, Model)]
pub struct ForwardTargetGroup {
    #[attr(required, valid = ARN)]
    arn: String,
    #[attr(optional, default = 1, valid = Check::Between(0, 999))]
    weight: Option<i64>,
}

/// Defines an action with its blocks; the flags are those of the authentication's optional attributes.
macro_rules! action {
    ($action:ident, $cognito:ident, $oidc:ident, ($($computed:ident)?)) => {
        /// An action.
        #[derive(Clone, Debug, Default, PartialEq, Model)]
        pub struct $action {
            #[attr(optional, computed, valid = Check::Between(1, 50_000))]
            order: Option<i64>,
            #[attr(optional, valid = ARN)]
            target_group_arn: Option<String>,
            #[attr(required, valid = Check::Enum(&ACTION_TYPES))]
            r#type: String,
            #[block(list, max = 1)]
            authenticate_cognito: Option<$cognito>,
            #[block(list, max = 1)]
            authenticate_oidc: Option<$oidc>,
            #[block(list, max = 1)]
            fixed_response: Option<FixedResponse>,
            #[block(list, max = 1)]
            forward: Option<Forward>,
            #[block(list, max = 1)]
            redirect: Option<Redirect>,
        }

        /// `authenticate_cognito { … }`
        #[derive(Clone, Debug, Default, PartialEq, Model)]
        pub struct $cognito {
            #[attr(optional)]
            authentication_request_extra_params: Option<Tags>,
            #[attr(optional, computed, valid = Check::Enum(&["deny", "allow", "authenticate"]))]
            on_unauthenticated_request: Option<String>,
            #[attr(optional $(, $computed)?)]
            scope: Option<String>,
            #[attr(optional $(, $computed)?)]
            session_cookie_name: Option<String>,
            #[attr(optional $(, $computed)?)]
            session_timeout: Option<i64>,
            #[attr(required, valid = ARN)]
            user_pool_arn: String,
            #[attr(required)]
            user_pool_client_id: String,
            #[attr(required)]
            user_pool_domain: String,
        }

        /// `authenticate_oidc { … }`
        #[derive(Clone, Debug, Default, PartialEq, Model)]
        pub struct $oidc {
            #[attr(optional)]
            authentication_request_extra_params: Option<Tags>,
            #[attr(required)]
            authorization_endpoint: String,
            #[attr(required)]
            client_id: String,
            #[attr(required, sensitive)]
            client_secret: String,
            #[attr(required)]
            issuer: String,
            #[attr(optional, computed, valid = Check::Enum(&["deny", "allow", "authenticate"]))]
            on_unauthenticated_request: Option<String>,
            #[attr(optional $(, $computed)?)]
            scope: Option<String>,
            #[attr(optional $(, $computed)?)]
            session_cookie_name: Option<String>,
            #[attr(optional $(, $computed)?)]
            session_timeout: Option<i64>,
            #[attr(required)]
            token_endpoint: String,
            #[attr(required)]
            user_info_endpoint: String,
        }

        impl $action {
            /// For the call; `index` is its place among its like.
            pub(super) fn to_api(&self, index: usize) -> ElbAction {
                let order = self.order.filter(|order| *order != 0).or_else(|| i64::try_from(index + 1).ok());
                let kind = ActionTypeEnum::from(self.r#type.as_str());
                let forwards = kind == ActionTypeEnum::Forward;
                let group = self.target_group_arn.clone().filter(|arn| forwards && !arn.is_empty());
                // What is left of another type isn't meant.
                let is = |of: ActionTypeEnum| kind == of;
                let cognito = self.authenticate_cognito.as_ref().filter(|_| is(ActionTypeEnum::AuthenticateCognito));
                let cognito = cognito.map(|auth| {
                    AuthenticateCognitoActionConfig::builder()
                        .set_authentication_request_extra_params(params(&auth.authentication_request_extra_params))
                        .set_on_unauthenticated_request(
                            given(&auth.on_unauthenticated_request)
                                .as_deref()
                                .map(AuthenticateCognitoActionConditionalBehaviorEnum::from),
                        )
                        .set_scope(given(&auth.scope))
                        .set_session_cookie_name(given(&auth.session_cookie_name))
                        .set_session_timeout(auth.session_timeout.filter(|seconds| *seconds != 0))
                        .user_pool_arn(&auth.user_pool_arn)
                        .user_pool_client_id(&auth.user_pool_client_id)
                        .user_pool_domain(&auth.user_pool_domain)
                        .build()
                });
                let oidc = self.authenticate_oidc.as_ref().filter(|_| is(ActionTypeEnum::AuthenticateOidc));
                let oidc = oidc.map(|auth| {
                    AuthenticateOidcActionConfig::builder()
                        .set_authentication_request_extra_params(params(&auth.authentication_request_extra_params))
                        .authorization_endpoint(&auth.authorization_endpoint)
                        .client_id(&auth.client_id)
                        .client_secret(&auth.client_secret)
                        .issuer(&auth.issuer)
                        .set_on_unauthenticated_request(
                            given(&auth.on_unauthenticated_request)
                                .as_deref()
                                .map(AuthenticateOidcActionConditionalBehaviorEnum::from),
                        )
                        .set_scope(given(&auth.scope))
                        .set_session_cookie_name(given(&auth.session_cookie_name))
                        .set_session_timeout(auth.session_timeout.filter(|seconds| *seconds != 0))
                        .token_endpoint(&auth.token_endpoint)
                        .user_info_endpoint(&auth.user_info_endpoint)
                        .build()
                });
                let forward = self.forward.as_ref().filter(|_| forwards && group.is_none()).map(Forward::to_api);
                let fixed = self.fixed_response.as_ref().filter(|_| is(ActionTypeEnum::FixedResponse));
                let redirect = self.redirect.as_ref().filter(|_| is(ActionTypeEnum::Redirect));
                ElbAction::builder()
                    .set_order(order.and_then(|order| i32::try_from(order).ok()))
                    .set_target_group_arn(group)
                    .set_authenticate_cognito_config(cognito)
                    .set_authenticate_oidc_config(oidc)
                    .set_fixed_response_config(fixed.map(FixedResponse::to_api))
                    .set_forward_config(forward)
                    .set_redirect_config(redirect.map(Redirect::to_api))
                    .r#type(kind)
                    .build()
            }

            /// What the API reports, as the known action at the same place is written.
            pub(super) fn of(read: &ElbAction, known: Option<&$action>) -> $action {
                // One target group is reported in both ways.
                let in_block = known.is_some_and(|known| known.forward.is_some());
                let by_arn = known.is_some_and(|known| given(&known.target_group_arn).is_some());
                let forward = read.forward_config.as_ref().map(Forward::of);
                let weighted = forward.as_ref().is_some_and(|forward| forward.target_group.len() > 1);
                let forward = forward.filter(|_| in_block || known.is_none() || weighted && !by_arn);
                let group = read.target_group_arn.clone().filter(|_| !in_block || by_arn);
                let secret = known.and_then(|known| known.authenticate_oidc.as_ref());
                let secret = secret.map(|auth| auth.client_secret.clone()).unwrap_or_default();
                let text = |text: &Option<String>| text.clone().unwrap_or_default();
                $action {
                    order: read.order.map(i64::from),
                    target_group_arn: Some(group.unwrap_or_default()),
                    r#type: read.r#type.as_ref().map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
                    authenticate_cognito: read.authenticate_cognito_config.as_ref().map(|auth| $cognito {
                        authentication_request_extra_params: read_params(&auth.authentication_request_extra_params),
                        on_unauthenticated_request: auth
                            .on_unauthenticated_request
                            .as_ref()
                            .map(|behaviour| behaviour.as_str().to_owned()),
                        scope: auth.scope.clone(),
                        session_cookie_name: auth.session_cookie_name.clone(),
                        session_timeout: auth.session_timeout,
                        user_pool_arn: text(&auth.user_pool_arn),
                        user_pool_client_id: text(&auth.user_pool_client_id),
                        user_pool_domain: text(&auth.user_pool_domain),
                    }),
                    authenticate_oidc: read.authenticate_oidc_config.as_ref().map(|auth| $oidc {
                        authentication_request_extra_params: read_params(&auth.authentication_request_extra_params),
                        authorization_endpoint: text(&auth.authorization_endpoint),
                        client_id: text(&auth.client_id),
                        // Never reported.
                        client_secret: secret,
                        issuer: text(&auth.issuer),
                        on_unauthenticated_request: auth
                            .on_unauthenticated_request
                            .as_ref()
                            .map(|behaviour| behaviour.as_str().to_owned()),
                        scope: auth.scope.clone(),
                        session_cookie_name: auth.session_cookie_name.clone(),
                        session_timeout: auth.session_timeout,
                        token_endpoint: text(&auth.token_endpoint),
                        user_info_endpoint: text(&auth.user_info_endpoint),
                    }),
                    fixed_response: read.fixed_response_config.as_ref().map(FixedResponse::of),
                    forward,
                    redirect: read.redirect_config.as_ref().map(Redirect::of),
                }
            }

            /// All actions of a listener or rule, in their order.
            pub(super) fn all_of(read: Option<Vec<ElbAction>>, known: &[$action]) -> Vec<$action> {
                let mut read = read.unwrap_or_default();
                read.sort_by_key(|action| action.order);
                let of = |(index, action): (usize, &ElbAction)| {
                    let mut action = $action::of(action, known.get(index));
                    let place = i64::try_from(index + 1).ok();
                    action.order = action.order.or(place);
                    action
                };
                read.iter().enumerate().map(of).collect()
            }
        }
    };
}

action!(DefaultAction, DefaultCognito, DefaultOidc, (computed));
action!(RuleAction, RuleCognito, RuleOidc, ());

fn given(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| !text.is_empty())
}

type Params = std::collections::HashMap<String, String>;

fn params(params: &Option<Tags>) -> Option<Params> {
    params.as_ref().filter(|params| !params.is_empty()).map(|params| params.clone().into_iter().collect())
}

fn read_params(params: &Option<Params>) -> Option<Tags> {
    params.as_ref().map(|params| params.clone().into_iter().collect())
}

impl FixedResponse {
    fn to_api(&self) -> FixedResponseActionConfig {
        FixedResponseActionConfig::builder()
            .content_type(&self.content_type)
            .set_message_body(self.message_body.clone())
            .set_status_code(given(&self.status_code))
            .build()
    }

    fn of(read: &FixedResponseActionConfig) -> FixedResponse {
        FixedResponse {
            content_type: read.content_type.clone().unwrap_or_default(),
            message_body: Some(read.message_body.clone().unwrap_or_default()),
            status_code: read.status_code.clone(),
        }
    }
}

impl Redirect {
    fn to_api(&self) -> RedirectActionConfig {
        RedirectActionConfig::builder()
            .set_host(self.host.clone())
            .set_path(self.path.clone())
            .set_port(self.port.clone())
            .set_protocol(self.protocol.clone())
            .set_query(self.query.clone())
            .status_code(RedirectActionStatusCodeEnum::from(self.status_code.as_str()))
            .build()
    }

    fn of(read: &RedirectActionConfig) -> Redirect {
        let text = |text: &Option<String>| Some(text.clone().unwrap_or_default());
        Redirect {
            host: text(&read.host),
            path: text(&read.path),
            port: text(&read.port),
            protocol: text(&read.protocol),
            query: text(&read.query),
            status_code: read.status_code.as_ref().map(|code| code.as_str().to_owned()).unwrap_or_default(),
        }
    }
}

impl Forward {
    fn to_api(&self) -> ForwardActionConfig {
        let small = |number: i64| i32::try_from(number).ok();
        let groups = self.target_group.iter().map(|group| {
            let weight = group.weight.and_then(small);
            TargetGroupTuple::builder().target_group_arn(&group.arn).set_weight(weight).build()
        });
        let stickiness = self.stickiness.as_ref().map(|stickiness| {
            TargetGroupStickinessConfig::builder()
                .set_duration_seconds(small(stickiness.duration))
                .set_enabled(stickiness.enabled)
                .build()
        });
        ForwardActionConfig::builder()
            .set_target_groups(Some(groups.collect()))
            .set_target_group_stickiness_config(stickiness)
            .build()
    }

    fn of(read: &ForwardActionConfig) -> Forward {
        let groups = read.target_groups.iter().flatten().map(|group| ForwardTargetGroup {
            arn: group.target_group_arn.clone().unwrap_or_default(),
            weight: group.weight.map(i64::from).or(Some(1)),
        });
        Forward {
            stickiness: read.target_group_stickiness_config.as_ref().map(|stickiness| ForwardStickiness {
                duration: stickiness.duration_seconds.map(i64::from).unwrap_or_default(),
                enabled: Some(stickiness.enabled.unwrap_or_default()),
            }),
            target_group: groups.collect(),
        }
    }
}
