//! Logarithm and power as Go computes them: not correctly rounded, so a platform's own would differ in the last digit.

#![expect(clippy::excessive_precision, reason = "the constants are written as they are published")]

/// The natural logarithm: reduction to [√½, √2), then the polynomial of fdlibm (Sun's `e_log.c`).
pub(super) fn log(x: f64) -> f64 {
    if x.is_nan() || x == f64::INFINITY {
        return x;
    }
    if x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    let (mut fraction, mut exponent) = split(x);
    if fraction < std::f64::consts::FRAC_1_SQRT_2 {
        fraction *= 2.0;
        exponent -= 1;
    }
    let f = fraction - 1.0;
    let k = f64::from(exponent);
    let s = f / (2.0 + f);
    let s2 = s * s;
    let s4 = s2 * s2;
    let odd = s2
        * (6.666666666666735130e-01
            + s4 * (2.857142874366239149e-01 + s4 * (1.818357216161805012e-01 + s4 * 1.479819860511658591e-01)));
    let even = s4 * (3.999999999940941908e-01 + s4 * (2.222219843214978396e-01 + s4 * 1.531383769920937332e-01));
    let r = odd + even;
    let half_square = 0.5 * f * f;
    let (ln2_high, ln2_low) = (6.93147180369123816490e-01, 1.90821492927058770002e-10);
    k * ln2_high - ((half_square - (s * (half_square + r) + k * ln2_low)) - f)
}

/// `base` to the power of `exponent`: by squaring for the whole part, by logarithm for the fraction.
pub(super) fn pow(base: f64, exponent: f64) -> f64 {
    let special = !base.is_finite() || !exponent.is_finite() || base == 0.0 || exponent == 0.0 || base == 1.0;
    if special {
        return base.powf(exponent);
    }
    if exponent == 0.5 {
        return base.sqrt();
    }
    if exponent == -0.5 {
        return 1.0 / base.sqrt();
    }
    let magnitude = exponent.abs();
    let (mut whole, mut fraction) = (magnitude.trunc(), magnitude.fract());
    if fraction != 0.0 && base < 0.0 {
        return f64::NAN;
    }
    if whole >= 9.223372036854775808e18 {
        return base.powf(exponent);
    }
    let mut result = 1.0;
    let mut result_exponent: i32 = 0;
    if fraction != 0.0 {
        if fraction > 0.5 {
            fraction -= 1.0;
            whole += 1.0;
        }
        result = (fraction * log(base)).exp();
    }
    let (mut square, mut square_exponent) = split(base);
    let mut rest = whole as i64;
    while rest != 0 {
        if !(-4096..=4096).contains(&square_exponent) {
            // Over- or underflow whatever follows.
            result_exponent = result_exponent.saturating_add(square_exponent);
            break;
        }
        if rest & 1 == 1 {
            result *= square;
            result_exponent += square_exponent;
        }
        square *= square;
        square_exponent <<= 1;
        if square < 0.5 {
            square += square;
            square_exponent -= 1;
        }
        rest >>= 1;
    }
    if exponent < 0.0 {
        result = 1.0 / result;
        result_exponent = -result_exponent;
    }
    scale(result, result_exponent)
}

/// `x` as a fraction with magnitude in [½, 1) times a power of two.
fn split(x: f64) -> (f64, i32) {
    if x == 0.0 || !x.is_finite() {
        return (x, 0);
    }
    let (x, bias) = if x.abs() < f64::MIN_POSITIVE { (x * 2f64.powi(52), -52) } else { (x, 0) };
    let bits = x.to_bits();
    let exponent = (bits >> 52 & 0x7FF) as i32 - 1022;
    (f64::from_bits(bits & !(0x7FF << 52) | 1022 << 52), exponent + bias)
}

/// `x · 2^exponent`, rounded once when it becomes subnormal.
fn scale(x: f64, exponent: i32) -> f64 {
    let (fraction, own) = split(x);
    if fraction == 0.0 || !fraction.is_finite() {
        return fraction;
    }
    let exponent = exponent.saturating_add(own);
    match exponent {
        1025.. => f64::INFINITY.copysign(x),
        -1021..=1024 => fraction * 2.0 * 2f64.powi(exponent - 1),
        -1080..=-1022 => fraction * 2f64.powi(exponent + 1000) * 2f64.powi(-1000),
        _ => 0f64.copysign(x),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_digit_is_go_s() {
        assert_eq!(log(1e6) / log(10.0), 5.999999999999999);
        assert_eq!(log(22.0 / 7.0) / log(10.0), 0.4973246408079494);
        assert_eq!(log(100.0) / log(0.1), -2.0000000000000004);
        assert_eq!(pow(1.1, 10.0), 2.593742460100002);
        assert_eq!(pow(1e-9, -1.0), 999999999.9999999);
        assert_eq!(pow(2.0, 1023.0), 8.98846567431158e307);
        assert_eq!(pow(2.0, -1074.0), 5e-324);
        assert!(pow(-2.0, 0.3).is_nan());
    }
}
