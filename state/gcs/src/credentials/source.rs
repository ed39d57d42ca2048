//! Where a token comes from.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use net::{Client, Method, Request};
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::rand_core::OsRng;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::external::External;
use super::{Impersonation, Token, ask, url};

const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";

/// The head of a SHA-256 in a signature of PKCS #1.
const DIGEST_INFO: [u8; 19] =
    [0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20];

/// Where a token comes from.
pub(super) enum Source {
    /// None is asked for.
    Nobody,
    /// It is given.
    Token(String),
    /// A service account's key signs for it.
    Account { email: String, key: Box<RsaPrivateKey>, key_id: Option<String>, token_url: String },
    /// A user has allowed it once.
    User { id: String, secret: String, refresh_token: String, token_url: String },
    /// Another service vouches for us.
    External(Box<External>),
    /// The machine that the program runs on has one.
    Metadata { host: String },
}

impl Source {
    /// What a file of Google's describes.
    pub(super) fn read(json: &Value) -> Result<(Source, Option<Impersonation>), String> {
        let optional = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
        let text = |name: &str| optional(name).ok_or_else(|| format!("they have no {name:?}"));
        let token_url = optional("token_uri").unwrap_or_else(|| TOKEN_URL.to_owned());
        let impersonation = optional("service_account_impersonation_url").map(|url| {
            let delegates = json.get("delegates").and_then(Value::as_array).into_iter().flatten();
            let delegates = delegates.filter_map(Value::as_str).map(str::to_owned).collect();
            Impersonation { url, delegates }
        });
        let source = match text("type")?.as_str() {
            "service_account" => {
                let pem = text("private_key")?;
                let key = RsaPrivateKey::from_pkcs8_pem(&pem).ok().or_else(|| RsaPrivateKey::from_pkcs1_pem(&pem).ok());
                let key = key.ok_or("their private_key is no RSA key in PEM form")?;
                let (email, key_id) = (text("client_email")?, optional("private_key_id"));
                Source::Account { email, key: Box::new(key), key_id, token_url }
            }
            "authorized_user" => Source::User {
                id: text("client_id")?,
                secret: text("client_secret")?,
                refresh_token: text("refresh_token")?,
                token_url,
            },
            "external_account" => Source::External(Box::new(External::read(json)?)),
            "impersonated_service_account" => {
                let own = json.get("source_credentials").ok_or("they have no \"source_credentials\"")?;
                if own.get("type").and_then(Value::as_str) == Some("impersonated_service_account") {
                    return Err("their source_credentials are impersonated themselves".to_owned());
                }
                Source::read(own)?.0
            }
            kind => {
                return Err(format!(
                    "their type {kind:?} is none of service_account, authorized_user, external_account and \
                     impersonated_service_account"
                ));
            }
        };
        Ok((source, impersonation))
    }

    pub(super) async fn token(&self, client: &Client, scope: &str) -> Result<Token, String> {
        match self {
            Source::Nobody => Err("there is no token".to_owned()),
            Source::Token(token) => Ok(Token { access_token: token.clone(), expires_in: None }),
            Source::Account { email, key, key_id, token_url } => {
                let assertion = assertion(email, key, key_id.as_deref(), token_url, scope)?;
                let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
                let fields = [("grant_type", grant), ("assertion", &assertion)];
                ask(client, form(token_url, &fields)?, &format!("the token of {email}")).await
            }
            Source::User { id, secret, refresh_token, token_url } => {
                let fields = [
                    ("grant_type", "refresh_token"),
                    ("client_id", id),
                    ("client_secret", secret),
                    ("refresh_token", refresh_token),
                ];
                ask(client, form(token_url, &fields)?, "the token of the user that gcloud knows").await
            }
            Source::External(external) => external.token(client, scope).await,
            Source::Metadata { host } => {
                let mut url =
                    url(&format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token"))?;
                url.query_pairs_mut().append_pair("scopes", scope);
                let request = Request::get(url).header("metadata-flavor", "Google");
                let request = request.map_err(|error| error.to_string())?;
                ask(client, request, "the token of this machine").await.map_err(|reason| {
                    format!(
                        "there are no credentials: neither `credentials`, `access_token`, GOOGLE_CREDENTIALS, \
                         GOOGLE_APPLICATION_CREDENTIALS nor those of `gcloud auth application-default login`; and {reason}"
                    )
                })
            }
        }
    }
}

/// A form to send.
pub(super) fn form(address: &str, fields: &[(&str, &str)]) -> Result<Request, String> {
    let mut scratch = url("http://x/")?;
    scratch.query_pairs_mut().extend_pairs(fields);
    let body = scratch.query().unwrap_or_default().as_bytes().to_vec();
    let request = Request::new(Method::POST, url(address)?).header("content-type", "application/x-www-form-urlencoded");
    Ok(request.map_err(|error| error.to_string())?.body(body))
}

/// A signed claim to be a service account (RFC 7523).
fn assertion(
    email: &str,
    key: &RsaPrivateKey,
    key_id: Option<&str>,
    audience: &str,
    scope: &str,
) -> Result<String, String> {
    let now = jiff::Timestamp::now().as_second();
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": key_id});
    let claims = json!({"iss": email, "scope": scope, "aud": audience, "iat": now, "exp": now + 3600});
    let encode = |json: Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let text = format!("{}.{}", encode(header), encode(claims));
    let digest = [&DIGEST_INFO[..], &Sha256::digest(text.as_bytes())].concat();
    let signature = key
        .sign_with_rng(&mut OsRng, Pkcs1v15Sign::new_unprefixed(), &digest)
        .map_err(|error| format!("the key of {email} can't sign: {error}"))?;
    Ok(format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_signed_with_the_key() {
        let key = RsaPrivateKey::new(&mut OsRng, 1024).unwrap();
        let text = assertion("a@b", &key, Some("k"), "https://t", "s").unwrap();
        let (signed, signature) = text.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let decode =
            |text: &str| -> Value { serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap() };
        assert_eq!(decode(header), json!({"alg": "RS256", "typ": "JWT", "kid": "k"}));
        let claims = decode(claims);
        assert_eq!(
            (&claims["iss"], &claims["aud"], &claims["scope"]),
            (&json!("a@b"), &json!("https://t"), &json!("s"))
        );
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
        let digest = [&DIGEST_INFO[..], &Sha256::digest(signed.as_bytes())].concat();
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        key.to_public_key().verify(Pkcs1v15Sign::new_unprefixed(), &digest, &signature).unwrap();
    }

    #[test]
    fn files_that_are_no_credentials_are_refused_without_their_content() {
        for (json, reason) in [
            (json!({}), "they have no \"type\""),
            (json!({"type": "hush"}), "none of service_account"),
            (json!({"type": "service_account", "client_email": "a", "private_key": "hush"}), "no RSA key"),
            (json!({"type": "authorized_user", "client_id": "hush"}), "no \"client_secret\""),
        ] {
            let error = Source::read(&json).err().unwrap();
            assert!(error.contains(reason), "{error}");
        }
    }
}
