//! Colours and other text attributes, written only where they are wanted.

/// Whether text is styled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether escape sequences are written at all.
    pub color: bool,
}

const RESET: &str = "\u{1b}[0m";

impl Style {
    /// Plain text.
    pub const PLAIN: Style = Style { color: false };

    fn paint(self, code: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{code}m{text}{RESET}") } else { text.to_owned() }
    }

    /// Bold.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Underlined.
    pub fn underline(self, text: &str) -> String {
        self.paint("4", text)
    }

    /// Red.
    pub fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// Green.
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Yellow.
    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// Cyan.
    pub fn cyan(self, text: &str) -> String {
        self.paint("36", text)
    }

    /// Grey.
    pub fn gray(self, text: &str) -> String {
        self.paint("90", text)
    }

    /// Bold and red.
    pub fn bold_red(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// Bold and green.
    pub fn bold_green(self, text: &str) -> String {
        self.paint("1;32", text)
    }

    /// Bold and yellow.
    pub fn bold_yellow(self, text: &str) -> String {
        self.paint("1;33", text)
    }

    /// Bold and cyan.
    pub fn bold_cyan(self, text: &str) -> String {
        self.paint("1;36", text)
    }
}
