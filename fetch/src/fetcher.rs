//! From an address to whoever can fetch it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use config::module_source::RegistrySource;
use config::packages::{PackageError, Packages};
use config::remote_source::{RemoteSource, split_forced};
use net::{Client, Url};

use crate::archive::Kind;
use crate::credentials::Credentials;
use crate::{copy, gcs, git, http, local, query, registry, s3};

/// What a package may take at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an archive as it is downloaded.
    pub download: u64,
    /// Bytes of all files of a package.
    pub unpacked: u64,
    /// How many files and folders.
    pub entries: u64,
}

impl Default for Limits {
    /// Far more than any module needs, and far less than a disk has.
    fn default() -> Limits {
        Limits { download: 1 << 30, unpacked: 2 << 30, entries: 200_000 }
    }
}

/// What hosts offer instead of what they would say themselves: by host, then by service (`modules.v1`).
pub type Services = BTreeMap<String, BTreeMap<String, String>>;

/// Fetches packages. One serves a whole run, and downloads no package twice.
pub struct Fetcher {
    pub(crate) client: Client,
    pub(crate) credentials: Arc<dyn Credentials>,
    pub(crate) services: Services,
    pub(crate) limits: Limits,
    pub(crate) discovered: Mutex<BTreeMap<String, Url>>,
    fetched: Mutex<BTreeMap<String, PathBuf>>,
}

/// How often one address may lead to another.
const MOST_DETOURS: usize = 5;

impl Fetcher {
    /// A fetcher with the usual limits.
    pub fn new(client: Client, credentials: Arc<dyn Credentials>, services: Services) -> Fetcher {
        Fetcher {
            client,
            credentials,
            services,
            limits: Limits::default(),
            discovered: Mutex::default(),
            fetched: Mutex::default(),
        }
    }

    /// The same with other limits.
    pub fn with_limits(self, limits: Limits) -> Fetcher {
        Fetcher { limits, ..self }
    }

    /// Fetches a package; `detours` is how many addresses led here.
    pub(crate) fn get<'a>(
        &'a self,
        package: &'a str,
        folder: &'a Path,
        detours: usize,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + 'a>> {
        Box::pin(async move {
            if detours > MOST_DETOURS {
                return Err(format!("more than {MOST_DETOURS} addresses led to one another"));
            }
            let (forced, address) = split_forced(package);
            let mut url = Url::parse(address).map_err(|error| format!("invalid source string: {address}: {error}"))?;
            let scheme = url.scheme().to_owned();
            let mut plain = url.clone();
            let [archive, checksum] = query::take(&mut plain, ["archive", "checksum"]);
            let by = forced.unwrap_or(&scheme);
            let is_archive = by != "git" && matches!(Kind::of(&plain, archive.as_deref()), Ok(Some(_)));
            let result = match by {
                "git" => git::fetch(&mut url, folder).await,
                "http" | "https" => http::fetch(self, &mut url, folder, detours).await,
                "s3" => s3::fetch(self, &mut url, folder).await,
                "gcs" => gcs::fetch(self, &mut url, folder).await,
                "file" => local::fetch(&mut url, folder, self.limits).await,
                "hg" => {
                    return Err(
                        "Mercurial repositories are not supported: publish the module as an archive or in git, and \
                                name that as the source"
                            .to_owned(),
                    );
                }
                other => return Err(format!("download not supported for scheme '{other}'")),
            };
            let told = if archive.or(checksum).is_some() { plain.as_str() } else { address };
            result.map_err(|reason| match is_archive {
                true => reason,
                false => format!("error downloading '{}': {reason}", shown(told)),
            })
        })
    }

    /// Fetches a package, and puts a directory of it into the folder.
    pub(crate) async fn get_part(&self, source: &RemoteSource, folder: &Path, detours: usize) -> Result<(), String> {
        let Some(directory) = &source.subdirectory else { return self.get(&source.package, folder, detours).await };
        let parent = folder.parent().unwrap_or(Path::new("."));
        let space = tempfile::tempdir_in(parent).map_err(|error| error.to_string())?;
        let whole = space.path().join("package");
        self.get(&source.package, &whole, detours).await?;
        let part = whole.join(directory);
        if !part.is_dir() {
            return Err(format!("subdir {directory:?} not found"));
        }
        copy::folder(&part, folder).map_err(|error| error.to_string())
    }
}

/// An address without its password.
fn shown(address: &str) -> String {
    match Url::parse(address) {
        Ok(mut url) if url.password().is_some() => {
            // Fails only for URLs without a host, which have no password.
            let _ = url.set_password(Some("xxxxx"));
            url.to_string()
        }
        _ => address.to_owned(),
    }
}

#[async_trait(?Send)]
impl Packages for Fetcher {
    async fn versions(&self, module: &RegistrySource) -> Result<Vec<String>, PackageError> {
        registry::versions(self, module).await
    }

    async fn location(&self, module: &RegistrySource, version: &str) -> Result<RemoteSource, PackageError> {
        registry::location(self, module, version).await
    }

    async fn fetch(&self, package: &str, folder: &Path) -> Result<(), PackageError> {
        let fetched = || self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = fetched().get(package).cloned();
        let result = match earlier {
            Some(earlier) => copy::folder(&earlier, folder).map_err(|error| error.to_string()),
            None => self.get(package, folder, 0).await,
        };
        if result.is_err() {
            // Half a package is none. What cannot be removed is removed before the next attempt.
            let _ = std::fs::remove_dir_all(folder);
        }
        result.map_err(PackageError::Failed)?;
        fetched().insert(package.to_owned(), folder.to_owned());
        Ok(())
    }
}
