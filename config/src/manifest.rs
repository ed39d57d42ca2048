//! The manifest of installed modules, `.terraform/modules/modules.json`, which other tools read, too.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use lang::addr::ModulePath;
use serde::{Deserialize, Serialize};

/// Where each module of a configuration is installed, by its key (`net.sub`; empty for the root).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModuleManifest {
    records: BTreeMap<String, ModuleRecord>,
}

/// One installed module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleRecord {
    /// Call names from the root, with dots; empty for the root.
    #[serde(rename = "Key")]
    pub key: String,
    /// The normalised source address; empty for the root.
    #[serde(rename = "Source")]
    pub source: String,
    /// The version, for modules of a registry.
    #[serde(rename = "Version", default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its directory, relative to the working directory.
    #[serde(rename = "Dir")]
    pub dir: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Document {
    #[serde(rename = "Modules")]
    modules: Vec<ModuleRecord>,
}

impl ModuleManifest {
    /// The key of a module.
    pub fn key(path: &ModulePath) -> String {
        path.0.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(".")
    }

    /// The record of a module.
    pub fn get(&self, path: &ModulePath) -> Option<&ModuleRecord> {
        self.records.get(&ModuleManifest::key(path))
    }

    /// Adds or replaces a record.
    pub fn insert(&mut self, record: ModuleRecord) {
        self.records.insert(record.key.clone(), record);
    }

    /// Forgets a module and those below it.
    pub fn remove_tree(&mut self, key: &str) {
        let below = format!("{key}.");
        self.records.retain(|other, _| other != key && !other.starts_with(&below));
    }

    /// All records by key.
    pub fn records(&self) -> impl Iterator<Item = &ModuleRecord> {
        self.records.values()
    }

    /// Reads a manifest from a file; a missing file is an empty manifest.
    pub fn read(file: &Path) -> io::Result<ModuleManifest> {
        let bytes = match std::fs::read(file) {
            Ok(bytes) if bytes.is_empty() => return Ok(ModuleManifest::default()),
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ModuleManifest::default()),
            Err(error) => return Err(error),
        };
        let document: Document = serde_json::from_slice(&bytes)?;
        let records = document.modules.into_iter().map(|record| (record.key.clone(), record)).collect();
        Ok(ModuleManifest { records })
    }

    /// The text that Terraform writes for it.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(&Document { modules: self.records.values().cloned().collect() })
    }

    /// Writes it to a file, whose directory is made.
    pub fn write(&self, file: &Path) -> io::Result<()> {
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent)?;
        }
        // A reader in between sees the old manifest or the new one.
        let temporary = file.with_extension("json.new");
        std::fs::write(&temporary, self.to_json()?)?;
        std::fs::rename(&temporary, file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_terraforms() {
        let text = concat!(
            r#"{"Modules":[{"Key":"","Source":"","Dir":"."},"#,
            r#"{"Key":"vpc","Source":"registry.terraform.io/a/vpc/aws","Version":"5.1.0","#,
            r#""Dir":".terraform/modules/vpc"}]}"#
        );
        let document: Document = serde_json::from_str(text).expect("a manifest");
        let mut manifest = ModuleManifest::default();
        document.modules.into_iter().rev().for_each(|record| manifest.insert(record));
        assert_eq!(manifest.to_json().expect("text"), text);
        assert_eq!(manifest.get(&ModulePath::root().child("vpc")).and_then(|r| r.version.as_deref()), Some("5.1.0"));
    }
}
