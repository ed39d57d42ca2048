//! Tests as a report in JUnit's XML format, which CI systems show.

use config::test_file::TestFile;
use lang::Sources;
use testing::{FileOutcome, RunOutcome, Status};

use crate::json_views::stream::now;
use crate::render::diagnostic::{Frame, render_diagnostic};
use crate::style::Style;

/// The report.
pub fn document(files: &[TestFile], outcomes: &[FileOutcome], sources: &Sources) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><testsuites>".to_owned();
    if !outcomes.is_empty() {
        text.push('\n');
    }
    for (file, outcome) in files.iter().zip(outcomes) {
        let count = |status| outcome.runs.iter().filter(|run| run.status == status).count();
        text.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" skipped=\"{}\" failures=\"{}\" errors=\"{}\">\n",
            escaped(&file.name),
            outcome.runs.len(),
            count(Status::Skip),
            count(Status::Fail),
            count(Status::Error),
        ));
        let mut culprit = "";
        for (run, asserts) in outcome.runs.iter().zip(file.runs.iter().map(|run| run.asserts.len())) {
            text.push_str(&case(&file.name, run, asserts, culprit, sources));
            if run.status == Status::Error {
                culprit = run.name.as_str();
            }
        }
        text.push_str("  </testsuite>\n");
    }
    text + "</testsuites>\n"
}

fn case(file: &str, run: &RunOutcome, asserts: usize, culprit: &str, sources: &Sources) -> String {
    let head = format!("    <testcase name=\"{}\" classname=\"{}\"", escaped(&run.name), escaped(file));
    let time = now();
    let time = time.split('.').next().unwrap_or_default().trim_end_matches('Z');
    let timed = format!("{head} time=\"{}\" timestamp=\"{time}Z\">", run.elapsed.as_secs_f64());
    let (start, tag, message, body) = match run.status {
        Status::Pass => return format!("{timed}</testcase>\n"),
        Status::Skip => (
            format!("{head}>"),
            "skipped",
            "Testcase skipped due to a previous testcase error".to_owned(),
            format!(
                "Previous testcase {culprit:?} ended in error, which caused the remaining tests in the file to be skipped"
            ),
        ),
        Status::Fail => (timed, "failure", failure(run, asserts), texts(run, sources)),
        Status::Error => (timed, "error", "Encountered an error".to_owned(), texts(run, sources)),
    };
    // The one thing that must not stand in such a section is its end.
    let body = body.replace("]]>", "]]]]><![CDATA[>");
    format!("{start}\n      <{tag} message=\"{}\"><![CDATA[{body}]]></{tag}>\n    </testcase>\n", escaped(&message))
}

fn failure(run: &RunOutcome, asserts: usize) -> String {
    let failed: Vec<_> = run.diagnostics.iter().filter(|d| d.is_error()).collect();
    let first = failed.first().map_or("", |diagnostic| diagnostic.detail());
    format!("{} of {asserts} assertions failed: {first}", failed.len())
}

fn texts(run: &RunOutcome, sources: &Sources) -> String {
    let frame = Frame { style: Style::PLAIN, ruled: false, width: 78 };
    run.diagnostics.iter().map(|diagnostic| render_diagnostic(diagnostic, sources, frame)).collect()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&#34;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
