//! Ends processes without a warning.

use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::process::{Pid, Signal, kill_process};

use crate::HarnessError;

/// SIGKILL. A process that is gone already is as dead as it gets.
pub(crate) fn kill(process_id: u32) {
    if let Some(pid) = i32::try_from(process_id).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Kills a process as it touches a file.
pub(crate) struct FolderWatch {
    folder: PathBuf,
    descriptor: rustix::fd::OwnedFd,
}

/// A file of this name ends the watch.
const OVER: &str = ".watch-over";

impl FolderWatch {
    /// Begins to note what happens to the files of a folder.
    pub(crate) fn new(folder: &Path) -> Result<FolderWatch, HarnessError> {
        let failed = |error: rustix::io::Errno| HarnessError::file(folder)(error.into());
        let descriptor = inotify::init(CreateFlags::CLOEXEC).map_err(failed)?;
        let events = WatchFlags::CREATE | WatchFlags::MODIFY | WatchFlags::MOVED_TO | WatchFlags::DELETE;
        inotify::add_watch(&descriptor, folder, events).map_err(failed)?;
        Ok(FolderWatch { folder: folder.to_owned(), descriptor })
    }

    /// Kills at the `n`-th event (from 1) of a file whose name is accepted.
    pub(crate) fn kill_at(
        self,
        process_id: u32,
        n: usize,
        accepts: impl Fn(&str, ReadFlags) -> bool + Send + 'static,
    ) -> Killer {
        let folder = self.folder.clone();
        let thread = std::thread::spawn(move || {
            let mut buffer = [MaybeUninit::uninit(); 4096];
            let mut events = inotify::Reader::new(&self.descriptor, &mut buffer);
            let mut seen = 0;
            while let Ok(event) = events.next() {
                let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).to_string_lossy());
                let Some(name) = name else { continue };
                if name == OVER {
                    return;
                }
                if accepts(&name, event.events()) {
                    seen += 1;
                    if seen == n {
                        kill(process_id);
                        return;
                    }
                }
            }
        });
        Killer { folder, thread }
    }
}

/// A watch that goes on.
pub(crate) struct Killer {
    folder: PathBuf,
    thread: JoinHandle<()>,
}

impl Killer {
    /// Ends the watch.
    pub(crate) fn end(self) -> Result<(), HarnessError> {
        let file = self.folder.join(OVER);
        std::fs::write(&file, "").map_err(HarnessError::file(&file))?;
        // a watch that panicked killed nobody, which the trial notices
        let _ = self.thread.join();
        std::fs::remove_file(&file).map_err(HarnessError::file(&file))
    }
}
