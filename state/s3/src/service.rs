//! The connection to AWS, made when something is first asked.

use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use std::sync::Arc;

use aws_session::{CallError, Identity, Session, SessionError};
use state::StoreError;
use state::backend::StoreClock;
use tokio::sync::OnceCell;

use crate::clock::DateReader;
use crate::config::Config;

/// The configuration, and the clients that it leads to.
pub(crate) struct Service {
    pub config: Config,
    pub clock: Arc<StoreClock>,
    clients: OnceCell<Clients>,
}

/// The clients of the services.
pub(crate) struct Clients {
    pub s3: aws_sdk_s3::Client,
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Whether it is all on this machine: an emulator.
    pub loopback: bool,
}

impl Service {
    pub(crate) fn new(config: Config) -> Service {
        Service { config, clock: Arc::default(), clients: OnceCell::new() }
    }

    pub(crate) async fn clients(&self) -> Result<&Clients, StoreError> {
        self.clients.get_or_try_init(|| connect(&self.config, &self.clock)).await
    }

    /// What a call's failure means to whoever wanted something done with a state.
    pub(crate) fn failed(&self, action: &'static str, object: &str, error: &CallError) -> StoreError {
        let bucket = &self.config.bucket;
        if error.code() == Some("NoSuchBucket") {
            return StoreError::Told(format!(
                "S3 bucket {bucket:?} does not exist.\n\nThe referenced S3 bucket must have been previously created. If the S3 \
                 bucket was created within the last minute, please wait for a minute or two and try again.\n\nError: {error}\n"
            ));
        }
        StoreError::Remote { action, place: self.place(object), reason: error.to_string() }
    }

    /// The object as locks and messages name it.
    pub(crate) fn place(&self, object: &str) -> String {
        format!("{}/{object}", self.config.bucket)
    }
}

async fn connect(config: &Config, clock: &Arc<StoreClock>) -> Result<Clients, StoreError> {
    let session = Session::open(&config.session).await.map_err(refused)?;
    let account = if config.skip_identity {
        String::new()
    } else {
        let identity = Identity::ask(&session.sts.client(&session.sdk)).await;
        identity.map(|identity| identity.account_id).map_err(|error| StoreError::Session {
            summary:
                "Retrieving AWS account details: validating provider credentials: retrieving caller identity from STS"
                    .to_owned(),
            detail: error.to_string(),
        })?
    };
    if !Identity::is_account_allowed(&account, &config.allowed_account_ids, &config.forbidden_account_ids) {
        return Err(StoreError::Session {
            summary: "Invalid account ID".to_owned(),
            detail: format!("AWS account ID not allowed: {account}"),
        });
    }
    let mut s3 = aws_sdk_s3::config::Builder::from(&session.sdk).force_path_style(config.path_style);
    if let Some(url) = &config.s3_url {
        s3 = s3.endpoint_url(url);
    }
    if !config.checksums {
        s3 = s3
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    }
    let mut dynamodb = aws_sdk_dynamodb::config::Builder::from(&session.sdk);
    if let Some(url) = &config.dynamodb_url {
        dynamodb = dynamodb.endpoint_url(url);
    }
    s3 = s3.interceptor(DateReader(clock.clone()));
    dynamodb = dynamodb.interceptor(DateReader(clock.clone()));
    Ok(Clients {
        s3: aws_sdk_s3::Client::from_conf(s3.build()),
        dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
        loopback: session.loopback,
    })
}

fn refused(error: SessionError) -> StoreError {
    StoreError::Session { detail: error.hints.join("\n\n"), summary: error.summary }
}
