//! What the arguments come to.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use net::{Client, Url};
use serde_json::Value;
use sha2::{Digest, Sha256};
use state::Codec;
use state::backend::StoreClock;
use state::backend::remote::{ConfigError, Settings};

use crate::credentials::{Credentials, Impersonation};

/// What the arguments come to.
pub(crate) struct Config {
    pub bucket: String,
    /// What the names of objects begin with: nothing, or something with a slash at its end.
    pub prefix: String,
    pub encryption: Encryption,
    /// The API: `https://storage.googleapis.com/storage/v1/`.
    pub url: Url,
    pub client: Client,
    /// The service's clock.
    pub clock: StoreClock,
    pub credentials: Credentials,
    pub journal_folder: PathBuf,
    pub codec: Codec,
}

/// How objects are encrypted by the service.
pub(crate) enum Encryption {
    /// As the bucket says.
    Default,
    /// With this key of Cloud KMS.
    Kms(String),
    /// With a key of ours: the key and its SHA-256, in base64.
    Customer { key: String, sha256: String },
}

const SERVICE: &str = "https://storage.googleapis.com/storage/v1/";

impl Config {
    pub(crate) fn new(settings: &Settings<'_>) -> Result<Config, ConfigError> {
        let bucket = settings.text("bucket").ok_or_else(|| problem("bucket", "bucket is required"))?;
        let prefix = settings.text("prefix").unwrap_or_default();
        let prefix = match prefix.trim_start_matches('/') {
            "" => String::new(),
            prefix if prefix.ends_with('/') => prefix.to_owned(),
            prefix => format!("{prefix}/"),
        };
        let encryption = match (settings.text("encryption_key"), settings.text("kms_encryption_key")) {
            (Some(key), _) => customer_key(settings, &key)?,
            (None, Some(key)) => Encryption::Kms(key),
            (None, None) => Encryption::Default,
        };
        let either = |argument: &str, variables: &[&str]| {
            let variable = || variables.iter().find_map(|name| settings.variable(name)).map(str::to_owned);
            settings.text(argument).or_else(variable)
        };
        let emulator = settings.variable("STORAGE_EMULATOR_HOST").map(emulator).transpose()?;
        let custom = either(
            "storage_custom_endpoint",
            &["GOOGLE_BACKEND_STORAGE_CUSTOM_ENDPOINT", "GOOGLE_STORAGE_CUSTOM_ENDPOINT"],
        );
        let url = match (custom, &emulator) {
            (Some(text), _) => endpoint("storage_custom_endpoint", &text)?,
            (None, Some(url)) => url.clone(),
            (None, None) => endpoint("storage_custom_endpoint", SERVICE)?,
        };
        let client = settings.surroundings.client.clone();
        let impersonation = either(
            "impersonate_service_account",
            &["GOOGLE_BACKEND_IMPERSONATE_SERVICE_ACCOUNT", "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT"],
        )
        .map(|account| {
            let delegates = settings.value("impersonate_service_account_delegates").and_then(Value::as_array);
            let delegates = delegates.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
            Impersonation::of(&account, delegates.collect())
        });
        let given = settings.text("credentials").or_else(|| {
            ["GOOGLE_BACKEND_CREDENTIALS", "GOOGLE_CREDENTIALS"]
                .iter()
                .find_map(|name| settings.variable(name))
                .map(str::to_owned)
        });
        let credentials = if emulator.is_some() {
            Credentials::none()
        } else if let Some(token) = settings.text("access_token") {
            Credentials::token(token)
        } else if let Some(given) = given {
            Credentials::key(&path_or_contents(settings, "credentials", &given)?)?
        } else {
            Credentials::application_default(&settings.surroundings.variables)?
        };
        Ok(Config {
            bucket,
            prefix,
            encryption,
            url,
            credentials: credentials.impersonating(impersonation, client.clone()),
            client,
            clock: StoreClock::default(),
            journal_folder: settings.surroundings.journal_folder.clone(),
            codec: settings.surroundings.codec.clone(),
        })
    }

    /// The object of a workspace's state.
    pub(crate) fn state(&self, workspace: &str) -> String {
        format!("{}{workspace}.tfstate", self.prefix)
    }

    /// The object of a workspace's lock.
    pub(crate) fn lock(&self, workspace: &str) -> String {
        format!("{}{workspace}.tflock", self.prefix)
    }

    /// An object as messages and locks name it.
    pub(crate) fn place(&self, object: &str) -> String {
        format!("gs://{}/{object}", self.bucket)
    }
}

pub(crate) fn problem(argument: &'static str, reason: impl Into<String>) -> ConfigError {
    ConfigError { argument: Some(argument), reason: reason.into() }
}

fn endpoint(argument: &'static str, text: &str) -> Result<Url, ConfigError> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err(problem(argument, format!("{argument} must be the URL of the JSON API, like {SERVICE}"))),
    }
}

/// `STORAGE_EMULATOR_HOST`: a host with its port, or a URL of it.
fn emulator(text: &str) -> Result<Url, ConfigError> {
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let mut url = Url::parse(&text).map_err(|error| ConfigError {
        argument: None,
        reason: format!("STORAGE_EMULATOR_HOST is neither a host nor a URL: {error}"),
    })?;
    url.set_path("storage/v1/");
    Ok(url)
}

/// What an argument holds, or the file that it names.
fn path_or_contents(settings: &Settings<'_>, argument: &'static str, text: &str) -> Result<String, ConfigError> {
    let path = match (text.strip_prefix('~'), settings.variable("HOME")) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => format!("{home}{rest}").into(),
        _ => PathBuf::from(text),
    };
    if text.len() > 4096 || !Path::new(&path).exists() {
        return Ok(text.to_owned());
    }
    std::fs::read_to_string(&path)
        .map_err(|error| problem(argument, format!("the file that {argument} names can't be read: {error}")))
}

fn customer_key(settings: &Settings<'_>, given: &str) -> Result<Encryption, ConfigError> {
    let text = path_or_contents(settings, "encryption_key", given)?;
    match BASE64_STANDARD.decode(text.trim()) {
        Ok(key) if key.len() == 32 => Ok(Encryption::Customer {
            sha256: BASE64_STANDARD.encode(Sha256::digest(&key)),
            key: BASE64_STANDARD.encode(key),
        }),
        _ => Err(problem("encryption_key", "encryption_key must be 32 bytes in base64, or a file of them")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emulators_are_named_by_host_or_url() {
        for text in ["127.0.0.1:4443", "http://127.0.0.1:4443", "http://127.0.0.1:4443/x"] {
            assert_eq!(emulator(text).unwrap().as_str(), "http://127.0.0.1:4443/storage/v1/");
        }
    }
}
