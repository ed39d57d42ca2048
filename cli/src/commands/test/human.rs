//! Tests as text.

use config::test_file::{Run, TestFile};
use lang::Diagnostics;
use state::State;
use testing::{FileOutcome, Reporter, RunOutcome, Shown, Status};

use super::Counts;
use crate::json_views::state::state_document;
use crate::providers::RegistrySchemas;
use crate::render::state::render_state;
use crate::render::wrap::word_wrap;
use crate::session::Session;
use crate::style::Style;

/// Prints lines.
pub struct HumanReporter<'a> {
    /// Where to.
    pub session: &'a Session,
    /// Whether plans and states are shown.
    pub verbose: bool,
}

fn word(status: Status, style: Style) -> String {
    match status {
        Status::Skip => style.gray("skip"),
        Status::Pass => style.green("pass"),
        Status::Fail | Status::Error => style.red("fail"),
    }
}

impl HumanReporter<'_> {
    fn line(&self, text: &str) {
        self.session.ui.print(&format!("{text}\n"));
    }
}

impl Reporter for HumanReporter<'_> {
    fn file_started(&self, file: &TestFile) {
        self.line(&format!("{}... {}", file.name, self.session.ui.style.gray("in progress")));
    }

    fn run_started(&self, _: &TestFile, _: &Run) {}

    fn run_finished(&self, _: &TestFile, run: &Run, outcome: &RunOutcome) {
        self.line(&format!("  run \"{}\"... {}", run.name, word(outcome.status, self.session.ui.style)));
        if self.verbose {
            match &outcome.shown {
                Some(Shown::Plan(plan)) => {
                    super::super::operation::show_plan(self.session, plan);
                    self.line("");
                }
                Some(Shown::State(state)) => {
                    let schemas = RegistrySchemas(&self.session.providers);
                    let text = render_state(&state_document(state, &schemas), &schemas, self.session.ui.style);
                    self.line(&format!("\n{text}"));
                }
                None => {}
            }
        }
        self.session.show(&outcome.diagnostics);
        if outcome.diagnostics.iter().any(|diagnostic| !diagnostic.is_error()) {
            self.line("");
        }
    }

    fn teardown(&self, file: &TestFile) {
        self.line(&format!("{}... {}", file.name, self.session.ui.style.gray("tearing down")));
    }

    fn run_teardown(&self, _: &TestFile, _: &Run) {}

    fn left_over(&self, file: &TestFile, run: &Run, state: &State, diagnostics: &Diagnostics) {
        let ui = &self.session.ui;
        if diagnostics.has_errors() {
            let text = format!(
                "Terraform encountered an error destroying resources created while executing {}/{}.",
                file.name, run.name
            );
            ui.eprint(&format!("{}\n", word_wrap(&text, ui.width)));
            self.session.show(diagnostics);
        }
        let text = format!(
            "Terraform left the following resources in state after executing {}/{}, and they need to be cleaned up manually:",
            file.name, run.name
        );
        ui.eprint(&format!("\n{}\n", word_wrap(&text, ui.width)));
        for (address, _, instance) in state.instances() {
            if instance.current.is_some() {
                ui.eprint(&format!("  - {address}\n"));
            }
            for key in instance.deposed.keys() {
                ui.eprint(&format!("  - {address} ({key})\n"));
            }
        }
    }

    fn file_finished(&self, file: &TestFile, outcome: &FileOutcome) {
        self.line(&format!("{}... {}", file.name, word(outcome.status, self.session.ui.style)));
        self.session.show(&outcome.diagnostics);
    }
}

/// The last line.
pub fn summary(session: &Session, counts: &Counts) {
    let style = session.ui.style;
    let head = match counts.worst {
        Status::Fail | Status::Error => style.red("Failure!"),
        Status::Pass | Status::Skip => style.green("Success!"),
    };
    session.ui.print(&format!("\n{head} {}\n", counts.text()));
}
