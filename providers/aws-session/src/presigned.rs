//! Requests that are signed here and sent by somebody else.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;

use crate::credentials::Sts;
use crate::errors::{Cause, NO_CREDENTIALS, SessionError, causes};

type Result<T> = std::result::Result<T, SessionError>;

impl Sts {
    /// The URL of a `GetCallerIdentity` that can be sent for a while, with a header that is signed along: who receives it
    /// can ask AWS whom it comes from.
    ///
    /// # Errors
    /// No credentials, or no endpoint in the region.
    pub async fn presigned_identity(
        &self,
        sdk: &SdkConfig,
        header: (&str, &str),
        expires_in: Duration,
    ) -> Result<String> {
        let failed = |error: &dyn std::error::Error| SessionError::new("signing a request").hint(causes(error));
        let missing = || SessionError::new("No valid credential sources found").because(Cause::NoCredentials);
        let provider = sdk.credentials_provider().ok_or_else(|| missing().hint(NO_CREDENTIALS))?;
        let credentials = provider.provide_credentials().await.map_err(|error| missing().hint(causes(&error)))?;
        let region = self.region.clone().or_else(|| sdk.region().map(ToString::to_string)).unwrap_or_default();
        let endpoint = self.endpoint(sdk, &region).await?;
        let uri = format!("{}/?Action=GetCallerIdentity&Version=2011-06-15", endpoint.trim_end_matches('/'));

        let identity = credentials.into();
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(expires_in);
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&region)
            .name("sts")
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .map_err(|error| failed(&error))?
            .into();
        let request = SignableRequest::new("GET", &uri, std::iter::once(header), SignableBody::Bytes(&[]))
            .map_err(|error| failed(&error))?;
        let (instructions, _) = sign(request, &parameters).map_err(|error| failed(&error))?.into_parts();
        let parameters = instructions.params().iter();
        Ok(parameters.fold(uri, |uri, (name, value)| format!("{uri}&{name}={}", encoded(value))))
    }

    async fn endpoint(&self, sdk: &SdkConfig, region: &str) -> Result<String> {
        let parameters = Params::builder()
            .region(region)
            .set_use_fips(sdk.use_fips())
            .set_use_dual_stack(sdk.use_dual_stack())
            .set_endpoint(self.url.clone().or_else(|| sdk.endpoint_url().map(str::to_owned)))
            .build();
        let failed = |why: String| SessionError::new(format!("STS has no endpoint in region {region:?}")).hint(why);
        let parameters = parameters.map_err(|error| failed(error.to_string()))?;
        let resolver = DefaultResolver::new();
        let endpoint = resolver.resolve_endpoint(&parameters).await.map_err(|error| failed(error.to_string()))?;
        Ok(endpoint.url().to_owned())
    }
}

/// A value of a query, encoded as the signature has it.
fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => text.push(char::from(byte)),
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use aws_config::{BehaviorVersion, Region};
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;

    use super::*;

    #[test]
    fn a_presigned_request_holds_all_that_it_is_signed_with_but_the_header() {
        let credentials = Credentials::new("AKID", "secret", Some("to/ken".to_owned()), None, "test");
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build();
        let ask = |sts: Sts| {
            let header = ("x-k8s-aws-id", "cluster");
            let asked = sts.presigned_identity(&sdk, header, Duration::from_secs(60));
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(asked).unwrap()
        };
        let url = ask(Sts::default());
        let head = "https://sts.eu-central-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&";
        assert!(url.starts_with(head), "{url}");
        for part in ["X-Amz-Expires=60", "X-Amz-SignedHeaders=host%3Bx-k8s-aws-id", "X-Amz-Security-Token=to%2Fken"] {
            assert!(url.contains(part), "{url}");
        }
        assert!(url.contains("&X-Amz-Signature=") && !url.contains("secret"), "{url}");
        let url = ask(Sts { url: Some("http://127.0.0.1:4566".to_owned()), region: Some("us-east-1".to_owned()) });
        assert!(url.starts_with("http://127.0.0.1:4566/?Action=") && url.contains("%2Fus-east-1%2Fsts%2F"), "{url}");
    }
}
