//! Signatures of requests to S3 (AWS Signature Version 4), for reading.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use net::{NetError, Request, Url};
use sha2::{Digest, Sha256};

use crate::credentials::AwsKeys;

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A signed `GET`.
pub(crate) fn get(url: Url, region: &str, keys: &AwsKeys, now: Timestamp) -> Result<Request, NetError> {
    let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let date = time.get(..8).unwrap_or_default().to_owned();
    let scope = format!("{date}/{region}/s3/aws4_request");
    let host = &url[net::Position::BeforeHost..net::Position::AfterPort];
    let mut headers =
        vec![("host", host.to_owned()), ("x-amz-content-sha256", EMPTY.to_owned()), ("x-amz-date", time.clone())];
    if let Some(token) = &keys.token {
        headers.push(("x-amz-security-token", token.clone()));
    }
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical = format!("GET\n{}\n{}\n{lines}\n{names}\n{EMPTY}", url.path(), canonical_query(&url));
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
    let mut key = format!("AWS4{}", keys.secret).into_bytes();
    for part in [&date, region, "s3", "aws4_request", &text] {
        key = hmac(&key, part);
    }
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={}",
        keys.id,
        hex::encode(key)
    );
    let mut request = Request::get(url).header("authorization", &authorization)?;
    // Another host could do nothing with this signature, and the same host wants another one.
    request = request.redirects(0);
    for (name, value) in headers.iter().filter(|(name, _)| *name != "host") {
        request = request.header(name, value)?;
    }
    Ok(request)
}

/// The parameters sorted, in the one form that S3 signs. Those who build URLs here encode them that way.
fn canonical_query(url: &Url) -> String {
    let mut pairs: Vec<&str> = url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).collect();
    pairs.sort_unstable();
    let pairs = pairs.into_iter().map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") });
    pairs.collect::<Vec<_>>().join("&")
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    // Keys of any length are good.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published example of "GET Bucket Lifecycle" and "List Objects" in the documentation of S3.
    #[test]
    fn signatures_are_amazons() {
        let keys = AwsKeys {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            token: None,
        };
        let now: Timestamp = "2013-05-24T00:00:00Z".parse().unwrap();
        for (query, signature) in [
            ("lifecycle", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
            ("max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
        ] {
            let url = Url::parse(&format!("https://examplebucket.s3.amazonaws.com/?{query}")).unwrap();
            let request = get(url, "us-east-1", &keys, now).unwrap();
            let shown = format!("{request:?}");
            assert!(shown.contains(signature), "{shown}");
        }
    }
}
