//! A configured provider: credentials, region, endpoints and the services' clients.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_session::{CustomEndpoints, Identity, Session, Sts};
use sdk::{Context, Error, Pace, Result, TagPolicy, Tags};
use tokio::sync::OnceCell;

use crate::config::ProviderConfig;
use crate::endpoints;
use crate::errors::{refused, told};

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
    ssm: OnceLock<aws_sdk_ssm::Client>,
    sts: OnceLock<aws_sdk_sts::Client>,
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
        let named = |service: &&str| endpoints::aliases(service).iter().any(|name| endpoints.contains_key(*name));
        let mut settings = config.settings()?;
        settings.endpoints = CustomEndpoints {
            urls: endpoints.values().cloned().collect(),
            complete: SERVICES.iter().all(named),
            sts: endpoints::aliases("sts").iter().find_map(|name| endpoints.get(*name)).cloned(),
            sso: endpoints.get("sso").cloned(),
        };
        let session = Session::open(&settings).await.map_err(refused)?;
        let Session { sdk, region, sts, loopback } = session;
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
            ssm: OnceLock::new(),
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
    client!(
        /// Systems Manager.
        ssm, "ssm", aws_sdk_ssm
    );
    /// STS.
    pub fn sts(&self) -> &aws_sdk_sts::Client {
        self.sts.get_or_init(|| self.sts_at.client(&self.sdk))
    }

    /// The URL of a signed `GetCallerIdentity` that others may send with this header.
    pub(crate) async fn presigned_identity(&self, header: (&str, &str), expires_in: Duration) -> Result<String> {
        self.sts_at.presigned_identity(&self.sdk, header, expires_in).await.map_err(refused)
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
                let identity = Identity::ask(self.sts()).await.map_err(told)?;
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
        if !Identity::is_account_allowed(account, &self.allowed_account_ids, &self.forbidden_account_ids) {
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
const SERVICES: [&str; 8] = ["cloudwatchlogs", "ec2", "eks", "elasticloadbalancingv2", "iam", "kms", "ssm", "sts"];

/// Partition and DNS suffix of a region.
pub fn partition(region: &str) -> (&'static str, &'static str) {
    match region {
        r if r.starts_with("cn-") => ("aws-cn", "amazonaws.com.cn"),
        r if r.starts_with("us-gov-") => ("aws-us-gov", "amazonaws.com"),
        r if r.starts_with("us-iso-") => ("aws-iso", "c2s.ic.gov"),
        r if r.starts_with("us-isob-") => ("aws-iso-b", "sc2s.sgov.gov"),
        r if r.starts_with("eu-isoe-") => ("aws-iso-e", "cloud.adc-e.uk"),
        r if r.starts_with("eusc-") => ("aws-eusc", "amazonaws.eu"),
        r if r.starts_with("us-isof-") => ("aws-iso-f", "csp.hci.ic.gov"),
        _ => ("aws", "amazonaws.com"),
    }
}
