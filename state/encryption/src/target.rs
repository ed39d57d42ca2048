//! What is encrypted: a target with its method and its fallbacks.

use std::borrow::Cow;
use std::sync::Arc;

use state::codec::{Label, Opened};
use state::{Seal, SealError};

use crate::cipher::{self, Failure};
use crate::envelope::Envelope;
use crate::keys::{Chain, Unavailable};

/// A `method` block.
pub(crate) enum Method {
    /// `unencrypted`
    Unencrypted,
    /// `aes_gcm`
    AesGcm {
        /// `method.aes_gcm.x`
        address: String,
        keys: Arc<Chain>,
        aad: Vec<u8>,
    },
}

/// `state`, `plan` and the like.
pub(crate) struct Target {
    /// Its name: `state`.
    pub name: String,
    /// The method that writes.
    pub method: Arc<Method>,
    /// Those that read as well, in the order in which they are tried.
    pub fallbacks: Vec<Arc<Method>>,
}

impl Target {
    fn methods(&self) -> impl Iterator<Item = &Method> {
        std::iter::once(&*self.method).chain(self.fallbacks.iter().map(|method| &**method))
    }
}

impl Seal for Target {
    fn seal(&self, clear: &[u8], label: &Label) -> Result<Vec<u8>, SealError> {
        let Method::AesGcm { address, keys, aad } = &*self.method else { return Ok(clear.to_vec()) };
        let (key, metadata) = keys.current()?;
        let failed = |failure: Failure| SealError::Key { provider: address.clone(), reason: failure.to_string() };
        let data = cipher::encrypt(&key, clear, aad).map_err(failed)?;
        Envelope { label: label.clone(), metadata, data }.write()
    }

    fn open<'b>(&self, stored: &'b [u8]) -> Result<Opened<'b>, SealError> {
        let writes_clear = matches!(*self.method, Method::Unencrypted);
        let Some(envelope) = Envelope::read(stored)? else {
            if !self.methods().any(|method| matches!(method, Method::Unencrypted)) {
                return Err(SealError::InClear { target: self.name.clone() });
            }
            let clear = Cow::Borrowed(stored);
            return Ok(Opened { clear, label: Label::default(), outdated: !writes_clear });
        };
        let mut tried = Vec::new();
        for (index, method) in self.methods().enumerate() {
            let Method::AesGcm { address, keys, aad } = method else { continue };
            let key = match keys.key(&envelope.metadata) {
                Ok(key) => key,
                Err(Unavailable::Foreign(reason)) => {
                    tried.push(format!("{address}: {reason}"));
                    continue;
                }
                Err(Unavailable::Failed(error)) => {
                    tried.push(format!("{address}: {error}"));
                    continue;
                }
            };
            match cipher::decrypt(&key, &envelope.data, aad) {
                Ok(clear) => {
                    let label = envelope.label;
                    return Ok(Opened { clear: Cow::Owned(clear), label, outdated: index > 0 });
                }
                Err(failure) => tried.push(format!("{address}: {failure}")),
            }
        }
        if tried.is_empty() {
            return Err(SealError::NotConfigured);
        }
        Err(SealError::WrongKey { tried })
    }
}
