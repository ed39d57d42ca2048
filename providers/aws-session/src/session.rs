//! A session: what clients of services are made from.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};

use crate::credentials::{self, Sts};
use crate::errors::{CallError, SessionError, call};
use crate::http::{self, Endpoints};
use crate::settings::Settings;

/// Credentials, region, HTTP client and retries that all clients share.
pub struct Session {
    /// The configuration that clients are made from.
    pub sdk: SdkConfig,
    /// The region: `eu-central-1`.
    pub region: String,
    /// Where STS is asked.
    pub sts: Sts,
    /// Whether all endpoints are on this machine: an emulator.
    pub loopback: bool,
}

/// Who the credentials belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub account_id: String,
    /// The user or role.
    pub arn: String,
    /// Its unique id.
    pub user_id: String,
}

impl Session {
    /// Resolves region and credentials as the settings say. Calls are made to assume roles alone, and to those that give
    /// credentials.
    ///
    /// # Errors
    /// Settings that can't be used or are missing, roles that can't be assumed.
    pub async fn open(settings: &Settings) -> Result<Session, SessionError> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http::on_demand(settings));
        if let Some(profile) = &settings.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(files) = credentials::profile_files(settings) {
            loader = loader.profile_files(files);
        }
        if let Some(region) = &settings.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(provider) = credentials::fixed(settings) {
            loader = loader.credentials_provider(provider);
        }
        loader = loader.use_fips(settings.use_fips_endpoint).use_dual_stack(settings.use_dualstack_endpoint);
        let sdk = loader.load().await;
        let region = match sdk.region() {
            Some(region) => region.to_string(),
            None => return Err(credentials::missing_region()),
        };
        check_region(settings, &region)?;
        credentials::check(&sdk).await?;
        let endpoints = &settings.endpoints;
        let urls: Vec<&str> = endpoints.urls.iter().map(String::as_str).chain(sdk.endpoint_url()).collect();
        // The SDK would refuse it as well, and show the whole request, which may hold a token.
        if let Some(url) = urls.iter().find(|url| !url.contains("://")) {
            return Err(SessionError::new(format!("Invalid endpoint: {url}"))
                .hint("An endpoint is a URL with a scheme and a host, like http://127.0.0.1:4566."));
        }
        let loopback = !urls.is_empty() && urls.iter().all(|url| is_loopback(url));
        // Whatever has no endpoint of its own is reached as the SDK says: by TLS.
        let covered = sdk.endpoint_url().is_some() || endpoints.complete;
        let tls = !covered || urls.iter().any(|url| !url.starts_with("http://"));
        let client = http::client(settings, Endpoints { tls, loopback })?;
        let mut sdk = sdk.to_builder().http_client(client);
        sdk.set_retry_config(Some(retries(settings, loopback)));
        let region_of_sts = settings.sts_region.clone().filter(|region| !region.is_empty());
        let sts = Sts { url: endpoints.sts.clone(), region: region_of_sts };
        let sdk = credentials::assume_roles(settings, sdk.build(), &sts).await?;
        Ok(Session { sdk, region, sts, loopback })
    }
}

impl Identity {
    /// Asks STS.
    ///
    /// # Errors
    /// What STS says.
    pub async fn ask(sts: &aws_sdk_sts::Client) -> Result<Identity, CallError> {
        let answer = sts.get_caller_identity().send().await.map_err(call("STS", "GetCallerIdentity"))?;
        Ok(Identity {
            account_id: answer.account.unwrap_or_default(),
            arn: answer.arn.unwrap_or_default(),
            user_id: answer.user_id.unwrap_or_default(),
        })
    }

    /// Whether the account is allowed and not forbidden; without an allowed one all are.
    pub fn is_account_allowed(account: &str, allowed: &[String], forbidden: &[String]) -> bool {
        let allowed = allowed.is_empty() || allowed.iter().any(|id| id == account);
        allowed && !forbidden.iter().any(|id| id == account)
    }
}

/// A region that no partition can have is a mistake in writing.
fn check_region(settings: &Settings, region: &str) -> Result<(), SessionError> {
    if settings.skip_region_validation || is_region(region) {
        return Ok(());
    }
    Err(SessionError::new(format!("Invalid AWS Region: {region}")).hint(
        "A region is written like eu-central-1. If the region is new or an emulator's own, set skip_region_validation.",
    ))
}

/// Whether a text is written as a region is: `eu-west-1`, `us-gov-west-1`.
pub fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [first, middle @ .., last] = parts.as_slice() else { return false };
    let lower = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase());
    first.len() == 2
        && lower(first)
        && !middle.is_empty()
        && middle.iter().all(lower)
        && (1..=2).contains(&last.len())
        && last.bytes().all(|b| b.is_ascii_digit())
}

/// Retries of single calls: quicker against an emulator, and fewer.
fn retries(settings: &Settings, loopback: bool) -> RetryConfig {
    let standard = if settings.retry_mode.as_deref() == Some("adaptive") {
        RetryConfig::adaptive()
    } else {
        RetryConfig::standard()
    };
    let attempts = settings.attempts.unwrap_or(if loopback { 4 } else { settings.default_attempts }).max(1);
    if loopback {
        standard.with_max_attempts(attempts).with_initial_backoff(Duration::from_millis(20))
    } else {
        standard.with_max_attempts(attempts)
    }
}

/// Whether a URL is this machine's.
pub fn is_loopback(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    ["127.", "localhost", "[::1]", "host.docker.internal"].iter().any(|prefix| host.starts_with(prefix))
        || host.contains("localhost.localstack.cloud")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_told_from_mistakes() {
        for region in ["eu-west-1", "us-gov-west-1", "ap-southeast-12", "cn-north-1"] {
            assert!(is_region(region), "{region}");
        }
        for text in ["", "nowhere", "eu-west", "EU-west-1", "eu--1", "eu-west-123"] {
            assert!(!is_region(text), "{text}");
        }
    }

    #[test]
    fn accounts_are_allowed_and_forbidden() {
        let ids = ["1".to_owned()];
        assert!(Identity::is_account_allowed("1", &[], &[]) && Identity::is_account_allowed("1", &ids, &[]));
        assert!(!Identity::is_account_allowed("2", &ids, &[]) && !Identity::is_account_allowed("1", &[], &ids));
    }

    #[test]
    fn emulators_are_on_this_machine() {
        for url in ["http://127.0.0.1:4566", "http://localhost", "https://s3.localhost.localstack.cloud:4566"] {
            assert!(is_loopback(url), "{url}");
        }
        assert!(!is_loopback("https://s3.eu-west-1.amazonaws.com"));
    }
}
