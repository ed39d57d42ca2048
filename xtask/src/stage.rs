//! Headings with times: a long run shows what it does, and where the time went.

use std::time::{Duration, Instant};

use crate::error::TaskError;

/// Says what comes next, does it, and says how long it took.
pub fn stage<T>(name: &str, work: impl FnOnce() -> Result<T, TaskError>) -> Result<T, TaskError> {
    eprintln!("\n==> {name}");
    let start = Instant::now();
    let result = work();
    let verdict = if result.is_ok() { "done" } else { "failed" };
    eprintln!("==> {name}: {verdict} in {}", duration(start.elapsed()));
    result
}

/// `3.2s` or `12m05s`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 { format!("{:.1}s", time.as_secs_f64()) } else { format!("{}m{:02}s", seconds / 60, seconds % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        assert_eq!(duration(Duration::from_millis(3240)), "3.2s");
        assert_eq!(duration(Duration::from_secs(725)), "12m05s");
    }
}
