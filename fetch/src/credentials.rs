//! With what to ask for what is not public.

use std::fmt;

/// Knows credentials. All questions may be answered with none: then the request goes out without.
pub trait Credentials: Send + Sync {
    /// The token for a registry's host.
    fn token(&self, host: &str) -> Option<String>;

    /// User and password for a host of archives (`.netrc`).
    fn login(&self, host: &str) -> Option<(String, String)>;

    /// Keys for S3.
    fn aws(&self) -> Option<AwsKeys>;

    /// An access token for Cloud Storage.
    fn google(&self) -> Option<String>;
}

/// An access key of AWS.
#[derive(Clone, PartialEq, Eq)]
pub struct AwsKeys {
    /// `AWS_ACCESS_KEY_ID`
    pub id: String,
    /// `AWS_SECRET_ACCESS_KEY`
    pub secret: String,
    /// `AWS_SESSION_TOKEN`
    pub token: Option<String>,
}

/// Leaves the secret out.
impl fmt::Debug for AwsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AwsKeys({}, …)", self.id)
    }
}

/// Has none.
pub struct NoCredentials;

impl Credentials for NoCredentials {
    fn token(&self, _: &str) -> Option<String> {
        None
    }

    fn login(&self, _: &str) -> Option<(String, String)> {
        None
    }

    fn aws(&self) -> Option<AwsKeys> {
        None
    }

    fn google(&self) -> Option<String> {
        None
    }
}
