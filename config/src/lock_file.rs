//! The dependency lock file, `.terraform.lock.hcl`.
//!
//! Providers are part of the binary, so nothing is chosen by it and nothing is added to it. It is read, so that tools and
//! messages can tell what Terraform has chosen, and left as it is.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use hcl::{Attribute, Body, Expression};
use lang::addr::ProviderSource;

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
    }
}
