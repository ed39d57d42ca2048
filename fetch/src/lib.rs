//! Brings module packages into a folder: from registries, git, archives and object stores.
//!
//! What a package may do is bounded: it cannot write outside of its folder, nor fill the disk. Credentials, proxies and
//! certificates are given by the caller.

#![forbid(unsafe_code)]

mod archive;
mod checksum;
mod copy;
mod credentials;
mod download;
mod fetcher;
mod gcs;
mod git;
mod http;
mod local;
pub mod provider_packages;
mod query;
mod registry;
mod s3;
mod signature;
mod unpack;

pub use credentials::{AwsKeys, Credentials, NoCredentials};
pub use fetcher::{Fetcher, Limits, Services};
