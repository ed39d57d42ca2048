//! A configured provider: credentials, region, endpoints and the services' clients.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use sdk::{Context, Error, Pace, Result, TagPolicy, Tags};
use tokio::sync::OnceCell;

use crate::config::ProviderConfig;
use crate::credentials::{self, Sts};
use crate::endpoints;
use crate::errors::api;
use crate::http::{self, Endpoints};

/// What resource types make their calls with. Clients are made when first used and share one HTTP client.
pub struct Aws {
    sdk: SdkConfig,
    region: String,
    endpoints: BTreeMap<String, String>,
    sts_at: Sts,
    policy: TagPolicy,
    pace: Pace,
    skip_requesting_account_id: bool,
    allowed_account_ids: Vec<String>,
    forbidden_account_ids: Vec<String>,
    identity: OnceCell<Identity>,
    cloudwatch_logs: OnceLock<aws_sdk_cloudwatchlogs::Client>,
    ec2: OnceLock<aws_sdk_ec2::Client>,
    eks: OnceLock<aws_sdk_eks::Client>,
    elbv2: OnceLock<aws_sdk_elasticloadbalancingv2::Client>,
    iam: OnceLock<aws_sdk_iam::Client>,
    kms: OnceLock<aws_sdk_kms::Client>,
    sts: OnceLock<aws_sdk_sts::Client>,
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

/// `client!(ec2, "ec2", aws_sdk_ec2)`: an accessor that makes the client when first asked for.
macro_rules! client {
    ($(#[$doc:meta])* $name:ident, $service:literal, $sdk:ident) => {
        $(#[$doc])*
        pub fn $name(&self) -> &$sdk::Client {
            self.$name.get_or_init(|| {
                let mut config = $sdk::config::Builder::from(&self.sdk);
                if let Some(url) = self.endpoint($service) {
                    config = config.endpoint_url(url);
                }
                $sdk::Client::from_conf(config.build())
            })
        }
    };
}

impl Aws {
    /// Resolves region and credentials as the configuration says; makes no calls. `endpoints` are the configured ones.
    pub(crate) async fn new(config: &ProviderConfig, endpoints: BTreeMap<String, String>) -> Result<Aws> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http::on_demand(config));
        if let Some(profile) = &config.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(files) = credentials::profile_files(config) {
            loader = loader.profile_files(files);
        }
        if let Some(region) = &config.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(provider) = credentials::fixed(config) {
            loader = loader.credentials_provider(provider);
        }
        loader = loader
            .use_fips(config.use_fips_endpoint.unwrap_or_default())
            .use_dual_stack(config.use_dualstack_endpoint.unwrap_or_default());
        let sdk = loader.load().await;
        let region = match sdk.region() {
            Some(region) => region.to_string(),
            None => return Err(credentials::missing_region()),
        };
        check_region(config, &region)?;
        credentials::check(&sdk).await?;
        let urls: Vec<&str> = endpoints.values().map(String::as_str).chain(sdk.endpoint_url()).collect();
        // The SDK would refuse it as well, and show the whole request, which may hold a token.
        if let Some(url) = urls.iter().find(|url| !url.contains("://")) {
            return Err(Error::new(format!("Invalid endpoint: {url}"))
                .hint("An endpoint is a URL with a scheme and a host, like http://127.0.0.1:4566."));
        }
        let loopback = !urls.is_empty() && urls.iter().all(|url| is_loopback(url));
        let named = |service: &&str| endpoints::aliases(service).iter().any(|name| endpoints.contains_key(*name));
        // Whatever has no endpoint of its own is reached as the SDK says: by TLS.
        let covered = sdk.endpoint_url().is_some() || SERVICES.iter().all(named);
        let tls = !covered || urls.iter().any(|url| !url.starts_with("http://"));
        let http = http::client(config, Endpoints { tls, loopback })?;
        let mut sdk = sdk.to_builder().http_client(http);
        sdk.set_retry_config(Some(retries(config, loopback)));
        let url = endpoints::aliases("sts").iter().find_map(|name| endpoints.get(*name)).cloned();
        let sts = Sts { url, region: config.sts_region.clone().filter(|region| !region.is_empty()) };
        let sdk = credentials::assume_roles(config, sdk.build(), &sts).await?;
        Ok(Aws::with(config, sdk, region, endpoints, sts, loopback))
    }

    /// A provider that makes no calls: its configuration is not known yet.
    pub(crate) fn deferred(config: &ProviderConfig) -> Aws {
        let sdk = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
        let mut aws = Aws::with(config, sdk, String::new(), BTreeMap::new(), Sts::default(), false);
        aws.policy.unknown = true;
        aws
    }

    fn with(
        config: &ProviderConfig,
        sdk: SdkConfig,
        region: String,
        endpoints: BTreeMap<String, String>,
        sts_at: Sts,
        loopback: bool,
    ) -> Aws {
        let ids = |ids: &Option<std::collections::BTreeSet<String>>| ids.iter().flatten().cloned().collect();
        Aws {
            sdk,
            region,
            endpoints,
            sts_at,
            policy: config.tag_policy(),
            pace: if loopback { Pace::EMULATOR } else { Pace::CLOUD },
            skip_requesting_account_id: config.skip_requesting_account_id.unwrap_or_default(),
            allowed_account_ids: ids(&config.allowed_account_ids),
            forbidden_account_ids: ids(&config.forbidden_account_ids),
            identity: OnceCell::new(),
            cloudwatch_logs: OnceLock::new(),
            ec2: OnceLock::new(),
            eks: OnceLock::new(),
            elbv2: OnceLock::new(),
            iam: OnceLock::new(),
            kms: OnceLock::new(),
            sts: OnceLock::new(),
        }
    }

    /// The URL that STS is called at, where one is configured.
    pub(crate) fn sts_url(&self) -> Option<&str> {
        self.sts_at.url.as_deref().or(self.sdk.endpoint_url())
    }

    fn endpoint(&self, service: &str) -> Option<&String> {
        endpoints::aliases(service).iter().find_map(|name| self.endpoints.get(*name))
    }

    client!(
        /// CloudWatch Logs.
        cloudwatch_logs, "cloudwatchlogs", aws_sdk_cloudwatchlogs
    );
    client!(
        /// EC2: networks, instances, launch templates.
        ec2, "ec2", aws_sdk_ec2
    );
    client!(
        /// EKS.
        eks, "eks", aws_sdk_eks
    );
    client!(
        /// Load balancers.
        elbv2, "elasticloadbalancingv2", aws_sdk_elasticloadbalancingv2
    );
    client!(
        /// IAM.
        iam, "iam", aws_sdk_iam
    );
    client!(
        /// KMS.
        kms, "kms", aws_sdk_kms
    );
    /// STS.
    pub fn sts(&self) -> &aws_sdk_sts::Client {
        self.sts.get_or_init(|| self.sts_at.client(&self.sdk))
    }

    /// Configuration, credentials and HTTP client that all clients share, for services without a client here.
    pub fn sdk_config(&self) -> &SdkConfig {
        &self.sdk
    }

    /// The region: `eu-central-1`.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The partition of the region: `aws`, `aws-cn`, …
    pub fn partition(&self) -> &'static str {
        partition(&self.region).0
    }

    /// The domain of the partition's services: `amazonaws.com`, …
    pub fn dns_suffix(&self) -> &'static str {
        partition(&self.region).1
    }

    /// The tags of an object that a data source shows: those that aren't the cloud's own and aren't to be left alone.
    pub fn visible_tags(&self, mut tags: Tags) -> Tags {
        tags.retain(|key, _| !self.policy.is_ignored(key));
        tags
    }

    /// Who the credentials belong to. Asked once, when first needed.
    pub async fn identity(&self) -> Result<&Identity> {
        self.identity
            .get_or_try_init(|| async {
                let answer = self.sts().get_caller_identity().send().await;
                let answer = answer.map_err(api("STS", "GetCallerIdentity"))?;
                let identity = Identity {
                    account_id: answer.account.unwrap_or_default(),
                    arn: answer.arn.unwrap_or_default(),
                    user_id: answer.user_id.unwrap_or_default(),
                };
                self.check_account(&identity.account_id)?;
                Ok(identity)
            })
            .await
    }

    /// The account; empty with `skip_requesting_account_id`. Asked once, when first needed.
    pub async fn account_id(&self) -> Result<&str> {
        if self.skip_requesting_account_id {
            return Ok("");
        }
        Ok(&self.identity().await?.account_id)
    }

    /// An ARN in this account and region: `arn("ec2", "vpc/vpc-1")`.
    pub async fn arn(&self, service: &str, resource: &str) -> Result<String> {
        let account = self.account_id().await?;
        Ok(format!("arn:{}:{service}:{}:{account}:{resource}", self.partition(), self.region))
    }

    fn check_account(&self, account: &str) -> Result<()> {
        let forbidden = self.forbidden_account_ids.iter().any(|id| id == account);
        let allowed = self.allowed_account_ids.is_empty() || self.allowed_account_ids.iter().any(|id| id == account);
        if forbidden || !allowed {
            return Err(Error::new(format!("AWS account ID not allowed: {account}")).hint(
                "The credentials belong to an account that the provider's allowed_account_ids or forbidden_account_ids \
                 exclude.",
            ));
        }
        Ok(())
    }
}

impl Context for Aws {
    fn tag_policy(&self) -> &TagPolicy {
        &self.policy
    }

    fn pace(&self) -> Pace {
        self.pace
    }
}

/// The services that have a client here, as `endpoints` names them.
const SERVICES: [&str; 7] = ["cloudwatchlogs", "ec2", "eks", "elasticloadbalancingv2", "iam", "kms", "sts"];

/// A region that no partition can have is a mistake in writing.
fn check_region(config: &ProviderConfig, region: &str) -> Result<()> {
    if config.skip_region_validation == Some(true) || crate::checks::is_region(region) {
        return Ok(());
    }
    Err(Error::new(format!("Invalid AWS Region: {region}")).hint(
        "A region is written like eu-central-1. If the region is new or an emulator's own, set skip_region_validation.",
    ))
}

/// Retries of single calls: as many as Terraform's provider makes, fewer and quicker against an emulator.
fn retries(config: &ProviderConfig, loopback: bool) -> RetryConfig {
    let standard = if config.retry_mode.as_deref() == Some("adaptive") {
        RetryConfig::adaptive()
    } else {
        RetryConfig::standard()
    };
    let attempts = config.max_retries.map_or(if loopback { 4 } else { 25 }, |retries| retries.saturating_add(1));
    let attempts = u32::try_from(attempts).unwrap_or(1).max(1);
    if loopback {
        standard.with_max_attempts(attempts).with_initial_backoff(Duration::from_millis(20))
    } else {
        standard.with_max_attempts(attempts)
    }
}

fn is_loopback(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    ["127.", "localhost", "[::1]", "host.docker.internal"].iter().any(|prefix| host.starts_with(prefix))
        || host.contains("localhost.localstack.cloud")
}

/// Partition and DNS suffix of a region.
fn partition(region: &str) -> (&'static str, &'static str) {
    match region {
        r if r.starts_with("cn-") => ("aws-cn", "amazonaws.com.cn"),
        r if r.starts_with("us-gov-") => ("aws-us-gov", "amazonaws.com"),
        r if r.starts_with("us-iso-") => ("aws-iso", "c2s.ic.gov"),
        r if r.starts_with("us-isob-") => ("aws-iso-b", "sc2s.sgov.gov"),
        r if r.starts_with("eu-isoe-") => ("aws-iso-e", "cloud.adc-e.uk"),
        r if r.starts_with("us-isof-") => ("aws-iso-f", "csp.hci.ic.gov"),
        _ => ("aws", "amazonaws.com"),
    }
}
