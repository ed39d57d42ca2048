//! Where credentials come from beyond the SDK's default chain: the provider block, and assumed roles.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use sdk::timeouts::parse_duration;
use sdk::{Error, Result};

use crate::config::{AssumeRole, ProviderConfig};

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

/// Assumes the roles of the provider block, one after the other.
pub(crate) async fn assume_roles(config: &ProviderConfig, mut sdk: SdkConfig) -> Result<SdkConfig> {
    for role in &config.assume_role {
        let Some(arn) = &role.role_arn else { continue };
        let provider = assume(arn, role, &sdk)?.build().await;
        sdk = sdk.to_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build();
    }
    Ok(sdk)
}

fn assume(arn: &str, role: &AssumeRole, sdk: &SdkConfig) -> Result<aws_config::sts::AssumeRoleProviderBuilder> {
    let mut provider = AssumeRoleProvider::builder(arn).configure(sdk);
    if let Some(id) = &role.external_id {
        provider = provider.external_id(id);
    }
    if let Some(name) = &role.session_name {
        provider = provider.session_name(name);
    }
    if let Some(policy) = &role.policy {
        provider = provider.policy(policy);
    }
    if let Some(arns) = &role.policy_arns {
        provider = provider.policy_arns(arns.iter().cloned().collect());
    }
    if let Some(tags) = &role.tags {
        provider = provider.tags(tags.clone());
    }
    if let Some(text) = &role.duration {
        let duration = parse_duration(text)
            .filter(|d| (Duration::from_secs(900)..=Duration::from_secs(43_200)).contains(d))
            .ok_or_else(|| {
                Error::new(format!(
                    "expected assume_role.0.duration to be a duration between 15 minutes (15m) and 12 hours (12h), got {text}"
                ))
            })?;
        provider = provider.session_length(duration);
    }
    Ok(provider)
}

/// No region was found anywhere.
pub(crate) fn missing_region() -> Error {
    Error::new("invalid AWS Region: ").hint(
        "No region is configured. Set `region` in the provider block, AWS_REGION in the environment, or `region` in the \
         profile of the shared configuration file.",
    )
}
