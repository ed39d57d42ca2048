//! Objects of the bucket, by the JSON API.

use std::ops::Range;
use std::time::Duration;

use net::{Method, NetError, Request, Response, Url};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use state::body::{Body, Bytes, LONGEST_STATE};

use crate::config::{Config, Encryption};

const LONGEST_ANSWER: u64 = 16 << 20;

/// How often a request is tried that may go better next time.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The generation of what is not there.
pub(crate) const NOTHING: &str = "0";

/// What an object holds.
pub(crate) struct Object {
    pub content: Body,
    /// Which of its contents this is.
    pub generation: String,
}

/// A request's body that has an object's content in it: a large one is there once.
pub(crate) struct Upload {
    object: String,
    kind: Content,
    boundary: String,
    body: Bytes,
    content: Range<usize>,
}

impl Upload {
    /// The content.
    pub(crate) fn content(&self) -> &[u8] {
        self.body.get(self.content.clone()).unwrap_or_default()
    }
}

/// A call that failed.
#[derive(Debug)]
pub(crate) struct CallError {
    /// What happened, in the words of Google's library.
    pub text: String,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
}

impl CallError {
    fn new(text: impl Into<String>) -> CallError {
        CallError { text: text.into(), status: None }
    }

    /// Whether the condition of a write was not met.
    pub(crate) fn is_conflict(&self) -> bool {
        self.status == Some(412)
    }

    /// Whether we are not allowed to do it.
    pub(crate) fn is_denied(&self) -> bool {
        self.status == Some(403)
    }
}

impl From<NetError> for CallError {
    fn from(error: NetError) -> CallError {
        CallError::new(error.to_string())
    }
}

/// Whether objects are encrypted with the customer's key: locks are not, as in Terraform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    State,
    Lock,
}

impl Config {
    /// Reads an object, if it is there.
    pub(crate) async fn get(&self, object: &str, content: Content) -> Result<Option<Object>, CallError> {
        let mut url = self.object_url(object)?;
        url.query_pairs_mut().append_pair("alt", "media");
        let request = self.with_key(Request::get(url), content)?;
        let response = match self.send(request).await? {
            response if response.status == 404 => return self.missing(response).await,
            response => fine(response).await?,
        };
        let generation = response.header("x-goog-generation").map(str::to_owned);
        let mut content = Body::default();
        response.write_to(&mut content, LONGEST_STATE).await?;
        let generation = match generation {
            Some(generation) => generation,
            None => {
                let answer = self.json(Request::get(self.object_url(object)?)).await?;
                text(&answer, "generation")?
            }
        };
        Ok(Some(Object { content, generation }))
    }

    /// The generation of an object, and when it was made, by the service's clock.
    pub(crate) async fn updated(&self, object: &str) -> Result<Option<(String, String)>, CallError> {
        let response = self.send(Request::get(self.object_url(object)?)).await?;
        if response.status == 404 {
            return Ok(None);
        }
        let answer = parsed(fine(response).await?).await?;
        Ok(Some((text(&answer, "generation")?, text(&answer, "updated")?)))
    }

    /// That an object isn't there is no error; that the bucket isn't, is one.
    async fn missing(&self, response: Response) -> Result<Option<Object>, CallError> {
        let error = refused(response).await;
        if error.text.contains("bucket does not exist") {
            return Err(CallError::new("storage: bucket doesn't exist"));
        }
        Ok(None)
    }

    /// A new content of an object, which `fill` writes.
    pub(crate) fn upload<E>(
        &self,
        object: &str,
        content: Content,
        fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<Upload, E> {
        let boundary = format!("windlass-{}", uuid::Uuid::new_v4().simple());
        let metadata = json!({"bucket": self.bucket, "name": object, "contentType": "application/json"});
        let head = format!(
            "--{boundary}\r\nContent-Type: application/json; charset=utf-8\r\n\r\n{metadata}\r\n--{boundary}\r\nContent-Type: \
             application/json\r\n\r\n"
        );
        let mut body = head.into_bytes();
        let start = body.len();
        fill(&mut body)?;
        let end = body.len();
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        Ok(Upload { object: object.to_owned(), kind: content, boundary, body: body.into(), content: start..end })
    }

    /// Writes an object and returns its generation. `replaces`: the generation that must be there, `"0"` for none; without it
    /// anything may be there.
    pub(crate) async fn put(&self, upload: &Upload, replaces: Option<&str>) -> Result<String, CallError> {
        let path = format!("/upload/storage/v1/b/{}/o", encoded(&self.bucket));
        let mut url = self.join(&path)?;
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("uploadType", "multipart").append_pair("name", &upload.object);
            if let Some(generation) = replaces {
                query.append_pair("ifGenerationMatch", generation);
            }
            if let (Encryption::Kms(key), Content::State) = (&self.encryption, upload.kind) {
                query.append_pair("kmsKeyName", key);
            }
        }
        let request = Request::new(Method::POST, url)
            .header("content-type", &format!("multipart/related; boundary={}", upload.boundary))?
            .body(upload.body.clone());
        let answer = self.json(self.with_key(request, upload.kind)?).await?;
        text(&answer, "generation")
    }

    /// Removes an object; one of this generation alone, if it is given. `false`: it was not there.
    pub(crate) async fn delete(&self, object: &str, generation: Option<&str>) -> Result<bool, CallError> {
        let mut url = self.object_url(object)?;
        if let Some(generation) = generation {
            url.query_pairs_mut().append_pair("ifGenerationMatch", generation);
        }
        let response = self.send(Request::new(Method::DELETE, url)).await?;
        if response.status == 404 {
            return Ok(false);
        }
        fine(response).await.map(|_| true)
    }

    /// The names of the objects directly below the prefix.
    pub(crate) async fn list(&self) -> Result<Vec<String>, CallError> {
        let mut names = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let mut url = self.join(&format!("b/{}/o", encoded(&self.bucket)))?;
            {
                let mut query = url.query_pairs_mut();
                query.append_pair("delimiter", "/").append_pair("prefix", &self.prefix);
                if let Some(token) = &next {
                    query.append_pair("pageToken", token);
                }
            }
            let answer = self.json(Request::get(url)).await?;
            let items = answer.get("items").and_then(Value::as_array).into_iter().flatten();
            names.extend(items.filter_map(|item| item.get("name")?.as_str()).map(str::to_owned));
            next = answer.get("nextPageToken").and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
            if next.is_none() {
                return Ok(names);
            }
        }
    }

    fn join(&self, path: &str) -> Result<Url, CallError> {
        self.url.join(path).map_err(|error| CallError::new(error.to_string()))
    }

    fn object_url(&self, object: &str) -> Result<Url, CallError> {
        self.join(&format!("b/{}/o/{}", encoded(&self.bucket), encoded(object)))
    }

    /// The customer's key, with which the service encrypts and decrypts.
    fn with_key(&self, request: Request, content: Content) -> Result<Request, CallError> {
        let (Encryption::Customer { key, sha256 }, Content::State) = (&self.encryption, content) else {
            return Ok(request);
        };
        Ok(request
            .header("x-goog-encryption-algorithm", "AES256")?
            .header("x-goog-encryption-key", key)?
            .header("x-goog-encryption-key-sha256", sha256)?)
    }

    async fn json(&self, request: Request) -> Result<Value, CallError> {
        parsed(fine(self.send(request).await?).await?).await
    }

    /// Sends a request as who we are, again while the service is not there or not well. What changes something is
    /// conditional, so that nothing is done twice.
    async fn send(&self, request: Request) -> Result<Response, CallError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match self.attempt(request.clone()).await {
                Ok(response) if !matches!(response.status, 408 | 429 | 500..=599) => return Ok(response),
                Err(Failure::Call(error)) if !error.is_transient() => return Err(error.into()),
                Err(Failure::Credentials(reason)) => return Err(CallError::new(reason)),
                Ok(_) | Err(Failure::Call(_)) => tokio::time::sleep(pause).await,
            }
            pause *= 2;
        }
        self.attempt(request).await.map_err(|failure| match failure {
            Failure::Call(error) => error.into(),
            Failure::Credentials(reason) => CallError::new(reason),
        })
    }

    async fn attempt(&self, request: Request) -> Result<Response, Failure> {
        let request = match self.credentials.bearer().await.map_err(Failure::Credentials)? {
            Some(token) => request.bearer(&token).map_err(Failure::Call)?,
            None => request,
        };
        let response = self.client.send(request).await.map_err(Failure::Call)?;
        if let Some(date) = response.header("date") {
            self.clock.told(date);
        }
        Ok(response)
    }
}

enum Failure {
    Call(NetError),
    Credentials(String),
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn text(answer: &Value, name: &str) -> Result<String, CallError> {
    match answer.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        _ => Err(CallError::new(format!("the answer has no {name:?}"))),
    }
}

async fn parsed(response: Response) -> Result<Value, CallError> {
    let bytes = response.bytes(LONGEST_ANSWER).await?;
    serde_json::from_slice(&bytes).map_err(|error| CallError::new(format!("the answer makes no sense: {error}")))
}

async fn fine(response: Response) -> Result<Response, CallError> {
    if response.is_success() { Ok(response) } else { Err(refused(response).await) }
}

/// What the service says, as Google's library words it.
async fn refused(response: Response) -> CallError {
    let status = response.status;
    let bytes = response.bytes(LONGEST_ANSWER).await.unwrap_or_default();
    let json: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let message = json["error"]["message"].as_str().unwrap_or_default();
    let reason = json["error"]["errors"][0]["reason"].as_str();
    let text = match (message, reason) {
        ("", _) => format!("googleapi: got HTTP response code {status}"),
        (message, Some(reason)) => format!("googleapi: Error {status}: {message}, {reason}"),
        (message, None) => format!("googleapi: Error {status}: {message}"),
    };
    CallError { text, status: Some(status) }
}
