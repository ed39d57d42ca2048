//! Who we are to the service: a token, be it given, got for a key, or got from where the program runs.

mod external;
mod source;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use net::{Client, Method, Request, Url};
use serde::Deserialize;
use serde_json::{Value, json};
use state::backend::remote::ConfigError;
use tokio::sync::Mutex;

use crate::config::problem;
use source::Source;

/// What tokens are good for.
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_write";

/// How long before its end a token is no longer used.
const MARGIN: Duration = Duration::from_secs(120);

/// Longer than any answer is.
const LONGEST_ANSWER: u64 = 1 << 20;

/// Who we are.
pub(crate) struct Credentials {
    source: Source,
    impersonation: Option<Impersonation>,
    client: Option<Client>,
    /// The token, and when it ends.
    current: Mutex<Option<(String, Instant)>>,
}

/// An account that tokens are asked for in the place of one's own.
#[derive(Clone, Debug)]
pub(crate) struct Impersonation {
    url: String,
    delegates: Vec<String>,
}

impl Impersonation {
    /// An account by its address, reached through these.
    pub(crate) fn of(account: &str, delegates: Vec<String>) -> Impersonation {
        let url = format!(
            "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{account}:generateAccessToken"
        );
        Impersonation { url, delegates }
    }
}

/// A token as an OAuth server gives it.
#[derive(Deserialize)]
struct Token {
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Token {
    fn lifetime(&self) -> Duration {
        Duration::from_secs(self.expires_in.unwrap_or(3600))
    }
}

impl Credentials {
    fn of(source: Source) -> Credentials {
        Credentials { source, impersonation: None, client: None, current: Mutex::default() }
    }

    /// Nobody, which emulators ask for.
    pub(crate) fn none() -> Credentials {
        Credentials::of(Source::Nobody)
    }

    /// A token.
    pub(crate) fn token(token: String) -> Credentials {
        Credentials::of(Source::Token(token))
    }

    /// A key, as a file of Google's has it.
    pub(crate) fn key(text: &str) -> Result<Credentials, ConfigError> {
        let Ok(json) = serde_json::from_str::<Value>(text) else {
            let reason = "the string provided in credentials is neither valid json nor a valid file path";
            return Err(problem("credentials", reason));
        };
        let unusable = |reason: String| problem("credentials", format!("the credentials can't be used: {reason}"));
        Credentials::read(&json).map_err(unusable)
    }

    fn read(json: &Value) -> Result<Credentials, String> {
        let (source, impersonation) = Source::read(json)?;
        Ok(Credentials { impersonation, ..Credentials::of(source) })
    }

    /// What the machine has: the file that a variable names, the one of `gcloud`, or the instance's metadata.
    pub(crate) fn application_default(variables: &BTreeMap<String, String>) -> Result<Credentials, ConfigError> {
        let variable = |name: &str| variables.get(name).filter(|value| !value.is_empty());
        let named = variable("GOOGLE_APPLICATION_CREDENTIALS").map(PathBuf::from);
        let configured = variable("CLOUDSDK_CONFIG").map(PathBuf::from);
        let folder = configured.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".config/gcloud")));
        let well_known =
            folder.map(|folder| folder.join("application_default_credentials.json")).filter(|path| path.exists());
        let Some(path) = named.or(well_known) else {
            let host = variable("GCE_METADATA_HOST").map_or("metadata.google.internal", String::as_str);
            return Ok(Credentials::of(Source::Metadata { host: host.to_owned() }));
        };
        let failed = |reason: String| ConfigError {
            argument: None,
            reason: format!("the credentials in {} can't be used: {reason}", path.display()),
        };
        let text = std::fs::read_to_string(&path).map_err(|error| failed(error.to_string()))?;
        let json: Value = serde_json::from_str(&text).map_err(|_| failed("they are no JSON".to_owned()))?;
        Credentials::read(&json).map_err(failed)
    }

    /// The same in the name of another account, if one is given.
    pub(crate) fn impersonating(self, account: Option<Impersonation>, client: Client) -> Credentials {
        let impersonation = match self.source {
            Source::Nobody => None,
            _ => account.or(self.impersonation),
        };
        Credentials { impersonation, client: Some(client), ..self }
    }

    /// A token that is good for a while; `None` where none is asked for.
    pub(crate) async fn bearer(&self) -> Result<Option<String>, String> {
        let Some(client) = &self.client else { return Ok(None) };
        if matches!(self.source, Source::Nobody) {
            return Ok(None);
        }
        let mut current = self.current.lock().await;
        if let Some((token, end)) = &*current
            && end.saturating_duration_since(Instant::now()) > MARGIN
        {
            return Ok(Some(token.clone()));
        }
        // A key of ours can ask for what an impersonation takes; what is asked for storage alone can't.
        let scope = if self.impersonation.is_some() { "https://www.googleapis.com/auth/cloud-platform" } else { SCOPE };
        let mut token = self.source.token(client, scope).await?;
        if let Some(impersonation) = &self.impersonation {
            token = impersonate(client, impersonation, &token.access_token).await?;
        }
        let end = Instant::now() + token.lifetime();
        *current = Some((token.access_token.clone(), end));
        Ok(Some(token.access_token))
    }
}

async fn impersonate(client: &Client, impersonation: &Impersonation, token: &str) -> Result<Token, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        access_token: String,
        expire_time: String,
    }
    let delegates: Vec<String> = impersonation
        .delegates
        .iter()
        .map(|account| match account.starts_with("projects/") {
            true => account.clone(),
            false => format!("projects/-/serviceAccounts/{account}"),
        })
        .collect();
    let body = json!({"scope": [SCOPE], "lifetime": "3600s", "delegates": delegates});
    let request = Request::new(Method::POST, url(&impersonation.url)?)
        .bearer(token)
        .and_then(|request| request.header("content-type", "application/json"))
        .map_err(|error| error.to_string())?
        .body(body.to_string().into_bytes());
    let answer: Answer = ask(client, request, "the token of the impersonated account").await?;
    let end: Option<jiff::Timestamp> = answer.expire_time.parse().ok();
    let left = end.map(|end| end.duration_since(jiff::Timestamp::now()).as_secs());
    Ok(Token { access_token: answer.access_token, expires_in: left.and_then(|seconds| seconds.try_into().ok()) })
}

fn url(text: &str) -> Result<Url, String> {
    Url::parse(text).map_err(|_| "an address in the credentials is no URL".to_owned())
}

/// Sends a request whose answer is JSON. What is sent and answered is secret, and never told.
async fn ask<T: for<'de> Deserialize<'de>>(client: &Client, request: Request, what: &str) -> Result<T, String> {
    let response = client.send(request).await.map_err(|error| format!("{what} can't be had: {error}"))?;
    let status = response.status;
    let fine = response.is_success();
    let bytes = response.bytes(LONGEST_ANSWER).await.map_err(|error| format!("{what} can't be had: {error}"))?;
    if !fine {
        let json: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let reason = text(&json["error_description"])
            .or_else(|| text(&json["error"]["message"]))
            .or_else(|| text(&json["error"]))
            .unwrap_or_default();
        return Err(format!("{what} is refused with status {status}: {reason}"));
    }
    serde_json::from_slice(&bytes).map_err(|_| format!("{what} can't be had: the answer makes no sense"))
}
