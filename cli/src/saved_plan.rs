//! Saved plans: `plan -out`, `show PLAN`, `apply PLAN`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Component, Path, PathBuf};

use config::loader::manifest_path;
use config::{ModuleManifest, load_config};
use lang::{Diagnostic, Diagnostics, Sources};
use planner::Workspace;
use planner::plan::Plan;
use planner::planfile::{self, PlanFileError, SavedPlan, SealingKey, WriteError};
use sha2::{Digest, Sha256};
use state::SealError;
use state::codec::{self, Label, Sealed};

use crate::encryption::without_keys;
use crate::io::reason;
use crate::session::{Session, chain};

/// Where a plan keeps the list of installed modules among its files.
const MANIFEST: &str = ".modules.json";

/// The environment variable that replaces the key in the data directory, for pipelines that plan and apply on different
/// machines.
const KEY_VARIABLE: &str = "WINDLASS_PLAN_KEY";

/// The environment variable that stands for `-sensitive-in-clear`.
const CLEAR_VARIABLE: &str = "WINDLASS_PLAN_CLEAR";

/// Writes a plan to a file, readable by its owner alone. `in_clear`: its sensitive values are not sealed. Returns a warning
/// if there are any.
pub fn save(session: &Session, plan: &Plan, path: &str, in_clear: bool) -> Result<Option<Diagnostic>, Diagnostic> {
    let in_clear = in_clear || session.environment.get(CLEAR_VARIABLE).is_some_and(|value| !matches!(value, "" | "0"));
    let failed = |what: String| Diagnostic::error("Failed to write plan file", format!("The plan file {what}."));
    let (files, encrypted) = configuration_files(session);
    let saved = SavedPlan { plan: plan.clone(), files, workspace: session.workspace_name(), encrypted };
    let encryption = session.encryption().map_err(first)?;
    // What is encrypted as a whole needs no seal within.
    let unsealed = in_clear || encryption.encrypts_plans();
    let bytes = planfile::write(&saved, || if unsealed { Ok(None) } else { key(session, true).map(Some) }).map_err(
        |error| match error {
            WriteError::Key(detail) => failed(format!("holds sensitive values, and the key to seal them {detail}")),
            WriteError::Plan(error) => failed(format!("could not be made: {}", chain(&error))),
        },
    )?;
    let bytes = match encryption.plan() {
        Some(seal) => seal
            .seal(&bytes, &Label::default())
            .map_err(|error| failed(format!("could not be encrypted: {}", chain(&error))))?,
        None => bytes,
    };
    write_private(Path::new(path), &bytes)
        .map_err(|error| failed(format!("could not be written: open {path}: {}", reason(&error))))?;
    let warning = || {
        let detail = format!(
            "The plan file {path} holds sensitive values in clear, as asked for. Whoever can read the file can read them."
        );
        Diagnostic::warning("Sensitive values in clear", detail)
    };
    let is_clear = in_clear && !encryption.encrypts_plans();
    Ok((is_clear && planfile::is_sensitive(plan)).then(warning))
}

/// The first message, where one alone can be told.
fn first(problems: Diagnostics) -> Diagnostic {
    let unknown = || Diagnostic::error("Failed to set up encryption", "Nothing more is known.");
    problems.into_iter().find(Diagnostic::is_error).unwrap_or_else(unknown)
}

/// The configuration that a plan is made from: what was read of it, and the list of installed modules. Whether something is
/// left out of it because it says how to encrypt.
fn configuration_files(session: &Session) -> (BTreeMap<String, Vec<u8>>, bool) {
    let mut encrypted = false;
    let is_configuration = |name: &str| name.ends_with(".tf") || name.ends_with(".tf.json");
    let mut files: BTreeMap<String, Vec<u8>> = session
        .sources
        .all()
        .iter()
        .map(|source| (source.name.to_string_lossy().into_owned(), source))
        .filter(|(name, _)| is_configuration(name))
        .map(|(name, source)| {
            let bytes = without_keys(&name, &source.bytes);
            encrypted |= bytes[..] != source.bytes[..];
            (name, bytes)
        })
        .collect();
    if let Ok(manifest) = std::fs::read(manifest_path(&session.environment.data_dir())) {
        files.insert(MANIFEST.to_owned(), manifest);
    }
    (files, encrypted)
}

/// Whether a file holds a saved plan, whatever its name.
pub fn is_plan(path: &str) -> std::io::Result<bool> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    (&file).take(state::v4::HEAD as u64).read_to_end(&mut bytes)?;
    if bytes.starts_with(b"PK") || state::v4::says_version_first(&bytes) {
        return Ok(bytes.starts_with(b"PK"));
    }
    file.read_to_end(&mut bytes)?;
    Ok(codec::sealed(&bytes) == Some(Sealed::Other))
}

/// Reads a saved plan.
pub fn read(session: &Session, path: &str) -> Result<SavedPlan, Diagnostic> {
    let failed = |detail: String| Diagnostic::error(format!("Failed to load \"{path}\" as a plan file"), detail);
    if Path::new(path).is_dir() {
        let detail = "The specified path is a directory, not a plan file. You can use the global -chdir flag to use this \
                      directory as the configuration root.";
        return Err(failed(detail.to_owned()));
    }
    let bytes = std::fs::read(path).map_err(|error| failed(format!("Error: stat {path}: {}", reason(&error))))?;
    let decode = |clear: &[u8]| planfile::read(clear, || key(session, false).ok());
    let encryption = match session.encryption() {
        Ok(encryption) => encryption,
        // What the directory holds by now does not matter to a plan, unless it alone knows how to encrypt.
        Err(problems) => match decode(&bytes) {
            Ok(saved) if !saved.encrypted => session.encryption_of(None).map_err(first)?,
            _ => return Err(first(problems)),
        },
    };
    let opened = match encryption.plan() {
        Some(seal) => seal.open(&bytes).map(|opened| opened.clear),
        None if codec::sealed(&bytes).is_some() => Err(SealError::NotConfigured),
        None => Ok(Cow::Borrowed(bytes.as_slice())),
    };
    let clear = opened.map_err(|error| failed(format!("The plan file {path} can't be used: {error}.")))?;
    decode(&clear).map_err(|error| {
        let hint = match &error {
            PlanFileError::Sealed => format!(
                " The key was made where the plan was, in {}. There are three ways to apply a plan elsewhere: take that file \
                 along with the plan; set {KEY_VARIABLE} to the same text for plan and apply; or plan with \
                 -sensitive-in-clear (or {CLEAR_VARIABLE}=1), which leaves the sensitive values unsealed, as Terraform does.",
                key_path(session).display()
            ),
            PlanFileError::NotAPlan => " Plans of Terraform itself can't be applied by windlass: plan again.".to_owned(),
            _ => " Plan again.".to_owned(),
        };
        failed(format!("The plan file can't be used: {}.{hint}", chain(&error)))
    })
}

/// The workspace that a plan was made in: its configuration is the plan's, not what the directory holds by now.
pub fn workspace(session: &Session, saved: &SavedPlan) -> Result<Workspace, Diagnostics> {
    let failed = |error: std::io::Error| {
        Diagnostics::from(Diagnostic::error("Failed to unpack the plan's configuration", error.to_string()))
    };
    let scratch = tempfile::tempdir().map_err(failed)?;
    let root = unpack(scratch.path(), &saved.files).map_err(failed)?;
    let manifest = ModuleManifest::read(&root.join(MANIFEST)).unwrap_or_default();
    let sources: &Sources = &session.sources;
    let (module, diagnostics) = load_config(sources, &root, &manifest);
    match module.filter(|_| !diagnostics.has_errors()) {
        Some(module) => Ok(session.workspace(module)),
        None => Err(diagnostics),
    }
}

/// Writes the files below `scratch` and returns the root module's directory. It lies as deep as modules beside it need.
fn unpack(scratch: &Path, files: &BTreeMap<String, Vec<u8>>) -> std::io::Result<PathBuf> {
    let ups = |name: &str| Path::new(name).components().filter(|part| matches!(part, Component::ParentDir)).count();
    let depth = files.keys().map(|name| ups(name)).max().unwrap_or_default();
    let root = (0..depth).fold(scratch.join("root"), |path, _| path.join("root"));
    std::fs::create_dir_all(&root)?;
    for (name, bytes) in files {
        let path = Path::new(name);
        if path.is_absolute() {
            continue;
        }
        let path = root.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, bytes)?;
    }
    Ok(root)
}

fn key_path(session: &Session) -> PathBuf {
    session.environment.data_dir().join("windlass-plan.key")
}

/// The key that seals plans with sensitive values: from the environment, or kept in the data directory, made on first use.
fn key(session: &Session, create: bool) -> Result<SealingKey, String> {
    if let Some(text) = session.environment.get(KEY_VARIABLE) {
        return Ok(SealingKey(Sha256::digest(text.as_bytes()).into()));
    }
    let path = key_path(session);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(_) if create => {
            let mut bytes = vec![0; 32];
            getrandom::fill(&mut bytes).map_err(|error| format!("could not be made: {error}"))?;
            let parent = path.parent().unwrap_or(Path::new("."));
            let written = std::fs::create_dir_all(parent).and_then(|()| write_private(&path, &bytes));
            written.map_err(|error| format!("could not be written to {}: {error}", path.display()))?;
            bytes
        }
        Err(error) => return Err(format!("could not be read from {}: {error}", path.display())),
    };
    Ok(SealingKey(Sha256::digest(&bytes).into()))
}

/// Writes a file that only its owner can read, and replaces what was there only when all is written.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".windlass-").suffix(".tmp").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
