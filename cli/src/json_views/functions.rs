//! Signatures of functions.

use lang::Type;
use lang::functions::{CallContext, Function, Param, Special, table};
use serde::Serialize;
use serde_json::{Map, Value as Json};

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

/// What a function takes and returns, in `metadata functions -json` and `providers schema -json`.
pub fn declaration(function: &Function, return_type: &Type) -> Json {
    let parameter = |param: &Param| {
        let mut document = Map::new();
        document.insert("name".to_owned(), param.name.into());
        if !param.description.is_empty() {
            document.insert("description".to_owned(), param.description.into());
        }
        // A template is a string, though the call takes the reference that names it, whatever its value.
        let is_template = function.special == Some(Special::TemplateString) && param.name == "template";
        if param.allow_null && !is_template {
            document.insert("is_nullable".to_owned(), true.into());
        }
        document.insert("type".to_owned(), if is_template { Type::String } else { param.ty.clone() }.to_json());
        Json::Object(document)
    };
    let mut document = Map::new();
    document.insert("description".to_owned(), function.description.into());
    document.insert("return_type".to_owned(), return_type.to_json());
    if !function.params.is_empty() {
        document.insert("parameters".to_owned(), function.params.iter().map(parameter).collect());
    }
    if let Some(variadic) = &function.variadic {
        document.insert("variadic_parameter".to_owned(), parameter(variadic));
    }
    document.into()
}
