//! What a resource type and a data source implement.

use async_trait::async_trait;
use futures::{StreamExt, stream};
use lang::Value;
use lang::values::Path;

use crate::context::{Context, Cx};
use crate::error::{Error, Result};
use crate::model::{Field, Model};
use crate::plan::Plan;
use crate::provider::{Observer, Operation, ProviderDiagnostic};

/// How many reads of one type run at once where the API has no call for many.
const CONCURRENT_READS: usize = 16;

/// How many batched calls of one type run at once.
const CONCURRENT_BATCHES: usize = 4;

/// A managed resource type.
///
/// Planning, tags, timeouts, null and empty, taint and recovery are the sdk's; an implementation only makes calls. What a
/// `create` or `update` answers with is read again before it is stored (unless [`Resource::READS_BACK`] is false), so it
/// need not be filled in beyond what `read` needs.
#[async_trait]
pub trait Resource: Model + Field {
    /// The name of the type: `aws_vpc`.
    const NAME: &'static str;

    /// Whether the object is read after a create or an update.
    const READS_BACK: bool = true;

    /// The provider's context.
    type Context: Context;

    /// Makes the object. Attributes that are to be computed are `None` or default; `tags_all` holds all tags. As soon as
    /// the cloud has answered, and before any waiting, `created.hand_over(&object)` must be called with the id set.
    async fn create(cx: &Cx<Self::Context>, planned: Self, created: &Created<'_>) -> Result<Self>;

    /// Reads the object: overwrites in `prior` what the API knows. `None`: it is gone. Tags go to `tags_all`, as reported.
    async fn read(cx: &Cx<Self::Context>, prior: Self) -> Result<Option<Self>>;

    /// Reads many objects in as few calls as the API allows. Answers in order. See [`in_batches`].
    async fn read_many(cx: &Cx<Self::Context>, priors: Vec<Self>) -> Vec<Result<Option<Self>>> {
        one_by_one(cx, priors).await
    }

    /// Changes the object in place.
    async fn update(cx: &Cx<Self::Context>, change: Change<Self>) -> Result<Self> {
        let _ = cx;
        Ok(change.planned)
    }

    /// Removes the object. Gone already is success.
    async fn delete(cx: &Cx<Self::Context>, prior: Self) -> Result<()>;

    /// What a read needs to find the object that an import names; by default `id` is set.
    async fn import(cx: &Cx<Self::Context>, id: &str) -> Result<Vec<Self>> {
        let _ = cx;
        imported_by_id(id).map(|object| vec![object])
    }

    /// Checks a configuration beyond its schema. It may hold unknown values.
    fn validate(config: &Value) -> Vec<ProviderDiagnostic> {
        let _ = config;
        Vec::new()
    }

    /// Adjusts what the sdk has planned: values that depend on others, conditional replacement, checks with the cloud.
    async fn plan(cx: &Cx<Self::Context>, plan: &mut Plan<'_>) -> Result<()> {
        let _ = (cx, plan);
        Ok(())
    }

    /// Looks for the object that a create with this plan and token may have made, when a crash ate the answer. It must
    /// not find an object that something else has made.
    async fn find(cx: &Cx<Self::Context>, planned: &Self, client_token: &str) -> Result<Found<Self>> {
        let _ = (cx, planned, client_token);
        Ok(Found::Unclear("it has no name, token or tag to find it by".to_owned()))
    }

    /// Waits until a new object is usable: for one whose creation an interrupted run began.
    async fn settle(cx: &Cx<Self::Context>, object: &Self) -> Result<()> {
        let _ = (cx, object);
        Ok(())
    }

    /// How long an operation usually takes, in seconds.
    fn estimate_seconds(operation: Operation) -> u32 {
        let _ = operation;
        1
    }

    /// Brings stored attributes of an older schema version to the current one.
    fn upgrade(version: u64, attributes: serde_json::Value) -> Result<serde_json::Value> {
        let _ = version;
        Ok(attributes)
    }
}

/// A data source.
#[async_trait]
pub trait DataSource: Model + Field {
    /// The name of the type: `aws_caller_identity`.
    const NAME: &'static str;

    /// Whether it depends on nothing but its configuration, so that it is known at plan time even under `depends_on`.
    const PURE: bool = false;

    /// The provider's context.
    type Context: Context;

    /// Reads it: overwrites in `config` what the API knows.
    async fn read(cx: &Cx<Self::Context>, config: Self) -> Result<Self>;

    /// Checks a configuration beyond its schema. It may hold unknown values.
    fn validate(config: &Value) -> Vec<ProviderDiagnostic> {
        let _ = config;
        Vec::new()
    }
}

/// An update.
#[derive(Clone, Debug)]
pub struct Change<T> {
    /// The object as it was.
    pub prior: T,
    /// The object as it is to be; what is to be computed is `None` or default.
    pub planned: T,
    /// The configuration.
    pub config: T,
}

impl<T> Change<T> {
    /// Whether a part differs: `change.of(|vpc| &vpc.enable_dns_support)`.
    pub fn of<V: PartialEq + ?Sized>(&self, part: impl Fn(&T) -> &V) -> bool {
        part(&self.prior) != part(&self.planned)
    }
}

/// What became of a create whose answer was lost.
#[derive(Clone, Debug)]
pub enum Found<T> {
    /// It made this object (as far as a read needs it).
    Object(Box<T>),
    /// This object bears the unique name that was planned. It is taken for the one that was to be made if what can't be
    /// changed in place, and its tags, are as planned.
    Named(Box<T>),
    /// An object that is nothing but its content is there, with this content (a policy's attachment, a route). Nothing tells
    /// whether it was made now or before: it is adopted, as a second create would adopt it or fail, and the user is told.
    Same(Box<T>),
    /// It made nothing.
    Nothing,
    /// It can't be found out; why, with the objects that are in question.
    Unclear(String),
}

/// Takes a new object's id as soon as the cloud has answered.
pub struct Created<'a> {
    pub(crate) observer: &'a dyn Observer,
    pub(crate) planned: &'a Value,
    pub(crate) partial: tokio::sync::Mutex<Option<Value>>,
}

impl<'a> Created<'a> {
    /// For a create of what is planned.
    pub(crate) fn new(observer: &'a dyn Observer, planned: &'a Value) -> Created<'a> {
        Created { observer, planned, partial: tokio::sync::Mutex::new(None) }
    }

    /// Stores the object as it is now, with its id. Returns once that is durable.
    pub async fn hand_over<T: Model>(&self, object: &T) {
        let value = crate::normalize::after_apply(&T::block(), object.to_value(), self.planned);
        *self.partial.lock().await = Some(value.clone());
        self.observer.created(value).await;
    }
}

/// An object of which only the `id` is known.
pub fn imported_by_id<T: Model>(id: &str) -> Result<T> {
    let value = Value::object([("id", Value::string(id))]);
    T::from_value(&value).map_err(|error| Error::new(format!("importing {id}: {error}")))
}

/// Reads one by one, several at a time.
pub async fn one_by_one<T: Resource>(cx: &Cx<T::Context>, priors: Vec<T>) -> Vec<Result<Option<T>>> {
    stream::iter(priors.into_iter().map(|prior| T::read(cx, prior))).buffered(CONCURRENT_READS).collect().await
}

/// Reads one object with the type's `read_many`: the `read` of types that read in batches.
pub async fn read_one<T: Resource>(cx: &Cx<T::Context>, prior: T) -> Result<Option<T>> {
    T::read_many(cx, vec![prior]).await.pop().unwrap_or(Ok(None))
}

/// Reads in chunks of `size`: `read` gets a chunk and answers in its order; if it fails, that is the answer for the whole
/// chunk.
pub async fn in_batches<T, F>(priors: Vec<T>, size: usize, read: impl Fn(Vec<T>) -> F + Send) -> Vec<Result<Option<T>>>
where
    T: Send,
    F: Future<Output = Result<Vec<Option<T>>>> + Send,
{
    let mut chunks = Vec::new();
    let mut priors = priors.into_iter().peekable();
    while priors.peek().is_some() {
        chunks.push(priors.by_ref().take(size.max(1)).collect::<Vec<T>>());
    }
    let answers = stream::iter(chunks.into_iter().map(|chunk| {
        let length = chunk.len();
        let answer = read(chunk);
        async move {
            match answer.await {
                Ok(mut objects) => {
                    objects.resize_with(length, || None);
                    objects.into_iter().map(Ok).collect::<Vec<_>>()
                }
                Err(error) => (0..length).map(|_| Err(error.clone())).collect(),
            }
        }
    }));
    answers.buffered(CONCURRENT_BATCHES).concat().await
}

/// The path of a top-level attribute.
pub fn attribute_path(name: &str) -> Path {
    Path(vec![lang::values::PathStep::Attribute(name.into())])
}
