//! `import`

use std::path::Path;
use std::sync::Arc;

use clap::{ArgAction, CommandFactory};
use config::ModuleManifest;
use config::addresses::AbsoluteAddress;
use config::loader::{ConfigFiles, manifest_path};
use lang::addr::{Mode, ResourceInstance};
use lang::{Diagnostic, Diagnostics};
use planner::hooks::Hooks;
use planner::{PlanOptions, Workspace, module_at};

use super::{Exit, operation};
use crate::args::groups::{StateArgs, StateOutArgs, VariableArgs};
use crate::args::help;
use crate::render::hooks::ImportProgress;
use crate::session::Session;

/// How the command is called.
pub const USAGE: &str = "import [options] ADDR ID";

/// Imports existing infrastructure into the state: finds the object of the given ID, and has the resource at the given address
/// manage it from now on. This command does not modify infrastructure. What the ID of an object is depends on its resource type.
#[derive(Debug, clap::Parser)]
pub struct ImportArgs {
    /// Path to a directory of configuration files that configure the provider. Defaults to the working directory.
    #[arg(long, value_name = "path")]
    pub config: Option<String>,
    /// Ask for input for variables if not directly set.
    #[arg(long, action = ArgAction::Set, default_value_t = true, value_name = "false")]
    pub input: bool,
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// Limit the number of concurrent operations.
    #[arg(long, default_value_t = 10, value_name = "n")]
    pub parallelism: usize,
    /// Accepted for the sake of scripts: it concerns remote backends only.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub ignore_remote_version: bool,
    /// The state.
    #[command(flatten)]
    pub state: StateArgs,
    /// Where the state goes.
    #[command(flatten)]
    pub out: StateOutArgs,
    /// Values of input variables.
    #[command(flatten)]
    pub variables: VariableArgs,
    /// Address and ID.
    pub arguments: Vec<String>,
}

/// Runs the command.
pub async fn run(session: &Session, args: &ImportArgs) -> Exit {
    let [address, id] = args.arguments.as_slice() else {
        let usage = help::render(&ImportArgs::command(), USAGE);
        session.ui.eprint(&format!("The import command expects two arguments.\n{usage}"));
        return Exit::Failure;
    };
    let prepared = parse(session, address).and_then(|address| Ok((prepare(session, args, &address)?, address)));
    let imported = match prepared {
        Ok((prepared, address)) => import(session, args, &prepared, &address, id).await,
        Err(diagnostics) => Err(diagnostics),
    };
    match imported {
        Ok(warnings) => {
            let ui = &session.ui;
            let text = "Import successful!\n\nThe resources that were imported are shown above. These resources are now in\n\
                        your Terraform state and will henceforth be managed by Terraform.\n";
            ui.print(&format!("\n{}\n", ui.style.green(text)));
            session.show(&warnings);
            Exit::Success
        }
        Err(diagnostics) => {
            session.show(&diagnostics);
            Exit::Failure
        }
    }
}

fn parse(session: &Session, text: &str) -> Result<ResourceInstance, Diagnostics> {
    let hint = |diagnostics: Diagnostics| {
        session.show(&diagnostics);
        session.ui.print(
            "For information on valid syntax, see:\nhttps://developer.hashicorp.com/terraform/cli/state/resource-addressing\n",
        );
        Diagnostics::new()
    };
    let traversal = lang::syntax::parse_traversal(&session.sources, "<import-address>", text).map_err(hint)?;
    let address = match AbsoluteAddress::parse(&traversal) {
        Ok(AbsoluteAddress::Resource(address)) => address,
        Ok(AbsoluteAddress::Module(_)) => {
            let detail = "A resource instance address is required here. The module path must be followed by a resource \
                          instance specification.";
            return Err(hint(Diagnostic::error("Invalid address", detail).at(traversal.range).into()));
        }
        Err(diagnostic) => return Err(hint(diagnostic.into())),
    };
    if address.resource.mode != Mode::Managed {
        let summary = "A managed resource address is required. Importing into a data resource is not allowed.";
        return Err(Diagnostic::error(summary, "").into());
    }
    Ok(address)
}

/// Reads configuration and variables, and makes sure that the resource is configured.
fn prepare(
    session: &Session,
    args: &ImportArgs,
    address: &ResourceInstance,
) -> Result<operation::Prepared, Diagnostics> {
    let root = Path::new(args.config.as_deref().unwrap_or("."));
    let none = ConfigFiles::list(root).map_or(true, |files| files.is_empty());
    if none {
        let shown = match &args.config {
            Some(path) => path.clone(),
            None => session.environment.working_directory.display().to_string(),
        };
        let detail = format!(
            "The directory {shown} does not contain any Terraform configuration files (.tf or .tf.json). To specify a \
             different configuration directory, use the -config=\"...\" command line option."
        );
        return Err(Diagnostic::error("No Terraform configuration files", detail).into());
    }
    let manifest = ModuleManifest::read(&manifest_path(&session.environment.data_dir())).unwrap_or_default();
    let (module, diagnostics) = config::load_config_of(&session.sources, Path::new("."), root, &manifest);
    let (module, mut warnings) = diagnostics.ok_or_errors(module)?;
    let Some(workspace) = module.map(|module| session.workspace(module)) else { return Err(warnings) };
    check_declared(session, &workspace, address)?;
    session.environment.give(&args.variables.given);
    let (mut given, problems) = crate::variables::collect(session, &workspace.config, &args.variables.given);
    warnings.append(problems);
    if warnings.has_errors() {
        return Err(warnings);
    }
    if args.input && !session.environment.input_disabled() {
        crate::variables::ask(session, &workspace.config, &mut given);
    }
    warnings.append(operation::missing(&workspace, &given));
    if warnings.has_errors() {
        return Err(warnings);
    }
    let options = PlanOptions { variables: given, parallelism: args.parallelism, ..PlanOptions::default() };
    Ok(operation::Prepared { workspace, options, warnings })
}

fn check_declared(session: &Session, workspace: &Workspace, address: &ResourceInstance) -> Result<(), Diagnostics> {
    let Some(module) = module_at(&workspace.config, &address.module.path()) else {
        let detail = format!(
            "{} is not defined in the configuration. Please add configuration for this module before importing into it.",
            address.module
        );
        return Err(Diagnostic::error("Import to non-existent module", detail).into());
    };
    if module.resources.contains_key(&address.resource) {
        return Ok(());
    }
    let place = match address.module.is_root() {
        true => "the root module".to_owned(),
        false => address.module.path().to_string(),
    };
    let quoted = lang::quoting::go_quote(&address.to_string());
    session.ui.eprint(&format!(
        "Error: resource address {quoted} does not exist in the configuration.\n\nBefore importing this resource, please create its \
         configuration in {place}. For example:\n\nresource \"{}\" \"{}\" {{\n  # (resource arguments)\n}}\n\n",
        address.resource.kind, address.resource.name
    ));
    Err(Diagnostics::new())
}

async fn import(
    session: &Session,
    args: &ImportArgs,
    prepared: &operation::Prepared,
    address: &ResourceInstance,
    id: &str,
) -> Result<Diagnostics, Diagnostics> {
    let opened = session.open(&args.state, Some(&args.out), "OperationTypeInvalid").await?;
    let hooks: Arc<dyn Hooks> = Arc::new(ImportProgress { ui: session.ui.clone() });
    let imported = match operation::open_state(session, prepared, &opened, &hooks).await {
        Ok((mut snapshots, _)) => {
            let state = snapshots.stored().cloned().unwrap_or_default();
            let options = &prepared.options;
            let (state, mut diagnostics) =
                planner::import(&prepared.workspace, state, options, address, id, hooks).await;
            if let Some(state) = state
                && let Err(error) = snapshots.save(&state).await
            {
                diagnostics.push(Diagnostic::error("Error saving state", crate::session::chain(&error)));
            }
            diagnostics
        }
        Err(diagnostics) => diagnostics,
    };
    let mut diagnostics = prepared.warnings.clone();
    diagnostics.append(imported);
    diagnostics.append(opened.close().await);
    if diagnostics.has_errors() { Err(diagnostics) } else { Ok(diagnostics) }
}
