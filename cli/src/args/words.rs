//! Splitting `TF_CLI_ARGS` into words.

/// A text whose quotes don't end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid command line string")]
pub struct UnclosedQuote;

/// Splits a text at white space by the shell's rules of quoting: single quotes keep everything, double quotes allow `\`
/// before `"` and `\`, outside of quotes `\` keeps the next character.
pub fn split(text: &str) -> Result<Vec<String>, UnclosedQuote> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or(UnclosedQuote)? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or(UnclosedQuote)? {
                        '"' => break,
                        '\\' => match chars.next().ok_or(UnclosedQuote)? {
                            c @ ('"' | '\\' | '$' | '`') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next().ok_or(UnclosedQuote)?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn splits_as_a_shell_does() {
        let words = split(r#" -var 'a=x y' -var="b=\"q\"" c\ d  '' "#).unwrap();
        assert_eq!(words, ["-var", "a=x y", "-var=b=\"q\"", "c d", ""]);
        assert!(split("'open").is_err());
        assert!(split("").unwrap().is_empty());
    }
}
