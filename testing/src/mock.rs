//! Mock providers: they have the schemas of a provider and make up what it would compute.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use lang::addr::{Mode, ProviderSource};
use lang::{Str, Type, Value};
use sdk::provider::{Configured, ImportedObject, RecoverResponse};
use sdk::schema::{Block, Nesting, ProviderSchema};
use sdk::{
    ApplyRequest, ApplyResponse, DataRequest, PlanRequest, PlanResponse, Provider, ProviderDiagnostic, ReadRequest,
    ReadResponse, RecoverRequest,
};

/// Values for the computed attributes of types.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// By type: an object of attributes.
    pub resources: BTreeMap<Str, Value>,
    /// The same for data sources.
    pub data: BTreeMap<Str, Value>,
    /// Whether they are known while planning.
    pub during_plan: bool,
}

/// A provider that calls nothing.
pub struct MockProvider {
    source: ProviderSource,
    mocked: Arc<dyn Provider>,
    schema: ProviderSchema,
    defaults: Arc<Defaults>,
}

impl MockProvider {
    /// Stands in for a provider, under a source address of its own or the provider's.
    pub fn new(source: ProviderSource, mocked: Arc<dyn Provider>, defaults: Defaults) -> MockProvider {
        let mut schema = mocked.schema().clone();
        // It needs no configuration, and whatever a configuration says does not matter.
        for attribute in schema.provider.block.attributes.values_mut() {
            attribute.optional |= attribute.required;
            attribute.required = false;
        }
        MockProvider { source, mocked, schema, defaults: Arc::new(defaults) }
    }
}

#[async_trait]
impl Provider for MockProvider {
    fn source(&self) -> ProviderSource {
        self.source.clone()
    }

    fn version(&self) -> &str {
        self.mocked.version()
    }

    fn schema(&self) -> &ProviderSchema {
        &self.schema
    }

    fn validate_config(&self, _: &Value) -> Vec<ProviderDiagnostic> {
        Vec::new()
    }

    fn validate(&self, mode: Mode, type_name: &str, config: &Value) -> Vec<ProviderDiagnostic> {
        self.mocked.validate(mode, type_name, config)
    }

    async fn configure(&self, _: Value) -> Result<Arc<dyn Configured>, Vec<ProviderDiagnostic>> {
        Ok(Arc::new(Mocking { schema: self.schema.clone(), defaults: self.defaults.clone() }))
    }
}

struct Mocking {
    schema: ProviderSchema,
    defaults: Arc<Defaults>,
}

impl Mocking {
    fn fill(&self, kind: &str, object: &Value, making: Making) -> Value {
        match self.schema.resources.get(kind) {
            Some(schema) => fill_block(&schema.block, object, self.defaults.resources.get(kind), making),
            None => object.clone(),
        }
    }
}

#[async_trait]
impl Configured for Mocking {
    async fn plan(&self, request: PlanRequest<'_>) -> PlanResponse {
        let making = match (request.prior.is_null(), self.defaults.during_plan) {
            (true, true) => Making::Values,
            (true, false) => Making::Unknown,
            (false, _) => Making::Nothing,
        };
        let planned = self.fill(request.type_name, request.proposed, making);
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
        let object =
            (!request.planned.is_null()).then(|| self.fill(request.type_name, request.planned, Making::Values));
        ApplyResponse { object, ..ApplyResponse::default() }
    }

    async fn import(&self, _: &str, _: &str) -> Result<Vec<ImportedObject>, Vec<ProviderDiagnostic>> {
        let detail = "A mock provider has no objects that could be imported.";
        Err(vec![ProviderDiagnostic::error("Import from a mock provider", detail)])
    }

    async fn read_data(&self, request: DataRequest<'_>) -> Result<Value, Vec<ProviderDiagnostic>> {
        Ok(match self.schema.data_sources.get(request.type_name) {
            Some(schema) => {
                let defaults = self.defaults.data.get(request.type_name);
                fill_block(&schema.block, request.config, defaults, Making::Values)
            }
            None => request.config.clone(),
        })
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
