//! Parsing of addresses: `module.a["x"].data.aws_subnet.z[0]`, `provider["registry.terraform.io/hashicorp/aws"].west`.
//!
//! The grammar is small, fixed and has no expressions, so it has a parser of its own instead of the language's: a state
//! of 100,000 dependencies is read without building syntax trees, and there is one place that knows where an error is.

use std::str::FromStr;

use crate::Str;
use crate::addr::{
    AbsResource, ConfigResource, InstanceKey, Mode, ModuleInstance, ModulePath, ProviderConfig, ProviderSource,
    Resource, ResourceInstance,
};

/// A text that is not the address it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid address `{input}`, at byte {offset}: {kind}")]
pub struct AddressError {
    /// The whole text.
    pub input: String,
    /// Where the parser gave up, in bytes from the start.
    pub offset: usize,
    /// What is wrong there.
    pub kind: AddressErrorKind,
}

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressErrorKind {
    /// Nothing where something was expected, or the text ends too early.
    #[error("the address ends too early")]
    Truncated,
    /// A name was expected.
    #[error("a name is required here")]
    ExpectedName,
    /// A dot was expected.
    #[error("a `.` is required here")]
    ExpectedDot,
    /// `[`, a key and `]` were expected, or the key is neither a whole number nor a quoted string.
    #[error("an instance key must be a whole number or a quoted string in brackets")]
    InvalidKey,
    /// An instance key stands where none is allowed.
    #[error("an instance key is not allowed here")]
    UnexpectedKey,
    /// More text after a complete address.
    #[error("unexpected text after the address")]
    Trailing,
    /// A resource was expected, but the address names only a module.
    #[error("the address names a module, not a resource")]
    ModuleOnly,
    /// `provider` was expected.
    #[error("a provider configuration is required here")]
    ExpectedProvider,
    /// The quoted provider source is not `host/namespace/name`, `namespace/name` or `name`.
    #[error("a provider source has the form `host/namespace/name`")]
    InvalidSource,
}

/// What `-target`, `-exclude` and the `state` commands accept: a module, a resource or one instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// `module.a`, `module.a[0]`: everything in it. A last step without key means all instances of that call.
    Module(ModuleInstance),
    /// `aws_vpc.main`: all its instances (or its only one).
    Resource(AbsResource),
    /// `aws_vpc.main[0]`
    Instance(ResourceInstance),
}

impl Target {
    /// Whether the instance is the target or within it; a module step without key covers every instance of the call.
    pub fn contains(&self, address: &ResourceInstance) -> bool {
        match self {
            Target::Module(module) => within(module, &address.module),
            Target::Resource(resource) => {
                module_matches(&resource.module, &address.module) && resource.resource == address.resource
            }
            Target::Instance(instance) => {
                module_matches(&instance.module, &address.module)
                    && instance.resource == address.resource
                    && instance.key == address.key
            }
        }
    }
}

fn within(outer: &ModuleInstance, inner: &ModuleInstance) -> bool {
    outer.0.len() <= inner.0.len() && outer.0.iter().zip(inner.0.iter()).all(|(a, b)| step_matches(a, b))
}

fn module_matches(pattern: &ModuleInstance, module: &ModuleInstance) -> bool {
    pattern.0.len() == module.0.len() && within(pattern, module)
}

fn step_matches(pattern: &(Str, InstanceKey), step: &(Str, InstanceKey)) -> bool {
    pattern.0 == step.0 && (pattern.1 == InstanceKey::None || pattern.1 == step.1)
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Module(address) => address.fmt(f),
            Target::Resource(address) => address.fmt(f),
            Target::Instance(address) => address.fmt(f),
        }
    }
}

impl FromStr for Target {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut cursor = Cursor::new(text);
        let module = cursor.module()?;
        if cursor.rest().is_empty() && !module.is_root() {
            return Ok(Target::Module(module));
        }
        let resource = cursor.resource()?;
        let key = cursor.key()?;
        cursor.end()?;
        Ok(match key {
            InstanceKey::None => Target::Resource(AbsResource { module, resource }),
            key => Target::Instance(ResourceInstance { module, resource, key }),
        })
    }
}

impl FromStr for ModuleInstance {
    type Err = AddressError;

    /// `module.a[0].module.b`; the empty text is the root module.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut cursor = Cursor::new(text);
        let module = cursor.module()?;
        cursor.end()?;
        Ok(module)
    }
}

impl FromStr for ModulePath {
    type Err = AddressError;

    /// `module.a.module.b`; the empty text is the root module.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut cursor = Cursor::new(text);
        let module = cursor.module_path()?;
        cursor.end()?;
        Ok(module)
    }
}

impl FromStr for AbsResource {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut cursor = Cursor::new(text);
        let module = cursor.module()?;
        let resource = cursor.resource()?;
        cursor.no_key()?;
        Ok(AbsResource { module, resource })
    }
}

impl FromStr for ConfigResource {
    type Err = AddressError;

    /// Instance keys of modules are dropped, as Terraform does with dependencies written by its old versions.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        text.parse::<AbsResource>().map(|resource| resource.config())
    }
}

impl FromStr for ResourceInstance {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut cursor = Cursor::new(text);
        let module = cursor.module()?;
        let resource = cursor.resource()?;
        let key = cursor.key()?;
        cursor.end()?;
        Ok(ResourceInstance { module, resource, key })
    }
}

impl FromStr for ProviderSource {
    type Err = AddressError;

    /// `host/namespace/name`, `namespace/name` (the public registry) or `name` (there, in `hashicorp`).
    fn from_str(text: &str) -> Result<Self, AddressError> {
        source(text).ok_or_else(|| Cursor::new(text).error(AddressErrorKind::InvalidSource))
    }
}

impl FromStr for ProviderConfig {
    type Err = AddressError;

    /// `module.a.provider["registry.terraform.io/hashicorp/aws"].west`, or the form `module.a.provider.aws.west` of
    /// states written before 0.13, whose provider gets the namespace `-` as Terraform gives it.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mut cursor = Cursor::new(text);
        let module = cursor.module_path()?;
        if cursor.name()? != "provider" {
            return Err(cursor.error(AddressErrorKind::ExpectedProvider));
        }
        let source = if cursor.take('.') {
            let name = cursor.name()?;
            ProviderSource { host: ProviderSource::DEFAULT_HOST.into(), namespace: "-".into(), name: name.into() }
        } else {
            match cursor.key()? {
                InstanceKey::Name(name) => {
                    source(&name).ok_or_else(|| cursor.error(AddressErrorKind::InvalidSource))?
                }
                InstanceKey::None | InstanceKey::Index(_) | InstanceKey::Unknown => {
                    return Err(cursor.error(AddressErrorKind::ExpectedProvider));
                }
            }
        };
        let alias = if cursor.take('.') { Some(cursor.name()?.into()) } else { None };
        cursor.end()?;
        Ok(ProviderConfig { module, source, alias })
    }
}

fn source(text: &str) -> Option<ProviderSource> {
    let valid = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':'))
    };
    let parts: Vec<&str> = text.split('/').collect();
    if !parts.iter().all(|part| valid(part)) {
        return None;
    }
    match parts.as_slice() {
        [name] => Some(ProviderSource::hashicorp(*name)),
        [namespace, name] => Some(ProviderSource {
            host: ProviderSource::DEFAULT_HOST.into(),
            namespace: (*namespace).into(),
            name: (*name).into(),
        }),
        [host, namespace, name] => {
            Some(ProviderSource { host: (*host).into(), namespace: (*namespace).into(), name: (*name).into() })
        }
        _ => None,
    }
}

struct Cursor<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str) -> Cursor<'a> {
        Cursor { text, offset: 0 }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    fn error(&self, kind: AddressErrorKind) -> AddressError {
        AddressError { input: self.text.to_owned(), offset: self.offset, kind }
    }

    /// `kind`, or that the text is over.
    fn expected(&self, kind: AddressErrorKind) -> AddressError {
        self.error(if self.rest().is_empty() { AddressErrorKind::Truncated } else { kind })
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.offset += wanted.len_utf8();
        }
        found
    }

    fn dot(&mut self) -> Result<(), AddressError> {
        if self.take('.') { Ok(()) } else { Err(self.expected(AddressErrorKind::ExpectedDot)) }
    }

    fn end(&self) -> Result<(), AddressError> {
        if self.rest().is_empty() { Ok(()) } else { Err(self.error(AddressErrorKind::Trailing)) }
    }

    fn no_key(&self) -> Result<(), AddressError> {
        if self.rest().starts_with('[') { Err(self.error(AddressErrorKind::UnexpectedKey)) } else { self.end() }
    }

    /// An identifier: letters, digits, `_` and `-`, not beginning with a digit or `-`.
    fn name(&mut self) -> Result<&'a str, AddressError> {
        let rest = self.rest();
        let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).unwrap_or(rest.len());
        let name = rest.get(..length).unwrap_or_default();
        match name.chars().next() {
            Some(first) if first.is_alphabetic() || first == '_' => {
                self.offset += length;
                Ok(name)
            }
            _ => Err(self.expected(AddressErrorKind::ExpectedName)),
        }
    }

    /// All leading `module.NAME[KEY]` steps and the dot after them.
    fn module(&mut self) -> Result<ModuleInstance, AddressError> {
        let mut steps = Vec::new();
        while self.rest().starts_with("module.") {
            self.offset += "module.".len();
            let name = self.name()?;
            steps.push((Str::from(name), self.key()?));
            if self.rest().is_empty() {
                break;
            }
            self.dot()?;
            if self.rest().is_empty() {
                return Err(self.error(AddressErrorKind::Truncated));
            }
        }
        Ok(if steps.is_empty() { ModuleInstance::root() } else { ModuleInstance(steps.into()) })
    }

    fn module_path(&mut self) -> Result<ModulePath, AddressError> {
        let module = self.module()?;
        if module.0.iter().any(|(_, key)| *key != InstanceKey::None) {
            return Err(self.error(AddressErrorKind::UnexpectedKey));
        }
        Ok(module.path())
    }

    fn resource(&mut self) -> Result<Resource, AddressError> {
        if self.rest().is_empty() {
            let kind = if self.offset == 0 { AddressErrorKind::Truncated } else { AddressErrorKind::ModuleOnly };
            return Err(self.error(kind));
        }
        let first = self.name()?;
        self.dot()?;
        let mode = match first {
            "data" => Mode::Data,
            "ephemeral" => Mode::Ephemeral,
            _ => {
                return Ok(Resource { mode: Mode::Managed, kind: first.into(), name: self.name()?.into() });
            }
        };
        let kind = self.name()?;
        self.dot()?;
        Ok(Resource { mode, kind: kind.into(), name: self.name()?.into() })
    }

    /// An instance key in brackets, if there is one.
    fn key(&mut self) -> Result<InstanceKey, AddressError> {
        if !self.take('[') {
            return Ok(InstanceKey::None);
        }
        let key = if self.take('"') {
            InstanceKey::Name(self.string()?.into())
        } else {
            let rest = self.rest();
            let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let digits = rest.get(..length).unwrap_or_default();
            let index = digits.parse().map_err(|_| self.expected(AddressErrorKind::InvalidKey))?;
            self.offset += length;
            InstanceKey::Index(index)
        };
        if self.take(']') { Ok(key) } else { Err(self.expected(AddressErrorKind::InvalidKey)) }
    }

    /// The rest of a quoted string after its opening quote, with HCL's escapes; templates are refused.
    fn string(&mut self) -> Result<String, AddressError> {
        let mut out = String::new();
        loop {
            let mut chars = self.rest().chars();
            let Some(c) = chars.next() else { return Err(self.error(AddressErrorKind::Truncated)) };
            let next = chars.next();
            let after = chars.next();
            match (c, next, after) {
                ('"', _, _) => {
                    self.offset += 1;
                    return Ok(out);
                }
                ('\\', Some(escaped), _) => {
                    self.offset += 1 + escaped.len_utf8();
                    out.push(self.escape(escaped)?);
                }
                ('$', Some('$'), Some('{')) | ('%', Some('%'), Some('{')) => {
                    self.offset += 3;
                    out.push(c);
                    out.push('{');
                }
                ('$' | '%', Some('{'), _) | ('\n' | '\r', _, _) => {
                    return Err(self.error(AddressErrorKind::InvalidKey));
                }
                _ => {
                    self.offset += c.len_utf8();
                    out.push(c);
                }
            }
        }
    }

    /// The character that the escape means; the cursor is behind its letter.
    fn escape(&mut self, letter: char) -> Result<char, AddressError> {
        let digits = match letter {
            '"' | '\\' => return Ok(letter),
            'n' => return Ok('\n'),
            'r' => return Ok('\r'),
            't' => return Ok('\t'),
            'u' => 4,
            'U' => 8,
            _ => return Err(self.error(AddressErrorKind::InvalidKey)),
        };
        let code = self
            .rest()
            .get(..digits)
            .filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|text| u32::from_str_radix(text, 16).ok())
            .and_then(char::from_u32)
            .ok_or_else(|| self.expected(AddressErrorKind::InvalidKey))?;
        self.offset += digits;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_print_as_they_were_written() {
        for text in [
            "aws_vpc.main",
            "data.aws_region.current",
            "ephemeral.random_password.x",
            "aws_subnet.a[12]",
            r#"aws_subnet.a["with \"quote\" $${x} %%{y} \\ \n é ] ."]"#,
            r#"module.a["x"].module.b-c[0].data.aws_y.z[0]"#,
            "module.m.module.module.aws_x.y",
        ] {
            assert_eq!(text.parse::<ResourceInstance>().unwrap().to_string(), text);
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        for text in [
            r#"provider["registry.terraform.io/hashicorp/aws"]"#,
            r#"module.x.module.y.provider["example.com:8080/a/b"].west"#,
        ] {
            assert_eq!(text.parse::<ProviderConfig>().unwrap().to_string(), text);
        }
        assert_eq!("provider.aws.x".parse::<ProviderConfig>().unwrap().source.namespace, "-");
        assert_eq!("module.a[0].aws_x.y".parse::<ConfigResource>().unwrap().to_string(), "module.a.aws_x.y");
        assert_eq!("".parse::<ModuleInstance>().unwrap(), ModuleInstance::root());
    }

    #[test]
    fn errors_say_where() {
        use AddressErrorKind::*;
        for (text, offset, kind) in [
            ("", 0, Truncated),
            ("aws_vpc", 7, Truncated),
            ("aws_vpc.", 8, Truncated),
            ("aws_vpc.main.id", 12, Trailing),
            ("aws_vpc.main[x]", 13, InvalidKey),
            ("aws_vpc.main[-1]", 13, InvalidKey),
            ("aws_vpc.main[99999999999999999999]", 13, InvalidKey),
            ("aws_vpc.main[\"a", 15, Truncated),
            ("aws_vpc.main[\"${a}\"]", 14, InvalidKey),
            ("aws_vpc.main[0", 14, Truncated),
            ("aws_vpc.1main", 8, ExpectedName),
            ("module.a", 8, ModuleOnly),
            ("module.a.", 9, Truncated),
            ("module", 6, Truncated),
        ] {
            let error = text.parse::<ResourceInstance>().unwrap_err();
            assert_eq!((error.offset, error.kind), (offset, kind), "{text}");
        }
        assert_eq!("aws_vpc.main[0]".parse::<AbsResource>().unwrap_err().kind, UnexpectedKey);
        assert_eq!("module.a[0].provider[\"a/b/c\"]".parse::<ProviderConfig>().unwrap_err().kind, UnexpectedKey);
        assert_eq!("provider[\"a b\"]".parse::<ProviderConfig>().unwrap_err().kind, InvalidSource);
    }

    #[test]
    fn targets_contain_what_is_in_them() {
        let instance: ResourceInstance = r#"module.a["x"].module.b.aws_y.z[0]"#.parse().unwrap();
        for inside in [
            "module.a",
            r#"module.a["x"]"#,
            "module.a.module.b",
            "module.a.module.b.aws_y.z",
            r#"module.a["x"].module.b.aws_y.z[0]"#,
        ] {
            assert!(inside.parse::<Target>().unwrap().contains(&instance), "{inside}");
        }
        for outside in [r#"module.a["y"]"#, "module.b", "aws_y.z", "module.a.module.b.aws_y.z[1]", "module.a.aws_y.z"] {
            assert!(!outside.parse::<Target>().unwrap().contains(&instance), "{outside}");
        }
    }
}
