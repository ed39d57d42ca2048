//! Puts the blocks of a module's files together: what may be there once only, and what belongs together.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use lang::addr::ModulePath;
use lang::ast::Block;
use lang::{Diagnostic, Diagnostics, Range};

use crate::addresses::AbsoluteAddress;
use crate::loader::{ModuleFiles, insert_new};
use crate::module::{Backend, Import, Module, ResourceBlock};
use crate::provider_source::implied_provider;
use crate::reader::Reader;
use crate::terraform_block::Settings;
use crate::variables::BAD_DEFAULT;

/// Reads all blocks of a module.
pub(crate) fn assemble(reader: &mut Reader<'_>, files: ModuleFiles, dir: PathBuf, path: ModulePath) -> Module {
    let mut assembly = Assembly {
        module: Module {
            path,
            dir,
            required_versions: Vec::new(),
            required_providers: BTreeMap::new(),
            backend: None,
            encryption: Vec::new(),
            providers: BTreeMap::new(),
            variables: BTreeMap::new(),
            locals: BTreeMap::new(),
            outputs: BTreeMap::new(),
            calls: BTreeMap::new(),
            resources: BTreeMap::new(),
            moved: Vec::new(),
            removed: Vec::new(),
            imports: Vec::new(),
            checks: BTreeMap::new(),
            children: BTreeMap::new(),
        },
        cloud: None,
        // Mistakes inside of blocks come first.
        duplicates: Diagnostics::new(),
    };
    assembly.settings(reader, files.settings);
    assembly.override_settings(reader, files.overrides);
    for (index, block) in files.blocks.blocks.iter().enumerate() {
        let before = reader.diagnostics.len();
        assembly.block(reader, block);
        if let Some(place) = files.blocks.changed_by(index) {
            let messages = reader.diagnostics.split_off(before);
            // Of the blocks together nothing is new but a default value of one that the type of the other doesn't take.
            let new = |message: &Diagnostic| {
                let is_same = |told: &Diagnostic| told.summary() == BAD_DEFAULT && told.subject() == message.subject();
                message.summary() == BAD_DEFAULT && !reader.diagnostics.iter().any(is_same)
            };
            let messages: Vec<Diagnostic> = messages.into_iter().filter(new).map(|message| message.at(place)).collect();
            reader.diagnostics.extend(messages);
        }
    }
    let Assembly { mut module, duplicates, .. } = assembly;
    reader.diagnostics.append(duplicates);
    let sources: Vec<_> = module
        .resources
        .values()
        .map(|resource| {
            let implied = implied_provider(&resource.address);
            module.provider_source(resource.provider.as_ref().map_or(&implied, |provider| &provider.name))
        })
        .collect();
    for (resource, source) in module.resources.values_mut().zip(sources) {
        Arc::make_mut(resource).provider_source = source;
    }
    module
}

struct Assembly {
    module: Module,
    /// The `cloud` block; ends up as the module's backend.
    cloud: Option<Backend>,
    duplicates: Diagnostics,
}

impl Assembly {
    fn duplicate(&mut self, summary: impl Into<String>, detail: String, at: Range) {
        self.duplicates.push(Diagnostic::error(summary, detail).at(at));
    }

    fn settings(&mut self, reader: &Reader<'_>, files: Vec<Settings>) {
        let mut required: Option<Range> = None;
        for file in files {
            self.module.required_versions.extend(file.required_versions);
            for block in file.required_providers {
                if let Some(first) = required {
                    let detail = format!(
                        "A module may have only one required providers configuration. The required providers were \
                         previously configured at {}.",
                        reader.place(first)
                    );
                    self.duplicate("Duplicate required providers configuration", detail, block.range);
                    continue;
                }
                required = Some(block.range);
                self.module.required_providers = block.entries;
            }
            for backend in file.backends {
                if let Some(first) = &self.module.backend {
                    let detail = format!(
                        "A module may have only one backend configuration. The backend was previously configured at {}.",
                        reader.place(first.range)
                    );
                    self.duplicate("Duplicate backend configuration", detail, backend.range);
                    continue;
                }
                self.module.backend = Some(backend);
            }
            for encryption in file.encryptions {
                if let Some(first) = self.module.encryption.first() {
                    let detail = format!(
                        "A module may have only one encryption configuration. Encryption was previously configured at {}.",
                        reader.place(first.range)
                    );
                    self.duplicate("Duplicate encryption configuration", detail, encryption.range);
                    continue;
                }
                self.module.encryption.push(encryption);
            }
            for cloud in file.clouds {
                if let Some(first) = &self.cloud {
                    let detail = format!(
                        "A module may have only one 'cloud' block configuring HCP Terraform or Terraform Enterprise. \
                         The 'cloud' block was previously configured at {}.",
                        reader.place(first.range)
                    );
                    self.duplicate("Duplicate HCP Terraform configurations", detail, cloud.range);
                    continue;
                }
                self.cloud = Some(cloud);
            }
        }
        if let (Some(backend), Some(cloud)) = (&self.module.backend, &self.cloud) {
            let detail = format!(
                "A module may declare either one 'cloud' block OR one 'backend' block configuring a state backend. The \
                 'cloud' block is configured at {}; a backend is configured at {}. Remove the backend block to \
                 configure HCP Terraform or Terraform Enteprise.",
                reader.place(cloud.range),
                reader.place(backend.range)
            );
            let at = backend.range;
            self.duplicate("Both a backend and cloud configuration are present", detail, at);
        }
        if self.module.backend.is_none() {
            self.module.backend = self.cloud.take();
        }
    }

    fn override_settings(&mut self, reader: &Reader<'_>, files: Vec<Settings>) {
        for file in files {
            for block in file.required_providers {
                self.module.required_providers.extend(block.entries);
            }
            if !file.required_versions.is_empty() {
                self.module.required_versions = file.required_versions;
            }
            let mut encryptions = file.encryptions.into_iter();
            let first = encryptions.next();
            if let (Some(first), Some(second)) = (&first, encryptions.next()) {
                let detail = format!(
                    "Each override file may have only one encryption configuration. Encryption was previously configured at \
                     {}.",
                    reader.place(first.range)
                );
                self.duplicate("Duplicate encryption configuration", detail, second.range);
            }
            self.module.encryption.extend(first);
            for (blocks, summary, what) in [
                (file.backends, "Duplicate backend configuration", "backend configuration. A backend"),
                (file.clouds, "Duplicate HCP Terraform configurations", "'cloud' block. A 'cloud' block"),
            ] {
                let mut blocks = blocks.into_iter();
                let Some(first) = blocks.next() else { continue };
                if let Some(second) = blocks.next() {
                    let place = reader.place(first.range);
                    let detail =
                        format!("Each override file may have only one {what} was previously configured at {place}.");
                    self.duplicate(summary, detail, second.range);
                    continue;
                }
                self.module.backend = Some(first);
            }
        }
    }

    fn block(&mut self, reader: &mut Reader<'_>, block: &Block) {
        match block.kind.as_str() {
            "provider" => self.provider(reader, block),
            "variable" => {
                let Some(variable) = reader.variable(block) else { return };
                let (name, at) = (variable.name.clone(), variable.range);
                if let Some(first) = insert_new(&mut self.module.variables, name.clone(), variable) {
                    let place = reader.place(first.range);
                    let detail = format!(
                        "A variable named {name:?} was already declared at {place}. Variable names must be unique \
                         within a module."
                    );
                    self.duplicate("Duplicate variable declaration", detail, at);
                }
            }
            "locals" => {
                for local in reader.locals(block) {
                    let (name, at) = (local.name.clone(), local.range);
                    if let Some(first) = insert_new(&mut self.module.locals, name.clone(), local) {
                        let place = reader.place(first.range);
                        let detail = format!(
                            "A local value named {name:?} was already defined at {place}. Local value names must be \
                             unique within a module."
                        );
                        self.duplicate("Duplicate local value definition", detail, at);
                    }
                }
            }
            "output" => {
                let Some(output) = reader.output(block) else { return };
                let (name, at) = (output.name.clone(), output.range);
                if let Some(first) = insert_new(&mut self.module.outputs, name.clone(), output) {
                    let place = reader.place(first.range);
                    let detail = format!(
                        "An output named {name:?} was already defined at {place}. Output names must be unique within a \
                         module."
                    );
                    self.duplicate("Duplicate output definition", detail, at);
                }
            }
            "module" => {
                let Some(call) = reader.module_call(block) else { return };
                let (name, at) = (call.name.clone(), call.range);
                if let Some(first) = insert_new(&mut self.module.calls, name.clone(), call) {
                    let place = reader.place(first.range);
                    let detail = format!(
                        "A module call named {name:?} was already defined at {place}. Module calls must have unique \
                         names within a module."
                    );
                    self.duplicate("Duplicate module call", detail, at);
                }
            }
            "resource" => {
                if let Some(resource) = reader.managed_resource(block) {
                    self.resource(reader, resource, "resource", "");
                }
            }
            "data" => {
                if let Some(resource) = reader.data_source(block) {
                    self.resource(reader, resource, "data", "");
                }
            }
            "ephemeral" => {
                if let Some(resource) = reader.ephemeral_resource(block) {
                    self.resource(reader, resource, "ephemeral", "");
                }
            }
            "moved" => self.module.moved.extend(reader.moved(block)),
            "removed" => self.module.removed.extend(reader.removed(block)),
            "import" => self.import(reader, block),
            "check" => self.check(reader, block),
            _ => {}
        }
    }

    fn provider(&mut self, reader: &mut Reader<'_>, block: &Block) {
        let Some(provider) = reader.provider(block) else { return };
        let (name, alias, at) = (provider.name.clone(), provider.alias.clone(), provider.range);
        let Some(first) = insert_new(&mut self.module.providers, (name.clone(), alias.clone()), provider) else {
            return;
        };
        let place = reader.place(first.range);
        let detail = match alias {
            None => format!(
                "A default (non-aliased) provider configuration for {name:?} was already given at {place}. If multiple \
                 configurations are required, set the \"alias\" argument for alternative configurations."
            ),
            Some(alias) => format!(
                "A provider configuration for {name:?} with alias {alias:?} was already given at {place}. Each \
                 configuration for the same provider must have a distinct alias."
            ),
        };
        self.duplicate("Duplicate provider configuration", detail, at);
    }

    /// Whether the resource is the first of its name.
    fn resource(&mut self, reader: &Reader<'_>, resource: ResourceBlock, what: &str, where_else: &str) -> bool {
        let (address, at) = (resource.address.clone(), resource.range);
        let Some(first) = insert_new(&mut self.module.resources, address.clone(), Arc::new(resource)) else {
            return true;
        };
        let place = reader.place(first.range);
        let noun = if what == "resource" { "resource".to_owned() } else { format!("{what} resource") };
        let detail = format!(
            "A {} {noun} named {:?} was already declared at {place}. Resource names must be unique per type in each \
             module{where_else}.",
            address.kind, address.name
        );
        self.duplicate(format!("Duplicate {what} {:?} configuration", address.kind), detail, at);
        false
    }

    fn check(&mut self, reader: &mut Reader<'_>, block: &Block) {
        let Some((check, data)) = reader.check(block) else { return };
        if let Some(data) = data
            && !self.resource(reader, data, "data", ", including within check blocks")
        {
            return;
        }
        let (name, at) = (check.name.clone(), check.range);
        if let Some(first) = insert_new(&mut self.module.checks, name.clone(), check) {
            let place = reader.place(first.range);
            let detail = format!(
                "A check block named {name:?} was already declared at {place}. Check blocks must be unique within each \
                 module."
            );
            self.duplicate(format!("Duplicate check {name:?} configuration"), detail, at);
        }
    }

    fn import(&mut self, reader: &mut Reader<'_>, block: &Block) {
        let Some(import) = reader.import(block) else { return };
        if let Some(target) = static_target(&import) {
            let same: Vec<Range> = self
                .module
                .imports
                .iter()
                .filter(|other| static_target(other).as_ref() == Some(&target))
                .map(|other| other.range)
                .collect();
            for first in same {
                let detail = format!(
                    "An import block for the resource {:?} was already declared at {}. A resource can have only one \
                     import block.",
                    import.resource.to_string(),
                    reader.place(first)
                );
                let summary = format!("Duplicate import configuration for {:?}", import.resource.to_string());
                self.duplicate(summary, detail, import.to.range);
            }
        }
        self.module.imports.push(import);
    }
}

/// The instance that is imported, where its keys are written out.
fn static_target(import: &Import) -> Option<AbsoluteAddress> {
    AbsoluteAddress::parse(&import.to.as_traversal()?).ok()
}
