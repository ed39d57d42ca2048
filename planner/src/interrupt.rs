//! A request to stop.

use std::sync::Arc;

use tokio::sync::watch;

/// How urgent it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    #[default]
    None,
    /// What runs comes to its end, nothing new is started.
    Stop,
    /// What runs is left alone; its intents are in the journal.
    Abandon,
}

/// A request to stop: what runs is finished, nothing new is started. A second, more urgent one gives up what runs.
#[derive(Clone, Debug)]
pub struct Interrupt(Arc<watch::Sender<Urgency>>);

impl Default for Interrupt {
    fn default() -> Interrupt {
        Interrupt(Arc::new(watch::Sender::new(Urgency::None)))
    }
}

impl Interrupt {
    /// Asks to stop.
    pub fn request(&self) {
        self.raise(Urgency::Stop);
    }

    /// Asks to stop at once: not even what runs is waited for. The next run clears it up.
    pub fn abandon(&self) {
        self.raise(Urgency::Abandon);
    }

    /// Whether it was asked to stop, be it at once.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow() >= Urgency::Stop
    }

    /// Whether it was asked to stop at once.
    pub fn is_abandoned(&self) -> bool {
        *self.0.borrow() >= Urgency::Abandon
    }

    /// Returns when it is asked to stop, be it long ago.
    pub async fn requested(&self) {
        self.reached(Urgency::Stop).await;
    }

    /// Returns when it is asked to stop at once, be it long ago.
    pub async fn abandoned(&self) {
        self.reached(Urgency::Abandon).await;
    }

    fn raise(&self, urgency: Urgency) {
        self.0.send_if_modified(|current| {
            let raised = urgency > *current;
            *current = urgency.max(*current);
            raised
        });
    }

    async fn reached(&self, urgency: Urgency) {
        // The sender is alive as long as `self`, so that waiting ends by a change alone.
        let _ = self.0.subscribe().wait_for(|current| *current >= urgency).await;
    }
}

#[cfg(test)]
mod tests {
    use super::Interrupt;

    #[tokio::test]
    async fn a_request_wakes_whoever_waits_and_whoever_comes_later() {
        let interrupt = Interrupt::default();
        let waiting = tokio::spawn({
            let interrupt = interrupt.clone();
            async move { interrupt.requested().await }
        });
        interrupt.request();
        assert!(waiting.await.is_ok());
        interrupt.requested().await;
        assert!(interrupt.is_requested() && !interrupt.is_abandoned());
    }

    #[tokio::test]
    async fn a_second_request_is_never_taken_back() {
        let interrupt = Interrupt::default();
        interrupt.abandon();
        interrupt.request();
        interrupt.abandoned().await;
        interrupt.requested().await;
        assert!(interrupt.is_abandoned());
    }
}
