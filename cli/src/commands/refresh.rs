//! `refresh`

use clap::ArgAction;

use super::Exit;
use super::apply::{self, ApplyArgs, Verb};
use crate::args::groups::{PlanningArgs, StateArgs, StateOutArgs, VariableArgs, ViewArgs};
use crate::session::Session;

/// Update the state file of your infrastructure with metadata that matches the physical resources they are tracking. This
/// will not modify your infrastructure, but it can modify your state file. Prefer "terraform apply -refresh-only", which
/// lets you review the changes first.
#[derive(Debug, clap::Parser)]
pub struct RefreshArgs {
    /// Limit the operation to the given module, resource or resource instance and all of its dependencies. May be given several times.
    #[arg(long, value_name = "resource", action = ArgAction::Append)]
    pub target: Vec<String>,
    /// Leave out the given module, resource or resource instance and all that depends on it. May be given several times.
    #[arg(long, value_name = "resource", action = ArgAction::Append)]
    pub exclude: Vec<String>,
    /// Limit the number of concurrent operations.
    #[arg(long, default_value_t = 10, value_name = "n")]
    pub parallelism: usize,
    /// Values of input variables.
    #[command(flatten)]
    pub variables: VariableArgs,
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
}

/// Runs the command: a refresh-only apply that asks nobody.
pub async fn run(session: &Session, args: RefreshArgs) -> Exit {
    let planning = PlanningArgs {
        target: args.target,
        exclude: args.exclude,
        parallelism: args.parallelism,
        variables: args.variables,
        refresh_only: true,
        ..PlanningArgs::default()
    };
    let args = ApplyArgs {
        auto_approve: true,
        planning,
        state: args.state,
        state_out: args.state_out,
        view: args.view,
        input: args.input,
        json: args.json,
        plan: Vec::new(),
    };
    apply::run(session, &args, Verb::Refresh).await
}
