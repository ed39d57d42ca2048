//! `apply` and `destroy`

use std::sync::Arc;

use clap::ArgAction;
use lang::Diagnostics;
use planner::plan::{ChangeCounts, Plan, PlanMode};
use planner::planfile::SavedPlan;
use planner::{ApplyOptions, Interrupt};

use super::{Exit, operation};
use crate::args::FlagError;
use crate::args::groups::{PlanningArgs, StateArgs, StateOutArgs, ViewArgs};
use crate::json_views::stream::Event;
use crate::session::{Opened, Session};

/// Creates or updates infrastructure according to Terraform configuration files in the current directory. By default,
/// Terraform will generate a new plan and present it for your approval before taking any action.
#[derive(Debug, clap::Parser)]
pub struct ApplyArgs {
    /// Skip interactive approval of plan before applying.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub auto_approve: bool,
    /// What is planned.
    #[command(flatten)]
    pub planning: PlanningArgs,
    /// The state.
    #[command(flatten)]
    pub state: StateArgs,
    /// Where the state goes.
    #[command(flatten)]
    pub state_out: StateOutArgs,
    /// Messages.
    #[command(flatten)]
    pub view: ViewArgs,
    /// Ask for input for variables if not directly set.
    #[arg(long, action = ArgAction::Set, default_value_t = true, value_name = "false")]
    pub input: bool,
    /// Produce output in a machine-readable JSON format.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub json: bool,
    /// A saved plan.
    pub plan: Vec<String>,
}

/// As which command an operation was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `plan`
    Plan,
    /// `apply`
    Apply,
    /// `destroy`
    Destroy,
    /// `refresh`
    Refresh,
}

/// Runs the command.
pub async fn run(session: &Session, args: &ApplyArgs, verb: Verb) -> Exit {
    let fail = |diagnostics: &Diagnostics| {
        session.show(diagnostics);
        Exit::Failure
    };
    if args.json && !args.auto_approve && args.plan.is_empty() {
        session.ui.error(
            "Plan file or auto-approve required",
            "Terraform cannot ask for interactive approval when -json is set. You can either apply a saved plan file, or \
             enable the -auto-approve option.",
        );
        return Exit::Failure;
    }
    if args.json {
        session.ui.event(&Event::version());
    }
    let command = if verb == Verb::Destroy { "destroy" } else { "apply" };
    let saved = match args.plan.as_slice() {
        [] => None,
        [path] if verb == Verb::Destroy => {
            let detail = format!(
                "If this plan was created using plan -destroy, apply it using:\n  terraform apply {}",
                lang::quoting::go_quote(path)
            );
            session.ui.error("Destroy can't be called with a plan file", &detail);
            return Exit::Failure;
        }
        [path] => match crate::saved_plan::read(session, path) {
            Ok(saved) => Some(saved),
            Err(diagnostic) => return fail(&diagnostic.into()),
        },
        _ => return super::misuse::refuse(session, command, &FlagError::UnexpectedArgument),
    };
    let prepared = match &saved {
        Some(saved) => operation::prepare_saved(session, &args.planning, saved),
        None => operation::prepare(session, &args.planning, args.input && !args.json, verb),
    };
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(diagnostics) => return fail(&diagnostics),
    };
    let operation_name = "OperationTypeApply";
    let opened = match session.open(&args.state, Some(&args.state_out), operation_name).await {
        Ok(opened) => opened,
        Err(diagnostics) => return fail(&diagnostics),
    };
    let exit = plan_and_apply(session, args, verb, &prepared, &opened, saved).await;
    let released = opened.close().await;
    session.show(&released);
    if released.has_errors() { Exit::Failure } else { exit }
}

async fn plan_and_apply(
    session: &Session,
    args: &ApplyArgs,
    verb: Verb,
    prepared: &operation::Prepared,
    opened: &Opened,
    saved: Option<SavedPlan>,
) -> Exit {
    let hooks = operation::progress(session);
    let (snapshots, journal) = match operation::open_state(session, prepared, opened, &hooks).await {
        Ok(opened) => opened,
        Err(diagnostics) => {
            session.show(&diagnostics);
            return Exit::Failure;
        }
    };
    if verb == Verb::Refresh && snapshots.stored().is_none_or(state::State::is_empty) {
        let detail = "There are currently no remote objects tracked in the state, so there is nothing to refresh.";
        session.show(&lang::Diagnostic::warning("Empty or non-existent state", detail).into());
        return Exit::Success;
    }
    let mut warnings;
    let plan = match saved {
        Some(mut saved) => match operation::check_fresh(session, &prepared.workspace, &mut saved, &snapshots) {
            Ok(()) => {
                warnings = prepared.warnings.clone();
                operation::stream_planned(session, &saved.plan);
                saved.plan
            }
            Err(diagnostic) => {
                session.show(&diagnostic.into());
                return Exit::Failure;
            }
        },
        None => {
            let mut planned = operation::plan(prepared, &snapshots, hooks.clone()).await;
            if !planned.diagnostics.has_errors() {
                // The apply evaluates the assertions again, when it knows more.
                let of_check = |d: &lang::Diagnostic| d.summary().starts_with("Check block assertion");
                planned.diagnostics = planned.diagnostics.into_iter().filter(|d| !of_check(d)).collect();
            }
            if let Some(plan) = planned.plan.as_ref().filter(|_| verb != Verb::Refresh || !session.ui.settings.json) {
                operation::show_plan(session, plan);
            }
            let Some(plan) = planned.plan.filter(|_| !planned.diagnostics.has_errors()) else {
                session.show(&planned.diagnostics);
                return Exit::Failure;
            };
            warnings = planned.diagnostics;
            if plan.has_changes() && !args.auto_approve {
                // Who decides has to see what there is to worry about.
                session.show(&std::mem::take(&mut warnings));
                if !approved(session, &plan) {
                    return Exit::Failure;
                }
            }
            plan
        }
    };
    let interrupt = Interrupt::default();
    let watcher = tokio::spawn(crate::interrupts::watch(session.ui.clone(), interrupt.clone()));
    let options = ApplyOptions {
        parallelism: operation::parallelism(&args.planning),
        interrupt,
        variables: prepared.options.variables.clone(),
        provisioners: Arc::new(session.environment.provisioners()),
    };
    let outcome = planner::apply(&prepared.workspace, &plan, snapshots, journal, &options, hooks).await;
    watcher.abort();
    if outcome.diagnostics.has_errors() {
        warnings.append(outcome.diagnostics);
        session.show(&warnings);
        return Exit::Failure;
    }
    warnings.extend(planner::partial_apply_warning(&plan));
    warnings.append(outcome.diagnostics);
    session.show(&warnings);
    if verb != Verb::Refresh || !session.ui.settings.json {
        summary(session, plan.mode == PlanMode::Destroy, &outcome.counts);
    }
    if let (Some(path), false) = (&args.state_out.state_out, session.ui.settings.json) {
        saved_elsewhere(session, path, &outcome.counts);
    }
    outputs(session, &outcome.state, plan.mode == PlanMode::Destroy);
    Exit::Success
}

fn approved(session: &Session, plan: &Plan) -> bool {
    let (question, explanation, cancelled) = match plan.mode {
        PlanMode::Destroy => (
            "Do you really want to destroy all resources?",
            "Terraform will destroy all your managed infrastructure, as shown above.\n  There is no undo. Only 'yes' will be \
             accepted to confirm.",
            "Destroy cancelled.",
        ),
        PlanMode::RefreshOnly => (
            "Would you like to update the Terraform state to reflect these detected changes?",
            "Terraform will write these changes to the state without modifying any real infrastructure.\n  There is no \
             undo. Only 'yes' will be accepted to confirm.",
            "Apply cancelled.",
        ),
        PlanMode::Normal => (
            "Do you want to perform these actions?",
            "Terraform will perform the actions described above.\n  Only 'yes' will be accepted to approve.",
            "Apply cancelled.",
        ),
    };
    let ui = &session.ui;
    ui.print(&format!("\n{}\n  {explanation}\n\n  {} ", ui.style.bold(question), ui.style.bold("Enter a value:")));
    let Some(answer) = ui.read_line() else {
        ui.print("\n");
        ui.error("error asking for approval: EOF", "");
        return false;
    };
    ui.print("\n");
    if answer != "yes" {
        ui.print(&format!("{cancelled}\n"));
        return false;
    }
    true
}

fn summary(session: &Session, destroy: bool, counts: &ChangeCounts) {
    let import = if counts.import > 0 { format!("{} imported, ", counts.import) } else { String::new() };
    let (add, change, remove) = (counts.add, counts.change, counts.destroy);
    let text = if destroy {
        format!("Destroy complete! Resources: {remove} destroyed.")
    } else {
        format!("Apply complete! Resources: {import}{add} added, {change} changed, {remove} destroyed.")
    };
    let ui = &session.ui;
    if ui.settings.json {
        let name = if destroy { "destroy" } else { "apply" };
        ui.event(&Event::new("change_summary", text).with("changes", operation::counts_part(counts, name)));
    } else {
        ui.print(&format!("\n{}\n", ui.style.bold_green(&text)));
    }
}

/// Where `-state-out` has put the state.
fn saved_elsewhere(session: &Session, path: &str, counts: &ChangeCounts) {
    if counts.add + counts.change == 0 {
        return;
    }
    session.ui.print(&format!(
        "\nThe state of your infrastructure has been saved to the path below. This state\nis required to modify and destroy \
         your infrastructure, so keep it safe. To\ninspect the complete state use the `terraform show` command.\n\nState \
         path: {path}\n"
    ));
}

fn outputs(session: &Session, state: &state::State, destroy: bool) {
    let ui = &session.ui;
    if destroy {
        return;
    }
    if ui.settings.json {
        let parts: serde_json::Map<_, _> = state
            .outputs
            .iter()
            .map(|(name, output)| {
                let ty = output.ty.to_value().unwrap_or_default();
                let mut part = serde_json::json!({"sensitive": output.sensitive, "type": ty});
                if !output.sensitive
                    && let Some(part) = part.as_object_mut()
                {
                    part.insert("value".to_owned(), output.value.to_value().unwrap_or_default());
                }
                (name.to_string(), part)
            })
            .collect();
        ui.event(&Event::new("outputs", format!("Outputs: {}", parts.len())).with("outputs", parts));
    } else if !state.outputs.is_empty() {
        let lines = super::output::all_outputs(state.outputs.iter().map(|(name, output)| (name.as_str(), output)));
        ui.print(&format!("\n{}\n\n{lines}", ui.style.bold_green("Outputs:")));
    }
}
