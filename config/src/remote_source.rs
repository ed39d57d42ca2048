//! Addresses of packages that are downloaded: shorthands are written out, and the directory in the package is split off.

use std::fmt;
use std::path::Path;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::module_source::{SourceError, clean_path};

/// A package and the directory in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RemoteSource {
    /// `git::https://github.com/a/b.git?ref=v1`: what to do, where, and how.
    pub package: String,
    /// The directory in the package, after `//`.
    pub subdirectory: Option<String>,
}

impl fmt::Display for RemoteSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RemoteSource { package, subdirectory } = self;
        let Some(subdirectory) = subdirectory else { return f.write_str(package) };
        match package.split_once('?') {
            Some((address, query)) => write!(f, "{address}//{subdirectory}?{query}"),
            None => write!(f, "{package}//{subdirectory}"),
        }
    }
}

impl RemoteSource {
    /// Reads an address.
    ///
    /// # Errors
    /// A shorthand that says too little, a directory outside of the package, or what looks like no address, but may be a path
    /// whose `./` was forgotten.
    pub fn parse(text: &str) -> Result<RemoteSource, SourceError> {
        let (package, subdirectory) = split_subdirectory(text);
        let subdirectory = subdirectory.map_or(Ok(None), |directory| clean_subdirectory(&directory))?;
        let (package, inner) = split_subdirectory(&detect(&package)?);
        let joined = [inner, subdirectory].into_iter().flatten().collect::<Vec<_>>().join("/");
        Ok(RemoteSource { package, subdirectory: clean_subdirectory(&joined)? })
    }
}

/// Splits an address at the `//` that is not part of `://`; the query stays with the package.
pub fn split_subdirectory(text: &str) -> (String, Option<String>) {
    let (address, query) = text.split_once('?').map_or((text, None), |(a, q)| (a, Some(q)));
    let offset = address.find("://").map_or(0, |at| at + 3);
    let Some((package, directory)) = address.get(offset..).and_then(|rest| rest.split_once("//")) else {
        return (text.to_owned(), None);
    };
    let package = format!("{}{package}", address.get(..offset).unwrap_or_default());
    let package = query.map_or(package.clone(), |query| format!("{package}?{query}"));
    (package, Some(directory.to_owned()).filter(|d| !d.is_empty()))
}

/// A directory in a package without `.` and `x/..`; `None` for the package itself.
pub(crate) fn clean_subdirectory(text: &str) -> Result<Option<String>, SourceError> {
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.pop().is_none() => {
                let path = clean_path(Path::new(text));
                let reason = format!("subdirectory path {path:?} leads outside of the module package");
                return Err(SourceError::Invalid(reason));
            }
            ".." => {}
            part => parts.push(part),
        }
    }
    Ok(Some(parts.join("/")).filter(|text| !text.is_empty()))
}

/// `git` and `https://…` of `git::https://…`
pub fn split_forced(text: &str) -> (Option<&str>, &str) {
    match text.split_once("::") {
        Some((kind, rest))
            if !kind.is_empty() && !rest.is_empty() && kind.chars().all(|c| c.is_ascii_alphanumeric()) =>
        {
            (Some(kind), rest)
        }
        _ => (None, text),
    }
}

/// Writes a shorthand out. The first of Terraform's detectors that knows the text decides.
fn detect(text: &str) -> Result<String, SourceError> {
    let (forced, address) = split_forced(text);
    if has_scheme(address) {
        return Ok(text.to_owned());
    }
    let found = if let Some(rest) = address.strip_prefix("github.com/") {
        github(rest)?
    } else if let Some(found) = scp_style(address) {
        found
    } else if address.starts_with("bitbucket.org/") {
        let (path, query) = split_query(address);
        let suffix = if path.ends_with(".git") { "" } else { ".git" };
        format!("git::https://{}{suffix}{query}", escaped(path))
    } else if address.contains("googleapis.com/") {
        google_bucket(address)?
    } else if address.contains(".amazonaws.com/") {
        amazon_bucket(address)?
    } else if address.starts_with('/') {
        let (path, query) = split_query(address);
        format!("file://{}{query}", utf8_percent_encode(path, UNESCAPED))
    } else if address.is_empty() {
        return Err(SourceError::Invalid("invalid source address: ".to_owned()));
    } else {
        return Err(SourceError::MaybeRelative(address.to_owned()));
    };
    let (own, address) = split_forced(&found);
    Ok(match forced.or(own) {
        Some(kind) => format!("{kind}::{address}"),
        None => address.to_owned(),
    })
}

/// Whether an address begins as a URL does. It need not be one that can be fetched.
fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

/// A path, and the query with its `?`.
fn split_query(address: &str) -> (&str, &str) {
    address.find('?').map_or((address, ""), |at| address.split_at(at))
}

const UNSAFE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'`');
/// The same in a text that nothing is escaped in.
const UNESCAPED: &AsciiSet = &UNSAFE.add(b'%');

/// A path as it stands in URLs; what is escaped already stays so.
fn escaped(path: &str) -> String {
    utf8_percent_encode(path, UNSAFE).to_string()
}

/// `OWNER/NAME[/DIRECTORY]` of GitHub.
fn github(rest: &str) -> Result<String, SourceError> {
    let (path, query) = split_query(rest);
    let mut parts = path.splitn(3, '/');
    let (Some(owner), Some(name)) = (parts.next(), parts.next()) else {
        return Err(SourceError::Invalid("GitHub URLs should be github.com/username/repo".to_owned()));
    };
    let suffix = if name.ends_with(".git") { "" } else { ".git" };
    let directory = parts.next().map(|directory| format!("//{directory}")).unwrap_or_default();
    Ok(format!("git::https://github.com/{}{query}", escaped(&format!("{owner}/{name}{suffix}{directory}"))))
}

/// `git@HOST:PATH`, as `scp` has it.
fn scp_style(address: &str) -> Option<String> {
    let (host, path) = address.strip_prefix("git@")?.split_once(':')?;
    if host.is_empty() || path.is_empty() {
        return None;
    }
    let (path, query) = split_query(path);
    let root = if path.starts_with('/') { "" } else { "/" };
    let query = match query.strip_prefix('?') {
        Some(query) => format!("?{}", sorted_query(query)),
        None => String::new(),
    };
    Some(format!("git::ssh://git@{host}{root}{}{query}", utf8_percent_encode(path, UNESCAPED)))
}

/// A query whose parameters are sorted and escaped, as Go writes it: `ref=a/b` becomes `ref=a%2Fb`.
fn sorted_query(query: &str) -> String {
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b' ');
    let read = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let write = |text: &str| utf8_percent_encode(text, RESERVED).to_string().replace(' ', "+");
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    let mut pairs: Vec<(String, String)> = parameters
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .map(|(key, value)| (read(key), read(value)))
        .collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    pairs.iter().map(|(key, value)| format!("{}={}", write(key), write(value))).collect::<Vec<_>>().join("&")
}

fn google_bucket(address: &str) -> Result<String, SourceError> {
    match address.splitn(5, '/').collect::<Vec<_>>().as_slice() {
        [_, _, version, bucket, object] => {
            Ok(format!("gcs::https://www.googleapis.com/storage/{version}/{bucket}/{object}"))
        }
        _ => Err(SourceError::Invalid("URL is not a valid GCS URL".to_owned())),
    }
}

fn amazon_bucket(address: &str) -> Result<String, SourceError> {
    let invalid = || SourceError::Invalid("URL is not a valid S3 URL".to_owned());
    let (host, path) = address.split_once('/').ok_or_else(invalid)?;
    let found = match host.split('.').collect::<Vec<_>>().as_slice() {
        [region, _, _] => format!("https://{region}.amazonaws.com/{path}"),
        [bucket, region, _, _] => format!("https://{region}.amazonaws.com/{bucket}/{path}"),
        [bucket, "s3", region, _, _] => format!("https://s3.{region}.amazonaws.com/{bucket}/{path}"),
        _ => return Err(invalid()),
    };
    Ok(format!("s3::{found}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shorthands_are_written_out() {
        for (text, expected) in [
            ("github.com/a/b", "git::https://github.com/a/b.git"),
            ("github.com/a/b.git?ref=v1", "git::https://github.com/a/b.git?ref=v1"),
            ("github.com/a/b//sub?ref=v1", "git::https://github.com/a/b.git//sub?ref=v1"),
            ("github.com/a/b/sub//deep", "git::https://github.com/a/b.git//sub/deep"),
            ("git::github.com/a/b", "git::https://github.com/a/b.git"),
            ("git@github.com:a/b.git//x?ref=y", "git::ssh://git@github.com/a/b.git//x?ref=y"),
            ("git@github.com:a/b.git?ref=x/y&depth=1", "git::ssh://git@github.com/a/b.git?depth=1&ref=x%2Fy"),
            ("github.com/a/b?ref=x/y&depth=1", "git::https://github.com/a/b.git?ref=x/y&depth=1"),
            ("bitbucket.org/a/b", "git::https://bitbucket.org/a/b.git"),
            ("bitbucket.org/a/b/c?ref=x", "git::https://bitbucket.org/a/b/c.git?ref=x"),
            ("foo:bar//x", "foo:bar//x"),
            ("git::ssh://git@h/a.git?depth=1&ref=x", "git::ssh://git@h/a.git?depth=1&ref=x"),
            ("https://h/x.zip//a/../b?archive=zip", "https://h/x.zip//b?archive=zip"),
            ("/abs/dir//sub", "file:///abs/dir//sub"),
            ("www.googleapis.com/storage/v1/b/o/x.zip", "gcs::https://www.googleapis.com/storage/v1/b/o/x.zip"),
            ("b.s3.amazonaws.com/x.zip", "s3::https://s3.amazonaws.com/b/x.zip"),
            ("s3-eu-west-1.amazonaws.com/b/x.zip", "s3::https://s3-eu-west-1.amazonaws.com/b/x.zip"),
            ("b.s3.eu-west-1.amazonaws.com/x", "s3::https://s3.eu-west-1.amazonaws.com/b/x"),
        ] {
            assert_eq!(RemoteSource::parse(text).map(|source| source.to_string()), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        let maybe = |text: &str| SourceError::MaybeRelative(text.to_owned());
        let invalid = |text: &str| SourceError::Invalid(text.to_owned());
        for (text, expected) in [
            ("modules/x//y", maybe("modules/x")),
            ("git::x", maybe("x")),
            ("git::user@host:x", maybe("user@host:x")),
            ("", invalid("invalid source address: ")),
            ("//x", invalid("invalid source address: ")),
            ("github.com/a", invalid("GitHub URLs should be github.com/username/repo")),
            ("a/b/c//d/../../x", invalid("subdirectory path \"../x\" leads outside of the module package")),
            ("git::https://h/a.git//../x", invalid("subdirectory path \"../x\" leads outside of the module package")),
        ] {
            assert_eq!(RemoteSource::parse(text), Err(expected), "{text}");
        }
    }
}
