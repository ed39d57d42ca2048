//! Version numbers and version constraints as Terraform's configuration language has them.
//!
//! A version has one or more numbers, an optional prerelease (`-beta.1`) and optional metadata (`+x`). A constraint is a
//! list of comparisons with commas; `~> 1.2` allows only the last given number to grow.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A version.
#[derive(Clone, Debug)]
pub struct Version {
    /// At least three numbers: missing ones are zero.
    numbers: Vec<u64>,
    /// How many numbers were written.
    given: usize,
    prerelease: String,
    metadata: String,
}

/// A text that is neither a version nor a constraint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed version or constraint: {0}")]
pub struct VersionError(pub String);

/// Comparisons that must all hold.
#[derive(Clone, Debug, Default)]
pub struct Constraints(Vec<Constraint>);

#[derive(Clone, Debug)]
struct Constraint {
    operator: Operator,
    version: Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Pessimistic,
}

impl Version {
    /// Whether it is a prerelease.
    pub fn is_prerelease(&self) -> bool {
        !self.prerelease.is_empty()
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Version, VersionError> {
        let error = || VersionError(text.to_owned());
        let rest = text.strip_prefix('v').unwrap_or(text);
        let (rest, metadata) = match rest.split_once('+') {
            Some((rest, metadata)) if is_suffix(metadata) => (rest, metadata),
            Some(_) => return Err(error()),
            None => (rest, ""),
        };
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (numbers, prerelease) = rest.split_at(end);
        // `1.0beta` without a dash is a prerelease, too, when it begins with a letter.
        let prerelease = match prerelease.strip_prefix('-') {
            Some(prerelease) if is_suffix(prerelease) => prerelease,
            None if prerelease.is_empty() || is_suffix(prerelease) => prerelease,
            _ => return Err(error()),
        };
        let mut numbers: Vec<u64> =
            numbers.split('.').map(|n| n.parse().map_err(|_| error())).collect::<Result<_, _>>()?;
        let given = numbers.len();
        while numbers.len() < 3 {
            numbers.push(0);
        }
        Ok(Version { numbers, given, prerelease: prerelease.to_owned(), metadata: metadata.to_owned() })
    }
}

fn is_suffix(text: &str) -> bool {
    text.split('.')
        .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '~'))
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, number) in self.numbers.iter().enumerate() {
            write!(f, "{}{number}", if i == 0 { "" } else { "." })?;
        }
        if !self.prerelease.is_empty() {
            write!(f, "-{}", self.prerelease)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Version) -> Ordering {
        let length = self.numbers.len().max(other.numbers.len());
        let numbers =
            |v: &Version| -> Vec<u64> { v.numbers.iter().copied().chain(std::iter::repeat(0)).take(length).collect() };
        numbers(self).cmp(&numbers(other)).then_with(|| compare_prereleases(&self.prerelease, &other.prerelease))
    }
}

/// A release comes after its prereleases; numbers are compared as such and come before words.
fn compare_prereleases(a: &str, b: &str) -> Ordering {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => a.cmp(b),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Version) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Version) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl Constraints {
    /// Whether a version fulfils all of them. A prerelease fulfils only constraints that name a prerelease of the same
    /// version.
    pub fn allow(&self, version: &Version) -> bool {
        self.0.iter().all(|constraint| constraint.allows(version))
    }

    /// Whether one of them asks for exactly this version.
    pub fn name_exactly(&self, version: &Version) -> bool {
        self.0.iter().any(|constraint| constraint.operator == Operator::Equal && constraint.version == *version)
    }

    /// Whether one of them names a prerelease.
    pub fn name_prerelease(&self) -> bool {
        self.0.iter().any(|constraint| constraint.version.is_prerelease())
    }
}

impl FromStr for Constraints {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Constraints, VersionError> {
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Constraints)
    }
}

impl FromStr for Constraint {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Constraint, VersionError> {
        let text = text.trim();
        let operators = [
            ("!=", Operator::NotEqual),
            (">=", Operator::GreaterOrEqual),
            ("<=", Operator::LessOrEqual),
            ("~>", Operator::Pessimistic),
            ("=", Operator::Equal),
            (">", Operator::Greater),
            ("<", Operator::Less),
        ];
        let (operator, version) = operators
            .iter()
            .find_map(|(sign, operator)| Some((*operator, text.strip_prefix(sign)?)))
            .unwrap_or((Operator::Equal, text));
        Ok(Constraint { operator, version: version.trim_start().parse()? })
    }
}

impl Constraint {
    fn allows(&self, version: &Version) -> bool {
        let bound = &self.version;
        // Comparisons by order never reach a prerelease unless they ask for one of the same version.
        let comparable = match (version.is_prerelease(), bound.is_prerelease()) {
            (true, true) => version.numbers == bound.numbers,
            (true, false) => false,
            (false, _) => true,
        };
        match self.operator {
            Operator::Equal => version == bound,
            Operator::NotEqual => version != bound,
            Operator::Greater => comparable && version > bound,
            Operator::Less => comparable && version < bound,
            Operator::GreaterOrEqual => comparable && version >= bound,
            Operator::LessOrEqual => comparable && version <= bound,
            Operator::Pessimistic => {
                let fixed = bound.given.saturating_sub(1);
                comparable
                    && (version.is_prerelease() || !bound.is_prerelease())
                    && version >= bound
                    && version.numbers.iter().take(fixed).eq(bound.numbers.iter().take(fixed))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints() {
        for (constraints, version, expected) in [
            (">= 1.0, < 2.0", "1.11.4", true),
            ("~> 1.2", "1.11.4", true),
            ("~> 1.11.0", "1.11.4", true),
            ("~> 1.10.0", "1.11.4", false),
            ("~> 1", "2.0", true),
            ("~> 1.2.3.4", "1.2.3.9", true),
            ("1.11.4", "1.11.4", true),
            ("= v1.11", "1.11.0", true),
            ("!= 1.11.4", "1.11.4", false),
            (">1.11.4-alpha", "1.11.4", true),
            (">= 1.0", "1.11.4-alpha", false),
            (">= 1.11.4-alpha", "1.11.4-beta1", true),
            ("~> 1.11.4-alpha", "1.11.4", false),
        ] {
            let parsed: Constraints = constraints.parse().expect(constraints);
            assert_eq!(parsed.allow(&version.parse().expect(version)), expected, "{version} {constraints}");
        }
        for bad in ["", "abc", ">> 1", "1.x", "1.0,", "1..2", "~> ", "=> 1.0"] {
            assert!(bad.parse::<Constraints>().is_err(), "{bad}");
        }
    }

    #[test]
    fn order() {
        let sorted =
            ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta", "1.0.0-rc.2", "1.0.0-rc.10", "1.0.0", "1.0.1", "1.10"];
        for pair in sorted.windows(2) {
            let [a, b] = pair else { continue };
            assert!(a.parse::<Version>().expect(a) < b.parse::<Version>().expect(b), "{a} {b}");
        }
    }
}
