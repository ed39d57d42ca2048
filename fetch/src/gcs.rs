//! Objects in Cloud Storage buckets: an archive, or all objects below a prefix.

use std::path::Path;

use net::{Request, Url};
use percent_encoding::{percent_decode_str, utf8_percent_encode};
use serde::Deserialize;

use crate::archive::Kind;
use crate::fetcher::Fetcher;
use crate::s3::{Objects, PARAMETER, listing};
use crate::{download, query};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    items: Vec<Item>,
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    name: String,
}

pub(crate) async fn fetch(fetcher: &Fetcher, url: &mut Url, folder: &Path) -> Result<(), String> {
    let [archive, checksum] = query::take(url, ["archive", "checksum"]);
    let path = percent_decode_str(url.path()).decode_utf8_lossy().into_owned();
    // `/storage/v1/BUCKET/OBJECT`
    let ["", "storage", _, bucket, object] = *path.splitn(5, '/').collect::<Vec<_>>().as_slice() else {
        return Err("URL is not a valid GCS URL".to_owned());
    };
    if let Some(kind) = Kind::of(url, archive.as_deref())? {
        let checksum = download::checksum(fetcher, checksum, url).await?;
        return download::archive(
            fetcher,
            request(fetcher, url, bucket, object, &[("alt", "media")])?,
            kind,
            checksum,
            folder,
        )
        .await;
    }
    let prefix = format!("{}/", object.trim_end_matches('/'));
    let mut objects = Objects::new(fetcher, folder);
    let mut next: Option<String> = None;
    loop {
        let mut parameters = vec![("prefix", prefix.as_str())];
        parameters.extend(next.as_deref().map(|token| ("pageToken", token)));
        let text = listing(fetcher, request(fetcher, url, bucket, "", &parameters)?).await?;
        let page: Page =
            serde_json::from_str(&text).map_err(|error| format!("the list of objects is invalid: {error}"))?;
        for item in &page.items {
            let Some(name) = item.name.strip_prefix(&prefix) else { continue };
            objects.add(name, request(fetcher, url, bucket, &item.name, &[("alt", "media")])?).await?;
        }
        next = page.next_page_token.filter(|token| !token.is_empty());
        if next.is_none() {
            return objects.finish();
        }
    }
}

/// A request to the JSON interface, for an object or (with an empty name) the list of objects.
fn request(
    fetcher: &Fetcher,
    origin: &Url,
    bucket: &str,
    object: &str,
    parameters: &[(&str, &str)],
) -> Result<Request, String> {
    let encode = |text: &str| utf8_percent_encode(text, PARAMETER).to_string();
    let object = if object.is_empty() { String::new() } else { format!("/{}", encode(object)) };
    let pairs: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    let text = format!("/storage/v1/b/{}/o{object}?{}", encode(bucket), pairs.join("&"));
    let url = origin.join(&text).map_err(|error| error.to_string())?;
    let request = Request::get(url);
    match fetcher.credentials.google() {
        Some(token) => request.bearer(&token).map_err(|error| error.to_string()),
        None => Ok(request),
    }
}
