//! Parameters in the query of an address that are meant for us, not for the server.

use net::Url;

/// Takes parameters out of a URL; the last value of each, in the order of `names`.
pub(crate) fn take<const N: usize>(url: &mut Url, names: [&str; N]) -> [Option<String>; N] {
    let mut found = [const { None }; N];
    let mut rest: Vec<(String, String)> = Vec::new();
    for (name, value) in url.query_pairs() {
        match names.iter().position(|known| *known == name).and_then(|index| found.get_mut(index)) {
            Some(slot) => *slot = Some(value.into_owned()),
            None => rest.push((name.into_owned(), value.into_owned())),
        }
    }
    // A query without our parameters stays as it was written.
    if found.iter().any(Option::is_some) {
        url.set_query(None);
        if !rest.is_empty() {
            url.query_pairs_mut().extend_pairs(rest);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_parameters_are_taken_out() {
        let mut url = Url::parse("https://h/x?a=1&archive=zip&b=x%20y&archive=tar").unwrap();
        assert_eq!(take(&mut url, ["archive", "checksum"]), [Some("tar".to_owned()), None]);
        assert_eq!(url.as_str(), "https://h/x?a=1&b=x+y");
        let mut url = Url::parse("https://h/x?odd").unwrap();
        take(&mut url, ["archive"]);
        assert_eq!(url.as_str(), "https://h/x?odd");
    }
}
