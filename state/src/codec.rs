//! How snapshots and records are written where they are stored: in clear, or sealed.
//!
//! Whoever stores a snapshot or a record goes through a [`Codec`]; what seals is behind the trait [`Seal`], so that this crate
//! knows neither keys nor ciphers.

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::backend::StoreError;
use crate::model::State;
use crate::v4::{self, ReadError};

/// Makes bytes unreadable for whoever has no key, and readable again. May take a while: keys are derived, or fetched over the
/// network.
pub trait Seal: Send + Sync {
    /// Seals bytes; in clear if that is what is wanted.
    ///
    /// # Errors
    /// A key that can't be had.
    fn seal(&self, clear: &[u8], label: &Label) -> Result<Vec<u8>, SealError>;

    /// Opens what was sealed. What is in clear comes out as it is, where that is allowed.
    ///
    /// # Errors
    /// Why it can't be opened.
    fn open<'b>(&self, stored: &'b [u8]) -> Result<Opened<'b>, SealError>;
}

/// What stands beside sealed bytes, readable without a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// The snapshot's serial.
    pub serial: Option<u64>,
    /// The snapshot's lineage.
    pub lineage: Option<String>,
}

/// What was opened.
pub struct Opened<'b> {
    /// The bytes.
    pub clear: Cow<'b, [u8]>,
    /// What stood beside them.
    pub label: Label,
    /// Whether they would be written otherwise now: with another key, or sealed instead of in clear.
    pub outdated: bool,
}

/// Why something can't be sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It is sealed, and nobody said how.
    #[error(
        "it is encrypted, and no encryption is configured for it: write the `encryption` block that it was written with, or set \
         TF_ENCRYPTION"
    )]
    NotConfigured,
    /// It is in clear, which is not allowed.
    #[error(
        "it is not encrypted, and the encryption configured for {target} takes in nothing unencrypted: to encrypt it from now on, \
         add `fallback {{ method = method.unencrypted.NAME }}` to the block (without `enforced`) until it was written once"
    )]
    InClear {
        /// The block that says so: `state`, `plan`.
        target: String,
    },
    /// No key fits.
    #[error(
        "it cannot be decrypted: {}. If the key was changed, name the earlier method in a `fallback` block; if the data are \
         damaged, restore them from a backup", .tried.join("; ")
    )]
    WrongKey {
        /// What was tried, and what came of it.
        tried: Vec<String>,
    },
    /// It is no file of this format.
    #[error("its encrypted form is damaged: {problem}. Restore it from a backup")]
    Damaged {
        /// What is wrong with it.
        problem: String,
    },
    /// A later format.
    #[error("its encryption has version {0:?}, and this program supports \"v0\"; use a later version of the program")]
    Version(String),
    /// A key can't be had.
    #[error("{provider} gives no key: {reason}")]
    Key {
        /// `key_provider.aws_kms.x`
        provider: String,
        /// Why not.
        reason: String,
    },
    /// What is sealed is another snapshot than the one it is labelled as.
    #[error("it was tampered with: its {field} is not the one that is encrypted. Restore it from a backup")]
    Relabelled {
        /// `serial` or `lineage`.
        field: &'static str,
    },
}

/// Why a snapshot can't be written into something.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// It can't be sealed.
    #[error(transparent)]
    Sealed(SealError),
    /// It can't be taken.
    #[error(transparent)]
    Sink(#[from] io::Error),
}

impl WriteError {
    /// The same of a place.
    pub fn at(self, place: String) -> StoreError {
        match self {
            WriteError::Sealed(source) => StoreError::Sealed { place, source },
            WriteError::Sink(source) => StoreError::Io { action: "write", path: place.into(), source },
        }
    }
}

/// How one place's snapshots and records are written.
#[derive(Clone, Default)]
pub struct Codec {
    seal: Option<Arc<dyn Seal>>,
    outdated: Arc<AtomicBool>,
}

impl Codec {
    /// Writes what is sealed so.
    pub fn sealed(seal: Arc<dyn Seal>) -> Codec {
        Codec { seal: Some(seal), outdated: Arc::default() }
    }

    /// The same for another place.
    #[must_use]
    pub fn for_another(&self) -> Codec {
        Codec { seal: self.seal.clone(), outdated: Arc::default() }
    }

    /// Whether all is in clear.
    pub fn is_clear(&self) -> bool {
        self.seal.is_none()
    }

    /// Whether what was last read would be written otherwise now.
    pub fn is_outdated(&self) -> bool {
        self.outdated.load(Ordering::Relaxed)
    }

    /// Reads a snapshot; `None` for an empty file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(&self, stored: &[u8]) -> Result<Option<State>, ReadError> {
        let Some(seal) = self.seal.as_ref().filter(|_| !stored.is_empty()) else { return v4::read(stored) };
        let opened = match seal.open(stored) {
            // Cut off or damaged, sealed or not, it is none of both, and no error tells more than where.
            Err(error @ SealError::InClear { .. }) => match v4::read(stored) {
                Err(damage @ (ReadError::Syntax { .. } | ReadError::Encoding { .. })) => return Err(damage),
                _ => return Err(error.into()),
            },
            opened => opened?,
        };
        let state = v4::read(&opened.clear)?;
        self.outdated.store(opened.outdated, Ordering::Relaxed);
        if let Some(state) = &state {
            let differs = |field| Err(ReadError::Sealed(SealError::Relabelled { field }));
            if opened.label.serial.is_some_and(|serial| serial != state.serial.0) {
                return differs("serial");
            }
            if opened.label.lineage.as_deref().is_some_and(|lineage| lineage != &*state.lineage.0) {
                return differs("lineage");
            }
        }
        Ok(state)
    }

    /// Reads a snapshot from a file or connection. What is sealed is read whole, since nothing of it may be believed before its
    /// end is checked.
    ///
    /// # Errors
    /// What is wrong with it, or those of the source.
    pub fn read_from(&self, mut source: impl Read) -> Result<Option<State>, ReadError> {
        if self.is_clear() {
            return v4::read_from(source);
        }
        let mut stored = Vec::new();
        source.read_to_end(&mut stored).map_err(ReadError::Source)?;
        self.read(&stored)
    }

    /// Writes a snapshot into a file or connection.
    ///
    /// # Errors
    /// A key that can't be had, or those of the sink.
    pub fn write_to(&self, state: &State, sink: &mut dyn Write) -> Result<(), WriteError> {
        if self.is_clear() {
            return v4::write_to(state, sink).map_err(WriteError::Sink);
        }
        sink.write_all(&self.write(state).map_err(WriteError::Sealed)?).map_err(WriteError::Sink)
    }

    /// Writes a snapshot.
    ///
    /// # Errors
    /// A key that can't be had.
    pub fn write(&self, state: &State) -> Result<Vec<u8>, SealError> {
        let clear = v4::write(state);
        let Some(seal) = &self.seal else { return Ok(clear) };
        let label = Label { serial: Some(state.serial.0), lineage: Some(state.lineage.to_string()) };
        let stored = seal.seal(&clear, &label)?;
        self.outdated.store(false, Ordering::Relaxed);
        Ok(stored)
    }

    /// Seals a record of a journal.
    ///
    /// # Errors
    /// A key that can't be had.
    pub fn seal_record<'b>(&self, clear: &'b [u8]) -> Result<Cow<'b, [u8]>, SealError> {
        match &self.seal {
            Some(seal) => seal.seal(clear, &Label::default()).map(Cow::Owned),
            None => Ok(Cow::Borrowed(clear)),
        }
    }

    /// Opens a record of a journal.
    ///
    /// # Errors
    /// Why it can't be opened.
    pub fn open_record<'b>(&self, stored: &'b [u8]) -> Result<Cow<'b, [u8]>, SealError> {
        match &self.seal {
            Some(seal) => Ok(seal.open(stored)?.clear),
            None if sealed(stored).is_some() => Err(SealError::NotConfigured),
            None => Ok(Cow::Borrowed(stored)),
        }
    }
}

/// What is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// A snapshot.
    Snapshot,
    /// Something else: a plan, a record.
    Other,
}

/// What bytes are, if they are sealed.
pub fn sealed(stored: &[u8]) -> Option<Sealed> {
    #[derive(serde::Deserialize)]
    struct Sniff {
        encryption_version: String,
        #[serde(default)]
        lineage: Option<serde::de::IgnoredAny>,
    }
    if !stored.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let found: Sniff = serde_json::from_slice(stored).ok()?;
    let what = if found.lineage.is_some() { Sealed::Snapshot } else { Sealed::Other };
    (!found.encryption_version.is_empty()).then_some(what)
}
