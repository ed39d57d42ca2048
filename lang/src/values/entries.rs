//! What maps and objects hold.

use std::collections::BTreeMap;

use super::Value;
use crate::Str;

/// The entries of a map or an object, in the order of their keys. They are made once and read often, and most are few: one
/// piece of memory holds them, without room for more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entries(Box<[(Str, Value)]>);

impl Entries {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(self.index(key)?).map(|(_, value)| value)
    }

    /// The same to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        let index = self.index(key)?;
        self.0.get_mut(index).map(|(_, value)| value)
    }

    fn index(&self, key: &str) -> Option<usize> {
        self.0.binary_search_by(|(name, _)| name.as_str().cmp(key)).ok()
    }

    /// Whether there is such a key.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keys and values in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Str, &Value)> + ExactSizeIterator + Clone {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The keys in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &Str> + ExactSizeIterator + Clone {
        self.0.iter().map(|(key, _)| key)
    }

    /// The values in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Value> + ExactSizeIterator + Clone {
        self.0.iter().map(|(_, value)| value)
    }

    /// The same to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// The same with further entries, which take the place of those with the same keys.
    pub fn with(&self, further: impl IntoIterator<Item = (Str, Value)>) -> Entries {
        self.0.iter().cloned().chain(further).collect()
    }

    /// A map with the same entries, to be changed.
    pub fn to_map(&self) -> BTreeMap<Str, Value> {
        self.0.iter().cloned().collect()
    }
}

impl From<BTreeMap<Str, Value>> for Entries {
    fn from(map: BTreeMap<Str, Value>) -> Entries {
        Entries(map.into_iter().collect())
    }
}

/// Of entries with the same key the last one stays.
impl FromIterator<(Str, Value)> for Entries {
    fn from_iter<I: IntoIterator<Item = (Str, Value)>>(entries: I) -> Entries {
        let mut sorted: Vec<(Str, Value)> = entries.into_iter().collect();
        if !sorted.is_sorted_by(|(a, _), (b, _)| a < b) {
            sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
            sorted.dedup_by(|later, kept| {
                let same = later.0 == kept.0;
                if same {
                    std::mem::swap(later, kept);
                }
                same
            });
        }
        Entries(sorted.into_boxed_slice())
    }
}

impl IntoIterator for Entries {
    type Item = (Str, Value);
    type IntoIter = std::vec::IntoIter<(Str, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_vec().into_iter()
    }
}

impl<'e> IntoIterator for &'e Entries {
    type Item = (&'e Str, &'e Value);
    type IntoIter = std::iter::Map<std::slice::Iter<'e, (Str, Value)>, fn(&'e (Str, Value)) -> (&'e Str, &'e Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(key, value)| (key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_in_order_and_the_last_of_a_key_stays() {
        let pairs = [("b", 1), ("a", 2), ("b", 3), ("c", 4), ("a", 5)];
        let entries: Entries = pairs.iter().map(|(key, value)| (Str::from(*key), Value::number(*value))).collect();
        let read: Vec<String> =
            entries.iter().map(|(key, value)| format!("{key}={}", value.to_json().unwrap())).collect();
        assert_eq!(read, ["a=5", "b=3", "c=4"]);
        assert!(entries.contains_key("c") && entries.get("d").is_none());
        let keys: Vec<Str> = entries.to_map().into_keys().collect();
        assert!(entries.keys().eq(&keys) && entries.len() == 3);
    }
}
