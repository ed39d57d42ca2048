//! `state recover`

use clap::ArgAction;
use lang::addr::ResourceInstance;
use lang::addr_parse::AddressError;
use lang::{Diagnostic, Diagnostics};
use state::IntentId;

use super::apply::Verb;
use super::{Exit, operation};
use crate::args::groups::{PlanningArgs, StateArgs, VariableArgs};
use crate::json_views::stream::Event;
use crate::session::{Opened, Session};

/// Clears up what an interrupted run left, as "plan" and "apply" do before anything else: finds out what became of each
/// operation in the state's journal, and stores it. Nothing is created, changed or removed.
#[derive(Debug, clap::Parser)]
pub struct StateRecoverArgs {
    /// Takes what was begun at this address out of the journal, without finding out what became of it. For what you have cleared up yourself. May be given several times.
    #[arg(long, value_name = "address", action = ArgAction::Append)]
    pub forget: Vec<String>,
    /// Values of input variables, which providers' configurations may need.
    #[command(flatten)]
    pub variables: VariableArgs,
    /// The state.
    #[command(flatten)]
    pub state: StateArgs,
    /// Ask for input for variables if not directly set.
    #[arg(long, action = ArgAction::Set, default_value_t = true, value_name = "false")]
    pub input: bool,
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// Produce output in a machine-readable JSON format.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub json: bool,
}

/// Runs the command.
pub async fn run(session: &Session, args: StateRecoverArgs) -> Exit {
    if args.json {
        session.ui.event(&Event::version());
    }
    let planning = PlanningArgs { variables: args.variables, refresh_only: true, ..PlanningArgs::default() };
    let result = async {
        let forget = addresses(&args.forget)?;
        let prepared = operation::prepare(session, &planning, args.input && !args.json, Verb::Refresh)?;
        let opened = session.open(&args.state, None, "OperationTypeApply").await?;
        let recovered = recover(session, &prepared, &opened, &forget).await;
        let released = opened.close().await;
        let (count, mut warnings) = recovered?;
        warnings.append(released);
        if warnings.has_errors() { Err(warnings) } else { Ok((count, warnings)) }
    };
    match result.await {
        Ok((count, warnings)) => {
            session.show(&warnings);
            report(session, count);
            Exit::Success
        }
        Err(diagnostics) => {
            session.show(&diagnostics);
            Exit::Failure
        }
    }
}

fn addresses(texts: &[String]) -> Result<Vec<ResourceInstance>, Diagnostics> {
    let parse = |text: &String| {
        text.parse().map_err(|error: AddressError| {
            Diagnostics::from(Diagnostic::error(format!("Invalid address {text:?}"), error.to_string()))
        })
    };
    texts.iter().map(parse).collect()
}

/// How many operations were cleared up.
async fn recover(
    session: &Session,
    prepared: &operation::Prepared,
    opened: &Opened,
    forget: &[ResourceInstance],
) -> Result<(usize, Diagnostics), Diagnostics> {
    let (mut snapshots, journal) = operation::open_journal(opened).await?;
    let records = journal.records().await.map_err(|e| operation::failure("Failed to read the journal", &e))?;
    let count = records.len();
    let hooks = operation::progress(session);
    let forgotten = records.iter().filter(|record| forget.contains(&record.intent.address));
    let ids: Vec<IntentId> = forgotten.clone().map(|record| record.id).collect();
    journal.settle(&ids).await.map_err(|e| operation::failure("Failed to write the journal", &e))?;
    for record in forgotten {
        let deposed = record.intent.deposed.as_ref().map(ToString::to_string);
        hooks.recovered(&record.intent.address, deposed.as_deref(), "is taken out of the journal, as you wish");
    }
    let warnings = operation::recover(prepared, &mut snapshots, journal.as_ref(), hooks.as_ref()).await?;
    Ok((count, warnings))
}

fn report(session: &Session, count: usize) {
    let ui = &session.ui;
    let text = match count {
        0 => "There is nothing to recover: the journal is empty.".to_owned(),
        count => format!("Recovery complete! Operations: {count} cleared up."),
    };
    if ui.settings.json {
        ui.event(&Event::new("recovery_summary", text).with("operations", count));
    } else {
        let text = if count == 0 { text } else { format!("\n{}", ui.style.bold_green(&text)) };
        ui.print(&format!("{text}\n"));
    }
}
