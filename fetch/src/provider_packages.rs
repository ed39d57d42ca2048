//! Provider packages in mirrors, and their checksums as lock files hold them. Nothing is installed: the packages are for
//! Terraform, which works in the same directories.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::version::Version;
use lang::addr::ProviderSource;
use net::{Request, Url};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::fetcher::Fetcher;

/// More than any index of a mirror needs.
const LONGEST_INDEX: u64 = 16 << 20;

/// Why a mirror can't tell.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// It can't be read.
    #[error("cannot search {0}")]
    Search(PathBuf, #[source] io::Error),
    /// A package can't be read.
    #[error("cannot read the package {0}")]
    Package(PathBuf, #[source] io::Error),
    /// A package is no archive.
    #[error("the package {0} is not a valid archive")]
    Archive(PathBuf, #[source] zip::result::ZipError),
    /// A network mirror doesn't answer as it should.
    #[error("failed to query provider mirror {0}: {1}")]
    Network(String, String),
}

/// A directory of packages, as `terraform providers mirror` makes it or with unpacked packages.
#[derive(Debug)]
pub struct DirectoryMirror {
    root: PathBuf,
}

impl DirectoryMirror {
    /// The mirror in a directory.
    ///
    /// # Errors
    /// It can't be read.
    pub fn open(root: &Path) -> Result<DirectoryMirror, MirrorError> {
        std::fs::read_dir(root).map_err(|error| MirrorError::Search(root.to_owned(), error))?;
        Ok(DirectoryMirror { root: root.to_owned() })
    }

    /// The packages of a provider, by version and platform (`linux_amd64`).
    pub fn packages(&self, source: &ProviderSource) -> BTreeMap<Version, BTreeMap<String, PathBuf>> {
        let folder = self.root.join(&*source.host).join(&*source.namespace).join(&*source.name);
        let mut found: BTreeMap<Version, BTreeMap<String, PathBuf>> = BTreeMap::new();
        let mut add = |version: &str, platform: &str, path: PathBuf| {
            if let Ok(version) = version.parse() {
                found.entry(version).or_default().insert(platform.to_owned(), path);
            }
        };
        for path in entries(&folder) {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let packed = name.strip_prefix("terraform-provider-").and_then(|name| name.strip_suffix(".zip"));
            match packed.and_then(|rest| rest.strip_prefix(&*source.name)?.strip_prefix('_')?.split_once('_')) {
                Some((version, platform)) => add(version, platform, path.clone()),
                None => {
                    for unpacked in entries(&path).into_iter().filter(|path| path.is_dir()) {
                        if let Some(platform) = unpacked.file_name().and_then(|name| name.to_str()) {
                            add(name, platform, unpacked.clone());
                        }
                    }
                }
            }
        }
        found
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(Result::ok).map(|entry| entry.path()).collect()
}

/// The checksum of a package's content, packed or unpacked, in the scheme that lock files call `h1`.
///
/// # Errors
/// The package can't be read.
pub fn package_checksum(package: &Path) -> Result<String, MirrorError> {
    let mut sums = BTreeMap::new();
    if package.is_dir() {
        sum_files(package, "", &mut sums)?;
    } else {
        let broken = |error| MirrorError::Archive(package.to_owned(), error);
        let file = File::open(package).map_err(|error| MirrorError::Package(package.to_owned(), error))?;
        let mut archive = zip::ZipArchive::new(file).map_err(broken)?;
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(broken)?;
            let name = entry.name().map_err(broken)?.into_owned();
            sums.insert(name, sum(&mut entry).map_err(|error| MirrorError::Package(package.to_owned(), error))?);
        }
    }
    let mut whole = Sha256::new();
    for (name, sum) in sums {
        whole.update(format!("{sum}  {name}\n"));
    }
    Ok(format!("h1:{}", STANDARD.encode(whole.finalize())))
}

fn sum_files(folder: &Path, prefix: &str, sums: &mut BTreeMap<String, String>) -> Result<(), MirrorError> {
    for path in entries(folder) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let name = format!("{prefix}{name}");
        // A link to a directory is no part of the package, as for Terraform.
        if path.is_dir() && !path.is_symlink() {
            sum_files(&path, &format!("{name}/"), sums)?;
        } else if path.is_file() {
            let failed = |error| MirrorError::Package(path.clone(), error);
            let sum = File::open(&path).and_then(|mut file| sum(&mut file)).map_err(failed)?;
            sums.insert(name, sum);
        }
    }
    Ok(())
}

fn sum(content: &mut dyn Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match content.read(&mut buffer)? {
            0 => return Ok(hex::encode(hash.finalize())),
            count => hash.update(buffer.get(..count).unwrap_or_default()),
        }
    }
}

#[derive(Deserialize)]
struct Index {
    versions: BTreeMap<String, serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Archives {
    archives: BTreeMap<String, Archive>,
}

/// A package that a network mirror offers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Archive {
    /// What the mirror says of its checksums.
    #[serde(default)]
    pub hashes: Vec<String>,
}

impl Fetcher {
    /// The versions of a provider that a network mirror has.
    ///
    /// # Errors
    /// The mirror doesn't answer as it should.
    pub async fn mirror_versions(&self, base: &Url, source: &ProviderSource) -> Result<Vec<Version>, MirrorError> {
        let index: Option<Index> = self.mirror_document(base, source, "index.json").await?;
        let names = index.into_iter().flat_map(|index| index.versions.into_keys());
        Ok(names.filter_map(|name| name.parse().ok()).collect())
    }

    /// The packages of a version, by platform.
    ///
    /// # Errors
    /// The mirror doesn't answer as it should.
    pub async fn mirror_archives(
        &self,
        base: &Url,
        source: &ProviderSource,
        version: &Version,
    ) -> Result<BTreeMap<String, Archive>, MirrorError> {
        let found: Option<Archives> = self.mirror_document(base, source, &format!("{version}.json")).await?;
        Ok(found.map(|found| found.archives).unwrap_or_default())
    }

    /// A document of a mirror; `None` if it isn't there.
    async fn mirror_document<T: for<'de> Deserialize<'de>>(
        &self,
        base: &Url,
        source: &ProviderSource,
        name: &str,
    ) -> Result<Option<T>, MirrorError> {
        let failed = |reason: String| MirrorError::Network(base.to_string(), reason);
        let slash = if base.path().ends_with('/') { "" } else { "/" };
        let text = format!("{base}{slash}{}/{}/{}/{name}", source.host, source.namespace, source.name);
        let url = Url::parse(&text).map_err(|error| failed(error.to_string()))?;
        let mut request = Request::get(url);
        if let Some(token) = base.host_str().and_then(|host| self.credentials.token(host)) {
            request = request.bearer(&token).map_err(|error| failed(error.to_string()))?;
        }
        let response = self.client.send(request).await.map_err(|error| failed(error.to_string()))?;
        match response.status {
            200 => {}
            404 => return Ok(None),
            status => return Err(failed(net::NetError::status_text(status))),
        }
        let body = response.bytes(LONGEST_INDEX).await.map_err(|error| failed(error.to_string()))?;
        serde_json::from_slice(&body).map(Some).map_err(|error| failed(format!("invalid response: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn packed(path: &Path, files: &[(&str, &str)]) {
        let mut archive = zip::ZipWriter::new(File::create(path).unwrap());
        for (name, text) in files {
            archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(text.as_bytes()).unwrap();
        }
        archive.finish().unwrap();
    }

    #[test]
    fn packed_and_unpacked_packages_have_the_same_checksum() {
        let mirror = tempfile::tempdir().unwrap();
        let folder = mirror.path().join("registry.terraform.io/hashicorp/x");
        let unpacked = folder.join("1.2.0/linux_amd64");
        std::fs::create_dir_all(unpacked.join("docs")).unwrap();
        std::fs::write(unpacked.join("terraform-provider-x"), "program").unwrap();
        std::fs::write(unpacked.join("docs/a"), "text").unwrap();
        let archive = folder.join("terraform-provider-x_1.10.0_linux_arm64.zip");
        packed(&archive, &[("terraform-provider-x", "program"), ("docs/a", "text")]);
        let found = DirectoryMirror::open(mirror.path()).unwrap().packages(&ProviderSource::hashicorp("x"));
        let names: Vec<String> = found.iter().map(|(v, p)| format!("{v} {:?}", p.keys().collect::<Vec<_>>())).collect();
        assert_eq!(names, ["1.2.0 [\"linux_amd64\"]", "1.10.0 [\"linux_arm64\"]"]);
        // The sum of the lines `SHA-256  name`, in the order of names.
        let expected = "h1:NxLVR2igGCyVCAcB7dGX0DzpoH8sCEXKJJB6dYdsBIQ=";
        assert_eq!(package_checksum(&unpacked).unwrap(), package_checksum(&archive).unwrap());
        assert_eq!(package_checksum(&unpacked).unwrap(), expected);
        assert!(DirectoryMirror::open(&mirror.path().join("none")).is_err());
    }
}
