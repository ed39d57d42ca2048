//! The HTTP client that all services share: TLS roots and proxies as the settings say.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::errors::SessionError;
use crate::settings::{Metadata, Settings};

type Result<T> = std::result::Result<T, SessionError>;

/// What the client is used for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Endpoints {
    /// Some are reached by TLS, whose roots cost some 40 ms: an emulator needs none.
    pub(crate) tls: bool,
    /// All are on this machine, where a proxy of the environment can't be meant.
    pub(crate) loopback: bool,
}

/// A client for these endpoints.
pub(crate) fn client(settings: &Settings, endpoints: Endpoints) -> Result<SharedHttpClient> {
    if endpoints.tls && settings.insecure {
        return Err(SessionError::new("Unsupported argument: insecure").hint(
            "windlass always verifies the certificates of what it talks to. Name the authority that signed them in \
             custom_ca_bundle, or use an http:// endpoint for an emulator.",
        ));
    }
    let proxy = proxy(settings, endpoints)?;
    let context = match &settings.custom_ca_bundle {
        Some(path) if endpoints.tls && !path.is_empty() => Some(authorities(path)?),
        _ => None,
    };
    let connector = move |limits: Option<&HttpConnectorSettings>, components: Option<&RuntimeComponents>| {
        let mut builder = Connector::builder().proxy_config(proxy.clone());
        builder.set_connector_settings(limits.cloned());
        builder.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        if !endpoints.tls {
            return builder.build_http();
        }
        let builder = builder.tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc));
        match &context {
            Some(context) => builder.tls_context(context.clone()).build(),
            None => builder.build(),
        }
    };
    let client = Builder::new().build_with_connector_fn(connector);
    Ok(http_client_fn(move |limits, components| {
        SharedHttpConnector::new(Told(client.http_connector(limits, components)))
    }))
}

/// Tells the log of each request: where it goes, what it asks for and how it ended. Headers, queries and bodies may hold secrets.
#[derive(Debug)]
struct Told(SharedHttpConnector);

impl HttpConnector for Told {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if !tracing::enabled!(tracing::Level::DEBUG) {
            return self.0.call(request);
        }
        let place = request.uri().split('?').next().unwrap_or_default().to_owned();
        let what = format!("{} {place} {}", request.method(), operation(&request).unwrap_or_default());
        let started = Instant::now();
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await;
            let took = started.elapsed().as_millis();
            match &answer {
                Ok(response) => {
                    tracing::debug!(status = response.status().as_u16(), ms = took, "{}", what.trim_end());
                }
                Err(_) => tracing::debug!(ms = took, "{}: no answer", what.trim_end()),
            }
            answer
        })
    }
}

/// The operation of the protocols that don't have it in the path: in a header, or first in a form.
fn operation(request: &HttpRequest) -> Option<String> {
    if let Some(target) = request.headers().get("x-amz-target") {
        return Some(target.to_owned());
    }
    let form = std::str::from_utf8(request.body().bytes()?).ok()?;
    form.strip_prefix("Action=").map(|rest| rest.split('&').next().unwrap_or_default().to_owned())
}

/// The client of the chain that looks for credentials, which asks whom it finds configured. What a scheme needs is made at the
/// first request of that scheme: the SDK's own client reads the machine's certificates at once, which takes longer than a whole
/// plan against an emulator.
pub(crate) fn on_demand(settings: &Settings) -> SharedHttpClient {
    let schemes = Arc::new(Schemes { settings: settings.clone(), plain: OnceLock::new(), tls: OnceLock::new() });
    http_client_fn(move |limits, components| {
        let (schemes, limits, components) = (schemes.clone(), limits.clone(), components.clone());
        SharedHttpConnector::new(OnDemand { schemes, limits, components })
    })
}

/// The client of a scheme, or why there is none.
type Half = std::result::Result<SharedHttpClient, String>;

/// The clients of both schemes, or why there is none.
struct Schemes {
    settings: Settings,
    plain: OnceLock<Half>,
    tls: OnceLock<Half>,
}

/// The configuration holds secrets.
impl fmt::Debug for Schemes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schemes").field("plain", &self.plain).field("tls", &self.tls).finish_non_exhaustive()
    }
}

impl Schemes {
    fn of(&self, url: &str) -> &Half {
        let tls = !url.starts_with("http://");
        let half = if tls { &self.tls } else { &self.plain };
        let endpoints = Endpoints { tls, loopback: false };
        half.get_or_init(|| client(&self.settings, endpoints).map_err(|error| error.summary))
    }
}

/// The client of a scheme is found when the request is there; it keeps the connections, not this.
#[derive(Debug)]
struct OnDemand {
    schemes: Arc<Schemes>,
    limits: HttpConnectorSettings,
    components: RuntimeComponents,
}

impl HttpConnector for OnDemand {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        match detour(request.uri(), &self.schemes.settings) {
            Ok(None) => {}
            Ok(Some(url)) => {
                if let Err(error) = request.set_uri(url) {
                    return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into())));
                }
            }
            Err(reason) => return HttpConnectorFuture::ready(Err(ConnectorError::user(reason.into()))),
        }
        match self.schemes.of(request.uri()) {
            Ok(client) => client.http_connector(&self.limits, &self.components).call(request),
            Err(reason) => HttpConnectorFuture::ready(Err(ConnectorError::user(reason.clone().into()))),
        }
    }
}

/// Where the chain asks for the instance's metadata.
const METADATA: [&str; 2] = ["http://169.254.169.254", "http://[fd00:ec2::254]"];

/// Another URL to ask in the place of this one, which the chain has chosen; or why it is not asked. (The chain takes none of
/// these settings but from the environment, which a library leaves alone.)
fn detour(url: &str, settings: &Settings) -> std::result::Result<Option<String>, String> {
    let Metadata { disabled, endpoint, ipv6 } = &settings.metadata;
    if let Some(path) = METADATA.iter().find_map(|host| url.strip_prefix(host)) {
        return match endpoint.as_deref().filter(|endpoint| !endpoint.is_empty()) {
            _ if *disabled => Err("access to the instance's metadata is disabled by the configuration".to_owned()),
            Some(endpoint) => Ok(Some(format!("{}{path}", endpoint.trim_end_matches('/')))),
            None if *ipv6 => Ok(Some(format!("{}{path}", METADATA[1]))),
            None => Ok(None),
        };
    }
    let Some(endpoint) = settings.endpoints.sso.as_deref().filter(|endpoint| !endpoint.is_empty()) else {
        return Ok(None);
    };
    let path = url.strip_prefix("https://portal.sso.").and_then(|rest| rest.find('/').and_then(|at| rest.get(at..)));
    Ok(path.map(|path| format!("{}{path}", endpoint.trim_end_matches('/'))))
}

/// The proxy of the settings, or of the environment. Whatever a URL holds beside the host may be a secret.
fn proxy(settings: &Settings, endpoints: Endpoints) -> Result<ProxyConfig> {
    let given = |url: &'_ Option<String>| url.clone().filter(|url| !url.is_empty());
    let (http, https) = (given(&settings.http_proxy), given(&settings.https_proxy));
    let invalid = |name: &str| {
        SessionError::new(format!("Invalid proxy: {name}"))
            .hint("It has to be a URL with a scheme and a host, like http://proxy.example.com:3128.")
    };
    let proxy = match (http, https) {
        (_, Some(url)) if endpoints.tls => ProxyConfig::https(url).map_err(|_| invalid("https_proxy"))?,
        // As in Terraform, one proxy for HTTP is good for HTTPS as well.
        (Some(url), _) => ProxyConfig::all(url).map_err(|_| invalid("http_proxy"))?,
        _ if endpoints.loopback => ProxyConfig::disabled(),
        _ => ProxyConfig::from_env(),
    };
    Ok(match given(&settings.no_proxy) {
        Some(rules) => proxy.no_proxy(rules),
        None => proxy,
    })
}

/// The authorities of a bundle, which take the place of the system's. They are parsed here because the client would panic.
fn authorities(path: &str) -> Result<TlsContext> {
    let unusable = |why: String| SessionError::new(format!("custom_ca_bundle {path:?} can't be used: {why}"));
    let bundle = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bundle) {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("it holds no certificate in PEM form".to_owned()));
    }
    let store = TrustStore::empty().with_pem_certificate(bundle);
    TlsContext::builder().with_trust_store(store).build().map_err(|error| unusable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOUD: Endpoints = Endpoints { tls: true, loopback: false };
    const EMULATOR: Endpoints = Endpoints { tls: false, loopback: true };

    fn refused(settings: &Settings, endpoints: Endpoints) -> Option<String> {
        client(settings, endpoints).err().map(|error| error.summary)
    }

    #[test]
    fn what_can_not_be_honoured_is_refused() {
        let insecure = Settings { insecure: true, ..Settings::default() };
        assert_eq!(refused(&insecure, CLOUD).as_deref(), Some("Unsupported argument: insecure"));
        assert_eq!(refused(&insecure, EMULATOR), None, "there is nothing to verify");
        let proxy = Settings { http_proxy: Some("http://user:secret@".to_owned()), ..Settings::default() };
        assert_eq!(refused(&proxy, CLOUD).as_deref(), Some("Invalid proxy: http_proxy"), "and the secret is not shown");
    }

    #[test]
    fn certificates_are_read_for_tls_alone() {
        let schemes = Schemes { settings: Settings::default(), plain: OnceLock::new(), tls: OnceLock::new() };
        assert!(schemes.of("http://127.0.0.1:4566/").is_ok());
        assert!(schemes.tls.get().is_none());
        assert!(schemes.of("https://sts.eu-west-1.amazonaws.com/").is_ok());
        assert!(schemes.tls.get().is_some());
    }

    #[test]
    fn requests_of_the_chain_go_where_the_settings_say() {
        let url = "http://169.254.169.254/latest/api/token";
        let mut settings = Settings::default();
        assert_eq!(detour(url, &settings), Ok(None));
        settings.metadata.ipv6 = true;
        assert_eq!(detour(url, &settings).unwrap().unwrap(), "http://[fd00:ec2::254]/latest/api/token");
        settings.metadata.endpoint = Some("http://127.0.0.1:1338/".to_owned());
        assert_eq!(detour(url, &settings).unwrap().unwrap(), "http://127.0.0.1:1338/latest/api/token");
        settings.metadata.disabled = true;
        assert!(detour(url, &settings).is_err());
        settings.endpoints.sso = Some("http://127.0.0.1:1".to_owned());
        let url = "https://portal.sso.eu-west-1.amazonaws.com/federation/credentials?role_name=x";
        assert_eq!(detour(url, &settings).unwrap().unwrap(), "http://127.0.0.1:1/federation/credentials?role_name=x");
        assert_eq!(detour("https://sts.amazonaws.com/", &settings), Ok(None));
    }

    #[test]
    fn a_bundle_has_to_hold_certificates() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let config = |path: &std::path::Path| Settings {
            custom_ca_bundle: Some(path.display().to_string()),
            ..Settings::default()
        };
        assert!(refused(&config(&path), CLOUD).unwrap().contains("can't be used"), "it isn't there");
        for text in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            std::fs::write(&path, text).unwrap();
            assert!(refused(&config(&path), CLOUD).unwrap().contains("can't be used"), "{text:?}");
        }
    }
}
