//! The key provider `aws_kms`: a data key of AWS KMS encrypts; encrypted with a key that never leaves KMS, it is stored beside the
//! data.

#![forbid(unsafe_code)]

use std::collections::HashMap;

use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use aws_session::{CustomEndpoints, Identity, Session, call, is_region};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use state::backend::remote::ArgumentType::{Flag, Number, Object, Text, TextMap, Texts};
use state::backend::remote::{Attribute, ConfigError, Settings, argument, optional};
use state_encryption::{Key, KeyError, KeyProvider, Kind};
use tokio::sync::OnceCell;

/// The kind of key provider, for [`state_encryption::Kinds`]. How AWS is reached is said as in the backend `s3`.
pub const KIND: Kind = Kind {
    name: "aws_kms",
    arguments: &[
        argument("access_key", Text, None),
        argument("allowed_account_ids", Texts, None),
        argument("assume_role", Object(state_s3::ASSUME_ROLE), None),
        argument("assume_role_with_web_identity", Object(state_s3::ASSUME_ROLE_WITH_WEB_IDENTITY), None),
        argument("custom_ca_bundle", Text, Some("AWS_CA_BUNDLE")),
        argument("ec2_metadata_service_endpoint", Text, Some("AWS_EC2_METADATA_SERVICE_ENDPOINT")),
        argument("ec2_metadata_service_endpoint_mode", Text, Some("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE")),
        argument("encryption_context", TextMap, None),
        argument("endpoints", Object(ENDPOINTS), None),
        argument("forbidden_account_ids", Texts, None),
        argument("http_proxy", Text, None),
        argument("https_proxy", Text, None),
        argument("insecure", Flag, None),
        argument("key_spec", Text, None),
        argument("kms_key_id", Text, None),
        argument("max_retries", Number, None),
        argument("no_proxy", Text, None),
        argument("profile", Text, None),
        argument("region", Text, None),
        argument("retry_mode", Text, Some("AWS_RETRY_MODE")),
        argument("secret_key", Text, None),
        argument("shared_config_files", Texts, Some("AWS_SHARED_CONFIG_FILE")),
        argument("shared_credentials_files", Texts, Some("AWS_SHARED_CREDENTIALS_FILE")),
        argument("skip_credentials_validation", Flag, None),
        argument("skip_metadata_api_check", Flag, None),
        argument("skip_requesting_account_id", Flag, None),
        argument("sts_region", Text, None),
        argument("token", Text, None),
        argument("use_dualstack_endpoint", Flag, None),
        argument("use_fips_endpoint", Flag, None),
    ],
    required: &["kms_key_id", "key_spec"],
    chains: false,
    open: |settings, _| Ok(Box::new(Kms::new(settings)?)),
};

const ENDPOINTS: &[Attribute] = &[optional("iam", Text), optional("sts", Text)];

struct Kms {
    key_id: String,
    spec: DataKeySpec,
    context: HashMap<String, String>,
    url: Option<String>,
    session: aws_session::Settings,
    /// Accounts that may be used, and that may not.
    accounts: [Vec<String>; 2],
    client: OnceCell<aws_sdk_kms::Client>,
}

/// What is stored beside the data.
#[derive(Serialize, Deserialize)]
struct Stored {
    ciphertext_blob: String,
    #[serde(default, skip_serializing_if = "HashMap::is_empty")]
    encryption_context: HashMap<String, String>,
}

impl Kms {
    fn new(settings: &Settings<'_>) -> Result<Kms, ConfigError> {
        let problem = |name: &'static str, reason: String| ConfigError { argument: Some(name), reason };
        let key_id =
            settings.text("kms_key_id").ok_or_else(|| problem("kms_key_id", "kms_key_id is empty".to_owned()))?;
        let spec = match settings.text("key_spec").as_deref() {
            Some("AES_256") => DataKeySpec::Aes256,
            Some("AES_128") => DataKeySpec::Aes128,
            _ => return Err(problem("key_spec", "key_spec must be AES_256 or AES_128".to_owned())),
        };
        let in_endpoints = |name: &str| {
            let text = settings.value("endpoints")?.get(name)?.as_str()?;
            (!text.is_empty()).then(|| text.to_owned())
        };
        let variable = |name: &str| settings.variable(name).map(str::to_owned);
        let url = variable("AWS_ENDPOINT_URL_KMS");
        let sts = in_endpoints("sts").or_else(|| variable("AWS_ENDPOINT_URL_STS"));
        let mut session = state_s3::session(settings)?;
        let accounts = |name: &str| -> Vec<String> {
            let list = settings.value(name).and_then(Value::as_array).into_iter().flatten();
            list.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let allowed = [accounts("allowed_account_ids"), accounts("forbidden_account_ids")];
        let asks_sts = !session.assume_role.is_empty()
            || !session.assume_role_with_web_identity.is_empty()
            || allowed.iter().any(|accounts| !accounts.is_empty());
        // A key's ARN says where it is.
        let of_key = key_id.split(':').nth(3).filter(|region| is_region(region));
        if session.region.is_none() && ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().all(|name| variable(name).is_none())
        {
            session.region = of_key.map(str::to_owned);
        }
        session.endpoints = CustomEndpoints {
            urls: [&url, &sts].into_iter().flatten().cloned().collect(),
            complete: url.is_some() && (!asks_sts || sts.is_some()),
            sts,
            sso: variable("AWS_ENDPOINT_URL_SSO"),
        };
        let context = settings.value("encryption_context").and_then(Value::as_object).into_iter().flatten();
        Ok(Kms {
            key_id,
            spec,
            context: context.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
            url,
            session,
            accounts: allowed,
            client: OnceCell::new(),
        })
    }

    async fn client(&self) -> Result<&aws_sdk_kms::Client, KeyError> {
        let connect = || async {
            let session = Session::open(&self.session).await.map_err(|error| {
                let mut text = error.summary;
                for hint in error.hints {
                    text.push_str(&format!(". {hint}"));
                }
                KeyError(text)
            })?;
            let [allowed, forbidden] = &self.accounts;
            if !allowed.is_empty() || !forbidden.is_empty() {
                let identity = Identity::ask(&session.sts.client(&session.sdk)).await;
                let account = identity.map_err(|error| KeyError(error.to_string()))?.account_id;
                if !Identity::is_account_allowed(&account, allowed, forbidden) {
                    return Err(KeyError(format!("AWS account ID not allowed: {account}")));
                }
            }
            let mut config = aws_sdk_kms::config::Builder::from(&session.sdk);
            if let Some(url) = &self.url {
                config = config.endpoint_url(url);
            }
            Ok(aws_sdk_kms::Client::from_conf(config.build()))
        };
        self.client.get_or_try_init(connect).await
    }

    async fn generate(&self) -> Result<(Key, Stored), KeyError> {
        let context = (!self.context.is_empty()).then(|| self.context.clone());
        let request = self.client().await?.generate_data_key().key_id(&self.key_id).key_spec(self.spec.clone());
        let answer = request.set_encryption_context(context).send().await;
        let answer = answer.map_err(|error| KeyError(call("KMS", "GenerateDataKey")(error).to_string()))?;
        let missing = || KeyError("KMS gave no data key".to_owned());
        let key = Key::new(answer.plaintext.ok_or_else(missing)?.into_inner());
        let blob = answer.ciphertext_blob.ok_or_else(missing)?.into_inner();
        Ok((key, Stored { ciphertext_blob: BASE64_STANDARD.encode(blob), encryption_context: self.context.clone() }))
    }

    async fn decrypt(&self, stored: Stored) -> Result<Key, KeyError> {
        let blob = BASE64_STANDARD.decode(&stored.ciphertext_blob).map_err(|error| damaged(&error))?;
        let context = (!stored.encryption_context.is_empty()).then_some(stored.encryption_context);
        let request = self.client().await?.decrypt().key_id(&self.key_id).ciphertext_blob(Blob::new(blob));
        let answer = request.set_encryption_context(context).send().await;
        let answer = answer.map_err(|error| KeyError(call("KMS", "Decrypt")(error).to_string()))?;
        let plain = answer.plaintext.ok_or_else(|| KeyError("KMS gave no data key".to_owned()))?;
        Ok(Key::new(plain.into_inner()))
    }
}

fn damaged(error: &dyn std::error::Error) -> KeyError {
    KeyError(format!("what is stored beside the data is damaged: {error}"))
}

impl KeyProvider for Kms {
    fn new_key(&self, _: Option<&Key>) -> Result<(Key, Vec<u8>), KeyError> {
        let (key, stored) = wait(self.generate())?;
        let stored = serde_json::to_vec(&stored).map_err(|error| KeyError(error.to_string()))?;
        Ok((key, stored))
    }

    fn key(&self, stored: &[u8], _: Option<&Key>) -> Result<Key, KeyError> {
        let stored: Stored = serde_json::from_slice(stored).map_err(|error| damaged(&error))?;
        wait(self.decrypt(stored))
    }
}

/// Waits for KMS where nothing can be awaited; the other threads of the runtime go on.
fn wait<T>(call: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(call))
}
