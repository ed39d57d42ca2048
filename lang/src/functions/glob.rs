//! `fileset`'s patterns: `*`, `?`, `[a-z]`, `[^a]`, `{a,b}`, `\` and `**` as a whole part of a path.

use std::fs;

use super::paths;

/// A pattern that cannot be read.
#[derive(Debug, PartialEq)]
pub(super) struct BadPattern;

/// All paths that match a cleaned pattern, directories among them. Links to directories are not followed by `**`.
pub(super) fn glob(pattern: &str) -> Result<Vec<String>, BadPattern> {
    let mut found = Vec::new();
    let (base, rest) = if let Some(rest) = pattern.strip_prefix('/') { ("/", rest) } else { ("", pattern) };
    let parts: Vec<&str> = if rest.is_empty() { Vec::new() } else { split(rest) };
    walk(base, &parts, &mut found)?;
    Ok(found)
}

/// Divides at slashes that are not escaped.
fn split(pattern: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (index, c) in pattern.char_indices() {
        match c {
            '/' if !escaped => {
                parts.push(pattern.get(start..index).unwrap_or_default());
                start = index + 1;
            }
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            _ => {}
        }
        escaped = false;
    }
    parts.push(pattern.get(start..).unwrap_or_default());
    parts
}

fn walk(directory: &str, parts: &[&str], found: &mut Vec<String>) -> Result<(), BadPattern> {
    let Some((part, rest)) = parts.split_first() else {
        if fs::symlink_metadata(directory).is_ok() {
            found.push(directory.to_owned());
        }
        return Ok(());
    };
    if *part == "**" {
        for (name, is_directory) in entries(directory) {
            let path = paths::join(directory, &name);
            if rest.is_empty() {
                found.push(path.clone());
            }
            if is_directory {
                walk(&path, parts, found)?;
            }
        }
        return if rest.is_empty() { Ok(()) } else { walk(directory, rest, found) };
    }
    if !part.contains(['*', '?', '[', '{', '\\']) {
        // A plain name need not be searched for; the directory may be one that cannot be listed.
        return walk(&paths::join(directory, part), rest, found);
    }
    for (name, _) in entries(directory) {
        if matches(part, &name)? {
            walk(&paths::join(directory, &name), rest, found)?;
        }
    }
    Ok(())
}

/// Names in a directory, sorted, and whether they are directories themselves; none where it cannot be read.
fn entries(directory: &str) -> Vec<(String, bool)> {
    let directory = if directory.is_empty() { "." } else { directory };
    let Ok(read) = fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<(String, bool)> = read
        .filter_map(Result::ok)
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.file_type().is_ok_and(|t| t.is_dir()))))
        .collect();
    names.sort();
    names
}

fn matches(pattern: &str, name: &str) -> Result<bool, BadPattern> {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let mut steps = 0;
    match_chars(&pattern, &name, &mut steps)
}

/// Backtracking ends here: a name that needs more steps does not match.
const MAX_STEPS: usize = 1_000_000;

fn match_chars(pattern: &[char], name: &[char], steps: &mut usize) -> Result<bool, BadPattern> {
    *steps += 1;
    if *steps > MAX_STEPS {
        return Ok(false);
    }
    let Some((first, rest)) = pattern.split_first() else { return Ok(name.is_empty()) };
    match first {
        '*' => {
            if rest.is_empty() {
                return Ok(true);
            }
            for skip in 0..=name.len() {
                if match_chars(rest, name.get(skip..).unwrap_or_default(), steps)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        '?' => match name.split_first() {
            Some((_, name)) => match_chars(rest, name, steps),
            None => Ok(false),
        },
        '[' => {
            let (class, rest) = read_class(rest)?;
            match name.split_first() {
                Some((c, name)) if class.contains(*c) => match_chars(rest, name, steps),
                _ => Ok(false),
            }
        }
        '{' => {
            let (options, rest) = read_options(rest)?;
            for option in options {
                let whole: Vec<char> = option.iter().chain(rest).copied().collect();
                if match_chars(&whole, name, steps)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        first => {
            let (literal, rest) = match (first, rest.split_first()) {
                ('\\', Some((escaped, rest))) => (escaped, rest),
                ('\\', None) => return Err(BadPattern),
                _ => (first, rest),
            };
            match name.split_first() {
                Some((c, name)) if c == literal => match_chars(rest, name, steps),
                _ => Ok(false),
            }
        }
    }
}

struct Class {
    negated: bool,
    ranges: Vec<(char, char)>,
}

impl Class {
    fn contains(&self, c: char) -> bool {
        self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != self.negated
    }
}

/// Behind `[`: the class, and what follows `]`.
fn read_class(mut rest: &[char]) -> Result<(Class, &[char]), BadPattern> {
    let mut class = Class { negated: false, ranges: Vec::new() };
    if let Some(('^', tail)) = rest.split_first().map(|(c, tail)| (*c, tail)) {
        class.negated = true;
        rest = tail;
    }
    let next = |rest: &mut &[char]| -> Result<char, BadPattern> {
        let (c, tail) = rest.split_first().ok_or(BadPattern)?;
        *rest = tail;
        if *c != '\\' {
            return Ok(*c);
        }
        let (escaped, tail) = rest.split_first().ok_or(BadPattern)?;
        *rest = tail;
        Ok(*escaped)
    };
    loop {
        if let Some((']', tail)) = rest.split_first().map(|(c, tail)| (*c, tail))
            && !class.ranges.is_empty()
        {
            return Ok((class, tail));
        }
        let low = next(&mut rest)?;
        let mut high = low;
        if rest.first() == Some(&'-') && rest.get(1).is_some_and(|c| *c != ']') {
            rest = rest.get(1..).unwrap_or_default();
            high = next(&mut rest)?;
        }
        class.ranges.push((low, high));
    }
}

/// The alternatives of `{a,b}`, and what follows.
type Options<'a> = (Vec<&'a [char]>, &'a [char]);

/// Behind `{`: the alternatives, and what follows `}`.
fn read_options(rest: &[char]) -> Result<Options<'_>, BadPattern> {
    let mut options = Vec::new();
    let (mut start, mut index) = (0, 0);
    while let Some(c) = rest.get(index) {
        match c {
            '\\' => index += 1,
            ',' | '}' => {
                options.push(rest.get(start..index).unwrap_or_default());
                if *c == '}' {
                    return Ok((options, rest.get(index + 1..).unwrap_or_default()));
                }
                start = index + 1;
            }
            _ => {}
        }
        index += 1;
    }
    Err(BadPattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_patterns() {
        for (pattern, name, expected) in [
            ("*.{txt,md}", "a.md", true),
            ("{a,b}.txt", "c.txt", false),
            ("[a-m]*", ".hidden", false),
            ("[^a]*", "b", true),
            ("[!a]*", "b", false),
            ("\\*", "*", true),
            ("?", "é", true),
            ("**.txt", "a.txt", true),
        ] {
            assert_eq!(matches(pattern, name), Ok(expected), "{pattern} {name}");
        }
        assert_eq!(matches("[", "a"), Err(BadPattern));
        assert_eq!(matches("{a", "a"), Err(BadPattern));
        assert_eq!(matches(&"*a".repeat(30), &"a".repeat(29)), Ok(false));
    }
}
