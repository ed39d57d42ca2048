//! Workload identity federation: another service's token stands for a Google account.

use net::{Client, Request};
use serde_json::Value;

use super::source::form;
use super::{LONGEST_ANSWER, Token, ask, url};

const SUBJECT_GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A file of the type `external_account`.
pub(super) struct External {
    audience: String,
    subject_token_type: String,
    token_url: String,
    place: Place,
    /// The field of a JSON object that holds the token; `None`: the text is the token.
    field: Option<String>,
}

/// Where the other service's token is.
enum Place {
    File(String),
    Url { url: String, headers: Vec<(String, String)> },
}

impl External {
    pub(super) fn read(json: &Value) -> Result<External, String> {
        let text = |value: &Value, name: &str| {
            let found = value.get(name).and_then(Value::as_str).map(str::to_owned);
            found.ok_or_else(|| format!("they have no {name:?}"))
        };
        let source = json.get("credential_source").ok_or("they have no \"credential_source\"")?;
        let place = if let Ok(file) = text(source, "file") {
            Place::File(file)
        } else if let Ok(url) = text(source, "url") {
            let headers = source.get("headers").and_then(Value::as_object).into_iter().flatten();
            let headers = headers.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
            Place::Url { url, headers: headers.collect() }
        } else {
            return Err(
                "their credential_source is neither a file nor a URL, which is all that this program reads".to_owned()
            );
        };
        let format = source.get("format");
        let is_json = format.and_then(|format| format.get("type")).and_then(Value::as_str) == Some("json");
        let field = match format {
            Some(format) if is_json => Some(text(format, "subject_token_field_name")?),
            _ => None,
        };
        Ok(External {
            audience: text(json, "audience")?,
            subject_token_type: text(json, "subject_token_type")?,
            token_url: text(json, "token_url")?,
            place,
            field,
        })
    }

    pub(super) async fn token(&self, client: &Client, scope: &str) -> Result<Token, String> {
        let subject = self.subject(client).await?;
        let fields = [
            ("grant_type", SUBJECT_GRANT),
            ("audience", &self.audience),
            ("scope", scope),
            ("requested_token_type", ACCESS_TOKEN),
            ("subject_token_type", &self.subject_token_type),
            ("subject_token", &subject),
        ];
        ask(client, form(&self.token_url, &fields)?, "the token of the federated identity").await
    }

    async fn subject(&self, client: &Client) -> Result<String, String> {
        let bytes = match &self.place {
            Place::File(path) => {
                tokio::fs::read(path).await.map_err(|error| format!("the token in {path} can't be read: {error}"))?
            }
            Place::Url { url: address, headers } => {
                let mut request = Request::get(url(address)?);
                for (name, value) in headers {
                    request = request.header(name, value).map_err(|error| error.to_string())?;
                }
                let failed = |error: net::NetError| format!("the token to exchange can't be had: {error}");
                let response = client.send(request).await.map_err(failed)?;
                if !response.is_success() {
                    return Err(format!("the token to exchange is refused with status {}", response.status));
                }
                response.bytes(LONGEST_ANSWER).await.map_err(failed)?
            }
        };
        let senseless = || "the token to exchange makes no sense".to_owned();
        match &self.field {
            None => String::from_utf8(bytes).map(|text| text.trim().to_owned()).map_err(|_| senseless()),
            Some(field) => {
                let json: Value = serde_json::from_slice(&bytes).map_err(|_| senseless())?;
                json.get(field).and_then(Value::as_str).map(str::to_owned).ok_or_else(senseless)
            }
        }
    }
}
