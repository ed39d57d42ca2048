//! Schemas: names, types and flags of what a resource type, data source or provider configuration holds.
//!
//! The vocabulary is that of Terraform's plugin protocol 5: attributes have a type, blocks nest.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use lang::{Str, Type, Value};

use crate::checks::{Check, Rule};

/// The schema of one resource type, data source or provider configuration.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// Grows when stored attributes need an upgrade.
    pub version: u64,
    /// What it holds.
    pub block: Block,
    /// Whose planning rules it follows. Not part of the protocol's schema.
    pub semantics: Semantics,
}

/// A block: attributes and nested blocks.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// Attributes by name.
    pub attributes: BTreeMap<Str, Attribute>,
    /// Nested blocks by name.
    pub blocks: BTreeMap<Str, NestedBlock>,
    /// Using it is warned about; the text says what to use instead.
    pub deprecated: Option<Str>,
    /// Which arguments exclude or need each other. Not part of the protocol's schema.
    pub rules: Vec<Rule>,
    implied: OnceLock<Type>,
}

/// An attribute.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Its type.
    pub ty: Type,
    /// It must be set.
    pub required: bool,
    /// It may be set.
    pub optional: bool,
    /// The provider may set it.
    pub computed: bool,
    /// It is never shown.
    pub sensitive: bool,
    /// It is never stored.
    pub write_only: bool,
    /// Using it is warned about; the text says what to use instead.
    pub deprecated: Option<Str>,
    /// A change replaces the object. Not part of the protocol's schema: used by the sdk's planning.
    pub force_new: bool,
    /// What the provider plans when it is not set. Not part of the protocol's schema either.
    pub default: Option<Value>,
    /// Two values that mean the same though they differ; then the prior one stays. Gets prior and configured value, both
    /// known and not null.
    pub equivalent: Option<Equivalent>,
    /// How a known configured value is written before it is planned and stored (`StateFunc`): JSON without white space,
    /// for instance.
    pub normalize: Option<fn(Value) -> Value>,
    /// What a configured value must be. Not part of the protocol's schema.
    pub checks: Vec<Check>,
    /// An update keeps the prior value although it is computed (`UseStateForUnknown`). Only read for
    /// [`Semantics::Framework`]: the legacy SDK always keeps it.
    pub keep_prior: bool,
    /// For attributes whose type is a collection of objects that the SDK treats like blocks (`ingress` of
    /// `aws_security_group`): what such an object holds, with its flags.
    pub nested: Option<Arc<Block>>,
}

/// Tells whether a prior and a configured value mean the same.
pub type Equivalent = fn(prior: &Value, configured: &Value) -> bool;

/// Whose planning rules a resource type of Terraform's provider follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Semantics {
    /// terraform-plugin-sdk v2: null and empty are nearly the same, computed attributes keep their prior values.
    #[default]
    Legacy,
    /// terraform-plugin-framework: null is not empty; computed attributes become unknown in every update unless they
    /// [`Attribute::keep_prior`].
    Framework,
}

impl Attribute {
    /// An attribute without any flag.
    pub fn new(ty: Type) -> Attribute {
        Attribute {
            ty,
            required: false,
            optional: false,
            computed: false,
            sensitive: false,
            write_only: false,
            deprecated: None,
            force_new: false,
            default: None,
            equivalent: None,
            normalize: None,
            checks: Vec::new(),
            keep_prior: false,
            nested: None,
        }
    }
}

/// How a nested block nests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// At most one; an object or null.
    Single,
    /// At most one; an object, never null.
    Group,
    /// A list of objects.
    List,
    /// A set of objects.
    Set,
    /// A map of objects by label.
    Map,
}

/// A nested block.
#[derive(Clone, Debug)]
pub struct NestedBlock {
    /// How it nests.
    pub nesting: Nesting,
    /// Least number of blocks.
    pub min: u32,
    /// Greatest number of blocks; 0: no limit.
    pub max: u32,
    /// The provider fills it in when it is not set (`optional` and `computed` in the SDK's words). Not in the protocol.
    pub computed: bool,
    /// Adding or removing one replaces the object. Not in the protocol.
    pub force_new: bool,
    /// What a block holds.
    pub block: Block,
}

/// Everything that a provider offers.
#[derive(Clone, Debug, Default)]
pub struct ProviderSchema {
    /// Its configuration.
    pub provider: Schema,
    /// Managed resource types.
    pub resources: BTreeMap<Str, Schema>,
    /// Data sources.
    pub data_sources: BTreeMap<Str, Schema>,
    /// Ephemeral resource types.
    pub ephemeral_resources: BTreeMap<Str, Schema>,
}

impl Block {
    /// A block of attributes and nested blocks.
    pub fn new(attributes: BTreeMap<Str, Attribute>, blocks: BTreeMap<Str, NestedBlock>) -> Block {
        Block { attributes, blocks, deprecated: None, rules: Vec::new(), implied: OnceLock::new() }
    }

    /// The object type of the values that conform to this block. Computed once.
    pub fn implied_type(&self) -> &Type {
        self.implied.get_or_init(|| {
            let attributes = self.attributes.iter().map(|(name, attribute)| (name.clone(), attribute.ty.clone()));
            let blocks = self.blocks.iter().map(|(name, nested)| (name.clone(), nested.implied_type()));
            Type::object(attributes.chain(blocks))
        })
    }
}

impl NestedBlock {
    /// The type of the attribute that holds these blocks.
    pub fn implied_type(&self) -> Type {
        let object = self.block.implied_type().clone();
        match self.nesting {
            Nesting::Single | Nesting::Group => object,
            // Blocks whose attributes have no fixed type can't share an element type.
            Nesting::List if object.has_dynamic() => Type::Dynamic,
            Nesting::Map if object.has_dynamic() => Type::Dynamic,
            Nesting::List => Type::list(object),
            Nesting::Set => Type::set(object),
            Nesting::Map => Type::map(object),
        }
    }
}
