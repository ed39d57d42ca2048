//! Moments that know how long this machine slept.

use std::time::Duration;

use nix::time::ClockId;

/// A point in time by a clock that never jumps and that goes on while the machine sleeps, unlike [`std::time::Instant`]'s: a lease
/// runs out meanwhile, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// Now.
    pub fn now() -> Moment {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        const CLOCK: ClockId = ClockId::CLOCK_BOOTTIME;
        // On macOS it is this one that counts sleep.
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;

        // Every system has the clock; without it, every lease would count as just begun, and the store's fence holds alone.
        Moment(nix::time::clock_gettime(CLOCK).map(Duration::from).unwrap_or_default())
    }

    /// How long ago it was.
    pub fn elapsed(self) -> Duration {
        Moment::now().0.saturating_sub(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on() {
        let (before, instant) = (Moment::now(), std::time::Instant::now());
        while instant.elapsed() < Duration::from_millis(2) {
            std::thread::yield_now();
        }
        assert!(before.elapsed() >= Duration::from_millis(2) && before < Moment::now());
    }
}
