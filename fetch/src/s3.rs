//! Objects in S3 buckets: an archive, or all objects below a prefix.

use std::path::Path;

use jiff::Timestamp;
use net::{Request, Url};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::archive::Kind;
use crate::credentials::AwsKeys;
use crate::fetcher::Fetcher;
use crate::{download, query, signature};

/// What S3 leaves as it is, in a parameter.
pub(crate) const PARAMETER: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// … and in a path.
const PATH: &AsciiSet = &PARAMETER.remove(b'/');

const LONGEST_LIST: u64 = 16 << 20;

/// A bucket, and how it is asked.
struct Bucket {
    base: Url,
    name: String,
    region: String,
    keys: Option<AwsKeys>,
}

pub(crate) async fn fetch(fetcher: &Fetcher, url: &mut Url, folder: &Path) -> Result<(), String> {
    let [archive, checksum, region, version, id, secret, token] = query::take(
        url,
        ["archive", "checksum", "region", "version", "aws_access_key_id", "aws_access_key_secret", "aws_access_token"],
    );
    let keys = match (id, secret) {
        (Some(id), Some(secret)) => Some(AwsKeys { id, secret, token }),
        _ => fetcher.credentials.aws(),
    };
    let (mut bucket, key) = Bucket::of(url, keys)?;
    if let Some(region) = region {
        bucket.region = region;
    }
    if let Some(kind) = Kind::of(url, archive.as_deref())? {
        let checksum = download::checksum(fetcher, checksum, url).await?;
        let request = bucket.object(&key, version.as_deref())?;
        return download::archive(fetcher, request, kind, checksum, folder).await;
    }
    bucket.directory(fetcher, &key, folder).await
}

impl Bucket {
    /// The bucket and the key that a URL names, in the form with the bucket in the path or in the host.
    fn of(url: &Url, keys: Option<AwsKeys>) -> Result<(Bucket, String), String> {
        let host = url.host_str().unwrap_or_default();
        let path = percent_decode_str(url.path().trim_start_matches('/')).decode_utf8_lossy().into_owned();
        let invalid = || "URL is not a valid S3 URL".to_owned();
        let labels: Vec<&str> = host.strip_suffix(".amazonaws.com").unwrap_or_default().split('.').collect();
        let (in_host, service, region) = match labels.as_slice() {
            ["s3", region] => (None, "s3", *region),
            [bucket, "s3", region] => (Some(*bucket), "s3", *region),
            [bucket, service] if service.starts_with("s3") => (Some(*bucket), *service, ""),
            [service] => (None, *service, ""),
            _ => (None, "", ""),
        };
        let region = match region {
            "" => service.strip_prefix("s3-").unwrap_or("us-east-1"),
            region => region,
        };
        let (name, key) = match in_host {
            Some(bucket) => (bucket.to_owned(), path),
            None => path.split_once('/').map(|(name, key)| (name.to_owned(), key.to_owned())).ok_or_else(invalid)?,
        };
        let mut base = url.clone();
        base.set_query(None);
        base.set_path("/");
        if in_host.is_some() {
            let host = host.split_once('.').map(|(_, rest)| rest);
            base.set_host(host).map_err(|_| invalid())?;
        }
        Ok((Bucket { base, name, region: region.to_owned(), keys }, key))
    }

    fn request(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Request, String> {
        let mut url = self.base.clone();
        url.set_path(path);
        let encode = |text: &str| utf8_percent_encode(text, PARAMETER).to_string();
        let pairs: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        url.set_query(Some(pairs.join("&").as_str()).filter(|query| !query.is_empty()));
        match &self.keys {
            Some(keys) => signature::get(url, &self.region, keys, Timestamp::now()).map_err(|error| error.to_string()),
            None => Ok(Request::get(url)),
        }
    }

    fn object(&self, key: &str, version: Option<&str>) -> Result<Request, String> {
        let path = format!("/{}/{}", self.name, utf8_percent_encode(key, PATH));
        let version: Vec<(&str, &str)> = version.map(|version| ("versionId", version)).into_iter().collect();
        self.request(&path, &version)
    }

    /// Downloads all objects below a prefix.
    async fn directory(&self, fetcher: &Fetcher, prefix: &str, folder: &Path) -> Result<(), String> {
        let prefix = format!("{}/", prefix.trim_end_matches('/'));
        let mut objects = Objects::new(fetcher, folder);
        let mut next: Option<String> = None;
        loop {
            let mut parameters = vec![("list-type", "2"), ("prefix", prefix.as_str())];
            parameters.extend(next.as_deref().map(|token| ("continuation-token", token)));
            let request = self.request(&format!("/{}", self.name), &parameters)?;
            let page = listing(fetcher, request).await?;
            for key in elements(&page, "Key") {
                let Some(name) = key.strip_prefix(&prefix) else { continue };
                objects.add(name, self.object(&key, None)?).await?;
            }
            next = elements(&page, "NextContinuationToken").into_iter().next();
            if next.is_none() {
                return objects.finish();
            }
        }
    }
}

/// A page of a list of objects.
pub(crate) async fn listing(fetcher: &Fetcher, request: Request) -> Result<String, String> {
    let response = fetcher.client.send(request).await.map_err(|error| error.to_string())?;
    if !response.is_success() {
        return Err(format!("cannot list the objects: bad response code: {}", response.status));
    }
    let body = response.bytes(LONGEST_LIST).await.map_err(|error| error.to_string())?;
    String::from_utf8(body).map_err(|_| "the list of objects is no text".to_owned())
}

/// Objects of a bucket as they become files of a folder.
pub(crate) struct Objects<'a> {
    fetcher: &'a Fetcher,
    folder: &'a Path,
    entries: u64,
    bytes: u64,
}

impl<'a> Objects<'a> {
    pub(crate) fn new(fetcher: &'a Fetcher, folder: &'a Path) -> Objects<'a> {
        Objects { fetcher, folder, entries: 0, bytes: 0 }
    }

    /// Downloads an object under its name below the prefix.
    pub(crate) async fn add(&mut self, name: &str, request: Request) -> Result<(), String> {
        if name.is_empty() || name.ends_with('/') {
            return Ok(());
        }
        if name.split('/').any(|part| matches!(part, "" | "." | "..")) || name.contains('\\') {
            return Err(format!("the object {name:?} would be outside of its folder"));
        }
        let limits = self.fetcher.limits;
        let file = download::file(self.fetcher, request, self.folder).await?;
        self.entries += 1;
        self.bytes += file.as_file().metadata().map_err(|error| error.to_string())?.len();
        if self.entries > limits.entries || self.bytes > limits.unpacked {
            return Err(format!("there are more than {} objects or {} bytes", limits.entries, limits.unpacked));
        }
        let path = self.folder.join(name);
        let place = || {
            std::fs::create_dir_all(path.parent().unwrap_or(self.folder))?;
            std::fs::copy(file.path(), &path)
        };
        place().map(drop).map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    pub(crate) fn finish(self) -> Result<(), String> {
        if self.entries == 0 { Err("there are no objects of that name".to_owned()) } else { Ok(()) }
    }
}

/// The texts of all elements of a name.
fn elements(xml: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut found = Vec::new();
    let mut rest = xml;
    while let Some((_, tail)) = rest.split_once(&open) {
        let Some((text, tail)) = tail.split_once(&close) else { break };
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
        found.push(text.replace("&#39;", "'").replace("&#34;", "\"").replace("&amp;", "&"));
        rest = tail;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_in_hosts_and_in_paths() {
        for (text, base, name, region, key) in [
            ("https://s3.amazonaws.com/b/k/x.zip", "https://s3.amazonaws.com/", "b", "us-east-1", "k/x.zip"),
            ("https://s3-eu-west-1.amazonaws.com/b/k", "https://s3-eu-west-1.amazonaws.com/", "b", "eu-west-1", "k"),
            ("https://s3.eu-west-1.amazonaws.com/b/k", "https://s3.eu-west-1.amazonaws.com/", "b", "eu-west-1", "k"),
            ("https://b.s3.eu-west-1.amazonaws.com/k", "https://s3.eu-west-1.amazonaws.com/", "b", "eu-west-1", "k"),
            ("http://127.0.0.1:9000/b/a%20b", "http://127.0.0.1:9000/", "b", "us-east-1", "a b"),
        ] {
            let (bucket, found) = Bucket::of(&Url::parse(text).unwrap(), None).unwrap();
            let found = (bucket.base.as_str(), bucket.name.as_str(), bucket.region.as_str(), found.as_str());
            assert_eq!(found, (base, name, region, key), "{text}");
        }
        assert!(Bucket::of(&Url::parse("https://h/x").unwrap(), None).is_err());
    }
}
