//! Addresses of packages that are downloaded: shorthands are written out, and the directory in the package is split off.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::module_source::SourceError;

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
    /// Reads an address; `None` if it looks like none, but may be a path whose `./` was forgotten.
    ///
    /// # Errors
    /// A shorthand that says too little, a directory outside of the package.
    pub fn parse(text: &str) -> Result<Option<RemoteSource>, SourceError> {
        let (package, subdirectory) = split_subdirectory(text);
        let (package, inner) = match detect(&package)? {
            Some(found) => split_subdirectory(&found),
            None => return Ok(None),
        };
        let joined = [inner, subdirectory].into_iter().flatten().collect::<Vec<_>>().join("/");
        let subdirectory = clean_subdirectory(&joined)?;
        Ok(Some(RemoteSource { package, subdirectory }))
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
                let reason = format!("subdirectory path {text:?} leads outside of the module package");
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
        Some((kind, rest)) if !kind.is_empty() && kind.chars().all(|c| c.is_ascii_alphanumeric()) => (Some(kind), rest),
        _ => (None, text),
    }
}

/// Writes a shorthand out; `None` if the text is nothing that could be downloaded.
fn detect(text: &str) -> Result<Option<String>, SourceError> {
    let (forced, address) = split_forced(text);
    if has_scheme(address) {
        return Ok(Some(text.to_owned()));
    }
    let (address, query) = address.split_once('?').map_or((address, None), |(a, q)| (a, Some(q)));
    let found = if let Some(rest) = address.strip_prefix("github.com/") {
        Some(hosted_git("GitHub", "github.com", rest)?)
    } else if let Some(found) = scp_style(address) {
        Some(found)
    } else if let Some(rest) = address.strip_prefix("bitbucket.org/") {
        Some(hosted_git("Bitbucket", "bitbucket.org", rest)?)
    } else if address.starts_with("www.googleapis.com/") {
        Some(google_bucket(address)?)
    } else if address.contains(".amazonaws.com/") {
        Some(amazon_bucket(address)?)
    } else if address.starts_with('/') {
        const UNSAFE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'`');
        Some(format!("file://{}", utf8_percent_encode(address, UNSAFE)))
    } else {
        None
    };
    let Some(found) = found else {
        return Ok(forced.map(|_| text.to_owned()));
    };
    let found = match query {
        Some(query) => format!("{found}?{query}"),
        None => found,
    };
    let (own, address) = split_forced(&found);
    Ok(Some(match forced.or(own) {
        Some(kind) => format!("{kind}::{address}"),
        None => address.to_owned(),
    }))
}

fn has_scheme(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

/// `OWNER/NAME[/DIRECTORY]` on a host of git repositories.
fn hosted_git(name: &str, host: &str, rest: &str) -> Result<String, SourceError> {
    let mut parts = rest.splitn(3, '/');
    let (Some(owner), Some(repository)) = (parts.next(), parts.next().filter(|r| !r.is_empty())) else {
        return Err(SourceError::Invalid(format!("{name} URLs should be {host}/username/repo")));
    };
    let repository = repository.strip_suffix(".git").unwrap_or(repository);
    let directory = parts.next().filter(|d| !d.is_empty()).map(|d| format!("//{d}")).unwrap_or_default();
    Ok(format!("git::https://{host}/{owner}/{repository}.git{directory}"))
}

/// `git@HOST:PATH`, as `scp` has it.
fn scp_style(address: &str) -> Option<String> {
    let (host, path) = address.strip_prefix("git@")?.split_once(':')?;
    let path = path.trim_start_matches('/');
    (!host.is_empty() && !path.is_empty()).then(|| format!("git::ssh://git@{host}/{path}"))
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
            ("bitbucket.org/a/b", "git::https://bitbucket.org/a/b.git"),
            ("git::ssh://git@h/a.git?depth=1&ref=x", "git::ssh://git@h/a.git?depth=1&ref=x"),
            ("https://h/x.zip//a/../b?archive=zip", "https://h/x.zip//b?archive=zip"),
            ("/abs/dir//sub", "file:///abs/dir//sub"),
            ("www.googleapis.com/storage/v1/b/o/x.zip", "gcs::https://www.googleapis.com/storage/v1/b/o/x.zip"),
            ("b.s3.amazonaws.com/x.zip", "s3::https://s3.amazonaws.com/b/x.zip"),
            ("s3-eu-west-1.amazonaws.com/b/x.zip", "s3::https://s3-eu-west-1.amazonaws.com/b/x.zip"),
            ("b.s3.eu-west-1.amazonaws.com/x", "s3::https://s3.eu-west-1.amazonaws.com/b/x"),
        ] {
            let found = RemoteSource::parse(text).unwrap().map(|source| source.to_string());
            assert_eq!(found.as_deref(), Some(expected), "{text}");
        }
        assert_eq!(RemoteSource::parse("modules/x"), Ok(None));
        assert!(RemoteSource::parse("github.com/a").is_err());
        assert!(RemoteSource::parse("git::https://h/a.git//../x").is_err());
    }
}
