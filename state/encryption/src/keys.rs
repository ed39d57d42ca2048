//! Where keys come from.

use std::collections::BTreeMap;
use std::sync::Mutex;

use state::SealError;
use state::backend::remote::{Argument, ConfigError, Settings};
use zeroize::Zeroizing;

use crate::passphrase;

/// The bytes of a key.
#[derive(Clone)]
pub struct Key(pub Zeroizing<Vec<u8>>);

impl Key {
    /// A key of these bytes.
    pub fn new(bytes: Vec<u8>) -> Key {
        Key(Zeroizing::new(bytes))
    }
}

/// A source of keys.
pub trait KeyProvider: Send + Sync {
    /// A new key, and what must be stored beside what it encrypts for the same key to be had again. `upstream`: the key of
    /// the provider that this one is chained to.
    ///
    /// # Errors
    /// Why there is none.
    fn new_key(&self, upstream: Option<&Key>) -> Result<(Key, Vec<u8>), KeyError>;

    /// The key that this was stored beside.
    ///
    /// # Errors
    /// Why there is none.
    fn key(&self, stored: &[u8], upstream: Option<&Key>) -> Result<Key, KeyError>;
}

/// Why a key can't be had. Never holds any of its parts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyError(pub String);

/// A kind of key provider.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Its name in `key_provider` blocks.
    pub name: &'static str,
    /// Its arguments.
    pub arguments: &'static [Argument],
    /// Which of them must be there.
    pub required: &'static [&'static str],
    /// Whether it may be chained to another.
    pub chains: bool,
    /// Makes one. Nothing is asked of a service yet.
    pub open: Open,
}

/// Makes a key provider from its arguments.
pub type Open = fn(&Settings<'_>, Chained) -> Result<Box<dyn KeyProvider>, ConfigError>;

/// Whether a key provider is chained to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chained {
    /// It is.
    Yes,
    /// It stands alone.
    No,
}

/// The kinds of key provider that there are: those of this crate, and those that the caller has.
#[derive(Clone, Copy, Default)]
pub struct Kinds(&'static [Kind]);

const OWN: &[Kind] = &[passphrase::KIND];

impl Kinds {
    /// Those of this crate, and these.
    pub const fn with(further: &'static [Kind]) -> Kinds {
        Kinds(further)
    }

    pub(crate) fn find(self, name: &str) -> Option<&'static Kind> {
        OWN.iter().chain(self.0).find(|kind| kind.name == name)
    }

    pub(crate) fn names(self) -> Vec<&'static str> {
        OWN.iter().chain(self.0).map(|kind| kind.name).collect()
    }
}

/// What is stored beside encrypted data, by key provider.
pub(crate) type Metadata = BTreeMap<String, Vec<u8>>;

/// A key provider with those that it is chained to.
pub(crate) struct Chain {
    /// `key_provider.pbkdf2.x`
    pub address: String,
    /// Under which name its metadata are stored.
    pub alias: String,
    pub provider: Box<dyn KeyProvider>,
    pub upstream: Option<std::sync::Arc<Chain>>,
    /// The key that encrypts in this run.
    current: Mutex<Option<(Key, Metadata)>>,
    /// Keys that decrypt, by what is stored.
    known: Mutex<BTreeMap<Vec<u8>, Key>>,
}

/// Why a key that decrypts can't be had.
pub(crate) enum Unavailable {
    /// The data were encrypted with another key provider.
    Foreign(String),
    /// The provider can't give it.
    Failed(SealError),
}

impl Chain {
    pub fn new(
        address: String,
        alias: String,
        provider: Box<dyn KeyProvider>,
        upstream: Option<std::sync::Arc<Chain>>,
    ) -> Chain {
        Chain { address, alias, provider, upstream, current: Mutex::default(), known: Mutex::default() }
    }

    fn failed(&self, error: KeyError) -> SealError {
        SealError::Key { provider: self.address.clone(), reason: error.0 }
    }

    /// The key that encrypts, and the metadata of all that it comes from.
    pub fn current(&self) -> Result<(Key, Metadata), SealError> {
        let mut current = lock(&self.current);
        if let Some(known) = &*current {
            return Ok(known.clone());
        }
        let (upstream, mut metadata) = match &self.upstream {
            Some(upstream) => upstream.current().map(|(key, metadata)| (Some(key), metadata))?,
            None => (None, Metadata::new()),
        };
        let (key, own) = self.provider.new_key(upstream.as_ref()).map_err(|error| self.failed(error))?;
        metadata.insert(self.alias.clone(), own.clone());
        lock(&self.known).insert(own, key.clone());
        Ok(current.insert((key, metadata)).clone())
    }

    /// The key that these metadata stand for.
    pub fn key(&self, metadata: &Metadata) -> Result<Key, Unavailable> {
        let Some(own) = metadata.get(&self.alias) else {
            let there: Vec<&str> = metadata.keys().map(String::as_str).collect();
            let there = if there.is_empty() { "no key provider".to_owned() } else { there.join(" and ") };
            return Err(Unavailable::Foreign(format!("it was encrypted with {there}, not with {}", self.alias)));
        };
        if let Some(key) = lock(&self.known).get(own) {
            return Ok(key.clone());
        }
        let upstream = self.upstream.as_ref().map(|upstream| upstream.key(metadata)).transpose()?;
        let key = self.provider.key(own, upstream.as_ref()).map_err(|error| Unavailable::Failed(self.failed(error)))?;
        lock(&self.known).insert(own.clone(), key.clone());
        Ok(key)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
