//! Points in time, as the service writes them.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const MS_PER_DAY: i64 = 86_400_000;

/// Years 0000 to 9999, which is what four digits can say.
const MS_MIN: i64 = -62_167_219_200_000;
const MS_MAX: i64 = 253_402_300_799_999;

/// A point in time, to the millisecond. Sync: ISO 8601 in UTC with `Z`, `2026-03-01T09:30:00.125Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp {
    /// Milliseconds since 1970.
    ms: i64,
}

impl Timestamp {
    /// Milliseconds since 1970; held to years 0000 to 9999.
    #[must_use]
    pub fn from_unix_ms(ms: i64) -> Self {
        Self { ms: ms.clamp(MS_MIN, MS_MAX) }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn unix_ms(self) -> i64 {
        self.ms
    }

    /// Later by this much.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self::from_unix_ms(self.ms.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Reads the service's form. A fraction may have 0 to 9 digits; those beyond milliseconds are dropped.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('Z')?;
        let (date, time) = text.split_once('T')?;
        let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
        let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
        let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
        let whole = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
        if !whole || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let ns = number(fraction).filter(|_| (1..=9).contains(&fraction.len()))?;
        let ms = ns * 1_000 / 10_i64.pow(u32::try_from(fraction.len()).ok()?);
        let seconds = (hour * 60 + minute) * 60 + second;
        Some(Self { ms: days_since_1970(year, month, day) * MS_PER_DAY + seconds * 1000 + ms })
    }
}

#[cfg(feature = "remote")]
impl Timestamp {
    /// Reads the form of HTTP's `Date`: `Sun, 01 Mar 2026 09:30:00 GMT`.
    pub(crate) fn parse_http(text: &str) -> Option<Self> {
        const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
        let (_, date) = text.split_once(", ")?;
        let mut parts = date.split(' ');
        let (day, month, year, clock) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let month = MONTHS.find(month).filter(|at| month.len() == 3 && at % 3 == 0)? / 3 + 1;
        Self::parse(&format!("{year}-{month:02}-{day}T{clock}Z"))
    }
}

/// A number of digits alone, few enough not to overflow.
fn number(digits: &str) -> Option<i64> {
    digits
        .bytes()
        .take(18)
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| 10 * number + i64::from(byte - b'0')))
}

/// Three numbers of exactly so many digits.
fn numbers(text: &str, separator: char, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut found = [0; 3];
    for (place, digits) in found.iter_mut().zip(digits) {
        *place = number(parts.next().filter(|part| part.len() == digits)?)?;
    }
    parts.next().is_none().then_some(found)
}

fn days_of(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the Gregorian calendar. Years are counted from March, so that the leap day is a year's last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse: year, month, day.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

impl Timestamp {
    /// `2026-03-01T09:30:00.125Z`. Made digit by digit: every answer and every event has several.
    fn text(self) -> [u8; 24] {
        let (days, ms) = (self.ms.div_euclid(MS_PER_DAY), self.ms.rem_euclid(MS_PER_DAY));
        let (year, month, day) = date(days);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        for (places, mut number) in [
            (0..4, year),
            (5..7, month),
            (8..10, day),
            (11..13, ms / 3_600_000),
            (14..16, ms / 60_000 % 60),
            (17..19, ms / 1_000 % 60),
            (20..23, ms % 1_000),
        ] {
            for digit in text[places].iter_mut().rev() {
                *digit += u8::try_from(number % 10).unwrap_or_default();
                number /= 10;
            }
        }
        text
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_unix_ms(match time.duration_since(UNIX_EPOCH) {
            Ok(since) => ms(since),
            Err(before) => -ms(before.duration()),
        })
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextOfTime)
    }
}

struct TextOfTime;

impl Visitor<'_> for TextOfTime {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time, ISO 8601 in UTC")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Timestamp, E> {
        Timestamp::parse(text)
            .ok_or_else(|| E::invalid_value(Unexpected::Other("text that is no time"), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_service_writes_them() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_825_600_000, "2000-02-29T12:00:00.000Z"),
            (1_772_357_400_125, "2026-03-01T09:30:00.125Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (MS_MIN, "0000-01-01T00:00:00.000Z"),
            (MS_MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp::from_unix_ms(ms).to_string(), text);
            assert_eq!(Timestamp::parse(text).map(Timestamp::unix_ms), Some(ms));
        }
    }

    #[test]
    fn fractions_may_have_any_precision() {
        let ms = |text| Timestamp::parse(text).map(Timestamp::unix_ms);
        assert_eq!(ms("1970-01-01T00:00:01Z"), Some(1000));
        assert_eq!(ms("1970-01-01T00:00:01.5Z"), Some(1500));
        assert_eq!(ms("1970-01-01T00:00:01.123456789Z"), Some(1123));
    }

    #[cfg(feature = "remote")]
    #[test]
    fn dates_of_http_are_read() {
        let ms = |text| Timestamp::parse_http(text).map(|time| time.to_string());
        assert_eq!(ms("Sun, 01 Mar 2026 09:30:00 GMT").as_deref(), Some("2026-03-01T09:30:00.000Z"));
        assert_eq!(ms("Sun, 01 anM 2026 09:30:00 GMT"), None);
        assert_eq!(ms("yesterday"), None);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "Z",
            "2026-03-01",
            "2026-03-01T09:30:00",
            "2026-03-01T09:30:00+00:00",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-03-00T00:00:00Z",
            "2026-03-01T24:00:00Z",
            "2026-03-01T00:60:00Z",
            "2026-03-01T00:00:60Z",
            "2026-3-1T00:00:00Z",
            "+026-03-01T00:00:00Z",
            "2026-03-01T00:00:00.Z",
            "2026-03-01T00:00:00.1é2Z",
            "2026-03-01T00:00:00.1234567890Z",
            "2026-03-01-01T00:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }
}
