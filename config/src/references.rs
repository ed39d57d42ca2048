//! References: what a traversal in an expression names.

use lang::addr::{InstanceKey, Mode, Resource};
use lang::ast::{Expr, Step, StepKind, Traversal};
use lang::{Diagnostic, Diagnostics, Range, Str};

/// A reference found in an expression: the object that the beginning of a traversal names, and where.
#[derive(Clone, Debug)]
pub struct Reference<'a> {
    /// What is referred to.
    pub subject: Subject,
    /// The traversal that it was read from.
    pub traversal: &'a Traversal,
    /// How many of the traversal's steps belong to the subject; the others are applied to its value.
    pub consumed: usize,
    /// The part of the traversal that names the subject.
    pub range: Range,
}

/// What can be referred to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// `aws_vpc.main`, `data.aws_region.current`: the whole resource.
    Resource(Resource),
    /// `aws_vpc.main["a"]`
    ResourceInstance(Resource, InstanceKey),
    /// `module.net`: all of a call's instances.
    Module(Str),
    /// `module.net[0]`
    ModuleInstance(Str, InstanceKey),
    /// `module.net.id`, `module.net[0].id`: call, instance key, output.
    ModuleOutput(Str, InstanceKey, Str),
    /// `var.name`
    Variable(Str),
    /// `local.name`
    Local(Str),
    /// `each.key`, `each.value`
    Each(Str),
    /// `count.index`
    Count(Str),
    /// `path.module`, `path.root`, `path.cwd`
    Path(Str),
    /// `terraform.workspace`, `terraform.applying`
    Terraform(Str),
    /// `self`
    SelfObject,
}

impl Subject {
    /// The resource that is referred to, with or without an instance key.
    pub fn resource(&self) -> Option<&Resource> {
        match self {
            Subject::Resource(resource) | Subject::ResourceInstance(resource, _) => Some(resource),
            _ => None,
        }
    }

    /// The module call that is referred to, be it as a whole, one instance or one output.
    pub fn module_call(&self) -> Option<&Str> {
        match self {
            Subject::Module(call) | Subject::ModuleInstance(call, _) | Subject::ModuleOutput(call, _, _) => Some(call),
            _ => None,
        }
    }
}

impl<'a> Reference<'a> {
    /// Reads the object that a traversal names. Whether it is declared is not asked here.
    pub fn parse(traversal: &'a Traversal) -> Result<Reference<'a>, Diagnostic> {
        match traversal.root.as_str() {
            "var" => attribute(traversal, Subject::Variable),
            "local" => attribute(traversal, Subject::Local),
            "each" => attribute(traversal, Subject::Each),
            "count" => attribute(traversal, Subject::Count),
            "path" => attribute(traversal, Subject::Path),
            "terraform" => attribute(traversal, Subject::Terraform),
            "self" => {
                Ok(Reference { subject: Subject::SelfObject, traversal, consumed: 0, range: traversal.root_range })
            }
            "module" => module(traversal),
            "data" => prefixed_resource(traversal, Mode::Data),
            "resource" => prefixed_resource(traversal, Mode::Managed),
            "ephemeral" => prefixed_resource(traversal, Mode::Ephemeral),
            name @ ("template" | "lazy" | "arg") => Err(Diagnostic::error(
                "Reserved symbol name",
                format!(
                    "The symbol name {name:?} is reserved for use in a future Terraform version. If you are using a \
                     provider that already uses this as a resource type name, add the prefix \"resource.\" to force \
                     interpretation as a resource type name."
                ),
            )
            .at(traversal.root_range)),
            _ => {
                let kind = traversal.root.clone();
                resource(traversal, Mode::Managed, kind, 0)
            }
        }
    }

    /// What Terraform goes on with where `var`, `local` and their like stand without a name: a reference to the empty name, at no
    /// known place. It is reported as undeclared beside the mistake itself.
    pub fn unnamed(traversal: &'a Traversal) -> Option<Reference<'a>> {
        let subject = match traversal.root.as_str() {
            "var" => Subject::Variable,
            "local" => Subject::Local,
            "each" => Subject::Each,
            "count" => Subject::Count,
            "path" => Subject::Path,
            "terraform" => Subject::Terraform,
            _ => return None,
        };
        Some(Reference { subject: subject(Str::default()), traversal, consumed: 1, range: Range::LOST })
    }

    /// The steps that are applied to the subject's value.
    pub fn remaining(&self) -> &'a [Step] {
        self.traversal.steps.get(self.consumed..).unwrap_or_default()
    }
}

/// The references in an expression in source order; traversals that name nothing go to `diagnostics`.
pub fn references<'a>(expr: &'a Expr, diagnostics: &mut Diagnostics) -> Vec<Reference<'a>> {
    let mut found = Vec::new();
    for traversal in expr.traversals() {
        match Reference::parse(traversal) {
            Ok(reference) => found.push(reference),
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    found
}

/// `root.name`
fn attribute<'a>(traversal: &'a Traversal, subject: fn(Str) -> Subject) -> Result<Reference<'a>, Diagnostic> {
    let (name, range) = attribute_of(traversal)?;
    Ok(Reference { subject: subject(name.clone()), traversal, consumed: 1, range })
}

/// The name after the root, and the range of both; an error if there is none.
pub fn attribute_of(traversal: &Traversal) -> Result<(&Str, Range), Diagnostic> {
    let root = &traversal.root;
    match traversal.steps.first() {
        Some(Step { kind: StepKind::Attribute(name), range }) => Ok((name, traversal.root_range.to(*range))),
        Some(step) => Err(invalid(format!("The {root:?} object does not support this operation."), step.range)),
        None => Err(invalid(
            format!("The {root:?} object cannot be accessed directly. Instead, access one of its attributes."),
            traversal.root_range,
        )),
    }
}

fn module(traversal: &Traversal) -> Result<Reference<'_>, Diagnostic> {
    let (call, mut range) = attribute_of(traversal)?;
    let call = call.clone();
    let mut consumed = 1;
    let mut key = InstanceKey::None;
    if let Some(step) = traversal.steps.get(consumed)
        && let Some(found) = instance_key(step, "module")?
    {
        key = found;
        range = range.to(step.range);
        consumed += 1;
    }
    let subject = match traversal.steps.get(consumed) {
        None if key == InstanceKey::None => Subject::Module(call),
        None => Subject::ModuleInstance(call, key),
        Some(Step { kind: StepKind::Attribute(output), range: step }) => {
            range = range.to(*step);
            consumed += 1;
            Subject::ModuleOutput(call, key, output.clone())
        }
        Some(step) => return Err(invalid("Module instance objects do not support this operation.", step.range)),
    };
    Ok(Reference { subject, traversal, consumed, range })
}

/// `data.TYPE.NAME` and its like.
fn prefixed_resource(traversal: &Traversal, mode: Mode) -> Result<Reference<'_>, Diagnostic> {
    let root = &traversal.root;
    let [first, _, ..] = &*traversal.steps else {
        let what = match mode {
            Mode::Data => "the data source type",
            Mode::Managed => "the resource type",
            Mode::Ephemeral => "the ephemeral resource type",
        };
        let detail =
            format!("The {root:?} object must be followed by two attribute names: {what} and the resource name.");
        return Err(invalid(detail, traversal.range));
    };
    match &first.kind {
        StepKind::Attribute(kind) => resource(traversal, mode, kind.clone(), 1),
        _ => Err(invalid(format!("The {root:?} object does not support this operation."), first.range)),
    }
}

/// The name, and perhaps an instance key, after the type; `at` is the index of the name's step.
fn resource(traversal: &Traversal, mode: Mode, kind: Str, at: usize) -> Result<Reference<'_>, Diagnostic> {
    let after = |what: &str| {
        format!(
            "A reference to {what} must be followed by at least one attribute access, specifying the resource name."
        )
    };
    let (name, mut range) = match traversal.steps.get(at) {
        None => return Err(invalid(after("a resource type"), traversal.range)),
        Some(Step { kind: StepKind::Attribute(name), range }) => (name.clone(), traversal.root_range.to(*range)),
        Some(step) => {
            let what = match mode {
                Mode::Data => "a data source",
                Mode::Ephemeral => "an ephemeral resource type",
                Mode::Managed => "a resource type",
            };
            return Err(invalid(after(what), step.range));
        }
    };
    let resource = Resource { mode, kind, name };
    let mut consumed = at + 1;
    let subject = match traversal.steps.get(consumed) {
        None => Subject::Resource(resource),
        Some(step) => match instance_key(step, "resource")? {
            None => Subject::Resource(resource),
            Some(key) => {
                range = range.to(step.range);
                consumed += 1;
                Subject::ResourceInstance(resource, key)
            }
        },
    };
    Ok(Reference { subject, traversal, consumed, range })
}

/// The instance key that a step is, if it is in brackets.
fn instance_key(step: &Step, what: &str) -> Result<Option<InstanceKey>, Diagnostic> {
    match &step.kind {
        StepKind::Attribute(_) => Ok(None),
        StepKind::Key(name) => Ok(Some(InstanceKey::Name(name.clone()))),
        StepKind::Index(number) => match number.to_u64() {
            Some(index) => Ok(Some(InstanceKey::Index(index))),
            None => Err(Diagnostic::error(
                "Invalid index key",
                format!(
                    "Invalid index for {what} instance: value must be a whole number, between {} and {}.",
                    i64::MIN,
                    i64::MAX
                ),
            )
            .at(step.range)),
        },
    }
}

fn invalid(detail: impl Into<String>, range: Range) -> Diagnostic {
    Diagnostic::error("Invalid reference", detail).at(range)
}

#[cfg(test)]
mod tests {
    use lang::Sources;
    use lang::syntax::parse_traversal;

    use super::*;

    fn read(text: &str) -> String {
        let sources = Sources::new();
        let traversal = parse_traversal(&sources, "test", text).expect("a traversal");
        match Reference::parse(&traversal) {
            Ok(found) => format!("{:?} {}..{}", found.subject, found.range.end, found.remaining().len()),
            Err(found) => {
                let range = found.subject().expect("a place");
                format!("{} {}..{}", found.summary(), range.start, range.end)
            }
        }
    }

    #[test]
    fn subjects() {
        for (text, expected) in [
            ("var.a.b", r#"Variable("a") 5..1"#),
            ("each.value", r#"Each("value") 10..0"#),
            ("module.m", r#"Module("m") 8..0"#),
            ("module.m[0]", r#"ModuleInstance("m", Index(0)) 11..0"#),
            (r#"module.m["k"].o.p"#, r#"ModuleOutput("m", Name("k"), "o") 15..1"#),
            ("a.b.c", r#"Resource(Resource { mode: Managed, kind: "a", name: "b" }) 3..1"#),
            ("data.a.b[1].c", r#"ResourceInstance(Resource { mode: Data, kind: "a", name: "b" }, Index(1)) 11..1"#),
            ("resource.var.b", r#"Resource(Resource { mode: Managed, kind: "var", name: "b" }) 14..0"#),
            ("self.id", "SelfObject 4..1"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn a_root_without_a_name_refers_to_the_empty_name_too() {
        let sources = Sources::new();
        let unnamed = |text: &str| {
            let traversal = parse_traversal(&sources, "test", text).expect("a traversal");
            Reference::unnamed(&traversal).map(|reference| (reference.subject, reference.range))
        };
        assert_eq!(unnamed("local"), Some((Subject::Local(Str::default()), Range::LOST)));
        assert_eq!(unnamed("var[0]"), Some((Subject::Variable(Str::default()), Range::LOST)));
        assert_eq!(unnamed("module"), None);
    }

    #[test]
    fn mistakes() {
        for (text, expected) in [
            ("var", "Invalid reference 0..3"),
            ("var[0]", "Invalid reference 3..6"),
            ("aws_vpc", "Invalid reference 0..7"),
            ("data.aws_vpc", "Invalid reference 0..12"),
            ("aws_vpc[0]", "Invalid reference 7..10"),
            ("module.m[0][1]", "Invalid reference 11..14"),
            ("template.x", "Reserved symbol name 0..8"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
