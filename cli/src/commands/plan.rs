//! `plan`

use clap::ArgAction;
use lang::addr::Mode;
use planner::plan::{Action, Plan, ResourceChange};

use super::apply::Verb;
use super::{Exit, generated, operation};
use crate::args::groups::{PlanningArgs, StateArgs, ViewArgs};
use crate::json_views::stream::Event;
use crate::render::wrap::{horizontal_rule, word_wrap};
use crate::session::Session;

/// What gets an exit code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ExitCodeFor {
    /// A plan that destroys or replaces something.
    Destroy,
    /// Something that has changed outside.
    Drift,
}

/// Generates a speculative execution plan, showing what actions Terraform would take to apply the current configuration.
/// This command will not actually perform the planned actions.
#[derive(Debug, clap::Parser)]
pub struct PlanArgs {
    /// What is planned.
    #[command(flatten)]
    pub planning: PlanningArgs,
    /// The state.
    #[command(flatten)]
    pub state: StateArgs,
    /// Messages.
    #[command(flatten)]
    pub view: ViewArgs,
    /// Return detailed exit codes when the command exits: 0 - succeeded, no changes; 1 - errored; 2 - succeeded, there are changes.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub detailed_exitcode: bool,
    /// Ask for input for variables if not directly set.
    #[arg(long, action = ArgAction::Set, default_value_t = true, value_name = "false")]
    pub input: bool,
    /// Write a plan file to the given path. This can be used as input to the "apply" command.
    #[arg(long, value_name = "path")]
    pub out: Option<String>,
    /// Accepted and ignored: a plan writes no state.
    #[arg(long, value_name = "path")]
    pub state_out: Option<String>,
    /// Accepted and ignored: a plan writes no state.
    #[arg(long, value_name = "path")]
    pub backup: Option<String>,
    /// If import blocks are present in configuration, writes HCL for resources that are not configured yet to the given path. The path must not exist.
    #[arg(long, value_name = "path")]
    pub generate_config_out: Option<String>,
    /// Don't seal the sensitive values in the plan file, so that it can be applied elsewhere without the key. Whoever can read the file can read them.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub sensitive_in_clear: bool,
    /// Return a code of its own if the plan destroys something ("destroy": 3) or if something has changed outside ("drift": 4). May be given several times; destroy goes before drift, drift before the other codes.
    #[arg(long, value_name = "destroy|drift", action = ArgAction::Append, value_enum)]
    pub exit_code_for: Vec<ExitCodeFor>,
    /// Produce output in a machine-readable JSON format.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub json: bool,
}

/// Runs the command.
pub async fn run(session: &Session, args: &PlanArgs) -> Exit {
    if args.json {
        session.ui.event(&Event::version());
    }
    if super::misuse::has_bad_options(session, "plan", &args.planning) {
        return Exit::Failure;
    }
    session.show(&operation::state_flag_warning(&args.state));
    let prepared = match operation::prepare(session, &args.planning, args.input && !args.json, Verb::Plan)
        .and_then(|prepared| generated::prepare(prepared, args.generate_config_out.as_deref()))
    {
        Ok(prepared) => prepared,
        Err(diagnostics) => {
            session.show(&diagnostics);
            return Exit::Failure;
        }
    };
    let opened = match session.open_to_plan(&args.state).await {
        Ok(opened) => opened,
        Err(diagnostics) => {
            session.show(&diagnostics);
            return Exit::Failure;
        }
    };
    let hooks = operation::progress(session);
    let planned = match operation::open_state_to_plan(session, &prepared, &opened, &hooks).await {
        Ok(snapshots) => Ok(operation::plan(&prepared, &snapshots, hooks).await),
        Err(diagnostics) => Err(diagnostics),
    };
    let released = opened.close().await;
    let exit = match planned {
        Ok(planned) => match report(session, args, &planned) {
            exit @ Exit::Failure => exit,
            exit => match planned.plan.as_ref().and_then(|plan| planner::check_order(&prepared.workspace, plan)) {
                // Terraform looks at the order last, with the plan shown and saved.
                Some(problem) => {
                    session.show(&problem.into());
                    Exit::Failure
                }
                None => exit,
            },
        },
        Err(diagnostics) => {
            session.show(&diagnostics);
            Exit::Failure
        }
    };
    session.show(&released);
    if released.has_errors() { Exit::Failure } else { exit }
}

fn report(session: &Session, args: &PlanArgs, planned: &operation::Planned) -> Exit {
    let path = args.generate_config_out.as_deref();
    let written = match (path, &planned.plan) {
        (Some(path), Some(plan)) => generated::write(path, &plan.generated),
        _ => Ok(false),
    };
    let written = match written {
        Ok(written) => written,
        Err(diagnostic) => {
            session.show(&diagnostic.into());
            return Exit::Failure;
        }
    };
    let fine = planned.plan.as_ref().filter(|_| !planned.diagnostics.has_errors());
    // Also a plan that failed is kept: it shows how far it came.
    let out = args.out.as_ref().filter(|path| !path.is_empty());
    if let (Some(plan), Some(path)) = (&planned.plan, out) {
        match crate::saved_plan::save(session, plan, path, args.sensitive_in_clear) {
            Ok(warning) => session.show(&warning.into_iter().collect()),
            Err(diagnostic) => {
                session.show(&diagnostic.into());
                return Exit::Failure;
            }
        }
    }
    if let Some(plan) = &planned.plan {
        operation::show_plan(session, plan);
    }
    if path.is_some() && planned.plan.as_ref().is_some_and(|plan| !plan.generated.is_empty()) {
        session.show(&generated::experimental().into());
    }
    session.show(&planned.diagnostics);
    let Some(plan) = fine else { return Exit::Failure };
    let changes = plan.has_changes();
    let ui = &session.ui;
    let mut ruled = false;
    if let (true, Some(path), true, false) = (changes, path, written, ui.settings.json) {
        ui.print(&format!("{}\n{}\n", horizontal_rule(ui.style, ui.width), generated::written(path, ui.width)));
        ruled = true;
    }
    if let (true, Some(path), false) = (changes, out, ui.settings.json) {
        if !ui.in_automation {
            let rule = if ruled { String::new() } else { horizontal_rule(ui.style, ui.width) };
            let hint = "To perform exactly these actions, run the following command to apply:";
            ui.print(&format!("{rule}\nSaved the plan to: {path}\n\n{hint}\n    terraform apply {}\n", quoted(path)));
        }
    } else if changes && !ui.settings.json && !ui.in_automation {
        let note = "Note: You didn't use the -out option to save this plan, so Terraform can't guarantee to take exactly \
                    these actions if you run \"terraform apply\" now.";
        let rule = if ruled { String::new() } else { horizontal_rule(ui.style, ui.width) };
        ui.print(&format!("{rule}\n{}\n", word_wrap(note, ui.width)));
    }
    exit(plan, args, changes)
}

/// The exit status of a plan without errors: of what was asked for, the most dangerous first.
fn exit(plan: &Plan, args: &PlanArgs, changes: bool) -> Exit {
    let asked = |what| args.exit_code_for.contains(&what);
    let destroys = |change: &ResourceChange| {
        change.address.resource.mode == Mode::Managed && (change.action == Action::Delete || change.action.is_replace())
    };
    if asked(ExitCodeFor::Destroy) && plan.changes.iter().any(destroys) {
        Exit::Destroys
    } else if asked(ExitCodeFor::Drift) && !plan.drift.is_empty() {
        Exit::Drift
    } else if changes && args.detailed_exitcode {
        Exit::Changes
    } else {
        Exit::Success
    }
}

/// A file name as a shell takes it.
fn quoted(path: &str) -> String {
    format!("{path:?}")
}
