//! `state journal`

use clap::ArgAction;
use serde_json::{Value as Json, json};
use state::model::AttributeStep;
use state::{InstanceObject, JournalRecord, Outcome};

use super::{Exit, operation};
use crate::args::groups::StateArgs;
use crate::session::Session;

/// Shows the state's journal: the operations that an interrupted run left, or that a run which is under way has begun and
/// not stored yet. Nothing is changed, and no lock is taken. Values are not shown.
#[derive(Debug, clap::Parser)]
pub struct StateJournalArgs {
    /// Path to a Terraform state file whose journal is shown, for the local backend only. Defaults to "terraform.tfstate".
    #[arg(long, value_name = "path")]
    pub state: Option<String>,
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// Produce output in a machine-readable JSON format.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub json: bool,
}

/// The version of the document that `-json` prints.
const FORMAT_VERSION: &str = "1.0";

/// Runs the command.
pub async fn run(session: &Session, args: &StateJournalArgs) -> Exit {
    let unlocked = StateArgs { lock: false, lock_timeout: std::time::Duration::ZERO, state: args.state.clone() };
    let records = async {
        let opened = session.open(&unlocked, None, "OperationTypeInvalid").await?;
        let journal = opened.store.journal().await.map_err(|e| operation::failure("Failed to open the journal", &e))?;
        journal.records().await.map_err(|e| operation::failure("Failed to read the journal", &e))
    };
    let records = match records.await {
        Ok(records) => records,
        Err(diagnostics) => {
            session.show(&diagnostics);
            return Exit::Failure;
        }
    };
    let ui = &session.ui;
    if args.json {
        let records: Vec<Json> = records.iter().map(document).collect();
        let document = json!({ "format_version": FORMAT_VERSION, "records": records });
        ui.print(&format!("{document}\n"));
    } else if records.is_empty() {
        ui.print("The journal is empty.\n");
    } else {
        records.iter().for_each(|record| ui.print(&format!("{}\n", line(record))));
    }
    Exit::Success
}

/// `TIME  OPERATION  ADDRESS: what is known`
fn line(record: &JournalRecord) -> String {
    let intent = &record.intent;
    let deposed = intent.deposed.as_ref().map_or(String::new(), |key| format!(" (deposed object {key})"));
    let known = match (&record.outcome, &record.handed_over) {
        (Some(outcome), _) => outcome_words(outcome).to_owned(),
        (None, Some(_)) => "answered, not complete".to_owned(),
        (None, None) => "no answer known".to_owned(),
    };
    let id = id(record).map_or(String::new(), |id| format!(" [id={id}]"));
    format!("{}  {}  {}{deposed}: {known}{id}", record.time, intent.operation.as_str(), intent.address)
}

fn outcome_words(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Object(object) if object.status == state::model::ObjectStatus::Tainted => "done, not complete",
        Outcome::Object(_) => "done",
        Outcome::Gone => "gone",
        Outcome::Failed => "refused, nothing changed",
    }
}

fn document(record: &JournalRecord) -> Json {
    let intent = &record.intent;
    let outcome = record.outcome.as_ref().map(|outcome| match outcome {
        Outcome::Object(_) => "object",
        Outcome::Gone => "gone",
        Outcome::Failed => "failed",
    });
    json!({
        "time": record.time,
        "operation": intent.operation.as_str(),
        "address": intent.address.to_string(),
        "deposed": intent.deposed.as_ref().map(ToString::to_string),
        "provider": intent.provider.to_string(),
        "client_token": intent.client_token,
        "handed_over": record.handed_over.is_some(),
        "outcome": outcome,
        "id": id(record),
    })
}

/// The object's id as far as it is known, unless it is sensitive.
fn id(record: &JournalRecord) -> Option<String> {
    let object: &InstanceObject = match &record.outcome {
        Some(Outcome::Object(object)) => object,
        _ => record.handed_over.as_ref()?,
    };
    let hidden = |path: &state::model::AttributePath| {
        path.0.is_empty() || matches!(path.0.first(), Some(AttributeStep::Attribute(name)) if name.as_str() == "id")
    };
    if object.sensitive_attributes.iter().any(hidden) {
        return None;
    }
    let attributes = object.attributes.to_value().ok()?;
    attributes.get("id")?.as_str().filter(|id| !id.is_empty()).map(str::to_owned)
}
