//! Archives from web servers, and addresses that only say where the package is.

use std::path::Path;

use config::module_source::SourceError;
use config::remote_source::{RemoteSource, split_forced};
use net::{Request, Url};

use crate::archive::Kind;
use crate::fetcher::Fetcher;
use crate::{download, query};

/// More than any page needs for its head.
const LONGEST_PAGE: u64 = 4 << 20;

pub(crate) async fn fetch(fetcher: &Fetcher, url: &mut Url, folder: &Path, detours: usize) -> Result<(), String> {
    let [archive, checksum] = query::take(url, ["archive", "checksum"]);
    if let Some(kind) = Kind::of(url, archive.as_deref())? {
        let checksum = download::checksum(fetcher, checksum, url).await?;
        return download::archive(fetcher, request(fetcher, url.clone())?, kind, checksum, folder).await;
    }
    let mut question = url.clone();
    question.query_pairs_mut().append_pair("terraform-get", "1");
    let response = fetcher.client.send(request(fetcher, question)?).await.map_err(|error| error.to_string())?;
    if !response.is_success() {
        return Err(format!("bad response code: {}", response.status));
    }
    let base = response.url.clone();
    let named = match response.header("x-terraform-get") {
        Some(source) => Some(source.to_owned()),
        None => {
            let page = response.bytes(LONGEST_PAGE).await.map_err(|error| error.to_string())?;
            in_page(&String::from_utf8_lossy(&page))
        }
    };
    let Some(named) = named.filter(|source| !source.is_empty()) else {
        return Err("no source URL was returned".to_owned());
    };
    let source = resolve(&base, &named)?;
    // Whoever answers must not reach into this machine.
    let (forced, address) = split_forced(&source.package);
    if forced == Some("file") || address.starts_with("file:") {
        return Err(format!("the server names {named:?}, which is no address to download from"));
    }
    fetcher.get_part(&source, folder, detours + 1).await
}

fn request(fetcher: &Fetcher, url: Url) -> Result<Request, String> {
    let login = url.host_str().and_then(|host| fetcher.credentials.login(host)).filter(|_| url.username().is_empty());
    let request = Request::get(url);
    match login {
        Some((user, password)) => request.basic(&user, &password).map_err(|error| error.to_string()),
        None => Ok(request),
    }
}

/// An address that may be relative to where it was found.
pub(crate) fn resolve(base: &Url, source: &str) -> Result<RemoteSource, String> {
    let relative = ["/", "./", "../"].iter().any(|prefix| source.starts_with(prefix));
    let absolute = match relative {
        true => base.join(source).map_err(|error| format!("invalid source string: {source}: {error}"))?.to_string(),
        false => source.to_owned(),
    };
    RemoteSource::parse(&absolute).map_err(|error| match error {
        SourceError::MaybeRelative(_) => format!("invalid source string: {source}"),
        SourceError::Invalid(why) => why,
    })
}

/// The address in `<meta name="terraform-get" content="…">` of a page's head.
fn in_page(page: &str) -> Option<String> {
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        let tag = rest.get(start + 1..)?;
        let end = tag.find('>')?;
        let (inside, tail) = (tag.get(..end)?, tag.get(end..)?);
        rest = tail;
        let lower = inside.to_ascii_lowercase();
        if lower.starts_with("/head") || lower.starts_with("body") {
            return None;
        }
        if lower.starts_with("meta") && attribute(inside, "name").as_deref() == Some("terraform-get") {
            return attribute(inside, "content");
        }
    }
    None
}

/// The value of an attribute within a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let mut rest = tag;
    while let Some(equals) = rest.find('=') {
        let (before, after) = rest.split_at(equals);
        let key = before.rsplit(|c: char| c.is_whitespace() || c == '"' || c == '\'').find(|part| !part.is_empty());
        let after = after.get(1..)?.trim_start();
        let (value, tail) = match after.chars().next()? {
            quote @ ('"' | '\'') => after.get(1..)?.split_once(quote)?,
            _ => {
                let end = after.find(char::is_whitespace).unwrap_or(after.len());
                after.split_at(end)
            }
        };
        if key.is_some_and(|key| key.eq_ignore_ascii_case(name)) {
            let text = value.trim_end_matches('/');
            let text = if after.starts_with(['"', '\'']) { value } else { text };
            return Some(text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"));
        }
        rest = tail;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_name_packages_in_their_head() {
        let page = "<!doctype html><html><head><title>x = 1</title>\n<META content='git::https://h/a.git?x=1&amp;ref=v1' \
                    name=terraform-get />\n</head><body></body></html>";
        assert_eq!(in_page(page).as_deref(), Some("git::https://h/a.git?x=1&ref=v1"));
        let in_body = "<html><head></head><body><meta name=\"terraform-get\" content=\"https://h/x.zip\"></body>";
        assert_eq!(in_page(in_body), None);
        for odd in ["", "<", "<meta", "<meta name=>", "<meta name=\"terraform-get\">", "<meta name=\"x"] {
            assert_eq!(in_page(odd), None, "{odd}");
        }
    }

    #[test]
    fn addresses_relative_to_where_they_were_found() {
        let base = Url::parse("https://h/v1/a/b/download").unwrap();
        let found = |text: &str| resolve(&base, text).map(|source| source.to_string());
        assert_eq!(found("./x.zip").as_deref(), Ok("https://h/v1/a/b/x.zip"));
        assert_eq!(found("/p/x.tgz//*?archive=tar.gz").as_deref(), Ok("https://h/p/x.tgz//*?archive=tar.gz"));
        assert_eq!(found("github.com/a/b").as_deref(), Ok("git::https://github.com/a/b.git"));
        assert!(found("modules/x").is_err());
    }
}
