//! Module installation: the part of `init` that makes the module manifest.
//!
//! Local modules are used where they are; the manifest only records their directories.

use std::path::Path;

use lang::addr::ModulePath;
use lang::{Diagnostic, Diagnostics, Sources};

use crate::loader::load_module;
use crate::manifest::{ModuleManifest, ModuleRecord};
use crate::module::{Module, ModuleCall};
use crate::module_source::{ModuleSource, clean_path};

/// Is told what the installer does, in order.
pub trait InstallProgress {
    /// A module is in place: its key (`net.sub`) and directory. `init` prints `- KEY in DIR`.
    fn installed(&mut self, key: &str, dir: &Path);
}

/// Makes the manifest of all modules below the root in `root_dir`.
///
/// The manifest holds what could be installed also when there are errors.
pub fn install_modules(
    sources: &Sources,
    root_dir: &Path,
    progress: &mut dyn InstallProgress,
) -> (ModuleManifest, Diagnostics) {
    let mut installer =
        Installer { sources, root_dir, progress, manifest: ModuleManifest::default(), diagnostics: Diagnostics::new() };
    let (root, diagnostics) = load_module(sources, root_dir, Path::new("."), ModulePath::root());
    installer.diagnostics.append(diagnostics);
    installer.manifest.insert(ModuleRecord {
        key: String::new(),
        source: String::new(),
        version: None,
        dir: clean_path(Path::new(".")),
    });
    if let Some(root) = root
        && !installer.diagnostics.has_errors()
    {
        let mut ancestors = vec![root];
        installer.children(&mut ancestors);
    }
    (installer.manifest, installer.diagnostics)
}

struct Installer<'a> {
    sources: &'a Sources,
    root_dir: &'a Path,
    progress: &'a mut dyn InstallProgress,
    manifest: ModuleManifest,
    diagnostics: Diagnostics,
}

impl Installer<'_> {
    /// Installs what the last of `line` calls; the others are its callers, the root first.
    fn children(&mut self, line: &mut Vec<Module>) {
        let Some(parent) = line.last() else { return };
        let calls: Vec<ModuleCall> = parent.calls.values().cloned().collect();
        for call in &calls {
            if let Some(child) = self.child(line, call) {
                line.push(child);
                self.children(line);
                line.pop();
            }
        }
    }

    fn child(&mut self, line: &[Module], call: &ModuleCall) -> Option<Module> {
        let parent = line.last()?;
        let source = match call.address.as_ref()? {
            ModuleSource::Local(path) => path,
            other => {
                let detail = format!(
                    "Module {:?} comes from {other}. Only modules in local directories (\"./…\" and \"../…\") can be \
                     installed by this version.",
                    call.name
                );
                self.error("Unsupported module source", detail, call);
                return None;
            }
        };
        let dir = clean_path(&parent.dir.join(source));
        if line.iter().any(|ancestor| ancestor.dir == dir) {
            let detail = format!("The module in {} calls itself, directly or through other modules.", dir.display());
            self.error("Module calls itself", detail, call);
            return None;
        }
        let path = parent.path.child(call.name.clone());
        let (child, diagnostics) = load_module(self.sources, self.root_dir, &dir, path.clone());
        let Some(child) = child else {
            // As Terraform has it: the directory's name is empty, and there is no place but in the text.
            self.progress.installed(&ModuleManifest::key(&path), Path::new(""));
            const SUMMARY: &str = "Unreadable module directory";
            let missing = missing_part(self.root_dir, &dir);
            let detail = format!("Unable to evaluate directory symlink: lstat {missing}: no such file or directory");
            self.diagnostics.push(Diagnostic::error(SUMMARY, detail));
            let place = self.place(call);
            let detail = format!("The directory  could not be read for module {:?} at {place}.", call.name);
            self.diagnostics.push(Diagnostic::error(SUMMARY, detail));
            return None;
        };
        let failed = diagnostics.has_errors();
        self.diagnostics.append(diagnostics);
        let key = ModuleManifest::key(&path);
        self.progress.installed(&key, &dir);
        self.manifest.insert(ModuleRecord { key, source: source.clone(), version: None, dir });
        (!failed).then_some(child)
    }

    fn error(&mut self, summary: &str, detail: String, call: &ModuleCall) {
        self.diagnostics.push(Diagnostic::error(summary, detail).at(call.source.range));
    }

    /// `main.tf:3`
    fn place(&self, call: &ModuleCall) -> String {
        match self.sources.get(call.range.file) {
            Some(source) => format!("{}:{}", source.name.display(), source.position(call.range.start).line),
            None => "an unknown place".to_owned(),
        }
    }
}

/// The first directory on the way that is not there.
fn missing_part(root_dir: &Path, dir: &Path) -> String {
    dir.ancestors()
        .filter(|part| !part.as_os_str().is_empty())
        .take_while(|part| !root_dir.join(part).exists())
        .last()
        .unwrap_or(dir)
        .display()
        .to_string()
}
