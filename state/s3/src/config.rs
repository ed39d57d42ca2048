//! What the arguments come to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use aws_session::{AssumeRole, AssumeRoleWithWebIdentity, CustomEndpoints, Metadata};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest, Md5};
use sdk::timeouts::parse_duration;
use serde_json::Value;
use state::Codec;
use state::backend::remote::{ConfigError, Settings};

use crate::arguments::{DYNAMODB, Endpoint, S3, STS};

/// What the arguments come to.
pub(crate) struct Config {
    pub bucket: String,
    pub key: String,
    /// `workspace_key_prefix`
    pub prefix: String,
    pub acl: Option<String>,
    pub encryption: Encryption,
    /// Whether locks are files beside the states.
    pub lock_file: bool,
    /// The table of locks and checksums.
    pub table: Option<String>,
    pub checksums: bool,
    pub path_style: bool,
    pub s3_url: Option<String>,
    pub dynamodb_url: Option<String>,
    /// Whether nobody is to be asked who we are.
    pub skip_identity: bool,
    pub allowed_account_ids: Vec<String>,
    pub forbidden_account_ids: Vec<String>,
    pub session: aws_session::Settings,
    pub journal_folder: PathBuf,
    pub codec: Codec,
}

/// How objects are encrypted.
pub(crate) enum Encryption {
    /// As the bucket says.
    Default,
    /// With the service's key.
    Managed,
    /// With this key of KMS.
    Kms(String),
    /// With a key of ours: the key and its MD5, in base64.
    Customer { key: String, md5: String },
}

impl Config {
    pub(crate) fn new(settings: &Settings<'_>) -> Result<Config, ConfigError> {
        let required = |name: &'static str| {
            let reason = || format!("{name} is required");
            settings.text(name).ok_or_else(|| ConfigError { argument: Some(name), reason: reason() })
        };
        let encryption = match (settings.flag("encrypt")?, settings.text("kms_key_id")) {
            (false, _) => Encryption::Default,
            (true, Some(key)) => Encryption::Kms(key),
            (true, None) => match settings.text("sse_customer_key").as_deref().and_then(customer_key) {
                Some((key, md5)) => Encryption::Customer { key, md5 },
                None => Encryption::Managed,
            },
        };
        let table = settings.text("dynamodb_table");
        let path_style = settings.flag("use_path_style")? || settings.flag("force_path_style")?;
        let skip_identity =
            settings.flag("skip_credentials_validation")? && settings.flag("skip_requesting_account_id")?;
        let (s3_url, dynamodb_url, sts_url) =
            (endpoint(settings, &S3), endpoint(settings, &DYNAMODB), endpoint(settings, &STS));
        let mut session = session(settings)?;
        let asks_sts =
            !skip_identity || !session.assume_role.is_empty() || !session.assume_role_with_web_identity.is_empty();
        session.endpoints = CustomEndpoints {
            urls: [&s3_url, &dynamodb_url, &sts_url].into_iter().flatten().cloned().collect(),
            complete: s3_url.is_some()
                && (table.is_none() || dynamodb_url.is_some())
                && (!asks_sts || sts_url.is_some()),
            sts: sts_url,
            sso: in_object(settings, "endpoints", "sso")
                .or_else(|| settings.variable("AWS_ENDPOINT_URL_SSO").map(str::to_owned)),
        };
        Ok(Config {
            bucket: required("bucket")?,
            key: required("key")?,
            prefix: match settings.value("workspace_key_prefix").and_then(Value::as_str) {
                Some(prefix) => prefix.to_owned(),
                None => "env:".to_owned(),
            },
            acl: settings.text("acl"),
            encryption,
            lock_file: settings.flag("use_lockfile")?,
            table,
            checksums: !settings.flag("skip_s3_checksum")?,
            path_style,
            s3_url,
            dynamodb_url,
            skip_identity,
            allowed_account_ids: texts(settings.value("allowed_account_ids")).unwrap_or_default(),
            forbidden_account_ids: texts(settings.value("forbidden_account_ids")).unwrap_or_default(),
            session,
            journal_folder: settings.surroundings.journal_folder.clone(),
            codec: settings.surroundings.codec.clone(),
        })
    }

    /// The object of a workspace's state.
    pub(crate) fn object(&self, workspace: &str) -> String {
        if workspace == state::backend::local::DEFAULT_WORKSPACE {
            return self.key.clone();
        }
        join(&[&self.prefix, workspace, &self.key])
    }

    /// The workspace whose state an object is, if it is one.
    pub(crate) fn workspace<'a>(&self, object: &'a str) -> Option<&'a str> {
        let rest = match self.prefix.as_str() {
            "" => object,
            prefix => object.strip_prefix(prefix)?.strip_prefix('/')?,
        };
        let (workspace, key) = rest.split_once('/')?;
        (key == self.key && !workspace.is_empty()).then_some(workspace)
    }
}

/// Joins paths as Go does: without empty segments, and with `.` and `..` resolved.
fn join(parts: &[&str]) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in parts.iter().flat_map(|part| part.split('/')) {
        match segment {
            "" | "." => {}
            ".." if segments.last().is_some_and(|last| *last != "..") => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    segments.join("/")
}

/// A key for SSE-C and its MD5, both in base64; `None` if it isn't one.
pub(crate) fn customer_key(text: &str) -> Option<(String, String)> {
    let key = BASE64_STANDARD.decode(text).ok()?;
    Some((BASE64_STANDARD.encode(&key), BASE64_STANDARD.encode(Md5::digest(&key))))
}

fn endpoint(settings: &Settings<'_>, endpoint: &Endpoint) -> Option<String> {
    in_object(settings, "endpoints", endpoint.service)
        .or_else(|| settings.text(endpoint.argument))
        .or_else(|| endpoint.variables.iter().find_map(|name| settings.variable(name)).map(str::to_owned))
}

fn in_object(settings: &Settings<'_>, argument: &str, attribute: &str) -> Option<String> {
    text(settings.value(argument)?, attribute)
}

fn text(object: &Value, attribute: &str) -> Option<String> {
    object.get(attribute)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn texts(value: Option<&Value>) -> Option<Vec<String>> {
    Some(value?.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

fn set(object: &Value, attribute: &str) -> BTreeSet<String> {
    texts(object.get(attribute)).unwrap_or_default().into_iter().collect()
}

/// Files of an argument, or the one of its variable.
fn files(settings: &Settings<'_>, argument: &str) -> Option<Vec<String>> {
    texts(settings.value(argument)).or_else(|| Some(vec![settings.text(argument)?]))
}

/// How AWS is reached, by the arguments that say so. Endpoints are the caller's business.
///
/// # Errors
/// Values of another type.
pub fn session(settings: &Settings<'_>) -> Result<aws_session::Settings, ConfigError> {
    let flag = |name: &'static str, variable: &str| match settings.value(name) {
        Some(_) => settings.flag(name),
        None => Ok(settings.variable(variable).is_some()),
    };
    let metadata = Metadata {
        disabled: settings.flag("skip_metadata_api_check")?,
        endpoint: settings
            .text("ec2_metadata_service_endpoint")
            .or_else(|| settings.variable("AWS_METADATA_URL").map(str::to_owned)),
        ipv6: settings.text("ec2_metadata_service_endpoint_mode").as_deref() == Some("IPv6"),
    };
    let credentials_file = settings.text("shared_credentials_file").map(|file| vec![file]);
    // Terraform's number of retries counts the first attempt.
    let attempts = settings.value("max_retries").map(|_| settings.number("max_retries", 5)).transpose()?;
    Ok(aws_session::Settings {
        access_key: settings.text("access_key"),
        secret_key: settings.text("secret_key"),
        token: settings.text("token"),
        profile: settings.text("profile"),
        region: settings.text("region"),
        shared_config_files: files(settings, "shared_config_files"),
        shared_credentials_files: credentials_file.or_else(|| files(settings, "shared_credentials_files")),
        custom_ca_bundle: settings.text("custom_ca_bundle"),
        http_proxy: settings.text("http_proxy"),
        https_proxy: settings.text("https_proxy"),
        no_proxy: settings.text("no_proxy"),
        insecure: settings.flag("insecure")?,
        attempts,
        default_attempts: 5,
        retry_mode: settings.text("retry_mode"),
        sts_region: settings.text("sts_region"),
        use_dualstack_endpoint: flag("use_dualstack_endpoint", "AWS_USE_DUALSTACK_ENDPOINT")?,
        use_fips_endpoint: flag("use_fips_endpoint", "AWS_USE_FIPS_ENDPOINT")?,
        skip_region_validation: settings.flag("skip_region_validation")?,
        metadata,
        assume_role: settings.value("assume_role").map(assume_role).into_iter().collect(),
        assume_role_with_web_identity: settings
            .value("assume_role_with_web_identity")
            .map(assume_role_with_web_identity)
            .into_iter()
            .collect(),
        ..aws_session::Settings::default()
    })
}

fn assume_role(role: &Value) -> AssumeRole {
    let tags = role.get("tags").and_then(Value::as_object).into_iter().flatten();
    AssumeRole {
        duration: text(role, "duration").as_deref().and_then(parse_duration),
        external_id: text(role, "external_id"),
        policy: text(role, "policy").map(|policy| policy.trim().to_owned()),
        policy_arns: set(role, "policy_arns"),
        role_arn: text(role, "role_arn").unwrap_or_default(),
        session_name: text(role, "session_name"),
        source_identity: text(role, "source_identity"),
        tags: tags
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect::<BTreeMap<_, _>>(),
        transitive_tag_keys: set(role, "transitive_tag_keys"),
    }
}

fn assume_role_with_web_identity(role: &Value) -> AssumeRoleWithWebIdentity {
    AssumeRoleWithWebIdentity {
        duration: text(role, "duration").as_deref().and_then(parse_duration),
        policy: text(role, "policy").map(|policy| policy.trim().to_owned()),
        policy_arns: set(role, "policy_arns"),
        role_arn: text(role, "role_arn").unwrap_or_default(),
        session_name: text(role, "session_name"),
        web_identity_token: text(role, "web_identity_token"),
        web_identity_token_file: text(role, "web_identity_token_file"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_as_in_go() {
        assert_eq!(join(&["env:", "a", "x/./y/../z.tfstate"]), "env:/a/x/z.tfstate");
        assert_eq!(join(&["", "a", "k"]), "a/k");
        assert_eq!(join(&["w/", "a", "../../../k"]), "../k");
    }

    #[test]
    fn a_customer_key_has_a_checksum() {
        let (key, md5) = customer_key("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=").unwrap();
        assert_eq!((key.len(), md5.as_str()), (44, "KYvwGXoFFJ42a2u2GDWhwQ=="));
        assert!(customer_key("?").is_none());
    }
}
