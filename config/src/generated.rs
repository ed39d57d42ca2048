//! Configuration that the program wrote itself.

use std::path::Path;

use lang::syntax::parse_file;
use lang::{Diagnostics, Sources};

use crate::module::{Module, ResourceBlock};
use crate::provider_source::implied_provider;
use crate::reader::{Reader, schema};

/// Reads a text that holds one `resource` block, as a part of `module`. `name` is the file as messages show it.
pub fn read_resource(
    module: &Module,
    sources: &Sources,
    name: &Path,
    text: &str,
    diagnostics: &mut Diagnostics,
) -> Option<ResourceBlock> {
    let (body, _, problems) = parse_file(sources, name, text.as_bytes());
    let failed = problems.has_errors();
    diagnostics.append(problems);
    if failed {
        return None;
    }
    let mut reader = Reader::new(sources);
    let content = reader.content(&body, &schema(&[], &[("resource", &["type", "name"])]));
    let block = content.blocks("resource").next().and_then(|block| reader.managed_resource(block));
    diagnostics.append(reader.diagnostics);
    let mut block = block?;
    let implied = implied_provider(&block.address);
    block.provider_source = module.provider_source(block.provider.as_ref().map_or(&implied, |provider| &provider.name));
    Some(block)
}
