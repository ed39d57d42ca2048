//! Tags with `default_tags` and `ignore_tags`, alike for every resource type.
//!
//! A resource type that has `tags` and `tags_all` sends `tags_all` and reads into `tags_all`; the rest happens here.

use std::collections::{BTreeMap, BTreeSet};

use lang::{Str, Type, Value};

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// What a provider configuration says about tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagPolicy {
    /// `default_tags`: put on every object.
    pub defaults: Tags,
    /// `ignore_tags.keys`: left alone on every object.
    pub ignored_keys: BTreeSet<String>,
    /// `ignore_tags.key_prefixes`
    pub ignored_prefixes: BTreeSet<String>,
    /// Prefixes of tags that the cloud itself sets.
    pub system_prefixes: Vec<String>,
    /// All of this is only known later: `tags_all` can't be planned.
    pub unknown: bool,
}

impl TagPolicy {
    /// The default tags with the resource's own laid over them, without those to be left alone: what `tags_all` is.
    pub fn merge(&self, own: &Tags) -> Tags {
        let mut all = self.defaults.clone();
        all.extend(own.iter().map(|(k, v)| (k.clone(), v.clone())));
        all.retain(|key, _| !self.is_ignored(key));
        all
    }

    /// Whether a tag is to be left alone.
    pub fn is_ignored(&self, key: &str) -> bool {
        self.ignored_keys.contains(key)
            || self.ignored_prefixes.iter().any(|p| key.starts_with(p.as_str()))
            || self.system_prefixes.iter().any(|p| key.starts_with(p.as_str()))
    }

    /// From the tags that the cloud reports to `tags` and `tags_all`: system tags and ignored ones are left out, and
    /// `tags` has no default tag that the resource didn't set itself (`known`: the tags of the state or plan).
    pub fn split(&self, reported: &Tags, known: &Tags) -> (Tags, Tags) {
        let mut all = reported.clone();
        all.retain(|key, _| !self.is_ignored(key));
        let mut own = all.clone();
        own.retain(|key, value| self.defaults.get(key) != Some(value) || known.get(key) == Some(value));
        (own, all)
    }

    /// Plans `tags_all` from planned `tags` as Terraform's AWS provider does. `prior` and `prior_all` are the prior `tags` and
    /// `tags_all`, if there is an object.
    pub(crate) fn plan(&self, tags: &Value, prior: &Value, prior_all: Option<&Value>) -> Value {
        let unknown = || Value::unknown(Type::map(Type::String));
        if self.unknown || !tags.is_wholly_known() {
            return unknown();
        }
        let own = tags_of(tags);
        let all = self.merge(&own);
        let has_empty = |tags: &Tags| tags.values().any(String::is_empty);
        let changed = own != tags_of(prior);
        match prior_all {
            // An empty value can't be told from one that is to be computed.
            _ if changed && has_empty(&own) && has_empty(&all) => unknown(),
            Some(prior) if tags_of(prior) == all || !changed && has_empty(&all) => prior.clone(),
            None if !changed && has_empty(&all) => unknown(),
            // The provider plans nothing for an empty map, and an attribute without a value is unknown.
            None if all.is_empty() => unknown(),
            prior => {
                let known = prior.map(tags_of).unwrap_or_default();
                // An empty value is one to be computed: the provider plans what is known of it.
                let computed = |key: &String| match known.get(key) {
                    Some(known) => Value::string(known.as_str()),
                    None => Value::unknown(Type::String),
                };
                let value = |(key, value): (&String, &String)| {
                    let value = if value.is_empty() { computed(key) } else { Value::string(value.as_str()) };
                    (Str::from(key.as_str()), value)
                };
                Value::map(Type::String, all.iter().map(value))
            }
        }
    }
}

/// Tags from a map value; null values are left out.
pub fn tags_of(value: &Value) -> Tags {
    let entries = value.entries().into_iter().flatten();
    entries.filter_map(|(k, v)| Some((k.to_string(), v.as_str()?.to_string()))).collect()
}

/// Tags as a map value.
pub fn tags_value(tags: &Tags) -> Value {
    Value::map(Type::String, tags.iter().map(|(k, v)| (Str::from(k.as_str()), Value::string(v.as_str()))))
}

/// What to do to come from one set of tags to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagChanges {
    /// To be set: new ones and those with another value.
    pub set: Tags,
    /// Keys to be removed.
    pub removed: Vec<String>,
}

impl TagChanges {
    /// Compares two sets of tags.
    pub fn between(before: &Tags, after: &Tags) -> TagChanges {
        let set =
            after.iter().filter(|(k, v)| before.get(*k) != Some(*v)).map(|(k, v)| (k.clone(), v.clone())).collect();
        let removed = before.keys().filter(|k| !after.contains_key(*k)).cloned().collect();
        TagChanges { set, removed }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.removed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn policy() -> TagPolicy {
        TagPolicy {
            defaults: tags(&[("team", "platform"), ("env", "dev")]),
            ignored_keys: BTreeSet::from(["owner".to_owned()]),
            ignored_prefixes: BTreeSet::from(["kubernetes.io/".to_owned()]),
            system_prefixes: vec!["aws:".to_owned()],
            unknown: false,
        }
    }

    #[test]
    fn own_tags_win_and_ignored_ones_stay_out() {
        let all = policy().merge(&tags(&[("env", "prod"), ("owner", "me"), ("a", "b")]));
        assert_eq!(all, tags(&[("team", "platform"), ("env", "prod"), ("a", "b")]));
    }

    #[test]
    fn reported_tags_split_into_own_and_all() {
        let reported =
            tags(&[("team", "platform"), ("env", "dev"), ("a", "b"), ("aws:x", "1"), ("kubernetes.io/c", "1")]);
        let (own, all) = policy().split(&reported, &tags(&[("env", "dev")]));
        assert_eq!(all, tags(&[("team", "platform"), ("env", "dev"), ("a", "b")]));
        assert_eq!(own, tags(&[("env", "dev"), ("a", "b")]));
    }

    #[test]
    fn changes_name_what_to_set_and_what_to_remove() {
        let changes =
            TagChanges::between(&tags(&[("a", "1"), ("b", "2"), ("c", "3")]), &tags(&[("a", "1"), ("b", "x")]));
        assert_eq!(changes, TagChanges { set: tags(&[("b", "x")]), removed: vec!["c".to_owned()] });
    }

    #[test]
    fn tags_all_of_a_new_object_is_unknown_without_tags_and_kept_when_nothing_changes() {
        let none = Value::null(Type::map(Type::String));
        let empty = tags_value(&Tags::new());
        let policy = TagPolicy::default();
        assert!(!policy.plan(&none, &none, None).is_known());
        assert!(policy.plan(&none, &none, Some(&empty)).raw_equals(&empty));
        let one = tags_value(&tags(&[("a", "b")]));
        assert!(policy.plan(&one, &none, None).raw_equals(&one));
        assert!(policy.plan(&none, &one, Some(&one)).raw_equals(&empty));
    }

    #[test]
    fn an_empty_tag_is_computed_unless_it_was_there_before() {
        let (none, blank) = (Value::null(Type::map(Type::String)), tags_value(&tags(&[("a", "")])));
        let more = tags_value(&tags(&[("a", ""), ("b", "c")]));
        let policy = TagPolicy::default();
        assert!(!policy.plan(&blank, &none, None).is_known());
        assert!(!policy.plan(&more, &blank, Some(&blank)).is_known());
        assert!(policy.plan(&blank, &blank, Some(&blank)).raw_equals(&blank));
        let defaults = TagPolicy { defaults: tags(&[("z", "")]), ..TagPolicy::default() };
        assert!(!defaults.plan(&none, &none, None).is_known());
        let one = tags_value(&tags(&[("c", "d")]));
        let planned = defaults.plan(&one, &none, None);
        assert!(planned.is_known() && planned.get("z").is_some_and(|value| !value.is_known()));
        let both = tags_value(&tags(&[("c", "d"), ("z", "")]));
        let other = tags_value(&tags(&[("c", "e")]));
        assert!(defaults.plan(&other, &one, Some(&both)).is_wholly_known());
        let filled = tags_value(&tags(&[("c", "d"), ("z", "x")]));
        let planned = defaults.plan(&other, &one, Some(&filled));
        assert!(planned.raw_equals(&tags_value(&tags(&[("c", "e"), ("z", "x")]))));
    }
}
