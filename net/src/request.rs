//! What is asked.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
pub use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::error::NetError;

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) redirects: usize,
}

impl Request {
    /// A request without body that follows up to ten redirects.
    pub fn new(method: Method, url: Url) -> Request {
        Request { method, url, headers: HeaderMap::new(), body: Bytes::new(), redirects: 10 }
    }

    /// `GET`
    pub fn get(url: Url) -> Request {
        Request::new(Method::GET, url)
    }

    /// Adds a header. What can't be one is refused.
    pub fn header(mut self, name: &str, value: &str) -> Result<Request, NetError> {
        let bad = || NetError::Http(format!("invalid value of the header {name}"));
        let name = HeaderName::try_from(name).map_err(|_| bad())?;
        self.headers.insert(name, HeaderValue::try_from(value).map_err(|_| bad())?);
        Ok(self)
    }

    /// `Authorization: Bearer …`
    pub fn bearer(self, token: &str) -> Result<Request, NetError> {
        self.secret(&format!("Bearer {token}"))
    }

    /// `Authorization: Basic …`
    pub fn basic(self, user: &str, password: &str) -> Result<Request, NetError> {
        self.secret(&format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))))
    }

    fn secret(mut self, value: &str) -> Result<Request, NetError> {
        let mut value = HeaderValue::try_from(value).map_err(|_| NetError::Http("invalid credentials".to_owned()))?;
        // Keeps it out of debug output.
        value.set_sensitive(true);
        self.headers.insert(AUTHORIZATION, value);
        Ok(self)
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Request {
        self.body = body.into();
        self
    }

    /// Sets how many redirects are followed.
    pub fn redirects(mut self, most: usize) -> Request {
        self.redirects = most;
        self
    }
}
