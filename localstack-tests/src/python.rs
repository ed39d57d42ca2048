//! Python programs: environments with pinned packages, installed once and used by all clones.

use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::HarnessError;

/// A virtual environment.
#[derive(Debug, Clone)]
pub struct PythonEnvironment {
    /// The folder that holds it, and what else belongs to it.
    pub folder: PathBuf,
}

impl PythonEnvironment {
    /// Installs packages under `parent` unless they are there. Several processes may call it at once: one installs, the
    /// others wait for its file lock.
    ///
    /// The folder's name contains a digest of the pinned versions: a clone that is a month older finds its own.
    pub fn ensure(parent: &Path, name: &str, requirements: &str) -> Result<PythonEnvironment, HarnessError> {
        let environment = PythonEnvironment { folder: parent.join(format!("{name}-{:016x}", digest(requirements))) };
        if environment.folder.exists() {
            return Ok(environment);
        }
        fs::create_dir_all(parent).map_err(HarnessError::file(parent))?;
        let lock_path = parent.join(format!("{name}.lock"));
        let lock = File::create(&lock_path).map_err(HarnessError::file(&lock_path))?;
        lock.lock().map_err(HarnessError::file(&lock_path))?;
        if !environment.folder.exists() {
            // Under another name until it is whole. A fixed one would do but for this: the pip of an installation that was
            // killed may still be writing to it.
            let partial =
                tempfile::Builder::new().prefix("partial-").tempdir_in(parent).map_err(HarnessError::file(parent))?;
            install(partial.path(), requirements)?;
            fs::rename(partial.keep(), &environment.folder).map_err(HarnessError::file(&environment.folder))?;
        }
        Ok(environment)
    }

    /// The interpreter, which finds the packages.
    pub fn python(&self) -> PathBuf {
        self.folder.join("venv/bin/python")
    }

    /// A script that a package has installed. Its first line names the interpreter of a folder that is gone, so it has to be
    /// given to [`PythonEnvironment::python`].
    pub fn script(&self, name: &str) -> PathBuf {
        self.folder.join("venv/bin").join(name)
    }
}

/// Makes the virtual environment. Only its interpreter is used, which finds its packages wherever the folder is moved to.
fn install(folder: &Path, requirements: &str) -> Result<(), HarnessError> {
    let file = folder.join("requirements.txt");
    fs::write(&file, requirements).map_err(HarnessError::file(&file))?;
    step(Command::new("python3").args(["-m", "venv"]).arg(folder.join("venv")))?;
    let pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "-r"];
    step(Command::new(folder.join("venv/bin/python")).args(pip).arg(&file))
}

/// A name for a text.
pub(crate) fn digest(text: &str) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn step(command: &mut Command) -> Result<(), HarnessError> {
    let text = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().map_err(HarnessError::run(&text))?;
    if output.status.success() {
        return Ok(());
    }
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(HarnessError::Install { step: text, output: printed })
}
