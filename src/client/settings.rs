//! Every wait and bound of one client, as settings (C58).

use std::time::Duration;

use crate::error::{Error, Result};
use crate::limits;

/// Settings of a client; the defaults are those of [`limits`].
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How long an unchanged claim of another client is respected (C40). Default 30 s. Too short: a slow machine or
    /// network makes two clients run one action; too long: work of a dead client waits that long.
    pub lease: Duration,
    /// Attempts of one action in all (C42). Default 5.
    pub attempts_max: u32,
    /// Wait before the second attempt, doubled for each further one (C42). Default 200 ms.
    pub retry_delay_min: Duration,
    /// The longest wait between attempts (C42). Default 10 s.
    pub retry_delay_max: Duration,
    /// How long the end of a quick action without response may wait for the next one's, so that a run of them is
    /// one write. Default 5 ms. Zero records each end at once.
    pub finish_linger: Duration,
    /// Actions that may wait per executor (C56). Default 64.
    pub waiting_max: usize,
    /// Writes per second, where the backend does not state its own rate (C57). Default none: as fast as it answers.
    pub writes_per_second: Option<f64>,
    /// How long a write may be tried before its caller hears of a failure. Default 60 s.
    pub write_within: Duration,
    /// How long opening may take. Default 60 s.
    pub connect_within: Duration,
    /// How long closing waits for pending writes. Default 10 s.
    pub close_within: Duration,
    /// A token is renewed when less than this remains (C7). Default 3 minutes.
    pub token_renew_before: Duration,
    /// First wait after a backend failure, doubled up to [`backoff_max`](Self::backoff_max). Default 50 ms.
    pub backoff_min: Duration,
    /// Longest wait after a backend failure. Default 5 s.
    pub backoff_max: Duration,
    /// First wait before the backend is asked again for what it refused to this identity, doubled up to
    /// [`refused_backoff_max`](Self::refused_backoff_max). Default 30 s. Too short: a client without rights presses the
    /// backend; too long: a right that was given back is noticed late.
    pub refused_backoff_min: Duration,
    /// The longest such wait. Default 2 minutes.
    pub refused_backoff_max: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease: limits::LEASE,
            attempts_max: limits::ATTEMPTS_MAX,
            retry_delay_min: limits::RETRY_DELAY_MIN,
            retry_delay_max: limits::RETRY_DELAY_MAX,
            finish_linger: limits::FINISH_LINGER,
            waiting_max: limits::WAITING_MAX,
            writes_per_second: None,
            write_within: limits::WRITE_WITHIN,
            connect_within: limits::WRITE_WITHIN,
            close_within: limits::CLOSE_WITHIN,
            token_renew_before: limits::TOKEN_RENEW_BEFORE,
            backoff_min: limits::BACKOFF_MIN,
            backoff_max: limits::BACKOFF_MAX,
            refused_backoff_min: limits::REFUSED_BACKOFF_MIN,
            refused_backoff_max: limits::REFUSED_BACKOFF_MAX,
        }
    }
}

impl Settings {
    /// Refuses what no client could work with, before it does harm.
    pub(crate) fn check(&self) -> Result<()> {
        let Self { lease, attempts_max, retry_delay_min, retry_delay_max, waiting_max, .. } = self;
        let least = Duration::from_millis(1);
        within("lease", *lease, least)?;
        within("retry_delay_min", *retry_delay_min, Duration::ZERO)?;
        within("retry_delay_max", *retry_delay_max, *retry_delay_min)?;
        within("finish_linger", self.finish_linger, Duration::ZERO)?;
        if self.finish_linger > self.renew_every() {
            return Err(wrong("finish_linger", "it must be at most a third of `lease`".into()));
        }
        within("write_within", self.write_within, least)?;
        within("connect_within", self.connect_within, least)?;
        within("close_within", self.close_within, least)?;
        within("token_renew_before", self.token_renew_before, Duration::ZERO)?;
        within("backoff_min", self.backoff_min, least)?;
        within("backoff_max", self.backoff_max, self.backoff_min)?;
        within("refused_backoff_min", self.refused_backoff_min, least)?;
        within("refused_backoff_max", self.refused_backoff_max, self.refused_backoff_min)?;
        if !(1..=ATTEMPTS_MOST).contains(attempts_max) {
            return Err(wrong("attempts_max", format!("it must be 1 to {ATTEMPTS_MOST}")));
        }
        if *waiting_max == 0 {
            return Err(wrong("waiting_max", "it must be at least 1".into()));
        }
        if self.writes_per_second.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            return Err(wrong("writes_per_second", "it must be above 0, or None for no limit".into()));
        }
        self.check_rate(self.writes_per_second)
    }

    /// Refuses a lease within which claims could not be renewed at this rate of writes.
    pub(crate) fn check_rate(&self, writes_per_second: Option<f64>) -> Result<()> {
        let renewals = f64::from(limits::RENEWALS_PER_LEASE);
        match writes_per_second.filter(|rate| *rate > 0.0 && rate * self.lease.as_secs_f64() < renewals) {
            Some(rate) => Err(wrong(
                "lease",
                format!(
                    "at {rate} writes per second it must be at least {:.1} s, for {renewals} renewals",
                    renewals / rate
                ),
            )),
            None => Ok(()),
        }
    }

    /// How often a claim is renewed.
    pub(crate) fn renew_every(&self) -> Duration {
        self.lease / limits::RENEWALS_PER_LEASE
    }

    /// How long a client that said it takes what comes next is believed to be at work after its latest write.
    pub(crate) fn trusts_taker_for(&self) -> Duration {
        self.lease / limits::TAKER_TRUSTS_PER_LEASE
    }

    /// The wait after attempt `failed` has failed.
    pub(crate) fn retry_delay(&self, failed: u32) -> Duration {
        doubled(self.retry_delay_min, failed.saturating_sub(1), self.retry_delay_max)
    }

    /// The wait after `failures` failures of the backend in a row, before jitter.
    pub(crate) fn backoff(&self, failures: u32) -> Duration {
        doubled(self.backoff_min, failures.saturating_sub(1), self.backoff_max)
    }

    /// The wait after the backend has refused something `times` in a row, before jitter.
    pub(crate) fn refused_backoff(&self, times: u32) -> Duration {
        doubled(self.refused_backoff_min, times.saturating_sub(1), self.refused_backoff_max)
    }
}

/// More is a loop, not a try.
const ATTEMPTS_MOST: u32 = 100_000;

fn within(name: &str, value: Duration, least: Duration) -> Result<()> {
    let most = limits::SETTING_MAX;
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let days = most.as_secs() / 86_400;
    Err(wrong(name, format!("it is {value:?} and must be {least:?} to {days} days")))
}

fn wrong(name: &str, why: String) -> Error {
    Error::Invalid { what: "setting", why: format!("`{name}`: {why}") }
}

fn doubled(first: Duration, times: u32, most: Duration) -> Duration {
    first.saturating_mul(1_u32.checked_shl(times.min(31)).unwrap_or(u32::MAX)).min(most)
}
