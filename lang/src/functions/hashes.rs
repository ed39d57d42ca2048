//! Hashes, random and secret things: `md5`, `sha*`, `base64sha*`, `bcrypt`, `rsadecrypt`, `uuid`, `uuidv5`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::{Pkcs1v15Encrypt, RsaPrivateKey};
use sha1::Digest;
use uuid::Uuid;

use super::arguments::{integer, string};
use super::{CallError, Function, Param, base64_text};
use crate::quoting::go_quote;
use crate::types::Type;
use crate::values::Value;

/// The highest cost of bcrypt: a minute. Each further one doubles the time.
const MOST_BCRYPT_COST: u32 = 20;

/// A hash function.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hash {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

impl Hash {
    /// The hash of `bytes`.
    pub(super) fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Hash::Md5 => md5::Md5::digest(bytes).to_vec(),
            Hash::Sha1 => sha1::Sha1::digest(bytes).to_vec(),
            Hash::Sha256 => sha2::Sha256::digest(bytes).to_vec(),
            Hash::Sha512 => sha2::Sha512::digest(bytes).to_vec(),
        }
    }
}

pub(super) fn functions() -> Vec<Function> {
    vec![
        hash("md5", "`md5` returns the MD5 hash of a string in hexadecimal.", Hash::Md5, hex::encode),
        hash("sha1", "`sha1` returns the SHA-1 hash of a string in hexadecimal.", Hash::Sha1, hex::encode),
        hash("sha256", "`sha256` returns the SHA-256 hash of a string in hexadecimal.", Hash::Sha256, hex::encode),
        hash("sha512", "`sha512` returns the SHA-512 hash of a string in hexadecimal.", Hash::Sha512, hex::encode),
        hash("base64sha256", "`base64sha256` returns the SHA-256 hash of a string in Base64.", Hash::Sha256, |b| {
            STANDARD.encode(b)
        }),
        hash("base64sha512", "`base64sha512` returns the SHA-512 hash of a string in Base64.", Hash::Sha512, |b| {
            STANDARD.encode(b)
        }),
        Function::new("bcrypt", "`bcrypt` hashes a password with a new salt.", Type::String, |a, _, _| {
            if a.len() > 2 {
                return Err(CallError::new("bcrypt() takes no more than two arguments"));
            }
            let cost = if a.len() > 1 { integer(a, 1)? } else { 10 };
            bcrypt_hash(string(a, 0)?, cost).map(Value::string)
        })
        .param(Param::new("str", Type::String))
        .variadic(
            Param::new("cost", Type::Number).about("The base-2 logarithm of the number of rounds; 10 without it."),
        )
        .impure(),
        Function::new("rsadecrypt", "`rsadecrypt` decrypts with an RSA private key.", Type::String, |a, _, _| {
            rsa_decrypt(string(a, 0)?, string(a, 1)?).map(Value::string)
        })
        .param(Param::new("ciphertext", Type::String))
        .param(Param::new("privatekey", Type::String)),
        Function::new("uuid", "`uuid` returns a random identifier.", Type::String, |_, _, _| {
            Ok(Value::string(Uuid::new_v4().to_string()))
        })
        .impure(),
        Function::new(
            "uuidv5",
            "`uuidv5` returns the identifier of a name in a name space.",
            Type::String,
            |a, _, _| {
                let text = string(a, 0)?;
                let namespace = match text.as_str() {
                    "dns" => Uuid::NAMESPACE_DNS,
                    "url" => Uuid::NAMESPACE_URL,
                    "oid" => Uuid::NAMESPACE_OID,
                    "x500" => Uuid::NAMESPACE_X500,
                    other => parse_uuid(other).map_err(|why| {
                        CallError::new(format_args!("uuidv5() doesn't support namespace {other} ({why})"))
                    })?,
                };
                Ok(Value::string(Uuid::new_v5(&namespace, string(a, 1)?.as_bytes()).to_string()))
            },
        )
        .param(Param::new("namespace", Type::String))
        .param(Param::new("name", Type::String)),
    ]
}

/// An identifier in one of its four forms: plain, with hyphens, in braces (which may be anything), as a URN.
fn parse_uuid(text: &str) -> Result<Uuid, String> {
    const URN: &str = "urn:uuid:";
    let inner = match text.len() {
        32 | 36 => Some(text),
        38 => text.get(1..37),
        45 => match text.split_at_checked(URN.len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case(URN) => Some(rest),
            Some((prefix, _)) => return Err(format!("invalid urn prefix: {}", go_quote(prefix))),
            None => None,
        },
        length => return Err(format!("invalid UUID length: {length}")),
    };
    let form = inner.filter(|inner| inner.len() == 32 || inner.len() == 36);
    form.and_then(|form| Uuid::try_parse(form).ok()).ok_or_else(|| "invalid UUID format".to_owned())
}

fn hash(name: &'static str, description: &'static str, hash: Hash, encode: fn(Vec<u8>) -> String) -> Function {
    Function::new(name, description, Type::String, move |a, _, _| {
        Ok(Value::string(encode(hash.of(string(a, 0)?.as_bytes()))))
    })
    .param(Param::new("str", Type::String))
}

fn bcrypt_hash(password: &str, cost: i64) -> Result<String, CallError> {
    let refused = |why: String| CallError::new(format_args!("error occured generating password {why}"));
    if password.len() > 72 {
        return Err(refused("bcrypt: password length exceeds 72 bytes".into()));
    }
    // Costs that are too low become the default, as in Go.
    let cost = if cost < 4 { 10 } else { u32::try_from(cost).unwrap_or(u32::MAX) };
    if cost > 31 {
        return Err(refused(format!("crypto/bcrypt: cost {cost} is outside allowed inclusive range 4..31")));
    }
    if cost > MOST_BCRYPT_COST {
        return Err(refused(format!(
            "bcrypt: cost {cost} would take hours; use at most {MOST_BCRYPT_COST} (the default, 10, is usual)"
        )));
    }
    let parts = bcrypt::hash_with_result(password, cost).map_err(|e| refused(e.to_string()))?;
    Ok(parts.format_for_version(bcrypt::Version::TwoA))
}

fn rsa_decrypt(ciphertext: &str, key: &str) -> Result<String, CallError> {
    let bytes = base64_text::decode(ciphertext).ok_or_else(|| {
        let text = go_quote(ciphertext);
        CallError::argument(0, format_args!("failed to decode input {text}: cipher text must be base64-encoded"))
    })?;
    let invalid = |why: &dyn std::fmt::Display| CallError::argument(1, format_args!("invalid private key: {why}"));
    let key = if key.contains("-----BEGIN RSA PRIVATE KEY-----") {
        RsaPrivateKey::from_pkcs1_pem(key.trim()).map_err(|e| invalid(&e))?
    } else if key.contains("-----BEGIN PRIVATE KEY-----") {
        RsaPrivateKey::from_pkcs8_pem(key.trim()).map_err(|e| invalid(&e))?
    } else if key.contains("-----BEGIN ") {
        return Err(invalid(&"an unencrypted RSA key in PEM is required"));
    } else {
        return Err(invalid(&"ssh: no key found"));
    };
    let clear = key
        .decrypt(Pkcs1v15Encrypt, &bytes)
        .map_err(|_| CallError::new("failed to decrypt: crypto/rsa: decryption error"))?;
    Ok(String::from_utf8_lossy(&clear).into_owned())
}
