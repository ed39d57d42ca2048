//! Sends requests and follows redirects.

use std::error::Error as _;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderValue, LOCATION, PROXY_AUTHORIZATION, USER_AGENT,
};
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use url::Url;

use crate::connect::connect;
use crate::error::NetError;
use crate::proxy::Proxies;
use crate::request::Request;
use crate::response::Response;
use crate::tls::Tls;

/// How long a server may stay silent.
const IDLE: Duration = Duration::from_secs(60);

/// Sends requests.
#[derive(Clone, Debug)]
pub struct Client {
    tls: Tls,
    proxies: Proxies,
    user_agent: String,
    idle: Duration,
}

impl Client {
    /// A client that names itself `user_agent`.
    pub fn new(tls: Tls, proxies: Proxies, user_agent: impl Into<String>) -> Client {
        Client { tls, proxies, user_agent: user_agent.into(), idle: IDLE }
    }

    /// The same client with other certificates.
    pub fn with_tls(&self, tls: Tls) -> Client {
        Client { tls, ..self.clone() }
    }

    /// The same client, which waits this long for a silent server.
    pub fn with_timeout(&self, idle: Duration) -> Client {
        Client { idle, ..self.clone() }
    }

    /// Sends a request and follows redirects. The answer may have any status.
    pub async fn send(&self, mut request: Request) -> Result<Response, NetError> {
        let most = request.redirects;
        for _ in 0..=most {
            let (method, url) = (request.method.to_string(), request.url.clone());
            let response = self.exchange(&request).await.map_err(|error| error.of(&method, &url))?;
            match next(&mut request, &response).map_err(|error| error.of(&method, &url))? {
                true if most > 0 => {}
                _ => return Ok(response),
            }
        }
        Err(NetError::TooManyRedirects(most).of(request.method.as_str(), &request.url))
    }

    async fn exchange(&self, request: &Request) -> Result<Response, NetError> {
        let url = &request.url;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            let reason = format!("the scheme {:?} is none of http and https", url.scheme());
            return Err(NetError::BadUrl { url: crate::error::public(url), reason });
        }
        let proxy = self.proxies.for_url(url);
        let connection = self.timed(connect(url, proxy, &self.tls)).await?;
        // A proxy of plain HTTP is asked with the whole URL.
        let forwarded = proxy.filter(|_| url.scheme() == "http");
        let message = self.message(request, forwarded)?;
        let http = |error: hyper::Error| NetError::Http(cause(&error));
        let answer = async {
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(connection)).await.map_err(http)?;
            // Ends with the connection, when the answer has been read or dropped.
            tokio::spawn(async move { connection.await.ok() });
            sender.send_request(message).await.map_err(http)
        };
        let (parts, body) = self.timed(answer).await?.into_parts();
        // Neither the user's part nor the query: they may hold secrets.
        let place = format!("{}{}", url.origin().ascii_serialization(), url.path());
        tracing::debug!(status = parts.status.as_u16(), "{} {place}", request.method);
        Ok(Response {
            status: parts.status.as_u16(),
            url: url.clone(),
            method: request.method.to_string(),
            headers: parts.headers,
            body,
            idle: self.idle,
        })
    }

    async fn timed<T>(&self, work: impl Future<Output = Result<T, NetError>>) -> Result<T, NetError> {
        let seconds = self.idle.as_secs();
        tokio::time::timeout(self.idle, work).await.unwrap_or(Err(NetError::Timeout { seconds }))
    }

    fn message(&self, request: &Request, proxy: Option<&Url>) -> Result<hyper::Request<Full<Bytes>>, NetError> {
        let Request { method, url, headers, body, .. } = request;
        let bad = |reason: &dyn std::fmt::Display| NetError::BadUrl {
            url: crate::error::public(url),
            reason: reason.to_string(),
        };
        let target = match proxy {
            Some(_) => format!("{}{}", url.origin().ascii_serialization(), &url[url::Position::BeforePath..]),
            None => url[url::Position::BeforePath..url::Position::AfterQuery].to_owned(),
        };
        let target = target.split('#').next().unwrap_or_default();
        let mut message = hyper::Request::new(Full::new(body.clone()));
        *message.method_mut() = method.clone();
        *message.uri_mut() = target.parse().map_err(|error: hyper::http::uri::InvalidUri| bad(&error))?;
        let all = message.headers_mut();
        all.clone_from(headers);
        let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
        all.insert(HOST, HeaderValue::try_from(host).map_err(|error| bad(&error))?);
        if let Ok(agent) = HeaderValue::try_from(&self.user_agent) {
            all.entry(USER_AGENT).or_insert(agent);
        }
        if !url.username().is_empty() && !all.contains_key(AUTHORIZATION) {
            all.insert(AUTHORIZATION, basic(url)?);
        }
        if let Some(proxy) = proxy.filter(|proxy| !proxy.username().is_empty()) {
            all.insert(PROXY_AUTHORIZATION, basic(proxy)?);
        }
        Ok(message)
    }
}

/// The credentials in a URL.
pub(crate) fn basic(url: &Url) -> Result<HeaderValue, NetError> {
    let plain = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    let pair = [plain(url.username()), plain(url.password().unwrap_or_default())].join(&b':');
    let mut value = HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(pair)))
        .map_err(|_| NetError::Http("invalid credentials in the URL".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Turns the request into the one that a redirect asks for; `false` if the answer is none.
fn next(request: &mut Request, response: &Response) -> Result<bool, NetError> {
    let Ok(status) = StatusCode::from_u16(response.status) else { return Ok(false) };
    let keeps_method = match status.as_u16() {
        301..=303 => false,
        307 | 308 => true,
        _ => return Ok(false),
    };
    let Some(location) = response.headers.get(LOCATION) else { return Ok(false) };
    let location = String::from_utf8_lossy(location.as_bytes());
    let url = request
        .url
        .join(&location)
        .map_err(|error| NetError::BadUrl { url: location.clone().into_owned(), reason: error.to_string() })?;
    // Credentials are for the host that they were given for, and stay encrypted.
    let same_host =
        url.host_str() == request.url.host_str() && url.port_or_known_default() == request.url.port_or_known_default();
    if !same_host || (request.url.scheme() == "https" && url.scheme() != "https") {
        for name in [AUTHORIZATION, COOKIE] {
            request.headers.remove(name);
        }
    }
    if !keeps_method && request.method != Method::GET && request.method != Method::HEAD {
        request.method = Method::GET;
        request.body.clear();
        request.headers.remove(CONTENT_LENGTH);
        request.headers.remove(CONTENT_TYPE);
    }
    request.url = url;
    Ok(true)
}

/// What an error of hyper comes from, which says more than hyper's own words.
pub(crate) fn cause(error: &hyper::Error) -> String {
    match error.source() {
        Some(source) => source.to_string(),
        None if error.is_incomplete_message() => "unexpected EOF".to_owned(),
        None => error.to_string(),
    }
}
