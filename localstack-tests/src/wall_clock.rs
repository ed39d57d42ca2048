//! The wall clock of runs, put forward and back while they run.

use std::path::PathBuf;
use std::process::Command;

use crate::HarnessError;

const SOURCE: &str = include_str!("wall_clock.c");

/// A wall clock that the runs that are given its environment see instead of the machine's.
#[derive(Debug)]
pub struct WallClock {
    folder: tempfile::TempDir,
}

impl WallClock {
    /// One that is right. `None`, with a message, where there is no C compiler for what stands between a run and its clock.
    pub fn make() -> Result<Option<WallClock>, HarnessError> {
        let folder = tempfile::tempdir().map_err(HarnessError::file(std::env::temp_dir()))?;
        let clock = WallClock { folder };
        let source = clock.path("wall_clock.c");
        std::fs::write(&source, SOURCE).map_err(HarnessError::file(&source))?;
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o"]).arg(clock.path("wall_clock.so")).arg(&source);
        if !compiler.output().is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: no C compiler");
            return Ok(None);
        }
        clock.set(0)?;
        Ok(Some(clock))
    }

    /// What a run needs for it.
    pub fn environment(&self) -> [(&'static str, String); 2] {
        let path = |name: &str| self.path(name).display().to_string();
        [("LD_PRELOAD", path("wall_clock.so")), ("WALL_CLOCK_SHIFT", path("shift"))]
    }

    /// Puts it so many seconds ahead of the machine's.
    pub fn set(&self, ahead: i64) -> Result<(), HarnessError> {
        let (partial, shift) = (self.path("shift.partial"), self.path("shift"));
        std::fs::write(&partial, ahead.to_string()).map_err(HarnessError::file(&partial))?;
        std::fs::rename(&partial, &shift).map_err(HarnessError::file(&shift))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
