//! The dependency lock file, `.terraform.lock.hcl`.
//!
//! Providers are part of the binary, so nothing is chosen by it. It is read, so that tools and messages can tell what Terraform
//! has chosen; only `providers lock` writes it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use hcl::{Attribute, Body, Expression};
use lang::addr::{ProviderSource, quote};

use crate::provider_source::parse_provider_source;

/// The name of the file beside the root module.
pub const FILE_NAME: &str = ".terraform.lock.hcl";

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockFile {
    /// Choices by provider.
    pub providers: BTreeMap<ProviderSource, ProviderLock>,
}

/// The choice for one provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderLock {
    /// The chosen version.
    pub version: String,
    /// The constraints it was chosen by, as written.
    pub constraints: Option<String>,
    /// Checksums of its packages.
    pub hashes: Vec<String>,
}

/// Why a lock file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LockFileError {
    /// The file system said no.
    #[error("cannot read the dependency lock file")]
    Read(#[source] io::Error),
    /// The file system said no to a write.
    #[error("cannot write the dependency lock file")]
    Write(#[source] io::Error),
    /// It is not HCL.
    #[error("the dependency lock file is not valid")]
    Syntax(#[source] hcl::Error),
    /// A label is no provider source.
    #[error("invalid provider source address in the dependency lock file: {0}")]
    Source(String),
}

impl LockFile {
    /// Reads the lock file of a directory; `None` when there is none.
    pub fn read(dir: &Path) -> Result<Option<LockFile>, LockFileError> {
        match std::fs::read_to_string(dir.join(FILE_NAME)) {
            Ok(text) => LockFile::parse(&text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LockFileError::Read(error)),
        }
    }

    /// Reads the text of a lock file. What is unknown in it is passed over: newer versions may add to it.
    pub fn parse(text: &str) -> Result<LockFile, LockFileError> {
        let body: Body = hcl::parse(text).map_err(LockFileError::Syntax)?;
        let mut providers = BTreeMap::new();
        for block in body.blocks().filter(|block| block.identifier() == "provider") {
            let Some(label) = block.labels().first() else { continue };
            let source =
                parse_provider_source(label.as_str()).map_err(|_| LockFileError::Source(label.as_str().to_owned()))?;
            let mut lock = ProviderLock::default();
            for Attribute { key, expr } in block.body().attributes() {
                match (key.as_str(), expr) {
                    ("version", Expression::String(text)) => lock.version = text.clone(),
                    ("constraints", Expression::String(text)) => lock.constraints = Some(text.clone()),
                    ("hashes", Expression::Array(items)) => {
                        lock.hashes = items
                            .iter()
                            .filter_map(|item| match item {
                                Expression::String(text) => Some(text.clone()),
                                _ => None,
                            })
                            .collect();
                    }
                    _ => {}
                }
            }
            providers.insert(source, lock);
        }
        Ok(LockFile { providers })
    }
}

impl LockFile {
    /// Writes the lock file of a directory, in Terraform's form.
    ///
    /// # Errors
    /// The file system says no.
    pub fn write(&self, dir: &Path) -> Result<(), LockFileError> {
        std::fs::write(dir.join(FILE_NAME), self.to_text()).map_err(LockFileError::Write)
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        let mut text =
            "# This file is maintained automatically by \"terraform init\".\n# Manual edits may be lost in future \
                        updates.\n"
                .to_owned();
        for (source, lock) in &self.providers {
            let (version, source) = (quote(&lock.version), quote(&source.to_string()));
            text.push_str(&format!("\nprovider {source} {{\n"));
            match &lock.constraints {
                Some(constraints) => {
                    text.push_str(&format!("  version     = {version}\n  constraints = {}\n", quote(constraints)));
                }
                None => text.push_str(&format!("  version = {version}\n")),
            }
            if !lock.hashes.is_empty() {
                let hashes: String = lock.hashes.iter().map(|hash| format!("    {},\n", quote(hash))).collect();
                text.push_str(&format!("  hashes = [\n{hashes}  ]\n"));
            }
            text.push_str("}\n");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices() {
        let text = r#"
# This file is maintained automatically by "terraform init".
provider "registry.terraform.io/hashicorp/aws" {
  version     = "5.100.0"
  constraints = "~> 5.0"
  hashes = [
    "h1:abc=",
    "zh:def",
  ]
}
"#;
        let lock = LockFile::parse(text).expect("a lock file");
        let aws = &lock.providers[&ProviderSource::hashicorp("aws")];
        assert_eq!(
            (aws.version.as_str(), aws.constraints.as_deref(), aws.hashes.len()),
            ("5.100.0", Some("~> 5.0"), 2)
        );
        assert!(LockFile::parse("provider {").is_err());
        assert_eq!(LockFile::parse(&lock.to_text()).expect("a lock file"), lock);
        let bare = ProviderLock { constraints: None, hashes: Vec::new(), ..aws.clone() };
        let lock = LockFile { providers: BTreeMap::from([(ProviderSource::hashicorp("aws"), bare)]) };
        assert!(lock.to_text().ends_with("aws\" {\n  version = \"5.100.0\"\n}\n"));
        assert_eq!(LockFile::parse(&lock.to_text()).expect("a lock file"), lock);
    }
}
