//! What commands work on: the configuration of the working directory, its workspace, its state.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use config::loader::{ConfigFiles, load_module, manifest_path};
use config::module::Module;
use config::{ModuleManifest, load_config};
use lang::addr::ModulePath;
use lang::functions::CallContext;
use lang::{Diagnostic, Diagnostics, Sources};
use planner::{ProviderRegistry, Workspace};
use state::backend::local::{DEFAULT_WORKSPACE, LocalPaths, LocalStore};
use state::{LockError, LockId, LockInfo, State, StateStore};
use state_encryption::Encryption;

use crate::args::groups::{StateArgs, StateOutArgs};
use crate::backend::{LocalBackend, Place};
use crate::io::Environment;
use crate::ui::Ui;

/// A run of one command.
pub struct Session {
    /// Where it prints.
    pub ui: Arc<Ui>,
    /// Its environment.
    pub environment: Environment,
    /// The files that were read.
    pub sources: Sources,
    /// The providers linked in.
    pub providers: ProviderRegistry,
    /// What encrypts states and plans, once that was asked for.
    encryption: OnceLock<Encryption>,
}

/// The state's place, with the lock if it is held.
pub struct Opened {
    /// The place.
    pub store: Arc<dyn StateStore>,
    lock: Option<LockId>,
}

impl Session {
    /// A session over the current directory.
    pub fn new(ui: Arc<Ui>, environment: Environment, providers: ProviderRegistry) -> Session {
        Session { ui, environment, sources: Sources::new(), providers, encryption: OnceLock::new() }
    }

    /// Shows messages.
    pub fn show(&self, diagnostics: &Diagnostics) {
        self.ui.diagnostics(diagnostics, &self.sources);
    }

    /// The name of the selected workspace.
    pub fn workspace_name(&self) -> String {
        if let Some(name) = self.environment.get("TF_WORKSPACE") {
            return name.to_owned();
        }
        let file = self.environment.data_dir().join("environment");
        let name = std::fs::read_to_string(file).unwrap_or_default();
        match name.trim() {
            "" => DEFAULT_WORKSPACE.to_owned(),
            name => name.to_owned(),
        }
    }

    /// Whether the directory holds no configuration.
    pub fn is_bare(&self) -> bool {
        ConfigFiles::list(Path::new(".")).is_ok_and(|files| files.is_empty())
    }

    /// Reads the configuration. `required`: an empty directory is an error.
    pub fn load(&self, required: bool) -> (Option<Workspace>, Diagnostics) {
        let root = Path::new(".");
        if required && self.is_bare() {
            let detail = "Plan requires configuration to be present. Planning without a configuration would mark everything \
                          for destruction, which is normally not what is desired. If you would like to destroy everything, \
                          run plan with the -destroy option. Otherwise, create a Terraform configuration file (.tf file) and \
                          try again.";
            return (None, Diagnostic::error("No configuration files", detail).into());
        }
        let manifest = ModuleManifest::read(&manifest_path(&self.environment.data_dir())).unwrap_or_default();
        let (module, diagnostics) = load_config(&self.sources, root, &manifest);
        let workspace = module.map(|config| self.workspace(config));
        (workspace, diagnostics)
    }

    /// The surroundings of a configuration.
    pub fn workspace(&self, config: Arc<config::module::Module>) -> Workspace {
        let working_dir = self.environment.working_directory.clone();
        Workspace {
            config,
            sources: self.sources.clone(),
            providers: self.providers.clone(),
            name: self.workspace_name().into(),
            root_dir: PathBuf::from("."),
            working_dir: working_dir.clone(),
            functions: CallContext {
                base_dir: PathBuf::from("."),
                working_dir,
                home_dir: self.environment.get("HOME").map(PathBuf::from),
                planning: true,
                plan_timestamp: crate::json_views::stream::now().parse().ok(),
            },
        }
    }

    /// The state's place, with the lock held unless `-lock=false`.
    pub async fn open(
        &self,
        args: &StateArgs,
        out: Option<&StateOutArgs>,
        operation: &str,
    ) -> Result<Opened, Diagnostics> {
        let store = self.store(args.state.as_deref(), out)?;
        let lock = if args.lock { Some(self.lock(&store, operation, args.lock_timeout).await?) } else { None };
        Ok(Opened { store, lock })
    }

    /// The state as stored, without a lock: for commands that only show it.
    pub async fn read_state(&self, path: Option<&str>) -> Result<Option<State>, Diagnostics> {
        let store = self.store(path, None)?;
        store.read().await.map_err(|error| Diagnostic::error("Failed to load state", chain(&error)).into())
    }

    /// The backend that the working directory is set up for.
    ///
    /// # Errors
    /// A configuration that can't be read, a backend that `init` has to set up first.
    pub fn backend(&self) -> Result<Place, Diagnostics> {
        let module = self.root_module()?;
        let block = module.as_ref().and_then(|module| module.backend.as_ref());
        crate::backend::selected(&self.environment, block, self.encryption_of(module.as_ref())?.state())
    }

    fn root_module(&self) -> Result<Option<Module>, Diagnostics> {
        let root = Path::new(".");
        let (module, diagnostics) = load_module(&self.sources, root, root, ModulePath::root());
        Ok(diagnostics.ok_or_errors(module)?.0)
    }

    /// What encrypts states and plans.
    ///
    /// # Errors
    /// A configuration that can't be read, mistakes in what it says about encryption.
    pub fn encryption(&self) -> Result<Encryption, Diagnostics> {
        match self.encryption.get() {
            Some(known) => Ok(known.clone()),
            None => self.encryption_of(self.root_module()?.as_ref()),
        }
    }

    /// The same, of this root module.
    ///
    /// # Errors
    /// Mistakes in what it says about encryption.
    pub fn encryption_of(&self, module: Option<&Module>) -> Result<Encryption, Diagnostics> {
        if let Some(known) = self.encryption.get() {
            return Ok(known.clone());
        }
        let encryption = crate::encryption::configured(self, module)?;
        Ok(self.encryption.get_or_init(|| encryption).clone())
    }

    /// The file that the state is written to, if it is one.
    ///
    /// # Errors
    /// As [`Session::backend`].
    pub fn state_path(&self, given: Option<&str>) -> Result<Option<PathBuf>, Diagnostics> {
        Ok(match self.backend()? {
            Place::Local(backend) => Some(self.paths(&backend, given, None).write),
            Place::Remote(_) => None,
        })
    }

    /// The state's place. `-state` and its like are for files alone, and mean nothing elsewhere.
    fn store(&self, path: Option<&str>, out: Option<&StateOutArgs>) -> Result<Arc<dyn StateStore>, Diagnostics> {
        match self.backend()? {
            Place::Local(backend) => {
                Ok(Arc::new(LocalStore::with_codec(self.paths(&backend, path, out), &backend.codec)))
            }
            Place::Remote(backend) => backend
                .store(&self.workspace_name())
                .map_err(|error| Diagnostic::error("Error loading state", chain(&error)).into()),
        }
    }

    fn paths(&self, backend: &LocalBackend, path: Option<&str>, out: Option<&StateOutArgs>) -> LocalPaths {
        let mut paths = match path {
            Some(path) => LocalPaths::new(path),
            None => backend.paths(&self.workspace_name()),
        };
        if let Some(out) = out {
            if let Some(path) = &out.state_out {
                paths = paths.with_output(path);
            }
            match out.backup.as_deref() {
                Some("-") => paths.backup = None,
                Some(path) => paths.backup = Some(path.into()),
                None => {}
            }
        }
        paths
    }

    async fn lock(
        &self,
        store: &Arc<dyn StateStore>,
        operation: &str,
        timeout: Duration,
    ) -> Result<LockId, Diagnostics> {
        let user = self.environment.get("USER").unwrap_or("unknown");
        let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
        let who = format!("{user}@{}", host.trim());
        store.lock(LockInfo::new(operation, who), timeout).await.map_err(|error| lock_problem(&error).into())
    }
}

impl Opened {
    /// Gives the lock back.
    pub async fn close(self) -> Diagnostics {
        let Some(lock) = self.lock else { return Diagnostics::new() };
        match self.store.unlock(&lock).await {
            Ok(()) => Diagnostics::new(),
            Err(error) => Diagnostic::error("Error releasing the state lock", chain(&error)).into(),
        }
    }
}

/// An error with what caused it.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

fn lock_problem(error: &LockError) -> Diagnostic {
    let (reason, info) = match error {
        LockError::Held { info, reason } => (reason.clone(), info.as_deref()),
        other => (chain(other), None),
    };
    let info = info.map_or(String::new(), |info| format!("\n{info}"));
    Diagnostic::error(
        "Error acquiring the state lock",
        format!(
            "Error message: {reason}{info}\n\nTerraform acquires a state lock to protect the state from being written by \
             multiple users at the same time. Please resolve the issue above and try again. For most commands, you can \
             disable locking with the \"-lock=false\" flag, but this is not recommended."
        ),
    )
}
