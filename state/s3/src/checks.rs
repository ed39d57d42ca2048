//! What Terraform says of arguments before it uses them, in its words and its order.

use std::time::Duration;

use sdk::timeouts::{go_duration, parse_duration};
use serde_json::Value;
use state::backend::remote::{Finding, Settings};

use crate::arguments::ENDPOINT_ARGUMENTS;

/// Looks the arguments through.
pub(crate) fn check(settings: &Settings<'_>) -> Vec<Finding> {
    let mut checks = Checks { findings: Vec::new() };
    let text = |name: &str| settings.value(name).and_then(Value::as_str);
    for (name, rules) in [("bucket", BUCKET), ("key", KEY)] {
        match text(name) {
            None => checks.error(None, "Missing Required Value", missing(name)),
            Some(value) => checks.rules(name, value, rules),
        }
    }
    if text("region").is_none_or(str::is_empty)
        && ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().all(|name| settings.variable(name).is_none())
    {
        let detail = "The \"region\" attribute or the \"AWS_REGION\" or \"AWS_DEFAULT_REGION\" environment variables must \
                      be set.";
        checks.error(None, "Missing region value", detail.to_owned());
    }
    checks.exclusive(settings, ["kms_key_id", "sse_customer_key"]);
    for (name, rules) in [("kms_key_id", KMS_KEY), ("workspace_key_prefix", PREFIX)] {
        if let Some(value) = text(name) {
            checks.rules(name, value, rules);
        }
    }
    for (name, rules) in [("assume_role", ASSUME_ROLE), ("assume_role_with_web_identity", WEB_IDENTITY)] {
        if let Some(role) = settings.value(name) {
            checks.role(name, role, rules);
        }
    }
    checks.exclusive(settings, ["shared_credentials_file", "shared_credentials_files"]);
    checks.deprecated(settings, "shared_credentials_file", "shared_credentials_files");
    checks.endpoints(settings);
    checks.exclusive(settings, ["force_path_style", "use_path_style"]);
    checks.deprecated(settings, "force_path_style", "use_path_style");
    for (name, rules) in [("retry_mode", RETRY_MODE), ("ec2_metadata_service_endpoint_mode", METADATA_MODE)] {
        if let Some(value) = text(name) {
            checks.rules(name, value, rules);
        }
    }
    checks.exclusive(settings, ["allowed_account_ids", "forbidden_account_ids"]);
    if !checks.has_errors() {
        checks.values(settings);
    }
    checks.findings
}

/// What is wrong with a text: summary and detail.
type Rule = fn(&str) -> Option<(&'static str, String)>;

const BUCKET: &[Rule] = &[not_empty];
const KEY: &[Rule] = &[not_empty, no_slash_at_the_ends, no_double_slash];
const PREFIX: &[Rule] = &[no_slash_at_the_ends];
const KMS_KEY: &[Rule] = &[kms_key];
const URL: &[Rule] = &[complete_url];
const RETRY_MODE: &[Rule] = &[|text| {
    (!["standard", "adaptive"].contains(&text)).then(|| ("Invalid Value", format!("unknown RetryMode, {text}")))
}];
const METADATA_MODE: &[Rule] = &[|text| {
    (!["IPv4", "IPv6"].contains(&text)).then(|| ("Invalid Value", "Value must be one of [IPv4, IPv6]".to_owned()))
}];
const ROLE_NAME: &[Rule] = &[
    |text| length(text, 2, 64),
    |text| characters(text, "=,.@-", "Value can only contain letters, numbers, or the following characters: =,.@-"),
];
const TOKEN: &[Rule] = &[|text| length(text, 4, 20_000)];

/// The rules of a role's attributes; those of sets hold for each element.
type RoleRules = &'static [(&'static str, &'static [Rule])];

const ASSUME_ROLE: RoleRules = &[
    ("duration", &[role_duration]),
    (
        "external_id",
        &[
            |text| length(text, 2, 1224),
            |text| {
                characters(
                    text,
                    "=,.@:/-",
                    "Value can only contain letters, numbers, or the following characters: =,.@/-",
                )
            },
        ],
    ),
    ("policy", &[not_empty, policy]),
    ("policy_arns", &[policy_arn]),
    ("role_arn", &[role_arn]),
    ("session_name", ROLE_NAME),
    ("source_identity", ROLE_NAME),
];

const WEB_IDENTITY: RoleRules = &[
    ("duration", &[role_duration]),
    ("policy", &[not_empty, policy]),
    ("policy_arns", &[policy_arn]),
    ("role_arn", &[role_arn]),
    ("session_name", ROLE_NAME),
    ("web_identity_token", TOKEN),
    ("web_identity_token_file", TOKEN),
];

struct Checks {
    findings: Vec<Finding>,
}

impl Checks {
    fn error(&mut self, argument: Option<&'static str>, summary: &str, detail: String) {
        self.findings.push(Finding { is_error: true, argument, summary: summary.to_owned(), detail });
    }

    fn warning(&mut self, argument: Option<&'static str>, summary: &str, detail: String) {
        self.findings.push(Finding { is_error: false, argument, summary: summary.to_owned(), detail });
    }

    fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.is_error)
    }

    /// One rule after the other, until anything at all is wrong.
    fn rules(&mut self, argument: &'static str, value: &str, rules: &[Rule]) {
        for rule in rules {
            if let Some((summary, detail)) = rule(value) {
                self.error(Some(argument), summary, detail);
            }
            if self.has_errors() {
                return;
            }
        }
    }

    fn exclusive(&mut self, settings: &Settings<'_>, names: [&'static str; 2]) {
        if names.iter().all(|name| settings.value(name).is_some()) {
            let detail = format!("Only one of {} can be set.", names.join(", "));
            self.error(None, "Invalid Attribute Combination", detail);
        }
    }

    fn deprecated(&mut self, settings: &Settings<'_>, name: &'static str, replacement: &str) {
        if settings.value(name).is_some() {
            let detail = format!("The parameter \"{name}\" is deprecated. Use parameter \"{replacement}\" instead.");
            self.warning(Some(name), "Deprecated Parameter", detail);
        }
    }

    fn role(&mut self, argument: &'static str, role: &Value, rules: RoleRules) {
        let given = |name: &str| role.get(name).is_some_and(|value| !value.is_null());
        if argument == "assume_role_with_web_identity" {
            let names = ["web_identity_token", "web_identity_token_file"];
            match names.iter().filter(|name| given(name)).count() {
                1 => {}
                0 => {
                    let detail = format!("Exactly one of {} must be set.", names.join(", "));
                    self.error(Some(argument), "Missing Required Value", detail);
                }
                _ => {
                    let detail = format!("Only one of {} can be set.", names.join(", "));
                    self.error(Some(argument), "Invalid Attribute Combination", detail);
                }
            }
        }
        for (name, rules) in rules {
            match role.get(*name) {
                Some(Value::String(text)) => self.rules(argument, text, rules),
                Some(Value::Array(elements)) => {
                    for text in elements.iter().filter_map(Value::as_str) {
                        self.rules(argument, text, rules);
                    }
                }
                // States of other configurations name backends without a schema.
                _ if *name == "role_arn" => {
                    self.error(Some(argument), "Missing Required Value", missing(&format!("{argument}.role_arn")));
                }
                _ => {}
            }
        }
    }

    fn endpoints(&mut self, settings: &Settings<'_>) {
        let endpoints = settings.value("endpoints");
        let in_block = |service: &str| endpoints.and_then(|all| all.get(service)).and_then(Value::as_str);
        for endpoint in &ENDPOINT_ARGUMENTS {
            let replacement = format!("endpoints.{}", endpoint.service);
            self.deprecated(settings, endpoint.argument, &replacement);
            let alone = settings.value(endpoint.argument).and_then(Value::as_str);
            if let (Some(_), Some(_)) = (alone, in_block(endpoint.service)) {
                let detail = format!(
                    "The parameters \"{}\" and \"{replacement}\" cannot be configured together.",
                    endpoint.argument
                );
                self.error(None, "Conflicting Parameters", detail);
            }
            for (argument, url) in [("endpoints", in_block(endpoint.service)), (endpoint.argument, alone)] {
                if let Some(url) = url.filter(|url| complete_url(url).is_some()) {
                    let detail = format!(
                        "The value should be a valid URL containing at least a scheme and hostname. Had {url:?}.\n\nUsing an \
                         incomplete URL, such as a hostname only, may work, but may have unexpected behavior."
                    );
                    self.warning(Some(argument), "Complete URL Expected", detail);
                }
            }
        }
        if let Some(url) = in_block("sso") {
            self.rules("endpoints", url, URL);
        }
        let name = "ec2_metadata_service_endpoint";
        if let Some(url) = settings.value(name).and_then(Value::as_str) {
            self.rules(name, url, URL);
        }
        let mut variables: Vec<[&str; 2]> = ENDPOINT_ARGUMENTS.iter().map(|endpoint| endpoint.variables).collect();
        variables.push(["AWS_EC2_METADATA_SERVICE_ENDPOINT", "AWS_METADATA_URL"]);
        for [name, deprecated] in variables {
            if settings.variable(deprecated).is_some() {
                let detail = format!(
                    "The environment variable \"{deprecated}\" is deprecated. Use environment variable \"{name}\" instead."
                );
                self.warning(None, "Deprecated Environment Variable", detail);
            }
        }
    }

    /// What Terraform finds when it takes the values up.
    fn values(&mut self, settings: &Settings<'_>) {
        let text = |name: &str| settings.value(name).and_then(Value::as_str);
        let any_region = settings.value("skip_region_validation") == Some(&Value::Bool(true));
        if let Some(region) = text("region").filter(|region| !region.is_empty())
            && !any_region
            && !aws_session::is_region(region)
        {
            self.error(Some("region"), "Invalid region value", format!("Invalid AWS Region: {region}"));
            return;
        }
        let variable = settings.variable("AWS_SSE_CUSTOMER_KEY");
        if text("kms_key_id").is_some() && variable.is_some() {
            let detail = "Only one of \"kms_key_id\" and the environment variable \"AWS_SSE_CUSTOMER_KEY\" can be \
                          set.\n\nThe \"kms_key_id\" is used for encryption with KMS-Managed Keys (SSE-KMS)\nwhile \
                          \"AWS_SSE_CUSTOMER_KEY\" is used for encryption with customer-managed keys (SSE-C).\nPlease choose \
                          one or the other.";
            self.error(None, "Invalid encryption configuration", detail.to_owned());
        }
        let (argument, name, subject, key) = match (text("sse_customer_key"), variable) {
            (Some(key), _) => (Some("sse_customer_key"), "sse_customer_key", "sse_customer_key".to_owned(), key),
            (None, Some(key)) => {
                let name = "AWS_SSE_CUSTOMER_KEY";
                (None, name, format!("The environment variable \"{name}\""), key)
            }
            (None, None) => return,
        };
        let summary = format!("Invalid {name} value");
        if key.len() != 44 {
            self.error(argument, &summary, format!("{subject} must be 44 characters in length"));
        } else if crate::config::customer_key(key).is_none() {
            self.error(argument, &summary, format!("{subject} must be base64 encoded"));
        }
    }
}

fn missing(name: &str) -> String {
    format!(
        "The attribute {name:?} is required by the backend.\n\nRefer to the backend documentation for additional information \
         which attributes are required."
    )
}

fn not_empty(text: &str) -> Option<(&'static str, String)> {
    text.trim().is_empty().then(|| ("Invalid Value", "The value cannot be empty or all whitespace".to_owned()))
}

/// S3 drops a slash at the start, and takes what ends with one for a folder.
fn no_slash_at_the_ends(text: &str) -> Option<(&'static str, String)> {
    (text.starts_with('/') || text.ends_with('/'))
        .then(|| ("Invalid Value", "The value must not start or end with \"/\"".to_owned()))
}

fn no_double_slash(text: &str) -> Option<(&'static str, String)> {
    text.contains("//").then(|| ("Invalid Value", "Value must not contain \"//\"".to_owned()))
}

fn complete_url(text: &str) -> Option<(&'static str, String)> {
    let complete = text
        .split_once("://")
        .is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.starts_with(['/', '?', '#']) && !rest.is_empty());
    let detail = || format!("The value must be a valid URL containing at least a scheme and hostname. Had {text:?}");
    (!complete).then(|| ("Invalid Value", detail()))
}

fn length(text: &str, least: usize, most: usize) -> Option<(&'static str, String)> {
    let detail = || format!("Length must be between {least} and {most}, had {}", text.len());
    (!(least..=most).contains(&text.len())).then(|| ("Invalid Value Length", detail()))
}

fn characters(text: &str, others: &str, detail: &str) -> Option<(&'static str, String)> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '+' || others.contains(c);
    (!text.chars().all(fits)).then(|| ("Invalid Value", detail.to_owned()))
}

fn role_duration(text: &str) -> Option<(&'static str, String)> {
    const SHORTEST: Duration = Duration::from_secs(15 * 60);
    const LONGEST: Duration = Duration::from_secs(12 * 3600);
    let Some(duration) = parse_duration(text) else {
        let detail = format!("The value {text:?} cannot be parsed as a duration: time: invalid duration {text:?}");
        return Some(("Invalid Duration", detail));
    };
    if (SHORTEST..=LONGEST).contains(&duration) {
        return None;
    }
    let [shortest, longest, had] = [SHORTEST, LONGEST, duration].map(go_duration);
    Some(("Invalid Duration", format!("Duration must be between {shortest} and {longest}, had {had}")))
}

fn policy(text: &str) -> Option<(&'static str, String)> {
    let text = text.trim();
    if !text.starts_with('{') {
        let kind = if text.starts_with('"') { ", had a JSON-encoded string." } else { "" };
        let detail = format!("Expected a JSON object describing the policy{kind}");
        return Some(("Invalid IAM Policy Document", detail));
    }
    let error = serde_json::from_str::<Value>(text).err()?;
    Some(("Invalid JSON Document", format!("The JSON document contains an error: {error}")))
}

/// The resource of an ARN: what follows its account.
fn resource(arn: &str) -> Result<&str, (&'static str, String)> {
    let problem = |why: &str| ("Invalid ARN", format!("The value {arn:?} cannot be parsed as an ARN: arn: {why}"));
    if !arn.starts_with("arn:") {
        return Err(problem("invalid prefix"));
    }
    arn.splitn(6, ':').nth(5).ok_or_else(|| problem("not enough sections"))
}

fn role_arn(text: &str) -> Option<(&'static str, String)> {
    match resource(text) {
        Ok(resource) if resource.starts_with("role/") => None,
        Ok(_) => Some(("Invalid IAM Role ARN", format!("Value must be a valid IAM Role ARN, got {text:?}"))),
        Err(problem) => Some(problem),
    }
}

fn policy_arn(text: &str) -> Option<(&'static str, String)> {
    match resource(text) {
        Ok(resource) if resource.starts_with("policy/") => None,
        Ok(_) => Some(("Invalid IAM Policy ARN", format!("Value must be a valid IAM Policy ARN, got {text:?}"))),
        Err(problem) => Some(problem),
    }
}

fn kms_key(text: &str) -> Option<(&'static str, String)> {
    if text.starts_with("arn:") {
        let fits = resource(text).is_ok_and(|resource| {
            let key = resource.strip_prefix("key/");
            is_alias(resource) || key.is_some_and(|key| is_uuid(key) || is_multi_region_key(key))
        });
        return (!fits).then(|| ("Invalid KMS Key ARN", format!("Value must be a valid KMS Key ARN, got {text:?}")));
    }
    let fits = is_uuid(text) || is_multi_region_key(text) || is_alias(text);
    (!fits).then(|| ("Invalid KMS Key ID", format!("Value must be a valid KMS Key ID, got {text:?}")))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]) && parts.iter().all(|part| is_hex(part))
}

fn is_multi_region_key(text: &str) -> bool {
    text.strip_prefix("mrk-").is_some_and(|id| id.len() == 32 && is_hex(id))
}

fn is_alias(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte);
    text.strip_prefix("alias/").is_some_and(|name| !name.is_empty() && name.bytes().all(fits))
}
