//! Address arithmetic: `cidrhost`, `cidrnetmask`, `cidrsubnet`, `cidrsubnets`.
//!
//! Prefixes are read as Terraform reads them, which is laxer than RFC 4632 and Rust's parser: octets may have leading
//! zeros, and host bits may be set (they are cleared).

use std::net::{Ipv4Addr, Ipv6Addr};

use dashu_int::IBig;

use super::arguments::{big_integer, integer, string, strings, whole};
use super::{CallError, Function, Param};
use crate::types::Type;
use crate::values::Value;

const PREFIX: &str = "An address range in CIDR notation, like `10.0.0.0/16`.";

pub(super) fn functions() -> Vec<Function> {
    let prefix = || Param::new("prefix", Type::String).about(PREFIX);
    vec![
        Function::new(
            "cidrhost",
            "`cidrhost` returns the address with a given number in a range.",
            Type::String,
            |a, _, _| {
                let number = big_integer(a, 1)?;
                Ok(Value::string(host(&Network::parse(string(a, 0)?)?, &number)?))
            },
        )
        .param(prefix())
        .param(
            Param::new("hostnum", Type::Number).about("Number of the address; negative numbers count from the end."),
        ),
        Function::new("cidrnetmask", "`cidrnetmask` returns the netmask of an IPv4 range.", Type::String, |a, _, _| {
            let network = Network::parse(string(a, 0)?)?;
            if network.bits != 32 {
                let text = string(a, 0)?;
                return Err(CallError::new(format_args!("IPv6 addresses cannot have a netmask: {text}")));
            }
            Ok(Value::string(format_address(mask(network.length, 32), 32)))
        })
        .param(prefix()),
        Function::new(
            "cidrsubnet",
            "`cidrsubnet` returns one of the ranges that a range divides into.",
            Type::String,
            |a, _, _| {
                let (new_bits, number) = (integer(a, 1)?, big_integer(a, 2)?);
                Ok(Value::string(subnet(&Network::parse(string(a, 0)?)?, new_bits, &number)?.to_string()))
            },
        )
        .param(prefix())
        .param(Param::new("newbits", Type::Number).about("How many bits longer the new prefix is."))
        .param(
            Param::new("netnum", Type::Number).about("Number of the new range, with at most `newbits` binary digits."),
        ),
        Function::new(
            "cidrsubnets",
            "`cidrsubnets` returns consecutive ranges of given sizes inside a range.",
            Type::list(Type::String),
            |a, _, _| subnets(a),
        )
        .param(prefix())
        .variadic(Param::new("newbits", Type::Number)),
    ]
}

/// A range of addresses: the first one as a number, the length of the prefix, and 32 or 128 bits.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Network {
    address: u128,
    length: u32,
    bits: u32,
}

impl Network {
    fn parse(text: &str) -> Result<Network, CallError> {
        let invalid = || CallError::new(format_args!("invalid CIDR expression: invalid CIDR address: {text}"));
        let (address, length) = text.split_once('/').ok_or_else(invalid)?;
        let (address, bits) = match parse_ipv4(address) {
            Some(v4) => (u128::from(v4), 32),
            None => (parse_ipv6(address).ok_or_else(invalid)?, 128),
        };
        let length = decimal(length).filter(|n| *n <= bits).ok_or_else(invalid)?;
        Ok(Network { address: address & mask(length, bits), length, bits })
    }

    fn last(&self) -> u128 {
        self.address | !mask(self.length, self.bits) & mask(self.bits, self.bits)
    }

    fn contains(&self, address: u128) -> bool {
        address & mask(self.length, self.bits) == self.address
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", format_address(self.address, self.bits), self.length)
    }
}

/// The lowest `bits` bits, of which the first `length` are ones.
fn mask(length: u32, bits: u32) -> u128 {
    let all = if bits == 128 { u128::MAX } else { (1 << bits) - 1 };
    let host = bits.saturating_sub(length);
    if host >= 128 { 0 } else { all >> host << host }
}

fn format_address(address: u128, bits: u32) -> String {
    if bits == 32 {
        return Ipv4Addr::from(address as u32).to_string();
    }
    let v6 = Ipv6Addr::from(address);
    v6.to_ipv4_mapped().map_or_else(|| v6.to_string(), |v4| v4.to_string())
}

fn decimal(text: &str) -> Option<u32> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| plain && *n < 0xFF_FFFF)
}

fn parse_ipv4(text: &str) -> Option<u32> {
    let mut octets = text.split('.');
    let mut address = 0;
    for _ in 0..4 {
        address = address << 8 | octets.next().and_then(decimal).filter(|n| *n <= 255)?;
    }
    octets.next().is_none().then_some(address)
}

fn parse_ipv6(text: &str) -> Option<u128> {
    // Only the IPv4 tail may differ from what Rust reads: it may have leading zeros here.
    let (head, tail) = text.rsplit_once(':')?;
    if tail.contains('.') {
        let v4 = parse_ipv4(tail)?;
        return parse_ipv6(&format!("{head}:{:x}:{:x}", v4 >> 16, v4 & 0xFFFF));
    }
    // Go's parser takes any number of digits in a group as long as the value fits.
    let groups: Vec<String> = text
        .split(':')
        .map(|g| if g.len() > 4 { format!("{:0>1}", g.trim_start_matches('0')) } else { g.to_owned() })
        .collect();
    groups.join(":").parse::<Ipv6Addr>().ok().map(u128::from)
}

/// Terraform checks only the lowest 64 bits of a number from the start of the range, and puts numbers into the first
/// 32 bits of an IPv4 address that is written as an IPv6 one.
fn host(network: &Network, number: &IBig) -> Result<String, CallError> {
    let highest = IBig::from(!mask(network.length, network.bits) & mask(network.bits, network.bits));
    let (number, distance) = if *number < IBig::ZERO {
        let from_end = -number - IBig::ONE;
        (&highest - &from_end, from_end)
    } else {
        let low = u128::try_from(number.clone()).map_or(i64::MAX, |n| n as u64 as i64);
        (number.clone(), IBig::from(low))
    };
    let refused =
        || CallError::new(format_args!("prefix of {} does not accommodate a host numbered {number}", network.length));
    if distance > highest {
        return Err(refused());
    }
    let offset = u128::try_from(number.clone()).map_err(|_| refused())?;
    let mapped = network.bits == 128 && Ipv6Addr::from(network.address).to_ipv4_mapped().is_some();
    let shift = if mapped { 96 } else { 0 };
    let shifted = offset.checked_shl(shift).filter(|s| s >> shift == offset).ok_or_else(refused)?;
    if shifted & !mask(network.bits, network.bits) != 0 {
        return Err(refused());
    }
    Ok(format_address(network.address | shifted, network.bits))
}

fn subnet(network: &Network, new_bits: i64, number: &IBig) -> Result<Network, CallError> {
    let length = i64::from(network.length).saturating_add(new_bits);
    if length > i64::from(network.bits) {
        return Err(CallError::new(format_args!(
            "insufficient address space to extend prefix of {} by {new_bits}",
            network.length
        )));
    }
    let refused = || {
        CallError::new(format_args!("prefix extension of {new_bits} does not accommodate a subnet numbered {number}"))
    };
    let length = u32::try_from(length).map_err(|_| refused())?;
    let negative = *number < IBig::ZERO;
    let magnitude = u128::try_from(if negative { -number } else { number.clone() }).map_err(|_| refused())?;
    // Only the magnitude is checked, as Terraform does: with a negative number the bits of the prefix change too.
    let limit = u32::try_from(new_bits).ok().filter(|n| *n < 64).map_or(u64::MAX, |n| (1 << n) - 1);
    if magnitude as u64 > limit {
        return Err(refused());
    }
    let shift = network.bits - length;
    let shifted = if magnitude == 0 { Some(0) } else { magnitude.checked_shl(shift) };
    let shifted = shifted.filter(|s| magnitude == 0 || s >> shift == magnitude).ok_or_else(refused)?;
    let address = if negative {
        // The magnitude of the two's complement of `address | -shifted`.
        ((shifted - 1) & !network.address).wrapping_add(1)
    } else {
        network.address | shifted
    };
    if address & !mask(network.bits, network.bits) != 0 {
        return Err(refused());
    }
    Ok(Network { address, length, bits: network.bits })
}

fn subnets(arguments: &[Value]) -> Result<Value, CallError> {
    let network =
        Network::parse(string(arguments, 0)?).map_err(|e| CallError { argument: Some(0), message: e.message })?;
    let mut ranges = Vec::new();
    // The last address before the next free one; the next range begins behind it, rounded up to its size.
    let mut used: Option<u128> = None;
    let mut before = String::new();
    for (index, argument) in arguments.iter().enumerate().skip(1) {
        let refuse = |message: String| Err(CallError::argument(index, message));
        let number = argument.as_number().ok_or_else(|| CallError::argument(index, "number required"))?;
        let new_bits = whole(number).map_err(|e| CallError { argument: Some(index), message: e.message })?;
        if new_bits < 1 {
            return refuse("must extend prefix by at least one bit".into());
        }
        if new_bits > 32 {
            return refuse("may not extend prefix by more than 32 bits".into());
        }
        let length = network.length + new_bits as u32;
        if length > network.bits {
            let protocol = if network.bits == 32 { "IPv4" } else { "IPv6" };
            return refuse(format!(
                "would extend prefix to {length} bits, which is too long for an {protocol} address"
            ));
        }
        let size_mask = mask(length, network.bits);
        let first = match used {
            // Terraform counts from the address before the range, so that a range at address zero has no room.
            None => (network.address != 0).then_some(network.address),
            Some(last) => {
                let end = Network { address: last & size_mask, length, bits: network.bits }.last();
                (end != mask(network.bits, network.bits)).then(|| end + 1)
            }
        };
        if used.is_none() {
            let previous = network.address.wrapping_sub(1) & size_mask;
            before = Network { address: previous, length, bits: network.bits }.to_string();
        }
        let Some(first) = first.filter(|f| network.contains(*f)) else {
            return refuse(format!(
                "not enough remaining address space for a subnet with a prefix of {length} bits after {before}"
            ));
        };
        let range = Network { address: first, length, bits: network.bits };
        used = Some(range.last());
        before = range.to_string();
        ranges.push(before.clone());
    }
    Ok(strings(ranges))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (prefix, number, expected) in [
            ("10.12.112.0/20", 16, Some("10.12.112.16")),
            ("10.0.0.0/8", -1, Some("10.255.255.255")),
            ("10.0.0.0/8", -16_777_217, None),
            ("010.1.2.3/8", 1, Some("10.0.0.1")),
            ("fd00::/64", 1i128 << 64, Some("fd00:0:0:1::")),
            ("::ffff:10.0.0.0/104", 5, Some("0:5::ffff:a00:0")),
        ] {
            let network = Network::parse(prefix).unwrap();
            assert_eq!(host(&network, &IBig::from(number)).ok().as_deref(), expected, "{prefix} {number}");
        }
        for prefix in ["10.0.0.0", "10.0.0/8", "10.0.0.256/8", "::/129", "1::2::3/64", "/8", "10.0.0.0/+8"] {
            assert!(Network::parse(prefix).is_err(), "{prefix}");
        }
    }

    #[test]
    fn ranges() {
        for (prefix, bits, number, expected) in [
            ("10.1.2.0/24", 4, 15, Some("10.1.2.240/28")),
            ("fe80::/48", 16, 162, Some("fe80:0:0:a2::/64")),
            ("10.0.0.0/8", -1, 0, Some("10.0.0.0/7")),
            ("10.0.0.0/8", 2, -1, Some("0.64.0.0/10")),
            ("10.0.0.0/8", 2, 5, None),
            ("10.0.0.0/8", 25, 0, None),
            ("::/0", 128, 1, Some("::1/128")),
        ] {
            let network = Network::parse(prefix).unwrap();
            let range = subnet(&network, bits, &IBig::from(number)).ok().map(|n| n.to_string());
            assert_eq!(range.as_deref(), expected, "{prefix} {bits} {number}");
        }
        let consecutive = |prefix: &str, bits: &[i64]| {
            let numbers = bits.iter().map(|b| Value::number(*b));
            let arguments: Vec<Value> = [Value::string(prefix)].into_iter().chain(numbers).collect();
            subnets(&arguments).ok().map(|v| v.elements().unwrap().last().unwrap().as_str().unwrap().to_string())
        };
        assert_eq!(consecutive("10.0.0.0/8", &[8, 4, 4, 8]).as_deref(), Some("10.48.0.0/16"));
        assert_eq!(consecutive("10.0.0.0/8", &[1, 1, 1]), None);
        assert_eq!(consecutive("0.0.0.0/8", &[4]), None);
    }
}
