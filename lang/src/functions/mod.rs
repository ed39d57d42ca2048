//! The functions of the language: their signatures, the rules every call follows, and the table of all of them.
//!
//! One file per family. A function is data (parameters, descriptions, how the type of the result follows from the
//! arguments) and an implementation; what is common to all calls (null, unknown and marked arguments) is done once, in
//! [`Function::call`], by the rules of cty's function calls.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use crate::types::Type;
use crate::values::{Marks, Value};

mod arguments;
mod base64_text;
mod charset;
mod cidr;
mod conversion;
mod csv;
mod dates;
mod encoding;
mod files;
mod float;
mod format;
mod glob;
mod gzip;
mod hashes;
mod json;
mod json_decode;
mod maps;
mod numeric;
mod paths;
mod pattern;
mod regex;
mod sequences;
mod sets;
mod strings;
mod templates;
pub mod terraform;
mod text;
mod yaml_decode;
mod yaml_encode;

/// What an implementation is: arguments, the type the result was said to have, and the table the call was made through.
pub type Implementation = dyn Fn(&[Value], &Type, &dyn FunctionTable) -> Result<Value, CallError> + Send + Sync;

/// How the type of a result follows from the arguments, of which any may be unknown.
pub type ResultType = dyn Fn(&[Value], &dyn FunctionTable) -> Result<Type, CallError> + Send + Sync;

/// A function of the language.
pub struct Function {
    /// Its name, without a namespace.
    pub name: &'static str,
    /// What it does, one or two sentences.
    pub description: &'static str,
    /// The parameters that every call must give.
    pub params: Vec<Param>,
    /// What all further arguments are; without it there may be none.
    pub variadic: Option<Param>,
    /// Set where the evaluator must not simply evaluate the arguments.
    pub special: Option<Special>,
    returns: Returns,
    not_null: bool,
    purity: Purity,
    implementation: Box<Implementation>,
}

/// Functions that look at their argument expressions. The evaluator does `Try` and `Can` by itself; for
/// `TemplateString` it checks the form of the first argument before it calls the function with the argument's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// `try`: the first argument that can be evaluated.
    Try,
    /// `can`: whether the argument can be evaluated.
    Can,
    /// `templatestring`: the first argument must be a plain reference.
    TemplateString,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purity {
    Pure,
    /// Unknown while planning, because another call would give another result.
    Impure,
}

enum Returns {
    Always(Type),
    Depends(Box<ResultType>),
}

/// A parameter.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its name, as messages show it.
    pub name: &'static str,
    /// What the caller converts the argument to; [`Type::Dynamic`] leaves it as it is.
    pub ty: Type,
    /// What the argument means; may be empty.
    pub description: &'static str,
    /// Whether the argument may be null.
    pub allow_null: bool,
    /// Whether the implementation sees an unknown argument; otherwise the result is unknown.
    pub allow_unknown: bool,
    /// Whether the implementation sees an argument whose type is unknown.
    pub allow_dynamic: bool,
    /// Whether the implementation sees marks; otherwise they are taken off and put on the result.
    pub allow_marked: bool,
}

impl Param {
    /// A parameter that allows nothing special.
    pub fn new(name: &'static str, ty: Type) -> Param {
        Param {
            name,
            ty,
            description: "",
            allow_null: false,
            allow_unknown: false,
            allow_dynamic: false,
            allow_marked: false,
        }
    }

    /// Says what the argument means.
    #[must_use]
    pub fn about(self, description: &'static str) -> Param {
        Param { description, ..self }
    }

    /// Allows null.
    #[must_use]
    pub fn null(self) -> Param {
        Param { allow_null: true, ..self }
    }

    /// Allows unknown values.
    #[must_use]
    pub fn unknown(self) -> Param {
        Param { allow_unknown: true, ..self }
    }

    /// Allows values of unknown type.
    #[must_use]
    pub fn dynamic(self) -> Param {
        Param { allow_dynamic: true, ..self }
    }

    /// Allows marks.
    #[must_use]
    pub fn marked(self) -> Param {
        Param { allow_marked: true, ..self }
    }
}

/// Why a call failed. `Display` is the message alone; which argument is to blame is for the caller to say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CallError {
    /// The argument (from 0) that is to blame, if it is one.
    pub argument: Option<usize>,
    /// What is wrong, lower case, without a full stop.
    pub message: String,
}

impl CallError {
    /// The call as a whole failed.
    pub fn new(message: impl fmt::Display) -> CallError {
        CallError { argument: None, message: message.to_string() }
    }

    /// Argument `argument` (from 0) is to blame.
    pub fn argument(argument: usize, message: impl fmt::Display) -> CallError {
        CallError { argument: Some(argument), message: message.to_string() }
    }
}

/// What a function may look at besides its arguments.
#[derive(Clone, Debug, Default)]
pub struct CallContext {
    /// Relative paths of `file` and its like start here.
    pub base_dir: PathBuf,
    /// `abspath` starts here.
    pub working_dir: PathBuf,
    /// What `~` stands for; without it `~` is an error.
    pub home_dir: Option<PathBuf>,
    /// Whether `timestamp`, `uuid` and `bcrypt` are unknown, as they are in a plan.
    pub planning: bool,
    /// What `plantimestamp` returns; unknown without it.
    pub plan_timestamp: Option<jiff::Timestamp>,
}

/// Finds functions by the name that a call has.
pub trait FunctionTable: Sync {
    /// The function called `name` (`lower`, `core::lower`, `provider::terraform::encode_expr`).
    fn get(&self, name: &str) -> Option<Arc<Function>>;
    /// All names, sorted.
    fn names(&self) -> Vec<String>;
    /// What the functions may look at.
    fn context(&self) -> &CallContext;
}

/// Every function of Terraform 1.11, each also with the prefix `core::`, and those of providers that were added.
#[derive(Clone, Default)]
pub struct Functions {
    context: CallContext,
    provided: BTreeMap<String, Arc<Function>>,
}

/// The table of all built-in functions.
pub fn table(context: CallContext) -> Functions {
    Functions { context, provided: BTreeMap::new() }
}

impl Functions {
    /// Adds a provider's function as `provider::LOCAL_NAME::NAME`.
    pub fn provide(&mut self, local_name: &str, function: Arc<Function>) {
        self.provided.insert(format!("provider::{local_name}::{}", function.name), function);
    }
}

impl FunctionTable for Functions {
    fn get(&self, name: &str) -> Option<Arc<Function>> {
        let core = name.strip_prefix("core::").unwrap_or(name);
        CORE.get(core).or_else(|| GONE.get(core)).or_else(|| self.provided.get(name)).cloned()
    }

    fn names(&self) -> Vec<String> {
        let core = CORE.keys().flat_map(|name| [(*name).to_owned(), format!("core::{name}")]);
        let mut names: Vec<String> = core.chain(self.provided.keys().cloned()).collect();
        names.sort();
        names
    }

    fn context(&self) -> &CallContext {
        &self.context
    }
}

/// Functions that say only what to write instead of them. They are on no list of functions.
static GONE: LazyLock<BTreeMap<&'static str, Arc<Function>>> =
    LazyLock::new(|| conversion::gone().into_iter().map(|f| (f.name, Arc::new(f))).collect());

static CORE: LazyLock<BTreeMap<&'static str, Arc<Function>>> = LazyLock::new(|| {
    let families = [
        cidr::functions(),
        conversion::functions(),
        csv::functions(),
        dates::functions(),
        encoding::functions(),
        files::functions(),
        format::functions(),
        hashes::functions(),
        json::functions(),
        maps::functions(),
        numeric::functions(),
        regex::functions(),
        sequences::functions(),
        sets::functions(),
        strings::functions(),
        templates::functions(),
        yaml_decode::functions(),
        yaml_encode::functions(),
    ];
    families.into_iter().flatten().map(|f| (f.name, Arc::new(f))).collect()
});

impl Function {
    /// A function without parameters that returns a value of type `returns`, which is never null.
    pub fn new(
        name: &'static str,
        description: &'static str,
        returns: Type,
        implementation: impl Fn(&[Value], &Type, &dyn FunctionTable) -> Result<Value, CallError> + Send + Sync + 'static,
    ) -> Function {
        Function {
            name,
            description,
            params: Vec::new(),
            variadic: None,
            special: None,
            returns: Returns::Always(returns),
            not_null: true,
            purity: Purity::Pure,
            implementation: Box::new(implementation),
        }
    }

    /// Adds a parameter.
    #[must_use]
    pub fn param(mut self, param: Param) -> Function {
        self.params.push(param);
        self
    }

    /// Allows any number of further arguments.
    #[must_use]
    pub fn variadic(mut self, param: Param) -> Function {
        self.variadic = Some(param);
        self
    }

    /// Makes the type of the result depend on the arguments.
    #[must_use]
    pub fn returns_by(
        mut self,
        returns: impl Fn(&[Value], &dyn FunctionTable) -> Result<Type, CallError> + Send + Sync + 'static,
    ) -> Function {
        self.returns = Returns::Depends(Box::new(returns));
        self
    }

    /// The result may be null.
    #[must_use]
    pub fn nullable(mut self) -> Function {
        self.not_null = false;
        self
    }

    /// The result differs from call to call, so a plan does not know it.
    #[must_use]
    pub fn impure(mut self) -> Function {
        self.purity = Purity::Impure;
        self
    }

    /// The evaluator treats the arguments in a way of its own.
    #[must_use]
    pub fn special(mut self, special: Special) -> Function {
        self.special = Some(special);
        self
    }

    /// The parameter that argument `index` (from 0) is for.
    pub fn parameter(&self, index: usize) -> Option<&Param> {
        self.params.get(index).or(self.variadic.as_ref())
    }

    /// The type of the result of a call with unknown arguments, as `metadata functions` shows it.
    pub fn signature_type(&self, functions: &dyn FunctionTable) -> Type {
        let params = self.params.iter().chain(self.variadic.as_ref());
        let arguments: Vec<Value> = params.map(|p| Value::unknown(p.ty.clone())).collect();
        self.result_type(&arguments, functions).map_or(Type::Dynamic, |(ty, _)| ty)
    }

    /// The type of the result, if it is the same for all arguments; [`Type::Dynamic`] if not.
    pub fn declared_type(&self) -> Type {
        match &self.returns {
            Returns::Always(ty) => ty.clone(),
            Returns::Depends(_) => Type::Dynamic,
        }
    }

    /// Calls the function. The caller has converted each argument to the type of its parameter.
    ///
    /// # Errors
    /// A wrong number of arguments, a null where none may be, and whatever the function itself refuses.
    pub fn call(&self, arguments: &[Value], functions: &dyn FunctionTable) -> Result<Value, CallError> {
        let (ty, exact) = self.result_type(arguments, functions)?;
        let mut unmarked = Vec::with_capacity(arguments.len());
        let mut marks = Marks::empty();
        let mut unknown = !exact || (self.purity == Purity::Impure && functions.context().planning);
        for (index, argument) in arguments.iter().enumerate() {
            let Some(param) = self.parameter(index) else { continue };
            unknown |= !param.allow_unknown && !argument.is_known();
            if param.allow_marked {
                unmarked.push(argument.clone());
            } else {
                marks |= argument.deep_marks();
                unmarked.push(argument.clone().unmark_deep().0);
            }
        }
        let result = if unknown {
            Value::unknown(ty.clone()).with_marks(marks)
        } else {
            (self.implementation)(&unmarked, &ty, functions)?.with_marks(marks)
        };
        let refinable = exact && self.not_null && !result.is_known() && result.ty() != Type::Dynamic;
        Ok(if refinable { result.refine_not_null() } else { result })
    }

    /// The type of the result, and whether it was computed (otherwise an argument of unknown type was in the way).
    fn result_type(&self, arguments: &[Value], functions: &dyn FunctionTable) -> Result<(Type, bool), CallError> {
        let (required, given) = (self.params.len(), arguments.len());
        if given < required || (given > required && self.variadic.is_none()) {
            let least = if self.variadic.is_some() { "at least " } else { "" };
            return Err(CallError::new(format_args!(
                "wrong number of arguments ({least}{required} required; {given} given)"
            )));
        }
        let mut unmarked = Vec::with_capacity(given);
        for (index, argument) in arguments.iter().enumerate() {
            let Some(param) = self.parameter(index) else { continue };
            if argument.is_null() && !param.allow_null {
                return Err(CallError::argument(index, "argument must not be null"));
            }
            if !param.allow_dynamic && argument.ty() == Type::Dynamic {
                return Ok((Type::Dynamic, false));
            }
            unmarked.push(if param.allow_marked { argument.clone() } else { argument.clone().unmark_deep().0 });
        }
        match &self.returns {
            Returns::Always(ty) => Ok((ty.clone(), true)),
            Returns::Depends(returns) => Ok((returns(&unmarked, functions)?, true)),
        }
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function").field("name", &self.name).field("params", &self.params).finish_non_exhaustive()
    }
}
