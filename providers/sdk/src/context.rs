//! What an operation on a resource works with: the provider's clients, the pace of polling, the shared reads.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::shared::SharedReads;
use crate::tags::TagPolicy;

/// A configured provider's own part: its clients and settings.
pub trait Context: Send + Sync + 'static {
    /// `default_tags` and `ignore_tags`.
    fn tag_policy(&self) -> &TagPolicy;

    /// How fast to poll.
    fn pace(&self) -> Pace;
}

/// How fast to poll and to retry: an emulator on loopback answers at once, a cloud takes its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The first pause.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// Whether waits may begin with the delay that the service usually needs.
    pub delays: bool,
}

impl Pace {
    /// For a cloud.
    pub const CLOUD: Pace = Pace { first: Duration::from_millis(500), longest: Duration::from_secs(15), delays: true };

    /// For an emulator on loopback.
    pub const EMULATOR: Pace =
        Pace { first: Duration::from_millis(10), longest: Duration::from_millis(500), delays: false };

    /// The pause before attempt `attempt` (from 0): doubled every time up to the longest, plus or minus a quarter, so that
    /// many waits at once don't ask in step.
    pub fn pause(&self, attempt: u32) -> Duration {
        let doubled = self.first.saturating_mul(2u32.saturating_pow(attempt.min(16)));
        doubled.min(self.longest).mul_f64(0.75 + 0.5 * jitter())
    }
}

/// A number from 0 to 1, good enough to spread requests.
fn jitter() -> f64 {
    let bytes = uuid::Uuid::new_v4();
    let (high, _) = bytes.as_u64_pair();
    (high >> 32) as f64 / f64::from(u32::MAX)
}

/// What an operation works with. Dereferences to the provider's own context.
pub struct Cx<C> {
    context: Arc<C>,
    client_token: String,
    shared: Option<Arc<SharedReads>>,
}

impl<C> Clone for Cx<C> {
    fn clone(&self) -> Cx<C> {
        Cx { context: self.context.clone(), client_token: self.client_token.clone(), shared: self.shared.clone() }
    }
}

impl<C> Deref for Cx<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.context
    }
}

impl<C: Context> Cx<C> {
    /// For an operation without a token and without shared reads.
    pub fn new(context: Arc<C>) -> Cx<C> {
        Cx { context, client_token: String::new(), shared: None }
    }

    /// Sets the operation's token.
    #[must_use]
    pub fn with_token(mut self, client_token: &str) -> Cx<C> {
        self.client_token = client_token.to_owned();
        self
    }

    /// Lets reads be shared with other resource types of the same refresh.
    #[must_use]
    pub fn sharing(mut self, shared: Arc<SharedReads>) -> Cx<C> {
        self.shared = Some(shared);
        self
    }

    /// The provider's own context.
    pub fn context(&self) -> &Arc<C> {
        &self.context
    }

    /// Stable over re-runs of this operation; empty for reads. At most 64 characters.
    pub fn client_token(&self) -> &str {
        &self.client_token
    }

    /// A token of its own for a part of this operation (the second of two calls that both take one).
    pub fn part_token(&self, part: &str) -> String {
        let namespace = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, self.client_token.as_bytes());
        uuid::Uuid::new_v5(&namespace, part.as_bytes()).to_string()
    }

    /// The reads that are shared in this refresh; `None` in everything else, which must see what is there now.
    pub fn shared_reads(&self) -> Option<&SharedReads> {
        self.shared.as_deref()
    }
}
