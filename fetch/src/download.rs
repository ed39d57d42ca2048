//! Downloads a file, checks it, and unpacks it.

use std::path::Path;

use net::{Request, Url};
use tempfile::NamedTempFile;

use crate::archive::Kind;
use crate::checksum::Checksum;
use crate::fetcher::Fetcher;
use crate::unpack;

/// Sends a request whose answer is an archive, and unpacks it into the folder.
pub(crate) async fn archive(
    fetcher: &Fetcher,
    request: Request,
    kind: Kind,
    checksum: Option<Checksum>,
    folder: &Path,
) -> Result<(), String> {
    let file = file(fetcher, request, folder).await?;
    if let Some(checksum) = checksum {
        checksum.verify(file.path())?;
    }
    unpack::archive(file.path().to_owned(), kind, folder.to_owned(), fetcher.limits).await
}

/// Sends a request, and keeps the answer in a file beside the folder.
pub(crate) async fn file(fetcher: &Fetcher, request: Request, folder: &Path) -> Result<NamedTempFile, String> {
    let response = fetcher.client.send(request).await.map_err(|error| error.to_string())?;
    if !response.is_success() {
        return Err(format!("bad response code: {}", response.status));
    }
    let mut file =
        NamedTempFile::new_in(folder.parent().unwrap_or(Path::new("."))).map_err(|error| error.to_string())?;
    response.write_to(file.as_file_mut(), fetcher.limits.download).await.map_err(|error| error.to_string())?;
    Ok(file)
}

/// The checksum that `checksum=` asks for: written out, or in a file of checksums (`file:URL`).
pub(crate) async fn checksum(fetcher: &Fetcher, given: Option<String>, of: &Url) -> Result<Option<Checksum>, String> {
    let Some(given) = given else { return Ok(None) };
    let Some(address) = given.strip_prefix("file:") else { return Checksum::parse(&given).map(Some) };
    let url = of.join(address).map_err(|error| format!("invalid checksum: {address}: {error}"))?;
    let response = fetcher.client.send(Request::get(url)).await.map_err(|error| error.to_string())?;
    if !response.is_success() {
        return Err(format!("cannot read the checksum file {address}: bad response code: {}", response.status));
    }
    let list = response.bytes(1 << 20).await.map_err(|error| error.to_string())?;
    let name = of.path_segments().and_then(Iterator::last).unwrap_or_default();
    Checksum::find(&String::from_utf8_lossy(&list), name).map(Some)
}
