//! What commands work on: the configuration of the working directory, its workspace, its state.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use config::loader::{ConfigFiles, load_module, manifest_path};
use config::module::Module;
use config::test_file::TestFile;
use config::{ModuleManifest, load_config_of};
use lang::addr::ModulePath;
use lang::functions::CallContext;
use lang::{Diagnostic, Diagnostics, Sources};
use planner::{ProviderRegistry, Workspace};
use state::backend::Lease;
use state::backend::local::{DEFAULT_WORKSPACE, LocalPaths, LocalStore};
use state::{Heart, LockError, LockId, LockInfo, Parts, State, StateStore, StoreError};
use state_encryption::Encryption;

use crate::args::groups::{StateArgs, StateOutArgs, duration};
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
    /// The root module of the saved plan that is applied.
    planned: OnceLock<Arc<Module>>,
}

/// The state's place, with the lock if it is held.
pub struct Opened {
    /// The place.
    pub store: Arc<dyn StateStore>,
    lock: Option<Lock>,
}

/// A lock that is held.
struct Lock {
    id: LockId,
    heart: Arc<Heart>,
}

/// What of a state is locked.
#[derive(Clone, Copy, Debug)]
pub enum Extent<'a> {
    /// All of it.
    Whole,
    /// Parts, where the store can tell them apart.
    Parts(&'a Parts),
}

/// A configuration with its tests.
pub struct Tested {
    /// The configuration.
    pub workspace: Workspace,
    /// The test files.
    pub files: Vec<TestFile>,
    /// The modules that runs name, by the paths under which they are installed.
    pub modules: BTreeMap<ModulePath, Arc<Module>>,
}

impl Tested {
    /// A configuration whose tests are not looked at.
    pub fn without_tests(workspace: Workspace) -> Tested {
        Tested { workspace, files: Vec::new(), modules: BTreeMap::new() }
    }
}

impl Session {
    /// A session over the current directory.
    pub fn new(ui: Arc<Ui>, environment: Environment, providers: ProviderRegistry) -> Session {
        Session {
            ui,
            environment,
            sources: Sources::new(),
            providers,
            encryption: OnceLock::new(),
            planned: OnceLock::new(),
        }
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
        self.load_from(root)
    }

    /// Reads the configuration of a directory.
    pub fn load_from(&self, root: &Path) -> (Option<Workspace>, Diagnostics) {
        let (module, diagnostics) = load_config_of(&self.sources, Path::new("."), root, &self.manifest());
        let workspace = module.map(|config| self.workspace(config));
        (workspace, diagnostics)
    }

    /// Reads the test files of the working directory.
    pub fn test_files(&self, directory: &str) -> (Vec<TestFile>, Diagnostics) {
        self.test_files_of(Path::new("."), directory)
    }

    fn test_files_of(&self, root: &Path, directory: &str) -> (Vec<TestFile>, Diagnostics) {
        let mut diagnostics = Diagnostics::new();
        if directory != "tests" && !root.join(directory).is_dir() {
            let detail = format!("Requested test directory {directory} does not exist.");
            diagnostics.push(Diagnostic::warning("Test directory does not exist", detail));
        }
        match testing::discover(&self.sources, root, Path::new(directory)) {
            Ok((files, problems)) => {
                diagnostics.append(problems);
                (files, diagnostics)
            }
            Err(error) => {
                let detail = format!("{}: {}.", error.path.display(), crate::io::reason(&error.error));
                (Vec::new(), Diagnostic::error("Failed to read test files", detail).into())
            }
        }
    }

    /// Reads the configuration with its tests.
    pub fn load_with_tests(&self, directory: &str) -> (Option<Tested>, Diagnostics) {
        self.load_with_tests_from(Path::new("."), directory)
    }

    /// The same of another directory.
    pub fn load_with_tests_from(&self, root: &Path, directory: &str) -> (Option<Tested>, Diagnostics) {
        let (workspace, mut diagnostics) = self.load_from(root);
        let (files, problems) = self.test_files_of(root, directory);
        let failed = diagnostics.has_errors() || problems.has_errors();
        diagnostics.append(problems);
        let mut modules = BTreeMap::new();
        if !failed {
            let (loaded, problems) = testing::load_modules(&self.sources, root, &self.manifest(), &files);
            diagnostics.append(problems);
            modules = loaded;
        }
        (workspace.map(|workspace| Tested { workspace, files, modules }), diagnostics)
    }

    /// The modules that are installed.
    pub fn manifest(&self) -> ModuleManifest {
        ModuleManifest::read(&manifest_path(&self.environment.data_dir())).unwrap_or_default()
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
        let mut opened = self.place(args, out).await?;
        if args.lock {
            self.lock(&mut opened, Extent::Whole, operation, args.lock_timeout).await?;
        }
        Ok(opened)
    }

    /// The state's place, without the lock.
    pub async fn place(&self, args: &StateArgs, out: Option<&StateOutArgs>) -> Result<Opened, Diagnostics> {
        Ok(Opened { store: self.store(args.state.as_deref(), out).await?, lock: None })
    }

    /// The state's place for a plan. A plan reads one snapshot and writes nothing, so that it takes the lock only to clear
    /// up what an interrupted run has left, and not from a run that is under way.
    pub async fn open_to_plan(&self, args: &StateArgs) -> Result<Opened, Diagnostics> {
        let mut opened = self.place(args, None).await?;
        let failed = |error: &dyn std::error::Error| Diagnostic::error("Failed to open the journal", chain(error));
        if args.lock && opened.store.has_records().await.map_err(|error| failed(&error))? {
            match self.try_lock(&mut opened, Extent::Whole, "OperationTypePlan", Duration::ZERO).await {
                Ok(()) | Err(LockError::Held { .. }) => {}
                Err(error) => return Err(lock_problem(&error).into()),
            }
        }
        Ok(opened)
    }

    /// The state as stored, without a lock: for commands that only show it.
    pub async fn read_state(&self, path: Option<&str>) -> Result<Option<State>, Diagnostics> {
        let store = self.store(path, None).await?;
        store.read().await.map_err(|error| Diagnostic::error("Failed to load state", chain(&error)).into())
    }

    /// From now on the backend is that of a saved plan's configuration, whatever the directory holds.
    pub fn adopt(&self, planned: &Arc<Module>) {
        self.planned.get_or_init(|| planned.clone());
    }

    /// The backend that the working directory is set up for.
    ///
    /// # Errors
    /// A configuration that can't be read, a backend that `init` has to set up first.
    pub fn backend(&self) -> Result<Place, Diagnostics> {
        if let Some(name) = self.environment.get("TF_WORKSPACE").filter(|name| !is_workspace_name(name)) {
            let detail = format!("{name:?} is not allowed. {WORKSPACE_NAMES}");
            return Err(Diagnostic::error("Invalid workspace name set using TF_WORKSPACE", detail).into());
        }
        if let Some(planned) = self.planned.get() {
            return crate::backend::selected(&self.environment, planned.backend.as_ref(), self.encryption()?.state());
        }
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

    /// The state's place. `-state` and its like are for files alone, and mean nothing elsewhere. As in Terraform, a
    /// workspace begins to exist when its state is first asked for.
    async fn store(&self, path: Option<&str>, out: Option<&StateOutArgs>) -> Result<Arc<dyn StateStore>, Diagnostics> {
        let place = self.backend()?;
        let workspace = self.workspace_name();
        if workspace != DEFAULT_WORKSPACE && path.is_none() {
            let failed = |error: StoreError| Diagnostic::error("Error loading state", chain(&error));
            place.backend().create_workspace(&workspace).await.map_err(failed)?;
        }
        match place {
            Place::Local(backend) => {
                Ok(Arc::new(LocalStore::with_codec(self.paths(&backend, path, out), &backend.codec)))
            }
            Place::Remote(backend) => {
                let failed = |error: StoreError| Diagnostic::error("Error loading state", chain(&error));
                Ok(backend.store(&workspace).map_err(failed)?)
            }
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

    /// Takes the lock, and keeps it until [`Opened::close`].
    pub async fn lock(
        &self,
        opened: &mut Opened,
        extent: Extent<'_>,
        operation: &str,
        timeout: Duration,
    ) -> Result<(), Diagnostics> {
        self.try_lock(opened, extent, operation, timeout).await.map_err(|error| lock_problem(&error).into())
    }

    async fn try_lock(
        &self,
        opened: &mut Opened,
        extent: Extent<'_>,
        operation: &str,
        timeout: Duration,
    ) -> Result<(), LockError> {
        let lease = self.lease();
        let info = self.lock_info(operation).with_lease(lease);
        let store = &opened.store;
        let id = match extent {
            Extent::Whole => store.lock(info, timeout).await?,
            Extent::Parts(parts) => store.lock_parts(info, parts, timeout).await?,
        };
        let heart = Arc::new(Heart::start(store.clone(), id.clone(), lease));
        opened.lock = Some(Lock { id, heart });
        Ok(())
    }

    /// Who we are, and what for: `WINDLASS_LOCK_REASON` says more.
    fn lock_info(&self, operation: &str) -> LockInfo {
        let user = self.environment.get("USER").unwrap_or("unknown");
        let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
        let mut info = LockInfo::new(operation, format!("{user}@{}", host.trim()));
        info.reason = self.environment.get("WINDLASS_LOCK_REASON").map(str::to_owned);
        info.job = crate::ci::job(&self.environment);
        let known: Vec<&str> = info.reason.iter().chain(&info.job).map(String::as_str).collect();
        info.info = known.join("; ");
        info
    }

    /// How long our locks hold without a sign of life (`WINDLASS_LOCK_LEASE`).
    fn lease(&self) -> Duration {
        let given = self.environment.get("WINDLASS_LOCK_LEASE").and_then(|text| duration(text).ok());
        given.map_or(Lease::USUAL, |given| Lease::of(given).length())
    }
}

impl Opened {
    /// Whether the lock is held.
    pub fn is_locked(&self) -> bool {
        self.lock.is_some()
    }

    /// What keeps the lock, if it is held.
    pub fn heart(&self) -> Option<Arc<Heart>> {
        self.lock.as_ref().map(|lock| lock.heart.clone())
    }

    /// Gives the lock back.
    pub async fn close(mut self) -> Diagnostics {
        self.unlock().await
    }

    /// Gives the lock back, to take another one.
    pub async fn unlock(&mut self) -> Diagnostics {
        let mut diagnostics = self.give_back().await;
        let warning = self.store.warning();
        diagnostics.extend(warning.map(|detail| Diagnostic::warning("The state is stored in clear, too", detail)));
        diagnostics
    }

    async fn give_back(&mut self) -> Diagnostics {
        let Some(Lock { id, heart }) = self.lock.take() else { return Diagnostics::new() };
        heart.stop().await;
        if heart.is_lost().is_some() {
            // There is nothing to give back; whatever failed because of it was told.
            let _ = heart.bounded(self.store.unlock(&id)).await;
            return Diagnostics::new();
        }
        match self.store.unlock(&id).await {
            Ok(()) => Diagnostics::new(),
            Err(error) => Diagnostic::error("Error releasing the state lock", chain(&error)).into(),
        }
    }
}

/// What names of workspaces are like.
const WORKSPACE_NAMES: &str =
    "The name must contain only URL safe\ncharacters, contain no path separators, and not be an empty string.";

/// Whether a workspace may have this name.
pub fn is_workspace_name(name: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_.~!$&'()*+,;=:@".contains(c);
    !name.is_empty() && name.chars().all(safe) && !matches!(name, "." | "..")
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
        LockError::Held { info, reason, .. } => (reason.clone(), info.as_deref()),
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
