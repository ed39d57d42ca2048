//! Which proxy a request goes through.

use url::Url;

/// The proxies of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, by the rules that Go programs follow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    http: Option<Url>,
    https: Option<Url>,
    exceptions: Vec<String>,
}

impl Proxies {
    /// From the values of the three variables. What is no URL of a http proxy is passed over.
    pub fn new(http: Option<&str>, https: Option<&str>, exceptions: Option<&str>) -> Proxies {
        let exceptions = exceptions.unwrap_or_default().split(',').map(|item| item.trim().to_lowercase());
        Proxies {
            http: http.and_then(parse),
            https: https.and_then(parse),
            exceptions: exceptions.filter(|item| !item.is_empty()).collect(),
        }
    }

    /// The proxy for a URL.
    pub(crate) fn for_url(&self, url: &Url) -> Option<&Url> {
        let host = url.host_str()?.trim_matches(['[', ']']).to_lowercase();
        let is_loopback = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if is_loopback || self.is_exception(&host, url.port_or_known_default()) {
            return None;
        }
        if url.scheme() == "https" { self.https.as_ref() } else { self.http.as_ref() }
    }

    fn is_exception(&self, host: &str, port: Option<u16>) -> bool {
        self.exceptions.iter().any(|item| {
            let (name, wanted) = match item.rsplit_once(':') {
                Some((name, digits)) if !name.contains(':') => (name, digits.parse::<u16>().ok()),
                _ => (item.as_str(), None),
            };
            if wanted.is_some() && wanted != port {
                return false;
            }
            let suffix = name.trim_start_matches('*').trim_start_matches('.');
            name == "*" || host == suffix && !name.starts_with('.') || host.ends_with(&format!(".{suffix}"))
        })
    }
}

fn parse(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|url| url.has_host());
    let url = url.or_else(|| Url::parse(&format!("http://{text}")).ok())?;
    (url.scheme() == "http" && url.has_host()).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_by_scheme_and_exceptions() {
        let proxies = Proxies::new(Some("p:80"), Some("http://q:81"), Some("internal.example, .sub.org,x.net:8080"));
        let via = |url: &str| proxies.for_url(&Url::parse(url).unwrap()).and_then(Url::host_str);
        assert_eq!(via("http://a.com"), Some("p"));
        assert_eq!(via("https://a.com"), Some("q"));
        assert_eq!(via("http://127.0.0.1:9"), None);
        assert_eq!(via("http://a.internal.example"), None);
        assert_eq!(via("http://internal.example"), None);
        assert_eq!(via("http://sub.org"), Some("p"));
        assert_eq!(via("http://a.sub.org"), None);
        assert_eq!(via("http://x.net"), Some("p"));
        assert_eq!(via("http://x.net:8080"), None);
        assert_eq!(Proxies::new(Some("socks5://x"), None, None).for_url(&Url::parse("http://a.com").unwrap()), None);
    }
}
