//! Installs and starts emulators: moto for AWS, pinned in `emulator/requirements.txt` and started by `emulator/launch.py`, and
//! fake-gcs-server for Cloud Storage.

use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use crate::python::{PythonEnvironment, digest};
use crate::{Account, HarnessError, wire};

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
    /// Installs the emulator under `cache` unless it is there.
    pub fn ensure(cache: &Path, package: &Package) -> Result<Installation, HarnessError> {
        let Package { name, requirements, launcher } = package;
        let environment = PythonEnvironment::ensure(&cache.join("emulators"), name, requirements)?;
        let path = environment.folder.join(format!("launch-{:016x}.py", digest(launcher)));
        if !path.exists() {
            // Others must not see half of it.
            let mut partial = tempfile::NamedTempFile::new_in(&environment.folder)
                .map_err(HarnessError::file(&environment.folder))?;
            partial.write_all(launcher.as_bytes()).map_err(HarnessError::file(&path))?;
            partial.persist(&path).map_err(|error| HarnessError::file(&path)(error.error))?;
        }
        Ok(Installation { python: environment.python(), launcher: path })
    }
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

    /// Forgets all accounts.
    pub fn reset(&self) -> Result<(), HarnessError> {
        let path = "/moto-api/reset";
        let failed = |reason: String| HarnessError::Request { request: path.to_owned(), reason };
        wire::call(&self.endpoint, "POST", path, &[], String::new()).map(drop).map_err(failed)
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
