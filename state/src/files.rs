//! Writing files so that they survive a crash.
//!
//! Everything that changes a file or folder is done here, and told to a shim in tests, which loses what was not synchronised or
//! has a full disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

#[cfg(test)]
pub(crate) mod shim;

/// What is about to be done.
#[cfg_attr(not(test), expect(dead_code, reason = "the shim alone looks at it"))]
pub(crate) enum Op<'a> {
    Create(&'a Path),
    Write { path: &'a Path, at: Option<u64>, bytes: &'a [u8] },
    Resize { path: &'a Path, length: u64 },
    Sync(&'a Path),
    Rename { from: &'a Path, to: &'a Path },
    Remove(&'a Path),
    SyncFolder(&'a Path),
}

#[cfg(test)]
fn admit(op: &Op<'_>) -> io::Result<()> {
    shim::admit(op)
}

#[cfg(not(test))]
fn admit(_: &Op<'_>) -> io::Result<()> {
    Ok(())
}

/// The folder of a file; a bare name's is the current one.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// `.NAME.SUFFIX` beside the file. A leading dot of the name is not doubled, as with Terraform's lock info.
pub(crate) fn hidden_sibling(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = name.strip_prefix('.').unwrap_or(&name);
    folder(path).join(format!(".{name}.{suffix}"))
}

/// Makes the creation, renaming and removal of files in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    admit(&Op::SyncFolder(folder))?;
    File::open(folder)?.sync_all()
}

/// Puts a complete file of mode 0600 in place, or leaves the old one: temporary file, fsync, rename, fsync of the folder.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_with(path, |file| file.write_all(bytes))
}

/// The same with a file that is written piece by piece.
pub(crate) fn replace_with<E: From<io::Error>>(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    let folder = folder(path);
    let file = tempfile::Builder::new().prefix(".windlass-").suffix(".tmp").tempfile_in(folder)?;
    let name = file.path().to_owned();
    admit(&Op::Create(&name))?;
    fill(&mut Appender { file: file.as_file(), path: &name })?;
    sync(file.as_file(), &name)?;
    admit(&Op::Rename { from: &name, to: path })?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(sync_folder(folder)?)
}

/// A file that grows.
struct Appender<'a> {
    file: &'a File,
    path: &'a Path,
}

impl Write for Appender<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        append(self.file, self.path, bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens a file that may have to be made.
pub(crate) fn create(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    if !path.exists() {
        admit(&Op::Create(path))?;
    }
    options.create(true).open(path)
}

/// Writes at a place of a file.
pub(crate) fn write_at(file: &File, path: &Path, bytes: &[u8], at: u64) -> io::Result<()> {
    admit(&Op::Write { path, at: Some(at), bytes })?;
    file.write_all_at(bytes, at)
}

/// Writes at the end of a file that was opened for that.
pub(crate) fn append(mut file: &File, path: &Path, bytes: &[u8]) -> io::Result<()> {
    admit(&Op::Write { path, at: None, bytes })?;
    file.write_all(bytes)
}

/// Sets the length of a file.
pub(crate) fn set_len(file: &File, path: &Path, length: u64) -> io::Result<()> {
    admit(&Op::Resize { path, length })?;
    file.set_len(length)
}

/// Makes what was written to a file durable.
pub(crate) fn sync(file: &File, path: &Path) -> io::Result<()> {
    admit(&Op::Sync(path))?;
    file.sync_all()
}

/// The same without times and the like.
pub(crate) fn sync_data(file: &File, path: &Path) -> io::Result<()> {
    admit(&Op::Sync(path))?;
    file.sync_data()
}

/// Removes a file; that it isn't there is no error.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    admit(&Op::Remove(path))?;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Opens a file for reading, `None` if there is no such file.
pub(crate) fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The content of a file, `None` if there is no such file.
pub(crate) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    open(path)?
        .map(|mut file| {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        })
        .transpose()
}
