//! What several resource types ask of a configured text, in the words of Terraform's provider.

use std::net::IpAddr;

use sdk::Check;
use serde_json::Value as Json;

/// An ARN, or nothing.
pub(crate) const ARN: Check = Check::Text(arn);

/// A policy of IAM's kind: a JSON object.
pub(crate) const POLICY: Check = Check::Text(policy);

/// Any JSON, or nothing.
pub(crate) const JSON: Check = Check::Text(json);

/// Letters and what else IAM's names may hold.
pub(crate) const IAM_NAME: Check = Check::Text(iam_name);

/// The address of a network of IPv4, or nothing.
pub(crate) const CIDR_V4: Check = Check::Text(|_, text| cidr(text, Family::V4));

/// The address of a network of IPv6, or nothing.
pub(crate) const CIDR_V6: Check = Check::Text(|_, text| cidr(text, Family::V6));

/// An IPv4 address.
pub(crate) const IPV4: Check = Check::Text(|key, text| {
    when(text.parse::<std::net::Ipv4Addr>().is_err(), || {
        format!("expected {key} to contain a valid IPv4 address, got: {text}")
    })
});

/// An IPv6 address.
pub(crate) const IPV6: Check = Check::Text(|key, text| {
    when(text.parse::<std::net::Ipv6Addr>().is_err(), || {
        format!("expected {key} to contain a valid IPv6 address, got: {text}")
    })
});

/// A network of RFC 1918.
pub(crate) const PRIVATE_NETWORK: Check = Check::Text(private_network);

/// The name of an EKS cluster.
pub(crate) const CLUSTER_NAME: Check = Check::Text(cluster_name);

/// Anything.
pub(crate) const NOT_EMPTY: Check =
    Check::Text(|key, text| when(text.is_empty(), || format!("{key} must not be empty, got ")));

fn when(wrong: bool, message: impl FnOnce() -> String) -> Vec<String> {
    if wrong { vec![message()] } else { Vec::new() }
}

fn arn(key: &str, text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    let message = |why| format!("{key:?} ({text}) is an invalid ARN: {why}");
    wrong_arn(text).map(message).into_iter().collect()
}

pub(crate) fn wrong_arn(text: &str) -> Option<&'static str> {
    if !text.starts_with("arn:") {
        return Some("arn: invalid prefix");
    }
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [_, partition, _, region, account, resource] = parts.as_slice() else {
        return Some("arn: not enough sections");
    };
    if partition.is_empty() {
        return Some("missing partition value");
    }
    let lower = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase());
    let mut words = partition.split('-');
    if words.next() != Some("aws") || !words.all(lower) {
        return Some("invalid partition value (expecting to match regular expression: ^aws(-[a-z]+)*$)");
    }
    if !region.is_empty() && !aws_session::is_region(region) {
        return Some("invalid region value");
    }
    let digits = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    let named = ["", "aws", "aws-managed", "third-party", "aws-marketplace"].contains(account);
    let marketplace = account.starts_with("cw") && account.chars().count() == 12;
    if !(digits || named || marketplace) {
        return Some(
            "invalid account ID value (expecting to match regular expression: \
             ^(aws|aws-managed|third-party|aws-marketplace|\\d{12}|cw.{10})$)",
        );
    }
    if resource.is_empty() { Some("missing resource value") } else { None }
}

fn policy(key: &str, text: &str) -> Vec<String> {
    let wrong = match text.bytes().next() {
        None => return vec![format!("{key:?} is an empty string, which is not a valid JSON value")],
        Some(b'{') => match serde_json::from_str::<Json>(text) {
            Ok(_) => return duplicate_keys(key, text),
            Err(error) => error.to_string(),
        },
        Some(b'[') => "contains a JSON array, not a JSON object".to_owned(),
        Some(b'"') => {
            let inner = serde_json::from_str::<String>(text).unwrap_or_default();
            let twice = serde_json::from_str::<Json>(&inner).is_ok_and(|json| json.is_object());
            let hint = if twice { " (have you double-encoded your JSON data?)" } else { "" };
            format!("contains a JSON-encoded string, not a JSON-encoded object{hint}")
        }
        // White space before the object is let pass, and refused by IAM.
        Some(byte) if byte.is_ascii_whitespace() => {
            return when(serde_json::from_str::<Json>(text).is_err(), || {
                format!("{key:?} contains an invalid JSON policy: not a JSON object")
            });
        }
        Some(_) => "not a JSON object".to_owned(),
    };
    vec![format!("{key:?} contains an invalid JSON policy: {wrong}")]
}

fn json(key: &str, text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    match serde_json::from_str::<Json>(text) {
        Ok(_) => Vec::new(),
        Err(error) => vec![format!("{key:?} contains an invalid JSON: {error}")],
    }
}

/// Keys that an object has twice: which of them counts is anybody's guess.
fn duplicate_keys(key: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut parser = serde_json::Deserializer::from_str(text);
    // The text is JSON: this fails for nothing but a duplicate, which is then in `found`.
    drop(serde::de::DeserializeSeed::deserialize(Keys { path: String::new(), found: &mut found }, &mut parser));
    found.into_iter().map(|name| format!("{key:?} contains duplicate JSON keys: duplicate key {name:?}")).collect()
}

/// Walks through JSON and notes the keys that come twice.
struct Keys<'a> {
    path: String,
    found: &'a mut Vec<String>,
}

impl Keys<'_> {
    fn below(&mut self, name: &str) -> Keys<'_> {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Keys { path, found: self.found }
    }
}

impl<'de> serde::de::DeserializeSeed<'de> for Keys<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> serde::de::Visitor<'de> for Keys<'_> {
    type Value = ();

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("JSON")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut seen = std::collections::BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            let below = self.below(&name);
            if !seen.insert(name) {
                let path = below.path.clone();
                below.found.push(path);
            }
            map.next_value_seed(below)?;
        }
        Ok(())
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0usize;
        while list.next_element_seed(self.below(&index.to_string()))?.is_some() {
            index += 1;
        }
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

fn iam_name(key: &str, text: &str) -> Vec<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    when(!text.chars().all(allowed), || format!("invalid value for {key} (must match [\\w+=,.@-])"))
}

fn cluster_name(key: &str, text: &str) -> Vec<String> {
    let mut wrong =
        when(!(1..=100).contains(&text.len()), || format!("{key:?} length must be between 1-100 characters: {text:?}"));
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let fine = begins && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    wrong.extend(when(!fine, || {
        format!("{key:?} doesn't comply with restrictions (\"^[0-9A-Za-z][0-9A-Za-z_-]*$\"): {text:?}")
    }));
    wrong
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// A network as CIDR: its address as written, its length, and the address without the host's bits.
pub(crate) struct Network {
    address: IpAddr,
    pub(crate) length: u8,
    network: IpAddr,
}

impl Network {
    pub(crate) fn parse(text: &str) -> Option<Network> {
        let (address, length) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
        let length: u8 = if digits { length.parse().ok()? } else { return None };
        let network = match address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32u32.checked_sub(length.into())?).unwrap_or_default();
                IpAddr::from((u32::from(v4) & mask).to_be_bytes())
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128u32.checked_sub(length.into())?).unwrap_or_default();
                IpAddr::from((u128::from(v6) & mask).to_be_bytes())
            }
        };
        Some(Network { address, length, network })
    }

    fn family(&self) -> Family {
        if self.address.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    fn is_network(&self) -> bool {
        self.address == self.network
    }

    fn proper(&self) -> String {
        format!("{}/{}", self.network, self.length)
    }

    /// Whether it is one of RFC 1918's.
    fn is_private(&self) -> bool {
        match self.address {
            IpAddr::V4(v4) => v4.is_private(),
            IpAddr::V6(_) => false,
        }
    }
}

fn cidr(text: &str, family: Family) -> Vec<String> {
    let name = if family == Family::V4 { "IPv4" } else { "IPv6" };
    match Network::parse(text) {
        _ if text.is_empty() => Vec::new(),
        None => vec![format!("{text:?} is not a valid CIDR block: invalid CIDR address: {text}")],
        Some(network) if network.family() != family => vec![format!("{text:?} is not a valid {name} CIDR block")],
        Some(network) if !network.is_network() => {
            vec![format!("{text:?} is not a valid {name} CIDR block; did you mean {:?}?", network.proper())]
        }
        Some(_) => Vec::new(),
    }
}

/// A network whose length is from the first to the second.
pub(crate) fn network(key: &str, text: &str, least: u8, most: u8) -> Vec<String> {
    let Some(network) = Network::parse(text) else {
        return vec![format!(
            "expected {key} to contain a valid Value, got: {text} with err: invalid CIDR address: {text}"
        )];
    };
    let mut wrong = when(!network.is_network(), || {
        format!("expected {key} to contain a valid network Value, expected {}, got {text}", network.proper())
    });
    wrong.extend(when(!(least..=most).contains(&network.length), || {
        format!(
            "expected {key:?} to contain a network Value with between {least} and {most} significant bits, got: {}",
            network.length
        )
    }));
    wrong
}

fn private_network(key: &str, text: &str) -> Vec<String> {
    when(!Network::parse(text).is_some_and(|network| network.is_private()), || {
        format!("invalid value for {key} (must be within 10.0.0.0/8, 172.16.0.0/12, or 192.168.0.0/16)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages of Terraform's provider for values that it refuses; an empty one: it is fine.
    #[test]
    fn texts_are_refused_in_the_words_of_terraform() {
        type Refuse = fn(&str, &str) -> Vec<String>;
        let cases: [(Refuse, &str, &str); 33] = [
            (arn, "", ""),
            (arn, "x", r#""k" (x) is an invalid ARN: arn: invalid prefix"#),
            (arn, "arn:aws:iam", r#""k" (arn:aws:iam) is an invalid ARN: arn: not enough sections"#),
            (
                arn,
                "arn::iam::123456789012:x",
                r#""k" (arn::iam::123456789012:x) is an invalid ARN: missing partition value"#,
            ),
            (
                arn,
                "arn:aws:iam:no:123456789012:x",
                r#""k" (arn:aws:iam:no:123456789012:x) is an invalid ARN: invalid region value"#,
            ),
            (
                arn,
                "arn:aws:iam::123456789012:",
                r#""k" (arn:aws:iam::123456789012:) is an invalid ARN: missing resource value"#,
            ),
            (arn, "arn:aws-us-gov:eks:us-gov-west-1:123456789012:cluster/x", ""),
            (arn, "arn:aws:iam::aws:policy/x", ""),
            (policy, "", r#""k" is an empty string, which is not a valid JSON value"#),
            (policy, "x", r#""k" contains an invalid JSON policy: not a JSON object"#),
            (policy, "[]", r#""k" contains an invalid JSON policy: contains a JSON array, not a JSON object"#),
            (
                policy,
                r#""{\"a\":1}""#,
                r#""k" contains an invalid JSON policy: contains a JSON-encoded string, not a JSON-encoded object (have you double-encoded your JSON data?)"#,
            ),
            (policy, r#"{"a":1,"a":2}"#, r#""k" contains duplicate JSON keys: duplicate key "a""#),
            (policy, r#"{"S":[{"x":1,"x":2}]}"#, r#""k" contains duplicate JSON keys: duplicate key "S.0.x""#),
            (policy, r#"{"S":[{"x":1,"y":[2.5,null,true]}]}"#, ""),
            (policy, " {}", ""),
            (json, "[1]", ""),
            (iam_name, "a b", r"invalid value for k (must match [\w+=,.@-])"),
            (iam_name, "a_b@c", ""),
            (cluster_name, "-a", r#""k" doesn't comply with restrictions ("^[0-9A-Za-z][0-9A-Za-z_-]*$"): "-a""#),
            (cluster_name, "a-1_b", ""),
            (
                |_, text| cidr(text, Family::V4),
                "10.0.0.0",
                r#""10.0.0.0" is not a valid CIDR block: invalid CIDR address: 10.0.0.0"#,
            ),
            (
                |_, text| cidr(text, Family::V4),
                "10.0.0.1/24",
                r#""10.0.0.1/24" is not a valid IPv4 CIDR block; did you mean "10.0.0.0/24"?"#,
            ),
            (|_, text| cidr(text, Family::V6), "10.0.0.1/24", r#""10.0.0.1/24" is not a valid IPv6 CIDR block"#),
            (|_, text| cidr(text, Family::V6), "2001:db8::/56", ""),
            (|_, text| cidr(text, Family::V4), "0.0.0.0/0", ""),
            (
                |_, text| cidr(text, Family::V4),
                "10.0.0.0/33",
                r#""10.0.0.0/33" is not a valid CIDR block: invalid CIDR address: 10.0.0.0/33"#,
            ),
            (
                |key, text| network(key, text, 16, 28),
                "10.0.0.0/15",
                r#"expected "k" to contain a network Value with between 16 and 28 significant bits, got: 15"#,
            ),
            (
                |key, text| network(key, text, 16, 28),
                "10.0.0.1/24",
                "expected k to contain a valid network Value, expected 10.0.0.0/24, got 10.0.0.1/24",
            ),
            (
                |key, text| network(key, text, 16, 28),
                "x",
                "expected k to contain a valid Value, got: x with err: invalid CIDR address: x",
            ),
            (|key, text| network(key, text, 16, 28), "10.0.0.0/16", ""),
            (private_network, "172.20.0.0/16", ""),
            (
                private_network,
                "100.64.0.0/16",
                "invalid value for k (must be within 10.0.0.0/8, 172.16.0.0/12, or 192.168.0.0/16)",
            ),
        ];
        for (check, text, wanted) in cases {
            assert_eq!(check("k", text).join("\n"), wanted, "{text}");
        }
    }
}
