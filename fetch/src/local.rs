//! Packages on this machine: a directory is linked to, an archive is unpacked.

use std::path::{Path, PathBuf};

use net::Url;

use crate::archive::Kind;
use crate::fetcher::Limits;
use crate::{checksum, query, unpack};

pub(crate) async fn fetch(url: &mut Url, folder: &Path, limits: Limits) -> Result<(), String> {
    let [archive, expected] = query::take(url, ["archive", "checksum"]);
    let path: PathBuf = url.to_file_path().map_err(|()| "the address names no file of this machine".to_owned())?;
    let metadata = std::fs::metadata(&path).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.split(" (os error").next().unwrap_or_default().to_lowercase();
        format!("source path error: stat {}: {reason}", path.display())
    })?;
    if metadata.is_dir() {
        return std::os::unix::fs::symlink(&path, folder).map_err(|error| error.to_string());
    }
    let Some(kind) = Kind::of(url, archive.as_deref())? else {
        return Err("source path must be a directory".to_owned());
    };
    if let Some(expected) = expected {
        checksum::Checksum::parse(&expected)?.verify(&path)?;
    }
    unpack::archive(path, kind, folder.to_owned(), limits).await
}
