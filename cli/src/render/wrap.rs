//! Breaking text into lines of a width.

/// Breaks paragraphs at spaces so that no line is longer than `width - 1` columns, as Terraform wraps its messages: lines that
/// begin with a space are kept as they are, words longer than a line are not broken, and a line that has room for the next
/// word takes it.
pub fn word_wrap(text: &str, width: usize) -> String {
    if width <= 1 {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for (i, line) in text.split('\n').enumerate() {
        if i > 0 {
            out.push('\n');
        }
        if line.starts_with(' ') || line.is_empty() {
            out.push_str(line);
        } else {
            wrap_line(line, width - 1, &mut out);
        }
    }
    out
}

fn wrap_line(line: &str, limit: usize, out: &mut String) {
    let mut column = 0;
    let mut pending_spaces = 0;
    for word in line.split(' ') {
        // Two spaces in a row give an empty word: the space is kept with the next word.
        let length = unicode_width::UnicodeWidthStr::width(word);
        if column > 0 || pending_spaces > 0 {
            if column + pending_spaces + length > limit && column > 0 {
                out.push('\n');
                column = 0;
            } else {
                out.extend(std::iter::repeat_n(' ', pending_spaces));
                column += pending_spaces;
            }
        }
        out.push_str(word);
        column += length;
        pending_spaces = if word.is_empty() { pending_spaces + 1 } else { 1 };
        if word.is_empty() {
            // The space before this empty word was written or dropped above.
            pending_spaces = 1;
        }
    }
}

/// A rule across the output.
pub fn horizontal_rule(style: crate::style::Style, width: usize) -> String {
    if width <= 1 {
        return "\n".to_owned();
    }
    format!("\n{}\n", style.gray(&"─".repeat(width - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_at_the_last_space_that_fits() {
        let text = "Terraform has compared your real infrastructure against your configuration and found no differences, so no changes are needed.";
        assert_eq!(
            word_wrap(text, 78),
            "Terraform has compared your real infrastructure against your configuration\nand found no differences, so no changes are needed."
        );
        assert_eq!(word_wrap("a b", 1), "a b");
        assert_eq!(word_wrap("aaaa bbbb", 5), "aaaa\nbbbb");
        assert_eq!(word_wrap("  keep  this   as is because", 5), "  keep  this   as is because");
    }
}
