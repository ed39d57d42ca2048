//! `#[derive(Model)]`: a struct as schema and as a conversion from and to values.
//!
//! The attributes are documented at `sdk::Model`, beside the trait that the derive implements.

use proc_macro::TokenStream;

mod expand;
mod parse;

/// Implements `sdk::Model` and `sdk::model::Field` for a struct with named fields.
#[proc_macro_derive(Model, attributes(model, attr, block, timeouts))]
pub fn derive_model(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    parse::model(&input).map_or_else(syn::Error::into_compile_error, |model| expand::model(&model)).into()
}
