//! How AWS is reached, for the AWS provider and for the `s3` state backend alike: credentials, assumed roles, region, endpoints,
//! proxies, certificates, retries.
//!
//! What either of them has in its configuration becomes [`Settings`]; a [`Session`] is what clients are made from. Whatever
//! isn't set is looked for where the SDKs look: environment, shared files, container, instance.

#![forbid(unsafe_code)]

mod credentials;
mod errors;
mod http;
mod presigned;
mod session;
mod settings;

pub use credentials::Sts;
pub use errors::{CallError, Cause, NO_CREDENTIALS, SessionError, call, causes};
pub use session::{Identity, Session, is_loopback, is_region};
pub use settings::{AssumeRole, AssumeRoleWithWebIdentity, CustomEndpoints, Metadata, Settings};
