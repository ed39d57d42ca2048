//! Ephemeral resources: opened when a run needs them, renewed while it lasts, closed at its end, and never stored.

use std::marker::PhantomData;
use std::time::Duration;

use async_trait::async_trait;
use lang::Value;

use crate::context::{Context, Cx};
use crate::erased::model;
use crate::error::Result;
use crate::model::{Field, Model};
use crate::provider::{Lease, OpenedEphemeral, ProviderDiagnostic};

/// An ephemeral resource type.
#[async_trait]
pub trait EphemeralResource: Model + Field {
    /// The name of the type: `aws_eks_cluster_auth`.
    const NAME: &'static str;

    /// The provider's context.
    type Context: Context;

    /// Opens it: overwrites in `config` what the API knows.
    async fn open(cx: &Cx<Self::Context>, config: Self) -> Result<Opened<Self>>;

    /// Prolongs what [`Opened::renew_after`] says has to be prolonged.
    async fn renew(cx: &Cx<Self::Context>, private: Vec<u8>) -> Result<Lease> {
        let _ = cx;
        Ok(Lease { private, renew_after: None })
    }

    /// Gives it back.
    async fn close(cx: &Cx<Self::Context>, private: Vec<u8>) -> Result<()> {
        let _ = (cx, private);
        Ok(())
    }

    /// Checks a configuration beyond its schema. It may hold unknown values.
    fn validate(config: &Value) -> Vec<ProviderDiagnostic> {
        let _ = config;
        Vec::new()
    }
}

/// What was opened.
#[derive(Clone, Debug)]
pub struct Opened<T> {
    /// The object.
    pub object: T,
    /// What renewing and closing need.
    pub private: Vec<u8>,
    /// When it has to be renewed, if it has to.
    pub renew_after: Option<Duration>,
}

impl<T> From<T> for Opened<T> {
    fn from(object: T) -> Opened<T> {
        Opened { object, private: Vec::new(), renew_after: None }
    }
}

#[async_trait]
pub(crate) trait ErasedEphemeral<C>: Send + Sync {
    fn validate(&self, config: &Value) -> Vec<ProviderDiagnostic>;
    async fn open(&self, cx: &Cx<C>, config: &Value) -> Result<OpenedEphemeral>;
    async fn renew(&self, cx: &Cx<C>, private: Vec<u8>) -> Result<Lease>;
    async fn close(&self, cx: &Cx<C>, private: Vec<u8>) -> Result<()>;
}

pub(crate) struct TypedEphemeral<E>(PhantomData<fn() -> E>);

impl<E> TypedEphemeral<E> {
    pub(crate) fn new() -> TypedEphemeral<E> {
        TypedEphemeral(PhantomData)
    }
}

#[async_trait]
impl<E: EphemeralResource> ErasedEphemeral<E::Context> for TypedEphemeral<E> {
    fn validate(&self, config: &Value) -> Vec<ProviderDiagnostic> {
        E::validate(config)
    }

    async fn open(&self, cx: &Cx<E::Context>, config: &Value) -> Result<OpenedEphemeral> {
        let opened = E::open(cx, model(config)?).await?;
        let lease = Lease { private: opened.private, renew_after: opened.renew_after };
        Ok(OpenedEphemeral { object: opened.object.to_value(), lease })
    }

    async fn renew(&self, cx: &Cx<E::Context>, private: Vec<u8>) -> Result<Lease> {
        E::renew(cx, private).await
    }

    async fn close(&self, cx: &Cx<E::Context>, private: Vec<u8>) -> Result<()> {
        E::close(cx, private).await
    }
}
