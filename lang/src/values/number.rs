//! Numbers as Terraform has them: binary floating point with up to 512 bits of mantissa, rounded half to even (the
//! semantics of Go's `big.Float`, which cty builds on).
//!
//! Each number carries its precision, since the shortest decimal that identifies it depends on that: a literal has 512
//! bits, a machine integer 64, the result of a float64 function 53.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use dashu_base::BitTest;
use dashu_int::UBig;

use super::decimal::{self, Decimal};

/// Precision of literals and of numbers parsed from text.
const LITERAL: u16 = 512;
/// Precision of machine integers.
const INTEGER: u16 = 64;
/// Precision of float64.
const FLOAT: u16 = 53;
/// Greatest binary magnitude: numbers beyond 2^(2^22) are infinite, below 2^-(2^22) zero. `big.Float` goes to 2^31, which
/// would let a short expression print gigabytes.
const MAX_MAGNITUDE: i64 = 1 << 22;

/// A number.
#[derive(Clone)]
pub struct Number {
    repr: Repr,
    precision: u16,
}

#[derive(Clone)]
enum Repr {
    Small(i64),
    NegativeZero,
    Infinity { negative: bool },
    Big(Arc<Big>),
}

/// `±mantissa · 2^exponent`, the mantissa odd; never an integer that fits an `i64`.
struct Big {
    negative: bool,
    mantissa: UBig,
    exponent: i64,
}

impl Number {
    /// Zero.
    pub const ZERO: Number = Number::literal(0);
    /// One.
    pub const ONE: Number = Number::literal(1);

    const fn literal(value: i64) -> Number {
        Number { repr: Repr::Small(value), precision: LITERAL }
    }

    /// Infinity, as `pow` and division by zero in functions can make it.
    pub const fn infinity(negative: bool) -> Number {
        Number { repr: Repr::Infinity { negative }, precision: LITERAL }
    }

    /// Reads a decimal number: sign, digits, point, exponent (`e`, or `p` for powers of two); also `Inf`. The whole text
    /// must be a number. Exponents beyond ±1,000,000 are refused.
    pub fn parse(text: &str) -> Option<Number> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, text.get(1..)?),
            b'+' => (false, text.get(1..)?),
            _ => (false, text),
        };
        if rest == "Inf" || rest == "inf" {
            return Some(Number::infinity(negative));
        }
        let (mantissa, exponent, binary) = match rest.find(['e', 'E', 'p', 'P']) {
            Some(at) => {
                let digits = rest.get(at + 1..)?;
                let unsigned = digits.strip_prefix(['-', '+']).unwrap_or(digits);
                if unsigned.is_empty() || !unsigned.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                let exponent = digits.parse::<i64>().ok().filter(|e| e.abs() <= 1_000_000)?;
                (rest.get(..at)?, exponent, matches!(rest.as_bytes().get(at), Some(b'p' | b'P')))
            }
            None => (rest, 0, false),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        if fraction.is_empty() && exponent == 0 && whole.len() <= 18 {
            let value = whole.parse::<i64>().ok()?;
            return Some(match (negative, value) {
                (true, 0) => Number { repr: Repr::NegativeZero, precision: LITERAL },
                (true, value) => Number::literal(-value),
                (false, value) => Number::literal(value),
            });
        }
        let digits = UBig::from_str_radix(&[whole, fraction].concat(), 10).ok()?;
        let scale = -i64::try_from(fraction.len()).ok()?;
        let (ten, two) = if binary { (scale, exponent) } else { (scale + exponent, 0) };
        Some(from_decimal(negative, digits, ten, two))
    }

    /// The value of `±digits · 10^exponent`.
    pub fn from_digits(negative: bool, digits: &str, exponent: i64) -> Option<Number> {
        let digits = UBig::from_str_radix(digits, 10).ok()?;
        (exponent.abs() <= 1_000_000).then(|| from_decimal(negative, digits, exponent, 0))
    }

    /// Whether it has no fraction. Infinity is no integer.
    pub fn is_integer(&self) -> bool {
        match &self.repr {
            Repr::Small(_) | Repr::NegativeZero => true,
            Repr::Infinity { .. } => false,
            Repr::Big(big) => big.exponent >= 0,
        }
    }

    /// Whether it is plus or minus infinity.
    pub fn is_infinite(&self) -> bool {
        matches!(self.repr, Repr::Infinity { .. })
    }

    /// Whether it is 0 or -0.
    pub fn is_zero(&self) -> bool {
        matches!(self.repr, Repr::Small(0) | Repr::NegativeZero)
    }

    /// Whether it has a minus sign; true for -0.
    pub fn is_negative(&self) -> bool {
        match &self.repr {
            Repr::Small(value) => *value < 0,
            Repr::NegativeZero => true,
            Repr::Infinity { negative } => *negative,
            Repr::Big(big) => big.negative,
        }
    }

    /// The value as an `i64`, if it is one.
    pub fn to_i64(&self) -> Option<i64> {
        match &self.repr {
            Repr::Small(value) => Some(*value),
            Repr::NegativeZero => Some(0),
            Repr::Infinity { .. } | Repr::Big(_) => None,
        }
    }

    /// The value as a `u64`, if it is one.
    pub fn to_u64(&self) -> Option<u64> {
        match &self.repr {
            Repr::Small(value) => u64::try_from(*value).ok(),
            Repr::NegativeZero => Some(0),
            Repr::Big(big) if !big.negative && (0..64).contains(&big.exponent) => {
                u64::try_from(&big.mantissa << usize::try_from(big.exponent).ok()?).ok()
            }
            Repr::Infinity { .. } | Repr::Big(_) => None,
        }
    }

    /// The nearest `f64`; infinite when out of range.
    pub fn to_f64(&self) -> f64 {
        match &self.repr {
            Repr::Small(value) => *value as f64,
            Repr::NegativeZero => -0.0,
            Repr::Infinity { negative: false } => f64::INFINITY,
            Repr::Infinity { negative: true } => f64::NEG_INFINITY,
            Repr::Big(big) => {
                let magnitude = big.exponent.saturating_add(bit_length(&big.mantissa));
                let value = if magnitude > 1100 {
                    f64::INFINITY
                } else if magnitude < -1100 {
                    0.0
                } else {
                    let exact = decimal::exact(&big.mantissa, big.exponent);
                    let shift = exact.point - exact.digits.len() as i64;
                    format!("{}e{shift}", exact.digits).parse::<f64>().unwrap_or(f64::INFINITY)
                };
                if big.negative { -value } else { value }
            }
        }
    }

    /// The value as an integer of any size: sign and magnitude, towards zero. `None` when infinite.
    pub fn truncate(&self) -> Option<Number> {
        match &self.repr {
            Repr::Infinity { .. } => None,
            Repr::Small(_) | Repr::NegativeZero => Some(self.clone()),
            Repr::Big(big) if big.exponent >= 0 => Some(self.clone()),
            Repr::Big(big) => {
                let mantissa = &big.mantissa >> to_usize(-big.exponent);
                Some(exact(big.negative, mantissa, 0, self.precision))
            }
        }
    }

    /// The greatest integer that is not greater.
    pub fn floor(&self) -> Number {
        match self.truncate() {
            Some(whole) if whole > *self => whole.sub(&Number::ONE).with_precision(self.precision),
            Some(whole) => whole,
            None => self.clone(),
        }
    }

    /// The least integer that is not less.
    pub fn ceil(&self) -> Number {
        match self.truncate() {
            Some(whole) if whole < *self => whole.add(&Number::ONE).with_precision(self.precision),
            Some(whole) => whole,
            None => self.clone(),
        }
    }

    fn with_precision(mut self, precision: u16) -> Number {
        self.precision = precision;
        self
    }

    /// The sum, with the greater precision of the two. Opposite infinities give zero.
    #[must_use]
    pub fn add(&self, other: &Number) -> Number {
        let precision = self.precision.max(other.precision);
        if let (Repr::Small(a), Repr::Small(b)) = (&self.repr, &other.repr)
            && let Some(sum) = a.checked_add(*b)
            && precision >= INTEGER
        {
            return Number { repr: Repr::Small(sum), precision };
        }
        match (self.is_infinite(), other.is_infinite()) {
            (true, true) if self.is_negative() != other.is_negative() => return Number::ZERO,
            (true, _) => return self.clone(),
            (_, true) => return other.clone(),
            _ => {}
        }
        let ((a_negative, a, a_exponent), (b_negative, b, b_exponent)) = (self.parts(), other.parts());
        if a.is_zero() && b.is_zero() {
            let negative = a_negative && b_negative;
            return exact(negative, a, 0, precision);
        }
        let (a_exponent, b_exponent) = match (a.is_zero(), b.is_zero()) {
            (true, _) => (b_exponent, b_exponent),
            (_, true) => (a_exponent, a_exponent),
            _ => (a_exponent, b_exponent),
        };
        let exponent = a_exponent.min(b_exponent);
        let a = a << to_usize(a_exponent - exponent);
        let b = b << to_usize(b_exponent - exponent);
        let (negative, mantissa) = if a_negative == b_negative {
            (a_negative, a + b)
        } else {
            match a.cmp(&b) {
                Ordering::Greater => (a_negative, a - b),
                Ordering::Less => (b_negative, b - a),
                Ordering::Equal => (false, UBig::ZERO),
            }
        };
        round(negative, mantissa, exponent, false, precision)
    }

    /// The difference.
    #[must_use]
    pub fn sub(&self, other: &Number) -> Number {
        self.add(&other.neg())
    }

    /// The negative. Zero becomes -0.
    #[must_use]
    pub fn neg(&self) -> Number {
        let repr = match &self.repr {
            Repr::Small(0) => Repr::NegativeZero,
            Repr::NegativeZero => Repr::Small(0),
            Repr::Infinity { negative } => Repr::Infinity { negative: !negative },
            Repr::Small(value) => match value.checked_neg() {
                Some(value) => Repr::Small(value),
                None => return exact(false, UBig::ONE, 63, self.precision),
            },
            Repr::Big(big) => {
                return exact(!big.negative, big.mantissa.clone(), big.exponent, self.precision);
            }
        };
        Number { repr, precision: self.precision }
    }

    /// The absolute value.
    #[must_use]
    pub fn abs(&self) -> Number {
        if self.is_negative() { self.neg() } else { self.clone() }
    }

    /// The product: computed with 512 bits, then reduced to what the factors or the product need. Zero times infinity is
    /// zero.
    #[must_use]
    pub fn mul(&self, other: &Number) -> Number {
        let precision = self.precision.max(other.precision);
        if let (Repr::Small(a), Repr::Small(b)) = (&self.repr, &other.repr)
            && let Some(product) = a.checked_mul(*b)
            && product != 0
            && precision >= INTEGER
        {
            return Number { repr: Repr::Small(product), precision };
        }
        let negative = self.is_negative() != other.is_negative();
        if self.is_infinite() || other.is_infinite() {
            return if self.is_zero() || other.is_zero() { Number::ZERO } else { Number::infinity(negative) };
        }
        let ((_, a, a_exponent), (_, b, b_exponent)) = (self.parts(), other.parts());
        let product = round(negative, a * b, a_exponent + b_exponent, false, LITERAL);
        let needed = product.parts().1.bit_len() as u16;
        product.with_precision(precision.max(needed))
    }

    /// The quotient, with the greater precision of the two. Division by zero gives infinity; `None` for 0/0 and ∞/∞.
    pub fn div(&self, other: &Number) -> Option<Number> {
        let precision = self.precision.max(other.precision);
        let negative = self.is_negative() != other.is_negative();
        if (self.is_zero() && other.is_zero()) || (self.is_infinite() && other.is_infinite()) {
            return None;
        }
        if self.is_infinite() || other.is_zero() {
            return Some(Number::infinity(negative));
        }
        if self.is_zero() || other.is_infinite() {
            return Some(exact(negative, UBig::ZERO, 0, precision));
        }
        if let (Repr::Small(a), Repr::Small(b)) = (&self.repr, &other.repr)
            && precision >= INTEGER
            && a.checked_rem(*b) == Some(0)
            && let Some(quotient) = a.checked_div(*b)
        {
            return Some(Number { repr: Repr::Small(quotient), precision });
        }
        let ((_, a, a_exponent), (_, b, b_exponent)) = (self.parts(), other.parts());
        Some(divide(negative, a, &b, a_exponent - b_exponent, precision))
    }

    /// The remainder of the truncated division, with the sign of the dividend. By zero it is the dividend itself; with an
    /// infinity it is what the product would be.
    #[must_use]
    pub fn rem(&self, other: &Number) -> Number {
        if self.is_infinite() || other.is_infinite() {
            return self.mul(other);
        }
        if let (Repr::Small(a), Repr::Small(b)) = (&self.repr, &other.repr)
            && let Some(remainder) = a.checked_rem(*b)
        {
            return Number { repr: Repr::Small(remainder), precision: self.precision.max(other.precision) };
        }
        let Some(whole) = self.div(other).and_then(|q| q.truncate()).filter(|_| !other.is_zero()) else {
            return self.clone();
        };
        let precision = self.precision.max(other.precision);
        let ((a_negative, a, a_exponent), (b_negative, b, b_exponent)) = (whole.parts(), other.parts());
        let product = round(a_negative != b_negative, a * b, a_exponent + b_exponent, false, precision);
        self.sub(&product)
    }

    /// -1, 0 or 1.
    pub fn signum(&self) -> i64 {
        if self.is_zero() {
            0
        } else if self.is_negative() {
            -1
        } else {
            1
        }
    }

    /// The exact decimal expansion of the absolute value; `None` when infinite.
    pub fn exact_decimal(&self) -> Option<Decimal> {
        if self.is_infinite() {
            return None;
        }
        let (_, mantissa, exponent) = self.parts();
        Some(decimal::exact(&mantissa, exponent))
    }

    /// The shortest decimal of the absolute value that identifies it at its precision; `None` when infinite.
    pub fn shortest_decimal(&self) -> Option<Decimal> {
        if self.is_infinite() {
            return None;
        }
        let (_, mantissa, exponent) = self.parts();
        Some(decimal::shortest(&mantissa, exponent, usize::from(self.precision)))
    }

    /// The form of cty's set hash: ten significant digits, an exponent when it is large (Go's `%.10g`).
    pub(crate) fn hash_text(&self) -> String {
        let sign = if self.is_negative() { "-" } else { "" };
        match self.exact_decimal() {
            None if self.is_negative() => "-Inf".to_owned(),
            None => "+Inf".to_owned(),
            Some(exact) => format!("{sign}{}", exact.general(10)),
        }
    }

    /// JSON's form, all digits that tell it apart.
    pub fn to_json(&self) -> Option<serde_json::Number> {
        match &self.repr {
            Repr::Small(value) => Some((*value).into()),
            Repr::Infinity { .. } => None,
            _ => self.to_string().parse().ok(),
        }
    }

    /// From JSON's form.
    pub fn from_json(number: &serde_json::Number) -> Option<Number> {
        match number.as_i64() {
            Some(value) => {
                let text = number.as_str();
                if value == 0 && text.starts_with('-') { Number::parse(text) } else { Some(Number::literal(value)) }
            }
            None => Number::parse(number.as_str()),
        }
    }

    fn parts(&self) -> (bool, UBig, i64) {
        match &self.repr {
            Repr::Small(value) => (*value < 0, UBig::from(value.unsigned_abs()), 0),
            Repr::NegativeZero => (true, UBig::ZERO, 0),
            Repr::Infinity { negative } => (*negative, UBig::ZERO, 0),
            Repr::Big(big) => (big.negative, big.mantissa.clone(), big.exponent),
        }
    }
}

fn bit_length(value: &UBig) -> i64 {
    value.bit_len() as i64
}

/// Shifts are bounded by the greatest magnitude, so they fit.
fn to_usize(shift: i64) -> usize {
    usize::try_from(shift).unwrap_or(0)
}

/// A number from parts that need no rounding.
fn exact(negative: bool, mantissa: UBig, exponent: i64, precision: u16) -> Number {
    let Some(zeros) = mantissa.trailing_zeros() else {
        let repr = if negative { Repr::NegativeZero } else { Repr::Small(0) };
        return Number { repr, precision };
    };
    let exponent = exponent + zeros as i64;
    let mantissa = mantissa >> zeros;
    let magnitude = exponent + bit_length(&mantissa);
    if magnitude > MAX_MAGNITUDE {
        return Number { repr: Repr::Infinity { negative }, precision };
    }
    if magnitude < -MAX_MAGNITUDE {
        return exact(negative, UBig::ZERO, 0, precision);
    }
    if (0..64).contains(&exponent) && magnitude <= 64 {
        let value = i128::try_from(&mantissa << to_usize(exponent)).unwrap_or(i128::MAX);
        if let Ok(value) = i64::try_from(if negative { -value } else { value }) {
            return Number { repr: Repr::Small(value), precision };
        }
    }
    Number { repr: Repr::Big(Arc::new(Big { negative, mantissa, exponent })), precision }
}

/// Rounds half to even; `sticky` says that something non-zero lies below the last bit of the mantissa.
fn round(negative: bool, mantissa: UBig, exponent: i64, sticky: bool, precision: u16) -> Number {
    let excess = bit_length(&mantissa) - i64::from(precision);
    if excess <= 0 {
        return exact(negative, mantissa, exponent, precision);
    }
    let shift = to_usize(excess);
    let (low, mut high) = mantissa.split_bits(shift);
    let half = UBig::ONE << (shift - 1);
    let up = match low.cmp(&half) {
        Ordering::Greater => true,
        Ordering::Less => false,
        Ordering::Equal => sticky || high.bit(0),
    };
    if up {
        high += UBig::ONE;
    }
    exact(negative, high, exponent + excess, precision)
}

fn divide(negative: bool, dividend: UBig, divisor: &UBig, exponent: i64, precision: u16) -> Number {
    let shift = (i64::from(precision) + 2 + bit_length(divisor) - bit_length(&dividend)).max(0);
    let dividend = dividend << to_usize(shift);
    let quotient = &dividend / divisor;
    let remainder = dividend - &quotient * divisor;
    // One more bit holds the remainder's trace, so that a tie is told from what lies just above it.
    round(
        negative,
        (quotient << 1) | UBig::from(u8::from(!remainder.is_zero())),
        exponent - shift - 1,
        false,
        precision,
    )
}

/// `±digits · 10^ten · 2^two`, rounded to 512 bits.
fn from_decimal(negative: bool, digits: UBig, ten: i64, two: i64) -> Number {
    let (fives, scale) = power_of_five(ten.unsigned_abs());
    if ten >= 0 {
        round(negative, digits * fives, ten + two + scale, false, LITERAL)
    } else if digits.is_zero() {
        exact(negative, digits, 0, LITERAL)
    } else {
        divide(negative, digits, &fives, ten + two - scale, LITERAL)
    }
}

/// `5^power` as a mantissa and a binary exponent. Large ones are cut to twice the bits that any number keeps: exactly, the fifth
/// power of a million has two million bits, and a file can ask for many of them.
fn power_of_five(power: u64) -> (UBig, i64) {
    const EXACT: u64 = 2000;
    const BITS: i64 = 2 * LITERAL as i64;
    if power <= EXACT {
        return (UBig::from(5u8).pow(to_usize(power as i64)), 0);
    }
    let (half, exponent) = power_of_five(power / 2);
    let mut mantissa = &half * &half;
    if power % 2 == 1 {
        mantissa *= UBig::from(5u8);
    }
    let excess = (bit_length(&mantissa) - BITS).max(0);
    (mantissa >> to_usize(excess), 2 * exponent + excess)
}

impl From<i64> for Number {
    fn from(value: i64) -> Number {
        Number { repr: Repr::Small(value), precision: INTEGER }
    }
}

impl From<i32> for Number {
    fn from(value: i32) -> Number {
        Number::from(i64::from(value))
    }
}

impl From<u32> for Number {
    fn from(value: u32) -> Number {
        Number::from(i64::from(value))
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Number {
        exact(false, UBig::from(value), 0, INTEGER)
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Number {
        Number::from(value as u64)
    }
}

impl From<f64> for Number {
    /// Not-a-number becomes zero: cty has no such value, callers check before.
    fn from(value: f64) -> Number {
        if value.is_nan() {
            return Number::ZERO;
        }
        if value.is_infinite() {
            return Number::infinity(value.is_sign_negative());
        }
        let bits = value.to_bits();
        let fraction = bits & ((1 << 52) - 1);
        let exponent = ((bits >> 52) & 0x7ff) as i64;
        let (mantissa, exponent) =
            if exponent == 0 { (fraction, -1074) } else { (fraction | (1 << 52), exponent - 1075) };
        exact(value.is_sign_negative(), UBig::from(mantissa), exponent, FLOAT)
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.repr {
            Repr::Small(value) => value.hash(state),
            Repr::NegativeZero => 0i64.hash(state),
            Repr::Infinity { negative } => negative.hash(state),
            Repr::Big(big) => {
                big.negative.hash(state);
                big.exponent.hash(state);
                big.mantissa.hash(state);
            }
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        if let (Repr::Small(a), Repr::Small(b)) = (&self.repr, &other.repr) {
            return a.cmp(b);
        }
        let order = self.signum().cmp(&other.signum());
        if order != Ordering::Equal || self.is_zero() {
            return order;
        }
        let order = match (self.is_infinite(), other.is_infinite()) {
            (true, true) => return Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let ((_, a, a_exponent), (_, b, b_exponent)) = (self.parts(), other.parts());
                (bit_length(&a) + a_exponent).cmp(&(bit_length(&b) + b_exponent)).then_with(|| {
                    let exponent = a_exponent.min(b_exponent);
                    (a << to_usize(a_exponent - exponent)).cmp(&(b << to_usize(b_exponent - exponent)))
                })
            }
        };
        if self.is_negative() { order.reverse() } else { order }
    }
}

impl fmt::Display for Number {
    /// As Terraform's `tostring`: no exponent, as many digits as tell the number apart at its precision.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.repr {
            Repr::Small(value) if self.precision >= INTEGER || value.unsigned_abs() < 1 << FLOAT => {
                write!(f, "{value}")
            }
            Repr::NegativeZero => f.write_str("-0"),
            Repr::Infinity { negative: false } => f.write_str("+Inf"),
            Repr::Infinity { negative: true } => f.write_str("-Inf"),
            _ => {
                let sign = if self.is_negative() { "-" } else { "" };
                let digits = self.shortest_decimal().unwrap_or_default();
                write!(f, "{sign}{}", digits.plain())
            }
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn decimal_arithmetic_is_exact_enough() {
        assert_eq!(n("0.1").add(&n("0.2")), n("0.3"));
        assert_eq!(n("0.1").add(&n("0.2")).to_string(), "0.3");
        assert_eq!(n("1e3").to_string(), "1000");
        assert_eq!(n("-1.50").to_string(), "-1.5");
        assert_eq!(n("0.000001").to_string(), "0.000001");
        assert_eq!(n("123456789012345678901234567890").to_string(), "123456789012345678901234567890");
        assert_eq!(n("9223372036854775807").add(&n("1")).to_string(), "9223372036854775808");
        assert_eq!(n("-9223372036854775808").neg().to_string(), "9223372036854775808");
    }

    #[test]
    fn a_third_prints_512_bits() {
        let third = n("1").div(&n("3")).unwrap().to_string();

        assert!(third.starts_with("0.33333") && third.ends_with("3335"), "{third}");
    }

    #[test]
    fn precision_decides_how_a_number_prints() {
        assert_eq!(Number::from(2.5e-3).to_string(), "0.0025");
        assert_eq!(Number::from(0.1).to_string(), "0.1");
        assert_eq!(Number::from(1i64).div(&Number::from(3i64)).unwrap().to_string(), "0.33333333333333333334");
        assert_ne!(Number::from(0.1), n("0.1"));
    }

    #[test]
    fn remainder_and_rounding() {
        assert_eq!(n("-7").rem(&n("3")), n("-1"));
        assert_eq!(n("7.5").rem(&n("2")), n("1.5"));
        assert_eq!(n("-1.5").floor(), n("-2"));
        assert_eq!(n("-1.5").ceil(), n("-1"));
        assert_eq!(n("1").div(&n("0")).unwrap().to_string(), "+Inf");
        assert!(n("0").div(&n("0")).is_none());
    }

    #[test]
    fn negative_zero_is_zero_with_a_sign() {
        assert_eq!(n("-0").to_string(), "-0");
        assert_eq!(n("-0"), n("0"));
        assert_eq!(n("0").neg().to_string(), "-0");
    }

    #[test]
    fn text_that_is_no_number() {
        for text in ["", "-", ".", "1e", "1_0", "0x10", " 1", "1 ", "1e99999999999"] {
            assert!(Number::parse(text).is_none(), "{text}");
        }
        assert_eq!(n("1p3").to_string(), "8");
        assert_eq!(n(".5").to_string(), "0.5");
    }

    #[test]
    fn float64() {
        assert_eq!(n("0.1").to_f64(), 0.1);
        assert_eq!(n("1e400").to_f64(), f64::INFINITY);
        assert_eq!(n("18446744073709551615").to_u64(), Some(u64::MAX));
    }
}
