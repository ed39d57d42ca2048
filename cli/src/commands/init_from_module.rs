//! `init -from-module`: the working directory begins as a copy of a module.

use std::path::{Path, PathBuf};

use config::module_source::{ModuleSource, RegistrySource};
use config::packages::Packages;
use config::remote_source::RemoteSource;
use config::version::Version;
use lang::{Diagnostic, Diagnostics};

use crate::downloads;
use crate::session::Session;

/// Copies a module into the working directory, which must be empty.
///
/// # Errors
/// Files that are there already, a source that is none, a failed download.
pub async fn copy(session: &Session, source: &str) -> Result<(), Diagnostics> {
    let failed = |reason: &dyn std::fmt::Display| {
        let detail = format!("Could not download module \"root\" source code from {source:?}: {reason}");
        Diagnostics::from(Diagnostic::error("Failed to download module", detail))
    };
    let address = ModuleSource::parse(source).map_err(|error| {
        let detail = format!("Failed to parse module source address: {error}");
        Diagnostic::error("Invalid module source address", detail)
    })?;
    let space = tempfile::tempdir().map_err(|error| failed(&error))?;
    let folder = space.path().join("package");
    let fetcher = downloads::fetcher(&session.environment);
    let found = match &address {
        ModuleSource::Local(path) => PathBuf::from(path),
        ModuleSource::Remote(remote) => download(&fetcher, remote, &folder).await.map_err(|error| failed(&error))?,
        ModuleSource::Registry(module) => {
            let location = newest(&fetcher, module).await.map_err(|error| failed(&error))?;
            let dir = download(&fetcher, &location, &folder).await.map_err(|error| failed(&error))?;
            module.subdirectory.as_ref().map_or(dir.clone(), |directory| dir.join(directory))
        }
    };
    copy_folder(&found, Path::new(".")).map_err(|error| failed(&error))
}

/// Whether there is anything in the working directory that a copy might overwrite.
pub fn is_occupied() -> bool {
    std::fs::read_dir(".").is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.ends_with(".tf") || name.ends_with(".tf.json")
        })
    })
}

async fn download(
    fetcher: &dyn Packages,
    source: &RemoteSource,
    folder: &Path,
) -> Result<PathBuf, config::packages::PackageError> {
    fetcher.fetch(&source.package, folder).await?;
    Ok(source.subdirectory.as_ref().map_or(folder.to_owned(), |directory| folder.join(directory)))
}

async fn newest(
    fetcher: &dyn Packages,
    module: &RegistrySource,
) -> Result<RemoteSource, config::packages::PackageError> {
    let offered = fetcher.versions(module).await?;
    let releases = offered.iter().filter_map(|text| text.parse::<Version>().ok()).filter(|v| !v.is_prerelease());
    let newest = releases.max().ok_or(config::packages::PackageError::InvalidResponse)?;
    fetcher.location(module, &newest.to_string()).await
}

/// Copies what is in a folder, without hidden files.
fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let target = to.join(&name);
        if entry.path().is_dir() {
            std::fs::create_dir_all(&target)?;
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
