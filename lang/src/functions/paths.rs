//! Paths as text, by Go's rules for Unix: what `basename`, `dirname`, `abspath` and the functions that read files share.

use super::{CallContext, CallError};

/// The shortest equivalent path: without `.`, doubled slashes and resolvable `..`; `.` for nothing.
pub(super) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(last) if *last != ".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(".."),
            },
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// The cleaned path of `path` as seen from `base`.
pub(super) fn join(base: &str, path: &str) -> String {
    match (base.is_empty(), path.is_empty()) {
        (true, true) => String::new(),
        (true, false) => clean(path),
        (false, true) => clean(base),
        (false, false) => clean(&format!("{base}/{path}")),
    }
}

/// `path` made absolute or relative to the base directory of the configuration, `~` resolved.
pub(super) fn resolve(path: &str, context: &CallContext) -> Result<String, CallError> {
    let path = expand_home(path, context)
        .map_err(|e| CallError { message: format!("failed to expand ~: {}", e.message), ..e })?;
    if path.starts_with('/') {
        return Ok(clean(&path));
    }
    Ok(clean(&join(&context.base_dir.to_string_lossy(), &path)))
}

/// Replaces a leading `~` by the home directory.
pub(super) fn expand_home(path: &str, context: &CallContext) -> Result<String, CallError> {
    let Some(rest) = path.strip_prefix('~') else { return Ok(path.to_owned()) };
    if !rest.is_empty() && !rest.starts_with(['/', '\\']) {
        return Err(CallError::new("cannot expand user-specific home dir"));
    }
    let home = context.home_dir.as_ref().ok_or_else(|| CallError::new("the home directory is not known"))?;
    Ok(join(&home.to_string_lossy(), rest))
}

/// The last part of a path.
pub(super) fn base(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { "/" } else { trimmed.rsplit('/').next().unwrap_or(trimmed) }
}

/// All but the last part of a path, cleaned.
pub(super) fn directory(path: &str) -> String {
    let end = path.rfind('/').map_or(0, |slash| slash + 1);
    clean(path.get(..end).unwrap_or_default())
}

/// `path` as seen from `base`; both cleaned and both absolute or both relative.
pub(super) fn relative(base: &str, path: &str) -> String {
    let parts = |p: &str| p.split('/').filter(|s| !s.is_empty() && *s != ".").map(str::to_owned).collect::<Vec<_>>();
    let (base, path) = (parts(base), parts(path));
    let shared = base.iter().zip(&path).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..".to_owned(), base.len() - shared);
    let relative: Vec<String> = up.chain(path.into_iter().skip(shared)).collect();
    if relative.is_empty() { ".".to_owned() } else { relative.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_by_their_text() {
        for (path, expected) in
            [("", "."), ("a//b/./../c/", "a/c"), ("/../x", "/x"), ("../a/../..", "../.."), ("/", "/"), ("a/..", ".")]
        {
            assert_eq!(clean(path), expected, "{path}");
        }
        assert_eq!((base("a/"), base(""), base("//")), ("a", ".", "/"));
        assert_eq!((directory("/a/b/c.txt").as_str(), directory("c").as_str()), ("/a/b", "."));
        assert_eq!(relative("files/dir", "files/dir/sub/a"), "sub/a");
        assert_eq!(relative(".", "a"), "a");
        assert_eq!(relative("a/b", "a/c"), "../c");
    }
}
