//! HTTP requests and TLS settings: what module installation and state backends share.
//!
//! One connection serves one request: these clients talk rarely, and to many hosts. Which proxies, certificates and credentials
//! to use is told by the caller; nothing is read from the environment.

#![forbid(unsafe_code)]

mod client;
mod connect;
mod error;
mod proxy;
mod request;
mod response;
pub mod tls;

pub use client::Client;
pub use connect::{Stream, by_proxy};
pub use error::NetError;
pub use hyper::body::Bytes;
pub use proxy::Proxies;
pub use request::{Method, Request};
pub use response::Response;
pub use url::{Position, Url};
