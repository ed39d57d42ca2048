//! Finding and reading test files, and the modules that they name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::ModuleManifest;
use config::loader::load_run_module;
use config::module::Module;
use config::test_file::{self, TestFile};
use lang::addr::ModulePath;
use lang::{Diagnostics, Sources};

/// A directory or file that can't be read.
#[derive(Debug)]
pub struct FileError {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub error: std::io::Error,
}

/// The test files of a configuration in the order of their names: those beside it, and those in its directory of tests.
///
/// # Errors
/// What can't be read; a directory of tests that is not there is none.
pub fn discover(sources: &Sources, root: &Path, tests: &Path) -> Result<(Vec<TestFile>, Diagnostics), FileError> {
    let mut paths = listed(root, Path::new(""))?;
    if root.join(tests).is_dir() && root.join(tests) != root {
        paths.extend(listed(root, tests)?);
    }
    paths.sort();
    paths.dedup();
    let mut diagnostics = Diagnostics::new();
    let mut files = Vec::new();
    for path in paths {
        let bytes = std::fs::read(root.join(&path)).map_err(|error| FileError { path: path.clone(), error })?;
        let (file, problems) = test_file::read(sources, &path, bytes);
        diagnostics.append(problems);
        files.extend(file);
    }
    Ok((files, diagnostics))
}

/// Reads the modules that runs name, from where they are installed.
pub fn load_modules(
    sources: &Sources,
    root: &Path,
    installed: &ModuleManifest,
    files: &[TestFile],
) -> (BTreeMap<ModulePath, Arc<Module>>, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let mut modules = BTreeMap::new();
    for (path, call) in files.iter().flat_map(TestFile::modules) {
        let (module, problems) = load_run_module(sources, root, installed, &path, call);
        diagnostics.append(problems);
        modules.extend(module.map(|module| (path, module)));
    }
    (modules, diagnostics)
}

fn listed(root: &Path, directory: &Path) -> Result<Vec<PathBuf>, FileError> {
    let failed = |error| FileError { path: directory.to_owned(), error };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root.join(directory)).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if name.to_str().is_some_and(test_file::is_test_file) {
            found.push(directory.join(name));
        }
    }
    Ok(found)
}
