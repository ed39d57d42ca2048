//! The key provider `pbkdf2`: keys that follow from a passphrase and a random salt.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::Hmac;
use serde::{Deserialize, Serialize};
use sha2::{Sha256, Sha512};
use state::backend::remote::ArgumentType::{Number, Text};
use state::backend::remote::{ConfigError, Settings, argument};
use zeroize::Zeroizing;

use crate::keys::{Chained, Key, KeyError, KeyProvider, Kind};

pub(crate) const KIND: Kind = Kind {
    name: "pbkdf2",
    arguments: &[
        argument("passphrase", Text, None),
        argument("key_length", Number, None),
        argument("iterations", Number, None),
        argument("salt_length", Number, None),
        argument("hash_function", Text, None),
    ],
    required: &[],
    chains: true,
    open: |settings, chained| Ok(Box::new(Passphrase::new(settings, chained)?)),
};

const SHORTEST_PASSPHRASE: usize = 16;
const FEWEST_ITERATIONS: u32 = 200_000;
/// What data may ask for at most: more would take minutes.
const MOST_ITERATIONS: u32 = 10_000_000;
const LONGEST: u32 = 1024;

struct Passphrase {
    /// `None`: the key of the provider that this one is chained to.
    passphrase: Option<Zeroizing<String>>,
    shape: Shape,
    salt_length: usize,
}

#[derive(Clone, Copy)]
struct Shape {
    iterations: u32,
    key_length: usize,
    hash: Hash,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Hash {
    Sha256,
    Sha512,
}

/// What is stored beside the data.
#[derive(Serialize, Deserialize)]
struct Stored {
    salt: String,
    iterations: u32,
    hash_function: Hash,
    key_length: u32,
}

impl Passphrase {
    fn new(settings: &Settings<'_>, chained: Chained) -> Result<Passphrase, ConfigError> {
        let problem = |name: &'static str, reason: String| Err(ConfigError { argument: Some(name), reason });
        let passphrase = settings.text("passphrase").map(Zeroizing::new);
        match (&passphrase, chained) {
            (None, Chained::No) => {
                return problem("passphrase", "there is neither `passphrase` nor `chain`".to_owned());
            }
            (Some(_), Chained::Yes) => {
                return problem("passphrase", "`passphrase` and `chain` exclude each other".to_owned());
            }
            (Some(text), Chained::No) if text.len() < SHORTEST_PASSPHRASE => {
                let reason = format!("the passphrase is too short: it takes {SHORTEST_PASSPHRASE} characters or more");
                return problem("passphrase", reason);
            }
            _ => {}
        }
        let iterations = settings.number("iterations", 600_000)?;
        if !(FEWEST_ITERATIONS..=MOST_ITERATIONS).contains(&iterations) {
            let reason = format!("`iterations` must be between {FEWEST_ITERATIONS} and {MOST_ITERATIONS}");
            return problem("iterations", reason);
        }
        let length = |name: &'static str| {
            let length = settings.number(name, 32)?;
            match length {
                1..=LONGEST => Ok(length as usize),
                _ => {
                    let reason = format!("`{name}` must be between 1 and {LONGEST}");
                    Err(ConfigError { argument: Some(name), reason })
                }
            }
        };
        let hash = match settings.text("hash_function").as_deref() {
            None | Some("sha512") => Hash::Sha512,
            Some("sha256") => Hash::Sha256,
            Some(_) => return problem("hash_function", "`hash_function` must be sha256 or sha512".to_owned()),
        };
        let shape = Shape { iterations, key_length: length("key_length")?, hash };
        Ok(Passphrase { passphrase, shape, salt_length: length("salt_length")? })
    }

    fn derive(&self, upstream: Option<&Key>, salt: &[u8], shape: Shape) -> Result<Key, KeyError> {
        let secret: &[u8] = match (&self.passphrase, upstream) {
            (Some(text), _) => text.as_bytes(),
            (None, Some(key)) if key.0.len() >= SHORTEST_PASSPHRASE => &key.0,
            (None, Some(_)) => {
                let reason = format!("the key that it is chained to is shorter than {SHORTEST_PASSPHRASE} bytes");
                return Err(KeyError(reason));
            }
            (None, None) => return Err(KeyError("there is no passphrase".to_owned())),
        };
        let mut key = vec![0; shape.key_length];
        match shape.hash {
            Hash::Sha256 => pbkdf2::pbkdf2::<Hmac<Sha256>>(secret, salt, shape.iterations, &mut key),
            Hash::Sha512 => pbkdf2::pbkdf2::<Hmac<Sha512>>(secret, salt, shape.iterations, &mut key),
        }
        .map_err(|error| KeyError(error.to_string()))?;
        Ok(Key::new(key))
    }
}

impl KeyProvider for Passphrase {
    fn new_key(&self, upstream: Option<&Key>) -> Result<(Key, Vec<u8>), KeyError> {
        let mut salt = vec![0; self.salt_length];
        getrandom::fill(&mut salt).map_err(|error| KeyError(format!("there is no randomness: {error}")))?;
        let key = self.derive(upstream, &salt, self.shape)?;
        let stored = Stored {
            salt: BASE64_STANDARD.encode(&salt),
            iterations: self.shape.iterations,
            hash_function: self.shape.hash,
            key_length: self.shape.key_length as u32,
        };
        let stored = serde_json::to_vec(&stored).map_err(|error| KeyError(error.to_string()))?;
        Ok((key, stored))
    }

    fn key(&self, stored: &[u8], upstream: Option<&Key>) -> Result<Key, KeyError> {
        let damaged = |problem: String| KeyError(format!("what is stored beside the data is damaged: {problem}"));
        let stored: Stored = serde_json::from_slice(stored).map_err(|error| damaged(error.to_string()))?;
        let salt = BASE64_STANDARD.decode(&stored.salt).map_err(|error| damaged(format!("salt: {error}")))?;
        if !(1..=MOST_ITERATIONS).contains(&stored.iterations) || !(1..=LONGEST).contains(&stored.key_length) {
            return Err(damaged("iterations or key_length is out of range".to_owned()));
        }
        let shape =
            Shape { iterations: stored.iterations, key_length: stored.key_length as usize, hash: stored.hash_function };
        self.derive(upstream, &salt, shape)
    }
}
