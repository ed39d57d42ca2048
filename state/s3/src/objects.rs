//! Objects of the bucket, with the encryption, the access list and the checksums that the configuration asks for.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ObjectCannedAcl, ServerSideEncryption};
use aws_session::{CallError, Cause, call};

use crate::config::{Config, Encryption};

/// More than any state has.
const LONGEST: i64 = 1 << 30;

/// What an object holds.
pub(crate) struct Object {
    pub bytes: Vec<u8>,
    /// The version of the object that this is.
    pub etag: Option<String>,
}

/// What must be there for an object to be written.
pub(crate) enum If<'a> {
    Anything,
    Nothing,
    /// This version.
    Is(&'a str),
}

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
        if answer.content_length.unwrap_or_default() > LONGEST {
            return Err(broken("the object is larger than any state".to_owned()));
        }
        let bytes = answer.body.collect().await.map_err(|error| broken(aws_session::causes(&error)))?.to_vec();
        Ok(Some(Object { bytes, etag: answer.e_tag }))
    }

    /// Writes an object on a condition; its new version.
    pub(crate) async fn put(&self, key: &str, bytes: &[u8], condition: If<'_>) -> Result<Option<String>, CallError> {
        let mut request = self
            .client
            .put_object()
            .bucket(&self.config.bucket)
            .key(key)
            .content_type("application/json")
            .body(ByteStream::from(bytes.to_vec()));
        request = match condition {
            If::Anything => request,
            If::Nothing => request.if_none_match("*"),
            If::Is(etag) => request.if_match(etag),
        };
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
