//! What a configuration must be beyond names and types: checks of single values and rules between arguments, declared beside
//! the attributes of a [`crate::Model`]. The words are those of Terraform's provider SDKs.

use lang::values::{Path, PathStep};
use lang::{Number, Str, Type, Value};

use crate::provider::ProviderDiagnostic;
use crate::schema::{Block, Nesting, Schema, Semantics};

/// A check of one configured value, once it is known. Of a list or set, every element is checked.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// One of these words. The message names the attribute alone, as Terraform's typed enumerations do.
    Enum(&'static [&'static str]),
    /// One of these words. The message names the whole path.
    OneOf(&'static [&'static str]),
    /// One of these numbers.
    Numbers(&'static [i64]),
    /// A number from the first to the second.
    Between(i64, i64),
    /// A number that isn't less.
    AtLeast(i64),
    /// What this says about the path of the attribute and a number; nothing: it is fine.
    Number(fn(&str, i64) -> Vec<String>),
    /// A text of so many bytes.
    Length(usize, usize),
    /// What this says about the path of the attribute and a text; nothing: it is fine.
    Text(fn(&str, &str) -> Vec<String>),
}

/// A rule between the arguments of one block.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// Not two of these.
    Conflicts(&'static [&'static str]),
    /// One of these and no other.
    ExactlyOneOf(&'static [&'static str]),
    /// At least one of these.
    AtLeastOneOf(&'static [&'static str]),
    /// All of these or none.
    RequiredWith(&'static [&'static str]),
}

/// Checks a whole configuration. It may hold unknown values, which pass.
pub(crate) fn check(schema: &Schema, managed: bool, config: &Value) -> Vec<ProviderDiagnostic> {
    let mut checking = Checking { semantics: schema.semantics, found: Vec::new() };
    let id = config.get("id").is_some_and(|id| !id.is_null());
    if managed && schema.semantics == Semantics::Legacy && id {
        checking.report(&At::default().attribute("id"), "Invalid or unknown key".to_owned());
    }
    checking.block(&schema.block, config, &At::default());
    checking.found
}

/// Where something stands.
#[derive(Clone, Default)]
struct At {
    /// As messages name it: `health_check.0.port`.
    key: String,
    /// As diagnostics point to it. Elements of sets have no place of their own: what is in them points to what is around.
    path: Path,
    in_set: bool,
}

impl At {
    fn step(&self, name: &str, step: Option<PathStep>) -> At {
        let key = if self.key.is_empty() { name.to_owned() } else { format!("{}.{name}", self.key) };
        let mut path = self.path.clone();
        path.0.extend(step.filter(|_| !self.in_set));
        At { key, path, in_set: self.in_set }
    }

    fn attribute(&self, name: &str) -> At {
        self.step(name, Some(PathStep::Attribute(name.into())))
    }

    fn element(&self, index: usize) -> At {
        self.step(&index.to_string(), Some(PathStep::Index(Value::number(index as i64))))
    }

    fn set_element(&self, index: usize) -> At {
        At { in_set: true, ..self.step(&index.to_string(), None) }
    }
}

struct Checking {
    semantics: Semantics,
    found: Vec<ProviderDiagnostic>,
}

impl Checking {
    fn report(&mut self, at: &At, summary: String) {
        self.found.push(ProviderDiagnostic::error(summary, "").at(at.path.clone()));
    }

    fn deprecated(&mut self, instead: Option<&Str>, at: &At) {
        let warning = |text: &Str| ProviderDiagnostic::warning("Argument is deprecated", text.as_str());
        self.found.extend(instead.map(|text| warning(text).at(at.path.clone())));
    }

    fn block(&mut self, block: &Block, config: &Value, at: &At) {
        let Some(entries) = config.entries() else { return };
        self.rules(block, config, at);
        for (name, value) in entries {
            if let Some(attribute) = block.attributes.get(name) {
                let attribute_at = at.attribute(name);
                self.attribute(&attribute.checks, &attribute.ty, name, value, &attribute_at);
                if !value.is_null() && value.is_known() {
                    self.deprecated(attribute.deprecated.as_ref(), &attribute_at);
                }
                if let Some(nested) = &attribute.nested {
                    for (index, element) in value.elements().unwrap_or_default().iter().enumerate() {
                        self.block(nested, element, &attribute_at.set_element(index));
                    }
                }
            } else if let Some(nested) = block.blocks.get(name) {
                let within = at.attribute(name);
                if value.length().is_some_and(|length| length > 0) {
                    self.deprecated(nested.block.deprecated.as_ref(), at);
                }
                match nested.nesting {
                    Nesting::Single | Nesting::Group => self.block(&nested.block, value, &within),
                    Nesting::Set => {
                        for (index, element) in value.elements().unwrap_or_default().iter().enumerate() {
                            // The blocks of a set can't be told apart by their place.
                            let around = At { key: within.key.clone(), ..at.clone() };
                            self.block(&nested.block, element, &around.set_element(index));
                        }
                    }
                    Nesting::List | Nesting::Map => {
                        for (index, element) in value.elements().unwrap_or_default().iter().enumerate() {
                            self.block(&nested.block, element, &within.element(index));
                        }
                    }
                }
            }
        }
    }

    fn attribute(&mut self, checks: &[Check], ty: &Type, name: &str, value: &Value, at: &At) {
        if value.is_null() || !value.is_known() {
            return;
        }
        match ty {
            Type::List(of) | Type::Set(of) if !checks.is_empty() => {
                for (index, element) in value.elements().unwrap_or_default().iter().enumerate() {
                    let element_at = if matches!(ty, Type::Set(_)) {
                        At { key: format!("{}.{index}", at.key), ..at.clone() }
                    } else {
                        at.element(index)
                    };
                    self.attribute(checks, of, name, element, &element_at);
                }
            }
            Type::Number if self.semantics == Semantics::Legacy => {
                let Some(number) = value.as_number() else { return };
                match number.to_i64() {
                    Some(whole) => checks.iter().for_each(|check| self.number(*check, whole, at)),
                    None => self.report(at, format!("Attribute must be a whole number, got {}", shown(number))),
                }
            }
            _ => {
                let Some(text) = value.as_str() else { return };
                for check in checks {
                    check.text(name, &at.key, text).into_iter().for_each(|summary| self.report(at, summary));
                }
            }
        }
    }

    fn number(&mut self, check: Check, number: i64, at: &At) {
        let key = &at.key;
        let wrong = match check {
            Check::Numbers(all) if !all.contains(&number) => {
                let all: Vec<String> = all.iter().map(ToString::to_string).collect();
                format!("expected {key} to be one of [{}], got {number}", all.join(" "))
            }
            Check::Between(least, most) if !(least..=most).contains(&number) => {
                format!("expected {key} to be in the range ({least} - {most}), got {number}")
            }
            Check::AtLeast(least) if number < least => format!("expected {key} to be at least ({least}), got {number}"),
            Check::Number(check) => {
                check(key, number).into_iter().for_each(|wrong| self.report(at, wrong));
                return;
            }
            _ => return,
        };
        self.report(at, wrong);
    }

    fn rules(&mut self, block: &Block, config: &Value, at: &At) {
        let mut conflicting = Vec::new();
        for rule in &block.rules {
            let (Rule::Conflicts(names)
            | Rule::ExactlyOneOf(names)
            | Rule::AtLeastOneOf(names)
            | Rule::RequiredWith(names)) = rule;
            let presence: Vec<(&str, Presence)> =
                names.iter().map(|name| (*name, Presence::of(config.get(name)))).collect();
            let having = |wanted: Presence| presence.iter().filter(move |(_, is)| *is == wanted).map(|(name, _)| *name);
            let given: Vec<&str> = having(Presence::Given).collect();
            let unknown = having(Presence::Unknown).next().is_some();
            let prefix = if at.key.is_empty() { String::new() } else { format!("{}.", at.key) };
            let list =
                |names: &[&str]| names.iter().map(|name| format!("{prefix}{name}")).collect::<Vec<String>>().join(",");
            let (summary, wrong) = match rule {
                Rule::Conflicts(_) => {
                    for name in presence.iter().filter(|(_, is)| *is != Presence::Absent).map(|(name, _)| *name) {
                        let other = given.iter().find(|other| **other != name);
                        // An argument tells of one conflict.
                        if let (Some(other), false) = (other, conflicting.contains(&name)) {
                            conflicting.push(name);
                            let detail = format!("\"{prefix}{name}\": conflicts with {prefix}{other}");
                            self.rule_broken(at, name, "Conflicting configuration arguments", detail);
                        }
                    }
                    continue;
                }
                Rule::ExactlyOneOf(_) if given.is_empty() && !unknown => {
                    ("Invalid combination of arguments", format!("one of `{}` must be specified", list(names)))
                }
                Rule::ExactlyOneOf(_) if given.len() > 1 => {
                    let (all, given) = (list(names), list(&given));
                    let detail = format!("only one of `{all}` can be specified, but `{given}` were specified.");
                    ("Invalid combination of arguments", detail)
                }
                Rule::AtLeastOneOf(_) if given.is_empty() && !unknown => {
                    ("Missing required argument", format!("one of `{}` must be specified", list(names)))
                }
                Rule::RequiredWith(_) if !given.is_empty() && having(Presence::Absent).next().is_some() => {
                    ("Missing required argument", format!("all of `{}` must be specified", list(names)))
                }
                _ => continue,
            };
            // Terraform says it of each argument, which is as good as once.
            let name = given.first().or(names.first()).copied().unwrap_or_default();
            self.rule_broken(at, name, summary, format!("\"{prefix}{name}\": {wrong}"));
        }
    }

    fn rule_broken(&mut self, at: &At, name: &str, summary: &str, detail: String) {
        self.found.push(ProviderDiagnostic::error(summary, detail).at(at.attribute(name).path));
    }
}

/// Whether an argument is configured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Absent,
    Unknown,
    Given,
}

impl Presence {
    fn of(value: Option<&Value>) -> Presence {
        match value {
            None => Presence::Absent,
            Some(value) if !value.is_known() => Presence::Unknown,
            Some(value) if value.is_null() => Presence::Absent,
            // No blocks are as good as none; an empty list of plain values is one.
            Some(value) if value.length() == Some(0) && is_of_blocks(&value.ty()) => Presence::Absent,
            Some(_) => Presence::Given,
        }
    }
}

fn is_of_blocks(ty: &Type) -> bool {
    match ty {
        Type::List(of) | Type::Set(of) | Type::Map(of) => matches!(**of, Type::Object(_)),
        _ => false,
    }
}

fn shown(number: &Number) -> String {
    number.to_string()
}

impl Check {
    /// What is wrong with a text.
    fn text(self, name: &str, key: &str, text: &str) -> Vec<String> {
        let quoted = |words: &[&str]| words.iter().map(|word| format!("{word:?}")).collect::<Vec<String>>().join(" ");
        match self {
            Check::Enum(words) if !words.contains(&text) => {
                vec![format!("expected {name} to be one of [{}], got {text}", quoted(words))]
            }
            Check::OneOf(words) if !words.contains(&text) => {
                vec![format!("expected {key} to be one of [{}], got {text}", quoted(words))]
            }
            Check::Length(least, most) if !(least..=most).contains(&text.len()) => {
                vec![format!("expected length of {key} to be in the range ({least} - {most}), got {text}")]
            }
            Check::Text(check) => check(key, text),
            _ => Vec::new(),
        }
    }
}
