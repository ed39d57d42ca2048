//! The method `aes_gcm`: AES in Galois/Counter mode, the nonce in front of the text.

use aes_gcm::aead::consts::U12;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::aes::Aes192;
use aes_gcm::{Aes128Gcm, Aes256Gcm, AesGcm, Nonce};

use crate::keys::Key;

const NONCE: usize = 12;

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The key has a length that AES hasn't.
    KeyLength(usize),
    /// The text has no room for a nonce.
    TooShort,
    /// The key is another one, or the text was changed.
    Mismatch,
    /// There is no randomness.
    Nonce,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::KeyLength(length) => {
                write!(f, "the key has {length} bytes, and AES-GCM takes 16, 24 or 32")
            }
            Failure::TooShort => f.write_str("the data are cut off"),
            Failure::Mismatch => f.write_str("the key is another one, or the data are damaged"),
            Failure::Nonce => f.write_str("there is no randomness"),
        }
    }
}

pub(crate) fn encrypt(key: &Key, text: &[u8], aad: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(|_| Failure::Nonce)?;
    let encrypted = run(key, |cipher| cipher.encrypt(&nonce, Payload { msg: text, aad }))?;
    Ok([nonce.as_slice(), &encrypted].concat())
}

pub(crate) fn decrypt(key: &Key, sealed: &[u8], aad: &[u8]) -> Result<Vec<u8>, Failure> {
    let (nonce, text) = sealed.split_first_chunk::<NONCE>().ok_or(Failure::TooShort)?;
    run(key, |cipher| cipher.decrypt(nonce, Payload { msg: text, aad }))
}

/// A cipher of any length of key.
trait Cipher {
    fn encrypt(&self, nonce: &[u8; NONCE], payload: Payload<'_, '_>) -> Option<Vec<u8>>;
    fn decrypt(&self, nonce: &[u8; NONCE], payload: Payload<'_, '_>) -> Option<Vec<u8>>;
}

impl<A> Cipher for A
where
    A: Aead<NonceSize = U12>,
{
    fn encrypt(&self, nonce: &[u8; NONCE], payload: Payload<'_, '_>) -> Option<Vec<u8>> {
        Aead::encrypt(self, Nonce::from_slice(nonce), payload).ok()
    }

    fn decrypt(&self, nonce: &[u8; NONCE], payload: Payload<'_, '_>) -> Option<Vec<u8>> {
        Aead::decrypt(self, Nonce::from_slice(nonce), payload).ok()
    }
}

fn run(key: &Key, work: impl FnOnce(&dyn Cipher) -> Option<Vec<u8>>) -> Result<Vec<u8>, Failure> {
    let bytes = key.0.as_slice();
    let length = Failure::KeyLength(bytes.len());
    let cipher: Box<dyn Cipher> = match bytes.len() {
        16 => Box::new(Aes128Gcm::new_from_slice(bytes).map_err(|_| length)?),
        24 => Box::new(AesGcm::<Aes192, U12>::new_from_slice(bytes).map_err(|_| length)?),
        32 => Box::new(Aes256Gcm::new_from_slice(bytes).map_err(|_| length)?),
        _ => return Err(length),
    };
    work(cipher.as_ref()).ok_or(Failure::Mismatch)
}
