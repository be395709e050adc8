//! A timer for loops that look at the clock at every turn.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// Far enough away to stand for never.
const NEVER: Duration = Duration::from_secs(86_400);

/// Rings at a moment, and now and then without need: it is moved only when it would ring too late. Most deadlines are put
/// off by what comes before them, and one ring too many costs less than moving it each time.
pub(crate) struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    pub(crate) fn new() -> Self {
        Self(Box::pin(sleep(NEVER)))
    }

    /// Sees to it that it rings by then. To be called after every ring, and whenever the moment may have changed.
    pub(crate) fn set(&mut self, at: Option<Instant>) {
        let passed = self.0.is_elapsed();
        if let Some(at) = at.or_else(|| passed.then(|| Instant::now() + NEVER))
            && (passed || at < self.0.deadline())
        {
            self.0.as_mut().reset(at);
        }
    }

    /// Waits until it rings.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(crate) async fn rings(&mut self) {
        self.0.as_mut().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_rings_in_time_whatever_was_asked_before() {
        let begun = Instant::now();
        let after = |seconds| Some(begun + Duration::from_secs(seconds));
        let mut alarm = Alarm::new();
        alarm.set(after(9));
        alarm.set(after(5));
        alarm.set(after(7));
        alarm.rings().await;
        assert_eq!(begun.elapsed().as_secs(), 5, "a ring too many");
        alarm.set(after(7));
        alarm.rings().await;
        assert_eq!(begun.elapsed().as_secs(), 7);
        alarm.set(None);
        assert!(timeout(Duration::from_secs(60), alarm.rings()).await.is_err(), "nothing is asked");
    }
}
