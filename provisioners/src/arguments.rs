//! Arguments of a block as plain values.

use lang::Value;

/// A string argument; `None` if it is not set.
pub fn text<'v>(block: &'v Value, name: &str) -> Option<&'v str> {
    block.get(name)?.as_str().map(|text| text.as_str())
}

/// A boolean argument; false if it is not set.
pub fn flag(block: &Value, name: &str) -> bool {
    block.get(name).and_then(Value::as_bool).unwrap_or(false)
}

/// The strings of a list argument.
pub fn texts(block: &Value, name: &str) -> Vec<String> {
    let elements = block.get(name).and_then(Value::elements).unwrap_or_default();
    elements.iter().filter_map(|element| element.as_str()).map(|text| text.to_string()).collect()
}

/// The entries of a map of strings that are set.
pub fn entries(block: &Value, name: &str) -> Vec<(String, String)> {
    let Some(entries) = block.get(name).and_then(Value::entries) else { return Vec::new() };
    let set = entries.iter().filter_map(|(name, value)| Some((name.to_string(), value.as_str()?.to_string())));
    set.collect()
}
