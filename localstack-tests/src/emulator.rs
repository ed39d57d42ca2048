//! Installs and starts emulators: moto for AWS, pinned in `emulator/requirements.txt` and started by `emulator/launch.py`, and
//! fake-gcs-server for Cloud Storage.

use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::{Account, HarnessError};

/// What an emulator is made of.
pub struct Package {
    /// What its folder begins with.
    name: &'static str,
    requirements: &'static str,
    launcher: &'static str,
}

/// The emulator of AWS.
pub const AWS: Package = Package {
    name: "aws",
    requirements: include_str!("../emulator/requirements.txt"),
    launcher: include_str!("../emulator/launch.py"),
};

/// The emulator of Google Cloud Storage.
pub const CLOUD_STORAGE: Package = Package {
    name: "storage",
    requirements: include_str!("../emulator/storage-requirements.txt"),
    launcher: include_str!("../emulator/storage-launch.py"),
};

/// The folder for what is installed once and used by all clones: `WINDLASS_CACHE`, or `windlass` in the user's cache.
pub fn cache_dir() -> PathBuf {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("WINDLASS_CACHE")
        .or_else(|| named("XDG_CACHE_HOME").map(|cache| cache.join("windlass")))
        .or_else(|| named("HOME").map(|home| home.join(".cache").join("windlass")))
        .unwrap_or_else(|| std::env::temp_dir().join("windlass"))
}

/// An emulator as installed: an interpreter with its package, and the launcher.
#[derive(Debug, Clone)]
pub struct Installation {
    /// The virtual environment's Python.
    pub python: PathBuf,
    /// `launch.py`; takes `--port N` and `--watch-stdin`.
    pub launcher: PathBuf,
}

impl Installation {
    /// Installs the emulator under `cache` unless it is there. Several processes may call it at once: one installs, the
    /// others wait for its file lock.
    ///
    /// Names contain a digest of what they hold, the pinned versions or the launcher's text: a clone that is a month older
    /// finds its own.
    pub fn ensure(cache: &Path, package: &Package) -> Result<Installation, HarnessError> {
        let Package { name, requirements, launcher } = package;
        let emulators = cache.join("emulators");
        let folder = emulators.join(format!("{name}-{:016x}", digest(requirements)));
        let installation = Installation {
            python: folder.join("venv/bin/python"),
            launcher: folder.join(format!("launch-{:016x}.py", digest(launcher))),
        };
        if installation.launcher.exists() {
            return Ok(installation);
        }

        fs::create_dir_all(&emulators).map_err(HarnessError::file(&emulators))?;
        let lock_path = emulators.join(format!("{name}.lock"));
        let lock = File::create(&lock_path).map_err(HarnessError::file(&lock_path))?;
        lock.lock().map_err(HarnessError::file(&lock_path))?;
        if !folder.exists() {
            // Under another name until it is whole. A fixed one would do but for this: the pip of an installation that was
            // killed may still be writing to it.
            let partial = tempfile::Builder::new()
                .prefix("partial-")
                .tempdir_in(&emulators)
                .map_err(HarnessError::file(&emulators))?;
            install(partial.path(), requirements)?;
            fs::rename(partial.keep(), &folder).map_err(HarnessError::file(&folder))?;
        }
        // likewise: those who don't lock must not see half of it
        let partial = folder.join("launch.partial");
        fs::write(&partial, launcher).map_err(HarnessError::file(&partial))?;
        fs::rename(&partial, &installation.launcher).map_err(HarnessError::file(&installation.launcher))?;
        Ok(installation)
    }
}

/// Makes the virtual environment. Only its interpreter is used, which finds its packages wherever the folder is moved to.
fn install(folder: &Path, text: &str) -> Result<(), HarnessError> {
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, text).map_err(HarnessError::file(&requirements))?;
    step(Command::new("python3").args(["-m", "venv"]).arg(folder.join("venv")))?;
    let pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "-r"];
    step(Command::new(folder.join("venv/bin/python")).args(pip).arg(&requirements))
}

fn digest(text: &str) -> u64 {
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

/// An endpoint that speaks AWS: a process of ours, or a server that someone else runs.
///
/// A process of ours ends with this value, or with the process that started it, however that ends: it watches its
/// standard input, whose other end only we hold. That is what stops the shared one, since statics are not dropped.
#[derive(Debug)]
pub struct Emulator {
    endpoint: String,
    process: Option<Child>,
}

impl Emulator {
    /// Installs the emulator if need be and starts it on a free port of the loopback interface, or on `port`.
    /// Returns as soon as it accepts connections.
    pub fn start(cache: &Path, port: Option<u16>) -> Result<Emulator, HarnessError> {
        Emulator::start_package(cache, &AWS, port)
    }

    /// The same with another package.
    pub fn start_package(cache: &Path, package: &Package, port: Option<u16>) -> Result<Emulator, HarnessError> {
        let installation = Installation::ensure(cache, package)?;
        let mut log = tempfile::tempfile().map_err(HarnessError::file(std::env::temp_dir()))?;
        let log_for_process = log.try_clone().map_err(HarnessError::file(std::env::temp_dir()))?;
        // The launcher binds the port itself and says which: a port that we chose could be taken in between.
        let mut process = Command::new(&installation.python)
            .arg(&installation.launcher)
            .args(["--watch-stdin", "--port", &port.unwrap_or(0).to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log_for_process)
            .spawn()
            .map_err(HarnessError::run(installation.python.display().to_string()))?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            // an error leaves the line empty, and is reported with what the process said
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        let port = serde_json::from_str::<serde_json::Value>(&line).ok().and_then(|report| report["port"].as_u64());
        let Some(port) = port else {
            let _ = process.kill();
            let _ = process.wait();
            let mut output = String::new();
            let _ = log.rewind().and_then(|()| log.read_to_string(&mut output));
            return Err(HarnessError::NoEmulator { output });
        };
        Ok(Emulator { endpoint: format!("http://127.0.0.1:{port}"), process: Some(process) })
    }

    /// The endpoint that `LOCALSTACK_ENDPOINT` names, or an emulator of our own, started by the first test that asks and
    /// shared by the whole test binary.
    pub fn shared() -> Result<&'static Emulator, HarnessError> {
        static SHARED: OnceLock<Result<Emulator, String>> = OnceLock::new();
        SHARED
            .get_or_init(|| match std::env::var("LOCALSTACK_ENDPOINT") {
                Ok(endpoint) if !endpoint.is_empty() => {
                    Ok(Emulator { endpoint: endpoint.trim_end_matches('/').to_owned(), process: None })
                }
                _ => Emulator::start(&cache_dir(), None).map_err(|error| error.full()),
            })
            .as_ref()
            .map_err(|message| HarnessError::Shared(message.clone()))
    }

    /// Where it listens, such as `http://127.0.0.1:4566`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Id of the process, if it is ours.
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Waits until the process ends, which it does only when somebody ends it.
    pub fn wait(mut self) -> Result<(), HarnessError> {
        if let Some(mut process) = self.process.take() {
            // `Child::wait` would close its input first, which ends it
            let input = process.stdin.take();
            let result = process.wait().map_err(HarnessError::run("the emulator"));
            drop(input);
            result?;
        }
        Ok(())
    }

    /// An account that no other test uses.
    pub fn account(&self) -> Account {
        Account::fresh(&self.endpoint)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
