//! The change of one value, with everything that the plan's JSON says about it, and how to descend into it.

use serde_json::Value as Json;

use super::diff::Action;

/// What a plan says about each place of a value: a tree of booleans.
#[derive(Clone, Copy, Debug)]
pub enum Marker<'a> {
    /// Nothing is marked.
    No,
    /// Every direct child is marked, but not the value itself.
    Children,
    /// As the JSON says.
    Json(&'a Json),
    /// The value itself.
    Yes,
}

impl<'a> Marker<'a> {
    /// The markers of an optional document part.
    pub fn of(json: Option<&'a Json>) -> Marker<'a> {
        json.map_or(Marker::No, Marker::Json)
    }

    /// Whether the value itself is marked.
    pub fn is_set(self) -> bool {
        matches!(self, Marker::Yes | Marker::Json(Json::Bool(true)))
    }

    fn key(self, key: &str) -> Marker<'a> {
        match self {
            Marker::Children => Marker::Yes,
            Marker::Json(json) => Marker::of(json.get(key)),
            Marker::No | Marker::Yes => Marker::No,
        }
    }

    fn index(self, index: Option<usize>) -> Marker<'a> {
        match self {
            Marker::Children => Marker::Yes,
            Marker::Json(json) => Marker::of(index.and_then(|i| json.get(i))),
            Marker::No | Marker::Yes => Marker::No,
        }
    }

    /// The names of an object's children that the JSON mentions.
    fn keys(self) -> impl Iterator<Item = &'a String> {
        let object = if let Marker::Json(Json::Object(object)) = self { Some(object) } else { None };
        object.into_iter().flat_map(|o| o.keys())
    }
}

/// A set of paths, narrowed while descending.
#[derive(Clone, Debug)]
pub enum Paths<'a> {
    /// Every place matches.
    All,
    /// The rests of the paths that lead here. With `below`, a path also matches everything below its end.
    Some {
        /// What is left of the paths.
        rest: Vec<&'a [Json]>,
        /// Whether everything below a path's end matches.
        below: bool,
    },
}

impl<'a> Paths<'a> {
    /// Paths that match exactly their ends.
    pub fn exact(paths: &'a [Vec<Json>]) -> Paths<'a> {
        Paths::Some { rest: paths.iter().map(Vec::as_slice).collect(), below: false }
    }

    /// Paths that match their ends and everything below.
    pub fn below(paths: Vec<&'a [Json]>) -> Paths<'a> {
        Paths::Some { rest: paths, below: true }
    }

    /// No place matches.
    pub fn none() -> Paths<'a> {
        Paths::Some { rest: Vec::new(), below: false }
    }

    /// Whether this place matches.
    pub fn matches(&self) -> bool {
        match self {
            Paths::All => true,
            Paths::Some { rest, .. } => rest.iter().any(|p| p.is_empty()),
        }
    }

    /// Whether this place or one below it matches.
    pub fn matches_below(&self) -> bool {
        match self {
            Paths::All => true,
            Paths::Some { rest, .. } => !rest.is_empty(),
        }
    }

    fn step(&self, matches: impl Fn(&Json) -> bool) -> Paths<'a> {
        let Paths::Some { rest, below } = self else { return Paths::All };
        let narrowed = rest.iter().filter_map(|path| match path.split_first() {
            None => below.then_some(*path),
            Some((first, rest)) => matches(first).then_some(rest),
        });
        Paths::Some { rest: narrowed.collect(), below: *below }
    }

    fn key(&self, key: &str) -> Paths<'a> {
        self.step(|step| step.as_str() == Some(key))
    }

    fn index(&self, index: usize) -> Paths<'a> {
        self.step(|step| match step {
            Json::Number(n) => n.to_string() == index.to_string(),
            Json::String(s) => *s == index.to_string(),
            _ => false,
        })
    }
}

/// The change of a value from `before` to `after`; JSON null is `None`.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// The value before.
    pub before: Option<&'a Json>,
    /// The value after; `None` also where it is unknown.
    pub after: Option<&'a Json>,
    /// Whether a null before is a value that was written (in an object or a list), not the absence of one.
    pub before_explicit: bool,
    /// The same for after.
    pub after_explicit: bool,
    /// What is unknown after.
    pub unknown: Marker<'a>,
    /// What was sensitive.
    pub before_sensitive: Marker<'a>,
    /// What will be sensitive.
    pub after_sensitive: Marker<'a>,
    /// What forces a replacement.
    pub replace: Paths<'a>,
    /// Which changes are worth showing.
    pub relevant: Paths<'a>,
}

fn not_null(json: Option<&Json>) -> Option<&Json> {
    json.filter(|j| !j.is_null())
}

impl<'a> Change<'a> {
    /// A value that stays what it is, as states show it.
    pub fn unchanged(value: &'a Json, sensitive: Option<&'a Json>) -> Change<'a> {
        let value = not_null(Some(value));
        Change {
            before: value,
            after: value,
            before_explicit: false,
            after_explicit: false,
            unknown: Marker::No,
            before_sensitive: Marker::of(sensitive),
            after_sensitive: Marker::of(sensitive),
            replace: Paths::none(),
            relevant: Paths::All,
        }
    }

    /// A change between two plain values.
    pub fn plain(before: Option<&'a Json>, after: Option<&'a Json>) -> Change<'a> {
        Change {
            before: not_null(before),
            after: not_null(after),
            before_explicit: before.is_some(),
            after_explicit: after.is_some(),
            unknown: Marker::No,
            before_sensitive: Marker::No,
            after_sensitive: Marker::No,
            replace: Paths::none(),
            relevant: Paths::All,
        }
    }

    /// The same as if nothing changed.
    #[must_use]
    pub fn as_unchanged(mut self) -> Change<'a> {
        self.after = self.before;
        self.after_explicit = self.before_explicit;
        self.unknown = Marker::No;
        self.after_sensitive = self.before_sensitive;
        self.replace = Paths::none();
        self
    }

    /// The removal of the value before.
    #[must_use]
    pub fn as_removal(&self) -> Change<'a> {
        Change { after: None, after_explicit: false, unknown: Marker::No, after_sensitive: Marker::No, ..self.clone() }
    }

    /// The addition of the value after.
    #[must_use]
    pub fn as_addition(&self) -> Change<'a> {
        Change { before: None, before_explicit: false, before_sensitive: Marker::No, ..self.clone() }
    }

    /// Whether there is nothing at all on both sides.
    pub fn is_null(&self) -> bool {
        self.before.is_none() && self.after.is_none()
    }

    /// The action that the two sides amount to.
    pub fn action(&self) -> Action {
        let had = self.before.is_some() || self.before_explicit;
        let has = self.after.is_some() || self.after_explicit;
        match (had, has) {
            (false, true) => Action::Create,
            (true, false) => Action::Delete,
            _ => {
                let same = self.before == self.after
                    && self.before_explicit == self.after_explicit
                    && self.before_sensitive.is_set() == self.after_sensitive.is_set();
                if same { Action::NoOp } else { Action::Update }
            }
        }
    }

    /// The action before the children are looked at.
    pub fn outer_action(&self) -> Action {
        match (self.before, self.after) {
            (None, Some(_)) => Action::Create,
            (Some(_), None) => Action::Delete,
            _ => Action::NoOp,
        }
    }

    /// The names of all children of objects or maps.
    pub fn keys(&self) -> std::collections::BTreeSet<&'a String> {
        let sides = [self.before, self.after].into_iter().flatten().filter_map(Json::as_object).flat_map(|o| o.keys());
        sides.chain(self.unknown.keys()).collect()
    }

    /// The change of an attribute or map element.
    pub fn child(&self, key: &str) -> Change<'a> {
        let before = self.before.and_then(|b| b.get(key));
        let after = self.after.and_then(|a| a.get(key));
        Change {
            before: not_null(before),
            after: not_null(after),
            before_explicit: before.is_some(),
            after_explicit: after.is_some(),
            unknown: self.unknown.key(key),
            before_sensitive: self.before_sensitive.key(key),
            after_sensitive: self.after_sensitive.key(key),
            replace: self.replace.key(key),
            relevant: self.relevant.key(key),
        }
    }

    /// The elements before.
    pub fn elements_before(&self) -> &'a [Json] {
        self.before.and_then(Json::as_array).map_or(&[], Vec::as_slice)
    }

    /// The elements after. An element that is unknown is null here.
    pub fn elements_after(&self) -> &'a [Json] {
        self.after.and_then(Json::as_array).map_or(&[], Vec::as_slice)
    }

    /// The change of an element of a list, tuple or set.
    pub fn element(&self, before_index: Option<usize>, after_index: Option<usize>) -> Change<'a> {
        let before = before_index.and_then(|i| self.elements_before().get(i));
        let after = after_index.and_then(|i| self.elements_after().get(i));
        let index = before_index.or(after_index).unwrap_or_default();
        Change {
            before: not_null(before),
            after: not_null(after),
            before_explicit: before.is_some(),
            after_explicit: after.is_some(),
            unknown: self.unknown.index(after_index),
            before_sensitive: self.before_sensitive.index(before_index),
            after_sensitive: self.after_sensitive.index(after_index),
            replace: self.replace.index(index),
            relevant: self.relevant.index(index),
        }
    }
}
