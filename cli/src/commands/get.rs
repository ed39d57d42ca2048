//! `get`

use std::path::Path;

use clap::ArgAction;
use config::install::{InstallProgress, Installation, install_modules};
use config::loader::{load_module, manifest_path, version_or};
use config::module::Module;
use config::test_file::TestFile;
use lang::addr::ModulePath;
use lang::{Diagnostic, Diagnostics};

use super::Exit;
use crate::downloads;
use crate::session::Session;

/// Downloads and installs modules needed for the configuration in the current working directory.
#[derive(Debug, clap::Parser)]
pub struct GetArgs {
    /// Check already-downloaded modules for available updates and install the newest versions available.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub update: bool,
    /// Disable text coloring in the output.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// Set the directory of the tests.
    #[arg(long, value_name = "path", default_value = "tests")]
    pub test_directory: String,
}

/// Runs the command.
pub async fn run(session: &Session, args: &GetArgs) -> Exit {
    let print = |module: &str| session.ui.print(&format!("{module}\n"));
    let here = Path::new(".");
    let (root, mut diagnostics) = load_module(&session.sources, here, here, ModulePath::root());
    let (tests, problems) = session.test_files(&args.test_directory);
    diagnostics.append(problems);
    if let Some(root) = root {
        diagnostics = version_or(&root, None, diagnostics);
        diagnostics.append(install(session, root, args.update, &tests, &print).await);
    }
    session.show(&diagnostics);
    if diagnostics.has_errors() { Exit::Failure } else { Exit::Success }
}

/// Installs the modules that the one of the working directory and its tests call, and tells `print` of each new one:
/// `- net.sub in modules/sub`. `upgrade`: all are downloaded again, in the newest version allowed.
pub async fn install(
    session: &Session,
    root: Module,
    upgrade: bool,
    tests: &[TestFile],
    print: &dyn Fn(&str),
) -> Diagnostics {
    let data_dir = session.environment.data_dir();
    let file = manifest_path(&data_dir);
    let fetcher = downloads::fetcher(&session.environment);
    let installation = Installation {
        sources: &session.sources,
        root_dir: Path::new(""),
        modules_dir: &data_dir.join("modules"),
        known: session.manifest(),
        upgrade,
        packages: &fetcher,
        tests,
    };
    let (manifest, mut diagnostics) = install_modules(installation, root, &mut Printed { print }).await;
    if let Err(error) = manifest.write(&file) {
        let detail = format!("Unable to write the module manifest file {}: {error}", file.display());
        diagnostics.push(Diagnostic::error("Failed to update module manifest", detail));
    }
    diagnostics
}

struct Printed<'a> {
    print: &'a dyn Fn(&str),
}

impl InstallProgress for Printed<'_> {
    fn downloading(&mut self, package: &str, version: Option<&str>, key: &str) {
        let version = version.map(|version| format!(" {version}")).unwrap_or_default();
        (self.print)(&format!("Downloading {package}{version} for {key}..."));
    }

    fn installed(&mut self, key: &str, dir: &Path) {
        (self.print)(&format!("- {key} in {}", dir.display()));
    }
}
