//! Unpacks archives into a folder of their own, out of which they cannot reach.
//!
//! Names are taken only if they stay below the folder. Links are made after all files, so that nothing is written through
//! one, and are checked where they really lead to. Bytes and entries are counted while they come, because an archive's own
//! figures may lie.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use crate::archive::Kind;
use crate::fetcher::Limits;

/// Unpacks an archive into a folder, which is made.
pub(crate) async fn archive(file: PathBuf, kind: Kind, folder: PathBuf, limits: Limits) -> Result<(), String> {
    let work = move || {
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let mut target =
            Target { folder: &folder, bytes: limits.unpacked, entries: limits.entries, limits, links: Vec::new() };
        let file = File::open(&file).map_err(|error| error.to_string())?;
        let file = BufReader::new(file);
        match kind {
            Kind::Zip => target.zip(file),
            Kind::Tar => target.tar(file),
            Kind::TarGzip => target.tar(flate2::bufread::MultiGzDecoder::new(file)),
            Kind::TarBzip2 => target.tar(bzip2::bufread::MultiBzDecoder::new(file)),
            // What the format asks for at its highest level, and some.
            Kind::TarXz => target.tar(lzma_rust2::XzReader::new_mem_limit(file, true, 128 * 1024)),
        }?;
        target.finish()
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err("unpacking ended early; this is a bug, please report it".to_owned()),
    }
}

struct Target<'a> {
    folder: &'a Path,
    /// How many more are allowed.
    bytes: u64,
    entries: u64,
    limits: Limits,
    /// Links to be made: name and target.
    links: Vec<(PathBuf, PathBuf)>,
}

impl Target<'_> {
    fn zip(&mut self, file: BufReader<File>) -> Result<(), String> {
        let bad = |error: zip::result::ZipError| format!("cannot read the zip archive: {error}");
        let mut archive = zip::ZipArchive::new(file).map_err(bad)?;
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(bad)?;
            let name = entry.name().map_err(bad)?.into_owned();
            let Some(path) = self.admit(Path::new(&name))? else { continue };
            if entry.is_dir() {
                self.directory(&path)?;
            } else if entry.is_symlink() {
                let mut text = String::new();
                entry.by_ref().take(4096).read_to_string(&mut text).map_err(|error| read_error(&error))?;
                self.links.push((path, text.into()));
            } else {
                let mode = entry.unix_mode();
                self.file(&path, mode, &mut entry)?;
            }
        }
        Ok(())
    }

    fn tar(&mut self, reader: impl Read) -> Result<(), String> {
        let mut archive = tar::Archive::new(reader);
        let entries = archive.entries().map_err(|error| read_error(&error))?;
        for entry in entries {
            let mut entry = entry.map_err(|error| read_error(&error))?;
            let name = entry.path().map_err(|error| read_error(&error))?.into_owned();
            let link = entry.link_name().map_err(|error| read_error(&error))?.map(|link| link.into_owned());
            let kind = entry.header().entry_type();
            if kind.is_pax_global_extensions() || kind.is_pax_local_extensions() {
                continue;
            }
            let Some(path) = self.admit(&name)? else { continue };
            if kind.is_dir() {
                self.directory(&path)?;
            } else if kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse() {
                let mode = entry.header().mode().ok();
                self.file(&path, mode, &mut entry)?;
            } else if let (true, Some(link)) = (kind.is_symlink(), &link) {
                self.links.push((path, link.clone()));
            } else if let (true, Some(link)) = (kind.is_hard_link(), &link) {
                // The same file under another name: a copy, which nothing can reach out through.
                let Some(original) = self.admit(link)? else { continue };
                let mut original = File::open(&original).map_err(|error| read_error(&error))?;
                self.file(&path, None, &mut original)?;
            } else {
                return Err(format!("the archive holds {}, which is neither file, folder nor link", name.display()));
            }
        }
        Ok(())
    }

    /// Counts an entry and gives its path; `None` for the folder itself.
    fn admit(&mut self, name: &Path) -> Result<Option<PathBuf>, String> {
        let Some(left) = self.entries.checked_sub(1) else {
            return Err(format!("the archive has more than {} entries", self.limits.entries));
        };
        self.entries = left;
        let mut path = PathBuf::new();
        for part in name.components() {
            match part {
                Component::Normal(part) if !part.as_encoded_bytes().contains(&b'\\') => path.push(part),
                Component::CurDir => {}
                _ => return Err(format!("the archive holds {}, which would be outside of its folder", name.display())),
            }
        }
        Ok((!path.as_os_str().is_empty()).then(|| self.folder.join(path)))
    }

    fn directory(&self, path: &Path) -> Result<(), String> {
        std::fs::create_dir_all(path).map_err(|error| write_error(path, &error))
    }

    fn file(&mut self, path: &Path, mode: Option<u32>, content: &mut dyn Read) -> Result<(), String> {
        if let Some(parent) = path.parent() {
            self.directory(parent)?;
        }
        let error = |error: io::Error| write_error(path, &error);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path).map_err(error)?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = content.read(&mut buffer).map_err(|error| read_error(&error))?;
            if length == 0 {
                break;
            }
            let Some(left) = self.bytes.checked_sub(length as u64) else {
                return Err(format!("the archive's files have more than {} bytes", self.limits.unpacked));
            };
            self.bytes = left;
            file.write_all(buffer.get(..length).unwrap_or_default()).map_err(error)?;
        }
        // Scripts stay executable; who may read and write is up to the user's own mask.
        if mode.is_some_and(|mode| mode & 0o100 != 0) {
            let mode = file.metadata().map_err(error)?.permissions().mode();
            file.set_permissions(std::fs::Permissions::from_mode(mode | (mode & 0o444) >> 2)).map_err(error)?;
        }
        Ok(())
    }

    /// Makes the links, and refuses the archive if one leads out of the folder.
    fn finish(self) -> Result<(), String> {
        let folder = self.folder.canonicalize().map_err(|error| error.to_string())?;
        let outside =
            |path: &Path| format!("the archive holds the link {}, which leads out of its folder", path.display());
        for (path, target) in &self.links {
            if target.is_absolute() {
                return Err(outside(path));
            }
            if let Some(parent) = path.parent() {
                self.directory(parent)?;
                // An earlier link may have taken the place of a folder.
                let real = parent.canonicalize().map_err(|error| write_error(parent, &error))?;
                if !real.starts_with(&folder) {
                    return Err(outside(path));
                }
            }
            symlink(target, path).map_err(|error| write_error(path, &error))?;
            if !path.canonicalize().is_ok_and(|real| real.starts_with(&folder))
                && !dangles_inside(path, target, &folder)
            {
                return Err(outside(path));
            }
        }
        // A link that led nowhere when it was made may lead somewhere by now.
        for (path, _) in &self.links {
            if path.canonicalize().is_ok_and(|real| !real.starts_with(&folder)) {
                return Err(outside(path));
            }
        }
        Ok(())
    }
}

/// Whether a link that leads nowhere does so within the folder.
fn dangles_inside(path: &Path, target: &Path, folder: &Path) -> bool {
    if path.exists() {
        return false;
    }
    let Some(mut place) = path.parent().and_then(|parent| parent.canonicalize().ok()) else { return false };
    for part in target.components() {
        match part {
            Component::Normal(part) => place.push(part),
            Component::ParentDir => {
                place.pop();
            }
            Component::CurDir => {}
            _ => return false,
        }
        if !place.starts_with(folder) {
            return false;
        }
    }
    true
}

fn read_error(error: &io::Error) -> String {
    format!("cannot read the archive: {error}")
}

fn write_error(path: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
}

#[cfg(test)]
mod tests;
