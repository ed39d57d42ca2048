//! An emulator of Google Cloud Storage, and raw calls to it.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

use serde_json::Value;

use crate::emulator::{CLOUD_STORAGE, Emulator, cache_dir};
use crate::{HarnessError, wire};

/// A server that speaks Cloud Storage's JSON API on loopback.
#[derive(Debug)]
pub struct CloudStorage {
    emulator: Emulator,
}

impl CloudStorage {
    /// The emulator, started by the first test that asks and shared by the whole test binary.
    pub fn shared() -> Result<&'static CloudStorage, HarnessError> {
        static SHARED: OnceLock<Result<CloudStorage, String>> = OnceLock::new();
        let start = || Emulator::start_package(&cache_dir(), &CLOUD_STORAGE, None);
        SHARED
            .get_or_init(|| start().map(|emulator| CloudStorage { emulator }).map_err(|error| error.full()))
            .as_ref()
            .map_err(|message| HarnessError::Shared(message.clone()))
    }

    /// Where it listens: `http://127.0.0.1:4443`.
    pub fn endpoint(&self) -> &str {
        self.emulator.endpoint()
    }

    /// The variable that points Google's clients at it.
    pub fn environment(&self) -> (&'static str, &str) {
        ("STORAGE_EMULATOR_HOST", self.endpoint())
    }

    /// Makes a bucket that no other test uses, and returns its name.
    pub fn make_bucket(&self) -> Result<String, HarnessError> {
        let name = format!("bucket-{:016x}", RandomState::new().hash_one(self.endpoint()));
        let body = serde_json::json!({ "name": name }).to_string();
        self.call("POST", "/storage/v1/b?project=p", body)?;
        Ok(name)
    }

    /// The content of an object, if it is there.
    pub fn object(&self, bucket: &str, name: &str) -> Option<Value> {
        let name = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
        let text = self.call("GET", &format!("/storage/v1/b/{bucket}/o/{name}?alt=media"), String::new()).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Puts an object into a bucket.
    pub fn put_object(&self, bucket: &str, name: &str, body: &str) -> Result<(), HarnessError> {
        let name = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
        let path = format!("/upload/storage/v1/b/{bucket}/o?uploadType=media&name={name}");
        self.call("POST", &path, body.to_owned()).map(drop)
    }

    fn call(&self, method: &str, path: &str, body: String) -> Result<String, HarnessError> {
        let failed = |reason: String| HarnessError::Request { request: format!("{method} {path}"), reason };
        let headers = [("content-type", "application/json")];
        let (status, text) = wire::call(self.endpoint(), method, path, &headers, body).map_err(failed)?;
        if (200..300).contains(&status) { Ok(text) } else { Err(failed(format!("status {status}: {text}"))) }
    }
}
