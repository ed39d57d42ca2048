//! `providers mirror`

use std::path::Path;

use clap::ArgAction;
use config::provider_source::display_source;
use lang::addr::ProviderSource;
use lang::{Diagnostic, Diagnostics};

use super::{Exit, providers_lock};
use crate::requirements::{check, requirements};
use crate::session::Session;

/// Make the directory of a provider mirror. windlass has its providers built in and never looks for packages, so there is
/// nothing to put into it; what is there already stays.
#[derive(Debug, clap::Parser)]
pub struct ProvidersMirrorArgs {
    /// Choose a target platform. May be given several times.
    #[arg(long, value_name = "os_arch", action = ArgAction::Append)]
    pub platform: Vec<String>,
    /// Accepted and ignored: nothing is chosen by the dependency lock file.
    #[arg(long, action = ArgAction::Set, default_value_t = true, value_name = "false")]
    pub lock_file: bool,
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// The directory.
    pub target: Vec<String>,
}

/// Runs the command.
pub fn run(session: &Session, args: &ProvidersMirrorArgs) -> Exit {
    match mirror(session, args) {
        Ok(()) => Exit::Success,
        Err(diagnostics) => {
            session.show(&diagnostics);
            Exit::Failure
        }
    }
}

fn mirror(session: &Session, args: &ProvidersMirrorArgs) -> Result<(), Diagnostics> {
    let [target] = args.target.as_slice() else {
        let detail = "The providers mirror command requires an output directory as a command-line argument.";
        return Err(Diagnostic::error("No output directory specified", detail).into());
    };
    let platforms = providers_lock::platforms(&args.platform)?;
    let (workspace, diagnostics) = session.load(false);
    let Some(workspace) = workspace.filter(|_| !diagnostics.has_errors()) else { return Err(diagnostics) };
    let mut required = requirements(&workspace.config);
    required.remove(&ProviderSource::builtin());
    let problems = check(&required, &session.providers);
    if problems.has_errors() {
        return Err(problems);
    }
    std::fs::create_dir_all(Path::new(target)).map_err(|error| {
        let detail = format!("Cannot create the directory {target}: {}.", crate::io::reason(&error));
        Diagnostic::error("Failed to create the mirror directory", detail)
    })?;
    for source in required.keys() {
        let Some(provider) = session.providers.get(source) else { continue };
        session.ui.print(&format!("- Mirroring {}...\n", display_source(source)));
        for platform in &platforms {
            let version = provider.version();
            session.ui.print(&format!("  - v{version} is part of this program: no package for {platform} is needed\n"));
        }
    }
    Ok(())
}
