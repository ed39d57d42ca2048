//! Tests as events.

use config::test_file::{Run, TestFile};
use lang::Diagnostics;
use serde_json::{Value as Json, json};
use state::State;
use testing::{FileOutcome, Reporter, RunOutcome, Shown, Status};

use super::Counts;
use crate::json_views::diagnostic::document;
use crate::json_views::plan::plan_document;
use crate::json_views::schema::provider_schemas;
use crate::json_views::state::state_document;
use crate::json_views::stream::Event;
use crate::providers::RegistrySchemas;
use crate::session::Session;

/// Writes events.
pub struct JsonReporter<'a> {
    session: &'a Session,
    verbose: bool,
}

fn name(status: Status) -> &'static str {
    match status {
        Status::Skip => "skip",
        Status::Pass => "pass",
        Status::Fail => "fail",
        Status::Error => "error",
    }
}

/// The word for people: a run with an error has failed, too.
fn word(status: Status) -> &'static str {
    if status == Status::Error { "fail" } else { name(status) }
}

/// What is going to be run.
pub fn abstract_of(session: &Session, files: &[TestFile]) {
    let runs: usize = files.iter().map(|file| file.runs.len()).sum();
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let message = format!("Found {} file{} and {runs} run block{}", files.len(), plural(files.len()), plural(runs));
    let all: serde_json::Map<String, Json> = files
        .iter()
        .map(|file| (file.name.clone(), file.runs.iter().map(|run| Json::from(run.name.as_str())).collect()))
        .collect();
    session.ui.event(&Event::new("test_abstract", message).with("test_abstract", all));
}

impl<'a> JsonReporter<'a> {
    /// Events of a session.
    pub fn new(session: &'a Session, verbose: bool) -> JsonReporter<'a> {
        JsonReporter { session, verbose }
    }

    fn file_event(&self, file: &TestFile, state: &str, part: Json) {
        let message = format!("{}... {state}", file.name);
        let event = Event::new("test_file", message).with("@testfile", file.name.as_str()).with("test_file", part);
        self.session.ui.event(&event);
    }

    fn run_event(&self, file: &TestFile, run: &Run, state: &str, part: Json) {
        let event = Event::new("test_run", format!("  {:?}... {state}", run.name.as_str()));
        self.session.ui.event(&located(event, file, run).with("test_run", part));
    }

    fn show(&self, file: &TestFile, run: &Run, shown: &Shown) {
        let schemas = RegistrySchemas(&self.session.providers);
        let (kind, what, part) = match shown {
            Shown::Plan(plan) => {
                let sources = plan.changes.iter().chain(&plan.drift).map(|change| change.provider.source.clone());
                let provider_schemas = provider_schemas(&self.session.providers, &sources.collect());
                let plan = plan_document(plan, &schemas, None);
                let part = json!({
                    "plan_format_version": plan.format_version,
                    "output_changes": plan.output_changes,
                    "resource_changes": plan.resource_changes,
                    "resource_drift": plan.resource_drift,
                    "relevant_attributes": plan.relevant_attributes,
                    "provider_format_version": "1.0",
                    "provider_schemas": provider_schemas,
                });
                ("test_plan", "plan", part)
            }
            Shown::State(state) => {
                let sources = state.resources.values().map(|resource| resource.provider.source.clone());
                let provider_schemas = provider_schemas(&self.session.providers, &sources.collect());
                let state = state_document(state, &schemas);
                let part = json!({
                    "state_format_version": state.format_version,
                    "root_module": state.values.as_ref().map_or(json!({}), |values| json!(values.root_module)),
                    "outputs": state.values.as_ref().map(|values| &values.outputs),
                    "provider_format_version": "1.0",
                    "provider_schemas": provider_schemas,
                });
                ("test_state", "state", part)
            }
        };
        let event = Event::new(kind, format!("-verbose flag enabled, printing {what}"));
        self.session.ui.event(&located(event, file, run).with(kind, without_what_is_empty(part)));
    }

    /// Messages about a file, or about one of its runs.
    fn diagnostics(&self, file: &TestFile, run: Option<&Run>, diagnostics: &Diagnostics) {
        for diagnostic in diagnostics.iter() {
            let event =
                Event::diagnostic(document(diagnostic, &self.session.sources)).with("@testfile", file.name.as_str());
            let event = match run {
                Some(run) => event.with("@testrun", run.name.as_str()),
                None => event,
            };
            self.session.ui.event(&event);
        }
    }
}

/// Only `root_module` is there even where there is nothing in it.
fn without_what_is_empty(mut document: Json) -> Json {
    let is_empty = |value: &Json| match value {
        Json::Null => true,
        Json::Array(elements) => elements.is_empty(),
        Json::Object(members) => members.is_empty(),
        _ => false,
    };
    if let Some(members) = document.as_object_mut() {
        members.retain(|name, value| name == "root_module" || !is_empty(value));
    }
    document
}

fn located(event: Event, file: &TestFile, run: &Run) -> Event {
    event.with("@testfile", file.name.as_str()).with("@testrun", run.name.as_str())
}

impl Reporter for JsonReporter<'_> {
    fn file_started(&self, file: &TestFile) {
        self.file_event(file, "in progress", json!({"path": file.name, "progress": "starting"}));
    }

    fn run_started(&self, file: &TestFile, run: &Run) {
        let part = json!({"path": file.name, "run": run.name.as_str(), "progress": "starting", "elapsed": 0});
        self.run_event(file, run, "in progress", part);
    }

    fn run_finished(&self, file: &TestFile, run: &Run, outcome: &RunOutcome) {
        let (path, status) = (&file.name, name(outcome.status));
        let part = json!({"path": path, "run": run.name.as_str(), "progress": "complete", "status": status});
        self.run_event(file, run, word(outcome.status), part);
        if let Some(shown) = outcome.shown.as_ref().filter(|_| self.verbose) {
            self.show(file, run, shown);
        }
        self.diagnostics(file, Some(run), &outcome.diagnostics);
    }

    fn teardown(&self, file: &TestFile) {
        self.file_event(file, "tearing down", json!({"path": file.name, "progress": "teardown"}));
    }

    fn run_teardown(&self, file: &TestFile, run: &Run) {
        let part = json!({"path": file.name, "run": run.name.as_str(), "progress": "teardown", "elapsed": 0});
        self.run_event(file, run, "tearing down", part);
    }

    fn left_over(&self, file: &TestFile, run: &Run, state: &State, diagnostics: &Diagnostics) {
        self.diagnostics(file, Some(run), diagnostics);
        let failed: Vec<Json> =
            state.instances().map(|(address, ..)| json!({"instance": address.to_string()})).collect();
        let message = format!(
            "Terraform left some resources in state after executing {}/{}, they need to be cleaned up manually.",
            file.name, run.name
        );
        let part = json!({ "failed_resources": failed });
        self.session.ui.event(&located(Event::new("test_cleanup", message), file, run).with("test_cleanup", part));
    }

    fn file_finished(&self, file: &TestFile, outcome: &FileOutcome) {
        let part = json!({"path": file.name, "progress": "complete", "status": name(outcome.status)});
        self.file_event(file, word(outcome.status), part);
        self.diagnostics(file, None, &outcome.diagnostics);
    }
}

/// The last event.
pub fn summary(session: &Session, counts: &Counts) {
    let head = if counts.worst > Status::Pass { "Failure!" } else { "Success!" };
    let part = json!({
        "status": name(counts.worst),
        "passed": counts.passed,
        "failed": counts.failed,
        "errored": counts.errored,
        "skipped": counts.skipped,
    });
    let event = Event::new("test_summary", format!("{head} {}", counts.text())).with("test_summary", part);
    session.ui.event(&event);
}
