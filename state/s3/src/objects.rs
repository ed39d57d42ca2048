//! Objects of the bucket, with the encryption, the access list and the checksums that the configuration asks for.

use std::io::Write;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ObjectCannedAcl, ServerSideEncryption};
use aws_session::{CallError, Cause, call};
use state::body::{Body, Bytes, LONGEST_STATE};

use crate::config::{Config, Encryption};

/// What an object holds.
pub(crate) struct Object {
    pub content: Body,
    /// The version of the object that this is.
    pub etag: Option<String>,
    /// The checksum of the content that this one has replaced, if whoever wrote it has left it.
    pub replaces: Option<String>,
}

/// What must be there for an object to be written.
pub(crate) enum If<'a> {
    Anything,
    Nothing,
    /// This version.
    Is(&'a str),
}

/// What came of a write that replaces a version.
pub(crate) enum Replaced {
    /// It was; the new version.
    Yes(Option<String>),
    /// Something else was there.
    No(Option<Object>),
}

/// Metadata of an object: the checksum of what it replaced.
const REPLACES: &str = "windlass-replaces";

/// The algorithm of customers' keys.
const CUSTOMER_ALGORITHM: &str = "AES256";

/// The bucket.
pub(crate) struct Bucket<'a> {
    pub config: &'a Config,
    pub client: &'a aws_sdk_s3::Client,
}

impl Bucket<'_> {
    /// Reads an object, if it is there.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Object>, CallError> {
        let mut request = self.client.get_object().bucket(&self.config.bucket).key(key);
        if let Encryption::Customer { key, md5 } = &self.config.encryption {
            request =
                request.sse_customer_algorithm(CUSTOMER_ALGORITHM).sse_customer_key(key).sse_customer_key_md5(md5);
        }
        let answer = match request.send().await.map_err(call("S3", "GetObject")) {
            Ok(answer) => answer,
            Err(error) if matches!(error.code(), Some("NoSuchKey" | "NotFound")) => return Ok(None),
            Err(error) => return Err(error),
        };
        let broken = |reason: String| CallError {
            text: format!("operation error S3: GetObject, {reason}"),
            cause: Cause::Network,
            status: None,
        };
        if answer.content_length.is_some_and(|length| length.unsigned_abs() > LONGEST_STATE) {
            return Err(broken("the object is larger than any state".to_owned()));
        }
        let replaces = answer.metadata.and_then(|mut metadata| metadata.remove(REPLACES));
        let mut content = Body::default();
        let mut body = answer.body;
        while let Some(bytes) = body.try_next().await.map_err(|error| broken(aws_session::causes(&error)))? {
            content.write_all(&bytes).map_err(|error| broken(error.to_string()))?;
        }
        Ok(Some(Object { content, etag: answer.e_tag, replaces }))
    }

    /// Writes an object on a condition; its new version.
    pub(crate) async fn put(&self, key: &str, bytes: Bytes, condition: If<'_>) -> Result<Option<String>, CallError> {
        self.put_after(key, bytes, condition, None).await
    }

    /// The same, with the checksum of the content that is replaced.
    pub(crate) async fn put_after(
        &self,
        key: &str,
        bytes: Bytes,
        condition: If<'_>,
        replaced: Option<&str>,
    ) -> Result<Option<String>, CallError> {
        let mut request = self
            .client
            .put_object()
            .bucket(&self.config.bucket)
            .key(key)
            .content_type("application/json")
            .body(ByteStream::from(bytes));
        request = match condition {
            If::Anything => request,
            If::Nothing => request.if_none_match("*"),
            If::Is(etag) => request.if_match(etag),
        };
        if let Some(checksum) = replaced {
            request = request.metadata(REPLACES, checksum);
        }
        if self.config.checksums {
            request = request.checksum_algorithm(ChecksumAlgorithm::Sha256);
        }
        if let Some(acl) = &self.config.acl {
            request = request.acl(ObjectCannedAcl::from(acl.as_str()));
        }
        request = match &self.config.encryption {
            Encryption::Default => request,
            Encryption::Managed => request.server_side_encryption(ServerSideEncryption::Aes256),
            Encryption::Kms(key) => request.server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id(key),
            Encryption::Customer { key, md5 } => {
                request.sse_customer_algorithm(CUSTOMER_ALGORITHM).sse_customer_key(key).sse_customer_key_md5(md5)
            }
        };
        Ok(request.send().await.map_err(call("S3", "PutObject"))?.e_tag)
    }

    /// Replaces the version of an object that was seen, `None`: there was none. `replaced`: the checksum of its content.
    pub(crate) async fn replace(
        &self,
        key: &str,
        bytes: Bytes,
        seen: Option<&str>,
        replaced: Option<&str>,
    ) -> Result<Replaced, CallError> {
        let error = match self.put_after(key, bytes.clone(), seen.map_or(If::Nothing, If::Is), replaced).await {
            Ok(etag) => return Ok(Replaced::Yes(etag)),
            Err(error) => error,
        };
        let gone = seen.is_some() && error.code() == Some("NoSuchKey");
        if !is_conflict(&error) && !is_unknown(&error) && !gone {
            return Err(error);
        }
        // Its answer may have been lost on its way, and this is the repetition.
        let stored = self.get(key).await?;
        if let Some(stored) = stored.as_ref().filter(|stored| stored.content == *bytes) {
            return Ok(Replaced::Yes(stored.etag.clone()));
        }
        if is_unknown(&error) && stored.as_ref().and_then(|stored| stored.etag.as_deref()) == seen {
            // A server without conditional writes: the lock alone keeps others away.
            return self.put_after(key, bytes, If::Anything, replaced).await.map(Replaced::Yes);
        }
        Ok(Replaced::No(stored))
    }

    /// Removes this version of an object; whether it was the newest. A server that knows no conditions here removes any.
    pub(crate) async fn delete_version(&self, key: &str, version: &str) -> Result<bool, CallError> {
        let request = self.client.delete_object().bucket(&self.config.bucket).key(key).if_match(version);
        let Err(error) = request.send().await.map_err(call("S3", "DeleteObject")) else { return Ok(true) };
        if is_unknown(&error) {
            return self.delete(key).await.map(|()| true);
        }
        if !is_conflict(&error) && error.code() != Some("NoSuchKey") {
            return Err(error);
        }
        // The repetition of a request whose answer was lost finds nothing.
        Ok(self.get(key).await?.is_none())
    }

    /// Removes an object, if it is there.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), CallError> {
        let request = self.client.delete_object().bucket(&self.config.bucket).key(key);
        request.send().await.map(drop).map_err(call("S3", "DeleteObject"))
    }

    /// The names of the objects that begin so.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<String>, CallError> {
        let mut names = Vec::new();
        let mut next = None;
        loop {
            let request = self.client.list_objects_v2().bucket(&self.config.bucket).prefix(prefix).max_keys(1000);
            let answer = request.set_continuation_token(next.take()).send().await;
            let answer = answer.map_err(call("S3", "ListObjectsV2"))?;
            names.extend(answer.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
            match answer.next_continuation_token {
                Some(token) if answer.is_truncated == Some(true) => next = Some(token),
                _ => return Ok(names),
            }
        }
    }
}

/// Whether a write was refused because of its condition.
pub(crate) fn is_conflict(error: &CallError) -> bool {
    matches!(error.code(), Some("PreconditionFailed" | "ConditionalRequestConflict")) || error.status == Some(412)
}

/// Whether the server has no conditional writes.
pub(crate) fn is_unknown(error: &CallError) -> bool {
    error.code() == Some("NotImplemented") || error.status == Some(501)
}

/// Whether we may not do it.
pub(crate) fn is_denied(error: &CallError) -> bool {
    error.code() == Some("AccessDenied")
}
