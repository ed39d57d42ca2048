//! `apply` and `destroy`

use std::sync::Arc;

use clap::ArgAction;
use lang::Diagnostics;
use planner::hooks::Hooks;
use planner::plan::{Action, ChangeCounts, Plan, PlanMode};
use planner::planfile::SavedPlan;
use planner::{ApplyOptions, Interrupt};
use state::{Journal, Snapshots};

use super::{Exit, operation};
use crate::args::FlagError;
use crate::args::groups::{PlanningArgs, StateArgs, StateOutArgs, ViewArgs};
use crate::json_views::stream::Event;
use crate::session::{Extent, Opened, Session};

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
    if args.json {
        session.ui.event(&Event::version());
    }
    let command = match verb {
        Verb::Destroy => "destroy",
        Verb::Refresh => "refresh",
        Verb::Apply | Verb::Plan => "apply",
    };
    if super::misuse::has_bad_options(session, command, &args.planning) {
        return Exit::Failure;
    }
    if args.json && !args.auto_approve && args.plan.is_empty() {
        session.ui.error(
            "Plan file or auto-approve required",
            "Terraform cannot ask for interactive approval when -json is set. You can either apply a saved plan file, or \
             enable the -auto-approve option.",
        );
        return Exit::Failure;
    }
    session.show(&operation::state_flag_warning(&args.state));
    session.environment.give(&args.planning.variables.given);
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
            Ok(saved) if saved.plan.errored => {
                let detail = "Terraform encountered an error when generating this plan, so it cannot be applied.";
                session.ui.error("Cannot apply incomplete plan", detail);
                return Exit::Failure;
            }
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
    let mut opened = match session.place(&args.state, Some(&args.state_out)).await {
        Ok(opened) => opened,
        Err(diagnostics) => return fail(&diagnostics),
    };
    let exit = plan_and_apply(session, args, verb, &prepared, &mut opened, saved).await;
    let released = opened.close().await;
    session.show(&released);
    if released.has_errors() { Exit::Failure } else { exit }
}

/// What is to be applied, with the lock held.
struct Ready {
    plan: Plan,
    warnings: Diagnostics,
    snapshots: Snapshots,
    journal: Arc<dyn Journal>,
}

/// An apply on its way.
struct Run<'a> {
    session: &'a Session,
    args: &'a ApplyArgs,
    verb: Verb,
    prepared: &'a operation::Prepared,
    hooks: Arc<dyn Hooks>,
}

const OPERATION: &str = "OperationTypeApply";

/// How often a plan is made anew because others have changed what it is about, before everybody else is kept out.
const ROUNDS: usize = 3;

impl Run<'_> {
    /// Locks the whole state, then plans.
    async fn ready(&self, opened: &mut Opened, saved: Option<SavedPlan>) -> Result<Ready, Diagnostics> {
        let Run { session, prepared, .. } = *self;
        if self.args.state.lock {
            session.lock(opened, Extent::Whole, OPERATION, self.args.state.lock_timeout).await?;
        }
        let (snapshots, journal) = operation::open_state(session, prepared, opened, &self.hooks).await?;
        if self.verb == Verb::Refresh && snapshots.stored().is_none_or(|state| state.resources.is_empty()) {
            let detail = "There are currently no remote objects tracked in the state, so there is nothing to refresh.";
            session.show(&lang::Diagnostic::warning("Empty or non-existent state", detail).into());
        }
        let (plan, warnings) = match saved {
            Some(mut saved) => {
                operation::check_fresh(session, &prepared.workspace, &mut saved, &snapshots)
                    .map_err(Diagnostics::from)?;
                (saved.plan, prepared.warnings.clone())
            }
            None => self.plan(&snapshots).await?,
        };
        Ok(Ready { plan, warnings, snapshots, journal })
    }

    /// Plans, then locks what the plan changes and reads, and plans again if that was changed meanwhile.
    async fn ready_beside_others(&self, opened: &mut Opened, saved: Option<SavedPlan>) -> Result<Ready, Diagnostics> {
        let Run { session, prepared, .. } = *self;
        let failed = |summary: &str, error: &dyn std::error::Error| {
            Diagnostics::from(lang::Diagnostic::error(summary, crate::session::chain(error)))
        };
        let timeout = self.args.state.lock_timeout;
        if opened.store.has_records().await.map_err(|error| failed("Failed to open the journal", &error))? {
            // What an interrupted run has left is cleared up while nobody else is at work.
            session.lock(opened, Extent::Whole, OPERATION, timeout).await?;
            let cleared = operation::open_state(session, prepared, opened, &self.hooks).await;
            session.show(&opened.unlock().await);
            cleared?;
        }
        let mut round = 0;
        loop {
            let snapshots = Snapshots::open(opened.store.clone());
            let snapshots = snapshots.await.map_err(|error| failed("Failed to load state", &error))?;
            let (mut plan, warnings) = match &saved {
                Some(saved) => (saved.plan.clone(), prepared.warnings.clone()),
                None if round == ROUNDS => return self.ready(opened, None).await,
                None => self.plan(&snapshots).await?,
            };
            let parts = planner::staleness::parts(&prepared.workspace, &plan);
            session.lock(opened, Extent::Parts(&parts), OPERATION, timeout).await?;
            let snapshots = Snapshots::open_parts(opened.store.clone());
            let snapshots = snapshots.await.map_err(|error| failed("Failed to load state", &error))?;
            if let Some(saved) = &saved {
                let mut saved = saved.clone();
                let fresh = operation::check_fresh(session, &prepared.workspace, &mut saved, &snapshots);
                fresh.map_err(Diagnostics::from)?;
                plan = saved.plan;
            } else if let Some(stored) = snapshots.stored()
                && planner::staleness::rebase(&prepared.workspace, &mut plan, stored).is_err()
            {
                session.show(&opened.unlock().await);
                round += 1;
                continue;
            }
            let journal = opened.store.journal().await;
            let journal = journal.map_err(|error| failed("Failed to open the journal", &error))?;
            return Ok(Ready { plan, warnings, snapshots, journal });
        }
    }

    /// Plans; the messages are warnings.
    async fn plan(&self, snapshots: &Snapshots) -> Result<(Plan, Diagnostics), Diagnostics> {
        let mut planned = operation::plan(self.prepared, snapshots, self.hooks.clone()).await;
        if !planned.diagnostics.has_errors() {
            // The apply looks at the checks again, when it knows more.
            planned.diagnostics = planned.diagnostics.into_iter().filter(|d| !d.is_from_check()).collect();
            if let Some(mut plan) = planned.plan {
                if self.verb == Verb::Refresh {
                    // It takes in what is there; it removes nothing.
                    plan.outputs.retain(|_, change| change.action != Action::Delete);
                }
                return Ok((plan, planned.diagnostics));
            }
        }
        if let Some(plan) = &planned.plan {
            self.show(plan);
        }
        Err(planned.diagnostics)
    }

    fn show(&self, plan: &Plan) {
        if self.verb != Verb::Refresh || plan.errored {
            operation::show_plan(self.session, plan);
        }
    }
}

async fn plan_and_apply(
    session: &Session,
    args: &ApplyArgs,
    verb: Verb,
    prepared: &operation::Prepared,
    opened: &mut Opened,
    saved: Option<SavedPlan>,
) -> Exit {
    let hooks = operation::progress(session);
    let run = Run { session, args, verb, prepared, hooks: hooks.clone() };
    let is_saved = saved.is_some();
    let mode = saved.as_ref().map_or(prepared.options.mode, |saved| saved.plan.mode);
    // A destroy and a refresh are about all that there is.
    let ready = match args.state.lock && mode == PlanMode::Normal && opened.store.is_divisible() {
        true => run.ready_beside_others(opened, saved).await,
        false => run.ready(opened, saved).await,
    };
    let Ready { plan, mut warnings, snapshots, journal } = match ready {
        Ok(ready) => ready,
        Err(diagnostics) => {
            session.show(&diagnostics);
            return Exit::Failure;
        }
    };
    if is_saved {
        operation::stream_planned(session, &plan);
    } else {
        run.show(&plan);
        if plan.has_changes() && !args.auto_approve {
            // Who decides has to see what there is to worry about.
            session.show(&std::mem::take(&mut warnings));
            if !approved(session, &plan) {
                return Exit::Failure;
            }
        }
    }
    let interrupt = Interrupt::default();
    let watcher = tokio::spawn(crate::interrupts::watch(session.ui.clone(), interrupt.clone()));
    let options = ApplyOptions {
        parallelism: operation::parallelism(&args.planning),
        interrupt,
        variables: prepared.options.variables.clone(),
        provisioners: Arc::new(session.environment.provisioners()),
        heart: opened.heart(),
    };
    let outcome = planner::apply(&prepared.workspace, &plan, snapshots, journal, &options, hooks).await;
    watcher.abort();
    if outcome.diagnostics.has_errors() {
        warnings.append(outcome.diagnostics);
        session.show(&warnings);
        return Exit::Failure;
    }
    if verb != Verb::Refresh {
        warnings.extend(planner::partial_apply_warning(&plan));
    }
    warnings.append(outcome.diagnostics);
    session.show(&warnings);
    if verb != Verb::Refresh {
        summary(session, verb == Verb::Destroy, &outcome.counts);
    }
    if let (Some(path), false) = (&args.state_out.state_out, session.ui.settings.json) {
        saved_elsewhere(session, path, &outcome.counts);
    }
    if verb != Verb::Destroy {
        outputs(session, &outcome.state);
    }
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

fn outputs(session: &Session, state: &state::State) {
    let ui = &session.ui;
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
