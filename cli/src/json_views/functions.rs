//! Signatures of functions, as far as all views show them alike.

use lang::Type;
use lang::functions::{CallContext, Function, FunctionTable, Param, Special, table};
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
        let parameter = |param: &Param| Parameter { name: param.name, ty: parameter_type(function, param) };
        Signature {
            name: function.name,
            params: function.params.iter().map(parameter).collect(),
            variadic_param: function.variadic.as_ref().map(parameter),
            return_type: return_type(function, &table(CallContext::default())),
        }
    }

    /// The names of the parameters, as in a call.
    pub fn parameters(&self) -> String {
        let mut names: Vec<String> = self.params.iter().map(|param| param.name.to_owned()).collect();
        names.extend(self.variadic_param.as_ref().map(|param| format!("{}...", param.name)));
        names.join(", ")
    }
}

/// Whether a parameter is the one for a template: a string, though the call takes the reference that names it, whatever its
/// value.
pub fn is_template(function: &Function, param: &Param) -> bool {
    function.special == Some(Special::TemplateString) && param.name == "template"
}

/// The type that an argument is converted to.
pub fn parameter_type(function: &Function, param: &Param) -> Json {
    if is_template(function, param) { Type::String.to_json() } else { param.ty.to_json() }
}

/// The type of the result of a call with unknown arguments.
pub fn return_type(function: &Function, table: &dyn FunctionTable) -> Json {
    match function.special {
        Some(Special::TemplateString) => Type::String.to_json(),
        _ => function.signature_type(table).to_json(),
    }
}
