//! What `plan`, `apply` and `destroy` have in common.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::sync::Arc;

use lang::addr::Mode as ResourceMode;
use lang::quoting::go_quote;
use lang::{Diagnostic, Diagnostics, Str};
use planner::hooks::Hooks;
use planner::plan::{Action, DeferredChange, Plan, PlanMode, ResourceChange};
use planner::planfile::SavedPlan;
use planner::{GivenVariable, PlanOptions, Target, Workspace};
use serde_json::json;
use state::{Journal, Snapshots, StateStore};

use super::apply::Verb;
use crate::args::groups::{PlanningArgs, StateArgs};
use crate::json_views::document;
use crate::json_views::plan::{Shown, shown_document};
use crate::json_views::stream::Event;
use crate::providers::RegistrySchemas;
use crate::render::hooks::{HumanProgress, JsonProgress, action_name, resource_part};
use crate::render::plan::{Mode, Settings, render_plan};
use crate::session::{Opened, Session};

/// A plan with what it was made from.
pub struct Planned {
    /// The plan; also when planning failed, as far as it came.
    pub plan: Option<Plan>,
    /// Messages.
    pub diagnostics: Diagnostics,
}

/// What an operation has read before it opens the state.
pub struct Prepared {
    /// The configuration and its surroundings.
    pub workspace: Workspace,
    /// What to plan.
    pub options: PlanOptions,
    /// Warnings so far.
    pub warnings: Diagnostics,
}

/// Reads options, configuration and variables. `Err`: the messages of a failure.
pub fn prepare(session: &Session, args: &PlanningArgs, input: bool, verb: Verb) -> Result<Prepared, Diagnostics> {
    let mut options = options(args)?;
    session.environment.give(&args.variables.given);
    session.backend()?;
    let required = options.mode != PlanMode::Destroy && verb != Verb::Refresh;
    let (workspace, mut diagnostics) = match verb {
        Verb::Apply if required && session.is_bare() => return Err(nothing_to_apply()),
        _ => session.load(required),
    };
    let Some(workspace) = workspace.filter(|_| !diagnostics.has_errors()) else { return Err(diagnostics) };
    let (mut given, problems) = crate::variables::collect(session, &workspace.config, &args.variables.given);
    diagnostics.append(problems);
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    if input && !session.environment.input_disabled() && !session.ui.settings.json {
        crate::variables::ask(session, &workspace.config, &mut given);
    }
    diagnostics.append(missing(&workspace, &given));
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    options.variables = given;
    Ok(Prepared { workspace, options, warnings: diagnostics })
}

/// The warning that comes with `-state`.
pub fn state_flag_warning(args: &StateArgs) -> Diagnostics {
    let detail = "Use the `path` argument of the `local` backend instead: it holds for all commands.";
    let warning = args.state.as_ref().map(|_| Diagnostic::warning("Deprecated flag: -state", detail));
    warning.into_iter().collect()
}

fn nothing_to_apply() -> Diagnostics {
    let detail = "Apply requires configuration to be present. Applying without a configuration would mark everything for \
                  destruction, which is normally not what is desired. If you would like to destroy everything, run \
                  'terraform destroy' instead.";
    Diagnostic::error("No configuration files", detail).into()
}

/// What applying a saved plan works with: the plan's own configuration and variables.
pub fn prepare_saved(session: &Session, args: &PlanningArgs, saved: &SavedPlan) -> Result<Prepared, Diagnostics> {
    let workspace = crate::saved_plan::workspace(session, saved)?;
    session.adopt(&workspace.config);
    let (mut given, mut warnings) = crate::variables::collect(session, &workspace.config, &args.variables.given);
    warnings.append(changed_variables(&workspace, saved, &given));
    // the plan has the others
    given.retain(|name, _| workspace.config.variables.get(name).is_some_and(|variable| variable.ephemeral));
    warnings.append(ephemeral_as_planned(&workspace, saved, &given));
    if warnings.has_errors() {
        return Err(warnings);
    }
    let options = PlanOptions { variables: given, parallelism: parallelism(args), ..PlanOptions::default() };
    Ok(Prepared { workspace, options, warnings })
}

/// The ephemeral variables that were set for the plan have to be set for its apply, and no others.
fn ephemeral_as_planned(workspace: &Workspace, saved: &SavedPlan, given: &BTreeMap<Str, GivenVariable>) -> Diagnostics {
    let planned = &saved.plan.apply_time_variables;
    let ephemeral = workspace.config.variables.values().filter(|variable| variable.ephemeral);
    ephemeral
        .filter_map(|variable| {
            let name = &variable.name;
            match (planned.contains(name), given.contains_key(name)) {
                (true, false) => Some(Diagnostic::error(
                    "No value for required variable",
                    format!(
                        "The ephemeral input variable {name:?} was set during the plan phase, and so must also be set during \
                         the apply phase."
                    ),
                )),
                (false, true) => Some(Diagnostic::error(
                    "Ephemeral variable was not set during planning",
                    format!(
                        "The ephemeral input variable {name:?} was not set during the planning phase, and so must remain \
                         unset during the apply phase."
                    ),
                )),
                _ => None,
            }
        })
        .collect()
}

/// What is said of variables that have another value than the plan was made with: a mistake on the command line, while the
/// environment and files may serve other runs as well.
fn changed_variables(workspace: &Workspace, saved: &SavedPlan, given: &BTreeMap<Str, GivenVariable>) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    for (name, given) in given {
        let (Some(variable), Some(planned)) = (workspace.config.variables.get(name), saved.plan.variables.get(name))
        else {
            continue;
        };
        if variable.ephemeral {
            continue;
        }
        let (planned, _) = planned.clone().unmark_deep();
        let value = match planner::given_value(workspace, variable, given) {
            Ok(value) => value,
            Err(problems) => {
                diagnostics.append(problems);
                continue;
            }
        };
        let fitted = |value: &lang::Value| planner::fitted_value(variable, value.clone());
        if let (Some(planned), Some(value)) = (fitted(&planned), fitted(&value))
            && value.raw_equals(&planned)
        {
            continue;
        }
        let (source, forced) = match given.origin.as_str() {
            origin if origin.starts_with("using the TF_VAR_") => ("an environment variable", false),
            origin if origin.starts_with("using -var=") => ("a CLI argument", true),
            _ => ("a variables file", !given.automatic),
        };
        let how = if forced { "set using the -var and -var-file options" } else { "overriden" };
        let show = |value: &lang::Value| match variable.sensitive {
            true => "(sensitive value)".to_owned(),
            false => crate::render::value::format_value(value, 0),
        };
        let detail = format!(
            "The variable {name} cannot be {how} when applying a saved plan file, because a saved plan includes the variable \
             values that were set when it was created. The saved plan specifies {} as the value whereas during apply the \
             value {} was set by {source}. To declare an ephemeral variable which is not saved in the plan file, use \
             ephemeral = true.",
            show(&planned),
            show(&value),
        );
        diagnostics.push(match forced {
            true => Diagnostic::error("Can't change variable when applying a saved plan", detail),
            false => Diagnostic::warning("Ignoring variable when applying a saved plan", detail),
        });
    }
    diagnostics
}

/// Refuses a plan that was made from another state than the stored one, or in another workspace.
pub fn check_fresh(
    session: &Session,
    workspace: &Workspace,
    saved: &mut SavedPlan,
    snapshots: &Snapshots,
) -> Result<(), Diagnostic> {
    let current = session.workspace_name();
    if saved.workspace != current {
        let detail = format!(
            "The plan file describes changes to the {:?} workspace, but the {current:?} workspace is currently in use.\n\n\
             Applying this plan with the incorrect workspace selected could result in state being stored in an unexpected \
             location, or a downstream error when Terraform attempts apply a plan using the wrong workspace.",
            saved.workspace
        );
        return Err(Diagnostic::error("Wrong workspace", detail));
    }
    let rebased = match snapshots.stored() {
        Some(stored) => planner::staleness::rebase(workspace, &mut saved.plan, stored),
        None if saved.plan.previous_state.is_empty() => Ok(()),
        None => Err(vec!["the state is gone".to_owned()]),
    };
    rebased.map_err(|changed| {
        let list: String = changed.iter().take(20).map(|what| format!("\n  - {what}")).collect();
        let detail = format!(
            "The given plan file can no longer be applied because the state was changed by another operation after the plan \
             was created.\n\nWhat the plan touches or reads and has changed:{list}"
        );
        Diagnostic::error("Saved plan is stale", detail)
    })
}

/// A message for every required variable without a value.
pub fn missing(workspace: &Workspace, given: &BTreeMap<Str, GivenVariable>) -> Diagnostics {
    let required = workspace.config.variables.values().filter(|v| v.default.is_none() && !given.contains_key(&v.name));
    required
        .map(|variable| {
            let detail = format!(
                "The root module input variable \"{}\" is not set, and has no default value. Use a -var or -var-file \
                 command line argument to provide a value for this variable.",
                variable.name
            );
            Diagnostic::error("No value for required variable", detail).at(variable.range)
        })
        .collect()
}

/// What the flags ask for.
///
/// # Errors
/// Flags that make no sense, or not together.
pub fn options(args: &PlanningArgs) -> Result<PlanOptions, Diagnostics> {
    let mut diagnostics = Diagnostics::new();
    let targets = addresses(&args.target, "target", &mut diagnostics);
    let excludes = addresses(&args.exclude, "exclude", &mut diagnostics);
    if !targets.is_empty() && !excludes.is_empty() {
        let detail =
            "The -target and -exclude options are mutually-exclusive: name either what is planned or what is left out.";
        diagnostics.push(Diagnostic::error("Incompatible selection options", detail));
    }
    let mut force_replace = Vec::new();
    for text in &args.replace {
        let refused = |why: &str| Diagnostic::error(format!("Invalid force-replace address {}", go_quote(text)), why);
        match crate::targets::parse_instance(text) {
            Ok(address) if address.resource.mode != ResourceMode::Managed => {
                diagnostics.push(refused("Only managed resources can be used with the -replace=... option."));
            }
            Ok(address) => force_replace.push(address),
            Err(problems) => diagnostics.extend(problems.iter().map(|problem| refused(problem.detail()))),
        }
    }
    let mode = match (args.destroy, args.refresh_only) {
        (true, true) => {
            let detail = "The -destroy and -refresh-only options are mutually-exclusive.";
            diagnostics.push(Diagnostic::error("Incompatible plan mode options", detail));
            PlanMode::Normal
        }
        (true, false) => PlanMode::Destroy,
        (false, true) => PlanMode::RefreshOnly,
        (false, false) => PlanMode::Normal,
    };
    if mode == PlanMode::RefreshOnly && !args.refresh {
        let detail = "It doesn't make sense to use -refresh-only at the same time as -refresh=false, because Terraform would \
                      have nothing to do.";
        diagnostics.push(Diagnostic::error("Incompatible refresh options", detail));
    }
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    Ok(PlanOptions {
        mode,
        refresh: args.refresh,
        targets,
        excludes,
        force_replace,
        allow_deferral: args.allow_deferral,
        parallelism: parallelism(args),
        ..PlanOptions::default()
    })
}

fn addresses(texts: &[String], what: &str, diagnostics: &mut Diagnostics) -> Vec<Target> {
    let mut found = Vec::new();
    for text in texts {
        match crate::targets::parse(text) {
            Ok(address) => found.push(address),
            Err(problems) => diagnostics.extend(
                problems.iter().map(|problem| Diagnostic::error(format!("Invalid {what} {text:?}"), problem.detail())),
            ),
        }
    }
    found
}

/// How many operations run at once; zero is no wish.
pub fn parallelism(args: &PlanningArgs) -> usize {
    if args.parallelism == 0 { PlanOptions::default().parallelism } else { args.parallelism }
}

/// What prints progress.
pub fn progress(session: &Session) -> Arc<dyn Hooks> {
    let ui = session.ui.clone();
    if ui.settings.json { Arc::new(JsonProgress { ui }) } else { Arc::new(HumanProgress { ui }) }
}

/// Reads the state and clears up what an interrupted run left; needs the lock.
pub async fn open_state(
    session: &Session,
    prepared: &Prepared,
    opened: &Opened,
    hooks: &Arc<dyn Hooks>,
) -> Result<(Snapshots, Arc<dyn Journal>), Diagnostics> {
    let (mut snapshots, journal) = open_journal(opened).await?;
    session.show(&recover(prepared, &mut snapshots, journal.as_ref(), hooks.as_ref()).await?);
    Ok((snapshots, journal))
}

/// Reads the state of a plan. Without the lock, another run may be at work: what it has begun is told, not cleared up.
pub async fn open_state_to_plan(
    session: &Session,
    prepared: &Prepared,
    opened: &Opened,
    hooks: &Arc<dyn Hooks>,
) -> Result<Snapshots, Diagnostics> {
    if opened.is_locked() {
        return open_state(session, prepared, opened, hooks).await.map(|(snapshots, _)| snapshots);
    }
    let snapshots = Snapshots::open(opened.store.clone()).await.map_err(|e| failure("Failed to load state", &e))?;
    if opened.store.has_records().await.map_err(|e| failure("Failed to open the journal", &e))? {
        let detail = "Another run is at work on this state, or has left something in the state's journal that is not cleared up \
                      yet: the plan may show what is being done already. \"windlass state journal\" lists it; \"windlass state \
                      recover\" clears up after an interrupted run.";
        session.show(&Diagnostic::warning("Operations in flight", detail).into());
    }
    Ok(snapshots)
}

/// Opens the state and its journal.
pub async fn open_journal(opened: &Opened) -> Result<(Snapshots, Arc<dyn Journal>), Diagnostics> {
    let snapshots = Snapshots::open(opened.store.clone()).await.map_err(|e| failure("Failed to load state", &e))?;
    let journal = opened.store.journal().await.map_err(|e| failure("Failed to open the journal", &e))?;
    Ok((snapshots, journal))
}

/// Clears up what an interrupted run left. Returns the warnings.
pub async fn recover(
    prepared: &Prepared,
    snapshots: &mut Snapshots,
    journal: &dyn Journal,
    hooks: &dyn Hooks,
) -> Result<Diagnostics, Diagnostics> {
    let mut warnings: Diagnostics = journal
        .warning()
        .map(|detail| Diagnostic::warning("The journal is not kept beside the state", detail))
        .into_iter()
        .collect();
    let variables = &prepared.options.variables;
    let told = planner::recover::recover(&prepared.workspace, snapshots, journal, variables, hooks).await;
    warnings.extend(told.into_iter().map(with_way_out));
    if warnings.has_errors() { Err(warnings) } else { Ok(warnings) }
}

/// Whoever finds out more than the program can must be able to go on.
fn with_way_out(problem: Diagnostic) -> Diagnostic {
    let Some(address) = problem.address().filter(|_| problem.is_error()) else { return problem };
    let detail = format!(
        "{}\n\nOnce you know what became of it, \"windlass state recover -forget='{address}'\" takes the operation out of the \
         journal.",
        problem.detail()
    );
    Diagnostic::error(problem.summary(), detail).with_address(address)
}

/// Refuses to go on with a state whose journal holds operations: what they made is not in it yet.
pub async fn ensure_nothing_in_flight(store: &dyn StateStore) -> Result<(), Diagnostics> {
    let journal = store.journal().await.map_err(|e| failure("Failed to open the journal", &e))?;
    let records = journal.records().await.map_err(|e| failure("Failed to read the journal", &e))?;
    if records.is_empty() {
        return Ok(());
    }
    let list: String = records
        .iter()
        .take(20)
        .map(|record| format!("\n  - {} {}", record.intent.operation.as_str(), record.intent.address))
        .collect();
    let detail = format!(
        "The state's journal holds operations of a run that was interrupted or is under way. Run \"windlass state recover\" \
         first:{list}"
    );
    Err(Diagnostic::error("Operations in flight", detail).into())
}

/// A failure with what caused it.
pub fn failure(summary: &str, error: &dyn std::error::Error) -> Diagnostics {
    Diagnostic::error(summary, crate::session::chain(error)).into()
}

/// Plans.
pub async fn plan(prepared: &Prepared, snapshots: &Snapshots, hooks: Arc<dyn Hooks>) -> Planned {
    let state = snapshots.stored().cloned().unwrap_or_default();
    let problems = planner::validate(&prepared.workspace).await;
    if problems.has_errors() {
        let mut diagnostics = prepared.warnings.clone();
        diagnostics.append(problems);
        return Planned { plan: None, diagnostics };
    }
    let (plan, diagnostics) = planner::plan(&prepared.workspace, state, &prepared.options, hooks).await;
    let mut all = prepared.warnings.clone();
    // What validation warns of and planning has not found again.
    let known = |warning: &Diagnostic| {
        let same = |other: &Diagnostic| other.summary() == warning.summary() && other.subject() == warning.subject();
        diagnostics.iter().any(same)
    };
    all.extend(problems.into_iter().filter(|warning| !known(warning)));
    all.append(diagnostics);
    Planned { plan, diagnostics: all }
}

/// Shows a plan.
pub fn show_plan(session: &Session, plan: &Plan) {
    let schemas = RegistrySchemas(&session.providers);
    let document = shown_document(plan);
    if session.ui.settings.json {
        stream_plan(session, plan, &document);
        return;
    }
    let mode = match plan.mode {
        PlanMode::Normal => Mode::Normal,
        PlanMode::Destroy => Mode::Destroy,
        PlanMode::RefreshOnly => Mode::RefreshOnly,
    };
    let ui = &session.ui;
    let settings = Settings { mode, style: ui.style, width: ui.width, in_automation: ui.in_automation };
    ui.print_with(|out| {
        let mut out = BufWriter::new(out);
        render_plan(&document, &Shown(plan), &schemas, settings, &mut out)?;
        out.flush()
    });
}

fn stream_plan(session: &Session, plan: &Plan, document: &document::Plan) {
    let ui = &session.ui;
    for change in &plan.drift {
        if change.action != Action::NoOp || plan.mode == PlanMode::RefreshOnly {
            ui.event(&change_event("resource_drift", "Drift detected", change));
        }
    }
    stream_planned(session, plan);
    for deferred in &plan.deferred {
        ui.event(&deferred_event(deferred));
    }
    let counts = plan.counts();
    let import = if counts.import > 0 { format!("{} to import, ", counts.import) } else { String::new() };
    let message =
        format!("Plan: {import}{} to add, {} to change, {} to destroy.", counts.add, counts.change, counts.destroy);
    ui.event(&Event::new("change_summary", message).with("changes", counts_part(&counts, "plan")));
    let outputs: serde_json::Map<_, _> = plan
        .outputs
        .iter()
        .filter(|(name, _)| document.output_changes.contains_key(name.as_str()))
        .map(|(name, change)| {
            (name.to_string(), json!({"sensitive": change.sensitive, "action": action_name(change.action)}))
        })
        .collect();
    if !outputs.is_empty() {
        ui.event(&Event::new("outputs", format!("Outputs: {}", outputs.len())).with("outputs", outputs));
    }
}

/// An event for each planned change, if events are asked for.
pub fn stream_planned(session: &Session, plan: &Plan) {
    let ui = &session.ui;
    if !ui.settings.json {
        return;
    }
    for change in &plan.changes {
        let data = change.address.resource.mode == ResourceMode::Data;
        let moved = change.previous_address.as_ref().is_some_and(|p| *p != change.address);
        let silent = change.action == Action::NoOp && !moved && change.importing.is_none();
        let forgotten_read = data && change.action == Action::Delete;
        if !silent && !forgotten_read {
            ui.event(&change_event("planned_change", "Plan to", change));
        }
    }
}

fn change_event(kind: &'static str, verb: &str, change: &ResourceChange) -> Event {
    let moved = change.previous_address.as_ref().filter(|p| **p != change.address);
    let action = if moved.is_some() && change.action == Action::NoOp { "move" } else { action_name(change.action) };
    let action = if change.importing.is_some() && change.action == Action::NoOp { "import" } else { action };
    let message = if kind == "resource_drift" {
        format!("{}: {verb} ({action})", change.address)
    } else {
        format!("{}: {verb} {action}", change.address)
    };
    let mut part = serde_json::Map::new();
    part.insert("resource".to_owned(), resource_part(&change.address));
    if let Some(previous) = moved {
        part.insert("previous_resource".to_owned(), resource_part(previous));
    }
    part.insert("action".to_owned(), action.into());
    if let Some(reason) = change.reason {
        part.insert("reason".to_owned(), reason_name(reason.as_str()).into());
    }
    if let Some(id) = &change.importing {
        part.insert("importing".to_owned(), json!({ "id": id }));
    }
    if let Some(config) = &change.generated_config {
        part.insert("generated_config".to_owned(), config.as_str().into());
    }
    Event::new(kind, message).with("change", part)
}

/// Terraform's stream says nothing of what is deferred; this has the shape of its other changes.
fn deferred_event(deferred: &DeferredChange) -> Event {
    let change = &deferred.change;
    let action = action_name(change.action);
    let mut part = serde_json::Map::new();
    part.insert("resource".to_owned(), resource_part(&change.address));
    part.insert("action".to_owned(), action.into());
    part.insert("reason".to_owned(), deferred.reason.as_str().into());
    Event::new("deferred_change", format!("{}: Deferred {action}", change.address)).with("change", part)
}

/// Reasons have shorter names in the stream than in the plan's document.
fn reason_name(reason: &str) -> &str {
    match reason {
        "replace_because_tainted" => "tainted",
        "replace_because_cannot_update" => "cannot_update",
        "replace_by_request" => "requested",
        "replace_by_triggers" => "replace_triggered_by",
        other => other,
    }
}

/// The `changes` part of a summary.
pub fn counts_part(counts: &planner::plan::ChangeCounts, operation: &str) -> serde_json::Value {
    json!({
        "add": counts.add,
        "change": counts.change,
        "import": counts.import,
        "remove": counts.destroy,
        "operation": operation,
    })
}
