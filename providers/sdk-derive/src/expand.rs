//! From what is known of a struct to the implementation.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Expr, Lit};

use crate::parse::{Attribute, Block, Kind, Member, Model};

pub(crate) fn model(model: &Model) -> TokenStream {
    let name = &model.name;
    let version = model.version;
    let semantics = if model.framework { quote!(Framework) } else { quote!(Legacy) };
    let deprecated = model.deprecated.iter();
    let rules = model.rules.iter().map(|rule| {
        let (variant, names) = (format_ident!("{}", rule.variant), &rule.names);
        quote!(::sdk::Rule::#variant(&[#(#names),*]))
    });
    let schemas = model.members.iter().map(schema);
    let reads = model.members.iter().map(read);
    let writes = model.members.iter().map(write);
    let types = model.members.iter().map(member_type);
    quote! {
        #[automatically_derived]
        impl ::sdk::Model for #name {
            const VERSION: u64 = #version;
            const SEMANTICS: ::sdk::Semantics = ::sdk::Semantics::#semantics;

            fn block() -> ::sdk::Block {
                let mut attributes = ::std::collections::BTreeMap::new();
                let mut blocks: ::std::collections::BTreeMap<::sdk::Str, ::sdk::NestedBlock> =
                    ::std::collections::BTreeMap::new();
                #(#schemas)*
                let mut block = ::sdk::Block::new(attributes, blocks);
                #(block.deprecated = ::std::option::Option::Some(::sdk::Str::new_static(#deprecated));)*
                block.rules = ::std::vec![#(#rules),*];
                block
            }

            fn from_value(value: &::sdk::Value) -> ::std::result::Result<Self, ::sdk::model::ModelError> {
                ::std::result::Result::Ok(Self { #(#reads),* })
            }

            fn to_value(&self) -> ::sdk::Value {
                ::sdk::Value::object([#(#writes),*])
            }
        }

        #[automatically_derived]
        impl ::sdk::model::Field for #name {
            fn ty() -> ::sdk::Type {
                ::sdk::Type::object([#(#types),*])
            }

            fn nested() -> ::std::option::Option<::sdk::Block> {
                ::std::option::Option::Some(<Self as ::sdk::Model>::block())
            }

            fn from_field(value: &::sdk::Value) -> ::std::result::Result<Self, ::sdk::model::ModelError> {
                <Self as ::sdk::Model>::from_value(value)
            }

            fn to_field(&self) -> ::sdk::Value {
                <Self as ::sdk::Model>::to_value(self)
            }
        }

        #[automatically_derived]
        impl ::sdk::model::BlockField for #name {
            type Element = Self;

            fn from_elements(
                elements: ::std::vec::Vec<Self>,
            ) -> ::std::result::Result<Self, ::sdk::model::ModelError> {
                ::std::result::Result::Ok(elements.into_iter().next().unwrap_or_default())
            }

            fn elements(&self) -> ::std::vec::Vec<&Self> {
                ::std::vec![self]
            }
        }
    }
}

fn schema(member: &Member) -> TokenStream {
    let name = &member.name;
    let ty = &member.ty;
    match &member.kind {
        Kind::Attribute(attribute) => {
            let base = if attribute.set {
                quote!(::sdk::model::set_attribute::<#ty>())
            } else {
                quote!(::sdk::model::attribute::<#ty>())
            };
            let flags = flags(attribute);
            quote! {
                let mut attribute = #base;
                #flags
                attributes.insert(::sdk::Str::new_static(#name), attribute);
            }
        }
        Kind::Block(Block { nesting, min, max, computed, force_new }) => {
            let nesting = nesting_variant(nesting.as_ref());
            quote! {
                blocks.insert(::sdk::Str::new_static(#name), ::sdk::NestedBlock {
                    nesting: ::sdk::Nesting::#nesting,
                    min: #min,
                    max: #max,
                    computed: #computed,
                    force_new: #force_new,
                    block: <<#ty as ::sdk::model::BlockField>::Element as ::sdk::Model>::block(),
                });
            }
        }
        Kind::Timeouts(operations) => quote! {
            blocks.insert(::sdk::Str::new_static(#name), ::sdk::timeouts::block(&[#(#operations),*]));
        },
    }
}

fn flags(attribute: &Attribute) -> TokenStream {
    let mut tokens = TokenStream::new();
    for (set, name) in [
        (attribute.required, "required"),
        (attribute.optional, "optional"),
        (attribute.computed, "computed"),
        (attribute.force_new, "force_new"),
        (attribute.sensitive, "sensitive"),
        (attribute.write_only, "write_only"),
        (attribute.keep_prior, "keep_prior"),
    ] {
        if set {
            let name = format_ident!("{name}");
            tokens.extend(quote!(attribute.#name = true;));
        }
    }
    if let Some(default) = &attribute.default {
        let value = default_value(default);
        tokens.extend(quote!(attribute.default = ::std::option::Option::Some(#value);));
    }
    if let Some(text) = &attribute.deprecated {
        tokens.extend(quote!(attribute.deprecated = ::std::option::Option::Some(::sdk::Str::new_static(#text));));
    }
    if let Some(path) = &attribute.equivalent {
        tokens.extend(quote!(attribute.equivalent = ::std::option::Option::Some(#path);));
    }
    if !attribute.checks.is_empty() {
        let checks = &attribute.checks;
        tokens.extend(quote!(attribute.checks = ::std::vec![#(#checks),*];));
    }
    if let Some(path) = &attribute.normalize {
        tokens.extend(quote!(attribute.normalize = ::std::option::Option::Some(#path);));
    }
    tokens
}

/// Literals become values directly; anything else is an expression of type `Value`.
fn default_value(default: &Expr) -> TokenStream {
    match default {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => quote!(::sdk::Value::string(#text)),
            Lit::Bool(flag) => quote!(::sdk::Value::bool(#flag)),
            Lit::Int(number) => quote!(::sdk::Value::number(#number as i64)),
            _ => quote!(#default),
        },
        _ => quote!(#default),
    }
}

fn read(member: &Member) -> TokenStream {
    let field = &member.field;
    let name = &member.name;
    let read = match &member.kind {
        Kind::Attribute(attribute) if attribute.set => quote!(::sdk::model::read_set(value, #name)?),
        Kind::Attribute(_) => quote!(::sdk::model::read(value, #name)?),
        Kind::Block(block) => {
            let nesting = nesting_variant(block.nesting.as_ref());
            quote!(::sdk::model::read_blocks(value, #name, ::sdk::Nesting::#nesting)?)
        }
        Kind::Timeouts(_) => quote!(::sdk::timeouts::Timeouts::from_object(value, #name)),
    };
    quote!(#field: #read)
}

fn write(member: &Member) -> TokenStream {
    let field = &member.field;
    let name = &member.name;
    let value = match &member.kind {
        Kind::Attribute(attribute) if attribute.set => quote!(::sdk::model::SetField::to_set(&self.#field)),
        Kind::Attribute(_) => quote!(::sdk::model::Field::to_field(&self.#field)),
        Kind::Block(block) => {
            let nesting = nesting_variant(block.nesting.as_ref());
            quote!(::sdk::model::write_blocks(&self.#field, ::sdk::Nesting::#nesting))
        }
        Kind::Timeouts(operations) => quote!(self.#field.to_value(&[#(#operations),*])),
    };
    quote!((::sdk::Str::new_static(#name), #value))
}

fn member_type(member: &Member) -> TokenStream {
    let name = &member.name;
    let ty = &member.ty;
    let value = match &member.kind {
        Kind::Attribute(attribute) if attribute.set => quote!(<#ty as ::sdk::model::SetField>::set_type()),
        Kind::Attribute(_) => quote!(<#ty as ::sdk::model::Field>::ty()),
        Kind::Block(block) => {
            let nesting = nesting_variant(block.nesting.as_ref());
            quote!(::sdk::model::blocks_type::<#ty>(::sdk::Nesting::#nesting))
        }
        Kind::Timeouts(operations) => {
            quote!(::sdk::timeouts::block(&[#(#operations),*]).implied_type())
        }
    };
    quote!((::sdk::Str::new_static(#name), #value))
}

fn nesting_variant(nesting: Option<&syn::Ident>) -> syn::Ident {
    let variant = match nesting.map(ToString::to_string).as_deref() {
        Some("set") => "Set",
        Some("single") => "Single",
        _ => "List",
    };
    format_ident!("{variant}")
}
