//! What a configuration says about reaching AWS.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a configuration says; what is not set is looked for where the SDKs look.
#[derive(Clone, Default)]
pub struct Settings {
    /// The access key; counts with the secret key alone.
    pub access_key: Option<String>,
    /// The secret key.
    pub secret_key: Option<String>,
    /// The session token that belongs to them.
    pub token: Option<String>,
    /// The profile of the shared files.
    pub profile: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// Files in the place of `~/.aws/config`.
    pub shared_config_files: Option<Vec<String>>,
    /// Files in the place of `~/.aws/credentials`.
    pub shared_credentials_files: Option<Vec<String>>,
    /// A file of certificates to trust in the place of the machine's.
    pub custom_ca_bundle: Option<String>,
    /// The proxy of http, and of https where there is no other.
    pub http_proxy: Option<String>,
    /// The proxy of https.
    pub https_proxy: Option<String>,
    /// Hosts without a proxy.
    pub no_proxy: Option<String>,
    /// Whether certificates are not to be verified, which is refused.
    pub insecure: bool,
    /// How often a call is tried; fewer times by default if all endpoints are on this machine.
    pub attempts: Option<u32>,
    /// How often if it is not configured, and the endpoints are elsewhere.
    pub default_attempts: u32,
    /// `standard` or `adaptive`.
    pub retry_mode: Option<String>,
    /// The region of STS.
    pub sts_region: Option<String>,
    /// Whether endpoints for both versions of IP are used.
    pub use_dualstack_endpoint: bool,
    /// Whether FIPS endpoints are used.
    pub use_fips_endpoint: bool,
    /// Whether a region may have any name.
    pub skip_region_validation: bool,
    /// The instance's metadata.
    pub metadata: Metadata,
    /// Roles to assume, one with the credentials of the other.
    pub assume_role: Vec<AssumeRole>,
    /// Roles that tokens stand for, assumed first.
    pub assume_role_with_web_identity: Vec<AssumeRoleWithWebIdentity>,
    /// Where services are that are not where AWS has them.
    pub endpoints: CustomEndpoints,
}

/// Where services are that are not where AWS has them.
#[derive(Clone, Debug, Default)]
pub struct CustomEndpoints {
    /// The URLs of all that will be called.
    pub urls: Vec<String>,
    /// Whether all that will be called have one.
    pub complete: bool,
    /// The URL of STS.
    pub sts: Option<String>,
    /// The URL of IAM Identity Center.
    pub sso: Option<String>,
}

/// How the instance's metadata are read, which hold credentials of its role.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    /// Whether they are not to be asked for.
    pub disabled: bool,
    /// Where they are read.
    pub endpoint: Option<String>,
    /// Whether they are read by IPv6, if there is no endpoint.
    pub ipv6: bool,
}

/// A role to assume.
#[derive(Clone, Debug, Default)]
pub struct AssumeRole {
    /// How long credentials are good for.
    pub duration: Option<Duration>,
    /// The id by which the role's owner knows who assumes it.
    pub external_id: Option<String>,
    /// A policy that restricts the role further.
    pub policy: Option<String>,
    /// Policies that restrict the role further.
    pub policy_arns: BTreeSet<String>,
    /// The role; nothing is assumed where it is empty.
    pub role_arn: String,
    /// The session's name.
    pub session_name: Option<String>,
    /// Who assumes it, for the logs.
    pub source_identity: Option<String>,
    /// The session's tags.
    pub tags: BTreeMap<String, String>,
    /// Tags that sessions made from this one get.
    pub transitive_tag_keys: BTreeSet<String>,
}

/// A role that a token stands for.
#[derive(Clone, Default)]
pub struct AssumeRoleWithWebIdentity {
    /// How long credentials are good for.
    pub duration: Option<Duration>,
    /// A policy that restricts the role further.
    pub policy: Option<String>,
    /// Policies that restrict the role further.
    pub policy_arns: BTreeSet<String>,
    /// The role; nothing is assumed where it is empty.
    pub role_arn: String,
    /// The session's name.
    pub session_name: Option<String>,
    /// The token.
    pub web_identity_token: Option<String>,
    /// The file that the token is in.
    pub web_identity_token_file: Option<String>,
}
