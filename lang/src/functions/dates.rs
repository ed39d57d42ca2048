//! Time: `formatdate`, `plantimestamp`, `timeadd`, `timecmp`, `timestamp`. Timestamps are RFC 3339.

use std::cmp::Ordering;

use super::arguments::string;
use super::{CallError, Function, Param};
use crate::quoting::go_quote;
use crate::types::Type;
use crate::values::{Number, Value};

pub(super) fn functions() -> Vec<Function> {
    vec![
        Function::new("formatdate", "`formatdate` writes a timestamp in another format.", Type::String, |a, _, _| {
            let time = Timestamp::parse(string(a, 1)?).map_err(|e| CallError::argument(1, e))?;
            format(string(a, 0)?, &time).map(Value::string).map_err(|e| CallError::argument(0, e))
        })
        .param(Param::new("format", Type::String))
        .param(Param::new("time", Type::String)),
        Function::new(
            "plantimestamp",
            "`plantimestamp` returns the time of the plan.",
            Type::String,
            |_, _, functions| {
                Ok(match functions.context().plan_timestamp {
                    Some(time) => Value::string(Timestamp::from_unix(time.as_second(), 0, 0).to_string()),
                    None => Value::unknown(Type::String),
                })
            },
        )
        .nullable(),
        Function::new("timeadd", "`timeadd` adds a duration to a timestamp.", Type::String, |a, _, _| {
            let time = Timestamp::parse(string(a, 0)?).map_err(CallError::new)?;
            let duration = parse_duration(string(a, 1)?)?;
            Ok(Value::string(time.plus(duration).to_string()))
        })
        .param(Param::new("timestamp", Type::String))
        .param(Param::new("duration", Type::String))
        .nullable(),
        Function::new("timecmp", "`timecmp` compares two timestamps: -1, 0 or 1.", Type::Number, |a, _, _| {
            let first = Timestamp::parse(string(a, 0)?).map_err(|e| CallError::argument(0, e))?;
            let second = Timestamp::parse(string(a, 1)?).map_err(|e| CallError::argument(1, e))?;
            Ok(Value::number(Number::from(match first.instant().cmp(&second.instant()) {
                Ordering::Less => -1i64,
                Ordering::Equal => 0,
                Ordering::Greater => 1,
            })))
        })
        .param(Param::new("timestamp_a", Type::String))
        .param(Param::new("timestamp_b", Type::String)),
        Function::new("timestamp", "`timestamp` returns the current time.", Type::String, |_, _, _| {
            Ok(Value::string(Timestamp::from_unix(jiff::Timestamp::now().as_second(), 0, 0).to_string()))
        })
        .impure(),
    ]
}

const DAY: i64 = 86_400;
const NANOS: i64 = 1_000_000_000;

/// A point in time with the offset that it was written with. Proleptic Gregorian calendar, any year.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Timestamp {
    /// Seconds since 1970, of the local clock.
    local: i64,
    nanoseconds: i64,
    /// East of Greenwich, in seconds.
    offset: i64,
}

/// A calendar day: year, month, day.
type Date = (i64, i64, i64);

/// Days since 1970-01-01 (Howard Hinnant's algorithm: years begin in March, eras have 400 years).
fn days_from_date((year, month, day): Date) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn date_from_days(days: i64) -> Date {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Reads a timestamp piece by piece and says what is wrong with the first piece that does not fit.
struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn number(&mut self, digits: usize, what: &str) -> Result<i64, String> {
        let rest = self.0;
        if rest.is_empty() {
            return Err(format!("end of string before {what}"));
        }
        let head = rest.get(..digits).filter(|h| h.bytes().all(|b| b.is_ascii_digit()));
        let value = head.and_then(|h| h.parse().ok());
        self.0 = rest.get(digits..).unwrap_or_default();
        value.ok_or_else(|| format!("cannot use {} as {what}", go_quote(rest)))
    }

    fn within(&mut self, what: &str, range: std::ops::RangeInclusive<i64>) -> Result<i64, String> {
        let value = self.number(2, what)?;
        let short = what.split(' ').next().unwrap_or(what);
        if range.contains(&value) { Ok(value) } else { Err(format!("{short} out of range")) }
    }

    fn literal(&mut self, expected: char) -> Result<(), String> {
        let Some(found) = self.0.chars().next() else {
            return Err(format!("end of string where {:?} is expected", expected.to_string()));
        };
        if found != expected {
            return Err(match expected {
                'T' => "missing required time introducer 'T'".to_owned(),
                _ => format!("found {:?} where {:?} is expected", self.0, expected.to_string()),
            });
        }
        self.0 = self.0.get(1..).unwrap_or_default();
        Ok(())
    }
}

impl Timestamp {
    fn parse(text: &str) -> Result<Timestamp, String> {
        Timestamp::read(&mut Reader(text)).map_err(|why| format!("not a valid RFC3339 timestamp: {why}"))
    }

    fn read(reader: &mut Reader<'_>) -> Result<Timestamp, String> {
        let year = reader.number(4, "year")?;
        reader.literal('-')?;
        let month = reader.within("month", 1..=12)?;
        reader.literal('-')?;
        let day = reader.within("day of month", 1..=days_in_month(year, month))?;
        reader.literal('T')?;
        let hour = reader.within("hour", 0..=23)?;
        reader.literal(':')?;
        let minute = reader.within("minute", 0..=59)?;
        reader.literal(':')?;
        let second = reader.within("second", 0..=59)?;
        let mut nanoseconds = 0;
        if let Some(rest) = reader.0.strip_prefix('.') {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (digits, rest) = rest.split_at(end);
            if digits.is_empty() {
                return Err(format!("cannot use {:?} as UTC offset", reader.0));
            }
            nanoseconds = format!("{digits:0<9}").get(..9).and_then(|d| d.parse().ok()).unwrap_or(0);
            reader.0 = rest;
        }
        let offset = read_offset(reader.0)?;
        let local = days_from_date((year, month, day)) * DAY + hour * 3600 + minute * 60 + second;
        Ok(Timestamp { local, nanoseconds, offset })
    }

    fn from_unix(seconds: i64, nanoseconds: i64, offset: i64) -> Timestamp {
        Timestamp { local: seconds + offset, nanoseconds, offset }
    }

    /// What two timestamps are compared by.
    fn instant(&self) -> (i64, i64) {
        (self.local - self.offset, self.nanoseconds)
    }

    fn plus(&self, nanoseconds: i64) -> Timestamp {
        let sum = self.nanoseconds + nanoseconds.rem_euclid(NANOS);
        let local = self.local + nanoseconds.div_euclid(NANOS) + sum / NANOS;
        Timestamp { local, nanoseconds: sum % NANOS, offset: self.offset }
    }

    fn date(&self) -> Date {
        date_from_days(self.local.div_euclid(DAY))
    }

    fn second_of_day(&self) -> i64 {
        self.local.rem_euclid(DAY)
    }

    /// The offset as `±hh`, `separator`, `mm`.
    fn offset_text(&self, separator: &str) -> String {
        let minutes = self.offset.abs() / 60;
        let sign = if self.offset < 0 { '-' } else { '+' };
        format!("{sign}{:02}{separator}{:02}", minutes / 60, minutes % 60)
    }

    fn zone(&self) -> String {
        if self.offset == 0 { "Z".to_owned() } else { self.offset_text(":") }
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ((year, month, day), second) = (self.date(), self.second_of_day());
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let sign = if year < 0 { "-" } else { "" };
        let year = year.abs();
        write!(f, "{sign}{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{}", self.zone())
    }
}

fn read_offset(text: &str) -> Result<i64, String> {
    if text == "Z" {
        return Ok(0);
    }
    if text.is_empty() {
        return Err("end of string before UTC offset".to_owned());
    }
    let invalid = || format!("cannot use {} as UTC offset", go_quote(text));
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(invalid()),
    };
    let (hours, minutes) = rest.split_once(':').ok_or_else(invalid)?;
    let two = |s: &str| s.parse::<i64>().ok().filter(|_| s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit()));
    let (hours, minutes) = (two(hours).ok_or_else(invalid)?, two(minutes).ok_or_else(invalid)?);
    if hours > 23 || minutes > 59 {
        return Err("time zone offset out of range".to_owned());
    }
    Ok(sign * (hours * 3600 + minutes * 60))
}

/// A timestamp as YAML has them, in RFC 3339: a date, or date and time with one-digit fields, separated by `T`, `t` or (then
/// without offset) spaces.
pub(super) fn from_yaml(text: &str) -> Option<String> {
    let (date, time) = text.split_at(text.find(['T', 't', ' ']).unwrap_or(text.len()));
    let small = |text: &str| {
        let plain = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<i64>().ok().filter(|_| plain)
    };
    let mut parts = date.split('-');
    let year = parts.next().filter(|y| y.len() == 4 && y.bytes().all(|b| b.is_ascii_digit()))?;
    let (month, day) = (small(parts.next()?)?, small(parts.next()?)?);
    if parts.next().is_some() {
        return None;
    }
    if time.is_empty() {
        return Timestamp::parse(&format!("{year}-{month:02}-{day:02}T00:00:00Z")).ok().map(|t| t.to_string());
    }
    let (separator, time) = time.split_at_checked(1)?;
    let zone = time.find(['Z', '+', '-']).filter(|_| separator != " ");
    let (clock, zone) = match zone {
        Some(index) => time.split_at(index),
        None if separator == " " => (time.trim_start_matches(' '), "Z"),
        None => return None,
    };
    let (clock, fraction) = clock.split_at(clock.find('.').unwrap_or(clock.len()));
    let fields: Vec<i64> = clock.split(':').map(small).collect::<Option<_>>()?;
    let [hour, minute, second] = fields.as_slice() else { return None };
    let text = format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}");
    Timestamp::parse(&text).ok().map(|t| t.to_string())
}

/// A duration in nanoseconds: `-1h30m`, `1.5s`, `0`.
fn parse_duration(text: &str) -> Result<i64, CallError> {
    let invalid = || CallError::new(format_args!("time: invalid duration {text:?}"));
    let (negative, mut rest) = match text.split_at_checked(1) {
        Some(("-", rest)) => (true, rest),
        Some(("+", rest)) => (false, rest),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len())).0;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + fraction.len() == 0 || fraction.contains('.') || whole.len() > 19 {
            return Err(invalid());
        }
        rest = rest.get(number.len()..).unwrap_or_default();
        let (unit, behind) = rest.split_at(rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len()));
        rest = behind;
        let nanoseconds: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "" => return Err(CallError::new(format_args!("time: missing unit in duration {text:?}"))),
            unit => return Err(CallError::new(format_args!("time: unknown unit {unit:?} in duration {text:?}"))),
        };
        let fraction: String = fraction.chars().take(18).collect();
        let scale = 10i128.pow(fraction.len() as u32);
        let parse = |s: &str| if s.is_empty() { Ok(0) } else { s.parse::<i128>().map_err(|_| invalid()) };
        total += parse(whole)? * nanoseconds + parse(&fraction)? * nanoseconds / scale;
        if total > i128::from(i64::MAX) {
            return Err(invalid());
        }
    }
    i64::try_from(if negative { -total } else { total }).map_err(|_| invalid())
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// From the first day of 1970 on.
const WEEKDAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

fn format(format: &str, time: &Timestamp) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        let end = if first == '\'' {
            literal_end(rest).ok_or_else(|| "unterminated literal '".to_owned())?
        } else if first.is_ascii_alphabetic() {
            rest.find(|c| c != first).unwrap_or(rest.len())
        } else {
            rest.find(|c: char| c == '\'' || c.is_ascii_alphabetic()).unwrap_or(rest.len())
        };
        let (token, behind) = rest.split_at(end);
        rest = behind;
        match first {
            '\'' if token == "''" => out.push('\''),
            '\'' => out.push_str(&token.get(1..end - 1).unwrap_or_default().replace("''", "'")),
            c if c.is_ascii_alphabetic() => out.push_str(&verb(token, time)?),
            _ => out.push_str(token),
        }
    }
    Ok(out)
}

/// The end of a literal that begins with a quote; doubled quotes do not end it.
fn literal_end(text: &str) -> Option<usize> {
    if text.starts_with("''") {
        return Some(2);
    }
    let bytes = text.as_bytes();
    let mut index = 1;
    loop {
        match (bytes.get(index)?, bytes.get(index + 1)) {
            (b'\'', Some(b'\'')) => index += 2,
            (b'\'', _) => return Some(index + 1),
            _ => index += 1,
        }
    }
}

fn verb(token: &str, time: &Timestamp) -> Result<String, String> {
    let ((year, month, day), second_of_day) = (time.date(), time.second_of_day());
    let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
    let month_name = usize::try_from(month - 1).ok().and_then(|m| MONTHS.get(m)).copied().unwrap_or_default();
    let weekday = usize::try_from(time.local.div_euclid(DAY).rem_euclid(7)).ok();
    let weekday = weekday.and_then(|d| WEEKDAYS.get(d)).copied().unwrap_or_default();
    let short = |name: &str| name.get(..3).unwrap_or_default().to_owned();
    let half = |am: &str, pm: &str| if hour < 12 { am.to_owned() } else { pm.to_owned() };
    Ok(match token {
        "YY" => format!("{:02}", year % 100),
        "YYYY" => format!("{year:04}"),
        "M" => month.to_string(),
        "MM" => format!("{month:02}"),
        "MMM" => short(month_name),
        "MMMM" => month_name.to_owned(),
        "D" => day.to_string(),
        "DD" => format!("{day:02}"),
        "EEE" => short(weekday),
        "EEEE" => weekday.to_owned(),
        "h" => hour.to_string(),
        "hh" => format!("{hour:02}"),
        "H" => twelve.to_string(),
        "HH" => format!("{twelve:02}"),
        "AA" => half("AM", "PM"),
        "aa" => half("am", "pm"),
        "m" => minute.to_string(),
        "mm" => format!("{minute:02}"),
        "s" => second.to_string(),
        "ss" => format!("{second:02}"),
        "Z" => time.zone(),
        "ZZZ" if time.offset == 0 => "UTC".to_owned(),
        "ZZZ" | "ZZZZ" => time.offset_text(""),
        "ZZZZZ" => time.offset_text(":"),
        other => {
            let expected = match other.as_bytes().first() {
                Some(b'Y') => ": year must either be \"YY\" or \"YYYY\"",
                Some(b'M') => ": month must be \"M\", \"MM\", \"MMM\", or \"MMMM\"",
                Some(b'D') => ": day of month must either be \"D\" or \"DD\"",
                Some(b'E') => ": day of week must either be \"EEE\" or \"EEEE\"",
                Some(b'h') => ": 24-hour must either be \"h\" or \"hh\"",
                Some(b'H') => ": 12-hour must either be \"H\" or \"HH\"",
                Some(b'A') => ": must be \"AA\"",
                Some(b'a') => ": must be \"aa\"",
                Some(b'm') => ": minute must either be \"m\" or \"mm\"",
                Some(b's') => ": second must either be \"s\" or \"ss\"",
                Some(b'Z') => ": timezone must be Z, ZZZZ, or ZZZZZ",
                _ => "",
            };
            return Err(format!("invalid date format verb {other:?}{expected}"));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps() {
        for (text, expected) in [
            ("2018-01-02T23:12:01Z", Some("2018-01-02T23:12:01Z")),
            ("2018-01-02T23:12:01.5+05:30", Some("2018-01-02T23:12:01+05:30")),
            ("2020-02-29T00:00:00-00:00", Some("2020-02-29T00:00:00Z")),
            ("2019-02-29T12:00:00Z", None),
            ("2018-01-02 12:00:00Z", None),
            ("2018-01-02T12:00:00+0530", None),
            ("2018-01-02T24:00:00Z", None),
            ("2018-01-02T12:00:00é", None),
        ] {
            assert_eq!(Timestamp::parse(text).ok().map(|t| t.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn sums() {
        let plus = |text: &str, duration: &str| {
            Some(Timestamp::parse(text).ok()?.plus(parse_duration(duration).ok()?).to_string())
        };
        for (text, duration, expected) in [
            ("2017-11-22T00:00:00Z", "-10m", Some("2017-11-21T23:50:00Z")),
            ("2017-11-22T00:00:00.5Z", "500ms", Some("2017-11-22T00:00:01Z")),
            ("0001-01-01T00:00:00Z", "-1h", Some("0000-12-31T23:00:00Z")),
            ("2017-11-22T00:00:00Z", "1d", None),
            ("2017-11-22T00:00:00Z", "1 h", None),
            ("2017-11-22T00:00:00Z", "", None),
            ("2017-11-22T00:00:00Z", "99999999999999999999h", None),
        ] {
            assert_eq!(plus(text, duration).as_deref(), expected, "{text} {duration}");
        }
    }

    #[test]
    fn formats() {
        let time = Timestamp::parse("2000-01-01T00:02:01Z").unwrap();
        assert_eq!(format("'it''s' EEE, H:m:s AA ZZZ é YY", &time).unwrap(), "it's Sat, 12:2:1 AM UTC é 00");
        assert_eq!(format("''YYYY'YYYY'", &time).unwrap(), "'2000YYYY");
        assert!(format("x", &time).is_err() && format("'a", &time).is_err() && format("YYY", &time).is_err());
    }
}
