//! Numbers: `abs`, `ceil`, `floor`, `log`, `max`, `min`, `parseint`, `pow`, `signum`.

use dashu_int::IBig;

use super::arguments::{any, from_big, integer, number, quoted, unmarked, whole};
use super::{CallError, Function, Param, float};
use crate::types::Type;
use crate::values::{Marks, Number, Value};

pub(super) fn functions() -> Vec<Function> {
    let num = || Param::new("num", Type::Number);
    let numbers = || Param::new("numbers", Type::Number).dynamic();
    vec![
        Function::new("abs", "`abs` returns a number without its sign.", Type::Number, |a, _, _| {
            Ok(Value::number(number(a, 0)?.abs()))
        })
        .param(num().dynamic()),
        Function::new(
            "ceil",
            "`ceil` returns the least whole number that is not less than a number.",
            Type::Number,
            |a, _, _| Ok(Value::number(number(a, 0)?.ceil())),
        )
        .param(num()),
        Function::new(
            "floor",
            "`floor` returns the greatest whole number that is not greater than a number.",
            Type::Number,
            |a, _, _| Ok(Value::number(number(a, 0)?.floor())),
        )
        .param(num()),
        Function::new("log", "`log` returns the logarithm of a number to a base.", Type::Number, |a, _, _| {
            let (num, base) = (to_float(number(a, 0)?)?, to_float(number(a, 1)?)?);
            from_float(float::log(num) / float::log(base))
        })
        .param(num())
        .param(Param::new("base", Type::Number)),
        Function::new("pow", "`pow` raises a number to a power.", Type::Number, |a, _, _| {
            from_float(float::pow(to_float(number(a, 0)?)?, to_float(number(a, 1)?)?))
        })
        .param(num())
        .param(Param::new("power", Type::Number)),
        Function::new("signum", "`signum` returns -1, 0 or 1, the sign of a whole number.", Type::Number, |a, _, _| {
            Ok(Value::number(Number::from(integer(a, 0)?.signum())))
        })
        .param(num()),
        Function::new("max", "`max` returns the greatest of the given numbers.", Type::Number, |a, _, _| {
            extreme(a, |candidate, best| candidate > best)
        })
        .variadic(numbers()),
        Function::new("min", "`min` returns the least of the given numbers.", Type::Number, |a, _, _| {
            extreme(a, |candidate, best| candidate < best)
        })
        .variadic(numbers()),
        Function::new(
            "parseint",
            "`parseint` reads a string as a whole number with a base from 2 to 62.",
            Type::Number,
            |a, _, _| parse_int(a),
        )
        .returns_by(|a, _| match any(a, 0)?.ty() {
            Type::String => Ok(Type::Number),
            other => Err(CallError::argument(0, format_args!("first argument must be a string, not {other}"))),
        })
        .param(Param::new("number", Type::Dynamic).unknown().marked())
        .param(Param::new("base", Type::Number).unknown().marked()),
    ]
}

fn to_float(number: &Number) -> Result<f64, CallError> {
    let float = number.to_f64();
    if float.is_infinite() && !number.is_infinite() {
        let range = format_args!("value must be between {:.6} and {:.6} inclusive", -f64::MAX, f64::MAX).to_string();
        return Err(CallError::new(range));
    }
    Ok(float)
}

fn from_float(float: f64) -> Result<Value, CallError> {
    if float.is_nan() {
        return Err(CallError::new("the result is not a number"));
    }
    Ok(Value::number(Number::from(float)))
}

fn extreme(arguments: &[Value], better: fn(&Number, &Number) -> bool) -> Result<Value, CallError> {
    let mut best: Option<&Number> = None;
    for index in 0..arguments.len() {
        let candidate = number(arguments, index)?;
        if best.is_none_or(|b| better(candidate, b)) {
            best = Some(candidate);
        }
    }
    let best = best.ok_or_else(|| CallError::new("must pass at least one number"))?;
    Ok(Value::number(best.clone()))
}

fn parse_int(arguments: &[Value]) -> Result<Value, CallError> {
    let (text, text_marks) = unmarked(arguments, 0)?;
    let (base, base_marks) = unmarked(arguments, 1)?;
    let marks = text_marks | base_marks;
    let (Some(text), Some(base)) = (text.as_str(), base.as_number()) else {
        return Ok(Value::unknown(Type::Number).with_marks(marks));
    };
    let base = whole(base).map_err(|e| CallError { argument: Some(1), message: e.message })?;
    let base = u32::try_from(base)
        .ok()
        .filter(|b| (2..=62).contains(b))
        .ok_or_else(|| CallError::argument(1, "base must be a whole number between 2 and 62 inclusive"))?;
    let number = digits(text, base).ok_or_else(|| {
        let base =
            if base_marks.contains(Marks::SENSITIVE) { "(sensitive value)".to_owned() } else { base.to_string() };
        CallError::argument(0, format_args!("cannot parse {} as a base {base} integer", quoted(text, text_marks)))
    })?;
    Ok(Value::number(number).with_marks(marks))
}

/// Above base 36 lower-case letters come before upper-case ones; up to 36 case does not matter.
fn digits(text: &str, base: u32) -> Option<Number> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    if digits.is_empty() || digits.len() > 100_000 {
        return None;
    }
    let mut value = IBig::ZERO;
    for byte in digits {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'z' => byte - b'a' + 10,
            b'A'..=b'Z' if base <= 36 => byte - b'A' + 10,
            b'A'..=b'Z' => byte - b'A' + 36,
            _ => return None,
        };
        if u32::from(digit) >= base {
            return None;
        }
        value = value * IBig::from(base) + IBig::from(digit);
    }
    from_big(&if negative { -value } else { value })
}
