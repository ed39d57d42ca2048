//! What is answered.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use url::Url;

use crate::error::NetError;

/// An answer whose body has not been read yet.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The URL that answered, after redirects.
    pub url: Url,
    pub(crate) method: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Incoming,
    pub(crate) idle: Duration,
}

impl Response {
    /// Whether the status is a 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header, if it is there and text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body, if it has no more than `limit` bytes.
    pub async fn bytes(self, limit: u64) -> Result<Vec<u8>, NetError> {
        let mut bytes = Vec::new();
        self.write_to(&mut bytes, limit).await?;
        Ok(bytes)
    }

    /// Writes the body, if it has no more than `limit` bytes.
    pub async fn write_to(mut self, file: &mut (dyn Write + Send), limit: u64) -> Result<(), NetError> {
        let (method, url) = (self.method.clone(), self.url.clone());
        self.copy(file, limit).await.map_err(|error| error.of(&method, &url))
    }

    async fn copy(&mut self, file: &mut (dyn Write + Send), limit: u64) -> Result<(), NetError> {
        let mut length = 0u64;
        loop {
            let frame = tokio::time::timeout(self.idle, self.body.frame())
                .await
                .map_err(|_| NetError::Timeout { seconds: self.idle.as_secs() })?;
            let Some(frame) = frame else { return Ok(()) };
            let frame = frame.map_err(|error| NetError::Http(crate::client::cause(&error)))?;
            let Some(data) = frame.data_ref() else { continue };
            length = length.saturating_add(data.len() as u64);
            if length > limit {
                return Err(NetError::TooLong(limit));
            }
            file.write_all(data).map_err(|error| NetError::Write(Arc::new(error)))?;
        }
    }
}
