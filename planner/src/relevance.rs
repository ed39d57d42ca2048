//! Which attributes of resources a plan's changes come from: drift there may explain the plan.

use std::collections::{BTreeMap, HashSet};

use config::module::Module;
use config::references::{Reference, Subject};
use lang::Str;
use lang::addr::{InstanceKey, ModuleInstance, Resource};
use lang::ast::{Expr, StepKind, Traversal};
use sdk::Block;

use crate::decode::visit_references;
use crate::plan::{PathElement, RelevantAttribute};
use crate::scope::World;

/// Something in a module that has its value from references.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// An input variable: from the argument of the call.
    Variable(Str),
    /// A local value.
    Local(Str),
    /// An output.
    Output(Str),
    /// A resource, or one of its attributes alone.
    Resource(Resource, Option<Str>),
}

/// The attributes that these refer to, directly or through variables, locals, outputs and other resources.
pub fn relevant_attributes(world: &World<'_>, changed: Vec<(ModuleInstance, Source)>) -> Vec<RelevantAttribute> {
    let mut search = Search { world, open: Vec::new(), seen: HashSet::new(), found: BTreeMap::new() };
    changed.into_iter().for_each(|(module, source)| search.push(module, source));
    while let Some((module, source)) = search.open.pop() {
        search.follow(&module, &source);
    }
    search.found.into_values().collect()
}

struct Search<'a> {
    world: &'a World<'a>,
    open: Vec<(ModuleInstance, Source)>,
    seen: HashSet<(ModuleInstance, Source)>,
    /// In Terraform's order: by module, and then by what is referred to there.
    found: BTreeMap<String, RelevantAttribute>,
}

impl Search<'_> {
    fn push(&mut self, module: ModuleInstance, source: Source) {
        if self.seen.insert((module.clone(), source.clone())) {
            self.open.push((module, source));
        }
    }

    fn follow(&mut self, instance: &ModuleInstance, source: &Source) {
        let world = self.world;
        let Some(module) = world.workspace.config.descendant(&instance.path()) else { return };
        match source {
            Source::Variable(name) => {
                let caller = instance.parent().zip(instance.0.last());
                let Some((caller, (call, _))) = caller else { return };
                let calling = world.workspace.config.descendant(&caller.path());
                let call = calling.and_then(|calling| calling.calls.get(call));
                let arguments = call.map(|call| call.arguments.as_slice()).unwrap_or_default();
                if let Some(argument) = arguments.iter().find(|argument| argument.name == *name) {
                    self.expression(&caller, &argument.expr);
                }
            }
            Source::Local(name) => {
                if let Some(local) = module.locals.get(name) {
                    self.expression(instance, &local.expr);
                }
            }
            Source::Output(name) => {
                if let Some(output) = module.outputs.get(name) {
                    self.expression(instance, &output.value);
                }
            }
            Source::Resource(resource, attribute) => self.resource(instance, module, resource, attribute.as_ref()),
        }
    }

    fn resource(&mut self, instance: &ModuleInstance, module: &Module, resource: &Resource, attribute: Option<&Str>) {
        let Some(block) = module.resources.get(resource) else { return };
        for repetition in [&block.count, &block.for_each].into_iter().flatten() {
            self.expression(instance, repetition);
        }
        let schema = self.world.workspace.providers.block(&block.provider_source, resource);
        let part = schema.zip(attribute).map(|(schema, name)| only(schema, name));
        let mut visit = |traversal: &Traversal| self.reference(instance, traversal);
        visit_references(&block.body, part.as_ref().or(schema), &mut visit);
    }

    fn expression(&mut self, instance: &ModuleInstance, expr: &Expr) {
        expr.traversals().into_iter().for_each(|traversal| self.reference(instance, traversal));
    }

    fn reference(&mut self, module: &ModuleInstance, traversal: &Traversal) {
        let Ok(reference) = Reference::parse(traversal) else { return };
        match &reference.subject {
            Subject::Variable(name) => self.push(module.clone(), Source::Variable(name.clone())),
            Subject::Local(name) => self.push(module.clone(), Source::Local(name.clone())),
            Subject::Resource(resource) => self.attribute(module, resource, &InstanceKey::None, &reference),
            Subject::ResourceInstance(resource, key) => self.attribute(module, resource, key, &reference),
            Subject::ModuleOutput(call, key, output) => self.outputs(module, call, key, Some(output)),
            Subject::ModuleInstance(call, key) => self.outputs(module, call, key, None),
            Subject::Module(call) => self.outputs(module, call, &InstanceKey::None, None),
            Subject::Each(_) | Subject::Count(_) | Subject::Path(_) | Subject::Terraform(_) | Subject::SelfObject => {}
        }
    }

    fn attribute(&mut self, module: &ModuleInstance, resource: &Resource, key: &InstanceKey, reference: &Reference) {
        let dot = if module.is_root() { "" } else { "." };
        let path = reference.remaining().iter().map(|step| match &step.kind {
            StepKind::Attribute(name) | StepKind::Key(name) => PathElement::Name(name.clone()),
            StepKind::Index(index) => PathElement::Index(index.to_u64().unwrap_or_default()),
        });
        let path: Vec<PathElement> = path.collect();
        let first = path.first().and_then(|element| match element {
            PathElement::Name(name) => Some(name.clone()),
            PathElement::Index(_) => None,
        });
        let steps: String = path
            .iter()
            .map(|element| match element {
                PathElement::Name(name) => format!(".{name}"),
                PathElement::Index(index) => format!("[{index}]"),
            })
            .collect();
        let relevant = RelevantAttribute { resource: format!("{module}{dot}{resource}{key}"), path };
        self.found.insert(format!("{module}::{resource}{key}{steps}"), relevant);
        self.push(module.clone(), Source::Resource(resource.clone(), first));
    }

    /// One output of a call's instance, or all of them. As in Terraform a call named whole is its instance without a key.
    fn outputs(&mut self, module: &ModuleInstance, call: &Str, key: &InstanceKey, output: Option<&Str>) {
        let child = module.child(call.clone(), key.clone());
        let Some(called) = self.world.workspace.config.descendant(&child.path()) else { return };
        let names = called.outputs.keys().filter(|name| output.is_none_or(|output| output == *name));
        names.for_each(|name| self.push(child.clone(), Source::Output(name.clone())));
    }
}

/// The part of a schema that one attribute or kind of block makes.
fn only(schema: &Block, name: &Str) -> Block {
    let attributes = schema.attributes.get(name).map(|attribute| (name.clone(), attribute.clone()));
    let blocks = schema.blocks.get(name).map(|block| (name.clone(), block.clone()));
    Block::new(attributes.into_iter().collect::<BTreeMap<_, _>>(), blocks.into_iter().collect::<BTreeMap<_, _>>())
}
