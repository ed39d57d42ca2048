//! The form of encrypted files: a JSON object with what leads to the key, and the text.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use state::SealError;
use state::codec::Label;

use crate::keys::Metadata;

const VERSION: &str = "v0";

#[derive(Serialize, Deserialize)]
struct File<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    serial: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lineage: Option<String>,
    #[serde(default)]
    meta: BTreeMap<String, String>,
    #[serde(default, borrow)]
    encrypted_data: Cow<'a, str>,
    #[serde(default)]
    encryption_version: String,
}

/// An encrypted file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub label: Label,
    pub metadata: Metadata,
    pub data: Vec<u8>,
}

impl Envelope {
    /// Reads one; `None` if it is something else.
    pub fn read(stored: &[u8]) -> Result<Option<Envelope>, SealError> {
        let Ok(file) = serde_json::from_slice::<File<'_>>(stored) else { return Ok(None) };
        match file.encryption_version.as_str() {
            "" => return Ok(None),
            VERSION => {}
            _ => return Err(SealError::Version(file.encryption_version)),
        }
        let decode = |what: &str, text: &str| {
            let damaged = |error: base64::DecodeError| SealError::Damaged { problem: format!("{what}: {error}") };
            BASE64_STANDARD.decode(text).map_err(damaged)
        };
        let metadata =
            file.meta.iter().map(|(name, text)| Ok((name.clone(), decode(&format!("meta {name:?}"), text)?)));
        Ok(Some(Envelope {
            metadata: metadata.collect::<Result<_, SealError>>()?,
            data: decode("encrypted_data", &file.encrypted_data)?,
            label: Label { serial: file.serial, lineage: file.lineage.filter(|lineage| !lineage.is_empty()) },
        }))
    }

    /// Writes it.
    pub fn write(&self) -> Result<Vec<u8>, SealError> {
        let file = File {
            serial: self.label.serial,
            lineage: self.label.lineage.clone(),
            meta: self.metadata.iter().map(|(name, bytes)| (name.clone(), BASE64_STANDARD.encode(bytes))).collect(),
            encrypted_data: BASE64_STANDARD.encode(&self.data).into(),
            encryption_version: VERSION.to_owned(),
        };
        serde_json::to_vec(&file).map_err(|error| SealError::Damaged { problem: error.to_string() })
    }
}
