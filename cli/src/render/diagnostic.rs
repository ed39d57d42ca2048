//! Diagnostics for people.

use lang::{Diagnostic, Diagnostics, Severity, Sources};

use super::wrap::word_wrap;
use crate::json_views::diagnostic::{DiagnosticDocument, Snippet, document};
use crate::style::Style;

/// How diagnostics are printed.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Colours.
    pub style: Style,
    /// Whether a rule runs along the left side; without it a blank line comes first (`-no-color`).
    pub ruled: bool,
    /// Columns of the output.
    pub width: usize,
}

/// The order in which diagnostics are shown: warnings first, those without a place before those with one, then by place, with
/// files of folders below others last.
pub fn sorted(diagnostics: &Diagnostics, sources: &Sources) -> Vec<Diagnostic> {
    let mut list: Vec<Diagnostic> = diagnostics.iter().cloned().collect();
    list.sort_by_cached_key(|d| {
        let place = d.subject().map(|s| {
            let name = sources.get(s.file).map(|f| f.name.clone()).unwrap_or_default();
            (name.components().count(), name, s.start, s.end)
        });
        (d.severity(), place)
    });
    list
}

/// Terraform shows only the first of many warnings with the same summary, and says how many more there are. Those of checks are
/// all shown.
pub fn consolidated(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let alone = |d: &Diagnostic| d.is_error() || d.is_from_check() || d.subject().is_none();
    let same = |d: &Diagnostic, summary: &str| !alone(d) && d.summary() == summary;
    let mut out: Vec<Diagnostic> = Vec::with_capacity(diagnostics.len());
    for diagnostic in &diagnostics {
        if alone(diagnostic) {
            out.push(diagnostic.clone());
            continue;
        }
        if out.iter().any(|d| same(d, diagnostic.summary())) {
            continue;
        }
        let more = diagnostics.iter().filter(|d| same(d, diagnostic.summary())).count() - 1;
        out.push(if more == 0 { diagnostic.clone() } else { with_note(diagnostic, more) });
    }
    out
}

fn with_note(diagnostic: &Diagnostic, more: usize) -> Diagnostic {
    let others = match more {
        1 => "one more similar warning".to_owned(),
        more => format!("{more} more similar warnings"),
    };
    let detail = format!("{}\n\n(and {others} elsewhere)", diagnostic.detail());
    let values = diagnostic.values().to_vec();
    let mut copy = Diagnostic::warning(diagnostic.summary(), detail).with_values_because(values, diagnostic.cause());
    if let Some(subject) = diagnostic.subject() {
        copy = copy.at(subject);
    }
    if let Some(context) = diagnostic.context() {
        copy = copy.within(context);
    }
    if let Some(address) = diagnostic.address() {
        copy = copy.with_address(address);
    }
    copy
}

/// One diagnostic, with a line break at the end.
pub fn render_diagnostic(diagnostic: &Diagnostic, sources: &Sources, frame: Frame) -> String {
    let document = document(diagnostic, sources);
    let style = frame.style;
    let label = match diagnostic.severity() {
        Severity::Error => style.bold_red("Error: "),
        Severity::Warning => style.bold_yellow("Warning: "),
    };
    let mut body = format!("{label}{}\n\n", style.bold(&document.summary));
    source(&document, style, &mut body);
    if !document.detail.is_empty() {
        let width = if frame.ruled { frame.width.saturating_sub(2) } else { frame.width };
        body.push_str(&word_wrap(&document.detail, width));
        body.push('\n');
    }
    if !frame.ruled {
        return format!("\n{body}");
    }
    let rule = |text: &str| match diagnostic.severity() {
        Severity::Error => style.red(text),
        Severity::Warning => style.yellow(text),
    };
    let mut out = format!("{}\n", rule("╷"));
    for line in body.trim_end_matches('\n').split('\n') {
        // Terraform asks this of lines with their escape sequences in them.
        let space = if line.is_empty() && !style.color { "" } else { " " };
        out.push_str(&format!("{}{space}{line}\n", rule("│")));
    }
    out + &rule("╵") + "\n"
}

fn source(document: &DiagnosticDocument, style: Style, out: &mut String) {
    if let Some(address) = &document.address {
        out.push_str(&format!("  with {address},\n"));
    }
    if let (Some(range), None) = (&document.range, &document.snippet) {
        out.push_str(&format!("  on {} line {}:\n  (source code not available)\n", range.filename, range.start.line));
    }
    if let (Some(range), Some(snippet)) = (&document.range, &document.snippet) {
        let context = snippet.context.as_ref().map_or(String::new(), |c| format!(", in {c}"));
        out.push_str(&format!("  on {} line {}{context}:\n", range.filename, range.start.line));
        code(snippet, style, out);
        details(snippet, style, out);
    }
    if document.address.is_some() || document.range.is_some() {
        out.push('\n');
    }
}

fn code(snippet: &Snippet, style: Style, out: &mut String) {
    let (start, end) = (snippet.highlight_start_offset, snippet.highlight_end_offset);
    let parts = (snippet.code.get(..start), snippet.code.get(start..end), snippet.code.get(end..));
    let text = match parts {
        (Some(before), Some(place), Some(after)) if !place.is_empty() => {
            let underlined: Vec<String> = place.split('\n').map(|line| style.underline(line)).collect();
            format!("{before}{}{after}", underlined.join("\n"))
        }
        _ => snippet.code.clone(),
    };
    for (i, line) in text.split('\n').enumerate() {
        out.push_str(&format!("{:4}: {line}\n", snippet.start_line + i));
    }
}

fn details(snippet: &Snippet, style: Style, out: &mut String) {
    if snippet.values.is_empty() && snippet.function_call.is_none() {
        return;
    }
    out.push_str(&format!("    {}\n", style.gray("├────────────────")));
    let bar = style.gray("│");
    if let Some(call) = &snippet.function_call {
        let parameters = call.signature.parameters();
        out.push_str(&format!("    {bar} while calling {}({parameters})\n", style.bold(&call.called_as)));
    }
    for value in &snippet.values {
        out.push_str(&format!("    {bar} {} {}\n", style.bold(&value.traversal), value.statement));
    }
}

/// Warnings alone, in a few words each (`-compact-warnings`).
pub fn render_compact(warnings: &[Diagnostic], sources: &Sources, style: Style) -> String {
    let mut out = format!("\n{}\n\n", style.bold_yellow("Warnings:"));
    for warning in warnings {
        out.push_str(&format!("- {}\n", warning.summary()));
        if let Some(range) = document(warning, sources).range {
            out.push_str(&format!("  on {} line {}\n", range.filename, range.start.line));
        }
    }
    out + "\nTo see the full warning notes, run Terraform without -compact-warnings.\n"
}
