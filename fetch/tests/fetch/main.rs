//! Packages from servers that the tests start on loopback.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends by it")]

mod buckets;
mod git;
mod registry;
mod server;
mod web;

use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Arc;

use config::packages::Packages;
use fetch::{AwsKeys, Credentials, Fetcher, NoCredentials, Services};
use net::tls::{Tls, TlsOptions};
use net::{Client, Proxies};

/// A fetcher with credentials and services of hosts.
fn fetcher(credentials: impl Credentials + 'static, services: Services) -> Fetcher {
    Fetcher::new(
        Client::new(Tls::new(TlsOptions::default()), Proxies::default(), "test"),
        Arc::new(credentials),
        services,
    )
}

/// Fetches a package without credentials; the folder's files with their text, sorted.
fn fetch(package: &str) -> Result<Vec<String>, String> {
    fetch_by(&fetcher(NoCredentials, Services::new()), package)
}

fn fetch_by(fetcher: &Fetcher, package: &str) -> Result<Vec<String>, String> {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("package");
    run(fetcher.fetch(package, &folder)).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    list(&folder, "", &mut found);
    found.sort();
    Ok(found)
}

fn list(folder: &Path, margin: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        match entry.path() {
            path if path.is_dir() && name != ".git" => list(&path, &format!("{margin}{name}/"), found),
            path if path.is_file() && !name.starts_with(".git") => {
                found.push(format!("{margin}{name}={}", std::fs::read_to_string(path).unwrap()));
            }
            _ => {}
        }
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(work)
}

fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Has one of each.
struct All;

impl Credentials for All {
    fn token(&self, host: &str) -> Option<String> {
        (host == "example.com").then(|| "registry-token".to_owned())
    }

    fn login(&self, _: &str) -> Option<(String, String)> {
        Some(("user".to_owned(), "password".to_owned()))
    }

    fn aws(&self) -> Option<AwsKeys> {
        Some(AwsKeys { id: "AKID".to_owned(), secret: "secret".to_owned(), token: Some("session".to_owned()) })
    }

    fn google(&self) -> Option<String> {
        Some("google-token".to_owned())
    }
}
