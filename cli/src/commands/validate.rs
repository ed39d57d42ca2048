//! `validate`

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::ArgAction;
use config::module_source::ModuleSource;
use lang::{Diagnostic, Diagnostics};
use planner::Workspace;

use super::Exit;
use crate::json_views::diagnostic::document;
use crate::render::diagnostic::sorted;
use crate::render::wrap::word_wrap;
use crate::session::{Session, Tested};

/// Validate the configuration files in a directory, referring only to the configuration and not accessing any remote
/// services such as remote state, provider APIs, etc.
#[derive(Debug, clap::Parser)]
pub struct ValidateArgs {
    /// Produce output in a machine-readable JSON format, suitable for use in text editor integrations and other automated systems.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub json: bool,
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// If specified, Terraform will not validate test files.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_tests: bool,
    /// Set the directory of the tests.
    #[arg(long, value_name = "path", default_value = "tests")]
    pub test_directory: String,
    /// The directory. Defaults to the current one.
    pub directory: Vec<String>,
}

/// A directory as seen from the working directory, if it is within.
fn relative(directory: &str, session: &Session) -> PathBuf {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let inner = real(Path::new(directory)).zip(real(&session.environment.working_directory));
    let inner = inner.and_then(|(there, here)| there.strip_prefix(here).ok().map(Path::to_owned));
    match inner {
        Some(inner) if inner.as_os_str().is_empty() => ".".into(),
        Some(inner) => inner,
        None => directory.into(),
    }
}

/// Runs the command.
pub async fn run(session: &Session, args: &ValidateArgs) -> Exit {
    if args.directory.len() > 1 {
        return super::misuse::refuse(session, "validate", &crate::args::FlagError::UnexpectedArgument);
    }
    let root = relative(args.directory.first().map_or(".", String::as_str), session);
    let root = root.as_path();
    let (tested, mut diagnostics) = if !root.is_dir() {
        let detail = format!("Module directory {} does not exist or cannot be read.", root.display());
        (None, Diagnostic::error("Failed to read module directory", detail).into())
    } else if args.no_tests {
        let (workspace, diagnostics) = session.load_from(root);
        (workspace.map(Tested::without_tests), diagnostics)
    } else {
        session.load_with_tests_from(root, &args.test_directory)
    };
    if let Some(tested) = tested.filter(|_| !diagnostics.has_errors()) {
        diagnostics.append(planner::validate(&tested.workspace).await);
        diagnostics.append(validate_tests(&tested).await);
    }
    if args.json {
        report(session, &diagnostics);
    } else {
        session.show(&diagnostics);
        let style = session.ui.style;
        if !diagnostics.has_errors() {
            let head = style.bold_green("Success!");
            session.ui.print(&if diagnostics.is_empty() {
                format!("{head} The configuration is valid.\n\n")
            } else {
                let text = "The configuration is valid, but there were some validation warnings as shown above.";
                format!("{}\n\n", word_wrap(&format!("{head} {text}"), session.ui.width))
            });
        }
    }
    if diagnostics.has_errors() { Exit::Failure } else { Exit::Success }
}

/// The test files, and the modules of runs that the user can mend: those in directories.
async fn validate_tests(tested: &Tested) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let mut seen = HashSet::new();
    for file in &tested.files {
        diagnostics.append(testing::validate_file(file, &tested.workspace.config));
        for run in &file.runs {
            let module = match &run.module {
                Some(call) => {
                    let Some(module) = tested.modules.get(&file.module_path(run)) else { continue };
                    if let Some(ModuleSource::Local(_)) = call.address
                        && seen.insert(call.source.value.as_str())
                    {
                        let workspace = Workspace { config: module.clone(), ..tested.workspace.clone() };
                        diagnostics.append(planner::validate(&workspace).await);
                    }
                    module
                }
                None => &tested.workspace.config,
            };
            diagnostics.append(testing::validate_run(run, module));
        }
    }
    diagnostics
}

fn report(session: &Session, diagnostics: &Diagnostics) {
    let list = sorted(diagnostics, &session.sources);
    let errors = list.iter().filter(|d| d.is_error()).count();
    let documents: Vec<_> = list.iter().map(|d| document(d, &session.sources)).collect();
    let report = serde_json::json!({
        "format_version": "1.0",
        "valid": errors == 0,
        "error_count": errors,
        "warning_count": list.len() - errors,
        "diagnostics": documents,
    });
    session.ui.print(&format!("{report:#}\n"));
}
