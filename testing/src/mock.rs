//! Mock providers: they make up what a provider would compute.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use config::module::Located;
use lang::addr::Mode;
use lang::values::Entries;
use lang::{Str, Type, Value};
use planner::Workspace;
use sdk::provider::{Configured, ImportedObject, RecoverResponse};
use sdk::schema::{Block, Nesting};
use sdk::{
    ApplyRequest, ApplyResponse, DataRequest, PlanRequest, PlanResponse, Provider, ProviderDiagnostic, ReadRequest,
    ReadResponse, RecoverRequest,
};

/// What a mock gives to the computed attributes of objects, by mode and type.
#[derive(Clone, Debug, Default)]
pub struct MockValues(pub BTreeMap<(Mode, Str), MockedType>);

/// The values of one type.
#[derive(Clone, Debug)]
pub struct MockedType {
    /// An object of attributes.
    pub values: Value,
    /// Where it is written, for messages.
    pub place: String,
    /// Whether they are known while planning.
    pub during_plan: bool,
}

impl MockedType {
    /// What a test file gives.
    pub(crate) fn new(given: Option<&Located<Value>>, during_plan: bool, workspace: &Workspace) -> MockedType {
        let (values, place) = match given {
            Some(given) => (given.value.clone(), workspace.place(given.range)),
            None => (Value::object::<Str>([]), String::new()),
        };
        MockedType { values, place, during_plan }
    }
}

/// Stands in for a provider and calls nothing.
pub struct Mock {
    mocked: Arc<dyn Provider>,
    types: MockValues,
    /// Whether it stands in for the provider of an object that is overridden: that can be imported.
    imports: bool,
}

impl Mock {
    /// Stands in for a provider.
    pub fn new(mocked: Arc<dyn Provider>, types: MockValues) -> Mock {
        Mock { mocked, types, imports: false }
    }

    /// Stands in for the provider of an overridden object.
    pub(crate) fn of_an_object(mocked: Arc<dyn Provider>, types: MockValues) -> Mock {
        Mock { mocked, types, imports: true }
    }

    fn given(&self, mode: Mode, kind: &str) -> Option<&MockedType> {
        self.types.0.get(&(mode, Str::from(kind)))
    }

    fn block(&self, mode: Mode, kind: &str) -> Option<&Block> {
        let schema = self.mocked.schema();
        let schemas = if mode == Mode::Data { &schema.data_sources } else { &schema.resources };
        schemas.get(kind).map(|schema| &schema.block)
    }

    fn fill(&self, mode: Mode, kind: &str, object: &Value, making: Making) -> Result<Value, Vec<ProviderDiagnostic>> {
        let Some(block) = self.block(mode, kind) else { return Ok(object.clone()) };
        let given = self.given(mode, kind);
        let mut filling =
            Filling { making, place: given.map_or("", |given| given.place.as_str()), problems: Vec::new() };
        let filled = filling.block(block, object, given.map(|given| &given.values));
        if filling.problems.is_empty() { Ok(filled) } else { Err(filling.problems) }
    }
}

#[async_trait]
impl Configured for Mock {
    async fn plan(&self, request: PlanRequest<'_>) -> PlanResponse {
        let known = self.given(Mode::Managed, request.type_name).is_some_and(|given| given.during_plan);
        let making = match (request.prior.is_null(), known) {
            (true, true) => Making::Values,
            (true, false) => Making::Unknown,
            (false, _) => Making::Nothing,
        };
        match self.fill(Mode::Managed, request.type_name, request.proposed, making) {
            Ok(planned) => PlanResponse { planned: Some(planned), ..PlanResponse::default() },
            Err(diagnostics) => PlanResponse { diagnostics, ..PlanResponse::default() },
        }
    }

    async fn read_many(&self, _: &str, requests: Vec<ReadRequest>) -> Vec<ReadResponse> {
        let same = |request: ReadRequest| ReadResponse {
            object: Some(request.prior),
            private: request.private,
            diagnostics: Vec::new(),
        };
        requests.into_iter().map(same).collect()
    }

    async fn apply(&self, request: ApplyRequest<'_>) -> ApplyResponse {
        if request.planned.is_null() {
            return ApplyResponse::default();
        }
        match self.fill(Mode::Managed, request.type_name, request.planned, Making::Values) {
            Ok(object) => ApplyResponse { object: Some(object), ..ApplyResponse::default() },
            Err(diagnostics) => ApplyResponse { diagnostics, ..ApplyResponse::default() },
        }
    }

    async fn import(&self, kind: &str, _: &str) -> Result<Vec<ImportedObject>, Vec<ProviderDiagnostic>> {
        let Some(block) = self.block(Mode::Managed, kind).filter(|_| self.imports) else {
            let detail = "Cannot import resources from mock providers. Use an `override_resource` block to targeting the \
                          specific resource being imported instead.";
            return Err(vec![ProviderDiagnostic::error("Invalid import request", detail)]);
        };
        let object = self.fill(Mode::Managed, kind, &empty(block), Making::Values)?;
        Ok(vec![ImportedObject { type_name: kind.to_owned(), object, private: None }])
    }

    async fn read_data(&self, request: DataRequest<'_>) -> Result<Value, Vec<ProviderDiagnostic>> {
        self.fill(Mode::Data, request.type_name, request.config, Making::Values)
    }

    async fn recover(&self, _: RecoverRequest<'_>) -> RecoverResponse {
        RecoverResponse::Absent
    }
}

/// An object with nothing in it.
fn empty(block: &Block) -> Value {
    let attributes = block.attributes.iter().map(|(name, attribute)| (name.clone(), Value::null(attribute.ty.clone())));
    let blocks = block.blocks.iter().map(|(name, nested)| {
        let element = nested.block.implied_type().clone();
        let value = match nested.nesting {
            Nesting::List => Value::list(element, []),
            Nesting::Set => Value::set(element, []),
            Nesting::Map => Value::map(element, []),
            Nesting::Single | Nesting::Group => Value::null(element),
        };
        (name.clone(), value)
    });
    Value::object(attributes.chain(blocks))
}

/// What becomes of computed attributes that have no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Making {
    /// They are unknown.
    Unknown,
    /// They get a value.
    Values,
    /// They stay as they are.
    Nothing,
}

/// Computed attributes on their way to values.
struct Filling<'a> {
    making: Making,
    place: &'a str,
    problems: Vec<ProviderDiagnostic>,
}

impl Filling<'_> {
    fn block(&mut self, block: &Block, object: &Value, given: Option<&Value>) -> Value {
        let Some(mut entries) = object.entries().map(Entries::to_map) else { return object.clone() };
        for (name, attribute) in block.attributes.iter().filter(|(_, attribute)| attribute.computed) {
            let Some(current) = entries.get(name) else { continue };
            let open = match self.making {
                Making::Values => current.is_null() || !current.is_known(),
                Making::Unknown => current.is_null(),
                Making::Nothing => false,
            };
            if open {
                let given = given.and_then(|given| given.get(name));
                entries.insert(name.clone(), self.attribute(name, &attribute.ty, given));
            }
        }
        for (name, nested) in &block.blocks {
            let Some(current) = entries.get(name) else { continue };
            let given = given.and_then(|given| given.get(name));
            let element = nested.block.implied_type().clone();
            let filled = match (nested.nesting, current.elements()) {
                (Nesting::Single | Nesting::Group, _) => self.block(&nested.block, current, given),
                (Nesting::List | Nesting::Set, Some(all)) => {
                    let all: Vec<Value> = all.iter().map(|value| self.block(&nested.block, value, given)).collect();
                    match nested.nesting {
                        Nesting::Set => Value::set(element, all),
                        _ if element.has_dynamic() => Value::tuple(all),
                        _ => Value::list(element, all),
                    }
                }
                _ => continue,
            };
            entries.insert(name.clone(), filled);
        }
        Value::object(entries)
    }

    fn attribute(&mut self, name: &str, ty: &Type, given: Option<&Value>) -> Value {
        match given {
            _ if self.making == Making::Unknown => Value::unknown(ty.clone()),
            None => made_up(ty),
            Some(given) => given.convert(ty).unwrap_or_else(|error| {
                let detail = format!(
                    "Terraform could not compute a value for the target type {ty} with the mocked data defined at {} with the \
                     attribute {name:?}: {error}.",
                    self.place
                );
                self.problems.push(ProviderDiagnostic::error("Failed to compute attribute", detail));
                made_up(ty)
            }),
        }
    }
}

/// A value of a type: a random text, zero, false, nothing.
fn made_up(ty: &Type) -> Value {
    match ty {
        Type::String => Value::string(random_text()),
        Type::Number => Value::number(0),
        Type::Bool => Value::from(false),
        Type::List(element) => Value::list((**element).clone(), []),
        Type::Set(element) => Value::set((**element).clone(), []),
        Type::Map(element) => Value::map((**element).clone(), []),
        Type::Object(object) => Value::object(object.attributes.iter().map(|(name, ty)| (name.clone(), made_up(ty)))),
        Type::Tuple(elements) => Value::tuple(elements.iter().map(made_up)),
        Type::Dynamic => Value::null(Type::Dynamic),
    }
}

/// Eight letters and digits. They need not be unpredictable, only different: the process, the time and a counter, mixed.
fn random_text() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let mut seed = (time as u64) ^ (u64::from(std::process::id()) << 32) ^ COUNT.fetch_add(1, Ordering::Relaxed);
    let mut next = || {
        // SplitMix64
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    (0..8).filter_map(|_| LETTERS.get((next() % 36) as usize)).map(|letter| char::from(*letter)).collect()
}
