//! Who carries actions out, and writes down when: the other side of what [`reading`](super::reading) reads.

use std::time::Duration;

use sp_sync::client::Deliveries;
use sp_sync::{Delivery, Error};
use tokio_stream::StreamExt as _;

use super::log::{Log, now};
use super::random::Random;

/// How long actions take.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    pub(crate) lease: Duration,
    /// Of a thousand actions so many take a time; the others take none.
    pub(crate) lasting: u64,
    pub(crate) longest_ms: u64,
}

impl Work {
    fn time(self, random: &mut Random) -> Duration {
        match random.below(1_000) {
            // Longer than a lease: only renewals keep it.
            0..2 => self.lease + self.lease / 4,
            place if place < self.lasting => Duration::from_millis(random.below(self.longest_ms)),
            _ => Duration::ZERO,
        }
    }
}

/// Carries out the actions of one executor of one document, whose text says who added them.
pub(crate) async fn carry_out(
    mut deliveries: Deliveries,
    lane: usize,
    log: Log,
    mut random: Random,
    work: Work,
) {
    while let Some(delivery) = deliveries.next().await {
        let (id, attempt) = (delivery.id().clone(), delivery.attempt());
        let text = ["text", "reason"].iter().find_map(|key| delivery.action().get(key)?.as_str());
        let mut words = text.expect("a text").split('/');
        let (writer, number) = (words.next().unwrap(), words.next().unwrap());
        log.line(&format!("start {lane} {id} {attempt} {writer} {number} {}", now()));
        let time = work.time(&mut random);
        if !time.is_zero() {
            tokio::time::sleep(time).await;
        }
        log.line(&format!("end {lane} {id} {}", now()));
        let finishing = finish(delivery, lane, log.clone());
        // Waiting or not: the next may start before the end of this one is recorded.
        if random.one_in(8) {
            finishing.await;
        } else {
            tokio::spawn(finishing);
        }
    }
}

async fn finish(delivery: Delivery, lane: usize, log: Log) {
    let (id, called) = (delivery.id().clone(), now());
    match delivery.finish().await {
        Ok(()) => log.line(&format!("finished {lane} {id} {called}")),
        Err(Error::NotHeld { .. }) => log.line(&format!("lost {lane} {id}")),
        Err(Error::MaybeApplied { .. }) => log.line(&format!("unsure {lane} {id}")),
        Err(error) => panic!("{error}"),
    }
}
