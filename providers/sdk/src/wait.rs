//! Waiting for an object to reach a state, and trying again what may succeed later.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::context::{Context, Cx};
use crate::error::{Error, Result};
use crate::timeouts::go_duration;

/// What to wait for. An empty `target` waits until the object is gone.
#[derive(Clone, Debug)]
pub struct Wait<'a> {
    /// States to be passed through; any other that isn't a target is a failure. Empty: all.
    pub pending: &'a [&'a str],
    /// States that end the wait.
    pub target: &'a [&'a str],
    /// How long to wait at most.
    pub timeout: Duration,
    /// How long the service usually needs at least: the first look comes after it.
    pub delay: Duration,
    /// How often not to find the object before that is a failure: just made, it may not be visible everywhere.
    pub not_found_checks: u32,
}

impl<'a> Wait<'a> {
    /// Waits for one of the target states.
    pub fn until(target: &'a [&'a str], timeout: Duration) -> Wait<'a> {
        Wait { pending: &[], target, timeout, delay: Duration::ZERO, not_found_checks: 20 }
    }

    /// Waits until the object is gone.
    pub fn until_gone(timeout: Duration) -> Wait<'a> {
        Wait::until(&[], timeout)
    }

    /// States to be passed through; any other is a failure.
    #[must_use]
    pub fn pending(mut self, states: &'a [&'a str]) -> Wait<'a> {
        self.pending = states;
        self
    }

    /// How long the service usually needs at least.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Wait<'a> {
        self.delay = delay;
        self
    }

    fn unexpected(&self, state: &str) -> Error {
        Error::new(format!("unexpected state '{state}', wanted target '{}'", self.target.join(", ")))
    }

    fn timed_out(&self, last: &str) -> Error {
        let wanted = if self.target.is_empty() {
            "resource to be gone".to_owned()
        } else {
            format!("state to become '{}'", self.target.join(", "))
        };
        let last = if last.is_empty() { String::new() } else { format!("last state: '{last}', ") };
        Error::new(format!("timeout while waiting for {wanted} ({last}timeout: {})", go_duration(self.timeout)))
    }
}

impl<C: Context> Cx<C> {
    /// Polls until the object has reached a target state, or is gone if there is none. `poll` answers with the object and
    /// its state, or `None` if there is no object. `Ok(None)`: it is gone, as wanted.
    pub async fn wait_for<T, F>(&self, wait: Wait<'_>, mut poll: impl FnMut() -> F + Send) -> Result<Option<T>>
    where
        F: Future<Output = Result<Option<(T, String)>>> + Send,
    {
        let pace = self.pace();
        let deadline = Instant::now() + wait.timeout;
        let mut last = String::new();
        let mut missing = 0;
        if pace.delays && !wait.delay.is_zero() {
            sleep(wait.delay.min(wait.timeout)).await;
        }
        let mut attempt = 0;
        loop {
            match timeout_at(deadline, poll()).await {
                Err(_) => return Err(wait.timed_out(&last)),
                Ok(Err(error)) if error.is_not_found() && wait.target.is_empty() => return Ok(None),
                Ok(Err(error)) => return Err(error),
                Ok(Ok(None)) if wait.target.is_empty() => return Ok(None),
                Ok(Ok(None)) => {
                    missing += 1;
                    if missing > wait.not_found_checks {
                        return Err(Error::not_found(format!("couldn't find resource ({missing} retries)")));
                    }
                }
                Ok(Ok(Some((object, state)))) => {
                    missing = 0;
                    if wait.target.contains(&state.as_str()) {
                        return Ok(Some(object));
                    }
                    if !wait.pending.is_empty() && !wait.pending.contains(&state.as_str()) {
                        return Err(wait.unexpected(&state));
                    }
                    last = state;
                }
            }
            let next = Instant::now() + pace.pause(attempt);
            attempt += 1;
            if next >= deadline {
                tokio::time::sleep_until(deadline).await;
                return Err(wait.timed_out(&last));
            }
            tokio::time::sleep_until(next).await;
        }
    }

    /// Tries again while `again` says that a later attempt may succeed and the budget is not spent; answers with the last
    /// error then.
    pub async fn retry<T, F>(
        &self,
        budget: Duration,
        again: impl Fn(&Error) -> bool + Send,
        mut attempt: impl FnMut() -> F + Send,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        let pace = self.pace();
        let deadline = Instant::now() + budget;
        let mut count = 0;
        loop {
            let pause = pace.pause(count);
            match attempt().await {
                Err(error) if again(&error) && Instant::now() + pause < deadline => sleep(pause).await,
                result => return result,
            }
            count += 1;
        }
    }
}
