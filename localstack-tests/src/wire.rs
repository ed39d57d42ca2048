//! One HTTP/1.1 request at a time, on a connection of its own, without TLS: emulators listen on loopback.

use std::sync::OnceLock;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// The runtime of the harness: the tests are plain blocking functions, the proxies behind them are not.
pub(crate) fn runtime() -> Result<&'static Runtime, String> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    RUNTIME
        .get_or_init(|| {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .thread_name("harness")
                .enable_all()
                .build()
                .map_err(|error| error.to_string())
        })
        .as_ref()
        .map_err(Clone::clone)
}

/// `host:port` of an endpoint such as `http://127.0.0.1:4566`.
pub(crate) fn authority(endpoint: &str) -> Result<&str, String> {
    endpoint
        .strip_prefix("http://")
        .map(|rest| rest.trim_end_matches('/'))
        .ok_or_else(|| format!("`{endpoint}` is not an http:// endpoint"))
}

/// Sends a request to `authority` and reads the whole answer.
pub(crate) async fn send(authority: &str, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, String> {
    let stream =
        TcpStream::connect(authority).await.map_err(|error| format!("cannot connect to {authority}: {error}"))?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    connection.abort();
    Ok(Response::from_parts(parts, body))
}

/// The blocking form of [`send`]: status and body as text.
pub(crate) fn call(
    endpoint: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: String,
) -> Result<(u16, String), String> {
    let authority = authority(endpoint)?;
    let mut request = Request::builder().method(method).uri(path).header("host", authority);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body))).map_err(|error| error.to_string())?;
    let response = runtime()?.block_on(send(authority, request))?;
    Ok((response.status().as_u16(), String::from_utf8_lossy(response.body()).into_owned()))
}
