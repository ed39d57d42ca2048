//! Mock providers: they make up what a provider would compute.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use lang::addr::Mode;
use lang::{Str, Type, Value};
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
    /// Whether they are known while planning.
    pub during_plan: bool,
}

/// Stands in for a provider and calls nothing.
pub struct Mock {
    mocked: Arc<dyn Provider>,
    types: MockValues,
}

impl Mock {
    /// Stands in for a provider.
    pub fn new(mocked: Arc<dyn Provider>, types: MockValues) -> Mock {
        Mock { mocked, types }
    }

    fn given(&self, mode: Mode, kind: &str) -> Option<&MockedType> {
        self.types.0.get(&(mode, Str::from(kind)))
    }

    fn fill(&self, mode: Mode, kind: &str, object: &Value, making: Making) -> Value {
        let schema = self.mocked.schema();
        let schemas = if mode == Mode::Data { &schema.data_sources } else { &schema.resources };
        let values = self.given(mode, kind).map(|given| &given.values);
        match schemas.get(kind) {
            Some(schema) => fill_block(&schema.block, object, values, making),
            None => object.clone(),
        }
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
        let planned = self.fill(Mode::Managed, request.type_name, request.proposed, making);
        PlanResponse { planned: Some(planned), ..PlanResponse::default() }
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
        let made = || self.fill(Mode::Managed, request.type_name, request.planned, Making::Values);
        ApplyResponse { object: (!request.planned.is_null()).then(made), ..ApplyResponse::default() }
    }

    async fn import(&self, _: &str, _: &str) -> Result<Vec<ImportedObject>, Vec<ProviderDiagnostic>> {
        let detail = "A mock provider has no objects that could be imported.";
        Err(vec![ProviderDiagnostic::error("Import from a mock provider", detail)])
    }

    async fn read_data(&self, request: DataRequest<'_>) -> Result<Value, Vec<ProviderDiagnostic>> {
        Ok(self.fill(Mode::Data, request.type_name, request.config, Making::Values))
    }

    async fn recover(&self, _: RecoverRequest<'_>) -> RecoverResponse {
        RecoverResponse::Absent
    }
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

fn fill_block(block: &Block, object: &Value, defaults: Option<&Value>, making: Making) -> Value {
    let Some(mut entries) = object.entries().cloned() else { return object.clone() };
    for (name, attribute) in block.attributes.iter().filter(|(_, attribute)| attribute.computed) {
        let Some(current) = entries.get(name) else { continue };
        let open = match making {
            Making::Values => current.is_null() || !current.is_known(),
            Making::Unknown => current.is_null(),
            Making::Nothing => false,
        };
        if !open {
            continue;
        }
        let value = match making {
            Making::Unknown => Value::unknown(attribute.ty.clone()),
            _ => given(defaults, name, &attribute.ty).unwrap_or_else(|| made_up(&attribute.ty)),
        };
        entries.insert(name.clone(), value);
    }
    for (name, nested) in &block.blocks {
        let Some(current) = entries.get(name) else { continue };
        let defaults = defaults.and_then(|defaults| defaults.get(name));
        let inner = |value: &Value| fill_block(&nested.block, value, defaults, making);
        let element = nested.block.implied_type().clone();
        let filled = match (nested.nesting, current.elements()) {
            (Nesting::Single | Nesting::Group, _) => inner(current),
            (Nesting::List, Some(all)) if element.has_dynamic() => Value::tuple(all.iter().map(inner)),
            (Nesting::List, Some(all)) => Value::list(element, all.iter().map(inner)),
            (Nesting::Set, Some(all)) => Value::set(element, all.iter().map(inner)),
            _ => continue,
        };
        entries.insert(name.clone(), filled);
    }
    Value::object(entries)
}

/// The given default of an attribute, if it fits.
fn given(defaults: Option<&Value>, name: &str, ty: &Type) -> Option<Value> {
    let value = defaults?.get(name)?.convert(ty).ok()?;
    Some(value.unmark_deep().0)
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
