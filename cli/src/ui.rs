//! Printing: text for people or JSON lines for programs.

use std::io::{BufRead, Write};
use std::sync::{Mutex, MutexGuard};

use lang::{Diagnostic, Diagnostics, Sources};

use crate::io::{Environment, Io};
use crate::json_views::diagnostic::document;
use crate::json_views::stream;
use crate::render::diagnostic::{Frame, consolidated, render_compact, render_diagnostic, sorted};
use crate::style::Style;

/// How a command prints.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// `-no-color`
    pub no_color: bool,
    /// `-compact-warnings`
    pub compact_warnings: bool,
    /// `-json`: events as JSON lines instead of text.
    pub json: bool,
}

/// The streams and how they are written to. Shared by everything that prints in a run.
pub struct Ui {
    stdout: Mutex<Box<dyn Write + Send>>,
    stderr: Mutex<Box<dyn Write + Send>>,
    stdin: Mutex<Box<dyn BufRead + Send>>,
    /// How this command prints.
    pub settings: Settings,
    /// Styles of `stdout`.
    pub style: Style,
    error_style: Style,
    /// Columns of the output.
    pub width: usize,
    /// Whether hints about commands to run are left out.
    pub in_automation: bool,
    /// Whether somebody sits at both ends.
    pub is_interactive: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Ui {
    /// A printer over the streams of a run.
    pub fn new(io: Io, environment: &Environment, settings: Settings) -> Ui {
        // Terraform writes colours into pipes, too: logs of CI systems show them.
        let color = !settings.no_color && environment.get("NO_COLOR").is_none();
        Ui {
            style: Style { color },
            error_style: Style { color },
            width: io.columns,
            in_automation: environment.in_automation(),
            is_interactive: io.stdin_is_terminal && io.stdout_is_terminal,
            stdout: Mutex::new(io.stdout),
            stderr: Mutex::new(io.stderr),
            stdin: Mutex::new(io.stdin),
            settings,
        }
    }

    /// A printer without streams, left behind where the real one was handed on.
    pub fn silent() -> Ui {
        let io = Io {
            stdout: Box::new(std::io::sink()),
            stderr: Box::new(std::io::sink()),
            stdin: Box::new(std::io::empty()),
            stdin_is_terminal: false,
            stdout_is_terminal: false,
            columns: 78,
        };
        Ui::new(io, &Environment::default(), Settings::default())
    }

    /// Changes how to print, once the flags are known.
    pub fn configure(&mut self, settings: Settings) {
        self.settings = settings;
        if settings.no_color {
            self.style = Style::PLAIN;
            self.error_style = Style::PLAIN;
        }
    }

    /// Writes to stdout as it is. A reader that went away is no reason to stop: the run's work goes on.
    pub fn print(&self, text: &str) {
        self.print_with(|out| out.write_all(text.as_bytes()));
    }

    /// The same piece by piece.
    pub fn print_with(&self, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) {
        let mut out = lock(&self.stdout);
        let _ = write(&mut **out).and_then(|()| out.flush());
    }

    /// Writes to stderr as it is.
    pub fn eprint(&self, text: &str) {
        let mut out = lock(&self.stderr);
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// Writes an event of the JSON stream.
    pub fn event(&self, event: &stream::Event) {
        if let Ok(text) = serde_json::to_string(event) {
            self.print(&format!("{text}\n"));
        }
    }

    /// A line from stdin without its line break; `None` at its end.
    pub fn read_line(&self) -> Option<String> {
        let mut line = String::new();
        let count = lock(&self.stdin).read_line(&mut line).ok()?;
        (count > 0).then(|| line.trim_end_matches(['\n', '\r']).to_owned())
    }

    /// Everything from stdin.
    pub fn read_all(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // What could be read until an error is what there is; the caller finds out that it is incomplete.
        let _ = lock(&self.stdin).read_to_end(&mut bytes);
        bytes
    }

    /// Shows messages: warnings on stdout, errors on stderr, as Terraform does.
    pub fn diagnostics(&self, diagnostics: &Diagnostics, sources: &Sources) {
        if diagnostics.is_empty() {
            return;
        }
        let list = consolidated(sorted(diagnostics, sources));
        if self.settings.json {
            for diagnostic in &list {
                self.event(&stream::Event::diagnostic(document(diagnostic, sources)));
            }
            return;
        }
        if self.settings.compact_warnings && !diagnostics.has_errors() {
            self.print(&render_compact(&list, sources, self.style));
            return;
        }
        for diagnostic in &list {
            self.show(diagnostic, sources);
        }
    }

    /// Shows messages about the settings of the command itself on stderr: results on stdout stay as they are. Without colors:
    /// whether they are wanted is not settled yet.
    pub fn setup_problems(&self, problems: &Diagnostics) {
        let frame = Frame { style: Style::PLAIN, ruled: true, width: self.width };
        let sources = Sources::new();
        let mut text = "There are some problems with the CLI configuration:\n".to_owned();
        problems.iter().for_each(|problem| text.push_str(&render_diagnostic(problem, &sources, frame)));
        if problems.has_errors() {
            text.push_str("\nAs a result of the above problems, Terraform may not behave as intended.\n\n");
        }
        self.eprint(&(text + "\n"));
    }

    fn show(&self, diagnostic: &Diagnostic, sources: &Sources) {
        let style = if diagnostic.is_error() { self.error_style } else { self.style };
        let ruled = !self.settings.no_color;
        let text = render_diagnostic(diagnostic, sources, Frame { style, ruled, width: self.width });
        if diagnostic.is_error() { self.eprint(&text) } else { self.print(&text) }
    }

    /// Shows one error without a place.
    pub fn error(&self, summary: &str, detail: &str) {
        self.diagnostics(&Diagnostic::error(summary, detail).into(), &Sources::new());
    }
}
