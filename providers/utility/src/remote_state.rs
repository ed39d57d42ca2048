//! `terraform_remote_state`: the outputs of another state.

use lang::{Str, Type};
use sdk::{Attribute, Block, Schema};

/// The name of the type.
pub const NAME: &str = "terraform_remote_state";

/// Its schema.
pub fn schema() -> Schema {
    let attribute = |required, optional, ty| Attribute { required, optional, ..Attribute::new(ty) };
    let attributes = [
        ("backend", attribute(true, false, Type::String)),
        ("config", attribute(false, true, Type::Dynamic)),
        ("defaults", attribute(false, true, Type::Dynamic)),
        ("outputs", Attribute { computed: true, ..Attribute::new(Type::Dynamic) }),
        ("workspace", attribute(false, true, Type::String)),
    ];
    let attributes = attributes.into_iter().map(|(name, attribute)| (Str::new_static(name), attribute));
    Schema { version: 0, block: Block::new(attributes.collect(), Default::default()), ..Schema::default() }
}
