//! The current time, and conversions of times.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the current time in milliseconds since the Unix epoch.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}

/// Returns a time as `2026-11-22T15:04:05.678Z`, which is the form for sessions.
pub fn iso(milliseconds: u64) -> String {
    let (days, rest) = (milliseconds / 86_400_000, milliseconds % 86_400_000);
    let (year, month, day) = date(days);
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, fraction) = (rest / 1000 % 60, rest % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:03}Z")
}

/// Returns a time as `3 min ago (2026-11-22T15:04:05.678Z)`, which is the form for people. A future time counts as now.
pub fn ago(milliseconds: u64, now: u64) -> String {
    let seconds = now.saturating_sub(milliseconds) / 1000;
    let distance = match seconds {
        0..60 => "just now".to_owned(),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..172_800 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    };
    format!("{distance} ({})", iso(milliseconds))
}

/// Parses a time in exactly the form of [`iso`]. Returns `None` for any other text.
pub fn from_iso(text: &str) -> Option<u64> {
    let bytes: &[u8; 24] = text.as_bytes().try_into().ok()?;
    let form = b"0000-00-00T00:00:00.000Z";
    let fits = |(byte, form): (&u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { byte == form };
    if !bytes.iter().zip(form).all(fits) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute) = (number(11..13)?, number(14..16)?);
    let (second, fraction) = (number(17..19)?, number(20..23)?);
    if !(1970..).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some((days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second) * 1000 + fraction)
}

/// Returns the number of days from 1970-01-01 to a Gregorian date. Counts like [`date`].
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let (era, year_of_era) = (year / 400, year % 400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Returns the Gregorian date `days` days after 1970-01-01. Counts from 0000-03-01, where leap days come last in their
/// year and 400 years are always 146,097 days.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_how_long_ago_something_was() {
        let second = 1000;
        for (distance, text) in [
            (0, "just now"),
            (59 * second, "just now"),
            (60 * second, "1 min ago"),
            (3599 * second, "59 min ago"),
            (3600 * second, "1 h ago"),
            (47 * 3600 * second, "47 h ago"),
            (48 * 3600 * second, "2 days ago"),
        ] {
            let at = 1_795_000_000_000;
            assert_eq!(ago(at, at + distance), format!("{text} ({})", iso(at)));
        }
        assert!(ago(2000, 1000).starts_with("just now"));
    }

    #[test]
    fn times_are_told_as_iso_8601() {
        for (milliseconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_709_251_200_000, "2024-03-01T00:00:00.000Z"),
            (4_102_444_800_001, "2100-01-01T00:00:00.001Z"),
        ] {
            assert_eq!(iso(milliseconds), expected);
            assert_eq!(from_iso(expected), Some(milliseconds));
        }
    }

    #[test]
    fn other_forms_are_no_times() {
        for text in [
            "",
            "2026",
            "2026-11-25",
            "2026-11-25T10:00:00Z",
            "2026-11-25T10:00:00.000+0",
            "2026-13-25T10:00:00.000Z",
            "2026-11-25T24:00:00.000Z",
            "1969-12-31T23:59:59.999Z",
            "2026-11-25T10:00:00.0é",
        ] {
            assert_eq!(from_iso(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_told_is_read(milliseconds in 0_u64..253_402_300_800_000) {
            proptest::prop_assert_eq!(from_iso(&iso(milliseconds)), Some(milliseconds));
        }
    }
}
