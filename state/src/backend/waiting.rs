//! Waiting for a lock, the same way for every backend.

use std::future::Future;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{Lease, LockError, LockId, LockInfo};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Tries to take a lock until it is taken, something else is in the way than its holder, or `timeout` has passed (zero: one
/// attempt). An attempt is told of a holder whose lease has run out: that lock, exactly as it was seen, may be replaced.
///
/// # Errors
/// The last attempt's.
pub async fn wait_for_lock<T, F>(
    timeout: Duration,
    mut attempt: impl FnMut(Option<Box<LockInfo>>) -> F + Send,
) -> Result<T, LockError>
where
    F: Future<Output = Result<T, LockError>> + Send,
{
    let start = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut watch = Watch::default();
    let mut dead: Option<Box<LockInfo>> = None;
    loop {
        let tried = dead.take();
        let error = match attempt(tried.clone()).await {
            Err(error @ LockError::Held { .. }) => error,
            other => return other,
        };
        if let LockError::Held { info: Some(holder), now, .. } = &error
            && watch.is_dead(holder, *now, Instant::now())
        {
            dead = Some(holder.clone());
            if !holder.is_as_seen(tried.as_deref()) {
                continue;
            }
        }
        let left = timeout.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Err(error);
        }
        tokio::time::sleep(jittered(pause).min(left)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Between half and the whole, so that those who came together don't ask together for ever.
fn jittered(pause: Duration) -> Duration {
    let random = uuid::Uuid::new_v4().as_u64_pair().0 % 512;
    pause.mul_f64(0.5 + random as f64 / 1024.0)
}

/// A holder as it was seen for the first time.
#[derive(Default)]
struct Watch(Option<(LockId, Lease, Instant)>);

impl Watch {
    /// Whether a holder has let its lease run out: by the store's clock, or because it has shown no sign of life for a whole
    /// lease while we looked.
    fn is_dead(&mut self, holder: &LockInfo, now: Option<Timestamp>, here: Instant) -> bool {
        let Some(lease) = &holder.lease else {
            self.0 = None;
            return false;
        };
        if lease.age(now).is_some_and(|age| age > lease.length()) {
            return true;
        }
        match &self.0 {
            Some((id, seen, since)) if *id == holder.id && seen == lease => {
                here.saturating_duration_since(*since) > lease.length()
            }
            _ => {
                self.0 = Some((holder.id.clone(), lease.clone(), here));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn holder() -> LockInfo {
        LockInfo::new("OperationTypeApply", "me@here").with_lease(Duration::from_secs(60))
    }

    fn held(info: &LockInfo, now: Option<Timestamp>) -> LockError {
        LockError::Held { info: Some(Box::new(info.clone())), reason: String::new(), now }
    }

    #[test]
    fn a_lease_ends_by_the_stores_clock_or_after_a_whole_one_without_a_sign_of_life() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut info = holder();
        let mut watch = Watch::default();
        assert!(!watch.is_dead(&info, None, start));
        assert!(!watch.is_dead(&info, None, after(60)));
        assert!(watch.is_dead(&info, None, after(61)));
        // A sign of life.
        let renewed: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        info.lease = info.lease.map(|lease| lease.renewed(Some(renewed)));
        assert!(!watch.is_dead(&info, None, after(62)));
        assert!(!watch.is_dead(&info, None, after(122)));
        assert!(watch.is_dead(&info, None, after(123)));
        let now = |seconds| Some(renewed + Duration::from_secs(seconds));
        assert!(!Watch::default().is_dead(&info, now(60), start));
        assert!(Watch::default().is_dead(&info, now(61), start));
        // The store's clock was put back: then only watching helps.
        assert!(!Watch::default().is_dead(&info, Some(renewed - Duration::from_secs(9000)), start));
        // Terraform's have no lease.
        info.lease = None;
        assert!(!watch.is_dead(&info, now(1_000_000), after(1_000_000)));
    }

    #[tokio::test]
    async fn a_dead_holder_is_offered_once_and_a_living_one_never() {
        let mut info = holder();
        let renewed: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        info.lease = info.lease.map(|lease| lease.renewed(Some(renewed)));
        let offered = Mutex::new(Vec::new());
        let now = Some(renewed + Duration::from_secs(100));
        let attempt = |dead: Option<Box<LockInfo>>| {
            offered.lock().unwrap().push(dead.is_some());
            let error = held(&info, now);
            async move { Err::<(), _>(error) }
        };
        assert!(matches!(wait_for_lock(Duration::ZERO, attempt).await, Err(LockError::Held { .. })));
        assert_eq!(*offered.lock().unwrap(), [false, true]);
        let taken = wait_for_lock(Duration::ZERO, |dead| {
            let result = if dead.is_some() { Ok(7) } else { Err(held(&info, now)) };
            async move { result }
        });
        assert_eq!(taken.await.unwrap(), 7);
        let living = wait_for_lock(Duration::ZERO, |dead| {
            assert!(dead.is_none());
            let error = held(&info, Some(renewed));
            async move { Err::<(), _>(error) }
        });
        assert!(matches!(living.await, Err(LockError::Held { .. })));
    }
}
