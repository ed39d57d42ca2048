//! `init`

use std::collections::BTreeSet;
use std::path::Path;

use clap::ArgAction;
use config::loader::{ConfigFiles, check_core_version, load_config, parse_named_file, read_module, version_or};
use config::lock_file::LockFile;
use config::module::Module;
use config::provider_source::display_source;
use lang::addr::{ModulePath, ProviderSource};
use lang::{Diagnostic, Diagnostics};
use state::backend::local::DEFAULT_WORKSPACE;
use state::{StoreError, WriteCondition};

use super::{Exit, get, init_from_module};
use crate::backend::{self, Given, LocalBackend, Place, Record};
use crate::json_views::stream::Event;
use crate::requirements;
use crate::session::Session;

/// Initialize a new or existing Terraform working directory by creating initial files, loading any remote state,
/// installing modules, etc. It is always safe to run this command multiple times.
#[derive(Debug, clap::Parser)]
pub struct InitArgs {
    /// Disable backend initialization for this configuration and use what was previously initialized instead.
    #[arg(long, action = ArgAction::Set, default_value_t = true, value_name = "false")]
    pub backend: bool,
    /// The same as -backend.
    #[arg(long, action = ArgAction::Set, default_value_t = true, value_name = "false")]
    pub cloud: bool,
    /// Configuration to be merged with what is in the configuration file's 'backend' block: a file of assignments or 'key=value'. May be given several times.
    #[arg(long, value_name = "path", action = ArgAction::Append)]
    pub backend_config: Vec<String>,
    /// Suppress prompts about copying state data when initializing a new state backend.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub force_copy: bool,
    /// Copy the contents of the given module into the target directory before initialization.
    #[arg(long, value_name = "SOURCE")]
    pub from_module: Option<String>,
    /// Disable installing modules for this configuration.
    #[arg(long, action = ArgAction::Set, default_value_t = true, value_name = "false")]
    pub get: bool,
    /// Disable interactive prompts.
    #[arg(long, action = ArgAction::Set, default_value_t = true, value_name = "false")]
    pub input: bool,
    /// Don't hold a state lock during backend migration.
    #[arg(long, action = ArgAction::Set, default_value_t = true, value_name = "false")]
    pub lock: bool,
    /// Duration to retry a state lock.
    #[arg(long, default_value = "0s", value_name = "0s")]
    pub lock_timeout: String,
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// Accepted and ignored: providers are part of the program.
    #[arg(long, value_name = "path", action = ArgAction::Append)]
    pub plugin_dir: Vec<String>,
    /// Reconfigure a backend, ignoring any saved configuration.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub reconfigure: bool,
    /// Reconfigure a backend, and attempt to migrate any existing state.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub migrate_state: bool,
    /// Install the latest module versions allowed within configured constraints.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub upgrade: bool,
    /// Set a dependency lockfile mode. Only "readonly" is valid: it is an error if the lock file does not name the providers that the configuration requires. The file is never changed.
    #[arg(long, value_name = "MODE")]
    pub lockfile: Option<String>,
    /// Accepted and ignored.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub ignore_remote_version: bool,
    /// Set the directory of the tests.
    #[arg(long, value_name = "path", default_value = "tests")]
    pub test_directory: String,
    /// Produce output in a machine-readable JSON format.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub json: bool,
    /// The directory; only the current one.
    pub directory: Vec<String>,
}

const INVALID: &str = "Terraform encountered problems during initialisation, including problems\nwith the configuration, \
                       described below.\n\nThe Terraform configuration must be valid before initialization so \
                       that\nTerraform can determine which modules and providers need to be installed.";

const NEXT_STEPS: &str = "You may now begin working with Terraform. Try running \"terraform plan\" to see\nany changes that \
                          are required for your infrastructure. All Terraform commands\nshould now work.\n\nIf you ever \
                          set or change modules or backend configuration for Terraform,\nrerun this command to \
                          reinitialize your working directory. If you forget, other\ncommands will detect it and remind \
                          you to do so if necessary.";

/// Runs the command.
pub async fn run(session: &Session, args: &InitArgs) -> Exit {
    if args.json {
        session.ui.event(&Event::version());
    }
    let result = match misuse(args) {
        Some(diagnostic) => Err(diagnostic.into()),
        None => initialize(session, args).await,
    };
    match result {
        Ok(()) => Exit::Success,
        Err(diagnostics) => {
            session.show(&diagnostics);
            Exit::Failure
        }
    }
}

fn misuse(args: &InitArgs) -> Option<Diagnostic> {
    if !args.directory.is_empty() {
        return Some(Diagnostic::error("Too many command line arguments. Did you mean to use -chdir?", ""));
    }
    if args.migrate_state && args.json {
        let detail = "Terraform cannot ask for interactive approval when -json is set. To use the -migrate-state option, disable \
                      the -json option.";
        return Some(Diagnostic::error("The -migrate-state and -json options are mutually-exclusive", detail));
    }
    if args.upgrade && args.lockfile.as_deref() == Some("readonly") {
        return Some(Diagnostic::error("The -upgrade flag conflicts with -lockfile=readonly.", ""));
    }
    if args.migrate_state && args.reconfigure {
        let detail = "The -migrate-state and -reconfigure options are mutually-exclusive.";
        return Some(Diagnostic::error("Invalid init options", detail));
    }
    None
}

async fn initialize(session: &Session, args: &InitArgs) -> Result<(), Diagnostics> {
    let root = Path::new(".");
    if let Some(source) = &args.from_module {
        if init_from_module::is_occupied() {
            let text = "The working directory already contains files. The -from-module option requires\nan empty directory \
                        into which a copy of the referenced module will be placed.\n\nTo initialize the configuration already \
                        in this working directory, omit the\n-from-module option.";
            return Err(Diagnostic::error(text, "").into());
        }
        let text = format!("Copying configuration from {source:?}...");
        announce(session, "copying_configuration_message", &text);
        init_from_module::copy(session, source).await?;
        if !args.json {
            session.ui.print("\n");
        }
    }
    if ConfigFiles::list(root).is_ok_and(|files| files.is_empty()) {
        let head = "Terraform initialized in an empty directory!";
        let rest = "The directory has no Terraform configuration files. You may begin working\nwith Terraform \
                    immediately by creating Terraform configuration files.";
        if args.json {
            output(session, "output_init_empty_message", &format!("{head}\n\n{rest}"));
        } else {
            session.ui.print(&format!("{}\n\n{rest}\n", session.ui.style.bold(head)));
        }
        return Ok(());
    }
    let (early, mut early_problems) = read_module(&session.sources, root, root, ModulePath::root());
    let Some(early) = early else { return Err(early_problems.all()) };
    let (tests, problems) = session.test_files(&args.test_directory);
    early_problems.content.append(problems);
    let has_modules = !early.calls.is_empty() || tests.iter().any(|file| file.modules().next().is_some());
    let backend = if args.backend && args.cloud {
        announce(session, "initializing_backend_message", "Initializing the backend...");
        set_up_backend(session, args, &early).await
    } else {
        Ok(Diagnostics::new())
    };
    let mut warnings = Diagnostics::new();
    if args.get && has_modules {
        let (code, text) = if args.upgrade {
            ("upgrading_modules_message", "Upgrading modules...")
        } else {
            ("initializing_modules_message", "Initializing modules...")
        };
        announce(session, code, text);
        // That a file of the root is none of HCL is told later.
        let mut found = version_or(&early, None, early_problems.content.clone());
        found.append(get::install(session, early, args.upgrade, &tests, &|line| log(session, line, line)).await);
        if found.has_errors() {
            return Err(found);
        }
        warnings.append(found);
    }
    let early_problems = early_problems.all();
    let manifest = session.manifest();
    let (config, mut problems) = load_config(&session.sources, root, &manifest);
    if !early_problems.has_errors() {
        problems.append(testing::load_modules(&session.sources, root, &manifest, &tests).1);
    }
    let versions = config.as_deref().map(check_core_version).unwrap_or_default();
    if versions.has_errors() {
        // What else is wrong may come from a newer language.
        return Err(versions);
    }
    if early_problems.has_errors() {
        let mut all = early_problems;
        all.append(backend.unwrap_or_else(|problems| problems));
        all.push(Diagnostic::error(INVALID, ""));
        return Err(all);
    }
    warnings.append(backend?);
    if problems.has_errors() {
        problems.push(Diagnostic::error(INVALID, ""));
        return Err(problems);
    }
    warnings.append(std::mem::take(&mut problems));
    if let Some(config) = &config {
        providers(session, config)?;
        if args.lockfile.as_deref() == Some("readonly") {
            check_locked(config)?;
        }
    }
    if !args.json {
        session.ui.print("\n");
    }
    session.show(&warnings);
    let style = session.ui.style;
    let done = "Terraform has been successfully initialized!";
    let human = style.bold_green(done);
    output(session, "output_init_success_message", if args.json { done } else { &human });
    if !session.ui.in_automation {
        let lead = if args.json { "" } else { "\n" };
        output(session, "output_init_success_cli_message", &format!("{lead}{NEXT_STEPS}"));
    }
    Ok(())
}

/// A line of the human output, or an event with its code.
fn output(session: &Session, code: &str, text: &str) {
    if session.ui.settings.json {
        session.ui.event(&Event::new("init_output", text).with("message_code", code));
    } else {
        session.ui.print(&format!("{text}\n"));
    }
}

fn announce(session: &Session, code: &str, text: &str) {
    let human = session.ui.style.bold(text);
    output(session, code, if session.ui.settings.json { text } else { &human });
}

fn log(session: &Session, human: &str, json: &str) {
    if session.ui.settings.json {
        session.ui.event(&Event::new("log", json));
    } else {
        session.ui.print(&format!("{human}\n"));
    }
}

fn providers(session: &Session, config: &Module) -> Result<(), Diagnostics> {
    announce(session, "initializing_provider_plugin_message", "Initializing provider plugins...");
    let requirements = requirements::requirements(config);
    for source in requirements.keys() {
        if *source == ProviderSource::builtin() {
            let line = format!("{source} is built in to Terraform");
            log(session, &format!("- {line}"), &line);
        } else if let Some(provider) = session.providers.get(source) {
            let line =
                format!("Using {} v{}, which is part of this program", display_source(source), provider.version());
            log(session, &format!("- {line}"), &line);
        }
    }
    let diagnostics = requirements::check(&requirements, &session.providers);
    if diagnostics.has_errors() { Err(diagnostics) } else { Ok(()) }
}

/// Where the lock file may not change it has to name exactly the providers that the configuration requires.
fn check_locked(config: &Module) -> Result<(), Diagnostics> {
    let locked = LockFile::read(Path::new(".")).map_err(|error| {
        Diagnostics::from(Diagnostic::error("Error loading dependency lock file", crate::session::chain(&error)))
    })?;
    let locked: BTreeSet<ProviderSource> = locked.unwrap_or_default().providers.into_keys().collect();
    let mut required: BTreeSet<ProviderSource> = requirements::requirements(config).into_keys().collect();
    required.remove(&ProviderSource::builtin());
    if required == locked {
        return Ok(());
    }
    let detail = "Changes to the required provider dependencies were detected, but the lock file is read-only. To use and record \
                  these requirements, run \"terraform init\" without the \"-lockfile=readonly\" flag.";
    Err(Diagnostic::error("Provider dependency changes detected", detail).into())
}

/// Warnings, if it goes well.
async fn set_up_backend(session: &Session, args: &InitArgs, module: &Module) -> Result<Diagnostics, Diagnostics> {
    let data_dir = session.environment.data_dir();
    let previous = if args.reconfigure { None } else { Record::read(&data_dir)? };
    let encryption = session.encryption_of(Some(module))?;
    let codec = encryption.state();
    let mut warnings = Diagnostics::new();
    let local = Place::Local(LocalBackend { codec: codec.clone(), ..LocalBackend::default() });
    let Some(block) = &module.backend else {
        if !args.backend_config.is_empty() {
            let detail = "-backend-config was used without a \"backend\" block in the configuration.\n\nIf you intended to \
                          override the default local backend configuration,\nno action is required, but you may add an \
                          explicit backend block to your\nconfiguration to clear this warning:\n\nterraform \
                          {\n  backend \"local\" {}\n}\n\nHowever, if you intended to override a defined backend, please \
                          verify that\nthe backend configuration is present and valid.\n";
            warnings.push(Diagnostic::warning("Missing backend configuration", detail));
        }
        let Some(previous) = previous else {
            write_record(None, &data_dir)?;
            return Ok(warnings);
        };
        if !args.migrate_state && !args.force_copy {
            return Err(backend_changed().into());
        }
        let (old, new) = (previous.open(&session.environment, None, codec)?, local);
        migrate(session, args, (&previous.kind, &old), ("local", &new)).await?;
        write_record(None, &data_dir)?;
        let text =
            format!("\n\nSuccessfully unset the backend {:?}. Terraform will now operate locally.", previous.kind);
        output(session, "backend_unset", &text);
        return Ok(warnings);
    };
    let mut wanted = backend::configured(block, "Unsupported backend type")?;
    backend::override_settings(&mut wanted, &session.sources, settings(session, &args.backend_config)?)?;
    warnings.append(wanted.warnings(&session.environment, block));
    let place = wanted.open(&session.environment, Some(block), codec)?;
    reach(session, &place).await?;
    let new = (wanted.kind.as_str(), &place);
    match &previous {
        Some(previous) if previous.config == wanted.config && previous.kind == wanted.kind => {
            write_record(Some(&wanted), &data_dir)?;
            return Ok(warnings);
        }
        Some(previous) if previous.hash == wanted.hash && args.backend_config.is_empty() => return Ok(warnings),
        Some(_) if !args.migrate_state && !args.force_copy => return Err(backend_changed().into()),
        Some(previous) => {
            let old = previous.open(&session.environment, None, codec)?;
            if previous.kind == wanted.kind && !args.json {
                session.ui.print(
                    "Backend configuration changed!\n\nTerraform has detected that the configuration specified for the \
                     backend\nhas changed. Terraform will now check for existing state in the backends.\n\n",
                );
            }
            migrate(session, args, (&previous.kind, &old), new).await?;
        }
        None if args.reconfigure => {}
        None => migrate(session, args, ("local", &local), new).await?,
    }
    write_record(Some(&wanted), &data_dir)?;
    let text = format!(
        "\nSuccessfully configured the backend {:?}! Terraform will automatically\nuse this backend unless the backend \
         configuration changes.",
        wanted.kind
    );
    let human = session.ui.style.green(&text);
    output(session, "backend_configured_success", if args.json { text.trim_start() } else { &human });
    Ok(warnings)
}

fn backend_changed() -> Diagnostic {
    let detail = "A change in the backend configuration has been detected, which may require migrating existing \
                  state.\n\nIf you wish to attempt automatic migration of the state, use \"terraform init \
                  -migrate-state\".\nIf you wish to store the current configuration with no changes to the state, use \
                  \"terraform init -reconfigure\".";
    Diagnostic::error("Backend configuration changed", detail)
}

fn write_record(record: Option<&Record>, data_dir: &Path) -> Result<(), Diagnostics> {
    Record::write(record, data_dir).map_err(|error| {
        let detail = format!("Cannot write the record of the backend in {}: {error}", data_dir.display());
        Diagnostic::error("Error saving the backend configuration", detail).into()
    })
}

/// The settings of `-backend-config`: each a `name=value` or a file of assignments.
fn settings(session: &Session, given: &[String]) -> Result<Vec<Given>, Diagnostics> {
    let mut all = Vec::new();
    for item in given.iter().filter(|item| !item.is_empty()) {
        if let Some((name, value)) = item.split_once('=') {
            all.push(Given::Argument(name.trim().to_owned(), value.to_owned()));
            continue;
        }
        let file = Path::new(item);
        let Ok(bytes) = std::fs::read(file) else {
            return Err(
                Diagnostic::error("Failed to read file", format!("The file {item:?} could not be read.")).into()
            );
        };
        let (body, _, diagnostics) = parse_named_file(&session.sources, file, bytes);
        all.push(Given::File(diagnostics.ok_or_errors(body)?.0));
    }
    Ok(all)
}

/// Asks a service for the state, so that what is wrong with its configuration is told by `init`, not by the first plan.
async fn reach(session: &Session, place: &Place) -> Result<(), Diagnostics> {
    let Place::Remote(backend) = place else { return Ok(()) };
    let failure = |error: StoreError| {
        Diagnostics::from(match error {
            StoreError::Session { summary, detail } => Diagnostic::error(summary, detail),
            error => Diagnostic::error("Failed to get existing workspaces", crate::session::chain(&error)),
        })
    };
    let store = backend.store(&session.workspace_name()).map_err(failure)?;
    store.read().await.map(drop).map_err(failure)
}

/// Copies the states of one place to another if the user agrees. Places come with their kinds.
async fn migrate(
    session: &Session,
    args: &InitArgs,
    from: (&str, &Place),
    to: (&str, &Place),
) -> Result<(), Diagnostics> {
    let failure = |error: &dyn std::error::Error| {
        Diagnostics::from(Diagnostic::error("Error migrating the state", crate::session::chain(error)))
    };
    let (old_place, new_place) = (from.1.backend(), to.1.backend());
    let workspaces = match old_place.workspaces().await {
        Err(StoreError::NoWorkspaces) => vec![DEFAULT_WORKSPACE.to_owned()],
        other => other.map_err(|error| failure(&error))?,
    };
    let mut moves = Vec::new();
    let mut occupied = false;
    for workspace in workspaces.iter().filter(|workspace| !from.1.shares(to.1, workspace)) {
        let old = old_place.store(workspace).map_err(|e| failure(&e))?;
        let state = old.read().await.map_err(|e| failure(&e))?;
        super::operation::ensure_nothing_in_flight(old.as_ref()).await?;
        let Some(state) = state else { continue };
        if state.is_empty() {
            continue;
        }
        let new = new_place.store(workspace).map_err(|e| failure(&e))?;
        let there = new.read().await.map_err(|e| failure(&e))?;
        occupied |= there.as_ref().is_some_and(|there| !there.is_empty());
        moves.push((new, state, WriteCondition::replacing(there.as_ref())));
    }
    if moves.is_empty() || !(args.force_copy || ask_to_copy(session, args, (from.0, to.0), occupied)?) {
        return Ok(());
    }
    for (store, state, condition) in moves {
        store.write(&state, &condition).await.map_err(|e| failure(&e))?;
    }
    Ok(())
}

fn ask_to_copy(
    session: &Session,
    args: &InitArgs,
    (from, to): (&str, &str),
    occupied: bool,
) -> Result<bool, Diagnostic> {
    if !args.input || args.json || session.environment.input_disabled() {
        let summary = "Can't ask approval for state migration when interactive input is disabled.";
        return Err(Diagnostic::error(summary, "Please remove the \"-input=false\" option and try again."));
    }
    let text = if occupied {
        format!(
            "Pre-existing state was found while migrating the previous {from:?} backend to the\n  newly configured {to:?} \
             backend. An existing non-empty state already exists in\n  the new backend. Do you want to overwrite the state in \
             the new backend with the\n  previous state? Enter \"yes\" to copy and \"no\" to start with the existing \
             state\n  in the newly configured {to:?} backend."
        )
    } else {
        format!(
            "Pre-existing state was found while migrating the previous {from:?} backend to the\n  newly configured {to:?} \
             backend. No existing state was found in the newly\n  configured {to:?} backend. Do you want to copy this state \
             to the new {to:?}\n  backend? Enter \"yes\" to copy and \"no\" to start with an empty state."
        )
    };
    let style = session.ui.style;
    session.ui.print(&format!(
        "{}\n  {text}\n\n  {} ",
        style.bold("Do you want to copy existing state to the new backend?"),
        style.bold("Enter a value:")
    ));
    let answer = session.ui.read_line();
    session.ui.print("\n");
    Ok(answer.is_some_and(|answer| answer.trim() == "yes"))
}
