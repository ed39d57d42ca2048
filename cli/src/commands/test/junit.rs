//! Tests as a report in JUnit's XML format, which CI systems show.

use config::test_file::TestFile;
use lang::{Severity, Sources};
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
    text + "</testsuites>"
}

fn case(file: &str, run: &RunOutcome, asserts: usize, culprit: &str, sources: &Sources) -> String {
    let head = format!("    <testcase name=\"{}\" classname=\"{}\"", escaped(&run.name), escaped(file));
    let time = now();
    let time = time.split('.').next().unwrap_or_default().trim_end_matches('Z');
    let timed = format!("{head} time=\"{}\" timestamp=\"{time}Z\">", run.elapsed.as_secs_f64());
    let errors = || section(&texts(run, sources, Severity::Error));
    let (start, result) = match run.status {
        Status::Pass => (timed, String::new()),
        Status::Skip => {
            let body = format!(
                "Previous testcase {culprit:?} ended in error, which caused the remaining tests in the file to be skipped"
            );
            let message = "Testcase skipped due to a previous testcase error";
            (format!("{head}>"), format!("      <skipped message=\"{message}\">{}</skipped>\n", section(&body)))
        }
        Status::Fail => {
            let message = escaped(&failure(run, asserts));
            (timed, format!("      <failure message=\"{message}\">{}</failure>\n", errors()))
        }
        Status::Error => (timed, format!("      <error message=\"Encountered an error\">{}</error>\n", errors())),
    };
    let warnings = texts(run, sources, Severity::Warning);
    let aside = match warnings.is_empty() {
        true => String::new(),
        false => format!("      <system-err>{}</system-err>\n", section(&warnings)),
    };
    match result.is_empty() && aside.is_empty() {
        true => format!("{start}</testcase>\n"),
        false => format!("{start}\n{result}{aside}    </testcase>\n"),
    }
}

fn section(text: &str) -> String {
    // The one thing that must not stand in such a section is its end.
    format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"))
}

fn failure(run: &RunOutcome, asserts: usize) -> String {
    let failed: Vec<_> = run.diagnostics.iter().filter(|d| d.is_error()).collect();
    let first = failed.first().map_or("", |diagnostic| diagnostic.detail());
    format!("{} of {asserts} assertions failed: {first}", failed.len())
}

fn texts(run: &RunOutcome, sources: &Sources, severity: Severity) -> String {
    let frame = Frame { style: Style::PLAIN, ruled: false, width: 79 };
    let shown = run.diagnostics.iter().filter(|diagnostic| diagnostic.severity() == severity);
    shown.map(|diagnostic| render_diagnostic(diagnostic, sources, frame)).collect()
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
