//! Files and paths: `abspath`, `basename`, `dirname`, `file`, `filebase64`, `fileexists`, `fileset`, `pathexpand` and the
//! hashes of files.

use std::fs;
use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::arguments::{quoted, string, unmarked};
use super::hashes::Hash;
use super::{CallContext, CallError, Function, Param, glob, paths};
use crate::Str;
use crate::types::Type;
use crate::values::{Marks, Value};

/// The functions that read files: not available in `templatestring`.
pub(super) const FILE_FUNCTIONS: [&str; 11] = [
    "file",
    "fileexists",
    "fileset",
    "filebase64",
    "filebase64sha256",
    "filebase64sha512",
    "filemd5",
    "filesha1",
    "filesha256",
    "filesha512",
    "templatefile",
];

pub(super) fn functions() -> Vec<Function> {
    let path = || Param::new("path", Type::String);
    let marked_path = || path().unknown().marked();
    vec![
        Function::new("abspath", "`abspath` makes a path absolute.", Type::String, |a, _, functions| {
            let path = string(a, 0)?;
            let from = functions.context().working_dir.to_string_lossy();
            Ok(Value::string(if path.starts_with('/') { paths::clean(path) } else { paths::join(&from, path) }))
        })
        .param(path()),
        Function::new("basename", "`basename` returns the last part of a path.", Type::String, |a, _, _| {
            Ok(Value::string(paths::base(string(a, 0)?)))
        })
        .param(path()),
        Function::new("dirname", "`dirname` returns a path without its last part.", Type::String, |a, _, _| {
            Ok(Value::string(paths::directory(string(a, 0)?)))
        })
        .param(path()),
        Function::new(
            "pathexpand",
            "`pathexpand` replaces a leading `~` by the home directory.",
            Type::String,
            |a, _, functions| Ok(Value::string(paths::expand_home(string(a, 0)?, functions.context())?)),
        )
        .param(path()),
        Function::new("file", "`file` returns the content of a file.", Type::String, |a, _, functions| {
            with_path(a, Type::String, |path, marks| read_text(path, marks, functions.context()).map(Value::string))
        })
        .param(marked_path()),
        Function::new(
            "filebase64",
            "`filebase64` returns the content of a file in Base64.",
            Type::String,
            |a, _, functions| {
                with_path(a, Type::String, |path, marks| {
                    Ok(Value::string(STANDARD.encode(read(path, marks, functions.context())?)))
                })
            },
        )
        .param(marked_path()),
        Function::new(
            "fileexists",
            "`fileexists` says whether there is a file at a path.",
            Type::Bool,
            |a, _, functions| with_path(a, Type::Bool, |path, marks| exists(path, marks, functions.context())),
        )
        .param(marked_path()),
        Function::new(
            "fileset",
            "`fileset` returns the names of the files below a path that match a pattern.",
            Type::set(Type::String),
            |a, ty, functions| {
                let (path, path_marks) = unmarked(a, 0)?;
                let (pattern, pattern_marks) = unmarked(a, 1)?;
                let marks = path_marks | pattern_marks;
                let (Some(path), Some(pattern)) = (path.as_str(), pattern.as_str()) else {
                    return Ok(Value::unknown(ty.clone()).with_marks(marks));
                };
                Ok(file_set(path, pattern, marks, functions.context())?.with_marks(marks))
            },
        )
        .param(marked_path())
        .param(Param::new("pattern", Type::String).unknown().marked()),
        hash("filemd5", "`filemd5` returns the MD5 hash of a file in hexadecimal.", Hash::Md5, hex::encode),
        hash("filesha1", "`filesha1` returns the SHA-1 hash of a file in hexadecimal.", Hash::Sha1, hex::encode),
        hash(
            "filesha256",
            "`filesha256` returns the SHA-256 hash of a file in hexadecimal.",
            Hash::Sha256,
            hex::encode,
        ),
        hash(
            "filesha512",
            "`filesha512` returns the SHA-512 hash of a file in hexadecimal.",
            Hash::Sha512,
            hex::encode,
        ),
        hash(
            "filebase64sha256",
            "`filebase64sha256` returns the SHA-256 hash of a file in Base64.",
            Hash::Sha256,
            |b| STANDARD.encode(b),
        ),
        hash(
            "filebase64sha512",
            "`filebase64sha512` returns the SHA-512 hash of a file in Base64.",
            Hash::Sha512,
            |b| STANDARD.encode(b),
        ),
    ]
}

fn hash(name: &'static str, description: &'static str, hash: Hash, encode: fn(Vec<u8>) -> String) -> Function {
    Function::new(name, description, Type::String, move |a, _, functions| {
        let path = paths::resolve(string(a, 0)?, functions.context())?;
        let bytes = fs::read(&path).map_err(|error| {
            let verb = if error.kind() == io::ErrorKind::IsADirectory { "read" } else { "open" };
            CallError::new(format_args!("{verb} {path}: {}", reason(&error)))
        })?;
        Ok(Value::string(encode(hash.of(&bytes))))
    })
    .param(Param::new("path", Type::String))
}

/// Calls `then` with a known path; an unknown one has an unknown result. The path's marks go on.
fn with_path(
    arguments: &[Value],
    ty: Type,
    then: impl FnOnce(&str, Marks) -> Result<Value, CallError>,
) -> Result<Value, CallError> {
    let (path, marks) = unmarked(arguments, 0)?;
    match path.as_str() {
        Some(path) => Ok(then(path, marks)?.with_marks(marks)),
        None => Ok(Value::unknown(ty).with_marks(marks)),
    }
}

/// The cause as the operating system words it, without Rust's addition.
fn reason(error: &io::Error) -> String {
    let text = error.to_string().to_lowercase();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

fn read(path: &str, marks: Marks, context: &CallContext) -> Result<Vec<u8>, CallError> {
    let resolved = paths::resolve(path, context)?;
    fs::read(&resolved).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            let path = quoted(path, marks);
            return CallError::argument(0, format_args!(
                "no file exists at {path}; this function works only with files that are distributed as part of the configuration source code, so if this file will be created by a resource in this configuration you must instead obtain this result from an attribute of that resource"
            ));
        }
        let verb = if error.kind() == io::ErrorKind::IsADirectory { "failed to read file: read" } else { "open" };
        CallError::argument(0, format_args!("{verb} {resolved}: {}", reason(&error)))
    })
}

/// The text of the file at `path`, as `file` reads it.
pub(super) fn read_text(path: &str, marks: Marks, context: &CallContext) -> Result<Str, CallError> {
    let bytes = read(path, marks, context)?;
    String::from_utf8(bytes).map(Str::from).map_err(|_| {
        let path = quoted(path, marks);
        CallError::new(format_args!(
            "contents of {path} are not valid UTF-8; use the filebase64 function to obtain the Base64 encoded contents or the other file functions (e.g. filemd5, filesha256) to obtain file hashing results instead"
        ))
    })
}

fn exists(path: &str, marks: Marks, context: &CallContext) -> Result<Value, CallError> {
    let resolved = paths::resolve(path, context)?;
    let shown = quoted(&resolved, marks);
    match fs::metadata(&resolved) {
        Ok(metadata) if metadata.is_file() => Ok(Value::bool(true)),
        Ok(metadata) if metadata.is_dir() => {
            Err(CallError::argument(1, format_args!("{shown} is a directory, not a file")))
        }
        Ok(_) => Err(CallError::argument(1, format_args!("{shown} is not a regular file"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Value::bool(false)),
        Err(_) => Err(CallError::new(format_args!("failed to stat {shown}"))),
    }
}

fn file_set(path: &str, pattern: &str, marks: Marks, context: &CallContext) -> Result<Value, CallError> {
    let base =
        if path.starts_with('/') { path.to_owned() } else { paths::join(&context.base_dir.to_string_lossy(), path) };
    let pattern = paths::join(&base, pattern);
    let found = glob::glob(&pattern).map_err(|glob::BadPattern| {
        CallError::new(format_args!("failed to glob pattern {}: syntax error in pattern", quoted(&pattern, marks)))
    })?;
    let base = paths::clean(&base);
    let mut names = Vec::new();
    for file in found {
        let metadata = fs::metadata(&file).map_err(|error| {
            CallError::new(format_args!("failed to stat {}: {}", quoted(&file, marks), reason(&error)))
        })?;
        if metadata.is_file() {
            names.push(Value::string(paths::relative(&base, &file)));
        }
    }
    Ok(Value::set(Type::String, names))
}
