//! The module registry protocol: which services a host offers, versions, where packages are.

use std::sync::PoisonError;
use std::time::Duration;

use config::module_source::RegistrySource;
use config::packages::PackageError;
use config::remote_source::RemoteSource;
use net::{NetError, Request, Response, Url};
use serde::Deserialize;

use crate::fetcher::Fetcher;
use crate::http::resolve;

const SERVICE: &str = "modules.v1";

/// More than any registry has to say.
const LONGEST_ANSWER: u64 = 64 << 20;

/// How long a registry may stay silent.
const PATIENCE: Duration = Duration::from_secs(10);

const ATTEMPTS: usize = 2;

#[derive(Deserialize)]
struct Versions {
    #[serde(default)]
    modules: Vec<Module>,
}

#[derive(Deserialize)]
struct Module {
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

/// The versions of a module.
pub(crate) async fn versions(fetcher: &Fetcher, module: &RegistrySource) -> Result<Vec<String>, PackageError> {
    let url = address(fetcher, module, "versions").await?;
    let response = ask(fetcher, &module.host, url).await?;
    let body = response.bytes(LONGEST_ANSWER).await.map_err(|error| failed(&error))?;
    let answer: Versions = serde_json::from_slice(&body).map_err(|error| failed(&error))?;
    match answer.modules.into_iter().next() {
        Some(module) => Ok(module.versions.into_iter().map(|version| version.version).collect()),
        None => Err(PackageError::InvalidResponse),
    }
}

#[derive(Deserialize)]
struct Location {
    location: String,
}

/// Where the package of a version is.
pub(crate) async fn location(
    fetcher: &Fetcher,
    module: &RegistrySource,
    version: &str,
) -> Result<RemoteSource, PackageError> {
    let url = address(fetcher, module, &format!("{version}/download")).await?;
    let response = ask(fetcher, &module.host, url).await?;
    let (status, base) = (response.status, response.url.clone());
    let named = match response.header("x-terraform-get") {
        Some(location) => Some(location.to_owned()),
        None => {
            let body = response.bytes(LONGEST_ANSWER).await.map_err(|error| failed(&error))?;
            serde_json::from_slice::<Location>(&body).ok().map(|answer| answer.location)
        }
    };
    let Some(named) = named.filter(|location| !location.is_empty()) else {
        let package = module.package();
        let reason = format!("failed to get download URL for {package:?}: {}", NetError::status_text(status));
        return Err(PackageError::Failed(reason));
    };
    resolve(&base, &named).map_err(|reason| PackageError::InvalidLocation { location: named, reason })
}

async fn address(fetcher: &Fetcher, module: &RegistrySource, rest: &str) -> Result<Url, PackageError> {
    let RegistrySource { host, namespace, name, system, .. } = module;
    let base = discover(fetcher, host).await?;
    base.join(&format!("{namespace}/{name}/{system}/{rest}")).map_err(|error| failed(&error))
}

impl Fetcher {
    /// Where a host has a service (`tfe.v2`); `None` if it doesn't offer it.
    ///
    /// # Errors
    /// The host doesn't say.
    pub async fn service(&self, host: &str, name: &str) -> Result<Option<Url>, PackageError> {
        let origin =
            Url::parse(&format!("https://{host}/.well-known/terraform.json")).map_err(|error| failed(&error))?;
        let service = match self.services.get(host) {
            Some(services) => services.get(name).map(|service| origin.join(service)),
            None => document(self, host, origin, name).await?,
        };
        service.transpose().map_err(|error| failed(&error))
    }

    /// Asks a service with a token; the status and what it answers.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn ask_with_token(&self, url: Url, token: &str) -> Result<(u16, Vec<u8>), PackageError> {
        let request = Request::get(url).bearer(token).map_err(|error| failed(&error))?;
        let response = self.client.with_timeout(PATIENCE).send(request).await.map_err(|error| failed(&error))?;
        let status = response.status;
        Ok((status, response.bytes(LONGEST_ANSWER).await.map_err(|error| failed(&error))?))
    }
}

/// Where a host has its module registry.
async fn discover(fetcher: &Fetcher, host: &str) -> Result<Url, PackageError> {
    if let Some(url) = fetcher.discovered.lock().unwrap_or_else(PoisonError::into_inner).get(host) {
        return Ok(url.clone());
    }
    let service = fetcher.service(host, SERVICE).await?;
    let none = || PackageError::Failed(format!("host {host} does not offer a module registry"));
    let mut url = service.ok_or_else(none)?;
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    fetcher.discovered.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned(), url.clone());
    Ok(url)
}

type Service = Option<Result<Url, <Url as std::str::FromStr>::Err>>;

/// What the host itself says of its services.
async fn document(fetcher: &Fetcher, host: &str, url: Url, name: &str) -> Result<Service, PackageError> {
    let problem = |reason: String| PackageError::Failed(format!("failed to request discovery document: {reason}"));
    let request = authorized(fetcher, host, Request::get(url).redirects(3))?;
    let response = fetcher.client.with_timeout(PATIENCE).send(request).await.map_err(|e| problem(e.to_string()))?;
    match response.status {
        200 => {}
        404 => return Ok(None),
        status => return Err(problem(NetError::status_text(status))),
    }
    if !response.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
        return Err(problem("the answer is not of the type \"application/json\"".to_owned()));
    }
    let base = response.url.clone();
    let body = response.bytes(LONGEST_ANSWER).await.map_err(|error| problem(error.to_string()))?;
    let services: serde_json::Value = serde_json::from_slice(&body).map_err(|error| problem(error.to_string()))?;
    Ok(services.get(name).and_then(serde_json::Value::as_str).map(|service| base.join(service)))
}

fn authorized(fetcher: &Fetcher, host: &str, request: Request) -> Result<Request, PackageError> {
    match fetcher.credentials.token(host) {
        Some(token) => request.bearer(&token).map_err(|error| failed(&error)),
        None => Ok(request),
    }
}

/// Asks a registry, twice if need be.
async fn ask(fetcher: &Fetcher, host: &str, url: Url) -> Result<Response, PackageError> {
    let client = fetcher.client.with_timeout(PATIENCE);
    let request = authorized(fetcher, host, Request::get(url.clone()))?;
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        match client.send(request.clone()).await {
            Ok(response) if response.status >= 500 || response.status == 429 => {
                last = format!("{} returned from {url}", NetError::status_text(response.status));
            }
            Ok(response) if response.status == 404 => return Err(PackageError::NotFound),
            Ok(response) if response.is_success() => return Ok(response),
            Ok(response) => {
                let reason = format!("error looking up module: {}", NetError::status_text(response.status));
                return Err(PackageError::Failed(reason));
            }
            Err(error) if error.is_transient() => last = error.to_string(),
            Err(error) => return Err(failed(&error)),
        }
    }
    let reason = format!("the request failed after {ATTEMPTS} attempts, please try again later: {last}");
    Err(PackageError::Failed(reason))
}

fn failed(error: &dyn std::error::Error) -> PackageError {
    PackageError::Failed(error.to_string())
}
