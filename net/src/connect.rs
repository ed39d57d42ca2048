//! Connections: direct or by a proxy, plain or by TLS.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use crate::error::NetError;
use crate::tls::Tls;

/// Bytes to and from a server.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection to a port of a host by way of an HTTP proxy; with TLS to the proxy if its URL says `https`.
///
/// # Errors
/// What the system, TLS or the proxy says.
pub async fn by_proxy(proxy: &Url, host: &str, port: u16, tls: &Tls) -> Result<Box<dyn Stream>, NetError> {
    let stream = dial(proxy).await?;
    let mut stream: Box<dyn Stream> = match proxy.scheme() {
        "https" => tls.connect(&address(proxy).0, stream).await?,
        _ => Box::new(stream),
    };
    tunnel(&mut stream, (host, port), proxy).await?;
    Ok(stream)
}

/// Connects to the host of a URL, or to the proxy that stands for it.
pub(crate) async fn connect(url: &Url, proxy: Option<&Url>, tls: &Tls) -> Result<Box<dyn Stream>, NetError> {
    let mut stream = dial(proxy.unwrap_or(url)).await?;
    if url.scheme() != "https" {
        return Ok(Box::new(stream));
    }
    if let Some(proxy) = proxy {
        let (host, port) = address(url);
        tunnel(&mut stream, (&host, port), proxy).await?;
    }
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    tls.connect(host, stream).await
}

fn address(url: &Url) -> (String, u16) {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    (host, url.port_or_known_default().unwrap_or(80))
}

async fn dial(url: &Url) -> Result<TcpStream, NetError> {
    let (host, port) = address(url);
    let stream = TcpStream::connect((host.as_str(), port))
        .await
        .map_err(|source| NetError::Connect { address: format!("{host}:{port}"), source: Arc::new(source) })?;
    // A request is written in two parts, and the second should not wait for the first to be confirmed.
    stream.set_nodelay(true).map_err(|error| NetError::Http(error.to_string()))?;
    Ok(stream)
}

/// Asks a proxy to connect us.
async fn tunnel(stream: &mut impl Stream, (host, port): (&str, u16), proxy: &Url) -> Result<(), NetError> {
    let target = format!("{host}:{port}");
    let refused = |reason: String| {
        let (host, port) = address(proxy);
        NetError::Proxy { proxy: format!("{host}:{port}"), target: target.clone(), reason }
    };
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if !proxy.username().is_empty() {
        let credentials = crate::client::basic(proxy)?;
        let credentials = credentials.to_str().map_err(|error| refused(error.to_string()))?;
        request.push_str(&format!("Proxy-Authorization: {credentials}\r\n"));
    }
    request.push_str("\r\n");
    let io = |error: io::Error| refused(error.to_string());
    stream.write_all(request.as_bytes()).await.map_err(io)?;
    let mut answer = Vec::new();
    // Byte by byte, because what follows belongs to TLS.
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() > 16 * 1024 {
            return Err(refused("its answer is too long".to_owned()));
        }
        answer.push(stream.read_u8().await.map_err(io)?);
    }
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.lines().next().unwrap_or_default();
    match status.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => Err(refused(status.to_owned())),
    }
}
