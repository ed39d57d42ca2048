//! Regular expressions in RE2's syntax, as Go reads it, translated for the `regex` crate.
//!
//! The engines agree on what a match is (leftmost, first alternative); they differ in the syntax: RE2's `\d`, `\w`, `\s`
//! and `\b` are ASCII, it has no nested classes and no class operators, knows `\Q…\E`, octal escapes and only four flags,
//! and refuses doubled repetitions and counts above 1000.

use std::iter::Peekable;
use std::str::Chars;

use regex::Regex;

/// Why something is no pattern, in Go's words.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{reason} in {place}")]
pub(super) struct PatternError {
    pub reason: &'static str,
    /// What of the pattern is wrong.
    pub place: String,
}

impl PatternError {
    fn new(reason: &'static str, place: impl Into<String>) -> PatternError {
        PatternError { reason, place: place.into() }
    }
}

/// A compiled pattern.
pub(super) fn compile(pattern: &str) -> Result<Regex, PatternError> {
    let translated =
        Translator { rest: pattern.chars().peekable(), out: String::new(), depth: 0, repetition: String::new() }
            .run(pattern)?;
    Regex::new(&translated).map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => PatternError::new("expression too large", pattern),
        _ => PatternError::new("invalid syntax", pattern),
    })
}

const MAX_REPEAT: u32 = 1000;
const MAX_DEPTH: usize = 200;

struct Translator<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
    depth: usize,
    /// The repetition before the place, if there is one.
    repetition: String,
}

/// What stood before a place where a repetition may stand.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    Item,
    Repetition,
}

impl Translator<'_> {
    fn run(mut self, pattern: &str) -> Result<String, PatternError> {
        let mut before = Before::Nothing;
        while let Some(c) = self.rest.next() {
            before = match c {
                '\\' => self.escape(pattern)?,
                '[' => self.class(pattern)?,
                '(' => self.open(pattern)?,
                ')' => {
                    self.depth =
                        self.depth.checked_sub(1).ok_or_else(|| PatternError::new("unexpected ):", pattern))?;
                    self.out.push(')');
                    Before::Item
                }
                '|' => {
                    self.out.push('|');
                    Before::Nothing
                }
                '*' | '+' | '?' => self.repeat(c.to_string(), before, pattern)?,
                '{' => match self.count()? {
                    Some(count) => self.repeat(count, before, pattern)?,
                    None => {
                        self.out.push_str("\\{");
                        Before::Item
                    }
                },
                '.' | '^' | '$' => {
                    self.out.push(c);
                    Before::Item
                }
                c => {
                    self.literal(c);
                    Before::Item
                }
            };
        }
        if self.depth > 0 { Err(PatternError::new("missing closing )", pattern)) } else { Ok(self.out) }
    }

    fn literal(&mut self, c: char) {
        self.out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
    }

    fn repeat(&mut self, operator: String, before: Before, pattern: &str) -> Result<Before, PatternError> {
        match before {
            Before::Nothing => return Err(PatternError::new("missing argument to repetition operator", pattern)),
            Before::Repetition => {
                let first = &self.repetition;
                return Err(PatternError::new("invalid nested repetition operator", format!("{first}{operator}")));
            }
            Before::Item => {}
        }
        self.out.push_str(&operator);
        self.repetition = operator;
        if self.rest.next_if_eq(&'?').is_some() {
            self.out.push('?');
            self.repetition.push('?');
        }
        Ok(Before::Repetition)
    }

    /// `{n}`, `{n,}`, `{n,m}` behind the brace; anything else is a literal brace.
    fn count(&mut self) -> Result<Option<String>, PatternError> {
        let ahead: String = self.rest.clone().take_while(|c| *c != '}').take(32).collect();
        if self.rest.clone().nth(ahead.chars().count()) != Some('}') {
            return Ok(None);
        }
        let (low, high) = ahead.split_once(',').unwrap_or((&ahead, &ahead));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(low) || !(high.is_empty() || digits(high)) {
            return Ok(None);
        }
        let number = |s: &str| s.parse::<u32>().ok().filter(|n| *n <= MAX_REPEAT);
        let invalid = || PatternError::new("invalid repeat count", format!("{{{ahead}}}"));
        let least = number(low).ok_or_else(invalid)?;
        if !high.is_empty() && number(high).ok_or_else(invalid)? < least {
            return Err(invalid());
        }
        for _ in 0..=ahead.chars().count() {
            self.rest.next();
        }
        Ok(Some(format!("{{{ahead}}}")))
    }

    /// Behind `(`: a plain group, or flags and a name behind `?`.
    fn open(&mut self, pattern: &str) -> Result<Before, PatternError> {
        let invalid = || PatternError::new("invalid or unsupported Perl syntax", pattern);
        self.out.push('(');
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(PatternError::new("expression nests too deeply", pattern));
        }
        if self.rest.next_if_eq(&'?').is_none() {
            return Ok(Before::Nothing);
        }
        self.out.push('?');
        self.rest.next_if_eq(&'P');
        if self.rest.next_if_eq(&'<').is_some() {
            let mut name = String::new();
            while let Some(c) = self.rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                name.push(c);
            }
            if name.is_empty() || self.rest.next() != Some('>') {
                return Err(PatternError::new("invalid named capture", pattern));
            }
            // Rust's names may not begin with a digit, RE2's may.
            self.out.push_str(&format!("P<{}>", encode_name(&name)));
            return Ok(Before::Nothing);
        }
        loop {
            match self.rest.next() {
                Some(c @ ('i' | 'm' | 's' | 'U' | '-')) => self.out.push(c),
                Some(':') => {
                    self.out.push(':');
                    return Ok(Before::Nothing);
                }
                Some(')') => {
                    // Flags for the rest of the group: nothing that could be repeated.
                    self.out.push(')');
                    self.depth -= 1;
                    return Ok(Before::Nothing);
                }
                _ => return Err(invalid()),
            }
        }
    }

    /// Behind `\`, outside of a class.
    fn escape(&mut self, pattern: &str) -> Result<Before, PatternError> {
        let ahead = self.rest.peek().copied();
        match ahead {
            Some('d' | 'D' | 'w' | 'W' | 's' | 'S') => {
                let c = self.rest.next().unwrap_or_default();
                let negated = c.is_ascii_uppercase();
                self.out.push_str(if negated { "[^" } else { "[" });
                self.out.push_str(perl_class(c.to_ascii_lowercase()));
                self.out.push(']');
            }
            Some(c @ ('b' | 'B')) => {
                self.rest.next();
                self.out.push_str(if c == 'b' { r"(?-u:\b)" } else { r"(?-u:\B)" });
            }
            Some(c @ ('A' | 'z')) => {
                self.rest.next();
                self.out.push('\\');
                self.out.push(c);
            }
            Some('p' | 'P') => self.property(pattern)?,
            Some('Q') => {
                self.rest.next();
                let mut any = false;
                while let Some(c) = self.rest.next() {
                    if c == '\\' && self.rest.next_if_eq(&'E').is_some() {
                        break;
                    }
                    any = true;
                    self.literal(c);
                }
                return Ok(if any { Before::Item } else { Before::Nothing });
            }
            _ => {
                let c = self.character(pattern)?;
                self.literal(c);
            }
        }
        Ok(Before::Item)
    }

    /// `\pL`, `\p{Greek}`, `\P{^Lu}` behind the backslash.
    fn property(&mut self, pattern: &str) -> Result<(), PatternError> {
        let invalid = || PatternError::new("invalid character class range", pattern);
        let mut negated = self.rest.next() == Some('P');
        let mut name = String::new();
        match self.rest.next().ok_or_else(invalid)? {
            '{' => loop {
                match self.rest.next().ok_or_else(invalid)? {
                    '}' => break,
                    '^' if name.is_empty() => negated = !negated,
                    c if c.is_ascii_alphanumeric() || c == '_' => name.push(c),
                    _ => return Err(invalid()),
                }
            },
            c => name.push(c),
        }
        if !name.starts_with(|c: char| c.is_ascii_uppercase()) {
            return Err(invalid());
        }
        self.out.push_str(if negated { "\\P{" } else { "\\p{" });
        self.out.push_str(&name);
        self.out.push('}');
        Ok(())
    }

    /// Behind `[`, up to `]`.
    fn class(&mut self, pattern: &str) -> Result<Before, PatternError> {
        let missing = || PatternError::new("missing closing ]", pattern);
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let c = self.rest.next().ok_or_else(missing)?;
            match c {
                ']' if !first => break,
                '[' if self.rest.peek() == Some(&':') => {
                    let name: String = self.rest.clone().skip(1).take_while(|c| *c != ':').take(16).collect();
                    let length = name.chars().count() + 1;
                    if self.rest.clone().nth(length + 1) == Some(']') {
                        self.rest.by_ref().take(length + 2).for_each(drop);
                        self.out.push_str(&format!("[:{name}:]"));
                        first = false;
                        continue;
                    }
                    self.range(c, pattern)?;
                }
                '\\' => match self.rest.peek().copied() {
                    Some(p @ ('d' | 'w' | 's')) => {
                        self.rest.next();
                        self.out.push_str(perl_class(p));
                    }
                    Some(p @ ('D' | 'W' | 'S')) => {
                        self.rest.next();
                        self.out.push_str(&format!("[^{}]", perl_class(p.to_ascii_lowercase())));
                    }
                    Some('p' | 'P') => self.property(pattern)?,
                    _ => {
                        let low = self.character(pattern)?;
                        self.range(low, pattern)?;
                    }
                },
                c => self.range(c, pattern)?,
            }
            first = false;
        }
        self.out.push(']');
        Ok(Before::Item)
    }

    /// `low` and, if `-` and another character follow, the range to that one.
    fn range(&mut self, low: char, pattern: &str) -> Result<(), PatternError> {
        self.class_literal(low);
        let mut ahead = self.rest.clone();
        if ahead.next() != Some('-') || ahead.next().is_none_or(|c| c == ']') {
            return Ok(());
        }
        self.rest.next();
        let high = match self.rest.next() {
            Some('\\') => self.character(pattern)?,
            Some(c) => c,
            None => return Err(PatternError::new("missing closing ]", pattern)),
        };
        if high < low {
            return Err(PatternError::new("invalid character class range", format!("{low}-{high}")));
        }
        self.out.push('-');
        self.class_literal(high);
        Ok(())
    }

    fn class_literal(&mut self, c: char) {
        // By number, so that no operator of the other syntax can arise.
        self.out.push_str(&format!("\\x{{{:X}}}", c as u32));
    }

    /// The character that an escape stands for, behind the backslash.
    fn character(&mut self, pattern: &str) -> Result<char, PatternError> {
        let invalid = || PatternError::new("invalid escape sequence", pattern);
        let c = self.rest.next().ok_or_else(|| PatternError::new("trailing backslash at end of expression", ""))?;
        let code = match c {
            // A single digit would be a back reference, which RE2 does not have.
            '1'..='7' if !self.rest.peek().is_some_and(|d| ('0'..='7').contains(d)) => return Err(invalid()),
            '0'..='7' => {
                let mut code = c as u32 - '0' as u32;
                for _ in 0..2 {
                    let Some(d) = self.rest.next_if(|d| ('0'..='7').contains(d)) else { break };
                    code = code * 8 + (d as u32 - '0' as u32);
                }
                code
            }
            'x' => {
                let hex: String = if self.rest.next_if_eq(&'{').is_some() {
                    let hex: String = self.rest.by_ref().take_while(|c| *c != '}').collect();
                    hex
                } else {
                    self.rest.by_ref().take(2).collect()
                };
                let plain = !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit());
                u32::from_str_radix(&hex, 16).ok().filter(|_| plain && hex.len() != 1).ok_or_else(invalid)?
            }
            'a' => 7,
            'f' => 12,
            'n' => 10,
            'r' => 13,
            't' => 9,
            'v' => 11,
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => c as u32,
            _ => return Err(invalid()),
        };
        char::from_u32(code).ok_or_else(invalid)
    }
}

fn perl_class(name: char) -> &'static str {
    match name {
        'd' => "0-9",
        'w' => "0-9A-Za-z_",
        _ => r"\t\n\x0C\r ",
    }
}

fn encode_name(name: &str) -> String {
    format!("n{name}")
}

/// The name of a group as the pattern has it.
pub(super) fn decode_name(name: &str) -> &str {
    name.strip_prefix('n').unwrap_or(name)
}

/// `replacement` with `$1`, `$name`, `${name}` and `$$` replaced; a name is as long as it can be (`$1x` is the group `1x`).
pub(super) fn expand(captures: &regex::Captures<'_>, replacement: &str, out: &mut String) {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = replacement;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let (braced, text) = after.strip_prefix('{').map_or((false, after), |text| (true, text));
        let (name, behind) = text.split_at(text.find(|c| !word(c)).unwrap_or(text.len()));
        let behind = if braced { behind.strip_prefix('}') } else { Some(behind) };
        let Some(behind) = behind.filter(|_| !name.is_empty()) else {
            out.push('$');
            rest = after;
            continue;
        };
        let group = if name.bytes().all(|b| b.is_ascii_digit()) {
            name.parse().ok().and_then(|index: usize| captures.get(index))
        } else {
            captures.name(&encode_name(name))
        };
        out.push_str(group.map_or("", |m| m.as_str()));
        rest = behind;
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_of_re2() {
        let matched = |pattern: &str, text: &str| compile(pattern).unwrap().find(text).map(|m| m.as_str().to_owned());
        for (pattern, text, expected) in [
            (r"\w+", "é", None),
            (r"\w+", "é_1", Some("_1")),
            (r"\bn", "ﬁn", Some("n")),
            (r"\Bo", "foo", Some("o")),
            (r"\Qa.b\E", "xa.b", Some("a.b")),
            (r"\123", "S", Some("S")),
            (r"[]a]", "]", Some("]")),
            (r"[a&&b]", "&", Some("&")),
            (r"[[a]", "[", Some("[")),
            (r"[\d-]+", "12-34", Some("12-34")),
            (r"[[:upper:]]+", "aBC", Some("BC")),
            (r"(?U)a+", "aaa", Some("a")),
            (r"a{,2}", "a{,2}", Some("a{,2}")),
            (r"\p{^Greek}", "αa", Some("a")),
        ] {
            assert_eq!(matched(pattern, text).as_deref(), expected, "{pattern}");
        }
        for pattern in
            ["a**", "a{1001}", "(a", "a)", "[c-a]", r"(a)\1", r"\Z", r"\C", "(?!a)", "(?x)a", "*", "\\", "a{2,1}"]
        {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn mistakes_are_told_in_gos_words() {
        for (pattern, told) in [
            ("(a", "missing closing ) in (a"),
            ("xa**", "invalid nested repetition operator in **"),
            ("a{1001}", "invalid repeat count in {1001}"),
            ("\\", "trailing backslash at end of expression in "),
        ] {
            assert_eq!(compile(pattern).unwrap_err().to_string(), told);
        }
    }

    #[test]
    fn names_in_replacements_are_greedy() {
        let regex = compile("(?P<x>b)").unwrap();
        let captures = regex.captures("abc").unwrap();
        let mut out = String::new();
        expand(&captures, "$1|$1x|${x}x|$$|$|${|$x", &mut out);
        assert_eq!(out, "b||bx|$|$|${|b");
    }
}
