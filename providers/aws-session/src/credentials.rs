//! Where credentials come from beyond the SDK's default chain: the settings, and assumed roles.

use std::collections::BTreeSet;
use std::fmt;
use std::time::SystemTime;

use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_sts::types::{PolicyDescriptorType, Tag};

use crate::errors::{CallError, Cause, NO_CREDENTIALS, SessionError, call, causes};
use crate::settings::{AssumeRole, AssumeRoleWithWebIdentity, Settings};

type Result<T> = std::result::Result<T, SessionError>;

/// `shared_config_files` and `shared_credentials_files`, if there are any.
pub(crate) fn profile_files(settings: &Settings) -> Option<EnvConfigFiles> {
    if settings.shared_config_files.is_none() && settings.shared_credentials_files.is_none() {
        return None;
    }
    let mut files = EnvConfigFiles::builder();
    match &settings.shared_config_files {
        None => files = files.include_default_config_file(true),
        Some(paths) => {
            for path in paths {
                files = files.with_file(EnvConfigFileKind::Config, path);
            }
        }
    }
    match &settings.shared_credentials_files {
        None => files = files.include_default_credentials_file(true),
        Some(paths) => {
            for path in paths {
                files = files.with_file(EnvConfigFileKind::Credentials, path);
            }
        }
    }
    Some(files.build())
}

/// The credentials of the settings.
pub(crate) fn fixed(settings: &Settings) -> Option<SharedCredentialsProvider> {
    let (Some(key), Some(secret)) = (&settings.access_key, &settings.secret_key) else { return None };
    let credentials = Credentials::new(key, secret, settings.token.clone(), None, "settings");
    Some(SharedCredentialsProvider::new(credentials))
}

/// Whether there are credentials at all.
pub(crate) async fn check(sdk: &SdkConfig) -> Result<()> {
    let found = match sdk.credentials_provider() {
        Some(provider) => provider.provide_credentials().await.map(|_| ()).map_err(|error| causes(&error)),
        None => Err("there is no source of credentials".to_owned()),
    };
    found.map_err(|why| {
        SessionError::new("No valid credential sources found")
            .because(Cause::NoCredentials)
            .hint(NO_CREDENTIALS)
            .hint(format!("Error: {why}"))
    })
}

/// Where STS is asked to assume roles.
#[derive(Clone, Debug, Default)]
pub struct Sts {
    /// The endpoint of the settings.
    pub url: Option<String>,
    /// `sts_region`
    pub region: Option<String>,
}

impl Sts {
    /// A client with these credentials.
    pub fn client(&self, sdk: &SdkConfig) -> aws_sdk_sts::Client {
        let mut builder = aws_sdk_sts::config::Builder::from(sdk);
        // Otherwise it is where the environment and the profile have it.
        if let Some(url) = &self.url {
            builder.set_endpoint_url(Some(url.clone()));
        }
        if let Some(region) = &self.region {
            builder.set_region(Some(Region::new(region.clone())));
        }
        aws_sdk_sts::Client::from_conf(builder.build())
    }
}

/// Assumes the roles of the settings, one after the other: first the one that a token stands for. Each is assumed once
/// now, so that one that can't be assumed fails the plan.
pub(crate) async fn assume_roles(settings: &Settings, mut sdk: SdkConfig, sts: &Sts) -> Result<SdkConfig> {
    let identities = settings.assume_role_with_web_identity.iter().cloned().map(How::WebIdentity);
    for how in identities.chain(settings.assume_role.iter().cloned().map(How::Role)) {
        if how.role_arn().is_empty() {
            continue;
        }
        let assumed = Assumed { how, client: sts.client(&sdk) };
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
        match self {
            How::Role(role) => &role.role_arn,
            How::WebIdentity(role) => &role.role_arn,
        }
    }

    /// How long the credentials are good for.
    fn seconds(&self) -> Option<i32> {
        let duration = match self {
            How::Role(role) => role.duration,
            How::WebIdentity(role) => role.duration,
        };
        duration.map(|duration| i32::try_from(duration.as_secs()).unwrap_or(i32::MAX))
    }
}

/// The credentials of a role.
struct Assumed {
    how: How,
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
        let arns = |arns: &BTreeSet<String>| {
            let arns = arns.iter().map(|arn| PolicyDescriptorType::builder().arn(arn).build());
            Some(arns.collect::<Vec<_>>()).filter(|arns| !arns.is_empty())
        };
        let answered = match &self.how {
            How::Role(role) => {
                let tags = role.tags.iter();
                let tags = tags.filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok());
                let request = self
                    .client
                    .assume_role()
                    .role_arn(self.how.role_arn())
                    .role_session_name(given(&role.session_name).unwrap_or_else(|| SESSION.to_owned()))
                    .set_duration_seconds(self.how.seconds())
                    .set_external_id(given(&role.external_id))
                    .set_policy(given(&role.policy))
                    .set_policy_arns(arns(&role.policy_arns))
                    .set_source_identity(given(&role.source_identity))
                    .set_tags(Some(tags.collect::<Vec<_>>()).filter(|tags| !tags.is_empty()))
                    .set_transitive_tag_keys(
                        Some(role.transitive_tag_keys.iter().cloned().collect::<Vec<_>>())
                            .filter(|keys| !keys.is_empty()),
                    );
                let answer = request.send().await.map_err(call("STS", "AssumeRole"));
                answer.map(|answer| answer.credentials)
            }
            How::WebIdentity(role) => {
                let token = match (given(&role.web_identity_token), given(&role.web_identity_token_file)) {
                    (Some(token), _) => token,
                    // Whoever issues it writes the file anew before it expires.
                    (None, Some(path)) => std::fs::read_to_string(&path)
                        .map_err(|error| self.unfit(format!("unable to read file at {path}: {error}")))?,
                    (None, None) => return Err(self.unfit("there is no web identity token".to_owned())),
                };
                let request = self
                    .client
                    .assume_role_with_web_identity()
                    .role_arn(self.how.role_arn())
                    .role_session_name(given(&role.session_name).unwrap_or_else(|| SESSION.to_owned()))
                    .web_identity_token(token.trim())
                    .set_duration_seconds(self.how.seconds())
                    .set_policy(given(&role.policy))
                    .set_policy_arns(arns(&role.policy_arns));
                let answer = request.send().await.map_err(call("STS", "AssumeRoleWithWebIdentity"));
                answer.map(|answer| answer.credentials)
            }
        };
        let credentials = answered.map_err(|error: CallError| self.refused(&error.text, error.cause))?;
        let credentials = credentials.ok_or_else(|| self.unfit("the answer holds no credentials".to_owned()))?;
        let expiry = SystemTime::try_from(credentials.expiration).ok();
        let (key, secret, token) =
            (credentials.access_key_id, credentials.secret_access_key, credentials.session_token);
        Ok(Credentials::new(key, secret, Some(token), expiry, "assumed role"))
    }

    fn unfit(&self, reason: String) -> SessionError {
        self.refused(&reason, Cause::Configuration)
    }

    fn refused(&self, error: &str, cause: Cause) -> SessionError {
        let arn = self.how.role_arn();
        let (summary, block) = match self.how {
            How::Role(_) => ("Cannot assume IAM Role", "assume_role"),
            How::WebIdentity(_) => ("Cannot assume IAM Role with web identity", "assume_role_with_web_identity"),
        };
        SessionError::new(summary)
            .because(cause)
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
pub(crate) fn missing_region() -> SessionError {
    SessionError::new("invalid AWS Region: ").hint(
        "No region is configured. Set `region` in the configuration, AWS_REGION in the environment, or `region` in the \
         profile of the shared configuration file.",
    )
}
