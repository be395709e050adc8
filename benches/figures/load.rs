//! Load that asks again as soon as it was answered.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::stats;

/// A requester, and whoever answers it.
pub trait Asks: Send + 'static {
    /// One command round trip: added, taken, responded, response received.
    fn ask(&mut self) -> impl Future<Output = ()> + Send;
}

/// The middle of the times, in seconds, that so many commands take, one after the other.
pub async fn p50(session: &mut impl Asks, commands: usize) -> f64 {
    let mut times = Vec::with_capacity(commands);
    for _ in 0..commands {
        let begun = Instant::now();
        session.ask().await;
        times.push(begun.elapsed());
    }
    stats::p50(&times)
}

/// Requests per second of all sessions together, each with one in flight.
pub async fn throughput(sessions: &mut Vec<impl Asks>, requests: usize) -> f64 {
    let (start, count) = (Arc::new(Semaphore::new(0)), sessions.len());
    let mut asking = JoinSet::new();
    for mut session in sessions.drain(..) {
        let start = start.clone();
        asking.spawn(async move {
            let _started = start.acquire().await;
            for _ in 0..requests {
                session.ask().await;
            }
            session
        });
    }
    let begun = Instant::now();
    start.add_permits(count);
    sessions.extend(asking.join_all().await);
    (count * requests) as f64 / begun.elapsed().as_secs_f64()
}
