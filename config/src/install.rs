//! Module installation: the part of `init` that makes the module manifest.
//!
//! Local modules are used where they are. Packages are brought into the modules folder, one folder for each call, by an
//! implementation of [`Packages`].

mod registry;
mod subdirectory;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use lang::addr::ModulePath;
use lang::{Diagnostic, Diagnostics, Sources};

use crate::loader::{load_module, version_or};
use crate::manifest::{ModuleManifest, ModuleRecord};
use crate::module::{Module, ModuleCall};
use crate::module_source::{ModuleSource, clean_path};
use crate::packages::Packages;
use crate::remote_source::RemoteSource;
use crate::test_file::TestFile;
use crate::version::{Constraints, Version};

/// Is told what the installer does, in order.
pub trait InstallProgress {
    /// A package is about to be downloaded for the module of this key.
    fn downloading(&mut self, package: &str, version: Option<&str>, key: &str);

    /// A module is in place that was not before: its key (`net.sub`) and directory.
    fn installed(&mut self, key: &str, dir: &Path);
}

/// What is to be installed, and how.
pub struct Installation<'a> {
    /// Where files that are read are kept.
    pub sources: &'a Sources,
    /// The directory of the root module.
    pub root_dir: &'a Path,
    /// The folder for packages, relative to the root.
    pub modules_dir: &'a Path,
    /// What was installed before.
    pub known: ModuleManifest,
    /// Whether all packages are downloaded again, in the newest version allowed.
    pub upgrade: bool,
    /// Who downloads.
    pub packages: &'a dyn Packages,
    /// Test files, whose runs may name modules, too.
    pub tests: &'a [TestFile],
}

/// Installs all modules below the root, and those that its tests name. Tells what is wrong in them, not what is in the root.
///
/// The manifest holds what could be installed also when there are errors. Records of calls that are not there any more
/// stay in it, as Terraform leaves them.
pub async fn install_modules(
    installation: Installation<'_>,
    root: Module,
    progress: &mut dyn InstallProgress,
) -> (ModuleManifest, Diagnostics) {
    let mut manifest = installation.known.clone();
    manifest.insert(ModuleRecord {
        key: String::new(),
        source: String::new(),
        version: None,
        dir: clean_path(Path::new(".")),
    });
    let mut installer = Installer {
        setup: &installation,
        progress,
        manifest,
        diagnostics: Diagnostics::new(),
        versions: BTreeMap::new(),
        locations: BTreeMap::new(),
    };
    let mut line = vec![root];
    installer.children(&mut line).await;
    for (path, call) in installation.tests.iter().flat_map(TestFile::modules) {
        installer.call(&mut line, path, call).await;
    }
    (installer.manifest, installer.diagnostics)
}

struct Installer<'a> {
    setup: &'a Installation<'a>,
    progress: &'a mut dyn InstallProgress,
    manifest: ModuleManifest,
    diagnostics: Diagnostics,
    /// What registries said, by package.
    versions: BTreeMap<String, Vec<String>>,
    /// What registries said, by package and version.
    locations: BTreeMap<(String, String), RemoteSource>,
}

/// A directory that a module was installed to.
struct Installed {
    dir: PathBuf,
    version: Option<String>,
}

impl Installer<'_> {
    /// Installs what the last of `line` calls; the others are its callers, the root first.
    fn children<'s>(&'s mut self, line: &'s mut Vec<Module>) -> Pin<Box<dyn Future<Output = ()> + 's>> {
        Box::pin(async move {
            let Some(parent) = line.last() else { return };
            let calls: Vec<ModuleCall> = parent.calls.values().cloned().collect();
            let path = parent.path.clone();
            for call in &calls {
                self.call(line, path.child(call.name.clone()), call).await;
            }
        })
    }

    /// Installs a called module, which gets this path, and what it calls.
    async fn call(&mut self, line: &mut Vec<Module>, path: ModulePath, call: &ModuleCall) {
        if let Some(child) = self.child(line, path, call).await {
            line.push(child);
            self.children(line).await;
            line.pop();
        }
    }

    async fn child(&mut self, line: &[Module], path: ModulePath, call: &ModuleCall) -> Option<Module> {
        let address = call.address.as_ref()?;
        let key = ModuleManifest::key(&path);
        if let Some(record) = self.reusable(&path, call, address) {
            let dir = record.dir.clone();
            return self.load(call, path, &dir);
        }
        self.manifest.remove_tree(&key);
        let folder = self.setup.modules_dir.join(&key);
        if let Err(error) = remove(&self.setup.root_dir.join(&folder)) {
            let detail = format!("Failed to remove the earlier copy of the module in {}: {error}", folder.display());
            self.diagnostics.push(Diagnostic::error("Failed to remove module directory", detail));
            return None;
        }
        let source = address.to_string();
        let installed = match address {
            ModuleSource::Local(relative) => self.local(line, call, &key, relative)?,
            ModuleSource::Registry(registry) => {
                let version = self.select_version(call, registry).await?;
                self.check_recursion(line, call, &source, Some(&version))?;
                let dir = self.registry_package(call, registry, &version, &key, &folder).await?;
                Installed { dir, version: Some(version) }
            }
            ModuleSource::Remote(remote) => {
                self.check_recursion(line, call, &source, None)?;
                self.progress.downloading(&remote.package, None, &key);
                let dir = self.package(call, remote, &folder).await?;
                Installed { dir, version: None }
            }
        };
        let Installed { dir, version } = installed;
        let child = self.load(call, path, &dir)?;
        self.manifest.insert(ModuleRecord { key: key.clone(), source, version, dir: dir.clone() });
        self.progress.installed(&key, &dir);
        Some(child)
    }

    /// What is installed for a call, if that is what it asks for.
    fn reusable(&self, path: &ModulePath, call: &ModuleCall, address: &ModuleSource) -> Option<&ModuleRecord> {
        let record = self.manifest.get(path)?;
        if self.setup.upgrade || record.source != address.to_string() {
            return None;
        }
        if let (Some(wanted), Some(version)) = (&call.version, &record.version) {
            let wanted: Constraints = wanted.value.parse().ok()?;
            let version: Version = version.parse().ok()?;
            if !wanted.allow(&version) {
                return None;
            }
        }
        self.setup.root_dir.join(&record.dir).is_dir().then_some(record)
    }

    fn local(&mut self, line: &[Module], call: &ModuleCall, key: &str, relative: &str) -> Option<Installed> {
        let parent = line.last()?;
        let dir = clean_path(&parent.dir.join(relative));
        if line.iter().any(|ancestor| ancestor.dir == dir) {
            return self.calls_itself(call, &dir.display().to_string());
        }
        match subdirectory::resolve_links(self.setup.root_dir, &dir) {
            Ok(dir) => Some(Installed { dir, version: None }),
            Err(reason) => {
                // As Terraform has it: the directory's name is empty, and there is no place but in the text.
                self.progress.installed(key, Path::new(""));
                let detail = format!("Unable to evaluate directory symlink: {reason}");
                self.diagnostics.push(Diagnostic::error("Unreadable module directory", detail));
                self.unreadable(call, Path::new(""));
                None
            }
        }
    }

    /// A package that would be installed again and again below itself.
    fn check_recursion(
        &mut self,
        line: &[Module],
        call: &ModuleCall,
        source: &str,
        version: Option<&str>,
    ) -> Option<()> {
        let same = |module: &Module| {
            self.manifest
                .get(&module.path)
                .is_some_and(|record| record.source == source && record.version.as_deref() == version)
        };
        if line.iter().any(same) { self.calls_itself(call, source) } else { Some(()) }
    }

    fn calls_itself<T>(&mut self, call: &ModuleCall, what: &str) -> Option<T> {
        let detail = format!("The module in {what} calls itself, directly or through other modules.");
        self.diagnostics.push(Diagnostic::error("Module calls itself", detail).at(call.source.range));
        None
    }

    /// Downloads a package and finds the module's directory in it.
    async fn package(&mut self, call: &ModuleCall, source: &RemoteSource, folder: &Path) -> Option<PathBuf> {
        self.download(call, &source.package, folder).await?;
        let Some(pattern) = &source.subdirectory else { return Some(clean_path(folder)) };
        match subdirectory::expand(self.setup.root_dir, folder, pattern) {
            Ok(dir) => Some(dir),
            Err(reason) => {
                self.diagnostics.push(Diagnostic::error("Failed to expand subdir globs", reason));
                None
            }
        }
    }

    async fn download(&mut self, call: &ModuleCall, package: &str, folder: &Path) -> Option<()> {
        let target = self.setup.root_dir.join(folder);
        let made = target.parent().map_or(Ok(()), std::fs::create_dir_all);
        let result = match made {
            Ok(()) => self.setup.packages.fetch(package, &target).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let Err(reason) = result else { return Some(()) };
        let place = self.place(call);
        let detail =
            format!("Could not download module {:?} ({place}) source code from {package:?}: {reason}", call.name);
        self.error("Failed to download module", detail, call);
        None
    }

    /// Reads an installed module.
    fn load(&mut self, call: &ModuleCall, path: ModulePath, dir: &Path) -> Option<Module> {
        let (child, diagnostics) = load_module(self.setup.sources, self.setup.root_dir, dir, path);
        let Some(child) = child else {
            self.unreadable(call, dir);
            return None;
        };
        // Mistakes in a module don't keep those that it calls from being installed.
        self.diagnostics.append(version_or(&child, Some(call), diagnostics));
        Some(child)
    }

    fn unreadable(&mut self, call: &ModuleCall, dir: &Path) {
        let place = self.place(call);
        let detail =
            format!("The directory {} could not be read for module {:?} at {place}.", dir.display(), call.name);
        self.diagnostics.push(Diagnostic::error("Unreadable module directory", detail));
    }

    fn error(&mut self, summary: &str, detail: String, call: &ModuleCall) {
        self.diagnostics.push(Diagnostic::error(summary, detail).at(call.range));
    }

    /// `main.tf:3`
    fn place(&self, call: &ModuleCall) -> String {
        match self.setup.sources.get(call.range.file) {
            Some(source) => format!("{}:{}", source.name.display(), source.position(call.range.start).line),
            None => "an unknown place".to_owned(),
        }
    }
}

/// Removes a folder with all in it, or a link to one.
fn remove(path: &Path) -> std::io::Result<()> {
    let result = match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match result {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests;
