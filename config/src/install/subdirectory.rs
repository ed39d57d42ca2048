//! Directories in packages, and links to directories.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use crate::module_source::clean_path;

/// The only directory in `folder` that fits a pattern, whose parts may hold `*` and `?`. Paths are relative to `root_dir`.
///
/// # Errors
/// None or several, in Terraform's words.
pub(super) fn expand(root_dir: &Path, folder: &Path, pattern: &str) -> Result<PathBuf, String> {
    let mut found = vec![folder.to_owned()];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        if !part.contains(['*', '?']) {
            found.iter_mut().for_each(|dir| dir.push(part));
            continue;
        }
        let mut deeper = Vec::new();
        for dir in &found {
            let Ok(entries) = std::fs::read_dir(root_dir.join(dir)) else { continue };
            let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
            deeper.extend(names.filter(|name| matches(part.as_bytes(), name.as_bytes())).map(|name| dir.join(name)));
        }
        found = deeper;
    }
    found.retain(|dir| root_dir.join(dir).exists());
    match found.as_slice() {
        [one] => Ok(clean_path(one)),
        [] => Err(format!("subdir {pattern:?} not found")),
        _ => Err(format!("subdir {pattern:?} matches multiple paths")),
    }
}

/// Whether a name fits a pattern. Hidden names fit only patterns that name the dot.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    fn rest(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', tail)), _) => (0..=name.len()).any(|skip| rest(tail, name.get(skip..).unwrap_or_default())),
            (Some((b'?', tail)), Some((_, name))) => rest(tail, name),
            (Some((a, tail)), Some((b, name))) => a == b && rest(tail, name),
            _ => false,
        }
    }
    (!name.starts_with(b".") || pattern.starts_with(b".")) && pattern.len() <= 256 && rest(pattern, name)
}

/// A path without links in it, relative if it was relative and no link leads to an absolute path.
///
/// # Errors
/// What is missing, in the words of Go's `lstat`.
pub(super) fn resolve_links(root_dir: &Path, path: &Path) -> Result<PathBuf, String> {
    let mut left: VecDeque<OsString> = path.components().map(|part| part.as_os_str().to_owned()).collect();
    let mut resolved = PathBuf::new();
    let mut followed = 0;
    while let Some(part) = left.pop_front() {
        match Path::new(&part).components().next() {
            Some(Component::Normal(_)) => {}
            Some(Component::ParentDir) if matches!(resolved.components().next_back(), Some(Component::Normal(_))) => {
                resolved.pop();
                continue;
            }
            _ => {
                resolved.push(&part);
                continue;
            }
        }
        let next = resolved.join(&part);
        let full = root_dir.join(&next);
        let metadata = std::fs::symlink_metadata(&full)
            .map_err(|error| format!("lstat {}: {}", next.display(), without_number(&error)))?;
        if !metadata.is_symlink() {
            resolved = next;
            continue;
        }
        followed += 1;
        if followed > 255 {
            return Err("too many links".to_owned());
        }
        let target = std::fs::read_link(&full).map_err(|error| error.to_string())?;
        if target.is_absolute() {
            resolved = PathBuf::new();
        }
        for part in target.components().rev() {
            left.push_front(part.as_os_str().to_owned());
        }
    }
    Ok(clean_path(&resolved))
}

fn without_number(error: &std::io::Error) -> String {
    error.to_string().split(" (os error").next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_must_fit_one_directory() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["m/abc/x", "m/abd", "m/.git"] {
            std::fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        let expand = |pattern: &str| expand(dir.path(), Path::new("m"), pattern);
        assert_eq!(expand("*c/x"), Ok("m/abc/x".into()));
        assert_eq!(expand("*/x"), Ok("m/abc/x".into()));
        assert_eq!(expand("ab?"), Err("subdir \"ab?\" matches multiple paths".to_owned()));
        assert_eq!(expand("nope"), Err("subdir \"nope\" not found".to_owned()));
        assert_eq!(expand(""), Ok("m".into()));
    }

    #[test]
    fn links_are_resolved_part_by_part() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("real/deep")).unwrap();
        std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("real"), dir.path().join("absolute")).unwrap();
        std::os::unix::fs::symlink("loop", dir.path().join("loop")).unwrap();
        let resolve = |path: &str| resolve_links(dir.path(), Path::new(path));
        assert_eq!(resolve("link/deep"), Ok("real/deep".into()));
        assert_eq!(resolve("real/../link"), Ok("real".into()));
        assert_eq!(resolve("absolute/deep"), Ok(dir.path().join("real/deep")));
        assert_eq!(resolve("link/nope"), Err("lstat real/nope: no such file or directory".to_owned()));
        assert!(resolve("loop").is_err());
    }
}
