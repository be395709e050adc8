//! A limit on attempts to log in, per peer.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::super::trace;
use crate::limits::{SERVER_ATTEMPT_EVERY, SERVER_ATTEMPT_PEERS_MAX, SERVER_ATTEMPTS_AT_ONCE};

/// Counts attempts to log in that failed: so many at once from one address, then one each so often. Attempts that
/// succeed cost nothing. Clones count together.
///
/// Memory is bounded: addresses whose attempts are all given back are forgotten, and when too many others are
/// remembered, all further ones share one count. IPv6 addresses count by network (/64).
#[derive(Clone, Debug)]
pub struct Attempts {
    at_once: u32,
    every: Duration,
    peers: Arc<Mutex<Peers>>,
}

#[derive(Debug, Default)]
struct Peers {
    used: HashMap<IpAddr, Used>,
    others: Option<Used>,
    swept: Option<Instant>,
}

/// Attempts that are used up; given back as time passes.
#[derive(Clone, Copy, Debug)]
struct Used {
    /// When all are given back.
    until: Instant,
    /// The log has it that there are none left.
    told: bool,
}

impl Default for Attempts {
    fn default() -> Self {
        Self::new(SERVER_ATTEMPTS_AT_ONCE, SERVER_ATTEMPT_EVERY)
    }
}

impl Attempts {
    /// So many at once (at least one), and one more each so often.
    #[must_use]
    pub fn new(at_once: u32, every: Duration) -> Self {
        Self { at_once: at_once.max(1), every, peers: Arc::default() }
    }

    /// Counts an attempt of this peer, before it is looked at: so that many at the same moment count too. Give it back
    /// with [`Attempts::succeeded`].
    ///
    /// # Errors
    /// How long this peer has to wait.
    pub fn begin(&self, peer: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let allowance = self.every * (self.at_once - 1);
        self.with(peer, now, |used| {
            let wait = used.until.saturating_duration_since(now).saturating_sub(allowance);
            if !wait.is_zero() {
                // Once, not for each of those that follow.
                if !std::mem::replace(&mut used.told, true) {
                    trace::too_many_attempts(peer, wait);
                }
                return Err(wait);
            }
            used.told = false;
            used.until = used.until.max(now) + self.every;
            Ok(())
        })
    }

    /// The attempt was a good one.
    pub fn succeeded(&self, peer: Option<IpAddr>, now: Instant) {
        self.with(peer, now, |used| {
            used.until = used.until.checked_sub(self.every).unwrap_or(now);
        });
    }

    fn with<T>(&self, peer: Option<IpAddr>, now: Instant, act: impl FnOnce(&mut Used) -> T) -> T {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let peers = &mut *peers;
        let unused = Used { until: now, told: false };
        let known = peer.map(network).filter(|peer| {
            peers.used.contains_key(peer) || peers.used.len() < SERVER_ATTEMPT_PEERS_MAX || peers.sweep(now)
        });
        match known {
            Some(peer) => act(peers.used.entry(peer).or_insert(unused)),
            None => act(peers.others.get_or_insert(unused)),
        }
    }
}

impl Peers {
    /// Forgets those whose attempts are all given back, at most once a second. Whether there is room now.
    fn sweep(&mut self, now: Instant) -> bool {
        let due =
            self.swept.is_none_or(|swept| now.saturating_duration_since(swept) >= Duration::from_secs(1));
        if due {
            self.used.retain(|_, used| used.until > now);
            self.swept = Some(now);
        }
        self.used.len() < SERVER_ATTEMPT_PEERS_MAX
    }
}

/// Who has one IPv6 address has all of its network.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        IpAddr::V4(address) => IpAddr::V4(address),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn peer(number: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(Ipv4Addr::from_bits(number)))
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_are_used_up_and_given_back() {
        let attempts = Attempts::new(3, Duration::from_secs(10));
        let now = Instant::now();
        for _ in 0..3 {
            assert_eq!(attempts.begin(peer(1), now), Ok(()));
        }
        assert_eq!(attempts.begin(peer(1), now), Err(Duration::from_secs(10)));
        assert_eq!(attempts.begin(peer(2), now), Ok(()), "another peer has attempts of its own");
        let later = now + Duration::from_secs(10);
        assert_eq!(attempts.begin(peer(1), later), Ok(()));
        assert_eq!(attempts.begin(peer(1), later), Err(Duration::from_secs(10)));
        attempts.succeeded(peer(1), later);
        assert_eq!(attempts.begin(peer(1), later), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_million_peers_take_no_more_memory() {
        let attempts = Attempts::new(2, Duration::from_secs(60));
        let now = Instant::now();
        for number in 0..1_000_000 {
            let _ = attempts.begin(peer(number), now);
        }
        assert_eq!(attempts.peers.lock().unwrap().used.len(), SERVER_ATTEMPT_PEERS_MAX);
        assert!(attempts.begin(peer(2_000_000), now).is_err(), "those beyond share what is left");
        let later = now + Duration::from_secs(121);
        assert_eq!(attempts.begin(peer(2_000_000), later), Ok(()));
        assert_eq!(attempts.peers.lock().unwrap().used.len(), 1);
    }

    #[test]
    fn networks_of_the_sixth_version_count_as_one() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:0:0:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
