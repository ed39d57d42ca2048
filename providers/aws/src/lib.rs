//! EKS, EC2 networks, IAM, load balancers and what surrounds them, as Terraform's provider hashicorp/aws 5.100.0 has them.
//!
//! # How to write a resource type
//!
//! One file per type, in the folder of its service; a struct that derives [`sdk::Model`] and implements [`sdk::Resource`];
//! one line in the service's `register`. Templates: [`vpc::vpc`] (found by id, read in batches), [`iam::role`] (found by
//! name), [`sts::caller_identity`] (a data source).
//!
//! 1. **Schema.** Write the struct from `shared/schemas/aws/resource/NAME.json`: every attribute with its flags; add
//!    `force_new` from `force_new.json` and `default` from `planned_create.json`. `#[model(framework)]` if Terraform's
//!    implementation is one of the framework's (there, create plans leave `null` what isn't set). The test
//!    `schemas_equal_terraforms` compares names, types and flags wherever the facts are at hand.
//! 2. **`Option` or not.** `Option` where null must be told from empty: attributes that are optional or computed. What is
//!    required, or always set by the API, is plain. What a `read` sets is what the state holds, so set what Terraform's
//!    read sets: `Some("")` where the SDK turns a missing answer into `""`, `None` where it leaves the attribute out. The
//!    recorded states show which. In a legacy type null and `""` are reconciled afterwards with the plan or the prior state.
//! 3. **`create`**: call; set `id`; `created.hand_over(&planned).await` before anything else; then wait and make the calls
//!    that complete it. Return what `read` needs: the sdk reads it again. Give the API `cx.client_token()` where it takes a
//!    token (`cx.part_token("…")` for a second call). `planned.tags_all` holds all tags to be set.
//! 4. **`read`** overwrites everything that the API reports, and puts the tags as reported into `tags_all`. The sdk filters
//!    them, and derives `tags`. `Ok(None)`, or an error of [`sdk::Class::NotFound`]: it is gone.
//! 5. **`read_many`** where the API describes many at once: with *filters* rather than ids, since an unknown id fails the
//!    whole call. Use [`sdk::in_batches`], and let `read` be [`sdk::read_one`]. Calls that answer for several types go
//!    through [`sdk::Cx::shared`], whose answers live for one refresh.
//! 6. **`update`**: compare with `change.of(|x| &x.field)`; tags with the service's `update_tags`.
//! 7. **`delete`**: retry what depends on others with `cx.retry(budget, |e| e.class() == DependencyViolation, …)`; gone is
//!    success; wait until it is gone if others depend on that.
//! 8. **`plan`** only for what the schema can't say: values that follow from others, conditional replacement.
//!    `equivalent = "…"` for two texts that mean the same ([`policy::equivalent`] for JSON policies).
//! 9. **`find`** so that a create whose answer was lost can be looked for.
//! 10. **Errors**: `.map_err(api("EC2", "CreateVpc")).doing("creating EC2 VPC")`: the words before the colon are Terraform's.
//!
//! **Invariants.** A plan makes no call that changes anything. Nothing waits with fixed sleeps: [`sdk::Cx::wait_for`] and
//! [`sdk::Cx::retry`] keep the pace of the endpoint (milliseconds on loopback). No secret in an error. The environment is
//! read by `aws-config`'s chain alone.

use std::sync::{Arc, LazyLock};

use lang::addr::{Mode, ProviderSource};
use lang::functions::Function;
use sdk::{Configured, Model, Provider, ProviderDiagnostic, ProviderSchema, Registry, Running, Value, async_trait};

mod checks;
mod client;
mod config;
pub mod eks;
pub mod elbv2;
mod endpoints;
mod errors;
mod functions;
pub mod iam;
pub mod kms;
pub mod logs;
pub mod meta;
mod names;
pub mod policy;
pub mod ssm;
pub mod sts;
pub mod vpc;

pub use aws_session::Identity;
pub use client::Aws;

use config::ProviderConfig;

/// The version of Terraform's provider whose schemas and behaviour it has.
pub const VERSION: &str = "5.100.0";

static REGISTRY: LazyLock<Arc<Registry<Aws>>> = LazyLock::new(|| {
    let mut registry = Registry::new(config::schema());
    eks::register(&mut registry);
    elbv2::register(&mut registry);
    iam::register(&mut registry);
    kms::register(&mut registry);
    logs::register(&mut registry);
    meta::register(&mut registry);
    ssm::register(&mut registry);
    sts::register(&mut registry);
    vpc::register(&mut registry);
    Arc::new(registry)
});

/// The provider.
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsProvider;

#[async_trait]
impl Provider for AwsProvider {
    fn source(&self) -> ProviderSource {
        ProviderSource { host: "registry.terraform.io".into(), namespace: "hashicorp".into(), name: "aws".into() }
    }

    fn version(&self) -> &str {
        VERSION
    }

    fn schema(&self) -> &ProviderSchema {
        REGISTRY.schema()
    }

    fn functions(&self) -> Vec<Arc<Function>> {
        functions::ALL.clone()
    }

    fn validate_config(&self, config: &Value) -> Vec<ProviderDiagnostic> {
        let mut problems = REGISTRY.validate_provider(config);
        problems.extend(ProviderConfig::validate(config));
        problems
    }

    fn validate(&self, mode: Mode, type_name: &str, config: &Value) -> Vec<ProviderDiagnostic> {
        REGISTRY.validate(mode, type_name, config)
    }

    async fn configure(&self, config: Value) -> Result<Arc<dyn Configured>, Vec<ProviderDiagnostic>> {
        let failed = |error: sdk::Error| vec![error.into_diagnostic()];
        let known = config.is_wholly_known();
        let endpoints = config::configured_endpoints(&config);
        let config = ProviderConfig::from_value(&config).map_err(|error| failed(sdk::Error::new(error.to_string())))?;
        if !known {
            // Whatever is unknown would read as unset, and another account or region would be asked.
            return Ok(Arc::new(Running::deferred(REGISTRY.clone(), Aws::deferred(&config))));
        }
        let aws = Aws::new(&config, endpoints).await.map_err(failed)?;
        // One call finds out now what would otherwise fail half-way through an apply: no endpoint, no valid credentials.
        if !config.skips_identity() {
            let named = |error: sdk::Error| match (error.class(), aws.sts_url()) {
                (sdk::Class::Network, Some(url)) => error.hint(format!("The endpoint is {url}.")),
                _ => error,
            };
            const DOING: &str =
                "Retrieving AWS account details: validating provider credentials: retrieving caller identity from STS";
            aws.identity().await.map_err(|error| failed(named(error.context(DOING))))?;
        }
        Ok(Arc::new(Running::new(REGISTRY.clone(), aws)))
    }

    fn upgrade(
        &self,
        type_name: &str,
        version: u64,
        attributes: serde_json::Value,
    ) -> Result<serde_json::Value, ProviderDiagnostic> {
        REGISTRY.upgrade(type_name, version, attributes)
    }

    fn is_pure(&self, data_source: &str) -> bool {
        REGISTRY.is_pure(data_source)
    }

    fn estimate_seconds(&self, type_name: &str, operation: sdk::provider::Operation) -> u32 {
        REGISTRY.estimate_seconds(type_name, operation)
    }
}
