//! The `timeouts` block: how long an operation may take.

use std::collections::BTreeMap;
use std::time::Duration;

use lang::{Str, Type, Value};

use crate::schema::{Attribute, Block, NestedBlock, Nesting};

/// What a `timeouts` block says; durations in Go's notation (`1h30m`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    values: Option<BTreeMap<&'static str, Str>>,
}

const OPERATIONS: [&str; 4] = ["create", "read", "update", "delete"];

impl Timeouts {
    /// From an object's attribute of this name. What isn't a duration is left out: the plan has refused it before.
    pub fn from_object(object: &Value, name: &str) -> Timeouts {
        let block = object.get(name).filter(|block| block.is_known() && !block.is_null());
        let values = block.map(|block| {
            let text = |operation: &str| block.get(operation).and_then(Value::as_str).cloned();
            OPERATIONS.into_iter().filter_map(|operation| Some((operation, text(operation)?))).collect()
        });
        Timeouts { values }
    }

    /// The block with these operations, null where nothing was said.
    pub fn to_value(&self, operations: &[&'static str]) -> Value {
        match &self.values {
            None => Value::null(block(operations).implied_type()),
            Some(values) => Value::object(operations.iter().map(|operation| {
                let value = values.get(operation).map_or(Value::null(Type::String), |v| Value::string(v.clone()));
                (Str::new_static(operation), value)
            })),
        }
    }

    /// How long a create may take.
    pub fn create(&self, default: Duration) -> Duration {
        self.of("create", default)
    }

    /// How long a read may take.
    pub fn read(&self, default: Duration) -> Duration {
        self.of("read", default)
    }

    /// How long an update may take.
    pub fn update(&self, default: Duration) -> Duration {
        self.of("update", default)
    }

    /// How long a delete may take.
    pub fn delete(&self, default: Duration) -> Duration {
        self.of("delete", default)
    }

    fn of(&self, operation: &str, default: Duration) -> Duration {
        let text = self.values.as_ref().and_then(|values| values.get(operation));
        text.and_then(|text| parse_duration(text)).unwrap_or(default)
    }
}

/// The block in a schema.
pub fn block(operations: &[&'static str]) -> NestedBlock {
    let attribute = Attribute { optional: true, ..Attribute::new(Type::String) };
    let attributes = operations.iter().map(|name| (Str::new_static(name), attribute.clone())).collect();
    NestedBlock {
        nesting: Nesting::Single,
        min: 0,
        max: 0,
        computed: false,
        force_new: false,
        block: Block::new(attributes, BTreeMap::new()),
    }
}

/// Parses a duration as Go's `time.ParseDuration` does; negative ones are refused.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let seconds = match rest.get(..end)? {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        rest = rest.get(end..)?;
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
    }
    Some(total)
}

/// A duration as Go prints it: `1h30m0s`, `5m0s`, `1.5s`.
pub fn go_duration(duration: Duration) -> String {
    let total = duration.as_secs();
    let (hours, minutes, seconds) = (total / 3600, total / 60 % 60, total % 60);
    let millis = duration.subsec_millis();
    if total == 0 && millis == 0 {
        return "0s".to_owned();
    }
    if total == 0 {
        return format!("{millis}ms");
    }
    let fraction = if millis == 0 { String::new() } else { format!(".{millis:03}").trim_end_matches('0').to_owned() };
    match (hours, minutes) {
        (0, 0) => format!("{seconds}{fraction}s"),
        (0, _) => format!("{minutes}m{seconds}{fraction}s"),
        _ => format!("{hours}h{minutes}m{seconds}{fraction}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print_as_in_go() {
        for (text, seconds) in
            [("30m", 1800.0), ("1h30m", 5400.0), ("1.5s", 1.5), ("0", 0.0), ("90s", 90.0), ("2ms", 0.002)]
        {
            assert_eq!(parse_duration(text), Some(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "5", "m", "-5m", "5 m", "5x", "1h-5m", "1e400h", "."] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        for (seconds, text) in [(300.0, "5m0s"), (5400.0, "1h30m0s"), (1.5, "1.5s"), (0.0, "0s"), (0.25, "250ms")] {
            assert_eq!(go_duration(Duration::from_secs_f64(seconds)), text);
        }
    }
}
