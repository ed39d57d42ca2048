//! Decimal expansions of binary numbers: exact, shortest, and the ways to write them.

use dashu_base::BitTest;
use dashu_int::UBig;

/// `0.digits · 10^point`, without sign; digits have neither leading nor trailing zeros; empty for zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decimal {
    /// ASCII digits.
    pub digits: String,
    /// Where the decimal point stands, counted from the first digit.
    pub point: i64,
}

impl Decimal {
    fn new(mut digits: String, point: i64) -> Decimal {
        let length = digits.trim_end_matches('0').len();
        digits.truncate(length);
        let point = if digits.is_empty() { 0 } else { point };
        Decimal { digits, point }
    }

    /// Without exponent: `1234.5`, `0.001`.
    pub fn plain(&self) -> String {
        let count = self.digits.len() as i64;
        if self.digits.is_empty() {
            "0".to_owned()
        } else if self.point <= 0 {
            format!("0.{}{}", "0".repeat(to_usize(-self.point)), self.digits)
        } else if self.point >= count {
            format!("{}{}", self.digits, "0".repeat(to_usize(self.point - count)))
        } else {
            let (whole, fraction) = self.digits.split_at(to_usize(self.point));
            format!("{whole}.{fraction}")
        }
    }

    /// Rounded half to even to `count` significant digits.
    pub fn round(&self, count: i64) -> Decimal {
        let Ok(keep) = usize::try_from(count) else { return Decimal::default() };
        if keep >= self.digits.len() {
            return self.clone();
        }
        let (kept, rest) = self.digits.split_at(keep);
        let odd = kept.bytes().last().is_some_and(|d| d % 2 == 1);
        let up = match rest.as_bytes() {
            [b'5'] => odd,
            [first, ..] => *first >= b'5',
            [] => false,
        };
        if up { round_up(kept, self.point) } else { Decimal::new(kept.to_owned(), self.point) }
    }

    /// Go's `%.{digits}g`: an exponent below 1e-4 and from `digits` places on.
    pub fn general(&self, digits: i64) -> String {
        let rounded = self.round(digits);
        let exponent = if rounded.digits.is_empty() { 0 } else { rounded.point - 1 };
        let count = rounded.digits.len() as i64;
        let limit = if digits > count && count >= rounded.point { count } else { digits };
        if exponent < -4 || exponent >= limit.max(1) {
            let (first, rest) = rounded.digits.split_at(1.min(rounded.digits.len()));
            let dot = if rest.is_empty() { "" } else { "." };
            let sign = if exponent < 0 { '-' } else { '+' };
            return format!("{first}{dot}{rest}e{sign}{:02}", exponent.abs());
        }
        rounded.plain()
    }
}

fn to_usize(value: i64) -> usize {
    usize::try_from(value).unwrap_or(0)
}

/// One more in the last place.
fn round_up(digits: &str, point: i64) -> Decimal {
    let kept = digits.trim_end_matches('9');
    let mut bytes = kept.to_owned().into_bytes();
    match bytes.last_mut() {
        Some(last) => *last += 1,
        None => return Decimal::new("1".to_owned(), point + 1),
    }
    Decimal::new(String::from_utf8(bytes).unwrap_or_default(), point)
}

/// All digits of `mantissa · 2^exponent`.
pub(super) fn exact(mantissa: &UBig, exponent: i64) -> Decimal {
    if mantissa.is_zero() {
        return Decimal::default();
    }
    let (digits, scale) = if exponent >= 0 {
        ((mantissa << to_usize(exponent)).to_string(), 0)
    } else {
        ((mantissa * UBig::from(5u8).pow(to_usize(-exponent))).to_string(), exponent)
    };
    let point = digits.len() as i64 + scale;
    Decimal::new(digits, point)
}

/// The shortest digits that round to the same number of `precision` bits, as Go's `big.Float` finds them.
pub(super) fn shortest(mantissa: &UBig, exponent: i64, precision: usize) -> Decimal {
    let decimal = exact(mantissa, exponent);
    if decimal.digits.is_empty() {
        return decimal;
    }
    // The neighbours half a unit of the last bit away bound what may be written instead.
    let shift = (precision + 1).saturating_sub(mantissa.bit_len());
    let scaled = mantissa << shift;
    let exponent = exponent - shift as i64;
    let inclusive = !scaled.bit(1);
    let lower = exact(&(&scaled - UBig::ONE), exponent);
    let upper = exact(&(scaled + UBig::ONE), exponent);
    let digit = |d: &Decimal, i: usize| d.digits.as_bytes().get(i).copied().unwrap_or(b'0');
    for (i, m) in decimal.digits.bytes().enumerate() {
        let (l, u) = (digit(&lower, i), digit(&upper, i));
        let down = l != m || (inclusive && i + 1 == lower.digits.len());
        let up = m != u && (inclusive || m + 1 < u || i + 1 < upper.digits.len());
        let kept = decimal.digits.get(..=i).unwrap_or_default();
        match (down, up) {
            (true, true) => return decimal.round(i as i64 + 1),
            (true, false) => return Decimal::new(kept.to_owned(), decimal.point),
            (false, true) => return round_up(kept, decimal.point),
            (false, false) => {}
        }
    }
    decimal
}
