//! Absolute addresses written as references: `module.a["x"].aws_vpc.main[0]`.

use lang::addr::{ConfigResource, InstanceKey, Mode, ModuleInstance, ModulePath, Resource, ResourceInstance};
use lang::ast::{Step, StepKind, Traversal};
use lang::{Diagnostic, Range, Str};

/// What an absolute address names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AbsoluteAddress {
    /// A module, or one instance of it.
    Module(ModuleInstance),
    /// A resource, or one instance of it; which of both cannot be told when there is no key.
    Resource(ResourceInstance),
}

/// An address of the configuration, without instance keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConfigAddress {
    /// A module.
    Module(ModulePath),
    /// A resource.
    Resource(ConfigResource),
}

impl AbsoluteAddress {
    /// Reads an address with optional instance keys, as `moved`, `import` and `-target` take it.
    pub fn parse(traversal: &Traversal) -> Result<AbsoluteAddress, Diagnostic> {
        let mut steps = Steps::new(traversal);
        let module = module_prefix(&mut steps)?;
        if steps.peek().is_none() {
            return Ok(AbsoluteAddress::Module(module));
        }
        let resource = resource_type_and_name(&mut steps, traversal)?;
        let last = steps.next();
        if let Some(extra) = steps.peek() {
            return Err(invalid("Unexpected extra operators after address.", extra.range(traversal)));
        }
        let key = match last {
            None => InstanceKey::None,
            Some(Item::Step(step)) => match key_of(step)? {
                Some(key) => key,
                None => {
                    return Err(invalid("Resource instance key must be given in square brackets.", step.range));
                }
            },
            Some(Item::Root(_)) => InstanceKey::None,
        };
        Ok(AbsoluteAddress::Resource(ResourceInstance { module, resource, key }))
    }
}

impl ConfigAddress {
    /// Reads an address that must not have instance keys, as `removed` takes it. No name is reserved here, and no prefix but
    /// `data` and `module` means anything.
    pub fn parse(traversal: &Traversal) -> Result<ConfigAddress, Diagnostic> {
        let mut steps = Steps::new(traversal);
        let mut path = Vec::new();
        while steps.next_if_name("module") {
            path.push(module_name(&mut steps, traversal)?);
            if let Some(Item::Step(step)) = steps.peek()
                && key_of(step)?.is_some()
            {
                return Err(Diagnostic::error(
                    "Module instance keys not allowed",
                    "Module address must be a module (e.g. \"module.foo\"), not a module instance (e.g. \
                     \"module.foo[1]\").",
                )
                .at(step.range));
            }
        }
        let module = ModulePath(path.into());
        if steps.peek().is_none() {
            return Ok(ConfigAddress::Module(module));
        }
        let mode = if steps.next_if_name("data") { Mode::Data } else { Mode::Managed };
        let resource = type_and_name(&mut steps, traversal, mode)?;
        match steps.next() {
            None => Ok(ConfigAddress::Resource(ConfigResource { module, resource })),
            Some(item) => Err(Diagnostic::error(
                "Resource instance keys not allowed",
                "Resource address must be a resource (e.g. \"test_instance.foo\"), not a resource instance (e.g. \
                 \"test_instance.foo[1]\").",
            )
            .at(item.range(traversal))),
        }
    }
}

/// The root name and the steps of a traversal, one after the other.
struct Steps<'a> {
    traversal: &'a Traversal,
    at: usize,
}

#[derive(Clone, Copy)]
enum Item<'a> {
    Root(&'a Str),
    Step(&'a Step),
}

impl<'a> Item<'a> {
    fn name(self) -> Option<&'a Str> {
        match self {
            Item::Root(name) => Some(name),
            Item::Step(Step { kind: StepKind::Attribute(name), .. }) => Some(name),
            Item::Step(_) => None,
        }
    }

    fn range(self, traversal: &Traversal) -> Range {
        match self {
            Item::Root(_) => traversal.root_range,
            Item::Step(step) => step.range,
        }
    }
}

impl<'a> Steps<'a> {
    fn new(traversal: &'a Traversal) -> Steps<'a> {
        Steps { traversal, at: 0 }
    }

    fn peek(&self) -> Option<Item<'a>> {
        match self.at.checked_sub(1) {
            None => Some(Item::Root(&self.traversal.root)),
            Some(step) => self.traversal.steps.get(step).map(Item::Step),
        }
    }

    fn next(&mut self) -> Option<Item<'a>> {
        let item = self.peek();
        self.at += 1;
        item
    }

    /// The range of what is left; of everything if nothing is.
    fn rest(&self) -> Range {
        let whole = self.traversal.range;
        self.peek().map_or(whole, |item| item.range(self.traversal).to(whole.at_end()))
    }

    fn next_if_name(&mut self, name: &str) -> bool {
        let is = self.peek().and_then(Item::name).is_some_and(|found| found == name);
        self.at += usize::from(is);
        is
    }
}

/// Names that mean something else at the start of a reference.
const RESERVED: [&str; 10] = ["arg", "count", "each", "lazy", "local", "path", "self", "template", "terraform", "var"];

fn module_prefix(steps: &mut Steps<'_>) -> Result<ModuleInstance, Diagnostic> {
    let mut path = Vec::new();
    while steps.next_if_name("module") {
        let name = module_name(steps, steps.traversal)?;
        let mut key = InstanceKey::None;
        if let Some(Item::Step(step)) = steps.peek()
            && let Some(found) = key_of(step)?
        {
            key = found;
            steps.next();
        }
        path.push((name, key));
    }
    Ok(ModuleInstance(path.into()))
}

fn module_name(steps: &mut Steps<'_>, traversal: &Traversal) -> Result<Str, Diagnostic> {
    let detail = "Prefix \"module.\" must be followed by a module name.";
    match steps.next() {
        Some(item) => item.name().cloned().ok_or_else(|| operator(detail, item.range(traversal))),
        None => Err(operator(detail, traversal.range)),
    }
}

fn resource_type_and_name(steps: &mut Steps<'_>, traversal: &Traversal) -> Result<Resource, Diagnostic> {
    let mode = if steps.next_if_name("data") {
        Mode::Data
    } else if steps.next_if_name("ephemeral") {
        Mode::Ephemeral
    } else {
        // `resource.` in front is optional, unless the type is called like something else that can be referred to.
        if !steps.next_if_name("resource")
            && let Some(keyword) = steps.peek().and_then(Item::name).filter(|name| RESERVED.contains(&name.as_str()))
        {
            let detail = format!(
                "The keyword {keyword:?} is reserved and cannot be used to target a resource address. If you are \
                 targeting a resource type that uses a reserved keyword, please prefix your address with \"resource.\"."
            );
            return Err(Diagnostic::error("Invalid address", detail).at(steps.rest()));
        }
        Mode::Managed
    };
    type_and_name(steps, traversal, mode)
}

fn type_and_name(steps: &mut Steps<'_>, traversal: &Traversal, mode: Mode) -> Result<Resource, Diagnostic> {
    let rest = steps.rest();
    let (Some(kind), Some(name)) = (steps.next(), steps.next()) else {
        return Err(invalid("Resource specification must include a resource type and name.", rest));
    };
    let Some(kind) = kind.name().cloned() else {
        return Err(invalid("A resource type name is required.", kind.range(traversal)));
    };
    let Some(name) = name.name().cloned() else {
        return Err(invalid("A resource name is required.", name.range(traversal)));
    };
    Ok(Resource { mode, kind, name })
}

fn key_of(step: &Step) -> Result<Option<InstanceKey>, Diagnostic> {
    match &step.kind {
        StepKind::Attribute(_) => Ok(None),
        StepKind::Key(name) => Ok(Some(InstanceKey::Name(name.clone()))),
        StepKind::Index(number) => match number.to_u64() {
            Some(index) => Ok(Some(InstanceKey::Index(index))),
            None => Err(invalid("Invalid resource instance key: value must be a whole number.", step.range)),
        },
    }
}

fn invalid(detail: &str, range: Range) -> Diagnostic {
    Diagnostic::error("Invalid address", detail).at(range)
}

fn operator(detail: &str, range: Range) -> Diagnostic {
    Diagnostic::error("Invalid address operator", detail).at(range)
}

#[cfg(test)]
mod tests {
    use lang::Sources;
    use lang::syntax::parse_traversal;

    use super::*;

    #[test]
    fn absolute_addresses() {
        for (text, expected) in [
            ("aws_vpc.main", "aws_vpc.main"),
            ("aws_vpc.main[\"k\"]", "aws_vpc.main[\"k\"]"),
            ("module.a[0].module.b.data.x.y", "module.a[0].module.b.data.x.y"),
            ("module.a[\"k\"]", "module.a[\"k\"]"),
            ("resource.module.x", "module.x"),
            ("terraform_data.a.id", "Invalid address 16..19"),
            ("module", "Invalid address operator 0..6"),
            ("aws_vpc", "Invalid address 0..7"),
            ("data.x", "Invalid address 4..6"),
            ("module.m.local.x", "Invalid address 8..16"),
            ("resource.local.x", "local.x"),
        ] {
            let traversal = parse_traversal(&Sources::new(), "t", text).expect("a traversal");
            let found = match AbsoluteAddress::parse(&traversal) {
                Ok(AbsoluteAddress::Module(module)) => module.to_string(),
                Ok(AbsoluteAddress::Resource(resource)) => resource.to_string(),
                Err(error) => {
                    let range = error.subject().expect("a place");
                    format!("{} {}..{}", error.summary(), range.start, range.end)
                }
            };
            assert_eq!(found, expected, "{text}");
        }
    }
}
