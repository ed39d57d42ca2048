//! The providers that are linked in.

use planner::ProviderRegistry;
use sdk::Schema;

use crate::render::Schemas;

/// The schemas of a registry, for rendering.
pub struct RegistrySchemas<'a>(pub &'a ProviderRegistry);

impl Schemas for RegistrySchemas<'_> {
    fn schema(&self, provider: &str, data: bool, type_name: &str) -> Option<&Schema> {
        let provider = self.0.get(&provider.parse().ok()?)?;
        let schema = provider.schema();
        if data { schema.data_sources.get(type_name) } else { schema.resources.get(type_name) }
    }
}
