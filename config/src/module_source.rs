//! Module source addresses: a local directory, a registry address, or what a downloader understands.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use crate::provider_source::check_host;
use crate::remote_source::{RemoteSource, clean_subdirectory};

/// Where a module comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModuleSource {
    /// `./x`, `../x`: relative to the caller's directory, cleaned.
    Local(String),
    /// `terraform-aws-modules/vpc/aws`, `example.com/a/b/c//sub`
    Registry(RegistrySource),
    /// Everything else: a URL, a shorthand of one, an absolute path.
    Remote(RemoteSource),
}

/// The address of a module in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrySource {
    /// `registry.terraform.io` when not given.
    pub host: String,
    /// The first part.
    pub namespace: String,
    /// The second part.
    pub name: String,
    /// The third part: the provider.
    pub system: String,
    /// The directory in the package, after `//`.
    pub subdirectory: Option<String>,
}

/// Why a text is no source address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// This package may be a path whose `./` was forgotten.
    #[error("the address is ambiguous")]
    MaybeRelative(String),
    /// It has another mistake.
    #[error("{0}")]
    Invalid(String),
}

const DEFAULT_HOST: &str = "registry.terraform.io";

impl ModuleSource {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<ModuleSource, SourceError> {
        if is_local(text) {
            return Ok(ModuleSource::Local(clean_local(text)));
        }
        match parse_registry(text) {
            Ok(source) => Ok(ModuleSource::Registry(source)),
            Err(_) => RemoteSource::parse(text).map(ModuleSource::Remote),
        }
    }

    /// Reads an address that must be of a registry, because it comes with a version.
    pub fn parse_registry(text: &str) -> Result<ModuleSource, SourceError> {
        if is_local(text) {
            return Err(SourceError::Invalid(format!(
                "a module registry address must not be a path like {text:?}: give three parts, \
                 namespace/name/provider"
            )));
        }
        parse_registry(text).map(ModuleSource::Registry)
    }
}

impl fmt::Display for ModuleSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModuleSource::Local(text) => f.write_str(text),
            ModuleSource::Remote(source) => source.fmt(f),
            ModuleSource::Registry(source) => source.fmt(f),
        }
    }
}

impl fmt::Display for RegistrySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.package())?;
        self.subdirectory.as_ref().map_or(Ok(()), |directory| write!(f, "//{directory}"))
    }
}

impl RegistrySource {
    /// The address without directory: `registry.terraform.io/a/b/aws`.
    pub fn package(&self) -> String {
        let RegistrySource { host, namespace, name, system, .. } = self;
        format!("{host}/{namespace}/{name}/{system}")
    }
}

fn is_local(text: &str) -> bool {
    ["./", "../", ".\\", "..\\"].iter().any(|prefix| text.starts_with(prefix))
}

fn clean_local(text: &str) -> String {
    let clean = clean_path(Path::new(&text.replace('\\', "/")));
    // `..` alone becomes `./..`, as in the manifests that Terraform writes.
    match clean.to_string_lossy() {
        path if path.starts_with("../") => path.into_owned(),
        path => format!("./{path}"),
    }
}

/// A path without `.`, doubled slashes and `x/..`; the empty path becomes `.`.
pub(crate) fn clean_path(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(clean.components().next_back(), Some(Component::Normal(_))) => {
                clean.pop();
            }
            Component::ParentDir if clean.has_root() => {}
            other => clean.push(other),
        }
    }
    if clean.as_os_str().is_empty() { PathBuf::from(".") } else { clean }
}

fn parse_registry(text: &str) -> Result<RegistrySource, SourceError> {
    let invalid = |reason: &str| SourceError::Invalid(reason.to_owned());
    let (package, subdirectory) = match text.split_once("//") {
        Some((package, sub)) => (package, clean_subdirectory(sub)?),
        None => (text, None),
    };
    let parts: Vec<&str> = package.split('/').collect();
    let (host, [namespace, name, system]) = match parts.as_slice() {
        [namespace, name, system] => (DEFAULT_HOST.to_owned(), [*namespace, *name, *system]),
        [host, namespace, name, system] => {
            let host = check_host(host).ok_or_else(|| invalid("invalid module registry hostname"))?;
            (host, [*namespace, *name, *system])
        }
        _ => {
            return Err(invalid(
                "a module registry source address must have either three or four slash-separated components",
            ));
        }
    };
    // Version control hosts look like a registry's host, but are known to be none.
    if ["github.com", "bitbucket.org", "gitlab.com"].contains(&host.as_str())
        || [namespace].iter().any(|n| n.contains('.'))
    {
        return Err(SourceError::Invalid(format!("can't use {host:?} as a module registry host")));
    }
    let is_name = |text: &str| {
        (1..=64).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
            && !text.starts_with(['-', '_'])
            && !text.ends_with(['-', '_'])
    };
    if !is_name(namespace) || !is_name(name) {
        return Err(invalid(
            "invalid module namespace or name: must be between one and 64 characters, including ASCII letters, digits, \
             dashes, and underscores, where dashes and underscores may not be the prefix or suffix",
        ));
    }
    if !(1..=64).contains(&system.len()) || !system.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()) {
        return Err(invalid("invalid target system: must be between one and 64 ASCII letters or digits"));
    }
    Ok(RegistrySource {
        host,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        system: system.to_owned(),
        subdirectory,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_sources() {
        for (text, expected) in [
            ("./modules//net/", "./modules/net"),
            ("./a/../b", "./b"),
            ("./", "./."),
            ("../", "./.."),
            ("../../x", "../../x"),
            ("terraform-aws-modules/vpc/aws", "registry.terraform.io/terraform-aws-modules/vpc/aws"),
            ("example.com/a/b/c//d", "example.com/a/b/c//d"),
            ("git::https://example.com/x.git?ref=v1", "git::https://example.com/x.git?ref=v1"),
            ("github.com/a/b", "git::https://github.com/a/b.git"),
        ] {
            assert_eq!(ModuleSource::parse(text).map(|s| s.to_string()), Ok(expected.to_owned()), "{text}");
        }
        assert_eq!(ModuleSource::parse("modules/x"), Err(SourceError::MaybeRelative("modules/x".to_owned())));
        assert!(ModuleSource::parse_registry("./m").is_err());
    }
}
