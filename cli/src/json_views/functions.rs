//! Signatures of functions.

use lang::functions::{CallContext, Function, Param, table};
use serde::Serialize;
use serde_json::Value as Json;

/// What a function takes and returns, in a diagnostic.
#[derive(Clone, Debug, Serialize)]
pub struct Signature {
    /// The name without a namespace.
    pub name: &'static str,
    /// The parameters.
    pub params: Vec<Parameter>,
    /// What any further arguments are for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variadic_param: Option<Parameter>,
    /// The type of the result, as far as it is the same for all calls.
    pub return_type: Json,
}

/// A parameter.
#[derive(Clone, Debug, Serialize)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: Json,
}

impl Signature {
    /// That of a function.
    pub fn of(function: &Function) -> Signature {
        let parameter = |param: &Param| Parameter { name: param.name, ty: param.ty.to_json() };
        Signature {
            name: function.name,
            params: function.params.iter().map(parameter).collect(),
            variadic_param: function.variadic.as_ref().map(parameter),
            return_type: function.signature_type(&table(CallContext::default())).to_json(),
        }
    }

    /// The names of the parameters, as in a call.
    pub fn parameters(&self) -> String {
        let mut names: Vec<String> = self.params.iter().map(|param| param.name.to_owned()).collect();
        names.extend(self.variadic_param.as_ref().map(|param| format!("{}...", param.name)));
        names.join(", ")
    }
}
