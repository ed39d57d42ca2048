//! What the installer asks of whoever can download: this crate itself knows no network.

use std::path::Path;

use async_trait::async_trait;

use crate::module_source::RegistrySource;
use crate::remote_source::RemoteSource;

/// Downloads module packages and asks registries for them.
#[async_trait(?Send)]
pub trait Packages {
    /// The versions that a registry offers of a module, in any order, as it writes them.
    async fn versions(&self, module: &RegistrySource) -> Result<Vec<String>, PackageError>;

    /// Where a registry says that the package of a version is.
    async fn location(&self, module: &RegistrySource, version: &str) -> Result<RemoteSource, PackageError>;

    /// Brings a package into a folder that does not exist yet (its parent does).
    async fn fetch(&self, package: &str, folder: &Path) -> Result<(), PackageError>;
}

/// Why something can't be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// The registry knows no such module.
    #[error("module not found")]
    NotFound,
    /// The registry's answer lacks what was asked for.
    #[error("invalid response from the registry")]
    InvalidResponse,
    /// The registry names a place from which nothing can be downloaded.
    #[error("{reason}")]
    InvalidLocation {
        /// What it named.
        location: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Anything else, in words for the user.
    #[error("{0}")]
    Failed(String),
}

/// For configurations whose modules are all local.
pub struct NoPackages;

#[async_trait(?Send)]
impl Packages for NoPackages {
    async fn versions(&self, _: &RegistrySource) -> Result<Vec<String>, PackageError> {
        Err(offline())
    }

    async fn location(&self, _: &RegistrySource, _: &str) -> Result<RemoteSource, PackageError> {
        Err(offline())
    }

    async fn fetch(&self, _: &str, _: &Path) -> Result<(), PackageError> {
        Err(offline())
    }
}

fn offline() -> PackageError {
    PackageError::Failed("only local modules can be installed here".to_owned())
}
