//! Answers that are not to be seen while they are typed.

use std::borrow::Cow;

use rustyline::completion::Completer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{ColorMode, Config, Editor, Helper};

use crate::ui::Ui;

/// Reads a line after a prompt; a terminal shows blanks for what is typed.
pub fn ask(ui: &Ui, prompt: &str) -> Option<String> {
    if !ui.is_interactive {
        ui.print(prompt);
        return ui.read_line();
    }
    // What is shown is what the highlighter makes of the line, so there has to be one in any case.
    let config = Config::builder().auto_add_history(false).color_mode(ColorMode::Forced).build();
    let mut editor: Editor<Hidden, MemHistory> = Editor::with_history(config, MemHistory::new()).ok()?;
    editor.set_helper(Some(Hidden));
    editor.readline(prompt).ok()
}

/// Shows blanks.
struct Hidden;

impl Highlighter for Hidden {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        Cow::Owned(" ".repeat(line.chars().count()))
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        kind != CmdKind::MoveCursor
    }
}

impl Completer for Hidden {
    type Candidate = String;
}

impl Hinter for Hidden {
    type Hint = String;
}

impl Validator for Hidden {}
impl Helper for Hidden {}
