//! What time it is by a store's clock. Two machines' clocks are never compared, since either may be wrong or jump; all who use a
//! store see the same clock of it.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

use super::Moment;

/// A store's clock, as its last answer told it.
#[derive(Debug, Default)]
pub struct StoreClock(Mutex<Option<(Timestamp, Moment)>>);

impl StoreClock {
    /// Takes note of an answer's `Date`; anything unreadable is passed over.
    pub fn told(&self, date: &str) {
        const DATES: DateTimeParser = DateTimeParser::new();
        if let Ok(time) = DATES.parse_timestamp(date) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((time, Moment::now()));
        }
    }

    /// What time it is there.
    pub fn now(&self) -> Option<Timestamp> {
        let (told, at) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        told.checked_add(at.elapsed()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::StoreClock;

    #[test]
    fn an_answers_date_is_the_stores_time() {
        let clock = StoreClock::default();
        clock.told("yesterday");
        assert_eq!(clock.now(), None);
        clock.told("Sat, 21 Nov 2026 20:29:16 GMT");
        let told = "2026-11-21T20:29:16Z".parse().unwrap();
        assert!(clock.now().is_some_and(|now| now >= told));
    }
}
