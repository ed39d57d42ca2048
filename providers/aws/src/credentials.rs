//! Where credentials come from beyond the SDK's default chain: the provider block, and assumed roles.

use std::collections::BTreeSet;
use std::fmt;
use std::time::SystemTime;

use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_sts::types::{PolicyDescriptorType, Tag};
use sdk::timeouts::parse_duration;
use sdk::{Class, Error, Result};

use crate::config::{AssumeRole, AssumeRoleWithWebIdentity, ProviderConfig};
use crate::errors::{NO_CREDENTIALS, api, causes};

/// `shared_config_files` and `shared_credentials_files`, if there are any.
pub(crate) fn profile_files(config: &ProviderConfig) -> Option<EnvConfigFiles> {
    if config.shared_config_files.is_none() && config.shared_credentials_files.is_none() {
        return None;
    }
    let mut files = EnvConfigFiles::builder();
    match &config.shared_config_files {
        None => files = files.include_default_config_file(true),
        Some(paths) => {
            for path in paths {
                files = files.with_file(EnvConfigFileKind::Config, path);
            }
        }
    }
    match &config.shared_credentials_files {
        None => files = files.include_default_credentials_file(true),
        Some(paths) => {
            for path in paths {
                files = files.with_file(EnvConfigFileKind::Credentials, path);
            }
        }
    }
    Some(files.build())
}

/// The credentials of the provider block.
pub(crate) fn fixed(config: &ProviderConfig) -> Option<SharedCredentialsProvider> {
    let (Some(key), Some(secret)) = (&config.access_key, &config.secret_key) else { return None };
    let credentials = Credentials::new(key, secret, config.token.clone(), None, "provider block");
    Some(SharedCredentialsProvider::new(credentials))
}

/// Whether there are credentials at all.
pub(crate) async fn check(sdk: &SdkConfig) -> Result<()> {
    let found = match sdk.credentials_provider() {
        Some(provider) => provider.provide_credentials().await.map(|_| ()).map_err(|error| causes(&error)),
        None => Err("there is no source of credentials".to_owned()),
    };
    found.map_err(|why| {
        Error::new("No valid credential sources found")
            .with_class(Class::Denied)
            .hint(NO_CREDENTIALS)
            .hint(format!("Error: {why}"))
    })
}

/// Where STS is asked to assume roles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sts {
    /// The endpoint of the provider block.
    pub(crate) url: Option<String>,
    /// `sts_region`
    pub(crate) region: Option<String>,
}

impl Sts {
    /// A client with these credentials.
    pub(crate) fn client(&self, sdk: &SdkConfig) -> aws_sdk_sts::Client {
        let mut builder = aws_sdk_sts::config::Builder::from(sdk);
        builder.set_endpoint_url(self.url.clone().or_else(|| sdk.endpoint_url().map(str::to_owned)));
        builder.set_region(self.region.clone().map(Region::new).or_else(|| sdk.region().cloned()));
        aws_sdk_sts::Client::from_conf(builder.build())
    }
}

/// Assumes the roles of the provider block, one after the other: first the one that a token stands for. Each is assumed once
/// now, so that one that can't be assumed fails the plan.
pub(crate) async fn assume_roles(config: &ProviderConfig, mut sdk: SdkConfig, sts: &Sts) -> Result<SdkConfig> {
    let identities = config.assume_role_with_web_identity.iter().cloned().map(How::WebIdentity);
    for how in identities.chain(config.assume_role.iter().cloned().map(How::Role)) {
        if how.role_arn().is_empty() {
            continue;
        }
        let assumed = Assumed { seconds: how.seconds()?, how, client: sts.client(&sdk) };
        assumed.ask().await?;
        sdk = sdk.to_builder().credentials_provider(SharedCredentialsProvider::new(assumed)).build();
    }
    Ok(sdk)
}

/// What a role is assumed with.
enum How {
    Role(AssumeRole),
    WebIdentity(AssumeRoleWithWebIdentity),
}

impl How {
    fn role_arn(&self) -> &str {
        let arn = match self {
            How::Role(role) => &role.role_arn,
            How::WebIdentity(role) => &role.role_arn,
        };
        arn.as_deref().unwrap_or_default()
    }

    /// How long the credentials are good for.
    fn seconds(&self) -> Result<Option<i32>> {
        let (block, text) = match self {
            How::Role(role) => ("assume_role", &role.duration),
            How::WebIdentity(role) => ("assume_role_with_web_identity", &role.duration),
        };
        let Some(text) = text.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
        let seconds = parse_duration(text).and_then(|duration| i32::try_from(duration.as_secs()).ok());
        seconds.map(Some).ok_or_else(|| Error::new(format!("{block}.0.duration is not a duration: {text}")))
    }
}

/// The credentials of a role.
struct Assumed {
    how: How,
    seconds: Option<i32>,
    client: aws_sdk_sts::Client,
}

/// Without the token.
impl fmt::Debug for Assumed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Assumed").field(&self.how.role_arn()).finish()
    }
}

impl ProvideCredentials for Assumed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async { self.ask().await.map_err(CredentialsError::provider_error) })
    }
}

/// The name of the session where none is configured; it is what logs show.
const SESSION: &str = "windlass";

impl Assumed {
    async fn ask(&self) -> Result<Credentials> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let arns = |arns: &Option<BTreeSet<String>>| {
            let arns = arns.iter().flatten().map(|arn| PolicyDescriptorType::builder().arn(arn).build());
            Some(arns.collect::<Vec<_>>()).filter(|arns| !arns.is_empty())
        };
        let answered = match &self.how {
            How::Role(role) => {
                let tags = role.tags.iter().flatten();
                let tags = tags.filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok());
                let request = self
                    .client
                    .assume_role()
                    .role_arn(self.how.role_arn())
                    .role_session_name(given(&role.session_name).unwrap_or_else(|| SESSION.to_owned()))
                    .set_duration_seconds(self.seconds)
                    .set_external_id(given(&role.external_id))
                    .set_policy(given(&role.policy))
                    .set_policy_arns(arns(&role.policy_arns))
                    .set_source_identity(given(&role.source_identity))
                    .set_tags(Some(tags.collect::<Vec<_>>()).filter(|tags| !tags.is_empty()))
                    .set_transitive_tag_keys(
                        role.transitive_tag_keys.as_ref().map(|keys| keys.iter().cloned().collect()),
                    );
                let answer = request.send().await.map_err(api("STS", "AssumeRole"));
                answer.map(|answer| answer.credentials)
            }
            How::WebIdentity(role) => {
                let token = match (given(&role.web_identity_token), given(&role.web_identity_token_file)) {
                    (Some(token), _) => token,
                    // Whoever issues it writes the file anew before it expires.
                    (None, Some(path)) => std::fs::read_to_string(&path)
                        .map_err(|error| self.refused(Error::new(format!("unable to read file at {path}: {error}"))))?,
                    (None, None) => return Err(self.refused(Error::new("there is no web identity token"))),
                };
                let request = self
                    .client
                    .assume_role_with_web_identity()
                    .role_arn(self.how.role_arn())
                    .role_session_name(given(&role.session_name).unwrap_or_else(|| SESSION.to_owned()))
                    .web_identity_token(token.trim())
                    .set_duration_seconds(self.seconds)
                    .set_policy(given(&role.policy))
                    .set_policy_arns(arns(&role.policy_arns));
                let answer = request.send().await.map_err(api("STS", "AssumeRoleWithWebIdentity"));
                answer.map(|answer| answer.credentials)
            }
        };
        let credentials = answered.map_err(|error| self.refused(error))?;
        let credentials = credentials.ok_or_else(|| self.refused(Error::new("the answer holds no credentials")))?;
        let expiry = SystemTime::try_from(credentials.expiration).ok();
        let (key, secret, token) =
            (credentials.access_key_id, credentials.secret_access_key, credentials.session_token);
        Ok(Credentials::new(key, secret, Some(token), expiry, "assumed role"))
    }

    fn refused(&self, error: Error) -> Error {
        let arn = self.how.role_arn();
        let (summary, block) = match self.how {
            How::Role(_) => ("Cannot assume IAM Role", "assume_role"),
            How::WebIdentity(_) => ("Cannot assume IAM Role with web identity", "assume_role_with_web_identity"),
        };
        Error::new(summary)
            .with_class(error.class())
            .hint(format!("IAM Role ({arn}) cannot be assumed."))
            .hint(
                "There are a number of possible causes of this - the most common are:\n  * The credentials used in order to \
                 assume the role are invalid\n  * The credentials do not have appropriate permission to assume the role\n  * \
                 The role ARN is not valid",
            )
            .hint(format!("Error: {error}"))
            .hint(format!("Check the {block} block, and the trust policy of the role."))
    }
}

/// No region was found anywhere.
pub(crate) fn missing_region() -> Error {
    Error::new("invalid AWS Region: ").hint(
        "No region is configured. Set `region` in the provider block, AWS_REGION in the environment, or `region` in the \
         profile of the shared configuration file.",
    )
}
