//! Why a request failed.

use std::io;
use std::sync::Arc;

use url::Url;

/// Why a request failed. No message holds a password of an URL.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NetError {
    /// Something that is no URL, or none that can be asked.
    #[error("{url:?} cannot be requested: {reason}")]
    BadUrl {
        /// The text.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No connection.
    #[error("dial tcp {address}: {}", system_text(source))]
    Connect {
        /// Host and port.
        address: String,
        /// What the system says.
        source: Arc<io::Error>,
    },
    /// The proxy does not let us through.
    #[error("the proxy {proxy} refuses a tunnel to {target}: {reason}")]
    Proxy {
        /// The proxy's host and port.
        proxy: String,
        /// The host and port behind it.
        target: String,
        /// Its answer.
        reason: String,
    },
    /// No trust between client and server, or a certificate that cannot be used.
    #[error("tls: {0}")]
    Tls(String),
    /// The connection broke, or spoke something else than HTTP.
    #[error("{0}")]
    Http(String),
    /// No answer in time.
    #[error("no answer within {seconds} s")]
    Timeout {
        /// How long was waited.
        seconds: u64,
    },
    /// Redirected more often than allowed.
    #[error("stopped after {0} redirects")]
    TooManyRedirects(usize),
    /// More than is to be accepted.
    #[error("the answer is longer than {0} bytes")]
    TooLong(u64),
    /// The answer cannot be written to its file.
    #[error("cannot write the answer: {0}")]
    Write(Arc<io::Error>),
    /// A request with what it failed by: `Get "http://…": …`.
    #[error("{method} \"{url}\": {source}")]
    Request {
        /// `Get`, `Post` and so on.
        method: String,
        /// Without password.
        url: String,
        /// Why.
        source: Box<NetError>,
    },
}

impl NetError {
    /// Names the request that failed.
    pub(crate) fn of(self, method: &str, url: &Url) -> NetError {
        let mut letters = method.chars();
        let method =
            letters.next().map(|first| format!("{first}{}", letters.as_str().to_lowercase())).unwrap_or_default();
        NetError::Request { method, url: public(url), source: Box::new(self) }
    }

    /// A status code with its name: `404 Not Found`.
    pub fn status_text(status: u16) -> String {
        let name = hyper::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        name.map_or_else(|| status.to_string(), |name| format!("{status} {name}"))
    }

    /// Whether it may go better next time: the server was not reached, or did not answer.
    pub fn is_transient(&self) -> bool {
        match self {
            NetError::Request { source, .. } => source.is_transient(),
            NetError::Connect { .. } | NetError::Http(_) | NetError::Timeout { .. } => true,
            _ => false,
        }
    }
}

/// A URL as it may be shown.
pub(crate) fn public(url: &Url) -> String {
    let mut url = url.clone();
    if url.password().is_some() {
        // Fails only for URLs without a host, which have no password.
        let _ = url.set_password(Some("xxxxx"));
    }
    url.to_string()
}

/// The system's message without its number, in Go's lower case.
fn system_text(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => format!("connect: {}", text.to_lowercase()),
        None => text,
    }
}
