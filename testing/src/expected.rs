//! `expect_failures`: conditions that must not hold.

use config::references::{self, Reference, attribute_of};
use config::test_file::Run;
use lang::ast::{StepKind, Traversal};
use lang::{Diagnostic, Diagnostics, Range, Str};
use planner::plan::{CheckOutcome, CheckStatus, Checkable};

/// The expectations of a run.
pub(crate) struct Expectations {
    all: Vec<Expectation>,
}

/// One of them.
pub(crate) struct Expectation {
    text: String,
    range: Range,
    object: Option<Subject>,
    met: bool,
}

/// A checkable object.
#[derive(PartialEq, Eq)]
enum Subject {
    Variable(Str),
    Output(Str),
    Check(Str),
    Resource(String),
}

impl Expectation {
    /// What a traversal names; what follows that is not looked at.
    pub fn new(traversal: &Traversal) -> Result<Expectation, Diagnostic> {
        // Roots that only mean something in tests.
        let of_tests: Option<fn(Str) -> Option<Subject>> = match traversal.root.as_str() {
            "output" => Some(|name| Some(Subject::Output(name))),
            "check" => Some(|name| Some(Subject::Check(name))),
            "run" => Some(|_| None),
            _ => None,
        };
        if let Some(subject) = of_tests {
            let (name, range) = attribute_of(traversal)?;
            return Ok(Expectation { text: written(traversal, 1), range, object: subject(name.clone()), met: false });
        }
        let reference = Reference::parse(traversal)?;
        let object = match reference.subject {
            references::Subject::Variable(name) => Some(Subject::Variable(name)),
            references::Subject::Resource(resource) => Some(Subject::Resource(resource.to_string())),
            references::Subject::ResourceInstance(resource, key) => Some(Subject::Resource(format!("{resource}{key}"))),
            _ => None,
        };
        let text = match &object {
            Some(Subject::Resource(address)) => address.clone(),
            _ => written(traversal, reference.consumed),
        };
        Ok(Expectation { text, range: reference.range, object, met: false })
    }

    /// The error that this cannot be expected.
    pub fn invalid(&self) -> Option<Diagnostic> {
        let detail = || {
            format!(
                "You cannot expect failures from {}. You can only expect failures from checkable objects such as input \
                 variables, output values, check blocks, managed resources and data sources.",
                self.text
            )
        };
        let unfit = self.object.is_none();
        unfit.then(|| Diagnostic::error("Invalid `expect_failures` reference", detail()).at(self.range))
    }
}

impl Expectations {
    /// The expectations of a run that is valid.
    pub fn new(run: &Run) -> Expectations {
        Expectations { all: run.expected.iter().filter_map(|traversal| Expectation::new(traversal).ok()).collect() }
    }

    /// Takes what was expected out of the messages and adds the rest to `diagnostics`. A failed `check` that nobody expected
    /// is an error here, while it is a warning elsewhere.
    pub fn settle(&mut self, checks: &[CheckOutcome], problems: Diagnostics, diagnostics: &mut Diagnostics) {
        let failed: Vec<&CheckOutcome> =
            checks.iter().filter(|outcome| matches!(outcome.status, CheckStatus::Fail)).collect();
        let mut excused: Vec<String> = Vec::new();
        for outcome in failed {
            let met = self.all.iter_mut().filter(|e| e.object.as_ref().is_some_and(|o| covers(o, outcome)));
            let mut any = false;
            for expectation in met {
                expectation.met = true;
                any = true;
            }
            if any {
                excused.extend(outcome.problems.iter().cloned());
            }
        }
        for problem in problems {
            let condition = CONDITIONS.contains(&problem.summary());
            let is_excused = condition && excused.iter().any(|message| problem.detail().starts_with(message.as_str()));
            if is_excused {
                continue;
            }
            diagnostics.push(if condition && !problem.is_error() { problem.as_error() } else { problem });
        }
    }

    /// What was expected and did not happen.
    pub fn missing(&self) -> Diagnostics {
        let unmet = self.all.iter().filter(|expectation| !expectation.met);
        let diagnostic = |expectation: &Expectation| {
            let detail =
                format!("The checkable object, {}, was expected to report an error but did not.", expectation.text);
            Diagnostic::error("Missing expected failure", detail).at(expectation.range)
        };
        unmet.map(diagnostic).collect()
    }

    /// Adds what is wrong with the plan of an apply. What was expected of the apply is told with why it fails the run all the same.
    pub fn explain(&self, checks: &[CheckOutcome], problems: Diagnostics, diagnostics: &mut Diagnostics) {
        for problem in problems {
            let is_condition = problem.is_error() && CONDITIONS.contains(&problem.summary());
            let tells_of = |outcome: &&CheckOutcome| {
                let of_outcome = |message: &String| problem.detail().starts_with(message.as_str());
                matches!(outcome.status, CheckStatus::Fail) && outcome.problems.iter().any(of_outcome)
            };
            let expected = checks.iter().filter(|_| is_condition).filter(tells_of).find_map(|outcome| {
                let of_outcome = |e: &&Expectation| e.object.as_ref().is_some_and(|object| covers(object, outcome));
                Some((outcome, self.all.iter().find(of_outcome)?))
            });
            if let Some((outcome, expectation)) = expected {
                let object = match &outcome.object {
                    Checkable::Resource(resource, key) => format!("{resource}{key}"),
                    _ => expectation.text.clone(),
                };
                let detail = format!(
                    "A custom condition within {object} failed during the planning stage and prevented the requested apply \
                     operation. While this was an expected failure, the apply operation could not be executed and so the \
                     overall test case will be marked as a failure and the original diagnostic included in the test report."
                );
                let warning = Diagnostic::warning("Expected failure while planning", detail);
                diagnostics.push(warning.at(expectation.range));
            }
            diagnostics.push(problem);
        }
    }
}

const CONDITIONS: [&str; 6] = [
    "Invalid value for variable",
    "Resource precondition failed",
    "Resource postcondition failed",
    "Module output value precondition failed",
    "Check block assertion failed",
    "Check block assertion known after apply",
];

/// The beginning of a traversal as text.
fn written(traversal: &Traversal, steps: usize) -> String {
    let mut text = traversal.root.to_string();
    for step in traversal.steps.iter().take(steps) {
        match &step.kind {
            StepKind::Attribute(name) => text.push_str(&format!(".{name}")),
            StepKind::Key(key) => text.push_str(&format!("[{key:?}]")),
            StepKind::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

fn covers(subject: &Subject, outcome: &CheckOutcome) -> bool {
    if !outcome.module.is_root() {
        return false;
    }
    match (subject, &outcome.object) {
        (Subject::Variable(name), Checkable::Variable(failed)) => name == failed,
        (Subject::Output(name), Checkable::Output(failed)) => name == failed,
        (Subject::Check(name), Checkable::Check(failed)) => name == failed,
        (Subject::Resource(text), Checkable::Resource(resource, key)) => {
            *text == resource.to_string() || *text == format!("{resource}{key}")
        }
        _ => false,
    }
}
