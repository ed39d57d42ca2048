//! The local backend: a state file on disk, as Terraform keeps it, and safe against a crash at any instant.
//!
//! # How the lock and the write go together
//!
//! Terraform locks the state file itself, with a POSIX record lock on its inode, opens the file once, and keeps trying on
//! that same descriptor while `-lock-timeout` runs. So the usual recipe (temporary file, rename over the old one) would
//! lose updates: a waiting Terraform would get the lock of the *old*, by then nameless inode and write its state
//! there. Locking the new inode before the rename does not help, since the waiting one never looks at it. Therefore the
//! inode stays, and a write goes through a redo file:
//!
//! 1. The new snapshot is made durable beside the state as `.terraform.tfstate.redo` (temporary file, fsync, rename, fsync
//!    of the folder). From here on it can't be lost.
//! 2. The first byte of the state file is overwritten by one that no JSON begins with; fsync.
//! 3. The rest of the snapshot is written behind it, the length set; fsync.
//! 4. The first byte is put right; fsync. The redo file is removed.
//!
//! Whoever dies in between leaves a file that is old, new, or unreadable, but never a mixture that parses and never an
//! empty one (which Terraform takes for "no state" and would create everything anew). The next windlass, with the
//! lock held, puts the redo file's snapshot in place; a Terraform that comes first refuses the unreadable file.
//!
//! Between windlass runs the same lock rules: on Linux as an open file description lock, which conflicts with
//! Terraform's record locks but, unlike those, is not dropped when any other descriptor of the file is closed in this
//! process. The inode is compared with the path's after locking, in case that the file was removed meanwhile.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::{HeldLock, LockError, LockId, LockInfo, StateStore, StoreError, WriteCondition, wait_for_lock};
use crate::codec::{Codec, WriteError};
use crate::files;
use crate::journal::local::LocalJournal;
use crate::journal::{Journal, JournalError};
use crate::model::State;
use crate::v4::ReadError;

/// The name of the workspace that always exists.
pub const DEFAULT_WORKSPACE: &str = "default";

/// The folder of the other workspaces' states, unless the configuration names another.
pub const WORKSPACE_FOLDER: &str = "terraform.tfstate.d";

const STATE_FILE: &str = "terraform.tfstate";

/// How often, and how long after each other, a file is looked at that another program may be writing.
const LOOKS: usize = 10;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// How much is copied at once.
const CHUNK: usize = 256 << 10;

/// A byte that no JSON text begins with.
const UNREADABLE: u8 = b'!';

/// The files of a local state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalPaths {
    /// Where the state is read until the first write (`-state`).
    pub read: PathBuf,
    /// Where it is written and locked (`-state-out`).
    pub write: PathBuf,
    /// Where the state that was there before the first write is kept (`-backup`); `None`: nowhere (`-backup=-`).
    pub backup: Option<PathBuf>,
}

impl LocalPaths {
    /// A state that is read and written at one path, with its backup beside it.
    pub fn new(path: impl Into<PathBuf>) -> LocalPaths {
        let path = path.into();
        LocalPaths { backup: Some(backup_path(&path)), read: path.clone(), write: path }
    }

    /// A workspace's state: `terraform.tfstate` or `terraform.tfstate.d/NAME/terraform.tfstate` in a folder.
    pub fn workspace(folder: &Path, name: &str) -> LocalPaths {
        LocalPaths::new(if name == DEFAULT_WORKSPACE {
            folder.join(STATE_FILE)
        } else {
            folder.join(WORKSPACE_FOLDER).join(name).join(STATE_FILE)
        })
    }

    /// The same, written elsewhere (`-state-out`), which moves the backup too.
    pub fn with_output(mut self, path: impl Into<PathBuf>) -> LocalPaths {
        self.write = path.into();
        self.backup = Some(backup_path(&self.write));
        self
    }
}

fn backup_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".backup");
    name.into()
}

/// The workspaces with a state in a folder, sorted; the default one is always among them, first.
pub fn workspaces(folder: &Path) -> Result<Vec<String>, StoreError> {
    let path = folder.join(WORKSPACE_FOLDER);
    let mut names = Vec::new();
    match std::fs::read_dir(&path) {
        Ok(entries) => {
            for entry in entries {
                let entry = entry.map_err(io_error("list", &path))?;
                if entry.path().is_dir() {
                    names.push(entry.file_name().to_string_lossy().into_owned());
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(io_error("list", &path)(error)),
    }
    names.sort();
    names.insert(0, DEFAULT_WORKSPACE.to_owned());
    Ok(names)
}

/// Makes a workspace exist; the default one does.
pub fn create_workspace(folder: &Path, name: &str) -> Result<(), StoreError> {
    if name == DEFAULT_WORKSPACE {
        return Ok(());
    }
    let path = folder.join(WORKSPACE_FOLDER).join(name);
    std::fs::create_dir_all(&path).map_err(io_error("create", &path))
}

/// Removes a workspace with all its files; the default one stays.
pub fn delete_workspace(folder: &Path, name: &str) -> Result<(), StoreError> {
    if name == DEFAULT_WORKSPACE {
        return Ok(());
    }
    let path = folder.join(WORKSPACE_FOLDER).join(name);
    std::fs::remove_dir_all(&path).map_err(io_error("remove", &path))
}

/// A state file.
pub struct LocalStore {
    inner: Arc<Inner>,
}

struct Inner {
    paths: LocalPaths,
    codec: Codec,
    redo: PathBuf,
    lock_info: PathBuf,
    session: Mutex<Session>,
}

/// What the store did so far.
#[derive(Default)]
struct Session {
    lock: Option<Held>,
    seen: Option<Seen>,
    written: bool,
    backed_up: bool,
    journal: Option<Arc<LocalJournal>>,
}

struct Held {
    id: LockId,
    file: File,
    created: bool,
}

/// What was found in the file that is written, with its lock held. As long as the file has the same version, it need not be
/// read again.
struct Seen {
    content: WriteCondition,
    version: Version,
}

/// What tells one content of a file from another one: a write changes the times.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Version {
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Version {
    fn of(file: &File) -> io::Result<Version> {
        let metadata = file.metadata()?;
        Ok(Version {
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

impl LocalStore {
    /// A store; nothing is touched yet.
    pub fn new(paths: LocalPaths) -> LocalStore {
        LocalStore::with_codec(paths, &Codec::default())
    }

    /// The same with files that are written so.
    pub fn with_codec(paths: LocalPaths, codec: &Codec) -> LocalStore {
        let redo = files::hidden_sibling(&paths.write, "redo");
        let lock_info = files::hidden_sibling(&paths.write, "lock.info");
        let codec = codec.for_another();
        LocalStore { inner: Arc::new(Inner { paths, codec, redo, lock_info, session: Mutex::default() }) }
    }

    /// Its files.
    pub fn paths(&self) -> &LocalPaths {
        &self.inner.paths
    }

    fn journal_path(&self) -> PathBuf {
        files::hidden_sibling(&self.inner.paths.write, "journal")
    }

    /// File access blocks (an fsync takes milliseconds, or seconds on a busy disk), so it leaves the async threads alone.
    async fn blocking<T, E>(&self, work: impl FnOnce(&Inner) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let inner = self.inner.clone();
        match tokio::task::spawn_blocking(move || work(&inner)).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Aborted.into()),
        }
    }
}

#[async_trait]
impl StateStore for LocalStore {
    async fn read(&self) -> Result<Option<State>, StoreError> {
        self.blocking(Inner::read).await
    }

    async fn write(&self, state: &State, condition: &WriteCondition) -> Result<(), StoreError> {
        let (state, condition) = (state.clone(), condition.clone());
        self.blocking(move |inner| inner.write(&state, &condition)).await
    }

    async fn lock(&self, mut info: LockInfo, timeout: Duration) -> Result<LockId, LockError> {
        // The system gives the lock of a dead process back.
        info.lease = None;
        let info = &info;
        wait_for_lock(timeout, |_| async move {
            let attempt = info.clone();
            self.blocking(move |inner| inner.lock(attempt)).await
        })
        .await
    }

    async fn locks(&self) -> Result<Vec<HeldLock>, LockError> {
        self.blocking(Inner::locks).await
    }

    async fn unlock(&self, id: &LockId) -> Result<(), LockError> {
        let id = id.clone();
        self.blocking(move |inner| inner.unlock(&id)).await
    }

    /// Only for the store's own lock: the system releases the lock of a dead process, and one of a living process can't
    /// be taken from it.
    async fn force_unlock(&self, id: &LockId) -> Result<(), LockError> {
        match self.unlock(id).await {
            Err(LockError::NotLocked) => Err(LockError::NotBreakable),
            other => other,
        }
    }

    async fn journal(&self) -> Result<Arc<dyn Journal>, JournalError> {
        let mut session = self.inner.session();
        if let Some(journal) = &session.journal {
            return Ok(journal.clone());
        }
        let journal = Arc::new(LocalJournal::open_with(self.journal_path(), self.inner.codec.clone())?);
        session.journal = Some(journal.clone());
        Ok(journal)
    }

    async fn has_records(&self) -> Result<bool, JournalError> {
        Ok(self.journal_path().exists())
    }

    fn is_outdated(&self) -> bool {
        self.inner.codec.is_outdated()
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { action, path, source }
}

impl Inner {
    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Without the lock, another program may be writing the file. We do that so that no reader notices; Terraform empties the
    /// file first, so that nothing, or something unreadable, is looked at again.
    fn read(&self) -> Result<Option<State>, StoreError> {
        let mut session = self.session();
        let mut stored = self.stored(&mut session);
        for _ in 0..LOOKS {
            let odd = matches!(stored, Ok(None) | Err(StoreError::Read { .. }));
            if !odd || session.lock.is_some() || !self.is_locked_by_another() {
                break;
            }
            std::thread::sleep(BETWEEN_LOOKS);
            stored = self.stored(&mut session);
        }
        stored
    }

    /// The snapshot to start from, or after a write the one written.
    fn stored(&self, session: &mut Session) -> Result<Option<State>, StoreError> {
        if self.starts_elsewhere(session) {
            let path = &self.paths.read;
            return self.read_file(path)?.map_err(|source| read_error(path, source));
        }
        self.newest(session)
    }

    fn starts_elsewhere(&self, session: &Session) -> bool {
        !session.written && self.paths.read != self.paths.write
    }

    /// The newest complete snapshot at the path that is written: the file's, or the redo file's if a write is under
    /// way or was cut off.
    fn newest(&self, session: &mut Session) -> Result<Option<State>, StoreError> {
        let path = &self.paths.write;
        session.seen = None;
        let held = session.lock.as_ref();
        let version = held.map(|held| Version::of(&held.file)).transpose().map_err(io_error("inspect", path))?;
        let mut state = self.content(held)?;
        if let Some(redo) = self.unfinished(&state)? {
            return Ok(Some(redo));
        }
        if state.is_err() {
            // A writer may have finished between our two looks; then the file is in order now.
            state = self.content(held)?;
        }
        let state = state.map_err(|source| read_error(path, source))?;
        session.seen = version.map(|version| Seen { content: WriteCondition::replacing(state.as_ref()), version });
        Ok(state)
    }

    /// What is in the file that is written. With the lock held it is read through its descriptor: where there are only
    /// record locks, closing another one would drop the lock.
    fn content(&self, held: Option<&Held>) -> Result<Result<Option<State>, ReadError>, StoreError> {
        let path = &self.paths.write;
        let Some(Held { file, .. }) = held else { return self.read_file(path) };
        from_start(file).map_err(io_error("read", path))?;
        Ok(self.codec.read_from(file))
    }

    fn read_file(&self, path: &Path) -> Result<Result<Option<State>, ReadError>, StoreError> {
        Ok(match files::open(path).map_err(io_error("read", path))? {
            Some(file) => self.codec.read_from(file),
            None => Ok(None),
        })
    }

    /// The redo file's snapshot, if it is newer than the file's. Terraform may have written after a crash; its snapshot
    /// has the same serial as ours or a later one, and wins (the journal still holds what ours knew).
    fn unfinished(&self, current: &Result<Option<State>, ReadError>) -> Result<Option<State>, StoreError> {
        let redo = self.read_file(&self.redo)?.map_err(|source| read_error(&self.redo, source))?;
        let Some(redo) = redo else { return Ok(None) };
        let newer = match current {
            Ok(Some(current)) => current.lineage == redo.lineage && current.serial < redo.serial,
            Ok(None) | Err(ReadError::Syntax { .. } | ReadError::Encoding { .. }) => true,
            Err(_) => false,
        };
        Ok(newer.then_some(redo))
    }

    /// What is in the file that is written, if that is known without reading it.
    fn seen<'s>(&self, session: &'s Session) -> Option<&'s WriteCondition> {
        let (held, seen) = (session.lock.as_ref()?, session.seen.as_ref()?);
        let same = Version::of(&held.file).is_ok_and(|version| version == seen.version) && !self.redo.exists();
        same.then_some(&seen.content)
    }

    /// Refuses a write whose condition does not hold.
    fn check(&self, session: &mut Session, condition: &WriteCondition) -> Result<(), StoreError> {
        if *condition == WriteCondition::Any {
            return Ok(());
        }
        if !self.starts_elsewhere(session) && self.seen(session) == Some(condition) {
            return Ok(());
        }
        let stored = self.stored(session)?;
        super::remote::check(condition, stored.as_ref(), &self.paths.write.display().to_string())
    }

    fn write(&self, state: &State, condition: &WriteCondition) -> Result<(), StoreError> {
        let mut session = self.session();
        let path = &self.paths.write;
        self.check(&mut session, condition)?;
        let unlocked;
        let file = match &session.lock {
            Some(held) => &held.file,
            None => {
                unlocked = self.open()?.0;
                &unlocked
            }
        };
        if !session.backed_up {
            self.back_up(file, self.seen(&session), state)?;
        }
        self.put(&self.redo, state)?;
        overwrite(file, path, &self.redo).map_err(self.cut_off())?;
        files::remove(&self.redo).map_err(io_error("remove", &self.redo))?;
        let version = Version::of(file).map_err(io_error("inspect", path))?;
        session.seen = Some(Seen { content: WriteCondition::replacing(Some(state)), version });
        session.written = true;
        session.backed_up = true;
        Ok(())
    }

    fn cut_off(&self) -> impl FnOnce(io::Error) -> StoreError {
        |source| StoreError::Unfinished { path: self.paths.write.clone(), redo: self.redo.clone(), source }
    }

    /// Writes a snapshot beside the file that is locked.
    fn put(&self, path: &Path, state: &State) -> Result<(), StoreError> {
        let written = files::replace_with(path, |file| self.codec.write_to(state, file));
        written.map_err(|error: WriteError| error.at(path.display().to_string()))
    }

    /// Keeps what the first write of a run replaces, if it is a readable state: a backup is never overwritten by damage, and
    /// is as secret as the state.
    fn back_up(&self, file: &File, seen: Option<&WriteCondition>, new: &State) -> Result<(), StoreError> {
        let Some(backup) = &self.paths.backup else { return Ok(()) };
        let path = &self.paths.write;
        let is_another = seen.is_some_and(|seen| !seen.holds(Some(new)));
        if !is_another || self.codec.is_outdated() {
            from_start(file).map_err(io_error("read", path))?;
            let Ok(Some(state)) = self.codec.read_from(file) else { return Ok(()) };
            if self.codec.is_outdated() {
                return self.put(backup, &state);
            }
            if state == *new {
                return Ok(());
            }
        }
        if seen == Some(&WriteCondition::Absent) {
            return Ok(());
        }
        from_start(file).map_err(io_error("read", path))?;
        let mut source: &File = file;
        files::replace_with(backup, |copy| io::copy(&mut source, copy).map(drop)).map_err(io_error("write", backup))
    }

    /// Opens the state file, making it and its folder if need be; whether it was made.
    fn open(&self) -> Result<(File, bool), StoreError> {
        let path = &self.paths.write;
        let folder = files::folder(path);
        std::fs::create_dir_all(folder).map_err(io_error("create", folder))?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600);
        let file = match options.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let file = files::create(&mut options, path).map_err(io_error("create", path))?;
                files::sync_folder(folder).map_err(io_error("synchronise", folder))?;
                return Ok((file, true));
            }
            result => result.map_err(io_error("open", path))?,
        };
        Ok((file, false))
    }

    fn lock(&self, mut info: LockInfo) -> Result<LockId, LockError> {
        let mut session = self.session();
        if session.lock.is_some() {
            return Err(LockError::AlreadyLocked);
        }
        let path = &self.paths.write;
        let (file, created) = loop {
            let (file, created) = self.open()?;
            if let Err(error) = lock_file(&file) {
                return Err(match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::PermissionDenied => {
                        LockError::Held { info: self.holder(), reason: reason(&error), now: None }
                    }
                    _ => io_error("lock", path)(error).into(),
                });
            }
            if same_file(&file, path).map_err(io_error("inspect", path))? {
                break (file, created);
            }
        };
        info.path = self.paths.read.display().to_string();
        info.created = jiff::Timestamp::now().to_string();
        let json = serde_json::to_vec(&info).map_err(|error| io_error("write", &self.lock_info)(error.into()))?;
        files::replace(&self.lock_info, &json).map_err(io_error("write", &self.lock_info))?;
        let id = info.id.clone();
        session.lock = Some(Held { id: id.clone(), file, created });
        let finished = self.finish_write(&session);
        if let Err(error) = finished {
            session.lock = None;
            files::remove(&self.lock_info).map_err(io_error("remove", &self.lock_info))?;
            return Err(error.into());
        }
        Ok(id)
    }

    /// Puts the snapshot of a write that was cut off in place.
    fn finish_write(&self, session: &Session) -> Result<(), StoreError> {
        let path = &self.paths.write;
        let Some(held) = &session.lock else { return Ok(()) };
        if !self.redo.exists() {
            return Ok(());
        }
        if self.unfinished(&self.content(Some(held))?)?.is_some() {
            overwrite(&held.file, path, &self.redo).map_err(self.cut_off())?;
        }
        files::remove(&self.redo).map_err(io_error("remove", &self.redo))
    }

    fn unlock(&self, id: &LockId) -> Result<(), LockError> {
        let mut session = self.session();
        let Some(held) = session.lock.take() else { return Err(LockError::NotLocked) };
        if held.id != *id {
            let error = LockError::WrongId { given: id.0.clone(), current: held.id.0.clone(), info: self.holder() };
            session.lock = Some(held);
            return Err(error);
        }
        session.journal = None;
        files::remove(&self.lock_info).map_err(io_error("remove", &self.lock_info))?;
        // Like Terraform, no empty file stays behind when nothing was written; removed before the lock is released, so
        // that a windlass waiting for it sees that its inode has no name any more.
        let empty = held.file.metadata().is_ok_and(|metadata| metadata.len() == 0);
        if held.created && empty {
            files::remove(&self.paths.write).map_err(io_error("remove", &self.paths.write))?;
        }
        Ok(())
    }

    /// Whether another process holds the lock.
    fn is_locked_by_another(&self) -> bool {
        File::open(&self.paths.write).is_ok_and(|file| is_locked(&file))
    }

    fn locks(&self) -> Result<Vec<HeldLock>, LockError> {
        let session = self.session();
        let path = &self.paths.write;
        if session.lock.is_none() && !self.is_locked_by_another() {
            return Ok(Vec::new());
        }
        let unknown = || LockInfo { path: path.display().to_string(), ..LockInfo::default() };
        Ok(vec![HeldLock::whole(self.holder().map_or_else(unknown, |holder| *holder), None)])
    }

    /// Who holds the lock, if that can be read.
    fn holder(&self) -> Option<Box<LockInfo>> {
        serde_json::from_slice(&std::fs::read(&self.lock_info).ok()?).ok()
    }
}

fn read_error(path: &Path, source: ReadError) -> StoreError {
    match source {
        ReadError::Source(source) => io_error("read", path)(source),
        source => StoreError::Read { place: path.display().to_string(), source },
    }
}

fn from_start(mut file: &File) -> io::Result<()> {
    file.rewind()
}

/// The system's message without its number, in Go's lower case.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// Steps 2 to 4 of the protocol above.
fn overwrite(file: &File, path: &Path, redo: &Path) -> io::Result<()> {
    let mut source = File::open(redo)?;
    let mut first = [0];
    source.read_exact(&mut first)?;
    files::write_at(file, path, &[UNREADABLE], 0)?;
    files::sync(file, path)?;
    let mut chunk = vec![0; CHUNK];
    let mut length = 1;
    loop {
        let read = source.read(&mut chunk)?;
        let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        files::write_at(file, path, bytes, length)?;
        length += read as u64;
    }
    files::set_len(file, path, length)?;
    files::sync(file, path)?;
    files::write_at(file, path, &first, 0)?;
    files::sync(file, path)
}

/// Whether the path still leads to the open file.
fn same_file(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(named) => Ok((open.dev(), open.ino()) == (named.dev(), named.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The write lock on a whole file.
fn write_lock() -> nix::libc::flock {
    use nix::libc;

    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

/// Takes the write lock on the whole file, or fails at once. It is released when the file is closed.
fn lock_file(file: &File) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    use nix::fcntl::FcntlArg::F_OFD_SETLK as SETLK;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    use nix::fcntl::FcntlArg::F_SETLK as SETLK;

    nix::fcntl::fcntl(file, SETLK(&write_lock())).map_err(io::Error::from)?;
    Ok(())
}

/// Whether somebody has locked the file.
fn is_locked(file: &File) -> bool {
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    use nix::fcntl::FcntlArg::F_GETLK as GETLK;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    use nix::fcntl::FcntlArg::F_OFD_GETLK as GETLK;
    use nix::libc;

    let mut lock = write_lock();
    let asked = nix::fcntl::fcntl(file, GETLK(&mut lock));
    asked.is_ok() && lock.l_type != libc::F_UNLCK as libc::c_short
}

#[cfg(test)]
mod faults;
#[cfg(test)]
mod tests;
