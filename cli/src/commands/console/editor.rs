//! The console on a terminal: editing, history, completion of names, and expressions over several lines.

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, Editor, Helper};

/// Reads expressions from a terminal. The history ends with the session: what was asked may be secret.
pub(super) struct Terminal {
    editor: Editor<Names, MemHistory>,
}

impl Terminal {
    /// A terminal that completes `names`.
    pub(super) fn open(names: Vec<String>) -> rustyline::Result<Terminal> {
        let mut editor = Editor::with_history(Config::builder().auto_add_history(false).build(), MemHistory::new())?;
        editor.set_helper(Some(Names(names)));
        Ok(Terminal { editor })
    }

    /// The next expression; nothing when there will be none. Lines are put together until their brackets are closed.
    pub(super) fn read(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            let open = unclosed(&text);
            let prompt = if text.is_empty() { "> ".to_owned() } else { format!("{} ", ".".repeat(open.max(1))) };
            match self.editor.readline(&prompt) {
                Ok(line) => {
                    if !text.is_empty() {
                        text.push('\n');
                    }
                    text.push_str(&line);
                    if unclosed(&text) == 0 {
                        // Whether the history takes a line that it has already is no concern here.
                        let _ = self.editor.add_history_entry(text.as_str());
                        return Some(text);
                    }
                }
                Err(ReadlineError::Interrupted) if !text.is_empty() => text.clear(),
                Err(_) => return None,
            }
        }
    }
}

/// How many brackets, braces, parentheses and templates are open at the end of a text.
fn unclosed(text: &str) -> usize {
    let mut open: Vec<char> = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let in_string = open.last() == Some(&'"');
        match c {
            '\\' if in_string => drop(rest.next()),
            '"' if in_string => drop(open.pop()),
            // `$${` is an escape
            '$' | '%' if in_string && rest.next_if_eq(&c).is_none() && rest.next_if_eq(&'{').is_some() => {
                open.push('{')
            }
            // A quoted string ends on its line; what is wrong with it is said when it is read.
            '\n' if in_string => drop(open.pop()),
            _ if in_string => {}
            '"' | '(' | '[' | '{' => open.push(c),
            ')' | ']' | '}' => drop(open.pop()),
            '#' => while rest.next_if(|c| *c != '\n').is_some() {},
            _ => {}
        }
    }
    if open.last() == Some(&'"') {
        open.pop();
    }
    open.len()
}

/// The names that an expression can begin with.
struct Names(Vec<String>);

impl Completer for Names {
    type Candidate = String;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let before = line.get(..position).unwrap_or(line);
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        let start =
            before.rfind(|c| !is_part(c)).map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let word = before.get(start..).unwrap_or_default();
        let found = self.0.iter().filter(|name| !word.is_empty() && name.starts_with(word)).cloned().collect();
        Ok((start, found))
    }
}

impl Hinter for Names {
    type Hint = String;
}

impl Highlighter for Names {}
impl Validator for Names {}
impl Helper for Names {}

#[cfg(test)]
mod tests {
    use rustyline::history::MemHistory;

    use super::*;

    #[test]
    fn open_brackets_ask_for_another_line() {
        for (text, expected) in [
            ("1 + 2", 0),
            ("[1,", 1),
            ("{ a = [", 2),
            ("f(\n[1]\n)", 0),
            ("\"(\"", 0),
            ("\"a", 0),
            ("\"${[", 3),
            ("\"${[0]}\"", 0),
            ("\"$${(\"", 0),
            ("[ # (", 1),
            (")", 0),
        ] {
            assert_eq!(unclosed(text), expected, "{text}");
        }
    }

    #[test]
    fn names_complete_from_the_start_of_the_word() {
        let names = Names(["upper(", "var.name", "var.number"].map(str::to_owned).to_vec());
        let history = MemHistory::new();
        let complete = |line: &str| names.complete(line, line.len(), &Context::new(&history)).expect("a completion");
        assert_eq!(complete("upper(var.n"), (6, vec!["var.name".to_owned(), "var.number".to_owned()]));
        assert_eq!(complete("é up"), (3, vec!["upper(".to_owned()]));
        assert_eq!(complete("1 + ").1, Vec::<String>::new());
    }
}
