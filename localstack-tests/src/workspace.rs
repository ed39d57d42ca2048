//! A folder of its own for each test: configuration, state and HOME.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use tempfile::TempDir;

use crate::{Account, HarnessError, Outcome, Tool};

/// A temporary folder with a configuration, and the account that it works in. Gone when dropped.
#[derive(Debug)]
pub struct Workspace {
    root: TempDir,
    folder: PathBuf,
    environment: BTreeMap<String, String>,
}

impl Workspace {
    /// An empty configuration that may use an account.
    pub fn empty(account: &Account) -> Result<Workspace, HarnessError> {
        let environment = account.environment().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(Workspace { environment, ..Workspace::offline()? })
    }

    /// An empty configuration without an account: for what needs no cloud.
    pub fn offline() -> Result<Workspace, HarnessError> {
        let root = tempfile::Builder::new()
            .prefix("windlass-test-")
            .tempdir()
            .map_err(HarnessError::file(std::env::temp_dir()))?;
        let folder = root.path().join("stack");
        for folder in [folder.as_path(), &root.path().join("home")] {
            fs::create_dir_all(folder).map_err(HarnessError::file(folder))?;
        }
        Ok(Workspace { root, folder, environment: BTreeMap::new() })
    }

    /// A copy of a folder under `examples/`, with `modules/` where the example looks for it.
    pub fn example(account: &Account, name: &str) -> Result<Workspace, HarnessError> {
        let mut workspace = Workspace::empty(account)?;
        let repository = repository();
        copy(&repository.join("modules"), &workspace.root.path().join("modules"))?;
        workspace.folder = workspace.root.path().join("examples").join(name);
        copy(&repository.join("examples").join(name), &workspace.folder)?;
        Ok(workspace)
    }

    /// A configuration of one file, `main.tf`.
    pub fn of(account: &Account, main: &str) -> Result<Workspace, HarnessError> {
        let workspace = Workspace::empty(account)?;
        workspace.write("main.tf", main)?;
        Ok(workspace)
    }

    /// The data folder of a tool: each keeps one of its own, so that two can share a state.
    pub fn data_dir(&self, tool: &Tool) -> PathBuf {
        let name = tool.program().file_name().unwrap_or_default().to_string_lossy();
        self.root.path().join(format!("data-{name}"))
    }

    /// The configuration's folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Writes a file of the configuration, and the folders that it is in.
    pub fn write(&self, name: &str, text: &str) -> Result<(), HarnessError> {
        let path = self.folder.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(HarnessError::file(folder))?;
        }
        fs::write(&path, text).map_err(HarnessError::file(path))
    }

    /// Reads a file of the configuration.
    pub fn read(&self, name: &str) -> Result<String, HarnessError> {
        let path = self.folder.join(name);
        fs::read_to_string(&path).map_err(HarnessError::file(path))
    }

    /// Sets a variable for the runs that follow.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Workspace {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Points the runs that follow at another endpoint, such as a proxy's.
    pub fn set_endpoint(&mut self, endpoint: &str) -> &mut Workspace {
        self.set("AWS_ENDPOINT_URL", endpoint)
    }

    /// Runs a command in the folder, to its end.
    pub fn run(&self, tool: &Tool, arguments: &[&str]) -> Result<Outcome, HarnessError> {
        let output = self.command(tool, arguments).output().map_err(HarnessError::run(line(tool, arguments)))?;
        Ok(Outcome::new(line(tool, arguments), output))
    }

    /// Starts a command and doesn't wait; its output goes nowhere.
    pub fn spawn(&self, tool: &Tool, arguments: &[&str]) -> Result<Child, HarnessError> {
        let mut command = self.command(tool, arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map_err(HarnessError::run(line(tool, arguments)))
    }

    /// Starts a command and doesn't wait; [`Outcome::wait`] has its output.
    pub fn start(&self, tool: &Tool, arguments: &[&str]) -> Result<Child, HarnessError> {
        let mut command = self.command(tool, arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().map_err(HarnessError::run(line(tool, arguments)))
    }

    fn command(&self, tool: &Tool, arguments: &[&str]) -> std::process::Command {
        let mut environment: Vec<(String, String)> =
            self.environment.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        environment.push(("TF_DATA_DIR".to_owned(), self.data_dir(tool).display().to_string()));
        tool.command(&self.folder, &self.root.path().join("home"), &environment, arguments)
    }

    /// Every file of the configuration's folder with its content: what "nothing changed on disk" compares.
    pub fn contents(&self) -> Result<BTreeMap<PathBuf, Vec<u8>>, HarnessError> {
        let mut contents = BTreeMap::new();
        collect(&self.folder, &mut contents)?;
        Ok(contents)
    }
}

fn line(tool: &Tool, arguments: &[&str]) -> String {
    let name = tool.program().file_name().unwrap_or_default().to_string_lossy().into_owned();
    std::iter::once(name.as_str()).chain(arguments.iter().copied()).collect::<Vec<_>>().join(" ")
}

/// The root of the repository whose code runs. Cargo tells it to what it starts; where this was built is no answer, since clones
/// may share what they build.
pub fn repository() -> PathBuf {
    let running = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let package = running.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let root = package.ancestors().find(|folder| folder.join("Cargo.lock").is_file());
    root.unwrap_or(&package).to_owned()
}

/// Copies a folder, without what runs left in it.
pub fn copy(from: &Path, to: &Path) -> Result<(), HarnessError> {
    fs::create_dir_all(to).map_err(HarnessError::file(to))?;
    for entry in fs::read_dir(from).map_err(HarnessError::file(from))? {
        let entry = entry.map_err(HarnessError::file(from))?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.starts_with(".terraform") || text.starts_with("terraform.tfstate") {
            continue;
        }
        let path = entry.path();
        if path.is_dir() {
            copy(&path, &to.join(&name))?;
        } else {
            fs::copy(&path, to.join(&name)).map_err(HarnessError::file(path))?;
        }
    }
    Ok(())
}

fn collect(folder: &Path, contents: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<(), HarnessError> {
    for entry in fs::read_dir(folder).map_err(HarnessError::file(folder))? {
        let path = entry.map_err(HarnessError::file(folder))?.path();
        if path.is_dir() {
            collect(&path, contents)?;
        } else {
            let bytes = fs::read(&path).map_err(HarnessError::file(&path))?;
            contents.insert(path, bytes);
        }
    }
    Ok(())
}
